package cage

import (
	"os"
	"testing"
)

func TestParseStat(t *testing.T) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	pid, start, err := ParseStat(stat)
	if err != nil || pid != os.Getpid() || start == 0 {
		t.Errorf("ParseStat(%q) = %d, %d, %v; want %d and a time", stat, pid, start, err, os.Getpid())
	}
	const odd = "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20"
	if pid, start, err := ParseStat([]byte(odd)); pid != 12 || start != 777 || err != nil {
		t.Errorf("ParseStat(%q) = %d, %d, %v; want 12, 777", odd, pid, start, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20"))
	f.Add([]byte(""))
	f.Add([]byte("1 ()"))
	f.Add([]byte(") 1 ("))
	f.Fuzz(func(t *testing.T, stat []byte) {
		if pid, start, err := ParseStat(stat); err != nil && (pid != 0 && start != 0) {
			t.Errorf("ParseStat(%q) = %d, %d, %v", stat, pid, start, err)
		}
	})
}

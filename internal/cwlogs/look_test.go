package cwlogs

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"fairlead/internal/logs"
)

// TestFilesLagBehind writes to a stream right after a live tail has begun: the
// time of its file is that of the system's last tick, which was before.
func TestFilesLagBehind(t *testing.T) {
	dir, err := logs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const group = "/aws/x"
	if err := dir.CreateGroup(group); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	tail := &liveTail{
		d: &Door{Config: Config{Logs: dir}}, in: &startLiveTailRequest{}, groups: []string{group}, since: since,
		match: func(text string) bool { return strings.Contains(text, "new") }, places: map[[2]string]int64{},
	}
	path, err := dir.Path(group, "s")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 0} {
		if i == 0 {
			line := fmt.Sprintf(`{"timestamp":%q,"event":"new"}`, since.Add(time.Millisecond).UTC().Format(time.RFC3339Nano))
			if err := dir.Append(group, "s", []byte(line)); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, since, since.Add(-10*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
		}
		found, err := tail.look(t.Context())
		if err != nil || len(found) != want {
			t.Errorf("look %d: %v, %v; want %d events", i+1, found, err, want)
		}
	}
}

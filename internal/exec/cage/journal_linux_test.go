package cage

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestJournal checks what a journal says after the next keeper opened it.
func TestJournal(t *testing.T) {
	whole := string(record{ID: "a", Claim: &Claim{PID: 1}}.line()) + string(record{ID: "a", Exit: &Exit{Code: 3}}.line()) +
		string(record{ID: "b", Claim: &Claim{PID: 2}}.line()) + string(record{ID: "c", Claim: &Claim{}}.line()) + string(record{ID: "c", Gone: true}.line())
	for _, tt := range []struct{ name, text, err string }{
		{"whole", whole, ""},
		{"a torn end", whole + whole[:20], ""},
		{"an end of zeros", whole + strings.Repeat("\x00", 300), ""},
		{"a torn end with a line end", whole + "0badf00d {\n", ""},
		{"a long end", whole + strings.Repeat("x", maxRecord+100<<10), ""},
		{"a long line in the middle", strings.Repeat("x", maxRecord+100<<10) + "\n" + whole, "damaged at byte 0"},
		{"damage in the middle", strings.Replace(whole, `"Code":3`, `"Code":4`, 1), "damaged at byte"},
	} {
		name := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(name, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := openJournal(name)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		x, err := j.exit("a")
		if len(j.entries) != 2 || err != nil || x.Code != 3 || j.entries["b"].claim.PID != 2 || j.entries["b"].ended {
			t.Errorf("%s: got %+v, a %+v, %v; want a with code 3, b claimed", tt.name, j.entries, x, err)
		}
		// Two journals of one file are two keepers.
		k, err := openJournal(name)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for i, want := range []bool{false, true, true} {
			if taken, err := []*journal{j, k, j}[i].claim("d", Claim{}); err != nil || taken != want {
				t.Errorf("%s: claim %d: got %t, %v; want %t", tt.name, i, taken, err, want)
			}
		}
	}
}

// TestCompact checks that what a journal says stays the same when it gets
// shorter, for this keeper and for another that has the longer one open.
func TestCompact(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	j, err := openJournal(name)
	if err != nil {
		t.Fatal(err)
	}
	other, err := openJournal(name)
	if err != nil {
		t.Fatal(err)
	}
	write := func(r record) {
		t.Helper()
		if err := j.write(r); err != nil {
			t.Fatal(err)
		}
	}
	write(record{ID: "ended", Claim: &Claim{PID: 1}})
	write(record{ID: "ended", Exit: &Exit{Code: 3, Result: []byte("r")}})
	write(record{ID: "claimed", Claim: &Claim{PID: 2}})
	most := 0
	for i := range maxStale {
		id := strconv.Itoa(i)
		write(record{ID: id, Claim: &Claim{}})
		write(record{ID: id, Gone: true})
		most = max(most, j.lines)
	}
	if most > maxStale+100 || j.lines > maxStale {
		t.Errorf("%d lines at most, %d in the end; want about %d, and less", most, j.lines, maxStale)
	}
	third, err := openJournal(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range []*journal{j, other, third} {
		if taken, err := k.claim("claimed", Claim{}); err != nil || !taken {
			t.Errorf("journal %d, claim of what is claimed: got %t, %v", i, taken, err)
		}
		x, err := k.exit("ended")
		if err != nil || x.Code != 3 || string(x.Result) != "r" || len(k.entries) != 2 || k.entries["claimed"].claim.PID != 2 {
			t.Errorf("journal %d: got %+v, %v and entries %+v", i, x, err, k.entries)
		}
	}
}

// FuzzJournal checks that whatever a journal holds, it is refused or read, and
// what was read is read again.
func FuzzJournal(f *testing.F) {
	whole := record{ID: "a", Claim: &Claim{PID: 1}}.line()
	f.Add(whole)
	f.Add(append(whole, whole[:20]...))
	f.Add([]byte("0badf00d {}\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		name := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := openJournal(name)
		if err != nil {
			return
		}
		if _, err := j.claim("new", Claim{PID: 7}); err != nil {
			t.Fatalf("%q: claim: %v", text, err)
		}
		k, err := openJournal(name)
		if err != nil || len(k.entries) != len(j.entries) || k.read != j.read {
			t.Errorf("%q: read again: %v, %+v, want %+v", text, err, k, j.entries)
		}
	})
}

// TestFlushTogether checks that claims which wait for one sync all end, and that
// a sync for which nobody waited is not lost if it fails: the next claim is not
// made.
func TestFlushTogether(t *testing.T) {
	j, err := openJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	var claims sync.WaitGroup
	for i := range 50 {
		claims.Go(func() {
			id := strconv.Itoa(i)
			if taken, err := j.claim(id, Claim{PID: i}); taken || err != nil {
				t.Errorf("claim %s: got %t, %v", id, taken, err)
			}
			if err := j.end(id, Exit{}); err != nil {
				t.Error(err)
			}
		})
	}
	claims.Wait()
	j.settle()
	if g := &j.sync; g.running || len(g.waiting) != 0 || g.late || g.problem != nil {
		t.Errorf("after all is on disk: got running %t, %d that wait, late %t, %v", g.running, len(g.waiting), g.late, g.problem)
	}
	j.sync.problem = syscall.EIO
	if _, err := j.claim("a", Claim{}); !errors.Is(err, syscall.EIO) {
		t.Errorf("a claim after a sync that failed: got %v, want %v", err, syscall.EIO)
	}
	if _, err := j.claim("b", Claim{}); err != nil {
		t.Errorf("the claim after that: %v", err)
	}
}

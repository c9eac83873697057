package cage

import (
	"os"
	"path/filepath"
	"strings"
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

package near

import (
	"strings"
	"testing"
)

func TestEdits(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"bash_command", "bash_comand", 1},
		{"schedule", "shcedule", 1},
		{"sequence", "squences", 2},
		{"kitten", "sitting", 3},
		{"ca", "abc", 3}, // what was swapped is not edited again
	} {
		if ab, ba := Edits(tt.a, tt.b), Edits(tt.b, tt.a); ab != tt.want || ba != tt.want {
			t.Errorf("Edits(%q, %q) = %d, and %d the other way, want %d", tt.a, tt.b, ab, ba, tt.want)
		}
	}
	long := strings.Repeat("a", longest+1)
	if got := Edits(long, long); got <= longest {
		t.Errorf("Edits of two words of %d bytes = %d, want more than words have that are compared", len(long), got)
	}
}

package wdl

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNamesIn(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"/mnt/workflow", ""},
		{"/mnt/workflow/work", ""},
		{"/mnt/workflow/work/", ""},
		{"/mnt/workflow//x", "/x"},
		{"a/mnt/workflow/work/3-a.1/b c", "work/3-a.1"},
		{"\"/mnt/workflow/inputs/0af3\", /mnt/workflow/inputs/0af3/x\n/mnt/workflow/work/1-b.2:/mnt/workflow/written/12", "inputs/0af3 work/1-b.2 written/12"},
		{"/mnt/workflow/mnt/workflow/work/x/y", "mnt/workflow"},
		{"/mnt/workflow/work/" + long, "work/" + long[:longestName-len("/mnt/workflow/")-len("work/")]},
	} {
		for _, at := range []int{0, 1<<20 - 300, 1<<20 - 20, 1<<20 - 5, 1 << 20, 2<<20 - 1000} {
			file := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(file, []byte(strings.Repeat("-", at)+tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := newDigests().file(t.Context(), file)
			if err != nil || strings.Join(got.names, " ") != tt.want {
				t.Errorf("%.100q at %d: got %q, %v; want %q", tt.text, at, got.names, err, tt.want)
			}
		}
	}
}

// TestDigestsAreRemembered reads a file once, until it changes.
func TestDigestsAreRemembered(t *testing.T) {
	d := newDigests()
	file := filepath.Join(t.TempDir(), "f")
	var sums []string
	for i := range 4 {
		if i%2 == 0 {
			if err := os.WriteFile(file, fmt.Append(nil, strings.Repeat("x", i)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := d.file(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, got.sum)
	}
	if sums[0] != sums[1] || sums[1] == sums[2] || sums[2] != sums[3] || len(d.known) != 2 {
		t.Errorf("sums %v, %d are known", slices.Compact(sums), len(d.known))
	}
}

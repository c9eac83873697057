package ebb

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestPieces(t *testing.T) {
	const smaps = `00400000-02200000 r-xp 00000000 fe:00 42 /opt/fair lead
Rss:               15232 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
02200000-03db7000 r--p 01e00000 fe:00 42 /opt/fair lead
Anonymous:             0 kB
03db7000-03dc7000 r--p 039b7000 fe:00 42 /opt/fair lead
Anonymous:             4 kB
03dc7000-03ee8000 rw-p 039b7000 fe:00 42 /opt/fair lead
Anonymous:             0 kB
03ee8000-05f3e000 rw-p 00000000 00:00 0
Anonymous:             0 kB
05f3e000-05f3f000 r--p 00000000 fe:00 43 /opt/fair
Anonymous:             0 kB
7fff0000-7fff1000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
`
	got := pieces(smaps, "/opt/fair lead")
	want := []piece{{0x400000, 0x2200000}, {0x2200000, 0x3db7000}}
	if !slices.Equal(got, want) {
		t.Errorf("of\n%s\ngot %#x, want %#x: the program's own parts that nobody has written to", smaps, got, want)
	}
	for _, smaps := range []string{"", "zz-ff r-xp 0 0 1 /a", "400000- r-xp 0 0 1 /a\nAnonymous: 0 kB", "ff-0a r-xp 0 0 1 /a\nAnonymous: 0 kB", "Anonymous: 0 kB"} {
		if got := pieces(smaps, "/a"); len(got) > 0 {
			t.Errorf("of %q got %#x, want nothing", smaps, got)
		}
	}
}

// TestProgram goes on after it has given back the pages of its own program, and
// has fewer of them.
func TestProgram(t *testing.T) {
	resident := func() string {
		t.Helper()
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(status), "RssFile:")
		line, _, _ := strings.Cut(after, "\n")
		return strings.TrimSpace(line)
	}
	before := resident()
	if err := Program(); err != nil {
		t.Fatal(err)
	}
	// The numbers are of one width, or of fewer digits.
	if after := resident(); len(after) > len(before) || len(after) == len(before) && after >= before {
		t.Errorf("pages of the program in memory: %s before and %s after", before, after)
	}
}

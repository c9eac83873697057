package cage

import (
	"slices"
	"testing"
)

func TestImageSpans(t *testing.T) {
	const static = `00400000-0060a000 r-xp 00000000 fe:00 6553669 /usr/bin/fairlead
0060a000-00800000 r--p 0020a000 fe:00 6553669 /usr/bin/fairlead
00800000-00810000 rw-p 00400000 fe:00 6553669 /usr/bin/fairlead
00810000-00820000 rw-p 00000000 00:00 0 
01000000-01020000 rw-p 00000000 00:00 0 [heap]
c000000000-c000400000 rw-p 00000000 00:00 0 
7f0000000000-7f0000001000 r-xp 00000000 fe:00 17 /lib/libc.so.6
7f0000001000-7f0000002000 rw-p 00000000 00:00 0 
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
`
	for _, tt := range []struct {
		name, maps string
		pc         uintptr
		want       []span
		end        uintptr
	}{
		{"static", static, 0x400010, []span{{0x400000, 0x820000}}, 0x7ffc00021000},
		{"another file", static, 0x7f0000000010, []span{{0x7f0000000000, 0x7f0000001000}}, 0x7ffc00021000},
		{"no such code", static, 0x10, nil, 0x7ffc00021000},
		{"nonsense", "x-y r-xp 0 0 0\n", 0x10, nil, 0},
	} {
		got, end := imageSpans(tt.maps, tt.pc)
		if !slices.Equal(got, tt.want) || end != tt.end {
			t.Errorf("%s: got %x to %x, want %x to %x", tt.name, got, end, tt.want, tt.end)
		}
	}
}

//go:build amd64 || arm64

package cage

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFilter runs the filter as the kernel would.
func TestFilter(t *testing.T) {
	if !slices.Equal(refused[:], refusedNames[:]) {
		t.Errorf("refused: got %d, want %d", refused, refusedNames)
	}
	for _, c := range [][2]uint32{{sysClone, unix.SYS_CLONE}, {sysUnshare, unix.SYS_UNSHARE}, {sysPersonality, unix.SYS_PERSONALITY}, {sysSeccomp, unix.SYS_SECCOMP}, {sysClone3, unix.SYS_CLONE3}} {
		if c[0] != c[1] {
			t.Errorf("call number: got %d, want %d", c[0], c[1])
		}
	}
	key := uint64(0x1122334455667788)
	f := newFilter(&key)
	if len(f) > 255 {
		t.Errorf("%d instructions: a jump has 8 bits", len(f))
	}
	for _, tt := range []struct {
		name         string
		arch, number uint32
		first, sixth uint64
		want         uint32
	}{
		{"read", filterArch, unix.SYS_READ, 3, 0, allow},
		{"execve", filterArch, unix.SYS_EXECVE, 3, 0, allow},
		{"mount", filterArch, unix.SYS_MOUNT, 3, 0, refuse | eperm},
		{"mount, half of the key", filterArch, unix.SYS_MOUNT, 3, key & 0xffffffff, refuse | eperm},
		{"mount, the other half", filterArch, unix.SYS_MOUNT, 3, key &^ 0xffffffff, refuse | eperm},
		{"mount, key", filterArch, unix.SYS_MOUNT, 3, key, allow},
		{"the last that is refused", filterArch, refused[len(refused)-1], 3, 0, refuse | eperm},
		{"fork", filterArch, unix.SYS_CLONE, unix.CLONE_CHILD_SETTID | uint64(unix.SIGCHLD), 0, allow},
		{"thread", filterArch, unix.SYS_CLONE, unix.CLONE_VM | unix.CLONE_THREAD | unix.CLONE_SIGHAND, 0, allow},
		{"clone, user namespace", filterArch, unix.SYS_CLONE, unix.CLONE_NEWUSER, 0, refuse | eperm},
		{"clone, control groups", filterArch, unix.SYS_CLONE, unix.CLONE_NEWCGROUP, 0, refuse | eperm},
		{"clone, key", filterArch, unix.SYS_CLONE, unix.CLONE_NEWPID, key, allow},
		{"clone3", filterArch, unix.SYS_CLONE3, 0, 0, refuse | enosys},
		{"clone3, key", filterArch, unix.SYS_CLONE3, 0, key, allow},
		{"unshare files", filterArch, unix.SYS_UNSHARE, unix.CLONE_FILES, 0, allow},
		{"unshare time", filterArch, unix.SYS_UNSHARE, unix.CLONE_NEWTIME, 0, refuse | eperm},
		{"personality", filterArch, unix.SYS_PERSONALITY, 0xffffffff, 0, allow},
		{"personality, fixed addresses", filterArch, unix.SYS_PERSONALITY, 0x40000, 0, refuse | eperm},
		{"another processor", filterArch + 1, unix.SYS_READ, 0, key, refuse | enosys},
		{"x32", filterArch, 0x40000000 + unix.SYS_READ, 0, key, refuse | enosys},
	} {
		if got := play32(f, [16]uint32{
			tt.number, tt.arch, 0, 0, uint32(tt.first), uint32(tt.first >> 32), 14: uint32(tt.sixth), 15: uint32(tt.sixth >> 32),
		}); got != tt.want {
			t.Errorf("%s: got %#x, want %#x", tt.name, got, tt.want)
		}
	}
}

// play32 returns what a filter says to data.
func play32(f []instruction, data [16]uint32) uint32 {
	a := uint32(0)
	for at := 0; ; at++ {
		i := f[at]
		yes := false
		switch i.code {
		case bpfLoad:
			a = data[i.k/4]
			continue
		case bpfReturn:
			return i.k
		case bpfEqual:
			yes = a == i.k
		case bpfAbove:
			yes = a > i.k
		case bpfSet:
			yes = a&i.k != 0
		}
		if yes {
			at += int(i.jt)
		} else {
			at += int(i.jf)
		}
	}
}

//go:build !portable

package sandbox

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

// TestProcessesOfOthersAreNotCounted checks that a limit of processes is one of
// users only where a command's user has no processes but the command's.
func TestProcessesOfOthersAreNotCounted(t *testing.T) {
	for kind, want := range map[kind]bool{rootMode: true, userMode: true, plain: false} {
		_, limits := (&means{kind: kind}).limits("a", exec.Limits{PIDs: 20})
		if got := slices.ContainsFunc(limits, func(l cage.Rlimit) bool { return l.Resource == unix.RLIMIT_NPROC }); got != want {
			t.Errorf("kind %v: RLIMIT_NPROC is set: %t, want %t", kind, got, want)
		}
	}
}

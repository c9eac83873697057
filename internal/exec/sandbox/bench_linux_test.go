//go:build !portable

package sandbox_test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"fairlead/internal/exec"
)

// BenchmarkSandboxTrue runs /bin/true in a cage, and as a control in the same
// namespaces without anything else.
func BenchmarkSandboxTrue(b *testing.B) {
	b.Run("raw clone", func(b *testing.B) {
		for b.Loop() {
			attr := &syscall.ProcAttr{Sys: &syscall.SysProcAttr{
				Setsid:     true,
				Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
			}}
			pid, err := syscall.ForkExec("/bin/true", []string{"true"}, attr)
			if err != nil {
				b.Skipf("namespaces are not permitted: %v", err)
			}
			if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, limits := range map[string]exec.Limits{
		"sandbox":             {},
		"sandbox with limits": {Memory: 1 << 30, CPUs: 1, PIDs: 100, Files: 1000},
	} {
		b.Run(name, func(b *testing.B) {
			d := newDriver(b, b.TempDir())
			log := filepath.Join(b.TempDir(), "log")
			if _, err := d.Probe(b.Context()); err != nil {
				b.Fatal(err)
			}
			i := 0
			for b.Loop() {
				i++
				spec := exec.Spec{ID: fmt.Sprint("a", i), Argv: []string{"/bin/true"}, Log: log, Limits: limits}
				x, err := d.Run(b.Context(), spec, "", nil)
				if err != nil || x.Code != 0 {
					b.Fatalf("got %+v, %v", x, err)
				}
			}
		})
	}
}

//go:build !portable

package sandbox_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fairlead/internal/ebb"
	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

// BenchmarkSandboxTrue runs /bin/true in a cage, and as a control in the same
// namespaces without anything else; one after another, and 8 at once. cpu-ms/op is the
// processor time of all processes that take part, the keeper among them, to a
// clock tick.
func BenchmarkSandboxTrue(b *testing.B) {
	if err := ebb.Watcher(200 * time.Microsecond); err != nil { // as a server does
		b.Log(err)
	}
	for _, workers := range []int{1, 8} {
		b.Run(fmt.Sprintf("raw clone/%d at once", workers), func(b *testing.B) {
			measure(b, workers, func() time.Duration { return 0 }, func(int64) error {
				attr := &syscall.ProcAttr{Sys: &syscall.SysProcAttr{
					Setsid:     true,
					Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
				}}
				pid, err := syscall.ForkExec("/bin/true", []string{"true"}, attr)
				if err != nil {
					return err
				}
				_, err = syscall.Wait4(pid, nil, 0, nil)
				return err
			})
		})
		for _, with := range []struct {
			name   string
			limits exec.Limits
		}{
			{"sandbox", exec.Limits{}},
			{"sandbox with limits", exec.Limits{Memory: 1 << 30, CPUs: 1, PIDs: 100, Files: 1000}},
		} {
			b.Run(fmt.Sprintf("%s/%d at once", with.name, workers), func(b *testing.B) {
				root, log := b.TempDir(), filepath.Join(b.TempDir(), "log")
				d := newDriver(b, root)
				run := func(i int64) error {
					spec := exec.Spec{ID: fmt.Sprint("a", i), Argv: []string{"/bin/true"}, Log: log, Limits: with.limits}
					x, err := d.Run(b.Context(), spec, "", nil)
					if err != nil || x.Code != 0 {
						return fmt.Errorf("got %+v, %w", x, err)
					}
					return d.Forget(spec.ID)
				}
				if err := run(0); err != nil { // starts the keeper
					b.Fatal(err)
				}
				measure(b, workers, func() time.Duration { return keeperTime(b, root) }, run)
			})
		}
	}
}

// measure has workers share b.N calls.
func measure(b *testing.B, workers int, other func() time.Duration, call func(i int64) error) {
	before := ownTime(b) + other()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := call(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(ownTime(b)+other()-before)/1e6/float64(b.N), "cpu-ms/op")
}

// ownTime is what this process and its collected children used.
func ownTime(b *testing.B) (sum time.Duration) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var ru unix.Rusage
		if err := unix.Getrusage(who, &ru); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	return sum
}

// keeperTime is what the keeper and its collected children used.
func keeperTime(b *testing.B, root string) (sum time.Duration) {
	text, err := os.ReadFile(filepath.Join(root, cage.KeeperFile))
	if err != nil {
		b.Fatal(err)
	}
	var k cage.Keeper
	if err := json.Unmarshal(text, &k); err != nil {
		b.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", k.PID))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		var ticks int64
		if _, err := fmt.Sscan(f, &ticks); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(ticks) * (time.Second / 100)
	}
	return sum
}

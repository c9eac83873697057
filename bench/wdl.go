package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// scatterOf is a document with as many tasks as its input says, that do
// nothing.
const scatterOf = `version 1.1
task t {
  input { Int i }
  command <<< true >>>
  output { Int o = i + 1 }
}
workflow s {
  input { Int n }
  scatter (i in range(n)) { call t { input: i = i } }
  output { Int many = length(t.o) }
}
`

// wdl measures scatters of tasks that do nothing, without a server, beside
// shells that are started one after the other.
func (b *bench) wdl() error {
	file := filepath.Join(b.dir, "scatter.wdl")
	if err := os.WriteFile(file, []byte(scatterOf), 0o600); err != nil {
		return err
	}
	// What the program leaves behind when it ends, the keeper of its tasks, is
	// ours then: so its time counts, too.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	check, err := rounds(b.rounds*4, func() (float64, error) {
		wall, _, err := spent(exec.Command(b.binary, "check", file))
		return wall, err
	})
	if err != nil {
		return err
	}
	b.table.add(row{part: "wdl", what: "check of a small document, from start to end", value: fmt.Sprintf("%.0f ms", check), aim: "≤ 50 ms", met: check <= 50})
	const few, many = 100, 10_000
	var shell []float64
	cpu := map[int]float64{}
	for _, n := range []int{few, 1000, many} {
		times := b.rounds
		if n == many {
			times = 1
		}
		var walls, cpus []float64
		for range times {
			wall, used, err := spent(exec.Command(b.binary, "run", file, "-i", fmt.Sprintf(`{"s.n": %d}`, n), "--outputs", os.DevNull))
			if err != nil {
				return err
			}
			walls, cpus = append(walls, wall/float64(n)), append(cpus, used/float64(n))
			_, one, err := spent(exec.Command("/bin/bash", "-c", "for i in {1..100}; do bash -c true; done"))
			if err != nil {
				return err
			}
			shell = append(shell, one/100)
		}
		cpu[n] = median(cpus)
		r := row{part: "wdl", what: fmt.Sprintf("scatter of %d tasks that do nothing, per task: wall, processor time", n),
			value:   fmt.Sprintf("%.2f ms, %.2f ms", median(walls), cpu[n]),
			control: fmt.Sprintf("bash -c true from a shell %.2f ms of processor time", median(shell))}
		if n == many {
			r.aim, r.met = "≤ 3.2 ms, a quarter of miniwdl's", cpu[n] <= 3.2
		}
		b.table.add(r)
	}
	ratio := cpu[many] / cpu[1000]
	b.table.add(row{part: "wdl", what: "processor time per task, 10,000 beside 1,000", value: fmt.Sprintf("%.2f x", ratio), aim: "≤ 1.1 x", met: ratio <= 1.1})
	return nil
}

// spent runs a program to its end, and what it has started too, and returns
// the milliseconds until its own end, and those of processors of all of them.
func spent(cmd *exec.Cmd) (wall, cpu float64, err error) {
	before, err := childTime()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w\n%s", cmd.Args[0], err, out)
	}
	wall = ms(time.Since(began))
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); errors.Is(err, syscall.ECHILD) {
			break
		} else if err != nil && !errors.Is(err, syscall.EINTR) {
			return 0, 0, err
		}
	}
	after, err := childTime()
	return wall, ms(after - before), err
}

// childTime is the processor time of all children that have been waited for,
// and of theirs.
func childTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

package cage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// groups are the control groups of one attempt, by descriptors, since their
// files cannot be reached by name from inside the cage.
type groups struct {
	specs   []Group
	parents []int
	dirs    []int
}

// openGroups opens the parents. It is called before the view is built.
func openGroups(specs []Group) (*groups, error) {
	g := &groups{specs: specs}
	for _, s := range specs {
		fd, err := syscall.Open(s.Parent, oPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: s.Parent, Err: err}
		}
		g.parents = append(g.parents, fd)
	}
	return g, nil
}

// make makes the groups with their limits.
func (g *groups) make() error {
	for i, s := range g.specs {
		if err := syscall.Mkdirat(g.parents[i], s.Name, 0o755); err != nil && err != syscall.EEXIST {
			return fmt.Errorf("make control group %s in %s: %w", s.Name, s.Parent, err)
		}
		fd, err := syscall.Openat(g.parents[i], s.Name, oPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open control group %s in %s: %w", s.Name, s.Parent, err)
		}
		g.dirs = append(g.dirs, fd)
		if err := apply(fd, s.Set); err != nil {
			return fmt.Errorf("control group %s in %s: %w", s.Name, s.Parent, err)
		}
	}
	return nil
}

// enter puts the calling thread in the groups of version 1, so that what it
// forks is born there, and returns the descriptor of the group of version 2
// to fork into, or -1. A thread moves much faster than a process: the kernel
// need not hold up every fork and exit of the machine.
func (g *groups) enter() (v2 int, err error) {
	v2 = -1
	for i, s := range g.specs {
		if s.V2 {
			v2 = g.dirs[i]
			continue
		}
		if err := writeAt(g.dirs[i], "tasks", "0"); err != nil {
			return -1, fmt.Errorf("enter control group %s in %s: %w", s.Name, s.Parent, err)
		}
	}
	return v2, nil
}

// settle applies what waits until the command is in.
func (g *groups) settle() {
	for i, s := range g.specs {
		_ = apply(g.dirs[i], s.Late) // Set holds the limit already, one too wide
	}
}

// use returns how often the kernel killed for want of memory, and the most
// bytes used at any time, zero when unknown.
func (g *groups) use() (kills, peak int64) {
	for i, s := range g.specs {
		if i >= len(g.dirs) {
			break
		}
		if s.Events != "" {
			for line := range strings.Lines(readAt(g.dirs[i], s.Events)) {
				if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
					kills, _ = strconv.ParseInt(strings.TrimSpace(n), 10, 64)
				}
			}
		}
		if s.Peak != "" {
			peak, _ = strconv.ParseInt(strings.TrimSpace(readAt(g.dirs[i], s.Peak)), 10, 64)
		}
	}
	return kills, peak
}

// remove removes the groups; nothing may be left in them.
func (g *groups) remove() {
	for i := range g.dirs {
		// A dead process counts until the processor it died on has turned to
		// another. What stays for longer is removed with the attempt.
		for range 50 {
			if err := rmdirat(g.parents[i], g.specs[i].Name); err != syscall.EBUSY {
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
}

func apply(dir int, settings []Setting) error {
	for _, s := range settings {
		if err := writeAt(dir, s.File, s.Value); err != nil && !s.Optional {
			return fmt.Errorf("set %s to %s: %w", s.File, s.Value, err)
		}
	}
	return nil
}

func writeAt(dir int, name, value string) error {
	fd, err := syscall.Openat(dir, name, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	_, err = syscall.Write(fd, []byte(value))
	return err
}

// readAt returns the beginning of a file, empty if it cannot be read.
func readAt(dir int, name string) string {
	fd, err := syscall.Openat(dir, name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer syscall.Close(fd)
	buf := make([]byte, 4096)
	n, err := syscall.Read(fd, buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

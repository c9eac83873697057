package cage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// groups are the control groups of one attempt, by descriptors.
type groups struct {
	specs   []Group
	parents []int
	dirs    []int
}

// openGroups opens the parents.
func openGroups(specs []Group) (*groups, error) {
	g := &groups{specs: specs}
	for _, s := range specs {
		fd, err := syscall.Open(s.Parent, oPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		if err != nil {
			g.remove()
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

// enter has the command enter the groups, by descriptors that it returns. The
// command enters those of version 1 as its first act: a thread moves much faster
// than a process, for which the kernel holds up every fork and exit of the
// machine. In that of version 2 it is born.
func (g *groups) enter(s *script) (fds []int, err error) {
	for i, spec := range g.specs {
		if spec.V2 {
			s.group = int(s.file(g.dirs[i]))
			continue
		}
		fd, err := syscall.Openat(g.dirs[i], "tasks", syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return fds, fmt.Errorf("open control group %s in %s: %w", spec.Name, spec.Parent, err)
		}
		fds = append(fds, fd)
		s.addTo(&s.command, "enter control group "+spec.Name+" in "+spec.Parent, syscall.SYS_WRITE, s.file(fd), s.text("0"), 1)
	}
	return fds, nil
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
	defer func() {
		for _, fd := range append(g.parents, g.dirs...) {
			syscall.Close(fd)
		}
	}()
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

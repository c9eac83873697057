package cage

import (
	"io"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// lookAtDisk is how often it is measured what an attempt uses, or less often:
	// measuring may take a twentieth of the time.
	lookAtDisk = time.Second
	diskShare  = 20
	// maxDepth bounds the directories in each other that are measured. What is
	// deeper could hide anything and counts as too much.
	maxDepth = 200
)

// watchDisk measures the directories of an attempt, and the files without a name
// that its processes hold open, until stop is called, and closes full, and calls
// tell, when they hold more than limit bytes. With a limit of zero it does nothing. What no process
// has a descriptor of, such as a file that is mapped alone, is not seen.
func watchDisk(dir string, limit int64, who kin, tell func()) (full <-chan struct{}, stop func()) {
	if limit <= 0 {
		return nil, func() {}
	}
	over, end := make(chan struct{}), make(chan struct{})
	go func() { // ends when stop is called
		timer := time.NewTimer(lookAtDisk)
		defer timer.Stop()
		for {
			select {
			case <-end:
				return
			case <-timer.C:
			}
			began := time.Now()
			m := measure{limit: limit, seen: map[uint64]bool{}, end: end}
			// In this order no file counts twice: what loses its name meanwhile is
			// seen the next time.
			m.held(path.Join(dir, WorkDir), who)
			for _, sub := range []string{WorkDir, TempDir} {
				if m.sum <= limit {
					m.add(path.Join(dir, sub))
				}
			}
			if m.sum > limit {
				close(over)
				tell()
				return
			}
			timer.Reset(max(lookAtDisk, diskShare*time.Since(began)))
		}
	}()
	return over, sync.OnceFunc(func() { close(end) })
}

// A measure adds up what files take.
type measure struct {
	sum, limit int64
	seen       map[uint64]bool // files with several names, or none
	end        <-chan struct{}
}

func (m *measure) add(dir string) {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	m.walk(os.NewFile(uintptr(fd), dir), 0)
}

// walk adds what is in a directory, which it closes. It goes by descriptors and
// follows no link, since the command may change everything meanwhile.
func (m *measure) walk(dir *os.File, depth int) {
	defer dir.Close()
	if depth == maxDepth {
		m.sum = m.limit + 1
		return
	}
	for m.sum <= m.limit {
		select {
		case <-m.end:
			return
		default:
		}
		entries, err := dir.ReadDir(100)
		for _, e := range entries {
			fi, err := os.Lstat(path.Join("/proc/self/fd", strconv.Itoa(int(dir.Fd())), e.Name()))
			if err != nil {
				continue // it is gone
			}
			st, ok := fi.Sys().(*syscall.Stat_t)
			if !ok {
				continue
			}
			if !fi.IsDir() && (m.seen[st.Ino] || st.Nlink > 1) {
				if m.seen[st.Ino] {
					continue
				}
				m.seen[st.Ino] = true
			}
			m.sum += st.Blocks * 512
			if !fi.IsDir() {
				continue
			}
			fd, err := syscall.Openat(int(dir.Fd()), e.Name(), syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
			if err == nil {
				m.walk(os.NewFile(uintptr(fd), e.Name()), depth+1)
			}
		}
		if err != nil && err != io.EOF || len(entries) == 0 {
			return
		}
	}
}

// A kin is how the processes of an attempt are found, and by whom.
type kin struct {
	first    int // their process 1; zero: they are all that are seen but this one
	forked   int // the command, where it does not descend from that; else zero
	uid, gid int // whose descriptors they are, where this process has no right to look; else zero
}

// held adds what files take that have no name any more, are in the file system of
// dir and held open.
func (m *measure) held(dir string, who kin) {
	var at syscall.Stat_t
	if err := syscall.Stat(dir, &at); err != nil {
		return
	}
	if who.uid != 0 {
		runtime.LockOSThread() // rights are those of a thread
		defer runtime.UnlockOSThread()
		_, _ = syscall.Setfsgid(who.gid), syscall.Setfsuid(who.uid)
		defer func() { _, _ = syscall.Setfsuid(0), syscall.Setfsgid(0) }()
	}
	who.each(func(pid string) bool {
		fds := path.Join("/proc", pid, "fd")
		names(fds, func(fd string) bool {
			var st syscall.Stat_t
			err := syscall.Stat(path.Join(fds, fd), &st)
			if err == nil && st.Nlink == 0 && st.Mode&syscall.S_IFMT == syscall.S_IFREG && st.Dev == at.Dev && !m.seen[st.Ino] {
				m.seen[st.Ino] = true
				m.sum += st.Blocks * 512
			}
			return m.goesOn()
		})
		return m.goesOn()
	})
}

func (m *measure) goesOn() bool {
	select {
	case <-m.end:
		return false
	default:
		return m.sum <= m.limit
	}
}

// each visits processes, by their numbers, until visit returns false.
func (k kin) each(visit func(pid string) bool) {
	if k.first == 0 {
		self := strconv.Itoa(os.Getpid())
		names("/proc", func(name string) bool {
			_, err := strconv.Atoi(name)
			return err != nil || name == self || visit(name)
		})
		return
	}
	found := []string{strconv.Itoa(k.first)}
	if k.forked != 0 {
		found = append(found, strconv.Itoa(k.forked))
	}
	for len(found) > 0 {
		pid := found[len(found)-1]
		found = found[:len(found)-1]
		if !visit(pid) {
			return
		}
		tasks := path.Join("/proc", pid, "task")
		names(tasks, func(task string) bool {
			children, _ := os.ReadFile(path.Join(tasks, task, "children")) // it may have ended
			found = append(found, strings.Fields(string(children))...)
			return true
		})
	}
}

// names visits what is in a directory until visit returns false.
func names(dir string, visit func(name string) bool) {
	f, err := os.Open(dir)
	if err != nil {
		return // it is gone
	}
	defer f.Close()
	for {
		list, err := f.Readdirnames(100)
		for _, name := range list {
			if !visit(name) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

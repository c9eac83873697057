package cage

import (
	"io"
	"os"
	"path"
	"strconv"
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

// watchDisk measures the directories of an attempt until stop is called, and
// closes full when they hold more than limit bytes. With a limit of zero it
// does nothing. Files that are held open and have no name any more are not seen.
func watchDisk(dir string, limit int64) (full <-chan struct{}, stop func()) {
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
			if m.add(path.Join(dir, WorkDir)); m.sum <= limit {
				m.add(path.Join(dir, TempDir))
			}
			if m.sum > limit {
				close(over)
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
	seen       map[uint64]bool // files with several names
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
			if !fi.IsDir() && st.Nlink > 1 {
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

package wdl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

// A digests knows what is in files of a run, each of which is read once however
// many calls take it. It may be used by several goroutines.
type digests struct {
	slots chan struct{} // one for each file that is read at once

	mu    sync.Mutex
	known map[fileID]*digest
}

// A fileID tells a file, as it is, from all others.
type fileID struct {
	dev, ino    uint64
	size, mtime int64
}

// A digest is that of one file, once done is closed.
type digest struct {
	done chan struct{}
	sum  string
	err  error
}

// maxDigests bounds how many files of a run are remembered. Those that are
// forgotten are read again.
const maxDigests = 1 << 17

func newDigests() *digests {
	return &digests{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), known: map[fileID]*digest{}}
}

// file returns the digest of a regular file.
func (d *digests) file(ctx context.Context, name string) (string, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file", name)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return d.read(ctx, name)
	}
	id := fileID{uint64(st.Dev), st.Ino, info.Size(), info.ModTime().UnixNano()} //nolint:unconvert // other systems have 32 bits
	for {
		d.mu.Lock()
		have := d.known[id]
		if have == nil {
			break
		}
		d.mu.Unlock()
		select {
		case <-have.done:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		if have.err == nil {
			return have.sum, nil
		}
		if err := ctx.Err(); err != nil {
			return "", err
		}
		// Whoever read it may have been stopped.
	}
	if len(d.known) >= maxDigests {
		clear(d.known)
	}
	mine := &digest{done: make(chan struct{})}
	d.known[id] = mine
	d.mu.Unlock()
	mine.sum, mine.err = d.read(ctx, name)
	if mine.err != nil {
		d.mu.Lock()
		if d.known[id] == mine {
			delete(d.known, id)
		}
		d.mu.Unlock()
	}
	close(mine.done)
	return mine.sum, mine.err
}

// read reads a file when there is a slot.
func (d *digests) read(ctx context.Context, name string) (string, error) {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		n, err := f.Read(buf)
		_, _ = h.Write(buf[:n]) // never fails
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
}

// path returns a text that says what a file or directory is: its name without
// the directories around it, and all that is in it. Links within a directory
// do not count, as nowhere.
func (d *digests) path(ctx context.Context, p Path) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(p.Name, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.Name, name)
		if err != nil || !e.IsDir() && !e.Type().IsRegular() {
			return err
		}
		sum, executable := "directory", false
		if !e.IsDir() {
			info, err := e.Info()
			if err != nil {
				return err
			}
			executable = info.Mode()&0o111 != 0
			if sum, err = d.file(ctx, name); err != nil {
				return err
			}
		}
		fmt.Fprintf(h, "%q %s %t\n", rel, sum, executable)
		return nil
	})
	return fmt.Sprintf("%s %x", filepath.Base(p.Name), h.Sum(nil)), err
}

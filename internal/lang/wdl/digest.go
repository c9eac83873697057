package wdl

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
	content
	err error
}

// A content is what is in a file.
type content struct {
	sum string
	// names are the places of the run's directory that it names; see [namesIn].
	names []string
}

// maxDigests bounds how many files of a run are remembered. Those that are
// forgotten are read again.
const maxDigests = 1 << 17

func newDigests() *digests {
	return &digests{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), known: map[fileID]*digest{}}
}

// file returns what is in a regular file.
func (d *digests) file(ctx context.Context, name string) (content, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return content{}, err
	}
	if !info.Mode().IsRegular() {
		return content{}, fmt.Errorf("%s is no file", name)
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
			return content{}, context.Cause(ctx)
		}
		if have.err == nil {
			return have.content, nil
		}
		if err := ctx.Err(); err != nil {
			return content{}, err
		}
		// Whoever read it may have been stopped.
	}
	if len(d.known) >= maxDigests {
		clear(d.known)
	}
	mine := &digest{done: make(chan struct{})}
	d.known[id] = mine
	d.mu.Unlock()
	mine.content, mine.err = d.read(ctx, name)
	if mine.err != nil {
		d.mu.Lock()
		if d.known[id] == mine {
			delete(d.known, id)
		}
		d.mu.Unlock()
	}
	close(mine.done)
	return mine.content, mine.err
}

// read reads a file when there is a slot.
func (d *digests) read(ctx context.Context, name string) (content, error) {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return content{}, context.Cause(ctx)
	}
	f, err := os.Open(name)
	if err != nil {
		return content{}, err
	}
	defer f.Close()
	h := sha256.New()
	names := map[string]bool{}
	buf := make([]byte, 1<<20)
	for kept := 0; ; { // of the last piece: a name may go on in the next
		n, err := f.Read(buf[kept:])
		_, _ = h.Write(buf[kept : kept+n]) // never fails
		n += kept
		if err != nil && err != io.EOF {
			return content{}, err
		}
		namesIn(buf[:n], err == io.EOF, names)
		if err == io.EOF {
			break
		}
		if len(names) > maxNames {
			return content{}, fmt.Errorf("%s names more than %d places in the run's directory", filepath.Base(name), maxNames)
		}
		if ctx.Err() != nil {
			return content{}, context.Cause(ctx)
		}
		kept = copy(buf, buf[max(0, n-longestName):n])
	}
	return content{hex.EncodeToString(h.Sum(nil)), slices.Sorted(maps.Keys(names))}, nil
}

const (
	// maxNames bounds the places that a file may name.
	maxNames = 100_000
	// longestName bounds what is read of a name, in bytes.
	longestName = 256
)

// namesIn adds the places in the run's directory that a text names, by their
// first two parts, "work/CALL" or "inputs/DIGEST": whatever follows, it is of
// that call, or that input. One that goes on at the end of the text counts if there
// is no more.
func namesIn(text []byte, last bool, names map[string]bool) {
	for {
		i := bytes.Index(text, []byte(RunDir+"/"))
		if i < 0 {
			return
		}
		text = text[i+len(RunDir)+1:]
		end, slashes := 0, 0
		for ; end < min(len(text), longestName-len(RunDir)-1); end++ {
			c := text[end]
			if c == '/' {
				if slashes++; slashes == 2 {
					break
				}
			} else if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' {
				break
			}
		}
		if whole := last || end < len(text); whole && slashes > 0 && text[end-1] != '/' {
			names[string(text[:end])] = true
		}
	}
}

// path returns a text that says what a file or directory is: its name without
// the directories around it, and all that is in it; and the places of the run's
// directory that are named there. Links within a directory do not count, as
// nowhere.
func (d *digests) path(ctx context.Context, p Path) (told string, names []string, err error) {
	h := sha256.New()
	err = filepath.WalkDir(p.Name, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.Name, name)
		if err != nil || !e.IsDir() && !e.Type().IsRegular() {
			return err
		}
		is, executable := content{sum: "directory"}, false
		if !e.IsDir() {
			info, err := e.Info()
			if err != nil {
				return err
			}
			executable = info.Mode()&0o111 != 0
			if is, err = d.file(ctx, name); err != nil {
				return err
			}
		}
		names = append(names, is.names...)
		fmt.Fprintf(h, "%q %s %t\n", rel, is.sum, executable)
		return nil
	})
	return fmt.Sprintf("%s %x", filepath.Base(p.Name), h.Sum(nil)), names, err
}

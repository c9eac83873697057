// Package file keeps contents in files of one directory. It makes up their
// names, and knows neither buckets nor keys: whoever asks for a file to be
// kept remembers its name, and a file that nobody remembers is swept away.
package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"fairlead/internal/disk"
	"fairlead/internal/flow"
	"golang.org/x/sys/unix"
)

// A Dir is a directory of contents. One process at a time has it open.
//
//	<dir>/lock          held while the directory is open
//	<dir>/owner         whose contents these are
//	<dir>/tmp/          contents that are arriving
//	<dir>/<xx>/<id>     contents; xx are the last two characters of the id
type Dir struct {
	root string
	lock *os.File
	// boot begins every id made by this Dir, so that a sweep can tell its
	// own files, which may not be remembered yet, from older ones.
	boot string
	n    atomic.Uint64
}

// Open takes the directory, making it if need be. What had not arrived whole
// when it was last in use is removed. The error is flow.Busy when another
// process has it open.
func Open(root string) (*Dir, error) {
	if err := os.MkdirAll(filepath.Join(root, "tmp"), 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(root, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, flow.Errorf(flow.Busy, "%s is in use by another process", root)
	}
	d := &Dir{root: root, lock: lock, boot: strings.ToLower(rand.Text()[:10])}
	if err := d.prepare(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("prepare %s: %w", root, err)
	}
	return d, nil
}

func (d *Dir) prepare() error {
	left, err := os.ReadDir(filepath.Join(d.root, "tmp"))
	if err != nil {
		return err
	}
	for _, e := range left {
		if err := os.Remove(filepath.Join(d.root, "tmp", e.Name())); err != nil {
			return err
		}
	}
	for i := range 256 {
		if err := os.Mkdir(filepath.Join(d.root, fmt.Sprintf("%02x", i)), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return syncDir(d.root)
}

// Close gives the directory up. Files that are open stay readable.
func (d *Dir) Close() error { return d.lock.Close() }

// Write keeps what r yields and returns its id and size. When it returns
// without an error the bytes are on disk. An error of r is returned as it is,
// and nothing is kept. On a full disk the error is flow.Busy and says so.
func (d *Dir) Write(ctx context.Context, r io.Reader) (id string, size int64, err error) {
	id = d.newID()
	tmp := filepath.Join(d.root, "tmp", id)
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, disk.Explain(d.root, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(tmp)
		}
		err = disk.Explain(d.root, err)
	}()
	size, err = io.CopyBuffer(onlyWriter{f}, &ctxReader{ctx, r}, make([]byte, 128<<10))
	if err != nil {
		return "", 0, err
	}
	if err = f.Sync(); err != nil {
		return "", 0, err
	}
	if err = f.Close(); err != nil {
		return "", 0, err
	}
	if err = os.Rename(tmp, d.path(id)); err != nil {
		return "", 0, err
	}
	return id, size, syncDir(filepath.Dir(d.path(id)))
}

// Link keeps the content of id once more, under a new id, without copying
// it. The error is fs.ErrNotExist when id is not kept.
func (d *Dir) Link(id string) (_ string, err error) {
	defer func() { err = disk.Explain(d.root, err) }()
	if !valid(id) {
		return "", fs.ErrNotExist
	}
	fresh := d.newID()
	if err := os.Link(d.path(id), d.path(fresh)); err != nil {
		return "", err
	}
	return fresh, syncDir(filepath.Dir(d.path(fresh)))
}

// Open opens a content for reading. The error is fs.ErrNotExist when id is
// not kept.
func (d *Dir) Open(id string) (*os.File, error) {
	if !valid(id) {
		return nil, fs.ErrNotExist
	}
	return os.Open(d.path(id))
}

// Remove lets a content go; it is not an error if it is gone already. Whoever
// is reading it goes on.
func (d *Dir) Remove(id string) error {
	if !valid(id) {
		return nil
	}
	if err := os.Remove(d.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Claim says whose contents these are: rows of which database name them. The
// first claim is kept; another is a flow.Conflict, and then a Sweep, which
// goes by those rows, would remove what belongs to somebody else.
func (d *Dir) Claim(owner string) error {
	path := filepath.Join(d.root, "owner")
	data, err := os.ReadFile(path)
	if err == nil {
		if string(data) != owner {
			return flow.Errorf(flow.Conflict, "the contents in %s belong to another database", d.root)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp := filepath.Join(d.root, "tmp", "owner")
	if err := os.WriteFile(tmp, []byte(owner), 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(d.root)
}

// Sweep removes the contents that an earlier process left and that nobody
// remembers: held returns those of ids that are remembered. It may run beside
// all other methods. Make sure by [Dir.Claim] that held knows of these
// contents at all.
func (d *Dir) Sweep(ctx context.Context, held func(ctx context.Context, ids []string) ([]string, error)) (removed int, err error) {
	for i := range 256 {
		entries, err := os.ReadDir(filepath.Join(d.root, fmt.Sprintf("%02x", i)))
		if err != nil {
			return removed, err
		}
		var ids []string
		for j, e := range entries {
			if valid(e.Name()) && !strings.HasPrefix(e.Name(), d.boot) {
				ids = append(ids, e.Name())
			}
			if len(ids) < 500 && j < len(entries)-1 || len(ids) == 0 {
				continue
			}
			keep, err := held(ctx, ids)
			if err != nil {
				return removed, err
			}
			kept := map[string]bool{}
			for _, id := range keep {
				kept[id] = true
			}
			for _, id := range ids {
				if kept[id] {
					continue
				}
				if err := d.Remove(id); err != nil {
					return removed, err
				}
				removed++
			}
			ids = ids[:0]
		}
	}
	return removed, nil
}

func (d *Dir) newID() string { return fmt.Sprintf("%s%014x", d.boot, d.n.Add(1)) }

func (d *Dir) path(id string) string { return filepath.Join(d.root, id[len(id)-2:], id) }

// valid reports whether id has the form of newID's.
func valid(id string) bool {
	if len(id) != 24 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		hex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
		if !hex && (i >= 10 || c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// onlyWriter hides File.ReadFrom, which would take the copy out of our hands
// and with it the look at the context.
type onlyWriter struct{ io.Writer }

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Package code keeps code packages: for each, a snapshot of the bytes as
// they were when a version was made, and their contents laid out for tasks to
// read. It knows archives and bounds, not what the code does.
package code

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"fairlead/internal/disk"
	"fairlead/internal/flow"
)

// Source is where packages are copied from.
type Source interface {
	Open(ctx context.Context, bucket, key, version string) (body io.ReadCloser, size int64, read string, err error)
}

// Limits bound a package. The service's are 250 MB each way.
type Limits struct {
	Packed   int64 // bytes of the object
	Unpacked int64 // bytes of all files together
	Files    int
}

// DefaultLimits are those of the service, and a bound on the number of files
// that it does not publish.
func DefaultLimits() Limits { return Limits{Packed: 250 << 20, Unpacked: 250 << 20, Files: 50_000} }

// A Shelf keeps packages below a directory. It may be used by many
// goroutines.
type Shelf struct {
	dir    string
	limits Limits
	mu     sync.Mutex // one unpacking at a time
}

// New returns a shelf below dir, which is made if missing.
func New(dir string, limits Limits) (*Shelf, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// What a crash left half done.
	for _, pattern := range []string{"incoming-*", "unpacking-*"} {
		left, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is good
		for _, path := range left {
			if err := os.RemoveAll(path); err != nil {
				return nil, err
			}
		}
	}
	return &Shelf{dir: dir, limits: limits}, nil
}

// Snapshot copies an object and returns the key of the copy. Errors about
// the object are flow.Invalid or flow.NotFound. The copy is on disk when it
// returns.
func (s *Shelf) Snapshot(ctx context.Context, src Source, bucket, key, version string) (_ string, err error) {
	defer func() { err = disk.Explain(s.dir, err) }()
	name := path.Base(key)
	switch strings.ToLower(path.Ext(name)) {
	case ".py", ".sh", ".zip":
	default:
		return "", flow.Errorf(flow.Invalid, "code package s3://%s/%s: expected a .py, .sh or .zip object", bucket, key)
	}
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\x00\\") {
		return "", flow.Errorf(flow.Invalid, "code package s3://%s/%s: %q cannot be a file name", bucket, key, name)
	}
	body, size, _, err := src.Open(ctx, bucket, key, version)
	if err != nil {
		return "", err
	}
	defer body.Close()
	if size > s.limits.Packed {
		return "", flow.Errorf(flow.Invalid, "code package s3://%s/%s has %d bytes; at most %d are allowed", bucket, key, size, s.limits.Packed)
	}
	tmp, err := os.CreateTemp(s.dir, "incoming-")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(body, s.limits.Packed+1))
	if err != nil {
		return "", fmt.Errorf("copy code package: %w", err)
	}
	if n > s.limits.Packed {
		return "", flow.Errorf(flow.Invalid, "code package s3://%s/%s has more than %d bytes", bucket, key, s.limits.Packed)
	}
	if err := tmp.Sync(); err != nil {
		return "", fmt.Errorf("copy code package: %w", err)
	}
	id := hex.EncodeToString(sum.Sum(nil))
	dir := filepath.Join(s.dir, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.Rename(tmp.Name(), filepath.Join(dir, name)); err != nil {
		return "", err
	}
	if err := syncDirs(dir, s.dir); err != nil {
		return "", err
	}
	return id + "/" + name, nil
}

func syncDirs(dirs ...string) error {
	for _, d := range dirs {
		f, err := os.Open(d)
		if err != nil {
			return err
		}
		err = f.Sync()
		f.Close()
		if err != nil {
			return fmt.Errorf("sync %s: %w", d, err)
		}
	}
	return nil
}

// Unpacked returns the directory with the contents of the package that key
// names, unpacking it the first time. A package that cannot be unpacked is a
// flow.Invalid error.
func (s *Shelf) Unpacked(key string) (_ string, err error) {
	defer func() { err = disk.Explain(s.dir, err) }()
	id, name, ok := strings.Cut(key, "/")
	if !ok || !fs.ValidPath(key) {
		return "", fmt.Errorf("code package %q: malformed key", key)
	}
	packed := filepath.Join(s.dir, id, name)
	// The name is part of the result: the same bytes may come as a.py and b.py.
	sum := sha256.Sum256([]byte(name))
	done := filepath.Join(s.dir, id, "files-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(done); err == nil {
		return done, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(done); err == nil {
		return done, nil // unpacked while we waited
	}
	tmp, err := os.MkdirTemp(s.dir, "unpacking-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	// Tasks may run as another user, and only read.
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if strings.EqualFold(path.Ext(name), ".zip") {
		err = s.unzip(packed, tmp)
	} else {
		err = copyFile(packed, filepath.Join(tmp, name), 0o755)
	}
	if err != nil {
		return "", err
	}
	if err := os.Rename(tmp, done); err != nil {
		return "", err
	}
	return done, nil
}

func (s *Shelf) unzip(packed, into string) error {
	f, err := os.Open(packed)
	if err != nil {
		return fmt.Errorf("code package: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("code package: %w", err)
	}
	list := &directory{file: f, files: s.limits.Files + overcount, bytes: int64(s.limits.Files)*entryBytes + 1<<20}
	z, err := zip.NewReader(list, fi.Size())
	if errors.Is(err, errCrowded) || err == nil && len(z.File) > s.limits.Files {
		return flow.Errorf(flow.Invalid, "The code package could not be extracted: it has too many files, or their names are too long; at most %d files are allowed", s.limits.Files)
	}
	if err != nil {
		return flow.Errorf(flow.Invalid, "The code package could not be extracted: %v", err)
	}
	list.open = true
	root, err := os.OpenRoot(into) // no entry can reach outside
	if err != nil {
		return err
	}
	defer root.Close()
	left := s.limits.Unpacked
	for _, f := range z.File {
		n, err := unzipOne(root, f, left)
		if err != nil {
			return flow.Errorf(flow.Invalid, "The code package could not be extracted: %.200s: %v", f.Name, err)
		}
		if left -= n; left < 0 {
			return flow.Errorf(flow.Invalid, "The code package could not be extracted: its files have more than %d bytes together", s.limits.Unpacked)
		}
	}
	return nil
}

const (
	// entryBytes is what an entry may have in an archive's directory, on the
	// average: its name above all.
	entryBytes = 512
	// overcount is how many entries may be counted twice: the end of an archive is
	// read first, to find its directory.
	overcount = (66 << 10) / leastEntry
	// leastEntry is the size of an entry without a name.
	leastEntry = 46
)

// errCrowded says that an archive's directory is too large.
var errCrowded = errors.New("the archive's directory is too large")

// A directory is an archive whose directory is being read, which package zip does
// to its end, whatever it holds, and keeps. It fails where there are too many
// entries, or bytes.
type directory struct {
	file  io.ReaderAt
	files int   // more entries that may come
	bytes int64 // more bytes that may be read
	tail  []byte
	next  int64 // the byte after tail
	open  bool  // the directory has been read: there is no bound any more
}

// ReadAt implements [io.ReaderAt]. It is not called at once from several
// goroutines.
func (d *directory) ReadAt(p []byte, at int64) (int, error) {
	n, err := d.file.ReadAt(p, at)
	if d.open {
		return n, err
	}
	if at != d.next {
		d.tail = d.tail[:0]
	}
	const begins = "PK\x01\x02" // as each entry does
	d.tail = append(d.tail, p[:n]...)
	d.files -= bytes.Count(d.tail, []byte(begins))
	d.tail = append(d.tail[:0], d.tail[max(0, len(d.tail)-len(begins)+1):]...)
	d.next = at + int64(n)
	if d.bytes -= int64(n); d.bytes < 0 || d.files < 0 {
		return 0, errCrowded
	}
	return n, err
}

// unzipOne writes one entry and returns its size; more than left if it is
// larger than that.
func unzipOne(root *os.Root, f *zip.File, left int64) (int64, error) {
	name := strings.TrimSuffix(f.Name, "/")
	switch {
	case name == "" || !fs.ValidPath(name):
		return 0, errors.New("the path leads outside of the package")
	case len(name) > 1024 || strings.Count(name, "/") > 30:
		return 0, errors.New("the path is too long")
	case f.Mode()&fs.ModeSymlink != 0:
		return 0, errors.New("symbolic links are not allowed")
	case f.FileInfo().IsDir():
		return 0, root.MkdirAll(name, 0o755)
	case !f.Mode().IsRegular():
		return 0, errors.New("only files and directories are allowed")
	}
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return 0, err
		}
	}
	in, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	mode := fs.FileMode(0o644)
	if f.Mode()&0o111 != 0 {
		mode = 0o755
	}
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, left+1))
	return n, errors.Join(err, out.Close())
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("code package: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

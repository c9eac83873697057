// Package logs keeps log streams as files that processes append whole lines
// to, and reads them by position and time. It knows the form of a line well
// enough to find its time, and not what wrote it.
//
// A stream is the file <dir>/<group>/<stream>, with names escaped. The file
// <dir>/<group>/.group says what the group is called; without it there is no
// group. A line that lacks its end is not shown until it has one.
package logs

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fairlead/internal/disk"
	"fairlead/internal/flow"
)

// A Dir holds log groups. Its methods may be called at once from many
// goroutines and processes.
type Dir struct{ root string }

// Open returns the log groups below root, making the directory if need be.
func Open(root string) (*Dir, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	// What DeleteGroup was in the middle of.
	left, err := filepath.Glob(filepath.Join(root, deleted+"*"))
	if err != nil {
		return nil, err
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	return &Dir{root}, nil
}

const (
	deleted  = ".deleted-"
	metaFile = ".group"
	// sidecar begins the name of the file that tells a hashed name.
	sidecar = ".name-"
	// maxName bounds the names of groups and streams, in bytes.
	maxName = 1024
	// maxFile is the longest escaped name that stands for itself.
	maxFile = 200
)

// fileName returns the name of the file or directory for a group or stream,
// and whether the name cannot be read back from it. No file name begins with
// a dot, and only those of hashes begin with a tilde.
func fileName(name string) (file string, hashed bool) {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '=', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() <= maxFile {
		return b.String(), false
	}
	sum := sha256.Sum256([]byte(name))
	return "~" + hex.EncodeToString(sum[:]), true
}

// nameOf undoes fileName where it can.
func nameOf(file string) (string, bool) {
	if file == "" || file[0] == '.' || file[0] == '~' {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(file); i++ {
		if file[i] != '%' {
			b.WriteByte(file[i])
			continue
		}
		if i+2 >= len(file) {
			return "", false
		}
		c, err := hex.DecodeString(file[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String(), true
}

func checkName(what, name string) error {
	if name == "" || len(name) > maxName {
		return flow.Errorf(flow.Invalid, "the name of a log %s has 1 to %d bytes, not %d", what, maxName, len(name))
	}
	return nil
}

func (d *Dir) groupDir(group string) string {
	file, _ := fileName(group)
	return filepath.Join(d.root, file)
}

// meta is what a .group file holds.
type meta struct {
	Name    string
	Created time.Time
	Days    int `json:",omitempty"`
}

// CreateGroup makes a group. The error is flow.Conflict when it exists.
func (d *Dir) CreateGroup(group string) error {
	made, err := d.ensureGroup(group)
	if err == nil && !made {
		return flow.Errorf(flow.Conflict, "the log group %q exists already", group).About("log group", group)
	}
	return err
}

// EnsureGroup makes a group unless it exists.
func (d *Dir) EnsureGroup(group string) error {
	_, err := d.ensureGroup(group)
	return err
}

func (d *Dir) ensureGroup(group string) (made bool, err error) {
	defer func() { err = disk.Explain(d.root, err) }()
	if err := checkName("group", group); err != nil {
		return false, err
	}
	dir := d.groupDir(group)
	if _, err := os.Stat(filepath.Join(dir, metaFile)); err == nil {
		return false, nil
	}
	data, err := json.Marshal(meta{Name: group, Created: time.Now().UTC()})
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	return createWhole(filepath.Join(dir, metaFile), data)
}

// createWhole makes a file that others see with all its content or not at
// all, and reports false if it exists already.
func createWhole(path string, data []byte) (made bool, err error) {
	tmp := filepath.Join(filepath.Dir(path), ".tmp-"+rand.Text())
	defer os.Remove(tmp)
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return false, err
	}
	err = os.Link(tmp, path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// DeleteGroup removes a group and all its streams.
func (d *Dir) DeleteGroup(group string) error {
	if _, err := d.Group(group); err != nil {
		return err
	}
	// Out of sight at once, however long it takes.
	gone := filepath.Join(d.root, deleted+rand.Text())
	if err := os.Rename(d.groupDir(group), gone); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return noGroup(group)
		}
		return err
	}
	return os.RemoveAll(gone)
}

// SetRetention says how many days streams of a group are to be kept after
// they were last written; 0 is for ever. It removes nothing by itself.
func (d *Dir) SetRetention(group string, days int) error {
	g, err := d.Group(group)
	if err != nil {
		return err
	}
	data, err := json.Marshal(meta{Name: g.Name, Created: g.Created, Days: days})
	if err != nil {
		return err
	}
	dir := d.groupDir(group)
	tmp := filepath.Join(dir, ".tmp-"+rand.Text())
	defer os.Remove(tmp)
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return disk.Explain(d.root, err)
	}
	return os.Rename(tmp, filepath.Join(dir, metaFile))
}

// Group returns a group, or a flow.NotFound error about a "log group".
func (d *Dir) Group(group string) (flow.LogGroup, error) {
	if err := checkName("group", group); err != nil {
		return flow.LogGroup{}, err
	}
	return d.readGroup(d.groupDir(group), group)
}

func noGroup(group string) error {
	return flow.Errorf(flow.NotFound, "the log group %q does not exist", group).About("log group", group)
}

func (d *Dir) readGroup(dir, group string) (flow.LogGroup, error) {
	data, err := os.ReadFile(filepath.Join(dir, metaFile))
	if errors.Is(err, fs.ErrNotExist) {
		return flow.LogGroup{}, noGroup(group)
	}
	if err != nil {
		return flow.LogGroup{}, err
	}
	var m meta
	if err := json.Unmarshal(data, &m); err != nil {
		return flow.LogGroup{}, fmt.Errorf("read %s: %w", filepath.Join(dir, metaFile), err)
	}
	return flow.LogGroup{Name: m.Name, Created: m.Created, Bytes: -1, Days: m.Days}, nil
}

// Groups returns the groups whose names begin with prefix, by name.
func (d *Dir) Groups(ctx context.Context, prefix string, p flow.Page) ([]flow.LogGroup, error) {
	entries, err := os.ReadDir(d.root)
	if err != nil {
		return nil, err
	}
	var all []flow.LogGroup
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if name, ok := nameOf(e.Name()); strings.HasPrefix(e.Name(), ".") || ok && (!strings.HasPrefix(name, prefix) || name <= p.After) {
			continue
		}
		g, err := d.readGroup(filepath.Join(d.root, e.Name()), e.Name())
		if flow.KindOf(err) == flow.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(g.Name, prefix) && g.Name > p.After {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b flow.LogGroup) int { return strings.Compare(a.Name, b.Name) })
	return all[:min(len(all), p.Limit)], nil
}

// Path returns the file of a stream, to which processes append lines. Its
// group exists afterwards; the file need not.
func (d *Dir) Path(group, stream string) (string, error) {
	if err := checkName("stream", stream); err != nil {
		return "", err
	}
	if err := d.EnsureGroup(group); err != nil {
		return "", err
	}
	dir := d.groupDir(group)
	file, hashed := fileName(stream)
	if hashed {
		if _, err := createWhole(filepath.Join(dir, sidecar+file[1:]), []byte(stream)); err != nil {
			return "", disk.Explain(d.root, err)
		}
	}
	return filepath.Join(dir, file), nil
}

// CreateStream makes an empty stream in an existing group. The error is
// flow.Conflict when it exists.
func (d *Dir) CreateStream(group, stream string) error {
	if _, err := d.Group(group); err != nil {
		return err
	}
	path, err := d.Path(group, stream)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return flow.Errorf(flow.Conflict, "the log stream %q exists already", stream).About("log stream", stream)
	}
	if err != nil {
		return disk.Explain(d.root, err)
	}
	return f.Close()
}

// DeleteStream removes a stream.
func (d *Dir) DeleteStream(group, stream string) error {
	path, err := d.find(group, stream)
	if err != nil {
		return err
	}
	err = os.Remove(path)
	if file, hashed := fileName(stream); hashed && err == nil {
		err = os.Remove(filepath.Join(d.groupDir(group), sidecar+file[1:]))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return noStream(stream)
	}
	return err
}

// find returns the file of an existing stream's name in an existing group.
func (d *Dir) find(group, stream string) (string, error) {
	if err := checkName("stream", stream); err != nil {
		return "", err
	}
	if _, err := d.Group(group); err != nil {
		return "", err
	}
	file, _ := fileName(stream)
	return filepath.Join(d.groupDir(group), file), nil
}

func noStream(stream string) error {
	return flow.Errorf(flow.NotFound, "the log stream %q does not exist", stream).About("log stream", stream)
}

// Append adds lines to a stream, which is made if need be. A line has no line
// end and is a JSON object with a "timestamp" if it is to have a time of its
// own. The lines arrive together.
func (d *Dir) Append(group, stream string, lines ...[]byte) error {
	path, err := d.Path(group, stream)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, line := range lines {
		if bytes.IndexByte(line, '\n') >= 0 {
			return fmt.Errorf("append to log stream %s: a line has a line end in it", stream)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return disk.Explain(d.root, appendTo(path, b.Bytes()))
}

// Put adds events whose text may be anything, each at its own time, to an
// existing stream. An event longer than a line may be is a flow.Invalid error.
func (d *Dir) Put(group, stream string, events []flow.LogEvent) error {
	path, err := d.find(group, stream)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return noStream(stream)
	}
	var b bytes.Buffer
	for _, e := range events {
		line, err := json.Marshal(wrapped{e.At.UnixMilli(), e.Text})
		if err != nil {
			return err
		}
		if len(line) > maxLine {
			return flow.Errorf(flow.Invalid, "log event too large: %d bytes as JSON exceed the limit of %d", len(line), maxLine)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return disk.Explain(d.root, appendTo(path, b.Bytes()))
}

// A wrapped line carries a text that was put, and its time in milliseconds.
type wrapped struct {
	At   int64  `json:"@t"`
	Text string `json:"@m"`
}

func appendTo(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	// A writer that was killed may have left half a line: ours begins anew.
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size > 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			data = append([]byte{'\n'}, data...)
		}
	}
	_, err = f.Write(data)
	return err
}

// Streams returns the streams of a group that l selects.
func (d *Dir) Streams(ctx context.Context, group string, l flow.LogList) ([]flow.LogStream, error) {
	if _, err := d.Group(group); err != nil {
		return nil, err
	}
	dir := d.groupDir(group)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []flow.LogStream
	for i, e := range entries {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		name, ok := nameOf(e.Name())
		if !ok {
			if e.Name()[0] != '~' {
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, sidecar+e.Name()[1:]))
			if err != nil {
				continue // it is being made or removed
			}
			name = string(data)
		}
		if !strings.HasPrefix(name, l.Prefix) {
			continue
		}
		s := flow.LogStream{Name: name}
		if l.ByTime {
			info, err := e.Info()
			if err != nil {
				continue // it was removed
			}
			s.Written = info.ModTime()
		}
		all = append(all, s)
	}
	sign := 1
	if l.Descending {
		sign = -1
	}
	slices.SortFunc(all, func(a, b flow.LogStream) int {
		if c := a.Written.Compare(b.Written); c != 0 {
			return sign * c
		}
		return sign * strings.Compare(a.Name, b.Name)
	})
	if l.After != "" {
		all = slices.DeleteFunc(all, func(s flow.LogStream) bool { return sign*strings.Compare(l.Key(s), l.After) <= 0 })
	}
	all = all[:min(len(all), l.Limit)]
	for i := range all {
		if err := d.describe(dir, &all[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return all, nil
}

// describe fills in what must be read from the file.
func (d *Dir) describe(dir string, s *flow.LogStream) error {
	file, _ := fileName(s.Name)
	f, err := open(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	defer f.Close()
	s.Bytes, s.Created = f.size, f.modified
	if s.Written.IsZero() {
		s.Written = f.modified
	}
	first, err := f.forward(context.Background(), flow.LogRange{Limit: 1})
	if err != nil || len(first.Events) == 0 {
		return err
	}
	last, err := f.back(context.Background(), flow.LogRange{From: -1, Back: true, Limit: 1})
	if err != nil || len(last.Events) == 0 {
		return err
	}
	s.First, s.Last = first.Events[0].At, last.Events[0].At
	s.Created = s.First
	return nil
}

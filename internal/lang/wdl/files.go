package wdl

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"fairlead/internal/flow"
)

// RunDir is the directory of a run as its expressions and commands know it,
// where the driver can show directories under other names; HealthOmics calls it
// so, too. Elsewhere it has its own name, and this one means the same.
const RunDir = "/mnt/workflow"

// runFiles are the files of a run as its expressions know them: by their absolute
// names, all in the run's directory, or by the names that were given to the
// run. In a task, relative ones are in its working directory. A name is not
// where the file is: Read and the others find that out.
type runFiles struct {
	p    *Performer
	run  flow.Run
	ctx  context.Context //nolint:containedctx // the attempt's: Files has no parameter for it
	dir  string          // of the run, where it is
	seen string          // the same by name: RunDir, or dir
	// task is where what is kept about the attempt of a call is, and work its
	// working directory, both where they are; empty outside of a call.
	task, work string
	ended      bool // the command has
}

// name returns the name of a file in the run's directory.
func (f *runFiles) name(at string) string { return f.seen + strings.TrimPrefix(at, f.dir) }

// place returns where in the run's directory a name leads, and whether it does.
// Both names of the directory are known: the server that a value was made by may
// have had another driver.
func (f *runFiles) place(name string) (string, bool) {
	for _, dir := range []string{RunDir, f.dir} {
		if under(dir, name) {
			return filepath.Join(f.dir, strings.TrimPrefix(filepath.Clean(name), dir)), true
		}
	}
	return "", false
}

// named reports whether a text has a name of the run's directory in it.
func (f *runFiles) named(text string) bool {
	return strings.Contains(text, RunDir) || strings.Contains(text, f.dir)
}

// where returns a value with its files in the run's directory by where they
// are.
func (f *runFiles) where(v Value) (Value, error) {
	return Paths(v, func(p Path) (Value, error) {
		if at, ok := f.place(p.Name); ok {
			p.Name = at
		}
		return p, nil
	})
}

// local returns the name of a file or directory in the run's directory, as
// which find finds it.
func (f *runFiles) local(ctx context.Context, name string) (string, error) {
	at, err := f.find(ctx, name)
	if err != nil {
		return "", err
	}
	return f.name(at), nil
}

// find returns where a file or directory is that a name means, bringing it
// into the run's directory if it is not there.
func (f *runFiles) find(ctx context.Context, name string) (string, error) {
	var gone error
	if filepath.IsAbs(name) {
		if at, ok := f.place(name); ok {
			real, err := f.within(at)
			if !errors.Is(err, fs.ErrNotExist) || under(f.dir, name) {
				return real, err
			}
			gone = fmt.Errorf("there is no %s: %w", name, fs.ErrNotExist) // unless this machine has such a directory
		}
	} else if f.work != "" && !strings.Contains(name, "://") {
		return f.within(filepath.Join(f.work, name))
	}
	at, err := f.fetch(ctx, name)
	if err != nil && gone != nil {
		return "", gone
	}
	return at, err
}

// fetch brings what a name means into the run's directory.
func (f *runFiles) fetch(ctx context.Context, name string) (string, error) {
	sum := sha256.Sum256([]byte(name))
	to := filepath.Join(f.dir, "inputs", hex.EncodeToString(sum[:6]), filepath.Base(strings.TrimRight(name, "/")))
	if _, err := os.Lstat(to); err == nil {
		return to, nil
	}
	// Two tasks may want it at once: each brings its own, and one stays.
	parent := filepath.Dir(to)
	if err := os.MkdirAll(filepath.Dir(parent), 0o755); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(filepath.Dir(parent), ".coming-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	if err := f.p.Site.Fetch(ctx, f.run, name, filepath.Join(temp, filepath.Base(to))); err != nil {
		if in := parameter(f.run.Params, name); in != "" {
			err = fmt.Errorf("parameter %s: %w", in, err)
		}
		switch flow.KindOf(err) {
		case flow.NotFound:
			return "", &failure{codeMissing, err}
		case flow.Invalid:
			return "", &failure{codeURI, err}
		case flow.Denied:
			return "", &failure{codeImport, err}
		case flow.Quota:
			return "", &failure{codeSize, err}
		}
		return "", &unread{fmt.Errorf("%s: %s: %w", codeImport, name, err)}
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(temp, parent); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return "", err
	}
	return to, nil
}

// parameter returns which of a run's parameters names a file; empty if none does.
func parameter(params json.RawMessage, file string) string {
	v, err := ParseJSON(params)
	rec, ok := v.(*Record)
	if err != nil || !ok {
		return ""
	}
	for i, name := range rec.Names {
		if mentions(rec.Values[i], file) {
			return name
		}
	}
	return ""
}

// mentions says that a text is in a value of JSON.
func mentions(v Value, text string) bool {
	switch v := v.(type) {
	case string:
		return v == text
	case *List:
		return slices.ContainsFunc(v.Items, func(x Value) bool { return mentions(x, text) })
	case *Record:
		return slices.ContainsFunc(v.Values, func(x Value) bool { return mentions(x, text) })
	}
	return false
}

// under says that a path is in a directory.
func under(dir, name string) bool {
	rel, err := filepath.Rel(dir, filepath.Clean(name))
	return err == nil && filepath.IsLocal(rel)
}

// maxLinks bounds the links in one path, as Linux does.
const maxLinks = 40

// within returns the path without links of a file or directory, which must be in
// the run's directory: what a task links to is none of the run's files, and to
// open a pipe would wait for ever. Links mean what they meant to the task that
// made them.
func (f *runFiles) within(name string) (string, error) {
	if !under(f.dir, name) {
		return "", fmt.Errorf("%s leads out of the run's directory", name)
	}
	rest := strings.Split(strings.TrimPrefix(filepath.Clean(name), f.dir), "/")
	at := f.dir
	var info fs.FileInfo
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at == f.dir {
				return "", fmt.Errorf("%s leads out of the run's directory", name)
			}
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, part)
		var err error
		if info, err = os.Lstat(next); err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "follow", Path: name, Err: syscall.ELOOP}
		}
		to, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(to) {
			dir, ok := f.place(to)
			if !ok {
				return "", fmt.Errorf("%s leads out of the run's directory", name)
			}
			at, to = f.dir, strings.TrimPrefix(dir, f.dir)
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	info, err := os.Lstat(at)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return "", fmt.Errorf("%s is neither a file nor a directory", name)
	}
	return at, nil
}

// output returns the name of a file that a task has made.
func (f *runFiles) output(name string) (string, error) {
	at := filepath.Join(f.work, name)
	if filepath.IsAbs(name) {
		var ok bool
		if at, ok = f.place(name); !ok {
			return "", fmt.Errorf("%s is not in the task's working directory", name)
		}
	}
	at, err := f.within(at)
	if err != nil {
		return "", err
	}
	return f.name(at), nil
}

// Read is that of [Files].
func (f *runFiles) Read(name string, limit int64) ([]byte, error) {
	at, err := f.find(f.ctx, name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(at)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is no file", name), err)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return data, err
}

// Size is that of [Files].
func (f *runFiles) Size(name string) (int64, error) {
	at, err := f.find(f.ctx, name)
	if err != nil {
		return 0, err
	}
	total := int64(0)
	err = filepath.WalkDir(at, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// Write is that of [Files]: equal contents have one file, so that it makes no
// difference how often something is evaluated.
func (f *runFiles) Write(data []byte) (string, error) {
	sum := sha256.Sum256(data)
	name := filepath.Join(f.dir, "written", hex.EncodeToString(sum[:12]))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", err
	}
	return f.name(name), settle(name, data)
}

// settle makes a file, and the directory that it is in, unless it is there.
func settle(name string, data []byte) error {
	if _, err := os.Lstat(name); err == nil {
		return nil
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(name), 0o755); err == nil {
			temp, err = os.CreateTemp(filepath.Dir(name), ".new-")
		}
	}
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Chmod(0o444), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), name)
}

// Glob is that of [Files].
func (f *runFiles) Glob(pattern string) ([]string, error) {
	if filepath.IsAbs(pattern) || slices.Contains(strings.Split(pattern, "/"), "..") {
		return nil, fmt.Errorf("the pattern %s leads out of the task's working directory", quote(pattern))
	}
	var out []string
	for _, p := range braces(pattern) {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("the pattern %s: %w", quote(p), err)
		}
		for _, name := range f.glob(f.work, strings.Split(p, "/")) {
			hidden := strings.HasPrefix(filepath.Base(name), ".") && !strings.HasPrefix(path.Base(p), ".")
			real, err := f.within(name)
			if hidden || errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if info, serr := os.Lstat(real); err == nil && (serr != nil || info.IsDir()) {
				continue
			}
			out = append(out, f.name(name)) // whoever takes it says what is wrong with it
		}
	}
	return out, nil
}

// glob returns the paths below a directory that fit a pattern.
func (f *runFiles) glob(dir string, pattern []string) []string {
	if len(pattern) == 0 {
		return []string{dir}
	}
	real, err := f.within(dir)
	if err != nil {
		return nil // a pattern fits what is there
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return nil
	}
	if pattern[0] == "" || pattern[0] == "." {
		return f.glob(dir, pattern[1:])
	}
	var out []string
	for _, e := range entries {
		if ok, _ := path.Match(pattern[0], e.Name()); ok {
			out = append(out, f.glob(filepath.Join(dir, e.Name()), pattern[1:])...)
		}
	}
	return out
}

// braces returns the patterns that a pattern with {a,b} stands for, as a shell
// has it.
func braces(p string) []string {
	open := strings.Index(p, "{")
	if open < 0 {
		return []string{p}
	}
	end := strings.Index(p[open:], "}")
	if end < 0 || !strings.Contains(p[open:open+end], ",") || strings.Count(p, "{") > 4 {
		return []string{p}
	}
	var out []string
	for mid := range strings.SplitSeq(p[open+1:open+end], ",") {
		out = append(out, braces(p[:open]+mid+p[open+end+1:])...)
	}
	return out
}

// Output is that of [Files].
func (f *runFiles) Output(stderr bool) (string, error) {
	if !f.ended {
		return "", errors.New("the command has not run yet")
	}
	if stderr {
		return f.name(filepath.Join(f.work, ".stderr")), nil
	}
	return f.name(filepath.Join(f.work, ".stdout")), nil
}

// appendLog puts the lines of a file into a log, as far as a bound lets it.
func appendLog(log, name, logger string, limit int64) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	w := bufio.NewWriter(out)
	r := bufio.NewReaderSize(in, 64<<10)
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	for done := int64(0); limit == 0 || done < limit; {
		line, err := r.ReadSlice('\n')
		done += int64(len(line))
		if len(line) > 0 {
			b, jerr := json.Marshal(struct {
				Timestamp string `json:"timestamp"`
				Level     string `json:"level"`
				Logger    string `json:"logger"`
				Event     string `json:"event"`
			}{now, "info", logger, string(bytes.TrimRight(line, "\r\n"))})
			if jerr != nil {
				return jerr
			}
			_, _ = w.Write(append(b, '\n')) // Flush says what went wrong
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	return w.Flush()
}

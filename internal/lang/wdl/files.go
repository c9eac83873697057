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
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"fairlead/internal/flow"
)

// runFiles are the files of a run as its expressions know them: by their absolute
// paths, all in the run's directory, or by the names that were given to the
// run. In a task, relative ones are in its working directory.
type runFiles struct {
	p          *Performer
	run        flow.Run
	ctx        context.Context //nolint:containedctx // the attempt's: Files has no parameter for it
	dir        string          // of the run
	task, work string          // of the call; empty outside of one
	ended      bool            // the command has
}

// local returns where a file or directory is that a name means, bringing it
// into the run's directory if it is not there.
func (f *runFiles) local(ctx context.Context, name string) (string, error) {
	switch {
	case f.work != "" && !strings.Contains(name, "://") && !filepath.IsAbs(name):
		return f.within(filepath.Join(f.work, name))
	case filepath.IsAbs(name) && under(f.dir, name):
		return f.within(name)
	}
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

// under says that a path is in a directory.
func under(dir, name string) bool {
	rel, err := filepath.Rel(dir, filepath.Clean(name))
	return err == nil && filepath.IsLocal(rel)
}

// within returns a path without links of a file or directory, which must be in
// the run's directory: what a task links to is none of the run's files, and to
// open a pipe would wait for ever.
func (f *runFiles) within(name string) (string, error) {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	if !under(f.dir, real) {
		return "", fmt.Errorf("%s leads out of the run's directory", name)
	}
	info, err := os.Lstat(real)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return "", fmt.Errorf("%s is neither a file nor a directory", name)
	}
	return real, nil
}

// output returns where a file is that a task has made.
func (f *runFiles) output(name string) (string, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(f.work, name)
	}
	if !under(f.dir, name) {
		return "", fmt.Errorf("%s is not in the task's working directory", name)
	}
	return f.within(name)
}

// Read is that of [Files].
func (f *runFiles) Read(name string, limit int64) ([]byte, error) {
	at, err := f.local(f.ctx, name)
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
	at, err := f.local(f.ctx, name)
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
	return name, settle(name, data)
}

// settle makes a file, unless it is there.
func settle(name string, data []byte) error {
	if _, err := os.Lstat(name); err == nil {
		return nil
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".new-")
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
		names, err := filepath.Glob(filepath.Join(globEscape(f.work), p))
		if err != nil {
			return nil, fmt.Errorf("the pattern %s: %w", quote(p), err)
		}
		for _, name := range names {
			base := filepath.Base(name)
			if info, err := os.Stat(name); err != nil || info.IsDir() || strings.HasPrefix(base, ".") && !strings.HasPrefix(filepath.Base(p), ".") {
				continue
			}
			out = append(out, name)
		}
	}
	return out, nil
}

// globEscape returns a path as a pattern that it alone fits.
func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
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
		return filepath.Join(f.work, ".stderr"), nil
	}
	return filepath.Join(f.work, ".stdout"), nil
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

package wdl

import (
	"bytes"
	"cmp"
	"context"
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
	"unicode/utf8"

	"fairlead/internal/flow"
	"fairlead/internal/lang"
)

// A Cache has what calls have made, for those that would make the same.
type Cache interface {
	// Serves says whether calls of a run are looked for.
	Serves(ctx context.Context, run flow.Run) (bool, error)
	// Find makes the files of what there is under a key those of a directory
	// that does not exist yet, if fits, which is told the product's names first,
	// agrees. An error says why that cannot be.
	Find(ctx context.Context, run flow.Run, task flow.Task, key, to string, fits func(names map[string]string) error) (Found, error)
	// Said hears what was found for an attempt: [Usage] says whether it is a
	// hit, and why not. It may hear it again after a crash.
	Said(ctx context.Context, run flow.Run, task flow.Task, u Usage)
}

// Found is what a cache had.
type Found struct {
	Outputs json.RawMessage // those of the [Product]
	URI     string          // of the directory with its files
}

// A Product is what a call has made, as it goes into a cache.
type Product struct {
	Key            string
	Task           flow.TaskID
	Index, Attempt int // of the task
	// Outputs are the call's, with names of Files and Dirs in place of paths.
	// Only [Performer] reads them.
	Outputs json.RawMessage
	// Names says of each place in the run's directory that Files name what it
	// stood for.
	Names map[string]string `json:",omitempty"`
	Files []ProductFile     // what was changed last comes last
	Dirs  []string          // all of them, so that empty ones are known
}

// A ProductFile is one file of a [Product].
type ProductFile struct {
	Name       string // relative, with slashes
	Path       string // where it is; as it is kept, from the run's directory
	Size       int64
	Executable bool `json:",omitempty"`
}

// The names of files in the directory of an attempt: what was decided before
// its command began, the files that came from a cache, and what may go into one.
const (
	decisionFile = "cache"
	cachedDir    = "cached"
	productFile  = "product.json"
	// workDir has those files of a product that were in the working directory.
	workDir = "work"
)

// A decision is that the command of an attempt is to run. It is kept before the
// command begins: what runs must be followed, whatever comes into the cache.
type decision struct {
	Key  string `json:",omitempty"` // empty: what it makes is not kept
	Miss string `json:",omitempty"` // why it is to run; empty: it was not, what there is was taken
}

// decided reads the decision in the directory of an attempt; the zero one if
// there is none.
func decided(dir string) (decision, error) {
	var d decision
	data, err := os.ReadFile(filepath.Join(dir, decisionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err == nil && json.Unmarshal(data, &d) != nil {
		return decision{}, nil // a power cut has left half of it, and no command
	}
	return d, err
}

// recall takes what a call would make from the cache, if it is there. Else u
// says why not.
func (w *work) recall(ctx context.Context, t *call, u *Usage, tell lang.Tell) (out flow.Outcome, hit bool, err error) {
	if w.Cache == nil {
		return out, false, nil
	}
	d, err := decided(t.files.task)
	if err != nil {
		return out, false, err
	}
	if d.Miss != "" {
		t.key, u.CacheMiss = d.Key, d.Miss
		return out, false, nil
	}
	if w.Task.Handle != "" || w.Task.Mark != nil {
		return out, false, nil // the command has begun, without a decision
	}
	if serves, err := w.Cache.Serves(ctx, w.Run); err != nil || !serves {
		return out, false, err
	}
	d = decision{}
	var outputs json.RawMessage
	if d.Miss = t.uncacheable(); d.Miss == "" {
		var err error
		if d.Key, err = w.cacheKey(ctx, t); err == nil {
			outputs, u.CacheURI, err = w.find(ctx, t, d.Key)
		}
		if cause := context.Cause(ctx); cause != nil {
			return out, false, cause
		}
		if err != nil {
			d.Miss = err.Error()
		}
	}
	data, err := json.Marshal(d)
	if err == nil {
		err = errors.Join(os.RemoveAll(filepath.Join(t.files.task, decisionFile)), settle(filepath.Join(t.files.task, decisionFile), data))
	}
	if err != nil {
		return out, false, err
	}
	if u.CacheMiss = d.Miss; d.Miss == "" {
		u.CacheHit = true
		w.Cache.Said(ctx, w.Run, w.Task, *u)
		if err := tell.Started(""); err != nil {
			return out, false, err
		}
		return flow.Outcome{Verdict: flow.Success, Outputs: map[string]json.RawMessage{keyOutputs: outputs, KeyUsage: u.mark()}}, true, nil
	}
	t.key = d.Key
	w.Cache.Said(ctx, w.Run, w.Task, *u)
	return out, false, nil
}

// uncacheable says why what a call makes is neither looked for nor kept; empty:
// it is.
func (t *call) uncacheable() string {
	switch {
	case t.want.Volatile:
		return "the task is volatile"
	case len(t.task.Outputs) == 0:
		return "the task has no outputs"
	}
	return ""
}

// find brings what there is under a key into the attempt's directories, as if
// its command had made it there.
func (w *work) find(ctx context.Context, t *call, key string) (outputs json.RawMessage, uri string, err error) {
	// Some of it may be there, if a server was killed.
	to := filepath.Join(t.files.task, cachedDir)
	clean := func() error {
		return errors.Join(os.RemoveAll(to), os.RemoveAll(t.files.work), os.MkdirAll(t.files.work, 0o755))
	}
	if err := errors.Join(clean(), os.MkdirAll(t.files.task, 0o755)); err != nil {
		return nil, "", err
	}
	found, err := w.Cache.Find(ctx, w.Run, w.Task, key, to, func(names map[string]string) error {
		for name, was := range names {
			if is, err := w.stands(ctx, t, name, map[string]bool{}); err != nil || is != was {
				return errors.Join(fmt.Errorf("its files name %s/%s, which is something else here", RunDir, name), err)
			}
		}
		return nil
	})
	if made := filepath.Join(to, workDir); err == nil && exists(made) {
		err = errors.Join(os.Remove(t.files.work), os.Rename(made, t.files.work))
	}
	if err == nil {
		outputs, err = t.revive(found.Outputs, to)
	}
	if err != nil {
		return nil, "", errors.Join(err, clean())
	}
	return outputs, found.URI, nil
}

// cachedMark begins the texts that stand for files in outputs that are kept: a
// character of those that stand for nothing, and a slash.
const cachedMark = "\uf8ff/"

// revive returns outputs that were kept, with the paths that their files have
// now.
func (t *call) revive(raw json.RawMessage, dir string) (json.RawMessage, error) {
	v, err := ParseJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("the outputs in the cache: %w", err)
	}
	rec, ok := v.(*Record)
	if !ok || len(rec.Names) != len(t.task.Outputs) || slices.ContainsFunc(t.task.Outputs, func(d *Decl) bool { _, ok := rec.Find(d.Name.Text); return !ok }) {
		return nil, errors.New("the outputs in the cache are not those of the task")
	}
	if v, err = retext(v, func(s string) (string, error) {
		name, ok := strings.CutPrefix(s, cachedMark)
		if !ok {
			return s, nil
		}
		if !filepath.IsLocal(name) {
			return "", fmt.Errorf("the outputs in the cache name %q", name)
		}
		at := filepath.Join(dir, name)
		if rel, err := filepath.Rel(workDir, name); err == nil && filepath.IsLocal(rel) {
			at = filepath.Join(t.files.work, rel)
		}
		at, err := t.files.within(at)
		return t.files.name(at), err
	}); err != nil {
		return nil, err
	}
	return AppendJSON(nil, v)
}

// retext returns a value of [ParseJSON] with its texts, and the names of
// members, replaced.
func retext(v Value, f func(string) (string, error)) (Value, error) {
	var err error
	switch v := v.(type) {
	case string:
		return f(v)
	case *List:
		out := &List{Items: make([]Value, len(v.Items))}
		for i, x := range v.Items {
			if out.Items[i], err = retext(x, f); err != nil {
				return nil, err
			}
		}
		return out, nil
	case *Record:
		out := &Record{make([]string, len(v.Names)), make([]Value, len(v.Names))}
		for i, name := range v.Names {
			if out.Names[i], err = f(name); err != nil {
				return nil, err
			}
			if out.Values[i], err = retext(v.Values[i], f); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// preserve notes what a command has made in the attempt's directory, whence it
// goes into a cache when the run has ended. What cannot go there says so and
// does no harm.
func (w *work) preserve(ctx context.Context, t *call, u *Usage, out flow.Outcome) {
	if t.key == "" || out.Verdict != flow.Success || t.made == nil {
		return
	}
	p, err := w.product(ctx, t, t.made)
	if err == nil {
		p.Task, p.Index, p.Attempt = w.Task.ID, w.Task.Index, w.Task.Attempt
		var data []byte
		if data, err = json.Marshal(p); err == nil {
			err = settle(filepath.Join(t.files.task, productFile), data)
		}
	}
	if err != nil {
		u.CacheMiss += "; what it has made cannot be kept: " + err.Error()
		w.Cache.Said(ctx, w.Run, w.Task, *u)
	}
}

// product describes the outputs of a call.
func (w *work) product(ctx context.Context, t *call, v Value) (Product, error) {
	p := Product{Key: t.key, Files: []ProductFile{}}
	plain, err := AppendJSON(nil, v)
	if err != nil {
		return p, err
	}
	if bytes.Contains(plain, []byte(cachedMark)) {
		return p, errors.New("an output has the mark of files in a cache in it")
	}
	names := map[string]string{} // of files and directories that outputs are, by their paths
	changed := map[string]time.Time{}
	if v, err = t.files.where(v); err != nil {
		return p, err
	}
	v, err = Paths(v, func(at Path) (Value, error) {
		name, ok := names[at.Name]
		if !ok {
			if rel, err := filepath.Rel(t.files.work, at.Name); err == nil && filepath.IsLocal(rel) {
				name = filepath.ToSlash(filepath.Join(workDir, rel))
			} else {
				name = fmt.Sprintf("other/%d/%s", len(names), filepath.Base(at.Name))
			}
			names[at.Name] = name
			if err := p.add(t.files.dir, at.Name, name, changed); err != nil {
				return nil, err
			}
		}
		return Path{cachedMark + name, at.Dir}, nil
	})
	if err != nil {
		return p, err
	}
	if p.Outputs, err = AppendJSON(nil, v); err != nil {
		return p, err
	}
	dir, err := AppendJSON(nil, t.files.dir)
	if err != nil {
		return p, err
	}
	if t.files.named(string(p.Outputs)) || bytes.Contains(p.Outputs, dir[1:len(dir)-1]) {
		return p, errors.New("a text that is an output names a place in the run's directory")
	}
	p.Names = map[string]string{}
	for _, f := range p.Files {
		is, err := w.s.digests.file(ctx, filepath.Join(t.files.dir, f.Path))
		if err != nil {
			return p, err
		}
		for _, name := range is.names {
			if p.Names[name] != "" {
				continue
			}
			if p.Names[name], err = w.stands(ctx, t, name, map[string]bool{}); err != nil {
				return p, err
			}
		}
	}
	slices.SortStableFunc(p.Files, func(a, b ProductFile) int { return changed[a.Name].Compare(changed[b.Name]) })
	return p, nil
}

// maxProductFiles bounds the files that a call may have kept.
const maxProductFiles = 100_000

// add adds a file of a run, or all that is in a directory, under a name.
func (p *Product) add(run, at, name string, changed map[string]time.Time) error {
	return filepath.WalkDir(at, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(at, file)
		if err != nil {
			return err
		}
		mine := filepath.ToSlash(filepath.Join(name, rel))
		if !utf8.ValidString(mine) {
			return fmt.Errorf("the name %q is no text", mine)
		}
		if e.IsDir() {
			p.Dirs = append(p.Dirs, mine)
			return nil
		}
		if !e.Type().IsRegular() {
			return nil // links are left out, as where outputs go
		}
		if _, twice := changed[mine]; twice {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		changed[mine] = info.ModTime()
		if file, err = filepath.Rel(run, file); err != nil {
			return err
		}
		if p.Files = append(p.Files, ProductFile{mine, file, info.Size(), info.Mode()&0o111 != 0}); len(p.Files) > maxProductFiles {
			return fmt.Errorf("there are more than %d files", maxProductFiles)
		}
		return nil
	})
}

// maxProduct bounds the description of what a call has made, in bytes.
const maxProduct = 256 << 20

// Products calls f with what the calls of a run have made that may go into a
// cache, given the run's directory.
func Products(dir string, f func(Product) error) error {
	calls, err := os.ReadDir(filepath.Join(dir, "calls"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, c := range calls {
		file, err := os.Open(filepath.Join(dir, "calls", c.Name(), productFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var p Product
		data, err := io.ReadAll(io.LimitReader(file, maxProduct))
		err = cmp.Or(err, file.Close())
		if err != nil {
			return err
		}
		if json.Unmarshal(data, &p) != nil {
			continue // a power cut has left half of it
		}
		for i := range p.Files {
			p.Files[i].Path = filepath.Join(dir, p.Files[i].Path)
		}
		if err := f(p); err != nil {
			return err
		}
	}
	return nil
}

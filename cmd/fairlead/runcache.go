package main

import (
	"bytes"
	"cmp"
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
	"regexp"
	"strings"
	"sync"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/killpoint"
	"fairlead/internal/lang/wdl"
	"fairlead/internal/omics"
)

// A vault is where a cache has its entries: objects of S3, or files of this
// machine. Names in it are relative, with slashes.
type vault struct {
	url string // without a slash at its end
	// fetch makes what has a name and a tag a file that is not there yet.
	fetch func(ctx context.Context, name, tag, to string) error
	// put keeps a file and returns the tag by which another one is told from it.
	put  func(ctx context.Context, from, name string) (tag string, err error)
	read func(ctx context.Context, name string, most int64) ([]byte, error)
	text func(ctx context.Context, text []byte, name string) error
}

// A runCache is the cache of a run.
type runCache struct {
	omics.Cache
	vault
	always bool // what runs that succeed have made is kept, too
}

// The names of what is in a cache beside the files of entries. An entry is
// there when its pointer is, which is written last.
func entryManifest(entry string) string { return entry + ".json" }
func entryPointer(key string) string    { return path.Join("keys", key[:2], key+".json") }

// An entryPoint is what a cache has under a key.
type entryPoint struct {
	Entry string `json:"entry"` // RUN/TASK/UUID
}

var entryForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,200}/[0-9A-Za-z_-]{1,200}/[0-9a-f-]{36}$`)

// An entryText describes an entry, as the service's do.
type entryText struct {
	ARN     string      `json:"arn"`
	URI     string      `json:"s3uri"`
	TaskARN string      `json:"taskArn"`
	WorkDir string      `json:"workDir"`
	Files   []entryFile `json:"files"`
	Version int         `json:"version"`
	// What follows is ours.
	Key     string          `json:"key"`
	Dirs    []string        `json:"directories,omitempty"`
	Outputs json.RawMessage `json:"outputs"`
	// Names are those of the [wdl.Product].
	Names map[string]string `json:"names,omitempty"`
}

type entryFile struct {
	Name       string `json:"name"`
	Path       string `json:"path"`
	ETag       string `json:"etag"`
	Size       int64  `json:"size"`
	Executable bool   `json:"executable,omitempty"`
}

const (
	entryVersion    = 2 // what the service's say
	maxEntryPoint   = 4 << 10
	maxEntryText    = 256 << 20
	maxProgressRate = 10 * time.Second
	// findTime bounds how long a task waits to hear whether there is an entry:
	// it may run instead.
	findTime = 2 * time.Minute
)

// cacheOf returns the cache of a run; nil if it has none.
func (e *omicsEngine) cacheOf(ctx context.Context, r flow.Run, moved func(int64)) (*runCache, error) {
	if dir := e.a.opt.cache; dir != "" {
		return &runCache{vault: fileVault(dir, moved), always: true}, nil
	}
	s, err := e.settingsOf(ctx, r.ID)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return nil, nil // no run of the service
	}
	if err != nil || s.CacheID == "" {
		return nil, err
	}
	row, err := e.a.db.Resource(ctx, flow.OmicsCache, s.CacheID)
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", s.CacheID, err)
	}
	c := &runCache{always: s.CacheBehavior == omics.CacheAlways}
	if c.Cache, err = omics.CacheOf(row); err != nil {
		return nil, err
	}
	url := strings.TrimRight(c.Location, "/") + "/" + c.UUID
	if dir, ok := strings.CutPrefix(url, "file://"); ok {
		if !e.a.opt.localFiles {
			return nil, flow.Errorf(flow.Invalid, "%s: caches are files of this machine with --local-files only", url)
		}
		c.vault = fileVault(dir, moved)
		return c, nil
	}
	c.vault, err = e.a.objectVault(ctx, r, url, moved)
	return c, err
}

// objectVault is one in the S3 that a run reads and writes.
func (a *app) objectVault(ctx context.Context, r flow.Run, url string, moved func(int64)) (vault, error) {
	u, err := omics.ParseS3(url)
	if err != nil {
		return vault{}, err
	}
	store, err := a.storeOf(ctx, r)
	if err != nil {
		return vault{}, err
	}
	store.moved = moved
	at := func(name string) string { return path.Join(u.Key, name) }
	return vault{
		url: url,
		fetch: func(ctx context.Context, name, tag, to string) error {
			have, err := store.getAs(ctx, u.Bucket, at(name), to, &tag)
			if err == nil && have != tag { // not every store heeds conditions
				err = flow.Errorf(flow.Conflict, "%s/%s has changed", url, name)
			}
			return err
		},
		put: func(ctx context.Context, from, name string) (string, error) {
			if key := at(name); len(key) > maxObjectKey {
				return "", flow.Errorf(flow.Invalid, "%.80s…: a key of S3 has %d bytes at most", key, maxObjectKey)
			}
			return store.put(ctx, from, u.Bucket, at(name))
		},
		read: func(ctx context.Context, name string, most int64) ([]byte, error) {
			return store.read(ctx, u.Bucket, at(name), most)
		},
		text: func(ctx context.Context, text []byte, name string) error {
			return store.putText(ctx, text, u.Bucket, at(name))
		},
	}, nil
}

// maxObjectKey bounds keys of S3, in bytes.
const maxObjectKey = 1024

// fileVault is one in a directory of this machine. The tag of a file is the
// digest of its contents.
func fileVault(dir string, moved func(int64)) vault {
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	keep := func(from io.Reader, name string) (tag string, err error) {
		parent := filepath.Dir(at(name))
		if err := os.MkdirAll(parent, 0o755); err != nil {
			return "", err
		}
		temp, err := os.CreateTemp(parent, ".new-")
		if err != nil {
			return "", err
		}
		defer os.Remove(temp.Name())
		h := sha256.New()
		_, err = io.Copy(io.MultiWriter(temp, h), from)
		if err = errors.Join(err, temp.Chmod(0o644), temp.Close()); err != nil {
			return "", err
		}
		return hex.EncodeToString(h.Sum(nil)), os.Rename(temp.Name(), at(name))
	}
	open := func(name string) (*os.File, error) {
		info, err := os.Lstat(at(name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, flow.Errorf(flow.NotFound, "%s does not exist", at(name))
		}
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is no file", at(name))
		}
		if err != nil {
			return nil, err
		}
		return os.Open(at(name))
	}
	return vault{
		url: "file://" + dir,
		fetch: func(_ context.Context, name, tag, to string) error {
			in, err := open(name)
			if err != nil {
				return err
			}
			defer in.Close()
			out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
			if err != nil {
				return err
			}
			h := sha256.New()
			_, err = io.Copy(io.MultiWriter(out, h), &counted{in, moved})
			if err = errors.Join(err, out.Close()); err == nil && hex.EncodeToString(h.Sum(nil)) != tag {
				err = flow.Errorf(flow.Conflict, "%s has changed", at(name))
			}
			return err
		},
		put: func(_ context.Context, from, name string) (string, error) {
			in, err := os.Open(from)
			if err != nil {
				return "", err
			}
			defer in.Close()
			return keep(&counted{in, moved}, name)
		},
		read: func(_ context.Context, name string, most int64) ([]byte, error) {
			in, err := open(name)
			if err != nil {
				return nil, err
			}
			defer in.Close()
			return readAll(in, at(name), most)
		},
		text: func(_ context.Context, text []byte, name string) error {
			_, err := keep(bytes.NewReader(text), name)
			return err
		},
	}
}

// Serves implements [wdl.Cache].
func (e *omicsEngine) Serves(ctx context.Context, r flow.Run) (bool, error) {
	if e.a.opt.cache != "" {
		return true, nil
	}
	s, err := e.settingsOf(ctx, r.ID)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return false, nil // no run of the service
	}
	return s.CacheID != "", err
}

// Find implements [wdl.Cache].
func (e *omicsEngine) Find(ctx context.Context, r flow.Run, t flow.Task, key, to string, fits func(map[string]string) error) (wdl.Found, error) {
	p := &progress{say: func(line string) {
		e.sayEngine(ctx, r, "task "+omics.TaskID(r.ID, t)+" is taken from the cache: "+line)
	}}
	c, err := e.cacheOf(ctx, r, p.add)
	if err != nil {
		return wdl.Found{}, err
	}
	asking, cancel := context.WithTimeout(ctx, findTime)
	entry, m, err := c.entry(asking, key)
	cancel()
	if err == nil {
		err = fits(m.Names)
	}
	if err != nil {
		return wdl.Found{}, err
	}
	for _, f := range m.Files {
		p.total += f.Size
	}
	if free := freeBytes(filepath.Dir(to)); p.total > free {
		return wdl.Found{}, flow.Errorf(flow.Quota, "the entry has %d bytes, and %d are free", p.total, free)
	}
	place := func(name string) (string, error) {
		if !filepath.IsLocal(name) || path.Clean(name) != name {
			return "", fmt.Errorf("entry %s names %q", entry, name)
		}
		return filepath.Join(to, filepath.FromSlash(name)), nil
	}
	for _, name := range m.Dirs {
		dir, err := place(name)
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
		if err != nil {
			return wdl.Found{}, err
		}
	}
	for _, f := range m.Files {
		at, err := place(f.Name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(at), 0o755)
		}
		if err == nil {
			err = c.fetch(ctx, path.Join(entry, f.Name), f.ETag, at)
		}
		if err == nil && f.Executable {
			err = os.Chmod(at, 0o555)
		}
		if err != nil {
			return wdl.Found{}, err
		}
	}
	killpoint.At("cache found")
	return wdl.Found{Outputs: m.Outputs, URI: c.url + "/" + entry + "/"}, nil
}

// entry returns what there is under a key, and its name.
func (c *runCache) entry(ctx context.Context, key string) (name string, m entryText, err error) {
	name, err = c.point(ctx, key)
	if err != nil {
		return "", m, err
	}
	raw, err := c.read(ctx, entryManifest(name), maxEntryText)
	if err != nil {
		return "", m, err
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", m, fmt.Errorf("%s/%s is no manifest of an entry: %w", c.url, entryManifest(name), err)
	}
	if m.Key != key || m.Version != entryVersion {
		return "", m, fmt.Errorf("%s/%s is of another entry, or version", c.url, entryManifest(name))
	}
	return name, m, nil
}

// point returns the name of the entry under a key.
func (c *runCache) point(ctx context.Context, key string) (string, error) {
	raw, err := c.read(ctx, entryPointer(key), maxEntryPoint)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return "", flow.Errorf(flow.NotFound, "no entry has the same task, inputs, image and resources")
	}
	if err != nil {
		return "", err
	}
	var p entryPoint
	if err := json.Unmarshal(raw, &p); err != nil || !entryForm.MatchString(p.Entry) {
		return "", fmt.Errorf("%s/%s names no entry", c.url, entryPointer(key))
	}
	return p.Entry, nil
}

// Said implements [wdl.Cache].
func (e *omicsEngine) Said(ctx context.Context, r flow.Run, t flow.Task, u wdl.Usage) {
	event, about := omics.CacheMiss, u.CacheMiss
	if u.CacheHit {
		event, about = omics.CacheHit, u.CacheURI
	}
	e.sayCache(ctx, r, t, event, about)
	if u.CacheHit {
		if err := e.put(omics.TaskStream(r.ID, t), time.Now(), []string{"Taken from the cache: " + about}); err != nil {
			e.a.opt.log.ErrorContext(ctx, "log of a task", "run", r.ID, "err", err)
		}
	}
}

// sayCache writes an event of a run's cache into the logs that have such.
func (e *omicsEngine) sayCache(ctx context.Context, r flow.Run, t flow.Task, event, about string) {
	line, record := e.a.omics.DescribeCache(r, t, event, about)
	e.sayEngine(ctx, r, line)
	s, err := e.settingsOf(ctx, r.ID)
	if err != nil || s.LogLevel != "ALL" {
		return // said before, or no run of the service
	}
	now := time.Now()
	err = e.put(omics.RunStream(r.ID), now, []string{record})
	if row, rerr := e.a.db.Resource(ctx, flow.OmicsCache, s.CacheID); rerr == nil {
		if c, cerr := omics.CacheOf(row); cerr == nil {
			err = errors.Join(err, e.put(omics.CacheStream(c), now, []string{record}))
		}
	}
	if err != nil && ctx.Err() == nil {
		e.a.opt.log.ErrorContext(ctx, "log of a cache", "run", r.ID, "err", err)
	}
}

// sayEngine writes a line into the log of a run's engine, if that has all.
func (e *omicsEngine) sayEngine(ctx context.Context, r flow.Run, line string) {
	s, err := e.settingsOf(ctx, r.ID)
	if err != nil || s.LogLevel != "ALL" {
		if flow.KindOf(err) != flow.NotFound && err != nil {
			e.a.opt.log.ErrorContext(ctx, "log of a run", "run", r.ID, "err", err)
		}
		return
	}
	p, err := e.program(ctx, r.Graph)
	if err == nil {
		now := time.Now()
		err = e.put(omics.EngineStream(r.ID), now, []string{p.stamp(now) + line})
	}
	if err != nil && ctx.Err() == nil {
		e.a.opt.log.ErrorContext(ctx, "log of a run", "run", r.ID, "err", err)
	}
}

// A progress says now and then how far something has come that takes long.
type progress struct {
	say   func(line string)
	total int64 // bytes; 0: not known

	mu   sync.Mutex
	done int64
	last time.Time
}

func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	now := time.Now()
	if p.last.IsZero() {
		p.last = now
	}
	if now.Sub(p.last) < maxProgressRate {
		return
	}
	p.last = now
	of := ""
	if p.total > 0 {
		of = fmt.Sprintf(" of %d", p.total>>20)
	}
	p.say(fmt.Sprintf("%d%s MiB", p.done>>20, of))
}

// fillers is how many entries of a run are written at once.
const fillers = 4

// fillCache puts what the tasks of a run that has ended have made into its
// cache, if that is to have it. What is there already, since a server was
// killed, stays.
func (e *omicsEngine) fillCache(ctx context.Context, r flow.Run) error {
	p := &progress{say: func(line string) { e.sayEngine(ctx, r, "outputs of tasks go into the cache: "+line) }}
	c, err := e.cacheOf(ctx, r, p.add)
	if err != nil || c == nil || r.State == flow.Succeeded && !c.always {
		return err
	}
	dir, err := e.site.Dir(r)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, fillers)
	seen := map[string]bool{}
	err = wdl.Products(dir, func(made wdl.Product) error {
		if seen[made.Key] {
			return nil // of two that are the same one will do
		}
		seen[made.Key] = true
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wg.Go(func() {
			defer func() { <-slots }()
			t := flow.Task{ID: made.Task, Index: made.Index, Attempt: made.Attempt}
			switch uri, err := e.fill(ctx, c, r, t, made); {
			case flow.KindOf(err) == flow.Invalid && err != nil:
				e.sayEngine(ctx, r, "task "+omics.TaskID(r.ID, t)+" is not cached: "+err.Error())
			case err != nil:
				stop(err)
			case uri != "":
				e.sayCache(ctx, r, t, omics.CacheEntryCreated, uri)
			}
		})
		return nil
	})
	wg.Wait()
	return cmp.Or(err, context.Cause(ctx))
}

// fill puts what one task has made into a cache; uri is empty if it was there.
func (e *omicsEngine) fill(ctx context.Context, c *runCache, r flow.Run, t flow.Task, made wdl.Product) (uri string, err error) {
	uuid := omics.CacheEntryUUID(cmp.Or(r.Key, string(r.ID)), t)
	entry := path.Join(string(r.ID), omics.TaskID(r.ID, t), uuid)
	if have, err := c.point(ctx, made.Key); err == nil && have == entry {
		return "", nil
	}
	m := entryText{
		ARN: e.a.omics.CacheEntryARN(c.Cache, uuid), URI: c.url + "/" + entry + "/", TaskARN: e.a.omics.TaskARN(r, t), WorkDir: "work", Version: entryVersion,
		Files: []entryFile{}, Key: made.Key, Dirs: made.Dirs, Outputs: made.Outputs, Names: made.Names,
	}
	for _, f := range made.Files {
		name := path.Join(entry, f.Name)
		within, cancel := context.WithTimeout(ctx, publishTime+time.Duration(f.Size>>20)*time.Second)
		tag, err := c.put(within, f.Path, name)
		cancel()
		if err != nil {
			return "", err
		}
		m.Files = append(m.Files, entryFile{f.Name, c.url + "/" + name, tag, f.Size, f.Executable})
	}
	killpoint.At("cache files")
	text, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	if err := c.text(ctx, text, entryManifest(entry)); err != nil {
		return "", err
	}
	killpoint.At("cache manifest")
	if text, err = json.Marshal(entryPoint{entry}); err != nil {
		return "", err
	}
	err = c.text(ctx, text, entryPointer(made.Key))
	killpoint.At("cache pointer")
	return m.URI, err
}

package wdl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
)

// A shell runs commands as this process's children, and counts them.
type shell struct{ ran int }

func (s *shell) Run(ctx context.Context, spec exec.Spec, _ string, started func(string) error) (exec.Exit, error) {
	s.ran++
	if err := started("h"); err != nil {
		return exec.Exit{}, err
	}
	cmd := osexec.CommandContext(ctx, spec.Argv[0], spec.Argv[1:]...)
	cmd.Dir, cmd.Env = spec.Dir, append(spec.Env, "PATH=/usr/bin:/bin")
	err := cmd.Run()
	if exit, ok := errors.AsType[*osexec.ExitError](err); ok {
		return exec.Exit{Code: exit.ExitCode()}, nil
	}
	return exec.Exit{}, err
}

func (s *shell) Probe(context.Context) (exec.Report, error) { return exec.Report{}, nil }
func (s *shell) Forget(string) error                        { return nil }

// A bench is a place for runs of documents with one call of one task, that
// share a cache.
type bench struct {
	t      *testing.T
	dir    string
	driver shell
	kept   map[string]Product // by key
	runs   int
	said   []Usage
	broken error // what is wrong with all that is in the cache
}

func newBench(t *testing.T) *bench {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, dir: dir, kept: map[string]Product{}}
}

func (b *bench) Dir(r flow.Run) (string, error) {
	dir := filepath.Join(b.dir, string(r.ID))
	return dir, os.MkdirAll(dir, 0o755)
}

func (b *bench) Log(_ context.Context, r flow.Run, _ flow.Task) (string, error) {
	return filepath.Join(b.dir, string(r.ID), "log"), nil
}

func (b *bench) Fetch(_ context.Context, _ flow.Run, name, to string) error {
	return os.Link(name, to)
}

func (b *bench) Output(context.Context, flow.RunID, flow.TaskID, string) (json.RawMessage, bool, error) {
	return nil, false, nil
}

func (b *bench) OutputsBetween(context.Context, flow.RunID, int, int, string) ([]flow.Output, error) {
	return nil, nil
}

func (b *bench) Serves(context.Context, flow.Run) (bool, error) { return true, nil }

func (b *bench) Find(_ context.Context, _ flow.Run, _ flow.Task, key, to string, fits func(map[string]string) error) (Found, error) {
	p, ok := b.kept[key]
	if !ok {
		return Found{}, errors.New("no entry")
	}
	if err := fits(p.Names); err != nil {
		return Found{}, err
	}
	for _, dir := range p.Dirs {
		if err := os.MkdirAll(filepath.Join(to, dir), 0o755); err != nil {
			return Found{}, err
		}
	}
	for _, f := range p.Files {
		at := filepath.Join(to, f.Name)
		data, err := os.ReadFile(f.Path)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(at), 0o755)
		}
		if err == nil {
			err = os.WriteFile(at, data, 0o444)
		}
		if err != nil {
			return Found{}, err
		}
	}
	return Found{p.Outputs, "mem://" + key}, b.broken
}

func (b *bench) Said(_ context.Context, _ flow.Run, _ flow.Task, u Usage) { b.said = append(b.said, u) }

func (b *bench) Started(string) error                { return nil }
func (b *bench) Begun(string, json.RawMessage) error { return nil }
func (b *bench) Mark(json.RawMessage) error          { return nil }

// teller is a bench to whom nobody listens.
type listener struct {
	lang.Tell
	*bench
}

func (l listener) Started(h string) error { return l.bench.Started(h) }
func (l listener) Begun(h string, m json.RawMessage) error {
	return errors.Join(l.Mark(m), l.Started(h))
}
func (l listener) Mark(m json.RawMessage) error { return l.bench.Mark(m) }

// run carries out the call of a document and returns what came of it; what it
// made is kept.
func (b *bench) run(text, inputs string, change func(*Performer)) flow.Outcome {
	b.t.Helper()
	b.runs++
	run := flow.Run{ID: flow.RunID(fmt.Sprintf("r%d", b.runs)), Params: json.RawMessage(inputs)}
	out, err := b.perform(run, text, change)
	if err != nil {
		b.t.Fatal(err)
	}
	dir, _ := b.Dir(run)
	if err := Products(dir, func(p Product) error { b.kept[p.Key] = p; return nil }); err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bench) perform(run flow.Run, text string, change func(*Performer)) (flow.Outcome, error) {
	b.t.Helper()
	doc, found := Load(fstest.MapFS{"main.wdl": {Data: []byte(text)}}, "main.wdl", Options{})
	if Refused(found) {
		b.t.Fatalf("%v\n%s", found, text)
	}
	def, found := Compile(doc, Options{})
	if Refused(found) {
		b.t.Fatalf("%v\n%s", found, text)
	}
	p := &Performer{Driver: &b.driver, Values: b, Site: b, Cache: b, WithoutGPUs: true, Env: func(flow.Run, flow.Task) []string { return nil }}
	if change != nil {
		change(p)
	}
	g := def.Graph
	n := &g.Nodes[0]
	return p.Perform(b.t.Context(), lang.Attempt{Run: run, Graph: &g, Node: n, Task: flow.Task{ID: n.ID, Attempt: 1}}, listener{bench: b})
}

// TestKey says what makes a call another one, and what does not.
func TestKey(t *testing.T) {
	const task = `version 1.1
task a {
  input { File f  Int n = 1  String s = "x" }
  command <<< cat ~{f} >out; echo ~{n + 1} ~{s} >>out >>>
  output { File out = "out" }
  runtime { cpu: 1 memory: "1 GiB" docker: "i:1" disks: 10 }
  meta { about: "a" }
}
workflow w { input { File f Int? n } call a { input: f = f, n = n } output { File out = a.out } }`
	place := t.TempDir()
	file := func(name, text string) string {
		at := filepath.Join(place, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return at
	}
	inputs := func(f string) string { return fmt.Sprintf(`{"w.f": %q}`, f) }
	first := inputs(file("1/x", "data"))
	images := func(p *Performer) { p.Images = true }
	as := func(is string) func(*Performer) {
		return func(p *Performer) {
			p.Images, p.Identify = true, func(context.Context, exec.Spec) (string, error) { return is, nil }
		}
	}
	for _, tt := range []struct {
		name     string
		old, new string // replaced in the document
		inputs   string
		before   func(*Performer)
		change   func(*Performer)
		hit      bool
	}{
		{name: "the same", hit: true},
		{name: "the file is elsewhere", inputs: inputs(file("2/x", "data")), hit: true},
		{name: "the file has another name", inputs: inputs(file("1/y", "data"))},
		{name: "the file has other contents", inputs: inputs(file("3/x", "other"))},
		{name: "an input has another value", inputs: strings.Replace(first, "}", `, "w.n": 2}`, 1)},
		{name: "a default has changed", old: `s = "x"`, new: `s = "y"`},
		{name: "a default is the same, written otherwise", old: `Int n = 1`, new: `Int n = # one
1`, hit: true},
		{name: "the command has changed", old: "cat ~{f}", new: "cat  ~{f}"},
		{name: "a placeholder has changed", old: "n + 1", new: "n + 2"},
		{name: "a placeholder has other spaces", old: "n + 1", new: "n+1", hit: true},
		{name: "an output has changed", old: `File out = "out"`, new: `File out = "./out"`},
		{name: "another output", old: `File out = "out"`, new: `File out = "out" Int more = 1`},
		{name: "processors", old: "cpu: 1", new: "cpu: 2"},
		{name: "memory", old: "1 GiB", new: "2 GiB"},
		{name: "the same memory", old: "1 GiB", new: "1 GB", hit: true},
		{name: "accelerators", old: "disks: 10", new: "acceleratorCount: 1 acceleratorType: \"nvidia-tesla-t4\""},
		{name: "disks", old: "disks: 10", new: "disks: 20", hit: true},
		{name: "another image", old: "i:1", new: "i:2"},
		{name: "the image is in use", change: images},
		{name: "another name of the same image", old: "i:1", new: "i:2", before: as("sha256:1"), change: as("sha256:1"), hit: true},
		{name: "the image has changed", before: as("sha256:1"), change: as("sha256:2")},
		{name: "meta", old: `about: "a"`, new: `about: "b"`, hit: true},
		{name: "the task has another name", old: "task a {", new: "task b {"},
		{name: "the call has another name", old: "call a {", new: "call a as c {", hit: true},
		{name: "the version", old: "version 1.1", new: "version 1.0"},
		{name: "volatile", old: `about: "a"`, new: `volatile: true`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.run(task, first, tt.before)
			text := task
			if tt.old != "" {
				if text = strings.Replace(task, tt.old, tt.new, 1); text == task {
					t.Fatalf("there is no %q", tt.old)
				}
			}
			if strings.Contains(tt.new, "task b") {
				text = strings.ReplaceAll(text, "call a", "call b as a")
			}
			if strings.Contains(tt.new, " as c") {
				text = strings.ReplaceAll(text, "a.out", "c.out")
			}
			in := tt.inputs
			if in == "" {
				in = first
			}
			out := b.run(text, in, tt.change)
			if out.Verdict != flow.Success {
				t.Fatalf("%+v", out)
			}
			if hit := b.driver.ran == 1; hit != tt.hit || b.said[1].CacheHit != tt.hit || (b.said[1].CacheMiss == "") != tt.hit {
				t.Errorf("hit: %t, want %t; said %+v", hit, tt.hit, b.said)
			}
		})
	}
}

// TestRevived compares what comes out of the cache with what went into it.
func TestRevived(t *testing.T) {
	b := newBench(t)
	const text = `version development
struct S { File f  Array[Map[String, File]] more  Object o }
task a {
  input { File through }
  command <<< mkdir -p d/empty d/in; echo 1 >d/in/x; echo 2 >y; echo 3; printf '{"k": "v"}' >o; ln -s y l >>>
  output {
    Directory d = "d"
    S s = S { f: "y", more: [{"k": "d/in/x"}], o: read_json("o") }
    File printed = stdout()
    File? none = "none"
    File out = through
    Array[File] ys = glob("y")
    Pair[Float, String] p = (1.0, "~{1 + 1}")
    File l = "l"
  }
}
workflow w { input { File f } call a { input: through = f } }`
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("in"), 0o600); err != nil {
		t.Fatal(err)
	}
	list := func(run string, out flow.Outcome) string {
		t.Helper()
		v, err := ParseJSON(out.Outputs[keyOutputs])
		if err != nil {
			t.Fatal(err)
		}
		if v, err = retext(v, func(s string) (string, error) {
			if !filepath.IsAbs(s) {
				return s, nil
			}
			at, _ := (&runFiles{dir: filepath.Join(b.dir, run)}).place(s)
			told, _, err := newDigests().path(t.Context(), Path{Name: at})
			return told, err
		}); err != nil {
			t.Fatal(err)
		}
		raw, _ := AppendJSON(nil, v)
		return string(raw)
	}
	inputs := fmt.Sprintf(`{"w.f": %q}`, in)
	made := b.run(text, inputs, nil)
	if made.Verdict != flow.Success {
		t.Fatalf("%+v", made)
	}
	cached := b.run(text, inputs, nil)
	if b.driver.ran != 1 || !b.said[1].CacheHit {
		t.Fatalf("it has run %d times: %+v", b.driver.ran, b.said)
	}
	if a, b := list("r1", made), list("r2", cached); a != b {
		t.Errorf("made   %s\ncached %s", a, b)
	}
}

// TestUncached lists what is not kept.
func TestUncached(t *testing.T) {
	for _, tt := range []struct{ task, want string }{
		{`command { true }`, "no outputs"},
		{`command { false } output { Int n = 1 }`, ""},
		{`command { pwd } output { String here = read_string(stdout()) }`, "names a place"},
		{`command { true } output { Int n = 1 } meta { volatile: true }`, "volatile"},
	} {
		b := newBench(t)
		b.run("version 1.0\ntask a { "+tt.task+" }\nworkflow w { call a }", "{}", nil)
		if len(b.kept) > 0 || !strings.Contains(b.said[len(b.said)-1].CacheMiss, tt.want) {
			t.Errorf("%s: kept %v; %+v, want %q", tt.task, b.kept, b.said, tt.want)
		}
	}
}

// TestDecisionHolds has a command that began before a crash followed, although
// the cache has what it makes by then; and nothing of what could not be taken
// from the cache stays.
func TestDecisionHolds(t *testing.T) {
	b := newBench(t)
	const text = "version 1.0\ntask a { command { echo 1 >x; test ! -e ../cached } output { File x = \"x\" } }\nworkflow w { call a }"
	run := flow.Run{ID: "r", Params: json.RawMessage(`{}`)}
	if _, err := b.perform(run, text, nil); err != nil {
		t.Fatal(err)
	}
	b.run(text, "{}", nil)
	if out, err := b.perform(run, text, nil); err != nil || out.Verdict != flow.Success || b.driver.ran != 3 {
		t.Errorf("after a crash: %+v, %v; %d commands, want 3", out, err, b.driver.ran)
	}
	b.broken = errors.New("x has changed")
	if out := b.run(text, "{}", nil); out.Verdict != flow.Success || b.driver.ran != 4 || b.said[len(b.said)-1].CacheMiss != "x has changed" {
		t.Errorf("of a broken entry: %+v; %d commands, want 4; %+v", out, b.driver.ran, b.said)
	}
}

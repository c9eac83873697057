package wdl

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// directory is a directory as expressions know it.
type directory string

func (d directory) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(string(d), name)
}

func (d directory) Read(name string, limit int64) ([]byte, error) {
	data, err := os.ReadFile(d.path(name))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return data, err
}

func (d directory) Size(name string) (int64, error) {
	info, err := os.Stat(d.path(name))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d directory) Write(data []byte) (string, error) {
	f, err := os.CreateTemp(string(d), "written")
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.Write(data)
	return f.Name(), err
}

func (d directory) Glob(pattern string) ([]string, error) { return filepath.Glob(d.path(pattern)) }

func (d directory) Output(stderr bool) (string, error) {
	if stderr {
		return "stderr", nil
	}
	return "stdout", nil
}

// output loads a document with one workflow that has one output, and returns
// the output and where it is evaluated.
func output(t testing.TB, version, typ, expr, dir string) (*Decl, *Scope, []Finding) {
	t.Helper()
	text := fmt.Sprintf("version %s\nstruct S { Int n String? s }\nworkflow w {\n  input { String? x Int? x2 }\n  output { %s out = %s }\n}\n", version, typ, expr)
	doc, found := Load(fstest.MapFS{"main.wdl": {Data: []byte(text)}}, "main.wdl", Options{})
	if Refused(found) {
		return nil, nil, found
	}
	v := &Evaluator{Rules: Rules{Version: doc.Version}, Files: directory(dir)}
	w := doc.Workflow
	return w.Outputs[0], NewScope(v, nil, nil, w.Inputs, w.Outputs), found
}

func TestEval(t *testing.T) {
	data, err := os.ReadFile("testdata/eval.txt")
	if err != nil {
		t.Fatal(err)
	}
	version, n := "", 0
	for i, line := range strings.Split(string(data), "\n") {
		if v, ok := strings.CutPrefix(line, "version "); ok {
			version = v
		}
		f := strings.SplitN(line, " | ", 2)
		if strings.HasPrefix(line, "#") || len(f) < 2 {
			continue
		}
		at := strings.LastIndex(f[1], " | ")
		typ, expr, want := f[0], f[1][:at], f[1][at+3:]
		n++
		d, scope, found := output(t, version, typ, expr, t.TempDir())
		if d == nil {
			t.Errorf("testdata/eval.txt:%d: %s\nrefused: %v", i+1, line, found)
			continue
		}
		got := ""
		x, err := scope.Decl(d)
		if err == nil {
			var b []byte
			b, err = AppendJSON(nil, x)
			got = string(b)
		}
		if part, fails := strings.CutPrefix(want, "! "); fails {
			if err == nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "main.wdl:5:") {
				t.Errorf("testdata/eval.txt:%d: %s %s\n got %s, %v\nwant an error with its place that says %s", i+1, typ, expr, got, err, part)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("testdata/eval.txt:%d: %s %s\n got %s, %v\nwant %s", i+1, typ, expr, got, err, want)
		}
	}
	if n < 70 {
		t.Errorf("%d cases; want all", n)
	}
}

// TestEveryFunctionIsThere calls each function of the library, with whatever
// arguments: none may be one that the evaluator does not have.
func TestEveryFunctionIsThere(t *testing.T) {
	sample := map[Kind]Value{
		Boolean: true, Int: int64(1), Float: 1.5, String: "B", File: Path{Name: "f"}, Directory: Path{"d", true}, Any: nil, Var: int64(1),
		Object: &Record{[]string{"a"}, []Value{"b"}},
	}
	var make func(Type) Value
	make = func(t Type) Value {
		switch {
		case t.Kind == Array:
			return NewList(make(t.Item()))
		case t.Kind == Map:
			return NewDict([]Value{"k"}, []Value{make(t.Value())})
		case t.Kind == Pair:
			return &Couple{make(t.Left()), make(t.Right())}
		case t.Kind == Var && t.name == 'S':
			return sample[Object]
		}
		return sample[t.Kind]
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("a\tb\n1\t2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := &Evaluator{Rules: Rules{Version: Development}, Files: directory(dir)}
	for _, name := range v.Rules.Functions() {
		for _, sig := range v.Rules.Signatures(name) {
			var args []Value
			for _, p := range sig.Params {
				args = append(args, make(p))
			}
			if _, err := v.call(name, args); err != nil && strings.Contains(err.Error(), "no such function") {
				t.Errorf("%s: %v", sig, err)
			}
		}
	}
}

// TestManyValues evaluates with arrays of very many items.
func TestManyValues(t *testing.T) {
	d, scope, found := output(t, "1.1", "Int", "length(flatten([range(1000000), range(900000)]))", t.TempDir())
	if d == nil {
		t.Fatal(found)
	}
	begin := time.Now()
	if x, err := scope.Decl(d); err != nil || x != int64(1_900_000) {
		t.Errorf("got %v, %v; want 1900000", x, err)
	}
	t.Logf("took %v", time.Since(begin))
}

func TestJSON(t *testing.T) {
	for _, tt := range []struct{ in, typ, want string }{
		{`{"b": [1, 2.0, "x", null, true], "a": {}}`, "", `{"b":[1,2.0,"x",null,true],"a":{}}`},
		{`9223372036854775807`, "", `9223372036854775807`},
		{`1e2`, "", `100.0`},
		{`9223372036854775808`, "", "! does not fit 64 bits"},
		{`[1`, "", "! "},
		{`[1] 2`, "", "! nothing more"},
		{strings.Repeat("[", 300) + strings.Repeat("]", 300), "", "! nested more than"},
		{`{"left": 1, "right": "a"}`, "Pair[Int, String]", `{"left":1,"right":"a"}`},
		{`[1, "a"]`, "Pair[Int, String]", `{"left":1,"right":"a"}`},
		{`{"1": "a"}`, "Map[Int, String]", `{"1":"a"}`},
		{`[[1], ["x"]]`, "Array[Array[Int]]", `! at [1][0]: expected Int, found a String "x"`},
		{`{"n": 1}`, "S", `{"n":1,"s":null}`},
		{`{"s": "x"}`, "S", `! at .n: expected Int, found nothing`},
		{`"1"`, "Int", `1`},
		{`1.5`, "Int", `! expected Int, found a Float 1.5`},
		{`"a.txt"`, "File", `"a.txt"`},
	} {
		got, err := func() (string, error) {
			v, err := ParseJSON([]byte(tt.in))
			if err != nil {
				return "", err
			}
			if tt.typ != "" {
				d, _, found := output(t, "1.1", tt.typ+"?", "None", t.TempDir())
				if d == nil {
					t.Fatal(found)
				}
				if v, err = (Rules{Version: V11}).Convert(v, d.Type.Plain()); err != nil {
					return "", err
				}
			}
			b, err := AppendJSON(nil, v)
			return string(b), err
		}()
		if part, fails := strings.CutPrefix(tt.want, "! "); fails {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%.60s as %q: got %s, %v; want an error with %q", tt.in, tt.typ, got, err, part)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%s as %q: got %s, %v; want %s", tt.in, tt.typ, got, err, tt.want)
		}
	}
}

// FuzzEval evaluates whatever can be loaded: it ends, with a value of the
// declared type or an error that says where.
func FuzzEval(f *testing.F) {
	data, err := os.ReadFile("testdata/eval.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if p := strings.Split(line, " | "); len(p) == 3 {
			f.Add(p[0], p[1])
		}
	}
	f.Fuzz(func(t *testing.T, typ, expr string) {
		if len(expr) > 2000 || len(typ) > 200 {
			return
		}
		d, scope, _ := output(t, "development", typ, expr, t.TempDir())
		if d == nil {
			return
		}
		x, err := scope.Decl(d)
		if err != nil {
			if !strings.Contains(err.Error(), "main.wdl:") {
				t.Errorf("%s %s: %v does not say where", typ, expr, err)
			}
			return
		}
		if _, err := scope.v.Rules.Convert(x, d.Type); err != nil {
			t.Errorf("%s %s: got %v, which is none: %v", typ, expr, x, err)
		}
	})
}

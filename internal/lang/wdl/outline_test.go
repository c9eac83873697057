package wdl

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// files is a definition of several documents.
func files(texts map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range texts {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// loaded reads main.wdl of documents without a fault.
func loaded(t testing.TB, texts map[string]string) *Document {
	t.Helper()
	doc, found := Load(files(texts), "main.wdl", Options{})
	if Refused(found) {
		t.Fatalf("%+v", found)
	}
	return doc
}

func TestOutline(t *testing.T) {
	doc := loaded(t, map[string]string{
		"main.wdl": `version 1.0
import "lib/tasks.wdl" as lib
workflow w {
  call lib.b
  scatter (x in [1]) { if (x > 1) { call a as c } }
  call a
}
task z { command {} }
task a { command {} }
`,
		"lib/tasks.wdl": "version 1.0\ntask a { command {} }\ntask b { command {} }\n",
	})
	want := `main.wdl
    workflow w
        call lib.b
        scatter x
            if
                call a as c
        call a
    task a
    task z (not called)
    lib : tasks.wdl
        task b
        task a (not called)
`
	if diff := cmp.Diff(want, Outline(doc)); diff != "" {
		t.Errorf("outline (-want +got):\n%s", diff)
	}
}

func TestMainFile(t *testing.T) {
	for _, tt := range []struct {
		name, named, want string
		files             []string
	}{
		{name: "the only one", files: []string{"a/b.wdl", "c.txt"}, want: "a/b.wdl"},
		{name: "main.wdl at the top", files: []string{"a.wdl", "main.wdl"}, want: "main.wdl"},
		{name: "named", files: []string{"a.wdl", "main.wdl"}, named: "./a.wdl", want: "a.wdl"},
		{name: "several", files: []string{"a.wdl", "b/main.wdl"}},
		{name: "none", files: []string{"a.cwl"}},
		{name: "named and not there", files: []string{"a.wdl"}, named: "b.wdl"},
		{name: "named outside", files: []string{"a.wdl"}, named: "../a.wdl"},
	} {
		fsys := fstest.MapFS{}
		for _, f := range tt.files {
			fsys[f] = &fstest.MapFile{}
		}
		got, err := MainFile(fsys, tt.named)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: MainFile(%q, %q) = %q, %v; want %q", tt.name, tt.files, tt.named, got, err, tt.want)
		}
	}
}

// TestImportsFromTheTop checks that a document which is not beside the one
// that imports it is looked for at the top, and that a graph keeps that.
func TestImportsFromTheTop(t *testing.T) {
	fsys := files(map[string]string{
		"wf/main.wdl":   "version 1.0\nimport \"lib/a.wdl\"\nimport \"b.wdl\"\nworkflow w { call a.t call b.t as u }\n",
		"wf/b.wdl":      "version 1.0\ntask t { command {} }\n",
		"b.wdl":         "version 1.0\n",
		"lib/a.wdl":     "version 1.0\ntask t { command {} }\n",
		"x/lib/a.wdl":   "version 1.0\n",
		"x/wf/main.wdl": "version 1.0\nimport \"lib/a.wdl\"\nworkflow w { call a.t }\n",
	})
	doc, found := Load(fsys, "wf/main.wdl", Options{})
	if len(found) > 0 {
		t.Fatalf("%+v", found)
	}
	def, _ := Compile(doc, Options{})
	if _, err := Open(&def.Graph); err != nil {
		t.Error(err)
	}
	if _, found := Load(fsys, "x/wf/main.wdl", Options{Root: "x"}); len(found) != 1 || found[0].Line != 3 {
		t.Errorf("got %+v, want the fault of a task that x/lib/a.wdl lacks", found)
	}
}

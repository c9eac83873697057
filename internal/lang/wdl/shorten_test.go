package wdl_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"fairlead/internal/lang/wdl"
)

func TestShorten(t *testing.T) {
	const a = "version 1.1\nimport \"lib/b.wdl\" as b\nworkflow a { call b.t }\n"
	const b = "version 1.1\ntask t { command <<< true >>> }\n"
	for _, tt := range []struct {
		name, a, b, root string
		dir              string
		paths            []string
	}{
		{"beside one another", "home/x/a.wdl", "home/x/lib/b.wdl", "opt", "home/x", []string{"lib/b.wdl", "a.wdl"}},
		{"below the root", "home/x/a.wdl", "home/x/lib/b.wdl", "home", "home", []string{"x/lib/b.wdl", "x/a.wdl"}},
		{"found from the root", "home/x/a.wdl", "home/lib/b.wdl", "home", "home", []string{"lib/b.wdl", "x/a.wdl"}},
		{"found from the root, elsewhere", "home/x/a.wdl", "home/y/lib/b.wdl", "home/y", "home", []string{"y/lib/b.wdl", "x/a.wdl"}},
		{"at the top", "a.wdl", "lib/b.wdl", "", ".", []string{"lib/b.wdl", "a.wdl"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc, found := wdl.Load(fstest.MapFS{tt.a: {Data: []byte(a)}, tt.b: {Data: []byte(b)}}, tt.a, wdl.Options{Root: tt.root})
			if wdl.Refused(found) {
				t.Fatal(found)
			}
			dir := doc.Shorten()
			var paths []string
			for _, d := range doc.All() {
				paths = append(paths, d.Source.Path)
			}
			if (dir != tt.dir && !(tt.dir == "." && dir == "")) || !slices.Equal(paths, tt.paths) {
				t.Errorf("from %q: %q, want %q and %q", dir, paths, tt.dir, tt.paths)
			}
			def, found := wdl.Compile(doc, wdl.Options{})
			if wdl.Refused(found) {
				t.Fatal(found)
			}
			if _, err := wdl.Open(&def.Graph); err != nil {
				t.Error(err)
			}
		})
	}
}

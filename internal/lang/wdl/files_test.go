package wdl

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

// bareSite has a directory, and no files elsewhere.
type bareSite struct{ Site }

func (bareSite) Fetch(_ context.Context, _ flow.Run, name, _ string) error {
	return flow.Errorf(flow.NotFound, "there is no file %s", name)
}

// TestNamesOfFiles has names lead to files as tasks mean them, where tasks see
// the run's directory under another name and where they do not.
func TestNamesOfFiles(t *testing.T) {
	outside := t.TempDir()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "work/1-t.1")
	err = errors.Join(
		os.MkdirAll(filepath.Join(work, "sub"), 0o755), os.MkdirAll(filepath.Join(dir, "work/0-s.1"), 0o755),
		os.WriteFile(filepath.Join(work, "sub/a.txt"), nil, 0o644), os.WriteFile(filepath.Join(work, ".hidden"), nil, 0o644),
		os.WriteFile(filepath.Join(dir, "work/0-s.1/in"), nil, 0o644), os.WriteFile(filepath.Join(outside, "secret"), nil, 0o644),
		os.Symlink("sub/a.txt", filepath.Join(work, "near")), os.Symlink("sub", filepath.Join(work, "dir")),
		os.Symlink(RunDir+"/work/0-s.1/in", filepath.Join(work, "input")), os.Symlink(dir+"/work/0-s.1/in", filepath.Join(work, "host")),
		os.Symlink(RunDir+"/work/0-s.1", filepath.Join(work, "inputs")), os.Symlink("../../../x", filepath.Join(work, "up")),
		os.Symlink(outside, filepath.Join(work, "out")), os.Symlink(RunDir+"/../"+filepath.Base(outside), filepath.Join(work, "dots")),
		os.Symlink("nowhere", filepath.Join(work, "dangling")), os.Symlink("loop", filepath.Join(work, "loop")), os.Symlink(RunDir, filepath.Join(work, "top")),
	)
	if err != nil {
		t.Fatal(err)
	}
	const leads = "leads out of the run's directory"
	for _, seen := range []string{RunDir, dir} {
		f := &runFiles{p: &Performer{Site: bareSite{}}, ctx: t.Context(), dir: dir, seen: seen, work: work}
		for _, tt := range []struct{ name, want, fails string }{
			{"sub/a.txt", "work/1-t.1/sub/a.txt", ""},
			{"near", "work/1-t.1/sub/a.txt", ""},
			{"dir/a.txt", "work/1-t.1/sub/a.txt", ""},
			{"dir/../near", "work/1-t.1/sub/a.txt", ""},
			{"./", "work/1-t.1", ""},
			{"input", "work/0-s.1/in", ""},
			{"inputs/in", "work/0-s.1/in", ""},
			{"host", "work/0-s.1/in", ""},
			{"top/work/0-s.1/in", "work/0-s.1/in", ""},
			{RunDir + "/work/0-s.1/in", "work/0-s.1/in", ""},
			{RunDir + "/work/1-t.1/input", "work/0-s.1/in", ""},
			{dir + "/work/0-s.1/in", "work/0-s.1/in", ""},
			{"up", "", leads},
			{"out/secret", "", leads},
			{"dots/secret", "", leads},
			{"../../../" + filepath.Base(outside), "", leads},
			{"loop", "", "too many levels"},
			{"dangling", "", "no such file"},
			{RunDir + "/nowhere", "", "there is no " + RunDir + "/nowhere"},
			{outside + "/secret", "", "INPUT_URI_NOT_FOUND"},
			{RunDir + "x/y", "", "INPUT_URI_NOT_FOUND"},
		} {
			got, err := f.local(t.Context(), tt.name)
			switch {
			case tt.fails != "":
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("in %s: local(%q) = %q, %v; want an error with %q", seen, tt.name, got, err, tt.fails)
				}
			case err != nil || got != filepath.Join(seen, tt.want):
				t.Errorf("in %s: local(%q) = %q, %v; want %q", seen, tt.name, got, err, filepath.Join(seen, tt.want))
			}
		}
		for _, tt := range []struct {
			pattern string
			want    []string
		}{
			{"*", []string{"dots", "host", "input", "loop", "near", "out", "up"}}, // whoever takes some of them is told
			{"*/a.txt", []string{"dir/a.txt", "sub/a.txt"}},
			{"{near,sub/*}", []string{"near", "sub/a.txt"}},
			{"inputs/*", []string{"inputs/in"}},
			{"out/*", nil},
			{".h*", []string{".hidden"}},
		} {
			got, err := f.Glob(tt.pattern)
			var want []string
			for _, w := range tt.want {
				want = append(want, filepath.Join(seen, "work/1-t.1", w))
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("in %s: Glob(%q) = %q, %v; want %q", seen, tt.pattern, got, err, want)
			}
		}
		if got, err := f.Glob("["); err == nil {
			t.Errorf(`Glob("[") = %q; want an error`, got)
		}
		if _, err := f.output("nothing"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("output of what is not there: %v, want %v", err, fs.ErrNotExist)
		}
	}
}

package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

func TestWriteOpenLinkRemove(t *testing.T) {
	d := open(t, t.TempDir())
	id, size, err := d.Write(t.Context(), strings.NewReader("content"))
	if err != nil || size != 7 {
		t.Fatalf("Write = %q, %d, %v; want 7 bytes", id, size, err)
	}
	twin, err := d.Link(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(id); err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, twin); got != "content" {
		t.Errorf("linked content = %q; want %q", got, "content")
	}
	for _, bad := range []string{id, "", "../../etc/passwd", strings.Repeat("a", 24), strings.Repeat("/", 24)} {
		if _, err := d.Open(bad); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open(%q): %v; want ErrNotExist", bad, err)
		}
		if _, err := d.Link(bad); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Link(%q): %v; want ErrNotExist", bad, err)
		}
		if err := d.Remove(bad); err != nil {
			t.Errorf("Remove(%q): %v; want nil", bad, err)
		}
	}
}

func TestFailedWriteKeepsNothing(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	broken := errors.New("broken")
	_, _, err := d.Write(t.Context(), io.MultiReader(strings.NewReader("half"), failing{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("Write of a failing reader: %v; want its error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := d.Write(ctx, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Write when canceled: %v; want Canceled", err)
	}
	if got := count(t, dir); got != 0 {
		t.Errorf("%d files are left; want none", got)
	}
}

func TestSweepRemovesWhatNobodyRemembers(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	var kept, lost []string
	for i := range 1300 {
		id, err := d.write(strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		if i%13 == 0 {
			kept = append(kept, id)
		} else {
			lost = append(lost, id)
		}
	}
	os.WriteFile(filepath.Join(dir, "tmp", "half"), nil, 0o600)
	d.Close()

	d = open(t, dir)
	fresh, _, err := d.Write(t.Context(), strings.NewReader("not remembered yet"))
	if err != nil {
		t.Fatal(err)
	}
	removed, err := d.Sweep(t.Context(), func(_ context.Context, ids []string) ([]string, error) {
		if len(ids) > 500 {
			t.Errorf("asked about %d ids at once; want at most 500", len(ids))
		}
		return kept, nil
	})
	if err != nil || removed != len(lost) {
		t.Errorf("Sweep removed %d, %v; want %d", removed, err, len(lost))
	}
	if got, want := count(t, dir), len(kept)+1; got != want {
		t.Errorf("%d files are left; want %d", got, want)
	}
	if got := read(t, d, fresh); got != "not remembered yet" {
		t.Errorf("the sweep took a content of this process: %q", got)
	}
}

func TestClaim(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		owner string
		want  flow.Kind
		ok    bool
	}{{"a", 0, true}, {"a", 0, true}, {"b", flow.Conflict, false}} {
		d := open(t, dir)
		if err := d.Claim(tt.owner); err == nil != tt.ok || flow.KindOf(err) != tt.want {
			t.Errorf("Claim(%q): %v; want ok %v, kind %v", tt.owner, err, tt.ok, tt.want)
		}
		d.Close()
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if _, err := Open(dir); flow.KindOf(err) != flow.Busy {
		t.Errorf("second Open: %v; want Busy", err)
	}
	d.Close()
	open(t, dir)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func open(t *testing.T, dir string) *Dir {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// write keeps r without waiting for the disk.
func (d *Dir) write(r io.Reader) (string, error) {
	id := d.newID()
	data, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	return id, os.WriteFile(d.path(id), data, 0o600)
}

func read(t *testing.T, d *Dir, id string) string {
	t.Helper()
	f, err := d.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// count returns how many contents dir holds, whole or not.
func count(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && e.Name() != "lock" {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

package operator

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUploads holds what a config's S3Upload puts into S3: a file as it is, or
// an archive of a file or of what a directory holds.
func TestUploads(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"one.txt": "one\n", "sub/two.txt": "two\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		path string
		want map[string]string
	}{
		{dir, map[string]string{"one.txt": "one\n", "sub": "", "sub/two.txt": "two\n"}},
		{filepath.Join(dir, "one.txt"), map[string]string{"one.txt": "one\n"}},
	} {
		text, err := readUpload(tt.path, true)
		if err != nil {
			t.Fatalf("readUpload(%s): %v", tt.path, err)
		}
		if d := cmp.Diff(tt.want, untar(t, text)); d != "" {
			t.Errorf("the archive of %s (-want +got)\n%s", tt.path, d)
		}
	}
	if text, err := readUpload(filepath.Join(dir, "one.txt"), false); text != "one\n" || err != nil {
		t.Errorf("readUpload(one.txt) = %q, %v", text, err)
	}
	if err := os.Truncate(filepath.Join(dir, "one.txt"), maxUpload+1); err != nil {
		t.Fatal(err)
	}
	for _, archive := range []bool{false, true} {
		if _, err := readUpload(filepath.Join(dir, "one.txt"), archive); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("readUpload of a file that is too large, archive %v: %v", archive, err)
		}
	}
}

func untar(t *testing.T, text string) map[string]string {
	z, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(b)
	}
}

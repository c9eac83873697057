package code

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

// objects is a bucket: keys and bytes.
type objects map[string][]byte

func (o objects) Open(_ context.Context, bucket, key, _ string) (io.ReadCloser, int64, string, error) {
	data, ok := o[key]
	if !ok {
		return nil, 0, "", flow.Errorf(flow.NotFound, "no object s3://%s/%s", bucket, key)
	}
	return io.NopCloser(bytes.NewReader(data)), int64(len(data)), "", nil
}

type entry struct {
	name, text string
	mode       fs.FileMode
}

func zipped(t *testing.T, entries ...entry) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode | 0o644)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpacked(t *testing.T) {
	limits := Limits{Packed: 10_000, Unpacked: 20_000, Files: 5}
	for _, tt := range []struct {
		name, key string
		data      []byte
		file      string // expected in the result
		want      string // its text, or a part of the error
	}{
		{"one module", "in/tidy.py", []byte("x = 1"), "tidy.py", "x = 1"},
		{"archive", "p.zip", zipped(t, entry{"a.py", "a", 0}, entry{"pkg/b.py", "b", 0}), "pkg/b.py", "b"},
		{"upward path", "p.zip", zipped(t, entry{"../evil.py", "a", 0}), "", "outside"},
		{"absolute path", "p.zip", zipped(t, entry{"/etc/evil", "a", 0}), "", "outside"},
		{"link", "p.zip", zipped(t, entry{"l", "/etc/passwd", fs.ModeSymlink}), "", "symbolic links"},
		{"bomb", "p.zip", zipped(t, entry{"z", strings.Repeat("0", 30_000), 0}), "", "more than 20000 bytes"},
		{"too many files", "p.zip", zipped(t, make([]entry, 6)...), "", "at most 5"},
		{"no archive", "p.zip", []byte("PK not really"), "", "could not be extracted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			shelf, err := New(t.TempDir(), limits)
			if err != nil {
				t.Fatal(err)
			}
			key, err := shelf.Snapshot(t.Context(), objects{tt.key: tt.data}, "b", tt.key, "")
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time it is there already
				dir, err := shelf.Unpacked(key)
				if tt.file == "" {
					if flow.KindOf(err) != flow.Invalid || !strings.Contains(err.Error(), tt.want) {
						t.Errorf("got error %v, want Invalid with %q", err, tt.want)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(filepath.Join(dir, tt.file))
				if err != nil || string(got) != tt.want {
					t.Errorf("%s: got %q, %v, want %q", tt.file, got, err, tt.want)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(shelf.dir, "*ing-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestSnapshotRefuses(t *testing.T) {
	shelf, err := New(t.TempDir(), Limits{Packed: 10, Unpacked: 10, Files: 5})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]flow.Kind{
		"big.py": flow.Invalid, "module.txt": flow.Invalid, "missing.py": flow.NotFound,
	} {
		_, err := shelf.Snapshot(t.Context(), objects{"big.py": make([]byte, 11), "module.txt": nil}, "b", key, "")
		if got := flow.KindOf(err); err == nil || got != want {
			t.Errorf("Snapshot(%q): got %v (kind %v), want kind %v", key, err, got, want)
		}
	}
}

// TestCrowdedArchive unpacks an archive with very many entries, or long names:
// what is kept of its directory is bounded.
func TestCrowdedArchive(t *testing.T) {
	for name, entry := range map[string]func(i int) string{
		"many entries": strconv.Itoa,
		"long names":   func(i int) string { return fmt.Sprintf("%d%s", i, strings.Repeat("n", 60_000)) },
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		n := 200_000
		if name == "long names" {
			n = 400
		}
		for i := range n {
			if _, err := z.CreateHeader(&zip.FileHeader{Name: entry(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		shelf, err := New(t.TempDir(), Limits{Packed: 1 << 30, Unpacked: 1 << 20, Files: 1000})
		if err != nil {
			t.Fatal(err)
		}
		key, err := shelf.Snapshot(t.Context(), objects{"p.zip": b.Bytes()}, "b", "p.zip", "")
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = shelf.Unpacked(key)
		runtime.ReadMemStats(&after)
		if flow.KindOf(err) != flow.Invalid || !strings.Contains(err.Error(), "too many files") {
			t.Errorf("%s: got %.200v, want that they are too many", name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 10<<20 {
			t.Errorf("%s: reading %d entries took %d bytes of memory, want less than 10 MiB", name, n, took)
		}
	}
}

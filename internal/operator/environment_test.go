package operator

import (
	"os"
	"path/filepath"
	"testing"
)

// TestEnvironmentIsSharedByNameAlone has two packages with one requirements.txt:
// they share what is installed only if nothing of either package can choose it.
func TestEnvironmentIsSharedByNameAlone(t *testing.T) {
	for _, tt := range []struct {
		name, text, file string
		shared           bool
	}{
		{"names", "# ours\nthing==1.0 ; python_version >= '3.9'\nother[extra]~=2.0\n", "uses.py", true},
		{"a path", "thing\n./wheels/other\n", "", false},
		{"an option", "--find-links wheels\nthing\n", "", false},
		{"a wheel beside it", "thing-1.0-py3-none-any.whl\n", "", false},
		{"an archive with extras", "thing-1.0.tar.gz[all]\n", "", false},
		{"in capitals", "THING.ZIP\n", "", false},
		{"a URL of a file", "thing @ file:thing\n", "", false},
		{"a line end of Python's", "thing\r-r more.txt\n", "", false},
		{"a mark of byte order", "\ufeff-r more.txt\n", "", false},
		{"settings of uv", "thing\n", "uv.toml", false},
		{"settings of a project", "thing\n", "pyproject.toml", false},
	} {
		o := &Operators{}
		keys := [2]string{}
		for i := range keys {
			code := t.TempDir()
			if tt.file != "" {
				if err := os.WriteFile(filepath.Join(code, tt.file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			keys[i] = o.environmentKey(code, "", []byte(tt.text))
		}
		if shared := keys[0] == keys[1]; shared != tt.shared {
			t.Errorf("%s: the environment of %q, with the file %q, is shared: %t, want %t", tt.name, tt.text, tt.file, shared, tt.shared)
		}
	}
}

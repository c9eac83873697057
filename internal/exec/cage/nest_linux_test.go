package cage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestRooted(t *testing.T) {
	dir := t.TempDir()
	run, file := filepath.Join(dir, "run"), filepath.Join(dir, "file")
	for _, d := range []string{"attempt/work", "attempt/tmp", "run/calls/1/work", "run/other"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.WriteFile(file, nil, 0o644), os.WriteFile(filepath.Join(run, "single"), nil, 0o644), os.Symlink("other", filepath.Join(run, "link")))
	if err != nil {
		t.Fatal(err)
	}
	outer, work := Mount{Source: run, Target: "/mnt/run"}, filepath.Join(run, "calls/1/work")
	for _, tt := range []struct {
		name   string
		mounts []Mount
		want   []string // targets
		ok     bool
	}{
		{"none", nil, nil, true},
		{"beside each other", []Mount{outer, {Source: work, Target: "/x"}}, []string{"/mnt/run", "/x"}, true},
		{"names that begin alike", []Mount{outer, {Source: work, Target: "/mnt/runs"}}, []string{"/mnt/run", "/mnt/runs"}, true},
		{"in one that has a place", []Mount{outer, {Source: work, Target: "/mnt/run/calls/1/work", Writable: true}}, []string{"/mnt/run"}, true},
		{"a file in one that has a place", []Mount{outer, {Source: file, Target: "/mnt/run/single"}}, []string{"/mnt/run"}, true},
		{"in one in another", []Mount{outer, {Source: run, Target: "/mnt/run/other"}, {Source: file, Target: "/mnt/run/other/single"}}, []string{"/mnt/run"}, true},
		{"in one that has no place", []Mount{outer, {Source: work, Target: "/mnt/run/nowhere"}}, nil, false},
		{"a file where a directory is", []Mount{outer, {Source: file, Target: "/mnt/run/other"}}, nil, false},
		{"a directory where a file is", []Mount{outer, {Source: work, Target: "/mnt/run/single"}}, nil, false},
		{"where a link is", []Mount{outer, {Source: work, Target: "/mnt/run/link"}}, nil, false},
		{"behind a link", []Mount{outer, {Source: work, Target: "/mnt/run/link/x"}}, nil, false},
		{"in its own directories", []Mount{{Source: run, Target: "/tmp/a/b"}, {Source: file, Target: "/home/task/c"}, {Source: file, Target: "/var/tmp/a/d"}}, nil, true},
		{"in the place of its own", []Mount{{Source: run, Target: "/tmp"}, {Source: work, Target: "/home/task"}}, nil, true},
		{"in /run", []Mount{{Source: run, Target: "/run/x"}}, nil, false},
	} {
		list, ok, err := rooted(&Config{Dir: filepath.Join(dir, "attempt"), Mounts: tt.mounts})
		var got []string
		for _, m := range list {
			got = append(got, m.Target)
		}
		if err != nil || ok != tt.ok || !slices.Equal(got, tt.want) {
			t.Errorf("%s: rooted(%v) = %q, %v, %v; want %q, %v", tt.name, tt.mounts, got, ok, err, tt.want, tt.ok)
		}
	}
	for _, name := range []string{"tmp/a/b", "tmp/a/d", "work/c"} {
		if _, err := os.Lstat(filepath.Join(dir, "attempt", name)); err != nil {
			t.Errorf("there is no place in the attempt's own directory: %v", err)
		}
	}
}

// TestPlacesAreNotMadeElsewhere has a command leave a link where a place is to
// be made.
func TestPlacesAreNotMadeElsewhere(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"attempt/work", "attempt/tmp", "elsewhere"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "attempt/tmp/a")); err != nil {
		t.Fatal(err)
	}
	_, _, err := rooted(&Config{Dir: filepath.Join(dir, "attempt"), Mounts: []Mount{{Source: dir, Target: "/tmp/a/b"}}})
	if list, _ := os.ReadDir(filepath.Join(dir, "elsewhere")); len(list) > 0 {
		t.Errorf("a place was made behind the link: %v (%v)", list, err)
	}
}

package main

import (
	"os"
	"path/filepath"
	"testing"

	"fairlead/internal/flow"
)

// TestCopies has S3 copy what it has already, unless the file or the object has
// changed. The file on disk is spoilt without a trace, so that what is in the
// new object tells where it came from.
func TestCopies(t *testing.T) {
	l := newLab(t, nil)
	l.upload("a b+c/ä", "object")
	s, err := l.app.storeOf(t.Context(), flow.Run{ID: "none"})
	if err != nil {
		s, err = l.app.storeOf(t.Context(), flow.Run{ID: flow.RunID(l.begin(object{"workflowId": l.wdl("version 1.0\nworkflow w {}")}))})
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "f")
	if _, err := s.get(t.Context(), "data", "a b+c/ä", file); err != nil {
		t.Fatal(err)
	}
	spoil := func(keepTime bool) {
		t.Helper()
		info, err := os.Stat(file)
		if err == nil {
			err = os.Chmod(file, 0o600)
		}
		if err == nil {
			err = os.WriteFile(file, []byte("onDisk"), 0o600)
		}
		if err == nil && keepTime {
			err = os.Chtimes(file, info.ModTime(), info.ModTime())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(key, want string) {
		t.Helper()
		if _, err := s.put(t.Context(), file, "data", key); err != nil {
			t.Fatal(err)
		}
		if got := l.object(key); got != want {
			t.Errorf("%s: %s, want what is %s", key, got, want)
		}
	}
	spoil(true)
	moved := filepath.Join(t.TempDir(), "g")
	if err := os.Rename(file, moved); err != nil {
		t.Fatal(err)
	}
	file = moved
	put("copy", "object")
	put("a b+c/ä", "onDisk") // not onto itself; from now on that object is another
	spoil(false)
	put("changed file", "onDisk")
	l.upload("changed file", "other!")
	put("changed object", "onDisk")
}

package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckOfArchives checks a definition as a zip and as a directory.
func TestCheckOfArchives(t *testing.T) {
	t.Chdir(t.TempDir())
	texts := map[string]string{
		"main.wdl":      "version 1.0\nimport \"lib/tasks.wdl\"\nworkflow w { call tasks.t }\n",
		"lib/tasks.wdl": "version 1.0\ntask t { command <<< ~{x} >>> }\n",
	}
	f, err := os.Create("def.zip")
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, text := range texts {
		path := filepath.Join("def", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, name := range []string{"def.zip", "def"} {
		out, _, err := try("", "check", name)
		want := name + "/lib/tasks.wdl:2:24: error: there is no \"x\" here\n"
		if err == nil || out != want {
			t.Errorf("check %s: %v\n got %q\nwant %q", name, err, out, want)
		}
	}
	if err := os.WriteFile("def/lib/tasks.wdl", []byte("version 1.0\ntask t { command <<< >>> }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, _, err := try("", "check", "def"); err != nil || out != "" {
		t.Errorf("check def: %q, %v; want nothing", out, err)
	}
	if err := os.Mkdir("none", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := try("", "check", "none"); err == nil || !strings.Contains(err.Error(), "no document") {
		t.Errorf("check of an empty directory: %v", err)
	}
}

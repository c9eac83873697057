package main

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"fairlead/internal/lang/airflow"
	"fairlead/internal/lang/wdl"
)

// isArchive says that a name is that of a definition as HealthOmics takes it:
// a zip, or the directory that one would be made of.
func isArchive(name string) bool {
	if filepath.Ext(name) == ".zip" {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// checkArchive says what is to be said of the documents of a zip or a
// directory, beginning with its main one. The error says which that is, if it
// is not clear, or that the archive is none.
func checkArchive(name string, lenient bool) ([]airflow.FileDiagnostics, error) {
	var fsys fs.FS = os.DirFS(name)
	if filepath.Ext(name) == ".zip" {
		z, err := zip.OpenReader(name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		defer z.Close()
		z.File = slices.DeleteFunc(z.File, func(f *zip.File) bool { return clutter(f.Name) })
		fsys = z
	}
	main, err := wdl.MainFile(fsys, "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o := wdl.Options{Lenient: lenient}
	doc, found := wdl.Load(fsys, main, o)
	if !wdl.Refused(found) {
		// A definition is to be run, so that one without a workflow is refused.
		_, more := wdl.Compile(doc, o)
		found = append(found, more...)
	}
	return byFile(doc, found, func(path string) string {
		return filepath.Join(name, filepath.FromSlash(path))
	}), nil
}

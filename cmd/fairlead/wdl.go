package main

import (
	"os"
	"path/filepath"

	"fairlead/internal/lang/airflow"
	"fairlead/internal/lang/wdl"
)

// isWDL says that a file is a document of the Workflow Description Language.
func isWDL(name string) bool { return filepath.Ext(name) == ".wdl" }

// checkWDL says what is to be said of a document and of those that it
// imports, in the order of their files, the document itself first. Files are
// named as they are from here.
func checkWDL(name string, lenient bool) ([]airflow.FileDiagnostics, error) {
	doc, found, err := loadWDL(name, wdl.Options{Lenient: lenient})
	if err != nil {
		return nil, err
	}
	if doc.Workflow != nil && !wdl.Refused(found) {
		_, more := wdl.Compile(doc, wdl.Options{Lenient: lenient})
		found = append(found, more...)
	}
	return checkedWDL(doc, "", name, found), nil
}

// checkedWDL is [byFile] of a document that was named on the command line, and
// whose path is from a directory below the top of the file system.
func checkedWDL(doc *wdl.Document, dir, name string, found []wdl.Finding) []airflow.FileDiagnostics {
	return byFile(doc, found, func(path string) string {
		if path == doc.Source.Path {
			return name
		}
		return relativeName(filepath.Join(dir, path))
	})
}

// byFile sorts what is to be said by the file of each, the document's own
// first; named is what a person calls the file at a path.
func byFile(doc *wdl.Document, found []wdl.Finding, named func(path string) string) []airflow.FileDiagnostics {
	out := []airflow.FileDiagnostics{{File: named(doc.Source.Path), Source: []byte(doc.Source.Text)}}
	index := map[string]int{doc.Source.Path: 0}
	texts := map[string]string{}
	for _, d := range doc.All() {
		texts[d.Source.Path] = d.Source.Text
	}
	for _, f := range found {
		i, known := index[f.File]
		if !known && f.File != "" {
			i = len(out)
			index[f.File] = i
			out = append(out, airflow.FileDiagnostics{File: named(f.File), Source: []byte(texts[f.File])})
		}
		out[i].Found = append(out[i].Found, f.Diagnostic)
	}
	return out
}

// loadWDL reads a document and what it imports from anywhere on this machine.
// The error is that of a file that cannot be read.
func loadWDL(name string, o wdl.Options) (*wdl.Document, []wdl.Finding, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(abs); err != nil {
		return nil, nil, err
	}
	wd, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	o.Root = filepath.ToSlash(wd)[1:] // where one would make the archive
	doc, found := wdl.Load(os.DirFS("/"), filepath.ToSlash(abs)[1:], o)
	return doc, found, nil
}

// relativeName is the path of a file, whose path from the root is known, as a
// person would name it from the present directory.
func relativeName(rooted string) string {
	abs := "/" + rooted
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, abs); err == nil && len(rel) < len(abs) {
			return rel
		}
	}
	return abs
}

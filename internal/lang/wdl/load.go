package wdl

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"fairlead/internal/flow"
)

// The bounds of a definition of several documents.
const (
	maxDocuments = 500
	maxTotalText = 32 << 20
	maxImports   = 50 // documents that import one another in a row
)

// Options say how documents are read.
type Options struct {
	// Lenient is the reading of HealthOmics' WDL_LENIENT.
	Lenient bool
	// Root is the directory where an import is looked for that is not where it
	// should be, beside the document that imports it; empty is the top of the
	// file system.
	Root string
}

// Load reads the document at a path of a file system, and all that it
// imports, and checks them. It always returns a document; if one of the
// findings is a fault, what it says is not to be relied on.
func Load(fsys fs.FS, file string, o Options) (*Document, []Finding) {
	return load(&loader{findings: &findings{}, fsys: fsys, read: func(file string, most int64) (string, error) {
		f, err := fsys.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, most))
		return string(text), err
	}}, path.Clean(file), o)
}

func load(l *loader, file string, o Options) (*Document, []Finding) {
	l.docs, l.root = map[string]*Document{}, o.Root
	doc := l.load(file, file, Span{})
	doc.root = o.Root
	if l.count[flow.Fault] == 0 {
		check(l.findings, doc, o)
	}
	return doc, l.sorted()
}

// A loader reads documents and what they import, each once.
type loader struct {
	*findings
	fsys  fs.FS // nil: there are no others to suggest
	read  func(file string, most int64) (string, error)
	docs  map[string]*Document
	root  string
	stack []string // the documents that are being read, each imported by the one before
	total int
}

// load reads a document. Where one cannot be read it says so at the place
// that named it, as it was called there, and returns an empty one.
func (l *loader) load(file, called string, from Span) *Document {
	if doc := l.docs[file]; doc != nil {
		return doc
	}
	empty := &Document{Span: Span{Source: &Source{Path: file}, Line: 1, Col: 1, EndLine: 1, EndCol: 1}}
	at := from
	if at.Source == nil {
		at = Span{Source: empty.Source}
	}
	if len(l.docs) >= maxDocuments || len(l.stack) >= maxImports {
		l.fault(at, "", "more than %d documents, or %d that import one another in a row", maxDocuments, maxImports)
		return empty
	}
	text, err := l.read(file, min(maxText, int64(maxTotalText-l.total))+1)
	l.total += len(text)
	switch {
	case l.total > maxTotalText:
		l.fault(at, "", "all documents together have more than %d bytes", maxTotalText)
		return empty
	case errors.Is(err, fs.ErrNotExist):
		l.fault(at, l.meant(path.Base(file), l.beside(file)), "document %q does not exist", called)
		return empty
	case err != nil:
		l.fault(at, "", "document %q cannot be read: %v", called, reason(err))
		return empty
	}
	doc := parse(l.findings, file, text)
	l.docs[file] = doc
	l.stack = append(l.stack, file)
	for _, im := range doc.Imports {
		im.Doc = l.resolve(file, im)
	}
	l.stack = l.stack[:len(l.stack)-1]
	return doc
}

// reason is what an error of a file system says, without the path again.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// resolve reads what an import names: a path relative to the importing
// document, within the file system.
func (l *loader) resolve(file string, im *Import) *Document {
	uri := im.URI
	const local = "put the document beside this one and import it by a relative path"
	switch {
	case uri == "":
		l.fault(im.URIAt, "", "an import names a document")
	case strings.Contains(uri, "://"):
		l.fault(im.URIAt, local, "import %q: documents are not fetched from the network", uri)
	case strings.HasPrefix(uri, "/"):
		l.fault(im.URIAt, local, "import %q: an absolute path", uri)
	default:
		target := path.Join(path.Dir(file), uri)
		if other := path.Join(l.root, uri); !l.has(target) && l.has(other) {
			target = other // as engines resolve it that are given a zip of imports
		}
		if !fs.ValidPath(target) {
			l.fault(im.URIAt, local, "import %q leads out of the definition", uri)
			return nil
		}
		if i := slices.Index(l.stack, target); i >= 0 {
			circle := slices.Concat(l.stack[i:], []string{target})
			l.fault(im.URIAt, "move what both need into a third document", "documents import one another: %s", strings.Join(circle, " → "))
			return nil
		}
		return l.load(target, uri, im.URIAt)
	}
	return nil
}

// has says that there is a document at a path.
func (l *loader) has(file string) bool {
	if l.docs[file] != nil || !fs.ValidPath(file) {
		return l.docs[file] != nil
	}
	_, err := l.read(file, 0)
	return err == nil
}

// beside lists the documents that are where one was expected.
func (l *loader) beside(file string) []string {
	if l.fsys == nil || l.full() {
		return nil
	}
	entries, err := fs.ReadDir(l.fsys, path.Dir(file))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if path.Ext(e.Name()) == ".wdl" {
			out = append(out, e.Name())
		}
	}
	return out
}

// definitions yields the documents of a file system, up to as many as are
// read at most.
func definitions(fsys fs.FS) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		looked := 0
		// An error ends the walk; what was found by then is all there is.
		_ = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
			if looked++; err != nil || looked > 10_000 {
				return fs.SkipAll
			}
			if d.Type().IsRegular() && path.Ext(name) == ".wdl" && !yield(name) {
				return fs.SkipAll
			}
			return nil
		})
	}
}

// MainFile returns the document that a definition begins with: the one that
// is named, or else the only one, or else main.wdl at the top. The error says
// what to name.
func MainFile(fsys fs.FS, named string) (string, error) {
	if named != "" {
		named = path.Clean(named)
		if !fs.ValidPath(named) {
			return "", flow.Errorf(flow.Invalid, "main %q: expected a path within the definition", named)
		}
		if _, err := fs.Stat(fsys, named); err != nil {
			return "", flow.Errorf(flow.Invalid, "main %q is not in the definition, which has %s", named, listed(fsys))
		}
		return named, nil
	}
	only := ""
	for name := range definitions(fsys) {
		if name == "main.wdl" {
			return name, nil
		}
		if only != "" {
			only = "?"
			continue
		}
		only = name
	}
	switch only {
	case "":
		return "", flow.Errorf(flow.Invalid, "the definition has no document: expected a file that ends with .wdl")
	case "?":
		return "", flow.Errorf(flow.Invalid, "the definition has several documents (%s): name one as main, or call it main.wdl", listed(fsys))
	}
	return only, nil
}

// listed names the first documents of a definition.
func listed(fsys fs.FS) string {
	var out []string
	for name := range definitions(fsys) {
		if len(out) == 8 {
			out = append(out, "…")
			break
		}
		out = append(out, name)
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

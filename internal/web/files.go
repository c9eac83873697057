package web

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"fairlead/internal/flow"
)

// dist is what the source in ui is built into.
//
//go:embed all:dist
var dist embed.FS

// A file is one of the built bundle, which is in the program: it takes memory
// only once somebody has asked for it.
type file struct {
	kind string
	name string // within dist
	// zip is what it is packed to.
	zip func() []byte
	// lasting says that the name changes with the content.
	lasting bool
}

// plain reads the file. It is a copy.
func (f *file) plain() []byte {
	data, err := dist.ReadFile(f.name)
	if err != nil {
		panic(err) // the files are in the program
	}
	return data
}

// nonceMark stands in index.html for a number that is used once, by which the
// page may add style sheets of its own.
const nonceMark = "FAIRLEAD-NONCE"

// loadFiles returns the files of the bundle by their path.
func loadFiles() map[string]*file {
	files := map[string]*file{}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		f := &file{kind: kindOf(name), name: name, lasting: strings.Contains(name, "/assets/")}
		f.zip = sync.OnceValue(func() []byte {
			z, _ := gzip.NewWriterLevel(nil, gzip.BestCompression) // a level that there is
			return packWith(z, f.plain())
		})
		files[strings.TrimPrefix(name, "dist/")] = f
		return nil
	})
	if err != nil {
		panic(err) // the files are in the program
	}
	return files
}

// kindOf is the type of a file, whatever the machine's own tables say.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json", ".map", ".webmanifest":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	case ".png":
		return "image/png"
	case ".md", ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// getFile answers with a file of the bundle.
func (s *Console) getFile(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"), "console/")
	f := s.files[name]
	if f == nil || name == "index.html" {
		s.refuse(&call{Request: r, w: w}, flow.Errorf(flow.NotFound, "the console has no file %q", clip(r.URL.Path, 200)))
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Vary", "Accept-Encoding")
	if f.lasting {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	if packs(f.kind) && accepts(r, "gzip") {
		h.Set("Content-Encoding", "gzip")
		_, _ = w.Write(f.zip()) // a browser that has gone is nobody's error
		return
	}
	_, _ = w.Write(f.plain()) // the same
}

// packs reports whether files of a type get smaller when they are packed.
func packs(kind string) bool {
	return !strings.HasPrefix(kind, "font/") && kind != "image/png"
}

// getPage answers with the page that finds out by its address what to show.
func (s *Console) getPage(w http.ResponseWriter, r *http.Request) {
	c := &call{Request: r, w: w}
	nonce := rand.Text()
	page := bytes.ReplaceAll(s.files["index.html"].plain(), []byte(nonceMark), []byte(nonce))
	page = bytes.Replace(page, []byte("</head>"), []byte(s.headOf(c)+"</head>"), 1)
	h := w.Header()
	h.Set("Content-Security-Policy", strings.Replace(policy, "style-src 'self'", "style-src 'self' 'nonce-"+nonce+"'", 1))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Encoding")
	if accepts(r, "gzip") {
		h.Set("Content-Encoding", "gzip")
		page = s.pack(page)
	}
	_, _ = w.Write(page)
}

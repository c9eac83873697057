package web

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"errors"
	"io/fs"
	"mime"
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

// A file is one of the built bundle.
type file struct {
	kind  string
	plain []byte
	br    []byte // made when the bundle was built; nil: not
	zip   func() []byte
	// lasting says that the name changes with the content.
	lasting bool
}

// nonceMark stands in index.html for a number that is used once, by which the
// page may add style sheets of its own.
const nonceMark = "FAIRLEAD-NONCE"

// loadFiles returns the files of the bundle by their path.
func loadFiles() map[string]*file {
	files := map[string]*file{}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".br") || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		data, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		f := &file{kind: kindOf(name), plain: data, lasting: strings.Contains(name, "/assets/")}
		if br, err := dist.ReadFile(name + ".br"); err == nil {
			f.br = br
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f.zip = sync.OnceValue(func() []byte {
			z, _ := gzip.NewWriterLevel(nil, gzip.BestCompression) // a level that there is
			return packWith(z, data)
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
	}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		return kind
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
	body := f.plain
	switch {
	case f.br != nil && accepts(r, "br"):
		h.Set("Content-Encoding", "br")
		body = f.br
	case len(body) >= worthPacking && accepts(r, "gzip") && !strings.HasPrefix(f.kind, "font/") && !strings.HasPrefix(f.kind, "image/png"):
		h.Set("Content-Encoding", "gzip")
		body = f.zip()
	}
	_, _ = w.Write(body) // a browser that has gone is nobody's error
}

// getPage answers with the page that finds out by its address what to show.
func (s *Console) getPage(w http.ResponseWriter, _ *http.Request) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Security-Policy", strings.Replace(policy, "style-src 'self'", "style-src 'self' 'nonce-"+nonce+"'", 1))
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(bytes.ReplaceAll(s.files["index.html"].plain, []byte(nonceMark), []byte(nonce)))
}

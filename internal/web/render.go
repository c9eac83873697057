package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"

	"fairlead/internal/flow"
)

//go:embed html
var htmlFiles embed.FS

//go:embed static
var staticFiles embed.FS

// A view is what to show on which page.
type view struct {
	page  string // the name of its template, without .html
	title string
	// trail leads from the list of workflows to the page.
	trail []link
	// every is how often the page refreshes itself; 0 is never.
	every time.Duration
	data  any
}

type link struct{ Text, URL string }

// How often pages refresh themselves: while something on them is
// unfinished, and while something may begin.
const (
	busy = 1500 * time.Millisecond
	idle = 5 * time.Second
)

func pace(active bool) time.Duration {
	if active {
		return busy
	}
	return idle
}

// pages are the templates by name, and the assets by the name that holds a
// digest of their content, so that browsers may keep them.
type pages struct {
	templates map[string]*template.Template
	assets    map[string]asset
}

type asset struct {
	kind string
	data []byte
}

func loadPages() pages {
	p := pages{templates: map[string]*template.Template{}, assets: map[string]asset{}}
	urls := map[string]string{}
	for name, kind := range map[string]string{
		"console.css": "text/css; charset=utf-8",
		"console.js":  "text/javascript; charset=utf-8",
		"icon.svg":    "image/svg+xml",
	} {
		data := mustRead(staticFiles, "static/"+name)
		sum := sha256.Sum256(data)
		ext := path.Ext(name)
		file := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		p.assets[file] = asset{kind, data}
		urls[name] = "/assets/" + file
	}
	funcs := template.FuncMap{
		"asset": func(name string) string { return urls[name] },
		"after": func(i int) int { return i + 1 },
	}
	base := template.Must(template.New("").Funcs(funcs).Parse(
		string(mustRead(htmlFiles, "html/frame.html")) + string(mustRead(htmlFiles, "html/parts.html"))))
	for _, name := range []string{"home", "workflow", "definition", "run", "task", "error"} {
		t := template.Must(base.Clone())
		p.templates[name] = template.Must(t.Parse(string(mustRead(htmlFiles, "html/"+name+".html"))))
	}
	return p
}

// mustRead reads an embedded file, which cannot fail in a program that was
// built.
func mustRead(fs embed.FS, name string) []byte {
	data, err := fs.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return data
}

// frame is what the template around every page is given.
type frame struct {
	Title           string
	Trail           []link
	Every           int64 // milliseconds
	Seconds         int64 // the same for browsers without scripts
	Account, Region string
	Version         string
	Data            any
}

func (s *Console) render(w http.ResponseWriter, r *http.Request, status int, v view) {
	var b bytes.Buffer
	err := s.pages.templates[v.page].ExecuteTemplate(&b, "frame", frame{
		Title: v.title, Trail: v.trail,
		Every: v.every.Milliseconds(), Seconds: int64((v.every + 4*time.Second).Seconds()),
		Account: s.c.Account, Region: s.c.Region, Version: s.c.Version, Data: v.data,
	})
	if err != nil {
		s.c.Log.ErrorContext(r.Context(), "render page", "path", r.URL.Path, "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that has gone is nobody's error
}

// failure is what the page of an error shows.
type failure struct {
	Status      int
	Name        string
	Message     string
	Path        string
	Back        link
	ShowAddress bool // false towards strangers
}

// fail answers with a page that says what went wrong and where.
func (s *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := failure{Message: err.Error(), Path: clip(r.URL.Path, 500), Back: link{"All workflows", "/"}, ShowAddress: true}
	turned, refused := errors.AsType[*refusal](err)
	switch kind := flow.KindOf(err); {
	case refused:
		f.Status, f.ShowAddress = turned.status, false
	case kind == flow.NotFound:
		f.Status = http.StatusNotFound
		if wf := r.PathValue("workflow"); wf != "" && r.PathValue("run")+r.PathValue("version") != "" {
			f.Back = link{"The workflow " + clip(wf, 100), workflowURL(flow.WorkflowID(wf))}
		}
	case kind == flow.Invalid:
		f.Status, f.Back = http.StatusBadRequest, link{"The front of the list", r.URL.EscapedPath()}
	case kind == flow.Busy || kind == flow.Throttled:
		f.Status = http.StatusServiceUnavailable
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return // nobody is left to read it
	default:
		s.c.Log.ErrorContext(r.Context(), "show page", "path", r.URL.Path, "err", err)
		f.Status, f.Message = http.StatusInternalServerError, "internal error; the server's log says more"
	}
	f.Name = http.StatusText(f.Status)
	s.render(w, r, f.Status, view{page: "error", title: f.Name, data: f})
}

// asset answers with an embedded file. Its name holds its digest, so it may
// be kept.
func (s *Console) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.pages.assets[r.PathValue("file")]
	if !ok {
		s.fail(w, r, flow.Errorf(flow.NotFound, "the console has no file %q", clip(r.PathValue("file"), 200)))
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	_, _ = w.Write(a.data)
}

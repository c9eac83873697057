package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"fairlead/internal/flow"
)

// A call is a page's request on its way to an answer.
type call struct {
	*http.Request
	w     http.ResponseWriter
	query url.Values
	user  string // who asks; empty before somebody has signed in
}

// An endpoint answers a call with what becomes JSON, with a [kept], or with
// nil when it has written the answer itself.
type endpoint func(c *call) (any, error)

// A permit says who may make a call.
type permit int

const (
	anyone   permit = iota
	signedIn        // those with a session
	acting          // those with a session, where the console changes things
)

// prefix begins the path of every call.
const prefix = "/console/api/"

// handle has f answer the calls of a route: a method, and a path below prefix.
func (s *Console) handle(p permit, route string, f endpoint) {
	method, path, _ := strings.Cut(route, " ")
	s.mux.HandleFunc(method+" "+prefix+path, func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, w: w, query: r.URL.Query()}
		answer, err := s.admit(c, p, f)
		if err != nil {
			s.refuse(c, err)
			return
		}
		switch a := answer.(type) {
		case nil:
		case *kept:
			s.writeKept(c, a)
		default:
			s.write(c, http.StatusOK, a)
		}
	})
}

// admit answers a call if who makes it may.
func (s *Console) admit(c *call, p permit, f endpoint) (any, error) {
	if err := s.cross.Check(c.Request); err != nil {
		return nil, &refusal{http.StatusForbidden, "denied", "the request was made by another site's page"}
	}
	c.user = s.userOf(c)
	switch {
	case p == anyone:
	case c.user == "":
		return nil, &refusal{http.StatusUnauthorized, "signedOut", "sign in first"}
	case p == acting && s.c.ReadOnly:
		return nil, &refusal{http.StatusForbidden, "readOnly", "this console shows and changes nothing: it was started with --console-read-only"}
	}
	answer, err := f(c)
	if p == acting && err == nil {
		s.c.Log.InfoContext(c.Context(), "console", "path", c.URL.Path, "by", c.user)
	}
	return answer, err
}

// maxBody bounds the body of a call: a definition is the most there is.
const maxBody = 4 << 20

// decode reads the body of a call, a JSON object whose members are all known.
func (c *call) decode(into any) error {
	if kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return flow.Errorf(flow.Invalid, "the body must be JSON, with the Content-Type application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.Body, maxBody))
	if err != nil {
		return flow.Errorf(flow.Invalid, "the body cannot be read, or has more than %d bytes", maxBody)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields() // a slip must not do less than was asked for
	err = d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("it goes on after the JSON object")
	}
	if err != nil {
		return flow.Errorf(flow.Invalid, "the body is not what this takes: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// number reads a member of the query that is from least to most.
func (c *call) number(name string, otherwise, least, most int64) (int64, error) {
	text := c.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fault(name, "%q: expected a whole number from %d to %d", clip(text, 50), least, most)
	}
	return n, nil
}

// text reads a member of the query of at most most characters.
func (c *call) text(name string, most int) (string, error) {
	text := c.query.Get(name)
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > most {
		return "", fault(name, "expected a text of at most %d characters", most)
	}
	return text, nil
}

func (c *call) flag(name string) bool { return c.query.Get(name) == "true" }

// limit reads how many items a page of a list is to have.
func (c *call) limit(otherwise, most int64) (int, error) {
	n, err := c.number("limit", otherwise, 1, most)
	return int(n), err
}

// page reads which page of a list is asked for; op and args name the list.
func (s *Console) page(c *call, otherwise, most int64, op string, args ...string) (flow.Page, error) {
	n, err := c.limit(otherwise, most)
	if err != nil {
		return flow.Page{}, err
	}
	after, err := s.c.Tokens.Open(c.query.Get("after"), op, args...)
	if err != nil {
		return flow.Page{}, fault("after", "not what this list has answered; begin again at its front")
	}
	return flow.Page{Limit: n, After: after}, nil
}

// fault is what is wrong with one part of a request.
func fault(field, format string, args ...any) error {
	err := flow.Errorf(flow.Invalid, format, args...)
	err.Message = field + ": " + err.Message
	return err.At(field, err.Message)
}

// A refusal is a request that is turned away before it is looked at.
type refusal struct {
	status int
	kind   string
	text   string
}

func (e *refusal) Error() string { return e.text }

// kinds are the words for kinds of error, and their statuses.
var kinds = [...]struct {
	word   string
	status int
}{
	flow.Internal: {"internal", 500}, flow.Invalid: {"invalid", 400}, flow.NotFound: {"notFound", 404}, flow.Conflict: {"conflict", 409},
	flow.Quota: {"quota", 429}, flow.Throttled: {"throttled", 429}, flow.Denied: {"denied", 403}, flow.Busy: {"busy", 503},
}

type fieldView struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

type errorView struct {
	Kind    string      `json:"kind"`
	Message string      `json:"message"`
	Field   string      `json:"field,omitempty"`
	Fields  []fieldView `json:"fields,omitempty"`
}

// maxFields bounds how many fields one error names.
const maxFields = 100

// refuse answers a call with an error.
func (s *Console) refuse(c *call, err error) {
	status, view := s.explain(c.Request, err)
	if status == 0 {
		return
	}
	s.write(c, status, map[string]errorView{"error": view})
}

// explain says what a page is told of an error; a status of 0: nobody is left
// to be told.
func (s *Console) explain(r *http.Request, err error) (int, errorView) {
	if turned, ok := errors.AsType[*refusal](err); ok {
		return turned.status, errorView{Kind: turned.kind, Message: turned.text}
	}
	kind := flow.KindOf(err)
	view := errorView{Kind: kinds[kind].word, Message: err.Error()}
	if e, ok := errors.AsType[*flow.Error](err); ok {
		for _, f := range e.Fields[:min(len(e.Fields), maxFields)] {
			view.Fields = append(view.Fields, fieldView{f.Name, f.Message})
		}
		if len(view.Fields) > 0 {
			view.Field = view.Fields[0].Field
		}
	}
	if kind == flow.Internal {
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			return 0, view
		}
		s.c.Log.ErrorContext(r.Context(), "console", "path", r.URL.Path, "err", err)
		view.Message = "internal error; the server's log says more"
	}
	return kinds[kind].status, view
}

// worthPacking is from how many bytes on an answer is compressed.
const worthPacking = 1400

// write answers with JSON.
func (s *Console) write(c *call, status int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		s.c.Log.ErrorContext(c.Context(), "console", "path", c.URL.Path, "err", err)
		http.Error(c.w, `{"error":{"kind":"internal","message":"internal error"}}`, http.StatusInternalServerError)
		return
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	body := b.Bytes()
	if len(body) >= worthPacking {
		h.Set("Vary", "Accept-Encoding")
		if accepts(c.Request, "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = s.pack(body)
		}
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // a page that has gone is nobody's error
}

// pack compresses an answer that is made once and thrown away.
func (s *Console) pack(body []byte) []byte {
	z := s.packers.Get().(*gzip.Writer)
	defer s.packers.Put(z)
	return packWith(z, body)
}

// packWith compresses what fits in memory, which cannot fail.
func packWith(z *gzip.Writer, body []byte) []byte {
	var b bytes.Buffer
	z.Reset(&b)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

func newPacker() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	return z
}

// accepts reports whether the sender of r takes an encoding.
func accepts(r *http.Request, encoding string) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(part, ";")
		if strings.TrimSpace(name) == encoding {
			return strings.ReplaceAll(strings.TrimSpace(q), " ", "") != "q=0"
		}
	}
	return false
}

// A kept is an answer that was made once, with its name for caches.
type kept struct {
	tag           string
	plain, packed []byte
}

// keep makes an answer that may be given many times.
func (s *Console) keep(tag string, v any) (*kept, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &kept{tag: `"` + tag + `"`, plain: plain, packed: s.pack(plain)}, nil
}

func (s *Console) writeKept(c *call, k *kept) {
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "private, no-cache") // kept, and asked for again
	h.Set("Vary", "Accept-Encoding, Cookie")
	h.Set("ETag", k.tag)
	if slices.Contains(strings.Split(c.Header.Get("If-None-Match"), ", "), k.tag) {
		c.w.WriteHeader(http.StatusNotModified)
		return
	}
	body := k.plain
	if accepts(c.Request, "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = k.packed
	}
	_, _ = c.w.Write(body)
}

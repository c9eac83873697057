// Package restjson is the server's side of the protocol restJson1: it finds
// the operation by method and path, reads members from the path, the query and
// the body, and writes answers and errors. Constraints, answers and errors are
// those of package awsjson. It knows no service, and does not look at the
// host, before which some clients put a prefix.
package restjson

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"fairlead/internal/aws/awsjson"
)

// Config says what one service's wire looks like; see [awsjson.Config].
type Config struct {
	Shapes  map[string]awsjson.Shape
	Check   func(r *http.Request, body []byte) (context.Context, error)
	Fail    func(error) *awsjson.Error
	MaxBody int64
	Log     *slog.Logger
}

// A Service answers the operations that were added with [Handle].
type Service struct {
	*awsjson.Service
	// paths are the operations by method and number of segments, those with
	// fixed segments before those with names.
	paths map[string][]path
	// large has room for the requests whose bodies are beyond the usual bound.
	large chan struct{}
}

// maxLarge is how many requests with large bodies are answered at once: each
// takes several times its body's length of memory, also before its signature
// is checked.
const maxLarge = 2

// A path is how requests name an operation.
type path struct {
	operation string
	segments  []string // one in braces is a member
	status    int
	maxBody   int64
}

// New returns a service without operations. It panics if a shape is not well
// formed.
func New(c Config) *Service {
	s := &Service{paths: map[string][]path{}, large: make(chan struct{}, maxLarge)}
	s.Service = awsjson.New(awsjson.Config{
		Shapes: c.Shapes, Check: c.Check, Fail: c.Fail, MaxBody: c.MaxBody, Log: c.Log,
		LowerMessage: true, HeaderClass: true, ContentType: "application/json", Route: s.route,
	})
	return s
}

// ServeHTTP answers one request. One whose body is beyond the usual bound, or
// of a length that it does not say, waits until there are few of its kind.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength < 0 || r.ContentLength > s.MaxBody {
		select {
		case s.large <- struct{}{}:
			defer func() { <-s.large }()
		case <-r.Context().Done():
			return
		}
	}
	s.Service.ServeHTTP(w, r)
	// Clients read the answer when they have sent their request: one that is cut
	// off finds a broken connection instead of what is wrong.
	_, _ = io.CopyN(io.Discard, r.Body, maxRest)
}

// maxRest bounds how much of a request is read that is refused for its length.
const maxRest = 64 << 20

// An Operation says how requests name an operation.
type Operation struct {
	Name   string
	Method string
	// Path is as in the service's model: /run/{id}/task.
	Path   string
	Status int   // of a good answer
	Body   int64 // bound of the body; zero means the service's
}

// Handle adds an operation; see [awsjson.Handle].
func Handle[In, Out any](s *Service, op Operation, f func(context.Context, *In) (*Out, error)) {
	awsjson.Handle(s.Service, op.Name, f)
	p := path{op.Name, strings.Split(op.Path, "/"), op.Status, op.Body}
	key := op.Method + " " + fmt.Sprint(len(p.segments))
	s.paths[key] = append(s.paths[key], p)
	slices.SortStableFunc(s.paths[key], func(a, b path) int { return cmp.Compare(a.members(), b.members()) })
}

// members counts the segments that are members.
func (p path) members() int {
	n := 0
	for _, s := range p.segments {
		if strings.HasPrefix(s, "{") {
			n++
		}
	}
	return n
}

// route finds the operation of a request.
func (s *Service) route(r *http.Request) (awsjson.Route, error) {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for _, p := range s.paths[r.Method+" "+fmt.Sprint(len(segments))] {
		texts, ok := p.match(segments)
		if !ok {
			continue
		}
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return awsjson.Route{}, &awsjson.Error{Class: "SerializationException", Status: http.StatusBadRequest, Message: "the query of the URL cannot be read"}
		}
		for name, values := range query {
			if _, ok := texts[name]; !ok {
				texts[name] = values
			}
		}
		return awsjson.Route{Operation: p.operation, Status: p.status, Texts: texts, MaxBody: p.maxBody}, nil
	}
	return awsjson.Route{}, &awsjson.Error{Class: "UnknownOperationException", Status: http.StatusNotFound,
		Message: fmt.Sprintf("no operation has the method %.16q and the path %.200q", r.Method, r.URL.EscapedPath())}
}

// match returns the members that are in the path, decoded.
func (p path) match(segments []string) (map[string][]string, bool) {
	texts := map[string][]string{}
	for i, want := range p.segments {
		name, member := strings.CutPrefix(want, "{")
		if !member {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		text, err := url.PathUnescape(segments[i])
		if err != nil || text == "" {
			return nil, false
		}
		texts[strings.TrimSuffix(name, "}")] = []string{text}
	}
	return texts, true
}

// A Time is sent as RFC 3339 in UTC with microseconds, which are there also
// when they are zero: 2026-11-21T08:00:00.412337Z. Give it the json option
// omitzero.
type Time struct{ time.Time }

// MarshalJSON implements [encoding/json.Marshaler].
func (t Time) MarshalJSON() ([]byte, error) {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return nil, errors.New("year outside of 0..9999")
	}
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000000Z"`)), nil
}

// Package awsjson is the server's side of the protocols awsJson 1.0 and 1.1:
// it routes a request by its target, reads and checks its members by the
// service's model, and writes answers and errors. It knows no service. What
// package restjson shares with it is here too.
package awsjson

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Config says what one service's wire looks like.
type Config struct {
	// Version of the protocol, "1.0" or "1.1".
	Version string
	// Namespace stands before the class in __type, as in
	// "com.amazonaws.mwaaserverless"; empty leaves the bare class.
	Namespace string
	// Shapes are the constrained shapes that members name in their aws tags.
	Shapes map[string]Shape
	// Check admits a request: it checks the signature and returns the
	// context for the operation. Nil admits every request.
	Check func(r *http.Request, body []byte) (context.Context, error)
	// Fail turns an error of an operation, or a broken constraint, into what
	// is sent. Nil means [Standard].
	Fail func(error) *Error
	// LowerMessage sends an error's text as "message" instead of "Message".
	LowerMessage bool
	// HeaderClass names an error's class in the header alone, not as __type.
	HeaderClass bool
	// Route finds the operation that a request names; nil means [Target], of
	// a POST. Its error says that there is none.
	Route func(r *http.Request) (Route, error)
	// ContentType is that of answers; empty means that of the Version.
	ContentType string
	// MaxBody bounds a request's body in bytes; zero means 1 MiB.
	MaxBody int64
	// Log is told of internal errors; nil means slog.Default.
	Log *slog.Logger
}

// A Route is the operation that a request names.
type Route struct {
	Operation string
	// Status is that of a good answer; zero means 200. One of 204 has no body.
	Status int
	// Texts are the members that the path and the query give, by the names in
	// their in tags.
	Texts map[string][]string
	// MaxBody bounds the request's body; zero means that of the service.
	MaxBody int64
}

// A Service answers the operations that were added with [Handle]. Operations
// are added before the first request.
type Service struct {
	Config
	rules map[string]*rule
	ops   map[string]operation
}

// A Stream is the answer of an operation that writes it itself, as long as
// ctx lasts. An error says that nothing was written.
type Stream interface {
	Stream(ctx context.Context, w http.ResponseWriter) error
}

type operation func(ctx context.Context, body []byte, texts map[string][]string) (any, error)

// New returns a service without operations. It panics if a shape is not well
// formed.
func New(c Config) *Service {
	if c.Fail == nil {
		c.Fail = Standard
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.ContentType == "" {
		c.ContentType = "application/x-amz-json-" + c.Version
	}
	s := &Service{Config: c, rules: map[string]*rule{}, ops: map[string]operation{}}
	for name, shape := range c.Shapes {
		s.rules[name] = newRule(name, shape)
	}
	return s
}

// Handle adds an operation. In and Out are structs whose members carry a
// json tag with the member's name and, in In, an aws tag "Shape,required",
// either part of which may be missing. A member with an in tag, whose value
// is "path" or "query", is read from there and not from the body. Members are
// strings, bools, ints, floats, structs, lists, maps with string keys, []byte,
// which is base64 on the wire, or [json.RawMessage] for documents, which are
// kept to the letter. f is called only with a request that the model allows.
func Handle[In, Out any](s *Service, name string, f func(context.Context, *In) (*Out, error)) {
	p := newPlan(s.rules, reflect.TypeFor[In](), "")
	s.ops[name] = func(ctx context.Context, body []byte, texts map[string][]string) (any, error) {
		in := new(In)
		if err := p.decode(body, texts, reflect.ValueOf(in).Elem()); err != nil {
			return nil, err
		}
		return f(ctx, in)
	}
}

// Operations returns the names of the operations, sorted.
func (s *Service) Operations() []string { return slices.Sorted(maps.Keys(s.ops)) }

// A call is what a request's context says of it.
type call struct{ id, op string }

type callKey struct{}

func callOf(ctx context.Context) call {
	c, _ := ctx.Value(callKey{}).(*call)
	if c == nil {
		return call{}
	}
	return *c
}

// Operation returns the name of the operation that ctx belongs to, or "".
func Operation(ctx context.Context) string { return callOf(ctx).op }

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string { return callOf(ctx).id }

// ServeHTTP answers one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := NewUUID()
	w.Header().Set("X-Amzn-Requestid", id)
	route, err := s.route(r)
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, &call{id, route.Operation})) // once: it copies the request
	out, err := s.answer(r, route, err)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if stream, ok := out.(Stream); ok {
		if err := stream.Stream(r.Context(), w); err != nil {
			s.fail(w, r, err)
		}
		return
	}
	// Texts of users' programs pass through here, so broken UTF-8 is mended
	// rather than refused.
	data, err := json.Marshal(out, json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if err != nil {
		s.fail(w, r, fmt.Errorf("encode answer: %w", err))
		return
	}
	s.write(w, max(route.Status, http.StatusOK), data)
}

// route finds the operation of a request.
func (s *Service) route(r *http.Request) (Route, error) {
	if s.Route != nil {
		return s.Route(r)
	}
	route := Route{Operation: Target(r)}
	if _, ok := s.ops[route.Operation]; !ok || r.Method != http.MethodPost {
		return Route{}, &Error{Class: "UnknownOperationException", Status: http.StatusNotFound,
			Message: fmt.Sprintf("no operation %q here: the X-Amz-Target header names it, in a POST", clip(r.Header.Get("X-Amz-Target")))}
	}
	return route, nil
}

// answer carries out the operation, or returns what is wrong with its route
// to whom it is due; a panic becomes an error.
func (s *Service) answer(r *http.Request, route Route, unknown error) (out any, err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	body, err := s.read(r, route)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	if s.Check != nil {
		if ctx, err = s.Check(r, body); err != nil {
			return nil, err
		}
	}
	if unknown != nil {
		return nil, unknown
	}
	return s.ops[route.Operation](ctx, body, route.Texts)
}

// Target returns the operation that a request names: what follows the last
// dot of X-Amz-Target, since clients differ in what stands before.
func Target(r *http.Request) string {
	target := r.Header.Get("X-Amz-Target")
	return target[strings.LastIndexByte(target, '.')+1:]
}

func (s *Service) read(r *http.Request, route Route) ([]byte, error) {
	most := s.MaxBody
	if route.MaxBody > 0 {
		most = route.MaxBody
	}
	if r.ContentLength > most {
		return nil, tooLarge(most)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return nil, &Error{Class: "RequestAbortedException", Status: http.StatusBadRequest, Message: "the request body ended early"}
	}
	if int64(len(body)) > most {
		return nil, tooLarge(most)
	}
	return body, nil
}

func tooLarge(most int64) error {
	return &Error{Class: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("the request body is larger than %d bytes", most)}
}

func (s *Service) write(w http.ResponseWriter, status int, data []byte) {
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", s.ContentType)
	w.WriteHeader(status)
	// A client that has gone is not our concern.
	_, _ = w.Write(data)
}

// NewUUID returns a random UUID, of version 4.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// A Time is sent as ISO 8601 in UTC with microseconds, as the services print
// theirs: 2026-11-21T08:00:00.412337+00:00. Give it the json option omitzero.
type Time struct{ time.Time }

// MarshalJSON implements [encoding/json.Marshaler].
func (t Time) MarshalJSON() ([]byte, error) {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return nil, errors.New("year outside of 0..9999")
	}
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000000-07:00"`)), nil
}

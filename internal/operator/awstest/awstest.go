// Package awstest is an AWS endpoint that answers by a script. It speaks the
// protocols of the services on the wire, by their models, of which models/
// has the parts that operators use, and checks that each request is the one
// that the script expects.
package awstest

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:embed models/*.json
var models embed.FS

// An Exchange is one request that is expected, and its answer.
type Exchange struct {
	Call  string // "service:Operation", by the Python SDK's names
	Input any    // what the request must hold; nil does not look. "*" stands for any value
	Reply map[string]any
	Error *Fault // the answer instead of Reply
	Then  func() // called before the answer is sent; nil is nothing
}

// A Fault is an error of the service.
type Fault struct {
	Code, Message string
	Status        int // 0 is 400
}

// A Server answers by a script.
type Server struct {
	URL string

	t      testing.TB
	mu     sync.Mutex
	script []Exchange
	at     int
	bad    bool
}

// Serve starts a server that the end of the test closes. The test fails if a
// request is not the one that is next in the script.
func Serve(t testing.TB, script []Exchange) *Server {
	s := &Server{t: t, script: script}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Done returns how many exchanges have been had.
func (s *Server) Done() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.refuse(w, "read the request: %v", err)
		return
	}
	if s.at == len(s.script) {
		s.refuse(w, "unexpected request after the end of the script: %s %s %s\n%.2000s", r.Method, r.URL, r.Header.Get("X-Amz-Target"), body)
		return
	}
	x := s.script[s.at]
	service, op, _ := strings.Cut(x.Call, ":")
	m, err := Load(service)
	if err != nil {
		s.refuse(w, "%v", err)
		return
	}
	got, err := m.request(op, r, body)
	if err != nil {
		s.refuse(w, "request %d should be %s: %v\n%s %s %s\n%.2000s", s.at+1, x.Call, err, r.Method, r.URL, r.Header.Get("X-Amz-Target"), body)
		return
	}
	if x.Input != nil {
		want := plain(x.Input)
		got := plain(masked(got, want))
		if d := cmp.Diff(want, got); d != "" {
			text, _ := json.Marshal(got)
			s.t.Errorf("request %d, %s: got %s\n(-want +got)\n%s", s.at+1, x.Call, text, d)
			s.bad = true
		}
	}
	s.at++
	if x.Then != nil {
		x.Then()
	}
	id := fmt.Sprintf("req-%d", s.at)
	w.Header().Set("X-Amzn-Requestid", id)
	if x.Error != nil {
		m.fail(w, x.Error, id)
		return
	}
	if err := m.answer(w, op, x.Reply, id); err != nil {
		s.refuse(w, "the script's reply to %s: %v", x.Call, err)
	}
}

// refuse fails the test and the request, in a way that is not tried again.
func (s *Server) refuse(w http.ResponseWriter, format string, args ...any) {
	s.bad = true
	s.t.Errorf(format, args...)
	w.WriteHeader(http.StatusBadRequest)
}

// plain turns a value into what JSON makes of it.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if json.Unmarshal(text, &out) != nil {
		return v
	}
	return out
}

// masked puts "*" where the script does not care.
func masked(got, want any) any {
	switch w := want.(type) {
	case string:
		if w == "*" && got != nil {
			return "*"
		}
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			out := map[string]any{}
			for k, v := range g {
				out[k] = masked(v, w[k])
			}
			return out
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			out := make([]any, len(g))
			for i := range g {
				out[i] = masked(g[i], w[i])
			}
			return out
		}
	}
	return got
}

package omics

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/internal/aws/restjson"
	"fairlead/internal/aws/sigv4"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

type ring map[string]sigv4.Key

func (k ring) Key(_ context.Context, id, _ string) (sigv4.Key, bool, error) {
	key, ok := k[id]
	return key, ok, nil
}

// echo is a service that answers with what it was asked, and checks
// signatures. Each operation has the door's own input.
func echo() http.Handler {
	v := &sigv4.Verifier{Keys: ring{testKey: {Secret: testSecret}}, Service: Service, Flavor: sigv4.REST,
		Now: func() time.Time { return time.Date(2026, 11, 21, 8, 0, 7, 0, time.UTC) }}
	s := restjson.New(restjson.Config{Shapes: shapes(), Check: func(r *http.Request, body []byte) (context.Context, error) {
		_, err := v.Verify(r, body)
		return r.Context(), err
	}})
	on := func(op restjson.Operation) restjson.Operation {
		op.Status = http.StatusOK // so that there is a body
		return op
	}
	for _, op := range (&Door{}).operations() {
		switch op.Name {
		case "CreateWorkflow":
			restjson.Handle(s, on(op.Operation), same[createWorkflowRequest])
		case "GetWorkflow":
			restjson.Handle(s, on(op.Operation), same[getWorkflowRequest])
		case "ListWorkflows":
			restjson.Handle(s, on(op.Operation), same[listWorkflowsRequest])
		case "StartRun":
			restjson.Handle(s, on(op.Operation), same[startRunRequest])
		case "GetRun":
			restjson.Handle(s, on(op.Operation), same[getRunRequest])
		case "ListRuns":
			restjson.Handle(s, on(op.Operation), same[listRunsRequest])
		case "CancelRun":
			restjson.Handle(s, on(op.Operation), same[cancelRunRequest])
		case "DeleteRun":
			restjson.Handle(s, on(op.Operation), same[deleteRunRequest])
		case "ListRunTasks":
			restjson.Handle(s, on(op.Operation), same[listRunTasksRequest])
		case "GetRunTask":
			restjson.Handle(s, on(op.Operation), same[getRunTaskRequest])
		case "CreateRunGroup":
			restjson.Handle(s, on(op.Operation), same[createRunGroupRequest])
		case "GetRunGroup":
			restjson.Handle(s, on(op.Operation), same[getRunGroupRequest])
		case "TagResource":
			restjson.Handle(s, on(op.Operation), same[tagResourceRequest])
		}
	}
	return s
}

func same[T any](_ context.Context, in *T) (*T, error) { return in, nil }

func TestWireCases(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "cases", "wire.jsonl"))
	if err != nil {
		t.Skipf("the shared cases are not here: %v", err)
	}
	reader, n := echo(), 0
	for line := range bytes.Lines(data) {
		var c struct {
			Name, Service, Method, URI string
			Headers                    map[string]string
			Body, Expect               string
			Input                      json.RawMessage
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Service != Service {
			continue
		}
		n++
		r := httptest.NewRequest(c.Method, c.URI, strings.NewReader(c.Body))
		for name, value := range c.Headers {
			r.Header.Set(name, value)
		}
		r.Host = c.Headers["Host"]
		res := httptest.NewRecorder()
		reader.ServeHTTP(res, r)
		if c.Expect != "ok" {
			t.Errorf("%s: no such expectation is known: %s", c.Name, c.Expect)
		}
		if diff := cmp.Diff(exact(t, c.Input), exact(t, res.Body.Bytes())); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.Name, diff)
		}
	}
	if n != 30 {
		t.Errorf("%d cases, want 30", n)
	}
}

// exact reads JSON and keeps the digits of numbers.
func exact(t *testing.T, data []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Errorf("%s: %v", data, err)
	}
	return v
}

// TestMalformedRequests holds what every operation answers to what is no request
// of it: a class, a message, and nothing is asked of those behind the door.
func TestMalformedRequests(t *testing.T) {
	d := New(Config{Log: slog.New(slog.DiscardHandler)})
	ask := func(op operation, path, body, class string) {
		t.Helper()
		r := httptest.NewRequest(op.Method, path, strings.NewReader(body))
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		var out struct{ Message string }
		err := json.Unmarshal(w.Body.Bytes(), &out)
		if got := w.Header().Get("X-Amzn-Errortype"); got != class || w.Code != http.StatusBadRequest || err != nil || out.Message == "" {
			t.Errorf("%s %s %.20q: %d %s %s, want 400 %s with a message", op.Method, path, body, w.Code, got, w.Body, class)
		}
	}
	for _, op := range d.operations() {
		if strings.Contains(op.Name, "Share") {
			continue // those say that there is none
		}
		good := strings.NewReplacer("{id}", "1", "{taskId}", "1", "{workflowId}", "1", "{versionName}", "v", "{batchId}", "1", "{name}", "n", "{resourceArn}", "arn%3Ax").Replace(op.Path)
		for _, body := range []string{"{", "[]", `"x"`, "1", "\xff", `{"a":1,"a":2}`, "{}x", strings.Repeat("[", 5000)} {
			ask(op, good, body, "SerializationException")
		}
		ask(op, good+"?%zz=1", "", "SerializationException")
		for member, bad := range map[string]string{
			"{id}": "x", "{taskId}": "1111111111111111111", "{workflowId}": "%00", "{versionName}": "-v", "{batchId}": "..%2F", "{name}": "%20", "{resourceArn}": strings.Repeat("a", 151),
		} {
			if !strings.Contains(op.Path, member) {
				continue
			}
			path := strings.Replace(op.Path, member, bad, 1)
			path = strings.NewReplacer("{id}", "1", "{taskId}", "1", "{workflowId}", "1", "{versionName}", "v").Replace(path)
			ask(op, path, "", "ValidationException")
		}
	}
}

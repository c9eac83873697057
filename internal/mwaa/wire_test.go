package mwaa

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/aws/sigv4"
)

type wireCase struct {
	Name, Service, Operation, Method, URI string
	Headers                               map[string]string
	Body                                  *string
	BodyBase64                            []byte `json:"body_base64"`
	Expect, Member                        string
	Status                                int
	Accept                                []string
	Input                                 json.RawMessage
}

func (c *wireCase) request() *http.Request {
	body := c.BodyBase64
	if c.Body != nil {
		body = []byte(*c.Body)
	}
	r := httptest.NewRequest(c.Method, c.URI, bytes.NewReader(body))
	for name, value := range c.Headers {
		r.Header.Set(name, value)
	}
	r.Host = c.Headers["Host"]
	return r
}

func wireCases(t *testing.T) []wireCase {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "cases", "wire.jsonl"))
	if err != nil {
		t.Skipf("the shared cases are not here: %v", err)
	}
	var cases []wireCase
	for line := range bytes.Lines(data) {
		var c wireCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Service == "mwaa-serverless" {
			cases = append(cases, c)
		}
	}
	return cases
}

// echo is a service that answers with what it was asked. It checks the
// signatures that there are, but for those of a temporary credential, whose
// secret the cases do not tell.
func echo() http.Handler {
	v := &sigv4.Verifier{Keys: ring{testKey: {Secret: testSecret}}, Service: Service, Now: func() time.Time { return time.Date(2026, 11, 21, 8, 0, 7, 0, time.UTC) }}
	s := awsjson.New(awsjson.Config{Version: "1.0", Shapes: shapes(false), Check: func(r *http.Request, body []byte) (context.Context, error) {
		if r.Header.Get("Authorization") == "" || r.Header.Get("X-Amz-Security-Token") != "" {
			return r.Context(), nil
		}
		_, err := v.Verify(r, body)
		return r.Context(), err
	}})
	reflectOn[createWorkflowRequest](s, "CreateWorkflow")
	reflectOn[updateWorkflowRequest](s, "UpdateWorkflow")
	reflectOn[deleteWorkflowRequest](s, "DeleteWorkflow")
	reflectOn[getWorkflowRequest](s, "GetWorkflow")
	reflectOn[listWorkflowsRequest](s, "ListWorkflows")
	reflectOn[listWorkflowVersionsRequest](s, "ListWorkflowVersions")
	reflectOn[startWorkflowRunRequest](s, "StartWorkflowRun")
	reflectOn[stopWorkflowRunRequest](s, "StopWorkflowRun")
	reflectOn[getWorkflowRunRequest](s, "GetWorkflowRun")
	reflectOn[listWorkflowRunsRequest](s, "ListWorkflowRuns")
	reflectOn[listTaskInstancesRequest](s, "ListTaskInstances")
	reflectOn[getTaskInstanceRequest](s, "GetTaskInstance")
	reflectOn[tagResourceRequest](s, "TagResource")
	reflectOn[untagResourceRequest](s, "UntagResource")
	reflectOn[listTagsForResourceRequest](s, "ListTagsForResource")
	return s
}

func reflectOn[T any](s *awsjson.Service, op string) {
	awsjson.Handle(s, op, func(_ context.Context, in *T) (*T, error) { return in, nil })
}

type ring map[string]sigv4.Key

func (k ring) Key(_ context.Context, id, _ string) (sigv4.Key, bool, error) {
	key, ok := k[id]
	return key, ok, nil
}

func TestWireCases(t *testing.T) {
	reader := echo()
	w := newWorld(t, func(c *Config) { c.Check = nil })
	for _, c := range wireCases(t) {
		if c.Expect == "ok" {
			res := httptest.NewRecorder()
			reader.ServeHTTP(res, c.request())
			if diff := cmp.Diff(parse(t, c.Input), parse(t, res.Body.Bytes())); diff != "" {
				t.Errorf("%s: %s (-want +got)\n%s", c.Name, c.Operation, diff)
			}
			continue
		}
		res := httptest.NewRecorder()
		w.door.ServeHTTP(res, c.request())
		data, _ := io.ReadAll(res.Body)
		var got struct {
			Type      string `json:"__type"`
			Message   string
			FieldList []struct{ Name string }
		}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Errorf("%s: %s", c.Name, data)
			continue
		}
		class := got.Type[strings.LastIndex(got.Type, "#")+1:]
		if class != c.Expect && !slices.Contains(c.Accept, class) || res.Code != c.Status {
			t.Errorf("%s: got %d %s, want %d %s %v", c.Name, res.Code, data, c.Status, c.Expect, c.Accept)
		}
		if c.Member != "" && class == "ValidationException" {
			found := false
			for _, f := range got.FieldList {
				found = found || f.Name == c.Member || strings.HasPrefix(f.Name, c.Member+".") || strings.HasPrefix(f.Name, c.Member+"[")
			}
			if !found {
				t.Errorf("%s: FieldList of %s does not name %s", c.Name, data, c.Member)
			}
		}
		if c.Member != "" && class == "SerializationException" && !strings.Contains(got.Message, c.Member) {
			t.Errorf("%s: message %q does not name %s", c.Name, got.Message, c.Member)
		}
	}
}

func parse(t *testing.T, data []byte) any {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Errorf("%s: %v", data, err)
	}
	return v
}

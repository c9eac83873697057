package trace

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestCollector drives a run whose engine is restored from its rows half way,
// and has a collector decode what it is sent with OpenTelemetry's own types.
func TestCollector(t *testing.T) {
	var got []*otlp.Span
	answers := []int{http.StatusServiceUnavailable} // the first time; then it takes all
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("X-Key") != "a b" {
			t.Errorf("%s %v", r.URL.Path, r.Header)
		}
		if len(answers) > 0 {
			w.WriteHeader(answers[0])
			answers = answers[1:]
			return
		}
		var in otlp.TracesData // on the wire the same as ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &in); err != nil {
			t.Error(err)
			return
		}
		for _, rs := range in.ResourceSpans {
			if s := rs.Resource.String(); !strings.Contains(s, `"service.name"`) || !strings.Contains(s, `"tests"`) {
				t.Errorf("resource %s", s)
			}
			for _, ss := range rs.ScopeSpans {
				got = append(got, ss.Spans...)
			}
		}
	}))
	defer collector.Close()
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL + "/", "OTEL_SERVICE_NAME": "tests", "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=a%20b"}
	set, on, err := FromEnv("", func(name string) string { return env[name] })
	if err != nil || !on {
		t.Fatal(on, err)
	}
	e := New(set, slog.New(slog.DiscardHandler))

	g := &flow.Graph{Nodes: []flow.Node{{ID: "a", Kind: "Bash", Retries: 1}, {ID: "b", Kind: "Bash", After: []flow.TaskID{"a"}}}}
	epoch := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	row := flow.Run{ID: "r", Workflow: "etl", State: flow.Starting, Created: epoch.Add(-time.Second)}
	r := engine.New(row, g, engine.Options{})
	apply := func(at int, id flow.TaskID, what engine.What) {
		t.Helper()
		s, changed, err := r.Apply(engine.Event{At: epoch.Add(time.Duration(at) * time.Second), Task: id, What: what})
		if err != nil || !changed {
			t.Fatal(changed, err)
		}
		e.Add(Of(s.Run, s.Tasks, s.Entry, nil)...)
	}
	apply(0, "", engine.Begin{})
	apply(1, "a", engine.Started{Attempt: 1})
	apply(2, "a", engine.Ended{Attempt: 1, Outcome: flow.Outcome{Verdict: flow.Failure, Reason: "no"}})
	if r, err = engine.Restore(r.Row(), g, r.Tasks(), engine.Options{}); err != nil {
		t.Fatal(err)
	}
	apply(4, "a", engine.Started{Attempt: 2})
	call, ok := Call(Parent(row, "a", 2), "SQS", "SendMessage", epoch.Add(4*time.Second), epoch.Add(5*time.Second), 403, nil)
	if !ok {
		t.Fatal("the attempt's variable is not taken")
	}
	e.Add(call)
	apply(6, "a", engine.Ended{Attempt: 2, Outcome: flow.Outcome{Verdict: flow.Success}})
	apply(7, "b", engine.Started{Attempt: 1})
	apply(9, "b", engine.Ended{Attempt: 1, Outcome: flow.Outcome{Verdict: flow.Success}})
	e.Flush(t.Context())

	names := map[string]string{}
	for _, s := range got {
		names[hex.EncodeToString(s.SpanId)] = s.Name
	}
	var text []string
	for _, s := range got {
		text = append(text, fmt.Sprintf("%s < %s %d..%d %s", s.Name, names[hex.EncodeToString(s.ParentSpanId)],
			(int64(s.StartTimeUnixNano)-epoch.UnixNano())/1e9, (int64(s.EndTimeUnixNano)-epoch.UnixNano())/1e9, s.Status.Code))
		if hex.EncodeToString(s.TraceId) != hex.EncodeToString(got[0].TraceId) || len(s.TraceId) != 16 || len(s.SpanId) != 8 || len(s.Attributes) == 0 {
			t.Errorf("span %v", s)
		}
	}
	want := []string{
		"attempt 1 of a < task a 1..2 STATUS_CODE_ERROR",
		"SQS.SendMessage < attempt 2 of a 4..5 STATUS_CODE_ERROR",
		"attempt 2 of a < task a 4..6 STATUS_CODE_OK", "task a < run etl 1..6 STATUS_CODE_OK",
		"attempt 1 of b < task b 7..9 STATUS_CODE_OK", "task b < run etl 7..9 STATUS_CODE_OK",
		"run etl <  -1..9 STATUS_CODE_OK",
	}
	if fmt.Sprint(text) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(text, "\n"), strings.Join(want, "\n"))
	}
	if len(names) != len(want) {
		t.Errorf("%d ids for %d spans", len(names), len(want))
	}
}

// TestNobodyWaits checks that a collector that is not there costs spans, and
// nothing else.
func TestNobodyWaits(t *testing.T) {
	e := New(Settings{Endpoint: "http://127.0.0.1:1"}, slog.New(slog.DiscardHandler))
	for range 3 {
		e.Add(make([]Span, maxWaiting)...)
	}
	if len(e.waiting) != maxWaiting || e.lost != 2*maxWaiting {
		t.Errorf("%d wait and %d are lost", len(e.waiting), e.lost)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	e.Flush(ctx)
	var none *Exporter
	none.Add(Span{})
	if _, ok := Call("rubbish", "S", "O", time.Now(), time.Now(), 0, errors.New("x")); ok {
		t.Error("a call of nobody is told")
	}
	if _, _, err := FromEnv("collector:4318", func(string) string { return "" }); err == nil {
		t.Error("an endpoint without a scheme is taken")
	}
	if _, on, err := FromEnv("", func(string) string { return "" }); on || err != nil {
		t.Errorf("without an endpoint: %t %v", on, err)
	}
}

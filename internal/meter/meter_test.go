package meter_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/meter"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

var epoch = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

// shown returns the lines of the metrics that begin so.
func shown(m *meter.Meter, begin string) string {
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var b strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, begin) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestGaugesFollowRuns drives a run through a retry to its end, with a server
// that is replaced half way, and reads what is under way.
func TestGaugesFollowRuns(t *testing.T) {
	g := &flow.Graph{Nodes: []flow.Node{
		{ID: "a", Kind: "Bash", Retries: 1, Delay: time.Minute}, {ID: "b", Kind: "Bash", After: []flow.TaskID{"a"}},
	}}
	r := engine.New(flow.Run{ID: "r", Workflow: "w", State: flow.Starting, Created: epoch}, g, engine.Options{})
	m := meter.New("test")
	apply := func(at time.Duration, id flow.TaskID, what engine.What) {
		t.Helper()
		s, changed, err := r.Apply(engine.Event{At: epoch.Add(at), Task: id, What: what})
		if err != nil || !changed {
			t.Fatalf("%T: changed %t, %v", what, changed, err)
		}
		fresh := 0
		if s.First {
			fresh = len(s.Tasks)
		}
		m.Step(s.Run, s.Tasks, fresh, s.Entry)
	}
	look := func(name, want string) {
		t.Helper()
		if got := shown(m, name); got != want {
			t.Errorf("%s:\n%swant\n%s", name, got, want)
		}
	}
	apply(0, "", engine.Begin{})
	look("fairlead_tasks{", "fairlead_tasks{state=\"ready\"} 0\nfairlead_tasks{state=\"starting\"} 1\nfairlead_tasks{state=\"waiting\"} 1\n")
	look("fairlead_runs{", "fairlead_runs{state=\"running\"} 1\nfairlead_runs{state=\"starting\"} 0\n")
	apply(2*time.Second, "a", engine.Started{Attempt: 1})
	look("fairlead_attempt_queue_seconds_sum", "fairlead_attempt_queue_seconds_sum 2\n")
	apply(5*time.Second, "a", engine.Ended{Attempt: 1, Outcome: flow.Outcome{Verdict: flow.Failure}})
	look("fairlead_attempts_retried_total", "fairlead_attempts_retried_total 1\n")

	m = meter.New("test") // the next server
	m.Known(r.Row(), r.Tasks())
	look("fairlead_tasks{", "fairlead_tasks{state=\"retrying\"} 1\nfairlead_tasks{state=\"waiting\"} 1\n")
	apply(2*time.Minute, "", engine.Tick{})
	apply(2*time.Minute, "a", engine.Started{Attempt: 2})
	apply(3*time.Minute, "a", engine.Ended{Attempt: 2, Outcome: flow.Outcome{Verdict: flow.Failure, Reason: "no"}})
	look("fairlead_tasks_ended_total", "fairlead_tasks_ended_total{state=\"blocked\",workflow=\"w\"} 1\nfairlead_tasks_ended_total{state=\"failed\",workflow=\"w\"} 1\n")
	look("fairlead_runs_ended_total", "fairlead_runs_ended_total{state=\"failed\",workflow=\"w\"} 1\n")
	look("fairlead_attempt_duration_seconds_sum", "fairlead_attempt_duration_seconds_sum{operator=\"Bash\"} 60\n")
	for line := range strings.Lines(shown(m, "fairlead_tasks{") + shown(m, "fairlead_runs{")) {
		if !strings.HasSuffix(line, " 0\n") {
			t.Errorf("after the end: %s", line)
		}
	}
}

// TestLabelsAreBounded counts the runs of many workflows.
func TestLabelsAreBounded(t *testing.T) {
	m := meter.New("test")
	for i := range 500 {
		m.Step(flow.Run{ID: flow.RunID(fmt.Sprint(i)), Workflow: flow.WorkflowID(fmt.Sprint("w", i)), State: flow.Canceled}, nil, 0,
			flow.Entry{At: epoch, Moves: []flow.Move{{From: flow.Ready, State: flow.Canceled, Ended: epoch}}})
	}
	lines := shown(m, "fairlead_runs_ended_total")
	if n := strings.Count(lines, "\n"); n != 101 || !strings.Contains(lines, `workflow="other"} 400`) {
		t.Errorf("%d lines for 500 workflows, want 100 and one of the other 400", n)
	}
}

// TestText has the text read by Prometheus's own parser and judged by its
// linter, with labels that must be escaped.
func TestText(t *testing.T) {
	m := meter.New("a \"quoted\" \\ version\n")
	m.Step(flow.Run{ID: "r", Workflow: "w", State: flow.Failed}, nil, 0,
		flow.Entry{At: epoch, Moves: []flow.Move{{From: flow.Running, State: flow.Failed, Started: epoch, Ended: epoch.Add(time.Second)}}})
	m.Committed(3, time.Millisecond, time.Microsecond)
	m.Spawned(time.Hour)
	m.Logged(10)
	m.Gauge("fairlead_things", "Things.", func() float64 { return 1.5 })
	m.Serve("s", func(*http.Request) string { return "o" }, http.NotFoundHandler()).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text := w.Body.String()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, want := range []string{
		`fairlead_commit_writes_bucket{le="2"} 0`, `fairlead_commit_writes_bucket{le="4"} 1`, `fairlead_commit_writes_bucket{le="+Inf"} 1`,
		`fairlead_driver_spawn_seconds_bucket{le="10"} 0`, `fairlead_driver_spawn_seconds_bucket{le="+Inf"} 1`, `fairlead_driver_spawn_seconds_sum 3600`,
		`fairlead_api_requests_total{service="s",operation="o",code="404"} 1`, `fairlead_things 1.5`,
		`fairlead_run_duration_seconds_count{state="failed"} 1`, `version="a \"quoted\" \\ version\n"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/internal/events"
)

const eventful = `
eventful:
  default_args: {retries: 1, retry_delay: 0.1}
  tasks:
    one: {operator: airflow.operators.bash.BashOperator, bash_command: 'sleep 0.1; test {{ ti.try_number }} -gt 1'}
    two: {operator: airflow.operators.bash.BashOperator, bash_command: 'sleep 0.1', dependencies: [one]}
    three: {operator: airflow.operators.bash.BashOperator, bash_command: 'exit 1', dependencies: [one]}
    four: {operator: airflow.operators.bash.BashOperator, bash_command: 'true', dependencies: [two, three]}
`

// eventfulKinds are the events of such a run that must be there, whatever is
// killed. The server alone is killed, so no attempt is lost.
var eventfulKinds = []string{
	"Task Failed three#2", "Task Queued one#1", "Task Queued one#2", "Task Queued three#1", "Task Queued three#2", "Task Queued two#1",
	"Task Running one#1", "Task Running one#2", "Task Running three#1", "Task Running three#2", "Task Running two#1",
	"Task Scheduled one#1", "Task Scheduled one#2", "Task Scheduled three#1", "Task Scheduled three#2", "Task Scheduled two#1",
	"Task Succeeded one#2", "Task Succeeded two#1", "Task Up For Retry one#1", "Task Up For Retry three#1", "Task Upstream Failed four",
	"Workflow Run Failed", "Workflow Run Running", "Workflow Run Started",
}

// heard is what a sink has heard, by run: each event once, in the order of
// its first arrival.
type heard struct {
	t    *testing.T
	mu   sync.Mutex
	ids  map[string]bool
	runs map[string][]sentEvent
	arns map[string][]sentEvent // by what they are about
}

// A sentEvent is what a sink is sent, of either service.
type sentEvent struct {
	ID         string
	DetailType string `json:"detail-type"`
	Source     string
	Resources  []string
	Detail     struct {
		events.Detail
		BatchID, BatchName, TotalRuns, CompletedRunCount, WorkflowVersionName, WorkflowUUID                         string
		ARN, UUID, RunARN, RunName, RunOutputURI, WorkflowID, WorkflowName, TaskName, FailureReason, FailureMessage string
	}
}

func (h *heard) hear(line []byte) {
	var e sentEvent
	if err := json.Unmarshal(line, &e); err != nil {
		h.t.Errorf("event %q: %v", line, err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ids[e.ID] {
		h.ids[e.ID] = true
		h.runs[e.Detail.RunID] = append(h.runs[e.Detail.RunID], e)
		if h.arns == nil {
			h.arns = map[string][]sentEvent{}
		}
		h.arns[e.Detail.ARN] = append(h.arns[e.Detail.ARN], e)
	}
}

// complete reports whether all events of a run have been heard.
func (h *heard) complete(run string) (kinds []string, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.runs[run] {
		kind := strings.TrimPrefix(e.DetailType, "MWAA Serverless ")
		if e.Detail.TaskID != "" {
			kind += " " + e.Detail.TaskID
		}
		if e.Detail.AttemptNumber > 0 {
			kind += "#" + string(rune('0'+e.Detail.AttemptNumber))
		}
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds, slices.Equal(kinds, eventfulKinds)
}

func (h *heard) inOrder(name string) {
	h.t.Helper()
	for run, list := range h.runs {
		if !slices.IsSortedFunc(list, func(a, b sentEvent) int {
			if a.Detail.Revision != b.Detail.Revision {
				return int(a.Detail.Revision - b.Detail.Revision)
			}
			return a.Detail.Position - b.Detail.Position
		}) {
			h.t.Errorf("%s: the events of run %s are not in their order", name, run)
		}
	}
}

// TestEventsSurviveKills kills the server again and again while runs go on
// and a webhook fails now and then: a webhook and a file hear all there is,
// each run's in order.
func TestEventsSurviveKills(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	hook := &heard{t: t, ids: map[string]bool{}, runs: map[string][]sentEvent{}}
	var calls int
	post := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the server was killed in the middle
		}
		hook.mu.Lock()
		calls++
		bad := calls%7 == 0
		hook.mu.Unlock()
		if bad {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		hook.hear(body)
	}))
	defer post.Close()
	file := filepath.Join(dir, "events.jsonl")
	v := &victim{t: t, data: dataDir(filepath.Join(dir, "data")), listen: freePort(t), log: log,
		env: []string{"FAIRLEAD_EVENT_SINK=hook=" + post.URL + "/in audit=file://" + file}}
	t.Cleanup(v.kill)
	c := v.begin()
	c.t = t
	c.bucket("workflows")
	arn := c.workflow("eventful", eventful)
	var runs []string
	kills := 6
	if testing.Short() {
		kills = 2
	}
	for range kills {
		for range 3 {
			runs = append(runs, c.start(arn, nil))
		}
		time.Sleep(rand.N(700 * time.Millisecond)) // another process: any moment will do
		v.kill()
		c = v.begin()
	}
	audit := &heard{t: t, ids: map[string]bool{}, runs: map[string][]sentEvent{}}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // as above
		text, _ := os.ReadFile(file)
		for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
			if json.Valid(line) { // a kill may have torn one
				audit.hear(line)
			}
		}
		left := ""
		for _, run := range runs {
			if kinds, ok := hook.complete(run); !ok {
				left = "the webhook, of run " + run + ": " + strings.Join(kinds, ", ")
			}
			if kinds, ok := audit.complete(run); !ok {
				left = "the file, of run " + run + ": " + strings.Join(kinds, ", ")
			}
		}
		if left == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not everything was heard by %s\nlog:\n%s", left, v.tail())
		}
	}
	hook.inOrder("webhook")
	audit.inOrder("file")
	var out bytes.Buffer
	cmd := rootCommand()
	cmd.SetArgs([]string{"events", "--data", string(v.data)})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "hook") || !strings.Contains(out.String(), "audit") {
		t.Errorf("fairlead events: %v\n%s", err, out.String())
	}
}

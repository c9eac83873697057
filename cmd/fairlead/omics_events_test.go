package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/internal/events"
	"fairlead/internal/flow"
	"fairlead/internal/omics"
)

// hearFile reads what a file was told, but for a line that a kill has torn.
func (h *heard) hearFile(path string) {
	text, _ := os.ReadFile(path) // it may not be there yet
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		if json.Valid(line) {
			h.hear(line)
		}
	}
}

// told returns what is said of a run: types, names and statuses, as they came.
func (h *heard) told(run string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, e := range h.runs[run] {
		what := strings.TrimSuffix(e.DetailType, " Status Change")
		if e.Detail.TaskName != "" {
			what += " " + e.Detail.TaskName
		}
		all = append(all, what+" "+e.Detail.Status)
	}
	return all
}

// until waits for an event of a run.
func (h *heard) until(path, run, last string) []string {
	h.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // a server's work
		h.hearFile(path)
		got := h.told(run)
		if slices.Contains(got, last) {
			return got
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("of run %s was told %q, and not %q", run, got, last)
		}
	}
}

// TestOmicsEvents holds what is told of runs of HealthOmics: the service's own
// events, in order, and nothing in the words of the other service.
func TestOmicsEvents(t *testing.T) {
	file, lineage := filepath.Join(t.TempDir(), "events"), filepath.Join(t.TempDir(), "lineage")
	l := newLab(t, func(o *options) {
		o.eventSinks = sinksFlag{{Name: "file", To: "file://" + file}, {Name: "lineage", To: "file://" + lineage, Format: events.Lineage}}
	})
	h := &heard{t: t, ids: map[string]bool{}, runs: map[string][]sentEvent{}}
	w := l.wdl(`version 1.1
task one {
  input { Int n  Boolean bad }
  command <<< if ~{bad}; then exit 137; fi >>>
  output { Int out = n }
  runtime { maxRetries: 1 }
}
workflow main {
  input { Boolean bad = false }
  scatter (i in range(1)) { call one { input: n = i, bad = bad } }
  output { Array[Int] all = one.out }
}`)
	good := l.begin(object{"workflowId": w, "name": "good"})
	if r := l.ends(good); r["status"] != "COMPLETED" {
		t.Fatalf("%v", r)
	}
	got := h.until(file, good, "Run COMPLETED")
	want := "Run PENDING, Run RUNNING, Task one-0-0 PENDING, Task one-0-0 STARTING, Task one-0-0 RUNNING, Task one-0-0 COMPLETED, Run STOPPING, Run COMPLETED"
	if strings.Join(got, ", ") != want {
		t.Errorf("events of a good run:\n got %s\nwant %s", strings.Join(got, ", "), want)
	}
	bad := l.begin(object{"workflowId": w, "parameters": object{"bad": true}})
	l.ends(bad)
	got = h.until(file, bad, "Run FAILED")
	tried := "Task one-0-0 PENDING, Task one-0-0 STARTING, Task one-0-0 RUNNING, Task one-0-0 FAILED, "
	if want := "Run PENDING, Run RUNNING, " + tried + tried + "Run STOPPING, Run FAILED"; strings.Join(got, ", ") != want {
		t.Errorf("events of a bad run:\n got %s\nwant %s", strings.Join(got, ", "), want)
	}
	h.inOrder("file")

	r := l.must(200, "GET", "/run/"+bad, nil)
	e := h.runs[bad][len(h.runs[bad])-1]
	if e.Source != "aws.omics" || e.Resources[0] != r["arn"] || e.Detail.ARN != r["arn"] || e.Detail.UUID != r["uuid"] || e.Detail.WorkflowID != w ||
		e.Detail.WorkflowName != "flow" || e.Detail.RunOutputURI != r["runOutputUri"] || e.Detail.FailureReason != r["failureReason"] ||
		e.Detail.FailureMessage != r["statusMessage"] {
		t.Errorf("the event of the end %+v\nof run %v", e, r)
	}
	task := l.must(200, "GET", "/run/"+bad+"/task", nil)["items"].([]any)[1].(object)
	e = h.runs[bad][len(h.runs[bad])-3]
	if e.Resources[0] != "arn:aws:omics:us-east-1:000000000000:task/"+task["taskId"].(string) || e.Detail.UUID != task["uuid"] ||
		e.Detail.RunARN != r["arn"] || e.Detail.FailureReason != "OUT_OF_MEMORY_ERROR" {
		t.Errorf("the event of the end %+v\nof task %v", e, task)
	}

	var jobs []string
	text, _ := os.ReadFile(lineage)
	for line := range bytes.Lines(text) {
		var e struct {
			EventType string
			Job       struct{ Name string }
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, e.EventType+" "+e.Job.Name)
	}
	if want := "START flow, START flow.one, COMPLETE flow.one, COMPLETE flow"; !strings.HasPrefix(strings.Join(jobs, ", "), want) {
		t.Errorf("lineage:\n got %s\nwant %s", strings.Join(jobs, ", "), want)
	}
}

// TestNoticesOfOmics holds what is told of workflows, versions and batches,
// which have no journal: a sink that is away for a while hears all of it.
func TestNoticesOfOmics(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "later", "events")
	l := newLab(t, func(o *options) { o.eventSinks = sinksFlag{{Name: "file", To: "file://" + file}} })
	w := l.define("version 1.0\ntask nap { command { true } }\nworkflow main { call nap }")
	path := "/workflow/" + w
	l.must(201, "POST", path+"/version", object{"versionName": "v1", "definitionZip": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==", "requestId": "v"}) // no file in it
	l.must(202, "DELETE", path+"/version/v1", nil)
	batch := l.must(201, "POST", "/runBatch", object{
		"batchName": "pair", "requestId": "b", "defaultRunSetting": object{"workflowId": w, "roleArn": "arn:aws:iam::000000000000:role/omics", "outputUri": "s3://data/out"},
		"batchRunSettings": object{"inlineSettings": []object{{"runSettingId": "a"}, {"runSettingId": "b"}}},
	})["id"].(string)
	h := &heard{t: t, ids: map[string]bool{}, runs: map[string][]sentEvent{}}
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:omics:us-east-1:000000000000:"
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // a server's work
		h.hearFile(file)
		if n := len(h.arns[arn+"runBatch/"+batch]); n > 0 && h.arns[arn+"runBatch/"+batch][n-1].Detail.Status == "PROCESSED" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the end of the batch was not told: %+v", h.arns)
		}
	}
	l.must(202, "DELETE", path, nil)
	for deadline := time.Now().Add(time.Minute); len(h.arns[arn+"workflow/"+w]) < 2; time.Sleep(20 * time.Millisecond) { // as above
		if h.hearFile(file); time.Now().After(deadline) {
			t.Fatal("the end of the workflow was not told")
		}
	}
	for id, want := range map[string]string{
		"workflow/" + w:                 "Workflow Status Change: ACTIVE, DELETED",
		"workflow/" + w + "/version/v1": "Workflow Status Change: FAILED, DELETED",
		"runBatch/" + batch:             "RunBatch Status Change: PENDING, SUBMITTING, INPROGRESS, PROCESSED",
	} {
		var got []string
		for _, e := range h.arns[arn+id] {
			got = append(got, e.Detail.Status)
		}
		if got := h.arns[arn+id][0].DetailType + ": " + strings.Join(got, ", "); got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
	all := h.arns[arn+"runBatch/"+batch]
	e := all[len(all)-1].Detail
	if e.BatchID != batch || e.BatchName != "pair" || e.TotalRuns != "2" || e.CompletedRunCount != "2" || e.WorkflowID != w || e.WorkflowARN != arn+"workflow/"+w {
		t.Errorf("the end of a batch: %+v", e)
	}
	if e := h.arns[arn+"workflow/"+w+"/version/v1"][0].Detail; e.WorkflowVersionName != "v1" || e.FailureMessage == "" || e.WorkflowUUID == "" {
		t.Errorf("a version that has failed: %+v", e)
	}
}

// TestOmicsEventsSurviveKills kills the server again and again: a sink hears
// all there is of each run, in order.
func TestOmicsEventsSurviveKills(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	file := filepath.Join(dir, "events")
	v := &victim{t: t, data: dataDir(filepath.Join(dir, "data")), listen: freePort(t), log: log, env: []string{"FAIRLEAD_EVENT_SINK=audit=file://" + file}}
	t.Cleanup(v.kill)
	c := omicsClient{v.begin()}
	c.t = t
	c.bucket("data")
	w := c.define(`version 1.1
task nap { command <<< sleep 0.1 >>> }
workflow main { scatter (i in range(2)) { call nap } }`)
	var runs []string
	kills := newKills(t, 6, 2)
	for n := 0; kills.left(n); n++ {
		for range 2 {
			runs = append(runs, c.begin(object{"workflowId": w}))
		}
		time.Sleep(rand.N(800 * time.Millisecond)) // another process: any moment will do
		v.kill()
		c = omicsClient{v.begin()}
	}
	h := &heard{t: t, ids: map[string]bool{}, runs: map[string][]sentEvent{}}
	want := []string{"Run COMPLETED", "Run PENDING", "Run RUNNING", "Run STOPPING"}
	for i := range 2 {
		for _, s := range []string{"COMPLETED", "PENDING", "RUNNING", "STARTING"} {
			want = append(want, fmt.Sprintf("Task nap-0-%d %s", i, s))
		}
	}
	slices.Sort(want)
	for _, run := range runs {
		got := h.until(file, run, "Run COMPLETED")
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("run %s:\n got %s\nwant %s", run, strings.Join(got, ", "), strings.Join(want, ", "))
		}
	}
	h.inOrder("file")
}

// TestOmicsMetrics holds that runs and tasks are counted in the service's
// words, and that spans and tasks know what they are called there.
func TestOmicsMetrics(t *testing.T) {
	var mu sync.Mutex
	var spans []byte
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a server that ends may break off
		mu.Lock()
		defer mu.Unlock()
		spans = append(spans, body...)
	}))
	defer collector.Close()
	l := newLab(t, func(o *options) { o.otlp = collector.URL })
	w := l.wdl(`version 1.0
task large { command { echo "$TRACEPARENT"; exit 137 } runtime { maxRetries: 1 } }
workflow main { scatter (i in [1]) { call large } }`)
	id := l.begin(object{"workflowId": w})
	if r := l.ends(id); r["status"] != "FAILED" {
		t.Fatal(r)
	}
	task := l.must(200, "GET", "/run/"+id+"/task", nil)["items"].([]any)[0].(object)["taskId"].(string)
	page, err := l.app.logs.Read(t.Context(), omics.LogGroup, "run/"+id+"/task/"+task, flow.LogRange{Limit: 1})
	if err != nil || len(page.Events) != 1 || !regexp.MustCompile(`"00-[0-9a-f]{32}-[0-9a-f]{16}-01"`).MatchString(page.Events[0].Text) {
		t.Errorf("the task's TRACEPARENT: %v, %v", page.Events, err)
	}
	var b bytes.Buffer
	rec := httptest.NewRecorder()
	l.app.meter.ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(rec.Body.String()) {
		if strings.HasPrefix(line, "fairlead_omics_") && !strings.Contains(line, "_bucket") && !strings.Contains(line, "_sum") {
			b.WriteString(line)
		}
	}
	want := `fairlead_omics_runs_ended_total{status="FAILED",reason="RUN_TASK_FAILED",workflow="flow"} 1
fairlead_omics_tasks_ended_total{status="FAILED",reason="OUT_OF_MEMORY_ERROR",workflow="flow"} 2
fairlead_omics_run_duration_seconds_count{status="FAILED"} 1
fairlead_omics_task_duration_seconds_count{status="FAILED"} 2
fairlead_omics_runs{status="PENDING"} 0
fairlead_omics_runs{status="RUNNING"} 0
fairlead_omics_runs{status="STOPPING"} 0
`
	if b.String() != want {
		t.Errorf("metrics:\n%swant\n%s", b.String(), want)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // once a second it is told
		mu.Lock()
		told := bytes.Contains(spans, []byte("aws.omics.task.id")) && bytes.Contains(spans, []byte(task)) && bytes.Contains(spans, []byte("aws.omics.run.id"))
		mu.Unlock()
		if told {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the collector has not heard of the task")
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
)

// say runs one command line against the server of c and returns what it
// printed and its status.
func (c *client) say(args ...string) (string, error) {
	c.t.Helper()
	root := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append(args, "--data", c.data))
	err := root.ExecuteContext(c.t.Context())
	return out.String(), err
}

// mustSay is say for what must work and print want.
func (c *client) mustSay(want string, args ...string) string {
	c.t.Helper()
	out, err := c.say(args...)
	if err != nil || !strings.Contains(out, want) {
		c.t.Errorf("fairlead %s: %v\n%swant %q in it", strings.Join(args, " "), err, out, want)
	}
	return out
}

// TestRetryFromFailure goes on with a run that failed, by each way there is.
func TestRetryFromFailure(t *testing.T) {
	c := serve(t, nil)
	arn := c.workflow("etl", `
etl:
  tasks:
    extract: {operator: airflow.operators.bash.BashOperator, bash_command: 'echo 1'}
    load:
      operator: airflow.operators.bash.BashOperator
      bash_command: 'test "{{ params.day }}" = monday'
      retries: 0
      dependencies: [extract]
    report: {operator: airflow.operators.empty.EmptyOperator, dependencies: [load]}
  params: {day: sunday}
`)
	id := c.start(arn, nil)
	c.until(arn, id, func(r *types.WorkflowRunDetail) bool { return r.RunState == types.WorkflowRunStatusFailed })
	c.mustSay("is running", "retry", id)
	c.until(arn, id, func(r *types.WorkflowRunDetail) bool { return r.RunState == types.WorkflowRunStatusFailed })
	if got := c.statuses(arn, id)["extract"]; got != types.TaskInstanceStatusSuccess {
		t.Errorf("extract is %s after the retry", got)
	}
	tries := 0
	for _, i := range c.instances(arn, id) {
		if *i.TaskId == "load" {
			tries++
		}
	}
	if tries != 2 {
		t.Errorf("load has %d attempts after a retry, want 2", tries)
	}
	c.mustSay("is succeeded", "mark", id, "load", "success") // report has nothing to do
	c.until(arn, id, func(r *types.WorkflowRunDetail) bool { return r.RunState == types.WorkflowRunStatusSuccess })

	out := c.mustSay("is starting", "rerun", id, "--params", `{"day": "monday"}`)
	again := strings.Fields(out)[1]
	c.until(arn, again, func(r *types.WorkflowRunDetail) bool { return r.RunState == types.WorkflowRunStatusSuccess })
	c.mustSay("is running", "clear", again, "load", "--downstream")
	c.until(arn, again, func(r *types.WorkflowRunDetail) bool { return r.RunState == types.WorkflowRunStatusSuccess })

	for _, tt := range []struct{ want, args string }{
		{"no task that failed", "retry " + again},
		{`no task "lode"`, "clear " + again + " lode"},
		{"does not exist", "retry 0123456789abcdef"},
		{"expected success, failed or skipped", "mark " + again + " load done"},
		{"needs the names of tasks", "clear " + again},
		{"no schedule", "backfill etl --from 2026-03-01 --to 2026-03-02"},
		{"there is no workflow elt", "pause elt"},
	} {
		if out, err := c.say(strings.Fields(tt.args)...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("fairlead %s: %v, %s; want an error with %q", tt.args, err, out, tt.want)
		}
	}
	if said := c.mustSay("run", "why", again, "--json"); !strings.Contains(said, `"by":"`) {
		t.Errorf("why of a rerun does not say who asked for it: %s", said)
	}
	journal := c.mustSay("run", "why", id, "--json")
	if !strings.Contains(journal, `"state":"succeeded"`) {
		t.Errorf("why of a run that has ended: %s", journal)
	}
}

// TestPauseAndWhy pauses a workflow and asks everywhere why nothing begins.
func TestPauseAndWhy(t *testing.T) {
	c := serve(t, nil)
	arn := c.workflow("slow", `
slow:
  max_active_runs: 1
  schedule: '0 6 * * *'
  tasks:
    hold: {operator: airflow.operators.bash.BashOperator, bash_command: 'sleep 600'}
    next: {operator: airflow.operators.bash.BashOperator, bash_command: 'true', dependencies: [hold]}
`)
	first := c.start(arn, nil)
	c.until(arn, first, func(*types.WorkflowRunDetail) bool {
		return c.statuses(arn, first)["hold"] == types.TaskInstanceStatusRunning
	})
	second := c.start(arn, nil)
	c.until(arn, second, func(r *types.WorkflowRunDetail) bool { return r.RunState == types.WorkflowRunStatusQueued })
	c.mustSay("upstream: waits for hold", "why", first, "next")
	c.mustSay("limit: 1 run of the workflow is under way ("+first+")", "why", second)
	for _, args := range [][]string{{"why"}, {"why", "slow"}, {"why", arn}} { // the runs, with what each waits for
		if out := c.mustSay(first, args...); !strings.Contains(out, "tasks: 2 of 2 tasks have not ended: 1 under way") || !strings.Contains(out, "limit: 1 run of the workflow") {
			t.Errorf("fairlead %s does not say what the runs wait for:\n%s", strings.Join(args, " "), out)
		}
	}
	for _, tt := range []struct{ want, args string }{
		{"there is no run slwo, and there is no workflow slwo; did you mean slow?", "why slwo"},
		{`has no task "nxet"; did you mean next?`, "why " + first + " nxet"},
		{`has no task "holt"; did you mean hold?`, "why " + second + " holt"}, // which has not begun
		{"slow is a workflow, and tasks are those of a run", "why slow hold"},
	} {
		if out, err := c.say(strings.Fields(tt.args)...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("fairlead %s: %v, %s; want an error with %q", tt.args, err, out, tt.want)
		}
	}
	c.mustSay("limit: 1 run", "why", second, "hold")
	c.mustSay("schedule: its next run begins by itself, at 20", "why", "slow")
	var got struct {
		TaskInstanceId  string
		FairleadWaiting struct {
			Gate string
			On   []string
		}
	}
	for _, i := range c.instances(arn, first) {
		if *i.TaskId == "next" {
			c.call("GetTaskInstance", map[string]any{"WorkflowArn": arn, "RunId": first, "TaskInstanceId": i.TaskInstanceId}, &got)
		}
	}
	if got.FairleadWaiting.Gate != "upstream" || len(got.FairleadWaiting.On) != 1 || got.FairleadWaiting.On[0] != "hold" {
		t.Errorf("GetTaskInstance says %+v of what the task waits for, want upstream, hold", got)
	}

	c.mustSay("slow", "pause", arn)
	c.mustSay("everything is paused", "pause", "--all")
	c.mustSay("paused", "why", second)
	if out := c.mustSay("paused", "why", "slow"); strings.Contains(out, "at 20") {
		t.Errorf("a pause does not end by itself: %s", out)
	}
	c.mustSay("is running", "mark", first, "hold", "success")
	c.until(arn, first, func(*types.WorkflowRunDetail) bool {
		return c.statuses(arn, first)["hold"] == types.TaskInstanceStatusSuccess
	})
	c.mustSay("paused", "why", first, "next")
	c.mustSay("everything is paused", "resume", "slow")
	c.mustSay("nothing is paused", "resume", "--all")
	c.until(arn, first, func(r *types.WorkflowRunDetail) bool { return r.RunState == types.WorkflowRunStatusSuccess })
	if _, err := c.api.StopWorkflowRun(t.Context(), &mwaaserverless.StopWorkflowRunInput{WorkflowArn: &arn, RunId: &second}); err != nil {
		t.Fatal(err)
	}

	c.mustSay("2 slots; nothing was started", "backfill", "slow", "--from", "2026-03-01", "--to", "2026-03-02", "--dry-run")
	out := c.mustSay("2 runs started for 2 slots", "backfill", "slow", "--from", "2026-03-01", "--to", "2026-03-02")
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 2 && f[0] < "2026-12" && strings.HasPrefix(f[0], "2026-") {
			if r := c.run(arn, f[1]); r.RunType != types.RunTypeScheduled {
				t.Errorf("a backfilled run is %s", r.RunType)
			}
			if _, err := c.api.StopWorkflowRun(t.Context(), &mwaaserverless.StopWorkflowRunInput{WorkflowArn: &arn, RunId: &f[1]}); err != nil {
				t.Error(err)
			}
		}
	}
	c.mustSay("0 runs started for 2 slots", "backfill", "slow", "--from", "2026-03-01", "--to", "2026-03-02")
	c.mustSay("1 slot; nothing was started", "backfill", "slow", "--from", "2026-03-01", "--to", "2026-03-01", "--dry-run")
}

// TestWhyOfAProcess says of a task for which this server may run no process that
// it waits for one, in every place.
func TestWhyOfAProcess(t *testing.T) {
	c := serve(t, func(o *options) { o.tasks = 1 })
	arn := c.workflow("two", `
two:
  tasks:
    a: {operator: airflow.operators.bash.BashOperator, bash_command: 'sleep 600'}
    b: {operator: airflow.operators.bash.BashOperator, bash_command: 'sleep 600'}
`)
	id := c.start(arn, nil)
	const want = "waits for a process of this server to end: it may run 1 at once (--tasks)"
	var waits string
	c.until(arn, id, func(*types.WorkflowRunDetail) bool {
		out, err := c.say("why", id)
		waits = out
		return err == nil && strings.Contains(out, want) && strings.Contains(out, "attempt 1 is under way since")
	})
	for _, i := range c.instances(arn, id) {
		if !regexp.MustCompile(" " + *i.TaskId + " +starting ").MatchString(waits) {
			continue
		}
		c.mustSay("driver: "+want, "why", id, *i.TaskId)
		var got struct{ FairleadWaiting struct{ Gate, Reason string } }
		c.call("GetTaskInstance", map[string]any{"WorkflowArn": arn, "RunId": id, "TaskInstanceId": i.TaskInstanceId}, &got)
		if got.FairleadWaiting.Gate != "driver" || got.FairleadWaiting.Reason != want {
			t.Errorf("GetTaskInstance of %s: %+v, want driver: %s", *i.TaskId, got, want)
		}
	}
}

// TestBodiesHaveNothingElse sends slips to the door: what is not understood
// is refused, not passed over.
func TestBodiesHaveNothingElse(t *testing.T) {
	c := serve(t, nil)
	admin := caller{data: c.data}
	for _, tt := range []struct{ path, body, want string }{
		{"runs/x/clear", `{"tasks": ["a"], "downsteam": true}`, `unknown field "downsteam"`},
		{"runs/x/retry", `{"tasks": ["a"]}`, `unknown field "tasks"`},
		{"runs/x/mark", `{"task": "a", "status": "success"}`, `unknown field "status"`},
		{"runs/x/rerun", `{"param": {}}`, `unknown field "param"`},
		{"pause", `{"workflow": "w"}`, `unknown field "workflow"`},
		{"resume", `{"workflow": "w"}`, `unknown field "workflow"`},
		{"workflows/x/backfill", `{"from": "2026-03-01"}`, `"2026-03-01" is no moment: expected one such as "2026-03-01T00:00:00Z"`},
		{"runs/x/clear", `{"tasks": "a"}`, "cannot unmarshal string"},
	} {
		if got, err := admin.call(t.Context(), "POST", tt.path, json.RawMessage(tt.body)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("POST %s %s: %s, %v; want an error with %q", tt.path, tt.body, got, err, tt.want)
		}
	}
	c.mustSay("nothing is paused", "resume", "--all")
}

// A shared buffer may be written and read at once.
type sharedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *sharedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *sharedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestOperationsAreLogged looks for who did what leaves no trace in a journal.
func TestOperationsAreLogged(t *testing.T) {
	var log sharedBuffer
	c := serve(t, func(o *options) { o.log = slog.New(slog.NewTextHandler(&log, nil)) })
	arn := c.workflow("etl", "etl: {tasks: {a: {operator: airflow.operators.empty.EmptyOperator}}, schedule: '0 6 * * *'}\n")
	id := c.start(arn, nil)
	c.until(arn, id, func(r *types.WorkflowRunDetail) bool { return r.RunState == types.WorkflowRunStatusSuccess })
	for _, args := range []string{
		"rerun " + id, "backfill etl --from 2026-03-01 --to 2026-03-02", "pause etl", "resume etl", "pause --all", "resume --all",
	} {
		before := len(log.String())
		c.mustSay("", strings.Fields(args)...)
		want := fmt.Sprintf("by=%q", me()+" ("+c.key.AccessKey+")")
		if got := log.String()[before:]; !strings.Contains(got, "msg=operation path=/fairlead/v1/") || !strings.Contains(got, want) {
			t.Errorf("fairlead %s: the log has %q, want an operation with %s", args, got, want)
		}
	}
}

// TestServerGone says whether a server was asked at all.
func TestServerGone(t *testing.T) {
	dir := t.TempDir()
	deaf := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	for name, v := range map[string]any{"credentials.json": credential{AccessKey: "a", SecretKey: "b"}, "server.json": serverInfo{Endpoint: deaf.URL, Region: "r"}} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := caller{data: dir}
	if _, err := c.call(t.Context(), "POST", "pause", nil); err == nil || !strings.Contains(err.Error(), "it may have done what was asked") {
		t.Errorf("a server that goes away: %v", err)
	}
	deaf.Close()
	if _, err := c.call(t.Context(), "POST", "pause", nil); err == nil || !strings.Contains(err.Error(), "no server answers") {
		t.Errorf("no server: %v", err)
	}
}

// TestOperationsAreForTheAdmin tries the door without a key, and with a
// task's.
func TestOperationsAreForTheAdmin(t *testing.T) {
	c := serve(t, nil)
	resp, err := http.Post(c.info.Endpoint+"/fairlead/v1/pause", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("an unsigned pause answers %s", resp.Status)
	}
	body, err := json.Marshal(credential{AccessKey: "ASIAABCDEFGHIJKLMNOP", SecretKey: c.key.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	info, err := json.Marshal(c.info)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"credentials.json": body, "server.json": info} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	task := *c
	task.data = dir
	if out, err := task.say("pause", "--all"); err == nil {
		t.Errorf("a task's key paused everything: %s", out)
	}
	c.mustSay("nothing is paused", "resume", "--all")
}

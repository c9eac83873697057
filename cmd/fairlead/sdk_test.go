package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
	"github.com/google/go-cmp/cmp"
)

const hello = `hello:
  params: {who: world}
  tasks:
    start:
      operator: airflow.providers.standard.operators.empty.EmptyOperator
    say:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "echo hello {{ params.who }}"
      dependencies: [start]
    repeat:
      operator: airflow.operators.bash.BashOperator
      bash_command: "echo {{ ti.xcom_pull(task_ids='say') }} again"
      dependencies: [say]
`

// TestConformance is the checklist of the service's public clients, with the
// Go SDK, which is the strictest reader of answers.
func TestConformance(t *testing.T) {
	c := serve(t, nil)
	ctx := t.Context()
	arn := c.workflow("hello", hello)
	got, err := c.api.GetWorkflow(ctx, &mwaaserverless.GetWorkflowInput{WorkflowArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	if *got.WorkflowDefinition != hello || got.WorkflowStatus != types.WorkflowStatusReady {
		t.Errorf("GetWorkflow: status %s, definition %q", got.WorkflowStatus, *got.WorkflowDefinition)
	}
	if _, err := c.tryWorkflow("hello", hello); errorCode(err) != "ConflictException" {
		t.Errorf("a second workflow of the name: got %v, want ConflictException", err)
	}
	id := c.start(arn, map[string]any{"who": "you"})
	d := c.until(arn, id, over)
	if d.RunState != types.WorkflowRunStatusSuccess {
		t.Fatalf("run ended %s: %s", d.RunState, aws.ToString(d.ErrorMessage))
	}
	xcoms := map[string]string{}
	for _, ti := range c.instances(arn, id) {
		xcoms[*ti.TaskId] = ti.Xcom["return_value"]
		if (ti.LogStream == nil) != (*ti.TaskId == "start") {
			t.Errorf("%s: LogStream %v", *ti.TaskId, ti.LogStream)
		}
	}
	want := map[string]string{"start": "", "say": `"hello you"`, "repeat": `"hello you again"`}
	if diff := cmp.Diff(want, xcoms); diff != "" {
		t.Errorf("XComs (-want +got):\n%s", diff)
	}
	_, err = c.api.StopWorkflowRun(ctx, &mwaaserverless.StopWorkflowRunInput{WorkflowArn: &arn, RunId: &id})
	if errorCode(err) != "ValidationException" {
		t.Errorf("stop a run that has ended: got %v, want ValidationException", err)
	}
	_, err = c.api.ListWorkflows(ctx, &mwaaserverless.ListWorkflowsInput{NextToken: aws.String("123")})
	if errorCode(err) != "ValidationException" {
		t.Errorf("a page token of nobody's: got %v, want ValidationException", err)
	}
	if _, err := c.api.DeleteWorkflow(ctx, &mwaaserverless.DeleteWorkflowInput{WorkflowArn: &arn}); err != nil {
		t.Error(err)
	}
}

// gate starts what tasks may wait for: a command that runs the text goes on when
// the gate is opened.
func gate(t *testing.T) (text string, open func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	opened := make(chan struct{})
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				<-opened
				conn.Close()
			}()
		}
	}()
	open = sync.OnceFunc(func() { close(opened) })
	t.Cleanup(open)
	return fmt.Sprintf("read -r _ < /dev/tcp/127.0.0.1/%d; ", l.Addr().(*net.TCPAddr).Port), open
}

// TestEveryStatus reaches, through the API, each status that the service can
// show here. docs/differences.md says why it can't show the others. What passes
// by itself waits until it has been seen.
func TestEveryStatus(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds of retries and limits")
	}
	tasks, runs := map[string]bool{}, map[string]bool{}
	watch := func(c *client, arn, id string, done func(*types.WorkflowRunDetail) bool) {
		t.Helper()
		c.until(arn, id, func(d *types.WorkflowRunDetail) bool {
			runs[string(d.RunState)] = true
			for _, ti := range c.instances(arn, id) {
				tasks[string(ti.Status)] = true
			}
			return done(d)
		})
	}
	shown := func(want string) func(*types.WorkflowRunDetail) bool {
		return func(*types.WorkflowRunDetail) bool {
			return !slices.ContainsFunc(strings.Fields(want), func(s string) bool { return !tasks[s] })
		}
	}
	const bash = "operator: airflow.operators.bash.BashOperator"
	await, open := gate(t)

	c := serve(t, func(o *options) { o.tasks = 2 })
	crowd := c.workflow("crowd", `crowd:
  max_active_tasks: 3
  max_active_runs: 1
  default_args: {retries: 0}
  tasks:
    a: {`+bash+`, bash_command: "`+await+`true"}
    b: {`+bash+`, bash_command: "`+await+`true"}
    c: {`+bash+`, bash_command: "`+await+`true"}
    d: {`+bash+`, bash_command: "`+await+`true"}
    e: {`+bash+`, bash_command: "exit 1", dependencies: [a]}
    f: {`+bash+`, bash_command: "true", dependencies: [e]}
`)
	first := c.start(crowd, nil)
	out, err := c.api.StartWorkflowRun(t.Context(), &mwaaserverless.StartWorkflowRunInput{WorkflowArn: &crowd})
	if err != nil {
		t.Fatal(err)
	}
	runs[string(out.Status)] = true
	watch(c, crowd, *out.RunId, func(d *types.WorkflowRunDetail) bool { return d.RunState == types.WorkflowRunStatusQueued })
	watch(c, crowd, first, shown("NONE SCHEDULED QUEUED RUNNING")) // two have the server's slots, one has the run's
	open()
	watch(c, crowd, first, over)
	watch(c, crowd, *out.RunId, over)

	fine := c.workflow("fine", "fine: {tasks: {a: {"+bash+", bash_command: 'true'}}}")
	watch(c, fine, c.start(fine, nil), over)

	again := c.workflow("again", `again:
  tasks:
    flaky: {`+bash+`, bash_command: "exit 1", retries: 1, retry_delay: 300}
    late:
      `+bash+`
      bash_command: "sleep 10000"
      retries: 0
      execution_timeout: {__type__: datetime.timedelta, seconds: 1}
    sensor:
      operator: airflow.providers.amazon.aws.sensors.s3.S3KeySensor
      bucket_name: workflows
      bucket_key: never-there
      mode: reschedule
      poke_interval: 3600
      timeout: 86400
`)
	id := c.start(again, nil)
	watch(c, again, id, shown("UP_FOR_RETRY UP_FOR_RESCHEDULE TIMEOUT"))
	stopped, err := c.api.StopWorkflowRun(t.Context(), &mwaaserverless.StopWorkflowRunInput{WorkflowArn: &again, RunId: &id})
	if err != nil {
		t.Fatal(err)
	}
	runs[string(stopped.Status)] = true
	watch(c, again, id, over)

	arn := c.workflow("long", "long: {tasks: {stubborn: {"+bash+`, bash_command: "trap '' TERM; sleep 10000"}}}`)
	id = c.start(arn, nil)
	watch(c, arn, id, func(*types.WorkflowRunDetail) bool {
		return c.statuses(arn, id)["stubborn"] == types.TaskInstanceStatusRunning
	})
	if stopped, err = c.api.StopWorkflowRun(t.Context(), &mwaaserverless.StopWorkflowRunInput{WorkflowArn: &arn, RunId: &id}); err != nil {
		t.Fatal(err)
	}
	runs[string(stopped.Status)] = true
	watch(c, arn, id, over)

	strict := serve(t, func(o *options) { o.limits["run-seconds"] = 2 })
	endless := strict.workflow("endless", "endless: {tasks: {nap: {"+bash+", bash_command: sleep 10000}}}")
	watch(strict, endless, strict.start(endless, nil), over)

	wantTasks := strings.Fields("NONE SCHEDULED QUEUED RUNNING SUCCESS FAILED UP_FOR_RETRY UP_FOR_RESCHEDULE UPSTREAM_FAILED CANCELLED TIMEOUT")
	for _, s := range wantTasks {
		if !tasks[s] {
			t.Errorf("no task was ever %s; seen: %v", s, slices.Sorted(maps.Keys(tasks)))
		}
	}
	for _, s := range (types.WorkflowRunStatus("")).Values() {
		if !runs[string(s)] {
			t.Errorf("no run was ever %s; seen: %v", s, slices.Sorted(maps.Keys(runs)))
		}
	}
}

// TestExamples creates a workflow of each example definition: the valid ones
// are accepted, the invalid ones refused with a public text.
func TestExamples(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/examples/definitions/*.yaml")
	if len(files) == 0 {
		t.Skip("no example definitions beside the repository")
	}
	c := serve(t, nil)
	wants := map[string]string{
		"90": "Invalid tasks configuration.",
		"91": "operator 'S3ListOperator' is not supported",
		"92": "Unexpected element",
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if strings.HasPrefix(name, "11") {
			continue // needs its code package: see TestCodePackage
		}
		_, err = c.tryWorkflow("x"+name, string(src))
		want, bad := wants[name[:2]]
		switch {
		case !bad && err != nil:
			t.Errorf("%s: refused: %v", name, err)
		case bad && (errorCode(err) != "ValidationException" || !strings.Contains(err.Error(), "Workflow validation failed:") || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want ValidationException with %q", name, err, want)
		}
	}
}

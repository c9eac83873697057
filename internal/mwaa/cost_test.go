package mwaa

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/store"
)

// questions notes what the door asks the store.
type questions struct{ asked []string }

type askedRuns struct {
	*store.DB
	*questions
}

func (a askedRuns) Run(ctx context.Context, w flow.WorkflowID, id flow.RunID) (flow.Run, error) {
	a.asked = append(a.asked, "Run")
	return a.DB.Run(ctx, w, id)
}

func (a askedRuns) Instance(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (flow.Task, error) {
	a.asked = append(a.asked, "Instance")
	return a.DB.Instance(ctx, run, task, attempt)
}

func (a askedRuns) Outputs(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (map[string]json.RawMessage, error) {
	a.asked = append(a.asked, "Outputs")
	return a.DB.Outputs(ctx, run, task, attempt)
}

func (a askedRuns) Present(ctx context.Context, w flow.WorkflowID, run flow.RunID, task flow.TaskID, attempt int) (flow.Run, flow.Task, map[string]json.RawMessage, error) {
	a.asked = append(a.asked, "Present")
	return a.DB.Present(ctx, w, run, task, attempt)
}

type askedRows struct {
	rows
	*questions
}

func (a askedRows) Workflow(ctx context.Context, id flow.WorkflowID) (flow.Workflow, error) {
	a.asked = append(a.asked, "Workflow")
	return a.rows.Workflow(ctx, id)
}

// TestQuestionsOfAPoll counts what the requests that clients repeat ask of
// the store.
func TestQuestionsOfAPoll(t *testing.T) {
	q := &questions{}
	w := newWorld(t, func(c *Config) {
		c.Runs, c.Workflows = askedRuns{c.Runs.(*store.DB), q}, askedRows{c.Workflows.(rows), q}
	})
	arn := w.create("etl", "extract load", nil)
	started, err := w.client.StartWorkflowRun(t.Context(), &mwaaserverless.StartWorkflowRunInput{WorkflowArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	w.step(flow.RunID(*started.RunId), func(s *engine.Step) {
		s.Run.State = flow.Running
		s.Tasks = []flow.Task{{ID: "extract", Kind: "BashOperator", State: flow.Running, Attempt: 2, Started: time.Now()}}
		s.Past = []flow.Attempt{{Task: "extract", N: 1, State: flow.Failed}}
	})
	tasks, err := w.client.ListTaskInstances(t.Context(), &mwaaserverless.ListTaskInstancesInput{WorkflowArn: &arn, RunId: started.RunId})
	if err != nil {
		t.Fatal(err)
	}
	get := func(i int) func() error {
		return func() error {
			_, err := w.client.GetTaskInstance(t.Context(), &mwaaserverless.GetTaskInstanceInput{
				WorkflowArn: &arn, RunId: started.RunId, TaskInstanceId: tasks.TaskInstances[i].TaskInstanceId,
			})
			return err
		}
	}
	for _, tt := range []struct {
		what string
		call func() error
		want []string
	}{
		{"the current attempt", get(1), []string{"Present"}},
		{"a past attempt", get(0), []string{"Present", "Run", "Instance", "Outputs"}},
		{"a run", func() error {
			_, err := w.client.GetWorkflowRun(t.Context(), &mwaaserverless.GetWorkflowRunInput{WorkflowArn: &arn, RunId: started.RunId})
			return err
		}, []string{"Run"}},
	} {
		q.asked = nil
		if err := tt.call(); err != nil {
			t.Fatalf("%s: %v", tt.what, err)
		}
		if !slices.Equal(q.asked, tt.want) {
			t.Errorf("%s asks the store for %q, want %q", tt.what, q.asked, tt.want)
		}
	}
}

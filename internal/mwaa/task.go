package mwaa

import (
	"context"
	"encoding/json"
	"strings"

	"fairlead/internal/flow"
)

func (d *Door) listTaskInstances(ctx context.Context, in *listTaskInstancesRequest) (*listTaskInstancesResponse, error) {
	const op = "ListTaskInstances"
	p, err := d.list(in.MaxResults, in.NextToken, op, in.WorkflowArn, in.RunId)
	if err != nil {
		return nil, err
	}
	r, err := d.findRun(ctx, in.WorkflowArn, in.RunId)
	if err != nil {
		return nil, err
	}
	tasks, last, err := d.Runs.Instances(ctx, r.ID, p)
	if err != nil {
		return nil, err
	}
	out := &listTaskInstancesResponse{NextToken: d.Tokens.Seal(last, op, in.WorkflowArn, in.RunId)}
	for _, t := range tasks {
		out.TaskInstances = append(out.TaskInstances, taskInstanceSummary{
			WorkflowArn: d.ARN(r.Workflow), WorkflowVersion: string(r.Version), RunId: string(r.ID),
			TaskInstanceId: instanceID(r, t), Status: d.taskStatus(t), OperatorName: t.Kind,
			DurationInSeconds: seconds(t.Started, t.Ended),
			TaskId:            string(t.ID), AttemptNumber: t.Attempt, StartedAt: at(t.Started), EndedAt: at(t.Ended),
		})
	}
	return out, nil
}

func (d *Door) getTaskInstance(ctx context.Context, in *getTaskInstanceRequest) (*getTaskInstanceResponse, error) {
	r, t, outputs, err := d.findInstance(ctx, in)
	if err != nil {
		return nil, err
	}
	out := &getTaskInstanceResponse{
		WorkflowArn: d.ARN(r.Workflow), RunId: string(r.ID), WorkflowVersion: string(r.Version),
		// The id that was asked for, even where the task has moved on.
		TaskInstanceId: in.TaskInstanceId,
		TaskId:         string(t.ID), Status: d.taskStatus(t), OperatorName: t.Kind, AttemptNumber: t.Attempt,
		StartedAt: at(t.Started), EndedAt: at(t.Ended), ModifiedAt: at(t.Modified), DurationInSeconds: seconds(t.Started, t.Ended),
	}
	switch t.State {
	case flow.Failed, flow.TimedOut, flow.Blocked, flow.Canceled, flow.Retrying, flow.Skipped:
		out.ErrorMessage = t.Reason
	}
	if !t.Started.IsZero() && t.Kind != "EmptyOperator" { // which has nothing to log
		out.LogStream = LogStream(r.Workflow, r.ID, t.ID, t.Attempt)
	}
	if !t.State.Final() {
		out.FairleadWaiting = d.waiting(ctx, r.ID, t.ID)
	}
	for key, value := range outputs {
		if out.Xcom == nil {
			out.Xcom = map[string]string{}
		}
		if d.Mask != nil {
			if value, err = d.Mask(ctx, r, value); err != nil {
				return nil, err
			}
		}
		out.Xcom[key] = string(value)
	}
	return out, nil
}

// findInstance returns the task that a request names, with its run and what
// it published.
func (d *Door) findInstance(ctx context.Context, in *getTaskInstanceRequest) (flow.Run, flow.Task, map[string]json.RawMessage, error) {
	// Most ask for the current attempt of what is there: one question. Only
	// what that does not find is looked for piece by piece.
	if wf, ok := d.named(in.WorkflowArn); ok {
		if key, task, attempt, ok := cutInstance(in.TaskInstanceId); ok && !strings.HasPrefix(task, hashed) {
			r, t, outputs, err := d.Runs.Present(ctx, wf, flow.RunID(in.RunId), flow.TaskID(task), attempt)
			if err == nil && r.Key == key || err != nil && flow.KindOf(err) != flow.NotFound {
				return r, t, outputs, err
			}
		}
	}
	r, err := d.findRun(ctx, in.WorkflowArn, in.RunId)
	if err != nil {
		return r, flow.Task{}, nil, err
	}
	t, err := d.instance(ctx, r, in.TaskInstanceId)
	if flow.KindOf(err) == flow.NotFound {
		err = flow.Errorf(flow.NotFound, "run %s has no task instance %s", r.ID, in.TaskInstanceId).About("TaskInstance", in.TaskInstanceId)
	}
	if err != nil {
		return r, t, nil, err
	}
	outputs, err := d.Runs.Outputs(ctx, r.ID, t.ID, t.Attempt)
	return r, t, outputs, err
}

// waiting says what a run, or a task of it, waits for.
func (d *Door) waiting(ctx context.Context, run flow.RunID, task flow.TaskID) *waiting {
	if d.Why == nil {
		return nil
	}
	w, ok := d.Why(ctx, run, task)
	if !ok {
		return nil
	}
	out := &waiting{Gate: string(w.Gate), Reason: w.Text, Until: at(w.Until), More: w.More}
	for _, id := range w.On {
		out.On = append(out.On, string(id))
	}
	return out
}

// instance returns the task that an instance's id names, as it is or was.
func (d *Door) instance(ctx context.Context, r flow.Run, id string) (flow.Task, error) {
	missing := flow.Errorf(flow.NotFound, "no such instance")
	part, attempt, ok := parseInstance(r, id)
	if !ok {
		return flow.Task{}, missing
	}
	if !hashedTask.MatchString(part) {
		return d.Runs.Instance(ctx, r.ID, flow.TaskID(part), attempt)
	}
	tasks, err := d.Runs.Latest(ctx, r.ID)
	if err != nil {
		return flow.Task{}, err
	}
	for _, t := range tasks {
		if taskPart(t.Task) == part {
			return d.Runs.Instance(ctx, r.ID, t.Task, attempt)
		}
	}
	return flow.Task{}, missing
}

package mwaa

import (
	"context"
	"encoding/json"
	"fmt"

	"fairlead/internal/flow"
)

func (d *Door) startWorkflowRun(ctx context.Context, in *startWorkflowRunRequest) (*startWorkflowRunResponse, error) {
	w, err := d.find(ctx, in.WorkflowArn)
	if err != nil {
		return nil, err
	}
	if w.Deleting {
		return nil, beingDeleted(in.WorkflowArn)
	}
	v, s, err := d.version(ctx, w, "")
	if err != nil {
		return nil, err
	}
	// The mode is the workflow's, whichever version is started.
	if mode, _ := triggerMode(s.TriggerMode); mode == modeDisabled {
		return nil, flow.Errorf(flow.Conflict, "workflow %s is disabled; update its TriggerMode to start runs", in.WorkflowArn).About("Workflow", in.WorkflowArn)
	}
	if in.WorkflowVersion != "" {
		if v, _, err = d.version(ctx, w, in.WorkflowVersion); err != nil {
			return nil, err
		}
	}
	req := StartRequest{Workflow: w.ID, Version: v.ID}
	if in.OverrideParameters != nil {
		if req.Params, err = json.Marshal(in.OverrideParameters); err != nil {
			return nil, err
		}
	}
	unnamed := *in
	unnamed.ClientToken = ""
	if req.Token, err = d.token("StartWorkflowRun", in.ClientToken, &unnamed); err != nil {
		return nil, err
	}
	r, err := d.Conductor.Start(ctx, req)
	if err != nil {
		return nil, err
	}
	started := r.Started
	if started.IsZero() {
		started = r.Created
	}
	return &startWorkflowRunResponse{RunId: string(r.ID), Status: runStatus(r.State), StartedAt: at(started)}, nil
}

func beingDeleted(name string) error {
	return flow.Errorf(flow.Conflict, "workflow %s is being deleted", name).About("Workflow", name)
}

// findRun returns a run of the workflow that a request names.
func (d *Door) findRun(ctx context.Context, name, id string) (flow.Run, error) {
	// A run that is there has a workflow that is there; asking for both is
	// only worth while when something is missing.
	if wf, ok := d.named(name); ok {
		if r, err := d.Runs.Run(ctx, wf, flow.RunID(id)); flow.KindOf(err) != flow.NotFound {
			return r, err
		}
	}
	w, err := d.find(ctx, name)
	if err != nil {
		return flow.Run{}, err
	}
	r, err := d.Runs.Run(ctx, w.ID, flow.RunID(id))
	if flow.KindOf(err) == flow.NotFound {
		err = flow.Errorf(flow.NotFound, "workflow %s has no run %s", name, id).About("WorkflowRun", id)
	}
	return r, err
}

func (d *Door) stopWorkflowRun(ctx context.Context, in *stopWorkflowRunRequest) (*stopWorkflowRunResponse, error) {
	r, err := d.findRun(ctx, in.WorkflowArn, in.RunId)
	if err != nil {
		return nil, err
	}
	if !r.State.Final() && r.State != flow.Stopping {
		wf := r.Workflow
		r, err = d.Conductor.Stop(ctx, wf, r.ID)
		if flow.KindOf(err) == flow.Conflict { // it ended while we looked
			r, err = d.Runs.Run(ctx, wf, flow.RunID(in.RunId))
			if err == nil && r.State.Final() {
				return nil, finished(r)
			}
		}
		if err != nil {
			return nil, err
		}
	} else if r.State.Final() {
		return nil, finished(r)
	}
	return &stopWorkflowRunResponse{
		WorkflowArn: d.ARN(r.Workflow), WorkflowVersion: string(r.Version), RunId: string(r.ID), Status: runStatus(r.State),
	}, nil
}

// finished is the error for stopping a run that is over. The class is that
// of the real service, which clients have learnt to expect.
func finished(r flow.Run) error {
	text := fmt.Sprintf("run %s has already finished with status %s; only a run that has not can be stopped", r.ID, runStatus(r.State))
	return flow.Errorf(flow.Invalid, "%s", text).At("RunId", text)
}

func (d *Door) getWorkflowRun(ctx context.Context, in *getWorkflowRunRequest) (*getWorkflowRunResponse, error) {
	r, err := d.findRun(ctx, in.WorkflowArn, in.RunId)
	if err != nil {
		return nil, err
	}
	tasks, err := d.Runs.Latest(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	arn := d.ARN(r.Workflow)
	detail := &workflowRunDetail{
		WorkflowArn: arn, WorkflowVersion: string(r.Version), RunId: string(r.ID), RunType: RunType(r.Kind),
		StartedOn: at(r.Started), CreatedAt: at(r.Created), CompletedOn: at(r.Ended), ModifiedAt: at(r.Modified),
		RunState: runStatus(r.State),
	}
	if began := r.Started; began.IsZero() {
		detail.Duration = seconds(r.Created, r.Ended)
	} else {
		detail.Duration = seconds(began, r.Ended)
	}
	if detail.RunState == "FAILED" || detail.RunState == "TIMEOUT" {
		detail.ErrorMessage = r.Reason
		if detail.ErrorMessage == "" {
			detail.ErrorMessage = "Workflow execution failed"
		}
	}
	if !r.State.Final() {
		detail.FairleadWaiting = d.waiting(ctx, r.ID, "")
	}
	for _, t := range tasks {
		detail.TaskInstances = append(detail.TaskInstances, InstanceID(r, t.Task, t.N))
	}
	return &getWorkflowRunResponse{
		WorkflowArn: arn, WorkflowVersion: string(r.Version), RunId: string(r.ID), RunType: RunType(r.Kind),
		OverrideParameters: overrides(r), RunDetail: detail,
	}, nil
}

// overrides returns what the run was started with; nil if nothing.
func overrides(r flow.Run) json.RawMessage {
	if s := string(r.Params); s == "" || s == "null" || s == "{}" {
		return nil
	}
	return r.Params
}

func (d *Door) listWorkflowRuns(ctx context.Context, in *listWorkflowRunsRequest) (*listWorkflowRunsResponse, error) {
	const op = "ListWorkflowRuns"
	p, err := d.list(in.MaxResults, in.NextToken, op, in.WorkflowArn, in.WorkflowVersion)
	if err != nil {
		return nil, err
	}
	w, err := d.find(ctx, in.WorkflowArn)
	if err != nil {
		return nil, err
	}
	runs, last, err := d.Runs.Runs(ctx, w.ID, flow.VersionID(in.WorkflowVersion), p)
	if err != nil {
		return nil, err
	}
	out := &listWorkflowRunsResponse{NextToken: d.Tokens.Seal(last, op, in.WorkflowArn, in.WorkflowVersion)}
	for _, r := range runs {
		out.WorkflowRuns = append(out.WorkflowRuns, workflowRunSummary{
			RunId: string(r.ID), WorkflowArn: d.ARN(w.ID), WorkflowVersion: string(r.Version), RunType: RunType(r.Kind),
			RunDetailSummary: &runDetailSummary{
				Status: runStatus(r.State), CreatedOn: at(r.Created), StartedAt: at(r.Started), EndedAt: at(r.Ended),
			},
		})
	}
	return out, nil
}

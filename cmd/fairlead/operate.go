package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"fairlead/internal/aws/arn"
	"fairlead/internal/aws/sigv4"
	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/near"
	"fairlead/internal/omics"
	"fairlead/internal/ops"
)

// operations is the door for what AWS has no operation for.
func (a *app) operations(verifier *sigv4.Verifier) *ops.Door {
	return ops.New(ops.Config{
		Conductor: opsConductor{a}, Runs: a.db, Workflows: opsWorkflows{a}, Events: opsEvents{a.office}, Log: a.opt.log, Mask: a.maskOf,
		Top: func(ctx context.Context, run flow.RunID, task flow.TaskID) (any, error) {
			return a.glance(ctx, run, task)
		},
		Check: func(r *http.Request, body []byte) (string, error) {
			if a.opt.anonymous {
				return "anonymous", nil
			}
			id, err := verifier.Verify(r, body)
			if err == nil && id.AccessKey != a.key.AccessKey {
				err = errors.New("the keys of tasks may not change runs")
			}
			return id.AccessKey, err
		},
	})
}

// opsConductor is the conductor as the door sees it.
type opsConductor struct{ a *app }

// omics says whether a run is one of HealthOmics.
func (o opsConductor) omics(ctx context.Context, run flow.RunID) (bool, error) {
	r, err := o.a.db.RunByID(ctx, run)
	return r.Version == "", err
}

func (o opsConductor) Clear(ctx context.Context, run flow.RunID, c ops.Clear, by string) (flow.Run, error) {
	ours, err := o.omics(ctx, run)
	if err != nil {
		return flow.Run{}, err
	}
	if ours {
		if !c.Downstream && len(c.Tasks) > 0 {
			return flow.Run{}, flow.Errorf(flow.Invalid, "what comes after a task of WDL is made of what it gave, and is done again with it: add downstream (--downstream)")
		}
		o.a.runs.turn.Lock()
		defer o.a.runs.turn.Unlock()
	}
	return o.a.conductor.Clear(ctx, run, engine.Clear{Tasks: c.Tasks, Failed: c.Failed, Downstream: c.Downstream, By: by})
}

func (o opsConductor) Mark(ctx context.Context, run flow.RunID, task flow.TaskID, s flow.State, by string) (flow.Run, error) {
	ours, err := o.omics(ctx, run)
	if err != nil {
		return flow.Run{}, err
	}
	if ours {
		if s != flow.Failed {
			return flow.Run{}, flow.Errorf(flow.Conflict, "task %s cannot be marked success or skipped: what comes after a task of WDL needs what it gives, and a mark gives nothing; retry the run", task)
		}
		o.a.runs.turn.Lock()
		defer o.a.runs.turn.Unlock()
	}
	return o.a.conductor.Mark(ctx, run, task, engine.Mark{State: s, By: by})
}

func (o opsConductor) Rerun(ctx context.Context, like flow.Run, params json.RawMessage, latest bool, token, by string) (flow.Run, error) {
	if like.Version == "" {
		return o.repeat(ctx, like, params, latest, token)
	}
	version := like.Version
	if latest {
		version = ""
	}
	v, err := o.a.db.Version(ctx, like.Workflow, version)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return flow.Run{}, flow.Errorf(flow.Conflict, "version %s of the workflow is gone: rerun with the latest one", like.Version)
	}
	if err != nil {
		return flow.Run{}, err
	}
	now := time.Now()
	r := newRun(v, flow.OnDemand, now, now)
	r.Params, r.By = params, by
	req := conductor.StartRequest{Run: r, MaxRuns: v.MaxRuns}
	if token != "" {
		req.Token = flow.Token{
			Key: "Rerun\x00" + string(like.ID) + "\x00" + token, Fingerprint: string(v.ID) + "\x00" + string(params), Expires: now.Add(24 * time.Hour),
		}
	}
	return o.a.conductor.Start(ctx, req)
}

// repeat reruns a run of HealthOmics, as StartRun with its id does.
func (o opsConductor) repeat(ctx context.Context, like flow.Run, params json.RawMessage, latest bool, token string) (flow.Run, error) {
	if latest {
		return flow.Run{}, flow.Errorf(flow.Invalid, "latest: a run of HealthOmics is repeated with the version that it had; name another in StartRun")
	}
	id, err := o.a.omics.Repeat(sigv4.WithIdentity(ctx, o.a.anybody()), like.ID, params, token)
	if err != nil {
		return flow.Run{}, err
	}
	return o.a.db.RunByID(ctx, id)
}

func (o opsConductor) Pause(ctx context.Context, wf flow.WorkflowID, by string) error {
	defer o.a.web.Changed(wf)
	return o.a.conductor.Pause(ctx, wf, by)
}

func (o opsConductor) Unpause(ctx context.Context, wf flow.WorkflowID, by string) error {
	defer o.a.web.Changed(wf)
	return o.a.conductor.Unpause(ctx, wf, by)
}

func (o opsConductor) Backfill(ctx context.Context, wf flow.WorkflowID, from, to time.Time, dry bool, by string) ([]ops.Slot, error) {
	v, err := o.a.db.Version(ctx, wf, "")
	if err != nil {
		return nil, err
	}
	slots, err := o.a.conductor.Backfill(ctx, v, from, to, dry, by)
	out := make([]ops.Slot, len(slots))
	for i, s := range slots {
		out[i] = ops.Slot(s)
	}
	return out, err
}

func (o opsConductor) Waits(ctx context.Context, run flow.RunID, limit int) (flow.Wait, []ops.TaskWait, int, error) {
	w, tasks, more, err := o.a.conductor.Waits(ctx, run, limit)
	out := make([]ops.TaskWait, len(tasks))
	for i, t := range tasks {
		out[i] = ops.TaskWait{Task: t.Task.ID, State: t.Task.State, Attempt: t.Task.Attempt, Wait: o.a.roomed(run, t.Task, t.Wait)}
	}
	return w, out, more, err
}

func (o opsConductor) Why(ctx context.Context, run flow.RunID, task flow.TaskID) (flow.Wait, bool, error) {
	w, ok, err := o.a.conductor.Why(ctx, run, task)
	if err != nil || !ok || w.Gate != flow.GateDriver {
		return w, ok, err
	}
	t, err := o.a.db.Instance(ctx, run, task, 0)
	return o.a.roomed(run, t, w), err == nil, err
}

// roomed is what a task waits for that is about to start. The engine knows no
// more than that; what carries out the tasks knows what has to be free.
func (a *app) roomed(run flow.RunID, t flow.Task, w flow.Wait) flow.Wait {
	if w.Gate != flow.GateDriver {
		return w
	}
	w.Text = cmp.Or(a.yaml.Waits(run, t), a.runs.Waits(run, t), w.Text)
	return w
}

func (o opsConductor) Next(ctx context.Context, wf flow.WorkflowID) (time.Time, error) {
	v, err := o.a.db.Version(ctx, wf, "")
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return time.Time{}, nil // it is one of HealthOmics
	}
	if err != nil || v.Schedule == nil {
		return time.Time{}, err
	}
	return conductor.NextFire(v.Schedule, time.Now())
}

// Unfinished implements [ops.Conductor]: the newest of all workflows, or those
// of one in the order in which they were asked for.
func (o opsConductor) Unfinished(ctx context.Context, wf flow.WorkflowID, limit int) ([]flow.Run, int, error) {
	ids := o.a.conductor.Active(wf)
	if wf == "" {
		runs, err := o.a.db.LatestRuns(ctx, limit, 0)
		return runs, max(0, len(ids)-len(runs)), err
	}
	var runs []flow.Run
	for _, id := range ids {
		r, err := o.a.db.RunByID(ctx, id)
		if flow.KindOf(err) == flow.NotFound && err != nil {
			continue // it was deleted just now
		}
		if err != nil {
			return nil, 0, err
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b flow.Run) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(string(a.ID), string(b.ID)))
	})
	n := min(limit, len(runs))
	return runs[:n], len(runs) - n, nil
}

// Task implements [ops.Conductor].
func (o opsConductor) Task(ctx context.Context, run flow.RunID, name string) (flow.TaskID, error) {
	_, err := o.a.db.Instance(ctx, run, flow.TaskID(name), 0)
	if flow.KindOf(err) != flow.NotFound || err == nil {
		return flow.TaskID(name), err
	}
	r, err := o.a.db.RunByID(ctx, run)
	if err != nil {
		return "", err
	}
	tasks, err := o.a.db.Tasks(ctx, run)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, t := range tasks {
		if r.Version == "" && (omics.TaskID(run, t) == name || omics.TaskName(t) == name) {
			return t.ID, nil
		}
		ids = append(ids, string(t.ID))
	}
	if len(ids) == 0 { // the run has not begun
		g, err := o.a.db.Graph(ctx, r.Graph)
		if err != nil {
			return "", err
		}
		for _, n := range g.Nodes {
			if ids = append(ids, string(n.ID)); string(n.ID) == name {
				return n.ID, nil
			}
		}
	}
	return "", flow.Errorf(flow.NotFound, "run %q has no task %q%s", run, name, meant(name, ids))
}

// meant names up to three of some names that another was probably meant to be,
// as the end of an error; empty if there are none: those with little between
// them, and those of which it is the last part.
func meant(name string, names []string) string {
	apart := map[string]int{}
	for _, n := range names {
		last := n[strings.LastIndex(n, "/")+1:]
		if d := near.Edits(strings.ToLower(name), strings.ToLower(last)); d <= max(1, len(name)/3) {
			apart[n] = d
		}
	}
	found := slices.SortedFunc(maps.Keys(apart), func(a, b string) int { return cmp.Or(apart[a]-apart[b], strings.Compare(a, b)) })
	if len(found) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(found[:min(3, len(found))], ", ") + "?"
}

// whyPatience is how long a read waits for what is no part of AWS's answer.
const whyPatience = 100 * time.Millisecond

// why is what the front door shows beside AWS's own members.
func (a *app) why(ctx context.Context, run flow.RunID, task flow.TaskID) (flow.Wait, bool) {
	ctx, cancel := context.WithTimeout(ctx, whyPatience)
	defer cancel()
	w, ok, err := opsConductor{a}.Why(ctx, run, task)
	return w, ok && err == nil
}

// opsWorkflows finds workflows by whatever people call them.
type opsWorkflows struct{ a *app }

func (o opsWorkflows) Find(ctx context.Context, name string) (flow.Workflow, error) {
	if strings.HasPrefix(name, "arn:") {
		parsed, err := arn.Parse(name)
		if err != nil {
			return flow.Workflow{}, flow.Errorf(flow.Invalid, "%s is no ARN of a workflow", name)
		}
		id, _ := parsed.ID("workflow")
		return o.a.db.Workflow(ctx, flow.WorkflowID(id))
	}
	w, err := o.a.db.WorkflowByName(ctx, name)
	if flow.KindOf(err) != flow.NotFound || err == nil {
		return w, err
	}
	w, err = o.a.db.Workflow(ctx, flow.WorkflowID(name))
	if flow.KindOf(err) == flow.NotFound && err != nil {
		rows, _, err := o.a.db.Workflows(ctx, flow.Page{Limit: 1000})
		if err != nil {
			return w, err
		}
		var names []string
		for _, row := range rows {
			names = append(names, row.Workflow.Name)
		}
		return w, flow.Errorf(flow.NotFound, "there is no workflow %s%s", name, meant(name, names))
	}
	return w, err
}

// Any implements [ops.Workflows].
func (o opsWorkflows) Any(ctx context.Context, name string) (flow.Workflow, error) {
	w, err := o.Find(ctx, name)
	if flow.KindOf(err) != flow.NotFound || err == nil {
		return w, err
	}
	if r, missing := o.a.db.Resource(ctx, flow.OmicsWorkflow, name); missing == nil {
		return flow.Workflow{ID: flow.WorkflowID(r.ID), Name: r.Name}, nil
	}
	return w, err
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"fairlead/internal/conductor"
	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/logs"
	"fairlead/internal/mwaa"
	"fairlead/internal/omics"
	"fairlead/internal/store"
)

// This file holds what joins parts that may not know each other: each type
// gives one part in the shape that another declares.

// newRun makes the row of a run that is about to start.
func newRun(v flow.Version, kind flow.RunKind, logical, now time.Time) flow.Run {
	return flow.Run{
		ID: mwaa.NewRunID(), Key: mwaa.NewRunKey(), Workflow: v.Workflow, Version: v.ID, Graph: v.Graph,
		Kind: kind, State: flow.Starting, Logical: logical, Created: now, Modified: now,
	}
}

// workflows is the store as the door sees it.
type workflows struct{ *store.DB }

func (w workflows) AddVersion(ctx context.Context, v flow.Version, max int) (flow.Version, error) {
	return w.DB.AddVersion(ctx, v, max, func(wf *flow.Workflow) { wf.Modified = v.Created })
}

func (w workflows) Workflows(ctx context.Context, p flow.Page) ([]mwaa.Listed, string, error) {
	rows, next, err := w.DB.Workflows(ctx, p)
	listed := make([]mwaa.Listed, len(rows))
	for i, r := range rows {
		listed[i] = mwaa.Listed{Workflow: r.Workflow, Version: r.Latest}
	}
	return listed, next, err
}

// doorConductor is the conductor as the door sees it.
type doorConductor struct{ a *app }

func (d doorConductor) Start(ctx context.Context, req mwaa.StartRequest) (flow.Run, error) {
	v, err := d.a.db.Version(ctx, req.Workflow, req.Version)
	if err != nil {
		return flow.Run{}, err
	}
	now := time.Now()
	r := newRun(v, flow.OnDemand, now, now)
	r.Params = req.Params
	return d.a.conductor.Start(ctx, conductor.StartRequest{Run: r, MaxRuns: v.MaxRuns, Token: req.Token})
}

func (d doorConductor) Stop(ctx context.Context, _ flow.WorkflowID, run flow.RunID) (flow.Run, error) {
	return d.a.stopRun(ctx, run, "StopWorkflowRun")
}

// stopRun ends a run for whoever asks.
func (a *app) stopRun(ctx context.Context, run flow.RunID, by string) (flow.Run, error) {
	before, err := a.db.RunByID(ctx, run)
	if err != nil {
		return flow.Run{}, err
	}
	if before.State.Final() {
		return before, flow.Errorf(flow.Conflict, "run %s has ended already", run)
	}
	after, err := a.conductor.Stop(ctx, run, by)
	if err == nil && after.State.Final() && after.Cause != flow.ByStop {
		return after, flow.Errorf(flow.Conflict, "run %s has just ended by itself", run)
	}
	return after, err
}

func (d doorConductor) WorkflowChanged(ctx context.Context, wf flow.WorkflowID) error {
	d.a.web.Changed(wf)
	return d.a.conductor.WorkflowChanged(ctx, wf)
}

func (d doorConductor) DeleteWorkflow(ctx context.Context, wf flow.WorkflowID) error {
	d.a.web.Changed(wf)
	return d.a.conductor.DeleteWorkflow(ctx, wf)
}

// definitions is the compiler as the door sees it.
type definitions struct{ compiler }

func (d definitions) Compile(src []byte, hasCode bool) (flow.Definition, []flow.Diagnostic) {
	return d.compile(src, hasCode)
}

// packages is the shelf of code packages as the door sees it.
type packages struct{ a *app }

func (p packages) Snapshot(ctx context.Context, bucket, key, version string, _ int64) (string, error) {
	return p.a.shelf.Snapshot(ctx, p.a.objects, bucket, key, version)
}

// logGroups is the logs as the door sees them.
type logGroups struct{ *logs.Dir }

func (l logGroups) CreateGroup(_ context.Context, name string) error { return l.EnsureGroup(name) }

// A place says where attempts find what lies outside their definition.
type place struct {
	app *app
	// surroundings are kept by version, which never changes.
	surroundings sync.Map // flow.VersionID → *surroundings
}

type surroundings struct {
	group string
	role  string
	env   map[string]string
	code  func() (string, error)
}

// Log implements [airflow.Place].
func (p *place) Log(ctx context.Context, r flow.Run, task flow.TaskID, attempt int) (string, error) {
	s, err := p.of(ctx, r)
	if err != nil {
		return "", err
	}
	return p.app.logs.Path(s.group, mwaa.LogStream(r.Workflow, r.ID, task, attempt))
}

// Surroundings implements [airflow.Place].
func (p *place) Surroundings(ctx context.Context, r flow.Run, t flow.Task) (airflow.Surroundings, error) {
	s, err := p.of(ctx, r)
	if err != nil {
		return airflow.Surroundings{}, err
	}
	out := airflow.Surroundings{Env: map[string]string{}}
	if out.Code, err = s.code(); err != nil {
		return out, err
	}
	maps.Copy(out.Env, s.env)
	maps.Copy(out.Env, p.app.credentials(s.role, r, t))
	p.app.traceEnv(out.Env, r, t)
	if err := p.app.giveSecrets(&out, s.role); err != nil {
		return out, err
	}
	wf, err := p.app.db.Workflow(ctx, r.Workflow)
	if err != nil {
		return out, err
	}
	out.Image = p.app.imageOf(wf.Tags, t.ID)
	return out, p.app.setNetwork(&out, wf.Tags, s.role, r, t)
}

func (p *place) of(ctx context.Context, r flow.Run) (*surroundings, error) {
	if s, ok := p.surroundings.Load(r.Version); ok {
		return s.(*surroundings), nil
	}
	v, err := p.app.db.Version(ctx, r.Workflow, r.Version)
	if err != nil {
		return nil, fmt.Errorf("version %s of run %s: %w", r.Version, r.ID, err)
	}
	rt, err := mwaa.RuntimeOf(v)
	if err != nil {
		return nil, err
	}
	s := &surroundings{group: rt.LogGroup, role: cmp.Or(rt.RoleArn, "arn:aws:iam::"+p.app.opt.account+":role/task"), env: rt.Environment, code: func() (string, error) { return "", nil }}
	if key := v.Code; key != "" {
		s.code = func() (string, error) { return p.app.shelf.Unpacked(key) }
	}
	p.surroundings.Store(r.Version, s)
	return s, nil
}

// readLog reads the log of an attempt.
func (a *app) readLog(ctx context.Context, r flow.Run, task flow.TaskID, attempt int, want flow.LogRange) (flow.LogPage, error) {
	group, stream, err := a.logOf(ctx, r, task, attempt)
	if err != nil {
		return flow.LogPage{}, err
	}
	return a.logs.Read(ctx, group, stream, want)
}

// logOf says where the log of an attempt is.
func (a *app) logOf(ctx context.Context, r flow.Run, task flow.TaskID, attempt int) (group, stream string, err error) {
	if r.Version != "" {
		group, err = a.logGroup(ctx, r)
		return group, mwaa.LogStream(r.Workflow, r.ID, task, attempt), err
	}
	t, err := a.db.Instance(ctx, r.ID, task, 0)
	t.Attempt = attempt
	return omics.LogGroup, omics.TaskStream(r.ID, t), err
}

// lastLines returns the texts of an attempt's log for a person to read.
func (a *app) lastLines(r flow.Run, task flow.TaskID, attempt, most int) []string {
	page, err := a.readLog(context.Background(), r, task, attempt, flow.LogRange{From: -1, Back: true, Limit: most})
	if err != nil {
		return []string{"(the log cannot be read: " + err.Error() + ")"}
	}
	lines := make([]string, len(page.Events))
	for i, e := range page.Events {
		lines[i] = printable(eventText(e.Text))
	}
	return lines
}

// eventText returns what a log line says, without the JSON around it.
func eventText(line string) string {
	var e struct {
		Event  string `json:"event"`
		Detail []struct {
			Type  string `json:"exc_type"`
			Value string `json:"exc_value"`
		} `json:"error_detail"`
	}
	if json.Unmarshal([]byte(line), &e) != nil {
		return line
	}
	if len(e.Detail) > 0 {
		return fmt.Sprintf("%s: %s: %s", e.Event, e.Detail[0].Type, e.Detail[0].Value)
	}
	return e.Event
}

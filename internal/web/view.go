package web

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"fairlead/internal/aws/arn"
	"fairlead/internal/flow"
)

// This file has what several pages are told, in the words of ui/src/api.ts.

// millis is how a page is told a time: 0 is none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// maxReason bounds what a page is told of one reason.
const maxReason = 2000

type pauseView struct {
	By    string `json:"by"`
	Since int64  `json:"since"`
}

// pauses returns the pause of everything, and those of workflows.
func (s *Console) pauses(ctx context.Context) (all *pauseView, of map[flow.WorkflowID]*pauseView, err error) {
	rows, err := s.c.Steering.Pauses(ctx)
	of = map[flow.WorkflowID]*pauseView{}
	for _, p := range rows {
		of[p.Workflow] = &pauseView{p.By, millis(p.Since)}
	}
	return of[""], of, err
}

type scheduleView struct {
	Expr  string `json:"expr"`
	Zone  string `json:"zone"`
	Words string `json:"words"`
	Next  int64  `json:"next"`
}

// viewSchedule shows a schedule; one that is off has no next fire.
func (s *Console) viewSchedule(sch *flow.Schedule, off bool) *scheduleView {
	if sch == nil {
		return nil
	}
	v := &scheduleView{Expr: sch.Expr, Zone: sch.Zone, Words: s.c.Language.Words(sch.Expr)}
	if !off {
		if next, ok := s.c.Next(*sch, s.c.Now()); ok {
			v.Next = millis(next)
		}
	}
	return v
}

type runView struct {
	ID       flow.RunID      `json:"id"`
	Workflow flow.WorkflowID `json:"workflow"`
	Service  service         `json:"service"`
	Version  flow.VersionID  `json:"version"`
	N        int             `json:"n"`
	Kind     flow.RunKind    `json:"kind"`
	State    state           `json:"state"`
	Rev      int64           `json:"rev"`
	Created  int64           `json:"created"`
	Logical  int64           `json:"logical"`
	Started  int64           `json:"started"`
	Ended    int64           `json:"ended"`
	Reason   string          `json:"reason"`
	By       string          `json:"by"`
	Held     bool            `json:"held"`
}

func (s *Console) viewRun(ctx context.Context, r flow.Run) (runView, error) {
	n, err := s.numberOf(ctx, r.Workflow, r.Version)
	return runView{
		ID: r.ID, Workflow: r.Workflow, Service: serviceOf(r), Version: r.Version, N: n, Kind: r.Kind, State: state(r.State), Rev: r.Rev,
		Created: millis(r.Created), Logical: millis(r.Logical), Started: millis(r.Started), Ended: millis(r.Ended),
		Reason: clip(r.Reason, maxReason), By: r.By, Held: r.Held,
	}, err
}

func (s *Console) viewRuns(ctx context.Context, rows []flow.Run) ([]runView, error) {
	out := make([]runView, len(rows))
	var err error
	for i, r := range rows {
		if out[i], err = s.viewRun(ctx, r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// serviceOf tells whose run it is: those of HealthOmics have no version.
func serviceOf(r flow.Run) service {
	if r.Version == "" {
		return omics
	}
	return mwaa
}

// nameOf returns the name of a run's workflow; its id where it has none.
func (s *Console) nameOf(ctx context.Context, r flow.Run) (string, error) {
	if serviceOf(r) == omics {
		o, err := s.c.Omics.OmicsRun(ctx, r)
		if flow.KindOf(err) == flow.NotFound {
			err = nil
		}
		return cmp.Or(o.WorkflowName, string(r.Workflow)), err
	}
	w, err := s.c.Workflows.Workflow(ctx, r.Workflow)
	return w.Name, err
}

// arnOf is the ARN that a run goes by: its own, or that of its workflow where
// runs have none.
func (s *Console) arnOf(r flow.Run) string {
	if serviceOf(r) == omics {
		return arn.OmicsRun(s.c.Region, s.c.Account, string(r.ID)).String()
	}
	return s.arn(r.Workflow)
}

// numberOf returns the number of a version; 0 if it was deleted, or there is
// none.
func (s *Console) numberOf(ctx context.Context, w flow.WorkflowID, id flow.VersionID) (int, error) {
	if id == "" {
		return 0, nil
	}
	if n, ok := s.numbers.find(id); ok {
		return n, nil
	}
	v, err := s.c.Workflows.Version(ctx, w, id)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	s.numbers.put(id, v.N)
	return v.N, nil
}

type workflowView struct {
	ID       flow.WorkflowID `json:"id"`
	Name     string          `json:"name"`
	Service  service         `json:"service"`
	N        int             `json:"n"`
	Created  int64           `json:"created"`
	Modified int64           `json:"modified"`
	Deleting bool            `json:"deleting"`
	Paused   *pauseView      `json:"paused"`
	// PausedAll is the pause of everything, which holds this one too.
	PausedAll *pauseView    `json:"pausedAll"`
	Schedule  *scheduleView `json:"schedule"`
	Active    int           `json:"active"`
	Runs      []runView     `json:"runs"`
}

// latestRuns is how many runs a row of a workflow has unless told.
const latestRuns = 12

func (s *Console) viewWorkflow(ctx context.Context, row Row, runs int, paused map[flow.WorkflowID]*pauseView) (workflowView, error) {
	w := row.Workflow
	v := workflowView{
		ID: w.ID, Name: w.Name, Service: mwaa, N: row.Latest.N, Created: millis(w.Created), Modified: millis(w.Modified),
		Deleting: w.Deleting, Paused: paused[w.ID], PausedAll: paused[""], Runs: []runView{},
		Schedule: s.viewSchedule(row.Latest.Schedule, w.Deleting || paused[w.ID] != nil || paused[""] != nil),
	}
	var err error
	if v.Active, _, err = s.c.Runs.CountActive(ctx, w.ID); err != nil || runs == 0 {
		return v, err
	}
	rows, _, err := s.c.Runs.Runs(ctx, w.ID, "", flow.Page{Limit: runs})
	if err != nil {
		return v, err
	}
	v.Runs, err = s.viewRuns(ctx, rows)
	return v, err
}

// row finds a workflow with its latest version.
func (s *Console) row(ctx context.Context, id flow.WorkflowID) (Row, error) {
	w, err := s.c.Workflows.Workflow(ctx, id)
	if err != nil {
		return Row{}, err
	}
	v, err := s.c.Workflows.Version(ctx, id, w.Latest)
	return Row{w, v}, err
}

// workflowNow shows a workflow as it is in the list.
func (s *Console) workflowNow(ctx context.Context, id flow.WorkflowID) (workflowView, error) {
	row, err := s.row(ctx, id)
	if err != nil {
		return workflowView{}, err
	}
	_, paused, err := s.pauses(ctx)
	if err != nil {
		return workflowView{}, err
	}
	return s.viewWorkflow(ctx, row, latestRuns, paused)
}

type waitView struct {
	Gate  flow.Gate     `json:"gate"`
	Text  string        `json:"text"`
	Until int64         `json:"until"`
	On    []flow.TaskID `json:"on"`
	More  int           `json:"more"`
}

func viewWait(w flow.Wait) waitView {
	if w.On == nil {
		w.On = []flow.TaskID{}
	}
	return waitView{w.Gate, w.Text, millis(w.Until), w.On, w.More}
}

// A Param is one parameter of a workflow, as a form asks for it.
type Param struct {
	Name string `json:"name"`
	// Default is nil where a run must give a value.
	Default  json.RawMessage `json:"default,omitempty"`
	Required bool            `json:"required"`
	// Type has the types of JSON that a value may have, joined by " or ".
	Type string `json:"type"`
	// Schema is a JSON Schema; nil allows anything.
	Schema json.RawMessage `json:"schema,omitempty"`
}

func (s *Console) arn(id flow.WorkflowID) string {
	return arn.Workflow(s.c.Region, s.c.Account, string(id)).String()
}

// A dictionary gives texts that come again and again numbers.
type dictionary struct {
	texts []string
	at    map[string]int
}

func (d *dictionary) number(text string) int {
	n, ok := d.at[text]
	if !ok {
		if d.at == nil {
			d.at = map[string]int{}
		}
		n = len(d.texts)
		d.texts, d.at[text] = append(d.texts, text), n
	}
	return n
}

// list is never nil, which JSON would have as null.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// sortedKeys returns the keys of a map in their order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

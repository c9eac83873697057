package web

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// Omics is where the runs of HealthOmics are read, which belong to no workflow
// of [Workflows].
type Omics interface {
	// OmicsRuns lists those with a status of the service, or all if it is empty,
	// newest first, and returns the After of the page that follows.
	OmicsRuns(ctx context.Context, status string, p flow.Page) (_ []OmicsRun, next string, err error)
	// OmicsRun adds to a run what is known of it beside. One that was not
	// started through the service is a flow.NotFound.
	OmicsRun(ctx context.Context, r flow.Run) (OmicsRun, error)
	// Repeat starts a run like another one. A token that was used before gives
	// the run that it began.
	Repeat(ctx context.Context, like flow.Run, with OmicsRepeat) (flow.Run, error)
	// OmicsWorkflows lists workflows, newest first, and OmicsWorkflow adds to one
	// what only its own page shows.
	OmicsWorkflows(ctx context.Context, p flow.Page) (_ []OmicsWorkflow, next string, err error)
	OmicsWorkflow(ctx context.Context, id string) (OmicsWorkflow, error)
}

// An OmicsWorkflow is a workflow of HealthOmics. What follows Created is of one
// that was asked for by itself.
type OmicsWorkflow struct {
	ID, Name, Status string
	Created          time.Time
	Description      string
	Message          string // why it failed, or what is in it
	Engine, Main     string
	Readme           string
	Template         map[string]OmicsParameter
}

// An OmicsParameter is one that the runs of a workflow take.
type OmicsParameter struct {
	Description string `json:"description"`
	Optional    bool   `json:"optional"`
}

// OmicsRepeat says in what a run is unlike the one that it repeats: in nothing
// that is empty.
type OmicsRepeat struct {
	Params                 json.RawMessage
	Name, OutputURI, Token string
}

// An OmicsRun is a run of HealthOmics.
type OmicsRun struct {
	Run flow.Run
	// Name is the run's, which may be empty, and WorkflowName its workflow's.
	Name, WorkflowName string
	// Status is in the words of the service.
	Status string
	// OutputURI is where its outputs go, below a directory of its id.
	OutputURI, Role string
}

// An omicsFacts is what the page of a run shows of it beside what all runs have.
type omicsFacts struct {
	Name      string `json:"name"`
	OutputURI string `json:"outputUri"`
	Role      string `json:"role"`
}

func (s *Console) omicsFacts(ctx context.Context, r flow.Run) (*omicsFacts, error) {
	if serviceOf(r) != omics {
		return nil, nil
	}
	o, err := s.c.Omics.OmicsRun(ctx, r)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return nil, nil
	}
	return &omicsFacts{clip(o.Name, maxShort), o.OutputURI, o.Role}, err
}

type omicsWorkflowRow struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Status  string `json:"status"`
	Created int64  `json:"created"`
}

type omicsWorkflowList struct {
	Rows []omicsWorkflowRow `json:"rows"`
	Next string             `json:"next"`
}

func (s *Console) listOmicsWorkflows(c *call) (any, error) {
	page, err := s.page(c, 50, 100, "console omics workflows")
	if err != nil {
		return nil, err
	}
	rows, next, err := s.c.Omics.OmicsWorkflows(c.Context(), page)
	if err != nil {
		return nil, err
	}
	out := omicsWorkflowList{Rows: make([]omicsWorkflowRow, len(rows)), Next: s.c.Tokens.Seal(next, "console omics workflows")}
	for i, w := range rows {
		out.Rows[i] = omicsWorkflowRow{w.ID, clip(w.Name, maxShort), w.Status, millis(w.Created)}
	}
	return out, nil
}

type omicsWorkflowView struct {
	omicsWorkflowRow
	Description string                    `json:"description"`
	Message     string                    `json:"message"`
	Engine      string                    `json:"engine"`
	Main        string                    `json:"main"`
	Readme      string                    `json:"readme"`
	Template    map[string]OmicsParameter `json:"template"`
}

func (s *Console) getOmicsWorkflow(c *call) (any, error) {
	w, err := s.c.Omics.OmicsWorkflow(c.Context(), c.PathValue("workflow"))
	if err != nil {
		return nil, err
	}
	if w.Template == nil {
		w.Template = map[string]OmicsParameter{}
	}
	return omicsWorkflowView{
		omicsWorkflowRow{w.ID, clip(w.Name, maxShort), w.Status, millis(w.Created)},
		w.Description, w.Message, w.Engine, w.Main, clip(w.Readme, maxShown), w.Template,
	}, nil
}

// keyUsage is the key under which an attempt of HealthOmics that has ended has
// published what it asked for; until then that is its mark.
const keyUsage = "usage"

// An askedView is what an attempt of HealthOmics asked for, and whether a cache
// had what it makes.
type askedView struct {
	CPUs     int    `json:"cpus"`
	Memory   int64  `json:"memory"`
	GPUs     int    `json:"gpus"`
	Instance string `json:"instance"`
	Image    string `json:"image"`
	CacheHit bool   `json:"cacheHit"`
	CacheURI string `json:"cacheUri"`
}

// asked returns what an attempt asked for; nil while that is not known.
func (s *Console) asked(ctx context.Context, r flow.Run, t flow.Task) (*askedView, error) {
	raw := t.Mark
	if raw == nil && !t.Ended.IsZero() {
		values, err := s.c.Tasks.Outputs(ctx, r.ID, t.ID, t.Attempt)
		if err != nil {
			return nil, err
		}
		raw = values[keyUsage]
	}
	var u struct {
		CPUs, GPUs                int
		Memory                    int64
		Instance, Image, CacheURI string
		CacheHit                  bool
	}
	if len(raw) == 0 || json.Unmarshal(raw, &u) != nil || u.CPUs == 0 && !u.CacheHit {
		return nil, nil // a scatter, say, which asks for nothing
	}
	return &askedView{u.CPUs, u.Memory, u.GPUs, u.Instance, clip(u.Image, maxShort), u.CacheHit, clip(u.CacheURI, maxShort)}, nil
}

// notOmics refuses what runs of HealthOmics cannot have done to them.
func notOmics(r flow.Run, what string) error {
	if serviceOf(r) == omics {
		return flow.Errorf(flow.Conflict, "%s is not of HealthOmics, whose runs can be stopped, retried from what failed, and started again as new ones: run %s stays as it is", what, r.ID)
	}
	return nil
}

type omicsRunView struct {
	ID           flow.RunID      `json:"id"`
	Name         string          `json:"name"`
	Workflow     flow.WorkflowID `json:"workflow"`
	WorkflowName string          `json:"workflowName"`
	Status       string          `json:"status"`
	State        state           `json:"state"`
	Held         bool            `json:"held"`
	Rev          int64           `json:"rev"`
	Created      int64           `json:"created"`
	Started      int64           `json:"started"`
	Ended        int64           `json:"ended"`
	Reason       string          `json:"reason"`
}

func viewOmicsRun(o OmicsRun) omicsRunView {
	r := o.Run
	return omicsRunView{
		ID: r.ID, Name: clip(o.Name, maxShort), Workflow: r.Workflow, WorkflowName: clip(o.WorkflowName, maxShort), Status: o.Status,
		State: state(r.State), Held: r.Held, Rev: r.Rev, Created: millis(r.Created), Started: millis(r.Started), Ended: millis(r.Ended),
		Reason: clip(r.Reason, maxShort),
	}
}

type omicsRunList struct {
	Rows []omicsRunView `json:"rows"`
	Next string         `json:"next"`
}

// omicsStatuses are the statuses of runs that one may ask for.
const omicsStatuses = "PENDING STARTING RUNNING STOPPING COMPLETED FAILED CANCELLED"

func (s *Console) listOmicsRuns(c *call) (any, error) {
	status := c.query.Get("status")
	if status != "" && !slices.Contains(strings.Fields(omicsStatuses), status) {
		return nil, fault("status", "%q is none; expected one of %s", clip(status, 50), strings.ReplaceAll(omicsStatuses, " ", ", "))
	}
	page, err := s.page(c, 50, 200, "console omics runs", status)
	if err != nil {
		return nil, err
	}
	rows, next, err := s.c.Omics.OmicsRuns(c.Context(), status, page)
	if err != nil {
		return nil, err
	}
	out := omicsRunList{Rows: make([]omicsRunView, len(rows)), Next: s.c.Tokens.Seal(next, "console omics runs", status)}
	for i, r := range rows {
		out.Rows[i] = viewOmicsRun(r)
	}
	return out, nil
}

type omicsEvent struct {
	Topic string         `json:"topic"`
	Rows  []omicsRunView `json:"rows"`
	More  bool           `json:"more"`
}

// maxOmicsRows bounds how many runs one event has.
const maxOmicsRows = 200

func (s *Console) omicsEvent(ctx context.Context, t *topic, n news) (any, error) {
	out := omicsEvent{Topic: t.name, Rows: []omicsRunView{}, More: n.gone || len(n.runs) > maxOmicsRows}
	for _, id := range sortedKeys(n.runs) {
		if len(out.Rows) == maxOmicsRows {
			break
		}
		r, err := s.c.Omics.OmicsRun(ctx, n.runs[id].run)
		if flow.KindOf(err) == flow.NotFound && err != nil {
			continue // it is gone since, or is not the service's
		}
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, viewOmicsRun(r))
	}
	return out, nil
}

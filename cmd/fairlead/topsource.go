package main

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"fairlead/internal/flow"
)

// A glance is what the live picture shows: the runs, and of one of them the
// tasks with the end of one log.
type glance struct {
	Runs []runGlance `json:"runs"`
	// Run is the one that was asked for; nil if none was.
	Run   *runGlance   `json:"run,omitempty"`
	Tasks []taskGlance `json:"tasks,omitempty"`
	// Log is the end of the log of the task LogOf.
	LogOf flow.TaskID `json:"logOf,omitempty"`
	Log   []string    `json:"log,omitempty"`
}

type runGlance struct {
	ID       flow.RunID      `json:"run"`
	Workflow flow.WorkflowID `json:"workflow"`
	State    flow.State      `json:"state"`
	Held     bool            `json:"paused,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Created  time.Time       `json:"created"`
	Started  time.Time       `json:"started,omitzero"`
	Ended    time.Time       `json:"ended,omitzero"`
}

type taskGlance struct {
	ID      flow.TaskID   `json:"task"`
	State   flow.State    `json:"state"`
	Attempt int           `json:"attempt,omitempty"`
	Reason  string        `json:"reason,omitempty"`
	Started time.Time     `json:"started,omitzero"`
	Ended   time.Time     `json:"ended,omitzero"`
	Due     time.Time     `json:"due,omitzero"`
	After   []flow.TaskID `json:"after,omitempty"`
}

func glanceAt(r flow.Run) runGlance {
	return runGlance{r.ID, r.Workflow, r.State, r.Held, r.Reason, r.Created, r.Started, r.Ended}
}

// What one glance has at most.
const (
	glanceRuns  = 100
	glanceOver  = 20 // of them, that have ended
	glanceTasks = 5000
	glanceLines = 20
)

// glance looks. The log is that of the named task, or if there is none of one
// that has failed.
func (a *app) glance(ctx context.Context, run flow.RunID, task flow.TaskID) (glance, error) {
	g := glance{Runs: []runGlance{}}
	rows, err := a.db.LatestRuns(ctx, glanceRuns, glanceOver)
	if err != nil {
		return g, err
	}
	for _, r := range rows {
		g.Runs = append(g.Runs, glanceAt(r))
	}
	if run == "" {
		return g, nil
	}
	r, err := a.db.RunByID(ctx, run)
	if err != nil {
		return g, err
	}
	at := glanceAt(r)
	g.Run = &at
	tasks, err := a.db.Tasks(ctx, run)
	if err != nil {
		return g, err
	}
	graph, err := a.db.Graph(ctx, r.Graph)
	if err != nil {
		return g, err
	}
	if len(tasks) == 0 { // it has not begun
		for i := range graph.Nodes {
			tasks = append(tasks, flow.Task{ID: graph.Nodes[i].ID, Index: i, State: flow.Waiting})
		}
	}
	var shown *flow.Task
	for i := range tasks[:min(len(tasks), glanceTasks)] {
		t := &tasks[i]
		row := taskGlance{t.ID, t.State, t.Attempt, t.Reason, t.Started, t.Ended, t.Due, nil}
		if t.Index < len(graph.Nodes) {
			row.After = graph.Nodes[t.Index].After
		}
		g.Tasks = append(g.Tasks, row)
		switch bad := t.State == flow.Failed || t.State == flow.TimedOut || t.State == flow.Retrying; {
		case t.ID == task, shown == nil && task == "" && bad && t.Attempt > 0:
			shown = t
		}
	}
	if shown != nil && shown.Attempt > 0 {
		g.LogOf, g.Log = shown.ID, a.lastLines(r, shown.ID, shown.Attempt, glanceLines)
	}
	return g, nil
}

// A glancer is where glances come from.
type glancer func(ctx context.Context, run flow.RunID, task flow.TaskID) (glance, error)

// remote glances at a running server.
func (c *caller) remote(ctx context.Context, run flow.RunID, task flow.TaskID) (glance, error) {
	q := url.Values{"run": {string(run)}, "task": {string(task)}}
	got, err := c.call(ctx, "GET", "top?"+q.Encode(), nil)
	if err != nil {
		return glance{}, err
	}
	var g glance
	err = json.Unmarshal(got, &g)
	return g, err
}

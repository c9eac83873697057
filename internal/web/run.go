package web

import (
	"fmt"
	"net/http"

	"fairlead/internal/flow"
)

// instancesPerPage is how many rows the table of tasks shows at once.
const instancesPerPage = 200

type runPage struct {
	ID, ARN  string
	Workflow link
	State    badge
	Kind     string
	Version  link
	Created  instant
	Started  instant
	Ended    instant
	Took     string
	Logical  instant
	Params   []value
	Why      string
	Failed   bool // Why is an error
	// Hidden names tasks that failed although the run succeeded.
	Hidden     string
	HiddenMany bool

	Nodes int
	Tally []tally
	Chart *chart // nil: too large to draw
	Rows  []taskRow
	Later string
	First string
	Setup string
}

// A tally is how many tasks are in a state.
type tally struct {
	N     int
	State badge
}

type taskRow struct {
	ID, URL  string
	Operator string
	Attempt  int
	Past     bool // another attempt followed
	State    badge
	Started  instant
	Took     string
	Why      string
}

// run shows a run and its tasks.
func (s *Console) run(r *http.Request) (view, error) {
	ctx := r.Context()
	run, w, err := s.find(r)
	if err != nil {
		return view{}, err
	}
	v, err := s.c.Workflows.Version(ctx, run.Workflow, run.Version)
	if err != nil && flow.KindOf(err) != flow.NotFound { // a version may be gone before its runs
		return view{}, err
	}
	g, err := s.c.Workflows.Graph(ctx, run.Graph)
	if err != nil {
		return view{}, err
	}
	tasks, err := s.c.Tasks.Tasks(ctx, run.ID)
	if err != nil {
		return view{}, err
	}
	page, err := s.list(r, "page", instancesPerPage, "instances", string(run.ID))
	if err != nil {
		return view{}, err
	}
	instances, next, err := s.c.Tasks.Instances(ctx, run.ID, page)
	if err != nil {
		return view{}, err
	}
	now := s.c.Now()
	all := newWorld(&g, tasks, now)
	base := runURL(run.Workflow, run.ID)
	p := runPage{
		ID: string(run.ID), ARN: s.arn(run.Workflow), Workflow: link{w.Name, workflowURL(w.ID)},
		State: runBadge(run.State), Kind: kindWord(run.Kind), Version: versionLink(run, v),
		Created: moment(run.Created), Started: moment(run.Started), Ended: moment(run.Ended),
		Took: took(run.Started, run.Ended, now), Params: members(run.Params),
		Why: whyRun(run, v), Failed: run.State == flow.Failed || run.State == flow.TimedOut,
		Nodes: len(g.Nodes), Tally: s.tally(tasks), Chart: s.chart(run, &g, all), Setup: s.c.Setup,
		Later: follow(base, "page", s.c.Tokens.Seal(next, "instances", string(run.ID))), First: front(page, base),
	}
	if run.Kind == flow.Scheduled {
		p.Logical = moment(run.Logical)
	}
	if run.State == flow.Succeeded {
		var hidden []flow.TaskID
		for _, t := range tasks {
			if failed(t.State) {
				hidden = append(hidden, t.ID)
			}
		}
		p.Hidden, p.HiddenMany = names(hidden), len(hidden) > 1
	}
	for _, t := range instances {
		row := taskRow{
			ID: string(t.ID), URL: taskURL(run, t.ID, t.Attempt), Operator: t.Kind, Attempt: t.Attempt,
			Past: t.Attempt < all.tasks[t.ID].Attempt, State: s.taskBadge(t.State),
			Started: moment(t.Started), Took: took(t.Started, t.Ended, now),
		}
		if row.Why = all.why(t); row.Past {
			row.Why = t.Reason
		}
		p.Rows = append(p.Rows, row)
	}
	return view{
		page: "run", title: "Run " + string(run.ID), trail: []link{p.Workflow, {"Run " + string(run.ID), ""}},
		every: paceOf(run), data: p,
	}, nil
}

// find returns the run that the address names, with its workflow.
func (s *Console) find(r *http.Request) (flow.Run, flow.Workflow, error) {
	id := flow.WorkflowID(r.PathValue("workflow"))
	w, err := s.c.Workflows.Workflow(r.Context(), id)
	if err != nil {
		return flow.Run{}, w, err
	}
	run, err := s.c.Runs.Run(r.Context(), id, flow.RunID(r.PathValue("run")))
	return run, w, err
}

func versionLink(run flow.Run, v flow.Version) link {
	if v.ID == "" {
		return link{clip(string(run.Version), 8) + " (deleted)", ""}
	}
	return link{fmt.Sprintf("Version %d", v.N), versionURL(run.Workflow, v.ID)}
}

// whyRun says why a run is in its state; empty where the state says it all.
func whyRun(run flow.Run, v flow.Version) string {
	switch run.State {
	case flow.Ready, flow.Waiting:
		if v.MaxRuns > 0 {
			return sentence(run.Reason, fmt.Sprintf("waits for a slot (at most %s of this workflow at once, and as many in all as the server allows)",
				count(v.MaxRuns, "run", "runs")))
		}
		return sentence(run.Reason, "waits for a slot")
	case flow.Stopping:
		switch run.Cause {
		case flow.ByStop:
			return sentence("somebody asked to stop it; attempts under way are being ended", run.Reason)
		case flow.ByTimeout:
			return sentence("it took too long; attempts under way are being ended", run.Reason)
		}
	}
	return run.Reason
}

// tally counts the tasks by state, in the order of states.
func (s *Console) tally(tasks []flow.Task) []tally {
	n := map[flow.State]int{}
	for _, t := range tasks {
		n[t.State]++
	}
	var all []tally
	for _, st := range flow.States() {
		if n[st] > 0 {
			all = append(all, tally{n[st], s.taskBadge(st)})
		}
	}
	return all
}

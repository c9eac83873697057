package web

import (
	"context"
	"strings"

	"fairlead/internal/flow"
)

// maxScan bounds how many workflows a search goes through.
const maxScan = 20_000

type workflowList struct {
	Rows      []workflowView `json:"rows"`
	Next      string         `json:"next"`
	PausedAll *pauseView     `json:"pausedAll"`
}

// listWorkflows lists workflows whose name or id has a text.
func (s *Console) listWorkflows(c *call) (any, error) {
	q, err := c.text("q", 200)
	if err != nil {
		return nil, err
	}
	q = strings.ToLower(strings.TrimSpace(q))
	runs, err := c.number("runs", latestRuns, 0, 30)
	if err != nil {
		return nil, err
	}
	page, err := s.page(c, 50, 200, "console workflows", q)
	if err != nil {
		return nil, err
	}
	ctx := c.Context()
	all, paused, err := s.pauses(ctx)
	if err != nil {
		return nil, err
	}
	rows, next, err := s.search(ctx, q, page)
	if err != nil {
		return nil, err
	}
	out := workflowList{Rows: make([]workflowView, len(rows)), Next: s.c.Tokens.Seal(next, "console workflows", q), PausedAll: all}
	for i, row := range rows {
		if out.Rows[i], err = s.viewWorkflow(ctx, row, int(runs), paused); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// search returns the workflows of a page, which q picks.
func (s *Console) search(ctx context.Context, q string, page flow.Page) ([]Row, string, error) {
	if q == "" {
		return s.c.Workflows.Workflows(ctx, page)
	}
	var found []Row
	one := flow.Page{Limit: 1000, After: page.After}
	for seen := 0; seen < maxScan; {
		rows, next, err := s.c.Workflows.Workflows(ctx, one)
		if err != nil {
			return nil, "", err
		}
		for i, row := range rows {
			if !strings.Contains(strings.ToLower(row.Workflow.Name), q) && !strings.Contains(strings.ToLower(string(row.Workflow.ID)), q) {
				continue
			}
			if len(found) < page.Limit {
				found = append(found, row)
				continue
			}
			// One too many: the page ends before it. Its place is known only
			// by asking for the rows before it again.
			_, next, err := s.c.Workflows.Workflows(ctx, flow.Page{Limit: i, After: one.After})
			if i == 0 {
				next, err = one.After, nil
			}
			return found, next, err
		}
		if next == "" {
			return found, "", nil
		}
		one.After, seen = next, seen+len(rows)
	}
	return found, one.After, nil
}

type wholeWorkflow struct {
	workflowView
	ARN         string            `json:"arn"`
	Description string            `json:"description"`
	Role        string            `json:"role"`
	Tags        map[string]string `json:"tags"`
	Latest      flow.VersionID    `json:"latest"`
	MaxRuns     int               `json:"maxRuns"`
	Location    string            `json:"location"`
	Code        string            `json:"code"`
	TriggerMode string            `json:"triggerMode"`
	LogGroup    string            `json:"logGroup"`
	Params      []Param           `json:"params"`
}

func workflowOf(c *call) flow.WorkflowID { return flow.WorkflowID(c.PathValue("workflow")) }

func (s *Console) getWorkflow(c *call) (any, error) {
	ctx := c.Context()
	row, err := s.row(ctx, workflowOf(c))
	if err != nil {
		return nil, err
	}
	_, paused, err := s.pauses(ctx)
	if err != nil {
		return nil, err
	}
	out := wholeWorkflow{ARN: s.arn(row.Workflow.ID), Tags: row.Workflow.Tags, Latest: row.Latest.ID, MaxRuns: row.Latest.MaxRuns}
	if out.workflowView, err = s.viewWorkflow(ctx, row, latestRuns, paused); err != nil {
		return nil, err
	}
	set, err := s.c.Describe(row.Latest)
	if err != nil {
		return nil, err
	}
	out.Description, out.Role, out.Location, out.Code = set.Description, set.Role, set.Location, set.Code
	out.TriggerMode, out.LogGroup = set.TriggerMode, set.LogGroup
	if out.Tags == nil {
		out.Tags = map[string]string{}
	}
	sk, err := s.skeleton(ctx, row.Latest.Graph)
	if err != nil {
		return nil, err
	}
	out.Params = sk.params
	return out, nil
}

type runList struct {
	Rows []runView `json:"rows"`
	Next string    `json:"next"`
}

func (s *Console) listRuns(c *call) (any, error) {
	wf, version := workflowOf(c), c.query.Get("version")
	page, err := s.page(c, 50, 500, "console runs", string(wf), version)
	if err != nil {
		return nil, err
	}
	ctx := c.Context()
	if _, err := s.c.Workflows.Workflow(ctx, wf); err != nil {
		return nil, err
	}
	rows, next, err := s.c.Runs.Runs(ctx, wf, flow.VersionID(version), page)
	if err != nil {
		return nil, err
	}
	out := runList{Next: s.c.Tokens.Seal(next, "console runs", string(wf), version)}
	out.Rows, err = s.viewRuns(ctx, rows)
	return out, err
}

type versionView struct {
	ID       flow.VersionID `json:"id"`
	N        int            `json:"n"`
	Created  int64          `json:"created"`
	Latest   bool           `json:"latest"`
	Schedule *scheduleView  `json:"schedule"`
	MaxRuns  int            `json:"maxRuns"`
}

func (s *Console) viewVersion(w flow.Workflow, v flow.Version) versionView {
	latest := v.ID == w.Latest
	return versionView{v.ID, v.N, millis(v.Created), latest, s.viewSchedule(v.Schedule, !latest || w.Deleting), v.MaxRuns}
}

type versionList struct {
	Rows []versionView `json:"rows"`
	Next string        `json:"next"`
}

func (s *Console) listVersions(c *call) (any, error) {
	wf := workflowOf(c)
	page, err := s.page(c, 50, 200, "console versions", string(wf))
	if err != nil {
		return nil, err
	}
	w, err := s.c.Workflows.Workflow(c.Context(), wf)
	if err != nil {
		return nil, err
	}
	rows, next, err := s.c.Workflows.Versions(c.Context(), wf, page)
	if err != nil {
		return nil, err
	}
	out := versionList{Rows: make([]versionView, len(rows)), Next: s.c.Tokens.Seal(next, "console versions", string(wf))}
	for i, v := range rows {
		out.Rows[i] = s.viewVersion(w, v)
	}
	return out, nil
}

type wholeVersion struct {
	versionView
	Workflow flow.WorkflowID     `json:"workflow"`
	Source   string              `json:"source"`
	Location string              `json:"location"`
	Code     string              `json:"code"`
	CodeAt   int64               `json:"codeAt"`
	Params   []Param             `json:"params"`
	Lines    map[flow.TaskID]int `json:"lines"`
}

// versionOf finds the version that a call names.
func (s *Console) versionOf(c *call) (flow.Workflow, flow.Version, error) {
	w, err := s.c.Workflows.Workflow(c.Context(), workflowOf(c))
	if err != nil {
		return w, flow.Version{}, err
	}
	id := flow.VersionID(c.PathValue("version"))
	if id == "latest" {
		id = w.Latest
	}
	v, err := s.c.Workflows.Version(c.Context(), w.ID, id)
	return w, v, err
}

func (s *Console) getVersion(c *call) (any, error) {
	w, v, err := s.versionOf(c)
	if err != nil {
		return nil, err
	}
	set, err := s.c.Describe(v)
	if err != nil {
		return nil, err
	}
	sk, err := s.skeleton(c.Context(), v.Graph)
	if err != nil {
		return nil, err
	}
	return wholeVersion{
		versionView: s.viewVersion(w, v), Workflow: w.ID, Source: v.Source, Location: set.Location, Code: set.Code,
		CodeAt: millis(v.CodeAt), Params: sk.params, Lines: sk.lines,
	}, nil
}

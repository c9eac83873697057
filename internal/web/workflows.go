package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"fairlead/internal/flow"
)

// How many rows a page of each list shows.
const (
	workflowsPerPage = 50
	runsPerPage      = 25
	versionsPerPage  = 10
)

type homePage struct {
	Rows         []workflowRow
	Active       int
	Setup        string
	Account      string
	Later, First string // addresses of other pages; empty: none
}

type workflowRow struct {
	Name, ID, URL string
	Deleting      bool
	Version       int
	Schedule      schedule
	Last          *runRow // nil: never ran
	Active        int
}

// A schedule as a page shows it.
type schedule struct {
	Expr, Zone string
	Next       instant
	In         string
}

func (s *Console) schedule(v flow.Version, off bool) schedule {
	if v.Schedule == nil {
		return schedule{}
	}
	out := schedule{Expr: v.Schedule.Expr, Zone: v.Schedule.Zone}
	if s.c.Next == nil || off {
		return out
	}
	now := s.c.Now()
	if next, ok := s.c.Next(*v.Schedule, now); ok {
		out.Next, out.In = moment(next), lasting(next.Sub(now))
	}
	return out
}

// home shows the workflows.
func (s *Console) home(r *http.Request) (view, error) {
	ctx := r.Context()
	page, err := s.list(r, "page", workflowsPerPage, "workflows")
	if err != nil {
		return view{}, err
	}
	rows, next, err := s.c.Workflows.Workflows(ctx, page)
	if err != nil {
		return view{}, err
	}
	p := homePage{
		Setup: s.c.Setup, Account: s.c.Account,
		Later: follow("/", "page", s.c.Tokens.Seal(next, "workflows")), First: front(page, "/"),
	}
	for _, row := range rows {
		w := row.Workflow
		out := workflowRow{
			Name: w.Name, ID: string(w.ID), URL: workflowURL(w.ID), Deleting: w.Deleting,
			Version: row.Latest.N, Schedule: s.schedule(row.Latest, w.Deleting),
		}
		if out.Active, p.Active, err = s.c.Runs.CountActive(ctx, w.ID); err != nil {
			return view{}, err
		}
		last, _, err := s.c.Runs.Runs(ctx, w.ID, "", flow.Page{Limit: 1})
		if err != nil {
			return view{}, err
		}
		if len(last) > 0 {
			run := s.runRow(last[0], nil)
			out.Last = &run
		}
		p.Rows = append(p.Rows, out)
	}
	return view{page: "home", title: "Workflows", every: pace(p.Active > 0), data: p}, nil
}

type workflowPage struct {
	Name, ID, ARN string
	Deleting      bool
	Created       instant
	Modified      instant
	Latest        versionRow
	Schedule      schedule
	MaxRuns       int
	Active        int
	Tags          []tag

	Versions      []versionRow
	LaterVersions string
	FirstVersions string

	Runs    []runRow
	Of      *versionRow // the version whose runs are shown; nil: all
	AllRuns string
	Later   string
	First   string
	Setup   string
}

type tag struct{ Key, Value string }

type versionRow struct {
	N        int
	ID       string
	URL      string
	RunsURL  string
	Created  instant
	Schedule schedule
	Latest   bool
}

type runRow struct {
	ID, URL string
	State   badge
	Kind    string
	Version string // its number where known
	Created instant
	Started instant
	Took    string
	Open    bool // not ended
	Why     string
}

func (s *Console) runRow(r flow.Run, numbers map[flow.VersionID]int) runRow {
	v := clip(string(r.Version), 8)
	if n := numbers[r.Version]; n > 0 {
		v = fmt.Sprint(n)
	}
	return runRow{
		ID: string(r.ID), URL: runURL(r.Workflow, r.ID), State: runBadge(r.State), Kind: kindWord(r.Kind), Version: v,
		Created: moment(r.Created), Started: moment(r.Started), Took: took(r.Started, r.Ended, s.c.Now()), Open: r.Ended.IsZero(), Why: r.Reason,
	}
}

// workflow shows one workflow: facts, versions and runs.
func (s *Console) workflow(r *http.Request) (view, error) {
	ctx, id := r.Context(), flow.WorkflowID(r.PathValue("workflow"))
	w, err := s.c.Workflows.Workflow(ctx, id)
	if err != nil {
		return view{}, err
	}
	latest, err := s.c.Workflows.Version(ctx, id, w.Latest)
	if err != nil {
		return view{}, err
	}
	base := workflowURL(id)
	p := workflowPage{
		Name: w.Name, ID: string(w.ID), ARN: s.arn(w.ID), Deleting: w.Deleting,
		Created: moment(w.Created), Modified: moment(w.Modified), Latest: s.versionRow(w, latest),
		Schedule: s.schedule(latest, w.Deleting), MaxRuns: latest.MaxRuns, Tags: tags(w.Tags), AllRuns: base, Setup: s.c.Setup,
	}
	if p.Active, _, err = s.c.Runs.CountActive(ctx, id); err != nil {
		return view{}, err
	}

	page, err := s.list(r, "versions", versionsPerPage, "versions", string(id))
	if err != nil {
		return view{}, err
	}
	versions, next, err := s.c.Workflows.Versions(ctx, id, page)
	if err != nil {
		return view{}, err
	}
	p.LaterVersions = follow(base, "versions", s.c.Tokens.Seal(next, "versions", string(id)))
	p.FirstVersions = front(page, base)
	numbers := map[flow.VersionID]int{latest.ID: latest.N}
	for _, v := range versions {
		numbers[v.ID] = v.N
		p.Versions = append(p.Versions, s.versionRow(w, v))
	}

	// Runs may be those of one version.
	of := flow.VersionID(r.URL.Query().Get("version"))
	if of != "" {
		v, err := s.c.Workflows.Version(ctx, id, of)
		if err != nil {
			return view{}, err
		}
		row := s.versionRow(w, v)
		numbers[v.ID], p.Of, base = v.N, &row, row.RunsURL
	}
	if page, err = s.list(r, "runs", runsPerPage, "runs", string(id), string(of)); err != nil {
		return view{}, err
	}
	runs, next, err := s.c.Runs.Runs(ctx, id, of, page)
	if err != nil {
		return view{}, err
	}
	p.Later = follow(base, "runs", s.c.Tokens.Seal(next, "runs", string(id), string(of)))
	p.First = front(page, base)
	for _, run := range runs {
		p.Runs = append(p.Runs, s.runRow(run, numbers))
	}
	return view{page: "workflow", title: w.Name, trail: []link{{w.Name, ""}}, every: pace(p.Active > 0), data: p}, nil
}

func (s *Console) versionRow(w flow.Workflow, v flow.Version) versionRow {
	return versionRow{
		N: v.N, ID: string(v.ID), URL: versionURL(w.ID, v.ID), Created: moment(v.Created),
		RunsURL:  follow(workflowURL(w.ID), "version", string(v.ID)),
		Schedule: s.schedule(v, true), Latest: v.ID == w.Latest,
	}
}

type definitionPage struct {
	Workflow link
	Version  versionRow
	MaxRuns  int
	Code     string
	CodeAt   instant
	Lines    []string
	Bytes    int
}

// definition shows the text of a version.
func (s *Console) definition(r *http.Request) (view, error) {
	ctx, id := r.Context(), flow.WorkflowID(r.PathValue("workflow"))
	w, err := s.c.Workflows.Workflow(ctx, id)
	if err != nil {
		return view{}, err
	}
	v, err := s.c.Workflows.Version(ctx, id, flow.VersionID(r.PathValue("version")))
	if err != nil {
		return view{}, err
	}
	back := link{w.Name, workflowURL(id)}
	name := fmt.Sprintf("Version %d", v.N)
	return view{
		page: "definition", title: w.Name + ", version " + fmt.Sprint(v.N), trail: []link{back, {name, ""}},
		data: definitionPage{
			Workflow: back, Version: s.versionRow(w, v), MaxRuns: v.MaxRuns, Code: v.Code, CodeAt: moment(v.CodeAt),
			Lines: strings.Split(strings.TrimSuffix(v.Source, "\n"), "\n"), Bytes: len(v.Source),
		},
	}, nil
}

// front is the address of a list's first page, if p is another.
func front(p flow.Page, base string) string {
	if p.After == "" {
		return ""
	}
	return base
}

// tags returns tags in the order of their keys.
func tags(m map[string]string) []tag {
	var all []tag
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, tag{k, m[k]})
	}
	return all
}

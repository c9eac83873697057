package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

type taskPage struct {
	ID, Operator string
	Workflow     link
	Run          link
	RunState     badge
	Attempt      int
	Attempts     int // in all that may be made
	Others       []link
	State        badge
	Past         bool
	Why          string
	Failed       bool
	Started      instant
	Ended        instant
	Due          instant
	DueWord      string
	Took         string
	Rule         string
	Timeout      string
	Ups, Downs   []taskLink
	Mark         string
	Pokes        int
	Outputs      []value
	Log          []logLine
	LogURL       string
	LogCut       bool // earlier lines are not shown
	Noop         bool
	Live         bool
}

type taskLink struct {
	link
	State badge
}

// task shows one attempt of a task: facts, XCom values and log.
func (s *Console) task(r *http.Request) (view, error) {
	ctx := r.Context()
	run, w, err := s.find(r)
	if err != nil {
		return view{}, err
	}
	id, n, err := instance(r)
	if err != nil {
		return view{}, err
	}
	t, err := s.c.Tasks.Instance(ctx, run.ID, id, n)
	if err != nil {
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
	now := s.c.Now()
	all := newWorld(&g, tasks, now)
	node := all.nodes[t.ID]
	if node == nil {
		node = &flow.Node{ID: t.ID}
	}
	last := all.tasks[t.ID].Attempt
	p := taskPage{
		ID: string(t.ID), Operator: t.Kind, Workflow: link{w.Name, workflowURL(w.ID)},
		Run: link{string(run.ID), runURL(run.Workflow, run.ID)}, RunState: runBadge(run.State),
		Attempt: t.Attempt, Attempts: node.Retries + 1, State: s.taskBadge(t.State), Past: t.Attempt < last,
		Why: all.why(t), Failed: failed(t.State),
		Started: moment(t.Started), Ended: moment(t.Ended), Took: took(t.Started, t.Ended, now),
		Rule: string(node.When), Mark: clip(string(t.Mark), 1000), Pokes: t.Pokes,
		LogURL: taskURL(run, t.ID, t.Attempt) + "/log", Noop: node.Noop, Live: t.State.Live() || t.State == flow.Resting,
	}
	if p.Past {
		p.Why = t.Reason
	}
	if p.Rule == "" {
		p.Rule = string(flow.AllSuccess)
	}
	if node.Timeout > 0 {
		p.Timeout = round(node.Timeout)
	}
	if !t.Due.IsZero() && !t.State.Final() {
		p.Due, p.DueWord = moment(t.Due), "Must end by"
		if t.State == flow.Retrying || t.State == flow.Resting {
			p.DueWord = "Due again"
		}
	}
	for i := 1; i <= last && last > 1; i++ {
		if i != t.Attempt {
			p.Others = append(p.Others, link{strconv.Itoa(i), taskURL(run, t.ID, i)})
		}
	}
	p.Ups = s.links(run, all, node.After)
	p.Downs = s.links(run, all, downstreams(&g, t.ID))
	if p.Outputs, err = s.outputs(r, run.ID, t); err != nil {
		return view{}, err
	}
	if p.Log, p.LogCut, err = s.tail(r, run, t); err != nil {
		return view{}, err
	}
	every := time.Duration(0)
	if !p.Past && !t.State.Final() {
		every = paceOf(run)
	}
	name := string(t.ID)
	return view{
		page: "task", title: fmt.Sprintf("%s, attempt %d", t.ID, t.Attempt),
		trail: []link{p.Workflow, {"Run " + string(run.ID), p.Run.URL}, {name, ""}}, every: every, data: p,
	}, nil
}

func paceOf(run flow.Run) time.Duration {
	if run.State.Final() {
		return 0
	}
	return busy
}

// instance reads which attempt of which task the address names.
func instance(r *http.Request) (flow.TaskID, int, error) {
	n, err := strconv.Atoi(r.PathValue("attempt"))
	if err != nil || n < 0 || n > 1<<20 {
		return "", 0, flow.Errorf(flow.NotFound, "attempts are numbered; there is no attempt %q", clip(r.PathValue("attempt"), 50))
	}
	return flow.TaskID(r.PathValue("task")), n, nil
}

func downstreams(g *flow.Graph, id flow.TaskID) []flow.TaskID {
	var all []flow.TaskID
	for _, n := range g.Nodes {
		if slices.Contains(n.After, id) {
			all = append(all, n.ID)
		}
	}
	return all
}

func (s *Console) links(run flow.Run, w world, ids []flow.TaskID) []taskLink {
	var all []taskLink
	for _, id := range ids {
		t, ok := w.tasks[id]
		if !ok {
			t.State = flow.Waiting
		}
		all = append(all, taskLink{link{string(id), taskURL(run, id, t.Attempt)}, s.taskBadge(t.State)})
	}
	return all
}

// maxOutputs bounds how many XCom values a page shows.
const maxOutputs = 100

func (s *Console) outputs(r *http.Request, run flow.RunID, t flow.Task) ([]value, error) {
	if t.Attempt == 0 {
		return nil, nil
	}
	m, err := s.c.Tasks.Outputs(r.Context(), run, t.ID, t.Attempt)
	if err != nil {
		return nil, err
	}
	var all []value
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if len(all) == maxOutputs {
			all = append(all, value{Name: "…", Text: fmt.Sprintf("and %d more", len(m)-maxOutputs)})
			break
		}
		all = append(all, shown(k, m[k]))
	}
	return all, nil
}

// How much of a log a page shows, from its end.
const (
	maxLines = 2000
	maxBytes = 2 << 20
)

// tail returns the last lines of an attempt's log, and whether there are
// earlier ones.
func (s *Console) tail(r *http.Request, run flow.Run, t flow.Task) ([]logLine, bool, error) {
	if t.Attempt == 0 {
		return nil, false, nil
	}
	var newest []flow.LogEvent // the last event first
	size, from := 0, int64(-1)
	for len(newest) < maxLines && size < maxBytes && from != 0 {
		page, err := s.c.Logs.Log(r.Context(), run.Workflow, run.ID, t.ID, t.Attempt,
			flow.LogRange{From: from, Back: true, Limit: min(maxLines-len(newest), 500)})
		if flow.KindOf(err) == flow.NotFound {
			break
		}
		if err != nil {
			return nil, false, err
		}
		for _, e := range slices.Backward(page.Events) {
			if size < maxBytes {
				newest = append(newest, e)
			}
			size += len(e.Text)
		}
		if page.Head == from {
			break // nothing lies before
		}
		from = page.Head
	}
	lines := make([]logLine, 0, len(newest))
	for _, e := range slices.Backward(newest) {
		lines = append(lines, readLine(e))
	}
	return lines, from > 0 || size >= maxBytes, nil
}

// rawLog answers with the whole log of an attempt as it was written.
func (s *Console) rawLog(w http.ResponseWriter, r *http.Request) {
	run, _, err := s.find(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	id, n, err := instance(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	// The text is a program's: whatever a browser makes of it, it stays shut.
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for from, wrote := int64(0), false; ; {
		page, err := s.c.Logs.Log(r.Context(), run.Workflow, run.ID, id, n, flow.LogRange{From: from, Limit: 1000})
		if err != nil && !wrote {
			setHeaders(w.Header())
			s.fail(w, r, err)
			return
		}
		if err != nil {
			// Too late for another answer: end this one so that it is not
			// taken for the whole log.
			s.c.Log.ErrorContext(r.Context(), "read log", "path", r.URL.Path, "err", err)
			panic(http.ErrAbortHandler)
		}
		var b strings.Builder
		for _, e := range page.Events {
			b.WriteString(e.Text)
			b.WriteByte('\n')
		}
		if _, err := w.Write([]byte(b.String())); err != nil || page.Tail <= from {
			return
		}
		from, wrote = page.Tail, true
	}
}

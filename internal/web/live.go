package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// This file makes events of news, and streams of events.

type workflowsEvent struct {
	Topic     string            `json:"topic"`
	Rows      []workflowView    `json:"rows"`
	Gone      []flow.WorkflowID `json:"gone"`
	PausedAll *pauseView        `json:"pausedAll"`
}

type workflowEvent struct {
	Topic string       `json:"topic"`
	Row   workflowView `json:"row"`
	Runs  []runChange  `json:"runs"`
	Gone  bool         `json:"gone"`
}

type runChange struct {
	runView
	Cells  []int  `json:"cells"`
	States string `json:"states"`
}

type runEvent struct {
	Topic   string         `json:"topic"`
	Run     runView        `json:"run"`
	Task    []int          `json:"task"`
	States  string         `json:"states"`
	Attempt []int          `json:"attempt"`
	Started []int64        `json:"started"`
	Ended   []int64        `json:"ended"`
	Due     []int64        `json:"due"`
	Reasons map[int]string `json:"reasons"`
	Gone    bool           `json:"gone"`
}

type logEvent struct {
	Topic string     `json:"topic"`
	Lines []lineView `json:"lines"`
	From  int64      `json:"from"`
	Size  int64      `json:"size"`
	Ended bool       `json:"ended"`
}

// eventOf makes an event of a topic's news; nil if there is nothing to tell.
func (s *Console) eventOf(ctx context.Context, t *topic, n news) (any, error) {
	switch t.kind {
	case "workflows":
		return s.workflowsEvent(ctx, t, n)
	case "workflow":
		return s.workflowEvent(ctx, t, n)
	case "run":
		return s.runEvent(ctx, t, n)
	case "omics":
		return s.omicsEvent(ctx, t, n)
	}
	return s.logEvent(ctx, t)
}

func (s *Console) workflowsEvent(ctx context.Context, t *topic, n news) (any, error) {
	out := workflowsEvent{Topic: t.name, Rows: []workflowView{}, Gone: []flow.WorkflowID{}}
	all, paused, err := s.pauses(ctx)
	if err != nil {
		return nil, err
	}
	out.PausedAll = all
	for id := range n.workflows {
		if id == "" { // the rows are as they were, but for what all share
			continue
		}
		if len(out.Rows) == maxRows {
			s.later(t, id)
			continue
		}
		row, err := s.row(ctx, id)
		if flow.KindOf(err) == flow.NotFound && err != nil {
			out.Gone = append(out.Gone, id)
			continue
		}
		if err != nil {
			return nil, err
		}
		v, err := s.viewWorkflow(ctx, row, latestRuns, paused)
		if err != nil {
			return nil, err
		}
		if v.Deleting {
			s.later(t, id) // nobody says when it is gone
		}
		out.Rows = append(out.Rows, v)
	}
	return out, nil
}

// later has a workflow looked at again at the next beat.
func (s *Console) later(t *topic, id flow.WorkflowID) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	t.news.workflow(id)
	s.hub.stir()
}

func (s *Console) workflowEvent(ctx context.Context, t *topic, n news) (any, error) {
	out := workflowEvent{Topic: t.name, Runs: []runChange{}}
	id := flow.WorkflowID(t.id)
	var err error
	out.Row, err = s.workflowNow(ctx, id)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		out.Gone = true
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	if out.Row.Deleting {
		s.later(t, id)
	}
	for _, r := range n.runs {
		c := runChange{Cells: []int{}}
		if c.runView, err = s.viewRun(ctx, r.run); err != nil {
			return nil, err
		}
		sk, err := s.skeleton(ctx, r.run.Graph)
		if err != nil {
			return nil, err
		}
		var states []byte
		for _, i := range placesOf(r.tasks, len(sk.ids)) {
			c.Cells, states = append(c.Cells, i), append(states, letter(r.tasks[i].State))
		}
		c.States = string(states)
		out.Runs = append(out.Runs, c)
	}
	slices.SortFunc(out.Runs, func(a, b runChange) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out, nil
}

// placesOf lists the places of tasks below n. Those of the nodes of a graph
// come first, and what tasks have unfolded into after them.
func placesOf(m map[int]flow.Task, n int) []int {
	all := make([]int, 0, len(m))
	for i := range m {
		if i < n {
			all = append(all, i)
		}
	}
	slices.Sort(all)
	return all
}

func (s *Console) runEvent(ctx context.Context, t *topic, n news) (any, error) {
	r := n.runs[flow.RunID(t.id)]
	if r == nil && !n.gone {
		return nil, nil
	}
	out := runEvent{Topic: t.name, Gone: n.gone, Task: []int{}, Attempt: []int{}, Started: []int64{}, Ended: []int64{}, Due: []int64{}, Reasons: map[int]string{}}
	if n.gone {
		return out, nil
	}
	var err error
	if out.Run, err = s.viewRun(ctx, r.run); err != nil {
		return nil, err
	}
	sk, err := s.skeleton(ctx, r.run.Graph)
	if err != nil {
		return nil, err
	}
	var states []byte
	for _, i := range placesOf(r.tasks, len(sk.ids)+maxUnfolded) {
		k := r.tasks[i]
		out.Task, states = append(out.Task, i), append(states, letter(k.State))
		out.Attempt = append(out.Attempt, k.Attempt)
		out.Started, out.Ended, out.Due = append(out.Started, millis(k.Started)), append(out.Ended, millis(k.Ended)), append(out.Due, dueOf(k))
		out.Reasons[i] = clip(k.Reason, maxShort)
	}
	out.States = string(states)
	return out, nil
}

// A logTail is how far a log has been told. Only the loop of the hub uses it,
// but for look, which hub.mu guards.
type logTail struct {
	run     flow.RunID
	task    flow.TaskID
	attempt int
	row     flow.Run
	at      int64 // -1: nothing has been told
	look    bool  // the task may have changed
	ended   bool
	over    bool // and all was told
}

// newLogTail reads RUN/ATTEMPT/TASK.
func newLogTail(id string) *logTail {
	run, rest, _ := strings.Cut(id, "/")
	attempt, task, _ := strings.Cut(rest, "/")
	n, _ := strconv.Atoi(attempt) // checked when the stream began
	return &logTail{run: flow.RunID(run), task: flow.TaskID(task), attempt: n, at: -1, look: true}
}

func (s *Console) logEvent(ctx context.Context, t *topic) (any, error) {
	l := t.tail
	s.hub.mu.Lock()
	look := l.look
	l.look = false
	s.hub.mu.Unlock()
	if look && !l.ended {
		var err error
		if l.row, err = s.c.Runs.RunByID(ctx, l.run); err != nil {
			return nil, s.lost(l, err)
		}
		task, err := s.c.Tasks.Instance(ctx, l.run, l.task, l.attempt)
		if err != nil {
			return nil, s.lost(l, err)
		}
		l.ended = isOver(task)
	}
	size, err := s.c.Logs.Size(ctx, l.row, l.task, l.attempt)
	if err != nil {
		return nil, s.lost(l, err)
	}
	if l.at < 0 {
		// Who watches from now on reads what there is: what comes after is news.
		// A line may be half written.
		if l.at, err = s.c.Logs.Begin(ctx, l.row, l.task, l.attempt, max(size, 0)); err != nil {
			return nil, s.lost(l, err)
		}
	}
	out := logEvent{Topic: t.name, From: l.at, Size: max(size, 0), Ended: l.ended, Lines: []lineView{}}
	if size > l.at {
		page, err := s.c.Logs.Log(ctx, l.row, l.task, l.attempt, flow.LogRange{From: l.at, Limit: logStep})
		if err != nil {
			return nil, s.lost(l, err)
		}
		for _, e := range page.Events {
			out.Lines = append(out.Lines, viewLine(e))
		}
		l.at = page.Tail
		out.Size = max(out.Size, page.Tail)
		if size-l.at > maxBehind {
			// It is written faster than anybody reads.
			out.Lines = []lineView{}
			if l.at, err = s.c.Logs.Begin(ctx, l.row, l.task, l.attempt, size); err != nil {
				return nil, s.lost(l, err)
			}
		}
	}
	moved := l.at != out.From
	l.over = l.ended && l.at >= size || l.ended && !moved
	if !moved && !l.over {
		return nil, nil
	}
	return out, nil
}

// maxBehind is how far a log is told line by line.
const maxBehind = 1 << 20

// lost ends the telling of a log that cannot be read.
func (s *Console) lost(l *logTail, err error) error {
	l.over = true
	return err
}

// pulse is how often a stream without events says that it stands.
const pulse = 15 * time.Second

// getEvents is a stream of events.
func (s *Console) getEvents(c *call) (any, error) {
	names, err := s.topicsOf(c)
	if err != nil {
		return nil, err
	}
	last := c.Header.Get("Last-Event-ID")
	if last == "" {
		last = c.query.Get("last")
	}
	w, at, fresh, err := s.hub.watch(names, clip(last, 100))
	if err != nil {
		return nil, err
	}
	defer s.hub.leave(w)
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // or proxies keep events back
	out := c.unhurried()
	write := func(b []byte) bool {
		_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second)) // else the server's own limit
		if _, err := c.w.Write(b); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	hello := "retry: 1000\nid: " + at + "\nevent: hello\ndata: {}\n\n"
	if fresh {
		hello += "event: reset\ndata: {}\n\n"
	} else if last != "" {
		hello = "retry: 1000\nevent: hello\ndata: {}\n\n" // what was missed follows
	}
	if !write([]byte(hello)) {
		return nil, nil
	}
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		select {
		case <-c.Context().Done():
			return nil, nil
		case <-w.lost:
			return nil, nil
		case frame := <-w.queue:
			if !write(w.more(frame)) {
				return nil, nil
			}
		case <-tick.C:
			if s.over(c) || !write([]byte(":\n\n")) {
				return nil, nil
			}
		}
	}
}

// unhurried lets the answer to a call take its time: the server bounds how
// long a client may take to send a request, and then takes it for gone.
func (c *call) unhurried() *http.ResponseController {
	out := http.NewResponseController(c.w)
	_ = out.SetReadDeadline(time.Time{}) // not every writer can; then none was set
	return out
}

// more adds what else is in the queue to a frame, so that it is written at
// once.
func (w *watcher) more(frame []byte) []byte {
	if len(w.queue) == 0 {
		return frame
	}
	all := slices.Clone(frame)
	for {
		select {
		case f := <-w.queue:
			all = append(all, f...)
		default:
			return all
		}
	}
}

// over reports whether the session of a stream has ended.
func (s *Console) over(c *call) bool {
	if s.keeper == nil {
		return false
	}
	_, ok := s.keeper.session(c.Request, s.c.Now())
	return !ok
}

// topicsOf reads what a page wants to be told of.
func (s *Console) topicsOf(c *call) ([]string, error) {
	names := slices.Compact(slices.Sorted(slices.Values(c.query["topic"])))
	if len(names) == 0 || len(names) > maxTopics {
		return nil, fault("topic", "expected from 1 to %d topics", maxTopics)
	}
	for _, name := range names {
		kind, id, _ := strings.Cut(name, ":")
		var err error
		switch {
		case name == "workflows", name == "omics":
		case kind == "workflow":
			_, err = s.c.Workflows.Workflow(c.Context(), flow.WorkflowID(id))
		case kind == "run":
			_, err = s.c.Runs.RunByID(c.Context(), flow.RunID(id))
		case kind == "log" && strings.Count(id, "/") >= 2:
			l := newLogTail(id)
			_, err = s.c.Tasks.Instance(c.Context(), l.run, l.task, l.attempt)
		default:
			err = fault("topic", "%q is none; expected workflows, omics, workflow:ID, run:ID or log:RUN/ATTEMPT/TASK", clip(name, 200))
		}
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

package web

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"fairlead/internal/flow"
)

func itoa(n int) string { return strconv.Itoa(n) }

func runOf(c *call) flow.RunID { return flow.RunID(c.PathValue("run")) }

type wholeRun struct {
	runView
	ARN          string          `json:"arn"`
	WorkflowName string          `json:"workflowName"`
	Params       json.RawMessage `json:"params"`
	ParamsText   string          `json:"paramsText"`
	Form         []Param         `json:"form"`
	Wait         *waitView       `json:"wait"`
	Hidden       []flow.TaskID   `json:"hidden"`
	Omics        *omicsFacts     `json:"omics"`
}

// maxHidden bounds how many tasks are named that failed in vain.
const maxHidden = 20

func (s *Console) getRun(c *call) (any, error) {
	ctx := c.Context()
	r, err := s.c.Runs.RunByID(ctx, runOf(c))
	if err != nil {
		return nil, err
	}
	name, err := s.nameOf(ctx, r)
	if err != nil {
		return nil, err
	}
	sk, err := s.skeleton(ctx, r.Graph)
	if err != nil {
		return nil, err
	}
	out := wholeRun{ARN: s.arnOf(r), WorkflowName: name, Form: sk.params, Hidden: []flow.TaskID{}}
	if out.runView, err = s.viewRun(ctx, r); err != nil {
		return nil, err
	}
	if out.Params, err = s.maskJSON(ctx, r, r.Params); err != nil {
		return nil, err
	}
	var text bytes.Buffer // with all digits of all numbers, of which a page may lose some
	if json.Indent(&text, out.Params, "", "  ") == nil {
		out.ParamsText = text.String()
	}
	if out.Omics, err = s.omicsFacts(ctx, r); err != nil {
		return nil, err
	}
	if !r.State.Final() {
		if out.Wait, err = s.why(ctx, r.ID, ""); err != nil {
			return nil, err
		}
	}
	if r.State == flow.Succeeded {
		states, err := s.statesOf(ctx, r)
		if err != nil {
			return nil, err
		}
		for i := range states {
			if l := states[i]; (l == 'f' || l == 'o' || l == 'b') && len(out.Hidden) < maxHidden {
				out.Hidden = append(out.Hidden, sk.ids[i])
			}
		}
	}
	return out, nil
}

// maskJSON returns JSON without what is secret; null for nothing.
func (s *Console) maskJSON(ctx context.Context, r flow.Run, raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return json.RawMessage("null"), nil
	}
	return s.c.Mask(ctx, r, raw)
}

// patience is how long a page waits for what a run says of itself.
const patience = time.Second

// why says what a run, or one of its tasks, waits for; nil if it waits for
// nothing, or cannot say so in time.
func (s *Console) why(ctx context.Context, run flow.RunID, task flow.TaskID) (*waitView, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	w, ok, err := s.c.Steering.Why(ctx, run, task)
	if err != nil || !ok {
		if ctx.Err() != nil {
			err = nil
		}
		return nil, err
	}
	v := viewWait(w)
	return &v, nil
}

type tasksView struct {
	Run     runView        `json:"run"`
	IDs     []flow.TaskID  `json:"ids"`
	Kinds   []string       `json:"kinds"`
	Kind    []int          `json:"kind"`
	States  string         `json:"states"`
	Attempt []int          `json:"attempt"`
	Started []int64        `json:"started"`
	Ended   []int64        `json:"ended"`
	Due     []int64        `json:"due"`
	Reasons map[int]string `json:"reasons"`
	// Unfolded says of tasks that have unfolded into how many instances.
	Unfolded map[int]int `json:"unfolded"`
	More     int         `json:"more"`
}

// maxShort bounds a reason in a list.
const maxShort = 300

// getTasks shows all tasks of a run, in columns.
func (s *Console) getTasks(c *call) (any, error) {
	ctx := c.Context()
	r, err := s.c.Runs.RunByID(ctx, runOf(c))
	if err != nil {
		return nil, err
	}
	sk, err := s.skeleton(ctx, r.Graph)
	if err != nil {
		return nil, err
	}
	// The rows are read after the run: they are at least as new as its
	// revision, and news of them that comes again does no harm.
	rows, err := s.c.Tasks.Tasks(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	out := tasksView{IDs: list(sk.ids), Kinds: sk.kinds, Kind: list(sk.kind), Reasons: map[int]string{}, Unfolded: map[int]int{}}
	if err := s.addSprouts(ctx, r, rows, &out); err != nil {
		return nil, err
	}
	n := len(out.IDs)
	out.Attempt, out.Started, out.Ended, out.Due = make([]int, n), make([]int64, n), make([]int64, n), make([]int64, n)
	if out.Run, err = s.viewRun(ctx, r); err != nil {
		return nil, err
	}
	states := make([]byte, n)
	for i := range states {
		states[i] = letter(flow.Waiting)
	}
	for _, t := range rows {
		i := t.Index
		if i < 0 || i >= n {
			continue
		}
		states[i], out.Attempt[i] = letter(t.State), t.Attempt
		out.Started[i], out.Ended[i], out.Due[i] = millis(t.Started), millis(t.Ended), dueOf(t)
		if t.Instances > 0 {
			out.Unfolded[i] = t.Instances
		}
		if t.Reason != "" {
			out.Reasons[i] = clip(t.Reason, maxShort)
		}
	}
	out.States = string(states)
	return out, nil
}

// addSprouts adds what tasks have unfolded into to those of the graph.
func (s *Console) addSprouts(ctx context.Context, r flow.Run, rows []flow.Task, out *tasksView) error {
	if !slices.ContainsFunc(rows, func(t flow.Task) bool { return t.Instances > 0 }) {
		return nil
	}
	g, err := s.whole(ctx, r.Graph)
	if err != nil {
		return err
	}
	var all []sprout
	all, out.More = sprouts(g, rows)
	kinds := dictionary{at: map[string]int{}}
	for _, k := range out.Kinds {
		kinds.number(k)
	}
	// What the graph has is shared, and is not to grow.
	out.IDs, out.Kind = slices.Clone(out.IDs), slices.Clone(out.Kind)
	for _, t := range all {
		kind := ""
		if t.node != nil {
			kind = t.node.Kind
		}
		out.IDs, out.Kind = append(out.IDs, t.id), append(out.Kind, kinds.number(kind))
	}
	out.Kinds = list(kinds.texts)
	return nil
}

// dueOf is when something is to happen to a task; 0: it has ended.
func dueOf(t flow.Task) int64 {
	if t.State.Final() {
		return 0
	}
	return millis(t.Due)
}

// A Span is a time that a task spent in a state.
type Span struct {
	State    flow.State
	Attempt  int
	From, To time.Time // To is zero while it lasts
}

// A TaskSpans is what a task did, in order.
type TaskSpans struct {
	Index int
	Spans []Span
}

type timelineView struct {
	Run     runView `json:"run"`
	Rev     int64   `json:"rev"`
	Task    []int   `json:"task"`
	States  string  `json:"states"`
	Attempt []int   `json:"attempt"`
	From    []int64 `json:"from"`
	To      []int64 `json:"to"`
	More    int     `json:"more"`
}

// maxSpans bounds one answer.
const maxSpans = 100_000

func (s *Console) getTimeline(c *call) (any, error) {
	after, err := c.number("after", 0, 0, 1<<62)
	if err != nil {
		return nil, err
	}
	ctx := c.Context()
	r, err := s.c.Runs.RunByID(ctx, runOf(c))
	if err != nil {
		return nil, err
	}
	all, rev, err := s.c.Tasks.Timeline(ctx, r, after)
	if err != nil {
		return nil, err
	}
	out := timelineView{Rev: rev, Task: []int{}, Attempt: []int{}, From: []int64{}, To: []int64{}}
	if out.Run, err = s.viewRun(ctx, r); err != nil {
		return nil, err
	}
	var states []byte
	for _, t := range all {
		for _, sp := range t.Spans {
			if len(out.Task) == maxSpans {
				out.More++
				continue
			}
			out.Task, out.Attempt = append(out.Task, t.Index), append(out.Attempt, sp.Attempt)
			out.From, out.To = append(out.From, millis(sp.From)), append(out.To, millis(sp.To))
			states = append(states, letter(sp.State))
		}
	}
	out.States = string(states)
	return out, nil
}

type taskWait struct {
	Task    flow.TaskID `json:"task"`
	State   state       `json:"state"`
	Attempt int         `json:"attempt"`
	waitView
}

type waitsView struct {
	Run   *waitView  `json:"run"`
	Tasks []taskWait `json:"tasks"`
	More  int        `json:"more"`
}

func (s *Console) getWaits(c *call) (any, error) {
	limit, err := c.limit(1000, 10_000)
	if err != nil {
		return nil, err
	}
	ctx := c.Context()
	r, err := s.c.Runs.RunByID(ctx, runOf(c))
	if err != nil {
		return nil, err
	}
	out := waitsView{Tasks: []taskWait{}}
	if r.State.Final() {
		return out, nil
	}
	w, tasks, more, err := s.c.Steering.Waits(ctx, r.ID, limit)
	if err != nil {
		return nil, err
	}
	if v := viewWait(w); v.Text != "" { // else it has ended just now
		out.Run = &v
	}
	out.More = more
	for _, t := range tasks {
		out.Tasks = append(out.Tasks, taskWait{t.Task, state(t.State), t.Attempt, viewWait(t.Wait)})
	}
	return out, nil
}

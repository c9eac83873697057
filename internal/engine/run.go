package engine

import (
	"container/heap"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// batch bounds how many tasks one step settles, so that no step grows with
// the graph; what is left is settled by the next Tick, which is due at once.
const batch = 1000

// Options are the limits a deployment puts on its runs.
type Options struct {
	// MaxDuration ends a run that takes longer; zero is no bound.
	MaxDuration time.Duration
	// Strict makes any task that failed fail the run. Otherwise the verdict
	// looks at leaves only, as Airflow's does.
	Strict bool
}

// A Run is one execution of a graph. It is not safe for concurrent use.
//
// Every event costs time in the tasks that it concerns, never in the size of
// the graph: tallies of upstreams, a queue of ready tasks, the set of live
// ones and a heap of due times are kept up to date as tasks change.
type Run struct {
	row   flow.Run
	opt   Options
	graph *flow.Graph
	index map[flow.TaskID]int
	begun bool // the tasks have rows
	first bool // the present event has made them

	// Per task; those that tasks have unfolded into follow those of the graph.
	nodes   []*flow.Node
	up      []int32 // how many tasks it waits for
	down    [][]int // the tasks that wait for it, but for its parent
	parent  []int   // the task that has unfolded into it, which waits for it; or -1
	tasks   []flow.Task
	tallies []tally
	settle  []int        // tasks whose upstreams changed, first in first out
	ready   readyHeap    // tasks that may run
	live    map[int]bool // tasks whose attempt exists outside
	due     dueHeap
	open    int // tasks that are not final
	bad     int // leaves, or if strict tasks, that failed or are blocked

	changed []int // tasks changed by the present event
	isDirty []bool
	past    []flow.Attempt
	outputs []flow.Output
	moves   []flow.Move
	fallen  int // a task that the present event has failed for good, or -1
	// reopened says that the present event lets an ended run go on.
	reopened bool
}

// New returns the run that row describes, of which no task has rows yet.
func New(row flow.Run, g *flow.Graph, opt Options) *Run {
	r := &Run{
		row: row, opt: opt, graph: g,
		index:  make(map[flow.TaskID]int, len(g.Nodes)),
		nodes:  make([]*flow.Node, len(g.Nodes)),
		up:     make([]int32, len(g.Nodes)),
		down:   make([][]int, len(g.Nodes)),
		parent: make([]int, len(g.Nodes)),
		live:   map[int]bool{},
		fallen: -1,
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		r.index[n.ID] = i
		r.nodes[i], r.up[i], r.parent[i] = n, int32(len(n.After)), -1
		for _, id := range n.After {
			up := r.index[id]
			r.down[up] = append(r.down[up], i)
		}
	}
	return r
}

// judge returns what a waiting task's upstreams make of it.
func (r *Run) judge(i int) flow.State {
	when := r.nodes[i].When
	if r.tasks[i].Instances > 0 {
		when = flow.AllSuccess // of all that it has unfolded into
	}
	return judge(when, r.tallies[i], r.up[i])
}

// waiters yields the tasks that wait for task i.
func (r *Run) waiters(i int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, d := range r.down[i] {
			if !yield(d) {
				return
			}
		}
		if p := r.parent[i]; p >= 0 {
			yield(p)
		}
	}
}

// Restore returns the run that row and the rows of its tasks describe. When
// the run has not begun there are none that count: see [Step.First].
func Restore(row flow.Run, g *flow.Graph, tasks []flow.Task, opt Options) (*Run, error) {
	r := New(row, g, opt)
	if len(tasks) == 0 || row.State == flow.Starting || row.State == flow.Ready {
		return r, nil
	}
	if len(tasks) < len(g.Nodes) {
		return nil, fmt.Errorf("engine: run %s has %d task rows for %d nodes", row.ID, len(tasks), len(g.Nodes))
	}
	r.grow()
	r.first = false
	if err := r.place(tasks); err != nil {
		return nil, err
	}
	for i := range r.tasks {
		switch t := &r.tasks[i]; {
		case t.State.Final():
			r.count(i, 1)
		case t.State.Live():
			r.live[i] = true
		case t.State == flow.Ready:
			r.enqueue(i)
		}
		r.remember(i)
	}
	r.settle = r.settle[:0]
	for i := range r.tasks {
		if r.tasks[i].State == flow.Waiting && r.judge(i) != flow.Waiting {
			r.settle = append(r.settle, i)
		}
	}
	return r, nil
}

// grow makes a waiting task of every node.
func (r *Run) grow() {
	n := len(r.graph.Nodes)
	r.begun, r.first = true, true
	r.tasks = make([]flow.Task, n)
	r.tallies = make([]tally, n)
	r.isDirty = make([]bool, n)
	r.open = n
	for i, node := range r.nodes {
		r.tasks[i] = flow.Task{ID: node.ID, Index: i, Kind: node.Kind, State: flow.Waiting}
	}
}

// Row returns the run's row as it is now.
func (r *Run) Row() flow.Run { return r.row }

// Bound changes [Options.MaxDuration]. The next Tick acts on it.
func (r *Run) Bound(longest time.Duration) { r.opt.MaxDuration = longest }

// Begun reports whether the run's tasks have rows.
func (r *Run) Begun() bool { return r.begun }

// Final reports whether the run has ended.
func (r *Run) Final() bool { return r.row.State.Final() }

// Task returns the row of the named task; false if there is none, or not yet.
func (r *Run) Task(id flow.TaskID) (flow.Task, bool) {
	if i, ok := r.index[id]; ok && r.begun {
		return r.tasks[i], true
	}
	return flow.Task{}, false
}

// Tasks returns the rows of all tasks in graph order; none before the run
// has begun.
func (r *Run) Tasks() []flow.Task { return append([]flow.Task(nil), r.tasks...) }

// Open returns the rows of the tasks that have not ended, in graph order.
func (r *Run) Open() iter.Seq[flow.Task] {
	return func(yield func(flow.Task) bool) {
		for i := range r.tasks {
			if !r.tasks[i].State.Final() && !yield(r.tasks[i]) {
				return
			}
		}
	}
}

// Apply tells the run that ev happened and returns what must be saved. The
// second result is false if nothing changed: the event was stale (about an
// attempt that is no longer current), came after the end, or is one that
// [Run.Refuse] refuses.
func (r *Run) Apply(ev Event) (Step, bool, error) {
	if r.Refuse(ev) != nil || r.Final() && !reopens(ev.What) && !pauses(ev.What) {
		return Step{}, false, nil
	}
	// A reading of the monotonic clock does not survive a restart, and neither
	// may what it decides.
	ev.At = ev.At.Round(0)
	before := r.row
	switch what := ev.What.(type) {
	case Queue:
		if r.row.State == flow.Starting {
			r.enter(flow.Ready)
		}
	case Begin:
		r.begin(ev.At)
	case Tick:
		r.rewind(what.Back, ev.At)
	case Stop:
		r.stop(flow.ByStop, ev.At)
	case Clear:
		r.clear(what, ev.At)
	case Mark:
		r.mark(ev.Task, what, ev.At)
	case Hold:
		r.row.Held = true
	case Release:
		r.row.Held = false
	case Started:
		r.started(ev.Task, what, ev.At)
	case Marked:
		if i, ok := r.current(ev.Task, what.Attempt); ok {
			r.tasks[i].Mark = what.Mark
			r.touch(i, ev.At)
		}
	case Ended:
		r.ended(ev.Task, what, ev.At)
	default:
		return Step{}, false, fmt.Errorf("engine: unknown event %T", ev.What)
	}
	if r.begun && !r.Final() {
		r.expire(ev.At)
		r.failFast(ev.At)
		r.advance(ev.At)
		r.conclude(ev.At)
	}
	if r.row.State == before.State && r.row.Cause == before.Cause && r.row.Held == before.Held && r.row.Started.Equal(before.Started) && len(r.changed) == 0 {
		return Step{}, false, nil
	}
	step, err := r.step(ev)
	return step, err == nil, err
}

// step gathers what the event changed and forgets it.
func (r *Run) step(ev Event) (Step, error) {
	r.row.Rev++
	r.row.Modified = ev.At
	entry, err := ev.entry(r.row.ID, r.row.Rev)
	if err != nil {
		return Step{}, err
	}
	entry.Moves = r.moves
	s := Step{Run: r.row, Reopens: r.reopened, Past: r.past, Outputs: r.outputs, Entry: entry, First: r.first}
	r.reopened = false
	s.Tasks = make([]flow.Task, 0, len(r.changed))
	for _, i := range r.changed {
		s.Tasks = append(s.Tasks, r.tasks[i])
		r.isDirty[i] = false
	}
	r.changed, r.past, r.outputs, r.moves, r.first, r.fallen = r.changed[:0], nil, nil, nil, false, -1
	return s, nil
}

func (r *Run) begin(now time.Time) {
	if r.begun {
		return
	}
	r.row.Started = now
	r.enter(flow.Running)
	r.grow()
	for i := range r.tasks {
		r.touch(i, now)
		if r.up[i] == 0 || r.nodes[i].When == flow.Always {
			r.settle = append(r.settle, i)
		}
	}
}

// current returns the task's index if attempt is the one that it waits for.
func (r *Run) current(id flow.TaskID, attempt int) (int, bool) {
	i, ok := r.index[id]
	if !ok || !r.begun {
		return 0, false
	}
	t := &r.tasks[i]
	return i, t.Attempt == attempt && t.State.Live()
}

func (r *Run) started(id flow.TaskID, s Started, now time.Time) {
	i, ok := r.current(id, s.Attempt)
	if !ok {
		return
	}
	t := &r.tasks[i]
	if s.Mark != nil {
		t.Mark = s.Mark
		r.touch(i, now)
	}
	if t.Handle == "" && s.Handle != "" {
		t.Handle = s.Handle
		r.touch(i, now)
	}
	if t.State != flow.Starting {
		return
	}
	if t.Started.IsZero() { // else it comes back from a rest
		t.Started = now
	}
	if t.Since.IsZero() {
		t.Since = now
	}
	r.set(i, flow.Running, now)
	if limit := r.nodes[i].Timeout; limit > 0 {
		r.setDue(i, now.Add(limit))
	}
}

func (r *Run) ended(id flow.TaskID, e Ended, now time.Time) {
	i, ok := r.current(id, e.Attempt)
	if !ok {
		return
	}
	t := &r.tasks[i]
	e.Ended, e.Until = e.Ended.Round(0), e.Until.Round(0)
	t.Handle = ""
	r.setDue(i, time.Time{})
	verdict, reason := e.Verdict, e.Reason
	if t.State == flow.Stopping && decided(t.Cause) {
		r.settleDecided(i, now)
		return
	}
	if t.State == flow.Stopping && verdict != flow.Success {
		// The state that ends an attempt owns the reason: what the process
		// says of its own death is not why it died.
		reason = t.Reason
		switch t.Cause {
		case flow.ByTimeout:
			verdict = flow.Timeout
		default:
			verdict = canceled
		}
	}
	if verdict == flow.Rest {
		t.Pokes++
		t.Mark, t.Reason = e.Mark, reason
		r.set(i, flow.Resting, now)
		r.setDue(i, e.Until)
		return
	}
	if t.Started.IsZero() && verdict != canceled {
		t.Started = now
	}
	if verdict == flow.Unfold {
		if reason = r.unfold(i, e.Outcome, now); reason == "" {
			return
		}
		verdict = flow.Fatal
	}
	// An attempt may have ended while nobody looked. Its time is its own; a
	// clock that was set meanwhile must not turn it around.
	end := now
	if e.Ended.After(t.Started) && e.Ended.Before(now) {
		end = e.Ended
	}
	t.Ended = end
	t.Cause = ""
	t.Reason = reason
	t.Mark = nil
	r.publish(i, e.Outcome)
	left := t.Attempt-t.Base <= r.nodes[i].Retries && r.row.State != flow.Stopping
	switch verdict {
	case flow.Success:
		r.set(i, flow.Succeeded, now)
	case flow.Skip:
		r.set(i, flow.Skipped, now)
	case canceled:
		r.set(i, flow.Canceled, now)
	case flow.Fatal:
		r.set(i, flow.Failed, now)
	default:
		switch {
		case left:
			r.set(i, flow.Retrying, now)
			r.setDue(i, end.Add(r.nodes[i].Delay))
		case verdict == flow.Timeout:
			r.set(i, flow.TimedOut, now)
		default:
			r.set(i, flow.Failed, now)
		}
	}
}

// publish keeps the outputs of the current attempt of task i.
func (r *Run) publish(i int, out flow.Outcome) {
	t := &r.tasks[i]
	for _, key := range slices.Sorted(maps.Keys(out.Outputs)) {
		r.outputs = append(r.outputs, flow.Output{Task: t.ID, Attempt: t.Attempt, Key: key, Value: out.Outputs[key]})
	}
}

// canceled is the verdict on an attempt that a person ended.
const canceled flow.Verdict = "canceled"

// stop asks every live attempt to end and cancels the rest.
func (r *Run) stop(cause flow.Cause, now time.Time) {
	if r.row.State == flow.Stopping {
		return
	}
	r.row.Cause = cause
	r.enter(flow.Stopping)
	if !r.begun {
		r.grow()
	}
	reason := "the run was stopped"
	switch cause {
	case flow.ByTimeout:
		reason = fmt.Sprintf("the run took longer than %s", r.opt.MaxDuration)
	case flow.ByFailure:
		reason = "canceled because " + r.row.Reason
	}
	for i := range r.tasks {
		t := &r.tasks[i]
		switch s := t.State; {
		case s.Final():
			continue
		case s == flow.Stopping && t.Cause == flow.ByClear: // nor done again
			t.Cause, t.Reason = flow.ByStop, reason
			r.touch(i, now)
		case s == flow.Stopping: // whatever ended it, it will not be retried
		case s.Live():
			t.Cause, t.Reason = flow.ByStop, reason
			r.set(i, flow.Stopping, now)
		default:
			t.Reason = reason
			if t.Ended.IsZero() && !t.Started.IsZero() {
				t.Ended = now
			}
			r.set(i, flow.Canceled, now)
		}
		r.setDue(i, time.Time{})
	}
	r.settle, r.ready = nil, nil
}

// rewind takes notice that the clock was set back: what waits shall not wait for the
// clock to catch up, so it waits as long as it had left; and the run, whose time
// is counted from its start, has started as long ago as before.
func (r *Run) rewind(back time.Duration, now time.Time) {
	if back <= 0 || !r.begun {
		return
	}
	r.row.Started = r.row.Started.Add(-back) // from when on it may take so long
	waiting := r.due
	r.due = nil
	for _, d := range waiting {
		if t := &r.tasks[d.task]; t.Due.Equal(d.at) {
			r.setDue(d.task, d.at.Add(-back))
			r.touch(d.task, now)
		}
	}
}

// expire acts on the moments that have come.
func (r *Run) expire(now time.Time) {
	if r.opt.MaxDuration > 0 && !r.row.Started.IsZero() && !now.Before(r.row.Started.Add(r.opt.MaxDuration)) {
		r.stop(flow.ByTimeout, now)
	}
	for len(r.due) > 0 && !now.Before(r.due[0].at) {
		d := heap.Pop(&r.due).(due)
		t := &r.tasks[d.task]
		if !t.Due.Equal(d.at) {
			continue // the moment was moved or dropped
		}
		t.Due = time.Time{}
		switch t.State {
		case flow.Retrying:
			r.pass(d.task, flow.Failed)
			r.set(d.task, flow.Ready, now)
		case flow.Resting:
			r.set(d.task, flow.Ready, now)
		case flow.Running, flow.Deferred:
			t.Cause = flow.ByTimeout
			t.Reason = fmt.Sprintf("Timeout, the task ran longer than its execution_timeout of %s", r.nodes[d.task].Timeout)
			r.set(d.task, flow.Stopping, now)
		}
	}
}

// pass puts the current attempt of a task among the past ones and makes room
// for the next.
func (r *Run) pass(i int, as flow.State) {
	t := &r.tasks[i]
	r.past = append(r.past, flow.Attempt{
		Task: t.ID, N: t.Attempt, State: as, Reason: t.Reason, Started: t.Started, Ended: t.Ended,
	})
	t.Started, t.Ended, t.Reason, t.Pokes, t.Mark, t.Cause = time.Time{}, time.Time{}, "", 0, nil, ""
	t.Attempt++
}

// advance settles tasks whose upstreams changed, then fills free slots.
func (r *Run) advance(now time.Time) {
	if r.row.State != flow.Running || r.row.Held {
		return
	}
	n := 0
	for ; n < len(r.settle) && n < batch; n++ {
		i := r.settle[n]
		if r.tasks[i].State == flow.Waiting {
			r.verdict(i, now)
		}
	}
	r.settle = r.settle[n:]
	for len(r.ready) > 0 {
		next := r.ready[0]
		if next.current(r) {
			if r.graph.MaxActive > 0 && len(r.live) >= r.graph.MaxActive {
				break
			}
			r.set(next.task, flow.Starting, now)
		}
		heap.Pop(&r.ready)
	}
}

// verdict moves a waiting task if its upstreams decide it.
func (r *Run) verdict(i int, now time.Time) {
	node, t := r.nodes[i], &r.tasks[i]
	switch s := r.judge(i); s {
	case flow.Ready:
		t.Attempt = max(t.Attempt, 1) // a cleared task has its next number already
		if node.Noop {
			t.Started, t.Since, t.Ended = now, now, now
			r.set(i, flow.Succeeded, now)
			return
		}
		r.set(i, flow.Ready, now)
	case flow.Blocked:
		t.Reason = "an upstream task failed"
		r.set(i, s, now)
	case flow.Skipped:
		t.Reason = "trigger rule " + string(ruleOf(node)) + " cannot be met"
		r.set(i, s, now)
	}
}

func ruleOf(n *flow.Node) flow.Rule {
	if n.When == "" {
		return flow.AllSuccess
	}
	return n.When
}

// conclude ends the run when its last task has ended.
func (r *Run) conclude(now time.Time) {
	stuck := r.open > 0 && len(r.live) == 0 && len(r.ready) == 0 && len(r.settle) == 0 && !r.hasDue()
	if r.open > 0 && !stuck {
		return
	}
	r.row.Ended = now
	switch {
	case stuck:
		r.row.Reason = "deadlock: no unfinished task can ever run"
		r.enter(flow.Failed)
	case r.row.State == flow.Stopping && r.row.Cause == flow.ByTimeout:
		r.row.Reason = fmt.Sprintf("The run took longer than %s", r.opt.MaxDuration)
		r.enter(flow.TimedOut)
	case r.row.State == flow.Stopping && r.row.Cause == flow.ByFailure:
		r.enter(flow.Failed) // Reason says which task
	case r.row.State == flow.Stopping:
		r.enter(flow.Canceled)
	case r.bad > 0:
		r.row.Reason = "Workflow execution failed"
		r.enter(flow.Failed)
	default:
		r.enter(flow.Succeeded)
	}
}

// enter moves the run itself to state s.
func (r *Run) enter(s flow.State) {
	m := flow.Move{From: r.row.State, State: s}
	if r.row.State = s; s.Final() {
		m.Started, m.Ended, m.Reason = r.row.Started, r.row.Ended, cut(r.row.Reason)
	}
	r.moves = append(r.moves, m)
}

// longestReason bounds the reason that a move repeats, in bytes.
const longestReason = 1024

func cut(reason string) string {
	if len(reason) <= longestReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:longestReason], "")
}

// set moves a task to state s and keeps every index of the run in step.
func (r *Run) set(i int, s flow.State, now time.Time) {
	t := &r.tasks[i]
	was := t.State
	t.State = s
	r.touch(i, now)
	m := flow.Move{Task: t.ID, Attempt: t.Attempt, From: was, State: s}
	if s.Final() || s == flow.Retrying {
		m.Started, m.Ended, m.Reason = t.Started, t.Ended, cut(t.Reason)
	}
	r.moves = append(r.moves, m)
	switch {
	case s.Live():
		r.live[i] = true
	case was.Live():
		delete(r.live, i)
	}
	if s == flow.Ready {
		r.enqueue(i)
	}
	if s == flow.Failed || s == flow.TimedOut {
		r.fallen = i
	}
	if s.Final() {
		r.count(i, 1)
		for d := range r.waiters(i) {
			if r.tasks[d].State == flow.Waiting {
				r.settle = append(r.settle, d)
			}
		}
	}
}

// count enters the end of task i into the run's sums, or with n = -1 takes it
// out again.
func (r *Run) count(i, n int) {
	r.open -= n
	s := r.tasks[i].State
	for d := range r.waiters(i) {
		r.tallies[d].add(s, int32(n))
	}
	if (len(r.down[i]) > 0 || r.parent[i] >= 0) && !r.opt.Strict {
		return
	}
	switch s {
	case flow.Failed, flow.TimedOut, flow.Blocked, flow.Canceled:
		r.bad += n
	}
}

// enqueue puts a task that has just become ready where advance finds it.
func (r *Run) enqueue(i int) {
	heap.Push(&r.ready, ready{r.tasks[i].Modified.UnixMicro(), i})
}

// A ready is a task that waits for a slot, since a moment in microseconds.
// Who waits longest is first, then who comes first in the graph: an order
// that a restored run finds in the rows again.
type ready struct {
	since int64
	task  int
}

// current reports whether the task still waits; it may have been cleared or
// marked meanwhile.
func (q ready) current(r *Run) bool {
	t := &r.tasks[q.task]
	return t.State == flow.Ready && t.Modified.UnixMicro() == q.since
}

type readyHeap []ready

func (h readyHeap) Len() int { return len(h) }
func (h readyHeap) Less(i, j int) bool {
	return h[i].since < h[j].since || h[i].since == h[j].since && h[i].task < h[j].task
}
func (h readyHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *readyHeap) Push(x any)   { *h = append(*h, x.(ready)) }
func (h *readyHeap) Pop() any {
	old := *h
	q := old[len(old)-1]
	*h = old[:len(old)-1]
	return q
}

func (r *Run) touch(i int, now time.Time) {
	r.tasks[i].Modified = now
	if !r.isDirty[i] {
		r.isDirty[i] = true
		r.changed = append(r.changed, i)
	}
}

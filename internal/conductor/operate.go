package conductor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// Pauser is what must be remembered of pauses. The empty workflow is
// everything.
type Pauser interface {
	Pause(ctx context.Context, wf flow.WorkflowID, who string, at time.Time) error
	Unpause(ctx context.Context, wf flow.WorkflowID) error
	Pauses(ctx context.Context) ([]flow.Pause, error)
	// InsertSlot saves a new run for a slot of a schedule unless the slot has
	// one: then it answers false.
	InsertSlot(ctx context.Context, r flow.Run) (bool, error)
}

// errTaken says that a run that was to be taken up is active already.
var errTaken = errors.New("the run is active")

// Clear has tasks of a run done again, as [engine.Clear] says, and returns
// the run's row when that is saved. A run that has ended goes on. What cannot
// be cleared now is a flow.Conflict.
func (c *Conductor) Clear(ctx context.Context, id flow.RunID, what engine.Clear) (flow.Run, error) {
	return c.wish(ctx, id, engine.Event{What: what})
}

// Mark decides how a task of a run has ended, as [engine.Mark] says.
func (c *Conductor) Mark(ctx context.Context, id flow.RunID, task flow.TaskID, what engine.Mark) (flow.Run, error) {
	return c.wish(ctx, id, engine.Event{Task: task, What: what})
}

// wish sends an event that may concern a run that has ended.
func (c *Conductor) wish(ctx context.Context, id flow.RunID, ev engine.Event) (flow.Run, error) {
	// A run may end, or be taken up by another caller, between two looks.
	for range 100 {
		ev.At = time.Now()
		c.mu.Lock()
		r := c.runs[id]
		c.mu.Unlock()
		var row flow.Run
		var err error
		if r != nil {
			row, err = r.ask(ctx, ev)
		} else {
			row, err = c.revive(ctx, id, ev)
		}
		if !errors.Is(err, errGone) && !errors.Is(err, errTaken) {
			return row, err
		}
	}
	return flow.Run{}, flow.Errorf(flow.Busy, "run %s is ending just now: try again", id)
}

// revive takes up a run that has ended, for an event that may let it go on.
func (c *Conductor) revive(ctx context.Context, id flow.RunID, ev engine.Event) (flow.Run, error) {
	row, err := c.store.RunByID(ctx, id)
	if err != nil {
		return row, err
	}
	if !row.State.Final() {
		return row, flow.Errorf(flow.Busy, "run %s is not active on this server", id)
	}
	tasks, err := c.store.Tasks(ctx, id)
	if err != nil {
		return row, err
	}
	if len(tasks) == 0 {
		return row, flow.Errorf(flow.Conflict, "run %s has ended before any of its tasks had a state", id)
	}
	maxRuns := 0 // a run of no version has no limit
	if row.Version != "" {
		v, err := c.store.Version(ctx, row.Workflow, row.Version)
		if flow.KindOf(err) == flow.NotFound && err != nil {
			return row, flow.Errorf(flow.Conflict, "version %s of the workflow is gone, so run %s cannot go on", row.Version, id)
		}
		if err != nil {
			return row, err
		}
		maxRuns = v.MaxRuns
	}
	if c.set.Reopen != nil {
		if err := c.set.Reopen(ctx, row); err != nil {
			return row, err
		}
	}
	type reply struct {
		row flow.Run
		err error
	}
	done := make(chan reply, 1)
	wish := message{ev: ev, answer: func(row flow.Run, err error) { done <- reply{row, err} }}
	if err := c.launch(ctx, row, tasks, maxRuns, &wish); err != nil {
		return row, err
	}
	select {
	case <-ctx.Done():
		return row, fmt.Errorf("run %s: %w", id, context.Cause(ctx))
	case <-c.ctx.Done():
		return row, fmt.Errorf("run %s: %w", id, context.Cause(c.ctx))
	case got := <-done:
		return got.row, got.err
	}
}

// Pause keeps a workflow, or everything if wf is empty, from beginning
// anything: its runs queue, what runs goes on to its end, its schedule passes.
// It returns when that is saved and every active run heeds it.
func (c *Conductor) Pause(ctx context.Context, wf flow.WorkflowID, by string) error {
	runs, err := c.hold(ctx, wf, by)
	if err != nil {
		c.doubted(err)
		c.clock.wake()
		return err
	}
	return c.nudge(ctx, runs)
}

func (c *Conductor) hold(ctx context.Context, wf flow.WorkflowID, by string) ([]*run, error) {
	c.pausing.Lock()
	defer c.pausing.Unlock()
	if err := c.store.Pause(ctx, wf, by, time.Now()); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.pauses[wf]; !ok {
		c.pauses[wf] = by
	}
	c.gate.Hold(wf)
	return c.named(c.active(wf)), nil
}

// Unpause ends a pause.
func (c *Conductor) Unpause(ctx context.Context, wf flow.WorkflowID, by string) error {
	runs, err := c.unhold(ctx, wf, by)
	if err != nil {
		c.doubted(err)
		c.clock.wake()
		return err
	}
	return c.nudge(ctx, runs)
}

func (c *Conductor) unhold(ctx context.Context, wf flow.WorkflowID, by string) ([]*run, error) {
	c.pausing.Lock()
	defer c.pausing.Unlock()
	if err := c.store.Unpause(ctx, wf); err != nil {
		return nil, err
	}
	return c.released(wf, by), nil
}

// released lets go of what a pause held, and returns the runs that are to
// look again.
func (c *Conductor) released(wf flow.WorkflowID, by string) []*run {
	c.mu.Lock()
	delete(c.pauses, wf)
	c.lastRelease = by
	next := c.named(c.gate.Release(wf))
	runs := c.named(c.active(wf))
	c.mu.Unlock()
	c.begin(next)
	return runs
}

// nudge has runs look at what is paused, and returns when they have.
func (c *Conductor) nudge(ctx context.Context, runs []*run) error {
	for _, r := range runs {
		// Twice: the loop looks after the first, and answers the second when
		// what it saw is saved.
		for range 2 {
			if _, err := r.ask(ctx, engine.Event{At: time.Now(), What: engine.Tick{}}); err != nil && !errors.Is(err, errGone) {
				return err
			}
		}
	}
	return nil
}

// resumePauses makes what is paused what is saved: by another process before
// this one, or by a write whose answer was lost.
func (c *Conductor) resumePauses(ctx context.Context) error {
	c.pausing.Lock()
	defer c.pausing.Unlock()
	all, err := c.store.Pauses(ctx)
	if err != nil {
		return fmt.Errorf("look for pauses: %w", err)
	}
	saved := map[flow.WorkflowID]bool{}
	var look []*run
	c.mu.Lock()
	for _, p := range all {
		saved[p.Workflow] = true
		if _, known := c.pauses[p.Workflow]; !known {
			c.pauses[p.Workflow] = p.By
			c.gate.Hold(p.Workflow)
			look = append(look, c.named(c.active(p.Workflow))...)
		}
	}
	var over []flow.WorkflowID
	for wf := range c.pauses {
		if !saved[wf] {
			over = append(over, wf)
		}
	}
	c.mu.Unlock()
	slices.Sort(over)
	for _, wf := range over {
		look = append(look, c.released(wf, "somebody whose request was not answered")...)
	}
	if len(look) > 0 { // a run whose saves are slow must not hold up others
		c.wg.Go(func() { _ = c.nudge(c.ctx, look) })
	}
	return nil
}

// holder says who has paused a workflow; c.mu is held.
func (c *Conductor) holder(wf flow.WorkflowID) string {
	if by, ok := c.pauses[wf]; ok {
		return by
	}
	return c.pauses[""]
}

// heldBy says who has paused a workflow, or everything; c.mu is held.
func (c *Conductor) heldBy(wf flow.WorkflowID) string {
	what := "the workflow"
	by, ok := c.pauses[wf]
	if !ok {
		what = "everything"
		by, ok = c.pauses[""]
	}
	if !ok {
		return "the pause has just ended; it is about to begin"
	}
	return what + " is paused by " + by + ": nothing begins until it is resumed"
}

// holding is the message that makes a run heed a pause; c.mu is held.
func (c *Conductor) holding(wf flow.WorkflowID) message {
	return message{ev: engine.Event{At: time.Now(), What: engine.Hold{By: c.holder(wf)}}}
}

func (c *Conductor) paused(wf flow.WorkflowID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gate.Held(wf)
}

// Why says what an unfinished task waits for, or the run itself if task is
// empty; false if it has ended or does not exist.
func (c *Conductor) Why(ctx context.Context, id flow.RunID, task flow.TaskID) (flow.Wait, bool, error) {
	c.mu.Lock()
	r := c.runs[id]
	if wait, queued := c.gate.Why(id); queued {
		if r != nil && wait.Gate == flow.GatePaused {
			wait.Text = c.heldBy(r.wf)
		}
		c.mu.Unlock()
		if r != nil && task != "" && !slices.ContainsFunc(r.graph.Nodes, func(n flow.Node) bool { return n.ID == task }) {
			return flow.Wait{}, false, nil
		}
		return wait, true, nil // its tasks wait for the run
	}
	c.mu.Unlock()
	if r == nil {
		return flow.Wait{}, false, nil
	}
	got, err := asked(ctx, r, func(e *engine.Run) *flow.Wait {
		w, ok := r.why(e, task)
		if !ok {
			return nil
		}
		if behind := e.Behind(task); behind != "" {
			w.Text += "; behind that: " + behind
		}
		return &w
	})
	if err != nil || got == nil {
		return flow.Wait{}, false, err
	}
	return *got, true, nil
}

// asked returns what a look at a run found; the zero value of one that has
// ended. Whoever does not wait for the answer leaves it alone.
func asked[T any](ctx context.Context, r *run, look func(*engine.Run) T) (T, error) {
	var zero T
	found := make(chan T, 1)
	_, err := r.await(ctx, message{look: func(e *engine.Run) { found <- look(e) }})
	if errors.Is(err, errGone) {
		return zero, nil
	}
	if err != nil {
		return zero, err
	}
	return <-found, nil
}

// A TaskWait is an unfinished task and what it waits for.
type TaskWait struct {
	Task flow.Task
	Wait flow.Wait
}

// Waits says what an unfinished run waits for, and the same of up to limit of
// its unfinished tasks: first those that wait for something else than other
// tasks. more is how many there are beside. All are zero of a run that is not
// active.
func (c *Conductor) Waits(ctx context.Context, id flow.RunID, limit int) (w flow.Wait, tasks []TaskWait, more int, err error) {
	w, ok, err := c.Why(ctx, id, "")
	if err != nil || !ok || w.Gate == flow.GateLimit {
		return w, nil, 0, err
	}
	c.mu.Lock()
	r := c.runs[id]
	c.mu.Unlock()
	if r == nil {
		return w, nil, 0, nil
	}
	type found struct {
		tasks []TaskWait
		more  int
	}
	got, err := asked(ctx, r, func(e *engine.Run) found {
		tasks, more := r.waits(e, limit)
		return found{tasks, more}
	})
	return w, got.tasks, got.more, err
}

// why says what a task waits for, or the run if task is empty. The engine
// knows, but for two things: who has paused what, and when an attempt that
// waits in this server looks again. The loop calls it.
func (r *run) why(e *engine.Run, task flow.TaskID) (flow.Wait, bool) {
	paused := ""
	if e.Row().Held {
		r.c.mu.Lock()
		paused = r.c.heldBy(r.wf)
		r.c.mu.Unlock()
	}
	if task == "" {
		return e.WhyRun(paused)
	}
	w, ok := e.Why(task, paused)
	if have := r.inflight[task]; ok && w.Gate == flow.GateNone && have != nil && !have.looks.IsZero() {
		return flow.Wait{Gate: flow.GatePoke, Until: have.looks, Text: fmt.Sprintf("attempt %d has looked, and what it waits for has not come; it looks again", have.n)}, true
	}
	return w, ok
}

func (r *run) waits(e *engine.Run, limit int) (list []TaskWait, more int) {
	for _, upstream := range []bool{false, true} {
		for t := range e.Open() {
			if (t.State == flow.Waiting) != upstream {
				continue
			}
			if len(list) == limit {
				more++
				continue
			}
			if w, ok := r.why(e, t.ID); ok {
				list = append(list, TaskWait{t, w})
			}
		}
	}
	return list, more
}

// A Slot is one moment of a schedule that a backfill asks for.
type Slot struct {
	At  time.Time
	Run flow.RunID // empty if there was a run for the slot already, or nothing was begun
}

// MaxBackfill bounds how many slots one backfill may have.
const MaxBackfill = 1000

// Backfill begins a run for each slot of the version's schedule from the
// first moment to the last, both included, that has none. The runs count at
// the gate like others, so that no more than max_active_runs are under way.
// With dry, nothing is begun. Slots that are still to come are left to the
// schedule. After a crash in the middle the same request completes it. by is
// who asks; the runs say so.
func (c *Conductor) Backfill(ctx context.Context, v flow.Version, from, to time.Time, dry bool, by string) ([]Slot, error) {
	now := time.Now()
	if from.After(now) && !to.Before(from) {
		return nil, flow.Errorf(flow.Invalid, "the backfill begins at %s, which is still to come: runs of slots to come are the schedule's", from.Format(time.RFC3339))
	}
	if to.After(now) {
		to = now
	}
	slots, err := Slots(v, from, to)
	if err != nil {
		return nil, err
	}
	if dry {
		return slots, nil
	}
	if _, err := c.graph(ctx, v.Graph); err != nil {
		return nil, err
	}
	for i := range slots {
		now := time.Now()
		r := c.set.NewRun(v, slots[i].At)
		r.Kind, r.State, r.Logical, r.Created, r.Modified = flow.Backfill, flow.Starting, slots[i].At, now, now
		r.Workflow, r.Version, r.Graph, r.By = v.Workflow, v.ID, v.Graph, by
		created, err := c.store.InsertSlot(ctx, r)
		if err != nil {
			c.doubted(err)
			c.clock.wake()
			return slots[:i], err
		}
		if !created {
			continue
		}
		slots[i].Run = r.ID
		c.setGoing(ctx, r, v.MaxRuns)
	}
	return slots, nil
}

// Slots lists the moments at which a version fires between two moments, both
// included.
func Slots(v flow.Version, from, to time.Time) ([]Slot, error) {
	if v.Schedule == nil {
		return nil, flow.Errorf(flow.Invalid, "the workflow has no schedule, so there is nothing to backfill")
	}
	if to.Before(from) {
		return nil, flow.Errorf(flow.Invalid, "the backfill ends at %s, before it begins at %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	var slots []Slot
	for at := from.Add(-time.Nanosecond); ; {
		next, err := NextFire(v.Schedule, at)
		if err != nil {
			return nil, err
		}
		if next.IsZero() || next.After(to) {
			return slots, nil
		}
		if len(slots) == MaxBackfill {
			return nil, flow.Errorf(flow.Invalid, "the backfill has more than %d slots: ask for a shorter range", MaxBackfill)
		}
		slots = append(slots, Slot{At: next})
		at = next
	}
}

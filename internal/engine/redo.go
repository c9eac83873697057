package engine

import (
	"slices"
	"time"

	"fairlead/internal/flow"
)

// reopens reports whether an event may let a run go on that has ended.
func reopens(w What) bool {
	switch w.(type) {
	case Clear, Mark:
		return true
	}
	return false
}

// pauses reports whether an event holds or releases a run. One that has ended
// can be held too, so that nothing begins when it is reopened.
func pauses(w What) bool {
	switch w.(type) {
	case Hold, Release:
		return true
	}
	return false
}

// Refuse says why a person's wish cannot be met as the run stands: a
// flow.Conflict, or a flow.NotFound for a task that the run has not. Events
// that are not wishes are never refused.
func (r *Run) Refuse(ev Event) error {
	var ids []flow.TaskID
	switch what := ev.What.(type) {
	case Clear:
		ids = what.Tasks
		if len(ids) == 0 && !what.Failed {
			return flow.Errorf(flow.Invalid, "no task is named that is to be cleared")
		}
	case Mark:
		ids = []flow.TaskID{ev.Task}
		if _, ok := markCause(what.State); !ok {
			return flow.Errorf(flow.Invalid, "a task cannot be marked %q: expected %s, %s or %s", what.State, flow.Succeeded, flow.Failed, flow.Skipped)
		}
	default:
		return nil
	}
	switch {
	case !r.begun:
		return flow.Errorf(flow.Conflict, "run %s has not begun: none of its tasks has a state yet", r.row.ID)
	case r.row.State == flow.Stopping:
		return flow.Errorf(flow.Conflict, "run %s is being stopped: wait until it has ended", r.row.ID)
	}
	for _, id := range ids {
		if _, ok := r.index[id]; !ok {
			return flow.Errorf(flow.NotFound, "run %s has no task %q", r.row.ID, id).About("TaskInstance", string(id))
		}
	}
	if c, ok := ev.What.(Clear); ok {
		if err := r.refolds(c); err != nil {
			return err
		}
	}
	if m, ok := ev.What.(Mark); ok && m.State != flow.Succeeded {
		if err := r.undercuts(r.index[ev.Task]); err != nil {
			return err
		}
	}
	if c, ok := ev.What.(Clear); ok && len(c.Tasks) == 0 && !slices.ContainsFunc(r.tasks, func(t flow.Task) bool { return unhappy(t.State) }) {
		return flow.Errorf(flow.Conflict, "run %s has no task that failed", r.row.ID)
	}
	return nil
}

// unhappy reports whether a retry from failures does a task in state s again.
func unhappy(s flow.State) bool {
	switch s {
	case flow.Failed, flow.TimedOut, flow.Blocked, flow.Canceled:
		return true
	}
	return false
}

// clear makes tasks wait as if they had not been done. What is under way is
// ended first, and waits then.
func (r *Run) clear(c Clear, now time.Time) {
	picked := r.picked(c)
	r.reopen(now)
	for _, i := range picked {
		t := &r.tasks[i]
		switch s := t.State; {
		case s == flow.Waiting:
		case s == flow.Stopping:
			t.Cause, t.Reason = flow.ByClear, "the task was cleared"
			r.touch(i, now)
		case s.Live():
			t.Cause, t.Reason = flow.ByClear, "the task was cleared"
			r.set(i, flow.Stopping, now)
			r.setDue(i, time.Time{})
		default:
			r.redo(i, now)
		}
	}
}

// picked returns the tasks that c names, in graph order.
func (r *Run) picked(c Clear) []int {
	var picked []int
	for _, id := range c.Tasks {
		picked = append(picked, r.index[id])
	}
	if c.Failed {
		for i := range r.tasks {
			if unhappy(r.tasks[i].State) {
				picked = append(picked, i)
			}
		}
	}
	if c.Downstream {
		picked = r.closure(picked)
	}
	slices.Sort(picked)
	return slices.Compact(picked)
}

// refolds refuses to do again what a task has unfolded for: it might unfold
// into something else, and what it has unfolded into is done already. A task
// that has unfolded is not done again by name, for it would only gather again.
func (r *Run) refolds(c Clear) error {
	if len(r.tasks) == len(r.graph.Nodes) {
		return nil // nothing has unfolded
	}
	for _, id := range c.Tasks {
		i := r.index[id]
		t := &r.tasks[i]
		if body := r.graph.Bodies[r.nodes[i].Unfolds]; t.Instances > 0 && len(body) > 0 {
			return flow.Errorf(flow.Conflict, "task %q has unfolded into %s, which stay: name the tasks within it that are to be done again, such as %q",
				id, count(t.Instances, "instance"), r.tasks[t.First].ID)
		}
	}
	picked := r.picked(c)
	for _, i := range picked {
		t := &r.tasks[i]
		if t.Instances == 0 {
			continue
		}
		for up := range r.ups(i) {
			if _, again := slices.BinarySearch(picked, up); again && up < t.First {
				return flow.Errorf(flow.Conflict, "task %q has unfolded into %s from what task %q gave; start the run anew to do that again",
					t.ID, count(t.Instances, "instance"), r.tasks[up].ID)
			}
		}
	}
	return nil
}

// undercuts refuses to take back the success of task i where another has
// unfolded from what it gave: nothing could be done again after it.
func (r *Run) undercuts(i int) error {
	if r.tasks[i].State != flow.Succeeded || len(r.tasks) == len(r.graph.Nodes) {
		return nil
	}
	around := map[int]bool{} // what it is within came before it
	for p := r.parent[i]; p >= 0; p = r.parent[p] {
		around[p] = true
	}
	for _, d := range r.closure(slices.Collect(r.waiters(i))) {
		if t := &r.tasks[d]; t.Instances > 0 && !around[d] {
			return flow.Errorf(flow.Conflict, "task %q has succeeded, and task %q has unfolded into %s from what it gave; start the run anew to have it otherwise",
				r.tasks[i].ID, t.ID, count(t.Instances, "instance"))
		}
	}
	return nil
}

// closure returns tasks and all that come after them.
func (r *Run) closure(from []int) []int {
	seen := make(map[int]bool, len(from))
	list := slices.Clone(from)
	for n := 0; n < len(list); n++ {
		i := list[n]
		if seen[i] {
			continue
		}
		seen[i] = true
		list = slices.AppendSeq(list, r.waiters(i))
	}
	return list
}

// redo makes a task that is not live wait anew, its retries whole again.
func (r *Run) redo(i int, now time.Time) {
	t := &r.tasks[i]
	if t.State.Final() {
		r.count(i, -1)
	}
	as := t.State
	if !as.Final() { // between two attempts
		as = flow.Failed
		if t.State == flow.Ready || t.State == flow.Resting || t.State == flow.Stopping {
			as = flow.Canceled
		}
	}
	switch {
	case t.Attempt > 0 && (!t.Started.IsZero() || !t.Ended.IsZero()):
		r.pass(i, as) // or it ended before its start was known: its number is taken
	default: // an attempt that never began is no past one
		t.Ended, t.Reason, t.Pokes, t.Mark, t.Cause = time.Time{}, "", 0, nil, ""
	}
	t.Base = max(t.Attempt-1, 0)
	t.Since = time.Time{}
	r.setDue(i, time.Time{})
	r.set(i, flow.Waiting, now)
	r.settle = append(r.settle, i)
}

// reopen lets a run that has ended go on, as a new one in the same place.
func (r *Run) reopen(now time.Time) {
	if !r.Final() {
		return
	}
	r.row.Started, r.row.Ended = now, time.Time{}
	r.row.Reason, r.row.Cause = "", ""
	r.enter(flow.Running)
	r.reopened = true
}

// markCause returns the cause under which an attempt is ended whose task is
// to be in state s.
func markCause(s flow.State) (flow.Cause, bool) {
	switch s {
	case flow.Succeeded:
		return flow.ByMarkSucceeded, true
	case flow.Failed:
		return flow.ByMarkFailed, true
	case flow.Skipped:
		return flow.ByMarkSkipped, true
	}
	return "", false
}

// decided reports whether a person has decided what becomes of an attempt
// that is being ended, so that its own word does not count.
func decided(c flow.Cause) bool {
	_, ok := markState(c)
	return ok || c == flow.ByClear
}

func markState(c flow.Cause) (flow.State, bool) {
	switch c {
	case flow.ByMarkSucceeded:
		return flow.Succeeded, true
	case flow.ByMarkFailed:
		return flow.Failed, true
	case flow.ByMarkSkipped:
		return flow.Skipped, true
	}
	return "", false
}

// mark decides a task's end. As in Airflow, what failed or was blocked after
// a task that is now good is done again.
func (r *Run) mark(id flow.TaskID, m Mark, now time.Time) {
	i := r.index[id]
	t := &r.tasks[i]
	cause, _ := markCause(m.State)
	r.reopen(now)
	if t.State.Live() {
		t.Cause, t.Reason = cause, marked(m.State)
		r.set(i, flow.Stopping, now)
		r.setDue(i, time.Time{})
		return
	}
	if t.State.Final() {
		r.count(i, -1)
	}
	r.setDue(i, time.Time{})
	r.decide(i, m.State, now)
}

func marked(s flow.State) string { return "marked " + string(s) + " by a person" }

// decide puts a task that is not live into the final state that a person
// chose.
func (r *Run) decide(i int, s flow.State, now time.Time) {
	t := &r.tasks[i]
	t.Reason, t.Cause, t.Mark = marked(s), "", nil
	if t.Ended.IsZero() && !t.Started.IsZero() {
		t.Ended = now
	}
	r.set(i, s, now)
	if s != flow.Succeeded || r.row.State == flow.Stopping {
		return // nothing is done again in a run that is being stopped
	}
	for _, d := range r.closure(slices.Collect(r.waiters(i))) {
		switch r.tasks[d].State {
		case flow.Failed, flow.TimedOut, flow.Blocked:
			r.redo(d, now)
		}
	}
}

// settleDecided ends an attempt about which a person has decided.
func (r *Run) settleDecided(i int, now time.Time) {
	t := &r.tasks[i]
	if t.Started.IsZero() {
		t.Started = now
	}
	t.Ended = now
	if s, ok := markState(t.Cause); ok {
		r.decide(i, s, now)
		return
	}
	r.redo(i, now)
}

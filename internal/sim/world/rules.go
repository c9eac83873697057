package world

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// A shape is a graph with what its tasks have unfolded into, as the judge
// reads it: he does not ask the engine.
type shape struct {
	nodes []flow.Node
	ups   [][]int // that a task waits for
	downs [][]int
}

// shapeOf returns the shape of a run that has these tasks.
func shapeOf(g *flow.Graph, tasks []flow.Task) shape {
	n := len(tasks)
	s := shape{nodes: make([]flow.Node, n), ups: make([][]int, n), downs: make([][]int, n)}
	level := func(first int, nodes []flow.Node) {
		for i := range nodes {
			s.nodes[first+i] = nodes[i]
			for _, up := range nodes[i].After {
				j := slices.IndexFunc(nodes, func(o flow.Node) bool { return o.ID == up })
				s.ups[first+i] = append(s.ups[first+i], first+j)
			}
		}
	}
	if n == 0 {
		return s // it has not begun
	}
	level(0, g.Nodes)
	var parents []int
	for i := range tasks {
		if tasks[i].Instances > 0 {
			parents = append(parents, i)
		}
	}
	slices.SortStableFunc(parents, func(a, b int) int { return tasks[a].First - tasks[b].First })
	for _, p := range parents {
		body := g.Bodies[s.nodes[p].Unfolds]
		for k := range tasks[p].Instances {
			first := tasks[p].First + k*len(body)
			level(first, body)
			for i := range body {
				s.ups[p] = append(s.ups[p], first+i)
			}
		}
	}
	for i, ups := range s.ups {
		for _, up := range ups {
			s.downs[up] = append(s.downs[up], i)
		}
	}
	return s
}

// after returns some tasks and, with them, all that come after.
func (s shape) after(some []int) map[int]bool {
	all := map[int]bool{}
	for len(some) > 0 {
		i := some[0]
		some = some[1:]
		if !all[i] {
			all[i] = true
			some = append(some, s.downs[i]...)
		}
	}
	return all
}

// obeys checks that a step does what its event asks for, and no more, by the
// judge's own reading of the rules.
func (w *World) obeys(step engine.Step, ev engine.Event, was flow.Run, before []flow.Task, r *engine.Run) {
	now, id := step.Run, step.Run.ID
	g := w.rows.graphs[now.Graph]
	tasks := r.Tasks()
	s := shapeOf(&g, tasks)
	w.runMoves(step, ev, was)
	for i := range tasks {
		t := &tasks[i]
		if most := s.nodes[i].Retries + 1; t.Attempt-t.Base > most {
			w.violate("run %s: %s is at attempt %d of %d", id, t.ID, t.Attempt-t.Base, most)
		}
		if t.Handle != "" && !t.State.Live() {
			w.violate("run %s: %s is %s and has the handle %s", id, t.ID, t.State, t.Handle)
		}
		if i >= len(before) {
			continue
		}
		b := &before[i]
		if t.Attempt > b.Attempt && b.Attempt > 0 {
			k := slices.IndexFunc(step.Past, func(a flow.Attempt) bool { return a.Task == t.ID && a.N == b.Attempt })
			if k < 0 {
				w.violate("run %s: %s goes from attempt %d to %d, and the first is not kept", id, t.ID, b.Attempt, t.Attempt)
			}
			w.delayed(id, ev, b, step.Past[k].Ended, s.nodes[i].Delay)
		}
		if b.State == flow.Stopping && t.Attempt == b.Attempt && (t.State == flow.Running || t.State == flow.Resting) {
			w.violate("run %s: %s is being ended, and goes on as %s", id, t.ID, t.State)
		}
		if b.State == flow.Ready && t.State == flow.Starting {
			w.inTurn(id, b, before, tasks)
		}
		if g.FailFast && was.State == flow.Running && b.State != t.State && now.State == flow.Running && !wish(ev) &&
			(t.State == flow.Failed || t.State == flow.TimedOut) {
			w.violate("run %s: %s is %s and the run goes on, which was to fail with its first task", id, t.ID, t.State)
		}
	}
	switch what := ev.What.(type) {
	case engine.Started:
		w.ofNow(id, ev, what.Attempt, before)
	case engine.Marked:
		w.ofNow(id, ev, what.Attempt, before)
	case engine.Ended:
		w.ofNow(id, ev, what.Attempt, before)
		w.endsAs(step, ev, was, before, tasks, s)
	case engine.Clear, engine.Mark:
		w.grants(step, ev, before, tasks, s)
	}
	if now.State.Final() && now.State != was.State {
		w.verdictOf(now, tasks, s)
	}
	w.expects(id, before, tasks)
}

// wish reports whether an event is a person's wish to have something done
// again, or otherwise.
func wish(ev engine.Event) bool {
	switch ev.What.(type) {
	case engine.Clear, engine.Mark:
		return true
	}
	return false
}

// runMoves checks how the run itself goes from state to state.
func (w *World) runMoves(step engine.Step, ev engine.Event, was flow.Run) {
	now := step.Run
	w.judge.stepAt[now.ID] = time.Since(w.epoch)
	if was.State.Final() && now.State != was.State {
		if !wish(ev) || !step.Reopens {
			w.violate("run %s has ended as %s, and %s makes it %s", now.ID, was.State, step.Entry.What, now.State)
		}
		if !same(now.Started, ev.At) {
			w.violate("run %s goes on at %s, as if it had done so since %s", now.ID, ev.At, now.Started)
		}
	}
	if now.State == flow.Running && was.State != flow.Running {
		w.judge.begunAt[now.ID] = time.Since(w.epoch)
	}
	if was.State == flow.Stopping && now.State != flow.Stopping && !now.State.Final() {
		w.violate("run %s was being stopped and is %s", now.ID, now.State)
	}
	most, known := w.longest(now.ID)
	if !known || most == 0 || was.State != flow.Running || now.Cause == was.Cause && now.State.Final() {
		return
	}
	over := ev.At.Sub(now.Started.Add(most))
	if over > time.Second && now.State == flow.Running { // no step comes before, so near to the end
		w.violate("run %s goes on for %s longer than the %s that it may take", now.ID, over, most)
	}
	if over < -time.Second && now.Cause == flow.ByTimeout {
		w.violate("run %s is ended %s before its time of %s is over", now.ID, -over, most)
	}
	if now.Cause == flow.ByTimeout && w.quietSince(now.Started.Add(most)) && over > promptly {
		w.violate("run %s is ended %s after its time was over", now.ID, over)
	}
}

// promptly is how late something may be that is due while there is no trouble.
const promptly = 5 * time.Second

// quietSince reports whether nothing has hindered a server from doing what was
// due at a moment: none was away, no write slow, no clock set, nothing paused.
func (w *World) quietSince(due time.Time) bool {
	from := due.Add(-time.Minute)
	return w.up.Before(from) && w.trouble.Before(from) && w.owing == 0 && w.clients.pauses == 0 && !w.jumps
}

// delayed checks that a task whose attempt has ended is tried again when it is
// due.
func (w *World) delayed(id flow.RunID, ev engine.Event, b *flow.Task, ended time.Time, delay time.Duration) {
	if wish(ev) || w.judge.back > 0 || b.State == flow.Stopping && b.Cause != flow.ByTimeout {
		return
	}
	if b.State.Final() && ev.Task != b.ID {
		return // another was marked, and what it blocked is done again once its attempt has ended
	}
	due := micro(ended).Add(delay)
	if early := due.Sub(ev.At); early > time.Microsecond {
		w.violate("run %s: %s is tried again %s before its delay of %s is over", id, b.ID, early, delay)
	}
	if late := ev.At.Sub(due); late > promptly && b.State == flow.Retrying && b.Modified.Before(due.Add(-time.Minute)) && w.quietSince(due) {
		w.violate("run %s: %s is tried again %s late", id, b.ID, late)
	}
}

// inTurn checks that a slot goes to the task that has waited longest for one.
func (w *World) inTurn(id flow.RunID, b *flow.Task, before, tasks []flow.Task) {
	for i := range before {
		o := &before[i]
		if o.State == flow.Ready && tasks[i].State == flow.Ready && same(o.Modified, tasks[i].Modified) && o.Modified.UnixMicro() < b.Modified.UnixMicro() {
			w.violate("run %s: %s has a slot, and %s has waited longer for one", id, b.ID, o.ID)
		}
	}
}

// ofNow checks that news changes something only if it is of the attempt that is
// under way.
func (w *World) ofNow(id flow.RunID, ev engine.Event, attempt int, before []flow.Task) {
	for i := range before {
		if before[i].ID == ev.Task && before[i].Attempt != attempt {
			w.violate("run %s: attempt %d of %s is at work, and news of attempt %d counts", id, before[i].Attempt, ev.Task, attempt)
		}
	}
}

// endsAs checks what becomes of a task whose attempt has ended.
func (w *World) endsAs(step engine.Step, ev engine.Event, was flow.Run, before, tasks []flow.Task, s shape) {
	i := slices.IndexFunc(before, func(t flow.Task) bool { return t.ID == ev.Task })
	if i < 0 {
		return // which recordedOnce says
	}
	b, t, e, node := &before[i], &tasks[i], ev.What.(engine.Ended), &s.nodes[i]
	w.truly(step.Run.ID, b, e, node)
	if b.State == flow.Stopping {
		switch b.Cause {
		case flow.ByStop, flow.ByTimeout:
		default:
			return // a person has decided
		}
	}
	bad := func(want flow.State) {
		w.violate("run %s: %s was %s (%s) and ended with %s, and is %s, not %s", step.Run.ID, b.ID, b.State, b.Cause, e.Verdict, t.State, want)
	}
	verdict := e.Verdict
	if b.State == flow.Stopping && verdict != flow.Success {
		if b.Cause == flow.ByStop {
			if t.State != flow.Canceled {
				bad(flow.Canceled)
			}
			return
		}
		verdict = flow.Timeout
	}
	for key, value := range e.Outputs {
		if !slices.ContainsFunc(step.Outputs, func(o flow.Output) bool {
			return o.Task == t.ID && o.Attempt == e.Attempt && o.Key == key && bytes.Equal(o.Value, value)
		}) && verdict != flow.Rest {
			w.violate("run %s: %s gives %s, which is not kept", step.Run.ID, t.ID, key)
		}
	}
	again := t.State == flow.Canceled && step.Run.State != flow.Running // the same step has stopped the run
	want := flow.State("")
	switch verdict {
	case flow.Success:
		want = flow.Succeeded
	case flow.Skip:
		want = flow.Skipped
	case flow.Fatal:
		want = flow.Failed
	case flow.Rest:
		again = again || t.Attempt == b.Attempt && t.Pokes == b.Pokes+1 && (t.State == flow.Resting || t.State == flow.Ready || t.State == flow.Starting)
	case flow.Unfold:
		if node.Unfolds == "" || b.Instances > 0 || e.Instances < 1 {
			want = flow.Failed
		} else {
			again = true // the tasks that it has unfolded into say what it is
		}
	default:
		switch {
		case b.Attempt-b.Base <= node.Retries && was.State != flow.Stopping:
			again = again || t.Attempt == b.Attempt && t.State == flow.Retrying || t.Attempt == b.Attempt+1
			want = flow.Retrying
		case verdict == flow.Timeout:
			want = flow.TimedOut
		default:
			want = flow.Failed
		}
		if want != flow.Retrying {
			again = false
		}
	}
	if t.State != want && !again {
		bad(want)
	}
}

// lostSight begins the reason of what is recorded of an attempt that the driver
// could not see through.
const lostSight = "The attempt could not be carried out: "

// truly checks that what is recorded of a process is what was said of it.
func (w *World) truly(id flow.RunID, b *flow.Task, e engine.Ended, node *flow.Node) {
	pr := w.processes[fmt.Sprintf("%s/%s#%d", id, b.ID, e.Attempt)]
	if pr == nil || node.Kind != "command" || e.Verdict == flow.Lost && strings.HasPrefix(e.Reason, lostSight) || w.cfg.Broken == "deaf driver" {
		return
	}
	if !pr.said[e.Verdict] {
		w.violate("run %s: attempt %d of %s is recorded to have ended with %s, which nobody has said", id, e.Attempt, b.ID, e.Verdict)
	}
}

// grants checks that a wish is met, whole.
func (w *World) grants(step engine.Step, ev engine.Event, before, tasks []flow.Task, s shape) {
	changed := map[flow.TaskID]bool{}
	for i := range step.Tasks {
		changed[step.Tasks[i].ID] = true
	}
	index := func(id flow.TaskID) int {
		return slices.IndexFunc(tasks, func(t flow.Task) bool { return t.ID == id })
	}
	var may map[int]bool // that may leave a final state
	switch what := ev.What.(type) {
	case engine.Clear:
		var picked []int
		for _, id := range what.Tasks {
			picked = append(picked, index(id))
		}
		for i := range before {
			switch before[i].State {
			case flow.Failed, flow.TimedOut, flow.Blocked, flow.Canceled:
				if what.Failed {
					picked = append(picked, i)
				}
			}
		}
		may = s.after(picked)
		if !what.Downstream {
			may = map[int]bool{}
			for _, i := range picked {
				may[i] = true
			}
		}
		for i := range may {
			if before[i].State != flow.Waiting && !changed[before[i].ID] {
				w.violate("run %s: %s is %s and was to be done again", step.Run.ID, before[i].ID, before[i].State)
			}
		}
	case engine.Mark:
		m := index(ev.Task)
		if t := &tasks[m]; t.State != what.State && t.State != flow.Stopping {
			w.violate("run %s: %s is marked %s and is %s", step.Run.ID, t.ID, what.State, t.State)
		}
		may = map[int]bool{m: true}
		if what.State == flow.Succeeded && tasks[m].State == flow.Succeeded {
			may = s.after([]int{m})
			for i := range may {
				switch b := &before[i]; b.State {
				case flow.Failed, flow.TimedOut, flow.Blocked:
					if !changed[b.ID] {
						w.violate("run %s: %s is marked succeeded, and %s after it stays %s", step.Run.ID, ev.Task, b.ID, b.State)
					}
				}
			}
		}
	}
	for i := range before {
		if before[i].State.Final() && !may[i] && !sameTask(&before[i], &tasks[i]) {
			w.violate("run %s: nobody wishes that %s, which was %s, is %s", step.Run.ID, tasks[i].ID, before[i].State, tasks[i].State)
		}
	}
}

// verdictOf checks what a run has ended as.
func (w *World) verdictOf(now flow.Run, tasks []flow.Task, s shape) {
	if strings.HasPrefix(now.Reason, "deadlock") {
		w.violate("run %s: %s", now.ID, now.Reason)
	}
	want := flow.Succeeded
	for i := range tasks {
		switch tasks[i].State {
		case flow.Failed, flow.TimedOut, flow.Blocked, flow.Canceled:
			if len(s.downs[i]) == 0 || w.set.Strict {
				want = flow.Failed
			}
		}
	}
	switch now.Cause {
	case flow.ByStop:
		want = flow.Canceled
	case flow.ByTimeout:
		want = flow.TimedOut
	case flow.ByFailure:
		want = flow.Failed
	}
	if now.State != want {
		w.violate("run %s has ended as %s, and its tasks make it %s:%s", now.ID, now.State, want, tasksText(tasks))
	}
}

// A stretch is what a task waits for that waits for a moment, in time that
// nobody sets.
type stretch struct {
	from time.Duration // since the world began
	wait time.Duration
}

// expects notes how long tasks wait that wait for a moment.
func (w *World) expects(id flow.RunID, before, tasks []flow.Task) {
	j := &w.judge
	for i := range tasks {
		t := &tasks[i]
		k := stretchKey(id, t)
		switch {
		case t.Due.IsZero():
			delete(j.stretches, k)
		case i >= len(before) || before[i].State != t.State || before[i].Pokes != t.Pokes || before[i].Attempt != t.Attempt:
			j.stretches[k] = stretch{time.Since(w.epoch), t.Due.Sub(t.Modified)}
		}
	}
}

func stretchKey(id flow.RunID, t *flow.Task) string {
	return fmt.Sprintf("%s/%s#%d.%d", id, t.ID, t.Attempt, t.Pokes)
}

// forgets notes what a server that starts cannot know of a clock that was set
// back since a run's latest step: how much of the time since then has passed.
func (w *World) forgets() {
	j, now := &w.judge, time.Now()
	for id, at := range j.stepAt {
		r := w.rows.runs[id]
		if r == nil || r.row.State.Final() {
			continue
		}
		lost := time.Since(w.epoch) - at - max(now.Sub(r.row.Modified), 0)
		if lost <= 0 {
			continue
		}
		j.stepAt[id] += lost // it is noted once
		j.begunAt[id] += lost
		for i := range r.tasks {
			k := stretchKey(id, &r.tasks[i])
			if s, ok := j.stretches[k]; ok {
				s.from += lost
				j.stretches[k] = s
			}
		}
	}
}

// overstays says by how much a task has waited longer than it was to, by a
// clock that nobody sets.
func (w *World) overstays(id flow.RunID, t *flow.Task) time.Duration {
	s, ok := w.judge.stretches[stretchKey(id, t)]
	if !ok || t.Due.IsZero() {
		return 0
	}
	return time.Since(w.epoch) - s.from - max(s.wait, 0)
}

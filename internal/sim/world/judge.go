package world

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
)

// A judge knows what was promised, from what was acknowledged and from rules
// of its own, and looks at each write.
type judge struct {
	report Report
	// replays are the runs as their journals tell them.
	replays map[flow.RunID]*engine.Run
	// saved is the last revision of each run that a save acknowledged.
	saved  map[flow.RunID]int64
	ends   map[string]int // recorded ends by attempt
	starts map[flow.RunID]flow.Run
	tokens map[string]flow.RunID
	stops  map[flow.RunID]bool
	slots  map[string]bool
	// wishes are acknowledged clears and marks, by who asked.
	wishes map[string]flow.RunID
	// reopened are runs that went on after their end.
	reopened map[flow.RunID]bool
	paused   map[flow.WorkflowID]bool // acknowledged
	// unscheduled are versions that had no schedule at the last look, and since when.
	unscheduled map[flow.VersionID]time.Time
	// begunAt is when runs began, or went on, in time that nobody sets.
	begunAt map[flow.RunID]time.Duration
	// stepAt is when a run's latest step was saved, in the same time, as far as
	// servers can tell.
	stepAt map[flow.RunID]time.Duration
	// bounds are how long a run might take at each of its revisions, as far as
	// that made a difference.
	bounds map[flow.RunID]map[int64]time.Duration
	// stretches are how long tasks wait that wait for a moment.
	stretches map[string]stretch
	// wishRevs are the revisions at which a run's tasks were cleared or marked;
	// epochs is how many of these there were at each epoch of a run.
	wishRevs map[flow.RunID][]int64
	epochs   map[epoch]int
	// pausedAt is since when what is paused is so.
	pausedAt map[flow.WorkflowID]time.Time
	// back is how far the wall clock has ever gone back.
	back time.Duration
}

// An epoch of a run, on one server.
type epoch struct {
	server int
	run    flow.RunID
	n      int64
}

func (j *judge) init() {
	j.begunAt, j.stepAt = map[flow.RunID]time.Duration{}, map[flow.RunID]time.Duration{}
	j.bounds = map[flow.RunID]map[int64]time.Duration{}
	j.stretches, j.wishRevs, j.epochs, j.pausedAt = map[string]stretch{}, map[flow.RunID][]int64{}, map[epoch]int{}, map[flow.WorkflowID]time.Time{}
	j.replays, j.saved, j.ends = map[flow.RunID]*engine.Run{}, map[flow.RunID]int64{}, map[string]int{}
	j.starts, j.tokens, j.stops = map[flow.RunID]flow.Run{}, map[string]flow.RunID{}, map[flow.RunID]bool{}
	j.slots, j.wishes, j.reopened, j.paused = map[string]bool{}, map[string]flow.RunID{}, map[flow.RunID]bool{}, map[flow.WorkflowID]bool{}
}

func (j *judge) jumped(by time.Duration) {
	if by < 0 {
		j.back -= by
	}
}

// inserted is told a run as it is first saved.
func (w *World) inserted(r flow.Run) {
	j := &w.judge
	j.report.Runs++
	g := w.rows.graphs[r.Graph]
	j.replays[r.ID] = engine.New(r, &g, engine.Options{Strict: w.set.Strict})
	j.bounds[r.ID] = map[int64]time.Duration{}
	w.say("run %s of %s %s is saved", r.ID, r.Workflow, r.Version)
}

// saved is told steps as they become durable: it replays them and looks at
// what no step may do.
func (w *World) saved(s *server, steps []engine.Step) {
	j := &w.judge
	for _, step := range steps {
		j.report.Saves++
		id := step.Run.ID
		w.say("server %d: run %s rev %d %s %s %s: %s%s", s.n, id, step.Run.Rev, step.Entry.What, step.Entry.Task, clip(step.Entry.Detail), step.Run.State, tasksText(step.Tasks))
		if step.Entry.What == "buried" {
			w.violate("run %s was buried: %s", id, step.Run.Reason)
		}
		e := step.Entry
		e.At = micro(e.At)
		ev, err := engine.EventOf(e)
		if err != nil {
			w.violate("the journal cannot be read: %v", err)
		}
		r := j.replays[id]
		before := r.Tasks()
		if end, ok := ev.What.(engine.Ended); ok && end.Verdict != flow.Rest && end.Verdict != flow.Unfold {
			w.recordedOnce(id, ev, before)
		}
		was := r.Row()
		wasBegun := !was.Started.IsZero()
		j.bounds[id][step.Run.Rev] = boundOf(step)
		r.Bound(boundOf(step))
		replayed, changed, err := r.Apply(ev)
		if err != nil || !changed {
			w.violate("replaying revision %d of run %s: changed %v, %v", step.Run.Rev, id, changed, err)
		}
		if !sameRun(replayed.Run, step.Run) {
			w.violate("replaying revision %d of run %s gives %+v, saved was %+v", step.Run.Rev, id, trimRun(replayed.Run), trimRun(step.Run))
		}
		if len(replayed.Past) != len(step.Past) || len(replayed.Outputs) != len(step.Outputs) || len(replayed.Entry.Moves) != len(step.Entry.Moves) {
			w.violate("replaying revision %d of run %s gives other attempts, outputs or moves: %+v %+v %+v, saved were %+v %+v %+v", step.Run.Rev, id,
				replayed.Past, replayed.Outputs, replayed.Entry.Moves, step.Past, step.Outputs, step.Entry.Moves)
		}
		if !sameTasks(replayed.Tasks, step.Tasks) {
			w.violate("replaying revision %d of run %s gives%s, saved was%s", step.Run.Rev, id, whole(replayed.Tasks), whole(step.Tasks))
		}
		if step.Reopens {
			j.reopened[id] = true
			delete(j.stops, id)
		}
		w.legal(id, ev, before, r)
		w.obeys(step, ev, was, before, r)
		if wish(ev) {
			j.wishRevs[id] = append(j.wishRevs[id], step.Run.Rev)
		}
		if !wasBegun && !step.Run.Started.IsZero() && !j.reopened[id] {
			w.admitted(step.Run)
		}
	}
}

// clip bounds a line.
func clip(text []byte) []byte { return text[:min(len(text), 120)] }

// recordedOnce checks that no attempt ends twice.
func (w *World) recordedOnce(id flow.RunID, ev engine.Event, before []flow.Task) {
	i := slices.IndexFunc(before, func(t flow.Task) bool { return t.ID == ev.Task })
	if i < 0 || !before[i].State.Live() {
		w.violate("run %s: the end of %s is recorded, which is not under way", id, ev.Task)
	}
	k := fmt.Sprintf("%s/%s#%d", id, ev.Task, ev.What.(engine.Ended).Attempt)
	if w.judge.ends[k]++; w.judge.ends[k] > 1 {
		w.violate("the end of %s is recorded %d times", k, w.judge.ends[k])
	}
}

// sameRun compares rows as the store keeps them.
func sameRun(a, b flow.Run) bool {
	return a.ID == b.ID && a.State == b.State && a.Rev == b.Rev && a.Reason == b.Reason && a.Cause == b.Cause && a.Held == b.Held &&
		same(a.Started, b.Started) && same(a.Ended, b.Ended) && same(a.Modified, b.Modified)
}

func same(a, b time.Time) bool { return a.UnixMicro() == b.UnixMicro() }

// sameTasks compares rows as the store keeps them, in whatever order.
func sameTasks(a, b []flow.Task) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		j := i
		if a[i].Index != b[j].Index {
			j = slices.IndexFunc(b, func(t flow.Task) bool { return t.Index == a[i].Index })
		}
		if j < 0 || !sameTask(&a[i], &b[j]) {
			return false
		}
	}
	return true
}

func sameTask(a, b *flow.Task) bool {
	return a.ID == b.ID && a.Kind == b.Kind && a.State == b.State && a.Attempt == b.Attempt && a.Base == b.Base && a.Pokes == b.Pokes &&
		a.Handle == b.Handle && a.Reason == b.Reason && a.Cause == b.Cause && string(a.Mark) == string(b.Mark) && a.Instances == b.Instances && a.First == b.First &&
		same(a.Due, b.Due) && same(a.Since, b.Since) && same(a.Started, b.Started) && same(a.Ended, b.Ended) && same(a.Modified, b.Modified)
}

// whole is all of some rows.
func whole(tasks []flow.Task) string {
	text := ""
	for _, t := range tasks {
		text += fmt.Sprintf("\n  %+v", trimTask(t))
	}
	return text
}

// tasksText is rows for a person to read, in the order of the graph.
func tasksText(tasks []flow.Task) string {
	tasks = slices.Clone(tasks)
	slices.SortFunc(tasks, func(a, b flow.Task) int { return a.Index - b.Index })
	b := make([]byte, 0, 256)
	for i := range tasks {
		t := &tasks[i]
		b = append(append(append(append(b, ' '), t.ID...), '='), t.State...)
		if t.Attempt > 0 {
			b = strconv.AppendInt(append(b, '#'), int64(t.Attempt), 10)
		}
		if t.Pokes > 0 {
			b = strconv.AppendInt(append(b, '.'), int64(t.Pokes), 10)
		}
		if !t.Due.IsZero() {
			b = t.Due.UTC().AppendFormat(append(b, '@'), "15:04:05.000000")
		}
	}
	return string(b)
}

// legal checks what no step may do.
func (w *World) legal(id flow.RunID, ev engine.Event, before []flow.Task, r *engine.Run) {
	wished := false // a person's wish, or an end that a person has decided
	switch ev.What.(type) {
	case engine.Clear, engine.Mark:
		wished = true
	case engine.Ended:
		i := slices.IndexFunc(before, func(t flow.Task) bool { return t.ID == ev.Task })
		wished = i >= 0 && before[i].Cause != "" && before[i].Cause != flow.ByStop && before[i].Cause != flow.ByTimeout
	}
	paused := w.judge.paused[""] || w.judge.paused[r.Row().Workflow]
	g := w.rows.graphs[r.Row().Graph]
	live := 0
	for i, t := range r.Tasks() {
		if i < len(before) {
			if was := before[i]; was.State.Final() && was.State != t.State && !wished {
				w.violate("run %s: %s leaves its final state %s for %s", id, t.ID, was.State, t.State)
			} else if was.State.Final() && !wished && !sameTask(&was, &t) {
				w.violate("run %s: %s has ended, and its row goes from%s to%s", id, t.ID, whole(before[i:i+1]), whole([]flow.Task{t}))
			} else if t.Attempt < was.Attempt || t.Attempt > was.Attempt+1 {
				w.violate("run %s: %s goes from attempt %d to %d", id, t.ID, was.Attempt, t.Attempt)
			}
		}
		if paused && t.State == flow.Starting && (i >= len(before) || before[i].State != t.State) {
			w.violate("run %s: %s is started while the workflow is paused", id, t.ID)
		}
		if t.State.Live() {
			live++
		}
		if r.Final() && !t.State.Final() {
			w.violate("run %s has ended and %s is %s", id, t.ID, t.State)
		}
	}
	if row := r.Row(); r.Begun() && !r.Final() && !row.Held && live == 0 && r.Wake().IsZero() {
		w.violate("run %s is %s and waits for nothing:%s", id, row.State, tasksText(r.Tasks()))
	}
	if g.MaxActive > 0 && live > g.MaxActive {
		w.violate("run %s: %d tasks hold a slot, at most %d may", id, live, g.MaxActive)
	}
}

// admitted checks the limits when a run has begun. Runs are let in in another
// order than their beginning is saved, and versions differ in their limits: of
// those whose limit is no higher than this one's, no more than that may be
// under way, whoever came last.
func (w *World) admitted(r flow.Run) {
	limit := func(r flow.Run) int {
		v, err := w.rows.Version(r.Workflow, r.Version)
		if err != nil || v.MaxRuns == 0 {
			return math.MaxInt
		}
		return v.MaxRuns
	}
	most := limit(r)
	all, ofWorkflow := 0, 0
	for _, other := range w.rows.runs {
		if o := other.row; !o.State.Final() && !o.Started.IsZero() && !w.judge.reopened[o.ID] {
			all++
			if o.Workflow == r.Workflow && limit(o) <= most {
				ofWorkflow++
			}
		}
	}
	if w.set.MaxRunning > 0 && all > w.set.MaxRunning {
		w.violate("run %s begins: %d are under way, at most %d may be", r.ID, all, w.set.MaxRunning)
	}
	w.groupAdmits(r)
	if ofWorkflow > most {
		w.violate("run %s begins: %d of %s are under way, at most %d may be", r.ID, ofWorkflow, r.Workflow, most)
	}
}

// acknowledged is told steps that a save has answered for.
func (w *World) acknowledged(steps []engine.Step) {
	for _, s := range steps {
		w.judge.saved[s.Run.ID] = max(w.judge.saved[s.Run.ID], s.Run.Rev)
	}
	w.durable(steps[len(steps)-1].Run.ID)
}

// durable checks that what was acknowledged is there.
func (w *World) durable(id flow.RunID) {
	r := w.rows.runs[id]
	if r == nil {
		return
	}
	if want := w.judge.saved[id]; r.row.Rev < want {
		w.violate("run %s is at revision %d, and %d was acknowledged", id, r.row.Rev, want)
	}
}

// told is the conductor's word that a step is saved.
func (w *World) told(s *server, step engine.Step) {
	if s.dead {
		return
	}
	if r := w.rows.runs[step.Run.ID]; r != nil && r.row.Rev < step.Run.Rev {
		w.violate("run %s: a step is told before it is saved", step.Run.ID)
	}
}

// task returns a task's durable row.
func (w *World) task(a lang.Attempt) (flow.Task, bool) {
	if r := w.rows.runs[a.Run.ID]; r != nil {
		return r.task(a.Task.Index)
	}
	return flow.Task{}, false
}

// performed checks that nothing is done about what is not saved.
func (w *World) performed(s *server, a lang.Attempt) {
	t, ok := w.task(a)
	if !ok || t.Attempt < a.Task.Attempt {
		w.violate("attempt %s is performed and not saved: the task is %s#%d", key(a), t.State, t.Attempt)
	}
	wishes := 0
	for _, rev := range w.judge.wishRevs[a.Run.ID] {
		if rev <= a.Run.Rev {
			wishes++
		}
	}
	e := epoch{s.n, a.Run.ID, a.Epoch}
	if n, ok := w.judge.epochs[e]; ok && n != wishes {
		w.violate("attempt %s is performed in the same epoch as one before the last wish", key(a))
	}
	w.judge.epochs[e] = wishes
}

// begun checks that a process begins for an attempt that is under way.
func (w *World) begun(id string, a lang.Attempt) {
	if t, ok := w.task(a); !ok || t.Attempt != a.Task.Attempt || !t.State.Live() {
		w.violate("attempt %s begins, and the task is %s#%d", id, t.State, t.Attempt)
	}
}

// forgotten checks that an attempt that is let go has been recorded.
func (w *World) forgotten(a lang.Attempt) {
	if t, ok := w.task(a); ok && t.Attempt == a.Task.Attempt && t.Pokes == a.Task.Pokes && t.Instances == a.Task.Instances && t.State.Live() {
		w.violate("attempt %s is let go and its end is not saved: the task is %s", key(a), t.State)
	}
}

// startAcknowledged is told what a client was told.
func (j *judge) startAcknowledged(w *World, tok flow.Token, r flow.Run) {
	if old, ok := j.tokens[tok.Key]; ok && tok.Key != "" && old != r.ID {
		w.violate("one token made %s and %s", old, r.ID)
	}
	j.tokens[tok.Key] = r.ID
	j.starts[r.ID] = r
	if w.rows.runs[r.ID] == nil && !w.doomed[r.Workflow] {
		w.violate("the start of run %s was acknowledged and is not saved", r.ID)
	}
}

func (j *judge) stopAcknowledged(w *World, r flow.Run) {
	if !r.State.Final() && r.State != flow.Stopping && !j.reopened[r.ID] { // a clear can follow at once
		w.violate("the stop of run %s was acknowledged, and it is %s", r.ID, r.State)
	}
	if r.State == flow.Stopping && r.Cause == flow.ByStop {
		j.stops[r.ID] = true
	}
}

// wishAcknowledged notes that a wish was granted. One that changed nothing,
// such as clearing a task that waits, leaves no entry.
func (j *judge) wishAcknowledged(w *World, id flow.RunID, by string) {
	if r := w.rows.runs[id]; r != nil && r.journaled(by) {
		j.wishes[by] = id
	}
}

func (r *run) journaled(by string) bool {
	return slices.ContainsFunc(r.journal, func(e flow.Entry) bool { return strings.Contains(string(e.Detail), `"By":"`+by+`"`) })
}

// once checks that a slot has one run.
func (w *World) once(r flow.Run) {
	k := fmt.Sprintf("%s %d", r.Workflow, r.Logical.UnixMicro())
	if w.judge.slots[k] {
		w.violate("%s has two runs for %s", r.Workflow, r.Logical)
	}
	w.judge.slots[k] = true
}

func (w *World) scheduleOf(wf flow.WorkflowID) schedule {
	if row := w.rows.workflows[wf]; row != nil && row.schedule != nil {
		return *row.schedule
	}
	return schedule{}
}

// scheduled checks the first fire of a version.
func (w *World) scheduled(wf flow.WorkflowID, id flow.VersionID, next, asked time.Time) {
	w.say("schedule of %s %s: next %s", wf, id, next.UTC().Format(time.RFC3339))
	v, err := w.rows.Version(wf, id)
	if err != nil || v.Schedule == nil || next.IsZero() {
		return
	}
	// It is the first after the moment that the conductor took for now, which
	// was before it asked.
	if slot, err := conductor.NextFire(v.Schedule, next.Add(-time.Microsecond)); err != nil || !slot.Equal(next) {
		w.violate("%s is set to fire at %s, which is no slot of %q", wf, next, v.Schedule.Expr)
	}
	if last, err := conductor.NextFire(v.Schedule, asked); err == nil && !last.IsZero() && next.After(last) {
		w.violate("%s is set to fire at %s first; %s is sooner", wf, next, last)
	}
}

// fired checks that slots are neither fired twice nor passed over.
func (w *World) fired(wf flow.WorkflowID, was schedule, next time.Time, r *flow.Run, fired bool, asked time.Time) {
	w.say("schedule of %s: from %s to %s, run %v, fired %v", wf, was.next.Format(time.RFC3339), next.UTC().Format(time.RFC3339), r != nil, fired)
	if !fired {
		return
	}
	w.judge.report.Fires++
	if r != nil {
		w.inserted(trimRun(*r))
		w.once(*r)
	}
	v, err := w.rows.Version(wf, was.version)
	if err != nil || v.Schedule == nil {
		return
	}
	// Of the slots that are passed over, each but the last was followed by
	// another in the past; the last fires unless it is too late or the
	// workflow is full.
	slot := was.next
	for n := 0; n < 10_000; n++ {
		after, err := conductor.NextFire(v.Schedule, slot)
		if err != nil {
			w.violate("%s: %v", wf, err)
		}
		if after.Equal(next) || after.IsZero() {
			break
		}
		if after.After(asked) || !next.IsZero() && after.After(next) {
			w.violate("%s goes from %s to %s and passes over %s, which is not past", wf, was.next, next, after)
		}
		slot = after
	}
	if r != nil && !r.Logical.Equal(slot) {
		w.violate("%s fires for %s, the last slot was %s", wf, r.Logical, slot)
	}
	if late := asked.Sub(slot); r != nil && late > w.set.Grace+time.Minute && !w.jumps {
		w.violate("%s fires for %s, %s late", wf, slot, late)
	}
	for _, what := range []flow.WorkflowID{"", wf} {
		if since, ok := w.judge.pausedAt[what]; ok && w.judge.paused[what] && r != nil && since.Before(asked.Add(-time.Second)) {
			w.violate("%s fires for %s, and %q is paused", wf, slot, what)
		}
	}
	if r == nil && asked.Sub(slot) <= w.set.Grace && w.set.MaxWorkflow == 0 && w.clients.pauses == 0 {
		w.violate("%s does not fire at %s, %s ago", wf, slot, asked.Sub(slot))
	}
}

// watch looks now and then whether anything is stuck.
func (w *World) watch(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Minute):
		}
		w.look(ctx)
	}
}

// idle is how long a server without trouble may take to see to something.
const idle = 3 * time.Minute

// look checks that everything open has somebody who sees to it.
func (w *World) look(ctx context.Context) {
	s, c := w.server, w.c
	if s == nil || s.broken != nil || w.owing > 0 || time.Since(w.trouble) < idle || time.Since(w.up) < idle {
		return
	}
	now := time.Now()
	active := c.Active("")
	inside := 0
	for _, r := range w.rows.Unfinished() {
		if !r.Started.IsZero() {
			inside++
		}
	}
	for _, r := range w.rows.Unfinished() {
		if now.Sub(r.Created) > idle && !slices.Contains(active, r.ID) {
			w.violate("run %s is %s and nobody sees to it", r.ID, r.State)
		}
		w.waits(r, inside, now)
		w.says(ctx, r, now)
	}
	for _, f := range w.rows.DueSchedules(now.Add(-idle), 10) {
		w.violate("%s was due at %s and has not fired", f.Workflow, f.At)
	}
	missing := map[flow.VersionID]time.Time{}
	for _, v := range w.rows.Unscheduled() {
		since, seen := w.judge.unscheduled[v.ID]
		if !seen {
			since = now
		}
		missing[v.ID] = since
		if now.Sub(since) > 5*idle { // the server looks for such every ten minutes
			w.violate("%s of %s has no schedule yet", v.ID, v.Workflow)
		}
	}
	w.judge.unscheduled = missing
}

// waits checks that an open run can name what it waits for.
func (w *World) waits(r flow.Run, inside int, now time.Time) {
	if most, known := w.longest(r.ID); known && most > 0 && r.State == flow.Running {
		if late := time.Since(w.epoch) - w.judge.begunAt[r.ID] - most; late > 2*idle {
			w.violate("run %s goes on, and its time of %s has been over for %s", r.ID, most, late)
		}
	}
	for _, t := range w.rows.runs[r.ID].tasks {
		if late := w.overstays(r.ID, &t); late > 2*idle && !r.Held {
			w.violate("run %s: %s is %s for %s longer than it was to be", r.ID, t.ID, t.State, late)
		}
	}
	if now.Sub(r.Modified) < idle || r.Modified.After(now) {
		return
	}
	if r.Started.IsZero() && r.State != flow.Stopping {
		v, err := w.rows.Version(r.Workflow, r.Version)
		if w.set.MaxRunning == 0 && err == nil && v.MaxRuns == 0 && !w.somePause() && w.groupLimit(r.ID) == 0 {
			w.violate("run %s is %s, and there is no limit that holds it", r.ID, r.State)
		}
		return
	}
	if r.Held {
		if !w.somePause() {
			w.violate("run %s is held, and nothing is paused", r.ID)
		}
		return
	}
	g := w.rows.graphs[r.Graph]
	live, waiting := 0, ""
	for _, t := range w.rows.runs[r.ID].tasks {
		switch {
		case t.State.Live():
			live++
		case t.State == flow.Retrying || t.State == flow.Resting:
			if late := now.Sub(t.Due); late > idle {
				w.violate("run %s: %s is %s and due %s ago", r.ID, t.ID, t.State, late)
			}
			waiting = "due"
		}
		if t.State == flow.Running && !t.Due.IsZero() && now.Sub(t.Due) > idle {
			w.violate("run %s: %s should have been ended %s ago", r.ID, t.ID, now.Sub(t.Due))
		}
	}
	if live == 0 && waiting == "" {
		w.violate("run %s is %s and waits for nothing", r.ID, r.State)
	}
	if g.MaxActive == 0 || live < g.MaxActive {
		for _, t := range w.rows.runs[r.ID].tasks {
			if t.State == flow.Ready {
				w.violate("run %s: %s is ready and has no slot, with %d of %d taken", r.ID, t.ID, live, g.MaxActive)
			}
		}
	}
}

// maxNamed is how many tasks the server is asked about at once, which no run of
// these worlds has.
const maxNamed = 10_000

// says checks that the server can name the gate that holds an open run in
// which nothing has happened for a while, and each of its tasks, and that it
// is so.
func (w *World) says(ctx context.Context, r flow.Run, now time.Time) {
	s, c := w.server, w.c
	if s == nil || now.Sub(r.Modified) < idle || r.Modified.After(now) {
		return
	}
	var run flow.Wait
	var tasks []conductor.TaskWait
	err := w.ask(s, func() (err error) {
		run, tasks, _, err = c.Waits(ctx, r.ID, maxNamed)
		return err
	})
	row := w.rows.runs[r.ID]
	if err != nil || row == nil || row.row.Rev != r.Rev || w.server != s {
		return // something has happened after all
	}
	if run.Gate == flow.GateNone {
		w.violate("run %s is %s, and the server cannot say what it waits for", r.ID, r.State)
	}
	if run.Gate == flow.GateLimit {
		if wrong := w.unlimited(r); wrong != "" {
			w.violate("run %s is %s and waits for others (%s), it says, but %s", r.ID, r.State, run.Text, wrong)
		}
	}
	if run.Gate == flow.GateLimit || run.Gate == flow.GatePaused && r.Started.IsZero() {
		return // its tasks wait for the run
	}
	live := 0
	for _, t := range row.tasks {
		if t.State.Live() {
			live++
		}
	}
	named := map[flow.TaskID]bool{}
	for _, t := range tasks {
		named[t.Task.ID] = true
		if wrong := w.wrong(row, t.Task, t.Wait, live, now); wrong != "" {
			w.violate("run %s: %s is %s, waits for %q (%s), it says, but %s", r.ID, t.Task.ID, t.Task.State, t.Wait.Gate, t.Wait.Text, wrong)
		}
	}
	for _, t := range row.tasks {
		if !t.State.Final() && !named[t.ID] {
			w.violate("run %s: %s is %s, and the server does not say why", r.ID, t.ID, t.State)
		}
	}
}

// wrong says why a task does not wait for what the server says; empty if it
// does.
func (w *World) wrong(r *run, t flow.Task, wait flow.Wait, live int, now time.Time) string {
	i := slices.IndexFunc(r.tasks, func(row flow.Task) bool { return row.ID == t.ID })
	unfolded := i < 0 && t.State == flow.Waiting && t.Modified.IsZero() // and has not changed since
	if !unfolded && (i < 0 || !sameTask(&r.tasks[i], &t)) {
		return "its row is another"
	}
	switch wait.Gate {
	case flow.GateNone:
		pr := w.processes[fmt.Sprintf("%s/%s#%d", r.row.ID, t.ID, t.Attempt)]
		switch {
		case t.State != flow.Running:
			return "it is not under way"
		case t.Kind == "sensor" || t.Kind == "scatter":
		case pr == nil:
			return "it has no process"
		case pr.over && now.Sub(pr.ended) > idle:
			return fmt.Sprintf("its process has been over for %s", now.Sub(pr.ended))
		}
	case flow.GateUpstream:
		for _, up := range wait.On {
			if j := slices.IndexFunc(r.tasks, func(row flow.Task) bool { return row.ID == up }); j >= 0 && r.tasks[j].State.Final() {
				return string(up) + " has ended"
			}
		}
		if len(wait.On) == 0 {
			return "it awaits nobody"
		}
	case flow.GateSlot:
		if g := w.rows.graphs[r.row.Graph]; g.MaxActive == 0 || live < g.MaxActive {
			return "there are slots"
		}
	case flow.GateRetry, flow.GatePoke:
		if wait.Until.IsZero() {
			return "it does not say until when"
		}
		if late := now.Sub(wait.Until); late > idle {
			return fmt.Sprintf("that was %s ago", late)
		}
	case flow.GatePaused:
		if !r.row.Held || !w.somePause() {
			return "nothing is paused"
		}
	case flow.GateDriver:
		if w.room == 0 || now.Sub(w.crowded) > idle {
			return fmt.Sprintf("there is room, and it has been so since %s", t.Modified)
		}
	case flow.GateStop: // which nothing holds up in this world
		return fmt.Sprintf("it has been so since %s", t.Modified)
	default:
		return "no task waits for that"
	}
	return ""
}

// somePause reports whether something is paused.
func (w *World) somePause() bool { return len(w.rows.pauses) > 0 }

// finish checks what must hold when all is over.
func (w *World) finish() {
	j := &w.judge
	for _, id := range sorted(j.starts) {
		if w.rows.runs[id] == nil && !w.doomed[j.starts[id].Workflow] {
			w.violate("run %s was acknowledged and is lost", id)
		}
	}
	made := map[string]flow.RunID{}
	for _, id := range sorted(w.rows.runs) {
		r := w.rows.runs[id]
		w.durable(id)
		if !r.row.State.Final() {
			w.violate("run %s is %s at the end", id, r.row.State)
		}
		if j.stops[id] && r.row.State != flow.Canceled {
			w.violate("run %s was stopped and ended %s", id, r.row.State)
		}
		if tok := string(r.row.Params); tok != "" && tok != `""` {
			if other, ok := made[tok]; ok {
				w.violate("token %s made %s and %s", tok, other, id)
			}
			made[tok] = id
		}
		if w.doomed[r.row.Workflow] {
			continue // partly purged, perhaps
		}
		w.replay(r)
	}
	for _, by := range sorted(j.wishes) {
		if r := w.rows.runs[j.wishes[by]]; r != nil && !w.doomed[r.row.Workflow] && !r.journaled(by) {
			w.violate("%s for run %s was acknowledged and is lost", by, j.wishes[by])
		}
	}
}

// kept returns those of a run's tasks that have rows: of what tasks have
// unfolded into, what has changed since.
func kept(tasks []flow.Task, n int) []flow.Task {
	return slices.DeleteFunc(slices.Clone(tasks), func(t flow.Task) bool { return t.Index >= n && t.Modified.IsZero() })
}

// replay feeds a journal to a fresh run, which must come to the saved rows.
func (w *World) replay(r *run) {
	g := w.rows.graphs[r.row.Graph]
	fresh := r.row
	fresh.Held = false
	fresh.State, fresh.Rev, fresh.Reason, fresh.Cause, fresh.Started, fresh.Ended, fresh.Modified = flow.Starting, 0, "", "", time.Time{}, time.Time{}, fresh.Created
	er := engine.New(fresh, &g, engine.Options{Strict: w.set.Strict})
	for i, e := range r.journal {
		if e.Seq != int64(i)+1 {
			w.violate("run %s: entry %d of the journal has number %d", r.row.ID, i+1, e.Seq)
		}
		ev, err := engine.EventOf(e)
		if err != nil {
			w.violate("%v", err)
		}
		er.Bound(w.judge.bounds[r.row.ID][e.Seq])
		if _, _, err := er.Apply(ev); err != nil {
			w.violate("%v", err)
		}
	}
	if !sameTasks(kept(er.Tasks(), len(g.Nodes)), r.tasks) {
		w.violate("the journal of run %s gives%s; the rows are%s", r.row.ID, whole(er.Tasks()), whole(r.tasks))
	}
	if !sameRun(er.Row(), r.row) {
		w.violate("the journal of run %s gives %+v; the row is %+v", r.row.ID, trimRun(er.Row()), r.row)
	}
}

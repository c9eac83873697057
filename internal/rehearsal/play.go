package rehearsal

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/engine/cron"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/operator"
)

// A Stage is what tests are played on: the rules of one deployment.
type Stage struct {
	// Compile compiles the definition as the product does; now is the moment
	// that relative dates in it count from.
	Compile func(src []byte, hasCode bool, now time.Time) (flow.Definition, []flow.Diagnostic)
	Table   *operator.Table
	// Extras, Strict and MaxDuration are as in airflow.Performer and
	// engine.Options.
	Extras, Strict bool
	MaxDuration    time.Duration
	// MaxWorkflow is how many runs of a workflow may be active: a slot of the
	// schedule that comes when there are as many is missed. Zero is no bound.
	MaxWorkflow int
}

// A Report is what came of a file of tests.
type Report struct {
	Results []Result
	// Faults are about the file of tests and Refused about the definition;
	// with any of them no test was played.
	Faults, Refused []flow.Diagnostic
}

// A Result is what came of one test.
type Result struct {
	Name         string
	Line, Column int
	Failures     []Failure
	// Runs counts the runs that the test began.
	Runs int
	// Start is when the virtual clock began and Timeline what happened by it:
	// in the one run, or in the first run that failed an expectation, or else
	// to the runs of the range as a whole.
	Start    time.Time
	Timeline []string
}

// OK reports whether every expectation was met.
func (r Result) OK() bool { return len(r.Failures) == 0 }

// A Failure is an expectation that was not met.
type Failure struct {
	Line, Column int
	Path         string
	// Run is the slot of the first run that did not meet it, in a range of a
	// schedule, and More how many others did not.
	Run       string
	More      int
	Got, Want string
}

// Play plays the tests of f whose name only matches (nil: all) with the
// definition src. It depends on its arguments alone; when ctx is done, the
// test under way fails and the others are left out.
func (s Stage) Play(ctx context.Context, f *File, src []byte, only *regexp.Regexp) Report {
	var rep Report
	for i := range f.Tests {
		t := &f.Tests[i]
		def, found := s.Compile(src, f.Code != "", t.start.t)
		if refused(found) {
			if _, with := s.Compile(src, true, t.start.t); f.Code == "" && !refused(with) {
				d := f.WorkflowAt("the workflow runs code of its own, and this file names no code package")
				d.Fix = "add code: and the path of the package"
				return Report{Faults: []flow.Diagnostic{d}}
			}
			return Report{Refused: found}
		}
		w, err := s.world(t, def)
		if err != nil {
			return Report{Faults: []flow.Diagnostic{{Line: t.Line, Column: t.Column, Path: t.path, Message: err.Error()}}}
		}
		rep.Faults = append(rep.Faults, w.bind()...)
		if len(rep.Faults) > 0 || only != nil && !only.MatchString(t.Name) {
			continue // all tests are bound, so that a slip shows early
		}
		rep.Results = append(rep.Results, w.play(ctx))
		if ctx.Err() != nil {
			break
		}
	}
	if len(rep.Faults) > 0 {
		rep.Results = nil
	}
	return rep
}

func refused(found []flow.Diagnostic) bool {
	return slices.ContainsFunc(found, func(d flow.Diagnostic) bool { return d.Severity == flow.Fault })
}

// A world is one test being played.
type world struct {
	stage   Stage
	test    *Test
	def     flow.Definition
	loc     *time.Location
	perf    *airflow.Performer
	scripts map[flow.TaskID]*script
	sensors map[flow.TaskID]bool

	now    time.Time
	queue  queue
	seq    int
	steps  int
	gate   engine.Gate
	active map[flow.RunID]*run
	season season
	result Result
	shown  bool // the timeline is that of a run which failed

	// Of people: by whose do it is, the run that is meant once it is made, and
	// how much is still to be done.
	runOf  map[*Test]*run
	undone map[*Test]int
}

// A run is one that has not ended.
type run struct {
	n      int // counts the runs of the test
	eng    *engine.Run
	slot   time.Time
	began  time.Time // for the first time, should it be reopened
	wake   time.Time // the tick that is queued
	parts  map[flow.TaskID]*part
	lines  []string
	unsaid int
	except *Test // how it goes, where that is not as the others do
	cast   *Test // whose do is about this run; nil: none
	judged bool
	// refused says that something could not be done to it.
	refused bool
}

// A part is what the stage keeps of one task of a run.
type part struct {
	turn int // counts beginnings; an act of an earlier turn is stale
	args map[string]json.RawMessage
	outs map[int]map[string]json.RawMessage // by attempt
	said flow.State
}

// xcom returns what a task has published, where later attempts replace what
// earlier ones said.
func (p *part) xcom() map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for _, n := range slices.Sorted(maps.Keys(p.outs)) {
		maps.Copy(all, p.outs[n])
	}
	return all
}

func (s Stage) world(t *Test, def flow.Definition) (*world, error) {
	w := &world{
		stage: s, test: t, def: def, loc: time.UTC,
		sensors: map[flow.TaskID]bool{}, active: map[flow.RunID]*run{},
		runOf: map[*Test]*run{}, undone: map[*Test]int{},
	}
	w.perf = &airflow.Performer{Table: s.Table, Extras: s.Extras, XComs: published{w}}
	if def.Schedule != nil && def.Schedule.Zone != "" {
		loc, err := time.LoadLocation(def.Schedule.Zone)
		if err != nil {
			return nil, fmt.Errorf("time zone of the schedule: %w", err)
		}
		w.loc = loc
	}
	w.scripts = scriptsOf(t)
	for i := range def.Graph.Nodes {
		n := &def.Graph.Nodes[i]
		var a airflow.Action
		if err := json.Unmarshal(n.Action, &a); err != nil {
			return nil, fmt.Errorf("action of task %s: %w", n.ID, err)
		}
		w.sensors[n.ID] = a.Sensor != nil
	}
	return w, nil
}

func scriptsOf(t *Test) map[flow.TaskID]*script {
	scripts := map[flow.TaskID]*script{}
	for i := range t.tasks {
		scripts[t.tasks[i].task] = &t.tasks[i]
	}
	return scripts
}

// reply returns how an attempt of a task goes.
func (w *world) reply(r *run, t flow.Task) reply {
	if r.except != nil {
		for i := range r.except.tasks {
			if s := &r.except.tasks[i]; s.task == t.ID {
				return s.reply(t.Attempt)
			}
		}
	}
	return w.scripts[t.ID].reply(t.Attempt)
}

// bind says what the test asks of tasks that the workflow does not have or
// that cannot do it.
func (w *world) bind() []flow.Diagnostic {
	r := &reader{}
	nodes := map[string]*flow.Node{}
	var ids []string
	for i := range w.def.Graph.Nodes {
		n := &w.def.Graph.Nodes[i]
		nodes[string(n.ID)] = n
		ids = append(ids, string(n.ID))
	}
	for _, n := range w.test.names {
		if nodes[n.task] == nil {
			r.fault(n.place, meant(n.task, ids), "the workflow has no task %s", quoted(n.task))
		}
	}
	scripts := slices.Clone(w.test.tasks)
	for _, x := range w.test.except {
		scripts = append(scripts, x.tasks...)
	}
	for _, s := range scripts {
		n := nodes[string(s.task)]
		if n == nil {
			continue
		}
		if n.Noop {
			r.fault(s.place, "take the reply out", "%s is an %s, which always succeeds at once", s.task, n.Kind)
		}
		for _, rep := range s.replies {
			switch sensor := w.sensors[s.task]; {
			case rep.pokes > 0 && !sensor:
				r.fault(rep.place, "write takes: for how long the task runs", "%s is no sensor, so that it has no pokes", s.task)
			case rep.verdict == flow.Lost && sensor:
				r.fault(rep.place, "", "%s is a sensor, which waits in the server and has no worker to lose", s.task)
			case rep.verdict == flow.Timeout && !sensor && n.Timeout == 0:
				r.fault(rep.place, "give the task an execution_timeout", "%s has no execution_timeout, so that it never times out", s.task)
			}
		}
	}
	if w.test.ranged && w.def.Schedule == nil {
		r.fault(place{w.test.Line, w.test.Column, w.test.path}, "write at: for one run", "the workflow has no schedule, so that nothing runs from and to")
	}
	return r.diags
}

// play plays the test to its end.
func (w *world) play(ctx context.Context) Result {
	w.result = Result{Name: w.test.Name, Line: w.test.Line, Column: w.test.Column, Start: w.test.start.in(w.loc)}
	w.now = w.result.Start
	err := w.arrange()
	for err == nil && len(w.queue) > 0 {
		if w.steps++; w.steps > maxSteps {
			err = fmt.Errorf("the test takes more than %d virtual steps; shorten its range, or let sensors look less often", maxSteps)
			break
		}
		if w.steps%1000 == 0 && ctx.Err() != nil {
			err = fmt.Errorf("interrupted: %w", ctx.Err())
			break
		}
		a := heap.Pop(&w.queue).(act)
		w.now = a.at
		err = a.do()
	}
	if err == nil && len(w.active) > 0 {
		err = errors.New("a run waits for something that never happens")
		if w.gate.Held(flow.WorkflowID(w.def.Name)) {
			err = errors.New("a run waits: the workflow is paused, and nothing in do: resumes it")
		}
	}
	if err != nil {
		for _, r := range w.active {
			if first := w.result.Timeline == nil || r.n == 1; first && !w.shown {
				w.result.Timeline, w.result.Start = r.timeline(), r.eng.Row().Created
			}
		}
		w.result.Failures = append(w.result.Failures, Failure{Line: w.test.Line, Column: w.test.Column, Path: w.test.path, Got: err.Error(), Want: "a test that can be played"})
		return w.result
	}
	if w.result.Runs == 0 {
		// What is expected of every run would hold of none.
		for _, c := range w.test.runs {
			w.fail(c.place, "", "no run in this range", c.want)
		}
	}
	for _, c := range w.test.whole {
		if got, ok := c.holds(&w.season); !ok {
			w.fail(c.place, "", got, c.want)
		}
	}
	return w.result
}

// maxFailures bounds the failures that one test shows.
const maxFailures = 100

func (w *world) fail(p place, slot, got, want string) {
	for i := range w.result.Failures {
		if x := &w.result.Failures[i]; x.Line == p.Line && x.Column == p.Column && x.Path == p.Path {
			x.More++
			return
		}
	}
	if len(w.result.Failures) < maxFailures {
		w.result.Failures = append(w.result.Failures, Failure{Line: p.Line, Column: p.Column, Path: p.Path, Run: slot, Got: airflow.Clip(got, 2000), Want: airflow.Clip(want, 2000)})
	}
}

// arrange queues the beginning of each run.
func (w *world) arrange() error {
	w.season = season{loc: w.loc, states: map[string]int{}}
	if !w.test.ranged {
		start := w.now
		w.put(arrival, start, func() error { return w.launch(flow.OnDemand, start) })
		w.cast(w.test, start)
		return nil
	}
	start := w.now
	w.cast(w.test, start)
	end := w.test.end.in(w.loc)
	if w.test.end.day {
		end = end.AddDate(0, 0, 1).Add(-time.Nanosecond)
	}
	next, err := cron.NextFire(w.def.Schedule, w.loc, start.Add(-time.Nanosecond))
	for err == nil && !next.IsZero() && !next.After(end) {
		if len(w.season.fires) == maxRuns {
			return fmt.Errorf("the schedule fires more than %d times in this range", maxRuns)
		}
		slot := next
		w.season.fires = append(w.season.fires, slot)
		w.put(arrival, slot, func() error { return w.launch(flow.Scheduled, slot) })
		next, err = cron.NextFire(w.def.Schedule, w.loc, slot)
	}
	for i := range w.test.except {
		x := &w.test.except[i]
		at := x.start.in(w.loc)
		if !slices.ContainsFunc(w.season.fires, at.Equal) {
			w.fail(place{x.Line, x.Column, x.path}, "", "the schedule does not fire then", "a fire at "+at.Format(time.RFC3339))
			continue
		}
		w.cast(x, at)
	}
	return err
}

// launch makes a run and lets it begin, or wait at the gate.
func (w *world) launch(kind flow.RunKind, slot time.Time) error {
	id := flow.WorkflowID(w.def.Name)
	if kind == flow.Scheduled && (w.gate.Held(id) || w.stage.MaxWorkflow > 0 && len(w.active) >= w.stage.MaxWorkflow) {
		w.season.missed++
		why := "too many runs are active"
		if w.gate.Held(id) {
			why = "the workflow is paused"
		}
		w.recount("no run of %s: %s", slot.Format(time.RFC3339), why)
		return nil
	}
	w.result.Runs++
	row := flow.Run{
		ID: flow.RunID(fmt.Sprintf("run%d", w.result.Runs)), Workflow: id, Kind: kind, State: flow.Starting,
		Params: w.test.params, Logical: slot, Created: w.now, Modified: w.now,
	}
	r := &run{
		eng: engine.New(row, &w.def.Graph, engine.Options{MaxDuration: w.stage.MaxDuration, Strict: w.stage.Strict}),
		n:   w.result.Runs, slot: slot, parts: map[flow.TaskID]*part{},
	}
	if kind == flow.OnDemand {
		r.cast = w.test
	}
	for i := range w.test.except {
		if x := &w.test.except[i]; kind == flow.Scheduled && x.start.in(w.loc).Equal(slot) {
			r.except, r.cast = x, x
		}
	}
	if r.cast != nil {
		w.runOf[r.cast] = r
	}
	w.active[row.ID] = r
	if w.gate.Held(id) {
		r.note(w.now, "the workflow is paused")
	}
	if w.gate.Ask(engine.Candidate{Run: row.ID, Workflow: row.Workflow, Limit: w.def.MaxRuns}) {
		return w.begin(r)
	}
	return w.apply(r, "", engine.Queue{})
}

func (w *world) begin(r *run) error {
	w.enter()
	return w.apply(r, "", engine.Begin{})
}

// enter counts a run that is under way.
func (w *world) enter() {
	w.season.inside++
	w.season.atOnce = max(w.season.atOnce, w.season.inside)
}

// apply tells a run what happened, and does what that asks for.
func (w *world) apply(r *run, task flow.TaskID, what engine.What) error {
	before := r.eng.Row()
	step, changed, err := r.eng.Apply(engine.Event{At: w.now, Task: task, What: what})
	if err != nil || !changed {
		return err
	}
	if r.began.IsZero() {
		r.began = step.Run.Started
	}
	for _, o := range step.Outputs {
		p := r.part(o.Task)
		if p.outs == nil {
			p.outs = map[int]map[string]json.RawMessage{}
		}
		if p.outs[o.Attempt] == nil {
			p.outs[o.Attempt] = map[string]json.RawMessage{}
		}
		p.outs[o.Attempt][o.Key] = o.Value
	}
	for _, a := range step.Past {
		if a.State != flow.Succeeded { // such as one that was marked failed
			delete(r.part(a.Task).outs, a.N)
		}
	}
	if s := step.Run.State; s != before.State && !s.Final() {
		r.note(w.now, "run "+runName(s))
	}
	for _, t := range step.Tasks {
		r.tell(w.now, t, step.Outputs)
	}
	for _, t := range step.Tasks {
		if err := w.see(r, t.ID); err != nil {
			return err
		}
	}
	if r.eng.Final() {
		return w.conclude(r)
	}
	if wake := r.eng.Wake(); !wake.IsZero() && !wake.Equal(r.wake) {
		r.wake = wake
		w.put(ticking, wake, func() error {
			if r.wake.Equal(wake) {
				r.wake = time.Time{}
			}
			return w.apply(r, "", engine.Tick{})
		})
	}
	return nil
}

// see begins the attempt that a task is owed, or brings it to its end.
func (w *world) see(r *run, id flow.TaskID) error {
	d, ok := r.eng.OwedTo(id)
	switch {
	case !ok:
		return nil
	case d.End:
		return w.apply(r, id, engine.Ended{Attempt: d.Task.Attempt, Outcome: flow.Outcome{Verdict: flow.Failure}})
	case d.Task.State != flow.Starting:
		return nil
	}
	p := r.part(id)
	p.turn++
	if w.sensors[id] {
		return w.watch(r, p, d)
	}
	if settled, err := w.prepare(r, p, d); settled || err != nil {
		return err
	}
	if err := w.apply(r, id, engine.Started{Attempt: d.Task.Attempt, Handle: "rehearsal"}); err != nil {
		return err
	}
	rep := w.reply(r, d.Task)
	if rep.verdict != flow.Timeout { // else it is the engine that ends it
		w.end(r, p, d.Task, rep.takes, flow.Outcome{Verdict: rep.verdict, Reason: rep.reason, Outputs: rep.xcom})
	}
	return nil
}

// prepare renders the arguments of an attempt. It reports true, and the
// attempt is at its end, if that has settled it.
func (w *world) prepare(r *run, p *part, d engine.Duty) (settled bool, err error) {
	args, out, err := w.perf.Arguments(context.Background(), lang.Attempt{Run: r.eng.Row(), Graph: &w.def.Graph, Node: d.Node, Task: d.Task})
	p.args = args
	if err != nil || out == nil {
		return false, err
	}
	w.end(r, p, d.Task, 0, *out)
	return true, nil
}

// end queues the end of an attempt.
func (w *world) end(r *run, p *part, t flow.Task, after time.Duration, out flow.Outcome) {
	turn := p.turn
	w.put(ending, w.now.Add(after), func() error {
		if p.turn != turn {
			return nil
		}
		return w.apply(r, t.ID, engine.Ended{Attempt: t.Attempt, Outcome: out})
	})
}

// watch begins an attempt of a sensor, or takes it up after a rest.
func (w *world) watch(r *run, p *part, d engine.Duty) error {
	if err := w.apply(r, d.Task.ID, engine.Started{Attempt: d.Task.Attempt, Handle: "server"}); err != nil {
		return err
	}
	d.Task, _ = r.eng.Task(d.Task.ID)
	if settled, err := w.prepare(r, p, d); settled || err != nil {
		return err
	}
	return w.look(r, p, d, d.Task.Pokes+1)
}

// look lets a sensor look for the n-th time.
func (w *world) look(r *run, p *part, d engine.Duty, n int) error {
	rep := w.reply(r, d.Task)
	var failed error
	if n >= rep.pokes && w.now.Sub(d.Task.Started) >= rep.takes {
		switch rep.verdict {
		case flow.Success:
			w.end(r, p, d.Task, 0, flow.Outcome{Verdict: flow.Success, Outputs: rep.xcom})
			return nil
		case flow.Timeout:
		default:
			failed = &operator.Error{Message: rep.reason, Fatal: rep.verdict == flow.Fatal, Skip: rep.verdict == flow.Skip}
		}
	}
	a := lang.Attempt{Run: r.eng.Row(), Graph: &w.def.Graph, Node: d.Node, Task: d.Task}
	out, pause, err := w.perf.NotYet(a, n, w.now, failed)
	if err != nil {
		return err
	}
	if out != nil {
		w.end(r, p, d.Task, 0, *out)
		return nil
	}
	turn := p.turn
	w.put(ending, w.now.Add(pause), func() error {
		if t, ok := r.eng.Task(d.Task.ID); p.turn != turn || !ok || !t.State.Live() {
			return nil
		}
		return w.look(r, p, d, n+1)
	})
	return nil
}

// conclude judges a run that has ended, and lets others in.
func (w *world) conclude(r *run) error {
	row := r.eng.Row()
	if w.active[row.ID] == nil {
		return nil // an event within an event has concluded it
	}
	delete(w.active, row.ID)
	if !row.Started.IsZero() {
		w.season.inside--
	}
	w.season.ends = row.Ended
	r.note(w.now, "run "+runName(row.State))
	w.judge(r)
	for _, id := range w.gate.Leave(row.ID) {
		if next := w.active[id]; next != nil {
			if err := w.begin(next); err != nil {
				return err
			}
		}
	}
	return nil
}

// slotOf names a run by the slot that it is for, in a range.
func (w *world) slotOf(r *run) string {
	if !w.test.ranged {
		return ""
	}
	return r.slot.Format(time.RFC3339)
}

// judge compares a run that has ended with what is expected of it, unless
// people have still something to do to it, which may let it go on.
func (w *world) judge(r *run) {
	if r.judged || r.cast != nil && w.undone[r.cast] > 0 {
		return
	}
	r.judged = true
	row := r.eng.Row()
	w.season.states[runName(row.State)]++
	e := &ended{row: row, began: r.began, graph: &w.def.Graph, tasks: map[flow.TaskID]flow.Task{}, parts: r.parts}
	for _, t := range r.eng.Tasks() {
		e.tasks[t.ID] = t
	}
	slot := w.slotOf(r)
	ok, checks := !r.refused, w.test.runs
	if r.except != nil && len(r.except.runs) > 0 {
		checks = r.except.runs
	}
	for _, c := range checks {
		if got, held := c.holds(e); !held {
			ok = false
			w.fail(c.place, slot, got, c.want)
		}
	}
	switch {
	case !w.test.ranged || !ok && !w.shown:
		w.result.Timeline, w.result.Start, w.shown = r.timeline(), row.Created, true
	default:
		w.recount("run of %s %s in %s", slot, runName(row.State), spanText(row.Ended.Sub(row.Created)))
	}
}

// recount adds a line to the timeline of a range, unless it is that of a run.
func (w *world) recount(format string, args ...any) {
	if w.test.ranged && !w.shown && len(w.result.Timeline) < maxLines {
		w.result.Timeline = append(w.result.Timeline, fmt.Sprintf(format, args...))
	}
}

func (r *run) part(id flow.TaskID) *part {
	p := r.parts[id]
	if p == nil {
		p = &part{}
		r.parts[id] = p
	}
	return p
}

// maxLines bounds a timeline.
const maxLines = 500

func (r *run) note(now time.Time, text string) {
	if len(r.lines) >= maxLines {
		r.unsaid++
		return
	}
	r.lines = append(r.lines, fmt.Sprintf("%-8s %s", "+"+spanText(now.Sub(r.eng.Row().Created)), text))
}

// timeline returns the notes of a run.
func (r *run) timeline() []string {
	if r.unsaid == 0 {
		return r.lines
	}
	return append(slices.Clip(r.lines), fmt.Sprintf("… and %d more", r.unsaid))
}

// tell notes what became of a task, but not the states that pass at once.
func (r *run) tell(now time.Time, t flow.Task, outputs []flow.Output) {
	p := r.part(t.ID)
	was := p.said
	p.said = t.State
	switch t.State {
	case was, flow.Waiting, flow.Ready, flow.Starting, flow.Stopping:
		return
	case flow.Running, flow.Resting:
		if t.Pokes > 1 || t.Pokes == 1 && t.State == flow.Running {
			return
		}
	}
	text := string(t.ID) + " " + taskName(t.State)
	if t.Attempt > 1 && t.State != flow.Blocked {
		text += fmt.Sprintf(" (attempt %d)", t.Attempt)
	}
	if t.Reason != "" && t.State != flow.Running {
		text += ": " + airflow.Clip(t.Reason, 200)
	}
	if t.State == flow.Retrying {
		text += "; again in " + spanText(t.Due.Sub(now))
	}
	for _, o := range outputs {
		if o.Task == t.ID {
			text += " " + airflow.Clip(o.Key, 80) + "=" + airflow.Clip(string(o.Value), 200)
		}
	}
	r.note(now, text)
}

// published is what the runs of a world have published.
type published struct{ w *world }

// Output makes published an airflow.XComs.
func (p published) Output(_ context.Context, id flow.RunID, task flow.TaskID, key string) (json.RawMessage, bool, error) {
	if r := p.w.active[id]; r != nil && r.parts[task] != nil {
		v, ok := r.parts[task].xcom()[key]
		return v, ok, nil
	}
	return nil, false, nil
}

// AllOutputs makes published an airflow.XComs.
func (p published) AllOutputs(_ context.Context, id flow.RunID) (map[flow.TaskID]map[string]json.RawMessage, error) {
	all := map[flow.TaskID]map[string]json.RawMessage{}
	if r := p.w.active[id]; r != nil {
		for task, part := range r.parts {
			if xcom := part.xcom(); len(xcom) > 0 {
				all[task] = xcom
			}
		}
	}
	return all, nil
}

// The ranks of acts that are due at the same moment: an attempt that ends
// when its time is up has made it, a run that ends makes room for the next,
// and people come last.
const (
	ending = iota
	ticking
	arrival
	deeds
)

// An act is something that happens at a moment.
type act struct {
	at        time.Time
	rank, seq int
	do        func() error
}

// put queues an act; what is overdue happens now.
func (w *world) put(rank int, at time.Time, do func() error) {
	if at.Before(w.now) {
		at = w.now
	}
	w.seq++
	heap.Push(&w.queue, act{at, rank, w.seq, do})
}

// A queue is a heap of acts.
type queue []act

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(q[i].at.Compare(q[j].at), q[i].rank-q[j].rank, q[i].seq-q[j].seq) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(act)) }
func (q *queue) Pop() any {
	old := *q
	a := old[len(old)-1]
	*q = old[:len(old)-1]
	return a
}

// started lists the tasks of a run that began, by when their last attempt
// did.
func (e *ended) started() []string {
	var tasks []flow.Task
	for _, t := range e.tasks {
		if !t.Started.IsZero() {
			tasks = append(tasks, t)
		}
	}
	slices.SortFunc(tasks, func(a, b flow.Task) int {
		return cmp.Or(a.Started.Compare(b.Started), a.Index-b.Index)
	})
	ids := make([]string, len(tasks))
	for i, t := range tasks {
		ids[i] = string(t.ID)
	}
	return ids
}

func list(ids []string) string { return "[" + strings.Join(ids, ", ") + "]" }

package rehearsal

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
)

// A deed is what a person does at a moment of a test, as with fairlead pause,
// resume, stop, retry, clear or mark.
type deed struct {
	place
	after time.Duration // from when the run is made, unless there is a moment
	at    *moment
	verb  string
	clear engine.Clear // of clear and retry
	marks []mark
}

// A mark says how a person decides that a task has ended.
type mark struct {
	task  flow.TaskID
	state flow.State
	word  string // for it, as fairlead mark has it
}

// maxDeeds bounds what one test may have people do.
const maxDeeds = 1000

// person is who does it, where a reason names somebody.
const person = "the test"

func verbs() []string { return []string{"pause", "resume", "stop", "retry", "clear", "mark"} }

// markStates are the words that fairlead mark knows.
func markStates() map[string]flow.State {
	return map[string]flow.State{"success": flow.Succeeded, "failed": flow.Failed, "skipped": flow.Skipped}
}

// deeds reads what people do. Where t is all of a range, no run is meant, so
// that they can but pause and resume the workflow.
func (r *reader) deeds(t *Test, v *airflow.Value, path string) {
	const example = "write do: [{at: 10m, pause: true}, {at: 20m, resume: true}]"
	if v.Kind != airflow.List {
		r.fault(at(v, path), example, "expected a list of what people do, not %s", shown(v))
		return
	}
	if n := len(v.Items); n == 0 || n > maxDeeds {
		r.fault(at(v, path), example, "expected 1 to %d things to do, not %d", maxDeeds, n)
		return
	}
	for i, it := range v.Items {
		t.do = append(t.do, r.deed(t, it, fmt.Sprintf("%s[%d]", path, i)))
	}
}

func (r *reader) deed(t *Test, v *airflow.Value, path string) deed {
	d := deed{place: at(v, path)}
	if !r.keys(v, path, append([]string{"at"}, verbs()...)...) {
		return d
	}
	if when := v.Find("at"); when == nil {
		r.fault(d.place, "add at: 10m, counted from the start of the run, or a time such as 2026-03-01T06:10", "it says not when")
	} else {
		r.when(&d, t, when, join(path, "at"))
	}
	for _, p := range v.Pairs {
		verb, path := p.Key.Text, join(path, p.Key.Text)
		if !slices.Contains(verbs(), verb) {
			continue // at, or reported
		}
		if d.verb != "" {
			r.fault(at(p.Key, path), "make them a list, one after the other", "one thing is done at a time, not both %s and %s", d.verb, verb)
			continue
		}
		d.verb, d.place = verb, at(p.Key, path)
		if t.ranged && verb != "pause" && verb != "resume" {
			r.fault(d.place, "write it below except: and the fire time of the run that is meant", "%s is about one run, and this test is about the runs of a range", verb)
		}
		switch verb {
		case "clear":
			r.clears(&d, t, p.Value, path)
		case "mark":
			r.marks(&d, t, p.Value, path)
		default:
			if p.Value.Kind != airflow.NullValue && !r.yes(p.Value) {
				r.fault(at(p.Value, path), "write "+verb+": true", "expected true, not %s", shown(p.Value))
			}
			if verb == "retry" {
				d.clear = engine.Clear{Failed: true, Downstream: true, By: person}
			}
		}
	}
	if d.verb == "" && len(v.Pairs) < 2 { // else a slip is reported
		r.fault(d.place, "add one of "+strings.Join(verbs(), ", "), "it says not what is done")
	}
	return d
}

// when reads a moment, or for one run the time since it was made.
func (r *reader) when(d *deed, t *Test, v *airflow.Value, path string) {
	span := v.Kind == airflow.Number || v.Kind == airflow.Text && !strings.ContainsAny(strings.TrimPrefix(v.Text, "-"), ":-")
	switch {
	case span && t.ranged:
		r.fault(at(v, path), "write a time, such as 2026-03-01T06:10", "a test of a range has no one run that %s is counted from", shown(v))
	case span:
		d.after = r.span(v, path)
	default:
		m := r.moment(v, path)
		d.at = &m
	}
}

// clears reads which tasks are done again: one, some, or a mapping that says
// more.
func (r *reader) clears(d *deed, t *Test, v *airflow.Value, path string) {
	d.clear.By = person
	if v.Kind == airflow.Mapping {
		if !r.keys(v, path, "tasks", "failed", "downstream") {
			return
		}
		d.clear.Failed = r.flag(v.Find("failed"), join(path, "failed"))
		d.clear.Downstream = r.flag(v.Find("downstream"), join(path, "downstream"))
		tasks := v.Find("tasks")
		if tasks == nil && !d.clear.Failed {
			r.fault(at(v, path), "add tasks: and their names, or failed: true", "it says not which tasks are cleared")
		}
		if tasks == nil {
			return
		}
		v, path = tasks, join(path, "tasks")
	}
	list := []*airflow.Value{v}
	if v.Kind == airflow.List {
		list = v.Items
	}
	if len(list) == 0 {
		r.fault(at(v, path), "write clear: load, or retry: true for all that failed", "it says not which tasks are cleared")
	}
	for _, it := range list {
		id := r.text(it, path)
		d.clear.Tasks = append(d.clear.Tasks, flow.TaskID(id))
		t.names = append(t.names, name{at(it, path), id})
	}
}

func (r *reader) yes(v *airflow.Value) bool { return v.Kind == airflow.BoolValue && v.Text == "true" }

// flag reads true or false; nil is false.
func (r *reader) flag(v *airflow.Value, path string) bool {
	if v != nil && v.Kind != airflow.BoolValue {
		r.fault(at(v, path), "", "expected true or false, not %s", shown(v))
	}
	return v != nil && r.yes(v)
}

func (r *reader) marks(d *deed, t *Test, v *airflow.Value, path string) {
	if v.Kind != airflow.Mapping || len(v.Pairs) == 0 {
		r.fault(at(v, path), "write mark: {load: success}", "expected a mapping from task to state, not %s", shown(v))
		return
	}
	for _, p := range v.Pairs {
		word := strings.ToLower(p.Value.Text)
		state, ok := markStates()[word]
		if !ok || p.Value.Kind != airflow.Text {
			words := slices.Sorted(maps.Keys(markStates()))
			r.fault(at(p.Value, join(path, p.Key.Text)), meant(word, words), "a task is marked %s, not %s", strings.Join(words, ", "), shown(p.Value))
		}
		d.marks = append(d.marks, mark{flow.TaskID(p.Key.Text), state, word})
		t.names = append(t.names, name{at(p.Key, path), p.Key.Text})
	}
}

// text says what is done, for a timeline.
func (d *deed) text() string {
	switch d.verb {
	case "pause":
		return "the workflow is paused"
	case "resume":
		return "the workflow is resumed"
	case "stop":
		return "the run is stopped"
	case "retry":
		return "the run is retried from its failures"
	case "mark":
		var parts []string
		for _, m := range d.marks {
			parts = append(parts, string(m.task)+" "+m.word)
		}
		return "marked: " + strings.Join(parts, ", ")
	}
	var parts []string
	for _, id := range d.clear.Tasks {
		parts = append(parts, string(id))
	}
	if d.clear.Failed {
		parts = append(parts, "all that failed")
	}
	if d.clear.Downstream {
		parts = append(parts, "what comes after")
	}
	return "cleared: " + strings.Join(parts, ", ")
}

// cast queues what people do to the run of t, or to the workflow while the
// runs of t go on; made is when the run is made.
func (w *world) cast(t *Test, made time.Time) {
	w.undone[t] = len(t.do)
	for i := range t.do {
		d := &t.do[i]
		when := made.Add(d.after)
		if d.at != nil {
			when = d.at.in(w.loc)
		}
		if when.Before(w.now) {
			w.now = when // a pause may come before the first run
		}
		w.put(deeds, when, func() error { return w.do(t, d) })
	}
}

// do does what a person does. One that is refused fails the test.
func (w *world) do(t *Test, d *deed) error {
	r := w.runOf[t]
	w.undone[t]--
	var err, refused error
	switch {
	case d.verb == "pause" || d.verb == "resume":
		err = w.turn(d)
	case r == nil && w.now.Before(t.start.in(w.loc)):
		refused = errors.New("there is no run yet")
	case r == nil:
		refused = errors.New("the schedule began no run then")
	default:
		refused, err = w.wish(r, d)
	}
	if err != nil {
		return err
	}
	if refused != nil {
		slot, got := "", refused.Error()
		if r != nil {
			r.refused = true
			slot, got = w.slotOf(r), strings.ReplaceAll(got, "run "+string(r.eng.Row().ID)+" ", "the run ")
		}
		w.fail(d.place, slot, "refused: "+got, "that it can be done")
	}
	if r != nil && r.eng.Final() {
		w.judge(r)
	}
	return nil
}

// turn pauses or resumes the workflow, as the conductor does.
func (w *world) turn(d *deed) error {
	var admitted []flow.RunID
	if d.verb == "pause" {
		w.gate.Hold(flow.WorkflowID(w.def.Name))
	} else {
		admitted = w.gate.Release(flow.WorkflowID(w.def.Name))
	}
	w.recount("%s at %s", d.text(), w.now.In(w.loc).Format(time.RFC3339))
	active := slices.SortedFunc(maps.Values(w.active), func(a, b *run) int { return cmp.Compare(a.n, b.n) })
	for _, r := range active {
		r.note(w.now, d.text())
	}
	for _, id := range admitted {
		if err := w.begin(w.active[id]); err != nil {
			return err
		}
	}
	for _, r := range active {
		if err := w.heed(r); err != nil {
			return err
		}
	}
	return nil
}

// heed makes a run that has begun heed what is paused; the gate holds others.
func (w *world) heed(r *run) error {
	row := r.eng.Row()
	held := w.gate.Held(row.Workflow)
	switch {
	case row.State.Final() || row.Started.IsZero() || held == row.Held:
		return nil
	case held:
		return w.apply(r, "", engine.Hold{By: person})
	}
	return w.apply(r, "", engine.Release{By: person})
}

// wish does to a run what a person asks for; one that has ended may go on.
func (w *world) wish(r *run, d *deed) (refused, err error) {
	events := []engine.Event{{What: d.clear}}
	switch d.verb {
	case "stop":
		if !r.eng.Final() {
			r.note(w.now, d.text())
		}
		return nil, w.apply(r, "", engine.Stop{By: person})
	case "mark":
		events = nil
		for _, m := range d.marks {
			events = append(events, engine.Event{Task: m.task, What: engine.Mark{State: m.state, By: person}})
		}
	}
	for i, ev := range events {
		if refused = r.eng.Refuse(ev); refused != nil {
			return refused, nil
		}
		if i == 0 {
			r.note(w.now, d.text())
		}
		if err := w.reenter(r); err != nil {
			return nil, err
		}
		if err := w.apply(r, ev.Task, ev.What); err != nil {
			return nil, err
		}
		if err := w.heed(r); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// reenter counts a run that has ended among the active ones again. What is
// paused holds it before anything of it begins.
func (w *world) reenter(r *run) error {
	row := r.eng.Row()
	if !row.State.Final() {
		return nil
	}
	if w.gate.Held(row.Workflow) && !row.Held {
		if err := w.apply(r, "", engine.Hold{By: person}); err != nil {
			return err
		}
	}
	w.active[row.ID] = r
	w.gate.Enter(engine.Candidate{Run: row.ID, Workflow: row.Workflow, Limit: w.def.MaxRuns})
	w.enter()
	return nil
}

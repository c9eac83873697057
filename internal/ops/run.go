package ops

import (
	"encoding/json"
	"time"

	"fairlead/internal/flow"
)

// A runView is a run as this door shows it.
type runView struct {
	Run      flow.RunID      `json:"run"`
	Workflow flow.WorkflowID `json:"workflow"`
	Version  flow.VersionID  `json:"version"`
	Kind     flow.RunKind    `json:"kind"`
	State    flow.State      `json:"state"`
	Paused   bool            `json:"paused,omitempty"`
	By       string          `json:"by,omitempty"` // who asked for a rerun or a backfill
	Reason   string          `json:"reason,omitempty"`
	Slot     time.Time       `json:"slot,omitzero"`
	Created  time.Time       `json:"created"`
	Started  time.Time       `json:"started,omitzero"`
	Ended    time.Time       `json:"ended,omitzero"`
}

func view(r flow.Run) runView {
	v := runView{
		Run: r.ID, Workflow: r.Workflow, Version: r.Version, Kind: r.Kind, State: r.State, Paused: r.Held, By: r.By,
		Reason: r.Reason, Created: r.Created, Started: r.Started, Ended: r.Ended,
	}
	if r.Kind != flow.OnDemand {
		v.Slot = r.Logical
	}
	return v
}

// A waitView says what something waits for.
type waitView struct {
	Gate   flow.Gate     `json:"gate,omitempty"`
	Reason string        `json:"reason"`
	Until  time.Time     `json:"until,omitzero"`
	On     []flow.TaskID `json:"on,omitempty"`
	More   int           `json:"more,omitempty"`
}

func viewWait(w flow.Wait) waitView { return waitView{w.Gate, w.Text, w.Until, w.On, w.More} }

func (r *request) runID() flow.RunID { return flow.RunID(r.PathValue("run")) }

func (d *Door) run(r *request) (any, error) {
	row, err := d.Runs.RunByID(r.Context(), r.runID())
	return view(row), err
}

// maxWaits bounds how many tasks one answer explains.
const maxWaits = 200

func (d *Door) why(r *request) (any, error) {
	row, err := d.Runs.RunByID(r.Context(), r.runID())
	if err != nil {
		return nil, err
	}
	type taskView struct {
		Task    flow.TaskID `json:"task"`
		State   flow.State  `json:"state"`
		Attempt int         `json:"attempt,omitempty"`
		waitView
	}
	out := struct {
		runView
		Wait  *waitView  `json:"wait,omitempty"`
		Tasks []taskView `json:"tasks,omitempty"`
		More  int        `json:"more,omitempty"`
	}{runView: view(row)}
	if row.State.Final() {
		return out, nil
	}
	w, tasks, more, err := d.Conductor.Waits(r.Context(), row.ID, maxWaits)
	if err != nil {
		return nil, err
	}
	if wait := viewWait(w); wait.Reason != "" { // else it has ended just now
		out.Wait = &wait
	}
	out.More = more
	for _, t := range tasks {
		out.Tasks = append(out.Tasks, taskView{t.Task, t.State, t.Attempt, viewWait(t.Wait)})
	}
	return out, nil
}

func (d *Door) whyTask(r *request) (any, error) {
	if _, err := d.Runs.RunByID(r.Context(), r.runID()); err != nil {
		return nil, err
	}
	task, err := d.Conductor.Task(r.Context(), r.runID(), r.PathValue("task"))
	if err != nil {
		return nil, err
	}
	out := struct {
		Task    flow.TaskID `json:"task"`
		State   flow.State  `json:"state,omitempty"`
		Attempt int         `json:"attempt,omitempty"`
		Reason  string      `json:"reason,omitempty"`
		Wait    *waitView   `json:"wait,omitempty"`
	}{Task: task}
	w, waits, err := d.Conductor.Why(r.Context(), r.runID(), task)
	if err != nil {
		return nil, err
	}
	if waits {
		v := viewWait(w)
		out.Wait = &v
	}
	t, err := d.Runs.Instance(r.Context(), r.runID(), task, 0)
	if flow.KindOf(err) == flow.NotFound && err != nil && waits {
		return out, nil // the run has not begun, so the task has no state
	}
	out.State, out.Attempt, out.Reason = t.State, t.Attempt, t.Reason
	return out, err
}

func (d *Door) journal(r *request) (any, error) {
	limit, err := r.number("limit", 100, 1000)
	if err != nil {
		return nil, err
	}
	run, err := d.Runs.RunByID(r.Context(), r.runID())
	if err != nil {
		return nil, err
	}
	entries, next, err := d.Runs.Journal(r.Context(), r.runID(), flow.Page{Limit: limit, After: r.URL.Query().Get("after")})
	if err != nil {
		return nil, err
	}
	type entryView struct {
		Seq    int64           `json:"seq"`
		At     time.Time       `json:"at"`
		Task   flow.TaskID     `json:"task,omitempty"`
		Event  string          `json:"event"`
		Detail json.RawMessage `json:"detail,omitempty"`
	}
	out := struct {
		Entries []entryView `json:"entries"`
		Next    string      `json:"next,omitempty"`
	}{Entries: []entryView{}, Next: next}
	for _, e := range entries {
		if d.Mask != nil && len(e.Detail) > 0 {
			if e.Detail, err = d.Mask(r.Context(), run, e.Detail); err != nil {
				return nil, err
			}
		}
		out.Entries = append(out.Entries, entryView{e.Seq, e.At, e.Task, e.What, e.Detail})
	}
	return out, nil
}

func (d *Door) clear(r *request) (any, error) {
	var in struct {
		Clear
		caller
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	row, err := d.Conductor.Clear(r.Context(), r.runID(), in.Clear, r.signed(in.caller))
	return view(row), err
}

// retry does again what failed and all that came after it.
func (d *Door) retry(r *request) (any, error) {
	by, err := r.asker()
	if err != nil {
		return nil, err
	}
	row, err := d.Conductor.Clear(r.Context(), r.runID(), Clear{Failed: true, Downstream: true}, by)
	return view(row), err
}

// states are the words for the ends that a person may decide.
var states = map[string]flow.State{"success": flow.Succeeded, "failed": flow.Failed, "skipped": flow.Skipped}

func (d *Door) mark(r *request) (any, error) {
	var in struct {
		Task  flow.TaskID `json:"task"`
		State string      `json:"state"`
		caller
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	s, ok := states[in.State]
	if !ok {
		return nil, flow.Errorf(flow.Invalid, "state %q: expected success, failed or skipped", in.State)
	}
	row, err := d.Conductor.Mark(r.Context(), r.runID(), in.Task, s, r.signed(in.caller))
	return view(row), err
}

func (d *Door) rerun(r *request) (any, error) {
	var in struct {
		// Params replace those of the first run; absent: the same.
		Params json.RawMessage `json:"params"`
		// Latest takes the workflow's latest version instead of the run's own.
		Latest bool   `json:"latest"`
		Token  string `json:"token"`
		caller
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	by := r.signed(in.caller)
	like, err := d.Runs.RunByID(r.Context(), r.runID())
	if err != nil {
		return nil, err
	}
	params := like.Params
	if in.Params != nil {
		var object map[string]any
		if err := json.Unmarshal(in.Params, &object); err != nil || object == nil {
			return nil, flow.Errorf(flow.Invalid, "params: expected a JSON object")
		}
		params = in.Params
	}
	if len(in.Token) > 256 {
		return nil, flow.Errorf(flow.Invalid, "token: at most 256 bytes")
	}
	row, err := d.Conductor.Rerun(r.Context(), like, params, in.Latest, in.Token, by)
	return view(row), err
}

package ops

import (
	"context"
	"fmt"
	"time"

	"fairlead/internal/flow"
)

// workflow returns the workflow that the path names; the zero one if it names
// none, which is everything.
func (d *Door) workflow(r *request) (flow.Workflow, error) {
	name := r.PathValue("workflow")
	if name == "" {
		return flow.Workflow{}, nil
	}
	return d.Workflows.Find(r.Context(), name)
}

// A pauseView is what is paused; an empty workflow is everything.
type pauseView struct {
	Workflow flow.WorkflowID `json:"workflow"`
	By       string          `json:"by,omitempty"`
	Since    time.Time       `json:"since,omitzero"`
}

func (d *Door) pauses(r *request) (any, error) {
	out, err := d.pauseViews(r.Context())
	return map[string]any{"pauses": out}, err
}

func (d *Door) pauseViews(ctx context.Context) ([]pauseView, error) {
	all, err := d.Runs.Pauses(ctx)
	out := make([]pauseView, len(all))
	for i, p := range all {
		out[i] = pauseView(p)
	}
	return out, err
}

func (d *Door) pause(r *request) (any, error)  { return d.turn(r, d.Conductor.Pause) }
func (d *Door) resume(r *request) (any, error) { return d.turn(r, d.Conductor.Unpause) }

// turn begins or ends a pause and answers with what is paused then.
func (d *Door) turn(r *request, to func(ctx context.Context, wf flow.WorkflowID, by string) error) (any, error) {
	by, err := r.asker()
	if err != nil {
		return nil, err
	}
	wf, err := d.workflow(r)
	if err != nil {
		return nil, err
	}
	if err := to(r.Context(), wf.ID, by); err != nil {
		return nil, err
	}
	return d.pauses(r)
}

// maxRuns bounds how many runs one answer explains, and explaining how long
// it tries.
const (
	maxRuns    = 50
	explaining = 5 * time.Second
)

// A runWait is an unfinished run and what it waits for.
type runWait struct {
	runView
	Wait *waitView `json:"wait,omitempty"`
}

// unfinished says what runs wait for that have not ended. A run that does not
// answer in time is shown without.
func (d *Door) unfinished(ctx context.Context, wf flow.WorkflowID) (out []runWait, more int, err error) {
	runs, more, err := d.Conductor.Unfinished(ctx, wf, maxRuns)
	if err != nil {
		return nil, 0, err
	}
	soon, cancel := context.WithTimeout(ctx, explaining)
	defer cancel()
	out = []runWait{}
	for _, r := range runs {
		run := runWait{runView: view(r)}
		if w, ok, err := d.Conductor.Why(soon, r.ID, ""); ok && err == nil {
			v := viewWait(w)
			run.Wait = &v
		}
		out = append(out, run)
	}
	return out, more, ctx.Err()
}

// whyAll says what is paused, and what all runs wait for.
func (d *Door) whyAll(r *request) (any, error) {
	all, err := d.pauseViews(r.Context())
	if err != nil {
		return nil, err
	}
	runs, more, err := d.unfinished(r.Context(), "")
	if err != nil {
		return nil, err
	}
	return struct {
		Pauses []pauseView `json:"pauses"`
		Runs   []runWait   `json:"runs"`
		More   int         `json:"more,omitempty"`
	}{all, runs, more}, nil
}

// whyWorkflow says what the next run by itself waits for, and those that have
// not ended.
func (d *Door) whyWorkflow(r *request) (any, error) {
	wf, err := d.Workflows.Any(r.Context(), r.PathValue("workflow"))
	if err != nil {
		return nil, err
	}
	all, err := d.Runs.Pauses(r.Context())
	if err != nil {
		return nil, err
	}
	w := waitView{Gate: flow.GateSchedule}
	if w.Until, err = d.Conductor.Next(r.Context(), wf.ID); err != nil {
		return nil, err
	}
	w.Reason = "its next run begins by itself"
	if w.Until.IsZero() {
		w.Reason = "it has no schedule, or none that fires again: it runs when it is started"
	}
	for _, p := range all {
		if what := "the workflow"; p.Workflow == "" || p.Workflow == wf.ID {
			if p.Workflow == "" {
				what = "everything"
			}
			w.Gate, w.Until = flow.GatePaused, time.Time{} // it does not open by itself
			w.Reason = what + " is paused by " + p.By + " since " + p.Since.UTC().Format(time.RFC3339) + "; slots pass until it is resumed"
		}
	}
	runs, more, err := d.unfinished(r.Context(), wf.ID)
	if err != nil {
		return nil, err
	}
	return struct {
		Workflow flow.WorkflowID `json:"workflow"`
		Name     string          `json:"name"`
		Wait     waitView        `json:"wait"`
		Runs     []runWait       `json:"runs"`
		More     int             `json:"more,omitempty"`
	}{wf.ID, wf.Name, w, runs, more}, nil
}

// A moment is a time in a body.
type moment struct{ time.Time }

// UnmarshalJSON reads the form of RFC 3339.
func (m *moment) UnmarshalJSON(raw []byte) error {
	if err := m.Time.UnmarshalJSON(raw); err != nil {
		return fmt.Errorf("%s is no moment: expected one such as \"2026-03-01T00:00:00Z\"", raw)
	}
	return nil
}

func (d *Door) backfill(r *request) (any, error) {
	var in struct {
		From moment `json:"from"`
		To   moment `json:"to"`
		Dry  bool   `json:"dry"`
		caller
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	by := r.signed(in.caller)
	if in.From.IsZero() || in.To.IsZero() {
		return nil, flow.Errorf(flow.Invalid, "from and to are needed: the first and the last moment, such as 2026-03-01T00:00:00Z")
	}
	wf, err := d.workflow(r)
	if err != nil {
		return nil, err
	}
	slots, err := d.Conductor.Backfill(r.Context(), wf.ID, in.From.Time, in.To.Time, in.Dry, by)
	if err != nil {
		return nil, err
	}
	begun := 0
	for _, s := range slots {
		if s.Run != "" {
			begun++
		}
	}
	return map[string]any{"slots": slots, "begun": begun}, nil
}

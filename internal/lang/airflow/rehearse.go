package airflow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/lang"
)

// Arguments returns the arguments of an attempt as [Performer.Perform] hands
// them to the operator, and carries out nothing. Of p it needs Table, XComs
// and Extras. When the outcome is not nil, the attempt ends with it: a
// template could not be rendered, or a param is refused.
func (p *Performer) Arguments(ctx context.Context, a lang.Attempt) (map[string]json.RawMessage, *flow.Outcome, error) {
	w, err := p.read(a)
	if err != nil {
		return nil, nil, err
	}
	params, err := MergeParams(w.meta, w.action, a.Run.Params)
	if err == nil {
		var args map[string]json.RawMessage
		if args, err = w.arguments(ctx, params); err == nil {
			return args, nil, nil
		}
	}
	out, err := w.failed(err)
	if err != nil {
		return nil, nil, err
	}
	return nil, &out, nil
}

// NotYet says what follows the n-th look of a sensor's attempt, at now, that
// did not find what it waits for, or failed: an outcome, which may be a rest,
// or, when that is nil, another look after a pause. It uses no field of p.
func (p *Performer) NotYet(a lang.Attempt, n int, now time.Time, failed error) (*flow.Outcome, time.Duration, error) {
	w, err := p.read(a)
	if err != nil {
		return nil, 0, err
	}
	s := w.action.Sensor
	if s == nil {
		return nil, 0, fmt.Errorf("task %s is not a sensor", a.Task.ID)
	}
	out, pause, over := w.notYet(s, n, failed, now, a.Task.Started, a.Task.Since)
	switch {
	case over:
	case s.Mode == "reschedule":
		out = flow.Outcome{Verdict: flow.Rest, Until: now.Add(pause)}
	default:
		return nil, pause, nil
	}
	return &out, 0, nil
}

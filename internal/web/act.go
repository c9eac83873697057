package web

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"fairlead/internal/flow"
)

// A StartRequest asks for a run.
type StartRequest struct {
	Workflow flow.WorkflowID
	Version  flow.VersionID  // empty: the latest
	Params   json.RawMessage // a JSON object; nil: none
	Token    string
}

// A Clear names the tasks to do again.
type Clear struct {
	Tasks      []flow.TaskID `json:"tasks"`
	Failed     bool          `json:"failed"`
	Downstream bool          `json:"downstream"`
}

// A Slot is one moment of a backfill. Run is empty if the slot had one
// already, or in a dry one.
type Slot struct {
	At  time.Time
	Run flow.RunID
}

// maxToken bounds the token of a request.
const maxToken = 128

func checkToken(token string) error {
	if len(token) > maxToken {
		return fault("token", "expected at most %d bytes", maxToken)
	}
	return nil
}

// object refuses JSON that is no object; nothing is nil.
func object(field string, raw json.RawMessage) (json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] != '{' {
		return nil, fault(field, "expected a JSON object")
	}
	return raw, nil
}

// checkParams refuses what the schemas of params do.
func (s *Console) checkParams(ctx context.Context, graph string, params json.RawMessage) error {
	g, err := s.whole(ctx, graph)
	if err != nil {
		return err
	}
	faults, err := s.c.Language.CheckParams(g, params)
	if err != nil || len(faults) == 0 {
		return err
	}
	bad := flow.Errorf(flow.Invalid, "%s", faults[0].Message)
	for _, f := range faults {
		bad = bad.At("params."+f.Name, f.Message)
	}
	return bad
}

type begunView struct {
	Run runView `json:"run"`
}

func (s *Console) begun(ctx context.Context, r flow.Run, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	v, err := s.viewRun(ctx, r)
	return begunView{v}, err
}

func (s *Console) start(c *call) (any, error) {
	var in struct {
		Params  json.RawMessage `json:"params"`
		Version flow.VersionID  `json:"version"`
		Token   string          `json:"token"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkToken(in.Token); err != nil {
		return nil, err
	}
	params, err := object("params", in.Params)
	if err != nil {
		return nil, err
	}
	ctx := c.Context()
	w, err := s.c.Workflows.Workflow(ctx, workflowOf(c))
	if err != nil {
		return nil, err
	}
	version := in.Version
	if version == "" {
		version = w.Latest
	}
	v, err := s.c.Workflows.Version(ctx, w.ID, version)
	if err != nil {
		return nil, err
	}
	if err := s.checkParams(ctx, v.Graph, params); err != nil {
		return nil, err
	}
	r, err := s.c.Actions.Start(ctx, StartRequest{w.ID, in.Version, params, in.Token})
	return s.begun(ctx, r, err)
}

// nothing reads a body that has nothing to say.
func (c *call) nothing() error {
	var in struct{}
	return c.decode(&in)
}

// onRun answers a call that does one thing to a run.
func (s *Console) onRun(do func(ctx context.Context, r flow.Run, by string) (flow.Run, error)) endpoint {
	return func(c *call) (any, error) {
		if err := c.nothing(); err != nil {
			return nil, err
		}
		return s.withRun(c, do)
	}
}

func (s *Console) withRun(c *call, do func(ctx context.Context, r flow.Run, by string) (flow.Run, error)) (any, error) {
	r, err := s.c.Runs.RunByID(c.Context(), runOf(c))
	if err == nil {
		r, err = do(c.Context(), r, c.user)
	}
	return s.begun(c.Context(), r, err)
}

func (s *Console) stop(ctx context.Context, r flow.Run, by string) (flow.Run, error) {
	return s.c.Actions.Stop(ctx, r, by)
}

func (s *Console) retry(ctx context.Context, r flow.Run, by string) (flow.Run, error) {
	return s.c.Actions.Clear(ctx, r.ID, Clear{Failed: true, Downstream: true}, by)
}

// maxCleared bounds how many tasks one request names.
const maxCleared = 10_000

func (s *Console) clear(c *call) (any, error) {
	var in Clear
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if len(in.Tasks) > maxCleared {
		return nil, fault("tasks", "at most %d can be named; failed names all that failed", maxCleared)
	}
	return s.withRun(c, func(ctx context.Context, r flow.Run, by string) (flow.Run, error) {
		if err := notOmics(r, "to clear tasks"); err != nil {
			return r, err
		}
		return s.c.Actions.Clear(ctx, r.ID, in, by)
	})
}

func (s *Console) mark(c *call) (any, error) {
	var in struct {
		Task  flow.TaskID `json:"task"`
		State string      `json:"state"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	st, ok := map[string]flow.State{"success": flow.Succeeded, "failed": flow.Failed, "skipped": flow.Skipped}[in.State]
	if !ok {
		return nil, fault("state", "%q: expected success, failed or skipped", clip(in.State, 50))
	}
	return s.withRun(c, func(ctx context.Context, r flow.Run, by string) (flow.Run, error) {
		if err := notOmics(r, "to mark tasks"); err != nil {
			return r, err
		}
		return s.c.Actions.Mark(ctx, r.ID, in.Task, st, by)
	})
}

func (s *Console) rerun(c *call) (any, error) {
	var in struct {
		Params json.RawMessage `json:"params"`
		Latest bool            `json:"latest"`
		Token  string          `json:"token"`
		// Of runs of HealthOmics alone.
		Name      string `json:"name"`
		OutputURI string `json:"outputUri"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkToken(in.Token); err != nil {
		return nil, err
	}
	params, err := object("params", in.Params)
	if err != nil {
		return nil, err
	}
	return s.withRun(c, func(ctx context.Context, r flow.Run, by string) (flow.Run, error) {
		switch {
		case serviceOf(r) != omics && in.Name+in.OutputURI != "":
			return r, fault("name", "runs of workflows have neither a name nor a place for outputs")
		case serviceOf(r) == omics && in.Latest:
			return r, fault("latest", "a run of HealthOmics is repeated with the workflow that it had")
		case serviceOf(r) == omics:
			return s.c.Omics.Repeat(ctx, r, OmicsRepeat{params, in.Name, in.OutputURI, in.Token})
		}
		if params == nil {
			return s.c.Actions.Rerun(ctx, r, r.Params, in.Latest, in.Token, by)
		}
		graph := r.Graph
		if in.Latest {
			row, err := s.row(ctx, r.Workflow)
			if err != nil {
				return r, err
			}
			graph = row.Latest.Graph
		}
		if err := s.checkParams(ctx, graph, params); err != nil {
			return r, err
		}
		return s.c.Actions.Rerun(ctx, r, params, in.Latest, in.Token, by)
	})
}

// turn begins or ends a pause of a workflow.
func (s *Console) turn(to func(ctx context.Context, w flow.WorkflowID, by string) error) endpoint {
	return func(c *call) (any, error) {
		if err := c.nothing(); err != nil {
			return nil, err
		}
		w, err := s.c.Workflows.Workflow(c.Context(), workflowOf(c))
		if err != nil {
			return nil, err
		}
		if err := to(c.Context(), w.ID, c.user); err != nil {
			return nil, err
		}
		s.Changed(w.ID)
		return s.workflowNow(c.Context(), w.ID)
	}
}

// turnAll begins or ends the pause of everything.
func (s *Console) turnAll(to func(ctx context.Context, w flow.WorkflowID, by string) error) endpoint {
	return func(c *call) (any, error) {
		if err := c.nothing(); err != nil {
			return nil, err
		}
		if err := to(c.Context(), "", c.user); err != nil {
			return nil, err
		}
		s.Changed("")
		all, _, err := s.pauses(c.Context())
		return map[string]*pauseView{"pausedAll": all}, err
	}
}

func (s *Console) backfill(c *call) (any, error) {
	var in struct {
		From int64 `json:"from"`
		To   int64 `json:"to"`
		Dry  bool  `json:"dry"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	const last = int64(253402300799000) // the end of the year 9999
	if in.From <= 0 || in.From > last || in.To <= 0 || in.To > last {
		return nil, fault("from", "expected a first and a last moment from 1970 to 9999, in milliseconds since 1970")
	}
	if in.To < in.From {
		return nil, fault("to", "the last moment is before the first")
	}
	w, err := s.c.Workflows.Workflow(c.Context(), workflowOf(c))
	if err != nil {
		return nil, err
	}
	slots, err := s.c.Steering.Backfill(c.Context(), w.ID, time.UnixMilli(in.From).UTC(), time.UnixMilli(in.To).UTC(), in.Dry, c.user)
	if err != nil {
		return nil, err
	}
	type slotView struct {
		At  int64      `json:"at"`
		Run flow.RunID `json:"run"`
	}
	out := struct {
		Slots []slotView `json:"slots"`
		Begun int        `json:"begun"`
	}{Slots: make([]slotView, len(slots))}
	for i, sl := range slots {
		out.Slots[i] = slotView{millis(sl.At), sl.Run}
		if sl.Run != "" {
			out.Begun++
		}
	}
	return out, nil
}

package wdl

import (
	"context"
	"errors"

	"fairlead/internal/flow"
)

// Finished returns those outputs of a run that has not come to its outputs, as
// far as its tasks have made them: an array has None in the place of what was
// not made, and what cannot be told is left out. It is nil if there is nothing.
// unfolded says into how many instances a task has unfolded.
func (p *Performer) Finished(ctx context.Context, run flow.Run, g *flow.Graph, unfolded func(flow.TaskID) int) (*Record, error) {
	s, err := p.open(ctx, run, g)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &Record{}
	for _, d := range s.root.plan.doc.Workflow.Outputs {
		v, err := s.root.finished(d, unfolded)
		if err != nil {
			return nil, err
		}
		if v, err = s.files.(*runFiles).where(v); err != nil {
			return nil, err
		}
		if v != nil {
			out.Names, out.Values = append(out.Names, d.Name.Text), append(out.Values, v)
		}
	}
	if len(out.Names) == 0 {
		return nil, nil
	}
	return out, nil
}

// finished returns an output of the frame's workflow, or what there is of it if
// it names no more than what a call has made. Other expressions might not mean
// the same of a part.
func (f *frame) finished(d *Decl, unfolded func(flow.TaskID) int) (Value, error) {
	f.v.steps = 0 // the bound is on one output
	v, err := f.scope.Decl(d)
	if err == nil {
		return v, nil
	}
	if ours, ok := errors.AsType[*unread](err); ok {
		return nil, ours
	}
	m, ok := d.Expr.(*Member)
	if !ok {
		return nil, nil
	}
	r, ok := m.X.(*Ref)
	if !ok {
		return nil, nil
	}
	if c, ok := r.To.(*Call); ok {
		return f.made(c, m.Name.Text, unfolded)
	}
	return nil, nil
}

// made returns what there is of an output of a call in the frame, or in a
// section of it.
func (f *frame) made(c *Call, name string, unfolded func(flow.TaskID) int) (Value, error) {
	switch it := f.plan.beside(c, f.section); it {
	case nil:
		return nil, nil
	case c:
		return f.madeHere(c, name, unfolded)
	default:
		section := it.(Element)
		id := f.prefix + f.ids[section]
		list, found := make([]Value, unfolded(id)), false
		for k := range list {
			g := f.s.newFrame(f.plan, section, f, flow.Inside(id, k, ""))
			var err error
			if list[k], err = g.made(c, name, unfolded); err != nil {
				return nil, err
			}
			found = found || list[k] != nil
		}
		if !found {
			return nil, nil
		}
		if _, ok := section.(*Conditional); ok {
			return list[0], nil
		}
		return NewList(list...), nil
	}
}

// madeHere is made for a call that is directly in the frame.
func (f *frame) madeHere(c *Call, name string, unfolded func(flow.TaskID) int) (Value, error) {
	v, err := f.direct(c)
	if ours, ok := errors.AsType[*unread](err); ok {
		return nil, ours
	}
	if err == nil {
		if rec, ok := v.(*Record); ok {
			v, _ = rec.Find(name)
			return v, nil
		}
	}
	if c.Workflow == nil || unfolded(f.prefix+f.ids[c]) == 0 {
		return nil, nil
	}
	g, err := f.instance(f.ids[c], 0)
	if ours, ok := errors.AsType[*unread](err); ok {
		return nil, ours
	}
	if err != nil {
		return nil, nil // it was not given its inputs
	}
	for _, d := range c.Workflow.Workflow.Outputs {
		if d.Name.Text == name {
			return g.finished(d, unfolded)
		}
	}
	return nil, nil
}

package wdl

import (
	"fmt"
)

// infoType is what the name task means in the command and the outputs of a
// task, from version 1.2 on. What may be None has no type, so that it goes
// where the specification's own examples put it.
var infoType = Type{Kind: Object, Struct: &StructType{Name: "task", Members: []Field{
	{"name", Of(String)},
	{"id", Of(String)},
	{"container", Type{}},
	{"cpu", Of(Float)},
	{"memory", Of(Int)},
	{"gpu", ArrayOf(Of(String))},
	{"fpga", ArrayOf(Of(String))},
	{"disks", MapOf(Of(String), Of(Int))},
	{"attempt", Of(Int)},
	{"end_time", Type{}},
	{"return_code", Type{}},
	{"meta", Of(Object)},
	{"parameter_meta", Of(Object)},
	{"ext", Of(Object)},
}}}

// An infoEnv gives the name task its value, and no other name.
type infoEnv struct {
	w    *work
	t    *call
	code *int // of the command, once it has ended
}

// Value is that of [Env].
func (e infoEnv) Value(r *Ref) (Value, error) {
	if r.Name != "task" || r.To != nil {
		return nil, fmt.Errorf("there is no %q here", r.Name)
	}
	return e.w.info(e.t, e.code)
}

// info returns what a task may know of its current attempt; code is the exit
// code of its command, nil before that has ended.
func (w *work) info(t *call, code *int) (Value, error) {
	meta, err := t.v.object(&ObjectLit{Members: t.task.Meta})
	if err != nil {
		return nil, err
	}
	described, err := t.v.object(&ObjectLit{Members: t.task.ParameterMeta})
	if err != nil {
		return nil, err
	}
	var image, end, exit Value
	if w.Images && len(t.want.Images) > 0 {
		image = t.want.Images[0]
	}
	if t.want.Timeout == 0 {
		end = int64(0) // there is no such time; of an attempt that has one it is not known
	}
	if code != nil {
		exit = int64(*code)
	}
	gpus := NewList()
	for range t.want.GPUs {
		gpus.Items = append(gpus.Items, t.want.GPU)
	}
	rec := &Record{}
	for _, m := range []struct {
		name  string
		value Value
	}{
		{"name", t.task.Name.Text},
		{"id", string(w.Task.ID)},
		{"container", image},
		{"cpu", float64(t.want.CPUs)},
		{"memory", w.memory(t)},
		{"gpu", gpus},
		{"fpga", NewList()},
		{"disks", NewDict([]Value{"/"}, []Value{max(t.want.Disk, gib)})},
		{"attempt", int64(w.Task.Attempt - w.Task.Base - 1)},
		{"end_time", end},
		{"return_code", exit},
		{"meta", meta},
		{"parameter_meta", described},
		{"ext", &Record{}},
	} {
		rec.Names, rec.Values = append(rec.Names, m.name), append(rec.Values, m.value)
	}
	return rec, nil
}

// memory returns what the current attempt may have: twice as much after each
// that ran out of it.
func (w *work) memory(t *call) int64 {
	if t.want.MaxRetries > 0 {
		return t.want.Memory << min(w.Task.Attempt-w.Task.Base-1, 10)
	}
	return t.want.Memory
}

// knowsItself says that a task uses what it may know of its attempt.
func (t *Task) knowsItself() bool {
	found := false
	note := func(r *Ref) { found = found || r.Name == "task" && r.To == nil }
	if t.Command != nil {
		for _, p := range t.Command.Parts {
			if p.Hole != nil {
				refs(p.Hole.Expr, note)
			}
		}
	}
	for _, d := range t.Outputs {
		refs(d.Expr, note)
	}
	return found
}

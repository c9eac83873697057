package storetest

import (
	"encoding/json"
	"fairlead/internal/flow"
)

func pauses(w world) {
	wf, _ := w.workflow("w", 1)
	w.ok("Pause", w.db.Pause(w.ctx, wf.ID, "ann", at(3)))
	w.ok("Pause again", w.db.Pause(w.ctx, wf.ID, "bob", at(4)))
	w.ok("Pause everything", w.db.Pause(w.ctx, "", "bob", at(5)))
	w.kind("Pause of none", w.db.Pause(w.ctx, "none", "ann", at(3)), flow.NotFound)
	got, err := w.db.Pauses(w.ctx)
	w.ok("Pauses", err)
	w.same("Pauses", got, []flow.Pause{{Workflow: "", By: "bob", Since: at(5)}, {Workflow: "w", By: "ann", Since: at(3)}})
	w.ok("Unpause", w.db.Unpause(w.ctx, ""))
	w.ok("Unpause again", w.db.Unpause(w.ctx, ""))
	got, err = w.db.Pauses(w.ctx)
	w.ok("Pauses", err)
	w.same("Pauses after Unpause", len(got), 1)
	_, err = w.db.MarkDeleting(w.ctx, wf.ID)
	w.ok("MarkDeleting", err)
	_, err = w.db.PurgeWorkflow(w.ctx, wf.ID, 100)
	w.ok("PurgeWorkflow", err)
	got, err = w.db.Pauses(w.ctx)
	w.ok("Pauses", err)
	w.same("Pauses of a workflow that is gone", len(got), 0)
}

// reopen saves what clearing a run that has ended makes of it.
func reopen(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 2)
	task := flow.Task{ID: "a", State: flow.Failed, Attempt: 3, Base: 2}
	w.save(w.step(&r, flow.Running, task), w.step(&r, flow.Failed))
	open, err := w.db.Unfinished(w.ctx)
	w.ok("Unfinished", err)
	w.same("unfinished before", len(open), 0)

	s := w.step(&r, flow.Running)
	s.Reopens, s.Run.Held = true, true
	r = s.Run
	w.save(s)
	open, err = w.db.Unfinished(w.ctx)
	w.ok("Unfinished", err)
	w.same("unfinished after", open, []flow.Run{r})
	tasks, err := w.db.Tasks(w.ctx, r.ID)
	w.ok("Tasks", err)
	w.same("Base", tasks[0].Base, 2)

	w.save(w.step(&r, flow.Failed))
	_, err = w.db.MarkDeleting(w.ctx, wf.ID)
	w.ok("MarkDeleting", err)
	s = w.step(&r, flow.Running)
	s.Reopens = true
	w.kind("reopen a run of a workflow that goes", w.db.Save(w.ctx, s), flow.Conflict)
	if _, err := w.db.PurgeWorkflow(w.ctx, wf.ID, 100); err != nil {
		w.Errorf("PurgeWorkflow after a refused reopening: %v", err)
	}

	// A run of no version is of a workflow that is kept elsewhere.
	graph, err := w.db.PutGraph(w.ctx, flow.Graph{Nodes: []flow.Node{{ID: "z"}}})
	w.ok("PutGraph", err)
	c, err := w.db.AddRecord(w.ctx, flow.Record{
		Workflow: flow.WorkflowID(w.resource(flow.OmicsWorkflow, "wf", 1).ID), Created: at(3), Body: json.RawMessage(`{}`),
	}, flow.Token{}, 0)
	w.ok("AddRecord", err)
	o := flow.Run{ID: c.Run, Workflow: c.Workflow, Kind: flow.OnDemand, State: flow.Starting, Graph: graph, Created: at(3), Modified: at(3), Logical: at(3)}
	o, _, err = w.db.InsertRun(w.ctx, o, flow.Token{}, 1, 1)
	w.ok("InsertRun", err)
	w.save(w.step(&o, flow.Running, flow.Task{ID: "z", State: flow.Failed, Attempt: 1}), w.step(&o, flow.Failed))
	s = w.step(&o, flow.Running)
	s.Reopens = true
	o = s.Run
	w.save(s)
	open, err = w.db.Unfinished(w.ctx)
	w.ok("Unfinished", err)
	w.same("unfinished, of no version", open, []flow.Run{o})
}

func slots(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.newRun(wf, "b1", 5)
	r.Kind = flow.Backfill
	for _, tt := range []struct {
		id   flow.RunID
		slot int
		want bool
	}{{"b1", 5, true}, {"b2", 5, false}, {"b3", 6, true}} {
		r.ID, r.Logical = tt.id, at(tt.slot)
		created, err := w.db.InsertSlot(w.ctx, r)
		w.ok("InsertSlot", err)
		w.same("InsertSlot of "+string(tt.id), created, tt.want)
	}
	w.run(wf, "on demand at a slot's time", 7)
	r.ID, r.Logical = "b4", at(7)
	created, err := w.db.InsertSlot(w.ctx, r)
	w.ok("InsertSlot", err)
	w.same("InsertSlot beside a run on demand", created, true)
	_, err = w.db.RunByID(w.ctx, "b2")
	w.kind("the run that was not wanted", err, flow.NotFound)

	// A slot that a backfill has taken is passed over: the schedule goes on.
	w.ok("SetSchedule", w.db.SetSchedule(w.ctx, wf.ID, wf.Latest, at(8)))
	r.ID, r.Logical = "b5", at(8)
	_, err = w.db.InsertSlot(w.ctx, r)
	w.ok("InsertSlot", err)
	late := w.newRun(wf, "late", 8)
	late.Kind = flow.Scheduled
	fired, err := w.db.FireSchedule(w.ctx, wf.ID, at(8), at(9), &late)
	w.same("FireSchedule of a slot that is taken", []any{fired, err}, []any{false, nil})
	next, ok, err := w.db.NextDue(w.ctx)
	w.same("the next fire", []any{next, ok, err}, []any{at(9), true, nil})
}

package storetest

import (
	"fmt"
	"strings"

	"fairlead/internal/flow"
)

// deliveries checks what is owed to sinks: by new runs, by those that are
// reopened, and by none that they know to the end.
func deliveries(w world) {
	gone, err := w.db.KeepSinks(w.ctx, []string{"x", "y"})
	w.ok("KeepSinks", err)
	w.same("KeepSinks", len(gone), 0)
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	s := w.run(wf, "s", 2)
	owed := func(what, sink string, want ...flow.RunID) {
		w.Helper()
		got, err := w.db.Undelivered(w.ctx, sink, "", 10)
		w.ok(what, err)
		w.same(what, got, want)
	}
	cursor := func(what, sink string, run flow.RunID, want int64, wantOK bool) {
		w.Helper()
		got, ok, err := w.db.Cursor(w.ctx, sink, run)
		w.ok(what, err)
		w.same(what, []any{got, ok}, []any{want, wantOK})
	}
	owed("new runs", "x", "r", "s")
	cursor("a new run", "x", "r", -1, true)
	w.save(w.step(&r, flow.Running), w.step(&r, flow.Running))
	w.ok("Delivered", w.db.Delivered(w.ctx, "x", map[flow.RunID]int64{"r": 2, "s": 0}))
	owed("after a delivery", "x")
	owed("of the other sink", "y", "r", "s")
	next, err := w.db.Undelivered(w.ctx, "y", "r", 10)
	w.ok("Undelivered after r", err)
	w.same("Undelivered after r", next, []flow.RunID{"s"})
	all, err := w.db.Backlog(w.ctx)
	w.ok("Backlog", err)
	w.same("Backlog", all, map[string]int64{"x": 0, "y": 3 + 1})

	w.save(w.step(&r, flow.Failed))
	w.ok("Delivered too little", w.db.Delivered(w.ctx, "x", map[flow.RunID]int64{"r": 2}))
	owed("the end", "x", "r")
	w.ok("Delivered", w.db.Delivered(w.ctx, "x", map[flow.RunID]int64{"r": 3}))
	owed("after the end", "x")
	cursor("after the end", "x", "r", 0, false)
	if n, err := w.db.DeleteRuns(w.ctx, at(100), 10, func(flow.Run) {}); n != 0 || err != nil {
		w.Errorf("DeleteRuns while a sink is owed: %d, %v, want 0", n, err)
	}
	again := w.step(&r, flow.Running)
	again.Reopens = true
	w.save(again)
	owed("reopened", "x", "r")
	cursor("reopened", "x", "r", 3, true)
	cursor("reopened, of the other sink", "y", "r", -1, true)
	w.save(w.step(&r, flow.Succeeded), w.step(&s, flow.Succeeded))

	gone, err = w.db.KeepSinks(w.ctx, []string{"x", "z"})
	w.ok("KeepSinks", err)
	w.same("KeepSinks without y", gone, map[string]int64{"y": 2})
	owed("a new sink", "z")
	_, err = w.db.MarkDeleting(w.ctx, wf.ID)
	w.ok("MarkDeleting", err)
	if _, err := w.db.PurgeWorkflow(w.ctx, wf.ID, 1000); flow.KindOf(err) != flow.Busy {
		w.Errorf("PurgeWorkflow while a sink is owed: %v, want Busy", err)
	}
	w.ok("Delivered", w.db.Delivered(w.ctx, "x", map[flow.RunID]int64{"r": 5, "s": 1}))
	done, err := w.db.PurgeWorkflow(w.ctx, wf.ID, 1000)
	w.ok("PurgeWorkflow", err)
	w.same("PurgeWorkflow", done, true)
}

// notices checks what sinks are told of resources: each status of workflows,
// versions and batches, once, until all sinks know.
func notices(w world) {
	add := func(r flow.Resource) flow.Resource {
		w.Helper()
		r, _, err := w.db.AddResource(w.ctx, r, flow.Token{}, 0)
		w.ok("AddResource", err)
		return r
	}
	status := func(r flow.Resource, to string) {
		w.Helper()
		_, err := w.db.ChangeResource(w.ctx, r.Kind, r.ID, func(r *flow.Resource) error { r.Status = to; return nil })
		w.ok("ChangeResource", err)
	}
	owed := func(what, sink string, want ...flow.RunID) {
		w.Helper()
		got, err := w.db.Undelivered(w.ctx, sink, "", 10)
		w.ok(what, err)
		w.same(what, got, want)
	}
	told := func(topic flow.RunID, after int64) (string, int64) {
		w.Helper()
		all, err := w.db.Notices(w.ctx, topic, after, 10)
		w.ok("Notices", err)
		var texts []string
		for _, n := range all {
			text := n.Resource.Status
			if n.Counts != nil {
				text += fmt.Sprint(" ", n.Counts.Total)
			}
			texts, after = append(texts, text), n.Seq
		}
		return strings.Join(texts, ", "), after
	}
	early := add(flow.Resource{Kind: flow.OmicsWorkflow, Status: "ACTIVE", Created: at(1)})
	_, err := w.db.KeepSinks(w.ctx, []string{"x", "y"})
	w.ok("KeepSinks", err)
	owed("of what was there before", "x")
	add(flow.Resource{Kind: flow.OmicsGroup, Created: at(1)})
	owed("of a group", "x")

	v := add(flow.Resource{Kind: flow.OmicsVersion, ID: early.ID + "/v1", Parent: early.ID, Status: "CREATING", Created: at(1)})
	status(v, "ACTIVE")
	status(v, "ACTIVE")
	w.ok("DeleteResource", w.db.DeleteResource(w.ctx, v.Kind, v.ID, nil))
	b, _, err := w.db.AddBatch(w.ctx, flow.Resource{Kind: flow.OmicsBatch, Status: "PENDING", Created: at(1)}, []flow.BatchEntry{{Setting: "a"}, {Setting: "b"}}, flow.Token{})
	w.ok("AddBatch", err)
	tv, tb := flow.Topic(v.Kind, v.ID), flow.Topic(b.Kind, b.ID)
	owed("of both", "x", tb, tv)
	got, last := told(tv, 0)
	w.same("a version", got, "CREATING, ACTIVE, DELETED")
	got, first := told(tb, 0)
	w.same("a batch", got, "PENDING 2")
	all, err := w.db.Backlog(w.ctx)
	w.ok("Backlog", err)
	w.same("Backlog", all, map[string]int64{"x": 4, "y": 4})

	w.ok("Delivered", w.db.Delivered(w.ctx, "x", map[flow.RunID]int64{tv: last, tb: first}))
	owed("after a delivery", "x")
	owed("of the other sink", "y", tb, tv)
	got, _ = told(tv, 0)
	w.same("while a sink is owed", got, "CREATING, ACTIVE, DELETED")
	status(b, "SUBMITTING")
	owed("again", "x", tb)
	seq, ok, err := w.db.Cursor(w.ctx, "x", tb)
	w.ok("Cursor", err)
	got, second := told(tb, seq)
	w.same("what is new", []any{ok, got}, []any{true, "SUBMITTING 2"})
	w.ok("Delivered", w.db.Delivered(w.ctx, "y", map[flow.RunID]int64{tv: last, tb: first}))
	owed("of the other sink", "y", tb)
	got, _ = told(tv, 0)
	w.same("what all sinks know", got, "")
	w.ok("Delivered", w.db.Delivered(w.ctx, "x", map[flow.RunID]int64{tb: second}))
	_, err = w.db.KeepSinks(w.ctx, []string{"x"})
	w.ok("KeepSinks", err)
	got, _ = told(tb, 0)
	w.same("what nobody is owed", got, "")
	w.ok("DeleteResource", w.db.DeleteResource(w.ctx, b.Kind, b.ID, nil))
	owed("of a batch that is gone", "x")
}

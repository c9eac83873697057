package storetest

import "fairlead/internal/flow"

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

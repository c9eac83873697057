package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/store"
)

func runs(w world) {
	wf, _ := w.workflow("w", 1)
	other, _ := w.workflow("o", 1)
	var want, wantV1 []string
	for i := range 9 {
		r := w.newRun(wf, fmt.Sprintf("r%d", i), i/2)
		if i%2 == 1 {
			r.Version = "v9"
		} else {
			wantV1 = append([]string{string(r.ID)}, wantV1...)
		}
		got, created, err := w.db.InsertRun(w.ctx, r, flow.Token{}, 0, 0)
		w.ok("InsertRun", err)
		w.same("InsertRun", []any{got, created}, []any{r, true})
		got, err = w.db.Run(w.ctx, wf.ID, r.ID)
		w.ok("Run", err)
		w.same("Run", got, r)
		want = append([]string{string(r.ID)}, want...)
	}
	w.run(other, "other", 3)
	list := func(v flow.VersionID, limit int) (ids []string) {
		page := flow.Page{Limit: limit}
		for {
			rs, next, err := w.db.Runs(w.ctx, wf.ID, v, page)
			w.ok("Runs", err)
			for _, r := range rs {
				ids = append(ids, string(r.ID))
			}
			if page.After = next; next == "" {
				return ids
			}
		}
	}
	for _, limit := range []int{1, 2, 3, 9, 100} {
		w.same(fmt.Sprintf("Runs by %d", limit), list("", limit), want)
		w.same(fmt.Sprintf("Runs of a version by %d", limit), list(wf.Latest, limit), wantV1)
	}
	_, err := w.db.Run(w.ctx, other.ID, "r1")
	w.kind("Run of another workflow", err, flow.NotFound)
	_, err = w.db.RunByID(w.ctx, "none")
	w.kind("RunByID(none)", err, flow.NotFound)
	_, _, err = w.db.InsertRun(w.ctx, w.newRun(flow.Workflow{ID: "none"}, "x", 1), flow.Token{}, 0, 0)
	w.kind("InsertRun in none", err, flow.NotFound)

	r, err := w.db.RunByID(w.ctx, "r3")
	w.ok("RunByID", err)
	w.save(w.step(&r, flow.Running), w.step(&r, flow.Failed))
	n, total, err := w.db.CountActive(w.ctx, wf.ID)
	w.ok("CountActive", err)
	w.same("CountActive", []int{n, total}, []int{8, 9})
	open, err := w.db.Unfinished(w.ctx)
	w.ok("Unfinished", err)
	var ids []string
	for _, r := range open {
		ids = append(ids, string(r.ID))
	}
	w.same("Unfinished", ids, []string{"r0", "r1", "r2", "r4", "r5", "other", "r6", "r7", "r8"})
	if len(open) > 0 {
		w.same("a run that is unfinished", open[0].Workflow, wf.ID)
	}
}

func runQuota(w world) {
	wf, _ := w.workflow("w", 1)
	other, _ := w.workflow("o", 1)
	w.run(other, "other", 1)
	for _, tt := range []struct {
		perWorkflow, total, want int // runs of wf, from then on
		code                     string
	}{
		{5, 0, 5, store.LimitRunsPerFlow},
		{0, 8, 7, store.LimitRuns},
	} {
		var wg sync.WaitGroup
		var refused atomic.Int32
		for i := range 12 {
			r := w.newRun(wf, fmt.Sprintf("r%d-%d", tt.want, i), 1)
			wg.Go(func() {
				_, created, err := w.db.InsertRun(w.ctx, r, flow.Token{}, tt.perWorkflow, tt.total)
				if created != (err == nil) {
					w.Errorf("InsertRun = %v, %v", created, err)
				}
				if err == nil {
					return
				}
				if e, ok := errors.AsType[*flow.Error](err); !ok || e.Kind != flow.Quota || e.Code != tt.code {
					w.Errorf("InsertRun = %v, want a Quota with code %s", err, tt.code)
				}
				refused.Add(1)
			})
		}
		wg.Wait()
		n, _, err := w.db.CountActive(w.ctx, wf.ID)
		w.ok("CountActive", err)
		w.same(fmt.Sprintf("active runs with limits %d and %d", tt.perWorkflow, tt.total), n, tt.want)
	}
	r, err := w.db.RunByID(w.ctx, "other")
	w.ok("RunByID", err)
	w.save(w.step(&r, flow.Succeeded))
	_, _, err = w.db.InsertRun(w.ctx, w.newRun(wf, "more", 1), flow.Token{}, 0, 8)
	w.ok("InsertRun when another has ended", err)
}

func task(id string, index int, s flow.State, attempt int) flow.Task {
	return flow.Task{
		ID: flow.TaskID(id), Index: index, Kind: "BashOperator", State: s, Attempt: attempt, Due: at(90), Handle: "h" + id,
		Reason: "because", Cause: flow.ByStop, Mark: json.RawMessage(`{"m":1}`), Pokes: 3, Since: at(1), Started: at(2), Ended: at(3), Modified: at(4),
	}
}

func steps(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	var all []flow.Task
	for i := range 201 {
		all = append(all, task(fmt.Sprintf("t%03d", 200-i), i, flow.Waiting, 0))
		all[i].Instances, all[i].First = i, 300*i
	}
	s := w.step(&r, flow.Running, all...)
	s.Run.Started, s.Run.Modified = at(5), at(6)
	r = s.Run
	w.save(s)
	tasks := func() []flow.Task {
		w.Helper()
		ts, err := w.db.Tasks(w.ctx, r.ID)
		w.ok("Tasks", err)
		return ts
	}
	w.same("Tasks after the first step", tasks(), all)
	for _, n := range []int{1, 2, 9, 80} {
		var changed []flow.Task
		for i := range n {
			all[2*i] = flow.Task{ID: all[2*i].ID, Index: 2 * i, Kind: all[2*i].Kind, State: flow.Ready, Attempt: n}
			changed = append(changed, all[2*i])
		}
		w.save(w.step(&r, flow.Running, changed...))
		w.same(fmt.Sprintf("Tasks after %d changed", n), tasks(), all)
		var want []flow.Attempt
		for _, t := range all {
			want = append(want, flow.Attempt{Task: t.ID, N: t.Attempt})
		}
		latest, err := w.db.Latest(w.ctx, r.ID)
		w.ok("Latest", err)
		w.same(fmt.Sprintf("Latest after %d changed", n), latest, want)
	}
	r.Reason, r.Cause = "stopped", flow.ByStop
	w.save(w.step(&r, flow.Stopping), w.step(&r, flow.Canceled))
	got, err := w.db.RunByID(w.ctx, r.ID)
	w.ok("RunByID", err)
	w.same("RunByID after the last step", got, r)
	none, err := w.db.Tasks(w.ctx, "none")
	w.same("Tasks(none)", []any{len(none), err}, []any{0, nil})
}

// firstStep saves more tasks than one write has. When the last write fails,
// the run has not begun, and its next first step puts things right.
func firstStep(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	var all []flow.Task
	for i := range 2500 {
		all = append(all, task(fmt.Sprintf("t%04d", i), i, flow.Canceled, 7))
	}
	queue := w.step(&r, flow.Ready)
	s := w.step(&r, flow.Running, all...)
	s.First = true
	stale := s
	stale.Run.Rev = 9
	w.kind("Save of a stale first step", w.db.Save(w.ctx, stale), flow.Conflict)
	none, err := w.db.Tasks(w.ctx, r.ID)
	w.same("Tasks after a stale first step", []any{len(none), err}, []any{0, nil})

	bad := s
	bad.Past = []flow.Attempt{{Task: "no such task", N: 1}}
	if err := w.db.Save(w.ctx, queue, bad); err == nil {
		w.Errorf("Save of an attempt of no task = nil")
	}
	got, err := w.db.RunByID(w.ctx, r.ID)
	w.ok("RunByID", err)
	w.same("state and revision after a first step that broke off", []any{got.State, got.Rev}, []any{flow.Starting, int64(0)})

	for i := range all {
		all[i] = flow.Task{ID: all[i].ID, Index: i, Kind: all[i].Kind, State: flow.Waiting}
	}
	w.save(queue, s)
	w.same("the caller's tasks after Save", len(s.Tasks), len(all))
	tasks, err := w.db.Tasks(w.ctx, r.ID)
	w.ok("Tasks", err)
	w.same("Tasks after the first step", tasks, all)
}

func staleStep(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	w.save(w.step(&r, flow.Running, task("a", 0, flow.Ready, 0)))
	now := r
	for _, rev := range []int64{-1, 0, 1, 3, 100} {
		r = now
		r.Rev = rev - 1
		s := w.step(&r, flow.Failed, task("a", 0, flow.Failed, 9))
		w.kind(fmt.Sprintf("Save of revision %d over 1", rev), w.db.Save(w.ctx, s), flow.Conflict)
	}
	r = now
	good, stale := w.step(&r, flow.Running, task("a", 0, flow.Succeeded, 2)), w.step(&r, flow.Failed)
	stale.Run.Rev = 9
	w.kind("Save of a good step and a stale one", w.db.Save(w.ctx, good, stale), flow.Conflict)
	bad := good
	bad.Past = []flow.Attempt{{Task: "no such task", N: 1}}
	if err := w.db.Save(w.ctx, bad); err == nil {
		w.Errorf("Save of an attempt of no task = nil")
	}
	r.ID, r.Rev = "none", 0
	w.kind("Save of no run", w.db.Save(w.ctx, w.step(&r, flow.Running)), flow.NotFound)

	got, err := w.db.RunByID(w.ctx, now.ID)
	w.ok("RunByID", err)
	w.same("the run", got, now)
	tasks, err := w.db.Tasks(w.ctx, now.ID)
	w.ok("Tasks", err)
	w.same("its tasks", tasks, []flow.Task{task("a", 0, flow.Ready, 0)})
	entries, _, err := w.db.Journal(w.ctx, now.ID, flow.Page{})
	w.ok("Journal", err)
	w.same("entries in its journal", len(entries), 1)
}

// race lets callers that do not know of each other save steps of the same
// runs, beside others that always fail: for each revision one wins.
func race(w world) {
	wf, _ := w.workflow("w", 1)
	const callers, revs = 6, 15
	var runs []flow.Run
	for i := range 3 {
		runs = append(runs, w.run(wf, fmt.Sprintf("r%d", i), 1))
	}
	var wg sync.WaitGroup
	wins := make([]atomic.Int32, len(runs))
	for c := range callers {
		wg.Go(func() {
			for rev := range revs {
				for i, r := range runs {
					r.Rev = int64(rev)
					s := w.step(&r, flow.Running, flow.Task{ID: "t", State: flow.Running, Attempt: 100*c + rev})
					s.Entry.Detail = json.RawMessage(fmt.Sprint(100*c + rev))
					switch err := w.db.Save(w.ctx, s); {
					case err == nil:
						wins[i].Add(1)
					case flow.KindOf(err) != flow.Conflict:
						w.Errorf("Save = %v, want a Conflict", err)
					}
				}
			}
		})
	}
	wg.Wait()
	for i, r := range runs {
		got, err := w.db.RunByID(w.ctx, r.ID)
		w.ok("RunByID", err)
		entries, _, err := w.db.Journal(w.ctx, r.ID, flow.Page{Limit: 1000})
		w.ok("Journal", err)
		w.same("wins, revision, entries", []int{int(wins[i].Load()), int(got.Rev), len(entries)}, []int{revs, revs, revs})
		tasks, err := w.db.Tasks(w.ctx, r.ID)
		w.ok("Tasks", err)
		w.same("the task is of the last entry", fmt.Sprint(tasks[0].Attempt), string(entries[len(entries)-1].Detail))
	}
}

func dirtyText(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	r.Reason = "a\x00b\xffc"
	k := flow.Task{ID: "t", State: flow.Failed, Attempt: 1, Reason: "\xc3\x28 日本 \x00", Handle: "\x00"}
	s := w.step(&r, flow.Failed, k)
	s.Outputs = []flow.Output{{Task: "t", Attempt: 1, Key: "k\x00", Value: json.RawMessage("\"\xff\"")}}
	w.save(s)
	got, err := w.db.RunByID(w.ctx, "r")
	w.ok("RunByID", err)
	w.same("reason of the run", got.Reason, "a\uFFFDb\uFFFDc")
	gotTask, err := w.db.Instance(w.ctx, "r", "t", 1)
	w.ok("Instance", err)
	w.same("reason of the task", gotTask.Reason, "\uFFFD( 日本 \uFFFD")
	out, err := w.db.Outputs(w.ctx, "r", "t", 1)
	w.ok("Outputs", err)
	w.same("outputs", out, map[string]json.RawMessage{"k\uFFFD": json.RawMessage("\"\uFFFD\"")})
}

func instances(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	w.save(w.step(&r, flow.Running, task("z", 0, flow.Waiting, 0), task("b", 1, flow.Waiting, 0), task("a", 2, flow.Waiting, 0)))
	s := w.step(&r, flow.Running, task("b", 1, flow.Running, 3), task("a", 2, flow.Succeeded, 1), task("z", 0, flow.Retrying, 2))
	s.Past = []flow.Attempt{
		{Task: "b", N: 1, State: flow.Failed, Reason: "exit 1", Started: at(10), Ended: at(11)},
		{Task: "b", N: 2, State: flow.TimedOut, Reason: "late", Started: at(12), Ended: at(13)},
		{Task: "z", N: 1, State: flow.Failed, Started: at(10), Ended: at(11)},
	}
	w.save(s, w.step(&r, flow.Running, task("c", 3, flow.Waiting, 0))) // an expansion
	want := []string{"z1 failed", "z2 retrying", "b1 failed exit 1", "b2 timedout late", "b3 running because", "a1 succeeded because", "c0 waiting because"}
	want[1] += " because"
	show := func(k flow.Task) string {
		s := fmt.Sprintf("%s%d %s", k.ID, k.Attempt, k.State)
		if k.Reason != "" {
			s += " " + k.Reason
		}
		return s
	}
	for _, limit := range []int{1, 2, 3, 4, 5, 6, 7, 100} {
		var got []string
		page := flow.Page{Limit: limit}
		for {
			all, next, err := w.db.Instances(w.ctx, r.ID, page)
			w.ok("Instances", err)
			if len(all) > limit {
				w.Errorf("a page of %d has %d", limit, len(all))
			}
			for _, k := range all {
				got = append(got, show(k))
			}
			if page.After = next; next == "" {
				break
			}
		}
		w.same(fmt.Sprintf("Instances by %d", limit), got, want)
	}
	for _, tt := range []struct {
		task    flow.TaskID
		attempt int
		want    string
	}{
		{"b", 0, "b3 running because"},
		{"b", 3, "b3 running because"},
		{"b", 1, "b1 failed exit 1"},
		{"c", 0, "c0 waiting because"},
	} {
		k, err := w.db.Instance(w.ctx, r.ID, tt.task, tt.attempt)
		w.ok("Instance", err)
		w.same(fmt.Sprintf("Instance(%s, %d)", tt.task, tt.attempt), show(k), tt.want)
	}
	k, err := w.db.Instance(w.ctx, r.ID, "b", 2)
	w.ok("Instance", err)
	w.same("a past attempt", k, flow.Task{
		ID: "b", Index: 1, Kind: "BashOperator", State: flow.TimedOut, Attempt: 2, Reason: "late",
		Since: at(1), Started: at(12), Ended: at(13), Modified: at(13),
	})
	for _, tt := range []struct {
		run     flow.RunID
		task    flow.TaskID
		attempt int
	}{{"r", "b", 4}, {"r", "c", 1}, {"r", "x", 0}, {"x", "b", 0}} {
		_, err := w.db.Instance(w.ctx, tt.run, tt.task, tt.attempt)
		w.kind(fmt.Sprintf("Instance(%s, %s, %d)", tt.run, tt.task, tt.attempt), err, flow.NotFound)
	}
}

func outputs(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	w.save(w.step(&r, flow.Running, task("a", 0, flow.Running, 1), task("b", 1, flow.Running, 1), task("c", 2, flow.Waiting, 0)))
	s := w.step(&r, flow.Running, task("a", 0, flow.Running, 3), task("b", 1, flow.Succeeded, 1))
	s.Past = []flow.Attempt{{Task: "a", N: 1, State: flow.Succeeded}, {Task: "a", N: 2, State: flow.Failed}}
	put := func(task string, attempt int, key, value string) {
		s.Outputs = append(s.Outputs, flow.Output{Task: flow.TaskID(task), Attempt: attempt, Key: key, Value: json.RawMessage(value)})
	}
	put("a", 1, "x", `"a1"`)
	put("a", 1, "y", `"a1"`)
	put("a", 2, "x", `"a2"`) // of an attempt that failed
	put("a", 2, "z", `"a2"`)
	put("a", 3, "y", `"a3"`)
	put("b", 1, "return_value", `{"k": [1, 2.50, null]}`)
	put("b", 1, "return_value", `{"k": [2.50]}`)
	w.save(s)
	for _, tt := range []struct {
		task, key string
		want      string
	}{
		{"a", "x", `"a1"`}, {"a", "y", `"a3"`}, {"a", "z", ""}, {"b", "return_value", `{"k": [2.50]}`}, {"c", "x", ""}, {"no", "x", ""},
	} {
		v, ok, err := w.db.Output(w.ctx, "r", flow.TaskID(tt.task), tt.key)
		w.ok("Output", err)
		w.same(fmt.Sprintf("Output(%s, %s), found", tt.task, tt.key), []any{string(v), ok}, []any{tt.want, tt.want != ""})
	}
	all, err := w.db.AllOutputs(w.ctx, "r")
	w.ok("AllOutputs", err)
	w.same("AllOutputs", all, map[flow.TaskID]map[string]json.RawMessage{
		"a": {"x": json.RawMessage(`"a1"`), "y": json.RawMessage(`"a3"`)},
		"b": {"return_value": json.RawMessage(`{"k": [2.50]}`)},
	})
	between, err := w.db.OutputsBetween(w.ctx, "r", 0, 2, "y")
	w.ok("OutputsBetween", err)
	w.same("OutputsBetween", between, []flow.Output{{Task: "a", Key: "y", Value: json.RawMessage(`"a3"`)}})
	unfolded := task("a", 0, flow.Waiting, 3)
	unfolded.Instances = 2
	w.save(w.step(&r, flow.Running, unfolded))
	v, ok, err := w.db.Output(w.ctx, "r", "a", "z")
	w.ok("Output of a task that has unfolded", err)
	w.same("Output of a task that has unfolded, found", []any{string(v), ok}, []any{`"a2"`, true})
	got, err := w.db.Outputs(w.ctx, "r", "a", 2)
	w.ok("Outputs", err)
	w.same("Outputs of attempt 2", got, map[string]json.RawMessage{"x": json.RawMessage(`"a2"`), "z": json.RawMessage(`"a2"`)})
}

func journal(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	var want []flow.Entry
	for i := range 12 {
		s := w.step(&r, flow.Running)
		s.Entry.Task = flow.TaskID(fmt.Sprint("t", i))
		for n := range i {
			s.Entry.Moves = append(s.Entry.Moves, flow.Move{
				Task: flow.TaskID(fmt.Sprint("t", n)), Attempt: n, From: flow.Running, State: flow.Failed,
				Started: at(n), Ended: at(n + 1), Reason: "x\x00 < 3",
			})
		}
		w.save(s)
		want = append(want, s.Entry)
	}
	for _, limit := range []int{1, 5, 12, 0} {
		var got []flow.Entry
		page := flow.Page{Limit: limit}
		for {
			entries, next, err := w.db.Journal(w.ctx, "r", page)
			w.ok("Journal", err)
			got = append(got, entries...)
			if page.After = next; next == "" {
				break
			}
		}
		w.same(fmt.Sprintf("Journal by %d", limit), got, want)
	}
	one, err := w.db.TaskJournal(w.ctx, "r", "t7")
	w.ok("TaskJournal", err)
	w.same("TaskJournal", one, want[7:8])
}

func retention(w world) {
	wf, _ := w.workflow("w", 1)
	for i := range 6 {
		r := w.run(wf, fmt.Sprintf("r%d", i), i)
		var tasks []flow.Task
		for k := range 3 {
			tasks = append(tasks, task(fmt.Sprint("t", k), k, flow.Succeeded, 1))
		}
		s := w.step(&r, flow.Running, tasks...)
		s.Outputs = []flow.Output{{Task: "t1", Attempt: 1, Key: "k", Value: json.RawMessage(`1`)}}
		w.save(s)
		for range i { // the later ones end later
			w.save(w.step(&r, flow.Running))
		}
		if i != 2 {
			w.save(w.step(&r, flow.Succeeded)) // ends at i+2
		}
	}
	ids := func(before, most int) (ids []string) {
		w.Helper()
		n, err := w.db.DeleteRuns(w.ctx, at(before), most, func(r flow.Run) {
			tasks, err := w.db.Tasks(w.ctx, r.ID)
			w.ok("Tasks", err)
			w.same("tasks of "+string(r.ID)+" before they go", len(tasks), 3)
			ids = append(ids, string(r.ID))
		})
		w.ok("DeleteRuns", err)
		w.same("how many runs went", n, len(ids))
		return ids
	}
	w.same("runs gone before 2", ids(2, 10), []string(nil))
	w.same("runs gone before 6, two at most", ids(6, 2), []string{"r0", "r1"})
	w.same("runs gone before 6", ids(6, 10), []string{"r3"})
	_, err := w.db.DeleteRuns(w.ctx, at(7), 1, func(r flow.Run) { // r4, which goes on just then
		s := w.step(&r, flow.Running)
		s.Reopens = true
		w.save(s)
	})
	w.ok("DeleteRuns of a run that goes on", err)
	left, _, err := w.db.Runs(w.ctx, wf.ID, "", flow.Page{})
	w.ok("Runs", err)
	w.same("runs left", len(left), 3)
	for _, tt := range []struct {
		id   flow.RunID
		want int
	}{{"r1", 0}, {"r2", 3}, {"r4", 3}} {
		tasks, err := w.db.Tasks(w.ctx, tt.id)
		w.ok("Tasks", err)
		entries, _, err := w.db.Journal(w.ctx, tt.id, flow.Page{})
		w.ok("Journal", err)
		w.same("tasks, journal of "+string(tt.id), []any{len(tasks), len(entries) > 0}, []any{tt.want, tt.want > 0})
	}
}

func pageKeys(w world) {
	for _, after := range []string{"x", "1", "1.", ".1", "1.2.3", "99999999999999999999.1", "'; DROP TABLE run; --"} {
		page := flow.Page{After: after}
		for name, err := range map[string]error{
			"Workflows": third(w.db.Workflows(w.ctx, page)),
			"Versions":  third(w.db.Versions(w.ctx, "w", page)),
			"Runs":      third(w.db.Runs(w.ctx, "w", "", page)),
			"Instances": third(w.db.Instances(w.ctx, "r", page)),
			"Journal":   third(w.db.Journal(w.ctx, "r", page)),
		} {
			if err != nil && flow.KindOf(err) != flow.Invalid {
				w.Errorf("%s after %q = %v, want an Invalid or nothing", name, after, err)
			}
			if after == "x" && err == nil {
				w.Errorf("%s after %q = nil, want an Invalid", name, after)
			}
		}
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

func contexts(w world) {
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	if _, err := w.db.PutSetting(ctx, "k", []byte("v"), false); !errors.Is(err, context.Canceled) {
		w.Errorf("PutSetting of a canceled caller = %v, want %v", err, context.Canceled)
	}
	if _, _, err := w.db.Setting(ctx, "k"); !errors.Is(err, context.Canceled) {
		w.Errorf("Setting of a canceled caller = %v, want %v", err, context.Canceled)
	}
	_, ok, err := w.db.Setting(w.ctx, "k")
	w.same("Setting afterwards", []any{ok, err}, []any{false, nil})
}

// present compares the one question with the several that it stands for.
func present(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	s := w.step(&r, flow.Running, task("a", 0, flow.Running, 2), task("b", 1, flow.Waiting, 0))
	s.Past = []flow.Attempt{{Task: "a", N: 1, State: flow.Failed}}
	s.Outputs = []flow.Output{
		{Task: "a", Attempt: 1, Key: "old", Value: json.RawMessage("1")}, {Task: "a", Attempt: 2, Key: "x", Value: json.RawMessage("2")},
		{Task: "a", Attempt: 2, Key: "y", Value: json.RawMessage(`"z"`)},
	}
	w.save(s)
	for _, tt := range []struct {
		task    flow.TaskID
		attempt int
		outputs map[string]json.RawMessage
	}{
		{"a", 0, map[string]json.RawMessage{"x": json.RawMessage("2"), "y": json.RawMessage(`"z"`)}},
		{"a", 2, map[string]json.RawMessage{"x": json.RawMessage("2"), "y": json.RawMessage(`"z"`)}},
		{"b", 0, nil},
	} {
		run, k, outputs, err := w.db.Present(w.ctx, wf.ID, r.ID, tt.task, tt.attempt)
		w.ok("Present", err)
		want, err := w.db.Instance(w.ctx, r.ID, tt.task, tt.attempt)
		w.ok("Instance", err)
		w.same(fmt.Sprintf("Present(%s, %d)", tt.task, tt.attempt), []any{run, k, outputs}, []any{s.Run, want, tt.outputs})
	}
	for _, tt := range []struct {
		wf      flow.WorkflowID
		run     flow.RunID
		task    flow.TaskID
		attempt int
	}{{"other", "r", "a", 0}, {"w", "none", "a", 0}, {"w", "r", "none", 0}, {"w", "r", "a", 1}, {"w", "r", "a", 3}} {
		_, _, _, err := w.db.Present(w.ctx, tt.wf, tt.run, tt.task, tt.attempt)
		w.kind(fmt.Sprintf("Present%v", tt), err, flow.NotFound)
	}
}

// presentIsNow asks for a task while its run goes on: whoever asks after a
// step was saved sees that step, or a later one.
func presentIsNow(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	w.save(w.step(&r, flow.Running, task("a", 0, flow.Running, 1)))
	var saved atomic.Int64
	var done atomic.Bool
	saved.Store(r.Rev)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for !done.Load() {
				least := saved.Load()
				run, k, outputs, err := w.db.Present(w.ctx, wf.ID, r.ID, "a", 0)
				if err != nil {
					w.Errorf("Present: %v", err)
					return
				}
				if n := outputs["n"]; run.Rev < least || n != nil && (string(n) != fmt.Sprint(run.Rev) || k.Pokes != int(run.Rev)) {
					w.Errorf("Present shows revision %d, poke %d and output %s once revision %d is saved", run.Rev, k.Pokes, n, least)
					return
				}
			}
		})
	}
	for range 200 {
		k := task("a", 0, flow.Running, 1)
		k.Pokes = int(r.Rev) + 1
		s := w.step(&r, flow.Running, k)
		s.Outputs = []flow.Output{{Task: "a", Attempt: 1, Key: "n", Value: json.RawMessage(fmt.Sprint(r.Rev))}}
		if err := w.db.Save(w.ctx, s); err != nil {
			w.Errorf("Save: %v", err)
			break
		}
		saved.Store(r.Rev)
	}
	done.Store(true)
	readers.Wait()
	over := w.step(&r, flow.Succeeded, task("a", 0, flow.Succeeded, 1))
	w.save(over)
	_, k, _, err := w.db.Present(w.ctx, wf.ID, r.ID, "a", 1)
	w.ok("Present", err)
	w.same("state once the run is over", k.State, flow.Succeeded)
	n, err := w.db.DeleteRuns(w.ctx, over.Run.Ended.Add(time.Hour), 10, func(flow.Run) {})
	w.ok("DeleteRuns", err)
	w.same("runs removed", n, 1)
	_, _, _, err = w.db.Present(w.ctx, wf.ID, r.ID, "a", 1)
	w.kind("Present of a run that was removed", err, flow.NotFound)
}

// atAGlance asks what pages show of many runs at once.
func atAGlance(w world) {
	wf, _ := w.workflow("w", 1)
	r := w.run(wf, "r", 1)
	w.save(w.step(&r, flow.Running, task("b", 1, flow.Running, 1), task("a", 0, flow.Succeeded, 1)))
	states, err := w.db.States(w.ctx, "r")
	w.ok("States", err)
	w.same("States", states, []flow.State{flow.Succeeded, flow.Running})
	states, err = w.db.States(w.ctx, "none")
	w.ok("States of no run", err)
	w.same("States of no run", len(states), 0)

	for i, created := range []time.Time{
		time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 3, 2, 23, 59, 59, 0, time.UTC), time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC),
	} {
		run := w.newRun(wf, fmt.Sprint("day", i), i)
		run.Created = created
		_, _, err := w.db.InsertRun(w.ctx, run, flow.Token{}, 0, 0)
		w.ok("InsertRun", err)
	}
	from, to := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)
	day := int(from.Unix() / 86400)
	days, err := w.db.Days(w.ctx, wf.ID, from, to, 0)
	w.ok("Days", err)
	w.same("Days", days, []store.DayCount{{Day: day, State: flow.Starting, Runs: 1}, {Day: day + 1, State: flow.Starting, Runs: 2}})
	days, err = w.db.Days(w.ctx, wf.ID, from, to, time.Hour)
	w.ok("Days an hour later", err)
	w.same("Days an hour later", days, []store.DayCount{{Day: day + 1, State: flow.Starting, Runs: 2}, {Day: day + 2, State: flow.Starting, Runs: 1}})
}

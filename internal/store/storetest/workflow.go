package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/store"
)

func settings(w world) {
	for _, tt := range []struct {
		value    string
		ifAbsent bool
		want     string
	}{{"a", true, "a"}, {"b", true, "a"}, {"c\x00\xff", false, "c\x00\xff"}, {"", false, ""}} {
		got, err := w.db.PutSetting(w.ctx, "k", []byte(tt.value), tt.ifAbsent)
		w.ok("PutSetting", err)
		kept, ok, err := w.db.Setting(w.ctx, "k")
		w.ok("Setting", err)
		w.same(fmt.Sprintf("PutSetting(%q, %v), Setting, found", tt.value, tt.ifAbsent),
			[]string{string(got), string(kept), fmt.Sprint(ok)}, []string{tt.want, tt.want, "true"})
	}
	_, ok, err := w.db.Setting(w.ctx, "other")
	w.ok("Setting", err)
	w.same("Setting(other) found", ok, false)
}

func graphs(w world) {
	g := flow.Graph{
		Nodes: []flow.Node{
			{ID: "a", Retries: 2, Delay: time.Minute, Kind: "BashOperator", Action: json.RawMessage(`{"b": "<é>"}`)},
			{ID: "b", After: []flow.TaskID{"a"}, When: flow.AllDone, Noop: true, Needs: flow.Needs{CPUs: .5}},
		},
		MaxActive: 3, Meta: json.RawMessage(`[1]`),
	}
	key, err := w.db.PutGraph(w.ctx, g)
	w.ok("PutGraph", err)
	again, err := w.db.PutGraph(w.ctx, g)
	w.ok("PutGraph again", err)
	w.same("key of the same graph", again, key)
	got, err := w.db.Graph(w.ctx, key)
	w.ok("Graph", err)
	want := g
	want.Nodes[0].Action = json.RawMessage(`{"b":"\u003cé\u003e"}`) // encoding/json makes it compact
	w.same("Graph", got, want)
	other, err := w.db.PutGraph(w.ctx, flow.Graph{MaxActive: 4})
	w.ok("PutGraph of another", err)
	if other == key {
		w.Errorf("two graphs have the key %q", key)
	}
	_, err = w.db.Graph(w.ctx, "none")
	w.kind("Graph(none)", err, flow.NotFound)
}

func createWorkflow(w world) {
	wf := flow.Workflow{
		ID: "etl-1", Name: "etl", Tags: map[string]string{"k": "v", "": "é"},
		Settings: json.RawMessage(`{"role": "r"}`), Created: at(1), Modified: at(2),
	}
	v := flow.Version{
		ID: "v1", Source: "etl:\n  tasks: {}\n", Graph: w.graph(), MaxRuns: 16, Code: "c", CodeAt: at(1), Created: at(1),
		Schedule: &flow.Schedule{Expr: "@daily", Zone: "Europe/Berlin", Start: at(0)}, Settings: json.RawMessage(`{"d":1}`),
	}
	gotW, gotV, created, err := w.db.CreateWorkflow(w.ctx, wf, v, flow.Token{}, 0)
	w.ok("CreateWorkflow", err)
	w.same("created", created, true)
	wf.Latest, v.N, v.Workflow = "v1", 1, "etl-1"
	w.same("CreateWorkflow: workflow", gotW, wf)
	w.same("CreateWorkflow: version", gotV, v)

	gotW, err = w.db.Workflow(w.ctx, "etl-1")
	w.ok("Workflow", err)
	w.same("Workflow", gotW, wf)
	gotW, err = w.db.WorkflowByName(w.ctx, "etl")
	w.ok("WorkflowByName", err)
	w.same("WorkflowByName", gotW, wf)
	for _, id := range []flow.VersionID{"v1", ""} {
		gotV, err = w.db.Version(w.ctx, "etl-1", id)
		w.ok("Version", err)
		w.same(fmt.Sprintf("Version(%q)", id), gotV, v)
	}
	_, err = w.db.Workflow(w.ctx, "none")
	w.kind("Workflow(none)", err, flow.NotFound)
	_, err = w.db.WorkflowByName(w.ctx, "etl-1")
	w.kind("WorkflowByName(etl-1)", err, flow.NotFound)
	_, err = w.db.Version(w.ctx, "etl-1", "none")
	w.kind("Version(none)", err, flow.NotFound)
	_, err = w.db.Version(w.ctx, "none", "")
	w.kind("Version of none", err, flow.NotFound)
	v.Graph = "none"
	_, _, _, err = w.db.CreateWorkflow(w.ctx, flow.Workflow{ID: "x", Name: "x"}, v, flow.Token{}, 0)
	w.kind("CreateWorkflow without its graph", err, flow.Busy)
}

func tokens(w world) {
	tok := flow.Token{Key: "create/t", Fingerprint: "f", Expires: at(100)}
	create := func(id string, tok flow.Token, n int) (flow.Workflow, bool, error) {
		wf, _, created, err := w.db.CreateWorkflow(w.ctx, flow.Workflow{ID: flow.WorkflowID(id), Name: id, Created: at(n)},
			flow.Version{ID: "v1", Graph: w.graph()}, tok, 0)
		return wf, created, err
	}
	for _, tt := range []struct {
		id          string
		fingerprint string
		at          int
		want        string // of the workflow; empty: a conflict
		created     bool
	}{
		{"a", "f", 1, "a", true},
		{"b", "f", 2, "a", false},
		{"b", "g", 3, "", false},
		{"c", "g", 200, "c", true}, // the first use is forgotten
		{"d", "g", 201, "d", true}, // so is this, which was so from the start
	} {
		tok.Fingerprint = tt.fingerprint
		wf, created, err := create(tt.id, tok, tt.at)
		if tt.want == "" {
			w.kind("CreateWorkflow with a token of another request", err, flow.Conflict)
			continue
		}
		w.ok("CreateWorkflow", err)
		w.same(fmt.Sprintf("CreateWorkflow(%+v): id, created", tt), []any{string(wf.ID), created}, []any{tt.want, tt.created})
	}

	wf, _ := w.workflow("w", 1)
	tok = flow.Token{Key: "start/t", Fingerprint: "f", Expires: at(100)}
	var wg sync.WaitGroup
	var made atomic.Int32
	for i := range 8 {
		r := w.newRun(wf, fmt.Sprintf("r%d", i), 1)
		wg.Go(func() {
			_, created, err := w.db.InsertRun(w.ctx, r, tok, 0, 0)
			if err != nil {
				w.Errorf("InsertRun: %v", err)
			}
			if created {
				made.Add(1)
			}
		})
	}
	wg.Wait()
	w.same("runs made by 8 requests with one token", int(made.Load()), 1)
	all, _, err := w.db.Runs(w.ctx, wf.ID, "", flow.Page{})
	w.ok("Runs", err)
	w.same("runs kept", len(all), 1)
	tok.Fingerprint = "g"
	_, _, err = w.db.InsertRun(w.ctx, w.newRun(wf, "x", 1), tok, 0, 0)
	w.kind("InsertRun with a token of another request", err, flow.Conflict)
}

func namesAndQuotas(w world) {
	create := func(id, name string, limit int) error {
		_, _, _, err := w.db.CreateWorkflow(w.ctx, flow.Workflow{ID: flow.WorkflowID(id), Name: name, Created: at(1)},
			flow.Version{ID: "v", Graph: w.graph()}, flow.Token{}, limit)
		return err
	}
	w.ok("create a", create("1", "a", 2))
	err := create("2", "a", 2)
	w.kind("a name that is taken", err, flow.Conflict)
	e, _ := errors.AsType[*flow.Error](err)
	w.same("what the conflict is about", []string{e.Type, e.ID}, []string{"Workflow", "1"})
	w.ok("create b", create("3", "b", 2))
	err = create("4", "c", 2)
	w.kind("a third of two", err, flow.Quota)
	e, _ = errors.AsType[*flow.Error](err)
	w.same("the quota's code", e.Code, store.LimitWorkflows)
	_, err = w.db.MarkDeleting(w.ctx, "1")
	w.ok("MarkDeleting", err)
	w.ok("create a when the first is being deleted", create("5", "a", 2))

	var wg sync.WaitGroup
	var made atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			switch err := create(fmt.Sprintf("x%d", i), "same", 0); {
			case err == nil:
				made.Add(1)
			case flow.KindOf(err) != flow.Conflict:
				w.Errorf("CreateWorkflow = %v, want a Conflict", err)
			}
		})
	}
	wg.Wait()
	w.same("workflows of one name by 8 callers", int(made.Load()), 1)
}

func versions(w world) {
	wf, _ := w.workflow("w", 1)
	add := func(id string, limit int) (flow.Version, error) {
		return w.db.AddVersion(w.ctx, flow.Version{ID: flow.VersionID(id), Workflow: wf.ID, Source: "s" + id, Graph: w.graph(), Created: at(2)},
			limit, func(f *flow.Workflow) { f.Modified, f.Settings = at(9), json.RawMessage(`{"n":9}`) })
	}
	for i, id := range []string{"v2", "v3"} {
		v, err := add(id, 3)
		w.ok("AddVersion", err)
		w.same("number of "+id, v.N, i+2)
	}
	_, err := add("v4", 3)
	w.kind("a fourth of three", err, flow.Quota)
	got, err := w.db.Workflow(w.ctx, wf.ID)
	w.ok("Workflow", err)
	w.same("after AddVersion: latest, modified, settings", []any{got.Latest, got.Modified, string(got.Settings)},
		[]any{flow.VersionID("v3"), at(9), `{"n":9}`})
	list := func() (ids []string) {
		page := flow.Page{Limit: 2}
		for {
			vs, next, err := w.db.Versions(w.ctx, wf.ID, page)
			w.ok("Versions", err)
			for _, v := range vs {
				ids = append(ids, fmt.Sprintf("%s=%d%s", v.ID, v.N, v.Source))
			}
			if page.After = next; next == "" {
				return ids
			}
		}
	}
	w.same("Versions", list(), []string{"v3=3", "v2=2", "w-v1=1"})
	w.ok("DeleteVersion", w.db.DeleteVersion(w.ctx, wf.ID, "v3"))
	v, err := w.db.Version(w.ctx, wf.ID, "")
	w.ok("Version", err)
	w.same("the latest after v3 is gone", v.ID, flow.VersionID("v2"))
	v, err = add("v5", 3)
	w.ok("AddVersion", err)
	w.same("number of v5", v.N, 4)
	w.ok("DeleteVersion", w.db.DeleteVersion(w.ctx, wf.ID, "w-v1"))
	w.ok("DeleteVersion", w.db.DeleteVersion(w.ctx, wf.ID, "v2"))
	w.same("Versions", list(), []string{"v5=4"})
	w.kind("DeleteVersion of the only one", w.db.DeleteVersion(w.ctx, wf.ID, "v5"), flow.Conflict)
	w.kind("DeleteVersion of none", w.db.DeleteVersion(w.ctx, wf.ID, "v9"), flow.NotFound)
	w.same("Versions", list(), []string{"v5=4"})
	_, err = w.db.AddVersion(w.ctx, flow.Version{ID: "v", Workflow: "none", Graph: w.graph()}, 0, nil)
	w.kind("AddVersion to none", err, flow.NotFound)
	_, err = w.db.MarkDeleting(w.ctx, wf.ID)
	w.ok("MarkDeleting", err)
	_, err = add("v6", 0)
	w.kind("AddVersion while deleting", err, flow.Conflict)
}

func workflowLists(w world) {
	var want []string
	for i := range 7 {
		id := fmt.Sprintf("w%d", i)
		w.workflow(id, i/2) // two at the same moment
		want = append([]string{id + " " + id + "-v1"}, want...)
	}
	_, err := w.db.MarkDeleting(w.ctx, "w3")
	w.ok("MarkDeleting", err)
	for _, limit := range []int{1, 2, 3, 7, 100} {
		var got []string
		page := flow.Page{Limit: limit}
		for {
			rows, next, err := w.db.Workflows(w.ctx, page)
			w.ok("Workflows", err)
			if len(rows) > limit {
				w.Errorf("a page of %d has %d", limit, len(rows))
			}
			for _, r := range rows {
				got = append(got, string(r.Workflow.ID)+" "+string(r.Latest.ID))
			}
			if page.After = next; next == "" {
				break
			}
		}
		w.same(fmt.Sprintf("Workflows by %d", limit), got, want)
	}
}

func tags(w world) {
	wf, _ := w.workflow("w", 1)
	w.ok("UpdateTags", w.db.UpdateTags(w.ctx, wf.ID, func(m map[string]string) (map[string]string, error) {
		return map[string]string{"a": "1"}, nil
	}))
	refused := flow.Errorf(flow.Invalid, "too many")
	err := w.db.UpdateTags(w.ctx, wf.ID, func(m map[string]string) (map[string]string, error) {
		m["b"] = "2"
		return m, refused
	})
	w.kind("UpdateTags that refuses", err, flow.Invalid)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := w.db.UpdateTags(w.ctx, wf.ID, func(m map[string]string) (map[string]string, error) {
				m[fmt.Sprint(i)] = "x"
				return m, nil
			}); err != nil {
				w.Errorf("UpdateTags: %v", err)
			}
		})
	}
	wg.Wait()
	got, err := w.db.Workflow(w.ctx, wf.ID)
	w.ok("Workflow", err)
	w.same("tags", got.Tags, map[string]string{
		"a": "1", "0": "x", "1": "x", "2": "x", "3": "x", "4": "x", "5": "x", "6": "x", "7": "x",
	})
	w.kind("UpdateTags of none", w.db.UpdateTags(w.ctx, "none", nil), flow.NotFound)
}

func schedules(w world) {
	wf, _ := w.workflow("w", 1)
	_, ok, err := w.db.NextDue(w.ctx)
	w.ok("NextDue", err)
	w.same("NextDue of an empty schedule", ok, false)
	w.ok("SetSchedule", w.db.SetSchedule(w.ctx, wf.ID, wf.Latest, at(10)))
	other, _ := w.workflow("o", 1)
	w.ok("SetSchedule", w.db.SetSchedule(w.ctx, other.ID, other.Latest, at(5)))
	next, ok, err := w.db.NextDue(w.ctx)
	w.ok("NextDue", err)
	w.same("NextDue", []any{next, ok}, []any{at(5), true})
	due := func(now, limit int) []flow.Fire {
		w.Helper()
		fires, err := w.db.DueSchedules(w.ctx, at(now), limit)
		w.ok("DueSchedules", err)
		return fires
	}
	w.same("due at 4", len(due(4, 10)), 0)
	w.same("due at 10", due(10, 10), []flow.Fire{{Workflow: "o", Version: "o-v1", At: at(5)}, {Workflow: "w", Version: "w-v1", At: at(10)}})
	w.same("due at 10, one at most", len(due(10, 1)), 1)

	var wg sync.WaitGroup
	var fired atomic.Int32
	for i := range 8 {
		r := w.newRun(wf, fmt.Sprintf("r%d", i), 10)
		wg.Go(func() {
			ok, err := w.db.FireSchedule(w.ctx, wf.ID, at(10), at(20), &r)
			if err != nil {
				w.Errorf("FireSchedule: %v", err)
			}
			if ok {
				fired.Add(1)
			}
		})
	}
	wg.Wait()
	w.same("fires of one slot by 8 callers", int(fired.Load()), 1)
	list, _, err := w.db.Runs(w.ctx, wf.ID, "", flow.Page{})
	w.ok("Runs", err)
	w.same("runs of the slot", len(list), 1)

	fire := func(slot, next int, r *flow.Run) bool {
		w.Helper()
		var n time.Time
		if next > 0 {
			n = at(next)
		}
		ok, err := w.db.FireSchedule(w.ctx, wf.ID, at(slot), n, r)
		w.ok("FireSchedule", err)
		return ok
	}
	w.same("a slot that is over", fire(10, 20, nil), false)
	w.same("a slot that is skipped", fire(20, 30, nil), true)
	r := w.newRun(wf, "late", 40)
	w.same("the last of several missed", fire(30, 50, &r), true)
	w.ok("SetSchedule to a slot that fired", w.db.SetSchedule(w.ctx, wf.ID, wf.Latest, at(40)))
	r = w.newRun(wf, "twice", 40)
	w.same("it does not fire again", fire(40, 50, &r), false)
	next, _, err = w.db.NextDue(w.ctx)
	w.ok("NextDue", err)
	w.same("NextDue while another is due", next, at(5))
	r = w.newRun(wf, "other version", 50)
	r.Version = "v9"
	w.same("a run of another version", fire(50, 60, &r), false)
	w.same("no fire after the last", fire(50, 0, nil), true)
	w.same("due for ever", len(due(9999, 10)), 1)
	ok, err = w.db.FireSchedule(w.ctx, "none", at(1), at(2), nil)
	w.same("FireSchedule of none", []any{ok, err}, []any{false, nil})
	w.kind("SetSchedule of none", w.db.SetSchedule(w.ctx, "none", "v", at(1)), flow.NotFound)
}

func scheduleOfLatest(w world) {
	wf := flow.Workflow{ID: "w", Name: "w", Created: at(1)}
	v := flow.Version{ID: "v1", Workflow: "w", Graph: w.graph(), Schedule: &flow.Schedule{Expr: "@daily"}}
	_, _, _, err := w.db.CreateWorkflow(w.ctx, wf, v, flow.Token{}, 0)
	w.ok("CreateWorkflow", err)
	w.workflow("plain", 1)
	unscheduled := func() (ids []string) {
		w.Helper()
		vs, err := w.db.Unscheduled(w.ctx)
		w.ok("Unscheduled", err)
		for _, v := range vs {
			ids = append(ids, string(v.ID))
		}
		return ids
	}
	due := func() (ids []string) {
		w.Helper()
		fires, err := w.db.DueSchedules(w.ctx, at(100), 10)
		w.ok("DueSchedules", err)
		for _, f := range fires {
			ids = append(ids, string(f.Version))
		}
		return ids
	}
	w.same("Unscheduled after CreateWorkflow", unscheduled(), []string{"v1"})
	w.ok("SetSchedule", w.db.SetSchedule(w.ctx, "w", "v1", at(10)))
	w.same("due", [][]string{due(), unscheduled()}, [][]string{{"v1"}, nil})
	v.ID = "v2"
	_, err = w.db.AddVersion(w.ctx, v, 0, nil)
	w.ok("AddVersion", err)
	w.same("due, unscheduled after AddVersion", [][]string{due(), unscheduled()}, [][]string{nil, {"v2"}})
	w.ok("SetSchedule of the version before", w.db.SetSchedule(w.ctx, "w", "v1", at(20)))
	w.same("due, unscheduled after that", [][]string{due(), unscheduled()}, [][]string{nil, {"v2"}})
	w.ok("SetSchedule", w.db.SetSchedule(w.ctx, "w", "v2", time.Time{}))
	w.same("due, unscheduled after never", [][]string{due(), unscheduled()}, [][]string{nil, nil})
	w.ok("SetSchedule", w.db.SetSchedule(w.ctx, "w", "v2", at(20)))
	w.ok("DeleteVersion", w.db.DeleteVersion(w.ctx, "w", "v2"))
	w.same("due, unscheduled after DeleteVersion", [][]string{due(), unscheduled()}, [][]string{nil, {"v1"}})
	w.ok("SetSchedule", w.db.SetSchedule(w.ctx, "w", "v1", at(20)))
	v.ID, v.Created = "v3", at(25) // the slot at 20 was due
	_, err = w.db.AddVersion(w.ctx, v, 0, nil)
	w.ok("AddVersion", err)
	w.same("due, unscheduled after AddVersion while a slot is due", [][]string{due(), unscheduled()}, [][]string{nil, {"v3"}})
	w.ok("SetSchedule", w.db.SetSchedule(w.ctx, "w", "v3", at(200)))
	w.same("due after that", due(), []string{"v3"})
	_, err = w.db.MarkDeleting(w.ctx, "w")
	w.ok("MarkDeleting", err)
	w.same("due, unscheduled after MarkDeleting", [][]string{due(), unscheduled()}, [][]string{nil, nil})
	w.kind("SetSchedule while deleting", w.db.SetSchedule(w.ctx, "w", "v1", at(30)), flow.Conflict)
	w.ok("SetSchedule to never while deleting", w.db.SetSchedule(w.ctx, "w", "", time.Time{}))
}

func deleteWorkflow(w world) {
	wf, v := w.workflow("w", 1)
	w.ok("SetSchedule", w.db.SetSchedule(w.ctx, wf.ID, wf.Latest, at(10)))
	keeper, _ := w.workflow("keeper", 1) // has the same graph
	kept := w.run(keeper, "kept", 1)
	w.save(w.step(&kept, flow.Running, flow.Task{ID: "a", State: flow.Ready}))
	for i := range 3 {
		r := w.run(wf, fmt.Sprintf("r%d", i), i)
		var tasks []flow.Task
		for k := range 10 {
			tasks = append(tasks, flow.Task{ID: flow.TaskID(fmt.Sprint("t", k)), Index: k, State: flow.Succeeded, Attempt: 2})
		}
		s := w.step(&r, flow.Running, tasks...)
		s.Past = []flow.Attempt{{Task: "t1", N: 1, State: flow.Failed}}
		s.Outputs = []flow.Output{{Task: "t1", Attempt: 2, Key: "k", Value: json.RawMessage(`1`)}}
		w.save(s)
		if i > 0 {
			w.save(w.step(&r, flow.Succeeded))
		}
	}
	_, err := w.db.PurgeWorkflow(w.ctx, wf.ID, 7)
	w.kind("PurgeWorkflow before MarkDeleting", err, flow.Conflict)
	got, err := w.db.MarkDeleting(w.ctx, wf.ID)
	w.ok("MarkDeleting", err)
	w.same("Deleting", got.Deleting, true)
	_, err = w.db.MarkDeleting(w.ctx, wf.ID)
	w.ok("MarkDeleting again", err)
	ids, err := w.db.Deleting(w.ctx)
	w.ok("Deleting", err)
	w.same("Deleting", ids, []flow.WorkflowID{wf.ID})
	_, _, err = w.db.InsertRun(w.ctx, w.newRun(wf, "late", 1), flow.Token{}, 0, 0)
	w.kind("InsertRun while deleting", err, flow.Conflict)
	_, err = w.db.PurgeWorkflow(w.ctx, wf.ID, 7)
	w.kind("PurgeWorkflow with an active run", err, flow.Conflict)
	r, err := w.db.RunByID(w.ctx, "r0")
	w.ok("RunByID", err)
	w.save(w.step(&r, flow.Canceled))
	calls := 0
	for done := false; !done; calls++ {
		done, err = w.db.PurgeWorkflow(w.ctx, wf.ID, 7)
		w.ok("PurgeWorkflow", err)
	}
	if calls < 5 || calls > 20 {
		w.Errorf("PurgeWorkflow by 7 rows took %d calls for 45 rows", calls)
	}
	done, err := w.db.PurgeWorkflow(w.ctx, wf.ID, 7)
	w.same("PurgeWorkflow again", []any{done, err}, []any{true, nil})
	_, err = w.db.Workflow(w.ctx, wf.ID)
	w.kind("Workflow after the purge", err, flow.NotFound)
	_, err = w.db.Version(w.ctx, wf.ID, v.ID)
	w.kind("Version after the purge", err, flow.NotFound)
	_, err = w.db.RunByID(w.ctx, "r1")
	w.kind("RunByID after the purge", err, flow.NotFound)
	_, err = w.db.Instance(w.ctx, "r1", "t1", 0)
	w.kind("Instance after the purge", err, flow.NotFound)
	_, err = w.db.Graph(w.ctx, v.Graph)
	w.ok("Graph that another workflow needs", err)
	tasks, err := w.db.Tasks(w.ctx, kept.ID)
	w.ok("Tasks", err)
	w.same("tasks of the other workflow's run", len(tasks), 1)

	_, err = w.db.MarkDeleting(w.ctx, keeper.ID)
	w.ok("MarkDeleting", err)
	w.save(w.step(&kept, flow.Canceled))
	_, err = w.db.PurgeWorkflow(w.ctx, keeper.ID, 1000)
	w.ok("PurgeWorkflow", err)
	_, err = w.db.Graph(w.ctx, v.Graph)
	w.kind("Graph that nobody needs", err, flow.NotFound)
}

package storetest

import (
	"encoding/json"
	"fmt"
	"time"

	"fairlead/internal/flow"
)

// resource adds one of a kind, created at n.
func (w world) resource(kind flow.ResourceKind, name string, n int) flow.Resource {
	w.Helper()
	r, created, err := w.db.AddResource(w.ctx, flow.Resource{Kind: kind, Name: name, Status: "ACTIVE", Created: at(n), Tags: map[string]string{"k": name}, Body: json.RawMessage(`{"n":1}`)}, flow.Token{}, 0)
	w.ok("AddResource", err)
	w.same("created", created, true)
	return r
}

func resources(w world) {
	a := w.resource(flow.OmicsGroup, "a", 1)
	b := w.resource(flow.OmicsGroup, "b", 2)
	other := w.resource(flow.OmicsCache, "a", 3)
	w.same("ids", []string{a.ID, b.ID, other.ID}, []string{"1000001", "1000002", "1000003"})
	got, err := w.db.Resource(w.ctx, flow.OmicsGroup, a.ID)
	w.ok("Resource", err)
	w.same("Resource", got, a)
	_, err = w.db.Resource(w.ctx, flow.OmicsCache, a.ID)
	w.kind("Resource of another kind", err, flow.NotFound)

	for _, tt := range []struct {
		f    flow.ResourceFilter
		page flow.Page
		want string
	}{
		{flow.ResourceFilter{}, flow.Page{Limit: 2}, "b a |"},
		{flow.ResourceFilter{}, flow.Page{Limit: 1}, "b |" + fmt.Sprint(at(2).UnixMicro()) + "." + b.ID},
		{flow.ResourceFilter{}, flow.Page{Limit: 1, After: fmt.Sprint(at(2).UnixMicro()) + "." + b.ID}, "a |"},
		{flow.ResourceFilter{Name: "a", Status: "ACTIVE"}, flow.Page{}, "a |"},
		{flow.ResourceFilter{Name: "a", Status: "FAILED"}, flow.Page{}, "|"},
		{flow.ResourceFilter{Parent: "x"}, flow.Page{}, "|"},
	} {
		all, after, err := w.db.Resources(w.ctx, flow.OmicsGroup, tt.f, tt.page)
		w.ok("Resources", err)
		names := ""
		for _, r := range all {
			names += r.Name + " "
		}
		w.same(fmt.Sprintf("Resources(%+v, %+v)", tt.f, tt.page), names+"|"+after, tt.want)
	}

	changed, err := w.db.ChangeResource(w.ctx, flow.OmicsGroup, a.ID, func(r *flow.Resource) error {
		r.Name, r.Tags, r.Body = "c", nil, nil
		return nil
	})
	w.ok("ChangeResource", err)
	w.same("ChangeResource", changed.Name, "c")
	_, err = w.db.ChangeResource(w.ctx, flow.OmicsGroup, a.ID, func(*flow.Resource) error { return flow.Errorf(flow.Invalid, "no") })
	w.kind("ChangeResource that refuses", err, flow.Invalid)

	tok := flow.Token{Key: "CreateRunGroup/t", Fingerprint: "f", Expires: at(1000)}
	made, created, err := w.db.AddResource(w.ctx, flow.Resource{Kind: flow.OmicsGroup, Name: "t", Created: at(4)}, tok, 3)
	w.ok("AddResource", err)
	w.same("created", created, true)
	again, created, err := w.db.AddResource(w.ctx, flow.Resource{Kind: flow.OmicsGroup, Name: "t", Created: at(5)}, tok, 3)
	w.ok("AddResource again", err)
	w.same("again", []any{again.ID, created}, []any{made.ID, false})
	tok.Fingerprint = "g"
	_, _, err = w.db.AddResource(w.ctx, flow.Resource{Kind: flow.OmicsGroup, Created: at(5)}, tok, 3)
	w.kind("another request with the token", err, flow.Conflict)
	_, _, err = w.db.AddResource(w.ctx, flow.Resource{Kind: flow.OmicsGroup, Created: at(5)}, flow.Token{}, 3)
	w.kind("one too many", err, flow.Quota)

	wf := w.resource(flow.OmicsWorkflow, "wf", 6)
	version := flow.Resource{Kind: flow.OmicsVersion, ID: wf.ID + "/v1", Parent: wf.ID, Name: "v1", Graph: w.graph(), Created: at(7)}
	_, _, err = w.db.AddResource(w.ctx, version, flow.Token{}, 0)
	w.ok("a version", err)
	_, _, err = w.db.AddResource(w.ctx, version, flow.Token{}, 0)
	w.kind("the version again", err, flow.Conflict)
	version.ID, version.Parent = "x/v1", "x"
	_, _, err = w.db.AddResource(w.ctx, version, flow.Token{}, 0)
	w.kind("a version of nothing", err, flow.NotFound)
	w.kind("delete a workflow with versions", w.db.DeleteResource(w.ctx, flow.OmicsWorkflow, wf.ID, nil), flow.Conflict)
	w.kind("a check that refuses", w.db.DeleteResource(w.ctx, flow.OmicsVersion, wf.ID+"/v1", func(flow.Resource) error { return flow.Errorf(flow.Conflict, "no") }), flow.Conflict)
	w.ok("delete the version", w.db.DeleteResource(w.ctx, flow.OmicsVersion, wf.ID+"/v1", nil))
	w.ok("delete the workflow", w.db.DeleteResource(w.ctx, flow.OmicsWorkflow, wf.ID, nil))
	w.kind("delete it again", w.db.DeleteResource(w.ctx, flow.OmicsWorkflow, wf.ID, nil), flow.NotFound)
	_, err = w.db.Graph(w.ctx, version.Graph)
	w.kind("its graph", err, flow.NotFound)
}

func records(w world) {
	wf := w.resource(flow.OmicsWorkflow, "wf", 1)
	group := w.resource(flow.OmicsGroup, "g", 2)
	graph, err := w.db.PutGraph(w.ctx, flow.Graph{Nodes: []flow.Node{{ID: "z"}}})
	w.ok("PutGraph", err)
	begin := func(name, group string, n int) (flow.Record, flow.Run) {
		w.Helper()
		c, err := w.db.AddRecord(w.ctx, flow.Record{
			Workflow: flow.WorkflowID(wf.ID), Group: group, Name: name, Priority: n, Created: at(n), Tags: map[string]string{"t": name}, Body: json.RawMessage(`{}`),
		}, flow.Token{Key: "StartRun/" + name, Fingerprint: name, Expires: at(1000)}, 0)
		w.ok("AddRecord", err)
		r := flow.Run{ID: c.Run, Workflow: c.Workflow, Kind: flow.OnDemand, State: flow.Starting, Graph: graph, Created: at(n), Modified: at(n), Logical: at(n)}
		r, _, err = w.db.InsertRun(w.ctx, r, flow.Token{}, 1, 1)
		w.ok("InsertRun", err)
		return c, r
	}
	c1, r1 := begin("one", group.ID, 10)
	c2, r2 := begin("two", "", 11)
	other, _ := w.workflow("other", 3)
	_, _, err = w.db.InsertRun(w.ctx, w.newRun(other, "other-run", 3), flow.Token{}, 1, 1)
	w.ok("a run of the other service, of which one may be active", err)
	again, first := begin("one", group.ID, 10)
	w.same("sent again", []any{again, first}, []any{c1, r1})

	got, err := w.db.Recorded(w.ctx, c1.Run)
	w.ok("Recorded", err)
	w.same("Recorded", got, flow.Recorded{Run: r1, Record: c1})
	listed := func(f flow.RecordFilter, want ...flow.RunID) {
		w.Helper()
		all, after, err := w.db.RecordedRuns(w.ctx, f, flow.Page{})
		w.ok("RecordedRuns", err)
		var ids []flow.RunID
		for _, r := range all {
			ids = append(ids, r.Run.ID)
		}
		w.same(fmt.Sprintf("RecordedRuns(%+v)", f), ids, want)
		w.same("after", after, "")
	}
	listed(flow.RecordFilter{}, c2.Run, c1.Run)
	listed(flow.RecordFilter{Name: "one"}, c1.Run)
	listed(flow.RecordFilter{Group: group.ID}, c1.Run)
	listed(flow.RecordFilter{States: []flow.State{flow.Starting, flow.Running}}, c2.Run, c1.Run)
	listed(flow.RecordFilter{States: []flow.State{flow.Failed}})

	w.ok("ChangeRecord", w.db.ChangeRecord(w.ctx, c1.Run, func(c *flow.Record) error { c.Name = "uno"; return nil }))
	listed(flow.RecordFilter{Name: "uno"}, c1.Run)

	_, err = w.db.AddRecord(w.ctx, flow.Record{Workflow: "9", Created: at(12)}, flow.Token{}, 0)
	w.kind("a run of nothing", err, flow.NotFound)
	_, err = w.db.AddRecord(w.ctx, flow.Record{Workflow: flow.WorkflowID(wf.ID), Created: at(12)}, flow.Token{}, 2)
	w.kind("one more than there may be", err, flow.Quota)
	_, err = w.db.AddRecord(w.ctx, flow.Record{Workflow: flow.WorkflowID(wf.ID), Created: at(12)}, flow.Token{Key: "StartRun/one", Fingerprint: "one", Expires: at(1000)}, 2)
	w.ok("one that is there", err)
	w.kind("delete a group in use", w.db.DeleteResource(w.ctx, flow.OmicsGroup, group.ID, nil), flow.Conflict)
	w.kind("delete a run that goes on", w.db.DeleteRecorded(w.ctx, c1.Run), flow.Conflict)
	w.ok("delete the workflow", w.db.DeleteResource(w.ctx, flow.OmicsWorkflow, wf.ID, nil))
	_, err = w.db.Graph(w.ctx, graph)
	w.ok("the graph while runs need it", err)

	w.save(w.step(&r1, flow.Running), w.step(&r1, flow.Succeeded))
	w.save(w.step(&r2, flow.Running), w.step(&r2, flow.Failed))
	w.ok("delete the group", w.db.DeleteResource(w.ctx, flow.OmicsGroup, group.ID, nil))
	w.ok("SweepRecords", w.db.SweepRecords(w.ctx, at(12))) // of what is there, nothing
	lost, err := w.db.AddRecord(w.ctx, flow.Record{Workflow: c1.Workflow, Created: at(11)}, flow.Token{}, 4)
	w.kind("a record of a workflow that is gone", err, flow.NotFound)
	w.same("its run", lost.Run, flow.RunID(""))
	w.ok("delete a run", w.db.DeleteRecorded(w.ctx, c1.Run))
	w.kind("delete it again", w.db.DeleteRecorded(w.ctx, c1.Run), flow.NotFound)
	_, err = w.db.RunByID(w.ctx, c1.Run)
	w.kind("its row", err, flow.NotFound)
	_, err = w.db.Graph(w.ctx, graph)
	w.ok("the graph while the other needs it", err)
	if n, err := w.db.DeleteRuns(w.ctx, at(100000).Add(time.Hour), 10, func(flow.Run) {}); n != 1 || err != nil { // the other service's goes on
		w.Errorf("DeleteRuns: %d, %v, want 1", n, err)
	}
	listed(flow.RecordFilter{})
	_, err = w.db.Graph(w.ctx, graph)
	w.kind("the graph when no run needs it", err, flow.NotFound)
}

func batches(w world) {
	tok := flow.Token{Key: "StartRunBatch/b", Fingerprint: "f", Expires: at(1000)}
	add := func() (flow.Resource, bool) {
		w.Helper()
		r, created, err := w.db.AddBatch(w.ctx, flow.Resource{Kind: flow.OmicsBatch, Status: "PENDING", Created: at(1)}, []flow.BatchEntry{
			{Setting: "a", Body: json.RawMessage(`{"x":1}`)}, {Setting: "b"}, {Setting: "c"},
		}, tok)
		w.ok("AddBatch", err)
		return r, created
	}
	b, created := add()
	again, createdAgain := add()
	w.same("AddBatch, and again", []any{created, createdAgain, again.ID}, []any{true, false, b.ID})
	w.ok("SaveBatchEntry", w.db.SaveBatchEntry(w.ctx, flow.BatchEntry{Batch: b.ID, N: 1, Run: "77", Status: "SUCCESS"}))
	w.ok("SaveBatchEntry", w.db.SaveBatchEntry(w.ctx, flow.BatchEntry{Batch: b.ID, N: 2, Status: "FAILED", Reason: "r", Message: "m"}))
	for _, tt := range []struct {
		f    flow.BatchFilter
		page flow.Page
		want string
	}{
		{flow.BatchFilter{}, flow.Page{}, "a b c |"},
		{flow.BatchFilter{}, flow.Page{Limit: 2}, "a b |1"},
		{flow.BatchFilter{}, flow.Page{Limit: 2, After: "1"}, "c |"},
		{flow.BatchFilter{Open: true}, flow.Page{}, "a |"},
		{flow.BatchFilter{Status: "FAILED"}, flow.Page{}, "c |"},
		{flow.BatchFilter{Setting: "b"}, flow.Page{}, "b |"},
		{flow.BatchFilter{Run: "77"}, flow.Page{}, "b |"},
	} {
		all, after, err := w.db.BatchEntries(w.ctx, b.ID, tt.f, tt.page)
		w.ok("BatchEntries", err)
		names := ""
		for _, e := range all {
			names += e.Setting + " "
		}
		w.same(fmt.Sprintf("BatchEntries(%+v, %+v)", tt.f, tt.page), names+"|"+after, tt.want)
	}
	c, err := w.db.CountBatch(w.ctx, b.ID)
	w.ok("CountBatch", err)
	w.same("CountBatch", c, flow.BatchCounts{Total: 3, Started: 1, Statuses: map[string]int{"": 1, "SUCCESS": 1, "FAILED": 1}, States: map[flow.State]int{}})
	w.ok("DeleteResource", w.db.DeleteResource(w.ctx, flow.OmicsBatch, b.ID, nil))
	all, _, err := w.db.BatchEntries(w.ctx, b.ID, flow.BatchFilter{}, flow.Page{})
	w.ok("BatchEntries", err)
	w.same("entries of a batch that is gone", len(all), 0)
}

// leftRecords checks what is swept of records that a crash has left.
func leftRecords(w world) {
	graph, err := w.db.PutGraph(w.ctx, flow.Graph{Nodes: []flow.Node{{ID: "a"}}})
	w.ok("PutGraph", err)
	wf, _, err := w.db.AddResource(w.ctx, flow.Resource{Kind: flow.OmicsWorkflow, Status: "ACTIVE", Graph: graph, Created: at(1)}, flow.Token{}, 0)
	w.ok("AddResource", err)
	record := func(n int) flow.Record {
		w.Helper()
		c, err := w.db.AddRecord(w.ctx, flow.Record{Workflow: flow.WorkflowID(wf.ID), Created: at(n)}, flow.Token{Key: fmt.Sprint(n), Fingerprint: "f", Expires: at(1000)}, 0)
		w.ok("AddRecord", err)
		return c
	}
	old, fresh := record(10), record(20)
	w.ok("delete the workflow", w.db.DeleteResource(w.ctx, flow.OmicsWorkflow, wf.ID, nil))
	w.ok("SweepRecords", w.db.SweepRecords(w.ctx, at(15)))
	insert := func(c flow.Record) error {
		_, _, err := w.db.InsertRun(w.ctx, flow.Run{
			ID: c.Run, Workflow: c.Workflow, Kind: flow.OnDemand, State: flow.Starting, Graph: graph, Created: c.Created, Modified: c.Created, Logical: c.Created,
		}, flow.Token{}, 0, 0)
		return err
	}
	w.ok("a run whose record is not old", insert(fresh))
	if err := insert(old); err == nil {
		w.Error("a run whose record was swept began")
	}
	w.ok("SweepRecords", w.db.SweepRecords(w.ctx, at(100)))
	_, err = w.db.Recorded(w.ctx, fresh.Run)
	w.ok("a record that has a run", err)
}

// Package storetest is the suite that the store passes on every database. It
// knows the store by its methods alone.
package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/store"

	"github.com/google/go-cmp/cmp"
)

// Open returns an empty store in a file of its own, which is closed at the
// end of the test.
func Open(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// Run runs the suite. Each call of open returns an empty store.
func Run(t *testing.T, open func(t *testing.T) *store.DB) {
	for _, tt := range []struct {
		name string
		test func(world)
	}{
		{"settings", settings},
		{"graphs", graphs},
		{"workflow is read as it was created", createWorkflow},
		{"tokens make a request count once", tokens},
		{"names and quotas", namesAndQuotas},
		{"versions", versions},
		{"lists of workflows", workflowLists},
		{"tags", tags},
		{"schedules fire once", schedules},
		{"schedules follow the latest version", scheduleOfLatest},
		{"runs", runs},
		{"quota of runs holds among many callers", runQuota},
		{"steps", steps},
		{"first steps of many tasks", firstStep},
		{"a stale step changes nothing", staleStep},
		{"of many writers one wins", race},
		{"any text is kept", dirtyText},
		{"instances", instances},
		{"outputs", outputs},
		{"deliveries", deliveries},
		{"a task in one question", present},
		{"a task while its run goes on", presentIsNow},
		{"journal", journal},
		{"at a glance", atAGlance},
		{"deleting a workflow", deleteWorkflow},
		{"retention", retention},
		{"pauses", pauses},
		{"a run that ended goes on", reopen},
		{"one run for a slot", slots},
		{"one holder", oneHolder},
		{"page keys are checked", pageKeys},
		{"contexts", contexts},
		{"buckets", buckets},
		{"objects agree with a model", objects},
		{"ranges of objects", objectRange},
		{"uploads", uploads},
		{"of many who put one key each is replaced once", objectRace},
		{"resources", resources},
		{"records of runs", records},
		{"batches", batches},
		{"notices", notices},
		{"records that a crash has left", leftRecords},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(world{t, t.Context(), open(t)}) })
	}
}

// A world is what a test needs.
type world struct {
	*testing.T
	ctx context.Context
	db  *store.DB
}

// at is n seconds after the beginning of the world, which has microseconds.
func at(n int) time.Time {
	return time.Date(2026, 11, 21, 8, 0, n, 123456000, time.UTC)
}

// same fails the test unless got is want.
func (w world) same(what string, got, want any) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// ok ends the test at an error.
func (w world) ok(what string, err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

// kind fails the test unless the error is of the kind.
func (w world) kind(what string, err error, want flow.Kind) {
	w.Helper()
	if err == nil || flow.KindOf(err) != want {
		w.Errorf("%s = %v (kind %d), want an error of kind %d", what, err, flow.KindOf(err), want)
	}
}

func (w world) graph() string {
	w.Helper()
	key, err := w.db.PutGraph(w.ctx, flow.Graph{Nodes: []flow.Node{{ID: "a"}, {ID: "b", After: []flow.TaskID{"a"}}}})
	w.ok("PutGraph", err)
	return key
}

// workflow creates one called id with a version id-v1, both created at n.
func (w world) workflow(id string, n int) (flow.Workflow, flow.Version) {
	w.Helper()
	wf := flow.Workflow{ID: flow.WorkflowID(id), Name: id, Created: at(n), Modified: at(n)}
	v := flow.Version{ID: flow.VersionID(id + "-v1"), Source: "s", Graph: w.graph(), MaxRuns: 1, Created: at(n)}
	wf, v, _, err := w.db.CreateWorkflow(w.ctx, wf, v, flow.Token{}, 0)
	w.ok("CreateWorkflow", err)
	return wf, v
}

// run starts one of the workflow, created at n.
func (w world) run(wf flow.Workflow, id string, n int) flow.Run {
	w.Helper()
	r, _, err := w.db.InsertRun(w.ctx, w.newRun(wf, id, n), flow.Token{}, 0, 0)
	w.ok("InsertRun", err)
	return r
}

func (w world) newRun(wf flow.Workflow, id string, n int) flow.Run {
	w.Helper()
	return flow.Run{
		ID: flow.RunID(id), Workflow: wf.ID, Version: wf.Latest, Kind: flow.OnDemand, State: flow.Starting, Key: "key-" + id,
		Params: json.RawMessage(`{"x":1}`), Logical: at(n), Graph: w.graph(), Created: at(n), Modified: at(n), By: "ada",
	}
}

// step makes the next step of a run: it takes on the state and saves the
// tasks.
func (w world) step(r *flow.Run, s flow.State, tasks ...flow.Task) engine.Step {
	r.Rev++
	r.State = s
	if s.Final() {
		r.Ended = at(int(r.Rev))
	}
	return engine.Step{
		Run: *r, Tasks: tasks,
		Entry: flow.Entry{Run: r.ID, Seq: r.Rev, At: at(int(r.Rev)), What: string(s), Detail: json.RawMessage(`{"n":` + fmt.Sprint(r.Rev) + `}`)},
	}
}

func (w world) save(steps ...engine.Step) {
	w.Helper()
	w.ok("Save", w.db.Save(w.ctx, steps...))
}

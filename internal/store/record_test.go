package store

import (
	"path/filepath"
	"testing"
	"time"

	"fairlead/internal/flow"
)

// TestRunsHalfRemoved holds that a start removes the rest of a run whose
// removal a crash has broken off.
func TestRunsHalfRemoved(t *testing.T) {
	ctx := t.Context()
	db, err := Open(ctx, filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	key, err := db.PutGraph(ctx, flow.Graph{Nodes: []flow.Node{{ID: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1, 0)
	w, _, err := db.AddResource(ctx, flow.Resource{Kind: flow.OmicsWorkflow, Status: "ACTIVE", Graph: key, Created: now}, flow.Token{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.AddRecord(ctx, flow.Record{Workflow: flow.WorkflowID(w.ID), Created: now}, flow.Token{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := flow.Run{ID: c.Run, Workflow: c.Workflow, Kind: flow.OnDemand, State: flow.Succeeded, Graph: key, Created: now, Modified: now, Logical: now, Ended: now}
	if _, _, err := db.InsertRun(ctx, r, flow.Token{}, 0, 0); err != nil {
		t.Fatal(err)
	}
	// What the first write of a removal does.
	if err := db.write(ctx, func(t *tx) error {
		if _, err := t.exec(`DELETE FROM record WHERE run = $1`, string(c.Run)); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO dropping (run) VALUES ($1)`, string(c.Run))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.SweepRecords(ctx, now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.RunByID(ctx, c.Run); flow.KindOf(err) != flow.NotFound {
			t.Errorf("the row of a run that was being removed: %v, want none", err)
		}
	}
}

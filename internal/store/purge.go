package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"fairlead/internal/flow"
)

// PurgeWorkflow removes about max rows of a workflow that is being deleted,
// and answers whether nothing of it is left. While a run of it is active, or
// it is not being deleted, that is a Conflict; while a sink has not been told
// all of a run that is the last of them, Busy.
func (db *DB) PurgeWorkflow(ctx context.Context, wf flow.WorkflowID, max int) (done bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		done, err = purgeWorkflow(t, wf, int64(max))
		return err
	})
	return done && err == nil, err
}

func purgeWorkflow(t *tx, wf flow.WorkflowID, left int64) (bool, error) {
	w, err := workflowIn(t, wf)
	if flow.KindOf(err) == flow.NotFound {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !w.Deleting {
		return false, flow.Errorf(flow.Conflict, "workflow %q is not being deleted", wf).About("Workflow", string(wf))
	}
	active, err := number(t, `SELECT count(*) FROM run WHERE workflow = $1 AND active = 1`, string(wf))
	if err != nil {
		return false, err
	}
	if active > 0 {
		return false, flow.Errorf(flow.Conflict, "workflow %q has %d active runs", wf, active).About("Workflow", string(wf))
	}
	for left > 0 {
		run, err := one(t, value[flow.RunID], `
			SELECT id FROM run WHERE workflow = $1 AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.run = run.id)
			ORDER BY created, id LIMIT 1`, string(wf))
		if errors.Is(err, sql.ErrNoRows) {
			owed, err := number(t, `SELECT count(*) FROM run WHERE workflow = $1`, string(wf))
			if err != nil {
				return false, err
			}
			if owed > 0 {
				return false, flow.Errorf(flow.Busy, "a sink has not been told all of %d runs of workflow %q", owed, wf)
			}
			return true, purgeRest(t, wf)
		}
		if err != nil {
			return false, err
		}
		if left, err = deleteRun(t, run, left); err != nil {
			return false, err
		}
	}
	return false, nil
}

// purgeRest removes what is left when the runs are gone: few rows.
func purgeRest(t *tx, wf flow.WorkflowID) error {
	if err := dropGraphs(t, wf); err != nil {
		return err
	}
	for _, q := range []string{
		`DELETE FROM schedule WHERE workflow = $1`,
		`DELETE FROM pause WHERE workflow = $1`,
		`DELETE FROM version WHERE workflow = $1`,
		`DELETE FROM workflow WHERE id = $1`,
	} {
		if _, err := t.exec(q, string(wf)); err != nil {
			return err
		}
	}
	return nil
}

// deleteRun removes at most left rows of a run, its own last, and returns how
// many more may go; 0 if the run may not be gone yet.
func deleteRun(t *tx, run flow.RunID, left int64) (int64, error) {
	for _, q := range []string{
		`DELETE FROM output WHERE run = $1 AND (task, attempt, key) IN (SELECT task, attempt, key FROM output WHERE run = $1 LIMIT $2)`,
		`DELETE FROM attempt WHERE run = $1 AND (idx, n) IN (SELECT idx, n FROM attempt WHERE run = $1 LIMIT $2)`,
		`DELETE FROM task WHERE run = $1 AND idx IN (SELECT idx FROM task WHERE run = $1 LIMIT $2)`,
		`DELETE FROM entry WHERE run = $1 AND seq IN (SELECT seq FROM entry WHERE run = $1 LIMIT $2)`,
		`DELETE FROM record WHERE run = $1 AND $2 > 0`,
		`DELETE FROM run WHERE id = $1 AND $2 > 0`,
	} {
		n, err := t.exec(q, string(run), left)
		if err != nil {
			return 0, err
		}
		if left -= n; left <= 0 {
			return 0, nil
		}
	}
	return left, nil
}

// DeleteRuns removes up to max runs that ended before a time, and of which
// sinks have been told all, the oldest first, and returns how many; one that goes on meanwhile stays. Before the
// rows of a run go, first is called with it, to remove what is known by them.
// A run with many rows goes in several writes; while that is under way, or if
// it breaks off, the run can be seen without some of them, and the next call
// goes on.
func (db *DB) DeleteRuns(ctx context.Context, before time.Time, max int, first func(flow.Run)) (int, error) {
	runs, err := list(db.read(ctx), scanRun,
		`SELECT `+runColumns+` FROM run WHERE active = 0 AND ended < $1
		AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.run = run.id) ORDER BY ended LIMIT $2`, micros(before), max)
	if err != nil {
		return 0, err
	}
	for i, r := range runs {
		if err := ctx.Err(); err != nil {
			return i, err
		}
		first(r)
		for gone := false; !gone; {
			if err := db.write(ctx, func(t *tx) error {
				ended, err := number(t, `SELECT count(*) FROM run WHERE id = $1 AND active = 0`, string(r.ID))
				if gone = ended == 0; gone || err != nil {
					return err
				}
				const rows = 1000
				left, err := deleteRun(t, r.ID, rows)
				if gone = left > 0; !gone || err != nil {
					return err
				}
				return dropUnused(t, r.Workflow)
			}); err != nil {
				return i, err
			}
		}
	}
	return len(runs), nil
}

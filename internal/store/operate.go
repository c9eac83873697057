package store

import (
	"context"
	"time"

	"fairlead/internal/flow"
)

// Pause keeps that a workflow is paused, or everything if wf is empty, by
// whom and since when. Pausing what is paused changes nothing.
func (db *DB) Pause(ctx context.Context, wf flow.WorkflowID, who string, at time.Time) error {
	return db.write(ctx, func(t *tx) error {
		if wf != "" {
			if _, err := standing(t, wf); err != nil {
				return err
			}
		}
		_, err := t.exec(`INSERT INTO pause (workflow, who, since) VALUES ($1, $2, $3) ON CONFLICT (workflow) DO NOTHING`,
			string(wf), text(who), micros(at))
		return err
	})
}

// Unpause ends a pause. It is not an error if there is none.
func (db *DB) Unpause(ctx context.Context, wf flow.WorkflowID) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM pause WHERE workflow = $1`, string(wf))
		return err
	})
}

// Pauses lists what is paused, in the order of the workflows' ids.
func (db *DB) Pauses(ctx context.Context) ([]flow.Pause, error) {
	return list(db.read(ctx), func(s scanner) (flow.Pause, error) {
		var p flow.Pause
		err := s.Scan(&p.Workflow, &p.By, at{&p.Since})
		return p, err
	}, `SELECT workflow, who, since FROM pause ORDER BY workflow`)
}

// InsertSlot keeps a new run that stands for a slot of a schedule, unless
// there is a run for that slot already: then it answers false.
func (db *DB) InsertSlot(ctx context.Context, r flow.Run) (created bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		created = false
		if _, err := standing(t, r.Workflow); err != nil {
			return err
		}
		n, err := number(t, `SELECT count(*) FROM run WHERE workflow = $1 AND logical = $2 AND kind <> 'ondemand'`,
			string(r.Workflow), micros(r.Logical))
		if err != nil || n > 0 {
			return err
		}
		created = true
		return insertRun(t, r)
	})
	return created && err == nil, err
}

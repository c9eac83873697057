package store

import (
	"context"
	"database/sql"
	"errors"

	"fairlead/internal/flow"
)

const runColumns = `id, workflow, version, kind, state, rev, key, logical, graph,
	created, started, ended, modified, reason, cause, params, held, asker`

func scanRun(s scanner) (flow.Run, error) {
	var r flow.Run
	err := s.Scan(runFields(&r)...)
	return r, err
}

// runFields returns what to scan runColumns into.
func runFields(r *flow.Run) []any {
	return []any{
		&r.ID, &r.Workflow, &r.Version, &r.Kind, &r.State, &r.Rev, &r.Key, at{&r.Logical}, &r.Graph,
		at{&r.Created}, at{&r.Started}, at{&r.Ended}, at{&r.Modified}, &r.Reason, &r.Cause, raw{&r.Params}, &r.Held, &r.By,
	}
}

// InsertRun keeps a new run. If the token was used for the same request
// before, the run that it made is returned as it is now, created is false, and
// nothing changes. A workflow that is being deleted is a Conflict; maxWorkflow
// unfinished runs of it, or maxTotal in all (0: any number), are a Quota. None
// of that is asked of a run that [DB.AddRecord] gave its id; one that is there
// already is returned as it is.
func (db *DB) InsertRun(ctx context.Context, r flow.Run, tok flow.Token, maxWorkflow, maxTotal int) (run flow.Run, created bool, err error) {
	err = db.writeRuns(ctx, nil, func(t *tx) error {
		run, created, err = startRun(t, r, tok, maxWorkflow, maxTotal)
		return err
	})
	return run, created && err == nil, err
}

func startRun(t *tx, r flow.Run, tok flow.Token, maxWorkflow, maxTotal int) (flow.Run, bool, error) {
	id, err := made(t, newRun, tok, r.Created)
	if err != nil {
		return flow.Run{}, false, err
	}
	if id != "" {
		old, err := runByID(t, flow.RunID(id))
		if flow.KindOf(err) != flow.NotFound {
			return old, false, err
		}
	}
	old, begun, recorded, err := begunBefore(t, r.ID)
	if begun || err != nil {
		return old, false, err
	}
	if recorded { // its limits are those of its group, and let it wait
		err := insertRun(t, r)
		return r, err == nil, err
	}
	if _, err := standing(t, r.Workflow); err != nil {
		return flow.Run{}, false, err
	}
	if maxWorkflow > 0 {
		n, err := number(t, `SELECT count(*) FROM run WHERE workflow = $1 AND active = 1`, string(r.Workflow))
		if err != nil {
			return flow.Run{}, false, err
		}
		if n >= int64(maxWorkflow) {
			err := flow.Errorf(flow.Quota, "workflow %q has %d runs that are not finished; at most %d may be", r.Workflow, n, maxWorkflow).
				About("Workflow", string(r.Workflow))
			err.Code = LimitRunsPerFlow
			return flow.Run{}, false, err
		}
	}
	if maxTotal > 0 {
		// Runs of no version are those of HealthOmics, which wait instead.
		n, err := number(t, `SELECT count(*) FROM run WHERE active = 1 AND version <> ''`)
		if err != nil {
			return flow.Run{}, false, err
		}
		if n >= int64(maxTotal) {
			err := flow.Errorf(flow.Quota, "%d runs are not finished; at most %d may be", n, maxTotal).About("WorkflowRun", "")
			err.Code = LimitRuns
			return flow.Run{}, false, err
		}
	}
	if err := insertRun(t, r); err != nil {
		return flow.Run{}, false, err
	}
	return r, true, keepToken(t, newRun, tok, string(r.ID), r.Created)
}

func insertRun(t *tx, r flow.Run) error {
	if err := useGraph(t, r.Graph, r.Workflow); err != nil {
		return err
	}
	_, err := t.exec(`
		INSERT INTO run (id, workflow, version, kind, state, active, rev, key, logical, graph,
			created, started, ended, modified, reason, cause, params, held, asker)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		string(r.ID), string(r.Workflow), string(r.Version), string(r.Kind), string(r.State), bit(!r.State.Final()), r.Rev,
		r.Key, micros(r.Logical), r.Graph, micros(r.Created), micros(r.Started), micros(r.Ended), micros(r.Modified),
		text(r.Reason), string(r.Cause), jsonText(r.Params), bit(r.Held), text(r.By))
	if err != nil {
		return err
	}
	return owe(t, r.ID, -1)
}

// Run returns a run of a workflow.
func (db *DB) Run(ctx context.Context, wf flow.WorkflowID, id flow.RunID) (flow.Run, error) {
	r, err := runByID(db.read(ctx), id)
	if err == nil && r.Workflow != wf {
		return flow.Run{}, noRun(id)
	}
	return r, err
}

// RunByID returns a run.
func (db *DB) RunByID(ctx context.Context, id flow.RunID) (flow.Run, error) {
	return runByID(db.read(ctx), id)
}

func runByID(q querier, id flow.RunID) (flow.Run, error) {
	r, err := one(q, scanRun, `SELECT `+runColumns+` FROM run WHERE id = $1`, string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, noRun(id)
	}
	return r, err
}

func noRun(id flow.RunID) error {
	return flow.Errorf(flow.NotFound, "run %q does not exist", id).About("WorkflowRun", string(id))
}

// Unfinished returns all runs that are not final, the oldest first.
func (db *DB) Unfinished(ctx context.Context) ([]flow.Run, error) {
	return list(db.read(ctx), scanRun, `SELECT `+runColumns+` FROM run WHERE active = 1 ORDER BY created, id`)
}

// Runs lists the runs of a workflow, or of one version of it, the newest
// first. next is the After of the page that follows; empty on the last.
func (db *DB) Runs(ctx context.Context, wf flow.WorkflowID, v flow.VersionID, page flow.Page) (runs []flow.Run, next string, err error) {
	created, id, err := older(page)
	if err != nil {
		return nil, "", err
	}
	if v == "" {
		runs, err = list(db.read(ctx), scanRun, `
			SELECT `+runColumns+` FROM run WHERE workflow = $1 AND (created, id) < ($2, $3)
			ORDER BY created DESC, id DESC LIMIT $4`, string(wf), created, id, limit(page)+1)
	} else {
		runs, err = list(db.read(ctx), scanRun, `
			SELECT `+runColumns+` FROM run WHERE workflow = $1 AND version = $2 AND (created, id) < ($3, $4)
			ORDER BY created DESC, id DESC LIMIT $5`, string(wf), string(v), created, id, limit(page)+1)
	}
	if err != nil {
		return nil, "", err
	}
	runs, next = cut(runs, page, func(r flow.Run) string { return byAge(r.Created, r.ID) })
	return runs, next, nil
}

// CountActive counts the unfinished runs of a workflow, and of all that have a
// version.
func (db *DB) CountActive(ctx context.Context, wf flow.WorkflowID) (workflow, total int, err error) {
	_, err = one(db.read(ctx), func(s scanner) (struct{}, error) { return struct{}{}, s.Scan(&workflow, &total) }, `
		SELECT (SELECT count(*) FROM run WHERE workflow = $1 AND active = 1),
		       (SELECT count(*) FROM run WHERE active = 1 AND version <> '')`, string(wf))
	return workflow, total, err
}

// LatestRuns returns the newest unfinished runs and behind them those that
// ended last, at most limit in all and over of the second.
func (db *DB) LatestRuns(ctx context.Context, limit, over int) ([]flow.Run, error) {
	q := db.read(ctx)
	runs, err := list(q, scanRun, `SELECT `+runColumns+` FROM run WHERE active = 1 ORDER BY created DESC, id DESC LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	ended, err := list(q, scanRun, `SELECT `+runColumns+` FROM run WHERE active = 0 ORDER BY ended DESC LIMIT $1`, min(over, limit-len(runs)))
	return append(runs, ended...), err
}

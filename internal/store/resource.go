package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"fairlead/internal/flow"
)

const resourceColumns = `kind, id, parent, name, status, graph, created, tags, body`

func scanResource(s scanner) (flow.Resource, error) {
	var r flow.Resource
	var tags string
	if err := s.Scan(&r.Kind, &r.ID, &r.Parent, &r.Name, &r.Status, &r.Graph, at{&r.Created}, &tags, raw{&r.Body}); err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(tags), &r.Tags); err != nil {
		return r, fmt.Errorf("tags of %s %s: %w", r.Kind, r.ID, err)
	}
	return r, nil
}

// AddResource keeps a new resource, at most max of its kind and parent (0: any
// number), or a Quota error comes back. An id that is taken is a Conflict, a
// parent that does not exist a NotFound. If the token was used for the same
// request before, what that made is returned as it is now, created is false,
// and nothing changes.
func (db *DB) AddResource(ctx context.Context, r flow.Resource, tok flow.Token, max int) (made flow.Resource, created bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		if made, created, err = addResource(t, r, tok, max); err != nil || !created {
			return err
		}
		return notify(t, made)
	})
	return made, created && err == nil, err
}

func addResource(t *tx, r flow.Resource, tok flow.Token, max int) (flow.Resource, bool, error) {
	scope := "omics/" + string(r.Kind)
	id, err := made(t, scope, tok, r.Created)
	if err != nil {
		return r, false, err
	}
	if id != "" {
		old, err := resourceIn(t, r.Kind, id)
		if flow.KindOf(err) != flow.NotFound {
			return old, false, err
		}
	}
	if r.Parent != "" {
		if _, err := resourceIn(t, flow.OmicsWorkflow, r.Parent); err != nil {
			return r, false, err
		}
	}
	if max > 0 {
		n, err := number(t, `SELECT count(*) FROM resource WHERE kind = $1 AND parent = $2`, string(r.Kind), r.Parent)
		if err != nil {
			return r, false, err
		}
		if n >= int64(max) {
			err := flow.Errorf(flow.Quota, "there are %d resources of the kind %s; at most %d may exist", n, r.Kind, max)
			err.Code = string(r.Kind) + "s"
			return r, false, err
		}
	}
	if r.ID == "" {
		if r.ID, err = next(t); err != nil {
			return r, false, err
		}
	} else if _, err := resourceIn(t, r.Kind, r.ID); flow.KindOf(err) != flow.NotFound {
		if err == nil {
			err = flow.Errorf(flow.Conflict, "%s %q exists", r.Kind, r.ID)
		}
		return r, false, err
	}
	if err := useResourceGraph(t, r); err != nil {
		return r, false, err
	}
	tags, err := tagText(r.Tags)
	if err != nil {
		return r, false, err
	}
	if _, err := t.exec(`
		INSERT INTO resource (kind, id, parent, name, status, graph, created, tags, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		string(r.Kind), r.ID, r.Parent, r.Name, r.Status, r.Graph, micros(r.Created), tags, jsonText(r.Body)); err != nil {
		return r, false, err
	}
	return r, true, keepToken(t, scope, tok, r.ID, r.Created)
}

// next returns a decimal number that was never given out.
func next(t *tx) (string, error) {
	if _, err := t.exec(`UPDATE sequence SET last = last + 1 WHERE name = 'omics'`); err != nil {
		return "", err
	}
	n, err := number(t, `SELECT last FROM sequence WHERE name = 'omics'`)
	return strconv.FormatInt(n, 10), err
}

// owner is the workflow on whose behalf a resource's graph is kept.
func owner(r flow.Resource) flow.WorkflowID {
	if r.Parent != "" {
		return flow.WorkflowID(r.Parent)
	}
	return flow.WorkflowID(r.ID)
}

func useResourceGraph(t *tx, r flow.Resource) error {
	if r.Graph == "" {
		return nil
	}
	return useGraph(t, r.Graph, owner(r))
}

// Resource returns a resource.
func (db *DB) Resource(ctx context.Context, kind flow.ResourceKind, id string) (flow.Resource, error) {
	return resourceIn(db.read(ctx), kind, id)
}

func resourceIn(q querier, kind flow.ResourceKind, id string) (flow.Resource, error) {
	r, err := one(q, scanResource, `SELECT `+resourceColumns+` FROM resource WHERE kind = $1 AND id = $2`, string(kind), id)
	if errors.Is(err, sql.ErrNoRows) {
		return r, noResource(kind, id)
	}
	return r, err
}

func noResource(kind flow.ResourceKind, id string) error {
	return flow.Errorf(flow.NotFound, "%s %q does not exist", kind, id)
}

// Resources lists the resources of a kind, the newest first. after is the
// After of the page that follows; empty on the last.
func (db *DB) Resources(ctx context.Context, kind flow.ResourceKind, f flow.ResourceFilter, page flow.Page) (all []flow.Resource, after string, err error) {
	created, id, err := older(page)
	if err != nil {
		return nil, "", err
	}
	all, err = list(db.read(ctx), scanResource, `
		SELECT `+resourceColumns+` FROM resource
		WHERE kind = $1 AND parent = $2 AND ($3 = '' OR name = $3) AND ($4 = '' OR status = $4) AND (created, id) < ($5, $6)
		ORDER BY created DESC, id DESC LIMIT $7`,
		string(kind), f.Parent, f.Name, f.Status, created, id, limit(page)+1)
	if err != nil {
		return nil, "", err
	}
	all, after = cut(all, page, func(r flow.Resource) string { return byAge(r.Created, r.ID) })
	return all, after, nil
}

// ChangeResource replaces a resource by what change makes of it: its name,
// status, graph, tags and body. change may be called more than once; its
// error comes back as it is.
func (db *DB) ChangeResource(ctx context.Context, kind flow.ResourceKind, id string, change func(*flow.Resource) error) (flow.Resource, error) {
	var r flow.Resource
	err := db.write(ctx, func(t *tx) (err error) {
		if r, err = resourceIn(t, kind, id); err != nil {
			return err
		}
		was := r.Status
		if err := change(&r); err != nil {
			return err
		}
		if err := useResourceGraph(t, r); err != nil {
			return err
		}
		tags, err := tagText(r.Tags)
		if err != nil {
			return err
		}
		_, err = t.exec(`UPDATE resource SET name = $1, status = $2, graph = $3, tags = $4, body = $5 WHERE kind = $6 AND id = $7`,
			r.Name, r.Status, r.Graph, tags, jsonText(r.Body), string(kind), id)
		if err != nil || r.Status == was {
			return err
		}
		return notify(t, r)
	})
	return r, err
}

// DeleteResource removes a resource unless check, which may be nil, has
// something against it as it is. A workflow with versions, and a group or cache
// that a run uses which has not ended, is a Conflict. What runs of a deleted
// workflow need stays as long as they do.
func (db *DB) DeleteResource(ctx context.Context, kind flow.ResourceKind, id string, check func(flow.Resource) error) error {
	return db.write(ctx, func(t *tx) error {
		r, err := resourceIn(t, kind, id)
		if err != nil {
			return err
		}
		if check != nil {
			if err := check(r); err != nil {
				return err
			}
		}
		if err := unused(t, r); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM resource WHERE kind = $1 AND id = $2`, string(kind), id); err != nil {
			return err
		}
		switch kind {
		case flow.OmicsWorkflow:
			if err := dropUnused(t, flow.WorkflowID(id)); err != nil {
				return err
			}
		case flow.OmicsBatch: // the service has no word for one that is gone
			_, err = t.exec(`DELETE FROM batch_entry WHERE batch = $1`, id)
			return err
		}
		r.Status = "DELETED"
		return notify(t, r)
	})
}

// unused refuses what others need.
func unused(t *tx, r flow.Resource) error {
	var n int64
	var err error
	what := "runs that are not finished"
	switch r.Kind {
	case flow.OmicsWorkflow:
		what = "versions: delete those first"
		n, err = number(t, `SELECT count(*) FROM resource WHERE kind = $1 AND parent = $2`, string(flow.OmicsVersion), r.ID)
	case flow.OmicsGroup:
		n, err = number(t, `SELECT count(*) FROM record c JOIN run ON run.id = c.run WHERE c.pool = $1 AND run.active = 1`, r.ID)
	case flow.OmicsCache:
		n, err = number(t, `SELECT count(*) FROM record c JOIN run ON run.id = c.run WHERE c.cache = $1 AND run.active = 1`, r.ID)
	}
	if err != nil || n == 0 {
		return err
	}
	return flow.Errorf(flow.Conflict, "%s %s has %d %s", r.Kind, r.ID, n, what)
}

// dropUnused forgets the graphs of a workflow that is gone, once its runs are.
// Those of a workflow that stands stay.
func dropUnused(t *tx, wf flow.WorkflowID) error {
	used, err := number(t, `
		SELECT 1 WHERE EXISTS (SELECT 1 FROM workflow WHERE id = $1)
		OR EXISTS (SELECT 1 FROM resource WHERE kind = $2 AND id = $1)
		OR EXISTS (SELECT 1 FROM run WHERE workflow = $1)
		OR EXISTS (SELECT 1 FROM record WHERE workflow = $1)`, string(wf), string(flow.OmicsWorkflow))
	if err != nil || used > 0 {
		return err
	}
	return dropGraphs(t, wf)
}

const recordColumns = `c.run, c.workflow, c.pool, c.cache, c.batch, c.name, c.priority, c.removable, c.created, c.tags, c.body`

// recordFields returns what to scan recordColumns into, and what to call after
// that.
func recordFields(c *flow.Record) ([]any, func() error) {
	var tags string
	var removable int64
	return []any{&c.Run, &c.Workflow, &c.Group, &c.Cache, &c.Batch, &c.Name, &c.Priority, &removable, at{&c.Created}, &tags, raw{&c.Body}},
		func() error {
			c.Removable = removable == 1
			if err := json.Unmarshal([]byte(tags), &c.Tags); err != nil {
				return fmt.Errorf("tags of run %s: %w", c.Run, err)
			}
			return nil
		}
}

func scanRecord(s scanner) (flow.Record, error) {
	var c flow.Record
	into, done := recordFields(&c)
	if err := s.Scan(into...); err != nil {
		return c, err
	}
	return c, done()
}

// AddRecord keeps what a door knows of a run that is about to start, and gives
// the run its id. [DB.InsertRun] follows, with a run of that id, and asks no
// more whether the workflow stands. If the token was used for the same request
// before, what that made is returned and nothing changes; a run for it is
// missing if the first request got no further. A workflow, group or cache
// that does not exist is a NotFound. Where there are max records already (0: any
// number may be), that is a Quota.
func (db *DB) AddRecord(ctx context.Context, c flow.Record, tok flow.Token, max int) (flow.Record, error) {
	var kept flow.Record
	err := db.write(ctx, func(t *tx) (err error) {
		kept, err = addRecord(t, c, tok, max)
		return err
	})
	return kept, err
}

// newRecord is the scope of tokens of runs that have a record.
const newRecord = "omics/run"

func addRecord(t *tx, c flow.Record, tok flow.Token, max int) (flow.Record, error) {
	id, err := made(t, newRecord, tok, c.Created)
	if err != nil {
		return c, err
	}
	if id != "" {
		old, err := recordIn(t, flow.RunID(id))
		if flow.KindOf(err) != flow.NotFound {
			return old, err
		}
	}
	for _, needs := range []struct {
		kind flow.ResourceKind
		id   string
	}{{flow.OmicsWorkflow, string(c.Workflow)}, {flow.OmicsGroup, c.Group}, {flow.OmicsCache, c.Cache}, {flow.OmicsBatch, c.Batch}} {
		if needs.id == "" {
			continue
		}
		if _, err := resourceIn(t, needs.kind, needs.id); err != nil {
			return c, err
		}
	}
	if max > 0 {
		n, err := number(t, `SELECT count(*) FROM record`)
		if err != nil {
			return c, err
		}
		if n >= int64(max) {
			err := flow.Errorf(flow.Quota, "%d runs are stored, active or not, and at most %d may be", n, max)
			err.Code = "stored-runs"
			return c, err
		}
	}
	if c.Run == "" {
		if id, err = next(t); err != nil {
			return c, err
		}
		c.Run = flow.RunID(id)
	}
	tags, err := tagText(c.Tags)
	if err != nil {
		return c, err
	}
	if _, err := t.exec(`
		INSERT INTO record (run, workflow, pool, cache, batch, name, priority, removable, created, tags, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		string(c.Run), string(c.Workflow), c.Group, c.Cache, c.Batch, c.Name, int64(c.Priority), bit(c.Removable), micros(c.Created), tags,
		jsonText(c.Body)); err != nil {
		return c, err
	}
	return c, keepToken(t, newRecord, tok, string(c.Run), c.Created)
}

func recordIn(q querier, run flow.RunID) (flow.Record, error) {
	c, err := one(q, scanRecord, `SELECT `+recordColumns+` FROM record c WHERE c.run = $1`, string(run))
	if errors.Is(err, sql.ErrNoRows) {
		return c, noRun(run)
	}
	return c, err
}

// begunBefore returns the run that a request which is sent again has begun
// already, and whether the run has a record at all.
func begunBefore(t *tx, id flow.RunID) (old flow.Run, begun, recorded bool, err error) {
	n, err := number(t, `SELECT count(*) FROM record WHERE run = $1`, string(id))
	if err != nil || n == 0 {
		return old, false, false, err
	}
	old, err = runByID(t, id)
	if flow.KindOf(err) == flow.NotFound {
		return old, false, true, nil
	}
	return old, err == nil, true, err
}

// recordedColumns are those of a run and of its record.
const recordedColumns = `run.id, run.workflow, run.version, run.kind, run.state, run.rev, run.key, run.logical, run.graph,
	run.created, run.started, run.ended, run.modified, run.reason, run.cause, run.params, run.held, run.asker, ` + recordColumns

func scanRecorded(s scanner) (flow.Recorded, error) {
	var r flow.Recorded
	into, done := recordFields(&r.Record)
	if err := s.Scan(append(runFields(&r.Run), into...)...); err != nil {
		return r, err
	}
	return r, done()
}

// Recorded returns a run that has a record, with it.
func (db *DB) Recorded(ctx context.Context, run flow.RunID) (flow.Recorded, error) {
	r, err := one(db.read(ctx), scanRecorded, `SELECT `+recordedColumns+` FROM record c JOIN run ON run.id = c.run WHERE c.run = $1`, string(run))
	if errors.Is(err, sql.ErrNoRows) {
		return r, noRun(run)
	}
	return r, err
}

// RecordedRuns lists the runs that have records, the newest first. after is
// the After of the page that follows; empty on the last.
func (db *DB) RecordedRuns(ctx context.Context, f flow.RecordFilter, page flow.Page) (all []flow.Recorded, after string, err error) {
	created, id, err := older(page)
	if err != nil {
		return nil, "", err
	}
	states := ""
	for _, s := range f.States {
		states += "," + string(s) + ","
	}
	all, err = list(db.read(ctx), scanRecorded, `
		SELECT `+recordedColumns+` FROM record c JOIN run ON run.id = c.run
		WHERE ($1 = '' OR c.name = $1) AND ($2 = '' OR c.pool = $2) AND ($3 = '' OR c.batch = $3)
		AND ($4 = '' OR replace($4, ',' || run.state || ',', '') <> $4) AND (c.created, c.run) < ($5, $6)
		ORDER BY c.created DESC, c.run DESC LIMIT $7`,
		f.Name, f.Group, f.Batch, states, created, id, limit(page)+1)
	if err != nil {
		return nil, "", err
	}
	all, after = cut(all, page, func(r flow.Recorded) string { return byAge(r.Record.Created, r.Record.Run) })
	return all, after, nil
}

// Removable lists runs that have ended and may be dropped to make room, the
// oldest first.
func (db *DB) Removable(ctx context.Context, limit int) ([]flow.RunID, error) {
	return list(db.read(ctx), value[flow.RunID], `
		SELECT c.run FROM record c JOIN run ON run.id = c.run WHERE c.removable = 1 AND run.active = 0
		ORDER BY c.created, c.run LIMIT $1`, limit)
}

// ChangeRecord replaces a record by what change makes of it: its name, tags
// and body. change may be called more than once; its error comes back as it
// is.
func (db *DB) ChangeRecord(ctx context.Context, run flow.RunID, change func(*flow.Record) error) error {
	return db.write(ctx, func(t *tx) error {
		c, err := recordIn(t, run)
		if err != nil {
			return err
		}
		if err := change(&c); err != nil {
			return err
		}
		tags, err := tagText(c.Tags)
		if err != nil {
			return err
		}
		_, err = t.exec(`UPDATE record SET name = $1, tags = $2, body = $3 WHERE run = $4`, c.Name, tags, jsonText(c.Body), string(run))
		return err
	})
}

// DeleteRecorded removes a run that has a record. One that has not ended is a
// Conflict; one that a sink has not been told all of is Busy. A run with many
// rows goes in several writes, of which the first makes it unknown.
func (db *DB) DeleteRecorded(ctx context.Context, run flow.RunID) error {
	if err := db.write(ctx, func(t *tx) error {
		if _, err := recordIn(t, run); err != nil {
			return err
		}
		active, err := number(t, `SELECT count(*) FROM run WHERE id = $1 AND active = 1`, string(run))
		if err != nil {
			return err
		}
		if active > 0 {
			return flow.Errorf(flow.Conflict, "run %s has not ended: cancel it, or wait for its end", run)
		}
		owed, err := number(t, `SELECT count(*) FROM delivery WHERE run = $1`, string(run))
		if err != nil {
			return err
		}
		if owed > 0 {
			return flow.Errorf(flow.Busy, "a sink has not been told all of run %s", run)
		}
		if _, err := t.exec(`DELETE FROM record WHERE run = $1`, string(run)); err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO dropping (run) VALUES ($1) ON CONFLICT (run) DO NOTHING`, string(run))
		return err
	}); err != nil {
		return err
	}
	return db.dropRows(ctx, run) // which are out of sight
}

// dropRows removes what is left of a run that is being removed.
func (db *DB) dropRows(ctx context.Context, run flow.RunID) error {
	for gone := false; !gone; {
		if err := db.write(ctx, func(t *tx) error {
			r, err := runByID(t, run)
			if err != nil && flow.KindOf(err) != flow.NotFound {
				return err
			}
			left, err := deleteRun(t, run, 1000)
			if gone = left > 0; !gone || err != nil {
				return err
			}
			if _, err := t.exec(`DELETE FROM dropping WHERE run = $1`, string(run)); err != nil || r.Workflow == "" {
				return err
			}
			return dropUnused(t, r.Workflow)
		}); err != nil {
			return err
		}
	}
	return nil
}

// SweepRecords removes what crashes have left: rows of runs that were being
// removed, and records from before a time whose run never came to be.
func (db *DB) SweepRecords(ctx context.Context, before time.Time) error {
	runs, err := list(db.read(ctx), value[flow.RunID], `SELECT run FROM dropping`)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := db.dropRows(ctx, run); err != nil {
			return err
		}
	}
	return db.write(ctx, func(t *tx) error {
		const never = `created < $1 AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = record.run)`
		owners, err := list(t, value[flow.WorkflowID], `SELECT DISTINCT workflow FROM record WHERE `+never, micros(before))
		if err != nil || len(owners) == 0 {
			return err
		}
		if _, err := t.exec(`DELETE FROM record WHERE `+never, micros(before)); err != nil {
			return err
		}
		for _, wf := range owners {
			if err := dropUnused(t, wf); err != nil {
				return err
			}
		}
		return nil
	})
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"fairlead/internal/flow"
)

// versionColumns leaves out the source, which may be long.
const versionColumns = `v.id, v.workflow, v.n, v.graph, v.schedule, v.max_runs, v.code, v.code_at, v.created, v.settings`

// versionFields returns what to scan versionColumns into, and what to call
// after that.
func versionFields(v *flow.Version) (into []any, done func() error) {
	var schedule json.RawMessage
	into = []any{
		&v.ID, &v.Workflow, &v.N, &v.Graph, raw{&schedule}, &v.MaxRuns, &v.Code, at{&v.CodeAt},
		at{&v.Created}, raw{&v.Settings},
	}
	return into, func() error {
		if schedule == nil {
			return nil
		}
		if err := json.Unmarshal(schedule, &v.Schedule); err != nil {
			return fmt.Errorf("schedule of version %s: %w", v.ID, err)
		}
		return nil
	}
}

func scanVersion(s scanner) (flow.Version, error) {
	var v flow.Version
	into, done := versionFields(&v)
	if err := s.Scan(into...); err != nil {
		return v, err
	}
	return v, done()
}

func scanWholeVersion(s scanner) (flow.Version, error) {
	var v flow.Version
	into, done := versionFields(&v)
	if err := s.Scan(append(into, &v.Source)...); err != nil {
		return v, err
	}
	return v, done()
}

func insertVersion(t *tx, v flow.Version) error {
	if err := useGraph(t, v.Graph, v.Workflow); err != nil {
		return err
	}
	schedule := ""
	if v.Schedule != nil {
		b, err := json.Marshal(v.Schedule)
		if err != nil {
			return err
		}
		schedule = string(b)
	}
	_, err := t.exec(`
		INSERT INTO version (workflow, n, id, graph, schedule, max_runs, code, code_at, created, settings, source)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		string(v.Workflow), v.N, string(v.ID), v.Graph, schedule, v.MaxRuns, v.Code, micros(v.CodeAt),
		micros(v.Created), jsonText(v.Settings), text(v.Source))
	return err
}

// AddVersion keeps one more version of v.Workflow and makes it the latest; N
// is one more than any before had. The former latest is not scheduled any
// more; a slot of it that is due at v.Created, and was not fired, is v's. A workflow that is being deleted is a Conflict; one that has max
// versions (0: any number) is over its Quota. touch may change what the
// workflow keeps with it, Settings and Modified; it may be nil, and may be
// called more than once.
func (db *DB) AddVersion(ctx context.Context, v flow.Version, max int, touch func(*flow.Workflow)) (flow.Version, error) {
	err := db.write(ctx, func(t *tx) error {
		w, err := standing(t, v.Workflow)
		if err != nil {
			return err
		}
		if max > 0 {
			n, err := number(t, `SELECT count(*) FROM version WHERE workflow = $1`, string(w.ID))
			if err != nil {
				return err
			}
			if n >= int64(max) {
				err := flow.Errorf(flow.Quota, "workflow %q has %d versions; at most %d may exist", w.ID, n, max).About("Workflow", string(w.ID))
				err.Code = LimitVersions
				return err
			}
		}
		last, err := number(t, `SELECT last_n FROM workflow WHERE id = $1`, string(w.ID))
		if err != nil {
			return err
		}
		v.N = int(last) + 1
		if err := insertVersion(t, v); err != nil {
			return err
		}
		w.Latest = v.ID
		if touch != nil {
			touch(&w)
		}
		if _, err := t.exec(`UPDATE workflow SET latest = $1, last_n = $2, modified = $3, settings = $4 WHERE id = $5`,
			string(v.ID), v.N, micros(w.Modified), jsonText(w.Settings), string(w.ID)); err != nil {
			return err
		}
		return handOver(t, w.ID, v.Created)
	})
	return v, err
}

// Version returns a version whole; the latest if id is empty.
func (db *DB) Version(ctx context.Context, wf flow.WorkflowID, id flow.VersionID) (flow.Version, error) {
	v, err := one(db.read(ctx), scanWholeVersion, `
		SELECT `+versionColumns+`, v.source FROM version v
		WHERE v.workflow = $1 AND v.id = coalesce(nullif($2, ''), (SELECT latest FROM workflow WHERE id = $1))`,
		string(wf), string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return v, noVersion(wf, id)
	}
	return v, err
}

func noVersion(wf flow.WorkflowID, id flow.VersionID) error {
	if id == "" {
		return noWorkflow(string(wf))
	}
	return flow.Errorf(flow.NotFound, "workflow %q has no version %q", wf, id).About("WorkflowVersion", string(id))
}

func firstVersion(q querier, wf flow.WorkflowID) (flow.Version, error) {
	return one(q, scanWholeVersion,
		`SELECT `+versionColumns+`, v.source FROM version v WHERE v.workflow = $1 ORDER BY v.n LIMIT 1`, string(wf))
}

// Versions lists the versions of a workflow, the newest first, without their
// Source. next is the After of the page that follows; empty on the last.
func (db *DB) Versions(ctx context.Context, wf flow.WorkflowID, page flow.Page) (versions []flow.Version, next string, err error) {
	before, err := numbers(page, 1, math.MaxInt64)
	if err != nil {
		return nil, "", err
	}
	versions, err = list(db.read(ctx), scanVersion, `
		SELECT `+versionColumns+` FROM version v
		WHERE v.workflow = $1 AND v.n < $2 ORDER BY v.n DESC LIMIT $3`, string(wf), before[0], limit(page)+1)
	if err != nil {
		return nil, "", err
	}
	versions, next = cut(versions, page, func(v flow.Version) string { return strconv.Itoa(v.N) })
	return versions, next, nil
}

// DeleteVersion removes a version. If it was the latest the one before it
// becomes the latest, which is not scheduled until [DB.SetSchedule] is called.
// The only version of a workflow cannot be removed, nor one that an active
// run needs: a Conflict.
func (db *DB) DeleteVersion(ctx context.Context, wf flow.WorkflowID, id flow.VersionID) error {
	return db.write(ctx, func(t *tx) error {
		w, err := standing(t, wf)
		if err != nil {
			return err
		}
		// By the index of active runs, which are few: that of the runs of a
		// version leads through all that there ever were.
		used, err := one(t, value[string], `SELECT id FROM run WHERE workflow = $1 AND version || '' = $2 AND active = 1 LIMIT 1`, string(wf), string(id))
		if err == nil {
			return flow.Errorf(flow.Conflict, "run %s of version %q is still active: stop it, or wait for its end", used, id).
				About("WorkflowVersion", string(id))
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		gone, err := t.exec(`DELETE FROM version WHERE workflow = $1 AND id = $2`, string(wf), string(id))
		if err != nil {
			return err
		}
		if gone == 0 {
			return noVersion(wf, id)
		}
		latest, err := one(t, value[string], `SELECT id FROM version WHERE workflow = $1 ORDER BY n DESC LIMIT 1`, string(wf))
		if errors.Is(err, sql.ErrNoRows) {
			return flow.Errorf(flow.Conflict, "version %q is the only one of workflow %q; delete the workflow", id, wf).
				About("WorkflowVersion", string(id))
		}
		if err != nil || w.Latest != id {
			return err
		}
		if _, err := t.exec(`UPDATE workflow SET latest = $1 WHERE id = $2`, latest, string(wf)); err != nil {
			return err
		}
		return unschedule(t, wf)
	})
}

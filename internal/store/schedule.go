package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"fairlead/internal/flow"
)

// SetSchedule says when a version of a workflow fires next; the zero time:
// never. A workflow that is being deleted can only be set to never. If the
// version is not the latest any more nothing changes: whoever made that one
// sets its schedule. A slot that [DB.AddVersion] has found due comes first.
func (db *DB) SetSchedule(ctx context.Context, wf flow.WorkflowID, v flow.VersionID, next time.Time) error {
	return db.write(ctx, func(t *tx) error {
		find := standing
		if next.IsZero() {
			find = func(t *tx, wf flow.WorkflowID) (flow.Workflow, error) { return workflowIn(t, wf) }
		}
		w, err := find(t, wf)
		if err != nil || v != "" && v != w.Latest {
			return err
		}
		_, err = t.exec(`
			INSERT INTO schedule (workflow, version, next, fired) VALUES ($1, $2, $3, 0)
			ON CONFLICT (workflow) DO UPDATE SET version = excluded.version,
				next = CASE WHEN schedule.next < 0 AND excluded.next > 0 THEN -schedule.next ELSE excluded.next END`,
			string(wf), string(v), micros(next))
		return err
	})
}

// unschedule takes a workflow off the schedule until SetSchedule is called.
func unschedule(t *tx, wf flow.WorkflowID) error {
	_, err := t.exec(`UPDATE schedule SET version = '', next = 0 WHERE workflow = $1`, string(wf))
	return err
}

// handOver is unschedule for a new version made at now. A slot that is due
// then, and that nobody has fired yet, is left to that version: until
// SetSchedule is called it is kept as a negative number, at which nothing fires.
func handOver(t *tx, wf flow.WorkflowID, now time.Time) error {
	_, err := t.exec(`UPDATE schedule SET version = '',
		next = CASE WHEN next < 0 THEN next WHEN next <= $1 THEN -next ELSE 0 END WHERE workflow = $2`, micros(now), string(wf))
	return err
}

// Unscheduled lists the latest versions that have a schedule for which
// [DB.SetSchedule] was not called yet, without their Source: a crash came
// between the two.
func (db *DB) Unscheduled(ctx context.Context) ([]flow.Version, error) {
	return list(db.read(ctx), scanVersion, `
		SELECT `+versionColumns+`
		FROM workflow w JOIN version v ON v.workflow = w.id AND v.id = w.latest
		WHERE w.deleting = 0 AND v.schedule <> ''
		AND NOT EXISTS (SELECT 1 FROM schedule s WHERE s.workflow = w.id AND s.version = v.id)
		ORDER BY w.id`)
}

// DueSchedules returns up to limit fires whose time is not after now, the
// earliest first.
func (db *DB) DueSchedules(ctx context.Context, now time.Time, limit int) ([]flow.Fire, error) {
	return list(db.read(ctx), func(s scanner) (flow.Fire, error) {
		var f flow.Fire
		err := s.Scan(&f.Workflow, &f.Version, at{&f.At})
		return f, err
	}, `SELECT workflow, version, next FROM schedule WHERE next > 0 AND next <= $1 ORDER BY next LIMIT $2`,
		micros(now), limit)
}

// NextDue returns the time of the earliest fire, and whether there is one.
func (db *DB) NextDue(ctx context.Context) (time.Time, bool, error) {
	n, err := number(db.read(ctx), `SELECT next FROM schedule WHERE next > 0 ORDER BY next LIMIT 1`)
	return instant(n), n > 0, err
}

// FireSchedule moves the schedule of a workflow from slot to next (zero:
// never) and, unless r is nil, inserts the run, all in one. It answers false
// if the slot is not due any more: another has fired it, or the schedule or
// its version has changed. No slot fires twice, even one that SetSchedule set
// again: that is passed over, with false.
func (db *DB) FireSchedule(ctx context.Context, wf flow.WorkflowID, slot, next time.Time, r *flow.Run) (bool, error) {
	fired := false
	err := db.write(ctx, func(t *tx) error {
		fired = false
		var version string
		var due, last int64
		_, err := one(t, func(s scanner) (struct{}, error) { return struct{}{}, s.Scan(&version, &due, &last) },
			`SELECT version, next, fired FROM schedule WHERE workflow = $1`, string(wf))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil || due != micros(slot) || due == 0 || r != nil && string(r.Version) != version {
			return err
		}
		again := due <= last
		last = max(last, due)
		if r != nil {
			last = max(last, micros(r.Logical)) // of several missed slots the last
		}
		if _, err := t.exec(`UPDATE schedule SET next = $1, fired = $2 WHERE workflow = $3`,
			micros(next), last, string(wf)); err != nil {
			return err
		}
		if r != nil && !again {
			if _, err := standing(t, wf); err != nil {
				return err
			}
			// A backfill may have been asked for this very moment.
			n, err := number(t, `SELECT count(*) FROM run WHERE workflow = $1 AND logical = $2 AND kind <> 'ondemand'`,
				string(wf), micros(r.Logical))
			if err != nil || n > 0 {
				return err
			}
			if err := insertRun(t, *r); err != nil {
				return err
			}
		}
		fired = !again
		return nil
	})
	return fired && err == nil, err
}

package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"fairlead/internal/flow"
)

// This file answers what only pages ask that show much at once.

// States returns the states of a run's tasks in the order of its graph; none
// if the run has not begun, or does not exist.
func (db *DB) States(ctx context.Context, run flow.RunID) ([]flow.State, error) {
	return list(db.read(ctx), value[flow.State], `SELECT state FROM task WHERE run = $1 ORDER BY idx`, string(run))
}

// A DayCount is how many runs in a state were created on a day: days are
// counted from 1970, in the zone that was asked for.
type DayCount struct {
	Day   int
	State flow.State
	Runs  int
}

// Days counts the runs of a workflow that were created at from or later and
// before to, by day and state. offset is how much later than UTC the clocks of
// the zone are.
func (db *DB) Days(ctx context.Context, wf flow.WorkflowID, from, to time.Time, offset time.Duration) ([]DayCount, error) {
	const day = 24 * int64(time.Hour/time.Microsecond)
	return list(db.read(ctx), func(s scanner) (DayCount, error) {
		var d DayCount
		err := s.Scan(&d.Day, &d.State, &d.Runs)
		return d, err
	}, `SELECT (created + $1) / $2, state, count(*) FROM run
		WHERE workflow = $3 AND created >= $4 AND created < $5 GROUP BY 1, 2 ORDER BY 1, 2`,
		offset.Microseconds(), day, string(wf), from.UnixMicro(), to.UnixMicro())
}

// TaskJournal returns the entries of a run that concern one task, the oldest
// first, at most 10,000.
func (db *DB) TaskJournal(ctx context.Context, run flow.RunID, task flow.TaskID) ([]flow.Entry, error) {
	entries, err := list(db.read(ctx), scanEntry,
		`SELECT `+entryColumns+` FROM entry WHERE run = $1 AND task = $2 ORDER BY seq LIMIT 10000`, string(run), string(task))
	if err != nil {
		return nil, fmt.Errorf("journal of task %q of run %s: %w", task, run, err)
	}
	return entries, nil
}

// JournalKey is what comes into Page.After to go on with [DB.Journal] after e.
func JournalKey(e flow.Entry) string { return strconv.FormatInt(e.Seq, 10) }

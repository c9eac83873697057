package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// Save keeps steps of one run or of several, all or none. Each must follow
// the one saved before it: its Run.Rev is one more than the row's, or it is
// stale, a Conflict; so is one that reopens a run of a workflow that is being
// deleted. Of the run's row it keeps what a step can change: State, Reason,
// Cause, Held, Started, Ended, Modified and Rev.
//
// Of a run's first step most tasks are written before the rest, if there are
// many, so that nobody waits long for the store: if that breaks off, the run
// has not begun and its tasks do not count.
func (db *DB) Save(ctx context.Context, steps ...engine.Step) error {
	steps, err := db.writeAhead(ctx, steps)
	if err != nil {
		return err
	}
	runs := make([]flow.RunID, len(steps))
	for i := range steps {
		runs[i] = steps[i].Run.ID
	}
	return db.writeRuns(ctx, runs, func(t *tx) error {
		for i := range steps {
			if err := save(t, &steps[i]); err != nil {
				return fmt.Errorf("save run %s at revision %d: %w", steps[i].Run.ID, steps[i].Run.Rev, err)
			}
		}
		return nil
	})
}

// ahead is how many rows of tasks one write of a first step has.
const ahead = 1000

// writeAhead writes tasks of first steps and returns what is left to save.
func (db *DB) writeAhead(ctx context.Context, steps []engine.Step) ([]engine.Step, error) {
	copied := false
	for i := range steps {
		if !steps[i].First || len(steps[i].Tasks) <= ahead {
			continue
		}
		if !copied { // the caller goes on to use them
			steps, copied = slices.Clone(steps), true
		}
		s := &steps[i]
		before := steps[slices.IndexFunc(steps, func(o engine.Step) bool { return o.Run.ID == s.Run.ID })].Run.Rev - 1
		for len(s.Tasks) > ahead {
			if err := db.writeRuns(ctx, []flow.RunID{s.Run.ID}, func(t *tx) error {
				switch r, err := runByID(t, s.Run.ID); {
				case err != nil:
					return err
				case r.Rev != before:
					return stale(r)
				}
				return saveTasks(t, s.Run.ID, s.Tasks[:ahead])
			}); err != nil {
				return nil, fmt.Errorf("save tasks of run %s ahead of revision %d: %w", s.Run.ID, s.Run.Rev, err)
			}
			s.Tasks = s.Tasks[ahead:]
		}
	}
	return steps, nil
}

func save(t *tx, s *engine.Step) error {
	if err := saveRun(t, s); err != nil {
		return err
	}
	if err := saveTasks(t, s.Run.ID, s.Tasks); err != nil {
		return err
	}
	for _, a := range s.Past {
		if _, err := t.exec(`
			INSERT INTO attempt (run, idx, n, state, started, ended, reason)
			VALUES ($1, (SELECT idx FROM task WHERE run = $1 AND id = $2), $3, $4, $5, $6, $7)
			ON CONFLICT (run, idx, n) DO UPDATE SET state = excluded.state, started = excluded.started,
				ended = excluded.ended, reason = excluded.reason`,
			string(s.Run.ID), string(a.Task), a.N, string(a.State), micros(a.Started), micros(a.Ended), text(a.Reason)); err != nil {
			return fmt.Errorf("attempt %d of task %q: %w", a.N, a.Task, err)
		}
	}
	for _, o := range s.Outputs {
		if _, err := t.exec(`
			INSERT INTO output (run, task, attempt, key, value) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (run, task, attempt, key) DO UPDATE SET value = excluded.value`,
			string(s.Run.ID), string(o.Task), o.Attempt, text(o.Key), jsonText(o.Value)); err != nil {
			return fmt.Errorf("output %q of task %q: %w", o.Key, o.Task, err)
		}
	}
	e := &s.Entry
	moves, err := movesText(e.Moves)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO entry (run, seq, at, task, what, detail, moves) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		string(s.Run.ID), s.Run.Rev, micros(e.At), string(e.Task), e.What, jsonText(e.Detail), moves)
	return err
}

// movesText is how moves are kept; none is the empty text.
func movesText(moves []flow.Move) (string, error) {
	if len(moves) == 0 {
		return "", nil
	}
	data, err := json.Marshal(moves)
	if err != nil {
		return "", fmt.Errorf("moves: %w", err)
	}
	return string(data), nil
}

func saveRun(t *tx, s *engine.Step) error {
	r := &s.Run
	// Only the last step, and one that reopens, touch the column that indexes
	// depend on.
	const set = `UPDATE run SET state = $1, rev = $2, started = $3, ended = $4, modified = $5, reason = $6, cause = $7, held = $8`
	const where = ` WHERE id = $9 AND rev = $10`
	q := set + where
	switch {
	case r.State.Final():
		q = set + `, active = 0` + where
	case s.Reopens:
		// A workflow that is being deleted counts its active runs: none may
		// come back. A run of no version is of a workflow that is kept
		// elsewhere, and may be gone before it.
		if r.Version != "" {
			if _, err := standing(t, r.Workflow); err != nil {
				return err
			}
		}
		q = set + `, active = 1` + where
		if err := owe(t, r.ID, r.Rev-1); err != nil {
			return err
		}
	}
	n, err := t.exec(q, string(r.State), r.Rev, micros(r.Started), micros(r.Ended), micros(r.Modified), text(r.Reason), string(r.Cause),
		bit(r.Held), string(r.ID), r.Rev-1)
	if err != nil || n == 1 {
		return err
	}
	old, err := runByID(t, r.ID)
	if err != nil {
		return err
	}
	return stale(old)
}

func stale(r flow.Run) error {
	return flow.Errorf(flow.Conflict, "stale: the run is at revision %d", r.Rev).About("WorkflowRun", string(r.ID))
}

// taskParams is how many parameters the row of one task takes.
const taskParams = 19

const taskColumns = `id, idx, kind, state, attempt, due, pokes, since, started, ended, modified, cause, handle, reason, mark, base, instances, first_idx`

func saveTasks(t *tx, run flow.RunID, tasks []flow.Task) error {
	// Rows go in groups of a few sizes, so that few statements are prepared.
	for _, size := range []int{64, 8, 1} {
		if len(tasks) < size {
			continue
		}
		upsert := upsertTasks(size, t.pg == nil)
		args := make([]any, 0, taskParams*size)
		for ; len(tasks) >= size; tasks = tasks[size:] {
			args = args[:0]
			for i := range tasks[:size] {
				k := &tasks[i]
				args = append(args, string(run), string(k.ID), k.Index, k.Kind, string(k.State), k.Attempt, micros(k.Due), k.Pokes,
					micros(k.Since), micros(k.Started), micros(k.Ended), micros(k.Modified), string(k.Cause), text(k.Handle),
					text(k.Reason), jsonText(k.Mark), k.Base, k.Instances, k.First)
			}
			if _, err := t.exec(upsert, args...); err != nil {
				return fmt.Errorf("task %q and up to %d after it: %w", tasks[0].ID, size-1, err)
			}
		}
	}
	return nil
}

// upsertTasks is the statement for n rows. To SQLite, $1 is a name, which it
// looks for among all names whenever one is bound: with a thousand of them
// that takes most of the time. A question mark has no name; PostgreSQL has no
// question marks.
func upsertTasks(n int, nameless bool) string {
	var b strings.Builder
	b.WriteString(upsertTaskHead)
	for i := range taskParams * n {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%taskParams == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		if nameless {
			b.WriteString("?")
		} else {
			b.WriteString("$" + strconv.Itoa(i+1))
		}
	}
	b.WriteString(")" + upsertTaskTail)
	return b.String()
}

const (
	upsertTaskHead = `INSERT INTO task (run, ` + taskColumns + `) VALUES `
	upsertTaskTail = `
		ON CONFLICT (run, idx) DO UPDATE SET state = excluded.state, attempt = excluded.attempt, due = excluded.due,
			pokes = excluded.pokes, since = excluded.since, started = excluded.started, ended = excluded.ended,
			modified = excluded.modified, cause = excluded.cause, handle = excluded.handle, reason = excluded.reason,
			mark = excluded.mark, base = excluded.base, instances = excluded.instances, first_idx = excluded.first_idx`
)

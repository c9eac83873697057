package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"fairlead/internal/flow"
)

func scanTask(s scanner) (flow.Task, error) {
	var k flow.Task
	err := s.Scan(taskFields(&k)...)
	return k, err
}

// taskFields returns what to scan taskColumns into.
func taskFields(k *flow.Task) []any {
	return []any{
		&k.ID, &k.Index, &k.Kind, &k.State, &k.Attempt, at{&k.Due}, &k.Pokes, at{&k.Since}, at{&k.Started},
		at{&k.Ended}, at{&k.Modified}, &k.Cause, &k.Handle, &k.Reason, raw{&k.Mark}, &k.Base, &k.Instances, &k.First,
	}
}

// Tasks returns the tasks of a run in the order of its graph; none if the run
// has not begun, or does not exist.
func (db *DB) Tasks(ctx context.Context, run flow.RunID) ([]flow.Task, error) {
	return list(db.read(ctx), scanTask, `SELECT `+taskColumns+` FROM task WHERE run = $1 ORDER BY idx`, string(run))
}

// Latest returns of each task of a run, in the order of its graph, which
// attempt is its latest, 0 if it had none; only Task and N are set. Who waits for a run by
// asking for it again and again needs no more of tasks.
func (db *DB) Latest(ctx context.Context, run flow.RunID) ([]flow.Attempt, error) {
	return list(db.read(ctx), func(s scanner) (a flow.Attempt, err error) {
		err = s.Scan(&a.Task, &a.N)
		return a, err
	}, `SELECT id, attempt FROM task WHERE run = $1 ORDER BY idx`, string(run))
}

// Instances lists the tasks of a run once for each attempt, in the order of
// the graph, then of the attempts: past ones, and last the task as it is. An
// entry with Attempt 0 is a task that had none yet. Of a past attempt, State,
// Reason, Started and Ended are its own, Modified is its end, and what belongs
// to an attempt under way is empty. next is the After of the page that follows;
// empty on the last.
func (db *DB) Instances(ctx context.Context, run flow.RunID, page flow.Page) (all []flow.Task, next string, err error) {
	from, err := numbers(page, 2, -1)
	if err != nil {
		return nil, "", err
	}
	err = db.snapshot(ctx, func(q querier) error {
		// Each task has at least the entry of its current attempt, except the
		// one in which the last page ended, if that was all of it.
		n := limit(page) + 1
		tasks, err := list(q, scanTask, `
			SELECT `+taskColumns+` FROM task WHERE run = $1 AND idx >= $2 ORDER BY idx LIMIT $3`, string(run), from[0], n+1)
		if err != nil {
			return err
		}
		past, err := pastAttempts(q, run, from, n)
		if err != nil {
			return err
		}
		all = merge(tasks, past, from, n)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	all, next = cut(all, page, func(k flow.Task) string {
		return strconv.Itoa(k.Index) + "." + strconv.Itoa(k.Attempt)
	})
	return all, next, nil
}

// A past attempt and the place of its task.
type past struct {
	index int
	flow.Attempt
}

func scanPast(s scanner) (past, error) {
	var p past
	err := s.Scan(&p.index, &p.N, &p.State, at{&p.Started}, at{&p.Ended}, &p.Reason)
	return p, err
}

const pastColumns = `idx, n, state, started, ended, reason`

func pastAttempts(q querier, run flow.RunID, from []int64, n int) ([]past, error) {
	return list(q, scanPast, `
		SELECT `+pastColumns+` FROM attempt WHERE run = $1 AND (idx, n) > ($2, $3) ORDER BY idx, n LIMIT $4`,
		string(run), from[0], from[1], n)
}

// merge puts the first n entries after from in order.
func merge(tasks []flow.Task, older []past, from []int64, n int) []flow.Task {
	all := make([]flow.Task, 0, min(n, len(tasks)+len(older)))
	for _, k := range tasks {
		for len(older) > 0 && older[0].index <= k.Index {
			if older[0].index == k.Index && older[0].N < k.Attempt {
				all = append(all, older[0].of(k))
			}
			older = older[1:]
		}
		if int64(k.Index) > from[0] || int64(k.Attempt) > from[1] {
			all = append(all, k)
		}
		if len(all) >= n {
			return all[:n]
		}
	}
	return all
}

// of is the task as it was in the past attempt.
func (p past) of(k flow.Task) flow.Task {
	return flow.Task{
		ID: k.ID, Index: k.Index, Kind: k.Kind, Since: k.Since,
		State: p.State, Attempt: p.N, Reason: p.Reason, Started: p.Started, Ended: p.Ended, Modified: p.Ended,
	}
}

// Instance returns a task as it was in an attempt, in the manner of
// [DB.Instances]; attempt 0 asks for the task as it is, whatever its attempt.
func (db *DB) Instance(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (k flow.Task, err error) {
	// The current attempt, which most ask for, is one question.
	if k, err = taskByID(db.read(ctx), run, task); err != nil || attempt == 0 || attempt == k.Attempt {
		return k, err
	}
	err = db.snapshot(ctx, func(q querier) error {
		if k, err = taskByID(q, run, task); err != nil || attempt == k.Attempt {
			return err
		}
		p, err := one(q, scanPast, `SELECT `+pastColumns+` FROM attempt WHERE run = $1 AND idx = $2 AND n = $3`,
			string(run), k.Index, attempt)
		if errors.Is(err, sql.ErrNoRows) || err == nil && attempt > k.Attempt {
			return flow.Errorf(flow.NotFound, "task %q of run %q has no attempt %d", task, run, attempt).
				About("TaskInstance", string(task))
		}
		k = p.of(k)
		return err
	})
	if err != nil {
		return flow.Task{}, err
	}
	return k, nil
}

func taskByID(q querier, run flow.RunID, task flow.TaskID) (flow.Task, error) {
	k, err := one(q, scanTask, `SELECT `+taskColumns+` FROM task WHERE run = $1 AND id = $2`, string(run), string(task))
	if errors.Is(err, sql.ErrNoRows) {
		return k, flow.Errorf(flow.NotFound, "run %q has no task %q", run, task).About("TaskInstance", string(task))
	}
	return k, err
}

// Present returns a task in its current attempt, the run that it is part of,
// and what the attempt published, by key: all that is said of a task, in one
// question. attempt is the number that the current one must have; 0 takes any.
// What is not so is a NotFound. The caller must not change what it is given.
func (db *DB) Present(ctx context.Context, wf flow.WorkflowID, run flow.RunID, task flow.TaskID, attempt int) (flow.Run, flow.Task, map[string]json.RawMessage, error) {
	if db.writer == nil {
		a, err := db.present(ctx, wf, run, task, attempt)
		return a.run, a.task, a.outputs, err
	}
	q := question{wf, task, attempt}
	a, moment, ok := db.writer.recall.find(run, q)
	if ok {
		return a.run, a.task, a.outputs, ctx.Err()
	}
	a, err := db.present(ctx, wf, run, task, attempt)
	if err == nil {
		db.writer.recall.keep(run, q, a, moment)
	}
	return a.run, a.task, a.outputs, err
}

func (db *DB) present(ctx context.Context, wf flow.WorkflowID, run flow.RunID, task flow.TaskID, attempt int) (a answer, err error) {
	_, err = list(db.read(ctx), func(s scanner) (struct{}, error) {
		var key sql.NullString
		var value json.RawMessage
		if err := s.Scan(append(append(runFields(&a.run), taskFields(&a.task)...), &key, raw{&value})...); err != nil {
			return struct{}{}, err
		}
		if key.Valid {
			if a.outputs == nil {
				a.outputs = map[string]json.RawMessage{}
			}
			a.outputs[key.String] = value
		}
		return struct{}{}, nil
	}, presentTask, string(run), string(wf), string(task), attempt)
	if err == nil && a.task.ID == "" {
		err = flow.Errorf(flow.NotFound, "run %q of workflow %q has no task %q that is in attempt %d", run, wf, task, attempt)
	}
	return a, err
}

var presentTask = `
	SELECT ` + of("r", runColumns) + `, ` + of("t", taskColumns) + `, o.key, o.value
	FROM run r JOIN task t ON t.run = r.id
	LEFT JOIN output o ON o.run = t.run AND o.task = t.id AND o.attempt = t.attempt
	WHERE r.id = $1 AND r.workflow = $2 AND t.id = $3 AND ($4 = 0 OR t.attempt = $4)`

// of puts a table's alias before each of some columns.
func of(table, columns string) string {
	names := strings.Split(columns, ",")
	for i, name := range names {
		names[i] = table + "." + strings.TrimSpace(name)
	}
	return strings.Join(names, ", ")
}

// Outputs returns what an attempt of a task published, by key.
func (db *DB) Outputs(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (map[string]json.RawMessage, error) {
	all, err := list(db.read(ctx), scanOutput,
		`SELECT task, key, value FROM output WHERE run = $1 AND task = $2 AND attempt = $3`, string(run), string(task), attempt)
	if err != nil {
		return nil, err
	}
	values := make(map[string]json.RawMessage, len(all))
	for _, o := range all {
		values[o.Key] = o.Value
	}
	return values, nil
}

func scanOutput(s scanner) (flow.Output, error) {
	var o flow.Output
	err := s.Scan(&o.Task, &o.Key, raw{&o.Value})
	return o, err
}

// Output returns what a task published under key, and whether it did: by its
// current attempt, or failing that by the latest past one that succeeded. Of a
// task that has unfolded every attempt counts: it unfolds once, and what it said
// then holds for all.
func (db *DB) Output(ctx context.Context, run flow.RunID, task flow.TaskID, key string) (json.RawMessage, bool, error) {
	o, err := one(db.read(ctx), scanOutput, `
		SELECT o.task, o.key, o.value FROM output o`+valid+`
		WHERE o.run = $1 AND o.task = $2 AND o.key = $3 AND (o.attempt = t.attempt OR a.n IS NOT NULL OR t.instances > 0)
		ORDER BY o.attempt DESC LIMIT 1`, string(run), string(task), key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return o.Value, err == nil, err
}

// OutputsBetween returns what the tasks with indices in [from, to) published
// under key by their current attempts, in the order of the tasks.
func (db *DB) OutputsBetween(ctx context.Context, run flow.RunID, from, to int, key string) ([]flow.Output, error) {
	return list(db.read(ctx), scanOutput, `
		SELECT o.task, o.key, o.value FROM task t
		JOIN output o ON o.run = t.run AND o.task = t.id AND o.attempt = t.attempt AND o.key = $4
		WHERE t.run = $1 AND t.idx >= $2 AND t.idx < $3 ORDER BY t.idx`, string(run), from, to, key)
}

// valid joins an output with its task, and with its attempt if that is past
// and succeeded.
const valid = `
		JOIN task t ON t.run = o.run AND t.id = o.task
		LEFT JOIN attempt a ON a.run = o.run AND a.idx = t.idx AND a.n = o.attempt AND a.state = 'succeeded'`

// AllOutputs returns what the tasks of a run published, by task and key, in
// the manner of [DB.Output].
func (db *DB) AllOutputs(ctx context.Context, run flow.RunID) (map[flow.TaskID]map[string]json.RawMessage, error) {
	// Later attempts come later and replace what earlier ones said.
	outputs, err := list(db.read(ctx), scanOutput, `
		SELECT o.task, o.key, o.value FROM output o`+valid+`
		WHERE o.run = $1 AND (o.attempt = t.attempt OR a.n IS NOT NULL OR t.instances > 0)
		ORDER BY o.task, o.attempt`, string(run))
	if err != nil {
		return nil, err
	}
	all := map[flow.TaskID]map[string]json.RawMessage{}
	for _, o := range outputs {
		if all[o.Task] == nil {
			all[o.Task] = map[string]json.RawMessage{}
		}
		all[o.Task][o.Key] = o.Value
	}
	return all, nil
}

const entryColumns = `run, seq, at, task, what, detail, moves`

func scanEntry(s scanner) (flow.Entry, error) {
	var e flow.Entry
	var moves string
	err := s.Scan(&e.Run, &e.Seq, at{&e.At}, &e.Task, &e.What, raw{&e.Detail}, &moves)
	if err == nil && moves != "" {
		err = json.Unmarshal([]byte(moves), &e.Moves)
	}
	return e, err
}

// Journal lists the entries of a run in the order of its revisions. next is
// the After of the page that follows; empty on the last.
func (db *DB) Journal(ctx context.Context, run flow.RunID, page flow.Page) (entries []flow.Entry, next string, err error) {
	from, err := numbers(page, 1, math.MinInt64)
	if err != nil {
		return nil, "", err
	}
	entries, err = list(db.read(ctx), scanEntry, `SELECT `+entryColumns+` FROM entry WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
		string(run), from[0], limit(page)+1)
	if err != nil {
		return nil, "", fmt.Errorf("journal of run %s: %w", run, err)
	}
	entries, next = cut(entries, page, JournalKey)
	return entries, next, nil
}

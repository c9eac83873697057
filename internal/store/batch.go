package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"fairlead/internal/flow"
)

// AddBatch keeps a batch with its entries; see [DB.AddResource].
func (db *DB) AddBatch(ctx context.Context, r flow.Resource, entries []flow.BatchEntry, tok flow.Token) (batch flow.Resource, created bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		if batch, created, err = addResource(t, r, tok, 0); err != nil || !created {
			return err
		}
		for i, e := range entries {
			if _, err := t.exec(`
				INSERT INTO batch_entry (batch, n, setting, run, status, reason, message, body) VALUES ($1, $2, $3, '', '', '', '', $4)`,
				batch.ID, int64(i), e.Setting, jsonText(e.Body)); err != nil {
				return err
			}
		}
		return notify(t, batch)
	})
	return batch, created && err == nil, err
}

func scanBatchEntry(s scanner) (flow.BatchEntry, error) {
	var e flow.BatchEntry
	err := s.Scan(&e.Batch, &e.N, &e.Setting, &e.Run, &e.Status, &e.Reason, &e.Message, raw{&e.Body})
	return e, err
}

// BatchEntries lists the entries of a batch in their order. after is the
// After of the page that follows; empty on the last.
func (db *DB) BatchEntries(ctx context.Context, batch string, f flow.BatchFilter, page flow.Page) (all []flow.BatchEntry, after string, err error) {
	from, err := numbers(page, 1, -1)
	if err != nil {
		return nil, "", err
	}
	all, err = list(db.read(ctx), scanBatchEntry, `
		SELECT batch, n, setting, run, status, reason, message, body FROM batch_entry
		WHERE batch = $1 AND n > $2 AND ($3 = '' OR status = $3) AND ($4 = '' OR setting = $4) AND ($5 = '' OR run = $5) AND ($6 = 0 OR status = '')
		ORDER BY n LIMIT $7`, batch, from[0], f.Status, f.Setting, string(f.Run), bit(f.Open), limit(page)+1)
	if err != nil {
		return nil, "", err
	}
	all, after = cut(all, page, func(e flow.BatchEntry) string { return strconv.Itoa(e.N) })
	return all, after, nil
}

// SaveBatchEntry notes what came of an entry.
func (db *DB) SaveBatchEntry(ctx context.Context, e flow.BatchEntry) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE batch_entry SET run = $1, status = $2, reason = $3, message = $4 WHERE batch = $5 AND n = $6`,
			string(e.Run), e.Status, e.Reason, text(e.Message), e.Batch, int64(e.N))
		return err
	})
}

// BatchOpen says whether a run of a batch has not ended.
func (db *DB) BatchOpen(ctx context.Context, batch string) (bool, error) {
	// The newest are the likeliest.
	run, err := one(db.read(ctx), value[flow.RunID], `
		SELECT c.run FROM record c JOIN run ON run.id = c.run WHERE c.batch = $1 AND run.active = 1
		ORDER BY c.created DESC, c.run DESC LIMIT 1`, batch)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return run != "", err
}

// CountBatch says how a batch is getting on.
func (db *DB) CountBatch(ctx context.Context, batch string) (c flow.BatchCounts, err error) {
	err = db.snapshot(ctx, func(q querier) error {
		c, err = countBatch(q, batch)
		return err
	})
	return c, err
}

func countBatch(q querier, batch string) (flow.BatchCounts, error) {
	c := flow.BatchCounts{Statuses: map[string]int{}, States: map[flow.State]int{}}
	if _, err := list(q, func(s scanner) (struct{}, error) {
		var status string
		var n, started int
		err := s.Scan(&status, &n, &started)
		c.Statuses[status] = n
		c.Total += n
		c.Started += started
		return struct{}{}, err
	}, `SELECT status, count(*), count(nullif(run, '')) FROM batch_entry WHERE batch = $1 GROUP BY status`, batch); err != nil {
		return c, err
	}
	_, err := list(q, func(s scanner) (struct{}, error) {
		var state flow.State
		var n int
		err := s.Scan(&state, &n)
		c.States[state] = n
		return struct{}{}, err
	}, `SELECT run.state, count(*) FROM record c JOIN run ON run.id = c.run WHERE c.batch = $1 GROUP BY run.state`, batch)
	return c, err
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"fairlead/internal/flow"
)

// KeepSinks makes the sinks those of names. A new one is told of what happens
// from now on; of one that is gone it is forgotten what it was not told. The
// result has those, with how many runs they were not told all of.
func (db *DB) KeepSinks(ctx context.Context, names []string) (gone map[string]int64, err error) {
	err = db.write(ctx, func(t *tx) error {
		gone = map[string]int64{}
		old, err := list(t, value[string], `SELECT name FROM sink`)
		if err != nil {
			return err
		}
		for _, name := range old {
			if slices.Contains(names, name) {
				continue
			}
			if gone[name], err = t.exec(`DELETE FROM delivery WHERE sink = $1`, name); err != nil {
				return err
			}
			if _, err := t.exec(`DELETE FROM sink WHERE name = $1`, name); err != nil {
				return err
			}
			if _, err := t.exec(`DELETE FROM notice WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.run = notice.topic)`); err != nil {
				return err
			}
		}
		for _, name := range names {
			if slices.Contains(old, name) {
				continue
			}
			if _, err := t.exec(`INSERT INTO sink (name) VALUES ($1)`, name); err != nil {
				return err
			}
			if _, err := t.exec(`INSERT INTO delivery (sink, run, seq) SELECT $1, id, rev FROM run WHERE active = 1`, name); err != nil {
				return err
			}
		}
		return nil
	})
	return gone, err
}

// owe notes that all sinks are to be told of a run from a revision on, if
// they are not anyway.
func owe(t *tx, run flow.RunID, after int64) error {
	_, err := t.exec(`
		INSERT INTO delivery (sink, run, seq) SELECT name, $1, $2 FROM sink WHERE true
		ON CONFLICT (sink, run) DO NOTHING`, string(run), after)
	return err
}

// Undelivered lists runs that a sink is to be told more of, or that it knows
// to their end, in the order of their ids after the given one.
func (db *DB) Undelivered(ctx context.Context, sink string, after flow.RunID, limit int) ([]flow.RunID, error) {
	return list(db.read(ctx), value[flow.RunID], `
		SELECT d.run FROM delivery d
		WHERE d.sink = $1 AND d.run > $2 AND (EXISTS (SELECT 1 FROM run r WHERE r.id = d.run AND (r.rev > d.seq OR r.active = 0))
		OR EXISTS (SELECT 1 FROM notice n WHERE n.topic = d.run)) ORDER BY d.run LIMIT $3`, sink, string(after), limit)
}

// Cursor returns the revision up to which a sink has been told of a run; false
// if it is not to be told anything.
func (db *DB) Cursor(ctx context.Context, sink string, run flow.RunID) (seq int64, ok bool, err error) {
	seq, err = one(db.read(ctx), value[int64], `SELECT seq FROM delivery WHERE sink = $1 AND run = $2`, sink, string(run))
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return seq, err == nil, err
}

// Delivered keeps how far a sink has been told of runs. A run that has ended
// at that revision is done with, and so is a topic with no notice after it.
func (db *DB) Delivered(ctx context.Context, sink string, upTo map[flow.RunID]int64) error {
	return db.writeRuns(ctx, nil, func(t *tx) error {
		for run, seq := range upTo {
			n, err := t.exec(`
				DELETE FROM delivery WHERE sink = $1 AND run = $2
				AND NOT EXISTS (SELECT 1 FROM run WHERE id = $2 AND (active = 1 OR rev > $3))
				AND NOT EXISTS (SELECT 1 FROM notice WHERE topic = $2 AND seq > $3)`, sink, string(run), seq)
			if err != nil {
				return err
			}
			if n > 0 {
				if err := dropNotices(t, run); err != nil {
					return err
				}
				continue
			}
			if _, err := t.exec(`UPDATE delivery SET seq = $1 WHERE sink = $2 AND run = $3`, seq, sink, string(run)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Backlog counts, by sink, the steps and notices that it has not been told of. A sink
// that knows all is in the answer too.
func (db *DB) Backlog(ctx context.Context) (map[string]int64, error) {
	type count struct {
		sink string
		n    int64
	}
	counts, err := list(db.read(ctx), func(s scanner) (count, error) {
		var c count
		err := s.Scan(&c.sink, &c.n)
		return c, err
	}, `
		SELECT s.name, coalesce((SELECT sum(r.rev - d.seq) FROM delivery d JOIN run r ON r.id = d.run WHERE d.sink = s.name AND r.rev > d.seq), 0)
		     + (SELECT count(*) FROM delivery d JOIN notice n ON n.topic = d.run WHERE d.sink = s.name AND n.seq > d.seq)
		FROM sink s`)
	all := map[string]int64{}
	for _, c := range counts {
		all[c.sink] = c.n
	}
	return all, err
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// A querier asks: a tx, or what [DB.read] and [DB.snapshot] give.
type querier interface {
	query(text string, args ...any) (*sql.Rows, error)
	// explain is for the errors of reading the rows.
	explain(err error) error
}

// read returns a querier for single questions. Each sees all that was
// written before it was asked.
func (db *DB) read(ctx context.Context) querier { return reader{ctx, db, nil} }

// asking returns the context to ask with. SQLite answers at once; being ready
// to break off costs two goroutines, which is more than most answers do.
// PostgreSQL is behind a network.
func (db *DB) asking(ctx context.Context) context.Context {
	if db.writer == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// snapshot gives fn a querier whose answers all show the same moment.
func (db *DB) snapshot(ctx context.Context, fn func(querier) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if db.writer == nil {
		opts.Isolation = sql.LevelRepeatableRead
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t, err := db.reads.BeginTx(db.asking(ctx), opts)
	if err != nil {
		return db.explain(closedOr(err))
	}
	defer t.Rollback() //nolint:errcheck // nothing was written
	return fn(reader{ctx, db, t})
}

type reader struct {
	ctx context.Context
	db  *DB
	tx  *sql.Tx // nil: each question by itself
}

func (r reader) explain(err error) error { return r.db.explain(err) }

func (r reader) query(text string, args ...any) (*sql.Rows, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	ctx := r.db.asking(r.ctx)
	s, ok := r.db.stmts.Load(text)
	if !ok {
		fresh, err := r.db.reads.PrepareContext(ctx, text)
		if err != nil {
			return nil, r.explain(closedOr(err))
		}
		if s, ok = r.db.stmts.LoadOrStore(text, fresh); ok {
			fresh.Close()
		}
	}
	stmt := s.(*sql.Stmt)
	if r.tx != nil {
		stmt = r.tx.StmtContext(ctx, stmt)
	}
	rows, err := stmt.QueryContext(ctx, args...)
	return rows, r.explain(closedOr(err))
}

// list asks and reads every row of the answer with scan.
func list[T any](q querier, scan func(scanner) (T, error), text string, args ...any) ([]T, error) {
	rows, err := q.query(text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, q.explain(rows.Err())
}

// one asks and reads the first row of the answer; sql.ErrNoRows if it has
// none.
func one[T any](q querier, scan func(scanner) (T, error), text string, args ...any) (T, error) {
	var none T
	rows, err := q.query(text, args...)
	if err != nil {
		return none, err
	}
	defer rows.Close()
	if !rows.Next() {
		// That no row could be read does not mean that there is none.
		if err := rows.Err(); err != nil {
			return none, q.explain(err)
		}
		return none, sql.ErrNoRows
	}
	v, err := scan(rows)
	if err != nil {
		return none, err
	}
	return v, q.explain(rows.Err())
}

// number asks for one integer; 0 if there is no row.
func number(q querier, text string, args ...any) (int64, error) {
	n, err := one(q, value[int64], text, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// A scanner is one row.
type scanner interface {
	Scan(into ...any) error
}

// value scans a row of one column.
func value[T any](s scanner) (T, error) {
	var v T
	err := s.Scan(&v)
	return v, err
}

// micros is how a time is kept. A database can hold no finer one, so a time
// that was read back is cut to a microsecond.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is the time that n stands for, in UTC.
func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// at scans a time.
type at struct{ t *time.Time }

func (a at) Scan(v any) error {
	var n sql.NullInt64
	if err := n.Scan(v); err != nil {
		return err
	}
	*a.t = instant(n.Int64)
	return nil
}

// raw scans JSON; an empty text is none.
type raw struct{ v *json.RawMessage }

func (r raw) Scan(v any) error {
	var s sql.NullString
	if err := s.Scan(v); err != nil {
		return err
	}
	*r.v = nil
	if s.String != "" {
		*r.v = json.RawMessage(s.String)
	}
	return nil
}

// bit is how a truth is kept.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// text is how a string is kept that users' programs had a hand in: PostgreSQL
// takes neither bytes that are not UTF-8 nor NUL.
func text[S ~string](s S) string {
	t := strings.ToValidUTF8(string(s), "\uFFFD")
	if strings.IndexByte(t, 0) >= 0 {
		t = strings.ReplaceAll(t, "\x00", "\uFFFD")
	}
	return t
}

// jsonText is how JSON is kept.
func jsonText(v json.RawMessage) string { return text(string(v)) }

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/killpoint"

	"github.com/jackc/pgx/v5/pgconn"
)

// A tx is an open transaction that may write. It is valid within the function
// that it was given to.
type tx struct {
	ctx context.Context
	w   *writer // SQLite, whose statements are prepared once
	pg  *sql.Tx // PostgreSQL, which prepares by itself
}

func (t *tx) explain(err error) error {
	if err == nil || t.pg != nil {
		return err
	}
	return t.w.explain(err)
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(text string, args ...any) (int64, error) {
	var res sql.Result
	var err error
	if t.pg != nil {
		res, err = t.pg.ExecContext(t.ctx, text, args...)
	} else {
		var s *sql.Stmt
		if s, err = t.w.stmt(text); err == nil {
			res, err = s.ExecContext(t.ctx, args...)
		}
	}
	if err != nil {
		return 0, t.explain(err)
	}
	return res.RowsAffected()
}

func (t *tx) query(text string, args ...any) (*sql.Rows, error) {
	if t.pg != nil {
		return t.pg.QueryContext(t.ctx, text, args...)
	}
	s, err := t.w.stmt(text)
	if err != nil {
		return nil, t.explain(err)
	}
	rows, err := s.QueryContext(t.ctx, args...)
	return rows, t.explain(err)
}

// write runs fn in a transaction and returns when that is on disk. If fn
// returns an error nothing that it did is kept, and write returns the error.
// fn may be run more than once, and its effects outside the transaction must
// bear that; it runs for as short as it can, since others wait for it.
//
// When ctx is done before fn's turn has come, write returns its error and fn
// is not run, then or later.
func (db *DB) write(ctx context.Context, fn func(*tx) error) error {
	if db.writer != nil {
		return db.writer.do(ctx, &job{fn: fn, any: true})
	}
	return db.writePostgres(ctx, fn)
}

// writeRuns is write for a function that of the rows of runs, tasks and
// outputs that are there changes only those of the runs that are named.
func (db *DB) writeRuns(ctx context.Context, runs []flow.RunID, fn func(*tx) error) error {
	if db.writer != nil {
		return db.writer.do(ctx, &job{fn: fn, runs: runs})
	}
	return db.writePostgres(ctx, fn)
}

// writePostgres tries until the transaction is not in the way of another.
func (db *DB) writePostgres(ctx context.Context, fn func(*tx) error) error {
	const tries = 50
	for i := 1; ; i++ {
		err := db.tryPostgres(ctx, fn)
		if i == tries || !inTheWay(err, i) {
			return err
		}
		// Spread those that met, so that they do not meet again.
		pause := time.Duration(rand.Int64N(int64(min(i, 10)) * int64(2*time.Millisecond)))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (db *DB) tryPostgres(ctx context.Context, fn func(*tx) error) error {
	if err := db.mayWrite(); err != nil {
		return err
	}
	t, err := db.reads.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return closedOr(err)
	}
	if err := fn(&tx{ctx: ctx, pg: t}); err != nil {
		_ = t.Rollback() // a connection that cannot roll back is dropped
		return err
	}
	if err := t.Commit(); err != nil {
		if _, said := errors.AsType[*pgconn.PgError](err); said {
			return err
		}
		return fmt.Errorf("commit, whose fate is unknown: %w", err)
	}
	return nil
}

// inTheWay reports whether a transaction that failed the i-th time may succeed
// when it is tried again: after a serialization failure, a deadlock, or a key
// that another inserted when we had looked. A key that is there each time is
// our own mistake.
func inTheWay(err error, i int) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pe.Code == "40001" || pe.Code == "40P01" || pe.Code == "23505" && i <= 3)
}

// closedOr names the error that database/sql does not.
func closedOr(err error) error {
	if err != nil && err.Error() == "sql: database is closed" {
		return ErrClosed
	}
	return err
}

// A Commit is a transaction that was written.
type Commit struct {
	Writes int // how many callers shared it
	// Took is its whole time, Sync that of the commit at its end, which waits
	// for the disk.
	Took, Sync time.Duration
}

// Watch has told called after each commit to SQLite, by the goroutine that
// writes: it must not block. PostgreSQL counts its own.
func (db *DB) Watch(told func(Commit)) {
	if db.writer != nil {
		db.writer.watch.Store(&told)
	}
}

// A writer is the one goroutine that writes to an SQLite file.
type writer struct {
	file  file
	pool  *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // owned by loop
	jobs  chan *job
	quit  chan struct{}
	once  sync.Once
	done  chan struct{}
	// broken is closed when no write is taken any more, and why says why: after
	// a failed sync nobody knows what is on disk.
	broken chan struct{}
	why    atomic.Pointer[error]
	recall recall
	// watch is told of each commit; nil: nobody is.
	watch atomic.Pointer[func(Commit)]
	// log bounds the log of writes, in bytes, and trimAt is the size at which
	// that is seen to next; owned by loop.
	log, trimAt int64
}

// A job is one caller's write.
type job struct {
	fn    func(*tx) error
	any   bool         // it may change the rows of any run
	runs  []flow.RunID // or, if not, of these alone
	turn  atomic.Int32 // see the constants
	reply chan error   // holds one
}

// The turns of a job.
const (
	queued  = iota
	taken   // by the loop, which will reply
	givenUp // by the caller, who is gone
)

// batch bounds how many jobs share a transaction.
const batch = 256

// startWriter readies the database of pool for writing and takes pool over.
func startWriter(ctx context.Context, pool *sql.DB, path string, on medium) (*writer, error) {
	pool.SetMaxOpenConns(1)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	err = mend(ctx, conn, path, on)
	if err == nil {
		err = migrate(ctx, conn, sqlite)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	w := &writer{
		file: file(path), pool: pool, conn: conn, stmts: map[string]*sql.Stmt{}, broken: make(chan struct{}), log: on.log, trimAt: on.log,
		jobs: make(chan *job, batch), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go w.loop()
	return w, nil
}

func (w *writer) do(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.reply = make(chan error, 1)
	select {
	case w.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.done:
		return ErrClosed
	}
	select {
	case err := <-j.reply:
		return err
	case <-ctx.Done():
		if j.turn.CompareAndSwap(queued, givenUp) {
			return ctx.Err()
		}
		// It is being written: the true answer is a moment away.
		return <-j.reply
	case <-w.done:
		// The loop is over. Either it replied, or j was queued too late.
		if j.turn.CompareAndSwap(queued, givenUp) {
			return ErrClosed
		}
		return <-j.reply
	}
}

func (w *writer) close() error {
	w.once.Do(func() { close(w.quit) })
	<-w.done
	// A connection with statements stays open, and leaves its log beside the
	// file.
	errs := make([]error, 0, len(w.stmts)+2)
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	clear(w.stmts)
	return errors.Join(append(errs, w.conn.Close(), w.pool.Close())...)
}

// loop owns conn and stmts.
func (w *writer) loop() {
	defer close(w.done)
	jobs := make([]*job, 0, batch)
	for {
		select {
		case j := <-w.jobs:
			jobs = append(jobs[:0], j)
		case <-w.quit:
			return
		}
		// Whoever waits by now travels along. Those who come during the commit
		// make the next batch.
		for more := true; more && len(jobs) < batch; {
			select {
			case j := <-w.jobs:
				jobs = append(jobs, j)
			default:
				more = false
			}
		}
		w.commit(jobs)
		w.trim()
	}
}

// trim has the log of writes begin anew when it has grown large. SQLite does
// so by itself, though only at a moment when nobody reads: with many readers
// there may never be one.
func (w *writer) trim() {
	if w.log == 0 || w.err() != nil {
		return
	}
	info, err := os.Stat(string(w.file) + "-wal")
	if err != nil || info.Size() < w.trimAt {
		return
	}
	// Readers that come from now on do not need the log; those who are there
	// have this long to end, in which nobody writes.
	busy := true
	_, err = w.conn.ExecContext(context.Background(), "PRAGMA busy_timeout(500)")
	if err == nil {
		var pages, moved int
		err = w.conn.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
		_, _ = w.conn.ExecContext(context.Background(), "PRAGMA busy_timeout(10000)")
	}
	if unsynced(err) {
		_ = w.fail(w.explain(err)) // whoever writes next is told
		return
	}
	w.trimAt = w.log
	if busy { // not just now
		w.trimAt = info.Size() + w.log/4
	}
}

// commit carries out the jobs that are still wanted in one transaction and
// replies to each.
func (w *writer) commit(jobs []*job) {
	wanted := jobs[:0]
	for _, j := range jobs {
		if j.turn.CompareAndSwap(queued, taken) {
			wanted = append(wanted, j)
		}
	}
	if len(wanted) == 0 {
		return
	}
	errs := make([]error, len(wanted))
	if err := w.run(wanted, errs); err != nil {
		for i := range errs {
			if errs[i] == nil {
				errs[i] = err
			}
		}
	}
	for _, j := range wanted {
		w.recall.forget(j.any, j.runs) // even if it failed: its fate may be unknown
	}
	for i, j := range wanted {
		j.reply <- errs[i]
	}
}

// run fills errs with what each job's function answers, and returns why none
// of them is saved, or nil when all those without an error are.
func (w *writer) run(jobs []*job, errs []error) error {
	if err := w.err(); err != nil {
		return err
	}
	t := &tx{ctx: context.Background(), w: w}
	began := time.Now()
	if err := w.begin(t); err != nil {
		return err
	}
	saved := 0
	for i, j := range jobs {
		// A lone job needs no savepoint: it fails with the transaction.
		err := w.step(t, j, len(jobs) > 1, &errs[i])
		if err != nil {
			_, _ = t.exec("ROLLBACK") // there may be no transaction left
			return err
		}
		if errs[i] == nil {
			saved++
		}
	}
	if saved == 0 {
		_, _ = t.exec("ROLLBACK") // as above
		return nil
	}
	killpoint.At("commit")
	written := time.Now()
	if _, err := t.exec("COMMIT"); err != nil {
		_, _ = t.exec("ROLLBACK") // lets go of the file, if it can
		if unwritten(err) {
			// What was written of it, if anything, is written over by the next
			// commit; a crash before that may bring it back.
			return fmt.Errorf("commit: %w", err)
		}
		return w.fail(fmt.Errorf("commit: %w", err))
	}
	killpoint.At("committed")
	if watch := w.watch.Load(); watch != nil {
		(*watch)(Commit{Writes: saved, Took: time.Since(began), Sync: time.Since(written)})
	}
	return nil
}

// begin begins a transaction.
func (w *writer) begin(t *tx) error {
	_, err := t.exec("BEGIN IMMEDIATE")
	if err != nil {
		// The disk may have kept the last one from being rolled back.
		_, _ = t.exec("ROLLBACK")
		_, err = t.exec("BEGIN IMMEDIATE")
	}
	if err != nil && flow.KindOf(err) == flow.Internal {
		return flow.Errorf(flow.Busy, "begin to write: %w", err)
	}
	return err
}

// step runs one job and leaves its answer in answer. It returns an error when
// the whole transaction is lost.
func (w *writer) step(t *tx, j *job, shared bool, answer *error) error {
	if !shared {
		*answer = j.fn(t)
		return nil
	}
	if _, err := t.exec("SAVEPOINT job"); err != nil {
		return fmt.Errorf("begin to write: %w", err)
	}
	if *answer = j.fn(t); *answer != nil {
		// Fails when the error was so bad (a full disk) that SQLite has rolled
		// the transaction back already.
		if _, err := t.exec("ROLLBACK TO job"); err != nil {
			return fmt.Errorf("the transaction of several writes was lost: %w", *answer)
		}
	}
	if _, err := t.exec("RELEASE job"); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// fail refuses all writes from now on and returns why.
func (w *writer) fail(err error) error {
	if !errors.Is(err, ErrUnsynced) && !errors.Is(err, ErrDamaged) {
		err = flow.Errorf(flow.Busy, "write the database %s: %v: %w", w.file, err, ErrUnsynced)
	}
	if w.why.CompareAndSwap(nil, &err) {
		close(w.broken)
	}
	return err
}

// err is why no write is taken any more; nil while they are.
func (w *writer) err() error {
	if p := w.why.Load(); p != nil {
		return *p
	}
	return nil
}

// explain gives the disk's faults their words. It may be called from any
// goroutine.
func (w *writer) explain(err error) error {
	if err = w.file.explain(err); errors.Is(err, ErrDamaged) {
		return w.fail(err)
	}
	return err
}

// stmt returns the prepared statement of text. Texts are constants of this
// package, so there are few.
func (w *writer) stmt(text string) (*sql.Stmt, error) {
	if s, ok := w.stmts[text]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, err
	}
	w.stmts[text] = s
	return s, nil
}

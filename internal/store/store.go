// Package store keeps what must not be forgotten as rows of SQLite or
// PostgreSQL: workflows, versions, schedules, runs, tasks, outputs, journals.
// It knows rows and transactions. It does not know what a state means, when
// something is due, or what a service calls anything.
//
// One SQL text serves both databases, written beside the function that runs
// it: parameters are $1, $2 … in order of first use, times are integer
// microseconds passed in (0: no such time), JSON is text, truth is 0 or 1.
//
// On SQLite all writes pass through one goroutine that gathers the callers
// that wait into one transaction, so that they share one fsync. On PostgreSQL
// each write is a serializable transaction of its own.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// DB is an open database. All its methods may be called at once from many
// goroutines. A write that returned nil is on disk; one that returned an
// error changed nothing, unless the error says that its fate is unknown.
type DB struct {
	file  string // of the SQLite file; empty on PostgreSQL
	reads *sql.DB
	stmts sync.Map // SQL text → *sql.Stmt on reads
	// writer is nil on PostgreSQL, where a write takes a connection of reads.
	writer *writer
	// Of PostgreSQL: unheld says that the connection was lost that had the lock
	// of [DB.Hold]; gone is closed when another server has it, and lost says so.
	unheld atomic.Bool
	gone   chan struct{}
	lost   atomic.Pointer[error]
}

// ErrClosed is what a closed DB answers.
var ErrClosed = errors.New("the store is closed")

// Open opens the database that url names, and makes or upgrades its tables:
// postgres://… for PostgreSQL, otherwise the path of an SQLite file, which is
// made if missing (with "sqlite:" before it if you like). A database written
// by a newer release is refused.
func Open(ctx context.Context, url string) (*DB, error) {
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return openPostgres(ctx, url)
	}
	path := strings.TrimPrefix(url, "sqlite:")
	if path == "" || strings.Contains(path, ":memory:") || strings.Contains(path, "://") {
		return nil, fmt.Errorf("open store %q: expected the path of a file or a postgres:// URL", url)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db, err := openSQLite(ctx, path, fileSystem)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return db, nil
}

// OpenFleeting opens an SQLite file that goes with this process, which nobody
// would look for after the machine has failed: nothing waits for the disk.
func OpenFleeting(ctx context.Context, path string) (*DB, error) {
	on := fileSystem
	on.fleeting = true
	db, err := openSQLite(ctx, path, on)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return db, nil
}

// readers is how many connections serve reads of SQLite at once.
const readers = 8

func openSQLite(ctx context.Context, path string, on medium) (*DB, error) {
	if err := on.create(path); err != nil {
		return nil, err
	}
	source := func(pragmas ...string) string {
		q := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
		if on.vfs != "" {
			q.Set("vfs", on.vfs)
		}
		return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
	}
	look, err := sql.Open("sqlite", source("query_only(1)"))
	if err != nil {
		return nil, err
	}
	// Closed late: the last connection to close would write the log into the
	// file, before it is mended.
	defer look.Close()
	if err := inspect(ctx, look, path); err != nil {
		return nil, file(path).explain(err)
	}
	sync := "synchronous(FULL)"
	if on.fleeting {
		sync = "synchronous(OFF)"
	}
	writes, err := sql.Open("sqlite", source("journal_mode(WAL)", sync,
		"temp_store(MEMORY)", "cache_size(-32000)", "journal_size_limit(67108864)"))
	if err != nil {
		return nil, err
	}
	w, err := startWriter(ctx, writes, path, on)
	if err != nil {
		writes.Close()
		return nil, file(path).explain(err)
	}
	reads, err := sql.Open("sqlite", source("query_only(1)", "temp_store(MEMORY)", "cache_size(-8000)"))
	if err != nil {
		w.close()
		return nil, err
	}
	reads.SetMaxOpenConns(readers)
	reads.SetMaxIdleConns(readers)
	return &DB{file: path, reads: reads, writer: w}, nil
}

func openPostgres(ctx context.Context, url string) (*DB, error) {
	// The URL may hold a password: no error here repeats it.
	pool, err := sql.Open("pgx", url)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	pool.SetMaxOpenConns(32)
	pool.SetMaxIdleConns(32)
	conn, err := pool.Conn(ctx)
	if err == nil {
		err = migrate(ctx, conn, postgres)
		conn.Close()
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	return &DB{reads: pool, gone: make(chan struct{})}, nil
}

// Broken is closed when the store takes no more writes; [DB.Err] says why.
func (db *DB) Broken() <-chan struct{} {
	if db.writer == nil {
		return db.gone
	}
	return db.writer.broken
}

// Err returns why the store takes no more writes; nil while it does. The
// error holds [ErrUnsynced], [ErrDamaged] or [ErrHeld].
func (db *DB) Err() error {
	if db.writer != nil {
		return db.writer.err()
	}
	if p := db.lost.Load(); p != nil {
		return *p
	}
	return nil
}

// explain gives the disk's faults their words. A database that is found to
// be damaged is written no more.
func (db *DB) explain(err error) error {
	if err == nil || db.writer == nil {
		return err
	}
	return db.writer.explain(err)
}

// Close waits for the writes under way and closes the database, which is then
// in its file alone. Writes that still wait for their turn get ErrClosed.
func (db *DB) Close() error {
	db.stmts.Range(func(_, s any) bool {
		_ = s.(*sql.Stmt).Close() // whoever uses it still is refused
		return true
	})
	// The writer is the last, since the last tidies up, and must be able to.
	err := db.reads.Close()
	if db.writer != nil {
		err = errors.Join(err, db.writer.close())
	}
	return err
}

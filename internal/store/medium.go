package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"fairlead/internal/flow"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A medium is what the files of SQLite lie on.
type medium struct {
	vfs string // what SQLite calls it; empty: this machine's file systems
	// fleeting says that what is on it need not outlive the machine's power.
	fleeting bool
	// create makes a file, unless it is there.
	create func(path string) error
	// rewrite writes once more what a file holds, and syncs it. It does
	// nothing if there is no such file.
	rewrite func(path string) error
	// log is how many bytes the log of writes may have before readers are
	// waited for so that it can begin anew; 0: any number.
	log int64
}

// fileSystem is the medium of all stores but those of tests.
var fileSystem = medium{create: createFile, rewrite: rewriteFile, log: 64 << 20}

func createFile(path string) error {
	// Definitions and outputs can hold secrets: nobody else may read the file.
	// SQLite gives the WAL beside it the same mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func rewriteFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	for at := int64(0); ; {
		n, err := f.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return err
		}
		if n == 0 {
			return f.Sync()
		}
		if _, err := f.WriteAt(buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
}

// mend makes sure that the log of writes is on disk as it reads. After a sync
// that failed, the kernel may show what it will never write: a server that
// starts on such a log would put what it acknowledges behind a gap, and lose it
// with the power. conn's lock keeps all others from writing meanwhile.
func mend(ctx context.Context, conn *sql.Conn, path string, on medium) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := on.rewrite(path + "-wal")
	if _, rerr := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err == nil {
		err = rerr
	}
	return err
}

// checkTime bounds the check of a database that is opened. A large one is
// checked in part; what is read later is checked as it is read.
const checkTime = 50 * time.Millisecond

// inspect refuses a database that is damaged, or that is none of ours. It
// changes nothing.
func inspect(ctx context.Context, db *sql.DB, path string) error {
	var tables, ours int
	if err := db.QueryRowContext(ctx, `
		SELECT count(*), count(*) FILTER (WHERE name IN ('migration', 'setting', 'run')) FROM sqlite_schema WHERE type = 'table'`).Scan(&tables, &ours); err != nil {
		return err
	}
	if tables > 0 && ours < 3 {
		return fmt.Errorf("%s is a database of another program: name another file", path)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var said string
	err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said)
	switch {
	case ctx.Err() != nil:
		return nil // it is large: what there was time for is good
	case err != nil:
		return err
	case said != "ok":
		return &damage{said}
	}
	return nil
}

// Damage is what the check found.
type damage struct{ what string }

func (d *damage) Error() string { return d.what }

// ErrUnsynced is in the error of a store that takes no more writes because a
// sync has failed: what is on disk is unknown until it is opened again.
var ErrUnsynced = errors.New("it is unknown what is on disk; no write is taken until the server is started again")

// ErrDamaged is in the error of a store whose file is damaged.
var ErrDamaged = errors.New("no write is taken; put a backup in its place, or move it away, with the files beside it that end in -wal and -shm, to begin anew")

// A file is the file of an SQLite database, for the words about its faults.
type file string

// explain turns an error that is the fault of the disk into one that a caller
// should read; others it returns as they are.
func (f file) explain(err error) error {
	if _, ok := errors.AsType[*damage](err); ok {
		return flow.Errorf(flow.Busy, "the database %s is damaged (%v): %w", f, err, ErrDamaged)
	}
	e, ok := errors.AsType[*driver.Error](err)
	if !ok || flow.KindOf(err) != flow.Internal {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return flow.Errorf(flow.Busy, "the disk is full: the database %s cannot grow; make room there, and the server goes on (%w)", f, err)
	case sqlite3.SQLITE_READONLY:
		return flow.Errorf(flow.Busy, "the database %s cannot be written: its file system or the file is read-only (%w)", f, err)
	case sqlite3.SQLITE_CANTOPEN:
		return flow.Errorf(flow.Busy, "the database %s cannot be opened (%w)", f, err)
	case sqlite3.SQLITE_CORRUPT:
		return flow.Errorf(flow.Busy, "the database %s is damaged (%v): %w", f, err, ErrDamaged)
	case sqlite3.SQLITE_NOTADB:
		return flow.Errorf(flow.Busy, "%s is not a database, or is damaged at its front (%v): %w", f, err, ErrDamaged)
	case sqlite3.SQLITE_IOERR:
		if unsynced(err) {
			return flow.Errorf(flow.Busy, "the disk failed to sync the database %s (%v): %w", f, err, ErrUnsynced)
		}
		return flow.Errorf(flow.Busy, "the disk under the database %s fails: %w", f, err)
	}
	return err
}

// unsynced reports whether a sync has failed.
func unsynced(err error) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_IOERR_FSYNC || e.Code() == sqlite3.SQLITE_IOERR_DIR_FSYNC)
}

// unwritten reports whether the disk has refused a write so that it is known
// what is there: the next commit takes the place of what failed.
func unwritten(err error) bool {
	e, ok := errors.AsType[*driver.Error](err)
	if !ok || unsynced(err) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY:
		return true
	}
	return false
}

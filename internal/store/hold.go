package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHeld is what Hold answers when another process holds the database.
var ErrHeld = errors.New("another server uses this database")

// holdKey is the advisory lock of PostgreSQL that stands for the whole
// database: the letters "fairlead" as a number.
const holdKey = 0x666169726c656164

// Hold makes this process the only one that runs what the database holds,
// until release is called or the process ends. While another holds it, Hold
// waits a few seconds, or until ctx is done, and answers ErrHeld. Rows have a revision that
// stops a second writer, but attempts live outside of the rows.
func (db *DB) Hold(ctx context.Context) (release func() error, err error) {
	if db.file != "" {
		return holdFile(ctx, db.file+".lock")
	}
	conn, err := db.reads.Conn(context.WithoutCancel(ctx))
	if err != nil {
		return nil, closedOr(err)
	}
	for deadline := time.Now().Add(holdPatience); ; {
		var got bool
		if err := conn.QueryRowContext(context.WithoutCancel(ctx), `SELECT pg_try_advisory_lock($1)`, int64(holdKey)).Scan(&got); err != nil {
			conn.Close()
			return nil, fmt.Errorf("hold the database: %w", err)
		}
		if got {
			return conn.Close, nil // the lock goes with the session
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			conn.Close()
			return nil, ErrHeld
		}
		time.Sleep(holdPause)
	}
}

// A server that was killed may seem to hold for another moment: PostgreSQL
// has not noticed, or a task's process has its descriptors until it executes.
const (
	holdPatience = 3 * time.Second
	holdPause    = 10 * time.Millisecond
)

func holdFile(ctx context.Context, path string) (func() error, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(holdPatience); ; time.Sleep(holdPause) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return f.Close, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		case time.Now().After(deadline), ctx.Err() != nil:
			f.Close()
			return nil, ErrHeld
		}
	}
}

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"time"

	"fairlead/internal/flow"

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
//
// PostgreSQL drops the hold with the connection that has it, as when it is
// started again. Writes are then Busy until the hold is taken once more; if
// another has it by then, [DB.Broken] is closed and [DB.Err] is ErrHeld.
func (db *DB) Hold(ctx context.Context) (release func() error, err error) {
	if db.file != "" {
		return holdFile(ctx, db.file+".lock")
	}
	for deadline := time.Now().Add(holdPatience); ; time.Sleep(holdPause) {
		conn, err := db.holdServer(context.WithoutCancel(ctx))
		switch {
		case err == nil:
			watch, stop := context.WithCancel(context.WithoutCancel(ctx))
			done := make(chan struct{})
			go func() {
				defer close(done)
				db.keepHold(watch, conn)
			}()
			return func() error {
				stop()
				<-done
				return nil
			}, nil
		case !errors.Is(err, ErrHeld):
			return nil, fmt.Errorf("hold the database: %w", err)
		case time.Now().After(deadline) || ctx.Err() != nil:
			return nil, ErrHeld
		}
	}
}

// holdServer returns a connection that has the lock; ErrHeld if another has it.
func (db *DB) holdServer(ctx context.Context) (*sql.Conn, error) {
	conn, err := db.reads.Conn(ctx)
	if err != nil {
		return nil, closedOr(err)
	}
	var got bool
	if err = conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, int64(holdKey)).Scan(&got); err == nil && got {
		return conn, nil
	}
	conn.Close()
	if err == nil {
		err = ErrHeld
	}
	return nil, err
}

// keepHold sees to it, until ctx is done, that a connection has the lock: conn,
// which it takes over, or when that breaks another. It gives up when somebody
// else keeps the lock.
func (db *DB) keepHold(ctx context.Context, conn *sql.Conn) {
	var refused time.Time // since when somebody else has the lock
	for {
		pause := holdLook
		if conn == nil {
			pause = holdPause
			var err error
			switch conn, err = db.holdServer(ctx); {
			case err == nil:
				db.unheld.Store(false)
				refused = time.Time{}
				pause = holdLook
			case errors.Is(err, ErrClosed):
				return
			case !errors.Is(err, ErrHeld): // PostgreSQL is away, for others too
				refused = time.Time{}
			case refused.IsZero():
				refused = time.Now()
			case time.Since(refused) > holdPatience:
				db.usurped()
				return
			}
		}
		select {
		case <-ctx.Done():
			if conn != nil {
				drop(conn)
			}
			return
		case <-time.After(pause):
		}
		if conn != nil && !answers(ctx, conn) {
			db.unheld.Store(ctx.Err() == nil)
			drop(conn)
			conn = nil
		}
	}
}

// answers reports whether a connection is still good.
func answers(ctx context.Context, conn *sql.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, holdAnswer)
	defer cancel()
	return conn.PingContext(ctx) == nil
}

// drop ends a connection, and what it has locked with it, where Close would
// keep it for others to use.
func drop(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	conn.Close()
}

// usurped refuses all writes from now on.
func (db *DB) usurped() {
	err := error(flow.Errorf(flow.Busy, "the connection that held the database was lost, and meanwhile %w; this one writes no more", ErrHeld))
	if db.lost.CompareAndSwap(nil, &err) {
		close(db.gone)
	}
}

// mayWrite is a Busy while it is not certain that no other server writes.
func (db *DB) mayWrite() error {
	if err := db.Err(); err != nil {
		return err
	}
	if db.unheld.Load() {
		return flow.Errorf(flow.Busy, "the connection that holds the database was lost; nothing is written until it is held again")
	}
	return nil
}

// A server that was killed may seem to hold for another moment: PostgreSQL
// has not noticed, or a task's process has its descriptors until it executes.
const (
	holdPatience = 3 * time.Second
	holdPause    = 10 * time.Millisecond
	// holdLook is how often the connection that holds is asked for a sign of
	// life, and holdAnswer how long it may take to give it.
	holdLook   = time.Second
	holdAnswer = 30 * time.Second
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

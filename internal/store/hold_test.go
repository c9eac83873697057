package store_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/store"
	"fairlead/internal/store/pgtest"
)

// TestHoldOutlivesItsConnection breaks the connection to PostgreSQL that has
// the lock, which goes with it.
func TestHoldOutlivesItsConnection(t *testing.T) {
	url := pgtest.URL(t)
	admin, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	open := func() *store.DB {
		db, err := store.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	now, cancel := context.WithCancel(t.Context())
	cancel() // without patience

	db, other := open(), open()
	release, err := db.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	broken := holder(t, admin)
	breakIt(t, admin, broken)
	for until := time.Now().Add(time.Minute); ; { // until it is held by another connection
		if pid := holder(t, admin); pid != 0 && pid != broken {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the database is not held again after its connection broke")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := other.Hold(now); !errors.Is(err, store.ErrHeld) {
		t.Fatalf("Hold by another, after the connection broke: got %v, want ErrHeld", err)
	}
	for until := time.Now().Add(time.Minute); ; { // the first to know is whoever holds
		_, err = db.PutSetting(t.Context(), "x", []byte("1"), false)
		if err == nil {
			break
		}
		if flow.KindOf(err) != flow.Busy || time.Now().After(until) {
			t.Fatalf("write after the database is held again: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}

	// Another that queues for the lock gets it when the connection breaks.
	usurper, err := admin.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer usurper.Close()
	taken := make(chan error, 1)
	go func() {
		_, err := usurper.ExecContext(t.Context(), `SELECT pg_advisory_lock($1)`, store.HoldKey)
		taken <- err
	}()
	for queued := 0; queued == 0; time.Sleep(10 * time.Millisecond) {
		if err := admin.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`).Scan(&queued); err != nil {
			t.Fatal(err)
		}
	}
	breakIt(t, admin, holder(t, admin))
	if err := <-taken; err != nil {
		t.Fatal(err)
	}
	select {
	case <-db.Broken():
	case <-time.After(time.Minute):
		t.Fatal("whoever lost the database to another does not say so")
	}
	if !errors.Is(db.Err(), store.ErrHeld) {
		t.Errorf("Err of who lost the database: got %v, want ErrHeld", db.Err())
	}
	if _, err := db.PutSetting(t.Context(), "x", []byte("2"), false); !errors.Is(err, store.ErrHeld) {
		t.Errorf("write of who lost the database: got %v, want ErrHeld", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

// holder returns the process id of the connection that holds the database; 0
// if there is none.
func holder(t *testing.T, admin *sql.DB) (pid int) {
	t.Helper()
	err := admin.QueryRowContext(t.Context(), `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted`).Scan(&pid)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return pid
}

func breakIt(t *testing.T, admin *sql.DB, pid int) {
	t.Helper()
	if _, err := admin.ExecContext(t.Context(), `SELECT pg_terminate_backend($1)`, pid); err != nil {
		t.Fatal(err)
	}
}

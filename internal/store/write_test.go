package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"fairlead/internal/flow"
)

// held is a store whose writer is busy until release is called.
func held(t *testing.T) (db *DB, release func()) {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- db.write(context.Background(), func(*tx) error {
			<-gate
			return nil
		})
	}()
	synctest.Wait() // the writer waits at the gate
	return db, func() {
		close(gate)
		if err := <-done; err != nil {
			t.Errorf("the write that held the others = %v", err)
		}
	}
}

func put(t *tx, key string) error {
	_, err := t.exec(`INSERT INTO setting (key, value) VALUES ($1, $2)`, key, []byte("v"))
	return err
}

func (db *DB) has(t *testing.T, key string) bool {
	t.Helper()
	_, ok, err := db.Setting(context.Background(), key)
	if err != nil {
		t.Errorf("Setting(%s): %v", key, err)
	}
	return ok
}

func TestOneFailureHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, release := held(t)
		defer db.Close()
		var wg sync.WaitGroup
		mine := errors.New("mine")
		errs := make([]error, 30)
		for i := range errs {
			wg.Go(func() {
				errs[i] = db.write(t.Context(), func(tx *tx) error {
					if err := put(tx, fmt.Sprint("k", i)); err != nil {
						return err
					}
					switch i % 3 {
					case 1:
						return mine
					case 2: // the key is there
						return put(tx, fmt.Sprint("k", i))
					}
					return nil
				})
			})
		}
		synctest.Wait() // all of them are queued: they make one batch
		release()
		wg.Wait()
		for i, err := range errs {
			if i%3 == 1 && !errors.Is(err, mine) || (err == nil) != (i%3 == 0) {
				t.Errorf("write %d = %v", i, err)
			}
			if got, want := db.has(t, fmt.Sprint("k", i)), i%3 == 0; got != want {
				t.Errorf("write %d, which gave %v: kept = %v, want %v", i, err, got, want)
			}
		}
	})
}

func TestGivenUpWriteIsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, release := held(t)
		defer db.Close()
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error, 1)
		go func() { answer <- db.write(ctx, func(tx *tx) error { return put(tx, "k") }) }()
		synctest.Wait()
		cancel()
		if err := <-answer; !errors.Is(err, context.Canceled) {
			t.Errorf("write after cancel = %v, want %v", err, context.Canceled)
		}
		release()
		if err := db.write(t.Context(), func(tx *tx) error { return put(tx, "after") }); err != nil {
			t.Error(err)
		}
		if db.has(t, "k") {
			t.Error("the write that was given up was done")
		}
	})
}

func TestWriteUnderWayIsAnsweredTruly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, release := held(t)
		defer db.Close()
		release()
		ctx, cancel := context.WithCancel(t.Context())
		err := db.write(ctx, func(tx *tx) error {
			cancel() // too late
			return put(tx, "k")
		})
		if got := db.has(t, "k"); err != nil || !got {
			t.Errorf("write canceled in the middle = %v, kept %v; want nil, true", err, got)
		}
	})
}

func TestCloseAnswersEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, release := held(t)
		path := db.path(t)
		var wg sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			wg.Go(func() {
				errs[i] = db.write(t.Context(), func(tx *tx) error { return put(tx, fmt.Sprint("k", i)) })
			})
		}
		wg.Go(func() {
			if err := db.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		synctest.Wait()
		release()
		wg.Wait()
		if err := db.write(t.Context(), func(*tx) error { return nil }); !errors.Is(err, ErrClosed) {
			t.Errorf("write after Close = %v, want %v", err, ErrClosed)
		}
		if _, _, err := db.Setting(t.Context(), "k"); !errors.Is(err, ErrClosed) {
			t.Errorf("Setting after Close = %v, want %v", err, ErrClosed)
		}
		again, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		for i, err := range errs {
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Errorf("write %d = %v, want nil or %v", i, err, ErrClosed)
			}
			if got := again.has(t, fmt.Sprint("k", i)); got != (err == nil) {
				t.Errorf("write %d, which gave %v: kept = %v", i, err, got)
			}
		}
	})
}

func (db *DB) path(t *testing.T) string {
	t.Helper()
	path, err := one(db.read(t.Context()), value[string], `SELECT file FROM pragma_database_list WHERE name = 'main'`)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFailedCommitStopsWrites(t *testing.T) {
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := db.path(t)
	// What stands for COMMIT from here on fails.
	if err := db.write(t.Context(), func(tx *tx) error {
		bad, err := db.writer.conn.PrepareContext(tx.ctx, `INSERT INTO migration (n, name, applied) VALUES (1, '', 0)`)
		db.writer.stmts["COMMIT"] = bad
		return errors.Join(err, put(tx, "k"))
	}); err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("write whose commit fails = %v, want an error that says that its fate is unknown", err)
	}
	ran := false
	err = db.write(t.Context(), func(*tx) error { ran = true; return nil })
	if err == nil || ran || !strings.Contains(err.Error(), "started again") {
		t.Errorf("the next write = %v, run %v; want it refused", err, ran)
	}
	if db.has(t, "k") {
		t.Error("the write that failed is seen")
	}
	db.Close()
	again, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.write(t.Context(), func(tx *tx) error { return put(tx, "k") }); err != nil {
		t.Errorf("write after opening again = %v", err)
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a dir?%41", "store.db")
	if _, err := Open(t.Context(), path); err == nil {
		t.Error("Open in a directory that does not exist = nil")
	}
	path = filepath.Join(t.TempDir(), "a #?%41 b.db")
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if got := db.path(t); got != path {
		t.Errorf("Open(%q) made %q", path, got)
	}
	if err := db.write(t.Context(), func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO migration (n, name, applied) VALUES (9999, 'future', 0)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "newer release") {
		t.Errorf("Open of a newer database = %v, want it refused", err)
	}
}

func TestOlderDatabaseIsUpgraded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	first, err := migrations.ReadFile("migrations/0001_start.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`CREATE TABLE migration (n BIGINT PRIMARY KEY, name TEXT NOT NULL, applied BIGINT NOT NULL)`,
		sqlite.words.Replace(string(first)),
		`INSERT INTO migration (n, name, applied) VALUES (1, '0001_start', 0)`,
		`INSERT INTO setting (key, value) VALUES ('k', 'v')`,
	} {
		if _, err := old.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	old.Close()
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := number(db.read(t.Context()), `SELECT count(*) FROM object`); err != nil || !db.has(t, "k") {
		t.Errorf("a table of a later release: %v; the old row is there: %v", err, db.has(t, "k"))
	}
}

func TestCloseLeavesOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.write(t.Context(), func(tx *tx) error { return put(tx, "k") }); err != nil || !db.has(t, "k") {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	for _, beside := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + beside); err == nil {
			t.Errorf("Close leaves %s", path+beside)
		}
	}
}

// TestFleetingStoresDoNotWait has a store that goes with the process wait for
// no disk.
func TestFleetingStoresDoNotWait(t *testing.T) {
	db, err := OpenFleeting(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.write(t.Context(), func(tx *tx) error {
		sync, err := number(tx, `PRAGMA synchronous`)
		if sync != 0 {
			t.Errorf("synchronous = %d; want 0 (off)", sync)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestCommitsReachTheDisk(t *testing.T) {
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.write(t.Context(), func(tx *tx) error {
		mode, err := one(tx, value[string], `PRAGMA journal_mode`)
		if err != nil {
			return err
		}
		sync, err := number(tx, `PRAGMA synchronous`)
		if mode != "wal" || sync != 2 {
			t.Errorf("journal_mode, synchronous = %s, %d; want wal, 2 (full)", mode, sync)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(db.path(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode of the file = %v, want 0600", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, url := range []string{"", ":memory:", "file::memory:?cache=shared", "mysql://localhost/x", "sqlite:"} {
		if db, err := Open(t.Context(), url); err == nil {
			db.Close()
			t.Errorf("Open(%q) = nil, want an error", url)
		}
	}
}

func FuzzPageKey(f *testing.F) {
	for _, s := range []string{"", "1.a", "-1.", "1.2", ".", "9223372036854775808.x", "1.2.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, after string) {
		p := flow.Page{After: after}
		if created, id, err := older(p); err == nil && after != "" {
			if _, back, err := older(flow.Page{After: fmt.Sprint(created, ".", id)}); err != nil || back != id {
				t.Errorf("older(%q) = %d, %q, which reads back as %q, %v", after, created, id, back, err)
			}
		} else if err != nil && flow.KindOf(err) != flow.Invalid {
			t.Errorf("older(%q) = %v, which is not Invalid", after, err)
		}
		for n := range 3 {
			if all, err := numbers(p, n, -1); err == nil && len(all) != n {
				t.Errorf("numbers(%q, %d) = %v", after, n, all)
			}
		}
	})
}

package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/store"
)

// crashFile names the store in the environment of the process that is to be
// killed.
const crashFile = "FAIRLEAD_TEST_CRASH_STORE"

const crashRuns = 6

// TestKilledStoreKeepsItsWord kills a process in the middle of its saves,
// again and again on one file: what it was told is saved is there, whole, and
// nothing is there by half.
func TestKilledStoreKeepsItsWord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	newRuns(t, db, crashRuns)
	db.Close()
	total := 0
	for round, acks := range []int{1, 7, 40, 100, 13, 200, 61, 150} {
		said := killAfter(t, path, acks)
		db, err := store.Open(t.Context(), path)
		if err != nil {
			t.Fatalf("round %d: Open: %v", round, err)
		}
		runs, err := db.Unfinished(t.Context())
		if err != nil || len(runs) != crashRuns {
			t.Fatalf("round %d: %d runs, %v; want %d", round, len(runs), err, crashRuns)
		}
		for _, r := range runs {
			if rev := said[r.ID]; r.Rev < rev || rev > 0 && r.Rev > rev+1 {
				t.Errorf("round %d: run %s is at %d, but %d was the last that was acknowledged", round, r.ID, r.Rev, rev)
			}
			checkWhole(t, db, r)
			total += int(r.Rev)
		}
		db.Close()
	}
	if total == 0 {
		t.Error("no step was saved at all")
	}
}

// killAfter lets a process save until it has acknowledged n steps, kills it,
// and returns the last revision acknowledged of each run.
func killAfter(t *testing.T, path string, n int) map[flow.RunID]int64 {
	cmd := exec.Command(os.Args[0], "-test.run=^TestSaveUntilKilled$")
	cmd.Env = append(os.Environ(), crashFile+"="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := map[flow.RunID]int64{}
	count := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var id flow.RunID
		var rev int64
		if _, err := fmt.Sscanf(lines.Text(), "saved %s %d", &id, &rev); err == nil {
			said[id] = rev
			if count++; count == n {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := cmd.Wait(); count < n {
		t.Fatalf("the process ended by itself (%v) after %d steps", err, count)
	}
	return said
}

// checkWhole checks that all rows of a run are of its last step.
func checkWhole(t *testing.T, db *store.DB, r flow.Run) {
	t.Helper()
	if err := whole(t.Context(), db, r, t.Errorf); err != nil {
		t.Fatal(err)
	}
}

// whole tells bad if not all rows of a run are of its last step. The error is
// that of a read that failed.
func whole(ctx context.Context, db *store.DB, r flow.Run, bad func(string, ...any)) error {
	tasks, err := db.Tasks(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, k := range tasks {
		if int64(k.Attempt) != r.Rev {
			bad("run %s is at %d, its task %s at %d", r.ID, r.Rev, k.ID, k.Attempt)
		}
	}
	entries := 0
	for page := (flow.Page{Limit: 1000}); ; {
		list, next, err := db.Journal(ctx, r.ID, page)
		if err != nil {
			return err
		}
		entries += len(list)
		if page.After = next; next == "" {
			break
		}
	}
	outputs, err := db.Outputs(ctx, r.ID, "b", int(r.Rev))
	if err != nil {
		return err
	}
	if r.Rev > 0 && (len(tasks) != 3 || int64(entries) != r.Rev || len(outputs) != 1) {
		bad("run %s is at %d: %d tasks, %d entries, %d outputs; want 3, %d, 1", r.ID, r.Rev, len(tasks), entries, len(outputs), r.Rev)
	}
	return nil
}

// TestSaveUntilKilled is the process that TestKilledStoreKeepsItsWord kills.
func TestSaveUntilKilled(t *testing.T) {
	path := os.Getenv(crashFile)
	if path == "" {
		t.Skip("runs only in a process that is to be killed")
	}
	ctx := context.Background()
	db, err := store.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := db.Unfinished(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, r := range runs {
		wg.Go(func() {
			for end := time.Now().Add(time.Minute); time.Now().Before(end); {
				r.Rev++
				s := engine.Step{Run: r, Entry: flow.Entry{Run: r.ID, Seq: r.Rev, What: "x"}}
				for i, id := range []flow.TaskID{"a", "b", "c"} {
					s.Tasks = append(s.Tasks, flow.Task{ID: id, Index: i, State: flow.Running, Attempt: int(r.Rev)})
				}
				s.Outputs = []flow.Output{{Task: "b", Attempt: int(r.Rev), Key: "k", Value: json.RawMessage(`1`)}}
				if err := db.Save(ctx, s); err != nil {
					t.Errorf("Save: %v", err)
					return
				}
				fmt.Printf("saved %s %d\n", r.ID, r.Rev)
			}
		})
	}
	wg.Wait()
}

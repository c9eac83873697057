package store_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/store"
	"fairlead/internal/store/storetest"
)

// BenchmarkSave saves steps with two tasks each, of as many runs as there are
// callers. One op is one step. Compare it with BenchmarkFsync: a caller alone
// pays one each time, many share one.
func BenchmarkSave(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			db := storetest.Open(b)
			runs := newRuns(b, db, callers)
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for i := range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if err := db.Save(b.Context(), nextStep(&runs[i])); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkSaveCPU saves a hundred steps in one transaction: what a step
// costs without waiting for the disk. One op is one step.
func BenchmarkSaveCPU(b *testing.B) {
	db := storetest.Open(b)
	runs := newRuns(b, db, 1)
	var steps []engine.Step
	for b.Loop() {
		if steps = append(steps, nextStep(&runs[0])); len(steps) == 100 {
			if err := db.Save(b.Context(), steps...); err != nil {
				b.Fatal(err)
			}
			steps = steps[:0]
		}
	}
}

// BenchmarkFsync appends a page to a file and waits until it is on disk.
func BenchmarkFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

func newRuns(tb testing.TB, db *store.DB, n int) []flow.Run {
	ctx := tb.Context()
	key, err := db.PutGraph(ctx, flow.Graph{Nodes: []flow.Node{{ID: "a"}}})
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	if _, _, _, err = db.CreateWorkflow(ctx, flow.Workflow{ID: "w", Name: "w", Created: now},
		flow.Version{ID: "v", Graph: key}, flow.Token{}, 0); err != nil {
		tb.Fatal(err)
	}
	runs := make([]flow.Run, n)
	for i := range runs {
		r := flow.Run{ID: flow.RunID(fmt.Sprintf("d58cxqdClp%05d", i)), Workflow: "w", Version: "v", State: flow.Running, Graph: key, Created: now}
		if runs[i], _, err = db.InsertRun(ctx, r, flow.Token{}, 0, 0); err != nil {
			tb.Fatal(err)
		}
	}
	return runs
}

// nextStep is one event of a run with 50 tasks: one ends, another begins.
func nextStep(r *flow.Run) engine.Step {
	r.Rev++
	at := r.Created.Add(time.Duration(r.Rev) * time.Second)
	r.Modified = at
	i := int(r.Rev) % 49
	return engine.Step{
		Run: *r,
		Tasks: []flow.Task{
			{ID: flow.TaskID(fmt.Sprintf("extract_%d", i)), Index: i, Kind: "BashOperator", State: flow.Succeeded, Attempt: 1, Started: at, Ended: at, Modified: at},
			{ID: flow.TaskID(fmt.Sprintf("extract_%d", i+1)), Index: i + 1, Kind: "BashOperator", State: flow.Ready, Modified: at},
		},
		Entry: flow.Entry{Run: r.ID, Seq: r.Rev, At: at, Task: "extract", What: "exited", Detail: json.RawMessage(`{"Kind":"exited","Code":0}`)},
	}
}

// BenchmarkSaveBegin saves the first step of a run of ten thousand tasks. One
// op is one task.
func BenchmarkSaveBegin(b *testing.B) {
	db := storetest.Open(b)
	const n = 10_000
	tasks := make([]flow.Task, n)
	at := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	for i := range tasks {
		tasks[i] = flow.Task{ID: flow.TaskID(fmt.Sprintf("t%d", i)), Index: i, Kind: "EmptyOperator", State: flow.Waiting, Modified: at}
	}
	runs := newRuns(b, db, b.N/n+1)
	b.ResetTimer()
	for i := range runs {
		r := runs[i]
		r.Rev, r.State, r.Started = 1, flow.Running, at
		if err := db.Save(b.Context(), engine.Step{
			Run: r, Tasks: tasks[:min(n, b.N-i*n)], Entry: flow.Entry{Run: r.ID, Seq: 1, At: at, What: "begin", Detail: json.RawMessage(`{}`)},
		}); err != nil {
			b.Fatal(err)
		}
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"fairlead/internal/flow"
)

// A tailer prints what the tasks of a run write into their logs.
type tailer struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// tail begins to print; close ends it after a last look.
func (a *app) tail(r flow.Run, w io.Writer) *tailer {
	ctx, cancel := context.WithCancel(context.Background())
	t := &tailer{cancel: cancel}
	t.wg.Go(func() {
		seen := map[string]int64{} // stream → where its next event begins
		for last := false; ; {
			a.printNew(r, seen, w)
			if last {
				return
			}
			select {
			case <-ctx.Done():
				last = true
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return t
}

func (t *tailer) close() {
	if t == nil {
		return
	}
	t.cancel()
	t.wg.Wait()
}

// printNew prints the events that came since it last looked.
func (a *app) printNew(r flow.Run, seen map[string]int64, w io.Writer) {
	ctx := context.Background()
	tasks, err := a.db.Tasks(ctx, r.ID)
	if err != nil {
		return // the next look may fare better
	}
	for _, task := range tasks {
		for n := 1; n <= task.Attempt; n++ {
			key := fmt.Sprintf("%s#%d", task.ID, n)
			for {
				page, err := a.readLog(ctx, r, task.ID, n, flow.LogRange{From: seen[key], Limit: 1000})
				if err != nil || page.Tail == seen[key] {
					break // nothing was written yet, or no more
				}
				for _, e := range page.Events {
					fmt.Fprintf(w, "%s | %s\n", task.ID, printable(eventText(e.Text)))
				}
				seen[key] = page.Tail
			}
		}
	}
}

package main

import (
	"context"
	"slices"
	"sync"

	"fairlead/internal/flow"
	"fairlead/internal/store"
	"fairlead/internal/web"
)

// Histories say what tasks did when: the journal has the moves of each step.
// What has been read of it is kept, so that a page that looks again costs what
// is new.
type histories struct {
	db *store.DB

	mu    sync.Mutex
	all   map[flow.RunID]*history
	order []flow.RunID // the one that was made first is first
}

// maxHistories bounds how many runs are kept for the next question.
const maxHistories = 16

func newHistories(db *store.DB) *histories {
	return &histories{db: db, all: map[flow.RunID]*history{}}
}

// A history is what the tasks of a run did, as far as its journal was read.
type history struct {
	mu    sync.Mutex
	index map[flow.TaskID]int
	after string // where the journal goes on
	rev   int64
	tasks []taskHistory
	// silent says that an entry has no moves: an older server wrote it.
	silent bool
}

type taskHistory struct {
	changed int64 // revision
	spans   []web.Span
}

func (h *histories) of(ctx context.Context, r flow.Run) (*history, error) {
	h.mu.Lock()
	one := h.all[r.ID]
	h.mu.Unlock()
	if one != nil {
		return one, nil
	}
	g, err := h.db.Graph(ctx, r.Graph)
	if err != nil {
		return nil, err
	}
	one = &history{index: make(map[flow.TaskID]int, len(g.Nodes)), tasks: make([]taskHistory, len(g.Nodes))}
	for i, n := range g.Nodes {
		one.index[n.ID] = i
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if first := h.all[r.ID]; first != nil {
		return first, nil
	}
	if len(h.order) == maxHistories {
		delete(h.all, h.order[0])
		h.order = h.order[1:]
	}
	h.all[r.ID], h.order = one, append(h.order, r.ID)
	return one, nil
}

// timeline returns what those tasks did that have changed after a revision,
// and the revision that it is true of.
func (h *histories) timeline(ctx context.Context, r flow.Run, after int64) ([]web.TaskSpans, int64, error) {
	one, err := h.of(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if err := one.read(ctx, h.db, r.ID); err != nil {
		return nil, 0, err
	}
	if one.silent {
		return h.roughly(ctx, r)
	}
	var all []web.TaskSpans
	for i := range one.tasks {
		if t := &one.tasks[i]; t.changed > after && len(t.spans) > 0 {
			all = append(all, web.TaskSpans{Index: i, Spans: slices.Clone(t.spans)})
		}
	}
	return all, one.rev, nil
}

// read goes on with the journal; h.mu is held.
func (h *history) read(ctx context.Context, db *store.DB, id flow.RunID) error {
	for more := true; more && !h.silent; {
		entries, next, err := db.Journal(ctx, id, flow.Page{Limit: 1000, After: h.after})
		if err != nil {
			return err
		}
		if err := h.learn(ctx, db, id, entries); err != nil {
			return err
		}
		for _, e := range entries {
			for _, m := range e.Moves {
				if i, ok := h.index[m.Task]; ok {
					h.tasks[i].note(m, e)
				}
			}
			// Any end of an attempt moves its task.
			h.silent = h.silent || len(e.Moves) == 0 && (e.What == "begin" || e.What == "ended")
			h.rev, h.after = e.Seq, store.JournalKey(e)
		}
		more = next != ""
	}
	return nil
}

// learn finds the places of tasks that others have unfolded into. What has
// moved has a row.
func (h *history) learn(ctx context.Context, db *store.DB, id flow.RunID, entries []flow.Entry) error {
	unknown := false
	for _, e := range entries {
		for _, m := range e.Moves {
			_, ok := h.index[m.Task]
			unknown = unknown || !ok && m.Task != ""
		}
	}
	if !unknown {
		return nil
	}
	rows, err := db.Tasks(ctx, id)
	if err != nil {
		return err
	}
	for _, t := range rows {
		if _, ok := h.index[t.ID]; ok {
			continue
		}
		h.index[t.ID] = t.Index
		for len(h.tasks) <= t.Index {
			h.tasks = append(h.tasks, taskHistory{})
		}
	}
	return nil
}

// note ends the span that a task was in and begins the next.
func (k *taskHistory) note(m flow.Move, e flow.Entry) {
	k.changed = e.Seq
	n := len(k.spans)
	open := n > 0 && k.spans[n-1].To.IsZero()
	// A task with nothing to do has ended as soon as it may begin: it was in
	// no state in between, but it was.
	if !open && m.State.Final() && !m.From.Final() && !m.Started.IsZero() {
		k.spans = append(k.spans, web.Span{State: flow.Running, Attempt: m.Attempt, From: m.Started, To: m.Ended})
	}
	if open {
		last := &k.spans[n-1]
		if last.To = e.At; !m.Ended.IsZero() && m.Ended.Before(e.At) && !m.Ended.Before(last.From) {
			last.To = m.Ended // before it was noticed
		}
	}
	if m.State != flow.Waiting && !m.State.Final() {
		k.spans = append(k.spans, web.Span{State: m.State, Attempt: m.Attempt, From: e.At})
	}
}

// roughly tells of a run by its rows alone: from when to when each attempt
// was, and nothing of what was in between.
func (h *histories) roughly(ctx context.Context, r flow.Run) ([]web.TaskSpans, int64, error) {
	var all []web.TaskSpans
	for page := (flow.Page{Limit: 1000}); ; {
		rows, next, err := h.db.Instances(ctx, r.ID, page)
		if err != nil {
			return nil, 0, err
		}
		for _, t := range rows {
			if t.Started.IsZero() {
				continue
			}
			if len(all) == 0 || all[len(all)-1].Index != t.Index {
				all = append(all, web.TaskSpans{Index: t.Index})
			}
			last := &all[len(all)-1]
			span := web.Span{State: flow.Running, Attempt: t.Attempt, From: t.Started, To: t.Ended}
			if !t.State.Final() {
				span.State = t.State
			}
			last.Spans = append(last.Spans, span)
		}
		if next == "" {
			return all, r.Rev, nil
		}
		page.After = next
	}
}

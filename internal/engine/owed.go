package engine

import (
	"container/heap"
	"maps"
	"slices"
	"time"

	"fairlead/internal/flow"
)

// A Duty is an attempt that must be seen through: kept going or, if End is
// set, brought to its end.
type Duty struct {
	Task flow.Task
	Node *flow.Node
	End  bool
}

// Owed returns the attempts to see through, in graph order. It depends on
// state alone, so a caller that restarts simply asks again.
func (r *Run) Owed() []Duty {
	var duties []Duty
	for _, i := range slices.Sorted(maps.Keys(r.live)) {
		duties = append(duties, r.duty(i))
	}
	return duties
}

// OwedTo returns the duty towards one task; false if there is none. After a
// step, asking for the tasks that it changed says all that is new in Owed.
func (r *Run) OwedTo(id flow.TaskID) (Duty, bool) {
	i, ok := r.index[id]
	if !ok || !r.live[i] {
		return Duty{}, false
	}
	return r.duty(i), true
}

func (r *Run) duty(i int) Duty {
	return Duty{Task: r.tasks[i], Node: r.nodes[i], End: r.tasks[i].State == flow.Stopping}
}

// Wake returns the next moment at which the run wants a [Tick]; zero if it
// waits for other events only. The moment may have passed already.
func (r *Run) Wake() time.Time {
	if r.Final() || !r.begun {
		return time.Time{}
	}
	if len(r.settle) > 0 && r.row.State == flow.Running && !r.row.Held {
		return r.row.Modified // at once
	}
	var at time.Time
	if r.hasDue() {
		at = r.due[0].at
	}
	if r.opt.MaxDuration > 0 && r.row.State == flow.Running {
		if end := r.row.Started.Add(r.opt.MaxDuration); at.IsZero() || end.Before(at) {
			at = end
		}
	}
	return at
}

// hasDue drops moments that no longer count and reports whether one is left.
func (r *Run) hasDue() bool {
	for len(r.due) > 0 {
		if r.tasks[r.due[0].task].Due.Equal(r.due[0].at) {
			return true
		}
		heap.Pop(&r.due)
	}
	return false
}

func (r *Run) setDue(i int, at time.Time) {
	r.tasks[i].Due = at
	r.remember(i)
}

// remember puts a task's due moment, if it has one, where Wake finds it.
func (r *Run) remember(i int) {
	at := r.tasks[i].Due
	if at.IsZero() {
		return
	}
	if len(r.due) > 2*len(r.tasks)+64 { // a task has one that counts at most
		r.due = slices.DeleteFunc(r.due, func(d due) bool { return !r.tasks[d.task].Due.Equal(d.at) })
		heap.Init(&r.due)
	}
	heap.Push(&r.due, due{at, i})
}

// A due is a moment at which a task wants attention. It counts only while
// the task's own Due says the same.
type due struct {
	at   time.Time
	task int
}

type dueHeap []due

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	return h[i].at.Before(h[j].at) || h[i].at.Equal(h[j].at) && h[i].task < h[j].task
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(due)) }
func (h *dueHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	return d
}

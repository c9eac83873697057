package engine

import (
	"container/heap"
	"fmt"
	"time"

	"fairlead/internal/flow"
)

// unfold makes of task i, whose attempt has said how many, that many instances
// of its body, and has it wait for them. It returns why that cannot be.
//
// What it has unfolded into has rows only once it changes: until then it waits
// as the graph says, which the rows of the parents tell. So the step does not
// grow with the number of instances.
func (r *Run) unfold(i int, out flow.Outcome, now time.Time) (problem string) {
	t := &r.tasks[i]
	body, ok := r.graph.Bodies[r.nodes[i].Unfolds]
	switch {
	case !ok || t.Instances > 0:
		return "it unfolded, which it may not"
	case out.Instances < 1:
		return fmt.Sprintf("it unfolded into %d instances", out.Instances)
	case out.Instances > (flow.MaxTasks-len(r.tasks))/max(len(body), 1):
		return fmt.Sprintf("it unfolds into %d instances of %d tasks, and a run may have at most %d tasks", out.Instances, len(body), flow.MaxTasks)
	}
	t.Instances, t.First = out.Instances, len(r.tasks)
	t.Mark, t.Reason = nil, ""
	r.publish(i, out)
	r.sprout(i)
	r.set(i, flow.Waiting, now)
	r.settle = append(r.settle, i) // its body may be empty
	return ""
}

// sprout makes the tasks that task i has unfolded into.
func (r *Run) sprout(i int) {
	t := r.tasks[i]
	body := r.graph.Bodies[r.nodes[i].Unfolds]
	local := make(map[flow.TaskID]int, len(body))
	for j := range body {
		local[body[j].ID] = j
	}
	for k := range t.Instances {
		base := len(r.tasks)
		for j := range body {
			n := &body[j]
			id := flow.Inside(t.ID, k, n.ID)
			r.index[id] = base + j
			r.nodes = append(r.nodes, n)
			r.up = append(r.up, int32(len(n.After)))
			r.down = append(r.down, nil)
			r.parent = append(r.parent, i)
			r.tasks = append(r.tasks, flow.Task{ID: id, Index: base + j, Kind: n.Kind, State: flow.Waiting})
			r.tallies = append(r.tallies, tally{})
			r.isDirty = append(r.isDirty, false)
			for _, up := range n.After {
				r.down[base+local[up]] = append(r.down[base+local[up]], base+j)
			}
			if len(n.After) == 0 || n.When == flow.Always {
				r.settle = append(r.settle, base+j)
			}
		}
	}
	n := t.Instances * len(body)
	r.up[i] += int32(n)
	r.open += n
}

// place puts the rows of tasks, which are in the order of their indices, where
// they belong, and makes what tasks have unfolded into.
func (r *Run) place(rows []flow.Task) error {
	var unfolded intHeap // by where their first task is
	for _, t := range rows {
		for t.Index >= len(r.tasks) {
			if len(unfolded) == 0 {
				return fmt.Errorf("engine: run %s: task row %d is %q, and no task unfolds so far", r.row.ID, t.Index, t.ID)
			}
			if err := r.sproutNext(&unfolded); err != nil {
				return err
			}
		}
		if want := r.tasks[t.Index].ID; t.ID != want {
			return fmt.Errorf("engine: run %s: task row %d is %q, the graph has %q", r.row.ID, t.Index, t.ID, want)
		}
		r.tasks[t.Index] = t
		if t.Instances > 0 && len(r.graph.Bodies[r.nodes[t.Index].Unfolds]) > 0 {
			heap.Push(&unfolded, [2]int{t.First, t.Index})
		}
	}
	for len(unfolded) > 0 {
		if err := r.sproutNext(&unfolded); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) sproutNext(unfolded *intHeap) error {
	next := heap.Pop(unfolded).([2]int)
	if next[0] != len(r.tasks) {
		return fmt.Errorf("engine: run %s: task %q has unfolded from index %d on, where %d tasks are known", r.row.ID, r.tasks[next[1]].ID, next[0], len(r.tasks))
	}
	r.sprout(next[1])
	return nil
}

// failFast ends the run of a graph that wants no more when a task has failed.
func (r *Run) failFast(now time.Time) {
	if r.fallen < 0 || !r.graph.FailFast || r.row.State != flow.Running {
		return
	}
	t := &r.tasks[r.fallen]
	if t.State != flow.Failed && t.State != flow.TimedOut {
		return // somebody wants it done again
	}
	r.row.Reason = fmt.Sprintf("task %s failed", t.ID)
	if t.Reason != "" {
		r.row.Reason += ": " + t.Reason
	}
	r.stop(flow.ByFailure, now)
}

type intHeap [][2]int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i][0] < h[j][0] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.([2]int)) }
func (h *intHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

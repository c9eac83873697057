package engine

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// most bounds how many tasks a [flow.Wait] names.
const most = 20

// Why says what an unfinished task waits for; its gate is GateNone while an
// attempt is under way, and until the run has begun. It is false for a task
// that has ended, or that the run does not have. paused says who has paused
// what, should the run be held.
func (r *Run) Why(id flow.TaskID, paused string) (flow.Wait, bool) {
	i, ok := r.index[id]
	if !ok {
		return flow.Wait{}, false
	}
	if !r.begun {
		return flow.Wait{Text: "the run is about to begin"}, !r.Final()
	}
	if r.tasks[i].State.Final() {
		return flow.Wait{}, false
	}
	t, node := &r.tasks[i], r.nodes[i]
	switch t.State {
	case flow.Waiting:
		if r.row.Held && r.judge(i) != flow.Waiting {
			return flow.Wait{Gate: flow.GatePaused, Text: paused}, true
		}
		return r.upstream(i), true
	case flow.Ready:
		if r.row.Held {
			return flow.Wait{Gate: flow.GatePaused, Text: paused}, true
		}
		return r.slot(), true
	case flow.Starting:
		return flow.Wait{Gate: flow.GateDriver, Text: "is being started"}, true
	case flow.Retrying:
		if r.row.Held {
			return flow.Wait{Gate: flow.GatePaused, Text: fmt.Sprintf("%s; attempt %d failed, and the next does not begin before %s", paused, t.Attempt, moment(t.Due))}, true
		}
		return flow.Wait{Gate: flow.GateRetry, Until: t.Due, Text: fmt.Sprintf("attempt %d failed; the next follows after the retry delay of %s", t.Attempt, node.Delay)}, true
	case flow.Resting:
		looked := fmt.Sprintf("has looked %s, and what it waits for has not come", times(t.Pokes))
		if r.row.Held {
			return flow.Wait{Gate: flow.GatePaused, Text: fmt.Sprintf("%s; %s, and it does not look again before %s", paused, looked, moment(t.Due))}, true
		}
		return flow.Wait{Gate: flow.GatePoke, Until: t.Due, Text: looked + "; it looks again"}, true
	case flow.Stopping:
		return flow.Wait{Gate: flow.GateStop, Text: fmt.Sprintf("attempt %d is being ended: %s", t.Attempt, t.Reason)}, true
	}
	w := flow.Wait{Until: t.Due, Text: fmt.Sprintf("attempt %d is under way", t.Attempt)}
	if !t.Since.IsZero() {
		w.Text += " since " + moment(t.Since)
	}
	if !t.Due.IsZero() {
		w.Text += fmt.Sprintf("; it is ended after its execution_timeout of %s", node.Timeout)
	}
	return w, true
}

// WhyRun says what an unfinished run waits for: its tasks, or to be released.
// It is false for one that has ended. paused says who has paused what, should
// the run be held.
func (r *Run) WhyRun(paused string) (flow.Wait, bool) {
	if r.Final() {
		return flow.Wait{}, false
	}
	if !r.begun {
		return flow.Wait{Gate: flow.GateTasks, Text: "the run is about to begin"}, true
	}
	if r.row.State == flow.Stopping {
		w := flow.Wait{Gate: flow.GateStop}
		w.On, w.More = r.underWay()
		w.Text = fmt.Sprintf("the run is being stopped and waits for %s to end: %s", count(len(r.live), "attempt"), list(w.On, len(r.live)))
		return w, true
	}
	if r.row.Held && len(r.live) == 0 {
		return flow.Wait{Gate: flow.GatePaused, Text: paused}, true
	}
	w := flow.Wait{Gate: flow.GateTasks}
	w.On, w.More = r.underWay()
	starting := 0
	for i := range r.live {
		if r.tasks[i].State == flow.Starting {
			starting++
		}
	}
	var ready, later int
	for i := range r.tasks {
		switch r.tasks[i].State {
		case flow.Ready:
			ready++
		case flow.Retrying, flow.Resting:
			later++
		}
	}
	w.Text = fmt.Sprintf("%d of %d tasks have not ended: %d under way, %d about to start, %d ready, %d due later",
		r.open, len(r.tasks), len(r.live)-starting, starting, ready, later)
	if r.row.Held {
		w.Text += "; " + paused
	} else if len(r.live) == 0 && r.hasDue() {
		w.Until = r.due[0].at
	}
	return w, true
}

// underWay names the tasks whose attempts exist, in graph order, and counts
// those beyond the most that are named.
func (r *Run) underWay() (on []flow.TaskID, more int) {
	live := slices.Sorted(maps.Keys(r.live))
	for _, i := range live[:min(len(live), most)] {
		on = append(on, r.tasks[i].ID)
	}
	return on, len(live) - len(on)
}

// slot names the tasks that have the run's slots, where they are few.
func (r *Run) slot() flow.Wait {
	w := flow.Wait{Gate: flow.GateSlot, Text: fmt.Sprintf("the run has %s (max_active_tasks), and all are in use", count(r.graph.MaxActive, "slot"))}
	if len(r.live) <= most {
		w.On, _ = r.underWay()
		w.Text = fmt.Sprintf("the run has %s (max_active_tasks), in use by %s", count(r.graph.MaxActive, "slot"), list(w.On, len(w.On)))
	}
	return w
}

// upstream names the tasks whose end a waiting task awaits.
func (r *Run) upstream(i int) flow.Wait {
	node := r.nodes[i]
	w := flow.Wait{Gate: flow.GateUpstream}
	for up := range r.ups(i) {
		if t := &r.tasks[up]; t.State.Final() {
			continue
		} else if len(w.On) < most {
			w.On = append(w.On, t.ID)
		} else {
			w.More++
		}
	}
	names := list(w.On, len(w.On)+w.More)
	w.Text = fmt.Sprintf("waits for %s (trigger rule %s; %d of %d upstream tasks have ended)",
		names, ruleOf(node), r.tallies[i].done(), r.up[i])
	if n := r.tasks[i].Instances; n > 0 {
		w.Text = fmt.Sprintf("has unfolded into %s and waits for %s (%d of %d tasks have ended)",
			count(n, "instance"), names, r.tallies[i].done()-int32(len(node.After)), r.up[i]-int32(len(node.After)))
	}
	if len(w.On) == 0 {
		w.Text = "its upstream tasks have ended; it is about to be decided"
	}
	return w
}

// ups yields the tasks that task i waits for: its upstreams and, once it has
// unfolded, what it has unfolded into.
func (r *Run) ups(i int) iter.Seq[int] {
	return func(yield func(int) bool) {
		node, t := r.nodes[i], &r.tasks[i]
		beside := ""
		if r.parent[i] >= 0 {
			beside = string(t.ID[:len(t.ID)-len(node.ID)])
		}
		for _, id := range node.After {
			if !yield(r.index[flow.TaskID(beside)+id]) {
				return
			}
		}
		for k := range t.Instances * len(r.graph.Bodies[node.Unfolds]) {
			if !yield(t.First + k) {
				return
			}
		}
	}
}

// Behind names up to three tasks that hold up those which a waiting task waits
// for, and what they do; empty if they are those themselves. It takes time in
// all that comes before the task.
func (r *Run) Behind(id flow.TaskID) string {
	i, ok := r.index[id]
	if !ok || !r.begun || r.tasks[i].State != flow.Waiting {
		return ""
	}
	seen := map[int]bool{i: true}
	var queue, roots []int
	for up := range r.ups(i) {
		seen[up] = true
		queue = append(queue, up)
	}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		if r.tasks[next].State != flow.Waiting {
			continue
		}
		for up := range r.ups(next) {
			if seen[up] {
				continue
			}
			seen[up] = true
			queue = append(queue, up)
			if s := r.tasks[up].State; !s.Final() && s != flow.Waiting {
				roots = append(roots, up)
			}
		}
	}
	names := make([]flow.TaskID, 0, 3)
	for _, k := range roots[:min(3, len(roots))] {
		names = append(names, r.tasks[k].ID+flow.TaskID(" ("+string(r.tasks[k].State)+")"))
	}
	return list(names, len(roots))
}

// list names the first three of n things.
func list[T ~string](ids []T, n int) string {
	names := make([]string, 0, 4)
	for _, id := range ids[:min(3, len(ids))] {
		names = append(names, string(id))
	}
	if rest := n - len(names); rest > 0 {
		names = append(names, fmt.Sprintf("%d more", rest))
	}
	return strings.Join(names, ", ")
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// count counts things by the name of one.
func count(n int, one string) string {
	if n != 1 {
		one += "s"
	}
	return fmt.Sprintf("%d %s", n, one)
}

package engine

import (
	"fmt"
	"iter"
	"strings"

	"fairlead/internal/flow"
)

// most bounds how many tasks a [flow.Wait] names.
const most = 20

// Why says what an unfinished task waits for; its gate is GateNone while an
// attempt is under way. It is false for a task that has ended, or that the
// run does not have, and before the run has begun.
func (r *Run) Why(id flow.TaskID) (flow.Wait, bool) {
	i, ok := r.index[id]
	if !ok || !r.begun || r.tasks[i].State.Final() {
		return flow.Wait{}, false
	}
	t, node := &r.tasks[i], r.nodes[i]
	switch t.State {
	case flow.Waiting:
		if r.row.Held && r.judge(i) != flow.Waiting {
			return r.paused(), true
		}
		return r.upstream(i), true
	case flow.Ready:
		if r.row.Held {
			return r.paused(), true
		}
		return flow.Wait{Gate: flow.GateSlot, Text: fmt.Sprintf("waits for one of the run's %d slots (max_active_tasks); all are in use", r.graph.MaxActive)}, true
	case flow.Starting:
		return flow.Wait{Gate: flow.GateDriver, Text: "is being started, or waits until this server may run another process (--tasks)"}, true
	case flow.Retrying:
		return flow.Wait{Gate: flow.GateRetry, Until: t.Due, Text: fmt.Sprintf("attempt %d failed; the next follows after the retry delay of %s", t.Attempt, node.Delay)}, true
	case flow.Resting:
		return flow.Wait{Gate: flow.GatePoke, Until: t.Due, Text: fmt.Sprintf("was asked %s and said not yet; it is asked again", times(t.Pokes))}, true
	case flow.Stopping:
		return flow.Wait{Gate: flow.GateStop, Text: fmt.Sprintf("attempt %d is being ended: %s", t.Attempt, t.Reason)}, true
	}
	w := flow.Wait{Until: t.Due, Text: fmt.Sprintf("attempt %d is under way", t.Attempt)}
	if !t.Due.IsZero() {
		w.Text += fmt.Sprintf("; it is ended after its execution_timeout of %s", node.Timeout)
	}
	return w, true
}

// WhyRun says what an unfinished run that has begun waits for: its tasks, or
// to be released. It is false otherwise.
func (r *Run) WhyRun() (flow.Wait, bool) {
	if !r.begun || r.Final() {
		return flow.Wait{}, false
	}
	if r.row.State == flow.Stopping {
		return flow.Wait{Gate: flow.GateStop, Text: fmt.Sprintf("%s to end", plural(len(r.live), "attempt has", "attempts have"))}, true
	}
	if r.row.Held && len(r.live) == 0 {
		return r.paused(), true
	}
	w := flow.Wait{Gate: flow.GateTasks}
	var counts [3]int // live, ready, due
	for i := range r.tasks {
		switch s := r.tasks[i].State; {
		case s.Live():
			counts[0]++
			if len(w.On) < most {
				w.On = append(w.On, r.tasks[i].ID)
			} else {
				w.More++
			}
		case s == flow.Ready:
			counts[1]++
		case s == flow.Retrying || s == flow.Resting:
			counts[2]++
		}
	}
	w.Text = fmt.Sprintf("%d of %d tasks have not ended: %d under way, %d ready, %d until a later moment", r.open, len(r.tasks), counts[0], counts[1], counts[2])
	if counts[0] == 0 && r.hasDue() {
		w.Until = r.due[0].at
	}
	return w, true
}

func (r *Run) paused() flow.Wait {
	return flow.Wait{Gate: flow.GatePaused, Text: "the workflow is paused, or everything is: nothing begins until it is resumed"}
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
	names := make([]string, 0, 4)
	for _, id := range w.On[:min(3, len(w.On))] {
		names = append(names, string(id))
	}
	if rest := len(w.On) + w.More - len(names); rest > 0 {
		names = append(names, fmt.Sprintf("%d more", rest))
	}
	w.Text = fmt.Sprintf("waits for %s (trigger rule %s; %d of %d upstream tasks have ended)",
		strings.Join(names, ", "), ruleOf(node), r.tallies[i].done(), r.up[i])
	if n := r.tasks[i].Instances; n > 0 {
		w.Text = fmt.Sprintf("has unfolded into %s and waits for %s (%d of %d tasks have ended)",
			plural(n, "instance", "instances"), strings.Join(names, ", "), r.tallies[i].done()-int32(len(node.After)), r.up[i]-int32(len(node.After)))
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

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

package web

import (
	"fmt"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// A badge shows a state: the word of the API, ours where it says more, and
// a tone that stands for both a colour and a sign.
type badge struct {
	Word string // as AWS spells it
	Fine string // our word; empty where it would repeat Word
	Tone string // wait, soon, live, hold, good, bad, cut or off
}

// taskBadge shows the state of a task instance.
func (s *Console) taskBadge(st flow.State) badge {
	switch st {
	case flow.Waiting:
		return badge{"NONE", "waiting", "wait"}
	case flow.Ready:
		return badge{"SCHEDULED", "ready", "soon"}
	case flow.Starting:
		return badge{"QUEUED", "starting", "soon"}
	case flow.Running:
		return badge{"RUNNING", "", "live"}
	case flow.Deferred:
		return badge{"DEFERRED", "", "hold"}
	case flow.Retrying:
		return badge{"UP_FOR_RETRY", "retrying", "hold"}
	case flow.Resting:
		return badge{"UP_FOR_RESCHEDULE", "resting", "hold"}
	case flow.Stopping:
		return badge{"RUNNING", "stopping", "live"}
	case flow.Succeeded:
		return badge{"SUCCESS", "", "good"}
	case flow.Failed:
		return badge{"FAILED", "", "bad"}
	case flow.TimedOut:
		return badge{"TIMEOUT", "timed out", "bad"}
	case flow.Blocked:
		return badge{"UPSTREAM_FAILED", "blocked", "cut"}
	case flow.Skipped:
		if s.c.ShowSkipped {
			return badge{"SKIPPED", "", "off"}
		}
		return badge{"NONE", "skipped", "off"} // the API has no word for it
	case flow.Canceled:
		return badge{"CANCELLED", "", "off"}
	case flow.Removed:
		return badge{"REMOVED", "", "off"}
	}
	return badge{string(st), "", "wait"}
}

// runBadge shows the state of a run.
func runBadge(st flow.State) badge {
	switch st {
	case flow.Starting:
		return badge{"STARTING", "", "soon"}
	case flow.Ready, flow.Waiting:
		return badge{"QUEUED", "", "soon"}
	case flow.Running, flow.Deferred, flow.Retrying, flow.Resting:
		return badge{"RUNNING", "", "live"}
	case flow.Stopping:
		return badge{"STOPPING", "", "live"}
	case flow.Succeeded, flow.Skipped:
		return badge{"SUCCESS", "", "good"}
	case flow.Failed, flow.Blocked:
		return badge{"FAILED", "", "bad"}
	case flow.TimedOut:
		return badge{"TIMEOUT", "timed out", "bad"}
	case flow.Canceled, flow.Removed:
		return badge{"STOPPED", "", "off"}
	}
	return badge{string(st), "", "wait"}
}

func kindWord(k flow.RunKind) string {
	if k == flow.Scheduled {
		return "SCHEDULED"
	}
	return "ON_DEMAND"
}

// failed reports whether a task in state st counts against its run.
func failed(st flow.State) bool {
	return st == flow.Failed || st == flow.TimedOut || st == flow.Blocked
}

// A world is what one needs to explain a task: the graph, and all tasks of
// the run as they are.
type world struct {
	nodes map[flow.TaskID]*flow.Node
	tasks map[flow.TaskID]flow.Task
	most  int // tasks of the run at once; 0 is no bound
	now   time.Time
}

func newWorld(g *flow.Graph, tasks []flow.Task, now time.Time) world {
	w := world{map[flow.TaskID]*flow.Node{}, map[flow.TaskID]flow.Task{}, g.MaxActive, now}
	for i := range g.Nodes {
		w.nodes[g.Nodes[i].ID] = &g.Nodes[i]
	}
	for _, t := range tasks {
		w.tasks[t.ID] = t
	}
	return w
}

// why says in one sentence why a task is in its state; empty where the state
// says it all.
func (w world) why(t flow.Task) string {
	var node flow.Node
	if n := w.nodes[t.ID]; n != nil {
		node = *n
	}
	switch t.State {
	case flow.Waiting:
		open := w.upstreams(node, func(s flow.State) bool { return !s.Final() })
		if len(open) == 0 {
			return t.Reason
		}
		return "waits for " + names(open) + rule(node)
	case flow.Ready:
		if t.Reason != "" {
			return t.Reason
		}
		if w.most > 0 {
			return fmt.Sprintf("may run; waits for a slot (at most %s of this run at once)", count(w.most, "task", "tasks"))
		}
		return "may run; waits for a slot"
	case flow.Starting:
		return sentence("the attempt is being started", t.Reason)
	case flow.Deferred:
		return sentence("waits in the server for something outside", t.Reason)
	case flow.Retrying:
		return sentence(t.Reason, "attempt "+fmt.Sprint(t.Attempt+1)+" follows"+w.in(t.Due))
	case flow.Resting:
		return sentence(t.Reason, fmt.Sprintf("looked %s; looks again%s", count(t.Pokes, "time", "times"), w.in(t.Due)))
	case flow.Stopping:
		by := ""
		switch t.Cause {
		case flow.ByStop:
			by = "the run is being stopped"
		case flow.ByTimeout:
			by = "the attempt ran past its time"
		}
		return sentence(by, t.Reason)
	case flow.Blocked:
		bad := w.upstreams(node, func(s flow.State) bool { return failed(s) || s == flow.Canceled })
		if len(bad) == 0 {
			return t.Reason
		}
		return sentence(t.Reason, "not succeeded: "+names(bad))
	case flow.Removed:
		return sentence(t.Reason, "not in the graph any more")
	}
	return t.Reason
}

// upstreams returns the direct upstreams in states that ok takes. A task
// without a row waits.
func (w world) upstreams(n flow.Node, ok func(flow.State) bool) []flow.TaskID {
	var all []flow.TaskID
	for _, id := range n.After {
		st := flow.Waiting
		if t, is := w.tasks[id]; is {
			st = t.State
		}
		if ok(st) {
			all = append(all, id)
		}
	}
	return all
}

// in says when something is due, from now.
func (w world) in(due time.Time) string {
	switch {
	case due.IsZero():
		return ""
	case due.After(w.now):
		return " in " + lasting(due.Sub(w.now))
	}
	return " now"
}

func rule(n flow.Node) string {
	if n.When == "" || n.When == flow.AllSuccess {
		return ""
	}
	return " (trigger rule " + string(n.When) + ")"
}

// sentence joins parts that are not empty.
func sentence(parts ...string) string {
	var all []string
	for _, p := range parts {
		if p != "" {
			all = append(all, strings.TrimSuffix(p, "."))
		}
	}
	return strings.Join(all, "; ")
}

package engine

import (
	"fmt"
	"slices"

	"fairlead/internal/flow"
)

// A Gate decides which of the runs that wait may begin. It admits in the
// order of arrival, passing over runs whose workflow is at its limit, so
// that a busy workflow never holds up another. The zero Gate with no Limit
// lets everything in. It is not safe for concurrent use.
type Gate struct {
	// Limit bounds how many runs are inside at once; zero is no bound.
	Limit   int
	held    map[flow.WorkflowID]bool
	inside  map[flow.RunID]flow.WorkflowID
	count   map[flow.WorkflowID]int
	groups  map[string]*group
	grouped map[flow.RunID]string // those inside that are of a group
	waiting []Candidate
}

// A group is what the gate knows of a group of runs that has, or had, some
// inside.
type group struct{ limit, inside int }

// A Candidate is a run that asks to begin. Limit bounds how many runs of its
// workflow may be inside with it; zero is no bound. So does GroupLimit of its
// group, whatever their workflows; what the last candidate of a group says of
// it holds for all. An empty Group is none.
type Candidate struct {
	Run        flow.RunID
	Workflow   flow.WorkflowID
	Limit      int
	Group      string
	GroupLimit int
	// Priority orders those of one group, or of none, that wait: the greater
	// first.
	Priority int
}

// Enter counts a run that has begun already, whatever the limits say.
func (g *Gate) Enter(c Candidate) {
	if g.inside == nil {
		g.inside, g.count = map[flow.RunID]flow.WorkflowID{}, map[flow.WorkflowID]int{}
	}
	if _, ok := g.inside[c.Run]; !ok {
		g.inside[c.Run] = c.Workflow
		g.count[c.Workflow]++
		if in := g.group(c); in != nil {
			in.inside++
			g.grouped[c.Run] = c.Group
		}
	}
}

// group returns what is known of a candidate's group; nil if it is of none.
func (g *Gate) group(c Candidate) *group {
	if c.Group == "" {
		return nil
	}
	if g.groups == nil {
		g.groups, g.grouped = map[string]*group{}, map[flow.RunID]string{}
	}
	if g.groups[c.Group] == nil {
		g.groups[c.Group] = &group{limit: c.GroupLimit}
	}
	return g.groups[c.Group]
}

// Ask lets the run in, or puts it into the queue and returns false: at its end,
// or before those of its group that have less priority.
func (g *Gate) Ask(c Candidate) bool {
	if in := g.group(c); in != nil {
		in.limit = c.GroupLimit
	}
	if g.fits(c) {
		g.Enter(c)
		return true
	}
	at := slices.IndexFunc(g.waiting, func(o Candidate) bool { return o.Group == c.Group && o.Priority < c.Priority })
	if at < 0 {
		at = len(g.waiting)
	}
	g.waiting = slices.Insert(g.waiting, at, c)
	return false
}

// Hold lets no more runs of a workflow in, or of any if wf is empty.
func (g *Gate) Hold(wf flow.WorkflowID) {
	if g.held == nil {
		g.held = map[flow.WorkflowID]bool{}
	}
	g.held[wf] = true
}

// Release ends a Hold and returns the runs that may begin.
func (g *Gate) Release(wf flow.WorkflowID) []flow.RunID {
	delete(g.held, wf)
	return g.admit()
}

// Held reports whether runs of wf are held.
func (g *Gate) Held(wf flow.WorkflowID) bool { return g.held[""] || g.held[wf] }

// Why says what keeps a run that waits; false if it does not wait.
func (g *Gate) Why(id flow.RunID) (flow.Wait, bool) {
	i := slices.IndexFunc(g.waiting, func(c Candidate) bool { return c.Run == id })
	if i < 0 {
		return flow.Wait{}, false
	}
	c := g.waiting[i]
	before := 0
	for _, o := range g.waiting[:i] {
		if o.Workflow == c.Workflow {
			before++
		}
	}
	switch {
	case g.Held(c.Workflow):
		return flow.Wait{Gate: flow.GatePaused, Text: "the workflow is paused, or everything is: the run begins when it is resumed"}, true
	case c.Limit > 0 && g.count[c.Workflow] >= c.Limit:
		return flow.Wait{Gate: flow.GateLimit, Text: fmt.Sprintf("%s of the workflow %s under way (%s), as many as may be (max_active_runs); %d of its runs %s before this one",
			count(g.count[c.Workflow], "run"), be(g.count[c.Workflow]), g.some(func(id flow.RunID) bool { return g.inside[id] == c.Workflow }), before, wait(before))}, true
	}
	if in := g.groups[c.Group]; in != nil && in.limit > 0 && in.inside >= in.limit {
		return flow.Wait{Gate: flow.GateLimit, Text: fmt.Sprintf("%s of run group %s %s under way (%s), as many as may be (maxRuns)",
			count(in.inside, "run"), c.Group, be(in.inside), g.some(func(id flow.RunID) bool { return g.grouped[id] == c.Group }))}, true
	}
	return flow.Wait{Gate: flow.GateLimit, Text: fmt.Sprintf("%s %s under way, as many as this server may run at once (--running); %d %s before this one",
		count(len(g.inside), "run"), be(len(g.inside)), i, wait(i))}, true
}

// some names up to three runs that are inside.
func (g *Gate) some(is func(flow.RunID) bool) string {
	var ids []flow.RunID
	for id := range g.inside {
		if is(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return list(ids, len(ids))
}

func be(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func wait(n int) string {
	if n == 1 {
		return "waits"
	}
	return "wait"
}

// Regroup changes how many runs of a group may be inside and returns those that
// may begin now.
func (g *Gate) Regroup(name string, limit int) []flow.RunID {
	if in := g.groups[name]; in != nil {
		in.limit = limit
	}
	return g.admit()
}

// Leave takes a run out, whether it was inside or waiting, and returns the
// runs that may begin in its place.
func (g *Gate) Leave(id flow.RunID) []flow.RunID {
	if wf, ok := g.inside[id]; ok {
		delete(g.inside, id)
		if g.count[wf]--; g.count[wf] == 0 {
			delete(g.count, wf)
		}
	}
	if in := g.groups[g.grouped[id]]; in != nil {
		in.inside--
		delete(g.grouped, id)
	}
	g.waiting = slices.DeleteFunc(g.waiting, func(c Candidate) bool { return c.Run == id })
	return g.admit()
}

// admit lets in who fits by now.
func (g *Gate) admit() []flow.RunID {
	var admitted []flow.RunID
	g.waiting = slices.DeleteFunc(g.waiting, func(c Candidate) bool {
		if !g.fits(c) {
			return false
		}
		g.Enter(c)
		admitted = append(admitted, c.Run)
		return true
	})
	return admitted
}

func (g *Gate) fits(c Candidate) bool {
	if in := g.group(c); in != nil && in.limit > 0 && in.inside >= in.limit {
		return false
	}
	return !g.Held(c.Workflow) && (g.Limit == 0 || len(g.inside) < g.Limit) && (c.Limit == 0 || g.count[c.Workflow] < c.Limit)
}

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
	waiting []Candidate
}

// A Candidate is a run that asks to begin. Limit bounds how many runs of its
// workflow may be inside with it; zero is no bound.
type Candidate struct {
	Run      flow.RunID
	Workflow flow.WorkflowID
	Limit    int
}

// Enter counts a run that has begun already, whatever the limits say.
func (g *Gate) Enter(c Candidate) {
	if g.inside == nil {
		g.inside, g.count = map[flow.RunID]flow.WorkflowID{}, map[flow.WorkflowID]int{}
	}
	if _, ok := g.inside[c.Run]; !ok {
		g.inside[c.Run] = c.Workflow
		g.count[c.Workflow]++
	}
}

// Ask lets the run in, or puts it at the end of the queue and returns false.
func (g *Gate) Ask(c Candidate) bool {
	if g.fits(c) {
		g.Enter(c)
		return true
	}
	g.waiting = append(g.waiting, c)
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
		return flow.Wait{Gate: flow.GateLimit, Text: fmt.Sprintf("%d runs of the workflow are under way, as many as may be (max_active_runs); %d of its runs wait before this one", g.count[c.Workflow], before)}, true
	}
	return flow.Wait{Gate: flow.GateLimit, Text: fmt.Sprintf("%d runs are under way, as many as this server may run at once; %d wait before this one", len(g.inside), i)}, true
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
	return !g.Held(c.Workflow) && (g.Limit == 0 || len(g.inside) < g.Limit) && (c.Limit == 0 || g.count[c.Workflow] < c.Limit)
}

package web

import (
	"context"
	"strconv"
	"strings"

	"fairlead/internal/flow"
)

// This file has what tasks of a run have unfolded into, of which its graph has
// one node.

// maxUnfolded bounds how many of such tasks a page is told of.
const maxUnfolded = 20_000

// nodeOf finds the node that a task of a run is of, also one within a body:
// its id tells the way, see [flow.Inside]. inside says that it is of a body.
func nodeOf(g *flow.Graph, id flow.TaskID) (node *flow.Node, inside bool) {
	find := func(nodes []flow.Node, id string) *flow.Node {
		for i := range nodes {
			if string(nodes[i].ID) == id {
				return &nodes[i]
			}
		}
		return nil
	}
	if n := find(g.Nodes, string(id)); n != nil {
		return n, false
	}
	words := strings.Split(string(id), "/")
	n := find(g.Nodes, words[0])
	for rest := words[1:]; n != nil; rest = rest[2:] {
		if len(rest) == 0 {
			return n, true
		}
		if len(rest) == 1 || n.Unfolds == "" {
			break
		}
		if k, err := strconv.Atoi(rest[0]); err != nil || k < 0 {
			break
		}
		n = find(g.Bodies[n.Unfolds], rest[1])
	}
	return nil, false
}

// maxInner bounds how many tasks of a body are named on each side of one, each
// of which is looked up.
const maxInner = 50

// innerNeighbors returns what comes before and after a task within a body: that
// of its instance, and where there is nothing the task that has unfolded into
// it, which begins the first of them and gathers what the last ones made.
func (s *Console) innerNeighbors(ctx context.Context, r flow.Run, g *flow.Graph, id flow.TaskID) (up, down []neighbor, err error) {
	ups, downs := innerIDs(g, id)
	look := func(ids []flow.TaskID) []neighbor {
		out := []neighbor{}
		for _, id := range ids[:min(len(ids), maxInner)] {
			t, e := s.c.Tasks.Instance(ctx, r.ID, id, 0)
			if e != nil && flow.KindOf(e) != flow.NotFound {
				err = e
			}
			if e != nil {
				t.State = flow.Waiting
			}
			out = append(out, neighbor{id, state(t.State)})
		}
		return out
	}
	up, down = look(ups), look(downs)
	return up, down, err
}

// innerIDs names what comes before and after a task within a body.
func innerIDs(g *flow.Graph, id flow.TaskID) (ups, downs []flow.TaskID) {
	cut := strings.LastIndexByte(string(id), '/')
	if cut < 0 {
		return nil, nil
	}
	instance, own := string(id[:cut]), id[cut+1:]
	cut = strings.LastIndexByte(instance, '/')
	if cut < 0 {
		return nil, nil
	}
	parent := flow.TaskID(instance[:cut])
	unfolded, _ := nodeOf(g, parent)
	if unfolded == nil {
		return nil, nil
	}
	body := g.Bodies[unfolded.Unfolds]
	at := map[flow.TaskID]bool{}
	for i := range body {
		at[body[i].ID] = true
	}
	for i := range body {
		for _, before := range body[i].After {
			switch {
			case !at[before]:
			case body[i].ID == own:
				ups = append(ups, flow.TaskID(instance+"/"+string(before)))
			case before == own:
				downs = append(downs, flow.TaskID(instance+"/"+string(body[i].ID)))
			}
		}
	}
	if len(ups) == 0 {
		ups = []flow.TaskID{parent}
	}
	if len(downs) == 0 {
		downs = []flow.TaskID{parent}
	}
	return ups, downs
}

// A sprout is a task that another has unfolded into.
type sprout struct {
	id   flow.TaskID
	node *flow.Node
}

// sprouts returns what the tasks of a run have unfolded into, by index from
// that of the first beyond the graph, and how many there are beyond the limit.
// rows are those of tasks in the order of their indices; a task that has not
// changed since it was made has none.
func sprouts(g *flow.Graph, rows []flow.Task) (all []sprout, more int) {
	n, end := len(g.Nodes), len(g.Nodes)
	for _, t := range rows {
		node := &flow.Node{}
		if t.Index < n {
			node = &g.Nodes[t.Index]
		} else if i := t.Index - n; i < len(all) && all[i].node != nil {
			node = all[i].node
		}
		body := g.Bodies[node.Unfolds]
		if t.Instances == 0 || len(body) == 0 || t.First < n {
			continue
		}
		end = max(end, t.First+t.Instances*len(body))
		for i := t.First - n; i < min(t.First-n+t.Instances*len(body), maxUnfolded); i++ {
			for len(all) <= i {
				all = append(all, sprout{})
			}
			k := i - (t.First - n)
			inner := &body[k%len(body)]
			all[i] = sprout{flow.Inside(t.ID, k/len(body), inner.ID), inner}
		}
	}
	return all, end - n - len(all)
}

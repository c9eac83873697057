package airflow

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"

	"fairlead/internal/flow"
)

// nodes puts the tasks in topological order and makes them nodes. Of the
// tasks that may come next, the one written first does.
func (c *compiler) nodes(tasks []*task) []flow.Node {
	at := make(map[string]int, len(tasks))
	ids := make([]string, len(tasks))
	for i, t := range tasks {
		at[t.id], ids[i] = i, t.id
	}
	up := make([][]int, len(tasks))
	for i, t := range tasks {
		for _, d := range t.deps {
			j, ok := at[d.id]
			if !ok {
				c.unknownTask(t, d, ids)
				continue
			}
			up[i] = append(up[i], j)
		}
	}
	order, left := sorted(up)
	for len(left) > 0 && c.count[flow.Fault] <= maxFindings {
		ring := cycle(up, left)
		c.ring(tasks, ring)
		// Go on without this cycle, so that another one shows too.
		for _, i := range ring {
			up[i] = nil
		}
		order, left = sorted(up)
	}
	nodes := make([]flow.Node, 0, len(tasks))
	for _, i := range order {
		nodes = append(nodes, tasks[i].node())
	}
	return nodes
}

func (c *compiler) unknownTask(t *task, d dep, ids []string) {
	s := say{message: fmt.Sprintf("task %s depends on %s, which is not a task of this DAG", t.id, pyQuote(Clip(d.id, 100)))}
	others := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == t.id })
	if n := c.nearest(d.id, others); n != "" && len(d.id) > 2 {
		s.fix = "write " + n
	}
	c.fault(d.at, d.path, s)
}

// ring reports a cycle at the dependency that closes it.
func (c *compiler) ring(tasks []*task, ring []int) {
	names := make([]string, 0, len(ring)+1)
	for _, i := range ring {
		names = append(names, tasks[i].id)
	}
	names = append(names, names[0])
	if len(names) > 12 {
		names = append(append(names[:6:6], "…"), names[len(names)-5:]...)
	}
	first, next := tasks[ring[0]], tasks[ring[1%len(ring)]]
	d := first.deps[slices.IndexFunc(first.deps, func(d dep) bool { return d.id == next.id })]
	c.fault(d.at, d.path, say{public: "Cycle detected in task dependencies!",
		message: "tasks wait for each other in a circle: " + strings.Join(names, " -> "), fix: "remove one of these dependencies"})
}

// sorted is Kahn's algorithm: the order of all indices that no cycle holds
// up, and the rest.
func sorted(up [][]int) (order, left []int) {
	down := make([][]int, len(up))
	waits := make([]int, len(up))
	for i, us := range up {
		waits[i] = len(us)
		for _, u := range us {
			down[u] = append(down[u], i)
		}
	}
	var ready indices
	for i, n := range waits {
		if n == 0 {
			ready = append(ready, i)
		}
	}
	heap.Init(&ready)
	for len(ready) > 0 {
		i := heap.Pop(&ready).(int)
		order = append(order, i)
		for _, d := range down[i] {
			if waits[d]--; waits[d] == 0 {
				heap.Push(&ready, d)
			}
		}
	}
	for i, n := range waits {
		if n > 0 {
			left = append(left, i)
		}
	}
	return order, left
}

// cycle finds a cycle among the indices that are left, each of which waits
// for another one that is left. It follows upstreams, so that each member
// depends on the next.
func cycle(up [][]int, left []int) []int {
	in := make(map[int]bool, len(left))
	for _, i := range left {
		in[i] = true
	}
	var path []int
	seen := map[int]int{}
	for i := left[0]; ; {
		if k, ok := seen[i]; ok {
			return path[k:]
		}
		seen[i] = len(path)
		path = append(path, i)
		for _, u := range up[i] {
			if in[u] {
				i = u
				break
			}
		}
	}
}

// indices is a heap of integers, the least first.
type indices []int

func (x indices) Len() int           { return len(x) }
func (x indices) Less(i, j int) bool { return x[i] < x[j] }
func (x indices) Swap(i, j int)      { x[i], x[j] = x[j], x[i] }
func (x *indices) Push(v any)        { *x = append(*x, v.(int)) }
func (x *indices) Pop() any {
	last := len(*x) - 1
	v := (*x)[last]
	*x = (*x)[:last]
	return v
}

// node makes a checked task a node.
func (t *task) node() flow.Node {
	n := flow.Node{
		ID: flow.TaskID(t.id), When: t.set.rule, Retries: t.set.retries, Delay: t.set.delay, Timeout: t.set.timeout,
		Kind: t.class, Noop: t.spec != nil && t.spec.Noop, Action: encode(t.act),
	}
	if n.When == flow.AllSuccess {
		n.When = "" // the graph's own way of saying so
	}
	for _, d := range t.deps {
		n.After = append(n.After, flow.TaskID(d.id))
	}
	return n
}

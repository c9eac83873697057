package engine

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"fairlead/internal/flow"
)

// TestCostOfAnEvent counts what an event allocates and how many rows its step
// has: as much in a graph of a hundred thousand tasks as in one of a hundred.
func TestCostOfAnEvent(t *testing.T) {
	type cost struct {
		allocs float64
		rows   int
	}
	measure := func(n int) cost {
		g := &flow.Graph{MaxActive: 16}
		for i := range n {
			node := flow.Node{ID: flow.TaskID(fmt.Sprint("t", i))}
			if i >= n/2 { // a wide front, and a task behind each
				node.After = []flow.TaskID{flow.TaskID(fmt.Sprint("t", i-n/2))}
			}
			g.Nodes = append(g.Nodes, node)
		}
		r := New(flow.Run{ID: "r", State: flow.Starting}, g, Options{})
		now := epoch
		apply := func(ev Event) Step {
			now = now.Add(time.Second)
			ev.At = now
			s, _, err := r.Apply(ev)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		apply(Event{What: Begin{}})
		for !r.Wake().IsZero() {
			apply(Event{What: Tick{}})
		}
		rows, i := 0, 0
		allocs := testing.AllocsPerRun(20, func() {
			id := flow.TaskID(fmt.Sprint("t", i))
			i++
			rows = max(rows, len(apply(Event{Task: id, What: Started{Attempt: 1}}).Tasks))
			rows = max(rows, len(apply(Event{Task: id, What: Ended{Attempt: 1, Outcome: flow.Outcome{Verdict: flow.Success}}}).Tasks))
		})
		return cost{allocs, rows}
	}
	few, many := measure(100), measure(100_000)
	if many.allocs > few.allocs+2 || many.rows > few.rows {
		t.Errorf("starting and ending a task: %v allocations and at most %d rows among 100,000 tasks, %v and %d among 100: want no more",
			many.allocs, many.rows, few.allocs, few.rows)
	}
}

// TestStepsAreBounded counts the rows of each step of a chain of many tasks
// with nothing to do: but for the first, no step grows with the graph.
func TestStepsAreBounded(t *testing.T) {
	const n = 5 * batch
	g := &flow.Graph{}
	for i := range n {
		node := flow.Node{ID: flow.TaskID(fmt.Sprint("t", i)), Noop: true}
		if i > 0 {
			node.After = []flow.TaskID{g.Nodes[i-1].ID}
		}
		g.Nodes = append(g.Nodes, node)
	}
	r := New(flow.Run{ID: "r", State: flow.Starting}, g, Options{})
	s, _, err := r.Apply(Event{At: epoch, What: Begin{}})
	if err != nil || !s.First || len(s.Tasks) != n {
		t.Fatalf("the first step: first=%t with %d tasks, %v; want all %d", s.First, len(s.Tasks), err, n)
	}
	for steps := 1; !r.Final(); steps++ {
		s, _, err := r.Apply(Event{At: epoch, What: Tick{}})
		if err != nil || s.First || len(s.Tasks) > batch || steps > n/batch+1 {
			t.Fatalf("step %d: first=%t with %d tasks, %v; want at most %d", steps, s.First, len(s.Tasks), err, batch)
		}
	}
}

// TestUnfoldingIsBounded unfolds a task into very many: no step has more rows
// than a batch, and a restored run knows as many tasks as the one that goes on.
func TestUnfoldingIsBounded(t *testing.T) {
	const n = 100_000
	g := &flow.Graph{
		Nodes:  []flow.Node{{ID: "s", Unfolds: "b"}},
		Bodies: map[string][]flow.Node{"b": {{ID: "x", Noop: true}, {ID: "y", After: []flow.TaskID{"x"}, Noop: true}}},
	}
	r := New(flow.Run{ID: "r", State: flow.Starting}, g, Options{})
	apply := func(ev Event) Step {
		t.Helper()
		ev.At = epoch
		s, changed, err := r.Apply(ev)
		if err != nil || !changed {
			t.Fatalf("%T: changed %t, %v", ev.What, changed, err)
		}
		return s
	}
	apply(Event{What: Begin{}})
	apply(Event{Task: "s", What: Started{Attempt: 1}})
	s := apply(Event{Task: "s", What: Ended{Attempt: 1, Outcome: flow.Outcome{Verdict: flow.Unfold, Instances: n}}})
	saved := map[int]flow.Task{}
	for {
		if len(s.Tasks) > batch+1 {
			t.Fatalf("a step of %d tasks; want at most %d", len(s.Tasks), batch+1)
		}
		for _, task := range s.Tasks {
			saved[task.Index] = task
		}
		if len(saved) == batch+1 {
			var rows []flow.Task
			for _, i := range slices.Sorted(maps.Keys(saved)) {
				rows = append(rows, saved[i])
			}
			restored, err := Restore(r.Row(), g, rows, Options{})
			if err != nil || len(restored.Tasks()) != 2*n+1 {
				t.Fatalf("restored: %d tasks, %v; want %d", len(restored.Tasks()), err, 2*n+1)
			}
		}
		if task, _ := r.Task("s"); task.State == flow.Starting {
			break
		}
		s = apply(Event{What: Tick{}})
	}
	if apply(Event{Task: "s", What: Ended{Attempt: 1, Outcome: flow.Outcome{Verdict: flow.Success}}}); r.Row().State != flow.Succeeded || len(saved) != 2*n+1 {
		t.Errorf("the run is %s with %d rows; want succeeded with %d", r.Row().State, len(saved), 2*n+1)
	}
}

// TestALongRunKeepsWhatItNeeds has a sensor with a time-out look again and
// again: no look leaves anything in memory.
func TestALongRunKeepsWhatItNeeds(t *testing.T) {
	g := &flow.Graph{Nodes: []flow.Node{{ID: "a", Timeout: 30 * 24 * time.Hour}}}
	r := New(flow.Run{ID: "r", State: flow.Starting}, g, Options{})
	now := epoch
	apply := func(what What) {
		t.Helper()
		if _, _, err := r.Apply(Event{At: now, Task: "a", What: what}); err != nil {
			t.Fatal(err)
		}
	}
	apply(Begin{})
	const looks = 10_000
	for range looks {
		apply(Started{Attempt: 1})
		now = now.Add(time.Second)
		apply(Ended{Attempt: 1, Outcome: flow.Outcome{Verdict: flow.Rest, Until: now.Add(time.Minute)}})
		now = r.Wake()
		apply(Tick{})
	}
	apply(Started{Attempt: 1})
	if n := len(r.due); n > 100 {
		t.Errorf("after %d looks the run of one task keeps %d moments at which it wants attention, want the one of its time-out", looks, n)
	}
	if want := now.Add(g.Nodes[0].Timeout); !r.Wake().Equal(want) {
		t.Errorf("Wake: got %s, want the time-out at %s", r.Wake(), want)
	}
}

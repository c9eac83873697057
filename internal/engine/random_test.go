package engine

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/internal/flow"
)

// TestRandomRuns drives random graphs with random events in random order,
// stale and doubled ones among them, and checks what must hold after each.
func TestRandomRuns(t *testing.T) {
	for seed := range uint64(1500) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			g := randomGraph(rng)
			w := newWorld(t, g, Options{})
			now := epoch
			wishes := 0
			w.apply(Event{At: now, What: Begin{}})
			for n := 0; !w.run.Final(); n++ {
				if n > 5000 {
					t.Fatalf("no end in sight: %s", describe(w.run))
				}
				now = now.Add(time.Duration(rng.IntN(3000)) * time.Millisecond)
				before, row := w.run.Tasks(), w.run.Row()
				ev := randomEvent(rng, w.run, now)
				w.apply(ev)
				checkStep(t, &g, ev, before, w.run)
				if w.run.Final() && wishes < 4 && rng.IntN(2) == 0 {
					// Somebody is not content with the end.
					wishes++
					w.apply(randomWish(rng, w.run, now))
				}
				if w.run.Final() {
					break
				}
				checkWhy(t, w.run)
				if w.run.Row().Held {
					if row.Held && rng.IntN(3) == 0 {
						w.apply(Event{At: now, What: Release{}})
					}
					continue
				}
				if len(w.run.Owed()) == 0 {
					wake := w.run.Wake()
					if wake.IsZero() {
						t.Fatalf("the run is open and waits for nothing: %s", describe(w.run))
					}
					if wake.After(now) {
						now = wake
					}
					w.apply(Event{At: now, What: Tick{}})
				}
			}
			checkVerdict(t, &g, w.run)
			replay(t, w)
		})
	}
}

func randomGraph(rng *rand.Rand) flow.Graph {
	g := flow.Graph{MaxActive: rng.IntN(4)}
	for i := range 1 + rng.IntN(12) {
		n := flow.Node{
			ID: flow.TaskID(fmt.Sprintf("t%d", i)), Retries: rng.IntN(3),
			Delay: time.Duration(rng.IntN(5)) * time.Second, Noop: rng.IntN(4) == 0,
		}
		if rng.IntN(2) == 0 {
			n.Timeout = time.Duration(1+rng.IntN(5)) * time.Second
		}
		if rng.IntN(2) == 0 {
			n.When = flow.Rules()[rng.IntN(len(flow.Rules()))]
		}
		for j := range i {
			if rng.IntN(3) == 0 {
				n.After = append(n.After, g.Nodes[j].ID)
			}
		}
		if !n.Noop && n.When == "" && rng.IntN(3) == 0 {
			n.Unfolds = "b"
		}
		g.Nodes = append(g.Nodes, n)
	}
	g.FailFast = rng.IntN(8) == 0
	g.Bodies = map[string][]flow.Node{"b": {
		{ID: "x", Retries: rng.IntN(2), Noop: rng.IntN(4) == 0},
		{ID: "y", After: []flow.TaskID{"x"}},
	}, "c": {{ID: "z", When: flow.AllDone}}, "empty": nil}
	g.Bodies["b"][1].Unfolds = []string{"", "", "c", "empty"}[rng.IntN(4)]
	return g
}

func randomEvent(rng *rand.Rand, r *Run, now time.Time) Event {
	ev := Event{At: now}
	n := rng.IntN(60)
	if n == 0 {
		ev.What = Stop{}
		return ev
	}
	if n == 1 {
		ev.What = Hold{}
		return ev
	}
	if n == 2 && r.Row().State == flow.Running && rng.IntN(2) == 0 {
		return randomWish(rng, r, now)
	}
	if n < 15 {
		ev.What = Tick{}
		return ev
	}
	ev.Task = r.tasks[rng.IntN(len(r.tasks))].ID
	if owed := r.Owed(); len(owed) > 0 && rng.IntN(5) > 0 {
		ev.Task = owed[rng.IntN(len(owed))].Task.ID
	}
	task, _ := r.Task(ev.Task)
	attempt := task.Attempt
	if rng.IntN(6) == 0 {
		attempt += rng.IntN(3) - 1
	}
	if rng.IntN(2) == 0 {
		started := Started{Attempt: attempt, Handle: "h"}
		if attempt%2 == 1 {
			started.Mark = json.RawMessage(`"m"`)
		}
		ev.What = started
		return ev
	}
	verdicts := []flow.Verdict{flow.Success, flow.Success, flow.Failure, flow.Fatal, flow.Skip, flow.Rest, flow.Timeout, flow.Lost}
	out := flow.Outcome{Verdict: verdicts[rng.IntN(len(verdicts))], Until: now.Add(time.Second)}
	if unfolds := r.nodes[task.Index].Unfolds != "" && task.Instances == 0; unfolds && rng.IntN(3) > 0 || rng.IntN(40) == 0 {
		out.Verdict, out.Instances = flow.Unfold, rng.IntN(4) // none is a mistake
	}
	ev.What = Ended{Attempt: attempt, Outcome: out}
	return ev
}

// randomWish clears or decides something.
func randomWish(rng *rand.Rand, r *Run, now time.Time) Event {
	id := r.nodes[0].ID
	if len(r.tasks) > 0 {
		id = r.tasks[rng.IntN(len(r.tasks))].ID
	}
	switch rng.IntN(3) {
	case 0:
		return Event{At: now, What: Clear{Failed: true, Downstream: rng.IntN(2) == 0}}
	case 1:
		return Event{At: now, What: Clear{Tasks: []flow.TaskID{id}, Downstream: rng.IntN(2) == 0}}
	}
	states := []flow.State{flow.Succeeded, flow.Failed, flow.Skipped}
	return Event{At: now, Task: id, What: Mark{State: states[rng.IntN(3)]}}
}

// checkWhy checks that every open task and the run can say what they wait for,
// and that what is said to open by itself is known to Wake.
func checkWhy(t *testing.T, r *Run) {
	t.Helper()
	if w, ok := r.WhyRun("paused"); !ok || w.Text == "" {
		t.Fatalf("the run is open and cannot say why: %s", describe(r))
	}
	for _, task := range r.Tasks() {
		w, ok := r.Why(task.ID, "paused")
		if ok == task.State.Final() || ok && w.Text == "" {
			t.Fatalf("%s is %s; why it waits: %+v, %v", task.ID, task.State, w, ok)
		}
		if w.Gate == flow.GateUpstream && len(w.On) == 0 && r.Wake().IsZero() && r.Row().State == flow.Running {
			t.Fatalf("%s waits for upstream tasks of which none is open: %s", task.ID, describe(r))
		}
	}
}

// checkStep checks what no event may do.
func checkStep(t *testing.T, g *flow.Graph, ev Event, before []flow.Task, r *Run) {
	t.Helper()
	live := 0
	for i, now := range r.Tasks() {
		was := now
		if i < len(before) {
			was = before[i]
		}
		if was.State.Final() && was.State != now.State && !reopens(ev.What) && ev.Task != now.ID && !freed(r, ev.Task) {
			t.Fatalf("%s left its final state %s for %s", now.ID, was.State, now.State)
		}
		if now.Attempt-now.Base > r.nodes[i].Retries+1 {
			t.Fatalf("%s is at attempt %d with %d retries", now.ID, now.Attempt, r.nodes[i].Retries)
		}
		if now.State.Live() {
			live++
		}
	}
	if g.MaxActive > 0 && live > g.MaxActive {
		t.Fatalf("%d tasks hold a slot, at most %d may: %s", live, g.MaxActive, describe(r))
	}
}

// freed reports whether a task may be done again since a person has marked an
// upstream of it as succeeded, whose attempt has ended now.
func freed(r *Run, by flow.TaskID) bool {
	t, ok := r.Task(by)
	return ok && t.State == flow.Succeeded && t.Reason == marked(flow.Succeeded)
}

// checkVerdict computes the run's verdict from its leaves anew.
func checkVerdict(t *testing.T, g *flow.Graph, r *Run) {
	t.Helper()
	want := flow.Succeeded
	for i, task := range r.Tasks() {
		leaf := r.leaf(i)
		switch task.State {
		case flow.Failed, flow.TimedOut, flow.Blocked:
			if leaf {
				want = flow.Failed
			}
		}
		if !task.State.Final() {
			t.Fatalf("the run ended with an open task: %s", describe(r))
		}
	}
	for i, task := range r.Tasks() {
		if task.State == flow.Canceled && r.Row().Cause != flow.ByStop && len(g.Nodes) > 0 {
			// What an earlier stop canceled, and nobody has cleared.
			if r.leaf(i) {
				want = flow.Failed
			}
		}
	}
	switch r.Row().Cause {
	case flow.ByStop:
		want = flow.Canceled
	case flow.ByFailure:
		want = flow.Failed
	}
	if got := r.Row().State; got != want {
		t.Fatalf("run ended %s, want %s: %s", got, want, describe(r))
	}
}

// leaf reports whether nothing comes after task i.
func (r *Run) leaf(i int) bool {
	for range r.waiters(i) {
		return false
	}
	return true
}

// replay feeds the journal to a fresh run, which must come to the same rows.
func replay(t *testing.T, w *world) {
	t.Helper()
	r := New(flow.Run{ID: "r", State: flow.Starting}, &w.graph, w.opt)
	for _, e := range w.journal {
		ev, err := EventOf(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Apply(ev); err != nil {
			t.Fatal(err)
		}
	}
	var rows []flow.Task // what has no row has not changed
	for i, task := range r.Tasks() {
		if i < len(w.graph.Nodes) || !task.Modified.IsZero() {
			rows = append(rows, task)
		}
	}
	if diff := cmp.Diff(w.rows, rows); diff != "" {
		t.Errorf("replaying the journal gives other rows (-saved +replayed):\n%s", diff)
	}
	if diff := cmp.Diff(w.row, r.Row()); diff != "" {
		t.Errorf("replaying the journal gives another run (-saved +replayed):\n%s", diff)
	}
}

// TestLongChainInBoundedSteps runs more no-op tasks than one step settles.
func TestLongChainInBoundedSteps(t *testing.T) {
	var g flow.Graph
	for i := range 5*batch + 7 {
		n := flow.Node{ID: flow.TaskID(fmt.Sprint("t", i)), Noop: true}
		if i > 0 {
			n.After = []flow.TaskID{g.Nodes[i-1].ID}
		}
		g.Nodes = append(g.Nodes, n)
	}
	r := New(flow.Run{ID: "r", State: flow.Starting}, &g, Options{})
	steps := 0
	for what := What(Begin{}); !r.Final(); what = (Tick{}) {
		step, changed, err := r.Apply(Event{At: epoch, What: what})
		if err != nil || !changed {
			t.Fatalf("step %d: changed %v, err %v", steps, changed, err)
		}
		if steps > 0 && len(step.Tasks) > batch {
			t.Fatalf("step %d changed %d tasks, at most %d may", steps, len(step.Tasks), batch)
		}
		if steps++; !r.Final() && r.Wake().IsZero() {
			t.Fatalf("step %d left work and no wake", steps)
		}
	}
	if got := r.Row().State; got != flow.Succeeded {
		t.Errorf("run ended %s, want succeeded", got)
	}
}

// TestARestoredRunDecidesTheSame restores a run before every event from what
// was saved, and compares its step with that of the run that went on.
func TestARestoredRunDecidesTheSame(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 2))
		g := randomGraph(rng)
		g.MaxActive = 1 + rng.IntN(2)
		r := New(flow.Run{ID: "r", State: flow.Starting}, &g, Options{})
		now, what := epoch, What(Begin{})
		for range 200 {
			ev := Event{At: now, What: what}
			if _, begins := what.(Begin); !begins {
				ev = randomEvent(rng, r, now)
			}
			restored, err := Restore(r.Row(), &g, r.Tasks(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			want, _, err := r.Apply(ev)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := restored.Apply(ev)
			if err != nil {
				t.Fatal(err)
			}
			byIndex := func(a, b flow.Task) int { return a.Index - b.Index }
			slices.SortFunc(want.Tasks, byIndex)
			slices.SortFunc(got.Tasks, byIndex)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: %T %s: the step of the run that went on (-) and of the restored one (+):\n%s", seed, ev.What, ev.Task, diff)
			}
			if r.Final() {
				break
			}
			now, what = now.Add(time.Duration(rng.IntN(2000))*time.Millisecond), Tick{}
		}
	}
}

// TestWhatBeginsIsMarked keeps a mark that comes with the news of a start, also
// of an attempt of which that is known.
func TestWhatBeginsIsMarked(t *testing.T) {
	g := flow.Graph{Nodes: []flow.Node{{ID: "a"}}}
	r := New(flow.Run{ID: "r", State: flow.Starting}, &g, Options{})
	for i, ev := range []Event{
		{What: Begin{}},
		{Task: "a", What: Started{Attempt: 1, Handle: "h", Mark: json.RawMessage(`"1"`)}},
		{Task: "a", What: Started{Attempt: 1, Handle: "h"}},
		{Task: "a", What: Started{Attempt: 1, Handle: "h", Mark: json.RawMessage(`"2"`)}},
	} {
		ev.At = epoch.Add(time.Duration(i) * time.Second)
		step, _, err := r.Apply(ev)
		if err != nil {
			t.Fatal(err)
		}
		task, _ := r.Task("a")
		want := []string{"", `"1"`, `"1"`, `"2"`}[i]
		if got := string(task.Mark); got != want {
			t.Errorf("after event %d: mark %q, want %q", i, got, want)
		}
		if i == 3 && len(step.Tasks) != 1 {
			t.Errorf("a mark alone changes %d tasks, want 1", len(step.Tasks))
		}
	}
}

// TestTheMonotonicClockDecidesNothing checks that nothing of a reading that
// no restart survives is kept.
func TestTheMonotonicClockDecidesNothing(t *testing.T) {
	g := flow.Graph{Nodes: []flow.Node{{ID: "a", Retries: 1, Delay: time.Minute}}}
	r := New(flow.Run{ID: "r", State: flow.Starting}, &g, Options{})
	now := time.Now()
	for _, ev := range []Event{
		{At: now, What: Begin{}},
		{At: now, Task: "a", What: Started{Attempt: 1}},
		{At: now.Add(2), Task: "a", What: Ended{Attempt: 1, Outcome: flow.Outcome{Verdict: flow.Failure, Ended: now.Add(1)}}},
	} {
		if _, _, err := r.Apply(ev); err != nil {
			t.Fatal(err)
		}
	}
	task, _ := r.Task("a")
	for name, at := range map[string]time.Time{
		"Started": task.Started, "Ended": task.Ended, "Due": task.Due, "Modified": r.Row().Modified, "Wake": r.Wake(),
	} {
		if at.IsZero() || at != at.Round(0) {
			t.Errorf("%s: got %s, want a time without a monotonic reading", name, at)
		}
	}
}

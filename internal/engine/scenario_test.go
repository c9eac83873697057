package engine

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/internal/flow"
)

var update = flag.Bool("update", false, "rewrite what follows > in testdata")

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// TestScenarios plays each file in testdata. A line tells the run something;
// a line that begins with > says what is true afterwards. After every event
// the run is also restored from the rows that were saved, and must describe
// itself the same.
func TestScenarios(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) == 0 {
		t.Fatal("no scenarios")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { play(t, file) })
	}
}

func play(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var (
		w   *world
		now = epoch
		out strings.Builder
	)
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		where := fmt.Sprintf("%s:%d", file, i+1)
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, ">"):
			got := "> " + describe(w.run)
			if got != line && !*update {
				t.Errorf("%s:\n got %s\nwant %s", where, got, line)
			}
			line = got
		case strings.HasPrefix(line, "?"): // ? task: why it waits; ? alone: why the run does
			got := "? " + f[1] + " " + why(w.run, f[1])
			if got != line && !*update {
				t.Errorf("%s:\n got %s\nwant %s", where, got, line)
			}
			line = got
		case len(f) == 0 || f[0] == "#":
		case f[0] == "graph":
			w = newWorld(t, parseGraph(t, f[1:]), Options{})
			now = epoch
		case f[0] == "strict":
			w.opt.Strict, w.run.opt.Strict = true, true
		case f[0] == "limit":
			d, err := time.ParseDuration(f[1])
			if err != nil {
				t.Fatal(where, err)
			}
			w.opt.MaxDuration, w.run.opt.MaxDuration = d, d
		case f[0] == "at":
			d, err := time.ParseDuration(f[1])
			if err != nil {
				t.Fatal(where, err)
			}
			now = epoch.Add(d)
		default:
			w.apply(parseEvent(t, where, w.run, f, now))
		}
		out.WriteString(line + "\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// A world is a run and the rows that a store would hold of it.
type world struct {
	t       *testing.T
	graph   flow.Graph
	opt     Options
	run     *Run
	row     flow.Run
	rows    []flow.Task // by index; not all that a task unfolded into have one
	past    []flow.Attempt
	journal []flow.Entry
	states  map[flow.TaskID]flow.State // as the moves say; "" is the run
}

func newWorld(t *testing.T, g flow.Graph, opt Options) *world {
	w := &world{t: t, graph: g, opt: opt, row: flow.Run{ID: "r", State: flow.Starting}}
	w.run = New(w.row, &w.graph, opt)
	return w
}

// apply feeds ev to the run, saves the step, and checks that a run restored
// from the saved rows says the same of itself.
func (w *world) apply(ev Event) {
	w.t.Helper()
	step, changed, err := w.run.Apply(ev)
	if err != nil {
		w.t.Fatal(err)
	}
	if !changed {
		return
	}
	w.row = step.Run
	for _, task := range step.Tasks {
		i, found := slices.BinarySearchFunc(w.rows, task.Index, func(t flow.Task, i int) int { return t.Index - i })
		if !found {
			w.rows = slices.Insert(w.rows, i, task)
		}
		w.rows[i] = task
	}
	w.past = append(w.past, step.Past...)
	w.journal = append(w.journal, step.Entry)
	w.follow(step.Entry)
	if got, want := describe(w.restore()), describe(w.run); got != want {
		w.t.Fatalf("after %s of %q the restored run differs:\n got %s\nwant %s", ev.What.name(), ev.Task, got, want)
	}
}

// follow checks that the moves of an entry lead from the states before it to
// those after it.
func (w *world) follow(e flow.Entry) {
	w.t.Helper()
	if w.states == nil {
		w.states = map[flow.TaskID]flow.State{"": flow.Starting}
		for _, n := range w.graph.Nodes {
			w.states[n.ID] = flow.Waiting
		}
	}
	for _, m := range e.Moves {
		was, ok := w.states[m.Task]
		if !ok { // something has unfolded into it
			was = flow.Waiting
		}
		if was != m.From {
			w.t.Fatalf("entry %d (%s): %q moves from %s to %s, and was %s", e.Seq, e.What, m.Task, m.From, m.State, was)
		}
		w.states[m.Task] = m.State
	}
	if w.states[""] != w.row.State {
		w.t.Fatalf("entry %d (%s): by its moves the run is %s, by its row %s", e.Seq, e.What, w.states[""], w.row.State)
	}
	for _, task := range w.rows {
		if w.states[task.ID] != task.State {
			w.t.Fatalf("entry %d (%s): by its moves %q is %s, by its row %s", e.Seq, e.What, task.ID, w.states[task.ID], task.State)
		}
	}
}

func (w *world) restore() *Run {
	r, err := Restore(w.row, &w.graph, append([]flow.Task(nil), w.rows...), w.opt)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func parseEvent(t *testing.T, where string, r *Run, f []string, now time.Time) Event {
	ev := Event{At: now}
	attempt := 0
	if len(f) > 1 {
		name, n, given := strings.Cut(f[1], "#")
		ev.Task = flow.TaskID(name)
		if task, ok := r.Task(ev.Task); ok {
			attempt = task.Attempt
		}
		if given {
			fmt.Sscan(n, &attempt)
		}
	}
	reason := ""
	if len(f) > 2 {
		reason = strings.Join(f[2:], " ")
	}
	end := func(v flow.Verdict) What {
		return Ended{Attempt: attempt, Outcome: flow.Outcome{Verdict: v, Reason: reason}}
	}
	switch f[0] {
	case "queue":
		ev.What = Queue{}
	case "begin":
		ev.What = Begin{}
	case "tick": // tick, tick BACK
		var back time.Duration
		if len(f) > 1 {
			var err error
			if back, err = time.ParseDuration(f[1]); err != nil {
				t.Fatalf("%s: %v", where, err)
			}
		}
		ev.What, ev.Task = Tick{Back: back}, ""
	case "stop":
		ev.Task, ev.What = "", Stop{By: "someone"}
	case "clear": // clear a b [+downstream], clear failed
		c := Clear{By: "someone"}
		for _, w := range f[1:] {
			switch w {
			case "failed":
				c.Failed = true
			case "+downstream":
				c.Downstream = true
			default:
				c.Tasks = append(c.Tasks, flow.TaskID(w))
			}
		}
		ev.Task, ev.What = "", c
	case "decide":
		ev.What = Mark{State: flow.State(f[2]), By: "someone"}
	case "hold":
		ev.Task, ev.What = "", Hold{By: "someone"}
	case "release":
		ev.Task, ev.What = "", Release{By: "someone"}
	case "start":
		ev.What = Started{Attempt: attempt, Handle: "h"}
	case "mark":
		mark, _ := json.Marshal(reason)
		ev.What = Marked{Attempt: attempt, Mark: mark}
	case "ok":
		ev.What = end(flow.Success)
	case "fail":
		ev.What = end(flow.Failure)
	case "fatal":
		ev.What = end(flow.Fatal)
	case "skip":
		ev.What = end(flow.Skip)
	case "lost":
		ev.What = end(flow.Lost)
	case "timeout":
		ev.What = end(flow.Timeout)
	case "unfold":
		n := 0
		fmt.Sscan(reason, &n)
		ev.What = Ended{Attempt: attempt, Outcome: flow.Outcome{Verdict: flow.Unfold, Instances: n}}
	case "rest":
		d, err := time.ParseDuration(reason)
		if err != nil {
			t.Fatal(where, err)
		}
		ev.What = Ended{Attempt: attempt, Outcome: flow.Outcome{Verdict: flow.Rest, Until: now.Add(d)}}
	default:
		t.Fatalf("%s: unknown command %q", where, f[0])
	}
	return ev
}

func parseGraph(t *testing.T, specs []string) flow.Graph {
	var g flow.Graph
	body := ""
	for i, s := range specs {
		if v, ok := strings.CutPrefix(s, "max="); ok {
			fmt.Sscan(v, &g.MaxActive)
			continue
		}
		if s == "failfast" {
			g.FailFast = true
			continue
		}
		if s == "body" { // body NAME and its nodes, up to the end or the next body
			body = specs[i+1]
			if g.Bodies == nil {
				g.Bodies = map[string][]flow.Node{}
			}
			g.Bodies[body] = nil
			continue
		}
		if i > 0 && specs[i-1] == "body" {
			continue
		}
		id, opts, _ := strings.Cut(s, ":")
		n := flow.Node{ID: flow.TaskID(id)}
		for o := range strings.SplitSeq(opts, ",") {
			k, v, _ := strings.Cut(o, "=")
			switch k {
			case "":
			case "retries":
				fmt.Sscan(v, &n.Retries)
			case "delay":
				n.Delay, _ = time.ParseDuration(v)
			case "timeout":
				n.Timeout, _ = time.ParseDuration(v)
			case "noop":
				n.Noop = true
			case "unfolds":
				n.Unfolds = v
			case "when":
				n.When = flow.Rule(v)
			case "after":
				for id := range strings.SplitSeq(v, "+") {
					n.After = append(n.After, flow.TaskID(id))
				}
			default:
				t.Fatalf("unknown option %q", o)
			}
		}
		if body != "" {
			g.Bodies[body] = append(g.Bodies[body], n)
			continue
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g
}

// why says what a task, or the run itself, waits for.
func why(r *Run, id string) string {
	const paused = "paused by ada"
	w, ok := r.Why(flow.TaskID(id), paused)
	if id == "run" {
		w, ok = r.WhyRun(paused)
	}
	if !ok {
		return "-"
	}
	s := fmt.Sprintf("%s: %s", w.Gate, w.Text)
	if behind := r.Behind(flow.TaskID(id)); behind != "" {
		s += "; behind that: " + behind
	}
	if !w.Until.IsZero() {
		s += fmt.Sprintf(" | until %v", w.Until.Sub(epoch))
	}
	return s
}

// describe renders a run on one line: its state, the tasks', what is owed
// and when it wants to be woken.
func describe(r *Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", r.Row().State)
	if r.Row().Held {
		b.WriteString(" held")
	}
	b.WriteString(":")
	for _, t := range r.Tasks() {
		fmt.Fprintf(&b, " %s=%s", t.ID, t.State)
		if t.Attempt > 0 {
			fmt.Fprintf(&b, "#%d", t.Attempt)
		}
		if t.Reason != "" {
			fmt.Fprintf(&b, "(%s)", t.Reason)
		}
	}
	if owed := r.Owed(); len(owed) > 0 {
		b.WriteString(" | owe")
		for _, d := range owed {
			fmt.Fprintf(&b, " %s#%d", d.Task.ID, d.Task.Attempt)
			if d.End {
				b.WriteString("!")
			}
		}
	}
	if wake := r.Wake(); !wake.IsZero() {
		fmt.Fprintf(&b, " | wake %v", wake.Sub(epoch))
	}
	if r.Row().Reason != "" {
		fmt.Fprintf(&b, " | %s", r.Row().Reason)
	}
	return b.String()
}

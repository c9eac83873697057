package world

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// clients is what those who use the server know.
type clients struct {
	workflows []flow.WorkflowID
	runs      []flow.RunID // that were acknowledged
	turn      int          // counts ends of pauses
	unpausing int          // those under way
	pauses    int          // that were ever asked for
}

// horizon is when the clients go home and schedules end.
const horizon = 3 * time.Hour

// populate lets clients come, use the server and go.
func (w *World) populate(ctx context.Context) {
	// Most worlds are small, so that there can be many; some are not.
	big := w.chance(.05)
	end := time.Now().Add(w.between(time.Minute, 40*time.Minute))
	n, users, acts := 1, 1+int(w.between(0, 2)), time.Duration(4)
	if big {
		end = time.Now().Add(w.between(10*time.Minute, horizon))
		n, users, acts = 1+w.rng.IntN(3), 1+w.rng.IntN(4), 9
	} else if w.chance(.2) {
		n = 2
	}
	for i := range n {
		w.create(ctx, fmt.Sprint("w", i+1), end)
	}
	done := make(chan struct{})
	for range users {
		w.wg.Go(func() {
			for acts := w.between(1, acts); acts > 0; acts-- {
				w.pause(w.between(0, min(20*time.Minute, time.Until(end))))
				if time.Now().After(end) {
					break
				}
				w.act(ctx, end)
			}
			done <- struct{}{}
		})
	}
	for range users {
		<-done
	}
	if rest := time.Until(end); rest > 0 && w.chance(.5) {
		w.pause(min(rest, horizon))
	}
}

// act is one thing that a client does.
func (w *World) act(ctx context.Context, end time.Time) {
	wf := w.clients.workflows[w.rng.IntN(len(w.clients.workflows))]
	if len(w.groups) > 0 && w.chance(.15) {
		w.regroup(ctx)
		return
	}
	switch n := w.between(0, 100); {
	case n < 46:
		w.startRun(ctx, wf)
	case n < 52:
		w.stopRun(ctx)
	case n < 60:
		w.wish(ctx)
	case n < 67:
		w.quarrel(ctx)
	case n < 70:
		w.askWhy(ctx)
	case n < 76:
		w.pauseFor(ctx, wf)
	case n < 79:
		w.backfill(ctx, wf)
	case n < 88:
		w.update(ctx, wf, end)
	case n < 92:
		w.dropVersion(ctx, wf)
	case n < 95:
		w.deleteWorkflow(ctx, wf)
	default:
		w.startRun(ctx, wf)
		w.startRun(ctx, wf)
	}
}

// call asks the server that is up until it answers something else than that
// it is in trouble, or until the client's patience ends.
func (w *World) call(ctx context.Context, what string, do func(s *server, c *conductor.Conductor) error) error {
	for tries := 0; ; tries++ {
		if s, c := w.server, w.c; s != nil {
			err := w.ask(s, func() error { return do(s, c) })
			if err == nil || flow.KindOf(err) != flow.Internal && flow.KindOf(err) != flow.Busy {
				return err
			}
			w.say("client: %s: %v", what, err)
		}
		if !w.calm && tries > 2 && w.chance(.2) || tries > 300 {
			w.say("client: gives up to %s", what)
			return errGaveUp
		}
		w.pause(w.between(10*time.Millisecond, time.Minute))
	}
}

// ask waits for an answer for as long as the server lives.
func (w *World) ask(s *server, do func() error) error {
	answer := make(chan error, 1)
	w.wg.Go(func() { answer <- do() })
	select {
	case err := <-answer:
		if s.dead {
			return errDead
		}
		return err
	case <-s.gone:
		return errDead
	}
}

var errGaveUp = errors.New("the client has lost its patience")

// newVersion makes a version with a graph and perhaps a schedule.
func (w *World) newVersion(wf flow.WorkflowID, end time.Time) flow.Version {
	g := w.graph()
	v := flow.Version{
		ID: flow.VersionID(w.id("v")), Workflow: wf, MaxRuns: []int{0, 0, 1, 2}[w.rng.IntN(4)], Created: time.Now(),
	}
	v.Graph = "g-" + string(v.ID)
	w.rows.PutGraph(v.Graph, g)
	if w.chance(.25) {
		exprs := []string{"*/5 * * * *", "*/7 * * * *", "13 * * * *", "*/3 * * * *", "*/10 0-22 * * *", "2/20 * * * ? *", "@hourly"}
		v.Schedule = &flow.Schedule{Expr: exprs[w.rng.IntN(len(exprs))], End: micro(end)}
	}
	text, _ := json.Marshal(g)
	w.say("version %s of %s, at most %d runs: %s", v.ID, wf, v.MaxRuns, text)
	return v
}

// Of these bodies there is one instance, as of a sub-workflow, and one or none,
// as of a conditional; of others there are some.
const (
	bodySub   = "sub"
	bodyMaybe = "maybe"
)

// graph draws one: a chain, a fan, a diamond or a tangle.
func (w *World) graph() flow.Graph {
	g := flow.Graph{MaxActive: []int{0, 0, 1, 2, 3}[w.rng.IntN(5)], FailFast: w.chance(.1)}
	scatters := w.chance(.25)
	if scatters {
		g.Bodies = map[string][]flow.Node{
			"outer": {{ID: "x", Kind: "command", Retries: w.rng.IntN(2)}, {ID: "y", Kind: "scatter", Unfolds: "inner", After: []flow.TaskID{"x"}}},
			"inner": {{ID: "z", Kind: "command", Noop: w.chance(.3)}},
			"empty": nil,
			// A scatter in a scatter, in that a sub-workflow, and in that a scatter and
			// what there may be.
			"deep":  {{ID: "p", Kind: "command"}, {ID: "q", Kind: "scatter", Unfolds: "lower", After: []flow.TaskID{"p"}, Retries: w.rng.IntN(2)}},
			"lower": {{ID: "call", Kind: "scatter", Unfolds: bodySub}},
			bodySub: {
				{ID: "a", Kind: "command", Retries: w.rng.IntN(2)},
				{ID: "s", Kind: "scatter", Unfolds: "inner", After: []flow.TaskID{"a"}},
				{ID: "i", Kind: "scatter", Unfolds: bodyMaybe, After: []flow.TaskID{"a"}, Retries: w.rng.IntN(2)},
				{ID: "b", Kind: "command", After: []flow.TaskID{"s", "i"}},
			},
			bodyMaybe: {{ID: "o", Kind: "command"}},
		}
	}
	n := 1 + w.rng.IntN(5)
	if w.chance(.1) {
		n = 1 + w.rng.IntN(10)
	}
	shape := w.rng.IntN(4)
	for i := range n {
		node := flow.Node{ID: flow.TaskID(fmt.Sprint("t", i)), Kind: "command", Noop: w.chance(.15)}
		if w.chance(.4) {
			node.Retries, node.Delay = w.rng.IntN(4), w.between(0, 3*time.Minute).Truncate(time.Microsecond)
		}
		if w.chance(.25) {
			node.Timeout = w.between(time.Second, 5*time.Minute).Truncate(time.Microsecond)
		}
		if w.chance(.25) {
			node.Kind = "sensor"
		}
		if i > 0 {
			up := func(j int) { node.After = append(node.After, g.Nodes[j].ID) }
			switch shape {
			case 0:
				up(i - 1)
			case 1:
				up(0)
			case 2:
				if i == n-1 {
					for j := 1; j < i; j++ {
						up(j)
					}
				}
				if i < n-1 || n < 3 {
					up(0)
				}
			default:
				for j := range i {
					if w.chance(.35) {
						up(j)
					}
				}
			}
			if w.chance(.35) {
				node.When = flow.Rules()[w.rng.IntN(len(flow.Rules()))]
			}
		}
		if scatters && node.When == "" && w.chance(.4) {
			node.Kind, node.Noop, node.Unfolds = "scatter", false, []string{"outer", "inner", "inner", "empty", "deep"}[w.rng.IntN(5)]
		}
		g.Nodes = append(g.Nodes, node)
	}
	return g
}

func (w *World) create(ctx context.Context, name string, end time.Time) {
	wf := flow.Workflow{ID: flow.WorkflowID(name), Name: name, Created: time.Now()}
	v := w.newVersion(wf.ID, end)
	err := w.call(ctx, "create "+name, func(s *server, c *conductor.Conductor) error {
		err := store{s}.createWorkflow(ctx, wf, v)
		if err != nil && flow.KindOf(err) != flow.Conflict {
			return err
		}
		return c.WorkflowChanged(ctx, wf.ID)
	})
	if err != nil {
		w.say("client: create %s: %v", name, err)
	}
	w.clients.workflows = append(w.clients.workflows, wf.ID) // even so: it is asked for in vain
}

// update adds a version and says so, as the door does.
func (w *World) update(ctx context.Context, wf flow.WorkflowID, end time.Time) {
	v := w.newVersion(wf, end)
	added := false
	_ = w.call(ctx, "update "+string(wf), func(s *server, c *conductor.Conductor) error {
		if !added {
			if err := (store{s}).addVersion(ctx, v); err != nil {
				return permanent(err) // asked again it would be another version
			}
			added = true
		}
		return c.WorkflowChanged(ctx, wf)
	})
}

// permanent makes a call that cannot be repeated as it is end the client's
// patience.
func permanent(err error) error {
	if flow.KindOf(err) == flow.Internal {
		return flow.Errorf(flow.Invalid, "not tried again: %w", err)
	}
	return err
}

func (w *World) dropVersion(ctx context.Context, wf flow.WorkflowID) {
	row := w.rows.workflows[wf]
	if row == nil {
		return
	}
	v := row.versions[w.rng.IntN(len(row.versions))].ID
	_ = w.call(ctx, "delete version "+string(v), func(s *server, c *conductor.Conductor) error {
		if err := (store{s}).deleteVersion(ctx, wf, v); err != nil && flow.KindOf(err) != flow.NotFound {
			return err
		}
		return c.WorkflowChanged(ctx, wf)
	})
}

func (w *World) deleteWorkflow(ctx context.Context, wf flow.WorkflowID) {
	_ = w.call(ctx, "delete "+string(wf), func(s *server, c *conductor.Conductor) error {
		if err := (store{s}).markDeleting(ctx, wf); err != nil {
			return err
		}
		return c.DeleteWorkflow(ctx, wf)
	})
}

// startRun starts a run, with a token or without, as the door does. With one
// it is asked again until it is answered; sometimes even then.
func (w *World) startRun(ctx context.Context, wf flow.WorkflowID) {
	var tok flow.Token
	id := w.id("r")
	if w.chance(.7) {
		tok = flow.Token{Key: "token-" + id, Fingerprint: "f", Expires: time.Now().Add(1000 * time.Hour)}
	}
	again := 1
	if tok.Key != "" && w.chance(.3) {
		again = 2
	}
	for range again {
		var row flow.Run
		err := w.call(ctx, "start "+id, func(s *server, c *conductor.Conductor) error {
			v, err := store{s}.Version(ctx, wf, "")
			if err != nil {
				return err
			}
			now := time.Now()
			name := flow.RunID(id)
			if tok.Key != "" {
				name = flow.RunID(w.id("r")) // a door makes a new one each time
			}
			w.join(name)
			params, _ := json.Marshal(tok.Key)
			row, err = c.Start(ctx, conductor.StartRequest{MaxRuns: v.MaxRuns, Token: tok, Run: flow.Run{
				ID: name, Key: "key", Workflow: wf, Version: v.ID, Graph: v.Graph, Kind: flow.OnDemand, State: flow.Starting,
				Params: params, Logical: now, Created: now, Modified: now,
			}})
			if err != nil && tok.Key == "" {
				return permanent(err)
			}
			return err
		})
		if err != nil {
			if !errors.Is(err, errGaveUp) {
				w.say("client: start %s: refused: %v", id, err)
			}
			return
		}
		w.say("client: start %s: acknowledged as %s", id, row.ID)
		w.judge.startAcknowledged(w, tok, row)
		w.clients.runs = append(w.clients.runs, row.ID)
	}
}

// aRun picks one that clients know of; false if there is none.
func (w *World) aRun() (flow.RunID, bool) {
	if len(w.clients.runs) == 0 {
		return "", false
	}
	return w.clients.runs[w.rng.IntN(len(w.clients.runs))], true
}

func (w *World) stopRun(ctx context.Context) {
	if id, ok := w.aRun(); ok {
		w.stopThis(ctx, id)
	}
}

func (w *World) stopThis(ctx context.Context, id flow.RunID) {
	var row flow.Run
	err := w.call(ctx, "stop "+string(id), func(s *server, c *conductor.Conductor) error {
		var err error
		row, err = c.Stop(ctx, id, "client")
		return err
	})
	if err != nil {
		return
	}
	w.say("client: stop %s: acknowledged as %s", id, row.State)
	w.judge.stopAcknowledged(w, row)
}

// wish clears or marks something.
func (w *World) wish(ctx context.Context) {
	id, ok := w.aRun()
	if !ok {
		return
	}
	w.wishFor(ctx, id, flow.TaskID(fmt.Sprint("t", w.rng.IntN(4))))
}

// quarrel has people who do not know of each other clear, mark and stop the
// same of a run, one right after the other.
func (w *World) quarrel(ctx context.Context) {
	id, ok := w.aRun()
	if open := w.rows.Unfinished(); len(open) > 0 && w.chance(.8) {
		id = open[w.rng.IntN(len(open))].ID // rather one that goes on
	}
	if !ok || w.rows.runs[id] == nil {
		return
	}
	w.saw("quarrel")
	task := flow.TaskID("t0")
	if tasks := w.rows.runs[id].tasks; len(tasks) > 0 {
		task = tasks[w.rng.IntN(len(tasks))].ID
		for _, t := range tasks { // rather one that is at work, or is being ended
			if t.State.Live() && w.chance(.5) || t.State == flow.Stopping && w.chance(.5) {
				task = t.ID
			}
		}
	}
	done := make(chan struct{})
	n := 2 + w.rng.IntN(2)
	for range n {
		w.wg.Go(func() {
			w.pause(w.between(0, 5*time.Second))
			if w.chance(.35) {
				w.stopThis(ctx, id)
			} else {
				w.wishFor(ctx, id, task)
			}
			done <- struct{}{}
		})
	}
	for range n {
		<-done
	}
}

// askWhy asks what a run waits for, whatever goes on.
func (w *World) askWhy(ctx context.Context) {
	id, ok := w.aRun()
	if !ok {
		return
	}
	_ = w.call(ctx, "ask why "+string(id), func(s *server, c *conductor.Conductor) error {
		_, tasks, more, err := c.Waits(ctx, id, 3)
		if len(tasks) > 3 || more < 0 {
			w.violate("run %s: asked for 3 tasks, the server names %d and %d more", id, len(tasks), more)
		}
		return err
	})
}

// wishFor clears or marks something of a run.
func (w *World) wishFor(ctx context.Context, id flow.RunID, task flow.TaskID) {
	by := w.id("wish")
	clear := engine.Clear{Downstream: w.chance(.5), By: by}
	if w.chance(.5) {
		clear.Failed = true
	} else {
		clear.Tasks = []flow.TaskID{task}
	}
	mark := engine.Mark{State: []flow.State{flow.Succeeded, flow.Failed, flow.Skipped}[w.rng.IntN(3)], By: by}
	marks := w.chance(.5)
	what := fmt.Sprintf("clear %s %+v", id, clear)
	if marks {
		what = fmt.Sprintf("mark %s %s %+v", id, task, mark)
	}
	err := w.call(ctx, what, func(s *server, c *conductor.Conductor) (err error) {
		if marks {
			_, err = c.Mark(ctx, id, task, mark)
		} else {
			_, err = c.Clear(ctx, id, clear)
		}
		return err
	})
	w.say("client: %s: %v", what, err)
	if err == nil {
		w.judge.wishAcknowledged(w, id, by)
	}
}

// pauseFor pauses a workflow, or everything, for a while.
func (w *World) pauseFor(ctx context.Context, wf flow.WorkflowID) {
	if w.chance(.3) {
		wf = ""
	}
	w.clients.pauses++
	turn := w.clients.turn
	err := w.call(ctx, "pause "+string(wf), func(s *server, c *conductor.Conductor) error { return c.Pause(ctx, wf, "client") })
	if err != nil {
		return
	}
	w.say("client: pause %q: acknowledged", wf)
	if turn == w.clients.turn && w.clients.unpausing == 0 {
		w.judge.paused[wf] = true
		w.judge.pausedAt[wf] = time.Now()
	}
	if w.chance(.3) {
		w.wish(ctx)
	}
	w.pause(w.between(0, 15*time.Minute))
	if w.chance(.9) { // the others forget about it
		w.unpause(ctx, wf)
	}
}

func (w *World) unpause(ctx context.Context, wf flow.WorkflowID) {
	w.clients.turn++
	w.clients.unpausing++ // and perhaps asking again, after others have paused
	defer func() { w.clients.unpausing-- }()
	clear(w.judge.paused)
	// One that gives up leaves it to the server whether there is a pause.
	_ = w.call(ctx, "unpause "+string(wf), func(s *server, c *conductor.Conductor) error { return c.Unpause(ctx, wf, "client") })
}

// backfill asks for the slots of the last while.
func (w *World) backfill(ctx context.Context, wf flow.WorkflowID) {
	to := time.Now()
	from := to.Add(-w.between(0, 20*time.Minute))
	_ = w.call(ctx, "backfill "+string(wf), func(s *server, c *conductor.Conductor) error {
		v, err := store{s}.Version(ctx, wf, "")
		if err != nil || v.Schedule == nil {
			return err
		}
		_, err = c.Backfill(ctx, v, from, to, false, "somebody")
		return err
	})
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

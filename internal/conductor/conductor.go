// Package conductor runs runs. It is the shell around package engine: one
// goroutine per active run turns the outside world into events, saves what
// the engine decides, and only then makes the world match what the run is
// owed. It also fires schedules. It does not know what tasks do, where rows
// are kept, or who asked.
package conductor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/killpoint"
	"fairlead/internal/lang"
)

// Store is what the conductor needs remembered. Every write is durable when
// it returns.
type Store interface {
	// InsertRun saves a new run, unless its token was seen before: then it
	// returns the run that the token began, and false.
	InsertRun(ctx context.Context, r flow.Run, tok flow.Token, maxWorkflow, maxTotal int) (flow.Run, bool, error)
	// Save writes steps of one run, all or none. A step whose revision does
	// not follow the saved one is refused with flow.Conflict.
	Save(ctx context.Context, steps ...engine.Step) error
	RunByID(ctx context.Context, id flow.RunID) (flow.Run, error)
	Unfinished(ctx context.Context) ([]flow.Run, error)
	Tasks(ctx context.Context, id flow.RunID) ([]flow.Task, error)
	Graph(ctx context.Context, key string) (flow.Graph, error)
	Version(ctx context.Context, wf flow.WorkflowID, v flow.VersionID) (flow.Version, error)
	Schedules
	Purger
	Pauser
}

// A Performer carries out attempts.
//
// Perform begins the attempt, or takes it up again after a restart of this
// process: it must not begin what has begun already. It returns when the
// attempt has ended, or rests. When ctx is done it must bring the attempt to
// its end and say so; except when the context that the conductor itself was
// given is done, whose cause says that attempts go on without us. An error
// means that we failed, not the attempt; Perform is then called again. A
// [lang.Pause] is no failure: its Resume is called in place of Perform.
//
// Forget is called when the end of an attempt is saved: what was kept for
// taking it up again may go.
type Performer interface {
	Perform(ctx context.Context, a lang.Attempt, tell lang.Tell) (flow.Outcome, error)
	Forget(a lang.Attempt)
}

// Settings are a deployment's limits on runs. Zero means no limit.
type Settings struct {
	MaxRuns        int // active runs in all: more are refused
	MaxWorkflow    int // active runs of one workflow: more are refused
	MaxRunning     int // runs under way in all: more are queued
	MaxRunDuration time.Duration
	Strict         bool // as in engine.Options
	// Terms says on what terms a run is let in; nil: those of its workflow.
	Terms func(ctx context.Context, r flow.Run) (Terms, error)
	// Reopen is asked before a run goes on that has ended, as it is saved, and
	// refuses that with an error, such as while its end is still dealt with.
	// Nil lets every run go on.
	Reopen func(ctx context.Context, r flow.Run) error
	// Grace is how late a schedule may still fire, after the server was down.
	Grace time.Duration
	// NewRun makes the run of a version that fires: its ID and Key. The rest
	// is filled in.
	NewRun func(v flow.Version, slot time.Time) flow.Run
}

// Terms are what a run is let in on, beside the limits of its workflow. The
// zero Terms are none.
type Terms struct {
	// Group, GroupLimit and Priority are as in [engine.Candidate].
	Group      string
	GroupLimit int
	Priority   int
	// MaxDuration ends the run when it takes longer, if that is less than what
	// all runs may take; zero is no bound.
	MaxDuration time.Duration
}

// A Conductor owns the active runs of a deployment.
type Conductor struct {
	store     Store
	performer Performer
	set       Settings
	log       *slog.Logger
	onStep    func(engine.Step)
	clock     *clock
	born      time.Time // with a reading of the monotonic clock

	mu     sync.Mutex
	runs   map[flow.RunID]*run
	gate   engine.Gate
	graphs map[string]*flow.Graph   // of recent runs
	going  map[flow.WorkflowID]bool // being removed
	// pausing is held while a pause changes, so that what is known and what
	// is saved change together; it is taken before mu.
	pausing sync.Mutex
	// pauses says by whom what is paused; the gate holds the same.
	pauses      map[flow.WorkflowID]string
	lastRelease string // who ended the last pause
	// doubt says that a write had no answer: what it saved has perhaps nobody
	// who sees to it.
	doubt bool
	// launched are the runs that were launched since a sweep began; nil while
	// there is none.
	launched map[flow.RunID]bool
	wg       crew
	epochs   atomic.Int64    // that there were, of all runs
	regroups atomic.Int64    // how often the terms of a group have changed
	ctx      context.Context // of all loops; set by Resume
}

// New returns a conductor that is asleep until [Conductor.Resume]. onStep,
// if not nil, is told each step after it is saved, from the goroutine that
// owns the run, or that fails one that cannot be taken up: it must not block.
func New(s Store, p Performer, set Settings, log *slog.Logger, onStep func(engine.Step)) *Conductor {
	c := &Conductor{
		store: s, performer: p, set: set, log: log, onStep: onStep,
		runs: map[flow.RunID]*run{}, graphs: map[string]*flow.Graph{}, going: map[flow.WorkflowID]bool{},
		pauses: map[flow.WorkflowID]string{},
		gate:   engine.Gate{Limit: set.MaxRunning},
		born:   time.Now(),
	}
	c.clock = newClock(c)
	return c
}

// Resume takes up every run that has not ended, and begins to fire
// schedules. Everything stops when ctx is done, whose cause tells performers
// to let their attempts go; [Conductor.Wait] returns after that.
func (c *Conductor) Resume(ctx context.Context) error {
	c.ctx = ctx
	open, err := c.store.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("resume runs: %w", err)
	}
	if err := c.resumePauses(ctx); err != nil {
		return err
	}
	// Those that have begun count at the gate before others ask.
	slices.SortStableFunc(open, func(a, b flow.Run) int { return begun(b) - begun(a) })
	for _, row := range open {
		if err := c.takeUp(ctx, row); err != nil {
			return err
		}
	}
	if len(open) > 0 {
		c.log.InfoContext(ctx, "resumed", "runs", len(open))
	}
	if err := c.resumeDeletes(ctx); err != nil {
		return err
	}
	if err := c.resumeSchedules(ctx); err != nil {
		return err
	}
	c.wg.Go(func() { c.clock.loop(ctx) })
	return nil
}

// takeUp resumes a run, or ends it if it cannot be.
func (c *Conductor) takeUp(ctx context.Context, row flow.Run) error {
	killpoint.At("resume")
	err := c.resume(ctx, row)
	if err == nil {
		return nil
	}
	// One bad run must not keep the others; but a store that cannot be read
	// says nothing about the run.
	if !errors.Is(err, errUnfit) && flow.KindOf(err) != flow.NotFound {
		return err
	}
	c.bury(ctx, row, err)
	return nil
}

func begun(r flow.Run) int {
	if r.Started.IsZero() {
		return 0
	}
	return 1
}

func (c *Conductor) resume(ctx context.Context, row flow.Run) error {
	tasks, err := c.store.Tasks(ctx, row.ID)
	if err != nil {
		return fmt.Errorf("resume run %s: %w", row.ID, err)
	}
	maxRuns := 0 // a run of no version has no limit
	if row.Version != "" {
		v, err := c.store.Version(ctx, row.Workflow, row.Version)
		if err != nil && flow.KindOf(err) != flow.NotFound {
			return fmt.Errorf("resume run %s: %w", row.ID, err)
		}
		maxRuns = v.MaxRuns
		if err != nil {
			maxRuns = 1 // the version is gone; be careful
		}
	}
	return c.launch(ctx, row, tasks, maxRuns, nil)
}

// errUnfit is what a run is whose rows do not fit its graph.
var errUnfit = errors.New("the run's rows cannot be restored")

// bury ends a run that cannot be taken up.
func (c *Conductor) bury(ctx context.Context, row flow.Run, cause error) {
	c.log.ErrorContext(ctx, "a run cannot be taken up and is failed", "run", row.ID, "err", cause)
	now := time.Now()
	was := row.State
	row.State, row.Reason, row.Ended, row.Modified = flow.Failed, "The run could not be loaded: internal error", now, now
	row.Rev++
	step := engine.Step{Run: row, Entry: flow.Entry{
		Run: row.ID, Seq: row.Rev, At: now, What: "buried", Detail: []byte("{}"),
		Moves: []flow.Move{{From: was, State: flow.Failed, Started: row.Started, Ended: now, Reason: row.Reason}},
	}}
	if err := c.store.Save(ctx, step); err != nil {
		c.log.ErrorContext(ctx, "fail a run", "run", row.ID, "err", err)
		return
	}
	if c.onStep != nil {
		c.onStep(step)
	}
}

// Wait returns when every run has ended or let go.
func (c *Conductor) Wait() { c.wg.Wait() }

// A StartRequest asks for a run.
type StartRequest struct {
	Run     flow.Run // Graph, Version and the rest filled in; State Starting
	MaxRuns int      // of the version
	Token   flow.Token
}

// Start saves a new run and sets it going. When it returns, the run is never
// forgotten. A token seen before gives the run that it began.
func (c *Conductor) Start(ctx context.Context, req StartRequest) (flow.Run, error) {
	if _, err := c.graph(ctx, req.Run.Graph); err != nil {
		return flow.Run{}, err
	}
	row, created, err := c.store.InsertRun(ctx, req.Run, req.Token, c.set.MaxWorkflow, c.set.MaxRuns)
	if err != nil {
		c.doubted(err)
		c.clock.wake()
		return row, err
	}
	if !created {
		// The token is known. Should its first answer have been lost with the
		// launch, the run is taken up now.
		if !row.State.Final() && !c.has(row.ID) {
			err = c.resume(c.ctx, row)
		}
		return row, err
	}
	killpoint.At("run inserted")
	c.setGoing(ctx, row, req.MaxRuns)
	return row, nil
}

// setGoing launches a run that was saved just now. If that fails the clock
// takes it up.
func (c *Conductor) setGoing(ctx context.Context, row flow.Run, maxRuns int) {
	if err := c.launch(c.ctx, row, nil, maxRuns, nil); err != nil {
		c.log.ErrorContext(ctx, "launch", "run", row.ID, "err", err)
		c.unseen()
		c.clock.wake()
	}
}

// terms returns on what terms a run is let in, and its limits.
func (c *Conductor) terms(ctx context.Context, row flow.Run) (Terms, engine.Options, error) {
	o := engine.Options{MaxDuration: c.set.MaxRunDuration, Strict: c.set.Strict}
	if c.set.Terms == nil {
		return Terms{}, o, nil
	}
	t, err := c.set.Terms(ctx, row)
	if err != nil {
		return t, o, fmt.Errorf("terms of run %s: %w", row.ID, err)
	}
	o.MaxDuration = c.longest(t.MaxDuration)
	return t, o, nil
}

// longest returns how long a run may take that a group lets take so long.
func (c *Conductor) longest(group time.Duration) time.Duration {
	all := c.set.MaxRunDuration
	if group > 0 && (all == 0 || group < all) {
		return group
	}
	return all
}

// Regroup has new terms of a group heeded by its runs, those that wait and those
// under way: how many may be under way at once, and how long each may take.
func (c *Conductor) Regroup(group string, limit int, longest time.Duration) {
	c.mu.Lock()
	c.regroups.Add(1)
	admitted := c.named(c.gate.Regroup(group, limit))
	var of []*run
	for _, r := range c.runs {
		if r.group == group {
			of = append(of, r)
		}
	}
	c.mu.Unlock()
	for _, r := range of {
		r.send(c.ctx, message{tune: func() {
			r.options.MaxDuration = c.longest(longest)
			r.eng.Bound(r.options.MaxDuration)
		}})
	}
	c.begin(admitted)
}

func (c *Conductor) has(id flow.RunID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[id] != nil
}

// launch gives the run a goroutine. It is at the gate unless it has begun. A
// run that has ended is launched with a wish, which may let it go on.
func (c *Conductor) launch(ctx context.Context, row flow.Run, tasks []flow.Task, maxRuns int, wish *message) error {
	g, err := c.graph(ctx, row.Graph)
	if err != nil {
		return fmt.Errorf("run %s: %w", row.ID, err)
	}
	regroups := c.regroups.Load()
	terms, options, err := c.terms(ctx, row)
	if err != nil {
		return err
	}
	er, err := engine.Restore(row, g, tasks, options)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	c.mu.Lock()
	if c.regroups.Load() != regroups { // the terms may be those from before
		c.mu.Unlock()
		return c.launch(ctx, row, tasks, maxRuns, wish)
	}
	defer c.mu.Unlock()
	if c.runs[row.ID] != nil {
		if wish != nil {
			return errTaken
		}
		return nil
	}
	if c.launched != nil {
		if c.launched[row.ID] && wish == nil {
			return nil // and it has ended since row was read
		}
		c.launched[row.ID] = true
	}
	r := &run{c: c, id: row.ID, wf: row.Workflow, group: terms.Group, options: options, eng: er, graph: g, inbox: make(chan message, 64), inflight: map[flow.TaskID]*inflight{}, epoch: c.epochs.Add(1)}
	c.runs[row.ID] = r
	cand := engine.Candidate{
		Run: row.ID, Workflow: row.Workflow, Limit: maxRuns, Group: terms.Group, GroupLimit: terms.GroupLimit, Priority: terms.Priority,
	}
	switch {
	case wish != nil:
		c.gate.Enter(cand)
		r.first = engine.Tick{}
		if c.gate.Held(row.Workflow) && !row.Held && er.Refuse(wish.ev) == nil { // before what it reopens begins
			r.opening = []message{c.holding(row.Workflow)}
		}
		r.opening = append(r.opening, *wish)
	case er.Begun() || row.State == flow.Stopping:
		c.gate.Enter(cand)
		r.first = engine.Tick{}
		if c.gate.Held(row.Workflow) && !row.Held { // before the first task of this life begins
			r.opening = []message{c.holding(row.Workflow)}
		}
	case c.gate.Ask(cand):
		r.first = engine.Begin{}
	default:
		r.first = engine.Queue{}
	}
	if wish == nil {
		r.opening = append(r.opening, message{ev: engine.Event{At: time.Now(), What: r.first}})
	}
	c.wg.Go(func() { r.loop(c.ctx) })
	return nil
}

// graph returns a saved graph; runs of one version share it.
func (c *Conductor) graph(ctx context.Context, key string) (*flow.Graph, error) {
	c.mu.Lock()
	g := c.graphs[key]
	c.mu.Unlock()
	if g != nil {
		return g, nil
	}
	loaded, err := c.store.Graph(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("load graph %s: %w", key, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.graphs[key]; g != nil {
		return g, nil
	}
	if len(c.graphs) >= maxGraphs {
		clear(c.graphs) // active runs keep theirs
	}
	c.graphs[key] = &loaded
	return &loaded, nil
}

// maxGraphs bounds how many graphs are kept for the next run.
const maxGraphs = 256

// leave takes an ended run off the books and begins those that waited for it.
func (c *Conductor) leave(id flow.RunID) {
	c.mu.Lock()
	delete(c.runs, id)
	next := c.named(c.gate.Leave(id))
	c.mu.Unlock()
	c.begin(next)
}

// named returns the active runs of the given ids; c.mu is held.
func (c *Conductor) named(ids []flow.RunID) []*run {
	var runs []*run
	for _, id := range ids {
		if r := c.runs[id]; r != nil {
			runs = append(runs, r)
		}
	}
	return runs
}

// begin tells runs that the gate has let in to begin.
func (c *Conductor) begin(runs []*run) {
	for _, r := range runs {
		r.send(c.ctx, message{ev: engine.Event{At: time.Now(), What: engine.Begin{}}})
	}
}

// Stop asks a run to end, and returns its row when the request is saved. A
// run that has ended is returned as it is.
func (c *Conductor) Stop(ctx context.Context, id flow.RunID, by string) (flow.Run, error) {
	c.mu.Lock()
	r := c.runs[id]
	c.mu.Unlock()
	if r != nil {
		row, err := r.ask(ctx, engine.Event{At: time.Now(), What: engine.Stop{By: by}})
		if err == nil || !errors.Is(err, errGone) {
			return row, err
		}
	}
	row, err := c.store.RunByID(ctx, id)
	if err == nil && !row.State.Final() {
		return row, flow.Errorf(flow.Busy, "run %s is not active on this server", id)
	}
	return row, err
}

// Active returns the ids of the runs of a workflow that have not ended; of
// all workflows if wf is empty.
func (c *Conductor) Active(wf flow.WorkflowID) []flow.RunID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.active(wf)
}

// active is Active for whoever holds c.mu.
func (c *Conductor) active(wf flow.WorkflowID) []flow.RunID {
	var ids []flow.RunID
	for id, r := range c.runs {
		if wf == "" || r.wf == wf {
			ids = append(ids, id)
		}
	}
	return ids
}

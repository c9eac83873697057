package conductor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
	"fairlead/internal/store"
)

var errDetach = errors.New("the server goes, attempts stay")

// A world has processes in it that outlive conductors, as real ones do. What
// a process does is in its task's action: "ok 3s", "fail 1s", "fail-first
// 1s", "rest 10s 3" (rest for 10s, done at the third look), "hang".
type world struct {
	mu        sync.Mutex
	processes map[string]*process
	started   map[string]int // by attempt, how often it was begun
	ended     []string       // that were told to end
}

type process struct {
	done chan struct{}
	kill chan struct{}
	out  flow.Outcome
}

func newWorld() *world {
	return &world{processes: map[string]*process{}, started: map[string]int{}}
}

func (w *world) Perform(ctx context.Context, a lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	id := fmt.Sprintf("%s/%s#%d.%d", a.Run.ID, a.Task.ID, a.Task.Attempt, a.Task.Pokes)
	if context.Cause(ctx) == errDetach {
		return flow.Outcome{}, errDetach
	}
	w.mu.Lock()
	p := w.processes[id]
	if p == nil {
		if ctx.Err() != nil {
			w.mu.Unlock()
			return flow.Outcome{Verdict: flow.Failure, Reason: "never began"}, nil
		}
		p = w.begin(id, a)
	}
	w.mu.Unlock()
	if err := tell.Started(id); err != nil {
		return flow.Outcome{}, err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if context.Cause(ctx) == errDetach {
			return flow.Outcome{}, errDetach
		}
		w.mu.Lock()
		w.ended = append(w.ended, id)
		w.mu.Unlock()
		select {
		case p.kill <- struct{}{}:
		case <-p.done:
		}
		<-p.done
	}
	return p.out, nil
}

func (w *world) Forget(lang.Attempt) {}

// begin starts a process; w.mu is held.
func (w *world) begin(id string, a lang.Attempt) *process {
	w.started[id]++
	p := &process{done: make(chan struct{}), kill: make(chan struct{})}
	w.processes[id] = p
	var script string
	_ = json.Unmarshal(a.Node.Action, &script)
	go func() {
		defer close(p.done)
		f := strings.Fields(script)
		var d time.Duration
		if len(f) > 1 {
			d, _ = time.ParseDuration(f[1])
		}
		if f[0] == "rest" {
			d = time.Second
		}
		after := time.After(d)
		if f[0] == "hang" {
			after = nil
		}
		select {
		case <-p.kill:
			p.out = flow.Outcome{Verdict: flow.Failure, Reason: "killed"}
			return
		case <-after:
		}
		switch {
		case f[0] == "fail", f[0] == "fail-first" && a.Task.Attempt == 1:
			p.out = flow.Outcome{Verdict: flow.Failure, Reason: "it failed"}
		case f[0] == "rest" && fmt.Sprint(a.Task.Pokes+1) != f[2]:
			rest, _ := time.ParseDuration(f[1])
			p.out = flow.Outcome{Verdict: flow.Rest, Until: time.Now().Add(rest)}
		default:
			p.out = flow.Outcome{Verdict: flow.Success, Outputs: map[string]json.RawMessage{"return_value": json.RawMessage(`"x"`)}}
		}
	}()
	return p
}

// graph makes a graph of specs "id script after=a+b retries=n delay=d".
func graph(specs ...string) flow.Graph {
	var g flow.Graph
	for _, s := range specs {
		id, rest, _ := strings.Cut(s, " ")
		n := flow.Node{ID: flow.TaskID(id)}
		var script []string
		for _, f := range strings.Fields(rest) {
			k, v, ok := strings.Cut(f, "=")
			switch {
			case !ok:
				script = append(script, f)
			case k == "after":
				for up := range strings.SplitSeq(v, "+") {
					n.After = append(n.After, flow.TaskID(up))
				}
			case k == "retries":
				fmt.Sscan(v, &n.Retries)
			case k == "delay":
				n.Delay, _ = time.ParseDuration(v)
			case k == "timeout":
				n.Timeout, _ = time.ParseDuration(v)
			case k == "when":
				n.When = flow.Rule(v)
			case k == "noop":
				n.Noop = true
			}
		}
		n.Action, _ = json.Marshal(strings.Join(script, " "))
		g.Nodes = append(g.Nodes, n)
	}
	return g
}

// A deployment is a store, a world and, at any time, one conductor.
type deployment struct {
	t     *testing.T
	db    *store.DB
	world *world
	c     *conductor.Conductor
	stop  context.CancelCauseFunc
	set   conductor.Settings
	v     flow.Version
	n     int
}

func deploy(t *testing.T, g flow.Graph, maxRuns int, set conductor.Settings) *deployment {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "rows.db"))
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{t: t, db: db, world: newWorld(), set: set}
	d.set.NewRun = func(flow.Version, time.Time) flow.Run {
		d.n++
		return flow.Run{ID: flow.RunID(fmt.Sprint("scheduled", d.n)), Key: fmt.Sprint("k", d.n)}
	}
	key, err := db.PutGraph(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	w := flow.Workflow{ID: "w-1", Name: "w", Created: now, Modified: now, Settings: json.RawMessage("{}")}
	v := flow.Version{ID: "v1", Workflow: w.ID, Graph: key, MaxRuns: maxRuns, Created: now, Settings: json.RawMessage("{}")}
	if _, d.v, _, err = db.CreateWorkflow(t.Context(), w, v, flow.Token{}, 0); err != nil {
		t.Fatal(err)
	}
	d.serve(db)
	return d
}

// serve starts a conductor over s.
func (d *deployment) serve(s conductor.Store) {
	d.t.Helper()
	ctx, stop := context.WithCancelCause(context.Background())
	d.stop = stop
	d.c = conductor.New(s, d.world, d.set, slog.New(slog.DiscardHandler), nil)
	if err := d.c.Resume(ctx); err != nil && ctx.Err() == nil {
		d.t.Fatal(err)
	}
}

// crash ends the conductor; processes go on.
func (d *deployment) crash() {
	d.stop(errDetach)
	d.c.Wait()
}

func (d *deployment) close() {
	d.crash()
	if err := d.db.Close(); err != nil {
		d.t.Error(err)
	}
	d.world.mu.Lock()
	defer d.world.mu.Unlock()
	for _, p := range d.world.processes { // a synctest bubble must end empty
		select {
		case <-p.done:
		case p.kill <- struct{}{}:
		}
	}
}

func (d *deployment) start(id string) flow.Run {
	d.t.Helper()
	now := time.Now()
	r, err := d.c.Start(d.t.Context(), conductor.StartRequest{MaxRuns: d.v.MaxRuns, Run: flow.Run{
		ID: flow.RunID(id), Key: "key-" + id, Workflow: d.v.Workflow, Version: d.v.ID, Graph: d.v.Graph,
		Kind: flow.OnDemand, State: flow.Starting, Logical: now, Created: now, Modified: now,
	}})
	if err != nil {
		d.t.Fatalf("start %s: %v", id, err)
	}
	return r
}

// describe renders a run and its tasks as rows.
func (d *deployment) describe(id string) string {
	r, err := d.db.RunByID(d.t.Context(), flow.RunID(id))
	if err != nil {
		d.t.Fatal(err)
	}
	tasks, err := d.db.Tasks(d.t.Context(), r.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	parts := []string{string(r.State) + ":"}
	for _, t := range tasks {
		parts = append(parts, fmt.Sprintf("%s=%s#%d", t.ID, t.State, t.Attempt))
	}
	return strings.Join(parts, " ")
}

// settle lets time pass until the run has ended.
func (d *deployment) settle(id string) string {
	d.t.Helper()
	for range 2000 {
		synctest.Wait()
		r, err := d.db.RunByID(d.t.Context(), flow.RunID(id))
		if err != nil {
			d.t.Fatal(err)
		}
		if r.State.Final() {
			return d.describe(id)
		}
		time.Sleep(time.Second)
	}
	d.t.Fatalf("run %s does not end: %s", id, d.describe(id))
	return ""
}

func (d *deployment) want(got, want string) {
	d.t.Helper()
	if got != want {
		d.t.Errorf("\n got %s\nwant %s", got, want)
	}
}

var everything = []string{
	"first ok 1s",
	"flaky fail-first 2s after=first retries=2 delay=30s",
	"sensor rest 10s 3 after=first",
	"slow hang after=first timeout=20s",
	"nothing noop=1 after=flaky",
	"left ok 1s after=nothing+sensor",
	"right ok 2s after=nothing+sensor",
	"cleanup ok 1s after=left+right+slow when=all_done",
}

const everythingEnds = "succeeded: first=succeeded#1 flaky=succeeded#2 sensor=succeeded#1 slow=timedout#1 " +
	"nothing=succeeded#1 left=succeeded#1 right=succeeded#1 cleanup=succeeded#1"

func TestRunToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph(everything...), 0, conductor.Settings{})
		defer d.close()
		d.start("r")
		d.want(d.settle("r"), everythingEnds)
	})
}

// A crashing store stops working at its n-th save: before the save, or just
// after it, when the caller does not learn of it any more.
type crashing struct {
	*store.DB
	left  int
	after bool
	crash func()
	mu    sync.Mutex
}

var errCrash = errors.New("the server has crashed")

func (c *crashing) Save(ctx context.Context, steps ...engine.Step) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left > 0 {
		return c.DB.Save(ctx, steps...)
	}
	if c.left == 0 {
		if c.after {
			if err := c.DB.Save(ctx, steps...); err != nil {
				return err
			}
		}
		c.crash()
	}
	return errCrash
}

// TestCrashAnywhere crashes the conductor at each of its saves in turn,
// before and after, and lets another finish the run: it must end the same,
// and no attempt may have begun twice.
func TestCrashAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			var crashed atomic.Bool
			synctest.Test(t, func(t *testing.T) {
				d := deploy(t, graph(everything...), 0, conductor.Settings{})
				defer d.close()
				d.crash()
				d.serve(&crashing{DB: d.db, left: n, after: after, crash: func() {
					crashed.Store(true)
					d.stop(errDetach)
				}})
				d.start("r")
				time.Sleep(time.Hour)
				if crashed.Load() {
					d.c.Wait()
					d.serve(d.db)
				}
				if got := d.settle("r"); got != everythingEnds {
					t.Errorf("crash %d (after=%v):\n got %s\nwant %s", n, after, got, everythingEnds)
				}
				for id, times := range d.world.started {
					if times != 1 {
						t.Errorf("crash %d (after=%v): attempt %s began %d times", n, after, id, times)
					}
				}
			})
			if !crashed.Load() {
				if n < 15 {
					t.Errorf("only %d saves: the scenario is too small to tell", n-1)
				}
				break
			}
		}
	}
}

// A flaky store fails every third save without a crash.
type flaky struct {
	*store.DB
	mu sync.Mutex
	n  int
}

func (f *flaky) Save(ctx context.Context, steps ...engine.Step) error {
	f.mu.Lock()
	f.n++
	n := f.n
	f.mu.Unlock()
	switch n % 3 {
	case 1:
		return errors.New("disk is busy")
	case 2: // it is saved, and nobody learns of it
		if err := f.DB.Save(ctx, steps...); err != nil {
			return err
		}
		return errors.New("connection lost")
	}
	return f.DB.Save(ctx, steps...)
}

func TestFailedSavesAreNotActedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph(everything...), 0, conductor.Settings{})
		defer d.close()
		d.crash()
		d.serve(&flaky{DB: d.db})
		d.start("r")
		d.want(d.settle("r"), everythingEnds)
		for id, times := range d.world.started {
			if times != 1 {
				t.Errorf("attempt %s began %d times", id, times)
			}
		}
	})
}

func TestStopEndsAttemptsAndWaitsForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a hang", "b ok 1s after=a"), 0, conductor.Settings{})
		defer d.close()
		d.start("r")
		time.Sleep(time.Second)
		row, err := d.c.Stop(t.Context(), "r", "test")
		if err != nil || row.State != flow.Stopping && row.State != flow.Canceled {
			t.Errorf("Stop: got %s, %v, want stopping", row.State, err)
		}
		d.want(d.settle("r"), "canceled: a=canceled#1 b=canceled#0")
		if len(d.world.ended) != 1 {
			t.Errorf("ended %v, want one attempt", d.world.ended)
		}
		row, err = d.c.Stop(t.Context(), "r", "test")
		if err != nil || row.State != flow.Canceled {
			t.Errorf("Stop after the end: got %s, %v, want the row as it is", row.State, err)
		}
	})
}

func TestAStopIsNotForgottenByACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a hang"), 0, conductor.Settings{})
		defer d.close()
		d.start("r")
		time.Sleep(time.Second)
		d.crash()
		d.serve(&crashing{DB: d.db, left: 2, crash: func() { d.stop(errDetach) }})
		time.Sleep(time.Second)
		if _, err := d.c.Stop(t.Context(), "r", "test"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		d.c.Wait()
		d.serve(d.db)
		d.want(d.settle("r"), "canceled: a=canceled#1")
	})
}

func TestMaxRunsQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 10s"), 2, conductor.Settings{})
		defer d.close()
		for _, id := range []string{"r1", "r2", "r3", "r4"} {
			d.start(id)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		var states []string
		for _, id := range []string{"r1", "r2", "r3", "r4"} {
			states = append(states, strings.Fields(d.describe(id))[0])
		}
		d.want(strings.Join(states, " "), "running: running: ready: ready:")
		d.crash() // the queue outlives the server
		d.serve(d.db)
		for _, id := range []string{"r1", "r2", "r3", "r4"} {
			d.want(d.settle(id), "succeeded: a=succeeded#1")
		}
	})
}

// TestTermsOfAGroup holds that runs of a group are let in by its limit and their
// priority, also after a restart, and take no longer than they may.
func TestTermsOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 10s"), 0, conductor.Settings{
			Terms: func(_ context.Context, r flow.Run) (conductor.Terms, error) {
				terms := conductor.Terms{Group: "g", GroupLimit: 1}
				switch r.ID {
				case "r3":
					terms.Priority = 5
				case "r4":
					terms.MaxDuration = 4 * time.Second
				}
				return terms, nil
			},
		})
		defer d.close()
		all := []string{"r1", "r2", "r3", "r4"}
		for _, id := range all {
			d.start(id)
			time.Sleep(time.Millisecond)
		}
		states := func() string {
			synctest.Wait()
			var out []string
			for _, id := range all {
				out = append(out, strings.Fields(d.describe(id))[0])
			}
			return strings.Join(out, " ")
		}
		time.Sleep(time.Second)
		d.want(states(), "running: ready: ready: ready:")
		d.crash()
		d.serve(d.db)
		time.Sleep(12 * time.Second)
		d.want(states(), "succeeded: ready: running: ready:")
		for _, id := range all[:3] {
			d.want(d.settle(id), "succeeded: a=succeeded#1")
		}
		if got := d.settle("r4"); !strings.HasPrefix(got, "timedout:") {
			t.Errorf("the run that may take 4s ended as %s, want timedout", got)
		}
	})
}

// TestTermsOfAGroupChange holds that new terms of a group are heeded at once by
// what waits and by what is under way.
func TestTermsOfAGroupChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 10s"), 0, conductor.Settings{
			Terms: func(context.Context, flow.Run) (conductor.Terms, error) {
				return conductor.Terms{Group: "g", GroupLimit: 1}, nil
			},
		})
		defer d.close()
		for _, id := range []string{"r1", "r2", "r3"} {
			d.start(id)
			time.Sleep(time.Millisecond)
		}
		states := func() string {
			synctest.Wait()
			var out []string
			for _, id := range []string{"r1", "r2", "r3"} {
				out = append(out, strings.Fields(d.describe(id))[0])
			}
			return strings.Join(out, " ")
		}
		d.want(states(), "running: ready: ready:")
		d.c.Regroup("other", 5, time.Second)
		d.want(states(), "running: ready: ready:")
		time.Sleep(5 * time.Second)
		d.c.Regroup("g", 2, 8*time.Second)
		d.want(states(), "running: running: ready:")
		time.Sleep(4 * time.Second)
		d.want(states(), "timedout: running: running:")
		d.c.Regroup("g", 0, 0)
		time.Sleep(10 * time.Second)
		d.want(states(), "timedout: succeeded: succeeded:")
	})
}

func TestScheduleFiresEachSlotOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{Grace: 10 * time.Minute})
		defer d.close()
		v := flow.Version{
			ID: "v2", Workflow: d.v.Workflow, Graph: d.v.Graph, MaxRuns: 16, Created: time.Now(),
			Settings: json.RawMessage("{}"), Schedule: &flow.Schedule{Expr: "*/5 * * * *"},
		}
		if _, err := d.db.AddVersion(t.Context(), v, 0, func(*flow.Workflow) {}); err != nil {
			t.Fatal(err)
		}
		if err := d.c.WorkflowChanged(t.Context(), v.Workflow); err != nil {
			t.Fatal(err)
		}
		begin := time.Now() // synctest: midnight
		time.Sleep(21 * time.Minute)
		d.crash()
		time.Sleep(58 * time.Minute) // slots from :25 to :15 are missed; the last is within the grace
		d.serve(d.db)
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		rows, _, err := d.db.Runs(t.Context(), v.Workflow, "", flow.Page{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rows {
			got = append(got, r.Logical.Sub(begin).String())
			if r.Kind != flow.Scheduled || r.Version != "v2" {
				t.Errorf("run %s: kind %s of version %s", r.ID, r.Kind, r.Version)
			}
		}
		slices.Reverse(got)
		d.want(strings.Join(got, " "), "5m0s 10m0s 15m0s 20m0s 1h15m0s 1h20m0s 1h25m0s 1h30m0s")
	})
}

func TestDeleteStopsRunsAndRemovesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a hang"), 0, conductor.Settings{})
		defer d.close()
		d.start("r")
		time.Sleep(time.Second)
		if _, err := d.db.MarkDeleting(t.Context(), d.v.Workflow); err != nil {
			t.Fatal(err)
		}
		if err := d.c.DeleteWorkflow(t.Context(), d.v.Workflow); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, err := d.db.Workflow(t.Context(), d.v.Workflow); flow.KindOf(err) != flow.NotFound {
			t.Errorf("after the deletion: got %v, want NotFound", err)
		}
		if len(d.world.ended) != 1 {
			t.Errorf("ended %v, want the attempt of the run", d.world.ended)
		}
	})
}

// A store that loses the first save of a beginning.
type loseBegin struct {
	*store.DB
	mu   sync.Mutex
	lost map[flow.RunID]bool
}

func (l *loseBegin) Save(ctx context.Context, steps ...engine.Step) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range steps {
		if s.Entry.What == "begin" && !l.lost[s.Run.ID] {
			l.lost[s.Run.ID] = true
			return errors.New("disk is busy")
		}
	}
	return l.DB.Save(ctx, steps...)
}

func TestABeginThatIsNotSavedIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 10s"), 1, conductor.Settings{})
		defer d.close()
		d.crash()
		d.serve(&loseBegin{DB: d.db, lost: map[flow.RunID]bool{}})
		for _, id := range []string{"r1", "r2", "r3"} {
			d.start(id)
		}
		for _, id := range []string{"r1", "r2", "r3"} {
			d.want(d.settle(id), "succeeded: a=succeeded#1")
		}
	})
}

// TestStopAtTheEnd stops runs at the moment they end: every stop must be
// answered.
func TestStopAtTheEnd(t *testing.T) {
	d := deploy(t, graph("a ok 0s"), 0, conductor.Settings{})
	defer d.close()
	for n := range 20 {
		id := fmt.Sprint("r", n)
		d.start(id)
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				if _, err := d.c.Stop(ctx, flow.RunID(id), "test"); err != nil && flow.KindOf(err) != flow.Busy {
					t.Errorf("stop %s: %v", id, err)
				}
			})
		}
		wg.Wait()
	}
}

// A performer that cannot say how an attempt fares, until it is told to end
// it.
type blind struct {
	*world
	ended chan struct{}
}

func (b blind) Perform(ctx context.Context, _ lang.Attempt, _ lang.Tell) (flow.Outcome, error) {
	if context.Cause(ctx) == errDetach {
		return flow.Outcome{}, errDetach
	}
	if ctx.Err() != nil {
		close(b.ended)
		return flow.Outcome{Verdict: flow.Failure, Reason: "ended"}, nil
	}
	return flow.Outcome{}, flow.Errorf(flow.Busy, "the driver does not answer")
}

func TestAnAttemptIsEndedBeforeItIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{})
		defer d.close()
		d.crash()
		b := blind{d.world, make(chan struct{})}
		ctx, stop := context.WithCancelCause(context.Background())
		d.stop = stop
		d.c = conductor.New(d.db, b, d.set, slog.New(slog.DiscardHandler), nil)
		if err := d.c.Resume(ctx); err != nil {
			t.Fatal(err)
		}
		d.start("r")
		d.want(d.settle("r"), "failed: a=failed#1")
		select {
		case <-b.ended:
		default:
			t.Error("the attempt was given up, and nobody was told to end it")
		}
		tasks, err := d.db.Tasks(t.Context(), "r")
		if err != nil || len(tasks) != 1 || !strings.Contains(tasks[0].Reason, "the driver does not answer") {
			t.Errorf("an attempt that was given up: got %+v, %v; want the reason", tasks, err)
		}
	})
}

// A store that is away until a moment, as a database is that starts again,
// and a performer that reads it.
type away struct {
	*store.DB
	*world
	until time.Time
}

func (a away) RunByID(ctx context.Context, id flow.RunID) (flow.Run, error) {
	if time.Now().Before(a.until) {
		return flow.Run{}, errLost
	}
	return a.DB.RunByID(ctx, id)
}

func (a away) Perform(ctx context.Context, at lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	if time.Now().Before(a.until) {
		return flow.Outcome{}, errLost
	}
	return a.world.Perform(ctx, at, tell)
}

// TestAnAttemptOutlastsAStoreThatIsAway checks that a task without retries
// does not fail because the database is started again while it begins.
func TestAnAttemptOutlastsAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{})
		defer d.close()
		d.crash()
		a := away{d.db, d.world, time.Now().Add(5 * time.Minute)}
		ctx, stop := context.WithCancelCause(context.Background())
		d.stop = stop
		d.c = conductor.New(a, a, d.set, slog.New(slog.DiscardHandler), nil)
		if err := d.c.Resume(ctx); err != nil {
			t.Fatal(err)
		}
		d.start("r")
		d.want(d.settle("r"), "succeeded: a=succeeded#1")
	})
}

// A store that cannot be read for a moment.
type unread struct{ *store.DB }

func (unread) Tasks(context.Context, flow.RunID) ([]flow.Task, error) {
	return nil, errors.New("disk is busy")
}

// TestAStoreThatCannotBeReadFailsNoRun checks that a start which cannot read
// a run leaves it to the next.
func TestAStoreThatCannotBeReadFailsNoRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 10m"), 0, conductor.Settings{})
		defer d.close()
		d.start("r")
		time.Sleep(time.Second)
		d.crash()
		ctx, cancel := context.WithCancel(context.Background())
		c := conductor.New(unread{d.db}, d.world, d.set, slog.New(slog.DiscardHandler), nil)
		if err := c.Resume(ctx); err == nil {
			t.Error("Resume of a store that cannot be read: got nil, want an error")
		}
		cancel()
		c.Wait()
		d.serve(d.db)
		d.want(d.settle("r"), "succeeded: a=succeeded#1")
	})
}

// A store that breaks off while it saves the first step of a run: most of the
// tasks have rows then, and the run has not begun.
type halfBegin struct {
	*store.DB
	crash func() // nil: only the first save breaks off
	done  atomic.Bool
}

func (h *halfBegin) Save(ctx context.Context, steps ...engine.Step) error {
	if steps[0].First && !h.done.Swap(true) {
		steps[0].Past = []flow.Attempt{{Task: "none", N: 1}} // refused, in the last of its writes
		err := h.DB.Save(ctx, steps...)
		if h.crash != nil {
			h.crash()
		}
		return err
	}
	return h.DB.Save(ctx, steps...)
}

func TestABeginThatIsHalfSavedIsSaidAgain(t *testing.T) {
	g := graph("a ok 1s")
	for i := range 2500 {
		g.Nodes = append(g.Nodes, flow.Node{ID: flow.TaskID(fmt.Sprint("n", i)), After: []flow.TaskID{"a"}, Noop: true})
	}
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash=%t", crash), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := deploy(t, g, 1, conductor.Settings{})
				defer d.close()
				d.crash()
				h := &halfBegin{DB: d.db}
				if crash {
					h.crash = func() { d.stop(errDetach) }
				}
				d.serve(h)
				d.start("r")
				synctest.Wait()
				if crash {
					tasks, err := d.db.Tasks(t.Context(), "r")
					if err != nil || len(tasks) == 0 || len(tasks) == len(g.Nodes) {
						t.Fatalf("after the crash: %d of %d tasks have rows, %v; want some", len(tasks), len(g.Nodes), err)
					}
					d.c.Wait()
					d.serve(d.db)
				}
				got := d.settle("r")
				if head := "succeeded: a=succeeded#1 n0=succeeded#1"; !strings.HasPrefix(got, head) || strings.Count(got, "=succeeded#1") != len(g.Nodes) {
					t.Errorf("got %.200s, want %s and so on", got, head)
				}
			})
		})
	}
}

// A store that saves, and whose answer is lost.
type unanswered struct {
	*store.DB
	mu   sync.Mutex
	lose bool
}

func (u *unanswered) lost() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	lost := u.lose
	u.lose = false
	return lost
}

var errLost = errors.New("connection lost")

func (u *unanswered) InsertRun(ctx context.Context, r flow.Run, tok flow.Token, a, b int) (flow.Run, bool, error) {
	row, created, err := u.DB.InsertRun(ctx, r, tok, a, b)
	if u.lost() {
		return flow.Run{}, false, errLost
	}
	return row, created, err
}

func (u *unanswered) FireSchedule(ctx context.Context, wf flow.WorkflowID, slot, next time.Time, r *flow.Run) (bool, error) {
	fired, err := u.DB.FireSchedule(ctx, wf, slot, next, r)
	if u.lost() {
		return false, errLost
	}
	return fired, err
}

func (u *unanswered) SetSchedule(ctx context.Context, wf flow.WorkflowID, v flow.VersionID, next time.Time) error {
	if u.lost() {
		return errLost // and nothing is saved
	}
	return u.DB.SetSchedule(ctx, wf, v, next)
}

func (u *unanswered) Pause(ctx context.Context, wf flow.WorkflowID, who string, at time.Time) error {
	err := u.DB.Pause(ctx, wf, who, at)
	if u.lost() {
		return errLost
	}
	return err
}

func (u *unanswered) Unpause(ctx context.Context, wf flow.WorkflowID) error {
	err := u.DB.Unpause(ctx, wf)
	if u.lost() {
		return errLost
	}
	return err
}

// TestWhatNobodySeesToIsTakenUp checks that a write whose answer is lost
// leaves nothing behind that waits for the next server.
func TestWhatNobodySeesToIsTakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{Grace: 10 * time.Minute})
		defer d.close()
		d.crash()
		u := &unanswered{DB: d.db}
		d.serve(u)
		lose := func() {
			u.mu.Lock()
			defer u.mu.Unlock()
			u.lose = true
		}
		now := time.Now()
		lose()
		if _, err := d.c.Start(t.Context(), conductor.StartRequest{Run: flow.Run{
			ID: "r", Key: "key", Workflow: d.v.Workflow, Version: d.v.ID, Graph: d.v.Graph,
			Kind: flow.OnDemand, State: flow.Starting, Logical: now, Created: now, Modified: now,
		}}); err == nil {
			t.Fatal("Start: got nil, want the error of the store")
		}
		d.want(d.settle("r"), "succeeded: a=succeeded#1")

		v := flow.Version{
			ID: "v2", Workflow: d.v.Workflow, Graph: d.v.Graph, Created: now, Settings: json.RawMessage("{}"),
			Schedule: &flow.Schedule{Expr: "*/5 * * * *"},
		}
		if _, err := d.db.AddVersion(t.Context(), v, 0, func(*flow.Workflow) {}); err != nil {
			t.Fatal(err)
		}
		lose()
		if err := d.c.WorkflowChanged(t.Context(), v.Workflow); err == nil {
			t.Fatal("WorkflowChanged: got nil, want the error of the store")
		}
		time.Sleep(time.Minute)
		lose() // the answer to the first fire
		time.Sleep(6 * time.Minute)
		d.want(d.settle("scheduled1"), "succeeded: a=succeeded#1")
	})
}

// TestAPauseIsAsItIsSaved checks that a pause, or its end, whose answer is
// lost is heeded without a second request.
func TestAPauseIsAsItIsSaved(t *testing.T) {
	for _, wf := range []flow.WorkflowID{"", "w-1"} {
		synctest.Test(t, func(t *testing.T) {
			d := deploy(t, graph("a ok 1m", "b ok 1m after=a"), 0, conductor.Settings{Grace: 10 * time.Minute})
			defer d.close()
			d.crash()
			u := &unanswered{DB: d.db}
			d.serve(u)
			d.start("r")
			u.mu.Lock()
			u.lose = true
			u.mu.Unlock()
			if err := d.c.Pause(t.Context(), wf, "ann"); err == nil {
				t.Fatal("Pause: got nil, want the error of the store")
			}
			time.Sleep(time.Hour)
			d.want(d.describe("r"), "running: a=succeeded#1 b=waiting#0")
			if w, _, _ := d.c.Why(t.Context(), "r", ""); w.Gate != flow.GatePaused {
				t.Errorf("pause of %q: the run waits for %v, want the pause", wf, w)
			}
			u.mu.Lock()
			u.lose = true
			u.mu.Unlock()
			if err := d.c.Unpause(t.Context(), wf, "ann"); err == nil {
				t.Fatal("Unpause: got nil, want the error of the store")
			}
			d.want(d.settle("r"), "succeeded: a=succeeded#1 b=succeeded#1")
		})
	}
}

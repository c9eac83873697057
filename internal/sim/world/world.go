// Package world is a small world for the server above the disk to live in: a
// store that can fail, be late and be cut short, processes that outlive the
// server, clients, an operator who starts it again, and a judge who knows
// what was promised. It runs the conductor as it is. What it draws comes from
// one seed; the order of goroutines and the time are not its own, but those
// of the machine that package sim gives it.
//
// The world relies on running on one thread that changes goroutines only
// where they wait: its state has no locks.
package world

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// Config is what a world is made from.
type Config struct {
	Seed uint64
	// Broken names a way in which the world breaks its own contract, to show
	// that the judge notices; empty for none.
	Broken string
	// Jump sets the wall clock forward or back.
	Jump func(time.Duration)
	// Fail is told the first violation and must not return.
	Fail func(what string)
	// Out gets the transcript, a line with each Write.
	Out io.Writer
}

// Broken lists the ways in which a world can break its contract.
func Broken() []string {
	return []string{
		"forget save", "half step", "forget token", "slot twice",
		"start twice", "deaf driver", "early answer",
	}
}

// odds are how likely each kind of trouble is, at each opportunity.
type odds struct {
	before, after, late, broken, crash, read, trouble float64
	slow, keeper, lies                                float64
}

// A World is one run of the simulation.
type World struct {
	cfg   Config
	rng   *rand.Rand
	epoch time.Time
	wg    sync.WaitGroup

	set  conductor.Settings
	odds odds
	// upTime and downTime bound how long a server lives and is missed.
	upTime, downTime time.Duration
	jumps            bool

	rows   *Rows
	server *server // the one that is up; nil while none is
	c      *conductor.Conductor
	stop   context.CancelCauseFunc
	n      int // servers so far
	up     time.Time

	processes map[string]*process
	starts    map[string]int
	reboot    chan struct{} // closed when the machine goes down
	calm      bool          // no more trouble
	calmed    chan struct{}
	trouble   time.Time // the last
	owing     int       // answers that are late
	ids       int
	line      []byte         // of the transcript, reused
	kinds     map[string]int // what happened how often, by kind
	// room is how many processes there may be at once, as on a machine with so
	// many processors; zero is no bound. crowded is when there last were as many.
	room    int
	crowded time.Time
	// groups are those of runs, by name; groupOf says which runs are in one, and
	// priority how urgent they are. They are as durable as rows.
	groups   map[string]*runGroup
	groupOf  map[flow.RunID]string
	priority map[flow.RunID]int

	doomed  map[flow.WorkflowID]bool // marked for deletion
	judge   judge
	clients clients
}

// Run lives one world to its end. It returns how much happened in it.
func Run(cfg Config) Report {
	w := &World{
		cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x5eed)), epoch: time.Now(),
		rows: NewRows(), processes: map[string]*process{}, starts: map[string]int{},
		kinds: map[string]int{}, groups: map[string]*runGroup{}, groupOf: map[flow.RunID]string{}, priority: map[flow.RunID]int{},
		reboot: make(chan struct{}), calmed: make(chan struct{}), doomed: map[flow.WorkflowID]bool{},
	}
	w.judge.init()
	before := runtime.NumGoroutine()
	w.draw()
	ctx, end := context.WithCancel(context.Background())
	w.wg.Go(func() { w.operate(ctx) })
	w.wg.Go(func() { w.watch(ctx) })
	w.populate(ctx)
	w.say("calm: no more trouble from here on")
	w.calm = true
	close(w.calmed)
	w.touched()
	w.unpause(ctx, "")
	for _, wf := range w.clients.workflows {
		if _, ok := w.rows.pauses[wf]; ok || w.clients.pauses > 0 {
			w.unpause(ctx, wf)
		}
	}
	w.settle()
	end()
	w.wg.Wait()
	w.finish()
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<16)
		w.say("%s", buf[:runtime.Stack(buf, true)])
		w.violate("%d goroutines are left", n-before)
	}
	rep := w.judge.report
	rep.Servers, rep.Processes, rep.Virtual = w.n, len(w.starts), time.Since(w.epoch)
	text := fmt.Sprintf("end: %+v saw", rep)
	for _, what := range sorted(w.kinds) {
		text += fmt.Sprintf(" %s:%d", what, w.kinds[what])
	}
	w.say("%s", text)
	return rep
}

// A Report counts what happened.
type Report struct {
	Servers, Processes, Saves, Runs, Fires, Faults int
	Virtual                                        time.Duration
}

// draw decides what kind of world it is. Many have few kinds of trouble, so
// that each is seen alone as well as among others.
func (w *World) draw() {
	rare := func(p, most float64) float64 {
		if !w.chance(p) {
			return 0
		}
		return most * w.rng.Float64() * w.rng.Float64()
	}
	w.odds = odds{
		before: rare(.5, .2), after: rare(.4, .2), late: rare(.3, .1), broken: rare(.2, .02), crash: rare(.6, .1),
		read: rare(.4, .1), trouble: rare(.5, .4), slow: rare(.5, .3), keeper: rare(.2, .1), lies: rare(.4, .8),
	}
	w.upTime = w.between(time.Minute, 3*time.Hour)
	w.downTime = w.between(0, 20*time.Minute)
	w.jumps = w.chance(.2)
	pick := func(values ...int) int { return values[w.rng.IntN(len(values))] }
	w.set = conductor.Settings{
		MaxRuns: pick(0, 0, 0, 6), MaxWorkflow: pick(0, 0, 0, 3), MaxRunning: pick(0, 0, 1, 2, 3),
		Strict: w.chance(.3), Grace: w.between(time.Minute, 15*time.Minute),
		NewRun: func(v flow.Version, slot time.Time) flow.Run {
			return flow.Run{ID: flow.RunID(w.id("s")), Key: "key"}
		},
	}
	if w.chance(.3) {
		w.set.MaxRunDuration = w.between(time.Minute, time.Hour)
	}
	if w.chance(.2) {
		w.room = 1 + w.rng.IntN(4)
	}
	if w.chance(.3) {
		w.drawGroups()
	}
	w.say("seed %d: %+v, up for about %s, down for up to %s, limits %d %d %d, room %d, duration %s, grace %s, strict %v", w.cfg.Seed, w.odds,
		w.upTime, w.downTime, w.set.MaxRuns, w.set.MaxWorkflow, w.set.MaxRunning, w.room, w.set.MaxRunDuration, w.set.Grace, w.set.Strict)
}

// operate keeps a server up, as whoever is on call does.
func (w *World) operate(ctx context.Context) {
	for ctx.Err() == nil {
		if !w.boot() {
			w.pause(w.between(time.Second, 20*time.Second))
			continue
		}
		s := w.server
		life := time.NewTimer(w.between(0, 2*w.upTime))
		for alive := true; alive; {
			look := time.NewTimer(30 * time.Second)
			select {
			case <-ctx.Done():
				life.Stop()
				look.Stop()
				w.shut()
				return
			case <-s.gone:
				alive = false
			case <-life.C:
				switch {
				case w.calm:
				case w.chance(.3):
					w.shut()
				default:
					w.kill(s, "for no reason")
				}
			case <-look.C:
				if w.jumps && !w.calm && w.chance(.03) {
					w.jump()
				}
				if w.fault("keeper-killed", w.odds.keeper) {
					w.say("the keeper is killed, and with it all that it keeps")
					close(w.reboot)
					w.reboot = make(chan struct{})
				}
				if s.broken != nil { // somebody notices and starts it again
					w.kill(s, "since its store is broken")
				}
			}
			look.Stop()
		}
		life.Stop()
		if !w.calm && w.chance(.1) {
			w.say("the machine goes down")
			w.saw("machine-down")
			close(w.reboot)
			w.reboot = make(chan struct{})
		}
		if w.chance(.7) && !w.calm {
			w.pause(w.between(0, w.downTime))
		}
		if w.jumps && !w.calm && w.chance(.3) {
			w.jump()
		}
	}
}

// jump sets the wall clock.
func (w *World) jump() {
	by := w.between(-time.Hour, time.Hour)
	if w.chance(.5) {
		by = w.between(-time.Second, time.Second)
	}
	by = by.Truncate(time.Microsecond)
	w.saw("clock-set")
	w.say("the wall clock is set by %s", by)
	w.cfg.Jump(by)
	w.judge.jumped(by)
	w.touched()
}

// boot starts a server; false if it could not take up its work.
func (w *World) boot() bool {
	w.n++
	s := &server{w: w, n: w.n, gone: make(chan struct{}), jobs: make(chan *job)}
	ctx, stop := context.WithCancelCause(context.Background())
	w.say("server %d: starts", s.n)
	w.forgets()
	w.wg.Go(s.disk)
	c := conductor.New(store{s}, performer{s}, w.set, slog.New(handler{w, s}), func(step engine.Step) { w.told(s, step) })
	w.server, w.c, w.stop = s, c, stop
	w.up = time.Now()
	if err := c.Resume(ctx); err != nil {
		w.say("server %d: cannot start: %v", s.n, err)
		w.touched()
		w.kill(s, "since it cannot start")
		return false
	}
	return !s.dead
}

// kill ends a server at once. What its goroutines do from here on is done by
// nobody: their store and performer have no effect any more. Only then is
// their context ended, so that they go away.
func (w *World) kill(s *server, why string) {
	if s.dead {
		return
	}
	w.say("server %d: killed %s", s.n, why)
	w.saw("killed")
	s.dead = true
	close(s.gone)
	w.bury()
}

// shut ends a server politely.
func (w *World) shut() {
	s, c := w.server, w.c
	if s == nil {
		return
	}
	w.say("server %d: shuts down", s.n)
	w.saw("shut-down")
	w.stop(errDetach)
	c.Wait()
	if !s.dead {
		s.dead = true
		close(s.gone)
		w.bury()
	}
}

// bury lets the goroutines of a dead server go.
func (w *World) bury() {
	w.stop(errDetach)
	w.wg.Go(w.c.Wait)
	w.server, w.c = nil, nil
	w.touched()
}

// touched notes that trouble was made just now.
func (w *World) touched() { w.trouble = time.Now() }

// fault draws whether something goes wrong, and notes it.
func (w *World) fault(what string, p float64) bool {
	if w.calm || p == 0 || !w.chance(p) {
		return false
	}
	w.judge.report.Faults++
	w.saw(what)
	w.touched()
	return true
}

// saw counts something of a kind for the report.
func (w *World) saw(what string) { w.kinds[what]++ }

func (w *World) chance(p float64) bool { return w.rng.Float64() < p }

// broke reports whether the world breaks its contract in this way.
func (w *World) broke(how string) bool { return w.cfg.Broken == how }

// between draws a number of the range.
func (w *World) between(from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(w.rng.Int64N(int64(to-from)))
}

// latency is how long a write takes.
func (w *World) latency() time.Duration {
	if w.fault("slow-write", w.odds.slow) {
		return w.between(0, 10*time.Second)
	}
	return w.between(0, 2*time.Millisecond)
}

func (w *World) pause(d time.Duration) {
	if d <= 0 {
		runtime.Gosched()
		return
	}
	time.Sleep(d)
}

// later calls f after a while. The world does not end before.
func (w *World) later(d time.Duration, f func()) {
	w.wg.Go(func() {
		w.pause(d)
		f()
	})
}

func (w *World) id(prefix string) string {
	w.ids++
	return fmt.Sprint(prefix, w.ids)
}

// say writes a line of the transcript.
func (w *World) say(format string, args ...any) {
	w.line = strconv.AppendInt(w.line[:0], time.Since(w.epoch).Microseconds(), 10)
	w.line = fmt.Appendf(append(w.line, ' '), format, args...)
	w.line = append(w.line, '\n')
	_, _ = w.cfg.Out.Write(w.line)
}

// violate ends the world: something that was promised is not so.
func (w *World) violate(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	w.say("VIOLATION: %s", what)
	w.cfg.Fail(what)
}

// handler writes the log of a server into the transcript.
type handler struct {
	w *World
	s *server
}

func (handler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (h handler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line := fmt.Sprint(a.Value.Any())
		if i := slices.Index([]byte(line), '\n'); i >= 0 {
			line = line[:i] // without the stack of a panic
		}
		text += " " + a.Key + "=" + line
		return true
	})
	h.w.say("server %d: log: %s", h.s.n, text)
	return nil
}
func (h handler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h handler) WithGroup(string) slog.Handler      { return h }

// settle waits for everything to come to its end, now that nothing goes
// wrong any more.
func (w *World) settle() {
	const patience = 7 * 24 * time.Hour // a queue of runs may be long; what is stuck is noticed sooner
	begin := time.Now()
	for {
		open := w.unsettled()
		if open == "" {
			return
		}
		if time.Since(begin) > patience {
			w.violate("%s after %s without trouble", open, patience)
		}
		w.pause(time.Minute)
	}
}

// unsettled names something that is not at its end.
func (w *World) unsettled() string {
	if w.server == nil {
		return "no server is up"
	}
	if open := w.rows.Unfinished(); len(open) > 0 {
		return fmt.Sprintf("run %s is still %s", open[0].ID, open[0].State)
	}
	if gone := w.rows.Deleting(); len(gone) > 0 {
		return fmt.Sprintf("workflow %s is still being deleted", gone[0])
	}
	if missing := w.rows.Unscheduled(); len(missing) > 0 {
		return fmt.Sprintf("version %s still has no schedule", missing[0].ID)
	}
	if at, ok := w.rows.NextDue(); ok {
		return fmt.Sprintf("a schedule still fires at %s", at)
	}
	for _, id := range sorted(w.processes) {
		if !w.processes[id].over {
			return fmt.Sprintf("process %s still runs", id)
		}
	}
	return ""
}

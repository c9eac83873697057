package conductor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/killpoint"
	"fairlead/internal/lang"
)

// A run is an active run and the attempts it has in flight. Its loop owns
// everything but inbox.
type run struct {
	c        *Conductor
	id       flow.RunID
	wf       flow.WorkflowID
	group    string // that it is of; empty: of none
	eng      *engine.Run
	graph    *flow.Graph
	options  engine.Options
	first    engine.What // to be said again if it could not be saved
	opening  []message   // what the loop begins with
	inbox    chan message
	inflight map[flow.TaskID]*inflight
	epoch    int64         // see lang.Attempt
	back     time.Duration // Conductor.back when loop looked last
	ran      bool          // it has been seen under way by this loop
}

// A message is an event for a run; answer, if not nil, is called once the
// event is saved or refused, and must not block. A message with look is a
// question instead: look is called with the run as it is saved. One with tune
// changes on what terms the run goes on.
type message struct {
	ev     engine.Event
	look   func(*engine.Run)
	tune   func()
	answer func(flow.Run, error)
	// from is the attempt that sends its last word.
	from *inflight
}

// An inflight is an attempt that this process sees through.
type inflight struct {
	n   int
	end context.CancelCauseFunc
	// looks is when the attempt looks again for what it waits for; zero if it
	// is at work.
	looks time.Time
}

var (
	errEnd  = errors.New("the attempt is to end")
	errGone = errors.New("the run has ended or was let go")
)

// loop owns r: nothing else reads or writes it.
func (r *run) loop(ctx context.Context) {
	// First off the books, then refuse: a message that is sent in between finds
	// the run gone and is refused by its sender.
	defer r.refuse()
	defer r.c.leave(r.id)
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	batch := r.opening
	now := time.Now()
	r.back = r.c.back(now) - max(r.eng.Row().Modified.Sub(now.Round(0)), 0) // while no server ran, perhaps
	r.reconcileAll(ctx)
	for {
		back, rev := r.back, r.eng.Row().Rev
		if err := r.handle(ctx, r.timely(batch)); err != nil {
			if !r.reload(ctx, err) {
				return
			}
			if r.eng.Row().Rev == rev { // that the clock was set back is still to be told
				r.back = back
			}
		}
		if r.eng.Final() && len(r.inflight) == 0 {
			return
		}
		if ev, ok := r.pause(); ok {
			batch = []message{{ev: ev}}
			continue
		}
		if wake := r.eng.Wake(); wake.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(min(time.Until(wake), longest))
		}
		select {
		case <-ctx.Done():
			return
		case m := <-r.inbox:
			batch = r.drain(m)
		case <-timer.C:
			batch = []message{{ev: engine.Event{At: time.Now(), What: engine.Tick{}}}}
		}
	}
}

// setBack is from where on a clock was set back: what adjusts clocks all the time
// does so by less.
const setBack = 10 * time.Second

// timely puts in front of a batch what the rules must know if the clock was set
// back since the last one. The events were noted before that, so it is now that they
// happen.
func (r *run) timely(batch []message) []message {
	now := time.Now()
	back := r.c.back(now) - r.back
	r.back += back
	if back < setBack {
		return batch
	}
	now = now.Round(0)
	for i := range batch {
		if batch[i].ev.At.Round(0).After(now) {
			batch[i].ev.At = now
		}
	}
	return slices.Insert(batch, 0, message{ev: engine.Event{At: now, What: engine.Tick{Back: back}}})
}

// back returns by how much the machine's clock was set back since the conductor
// was made; it is negative if the clock was set forward. What was measured without a clock
// that can be set tells them apart.
func (c *Conductor) back(now time.Time) time.Duration {
	return now.Sub(c.born) - now.Round(0).Sub(c.born.Round(0))
}

// pause returns the event that makes the run heed what is paused.
func (r *run) pause() (engine.Event, bool) {
	row := r.eng.Row()
	if row.State.Final() || row.Started.IsZero() { // the gate holds those that have not begun
		return engine.Event{}, false
	}
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	switch held := r.c.gate.Held(r.wf); {
	case held == row.Held:
		return engine.Event{}, false
	case held:
		return r.c.holding(r.wf).ev, true
	}
	return engine.Event{At: time.Now(), What: engine.Release{By: r.c.lastRelease}}, true
}

// drain takes what else has arrived, so that it is saved together.
func (r *run) drain(m message) []message {
	batch := []message{m}
	for len(batch) < 256 {
		select {
		case m := <-r.inbox:
			batch = append(batch, m)
		default:
			return batch
		}
	}
	return batch
}

// handle applies a batch of messages, saves what they changed in one
// transaction, answers them, and makes the attempts match what is owed.
func (r *run) handle(ctx context.Context, batch []message) error {
	var steps []engine.Step
	refused := make([]error, len(batch))
	for i := range batch {
		if batch[i].tune != nil {
			batch[i].tune()
			continue
		}
		if batch[i].look != nil {
			continue
		}
		if _, ok := batch[i].ev.What.(engine.Begin); ok {
			r.first = engine.Begin{} // to be said again if it cannot be saved
		}
		if refused[i] = r.refuses(batch[i].ev); refused[i] != nil {
			continue
		}
		step, changed, err := r.eng.Apply(batch[i].ev)
		if err != nil {
			return r.fail(batch, err)
		}
		if changed {
			steps = append(steps, step)
		}
		switch batch[i].ev.What.(type) {
		case engine.Clear, engine.Mark:
			r.epoch = r.c.epochs.Add(1)
		}
	}
	if len(steps) > 0 {
		if err := r.c.store.Save(ctx, steps...); err != nil {
			return r.fail(batch, err)
		}
	}
	for i, m := range batch {
		if m.from != nil && r.inflight[m.ev.Task] == m.from {
			delete(r.inflight, m.ev.Task)
			r.reconcile(ctx, m.ev.Task)
		}
		if m.look != nil {
			m.look(r.eng)
		}
		if m.answer != nil {
			m.answer(r.eng.Row(), refused[i])
		}
	}
	for i := range steps {
		for j := range steps[i].Tasks {
			r.reconcile(ctx, steps[i].Tasks[j].ID)
		}
		if r.c.onStep != nil {
			r.c.onStep(steps[i])
		}
	}
	return nil
}

// refuses says why a wish cannot be met: as the engine does, and when the run has
// ended under this loop. It goes on by [Conductor.revive] alone, which asks
// whether it may; the wish that began this loop has done so.
func (r *run) refuses(ev engine.Event) error {
	r.ran = r.ran || !r.eng.Final()
	switch ev.What.(type) {
	case engine.Clear, engine.Mark:
		if r.eng.Final() && r.ran {
			return errGone
		}
	}
	return r.eng.Refuse(ev)
}

// fail tells the senders of a batch that it could not be saved.
func (r *run) fail(batch []message, err error) error {
	for _, m := range batch {
		if m.from != nil && r.inflight[m.ev.Task] == m.from {
			delete(r.inflight, m.ev.Task) // it is gone; reload will ask for it again
		}
		if m.answer != nil {
			m.answer(flow.Run{}, err)
		}
	}
	return err
}

// reload starts over from the saved rows after a save failed: what is in
// memory may be ahead of the disk, and nothing may be done about it. The
// attempts go on; those whose end was not saved are asked again. It returns
// false when the run is no longer ours to run.
func (r *run) reload(ctx context.Context, cause error) bool {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		if ctx.Err() != nil {
			return false
		}
		r.c.log.ErrorContext(ctx, "a step could not be saved; starting over from the last one that was", "run", r.id, "err", cause)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		row, err := r.c.store.RunByID(ctx, r.id)
		if err != nil {
			if flow.KindOf(err) == flow.NotFound {
				return false
			}
			cause = err
			continue
		}
		tasks, err := r.c.store.Tasks(ctx, r.id)
		if err != nil {
			cause = err
			continue
		}
		eng, err := engine.Restore(row, r.graph, tasks, r.options)
		if err != nil {
			r.c.log.ErrorContext(ctx, "run cannot be restored", "run", r.id, "err", err)
			return false
		}
		r.eng = eng
		if !eng.Begun() && !row.State.Final() {
			// The first event was lost with the failed save.
			r.c.wg.Go(func() {
				r.send(ctx, message{ev: engine.Event{At: time.Now(), What: r.first}})
			})
		}
		r.reconcileAll(ctx)
		return true
	}
}

// reconcileAll makes the attempts in flight match those that are owed.
func (r *run) reconcileAll(ctx context.Context) {
	for id := range r.inflight {
		r.reconcile(ctx, id)
	}
	for _, d := range r.eng.Owed() {
		r.reconcile(ctx, d.Task.ID)
	}
}

// reconcile makes the attempt in flight for one task match what is owed.
func (r *run) reconcile(ctx context.Context, id flow.TaskID) {
	have := r.inflight[id]
	duty, owed := r.eng.OwedTo(id)
	if have != nil && (!owed || have.n != duty.Task.Attempt) {
		have.end(errEnd)
		return
	}
	if !owed {
		return
	}
	if have == nil {
		actx, end := context.WithCancelCause(ctx)
		have = &inflight{n: duty.Task.Attempt, end: end}
		r.inflight[id] = have
		a := &lang.Attempt{Run: r.eng.Row(), Graph: r.graph, Node: duty.Node, Task: duty.Task, Epoch: r.epoch}
		if duty.End {
			end(errEnd)
		}
		r.c.wg.Go(func() { r.perform(ctx, actx, a, have) })
	}
	if duty.End {
		have.end(errEnd)
	}
}

// perform sees one attempt through and reports its end. ctx is the loop's,
// actx the attempt's own.
func (r *run) perform(ctx, actx context.Context, a *lang.Attempt, self *inflight) {
	defer self.end(nil)
	killpoint.At("perform")
	out := r.outcome(ctx, actx, a, self)
	if ctx.Err() != nil {
		return // let go: whoever resumes the run asks again
	}
	saved := make(chan error, 1)
	killpoint.At("ended unsaved")
	r.send(ctx, message{
		ev:     engine.Event{At: time.Now(), Task: a.Task.ID, What: engine.Ended{Attempt: a.Task.Attempt, Outcome: out}},
		answer: func(_ flow.Run, err error) { saved <- err },
		from:   self,
	})
	select {
	case <-ctx.Done():
	case err := <-saved:
		if err == nil {
			killpoint.At("forget")
			r.c.performer.Forget(*a)
		}
	}
}

// outcome performs the attempt until it has an outcome. When we fail rather
// than the attempt, it tries again a few times, and then has the attempt
// ended: it may be running, and nothing may go on that nobody sees through.
// While the store cannot be read a try says nothing about the attempt.
func (r *run) outcome(ctx, actx context.Context, a *lang.Attempt, self *inflight) flow.Outcome {
	const tries, endings = 4, 3
	gaveUp, ended := false, 0
	pause := time.Second
	reason := "" // why the last try failed that did
	for try := 1; ; try++ {
		ending := actx.Err() != nil // this try is told to end the attempt
		out, err := r.try(actx, a)
		if ctx.Err() != nil {
			return out
		}
		switch {
		case err == nil:
		case flow.KindOf(err) == flow.Internal:
			reason = "internal error"
		default:
			reason = err.Error()
		}
		lost := flow.Outcome{Verdict: flow.Lost, Reason: "The attempt could not be carried out: " + reason}
		if err == nil {
			if gaveUp && out.Verdict != flow.Success {
				return lost
			}
			return out
		}
		r.c.log.ErrorContext(ctx, "attempt", "run", r.id, "task", a.Task.ID, "attempt", a.Task.Attempt, "try", try, "err", err)
		switch {
		case r.storeAway(ctx):
			try--
		case ending:
			if ended++; ended == endings {
				return lost
			}
		case try == tries:
			gaveUp = true
			self.end(errEnd)
			continue
		}
		wake := actx.Done()
		if ending {
			wake = nil
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-time.After(pause):
			pause = min(2*pause, 10*time.Second)
		}
	}
}

// storeAway reports whether the store cannot be read.
func (r *run) storeAway(ctx context.Context) bool {
	_, err := r.c.store.RunByID(ctx, r.id)
	return err != nil && flow.KindOf(err) != flow.NotFound
}

// try performs the attempt once, and sleeps while it pauses.
func (r *run) try(ctx context.Context, a *lang.Attempt) (flow.Outcome, error) {
	out, err := aside(func() (flow.Outcome, error) { return r.c.performer.Perform(ctx, *a, teller{r, a}) })
	for {
		pause, ok := errors.AsType[*lang.Pause](err)
		if !ok {
			return out, err
		}
		timer := time.NewTimer(pause.For)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		out, err = aside(func() (flow.Outcome, error) { return pause.Resume(ctx) })
	}
}

// aside acts on a stack of its own and waits for it. What an attempt does is
// deep, and a stack that has grown stays so for a while: an attempt that
// pauses should not hold one.
func aside(act func() (flow.Outcome, error)) (out flow.Outcome, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		out, err = act()
	}()
	<-done
	return out, err
}

// A teller reports on the way of one attempt.
type teller struct {
	r *run
	a *lang.Attempt
}

func (t teller) Started(handle string) error {
	return t.tell(engine.Started{Attempt: t.a.Task.Attempt, Handle: handle})
}

func (t teller) Begun(handle string, mark json.RawMessage) error {
	return t.tell(engine.Started{Attempt: t.a.Task.Attempt, Handle: handle, Mark: mark})
}

func (t teller) Mark(mark json.RawMessage) error {
	return t.tell(engine.Marked{Attempt: t.a.Task.Attempt, Mark: mark})
}

func (t teller) Looks(again time.Time) {
	t.r.send(t.r.c.ctx, message{look: func(*engine.Run) {
		if have := t.r.inflight[t.a.Task.ID]; have != nil && have.n == t.a.Task.Attempt {
			have.looks = again
		}
	}})
}

func (t teller) tell(what engine.What) error {
	killpoint.At("tell")
	_, err := t.r.ask(t.r.c.ctx, engine.Event{At: time.Now(), Task: t.a.Task.ID, What: what})
	return err
}

// ask sends an event and waits until it is saved.
func (r *run) ask(ctx context.Context, ev engine.Event) (flow.Run, error) {
	return r.await(ctx, message{ev: ev})
}

// await sends a message and waits for its answer.
func (r *run) await(ctx context.Context, m message) (flow.Run, error) {
	type reply struct {
		row flow.Run
		err error
	}
	done := make(chan reply, 1)
	m.answer = func(row flow.Run, err error) { done <- reply{row, err} }
	if !r.send(ctx, m) {
		return flow.Run{}, fmt.Errorf("run %s: %w", r.id, context.Cause(ctx))
	}
	select {
	case <-ctx.Done():
		return flow.Run{}, fmt.Errorf("run %s: %w", r.id, context.Cause(ctx))
	case got := <-done:
		return got.row, got.err
	}
}

// send puts a message into the inbox; false if ctx is done first. A message
// that comes after the loop's end is refused by whoever finds it there.
func (r *run) send(ctx context.Context, m message) bool {
	select {
	case <-ctx.Done():
		return false
	case r.inbox <- m:
	}
	r.c.mu.Lock()
	gone := r.c.runs[r.id] != r
	r.c.mu.Unlock()
	if gone {
		r.refuse()
	}
	return true
}

// refuse answers what is left in the inbox of a run whose loop has ended.
func (r *run) refuse() {
	for {
		select {
		case m := <-r.inbox:
			if m.answer != nil {
				m.answer(flow.Run{}, errGone)
			}
		default:
			return
		}
	}
}

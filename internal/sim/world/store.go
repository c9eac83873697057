package world

import (
	"context"
	"errors"
	"runtime"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// A server is one incarnation of the process: what a kill takes away. Its
// store and its performer reach the world through it, and not at all once it
// is dead.
type server struct {
	w    *World
	n    int
	gone chan struct{} // closed when the process is dead
	dead bool
	jobs chan *job
	// broken is why the store takes no more writes until it is opened again.
	broken error
}

// errDead is what the goroutines of a dead process get to see. None of them
// can do anything about it.
var errDead = errors.New("the process is dead")

var (
	errBefore = errors.New("disk is busy")
	errAfter  = errors.New("connection lost")
	errRead   = errors.New("cannot read the disk")
	errBroken = errors.New("what is on disk is unknown, so the store takes no more writes until it is opened again")
)

// A job is one write on its way to the disk.
type job struct {
	name  string
	apply func() error
	taken bool // too late to give up
	done  chan error
}

// store is the conductor's store, as one server sees it.
type store struct{ s *server }

// write waits until the disk has answered.
func (d store) write(ctx context.Context, name string, apply func() error) error {
	if d.s.dead {
		return errDead
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{name: name, apply: apply, done: make(chan error, 1)}
	select {
	case d.s.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-d.s.gone:
		return errDead
	}
	giveUp := ctx.Done()
	for {
		select {
		case err := <-j.done:
			if d.s.dead {
				return errDead // a dead process learns nothing
			}
			return err
		case <-d.s.gone:
			return errDead
		case <-giveUp:
			if !j.taken {
				j.taken = true
				j.apply = nil
				return ctx.Err()
			}
			giveUp = nil // it is being written: the true answer is a moment away
		}
	}
}

// disk carries out the writes of one server in groups, as a writer with
// group commit does. A group that a crash cuts short is kept up to the cut,
// which is never inside a write.
func (s *server) disk() {
	w := s.w
	for {
		var group []*job
		select {
		case j := <-s.jobs:
			group = append(group, j)
		case <-s.gone:
			return
		}
		w.pause(w.latency())
		for more := true; more && len(group) < 16; {
			select {
			case j := <-s.jobs:
				group = append(group, j)
			default:
				more = false
			}
		}
		if s.dead {
			return
		}
		s.commit(group)
	}
}

func (s *server) commit(group []*job) {
	w := s.w
	var lost error // of the whole group
	keep := true
	switch {
	case s.broken != nil:
		lost, keep = s.broken, false
	case w.fault("write-fails", w.odds.before):
		lost, keep = errBefore, false
	case w.fault("store-breaks", w.odds.broken):
		lost, keep = errBroken, w.chance(0.5)
		s.broken = errBroken
		w.say("server %d: the store is broken", s.n)
	}
	for _, j := range group {
		if j.apply == nil {
			continue // given up before its turn
		}
		j.taken = true
		if w.fault("dies-before-write", w.odds.crash) {
			w.kill(s, "while "+j.name+" is written")
			return
		}
		err := lost
		early := w.broke("early answer") && lost == nil && w.chance(0.1)
		if early {
			j.done <- nil
			w.pause(w.between(0, 50*time.Millisecond))
			if w.fault("early", 0.1) {
				w.kill(s, "before "+j.name+" was written")
				return
			}
		}
		if keep {
			if answer := j.apply(); lost == nil {
				err = answer
			}
		}
		if keep && w.fault("dies-after-write", w.odds.crash) {
			w.kill(s, "after "+j.name+" was written")
			return
		}
		if early {
			continue
		}
		if err == nil && w.fault("answer-lost", w.odds.after) {
			err = errAfter
		}
		if err != nil {
			w.say("server %d: %s: %v", s.n, j.name, err)
		}
		if w.fault("answer-late", w.odds.late) {
			late := w.between(time.Second, 5*time.Minute)
			w.say("server %d: the answer to %s comes %s late", s.n, j.name, late)
			w.owing++ // trouble lasts until then
			w.later(late, func() { w.owing--; w.touched(); j.done <- err })
			continue
		}
		j.done <- err
	}
}

// read gives the disk a chance to fail, or to take its time.
func (d store) read(ctx context.Context) error {
	w := d.s.w
	if d.s.dead {
		return errDead
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.chance(0.1) {
		w.pause(w.between(0, 5*time.Millisecond))
	} else if w.chance(0.2) {
		runtime.Gosched()
	}
	if d.s.dead {
		return errDead
	}
	if w.fault("read-fails", w.odds.read) {
		w.say("server %d: a read fails", d.s.n)
		return errRead
	}
	return nil
}

func (d store) InsertRun(ctx context.Context, r flow.Run, tok flow.Token, maxWorkflow, maxTotal int) (row flow.Run, created bool, err error) {
	err = d.write(ctx, "insert run "+string(r.ID), func() error {
		var err error
		if row, created, err = d.s.w.rows.InsertRun(r, tok, maxWorkflow, maxTotal); err != nil {
			return err
		}
		if created {
			d.s.w.inserted(row)
		}
		if created && d.s.w.broke("forget token") {
			delete(d.s.w.rows.tokens, tok.Key)
		}
		return nil
	})
	if err != nil {
		return flow.Run{}, false, err
	}
	return row, created, nil
}

func (d store) Save(ctx context.Context, steps ...engine.Step) error {
	w := d.s.w
	err := d.write(ctx, "save "+name(steps), func() error {
		switch {
		case w.broke("forget save") && w.chance(0.05):
			return nil
		case w.broke("half step") && w.chance(0.05):
			if r := w.rows.runs[steps[0].Run.ID]; r != nil && r.row.Rev+1 == steps[0].Run.Rev {
				r.saveRow(&steps[0])
				w.kill(d.s, "in the middle of a write")
			}
			return nil
		}
		if err := w.rows.Save(steps...); err != nil {
			return err
		}
		w.saved(d.s, steps)
		return nil
	})
	if err == nil {
		w.acknowledged(steps)
	}
	return err
}

func name(steps []engine.Step) string {
	text := string(steps[0].Run.ID)
	for _, s := range steps {
		text += " " + s.Entry.What
		if s.Entry.Task != "" {
			text += ":" + string(s.Entry.Task)
		}
	}
	return text
}

func (d store) SetSchedule(ctx context.Context, wf flow.WorkflowID, v flow.VersionID, next time.Time) error {
	asked := time.Now()
	return d.write(ctx, "set schedule of "+string(wf), func() error {
		if err := d.s.w.rows.SetSchedule(wf, v, next); err != nil {
			return err
		}
		d.s.w.scheduled(wf, v, next, asked)
		return nil
	})
}

func (d store) FireSchedule(ctx context.Context, wf flow.WorkflowID, slot, next time.Time, r *flow.Run) (fired bool, err error) {
	asked := time.Now()
	err = d.write(ctx, "fire "+string(wf)+" at "+slot.UTC().Format(time.RFC3339), func() error {
		w := d.s.w
		before := w.scheduleOf(wf)
		var err error
		if fired, err = w.rows.FireSchedule(wf, slot, next, r); err != nil {
			return err
		}
		if w.broke("slot twice") && fired && r != nil && w.chance(0.2) {
			*w.rows.workflows[wf].schedule = before
			w.rows.forgot = r.ID
		}
		w.fired(wf, before, next, r, fired, asked)
		return nil
	})
	if err != nil {
		return false, err
	}
	return fired, nil
}

func (d store) PurgeWorkflow(ctx context.Context, wf flow.WorkflowID, max int) (done bool, err error) {
	err = d.write(ctx, "purge "+string(wf), func() error {
		var err error
		done, err = d.s.w.rows.PurgeWorkflow(wf, max)
		return err
	})
	return done && err == nil, err
}

func (d store) InsertSlot(ctx context.Context, r flow.Run) (created bool, err error) {
	err = d.write(ctx, "insert slot "+string(r.ID), func() error {
		var err error
		if created, err = d.s.w.rows.InsertSlot(r); created {
			d.s.w.inserted(trimRun(r))
			d.s.w.once(r)
		}
		return err
	})
	return created && err == nil, err
}

func (d store) Pause(ctx context.Context, wf flow.WorkflowID, who string, at time.Time) error {
	return d.write(ctx, "pause "+string(wf), func() error { return d.s.w.rows.Pause(wf, who, at) })
}

func (d store) Unpause(ctx context.Context, wf flow.WorkflowID) error {
	return d.write(ctx, "unpause "+string(wf), func() error { d.s.w.rows.Unpause(wf); return nil })
}

// The writes of the doors.

func (d store) createWorkflow(ctx context.Context, wf flow.Workflow, v flow.Version) error {
	return d.write(ctx, "create workflow "+string(wf.ID), func() error { return d.s.w.rows.CreateWorkflow(wf, v) })
}

func (d store) addVersion(ctx context.Context, v flow.Version) error {
	return d.write(ctx, "add version "+string(v.ID), func() error {
		_, err := d.s.w.rows.AddVersion(v)
		return err
	})
}

func (d store) deleteVersion(ctx context.Context, wf flow.WorkflowID, v flow.VersionID) error {
	return d.write(ctx, "delete version "+string(v), func() error { return d.s.w.rows.DeleteVersion(wf, v) })
}

func (d store) markDeleting(ctx context.Context, wf flow.WorkflowID) error {
	return d.write(ctx, "mark "+string(wf)+" as being deleted", func() error {
		if err := d.s.w.rows.MarkDeleting(wf); err != nil {
			return err
		}
		d.s.w.doomed[wf] = true
		return nil
	})
}

// The reads.

func (d store) RunByID(ctx context.Context, id flow.RunID) (flow.Run, error) {
	if err := d.read(ctx); err != nil {
		return flow.Run{}, err
	}
	return d.s.w.rows.RunByID(id)
}

func (d store) Unfinished(ctx context.Context) ([]flow.Run, error) {
	if err := d.read(ctx); err != nil {
		return nil, err
	}
	return d.s.w.rows.Unfinished(), nil
}

func (d store) Tasks(ctx context.Context, id flow.RunID) ([]flow.Task, error) {
	if err := d.read(ctx); err != nil {
		return nil, err
	}
	return d.s.w.rows.Tasks(id), nil
}

func (d store) Graph(ctx context.Context, key string) (flow.Graph, error) {
	if err := d.read(ctx); err != nil {
		return flow.Graph{}, err
	}
	return d.s.w.rows.Graph(key)
}

func (d store) Version(ctx context.Context, wf flow.WorkflowID, v flow.VersionID) (flow.Version, error) {
	if err := d.read(ctx); err != nil {
		return flow.Version{}, err
	}
	return d.s.w.rows.Version(wf, v)
}

func (d store) DueSchedules(ctx context.Context, now time.Time, limit int) ([]flow.Fire, error) {
	if err := d.read(ctx); err != nil {
		return nil, err
	}
	return d.s.w.rows.DueSchedules(now, limit), nil
}

func (d store) NextDue(ctx context.Context) (time.Time, bool, error) {
	if err := d.read(ctx); err != nil {
		return time.Time{}, false, err
	}
	at, ok := d.s.w.rows.NextDue()
	return at, ok, nil
}

func (d store) Unscheduled(ctx context.Context) ([]flow.Version, error) {
	if err := d.read(ctx); err != nil {
		return nil, err
	}
	return d.s.w.rows.Unscheduled(), nil
}

func (d store) Pauses(ctx context.Context) ([]flow.Pause, error) {
	if err := d.read(ctx); err != nil {
		return nil, err
	}
	return d.s.w.rows.Pauses(), nil
}

func (d store) Deleting(ctx context.Context) ([]flow.WorkflowID, error) {
	if err := d.read(ctx); err != nil {
		return nil, err
	}
	return d.s.w.rows.Deleting(), nil
}

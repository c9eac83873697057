package conductor

import (
	"context"
	"fmt"
	"time"

	"fairlead/internal/engine/cron"
	"fairlead/internal/flow"
	"fairlead/internal/killpoint"
)

// Schedules is what must be remembered of when workflows fire.
type Schedules interface {
	// SetSchedule says when a version fires next; the zero time: never. It
	// changes nothing if the version is not the latest any more.
	SetSchedule(ctx context.Context, wf flow.WorkflowID, v flow.VersionID, next time.Time) error
	// DueSchedules returns up to limit fires that are due at now, earliest
	// first.
	DueSchedules(ctx context.Context, now time.Time, limit int) ([]flow.Fire, error)
	// NextDue returns the moment of the earliest fire; false if there is none.
	NextDue(ctx context.Context) (time.Time, bool, error)
	// FireSchedule moves a workflow's schedule from slot to next (zero: never
	// again) and, unless r is nil, inserts the run, in one transaction. It
	// returns false, and changes nothing, if the schedule is not at slot any
	// more: somebody else has fired it.
	FireSchedule(ctx context.Context, wf flow.WorkflowID, slot, next time.Time, r *flow.Run) (bool, error)
	// Unscheduled returns the latest versions that have a schedule for which
	// SetSchedule was not called yet: a crash came between the two.
	Unscheduled(ctx context.Context) ([]flow.Version, error)
}

// A clock fires schedules. Its loop owns it, but for poke.
type clock struct {
	c      *Conductor
	poke   chan struct{}
	swept  time.Time
	looked time.Time // for versions whose schedule is not set
}

func newClock(c *Conductor) *clock { return &clock{c: c, poke: make(chan struct{}, 1)} }

// longest is how long the clock sleeps at most: the machine's clock may be
// set, and a laptop's lid closed, without a timer taking notice.
const longest = 30 * time.Second

// wake has the clock look soon.
func (k *clock) wake() {
	select {
	case k.poke <- struct{}{}:
	default: // it is about to look anyway
	}
}

func (k *clock) loop(ctx context.Context) {
	k.swept, k.looked = time.Now(), time.Now() // Resume has just done so
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.poke:
		case <-timer.C:
		}
		timer.Reset(k.round(ctx))
	}
}

// round fires what is due and returns how long to sleep.
func (k *clock) round(ctx context.Context) time.Duration {
	const many = 100
	due, err := k.c.store.DueSchedules(ctx, time.Now(), many)
	if err != nil {
		k.c.log.ErrorContext(ctx, "read due schedules", "err", err)
		return time.Second
	}
	failed := false
	for _, f := range due {
		if err := k.fire(ctx, f); err != nil {
			k.c.log.ErrorContext(ctx, "fire schedule", "workflow", f.Workflow, "slot", f.At, "err", err)
			failed = true // the others must not wait for it
		}
	}
	if k.sweeps() {
		if err := k.c.sweep(ctx); err != nil {
			k.c.log.ErrorContext(ctx, "look for what nobody sees to", "err", err)
			failed = true
		}
		k.swept = time.Now()
	}
	if time.Since(k.looked) >= longest { // whoever saved a version may not have come to say so
		if err := k.c.resumeSchedules(ctx); err != nil {
			k.c.log.ErrorContext(ctx, "look for schedules", "err", err)
			failed = true
		}
		k.looked = time.Now()
	}
	if failed {
		return time.Second
	}
	if len(due) == many {
		return 0
	}
	next, ok, err := k.c.store.NextDue(ctx)
	if err != nil {
		k.c.log.ErrorContext(ctx, "read next schedule", "err", err)
		return time.Second
	}
	if !ok {
		return longest
	}
	return min(max(time.Until(next), 0), longest)
}

// sweeps reports whether it is time to look for what nobody sees to.
func (k *clock) sweeps() bool {
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	return k.c.doubt || time.Since(k.swept) >= sweepEvery
}

// fire starts the run of one slot. Of several slots that were missed, the
// last counts, and only if it is not older than the grace: there is no
// catching up (reference: Airflow 3 without catchup).
func (k *clock) fire(ctx context.Context, f flow.Fire) error {
	v, err := k.c.store.Version(ctx, f.Workflow, f.Version)
	if flow.KindOf(err) == flow.NotFound || err == nil && v.Schedule == nil {
		_, err := k.c.store.FireSchedule(ctx, f.Workflow, f.At, time.Time{}, nil)
		return err
	}
	if err != nil {
		return err
	}
	now := time.Now()
	slot := f.At
	next, err := NextFire(v.Schedule, slot)
	for n := 0; err == nil && !next.IsZero() && !next.After(now); n++ {
		if n == 10_000 { // far behind: jump
			next, err = NextFire(v.Schedule, now.Add(-k.c.set.Grace))
			continue
		}
		slot = next
		next, err = NextFire(v.Schedule, slot)
	}
	if err != nil {
		return err
	}
	// Loaded first: a run that is saved must not then lack its graph.
	if _, err := k.c.graph(ctx, v.Graph); err != nil {
		return err
	}
	r := k.run(ctx, v, slot, now)
	killpoint.At("fire")
	fired, err := k.c.store.FireSchedule(ctx, f.Workflow, f.At, next, r)
	killpoint.At("fired")
	k.c.doubted(err)
	if err != nil || !fired || r == nil {
		return err
	}
	k.c.setGoing(ctx, *r, v.MaxRuns)
	return nil
}

// run returns the run to begin for slot; nil if there shall be none.
func (k *clock) run(ctx context.Context, v flow.Version, slot, now time.Time) *flow.Run {
	if late := now.Sub(slot); late > k.c.set.Grace {
		k.c.log.WarnContext(ctx, "a scheduled run was missed and is skipped", "workflow", v.Workflow, "slot", slot, "late", late)
		return nil
	}
	if k.c.paused(v.Workflow) {
		k.c.log.InfoContext(ctx, "a scheduled run is skipped: the workflow is paused", "workflow", v.Workflow, "slot", slot)
		return nil
	}
	if n := len(k.c.Active(v.Workflow)); k.c.set.MaxWorkflow > 0 && n >= k.c.set.MaxWorkflow {
		k.c.log.WarnContext(ctx, "a scheduled run is skipped: the workflow has too many active runs", "workflow", v.Workflow, "slot", slot, "active", n)
		return nil
	}
	r := k.c.set.NewRun(v, slot)
	r.Kind, r.State, r.Logical, r.Created, r.Modified = flow.Scheduled, flow.Starting, slot, now, now
	r.Workflow, r.Version, r.Graph = v.Workflow, v.ID, v.Graph
	return &r
}

// NextFire returns the first fire of s after t; zero if there is none.
func NextFire(s *flow.Schedule, t time.Time) (time.Time, error) {
	zone := s.Zone
	if zone == "" {
		zone = "UTC"
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("schedule %q: %w", s.Expr, err)
	}
	return cron.NextFire(s, loc, t)
}

// WorkflowChanged takes note that a workflow has another latest version, or
// none: its schedule counts from now on, and has a slot of the version before
// that is due and has not fired.
func (c *Conductor) WorkflowChanged(ctx context.Context, wf flow.WorkflowID) error {
	v, err := c.store.Version(ctx, wf, "")
	if err == nil {
		err = c.schedule(ctx, v)
	}
	if err != nil {
		c.unseen() // the version is saved, whatever kept its schedule from being so
	}
	c.clock.wake()
	return err
}

// schedule sets the first fire of a version, or that it has none.
func (c *Conductor) schedule(ctx context.Context, v flow.Version) error {
	var next time.Time
	if v.Schedule != nil {
		var err error
		if next, err = NextFire(v.Schedule, time.Now()); err != nil {
			return err
		}
	}
	return c.store.SetSchedule(ctx, v.Workflow, v.ID, next)
}

// resumeSchedules sets the schedules that a crash has left out.
func (c *Conductor) resumeSchedules(ctx context.Context) error {
	missing, err := c.store.Unscheduled(ctx)
	if err != nil {
		return fmt.Errorf("resume schedules: %w", err)
	}
	for _, v := range missing {
		if err := c.schedule(ctx, v); err != nil {
			c.log.ErrorContext(ctx, "resume schedule", "workflow", v.Workflow, "err", err)
			c.unseen()
		}
	}
	return nil
}

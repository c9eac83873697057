package world

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// A runGroup is a group of runs and what it lets them do, as a door keeps it.
type runGroup struct {
	limit   int           // runs under way at once; zero is no bound
	longest time.Duration // that one may take; zero is no bound
	changed time.Time     // when somebody last had that changed, or tried to
	asking  int           // who tries to
}

// drawGroups makes groups, and has the server ask for their terms.
func (w *World) drawGroups() {
	for i := range 1 + w.rng.IntN(2) {
		g := &runGroup{}
		w.drawLimits(g)
		w.groups[fmt.Sprint("g", i+1)] = g
	}
	w.set.Terms = func(_ context.Context, r flow.Run) (conductor.Terms, error) {
		if w.fault("terms-unread", w.odds.read) {
			return conductor.Terms{}, errRead
		}
		t := conductor.Terms{Group: w.groupOf[r.ID], Priority: w.priority[r.ID]}
		if g := w.groups[t.Group]; g != nil {
			t.GroupLimit, t.MaxDuration = g.limit, g.longest
		}
		return t, nil
	}
}

func (w *World) drawLimits(g *runGroup) {
	g.limit, g.longest = w.rng.IntN(3), 0
	if w.chance(.4) {
		g.longest = w.between(time.Minute, 30*time.Minute).Truncate(time.Second)
	}
}

// join puts a run that is about to be started into a group, perhaps.
func (w *World) join(id flow.RunID) {
	if _, decided := w.priority[id]; decided || len(w.groups) == 0 {
		return // a client that asks again asks for the same
	}
	w.priority[id] = w.rng.IntN(3)
	if w.chance(.8) {
		w.groupOf[id] = fmt.Sprint("g", 1+w.rng.IntN(len(w.groups)))
	}
}

// regroup changes the terms of a group, as the door does: first what is kept,
// then what the server heeds.
func (w *World) regroup(ctx context.Context) {
	if len(w.groups) == 0 {
		return
	}
	name := fmt.Sprint("g", 1+w.rng.IntN(len(w.groups)))
	g := w.groups[name]
	g.asking++
	defer func() { g.asking--; g.changed = time.Now() }()
	var to runGroup
	w.drawLimits(&to)
	for again := true; again; { // who gives up leaves the server and its store apart
		err := w.call(ctx, "change group "+name, func(s *server, c *conductor.Conductor) error {
			err := store{s}.write(ctx, "group "+name, func() error {
				g.limit, g.longest, g.changed = to.limit, to.longest, time.Now()
				return nil
			})
			if err == nil {
				c.Regroup(name, g.limit, g.longest)
			}
			return err
		})
		again = err != nil && ctx.Err() == nil
	}
	w.saw("regrouped")
	w.say("client: group %s has at most %d runs, and each takes at most %s", name, to.limit, to.longest)
}

// longest is how long a run may take, zero for no bound; false while that
// changes.
func (w *World) longest(id flow.RunID) (time.Duration, bool) {
	most := w.set.MaxRunDuration
	g := w.groups[w.groupOf[id]]
	if g == nil {
		return most, true
	}
	if g.longest > 0 && (most == 0 || g.longest < most) {
		most = g.longest
	}
	return most, w.steady(g)
}

// steady reports whether the server has had the time to heed a group's terms.
func (w *World) steady(g *runGroup) bool {
	return g.asking == 0 && (g.changed.IsZero() || w.quietFor(time.Minute) && time.Since(g.changed) > time.Minute)
}

// quietFor reports whether there has been no trouble for a while.
func (w *World) quietFor(d time.Duration) bool {
	return w.owing == 0 && time.Since(w.trouble) > d && time.Since(w.up) > d
}

// groupLimit is how many runs of the group of a run may be under way; zero if
// there is no bound.
func (w *World) groupLimit(id flow.RunID) int {
	if g := w.groups[w.groupOf[id]]; g != nil {
		return g.limit
	}
	return 0
}

// groupAdmits checks that a group has room for a run that begins, and that none
// of it waits that is more urgent.
func (w *World) groupAdmits(r flow.Run) {
	name := w.groupOf[r.ID]
	g := w.groups[name]
	if g == nil || !w.steady(g) {
		return
	}
	inside := 0
	for _, id := range sorted(w.rows.runs) {
		o := w.rows.runs[id].row
		if w.groupOf[id] != name || o.State.Final() || w.judge.reopened[id] {
			continue
		}
		if !o.Started.IsZero() {
			inside++
		} else if o.State == flow.Ready && o.Version == r.Version && w.priority[id] > w.priority[r.ID] && w.quietFor(time.Minute) && time.Since(o.Modified) > time.Minute {
			w.violate("run %s of group %s begins with priority %d, and %s waits with %d", r.ID, name, w.priority[r.ID], id, w.priority[id])
		}
	}
	if g.limit > 0 && inside > g.limit {
		w.violate("run %s begins: %d of group %s are under way, at most %d may be", r.ID, inside, name, g.limit)
	}
}

// unlimited says why no limit keeps a run that waits; empty if one does.
func (w *World) unlimited(r flow.Run) string {
	g := w.groups[w.groupOf[r.ID]]
	if g != nil && !w.steady(g) {
		return ""
	}
	all, ofWorkflow, ofGroup := 0, 0, 0
	for _, o := range w.rows.Unfinished() {
		if o.Started.IsZero() && o.State != flow.Stopping {
			continue
		}
		all++
		if o.Workflow == r.Workflow {
			ofWorkflow++
		}
		if g != nil && w.groupOf[o.ID] == w.groupOf[r.ID] {
			ofGroup++
		}
	}
	most := 1 // of a version that is gone
	if v, err := w.rows.Version(r.Workflow, r.Version); err == nil {
		most = v.MaxRuns
	}
	if w.set.MaxRunning > 0 && all >= w.set.MaxRunning || most > 0 && ofWorkflow >= most || g != nil && g.limit > 0 && ofGroup >= g.limit {
		return ""
	}
	return fmt.Sprintf("%d are under way of at most %d, %d of the workflow of %d, and %d of the group of %d", all, w.set.MaxRunning, ofWorkflow, most, ofGroup, w.groupLimit(r.ID))
}

// boundOf reads from a step that ends a run for its time what that was, so that
// a replay can say the same: it is the bound of that moment, which is in no row.
func boundOf(step engine.Step) time.Duration {
	if step.Run.Cause != flow.ByTimeout {
		return 0
	}
	texts := []string{step.Run.Reason}
	for _, t := range step.Tasks {
		texts = append(texts, t.Reason)
	}
	for _, text := range texts {
		if _, most, ok := strings.Cut(text, "run took longer than "); ok {
			if d, err := time.ParseDuration(most); err == nil {
				return d
			}
		}
	}
	return time.Microsecond
}

package conductor_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
)

// A run that has ended is cleared and goes on to another end, whatever save
// the server crashes at.
func TestClearedRunGoesOnAcrossCrashes(t *testing.T) {
	const ends = "succeeded: first=succeeded#1 flaky=succeeded#2 last=succeeded#1"
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			var crashed atomic.Bool
			synctest.Test(t, func(t *testing.T) {
				d := deploy(t, graph("first ok 1s", "flaky fail-first 1s after=first", "last ok 1s after=flaky"), 0, conductor.Settings{})
				defer func() { d.close() }()
				d.start("r")
				d.want(d.settle("r"), "failed: first=succeeded#1 flaky=failed#1 last=blocked#0")
				d.crash()

				s := &crashing{DB: d.db, left: at, after: after, crash: func() { crashed.Store(true); d.stop(errDetach) }}
				d.serve(s)
				_, err := d.c.Clear(t.Context(), "r", engine.Clear{Failed: true, By: "ann"})
				if err != nil && !crashed.Load() {
					t.Fatal(err)
				}
				for range 20 {
					if synctest.Wait(); crashed.Load() {
						d.c.Wait()
						d.serve(d.db)
						break
					}
					time.Sleep(time.Second)
				}
				if synctest.Wait(); err != nil && strings.HasPrefix(d.describe("r"), "failed: first=succeeded#1 flaky=failed#1") {
					// Not acknowledged, and not done: the person asks again.
					if _, err := d.c.Clear(t.Context(), "r", engine.Clear{Failed: true, By: "ann"}); err != nil {
						t.Fatal(err)
					}
				}
				d.want(d.settle("r"), ends)
			})
			if !crashed.Load() {
				if at < 4 {
					t.Errorf("only %d saves", at)
				}
				break
			}
		}
	}
}

func TestClearOfALiveTaskEndsItFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("hangs hang", "next ok 1s after=hangs"), 0, conductor.Settings{})
		defer d.close()
		d.start("r")
		time.Sleep(5 * time.Second)
		if _, err := d.c.Clear(t.Context(), "r", engine.Clear{Tasks: []flow.TaskID{"hangs"}, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		d.want(d.describe("r"), "running: hangs=running#2 next=waiting#0")
		if _, err := d.c.Mark(t.Context(), "r", "hangs", engine.Mark{State: flow.Succeeded, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		d.want(d.settle("r"), "succeeded: hangs=succeeded#2 next=succeeded#1")
		if got := len(d.world.ended); got != 2 {
			t.Errorf("%d attempts were told to end, want 2", got)
		}
	})
}

// A run that has ended goes on only when Reopen lets it, asked with the row of
// its end, also when the wish comes while the run is about to end.
func TestARunGoesOnWhenItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []flow.Run
		busy := true
		d := deploy(t, graph("a ok 1s", "b fail 1s after=a"), 0, conductor.Settings{Reopen: func(_ context.Context, r flow.Run) error {
			asked = append(asked, r)
			if busy {
				return flow.Errorf(flow.Busy, "not yet")
			}
			return nil
		}})
		defer d.close()
		d.start("r")
		time.Sleep(2*time.Second - time.Nanosecond)
		if _, err := d.c.Clear(t.Context(), "r", engine.Clear{Tasks: []flow.TaskID{"b"}}); err != nil || len(asked) > 0 {
			t.Fatalf("a clear while the run goes on: %v, asked %d times", err, len(asked))
		}
		const ended = "failed: a=succeeded#1 b=failed#2"
		d.want(d.settle("r"), ended)
		if _, err := d.c.Clear(t.Context(), "r", engine.Clear{Failed: true}); flow.KindOf(err) != flow.Busy {
			t.Errorf("a clear that may not be yet: %v", err)
		}
		d.want(d.describe("r"), ended)
		if len(asked) != 1 || asked[0].State != flow.Failed || asked[0].Rev == 0 {
			t.Errorf("asked with %+v", asked)
		}
		busy = false
		if _, err := d.c.Clear(t.Context(), "r", engine.Clear{Failed: true}); err != nil {
			t.Fatal(err)
		}
		d.want(d.settle("r"), "failed: a=succeeded#1 b=failed#3")
		if len(asked) != 2 || asked[1].Rev != asked[0].Rev {
			t.Errorf("asked %d times, then with %+v", len(asked), asked[1:])
		}
	})
}

func TestWishesThatCannotBeMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{})
		defer d.close()
		d.start("r")
		d.settle("r")
		for _, tt := range []struct {
			what engine.Clear
			run  flow.RunID
			want flow.Kind
		}{
			{engine.Clear{Failed: true}, "r", flow.Conflict},
			{engine.Clear{Tasks: []flow.TaskID{"b"}}, "r", flow.NotFound},
			{engine.Clear{}, "r", flow.Invalid},
			{engine.Clear{Failed: true}, "none", flow.NotFound},
		} {
			if _, err := d.c.Clear(t.Context(), tt.run, tt.what); flow.KindOf(err) != tt.want {
				t.Errorf("clear %+v of %s: %v, want an error of kind %d", tt.what, tt.run, err, tt.want)
			}
		}
		d.want(d.describe("r"), "succeeded: a=succeeded#1")
		if n := len(d.c.Active("")); n != 0 {
			t.Errorf("%d runs are active after refused wishes", n)
		}
	})
}

// A performer whose attempts wait in the server, and look once a minute.
type looker struct{ *world }

func (looker) Perform(ctx context.Context, _ lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	if err := tell.Started("server"); err != nil {
		return flow.Outcome{}, err
	}
	looks := 0
	var look func(ctx context.Context) (flow.Outcome, error)
	look = func(ctx context.Context) (flow.Outcome, error) {
		switch looks++; {
		case ctx.Err() != nil && context.Cause(ctx) == errDetach:
			return flow.Outcome{}, errDetach
		case ctx.Err() != nil:
			return flow.Outcome{Verdict: flow.Failure, Reason: fmt.Sprintf("ended at look %d", looks)}, nil
		case looks > 3:
			return flow.Outcome{Verdict: flow.Success}, nil
		}
		tell.Looks(time.Now().Add(time.Minute))
		return flow.Outcome{}, &lang.Pause{For: time.Minute, Resume: look}
	}
	return look(ctx)
}

// TestPausedAttemptIsEnded stops a run while its attempt pauses, which must
// hear of it at once.
func TestPausedAttemptIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{})
		defer d.close()
		d.crash()
		ctx, stop := context.WithCancelCause(context.Background())
		d.stop = stop
		d.c = conductor.New(d.db, looker{d.world}, d.set, slog.New(slog.DiscardHandler), nil)
		if err := d.c.Resume(ctx); err != nil {
			t.Fatal(err)
		}
		d.start("r")
		time.Sleep(90 * time.Second)
		began := time.Now()
		if _, err := d.c.Stop(t.Context(), "r", "ann"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		d.want(d.describe("r"), "canceled: a=canceled#1")
		if took := time.Since(began); took != 0 {
			t.Errorf("the attempt was ended after %s, want at once", took)
		}
	})
}

// TestWhyNamesTheNextLook asks why a sensor waits that sleeps between looks.
func TestWhyNamesTheNextLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1s", "b ok 1s after=a"), 0, conductor.Settings{})
		defer d.close()
		d.crash()
		ctx, stop := context.WithCancelCause(context.Background())
		d.stop = stop
		d.c = conductor.New(d.db, looker{d.world}, d.set, slog.New(slog.DiscardHandler), nil)
		if err := d.c.Resume(ctx); err != nil {
			t.Fatal(err)
		}
		d.start("r")
		began := time.Now()
		for n := range 3 {
			time.Sleep(time.Second)
			want := began.Add(time.Duration(n+1) * time.Minute)
			if w, ok, err := d.c.Why(t.Context(), "r", "a"); err != nil || !ok || w.Gate != flow.GatePoke || !w.Until.Equal(want) {
				t.Errorf("look %d: %+v, %v, %v; want gate poke until %s", n, w, ok, err, want)
			}
			if _, tasks, _, err := d.c.Waits(t.Context(), "r", 10); err != nil || len(tasks) != 2 || tasks[0].Wait.Gate != flow.GatePoke || tasks[1].Wait.Gate != flow.GateUpstream {
				t.Errorf("look %d: %+v, %v; want gates poke and upstream", n, tasks, err)
			}
			time.Sleep(time.Minute - time.Second)
		}
		d.settle("r")
	})
}

// What is paused begins nothing, across a restart; what runs goes on.
func TestPauseHoldsAcrossARestart(t *testing.T) {
	for wf, says := range map[flow.WorkflowID]string{"w-1": "the workflow is paused by ann", "": "everything is paused by ann"} {
		synctest.Test(t, func(t *testing.T) {
			d := deploy(t, graph("a ok 10s", "b ok 1s after=a"), 0, conductor.Settings{})
			defer func() { d.close() }()
			d.start("r")
			time.Sleep(time.Second)
			if err := d.c.Pause(t.Context(), wf, "ann"); err != nil {
				t.Fatal(err)
			}
			d.start("later")
			time.Sleep(time.Minute)
			d.want(d.describe("r"), "running: a=succeeded#1 b=waiting#0")
			d.want(d.describe("later"), "ready:")
			d.crash()
			d.serve(d.db)
			time.Sleep(time.Minute)
			d.want(d.describe("r"), "running: a=succeeded#1 b=waiting#0")
			d.want(d.describe("later"), "ready:")
			for id, want := range map[flow.RunID]flow.Gate{"r": flow.GatePaused, "later": flow.GatePaused} {
				if w, ok, err := d.c.Why(t.Context(), id, ""); w.Gate != want || !ok || err != nil || !strings.Contains(w.Text, says) {
					t.Errorf("why %s: %+v, %v, %v; want gate %s, %q", id, w, ok, err, want, says)
				}
			}
			if w, _, _ := d.c.Why(t.Context(), "r", "b"); w.Gate != flow.GatePaused || !strings.Contains(w.Text, says) {
				t.Errorf("why r b: %+v; want %q", w, says)
			}
			for task, want := range map[flow.TaskID]bool{"b": true, "c": false} { // there is no c
				if w, ok, err := d.c.Why(t.Context(), "later", task); ok != want || err != nil {
					t.Errorf("why later %s, a run that has not begun: %+v, %v, %v; want %v", task, w, ok, err, want)
				}
			}
			if err := d.c.Unpause(t.Context(), wf, "bob"); err != nil {
				t.Fatal(err)
			}
			d.want(d.settle("r"), "succeeded: a=succeeded#1 b=succeeded#1")
			d.want(d.settle("later"), "succeeded: a=succeeded#1 b=succeeded#1")
			journal, _, err := d.db.Journal(t.Context(), "r", flow.Page{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, e := range journal {
				if e.What == "hold" || e.What == "release" {
					said = append(said, e.What+string(e.Detail))
				}
			}
			d.want(strings.Join(said, " "), `hold{"By":"ann"} release{"By":"bob"}`)
		})
	}
}

func TestPausedScheduleFiresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{Grace: time.Minute})
		defer d.close()
		d.v.Schedule = &flow.Schedule{Expr: "@hourly"}
		d.v.ID = "v2"
		if _, err := d.db.AddVersion(t.Context(), d.v, 0, nil); err != nil {
			t.Fatal(err)
		}
		if err := d.c.WorkflowChanged(t.Context(), "w-1"); err != nil {
			t.Fatal(err)
		}
		if err := d.c.Pause(t.Context(), "w-1", "ann"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Hour + time.Minute)
		count := func() int {
			runs, _, err := d.db.Runs(t.Context(), "w-1", "", flow.Page{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			return len(runs)
		}
		if n := count(); n != 0 {
			t.Errorf("%d runs were fired while the workflow was paused", n)
		}
		if err := d.c.Unpause(t.Context(), "w-1", "ann"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if n := count(); n != 1 {
			t.Errorf("%d runs within an hour after the pause, want 1", n)
		}
	})
}

func TestBackfillBeginsEachSlotOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1m"), 2, conductor.Settings{})
		defer d.close()
		v := d.v
		v.Schedule, v.MaxRuns = &flow.Schedule{Expr: "0 6 * * 1-5"}, 2
		from := time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC)
		to := time.Date(1999, 12, 14, 6, 0, 0, 0, time.UTC)
		slots, err := d.c.Backfill(t.Context(), v, from, to, true, "somebody")
		if err != nil || len(slots) != 10 {
			t.Fatalf("dry: %d slots, %v; want 10", len(slots), err)
		}
		if n := len(d.c.Active("")); n != 0 {
			t.Fatalf("a dry backfill began %d runs", n)
		}
		if _, err := d.c.Backfill(t.Context(), v, from, to.AddDate(0, 0, -7), false, "somebody"); err != nil {
			t.Fatal(err)
		}
		slots, err = d.c.Backfill(t.Context(), v, from, to, false, "somebody")
		begun := 0
		for _, s := range slots {
			if s.Run != "" {
				begun++
			}
		}
		if err != nil || len(slots) != 10 || begun != 5 {
			t.Fatalf("%d of %d slots begun the second time, %v; want 5 of 10", begun, len(slots), err)
		}
		under := 0
		for _, id := range d.c.Active("") {
			if r, _ := d.db.RunByID(t.Context(), id); r.State == flow.Running {
				under++
			}
		}
		if under > 2 {
			t.Errorf("%d runs are under way, at most 2 may be", under)
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if n := len(d.c.Active("")); n != 0 {
			t.Errorf("%d runs have not ended", n)
		}
		if _, err := d.c.Backfill(t.Context(), v, from.AddDate(-10, 0, 0), to, false, "somebody"); flow.KindOf(err) != flow.Invalid {
			t.Errorf("ten years: %v, want Invalid", err)
		}
		if _, err := d.c.Backfill(t.Context(), d.v, from, to, false, "somebody"); flow.KindOf(err) != flow.Invalid {
			t.Errorf("without a schedule: %v, want Invalid", err)
		}
	})
}

// TestBackfillLeavesWhatIsToComeToTheSchedule asks for slots around now,
// which is midnight, and for later ones.
func TestBackfillLeavesWhatIsToComeToTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok"), 2, conductor.Settings{})
		defer d.close()
		v := d.v
		v.Schedule = &flow.Schedule{Expr: "0 0,6 * * *"}
		now := time.Now()
		for _, dry := range []bool{true, false} {
			slots, err := d.c.Backfill(t.Context(), v, now.Add(-24*time.Hour), now.Add(24*time.Hour), dry, "somebody")
			if err != nil || len(slots) != 3 || !slots[2].At.Equal(now) {
				t.Errorf("dry %t: %v, %v; want the slots of yesterday and now", dry, slots, err)
			}
			if slots, err := d.c.Backfill(t.Context(), v, now.Add(time.Hour), now.Add(24*time.Hour), dry, "somebody"); flow.KindOf(err) != flow.Invalid {
				t.Errorf("dry %t, from now on: %v, %v; want Invalid", dry, slots, err)
			}
		}
		synctest.Wait()
	})
}

// TestClearWhilePausedBeginsNothing clears a run that has ended while all is
// paused.
func TestClearWhilePausedBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a fail-first 1s", "b ok 1s after=a"), 0, conductor.Settings{})
		defer d.close()
		d.start("r")
		d.want(d.settle("r"), "failed: a=failed#1 b=blocked#0")
		if err := d.c.Pause(t.Context(), "", "ann"); err != nil {
			t.Fatal(err)
		}
		if _, err := d.c.Clear(t.Context(), "r", engine.Clear{Failed: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		d.want(d.describe("r"), "running: a=waiting#2 b=waiting#0")
		if n := len(d.world.started); n != 1 {
			t.Errorf("%d attempts have begun, want the one before the pause", n)
		}
		if err := d.c.Unpause(t.Context(), "", "ann"); err != nil {
			t.Fatal(err)
		}
		d.want(d.settle("r"), "succeeded: a=succeeded#2 b=succeeded#1")
	})
}

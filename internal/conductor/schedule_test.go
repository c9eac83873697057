package conductor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/internal/conductor"
	"fairlead/internal/flow"
	"fairlead/internal/store"
)

// A store that is slow to set the schedule of one version.
type slowSchedule struct {
	*store.DB
	version flow.VersionID
}

func (s slowSchedule) SetSchedule(ctx context.Context, wf flow.WorkflowID, v flow.VersionID, next time.Time) error {
	if v == s.version {
		time.Sleep(time.Second)
	}
	return s.DB.SetSchedule(ctx, wf, v, next)
}

// addVersion makes a version the latest; an empty expr is no schedule.
func (d *deployment) addVersion(id flow.VersionID, expr string) {
	d.t.Helper()
	v := flow.Version{ID: id, Workflow: d.v.Workflow, Graph: d.v.Graph, Created: time.Now(), Settings: json.RawMessage("{}")}
	if expr != "" {
		v.Schedule = &flow.Schedule{Expr: expr}
	}
	if _, err := d.db.AddVersion(d.t.Context(), v, 0, func(*flow.Workflow) {}); err != nil {
		d.t.Fatal(err)
	}
}

// TestTheScheduleIsThatOfTheLatestVersion has a version that came first set
// its schedule last.
func TestTheScheduleIsThatOfTheLatestVersion(t *testing.T) {
	for _, last := range []string{"", "30 * * * *"} {
		synctest.Test(t, func(t *testing.T) {
			d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{Grace: 10 * time.Minute})
			defer d.close()
			d.crash()
			d.serve(slowSchedule{d.db, "v2"})
			d.addVersion("v2", "*/5 * * * *")
			slow := make(chan error, 1)
			go func() { slow <- d.c.WorkflowChanged(t.Context(), d.v.Workflow) }()
			synctest.Wait()
			d.addVersion("v3", last)
			if err := errors.Join(d.c.WorkflowChanged(t.Context(), d.v.Workflow), <-slow); err != nil {
				t.Fatal(err)
			}
			time.Sleep(59 * time.Minute)
			synctest.Wait()
			rows, _, err := d.db.Runs(t.Context(), d.v.Workflow, "", flow.Page{})
			if err != nil {
				t.Fatal(err)
			}
			want := 0
			if last != "" {
				want = 1
			}
			if len(rows) != want {
				t.Errorf("schedule %q, set while that of the version before was: %d runs in an hour, want %d", last, len(rows), want)
			}
			for _, r := range rows {
				if r.Version != "v3" {
					t.Errorf("schedule %q: run %s is of version %s, want v3", last, r.ID, r.Version)
				}
			}
		})
	}
}

// A store without room for a schedule, once.
type fullOnce struct {
	*store.DB
	was bool
}

func (f *fullOnce) SetSchedule(ctx context.Context, wf flow.WorkflowID, v flow.VersionID, next time.Time) error {
	if !f.was {
		f.was = true
		return flow.Errorf(flow.Busy, "the disk is full")
	}
	return f.DB.SetSchedule(ctx, wf, v, next)
}

// TestAScheduleThatCouldNotBeSetIsSetSoon checks that a version that is saved
// does not miss slots because its schedule could not be.
func TestAScheduleThatCouldNotBeSetIsSetSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{Grace: 10 * time.Minute})
		defer d.close()
		d.crash()
		d.serve(&fullOnce{DB: d.db})
		d.addVersion("v2", "* * * * *")
		if err := d.c.WorkflowChanged(t.Context(), d.v.Workflow); flow.KindOf(err) != flow.Busy {
			t.Fatalf("WorkflowChanged: got %v, want the error of the store", err)
		}
		time.Sleep(90 * time.Second)
		d.want(d.settle("scheduled1"), "succeeded: a=succeeded#1")
	})
}

// A store that cannot say for a while what is due.
type slowDue struct {
	*store.DB
	until time.Time
}

func (s slowDue) DueSchedules(ctx context.Context, now time.Time, limit int) ([]flow.Fire, error) {
	if now.Before(s.until) {
		return nil, errLost
	}
	return s.DB.DueSchedules(ctx, now, limit)
}

// TestASlotThatIsDueOutlivesAnUpdate updates a workflow, twice, after a slot
// has come and before it has fired: it is that of the new version, unless that
// has no schedule.
func TestASlotThatIsDueOutlivesAnUpdate(t *testing.T) {
	for _, tt := range []struct{ second, want string }{
		{"0 0 * * *", "v3 at 1h0m0s"},
		{"30 * * * *", "v3 at 1h0m0s v3 at 1h30m0s"},
		{"", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{Grace: 10 * time.Minute})
			defer d.close()
			d.crash()
			begin := time.Now() // synctest: midnight
			d.serve(slowDue{d.db, begin.Add(61 * time.Minute)})
			d.addVersion("v1a", "0 1 * * *")
			if err := d.c.WorkflowChanged(t.Context(), d.v.Workflow); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour + time.Second)
			d.addVersion("v2", "0 2 * * *")
			d.addVersion("v3", tt.second)
			if err := d.c.WorkflowChanged(t.Context(), d.v.Workflow); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour - 2*time.Second)
			synctest.Wait()
			rows, _, err := d.db.Runs(t.Context(), d.v.Workflow, "", flow.Page{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range slices.Backward(rows) {
				got = append(got, fmt.Sprintf("%s at %s", r.Version, r.Logical.Sub(begin)))
			}
			d.want(strings.Join(got, " "), tt.want)
		})
	}
}

// TestAVersionThatNobodyTellsOfIsScheduled saves a version and says nothing
// of it, as a door that failed in between.
func TestAVersionThatNobodyTellsOfIsScheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{Grace: 10 * time.Minute})
		defer d.close()
		d.addVersion("v2", "* * * * *")
		time.Sleep(3 * time.Minute)
		d.want(d.describe("scheduled1"), "succeeded: a=succeeded#1")
	})
}

// TestARunThatCouldNotBeginIsTakenUpSoon checks that a run that is saved does
// not lie about because its terms could not be read.
func TestARunThatCouldNotBeginIsTakenUpSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unread := 1
		d := deploy(t, graph("a ok 1s"), 0, conductor.Settings{Grace: 10 * time.Minute, Terms: func(context.Context, flow.Run) (conductor.Terms, error) {
			if unread--; unread >= 0 {
				return conductor.Terms{}, errLost
			}
			return conductor.Terms{}, nil
		}})
		defer d.close()
		d.start("r")
		time.Sleep(time.Minute)
		d.want(d.describe("r"), "succeeded: a=succeeded#1")

		d.addVersion("v2", "*/5 * * * *")
		if err := d.c.WorkflowChanged(t.Context(), d.v.Workflow); err != nil {
			t.Fatal(err)
		}
		unread = 1
		time.Sleep(5 * time.Minute)
		d.want(d.describe("scheduled1"), "succeeded: a=succeeded#1")

		unread = 1
		v, err := d.db.Version(t.Context(), d.v.Workflow, "v2")
		if err != nil {
			t.Fatal(err)
		}
		past := time.Now().Truncate(5 * time.Minute).Add(-time.Hour)
		slots, err := d.c.Backfill(t.Context(), v, past, past, false, "ann")
		if err != nil || len(slots) != 1 {
			t.Fatalf("Backfill: got %v, %v, want one slot", slots, err)
		}
		time.Sleep(time.Minute)
		d.want(d.describe(string(slots[0].Run)), "succeeded: a=succeeded#1")
	})
}

package world

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/store/storetest"
)

// TestRowsAreTheStore makes the same random calls, wrong ones among them, of
// the real store and of the model, and compares what they answer and hold.
func TestRowsAreTheStore(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := &comparison{T: t, rng: rand.New(rand.NewPCG(seed, 3)), model: NewRows()}
			db := storetest.Open(t)
			ctx := t.Context()
			var graphs []string
			for i := range 3 {
				g := flow.Graph{MaxActive: i, Nodes: []flow.Node{{ID: "a"}, {ID: "b"}, {ID: "c"}}}
				key, err := db.PutGraph(ctx, g)
				if err != nil {
					t.Fatal(err)
				}
				c.model.PutGraph(key, g)
				graphs = append(graphs, key)
			}
			base := time.Date(2026, 11, 21, 8, 0, 0, 123456789, time.FixedZone("x", 3600))
			wf := func() flow.WorkflowID { return flow.WorkflowID(fmt.Sprint("w", c.rng.IntN(3))) }
			vid := func() flow.VersionID { return flow.VersionID(fmt.Sprint("v", c.rng.IntN(6))) }
			rid := func() flow.RunID { return flow.RunID(fmt.Sprint("r", c.rng.IntN(12))) }
			at := func(n int) time.Time { return base.Add(time.Duration(n) * time.Second) }
			fresh := 0
			newRun := func(id flow.RunID, w flow.WorkflowID) flow.Run {
				v := vid()
				if latest, err := c.model.Version(w, ""); err == nil && c.rng.IntN(4) > 0 {
					v = latest.ID
				}
				return flow.Run{
					ID: id, Workflow: w, Version: v, Kind: flow.OnDemand, State: flow.Starting, Key: "k", Logical: at(c.rng.IntN(50)),
					Graph: graphs[c.rng.IntN(3)], Created: at(c.rng.IntN(100)), Modified: at(1), Params: json.RawMessage(`{"x":1}`),
				}
			}
			for range 250 {
				w, n := wf(), c.rng.IntN(100)
				switch {
				case n < 4:
					v := flow.Version{ID: vid(), Graph: graphs[c.rng.IntN(3)], MaxRuns: 2, Created: at(1), Schedule: c.schedule()}
					row := flow.Workflow{ID: w, Name: string(w), Created: at(2)}
					if c.model.workflows[w] != nil { // ids are never reused
						break
					}
					_, _, _, err := db.CreateWorkflow(ctx, row, v, flow.Token{}, 0)
					c.same("CreateWorkflow", err, c.model.CreateWorkflow(row, v))
				case n < 10:
					fresh++
					v := flow.Version{ID: flow.VersionID(fmt.Sprint("v", 10+fresh)), Workflow: w, Graph: graphs[c.rng.IntN(3)], Created: at(1), Schedule: c.schedule()}
					if c.rng.IntN(3) == 0 {
						if _, err := c.model.Version(w, vid()); err == nil {
							break
						}
					}
					a, err := db.AddVersion(ctx, v, 0, nil)
					b, err2 := c.model.AddVersion(v)
					c.same("AddVersion", err, err2)
					if err == nil {
						c.equal("AddVersion", a.N, b.N)
					}
				case n < 13:
					v := vid()
					if latest, err := c.model.Version(w, ""); err == nil {
						v = latest.ID
					}
					c.same("DeleteVersion", db.DeleteVersion(ctx, w, v), c.model.DeleteVersion(w, v))
				case n < 15:
					_, err := db.MarkDeleting(ctx, w)
					c.same("MarkDeleting", err, c.model.MarkDeleting(w))
				case n < 30:
					fresh++
					r := newRun(flow.RunID(fmt.Sprint("r", fresh%12)), w)
					if c.model.runs[r.ID] != nil {
						break
					}
					var tok flow.Token
					if c.rng.IntN(2) == 0 {
						tok = flow.Token{Key: fmt.Sprint("t", c.rng.IntN(4)), Fingerprint: fmt.Sprint(c.rng.IntN(5) / 4), Expires: at(c.rng.IntN(150))}
					}
					limit, total := c.rng.IntN(3)*2, c.rng.IntN(3)*4
					a, madeA, err := db.InsertRun(ctx, r, tok, limit, total)
					b, madeB, err2 := c.model.InsertRun(r, tok, limit, total)
					c.same("InsertRun", err, err2)
					c.equal("InsertRun made", madeA, madeB)
					c.equal("InsertRun", trimRun(a), b)
				case n < 60:
					id := rid()
					var steps []engine.Step
					row, err := c.model.RunByID(id)
					if err != nil {
						row.ID = id
					}
					for range 1 + c.rng.IntN(2) {
						row.Rev++
						if c.rng.IntN(12) == 0 {
							row.Rev++
						}
						steps = append(steps, c.step(&row, at))
					}
					c.same("Save", db.Save(ctx, steps...), c.model.Save(steps...))
				case n < 68:
					var next time.Time
					if c.rng.IntN(4) > 0 {
						next = at(c.rng.IntN(50))
					}
					v := vid()
					if latest, err := c.model.Version(w, ""); err == nil {
						v = latest.ID
					}
					c.same("SetSchedule", db.SetSchedule(ctx, w, v, next), c.model.SetSchedule(w, v, next))
				case n < 82:
					slot := at(c.rng.IntN(50))
					if row := c.model.workflows[w]; row != nil && row.schedule != nil && c.rng.IntN(5) > 0 {
						slot = row.schedule.next
					}
					var r *flow.Run
					if c.rng.IntN(3) > 0 {
						fresh++
						one := newRun(flow.RunID(fmt.Sprint("r", fresh%12)), w)
						if c.model.runs[one.ID] != nil {
							break
						}
						one.Kind, one.Logical = flow.Scheduled, slot
						r = &one
					}
					next := at(c.rng.IntN(60))
					a, err := db.FireSchedule(ctx, w, slot, next, r)
					b, err2 := c.model.FireSchedule(w, slot, next, r)
					c.same("FireSchedule", err, err2)
					c.equal("FireSchedule", a, b)
				case n < 87:
					fresh++
					r := newRun(flow.RunID(fmt.Sprint("r", fresh%12)), w)
					if c.model.runs[r.ID] != nil {
						break
					}
					r.Kind = flow.Backfill
					a, err := db.InsertSlot(ctx, r)
					b, err2 := c.model.InsertSlot(r)
					c.same("InsertSlot", err, err2)
					c.equal("InsertSlot", a, b)
				case n < 91:
					if c.rng.IntN(3) == 0 {
						w = ""
					}
					c.same("Pause", db.Pause(ctx, w, "p", at(3)), c.model.Pause(w, "p", at(3)))
				case n < 93:
					c.model.Unpause(w)
					c.same("Unpause", db.Unpause(ctx, w), nil)
				default:
					limit := 1 + c.rng.IntN(40)
					a, err := db.PurgeWorkflow(ctx, w, limit)
					b, err2 := c.model.PurgeWorkflow(w, limit)
					c.same("PurgeWorkflow", err, err2)
					c.equal("PurgeWorkflow", a, b)
				}
				// What they hold.
				unfinished, err := db.Unfinished(ctx)
				c.same("Unfinished", err, nil)
				c.equal("Unfinished", unfinished, c.model.Unfinished())
				deleting, _ := db.Deleting(ctx)
				c.equal("Deleting", deleting, c.model.Deleting())
				pauses, _ := db.Pauses(ctx)
				c.equal("Pauses", pauses, c.model.Pauses())
				next, ok, _ := db.NextDue(ctx)
				next2, ok2 := c.model.NextDue()
				c.equal("NextDue", []any{next, ok}, []any{next2, ok2})
				due, _ := db.DueSchedules(ctx, at(30), 10)
				due2 := c.model.DueSchedules(micro(at(30)), 10)
				byTime := func(a, b flow.Fire) int { return a.At.Compare(b.At) }
				slices.SortStableFunc(due, byTime)
				c.equal("DueSchedules", times(due), times(due2))
				missing, _ := db.Unscheduled(ctx)
				c.equal("Unscheduled", ids(missing), ids(c.model.Unscheduled()))
				for i := range 12 {
					id := flow.RunID(fmt.Sprint("r", i))
					a, err := db.RunByID(ctx, id)
					b, err2 := c.model.RunByID(id)
					c.same("RunByID", err, err2)
					c.equal("RunByID", a, b)
					tasks, _ := db.Tasks(ctx, id)
					tasks2 := c.model.Tasks(id)
					if row := c.model.workflows[b.Workflow]; row != nil && row.Deleting {
						c.equal("number of Tasks", len(tasks), len(tasks2)) // purged in whatever order
						continue
					}
					c.equal("Tasks", tasks, tasks2)
					journal, _, _ := db.Journal(ctx, id, flow.Page{Limit: 1000})
					c.equal("Journal", journal, c.model.Journal(id))
				}
				for _, key := range graphs {
					_, err := db.Graph(ctx, key)
					_, err2 := c.model.Graph(key)
					c.same("Graph", err, err2)
				}
			}
		})
	}
}

func times(fires []flow.Fire) (list []time.Time) {
	for _, f := range fires {
		list = append(list, f.At)
	}
	return list
}

func ids(versions []flow.Version) (list []flow.VersionID) {
	for _, v := range versions {
		list = append(list, v.ID)
	}
	return list
}

type comparison struct {
	*testing.T
	rng   *rand.Rand
	model *Rows
}

func (c *comparison) schedule() *flow.Schedule {
	if c.rng.IntN(2) == 0 {
		return nil
	}
	return &flow.Schedule{Expr: "@daily"}
}

func (c *comparison) same(what string, store, model error) {
	c.Helper()
	if (store == nil) != (model == nil) || flow.KindOf(store) != flow.KindOf(model) {
		c.Fatalf("%s: the store says %v, the model %v", what, store, model)
	}
}

func (c *comparison) equal(what string, store, model any) {
	c.Helper()
	if diff := cmp.Diff(store, model, cmpopts.EquateEmpty()); diff != "" {
		c.Fatalf("%s (-store +model):\n%s", what, diff)
	}
}

// step makes one that follows row, or nearly.
func (c *comparison) step(row *flow.Run, at func(int) time.Time) engine.Step {
	states := []flow.State{flow.Running, flow.Running, flow.Running, flow.Stopping, flow.Failed}
	was := row.State
	row.State = states[c.rng.IntN(len(states))]
	row.Reason, row.Held, row.Modified = fmt.Sprint(c.rng.IntN(3)), c.rng.IntN(5) == 0, at(c.rng.IntN(100))
	s := engine.Step{
		Run: *row, Reopens: was.Final() && !row.State.Final(),
		Entry: flow.Entry{Run: row.ID, Seq: row.Rev, At: at(c.rng.IntN(100)), What: "tick", Detail: json.RawMessage(`{}`)},
	}
	for i := range 3 {
		id := flow.TaskID("abc"[i : i+1])
		if c.rng.IntN(2) == 0 {
			s.Tasks = append(s.Tasks, flow.Task{
				ID: id, Index: i, State: flow.Running, Attempt: c.rng.IntN(4), Base: c.rng.IntN(2), Due: at(c.rng.IntN(9)), Modified: at(c.rng.IntN(9)),
				Mark: json.RawMessage(`{"m":1}`), Handle: "h", Pokes: c.rng.IntN(3),
			})
		}
		if c.rng.IntN(6) == 0 {
			s.Past = append(s.Past, flow.Attempt{Task: id, N: c.rng.IntN(3), State: flow.Failed, Started: at(1), Ended: at(2)})
		}
		if c.rng.IntN(6) == 0 {
			s.Outputs = append(s.Outputs, flow.Output{Task: id, Attempt: c.rng.IntN(3), Key: "k", Value: json.RawMessage(`1`)})
		}
	}
	return s
}

package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/store"
	"fairlead/internal/store/disktest"
)

// A drill is a store on a virtual disk, and what was promised about it.
type drill struct {
	t     *testing.T
	seed  uint64
	disk  *disktest.Disk
	vfs   string
	db    *store.DB
	hands []*hand
}

const drillPath = "/store.db"

// A hand is one caller of the store, with rows of its own.
type hand struct {
	n   int
	rng *rand.Rand
	wf  flow.WorkflowID
	ver flow.VersionID
	key string // of the graph

	made    bool               // the workflow is there for sure
	setting int                // the last value that was acknowledged
	tried   int                // the last that was asked for
	runs    []*drillRun        // in the order in which they were asked for
	slot    int                // the schedule stands there for sure …
	reached int                // … or as far as here
	fired   map[int]flow.RunID // slots that fired for sure
	acks    int
}

type drillRun struct {
	id    flow.RunID
	sure  bool  // it is there
	rev   int64 // the last that was acknowledged
	tried int64 // the last that was asked for
	over  bool  // its last step was asked for
}

func drillSeed(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("FAIRLEAD_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("FAIRLEAD_SEED=%d", seed)
	return seed
}

// cuts is how many times a test cuts the power.
func cuts(t *testing.T, usual int) int {
	if n, err := strconv.Atoi(os.Getenv("FAIRLEAD_CUTS")); err == nil {
		return n
	}
	if testing.Short() {
		return usual / 10
	}
	return usual
}

func newDrill(t *testing.T, seed uint64, hands int) *drill {
	d := &drill{t: t, seed: seed, disk: disktest.New(seed)}
	vfs, release, err := d.disk.Register()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	d.vfs = vfs
	for n := range hands {
		d.hands = append(d.hands, &hand{
			n: n, rng: rand.New(rand.NewPCG(seed, uint64(n))), fired: map[int]flow.RunID{},
			wf: flow.WorkflowID(fmt.Sprint("wf", n)), ver: flow.VersionID(fmt.Sprint("v", n)),
		})
	}
	return d
}

func drillTime(n int) time.Time { return time.Date(2026, 11, 21, 0, n, 0, 0, time.UTC) }

// act does one thing. It returns false when the store has refused.
func (h *hand) act(ctx context.Context, db *store.DB) error {
	if !h.made {
		return h.make(ctx, db)
	}
	switch r := h.rng.IntN(10); {
	case r == 0:
		h.tried++
		value := fmt.Sprintf("%d %s", h.tried, strings.Repeat("s", h.rng.IntN(9000)))
		_, err := db.PutSetting(ctx, fmt.Sprint("k", h.n), []byte(value), false)
		if err == nil {
			h.setting = h.tried
			h.acks++
		}
		return err
	case r == 1:
		return h.start(ctx, db)
	case r == 2:
		return h.fire(ctx, db)
	default:
		return h.step(ctx, db)
	}
}

// make makes the workflow with its version and schedule, or finds out that
// it was made.
func (h *hand) make(ctx context.Context, db *store.DB) error {
	key, err := db.PutGraph(ctx, flow.Graph{Nodes: []flow.Node{{ID: "a"}, {ID: "b"}, {ID: "c"}}})
	if err != nil {
		return err
	}
	h.key = key
	wf := flow.Workflow{ID: h.wf, Name: string(h.wf), Created: drillTime(0), Modified: drillTime(0)}
	v := flow.Version{ID: h.ver, Source: "s", Graph: key, MaxRuns: 1, Created: drillTime(0)}
	tok := flow.Token{Key: "make-" + string(h.wf), Fingerprint: "f", Expires: drillTime(1 << 20)}
	if _, _, _, err := db.CreateWorkflow(ctx, wf, v, tok, 0); err != nil {
		return err
	}
	if h.slot == 0 {
		if err := db.SetSchedule(ctx, h.wf, h.ver, drillTime(1)); err != nil {
			return err
		}
		h.slot, h.reached = 1, 1
	}
	h.made = true
	h.acks++
	return nil
}

func (h *hand) newRun(id flow.RunID, slot time.Time) flow.Run {
	return flow.Run{
		ID: id, Workflow: h.wf, Version: h.ver, Kind: flow.OnDemand, State: flow.Starting, Key: "key", Logical: slot,
		Graph: h.key, Created: slot, Modified: slot,
	}
}

// start starts a run with a token, twice: the second must be told of the
// first.
func (h *hand) start(ctx context.Context, db *store.DB) error {
	id := flow.RunID(fmt.Sprintf("r%d-%d", h.n, len(h.runs)))
	r := &drillRun{id: id}
	h.runs = append(h.runs, r)
	tok := flow.Token{Key: "start-" + string(id), Fingerprint: "f", Expires: drillTime(1 << 20)}
	if _, created, err := db.InsertRun(ctx, h.newRun(id, drillTime(0)), tok, 0, 0); err != nil {
		return err
	} else if !created {
		return fmt.Errorf("%w: run %s is new and was there", errFalse, id)
	}
	r.sure = true
	h.acks++
	again := h.newRun("other-"+id, drillTime(0))
	if got, created, err := db.InsertRun(ctx, again, tok, 0, 0); err == nil && (created || got.ID != id) {
		return fmt.Errorf("%w: the token of run %s made another run %s", errFalse, id, got.ID)
	} else if err != nil {
		return err
	}
	return nil
}

// fire fires the next slot of the schedule.
func (h *hand) fire(ctx context.Context, db *store.DB) error {
	slot := h.slot
	id := flow.RunID(fmt.Sprintf("s%d-%d", h.n, slot))
	row := h.newRun(id, drillTime(slot))
	h.reached = max(h.reached, slot+1)
	fired, err := db.FireSchedule(ctx, h.wf, drillTime(slot), drillTime(slot+1), &row)
	if err != nil {
		return err
	}
	if !fired {
		return fmt.Errorf("%w: slot %d of %s was due and did not fire", errFalse, slot, h.wf)
	}
	h.slot = slot + 1
	h.fired[slot] = id
	h.acks++
	twice := h.newRun("twice-"+id, drillTime(slot))
	if fired, err := db.FireSchedule(ctx, h.wf, drillTime(slot), drillTime(slot+1), &twice); err == nil && fired {
		return fmt.Errorf("%w: slot %d of %s fired twice", errFalse, slot, h.wf)
	}
	return nil
}

// step saves the next step of a run, and sees that the one before is stale.
func (h *hand) step(ctx context.Context, db *store.DB) error {
	var open []*drillRun
	for _, r := range h.runs {
		if r.sure && !r.over {
			open = append(open, r)
		}
	}
	if len(open) == 0 {
		return h.start(ctx, db)
	}
	r := open[h.rng.IntN(len(open))]
	s := h.stepOf(r, r.rev+1)
	r.over = s.Run.State.Final()
	r.tried = max(r.tried, s.Run.Rev)
	if err := db.Save(ctx, s); err != nil {
		return err
	}
	r.rev = s.Run.Rev
	h.acks++
	if h.rng.IntN(4) == 0 {
		if err := db.Save(ctx, s); err == nil {
			return fmt.Errorf("%w: run %s took revision %d twice", errFalse, r.id, s.Run.Rev)
		}
	}
	return nil
}

func (h *hand) stepOf(r *drillRun, rev int64) engine.Step {
	row := h.newRun(r.id, drillTime(0))
	row.Rev, row.State = rev, flow.Running
	if rev > 20 {
		row.State, row.Ended = flow.Succeeded, drillTime(int(rev))
	}
	s := engine.Step{Run: row, Entry: flow.Entry{Run: r.id, Seq: rev, What: "x"}}
	for i, id := range []flow.TaskID{"a", "b", "c"} {
		s.Tasks = append(s.Tasks, flow.Task{ID: id, Index: i, State: flow.Running, Attempt: int(rev)})
	}
	value, _ := json.Marshal(strings.Repeat("o", h.rng.IntN(6000)))
	s.Outputs = []flow.Output{{Task: "b", Attempt: int(rev), Key: "k", Value: value}}
	return s
}

// errFalse is an answer of the store that cannot be true.
var errFalse = errors.New("false answer")

// open opens the store on a disk that is well again.
func (d *drill) open(ctx context.Context) {
	d.t.Helper()
	db, err := store.OpenOn(ctx, drillPath, d.disk, d.vfs)
	if err != nil {
		d.t.Fatalf("seed %d: Open after a cut: %v", d.seed, err)
	}
	d.db = db
}

// audit compares what is there with what was promised.
func (d *drill) audit(ctx context.Context) {
	t := d.t
	t.Helper()
	if said, err := d.db.Integrity(ctx); err != nil || said != "ok" {
		t.Errorf("seed %d: integrity_check = %s, %v", d.seed, said, err)
	}
	for _, h := range d.hands {
		if err := h.audit(ctx, d); err != nil {
			t.Errorf("seed %d: read after a cut: %v", d.seed, err)
		}
	}
}

// audit checks that what h was promised is there, and nothing that it never
// asked for, and takes what is there for what it goes on from. The error is
// that of a read that failed.
func (h *hand) audit(ctx context.Context, d *drill) error {
	bad := func(format string, args ...any) {
		d.t.Helper()
		d.t.Errorf("seed %d, cut %d: %s", d.seed, d.disk.Seen().Cuts, fmt.Sprintf(format, args...))
	}
	value, _, err := d.db.Setting(ctx, fmt.Sprint("k", h.n))
	if err != nil {
		return err
	}
	got := 0
	_, _ = fmt.Sscanf(string(value), "%d ", &got)
	if got < h.setting || got > h.tried {
		bad("setting %d is %d; %d was acknowledged, %d asked for", h.n, got, h.setting, h.tried)
	}
	h.setting = got
	if _, err := d.db.Workflow(ctx, h.wf); h.made && flow.KindOf(err) == flow.NotFound {
		bad("workflow %s was acknowledged: %v", h.wf, err)
	}
	for _, r := range h.runs {
		if err := h.auditRun(ctx, d, r, bad); err != nil {
			return err
		}
	}
	for slot, id := range h.fired {
		if _, err := d.db.RunByID(ctx, id); flow.KindOf(err) == flow.NotFound {
			bad("slot %d has fired: %v", slot, err)
		}
	}
	due, err := d.db.DueSchedules(ctx, drillTime(1<<20), 100)
	if err != nil {
		return err
	}
	for _, f := range due {
		if f.Workflow != h.wf {
			continue
		}
		n := int(f.At.Sub(drillTime(0)) / time.Minute)
		if n < h.slot || n > max(h.reached, 1) {
			bad("the schedule of %s is at %d; %d was acknowledged, %d asked for", h.wf, n, h.slot, h.reached)
		}
		// The run is there exactly if the schedule has moved on.
		for slot := max(h.slot, 1); slot <= h.reached; slot++ {
			_, err := d.db.RunByID(ctx, flow.RunID(fmt.Sprintf("s%d-%d", h.n, slot)))
			if err != nil && flow.KindOf(err) != flow.NotFound {
				return err
			}
			if there := err == nil; there != (slot < n) {
				bad("the schedule of %s is at %d, and the run of slot %d: %v", h.wf, n, slot, err)
			}
		}
		h.slot = n
	}
	return nil
}

func (h *hand) auditRun(ctx context.Context, d *drill, r *drillRun, bad func(string, ...any)) error {
	row, err := d.db.RunByID(ctx, r.id)
	if flow.KindOf(err) == flow.NotFound {
		if r.sure {
			bad("run %s was acknowledged: %v", r.id, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if row.Rev < r.rev || row.Rev > r.tried {
		bad("run %s is at %d; %d was acknowledged, %d asked for", r.id, row.Rev, r.rev, r.tried)
	}
	r.sure, r.rev, r.over = true, row.Rev, row.State.Final()
	if r.rev == 0 {
		return nil
	}
	return whole(ctx, d.db, row, bad)
}

// TestReadErrorIsNoAnswer checks that what cannot be read is not said to be
// absent.
func TestReadErrorIsNoAnswer(t *testing.T) {
	ctx := t.Context()
	d := newDrill(t, 1, 1)
	d.open(ctx)
	h := d.hands[0]
	for range 200 {
		if err := h.act(ctx, d.db); err != nil {
			t.Fatal(err)
		}
	}
	d.db.Close()
	for n := range 50 {
		d.open(ctx)
		// The pages of these tables are not in memory yet.
		d.disk.Misbehave(disktest.Faults{Read: float64(n%5+1) / 5})
		_, err := d.db.Workflow(ctx, h.wf)
		_, found, serr := d.db.Setting(ctx, "k0")
		_, rerr := d.db.RunByID(ctx, h.runs[0].id)
		tok := flow.Token{Key: "start-" + string(h.runs[0].id), Fingerprint: "f", Expires: drillTime(1 << 20)}
		_, created, ierr := d.db.InsertRun(ctx, h.newRun(flow.RunID(fmt.Sprint("n", n)), drillTime(0)), tok, 0, 0)
		if flow.KindOf(err) == flow.NotFound || serr == nil && !found || flow.KindOf(rerr) == flow.NotFound || created {
			t.Errorf("round %d: Workflow: %v; Setting: %v, %v; RunByID: %v; InsertRun with a known token: %v, %v", n, err, found, serr, rerr, created, ierr)
		}
		d.disk.Misbehave(disktest.Faults{})
		d.db.Close()
	}
}

// TestPowerCuts cuts the power in the middle of the store's writes, again and
// again, on disks that also fail and fill up: what was acknowledged is there,
// whole, and nothing is there by half.
func TestPowerCuts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		hands  int
		faults disktest.Faults
		cuts   int
	}{
		{"alone", 1, disktest.Faults{}, 150},
		{"many callers", 8, disktest.Faults{}, 100},
		{"syncs fail", 4, disktest.Faults{Sync: 0.05}, 150},
		{"writes fail", 4, disktest.Faults{Write: 0.02}, 100},
		{"reads fail", 4, disktest.Faults{Read: 0.01}, 50},
		{"disk fills up", 4, disktest.Faults{Room: 400 << 10}, 50},
		{"slow", 8, disktest.Faults{Slow: time.Millisecond}, 20},
		{"all at once", 4, disktest.Faults{Sync: 0.02, Write: 0.01, Read: 0.002, Slow: 100 * time.Microsecond}, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			newDrill(t, drillSeed(t), tt.hands).run(tt.faults, cuts(t, tt.cuts))
		})
	}
}

func (d *drill) run(faults disktest.Faults, cuts int) {
	ctx := d.t.Context()
	rng := rand.New(rand.NewPCG(d.seed, 99))
	grown := int64(0)
	for d.disk.Seen().Cuts < cuts && !d.t.Failed() {
		f := faults
		f.Cut = 1 + rng.IntN(1+rng.IntN(300))
		if f.Room > 0 {
			// Room is what there is beyond what was there.
			f.Room = grown + rng.Int64N(f.Room)
		}
		d.disk.Misbehave(f)
		for !d.disk.Dark() && !d.t.Failed() {
			db, err := store.OpenOn(ctx, drillPath, d.disk, d.vfs)
			if err != nil {
				continue // the disk refuses, until the power goes
			}
			d.db = db
			d.work(ctx, 200)
			if rng.IntN(2) == 0 {
				d.disk.Kill() // Close finds everything dead
			}
			db.Close()
		}
		d.disk.Misbehave(disktest.Faults{})
		d.disk.PowerOn()
		d.open(ctx)
		d.audit(ctx)
		d.db.Close()
		grown = int64(len(d.disk.Bytes(drillPath)))
	}
	acks := 0
	for _, h := range d.hands {
		acks += h.acks
	}
	d.t.Logf("%d acknowledged, disk: %+v", acks, d.disk.Seen())
	if acks == 0 && cuts >= 20 {
		d.t.Error("nothing was acknowledged at all")
	}
}

// work lets each hand act until the power goes, or until it was refused many
// times. One that was refused looks at what there is, as the conductor does,
// and goes on from there.
func (d *drill) work(ctx context.Context, most int) {
	var wg sync.WaitGroup
	for _, h := range d.hands {
		act := func() {
			refused := 0
			if h.audit(ctx, d) != nil {
				return
			}
			for n := 0; n < most && refused < 8 && !d.disk.Dark() && !d.t.Failed(); n++ {
				err := h.act(ctx, d.db)
				if err == nil {
					continue
				}
				if errors.Is(err, errFalse) {
					d.t.Errorf("seed %d: %v", d.seed, err)
					return
				}
				// One that was refused looks at what there is before it goes on.
				for refused++; refused < 20 && h.audit(ctx, d) != nil; refused++ {
					continue
				}
			}
		}
		if len(d.hands) == 1 {
			act()
			return
		}
		wg.Go(act)
	}
	wg.Wait()
}

// TestOneSeedOneStory checks that a lone caller's story repeats itself from
// its seed, cut by cut.
func TestOneSeedOneStory(t *testing.T) {
	story := func() (uint64, int) {
		d := newDrill(t, 7, 1)
		d.run(disktest.Faults{Sync: 0.02, Write: 0.01, Read: 0.002}, 30)
		return d.disk.Trace(), d.hands[0].acks
	}
	trace, acks := story()
	if again, acks2 := story(); again != trace || acks2 != acks {
		t.Errorf("the same seed gave %x with %d acknowledged, then %x with %d", trace, acks, again, acks2)
	}
}

func (d *drill) put(key string) error {
	_, err := d.db.PutSetting(d.t.Context(), key, []byte(strings.Repeat("x", 50_000)), false)
	return err
}

// TestFullDisk checks that a store on a full disk says so, keeps what it
// has, and goes on once there is room.
func TestFullDisk(t *testing.T) {
	d := newDrill(t, 1, 0)
	d.open(t.Context())
	defer func() { d.db.Close() }()
	d.disk.Misbehave(disktest.Faults{Room: 1 << 20})
	n := 0
	var err error
	for ; err == nil && n < 1000; n++ {
		err = d.put(fmt.Sprint("k", n))
	}
	if flow.KindOf(err) != flow.Busy || !strings.Contains(err.Error(), "disk is full") || !strings.Contains(err.Error(), drillPath) {
		t.Fatalf("write %d on a full disk = %v (kind %d); want a Busy error that says that the disk is full, and where", n, err, flow.KindOf(err))
	}
	if _, found, err := d.db.Setting(t.Context(), fmt.Sprint("k", n-1)); found || err != nil {
		t.Errorf("what was refused is found: %v, %v", found, err)
	}
	d.disk.Misbehave(disktest.Faults{})
	if err := d.put("more"); err != nil {
		t.Errorf("write after room was made = %v", err)
	}
	d.disk.PowerOn()
	d.db.Close()
	d.open(t.Context())
	for i := range n - 1 {
		if _, found, err := d.db.Setting(t.Context(), fmt.Sprint("k", i)); !found {
			t.Errorf("write %d, which was acknowledged before the disk was full: %v", i, err)
		}
	}
	if _, found, err := d.db.Setting(t.Context(), "more"); !found {
		t.Errorf("the write after room was made: %v", err)
	}
}

// TestFailedSyncStopsWrites checks that nothing is acknowledged after a sync
// has failed, though the disk says that it is well again.
func TestFailedSyncStopsWrites(t *testing.T) {
	d := newDrill(t, 1, 0)
	d.open(t.Context())
	defer func() { d.db.Close() }()
	if err := d.put("before"); err != nil {
		t.Fatal(err)
	}
	d.disk.Misbehave(disktest.Faults{Sync: 1})
	if err := d.put("during"); !errors.Is(err, store.ErrUnsynced) || flow.KindOf(err) != flow.Busy {
		t.Errorf("write whose sync fails = %v, want a Busy one with %v", err, store.ErrUnsynced)
	}
	d.disk.Misbehave(disktest.Faults{})
	if err := d.put("after"); !errors.Is(err, store.ErrUnsynced) {
		t.Errorf("write after a sync has failed = %v, want %v", err, store.ErrUnsynced)
	}
	select {
	case <-d.db.Broken():
	default:
		t.Error("the store is not broken")
	}
	if _, found, err := d.db.Setting(t.Context(), "before"); !found {
		t.Errorf("reads do not go on: %v", err)
	}
}

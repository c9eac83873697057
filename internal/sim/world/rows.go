package world

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// Rows is what a store holds, and what each of its transactions does. It is
// a model of package store, with which a test compares it call by call. Every
// method is one transaction: all of it or, with an error, nothing. It is not
// safe for concurrent use.
type Rows struct {
	graphs    map[string]flow.Graph
	uses      map[use]bool
	workflows map[flow.WorkflowID]*workflow
	runs      map[flow.RunID]*run
	tokens    map[string]token
	pauses    map[flow.WorkflowID]flow.Pause
	forgot    flow.RunID // of a broken world: its slot counts as free
}

type use struct {
	graph string
	wf    flow.WorkflowID
}

type token struct {
	fingerprint string
	run         flow.RunID
	expires     time.Time
}

type workflow struct {
	flow.Workflow
	lastN    int
	versions []flow.Version // by N
	schedule *schedule
}

type schedule struct {
	version     flow.VersionID
	next, fired time.Time
	kept        time.Time // the slot that was due when the latest version came
}

type run struct {
	row     flow.Run
	tasks   []flow.Task
	past    []flow.Attempt
	outputs []flow.Output
	journal []flow.Entry
}

// NewRows returns an empty store.
func NewRows() *Rows {
	return &Rows{
		graphs: map[string]flow.Graph{}, uses: map[use]bool{}, workflows: map[flow.WorkflowID]*workflow{},
		runs: map[flow.RunID]*run{}, tokens: map[string]token{}, pauses: map[flow.WorkflowID]flow.Pause{},
	}
}

// PutGraph keeps a graph under a key.
func (d *Rows) PutGraph(key string, g flow.Graph) { d.graphs[key] = g }

// Graph returns a graph.
func (d *Rows) Graph(key string) (flow.Graph, error) {
	g, ok := d.graphs[key]
	if !ok {
		return g, flow.Errorf(flow.NotFound, "graph %q does not exist", key)
	}
	return g, nil
}

// checkGraph says whether a workflow can use a graph.
func (d *Rows) checkGraph(key string) error {
	if _, ok := d.graphs[key]; !ok {
		return flow.Errorf(flow.Busy, "graph %q is not there; put it again", key)
	}
	return nil
}

// CreateWorkflow keeps a workflow and its first version.
func (d *Rows) CreateWorkflow(w flow.Workflow, v flow.Version) error {
	for _, other := range d.workflows {
		if other.Name == w.Name && !other.Deleting {
			return flow.Errorf(flow.Conflict, "a workflow named %q exists", w.Name)
		}
	}
	if err := d.checkGraph(v.Graph); err != nil {
		return err
	}
	d.uses[use{v.Graph, w.ID}] = true
	v.Workflow, v.N = w.ID, 1
	w.Latest, w.Deleting = v.ID, false
	d.workflows[w.ID] = &workflow{Workflow: w, lastN: 1, versions: []flow.Version{trimVersion(v)}}
	return nil
}

func (d *Rows) workflow(id flow.WorkflowID) (*workflow, error) {
	w := d.workflows[id]
	if w == nil {
		return nil, flow.Errorf(flow.NotFound, "workflow %q does not exist", id)
	}
	return w, nil
}

// standing returns a workflow that is not being deleted.
func (d *Rows) standing(id flow.WorkflowID) (*workflow, error) {
	w, err := d.workflow(id)
	if err == nil && w.Deleting {
		return nil, flow.Errorf(flow.Conflict, "workflow %q is being deleted", id)
	}
	return w, err
}

// AddVersion keeps a version, which becomes the latest.
func (d *Rows) AddVersion(v flow.Version) (flow.Version, error) {
	w, err := d.standing(v.Workflow)
	if err != nil {
		return v, err
	}
	if err := d.checkGraph(v.Graph); err != nil {
		return v, err
	}
	d.uses[use{v.Graph, w.ID}] = true
	w.lastN++
	v.N = w.lastN
	w.versions = append(w.versions, trimVersion(v))
	w.Latest = v.ID
	if s := w.schedule; s != nil {
		if !s.next.IsZero() && !s.next.After(micro(v.Created)) {
			s.kept = s.next
		}
		s.version, s.next = "", time.Time{}
	}
	return v, nil
}

func (w *workflow) unschedule() {
	if w.schedule != nil {
		w.schedule.version, w.schedule.next, w.schedule.kept = "", time.Time{}, time.Time{}
	}
}

// DeleteVersion removes a version that no active run needs.
func (d *Rows) DeleteVersion(wf flow.WorkflowID, id flow.VersionID) error {
	w, err := d.standing(wf)
	if err != nil {
		return err
	}
	for _, r := range d.runs {
		if r.row.Workflow == wf && r.row.Version == id && !r.row.State.Final() {
			return flow.Errorf(flow.Conflict, "a run of version %q is still active", id)
		}
	}
	i := slices.IndexFunc(w.versions, func(v flow.Version) bool { return v.ID == id })
	if i < 0 {
		return noVersion(wf, id)
	}
	if len(w.versions) == 1 {
		return flow.Errorf(flow.Conflict, "version %q is the only one", id)
	}
	w.versions = slices.Delete(w.versions, i, i+1)
	if w.Latest == id {
		w.Latest = w.versions[len(w.versions)-1].ID
		w.unschedule()
	}
	return nil
}

func noVersion(wf flow.WorkflowID, id flow.VersionID) error {
	return flow.Errorf(flow.NotFound, "workflow %q has no version %q", wf, id)
}

// Version returns a version; the latest if id is empty.
func (d *Rows) Version(wf flow.WorkflowID, id flow.VersionID) (flow.Version, error) {
	w := d.workflows[wf]
	if w != nil {
		if id == "" {
			id = w.Latest
		}
		for _, v := range w.versions {
			if v.ID == id {
				return v, nil
			}
		}
	}
	return flow.Version{}, noVersion(wf, id)
}

// MarkDeleting marks a workflow as being deleted.
func (d *Rows) MarkDeleting(wf flow.WorkflowID) error {
	w, err := d.workflow(wf)
	if err != nil {
		return err
	}
	w.Deleting = true
	w.unschedule()
	return nil
}

// Deleting lists the workflows that are being deleted.
func (d *Rows) Deleting() []flow.WorkflowID {
	var ids []flow.WorkflowID
	for id, w := range d.workflows {
		if w.Deleting {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// InsertRun keeps a new run, or returns the one that the token made.
func (d *Rows) InsertRun(r flow.Run, tok flow.Token, maxWorkflow, maxTotal int) (flow.Run, bool, error) {
	r, tok.Expires = trimRun(r), micro(tok.Expires)
	if t, ok := d.tokens[tok.Key]; ok && tok.Key != "" && t.expires.After(r.Created) {
		if t.fingerprint != tok.Fingerprint {
			return flow.Run{}, false, flow.Errorf(flow.Conflict, "client token %q was used for another request", tok.Key)
		}
		if old := d.runs[t.run]; old != nil {
			return old.row, false, nil
		}
	}
	if _, err := d.standing(r.Workflow); err != nil {
		return flow.Run{}, false, err
	}
	ofWorkflow, total := 0, 0
	for _, other := range d.runs {
		if !other.row.State.Final() {
			total++
			if other.row.Workflow == r.Workflow {
				ofWorkflow++
			}
		}
	}
	if maxWorkflow > 0 && ofWorkflow >= maxWorkflow || maxTotal > 0 && total >= maxTotal {
		return flow.Run{}, false, flow.Errorf(flow.Quota, "%d runs of %q and %d in all are not finished", ofWorkflow, r.Workflow, total)
	}
	if err := d.insert(r); err != nil {
		return flow.Run{}, false, err
	}
	if tok.Key != "" {
		maps.DeleteFunc(d.tokens, func(_ string, t token) bool { return !t.expires.After(r.Created) })
		d.tokens[tok.Key] = token{tok.Fingerprint, r.ID, tok.Expires}
	}
	return r, true, nil
}

func (d *Rows) insert(r flow.Run) error {
	if err := d.checkGraph(r.Graph); err != nil {
		return err
	}
	if d.runs[r.ID] != nil {
		return fmt.Errorf("run %q exists", r.ID)
	}
	d.uses[use{r.Graph, r.Workflow}] = true
	d.runs[r.ID] = &run{row: r}
	return nil
}

// RunByID returns a run.
func (d *Rows) RunByID(id flow.RunID) (flow.Run, error) {
	r := d.runs[id]
	if r == nil {
		return flow.Run{}, flow.Errorf(flow.NotFound, "run %q does not exist", id)
	}
	return r.row, nil
}

// Unfinished lists the runs that are not final, the oldest first.
func (d *Rows) Unfinished() []flow.Run {
	var open []flow.Run
	for _, r := range d.runs {
		if !r.row.State.Final() {
			open = append(open, r.row)
		}
	}
	slices.SortFunc(open, func(a, b flow.Run) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return open
}

// Tasks returns the tasks of a run.
func (d *Rows) Tasks(id flow.RunID) []flow.Task {
	if r := d.runs[id]; r != nil {
		return slices.Clone(r.tasks)
	}
	return nil
}

// Journal returns the journal of a run.
func (d *Rows) Journal(id flow.RunID) []flow.Entry {
	if r := d.runs[id]; r != nil {
		return slices.Clone(r.journal)
	}
	return nil
}

// Save keeps steps, all or none.
func (d *Rows) Save(steps ...engine.Step) error {
	revs := map[flow.RunID]int64{}
	rows := map[flow.RunID]map[flow.TaskID]bool{}
	for _, s := range steps {
		r := d.runs[s.Run.ID]
		if r == nil {
			return flow.Errorf(flow.NotFound, "run %q does not exist", s.Run.ID)
		}
		if s.Reopens && !s.Run.State.Final() {
			if _, err := d.standing(r.row.Workflow); err != nil {
				return err
			}
		}
		rev, seen := revs[s.Run.ID]
		if !seen {
			rev = r.row.Rev
			rows[s.Run.ID] = map[flow.TaskID]bool{}
			for _, t := range r.tasks {
				rows[s.Run.ID][t.ID] = true
			}
		}
		if s.Run.Rev != rev+1 {
			return flow.Errorf(flow.Conflict, "save run %s at revision %d: stale: the run is at revision %d", s.Run.ID, s.Run.Rev, rev)
		}
		revs[s.Run.ID] = s.Run.Rev
		for _, t := range s.Tasks {
			rows[s.Run.ID][t.ID] = true
		}
		for _, a := range s.Past {
			if !rows[s.Run.ID][a.Task] {
				return fmt.Errorf("attempt %d of task %q, which is not there", a.N, a.Task)
			}
		}
	}
	for i := range steps {
		d.runs[steps[i].Run.ID].save(&steps[i])
	}
	return nil
}

func (r *run) save(s *engine.Step) {
	r.saveRow(s)
	r.saveRest(s)
}

// task returns the row of a task; false if it has none.
func (r *run) task(index int) (flow.Task, bool) {
	i, ok := slices.BinarySearchFunc(r.tasks, index, func(t flow.Task, i int) int { return t.Index - i })
	if !ok {
		return flow.Task{}, false
	}
	return r.tasks[i], true
}

// saveRow keeps what a step can change of the run's row.
func (r *run) saveRow(s *engine.Step) {
	now := trimRun(s.Run)
	r.row.State, r.row.Rev, r.row.Reason, r.row.Cause = now.State, now.Rev, now.Reason, now.Cause
	r.row.Held, r.row.Started, r.row.Ended, r.row.Modified = now.Held, now.Started, now.Ended, now.Modified
}

func (r *run) saveRest(s *engine.Step) {
	for _, t := range s.Tasks {
		put(&r.tasks, trimTask(t), func(a flow.Task) bool { return a.Index == t.Index })
	}
	slices.SortFunc(r.tasks, func(a, b flow.Task) int { return a.Index - b.Index })
	for _, a := range s.Past {
		a.Started, a.Ended = micro(a.Started), micro(a.Ended)
		put(&r.past, a, func(b flow.Attempt) bool { return a.Task == b.Task && a.N == b.N })
	}
	for _, o := range s.Outputs {
		put(&r.outputs, o, func(b flow.Output) bool { return o.Task == b.Task && o.Attempt == b.Attempt && o.Key == b.Key })
	}
	e := s.Entry
	e.Run, e.Seq, e.At = s.Run.ID, s.Run.Rev, micro(e.At)
	r.journal = append(r.journal, e)
}

// put replaces the element that same finds, or appends.
func put[T any](list *[]T, v T, same func(T) bool) {
	if i := slices.IndexFunc(*list, same); i >= 0 {
		(*list)[i] = v
	} else {
		*list = append(*list, v)
	}
}

// SetSchedule says when a version fires next.
func (d *Rows) SetSchedule(wf flow.WorkflowID, v flow.VersionID, next time.Time) error {
	w, err := d.workflow(wf)
	if !next.IsZero() {
		w, err = d.standing(wf)
	}
	if err != nil || v != "" && v != w.Latest {
		return err
	}
	if w.schedule == nil {
		w.schedule = &schedule{}
	}
	if s := w.schedule; !next.IsZero() && !s.kept.IsZero() {
		next = s.kept
	}
	w.schedule.version, w.schedule.next, w.schedule.kept = v, micro(next), time.Time{}
	return nil
}

// DueSchedules returns what is due.
func (d *Rows) DueSchedules(now time.Time, limit int) []flow.Fire {
	var due []flow.Fire
	for id, w := range d.workflows {
		if s := w.schedule; s != nil && !s.next.IsZero() && !s.next.After(now) {
			due = append(due, flow.Fire{Workflow: id, Version: s.version, At: s.next})
		}
	}
	slices.SortFunc(due, func(a, b flow.Fire) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Workflow, b.Workflow)) })
	return due[:min(limit, len(due))]
}

// NextDue returns the earliest fire.
func (d *Rows) NextDue() (time.Time, bool) {
	var first time.Time
	for _, w := range d.workflows {
		if s := w.schedule; s != nil && !s.next.IsZero() && (first.IsZero() || s.next.Before(first)) {
			first = s.next
		}
	}
	return first, !first.IsZero()
}

// FireSchedule moves a schedule and inserts the run.
func (d *Rows) FireSchedule(wf flow.WorkflowID, slot, next time.Time, r *flow.Run) (bool, error) {
	w := d.workflows[wf]
	if w == nil || w.schedule == nil {
		return false, nil
	}
	s := w.schedule
	if s.next.IsZero() || !s.next.Equal(micro(slot)) || r != nil && r.Version != s.version {
		return false, nil
	}
	again := !s.next.After(s.fired)
	last := later(s.fired, s.next)
	if r != nil {
		last = later(last, micro(r.Logical))
	}
	if r != nil && !again {
		if w.Deleting {
			return false, flow.Errorf(flow.Conflict, "workflow %q is being deleted", wf)
		}
		again = d.slotTaken(wf, r.Logical) // by a backfill
	}
	if r != nil && !again {
		if err := d.insert(trimRun(*r)); err != nil {
			return false, err
		}
	}
	s.next, s.fired = micro(next), last
	return !again, nil
}

// slotTaken reports whether a run stands for a slot.
func (d *Rows) slotTaken(wf flow.WorkflowID, slot time.Time) bool {
	for _, r := range d.runs {
		if r.row.Workflow == wf && r.row.Kind != flow.OnDemand && r.row.Logical.Equal(micro(slot)) && r.row.ID != d.forgot {
			return true
		}
	}
	return false
}

// InsertSlot keeps a run for a slot that has none.
func (d *Rows) InsertSlot(r flow.Run) (bool, error) {
	if _, err := d.standing(r.Workflow); err != nil {
		return false, err
	}
	if d.slotTaken(r.Workflow, r.Logical) {
		return false, nil
	}
	err := d.insert(trimRun(r))
	return err == nil, err
}

// Pause keeps that a workflow, or everything, is paused.
func (d *Rows) Pause(wf flow.WorkflowID, who string, at time.Time) error {
	if wf != "" {
		if _, err := d.standing(wf); err != nil {
			return err
		}
	}
	if _, ok := d.pauses[wf]; !ok {
		d.pauses[wf] = flow.Pause{Workflow: wf, By: who, Since: micro(at)}
	}
	return nil
}

// Unpause ends a pause.
func (d *Rows) Unpause(wf flow.WorkflowID) { delete(d.pauses, wf) }

// Pauses lists what is paused.
func (d *Rows) Pauses() []flow.Pause {
	var all []flow.Pause
	for _, wf := range sorted(d.pauses) {
		all = append(all, d.pauses[wf])
	}
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Unscheduled lists latest versions whose schedule was not set yet.
func (d *Rows) Unscheduled() []flow.Version {
	var missing []flow.Version
	for id, w := range d.workflows {
		v, err := d.Version(id, "")
		if err == nil && !w.Deleting && v.Schedule != nil && (w.schedule == nil || w.schedule.version != v.ID) {
			missing = append(missing, v)
		}
	}
	slices.SortFunc(missing, func(a, b flow.Version) int { return cmp.Compare(a.Workflow, b.Workflow) })
	return missing
}

// PurgeWorkflow removes up to max rows of a workflow.
func (d *Rows) PurgeWorkflow(wf flow.WorkflowID, max int) (bool, error) {
	w := d.workflows[wf]
	if w == nil {
		return true, nil
	}
	if !w.Deleting {
		return false, flow.Errorf(flow.Conflict, "workflow %q is not being deleted", wf)
	}
	var runs []*run
	for _, r := range d.runs {
		if r.row.Workflow == wf {
			if !r.row.State.Final() {
				return false, flow.Errorf(flow.Conflict, "workflow %q has active runs", wf)
			}
			runs = append(runs, r)
		}
	}
	slices.SortFunc(runs, func(a, b *run) int {
		return cmp.Or(a.row.Created.Compare(b.row.Created), cmp.Compare(a.row.ID, b.row.ID))
	})
	for _, r := range runs {
		if max = r.purge(max); max < 0 {
			return false, nil
		}
		delete(d.runs, r.row.ID)
		if max--; max <= 0 {
			return false, nil
		}
	}
	delete(d.workflows, wf)
	delete(d.pauses, wf)
	d.dropGraphs(wf)
	return true, nil
}

// purge removes the rows around a run's own and returns how many more may
// go; negative if the run's own must stay.
func (r *run) purge(max int) int {
	for _, cut := range []func() int{
		func() int { n := min(max, len(r.outputs)); r.outputs = r.outputs[n:]; return n },
		func() int { n := min(max, len(r.past)); r.past = r.past[n:]; return n },
		func() int { n := min(max, len(r.tasks)); r.tasks = r.tasks[n:]; return n },
		func() int { n := min(max, len(r.journal)); r.journal = r.journal[n:]; return n },
	} {
		if max -= cut(); max <= 0 {
			return -1
		}
	}
	return max
}

func (d *Rows) dropGraphs(wf flow.WorkflowID) {
	needed, freed := map[string]bool{}, []string{}
	for u := range d.uses {
		if u.wf == wf {
			delete(d.uses, u)
			freed = append(freed, u.graph)
		} else {
			needed[u.graph] = true
		}
	}
	for _, key := range freed {
		if !needed[key] {
			delete(d.graphs, key)
		}
	}
}

// micro is a time as the store gives it back: whole microseconds in UTC,
// without a reading of the monotonic clock.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func trimRun(r flow.Run) flow.Run {
	for _, t := range []*time.Time{&r.Logical, &r.Created, &r.Started, &r.Ended, &r.Modified} {
		*t = micro(*t)
	}
	return r
}

func trimTask(t flow.Task) flow.Task {
	for _, at := range []*time.Time{&t.Due, &t.Since, &t.Started, &t.Ended, &t.Modified} {
		*at = micro(*at)
	}
	return t
}

func trimVersion(v flow.Version) flow.Version {
	v.Created, v.CodeAt = micro(v.Created), micro(v.CodeAt)
	return v
}

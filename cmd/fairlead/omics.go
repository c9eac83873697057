package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/lang/wdl"
	"fairlead/internal/omics"
)

// An omicsEngine is what carries out runs as the door of HealthOmics sees it.
type omicsEngine struct {
	a         *app
	site      *runSite
	meter     *omicsMeter
	performer *wdl.Performer // set before there are runs

	// turn is held while a run that has ended is made to go on, or its files are
	// removed.
	turn sync.Mutex

	mu       sync.Mutex // guards what follows
	programs map[string]*omicsProgram
	settings map[flow.RunID]known
	rooms    map[string]*groupRoom
	// Steps that were saved, until the recorder has written what they mean.
	steps []engine.Step
	wake  chan struct{}
}

func newOmicsEngine(a *app, site *runSite) *omicsEngine {
	return &omicsEngine{
		a: a, site: site, meter: newOmicsMeter(a.meter), programs: map[string]*omicsProgram{}, settings: map[flow.RunID]known{}, rooms: map[string]*groupRoom{},
		wake: make(chan struct{}, 1),
	}
}

// An omicsProgram is what is known of a graph.
type omicsProgram struct {
	doc      *wdl.Document
	lenient  bool
	commands func(flow.TaskID) bool
}

// maxPrograms bounds how many graphs are kept in memory, and maxSettings of how
// many runs it is what they were asked to do.
const (
	maxPrograms = 64
	maxSettings = 4096
)

// What is known of a run: its settings, or that it has none, which stays so.
type known struct {
	omics.Settings
	none bool
}

// program returns what is known of a graph.
func (e *omicsEngine) program(ctx context.Context, key string) (*omicsProgram, error) {
	e.mu.Lock()
	p := e.programs[key]
	e.mu.Unlock()
	if p != nil {
		return p, nil
	}
	g, err := e.a.db.Graph(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("load graph %s: %w", key, err)
	}
	opened, err := wdl.Open(&g)
	if err != nil {
		return nil, err
	}
	p = &omicsProgram{opened.Main, opened.Lenient, wdl.Commands(&g)}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.programs) >= maxPrograms {
		clear(e.programs)
	}
	e.programs[key] = p
	return p, nil
}

// settingsOf returns what a run was asked to do.
func (e *omicsEngine) settingsOf(ctx context.Context, run flow.RunID) (omics.Settings, error) {
	e.mu.Lock()
	k, ok := e.settings[run]
	e.mu.Unlock()
	s := k.Settings
	if ok && k.none {
		return s, flow.Errorf(flow.NotFound, "run %s is none of HealthOmics", run)
	}
	if ok {
		return s, nil
	}
	row, err := e.a.db.Recorded(ctx, run)
	none := err != nil && flow.KindOf(err) == flow.NotFound
	if err != nil && !none {
		return s, err
	}
	if !none {
		if s, err = omics.SettingsOf(row.Record); err != nil {
			return s, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.settings) >= maxSettings {
		clear(e.settings)
	}
	e.settings[run] = known{s, none}
	return s, err
}

// Start implements [omics.Engine].
func (e *omicsEngine) Start(ctx context.Context, r flow.Run) (flow.Run, error) {
	return e.a.conductor.Start(ctx, conductor.StartRequest{Run: r})
}

// Stop implements [omics.Engine].
func (e *omicsEngine) Stop(ctx context.Context, run flow.RunID) error {
	_, err := e.a.stopRun(ctx, run, "CancelRun")
	return err
}

// Delete implements [omics.Engine].
func (e *omicsEngine) Delete(ctx context.Context, run flow.RunID) error {
	if err := e.a.db.DeleteRecorded(ctx, run); err != nil {
		return err
	}
	e.a.web.Removed(run)
	// What a crash leaves is removed at the next start.
	return os.RemoveAll(filepath.Join(e.site.dir, string(run)))
}

// Bind implements [omics.Engine].
func (e *omicsEngine) Bind(ctx context.Context, graph string, params json.RawMessage) error {
	p, err := e.program(ctx, graph)
	if err != nil {
		return err
	}
	if _, err := wdl.Bind(p.doc, params, p.lenient); err != nil {
		return flow.Errorf(flow.Invalid, "%w", err)
	}
	return nil
}

// CheckOutput implements [omics.Engine].
func (e *omicsEngine) CheckOutput(url string) error {
	if dir, ok := strings.CutPrefix(url, "file://"); ok {
		switch {
		case !e.a.opt.localFiles:
			return flow.Errorf(flow.Invalid, "%s: this server writes files of its machine with --local-files only; expected s3://BUCKET/PREFIX", url)
		case !filepath.IsAbs(dir):
			return flow.Errorf(flow.Invalid, "%s: expected file:///PATH", url)
		}
		return nil
	}
	_, err := omics.ParseS3(strings.TrimRight(url, "/"))
	return err
}

// closedFile is in the directory of a run of which nothing is left to do after an
// end, and has the revision that the run ended with: it may go on after that, to
// another end. An empty one is of a server that let none go on.
const closedFile = "closed"

// Closed implements [omics.Engine].
func (e *omicsEngine) Closed(r flow.Run) bool {
	dir := filepath.Join(e.site.dir, string(r.ID))
	at, err := os.ReadFile(filepath.Join(dir, closedFile))
	if err == nil {
		return len(at) == 0 || string(at) == strconv.FormatInt(r.Rev, 10)
	}
	_, err = os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist) // it never began, or was removed
}

// closedAt notes that nothing is left to do of a run that has ended.
func (e *omicsEngine) closedAt(r flow.Run) error {
	file := filepath.Join(e.site.dir, string(r.ID), closedFile)
	// Half a number would be another one.
	if err := os.WriteFile(file+".new", strconv.AppendInt(nil, r.Rev, 10), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// reopen refuses to let a run go on that has ended, and is one of HealthOmics,
// where that cannot be, or not now.
func (e *omicsEngine) reopen(ctx context.Context, r flow.Run) error {
	if r.Version != "" {
		return nil
	}
	if _, err := e.settingsOf(ctx, r.ID); err != nil {
		if flow.KindOf(err) == flow.NotFound {
			return nil // of no service
		}
		return err
	}
	_, err := os.Stat(filepath.Join(e.site.dir, string(r.ID)))
	switch {
	case r.State == flow.Succeeded:
		return flow.Errorf(flow.Conflict, "run %s is COMPLETED, and its outputs are where it was asked to put them: rerun it to have others", r.ID)
	case errors.Is(err, fs.ErrNotExist) && !r.Started.IsZero():
		return flow.Errorf(flow.Conflict, "the files of run %s are gone, so it cannot go on: rerun it", r.ID)
	case errors.Is(err, fs.ErrNotExist):
		return nil // it was cancelled before it began
	case err != nil:
		return err
	case !e.Closed(r):
		return flow.Errorf(flow.Busy, "run %s has just ended, and what it has made is being put where it belongs: try again when it is %s", r.ID, omics.StatusOf(r.State))
	}
	return e.closedAt(r) // by its revision, which it has no more when it goes on
}

// Commands implements [omics.Engine].
func (e *omicsEngine) Commands(ctx context.Context, r flow.Run) (func(flow.TaskID) bool, error) {
	p, err := e.program(ctx, r.Graph)
	if err != nil {
		return nil, err
	}
	return p.commands, nil
}

// image returns by what name the image is fetched that a task of a run names.
func (e *omicsEngine) image(ctx context.Context, r flow.Run, name string) (string, error) {
	s, err := e.settingsOf(ctx, r.ID)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return name, nil // of no service
	}
	if err != nil {
		return "", err
	}
	return s.Registries.Image(name, e.a.opt.account, e.a.opt.region), nil
}

// Waits implements [omics.Engine].
func (e *omicsEngine) Waits(run flow.RunID, t flow.Task) string { return e.performer.Waits(run, t) }

// Queued implements [omics.Engine].
func (e *omicsEngine) Queued(ctx context.Context, run flow.RunID) string {
	if w, ok := e.a.why(ctx, run, ""); ok && (w.Gate == flow.GateLimit || w.Gate == flow.GatePaused) {
		return w.Text
	}
	return ""
}

// Digests implements [omics.Engine].
func (e *omicsEngine) Digests(run flow.RunID) map[string]string { return e.site.digests(run) }

// A groupRoom is what the tasks of a group's runs may use together.
type groupRoom struct {
	limits omics.GroupLimits
	room   *wdl.Room
}

// unbounded stands for a limit that is not set.
const unbounded = 1 << 30

// share returns the room of a run's group; nil if it has none.
func (e *omicsEngine) share(r flow.Run) *wdl.Room {
	ctx := context.Background()
	s, err := e.settingsOf(ctx, r.ID)
	if err != nil || s.RunGroupID == "" {
		return nil // a run without a record is of no group
	}
	limits, err := e.limits(ctx, s.RunGroupID)
	if err != nil {
		e.a.opt.log.Error("limits of a run group", "group", s.RunGroupID, "err", err)
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.roomOf(s.RunGroupID, limits)
}

// roomOf returns the room of a group with some limits. What was let in under
// others counts. The caller holds mu.
func (e *omicsEngine) roomOf(group string, limits omics.GroupLimits) *wdl.Room {
	bound := func(n int) int {
		if n == 0 {
			return unbounded
		}
		return n
	}
	have := e.rooms[group]
	if have == nil {
		have = &groupRoom{limits, wdl.NewRoom(bound(limits.MaxCPUs), 1<<60, bound(limits.MaxGPUs))}
		e.rooms[group] = have
	} else if have.limits != limits {
		have.limits = limits
		have.room.Resize(bound(limits.MaxCPUs), 1<<60, bound(limits.MaxGPUs))
	}
	return have.room
}

// Regroup implements [omics.Engine].
func (e *omicsEngine) Regroup(ctx context.Context, group string) error {
	limits, err := e.limits(ctx, group)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.roomOf(group, limits)
	e.mu.Unlock()
	e.a.conductor.Regroup(group, limits.MaxRuns, time.Duration(limits.MaxDuration)*time.Minute)
	return nil
}

// limits returns those of a group; none if it is gone.
func (e *omicsEngine) limits(ctx context.Context, group string) (omics.GroupLimits, error) {
	r, err := e.a.db.Resource(ctx, flow.OmicsGroup, group)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return omics.GroupLimits{}, nil
	}
	if err != nil {
		return omics.GroupLimits{}, err
	}
	return omics.LimitsOf(r)
}

// terms says on what terms a run is let in.
func (e *omicsEngine) terms(ctx context.Context, r flow.Run) (conductor.Terms, error) {
	if r.Version != "" {
		return conductor.Terms{}, nil
	}
	s, err := e.settingsOf(ctx, r.ID)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return conductor.Terms{}, nil
	}
	if err != nil {
		return conductor.Terms{}, err
	}
	t := conductor.Terms{Group: s.RunGroupID}
	if s.Priority != nil {
		t.Priority = *s.Priority
	}
	if s.RunGroupID == "" {
		return t, nil
	}
	limits, err := e.limits(ctx, s.RunGroupID)
	t.GroupLimit, t.MaxDuration = limits.MaxRuns, time.Duration(limits.MaxDuration)*time.Minute
	return t, err
}

// taskEnvironment returns what a task is told about itself.
func (a *app) taskEnvironment(r flow.Run, t flow.Task) []string {
	arn := "arn:aws:omics:" + a.opt.region + ":" + a.opt.account + ":"
	id := omics.TaskID(r.ID, t)
	traced := map[string]string{}
	a.traceEnv(traced, r, t)
	var more []string
	for _, name := range slices.Sorted(maps.Keys(traced)) {
		more = append(more, name+"="+traced[name])
	}
	return append(more,
		"PATH="+usualPath, "AWS_REGION="+a.opt.region,
		"AWS_WORKFLOW_RUN="+arn+"run/"+string(r.ID), "AWS_WORKFLOW_RUN_ID="+string(r.ID), "AWS_WORKFLOW_RUN_UUID="+r.Key,
		"AWS_WORKFLOW_TASK="+arn+"task/"+id, "AWS_WORKFLOW_TASK_ID="+id, "AWS_WORKFLOW_TASK_UUID="+omics.TaskUUID(r.Key, t),
	)
}

// stepped takes note of a step. It must not block.
func (e *omicsEngine) stepped(s engine.Step) {
	if s.Run.Version != "" {
		return
	}
	e.meter.known(s.Run)
	e.mu.Lock()
	e.steps = append(e.steps, s)
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// record writes the logs of runs, and closes those that have ended, until ctx
// is done. What it had not come to then is lost of logs; runs are closed by the
// next server.
func (e *omicsEngine) record(ctx context.Context) {
	var closing sync.WaitGroup
	defer closing.Wait()
	// Some at once: where outputs go may be slow.
	slots := make(chan struct{}, closers)
	end := func(r flow.Run) {
		closing.Go(func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				e.close(ctx, r)
			case <-ctx.Done():
			}
		})
	}
	e.closeLeft(ctx, end)
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		}
		e.mu.Lock()
		steps := e.steps
		e.steps = nil
		e.mu.Unlock()
		for _, s := range steps {
			if err := e.write(ctx, s); err != nil && ctx.Err() == nil {
				e.a.opt.log.ErrorContext(ctx, "log of a run", "run", s.Run.ID, "err", err)
			}
			if s.Run.State.Final() {
				end(s.Run)
			}
		}
	}
}

// closers is how many runs are closed at once.
const closers = 8

// closeLeft ends runs that ended when nobody could close them, and removes what
// is left of deleted ones.
func (e *omicsEngine) closeLeft(ctx context.Context, end func(flow.Run)) {
	dirs, err := os.ReadDir(e.site.dir)
	if err != nil {
		e.a.opt.log.ErrorContext(ctx, "look for runs to close", "err", err)
		return
	}
	for _, d := range dirs {
		id := flow.RunID(d.Name())
		if strings.Trim(d.Name(), "0123456789") != "" || ctx.Err() != nil {
			continue
		}
		switch row, err := e.a.db.Recorded(ctx, id); {
		case flow.KindOf(err) == flow.NotFound && err != nil:
			err = os.RemoveAll(filepath.Join(e.site.dir, d.Name()))
			if err != nil {
				e.a.opt.log.WarnContext(ctx, "remove what is left of a run", "run", id, "err", err)
			}
		case err != nil:
			e.a.opt.log.ErrorContext(ctx, "look for runs to close", "run", id, "err", err)
		case row.Run.State.Final() && !e.Closed(row.Run):
			end(row.Run)
		}
	}
}

// sweep removes what crashes have left of runs that were being removed, of
// requests that got no further, and of definitions.
func (e *omicsEngine) sweep(ctx context.Context, began time.Time) {
	// A client may still send the request again whose record this is.
	if err := e.a.db.SweepRecords(ctx, began.Add(-omics.DefaultLimits().TokenLife)); err != nil && ctx.Err() == nil {
		e.a.opt.log.WarnContext(ctx, "sweep runs of HealthOmics", "err", err)
	}
	if err := e.a.omics.Sweep(ctx, began); err != nil && ctx.Err() == nil {
		e.a.opt.log.WarnContext(ctx, "sweep definitions", "err", err)
	}
}

// write puts what a step means into the logs of its run, as far as its log
// level has it.
func (e *omicsEngine) write(ctx context.Context, s engine.Step) error {
	set, err := e.settingsOf(ctx, s.Run.ID)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return nil // no run of the service
	}
	if err != nil {
		return err
	}
	p, err := e.program(ctx, s.Run.Graph)
	if err != nil {
		return err
	}
	e.count(s, set, p)
	if set.LogLevel == "OFF" {
		return nil
	}
	tasks := map[flow.TaskID]flow.Task{}
	for _, t := range s.Tasks {
		tasks[t.ID] = t
	}
	var run, log []string
	for _, m := range s.Entry.Moves {
		bad := m.State == flow.Failed || m.State == flow.TimedOut || m.State == flow.Retrying
		if m.Task == "" {
			if set.LogLevel != "ALL" && !bad {
				continue
			}
			line := omics.DescribeRun(s.Run, m)
			run, log = append(run, line), append(log, line)
			continue
		}
		t, ok := tasks[m.Task]
		// What was never ready is no task of the service yet, and what waits anew
		// is one when it is ready.
		if !ok || m.Attempt == 0 || m.State == flow.Waiting || !p.commands(m.Task) || set.LogLevel == "FATAL" || set.LogLevel != "ALL" && !bad {
			continue
		}
		t.Attempt = m.Attempt
		log = append(log, omics.DescribeTask(s.Run, t, m))
	}
	for i := range log {
		log[i] = p.stamp(s.Entry.At) + log[i]
	}
	return errors.Join(e.put(omics.RunStream(s.Run.ID), s.Entry.At, run), e.put(omics.EngineStream(s.Run.ID), s.Entry.At, log))
}

// stamp is what lines of the log of an engine begin with.
func (p *omicsProgram) stamp(at time.Time) string {
	return at.UTC().Format("2006-01-02 15:04:05.000") + " wdl.w:" + p.doc.Workflow.Name.Text + " "
}

// put adds lines to a log.
func (e *omicsEngine) put(stream string, at time.Time, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	if err := e.a.logs.EnsureGroup(omics.LogGroup); err != nil {
		return err
	}
	if err := e.a.logs.CreateStream(omics.LogGroup, stream); err != nil && flow.KindOf(err) != flow.Conflict {
		return err
	}
	events := make([]flow.LogEvent, len(lines))
	for i, line := range lines {
		events[i] = flow.LogEvent{At: at, Text: line}
	}
	return e.a.logs.Put(omics.LogGroup, stream, events)
}

// close does what follows the end of a run: its manifest is written, what its
// tasks have made goes into its cache, and the log of its engine to where its
// outputs are. That is tried a few times, since this server may be about to
// stop. What cannot be done is said: the run has ended, and clients wait.
func (e *omicsEngine) close(ctx context.Context, r flow.Run) {
	closed := e.Closed(r)
	// One that was cancelled before it began has nothing to be put anywhere, and
	// may be asked to go on at once.
	if !r.Started.IsZero() {
		if closed {
			return
		}
		if err := e.putAway(ctx, r); err != nil {
			e.a.opt.log.ErrorContext(ctx, "close a run", "run", r.ID, "err", err)
		}
		if ctx.Err() != nil {
			return // the next server does it
		}
	}
	if !closed {
		if err := e.closedAt(r); err != nil {
			e.a.opt.log.ErrorContext(ctx, "close a run", "run", r.ID, "err", err)
		}
	}
	e.a.office.Told(r.ID) // its end is one now to those who ask
	e.a.omics.RunEnded()
}

// putAway writes the manifest of a run that has ended, and puts what it has made where it
// belongs.
func (e *omicsEngine) putAway(ctx context.Context, r flow.Run) error {
	if _, err := e.site.Dir(r); err != nil {
		return err
	}
	if err := e.manifest(ctx, r); err != nil {
		return err
	}
	if err := e.persist(ctx, r, "not all outputs of tasks could be put into the cache", e.fillCache); err != nil {
		return err
	}
	return errors.Join(
		e.persist(ctx, r, "logs/engine.log could not be written", e.upload),
		e.persist(ctx, r, "what the run has finished could not all be published", e.publishFinished),
	)
}

// persist does something for a run that has ended, and tries a few times. When it
// cannot be done, the run's log says so.
func (e *omicsEngine) persist(ctx context.Context, r flow.Run, trouble string, do func(context.Context, flow.Run) error) error {
	err := do(ctx, r)
	for pause := time.Second; err != nil && flow.KindOf(err) == flow.Internal && pause < 8*time.Second; pause *= 2 {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		err = do(ctx, r)
	}
	if err == nil || ctx.Err() != nil {
		return nil
	}
	e.a.opt.log.WarnContext(ctx, trouble, "run", r.ID, "err", err)
	return e.put(omics.RunStream(r.ID), time.Now(), []string{trouble + ": " + err.Error()})
}

// manifest writes what a run has used.
func (e *omicsEngine) manifest(ctx context.Context, r flow.Run) error {
	stream := omics.ManifestStream(r.ID, r.Key)
	// Half of one that a crash has left begins anew.
	if err := e.a.logs.DeleteStream(omics.LogGroup, stream); err != nil && flow.KindOf(err) != flow.NotFound {
		return err
	}
	const many = 500
	var lines []string
	if err := e.a.omics.Manifest(ctx, r.ID, func(record []byte) error {
		if lines = append(lines, string(record)); len(lines) < many {
			return nil
		}
		err := e.put(stream, r.Ended, lines)
		lines = lines[:0]
		return err
	}); err != nil {
		return err
	}
	return e.put(stream, r.Ended, lines)
}

// upload puts the log of a run's engine beside its outputs.
func (e *omicsEngine) upload(ctx context.Context, r flow.Run) error {
	set, err := e.settingsOf(ctx, r.ID)
	if err != nil || set.LogLevel == "OFF" || r.Started.IsZero() {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	to, err := e.a.destination(ctx, r)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for at := int64(0); text.Len() < maxEngineLog; {
		page, err := e.a.logs.Read(ctx, omics.LogGroup, omics.EngineStream(r.ID), flow.LogRange{From: at, Limit: 1000})
		if flow.KindOf(err) == flow.NotFound && err != nil {
			break // nothing was worth a line
		}
		if err != nil {
			return err
		}
		for _, ev := range page.Events {
			text.WriteString(ev.Text)
			text.WriteByte('\n')
		}
		if page.Tail == at || len(page.Events) == 0 {
			break
		}
		at = page.Tail
	}
	return to.text(ctx, text.Bytes(), "logs/engine.log")
}

// maxEngineLog bounds the log that is put beside outputs, in bytes.
const maxEngineLog = 64 << 20

// forget removes the logs and files of a run whose rows are about to go.
func (e *omicsEngine) forget(ctx context.Context, r flow.Run) error {
	e.turn.Lock()
	defer e.turn.Unlock()
	if now, err := e.a.db.RunByID(ctx, r.ID); err != nil || !now.State.Final() {
		return err // it goes on
	}
	drop := func(stream string) error {
		if err := e.a.logs.DeleteStream(omics.LogGroup, stream); err != nil && flow.KindOf(err) != flow.NotFound {
			return err
		}
		return nil
	}
	for p := (flow.Page{Limit: 1000}); ; {
		tasks, next, err := e.a.db.Instances(ctx, r.ID, p)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if err := drop(omics.TaskStream(r.ID, t)); err != nil {
				return err
			}
		}
		if p.After = next; next == "" {
			break
		}
	}
	for _, stream := range []string{omics.RunStream(r.ID), omics.EngineStream(r.ID), omics.ManifestStream(r.ID, r.Key)} {
		if err := drop(stream); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(e.site.dir, string(r.ID)))
}

// workflowName returns the name of the workflow that a run is of, in its
// document.
func (e *omicsEngine) workflowName(ctx context.Context, r flow.Run) (string, error) {
	p, err := e.program(ctx, r.Graph)
	if err != nil {
		return "", err
	}
	return p.doc.Workflow.Name.Text, nil
}

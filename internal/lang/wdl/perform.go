package wdl

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
)

// Performer carries out the tasks of graphs that [Compile] made.
type Performer struct {
	Driver exec.Driver
	Values Values
	Site   Site
	Limits exec.Limits // of each process; memory, processors and time are the task's own
	// Room is what tasks may use of this machine together; nil is no bound.
	Room  *Room
	Grace time.Duration
	// GPUs are those of this machine, as many as Room has. Each is had by one
	// attempt at a time. WithoutGPUs has tasks that ask for some run without.
	GPUs        []exec.GPU
	WithoutGPUs bool
	// Images says that the driver has images. Where it has none, tasks that
	// name one run with the programs of this machine.
	Images bool
	// Image returns by what name the image is fetched that a task of a run names;
	// nil: by its own. Digest returns the digest of an attempt's image, which is
	// here; nil: nobody knows.
	Image  func(ctx context.Context, run flow.Run, name string) (string, error)
	Digest func(ctx context.Context, spec exec.Spec) (string, error)
	// Env is the environment of each task, KEY=value, but for what tells it
	// about itself.
	Env func(run flow.Run, task flow.Task) []string
	// Mounts says whether the driver shows directories under other names than
	// they have; nil: it does not.
	Mounts func(ctx context.Context) (bool, error)
	// Share is what the tasks of some runs, that of a group, may use together,
	// beside Room; nil is no bound.
	Share func(run flow.Run) *Room
	// Publish takes a run's outputs to where it was asked to; the result is
	// what they are called there. An error of the kind flow.Internal is tried
	// again, any other fails the run. Nil leaves them where they are.
	Publish func(ctx context.Context, run flow.Run, outputs Value) (Value, error)
	// Cache has what calls have made before; nil: each is carried out.
	Cache Cache
	// Identify returns what an attempt's image is, whatever it is called; nil
	// takes the name for it.
	Identify func(ctx context.Context, spec exec.Spec) (string, error)

	mu     sync.Mutex
	scenes map[flow.RunID]*scene // those of runs that were busy last
	order  []flow.RunID
	queued map[string]seat     // where attempts wait for room, by their ids
	loans  map[string]loan     // what attempts have of GPUs, by their ids
	kept   map[string][]func() // give back the room that Reserve keeps for attempts, by their ids

	lookMu sync.Mutex
	looked bool // what Mounts says is known
	mounts bool
}

// Site is where a run has its files.
type Site interface {
	// Dir returns the directory of a run, which exists, as an absolute path
	// without links. What is in it stays until somebody removes the run.
	Dir(run flow.Run) (string, error)
	// Log returns the file that takes the log of a task's current attempt.
	Log(ctx context.Context, run flow.Run, task flow.Task) (string, error)
	// Fetch makes what a name means, which is no path within Dir, a file or
	// directory at a path that does not exist yet. What cannot be had is a
	// flow.Invalid, flow.NotFound or flow.Denied error, and what there is no
	// room for a flow.Quota.
	Fetch(ctx context.Context, run flow.Run, name, to string) error
}

// The codes with which reasons of failures begin, as HealthOmics has them.
const (
	codeTask    = "RUN_TASK_FAILED"
	codeRun     = "WORKFLOW_RUN_FAILED"
	codeMemory  = "OUT_OF_MEMORY_ERROR"
	codeDisk    = "FILE_SYSTEM_OUT_OF_SPACE"
	codeTime    = "TASK_TIMED_OUT"
	codeImport  = "IMPORT_FAILED"
	codeMissing = "INPUT_URI_NOT_FOUND"
	codeURI     = "INVALID_URI_INPUT"
	codeSize    = "UNSUPPORTED_INPUT_SIZE"
	codeValue   = "INVALID_TASK_RESOURCE_VALUE"
	codeExport  = "EXPORT_FAILED"
	codeGPU     = "UNSUPPORTED_GPU_INSTANCE_TYPE"
	// Of no fallback profile there is a machine.
	codeProfiles = "ALL_PROFILES_INSTANCE_RESERVATION_FAILED"
)

// Perform carries out one attempt. What has no command is evaluated here.
func (p *Performer) Perform(ctx context.Context, a lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	s, err := p.scene(ctx, a)
	if err != nil {
		return flow.Outcome{}, err
	}
	w := &work{Performer: p, Attempt: a, s: s}
	out, err := w.perform(ctx, tell)
	if ours, ok := errors.AsType[*unread](err); ok {
		return flow.Outcome{}, ours
	}
	if wrong, ok := errors.AsType[*Fault](err); ok {
		return flow.Outcome{Verdict: flow.Fatal, Reason: codeRun + ": " + wrong.Error()}, nil
	}
	if wrong, ok := errors.AsType[*failure](err); ok {
		return flow.Outcome{Verdict: flow.Fatal, Reason: wrong.Error()}, nil
	}
	return out, err
}

// A failure is one of the workflow, with its code.
type failure struct {
	code string
	err  error
}

func (f *failure) Error() string { return f.code + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// Forget removes what the driver keeps of an ended attempt.
func (p *Performer) Forget(a lang.Attempt) {
	id := AttemptID(a.Run.ID, a.Task)
	// What cannot be removed now is swept at the next start.
	_ = p.Driver.Forget(id)
	p.giveBack(id)
}

// AttemptID names the current attempt of a task for the driver.
func AttemptID(run flow.RunID, t flow.Task) string {
	return fmt.Sprintf("%s.%d.%d", run, t.Index, t.Attempt)
}

// maxScenes bounds of how many runs values are kept between attempts.
const maxScenes = 64

// scene returns what attempts of a run share.
func (p *Performer) scene(ctx context.Context, a lang.Attempt) (*scene, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.scenes[a.Run.ID]; s != nil && s.epoch == a.Epoch {
		return s, nil
	}
	s, err := p.open(ctx, a.Run, a.Graph)
	if err != nil {
		return nil, err
	}
	s.epoch = a.Epoch
	if p.scenes == nil {
		p.scenes = map[flow.RunID]*scene{}
	}
	if p.scenes[a.Run.ID] == nil {
		p.order = append(p.order, a.Run.ID)
	}
	p.scenes[a.Run.ID] = s
	if len(p.order) > maxScenes {
		delete(p.scenes, p.order[0])
		p.order = p.order[1:]
	}
	return s, nil
}

// open reads what a run is about.
func (p *Performer) open(ctx context.Context, run flow.Run, g *flow.Graph) (*scene, error) {
	program, err := Open(g)
	if err != nil {
		return nil, err
	}
	dir, err := p.Site.Dir(run)
	if err != nil {
		return nil, err
	}
	seen, err := p.runDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &scene{program: program, graph: g, run: run.ID, lenient: program.Lenient, values: p.Values, ctx: ctx, digests: newDigests()}
	s.files = &runFiles{p: p, run: run, dir: dir, seen: seen, ctx: context.WithoutCancel(ctx)}
	inputs, err := Bind(program.Main, run.Params, program.Lenient)
	if err != nil {
		return nil, flow.Errorf(flow.Invalid, "%w", err)
	}
	s.root = s.workflow(program.plans[program.Main.Source.Path], "", inputs)
	return s, nil
}

// runDir returns what a run's directory is called inside.
func (p *Performer) runDir(ctx context.Context, dir string) (string, error) {
	p.lookMu.Lock()
	defer p.lookMu.Unlock()
	if !p.looked && p.Mounts != nil {
		mounts, err := p.Mounts(ctx)
		if err != nil {
			return "", err
		}
		p.looked, p.mounts = true, mounts
	}
	if p.mounts {
		return RunDir, nil
	}
	return dir, nil
}

// drop forgets what was read of the run's values.
func (w *work) drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.scenes, w.Run.ID)
	w.order = slices.DeleteFunc(w.order, func(id flow.RunID) bool { return id == w.Run.ID })
}

// A work is one attempt in the hands of a Performer.
type work struct {
	*Performer
	lang.Attempt
	s *scene
}

func (w *work) perform(ctx context.Context, tell lang.Tell) (flow.Outcome, error) {
	place, err := w.s.program.Place(w.Node)
	if err != nil {
		return flow.Outcome{}, err
	}
	if place.Do == DoCall {
		return w.call(ctx, place.Element.(*Call), tell)
	}
	if err := ctx.Err(); err != nil {
		return flow.Outcome{Verdict: flow.Failure, Reason: "stopped"}, nil
	}
	if err := tell.Started(""); err != nil {
		return flow.Outcome{}, err
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.ctx = context.WithoutCancel(ctx)
	if place.Do == DoOutputs {
		out, err := w.s.root.outputs()
		if err != nil {
			return flow.Outcome{}, err
		}
		v, err := w.keep(ctx, w.s.root, out)
		if err != nil {
			return flow.Outcome{}, err
		}
		if w.Publish != nil {
			if v, err = w.Publish(ctx, w.Run, v); err != nil {
				if flow.KindOf(err) == flow.Internal { // not now: the same may work later
					return flow.Outcome{}, &unread{fmt.Errorf("%s: %w", codeExport, err)}
				}
				return flow.Outcome{}, &failure{codeExport, err}
			}
		}
		w.drop() // the last task of a run
		return publish(keyOutputs, v)
	}
	f, e, err := w.s.at(w.Task.ID)
	if err != nil {
		return flow.Outcome{}, err
	}
	if e == nil {
		return flow.Outcome{}, fmt.Errorf("task %s is no part of the workflow", w.Task.ID)
	}
	if c, ok := e.(*Call); ok {
		return w.workflow(f, c)
	}
	if w.Task.Instances == 0 {
		return w.unfold(f, e)
	}
	return w.gather(ctx, f, e, w.Task.Instances)
}

// publish is a success with one output.
func publish(key string, v Value) (flow.Outcome, error) {
	raw, err := AppendJSON(nil, v)
	return flow.Outcome{Verdict: flow.Success, Outputs: map[string]json.RawMessage{key: raw}}, err
}

// workflow is a call of a workflow: at first it gives it its inputs, and when
// its calls have ended it evaluates its outputs.
func (w *work) workflow(f *frame, c *Call) (flow.Outcome, error) {
	var g *frame
	if w.Task.Instances > 0 {
		var err error
		if g, err = f.instance(f.ids[c], 0); err != nil {
			return flow.Outcome{}, err
		}
	} else {
		given, err := f.arguments(c)
		if err != nil {
			return flow.Outcome{}, err
		}
		if w.Node.Unfolds != "" {
			out, err := publish(keyInputs, recordOf(given))
			out.Verdict, out.Instances = flow.Unfold, 1
			return out, err
		}
		g = w.s.workflow(w.s.program.plans[c.Workflow.Source.Path], w.Task.ID+"/0/", given)
	}
	out, err := g.outputs()
	if err != nil {
		return flow.Outcome{}, err
	}
	return publish(keyOutputs, out)
}

// unfold evaluates how many instances a section has.
func (w *work) unfold(f *frame, e Element) (flow.Outcome, error) {
	n, items, err := f.expand(e)
	if err != nil {
		return flow.Outcome{}, err
	}
	if n == 0 {
		v, err := f.gather(e, 0, nil)
		if err != nil {
			return flow.Outcome{}, err
		}
		return publish(keyOutputs, v)
	}
	out := flow.Outcome{Verdict: flow.Unfold, Instances: n, Outputs: map[string]json.RawMessage{}}
	for i := 0; i < len(items); i += piece {
		raw, err := AppendJSON(nil, &List{Items: items[i:min(i+piece, len(items))]})
		if err != nil {
			return flow.Outcome{}, &Fault{e.At(), err}
		}
		out.Outputs[keyItems+strconv.Itoa(i/piece)] = raw
	}
	return out, nil
}

// gather reads what the instances of a section have given.
func (w *work) gather(ctx context.Context, f *frame, e Element, n int) (flow.Outcome, error) {
	size := n * len(w.Graph.Bodies[w.Node.Unfolds])
	list, err := w.Values.OutputsBetween(context.WithoutCancel(ctx), w.Run.ID, w.Task.First, w.Task.First+size, keyOutputs)
	if err != nil {
		return flow.Outcome{}, &unread{err}
	}
	below := make(map[flow.TaskID]json.RawMessage, len(list))
	for _, o := range list {
		below[o.Task] = o.Value
	}
	v, err := f.gather(e, n, below)
	if err != nil {
		return flow.Outcome{}, err
	}
	return publish(keyOutputs, v)
}

// keep brings the files of a run's outputs that are not in its directory yet,
// such as inputs that are outputs, into it, and returns where all of them are:
// who takes them has not the names that tasks have for them.
func (w *work) keep(ctx context.Context, f *frame, v Value) (Value, error) {
	local := f.s.files.(*runFiles)
	return Paths(v, func(p Path) (Value, error) {
		at, err := local.find(ctx, p.Name)
		return Path{at, p.Dir}, err
	})
}

// A call under way.
type call struct {
	name  string
	task  *Task
	doc   *Document // that has the task
	given map[*Decl]Value
	want  Resources
	spec  exec.Spec
	scope *Scope
	v     *Evaluator
	files *runFiles
	// out and errs are where the command's outputs go, if anybody reads them;
	// else they go to the log alone.
	out, errs string
	key       string // under which what it makes may be kept; empty: it is not
	made      Value  // its outputs, when the command has succeeded
	said      Usage  // its mark
	source    string // what it calls its image, if that has another name
}

// call runs the command of a task.
func (w *work) call(ctx context.Context, c *Call, tell lang.Tell) (flow.Outcome, error) {
	t, err := w.prepare(ctx, c)
	var usage Usage
	var cached flow.Outcome
	var hit bool
	if err == nil {
		usage = t.usage()
		cached, hit, err = w.recall(ctx, t, &usage, tell)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, exec.ErrDetach) {
		// What cannot be prepared has never begun: what it needs is brought first.
		return flow.Outcome{Verdict: flow.Failure, Reason: "stopped before it began"}, nil
	}
	if hit || err != nil {
		return cached, err
	}
	started := tell.Started
	if w.Task.Handle == "" && w.Task.Mark == nil {
		if w.Images || t.want.GPUs > 0 || !w.roomy(t.want) { // it may be long until it has started
			if err := tell.Mark(usage.mark()); err != nil {
				return flow.Outcome{}, err
			}
		} else {
			started = func(handle string) error { return tell.Begun(handle, usage.mark()) }
		}
	}
	t.said = usage
	if t.spec.Image != "" && w.Digest != nil {
		started = func(handle string) error {
			t.said.Digest = w.digest(ctx, t)
			return tell.Begun(handle, t.said.mark())
		}
	}
	out, err := w.command(ctx, t, tell, started)
	if err == nil {
		if out.Exit != nil {
			usage.Digest = cmp.Or(t.said.Digest, w.digest(ctx, t))
		}
		w.preserve(ctx, t, &usage, out)
		if x := out.Exit; x != nil {
			usage.CPUTime, usage.MaxMemory = x.CPU, x.Memory
		}
		if out.Outputs == nil {
			out.Outputs = map[string]json.RawMessage{}
		}
		out.Outputs[KeyUsage] = usage.mark()
	}
	return out, err
}

// command runs the command of a task that is prepared, when there is room.
func (w *work) command(ctx context.Context, t *call, tell lang.Tell, started func(handle string) error) (flow.Outcome, error) {
	// Whatever comes of it the driver is asked: the command may be running, of
	// an earlier server, and is to be followed or ended then.
	leave, err := w.enter(ctx, t, tell)
	defer leave()
	if err != nil {
		return flow.Outcome{}, err
	}
	exit, err := w.Driver.Run(ctx, t.spec, w.Task.Handle, started)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) && !errors.Is(err, exec.ErrDetach) {
			return flow.Outcome{Verdict: flow.Failure, Reason: "stopped before it began"}, nil
		}
		if flow.KindOf(err) == flow.Invalid {
			return flow.Outcome{Verdict: flow.Fatal, Reason: codeTask + ": " + err.Error()}, nil
		}
		return flow.Outcome{}, err
	}
	facts := &flow.Exit{Code: exit.Code, Signal: exit.Signal, Why: string(exit.Why), CPU: exit.CPU, Memory: exit.MaxRSS}
	out := w.ended(t, exit)
	out.Ended, out.Exit = exit.Ended, facts
	if out.Verdict != flow.Success {
		return out, nil
	}
	if err := t.copyOutput(); err != nil {
		return flow.Outcome{}, err
	}
	v, err := w.collect(t, exit.Code)
	if err != nil {
		out, err := w.failed(err)
		out.Ended, out.Exit = exit.Ended, facts
		return out, err
	}
	t.made = v
	raw, err := AppendJSON(nil, v)
	out.Outputs = map[string]json.RawMessage{keyOutputs: raw}
	return out, err
}

// enter waits for room and returns what gives it back. Meanwhile [Performer.Waits]
// says so.
func (w *work) enter(ctx context.Context, t *call, tell lang.Tell) (leave func(), err error) {
	id := AttemptID(w.Run.ID, w.Task)
	var leaves []func()
	for _, room := range w.rooms(w.Run) {
		g := &guest{asks: t.want}
		w.mu.Lock()
		if w.queued == nil {
			w.queued = map[string]seat{}
		}
		w.queued[id] = seat{room, g}
		w.mu.Unlock()
		take := func() (func(), bool) { return room.take(ctx, g, w.Task.Handle != "") }
		if room == w.Room && t.want.GPUs > 0 && !w.WithoutGPUs {
			err = w.equip(t, tell, take)
			continue
		}
		release, _ := take()
		leaves = append(leaves, release)
	}
	w.mu.Lock()
	delete(w.queued, id)
	w.mu.Unlock()
	w.unkeep(id)
	return func() {
		for _, l := range slices.Backward(leaves) {
			l()
		}
	}, err
}

// A seat is a guest in the queue of a room, which may be nil.
type seat struct {
	room *Room
	is   *guest
}

// Waits says what the current attempt of a task waits for to be free of this
// machine, or of its group, such as "waits for 8 processors and 64 GiB of memory
// on this machine"; empty if it does not wait.
func (p *Performer) Waits(run flow.RunID, t flow.Task) string {
	p.mu.Lock()
	s := p.queued[AttemptID(run, t)]
	p.mu.Unlock()
	switch s.room {
	case nil:
		return ""
	case p.Room:
		return s.room.says(s.is, "on this machine")
	}
	return s.room.says(s.is, "in its run group")
}

// rooms are what bounds the attempts of a run, that of its group first: a group
// at its bound must not keep from others what the machine has.
func (p *Performer) rooms(run flow.Run) []*Room {
	if p.Share == nil {
		return []*Room{p.Room}
	}
	return []*Room{p.Share(run), p.Room}
}

// roomy reports whether a task need not wait for room, as it looks now.
func (w *work) roomy(want Resources) bool {
	return !slices.ContainsFunc(w.rooms(w.Run), func(r *Room) bool { return !r.has(want) })
}

// failed says of what is wrong with a task's outputs that it is the task's
// fault.
func (w *work) failed(err error) (flow.Outcome, error) {
	if _, ours := errors.AsType[*unread](err); ours {
		return flow.Outcome{}, err
	}
	return flow.Outcome{Verdict: flow.Fatal, Reason: codeTask + ": " + err.Error()}, nil
}

// ended judges how a command ended.
func (w *work) ended(t *call, exit exec.Exit) flow.Outcome {
	n := w.Task.Attempt - w.Task.Base // of the task since it was last cleared
	switch {
	case exit.Why == exec.Lost:
		return flow.Outcome{Verdict: flow.Lost, Reason: "SERVICE_ERROR: the worker was lost: its supervisor ended without a report"}
	case exit.Why == exec.OutOfTime:
		return flow.Outcome{Verdict: flow.Fatal, Reason: fmt.Sprintf("%s: the task ran longer than %v", codeTime, t.want.Timeout)}
	case exit.Why == exec.Stopped:
		return flow.Outcome{Verdict: flow.Failure, Reason: "stopped"}
	case exit.Why == exec.OutOfDisk:
		return flow.Outcome{Verdict: flow.Fatal, Reason: codeDisk + ": the task's files are larger than it may have"}
	case exit.Why == exec.OutOfMemory || exit.Code == 137:
		out := flow.Outcome{Verdict: flow.Fatal, Reason: fmt.Sprintf("%s: the task used more than its %d GiB of memory", codeMemory, t.spec.Limits.Memory/gib)}
		if n <= t.want.MaxRetries {
			out.Verdict = flow.Failure // the next attempt has twice as much
		}
		return out
	}
	if t.want.AnyCode || slices.Contains(t.want.ReturnCodes, exit.Code) || t.want.ReturnCodes == nil && exit.Code == 0 {
		return flow.Outcome{Verdict: flow.Success}
	}
	last := strings.TrimSpace(exit.LastLine)
	if last == "" && t.errs != "" {
		if name, err := t.files.within(t.errs); err == nil {
			last = lastLine(name)
		}
	}
	reason := fmt.Sprintf("%s: the command ended with exit code %d", codeTask, exit.Code)
	if last != "" {
		reason += ": " + last
	}
	return flow.Outcome{Verdict: flow.Fatal, Reason: reason}
}

// lastLine returns the last line of a file that is not blank, as far as its
// end tells.
func lastLine(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 4 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	b, _ := io.ReadAll(io.LimitReader(f, most))
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// prepare evaluates what a task's command needs, and brings its files.
func (w *work) prepare(ctx context.Context, c *Call) (*call, error) {
	given, asked, doc, err := w.given(ctx, c)
	if err != nil {
		return nil, err
	}
	run := w.s.files.(*runFiles)
	// Task ids may be longer than a file name; the index tells them apart.
	name := fmt.Sprintf("%d-%.60s.%d", w.Task.Index, c.Name().Text, w.Task.Attempt)
	mine := &runFiles{p: w.Performer, run: w.Run, dir: run.dir, seen: run.seen, ctx: context.WithoutCancel(ctx)}
	mine.task, mine.work = filepath.Join(run.dir, "calls", name), filepath.Join(run.dir, "work", name)
	if w.Task.Handle != "" { // of an earlier version, perhaps
		if old := filepath.Join(mine.task, "work"); exists(old) {
			mine.work = old
		}
	}
	err = os.Mkdir(mine.work, 0o755)
	if errors.Is(err, os.ErrNotExist) {
		err = os.MkdirAll(mine.work, 0o755)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	for d, v := range given {
		if given[d], err = Paths(v, func(p Path) (Value, error) {
			// What is relative here comes from the workflow, and not from where
			// the command runs.
			local, err := run.local(ctx, p.Name)
			return Path{local, p.Dir}, err
		}); err != nil {
			return nil, err
		}
	}
	t := &call{name: c.Name().Text, task: c.Task, doc: doc, given: given, files: mine}
	t.v = &Evaluator{Rules: Rules{Version: doc.Version, Lenient: w.s.lenient}, Files: mine}
	t.scope = NewScope(t.v, nil, given, c.Task.Inputs, c.Task.Decls, c.Task.Outputs)
	for _, d := range slices.Concat(c.Task.Inputs, c.Task.Decls) {
		if _, err := t.scope.Decl(d); err != nil {
			return nil, err
		}
	}
	if t.want, err = t.v.Resources(c.Task, asked...); err != nil {
		return nil, &failure{codeValue, err}
	}
	if err := w.checkGPUs(t); err != nil {
		return nil, err
	}
	return t, w.specify(t)
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// given evaluates the inputs of a call of a task, and returns the attributes of
// the task that whoever started the run has asked for.
func (w *work) given(ctx context.Context, c *Call) (map[*Decl]Value, []Asked, *Document, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.ctx = context.WithoutCancel(ctx)
	f, _, err := w.s.at(w.Task.ID)
	if err != nil {
		return nil, nil, nil, err
	}
	args, err := f.arguments(c)
	if err != nil {
		return nil, nil, nil, err
	}
	given := map[*Decl]Value{}
	for _, d := range c.Takes() {
		if v, ok := args[d.Name.Text]; ok {
			given[d] = v
		}
	}
	var asked []Asked
	for _, section := range [...]string{"hints.", "runtime.", "requirements."} {
		for _, name := range slices.Sorted(maps.Keys(args)) {
			if key, ok := strings.CutPrefix(name, section); ok {
				asked = append(asked, Asked{key, args[name]})
			}
		}
	}
	return given, asked, c.Doc, nil
}

// maxArgument bounds a command that is an argument of bash, and no file that
// it reads. Linux takes twice as much.
const maxArgument = 64 << 10

// specify says what the driver runs.
func (w *work) specify(t *call) error {
	t.scope.Outer = infoEnv{w, t, nil}
	text, err := t.v.Parts(t.task.Command.Parts)
	if err != nil {
		return err
	}
	log, err := w.Site.Log(t.files.ctx, w.Run, w.Task)
	if err != nil {
		return err
	}
	out, errs := readsOutputs(t.task)
	redirect := ""
	if out {
		t.out = filepath.Join(t.files.work, ".stdout")
		redirect += ` >"$1"`
	}
	if errs {
		t.errs = filepath.Join(t.files.work, ".stderr")
		redirect += ` 2>"$2"`
	}
	argv := []string{"/bin/bash", "-c", "--", text, "command"}
	if len(text) > maxArgument || strings.Contains(text, "\x00") {
		script := filepath.Join(t.files.task, "command")
		if err := settle(script, []byte(text)); err != nil {
			return err
		}
		argv = []string{"/bin/bash", t.files.name(script)}
		if redirect != "" {
			argv = []string{"/bin/bash", "-c", `exec /bin/bash "$0"` + redirect, argv[1], t.files.name(t.out), t.files.name(t.errs)}
		}
	} else if redirect != "" {
		// On the line on which the command begins, so that bash counts its lines as
		// they are.
		argv[3] = "exec" + redirect + "; set --; " + text
		argv = append(argv, t.files.name(t.out), t.files.name(t.errs))
	}
	limits := w.Limits
	limits.CPUs = float64(t.want.CPUs)
	limits.Memory = w.memory(t)
	if t.want.Disk > 0 {
		limits.Disk = t.want.Disk
	}
	limits.Wall = t.want.Timeout
	t.spec = exec.Spec{
		ID: AttemptID(w.Run.ID, w.Task), Argv: argv, Dir: t.files.name(t.files.work), Log: log, Logger: t.task.Name.Text, Level: "INFO", Grace: w.Grace, Limits: limits,
		Env: append(w.Env(w.Run, w.Task), t.environment()...),
		Mounts: []exec.Mount{
			{Source: t.files.dir, Target: t.files.seen},
			{Source: t.files.work, Target: t.files.name(t.files.work), Writable: true},
		},
	}
	if w.Images && len(t.want.Images) > 0 {
		if err := w.chooseImage(t); err != nil {
			return err
		}
	}
	return nil
}

// chooseImage says by what name the image of a task is fetched.
func (w *work) chooseImage(t *call) error {
	name := t.want.Images[0]
	t.spec.Image = name
	if w.Image == nil {
		return nil
	}
	var err error
	if t.spec.Image, err = w.Image(t.files.ctx, w.Run, name); err != nil {
		return err
	}
	if t.spec.Image != name {
		t.source = name
	}
	return nil
}

// digest returns the digest of a task's image; empty if it cannot be had, since
// it is only shown.
func (w *work) digest(ctx context.Context, t *call) string {
	if t.spec.Image == "" || w.Digest == nil {
		return ""
	}
	digest, err := w.Digest(context.WithoutCancel(ctx), t.spec)
	if err != nil {
		return ""
	}
	return digest
}

// environment returns the declarations that the command finds there.
func (t *call) environment() []string {
	var out []string
	for _, d := range slices.Concat(t.task.Inputs, t.task.Decls) {
		if v := t.scope.known[d]; d.Env {
			if s, err := Text(v); err == nil {
				out = append(out, d.Name.Text+"="+s)
			}
		}
	}
	return out
}

// readsOutputs says whether a task's expressions read what its command prints.
func readsOutputs(t *Task) (out, errs bool) {
	for _, d := range t.Outputs {
		applies(d.Expr, func(name string) {
			out = out || name == "stdout"
			errs = errs || name == "stderr"
		})
	}
	return out, errs
}

// collect evaluates the outputs of a task whose command has succeeded, and
// makes sure that its files are there.
func (w *work) collect(t *call, code int) (Value, error) {
	t.scope.Outer = infoEnv{w, t, &code}
	t.files.ended = true
	t.scope.settled = t.settle
	out := &Record{}
	for _, d := range t.task.Outputs {
		v, err := t.scope.Decl(d)
		if err != nil {
			return nil, err
		}
		out.Names, out.Values = append(out.Names, d.Name.Text), append(out.Values, v)
	}
	return out, nil
}

// settle returns the value of an output with its files where they are. Of what
// the command has not made it is None where its type is optional.
func (t *call) settle(d *Decl, v Value) (Value, error) {
	v, err := typedPaths(v, d.Type, func(p Path) (Value, error) {
		name, err := t.files.output(p.Name)
		return Path{name, p.Dir}, err
	}, func(err error) bool { return errors.Is(err, os.ErrNotExist) })
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, os.ErrNotExist):
		return nil, &Fault{d.Name.Span, fmt.Errorf("output %s: the command has not made %w", d.Name.Text, err)}
	}
	return nil, &Fault{d.Name.Span, fmt.Errorf("output %s: %w", d.Name.Text, err)}
}

// copyOutput puts what went into files for the task's outputs into its log,
// too.
func (t *call) copyOutput() error {
	for _, name := range []string{t.out, t.errs} {
		if name == "" {
			continue
		}
		// Whoever comes back to an attempt that has ended finds the mark.
		done := filepath.Join(t.files.task, "logged"+filepath.Ext(name))
		if _, err := os.Lstat(done); err == nil {
			continue
		}
		from, err := t.files.within(name)
		if err != nil {
			continue // the command has put something else there: its outputs will say so
		}
		if err := appendLog(t.spec.Log, from, t.spec.Logger, t.spec.Limits.Output); err != nil {
			return err
		}
		if err := settle(done, nil); err != nil {
			return err
		}
	}
	return nil
}

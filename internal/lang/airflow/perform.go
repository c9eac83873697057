package airflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
	"fairlead/internal/lang/jinja"
	"fairlead/internal/operator"
)

// A Performer carries out the attempts of the dialect's tasks: it renders
// the arguments, hands them to the operator, and turns what came of it into
// an outcome. Its fields are set once, before the first Perform.
type Performer struct {
	Driver    exec.Driver
	Operators *operator.Operators
	Table     *operator.Table
	XComs     XComs
	Place     Place
	Limits    exec.Limits // of each process; Wall is the task's own
	// Slots bounds how many processes run at once, by its capacity; nil is no
	// bound.
	Slots chan struct{}
	Grace time.Duration
	// MaxXCom bounds one published value in bytes; zero is the service's
	// 100 KB.
	MaxXCom int
	// Extras offers the names that the service does not document, such as
	// run_id and logical_date, to templates.
	Extras bool

	mu     sync.Mutex
	queued map[string]bool // attempts that wait for a slot, by their ids
}

// XComs is what tasks have published.
type XComs interface {
	// Output returns the value that a task of the run published under key.
	Output(ctx context.Context, run flow.RunID, task flow.TaskID, key string) (json.RawMessage, bool, error)
	// AllOutputs returns all that the run's tasks have published.
	AllOutputs(ctx context.Context, run flow.RunID) (map[flow.TaskID]map[string]json.RawMessage, error)
}

// Place says where an attempt finds what lies outside its definition.
type Place interface {
	// Log returns the file that takes the attempt's log.
	Log(ctx context.Context, run flow.Run, task flow.TaskID, attempt int) (string, error)
	// Surroundings returns what is around the processes of the task's current
	// attempt. A package that cannot be unpacked is a flow.Invalid error.
	Surroundings(ctx context.Context, run flow.Run, task flow.Task) (Surroundings, error)
}

// Surroundings are what an attempt's processes find that its definition does
// not say.
type Surroundings struct {
	// Code is the directory of the version's unpacked code package; empty
	// without one.
	Code string
	Env  map[string]string
	// Secrets are texts that must not get into the log, or into a reason.
	Secrets []string
	// Image, Network and Forwards are those of exec.Spec.
	Image    string
	Network  string
	Forwards []exec.Forward
}

// Perform carries out one attempt, or takes it up again.
func (p *Performer) Perform(ctx context.Context, a lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	// An attempt that is to end must still be found and ended, so only what
	// acts on it heeds ctx; what prepares does not.
	w, err := p.open(context.WithoutCancel(ctx), a)
	if err != nil {
		return flow.Outcome{}, err
	}
	out, err := w.perform(ctx, tell)
	return w.conclude(ctx, out, err)
}

// conclude makes what came of an attempt fit to be told, or has it go on after
// a pause.
func (w *work) conclude(ctx context.Context, out flow.Outcome, err error) (flow.Outcome, error) {
	if p, ok := errors.AsType[*operator.Pause](err); ok {
		w.log.rest()
		return flow.Outcome{}, &lang.Pause{For: p.For, Resume: func(ctx context.Context) (flow.Outcome, error) {
			out, err := p.Resume(ctx)
			return w.conclude(ctx, out, err)
		}}
	}
	if err != nil {
		return flow.Outcome{}, err
	}
	if ctx.Err() == nil || out.Verdict == flow.Success {
		out = w.checkOutputs(out)
	}
	out.Ended, out.Exit = w.ended, w.exit
	out.Reason = w.log.mask(out.Reason)
	w.finish(out)
	return out, nil
}

// takeSlot waits for one of the slots for processes and returns what gives it
// back. A process that runs already does not wait for one, and neither does
// an attempt that is to end.
func (w *work) takeSlot(ctx context.Context) (release func()) {
	if w.Slots == nil {
		return func() {}
	}
	release = func() { <-w.Slots }
	if w.Task.Handle != "" {
		select {
		case w.Slots <- struct{}{}:
			return release
		default:
			return func() {}
		}
	}
	select {
	case w.Slots <- struct{}{}:
		return release
	default:
	}
	id := AttemptID(w.Run.ID, w.Task)
	w.queue(id, true)
	defer w.queue(id, false)
	select {
	case w.Slots <- struct{}{}:
		return release
	case <-ctx.Done():
		return func() {}
	}
}

// queue notes whether an attempt waits for a slot.
func (p *Performer) queue(id string, waits bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !waits {
		delete(p.queued, id)
		return
	}
	if p.queued == nil {
		p.queued = map[string]bool{}
	}
	p.queued[id] = true
}

// Waits says that the current attempt of a task waits for a slot; empty if it
// does not.
func (p *Performer) Waits(run flow.RunID, t flow.Task) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.queued[AttemptID(run, t)] {
		return ""
	}
	text := fmt.Sprintf("waits for a process of this server to end: it may run %d at once (--tasks)", cap(p.Slots))
	if n := len(p.queued) - 1; n > 0 {
		text += fmt.Sprintf("; %d more wait for that", n)
	}
	return text
}

// Forget removes what the driver keeps of an ended attempt.
func (p *Performer) Forget(a lang.Attempt) {
	// What cannot be removed now is swept at the next start.
	_ = p.Driver.Forget(AttemptID(a.Run.ID, a.Task))
}

// AttemptID names the current attempt of a task for the driver, which has a
// process of its own after each rest. Task ids may be longer than a file name,
// so the task's place in the graph stands for it.
func AttemptID(run flow.RunID, t flow.Task) string {
	if t.Pokes > 0 {
		return fmt.Sprintf("%s.%d.%d.%d", run, t.Index, t.Attempt, t.Pokes)
	}
	return fmt.Sprintf("%s.%d.%d", run, t.Index, t.Attempt)
}

// A work is one attempt in the hands of a Performer.
type work struct {
	*Performer
	lang.Attempt
	action Action
	meta   Meta
	log    *taskLog
	around Surroundings // once call has returned
	began  time.Time
	ended  time.Time // when the process ended; zero if that is not known
	exit   *flow.Exit
	// foreign says that Python carries out an operator of the table.
	foreign bool
	told    bool // the process has written its failure into the log itself
}

func (p *Performer) open(ctx context.Context, a lang.Attempt) (*work, error) {
	w, err := p.read(a)
	if err != nil {
		return nil, err
	}
	path, err := p.Place.Log(ctx, a.Run, a.Task.ID, a.Task.Attempt)
	if err != nil {
		return nil, fmt.Errorf("log of task %s: %w", a.Task.ID, err)
	}
	w.log = &taskLog{path: path}
	return w, nil
}

// read returns an attempt whose log goes nowhere.
func (p *Performer) read(a lang.Attempt) (*work, error) {
	w := &work{Performer: p, Attempt: a, began: time.Now(), log: &taskLog{}}
	if err := json.Unmarshal(a.Node.Action, &w.action); err != nil {
		return nil, fmt.Errorf("action of task %s: %w", a.Task.ID, err)
	}
	if err := json.Unmarshal(a.Graph.Meta, &w.meta); err != nil {
		return nil, fmt.Errorf("meta of run %s: %w", a.Run.ID, err)
	}
	return w, nil
}

func (w *work) perform(ctx context.Context, tell lang.Tell) (flow.Outcome, error) {
	if w.action.Custom {
		return w.run(ctx, w.Operators.Custom(w.action.Operator), tell)
	}
	if runner, ok := w.Operators.Foreign(w.action.Operator); ok {
		w.foreign = true
		return w.run(ctx, runner, tell)
	}
	if poker, ok := w.Operators.Poker(w.action.Operator); ok {
		return w.wait(ctx, poker, tell)
	}
	if runner, ok := w.Operators.Runner(w.action.Operator); ok {
		return w.run(ctx, runner, tell)
	}
	reason := fmt.Sprintf("operator %s cannot be run by this version of Fairlead", w.action.Operator)
	return flow.Outcome{Verdict: flow.Fatal, Reason: reason}, nil
}

// run carries out an operator that acts in a process of its own. What the
// process started elsewhere is waited for here, once it is saved what that is.
func (w *work) run(ctx context.Context, r operator.Runner, tell lang.Tell) (flow.Outcome, error) {
	waiter, waits := r.(operator.Waiter)
	if waits && len(w.Task.Mark) > 0 {
		return w.see(ctx, waiter, nil, w.Task.Mark, tell)
	}
	call, exit, out, err := w.process(ctx, r, tell)
	if err != nil {
		return flow.Outcome{}, err
	}
	var mark json.RawMessage
	if waits {
		mark = waiter.Left(exit)
	}
	switch {
	case mark != nil && out != nil:
		// It was ended, and told at the last moment what it had started.
		over, end := context.WithCancel(context.WithoutCancel(ctx))
		end()
		if _, err := w.see(over, waiter, &call, mark, tell); err != nil {
			return flow.Outcome{}, err
		}
		return *out, nil
	case mark != nil:
		w.ended = time.Time{}
		if err := tell.Mark(mark); err != nil {
			return flow.Outcome{}, err
		}
		return w.see(ctx, waiter, &call, mark, tell)
	case out != nil:
		return *out, nil
	}
	w.told = operator.Reported(exit)
	return r.Finish(call, exit), nil
}

// see waits for what the process of an attempt left.
func (w *work) see(ctx context.Context, r operator.Waiter, call *operator.Call, mark json.RawMessage, tell lang.Tell) (flow.Outcome, error) {
	if call == nil {
		c, err := w.call(context.WithoutCancel(ctx))
		if err != nil {
			return w.failed(err)
		}
		call = &c
	}
	w.meta, w.action.Args = Meta{}, nil // who waits has no further use for them
	return r.Wait(ctx, *call, mark, tell.Mark, w.say)
}

// process runs the process of an attempt to its end. The outcome is nil unless
// it is known without the operator.
func (w *work) process(ctx context.Context, r operator.Runner, tell lang.Tell) (call operator.Call, exit exec.Exit, out *flow.Outcome, err error) {
	ends := func(o flow.Outcome, err error) (operator.Call, exec.Exit, *flow.Outcome, error) {
		return call, exit, &o, err
	}
	environment, err := w.environment(ctx)
	if err != nil {
		return ends(w.unprepared(ctx, err))
	}
	// The slot comes before the call: one that is made now and waits would carry
	// keys that expire and XComs that fill the memory.
	defer w.takeSlot(ctx)()
	prepare := context.WithoutCancel(ctx)
	call, err = w.call(prepare)
	if err != nil {
		return ends(w.failed(err))
	}
	call.Environment = environment
	if w.foreign {
		if call.Args == nil {
			call.Args = map[string]json.RawMessage{}
		}
		w.action.Sensor.arguments(call.Args)
	}
	if w.foreign || w.action.wantsXComs() || w.pulls() {
		if err := w.giveXComs(prepare, &call); err != nil {
			return ends(flow.Outcome{}, err)
		}
	}
	spec, err := r.Command(call)
	if err != nil {
		return ends(operator.Outcome(err), nil)
	}
	spec.ID = AttemptID(w.Run.ID, w.Task)
	spec.Log = w.log.path
	spec.Grace = w.Grace
	spec.Limits = w.Limits
	spec.Limits.Wall = w.Node.Timeout
	spec.Image = w.around.Image
	spec.Mask = w.around.Secrets
	if spec.Network == "" {
		spec.Network, spec.Forwards = w.around.Network, w.around.Forwards
	}
	exit, err = w.Driver.Run(ctx, spec, w.Task.Handle, tell.Started)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) && !errors.Is(err, exec.ErrDetach) {
			return ends(flow.Outcome{Verdict: flow.Failure, Reason: "The task was stopped before it began"}, nil)
		}
		if flow.KindOf(err) == flow.Invalid { // it will be no better the next time
			return ends(flow.Outcome{Verdict: flow.Fatal, Reason: err.Error()}, nil)
		}
		if !errors.Is(err, exec.ErrDetach) {
			// Whoever owns the task owns the machine: let them see what it lacks.
			return ends(flow.Outcome{}, flow.Errorf(flow.Busy, "the task's process could not be started or followed: %w", err))
		}
		return ends(flow.Outcome{}, err)
	}
	w.ended = exit.Ended
	w.exit = &flow.Exit{Code: exit.Code, Signal: exit.Signal, Why: string(exit.Why), CPU: exit.CPU, Memory: exit.MaxRSS}
	switch exit.Why {
	case exec.Lost:
		return ends(flow.Outcome{Verdict: flow.Lost, Reason: "The worker was lost: its supervisor ended without a report"}, nil)
	case exec.OutOfTime:
		return ends(flow.Outcome{Verdict: flow.Timeout, Reason: fmt.Sprintf("Timeout, the task ran longer than its execution_timeout of %s", w.Node.Timeout)}, nil)
	case exec.Stopped:
		return ends(flow.Outcome{Verdict: flow.Failure, Reason: "The task was stopped"}, nil)
	}
	return call, exit, nil, nil
}

// environment returns the directory of what the code package requires of
// others, which is installed by the first task that needs it. The time that
// this takes is not the task's.
func (w *work) environment(ctx context.Context) (string, error) {
	if !w.action.wantsXComs() && !strings.HasSuffix(w.action.Operator, ".bash.BashOperator") {
		return "", nil
	}
	around, err := w.Place.Surroundings(context.WithoutCancel(ctx), w.Run, w.Task)
	if err != nil {
		return "", nil // whoever makes the call meets it again
	}
	return w.Operators.Environment(ctx, operator.Installation{
		Driver: w.Driver, Image: around.Image, Code: around.Code, Log: w.log.path, Say: w.say, Limits: w.Limits, Grace: w.Grace,
	})
}

// unprepared is the end of an attempt whose environment could not be made.
func (w *work) unprepared(ctx context.Context, err error) (flow.Outcome, error) {
	if ctx.Err() != nil {
		return flow.Outcome{Verdict: flow.Failure, Reason: "The task was stopped before it began"}, detached(ctx)
	}
	return w.failed(err)
}

// call renders the task's arguments.
func (w *work) call(ctx context.Context) (operator.Call, error) {
	around, err := w.Place.Surroundings(ctx, w.Run, w.Task)
	if flow.KindOf(err) == flow.Invalid && err != nil {
		// The package is a snapshot: it will be no better the next time.
		return operator.Call{}, &operator.Error{Message: err.Error(), Fatal: true}
	}
	if err != nil {
		return operator.Call{}, err
	}
	w.around = around
	w.log.hide(around.Secrets)
	params, err := MergeParams(w.meta, w.action, w.Run.Params)
	if err != nil {
		return operator.Call{}, err
	}
	args, err := w.arguments(ctx, params)
	if err != nil {
		return operator.Call{}, err
	}
	return operator.Call{
		Path: w.action.Operator,
		Args: args,
		Task: operator.TaskContext{
			DagID: w.meta.DagID, RunID: string(w.Run.ID), TaskID: string(w.Task.ID),
			Try: w.Task.Attempt, MaxTries: w.Node.Retries + 1,
			Logical: w.Run.Logical, Params: params, Conf: w.Run.Params,
			First: w.Task.Since, Started: w.Task.Started, Pokes: w.Task.Pokes,
			Delay: w.Node.Delay, Timeout: w.Node.Timeout, Rule: string(w.Node.When), Extras: w.Extras,
		},
		Env:  around.Env,
		Code: around.Code,
	}, nil
}

// arguments renders those arguments that are templates.
func (w *work) arguments(ctx context.Context, params json.RawMessage) (map[string]json.RawMessage, error) {
	args := maps.Clone(w.action.Args)
	spec, ok := w.Table.Lookup(w.action.Operator)
	if !ok {
		return args, nil
	}
	var unread error
	vars := w.variables(ctx, params, &unread)
	for _, arg := range spec.Args {
		raw, given := args[arg.Name]
		if !given || !arg.Template {
			continue
		}
		rendered, err := vars.Render(raw)
		if unread != nil {
			return nil, unread
		}
		if err != nil {
			return nil, &renderError{arg: arg.Name, line: w.action.ArgLines[arg.Name], err: err}
		}
		args[arg.Name] = rendered
	}
	return args, nil
}

// variables are what the templates of the attempt may know. An XCom that
// cannot be read is kept in failed, since a template has no word for it.
func (w *work) variables(ctx context.Context, params json.RawMessage, failed *error) *Variables {
	return &Variables{
		Logical: w.Run.Logical, DagID: w.meta.DagID, RunID: string(w.Run.ID), TaskID: string(w.Task.ID),
		Try: w.Task.Attempt, MapIndex: -1, Params: params, Conf: w.Run.Params, Extras: w.Extras,
		XCom: func(task, key string) (json.RawMessage, bool) {
			value, ok, err := w.XComs.Output(ctx, w.Run.ID, flow.TaskID(task), key)
			if err != nil {
				*failed = fmt.Errorf("read XCom %s of task %s: %w", key, task, err)
			}
			return value, ok && err == nil
		},
	}
}

// A renderError is a template that could not be rendered.
type renderError struct {
	arg  string
	line int
	err  error
}

// Error is the exception's text alone, as the service shows it.
func (e *renderError) Error() string {
	if je, ok := errors.AsType[*jinja.Error](e.err); ok {
		return je.Message
	}
	return e.err.Error()
}

func (e *renderError) Unwrap() error { return e.err }

// failed turns an error that the user caused into a failure; any other stays
// an error.
func (w *work) failed(err error) (flow.Outcome, error) {
	if re, ok := errors.AsType[*renderError](err); ok {
		w.log.write("error", "task", "Exception rendering Jinja template for task '"+string(w.Task.ID)+"', template field '"+re.arg+"'",
			map[string]any{"field": re.arg, "line": re.line, "error_detail": []any{map[string]any{"exc_type": errorType(re.err), "exc_value": re.Error()}}})
		return flow.Outcome{Verdict: flow.Failure, Reason: err.Error()}, nil
	}
	if _, ok := errors.AsType[*operator.Error](err); ok {
		return operator.Outcome(err), nil
	}
	if flow.KindOf(err) != flow.Internal {
		return flow.Outcome{Verdict: flow.Failure, Reason: err.Error()}, nil
	}
	return flow.Outcome{}, err
}

// wantsXComs reports whether the operator runs code of the user's that may
// ask for what other tasks published.
func (a Action) wantsXComs() bool {
	switch a.Operator {
	case "airflow.providers.standard.operators.python.PythonOperator", "airflow.operators.python.PythonOperator":
		return true
	}
	return a.Custom
}

// pulls reports whether the operator reads what other tasks published.
func (w *work) pulls() bool {
	s, ok := w.Table.Lookup(w.action.Operator)
	return ok && len(s.Pulls) > 0
}

func (w *work) giveXComs(ctx context.Context, c *operator.Call) error {
	all, err := w.XComs.AllOutputs(ctx, w.Run.ID)
	if err != nil {
		return fmt.Errorf("read XComs of run %s: %w", w.Run.ID, err)
	}
	c.XComs = make(map[string]map[string]json.RawMessage, len(all))
	for task, values := range all {
		c.XComs[string(task)] = values
	}
	return nil
}

// checkOutputs fails an attempt that published more than the service takes.
func (w *work) checkOutputs(out flow.Outcome) flow.Outcome {
	limit := w.MaxXCom
	if limit == 0 {
		limit = 100 << 10
	}
	for key, value := range out.Outputs {
		if len(value) > limit {
			return flow.Outcome{Verdict: flow.Failure, Reason: fmt.Sprintf("XCom value of key %q has %d bytes; at most %d are allowed", key, len(value), limit)}
		}
	}
	return out
}

// finish writes the last line of the attempt's log.
func (w *work) finish(out flow.Outcome) {
	state := map[flow.Verdict]string{
		flow.Success: "success", flow.Skip: "skipped", flow.Rest: "up_for_reschedule",
	}[out.Verdict]
	if state == "" {
		state = "failed"
	}
	if state == "failed" && !w.told {
		w.log.write("error", "task", "Task failed with exception", map[string]any{
			"error_detail": []any{map[string]any{"exc_type": exceptionOf(out.Verdict), "exc_value": out.Reason}},
		})
	}
	began := w.Task.Started
	if began.IsZero() {
		began = w.began
	}
	w.log.write("info", "task", "Task finished", map[string]any{
		"final_state": state, "duration": time.Since(began).Seconds(), "task_id": w.Task.ID, "try_number": w.Task.Attempt,
	})
}

// exceptionOf names the Airflow exception that a verdict stands for.
func exceptionOf(v flow.Verdict) string {
	switch v {
	case flow.Timeout:
		return "AirflowTaskTimeout"
	case flow.Fatal:
		return "AirflowFailException"
	}
	return "AirflowException"
}

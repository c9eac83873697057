package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"sync"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/operator/awscall"
)

// A Waiter is a [Runner] whose attempt may go on after its process has ended:
// what the process started elsewhere is waited for in the server.
type Waiter interface {
	Runner
	// Left returns what the process left to be waited for, or nil. It is to
	// be saved with the attempt before Wait, so that nothing is started
	// twice.
	Left(x exec.Exit) json.RawMessage
	// Wait waits until the attempt's outcome is known. mark is what was saved
	// last; keep saves another. When ctx ends for another reason than
	// [exec.ErrDetach], what was started elsewhere is ended. Between two looks
	// it returns a [Pause].
	Wait(ctx context.Context, c Call, mark json.RawMessage, keep func(json.RawMessage) error, log Log) (flow.Outcome, error)
}

// A Pause is the error of a [Waiter] that has looked and waits: Resume, called
// once after a while or when the attempt is to end, returns what Wait would
// have.
type Pause struct {
	For    time.Duration
	Resume func(ctx context.Context) (flow.Outcome, error)
}

func (p *Pause) Error() string { return "the next look is in " + p.For.String() }

// waiter runs an operator that steps describe.
type waiter struct{ child }

// Left returns the memory that the process reported.
func (w waiter) Left(x exec.Exit) json.RawMessage {
	var r report
	if x.ResultCut || json.Unmarshal(x.Result, &r) != nil {
		return nil
	}
	return r.Resume
}

// Wait carries out the steps from the first wait on.
func (w waiter) Wait(ctx context.Context, c Call, mark json.RawMessage, keep func(json.RawMessage) error, log Log) (flow.Outcome, error) {
	var mem memory
	if err := json.Unmarshal(mark, &mem); err != nil {
		return flow.Outcome{}, fmt.Errorf("read the mark of %s: %w", w.spec.Class, err)
	}
	mem.Vars = exact(mark)
	j, err := w.o.job(ctx, c, w.spec, log)
	if err != nil {
		return flow.Outcome{}, err
	}
	j.mem = mem
	j.given = maps.Clone(j.given)
	if j.given == nil {
		j.given = map[string]json.RawMessage{}
	}
	maps.Copy(j.given, mem.Args)
	if mem.Outputs != nil {
		j.outputs = mem.Outputs
	}
	j.parks = true
	return w.goOn(ctx, j, func(m memory) error {
		mark, err := j.mark(m)
		if err != nil {
			return err
		}
		return keep(mark)
	})
}

// goOn carries out the steps from where the job stands.
func (w waiter) goOn(ctx context.Context, j *job, save keeper) (flow.Outcome, error) {
	err := j.act(ctx, save)
	if p, ok := errors.AsType[*parked](err); ok {
		return flow.Outcome{}, &Pause{For: p.pause, Resume: func(ctx context.Context) (flow.Outcome, error) { return w.goOn(ctx, j, save) }}
	}
	if ctx.Err() != nil && err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, exec.ErrDetach) {
			return flow.Outcome{}, cause
		}
		j.cancel(ctx)
		return flow.Outcome{Verdict: flow.Failure, Reason: "The task was stopped", Outputs: w.o.fitting(j.outputs)}, nil
	}
	if err != nil {
		if _, ok := errors.AsType[*Error](err); !ok {
			if _, ok := errors.AsType[*awscall.ParamError](err); !ok {
				return flow.Outcome{}, err
			}
		}
		out := Outcome(err)
		out.Outputs = w.o.fitting(j.outputs)
		return out, nil
	}
	return w.o.publish(j.outputs), nil
}

// exact reads the results in a mark with numbers as they are written.
func exact(mark json.RawMessage) map[string]any {
	v, err := parseJSON(string(mark))
	if err != nil {
		return nil
	}
	m, _ := v.(map[string]any)
	vars, _ := m["vars"].(map[string]any)
	return vars
}

// job returns a job of the server's.
func (o *Operators) job(ctx context.Context, c Call, s *Spec, log Log) (*job, error) {
	base, err := o.config(ctx)
	if err != nil {
		return nil, err
	}
	return &job{
		args: c.args(s), task: c.Task, cfg: base.For(o.environ(c), o.signer(c)), log: log,
		sleep: o.sleep, looks: o.looks, outputs: map[string]json.RawMessage{},
	}, nil
}

// config returns the configuration that all jobs of the server share, so that
// they share connections too.
func (o *Operators) config(ctx context.Context) (awscall.Config, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shared == nil {
		c, err := awscall.Load(ctx)
		if err != nil {
			return c, err
		}
		o.shared = &c
	}
	return *o.shared, nil
}

// actOut carries out, in the child, the steps before the first wait. A
// request to end lets the call under way answer, and then ends what it
// started.
func actOut(ctx context.Context, c Call, s *Spec, sleep func(context.Context, time.Duration) error, log Log) (report, error) {
	base, err := awscall.Load(ctx)
	if err != nil {
		return report{}, err
	}
	j := &job{args: c.args(s), task: c.Task, cfg: base.For(environment(), nil), log: log, sleep: sleep, outputs: map[string]json.RawMessage{}}
	err = j.act(ctx, nil)
	r := report{Outputs: j.outputs}
	switch {
	case ctx.Err() != nil && err != nil:
		j.cancel(ctx)
		return r, Errorf("The task was stopped")
	case errors.Is(err, errWait):
		r.Resume, err = j.mark(j.mem)
	}
	return r, err
}

// mark returns what to save of a memory: of the results and arguments those
// that are still to be used.
func (j *job) mark(m memory) (json.RawMessage, error) {
	rest := struct {
		Do, Cancel []Step
		Output     *Expr
		Push       map[string]Expr
	}{j.spec.Do[m.At:], j.spec.Cancel, j.spec.Output, j.spec.Push}
	all := m.Vars
	m.Vars, m.Args, m.Outputs = map[string]any{}, map[string]json.RawMessage{}, j.outputs
	coded := false
	for _, s := range append(rest.Do, rest.Cancel...) {
		coded = coded || s.Code != "" || s.Wait != nil && s.Wait.Code != ""
	}
	used := references(string(encode(rest)))
	for _, s := range rest.Do {
		if s.Wait != nil {
			for _, t := range s.Wait.Logs {
				used[t.As], used[t.token()] = true, true
			}
		}
	}
	for name, v := range all {
		if coded || used[name] {
			m.Vars[name] = v
		}
	}
	for name, v := range j.given {
		if coded || used[name] {
			m.Args[name] = v
		}
	}
	mark := encode(m)
	if len(mark) > maxMemory {
		return nil, Errorf("%s: what its calls answered has %d bytes; at most %d can be kept while it waits", j.spec.Class, len(mark), maxMemory)
	}
	return mark, nil
}

var reference = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_-]*)`) })

// references returns the names that a text refers to.
func references(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range reference().FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	return names
}

// jobPoker is a sensor that steps describe.
type jobPoker struct {
	o    *Operators
	spec *Spec
}

// Poke carries out the steps once.
func (p jobPoker) Poke(ctx context.Context, c Call, _ json.RawMessage, log Log) (Poked, error) {
	j, err := p.o.job(ctx, c, p.spec, log)
	if err != nil {
		return Poked{}, err
	}
	switch err := j.act(ctx, func(memory) error { return nil }); {
	case errors.Is(err, errNotYet):
		return Poked{}, nil
	case err != nil:
		return Poked{}, err
	}
	if out := p.o.publish(j.outputs); out.Verdict != flow.Success {
		return Poked{}, &Error{Message: out.Reason}
	}
	return Poked{Done: true, Outputs: j.outputs}, nil
}

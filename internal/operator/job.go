package operator

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"fairlead/internal/operator/awscall"
)

// A job is one attempt of an operator that is described by steps, in the
// child that acts or in the server that waits. One goroutine owns it.
type job struct {
	*args
	task    TaskContext
	cfg     awscall.Config
	log     Log
	sleep   func(context.Context, time.Duration) error
	looks   chan struct{} // bounds looks under way; nil does not
	outputs map[string]json.RawMessage
	mem     memory
	ended   bool // a step has ended the attempt
	late    bool // a wait has used up its attempts
	// parks says that a wait returns a parked error instead of sleeping, and
	// resumed that the step under way is taken up after one.
	parks, resumed bool
}

// A parked is the error of a job that wants to be gone on with after a pause.
type parked struct{ pause time.Duration }

func (p *parked) Error() string { return "the job waits for " + p.pause.String() }

// A memory is what a job keeps between its halves and across restarts.
type memory struct {
	At   int            `json:"at"`             // the step under way
	Item int            `json:"item,omitempty"` // and the element, if it has Each
	Vars map[string]any `json:"vars,omitempty"` // results of steps
	// Args are the arguments, which templates may render to something else
	// another time.
	Args    map[string]json.RawMessage `json:"args,omitempty"`
	Outputs map[string]json.RawMessage `json:"outputs,omitempty"`
	// Began is when the wait under way began, so that its attempts count
	// across restarts.
	Began time.Time `json:"began,omitzero"`
	// Polls are the looks made before the last save.
	Polls int `json:"polls,omitempty"`
}

// maxMemory bounds a saved memory in bytes.
const maxMemory = 1 << 20

// A code is what a step does that data cannot say. Its result is kept as a
// call's is.
type code func(ctx context.Context, j *job) (any, error)

// lookup is the job's scope: results of steps, then arguments, then names in
// capitals for what is around.
func (j *job) lookup(name string) (any, bool) {
	if v, ok := j.mem.Vars[name]; ok {
		return v, true
	}
	if _, ok := j.given[name]; !ok {
		if _, ok := j.spec.Arg(name); !ok {
			return j.around(name)
		}
	}
	v, err := parseJSON(string(j.raw(name)))
	if err != nil {
		return nil, true // None
	}
	return v, true
}

// around gives the names in capitals, and None for results of steps that were
// left out.
func (j *job) around(name string) (any, bool) {
	switch name {
	case "REGION":
		return j.cfg.Region(), true
	case "EPOCH":
		return time.Now().Unix(), true
	case "TOKEN":
		return token(j.task.RunID, j.task.TaskID, fmt.Sprint(j.task.Try)), true
	case "POLLS":
		return int64(j.mem.Polls), true
	case "TASKTOKEN":
		return token(j.task.DagID, j.task.TaskID, j.task.RunID), true
	case "DAG":
		return j.task.DagID, true
	case "RUN":
		return j.task.RunID, true
	case "TASK":
		return j.task.TaskID, true
	}
	return nil, j.spec.results()[name]
}

// token derives a UUID from what names an attempt, so that the service knows
// a call that is made twice.
func token(parts ...string) string {
	sum := sha256.Sum256([]byte("fairlead\x00" + strings.Join(parts, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}

// say writes a line of the task's log.
func (j *job) say(level, format string, values ...any) {
	j.log(level, j.logger(), fmt.Sprintf(format, values...))
}

func (j *job) logger() string { return "airflow.task.operators." + j.spec.Paths[0] }

// keep remembers a result.
func (j *job) keep(name string, v any) {
	if j.mem.Vars == nil {
		j.mem.Vars = map[string]any{}
	}
	j.mem.Vars[name] = v
}

// value evaluates an expression.
func (j *job) value(e Expr) (any, error) { return e.eval(j.lookup) }

// message evaluates a message.
func (j *job) message(s string) (string, error) {
	v, err := evalText(s, j.lookup)
	return pythonText(v), err
}

// seconds evaluates a number, which a text may hold.
func (j *job) seconds(e *Expr, otherwise float64) (float64, error) {
	if e == nil {
		return otherwise, nil
	}
	v, err := j.value(*e)
	if err != nil || v == nil {
		return otherwise, err
	}
	var n float64
	if json.Unmarshal([]byte(strings.TrimSpace(pythonText(v))), &n) != nil {
		return 0, Errorf("%s: expected a number, not %s", j.spec.Class, clip(pythonRepr(v), 80))
	}
	return n, nil
}

// errWait says that the next step is a wait.
var errWait = errors.New("the next step is a wait")

// A keeper saves a job's memory. It is nil where the job may not wait.
type keeper func(memory) error

// act carries out the steps from where the memory stands. Without save it
// stops before the first wait with errWait.
func (j *job) act(ctx context.Context, save keeper) error {
	for j.mem.At < len(j.spec.Do) && !j.ended {
		s := &j.spec.Do[j.mem.At]
		if save == nil && s.Wait != nil {
			if yes, err := j.holds(s.If); err != nil || yes {
				return cmp.Or(err, errWait)
			}
		} else if err := j.step(ctx, s, save); err != nil {
			return err
		}
		j.mem.At++
		j.mem.Item, j.mem.Began, j.mem.Polls = 0, time.Time{}, 0
		if save != nil && s.acts() && j.mem.At < len(j.spec.Do) {
			if err := save(j.mem); err != nil {
				return err
			}
		}
	}
	return j.finish()
}

// acts reports whether the step leaves something behind that is worth a save.
func (s *Step) acts() bool { return s.Call != "" || s.Wait != nil || s.Code != "" }

// finish publishes what the operator returns.
func (j *job) finish() error {
	for _, k := range slices.Sorted(maps.Keys(j.spec.Push)) {
		if err := j.push(k, j.spec.Push[k]); err != nil {
			return err
		}
	}
	if j.spec.Output == nil {
		return nil
	}
	return j.push(ReturnValue, *j.spec.Output)
}

// push publishes a value unless it is None.
func (j *job) push(key string, e Expr) error {
	v, err := j.value(e)
	if err == nil && v != nil {
		j.outputs[key] = encode(v)
	}
	return err
}

// holds reports whether a condition is true; none is.
func (j *job) holds(e *Expr) (bool, error) {
	if e == nil {
		return true, nil
	}
	v, err := j.value(*e)
	return truthy(v), err
}

// step carries out one step, for each element if it says so.
func (j *job) step(ctx context.Context, s *Step, save keeper) error {
	if !j.resumed {
		if yes, err := j.holds(s.If); err != nil || !yes {
			return err
		}
	}
	if s.Each == nil {
		return j.once(ctx, s, save)
	}
	v, err := j.value(*s.Each)
	if err != nil {
		return err
	}
	items, _ := v.([]any)
	for ; j.mem.Item < len(items); j.mem.Item++ {
		j.keep(s.Item, items[j.mem.Item])
		if err := j.once(ctx, s, save); err != nil {
			return err
		}
		j.mem.Began, j.mem.Polls = time.Time{}, 0
	}
	return nil
}

func (j *job) once(ctx context.Context, s *Step, save keeper) error {
	switch {
	case s.Call != "":
		return j.callStep(ctx, s)
	case s.Wait != nil:
		return j.wait(ctx, s.Wait, save)
	case s.Look != nil:
		return j.look(ctx, s.Look)
	case s.Fail != "":
		text, err := j.message(s.Fail)
		if err != nil {
			return err
		}
		return &Error{Message: text, Fatal: s.Fatal, Skip: s.Skip}
	case s.Log != "":
		text, err := j.message(s.Log)
		if err == nil {
			j.say("info", "%s", text)
		}
		return err
	case s.Code != "":
		v, err := codeOf(s.Code)(ctx, j)
		if err != nil {
			return callError(err)
		}
		j.keep(s.name(), v)
		return ctx.Err()
	case s.End:
		j.ended = true
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(s.Push)) {
		if err := j.push(k, s.Push[k]); err != nil {
			return err
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.Set)) {
		v, err := j.value(s.Set[k])
		if err != nil {
			return err
		}
		j.keep(k, v)
	}
	return nil
}

// input puts a request together.
func (j *job) input(members map[string]Expr, spread []Expr) (map[string]any, error) {
	in := map[string]any{}
	for k, e := range members {
		v, err := j.value(e)
		if err != nil {
			return nil, err
		}
		if v != nil {
			in[k] = v
		}
	}
	for _, e := range spread {
		v, err := j.value(e)
		if err != nil {
			return nil, err
		}
		m, ok := v.(map[string]any)
		if !ok && v != nil {
			return nil, Errorf("%s: expected a mapping, not %s", j.spec.Class, clip(pythonRepr(v), 80))
		}
		maps.Copy(in, m)
	}
	return in, nil
}

// callStep makes a call, again while it is to be retried, and keeps the reply.
func (j *job) callStep(ctx context.Context, s *Step) error {
	in, err := j.input(s.Input, s.Spread)
	if err != nil {
		return err
	}
	tries, pause := 1.0, 0.0
	if s.Retry != nil {
		if tries, err = j.seconds(&s.Retry.Attempts, 1); err == nil {
			pause, err = j.seconds(&s.Retry.Delay, 1)
		}
		if err != nil {
			return err
		}
	}
	for try := 1.0; ; try++ {
		reply, err := j.pages(ctx, s, in)
		switch {
		case err == nil:
			j.keep(s.name(), reply)
			return ctx.Err()
		case matches(s.Ignore, err):
			j.say("info", "%v: this is no failure here", callError(err))
			j.keep(s.name(), nil)
			return ctx.Err()
		case s.Retry == nil || try >= tries || !matches(s.Retry.Errors, err):
			return callError(err)
		}
		j.say("warning", "%v: trying again in %g s", callError(err), pause)
		if err := j.sleep(ctx, time.Duration(pause*float64(time.Second))); err != nil {
			return err
		}
	}
}

// maxPages bounds how many pages of a reply are read.
const maxPages = 1000

// pages makes a call and those for the further pages of its reply.
func (j *job) pages(ctx context.Context, s *Step, in map[string]any) (map[string]any, error) {
	reply, err := j.call(ctx, s.Call, in)
	if err != nil || s.Pages == nil {
		return reply, err
	}
	items, _ := reply[s.Pages.Items].([]any)
	for n := 1; truthy(reply[s.Pages.Next]) && n < maxPages; n++ {
		in[s.Pages.Send] = reply[s.Pages.Next]
		if reply, err = j.call(ctx, s.Call, in); err != nil {
			return nil, err
		}
		more, _ := reply[s.Pages.Items].([]any)
		items = append(items, more...)
	}
	return map[string]any{s.Pages.Items: items}, nil
}

// call makes one call to its end, even when the attempt is to be stopped:
// what it starts must be known, to be ended. The reply has ResponseMetadata.
func (j *job) call(ctx context.Context, name string, in map[string]any) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	r, err := awscall.Do(ctx, j.cfg, name, in)
	if err != nil {
		return nil, err
	}
	j.say("info", "%s answered (request id %s)", name, cmp.Or(r.RequestID, "none"))
	r.Members["ResponseMetadata"] = r.Metadata
	return r.Members, nil
}

// callNow makes one call that changes nothing, and may be cut short.
func (j *job) callNow(ctx context.Context, name string, in map[string]any) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, pokeTime)
	defer cancel()
	r, err := awscall.Do(ctx, j.cfg, name, in)
	return r.Members, err
}

// json returns an argument, with numbers as they are written.
func (j *job) json(name string) any {
	v, _ := parseJSON(string(j.raw(name))) // no text at all is None
	return v
}

// callTime bounds one call with the SDK's own retries.
const callTime = 15 * time.Minute

// matches reports whether an error of the service is one of the faults.
func matches(faults []Fault, err error) bool {
	ae, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	return slices.ContainsFunc(faults, func(f Fault) bool {
		return (f.Code == "*" || f.Code == ae.ErrorCode()) && strings.Contains(ae.ErrorMessage(), f.Says)
	})
}

// A verdict is what a look came to.
type verdict struct {
	then  string // "" when no acceptor matched
	says  string
	state string
	reply any
}

// observe looks once.
func (j *job) observe(ctx context.Context, l *Look) (verdict, error) {
	var v verdict
	var err error
	if l.Code != "" {
		v.reply, err = codeOf(l.Code)(ctx, j)
	} else {
		var in map[string]any
		if in, err = j.input(l.Input, nil); err != nil {
			return v, err
		}
		if j.looks != nil {
			select {
			case j.looks <- struct{}{}:
			case <-ctx.Done():
				return v, ctx.Err()
			}
			defer func() { <-j.looks }()
		}
		var r awscall.Reply
		look, cancel := context.WithTimeout(ctx, pokeTime)
		defer cancel()
		if r, err = awscall.Do(look, j.cfg, l.Call, in); err == nil {
			v.reply = r.Members
			v.state = " (request id " + cmp.Or(r.RequestID, "none") + ")"
		}
	}
	if ctx.Err() != nil {
		return v, ctx.Err()
	}
	if err == nil {
		j.keep(l.name(), v.reply)
		if shown := j.shown(l, v.reply); shown != "" {
			v.state = shown + v.state
		}
	}
	for i := range l.Accept {
		a := &l.Accept[i]
		yes, aerr := j.accepts(a, v.reply, err)
		if aerr != nil {
			return v, aerr
		}
		if !yes {
			continue
		}
		if err != nil {
			v.state = callError(err).Error()
		}
		v.then = a.Then
		v.says, aerr = evalMessage(a.Says, j, v.reply)
		return v, aerr
	}
	return v, callError(err)
}

// evalMessage renders the message of an acceptor, in which $reply is the
// reply.
func evalMessage(says string, j *job, reply any) (string, error) {
	v, err := evalText(says, j.with("reply", reply))
	return pythonText(v), err
}

// with is the job's scope and one more name.
func (j *job) with(name string, v any) scope {
	return func(n string) (any, bool) {
		if n == name {
			return v, true
		}
		return j.lookup(n)
	}
}

// shown is the state in a reply, for the log.
func (j *job) shown(l *Look, reply any) string {
	path := l.Show
	for i := 0; path == "" && i < len(l.Accept); i++ {
		path = l.Accept[i].Path
	}
	if path == "" {
		return ""
	}
	v, err := dig(reply, "."+path)
	if err != nil {
		return ""
	}
	return clip(pythonText(v), 200)
}

// accepts reports whether an acceptor matches a reply or an error.
func (j *job) accepts(a *Accept, reply any, failed error) (bool, error) {
	if a.Error != nil || failed != nil {
		return failed != nil && matches(a.Error, failed), nil
	}
	in := j.with("reply", reply)
	if a.If != nil {
		v, err := a.If.eval(in)
		if err != nil || !truthy(v) {
			return false, err
		}
	}
	if a.Is == nil {
		return true, nil
	}
	want, err := a.Is.eval(in)
	if err != nil {
		return false, err
	}
	is := func(v any) bool {
		if l, ok := want.([]any); ok {
			return slices.ContainsFunc(l, func(w any) bool { return equal(v, w) })
		}
		return equal(v, want)
	}
	got, err := dig(reply, "."+a.Path)
	if err != nil {
		return false, err
	}
	l, ok := got.([]any)
	switch {
	case !ok:
		return is(got), nil
	case a.All:
		return len(l) > 0 && !slices.ContainsFunc(l, func(v any) bool { return !is(v) }), nil
	}
	return slices.ContainsFunc(l, is), nil
}

// settle turns a verdict into the end of a wait, or false to look again.
func (j *job) settle(v verdict) (over bool, err error) {
	message := cmp.Or(v.says, j.spec.Class+" failed: "+v.state)
	switch v.then {
	case "success":
		return true, nil
	case "failure":
		return true, Errorf("%s", message)
	case "fatal":
		return true, &Error{Message: message, Fatal: true}
	case "skip":
		return true, &Error{Message: message, Skip: true}
	}
	return false, nil
}

// wait looks again and again. It saves before the first look, so that whoever
// takes the attempt up again does not act twice.
func (j *job) wait(ctx context.Context, l *Look, save keeper) error {
	pause, err := j.pause(l)
	if err != nil {
		return err
	}
	tries, err := j.seconds(l.Tries, 0)
	if err != nil {
		return err
	}
	first, err := j.seconds(l.First, 0)
	if err != nil {
		return err
	}
	switch {
	case j.resumed:
		if j.resumed = false; ctx.Err() != nil {
			return ctx.Err()
		}
	case j.mem.Began.IsZero():
		j.mem.Began = time.Now()
		if save != nil {
			if err := save(j.mem); err != nil {
				return err
			}
		}
		if first > 0 {
			if err := j.rest(ctx, time.Duration(first*float64(time.Second)), save); err != nil {
				return err
			}
		}
	case tries > 0:
		j.mem.Polls = min(int(time.Since(j.mem.Began)/pause), int(tries)-1)
	}
	what := cmp.Or(afterColon(l.Call), l.Code)
	for {
		v, err := j.observe(ctx, l)
		if err != nil {
			return err
		}
		j.mem.Polls++
		if len(l.Logs) > 0 {
			news, err := j.copyLogs(ctx, l, v.reply)
			if err == nil && news && save != nil {
				// What is in the task's log already is not copied again.
				err = save(j.mem)
			}
			if err != nil {
				return err
			}
		}
		if over, err := j.settle(v); over {
			j.say("info", "%s: %s", what, v.state)
			return err
		}
		if tries > 0 && j.mem.Polls >= int(tries) {
			if j.late = true; l.Pass {
				return nil
			}
			late, err := evalMessage(cmp.Or(l.Late, "Waiter error: max attempts reached"), j, v.reply)
			if err != nil {
				return err
			}
			return Errorf("%s", late)
		}
		if pause, err = j.pause(l); err != nil {
			return err
		}
		j.say("info", "%s: %s; looking again in %s", what, v.state, pause)
		if err := j.rest(ctx, pause, save); err != nil {
			return err
		}
	}
}

// rest sleeps within a wait, or parks where whoever called can be returned to.
func (j *job) rest(ctx context.Context, d time.Duration, save keeper) error {
	if !j.parks || save == nil || ctx.Err() != nil {
		return j.sleep(ctx, d)
	}
	j.resumed = true
	return &parked{d}
}

// pause is how long to wait before the next look.
func (j *job) pause(l *Look) (time.Duration, error) {
	delay, err := j.seconds(l.Delay, 30)
	// An interval of nothing would be a busy loop.
	return time.Duration(max(delay, 0.1) * float64(time.Second)), err
}

// errNotYet says that what a sensor waits for is not there.
var errNotYet = errors.New("not yet")

// look is a sensor's look; with a delay it looks several times.
func (j *job) look(ctx context.Context, l *Look) error {
	if l.Delay != nil {
		inner := *l
		inner.Pass = true
		j.mem.Began, j.mem.Polls = time.Time{}, 0
		if err := j.wait(ctx, &inner, nil); err != nil || !j.late {
			return err
		}
		return errNotYet
	}
	v, err := j.observe(ctx, l)
	if err != nil {
		return err
	}
	j.say("info", "%s: %s", cmp.Or(afterColon(l.Call), l.Code), v.state)
	if over, err := j.settle(v); over || err != nil {
		return err
	}
	return errNotYet
}

// cancelTime bounds what is done to end a job elsewhere.
const cancelTime = time.Minute

// cancel ends what the job has started elsewhere: the steps of Cancel that
// need nothing that has not come to be.
func (j *job) cancel(ctx context.Context) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer done()
	for i := range j.spec.Cancel {
		s := &j.spec.Cancel[i]
		if !j.ready(s) {
			continue
		}
		j.mem.Item, j.mem.Began, j.mem.Polls = 0, time.Time{}, 0
		if err := j.step(ctx, s, nil); err != nil {
			j.say("error", "the job could not be ended: %v", err)
			return
		}
	}
}

// ready reports whether all results that a step names are there.
func (j *job) ready(s *Step) bool {
	text, err := json.Marshal(s)
	if err != nil {
		return false
	}
	results := j.spec.results()
	for name := range references(string(text)) {
		if results[name] && j.mem.Vars[name] == nil {
			return false
		}
	}
	return true
}

// environment returns the variables of this process.
func environment() map[string]string {
	env := map[string]string{}
	for _, kv := range os.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return env
}

// rest sleeps until d has passed or ctx is done.
func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/lang"
)

// errDetach is the cause of a context that ends because the server does.
var errDetach = errors.New("the server goes, attempts stay")

// A process is an attempt in the outside world. It belongs to no server: it
// goes on while there is none, and its end waits to be found.
type process struct {
	id        string
	task      string // run and task, without the attempt
	done      chan struct{}
	kill      chan struct{} // holds the request to end, if there is one
	out       flow.Outcome
	said      map[flow.Verdict]bool // of how it ended, by the driver
	over      bool
	ended     time.Time // when it was over
	forgotten bool
	refusals  int // how often we failed to end it
	watched   bool
	watchers  int // Performs under way, of the present server
	server    int // the present server
}

// performer carries out attempts as one server sees it.
type performer struct{ s *server }

func key(a lang.Attempt) string {
	return fmt.Sprintf("%s/%s#%d", a.Run.ID, a.Task.ID, a.Task.Attempt)
}

// sensor reports whether a task is looked at by the server rather than run.
func sensor(n *flow.Node) bool { return n.Kind == "sensor" }

func (p performer) Perform(ctx context.Context, a lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	w := p.s.w
	if w.chance(0.3) {
		w.pause(w.between(0, 20*time.Millisecond))
	}
	if p.s.dead {
		return flow.Outcome{}, errDead
	}
	if context.Cause(ctx) == errDetach {
		return flow.Outcome{}, errDetach
	}
	w.performed(p.s, a)
	if sensor(a.Node) {
		return p.look(ctx, a, tell)
	}
	if a.Node.Unfolds != "" {
		return p.unfold(ctx, a, tell)
	}
	return p.run(ctx, a, tell)
}

func (p performer) run(ctx context.Context, a lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	w := p.s.w
	id := key(a)
	pr := w.processes[id]
	if err := p.trouble(ctx, pr); err != nil {
		return flow.Outcome{}, err
	}
	for pr == nil && w.busy() >= w.room && w.room > 0 && ctx.Err() == nil {
		w.saw("no-room")
		if wait := w.between(time.Second, time.Minute); w.chance(.5) {
			return flow.Outcome{}, &lang.Pause{For: wait, Resume: func(ctx context.Context) (flow.Outcome, error) {
				if p.s.dead {
					return flow.Outcome{}, errDead
				}
				return p.run(ctx, a, tell)
			}}
		} else {
			select {
			case <-ctx.Done():
			case <-p.s.gone:
				return flow.Outcome{}, errDead
			case <-time.After(wait):
			}
		}
	}
	if pr == nil && context.Cause(ctx) == errDetach {
		return flow.Outcome{}, errDetach
	}
	if pr == nil || w.broke("start twice") && !pr.over && pr.server != p.s.n {
		if ctx.Err() != nil {
			return flow.Outcome{Verdict: flow.Failure, Reason: "never began"}, nil
		}
		pr = w.begin(id, a)
	}
	if pr.forgotten {
		w.violate("attempt %s is performed again after it was let go", id)
	}
	if pr.server != p.s.n {
		pr.server, pr.watchers = p.s.n, 0
	}
	if pr.watched {
		w.saw("taken-up-again")
	}
	pr.watched = true
	pr.watchers++
	defer func() {
		if pr.server == p.s.n {
			pr.watchers--
		}
	}()
	if pr.watchers > 1 {
		w.violate("attempt %s is performed %d times at once", id, pr.watchers)
	}
	if ctx.Err() == nil {
		if err := p.report(a, tell, id); err != nil {
			return flow.Outcome{}, err
		}
	}
	var cut <-chan time.Time
	if w.fault("loses-sight", w.odds.trouble/2) {
		cut = time.After(w.between(0, 2*time.Minute))
	}
	select {
	case <-pr.done:
	case <-p.s.gone:
		return flow.Outcome{}, errDead
	case <-cut:
		w.touched()
		w.say("%s: the driver loses sight of it", id)
		return flow.Outcome{}, errors.New("lost sight of the attempt")
	case <-ctx.Done():
		if context.Cause(ctx) == errDetach {
			return flow.Outcome{}, errDetach
		}
		if p.s.dead {
			return flow.Outcome{}, errDead
		}
		w.say("%s: told to end", id)
		select {
		case pr.kill <- struct{}{}:
		default:
		}
		if w.broke("deaf driver") && w.chance(0.2) {
			return flow.Outcome{Verdict: flow.Failure, Reason: "ended, it says"}, nil
		}
		if pr.refusals < 2 && w.fault("loses-sight-ending", w.odds.trouble/2) {
			pr.refusals++
			w.say("%s: the driver loses sight of it while it ends", id)
			return flow.Outcome{}, errors.New("lost sight of the attempt")
		}
		select {
		case <-pr.done:
		case <-p.s.gone:
			return flow.Outcome{}, errDead
		}
	}
	out := pr.out
	if len(pr.said) > 0 && w.fault("tells-another-end", w.odds.lies) {
		out = flow.Outcome{Verdict: flow.Lost, Reason: "nothing is known of it any more"}
	}
	pr.said[out.Verdict] = true
	return out, nil
}

// trouble is how we fail, rather than the attempt.
func (p performer) trouble(ctx context.Context, pr *process) error {
	w := p.s.w
	if !w.fault("driver-fails", w.odds.trouble) {
		return nil
	}
	if ctx.Err() != nil {
		// A driver that cannot end what runs, however often it is asked, would
		// be to blame for what it leaves behind.
		if pr == nil || pr.refusals == 2 {
			return nil
		}
		pr.refusals++
	}
	w.say("server %d: the driver fails", p.s.n)
	if w.chance(0.1) {
		w.saw("driver-panics")
		panic("the driver panics")
	}
	return errors.New("the driver does not answer")
}

// report tells of the attempt's existence, more often and later than needed.
func (p performer) report(a lang.Attempt, tell lang.Tell, id string) error {
	w := p.s.w
	for first := true; first || w.chance(0.1); first = false {
		if w.chance(.2) {
			if err := tell.Begun(id, json.RawMessage(`{"job":"`+id+`"}`)); err != nil {
				return err
			}
		}
		if err := tell.Started(id); err != nil {
			return err
		}
	}
	if w.chance(0.1) {
		if err := tell.Mark(json.RawMessage(`{"job":"` + id + `"}`)); err != nil {
			return err
		}
	}
	if w.chance(0.03) {
		w.later(w.between(0, 10*time.Minute), func() {
			if !p.s.dead {
				_ = tell.Started(id) // whatever comes of it: it is old news
			}
		})
	}
	return nil
}

// look is a sensor's: it has no process, and looking twice does no harm.
func (p performer) look(ctx context.Context, a lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	w := p.s.w
	if w.fault("service-fails", w.odds.trouble) {
		return flow.Outcome{}, errors.New("the service does not answer")
	}
	if ctx.Err() == nil {
		if err := tell.Started(key(a)); err != nil {
			return flow.Outcome{}, err
		}
	}
	for ctx.Err() == nil {
		n := w.between(0, 100)
		switch {
		case n < 30 || w.calm && n < 60:
			return flow.Outcome{Verdict: flow.Success}, nil
		case n < 35:
			return flow.Outcome{Verdict: flow.Failure, Reason: "no"}, nil
		case n < 38:
			return flow.Outcome{Verdict: flow.Timeout, Reason: "too late"}, nil
		case n < 41:
			return flow.Outcome{Verdict: flow.Skip}, nil
		case n < 75:
			rest := flow.Outcome{Verdict: flow.Rest, Until: time.Now().Add(w.between(-time.Second, 2*time.Minute))}
			if w.chance(0.3) {
				rest.Mark = json.RawMessage(`{"seen":1}`)
			}
			return rest, nil
		}
		wait := w.between(time.Millisecond, time.Minute)
		if n < 90 { // hands itself back
			w.saw("pauses")
			tell.Looks(time.Now().Add(wait))
			return flow.Outcome{}, &lang.Pause{For: wait, Resume: func(ctx context.Context) (flow.Outcome, error) {
				if p.s.dead {
					return flow.Outcome{}, errDead
				}
				return p.look(ctx, a, tell)
			}}
		}
		select {
		case <-ctx.Done():
		case <-p.s.gone:
			return flow.Outcome{}, errDead
		case <-time.After(wait):
		}
	}
	if context.Cause(ctx) == errDetach {
		return flow.Outcome{}, errDetach
	}
	return flow.Outcome{Verdict: flow.Failure, Reason: "told to end"}, nil
}

// unfold is a scatter's, which has no process: first it says into how many it
// unfolds, and when they have all succeeded it gathers what they gave.
func (p performer) unfold(ctx context.Context, a lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	w := p.s.w
	if w.fault("cannot-evaluate", w.odds.trouble) {
		return flow.Outcome{}, errors.New("what was given before cannot be read")
	}
	if ctx.Err() == nil {
		if err := tell.Started(""); err != nil {
			return flow.Outcome{}, err
		}
	}
	select {
	case <-ctx.Done():
		if context.Cause(ctx) == errDetach {
			return flow.Outcome{}, errDetach
		}
		return flow.Outcome{Verdict: flow.Failure, Reason: "told to end"}, nil
	case <-p.s.gone:
		return flow.Outcome{}, errDead
	case <-time.After(w.between(0, time.Second)):
	}
	switch {
	case w.chance(0.05):
		return flow.Outcome{Verdict: flow.Failure, Reason: "cannot be evaluated"}, nil
	case a.Task.Instances == 0:
		n := w.rng.IntN(5)
		switch a.Node.Unfolds {
		case bodySub:
			n = 1
		case bodyMaybe:
			if n %= 2; n == 0 {
				return flow.Outcome{Verdict: flow.Success}, nil
			}
		}
		return flow.Outcome{Verdict: flow.Unfold, Instances: n, Outputs: map[string]json.RawMessage{"elements": json.RawMessage(`[1]`)}}, nil
	}
	if len(w.judge.wishRevs[a.Run.ID]) > 0 {
		return flow.Outcome{Verdict: flow.Success}, nil // somebody may have one of them done again while this is at work
	}
	body := a.Graph.Bodies[a.Node.Unfolds]
	for i := range a.Task.Instances * len(body) {
		if t, ok := w.rows.runs[a.Run.ID].task(a.Task.First + i); !ok || t.State != flow.Succeeded {
			w.violate("%s gathers, and task %d of what it has unfolded into is %q", key(a), a.Task.First+i, t.State)
		}
	}
	return flow.Outcome{Verdict: flow.Success}, nil
}

func (p performer) Forget(a lang.Attempt) {
	w := p.s.w
	if p.s.dead {
		return
	}
	w.forgotten(a)
	if pr := w.processes[key(a)]; pr != nil && !sensor(a.Node) {
		if !pr.over {
			w.violate("attempt %s is let go while its process runs", pr.id)
		}
		pr.forgotten = true
	}
}

// busy returns how many processes there are.
func (w *World) busy() (n int) {
	for _, pr := range w.processes {
		if !pr.over {
			n++
		}
	}
	if n >= w.room {
		w.crowded = time.Now()
	}
	return n
}

// begin starts the process of an attempt.
func (w *World) begin(id string, a lang.Attempt) *process {
	w.begun(id, a)
	pr := &process{
		said: map[flow.Verdict]bool{},
		id:   id, task: strings.SplitN(id, "#", 2)[0], done: make(chan struct{}), kill: make(chan struct{}, 1),
	}
	for _, other := range w.processes {
		if other.task == pr.task && !other.over {
			w.violate("attempt %s begins while %s runs", id, other.id)
		}
	}
	w.processes[id] = pr
	w.starts[id]++
	if w.starts[id] > 1 {
		w.violate("attempt %s has begun %d times", id, w.starts[id])
	}
	takes := w.between(0, 90*time.Second)
	if w.chance(0.1) {
		takes = w.between(0, time.Hour)
	}
	if w.chance(0.05) {
		takes = 0
	}
	out := w.verdict(a)
	hangs := w.chance(0.04)
	if hangs {
		w.saw("hangs")
	}
	w.say("%s: begins, will take %s and end with %s%s", id, takes, out.Verdict, map[bool]string{true: ", but hangs"}[hangs])
	w.wg.Go(func() { w.live(pr, takes, hangs, out) })
	return pr
}

// live is the life of a process.
func (w *World) live(pr *process, takes time.Duration, hangs bool, out flow.Outcome) {
	end := time.NewTimer(takes)
	defer end.Stop()
	due, calm := end.C, w.calmed
	if hangs {
		due = nil
	} else {
		calm = nil
	}
	select {
	case <-due:
	case <-calm:
	case <-pr.kill:
		if w.fault("ends-slowly", .1) {
			w.pause(w.between(0, 2*time.Minute))
		}
		w.pause(w.between(0, 10*time.Second))
		if !w.chance(0.1) { // some end well when asked
			out = flow.Outcome{Verdict: flow.Failure, Reason: "killed"}
		}
	case <-w.reboot:
		w.saw("worker-lost")
		out = flow.Outcome{Verdict: flow.Lost, Reason: "lost its worker"}
	}
	switch n := w.between(0, 100); {
	case n < 50:
		out.Ended = time.Now()
	case n < 55: // a lie, or the clock of another machine
		w.saw("lies-about-when")
		out.Ended = time.Now().Add(w.between(-2*time.Hour, 2*time.Hour))
	}
	w.busy()
	pr.out, pr.over, pr.ended = out, true, time.Now()
	w.say("%s: is over: %s", pr.id, out.Verdict)
	close(pr.done)
	runtime.Gosched()
}

// verdict is how an attempt will end if nothing comes between.
func (w *World) verdict(a lang.Attempt) flow.Outcome {
	if w.fault("lies-about-end", w.odds.lies/4) {
		return flow.Outcome{Verdict: []flow.Verdict{"nonsense", "", flow.Unfold}[w.rng.IntN(3)], Instances: w.rng.IntN(3)}
	}
	switch n := w.between(0, 100); {
	case n < 20:
		return flow.Outcome{Verdict: flow.Failure, Reason: "exit 1"}
	case n < 23:
		return flow.Outcome{Verdict: flow.Fatal, Reason: "do not try again"}
	case n < 27:
		return flow.Outcome{Verdict: flow.Skip}
	case n < 30:
		return flow.Outcome{Verdict: flow.Timeout, Reason: "over its time"}
	case n < 34:
		return flow.Outcome{Verdict: flow.Lost, Reason: "lost its worker"}
	case n < 60:
		return flow.Outcome{Verdict: flow.Success, Outputs: map[string]json.RawMessage{
			"return_value": json.RawMessage(fmt.Sprint(a.Task.Attempt)), "other": json.RawMessage(`[1]`),
		}}
	}
	return flow.Outcome{Verdict: flow.Success}
}

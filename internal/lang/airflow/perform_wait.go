package airflow

import (
	"context"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
	"fairlead/internal/operator"
)

// wait looks again and again until what the sensor waits for is there. In
// mode poke it pauses between two looks, at the price of a timer; in mode
// reschedule it rests after each.
func (w *work) wait(ctx context.Context, p operator.Poker, tell lang.Tell) (flow.Outcome, error) {
	if err := tell.Started("server"); err != nil {
		return flow.Outcome{}, err
	}
	s := &sensing{work: w, poker: p, tell: tell, mark: w.Task.Mark, began: w.Task.Started, first: w.Task.Since, n: w.Task.Pokes}
	if s.began.IsZero() {
		s.began = w.began
	}
	if s.first.IsZero() {
		s.first = s.began
	}
	var err error
	if s.call, err = w.call(context.WithoutCancel(ctx)); err != nil {
		return w.failed(err)
	}
	if w.action.Sensor == nil {
		return flow.Outcome{}, fmt.Errorf("task %s is a sensor without sensor settings", w.Task.ID)
	}
	return s.look(ctx)
}

// A sensing is a sensor's attempt between two looks.
type sensing struct {
	*work
	poker        operator.Poker
	tell         lang.Tell
	call         operator.Call
	mark         json.RawMessage
	began, first time.Time // of this attempt, and of the first one
	n            int       // looks so far
}

// look looks once.
func (s *sensing) look(ctx context.Context) (flow.Outcome, error) {
	stopped := flow.Outcome{Verdict: flow.Failure, Reason: "The task was stopped"}
	if ctx.Err() != nil && s.n > s.Task.Pokes { // it paused meanwhile
		return stopped, detached(ctx)
	}
	found, err := s.poker.Poke(ctx, s.call, s.mark, s.say)
	if ctx.Err() != nil {
		return stopped, detached(ctx)
	}
	if err == nil && found.Done {
		s.say("info", "airflow.sdk.bases.sensor", "Success criteria met. Exiting.")
		return flow.Outcome{Verdict: flow.Success, Outputs: found.Outputs}, nil
	}
	s.n++
	now := time.Now()
	out, pause, over := s.notYet(s.action.Sensor, s.n, err, now, s.began, s.first)
	if over {
		return out, nil
	}
	changed := err == nil && string(found.Mark) != string(s.mark)
	if changed {
		s.mark = found.Mark
	}
	if s.action.Sensor.Mode == "reschedule" {
		s.say("info", "airflow.sdk.bases.sensor", fmt.Sprintf("Rescheduling task, marking task as UP_FOR_RESCHEDULE for %s", pause))
		return flow.Outcome{Verdict: flow.Rest, Until: now.Add(pause), Mark: s.mark}, nil
	}
	if changed {
		if err := s.tell.Mark(s.mark); err != nil {
			return flow.Outcome{}, err
		}
	}
	s.tell.Looks(now.Add(pause))
	return flow.Outcome{}, &operator.Pause{For: pause, Resume: s.look}
}

// notYet says what follows the n-th look, at now, when it did not find what
// the sensor waits for, or failed: the end of the attempt, or a pause.
func (w *work) notYet(s *Sensor, n int, failed error, now, began, first time.Time) (out flow.Outcome, pause time.Duration, over bool) {
	if failed != nil {
		if out, over := w.pokeFailed(s, failed); over {
			return out, 0, true
		}
	}
	// Poke counts from the start of the attempt, reschedule from that of
	// the first one (reference: 3.3, timing details).
	from := began
	if s.Mode == "reschedule" {
		from = first
	}
	elapsed := now.Sub(from)
	if elapsed > seconds(s.Timeout) {
		return w.sensorTimeout(s, elapsed), 0, true
	}
	return flow.Outcome{}, w.pause(s, n, elapsed, began), false
}

// detached returns an error if ctx is done because the server goes, and nil
// if the attempt was ended.
func detached(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, exec.ErrDetach) {
		return cause
	}
	return nil
}

// pokeFailed says what an error while looking means; false: look again.
func (w *work) pokeFailed(s *Sensor, err error) (flow.Outcome, bool) {
	out := operator.Outcome(err)
	switch {
	case out.Verdict == flow.Skip:
	case s.NeverFail, s.SoftFail && out.Verdict == flow.Fatal:
		w.say("warning", "airflow.sdk.bases.sensor", "Skipping, because the sensor failed: "+err.Error())
		out.Verdict = flow.Skip
	case s.SilentFail && out.Verdict == flow.Failure:
		w.say("error", "airflow.sdk.bases.sensor", "Sensor poke failed: "+err.Error())
		return out, false
	}
	return out, true
}

func (w *work) sensorTimeout(s *Sensor, elapsed time.Duration) flow.Outcome {
	reason := fmt.Sprintf("Sensor has timed out; run duration of %s seconds exceeds the specified timeout of %s.",
		pyFloat(elapsed.Seconds()), pyFloat(s.Timeout))
	if s.SoftFail || s.NeverFail {
		return flow.Outcome{Verdict: flow.Skip, Reason: reason}
	}
	return flow.Outcome{Verdict: flow.Fatal, Reason: reason}
}

// pause returns how long to wait after the n-th look of an attempt that
// began at began. The growing interval and its jitter are Airflow's.
func (w *work) pause(s *Sensor, n int, elapsed time.Duration, began time.Time) time.Duration {
	// An interval of nothing would be a busy loop.
	interval := max(seconds(s.PokeInterval), 100*time.Millisecond)
	if !s.ExponentialBackoff {
		return interval
	}
	b := max(int64(math.Min(s.PokeInterval*math.Pow(2, float64(n-2)), 1e9)), 1)
	sum := sha1.Sum(fmt.Appendf(nil, "%s#%s#%s#%d", w.meta.DagID, w.Task.ID, began.UTC().Format("2006-01-02 15:04:05.000000+00:00"), n))
	jitter := new(big.Int).Mod(new(big.Int).SetBytes(sum[:]), big.NewInt(b)).Int64()
	pause := time.Duration(b+jitter) * time.Second
	if left := seconds(s.Timeout) - elapsed; left > 0 {
		pause = min(pause, left)
	}
	if s.MaxWait > 0 {
		pause = min(pause, seconds(s.MaxWait))
	}
	return pause
}

// seconds turns a number of seconds into a duration, as far as one reaches.
func seconds(s float64) time.Duration {
	if s >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(s * float64(time.Second))
}

// say writes a line of the task's log.
func (w *work) say(level, logger, event string) { w.log.write(level, logger, event, nil) }

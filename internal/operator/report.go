package operator

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
)

// ReturnValue is the key under which a task's result is published.
const ReturnValue = "return_value"

// A report is what a process of ours writes to its result descriptor: the
// Python runner and the child that carries out an AWS operator.
type report struct {
	Outputs map[string]json.RawMessage `json:"outputs,omitempty"`
	Error   string                     `json:"error,omitempty"`
	Fatal   bool                       `json:"fatal,omitempty"`
	Skip    bool                       `json:"skip,omitempty"`
	// Rest is when a task that rests wants to be run again, in seconds since
	// 1970; zero means that it does not.
	Rest float64 `json:"rest,omitempty"`
	// Resume is the memory of a job that is to be waited for.
	Resume json.RawMessage `json:"resume,omitempty"`
}

// Reported reports whether the process told itself how it ended. If so, a
// failure is in its log already; if not, the caller should log the outcome's
// reason.
func Reported(x exec.Exit) bool {
	var r report
	return x.Why == exec.ByItself && !x.ResultCut && json.Unmarshal(x.Result, &r) == nil
}

// finish turns the end of a process that reports into an outcome.
func (o *Operators) finish(what string, x exec.Exit) flow.Outcome {
	if out, ok := cutShort(x); ok {
		return out
	}
	if x.ResultCut {
		return flow.Outcome{Verdict: flow.Failure, Reason: fmt.Sprintf(
			"the result of %s is larger than 1 MiB; one XCom value may have %d bytes", what, o.set.MaxXCom)}
	}
	var r report
	if err := json.Unmarshal(x.Result, &r); err != nil {
		how := fmt.Sprintf("exit status %d", x.Code)
		if x.Signal != "" {
			how = "signal: " + x.Signal
		}
		return flow.Outcome{Verdict: flow.Failure, Reason: fmt.Sprintf("%s ended without a report (%s)", what, how)}
	}
	if r.Rest != 0 {
		return flow.Outcome{Verdict: flow.Rest, Until: restUntil(r.Rest, time.Now())}
	}
	if r.Error != "" || r.Skip || r.Fatal {
		out := Outcome(&Error{Message: r.Error, Fatal: r.Fatal, Skip: r.Skip})
		// What was published before the failure stays readable, as in Airflow.
		out.Outputs = o.fitting(r.Outputs)
		return out
	}
	return o.publish(r.Outputs)
}

// restUntil reads the moment at which a task wants to be run again. A rest is
// neither a busy loop nor longer than what can be counted.
func restUntil(seconds float64, now time.Time) time.Time {
	const most = 366 * 24 * time.Hour
	left := seconds - float64(now.UnixMicro())/1e6
	if !(left < most.Seconds()) {
		return now.Add(most)
	}
	return now.Add(max(time.Duration(left*float64(time.Second)), 100*time.Millisecond))
}

// publish returns a success with the outputs, unless one is too large.
func (o *Operators) publish(outputs map[string]json.RawMessage) flow.Outcome {
	for _, k := range slices.Sorted(maps.Keys(outputs)) {
		if n := len(outputs[k]); n > o.set.MaxXCom {
			return flow.Outcome{Verdict: flow.Failure, Outputs: o.fitting(outputs), Reason: fmt.Sprintf(
				"the XCom value %q has %d bytes; the limit is %d: keep large data in S3 and publish its key", clip(k, 80), n, o.set.MaxXCom)}
		}
	}
	return flow.Outcome{Verdict: flow.Success, Outputs: outputs}
}

// fitting returns the outputs that are not too large.
func (o *Operators) fitting(outputs map[string]json.RawMessage) map[string]json.RawMessage {
	outputs = maps.Clone(outputs)
	maps.DeleteFunc(outputs, func(_ string, v json.RawMessage) bool { return len(v) > o.set.MaxXCom })
	return outputs
}

// cutShort returns the outcome of a process that did not end by itself.
func cutShort(x exec.Exit) (flow.Outcome, bool) {
	switch x.Why {
	case exec.Stopped:
		return flow.Outcome{Verdict: flow.Failure, Reason: "the task was stopped"}, true
	case exec.OutOfTime:
		return flow.Outcome{Verdict: flow.Timeout, Reason: "the task ran past its time and was ended"}, true
	case exec.OutOfMemory:
		return flow.Outcome{Verdict: flow.Failure, Reason: "the task used more memory than it may have and was killed"}, true
	case exec.OutOfDisk:
		return flow.Outcome{Verdict: flow.Failure, Reason: "the task used more disk than it may have and was ended"}, true
	case exec.Lost:
		return flow.Outcome{Verdict: flow.Lost, Reason: "the task's process ended without a trace"}, true
	}
	return flow.Outcome{}, false
}

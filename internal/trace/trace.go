// Package trace tells an OpenTelemetry collector what runs have done: a span
// for each run, task, attempt and call of AWS, by OTLP over HTTP. Ids depend
// on what they name alone, so that the parts of a trace fit whichever process
// tells them. Nothing waits for a collector; what it does not take is lost.
package trace

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// A Span is something that took time.
type Span struct {
	Trace      [16]byte
	ID, Parent [8]byte // a zero Parent is none
	Name       string
	Client     bool // it is a call of another service
	Start, End time.Time
	Attributes []Attribute
	Failed     bool
	Message    string // why it failed
}

// An Attribute is one word about a span.
type Attribute struct{ Key, Value string }

func traceID(r flow.Run) (id [16]byte) {
	sum := sha256.Sum256([]byte("trace " + r.ID))
	copy(id[:], sum[:])
	return id
}

func spanID(format string, args ...any) (id [8]byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
	copy(id[:], sum[:])
	return id
}

func runSpan(r flow.Run) [8]byte                 { return spanID("run %s", r.ID) }
func taskSpan(r flow.Run, t flow.TaskID) [8]byte { return spanID("task %s %s", r.ID, t) }
func attemptSpan(r flow.Run, t flow.TaskID, n int) [8]byte {
	return spanID("attempt %s %s %d", r.ID, t, n)
}

// Parent returns what an attempt finds in its variable TRACEPARENT, in the
// form of W3C's Trace Context.
func Parent(r flow.Run, task flow.TaskID, attempt int) string {
	trace, span := traceID(r), attemptSpan(r, task, attempt)
	return "00-" + hex.EncodeToString(trace[:]) + "-" + hex.EncodeToString(span[:]) + "-01"
}

// Of returns the spans that a step has brought to their end. tasks are the
// rows that it saved. more says what else there is to know about a run, when the
// task is nil, or about an attempt; it may be nil.
func Of(r flow.Run, tasks []flow.Task, e flow.Entry, more func(flow.Run, *flow.Task) []Attribute) []Span {
	if more == nil {
		more = func(flow.Run, *flow.Task) []Attribute { return nil }
	}
	var spans []Span
	rows := map[flow.TaskID]*flow.Task{}
	for i := range e.Moves {
		m := &e.Moves[i]
		switch {
		case m.Task == "" && m.State.Final():
			spans = append(spans, Span{
				Trace: traceID(r), ID: runSpan(r), Name: "run " + string(r.Workflow), Start: begun(r.Created, m.Started), End: m.Ended,
				Attributes: append([]Attribute{
					{"fairlead.workflow", string(r.Workflow)}, {"fairlead.version", string(r.Version)}, {"fairlead.run", string(r.ID)},
					{"fairlead.run.kind", string(r.Kind)}, {"fairlead.state", string(m.State)},
				}, more(r, nil)...),
				Failed: m.State != flow.Succeeded, Message: m.Reason,
			})
		case m.Task == "" || !m.State.Final() && m.State != flow.Retrying || m.Started.IsZero() || m.Ended.IsZero():
		default:
			if len(rows) == 0 {
				for i := range tasks {
					rows[tasks[i].ID] = &tasks[i]
				}
			}
			spans = append(spans, ofAttempt(r, rows[m.Task], m, more)...)
		}
	}
	return spans
}

// begun is the earlier of two moments, where there are two.
func begun(created, started time.Time) time.Time {
	if created.IsZero() || !started.IsZero() && started.Before(created) {
		return started
	}
	return created
}

func ofAttempt(r flow.Run, row *flow.Task, m *flow.Move, more func(flow.Run, *flow.Task) []Attribute) []Span {
	kind, since := "", m.Started
	one := []Attribute{{"fairlead.attempt", fmt.Sprint(m.Attempt)}}
	if row != nil {
		attempt := *row
		attempt.Attempt = m.Attempt
		one = append(one, more(r, &attempt)...)
		kind = row.Kind
		if !row.Since.IsZero() && row.Since.Before(since) {
			since = row.Since
		}
	}
	failed := m.State != flow.Succeeded && m.State != flow.Skipped
	about := []Attribute{
		{"fairlead.workflow", string(r.Workflow)}, {"fairlead.run", string(r.ID)}, {"fairlead.task", string(m.Task)},
		{"fairlead.operator", kind}, {"fairlead.state", string(m.State)},
	}
	spans := []Span{{
		Trace: traceID(r), ID: attemptSpan(r, m.Task, m.Attempt), Parent: taskSpan(r, m.Task),
		Name: fmt.Sprintf("attempt %d of %s", m.Attempt, m.Task), Start: m.Started, End: m.Ended,
		Attributes: append(about[:len(about):len(about)], one...), Failed: failed, Message: m.Reason,
	}}
	if m.State.Final() {
		spans = append(spans, Span{
			Trace: traceID(r), ID: taskSpan(r, m.Task), Parent: runSpan(r), Name: "task " + string(m.Task), Start: since, End: m.Ended,
			Attributes: about, Failed: failed, Message: m.Reason,
		})
	}
	return spans
}

// Call returns the span of a call of AWS, below the attempt that a text in the
// form of Parent names; false if it names none.
func Call(parent, service, operation string, began, ended time.Time, status int, failure error) (Span, bool) {
	part := strings.Split(parent, "-")
	s := Span{
		Name: service + "." + operation, Client: true, Start: began, End: ended,
		Attributes: []Attribute{{"rpc.system", "aws-api"}, {"rpc.service", service}, {"rpc.method", operation}},
	}
	if len(part) != 4 || len(part[1]) != 32 || len(part[2]) != 16 {
		return s, false
	}
	_, err := hex.Decode(s.Trace[:], []byte(part[1]))
	_, err2 := hex.Decode(s.Parent[:], []byte(part[2]))
	s.ID = spanID("call %s %s %s %d", parent, service, operation, began.UnixNano())
	if status > 0 {
		s.Attributes = append(s.Attributes, Attribute{"http.response.status_code", fmt.Sprint(status)})
	}
	if s.Failed = failure != nil || status >= 400; failure != nil {
		s.Message = failure.Error()
	}
	return s, err == nil && err2 == nil
}

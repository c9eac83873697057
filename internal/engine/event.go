package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"fairlead/internal/flow"
)

// An Event is a fact the engine learns from outside. Task is empty when it
// concerns the whole run.
type Event struct {
	At   time.Time
	Task flow.TaskID
	What What
}

// What is the substance of an [Event]: one of [Queue], [Begin], [Started],
// [Marked], [Ended], [Tick], [Stop], [Clear], [Mark], [Hold] and [Release].
type What interface{ name() string }

type (
	// Queue says that the run must wait before it may begin.
	Queue struct{}
	// Begin says that the run's first task may run.
	Begin struct{}
	// Tick says what time it is, and by how much the clock was set back since
	// somebody looked last. That an event is older than the one before does not:
	// it may have waited for a store that was slow.
	Tick struct {
		Back time.Duration `json:",omitempty"`
	}
	// Stop asks the run to end.
	Stop struct {
		By string `json:",omitempty"` // who asked
	}
	// Clear asks for tasks to be done again, in a run that goes on or one
	// that has ended, which then goes on.
	Clear struct {
		Tasks []flow.TaskID `json:",omitempty"`
		// Failed adds every task that failed, was blocked or was canceled.
		Failed bool `json:",omitempty"`
		// Downstream adds all that come after them.
		Downstream bool   `json:",omitempty"`
		By         string `json:",omitempty"`
	}
	// Mark decides how a task has ended, whatever it did: Succeeded, Failed
	// or Skipped.
	Mark struct {
		State flow.State
		By    string `json:",omitempty"`
	}
	// Hold pauses the run: what runs goes on, and nothing begins.
	Hold struct {
		By string `json:",omitempty"`
	}
	// Release ends a Hold.
	Release struct {
		By string `json:",omitempty"`
	}
	// Started says that an attempt exists outside. A Mark that is there is kept
	// as that of Marked.
	Started struct {
		Attempt int
		Handle  string          `json:",omitempty"`
		Mark    json.RawMessage `json:",omitempty"`
	}
	// Marked asks to keep something with the current attempt, such as the id
	// of a job that it submitted.
	Marked struct {
		Attempt int
		Mark    json.RawMessage
	}
	// Ended says how an attempt ended, or that it rests.
	Ended struct {
		Attempt int
		flow.Outcome
	}
)

func (Queue) name() string   { return "queue" }
func (Begin) name() string   { return "begin" }
func (Tick) name() string    { return "tick" }
func (Stop) name() string    { return "stop" }
func (Clear) name() string   { return "clear" }
func (Mark) name() string    { return "mark" }
func (Hold) name() string    { return "hold" }
func (Release) name() string { return "release" }
func (Started) name() string { return "started" }
func (Marked) name() string  { return "marked" }
func (Ended) name() string   { return "ended" }

// entry writes ev for the journal.
func (ev Event) entry(run flow.RunID, rev int64) (flow.Entry, error) {
	detail, err := json.Marshal(ev.What)
	if err != nil {
		return flow.Entry{}, fmt.Errorf("engine: journal %s: %w", ev.What.name(), err)
	}
	return flow.Entry{Run: run, Seq: rev, At: ev.At, Task: ev.Task, What: ev.What.name(), Detail: detail}, nil
}

// EventOf reads an event back from the journal.
func EventOf(e flow.Entry) (Event, error) {
	ev := Event{At: e.At, Task: e.Task}
	var err error
	switch e.What {
	case "queue":
		ev.What = Queue{}
	case "begin":
		ev.What = Begin{}
	case "tick":
		ev.What, err = decode[Tick](e.Detail)
	case "stop":
		ev.What, err = decode[Stop](e.Detail)
	case "clear":
		ev.What, err = decode[Clear](e.Detail)
	case "mark":
		ev.What, err = decode[Mark](e.Detail)
	case "hold":
		ev.What, err = decode[Hold](e.Detail)
	case "release":
		ev.What, err = decode[Release](e.Detail)
	case "started":
		ev.What, err = decode[Started](e.Detail)
	case "marked":
		ev.What, err = decode[Marked](e.Detail)
	case "ended":
		ev.What, err = decode[Ended](e.Detail)
	default:
		err = fmt.Errorf("unknown event %q", e.What)
	}
	if err != nil {
		return Event{}, fmt.Errorf("engine: journal of run %s, entry %d: %w", e.Run, e.Seq, err)
	}
	return ev, nil
}

func decode[W What](data json.RawMessage) (What, error) {
	var w W
	err := json.Unmarshal(data, &w)
	return w, err
}

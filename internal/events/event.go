// Package events tells others what happens to runs: it makes events of a
// run's journal and delivers them to sinks, each run's in their order and
// each event at least once. It keeps how far it got, and has no account of
// its own of what happened.
package events

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"fairlead/internal/flow"
)

// An Event is what EventBridge would be sent.
type Event struct {
	Version string `json:"version"`
	// ID is the same each time the event is sent.
	ID         string    `json:"id"`
	DetailType string    `json:"detail-type"`
	Source     string    `json:"source"`
	Account    string    `json:"account"`
	Time       time.Time `json:"time"`
	Region     string    `json:"region"`
	Resources  []string  `json:"resources"`
	// Detail is a [Detail], or what another service says instead.
	Detail any `json:"detail"`
	// Topic is whose events are sent in their order: a run, or what stands for
	// a resource.
	Topic flow.RunID `json:"-"`

	run       flow.Run
	move      flow.Move
	job, task string // their names in OpenLineage
	fault     string // why what it tells of has failed
}

// A Detail is what an event says of a run or, with a TaskID, of a task.
type Detail struct {
	WorkflowARN     string `json:"workflowArn"`
	WorkflowVersion string `json:"workflowVersion"`
	RunID           string `json:"runId"`
	RunType         string `json:"runType"`
	Status          string `json:"status"`
	TaskInstanceID  string `json:"taskInstanceId,omitempty"`
	TaskID          string `json:"taskId,omitempty"`
	AttemptNumber   int    `json:"attemptNumber,omitempty"`
	ErrorMessage    string `json:"errorMessage,omitempty"`
	// CreatedAt is that of the run, the others are those of the attempt or the
	// run that the event ends.
	CreatedAt time.Time `json:"createdAt"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	// Revision and Position order the events of a run.
	Revision int64 `json:"revision"`
	Position int   `json:"position"`
}

// Source is what events say that they come from.
const Source = "aws.airflow-serverless"

// A kind is a type of event: what follows "MWAA Serverless " in its name, and
// the status that it tells.
type kind struct{ name, status string }

// runKinds and taskKinds are the fifteen types of EventBridge's reference, by
// the state that is entered. Other states have none.
var (
	runKinds = map[flow.State]kind{
		flow.Starting:  {"Workflow Run Started", "STARTING"},
		flow.Ready:     {"Workflow Run Queued", "QUEUED"},
		flow.Running:   {"Workflow Run Running", "RUNNING"},
		flow.Succeeded: {"Workflow Run Succeeded", "SUCCESS"},
		flow.Failed:    {"Workflow Run Failed", "FAILED"},
		flow.Canceled:  {"Workflow Run Stopped", "STOPPED"},
		flow.TimedOut:  {"Workflow Run Timeout", "TIMEOUT"},
	}
	taskKinds = map[flow.State]kind{
		flow.Starting:  {"Task Queued", "QUEUED"},
		flow.Ready:     {"Task Scheduled", "SCHEDULED"},
		flow.Blocked:   {"Task Upstream Failed", "UPSTREAM_FAILED"},
		flow.Running:   {"Task Running", "RUNNING"},
		flow.Succeeded: {"Task Succeeded", "SUCCESS"},
		flow.Failed:    {"Task Failed", "FAILED"},
		flow.Retrying:  {"Task Up For Retry", "UP_FOR_RETRY"},
		flow.TimedOut:  {"Task Timeout", "TIMEOUT"},
	}
)

const prefix = "MWAA Serverless "

// A Told is what a service of which the office knows nothing tells of a run.
type Told struct {
	Type string // of the event
	// Source and ARN are what it comes from, and is about.
	Source, ARN string
	Detail      any
	// Position orders the events of one entry.
	Position int
	// Move is what it tells of, Job and Task are the names of what is run, and
	// Fault is why that has failed; these are for OpenLineage.
	Move             flow.Move
	Job, Task, Fault string
}

// Others makes the events of runs that are of other services.
type Others interface {
	// Tell returns what an entry of a run's journal means, in its order; the
	// creation of the run is an entry with Seq 0. false means that it is not
	// known yet: the office asks again when it is told of the run.
	Tell(ctx context.Context, r flow.Run, e flow.Entry) ([]Told, bool, error)
	// TellNotice returns what a notice means.
	TellNotice(n flow.Notice) (Told, error)
}

// Kinds returns the names of the types without "MWAA Serverless ".
func Kinds() []string {
	var names []string
	for _, s := range flow.States() {
		for _, of := range []map[flow.State]kind{runKinds, taskKinds} {
			if k, ok := of[s]; ok {
				names = append(names, k.name)
			}
		}
	}
	return names
}

// Words are what an event says in the terms of the front door.
type Words struct {
	Account, Region string
	ARN             func(flow.WorkflowID) string
	InstanceID      func(flow.Run, flow.TaskID, int) string
	RunType         func(flow.RunKind) string
}

// created returns the event of a run's creation.
func (w Words) created(r flow.Run) []Event {
	return w.of(r, creation(r))
}

// creation is an entry for what precedes a journal.
func creation(r flow.Run) flow.Entry {
	return flow.Entry{Run: r.ID, At: r.Created, Moves: []flow.Move{{State: flow.Starting}}}
}

// told returns the events that another service makes of an entry.
func (w Words) told(r flow.Run, e flow.Entry, all []Told) []Event {
	events := make([]Event, len(all))
	for i, t := range all {
		events[i] = Event{
			Version: "0", ID: id(r.ID, e.Seq, t.Position), DetailType: t.Type, Source: t.Source, Account: w.Account, Region: w.Region,
			Time: e.At.UTC(), Resources: []string{t.ARN}, Detail: t.Detail, Topic: r.ID, run: r, move: t.Move, job: t.Job, task: t.Task, fault: t.Fault,
		}
	}
	return events
}

// of returns the events of one entry of a run's journal, in their order.
func (w Words) of(r flow.Run, e flow.Entry) []Event {
	var events []Event
	for i := range e.Moves {
		m := e.Moves[i]
		kinds := taskKinds
		if m.Task == "" {
			kinds = runKinds
		}
		k, ok := kinds[m.State]
		if !ok {
			continue
		}
		arn := w.ARN(r.Workflow)
		ev := Event{
			Version: "0", ID: id(r.ID, e.Seq, i), DetailType: prefix + k.name, Source: Source,
			Account: w.Account, Region: w.Region, Time: e.At.UTC(), Resources: []string{arn}, Topic: r.ID,
			run: r, move: m, job: string(r.Workflow), task: string(m.Task),
		}
		d := Detail{
			WorkflowARN: arn, WorkflowVersion: string(r.Version), RunID: string(r.ID), RunType: w.RunType(r.Kind), Status: k.status,
			CreatedAt: r.Created.UTC(), Revision: e.Seq, Position: i,
		}
		if m.Task != "" {
			d.TaskInstanceID, d.TaskID, d.AttemptNumber = w.InstanceID(r, m.Task, m.Attempt), string(m.Task), m.Attempt
		}
		if !m.Started.IsZero() {
			d.StartedAt = m.Started.UTC()
		}
		if !m.Ended.IsZero() {
			d.EndedAt = m.Ended.UTC()
		}
		switch m.State {
		case flow.Running:
			d.StartedAt = ev.Time
		case flow.Succeeded:
		default:
			d.ErrorMessage = m.Reason
		}
		ev.Detail, ev.fault = d, d.ErrorMessage
		events = append(events, ev)
	}
	return events
}

// id is a UUID that depends on what it names alone.
func id(run flow.RunID, seq int64, i int) string {
	return uuid(fmt.Sprintf("event %s %d %d", run, seq, i))
}

func uuid(of string) string {
	h := sha256.Sum256([]byte(of))
	b := h[:16]
	b[6] = b[6]&0x0f | 0x80 // version 8: made in our own way
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

package omics

import (
	"context"
	"path"
	"strconv"

	"fairlead/internal/flow"
)

// Source is what events of this service say that they come from.
const Source = "aws.omics"

// The types of events.
const (
	runEvent      = "Run Status Change"
	taskEvent     = "Task Status Change"
	batchEvent    = "RunBatch Status Change"
	workflowEvent = "Workflow Status Change"
)

// EventTypes names the types of events that the door makes.
func EventTypes() []string { return []string{runEvent, taskEvent, batchEvent, workflowEvent} }

// An Event tells of a change of status.
type Event struct {
	Type, ARN string
	// Position orders the events of one entry of a journal.
	Position int
	Detail   any
	// Move is what it tells of. Workflow and Task are the names of what is run.
	Move           flow.Move
	Workflow, Task string
	Fault          string // why it has failed; else empty
}

// omicsVersion is that of the details of events.
const omicsVersion = "1.0.0"

// A runDetail is what an event says of a run.
type runDetail struct {
	OmicsVersion   string `json:"omicsVersion"`
	ARN            string `json:"arn"`
	Status         string `json:"status"`
	UUID           string `json:"uuid"`
	RunID          string `json:"runId"`
	RunName        string `json:"runName,omitempty"`
	RunOutputURI   string `json:"runOutputUri"`
	BatchID        string `json:"batchId,omitempty"`
	WorkflowID     string `json:"workflowId"`
	WorkflowName   string `json:"workflowName,omitempty"`
	FailureReason  string `json:"failureReason,omitempty"`
	FailureMessage string `json:"failureMessage,omitempty"`
	order
}

// A taskDetail is what an event says of an attempt of a task, which the
// service calls a task.
type taskDetail struct {
	OmicsVersion   string `json:"omicsVersion"`
	ARN            string `json:"arn"`
	Status         string `json:"status"`
	UUID           string `json:"uuid"`
	TaskID         string `json:"taskId"`
	TaskName       string `json:"taskName"`
	RunARN         string `json:"runArn"`
	RunUUID        string `json:"runUuid"`
	RunID          string `json:"runId"`
	RunName        string `json:"runName,omitempty"`
	WorkflowID     string `json:"workflowId"`
	WorkflowName   string `json:"workflowName,omitempty"`
	FailureReason  string `json:"failureReason,omitempty"`
	FailureMessage string `json:"failureMessage,omitempty"`
	order
}

// An order is the place of an event among those of its run.
type order struct {
	Revision int64 `json:"revision"`
	Position int   `json:"position"`
}

// Events returns what an entry of a run's journal means, in its order; none if
// the run is not of this service. The creation of a run is an entry with Seq 0.
// The end of a run is not known before what follows it is done: false.
func (d *Door) Events(ctx context.Context, r flow.Run, e flow.Entry) ([]Event, bool, error) {
	row, err := d.Runs.Recorded(ctx, r.ID)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	s, err := SettingsOf(row.Record)
	if err != nil {
		return nil, false, err
	}
	var command func(flow.TaskID) bool
	var all []Event
	for i, m := range e.Moves {
		if m.Task == "" {
			if m.State.Final() && r.State.Final() && !d.Engine.Closed(r) {
				return nil, false, nil
			}
			all = append(all, d.runEvents(row, s, e.Seq, i, m)...)
			continue
		}
		if command == nil {
			if command, err = d.Engine.Commands(ctx, r); err != nil {
				return nil, false, err
			}
		}
		if m.Attempt == 0 || m.State == flow.Waiting || !command(m.Task) || taskStatuses[m.State] == taskStatuses[m.From] && m.From != flow.Waiting {
			continue
		}
		t, err := d.Runs.Instance(ctx, r.ID, m.Task, 0)
		if err != nil {
			return nil, false, err
		}
		t.Attempt = m.Attempt
		all = append(all, d.taskEvent(row, s, e.Seq, i, m, t))
	}
	return all, true, nil
}

// runEvents returns the events of a run's move. One that ends passes through
// STOPPING, as it does for those who ask.
func (d *Door) runEvents(row flow.Recorded, s Settings, seq int64, i int, m flow.Move) []Event {
	r := row.Run
	detail := runDetail{
		OmicsVersion: omicsVersion, ARN: d.arn("run/" + string(r.ID)), Status: runStatuses[m.State], UUID: r.Key, RunID: string(r.ID),
		RunName: row.Record.Name, RunOutputURI: RunOutputURI(s.OutputURI, r.ID), BatchID: s.BatchID, WorkflowID: s.WorkflowID,
		WorkflowName: s.WorkflowName, order: order{seq, 2*i + 1},
	}
	was := runStatuses[m.From]
	if was == detail.Status {
		return nil
	}
	var all []Event
	const stopping = "STOPPING"
	if m.State.Final() && was != stopping {
		before := detail
		before.Status, before.Position = stopping, 2*i
		m := m
		m.State = flow.Stopping
		all = append(all, d.runEvent(before, m))
	}
	if detail.Status == "FAILED" {
		ended := r
		ended.State, ended.Reason = m.State, m.Reason
		detail.FailureReason, detail.FailureMessage = runFailure(ended)
	}
	return append(all, d.runEvent(detail, m))
}

func (d *Door) runEvent(detail runDetail, m flow.Move) Event {
	return Event{
		Type: runEvent, ARN: detail.ARN, Position: detail.Position, Detail: detail, Move: m, Workflow: jobName(detail.WorkflowName, detail.WorkflowID),
		Fault: detail.FailureMessage,
	}
}

// taskEvent returns the event of a task's move.
func (d *Door) taskEvent(row flow.Recorded, s Settings, seq int64, i int, m flow.Move, t flow.Task) Event {
	r := row.Run
	id := TaskID(r.ID, t)
	detail := taskDetail{
		OmicsVersion: omicsVersion, ARN: d.arn("task/" + id), Status: taskStatuses[m.State], UUID: TaskUUID(r.Key, t), TaskID: id, TaskName: TaskName(t),
		RunARN: d.arn("run/" + string(r.ID)), RunUUID: r.Key, RunID: string(r.ID), RunName: row.Record.Name, WorkflowID: s.WorkflowID,
		WorkflowName: s.WorkflowName, order: order{seq, 2*i + 1},
	}
	if detail.Status == "FAILED" {
		detail.FailureReason, detail.FailureMessage = failure(m.Reason)
	}
	return Event{
		Type: taskEvent, ARN: detail.ARN, Position: detail.Position, Detail: detail, Move: m, Workflow: jobName(s.WorkflowName, s.WorkflowID),
		Task: path.Base(string(t.ID)), Fault: detail.FailureMessage,
	}
}

// A workflowDetail is what an event says of a workflow or of a version of one.
type workflowDetail struct {
	OmicsVersion        string `json:"omicsVersion"`
	ARN                 string `json:"arn"`
	Status              string `json:"status"`
	WorkflowID          string `json:"workflowId"`
	WorkflowName        string `json:"workflowName,omitempty"`
	WorkflowVersionName string `json:"workflowVersionName,omitempty"`
	WorkflowUUID        string `json:"workflowUuid"`
	FailureMessage      string `json:"failureMessage,omitempty"`
}

// A batchDetail is what an event says of a batch. Counts are texts in the
// service's.
type batchDetail struct {
	OmicsVersion                   string `json:"omicsVersion"`
	ARN                            string `json:"arn"`
	BatchID                        string `json:"batchId"`
	Status                         string `json:"status"`
	UUID                           string `json:"uuid"`
	BatchName                      string `json:"batchName,omitempty"`
	TotalRuns                      string `json:"totalRuns"`
	FailureReason                  string `json:"failureReason,omitempty"`
	FailureMessage                 string `json:"failureMessage,omitempty"`
	SuccessfulStartSubmissionCount string `json:"successfulStartSubmissionCount"`
	FailedStartSubmissionCount     string `json:"failedStartSubmissionCount"`
	PendingStartSubmissionCount    string `json:"pendingStartSubmissionCount"`
	PendingRunCount                string `json:"pendingRunCount"`
	StartingRunCount               string `json:"startingRunCount"`
	RunningRunCount                string `json:"runningRunCount"`
	StoppingRunCount               string `json:"stoppingRunCount"`
	CompletedRunCount              string `json:"completedRunCount"`
	FailedRunCount                 string `json:"failedRunCount"`
	CancelledRunCount              string `json:"cancelledRunCount"`
	DeletedRunCount                string `json:"deletedRunCount"`
	WorkflowID                     string `json:"workflowId"`
	WorkflowARN                    string `json:"workflowArn"`
	WorkflowVersionARN             string `json:"workflowVersionArn,omitempty"`
	RunCache                       string `json:"runCache,omitempty"`
	RunCacheBehavior               string `json:"runCacheBehavior,omitempty"`
}

// NoticeEvent returns what a notice means.
func (d *Door) NoticeEvent(n flow.Notice) (Event, error) {
	arn := d.arnOf(n.Resource)
	if n.Resource.Kind == flow.OmicsBatch {
		detail, err := d.batchDetail(arn, n)
		return Event{Type: batchEvent, ARN: arn, Detail: detail, Fault: detail.FailureMessage}, err
	}
	b, err := body[definition](n.Resource.ID, n.Resource.Body)
	detail := workflowDetail{
		OmicsVersion: omicsVersion, ARN: arn, Status: n.Resource.Status, WorkflowID: n.Resource.ID, WorkflowName: n.Resource.Name, WorkflowUUID: b.UUID,
	}
	if n.Resource.Kind == flow.OmicsVersion {
		detail.WorkflowID, detail.WorkflowName, detail.WorkflowVersionName = n.Resource.Parent, "", n.Resource.Name
	}
	if detail.Status == "FAILED" {
		detail.FailureMessage = b.Message[:min(len(b.Message), maxFault)]
	}
	return Event{Type: workflowEvent, ARN: arn, Detail: detail}, err
}

// maxFault bounds what an event says of a failure, in bytes.
const maxFault = 1024

func (d *Door) batchDetail(arn string, n flow.Notice) (batchDetail, error) {
	b, err := body[batchBody](n.Resource.ID, n.Resource.Body)
	if err != nil || n.Counts == nil || b.Defaults == nil {
		return batchDetail{}, err
	}
	text := strconv.Itoa
	c, runs := *n.Counts, map[string]int{}
	for state, n := range c.States {
		runs[runStatuses[state]] += n
	}
	out := batchDetail{
		OmicsVersion: omicsVersion, ARN: arn, BatchID: n.Resource.ID, Status: n.Resource.Status, UUID: b.UUID, BatchName: n.Resource.Name, TotalRuns: text(b.Total),
		SuccessfulStartSubmissionCount: text(c.Started), FailedStartSubmissionCount: text(c.Statuses["FAILED"]), PendingStartSubmissionCount: text(c.Statuses[""]),
		PendingRunCount: text(runs["PENDING"]), StartingRunCount: text(runs["STARTING"]), RunningRunCount: text(runs["RUNNING"]), StoppingRunCount: text(runs["STOPPING"]),
		CompletedRunCount: text(runs["COMPLETED"]), FailedRunCount: text(runs["FAILED"]), CancelledRunCount: text(runs["CANCELLED"]),
		DeletedRunCount: text(c.Statuses["DELETE_SUCCESS"]), WorkflowID: b.Defaults.WorkflowID, WorkflowARN: d.arn(paths(flow.OmicsWorkflow) + b.Defaults.WorkflowID),
		RunCacheBehavior: b.Defaults.CacheBehavior,
	}
	if v := b.Defaults.WorkflowVersionName; v != "" {
		out.WorkflowVersionARN = out.WorkflowARN + "/version/" + v
	}
	if b.Defaults.CacheID != "" {
		out.RunCache = d.arn(paths(flow.OmicsCache) + b.Defaults.CacheID)
	}
	return out, nil
}

// jobName is the name of a workflow where there must be one.
func jobName(name, id string) string {
	if name == "" {
		return id
	}
	return name
}

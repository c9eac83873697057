package flow

import (
	"encoding/json"
	"time"
)

// A Resource is something that a door keeps and that does not run: a workflow
// of HealthOmics, a version of one, a group of runs.
type Resource struct {
	Kind ResourceKind
	// ID is unique within the kind. When it is empty the store gives out a
	// decimal number, which is never used again.
	ID string
	// Parent is the id of the workflow that a version belongs to.
	Parent string
	Name   string
	Status string
	// Graph is the key of what a workflow or version runs; empty of others,
	// and of one that does not compile.
	Graph   string
	Created time.Time
	Tags    map[string]string
	// Body is what only the door reads.
	Body json.RawMessage
}

// ResourceKind says what a [Resource] is.
type ResourceKind string

// The kinds of resource.
const (
	OmicsWorkflow      ResourceKind = "workflow"
	OmicsVersion       ResourceKind = "version"
	OmicsGroup         ResourceKind = "group"
	OmicsCache         ResourceKind = "cache"
	OmicsBatch         ResourceKind = "batch"
	OmicsConfiguration ResourceKind = "configuration"
)

// A ResourceFilter says which resources of a kind are listed: those that have
// what is not empty here.
type ResourceFilter struct {
	Parent, Name, Status string
}

// A Record is what a door keeps of a run beside the [Run].
type Record struct {
	// Run is the run's id, a decimal number. When it is empty the store gives
	// one out, which is never used again.
	Run      RunID
	Workflow WorkflowID
	// Group, Cache and Batch are ids of resources; empty: none.
	Group, Cache, Batch string
	Name                string
	Priority            int
	// Removable says that the run may be dropped, once it has ended, to make
	// room for others.
	Removable bool
	Created   time.Time
	Tags      map[string]string
	// Body is what only the door reads.
	Body json.RawMessage
}

// A RecordFilter says which runs are listed: those that have what is not
// empty here.
type RecordFilter struct {
	Name, Group, Batch string
	// States are those of which a run has one.
	States []State
}

// A Recorded is a run with its record.
type Recorded struct {
	Run    Run
	Record Record
}

// A BatchEntry is a run that a batch is to have.
type BatchEntry struct {
	Batch string
	N     int // place in the batch, from 0
	// Setting is the caller's name of the entry.
	Setting string
	Run     RunID // empty until it is submitted
	// Status, Reason and Message say what came of it; empty until it is
	// submitted.
	Status, Reason, Message string
	// Body is what only the door reads.
	Body json.RawMessage
}

// A BatchFilter says which entries of a batch are listed: those that have
// what is not empty here.
type BatchFilter struct {
	Status, Setting string
	Run             RunID
	// Open asks for those without a status instead.
	Open bool
}

// BatchCounts say how a batch is getting on.
type BatchCounts struct {
	Total, Started int
	Statuses       map[string]int // entries by status
	States         map[State]int  // runs by state
}

// A Notice tells that a resource has got another status.
type Notice struct {
	// Seq orders the notices on a topic.
	Seq int64 `json:"-"`
	At  time.Time
	// Resource is as it was then; one that is gone is DELETED.
	Resource Resource
	Counts   *BatchCounts `json:",omitempty"` // of a batch, as they were then
}

// Topic is what stands for a resource where sinks are told of runs. No run has
// such an id.
func Topic(kind ResourceKind, id string) RunID { return RunID(string(kind) + "/" + id) }

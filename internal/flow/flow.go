// Package flow holds the words of the project: graphs, runs, tasks, states,
// definitions and error kinds. It knows nothing of services, languages,
// storage or time; every other package speaks in its terms.
package flow

import (
	"encoding/json"
	"strconv"
	"time"
)

type (
	// RunID names a run; unique in a deployment.
	RunID string
	// TaskID names a task within a run.
	TaskID string
	// WorkflowID names a workflow; unique in a deployment and never reused.
	WorkflowID string
	// VersionID names one immutable version of a workflow.
	VersionID string
)

// A Graph is what a definition compiles to: an immutable list of nodes in
// topological order. It is saved before the first run that uses it.
type Graph struct {
	// Language is whose actions the graph has; empty is the YAML dialect.
	Language string `json:",omitempty"`
	Nodes    []Node
	// MaxActive bounds how many of a run's tasks hold a slot at once; zero is
	// no bound.
	MaxActive int `json:",omitempty"`
	// Bodies are what tasks unfold into: lists of nodes like Nodes, by name.
	// The ids of a body's nodes, and their After, are of that body alone.
	Bodies map[string][]Node `json:",omitempty"`
	// FailFast ends a run with the first task that has failed for good.
	FailFast bool `json:",omitempty"`
	// Meta is what all actions of the graph share. Only the language that
	// wrote it reads it.
	Meta json.RawMessage `json:",omitempty"`
}

// A Node is one task of a graph.
type Node struct {
	ID    TaskID
	After []TaskID `json:",omitempty"` // direct upstreams, each earlier in the graph
	When  Rule     `json:",omitempty"` // empty means AllSuccess
	// Retries is how many attempts may follow a failed first one.
	Retries int `json:",omitempty"`
	// Delay is the pause between the end of a failed attempt and the next.
	Delay time.Duration `json:",omitempty"`
	// Timeout bounds one attempt; zero is no bound.
	Timeout time.Duration `json:",omitempty"`
	// Noop marks a task with nothing to carry out: it succeeds as soon as it
	// may run, without an attempt outside the engine.
	Noop bool `json:",omitempty"`
	// Unfolds names the body of which the task's first outcome makes
	// instances, one for each element of a scatter; empty of most tasks. When
	// they have all succeeded the task is performed once more, to gather.
	Unfolds string `json:",omitempty"`
	Needs   Needs  `json:",omitzero"`
	// Kind is the name users know the action by, such as an operator's class.
	Kind string `json:",omitempty"`
	// Action is what to do; only the language that wrote it reads it.
	Action json.RawMessage `json:",omitempty"`
}

// Needs are the resources an attempt asks for. Zero means the driver's
// default.
type Needs struct {
	CPUs   float64 `json:",omitempty"` // cores
	Memory int64   `json:",omitempty"` // bytes
}

// A Rule says which states of its upstreams let a task run. The names and
// meanings are Airflow's trigger rules.
type Rule string

// The trigger rules of Airflow 3.0.6.
const (
	AllSuccess              Rule = "all_success"
	AllFailed               Rule = "all_failed"
	AllDone                 Rule = "all_done"
	AllDoneSetupSuccess     Rule = "all_done_setup_success"
	OneSuccess              Rule = "one_success"
	OneFailed               Rule = "one_failed"
	OneDone                 Rule = "one_done"
	NoneFailed              Rule = "none_failed"
	NoneSkipped             Rule = "none_skipped"
	Always                  Rule = "always"
	NoneFailedMinOneSuccess Rule = "none_failed_min_one_success"
	AllSkipped              Rule = "all_skipped"
)

// Rules lists every trigger rule, in the order Airflow prints them.
func Rules() []Rule {
	return []Rule{
		AllDone, AllDoneSetupSuccess, AllFailed, AllSkipped, AllSuccess, Always,
		NoneFailed, NoneFailedMinOneSuccess, NoneSkipped, OneDone, OneFailed, OneSuccess,
	}
}

// A Run is one execution of a version of a workflow.
type Run struct {
	ID       RunID
	Workflow WorkflowID
	Version  VersionID
	Kind     RunKind
	State    State
	// Key is a UUID that the ids of the run's task instances share.
	Key string
	// Params are the overrides the run was started with: a JSON object.
	Params json.RawMessage
	// Logical is the moment the run stands for: the fire time of a schedule,
	// or the start of an on-demand run.
	Logical time.Time
	// Graph is the key under which the run's graph is saved.
	Graph  string
	Reason string // why the run failed; empty otherwise
	Cause  Cause  // why a stopping run is being ended
	// Held says that the run is paused: what runs goes on, and nothing begins.
	Held bool
	// By is who asked for a rerun or a backfill; empty of other runs.
	By       string
	Created  time.Time
	Started  time.Time // zero until the first task may run
	Ended    time.Time // zero until the run is final
	Modified time.Time
	// Rev counts the steps saved; a writer that names an old one is refused.
	Rev int64
}

// RunKind says what began a run.
type RunKind string

// The kinds of run.
const (
	OnDemand  RunKind = "ondemand"
	Scheduled RunKind = "scheduled"
	// Backfill is a run for a slot of the past that a person asked for.
	Backfill RunKind = "backfill"
)

// A Task is the present state of one node of a run. Earlier attempts are
// kept as [Attempt]s.
type Task struct {
	ID TaskID
	// Index is the task's place in the graph, and Kind its node's.
	Index int
	Kind  string
	State State
	// Attempt is the number of the current attempt: 0 until the task may run
	// for the first time, then 1, 2, …
	Attempt int
	// Base is how many attempts there were before the task was last cleared:
	// retries are counted from there.
	Base int
	// Due is when a retrying or resting task is ready again, or when an
	// attempt under way must have ended. Zero: no such moment.
	Due time.Time
	// Handle is how a driver finds the attempt again; empty until it started.
	Handle string
	// Reason is why the task is in its state, for a person to read.
	Reason string
	// Cause is why a stopping task is being ended.
	Cause Cause
	// Mark is what the attempt asked to have kept: a job's id, a sensor's
	// state. It survives a rest and is forgotten with the attempt.
	Mark json.RawMessage
	// Pokes counts how often a resting task has been asked.
	Pokes int
	// Instances is how many instances of its body the task has unfolded into,
	// and First the index of the first one's first task. The others follow in
	// order, so that (i-First)/len(body) is the instance of task i. Zero: it
	// has not unfolded.
	Instances, First int
	Since            time.Time // start of the first attempt; sensors count from it
	Started          time.Time // start of the current attempt
	Ended            time.Time // end of the current attempt
	Modified         time.Time
}

// Cause says why an attempt is being brought to its end.
type Cause string

// The causes.
const (
	ByStop    Cause = "stop"    // a person stopped the run
	ByTimeout Cause = "timeout" // the attempt ran past its time
	ByClear   Cause = "clear"   // a person wants the task done again
	ByFailure Cause = "failure" // another task failed, and the graph is FailFast

	// A person has decided how the task ended.
	ByMarkSucceeded Cause = "mark-succeeded"
	ByMarkFailed    Cause = "mark-failed"
	ByMarkSkipped   Cause = "mark-skipped"
)

// A Wait says what an unfinished task or run waits for.
type Wait struct {
	Gate Gate
	// Text says it for a person to read, with names and numbers.
	Text string
	// Until is when the gate opens by itself; zero if that is not known.
	Until time.Time
	// On are the tasks that are waited for, at most 20 of them, and More how
	// many there are beside.
	On   []TaskID
	More int
}

// A Gate is a kind of thing that tasks and runs wait for.
type Gate string

// The gates.
const (
	GateNone     Gate = ""         // nothing holds it: it is under way
	GateUpstream Gate = "upstream" // other tasks, by the trigger rule
	GateSlot     Gate = "slot"     // max_active_tasks of the run
	GateDriver   Gate = "driver"   // a free process on this machine
	GateRetry    Gate = "retry"    // the delay after a failed attempt
	GatePoke     Gate = "poke"     // a sensor's next look
	GateStop     Gate = "stop"     // an attempt that is being ended
	GatePaused   Gate = "paused"   // the workflow, or everything, is paused
	GateLimit    Gate = "limit"    // how many runs may be under way
	GateTasks    Gate = "tasks"    // of a run: nothing but its tasks
	GateSchedule Gate = "schedule" // of a workflow: its next slot
)

// An Attempt is one past attempt of a task.
type Attempt struct {
	Task    TaskID
	N       int
	State   State
	Reason  string
	Started time.Time
	Ended   time.Time
}

// An Output is one value that an attempt published for others to read.
type Output struct {
	Task    TaskID
	Attempt int
	Key     string
	Value   json.RawMessage
}

// An Outcome is how an attempt ended, or paused.
type Outcome struct {
	Verdict Verdict
	Reason  string `json:",omitempty"`
	// Outputs maps keys to JSON values that later tasks may read.
	Outputs map[string]json.RawMessage `json:",omitempty"`
	// Ended is when the attempt ended, if that was before it was noticed.
	Ended time.Time `json:",omitzero"`
	// Until is when a Rest ends.
	Until time.Time `json:",omitzero"`
	// Mark replaces the task's mark when it rests.
	Mark json.RawMessage `json:",omitempty"`
	// Instances says of an Unfold into how many.
	Instances int `json:",omitempty"`
	// Exit is how the attempt's process ended; nil if it had none.
	Exit *Exit `json:",omitempty"`
}

// An Exit is how the process of an attempt ended.
type Exit struct {
	Code   int    // 128+n when signal n ended it
	Signal string `json:",omitempty"` // such as "killed"; empty unless one ended it
	// Why says what made it end: empty if it did so by itself.
	Why string `json:",omitempty"`
	// CPU is the time that it took of processors, and Memory the most that it
	// had at once, in bytes; both of all its processes, and zero if not known.
	CPU    time.Duration `json:",omitempty"`
	Memory int64         `json:",omitempty"`
}

// Verdict is the kind of an [Outcome].
type Verdict string

// The verdicts.
const (
	Success Verdict = "success"
	Failure Verdict = "failure" // retried while attempts are left
	Fatal   Verdict = "fatal"   // failed, whatever attempts are left
	Skip    Verdict = "skip"    // did nothing, on purpose
	Rest    Verdict = "rest"    // not yet: ask again at Until, same attempt
	Timeout Verdict = "timeout" // ran past its time; retried like a failure
	Lost    Verdict = "lost"    // ended without a report; retried like a failure
	Unfold  Verdict = "unfold"  // more tasks come first; then performed again, same attempt
)

// MaxTasks bounds how many tasks a run may have, those that tasks have
// unfolded into among them.
const MaxTasks = 2_000_000

// Inside returns the id of a node in an instance of a body: that of the task
// which unfolded, the number of the instance, and the node's own id.
func Inside(parent TaskID, instance int, id TaskID) TaskID {
	return parent + "/" + TaskID(strconv.Itoa(instance)) + "/" + id
}

// A Definition is what a language makes of a source text.
type Definition struct {
	Name     string // the name inside the text, such as a DAG id
	Graph    Graph
	Schedule *Schedule // nil: runs on demand only
	// MaxRuns bounds how many runs are active at once; the rest queue.
	MaxRuns int
	// Warnings name what the text says and nobody heeds.
	Warnings []string
}

// A Schedule says when a workflow runs by itself.
type Schedule struct {
	Expr  string    // as written, such as "17 3 * * *", "@daily" or "0 12 * * ? *"
	Zone  string    // IANA name
	Start time.Time // no fire before it; zero: none
	End   time.Time // no fire after it; zero: none
}

// An Entry is one line of a run's journal: the event behind one step.
type Entry struct {
	Run RunID
	// Seq is the run's revision after the step.
	Seq  int64
	At   time.Time
	Task TaskID // empty when the event concerns the whole run
	What string // the event's name, such as "exited"
	// Detail is the event itself, as JSON.
	Detail json.RawMessage
	// Moves are the changes of state that the step made, in their order.
	Moves []Move
}

// A Move is one change of state: of a task, or with an empty Task of the run.
type Move struct {
	Task    TaskID `json:"task,omitempty"`
	Attempt int    `json:"n,omitempty"` // of the task, after the move
	From    State  `json:"from"`
	State   State  `json:"to"`
	// Started, Ended and Reason are those of the attempt, or the run, that
	// the move ends; else empty. The reason may be cut.
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Reason  string    `json:"why,omitempty"`
}

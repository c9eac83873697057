package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
)

// A Spec is what is known of an operator without running it. The dialect's
// checks, `fairlead operators` and the documentation are made from it.
type Spec struct {
	Class string
	// Paths are the import paths that name the operator, the usual one first.
	Paths   []string
	Service string // such as "s3"; "core" for Empty, Bash and Python
	Sensor  bool
	// Abstract marks a base class: the name is accepted, the task fails.
	Abstract bool `json:",omitempty"`
	// Noop marks an operator with nothing to carry out.
	Noop bool `json:",omitempty"`
	// Open lets arguments through that Args does not list: not all are known.
	Open bool `json:",omitempty"`
	// PokeOnly marks a sensor that refuses mode: reschedule.
	PokeOnly bool `json:",omitempty"`
	// Suffixes are the endings that make the value of a templated argument
	// the name of a file of the code package whose text is rendered instead.
	Suffixes []string `json:",omitempty"`
	Args     []Arg
	// Defaults replaces the defaults of the arguments that all sensors take,
	// such as poke_interval.
	Defaults map[string]json.RawMessage `json:",omitempty"`

	// Do is what the operator does, step by step; empty for one that Go code
	// of its own carries out, or nothing. Output is its result and Push its
	// further XComs once all steps are done. Cancel is done when the attempt
	// is ended while its job goes on elsewhere. IAM lists the actions that
	// the execution role needs.
	Do     []Step          `json:",omitempty"`
	Output *Expr           `json:",omitempty"`
	Push   map[string]Expr `json:",omitempty"`
	Cancel []Step          `json:",omitempty"`
	IAM    []string        `json:",omitempty"`

	// Pulls are XComs that the operator reads, as if they were arguments: the
	// key, and the argument that names the task which published it.
	Pulls map[string]string `json:",omitempty"`

	made map[string]bool // the names of results
}

// An Arg is one constructor argument of an operator.
type Arg struct {
	Name     string
	Type     string // Python's word: str, int, float, bool, list, dict, callable, object, or several joined by "|"
	Required bool   `json:",omitempty"`
	Template bool   `json:",omitempty"` // rendered before use
	Nullable bool   `json:",omitempty"`
	// Default is the JSON text of the default; empty without one.
	Default json.RawMessage `json:",omitempty"`
	// Enum lists the values allowed, as JSON; empty allows any.
	Enum []json.RawMessage `json:",omitempty"`
	// Unless names other arguments that together make up for this one when it
	// is required and absent.
	Unless []string `json:",omitempty"`
}

// A Call is one attempt's request to an operator: rendered arguments and the
// run around it.
type Call struct {
	Path string // the operator's import path
	// Args are the rendered arguments as JSON; absent ones take their
	// default. Objects keep the order of their keys.
	Args map[string]json.RawMessage
	Task TaskContext
	// XComs holds what earlier tasks published, by task and key. Only
	// operators that run user code or pull XComs are given it.
	XComs map[string]map[string]json.RawMessage
	// Env is added to the environment of every process of the task.
	Env map[string]string
	// Code is the directory of the unpacked code package on this machine;
	// empty without one.
	Code string
	// Environment is the directory of the virtual environment with what the
	// package requires, as [Operators.Environment] returned it; empty without
	// one.
	Environment string
}

// A TaskContext is what a task may know of the run around it.
type TaskContext struct {
	DagID, RunID, TaskID string
	Try                  int // attempt number, from 1
	MaxTries             int // attempts in all
	Logical              time.Time
	Params               json.RawMessage // merged params: a JSON object
	Conf                 json.RawMessage // the run's overrides: a JSON object
	Delay                time.Duration   // between two attempts
	Timeout              time.Duration   // of one attempt
	Rule                 string          // the trigger rule
	Pokes                int             // how often the task has rested
	// Extras offers undocumented names to templates that the process renders.
	Extras bool
	// First is the start of the first attempt of the task, Started that of
	// this one.
	First, Started time.Time
}

// A Runner is an operator that acts in a process of its own. Command must be
// a pure function of the call and settings; Finish turns the end of the
// process into an outcome. Errors of Command are the call's fault.
type Runner interface {
	Command(c Call) (exec.Spec, error)
	Finish(c Call, x exec.Exit) flow.Outcome
}

// A Poker is an operator that waits: Poke looks once at something outside and
// must change nothing there. It runs in the server, so that waiting costs a
// timer. mark is what the previous Poke of the attempt returned.
type Poker interface {
	Poke(ctx context.Context, c Call, mark json.RawMessage, log Log) (Poked, error)
}

// Poked is what a look found.
type Poked struct {
	Done    bool
	Mark    json.RawMessage
	Outputs map[string]json.RawMessage // when Done
}

// Log writes a line of the task's log in the service's form.
type Log func(level, logger, event string)

// An Error is a failure that the operator's user should read.
type Error struct {
	Message string
	// Fatal: do not retry (AirflowFailException). Skip: not a failure
	// (AirflowSkipException).
	Fatal, Skip bool
}

func (e *Error) Error() string { return e.Message }

// Errorf returns an [Error] that is retried while attempts are left.
func Errorf(format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...)}
}

package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/operator/awscall"
)

// Where things are inside the cage.
const (
	dagsDir   = "/usr/local/airflow/dags" // as in the service
	pythonDir = "/fairlead/python"
	selfFile  = "/fairlead/fairlead"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Settings are what operators need to know of the deployment.
type Settings struct {
	// Self is the file of this program; AWS operators run it with the
	// argument "operator".
	Self string
	// Dir is a directory of this machine in which New keeps the Python
	// stand-in.
	Dir string
	// Python and Bash are the interpreters; empty means "python3" and "bash".
	Python, Bash string
	// Path is the PATH of task processes; empty means a usual one.
	Path string
	// Endpoint is the URL that AWS calls of tasks go to; empty leaves it to
	// the SDK. Region is the workflow's; empty means us-east-1. A call's own
	// Env overrides both.
	Endpoint, Region string
	// Credentials gives what sensors sign with. nil, or a nil result, means
	// those in the call's Env and, without any there, the SDK's usual chain.
	// Task processes know only what their call's Env says.
	Credentials func(Call) aws.CredentialsProvider
	// MaxXCom bounds one published value in bytes of JSON; zero means the
	// service's 100 KB.
	MaxXCom int
	// Install is what the installation of a requirements.txt is given.
	Install Install
	// Unmounted says that the driver cannot show files in other places, so
	// that commands must use the paths of this machine.
	Unmounted bool
}

// Install is what the tools that install packages find of this machine: where
// their index is, and how to get there.
type Install struct {
	Env    []string // KEY=value
	Mounts []exec.Mount
}

// Operators carries out the operators of the default table.
type Operators struct {
	set     Settings
	table   *Table
	standIn string // directory of the Python stand-in on this machine
	// compiled is done once the stand-in's modules are.
	compiled sync.Once
	// airflow is set by probed.
	probed  sync.Once
	airflow bool

	clients clients
	sleep   func(context.Context, time.Duration) error // pauses of waits
	looks   chan struct{}                              // one for each look under way

	mu         sync.Mutex
	installing map[string]*installing // by directory
	shared     *awscall.Config        // what all jobs in the server have in common
}

// maxLooks bounds how many looks of waits and sensors are under way at once.
const maxLooks = 64

// New returns the operators for a deployment. It writes the Python stand-in
// below s.Dir unless it is there.
func New(s Settings) (*Operators, error) {
	if s.Python == "" {
		s.Python = "python3"
	}
	if s.Bash == "" {
		s.Bash = "bash"
	}
	if s.Path == "" {
		s.Path = defaultPath
	}
	if s.Region == "" {
		s.Region = "us-east-1"
	}
	if s.MaxXCom == 0 {
		s.MaxXCom = 100 << 10
	}
	dir, err := writeStandIn(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("write the Python stand-in: %w", err)
	}
	return &Operators{set: s, table: Default(), standIn: dir, installing: map[string]*installing{}, sleep: rest, looks: make(chan struct{}, maxLooks)}, nil
}

// Runner returns what runs the operator with the import path. It reports
// false for an unknown path, a sensor, and an operator with nothing to do.
func (o *Operators) Runner(path string) (Runner, bool) {
	s, ok := o.table.Lookup(path)
	if !ok || s.Sensor || s.Noop {
		return nil, false
	}
	if build := runnerOf(s); build != nil {
		return build(o, s), true
	}
	return absent{s}, true
}

// Custom returns what runs a class that the table does not have and that the
// code package is expected to bring: an operator, or a sensor, which may ask
// to rest.
func (o *Operators) Custom(path string) Runner {
	s := &Spec{Class: path[strings.LastIndexByte(path, '.')+1:], Paths: []string{path}, Open: true}
	return python{o: o, spec: s, custom: true, raw: true}
}

// Foreign returns what runs an operator or sensor of the table that this
// program cannot carry out itself: the Airflow that the interpreter has. It
// reports false without one.
func (o *Operators) Foreign(path string) (Runner, bool) {
	s, ok := o.table.Lookup(path)
	if !ok {
		return nil, false
	}
	here := runnerOf(s) != nil || pokerOf(s) != nil
	switch s.Class {
	case "S3ToRedshiftOperator", "RedshiftToS3Operator", "SqlToS3Operator", "HttpToS3Operator", "SQLTableCheckOperator":
		here = false // Airflow has connections of more types, and all that they can do
	}
	if s.Noop || s.Abstract || here || !o.hasAirflow() {
		return nil, false
	}
	return python{o: o, spec: s, custom: true}, true
}

// hasAirflow reports whether the interpreter has an Airflow of its own. It
// is asked once.
func (o *Operators) hasAirflow() bool {
	o.probed.Do(func() {
		python, ok := lookPath(o.set.Python, o.set.Path)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		const probe = `import os, sys; sys.exit(not any(os.path.exists(p + "/airflow/sdk/__init__.py") for p in sys.path))`
		o.airflow = osexec.CommandContext(ctx, python, "-I", "-c", probe).Run() == nil
	})
	return o.airflow
}

// Poker returns what looks for the sensor with the import path. It reports
// false for an unknown path and for what is no sensor.
func (o *Operators) Poker(path string) (Poker, bool) {
	s, ok := o.table.Lookup(path)
	if !ok || !s.Sensor {
		return nil, false
	}
	if build := pokerOf(s); build != nil {
		return build(o, s), true
	}
	return absent{s}, true
}

// runnerOf returns how to make the runner of s, or nil if there is none.
func runnerOf(s *Spec) func(*Operators, *Spec) Runner {
	switch {
	case s.Class == "BashOperator":
		return func(o *Operators, s *Spec) Runner { return bash{o, s} }
	case s.Class == "PythonOperator":
		return func(o *Operators, s *Spec) Runner { return python{o: o, spec: s} }
	case len(s.Do) > 0 && !s.Sensor:
		return func(o *Operators, s *Spec) Runner { return waiter{child{o, s}} }
	case actOf(s.Class) != nil:
		return func(o *Operators, s *Spec) Runner { return child{o, s} }
	}
	return nil
}

// absent stands for an operator that this version knows and cannot run.
type absent struct{ spec *Spec }

func (a absent) err() *Error {
	if a.spec.Abstract {
		return &Error{Fatal: true, Message: fmt.Sprintf("%s is an abstract base class and cannot be used as a task", a.spec.Class)}
	}
	return &Error{Fatal: true, Message: fmt.Sprintf(
		"%s is an operator of the service, but this version of Fairlead cannot run it; `fairlead operators` lists those that it can", a.spec.Class)}
}

func (a absent) Command(Call) (exec.Spec, error) { return exec.Spec{}, a.err() }

func (a absent) Finish(Call, exec.Exit) flow.Outcome { return Outcome(a.err()) }

func (a absent) Poke(context.Context, Call, json.RawMessage, Log) (Poked, error) {
	return Poked{}, a.err()
}

// Outcome turns an error of Command or Poke into the end of the attempt. An
// error that is no [Error] is an ordinary failure.
func Outcome(err error) flow.Outcome {
	out := flow.Outcome{Verdict: flow.Failure, Reason: err.Error()}
	if e, ok := errors.AsType[*Error](err); ok {
		switch {
		case e.Skip:
			out.Verdict = flow.Skip
		case e.Fatal:
			out.Verdict = flow.Fatal
		}
	}
	return out
}

// args returns a reader of the call's arguments.
func (c Call) args(s *Spec) *args { return &args{spec: s, given: c.Args} }

// An environ is the environment of a process being put together.
type environ map[string]string

// environ returns what every process of a task finds in its environment.
func (o *Operators) environ(c Call) environ {
	e := environ{
		"PATH":                      o.set.Path,
		"LANG":                      "C.UTF-8",
		"AIRFLOW_HOME":              filepath.Dir(dagsDir),
		"AWS_REGION":                o.set.Region,
		"AWS_DEFAULT_REGION":        o.set.Region,
		"AWS_EC2_METADATA_DISABLED": "true", // the machine's own role is not the task's
	}
	if o.set.Endpoint != "" {
		e["AWS_ENDPOINT_URL"] = o.set.Endpoint
	}
	maps.Copy(e, c.Env)
	return e
}

// airflowContext adds the AIRFLOW_CTX variables of Airflow 3 and the name
// that Airflow 2 had for the logical date.
func (e environ) airflowContext(t TaskContext) {
	logical := isoformat(t.Logical)
	maps.Copy(e, environ{
		"AIRFLOW_CTX_DAG_ID":         t.DagID,
		"AIRFLOW_CTX_TASK_ID":        t.TaskID,
		"AIRFLOW_CTX_DAG_RUN_ID":     t.RunID,
		"AIRFLOW_CTX_TRY_NUMBER":     fmt.Sprint(t.Try),
		"AIRFLOW_CTX_LOGICAL_DATE":   logical,
		"AIRFLOW_CTX_EXECUTION_DATE": logical,
	})
}

// list returns the environment as exec wants it, sorted.
func (e environ) list() ([]string, error) {
	var l []string
	for _, k := range slices.Sorted(maps.Keys(e)) {
		if k == "" || strings.ContainsAny(k, "=\x00") {
			return nil, Errorf("%q cannot be the name of an environment variable", clip(k, 80))
		}
		if strings.Contains(e[k], "\x00") {
			return nil, Errorf("the environment variable %s has a NUL byte in it", k)
		}
		l = append(l, k+"="+e[k])
	}
	return l, nil
}

// isoformat renders t as Python's datetime.isoformat does, in UTC.
func isoformat(t time.Time) string {
	t = t.UTC()
	if t.Nanosecond()/1000 != 0 {
		return t.Format("2006-01-02T15:04:05.000000-07:00")
	}
	return t.Format("2006-01-02T15:04:05-07:00")
}

// codeDir returns where the code package is for a process, and the mounts
// that put it there.
func (o *Operators) codeDir(c Call) (string, []exec.Mount) {
	switch {
	case c.Code == "":
		return "", nil
	case o.set.Unmounted:
		return c.Code, nil
	}
	return dagsDir, []exec.Mount{{Source: c.Code, Target: dagsDir}}
}

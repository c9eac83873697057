// Package mwaa is the door that speaks the API of Amazon MWAA Serverless. It
// knows that API's names, bounds and states, and turns each request into a
// few calls on the interfaces that it declares. It does not know how
// workflows are stored, compiled or run.
package mwaa

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"fairlead/internal/aws/arn"
	"fairlead/internal/aws/awsjson"
	"fairlead/internal/aws/page"
	"fairlead/internal/flow"
)

// Service is the name under which requests are signed, and that of the
// service in ARNs.
const Service = "airflow-serverless"

// Config is what a door is made of. All but Why, Check, Log, Lenient
// and ShowSkipped must be set.
type Config struct {
	// Account and Region stand in every ARN that the door gives out, and a
	// request for an ARN with others finds nothing.
	Account, Region string
	Limits          Limits
	// Lenient accepts a workflow's bare name where its ARN is expected.
	Lenient bool
	// ShowSkipped shows skipped tasks as SKIPPED, a status that the API does
	// not have, instead of NONE.
	ShowSkipped bool

	Workflows Workflows
	Runs      Runs
	Conductor Conductor
	Compiler  Compiler
	Objects   Objects
	Code      Code
	Logs      Logs
	Tokens    *page.Tokens

	// Why says what an unfinished task waits for, or with an empty task what
	// a run does; false if nothing is known. It is shown as a member that the
	// model does not have, which clients pass over. May be nil.
	Why func(ctx context.Context, run flow.RunID, task flow.TaskID) (flow.Wait, bool)

	// Mask returns what a run's task published without what is secret; nil
	// shows all.
	Mask func(ctx context.Context, r flow.Run, raw json.RawMessage) (json.RawMessage, error)

	// CheckRole refuses roles that tasks could not act in; nil refuses none.
	CheckRole func(roleArn string) error
	// CheckTags refuses tags that mean something to tasks, and something that
	// cannot be; nil refuses none.
	CheckTags func(tags map[string]string) error
	// Check admits a request; see [awsjson.Config].
	Check func(r *http.Request, body []byte) (context.Context, error)
	Log   *slog.Logger
}

// Limits are the quotas of an account. Counts of zero are no limit.
type Limits struct {
	Workflows int
	Versions  int // of one workflow
	// RunsPerWorkflow and Runs bound the runs that are not finished. The
	// door does not count runs: whoever starts them keeps to these.
	RunsPerWorkflow, Runs int
	Definition            int64 // bytes
	Code                  int64 // bytes of the package
	Tags                  int
	// MinSubnets, MaxSubnets and SecurityGroups bound a network
	// configuration that is not empty.
	MinSubnets, MaxSubnets, SecurityGroups int
	// PageSize is the length of a page when the caller names none.
	PageSize int
	// TokenLife is how long a client token is remembered.
	TokenLife time.Duration
}

// DefaultLimits returns the quotas that AWS publishes; the life of a token
// is our choice.
func DefaultLimits() Limits {
	return Limits{
		Workflows: 100, Versions: 50, RunsPerWorkflow: 20, Runs: 100,
		Definition: 50 << 10, Code: 250 << 20, Tags: 50,
		MinSubnets: 2, MaxSubnets: 16, SecurityGroups: 5,
		PageSize: 20, TokenLife: 24 * time.Hour,
	}
}

// Workflows is where workflows and their versions are kept. A missing one is
// a flow.NotFound.
type Workflows interface {
	PutGraph(ctx context.Context, g flow.Graph) (key string, err error)
	// CreateWorkflow keeps a new workflow with its first version, at most
	// max in all. A token that was used before with the same fingerprint
	// gives what it made then, and created is false.
	CreateWorkflow(ctx context.Context, w flow.Workflow, v flow.Version, tok flow.Token, max int) (_ flow.Workflow, _ flow.Version, created bool, err error)
	// AddVersion makes v the latest of its workflow, of at most max.
	AddVersion(ctx context.Context, v flow.Version, max int) (flow.Version, error)
	// DeleteVersion takes one away, after which the newest left is the
	// latest. The only one is a flow.Conflict.
	DeleteVersion(ctx context.Context, w flow.WorkflowID, v flow.VersionID) error
	Workflow(ctx context.Context, id flow.WorkflowID) (flow.Workflow, error)
	WorkflowByName(ctx context.Context, name string) (flow.Workflow, error)
	// Version returns the latest when id is empty.
	Version(ctx context.Context, w flow.WorkflowID, id flow.VersionID) (flow.Version, error)
	// Workflows and Versions return a page, newest first, and the sort key
	// of its last item; empty when nothing follows.
	Workflows(ctx context.Context, p flow.Page) (_ []Listed, last string, err error)
	Versions(ctx context.Context, w flow.WorkflowID, p flow.Page) (_ []flow.Version, last string, err error)
	// UpdateTags replaces the tags by what change makes of them.
	UpdateTags(ctx context.Context, w flow.WorkflowID, change func(map[string]string) (map[string]string, error)) error
	MarkDeleting(ctx context.Context, id flow.WorkflowID) (flow.Workflow, error)
}

// Listed is a workflow with its latest version.
type Listed struct {
	flow.Workflow
	Version flow.Version
}

// Runs is where runs and their tasks are kept. A missing one is a
// flow.NotFound.
type Runs interface {
	Run(ctx context.Context, w flow.WorkflowID, id flow.RunID) (flow.Run, error)
	// Runs returns those of all versions when v is empty, newest first.
	Runs(ctx context.Context, w flow.WorkflowID, v flow.VersionID, p flow.Page) (_ []flow.Run, last string, err error)
	// Latest returns the tasks in the order of the graph, each with the number
	// of its latest attempt.
	Latest(ctx context.Context, run flow.RunID) ([]flow.Attempt, error)
	// Instances returns the tasks as they are and as they were in each past
	// attempt, in the order of the graph and then of attempts.
	Instances(ctx context.Context, run flow.RunID, p flow.Page) (_ []flow.Task, last string, err error)
	// Instance returns a task as it is (attempt 0) or was in an attempt.
	Instance(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (flow.Task, error)
	Outputs(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (map[string]json.RawMessage, error)
	// Present returns a task in its current attempt with its run and outputs.
	// Another attempt than the current one (0: any) is a flow.NotFound.
	Present(ctx context.Context, w flow.WorkflowID, run flow.RunID, task flow.TaskID, attempt int) (flow.Run, flow.Task, map[string]json.RawMessage, error)
}

// Conductor is what changes runs.
type Conductor interface {
	Start(ctx context.Context, r StartRequest) (flow.Run, error)
	// Stop brings a run to its end; a final one is a flow.Conflict.
	Stop(ctx context.Context, w flow.WorkflowID, run flow.RunID) (flow.Run, error)
	// WorkflowChanged says that a workflow has another latest version, or
	// its first.
	WorkflowChanged(ctx context.Context, w flow.WorkflowID) error
	// DeleteWorkflow stops the runs of a workflow that is marked as being
	// deleted, and removes it, in its own time.
	DeleteWorkflow(ctx context.Context, w flow.WorkflowID) error
}

// A StartRequest asks for a run on demand.
type StartRequest struct {
	Workflow flow.WorkflowID
	Version  flow.VersionID
	Params   json.RawMessage // a JSON object, or nil
	Token    flow.Token
}

// Compiler compiles a definition; hasCode says that a code package comes
// with it. A definition with a flow.Fault is refused.
type Compiler interface {
	Compile(src []byte, hasCode bool) (flow.Definition, []flow.Diagnostic)
}

// Objects reads what requests refer to in S3.
type Objects interface {
	Fetch(ctx context.Context, bucket, key, version string, max int64) (data []byte, read string, err error)
}

// Code keeps code packages: Snapshot copies an object of at most max bytes
// and returns the key of the copy.
type Code interface {
	Snapshot(ctx context.Context, bucket, key, version string, max int64) (string, error)
}

// Logs is where tasks will write. CreateGroup does nothing if the group
// exists.
type Logs interface {
	CreateGroup(ctx context.Context, name string) error
}

// A Door answers requests.
type Door struct {
	Config
	service *awsjson.Service
}

// New returns a door with all operations.
func New(c Config) *Door {
	s := awsjson.New(awsjson.Config{
		Version:   "1.0",
		Namespace: "com.amazonaws.mwaaserverless",
		Shapes:    shapes(c.Lenient),
		Check:     c.Check,
		Fail:      fail,
		Log:       c.Log,
	})
	d := &Door{c, s}
	awsjson.Handle(s, "CreateWorkflow", d.createWorkflow)
	awsjson.Handle(s, "UpdateWorkflow", d.updateWorkflow)
	awsjson.Handle(s, "DeleteWorkflow", d.deleteWorkflow)
	awsjson.Handle(s, "GetWorkflow", d.getWorkflow)
	awsjson.Handle(s, "ListWorkflows", d.listWorkflows)
	awsjson.Handle(s, "ListWorkflowVersions", d.listWorkflowVersions)
	awsjson.Handle(s, "StartWorkflowRun", d.startWorkflowRun)
	awsjson.Handle(s, "StopWorkflowRun", d.stopWorkflowRun)
	awsjson.Handle(s, "GetWorkflowRun", d.getWorkflowRun)
	awsjson.Handle(s, "ListWorkflowRuns", d.listWorkflowRuns)
	awsjson.Handle(s, "ListTaskInstances", d.listTaskInstances)
	awsjson.Handle(s, "GetTaskInstance", d.getTaskInstance)
	awsjson.Handle(s, "TagResource", d.tagResource)
	awsjson.Handle(s, "UntagResource", d.untagResource)
	awsjson.Handle(s, "ListTagsForResource", d.listTagsForResource)
	return d
}

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.service.ServeHTTP(w, r) }

// Operations returns the names of the operations, sorted.
func (d *Door) Operations() []string { return d.service.Operations() }

// ARN returns the ARN of a workflow of this door.
func (d *Door) ARN(id flow.WorkflowID) string {
	return arn.Workflow(d.Region, d.Account, string(id)).String()
}

// named returns the id in an ARN of this door; false for any other name.
func (d *Door) named(name string) (flow.WorkflowID, bool) {
	a, err := arn.Parse(name)
	id, _ := a.ID("workflow")
	return flow.WorkflowID(id), err == nil && d.ARN(flow.WorkflowID(id)) == name
}

// find returns the workflow that a request names.
func (d *Door) find(ctx context.Context, name string) (flow.Workflow, error) {
	var w flow.Workflow
	var err error
	if id, ok := d.named(name); ok {
		w, err = d.Workflows.Workflow(ctx, id)
	} else if _, bad := arn.Parse(name); bad != nil { // lenient: the model has let a bare name through
		w, err = d.Workflows.WorkflowByName(ctx, name)
	} else {
		err = flow.Errorf(flow.NotFound, "elsewhere")
	}
	if flow.KindOf(err) == flow.NotFound {
		return w, flow.Errorf(flow.NotFound, "workflow %s does not exist", name).About("Workflow", name)
	}
	return w, err
}

// version returns a version of w, the latest when id is empty.
func (d *Door) version(ctx context.Context, w flow.Workflow, id string) (flow.Version, versionSettings, error) {
	v, err := d.Workflows.Version(ctx, w.ID, flow.VersionID(id))
	if flow.KindOf(err) == flow.NotFound && id != "" {
		return v, versionSettings{}, flow.Errorf(flow.NotFound, "workflow %s has no version %.64q", d.ARN(w.ID), id).About("WorkflowVersion", id)
	}
	if err != nil {
		return v, versionSettings{}, err
	}
	s, err := readSettings(v)
	return v, s, err
}

// list returns the page that a request asks for; op and args name the list.
func (d *Door) list(size int32, token, op string, args ...string) (flow.Page, error) {
	after, err := d.Tokens.Open(token, op, args...)
	if size == 0 {
		size = int32(d.Limits.PageSize)
	}
	return flow.Page{Limit: int(size), After: after}, err
}

func at(t time.Time) awsjson.Time { return awsjson.Time{Time: t} }

// seconds returns the time from start to end, or nil if either is not known.
func seconds(start, end time.Time) *int64 {
	if start.IsZero() || end.IsZero() {
		return nil
	}
	n := max(0, int64(end.Sub(start)/time.Second))
	return &n
}

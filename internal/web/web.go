// Package web is the console: pages that show workflows, runs, tasks and
// their logs to a browser. It only reads. It knows how things look and how
// to explain them; it does not know how they are stored or run, and changes
// nothing.
package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"fairlead/internal/aws/arn"
	"fairlead/internal/aws/page"
	"fairlead/internal/flow"
)

// Config is what a console is made of. Workflows, Runs, Tasks, Logs and
// Tokens must be set.
type Config struct {
	// Account and Region stand in the ARNs that the pages show.
	Account, Region string
	// ShowSkipped shows skipped tasks as SKIPPED instead of NONE, as the API
	// does under the same option.
	ShowSkipped bool
	// Hosts are names, without port, under which browsers may ask besides
	// those of this machine's loopback.
	Hosts []string
	// Auth is what a browser must show; nil lets everyone in, which is for
	// servers that listen on loopback only.
	Auth *Auth
	// Setup is the command that points AWS clients in a shell at this
	// server; empty means the plain `eval "$(fairlead env)"`.
	Setup string
	// Version is shown at the foot of each page; may be empty.
	Version string

	Workflows Workflows
	Runs      Runs
	Tasks     Tasks
	Logs      Logs
	// Next returns when a schedule fires after a moment; false: never again.
	// A nil Next shows no such times.
	Next func(s flow.Schedule, after time.Time) (time.Time, bool)
	// Tokens seal the keys of pages.
	Tokens *page.Tokens
	Log    *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Auth is the pair that a browser shows as user name and password.
type Auth struct{ AccessKey, SecretKey string }

// Workflows is where workflows and their versions are read. A missing one is
// a flow.NotFound. Lists are newest first and return the After of the page
// that follows; empty on the last.
type Workflows interface {
	Workflows(ctx context.Context, p flow.Page) (_ []Row, next string, err error)
	Workflow(ctx context.Context, id flow.WorkflowID) (flow.Workflow, error)
	Version(ctx context.Context, w flow.WorkflowID, id flow.VersionID) (flow.Version, error)
	// Versions need no Source.
	Versions(ctx context.Context, w flow.WorkflowID, p flow.Page) (_ []flow.Version, next string, err error)
	Graph(ctx context.Context, key string) (flow.Graph, error)
}

// A Row is a workflow with its latest version, which needs no Source.
type Row struct {
	Workflow flow.Workflow
	Latest   flow.Version
}

// Runs is where runs are read.
type Runs interface {
	Run(ctx context.Context, w flow.WorkflowID, id flow.RunID) (flow.Run, error)
	// Runs lists those of all versions when v is empty, newest first.
	Runs(ctx context.Context, w flow.WorkflowID, v flow.VersionID, p flow.Page) (_ []flow.Run, next string, err error)
	// CountActive counts the unfinished runs of a workflow, and of all.
	CountActive(ctx context.Context, w flow.WorkflowID) (workflow, total int, err error)
}

// Tasks is where the tasks of runs are read.
type Tasks interface {
	// Tasks returns the tasks in the order of the graph; none before the run
	// has begun.
	Tasks(ctx context.Context, run flow.RunID) ([]flow.Task, error)
	// Instances returns the tasks as they were in each past attempt and as
	// they are, in the order of the graph and then of attempts.
	Instances(ctx context.Context, run flow.RunID, p flow.Page) (_ []flow.Task, next string, err error)
	// Instance returns a task as it is (attempt 0) or was in an attempt.
	Instance(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (flow.Task, error)
	Outputs(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (map[string]json.RawMessage, error)
}

// Logs is where the logs of attempts are read. One that does not exist is a
// flow.NotFound or has no events.
type Logs interface {
	Log(ctx context.Context, w flow.WorkflowID, run flow.RunID, task flow.TaskID, attempt int, r flow.LogRange) (flow.LogPage, error)
}

// A Console answers browsers.
type Console struct {
	c     Config
	mux   *http.ServeMux
	pages pages
}

// New returns a console.
func New(c Config) *Console {
	if c.Setup == "" {
		c.Setup = `eval "$(fairlead env)"`
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Console{c: c, mux: http.NewServeMux(), pages: loadPages()}
	for pattern, h := range map[string]handler{
		"/{$}":                  s.home,
		"/workflows/{workflow}": s.workflow,
		"/workflows/{workflow}/versions/{version}": s.definition,
		"/runs/{workflow}/{run}":                   s.run,
		"/runs/{workflow}/{run}/{task}/{attempt}":  s.task,
		"/": s.nothing,
	} {
		s.mux.HandleFunc(pattern, s.show(h))
	}
	s.mux.HandleFunc("/runs/{workflow}/{run}/{task}/{attempt}/log", s.rawLog)
	s.mux.HandleFunc("/assets/{file}", s.asset)
	return s
}

// ServeHTTP answers a request that may be trusted; see guard.
func (s *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	if err := s.guard(w, r); err != nil {
		s.fail(w, r, err)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// A handler returns what to show.
type handler func(r *http.Request) (view, error)

// show answers with the page that h makes, or with one that says why not.
func (s *Console) show(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := h(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.render(w, r, http.StatusOK, v)
	}
}

func (s *Console) nothing(r *http.Request) (view, error) {
	return view{}, flow.Errorf(flow.NotFound, "the console has no page %q", clip(r.URL.Path, 200))
}

// arn is the ARN of a workflow.
func (s *Console) arn(id flow.WorkflowID) string {
	return arn.Workflow(s.c.Region, s.c.Account, string(id)).String()
}

// list returns the page of a list that the request's query member asks for.
func (s *Console) list(r *http.Request, member string, limit int, op string, args ...string) (flow.Page, error) {
	after, err := s.c.Tokens.Open(r.URL.Query().Get(member), op, args...)
	if err != nil {
		return flow.Page{}, flow.Errorf(flow.Invalid, "the address names a page of a list that does not exist; begin again at the front of the list")
	}
	return flow.Page{Limit: limit, After: after}, nil
}

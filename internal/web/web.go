// Package web is the console: the pages that show workflows, runs, tasks and
// their logs to a browser, and change them for whoever has signed in. ui holds
// the pages' source, dist what it is built into; here is what they ask. It
// knows how things look and how to explain them; it does not know how they are
// stored, run or compiled.
package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"fairlead/internal/aws/page"
	"fairlead/internal/flow"
)

// Config is what a console is made of. All fields but Hosts, Auth, ReadOnly,
// ShowSkipped, Setup, Version, Log and Now must be set.
type Config struct {
	// Account and Region stand in the ARNs that the pages show.
	Account, Region string
	// ShowSkipped shows skipped tasks as SKIPPED instead of NONE, as the API
	// does under the same option.
	ShowSkipped bool
	// Hosts are names, without port, under which browsers may ask besides
	// those of this machine's loopback.
	Hosts []string
	// Auth is what one signs in with; nil lets everyone in, which is for
	// servers that let everyone do anything.
	Auth *Auth
	// ReadOnly shows everything and changes nothing.
	ReadOnly bool
	// Setup is the command that points AWS clients in a shell at this
	// server; empty means the plain `eval "$(fairlead env)"`.
	Setup string
	// Role is the one that new workflows have unless told.
	Role string
	// MaxDefinition is how many bytes a definition may have.
	MaxDefinition int
	// Version is shown at the foot of each page.
	Version string

	Workflows Workflows
	Runs      Runs
	Omics     Omics
	Tasks     Tasks
	Logs      Logs
	Language  Language
	Actions   Actions
	Steering  Steering
	// Describe reads what a version was made with.
	Describe func(v flow.Version) (Settings, error)
	// Mask returns JSON of a run without what is secret to it.
	Mask func(ctx context.Context, r flow.Run, raw json.RawMessage) (json.RawMessage, error)
	// Next returns when a schedule fires after a moment; false: never again.
	Next func(s flow.Schedule, after time.Time) (time.Time, bool)
	// Tokens seal the keys of pages of lists.
	Tokens *page.Tokens
	Log    *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Settings are what a version was made with.
type Settings struct {
	Description, Role, TriggerMode, LogGroup string
	Location, Code                           string // s3://bucket/key; Code may be empty
}

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
	RunByID(ctx context.Context, id flow.RunID) (flow.Run, error)
	// Runs lists those of all versions when v is empty, newest first.
	Runs(ctx context.Context, w flow.WorkflowID, v flow.VersionID, p flow.Page) (_ []flow.Run, next string, err error)
	// CountActive counts the unfinished runs of a workflow, and of all.
	CountActive(ctx context.Context, w flow.WorkflowID) (workflow, total int, err error)
	// Days counts the runs that were created from one moment to another, by
	// day and state; offset is how far the zone's days are from those of UTC.
	Days(ctx context.Context, w flow.WorkflowID, from, to time.Time, offset time.Duration) ([]DayCount, error)
}

// Tasks is where the tasks of runs are read.
type Tasks interface {
	// Tasks returns the tasks in the order of the graph; none before the run
	// has begun. States returns no more than their states.
	Tasks(ctx context.Context, run flow.RunID) ([]flow.Task, error)
	States(ctx context.Context, run flow.RunID) ([]flow.State, error)
	// Instance returns a task as it is (attempt 0) or was in an attempt.
	Instance(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (flow.Task, error)
	Outputs(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (map[string]json.RawMessage, error)
	// Exits says how the processes of a task's attempts ended, as far as is
	// known.
	Exits(ctx context.Context, run flow.RunID, task flow.TaskID) (map[int]flow.Exit, error)
	// Timeline returns what the tasks did that have changed after a revision,
	// in the order of the graph, and the revision that it is true of.
	Timeline(ctx context.Context, r flow.Run, after int64) ([]TaskSpans, int64, error)
	// Journal tells what has happened to a run, the oldest first; with asked,
	// only what somebody asked for. next is the After of what follows, which
	// may be more even where a page has fewer than its limit.
	Journal(ctx context.Context, r flow.Run, asked bool, p flow.Page) (_ []Told, next string, err error)
}

// Language is what is known of definitions.
type Language interface {
	Compile(source string, code bool) (flow.Definition, []flow.Diagnostic)
	// Params are those of the whole workflow, and CheckParams says which of
	// those that a run is given their schemas refuse.
	Params(g *flow.Graph) ([]Param, error)
	CheckParams(g *flow.Graph, given json.RawMessage) ([]flow.Field, error)
	// Lines says where each task is in the text.
	Lines(g *flow.Graph) (map[flow.TaskID]int, error)
	// Arguments renders those of an attempt with what is known now.
	Arguments(ctx context.Context, r flow.Run, g *flow.Graph, t flow.Task) (Arguments, error)
	// Words says a schedule in English; empty if it cannot.
	Words(expr string) string
}

// Actions are what one does to runs and workflows, in the ways in which the
// API and the command line do them.
type Actions interface {
	Start(ctx context.Context, r StartRequest) (flow.Run, error)
	Stop(ctx context.Context, r flow.Run, by string) (flow.Run, error)
	Clear(ctx context.Context, run flow.RunID, c Clear, by string) (flow.Run, error)
	Mark(ctx context.Context, run flow.RunID, task flow.TaskID, s flow.State, by string) (flow.Run, error)
	// Rerun starts a run like another. A token that was used before gives the
	// run that it began.
	Rerun(ctx context.Context, like flow.Run, params json.RawMessage, latest bool, token, by string) (flow.Run, error)
	Create(ctx context.Context, e Edit) (Stored, error)
	// Update makes a version of a text, which takes the place of base's.
	Update(ctx context.Context, w flow.Workflow, base flow.Version, source string) (Stored, error)
	// Delete removes a version, or the whole workflow if v is empty.
	Delete(ctx context.Context, w flow.WorkflowID, v flow.VersionID) error
}

// Steering is what is paused, and what waits. The empty workflow is
// everything.
type Steering interface {
	Pause(ctx context.Context, w flow.WorkflowID, by string) error
	Unpause(ctx context.Context, w flow.WorkflowID, by string) error
	Pauses(ctx context.Context) ([]flow.Pause, error)
	Backfill(ctx context.Context, w flow.WorkflowID, from, to time.Time, dry bool, by string) ([]Slot, error)
	// Why says what a task waits for, or a run if task is empty; false if it
	// has ended. Waits says the same of a run and up to limit of its tasks.
	Why(ctx context.Context, run flow.RunID, task flow.TaskID) (flow.Wait, bool, error)
	Waits(ctx context.Context, run flow.RunID, limit int) (_ flow.Wait, _ []TaskWait, more int, err error)
}

// A TaskWait is an unfinished task and what it waits for.
type TaskWait struct {
	Task    flow.TaskID
	State   flow.State
	Attempt int
	Wait    flow.Wait
}

// A Console answers browsers.
type Console struct {
	c      Config
	mux    *http.ServeMux
	cross  *http.CrossOriginProtection
	keeper *doorkeeper // nil: everyone is let in
	hub    *hub
	files  map[string]*file
	ahead  ahead

	numbers   *cache[flow.VersionID, int]
	skeletons *cache[string, *skeleton] // by the key of the graph
	graphs    *cache[string, *kept]     // by the same
	wholes    *cache[string, *flow.Graph]
	states    *cache[flow.RunID, known]
	packers   sync.Pool
}

// New returns a console. It tells pages of changes while [Console.Live] runs.
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
	s := &Console{
		c: c, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection(), files: loadFiles(),
		numbers: newCache[flow.VersionID, int](10_000), skeletons: newCache[string, *skeleton](128), graphs: newCache[string, *kept](64),
		wholes: newCache[string, *flow.Graph](8),
		states: newCache[flow.RunID, known](2000), packers: sync.Pool{New: newPacker},
	}
	if c.Auth != nil {
		s.keeper = newDoorkeeper(*c.Auth, c.Now())
	}
	s.ahead = loadAhead(s.files)
	s.hub = newHub(s)
	s.route()
	return s
}

func (s *Console) route() {
	s.handle(anyone, "GET session", s.getSession)
	s.handle(anyone, "POST login", s.login)
	s.handle(anyone, "POST logout", s.logout)

	for route, f := range map[string]endpoint{
		"GET workflows":                                      s.listWorkflows,
		"GET workflows/{workflow}":                           s.getWorkflow,
		"GET workflows/{workflow}/runs":                      s.listRuns,
		"GET workflows/{workflow}/grid":                      s.getGrid,
		"GET workflows/{workflow}/calendar":                  s.getCalendar,
		"GET workflows/{workflow}/versions":                  s.listVersions,
		"GET workflows/{workflow}/versions/{version}":        s.getVersion,
		"GET workflows/{workflow}/versions/{version}/graph":  s.getGraph,
		"GET omics/runs":                                     s.listOmicsRuns,
		"GET omics/workflows":                                s.listOmicsWorkflows,
		"GET omics/workflows/{workflow}":                     s.getOmicsWorkflow,
		"GET runs/{run}":                                     s.getRun,
		"GET runs/{run}/graph":                               s.getRunGraph,
		"GET runs/{run}/tasks":                               s.getTasks,
		"GET runs/{run}/timeline":                            s.getTimeline,
		"GET runs/{run}/waits":                               s.getWaits,
		"GET runs/{run}/journal":                             s.getJournal,
		"GET runs/{run}/tasks/{task}":                        s.getTask,
		"GET runs/{run}/tasks/{task}/{attempt}/arguments":    s.getArguments,
		"GET runs/{run}/tasks/{task}/{attempt}/xcom":         s.getXCom,
		"GET runs/{run}/tasks/{task}/{attempt}/log":          s.getLog,
		"GET runs/{run}/tasks/{task}/{attempt}/log/search":   s.searchLog,
		"GET runs/{run}/tasks/{task}/{attempt}/log/download": s.downloadLog,
		"GET events":                                         s.getEvents,
		"POST check":                                         s.check,
	} {
		s.handle(signedIn, route, f)
	}
	for route, f := range map[string]endpoint{
		"POST workflows":                                      s.create,
		"POST workflows/{workflow}/update":                    s.update,
		"POST workflows/{workflow}/delete":                    s.deleteWorkflow,
		"POST workflows/{workflow}/versions/{version}/delete": s.deleteVersion,
		"POST workflows/{workflow}/start":                     s.start,
		"POST workflows/{workflow}/pause":                     s.turn(s.c.Steering.Pause),
		"POST workflows/{workflow}/resume":                    s.turn(s.c.Steering.Unpause),
		"POST workflows/{workflow}/backfill":                  s.backfill,
		"POST pause":                                          s.turnAll(s.c.Steering.Pause),
		"POST resume":                                         s.turnAll(s.c.Steering.Unpause),
		"POST runs/{run}/stop":                                s.onRun(s.stop),
		"POST runs/{run}/retry":                               s.onRun(s.retry),
		"POST runs/{run}/clear":                               s.clear,
		"POST runs/{run}/mark":                                s.mark,
		"POST runs/{run}/rerun":                               s.rerun,
	} {
		s.handle(acting, route, f)
	}
	s.mux.HandleFunc(prefix, func(w http.ResponseWriter, r *http.Request) {
		s.refuse(&call{Request: r, w: w}, flow.Errorf(flow.NotFound, "the console has no %s %q", clip(r.Method, 20), clip(r.URL.Path, 200)))
	})
	s.mux.HandleFunc("/console/", s.reading(s.getFile))
	s.mux.HandleFunc("/", s.reading(s.getPage))
}

// reading refuses what wants more than to read.
func (s *Console) reading(f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			s.refuse(&call{Request: r, w: w}, &refusal{http.StatusMethodNotAllowed, "invalid", clip(r.Method, 20) + " means nothing here"})
			return
		}
		f(w, r)
	}
}

// ServeHTTP answers a request under a name of this server.
func (s *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	if err := s.checkHost(r); err != nil {
		s.refuse(&call{Request: r, w: w}, err)
		return
	}
	s.mux.ServeHTTP(w, r)
}

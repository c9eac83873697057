// Package ops is the door for what AWS has no operation for: clearing tasks,
// marking them, running again, backfills, pauses, and asking why something
// waits. It speaks plain JSON under /fairlead/v1/ and knows who asks; it does
// not know how runs are changed or kept.
package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// Service is the name under which requests are signed.
const Service = "fairlead"

// Prefix begins the path of every request.
const Prefix = "/fairlead/v1/"

// Config is what a door is made of. All fields must be set.
type Config struct {
	Conductor Conductor
	Runs      Runs
	Workflows Workflows
	Events    Events
	// Top looks at the latest runs and, if one is named, at its tasks and the
	// end of the log of one of them. What it answers is shown as it is.
	Top func(ctx context.Context, run flow.RunID, task flow.TaskID) (any, error)
	// Mask returns what an event of a run says without what is secret; nil
	// shows all.
	Mask func(ctx context.Context, r flow.Run, raw json.RawMessage) (json.RawMessage, error)
	// Check admits a request and says who sends it.
	Check func(r *http.Request, body []byte) (who string, err error)
	Log   *slog.Logger
}

// Conductor is what changes runs, and knows what they wait for.
type Conductor interface {
	Clear(ctx context.Context, run flow.RunID, c Clear, by string) (flow.Run, error)
	Mark(ctx context.Context, run flow.RunID, task flow.TaskID, s flow.State, by string) (flow.Run, error)
	// Rerun starts a run of the same workflow like another. A token that was
	// used before gives the run that it began.
	Rerun(ctx context.Context, like flow.Run, params json.RawMessage, latest bool, token, by string) (flow.Run, error)
	Pause(ctx context.Context, wf flow.WorkflowID, by string) error
	Unpause(ctx context.Context, wf flow.WorkflowID, by string) error
	Backfill(ctx context.Context, wf flow.WorkflowID, from, to time.Time, dry bool, by string) ([]Slot, error)
	// Waits returns what a run waits for, and up to limit of its unfinished
	// tasks; more says how many there are beside.
	Waits(ctx context.Context, run flow.RunID, limit int) (_ flow.Wait, _ []TaskWait, more int, err error)
	// Why returns what one task waits for, or the run if task is empty; false if
	// it has ended.
	Why(ctx context.Context, run flow.RunID, task flow.TaskID) (flow.Wait, bool, error)
	// Task returns the task of a run that somebody calls by its id, or as
	// HealthOmics lists it. The error for one that is not there says what it may
	// have been meant to be.
	Task(ctx context.Context, run flow.RunID, name string) (flow.TaskID, error)
	// Unfinished returns up to limit runs that have not ended, of all workflows
	// if wf is empty, and how many there are beside.
	Unfinished(ctx context.Context, wf flow.WorkflowID, limit int) (_ []flow.Run, more int, err error)
	// Next returns when a workflow fires next by itself; zero: never, or it has
	// no schedule.
	Next(ctx context.Context, wf flow.WorkflowID) (time.Time, error)
}

// A Clear names the tasks to do again.
type Clear struct {
	Tasks      []flow.TaskID `json:"tasks"`
	Failed     bool          `json:"failed"`
	Downstream bool          `json:"downstream"`
}

// A Slot is one moment of a backfill. Run is empty if the slot had a run
// already, or in a dry one.
type Slot struct {
	At  time.Time  `json:"at"`
	Run flow.RunID `json:"run,omitempty"`
}

// A TaskWait is an unfinished task and what it waits for.
type TaskWait struct {
	Task    flow.TaskID
	State   flow.State
	Attempt int
	Wait    flow.Wait
}

// Runs is where runs are kept. A missing one is a flow.NotFound.
type Runs interface {
	RunByID(ctx context.Context, id flow.RunID) (flow.Run, error)
	// Journal lists a run's entries, the oldest first; next is the After of
	// the page that follows, empty on the last.
	Journal(ctx context.Context, run flow.RunID, p flow.Page) (_ []flow.Entry, next string, err error)
	Instance(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (flow.Task, error)
	Pauses(ctx context.Context) ([]flow.Pause, error)
}

// Workflows finds a workflow by its ARN, its id or its name. A missing one is
// a flow.NotFound.
type Workflows interface {
	Find(ctx context.Context, name string) (flow.Workflow, error)
	// Any is Find for workflows of HealthOmics too, which have an id.
	Any(ctx context.Context, name string) (flow.Workflow, error)
}

// Events is who delivers events. A sink that is not there is a
// flow.NotFound; what is answered is shown as it is.
type Events interface {
	Statuses(ctx context.Context) (any, error)
	Dead(sink string, limit int) (any, error)
	// Redrive sends the dead letters of a sink again and returns how many were
	// taken.
	Redrive(ctx context.Context, sink string) (int, error)
}

// A Door answers requests.
type Door struct {
	Config
	mux *http.ServeMux
}

// New returns a door.
func New(c Config) *Door {
	d := &Door{Config: c, mux: http.NewServeMux()}
	for pattern, serve := range map[string]func(*request) (any, error){
		"GET why":                            d.whyAll,
		"GET runs/{run}":                     d.run,
		"GET runs/{run}/why":                 d.why,
		"GET runs/{run}/tasks/{task}/why":    d.whyTask,
		"GET runs/{run}/journal":             d.journal,
		"POST runs/{run}/clear":              d.clear,
		"POST runs/{run}/retry":              d.retry,
		"POST runs/{run}/mark":               d.mark,
		"POST runs/{run}/rerun":              d.rerun,
		"GET workflows/{workflow}/why":       d.whyWorkflow,
		"POST workflows/{workflow}/pause":    d.pause,
		"POST workflows/{workflow}/resume":   d.resume,
		"POST workflows/{workflow}/backfill": d.backfill,
		"GET events":                         d.events,
		"GET events/{sink}/dead":             d.dead,
		"POST events/{sink}/redrive":         d.redrive,
		"GET top":                            d.top,
		"GET pauses":                         d.pauses,
		"POST pause":                         d.pause,
		"POST resume":                        d.resume,
	} {
		var method, path string
		_, _ = fmt.Sscan(pattern, &method, &path) // two words each
		d.mux.HandleFunc(method+" "+Prefix+path, d.handle(serve))
	}
	d.mux.HandleFunc("/", d.handle(func(r *request) (any, error) {
		return nil, flow.Errorf(flow.NotFound, "there is no %s %s here", r.Method, r.URL.Path)
	}))
	return d
}

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.mux.ServeHTTP(w, r) }

// A request is one that was admitted.
type request struct {
	*http.Request
	body []byte
	who  string
	by   string // who asks, as far as the request has been understood
}

// maxBody bounds a request; the parameters of a rerun are the most there is.
const maxBody = 1 << 20

func (d *Door) handle(serve func(*request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := d.admit(w, r, serve)
		if err != nil {
			d.fail(w, r, err)
			return
		}
		write(w, http.StatusOK, answer)
	}
}

func (d *Door) admit(w http.ResponseWriter, r *http.Request, serve func(*request) (any, error)) (any, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, flow.Errorf(flow.Invalid, "the request cannot be read, or has more than %d bytes", maxBody)
	}
	who, err := d.Check(r, body)
	if err != nil {
		return nil, flow.Errorf(flow.Denied, "%w", err)
	}
	req := &request{Request: r, body: body, who: who, by: who}
	answer, err := serve(req)
	if err == nil && r.Method == http.MethodPost {
		d.Log.InfoContext(r.Context(), "operation", "path", r.URL.Path, "by", req.by)
	}
	return answer, err
}

// decode reads the body into a struct, which names all that it may have. No
// body is an empty one.
func (r *request) decode(into any) error {
	if len(r.body) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(r.body))
	// A slip in downstream must not clear less than was asked for.
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("it goes on after the JSON object")
	}
	if err != nil {
		return flow.Errorf(flow.Invalid, "the body is not what %s takes: %s", r.URL.Path, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// A caller is the member of every body that says who asks.
type caller struct {
	By string `json:"by"`
}

// signed returns who asks: the key that signed and, beside it, whom the client
// names.
func (r *request) signed(c caller) string {
	if c.By != "" {
		r.by = strings.ToValidUTF8(c.By[:min(len(c.By), 200)], "") + " (" + r.who + ")"
	}
	return r.by
}

// asker decodes a body that has nothing to say but who asks.
func (r *request) asker() (string, error) {
	var in caller
	err := r.decode(&in)
	return r.signed(in), err
}

// statuses are those of the kinds of error.
var statuses = [...]int{
	flow.Internal: 500, flow.Invalid: 400, flow.NotFound: 404, flow.Conflict: 409,
	flow.Quota: 429, flow.Throttled: 429, flow.Denied: 403, flow.Busy: 503,
}

func (d *Door) fail(w http.ResponseWriter, r *http.Request, err error) {
	kind := flow.KindOf(err)
	text := err.Error()
	if kind == flow.Internal {
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			return // nobody listens
		}
		d.Log.ErrorContext(r.Context(), "request", "path", r.URL.Path, "err", err)
		text = "internal error"
	}
	write(w, statuses[kind], map[string]string{"error": text})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// number reads a query parameter between 1 and most.
func (r *request) number(name string, otherwise, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, flow.Errorf(flow.Invalid, "%s=%s: expected a number from 1 to %d", name, text, most)
	}
	return n, nil
}

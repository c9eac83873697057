package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/store"
	"fairlead/internal/store/storetest"
)

// A world is a store with runs in it, and a sink that notes what it takes.
type world struct {
	t    *testing.T
	db   *store.DB
	dir  string
	wf   flow.Workflow
	key  string
	g    flow.Graph
	runs map[flow.RunID]*engine.Run

	mu    sync.Mutex
	taken []Event
	// refuse says whether a letter is taken; nil takes all.
	refuse func(Event) error
}

func newWorld(t *testing.T, g flow.Graph) *world {
	w := &world{t: t, db: storetest.Open(t), dir: t.TempDir(), g: g, runs: map[flow.RunID]*engine.Run{}}
	var err error
	if w.key, err = w.db.PutGraph(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	w.wf = flow.Workflow{ID: "etl-a1B2c3D4e5", Name: "etl", Created: time.Now(), Modified: time.Now()}
	v := flow.Version{ID: "v1", Workflow: w.wf.ID, Graph: w.key, Created: time.Now(), Settings: []byte("{}")}
	if w.wf, _, _, err = w.db.CreateWorkflow(t.Context(), w.wf, v, flow.Token{}, 0); err != nil {
		t.Fatal(err)
	}
	return w
}

// open opens an office whose sink is the world.
func (w *world) open(change func(*Sink)) *Office {
	w.t.Helper()
	s := Sink{Name: "world", To: "https://example.com/hook"}
	if change != nil {
		change(&s)
	}
	sinks := []Sink{s}
	if err := Check(sinks); err != nil {
		w.t.Fatal(err)
	}
	o, err := Open(w.t.Context(), Config{
		Store: w.db, Sinks: sinks, Dir: w.dir, Log: slog.New(slog.DiscardHandler),
		Words: Words{
			Account: "111122223333", Region: "eu-west-1",
			ARN:        func(id flow.WorkflowID) string { return "arn:workflow/" + string(id) },
			InstanceID: func(_ flow.Run, id flow.TaskID, n int) string { return fmt.Sprintf("ex_%s_%d", id, n) },
			RunType:    func(k flow.RunKind) string { return strings.ToUpper(string(k)) },
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	o.boxes[0].send = w.take
	return o
}

func (w *world) take(_ context.Context, letters []letter) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, l := range letters {
		if w.refuse != nil {
			if err := w.refuse(*l.event); err != nil {
				return i, err
			}
		}
		w.taken = append(w.taken, *l.event)
	}
	return len(letters), nil
}

// begin saves a new run.
func (w *world) begin(o *Office, id flow.RunID) {
	w.t.Helper()
	r := flow.Run{
		ID: id, Key: "key-" + string(id), Workflow: w.wf.ID, Version: "v1", Kind: flow.OnDemand, State: flow.Starting, Graph: w.key,
		Created: time.Now(), Modified: time.Now(), Logical: time.Now(),
	}
	if _, _, err := w.db.InsertRun(w.t.Context(), r, flow.Token{}, 0, 0); err != nil {
		w.t.Fatal(err)
	}
	w.runs[id] = engine.New(r, &w.g, engine.Options{MaxDuration: 100 * time.Hour})
	w.tell(o, id, "", engine.Begin{})
}

// tell saves what an event changes.
func (w *world) tell(o *Office, id flow.RunID, task flow.TaskID, what engine.What) {
	w.t.Helper()
	s, changed, err := w.runs[id].Apply(engine.Event{At: time.Now(), Task: task, What: what})
	if err != nil {
		w.t.Fatal(err)
	}
	if !changed {
		return
	}
	if err := w.db.Save(w.t.Context(), s); err != nil {
		w.t.Fatal(err)
	}
	if o != nil {
		o.Told(id)
	}
}

// act starts and ends the next attempt of a task.
func (w *world) act(o *Office, id flow.RunID, task flow.TaskID, v flow.Verdict) {
	w.t.Helper()
	t, _ := w.runs[id].Task(task)
	w.tell(o, id, task, engine.Started{Attempt: t.Attempt, Handle: "h"})
	time.Sleep(time.Second)
	w.tell(o, id, task, engine.Ended{Attempt: t.Attempt, Outcome: flow.Outcome{Verdict: v, Reason: "so it ended"}})
}

// kinds returns the types of the events of a run that were taken.
func (w *world) kinds(id flow.RunID) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for _, e := range w.taken {
		if e.Topic == id {
			name := strings.TrimPrefix(e.DetailType, prefix)
			if d := e.Detail.(Detail); d.TaskID != "" {
				name += fmt.Sprintf(" %s#%d", d.TaskID, d.AttemptNumber)
			}
			names = append(names, name)
		}
	}
	return names
}

// run has an office deliver until stop is called.
func (o *Office) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); o.Run(ctx) }()
	return func() { cancel(); <-done }
}

func chain() flow.Graph {
	return flow.Graph{Nodes: []flow.Node{
		{ID: "a", Retries: 1, Delay: time.Minute}, {ID: "b", After: []flow.TaskID{"a"}},
	}}
}

// TestAllTypes checks that every type of event is sent, when its time has come
// and with what is known.
func TestAllTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, chain())
		o := w.open(nil)
		stop := o.start()
		w.begin(o, "good")
		w.act(o, "good", "a", flow.Failure)
		time.Sleep(2 * time.Minute)
		w.tell(o, "good", "", engine.Tick{})
		w.act(o, "good", "a", flow.Success)
		w.act(o, "good", "b", flow.Success)
		w.begin(o, "bad")
		w.act(o, "bad", "a", flow.Fatal)
		w.begin(o, "slow")
		w.act(o, "slow", "a", flow.Timeout)
		time.Sleep(2 * time.Minute)
		w.tell(o, "slow", "", engine.Tick{})
		w.act(o, "slow", "a", flow.Timeout)
		w.begin(o, "stopped")
		w.tell(o, "stopped", "", engine.Stop{})
		w.tell(o, "stopped", "a", engine.Ended{Attempt: 1, Outcome: flow.Outcome{Verdict: flow.Failure}})
		w.begin(o, "long")
		time.Sleep(200 * time.Hour)
		w.tell(o, "long", "", engine.Tick{})
		w.tell(o, "long", "a", engine.Ended{Attempt: 1, Outcome: flow.Outcome{Verdict: flow.Failure}})
		r := flow.Run{ID: "queued", Workflow: w.wf.ID, Version: "v1", Kind: flow.Scheduled, State: flow.Starting, Graph: w.key, Created: time.Now(), Logical: time.Now()}
		if _, _, err := w.db.InsertRun(t.Context(), r, flow.Token{}, 0, 0); err != nil {
			t.Fatal(err)
		}
		w.runs["queued"] = engine.New(r, &w.g, engine.Options{})
		w.tell(o, "queued", "", engine.Queue{})
		time.Sleep(time.Second)
		stop()
		for _, tt := range []struct{ run, want string }{
			{"good", "Workflow Run Started, Workflow Run Running, Task Scheduled a#1, Task Queued a#1, Task Running a#1, Task Up For Retry a#1, " +
				"Task Scheduled a#2, Task Queued a#2, Task Running a#2, Task Succeeded a#2, Task Scheduled b#1, Task Queued b#1, Task Running b#1, " +
				"Task Succeeded b#1, Workflow Run Succeeded"},
			{"bad", "Workflow Run Started, Workflow Run Running, Task Scheduled a#1, Task Queued a#1, Task Running a#1, Task Failed a#1, " +
				"Task Upstream Failed b, Workflow Run Failed"},
			{"stopped", "Workflow Run Started, Workflow Run Running, Task Scheduled a#1, Task Queued a#1, Workflow Run Stopped"},
			{"long", "Workflow Run Started, Workflow Run Running, Task Scheduled a#1, Task Queued a#1, Workflow Run Timeout"},
			{"queued", "Workflow Run Started, Workflow Run Queued"},
		} {
			if got := strings.ReplaceAll(strings.Join(w.kinds(flow.RunID(tt.run)), ", "), "#0", ""); got != tt.want {
				t.Errorf("%s:\n got %s\nwant %s", tt.run, got, tt.want)
			}
		}
		missing := Kinds()
		for _, e := range w.taken {
			missing = slices.DeleteFunc(missing, func(k string) bool { return prefix+k == e.DetailType })
			d := e.Detail.(Detail)
			if e.Version != "0" || e.Source != Source || e.Account != "111122223333" || e.Region != "eu-west-1" ||
				e.Resources[0] != "arn:workflow/etl-a1B2c3D4e5" || d.WorkflowVersion != "v1" || d.CreatedAt.IsZero() || len(e.ID) != 36 {
				t.Errorf("event %+v", e)
			}
			if e.DetailType == prefix+"Task Failed" {
				if d.ErrorMessage != "so it ended" || d.EndedAt.Sub(d.StartedAt) != time.Second || d.TaskInstanceID != "ex_a_1" || d.Status != "FAILED" {
					t.Errorf("the detail of a failure: %+v", d)
				}
			}
		}
		if len(Kinds()) != 15 || len(missing) > 0 {
			t.Errorf("%d types, of which none was sent: %q; want 15, all sent", len(Kinds()), missing)
		}
	})
}

// inOrder checks that the events of each run that are in the list for the
// first time come in their order, and that none is missing.
func (w *world) inOrder(what string) {
	w.t.Helper()
	seen := map[string]bool{}
	last := map[string][2]int64{}
	for _, e := range w.taken {
		if seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		d := e.Detail.(Detail)
		at := [2]int64{d.Revision, int64(d.Position)}
		if was, ok := last[d.RunID]; ok && (at[0] < was[0] || at[0] == was[0] && at[1] <= was[1]) {
			w.t.Errorf("%s: run %s: event %v came after %v", what, d.RunID, at, was)
		}
		last[d.RunID] = at
	}
	o := &Office{Config: Config{Words: Words{
		ARN: func(flow.WorkflowID) string { return "" }, InstanceID: func(flow.Run, flow.TaskID, int) string { return "" }, RunType: func(flow.RunKind) string { return "" },
	}}}
	for id, r := range w.runs {
		entries, _, err := w.db.Journal(context.Background(), id, flow.Page{})
		if err != nil {
			w.t.Fatal(err)
		}
		all := o.Words.created(r.Row())
		for _, e := range entries {
			all = append(all, o.Words.of(r.Row(), e)...)
		}
		for _, e := range all {
			if !seen[e.ID] {
				w.t.Errorf("%s: run %s: %s (%d.%d) was not delivered", what, id, e.DetailType, e.Detail.(Detail).Revision, e.Detail.(Detail).Position)
			}
		}
	}
}

// play drives a run to its end.
func (w *world) play(o *Office, id flow.RunID) {
	w.begin(o, id)
	w.act(o, id, "a", flow.Success)
	w.act(o, id, "b", flow.Failure)
}

// TestRetriesKeepTheOrder has a sink that fails half of the time: everything
// arrives once, the events of each run in their order.
func TestRetriesKeepTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, chain())
		rng := rand.New(rand.NewPCG(1, 2))
		w.refuse = func(Event) error {
			if rng.IntN(2) == 0 {
				return errors.New("not now")
			}
			return nil
		}
		o := w.open(nil)
		stop := o.start()
		for i := range 20 {
			w.play(o, flow.RunID(fmt.Sprint("r", i)))
		}
		time.Sleep(time.Hour)
		left, err := w.db.Undelivered(t.Context(), "world", "", 100)
		if err != nil || len(left) > 0 {
			t.Errorf("not delivered: %v %v", left, err)
		}
		stop()
		w.inOrder("a sink that fails")
		if n := len(w.taken); n != 20*11 {
			t.Errorf("%d events were taken, want %d", n, 20*11)
		}
	})
}

// TestCrashInTheMiddle ends offices at any moment, without a word to the
// store, while runs go on with and without one.
func TestCrashInTheMiddle(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, chain())
			rng := rand.New(rand.NewPCG(seed, 0))
			for i := range 8 {
				o := w.open(nil)
				crashing := &lost{Store: w.db}
				o.Store = crashing
				n := rng.IntN(30)
				w.refuse = func(Event) error {
					if n--; n < 0 {
						return errors.New("gone")
					}
					return nil
				}
				stop := o.start()
				w.play(o, flow.RunID(fmt.Sprint("r", i)))
				time.Sleep(time.Duration(rng.Int64N(int64(time.Second))))
				crashing.dead.Lock() // no cursor is kept any more
				stop()
				w.play(nil, flow.RunID(fmt.Sprint("between", i)))
			}
			w.refuse = nil
			stop := w.open(nil).start()
			time.Sleep(time.Minute)
			stop()
			w.inOrder(fmt.Sprint("seed ", seed))
		})
	}
}

// lost is a store that keeps no cursor once it is dead.
type lost struct {
	Store
	dead sync.RWMutex
}

func (l *lost) Delivered(ctx context.Context, sink string, upTo map[flow.RunID]int64) error {
	if !l.dead.TryRLock() {
		return errors.New("the process is dead")
	}
	defer l.dead.RUnlock()
	return l.Store.Delivered(ctx, sink, upTo)
}

// TestDeadLetters checks that an event that is not taken is kept after its
// time, that those behind it go on, and that it can be sent again.
func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, chain())
		tries := 0
		w.refuse = func(e Event) error {
			switch e.DetailType {
			case prefix + "Task Succeeded":
				tries++
				return errors.New("cannot take it")
			case prefix + "Workflow Run Running":
				return fmt.Errorf("%w: 422", errRefused)
			}
			return nil
		}
		o := w.open(func(s *Sink) { s.GiveUp = Duration(time.Hour) })
		stop := o.start()
		w.play(o, "r")
		time.Sleep(2 * time.Hour)
		status, err := o.Statuses(t.Context())
		if err != nil || len(status) != 1 || status[0].Dead != 2 || status[0].Pending > 0 && !t.Failed() && tries < 10 {
			t.Errorf("status: %+v, %v; want 2 dead letters", status, err)
		}
		dead, err := o.Dead("world", 10)
		if err != nil || len(dead) != 2 || dead[0].Tries != 1 || dead[1].Tries < 10 || dead[1].Kind != prefix+"Task Succeeded" || dead[1].Error != "cannot take it" {
			t.Fatalf("dead letters: %+v, %v", dead, err)
		}
		if n, err := o.Redrive(t.Context(), "world"); n != 0 || flow.KindOf(err) != flow.Conflict {
			t.Errorf("redrive while the sink does not take them: %d, %v", n, err)
		}
		stop()
		w.refuse = nil
		o = w.open(nil)
		if n, err := o.Redrive(t.Context(), "world"); n != 2 || err != nil {
			t.Errorf("redrive: %d, %v, want 2", n, err)
		}
		if n := o.DeadCounts()["world"]; n != 0 {
			t.Errorf("%d dead letters after a redrive", n)
		}
		if _, err := o.Redrive(t.Context(), "other"); flow.KindOf(err) != flow.NotFound {
			t.Errorf("redrive of a sink that is not there: %v", err)
		}
		ids := map[string]bool{}
		for _, e := range w.taken {
			ids[e.ID] = true
		}
		if len(ids) != 11 {
			t.Errorf("%d events arrived in the end, want 11", len(ids))
		}
	})
}

// TestSinksComeAndGo checks that a new sink is told of what happens from then
// on, also by runs that are under way, and that one that is gone holds
// nothing up.
func TestSinksComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, chain())
		w.begin(nil, "early")
		o := w.open(nil)
		stop := o.start()
		w.act(o, "early", "a", flow.Success)
		time.Sleep(time.Second)
		stop()
		if got := strings.Join(w.kinds("early"), ", "); got != "Task Running a#1, Task Succeeded a#1, Task Scheduled b#1, Task Queued b#1" {
			t.Errorf("of a run that had begun: %s", got)
		}
		w.act(nil, "early", "b", flow.Success)
		gone, err := w.db.KeepSinks(t.Context(), nil)
		if err != nil || gone["world"] != 1 {
			t.Errorf("KeepSinks: %v %v", gone, err)
		}
		if n, err := w.db.DeleteRuns(t.Context(), time.Now().Add(time.Hour), 10, func(flow.Run) {}); n != 1 || err != nil {
			t.Errorf("DeleteRuns: %d, %v, want 1", n, err)
		}
	})
}

// TestWebhook checks what is posted, and the signature with the key that was
// made.
func TestWebhook(t *testing.T) {
	dir := t.TempDir()
	o := &Office{Config: Config{Dir: dir}}
	key, err := o.key(Sink{Name: "hook"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := o.key(Sink{Name: "hook"})
	if err != nil || !bytes.Equal(key, again) {
		t.Errorf("the key changes from start to start: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "hook.key"))
	if err != nil || !strings.HasPrefix(string(text), "whsec_") {
		t.Errorf("the file of the key: %q, %v", text, err)
	}
	status := http.StatusNoContent
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
		if got, want := r.Header.Get("webhook-signature"), sign(key, id, at, body); got != want || id != "id-1" || string(body) != `{"x":1}` {
			t.Errorf("id %s, body %s, signature %s, want %s", id, body, got, want)
		}
		if got := r.Header.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("Authorization: %q", got)
		}
		if status == http.StatusFound {
			rw.Header().Set("Location", "http://127.0.0.1:1/")
		}
		rw.WriteHeader(status)
	}))
	defer hook.Close()
	send := webhook(hook.URL, key, "secret")
	for _, tt := range []struct {
		status        int
		good, refused bool
	}{{204, true, false}, {200, true, false}, {302, false, false}, {400, false, true}, {401, false, false}, {422, false, true}, {500, false, false}} {
		status = tt.status
		_, err := send(t.Context(), []letter{{&Event{ID: "id-1"}, []byte(`{"x":1}`)}})
		if (err == nil) != tt.good || errors.Is(err, errRefused) != tt.refused {
			t.Errorf("status %d: %v", tt.status, err)
		}
	}
	// The example of the Standard Webhooks specification.
	example, err := parseKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	if got := sign(example, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`)); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("the example is signed %s", got)
	}
}

// TestFile checks that lines stay whole after a torn one.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(path, []byte("{\"torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := file(path)(t.Context(), []letter{{nil, []byte(`{"a":1}`)}, {nil, []byte(`{"b":2}`)}}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	got, _ := os.ReadFile(path)
	if want := "{\"torn\n{\"a\":1}\n{\"b\":2}\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLineage checks the form of OpenLineage's events.
func TestLineage(t *testing.T) {
	run := flow.Run{ID: "r", Key: "3f5e83fa-3480-44ff-99c5-ff943904e5e8", Workflow: "etl", Logical: time.Unix(0, 0)}
	for _, tt := range []struct {
		move flow.Move
		want string // type, job
	}{
		{flow.Move{State: flow.Running}, "START etl"},
		{flow.Move{State: flow.Ready}, ""},
		{flow.Move{State: flow.Canceled}, "ABORT etl"},
		{flow.Move{Task: "load", Attempt: 2, State: flow.Retrying, Reason: "no"}, "FAIL etl.load"},
		{flow.Move{Task: "load", Attempt: 2, State: flow.Succeeded}, "COMPLETE etl.load"},
		{flow.Move{Task: "load", State: flow.Blocked}, ""},
	} {
		e := Event{Time: time.Unix(1, 0).UTC(), run: run, move: tt.move, job: "etl", task: string(tt.move.Task), fault: tt.move.Reason}
		data, ok, err := e.lineage("here")
		if err != nil || ok != (tt.want != "") {
			t.Errorf("%+v: %t, %v", tt.move, ok, err)
		}
		if !ok {
			continue
		}
		var got struct {
			EventType, EventTime, Producer, SchemaURL string
			Run                                       struct {
				RunID  string
				Facets map[string]json.RawMessage
			}
			Job struct{ Namespace, Name string }
		}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		_, parent := got.Run.Facets["parent"]
		_, failed := got.Run.Facets["errorMessage"]
		if got.EventType+" "+got.Job.Name != tt.want || got.Job.Namespace != "here" || len(got.Run.RunID) != 36 ||
			parent != (tt.move.Task != "") || failed != (tt.move.Reason != "") || got.EventTime != "1970-01-01T00:00:01Z" {
			t.Errorf("%+v: %s", tt.move, data)
		}
	}
}

// TestSettings checks what is said of settings that make no sense.
func TestSettings(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{"sinks":[{"name":"a","to":"https://example.com/x"},{"name":"b","to":"sqs:http://127.0.0.1:1/q","only":["Task Failed"],"giveUp":"1h"}]}`, ""},
		{`{"sinks":[{"name":"A b","to":"https://example.com"}]}`, `the sink "A b": expected a name`},
		{`{"sinks":[{"name":"a","to":"ftp://x"}]}`, "the sink a: to"},
		{`{"sinks":[{"name":"a","to":"file://x"}]}`, "absolute path"},
		{`{"sinks":[{"name":"a","to":"https://u:p@x/"}]}`, "no user"},
		{`{"sinks":[{"name":"a","to":"eventbridge:default","format":"openlineage"}]}`, "format eventbridge alone"},
		{`{"sinks":[{"name":"a","to":"file:///x","only":["Failed"]}]}`, `only "Failed"`},
		{`{"sinks":[{"name":"a","to":"file:///x"},{"name":"a","to":"file:///y"}]}`, "two of that name"},
		{`{"sinks":[{"name":"a","to":"file:///x","giveUp":"1y"}]}`, "expected a duration"},
		{`{"sinks":[{"name":"a","To":"file:///x","giveup":"1s","x":1}]}`, `unknown field "x"`},
		{`{"sinks":[{"name":"a","to":"file:///x","keyFile":"/k"}]}`, "for webhooks"},
	} {
		sinks, err := Parse([]byte(tt.text))
		if err == nil {
			err = Check(sinks)
		}
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s:\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
	if _, err := ParseFlag("x"); err == nil {
		t.Error("a flag without = is taken")
	}
}

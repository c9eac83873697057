package mwaa

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"

	"fairlead/internal/aws/page"
	"fairlead/internal/aws/sigv4"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/store"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	account    = "111122223333"
	region     = "us-east-1"
	roleArn    = "arn:aws:iam::111122223333:role/etl"
)

// A world is a door with the real store behind it, a few objects in memory,
// and a conductor by hand: runs start and stop at once, and the test moves
// their tasks with step.
type world struct {
	t       *testing.T
	db      *store.DB
	door    *Door
	server  *httptest.Server
	client  *mwaaserverless.Client
	objects map[string]string // by bucket/key
	groups  map[string]bool
	changed []flow.WorkflowID
}

func newWorld(t *testing.T, change func(*Config)) *world {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, objects: map[string]string{"defs/etl.yaml": "extract load"}, groups: map[string]bool{}}
	verifier := &sigv4.Verifier{Keys: w, Service: Service, Region: region}
	c := Config{
		Account: account, Region: region, Limits: DefaultLimits(),
		Workflows: rows{db}, Runs: db, Conductor: w, Compiler: w, Objects: w, Code: w, Logs: w,
		Tokens: page.New([]byte("key")),
		Check: func(r *http.Request, body []byte) (context.Context, error) {
			if r.Header.Get("Authorization") == "" {
				return r.Context(), nil
			}
			id, err := verifier.Verify(r, body)
			return sigv4.WithIdentity(r.Context(), id), err
		},
	}
	if change != nil {
		change(&c)
	}
	w.door = New(c)
	w.server = httptest.NewServer(w.door)
	w.client = mwaaserverless.New(mwaaserverless.Options{
		Region: region, BaseEndpoint: aws.String(w.server.URL), Retryer: retry.AddWithMaxAttempts(retry.NewStandard(), 1),
		Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""),
	})
	t.Cleanup(func() {
		w.server.Close()
		db.Close()
	})
	return w
}

// rows is the store as the door sees it.
type rows struct{ *store.DB }

func (r rows) AddVersion(ctx context.Context, v flow.Version, max int) (flow.Version, error) {
	return r.DB.AddVersion(ctx, v, max, func(w *flow.Workflow) { w.Modified = v.Created })
}

func (r rows) Workflows(ctx context.Context, p flow.Page) ([]Listed, string, error) {
	found, last, err := r.DB.Workflows(ctx, p)
	var out []Listed
	for _, f := range found {
		out = append(out, Listed{f.Workflow, f.Latest})
	}
	return out, last, err
}

func (w *world) Key(_ context.Context, id, _ string) (sigv4.Key, bool, error) {
	return sigv4.Key{Secret: testSecret}, id == testKey, nil
}

func (w *world) Fetch(_ context.Context, bucket, key, _ string, max int64) ([]byte, string, error) {
	text, ok := w.objects[bucket+"/"+key]
	if !ok {
		return nil, "", flow.Errorf(flow.NotFound, "the bucket has no such object").About("object", key)
	}
	if int64(len(text)) > max {
		return nil, "", flow.Errorf(flow.Invalid, "the object has %d bytes, and may have %d", len(text), max)
	}
	return []byte(text), "", nil
}

func (w *world) Snapshot(ctx context.Context, bucket, key, version string, max int64) (string, error) {
	_, _, err := w.Fetch(ctx, bucket, key, version, max)
	return "copy of " + bucket + "/" + key, err
}

func (w *world) CreateGroup(_ context.Context, name string) error {
	w.groups[name] = true
	return nil
}

// Compile reads definitions that name their tasks; "@expr" is a schedule,
// "!text" a fault, "?text" a warning.
func (w *world) Compile(src []byte, hasCode bool) (flow.Definition, []flow.Diagnostic) {
	def := flow.Definition{MaxRuns: 16}
	var found []flow.Diagnostic
	for i, word := range strings.Fields(string(src)) {
		switch rest := word[1:]; word[0] {
		case '@':
			def.Schedule = &flow.Schedule{Expr: word, Zone: "UTC"}
		case '!':
			found = append(found, flow.Diagnostic{Line: 1, Column: i + 1, Path: "etl." + rest, Public: "public " + rest, Message: "our " + rest, Fix: "mend it"})
		case '?':
			def.Warnings = append(def.Warnings, "ignored attributes: "+rest)
			found = append(found, flow.Diagnostic{Severity: flow.Caution, Message: rest})
		default:
			def.Graph.Nodes = append(def.Graph.Nodes, flow.Node{ID: flow.TaskID(word), Kind: "BashOperator"})
		}
	}
	return def, found
}

func (w *world) Start(ctx context.Context, req StartRequest) (flow.Run, error) {
	v, err := w.db.Version(ctx, req.Workflow, req.Version)
	if err != nil {
		return flow.Run{}, err
	}
	now := time.Now()
	r := flow.Run{
		ID: NewRunID(), Key: NewRunKey(), Workflow: v.Workflow, Version: v.ID, Graph: v.Graph, Kind: flow.OnDemand,
		State: flow.Starting, Params: req.Params, Logical: now, Created: now, Modified: now,
	}
	r, created, err := w.db.InsertRun(ctx, r, req.Token, w.door.Limits.RunsPerWorkflow, w.door.Limits.Runs)
	if err != nil || !created {
		return r, err
	}
	g, err := w.db.Graph(ctx, v.Graph)
	if err != nil {
		return r, err
	}
	first := engine.Step{Run: r}
	for i, n := range g.Nodes {
		first.Tasks = append(first.Tasks, flow.Task{ID: n.ID, Index: i, Kind: n.Kind, State: flow.Waiting, Modified: now})
	}
	first.Run.Rev++
	return r, w.db.Save(ctx, first)
}

func (w *world) Stop(ctx context.Context, _ flow.WorkflowID, id flow.RunID) (flow.Run, error) {
	return w.step(id, func(s *engine.Step) { s.Run.State = flow.Stopping }), nil
}

func (w *world) WorkflowChanged(_ context.Context, id flow.WorkflowID) error {
	w.changed = append(w.changed, id)
	return nil
}

func (w *world) DeleteWorkflow(_ context.Context, id flow.WorkflowID) error {
	w.changed = append(w.changed, "deleted "+id)
	return nil
}

// step saves a change of a run.
func (w *world) step(id flow.RunID, change func(*engine.Step)) flow.Run {
	w.t.Helper()
	r, err := w.db.RunByID(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	s := engine.Step{Run: r}
	change(&s)
	s.Run.Rev++
	if err := w.db.Save(context.Background(), s); err != nil {
		w.t.Fatal(err)
	}
	return s.Run
}

// post sends a raw request and returns status and answer.
func (w *world) post(op, body string) (int, map[string]any) {
	w.t.Helper()
	req, _ := http.NewRequest("POST", w.server.URL, strings.NewReader(body))
	req.Header.Set("X-Amz-Target", "AmazonMWAAServerless."+op)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(res.Body)
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		w.t.Fatalf("%s %s: answer %s: %v", op, body, data, err)
	}
	return res.StatusCode, out
}

// try sends a request and returns what came back in one line: the class and
// message of an error, or "ok" and the members that show names.
func (w *world) try(op string, in map[string]any, show ...string) string {
	w.t.Helper()
	body, _ := json.Marshal(in)
	status, out := w.post(op, string(body))
	if status != 200 {
		class, _ := strings.CutPrefix(fmt.Sprint(out["__type"]), "com.amazonaws.mwaaserverless#")
		return fmt.Sprintf("%s: %v", class, out["Message"])
	}
	var b bytes.Buffer
	b.WriteString("ok")
	for _, name := range show {
		value, _ := json.Marshal(out[name])
		fmt.Fprintf(&b, " %s=%s", name, value)
	}
	return b.String()
}

// create makes a workflow and returns its ARN.
func (w *world) create(name, definition string, more map[string]any) string {
	w.t.Helper()
	w.objects["defs/"+name] = definition
	in := map[string]any{"Name": name, "RoleArn": roleArn, "DefinitionS3Location": at3(name)}
	for k, v := range more {
		in[k] = v
	}
	body, _ := json.Marshal(in)
	status, out := w.post("CreateWorkflow", string(body))
	if status != 200 {
		w.t.Fatalf("CreateWorkflow %s: %v", body, out)
	}
	return out["WorkflowArn"].(string)
}

func at3(key string) map[string]any { return map[string]any{"Bucket": "defs", "ObjectKey": key} }

// id returns the last part of an ARN.
func id(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

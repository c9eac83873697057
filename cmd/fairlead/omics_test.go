package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"fairlead/internal/flow"
	"fairlead/internal/lang/wdl"
	"fairlead/internal/omics"
)

// A lab is a server with a client of HealthOmics.
type lab struct {
	omicsClient
	app *app
}

// An omicsClient speaks the API as it is on the wire.
type omicsClient struct{ *client }

func newLab(t *testing.T, change func(*options)) *lab {
	t.Helper()
	a, c := launch(t, change)
	l := &lab{omicsClient{c}, a}
	l.bucket("data")
	return l
}

type object = map[string]any // of JSON

// call sends a request and returns its status and answer.
func (c omicsClient) ask(method, path string, in object) (int, object) {
	c.t.Helper()
	var data []byte
	if in != nil {
		data, _ = json.Marshal(in)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.info.Endpoint+path, bytes.NewReader(data))
	if err != nil {
		c.t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	key := aws.Credentials{AccessKeyID: c.key.AccessKey, SecretAccessKey: c.key.SecretKey}
	if err := v4.NewSigner().SignHTTP(c.t.Context(), key, r, hex.EncodeToString(sum[:]), "omics", c.info.Region, time.Now()); err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var out object
	if len(bytes.TrimSpace(body)) > 0 {
		if err := json.Unmarshal(body, &out); err != nil {
			c.t.Fatalf("%s %s: %d %s: %v", method, path, resp.StatusCode, body, err)
		}
	}
	return resp.StatusCode, out
}

// must is call for a request that must be answered with a status.
func (c omicsClient) must(status int, method, path string, in object) object {
	c.t.Helper()
	got, out := c.ask(method, path, in)
	if got != status {
		c.t.Fatalf("%s %s %v: %d %v, want %d", method, path, in, got, out, status)
	}
	return out
}

// wdl makes a workflow of a document and returns its id.
func (l *lab) wdl(text string) string {
	l.t.Helper()
	doc, found := wdl.Load(fstest.MapFS{"main.wdl": {Data: []byte(text)}}, "main.wdl", wdl.Options{})
	if wdl.Refused(found) {
		l.t.Fatalf("%v", found)
	}
	def, found := wdl.Compile(doc, wdl.Options{})
	if wdl.Refused(found) {
		l.t.Fatalf("%v", found)
	}
	graph, err := l.app.db.PutGraph(l.t.Context(), def.Graph)
	if err != nil {
		l.t.Fatal(err)
	}
	r, _, err := l.app.db.AddResource(l.t.Context(), flow.Resource{
		Kind: flow.OmicsWorkflow, Name: "flow", Status: "ACTIVE", Graph: graph, Created: time.Now(), Body: json.RawMessage(`{"digest":"sha256:0"}`),
	}, flow.Token{}, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	return r.ID
}

// define makes a workflow of a document as clients do, and returns its id.
func (c omicsClient) define(text string) string {
	c.t.Helper()
	return c.archive(map[string]string{"main.wdl": text})
}

// run starts a run and returns its id.
func (c omicsClient) begin(in object) string {
	c.t.Helper()
	for k, v := range (object{"roleArn": "arn:aws:iam::000000000000:role/omics", "outputUri": "s3://data/out/", "requestId": fmt.Sprint(time.Now().UnixNano())}) {
		if _, ok := in[k]; !ok {
			in[k] = v
		}
	}
	return c.must(201, "POST", "/run", in)["id"].(string)
}

// ends waits for a run's end and returns what is said of it then.
func (c omicsClient) ends(id string) object {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // a server of its own is asked: no clock is ours
		out := c.must(200, "GET", "/run/"+id, nil)
		switch out["status"] {
		case "COMPLETED", "FAILED", "CANCELLED":
			return out
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("run %s is still %v", id, out["status"])
		}
	}
}

func (c omicsClient) upload(key, text string) {
	c.t.Helper()
	if _, err := c.s3.PutObject(c.t.Context(), &awss3.PutObjectInput{Bucket: aws.String("data"), Key: &key, Body: strings.NewReader(text)}); err != nil {
		c.t.Fatal(err)
	}
}

func (c omicsClient) object(key string) string {
	c.t.Helper()
	out, err := c.s3.GetObject(c.t.Context(), &awss3.GetObjectInput{Bucket: aws.String("data"), Key: &key})
	if err != nil {
		c.t.Fatalf("%s: %v", key, err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

const greetings = `version 1.1
task greet {
  input { File list  Int n }
  command <<< sed -n "~{n + 1}p" ~{list} | tee said.txt; echo "greeted ~{n}" >&2 >>>
  output { File said = "said.txt" }
  runtime { cpu: 2  memory: "3 GiB" }
}
task join {
  input { Array[File] parts }
  command <<< cat ~{sep(" ", parts)} >>>
  output { String all = read_string(stdout()) }
}
workflow main {
  input { File list  Int count = 2 }
  scatter (i in range(count)) { call greet { input: list, n = i } }
  call join { input: parts = greet.said }
  output { Array[File] said = greet.said  String all = join.all }
}`

// TestOmicsRun follows a run from its inputs to its outputs, logs and manifest.
func TestOmicsRun(t *testing.T) {
	l := newLab(t, nil)
	l.upload("in/names.txt", "ada\nbob\n")
	w := l.wdl(greetings)
	id := l.begin(object{"workflowId": w, "name": "first", "parameters": object{"list": "s3://data/in/names.txt"}, "tags": object{"a": "b"}})
	r := l.ends(id)
	if r["status"] != "COMPLETED" || r["runOutputUri"] != "s3://data/out/"+id || r["resourceDigests"].(object)["s3://data/in/names.txt"] == nil {
		t.Fatalf("run: %v", r)
	}
	if got := l.object("out/" + id + "/out/said/1/said.txt"); got != "bob\n" {
		t.Errorf("out/said/1/said.txt: %q, want bob", got)
	}
	var outputs object
	if err := json.Unmarshal([]byte(l.object("out/"+id+"/logs/outputs.json")), &outputs); err != nil {
		t.Fatal(err)
	}
	if outputs["main.all"] != "ada\nbob" || fmt.Sprint(outputs["main.said"]) != fmt.Sprintf("[s3://data/out/%s/out/said/0/said.txt s3://data/out/%[1]s/out/said/1/said.txt]", id) {
		t.Errorf("outputs.json: %v", outputs)
	}
	if log := l.object("out/" + id + "/logs/engine.log"); !strings.Contains(log, "task greet-0-1") || !strings.Contains(log, "run "+id+" COMPLETED") {
		t.Errorf("engine.log: %s", log)
	}

	var names []string
	var first object
	for _, item := range l.must(200, "GET", "/run/"+id+"/task", nil)["items"].([]any) {
		task := item.(object)
		names = append(names, fmt.Sprint(task["name"], " ", task["status"], " ", task["cpus"], " ", task["memory"], " ", task["instanceType"]))
		if first == nil || task["name"] == "greet-0-0" {
			first = task
		}
	}
	want := "join COMPLETED 1 1 omics.c.large,greet-0-0 COMPLETED 2 3 omics.c.large,greet-0-1 COMPLETED 2 3 omics.c.large"
	if got := strings.Join(names, ","); got != want {
		t.Errorf("tasks: %s, want %s", got, want)
	}
	task := l.must(200, "GET", "/run/"+id+"/task/"+first["taskId"].(string), nil)
	stream, _ := task["logStream"].(string)
	if !strings.HasSuffix(stream, ":log-group:/aws/omics/WorkflowLog:log-stream:run/"+id+"/task/"+first["taskId"].(string)) {
		t.Errorf("log stream: %q", stream)
	}
	_, stream, _ = strings.Cut(stream, ":log-stream:")
	page, err := l.app.logs.Read(t.Context(), omics.LogGroup, stream, flow.LogRange{Limit: 10})
	if err != nil || len(page.Events) == 0 {
		t.Errorf("log of %v: %v, %v", task, page.Events, err)
	}
	page, err = l.app.logs.Read(t.Context(), omics.LogGroup, "manifest/run/"+id+"/"+r["uuid"].(string), flow.LogRange{Limit: 10})
	if err != nil || len(page.Events) != 4 || !strings.Contains(page.Events[0].Text, `"status":"COMPLETED"`) || !strings.Contains(page.Events[1].Text, `"cpus":`) {
		t.Errorf("manifest: %v, %v", page.Events, err)
	}
	if got := l.must(200, "GET", "/run?name=first&status=COMPLETED", nil)["items"].([]any); len(got) != 1 {
		t.Errorf("ListRuns: %v", got)
	}

	// The same once more, from the first's settings.
	again := l.begin(object{"runId": id})
	if r := l.ends(again); r["status"] != "COMPLETED" || r["runId"] != id || r["name"] != "first" {
		t.Errorf("a run that repeats another: %v", r)
	}
	l.must(202, "DELETE", "/run/"+id, nil)
	l.must(404, "GET", "/run/"+id, nil)
	l.must(404, "GET", "/run/"+id+"/task", nil)
	if _, err := os.Stat(l.app.opt.data.path("runs", id)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of a deleted run: %v, want none", err)
	}
}

// TestOmicsRefusals holds what StartRun refuses, and what ends in a failure.
// TestConsoleOmics shows a run of HealthOmics in the console, with what its
// scatter has unfolded into.
func TestConsoleOmics(t *testing.T) {
	l := newLab(t, nil)
	b := l.signIn()
	type list struct {
		Rows []struct {
			ID, Name, WorkflowName, Status, State string
			Created, Ended                        int64
		}
		Next string
	}
	var none list
	b.get("omics/runs", &none)
	if len(none.Rows) != 0 || none.Rows == nil {
		t.Errorf("runs of a new server: %+v", none)
	}
	l.upload("in/names.txt", "ada\nbob\n")
	w := l.wdl(greetings)
	var ids []string
	for _, name := range []string{"first", "second"} {
		id := l.begin(object{"workflowId": w, "name": name, "parameters": object{"list": "s3://data/in/names.txt"}})
		l.ends(id)
		ids = append(ids, id)
	}
	var got list
	b.get("omics/runs?limit=1", &got)
	if len(got.Rows) != 1 || got.Rows[0].ID != ids[1] || got.Next == "" {
		t.Fatalf("the first page: %+v, want run %s and more", got, ids[1])
	}
	b.get("omics/runs?limit=1&after="+got.Next, &got)
	if r := got.Rows[0]; r.ID != ids[0] || r.Name != "first" || r.WorkflowName != "flow" || r.Status != "COMPLETED" || r.State != "s" || r.Ended < r.Created {
		t.Errorf("the second page: %+v, want run %s", got, ids[0])
	}
	var failed list
	b.get("omics/runs?status=FAILED", &failed)
	if len(failed.Rows) != 0 {
		t.Errorf("runs that failed: %+v, want none", failed)
	}
	if bad := b.ask(http.MethodGet, "omics/runs?status=DONE", nil, nil); bad == nil || bad.Kind != "invalid" || bad.Field != "status" {
		t.Errorf("a status that is none: %+v", bad)
	}

	run := "runs/" + ids[0]
	var whole struct{ WorkflowName, Service string }
	b.get(run, &whole)
	if whole.WorkflowName != "flow" || whole.Service != "omics" {
		t.Errorf("the run: %+v", whole)
	}
	var tasks struct {
		IDs      []string
		States   string
		Unfolded map[string]int
	}
	b.get(run+"/tasks", &tasks)
	if strings.Trim(tasks.States, "s") != "" || len(tasks.States) != len(tasks.IDs) || len(tasks.Unfolded) != 1 {
		t.Errorf("the tasks: %+v, want all succeeded and a scatter of two", tasks)
	}
	at := slices.IndexFunc(tasks.IDs, func(id string) bool { return strings.HasSuffix(id, "/1/greet") })
	if at < 0 {
		t.Fatalf("the tasks: %q, want the second greet within the scatter", tasks.IDs)
	}
	var timeline struct{ Task []int }
	if b.get(run+"/timeline", &timeline); !slices.Contains(timeline.Task, at) {
		t.Errorf("timeline: %v, want task %d in it", timeline.Task, at)
	}
	task := run + "/tasks/" + url.PathEscape(tasks.IDs[at])
	var one struct {
		Index    int
		State    string
		Attempts []struct{ Log int64 }
	}
	if b.get(task, &one); one.Index != at || one.State != "s" || len(one.Attempts) != 1 || one.Attempts[0].Log <= 0 {
		t.Errorf("the task: %+v, want one attempt with a log", one)
	}
	var log struct{ Lines []struct{ Text string } }
	if b.get(task+"/1/log", &log); len(log.Lines) == 0 {
		t.Error("the task's log has no lines")
	}
	var out struct{ Values []struct{ Key string } }
	if b.get(task+"/1/xcom", &out); len(out.Values) == 0 || out.Values[0].Key != "outputs" {
		t.Errorf("outputs: %+v", out)
	}
	if bad := b.ask(http.MethodGet, strings.Replace(task, "greet", "other", 1), nil, nil); bad == nil || bad.Kind != "notFound" {
		t.Errorf("a task that the scatter has not: %+v", bad)
	}
}

func TestOmicsRefusals(t *testing.T) {
	l := newLab(t, nil)
	w := l.wdl(greetings)
	for _, tt := range []struct {
		in     object
		status int
		text   string
	}{
		{object{"workflowId": w, "parameters": object{"list": "s3://data/x", "lst": 1}}, 400, `no input "lst"`},
		{object{"workflowId": w}, 400, "list"},
		{object{"workflowId": w, "parameters": object{"list": "s3://data/x", "count": "many"}}, 400, "count"},
		{object{"workflowId": "7", "parameters": object{}}, 404, "workflow 7"},
		{object{"workflowId": w, "runGroupId": "7", "parameters": object{"list": "s3://data/x"}}, 404, "7"},
		{object{"workflowId": w, "cacheId": "7", "parameters": object{"list": "s3://data/x"}}, 404, "7"},
		{object{"parameters": object{}}, 400, "workflowId"},
		{object{"workflowId": w, "tags": object{"aws:x": "1"}, "parameters": object{"list": "s3://data/x"}}, 400, "aws:"},
		{object{"workflowId": w, "outputUri": "file:///tmp/x", "parameters": object{"list": "s3://data/x"}}, 400, "--local-files"},
	} {
		in := object{"roleArn": "arn:aws:iam::000000000000:role/omics", "outputUri": "s3://data/out", "requestId": fmt.Sprint(time.Now().UnixNano())}
		for k, v := range tt.in {
			in[k] = v
		}
		status, out := l.ask("POST", "/run", in)
		if text, _ := out["message"].(string); status != tt.status || !strings.Contains(text, tt.text) {
			t.Errorf("StartRun %v: %d %v, want %d with %q", tt.in, status, out, tt.status, tt.text)
		}
	}
	r := l.ends(l.begin(object{"workflowId": w, "parameters": object{"list": "s3://data/not-there"}}))
	if r["status"] != "FAILED" || r["failureReason"] != "INPUT_URI_NOT_FOUND" || !strings.Contains(r["statusMessage"].(string), "parameter list: s3://data/not-there does not exist") {
		t.Errorf("an input that is not there: %v", r)
	}
	r = l.ends(l.begin(object{"workflowId": l.wdl(`version 1.0
task bad { command { echo no luck >&2; exit 3 } }
workflow main { call bad }`)}))
	if r["status"] != "FAILED" || r["failureReason"] != "RUN_TASK_FAILED" || !strings.Contains(r["statusMessage"].(string), "exit code 3") {
		t.Errorf("a task that fails: %v", r)
	}
	items := l.must(200, "GET", "/run/"+r["id"].(string)+"/task?status=FAILED", nil)["items"].([]any)
	if len(items) != 1 {
		t.Fatalf("failed tasks: %v", items)
	}
	task := l.must(200, "GET", "/run/"+r["id"].(string)+"/task/"+items[0].(object)["taskId"].(string), nil)
	if task["failureReason"] != "RUN_TASK_FAILED" || !strings.Contains(task["statusMessage"].(string), "no luck") {
		t.Errorf("the task: %v", task)
	}
	l.must(409, "POST", "/run/"+r["id"].(string)+"/cancel", nil)
}

// TestOmicsReplay holds that a request that is sent twice starts one run.
func TestOmicsReplay(t *testing.T) {
	l := newLab(t, nil)
	w := l.wdl("version 1.0\nworkflow main { output { Int n = 1 } }")
	one := l.begin(object{"workflowId": w, "requestId": "same"})
	if two := l.begin(object{"workflowId": w, "requestId": "same"}); two != one {
		t.Errorf("the same request began run %s, then %s", one, two)
	}
	l.ends(one)
	if got := l.must(200, "GET", "/run", nil)["items"].([]any); len(got) != 1 {
		t.Errorf("runs: %v, want one", got)
	}
}

const sleeper = `version 1.0
task wait { command { sleep 10000 } }
workflow main { call wait }`

// TestOmicsCancelAndGroup holds that a group lets one run in at a time, the
// greatest priority first, and that runs end when they are cancelled.
func TestOmicsCancelAndGroup(t *testing.T) {
	l := newLab(t, nil)
	w := l.wdl(sleeper)
	group := l.must(201, "POST", "/runGroup", object{"maxRuns": 1, "requestId": "g"})["id"].(string)
	var ids []string
	for _, priority := range []int{0, 1, 5} {
		ids = append(ids, l.begin(object{"workflowId": w, "runGroupId": group, "priority": priority}))
	}
	status := func(id string) any { return l.must(200, "GET", "/run/"+id, nil)["status"] }
	becomes := func(id, want string) {
		t.Helper()
		for deadline := time.Now().Add(patience); status(id) != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("run %s is %v, want %s", id, status(id), want)
			}
		}
	}
	becomes(ids[0], "RUNNING")
	if a, b := status(ids[1]), status(ids[2]); a != "PENDING" || b != "PENDING" {
		t.Errorf("those that wait are %v and %v", a, b)
	}
	l.must(409, "DELETE", "/run/"+ids[0], nil)
	l.must(202, "POST", "/run/"+ids[0]+"/cancel", nil)
	becomes(ids[0], "CANCELLED")
	becomes(ids[2], "RUNNING")
	if got := status(ids[1]); got != "PENDING" {
		t.Errorf("the run of less priority is %v", got)
	}
	l.must(202, "POST", "/run/"+ids[1]+"/cancel", nil)
	becomes(ids[1], "CANCELLED")
	l.must(202, "POST", "/run/"+ids[2]+"/cancel", nil)
	becomes(ids[2], "CANCELLED")
}

// TestOmicsGroupCPUs holds that tasks of a group's runs use no more processors
// together than it has.
func TestOmicsGroupCPUs(t *testing.T) {
	l := newLab(t, nil)
	w := l.wdl(`version 1.0
task nap { command { sleep 0.3 } }
workflow main { scatter (i in [1, 2]) { call nap } }`)
	group := l.must(201, "POST", "/runGroup", object{"maxCpus": 1, "requestId": "g"})["id"].(string)
	ids := []string{l.begin(object{"workflowId": w, "runGroupId": group}), l.begin(object{"workflowId": w, "runGroupId": group})}
	var spans [][2]string
	for _, id := range ids {
		if r := l.ends(id); r["status"] != "COMPLETED" {
			t.Fatalf("run: %v", r)
		}
		for _, item := range l.must(200, "GET", "/run/"+id+"/task", nil)["items"].([]any) {
			spans = append(spans, [2]string{item.(object)["startTime"].(string), item.(object)["stopTime"].(string)})
		}
	}
	slices.SortFunc(spans, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	for i := 1; i < len(spans); i++ {
		if spans[i][0] < spans[i-1][1] {
			t.Errorf("a task began at %s, before the one before it had ended at %s", spans[i][0], spans[i-1][1])
		}
	}
	if len(spans) != 4 {
		t.Errorf("%d tasks, want 4", len(spans))
	}
}

// TestOmicsRetry holds that each attempt is a task of its own, with what it asked
// for and why it failed.
func TestOmicsRetry(t *testing.T) {
	l := newLab(t, nil)
	id := l.begin(object{"workflowId": l.wdl(`version 1.0
task large { command { exit 137 } runtime { memory: "2 GiB" maxRetries: 1 } }
workflow main { call large }`)})
	if r := l.ends(id); r["status"] != "FAILED" || r["failureReason"] != "RUN_TASK_FAILED" || !strings.Contains(r["statusMessage"].(string), "OUT_OF_MEMORY_ERROR") {
		t.Errorf("run: %v", r)
	}
	var got []string
	for _, item := range l.must(200, "GET", "/run/"+id+"/task", nil)["items"].([]any) {
		task := l.must(200, "GET", "/run/"+id+"/task/"+item.(object)["taskId"].(string), nil)
		got = append(got, fmt.Sprint(task["name"], " ", task["status"], " ", task["memory"], " ", task["failureReason"]))
	}
	want := "large FAILED 2 OUT_OF_MEMORY_ERROR,large FAILED 4 OUT_OF_MEMORY_ERROR"
	if got := strings.Join(got, ","); got != want {
		t.Errorf("attempts: %s, want %s", got, want)
	}
}

// TestOmicsStoredRuns holds what becomes of runs at the quota of those that are
// stored: the oldest that has ended and may be removed makes room.
func TestOmicsStoredRuns(t *testing.T) {
	l := newLab(t, func(o *options) { o.limits["omics-runs"] = 3 })
	w := l.wdl("version 1.0\ntask t { command { true } }\nworkflow main { call t }")
	kept := l.begin(object{"workflowId": w})
	first := l.begin(object{"workflowId": w, "retentionMode": "REMOVE"})
	second := l.begin(object{"workflowId": w, "retentionMode": "REMOVE"})
	for _, id := range []string{kept, first, second} {
		l.ends(id)
	}
	third := l.begin(object{"workflowId": w})
	l.must(404, "GET", "/run/"+first, nil)
	l.must(200, "GET", "/run/"+second, nil)
	l.ends(third)
	fourth := l.begin(object{"workflowId": w, "requestId": "fourth"})
	l.must(404, "GET", "/run/"+second, nil)
	ask := object{"workflowId": w, "requestId": "fifth", "roleArn": "arn:aws:iam::000000000000:role/omics", "outputUri": "s3://data/out/"}
	if out := l.must(402, "POST", "/run", ask); !strings.Contains(out["message"].(string), "3 runs are stored") {
		t.Errorf("a run beyond the quota: %v", out)
	}
	if again := l.begin(object{"workflowId": w, "requestId": "fourth"}); again != fourth {
		t.Errorf("a request that is sent again at the quota: run %s, want %s", again, fourth)
	}
	l.object("out/" + first + "/logs/outputs.json")
	l.ends(fourth)
	l.must(202, "DELETE", "/run/"+kept, nil)
	l.must(201, "POST", "/run", ask)
}

// TestOmicsSweep holds that a start removes what crashes have left of runs and
// definitions, and nothing else.
func TestOmicsSweep(t *testing.T) {
	l := newLab(t, nil)
	text := "version 1.0\ntask t { command { true } }\nworkflow main { call t }"
	w := l.define(text)
	l.must(202, "POST", "/workflow/"+w, object{"readmeMarkdown": "# Read"})
	l.must(201, "POST", "/workflow/"+w+"/version", object{"versionName": "v1", "definitionZip": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==", "requestId": "v"})
	id := l.begin(object{"workflowId": w})
	l.ends(id)
	shelf := l.app.newDefinitionShelf()
	if err := shelf.Put(t.Context(), "left/definition.zip", []byte("x")); err != nil {
		t.Fatal(err)
	}
	dir := l.app.opt.data.path("runs", "99999999")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/"+closedFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.app.runs.closeLeft(t.Context(), func(r flow.Run) { t.Errorf("run %s is closed again", r.ID) })
	l.app.runs.sweep(t.Context(), time.Now().Add(time.Hour))
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of a run that is gone: %v", err)
	}
	if _, err := os.Stat(l.app.opt.data.path("runs", id)); err != nil {
		t.Errorf("the directory of a run: %v", err)
	}
	var keys []string
	if err := shelf.Each(t.Context(), time.Now().Add(time.Hour), func(key string) error { keys = append(keys, key); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(keys) != 3 || slices.Contains(keys, "left/definition.zip") { // two archives and a README
		t.Errorf("what is kept of definitions: %q", keys)
	}
}

// TestOmicsOperate holds what an operator may do with runs of HealthOmics: stop
// and rerun them, and what is refused is said with what to do instead.
func TestOmicsOperate(t *testing.T) {
	l := newLab(t, nil)
	w := l.wdl(`version 1.0
task t { input { Int code Int nap = 0 } command { sleep ~{nap}; exit ~{code} } }
workflow main { input { Int code Int nap = 0 } scatter (i in [1]) { call t { input: code = code, nap = nap } } }`)
	id := l.begin(object{"workflowId": w, "name": "first", "parameters": object{"code": 3}})
	if r := l.ends(id); r["status"] != "FAILED" {
		t.Fatal(r)
	}
	if out, err := l.say("rerun", id, "--latest"); err == nil || !strings.Contains(err.Error(), "latest:") {
		t.Errorf("fairlead rerun --latest: %v %s", err, out)
	}
	again := strings.Fields(l.mustSay("", "rerun", id, "--params", `{"code": 0}`))[1]
	if r := l.ends(again); r["status"] != "COMPLETED" || r["runId"] != id || r["name"] != "first" || r["parameters"].(object)["code"] != 0.0 || r["startedBy"] == nil {
		t.Errorf("a rerun: %v", r)
	}
	actions := &consoleActions{a: l.app}
	long := flow.RunID(l.begin(object{"workflowId": w, "parameters": object{"code": 0, "nap": 100}}))
	row, err := l.app.db.RunByID(t.Context(), long)
	if err == nil {
		_, err = actions.Stop(t.Context(), row, "somebody")
	}
	if err != nil {
		t.Fatal(err)
	}
	if r := l.ends(string(long)); r["status"] != "CANCELLED" {
		t.Errorf("a run that the console stopped: %v", r)
	}
	first, err := actions.Rerun(t.Context(), row, json.RawMessage(`{"code":0}`), false, "once", "somebody")
	if err != nil {
		t.Fatal(err)
	}
	if second, err := actions.Rerun(t.Context(), row, json.RawMessage(`{"code":0}`), false, "once", "somebody"); err != nil || second.ID != first.ID {
		t.Errorf("a rerun that is asked for twice: %s and %s, %v", first.ID, second.ID, err)
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"
)

// A browser asks the console as its pages do.
type browser struct {
	t    *testing.T
	at   string
	http *http.Client
}

func (c *client) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return &browser{c.t, c.info.Endpoint, &http.Client{Jar: jar}}
}

// signIn opens a browser that has signed in.
func (c *client) signIn() *browser {
	b := c.browser()
	b.post("login", map[string]string{"accessKey": c.key.AccessKey, "secretKey": c.key.SecretKey}, nil)
	return b
}

// A refusal is what the console says when it does not do what it is asked.
type refusal struct {
	Status  int `json:"-"`
	Kind    string
	Message string
	Field   string
	Fields  []struct{ Field, Message string }
}

// ask sends a request, and returns the refusal if there is one.
func (b *browser) ask(method, path string, in, out any, edit ...func(*http.Request)) *refusal {
	b.t.Helper()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			b.t.Fatal(err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.at+"/console/api/"+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, f := range edit {
		f(req)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		var bad struct{ Error refusal }
		if err := json.Unmarshal(data, &bad); err != nil || bad.Error.Kind == "" || bad.Error.Message == "" {
			b.t.Fatalf("%s %s: %s, want an error in JSON: %s", method, path, resp.Status, data)
		}
		bad.Error.Status = resp.StatusCode
		return &bad.Error
	}
	if text, ok := out.(*string); ok {
		*text = string(data)
	} else if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			b.t.Fatalf("%s %s: %v in %s", method, path, err, data)
		}
	}
	return nil
}

func (b *browser) get(path string, out any) {
	b.t.Helper()
	if bad := b.ask(http.MethodGet, path, nil, out); bad != nil {
		b.t.Fatalf("GET %s: %+v", path, *bad)
	}
}

func (b *browser) post(path string, in, out any) {
	b.t.Helper()
	if bad := b.ask(http.MethodPost, path, in, out); bad != nil {
		b.t.Fatalf("POST %s: %+v", path, *bad)
	}
}

// begun is the answer to what begins or changes a run.
type begun struct {
	Run struct{ ID, State, By string }
}

// untilRun asks for a run until it has ended, and returns its state.
func (b *browser) untilRun(id string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	for {
		var r struct{ State string }
		b.get("runs/"+id, &r)
		if strings.Contains("sfobkcg", r.State) {
			return r.State
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("run %s is still %s", id, r.State)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

const forConsole = `etl:
  schedule: "0 3 * * *"
  params:
    day: {type: string, enum: [mon, tue], default: mon}
    n: {type: integer, minimum: 1, default: 2}
  default_args: {retries: 0}
  tasks:
    get:
      operator: airflow.operators.bash.BashOperator
      bash_command: "echo Straße of {{ params.day }} >&2; echo '{{ params.n }}'"
    bad:
      operator: airflow.operators.bash.BashOperator
      bash_command: "[ '{{ params.day }}' = mon ] || exit 7"
      dependencies: [get]
    last:
      operator: airflow.operators.bash.BashOperator
      bash_command: "echo {{ ti.xcom_pull(task_ids='get') }}"
      dependencies: [bad]
`

// TestConsole goes through what the pages do, from the editor to the log.
func TestConsole(t *testing.T) {
	c := serve(t, nil)
	b := c.signIn()

	var checked struct {
		OK          bool
		Diagnostics []struct {
			Severity, Message string
			Line              int
		}
		Graph *struct{ IDs []string }
		Lines map[string]int
	}
	b.post("check", map[string]any{"source": strings.Replace(forConsole, "bash_command: \"echo Str", "bash_comand: \"echo Str", 1)}, &checked)
	if checked.OK || len(checked.Diagnostics) == 0 || checked.Diagnostics[0].Line != 9 && checked.Diagnostics[0].Line != 8 && checked.Diagnostics[0].Line != 10 || checked.Graph != nil {
		t.Errorf("check of a slip: %+v; want an error at the task and no graph", checked)
	}
	b.post("check", map[string]any{"source": forConsole}, &checked)
	if !checked.OK || checked.Graph == nil || len(checked.Graph.IDs) != 3 || checked.Lines["bad"] != 11 {
		t.Errorf("check: %+v; want three tasks, bad at line 11", checked)
	}

	var made struct{ Workflow, Version string }
	edit := map[string]any{"name": "etl", "source": forConsole, "token": "once"}
	b.post("workflows", edit, &made)
	if bad := b.ask(http.MethodPost, "workflows", edit, nil); bad == nil || bad.Kind != "conflict" || bad.Field != "name" {
		t.Errorf("a second workflow of the name: %+v, want a conflict about it", bad)
	}
	wf := "workflows/" + made.Workflow

	if bad := b.ask(http.MethodPost, wf+"/start", map[string]any{"params": map[string]any{"day": "sun", "n": 0}}, nil); bad == nil || bad.Kind != "invalid" ||
		len(bad.Fields) != 2 || bad.Fields[0].Field != "params.day" || bad.Fields[1].Field != "params.n" {
		t.Errorf("start with params that are refused: %+v, want both named", bad)
	}
	var first, again begun
	start := map[string]any{"params": map[string]any{"day": "tue"}, "token": "one-click"}
	b.post(wf+"/start", start, &first)
	b.post(wf+"/start", start, &again)
	if first.Run.ID == "" || first.Run.ID != again.Run.ID {
		t.Errorf("a start that is sent twice begins %q and %q, want one run", first.Run.ID, again.Run.ID)
	}
	if got := b.untilRun(first.Run.ID); got != "f" {
		t.Fatalf("the run on tue ends %s, want f", got)
	}
	run := "runs/" + first.Run.ID

	var grid struct {
		Tasks []string
		Runs  []struct{ ID, States string }
	}
	b.get(wf+"/grid", &grid)
	if len(grid.Runs) != 1 || grid.Runs[0].States != "sfb" {
		t.Errorf("grid: %+v, want one run with sfb", grid)
	}
	var task struct {
		Attempts []struct {
			Exit *struct{ Code, CPU, Memory int }
			Log  int
		}
		Definition struct {
			Line  int
			Lines []string
		}
	}
	b.get(run+"/tasks/bad", &task)
	if len(task.Attempts) != 1 || task.Attempts[0].Exit == nil || task.Attempts[0].Exit.Code != 7 || task.Attempts[0].Exit.Memory == 0 || task.Definition.Line != 11 {
		t.Errorf("task: %+v, want an attempt that ended with 7 and used memory, and line 11", task)
	}
	var args struct {
		Args []struct {
			Name, Template, Value string
			Rendered              bool
		}
	}
	b.get(run+"/tasks/last/0/arguments", &args)
	if len(args.Args) != 1 || args.Args[0].Value != "echo 2" || !args.Args[0].Rendered {
		t.Errorf("arguments: %+v, want echo 2", args)
	}
	var xcom struct {
		Values []struct{ Key string }
	}
	b.get(run+"/tasks/get/1/xcom", &xcom)
	if len(xcom.Values) == 0 || xcom.Values[0].Key != "return_value" {
		t.Errorf("XComs: %+v, want return_value", xcom)
	}
	var found struct {
		At   []int64
		Next int64
		Size int64
	}
	b.get(run+"/tasks/get/1/log/search?q=STRASSE", &found)
	if len(found.At) != 0 {
		t.Errorf("search of another word: %+v", found)
	}
	b.get(run+"/tasks/get/1/log/search?q=stra%C3%9Fe%20OF", &found)
	if len(found.At) == 0 || found.Next != -1 {
		t.Fatalf("search: %+v, want a line", found)
	}
	var log struct {
		Lines []struct {
			At   int64
			Text string
		}
		Ended bool
	}
	b.get(fmt.Sprintf("%s/tasks/get/1/log?from=%d&limit=1", run, found.At[0]+3), &log)
	if len(log.Lines) != 1 || log.Lines[0].At != found.At[0] || !strings.Contains(log.Lines[0].Text, "Straße of tue") || !log.Ended {
		t.Errorf("log from within the line: %+v, want the line", log)
	}
	var text string
	b.get(run+"/tasks/get/1/log/download", &text)
	if !strings.Contains(text, "Straße of tue\n") || strings.Contains(text, `{"`) {
		t.Errorf("download: %s", text)
	}
	var timeline struct {
		Rev    int64
		Task   []int
		States string
	}
	b.get(run+"/timeline", &timeline)
	if !strings.Contains(timeline.States, "qtr") || timeline.Rev == 0 {
		t.Errorf("timeline: %+v, want spans of queued, starting and running", timeline)
	}
	b.get(fmt.Sprintf("%s/timeline?after=%d", run, timeline.Rev), &timeline)
	if len(timeline.Task) != 0 {
		t.Errorf("timeline of what came later: %+v, want nothing", timeline)
	}

	b.post(run+"/mark", map[string]any{"task": "bad", "state": "success"}, nil)
	b.post(run+"/clear", map[string]any{"tasks": []string{"last"}}, nil)
	if got := b.untilRun(first.Run.ID); got != "s" {
		t.Errorf("the run ends %s after the mark and the clear, want s", got)
	}
	var told struct {
		Entries []struct {
			By    string
			Lines []struct{ Task, State, Text string }
		}
		Next string
	}
	b.get(run+"/journal?limit=1", &told)
	if len(told.Entries) != 1 || told.Next == "" || told.Entries[0].By != "" {
		t.Errorf("the first page of the journal: %+v, want one entry that nobody asked for, and a key for more", told)
	}
	b.get(run+"/journal?asked=true", &told)
	if len(told.Entries) != 2 || told.Entries[0].By != c.key.AccessKey || told.Entries[0].Lines[0].Task != "bad" || told.Entries[1].Lines[0].Task != "last" {
		t.Errorf("what somebody asked for: %+v, want the mark of bad and the clear of last, by the key", told)
	}
	if bad := b.ask(http.MethodGet, run+"/journal?after=x", nil, nil); bad == nil || bad.Kind != "invalid" || bad.Field != "after" {
		t.Errorf("a page of the journal after nonsense: %+v, want a refusal", bad)
	}
	for _, days := range []map[string]any{{"from": 2000, "to": 1000, "dry": true}, {"from": -5, "to": 1000, "dry": true}} {
		if bad := b.ask(http.MethodPost, wf+"/backfill", days, nil); bad == nil || bad.Kind != "invalid" || strings.Contains(bad.Message, "needed") {
			t.Errorf("a backfill of %v: %+v, want to hear what is wrong with it", days, bad)
		}
	}
	var like begun
	b.post(run+"/rerun", map[string]any{"params": map[string]any{"day": "mon"}}, &like)
	if got := b.untilRun(like.Run.ID); got != "s" || like.Run.By != c.key.AccessKey {
		t.Errorf("a rerun on mon ends %s and is asked for by %q, want s and the key", got, like.Run.By)
	}
	if bad := b.ask(http.MethodPost, run+"/stop", map[string]any{}, nil); bad == nil || bad.Kind != "conflict" {
		t.Errorf("stop of a run that has ended: %+v, want a conflict", bad)
	}

	var next struct{ Version string }
	edited := strings.Replace(forConsole, "exit 7", "exit 8", 1)
	b.post(wf+"/update", map[string]any{"source": edited, "base": made.Version}, &next)
	if bad := b.ask(http.MethodPost, wf+"/update", map[string]any{"source": edited, "base": made.Version}, nil); bad == nil || bad.Kind != "conflict" {
		t.Errorf("update of a version that is not the latest: %+v, want a conflict", bad)
	}
	var version struct {
		Source string
		N      int
	}
	b.get(wf+"/versions/latest", &version)
	if version.Source != edited || version.N != 2 {
		t.Errorf("the latest version is %d, %s; want the second", version.N, version.Source)
	}
	var paused struct {
		Paused   *struct{ By string }
		Schedule struct{ Next int64 }
	}
	b.post(wf+"/pause", map[string]any{}, &paused)
	if paused.Paused == nil || paused.Paused.By != c.key.AccessKey || paused.Schedule.Next != 0 {
		t.Errorf("pause: %+v, want it by the key, and no next fire", paused)
	}
	b.post(wf+"/resume", map[string]any{}, &paused)
	if paused.Paused != nil || paused.Schedule.Next == 0 {
		t.Errorf("resume: %+v", paused)
	}
	var calendar struct {
		Days []struct {
			Runs  map[string]int
			Slots int
		}
	}
	today := time.Now().UTC()
	b.get(wf+"/calendar?from="+today.Format("2006-01-02")+"&to="+today.AddDate(0, 0, 2).Format("2006-01-02"), &calendar)
	if len(calendar.Days) != 3 || calendar.Days[0].Runs["s"] != 2 || calendar.Days[2].Slots != 1 {
		t.Errorf("calendar: %+v, want two runs today and a slot the day after tomorrow", calendar)
	}
	var backfill struct {
		Slots []struct {
			At  int64
			Run string
		}
		Begun int
	}
	day := today.Truncate(24 * time.Hour)
	span := map[string]any{"from": day.AddDate(0, 0, -3).UnixMilli(), "to": day.AddDate(0, 0, -1).UnixMilli(), "dry": true}
	b.post(wf+"/backfill", span, &backfill)
	if len(backfill.Slots) != 2 || backfill.Begun != 0 || backfill.Slots[0].Run != "" {
		t.Errorf("a dry backfill of three days: %+v, want two slots and no run", backfill)
	}
	if bad := b.ask(http.MethodPost, wf+"/backfill", map[string]any{"from": 5, "to": 4}, nil); bad == nil || bad.Kind != "invalid" {
		t.Errorf("a backfill that ends before it begins: %+v", bad)
	}
	b.post(wf+"/versions/"+made.Version+"/delete", map[string]any{}, nil)
	if bad := b.ask(http.MethodPost, wf+"/versions/latest/delete", map[string]any{}, nil); bad == nil || bad.Kind != "conflict" {
		t.Errorf("the deletion of the only version: %+v, want a conflict", bad)
	}
	b.get(run, nil) // it outlives its version
	b.get(run+"/graph", nil)
	b.get(run+"/tasks/bad", &task)
	b.post(wf+"/delete", map[string]any{}, nil)
}

// TestConsoleBounds asks for what is too much, or makes no sense.
func TestConsoleBounds(t *testing.T) {
	c := serve(t, nil)
	arn := c.workflow("hello", hello)
	_, id, _ := strings.Cut(arn, ":workflow/")
	run := c.start(arn, nil)
	c.until(arn, run, over)
	b := c.signIn()
	wf, task := "workflows/"+id, "runs/"+run+"/tasks/say"
	for path, field := range map[string]string{
		"workflows?limit=0": "limit", "workflows?limit=201": "limit", "workflows?limit=x": "limit", "workflows?runs=31": "runs", "workflows?after=x": "after",
		"workflows?q=" + strings.Repeat("x", 201): "q", wf + "/runs?limit=501": "limit", wf + "/runs?after=AAAA": "after", wf + "/grid?limit=101": "limit",
		wf + "/calendar?from=2026-01-01": "to", wf + "/calendar?from=2026-01-01&to=2027-12-31": "to", wf + "/calendar?from=2026-02-30&to=2026-03-01": "from",
		wf + "/calendar?from=2026-01-02&to=2026-01-01": "to", wf + "/calendar?from=2026-01-01&to=2026-01-02&offset=1000": "offset",
		"runs/" + run + "/timeline?after=-1": "after", "runs/" + run + "/waits?limit=10001": "limit",
		task + "/1/log?limit=2001": "limit", task + "/1/log?from=-1": "from", task + "/1/log?level=x": "level", task + "/1/log/search": "q",
		task + "/1/log/search?q=x&limit=5001": "limit", task + "/1/log/download?form=pdf": "form", "events": "topic", "events?topic=" + strings.Repeat("x", 300): "topic",
		"events?" + strings.Repeat("topic=a&topic=b&topic=c&", 3) + "topic=1&topic=2&topic=3&topic=4&topic=5&topic=6": "topic",
	} {
		if bad := b.ask(http.MethodGet, path, nil, nil); bad == nil || bad.Status != 400 || bad.Field != field {
			t.Errorf("GET %.120s: %+v, want 400 about %s", path, bad, field)
		}
	}
	for _, path := range []string{
		"nothing", "workflows/none", "workflows/none/grid", wf + "/versions/none", "runs/none", "runs/none/tasks", "runs/" + run + "/tasks/none",
		task + "/9/log", task + "/x/log", task + "/-1/xcom", "events?topic=run:none", "events?topic=log:" + run + "/1/none",
	} {
		if bad := b.ask(http.MethodGet, path, nil, nil); bad == nil || bad.Status != 404 || bad.Kind != "notFound" {
			t.Errorf("GET %s: %+v, want 404", path, bad)
		}
	}
	big := map[string]string{"source": strings.Repeat("x", 5<<20)}
	if bad := b.ask(http.MethodPost, "check", big, nil); bad == nil || bad.Status != 400 {
		t.Errorf("a body of 5 MiB: %+v, want 400", bad)
	}
	if bad := b.ask(http.MethodPost, "runs/"+run+"/mark", map[string]string{"task": "say", "state": "great"}, nil); bad == nil || bad.Field != "state" {
		t.Errorf("a state that is none: %+v", bad)
	}
}

func TestConsoleCommand(t *testing.T) {
	c := serve(t, nil)
	var out strings.Builder
	cmd := rootCommand()
	cmd.SetArgs([]string{"console", "--data", c.data})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	address, token, ok := strings.Cut(strings.TrimSpace(out.String()), "/#login=")
	if !ok || address != c.info.Endpoint {
		t.Fatalf("fairlead console prints %q, want a link to %s", out.String(), c.info.Endpoint)
	}
	c.browser().post("login", map[string]string{"token": token}, nil)
	cmd = rootCommand()
	cmd.SetArgs([]string{"console", "--data", t.TempDir()})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "no server runs") {
		t.Errorf("without a server: %v", err)
	}
}

// TestConsoleSession is about who may do what.
func TestConsoleSession(t *testing.T) {
	c := serve(t, nil)
	c.workflow("hello", hello)
	stranger := c.browser()
	var session struct {
		User, Version string
		Login         bool
	}
	stranger.get("session", &session)
	if session.User != "" || session.Version != "" || !session.Login {
		t.Errorf("a stranger is told %+v", session)
	}
	for _, path := range []string{"workflows", "workflows/hello", "events?topic=workflows", "runs/x/tasks/y/1/log"} {
		if bad := stranger.ask(http.MethodGet, path, nil, nil); bad == nil || bad.Status != 401 || bad.Kind != "signedOut" {
			t.Errorf("GET %s by a stranger: %+v, want 401", path, bad)
		}
	}
	for _, in := range []any{
		map[string]string{"accessKey": c.key.AccessKey, "secretKey": "no"}, map[string]string{"accessKey": "no", "secretKey": c.key.SecretKey},
		map[string]string{"token": "AAAA"}, map[string]string{},
	} {
		if bad := stranger.ask(http.MethodPost, "login", in, nil); bad == nil || bad.Status != 401 {
			t.Errorf("login with %v: %+v, want 401", in, bad)
		}
	}
	_, token, _ := strings.Cut(link(c.info, c.key), "#login=")
	b := c.browser()
	b.post("login", map[string]string{"token": token}, &session)
	if session.User != c.key.AccessKey {
		t.Errorf("the link signs in %q, want the key", session.User)
	}
	if bad := stranger.ask(http.MethodPost, "login", map[string]string{"token": token}, nil); bad == nil || bad.Status != 401 {
		t.Errorf("the link opened twice: %+v, want 401", bad)
	}
	b.get("workflows", nil)

	elsewhere := func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }
	if bad := b.ask(http.MethodPost, "pause", map[string]any{}, nil, elsewhere); bad == nil || bad.Status != 403 || bad.Kind != "denied" {
		t.Errorf("a request that another site's page makes: %+v, want 403", bad)
	}
	asText := func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }
	if bad := b.ask(http.MethodPost, "pause", map[string]any{}, nil, asText); bad == nil || bad.Status != 400 {
		t.Errorf("a body of another type: %+v, want 400", bad)
	}
	if bad := b.ask(http.MethodPost, "pause", map[string]any{"slip": 1}, nil); bad == nil || bad.Status != 400 {
		t.Errorf("a member that means nothing: %+v, want 400", bad)
	}
	otherHost := func(r *http.Request) { r.Host = "evil.example" }
	if bad := b.ask(http.MethodGet, "workflows", nil, nil, otherHost); bad == nil || bad.Status != 421 {
		t.Errorf("under another name: %+v, want 421", bad)
	}
	b.post("logout", map[string]any{}, nil)
	if bad := b.ask(http.MethodGet, "workflows", nil, nil); bad == nil || bad.Status != 401 {
		t.Errorf("after the logout: %+v, want 401", bad)
	}
}

func TestConsoleReadOnly(t *testing.T) {
	c := serve(t, func(o *options) { o.readOnly = true })
	arn := c.workflow("hello", hello)
	_, id, _ := strings.Cut(arn, ":workflow/")
	b := c.signIn()
	b.get("workflows/"+id, nil)
	b.post("check", map[string]any{"source": hello}, nil)
	for _, path := range []string{"pause", "resume", "workflows", "workflows/" + id + "/start", "workflows/" + id + "/delete", "workflows/" + id + "/update", "runs/x/stop"} {
		if bad := b.ask(http.MethodPost, path, map[string]any{}, nil); bad == nil || bad.Status != 403 || bad.Kind != "readOnly" {
			t.Errorf("POST %s: %+v, want 403", path, bad)
		}
	}
}

// TestConsolePage asks for the page and the files that it names.
func TestConsolePage(t *testing.T) {
	c := serve(t, nil)
	get := func(path string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.info.Endpoint+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(data)
	}
	for _, path := range []string{"/", "/workflows/any", "/runs/any/tasks/some"} {
		resp, text := get(path)
		policy := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != 200 || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || resp.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %s, %v; want a page under a strict policy", path, resp.Status, resp.Header)
		}
		files := 0
		for part := range strings.SplitSeq(text, `"`) {
			if !strings.HasPrefix(part, "/console/assets/") {
				continue
			}
			files++
			if resp, file := get(part); resp.StatusCode != 200 || file == "" || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %s, %d bytes, %q; want a file to be kept", part, resp.Status, len(file), resp.Header.Get("Cache-Control"))
			}
		}
		if files == 0 {
			t.Errorf("%s names no files:\n%s", path, text)
		}
	}
	if resp, _ := get("/console/assets/none.js"); resp.StatusCode != 404 {
		t.Errorf("a file that is not there: %s", resp.Status)
	}
}

// An event is one that the console sent.
type event struct{ id, name, data string }

// watch opens a stream of events; next waits for the next one of a name.
func (b *browser) watch(query string) (next func(name string) event) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.at+"/console/api/events?"+query, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.http.Do(req)
	if err != nil || resp.StatusCode != 200 {
		b.t.Fatalf("watch %s: %v %v", query, resp, err)
	}
	b.t.Cleanup(func() { resp.Body.Close() })
	events := make(chan event)
	go func() {
		defer close(events)
		var e event
		for in := bufio.NewReader(resp.Body); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					select {
					case events <- e:
					case <-b.t.Context().Done():
						return
					}
				}
				e = event{}
			}
		}
	}()
	return func(name string) event {
		b.t.Helper()
		late := time.After(patience)
		for {
			select {
			case e, ok := <-events:
				if !ok {
					b.t.Fatalf("the stream ended before an event %s", name)
				}
				if e.name == name {
					return e
				}
			case <-late:
				b.t.Fatalf("no event %s came", name)
			}
		}
	}
}

// TestConsoleLive watches a run from its start to its end, leaves in the
// middle, and comes back.
func TestConsoleLive(t *testing.T) {
	c := serve(t, nil)
	arn := c.workflow("slow", `slow:
  default_args: {retries: 0}
  tasks:
    first: {operator: airflow.operators.bash.BashOperator, bash_command: "echo one; sleep 0.6; echo two; sleep 0.6"}
    second: {operator: airflow.operators.bash.BashOperator, bash_command: "true", dependencies: [first]}
`)
	_, id, _ := strings.Cut(arn, ":workflow/")
	b := c.signIn()
	list := b.watch("topic=workflows&topic=workflow:" + id)
	hi := list("hello")
	run := c.start(arn, nil)
	if e := list("workflows"); !strings.Contains(e.data, run) {
		t.Errorf("the list is told %s, want the run %s", e.data, run)
	}
	one := b.watch("topic=run:" + run + "&topic=log:" + run + "/1/first")
	one("hello")
	seen := ""
	for !strings.Contains(seen, "two") {
		var e struct{ Lines []struct{ Text string } }
		if err := json.Unmarshal([]byte(one("log").data), &e); err != nil {
			t.Fatal(err)
		}
		for _, l := range e.Lines {
			seen += l.Text + "\n"
		}
	}
	for {
		var e struct {
			Run    struct{ State string }
			Task   []int
			States string
		}
		if err := json.Unmarshal([]byte(one("run").data), &e); err != nil {
			t.Fatal(err)
		}
		if e.Run.State == "s" {
			break
		}
	}
	// Who comes back is told what was missed.
	back := b.watch("topic=workflows&topic=workflow:" + id + "&last=" + hi.id)
	if e := back("workflow"); !strings.Contains(e.data, run) || !strings.Contains(e.data, `"cells":[`) {
		t.Errorf("who comes back is told %s", e.data)
	}
	// Who was away too long is told to read again.
	b.watch("topic=workflows&last=gone-12")("reset")

	b.post("workflows/"+id+"/delete", map[string]any{}, nil)
	for {
		if e := list("workflow"); strings.Contains(e.data, `"gone":true`) {
			break
		}
	}
	if bad := b.ask(http.MethodGet, "events?topic=nonsense", nil, nil); bad == nil || bad.Field != "topic" {
		t.Errorf("a topic that is none: %+v", bad)
	}
}

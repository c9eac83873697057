package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"fairlead/internal/flow"
)

// ask sends a request to a console of a world and returns the answer.
func ask(t *testing.T, c Config, method, target string, edit ...func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:8400"
	for _, f := range edit {
		f(r)
	}
	w := httptest.NewRecorder()
	New(c).ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body), w.Result().Header
}

func get(t *testing.T, c Config, target string) (int, string) {
	t.Helper()
	code, body, _ := ask(t, c, http.MethodGet, target)
	return code, body
}

var markup = regexp.MustCompile(`<[^>]*>`)

// seen is what a reader sees of a page: its text, with space made single.
func seen(page string) string {
	page = html.UnescapeString(markup.ReplaceAllString(page, " "))
	return strings.Join(strings.Fields(page), " ")
}

const (
	ingestURL  = "/workflows/ingest-clicks-a1B2c3D4e5"
	runningURL = "/runs/ingest-clicks-a1B2c3D4e5/Qm7RkVw2XyB4tZn"
	hiddenURL  = "/runs/train-model-Zx8Kq2Lm4P/hIddenFa1lure00"
)

func TestPagesSayWhatIsTrue(t *testing.T) {
	c := busyWorld().config()
	for _, tt := range []struct {
		url  string
		want []string
	}{
		{"/", []string{
			"1 run is active", "ingest-clicks ingest-clicks-a1B2c3D4e5 RUNNING 2026-11-21 09:28:00 , for 1 m 59 s 1 */15 * * * * UTC next 2026-11-21 09:45:00 , in 15 m 00 s 3",
			"fresh fresh-Aa1Bb2Cc3D never ran 0 on demand 1", "STOPPED 2026-11-21 06:30:00 , took 17.0 s",
		}},
		{ingestURL, []string{
			"arn:aws:airflow-serverless:eu-central-1:123456789012:workflow/ingest-clicks-a1B2c3D4e5", "Active runs 1 of at most 16",
			"Qm7RkVw2XyB4tZn RUNNING 2026-11-21 09:28:00 1 m 59 s ON_DEMAND 3", "FAILED 2026-11-21 07:15:00 2 m 11 s SCHEDULED 3 Workflow execution failed", "Older runs",
		}},
		{"/workflows/fresh-Aa1Bb2Cc3D", []string{"No run yet", "aws mwaa-serverless start-workflow-run", "workflow/fresh-Aa1Bb2Cc3D"}},
		{ingestURL + "/versions/" + fmt.Sprintf("%032x", 0x7a1bf531+3), []string{"version 3", "16 lines", "bucket_key: s3://exports/{{ ds }}/_SUCCESS"}},
		{runningURL, []string{
			"6 NONE waiting 1 QUEUED starting 1 RUNNING 1 UP_FOR_RETRY retrying 3 SUCCESS", "limit 5000",
			"extract_clicks 1 FAILED exit status 137", "extract_clicks 2 UP_FOR_RETRY retrying ValueError: column 'referrer' is missing in 3 of 812 files; attempt 3 follows in 4 m 12 s",
			"join_all 0 NONE waiting waits for clean_users, clean_orders, extract_clicks", "list_partitions success · 9.4 s",
			"notify_on_failure 0 NONE waiting waits for publish, extract_clicks (trigger rule one_failed)",
		}},
		{hiddenURL, []string{"SUCCESS, although a task did not succeed: train.", "TIMEOUT timed out Timeout, the task ran longer"}},
		{runningURL + "/list_partitions/1", []string{
			"Operator S3ListOperator", "bytes 73400320", "return_value", "found 2 objects, 70 MiB", "clean_job.py:12 in run", "ValueError: boom",
			"After wait_for_export (SUCCESS) Before extract_users (SUCCESS) extract_orders (RUNNING) extract_clicks (retrying)",
		}},
		{runningURL + "/extract_clicks/2", []string{"Attempt 2 of at most 3 see also attempt 1", "May take 30m", "Due again 2026-11-21 09:34:12"}},
		{runningURL + "/join_all/0", []string{"waits for", "The task has not started."}},
	} {
		code, page := get(t, c, tt.url)
		if code != http.StatusOK {
			t.Errorf("%s: status %d, want 200", tt.url, code)
		}
		for _, want := range tt.want {
			if text := seen(page); !strings.Contains(text, want) {
				t.Errorf("%s: got the page\n%s\nwant in it\n%s", tt.url, text, want)
			}
		}
	}
}

func TestEmptyServerTellsTheFirstCommand(t *testing.T) {
	_, page := get(t, newMemory().config(), "/")
	for _, want := range []string{`eval "$(fairlead env)"`, "aws mwaa-serverless create-workflow", "arn:aws:iam::123456789012:role/any"} {
		if text := seen(page); !strings.Contains(text, want) {
			t.Errorf("the first page is\n%s\nwant in it %s", text, want)
		}
	}
}

func TestOnlyUnfinishedPagesRefresh(t *testing.T) {
	c := busyWorld().config()
	for url, want := range map[string]string{
		"/": `data-every="1500"`, runningURL: `data-every="1500"`, runningURL + "/extract_clicks/2": `data-every="1500"`,
		"/workflows/fresh-Aa1Bb2Cc3D": `data-every="5000"`, hiddenURL: "", runningURL + "/extract_clicks/1": "", "/nothing": "",
	} {
		_, page := get(t, c, url)
		if got := regexp.MustCompile(`data-every="\d+"`).FindString(page); got != want {
			t.Errorf("%s refreshes with %q, want %q", url, got, want)
		}
	}
}

func TestHostileTextStaysText(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)> {{.}} </pre></title>` + "\u202e'"
	w := newMemory()
	task := flow.TaskID("a/../" + evil)
	w.workflows = []flow.Workflow{{ID: "evil-0123456789", Name: evil, Latest: "v", Tags: map[string]string{evil: evil}, Created: epoch}}
	w.versions = []flow.Version{{ID: "v", Workflow: "evil-0123456789", N: 1, Graph: "g", Source: evil, Schedule: &flow.Schedule{Expr: evil, Zone: evil}}}
	w.graphs["g"] = flow.Graph{Nodes: []flow.Node{{ID: task, Kind: evil, When: evil}, {ID: "b", After: []flow.TaskID{task}}}}
	params, _ := json.Marshal(map[string]string{evil: evil})
	w.runs = []flow.Run{{ID: "r", Workflow: "evil-0123456789", Version: "v", Graph: "g", State: flow.Failed, Reason: evil, Params: params, Created: epoch}}
	w.tasks["r"] = []flow.Task{
		{ID: task, Kind: evil, State: flow.Failed, Attempt: 1, Reason: evil, Started: epoch, Ended: epoch},
		{ID: "b", Index: 1, State: flow.Blocked},
	}
	line, _ := json.Marshal(map[string]string{"event": evil, "level": evil, "more": evil})
	w.outputs[instanceKey("r", task, 1)] = map[string]json.RawMessage{evil: params}
	w.log("r", task, 1, epoch, evil, string(line), "\x1b]0;"+evil+"\x07\x1b[31mred")

	taskPath := taskURL(w.runs[0], task, 1)
	for _, url := range []string{
		"/", "/workflows/evil-0123456789", "/workflows/evil-0123456789/versions/v", "/runs/evil-0123456789/r", taskPath,
		"/%3Cscript%3Ealert(1)%3C/script%3E", "/workflows/%3Cscript%3Ealert(1)", "/?page=%22%3E%3Cscript%3E",
	} {
		code, page := get(t, w.config(), url)
		if strings.HasPrefix(url, "/runs") && code != http.StatusOK {
			t.Errorf("%s: status %d, want 200", url, code)
		}
		if n := strings.Count(page, "<script"); n != 1 {
			t.Errorf("%s has %d script elements, want 1:\n%s", url, n, page)
		}
		for _, bad := range []string{"<img", "style=", "</pre></title>", "javascript:", "ZgotmplZ"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s contains %s:\n%s", url, bad, page)
			}
		}
		if on := regexp.MustCompile(`<[^>]*\son\w+=[^>]*>`).FindString(strings.ReplaceAll(page, "&gt;", "")); on != "" {
			t.Errorf("%s has a handler: %s", url, on)
		}
	}

	code, raw, h := ask(t, w.config(), http.MethodGet, taskPath+"/log")
	if code != http.StatusOK || !strings.HasPrefix(raw, evil+"\n") || h.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox;") {
		t.Errorf("raw log: status %d, %v\n%s\nwant the text as it is, as plain text in a sandbox", code, h, raw)
	}
}

func TestOnlyKnownHosts(t *testing.T) {
	c := newMemory().config()
	c.Hosts = []string{"Fairlead.Example.com"}
	for host, want := range map[string]int{
		"127.0.0.1:8400": 200, "127.8.9.10": 200, "localhost": 200, "LOCALHOST:8400": 200, "localhost.:80": 200, "app.localhost:1": 200,
		"[::1]:8400": 200, "[::1]": 200, "[::ffff:127.0.0.1]:80": 200, "fairlead.example.com:443": 200,
		"evil.example.com": 421, "evil.example.com:8400": 421, "127.0.0.1.evil.com": 421, "localhost.evil.com": 421, "192.168.1.7:8400": 421,
		"0.0.0.0:8400": 421, "": 421, "notlocalhost": 421, "fairlead.example.com.evil.com": 421,
	} {
		code, page, _ := ask(t, c, http.MethodGet, "/", func(r *http.Request) { r.Host = host })
		if code != want {
			t.Errorf("Host %q: status %d, want %d", host, code, want)
		}
		if code != 200 && !strings.Contains(page, "does not answer to the name") {
			t.Errorf("Host %q: the page does not say why:\n%s", host, page)
		}
	}
}

func TestOnlyReads(t *testing.T) {
	c := busyWorld().config()
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "BREW"} {
		if code, _, h := ask(t, c, method, "/"); code != http.StatusMethodNotAllowed || h.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: status %d, Allow %q; want 405 and GET, HEAD", method, code, h.Get("Allow"))
		}
	}
	srv := httptest.NewServer(New(c))
	defer srv.Close()
	resp, err := http.Head(srv.URL + runningURL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || len(body) > 0 {
		t.Errorf("HEAD: status %d and %d bytes, want 200 and none", resp.StatusCode, len(body))
	}
}

func TestKeyIsAskedFor(t *testing.T) {
	c := busyWorld().config()
	c.Auth = &Auth{"AKIAEXAMPLE", "secret:with/colon"}
	asset := regexp.MustCompile(`/assets/[^"]+css`).FindString(func() string { _, p := get(t, busyWorld().config(), "/"); return p }())
	for _, url := range []string{"/", runningURL, runningURL + "/list_partitions/1/log", "/nothing", asset} {
		for _, tt := range []struct {
			user, password string
			want           int
		}{
			{"", "", 401}, {"AKIAEXAMPLE", "", 401}, {"AKIAEXAMPLE", "secret", 401}, {"akiaexample", "secret:with/colon", 401},
			{"", "secret:with/colon", 401}, {"AKIAEXAMPLE", "secret:with/colon", 200},
		} {
			want := tt.want
			if url == "/nothing" && want == 200 {
				want = 404
			}
			code, page, h := ask(t, c, http.MethodGet, url, func(r *http.Request) {
				if tt.user+tt.password != "" {
					r.SetBasicAuth(tt.user, tt.password)
				}
			})
			if code != want || (code == 401) != (h.Get("WWW-Authenticate") != "") {
				t.Errorf("%s as %q, %q: status %d, %q; want %d", url, tt.user, tt.password, code, h.Get("WWW-Authenticate"), want)
			}
			if code == 401 && strings.Contains(page, "ingest") {
				t.Errorf("%s shows something to a stranger:\n%s", url, page)
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	c := busyWorld().config()
	for _, url := range []string{"/", runningURL, "/nothing", "/?page=x"} {
		_, page, h := ask(t, c, http.MethodGet, url)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
			"X-Content-Type-Options":  "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Content-Type": "text/html; charset=utf-8",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", url, name, got, want)
			}
		}
		for _, file := range regexp.MustCompile(`/assets/[^"]+`).FindAllString(page, -1) {
			if code, body, h := ask(t, c, http.MethodGet, file); code != 200 || body == "" || !strings.Contains(h.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: status %d, %d bytes, %q; want a file to be kept", file, code, len(body), h.Get("Cache-Control"))
			}
		}
	}
}

func TestListsGoOn(t *testing.T) {
	w := busyWorld()
	for i := range 120 {
		id := flow.WorkflowID(fmt.Sprintf("many%03d-0123456789", i))
		v := flow.VersionID(fmt.Sprintf("v%d", i))
		w.workflows = append(w.workflows, flow.Workflow{ID: id, Name: fmt.Sprintf("many%03d", i), Latest: v})
		w.versions = append(w.versions, flow.Version{ID: v, Workflow: id, N: 1})
	}
	big := flow.Run{ID: "big", Workflow: "fresh-Aa1Bb2Cc3D", Version: w.versions[16].ID, Graph: "big", State: flow.Running, Created: epoch}
	var g flow.Graph
	for i := range 450 {
		id := flow.TaskID(fmt.Sprintf("t%03d", i))
		g.Nodes = append(g.Nodes, flow.Node{ID: id})
		w.tasks["big"] = append(w.tasks["big"], flow.Task{ID: id, Index: i, State: flow.Ready})
	}
	w.graphs["big"], w.runs = g, append(w.runs, big)
	c := w.config()

	for _, tt := range []struct {
		name, url, next, row string
		want                 int
	}{
		{"workflows", "/", "Older workflows", `<th scope="row"><a href="/workflows/`, 124},
		{"runs", ingestURL, "Older runs", `<th scope="row"><a class="id" href="/runs/`, 41},
		{"runs of a version", ingestURL + "?version=" + string(w.versions[3].ID), "Older runs", `<th scope="row"><a class="id" href="/runs/`, 41},
		{"runs of an old version", ingestURL + "?version=" + string(w.versions[1].ID), "Older runs", `<th scope="row"><a class="id" href="/runs/`, 0},
		{"versions", "/workflows/train-model-Zx8Kq2Lm4P", "Older versions", `<th scope="row" class="num">`, 12},
		{"tasks", "/runs/fresh-Aa1Bb2Cc3D/big", "Further tasks", `<th scope="row"><a href="/runs/`, 450},
	} {
		got, pages := 0, 0
		for url := tt.url; url != "" && pages < 50; pages++ {
			code, page := get(t, c, url)
			if code != http.StatusOK {
				t.Fatalf("%s: %s: status %d", tt.name, url, code)
			}
			got += strings.Count(page, tt.row)
			m := regexp.MustCompile(`<a href="([^"]+)" rel="next">` + tt.next).FindStringSubmatch(page)
			if url = ""; m != nil {
				url = html.UnescapeString(m[1])
			}
		}
		if got != tt.want {
			t.Errorf("%s: %d rows on %d pages, want %d", tt.name, got, pages, tt.want)
		}
	}

	for _, url := range []string{"/?page=bogus", ingestURL + "?runs=AAAA", ingestURL + "?versions=x", runningURL + "?page=x"} {
		if code, page := get(t, c, url); code != http.StatusBadRequest || !strings.Contains(page, "begin again at the front") {
			t.Errorf("%s: status %d, want 400 with a way out:\n%s", url, code, page)
		}
	}
	_, page := get(t, c, ingestURL)
	token := regexp.MustCompile(`\?runs=([^"]+)"`).FindStringSubmatch(page)[1]
	if code, _ := get(t, c, "/workflows/train-model-Zx8Kq2Lm4P?runs="+token); code != http.StatusBadRequest {
		t.Errorf("another workflow's token: status %d, want 400", code)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	c := busyWorld().config()
	for url, want := range map[string]string{
		"/nothing/here":                      `the console has no page "/nothing/here"`,
		"/workflows/none":                    `workflow "none" does not exist`,
		ingestURL + "/versions/none":         `has no version "none"`,
		ingestURL + "?version=none":          `has no version "none"`,
		"/runs/none/none":                    `workflow "none" does not exist`,
		"/runs/ingest-clicks-a1B2c3D4e5/no":  `has no run "no"`,
		runningURL + "/nothing/1":            `no attempt 1 of task "nothing"`,
		runningURL + "/extract_clicks/9":     `no attempt 9 of task "extract_clicks"`,
		runningURL + "/extract_clicks/last":  `there is no attempt "last"`,
		runningURL + "/extract_clicks/-1":    `there is no attempt "-1"`,
		runningURL + "/extract_clicks/9/log": `no log of task "extract_clicks", attempt 9`,
		"/assets/none.css":                   `no file "none.css"`,
	} {
		code, page := get(t, c, url)
		if text := seen(page); code != http.StatusNotFound || !strings.Contains(text, want) || !strings.Contains(text, "The address was "+strings.Split(url, "?")[0]) {
			t.Errorf("%s: status %d and\n%s\nwant 404, %s, and the address", url, code, text, want)
		}
	}
}

func TestInternalErrorsAreNotShown(t *testing.T) {
	w := busyWorld()
	w.broken = errors.New("disk /dev/sda1 is on fire")
	if code, page := get(t, w.config(), "/"); code != http.StatusInternalServerError || strings.Contains(page, "sda1") || !strings.Contains(page, "internal error") {
		t.Errorf("status %d, want 500 without the cause:\n%s", code, page)
	}
}

func TestLongLogsAreCut(t *testing.T) {
	w := busyWorld()
	var lines []string
	for i := range 5000 {
		lines = append(lines, fmt.Sprintf("line %d.", i))
	}
	lines[4999] = strings.Repeat("é", 20000)
	w.log("Qm7RkVw2XyB4tZn", "extract_users", 1, epoch, lines...)
	_, page := get(t, w.config(), runningURL+"/extract_users/1")
	for text, want := range map[string]bool{
		"line 2999.": false, "line 3000.": true, "line 4998.": true, "The last 2000 lines": true, "31808 more bytes": true,
	} {
		if got := strings.Contains(page, text); got != want {
			t.Errorf("page has %q: %t, want %t", text, got, want)
		}
	}
	_, raw := get(t, w.config(), runningURL+"/extract_users/1/log")
	if want := strings.Join(lines, "\n") + "\n"; raw != want {
		t.Errorf("the raw log has %d bytes, want %d", len(raw), len(want))
	}
	if _, page = get(t, w.config(), runningURL+"/extract_users/1"); len(page) > 1<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

func TestRunBeforeItsFirstTask(t *testing.T) {
	w := busyWorld()
	w.runs = append(w.runs, flow.Run{
		ID: "queued", Workflow: "fresh-Aa1Bb2Cc3D", Version: w.versions[16].ID, Graph: "g-train-model-Zx8Kq2Lm4P", State: flow.Ready, Created: epoch,
	})
	_, page := get(t, w.config(), "/runs/fresh-Aa1Bb2Cc3D/queued")
	for _, want := range []string{"QUEUED", "waits for a slot (at most 16 runs of this workflow at once", "The run has not begun", "Graph of 3 tasks"} {
		if !strings.Contains(seen(page)+page, want) {
			t.Errorf("got\n%s\nwant in it %s", seen(page), want)
		}
	}
}

func TestRunOutlivesItsVersion(t *testing.T) {
	w := busyWorld()
	w.runs = append(w.runs, flow.Run{
		ID: "old", Workflow: "fresh-Aa1Bb2Cc3D", Version: "0123456789abcdef", Graph: "g-train-model-Zx8Kq2Lm4P", State: flow.Succeeded, Created: epoch,
	})
	code, page := get(t, w.config(), "/runs/fresh-Aa1Bb2Cc3D/old")
	if want := "Version 01234567… (deleted)"; code != 200 || !strings.Contains(seen(page), want) {
		t.Errorf("status %d and\n%s\nwant 200 and in it %s", code, seen(page), want)
	}
}

func TestLasting(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 ms", 12 * time.Millisecond: "12 ms", 1500 * time.Millisecond: "1.5 s", 59999 * time.Millisecond: "59.9 s",
		65 * time.Second: "1 m 05 s", 3*time.Hour + 4*time.Minute: "3 h 04 m", 50 * time.Hour: "2 d 02 h",
	} {
		if got := lasting(d); got != want {
			t.Errorf("lasting(%v) = %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{30 * time.Minute: "30m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Minute: "10m", 5 * time.Second: "5s"} {
		if got := round(d); got != want {
			t.Errorf("round(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestHugeLinesAreBounded(t *testing.T) {
	w := busyWorld()
	for i := range 40 {
		w.log("Qm7RkVw2XyB4tZn", "extract_users", 1, epoch, fmt.Sprintf("<%d>", i)+strings.Repeat("x", 256<<10))
	}
	_, page := get(t, w.config(), runningURL+"/extract_users/1")
	if !strings.Contains(page, "&lt;39&gt;xxx") || strings.Contains(page, "&lt;20&gt;xxx") || !strings.Contains(page, "The whole log") || len(page) > 1<<20 {
		t.Errorf("the page of 40 lines of 256 KiB has %d bytes; want the last ones only, cut", len(page))
	}
}

package cwlogs_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/internal/cwlogs"
	"fairlead/internal/logs"

	"github.com/google/go-cmp/cmp"
)

const group = "/aws/mwaa-serverless/wf-a1B2c3D4e5/"

type world struct {
	t   *testing.T
	dir *logs.Dir
	url string
}

func newWorld(t *testing.T) *world {
	dir, err := logs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(cwlogs.New(cwlogs.Config{Logs: dir, Region: "us-east-1", Account: "111122223333"}))
	t.Cleanup(server.Close)
	return &world{t, dir, server.URL}
}

// ask returns the answer, or the class of the error under "__type".
func (w *world) ask(op, body string) map[string]any {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Logs_20140328."+op)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		w.t.Fatalf("%s %s: answer %q: %v", op, body, data, err)
	}
	return out
}

// texts are the messages, or the error's class, of an answer.
func texts(out map[string]any) []string {
	if class, ok := out["__type"].(string); ok {
		return []string{class}
	}
	var all []string
	for _, e := range out["events"].([]any) {
		all = append(all, e.(map[string]any)["message"].(string))
	}
	return all
}

func quote(v any) string {
	data, _ := json.Marshal(v)
	return string(data)
}

func TestWhatTasksWriteIsRead(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct{ op, body, want string }{
		{"CreateLogGroup", `{"logGroupName":"g"}`, `{}`},
		{"CreateLogGroup", `{"logGroupName":"g"}`, `{"__type":"ResourceAlreadyExistsException","message":"The specified log group already exists"}`},
		{"CreateLogStream", `{"logGroupName":"g","logStreamName":"s"}`, `{}`},
		{"CreateLogStream", `{"logGroupName":"x","logStreamName":"s"}`, `{"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}`},
		{"PutLogEvents", `{"logGroupName":"g","logStreamName":"x","logEvents":[{"timestamp":1,"message":"a"}]}`, `{"__type":"ResourceNotFoundException","message":"The specified log stream does not exist."}`},
		{"PutLogEvents", `{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":2,"message":"a"},{"timestamp":1,"message":"b"}]}`,
			`{"__type":"InvalidParameterException","message":"Log events in a single PutLogEvents request must be in chronological order."}`},
		{"PutLogEvents", `{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":1,"message":"a\nb"},{"timestamp":2,"message":"c"}]}`,
			`{"nextSequenceToken":"49500000000000000000000000000000000000000000000000000000"}`},
		{"GetLogEvents", `{"logGroupName":"g","logStreamName":"s","endTime":2}`,
			`{"events":[{"timestamp":1,"message":"a\nb","ingestionTime":1}],"nextForwardToken":"f/00000000000000000000000000000000000000000000000000000039/s","nextBackwardToken":"b/00000000000000000000000000000000000000000000000000000000/s"}`},
		{"GetLogEvents", `{"logGroupName":"g","logStreamName":"x"}`, `{"__type":"ResourceNotFoundException","message":"The specified log stream does not exist."}`},
		{"GetLogEvents", `{"logGroupName":"g","logStreamName":"s","nextToken":"f/3/s"}`, `{"__type":"InvalidParameterException","message":"The specified nextToken is invalid."}`},
		{"GetLogEvents", `{"logGroupName":"g","logStreamName":"s","nextToken":"x"}`, `{"__type":"InvalidParameterException","message":"The specified nextToken is invalid."}`},
		{"DeleteLogStream", `{"logGroupName":"g","logStreamName":"s"}`, `{}`},
		{"DeleteLogGroup", `{"logGroupName":"g"}`, `{}`},
		{"DeleteLogGroup", `{"logGroupName":"g"}`, `{"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}`},
	} {
		var want map[string]any
		if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, w.ask(tt.op, tt.body)); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tt.op, tt.body, diff)
		}
	}
}

func TestDescribe(t *testing.T) {
	w := newWorld(t)
	stream := func(task string) string {
		return "workflow_id=wf-a1B2c3D4e5/run_id=r/task_id=" + task + "/attempt=1.log"
	}
	for i, task := range []string{"b", "a", "c"} {
		line := fmt.Sprintf(`{"timestamp":"2026-01-01T00:00:0%dZ","event":"%s"}`, i, task)
		if err := w.dir.Append(group, stream(task), []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.dir.CreateGroup("other"); err != nil {
		t.Fatal(err)
	}
	names := func(out map[string]any, list, name string) (all []string) {
		for _, item := range out[list].([]any) {
			all = append(all, item.(map[string]any)[name].(string))
		}
		return all
	}
	for _, tt := range []struct{ body, want string }{
		{`{}`, group + " other"},
		{`{"limit":1}`, group},
		{`{"logGroupNamePrefix":"/aws"}`, group},
		{`{"logGroupNamePattern":"the"}`, "other"},
		{`{"logGroupNamePattern":"the","limit":1}`, "other"},
	} {
		out := w.ask("DescribeLogGroups", tt.body)
		if got := strings.Join(names(out, "logGroups", "logGroupName"), " "); got != tt.want {
			t.Errorf("DescribeLogGroups %s: got %q, want %q", tt.body, got, tt.want)
		}
	}
	first := w.ask("DescribeLogGroups", `{"limit":1}`)
	second := w.ask("DescribeLogGroups", `{"limit":1,"nextToken":`+quote(first["nextToken"])+`}`)
	if got := names(second, "logGroups", "logGroupName"); len(got) != 1 || got[0] != "other" || second["nextToken"] != nil {
		t.Errorf("second page: %v; want other, and no token", second)
	}
	out := w.ask("DescribeLogStreams", `{"logGroupIdentifier":"arn:aws:logs:us-east-1:111122223333:log-group:`+group+`:*"}`)
	want := []string{stream("a"), stream("b"), stream("c")}
	if diff := cmp.Diff(want, names(out, "logStreams", "logStreamName")); diff != "" {
		t.Errorf("DescribeLogStreams by ARN (-want +got):\n%s", diff)
	}
	b := out["logStreams"].([]any)[1].(map[string]any)
	if b["firstEventTimestamp"] != float64(1767225600000) || b["lastEventTimestamp"] != float64(1767225600000) {
		t.Errorf("stream b: %v; want the time of its event", b)
	}
	for _, tt := range []struct{ body, want string }{
		{`{"logGroupName":"x"}`, "ResourceNotFoundException"},
		{`{}`, "InvalidParameterException"},
		{`{"logGroupName":"other","orderBy":"Size"}`, "InvalidParameterException"},
		{`{"logGroupName":"other","orderBy":"LastEventTime","logStreamNamePrefix":"a"}`, "InvalidParameterException"},
		{`{"logGroupName":"other","limit":51}`, "InvalidParameterException"},
		{`{"logGroupName":"other","nextToken":"*"}`, "InvalidParameterException"},
	} {
		if got := w.ask("DescribeLogStreams", tt.body)["__type"]; got != tt.want {
			t.Errorf("DescribeLogStreams %s: got %v, want %s", tt.body, got, tt.want)
		}
	}
	// What GetTaskInstance calls LogStream reads the same stream.
	got := texts(w.ask("GetLogEvents", `{"logGroupName":`+quote(group)+`,"logStreamName":`+quote("/"+group+"/"+stream("a"))+`}`))
	if len(got) != 1 || !strings.Contains(got[0], `"event":"a"`) {
		t.Errorf("GetLogEvents of group and stream in one: %q; want the line of a", got)
	}
}

func TestGetLogEventsPages(t *testing.T) {
	w := newWorld(t)
	var all []string
	for i := range 25 {
		all = append(all, fmt.Sprint("line ", i))
		if err := w.dir.Append(group, "s", []byte(all[i])); err != nil {
			t.Fatal(err)
		}
	}
	read := func(more string) map[string]any {
		return w.ask("GetLogEvents", `{"logGroupName":`+quote(group)+`,"logStreamName":"s","limit":10`+more+`}`)
	}
	if diff := cmp.Diff(all[15:], texts(read(""))); diff != "" {
		t.Errorf("without startFromHead, the newest (-want +got):\n%s", diff)
	}
	var got []string
	token := ""
	for out := read(`,"startFromHead":true`); out["nextForwardToken"] != token; out = read(`,"startFromHead":true,"nextToken":` + quote(token)) {
		got = append(got, texts(out)...)
		token = out["nextForwardToken"].(string)
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("forward (-want +got):\n%s", diff)
	}
	got, token = nil, ""
	for out := read(""); out["nextBackwardToken"] != token; out = read(`,"nextToken":` + quote(token)) {
		got = append(texts(out), got...)
		token = out["nextBackwardToken"].(string)
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("backward (-want +got):\n%s", diff)
	}
}

// However many streams and whatever the pages, all events come once and by
// time.
func TestFilterInterleaves(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(7, 8))
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type item struct {
		at   time.Time
		text string
	}
	var items []item
	for s := range 30 {
		at := start.Add(time.Duration(rng.IntN(1000)) * time.Second)
		var lines [][]byte
		for i := range rng.IntN(60) {
			at = at.Add(time.Duration(1+rng.IntN(60)) * time.Second)
			text := fmt.Sprintf(`{"timestamp":%q,"level":%q,"event":"%d of %d"}`, at.Add(time.Duration(s)*time.Millisecond).Format(time.RFC3339Nano), []string{"info", "error"}[i%2], i, s)
			lines = append(lines, []byte(text))
			items = append(items, item{at.Add(time.Duration(s) * time.Millisecond), text})
		}
		if err := w.dir.Append(group, fmt.Sprintf("s/%02d", s), lines...); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(items, func(a, b item) int { return a.at.Compare(b.at) })
	for _, tt := range []struct {
		name, body string
		keep       func(item) bool
	}{
		{"all", ``, func(item) bool { return true }},
		{"errors", `,"filterPattern":"{ $.level = \"error\" }"`, func(i item) bool { return strings.Contains(i.text, "error") }},
		{"term", `,"filterPattern":"error"`, func(i item) bool { return strings.Contains(i.text, "error") }},
		{"prefix", `,"logStreamNamePrefix":"s/1"`, func(i item) bool { return strings.Contains(i.text, ` of 1`) && !strings.Contains(i.text, ` of 1"`) }},
		{"two streams", `,"logStreamNames":["s/03","s/04"]`, func(i item) bool { return strings.Contains(i.text, ` of 3"`) || strings.Contains(i.text, ` of 4"`) }},
		{"time", fmt.Sprintf(`,"startTime":%d,"endTime":%d`, start.Add(5*time.Minute).UnixMilli(), items[len(items)/2].at.UnixMilli()),
			func(i item) bool {
				return !i.at.Before(start.Add(5*time.Minute)) && !i.at.After(items[len(items)/2].at)
			}},
	} {
		var want []string
		for _, i := range items {
			if tt.keep(i) {
				want = append(want, i.text)
			}
		}
		for _, limit := range []int{3, 100, 10000} {
			var got []string
			token := ""
			for pages := 0; pages < 2000; pages++ {
				out := w.ask("FilterLogEvents", fmt.Sprintf(`{"logGroupName":%q,"limit":%d%s%s}`, group, limit, tt.body, token))
				got = append(got, texts(out)...)
				next, ok := out["nextToken"].(string)
				if !ok {
					break
				}
				token = `,"nextToken":` + quote(next)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s, pages of %d (-want +got):\n%.3000s", tt.name, limit, diff)
			}
		}
	}
	for _, tt := range []struct{ body, want string }{
		{`"logGroupName":"x"`, "ResourceNotFoundException"},
		{`"logGroupName":"` + group + `","logStreamNames":["x"]`, "ResourceNotFoundException"},
		{`"logGroupName":"` + group + `","filterPattern":"{ $.a = "`, "InvalidParameterException"},
		{`"logGroupName":"` + group + `","nextToken":"e30x"`, "InvalidParameterException"},
		{`"logGroupName":"` + group + `","startTime":2,"endTime":1`, "InvalidParameterException"},
	} {
		if got := w.ask("FilterLogEvents", "{"+tt.body+"}")["__type"]; got != tt.want {
			t.Errorf("FilterLogEvents %s: got %v, want %s", tt.body, got, tt.want)
		}
	}
}

package cwlogs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// TestLiveTail reads a session's messages: what is written after its begin,
// in streams that are wanted, and nothing older.
func TestLiveTail(t *testing.T) {
	w := newWorld(t)
	write := func(stream, text string) {
		t.Helper()
		line, _ := json.Marshal(map[string]string{"timestamp": time.Now().UTC().Format(time.RFC3339Nano), "event": text})
		if err := w.dir.Append(group, stream, line); err != nil {
			t.Fatal(err)
		}
	}
	write("run_id=a/x", "old")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url, strings.NewReader(
		fmt.Sprintf(`{"logGroupIdentifiers":["arn:aws:logs:us-east-1:111122223333:log-group:%s:*"],"logStreamNamePrefixes":["run_id=a"],"logEventFilterPattern":"new"}`, group)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "Logs_20140328.StartLiveTail")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "application/vnd.amazon.eventstream" {
		t.Errorf("Content-Type %q", got)
	}
	dec := eventstream.NewDecoder()
	next := func() (kind string, body map[string]any) {
		t.Helper()
		m, err := dec.Decode(resp.Body, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(m.Payload, &body); err != nil {
			t.Fatal(err)
		}
		return m.Headers.Get(":event-type").String(), body
	}
	for _, want := range []string{"initial-response", "sessionStart", "sessionUpdate"} {
		kind, body := next()
		if kind != want {
			t.Fatalf("message %s %v, want %s", kind, body, want)
		}
		if results, ok := body["sessionResults"].([]any); want == "sessionUpdate" && (!ok || len(results) > 0) {
			t.Errorf("the first update: %v", body)
		}
	}
	write("run_id=a/x", "new 1")
	write("run_id=a/x", "other")
	write("run_id=b/x", "new elsewhere")
	write("run_id=a/y", "new 2")
	var got []string
	for len(got) < 2 { // the stream ends with the test
		_, body := next()
		for _, r := range body["sessionResults"].([]any) {
			e := r.(map[string]any)
			got = append(got, fmt.Sprint(e["logStreamName"], " ", strings.Contains(e["message"].(string), "new")))
		}
	}
	slices.Sort(got) // they may be of one millisecond
	if want := "[run_id=a/x true run_id=a/y true]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	for body, class := range map[string]string{
		`{"logGroupIdentifiers":["nowhere"]}`:                                                            "ResourceNotFoundException",
		`{"logGroupIdentifiers":["` + group + `","b"],"logStreamNames":["x"]}`:                           "InvalidParameterException",
		`{"logGroupIdentifiers":["` + group + `"],"logStreamNames":["x"],"logStreamNamePrefixes":["y"]}`: "InvalidParameterException",
		`{"logGroupIdentifiers":["` + group + `"],"logEventFilterPattern":"{ $.x = "}`:                   "InvalidParameterException",
	} {
		if got := w.ask("StartLiveTail", body)["__type"]; got != class {
			t.Errorf("StartLiveTail %s: %v, want %s", body, got, class)
		}
	}
}

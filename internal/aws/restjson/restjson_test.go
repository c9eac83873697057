package restjson

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/flow"
)

type request struct {
	ID   string          `json:"id,omitzero" aws:"Id,required" in:"path"`
	Size *int            `json:"size,omitzero" aws:"Size" in:"query"`
	Keys []string        `json:"keys,omitzero" aws:"Keys" in:"query"`
	Dry  *bool           `json:"dry,omitzero" in:"query"`
	Text string          `json:"text,omitzero" aws:"Text,required"`
	Doc  json.RawMessage `json:"doc,omitzero"`
	Zip  []byte          `json:"zip,omitzero"`
}

func newService() *Service {
	s := New(Config{MaxBody: 200, Shapes: map[string]awsjson.Shape{
		"Id": {Bounds: "1..20"}, "Size": {Bounds: "1..9"}, "Keys": {Bounds: "0..2", Member: "Id"}, "Text": {Bounds: "1..5"},
	}})
	echo := func(_ context.Context, in *request) (*request, error) { return in, nil }
	Handle(s, Operation{Name: "Put", Method: http.MethodPost, Path: "/thing/{id}", Status: http.StatusAccepted, Body: 300}, echo)
	Handle(s, Operation{Name: "Stop", Method: http.MethodPost, Path: "/thing/stop", Status: http.StatusOK},
		func(context.Context, *struct{}) (*struct{}, error) { return nil, flow.Errorf(flow.NotFound, "gone") })
	Handle(s, Operation{Name: "Drop", Method: http.MethodDelete, Path: "/thing/{id}", Status: http.StatusNoContent},
		func(context.Context, *struct{}) (*struct{}, error) { return &struct{}{}, nil })
	return s
}

func TestRequests(t *testing.T) {
	s := newService()
	for _, tt := range []struct {
		name, method, uri, body string
		want                    string // status, class of an error, body
	}{
		{"members from everywhere", "POST", "/thing/a%2Fb%3Ac?size=3&keys=x&keys=y%20z&dry=true&other=1", `{"text":"é","doc":{"n":1.50},"zip":"aGk=","new":[]}`,
			`202  {"id":"a/b:c","size":3,"keys":["x","y z"],"dry":true,"text":"é","doc":{"n":1.50},"zip":"aGk="}`},
		{"a body cannot say what is in the path", "POST", "/thing/a", `{"text":"t","id":"b","size":5}`, `202  {"id":"a","text":"t"}`},
		{"no body", "POST", "/thing/a", ``, `400 ValidationException text is required`},
		{"broken constraints", "POST", "/thing/a?size=10&keys=1&keys=2&keys=3", `{"text":"abcdef"}`, `400 ValidationException keys must have 0 to 2 entries`},
		{"a number that is none", "POST", "/thing/a?size=x", `{"text":"t"}`, `400 SerializationException size must be an integer`},
		{"a number that is too large", "POST", "/thing/a?size=9223372036854775808", `{"text":"t"}`, `400 SerializationException size must be an integer`},
		{"a truth that is none", "POST", "/thing/a?dry=maybe", `{"text":"t"}`, `400 SerializationException dry must be true or false`},
		{"no base64", "POST", "/thing/a", `{"text":"t","zip":"?"}`, `400 SerializationException zip must be base64`},
		{"a fixed segment wins", "POST", "/thing/stop", ``, `400 ResourceNotFoundException gone`},
		{"no content", "DELETE", "/thing/a", ``, `204  `},
		{"another method", "PUT", "/thing/a", ``, `404 UnknownOperationException no operation`},
		{"another path", "POST", "/thing/a/b", ``, `404 UnknownOperationException no operation`},
		{"a slash at the end", "POST", "/thing/a/", ``, `404 UnknownOperationException no operation`},
		{"an empty segment", "POST", "/thing/", ``, `404 UnknownOperationException no operation`},
		{"a long body where one may be", "POST", "/thing/a", `{"text":"t","new":"` + strings.Repeat("x", 230) + `"}`, `202  {"id":"a"`},
		{"a body that is too long", "POST", "/thing/a", `{"text":"t","new":"` + strings.Repeat("x", 400) + `"}`, `413 RequestEntityTooLargeException`},
		{"a query that is none", "POST", "/thing/a?size=%zz", `{"text":"t"}`, `400 SerializationException`},
	} {
		r := httptest.NewRequest(tt.method, "/", strings.NewReader(tt.body))
		uri, query, _ := strings.Cut(tt.uri, "?")
		r.URL.RawQuery, r.URL.RawPath = query, uri
		r.URL.Path = strings.ReplaceAll(strings.ReplaceAll(uri, "%2F", "/"), "%3A", ":")
		res := httptest.NewRecorder()
		s.ServeHTTP(res, r)
		text := res.Body.String()
		if class := res.Header().Get("X-Amzn-Errortype"); class != "" {
			var e map[string]string
			if err := json.Unmarshal(res.Body.Bytes(), &e); err != nil || len(e) != 1 {
				t.Errorf("%s: the error is %s, want a message alone", tt.name, res.Body)
			}
			text = e["message"]
		}
		got := strings.TrimSpace(strings.Join([]string{itoa(res.Code), res.Header().Get("X-Amzn-Errortype"), text}, " "))
		if !contains(got, tt.want) || res.Header().Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s: %s %s: got %s, want %s", tt.name, tt.method, tt.uri, got, tt.want)
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// contains compares statuses and classes, and looks for the text.
func contains(got, want string) bool {
	g, w := strings.SplitN(got, " ", 3), strings.SplitN(strings.TrimSpace(want), " ", 3)
	for i := range w {
		if i >= len(g) || i < 2 && g[i] != w[i] || i == 2 && !strings.Contains(g[i], w[i]) {
			return false
		}
	}
	return true
}

// TestLargeBodiesWait: two are read at a time, and small ones pass by.
func TestLargeBodiesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		entered, leave := 0, make(chan struct{})
		Handle(s, Operation{Name: "Big", Method: http.MethodPost, Path: "/big", Status: http.StatusOK, Body: 1000},
			func(context.Context, *struct{}) (*struct{}, error) {
				entered++
				<-leave
				return &struct{}{}, nil
			})
		post := func(n int) {
			s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/big", strings.NewReader(`{"x":"`+strings.Repeat("x", n)+`"}`)))
		}
		for i, want := range []int{1, 2, 2} {
			go post(500)
			synctest.Wait()
			if entered != want {
				t.Errorf("after %d large requests %d are under way, want %d", i+1, entered, want)
			}
		}
		go post(1)
		synctest.Wait()
		if entered != 3 {
			t.Errorf("with a small one %d are under way, want 3", entered)
		}
		close(leave)
		synctest.Wait()
		if entered != 4 {
			t.Errorf("%d were answered, want 4", entered)
		}
	})
}

func TestTime(t *testing.T) {
	for _, tt := range []struct {
		in   time.Time
		want string
	}{
		{time.Date(2026, 11, 21, 9, 0, 0, 412337999, time.FixedZone("", 3600)), `"2026-11-21T08:00:00.412337Z"`},
		{time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), `"2026-11-21T08:00:00.000000Z"`},
	} {
		if got, err := json.Marshal(Time{tt.in}); string(got) != tt.want || err != nil {
			t.Errorf("%v: got %s, %v, want %s", tt.in, got, err, tt.want)
		}
	}
}

// TestTooLargeIsAnswered: a client that sends too much, and reads when it has
// sent all, is told so.
func TestTooLargeIsAnswered(t *testing.T) {
	server := httptest.NewServer(newService())
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 16 << 20
	if _, err := fmt.Fprintf(conn, "POST /thing/a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)); err != nil {
		t.Fatalf("16 MiB where 300 bytes may be: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("16 MiB where 300 bytes may be: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("16 MiB where 300 bytes may be: %s, want 413", resp.Status)
	}
}

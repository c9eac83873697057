package awsjson

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/internal/flow"
)

type place struct {
	Bucket string `aws:"Bucket,required"`
	Key    string
}

type source struct {
	S3   *place
	Text string
}

type request struct {
	Name   string                     `aws:"Name,required"`
	Count  int32                      `aws:"Count"`
	Big    *int64                     `json:"big"`
	Ratio  float64                    `json:"Ratio"`
	On     bool                       `json:"On"`
	Kind   string                     `aws:"Kind"`
	Secret string                     `aws:"Secret"`
	Place  *place                     `json:"Place"`
	From   *source                    `aws:"Source"`
	Tags   map[string]string          `aws:"Tags"`
	Keys   []string                   `aws:"Keys"`
	Docs   map[string]json.RawMessage `json:"Docs"`
}

type answer struct {
	Who  string          `json:"Who,omitzero"`
	At   Time            `json:"At,omitzero"`
	List []string        `json:"List"`
	Doc  json.RawMessage `json:"Doc,omitzero"`
}

var errBoom = fmt.Errorf("disk on fire")

// newService returns a service with one operation, Do, whose behaviour the
// name picks.
func newService(c Config) *Service {
	c.Version, c.Namespace = "1.0", "com.example"
	c.Shapes = map[string]Shape{
		"Name":   {Bounds: "1..5", Pattern: "[a-zé]+"},
		"Count":  {Bounds: "1..100"},
		"Kind":   {Enum: []string{"A", "B"}},
		"Secret": {Bounds: "..9", Pattern: "[a-z]*", Sensitive: true},
		"Bucket": {Bounds: "3..63"},
		"Source": {Union: true},
		"Tags":   {Bounds: "0..2", Key: "Name", Member: "Secret"},
		"Keys":   {Bounds: "1..2", Member: "Name"},
	}
	s := New(c)
	Handle(s, "Do", func(ctx context.Context, in *request) (*answer, error) {
		switch in.Name {
		case "panic":
			panic("oh")
		case "boom":
			return nil, errBoom
		case "gone":
			return nil, flow.Errorf(flow.NotFound, "no such thing").About("Thing", "x")
		case "busy":
			return nil, flow.Errorf(flow.Busy, "later")
		}
		return &answer{
			Who: in.Name + "\xff",
			At:  Time{time.Date(2026, 11, 21, 9, 0, 0, 412337999, time.FixedZone("", 3600))},
			Doc: in.Docs["d"],
		}, nil
	})
	return s
}

func post(t *testing.T, s *Service, target, body string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	data, _ := io.ReadAll(w.Result().Body)
	return w.Result(), string(data)
}

func TestAnswer(t *testing.T) {
	res, body := post(t, newService(Config{}), "com.amazonaws.x.Svc.Do", `{"Name":"é","Docs":{"d":{"n":1.50,"big":123456789012345678901234567890}}}`)
	want := `{"Who":"é` + "\uFFFD" + `","At":"2026-11-21T08:00:00.412337+00:00","List":[],"Doc":{"n":1.50,"big":123456789012345678901234567890}}`
	if res.StatusCode != 200 || body != want {
		t.Errorf("got %d %s\nwant 200 %s", res.StatusCode, body, want)
	}
	if ct := res.Header.Get("Content-Type"); ct != "application/x-amz-json-1.0" {
		t.Errorf("content type %q", ct)
	}
	if id := res.Header.Get("x-amzn-RequestId"); len(id) != 36 {
		t.Errorf("request id %q, want a UUID", id)
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name, target, body, want string
		status                   int
	}{
		{"unknown operation", "Svc.Undo", `{}`, "UnknownOperationException", 404},
		{"no target", "", `{}`, "UnknownOperationException", 404},
		{"not found", "Svc.Do", `{"Name":"gone"}`, "ResourceNotFoundException", 400},
		{"panic", "Svc.Do", `{"Name":"panic"}`, "InternalServerException", 500},
		{"internal", "Svc.Do", `{"Name":"boom"}`, "InternalServerException", 500},
		{"too large", "Svc.Do", `{"Name":"` + strings.Repeat("x", 2000) + `"}`, "RequestEntityTooLargeException", 413},
		{"not JSON", "Svc.Do", `{"Name":`, "SerializationException", 400},
		{"required", "Svc.Do", ``, "ValidationException", 400},
		{"busy", "Svc.Do", `{"Name":"busy"}`, "InternalServerException", 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			s := newService(Config{MaxBody: 1000, Log: slog.New(slog.NewTextHandler(&log, nil))})
			res, body := post(t, s, tt.target, tt.body)
			var got struct {
				Type    string `json:"__type"`
				Message string
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if res.StatusCode != tt.status || got.Type != "com.example#"+tt.want || res.Header.Get("X-Amzn-ErrorType") != tt.want || got.Message == "" {
				t.Errorf("%s: got %d %s\nwant %d %s", tt.body, res.StatusCode, body, tt.status, tt.want)
			}
			internal := tt.name == "panic" || tt.name == "internal"
			if logged := log.Len() > 0; logged != internal {
				t.Errorf("logged: %v, want %v: %s", logged, internal, log.String())
			}
			if internal && got.Message != "internal error" {
				t.Errorf("message %q shows our insides", got.Message)
			}
			if retry := res.Header.Get("Retry-After"); (retry != "") != (tt.name == "busy") {
				t.Errorf("Retry-After: %q", retry)
			}
		})
	}
}

func TestCheckComesFirst(t *testing.T) {
	s := newService(Config{Check: func(r *http.Request, body []byte) (context.Context, error) {
		if string(body) != "signed" {
			return nil, refused{}
		}
		return r.Context(), nil
	}})
	if res, body := post(t, s, "Svc.Undo", "{}"); res.StatusCode != 403 || !strings.Contains(body, "#Refused") {
		t.Errorf("got %d %s, want 403 Refused", res.StatusCode, body)
	}
	if res, body := post(t, s, "Svc.Do", "signed"); !strings.Contains(body, "SerializationException") {
		t.Errorf("got %d %s, want SerializationException", res.StatusCode, body)
	}
}

type refused struct{}

func (refused) Error() string     { return "no" }
func (refused) ErrorCode() string { return "Refused" }
func (refused) HTTPStatus() int   { return 403 }

func TestDecode(t *testing.T) {
	big := int64(1 << 40)
	for _, tt := range []struct {
		in   string
		want any // a request, a list of fields, or the text of a SerializationException
	}{
		{`{"Name":"a","name":5,"__type":{"x":[]},"Unknown":[null]}`, request{Name: "a"}},
		{` {"Name":"a","Count":null,"Tags":null,"Docs":{"a":null,"b":[1e2]}} `,
			request{Name: "a", Docs: map[string]json.RawMessage{"a": []byte("null"), "b": []byte("[1e2]")}}},
		{`{"Name":"a","Count":100,"big":1099511627776,"Ratio":1.5e3,"On":true,"Kind":"B"}`,
			request{Name: "a", Count: 100, Big: &big, Ratio: 1500, On: true, Kind: "B"}},
		{`{"Name":"a","From":{"S3":{"Bucket":"abc"}},"Keys":["x"],"Tags":{"k":""}}`,
			request{Name: "a", From: &source{S3: &place{Bucket: "abc"}}, Keys: []string{"x"}, Tags: map[string]string{"k": ""}}},

		{`{}`, []flow.Field{{Name: "Name", Message: "is required"}}},
		{`{"Name":null}`, []flow.Field{{Name: "Name", Message: "is required"}}},
		{`{"Name":""}`, []flow.Field{{Name: "Name", Message: "must not be empty"}}},
		{`{"Name":"ééé\n"}`, []flow.Field{{Name: "Name", Message: `must match [a-zé]+, got "ééé\n"`}}},
		{`{"Name":"abcdef","Count":0,"Kind":"C"}`, []flow.Field{
			{Name: "Name", Message: "must have 1 to 5 characters, has 6"},
			{Name: "Count", Message: "must be 1 to 100, is 0"},
			{Name: "Kind", Message: `must be one of A, B, got "C"`}}},
		{`{"Name":"a","Secret":"Ö"}`, []flow.Field{{Name: "Secret", Message: "must match [a-z]*"}}},
		{`{"Name":"a","Place":{},"From":{}}`, []flow.Field{
			{Name: "Place.Bucket", Message: "is required"},
			{Name: "From", Message: "must have exactly one member, has 0"}}},
		{`{"Name":"a","From":{"Text":"","S3":{"Bucket":"b"}}}`, []flow.Field{
			{Name: "From.S3.Bucket", Message: "must have 3 to 63 characters, has 1"},
			{Name: "From", Message: "must have exactly one member, has 2"}}},
		{`{"Name":"a","Keys":[],"Tags":{"":"","B":"x","c":"0123456789"}}`, []flow.Field{
			{Name: "Keys", Message: "must have 1 to 2 entries, has 0"},
			{Name: "Tags.", Message: "key must not be empty"},
			{Name: "Tags.B", Message: `key must match [a-zé]+, got "B"`},
			{Name: "Tags.c", Message: "must have at most 9 characters, has 10"},
			{Name: "Tags", Message: "must have 0 to 2 entries, has 3"}}},

		{`[]`, "the body must be an object, got a list"},
		{`null`, "the body must be a JSON object, got null"},
		{`{"Name":5}`, "Name must be a string, got a number"},
		{`{"Name":"a","Count":1.0}`, "Count must be an integer of 32 bits, got 1.0"},
		{`{"Name":"a","Count":4294967297}`, "Count must be an integer of 32 bits, got 4294967297"},
		{`{"Name":"a","Count":"1"}`, "Count must be an integer, got a string"},
		{`{"Name":"a","Keys":"x"}`, "Keys must be a list, got a string"},
		{`{"Name":"a","Keys":[null]}`, "Keys[0] must be a string, got null"},
		{`{"Name":"a","Place":[]}`, "Place must be an object, got a list"},
		{`{"Name":"a","Tags":{"a":{"b":1}}}`, "Tags.a must be a string, got an object"},
		{`{"Name":"a","Ratio":1e999}`, "Ratio must be a number, got one that is too large"},
		{`{"Name":"a"`, "the body is not valid JSON"},
		{`{"Name":"a",}`, "the body is not valid JSON"},
		{`{"Name":"a"}{}`, "the body goes on after its JSON object"},
		{`{"Name":"a","Name":"b"}`, "the body is not valid JSON"},
		{"{\"Name\":\"\xff\"}", "the body is not valid JSON"},
		{`{"Name":"\ud800"}`, "the body is not valid JSON"},
		{"\ufeff{}", "the body is not valid JSON"},
		{strings.Repeat("[", 1000), "the body nests more than 100 levels"},
		{`{"Docs":{"d":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`, "the body nests more than 100 levels"},
		{`{"Docs":{"d":"` + strings.Repeat("[", 200) + `\"[["},"Name":"a"}`,
			request{Name: "a", Docs: map[string]json.RawMessage{"d": []byte(`"` + strings.Repeat("[", 200) + `\"[["`)}}},
	} {
		var got request
		s := newService(Config{})
		p := newPlan(s.rules, reflect.TypeFor[request](), "")
		err := p.decode([]byte(tt.in), nil, reflect.ValueOf(&got).Elem())
		switch want := tt.want.(type) {
		case request:
			if err != nil {
				t.Errorf("%s: %v", tt.in, err)
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tt.in, diff)
			}
		case []flow.Field:
			e, ok := err.(*flow.Error)
			if !ok {
				t.Errorf("%s: got %v, want fields %v", tt.in, err, want)
			} else if diff := cmp.Diff(want, e.Fields); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tt.in, diff)
			}
		case string:
			if e, ok := err.(*Error); !ok || e.Class != "SerializationException" || !strings.HasPrefix(e.Message, want) {
				t.Errorf("%s: got %v, want SerializationException: %s", tt.in, err, want)
			}
		}
	}
}

// FuzzDecode: any bytes give a request that keeps the constraints, or an
// error of one of the two classes.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{}`, ``, `null`, `{"Name":"abc","Count":5,"Tags":{"a":"b"},"Keys":["a"],"From":{"S3":{"Bucket":"bbb"}},"Docs":{"x":[1,{"y":null}]}}`,
		`{"Name":"\u00e9","big":-9223372036854775808,"Ratio":-0}`, `[[[`, `{"Name":1e400}`, "{\"\xff\":1}",
	} {
		f.Add([]byte(s))
	}
	s := newService(Config{})
	p := newPlan(s.rules, reflect.TypeFor[request](), "")
	f.Fuzz(func(t *testing.T, body []byte) {
		var got request
		err := p.decode(body, nil, reflect.ValueOf(&got).Elem())
		switch e := err.(type) {
		case nil:
			if n := len([]rune(got.Name)); n < 1 || n > 5 || len(got.Tags) > 2 || got.Keys != nil && len(got.Keys) == 0 {
				t.Errorf("%q: accepted %+v", body, got)
			}
			for _, raw := range got.Docs {
				if !json.Valid(raw) {
					t.Errorf("%q: document %q", body, raw)
				}
			}
		case *Error:
			if e.Class != "SerializationException" {
				t.Errorf("%q: %v", body, err)
			}
		case *flow.Error:
			if len(e.Fields) == 0 {
				t.Errorf("%q: no fields: %v", body, err)
			}
		default:
			t.Errorf("%q: %T %v", body, err, err)
		}
	})
}

// TestWhatPassedOncePassesAgain sends good and bad values in turns, more than
// are remembered.
func TestWhatPassedOncePassesAgain(t *testing.T) {
	r := newRule("Name", Shape{Pattern: "a[0-9]*"})
	for range 2 {
		for i := range 1000 {
			good, bad := fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)
			if said := r.checkString(good); said != "" {
				t.Errorf("%q %s, want no fault", good, said)
			}
			if r.checkString(bad) == "" {
				t.Errorf("%q passes, want a fault", bad)
			}
		}
	}
}

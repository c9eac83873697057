package omics

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/aws/restjson"
	"fairlead/internal/flow"
)

// A model is what we read of a botocore service model.
type model struct {
	Operations map[string]struct {
		HTTP struct {
			Method, RequestURI string
			ResponseCode       int
		}
		Input, Output struct{ Shape string }
		Errors        []struct{ Shape string }
	}
	Shapes map[string]modelShape
}

type modelShape struct {
	Type       string
	Required   []string
	Members    map[string]modelMember
	Key, Value struct{ Shape string }
	Member     struct{ Shape string }
	Min, Max   *int
	Pattern    string
	Enum       []string
	Union      bool
	Document   bool
	Error      struct{ HTTPStatusCode int }
}

type modelMember struct{ Shape, Location, LocationName string }

func loadModel(t *testing.T) model {
	file := filepath.Join("..", "..", "..", "shared", "reference", "models", "omics", "service-2.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("the service's model is not here: %v", err)
	}
	var m model
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// types lists the types of the operations' inputs and outputs, read off the
// door's methods.
func types(t *testing.T) map[string][2]reflect.Type {
	out := map[string][2]reflect.Type{}
	for _, op := range (&Door{}).operations() {
		f := reflect.TypeOf(op.do)
		out[op.Name] = [2]reflect.Type{f.In(1).Elem(), f.Out(0).Elem()}
	}
	if len(out) < 41 {
		t.Fatalf("%d operations", len(out))
	}
	return out
}

// TestModel compares our operations, structs and constraints with the
// service's model.
func TestModel(t *testing.T) {
	m := loadModel(t)
	types := types(t)
	c := comparison{t, m, map[string]bool{}}
	for _, op := range (&Door{}).operations() {
		mo, ok := m.Operations[op.Name]
		if !ok {
			t.Errorf("operation %s is not in the model", op.Name)
			continue
		}
		if mo.HTTP.ResponseCode == 0 {
			mo.HTTP.ResponseCode = 200
		}
		if op.Method != mo.HTTP.Method || op.Path != mo.HTTP.RequestURI || op.Status != mo.HTTP.ResponseCode {
			t.Errorf("%s: got %s %s %d, want %+v", op.Name, op.Method, op.Path, op.Status, mo.HTTP)
		}
		if types[op.Name][0] == reflect.TypeFor[none]() {
			continue // a share
		}
		c.structure(mo.Input.Shape, types[op.Name][0], true)
		if mo.Output.Shape == "" {
			if types[op.Name][1] != reflect.TypeFor[none]() {
				t.Errorf("%s has no output in the model", op.Name)
			}
			continue
		}
		c.structure(mo.Output.Shape, types[op.Name][1], false)
	}
	for name, s := range shapes() {
		if _, err := regexp.Compile(s.Pattern); err != nil {
			t.Errorf("shape %s: %v", name, err)
		}
		ms, ok := m.Shapes[name]
		if !ok {
			t.Errorf("shape %s is not in the model", name)
			continue
		}
		want := awsjson.Shape{Pattern: ms.Pattern, Enum: ms.Enum, Union: ms.Union, Key: ms.Key.Shape, Member: ms.Value.Shape + ms.Member.Shape}
		if ms.Min != nil || ms.Max != nil {
			want.Bounds = bound(ms.Min) + ".." + bound(ms.Max)
		}
		// Go repeats at most 1000 times; S3 bounds a key.
		want.Pattern = strings.NewReplacer(".{0,1024}", ".*", ".{1,1024}", ".+").Replace(want.Pattern)
		if name == "WorkflowParameterDescription" { // whose bounds begin with 0
			want.Pattern = "|" + want.Pattern
		}
		if name == "S3UriForBucketOrObject" { // caches may be files of this machine, as outputs may
			want.Pattern += "|file:///.*"
		}
		got := s
		got.Hint = ""
		if !reflect.DeepEqual(got, want) {
			t.Errorf("shape %s: got %+v\nwant %+v", name, got, want)
		}
	}
	for name, request := range c.seen {
		ms := m.Shapes[name]
		if _, ours := shapes()[name]; !ours && request && (ms.Min != nil || ms.Pattern != "" || ms.Enum != nil) {
			t.Errorf("shape %s has constraints in the model and none here", name)
		}
	}
}

func bound(n *int) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

type comparison struct {
	t *testing.T
	model
	seen map[string]bool // true for those in requests
}

func (c comparison) structure(name string, typ reflect.Type, request bool) {
	ms := c.Shapes[name]
	want := map[string]modelMember{}
	for member, m := range ms.Members {
		want[member] = m
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		member, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		shape, option, _ := strings.Cut(f.Tag.Get("aws"), ",")
		id := name + "." + member
		m, ok := want[member]
		if !ok {
			c.t.Errorf("%s is not in the model", id)
			continue
		}
		place := map[string]string{"": "", "uri": "path", "querystring": "query"}[m.Location]
		if shape != m.Shape || (option == "required") != slices.Contains(ms.Required, member) || f.Tag.Get("in") != place {
			c.t.Errorf("%s: got %s %s in %q, want %+v of required %v", id, shape, option, f.Tag.Get("in"), m, ms.Required)
		}
		if m.LocationName != "" && m.LocationName != member {
			c.t.Errorf("%s is called %s", id, m.LocationName)
		}
		delete(want, member)
		c.member(id, shape, f.Type, request)
	}
	for member := range want {
		c.t.Errorf("%s.%s is missing", name, member)
	}
}

// member checks that a Go type fits the model's type, and goes into it.
func (c comparison) member(id, shape string, typ reflect.Type, request bool) {
	c.seen[shape] = c.seen[shape] || request
	ms := c.Shapes[shape]
	if typ == reflect.TypeFor[json.RawMessage]() {
		if !ms.Document {
			c.t.Errorf("%s is no document", id)
		}
		return
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch ms.Type {
	case "string":
		c.kind(id, typ, reflect.String)
	case "integer":
		c.kind(id, typ, reflect.Int)
	case "boolean":
		c.kind(id, typ, reflect.Bool)
	case "blob":
		c.kind(id, typ, reflect.Slice)
	case "timestamp":
		if typ != reflect.TypeFor[restjson.Time]() {
			c.t.Errorf("%s: %s for a timestamp", id, typ)
		}
	case "list":
		c.kind(id, typ, reflect.Slice)
		c.member(id+"[]", ms.Member.Shape, typ.Elem(), request)
	case "map":
		c.kind(id, typ, reflect.Map)
		c.seen[ms.Key.Shape] = c.seen[ms.Key.Shape] || request
		c.member(id+"{}", ms.Value.Shape, typ.Elem(), request)
	case "structure":
		c.kind(id, typ, reflect.Struct)
		c.structure(shape, typ, request)
	default:
		c.t.Errorf("%s: shape %s has type %q", id, shape, ms.Type)
	}
}

func (c comparison) kind(id string, typ reflect.Type, want reflect.Kind) {
	if typ.Kind() != want {
		c.t.Errorf("%s: %s, want %v", id, typ, want)
	}
}

// TestErrors compares the classes and statuses of errors with the model.
func TestErrors(t *testing.T) {
	m := loadModel(t)
	for k := flow.Internal; k <= flow.Busy; k++ {
		to := fail(fmt.Errorf("do: %w", flow.Errorf(k, "text")))
		if want := m.Shapes[to.Class].Error.HTTPStatusCode; to.Status != want {
			t.Errorf("kind %d: %s has status %d, want %d", k, to.Class, to.Status, want)
		}
	}
}

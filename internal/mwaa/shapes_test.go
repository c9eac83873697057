package mwaa

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
	"fairlead/internal/flow"
)

// A model is what we read of a botocore service model.
type model struct {
	Metadata   struct{ JSONVersion, TargetPrefix, SigningName string }
	Operations map[string]struct {
		Input, Output struct{ Shape string }
	}
	Shapes map[string]modelShape
}

type modelShape struct {
	Type       string
	Required   []string
	Members    map[string]struct{ Shape string }
	Key, Value struct{ Shape string }
	Member     struct{ Shape string }
	Min, Max   *int
	Pattern    string
	Enum       []string
	Union      bool
	Exception  bool
	Fault      bool
	Document   bool
}

func loadModel(t *testing.T) model {
	file := filepath.Join("..", "..", "..", "shared", "reference", "models", "mwaa-serverless", "service-2.json")
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

// operations lists the types of the operations' inputs and outputs.
func operations() map[string][2]reflect.Type {
	pair := func(in, out any) [2]reflect.Type { return [2]reflect.Type{reflect.TypeOf(in), reflect.TypeOf(out)} }
	return map[string][2]reflect.Type{
		"CreateWorkflow":       pair(createWorkflowRequest{}, createWorkflowResponse{}),
		"UpdateWorkflow":       pair(updateWorkflowRequest{}, updateWorkflowResponse{}),
		"DeleteWorkflow":       pair(deleteWorkflowRequest{}, deleteWorkflowResponse{}),
		"GetWorkflow":          pair(getWorkflowRequest{}, getWorkflowResponse{}),
		"ListWorkflows":        pair(listWorkflowsRequest{}, listWorkflowsResponse{}),
		"ListWorkflowVersions": pair(listWorkflowVersionsRequest{}, listWorkflowVersionsResponse{}),
		"StartWorkflowRun":     pair(startWorkflowRunRequest{}, startWorkflowRunResponse{}),
		"StopWorkflowRun":      pair(stopWorkflowRunRequest{}, stopWorkflowRunResponse{}),
		"GetWorkflowRun":       pair(getWorkflowRunRequest{}, getWorkflowRunResponse{}),
		"ListWorkflowRuns":     pair(listWorkflowRunsRequest{}, listWorkflowRunsResponse{}),
		"ListTaskInstances":    pair(listTaskInstancesRequest{}, listTaskInstancesResponse{}),
		"GetTaskInstance":      pair(getTaskInstanceRequest{}, getTaskInstanceResponse{}),
		"TagResource":          pair(tagResourceRequest{}, tagResourceResponse{}),
		"UntagResource":        pair(untagResourceRequest{}, untagResourceResponse{}),
		"ListTagsForResource":  pair(listTagsForResourceRequest{}, listTagsForResourceResponse{}),
	}
}

// notInModel lists the members that we have and the saved model lacks.
var notInModel = []string{
	"CreateWorkflowRequest.Environment", "UpdateWorkflowRequest.Environment", "GetWorkflowResponse.Environment",
	"GetTaskInstanceResponse.FairleadWaiting", "WorkflowRunDetail.FairleadWaiting",
	"TaskInstanceSummary.TaskId", "TaskInstanceSummary.AttemptNumber", "TaskInstanceSummary.StartedAt", "TaskInstanceSummary.EndedAt",
}

// TestModel compares our structs and constraints with the service's model,
// in both directions.
func TestModel(t *testing.T) {
	m := loadModel(t)
	ops := operations()
	d := New(Config{})
	if got, want := d.service.Operations(), sortedKeys(m.Operations); !slices.Equal(got, want) {
		t.Errorf("operations served: %v\nwant %v", got, want)
	}
	c := comparison{t, m, map[string]bool{}}
	for name, op := range m.Operations {
		types, ok := ops[name]
		if !ok {
			t.Errorf("operation %s is missing", name)
			continue
		}
		c.structure(op.Input.Shape, types[0])
		c.structure(op.Output.Shape, types[1])
	}
	c.structure("ValidationExceptionField", reflect.TypeFor[validationExceptionField]())

	for name, s := range shapes(false) {
		if _, err := regexp.Compile(s.Pattern); err != nil {
			t.Errorf("shape %s: %v", name, err)
		}
		ms, ok := m.Shapes[name]
		if !ok {
			if !strings.HasPrefix(name, "Environment") {
				t.Errorf("shape %s is not in the model", name)
			}
			continue
		}
		want := awsjson.Shape{Pattern: ms.Pattern, Enum: ms.Enum, Union: ms.Union, Key: ms.Key.Shape, Member: ms.Value.Shape + ms.Member.Shape}
		if ms.Min != nil {
			want.Bounds = fmt.Sprintf("%d..%d", *ms.Min, *ms.Max)
		}
		// The one difference from the model: Regions of more than three words.
		want.Pattern = strings.ReplaceAll(want.Pattern, "[a-z]{2}-[a-z]+-[0-9]{1}", "[a-z]{2}-(?:[a-z]+-)+[0-9]{1}")
		if name == "ObjectMap" { // a document has nothing to check
			want.Key, want.Member = "", ""
		}
		got := s
		got.Hint, got.Sensitive = "", false
		if !reflect.DeepEqual(got, want) {
			t.Errorf("shape %s: got %+v\nwant %+v", name, got, want)
		}
	}
	// What the model constrains in requests, we constrain.
	for name := range c.seen {
		ms := m.Shapes[name]
		if _, ours := shapes(false)[name]; !ours && c.seen[name] && (ms.Min != nil || ms.Pattern != "" || ms.Enum != nil) {
			t.Errorf("shape %s has constraints in the model and none here", name)
		}
	}
}

type comparison struct {
	t *testing.T
	model
	seen map[string]bool // true for those in requests
}

func (c comparison) structure(name string, typ reflect.Type) {
	ms := c.Shapes[name]
	request := strings.HasSuffix(name, "Request") || c.seen[name]
	want, required := map[string]string{}, map[string]bool{}
	for member, m := range ms.Members {
		want[member] = m.Shape
	}
	for _, member := range ms.Required {
		required[member] = true
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		member, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		shape, option, _ := strings.Cut(f.Tag.Get("aws"), ",")
		id := name + "." + member
		if member != f.Name {
			c.t.Errorf("%s is called %s", id, f.Name)
		}
		if _, ok := want[member]; !ok {
			if !slices.Contains(notInModel, id) {
				c.t.Errorf("%s is not in the model", id)
			}
			continue
		}
		if shape != want[member] || (option == "required") != required[member] {
			c.t.Errorf("%s: got %s %s, want %s, required %v", id, shape, option, want[member], required[member])
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
	if typ == reflect.TypeFor[json.RawMessage]() {
		return
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	ms := c.Shapes[shape]
	switch ms.Type {
	case "string":
		c.kind(id, typ, reflect.String)
	case "integer":
		c.kind(id, typ, reflect.Int32, reflect.Int64, reflect.Int)
	case "boolean":
		c.kind(id, typ, reflect.Bool)
	case "timestamp":
		if typ != reflect.TypeFor[awsjson.Time]() {
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
		if name := strings.ToUpper(typ.Name()[:1]) + typ.Name()[1:]; name != shape {
			c.t.Errorf("%s: type %s for shape %s", id, typ, shape)
		}
		c.structure(shape, typ)
	default:
		c.t.Errorf("%s: shape %s has type %q", id, shape, ms.Type)
	}
}

func (c comparison) kind(id string, typ reflect.Type, kinds ...reflect.Kind) {
	if !slices.Contains(kinds, typ.Kind()) {
		c.t.Errorf("%s: %s, want %v", id, typ, kinds)
	}
}

// TestErrorMembers compares what is sent with each class of error.
func TestErrorMembers(t *testing.T) {
	m := loadModel(t)
	classes := map[string]bool{}
	for k := flow.Internal; k <= flow.Busy; k++ {
		err := flow.Errorf(k, "text").About("Workflow", "x").At("Name", "is wrong")
		to := fail(fmt.Errorf("do: %w", err))
		classes[to.Class] = true
		ms, ok := m.Shapes[to.Class]
		if !ok || !ms.Exception {
			t.Errorf("kind %d: class %s is not in the model", k, to.Class)
		}
		if want := map[bool]int{true: 500, false: 400}[ms.Fault]; to.Status != want {
			t.Errorf("%s: status %d, want %d", to.Class, to.Status, want)
		}
		for member := range to.Members {
			if _, ok := ms.Members[member]; !ok {
				t.Errorf("%s: member %s is not in the model", to.Class, member)
			}
		}
		for _, member := range ms.Required {
			if _, ok := to.Members[member]; !ok && member != "Message" {
				t.Errorf("%s: member %s is missing", to.Class, member)
			}
		}
	}
	for name, s := range m.Shapes {
		if s.Exception && !classes[name] && name != "OperationTimeoutException" {
			t.Errorf("no kind of error gives %s", name)
		}
	}
	for _, reason := range []string{"", "cannotParse", "nonsense"} {
		e := flow.Errorf(flow.Invalid, "text")
		e.Reason = reason
		if got := fail(e).Members["Reason"]; !slices.Contains(m.Shapes["ValidationExceptionReason"].Enum, got.(string)) {
			t.Errorf("reason %q becomes %q, which is not in the model", reason, got)
		}
	}
}

// TestEveryState: each state has a status that the model knows.
func TestEveryState(t *testing.T) {
	m := loadModel(t)
	d := &Door{}
	for _, s := range flow.States() {
		if got := d.taskStatus(flow.Task{State: s}); !slices.Contains(m.Shapes["TaskInstanceStatus"].Enum, got) {
			t.Errorf("task %s: %q is not in the model", s, got)
		}
		got := runStatus(s)
		if !slices.Contains(m.Shapes["WorkflowRunStatus"].Enum, got) {
			t.Errorf("run %s: %q is not in the model", s, got)
		}
		final := slices.Contains([]string{"SUCCESS", "FAILED", "TIMEOUT", "STOPPED"}, got)
		if final != s.Final() {
			t.Errorf("run %s: %s is final: %v, want %v", s, got, final, s.Final())
		}
	}
	d.ShowSkipped = true
	if got := d.taskStatus(flow.Task{State: flow.Skipped}); got != "SKIPPED" {
		t.Errorf("skipped task, shown: %q, want SKIPPED", got)
	}
	for _, k := range []flow.RunKind{flow.OnDemand, flow.Scheduled} {
		if got := RunType(k); !slices.Contains(m.Shapes["RunType"].Enum, got) {
			t.Errorf("run kind %s: %q is not in the model", k, got)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

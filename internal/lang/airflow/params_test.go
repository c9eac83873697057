package airflow

import (
	"encoding/json"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

// compileParams compiles a DAG whose task t has params of its own.
func compileParams(t *testing.T, dag, task string) (Meta, Action, []flow.Diagnostic) {
	t.Helper()
	def, ds := check("d:\n  params: " + dag + "\n  tasks:\n    t: {operator: " + empty + ", params: " + task + "}\n")
	if len(faults(ds)) > 0 {
		t.Fatalf("params %s and %s are refused:\n%s", dag, task, lines(ds))
	}
	var m Meta
	var a Action
	if err := json.Unmarshal(def.Graph.Meta, &m); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(def.Graph.Nodes[0].Action, &a); err != nil {
		t.Fatal(err)
	}
	return m, a, ds
}

// TestMergeParams has the workflow's params, the task's, the run's, and what
// the task sees or the text of the error.
func TestMergeParams(t *testing.T) {
	for _, tt := range []struct{ dag, task, run, want string }{
		{"{}", "{}", "", "{}"},
		{"{a: 1, b: 2.0, c: [x, null], d: 010}", "{}", "", `{"a":1,"b":2.0,"c":["x",null],"d":8}`},
		{"{a: 1, b: 2}", "{b: 3, c: 4}", `{"c": 5, "z": {"y": 1.50}}`, `{"a":1,"b":3,"c":5,"z":{"y":1.50}}`},
		{"{n: {type: integer, default: 5}}", "{}", `{"n": 7}`, `{"n":7}`},
		{"{n: {type: integer, default: 5}}", "{n: 6}", ``, `{"n":6}`},
		{"{n: {type: integer, default: 5}}", "{n: six}", ``, `Invalid input for param n: 'six' is not of type 'integer'`},
		{"{n: {type: integer}}", "{}", ``, `Invalid input for param n: No value passed and Param has no default value`},
		{"{n: {type: [string, 'null'], default: ~}}", "{}", ``, `{"n":null}`},
		{"{n: {__type__: airflow.models.param.Param, __args__: [5], type: integer, maximum: 9}}", "{}", `{"n": 10}`, `Invalid input for param n: 10 is greater than the maximum of 9`},
		{"{n: {type: integer, minimum: 3, default: 3}}", "{}", `{"n": 1}`, `Invalid input for param n: 1 is less than the minimum of 3`},
		{"{s: {type: string, enum: [a, b], default: a}}", "{}", `{"s": "c"}`, `Invalid input for param s: 'c' is not one of ['a', 'b']`},
		{"{s: {type: string, pattern: '^x', default: x}}", "{}", `{"s": "ay"}`, `Invalid input for param s: 'ay' does not match '^x'`},
		{"{s: {type: string, maxLength: 2, default: x}}", "{}", `{"s": "long"}`, `Invalid input for param s: 'long' is too long`},
		{"{s: {type: string, format: date, default: '2026-01-01'}}", "{}", `{"s": "soon"}`, `Invalid input for param s: 'soon' is not a 'date'`},
		{"{l: {type: array, items: {type: integer}, default: []}}", "{}", `{"l": [1, "x"]}`, `Invalid input for param l: 'x' is not of type 'integer'`},
		{"{o: {type: object, required: [k], default: {k: 1}}}", "{}", `{"o": {}}`, `Invalid input for param o: 'k' is a required property`},
		{"{o: {type: s3, path: p}}", "{}", ``, `{"o":{"type":"s3","path":"p"}}`},
		{"{o: {default: 5}}", "{}", ``, `{"o":5}`},
		{"{}", "{}", `[1]`, `the run's params are no JSON object: they begin with "[1]"`},
		{"{n: {type: number, default: 1}}", "{}", `{"n": 1e999999999}`, `Invalid input for param n: the number 1e999999999 is out of range`},
		{"{n: {type: number, default: 1}}", "{}", `{"n": 1e-999999999}`, `Invalid input for param n: the number 1e-999999999 is out of range`},
		{"{n: {type: number, default: 1}}", "{}", `{"n": 0.0e0}`, `{"n":0.0e0}`},
	} {
		m, a, _ := compileParams(t, tt.dag, tt.task)
		got, err := MergeParams(m, a, json.RawMessage(tt.run))
		text := string(got)
		if err != nil {
			text = err.Error()
			if flow.KindOf(err) != flow.Invalid {
				t.Errorf("kind of %v is not Invalid", err)
			}
		}
		if text != tt.want {
			t.Errorf("params %s, task's %s, run's %s:\n got %s\nwant %s", tt.dag, tt.task, tt.run, text, tt.want)
		}
	}
}

// TestParamCautions has what an accepted definition is told of its params.
func TestParamCautions(t *testing.T) {
	for _, tt := range []struct{ dag, want string }{
		{"{n: {type: integer, default: x}}", "the default does not satisfy the schema: 'x' is not of type 'integer'"},
		{"{n: {type: string, pattern: '(?=a)b', default: x}}", "the pattern '(?=a)b' uses what only Python's expressions have; it is not checked"},
	} {
		_, _, ds := compileParams(t, tt.dag, "{}")
		if len(ds) != 1 || !strings.Contains(ds[0].Message, tt.want) {
			t.Errorf("params %s: got\n%swant %s", tt.dag, lines(ds), tt.want)
		}
	}
}

func FuzzMergeParams(f *testing.F) {
	f.Add(`{type: integer, default: 5}`, `{"n": 7}`)
	f.Add(`{anyOf: [{type: string}, {minimum: 3}], default: []}`, `{"n": {"a": [1, 2.5, null, true]}}`)
	f.Add(`{oneOf: [{const: 1}], not: {enum: [a]}, default: 1, uniqueItems: true}`, `{"n": 1e300}`)
	f.Fuzz(func(t *testing.T, spec, run string) {
		def, _ := check("d:\n  params: {n: " + spec + "}\n  tasks:\n    t: {operator: " + empty + "}\n")
		var m Meta
		if def.Graph.Meta == nil || json.Unmarshal(def.Graph.Meta, &m) != nil {
			return
		}
		got, err := MergeParams(m, Action{}, json.RawMessage(run))
		if err == nil && !json.Valid(got) {
			t.Errorf("params %s, run's %s: %s", spec, run, got)
		}
		if err != nil && (flow.KindOf(err) != flow.Invalid || len(err.Error()) > 5000) {
			t.Errorf("params %s, run's %s: %v", spec, run, err)
		}
	})
}

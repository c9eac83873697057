package airflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"fairlead/internal/engine/cron"
	"fairlead/internal/flow"
	"fairlead/internal/operator"
)

// A schemaJudge tells what the schema says of definitions, and what Compile
// says.
type schemaJudge struct{ *jsonschema.Schema }

func newSchemaJudge(t testing.TB, draft *jsonschema.Draft) schemaJudge {
	raw := JSONSchema(operator.Default().Specs())
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if draft != nil {
		delete(doc.(map[string]any), "$schema")
	}
	c := jsonschema.NewCompiler()
	if draft != nil {
		c.DefaultDraft(draft)
	}
	if err := c.AddResource("fairlead.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	sch, err := c.Compile("fairlead.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schemaJudge{sch}
}

// schema returns what the schema has against a text, or "".
func (j schemaJudge) schema(t testing.TB, src string) string {
	root, ds := read([]byte(src))
	if len(faults(ds)) > 0 || root == nil {
		t.Fatalf("the text cannot be read: %s\n%s", lines(ds), src)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(root.json(nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Validate(doc); err != nil {
		return err.Error()
	}
	return ""
}

// compiles returns the findings that the schema should have too, or "".
func (j schemaJudge) compiles(src string) string {
	_, ds := Compile([]byte(src), Options{
		Operators: operator.Default(), HasCode: true, Now: time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC),
		CheckSchedule: func(expr string) error { _, err := cron.Parse(expr); return err },
	})
	ds = slices.DeleteFunc(ds, func(d flow.Diagnostic) bool {
		return d.Severity != flow.Fault && !strings.Contains(d.Message, "probably fail") && !strings.Contains(d.Message, " is one of ") &&
			!strings.Contains(d.Message, "which counts as")
	})
	return lines(ds)
}

// inDAG puts keys of a DAG beside a task, and inTask keys of a task.
func inDAG(keys string) string {
	return "d:\n  tasks: {a: {operator: airflow.providers.standard.operators.empty.EmptyOperator}}\n  " + keys + "\n"
}

func inTask(class, keys string) string {
	return "d:\n  tasks:\n    a:\n      operator: " + class + "\n      " + strings.ReplaceAll(keys, "\n", "\n      ") + "\n"
}

const (
	emptyClass  = "airflow.providers.standard.operators.empty.EmptyOperator"
	bashClass   = "airflow.operators.bash.BashOperator"
	pythonClass = "airflow.providers.standard.operators.python.PythonOperator"
	keySensor   = "airflow.providers.amazon.aws.sensors.s3.S3KeySensor"
	glueJob     = "airflow.providers.amazon.aws.operators.glue.GlueJobOperator"
	vectorIndex = "airflow.providers.amazon.aws.operators.s3_vectors.S3VectorsCreateIndexOperator"
)

// TestSchemaAgrees has small definitions of which schema and Compile say the
// same: accepted, or refused.
func TestSchemaAgrees(t *testing.T) {
	good := []string{
		inDAG(""),
		inDAG("schedule: null"), inDAG("schedule: None"), inDAG("schedule: 17 3 * * *"), inDAG("schedule: '@daily'"),
		inDAG("schedule: 0 12 * * ? *"), inDAG("schedule: cron(0 9 ? * 2 *)"), inDAG("schedule: '@once'"),
		inDAG("start_date: 2026-01-01"), inDAG("start_date: '2026-01-01T06:00:00+01:00'"), inDAG("start_date: 2 days"),
		inDAG("start_date: {__type__: datetime.datetime, year: 2026, month: 1, day: 1}"),
		inDAG("timezone: Europe/Berlin"), inDAG("max_active_runs: 1"), inDAG("max_active_tasks: null"),
		inDAG("params: {a: 1, b: [x], c: {d: {e: 1}}, f: {type: integer, default: 3, minimum: 1}, g: {type: foo, minimum: x}, h: {__type__: airflow.sdk.Param, default: 1}}"),
		inDAG("params: null"), inDAG("default_args: null"),
		inDAG("default_args: {owner: me, retries: 3, retry_delay: 300.0, trigger_rule: all_done, start_date: 2026-01-01, depends_on_past: false}"),
		inDAG("tags: [x]\n  catchup: true\n  schedule_interval: null\n  render_template_as_native_obj: false\n  dag_id: other\n  doc_md: |\n    # x"),
		inTask(emptyClass, "dependencies: []\nretries: 0\ntask_id: a\nowner: me\noutlets: []\naws_conn_id: x\ntask_group_name: g"),
		inTask(emptyClass, "retries: '2'\nretry_delay: {__type__: datetime.timedelta, minutes: 5}\nexecution_timeout: {__type__: datetime.timedelta, hours: 1}"),
		inTask(emptyClass, "retries: null\nexecution_timeout: null\nretry_delay: {__type__: datetime.timedelta, __args__: [0, 1.5]}"),
		inTask(emptyClass, "trigger_rule: none_failed_or_skipped"),
		inTask(emptyClass, "trigger_rule: {__type__: airflow.utils.trigger_rule.TriggerRule, __args__: [one_done]}"),
		inTask(bashClass, "bash_command: echo\nenv: {A: 1}\nappend_env: true\nparams: {x: 1}"),
		inTask(bashClass, "bash_command: {__join__: [a, b]}\nappend_env: '{{ params.x }}'\nenv: '{{ params.env }}'"),
		inTask(bashClass, "bash_command: echo\nenv: null\nskip_on_exit_code: [99, 100]"),
		inTask(pythonClass, "python_callable: a.b"),
		inTask(pythonClass, "python_callable: größe.läuft_2"),
		inTask(pythonClass, "python_callable_file: /usr/local/airflow/dags/a.py\npython_callable_name: b\nop_kwargs: {x: 1}"),
		inTask(keySensor, "bucket_key: s3://b/k\nmode: reschedule\npoke_interval: 0.5\ntimeout: {__type__: datetime.timedelta, days: 3}\nmax_wait: null\nsoft_fail: true\nnever_fail: false"),
		inTask(keySensor, "bucket_key: [a, b]\nbucket_name: b\nwildcard_match: true"),
		inTask(glueJob, "job_name: x\nscript_args: {a: 1}\nnum_of_dpus: 2"),
		inTask("mine.Operator", "anything: [1]\nretries: 1"),
		inTask("airflow.providers.http.operators.http.HttpOperator", "anything: 1"),
	}
	bad := []string{
		"[]", "x", "{}", "d: null", "d: {}", "d: {tasks: null}", "d: {tasks: {}}", "d: {tasks: []}", "d: {tasks: {a: null}}", "d: {tasks: {a: {}}}",
		inDAG("") + "e: {tasks: {a: {operator: " + emptyClass + "}}}",
		strings.Replace(inDAG(""), "d:", "d d:", 1), strings.Replace(inDAG(""), "d:", strings.Repeat("d", 251)+":", 1),
		strings.Replace(inDAG(""), "{a:", "{a/b:", 1),
		inDAG("task_groups: {g: {}}"), inDAG("schedule_interval: '@daily'"), inDAG("retries: 1"), inDAG("schedul: '@daily'"), inDAG("render_template_as_native_obj: 1"),
		inDAG("schedule: 5"), inDAG("schedule: '@dayly'"), inDAG("schedule: 1 2 3 4"), inDAG("schedule: 1 2 3 4 5 6"), inDAG("schedule: [x]"),
		inDAG("schedule: {__type__: datetime.timedelta, days: 1}"),
		inDAG("start_date: soon"), inDAG("end_date: 20260101"), inDAG("timezone: 5"), inDAG("timezone: Local"),
		inDAG("max_active_runs: 0"), inDAG("max_active_tasks: '4'"), inDAG("max_active_runs: 2000000"),
		inDAG("params: [a]"), inDAG("params: {a: {type: integer, default: 3, minimum: x}}"),
		inDAG("default_args: []"), inDAG("default_args: {retry_delay_sec: 1}"), inDAG("default_args: {params: {}}"), inDAG("default_args: {trigger_rule: all}"),
		inTask(emptyClass, "retries: 4"), inTask(emptyClass, "retries: -1"), inTask(emptyClass, "retries: two"), inTask(emptyClass, "retries: [1]"),
		inTask(emptyClass, "retry_delay: 301"), inTask(emptyClass, "retry_delay: '60'"), inTask(emptyClass, "retry_delay: null"), inTask(emptyClass, "retry_delay: {minutes: 1}"),
		inTask(emptyClass, "retry_delay: {__type__: datetime.timedelta, minutes: 6}"), inTask(emptyClass, "retry_delay: {__type__: datetime.timedelta, minute: 1}"),
		inTask(emptyClass, "execution_timeout: 600"), inTask(emptyClass, "execution_timeout: {__type__: datetime.timedelta, minutes: 66}"), inTask(emptyClass, "execution_timeout: {minutes: 10}"),
		inTask(emptyClass, "trigger_rule: all"), inTask(emptyClass, "trigger_rule: null"), inTask(emptyClass, "trigger_rule: {__type__: airflow.utils.trigger_rule.TriggerRule, __args__: [x]}"),
		inTask(emptyClass, "dependencies: a"), inTask(emptyClass, "dependencies: null"), inTask(emptyClass, "dependencies: [1]"),
		inTask(emptyClass, "upstream_tasks: [a]"), inTask(emptyClass, "mode: poke"), inTask(emptyClass, "decorator: x"), inTask("mine.Operator", "expand: {x: 1}"), inTask("mine.Operator", "variables_as_arguments: []"),
		inTask("S3ListOperator", "bucket: b"), inTask("airflow.providers.amazon.aws.operators.s3.S3ListOperatr", "bucket: b"), inTask("airflow.operators.dummy.DummyOperator", ""), inTask("airflow.prov.X", ""), inTask("5", ""),
		inTask(bashClass, "env: {}"), inTask(bashClass, "bash_command: echo\ncommand: x"), inTask(bashClass, "bash_command: echo\nappend_env: 'yes'"), inTask(bashClass, "bash_command: [a]"),
		inTask(pythonClass, ""), inTask(pythonClass, "python_callable: run"), inTask(pythonClass, "python_callable: [a]"), inTask(pythonClass, "python_callable_name: b"), inTask(pythonClass, "python_callable: a.b\npython_callable_name: b"),
		inTask(pythonClass, "python_callable_file: a.py\npython_callable_name: b"),
		inTask(keySensor, "bucket_name: b"), inTask(keySensor, "bucket_key: k\nmode: push"), inTask(keySensor, "bucket_key: k\ntimeout: -1"), inTask(keySensor, "bucket_key: k\npoke_interval: '5'"),
		inTask(keySensor, "bucket_key: k\nsoft_fail: true\nnever_fail: true"), inTask(keySensor, "bucket_key: k\nsoft_fail: 1"), inTask(keySensor, "bucket_key: k\npoke_interval: null"),
		inTask(glueJob, "job_name: 5"), inTask(glueJob, "job_name: {a: 1}"), inTask(glueJob, "script_args: [a]"),
	}
	for _, draft := range []*jsonschema.Draft{nil, jsonschema.Draft7} {
		j := newSchemaJudge(t, draft)
		for _, src := range good {
			if got, compiled := j.schema(t, src), j.compiles(src); got != "" || compiled != "" {
				t.Errorf("%s\nschema:  %s\nCompile: %s\nwant that both accept it", src, got, compiled)
			}
		}
		for _, src := range bad {
			if got, compiled := j.schema(t, src), j.compiles(src); got == "" || compiled == "" {
				t.Errorf("%s\nschema:  %s\nCompile: %s\nwant that both refuse it", src, Clip(got, 500), compiled)
			}
		}
	}
}

// TestSchemaExceptions has one definition for each difference that the
// comment of JSONSchema names.
func TestSchemaExceptions(t *testing.T) {
	j := newSchemaJudge(t, nil)
	for _, src := range []string{
		inTask(emptyClass, "dependencies: [b]"),
		inTask(emptyClass, "dependencies: [a]"),
		inDAG("doc_md: " + strings.Repeat("x", 51<<10)),
		"5: {tasks: {a: {operator: " + emptyClass + "}}}",
		inDAG("schedule: 61 * * * *"), inDAG("timezone: Mars/Base"), inDAG("start_date: '2026-02-30'"),
		inDAG("start_date: '2026-02-03'\n  end_date: '2026-02-02'"),
		inDAG("schedule: '@daily'\n  params: {a: {type: string}}"),
		inTask(emptyClass, "execution_timeout: {__type__: datetime.timedelta, hours: 1, minutes: 1}"),
		inTask(emptyClass, "doc: {__type__: datetime.timedelta, foo: 1}"),
		inDAG("params: {a: {type: string, default: x, pattern: 5}}"),
	} {
		if got, compiled := j.schema(t, src), j.compiles(src); compiled == "" {
			t.Errorf("%s\nCompile accepts it; schema: %s", Clip(src, 300), got)
		}
	}
	for _, src := range []string{
		inTask(emptyClass, "retries: true"), inTask(emptyClass, "retries: 1.5"),
		inTask(emptyClass, "execution_timeout: {__type__: datetime.timedelta, hours: 2, minutes: -90}"),
		inDAG("schedule: '@Daily'"), inDAG("schedule: {__join__: ['@', daily]}"),
	} {
		if got, compiled := j.schema(t, src), j.compiles(src); got == "" || compiled != "" {
			t.Errorf("%s\nschema:  %s\nCompile: %s\nwant that the schema alone refuses it", src, got, compiled)
		}
	}
}

// TestSchemaOfEveryOperator goes through all operators: with what they
// require, without each of these, and with a key that they do not take.
func TestSchemaOfEveryOperator(t *testing.T) {
	j := newSchemaJudge(t, nil)
	agree := func(src string, accepted bool) {
		t.Helper()
		if got, compiled := j.schema(t, src), j.compiles(src); (got == "") != accepted || (compiled == "") != accepted {
			t.Errorf("%s\nschema:  %s\nCompile: %s\nwant accepted %t by both", src, Clip(got, 500), compiled, accepted)
		}
	}
	for _, s := range operator.Default().Specs() {
		for _, path := range s.Paths {
			var keys []string
			for _, a := range s.Args {
				if a.Required && !serviceOwned(a.Name) {
					keys = append(keys, a.Name+": "+sample(a))
				}
			}
			agree(inTask(path, strings.Join(keys, "\n")), true)
			for i := range keys {
				agree(inTask(path, strings.Join(slices.Concat(keys[:i], keys[i+1:]), "\n")), false)
			}
			agree(inTask(path, strings.Join(append(keys, "no_such_key: 1"), "\n")), s.Open)
		}
	}
}

// sample is a value that the argument takes.
func sample(a operator.Arg) string {
	word, _, _ := strings.Cut(a.Type, "|")
	switch {
	case len(a.Enum) > 0:
		return string(a.Enum[0])
	case a.Name == "python_callable":
		return "a.b"
	case word == "int", word == "float":
		return "1"
	case word == "bool":
		return "true"
	case word == "list":
		return "[a]"
	case word == "dict":
		return "{a: b}"
	}
	return "x"
}

// TestSchemaExamples validates whole definitions.
func TestSchemaExamples(t *testing.T) {
	j := newSchemaJudge(t, nil)
	root := filepath.Join("..", "..", "..")
	var files []string
	for _, pattern := range []string{"examples/*.yaml", "examples/*/*.yaml", "../shared/examples/definitions/*.yaml"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		files = append(files, found...)
	}
	if len(files) < 10 {
		t.Logf("only %d examples: the shared ones are not beside the repository", len(files))
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.yaml") {
			continue // tests of the definition beside it
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := j.schema(t, string(src))
		if refused := strings.HasPrefix(filepath.Base(file), "9"); refused != (got != "") {
			t.Errorf("%s: schema says %q, want refused %t", file, got, refused)
		}
	}
}

// TestSchemaSize keeps the schema one that editors open at once.
func TestSchemaSize(t *testing.T) {
	raw := JSONSchema(operator.Default().Specs())
	if n := len(raw); n > 1<<20 {
		t.Errorf("the schema has %d bytes, want at most 1 MiB", n)
	}
	if again := JSONSchema(operator.Default().Specs()); !bytes.Equal(raw, again) {
		t.Error("two schemas of the same operators differ")
	}
	for _, word := range []string{"unevaluatedProperties", "dependentRequired", "dependentSchemas", "$dynamicRef", "minContains"} {
		if bytes.Contains(raw, []byte(strconv.Quote(word)+": ")) {
			t.Errorf("the schema uses %s, which draft-07 does not have", word)
		}
	}
	if !json.Valid(raw) {
		t.Error("the schema is not JSON")
	}
}

// TestSchemaKeysAreTheCompilers compares the schema's lists of keys with the
// cases of the functions that decide for Compile.
func TestSchemaKeysAreTheCompilers(t *testing.T) {
	for _, tt := range []struct {
		file string
		fns  []string
		got  []string
	}{
		{"dag.go", []string{"dagIgnored"}, ignoredOfDAG()},
		{"task.go", []string{"taskIgnored", "serviceOwned"}, ignoredOfTasks()},
		{"params.go", []string{"schemaWord"}, paramWords()},
	} {
		want := casesOf(t, tt.file, tt.fns...)
		got := slices.Sorted(slices.Values(tt.got))
		slices.Sort(want)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("keys of %v\ngot  %v\nwant %v", tt.fns, got, want)
		}
	}
}

// casesOf lists the texts in the case clauses of functions of a file.
func casesOf(t *testing.T, file string, fns ...string) (texts []string) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !slices.Contains(fns, fn.Name.Name) {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			if c, ok := n.(*ast.CaseClause); ok {
				for _, e := range c.List {
					if lit, ok := e.(*ast.BasicLit); ok {
						s, err := strconv.Unquote(lit.Value)
						if err != nil {
							t.Fatal(err)
						}
						texts = append(texts, s)
					}
				}
			}
			return true
		})
	}
	return texts
}

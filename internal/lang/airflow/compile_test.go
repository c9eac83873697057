package airflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/operator"
)

// check compiles src with the standard table and a code package.
func check(src string) (flow.Definition, []flow.Diagnostic) {
	return Compile([]byte(src), Options{Operators: operator.Default(), HasCode: true, Now: time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)})
}

// lines prints diagnostics one a line, as the public text where there is one.
func lines(ds []flow.Diagnostic) string {
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintln(&b, d)
		if d.Public != "" {
			fmt.Fprintf(&b, "    %s\n", strings.ReplaceAll(d.Public, "\n", "\n    "))
		}
	}
	return b.String()
}

func faults(ds []flow.Diagnostic) (out []flow.Diagnostic) {
	for _, d := range ds {
		if d.Severity == flow.Fault {
			out = append(out, d)
		}
	}
	return out
}

// TestSharedExamples compiles the definitions that stand beside the
// repository, whose head comments say what to expect.
func TestSharedExamples(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "examples", "definitions", "*.yaml"))
	if len(files) == 0 {
		t.Skip("the shared examples are not beside this repository")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			def, ds := check(string(src))
			if strings.HasPrefix(filepath.Base(file), "9") {
				if len(faults(ds)) == 0 {
					t.Errorf("accepted:\n%s", lines(ds))
				}
			} else if len(ds) > 0 || len(def.Graph.Nodes) == 0 {
				t.Errorf("%d nodes, findings:\n%s", len(def.Graph.Nodes), lines(ds))
			}
			t.Logf("%s", lines(ds))
		})
	}
}

// TestGraph has what a definition compiles to, one line a node.
func TestGraph(t *testing.T) {
	const src = `etl:
  schedule: "17 3 * * *"
  timezone: Europe/Berlin
  start_date: 2027-01-01
  max_active_runs: 2
  max_active_tasks: 4
  default_args:
    retries: 2
    retry_delay: 120
    execution_timeout: {__type__: datetime.timedelta, minutes: 45}
  tasks:
    tell:
      operator: airflow.providers.amazon.aws.operators.sns.SnsPublishOperator
      target_arn: arn
      message: "{{ ds }}"
      dependencies: [load, wait]
      trigger_rule: one_failed
      retries: "0"
    wait:
      operator: airflow.providers.amazon.aws.sensors.s3.S3KeySensor
      bucket_key: s3://b/k
      mode: reschedule
      poke_interval: 5
      timeout: {__type__: datetime.timedelta, hours: 2}
      retry_delay: {__type__: datetime.timedelta, __args__: [0, 1.5]}
    begin:
      operator: airflow.operators.empty.EmptyOperator
    load:
      operator: airflow.operators.bash.BashOperator
      bash_command: echo
      env: {B: x, A: 1, F: 2.0, D: 2026-01-31, "N": null}
      dependencies: [begin]
      execution_timeout: null
`
	def, ds := check(src)
	if n := len(faults(ds)); n > 0 {
		t.Fatalf("%d faults:\n%s", n, lines(ds))
	}
	var got strings.Builder
	fmt.Fprintf(&got, "%s runs=%d tasks=%d %s %s %s\n", def.Name, def.MaxRuns, def.Graph.MaxActive, def.Schedule.Expr, def.Schedule.Zone, def.Schedule.Start.Format(time.RFC3339))
	for _, n := range def.Graph.Nodes {
		fmt.Fprintf(&got, "%s after=%v when=%s retries=%d delay=%s timeout=%s noop=%t %s\n  %s\n", n.ID, n.After, n.When, n.Retries, n.Delay, n.Timeout, n.Noop, n.Kind, n.Action)
	}
	fmt.Fprintf(&got, "%s\n", def.Graph.Meta)
	const want = `etl runs=2 tasks=4 17 3 * * * Europe/Berlin 2026-12-31T23:00:00Z
wait after=[] when= retries=2 delay=1.5s timeout=45m0s noop=false S3KeySensor
  {"Operator":"airflow.providers.amazon.aws.sensors.s3.S3KeySensor","Args":{"bucket_key":"s3://b/k"},"Sensor":{"PokeInterval":5,"Timeout":7200,"Mode":"reschedule","SoftFail":false,"SilentFail":false,"NeverFail":false,"ExponentialBackoff":false,"MaxWait":0},"Line":19,"ArgLines":{"bucket_key":21}}
begin after=[] when= retries=2 delay=2m0s timeout=45m0s noop=true EmptyOperator
  {"Operator":"airflow.operators.empty.EmptyOperator","Line":26}
load after=[begin] when= retries=2 delay=2m0s timeout=1h0m0s noop=false BashOperator
  {"Operator":"airflow.operators.bash.BashOperator","Args":{"bash_command":"echo","env":{"B":"x","A":1,"F":2.0,"D":"2026-01-31","N":null}},"Line":28,"ArgLines":{"bash_command":30,"env":31}}
tell after=[load wait] when=one_failed retries=0 delay=2m0s timeout=45m0s noop=false SnsPublishOperator
  {"Operator":"airflow.providers.amazon.aws.operators.sns.SnsPublishOperator","Args":{"message":"{{ ds }}","target_arn":"arn"},"Line":12,"ArgLines":{"message":15,"target_arn":14}}
{"DagID":"etl"}
`
	if got.String() != want {
		t.Errorf("compile\n%s\ngot\n%s\nwant\n%s", src, got.String(), want)
	}
}

// TestDefaults has what holds when nothing is said.
func TestDefaults(t *testing.T) {
	def, ds := check(dagOf(""))
	n := def.Graph.Nodes[0]
	if len(ds) > 0 || def.Schedule != nil || def.MaxRuns != 16 || def.Graph.MaxActive != 16 || n.Retries != 1 || n.Delay != 5*time.Minute || n.Timeout != time.Hour || n.When != "" {
		t.Errorf("got %+v and\n%s, want the service's defaults", def, lines(ds))
	}
}

// TestOrder keeps the file's order wherever dependencies allow it.
func TestOrder(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"a b c", "a b c"},
		{"c:b b:a a", "a b c"},
		{"z y:x x w:y", "z x y w"},
		{"d:a,b,c c:a b:a a", "a c b d"},
	} {
		var b strings.Builder
		b.WriteString("d:\n  tasks:\n")
		for f := range strings.FieldsSeq(tt.in) {
			id, deps, _ := strings.Cut(f, ":")
			fmt.Fprintf(&b, "    %s: {operator: %s, dependencies: [%s]}\n", id, empty, deps)
		}
		def, ds := check(strings.ReplaceAll(b.String(), " y:", ` "y":`))
		var ids []string
		for _, n := range def.Graph.Nodes {
			ids = append(ids, string(n.ID))
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("order of %q = %q, want %q\n%s", tt.in, got, tt.want, lines(ds))
		}
	}
}

// TestAllFaultsAtOnce finds everything in one pass, in the order of the text.
func TestAllFaultsAtOnce(t *testing.T) {
	_, ds := check(`d:
  schedule: 5
  bogus: 1
  default_args: {retries: 9, pool: x}
  tasks:
    a: {operator: airflow.operators.empty.EmptyOperator, retries: -1, dependencies: [b, nope]}
    b: {operator: Nope, retry_delay: abc, dependencies: [a]}
    c: {operator: airflow.operators.bash.BashOperator, trigger_rule: 1}
`)
	var got []string
	for _, d := range ds {
		got = append(got, fmt.Sprintf("%d:%s", d.Line, d.Path))
	}
	want := "2:d.schedule 3:d.bogus 4:d.default_args.retries 4:d.default_args.pool 6:d.tasks.a.retries 6:d.tasks.a.dependencies[0] 6:d.tasks.a.dependencies[1] " +
		"7:d.tasks.b.operator 7:d.tasks.b.retry_delay 8:d.tasks.c 8:d.tasks.c.trigger_rule"
	if strings.Join(got, " ") != want {
		t.Errorf("got\n%s\nwant\n%s\n%s", strings.Join(got, " "), want, lines(ds))
	}
}

// TestIgnoredKeys has what the converter writes: accepted, and each key that
// has no effect named once in the warning and at its place.
func TestIgnoredKeys(t *testing.T) {
	def, ds := check(`legacy:
  dag_id: legacy
  params: {}
  default_args:
    owner: airflow
    depends_on_past: false
    email_on_failure: false
    email_on_retry: false
    retries: 1
    retry_delay: {__type__: datetime.timedelta, seconds: 300.0}
  schedule: "0 12 * * ? *"
  tasks:
    make_bucket:
      operator: airflow.providers.amazon.aws.operators.s3.S3CreateBucketOperator
      aws_conn_id: aws_default
      region_name: eu-west-1
      bucket_name: "legacy-{{ ds_nodash }}"
      outlets: []
      params: {}
      priority_weight: 1
      retries: 1
      retry_delay: 300.0
      retry_exponential_backoff: false
      task_id: make_bucket
      trigger_rule: {__type__: airflow.utils.trigger_rule.TriggerRule, __args__: [all_success]}
      wait_for_downstream: false
      dependencies: []
      on_failure_callback: {__type__: my.module.Callback, x: 1}
  catchup: false
  description: None
  dag_display_name: legacy
  owner_links: {}
  start_date: {__type__: datetime.datetime, year: 2026, month: 1, day: 1}
  tags: [converted]
`)
	if len(faults(ds)) > 0 {
		t.Fatalf("refused:\n%s", lines(ds))
	}
	want := "ignored attributes: dag_id, catchup, description, dag_display_name, owner_links, tags, owner, depends_on_past, email_on_failure, email_on_retry, " +
		"aws_conn_id, region_name, outlets, priority_weight, retry_exponential_backoff, wait_for_downstream, on_failure_callback"
	if got := def.Warnings[0]; got != want {
		t.Errorf("warnings %q, want %q", got, want)
	}
	if got, want := def.Warnings[1], "legacy.dag_id: dag_id is accepted and has no effect (line 2)"; got != want || len(def.Warnings) != 1+len(ds) {
		t.Errorf("second of %d warnings %q, want %q", len(def.Warnings), got, want)
	}
	if len(ds) != 17 || ds[0].String() != "2:3: warning: legacy.dag_id: dag_id is accepted and has no effect" {
		t.Errorf("%d findings:\n%s", len(ds), lines(ds))
	}
	if def.Schedule.Expr != "0 12 * * ? *" || def.Schedule.Start.Year() != 2026 {
		t.Errorf("schedule %+v", def.Schedule)
	}
}

// TestSchedules has which schedules act, and which are refused.
func TestSchedules(t *testing.T) {
	for _, tt := range []struct{ schedule, want string }{
		{"null", "none"}, {"None", "none"}, {"'NONE '", "none"}, {"'5 4 * * *'", "5 4 * * *"}, {"'@daily'", "@daily"},
		{"0 12 * * ? *", "0 12 * * ? *"}, {"'@once'", "none"}, {"'@continuous'", "none"}, {"''", "fault"}, {"60", "fault"},
		{"{datasets: [a]}", "fault"}, {"'bad cron * * *'", "fault"},
	} {
		def, ds := Compile([]byte("d:\n  schedule: "+tt.schedule+"\n  tasks:\n    t: {operator: "+empty+"}\n"), Options{
			Operators: operator.Default(),
			CheckSchedule: func(expr string) error {
				if strings.HasPrefix(expr, "bad") {
					return fmt.Errorf("minute: bad")
				}
				return nil
			},
		})
		got := "none"
		switch {
		case len(faults(ds)) > 0:
			got = "fault"
		case def.Schedule != nil:
			got = def.Schedule.Expr
		}
		if got != tt.want {
			t.Errorf("schedule %s = %q, want %q\n%s", tt.schedule, got, tt.want, lines(ds))
		}
	}
}

// TestDates has every form of a start date. Now is 2026-11-21 13:00 UTC.
func TestDates(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"2026-03-04", "2026-03-04T00:00:00Z"},
		{"'2026-03-04'", "2026-03-04T00:00:00Z"},
		{"2026-03-04 05:06:07", "2026-03-04T05:06:07Z"},
		{"'2026-03-04T05:06:07+02:00'", "2026-03-04T03:06:07Z"},
		{"2026-03-04T05:06:07+02:00", "2026-03-04T03:06:07Z"},
		{"2 days", "2026-11-19T00:00:00Z"},
		{"'3 hours'", "2026-11-20T21:00:00Z"},
		{"1 days ago", "2026-11-20T00:00:00Z"},
		{"{__type__: datetime.datetime, year: 2026, month: 2, day: 3, hour: 4}", "2026-02-03T04:00:00Z"},
		{"{__type__: datetime.datetime, __args__: [2026, 2, 3]}", "2026-02-03T00:00:00Z"},
		{"{__type__: pendulum.datetime, year: 2026, month: 2, day: 3, tz: Europe/Berlin}", "2026-02-02T23:00:00Z"},
		{"null", "0001-01-01T00:00:00Z"},
		{"2026-02-30", "fault"}, {"7", "fault"}, {"'None'", "fault"}, {"soon", "fault"}, {"-1 days", "fault"},
		{"{__type__: datetime.datetime, year: 2026, month: 13, day: 3}", "fault"},
	} {
		def, ds := check("d:\n  schedule: '@daily'\n  start_date: " + tt.in + "\n  tasks:\n    t: {operator: " + empty + "}\n")
		got := "fault"
		if len(faults(ds)) == 0 {
			got = def.Schedule.Start.Format(time.RFC3339)
		}
		if got != tt.want {
			t.Errorf("start_date %s = %s, want %s\n%s", tt.in, got, tt.want, lines(ds))
		}
	}
}

// TestCodePackage has what a code package changes.
func TestCodePackage(t *testing.T) {
	const py = "d:\n  tasks:\n    t: {operator: airflow.operators.python.PythonOperator, "
	for _, tt := range []struct {
		src           string
		with, without bool // accepted
	}{
		{py + "python_callable: tidy.run}\n", true, false},
		{py + "python_callable_name: run, python_callable_file: /usr/local/airflow/dags/lib/tidy.py}\n", true, false},
		{py + "python_callable_name: run, python_callable_file: tidy.py}\n", false, false},
		{py + "python_callable_name: run, python_callable_file: /etc/tidy.py}\n", false, false},
		{py + "python_callable_name: run}\n", false, false},
		{"d:\n  tasks:\n    t: {operator: mine.ops.Greet, anything: 1}\n", true, false},
		{"d:\n  tasks:\n    t: {operator: airflow.providers.http.operators.http.HttpOperator, endpoint: x}\n", true, false},
		{"d:\n  tasks:\n    t: {operator: airflow.providers.amazon.aws.operators.s3.S3NopeOperator}\n", false, false},
		{"d:\n  tasks:\n    t: {operator: Greet}\n", false, false},
		{"d:\n  tasks:\n    t: {operator: airflow.operators.bash.BashOperator, bash_command: date}\n", true, true},
	} {
		for _, code := range []bool{true, false} {
			def, ds := Compile([]byte(tt.src), Options{Operators: operator.Default(), HasCode: code})
			want := tt.without
			if code {
				want = tt.with
			}
			if got := len(faults(ds)) == 0; got != want {
				t.Errorf("code package %t: accepted %t, want %t:\n%s%s", code, got, want, tt.src, lines(ds))
			}
			if want && len(def.Graph.Nodes) > 0 && strings.Contains(tt.src, "lib/tidy.py") && !strings.Contains(string(def.Graph.Nodes[0].Action), `"python_callable":"lib.tidy.run"`) {
				t.Errorf("%s: action %s", tt.src, def.Graph.Nodes[0].Action)
			}
		}
	}
}

// grow returns a text of full size.
func grow(head, form string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; b.Len() < defaultBytes-200; i++ {
		fmt.Fprintf(&b, form, i, i, i)
	}
	return b.String()
}

// spent returns the processor time that f takes, in which no other process has a part.
func spent(t *testing.T, f func()) time.Duration {
	t.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	f()
	return used() - before
}

// bearable is what a text may take at most: some times as long as a plain
// definition of full size takes on this machine.
func bearable(t *testing.T) time.Duration {
	t.Helper()
	plain := grow("d:\n  tasks:\n", "    t%[1]d: {operator: "+empty+"}\n")
	took := spent(t, func() {
		if _, ds := check(plain); len(faults(ds)) > 0 {
			t.Fatalf("a plain definition: %s", lines(ds))
		}
	})
	t.Logf("a plain definition of %d bytes: %s", len(plain), took)
	return time.Second + 50*took
}

// TestOddTexts compiles texts that must neither panic nor pass.
func TestOddTexts(t *testing.T) {
	most := bearable(t)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 9))
	}
	for name, src := range map[string]string{
		"alias bomb":     bomb,
		"long alias":     "a: &a " + strings.Repeat("x", 40000) + "\nb: [" + strings.Repeat("*a,", 3000) + "]\n",
		"self reference": "a: &a [*a]\n",
		"deep":           strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"two documents":  "a: {}\n---\nb: {}\n",
		"not UTF-8":      "a: \xff\n",
		"tab":            "a:\n\tb: 1\n",
		"too big":        "a: " + strings.Repeat("x", 60000),
		"control":        "a: \x01\n",
		"unclosed":       "a: 'x\n",
		"null":           "null",
		"DAG null":       "d:\n",
		"set merge":      "d:\n  <<: 5\n",
		"schema file":    "d:\n  params:\n    x: {type: string, default: a, allOf: [{$ref: 'file:///etc/passwd'}]}\n  tasks:\n    t: {operator: " + empty + "}\n",
	} {
		var ds []flow.Diagnostic
		took := spent(t, func() { _, ds = check(src) })
		if len(faults(ds)) == 0 {
			t.Errorf("%s is accepted:\n%s", name, lines(ds))
		}
		if took > most {
			t.Errorf("%s took %s, want at most %s", name, took, most)
		}
		t.Logf("%s: %s", name, Clip(lines(ds), 300))
	}
}

// TestHostileTexts has texts of full size that try to keep the compiler busy.
func TestHostileTexts(t *testing.T) {
	most := bearable(t)
	const head = "d:\n  tasks:\n"
	for name, src := range map[string]string{
		"unknown tasks":        grow(head, "    t%[1]d: {operator: &o "+empty+", dependencies: [u%[1]d]}\n"),
		"unknown dependencies": grow(head+"    t: {operator: "+empty+", dependencies: [", "x%[1]d,") + "]}\n",
		"unknown operators":    grow(head, "    t%[1]d: {operator: airflow.providers.amazon.S3Operator%[1]d}\n"),
		"unknown arguments":    grow(head+"    t: {operator: "+empty+", ", "x%[1]d: 1,") + "}\n",
		"circles":              grow(head, "    t%[1]d: {operator: "+empty+", dependencies: [t%[1]d]}\n"),
		"unknown keys":         grow("d:\n", "  k%[1]d: 1\n"),
		"integers":             "d: [" + strings.Repeat("1"+strings.Repeat("7", 4000)+",", 12) + "]\n",
		"sexagesimal":          "d: 1" + strings.Repeat(":59", 15000) + "\n",
		"merges":               grow("d: &d {a: 1}\nx:\n", "  k%[1]d: {<<: [*d, *d, *d, *d, *d, *d]}\n"),
		"patterns":             grow("d:\n  params:\n", "    p%[1]d: {type: string, pattern: '(a|b|[c-z]{1,50}){1,50}', default: x}\n"),
		"brackets":             strings.Repeat("{a: [", 25) + strings.Repeat("[1],", 10000) + strings.Repeat("]}", 25),
	} {
		var ds []flow.Diagnostic
		took := spent(t, func() { _, ds = check(src) })
		if took > most || len(ds) > 3*maxFindings {
			t.Errorf("%s, %d bytes: %d findings in %s, want at most %d in %s", name, len(src), len(ds), took, 3*maxFindings, most)
		}
		t.Logf("%s: %d bytes, %d findings, %s; %s", name, len(src), len(ds), took.Round(time.Millisecond), Clip(lines(ds[:min(1, len(ds))]), 200))
	}
}

// manyTasks is a text of nearly 50 KB with 500 tasks.
func manyTasks() []byte {
	var b strings.Builder
	b.WriteString("big:\n  tasks:\n")
	for i := range 500 {
		fmt.Fprintf(&b, "    t%03d:\n      operator: airflow.operators.bash.BashOperator\n      bash_command: echo %d\n", i, i)
		if i > 0 {
			fmt.Fprintf(&b, "      dependencies: [t%03d]\n", i/2)
		}
	}
	return []byte(b.String())
}

// TestCompileIsLinear compiles a text far beyond the service's quota, and
// counts what a task costs there and in a small one.
func TestCompileIsLinear(t *testing.T) {
	opts := Options{Operators: operator.Default(), MaxBytes: 64 << 20}
	perTask := func(n int) float64 {
		var b strings.Builder
		b.WriteString("big:\n  tasks:\n")
		for i := range n {
			fmt.Fprintf(&b, "    t%06d: {operator: airflow.operators.bash.BashOperator, bash_command: echo, dependencies: [", i)
			if i > 0 {
				fmt.Fprintf(&b, "t%06d", i-1)
			}
			b.WriteString("]}\n")
		}
		src := []byte(b.String())
		return testing.AllocsPerRun(1, func() {
			if def, ds := Compile(src, opts); len(ds) > 0 || len(def.Graph.Nodes) != n {
				t.Fatalf("%d tasks give %d nodes and findings: %s", n, len(def.Graph.Nodes), lines(ds[:min(len(ds), 3)]))
			}
		}) / float64(n)
	}
	few, many := perTask(100), perTask(30_000)
	if many > 1.1*few {
		t.Errorf("a task costs %.1f allocations among 30,000 and %.1f among 100, want no more", many, few)
	}
}

func BenchmarkCompile(b *testing.B) {
	src := manyTasks()
	opts := Options{Operators: operator.Default(), MaxBytes: 1 << 20}
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, ds := Compile(src, opts); len(ds) > 0 {
			b.Fatal(lines(ds))
		}
	}
}

// FuzzCompile wants no panic, bounded output, and positions inside the text.
func FuzzCompile(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "examples", "definitions", "*.yaml"))
	own, _ := filepath.Glob(filepath.Join("..", "..", "..", "examples", "*.yaml"))
	for _, file := range append(files, own...) {
		if src, err := os.ReadFile(file); err == nil {
			f.Add(string(src))
		}
	}
	f.Add(dagOf("x: &a {<<: *b, __type__: datetime.timedelta, __args__: [1]}\nexecution_timeout: {__type__: builtins.set, items: [1, 1]}\n"))
	f.Add(sensorTask + "      mode: {__join__: [a, b]}\n      params: {p: {type: [string, 'null'], pattern: '(?=x)', default: ~}}\n")
	f.Fuzz(func(t *testing.T, src string) {
		def, ds := check(src)
		rows := strings.Count(src, "\n") + strings.Count(src, "\r") + strings.Count(src, "\u2028") + strings.Count(src, "\u2029") + strings.Count(src, "\u0085") + 2
		for _, d := range ds {
			if d.Line < 0 || d.Line > rows || d.Column < 0 || len(d.Text()) > 8000 || d.Message == "" {
				t.Errorf("finding %+v", d)
			}
		}
		for _, n := range def.Graph.Nodes {
			var m Meta
			var a Action
			if err := errors.Join(json.Unmarshal(def.Graph.Meta, &m), json.Unmarshal(n.Action, &a)); err != nil {
				t.Errorf("action %s of meta %s: %v", n.Action, def.Graph.Meta, err)
			}
			if p, err := MergeParams(m, a, nil); err == nil && !json.Valid(p) {
				t.Errorf("params %s", p)
			}
		}
	})
}

// TestOwnExamples compiles the workflows that the repository shows.
func TestOwnExamples(t *testing.T) {
	for file, nodes := range map[string]int{"hello.yaml": 3, "etl_s3.yaml": 6, "package/tidy.yaml": 4} {
		src, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", file))
		if err != nil {
			t.Fatal(err)
		}
		def, ds := Compile(src, Options{Operators: operator.Default(), HasCode: strings.HasPrefix(file, "package/")})
		if len(ds) > 0 || len(def.Graph.Nodes) != nodes {
			t.Errorf("%s: %d nodes, want %d, and findings:\n%s", file, len(def.Graph.Nodes), nodes, lines(ds))
		}
	}
}

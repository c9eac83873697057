package rehearsal

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fairlead/internal/engine/cron"
	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/operator"
)

var update = flag.Bool("update", false, "rewrite the output in testdata")

func stage() Stage {
	return Stage{
		Compile: func(src []byte, hasCode bool, now time.Time) (flow.Definition, []flow.Diagnostic) {
			return airflow.Compile(src, airflow.Options{
				Operators: operator.Default(), HasCode: hasCode, Now: now,
				CheckSchedule: func(expr string) error {
					_, err := cron.Parse(expr)
					return err
				},
			})
		},
		Table:       operator.Default(),
		MaxWorkflow: 15,
	}
}

// show plays a file of tests and prints all that is to be said.
func show(t *testing.T, tests, workflow []byte) string {
	t.Helper()
	var out bytes.Buffer
	diagnose := func(file string, ds []flow.Diagnostic) {
		if err := airflow.PrintText(&out, []airflow.FileDiagnostics{{File: file, Found: ds}}, false); err != nil {
			t.Fatal(err)
		}
	}
	f, faults := Parse(tests)
	if f == nil {
		diagnose("test.yaml", faults)
		return out.String()
	}
	rep := stage().Play(t.Context(), f, workflow, nil)
	diagnose("test.yaml", rep.Faults)
	diagnose(f.Workflow, rep.Refused)
	if err := PrintText(&out, []Played{{File: "test.yaml", Report: rep}}, true); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestTranscripts plays each file of testdata: a definition, tests of it, and
// what is printed of them.
func TestTranscripts(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) == 0 {
		t.Fatal("no transcripts")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, rest, _ := strings.Cut(string(src), "-- workflow --\n")
			workflow, rest, _ := strings.Cut(rest, "-- tests --\n")
			tests, want, ok := strings.Cut(rest, "-- output --\n")
			if !ok {
				t.Fatalf("%s lacks one of its parts", file)
			}
			got := show(t, []byte(tests), []byte(workflow))
			if *update {
				all := head + "-- workflow --\n" + workflow + "-- tests --\n" + tests + "-- output --\n" + got
				if err := os.WriteFile(file, []byte(all), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("%s\ngot\n%s\nwant\n%s", file, got, want)
			}
		})
	}
}

// TestExamples plays the tests that the repository shows.
func TestExamples(t *testing.T) {
	files, _ := filepath.Glob("../../examples/*_test.yaml")
	if len(files) == 0 {
		t.Fatal("no examples")
	}
	for _, file := range files {
		tests, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, faults := Parse(tests)
		if f == nil {
			t.Fatalf("%s: %v", file, faults)
		}
		mustPass(t, file, tests, example(t, f.Workflow))
	}
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?ms)^```yaml\n(workflow: (\\S+)\n.*?)^```$").FindAllSubmatch(page, -1)
	if len(shown) == 0 {
		t.Error("README.md shows no test")
	}
	for _, m := range shown {
		mustPass(t, "README.md", m[1], example(t, string(m[2])))
	}
}

func example(t *testing.T, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("../../examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func mustPass(t *testing.T, file string, tests, workflow []byte) {
	t.Helper()
	f, faults := Parse(tests)
	if f == nil {
		t.Errorf("%s: %v", file, faults)
		return
	}
	rep := stage().Play(t.Context(), f, workflow, nil)
	ok := len(rep.Faults)+len(rep.Refused) == 0 && len(rep.Results) == len(f.Tests)
	for _, r := range rep.Results {
		ok = ok && r.OK()
	}
	if !ok {
		t.Errorf("%s:\n%s", file, show(t, tests, workflow))
	}
}

// TestDocumentation plays the tests that docs/testing.md shows, each with the
// definition that it names, and compares the output that it shows.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```yaml\n# (\\S+)\n(.*?)^```$")
	texts := map[string][]byte{}
	var names []string
	for _, m := range block.FindAllSubmatch(page, -1) {
		name := string(m[1])
		if texts[name] != nil {
			t.Errorf("docs/testing.md shows two files %s", name)
		}
		texts[name] = []byte("# " + name + "\n" + string(m[2]))
		names = append(names, name)
	}
	played := 0
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.yaml") {
			continue
		}
		f, faults := Parse(texts[name])
		if f == nil {
			t.Errorf("%s in docs/testing.md: %v", name, faults)
			continue
		}
		played++
		if strings.HasPrefix(name, "failing_") {
			rep := stage().Play(t.Context(), f, texts[f.Workflow], nil)
			var out bytes.Buffer
			if err := PrintText(&out, []Played{{File: name, Report: rep}}, false); err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(page, append([]byte("```text\n$ fairlead test "+name+"\n"), out.Bytes()...)) {
				t.Errorf("docs/testing.md does not show what %s prints:\n%s", name, &out)
			}
			continue
		}
		mustPass(t, name, texts[name], texts[f.Workflow])
	}
	if played < 3 {
		t.Errorf("docs/testing.md shows %d files of tests, want at least 3", played)
	}
	// What the page must not forget.
	for _, word := range append(verdicts(), append(append(runEnds(), taskEnds()...),
		"workflow", "code", "tests", "at", "from", "to", "params", "tasks", "stop", "do", "except", "expect",
		"takes", "pokes", "returns", "xcom",
		"run", "waits", "order", "runs", "fires", "last", "states", "at_once", "missed", "ends",
		"state", "attempts", "starts", "reason", "arguments", "exact_arguments",
		"pause", "resume", "retry", "clear", "mark")...) {
		if !bytes.Contains(page, []byte("`"+word+"`")) {
			t.Errorf("docs/testing.md does not describe `%s`", word)
		}
	}
}

// TestSpans reads durations and prints them back.
func TestSpans(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"90", "1m30s"}, {"0", "0s"}, {"1.5", "1.5s"}, {"5m", "5m"}, {"1h30m", "1h30m"}, {"2d", "2d"}, {"1d12h", "1d12h"}, {"24h", "1d"},
		{"250ms", "250ms"}, {"1h0m5s", "1h0m5s"},
		{"", ""}, {"-5m", ""}, {"5", "5s"}, {"1d-1h", ""}, {"4000d", ""}, {"1e300", ""}, {"NaN", ""}, {"soon", ""}, {"5n", ""}, {"99999999h", ""},
	} {
		got := ""
		if d, ok := parseSpan(tt.in); ok {
			got = spanText(d)
		}
		if got != tt.want {
			t.Errorf("duration %q reads as %q, want %q", tt.in, got, tt.want)
		}
	}
}

// TestEveryStateHasAName wants a word of the API for each state.
func TestEveryStateHasAName(t *testing.T) {
	for _, s := range flow.States() {
		for _, got := range []string{taskName(s), runName(s)} {
			if got == string(s) {
				t.Errorf("state %s has no name", s)
			}
		}
	}
}

// FuzzParse wants no panic, places inside the text, and that what parses can
// be played and is what the schema takes.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(src), "-- tests --\n")
		tests, _, _ := strings.Cut(rest, "-- output --\n")
		f.Add(tests)
	}
	const workflow = `etl:
  schedule: "0 6 * * 1-5"
  tasks:
    extract:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: echo {{ ds }}
    load:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: echo {{ ti.xcom_pull(task_ids='extract') }}
      dependencies: [extract]
`
	def, found := stage().Compile([]byte(workflow), false, defaultStart())
	if len(found) > 0 {
		f.Fatal(found)
	}
	st := stage()
	st.Compile = func([]byte, bool, time.Time) (flow.Definition, []flow.Diagnostic) { return def, nil }
	schema := schemaOf(f)
	f.Fuzz(func(t *testing.T, src string) {
		file, faults := Parse([]byte(src))
		if (file == nil) != (len(faults) > 0) {
			t.Fatalf("file %v with faults %v", file, faults)
		}
		rows := strings.Count(src, "\n") + strings.Count(src, "\r") + strings.Count(src, "\u2028") + strings.Count(src, "\u2029") + strings.Count(src, "\u0085") + 2
		for _, d := range faults {
			if d.Line < 0 || d.Line > rows || d.Column < 0 || d.Message == "" || len(d.String()) > 8000 {
				t.Errorf("fault %+v", d)
			}
		}
		if file != nil {
			if err := validate(t, schema, []byte(src)); err != nil {
				t.Errorf("it parses, and the schema refuses it: %v", err)
			}
		}
		if file == nil || len(file.Tests) > 3 {
			return
		}
		for _, test := range file.Tests {
			if test.ranged && test.end.t.Sub(test.start.t) > 100*24*time.Hour {
				return // slow, and no different
			}
		}
		rep := st.Play(t.Context(), file, nil, nil)
		for _, r := range rep.Results {
			if len(r.Timeline) > maxLines+2 || len(r.Failures) > maxFailures {
				t.Errorf("result %+v", r)
			}
		}
		var out bytes.Buffer
		if err := PrintJUnit(&out, []Played{{File: "test.yaml", Report: rep}}); err != nil {
			t.Errorf("JUnit: %v", err)
		}
	})
}

// BenchmarkMonth plays a month of an hourly schedule with 20 tasks.
func BenchmarkMonth(b *testing.B) {
	var w strings.Builder
	w.WriteString("big:\n  schedule: '0 * * * *'\n  params: {who: world}\n  tasks:\n")
	for i := range 20 {
		name, before := string(rune('a'+i)), string(rune('a'+max(i-1, 0)))
		w.WriteString("    " + name + ":\n      operator: airflow.providers.standard.operators.bash.BashOperator\n")
		w.WriteString("      bash_command: \"load {{ params.who }} {{ ds }} {{ ti.xcom_pull(task_ids='" + before + "') }}\"\n")
		if i > 0 {
			w.WriteString("      dependencies: [" + before + "]\n")
		}
	}
	tests := "workflow: big.yaml\ntests:\n  a month:\n    from: 2026-03-01\n    to: 2026-03-31\n" +
		"    tasks: {d: [{fails: down, takes: 5m}, {returns: 12}]}\n    expect: {runs: 744, run: SUCCESS, tasks: {d: {attempts: 2}}}\n"
	f, faults := Parse([]byte(tests))
	if f == nil {
		b.Fatal(faults)
	}
	for b.Loop() {
		rep := stage().Play(b.Context(), f, []byte(w.String()), nil)
		if len(rep.Results) != 1 || !rep.Results[0].OK() {
			b.Fatal(rep)
		}
	}
}

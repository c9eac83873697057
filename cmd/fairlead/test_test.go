package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTestCommand(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("w.yaml", "w:\n  tasks:\n    a: {operator: airflow.providers.standard.operators.bash.BashOperator, bash_command: x}\n")
	write("bad.yaml", "w:\n  tasks: {}\n  extra: 1\n")
	good := write("good.yaml", "workflow: w.yaml\ntests:\n  one: {expect: {run: SUCCESS}}\n  two: {expect: {takes: 0}}\n")
	failing := write("failing.yaml", "workflow: w.yaml\ntests:\n  one <1>: {expect: {run: FAILED}}\n  two: {expect: {run: SUCCESS}}\n")
	typo := write("typo.yaml", "workflow: w.yaml\ntests:\n  one: {expect: {rum: FAILED}}\n")
	gone := write("gone.yaml", "workflow: gone/w.yaml\ntests:\n  one: {expect: {run: FAILED}}\n")
	folder := write("folder.yaml", "workflow: .\ntests:\n  one: {expect: {run: FAILED}}\n")
	code := write("code.yaml", "workflow: w.yaml\ncode: nowhere\ntests:\n  one: {expect: {run: FAILED}}\n")
	write("python.yaml", "w:\n  tasks:\n    a: {operator: airflow.providers.standard.operators.python.PythonOperator, python_callable: a.b}\n")
	bare := write("bare.yaml", "workflow: python.yaml\ntests:\n  one: {expect: {run: FAILED}}\n")
	twice := write("twice.yaml", "workflow: w.yaml\ntests:\n  one: {expect: {run: FAILED}}\n  one: {expect: {run: SUCCESS}}\n")
	refused := write("refused.yaml", "workflow: bad.yaml\ntests:\n  one: {expect: {run: FAILED}}\n")
	nested := filepath.Join(dir, "nested")
	for _, sub := range []string{"deep", ".hidden/empty"} {
		if err := os.MkdirAll(filepath.Join(nested, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("nested/w_test.yaml", "workflow: ../w.yaml\ntests:\n  one: {expect: {run: SUCCESS}}\n  two: {expect: {takes: 0}}\n")
	write("nested/deep/w_test.yml", "workflow: ../../w.yaml\ntests:\n  one: {expect: {run: SUCCESS}}\n")
	write("nested/deep/w.yaml", "no test\n")
	write("nested/.hidden/w_test.yaml", "no test\n")
	for _, tt := range []struct {
		name   string
		args   []string
		status int // 0, 1 or 2
		out    string
		errOut string
	}{
		{"all pass", []string{good}, 0, "2 passed, 0 failed", ""},
		{"some are played", []string{good, failing, "--run", "^two$"}, 0, "2 passed, 0 failed", ""},
		{"one fails", []string{good, failing}, 1, failing + ":3:27: tests.one <1>.expect.run\n          got   SUCCESS\n          want  FAILED\n", ""},
		{"verbose", []string{good, "-v"}, 0, "+0s      a SUCCESS\n", ""},
		{"none has the name", []string{good, "--run", "three"}, 2, "", ""},
		{"no regular expression", []string{good, "--run", "("}, 2, "", ""},
		{"no file", []string{filepath.Join(dir, "none.yaml"), good}, 1, "2 passed, 0 failed, 1 of 2 files could not be played", "none.yaml: error: open "},
		{"a directory", []string{nested}, 0, "3 passed, 0 failed", ""},
		{"a directory without tests", []string{filepath.Join(nested, ".hidden", "empty")}, 2, "", ""},
		{"a slip", []string{typo}, 1, "", typo + ":3:18: error: tests.one.expect.rum: there is no key \"rum\" here\n    did you mean run?"},
		{"no definition", []string{gone}, 1, "", gone + ":1:11: error: workflow: open "},
		{"a folder for a definition", []string{folder}, 1, "", folder + ":1:11: error: workflow: read "},
		{"no code package", []string{code}, 1, "", code + ":2:7: error: code: "},
		{"code that is not named", []string{bare}, 1, "", bare + ":1:11: error: workflow: the workflow runs code of its own, and this file names no code package\n    add code:"},
		{"two tests of one name", []string{twice}, 1, "", "    rename one of them"},
		{"a definition in the place of its tests", []string{filepath.Join(dir, "w.yaml")}, 1, "", "this is a definition, not a file of tests"},
		{"an empty file", []string{write("empty.yaml", "")}, 1, "", "empty.yaml:1:1: error: the file is empty\n    begin with workflow:"},
		{"an argument that is none", []string{write("argument.yaml", "workflow: w.yaml\ntests:\n  one: {expect: {tasks: {a: {arguments: {bash_comand: x}}}}}\n")}, 1, "got   nothing; did you mean bash_command?", ""},
		{"a definition that is refused", []string{refused}, 1, "", filepath.Join(dir, "bad.yaml") + ":2:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errOut, err := try("", append([]string{"test"}, tt.args...)...)
			status := 0
			if _, ok := errors.AsType[*usageError](err); ok {
				status = 2
			} else if err != nil {
				status = 1
			}
			if status != tt.status || !strings.Contains(out, tt.out) || !strings.Contains(errOut, tt.errOut) {
				t.Errorf("test %q: status %d, %v\ngot out\n%s\ngot err\n%s\nwant status %d, out\n%s\nand err\n%s", tt.args, status, err, out, errOut, tt.status, tt.out, tt.errOut)
			}
		})
	}
	t.Run("JSON and JUnit", func(t *testing.T) {
		junit := filepath.Join(dir, "junit.xml")
		out, _, err := try("", "test", good, failing, typo, "--json", "--junit", junit)
		if err == nil {
			t.Error("no error")
		}
		oks, lines := 0, 0
		for line := range strings.Lines(out) {
			var r struct {
				Name string
				OK   bool
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil || r.Name == "" {
				t.Errorf("line %q: %v", line, err)
			}
			lines++
			if r.OK {
				oks++
			}
		}
		if oks != 3 || lines != 5 {
			t.Errorf("%d of %d tests are ok, want 3 of 4, and a line of the file that cannot be played:\n%s", oks, lines, out)
		}
		if want := `"line":3,"column":18,"path":"tests.one.expect.rum","got":"there is no key \"rum\" here","want":"did you mean run?"`; !strings.Contains(out, want) {
			t.Errorf("JSON lacks %s:\n%s", want, out)
		}
		raw, err := os.ReadFile(junit)
		if err != nil {
			t.Fatal(err)
		}
		var suites struct {
			Suites []struct {
				Name                    string `xml:"name,attr"`
				Tests, Failures, Errors int    `xml:",attr"`
			} `xml:"testsuite"`
		}
		if err := xml.Unmarshal(raw, &suites); err != nil || len(suites.Suites) != 3 {
			t.Errorf("JUnit: %v\n%s", err, raw)
		}
		for _, want := range []string{`<testsuite name="` + failing + `" tests="2" failures="1" errors="0">`, `errors="1"`, `name="one &lt;1&gt;"`} {
			if !strings.Contains(string(raw), want) {
				t.Errorf("JUnit lacks %s:\n%s", want, raw)
			}
		}
	})
}

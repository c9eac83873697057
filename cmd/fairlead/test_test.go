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
	refused := write("refused.yaml", "workflow: bad.yaml\ntests:\n  one: {expect: {run: FAILED}}\n")
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
		{"no file", []string{filepath.Join(dir, "none.yaml")}, 1, "", ""},
		{"a slip", []string{typo}, 1, "", typo + ":3:18: error: tests.one.expect.rum: there is no key \"rum\" here\n    did you mean run?"},
		{"no definition", []string{gone}, 1, "", gone + ":1:11: error: workflow: open "},
		{"a folder for a definition", []string{folder}, 1, "", folder + ":1:11: error: workflow: read "},
		{"no code package", []string{code}, 1, "", code + ":2:7: error: code: "},
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
		oks := 0
		for line := range strings.Lines(out) {
			var r struct {
				Name string
				OK   bool
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil || r.Name == "" {
				t.Errorf("line %q: %v", line, err)
			}
			if r.OK {
				oks++
			}
		}
		if oks != 3 {
			t.Errorf("%d tests are ok, want 3:\n%s", oks, out)
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

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const required = `required:
  default_args: {retries: 0}
  tasks:
    a: {operator: airflow.operators.python.PythonOperator, python_callable: uses.thing}
    b: {operator: airflow.operators.python.PythonOperator, python_callable: uses.thing}
    c: {operator: airflow.operators.bash.BashOperator, bash_command: python -c "import thing; print(thing.NAME)"}
`

// wheel returns the archive of a Python package with one module.
func wheel(t *testing.T, name, text string) string {
	t.Helper()
	return string(archive(t, map[string]string{
		name + ".py":                     text,
		name + "-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n",
		name + "-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		name + "-1.0.dist-info/RECORD":   name + ".py,,\n" + name + "-1.0.dist-info/METADATA,,\n" + name + "-1.0.dist-info/WHEEL,,\n",
	}))
}

// logOf returns the log files of a task of a run.
func logOf(t *testing.T, data, run, task string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, run) || !strings.Contains(path, "task_id="+task) {
			return nil // other files come and go
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestRequirements installs what packages require: once for all tasks that
// need it, or with an error that quotes the tool.
func TestRequirements(t *testing.T) {
	if exec.Command("/usr/bin/python3", "-m", "pip", "--version").Run() != nil {
		t.Skip("the system's python3 has no pip")
	}
	c := serve(t, nil)
	uses := "import thing as module\ndef thing(): return module.NAME\n"
	arn := c.packaged("required", required, map[string]string{
		"uses.py": uses, "requirements.txt": "--no-index\n./wheels/thing-1.0-py3-none-any.whl\n",
		"wheels/thing-1.0-py3-none-any.whl": wheel(t, "thing", "NAME = 'thing one'\n"),
	})
	for _, again := range []bool{false, true} {
		id := c.start(arn, nil)
		c.until(arn, id, over)
		installers := 0
		for _, ti := range c.instances(arn, id) {
			if ti.Status != "SUCCESS" || ti.Xcom["return_value"] != `"thing one"` {
				t.Errorf("%s: %s %v %s", *ti.TaskId, ti.Status, ti.Xcom, aws.ToString(ti.ErrorMessage))
			}
			log := logOf(t, c.data, id, *ti.TaskId)
			if strings.Contains(log, "Installing the packages of requirements.txt") {
				installers++
				if !strings.Contains(log, "Successfully installed thing-1.0") && !strings.Contains(log, "thing==1.0") {
					t.Errorf("the installer's log lacks the tool's lines:\n%s", log)
				}
			}
		}
		if want := map[bool]int{false: 1}[again]; installers != want {
			t.Errorf("%d tasks installed the packages, want %d (again: %t)", installers, want, again)
		}
	}
	arn = c.packaged("unmet", strings.Replace(required, "required", "unmet", 1), map[string]string{
		"uses.py": uses, "requirements.txt": "--no-index\nno-such-thing==7\n",
	})
	id := c.start(arn, nil)
	c.until(arn, id, over)
	for _, ti := range c.instances(arn, id) {
		if why := aws.ToString(ti.ErrorMessage); ti.Status != "FAILED" || !strings.Contains(why, "could not be installed") || !strings.Contains(why, "no-such-thing") {
			t.Errorf("%s: %s %q, want a failure that quotes the tool", *ti.TaskId, ti.Status, why)
		}
	}
}

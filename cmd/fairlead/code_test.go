package main

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

const packaged = `packaged:
  default_args: {retries: 0}
  tasks:
    count:
      operator: airflow.providers.standard.operators.python.PythonOperator
      python_callable: tidy.count_lines
      op_kwargs: {path: "in/{{ ds_nodash }}.csv"}
    say:
      operator: airflow.operators.bash.BashOperator
      bash_command: "bash say.sh {{ ti.xcom_pull(task_ids='count')['lines'] }}"
      dependencies: [count]
    shout:
      operator: airflow.operators.python.PythonOperator
      python_callable: tidy.shout
      dependencies: [count]
    maybe:
      operator: airflow.operators.python.PythonOperator
      python_callable: tidy.not_today
      dependencies: [say]
    after_maybe: {operator: airflow.operators.empty.EmptyOperator, dependencies: [maybe]}
    boom:
      operator: airflow.operators.python.PythonOperator
      python_callable: tidy.boom
      retries: 2
    always: {operator: airflow.operators.empty.EmptyOperator, trigger_rule: all_done, dependencies: [after_maybe, shout, boom]}
`

const tidy = `from airflow.exceptions import AirflowFailException, AirflowSkipException

def count_lines(path):
    print("counting", path)
    return {"path": path, "lines": 3}

def shout(**context):
    context["ti"].xcom_push(key="loud", value=[1, "two"])
    return str(context["ti"].xcom_pull(task_ids="count")["lines"]) + "!"

def not_today():
    raise AirflowSkipException("not today")

def boom():
    raise AirflowFailException("no use trying again")
`

// TestCodePackage runs Python and Bash of a code package through the API.
func TestCodePackage(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 on this machine")
	}
	c := serve(t, nil)
	arn := c.packaged("packaged", packaged, map[string]string{"tidy.py": tidy, "say.sh": "echo first; echo lines=$1"})
	id := c.start(arn, nil)
	if d := c.until(arn, id, over); d.RunState != types.WorkflowRunStatusSuccess {
		t.Errorf("run ended %s: %s", d.RunState, aws.ToString(d.ErrorMessage))
	}
	got := map[string]string{}
	for _, ti := range c.instances(arn, id) {
		text := string(ti.Status)
		for _, key := range []string{"return_value", "loud"} {
			if v, ok := ti.Xcom[key]; ok {
				text += " " + key + "=" + v
			}
		}
		if ti.ErrorMessage != nil {
			text += " (" + strings.TrimSpace(*ti.ErrorMessage) + ")"
		}
		got[*ti.TaskId] = text
	}
	day := strings.Split(strings.TrimPrefix(got["count"], `SUCCESS return_value={"path":"in/`), ".")[0]
	want := map[string]string{
		"count":       `SUCCESS return_value={"path":"in/` + day + `.csv","lines":3}`,
		"say":         `SUCCESS return_value="lines=3"`,
		"shout":       `SUCCESS return_value="3!" loud=[1,"two"]`,
		"maybe":       "NONE (not today)",
		"after_maybe": "NONE (trigger rule all_success cannot be met)",
		"boom":        "FAILED (AirflowFailException: no use trying again)",
		"always":      "SUCCESS",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
}

// archive returns a zip archive of files.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// packaged creates a workflow with a zip archive of files and returns its ARN.
func (c *client) packaged(name, definition string, files map[string]string) string {
	t := c.t
	t.Helper()
	for key, data := range map[string][]byte{name + ".yaml": []byte(definition), name + ".zip": archive(t, files)} {
		if _, err := c.s3.PutObject(t.Context(), &awss3.PutObjectInput{
			Bucket: aws.String("workflows"), Key: &key, Body: bytes.NewReader(data),
		}); err != nil {
			t.Fatal(err)
		}
	}
	var made struct{ WorkflowArn string }
	c.call("CreateWorkflow", map[string]any{
		"Name": name, "RoleArn": "arn:aws:iam::111122223333:role/etl",
		"DefinitionS3Location": map[string]string{"Bucket": "workflows", "ObjectKey": name + ".yaml"},
		"Code":                 map[string]any{"S3Location": map[string]string{"Bucket": "workflows", "ObjectKey": name + ".zip"}},
	}, &made)
	return made.WorkflowArn
}

// TestRunCommand runs a definition without a server, in a process of its
// own, and looks at the exit status.
func TestRunCommand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(definition string, args ...string) (string, int) {
		file := t.TempDir() + "/flow.yaml"
		if err := os.WriteFile(file, []byte(definition), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self, append([]string{"run", file}, args...)...)
		cmd.Env = append(os.Environ(), "FAIRLEAD_TEST_COMMAND=1")
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, tt := range []struct {
		name, definition string
		args             []string
		code             int
		want             string
	}{
		{"success", hello, []string{"-p", "who=you", "--watch"}, 0, "say | hello you"},
		{"failure shows the log", strings.Replace(hello, "echo hello", "echo the reason; exit 4; echo", 1),
			[]string{"--limit", "runs=5"}, 1, "  | the reason"},
		{"refused", "a: {tasks: []}", nil, 1, "Invalid tasks configuration."},
		{"wrong usage", hello, []string{"-p", "novalue"}, 2, "expected key=value"},
		{"unknown flag", hello, []string{"--nope"}, 2, "unknown flag"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			definition := strings.Replace(tt.definition, "hello:\n", "hello:\n  default_args: {retries: 0}\n", 1)
			out, code := run(definition, tt.args...)
			if code != tt.code || !strings.Contains(out, tt.want) {
				t.Errorf("run %v: exit status %d, want %d with %q; it printed:\n%s", tt.args, code, tt.code, tt.want, out)
			}
		})
	}
}

// TestBadCodePackage checks that an archive which is none fails the run at
// once, with the reason, however many retries there are.
func TestBadCodePackage(t *testing.T) {
	c := serve(t, nil)
	for key, data := range map[string]string{
		"bad.yaml": "bad: {tasks: {t: {operator: airflow.operators.python.PythonOperator, python_callable: m.f, retries: 3}}}",
		"bad.zip":  "PK, but no archive",
	} {
		if _, err := c.s3.PutObject(t.Context(), &awss3.PutObjectInput{
			Bucket: aws.String("workflows"), Key: &key, Body: strings.NewReader(data),
		}); err != nil {
			t.Fatal(err)
		}
	}
	var made struct{ WorkflowArn string }
	c.call("CreateWorkflow", map[string]any{
		"Name": "bad", "RoleArn": "arn:aws:iam::111122223333:role/etl",
		"DefinitionS3Location": map[string]string{"Bucket": "workflows", "ObjectKey": "bad.yaml"},
		"Code":                 map[string]any{"S3Location": map[string]string{"Bucket": "workflows", "ObjectKey": "bad.zip"}},
	}, &made)
	id := c.start(made.WorkflowArn, nil)
	if d := c.until(made.WorkflowArn, id, over); d.RunState != types.WorkflowRunStatusFailed {
		t.Errorf("run ended %s, want FAILED", d.RunState)
	}
	for _, ti := range c.instances(made.WorkflowArn, id) {
		if *ti.AttemptNumber != 1 || !strings.Contains(aws.ToString(ti.ErrorMessage), "could not be extracted") {
			t.Errorf("attempt %d: %q, want one attempt that says what is wrong", *ti.AttemptNumber, aws.ToString(ti.ErrorMessage))
		}
	}
}

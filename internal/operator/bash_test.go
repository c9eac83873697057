package operator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
)

const bashPath = "airflow.providers.standard.operators.bash.BashOperator"

func TestBash(t *testing.T) {
	o := testOperators(t, nil)
	code := t.TempDir()
	if err := os.WriteFile(filepath.Join(code, "job.sh"), []byte("echo from $PWD\necho file"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name            string
		args            []any
		env             map[string]string
		code            string
		verdict         flow.Verdict
		reason, outputs string
	}{
		{name: "last line", args: []any{"bash_command", "echo a; echo 'b \"<&>'  "}, verdict: flow.Success, outputs: `{"return_value":"b \"<&>"}`},
		{name: "no output", args: []any{"bash_command", "true"}, verdict: flow.Success, outputs: `{"return_value":""}`},
		{name: "not UTF-8", args: []any{"bash_command", `printf 'é\xff\n'`}, verdict: flow.Success, outputs: `{"return_value":"é\\xff"}`},
		{name: "fails", args: []any{"bash_command", "echo x; exit 3"}, verdict: flow.Failure,
			reason: "Bash command failed. The command returned a non-zero exit code 3."},
		{name: "killed", args: []any{"bash_command", "kill -9 $$"}, verdict: flow.Failure, reason: "non-zero exit code -9."},
		{name: "skips", args: []any{"bash_command", "exit 99"}, verdict: flow.Skip, reason: "Bash command returned exit code 99. Skipping."},
		{name: "skips by list", args: []any{"bash_command", "exit 4", "skip_on_exit_code", []int{4, 5}}, verdict: flow.Skip, reason: "exit code 4"},
		{name: "no skipping", args: []any{"bash_command", "exit 99", "skip_on_exit_code", nil}, verdict: flow.Failure, reason: "exit code 99."},
		{name: "zero skips too", args: []any{"bash_command", "true", "skip_on_exit_code", 0}, verdict: flow.Skip, reason: "exit code 0"},
		{name: "bad skip code", args: []any{"bash_command", "true", "skip_on_exit_code", "x"}, verdict: flow.Failure, reason: "skip_on_exit_code must be"},
		{name: "context", args: []any{"bash_command", `echo $AIRFLOW_CTX_DAG_ID $AIRFLOW_CTX_TASK_ID $AIRFLOW_CTX_DAG_RUN_ID $AIRFLOW_CTX_TRY_NUMBER $AIRFLOW_CTX_EXECUTION_DATE`},
			verdict: flow.Success, outputs: `{"return_value":"etl t R1 2 2026-11-21T08:00:00+00:00"}`},
		{name: "environment", args: []any{"bash_command", "echo $A $B ${PATH:+path}"}, env: map[string]string{"A": "1"}, verdict: flow.Success, outputs: `{"return_value":"1 path"}`},
		{name: "env replaces", args: []any{"bash_command", "echo $A $B $AIRFLOW_CTX_TASK_ID", "env", map[string]any{"B": "2"}}, env: map[string]string{"A": "1"},
			verdict: flow.Success, outputs: `{"return_value":"2 t"}`},
		{name: "env is added", args: []any{"bash_command", "echo $A $B", "env", map[string]any{"B": "2"}, "append_env", true}, env: map[string]string{"A": "1"},
			verdict: flow.Success, outputs: `{"return_value":"1 2"}`},
		{name: "env of numbers", args: []any{"bash_command", "true", "env", map[string]any{"N": 1}}, verdict: flow.Failure, reason: "env: the value of N must be text, not 1"},
		{name: "env with a bad name", args: []any{"bash_command", "true", "env", map[string]any{"A=B": "1"}}, verdict: flow.Failure, reason: "cannot be the name"},
		{name: "cwd", args: []any{"bash_command", "pwd", "cwd", "/usr"}, verdict: flow.Success, outputs: `{"return_value":"/usr"}`},
		{name: "no such cwd", args: []any{"bash_command", "pwd", "cwd", "/no/such"}, verdict: flow.Failure, reason: "exit code 1"},
		{name: "template file", args: []any{"bash_command", "job.sh"}, code: code, verdict: flow.Success, outputs: `{"return_value":"file"}`},
		{name: "no template file", args: []any{"bash_command", "no.sh"}, code: code, verdict: flow.Failure, reason: "template file not found"},
		{name: "a command that ends like one", args: []any{"bash_command", "bash job.sh"}, code: code, verdict: flow.Success, outputs: `{"return_value":"file"}`},
		{name: "file outside", args: []any{"bash_command", "../x.sh"}, code: code, verdict: flow.Failure, reason: "template file"},
		{name: "no package", args: []any{"bash_command", "job.sh"}, verdict: flow.Failure, reason: "template file not found"},
		{name: "a space avoids that", args: []any{"bash_command", "bash job.sh "}, code: code, verdict: flow.Success, outputs: `{"return_value":"file"}`},
		{name: "too long", args: []any{"bash_command", strings.Repeat("#", 200000)}, verdict: flow.Fatal, reason: "200000 bytes"},
		{name: "not text", args: []any{"bash_command", []int{1}}, verdict: flow.Failure, reason: "bash_command must be text, not [1]"},
		{name: "absent", verdict: flow.Failure, reason: "bash_command has no value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := call(bashPath, tt.args...)
			c.Env, c.Code = tt.env, tt.code
			expect(t, tt.args, run(t, o, c), tt.verdict, tt.reason, tt.outputs)
		})
	}
}

func TestEndsThatAreNotOfTheCommand(t *testing.T) {
	o := testOperators(t, nil)
	for _, path := range []string{bashPath, pythonPath, s3Path("S3ListOperator")} {
		r, _ := o.Runner(path)
		for why, want := range map[exec.Why]flow.Verdict{
			exec.Stopped: flow.Failure, exec.OutOfTime: flow.Timeout, exec.OutOfMemory: flow.Failure, exec.OutOfDisk: flow.Failure, exec.Lost: flow.Lost,
		} {
			if got := r.Finish(call(path), exec.Exit{Why: why}); got.Verdict != want || got.Reason == "" {
				t.Errorf("%s: Finish(%s) = %+v, want %s with a reason", path, why, got, want)
			}
		}
	}
}

func TestCommandInTheCage(t *testing.T) {
	o := testOperators(t, func(s *Settings) { s.Unmounted = false; s.Endpoint = "http://127.0.0.1:1" })
	for _, path := range []string{bashPath, pythonPath, s3Path("S3ListOperator")} {
		c := call(path, "bash_command", "true", "python_callable", "a.b")
		c.Code = "/data/code/1"
		c.Env = map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_REGION": "us-east-2"}
		r, _ := o.Runner(path)
		s, err := r.Command(c)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := r.Command(c)
		if got, want := string(encode(again)), string(encode(s)); got != want {
			t.Errorf("%s: Command gives %s and then %s", path, want, got)
		}
		for _, want := range []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_ACCESS_KEY_ID=AKID", "AWS_REGION=us-east-2", "AIRFLOW_CTX_DAG_ID=etl"} {
			if !slices.Contains(s.Env, want) {
				t.Errorf("%s: environment %q lacks %s", path, s.Env, want)
			}
		}
		if strings.Contains(string(s.Stdin), "AKID") {
			t.Errorf("%s: the request holds a secret: %s", path, s.Stdin)
		}
		for _, m := range s.Mounts {
			if m.Writable {
				t.Errorf("%s: %+v is writable", path, m)
			}
		}
		if mounted := slices.Contains(s.Mounts, exec.Mount{Source: c.Code, Target: dagsDir}); mounted != (path != s3Path("S3ListOperator")) {
			t.Errorf("%s: mounts are %+v", path, s.Mounts)
		}
		t.Logf("%s: %q in %q with %+v", path, s.Argv, s.Dir, s.Mounts)
	}
}

func TestPublishIsBounded(t *testing.T) {
	o := testOperators(t, func(s *Settings) { s.MaxXCom = 10 })
	expect(t, "12345678", run(t, o, call(bashPath, "bash_command", "echo 12345678")), flow.Success, "", `{"return_value":"12345678"}`)
	expect(t, "123456789", run(t, o, call(bashPath, "bash_command", "echo 123456789")), flow.Failure, `the XCom value "return_value" has 11 bytes; the limit is 10`, "")
}

package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
)

const secretWorkflow = `tell:
  tasks:
    bash:
      operator: airflow.operators.bash.BashOperator
      retries: 0
      bash_command: |
        echo "variable $AIRFLOW_VAR_PIN"; echo "uri $AIRFLOW_CONN_WAREHOUSE"; echo "plain $API"
        printenv AWS_CONTAINER_AUTHORIZATION_TOKEN
        printf %s "${AIRFLOW_VAR_PIN}" | cut -c1-8 | tr -d '\n'; sleep 1.3; printf %s "$AIRFLOW_VAR_PIN" | cut -c9-
        echo "end $AIRFLOW_VAR_PIN"
    python:
      operator: airflow.operators.python.PythonOperator
      python_callable: tell.tell
      retries: 0
    next:
      operator: airflow.operators.bash.BashOperator
      env: {GOT: "{{ ti.xcom_pull(task_ids='bash') }}"}
      append_env: true
      bash_command: '[ "$GOT" = "end $AIRFLOW_VAR_PIN" ]'
      retries: 0
      dependencies: [bash]
`

const secretModule = `
import json, logging
from airflow.models import Variable

def tell():
    pin = Variable.get("pin")
    print("print", pin)
    logging.getLogger("x").warning("log %s", json.dumps({"pin": pin}))
    raise ValueError("it is " + pin)
`

// TestSecretsAreMasked has tasks tell what they were given, in every way.
func TestSecretsAreMasked(t *testing.T) {
	const pin, password = "pin-ü\"12345", "hunter2hunter2"
	c := serve(t, func(o *options) { o.anonymous = true })
	for name, value := range map[string]string{
		"variables/pin": pin, "connections/warehouse": "postgres://me:" + password + "@db/x", "environment/API": "api-98765",
	} {
		cmd := rootCommand()
		cmd.SetArgs([]string{"secret", "set", name, "--data", c.data})
		cmd.SetIn(strings.NewReader(value + "\n"))
		if err := cmd.Execute(); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.mustSay("", "secret", "list"); got != "connections/warehouse\nenvironment/API\nvariables/pin\n" {
		t.Errorf("secret list prints %q", got)
	}
	arn := c.packaged("tell", secretWorkflow, map[string]string{"tell.py": secretModule})
	run := c.start(arn, nil)
	c.until(arn, run, over)
	for _, ti := range c.instances(arn, run) {
		switch *ti.TaskId {
		case "bash":
			if got := ti.Xcom["return_value"]; got != `"end ***"` {
				t.Errorf("the XCom is %s, want a mask in it", got)
			}
		case "next":
			if ti.Status != types.TaskInstanceStatusSuccess {
				t.Errorf("the task that needs the XCom is %s, want it to find the secret", ti.Status)
			}
		case "python":
			if got := aws.ToString(ti.ErrorMessage); !strings.Contains(got, "it is ***") {
				t.Errorf("the error is %q, want a mask in it", got)
			}
		}
	}
	seen := 0
	err := filepath.WalkDir(filepath.Join(c.data, "logs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen += bytes.Count(text, []byte("***"))
		for _, bad := range []string{"pin-", "12345", password, "98765", "eyJy"} {
			if bytes.Contains(text, []byte(bad)) {
				t.Errorf("%s has %q in it:\n%s", path, bad, text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 8 {
		t.Errorf("the logs have %d masks, want 8 or more", seen)
	}
	resp, err := http.Get(c.info.Endpoint + "/fairlead/v1/runs/" + run + "/journal?limit=1000")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	journal, err := io.ReadAll(resp.Body)
	if err != nil || bytes.Contains(journal, []byte("12345")) || !bytes.Contains(journal, []byte("end ***")) {
		t.Errorf("the journal has no mask, or a secret: %v\n%s", err, journal)
	}
	b := c.signIn()
	for _, path := range []string{"xcom", "log", "arguments"} {
		var text string
		b.get("runs/"+run+"/tasks/bash/1/"+path, &text)
		if strings.Contains(text, "12345") || path != "arguments" && !strings.Contains(text, "end ***") {
			t.Errorf("the console's %s of the task has no mask, or a secret:\n%s", path, text)
		}
	}
}

func TestSecretsOfARole(t *testing.T) {
	roles := filepath.Join(t.TempDir(), "roles.json")
	if err := os.WriteFile(roles, []byte(`{"etl": {"policy": {"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "arn:aws:secretsmanager:*:*:secret:airflow/variables/mine"}]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := serve(t, func(o *options) { o.roles = roles })
	v, err := dataDir(c.data).vault()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"variables/mine", "variables/yours"} {
		if err := v.Set(name, "value"); err != nil {
			t.Fatal(err)
		}
	}
	arn := c.workflow("look", `look:
  tasks:
    look: {operator: airflow.operators.bash.BashOperator, bash_command: "env | grep ^AIRFLOW_VAR | tr '\\n' ' '"}
`)
	run := c.start(arn, nil)
	c.until(arn, run, over)
	if got := c.instances(arn, run)[0].Xcom["return_value"]; got != `"AIRFLOW_VAR_MINE=***"` {
		t.Errorf("a task finds %s, want what its role may read", got)
	}
}

// TestConsoleMasksTheEnvironment has a task publish a secret that its
// workflow's own environment holds.
func TestConsoleMasksTheEnvironment(t *testing.T) {
	c := serve(t, func(o *options) { o.anonymous = true })
	arn := c.workflow("tell", `tell:
  tasks:
    tell:
      operator: airflow.operators.bash.BashOperator
      bash_command: echo "it is $AIRFLOW_VAR_API_KEY"
`)
	c.call("UpdateWorkflow", map[string]any{
		"WorkflowArn": arn, "RoleArn": "arn:aws:iam::111122223333:role/etl",
		"DefinitionS3Location": map[string]string{"Bucket": "workflows", "ObjectKey": "tell.yaml"},
		"Environment":          map[string]any{"Variables": map[string]string{"AIRFLOW_VAR_API_KEY": "open-sesame"}},
	}, &struct{}{})
	run := c.start(arn, nil)
	c.until(arn, run, over)
	b := c.signIn()
	for _, path := range []string{"xcom", "log"} {
		var text string
		b.get("runs/"+run+"/tasks/tell/1/"+path, &text)
		if strings.Contains(text, "sesame") || !strings.Contains(text, "it is ***") {
			t.Errorf("the console's %s of the task has no mask, or a secret:\n%s", path, text)
		}
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const backendModule = `
import logging, os, subprocess
from airflow.hooks.base import BaseHook
from airflow.models import Variable

def look():
    c = BaseHook.get_connection("warehouse")
    subprocess.run(["echo", "a child prints", c.password, Variable.get("api_key")], check=True)
    print("prints", c.password, Variable.get("api_key"), Variable.get("plain"))
    logging.getLogger("x").info("logs %s %r", c.password, {"p": c.password})
    assert Variable.get("nowhere", default_var=None) is None
    assert Variable.get("mine") == "from the environment"
    return len(c.password)

def fail():
    raise ValueError("with " + BaseHook.get_connection("warehouse").password)

def refused():
    Variable.get("denied")
`

// TestSecretsBackend has tasks read connections and variables from a Secrets
// Manager.
func TestSecretsBackend(t *testing.T) {
	needNamespaces(t) // for a network with endpoints alone
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ SecretId string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		answers := map[string]string{
			"airflow/connections/warehouse": `{"conn_type":"postgres","login":"me","password":"hunter2\"hunter2"}`,
			"airflow/variables/api_key":     "key-98765",
			"airflow/variables/plain":       "visible",
		}
		value, ok := answers[in.SecretId]
		switch {
		case r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || !strings.Contains(r.Header.Get("Authorization"), "AKIAHOST"):
			t.Errorf("a call of %s signed by %s", r.Header.Get("X-Amz-Target"), r.Header.Get("Authorization"))
		case strings.HasSuffix(in.SecretId, "denied"):
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"AccessDeniedException","Message":"not for you"}`)
		case !ok:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"ResourceNotFoundException"}`)
		default:
			_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": value})
		}
	}))
	defer manager.Close()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIAHOST", "AWS_SECRET_ACCESS_KEY": "host", "AWS_SESSION_TOKEN": ""} {
		t.Setenv(name, value)
	}
	roles := filepath.Join(t.TempDir(), "roles.json")
	if err := os.WriteFile(roles, []byte(`{"etl": {"assume": "host", "endpoint": "`+manager.URL+`"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := serve(t, func(o *options) { o.roles, o.network = roles, "endpoints" })
	definition := "b:\n  tasks:\n"
	for _, f := range []string{"look", "fail", "refused"} {
		definition += "    " + f + ": {operator: airflow.operators.python.PythonOperator, python_callable: tell." + f + ", retries: 0}\n"
	}
	arn := c.packaged("backend", definition, map[string]string{"tell.py": backendModule})
	c.call("UpdateWorkflow", map[string]any{
		"WorkflowArn": arn, "RoleArn": "arn:aws:iam::111122223333:role/etl",
		"DefinitionS3Location": map[string]string{"Bucket": "workflows", "ObjectKey": "backend.yaml"},
		"Environment": map[string]any{"Variables": map[string]string{
			"AIRFLOW__WORKERS__SECRETS_BACKEND": "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
			"AIRFLOW_VAR_MINE":                  "from the environment", "AIRFLOW_VAR_API_KEY": "not this one",
		}},
	}, &struct{}{})
	run := c.start(arn, nil)
	c.until(arn, run, over)
	for _, ti := range c.instances(arn, run) {
		got := string(ti.Status) + " " + strings.TrimSpace(ti.Xcom["return_value"]+aws.ToString(ti.ErrorMessage))
		want := map[string]string{
			"look": "SUCCESS 15", "fail": "FAILED ValueError: with ***",
			"refused": "FAILED AirflowException: The secrets backend cannot give variables/denied: get the secret airflow/variables/denied: AccessDeniedException: not for you",
		}[*ti.TaskId]
		if got != want {
			t.Errorf("%s is %s, want %s", *ti.TaskId, got, want)
		}
	}
	logs, err := filepath.Glob(filepath.Join(c.data, "logs", "*", "workflow_id=*"))
	if err != nil || len(logs) != 3 {
		t.Fatalf("there are logs %q, %v; want 3", logs, err)
	}
	for _, name := range logs {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "hunter2") || strings.Contains(string(text), "98765") {
			t.Errorf("%s shows a secret:\n%s", name, text)
		}
		if strings.Contains(name, "look") && (!strings.Contains(string(text), "prints *** *** visible") || !strings.Contains(string(text), "a child prints *** ***")) {
			t.Errorf("%s lacks what is no secret:\n%s", name, text)
		}
	}
}

// TestBackendIsForRolesElsewhere has a task ask for a secret whose role acts
// here alone: the server must not call out with keys that nobody there knows.
func TestBackendIsForRolesElsewhere(t *testing.T) {
	c := serve(t, nil)
	arn := c.workflow("ask", `ask:
  tasks:
    ask:
      operator: airflow.operators.bash.BashOperator
      retries: 0
      bash_command: >-
        python3 -c 'import os, urllib.request, urllib.error;
        r = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"].replace("credentials", "secrets/variables/x"),
        headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]});
        urllib.request.urlopen(r)' 2>&1 | tail -n 1
`)
	c.call("UpdateWorkflow", map[string]any{
		"WorkflowArn": arn, "RoleArn": "arn:aws:iam::111122223333:role/etl",
		"DefinitionS3Location": map[string]string{"Bucket": "workflows", "ObjectKey": "ask.yaml"},
		"Environment": map[string]any{"Variables": map[string]string{
			"AIRFLOW__WORKERS__SECRETS_BACKEND": "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
		}},
	}, &struct{}{})
	run := c.start(arn, nil)
	c.until(arn, run, over)
	for _, ti := range c.instances(arn, run) {
		if got := ti.Xcom["return_value"]; !strings.Contains(got, "404") {
			t.Errorf("a task is told %s %s, want 404", got, aws.ToString(ti.ErrorMessage))
		}
	}
}

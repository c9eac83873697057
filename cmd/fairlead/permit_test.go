package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairlead/internal/aws/sigv4"
	"fairlead/internal/flow"
)

// TestPolicyJudgesWhatTheDoorReads sends requests that say two things: the
// policy must judge what the door acts on, whatever else is in the body.
func TestPolicyJudgesWhatTheDoorReads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "roles.json")
	if err := os.WriteFile(file, []byte(`{"narrow": {"policy": {"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["airflow-serverless:*", "logs:*"], "Resource": "*"},
		{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::000000000000:role/narrow"},
		{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mine/*"},
		{"Effect": "Deny", "Action": "airflow-serverless:*", "Resource": "arn:aws:airflow-serverless:us-east-1:000000000000:workflow/theirs-*"},
		{"Effect": "Deny", "Action": "logs:*", "Resource": ["arn:aws:logs:us-east-1:000000000000:log-group:/theirs:*", "arn:aws:logs:*:*:log-group:*:log-stream:workflow_id=theirs*"]}
	]}}, "own": {"policy": {"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "*", "Resource": ["arn:aws:airflow-serverless:*:*:workflow/mine-*", "arn:aws:logs:*:*:log-group:/mine:log-stream:mine"]}
	]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{opt: defaultOptions()}
	a.opt.roles, a.opt.data = file, dataDir(t.TempDir())
	if err := a.openRoles(); err != nil {
		t.Fatal(err)
	}
	const mine, theirs = `"arn:aws:airflow-serverless:us-east-1:000000000000:workflow/mine-0123456789"`, `"arn:aws:airflow-serverless:us-east-1:000000000000:workflow/theirs-0123456789"`
	const narrow, other = `"arn:aws:iam::000000000000:role/narrow"`, `"arn:aws:iam::000000000000:role/other"`
	for _, tt := range []struct {
		role, service, op, body string
		want                    bool
	}{
		{"narrow", "airflow-serverless", "GetWorkflow", `{"WorkflowArn": ` + mine + `}`, true},
		{"narrow", "airflow-serverless", "GetWorkflow", `{"WorkflowArn": ` + theirs + `}`, false},
		{"narrow", "airflow-serverless", "GetWorkflow", `{"WorkflowArn": ` + theirs + `, "workflowArn": ` + mine + `}`, false},
		{"narrow", "airflow-serverless", "GetWorkflow", `{"WorkflowArn": ` + theirs + `, "ResourceArn": 5}`, false},
		{"narrow", "airflow-serverless", "TagResource", `{"ResourceArn": ` + theirs + `, "WorkflowArn": ` + mine + `}`, false},
		{"narrow", "airflow-serverless", "TagResource", `{"ResourceArn": ` + mine + `}`, true},
		{"own", "airflow-serverless", "GetWorkflow", `{"WorkflowArn": ` + mine + `}`, true},
		{"own", "airflow-serverless", "ListWorkflows", `{"WorkflowArn": ` + mine + `}`, false},
		{"own", "airflow-serverless", "CreateWorkflow", `{"WorkflowArn": ` + mine + `}`, false},

		{"narrow", "airflow-serverless", "CreateWorkflow", `{"RoleArn": ` + narrow + `, "DefinitionS3Location": {"Bucket": "mine", "ObjectKey": "a.yaml"}}`, true},
		{"narrow", "airflow-serverless", "CreateWorkflow", `{"RoleArn": ` + other + `, "DefinitionS3Location": {"Bucket": "mine", "ObjectKey": "a.yaml"}}`, false},
		{"narrow", "airflow-serverless", "UpdateWorkflow", `{"WorkflowArn": ` + mine + `, "RoleArn": ` + other + `, "roleArn": ` + narrow + `}`, false},
		{"narrow", "airflow-serverless", "CreateWorkflow", `{"RoleArn": ` + narrow + `, "DefinitionS3Location": {"Bucket": "theirs", "ObjectKey": "a.yaml"}}`, false},
		{"narrow", "airflow-serverless", "UpdateWorkflow", `{"WorkflowArn": ` + mine + `, "RoleArn": ` + narrow + `, "DefinitionS3Location": {"Bucket": "mine", "ObjectKey": "a.yaml"}, "Code": {"S3Location": {"Bucket": "theirs", "ObjectKey": "a.zip"}}}`, false},

		{"narrow", "logs", "GetLogEvents", `{"logGroupName": "/mine", "logStreamName": "s"}`, true},
		{"narrow", "logs", "GetLogEvents", `{"logGroupName": "/theirs", "logStreamName": "s"}`, false},
		{"narrow", "logs", "GetLogEvents", `{"logGroupName": "/theirs", "LogGroupName": "/mine", "logStreamName": "s"}`, false},
		{"narrow", "logs", "GetLogEvents", `{"logGroupIdentifier": "arn:aws:logs:eu-west-1:111122223333:log-group:/theirs:*", "logStreamName": "s"}`, false},
		{"narrow", "logs", "GetLogEvents", `{"logGroupName": "/mine", "logStreamName": "workflow_id=theirs"}`, false},
		{"narrow", "logs", "GetLogEvents", `{"logGroupName": "/mine", "logStreamName": "/mine/workflow_id=theirs"}`, false},
		{"own", "logs", "GetLogEvents", `{"logGroupName": "/mine", "logStreamName": "mine"}`, true},
		{"own", "logs", "FilterLogEvents", `{"logGroupName": "/mine", "logStreamName": "mine"}`, false},
		{"own", "logs", "DescribeLogGroups", `{"logGroupName": "/mine", "logStreamName": "mine"}`, false},
	} {
		r, err := http.NewRequest(http.MethodPost, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "Service."+tt.op)
		ctx := sigv4.WithIdentity(t.Context(), sigv4.Identity{Role: "arn:aws:iam::000000000000:role/" + tt.role})
		err = a.permitJSON(ctx, tt.service, r, []byte(tt.body))
		if allowed := err == nil; allowed != tt.want || !allowed && flow.KindOf(err) != flow.Denied {
			t.Errorf("%s: %s with %s: %v; want it allowed: %t", tt.role, tt.op, strings.Join(strings.Fields(tt.body), " "), err, tt.want)
		}
	}
}

// TestKeyWithoutSecretIsRefused has files that say nothing of the admin's key:
// the tokens of tasks follow from it, and could be made by anybody.
func TestKeyWithoutSecretIsRefused(t *testing.T) {
	for _, text := range []string{`{}`, `null`, `{"access_key": "AKIA", "secret_key": "s"}`, `{"AccessKey": "AKIA", "SecretKey": ""}`, `{"AccessKey": "", "SecretKey": "s"}`} {
		d := dataDir(t.TempDir())
		if err := os.WriteFile(d.path("credentials.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := d.credential(); err == nil || !strings.Contains(err.Error(), "credentials.json") {
			t.Errorf("a file of %s: %+v, %v; want an error that names it", text, c, err)
		}
	}
}

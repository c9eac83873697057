package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"fairlead/internal/flow"
	"fairlead/internal/operator"
)

const roleWorkflow = `act:
  tasks:
    put:
      operator: airflow.providers.amazon.aws.operators.s3.S3CreateObjectOperator
      s3_bucket: workflows
      s3_key: KEY
      data: hello
      replace: true
      retries: 0
    see:
      operator: airflow.providers.amazon.aws.sensors.s3.S3KeySensor
      bucket_name: workflows
      bucket_key: KEY
      retries: 0
      dependencies: [put]
    env:
      operator: airflow.operators.bash.BashOperator
      bash_command: 'if env | grep ^AWS_ACCESS_KEY_ID; then exit 1; fi; printenv AWS_CONTAINER_CREDENTIALS_FULL_URI'
`

// TestTasksActInTheirRole runs a workflow whose role may write in one place.
func TestTasksActInTheirRole(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "roles.json")
	if err := os.WriteFile(file, []byte(`{"etl": {"policy": {"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::workflows/mine/*"},
		{"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::*/secret"}]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := serve(t, func(o *options) { o.roles = file })
	for _, tt := range []struct{ name, key, state, reason string }{
		{"allowed", "mine/a", "SUCCESS", ""},
		{"elsewhere", "yours/a", "FAILED", "because no identity-based policy allows the s3:PutObject action"},
		{"denied", "mine/secret", "FAILED", "with an explicit deny"},
	} {
		arn := c.workflow(tt.name, strings.ReplaceAll(roleWorkflow, "KEY", tt.key))
		run := c.start(arn, nil)
		d := c.until(arn, run, over)
		tasks := c.instances(arn, run)
		if string(d.RunState) != tt.state {
			t.Errorf("%s: the run is %s, want %s; tasks: %+v", tt.name, d.RunState, tt.state, tasks)
		}
		for _, ti := range tasks {
			switch *ti.TaskId {
			case "env":
				if got := ti.Xcom["return_value"]; got != `"`+c.info.Endpoint+`/fairlead/task/credentials"` {
					t.Errorf("%s: the environment has %s, want the address of credentials", tt.name, got)
				}
			case "put":
				if got := aws.ToString(ti.ErrorMessage); !strings.Contains(got, tt.reason) {
					t.Errorf("%s: the task says %q, want something with %q", tt.name, got, tt.reason)
				}
			}
		}
	}
	if _, err := c.s3.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String("workflows"), Key: aws.String("mine/secret"), Body: strings.NewReader("")}); err != nil {
		t.Errorf("the admin is bound by the policy of a role: %v", err)
	}
}

// TestKeysEndWithTheirAttempt uses the keys of a task after its end.
func TestKeysEndWithTheirAttempt(t *testing.T) {
	c := serve(t, nil)
	arn := c.workflow("give", `give:
  tasks:
    keys:
      operator: airflow.operators.bash.BashOperator
      retries: 0
      bash_command: >-
        python3 -c 'import os, urllib.request;
        r = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]});
        print(urllib.request.urlopen(r).read().decode())'
`)
	run := c.start(arn, nil)
	c.until(arn, run, over)
	var text string
	var key struct{ AccessKeyId, SecretAccessKey, Token string }
	if err := json.Unmarshal([]byte(c.instances(arn, run)[0].Xcom["return_value"]), &text); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &key); err != nil || key.Token == "" {
		t.Fatalf("a task got the credentials %s, %v", text, err)
	}
	s3 := awss3.New(c.s3.Options(), func(o *awss3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(key.AccessKeyId, key.SecretAccessKey, key.Token)
	})
	if _, err := s3.ListBuckets(t.Context(), &awss3.ListBucketsInput{}); errorCode(err) != "ExpiredToken" {
		t.Errorf("the keys of a task that has ended: %v, want ExpiredToken", err)
	}
}

func TestRolesThatAreNotThere(t *testing.T) {
	opt := defaultOptions()
	opt.data, opt.listen, opt.roles = dataDir(t.TempDir()), "127.0.0.1:0", filepath.Join(t.TempDir(), "rules.json")
	a, err := start(opt)
	if err == nil {
		_ = a.close()
	}
	if err == nil || !strings.Contains(err.Error(), "rules.json") {
		t.Errorf("start with --roles %s, which there is not: %v; want an error that names it", opt.roles, err)
	}
}

// TestWaitingHalfHasNoMoreThanTheTask has a task without credentials: what
// waits for it in the server must not sign with the server's own.
func TestWaitingHalfHasNoMoreThanTheTask(t *testing.T) {
	a := &app{opt: defaultOptions()}
	p := a.signer(operator.Call{Env: map[string]string{}})
	if p == nil {
		t.Fatal("without a token the server signs with what the SDK finds; want an error")
	}
	if c, err := p.Retrieve(t.Context()); flow.KindOf(err) != flow.Denied || c.HasKeys() {
		t.Errorf("credentials without a token: %t, %v; want none, and that they are denied", c.HasKeys(), err)
	}
}

func TestStrictRoles(t *testing.T) {
	c := serve(t, func(o *options) { o.strictRoles = true })
	if _, err := c.tryWorkflow("hello", hello); errorCode(err) != "ValidationException" || !strings.Contains(err.Error(), "cannot be assumed") {
		t.Errorf("CreateWorkflow with a role without an entry: %v; want ValidationException", err)
	}
}

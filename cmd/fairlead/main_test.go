package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/document"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"fairlead/internal/exec/sandbox"
)

// TestMain lets the test binary be the product: tests start servers that can
// be killed, and tasks run the binary as the operators' child.
func TestMain(m *testing.M) {
	if os.Getenv("FAIRLEAD_TEST_COMMAND") != "" || len(os.Args) == 2 && (os.Args[1] == "operator" || os.Args[1] == "render-texts") {
		os.Exit(command(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// patience is how long something is waited for that must come: long, since how
// fast a machine is decides no test.
const patience = 5 * time.Minute

// needNamespaces skips a test of what plain processes cannot have where this
// machine permits nothing else.
func needNamespaces(t *testing.T) {
	t.Helper()
	d, err := sandbox.New(sandbox.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	report, err := d.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range report.Measures {
		if m.Name == "mount namespace" && !m.InUse {
			t.Skipf("NOT TESTED: %s", m.How)
		}
	}
}

// A client talks to a server as the Go SDK does.
type client struct {
	t    *testing.T
	data string // directory of the server, where it is known
	info serverInfo
	key  credential
	api  *mwaaserverless.Client
	s3   *awss3.Client
}

func newClient(t *testing.T, info serverInfo, key credential) *client {
	conf := aws.Config{
		Region: info.Region, BaseEndpoint: aws.String(info.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(key.AccessKey, key.SecretKey, ""),
	}
	return &client{
		t: t, info: info, key: key, api: mwaaserverless.NewFromConfig(conf),
		s3: awss3.NewFromConfig(conf, func(o *awss3.Options) { o.UsePathStyle = true }),
	}
}

// serve starts a server in this process.
func serve(t *testing.T, change func(*options)) *client {
	t.Helper()
	_, c := launch(t, change)
	c.bucket("workflows")
	return c
}

// launch starts a server in this process, which ends with the test.
func launch(t *testing.T, change func(*options)) (*app, *client) {
	t.Helper()
	opt := defaultOptions()
	opt.data, opt.listen = dataDir(t.TempDir()), "127.0.0.1:0"
	opt.log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if change != nil {
		change(&opt)
	}
	a, err := start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	})
	c := newClient(t, a.info, a.key)
	c.data = string(opt.data)
	return a, c
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(p)))
	return len(p), nil
}

func (c *client) bucket(name string) {
	c.t.Helper()
	if _, err := c.s3.CreateBucket(c.t.Context(), &awss3.CreateBucketInput{Bucket: &name}); err != nil && !exists(err) {
		c.t.Fatal(err)
	}
}

// workflow makes a workflow of a definition and returns its ARN.
func (c *client) workflow(name, definition string) string {
	c.t.Helper()
	arn, err := c.tryWorkflow(name, definition)
	if err != nil {
		c.t.Fatal(err)
	}
	return arn
}

func (c *client) tryWorkflow(name, definition string) (string, error) {
	key := name + ".yaml"
	if _, err := c.s3.PutObject(c.t.Context(), &awss3.PutObjectInput{
		Bucket: aws.String("workflows"), Key: &key, Body: bytes.NewReader([]byte(definition)),
	}); err != nil {
		return "", err
	}
	made, err := c.api.CreateWorkflow(c.t.Context(), &mwaaserverless.CreateWorkflowInput{
		Name:                 &name,
		DefinitionS3Location: &types.DefinitionS3Location{Bucket: aws.String("workflows"), ObjectKey: &key},
		RoleArn:              aws.String("arn:aws:iam::111122223333:role/etl"),
	})
	if err != nil {
		return "", err
	}
	return *made.WorkflowArn, nil
}

func (c *client) start(arn string, params map[string]any) string {
	c.t.Helper()
	in := &mwaaserverless.StartWorkflowRunInput{WorkflowArn: &arn, OverrideParameters: map[string]document.Interface{}}
	for k, v := range params {
		in.OverrideParameters[k] = document.NewLazyDocument(v)
	}
	out, err := c.api.StartWorkflowRun(c.t.Context(), in)
	if err != nil {
		c.t.Fatal(err)
	}
	return *out.RunId
}

func (c *client) run(arn, id string) *types.WorkflowRunDetail {
	c.t.Helper()
	out, err := c.api.GetWorkflowRun(c.t.Context(), &mwaaserverless.GetWorkflowRunInput{WorkflowArn: &arn, RunId: &id})
	if err != nil {
		c.t.Fatal(err)
	}
	return out.RunDetail
}

// until polls a run, as clients do, until done says so.
func (c *client) until(arn, id string, done func(*types.WorkflowRunDetail) bool) *types.WorkflowRunDetail {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for {
		d := c.run(arn, id)
		if done(d) {
			return d
		}
		select {
		case <-ctx.Done():
			c.t.Fatalf("run %s is still %s; tasks: %v", id, d.RunState, c.statuses(arn, id))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func over(d *types.WorkflowRunDetail) bool {
	switch d.RunState {
	case types.WorkflowRunStatusSuccess, types.WorkflowRunStatusFailed, types.WorkflowRunStatusTimeout, types.WorkflowRunStatusStopped:
		return true
	}
	return false
}

// instances returns the task instances of a run as GetTaskInstance tells
// them, in the order of the list.
func (c *client) instances(arn, id string) []*mwaaserverless.GetTaskInstanceOutput {
	c.t.Helper()
	var all []*mwaaserverless.GetTaskInstanceOutput
	pages := mwaaserverless.NewListTaskInstancesPaginator(c.api, &mwaaserverless.ListTaskInstancesInput{WorkflowArn: &arn, RunId: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		for _, s := range page.TaskInstances {
			ti, err := c.api.GetTaskInstance(c.t.Context(), &mwaaserverless.GetTaskInstanceInput{
				WorkflowArn: &arn, RunId: &id, TaskInstanceId: s.TaskInstanceId,
			})
			if err != nil {
				c.t.Fatal(err)
			}
			all = append(all, ti)
		}
	}
	return all
}

// statuses returns the status of the last attempt of each task.
func (c *client) statuses(arn, id string) map[string]types.TaskInstanceStatus {
	c.t.Helper()
	last := map[string]types.TaskInstanceStatus{}
	for _, ti := range c.instances(arn, id) {
		last[*ti.TaskId] = ti.Status
	}
	return last
}

func errorCode(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// call sends an operation that the SDK does not know in full, signed by the
// SDK's signer.
func (c *client) call(operation string, in, out any) {
	c.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.info.Endpoint+"/", bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "AmazonMWAAServerless."+operation)
	sum := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: c.key.AccessKey, SecretAccessKey: c.key.SecretKey}
	if err := v4.NewSigner().SignHTTP(c.t.Context(), creds, req, hex.EncodeToString(sum[:]), "airflow-serverless", c.info.Region, time.Now()); err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %s %s %v", operation, resp.Status, data, err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		c.t.Fatal(err)
	}
}

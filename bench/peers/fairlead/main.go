// Command fairlead runs the jobs of bench/peers on Fairlead, over HTTP with the
// AWS SDK. A line such as "chain N" on standard input runs one and answers
// "done MS".
//
//	chain, wide            EmptyOperator: settles without an attempt
//	sensor-chain           S3KeySensor whose key is there: an attempt within the
//	                       server, saved at its start and at its end
//	bash-chain, bash-wide  bash -c true: a process in namespaces of its own
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	bucket = "peers"
	poll   = 2 * time.Millisecond // the API has no call that waits for a run
)

func main() {
	if err := serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "fairlead:", err)
		os.Exit(1)
	}
}

// ownBody sends a copy of each request's body. The SDK closes the original once
// the answer's headers are there; when that is before net/http has looked for
// the body's end, net/http closes the connection, and an answer of more than
// one read is cut off. A server that answers within a millisecond meets this
// in a few calls of a thousand.
type ownBody struct {
	transport http.RoundTripper
}

func (o ownBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return o.transport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return o.transport.RoundTrip(r)
}

type peer struct {
	api *mwaaserverless.Client
	s3  *s3.Client
}

func serve(ctx context.Context) error {
	data, err := os.ReadFile(os.Getenv("PEER_CREDENTIALS"))
	if err != nil {
		return err
	}
	var key struct{ AccessKey, SecretKey string }
	if err := json.Unmarshal(data, &key); err != nil {
		return fmt.Errorf("read the server's key: %w", err)
	}
	conf := aws.Config{
		HTTPClient: ownBody{http.DefaultTransport}, RetryMaxAttempts: 1, // a retry would be measured
		Region: "us-east-1", BaseEndpoint: aws.String(os.Getenv("PEER_SERVER")),
		Credentials: credentials.NewStaticCredentialsProvider(key.AccessKey, key.SecretKey, ""),
	}
	p := peer{
		api: mwaaserverless.NewFromConfig(conf),
		s3:  s3.NewFromConfig(conf, func(o *s3.Options) { o.UsePathStyle = true }),
	}
	if _, err := p.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return err
	}
	if err := p.put(ctx, "there", ""); err != nil {
		return err
	}
	arns := map[string]string{}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var job string
		var n int
		if _, err := fmt.Sscan(lines.Text(), &job, &n); err != nil {
			return fmt.Errorf("read %q: %w", lines.Text(), err)
		}
		if arns[lines.Text()] == "" { // the definition is made once, and not measured
			if arns[lines.Text()], err = p.workflow(ctx, job, n); err != nil {
				return fmt.Errorf("create the workflow of %s: %w", job, err)
			}
		}
		took, err := p.run(ctx, arns[lines.Text()])
		if err != nil {
			return fmt.Errorf("run %s: %w", job, err)
		}
		fmt.Println("done", float64(took)/float64(time.Millisecond))
	}
	return lines.Err()
}

func (p peer) put(ctx context.Context, key, text string) error {
	_, err := p.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(text)})
	return err
}

func (p peer) workflow(ctx context.Context, job string, n int) (string, error) {
	operator := "operator: airflow.operators.empty.EmptyOperator"
	switch {
	case strings.HasPrefix(job, "bash-"):
		operator = "operator: airflow.operators.bash.BashOperator\n      bash_command: 'true'"
	case strings.HasPrefix(job, "sensor-"):
		operator = "operator: airflow.providers.amazon.aws.sensors.s3.S3KeySensor\n      bucket_name: " + bucket + "\n      bucket_key: there"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n  max_active_tasks: %d\n  tasks:\n", job, n)
	for i := range n {
		fmt.Fprintf(&b, "    t%d:\n      %s\n", i, operator)
		if i > 0 && strings.HasSuffix(job, "chain") {
			fmt.Fprintf(&b, "      dependencies: [t%d]\n", i-1)
		}
	}
	name := fmt.Sprintf("%s-%d", job, n)
	if err := p.put(ctx, name, b.String()); err != nil {
		return "", err
	}
	made, err := p.api.CreateWorkflow(ctx, &mwaaserverless.CreateWorkflowInput{
		Name: &name, RoleArn: aws.String("arn:aws:iam::111122223333:role/peers"),
		DefinitionS3Location: &types.DefinitionS3Location{Bucket: aws.String(bucket), ObjectKey: &name},
	})
	if err != nil {
		return "", err
	}
	return *made.WorkflowArn, nil
}

// run starts a run and polls it to its end.
func (p peer) run(ctx context.Context, arn string) (time.Duration, error) {
	began := time.Now()
	started, err := p.api.StartWorkflowRun(ctx, &mwaaserverless.StartWorkflowRunInput{WorkflowArn: &arn})
	if err != nil {
		return 0, err
	}
	for {
		got, err := p.api.GetWorkflowRun(ctx, &mwaaserverless.GetWorkflowRunInput{WorkflowArn: &arn, RunId: started.RunId})
		if err != nil {
			return 0, err
		}
		switch got.RunDetail.RunState {
		case types.WorkflowRunStatusSuccess:
			return time.Since(began), nil
		case types.WorkflowRunStatusFailed, types.WorkflowRunStatusStopped, types.WorkflowRunStatusTimeout:
			return 0, fmt.Errorf("ended %s: %s", got.RunDetail.RunState, aws.ToString(got.RunDetail.ErrorMessage))
		}
		time.Sleep(poll)
	}
}

package main

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"

	"fairlead/internal/flow"
)

// TestRetention checks that a run which is old enough goes, with its logs,
// and that an active one stays.
func TestRetention(t *testing.T) {
	opt := defaultOptions()
	opt.data, opt.listen = dataDir(t.TempDir()), "127.0.0.1:0"
	a, err := start(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	c := newClient(t, a.info, a.key)
	c.bucket("workflows")
	arn := c.workflow("hello", hello)
	old := c.start(arn, nil)
	c.until(arn, old, over)
	long := c.workflow("long", "long: {tasks: {nap: {operator: airflow.operators.bash.BashOperator, bash_command: sleep 1000}}}")
	active := c.start(long, nil)
	row, err := a.db.RunByID(t.Context(), flow.RunID(old))
	if err != nil {
		t.Fatal(err)
	}
	group, err := a.logGroup(t.Context(), row)
	if err != nil {
		t.Fatal(err)
	}

	a.opt.retention = time.Nanosecond
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); a.retain(ctx) }()
	for {
		_, err := c.api.GetWorkflowRun(ctx, &mwaaserverless.GetWorkflowRunInput{WorkflowArn: &arn, RunId: &old})
		streams, logErr := a.logs.Streams(ctx, group, flow.LogList{Page: flow.Page{Limit: 10}})
		if errorCode(err) == "ResourceNotFoundException" && logErr == nil && len(streams) == 0 {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the run is still there: %v, with %d log streams, %v", err, len(streams), logErr)
		}
	}
	cancel()
	<-done
	c.run(long, active) // fails the test if it is gone
	if _, err := c.api.StopWorkflowRun(t.Context(), &mwaaserverless.StopWorkflowRunInput{WorkflowArn: aws.String(long), RunId: &active}); err != nil {
		t.Error(err)
	}
	c.until(long, active, over)
}

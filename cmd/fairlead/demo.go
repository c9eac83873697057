package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/document"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"

	"fairlead/examples"
	"fairlead/internal/flow"
)

func demoCommand() *cobra.Command {
	opt := defaultOptions()
	stay := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve, and run an example to its end with the AWS SDK",
		Long: `Starts a server on its defaults, stores an example definition in its S3,
creates a workflow of it and runs it, all through an unmodified AWS SDK, and
shows how the run goes. On a terminal the server then stays for you to use;
elsewhere it ends with the run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, ok := cmd.OutOrStdout().(*os.File)
			if !ok {
				out = os.Stdout
			}
			log, err := newLog(cmd.ErrOrStderr(), "text", slog.LevelInfo)
			if err != nil {
				return err
			}
			opt.log = log
			v := newView(out, false, ownID)
			opt.onStep = v.step
			a, err := start(opt)
			if err != nil {
				return err
			}
			defer a.close()
			greet(cmd.Context(), out, a)
			fmt.Fprintln(out)
			state, err := a.demo(cmd.Context(), out, v)
			if err != nil {
				return err
			}
			if state != types.WorkflowRunStatusSuccess {
				return exitError(1)
			}
			fmt.Fprintf(out, "\nAPI      %s\nconsole  %s\n", a.info.Endpoint, a.consoleLink())
			if !stay && !(isTerminal(os.Stdin) && isTerminal(out)) {
				return nil
			}
			fmt.Fprintf(out, "\nThe server stays until you press Ctrl-C. In another terminal:\n  eval \"$(fairlead env --data %s)\"\n  aws mwaa-serverless list-workflows\n", a.opt.data)
			select {
			case <-cmd.Context().Done():
			case err := <-a.served:
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&opt.listen, "listen", opt.listen, "address to listen on")
	cmd.Flags().StringVar((*string)(&opt.data), "data", string(opt.data), "directory that keeps everything")
	cmd.Flags().BoolVar(&stay, "stay", false, "keep serving after the run, even when this is no terminal")
	return cmd
}

// demo runs the example as a client would.
func (a *app) demo(ctx context.Context, out io.Writer, v *view) (types.WorkflowRunStatus, error) {
	const bucket, key = "workflows", "hello.yaml"
	env := aws.Config{
		Region: a.info.Region, BaseEndpoint: aws.String(a.info.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(a.key.AccessKey, a.key.SecretKey, ""),
	}
	s3 := awss3.NewFromConfig(env, func(o *awss3.Options) { o.UsePathStyle = true })
	api := mwaaserverless.NewFromConfig(env)

	fmt.Fprintf(out, "aws s3 mb s3://%s; aws s3 cp examples/%s s3://%s/\n", bucket, key, bucket)
	if _, err := s3.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil && !exists(err) {
		return "", err
	}
	if _, err := s3.PutObject(ctx, &awss3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(examples.Hello)}); err != nil {
		return "", err
	}
	name := "hello-" + time.Now().UTC().Format("20060102-150405.000")
	fmt.Fprintf(out, "aws mwaa-serverless create-workflow --name %s --definition-s3-location Bucket=%s,ObjectKey=%s --role-arn …\n", name, bucket, key)
	made, err := api.CreateWorkflow(ctx, &mwaaserverless.CreateWorkflowInput{
		Name:                 aws.String(name),
		DefinitionS3Location: &types.DefinitionS3Location{Bucket: aws.String(bucket), ObjectKey: aws.String(key)},
		RoleArn:              aws.String("arn:aws:iam::" + a.opt.account + ":role/demo"),
	})
	if err != nil {
		return "", err
	}
	fmt.Fprintf(out, "aws mwaa-serverless start-workflow-run --workflow-arn %s --override-parameters '{\"who\":\"you\"}'\n\n", *made.WorkflowArn)
	run, err := api.StartWorkflowRun(ctx, &mwaaserverless.StartWorkflowRunInput{
		WorkflowArn:        made.WorkflowArn,
		OverrideParameters: map[string]document.Interface{"who": document.NewLazyDocument("you")},
	})
	if err != nil {
		return "", err
	}
	v.follow(flow.RunID(*run.RunId))
	began := time.Now()
	for {
		got, err := api.GetWorkflowRun(ctx, &mwaaserverless.GetWorkflowRunInput{WorkflowArn: made.WorkflowArn, RunId: run.RunId})
		if err != nil {
			return "", err
		}
		switch state := got.RunDetail.RunState; state {
		case types.WorkflowRunStatusSuccess, types.WorkflowRunStatusFailed, types.WorkflowRunStatusTimeout, types.WorkflowRunStatusStopped:
			v.close()
			row, tasks := v.snapshot()
			a.showFailures(out, row, tasks)
			for _, t := range tasks {
				if t.Kind == "BashOperator" && t.State == flow.Succeeded {
					for _, line := range a.lastLines(row, t.ID, t.Attempt, 20) {
						fmt.Fprintf(out, "  %s | %s\n", t.ID, line)
					}
				}
			}
			fmt.Fprintf(out, "\nrun %s: %s in %s\n", *run.RunId, state, time.Since(began).Round(time.Millisecond))
			return state, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// exists reports whether a bucket could not be made because it is there.
func exists(err error) bool {
	var status interface{ HTTPStatusCode() int }
	return errors.As(err, &status) && status.HTTPStatusCode() == http.StatusConflict
}

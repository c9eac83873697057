package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"fairlead/internal/aws/transport"
)

// A server is the binary under measurement.
type server struct {
	binary, data string
	args         []string // more flags
	cmd          *exec.Cmd
	endpoint     string
	key, secret  string
	api          *mwaaserverless.Client
	s3           *s3.Client
}

// start returns how long it took from the spawn to the first accepted call.
func (s *server) start() (time.Duration, error) {
	began := time.Now()
	args := append([]string{
		"serve", "--listen", "127.0.0.1:0", "--data", s.data,
		"--limit", "definition-bytes=0,workflows=0,workflow-runs=0,runs=0",
	}, s.args...)
	s.cmd = exec.Command(s.binary, args...)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return 0, err
	}
	var info struct {
		PID      int
		Endpoint string
	}
	for info.PID != s.cmd.Process.Pid {
		if time.Since(began) > 30*time.Second {
			return 0, fmt.Errorf("%s does not come up", s.binary)
		}
		time.Sleep(time.Millisecond)
		if data, err := os.ReadFile(filepath.Join(s.data, "server.json")); err == nil {
			_ = json.Unmarshal(data, &info) // half a file is read again
		}
	}
	data, err := os.ReadFile(filepath.Join(s.data, "credentials.json"))
	if err != nil {
		return 0, err
	}
	var key struct{ AccessKey, SecretKey string }
	if err := json.Unmarshal(data, &key); err != nil {
		return 0, err
	}
	s.endpoint, s.key, s.secret = info.Endpoint, key.AccessKey, key.SecretKey
	conf := aws.Config{
		Region: region, BaseEndpoint: &info.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(key.AccessKey, key.SecretKey, ""),
		HTTPClient:  transport.PlainBody(&http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}),
	}
	s.api = mwaaserverless.NewFromConfig(conf)
	s.s3 = s3.NewFromConfig(conf, func(o *s3.Options) { o.UsePathStyle = true })
	_, err = s.api.ListWorkflows(context.Background(), &mwaaserverless.ListWorkflowsInput{})
	return time.Since(began), err
}

const region = "us-east-1"

func (s *server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// cpu returns the processor time that the server has used, without that of
// its tasks.
func (s *server) cpu() time.Duration { return cpuOf(s.cmd.Process.Pid) }

func cpuOf(pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks of 1/100 s
}

// memory returns a size from the server's status in MiB: VmRSS is what it has
// now, VmHWM the most it had.
func (s *server) memory(name string) float64 { return processMemory(s.cmd.Process.Pid, name) }

// threads is how many threads the server has.
func (s *server) threads() int {
	dirs, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.cmd.Process.Pid))
	return len(dirs)
}

// processMemory is a line of a process's status, in MiB.
func processMemory(pid int, name string) float64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kb) / 1024
		}
	}
	return 0
}

// workflow stores a definition and makes a workflow of it.
func (s *server) workflow(name, definition string) (string, error) {
	ctx := context.Background()
	_, _ = s.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bench")}) // it may be there
	if _, err := s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bench"), Key: &name, Body: strings.NewReader(definition)}); err != nil {
		return "", err
	}
	made, err := s.api.CreateWorkflow(ctx, &mwaaserverless.CreateWorkflowInput{
		Name: &name, RoleArn: aws.String("arn:aws:iam::111122223333:role/bench"),
		DefinitionS3Location: &types.DefinitionS3Location{Bucket: aws.String("bench"), ObjectKey: &name},
	})
	if err != nil {
		return "", err
	}
	return *made.WorkflowArn, nil
}

// begin starts a run and returns its id.
func (s *server) begin(arn string) (string, error) {
	started, err := s.api.StartWorkflowRun(context.Background(), &mwaaserverless.StartWorkflowRunInput{WorkflowArn: &arn})
	if err != nil {
		return "", err
	}
	return *started.RunId, nil
}

// run starts a run and polls it to its end.
func (s *server) run(arn string, poll time.Duration) (time.Duration, error) {
	began := time.Now()
	id, err := s.begin(arn)
	if err != nil {
		return 0, err
	}
	for {
		got, err := s.api.GetWorkflowRun(context.Background(), &mwaaserverless.GetWorkflowRunInput{WorkflowArn: &arn, RunId: &id})
		if err != nil {
			return 0, err
		}
		if over, err := ended(got.RunDetail.RunState, aws.ToString(got.RunDetail.ErrorMessage)); over {
			return time.Since(began), err
		}
		time.Sleep(poll)
	}
}

// runListed is run for a large graph: GetWorkflowRun names every task, so the
// polls look at the list of runs, of which this one is the newest.
func (s *server) runListed(arn string, poll time.Duration) (string, time.Duration, error) {
	began := time.Now()
	id, err := s.begin(arn)
	if err != nil {
		return "", 0, err
	}
	for {
		got, err := s.api.ListWorkflowRuns(context.Background(), &mwaaserverless.ListWorkflowRunsInput{WorkflowArn: &arn, MaxResults: aws.Int32(1)})
		if err != nil {
			return id, 0, err
		}
		if len(got.WorkflowRuns) != 1 || aws.ToString(got.WorkflowRuns[0].RunId) != id {
			return id, 0, fmt.Errorf("run %s is not the newest of its workflow", id)
		}
		if over, err := ended(got.WorkflowRuns[0].RunDetailSummary.Status, ""); over {
			return id, time.Since(began), err
		}
		time.Sleep(poll)
	}
}

func ended(state types.WorkflowRunStatus, reason string) (bool, error) {
	switch state {
	case types.WorkflowRunStatusSuccess:
		return true, nil
	case types.WorkflowRunStatusFailed, types.WorkflowRunStatusStopped, types.WorkflowRunStatusTimeout:
		return true, fmt.Errorf("run ended %s: %s", state, reason)
	}
	return false, nil
}

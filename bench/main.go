// Command bench measures the real binary over HTTP and prints each number
// beside a control taken in the same run: a raw fsync, a raw spawn in new
// namespaces, a bare HTTP exchange. Numbers from shared machines are noisy;
// the ratios are what to look at.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	binary := flag.String("binary", "bin/fairlead", "the program to measure")
	runs := flag.Int("runs", 200, "runs of the chain")
	tasks := flag.Int("tasks", 1000, "processes to spawn")
	flag.Parse()
	if err := measure(*binary, *runs, *tasks); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(binary string, runs, tasks int) error {
	dir, err := os.MkdirTemp("", "fairlead-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &server{binary: binary, data: filepath.Join(dir, "data")}
	defer s.stop()
	for _, step := range []func() error{
		func() error { return startup(s) },
		func() error { return chain(s, dir, runs) },
		func() error { return spawns(s, tasks) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// A server is the binary under measurement.
type server struct {
	binary, data string
	cmd          *exec.Cmd
	endpoint     string
	api          *mwaaserverless.Client
	s3           *s3.Client
}

// start returns how long it took from the spawn to the first accepted call.
func (s *server) start() (time.Duration, error) {
	began := time.Now()
	s.cmd = exec.Command(s.binary, "serve", "--listen", "127.0.0.1:0", "--data", s.data,
		"--limit", "definition-bytes=0,workflow-runs=0,runs=0")
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
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
	s.endpoint = info.Endpoint
	conf := aws.Config{
		Region: "us-east-1", BaseEndpoint: &info.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(key.AccessKey, key.SecretKey, ""),
	}
	s.api = mwaaserverless.NewFromConfig(conf)
	s.s3 = s3.NewFromConfig(conf, func(o *s3.Options) { o.UsePathStyle = true })
	_, err = s.api.ListWorkflows(context.Background(), &mwaaserverless.ListWorkflowsInput{})
	return time.Since(began), err
}

func (s *server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// cpu returns the processor time that the server has used.
func (s *server) cpu() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks of 1/100 s
}

// rss returns the server's memory that is in use, in MiB.
func (s *server) rss() float64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kb) / 1024
		}
	}
	return 0
}

func startup(s *server) error {
	var times []time.Duration
	for range 5 {
		s.stop()
		d, err := s.start()
		if err != nil {
			return err
		}
		times = append(times, d)
	}
	time.Sleep(2 * time.Second) // idle
	fmt.Printf("start to first accepted call   %8.1f ms   (median of 5; aim 100)\n", ms(median(times)))
	fmt.Printf("idle memory                    %8.1f MiB  (resident; aim 25)\n", s.rss())
	return nil
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

// run starts a run and polls it to its end.
func (s *server) run(arn string, poll time.Duration) (time.Duration, error) {
	ctx := context.Background()
	began := time.Now()
	started, err := s.api.StartWorkflowRun(ctx, &mwaaserverless.StartWorkflowRunInput{WorkflowArn: &arn})
	if err != nil {
		return 0, err
	}
	for {
		got, err := s.api.GetWorkflowRun(ctx, &mwaaserverless.GetWorkflowRunInput{WorkflowArn: &arn, RunId: started.RunId})
		if err != nil {
			return 0, err
		}
		switch got.RunDetail.RunState {
		case types.WorkflowRunStatusSuccess:
			return time.Since(began), nil
		case types.WorkflowRunStatusFailed, types.WorkflowRunStatusStopped, types.WorkflowRunStatusTimeout:
			return 0, fmt.Errorf("run ended %s: %s", got.RunDetail.RunState, aws.ToString(got.RunDetail.ErrorMessage))
		}
		time.Sleep(poll)
	}
}

// chain measures runs of 100 tasks that have nothing to do, one after the
// other, started over HTTP.
func chain(s *server, dir string, runs int) error {
	const length = 100
	for _, kind := range []struct{ name, operator string }{
		{"EmptyOperator", "operator: airflow.operators.empty.EmptyOperator"},
	} {
		var b strings.Builder
		b.WriteString("chain:\n  tasks:\n")
		for i := range length {
			fmt.Fprintf(&b, "    t%d:\n      %s\n", i, kind.operator)
			if i > 0 {
				fmt.Fprintf(&b, "      dependencies: [t%d]\n", i-1)
			}
		}
		arn, err := s.workflow("chain", b.String())
		if err != nil {
			return err
		}
		var walls []time.Duration
		for range 10 {
			if _, err := s.run(arn, time.Millisecond); err != nil {
				return err
			}
		}
		before := s.cpu()
		for range runs {
			d, err := s.run(arn, time.Millisecond)
			if err != nil {
				return err
			}
			walls = append(walls, d)
		}
		cpu := s.cpu() - before
		fsync, err := rawFsync(dir)
		if err != nil {
			return err
		}
		bare, err := bareHTTP()
		if err != nil {
			return err
		}
		wall := median(walls)
		fmt.Printf("chain of %d %ss, started and polled over HTTP, full fsync (%d runs)\n", length, kind.name, runs)
		fmt.Printf("  wall per task                %8.4f ms   (p50; aim 0.5)\n", ms(wall)/length)
		fmt.Printf("  CPU per task                 %8.4f ms   (all of the server's, polling too; aim 0.15)\n", ms(cpu)/length/float64(runs))
		fmt.Printf("  a whole run                  %8.3f ms   = %.1f raw fsyncs (%.3f ms) = %.1f bare HTTP exchanges (%.3f ms)\n",
			ms(wall), float64(wall)/float64(fsync), ms(fsync), float64(wall)/float64(bare), ms(bare))
	}
	return nil
}

// spawns measures a wide run of processes against raw spawns of the same
// command in new namespaces, as many at once.
func spawns(s *server, n int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "wide:\n  max_active_tasks: %d\n  tasks:\n", n)
	for i := range n {
		fmt.Fprintf(&b, "    t%d: {operator: airflow.operators.bash.BashOperator, bash_command: 'true'}\n", i)
	}
	arn, err := s.workflow("wide", b.String())
	if err != nil {
		return err
	}
	raw, err := rawSpawns(n, 8)
	if err != nil {
		return err
	}
	wall, err := s.run(arn, 20*time.Millisecond)
	if err != nil {
		return err
	}
	raw2, err := rawSpawns(n, 8)
	if err != nil {
		return err
	}
	raw = (raw + raw2) / 2
	ours, theirs := float64(n)/wall.Seconds(), float64(n)/raw.Seconds()
	fmt.Printf("%d tasks of bash -c true\n", n)
	fmt.Printf("  tasks                        %8.0f /s   = %.0f %% of raw namespaced spawns, %.0f /s (aim 60 %%)\n", ours, 100*ours/theirs, theirs)
	return nil
}

// rawSpawns runs bash -c true n times in new pid, mount, ipc and uts
// namespaces, some at once, and returns the time that took.
func rawSpawns(n, atOnce int) (time.Duration, error) {
	var wg sync.WaitGroup
	jobs := make(chan struct{})
	errs := make(chan error, atOnce)
	began := time.Now()
	for range atOnce {
		wg.Go(func() {
			for range jobs {
				cmd := exec.Command("/bin/bash", "-c", "true")
				cmd.SysProcAttr = &syscall.SysProcAttr{
					Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
				}
				if err := cmd.Run(); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for range n {
		jobs <- struct{}{}
	}
	close(jobs)
	wg.Wait()
	took := time.Since(began)
	select {
	case err := <-errs:
		return 0, fmt.Errorf("raw spawn in namespaces: %w", err)
	default:
		return took, nil
	}
}

// rawFsync returns the median time of appending 4 KiB and an fsync.
func rawFsync(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var times []time.Duration
	page := make([]byte, 4096)
	for range 200 {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	return median(times), nil
}

// bareHTTP returns the median time of a request to a server that answers at
// once.
func bareHTTP() (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	var times []time.Duration
	for range 500 {
		began := time.Now()
		resp, err := http.Post("http://"+l.Addr().String(), "application/json", strings.NewReader("{}"))
		if err != nil {
			return 0, err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		times = append(times, time.Since(began))
	}
	return median(times), nil
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

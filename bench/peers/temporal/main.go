// Command temporal runs the jobs of bench/peers on Temporal. A line "chain N"
// or "wide N" on standard input runs one and answers "done MS".
//
// A step is an activity: scheduled, handed to this worker and completed
// through the server, each in the workflow's history. "local N" is a chain of
// local activities, which run within a workflow task and are recorded with it.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const queue = "peers"

func main() {
	if err := serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "temporal:", err)
		os.Exit(1)
	}
}

func noop(context.Context) error { return nil }

func chain(ctx workflow.Context, n int) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	for range n {
		if err := workflow.ExecuteActivity(ctx, noop).Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

func local(ctx workflow.Context, n int) error {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute})
	for range n {
		if err := workflow.ExecuteLocalActivity(ctx, noop).Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

func wide(ctx workflow.Context, n int) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	steps := make([]workflow.Future, n)
	for i := range steps {
		steps[i] = workflow.ExecuteActivity(ctx, noop)
	}
	for _, s := range steps {
		if err := s.Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

func serve(ctx context.Context) error {
	quiet := log.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	c, err := client.Dial(client.Options{HostPort: os.Getenv("PEER_SERVER"), Logger: quiet})
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(chain)
	w.RegisterWorkflow(local)
	w.RegisterWorkflow(wide)
	w.RegisterActivity(noop)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	jobs := map[string]any{"chain": chain, "local": local, "wide": wide}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var job string
		var n int
		if _, err := fmt.Sscan(lines.Text(), &job, &n); err != nil {
			return fmt.Errorf("read %q: %w", lines.Text(), err)
		}
		began := time.Now()
		run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: queue}, jobs[job], n)
		if err != nil {
			return fmt.Errorf("start %s: %w", job, err)
		}
		if err := run.Get(ctx, nil); err != nil {
			return fmt.Errorf("await %s: %w", job, err)
		}
		fmt.Println("done", float64(time.Since(began))/float64(time.Millisecond))
	}
	return lines.Err()
}

// Command river runs the jobs of bench/peers on River. A line "chain N" or
// "wide N" on standard input runs one and answers "done MS".
//
// River has no steps within a job, so a step is a job. In a chain, a job
// completes itself and inserts the next in one transaction. The fan-out is one
// bulk insert, and is done when River has recorded the last completion.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

func main() {
	if err := serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "river:", err)
		os.Exit(1)
	}
}

type link struct {
	Left int `json:"left"`
}

func (link) Kind() string { return "link" }

// A chain links jobs: each but the last inserts its successor.
type chain struct {
	river.WorkerDefaults[link]
	pool *pgxpool.Pool
	done chan struct{}
}

func (c *chain) Work(ctx context.Context, job *river.Job[link]) error {
	tx, err := c.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if job.Args.Left > 1 {
		client := river.ClientFromContext[pgx.Tx](ctx)
		if _, err := client.InsertTx(ctx, tx, link{Left: job.Args.Left - 1}, nil); err != nil {
			return err
		}
	}
	if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	if job.Args.Left == 1 {
		c.done <- struct{}{}
	}
	return nil
}

type nothing struct{}

func (nothing) Kind() string { return "nothing" }

type noop struct {
	river.WorkerDefaults[nothing]
}

func (noop) Work(context.Context, *river.Job[nothing]) error { return nil }

func serve(ctx context.Context) error {
	pool, err := pgxpool.New(ctx, os.Getenv("PEER_POSTGRES"))
	if err != nil {
		return err
	}
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	workers := river.NewWorkers()
	chained := &chain{pool: pool, done: make(chan struct{}, 1)}
	river.AddWorker(workers, chained)
	river.AddWorker(workers, noop{})
	client, err := river.NewClient(driver, &river.Config{
		// The defaults but for the shortest pause between two fetches that
		// River permits: with the default of 100 ms it alone would be measured.
		FetchCooldown: river.FetchCooldownMin,
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
		Workers:       workers,
		Logger:        slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	events, unsubscribe := client.SubscribeConfig(&river.SubscribeConfig{
		Kinds: []river.EventKind{river.EventKindJobCompleted}, ChanSize: 10_000,
	})
	defer unsubscribe()
	if err := client.Start(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var job string
		var n int
		if _, err := fmt.Sscan(lines.Text(), &job, &n); err != nil {
			return fmt.Errorf("read %q: %w", lines.Text(), err)
		}
		began := time.Now()
		switch job {
		case "chain":
			if _, err := client.Insert(ctx, link{Left: n}, nil); err != nil {
				return err
			}
			<-chained.done
			fmt.Println("done", ms(time.Since(began)))
			for range n { // their events, which the fan-out must not count
				<-events
			}
		case "wide":
			jobs := make([]river.InsertManyParams, n)
			for i := range jobs {
				jobs[i].Args = nothing{}
			}
			if _, err := client.InsertManyFast(ctx, jobs); err != nil {
				return err
			}
			for range n {
				<-events
			}
			fmt.Println("done", ms(time.Since(began)))
		default:
			return errors.New("no such job: " + job)
		}
	}
	if err := client.StopAndCancel(ctx); err != nil {
		return err
	}
	return lines.Err()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

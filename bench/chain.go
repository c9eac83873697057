package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func (b *bench) startup() error {
	s := &server{binary: b.binary, data: b.dir + "/startup"}
	defer s.stop()
	took, err := rounds(b.rounds, func() (float64, error) {
		s.stop()
		d, err := s.start()
		return ms(d), err
	})
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // idle
	rss, own := s.memory("VmRSS"), s.memory("RssAnon")
	b.table.add(row{part: "startup", what: "spawn to first accepted call", value: fmt.Sprintf("%.1f ms", took), aim: "≤ 100 ms", met: took <= 100})
	b.table.add(row{part: "startup", what: "idle memory (resident; once)", value: fmt.Sprintf("%.1f MiB", rss), control: fmt.Sprintf("%.1f MiB are its own, the rest pages of the program", own), aim: "≤ 25 MiB", met: rss <= 25})
	return nil
}

const empty = "airflow.providers.standard.operators.empty.EmptyOperator"

// chainOf writes a definition whose tasks run one after the other.
func chainOf(n int, task string) string {
	var b strings.Builder
	b.WriteString("chain:\n  tasks:\n")
	for i := range n {
		fmt.Fprintf(&b, "    t%d:\n      %s\n", i, task)
		if i > 0 {
			fmt.Fprintf(&b, "      dependencies: [t%d]\n", i-1)
		}
	}
	return b.String()
}

// chain measures runs of 100 tasks, one after the other, started and polled
// over HTTP.
func (b *bench) chain() error {
	const length = 100
	s, err := b.server()
	if err != nil {
		return err
	}
	arn, err := s.workflow("chain", chainOf(length, "operator: "+empty))
	if err != nil {
		return err
	}
	fsync, err := rawFsync(b.dir)
	if err != nil {
		return err
	}
	wall, cpu, err := b.inARow(s, arn, 100, length, time.Millisecond)
	if err != nil {
		return err
	}
	b.table.add(row{part: "chain", what: "no-op task in a chain of 100, wall (p50)", value: fmt.Sprintf("%.3f ms", wall),
		control: fmt.Sprintf("a whole run is %.0f raw fsyncs of %.2f ms: the chain settles in one step", wall*length/ms(fsync), ms(fsync)), aim: "≤ 0.5 ms", met: wall <= 0.5})
	b.table.add(row{part: "chain", what: "no-op task in a chain of 100, CPU", value: fmt.Sprintf("%.3f ms", cpu),
		control: "the server's whole CPU, polls too", aim: "≤ 0.15 ms", met: cpu <= 0.15})
	if err := b.sensors(s, length, fsync); err != nil {
		return err
	}
	return b.throughput(s, arn, length)
}

// inARow returns the median wall time and the processor time per task, in
// milliseconds, of runs in a row.
func (b *bench) inARow(s *server, arn string, runs, length int, poll time.Duration) (wall, cpu float64, err error) {
	for range 5 { // to warm up
		if _, err := s.run(arn, poll); err != nil {
			return 0, 0, err
		}
	}
	var cpus []float64
	wall, err = rounds(b.rounds, func() (float64, error) {
		before := s.cpu()
		var walls []time.Duration
		for range runs {
			d, err := s.run(arn, poll)
			if err != nil {
				return 0, err
			}
			walls = append(walls, d)
		}
		cpus = append(cpus, ms(s.cpu()-before)/float64(runs*length))
		return ms(median(walls)) / float64(length), nil
	})
	return wall, median(cpus), err
}

// sensors measures a chain whose tasks are attempts: each is begun, told to
// have started, looks for an object over HTTP, writes its log and ends. Each
// step is on disk before the next.
func (b *bench) sensors(s *server, length int, fsync time.Duration) error {
	ctx := context.Background()
	_, _ = s.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bench")})
	if _, err := s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bench"), Key: aws.String("there"), Body: strings.NewReader("x")}); err != nil {
		return err
	}
	arn, err := s.workflow("sensors", chainOf(length,
		"operator: airflow.providers.amazon.aws.sensors.s3.S3KeySensor\n      bucket_key: s3://bench/there"))
	if err != nil {
		return err
	}
	wall, cpu, err := b.inARow(s, arn, 3, length, 5*time.Millisecond)
	if err != nil {
		return err
	}
	b.table.add(row{part: "chain", what: "S3 sensor in a chain of 100, wall (p50)", value: fmt.Sprintf("%.2f ms", wall),
		control: fmt.Sprintf("%.1f raw fsyncs: each task is two commits, an HTTP request and a log file", wall/ms(fsync))})
	b.table.add(row{part: "chain", what: "S3 sensor in a chain of 100, CPU", value: fmt.Sprintf("%.2f ms", cpu)})
	return nil
}

// throughput starts many runs at once and counts the tasks of those that
// have ended.
func (b *bench) throughput(s *server, arn string, length int) error {
	const span = 3 * time.Second
	rate, err := rounds(b.rounds, func() (float64, error) {
		var done atomic.Int64
		var wg sync.WaitGroup
		errs := make(chan error, clients)
		began := time.Now()
		for range clients {
			wg.Go(func() {
				for time.Since(began) < span {
					if _, err := s.run(arn, 2*time.Millisecond); err != nil {
						errs <- err
						return
					}
					done.Add(int64(length))
				}
			})
		}
		wg.Wait()
		took := time.Since(began)
		select {
		case err := <-errs:
			return 0, err
		default:
			return float64(done.Load()) / took.Seconds(), nil
		}
	})
	if err != nil {
		return err
	}
	b.table.add(row{part: "chain", what: "no-op tasks, 8 clients with chains of 100", value: fmt.Sprintf("%.0f /s", rate),
		control: "HTTP start until final, client included", aim: "≥ 5000 /s", met: rate >= 5000})
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
)

const clients = 8 // that send requests at once

// api compares signed GetTaskInstance with a bare server that checks the same
// signature: same clients, same machine, in turns.
func (b *bench) api() error {
	s, err := b.server()
	if err != nil {
		return err
	}
	arn, err := s.workflow("api", chainOf(3, "operator: "+empty))
	if err != nil {
		return err
	}
	if _, err := s.run(arn, time.Millisecond); err != nil {
		return err
	}
	task, err := firstTask(s, arn)
	if err != nil {
		return err
	}
	ours, err := sign(s, s.endpoint, "GetTaskInstance", task)
	if err != nil {
		return err
	}
	url, control, stop, err := startControl(s.key, s.secret)
	if err != nil {
		return err
	}
	defer stop()
	bare, err := sign(s, url, "GetTaskInstance", ours.body)
	if err != nil {
		return err
	}
	const span = 2 * time.Second
	var theirs, ratios, cpu, cpuTheirs []float64
	rate, err := rounds(b.rounds, func() (float64, error) {
		before := cpuOf(control.Pid)
		t, err := saturate(bare, span)
		if err != nil {
			return 0, err
		}
		cpuTheirs = append(cpuTheirs, ms(cpuOf(control.Pid)-before)/(t*span.Seconds()))
		before = s.cpu()
		o, err := saturate(ours, span)
		cpu = append(cpu, ms(s.cpu()-before)/(o*span.Seconds()))
		theirs, ratios = append(theirs, t), append(ratios, o/t)
		return o, err
	})
	if err != nil {
		return err
	}
	ratio := median(ratios)
	b.table.add(row{part: "api", what: fmt.Sprintf("signed GetTaskInstance, %d clients", clients), value: fmt.Sprintf("%.0f /s", rate),
		control: fmt.Sprintf("%.0f %% of bare net/http + SigV4 (%.0f /s)", 100*ratio, median(theirs)), aim: "≥ 55 %", met: ratio >= 0.55})
	b.table.add(row{part: "api", what: "signed GetTaskInstance, the server's CPU", value: fmt.Sprintf("%.3f ms", median(cpu)),
		control: fmt.Sprintf("%.1f × that of the bare server (%.3f ms)", median(cpu)/median(cpuTheirs), median(cpuTheirs))})
	// Each at half of its own rate, in turns too.
	var p50s, p50sTheirs, p99sTheirs []float64
	half, halfTheirs := rate/2, median(theirs)/2
	p99, err := rounds(b.rounds, func() (float64, error) {
		o, err := paced(ours, half, 3*time.Second)
		if err != nil {
			return 0, err
		}
		t, err := paced(bare, halfTheirs, 3*time.Second)
		if err != nil {
			return 0, err
		}
		p50s, p50sTheirs = append(p50s, ms(median(o))), append(p50sTheirs, ms(median(t)))
		p99sTheirs = append(p99sTheirs, ms(quantile(t, 0.99)))
		return ms(quantile(o, 0.99)), nil
	})
	if err != nil {
		return err
	}
	b.table.add(row{part: "api", what: fmt.Sprintf("the same at half that load, %.0f /s (p50, p99)", half), value: fmt.Sprintf("%.2f, %.2f ms", median(p50s), p99),
		control: fmt.Sprintf("bare server at half its load, %.0f /s: %.2f, %.2f ms", halfTheirs, median(p50sTheirs), median(p99sTheirs)), aim: "p99 < 5 ms", met: p99 < 5})
	return nil
}

// firstTask returns the body of a GetTaskInstance for the first task of the
// newest run, which has begun.
func firstTask(s *server, arn string) ([]byte, error) {
	ctx := context.Background()
	list, err := s.api.ListWorkflowRuns(ctx, &mwaaserverless.ListWorkflowRunsInput{WorkflowArn: &arn})
	if err != nil {
		return nil, err
	}
	run := list.WorkflowRuns[0].RunId
	tasks, err := s.api.ListTaskInstances(ctx, &mwaaserverless.ListTaskInstancesInput{WorkflowArn: &arn, RunId: run})
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]*string{"WorkflowArn": &arn, "RunId": run, "TaskInstanceId": tasks.TaskInstances[0].TaskInstanceId})
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * clients, DisableCompression: true}}
}

// saturate sends a request as often as it can and returns how many were
// answered in a second.
func saturate(q signed, span time.Duration) (float64, error) {
	c := newClient()
	defer c.CloseIdleConnections()
	var mu sync.Mutex
	var bad error
	done := 0
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			n := 0
			var err error
			for ; err == nil && time.Since(began) < span; n++ {
				err = q.send(c)
			}
			mu.Lock()
			defer mu.Unlock()
			done += n
			if err != nil {
				bad = err
			}
		})
	}
	wg.Wait()
	return float64(done) / time.Since(began).Seconds(), bad
}

// paced sends a request at a steady rate, whether earlier ones were answered
// or not, and returns how long each took from the moment when it was due.
func paced(q signed, rate float64, span time.Duration) ([]time.Duration, error) {
	c := newClient()
	defer c.CloseIdleConnections()
	due := make(chan time.Time, int(rate*span.Seconds())+1)
	var mu sync.Mutex
	var all []time.Duration
	var bad error
	var wg sync.WaitGroup
	for range 2 * clients {
		wg.Go(func() {
			for at := range due {
				err := q.send(c)
				took := time.Since(at)
				mu.Lock()
				if all = append(all, took); err != nil {
					bad = err
				}
				mu.Unlock()
			}
		})
	}
	began := time.Now()
	for i := 0; ; i++ {
		at := began.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		if at.Sub(began) > span {
			break
		}
		time.Sleep(time.Until(at))
		due <- at
	}
	close(due)
	wg.Wait()
	return all, bad
}

// purge looks at the API while the server removes runs that are older than
// its retention.
func (b *bench) purge() error {
	s := &server{binary: b.binary, data: b.dir + "/purge"}
	defer s.stop()
	if _, err := s.start(); err != nil {
		return err
	}
	arn, err := s.workflow("purge", chainOf(3, "operator: "+empty))
	if err != nil {
		return err
	}
	if _, err := s.run(arn, time.Millisecond); err != nil {
		return err
	}
	s.stop()
	const old, longest = 100_000, 5 * time.Minute
	if err := seed(s.data, old, 48*time.Hour); err != nil {
		return err
	}
	if _, err := s.start(); err != nil {
		return err
	}
	// A run of today, which stays.
	if _, err := s.run(arn, time.Millisecond); err != nil {
		return err
	}
	task, err := firstTask(s, arn)
	if err != nil {
		return err
	}
	calm, err := b.latency(s, arn, task, 5*time.Second)
	if err != nil {
		return err
	}
	s.stop()
	s.args = []string{"--retention", "24h"}
	if _, err := s.start(); err != nil {
		return err
	}
	began := time.Now()
	var busy latency
	for {
		l, err := b.latency(s, arn, task, 2*time.Second)
		if err != nil {
			return err
		}
		busy.read, busy.start = append(busy.read, l.read...), append(busy.start, l.start...)
		left, err := count(s.data, "run")
		if err != nil {
			return err
		}
		if left < old/100 || time.Since(began) > longest {
			b.table.add(row{part: "purge", what: fmt.Sprintf("%s runs of 3 tasks older than the retention, once", thousands(old)),
				value: fmt.Sprintf("%.0f runs/s", float64(old-left)/time.Since(began).Seconds())})
			break
		}
	}
	for _, l := range []struct {
		what       string
		calm, busy []time.Duration
	}{{"GetTaskInstance", calm.read, busy.read}, {"StartWorkflowRun", calm.start, busy.start}} {
		p99 := quantile(l.busy, 0.99)
		b.table.add(row{part: "purge", what: l.what + " meanwhile (p50, p99, worst)",
			value:   fmt.Sprintf("%.2f, %.2f, %.2f ms", ms(median(l.busy)), ms(p99), ms(quantile(l.busy, 1))),
			control: fmt.Sprintf("before: %.2f, %.2f, %.2f ms", ms(median(l.calm)), ms(quantile(l.calm, 0.99)), ms(quantile(l.calm, 1))),
			aim:     "p99 < 20 ms", met: p99 < 20*time.Millisecond})
	}
	return nil
}

type latency struct{ read, start []time.Duration }

// latency sends a hundred reads and twenty starts a second.
func (b *bench) latency(s *server, arn string, task []byte, span time.Duration) (latency, error) {
	read, err := sign(s, s.endpoint, "GetTaskInstance", task)
	if err != nil {
		return latency{}, err
	}
	start, err := sign(s, s.endpoint, "StartWorkflowRun", []byte(`{"WorkflowArn":"`+arn+`"}`))
	if err != nil {
		return latency{}, err
	}
	var l latency
	var errs [2]error
	var wg sync.WaitGroup
	wg.Go(func() { l.read, errs[0] = paced(read, 100, span) })
	wg.Go(func() { l.start, errs[1] = paced(start, 20, span) })
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return l, err
		}
	}
	return l, nil
}

// spawn measures a wide run of processes against raw spawns of the same
// command in new namespaces, as many at once.
func (b *bench) spawn() error {
	s, err := b.server()
	if err != nil {
		return err
	}
	n := b.spawns
	var text strings.Builder
	fmt.Fprintf(&text, "wide:\n  max_active_tasks: %d\n  tasks:\n", n)
	for i := range n {
		fmt.Fprintf(&text, "    t%d: {operator: airflow.providers.standard.operators.bash.BashOperator, bash_command: 'true'}\n", i)
	}
	arn, err := s.workflow("wide", text.String())
	if err != nil {
		return err
	}
	var raws, ratios []float64
	rate, err := rounds(b.rounds, func() (float64, error) {
		before, err := rawSpawns(n, 8)
		if err != nil {
			return 0, err
		}
		wall, err := s.run(arn, 20*time.Millisecond)
		if err != nil {
			return 0, err
		}
		after, err := rawSpawns(n, 8)
		if err != nil {
			return 0, err
		}
		ours, theirs := float64(n)/wall.Seconds(), float64(2*n)/(before+after).Seconds()
		raws, ratios = append(raws, theirs), append(ratios, ours/theirs)
		return ours, nil
	})
	if err != nil {
		return err
	}
	ratio := median(ratios)
	b.table.add(row{part: "spawn", what: fmt.Sprintf("%d tasks of bash -c true, end to end", n), value: fmt.Sprintf("%.0f /s", rate),
		control: fmt.Sprintf("%.0f %% of raw namespaced spawns, 8 at once (%.0f /s)", 100*ratio, median(raws)), aim: "≥ 60 %", met: ratio >= 0.6})
	return nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
)

// mixOf writes a definition of about n tasks: chains of ten between a task
// that all wait for and one that waits for all.
func mixOf(n int) string {
	var b strings.Builder
	b.WriteString("mix:\n  tasks:\n    first: {operator: " + empty + "}\n")
	var last []string
	for i := 1; i < n-1; i++ {
		up := fmt.Sprintf("t%d", i-1)
		if i%10 == 1 {
			up = "first"
		}
		fmt.Fprintf(&b, "    t%d: {operator: %s, dependencies: [%s]}\n", i, empty, up)
		if i%10 == 0 || i == n-2 {
			last = append(last, fmt.Sprintf("t%d", i))
		}
	}
	fmt.Fprintf(&b, "    last: {operator: %s, dependencies: [%s]}\n", empty, strings.Join(last, ", "))
	return b.String()
}

// scale compares what a task costs in a large graph and in a small one:
// compiling it and running it.
func (b *bench) scale() error {
	s, err := b.server()
	if err != nil {
		return err
	}
	const small = 100
	for _, shape := range []struct {
		name string
		of   func(n int) string
	}{
		{"chain", func(n int) string { return chainOf(n, "operator: "+empty) }},
		{"mix", mixOf},
	} {
		few, err := b.cost(s, shape.name, shape.of(small), small, 100)
		if err != nil {
			return err
		}
		many, err := b.cost(s, shape.name, shape.of(b.tasks), b.tasks, 1)
		if err != nil {
			return err
		}
		for _, k := range []struct {
			what      string
			few, many float64
		}{
			{"compile", few.compile, many.compile},
			{"run", few.run, many.run},
			{"compile and run", few.compile + few.run, many.compile + many.run},
		} {
			r := row{part: "scale", what: fmt.Sprintf("%s, CPU per task of %s: %s", shape.name, thousands(b.tasks), k.what),
				value: fmt.Sprintf("%.4f ms", k.many), control: fmt.Sprintf("%.2f × that of %d (%.4f ms)", k.many/k.few, small, k.few)}
			if k.what == "compile and run" {
				r.aim, r.met = "≤ 1.3 ×", k.many <= 1.3*k.few
			}
			b.table.add(r)
		}
		b.table.add(row{part: "scale", what: fmt.Sprintf("%s of %s: wall of a run", shape.name, thousands(b.tasks)), value: fmt.Sprintf("%.2f s", many.wall.Seconds())})
		b.table.add(row{part: "scale", what: fmt.Sprintf("%s of %s: another's start meanwhile, worst", shape.name, thousands(b.tasks)), value: fmt.Sprintf("%.0f ms", ms(many.worst))})
	}
	b.table.add(row{part: "scale", what: "most memory until here (resident; once)", value: fmt.Sprintf("%.0f MiB", s.memory("VmHWM"))})
	return nil
}

// A cost is what a graph costs, processor time in milliseconds per task.
type cost struct {
	compile, run float64
	wall         time.Duration // of a run
	worst        time.Duration // the slowest start of another run meanwhile
}

func (b *bench) cost(s *server, name, text string, tasks, times int) (cost, error) {
	other, err := s.workflow(fmt.Sprintf("beside-%s-%d", name, tasks), "one:\n  tasks:\n    a: {operator: "+empty+"}\n")
	if err != nil {
		return cost{}, err
	}
	var compile, run []float64
	var walls, worsts []time.Duration
	for round := range b.rounds {
		var arns []string
		before := s.cpu()
		for i := range times {
			arn, err := s.workflow(fmt.Sprintf("%s-%d-%d-%d", name, tasks, round, i), text)
			if err != nil {
				return cost{}, err
			}
			arns = append(arns, arn)
		}
		compile = append(compile, ms(s.cpu()-before)/float64(tasks*times))
		before = s.cpu()
		for _, arn := range arns {
			quit, slow := make(chan struct{}), make(chan time.Duration, 1)
			if times == 1 {
				go func() { slow <- slowestStart(s, other, quit) }()
			}
			id, wall, err := s.runListed(arn, time.Duration(tasks/100)*time.Millisecond)
			close(quit)
			if times == 1 {
				worsts = append(worsts, <-slow)
			}
			if err != nil {
				return cost{}, err
			}
			walls = append(walls, wall)
			b.large, b.of = id, arn
		}
		run = append(run, ms(s.cpu()-before)/float64(tasks*times))
	}
	return cost{median(compile), median(run), median(walls), median(worsts)}, nil
}

// slowestStart starts ten runs a second until quit and returns how long the
// slowest start took.
func slowestStart(s *server, arn string, quit <-chan struct{}) time.Duration {
	var worst time.Duration
	for {
		began := time.Now()
		if _, err := s.begin(arn); err == nil {
			worst = max(worst, time.Since(began))
		}
		select {
		case <-quit:
			return worst
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// instances measures pages of the task instances of the large run.
func (b *bench) instances() error {
	s, err := b.server()
	if err != nil {
		return err
	}
	if err := b.whole(s); err != nil {
		return err
	}
	what := fmt.Sprintf("ListTaskInstances of %s", thousands(b.tasks))
	return b.pages("list", what, b.tasks, func(token *string) (int, *string, error) {
		out, err := s.api.ListTaskInstances(context.Background(), &mwaaserverless.ListTaskInstancesInput{
			WorkflowArn: &b.of, RunId: &b.large, MaxResults: aws.Int32(pageSize), NextToken: token,
		})
		if err != nil {
			return 0, nil, err
		}
		return len(out.TaskInstances), out.NextToken, nil
	})
}

// whole measures the two answers about a run that look at all of its tasks.
func (b *bench) whole(s *server) error {
	_, id, _ := strings.Cut(b.of, "workflow/")
	for _, k := range []struct {
		what string
		ask  func() error
	}{
		{"GetWorkflowRun, which names every instance", func() error {
			_, err := s.api.GetWorkflowRun(context.Background(), &mwaaserverless.GetWorkflowRunInput{WorkflowArn: &b.of, RunId: &b.large})
			return err
		}},
		{"the console's page of the run", func() error {
			r, err := http.NewRequest(http.MethodGet, s.endpoint+"/runs/"+id+"/"+b.large, nil)
			if err != nil {
				return err
			}
			r.Header.Set("Accept", "text/html")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode == http.StatusOK {
				return err
			}
			return fmt.Errorf("%s: %s", r.URL, resp.Status)
		}},
	} {
		took, err := rounds(b.rounds, func() (float64, error) {
			began := time.Now()
			err := k.ask()
			return ms(time.Since(began)), err
		})
		if err != nil {
			return err
		}
		b.table.add(row{part: "list", what: fmt.Sprintf("%s tasks: %s", thousands(b.tasks), k.what), value: fmt.Sprintf("%.0f ms", took)})
	}
	return nil
}

// pageSize is the longest page that the model allows.
const pageSize = 100

// pages walks through a list of n items and compares its first, middle and
// last pages.
func (b *bench) pages(part, what string, n int, page func(token *string) (int, *string, error)) error {
	const around = 100 // pages that count as first, middle or last
	var took []time.Duration
	var token *string
	seen := 0
	for {
		began := time.Now()
		got, next, err := page(token)
		if err != nil {
			return err
		}
		took = append(took, time.Since(began))
		seen += got
		if token = next; token == nil {
			break
		}
	}
	if seen < n {
		return fmt.Errorf("%s: the pages hold %d items of %d", what, seen, n)
	}
	k := min(around, len(took)/3)
	mid := len(took)/2 - k/2
	first := took[:k]
	for _, place := range []struct {
		name  string
		pages []time.Duration
	}{{"first", first}, {"middle", took[mid : mid+k]}, {"last", took[len(took)-k:]}} {
		p50, p99 := quantile(place.pages, 0.5), quantile(place.pages, 0.99)
		r := row{part: part, what: fmt.Sprintf("%s, the %s %d pages of 100 (p50, p99)", what, place.name, k),
			value: fmt.Sprintf("%.2f, %.2f ms", ms(p50), ms(p99))}
		if place.name != "first" {
			ratio := float64(p50) / float64(median(first))
			r.control, r.aim, r.met = fmt.Sprintf("%.2f × the first", ratio), "≤ 1.5 ×", ratio <= 1.5
		}
		b.table.add(r)
	}
	return nil
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/operator"
	"fairlead/internal/store"
)

// TestAsTheProductDoes plays random workflows with random scripts, and runs
// the same with the conductor, the store and the performer of the product,
// over a driver whose processes do what the script says. Both must come to
// the same states, attempts, times and commands.
func TestAsTheProductDoes(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		workflow, tests := invent(rand.New(rand.NewPCG(uint64(seed), 1)))
		f, faults := Parse([]byte(tests))
		if f == nil {
			t.Fatalf("%s\n%v", tests, faults)
		}
		var played string
		commands := map[flow.TaskID]string{}
		f.Tests[0].runs = append(f.Tests[0].runs, check[*ended]{holds: func(e *ended) (string, bool) {
			var tasks []flow.Task
			for _, n := range e.graph.Nodes {
				tasks = append(tasks, e.tasks[n.ID])
				if args := e.part(n.ID).args; args != nil {
					var text string
					if err := json.Unmarshal(args["bash_command"], &text); err != nil {
						t.Error(err)
					}
					commands[n.ID] = text
				}
			}
			played = describe(e.row, tasks)
			return "", true
		}})
		rep := stage().Play(t.Context(), f, []byte(workflow), nil)
		if len(rep.Results) != 1 || played == "" {
			t.Fatalf("seed %d:\n%s\n%s\n%s", seed, workflow, tests, show(t, []byte(tests), []byte(workflow)))
		}
		for _, x := range rep.Results[0].Failures {
			played += "refused " + x.Path + "\n" // the only failure there can be
		}
		synctest.Test(t, func(t *testing.T) {
			p := &product{test: &f.Tests[0], argv: map[flow.TaskID][]string{}}
			real := p.run(t, []byte(workflow))
			if real != played {
				t.Errorf("seed %d\n%s\n%s\nplayed\n%s\nthe product\n%s", seed, workflow, tests, played, real)
			}
			for id, text := range commands {
				if argv := strings.Join(p.argv[id], " "); !strings.Contains(argv, text) {
					t.Errorf("seed %d: task %s is played with %q; the product runs %q", seed, id, text, argv)
				}
			}
		})
	}
}

// invent makes up a workflow and a test of it. Durations are such that no two
// moments coincide, where the product's order would be a matter of luck.
func invent(r *rand.Rand) (workflow, tests string) {
	var w, s strings.Builder
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	n := 2 + r.IntN(9)
	fmt.Fprintf(&w, "w:\n  max_active_tasks: %d\n  params: {who: you}\n  tasks:\n", 1+r.IntN(4))
	fmt.Fprintf(&s, "workflow: w.yaml\ntests:\n  a:\n    at: 2000-01-01\n    params: {who: me}\n")
	if r.IntN(2) == 0 {
		s.WriteString("    do:\n")
		inventDeeds(r, &s, n)
	}
	s.WriteString("    tasks:\n")
	for i := range n {
		fmt.Fprintf(&w, "    t%d:\n", i)
		if i > 0 && r.IntN(8) == 0 {
			w.WriteString("      operator: airflow.providers.standard.operators.empty.EmptyOperator\n")
		} else {
			w.WriteString("      operator: airflow.providers.standard.operators.bash.BashOperator\n")
			fmt.Fprintf(&w, "      bash_command: \"{{ params.who }} {{ ds }} {{ ti.xcom_pull(task_ids='t%d') }}\"\n", r.IntN(i+1))
			fmt.Fprintf(&w, "      retries: %d\n      retry_delay: %d\n", r.IntN(3), 1+r.IntN(100))
			fmt.Fprintf(&w, "      execution_timeout: {__type__: datetime.timedelta, seconds: %d}\n", 10+r.IntN(100))
			fmt.Fprintf(&s, "      t%d:\n", i)
			for a := range 1 + r.IntN(3) {
				reply := pick("succeeds", "succeeds", "fails", "fails", "skips", "is_lost", "times_out")
				switch {
				case reply == "times_out":
					s.WriteString("        - times_out\n")
				case reply == "succeeds":
					fmt.Fprintf(&s, "        - {returns: out %d of t%d, takes: %dms}\n", a, i, 1+r.IntN(120_000))
				default:
					fmt.Fprintf(&s, "        - {%s: true, takes: %dms}\n", reply, 1+r.IntN(120_000))
				}
			}
		}
		if i > 0 {
			var ups []string
			for _, up := range r.Perm(i)[:1+r.IntN(min(i, 3))] {
				ups = append(ups, fmt.Sprint("t", up))
			}
			fmt.Fprintf(&w, "      dependencies: %s\n", list(ups))
			fmt.Fprintf(&w, "      trigger_rule: %s\n", pick("all_success", "all_success", "all_done", "one_failed", "one_success", "none_failed", "none_skipped", "always"))
		}
	}
	s.WriteString("    expect: {takes: \">= 0\"}\n")
	return w.String(), s.String()
}

// inventDeeds makes up what people do, in the order of time. What is paused is
// resumed in the end.
func inventDeeds(r *rand.Rand, s *strings.Builder, tasks int) {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	task := func() string { return fmt.Sprint("t", r.IntN(tasks)) }
	ms, paused := 0, false
	say := func(format string, args ...any) {
		ms += 1 + r.IntN(150_000)
		fmt.Fprintf(s, "      - {at: %dms, %s}\n", ms, fmt.Sprintf(format, args...))
	}
	for range 1 + r.IntN(6) {
		switch verb := pick("pause", "pause", "resume", "stop", "retry", "clear", "clear", "mark", "mark"); verb {
		case "clear":
			say("clear: {tasks: [%s], downstream: %v, failed: %v}", task(), r.IntN(2) == 0, r.IntN(4) == 0)
		case "mark":
			say("mark: {%s: %s}", task(), pick("success", "failed", "skipped"))
		default:
			paused = verb == "pause" || paused && verb != "resume"
			say("%s: true", verb)
		}
	}
	if paused {
		say("resume: true")
	}
}

// describe prints how a run went, by the clock of the run.
func describe(r flow.Run, tasks []flow.Task) string {
	since := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return spanText(t.Sub(r.Started))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s to %s\n", r.State, since(r.Ended))
	for _, t := range tasks {
		fmt.Fprintf(&b, "%s %s #%d from %s to %s\n", t.ID, t.State, t.Attempt, since(t.Started), since(t.Ended))
	}
	return b.String()
}

// A product is the conductor, the store and the performer over a driver
// whose processes follow a script.
type product struct {
	test  *Test
	graph flow.Graph
	mu    sync.Mutex
	argv  map[flow.TaskID][]string
}

func (p *product) run(t *testing.T, workflow []byte) string {
	ctx := context.WithoutCancel(t.Context())
	dir := t.TempDir()
	def, found := stage().Compile(workflow, false, time.Now())
	if len(found) > 0 {
		t.Fatal(found)
	}
	p.graph = def.Graph
	db, err := store.Open(ctx, filepath.Join(dir, "rows.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	operators, err := operator.New(operator.Settings{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	performer := &airflow.Performer{Driver: p, Operators: operators, Table: operator.Default(), XComs: db, Place: p}
	now := time.Now()
	key, err := db.PutGraph(ctx, def.Graph)
	if err != nil {
		t.Fatal(err)
	}
	w := flow.Workflow{ID: "w-1", Name: "w", Created: now, Modified: now, Settings: json.RawMessage("{}")}
	v := flow.Version{ID: "v1", Workflow: w.ID, Graph: key, Created: now, Settings: json.RawMessage("{}")}
	if _, v, _, err = db.CreateWorkflow(ctx, w, v, flow.Token{}, 0); err != nil {
		t.Fatal(err)
	}
	c := conductor.New(db, performer, conductor.Settings{}, slog.New(slog.DiscardHandler), nil)
	serve, stop := context.WithCancelCause(ctx)
	if err := c.Resume(serve); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer stop(exec.ErrDetach)
	if _, err := c.Start(ctx, conductor.StartRequest{Run: flow.Run{
		ID: "r", Key: "k", Workflow: w.ID, Version: v.ID, Graph: key, Kind: flow.OnDemand, State: flow.Starting,
		Params: p.test.params, Logical: now, Created: now, Modified: now,
	}}); err != nil {
		t.Fatal(err)
	}
	refused := ""
	for i := range p.test.do {
		d := &p.test.do[i]
		time.Sleep(time.Until(now.Add(d.after)))
		synctest.Wait()
		if err := p.do(ctx, c, d); flow.KindOf(err) == flow.Conflict && err != nil {
			refused += "refused " + d.Path + "\n"
		} else if err != nil {
			t.Fatalf("%s: %v", d.Path, err)
		}
	}
	for range 1000 {
		synctest.Wait()
		row, err := db.RunByID(ctx, "r")
		if err != nil {
			t.Fatal(err)
		}
		if row.State.Final() {
			tasks, err := db.Tasks(ctx, row.ID)
			if err != nil {
				t.Fatal(err)
			}
			return describe(row, tasks) + refused
		}
		time.Sleep(time.Minute)
	}
	t.Fatal("the run does not end")
	return ""
}

// do asks the conductor for what a person does.
func (p *product) do(ctx context.Context, c *conductor.Conductor, d *deed) error {
	var err error
	switch d.verb {
	case "pause":
		err = c.Pause(ctx, "w-1", "the test")
	case "resume":
		err = c.Unpause(ctx, "w-1", "the test")
	case "stop":
		_, err = c.Stop(ctx, "r", "the test")
	case "mark":
		for _, m := range d.marks {
			_, err = c.Mark(ctx, "r", m.task, engine.Mark{State: m.state, By: "the test"})
		}
	default:
		_, err = c.Clear(ctx, "r", d.clear)
	}
	return err
}

// Run makes product an exec.Driver.
func (p *product) Run(ctx context.Context, spec exec.Spec, _ string, started func(string) error) (exec.Exit, error) {
	var index, attempt int
	if _, err := fmt.Sscanf(spec.ID, "r.%d.%d", &index, &attempt); err != nil {
		return exec.Exit{}, err
	}
	id := p.graph.Nodes[index].ID
	p.mu.Lock()
	p.argv[id] = spec.Argv
	p.mu.Unlock()
	if err := started("process"); err != nil {
		return exec.Exit{}, err
	}
	var rep reply
	for i := range p.test.tasks {
		if s := &p.test.tasks[i]; s.task == id {
			rep = s.reply(attempt)
		}
	}
	end := make(<-chan time.Time)
	if rep.verdict != flow.Timeout {
		end = time.After(rep.takes)
	}
	select {
	case <-ctx.Done():
		if context.Cause(ctx) == exec.ErrDetach {
			return exec.Exit{}, exec.ErrDetach
		}
		return exec.Exit{Why: exec.Stopped, Ended: time.Now()}, nil
	case <-end:
	}
	x := exec.Exit{Ended: time.Now()}
	switch rep.verdict {
	case flow.Failure:
		x.Code = 1
	case flow.Skip:
		x.Code = 99
	case flow.Lost:
		x.Why = exec.Lost
	default:
		if raw := rep.xcom["return_value"]; raw != nil {
			if err := json.Unmarshal(raw, &x.LastLine); err != nil {
				return x, err
			}
		}
	}
	return x, nil
}

// Probe and Forget complete the driver.
func (p *product) Probe(context.Context) (exec.Report, error) { return exec.Report{}, nil }

func (p *product) Forget(string) error { return nil }

// Log and Surroundings make product an airflow.Place.
func (p *product) Log(context.Context, flow.Run, flow.TaskID, int) (string, error) { return "", nil }

func (p *product) Surroundings(context.Context, flow.Run, flow.Task) (airflow.Surroundings, error) {
	return airflow.Surroundings{}, nil
}

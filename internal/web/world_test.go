package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/aws/page"
	"fairlead/internal/flow"
)

// A memory holds rows in memory and answers as a store does.
type memory struct {
	workflows []flow.Workflow // oldest first
	versions  []flow.Version
	runs      []flow.Run
	graphs    map[string]flow.Graph
	tasks     map[flow.RunID][]flow.Task
	past      map[flow.RunID][]flow.Attempt
	outputs   map[string]map[string]json.RawMessage
	logs      map[string][]flow.LogEvent
	broken    error // what every question about workflows comes to; nil: none
}

func newMemory() *memory {
	return &memory{
		graphs: map[string]flow.Graph{}, tasks: map[flow.RunID][]flow.Task{}, past: map[flow.RunID][]flow.Attempt{},
		outputs: map[string]map[string]json.RawMessage{}, logs: map[string][]flow.LogEvent{},
	}
}

// cutAt returns a page of rows, of which After is the number of those seen.
func cutAt[T any](rows []T, p flow.Page) ([]T, string, error) {
	seen := 0
	if p.After != "" {
		n, err := strconv.Atoi(p.After)
		if err != nil {
			return nil, "", flow.Errorf(flow.Invalid, "bad page key")
		}
		seen = n
	}
	rows = rows[min(seen, len(rows)):]
	if len(rows) <= p.Limit {
		return rows, "", nil
	}
	return rows[:p.Limit], strconv.Itoa(seen + p.Limit), nil
}

func reversed[T any](rows []T) []T {
	rows = slices.Clone(rows)
	slices.Reverse(rows)
	return rows
}

func (w *memory) Workflows(_ context.Context, p flow.Page) ([]Row, string, error) {
	if w.broken != nil {
		return nil, "", w.broken
	}
	var rows []Row
	for _, wf := range reversed(w.workflows) {
		i := slices.IndexFunc(w.versions, func(v flow.Version) bool { return v.ID == wf.Latest })
		rows = append(rows, Row{wf, w.versions[i]})
	}
	return cutAt(rows, p)
}

func (w *memory) Workflow(_ context.Context, id flow.WorkflowID) (flow.Workflow, error) {
	for _, wf := range w.workflows {
		if wf.ID == id {
			return wf, nil
		}
	}
	return flow.Workflow{}, flow.Errorf(flow.NotFound, "workflow %q does not exist", id)
}

func (w *memory) Version(_ context.Context, wf flow.WorkflowID, id flow.VersionID) (flow.Version, error) {
	for _, v := range w.versions {
		if v.Workflow == wf && v.ID == id {
			return v, nil
		}
	}
	return flow.Version{}, flow.Errorf(flow.NotFound, "workflow %q has no version %q", wf, id)
}

func (w *memory) Versions(_ context.Context, wf flow.WorkflowID, p flow.Page) ([]flow.Version, string, error) {
	var all []flow.Version
	for _, v := range reversed(w.versions) {
		if v.Workflow == wf {
			all = append(all, v)
		}
	}
	return cutAt(all, p)
}

func (w *memory) Graph(_ context.Context, key string) (flow.Graph, error) {
	g, ok := w.graphs[key]
	if !ok {
		return g, fmt.Errorf("no graph %q", key)
	}
	return g, nil
}

func (w *memory) Run(_ context.Context, wf flow.WorkflowID, id flow.RunID) (flow.Run, error) {
	for _, r := range w.runs {
		if r.Workflow == wf && r.ID == id {
			return r, nil
		}
	}
	return flow.Run{}, flow.Errorf(flow.NotFound, "workflow %q has no run %q", wf, id)
}

func (w *memory) Runs(_ context.Context, wf flow.WorkflowID, v flow.VersionID, p flow.Page) ([]flow.Run, string, error) {
	var all []flow.Run
	for _, r := range reversed(w.runs) {
		if r.Workflow == wf && (v == "" || r.Version == v) {
			all = append(all, r)
		}
	}
	return cutAt(all, p)
}

func (w *memory) CountActive(_ context.Context, wf flow.WorkflowID) (of, total int, err error) {
	for _, r := range w.runs {
		if !r.State.Final() {
			total++
			if r.Workflow == wf {
				of++
			}
		}
	}
	return of, total, nil
}

func (w *memory) Tasks(_ context.Context, run flow.RunID) ([]flow.Task, error) {
	return w.tasks[run], nil
}

func (w *memory) Instances(_ context.Context, run flow.RunID, p flow.Page) ([]flow.Task, string, error) {
	all := slices.Clone(w.tasks[run])
	for _, a := range w.past[run] {
		all = append(all, w.was(run, a))
	}
	slices.SortStableFunc(all, func(a, b flow.Task) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Attempt, b.Attempt))
	})
	return cutAt(all, p)
}

// was is a task as it was in a past attempt.
func (w *memory) was(run flow.RunID, a flow.Attempt) flow.Task {
	i := slices.IndexFunc(w.tasks[run], func(t flow.Task) bool { return t.ID == a.Task })
	t := w.tasks[run][i]
	return flow.Task{
		ID: t.ID, Index: t.Index, Kind: t.Kind, State: a.State, Attempt: a.N,
		Reason: a.Reason, Started: a.Started, Ended: a.Ended,
	}
}

func (w *memory) Instance(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (flow.Task, error) {
	for _, t := range w.tasks[run] {
		if t.ID == task && (attempt == 0 || attempt == t.Attempt) {
			return t, nil
		}
	}
	for _, a := range w.past[run] {
		if a.Task == task && a.N == attempt {
			return w.was(run, a), nil
		}
	}
	return flow.Task{}, flow.Errorf(flow.NotFound, "run %q has no attempt %d of task %q", run, attempt, task)
}

func instanceKey(run flow.RunID, task flow.TaskID, attempt int) string {
	return fmt.Sprintf("%s/%s/%d", run, task, attempt)
}

func (w *memory) Outputs(_ context.Context, run flow.RunID, task flow.TaskID, attempt int) (map[string]json.RawMessage, error) {
	return w.outputs[instanceKey(run, task, attempt)], nil
}

func (w *memory) Log(_ context.Context, _ flow.WorkflowID, run flow.RunID, task flow.TaskID, attempt int, r flow.LogRange) (flow.LogPage, error) {
	events, ok := w.logs[instanceKey(run, task, attempt)]
	if !ok {
		return flow.LogPage{}, flow.Errorf(flow.NotFound, "no log of task %q, attempt %d", task, attempt)
	}
	from := int(r.From)
	if from < 0 {
		from = len(events)
	}
	head, tail := from, min(from+r.Limit, len(events))
	if r.Back {
		head, tail = max(0, from-r.Limit), from
	}
	return flow.LogPage{Events: events[head:tail], Head: int64(head), Tail: int64(tail)}, nil
}

// log gives an attempt a log of lines that are a second apart.
func (w *memory) log(run flow.RunID, task flow.TaskID, attempt int, at time.Time, lines ...string) {
	key := instanceKey(run, task, attempt)
	for _, l := range lines {
		w.logs[key] = append(w.logs[key], flow.LogEvent{At: at, Text: l})
		at = at.Add(time.Second)
	}
}

// graph reads "a b:a c:a,b" as a graph.
func graph(text string) flow.Graph {
	var g flow.Graph
	for f := range strings.FieldsSeq(text) {
		id, after, _ := strings.Cut(f, ":")
		n := flow.Node{ID: flow.TaskID(id), Kind: "BashOperator"}
		if after != "" {
			for up := range strings.SplitSeq(after, ",") {
				n.After = append(n.After, flow.TaskID(up))
			}
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g
}

var epoch = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// busyWorld has workflows in every state of interest.
func busyWorld() *memory {
	w := newMemory()
	day := 24 * time.Hour
	add := func(id, name string, versions int, sched *flow.Schedule, age time.Duration) {
		wf := flow.Workflow{ID: flow.WorkflowID(id), Name: name, Created: epoch.Add(-age), Modified: epoch.Add(-age / 2)}
		for n := 1; n <= versions; n++ {
			v := flow.Version{
				ID: flow.VersionID(fmt.Sprintf("%032x", len(w.versions)+0x7a1bf531)), Workflow: wf.ID, N: n, Graph: "g-" + id,
				Source: sampleSource, Created: epoch.Add(-age / time.Duration(n)), MaxRuns: 16,
			}
			if n == versions {
				v.Schedule = sched
				wf.Latest = v.ID
			}
			w.versions = append(w.versions, v)
		}
		w.workflows = append(w.workflows, wf)
	}
	add("weekly-report-Tc2lQzso0N", "weekly-report", 1, &flow.Schedule{Expr: "0 7 * * 1", Zone: "Europe/Berlin"}, 40*day)
	add("ingest-clicks-a1B2c3D4e5", "ingest-clicks", 3, &flow.Schedule{Expr: "*/15 * * * *", Zone: "UTC"}, 20*day)
	add("train-model-Zx8Kq2Lm4P", "train-model", 12, nil, 9*day)
	add("fresh-Aa1Bb2Cc3D", "fresh", 1, nil, time.Hour)

	g := graph("wait_for_export list_partitions:wait_for_export extract_users:list_partitions extract_orders:list_partitions " +
		"extract_clicks:list_partitions clean_users:extract_users clean_orders:extract_orders join_all:clean_users,clean_orders,extract_clicks " +
		"check_quality:join_all publish:check_quality notify_on_failure:publish,extract_clicks cleanup_staging_area_and_temporary_tables:join_all")
	g.MaxActive = 4
	kinds := map[flow.TaskID]string{"wait_for_export": "S3KeySensor", "list_partitions": "S3ListOperator", "join_all": "GlueJobOperator",
		"check_quality": "AthenaOperator", "notify_on_failure": "SnsPublishOperator", "publish": "EmptyOperator"}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if k := kinds[n.ID]; k != "" {
			n.Kind = k
		}
		n.Noop = n.Kind == "EmptyOperator"
	}
	g.Nodes[4].Retries, g.Nodes[4].Timeout = 2, 30*time.Minute
	g.Nodes[10].When = flow.OneFailed
	g.Nodes[11].When = flow.AllDone
	w.graphs["g-ingest-clicks-a1B2c3D4e5"] = g
	w.graphs["g-weekly-report-Tc2lQzso0N"] = graph("collect render:collect send:render")
	w.graphs["g-train-model-Zx8Kq2Lm4P"] = graph("fetch train:fetch tidy:train")

	// A long past of runs that went well, and one that did not.
	ingest := w.versions[3]
	for i := range 40 {
		at := epoch.Add(-time.Duration(40-i) * 15 * time.Minute)
		r := flow.Run{
			ID: flow.RunID(fmt.Sprintf("d58cxqdClpT%04d", i)), Workflow: ingest.Workflow, Version: ingest.ID, Kind: flow.Scheduled,
			State: flow.Succeeded, Graph: ingest.Graph, Logical: at, Created: at, Started: at.Add(80 * time.Millisecond),
			Ended: at.Add(time.Duration(95+i*7%60) * time.Second),
		}
		if i == 31 {
			r.State, r.Reason = flow.Failed, "Workflow execution failed"
		}
		w.runs = append(w.runs, r)
	}

	// One that is under way, with a task in almost every state.
	at := epoch.Add(-2 * time.Minute)
	run := flow.Run{
		ID: "Qm7RkVw2XyB4tZn", Workflow: ingest.Workflow, Version: ingest.ID, Kind: flow.OnDemand, State: flow.Running,
		Key: "11111111-2222-4333-8444-555555555555", Graph: ingest.Graph, Created: at, Started: at.Add(time.Second),
		Params: json.RawMessage(`{"day": "2026-11-20", "limit": 5000, "tables": ["users", "orders", "clicks"]}`),
	}
	w.runs = append(w.runs, run)
	states := []flow.State{flow.Succeeded, flow.Succeeded, flow.Succeeded, flow.Running, flow.Retrying, flow.Starting, flow.Waiting,
		flow.Waiting, flow.Waiting, flow.Waiting, flow.Waiting, flow.Waiting}
	for i, st := range states {
		t := flow.Task{ID: g.Nodes[i].ID, Index: i, Kind: g.Nodes[i].Kind, State: st}
		if st != flow.Waiting {
			t.Attempt, t.Started = 1, at.Add(time.Duration(i)*11*time.Second)
			if st == flow.Succeeded {
				t.Ended = t.Started.Add(9400 * time.Millisecond)
			}
		}
		if st == flow.Retrying {
			t.Attempt, t.Ended, t.Due = 2, t.Started.Add(31*time.Second), epoch.Add(4*time.Minute+12*time.Second)
			t.Reason = "ValueError: column 'referrer' is missing in 3 of 812 files"
		}
		w.tasks[run.ID] = append(w.tasks[run.ID], t)
	}
	w.past[run.ID] = []flow.Attempt{{
		Task: "extract_clicks", N: 1, State: flow.Failed, Started: at.Add(20 * time.Second), Ended: at.Add(33 * time.Second),
		Reason: "exit status 137: the task used more memory than it may have and was killed",
	}}
	w.outputs[instanceKey(run.ID, "list_partitions", 1)] = map[string]json.RawMessage{
		"return_value": json.RawMessage(`["day=2026-11-20/part-0000.parquet","day=2026-11-20/part-0001.parquet"]`),
		"bytes":        json.RawMessage(`73400320`),
		"stats":        json.RawMessage(`{"rows":1204887,"rejected":{"count":12,"first":"line 88: bad date"}}`),
	}
	w.log(run.ID, "list_partitions", 1, at,
		`{"timestamp":"2026-11-21T09:28:00.345678Z","level":"info","event":"Task started","logger":"task"}`,
		`{"timestamp":"2026-11-21T09:28:01.345678Z","level":"debug","event":"prefix is day=2026-11-20/","logger":"airflow.task.operators"}`,
		`{"timestamp":"2026-11-21T09:28:02.345678Z","level":"info","event":"\u001b[32mfound\u001b[0m 2 objects, 70 MiB","logger":"task.stdout"}`,
		`{"timestamp":"2026-11-21T09:28:03.345678Z","level":"warning","event":"part-0001.parquet has no column statistics: a query of it reads the whole file","logger":"task"}`,
		`{"timestamp":"2026-11-21T09:28:04.345678Z","level":"error","event":"Task failed with exception","logger":"task","error_detail":[{"exc_type":"ValueError","exc_value":"boom","frames":[{"filename":"/usr/local/airflow/dags/clean_job.py","lineno":12,"name":"run"},{"filename":"/usr/local/airflow/dags/lib.py","lineno":88,"name":"parse"}]}]}`,
		`plain text that somebody printed, which goes on for so long that it cannot be shown on one line of any screen that is not very wide indeed, and so it is folded`,
		`{"timestamp":"2026-11-21T09:28:09.5Z","level":"info","event":"Task finished","task_instance_id":"ex_1","exit_code":0,"duration":6.9,"final_state":"success","logger":"task"}`)

	// One that succeeded although a task failed, and one of a finished report.
	train := w.versions[15]
	at = epoch.Add(-3 * time.Hour)
	w.runs = append(w.runs, flow.Run{
		ID: "hIddenFa1lure00", Workflow: train.Workflow, Version: train.ID, Kind: flow.OnDemand, State: flow.Succeeded, Graph: train.Graph,
		Created: at, Started: at, Ended: at.Add(3 * time.Hour / 2),
	})
	w.tasks["hIddenFa1lure00"] = []flow.Task{
		{ID: "fetch", Kind: "S3ListOperator", State: flow.Succeeded, Attempt: 1, Started: at, Ended: at.Add(800 * time.Millisecond)},
		{ID: "train", Index: 1, Kind: "SageMakerTrainingOperator", State: flow.TimedOut, Attempt: 1, Started: at.Add(time.Second), Ended: at.Add(time.Hour), Reason: "Timeout, the task ran longer than its execution_timeout of 1h0m0s"},
		{ID: "tidy", Index: 2, Kind: "S3DeleteObjectsOperator", State: flow.Succeeded, Attempt: 1, Started: at.Add(time.Hour), Ended: at.Add(3 * time.Hour / 2)},
	}
	report := w.versions[0]
	w.runs = append(w.runs, flow.Run{
		ID: "stop9Me8Now7abc", Workflow: report.Workflow, Version: report.ID, Kind: flow.Scheduled, State: flow.Canceled, Graph: report.Graph,
		Created: at, Started: at, Ended: at.Add(17 * time.Second), Logical: at,
	})
	return w
}

const sampleSource = `# Every quarter of an hour: users, orders and clicks into one table.
ingest_clicks:
  schedule: '*/15 * * * *'
  default_args:
    start_date: '2026-01-01'
    retries: 2
  tasks:
    wait_for_export:
      operator: airflow.providers.amazon.aws.sensors.s3.S3KeySensor
      bucket_key: s3://exports/{{ ds }}/_SUCCESS
      mode: reschedule

    list_partitions:
      operator: airflow.providers.amazon.aws.operators.s3.S3ListOperator
      bucket: exports
      dependencies: [wait_for_export]
`

// config is that of a console of the world.
func (w *memory) config() Config {
	return Config{
		Account: "123456789012", Region: "eu-central-1", Version: "devel",
		Workflows: w, Runs: w, Tasks: w, Logs: w, Tokens: page.New([]byte("key")),
		Next: func(_ flow.Schedule, after time.Time) (time.Time, bool) {
			return after.Truncate(15 * time.Minute).Add(15 * time.Minute), true
		},
		Now: func() time.Time { return epoch },
	}
}

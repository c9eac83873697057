// Package meter counts what a server does and shows it to Prometheus. It
// knows runs and tasks by the moves of their journals, and the rest by what
// it is told; it does not know who tells it.
package meter

import (
	"bufio"
	"net/http"
	"runtime"
	"sync"
	"time"

	"fairlead/internal/flow"
)

// A Meter counts. Its methods may be called at once from many goroutines, and
// none of them waits for anything but a moment.
type Meter struct {
	shown []writer // in the order in which they are shown

	runsEnded, tasksEnded            *family
	runTime, attemptTime             *family
	attemptQueue, scheduleLag        *family
	retries, logBytes                *family
	commitWrites, commitTime, synced *family
	requests, requestTime            *family
	spawnTime                        *family

	mu        sync.Mutex
	runs      map[flow.RunID]*active
	runCount  map[flow.State]int // of the runs that have not ended
	taskCount map[flow.State]int // of their tasks that have not
	workflows names
	operators names
}

type writer interface{ write(*bufio.Writer) }

// active is what must be known of a run that has not ended.
type active struct {
	state flow.State
	tasks map[flow.State]int        // that have not ended, by state
	ready map[flow.TaskID]time.Time // since when tasks wait to be started
}

// most bounds how many workflows, and how many operators, have a label of
// their own. The rest are counted together as "other".
const most = 100

// names hands out labels to the first names that come.
type names map[string]bool

func (n names) label(name string) string {
	if n[name] {
		return name
	}
	if len(n) == most {
		return "other"
	}
	n[name] = true
	return name
}

// Bounds of buckets in seconds: of what takes a moment, and of what may take
// a day.
var (
	short = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	long  = []float64{.01, .05, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}
)

// New returns a meter of a server of the given version.
func New(version string) *Meter {
	m := &Meter{
		runs: map[flow.RunID]*active{}, runCount: map[flow.State]int{}, taskCount: map[flow.State]int{},
		workflows: names{}, operators: names{},

		runsEnded:    newFamily("counter", "fairlead_runs_ended_total", "Runs that ended, by final state.", "state", "workflow"),
		tasksEnded:   newFamily("counter", "fairlead_tasks_ended_total", "Tasks that ended, by final state.", "state", "workflow"),
		runTime:      newHistogram("fairlead_run_duration_seconds", "Time from a run's first task to its end.", long, "state"),
		attemptTime:  newHistogram("fairlead_attempt_duration_seconds", "Time from the start of an attempt to its end.", long, "operator"),
		attemptQueue: newHistogram("fairlead_attempt_queue_seconds", "Time from the moment a task may run to the start of its attempt.", long),
		retries:      newFamily("counter", "fairlead_attempts_retried_total", "Attempts that failed and are followed by another."),
		scheduleLag:  newHistogram("fairlead_schedule_lag_seconds", "Time from the slot of a schedule to the creation of its run.", long),
		commitWrites: newHistogram("fairlead_commit_writes", "Writes that shared one transaction.", []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}),
		commitTime:   newHistogram("fairlead_commit_duration_seconds", "Time of a transaction from its first write to its end.", short),
		synced:       newHistogram("fairlead_commit_sync_seconds", "Time of the commit alone, which waits for the disk.", short),
		requests:     newFamily("counter", "fairlead_api_requests_total", "Requests, by service, operation and HTTP status.", "service", "operation", "code"),
		requestTime:  newHistogram("fairlead_api_request_duration_seconds", "Time to answer a request.", short, "service"),
		spawnTime:    newHistogram("fairlead_driver_spawn_seconds", "Time from asking the driver for an attempt to its process.", short),
		logBytes:     newFamily("counter", "fairlead_log_bytes_total", "Bytes in the logs of attempts that ended."),
	}
	info := newFamily("gauge", "fairlead_build_info", "1, with the version of the server as a label.", "version", "goversion")
	info.add(1, version, runtime.Version())
	m.retries.add(0)
	m.logBytes.add(0)
	m.shown = []writer{
		info, m.runsEnded, m.tasksEnded, m.runTime, m.attemptTime, m.attemptQueue, m.retries, m.scheduleLag,
		m.commitWrites, m.commitTime, m.synced, m.requests, m.requestTime, m.spawnTime, m.logBytes,
	}
	m.Gauges("fairlead_runs", "Runs that have not ended, by state.", "state", func() map[string]float64 { return m.count(m.runCount) })
	m.Gauges("fairlead_tasks", "Tasks that have not ended, of runs that are under way, by state.", "state", func() map[string]float64 { return m.count(m.taskCount) })
	m.showProcess()
	return m
}

// ServeHTTP answers with all that was counted.
func (m *Meter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	b := bufio.NewWriter(w)
	for _, s := range m.shown {
		s.write(b)
	}
	_ = b.Flush() // a reader that has gone is not our concern
}

// Gauge adds a value that is read when somebody asks: read must be quick. All
// gauges are added before the first request.
func (m *Meter) Gauge(name, help string, read func() float64) {
	m.single("gauge", name, help, read)
}

// Gauges adds a value for each of the things that read names, under the
// label. It is otherwise as Gauge.
func (m *Meter) Gauges(name, help, label string, read func() map[string]float64) {
	m.shown = append(m.shown, reading{name, help, "gauge", label, read})
}

func (m *Meter) single(kind, name, help string, read func() float64) {
	m.shown = append(m.shown, reading{name, help, kind, "", func() map[string]float64 { return map[string]float64{"": read()} }})
}

// count copies how many things are in each state. A state that something was
// in is shown as 0 later, so that no graph has holes.
func (m *Meter) count(of map[flow.State]int) map[string]float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	values := make(map[string]float64, len(of))
	for s, n := range of {
		values[string(s)] = float64(n)
	}
	return values
}

// Counter adds a counter, and returns what adds to the value under labels. It
// is otherwise as Gauge.
func (m *Meter) Counter(name, help string, labels ...string) (add func(v float64, values ...string)) {
	f := newFamily("counter", name, help, labels...)
	m.shown = append(m.shown, f)
	return f.add
}

// Durations adds a histogram of seconds up to a day, and returns what enters
// one under labels. It is otherwise as Gauge.
func (m *Meter) Durations(name, help string, labels ...string) (observe func(v float64, values ...string)) {
	f := newHistogram(name, help, long, labels...)
	m.shown = append(m.shown, f)
	return f.observe
}

// Label returns the name of a workflow as a label: the first that come have
// one of their own.
func (m *Meter) Label(workflow string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.workflows.label(workflow)
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// slowQueries is an Athena whose queries run until it is told.
type slowQueries struct {
	mu      sync.Mutex
	started int
	looked  map[string]bool
	looks   int
	done    bool
}

func (q *slowQueries) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var in struct{ ClientRequestToken, QueryExecutionId string }
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".StartQueryExecution") {
		q.started++
		fmt.Fprintf(w, `{"QueryExecutionId": %q}`, in.ClientRequestToken)
		return
	}
	q.looked[in.QueryExecutionId] = true
	q.looks++
	state := "RUNNING"
	if q.done {
		state = "SUCCEEDED"
	}
	fmt.Fprintf(w, `{"QueryExecution": {"Status": {"State": %q}}}`, state)
}

// waits measures what tasks cost the server that wait for jobs elsewhere.
func (b *bench) waits() error {
	const tasks = 1000
	q := &slowQueries{looked: map[string]bool{}}
	athena := httptest.NewServer(q)
	defer athena.Close()
	s := &server{binary: b.binary, data: filepath.Join(b.dir, "waits"), args: []string{"--aws-endpoint", athena.URL}}
	if _, err := s.start(); err != nil {
		return err
	}
	defer s.stop()
	query := "operator: airflow.providers.amazon.aws.operators.athena.AthenaOperator\n      query: SELECT 1\n      database: db\n      sleep_time: 5\n"
	var d strings.Builder
	fmt.Fprintf(&d, "waits:\n  max_active_tasks: %d\n  tasks:\n", tasks)
	for i := range tasks {
		fmt.Fprintf(&d, "    t%d:\n      %s", i, query)
	}
	arn, err := s.workflow("waits", d.String())
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // idle
	idle := s.threads()
	before, resident := s.memory("RssAnon"), s.memory("VmRSS")
	if _, err := s.begin(arn); err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		q.mu.Lock()
		all := len(q.looked) == tasks
		q.mu.Unlock()
		if all {
			break
		}
		if time.Now().After(deadline) {
			return errors.New("not all tasks came to wait")
		}
	}
	q.mu.Lock()
	looks, from := q.looks, time.Now()
	q.mu.Unlock()
	time.Sleep(15 * time.Second) // a few looks by each
	q.mu.Lock()
	rate := float64(q.looks-looks) / time.Since(from).Seconds()
	q.mu.Unlock()
	alone, err := sleeper()
	if err != nil {
		return err
	}
	more, resident := s.memory("RssAnon")-before, s.memory("VmRSS")-resident
	processes := operatorProcesses(b.binary)
	q.mu.Lock()
	started := q.started
	q.done = true
	q.mu.Unlock()
	b.table.add(row{part: "waits", what: fmt.Sprintf("%d tasks that wait for queries: memory of its own more than idle (once)", tasks),
		value: fmt.Sprintf("%.1f MiB", more), control: fmt.Sprintf("as many processes of sleep: %.0f MiB; %.1f MiB with pages of the program that are used now; %d queries started, %d processes", tasks*alone, resident, started, processes),
		aim: "< 50 MiB, no process", met: more < 50 && processes == 0 && started == tasks})
	b.table.add(row{part: "waits", what: "the same: threads; looks (once)", value: fmt.Sprintf("%d; %.0f /s", s.threads(), rate),
		control: fmt.Sprintf("idle %d threads; a look by each in 5 s is %d /s", idle, tasks/5)})
	return nil
}

// sleeper measures the memory of its own that a process takes which only
// sleeps, in MiB.
func sleeper() (float64, error) {
	sleep := exec.Command("sleep", "60")
	if err := sleep.Start(); err != nil {
		return 0, err
	}
	time.Sleep(100 * time.Millisecond) // until it does
	own := processMemory(sleep.Process.Pid, "RssAnon") + processMemory(sleep.Process.Pid, "VmPTE")
	err := sleep.Process.Kill()
	_ = sleep.Wait() // it was killed
	return own, err
}

// operatorProcesses counts the processes that carry out operators.
func operatorProcesses(binary string) int {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0
	}
	n := 0
	for _, f := range files {
		line, err := os.ReadFile(f)
		if args := bytes.Split(line, []byte{0}); err == nil && len(args) > 1 &&
			filepath.Base(string(args[0])) == filepath.Base(binary) && string(args[1]) == "operator" {
			n++
		}
	}
	return n
}

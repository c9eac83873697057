package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/logs"
	"fairlead/internal/mwaa"
)

// TestSchedulerLog checks what the stream of a run says, and that a kill in
// the middle of the run leaves neither a gap nor a line twice.
func TestSchedulerLog(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	v := &victim{t: t, data: dataDir(filepath.Join(dir, "data")), listen: freePort(t), log: log, env: []string{"FAIRLEAD_SCHEDULER_LOG=true"}}
	t.Cleanup(v.kill)
	c := v.begin()
	c.bucket("workflows")
	led := newLedger(t)
	arn := c.workflow("told", fmt.Sprintf(`
told:
  tasks:
    one: {operator: airflow.operators.bash.BashOperator, bash_command: %q, retries: 0}
    two: {operator: airflow.operators.bash.BashOperator, bash_command: 'exit 1', retries: 1, retry_delay: 0, dependencies: [one]}
`, led.note("one")+"; sleep 1"))
	id := c.start(arn, nil)
	led.await(t, id, "one", 1)
	v.kill()
	c = v.begin()
	c.until(arn, id, over)
	d, err := logs.Open(v.data.path("logs"))
	if err != nil {
		t.Fatal(err)
	}
	workflow := flow.WorkflowID(arn[strings.LastIndexByte(arn, '/')+1:])
	rt, err := mwaa.RuntimeOf(flow.Version{Workflow: workflow, Settings: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // another process writes
		got = nil
		page, err := d.Read(t.Context(), rt.LogGroup, schedulerStream(flow.Run{ID: flow.RunID(id), Workflow: workflow}), flow.LogRange{Limit: 100})
		for _, e := range page.Events {
			var l schedulerLine
			if err := json.Unmarshal([]byte(e.Text), &l); err != nil {
				t.Fatal(err)
			}
			got = append(got, l.Event)
		}
		if len(got) > 0 && strings.HasPrefix(got[len(got)-1], "the run is failed") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log does not come to its end: %v\n%s", err, strings.Join(got, "\n"))
		}
	}
	want := []string{
		"the run begins", "one: its trigger rule is met; it waits for a slot", "one: has a slot; attempt 1 waits for a process", "one: attempt 1 runs",
		"one: succeeded", "two: its trigger rule is met since one has ended; it waits for a slot",
		"two: has a slot (one ended); attempt 1 waits for a process", "two: attempt 1 runs", "two: attempt 1 failed and another follows",
		"two: the retry delay is over, attempt 2 waits for a slot", "two: has a slot; attempt 2 waits for a process", "two: attempt 2 runs",
		"two: failed", "the run is failed",
	}
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		ok = ok && strings.HasPrefix(got[i], want[i])
	}
	if !ok {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
)

// queries is an Athena that remembers what it was asked, whose queries end
// when it is told.
type queries struct {
	mu      sync.Mutex
	started map[string]int // by client token
	stopped map[string]bool
	looks   int
	done    bool
}

func (q *queries) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ ClientRequestToken, QueryExecutionId string }
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch op {
	case "StartQueryExecution":
		q.started[in.ClientRequestToken]++
		fmt.Fprintf(w, `{"QueryExecutionId": %q}`, in.ClientRequestToken)
	case "StopQueryExecution":
		q.stopped[in.QueryExecutionId] = true
		fmt.Fprint(w, `{}`)
	case "GetQueryExecution":
		q.looks++
		state := "RUNNING"
		switch {
		case q.stopped[in.QueryExecutionId]:
			state = "CANCELLED"
		case q.done:
			state = "SUCCEEDED"
		}
		fmt.Fprintf(w, `{"QueryExecution": {"Status": {"State": %q}}}`, state)
	}
}

// seen waits until the queries satisfy a condition.
func (q *queries) seen(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		q.mu.Lock()
		yes := is()
		q.mu.Unlock()
		if yes {
			return
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	t.Fatalf("%s: started %v, stopped %v, %d looks", what, q.started, q.stopped, q.looks)
}

const waitingDefinition = `waiting:
  tasks:
    query:
      operator: airflow.providers.amazon.aws.operators.athena.AthenaOperator
      query: SELECT 1
      database: db
      sleep_time: 0
      retries: 0
`

// TestKillWhileWaiting kills the server while tasks start queries elsewhere
// and wait for them. No query may be started twice, a run must end with its
// query, and a stop must end the query.
func TestKillWhileWaiting(t *testing.T) {
	q := &queries{started: map[string]int{}, stopped: map[string]bool{}}
	athena := httptest.NewServer(q)
	defer athena.Close()
	t.Setenv("AWS_ENDPOINT_URL_ATHENA", athena.URL)
	kills := newKills(t, 10, 4)
	rng := rand.New(rand.NewPCG(kills.seed, 1))
	v, c := newVictim(t)
	arn := c.workflow("waiting", waitingDefinition)
	var runs []string
	for n := 0; kills.left(n); n++ {
		runs = append(runs, c.start(arn, nil))
		time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond) // the moment of the kill
		v.kill()
		c = v.begin()
	}
	q.seen(t, "each run starts its query", func() bool { return len(q.started) == len(runs) })
	last := -1
	q.seen(t, "the server looks on", func() bool {
		if last < 0 {
			last = q.looks
		}
		return q.looks > last
	})

	if _, err := c.api.StopWorkflowRun(t.Context(), &mwaaserverless.StopWorkflowRunInput{WorkflowArn: &arn, RunId: &runs[0]}); err != nil {
		t.Fatal(err)
	}
	if d := c.until(arn, runs[0], over); d.RunState != types.WorkflowRunStatusStopped {
		t.Errorf("the run that was stopped is %s", d.RunState)
	}
	q.seen(t, "the stop ends the query", func() bool { return len(q.stopped) == 1 })

	q.mu.Lock()
	q.done = true
	q.mu.Unlock()
	for _, id := range runs[1:] {
		if d := c.until(arn, id, over); d.RunState != types.WorkflowRunStatusSuccess {
			t.Errorf("run %s ended %s, tasks %v", id, d.RunState, c.statuses(arn, id))
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for token, n := range q.started {
		if n != 1 {
			t.Errorf("the query %s was started %d times", token, n)
		}
	}
	if t.Failed() {
		t.Logf("the server's log:\n%s", v.tail())
	}
}

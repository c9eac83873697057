package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestOperatorPullsXCom has an operator of the program's own read what another
// task published: the short circuit of AppFlow asks for the records of the run
// that another task began.
func TestOperatorPullsXCom(t *testing.T) {
	var records atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("POST /start-flow", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"executionId": "e-1"}`)
	})
	mux.HandleFunc("POST /describe-flow-execution-records", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"flowExecutions": [{"executionId": "e-1", "executionStatus": "Successful", "executionResult": {"recordsProcessed": %d}}]}`, records.Load())
	})
	flows := httptest.NewServer(mux)
	defer flows.Close()
	t.Setenv("AWS_ENDPOINT_URL_APPFLOW", flows.URL)
	c := serve(t, nil)
	arn := c.workflow("flows", `flows:
  tasks:
    run:
      operator: airflow.providers.amazon.aws.operators.appflow.AppflowRunOperator
      flow_name: f
      retries: 0
    look:
      operator: airflow.providers.amazon.aws.operators.appflow.AppflowRecordsShortCircuitOperator
      flow_name: f
      appflow_run_task_id: run
      dependencies: [run]
      retries: 0
    next:
      operator: airflow.operators.bash.BashOperator
      bash_command: echo next
      dependencies: [look]
      retries: 0
`)
	for _, tt := range []struct {
		records      int64
		result, next string
	}{
		{3, "true", "SUCCESS"},
		{0, "false", "NONE"}, // a skipped task is shown as one that did nothing
	} {
		records.Store(tt.records)
		id := c.start(arn, nil)
		c.until(arn, id, over)
		for _, ti := range c.instances(arn, id) {
			got, want := string(ti.Status), "SUCCESS"
			switch *ti.TaskId {
			case "look":
				got, want = ti.Xcom["return_value"]+" "+ti.Xcom["records_processed"], fmt.Sprintf("%s %d", tt.result, tt.records)
			case "next":
				want = tt.next
			}
			if got != want {
				t.Errorf("with %d records %s is %s (%s, XCom %v), want %s", tt.records, *ti.TaskId, got, ti.Status, ti.Xcom, want)
			}
		}
	}
}

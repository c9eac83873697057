package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTraces has a collector hear of a run, its attempts and a call of AWS
// that an operator's process makes.
func TestTraces(t *testing.T) {
	var mu sync.Mutex
	var got []byte
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, body...)
	}))
	defer collector.Close()
	c := serve(t, func(o *options) { o.otlp = collector.URL })
	arn := c.workflow("traced", `
traced:
  tasks:
    say: {operator: airflow.operators.bash.BashOperator, bash_command: 'echo "$TRACEPARENT"', do_xcom_push: true}
    put:
      operator: airflow.providers.amazon.aws.operators.s3.S3CreateObjectOperator
      s3_bucket: workflows
      s3_key: traced
      data: x
      dependencies: [say]
`)
	id := c.start(arn, nil)
	if d := c.until(arn, id, over); d.RunState != "SUCCESS" {
		t.Fatalf("the run is %s", d.RunState)
	}
	var parent string
	for _, ti := range c.instances(arn, id) {
		if *ti.TaskId == "say" {
			parent = strings.Trim(ti.Xcom["return_value"], `"`)
		}
	}
	if part := strings.Split(parent, "-"); len(part) != 4 || len(part[1]) != 32 || len(part[2]) != 16 {
		t.Errorf("the task's TRACEPARENT is %q", parent)
	}
	wanted := []string{"attempt 1 of say", "task say", "attempt 1 of put", "task put", "S3.PutObject", "run traced-"}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // another process tells
		missing := ""
		mu.Lock()
		for _, w := range wanted {
			if !bytes.Contains(got, []byte(w)) {
				missing += " " + w
			}
		}
		mu.Unlock()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the collector has not heard of%s", missing)
		}
	}
}

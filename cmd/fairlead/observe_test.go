package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ask sends a plain request and returns the answer and its text.
func (c *client) ask(path string, header ...string) (*http.Response, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.info.Endpoint+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(text)
}

const retried = `
shaky:
  tasks:
    once:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: 'test {{ ti.try_number }} -gt 1'
      retries: 1
      retry_delay: 0
    after:
      operator: airflow.providers.standard.operators.empty.EmptyOperator
      dependencies: [once]
`

// TestMetrics checks that what the server counts is what happened, in the
// form that Prometheus asks for.
func TestMetrics(t *testing.T) {
	c := serve(t, nil)
	arn := c.workflow("shaky", retried)
	id := c.start(arn, nil)
	if d := c.until(arn, id, over); d.RunState != "SUCCESS" {
		t.Fatalf("the run is %s: %v", d.RunState, c.statuses(arn, id))
	}
	resp, text := c.ask("/metrics")
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("GET /metrics: %s %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	workflow := arn[strings.LastIndexByte(arn, '/')+1:]
	for _, want := range []string{
		`fairlead_runs_ended_total{state="succeeded",workflow="` + workflow + `"} 1`,
		`fairlead_tasks_ended_total{state="succeeded",workflow="` + workflow + `"} 2`,
		`fairlead_attempts_retried_total 1`,
		`fairlead_attempt_duration_seconds_count{operator="BashOperator"} 2`,
		`fairlead_attempt_queue_seconds_count 2`,
		`fairlead_driver_spawn_seconds_count 2`,
		`fairlead_runs{state="running"} 0`,
		`fairlead_tasks{state="running"} 0`,
		`fairlead_api_requests_total{service="airflow-serverless",operation="StartWorkflowRun",code="200"} 1`,
		`fairlead_commit_writes_count `,
		`fairlead_build_info{`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("GET /metrics lacks %q:\n%s", want, text)
		}
	}
	if tool, err := exec.LookPath("promtool"); err == nil {
		cmd := exec.Command(tool, "check", "metrics")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("promtool check metrics: %v\n%s", err, out)
		}
	}
}

// TestWhoReadsMetrics checks that programs of this machine read them as they
// are, and others with the token alone; and that anybody may ask whether the
// server is well.
func TestWhoReadsMetrics(t *testing.T) {
	c := serve(t, nil)
	token, err := os.ReadFile(filepath.Join(c.data, metricsTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path string
		header     []string
		want       int
	}{
		{"here", "/metrics", nil, 200},
		{"through a proxy", "/metrics", []string{"X-Forwarded-For", "192.0.2.1"}, 401},
		{"a page elsewhere", "/metrics", []string{"Origin", "https://example.com"}, 401},
		{"a wrong token", "/metrics", []string{"X-Forwarded-For", "192.0.2.1", "Authorization", "Bearer x"}, 401},
		{"the token", "/metrics", []string{"X-Forwarded-For", "192.0.2.1", "Authorization", "Bearer " + strings.TrimSpace(string(token))}, 200},
		{"alive", "/healthz", []string{"X-Forwarded-For", "192.0.2.1"}, 200},
		{"ready", "/readyz", []string{"X-Forwarded-For", "192.0.2.1"}, 200},
	} {
		if resp, text := c.ask(tt.path, tt.header...); resp.StatusCode != tt.want {
			t.Errorf("%s: GET %s with %q: %s %s, want %d", tt.name, tt.path, tt.header, resp.Status, text, tt.want)
		}
	}
}

// TestProfilesAreForThisMachine checks that profiles are served where they
// are asked for, and nowhere but on loopback.
func TestProfilesAreForThisMachine(t *testing.T) {
	opt := defaultOptions()
	opt.data, opt.listen, opt.pprof = dataDir(t.TempDir()), "127.0.0.1:0", "0.0.0.0:0"
	if a, err := start(opt); err == nil || !strings.Contains(err.Error(), "loopback") {
		if err == nil {
			a.close()
		}
		t.Errorf("--pprof 0.0.0.0: got %v, want an error that says loopback", err)
	}
}

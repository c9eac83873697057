package main

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"

	"fairlead/internal/exec"
	"fairlead/internal/exec/sandbox"
)

func TestDoctor(t *testing.T) {
	for _, isolation := range []string{"prefer", "none"} {
		cmd := rootCommand()
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetArgs([]string{"doctor", "--json", "--isolation", isolation})
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatalf("doctor: %v\n%s", err, out.String())
		}
		var found []finding
		if err := json.Unmarshal(out.Bytes(), &found); err != nil {
			t.Fatalf("doctor --json prints %s: %v", out.String(), err)
		}
		said := map[string]finding{}
		for _, f := range found {
			if f.How == "" || f.Status != fine && f.Status != degraded && f.Status != missing {
				t.Errorf("a finding says %+v", f)
			}
			said[f.Name] = f
		}
		for _, name := range []string{"pid namespace", "memory limit", "network policy", "bash", "python", "uv", "docker"} {
			if said[name].Status == "" && runtime.GOOS == "linux" {
				t.Errorf("isolation %s: nothing is said of %s", isolation, name)
			}
		}
		if isolation == "none" && said["pid namespace"].Status == fine {
			t.Errorf("with isolation none there is a pid namespace: %+v", said["pid namespace"])
		}
	}
}

func TestStatusOf(t *testing.T) {
	for _, tt := range []struct {
		measure exec.Measure
		want    string
	}{
		{exec.Measure{Name: "pid namespace", InUse: true, How: "x"}, fine},
		{exec.Measure{Name: "pid namespace", How: "denied"}, missing},
		{exec.Measure{Name: "user namespace", How: "not needed: the server is root"}, fine},
		{exec.Measure{Name: "memory limit", How: "RLIMIT_DATA instead"}, degraded},
	} {
		if got := statusOf(tt.measure); got != tt.want {
			t.Errorf("statusOf(%+v) = %s, want %s", tt.measure, got, tt.want)
		}
	}
}

// TestIsolationIsRequired asks for all of a driver that has little.
func TestIsolationIsRequired(t *testing.T) {
	d, err := sandbox.New(sandbox.Options{Root: t.TempDir(), Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	a := &app{opt: options{isolation: "require"}, driver: d}
	if err := a.checkIsolation(t.Context()); err == nil || !strings.Contains(err.Error(), "pid namespace") {
		t.Errorf("plain processes, isolation required: %v, want an error that names the pid namespace", err)
	}
	a.opt.isolation = "prefer"
	if err := a.checkIsolation(t.Context()); err != nil {
		t.Errorf("plain processes, isolation preferred: %v", err)
	}
}

func TestIsolation(t *testing.T) {
	c := serve(t, func(o *options) { o.isolation = "none" })
	arn := c.workflow("hello", hello)
	if d := c.until(arn, c.start(arn, nil), over); d.RunState != types.WorkflowRunStatusSuccess {
		t.Errorf("a run of plain processes ended %s", d.RunState)
	}
	for _, tt := range []struct{ isolation, network, want string }{
		{"some", "host", "expected require, prefer or none"},
		{"none", "endpoints", "needs namespaces"},
	} {
		o := defaultOptions()
		o.isolation, o.network = tt.isolation, tt.network
		if err := o.validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("isolation %s with network %s: %v, want an error with %q", tt.isolation, tt.network, err, tt.want)
		}
	}
}

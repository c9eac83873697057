package main

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"

	"fairlead/internal/exec"
	"fairlead/internal/exec/container/enginetest"
	"fairlead/internal/exec/sandbox"
)

func TestDoctor(t *testing.T) {
	for _, isolation := range []string{"prefer", "none"} {
		said, err := consult(t, "--isolation", isolation)
		if err != nil {
			t.Fatalf("doctor: %v\n%v", err, said)
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

// consult returns what the doctor says, by name.
func consult(t *testing.T, args ...string) (map[string]finding, error) {
	t.Helper()
	cmd := rootCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs(append([]string{"doctor", "--json"}, args...))
	err := cmd.ExecuteContext(t.Context())
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
	return said, err
}

// TestDoctorOfContainers asks with an engine, with and without an image.
func TestDoctorOfContainers(t *testing.T) {
	enginetest.Client(t)
	enginetest.Static(t)
	for image, want := range map[string]map[string]string{
		"":                {"container": fine, "architecture": fine, "first container": fine, "forwards": fine, "image": degraded},
		"no.example/such": {"first container": fine, "image": degraded, "bash": ""},
		enginetest.Image:  {"image": fine, "bash": fine, "python": fine},
	} {
		said, err := consult(t, "--driver", "container", "--image", image)
		for name, status := range want {
			if err != nil || said[name].Status != status {
				t.Errorf("with image %q the doctor says %+v, %v; want %s %s", image, said[name], err, name, status)
			}
		}
	}
}

func TestDoctorWithoutEngine(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+t.TempDir()+"/none")
	said, err := consult(t, "--driver", "container")
	if how := said["tasks"].How; err == nil || !strings.Contains(how, "start Docker or Podman") && runtime.GOOS == "linux" {
		t.Errorf("without an engine the doctor says %q, %v; want what to do, and an error", how, err)
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
	if hasPython() {
		arn := c.packaged("coded", "coded: {tasks: {add: {operator: airflow.operators.python.PythonOperator, python_callable: sums.add, retries: 0}}}",
			map[string]string{"sums.py": "def add(): return 1 + 2\n"})
		id := c.start(arn, nil)
		c.until(arn, id, over)
		for _, ti := range c.instances(arn, id) {
			if ti.Xcom["return_value"] != "3" {
				t.Errorf("a plain process with a code package: %s %s, XCom %v; want 3", ti.Status, aws.ToString(ti.ErrorMessage), ti.Xcom)
			}
		}
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

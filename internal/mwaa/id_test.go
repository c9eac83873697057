package mwaa

import (
	"regexp"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

func TestInstanceIDs(t *testing.T) {
	run := flow.Run{Key: "9d3fb9b0-1d0c-4a6e-8b61-0c1f6f0a7a11"}
	shape := regexp.MustCompile(`\A(?:` + shapes(false)["IdString"].Pattern + `)\z`)
	for _, task := range []flow.TaskID{
		"load", "load_1", "_", "a__2_", "9", "0", "x.y-z", "tâche", flow.TaskID(strings.Repeat("t", 200)), flow.TaskID(strings.Repeat("t", 250)),
		"sha256-0123456789abcdef0123456789abcdef",
	} {
		for _, attempt := range []int{0, 1, 4, 1000000} {
			id := instanceID(run, flow.Task{ID: task, Attempt: attempt})
			if len(id) > 255 || !shape.MatchString(id) {
				t.Errorf("task %q: id %q breaks the model's rule", task, id)
			}
			part, n, ok := parseInstance(run, id)
			if part != taskPart(task) || n != attempt || !ok {
				t.Errorf("parse %q = %q, %d, %v, want %q, %d", id, part, n, ok, taskPart(task), attempt)
			}
			if short := hashedTask.MatchString(part); !short && part != string(task) {
				t.Errorf("task %q stands as %q", task, part)
			}
		}
	}
}

func TestForeignInstanceIDs(t *testing.T) {
	run := flow.Run{Key: "9d3fb9b0-1d0c-4a6e-8b61-0c1f6f0a7a11"}
	for _, id := range []string{
		"", "load", "ex_", "ex_" + run.Key, "ex_" + run.Key + "_", "ex_" + run.Key + "_1", "ex_" + run.Key + "__1", "ex_" + run.Key + "_load",
		"ex_" + run.Key + "_load_", "ex_" + run.Key + "_load_-1", "ex_" + run.Key + "_load_01", "ex_" + run.Key + "_load_99999999999",
		"ex_00000000-1d0c-4a6e-8b61-0c1f6f0a7a11_load_1",
	} {
		if task, n, ok := parseInstance(run, id); ok {
			t.Errorf("parse %q = %q, %d, want a refusal", id, task, n)
		}
	}
}

func FuzzParseInstance(f *testing.F) {
	run := flow.Run{Key: "9d3fb9b0-1d0c-4a6e-8b61-0c1f6f0a7a11"}
	f.Add("ex_9d3fb9b0-1d0c-4a6e-8b61-0c1f6f0a7a11_load_1_2")
	f.Add("ex_9d3fb9b0-1d0c-4a6e-8b61-0c1f6f0a7a11__0")
	f.Fuzz(func(t *testing.T, id string) {
		task, attempt, ok := parseInstance(run, id)
		if !ok || hashedTask.MatchString(task) || taskPart(flow.TaskID(task)) != task {
			return
		}
		if back := instanceID(run, flow.Task{ID: flow.TaskID(task), Attempt: attempt}); back != id {
			t.Errorf("parse %q = %q, %d, which is %q", id, task, attempt, back)
		}
	})
}

func TestFreshIDs(t *testing.T) {
	for _, tt := range []struct{ name, got, want string }{
		{"run", string(NewRunID()), `\A[a-zA-Z0-9]{15}\z`},
		{"run key", NewRunKey(), `\A[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z`},
		{"workflow", string(newWorkflowID("a-b")), `\Aa-b-[a-zA-Z0-9]{10}\z`},
		{"version", string(newVersionID()), `\A[0-9a-f]{32}\z`},
		{"revision", revision(flow.Version{ID: "v"}), `\A[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z`},
	} {
		if !regexp.MustCompile(tt.want).MatchString(tt.got) {
			t.Errorf("%s id %q does not match %s", tt.name, tt.got, tt.want)
		}
	}
	if a, b := NewRunID(), NewRunID(); a == b {
		t.Errorf("two runs are called %s", a)
	}
}

func TestLogStream(t *testing.T) {
	if got, want := LogStream("etl-a1B2c3D4e5", "d58cxqdClpTVjeN", "load", 2), "workflow_id=etl-a1B2c3D4e5/run_id=d58cxqdClpTVjeN/task_id=load/attempt=2.log"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	long := strings.Repeat("x", 250)
	if got := LogStream(flow.WorkflowID(long+"-a1B2c3D4e5"), "d58cxqdClpTVjeN", flow.TaskID(long), 1); len(got) > 512 {
		t.Errorf("the stream of a long task has %d characters, and may have 512: %s", len(got), got)
	}
}

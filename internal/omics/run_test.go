package omics

import (
	"slices"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

// TestEveryStateHasAStatus holds that each state is in both tables, as a status
// that the service has.
func TestEveryStateHasAStatus(t *testing.T) {
	known := shapes()
	for _, s := range flow.States() {
		for shape, got := range map[string]string{"RunStatus": runStatuses[s], "TaskStatus": taskStatuses[s]} {
			if !slices.Contains(known[shape].Enum, got) {
				t.Errorf("state %s is %q, which is none of %s: %v", s, got, shape, known[shape].Enum)
			}
		}
		if final := slices.Contains([]string{"COMPLETED", "FAILED", "CANCELLED", "DELETED"}, runStatuses[s]); final != s.Final() {
			t.Errorf("state %s of a run is %s: final %v, want %v", s, runStatuses[s], final, s.Final())
		}
	}
	for _, status := range known["RunStatus"].Enum {
		for _, s := range statesOf(status) {
			if runStatuses[s] != status {
				t.Errorf("status %s stands for %s, which is %s", status, s, runStatuses[s])
			}
		}
	}
}

func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		run        flow.Run
		code, text string
	}{
		{flow.Run{State: flow.Failed, Reason: "task a failed: OUT_OF_MEMORY_ERROR: the task used more"}, "RUN_TASK_FAILED", "task a failed: OUT_OF_MEMORY_ERROR: the task used more"},
		{flow.Run{State: flow.Failed, Reason: "task a failed: RUN_TASK_FAILED: exit code 3: a: b"}, "RUN_TASK_FAILED", "exit code 3: a: b"},
		{flow.Run{State: flow.Failed, Reason: "task a/0/b failed: INPUT_URI_NOT_FOUND: s3://x/y does not exist"}, "INPUT_URI_NOT_FOUND", "s3://x/y does not exist"},
		{flow.Run{State: flow.Failed, Reason: "task outputs. failed: EXPORT_FAILED: no"}, "EXPORT_FAILED", "no"},
		{flow.Run{State: flow.Failed, Reason: "task a failed: The attempt could not be carried out: internal error"}, "SERVICE_ERROR", "could not be carried out"},
		{flow.Run{State: flow.Failed, Reason: "task scatter.x.2/3/if.1/0/a failed: RUN_TASK_FAILED: the command ended with exit code 3: no"}, "RUN_TASK_FAILED", "task a-1-3 failed: "},
		{flow.Run{State: flow.Failed, Reason: "deadlock: no unfinished task can ever run"}, "WORKFLOW_RUN_FAILED", "deadlock: no"},
		{flow.Run{State: flow.TimedOut, Reason: "The run took longer than 1m0s"}, "RUN_TIMED_OUT", "longer than 1m0s"},
	} {
		if code, text := runFailure(tt.run); code != tt.code || !strings.Contains(text, tt.text) {
			t.Errorf("%q: %s, %q; want %s with %q", tt.run.Reason, code, text, tt.code, tt.text)
		}
	}
}

func TestCancelReason(t *testing.T) {
	for reason, want := range map[string]string{
		"the run was stopped": "the run was stopped",
		"canceled because task scatter.x.1/3/align failed: RUN_TASK_FAILED: task 7 failed: no": "canceled because task align-0-3 failed: RUN_TASK_FAILED: task 7 failed: no",
		"canceled because task outputs. was late":                                              "canceled because task outputs. was late",
	} {
		if got := cancelReason(reason); got != want {
			t.Errorf("cancelReason(%q) = %q, want %q", reason, got, want)
		}
	}
}

func TestTaskIDs(t *testing.T) {
	for _, tt := range []struct {
		id   flow.TaskID
		name string
	}{
		{"align", "align"}, {"scatter.x.1/3/align", "align-0-3"}, {"scatter.x.2/3/if.1/0/scatter.y.1/4/align", "align-1-3-0-4"}, {"sub/0/align", "align"},
	} {
		if got := TaskName(flow.Task{ID: tt.id}); got != tt.name {
			t.Errorf("task %s is called %s, want %s", tt.id, got, tt.name)
		}
	}
	id := TaskID("1000017", flow.Task{Index: 12, Attempt: 2})
	if id != "10000170000012002" {
		t.Errorf("id %s", id)
	}
	if index, n, ok := parseTaskID("1000017", id); index != 12 || n != 2 || !ok {
		t.Errorf("%s is task %d, attempt %d, %v", id, index, n, ok)
	}
	for _, bad := range []string{"", "7", "1000018" + id[7:], id + "1", "1000017000001200x", "10000170000012000", "1000017-000012002"} {
		if index, n, ok := parseTaskID("1000017", bad); ok && index >= 0 {
			t.Errorf("%q is taken for task %d, attempt %d", bad, index, n)
		}
	}
}

func TestParseS3(t *testing.T) {
	for url, want := range map[string]S3URI{
		"s3://bucket/key": {"bucket", "key"}, "s3://bucket/a/b/": {"bucket", "a/b/"}, "s3://bucket": {"bucket", ""}, "s3://bucket/": {"bucket", ""},
	} {
		if got, err := ParseS3(url); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", url, got, err, want)
		}
	}
	for _, url := range []string{"", "s3://", "s3:///key", "s3://B/key", "https://bucket/key", "s3://bucket//key", "s3://bucket/a//b", "s3://bucket/" + strings.Repeat("x", 1025)} {
		if got, err := ParseS3(url); flow.KindOf(err) != flow.Invalid {
			t.Errorf("%.40s: %v, %v; want a flow.Invalid error", url, got, err)
		}
	}
}

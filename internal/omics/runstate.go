package omics

import (
	"strings"

	"fairlead/internal/flow"
)

// runStatuses translates the states of a run.
var runStatuses = map[flow.State]string{
	flow.Waiting:   "PENDING",
	flow.Ready:     "PENDING",
	flow.Starting:  "PENDING", // it is saved, and about to be let in
	flow.Running:   "RUNNING",
	flow.Deferred:  "RUNNING",
	flow.Retrying:  "RUNNING",
	flow.Resting:   "RUNNING",
	flow.Stopping:  "STOPPING",
	flow.Succeeded: "COMPLETED",
	flow.Failed:    "FAILED",
	flow.TimedOut:  "FAILED",
	flow.Blocked:   "FAILED",
	flow.Skipped:   "CANCELLED",
	flow.Canceled:  "CANCELLED",
	flow.Removed:   "DELETED",
}

// taskStatuses translates the states of an attempt of a task: each is a task of
// its own to the service, so that one which is to be tried again has failed.
var taskStatuses = map[flow.State]string{
	flow.Waiting:   "PENDING",
	flow.Ready:     "PENDING",
	flow.Starting:  "STARTING",
	flow.Running:   "RUNNING",
	flow.Deferred:  "RUNNING",
	flow.Retrying:  "FAILED",
	flow.Resting:   "PENDING",
	flow.Stopping:  "STOPPING",
	flow.Succeeded: "COMPLETED",
	flow.Failed:    "FAILED",
	flow.TimedOut:  "FAILED",
	flow.Blocked:   "CANCELLED",
	flow.Skipped:   "CANCELLED",
	flow.Canceled:  "CANCELLED",
	flow.Removed:   "CANCELLED",
}

// statesOf returns the states that a status of runs stands for.
func statesOf(status string) []flow.State {
	var out []flow.State
	for _, s := range flow.States() {
		if runStatuses[s] == status {
			out = append(out, s)
		}
	}
	return out
}

// The codes with which reasons begin.
const (
	codeTask    = "RUN_TASK_FAILED"
	codeRun     = "WORKFLOW_RUN_FAILED"
	codeTimeout = "RUN_TIMED_OUT"
	codeService = "SERVICE_ERROR"
)

// ofRuns are the codes that a run has when one of its tasks has failed with
// them. What is the matter with the task alone is RUN_TASK_FAILED.
var ofRuns = map[string]bool{
	codeRun: true, "IMPORT_FAILED": true, "EXPORT_FAILED": true, "INPUT_URI_NOT_FOUND": true, "INVALID_URI_INPUT": true,
	"UNSUPPORTED_INPUT_SIZE": true, "FILE_SYSTEM_OUT_OF_SPACE": true, "INVALID_TASK_RESOURCE_VALUE": true, "UNSUPPORTED_GPU_INSTANCE_TYPE": true,
	codeService: true,
}

// failure splits the reason of a task's failure into code and text. One that
// has no code is ours: the attempt could not be carried out.
func failure(reason string) (code, text string) {
	code, text, ok := strings.Cut(reason, ": ")
	if !ok || code == "" || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
		return codeService, reason
	}
	return code, text
}

// runFailure is failure for a run that has failed.
func runFailure(r flow.Run) (code, text string) {
	if r.State == flow.TimedOut {
		return codeTimeout, r.Reason
	}
	task, reason, ok := strings.Cut(r.Reason, " failed: ")
	if !ok || !strings.HasPrefix(task, "task ") {
		if code, text := failure(r.Reason); code != codeService {
			return code, text
		}
		return codeRun, r.Reason
	}
	code, text = failure(reason)
	if task == "task outputs." {
		return code, text
	}
	task = "task " + TaskName(flow.Task{ID: flow.TaskID(task[len("task "):])})
	if !ofRuns[code] {
		return codeTask, task + " failed: " + reason
	}
	return code, task + " failed: " + text
}

// cancelReason returns why a task was canceled, with the name of the task
// whose failure was the reason.
func cancelReason(reason string) string {
	const because = "canceled because task "
	id, rest, ok := strings.Cut(strings.TrimPrefix(reason, because), " failed: ")
	if !ok || !strings.HasPrefix(reason, because) {
		return reason
	}
	return because + TaskName(flow.Task{ID: flow.TaskID(id)}) + " failed: " + rest
}

// Ended returns the status that a move has brought a run or a task to, and the
// failure reason if it has FAILED.
func Ended(m flow.Move) (status, reason string) {
	if m.Task == "" {
		if status = runStatuses[m.State]; status == "FAILED" {
			reason, _ = runFailure(flow.Run{State: m.State, Reason: m.Reason})
		}
		return status, reason
	}
	if status = taskStatuses[m.State]; status == "FAILED" {
		reason, _ = failure(m.Reason)
	}
	return status, reason
}

// DescribeRun says for a log what a run has moved to.
func DescribeRun(r flow.Run, m flow.Move) string {
	line := "run " + string(r.ID) + " " + runStatuses[m.State]
	if runStatuses[m.State] == "FAILED" {
		code, text := runFailure(r)
		line += " " + code + ": " + oneLine(text)
	}
	return line
}

// DescribeTask says for a log what an attempt of a task has moved to.
func DescribeTask(r flow.Run, t flow.Task, m flow.Move) string {
	line := "task " + TaskName(t) + " (" + TaskID(r.ID, t) + ") " + taskStatuses[m.State]
	if taskStatuses[m.State] == "FAILED" {
		line += " " + oneLine(m.Reason)
	}
	return line
}

// oneLine returns a text without line ends.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }

package mwaa

import "fairlead/internal/flow"

// taskStatus returns the TaskInstanceStatus of a task. The API has no word
// for a skipped one.
func (d *Door) taskStatus(t flow.Task) string {
	if t.State == flow.Stopping && t.Cause == flow.ByClear {
		return "RESTARTING"
	}
	return d.stateStatus(t.State)
}

func (d *Door) stateStatus(s flow.State) string {
	switch s {
	case flow.Waiting:
		return "NONE"
	case flow.Ready:
		return "SCHEDULED"
	case flow.Starting:
		return "QUEUED"
	case flow.Running, flow.Stopping:
		return "RUNNING"
	case flow.Deferred:
		return "DEFERRED"
	case flow.Retrying:
		return "UP_FOR_RETRY"
	case flow.Resting:
		return "UP_FOR_RESCHEDULE"
	case flow.Succeeded:
		return "SUCCESS"
	case flow.Failed:
		return "FAILED"
	case flow.TimedOut:
		return "TIMEOUT"
	case flow.Blocked:
		return "UPSTREAM_FAILED"
	case flow.Skipped:
		if d.ShowSkipped {
			return "SKIPPED"
		}
		return "NONE"
	case flow.Canceled:
		return "CANCELLED"
	case flow.Removed:
		return "REMOVED"
	}
	return ""
}

// runStatus returns the WorkflowRunStatus of a state. A run uses only some
// of them; the others are read as what they would mean for a run.
func runStatus(s flow.State) string {
	switch s {
	case flow.Starting:
		return "STARTING"
	case flow.Waiting, flow.Ready:
		return "QUEUED"
	case flow.Running, flow.Deferred, flow.Retrying, flow.Resting:
		return "RUNNING"
	case flow.Stopping:
		return "STOPPING"
	case flow.Succeeded, flow.Skipped:
		return "SUCCESS"
	case flow.Failed, flow.Blocked:
		return "FAILED"
	case flow.TimedOut:
		return "TIMEOUT"
	case flow.Canceled, flow.Removed:
		return "STOPPED"
	}
	return ""
}

// RunType returns the WorkflowRunType of a kind of run.
func RunType(k flow.RunKind) string {
	switch k {
	case flow.Scheduled, flow.Backfill: // which stands for a slot, too
		return "SCHEDULED"
	}
	return "ON_DEMAND"
}

func workflowStatus(w flow.Workflow) string {
	if w.Deleting {
		return "DELETING"
	}
	return "READY"
}

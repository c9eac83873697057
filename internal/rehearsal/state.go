package rehearsal

import "fairlead/internal/flow"

// taskName returns the name that users of the API know a task's state by. A
// skipped task is SKIPPED here, which the API has no word for.
func taskName(s flow.State) string {
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
		return "SKIPPED"
	case flow.Canceled:
		return "CANCELLED"
	case flow.Removed:
		return "REMOVED"
	}
	return string(s)
}

// taskEnds lists the states that a task can be in when its run has ended.
// NONE is what the API says of a skipped task.
func taskEnds() []string {
	return []string{"SUCCESS", "FAILED", "TIMEOUT", "UPSTREAM_FAILED", "SKIPPED", "NONE", "CANCELLED"}
}

// runName returns the name that users of the API know a run's state by.
func runName(s flow.State) string {
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
	return string(s)
}

// runEnds lists the states that a run can end in.
func runEnds() []string { return []string{"SUCCESS", "FAILED", "TIMEOUT", "STOPPED"} }

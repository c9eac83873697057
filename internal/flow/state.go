package flow

// State is where a task or a run stands. One set serves every service; each
// door translates it.
type State string

// The states of a task. A run uses Starting, Ready (queued), Running,
// Stopping and the final ones.
const (
	Waiting   State = "waiting"   // dependencies not met
	Ready     State = "ready"     // may run, waits for a slot
	Starting  State = "starting"  // handed to a driver
	Running   State = "running"   // an attempt is under way
	Deferred  State = "deferred"  // the waiting half runs in the server
	Retrying  State = "retrying"  // an attempt failed, another is due
	Resting   State = "resting"   // a sensor that will be asked again
	Stopping  State = "stopping"  // an attempt is being ended
	Succeeded State = "succeeded" //
	Failed    State = "failed"    //
	TimedOut  State = "timedout"  // the last attempt ran past its time
	Blocked   State = "blocked"   // an upstream failed
	Skipped   State = "skipped"   // not to be done
	Canceled  State = "canceled"  // stopped by a person
	Removed   State = "removed"   // not in the graph any more
)

// States lists every state once.
func States() []State {
	return []State{
		Waiting, Ready, Starting, Running, Deferred, Retrying, Resting, Stopping,
		Succeeded, Failed, TimedOut, Blocked, Skipped, Canceled, Removed,
	}
}

// Final reports whether nothing can follow s.
func (s State) Final() bool {
	switch s {
	case Succeeded, Failed, TimedOut, Blocked, Skipped, Canceled, Removed:
		return true
	}
	return false
}

// Live reports whether an attempt in state s exists outside the engine and
// holds a slot.
func (s State) Live() bool {
	switch s {
	case Starting, Running, Deferred, Stopping:
		return true
	}
	return false
}

package engine

import "fairlead/internal/flow"

// A tally counts the upstreams of a task by how they ended.
type tally struct {
	succeeded, skipped, failed, blocked, removed int32
}

// add counts an upstream that ended as s, or with n = -1 takes it back.
func (c *tally) add(s flow.State, n int32) {
	switch s {
	case flow.Succeeded:
		c.succeeded += n
	case flow.Skipped:
		c.skipped += n
	case flow.Failed, flow.TimedOut, flow.Canceled:
		c.failed += n
	case flow.Blocked:
		c.blocked += n
	case flow.Removed:
		c.removed += n
	}
}

func (c tally) done() int32 { return c.succeeded + c.skipped + c.failed + c.blocked + c.removed }

// judge says what rule makes of a task with n upstreams of which c have
// ended: Ready, Blocked, Skipped, or Waiting while it is too early to say.
// The table is that of Airflow 3.0.6's trigger rule dependency; a verdict
// stands as soon as no further upstream can change it.
func judge(rule flow.Rule, c tally, n int32) flow.State {
	if n == 0 {
		return flow.Ready
	}
	bad := c.failed + c.blocked
	all := c.done() == n
	switch rule {
	case flow.AllSuccess, "":
		switch {
		case bad > 0:
			return flow.Blocked
		case c.skipped > 0:
			return flow.Skipped
		case c.succeeded == n:
			return flow.Ready
		case all: // an upstream was removed
			return flow.Blocked
		}
	case flow.AllFailed:
		switch {
		case c.succeeded > 0 || c.skipped > 0:
			return flow.Skipped
		case bad == n:
			return flow.Ready
		case all:
			return flow.Skipped
		}
	case flow.AllDone, flow.AllDoneSetupSuccess: // no task here is a setup
		if all {
			return flow.Ready
		}
	case flow.OneSuccess:
		switch {
		case c.succeeded > 0:
			return flow.Ready
		case all && c.skipped == n:
			return flow.Skipped
		case all:
			return flow.Blocked
		}
	case flow.OneFailed:
		switch {
		case bad > 0:
			return flow.Ready
		case all:
			return flow.Skipped
		}
	case flow.OneDone:
		switch {
		case c.succeeded+c.failed > 0:
			return flow.Ready
		case all:
			return flow.Skipped
		}
	case flow.NoneFailed:
		switch {
		case bad > 0:
			return flow.Blocked
		case all:
			return flow.Ready
		}
	case flow.NoneFailedMinOneSuccess:
		switch {
		case bad > 0:
			return flow.Blocked
		case all && c.succeeded > 0:
			return flow.Ready
		case all:
			return flow.Skipped
		}
	case flow.NoneSkipped:
		switch {
		case c.skipped > 0:
			return flow.Skipped
		case all:
			return flow.Ready
		}
	case flow.AllSkipped:
		switch {
		case c.succeeded+bad > 0:
			return flow.Skipped
		case all:
			return flow.Ready
		}
	case flow.Always:
		return flow.Ready
	}
	return flow.Waiting
}

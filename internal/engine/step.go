package engine

import "fairlead/internal/flow"

// A Step is what one event changed: everything that must be saved, in one
// transaction, before anything is done about it.
type Step struct {
	// Run is the run's row after the event. Its Rev is one more than that of
	// the row it replaces.
	Run flow.Run
	// Reopens says that the run had ended and goes on.
	Reopens bool
	// Tasks are the rows of the tasks that changed. The first step of a run
	// has them all.
	Tasks []flow.Task
	// First says that no task had a row before. Rows of a run that has not
	// begun do not count, so those of such a step may be written before the
	// rest of it, a few at a time.
	First bool
	// Past are attempts that are over and have been followed by another.
	Past []flow.Attempt
	// Outputs are what attempts published.
	Outputs []flow.Output
	Entry   flow.Entry
}

// Package lang says what a language is to the rest: it compiles a definition
// to a graph, and carries out the attempts of the graph's tasks. The
// languages themselves are the packages below.
package lang

import (
	"context"
	"encoding/json"
	"time"

	"fairlead/internal/flow"
)

// An Attempt is what a language needs to know of one attempt to carry it
// out. It must not be changed.
type Attempt struct {
	Run   flow.Run
	Graph *flow.Graph
	Node  *flow.Node
	Task  flow.Task
	// Epoch changes when somebody has tasks of the run done again, or decides
	// how they ended: what was read of their outputs before may not hold then.
	Epoch int64
}

// Tell lets an attempt report on its way. A call that may fail returns when
// the news is saved; an error means that it is not, and that the attempt
// should end.
type Tell interface {
	// Started says that the attempt exists outside; handle finds it again.
	Started(handle string) error
	// Begun is Started and Mark at once, and costs as much as one of them.
	Begun(handle string, mark json.RawMessage) error
	// Mark keeps something with the attempt, such as the id of a job.
	Mark(mark json.RawMessage) error
	// Looks says that nothing is done until again, when the attempt looks
	// whether what it waits for is there. It is for whoever asks meanwhile,
	// and not saved.
	Looks(again time.Time)
}

// A Pause is the error by which an attempt says that it only waits: nothing is
// to be done for a while, or until it is to end. Whoever gets it calls Resume
// then, once, for what Perform would have returned, which may be a Pause
// again. Meanwhile the language keeps neither a goroutine nor a stack for it.
type Pause struct {
	For    time.Duration
	Resume func(ctx context.Context) (flow.Outcome, error)
}

func (p *Pause) Error() string { return "the attempt waits for " + p.For.String() }

package store

import (
	"encoding/json"
	"sync"

	"fairlead/internal/flow"
)

// A recall holds answers of [DB.Present], which clients that follow a task
// ask for again and again, until something that they were read from is
// written. Only a process that makes every write itself can know that, so
// PostgreSQL has none. The zero value is ready for use.
type recall struct {
	mu     sync.Mutex
	writes uint64 // counts what may have changed an answer
	runs   map[flow.RunID]map[question]answer
	size   int // answers held
}

// A question is what [DB.Present] is asked about a run.
type question struct {
	workflow flow.WorkflowID
	task     flow.TaskID
	attempt  int
}

// An answer is shared by all who ask, so nobody may change what it leads to.
type answer struct {
	run     flow.Run
	task    flow.Task
	outputs map[string]json.RawMessage
}

const (
	maxAnswers = 4096
	// maxAnswer bounds the text of an answer that is worth its memory, in bytes.
	maxAnswer = 8 << 10
)

// find returns the answer, if it is held, and the moment to hand to keep.
func (c *recall) find(run flow.RunID, q question) (a answer, moment uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok = c.runs[run][q]
	return a, c.writes, ok
}

// keep holds an answer that was read after the moment, unless there were
// writes since.
func (c *recall) keep(run flow.RunID, q question, a answer, moment uint64) {
	size := len(a.run.Params) + len(a.run.Reason) + len(a.task.Reason) + len(a.task.Mark)
	for key, value := range a.outputs {
		size += len(key) + len(value)
	}
	if size > maxAnswer {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writes != moment {
		return
	}
	if c.runs == nil || c.size == maxAnswers {
		c.runs, c.size = map[flow.RunID]map[question]answer{}, 0
	}
	of := c.runs[run]
	if of == nil {
		of = map[question]answer{}
		c.runs[run] = of
	}
	if _, held := of[q]; !held {
		c.size++
	}
	of[q] = a
}

// forget drops what is known of some runs, or of all. It is called when a
// write can be seen and before anybody is told that it was made.
func (c *recall) forget(all bool, runs []flow.RunID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	if all {
		c.runs, c.size = nil, 0
		return
	}
	for _, run := range runs {
		c.size -= len(c.runs[run])
		delete(c.runs, run)
	}
}

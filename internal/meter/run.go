package meter

import (
	"time"

	"fairlead/internal/flow"
)

// Known counts a run that was there before this server, with its tasks: all
// that have rows.
func (m *Meter) Known(r flow.Run, tasks []flow.Task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.enter(r.ID, r.State)
	if r.Started.IsZero() {
		return // rows of a run that has not begun do not count
	}
	for i := range tasks {
		m.move(a, tasks[i].State, 1)
		if tasks[i].State == flow.Ready {
			a.ready[tasks[i].ID] = tasks[i].Modified
		}
	}
}

// Step counts what a step of a run changed; fresh is how many tasks have got
// their first row with it, and rows are those that it saves.
func (m *Meter) Step(r flow.Run, rows []flow.Task, fresh int, e flow.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.runs[r.ID]
	if a == nil {
		// It is new, or had ended and goes on.
		state := r.State
		if len(e.Moves) > 0 && e.Moves[0].Task == "" {
			state = e.Moves[0].From
		}
		a = m.enter(r.ID, state)
		if e.Seq == 1 && r.Kind == flow.Scheduled {
			m.scheduleLag.observe(seconds(r.Logical, r.Created))
		}
	}
	m.move(a, flow.Waiting, fresh)
	var kinds map[flow.TaskID]string
	for i := range e.Moves {
		move := &e.Moves[i]
		if move.Task == "" {
			m.moveRun(r, a, move)
			continue
		}
		if ends(move) && kinds == nil {
			kinds = make(map[flow.TaskID]string, len(rows))
			for i := range rows {
				kinds[rows[i].ID] = rows[i].Kind
			}
		}
		m.moveTask(r, a, move, e.At, kinds[move.Task])
	}
	if r.State.Final() {
		m.leave(r.ID)
	}
}

// ends reports whether a move ends an attempt.
func ends(m *flow.Move) bool { return m.State.Final() || m.State == flow.Retrying }

func (m *Meter) moveRun(r flow.Run, a *active, move *flow.Move) {
	m.tally(m.runCount, a.state, -1)
	a.state = move.State
	m.tally(m.runCount, a.state, 1)
	if !move.State.Final() {
		return
	}
	m.runsEnded.add(1, string(move.State), m.workflows.label(string(r.Workflow)))
	if !move.Started.IsZero() {
		m.runTime.observe(seconds(move.Started, move.Ended), string(move.State))
	}
}

func (m *Meter) moveTask(r flow.Run, a *active, move *flow.Move, at time.Time, kind string) {
	m.move(a, move.From, -1)
	m.move(a, move.State, 1)
	switch since, waited := a.ready[move.Task]; {
	case move.State == flow.Ready:
		if move.From != flow.Resting { // a sensor's next look is no wait of an attempt
			a.ready[move.Task] = at
		}
	case move.State == flow.Starting: // it still waits for a process
	case waited:
		if move.State == flow.Running {
			m.attemptQueue.observe(seconds(since, at))
		}
		delete(a.ready, move.Task)
	}
	if move.State == flow.Retrying {
		m.retries.add(1)
	}
	if move.State.Final() {
		m.tasksEnded.add(1, string(move.State), m.workflows.label(string(r.Workflow)))
	}
	if ends(move) && !move.Started.IsZero() && !move.Ended.IsZero() {
		m.attemptTime.observe(seconds(move.Started, move.Ended), m.operators.label(kind))
	}
}

// enter begins to count a run; m.mu is held.
func (m *Meter) enter(id flow.RunID, s flow.State) *active {
	a := &active{state: s, tasks: map[flow.State]int{}, ready: map[flow.TaskID]time.Time{}}
	m.runs[id] = a
	m.tally(m.runCount, s, 1)
	return a
}

// leave ends it; tasks that never ended go with their run.
func (m *Meter) leave(id flow.RunID) {
	a := m.runs[id]
	if a == nil {
		return
	}
	for s, n := range a.tasks {
		m.taskCount[s] -= n
	}
	m.tally(m.runCount, a.state, -1)
	delete(m.runs, id)
}

// move counts n tasks of a run into state s.
func (m *Meter) move(a *active, s flow.State, n int) {
	if s.Final() || n == 0 {
		return
	}
	n = max(n, -a.tasks[s]) // what a task unfolded into counts from its first move on
	a.tasks[s] += n
	m.taskCount[s] += n
}

func (m *Meter) tally(of map[flow.State]int, s flow.State, n int) {
	if !s.Final() {
		of[s] += n
	}
}

// seconds is the time between two moments; 0 if a clock was set between them.
func seconds(from, to time.Time) float64 { return max(0, to.Sub(from).Seconds()) }

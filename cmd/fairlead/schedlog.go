package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// A scribe writes, for each run, why its tasks began and ended when they did:
// a log stream beside those of the attempts, told from the journal. Its loop
// owns begun.
type scribe struct {
	a *app

	mu      sync.Mutex
	waiting map[flow.RunID][]engine.Step
	steps   int
	missed  map[flow.RunID]bool // of these steps were dropped

	begun map[flow.RunID]bool // whose stream this process goes on with
}

const (
	scribeEvery = 250 * time.Millisecond
	// scribeSteps bounds how many steps wait to be written. Those beyond are
	// read from the journal later.
	scribeSteps = 10_000
)

func newScribe(a *app) *scribe {
	return &scribe{a: a, waiting: map[flow.RunID][]engine.Step{}, missed: map[flow.RunID]bool{}, begun: map[flow.RunID]bool{}}
}

// told takes a step over. It never waits.
func (s *scribe) told(step engine.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	step.Tasks, step.Outputs, step.Past = nil, nil, nil // the entry says it all
	if s.steps >= scribeSteps {
		s.missed[step.Run.ID] = true
		s.waiting[step.Run.ID] = []engine.Step{step} // the last, which says up to where to read
		return
	}
	s.steps++
	s.waiting[step.Run.ID] = append(s.waiting[step.Run.ID], step)
}

func (s *scribe) run(ctx context.Context) {
	tick := time.NewTicker(scribeEvery)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case <-ctx.Done():
			over = true
		case <-tick.C:
		}
		s.mu.Lock()
		waiting, missed := s.waiting, s.missed
		s.waiting, s.missed, s.steps = map[flow.RunID][]engine.Step{}, map[flow.RunID]bool{}, 0
		s.mu.Unlock()
		for run, steps := range waiting {
			if err := s.write(context.WithoutCancel(ctx), steps, missed[run] || !s.begun[run] && steps[0].Entry.Seq > 1); err != nil {
				s.a.opt.log.WarnContext(ctx, "write the log of the scheduler", "run", run, "err", err)
			}
			s.begun[run] = true
			if steps[len(steps)-1].Run.State.Final() {
				delete(s.begun, run)
			}
		}
	}
}

// write adds what steps of a run say, and with gap what its journal has that
// the stream has not.
func (s *scribe) write(ctx context.Context, steps []engine.Step, gap bool) error {
	r := steps[0].Run
	around, err := s.a.place.of(ctx, r)
	if err != nil {
		return err
	}
	stream := schedulerStream(r)
	var lines [][]byte
	first := steps[0].Entry.Seq
	if gap {
		last, err := s.written(ctx, around.group, stream)
		if err != nil {
			return err
		}
		first = steps[len(steps)-1].Entry.Seq + 1
		for p := (flow.Page{After: strconv.FormatInt(last, 10), Limit: 500}); ; {
			entries, next, err := s.a.db.Journal(ctx, r.ID, p)
			if err != nil {
				return err
			}
			for _, e := range entries {
				lines = append(lines, schedulerLines(e)...)
				first = max(first, e.Seq+1)
			}
			if p.After = next; next == "" {
				break
			}
		}
	}
	for _, step := range steps {
		if step.Entry.Seq >= first {
			lines = append(lines, schedulerLines(step.Entry)...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return s.a.logs.Append(around.group, stream, lines...)
}

// written returns the revision of the last line of a stream; 0 without one.
func (s *scribe) written(ctx context.Context, group, stream string) (int64, error) {
	page, err := s.a.logs.Read(ctx, group, stream, flow.LogRange{From: -1, Back: true, Limit: 1})
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return 0, nil
	}
	if err != nil || len(page.Events) == 0 {
		return 0, err
	}
	var line schedulerLine
	if err := json.Unmarshal([]byte(page.Events[0].Text), &line); err != nil {
		return 0, fmt.Errorf("the last line of %s: %w", stream, err)
	}
	return line.Revision, nil
}

// schedulerStream names the stream: a name that no task's has.
func schedulerStream(r flow.Run) string {
	return fmt.Sprintf("workflow_id=%s/run_id=%s/scheduler.log", r.Workflow, r.ID)
}

type schedulerLine struct {
	At       time.Time   `json:"timestamp"`
	Level    string      `json:"level"`
	Event    string      `json:"event"`
	Logger   string      `json:"logger"`
	Task     flow.TaskID `json:"task_id,omitempty"`
	Attempt  int         `json:"attempt,omitempty"`
	State    flow.State  `json:"state"`
	Revision int64       `json:"revision"`
}

// schedulerLines says what an entry of a run's journal did, and why.
func schedulerLines(e flow.Entry) [][]byte {
	var lines [][]byte
	for i := range e.Moves {
		m := &e.Moves[i]
		l := schedulerLine{e.At.UTC(), "info", "", "fairlead.scheduler", m.Task, m.Attempt, m.State, e.Seq}
		switch m.State {
		case flow.Failed, flow.TimedOut, flow.Blocked:
			l.Level = "error"
		case flow.Retrying:
			l.Level = "warning"
		}
		if l.Event = ofTask(e, m); m.Task == "" {
			l.Event = ofRun(e, m)
		}
		line, err := json.Marshal(l)
		if err != nil {
			panic(err) // a struct of strings, numbers and a time of this age
		}
		lines = append(lines, line)
	}
	return lines
}

func ofRun(e flow.Entry, m *flow.Move) string {
	switch m.State {
	case flow.Ready:
		return "the run waits: as many runs are under way as may be, or its workflow is paused"
	case flow.Running:
		if m.From.Final() {
			return "the run goes on: " + by(e, "asked to "+e.What)
		}
		return "the run begins"
	case flow.Stopping:
		if e.What == "stop" {
			return by(e, "the run is being stopped")
		}
		return "the run is being ended: it took too long"
	}
	return with("the run is "+string(m.State), m.Reason)
}

func ofTask(e flow.Entry, m *flow.Move) string {
	switch m.State {
	case flow.Ready:
		switch {
		case m.From == flow.Retrying:
			return fmt.Sprintf("%s: the retry delay is over, attempt %d waits for a slot", m.Task, m.Attempt)
		case m.From == flow.Resting:
			return fmt.Sprintf("%s: it is time to look again, and it waits for a slot", m.Task)
		case e.What == "ended" && e.Task != m.Task:
			return fmt.Sprintf("%s: its trigger rule is met since %s has ended; it waits for a slot", m.Task, e.Task)
		}
		return fmt.Sprintf("%s: its trigger rule is met; it waits for a slot", m.Task)
	case flow.Starting:
		if e.What == "ended" && e.Task != m.Task {
			return fmt.Sprintf("%s: has a slot (%s ended); attempt %d waits for a process", m.Task, e.Task, m.Attempt)
		}
		return fmt.Sprintf("%s: has a slot; attempt %d waits for a process", m.Task, m.Attempt)
	case flow.Running:
		return fmt.Sprintf("%s: attempt %d runs", m.Task, m.Attempt)
	case flow.Retrying:
		return with(fmt.Sprintf("%s: attempt %d failed and another follows", m.Task, m.Attempt), m.Reason)
	case flow.Resting:
		return fmt.Sprintf("%s: not yet; it rests and is asked again", m.Task)
	case flow.Stopping:
		return by(e, fmt.Sprintf("%s: attempt %d is being ended", m.Task, m.Attempt))
	case flow.Waiting:
		return by(e, fmt.Sprintf("%s: waits anew", m.Task))
	}
	return with(fmt.Sprintf("%s: %s", m.Task, m.State), m.Reason)
}

func with(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}

// by adds who asked for an event, where a person did.
func by(e flow.Entry, text string) string {
	if who := asker(e); who != "" {
		return text + ", by " + who
	}
	return text
}

// asker returns who asked for an event; empty where nobody did.
func asker(e flow.Entry) string {
	var who struct{ By string }
	if json.Unmarshal(e.Detail, &who) != nil {
		return ""
	}
	return who.By
}

// dropSchedulerLog removes a run's stream, if there is one.
func (a *app) dropSchedulerLog(group string, r flow.Run) error {
	if err := a.logs.DeleteStream(group, schedulerStream(r)); err != nil && flow.KindOf(err) != flow.NotFound {
		return err
	}
	return nil
}

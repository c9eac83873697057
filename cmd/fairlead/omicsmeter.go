package main

import (
	"cmp"
	"sync"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/meter"
	"fairlead/internal/omics"
	"fairlead/internal/trace"
)

// An omicsMeter counts runs of HealthOmics and their tasks in the words of
// that service.
type omicsMeter struct {
	runsEnded, tasksEnded func(v float64, values ...string)
	runTime, taskTime     func(v float64, values ...string)
	label                 func(workflow string) string

	mu   sync.Mutex
	open map[flow.RunID]flow.State // runs that have not ended
}

func newOmicsMeter(m *meter.Meter) *omicsMeter {
	o := &omicsMeter{
		runsEnded: m.Counter("fairlead_omics_runs_ended_total", "Runs of HealthOmics that ended, by status and failure reason.",
			"status", "reason", "workflow"),
		tasksEnded: m.Counter("fairlead_omics_tasks_ended_total", "Tasks of HealthOmics, which are attempts, that ended, by status and failure reason.",
			"status", "reason", "workflow"),
		runTime:  m.Durations("fairlead_omics_run_duration_seconds", "Time from the start of a run of HealthOmics to its end.", "status"),
		taskTime: m.Durations("fairlead_omics_task_duration_seconds", "Time from the start of a task of HealthOmics to its end.", "status"),
		label:    m.Label, open: map[flow.RunID]flow.State{},
	}
	m.Gauges("fairlead_omics_runs", "Runs of HealthOmics that have not ended, by status.", "status", o.statuses)
	return o
}

func (o *omicsMeter) statuses() map[string]float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[string]float64{"PENDING": 0, "RUNNING": 0, "STOPPING": 0}
	for _, s := range o.open {
		all[omics.StatusOf(s)]++
	}
	return all
}

// known takes note of a run that was there before this server, or has moved.
func (o *omicsMeter) known(r flow.Run) {
	if r.Version != "" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.State.Final() {
		delete(o.open, r.ID)
	} else {
		o.open[r.ID] = r.State
	}
}

// step counts what a step of a run has ended; workflow is the name of what is
// run, and command says which tasks the service has.
func (o *omicsMeter) step(s engine.Step, workflow string, command func(flow.TaskID) bool) {
	for _, m := range s.Entry.Moves {
		if !m.State.Final() && m.State != flow.Retrying {
			continue
		}
		ended, took := o.tasksEnded, o.taskTime
		if m.Task == "" {
			ended, took = o.runsEnded, o.runTime
		} else if m.Attempt == 0 || !command(m.Task) {
			continue
		}
		status, reason := omics.Ended(m)
		ended(1, status, reason, o.label(workflow))
		if !m.Started.IsZero() {
			took(max(0, m.Ended.Sub(m.Started).Seconds()), status)
		}
	}
}

// count counts a step of a run.
func (e *omicsEngine) count(s engine.Step, set omics.Settings, p *omicsProgram) {
	e.meter.step(s, cmp.Or(set.WorkflowName, set.WorkflowID), p.commands)
}

// omicsSpan says of a run of HealthOmics, or of an attempt of a task, what it
// is called there. A task that is nil stands for the run.
func omicsSpan(r flow.Run, t *flow.Task) []trace.Attribute {
	if r.Version != "" {
		return nil
	}
	about := []trace.Attribute{{Key: "aws.omics.workflow.id", Value: string(r.Workflow)}, {Key: "aws.omics.run.id", Value: string(r.ID)}}
	if t != nil {
		about = append(about, trace.Attribute{Key: "aws.omics.task.id", Value: omics.TaskID(r.ID, *t)})
	}
	return about
}

package main

import (
	"context"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/mwaa"
)

// retainEvery is how often runs that are old enough are looked for.
const retainEvery = time.Minute

// retain removes runs that ended longer ago than the retention, with their
// logs, a few at a time, so that nobody waits long for the store.
func (a *app) retain(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		const few = 20
		groups := map[flow.VersionID]string{}
		gone, err := a.db.DeleteRuns(ctx, time.Now().Add(-a.opt.retention), few, func(r flow.Run) {
			if err := a.dropLogs(ctx, r, groups); err != nil && ctx.Err() == nil {
				a.opt.log.WarnContext(ctx, "remove the logs of an old run", "run", r.ID, "err", err)
			}
		})
		switch {
		case err != nil && ctx.Err() == nil:
			a.opt.log.ErrorContext(ctx, "remove old runs", "err", err)
			timer.Reset(retainEvery)
		case gone == few:
			timer.Reset(10 * time.Millisecond) // more wait; so do others
		default:
			timer.Reset(retainEvery)
		}
	}
}

// dropLogs removes the log streams of a run. It goes by the rows of the run:
// to look for streams by their names means to read the names of all. groups
// remembers where versions have their logs.
func (a *app) dropLogs(ctx context.Context, r flow.Run, groups map[flow.VersionID]string) error {
	if r.Version == "" {
		return a.runs.forget(ctx, r)
	}
	group, ok := groups[r.Version]
	if !ok {
		var err error
		if group, err = a.logGroup(ctx, r); err != nil {
			return err
		}
		groups[r.Version] = group
	}
	if err := a.dropSchedulerLog(group, r); err != nil {
		return err
	}
	for p := (flow.Page{Limit: 1000}); ; {
		tasks, next, err := a.db.Instances(ctx, r.ID, p)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if t.Attempt == 0 {
				continue // it has written nothing
			}
			err := a.logs.DeleteStream(group, mwaa.LogStream(r.Workflow, r.ID, t.ID, t.Attempt))
			if err != nil && flow.KindOf(err) != flow.NotFound {
				return err
			}
		}
		if p.After = next; next == "" {
			return nil
		}
	}
}

// logGroup returns where the logs of a run are.
func (a *app) logGroup(ctx context.Context, r flow.Run) (string, error) {
	v, err := a.db.Version(ctx, r.Workflow, r.Version)
	if flow.KindOf(err) == flow.NotFound { // deleted since: where logs are by default
		v, err = flow.Version{Workflow: r.Workflow, Settings: []byte("{}")}, nil
	}
	if err != nil {
		return "", err
	}
	rt, err := mwaa.RuntimeOf(v)
	return rt.LogGroup, err
}

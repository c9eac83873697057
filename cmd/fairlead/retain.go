package main

import (
	"context"
	"fmt"
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
		gone, err := a.db.DeleteRuns(ctx, time.Now().Add(-a.opt.retention), few)
		for _, r := range gone {
			if err := a.dropLogs(ctx, r); err != nil && ctx.Err() == nil {
				a.opt.log.WarnContext(ctx, "remove the logs of an old run", "run", r.ID, "err", err)
			}
		}
		switch {
		case err != nil && ctx.Err() == nil:
			a.opt.log.ErrorContext(ctx, "remove old runs", "err", err)
			timer.Reset(retainEvery)
		case len(gone) == few:
			timer.Reset(10 * time.Millisecond) // more wait; so do others
		default:
			timer.Reset(retainEvery)
		}
	}
}

// dropLogs removes the log streams of a run.
func (a *app) dropLogs(ctx context.Context, r flow.Run) error {
	group, err := a.logGroup(ctx, r)
	if err != nil {
		return err
	}
	prefix := fmt.Sprintf("workflow_id=%s/run_id=%s/", r.Workflow, r.ID)
	for {
		streams, err := a.logs.Streams(ctx, group, flow.LogList{Prefix: prefix, Page: flow.Page{Limit: 50}})
		if flow.KindOf(err) == flow.NotFound || err == nil && len(streams) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		for _, s := range streams {
			if err := a.logs.DeleteStream(group, s.Name); err != nil {
				return err
			}
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

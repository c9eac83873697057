package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// logDaysTag says how many days the logs of a workflow are kept after they
// were last written. It goes before what PutRetentionPolicy says of the group.
const logDaysTag = "fairlead:log-days"

const maxLogDays = 3653

// checkLogDays refuses a tag that is no number of days.
func checkLogDays(tags map[string]string) error {
	v, ok := tags[logDaysTag]
	if !ok {
		return nil
	}
	if n, err := strconv.Atoi(v); err != nil || n < 1 || n > maxLogDays {
		return flow.Errorf(flow.Invalid, "the tag %s is %.50q; expected a number of days from 1 to %d", logDaysTag, v, maxLogDays)
	}
	return nil
}

// retainLogsEvery is how often log streams that are old enough are looked for.
const retainLogsEvery = time.Hour

// retainLogs removes the log streams that were kept for as long as they
// should be.
func (a *app) retainLogs(ctx context.Context) {
	tick := time.NewTicker(retainLogsEvery)
	defer tick.Stop()
	for {
		if err := a.dropOldLogs(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.opt.log.WarnContext(ctx, "remove old logs", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (a *app) dropOldLogs(ctx context.Context, now time.Time) error {
	tagged := map[flow.WorkflowID]int{}
	for p := (flow.Page{Limit: 500}); ; {
		rows, next, err := a.db.Workflows(ctx, p)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if n, err := strconv.Atoi(r.Workflow.Tags[logDaysTag]); err == nil && n > 0 { // others are not to be had
				tagged[r.Workflow.ID] = n
			}
		}
		if p.After = next; next == "" {
			break
		}
	}
	for p := (flow.Page{Limit: 500}); ; {
		groups, err := a.logs.Groups(ctx, "", p)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.Days > 0 || len(tagged) > 0 {
				if err := a.dropOldStreams(ctx, g, tagged, now); err != nil {
					return err
				}
			}
			p.After = g.Name
		}
		if len(groups) < p.Limit {
			return nil
		}
	}
}

// dropOldStreams goes through the streams of a group, those first that were
// not written for the longest time.
func (a *app) dropOldStreams(ctx context.Context, g flow.LogGroup, tagged map[flow.WorkflowID]int, now time.Time) error {
	l := flow.LogList{ByTime: true, Page: flow.Page{Limit: 1000}}
	for {
		streams, err := a.logs.Streams(ctx, g.Name, l)
		if flow.KindOf(err) == flow.NotFound && err != nil {
			return nil // the group was removed meanwhile
		}
		if err != nil {
			return err
		}
		for _, s := range streams {
			if now.Sub(s.Written) < 24*time.Hour {
				return nil // as are all that follow
			}
			wf, run := ownerOf(s.Name)
			days, ok := tagged[wf]
			if !ok {
				days = g.Days
			}
			if days == 0 || now.Sub(s.Written) < time.Duration(days)*24*time.Hour {
				continue
			}
			if r, err := a.db.RunByID(ctx, run); run != "" && err == nil && !r.State.Final() {
				continue // a task that has long been silent
			}
			if err := a.logs.DeleteStream(g.Name, s.Name); err != nil && flow.KindOf(err) != flow.NotFound {
				return err
			}
		}
		if len(streams) < l.Limit {
			return nil
		}
		l.After = l.Key(streams[len(streams)-1])
	}
}

// ownerOf returns whose log a stream is, by its name; nobody's if it is not
// one of an attempt.
func ownerOf(stream string) (wf flow.WorkflowID, run flow.RunID) {
	rest, ok := strings.CutPrefix(stream, "workflow_id=")
	id, rest, ok2 := strings.Cut(rest, "/run_id=")
	if !ok || !ok2 {
		return "", ""
	}
	r, _, _ := strings.Cut(rest, "/")
	return flow.WorkflowID(id), flow.RunID(r)
}

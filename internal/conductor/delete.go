package conductor

import (
	"context"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/killpoint"
)

// Purger removes workflows.
type Purger interface {
	// Deleting returns the workflows that are marked for deletion.
	Deleting(ctx context.Context) ([]flow.WorkflowID, error)
	// PurgeWorkflow removes up to max rows of a workflow that has no active
	// run; true when nothing is left of it.
	PurgeWorkflow(ctx context.Context, wf flow.WorkflowID, max int) (bool, error)
}

// DeleteWorkflow stops the runs of a workflow that is marked for deletion
// and then removes it, in the background. A restart takes it up again.
func (c *Conductor) DeleteWorkflow(ctx context.Context, wf flow.WorkflowID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.going[wf] {
		c.going[wf] = true
		c.wg.Go(func() { c.remove(c.ctx, wf) })
	}
	return ctx.Err()
}

func (c *Conductor) resumeDeletes(ctx context.Context) error {
	ids, err := c.store.Deleting(ctx)
	if err != nil {
		return err
	}
	for _, wf := range ids {
		if err := c.DeleteWorkflow(ctx, wf); err != nil {
			return err
		}
	}
	return nil
}

// remove takes wf off the schedule, waits for the runs of wf to end and purges it in small steps, so
// that nobody waits long for the store.
func (c *Conductor) remove(ctx context.Context, wf flow.WorkflowID) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.going, wf)
	}()
	if err := c.store.SetSchedule(ctx, wf, "", time.Time{}); err != nil && flow.KindOf(err) != flow.NotFound {
		c.log.WarnContext(ctx, "unschedule a deleted workflow", "workflow", wf, "err", err)
	}
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		active := c.Active(wf)
		for _, id := range active {
			if _, err := c.Stop(ctx, id, "DeleteWorkflow"); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "stop a run of a deleted workflow", "run", id, "err", err)
			}
		}
		if len(active) == 0 {
			done, err := c.store.PurgeWorkflow(ctx, wf, 500)
			killpoint.At("purge")
			if done || ctx.Err() != nil {
				return
			}
			switch {
			case err == nil:
				pause = time.Millisecond
			case flow.KindOf(err) == flow.Busy: // others have to be told of its runs, or the disk is full
				c.log.DebugContext(ctx, "purge workflow", "workflow", wf, "err", err)
			default:
				c.log.ErrorContext(ctx, "purge workflow", "workflow", wf, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

package conductor

import (
	"context"
	"fmt"
	"time"

	"fairlead/internal/flow"
)

// sweepEvery is how often the clock looks for what nobody sees to.
const sweepEvery = 10 * time.Minute

// doubted notes that a write came back with an error that does not say
// whether it was saved, as when the connection to the database breaks during
// a commit. The clock looks when it wakes.
func (c *Conductor) doubted(err error) {
	if err == nil || flow.KindOf(err) != flow.Internal {
		return
	}
	c.unseen()
}

// unseen notes that something is saved and has nobody who sees to it. The
// clock looks when it wakes.
func (c *Conductor) unseen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doubt = true
}

// sweep takes up what is saved and has nobody who sees to it: runs and
// schedules and pauses whose write was not answered, or that could not be taken
// up when it was, and workflows to delete whose mark was not answered.
func (c *Conductor) sweep(ctx context.Context) error {
	c.mu.Lock()
	c.doubt = false
	c.launched = map[flow.RunID]bool{}
	for id := range c.runs {
		c.launched[id] = true
	}
	c.mu.Unlock()
	err := c.adopt(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.launched = nil
	c.doubt = c.doubt || err != nil
	return err
}

func (c *Conductor) adopt(ctx context.Context) error {
	open, err := c.store.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("look for runs: %w", err)
	}
	for _, row := range open {
		if c.has(row.ID) {
			continue
		}
		if err := c.takeUp(ctx, row); err != nil {
			return err
		}
	}
	if err := c.resumePauses(ctx); err != nil {
		return err
	}
	if err := c.resumeDeletes(ctx); err != nil {
		return fmt.Errorf("look for deletions: %w", err)
	}
	return c.resumeSchedules(ctx)
}

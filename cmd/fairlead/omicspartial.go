package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/lang/wdl"
)

// partialOutputs is what says which outputs of a run are there that has not
// succeeded. It is no outputs.json, which means that all are.
const partialOutputs = "logs/partial_outputs.json"

// partialTime bounds how long finished outputs of a run that has not succeeded
// may take to be published.
const partialTime = time.Hour

// publishFinished takes what a run that has not succeeded has made of its
// outputs to where they would be if it had.
func (e *omicsEngine) publishFinished(ctx context.Context, r flow.Run) error {
	if r.State == flow.Succeeded || r.Started.IsZero() || !e.a.opt.partial {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, partialTime)
	defer cancel()
	outputs, err := e.finished(ctx, r)
	if err != nil || outputs == nil {
		return err
	}
	to, err := e.a.destination(ctx, r)
	if err != nil {
		return err
	}
	var troubles []error
	outputs, err = layout(outputs, func(p wdl.Path, at string) (wdl.Value, error) {
		if strings.Contains(p.Name, "://") {
			return p, nil // an input that is an output: it is where it was
		}
		v, err := to.place(ctx, p, at)
		if err != nil {
			if troubles = append(troubles, err); len(troubles) == maxTroubles {
				return nil, errors.Join(troubles...)
			}
			return nil, nil // the others are worth having
		}
		return v, nil
	})
	if err != nil {
		return err
	}
	text, err := outputsText(outputs, to.workflow)
	if err != nil {
		return err
	}
	return errors.Join(errors.Join(troubles...), to.text(ctx, text, partialOutputs))
}

// maxTroubles is how many files may fail to be published before the others are
// not tried.
const maxTroubles = 5

// finished returns what there is of a run's outputs.
func (e *omicsEngine) finished(ctx context.Context, r flow.Run) (*wdl.Record, error) {
	g, err := e.a.db.Graph(ctx, r.Graph)
	if err != nil {
		return nil, fmt.Errorf("load graph %s: %w", r.Graph, err)
	}
	unfolded := map[flow.TaskID]int{}
	for p := (flow.Page{Limit: 1000}); ; {
		tasks, next, err := e.a.db.Instances(ctx, r.ID, p)
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			if t.Instances > 0 {
				unfolded[t.ID] = t.Instances
			}
		}
		if p.After = next; next == "" {
			break
		}
	}
	return e.performer.Finished(ctx, r, &g, func(id flow.TaskID) int { return unfolded[id] })
}

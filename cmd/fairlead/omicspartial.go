package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	if r.State == flow.Succeeded {
		return e.unpublish(ctx, r)
	}
	if r.Started.IsZero() || !e.a.opt.partial {
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
	if err := os.WriteFile(e.partialMark(r), nil, 0o600); err != nil {
		return err
	}
	return errors.Join(errors.Join(troubles...), to.text(ctx, text, partialOutputs))
}

// partialMark is in the directory of a run of which partial outputs are said to
// be there.
func (e *omicsEngine) partialMark(r flow.Run) string {
	return filepath.Join(e.site.dir, string(r.ID), "partial")
}

// unpublish takes back what said that outputs of a run are partial: it has
// failed, gone on, and made all of them.
func (e *omicsEngine) unpublish(ctx context.Context, r flow.Run) error {
	if _, err := os.Lstat(e.partialMark(r)); err != nil {
		return nil // nothing has
	}
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	to, err := e.a.destination(ctx, r)
	if err == nil {
		err = to.remove(ctx, partialOutputs)
	}
	if err != nil {
		return fmt.Errorf("%s is still there, though the outputs are complete: %w", partialOutputs, err)
	}
	return os.Remove(e.partialMark(r))
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

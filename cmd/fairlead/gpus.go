package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"fairlead/internal/exec"
)

// gpusUsage explains --gpus.
const gpusUsage = "GPUs for tasks of WDL: auto (those whose device files are here), how many of them, or ignore (tasks that ask for GPUs run without)"

// gpus are the GPUs that tasks may have; ignore says that tasks which ask for
// some run without.
func (o options) gpus() (list []exec.GPU, ignore bool, err error) {
	if o.gpuCount == "ignore" {
		return nil, true, nil
	}
	found, err := exec.FindGPUs(o.devices, "/proc/driver/nvidia")
	if err != nil {
		return nil, false, fmt.Errorf("look for GPUs: %w", err)
	}
	if o.gpuCount == "auto" {
		return found, false, nil
	}
	n, err := strconv.Atoi(o.gpuCount)
	if err != nil || n < 0 || n > exec.MaxGPUs {
		return nil, false, usagef("--gpus %q: expected auto, ignore or a number up to %d", o.gpuCount, exec.MaxGPUs)
	}
	list = found[:min(n, len(found))]
	for i := 0; len(list) < n; i++ { // an engine elsewhere may have what is not here
		if !hasGPU(list, i) {
			list = append(list, exec.GPU{Index: i})
		}
	}
	return list, false, nil
}

func hasGPU(list []exec.GPU, index int) bool {
	for _, g := range list {
		if g.Index == index {
			return true
		}
	}
	return false
}

// reserve has attempts that run since an earlier server keep what they have of
// this machine, before others ask for it.
func (e *omicsEngine) reserve(ctx context.Context) error {
	runs, err := e.a.db.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.Version != "" {
			continue // it is none of WDL
		}
		tasks, err := e.a.db.Tasks(ctx, r.ID)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if t.State.Live() && t.Mark != nil {
				e.performer.Reserve(r, t)
			}
		}
	}
	return nil
}

// gpuFinding says how many GPUs tasks may have.
func gpuFinding(o options) finding {
	list, ignore, err := o.gpus()
	switch {
	case err != nil:
		return finding{"gpus", missing, err.Error()}
	case ignore:
		return finding{"gpus", degraded, "none: tasks that ask for GPUs run without, as --gpus ignore says"}
	case len(list) == 0:
		return finding{"gpus", missing, "none: there is no /dev/nvidia0; tasks that ask for GPUs fail at once, and with --gpus ignore run without"}
	}
	var names []string
	for _, g := range list {
		name := g.Node
		if name == "" {
			name = filepath.Join(o.devices, "nvidia"+strconv.Itoa(g.Index)) + " (which is not here)"
		}
		if g.UUID != "" {
			name += " (" + g.UUID + ")"
		}
		names = append(names, name)
	}
	return finding{"gpus", fine, fmt.Sprintf("%d: %s", len(list), strings.Join(names, ", "))}
}

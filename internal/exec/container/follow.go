package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

// slack is how much longer than its grace process 1 may take to end.
const slack = 15 * time.Second

// follow sees a container to its end.
func (d *Driver) follow(ctx context.Context, spec exec.Spec) (exec.Exit, error) {
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	gone := make(chan error, 1)
	go func() { gone <- d.wait(following, d.name(spec.ID)) }()
	var err error
	select {
	case err = <-gone:
	case <-ctx.Done():
		if context.Cause(ctx) == exec.ErrDetach {
			cancel()
			<-gone //nolint:errcheck // it was told to give up
			return exec.Exit{}, exec.ErrDetach
		}
		err = d.stop(following, spec, gone)
	}
	if err != nil {
		return exec.Exit{}, fmt.Errorf("attempt %s: %w", spec.ID, err)
	}
	return d.exit(ctx, spec.ID)
}

// wait returns when a container does not run, or is not there. An engine that is
// away, as while it is upgraded, is given time.
func (d *Driver) wait(ctx context.Context, name string) error {
	pause, away := 100*time.Millisecond, time.Time{}
	for {
		w := d.engine.ContainerWait(ctx, name, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
		var err error
		select {
		case <-w.Result:
			return nil
		case err = <-w.Error:
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errdefs.IsNotFound(err):
			return nil
		}
		// A connection that held for long has not been away for long.
		if _, perr := d.engine.Ping(ctx, client.PingOptions{}); perr == nil {
			away = time.Time{}
		} else if away.IsZero() {
			away = time.Now()
		} else if time.Since(away) > patience {
			return fmt.Errorf("the container engine has been away for %s: %w", patience, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// stop has process 1 end the command, and ends process 1 if that takes too long.
func (d *Driver) stop(ctx context.Context, spec exec.Spec, gone <-chan error) error {
	// Open for reading, too, so that what is said waits for process 1 to listen.
	control, err := os.OpenFile(filepath.Join(d.report(spec.ID), cage.ControlFile), os.O_RDWR, 0)
	switch {
	case err == nil:
		defer control.Close()
		if _, err := fmt.Fprintf(control, cage.StopLine, spec.Grace); err != nil {
			return fmt.Errorf("tell it to end: %w", err)
		}
	case !errors.Is(err, os.ErrNotExist): // it was buried
		return fmt.Errorf("tell it to end: %w", err)
	}
	late := time.NewTimer(spec.Grace + slack)
	defer late.Stop()
	select {
	case err := <-gone:
		return err
	case <-late.C:
	}
	_, err = d.engine.ContainerKill(ctx, d.name(spec.ID), client.ContainerKillOptions{Signal: "SIGKILL"})
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
		return fmt.Errorf("kill it: %w", err)
	}
	return <-gone
}

// exit says how an attempt ended whose container does not run any more.
func (d *Driver) exit(ctx context.Context, id string) (exec.Exit, error) {
	report := d.report(id)
	x, ok, err := cage.ReadExit(report)
	if err != nil {
		return exec.Exit{}, fmt.Errorf("attempt %s: %w", id, err)
	}
	if ok && x.Failure != "" {
		return exec.Exit{}, fmt.Errorf("attempt %s: %s", id, x.Failure)
	}
	if ok {
		return exec.Exit{
			Code: x.Code, Signal: x.Signal, Why: exec.Why(x.Why), Started: x.Started, Ended: x.Ended,
			LastLine: x.LastLine, Result: x.Result, ResultCut: x.ResultCut, CPU: x.CPU, MaxRSS: x.MaxRSS,
		}, nil
	}
	inspecting, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	state, found, err := d.state(inspecting, id)
	if err != nil {
		return exec.Exit{}, fmt.Errorf("attempt %s: %w", id, err)
	}
	if !begun(report) {
		return exec.Exit{}, d.neverBegan(inspecting, id, state)
	}
	// Process 1 was killed, or the machine went down.
	lost := exec.Exit{Why: exec.Lost, Code: -1}
	switch {
	case ctx.Err() != nil:
		lost = exec.Exit{Why: exec.Stopped, Code: 137, Signal: "killed"} // as was asked, if not how
	case found && state.OOMKilled:
		lost = exec.Exit{Why: exec.OutOfMemory, Code: 137, Signal: "killed"}
	}
	if found {
		lost.Started, _ = time.Parse(time.RFC3339Nano, state.StartedAt)
		lost.Ended, _ = time.Parse(time.RFC3339Nano, state.FinishedAt)
	}
	return lost, nil
}

// state asks the engine about a container.
func (d *Driver) state(ctx context.Context, id string) (state container.State, found bool, err error) {
	c, err := d.engine.ContainerInspect(ctx, d.name(id), client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return state, false, nil
	}
	if err != nil || c.Container.State == nil {
		return state, false, fmt.Errorf("inspect container %s: %w", d.name(id), err)
	}
	return *c.Container.State, true, nil
}

// neverBegan is the error of an attempt whose process 1 ended before it began the
// command. The container is removed, so that it can be tried again.
func (d *Driver) neverBegan(ctx context.Context, id string, state container.State) error {
	why, err := os.ReadFile(filepath.Join(d.report(id), cage.FailureFile))
	if err != nil {
		why = fmt.Appendf(nil, "process 1 of its container ended with status %d before it began the command %s", state.ExitCode, state.Error)
		if linked(d.opts.Helper) {
			why = fmt.Appendf(why, " (%s)", builtWithCgo)
		}
	}
	_, err = d.engine.ContainerRemove(ctx, d.name(id), client.ContainerRemoveOptions{RemoveVolumes: true})
	if errdefs.IsNotFound(err) {
		err = nil
	}
	return errors.Join(fmt.Errorf("attempt %s: %s", id, why), err)
}

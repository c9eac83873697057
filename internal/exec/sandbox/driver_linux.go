//go:build !portable

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
	"fairlead/internal/flow"
)

// Driver is an [exec.Driver] that uses the kernel of this machine.
type Driver struct {
	opts Options
	look func() (*means, error) // once: what this machine permits

	// pulse is how often a keeper is asked whether it answers, and patience how
	// long it may take.
	pulse, patience time.Duration

	mu       sync.Mutex // guards what follows
	keeper   *process   // the last one that this process started
	watchers map[string]*watcher
	idle     []net.Conn // to the keeper at idleAt
	idleAt   string
}

// New returns a driver. The binary that calls it must import package cage,
// which importing this one does.
func New(opts Options) (*Driver, error) {
	root, err := filepath.Abs(opts.Root)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(root, holdName), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of attempts: %w", err)
	}
	// Without links, since it must be found, and hidden, from inside.
	if opts.Root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, fmt.Errorf("make the directory of attempts: %w", err)
	}
	d := &Driver{opts: opts, pulse: 10 * time.Second, patience: time.Minute, watchers: map[string]*watcher{}}
	d.look = sync.OnceValues(d.explore)
	return d, nil
}

// holdName is an empty directory over which roots are built. It is no ID.
const holdName = "~hold"

// Run implements [exec.Driver].
func (d *Driver) Run(ctx context.Context, spec exec.Spec, handle string, started func(handle string) error) (exec.Exit, error) {
	if err := check(spec); err != nil {
		return exec.Exit{}, err
	}
	if context.Cause(ctx) == exec.ErrDetach {
		return exec.Exit{}, exec.ErrDetach
	}
	m, err := d.look()
	if err != nil {
		return exec.Exit{}, err
	}
	r := cage.Request{Op: cage.OpRun, ID: spec.ID, Known: handle != "", Stopped: ctx.Err() != nil, Grace: spec.Grace}
	if !r.Known {
		if err := os.MkdirAll(filepath.Dir(spec.Log), 0o755); err != nil {
			return exec.Exit{}, err
		}
		if r.Config, err = d.config(m, d.dir(spec.ID), spec); err != nil {
			return exec.Exit{}, err
		}
	}
	for attempt := 0; ; attempt++ {
		x, again, err := d.follow(ctx, m, r, &handle, started)
		if !again || attempt == maxKeepers {
			return x, err
		}
		// The keeper ended before it had told how. The next one knows what
		// became of the attempt, and starts it if it was not claimed.
	}
}

// maxKeepers is how often one Run turns to another keeper.
const maxKeepers = 5

// follow sees an attempt through with one keeper. again says that this one has
// gone away.
func (d *Driver) follow(ctx context.Context, m *means, r cage.Request, handle *string, started func(string) error) (x exec.Exit, again bool, err error) {
	fail := func(err error) (exec.Exit, bool, error) {
		return exec.Exit{}, false, fmt.Errorf("attempt %s: %w", r.ID, err)
	}
	var a cage.Answer
	socket := m.socket()
	defer d.watch(socket)()
	conn, err := d.ask(m, socket, r, &a)
	if err != nil {
		return exec.Exit{}, errors.Is(err, errGone), fmt.Errorf("attempt %s: %w", r.ID, err)
	}
	if a.Elsewhere != "" {
		d.putIdle(socket, conn)
		socket = a.Elsewhere
		defer d.watch(socket)()
		if conn, err = d.ask(m, socket, r, &a); err != nil {
			return exec.Exit{}, errors.Is(err, errGone), fmt.Errorf("attempt %s: %w", r.ID, err)
		}
	}
	defer func() {
		if a.Exit != nil && ctx.Err() == nil { // else a request to stop may be under way
			d.putIdle(socket, conn)
		} else {
			conn.Close()
		}
	}()
	switch {
	case a.Failure != "":
		return fail(errors.New(a.Failure))
	case a.Lost:
		// It was started, and nothing is known of it: nobody can say how it
		// ended.
		return exec.Exit{Why: exec.Lost, Code: -1}, false, nil
	case !a.Running:
		return fail(fmt.Errorf("the keeper's answer says nothing: %+v", a))
	}
	if *handle == "" {
		if started != nil {
			if err := started(handlePrefix + r.ID); err != nil {
				return exec.Exit{}, false, err
			}
		}
		*handle = handlePrefix + r.ID
	}
	for a.Exit == nil {
		// One that asks for the end, and one that lets the attempt go.
		unwatch := context.AfterFunc(ctx, func() {
			if context.Cause(ctx) == exec.ErrDetach {
				conn.Close()
				return
			}
			_ = cage.WriteMessage(conn, cage.Request{Op: cage.OpStop, ID: r.ID, Grace: r.Grace}) // else it has ended
		})
		err := cage.ReadMessage(conn, &a)
		unwatch()
		switch {
		case context.Cause(ctx) == exec.ErrDetach:
			return exec.Exit{}, false, exec.ErrDetach
		case err != nil:
			return exec.Exit{}, true, fmt.Errorf("attempt %s: its keeper is gone: %w", r.ID, err)
		case a.Failure != "":
			return fail(errors.New(a.Failure))
		}
	}
	x, err = exitOf(r.ID, *a.Exit)
	if err == nil && x.Why == exec.Lost && ctx.Err() != nil {
		x.Why, x.Code, x.Signal = exec.Stopped, 137, "killed" // as was asked, if not how
	}
	return x, false, err
}

// config says what the keeper is to do.
func (d *Driver) config(m *means, dir string, spec exec.Spec) (*cage.Config, error) {
	c := &cage.Config{
		Dir: dir, Plain: m.plain(), Hold: filepath.Join(d.opts.Root, holdName),
		Network: spec.Network == "none", Mask: spec.Mask,
		Argv: spec.Argv, Env: spec.Env, Stdin: spec.Stdin, Chdir: spec.Dir,
		Log: spec.Log, Logger: spec.Logger, Level: spec.Level,
		Show: m.show, Hide: m.hide, Mounts: sortMounts(spec.Mounts),
		Output: spec.Limits.Output, Disk: spec.Limits.Disk, Wall: spec.Limits.Wall, Grace: spec.Grace,
	}
	for _, f := range spec.Forwards {
		c.Forwards = append(c.Forwards, cage.Forward(f))
	}
	if spec.Warm != nil {
		c.Warm = &cage.Warm{Argv: spec.Warm.Argv, Mounts: sortMounts(spec.Warm.Mounts)}
	}
	if c.Level == "" {
		c.Level = "info"
	}
	if c.Plain {
		if c.Network {
			return nil, flow.Errorf(flow.Invalid, "a command without network needs namespaces, which this machine does not permit: %s", m.why)
		}
		if err := flatten(c); err != nil {
			return nil, err
		}
	}
	lend(c, spec.GPUs)
	c.Groups, c.Rlimits = m.limits(spec.ID, spec.Limits)
	return c, nil
}

// request asks the keeper for something that has one answer.
func (d *Driver) request(r cage.Request) (a cage.Answer, err error) {
	m, err := d.look()
	if err != nil {
		return a, err
	}
	socket := m.socket()
	for range maxKeepers {
		stop := d.watch(socket)
		conn, err := d.ask(m, socket, r, &a)
		stop()
		if errors.Is(err, errGone) {
			socket = m.socket()
			continue
		}
		if err != nil {
			return a, err
		}
		d.putIdle(socket, conn)
		if a.Elsewhere != "" && socket == m.socket() {
			socket = a.Elsewhere
			continue
		}
		if a.Failure != "" {
			return a, errors.New(a.Failure)
		}
		return a, nil
	}
	return a, errGone
}

// end kills an attempt if it runs.
func (d *Driver) end(id string) error {
	_, err := d.request(cage.Request{Op: cage.OpKill, ID: id})
	return err
}

// Forget implements [exec.Driver]. An attempt that runs is not forgotten.
func (d *Driver) Forget(id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	a, err := d.request(cage.Request{Op: cage.OpForget, ID: id})
	if err != nil {
		return fmt.Errorf("forget attempt %s: %w", id, err)
	}
	if a.Busy {
		return flow.Errorf(flow.Conflict, "attempt %s is still running", id)
	}
	return nil
}

// known returns the attempts of which anything is kept.
func (d *Driver) known() (ids []string, err error) {
	if _, err := os.Stat(filepath.Join(d.opts.Root, cage.JournalFile)); errors.Is(err, os.ErrNotExist) {
		return nil, nil // and no keeper need be started
	}
	a, err := d.request(cage.Request{Op: cage.OpList})
	return a.IDs, err
}

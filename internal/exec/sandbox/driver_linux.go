//go:build !portable

package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
	"fairlead/internal/flow"
)

// Driver is an [exec.Driver] that uses the kernel of this machine.
type Driver struct {
	opts Options
	look func() (*means, error) // once: what this machine permits
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
	d := &Driver{opts: opts}
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
	dir := d.dir(spec.ID)
	var claim cage.Claim
	claimed, err := readJSON(dir, cage.ClaimFile, &claim)
	if err != nil {
		return exec.Exit{}, err
	}
	if !claimed {
		if handle != "" {
			// It was started, and its directory is gone or was never
			// written to disk: nobody can say how it ended.
			return exec.Exit{Why: exec.Lost, Code: -1}, nil
		}
		if ctx.Err() != nil {
			if err := bury(dir); err != nil {
				return exec.Exit{}, fmt.Errorf("stop attempt %s before it starts: %w", spec.ID, err)
			}
			if _, err := readJSON(dir, cage.ClaimFile, &claim); err != nil {
				return exec.Exit{}, err
			}
		} else if claim, err = d.start(dir, spec); err != nil {
			return exec.Exit{}, fmt.Errorf("start attempt %s: %w", spec.ID, err)
		}
	}
	if handle == "" && started != nil {
		if err := started(handlePrefix + spec.ID); err != nil {
			return exec.Exit{}, err
		}
	}
	return d.follow(ctx, spec.ID, claim, spec.Grace)
}

// startTimeout bounds the building of a cage.
const startTimeout = time.Minute

// start starts a supervisor for a new attempt and returns the claim of the
// one that has it, which may be another.
func (d *Driver) start(dir string, spec exec.Spec) (cage.Claim, error) {
	var claim cage.Claim
	m, err := d.look()
	if err != nil {
		return claim, err
	}
	if err := makeDirs(dir); err != nil {
		return claim, err
	}
	if err := os.MkdirAll(filepath.Dir(spec.Log), 0o755); err != nil {
		return claim, err
	}
	config, err := d.config(m, dir, spec)
	if err != nil {
		return claim, err
	}
	status, err := m.spawn(config, spec.Stdin)
	if err != nil {
		return claim, err
	}
	if status.Failure != "" {
		return claim, errors.New(status.Failure)
	}
	ok, err := readJSON(dir, cage.ClaimFile, &claim)
	if err == nil && !ok {
		err = errors.New("the claim has vanished")
	}
	return claim, err
}

// config says what the supervisor is to do.
func (d *Driver) config(m *means, dir string, spec exec.Spec) (*cage.Config, error) {
	c := &cage.Config{
		Dir: dir, Plain: m.plain(), Hold: filepath.Join(d.opts.Root, holdName),
		Network: spec.Network == "none",
		Argv:    spec.Argv, Env: spec.Env, Chdir: spec.Dir,
		Log: spec.Log, Logger: spec.Logger, Level: spec.Level,
		Show: m.show, Hide: m.hide, Mounts: sortMounts(spec.Mounts),
		Output: spec.Limits.Output, Wall: spec.Limits.Wall, Grace: spec.Grace,
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
	c.Groups, c.Rlimits = m.limits(spec.ID, spec.Limits)
	return c, nil
}

// spawn starts a supervisor and returns its answer. The supervisor is a child
// of this process but not tied to its life.
func (m *means) spawn(c *cage.Config, stdin []byte) (cage.Status, error) {
	var status cage.Status
	b, err := json.Marshal(c)
	if err != nil {
		return status, err
	}
	// In memory, not on disk: the environment holds secrets.
	config, err := memFile("config", b)
	if err != nil {
		return status, err
	}
	defer config.Close()
	var in *os.File
	if len(stdin) > 0 {
		in, err = memFile("stdin", stdin)
	} else {
		in, err = os.Open(os.DevNull)
	}
	if err != nil {
		return status, err
	}
	defer in.Close()
	// Not on disk either: a new inode can cost more than the rest of a start
	// on ext4, which searches past those that were deleted of late.
	stderr, err := memFile("stderr", nil)
	if err != nil {
		return status, err
	}
	defer stderr.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return status, err
	}
	defer r.Close()

	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir: "/",
		// The runtime would read control groups to size itself.
		Env:   []string{"GOMAXPROCS=2", "GODEBUG=containermaxprocs=0,updatemaxprocs=0"},
		Files: []uintptr{in.Fd(), stderr.Fd(), stderr.Fd(), config.Fd(), w.Fd()},
		Sys:   m.attr(c.Network),
	}
	attr.Sys.PidFD = &pidfd
	pid, err := syscall.ForkExec("/proc/self/exe", []string{cage.Name}, attr)
	w.Close()
	if err != nil {
		return status, fmt.Errorf("start the supervisor: %w", err)
	}
	p := process{pid: pid, fd: pidfd}
	defer p.close()
	_ = r.SetReadDeadline(time.Now().Add(startTimeout))
	line, err := bufio.NewReader(r).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &status)
	}
	if err != nil {
		p.kill()
		_ = p.wait(context.Background())
		p.reap()
		said := make([]byte, 2000)
		n, _ := stderr.ReadAt(said, 0)
		if errors.Is(err, io.EOF) {
			err = errors.New("it ended without an answer")
		}
		return status, fmt.Errorf("start the supervisor: %w: %s", err, said[:n])
	}
	if !status.Running {
		_ = p.wait(context.Background())
		p.reap()
	}
	return status, nil
}

// memFile returns an unnamed file in memory with the given content, to be
// read from its start.
func memFile(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(content); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// killMargin is what a supervisor gets beyond the grace before it is killed
// itself.
const killMargin = 10 * time.Second

// follow sees a claimed attempt through.
func (d *Driver) follow(ctx context.Context, id string, claim cage.Claim, grace time.Duration) (exec.Exit, error) {
	p, err := find(claim)
	if err != nil {
		return exec.Exit{}, err
	}
	killed := false
	if p != nil {
		defer p.close()
		if err := p.wait(ctx); err != nil {
			if context.Cause(ctx) == exec.ErrDetach {
				return exec.Exit{}, exec.ErrDetach
			}
			if ctx.Err() == nil {
				return exec.Exit{}, err
			}
			if killed, err = d.stop(p, id, grace); err != nil {
				return exec.Exit{}, err
			}
		}
		p.reap()
	}
	var x cage.Exit
	ok, err := readJSON(d.dir(id), cage.ExitFile, &x)
	switch {
	case err != nil:
		return exec.Exit{}, err
	case ok:
		return exitOf(id, x)
	}
	removeGroups(claim)
	if killed {
		return exec.Exit{Why: exec.Stopped, Code: 137, Signal: "killed", Ended: time.Now()}, nil
	}
	return exec.Exit{Why: exec.Lost, Code: -1, Ended: time.Now()}, nil
}

// stop ends an attempt that runs and returns when it has ended; killed says
// that its supervisor had to be killed.
func (d *Driver) stop(p *process, id string, grace time.Duration) (killed bool, err error) {
	control, err := os.OpenFile(filepath.Join(d.dir(id), cage.ControlFile), os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		_, err = fmt.Fprintf(control, "stop %d\n", grace.Milliseconds())
		control.Close()
	}
	patience := grace + killMargin
	if err != nil && !errors.Is(err, syscall.ENXIO) { // ENXIO: it is just ending
		patience = 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = p.wait(ctx)
	if err == nil || ctx.Err() == nil {
		return false, err
	}
	p.kill()
	return true, p.wait(context.Background())
}

// end kills an attempt if it runs.
func (d *Driver) end(id string) error {
	var claim cage.Claim
	ok, err := readJSON(d.dir(id), cage.ClaimFile, &claim)
	if err != nil || !ok {
		return err
	}
	p, err := find(claim)
	if err != nil || p == nil {
		return err
	}
	defer p.close()
	p.kill()
	err = p.wait(context.Background())
	p.reap()
	return err
}

// Forget implements [exec.Driver]. An attempt that runs is not forgotten.
func (d *Driver) Forget(id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	var claim cage.Claim
	if ok, _ := readJSON(d.dir(id), cage.ClaimFile, &claim); ok {
		p, err := find(claim)
		if err != nil {
			return err
		}
		if p != nil {
			ended := p.ended()
			p.reap()
			p.close()
			if !ended {
				return flow.Errorf(flow.Conflict, "attempt %s is still running", id)
			}
		}
	}
	removeGroups(claim)
	if err := os.RemoveAll(d.dir(id)); err != nil {
		return fmt.Errorf("forget attempt %s: %w", id, err)
	}
	return nil
}

// Package container runs commands in containers of an engine that serves the
// Docker Engine API, as Docker and Podman do. Process 1 of each container is this
// program's own (package cage): it writes the log and the exit beside the
// attempt's other files on this machine, so that neither needs the server, and
// the engine is asked only to start a container, to say when it has ended, and to
// remove it. What decides whether an attempt has begun is a file that process 1
// makes, never the engine's word.
package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
	"fairlead/internal/flow"
)

// Options say where attempts live and what they run in.
type Options struct {
	// Root is the directory that keeps the attempts, one directory each. It is
	// made if need be, and belongs to one server at a time.
	Root string
	// Image is what a command without an image of its own runs in; empty means
	// that each must have one.
	Image string
	// Helper is the file of process 1: a program for Linux that imports package
	// cage, linked statically unless every image has its libraries. Empty means
	// this program.
	Helper string
	// Path is a PATH that says nothing: where a command's PATH is, or ends in,
	// this one, that of the image stands in for it.
	Path string
}

// Driver is an [exec.Driver] that uses a container engine.
type Driver struct {
	opts       Options
	engine     *client.Client
	info       system.Info
	deployment string // tells the containers of this Root from all others
}

// The labels of a container.
const (
	deploymentLabel = "fairlead.deployment"
	attemptLabel    = "fairlead.attempt"
)

// deploymentFile is kept in Root. It is no ID.
const deploymentFile = "~deployment"

// patience is how long an engine may take to answer a small request, and how long
// it may be away while an attempt runs.
const patience = 2 * time.Minute

// New returns a driver that uses the engine that DOCKER_HOST names, or else the
// one at the usual socket. It is an error if none answers there.
func New(ctx context.Context, opts Options) (*Driver, error) {
	if runtime.GOOS != "linux" {
		return nil, flow.Errorf(flow.Invalid, "tasks in containers need a server on Linux: run it in a virtual machine, or without --driver container")
	}
	engine, err := client.New(client.FromEnv)
	if err != nil {
		return nil, fmt.Errorf("use the container engine: %w", err)
	}
	d := &Driver{opts: opts, engine: engine}
	if err := d.prepare(ctx); err != nil {
		engine.Close()
		return nil, err
	}
	return d, nil
}

func (d *Driver) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	info, err := d.engine.Info(ctx, client.InfoOptions{})
	if err != nil {
		return fmt.Errorf("the container engine at %s does not answer: start Docker or Podman (podman system service), or name its socket in DOCKER_HOST: %w", d.engine.DaemonHost(), err)
	}
	if d.info = info.Info; d.info.OSType != "linux" {
		return fmt.Errorf("the container engine at %s runs containers of %s; Linux is needed", d.engine.DaemonHost(), d.info.OSType)
	}
	if d.opts.Helper == "" {
		if d.opts.Helper, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
	}
	if d.opts.Root, err = filepath.Abs(d.opts.Root); err != nil {
		return err
	}
	if err := os.MkdirAll(d.opts.Root, 0o700); err != nil {
		return fmt.Errorf("make the directory of attempts: %w", err)
	}
	if d.deployment, err = identity(d.opts.Root); err != nil {
		return fmt.Errorf("name the containers of %s: %w", d.opts.Root, err)
	}
	return nil
}

// Close lets go of the engine. Containers go on.
func (d *Driver) Close() error { return d.engine.Close() }

// identity returns what is kept in root to tell its containers from others.
func identity(root string) (string, error) {
	name := filepath.Join(root, deploymentFile)
	fresh, err := os.CreateTemp(root, deploymentFile+".")
	if err != nil {
		return "", err
	}
	defer os.Remove(fresh.Name())
	key := make([]byte, 6)
	_, _ = rand.Read(key) // never fails
	_, err = fresh.WriteString(hex.EncodeToString(key))
	if err := errors.Join(err, fresh.Sync(), fresh.Close()); err != nil {
		return "", err
	}
	if err := os.Link(fresh.Name(), name); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	id, err := os.ReadFile(name)
	if err == nil && len(id) != hex.EncodedLen(len(key)) {
		err = fmt.Errorf("%s holds %.40q, which no server has written", name, id)
	}
	return string(id), err
}

func (d *Driver) dir(id string) string    { return filepath.Join(d.opts.Root, id) }
func (d *Driver) report(id string) string { return filepath.Join(d.dir(id), cage.ReportDir) }

// name is that of the attempt's container. There can be one of a name only.
func (d *Driver) name(id string) string { return "fairlead-" + d.deployment + "-" + id }

// handlePrefix begins handles, which say nothing that the ID does not say.
const handlePrefix = "container:"

// Run implements [exec.Driver].
func (d *Driver) Run(ctx context.Context, spec exec.Spec, handle string, started func(handle string) error) (exec.Exit, error) {
	if err := check(spec); err != nil {
		return exec.Exit{}, err
	}
	if context.Cause(ctx) == exec.ErrDetach {
		return exec.Exit{}, exec.ErrDetach
	}
	if _, err := os.Stat(d.dir(spec.ID)); handle != "" && errors.Is(err, os.ErrNotExist) {
		// It was started, and nothing is known of it: nobody can say how it ended.
		return exec.Exit{Why: exec.Lost, Code: -1}, nil
	}
	fail := func(err error) (exec.Exit, error) {
		return exec.Exit{}, fmt.Errorf("attempt %s: %w", spec.ID, err)
	}
	if err := makeDirs(d.dir(spec.ID)); err != nil {
		return fail(err)
	}
	end, err := relay(d.report(spec.ID), spec.Forwards)
	if err != nil {
		return fail(err)
	}
	defer end()
	if err := d.begin(ctx, spec); err != nil {
		switch {
		case ctx.Err() == nil:
			return fail(err)
		case context.Cause(ctx) == exec.ErrDetach:
			return exec.Exit{}, exec.ErrDetach
		}
		// It was told to end before it had begun, if it had not.
		if err := cage.Bury(d.report(spec.ID)); err != nil {
			return fail(err)
		}
	}
	if handle == "" && started != nil {
		if err := started(handlePrefix + spec.ID); err != nil {
			return exec.Exit{}, err
		}
	}
	return d.follow(ctx, spec)
}

// check refuses a spec that cannot be run as it is written.
func check(s exec.Spec) error {
	if err := s.Check(); err != nil {
		return err
	}
	for _, m := range s.Mounts {
		if t := filepath.Clean(m.Target); exec.Within(t, cage.InsideHold) || exec.Within(cage.InsideHold, t) || t == cage.InsideName {
			return flow.Errorf(flow.Invalid, "attempt %s: mount at %q: %s and %s are those of process 1", s.ID, m.Target, cage.InsideHold, cage.InsideName)
		}
	}
	return nil
}

// begin starts the container unless the command has begun before. However often
// it is called, and whatever crashes in between, process 1 lets the command begin
// once.
func (d *Driver) begin(ctx context.Context, spec exec.Spec) error {
	if begun(d.report(spec.ID)) {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	img, err := d.image(ctx, spec)
	if err != nil {
		return err
	}
	if err := d.writeOrder(spec, img); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // what is begun is seen through
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		again, err := d.start(ctx, spec, img)
		if !again || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// start makes the container, if nobody has, and starts it. again says that it is
// being made, or removed, by somebody else.
func (d *Driver) start(ctx context.Context, spec exec.Spec, img image) (again bool, err error) {
	name := d.name(spec.ID)
	_, err = d.engine.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: name, Config: d.config(spec, img), HostConfig: d.hostConfig(spec),
	})
	found := errdefs.IsConflict(err) // made before
	switch {
	case found:
	case errdefs.IsInvalidArgument(err):
		return false, flow.Errorf(flow.Invalid, "the container engine refuses the attempt %s: %w", spec.ID, err)
	case err != nil:
		return false, fmt.Errorf("create container %s: %w", name, err)
	}
	_, err = d.engine.ContainerStart(ctx, name, client.ContainerStartOptions{})
	switch {
	case err == nil || begun(d.report(spec.ID)):
		return false, nil
	case found && (errdefs.IsNotFound(err) || errdefs.IsConflict(err)):
		return true, fmt.Errorf("start container %s: %w", name, err)
	}
	if len(spec.GPUs) > 0 && strings.Contains(err.Error(), "could not select device driver") {
		err = flow.Errorf(flow.Invalid, "the container engine has no means to give containers GPUs: install the NVIDIA Container Toolkit beside it (%w)", err)
	}
	if strings.Contains(err.Error(), cage.InsideName) && linked(d.opts.Helper) {
		err = fmt.Errorf("%w (%s)", err, builtWithCgo)
	}
	// Another try makes it anew.
	_, rerr := d.engine.ContainerRemove(ctx, name, client.ContainerRemoveOptions{RemoveVolumes: true})
	if errdefs.IsNotFound(rerr) {
		rerr = nil
	}
	return false, errors.Join(fmt.Errorf("start container %s: %w", name, err), rerr)
}

// begun reports whether an attempt was claimed, by its process 1 or by whoever
// buried it.
func begun(report string) bool {
	_, err := os.Stat(filepath.Join(report, cage.ClaimFile))
	return err == nil
}

// makeDirs makes the directories of an attempt; they may be there.
func makeDirs(dir string) error {
	for _, sub := range []string{"", cage.WorkDir, cage.TempDir, cage.ReportDir} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return os.Chmod(filepath.Join(dir, cage.TempDir), 0o777|os.ModeSticky)
}

// Forget implements [exec.Driver]. An attempt that runs is not forgotten.
func (d *Driver) Forget(id string) error {
	if err := exec.CheckID(id); err != nil {
		return err
	}
	if _, err := os.Stat(d.dir(id)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	_, ended, err := cage.ReadExit(d.report(id))
	if err != nil {
		return fmt.Errorf("forget attempt %s: %w", id, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// The container of an attempt that has ended may need a moment more.
	_, err = d.engine.ContainerRemove(ctx, d.name(id), client.ContainerRemoveOptions{RemoveVolumes: true, Force: ended})
	switch {
	case errdefs.IsConflict(err) && !ended:
		return flow.Errorf(flow.Conflict, "attempt %s is still running", id)
	case err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err):
		return fmt.Errorf("forget attempt %s: %w", id, err)
	}
	if err := os.RemoveAll(d.dir(id)); err != nil {
		return fmt.Errorf("forget attempt %s: %w", id, err)
	}
	return nil
}

// Sweep removes what is kept of every attempt that keep does not want; those
// that still run are killed. It is meant for the start of a server, when no
// other method is called. Containers of other deployments are not touched.
func (d *Driver) Sweep(keep func(id string) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	list, err := d.engine.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", deploymentLabel+"="+d.deployment),
	})
	if err != nil {
		return fmt.Errorf("sweep attempts: %w", err)
	}
	var errs []error
	for _, c := range list.Items {
		if keep(c.Labels[attemptLabel]) {
			continue
		}
		_, err := d.engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{RemoveVolumes: true, Force: true})
		if err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("sweep attempt %s: %w", c.Labels[attemptLabel], err))
		}
	}
	entries, err := os.ReadDir(d.opts.Root)
	errs = append(errs, err)
	for _, e := range entries {
		if id := e.Name(); e.IsDir() && exec.CheckID(id) == nil && !keep(id) {
			errs = append(errs, os.RemoveAll(d.dir(id)))
		}
	}
	return errors.Join(errs...)
}

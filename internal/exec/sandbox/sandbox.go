// Package sandbox runs commands in cages made of this machine's kernel:
// namespaces, control groups and resource limits, without any other program.
// One process, the keeper of package cage, sees all attempts of a
// directory through and outlives the server. What is known of an attempt is in
// the keeper's journal, so that a server finds it again by its ID alone.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
	"fairlead/internal/flow"
)

// Options say where attempts live and what they see of the machine.
type Options struct {
	// Root is the directory that keeps the attempts, one directory each. It
	// is made if need be, belongs to one driver at a time, and is never seen
	// from inside a cage.
	Root string
	// Show are more files and directories that every cage shows read-only
	// at their own places, beside /usr, /etc, /opt and the like.
	Show []string
	// Hide are files and directories that no cage shows, such as the
	// server's data directory when it lies below /opt.
	Hide []string
	// Plain asks for plain processes, whatever this machine permits.
	Plain bool
	// Fleeting says that Root goes with this process, and that nobody looks for
	// attempts after the machine has failed: nothing waits for the disk.
	Fleeting bool
}

// The masker of a keeper bears what a spec may ask of it.
var _ [cage.MaxMask - exec.MaxMask]struct{}

// A Handle of this driver says nothing that the ID does not say.
const handlePrefix = "sandbox:"

// WorkDir returns where this machine keeps the working directory of an
// attempt. It is there until the attempt is forgotten.
func (d *Driver) WorkDir(id string) string { return filepath.Join(d.dir(id), cage.WorkDir) }

func (d *Driver) dir(id string) string { return filepath.Join(d.opts.Root, id) }

// checkID refuses an id that is not one.
func checkID(id string) error {
	if id == cage.KeeperFile {
		return flow.Errorf(flow.Invalid, "attempt id %q is the name of a file of the driver", id)
	}
	return exec.CheckID(id)
}

// check refuses a spec that cannot be run as it is written.
func check(s exec.Spec) error {
	if s.Image != "" {
		return flow.Errorf(flow.Invalid, "attempt %s asks for the image %q, which needs containers: fairlead serve --driver container", s.ID, s.Image)
	}
	if err := checkID(s.ID); err != nil {
		return err
	}
	return s.Check()
}

// within reports whether path is dir or below it. Both are clean.
func within(path, dir string) bool { return exec.Within(path, dir) }

// exitOf turns a keeper's report into the driver's answer.
func exitOf(id string, x cage.Exit) (exec.Exit, error) {
	if x.Failure != "" {
		return exec.Exit{}, fmt.Errorf("attempt %s: %s", id, x.Failure)
	}
	return exec.Exit{
		Code: x.Code, Signal: x.Signal, Why: exec.Why(x.Why), Started: x.Started, Ended: x.Ended,
		LastLine: x.LastLine, Result: x.Result, ResultCut: x.ResultCut, CPU: x.CPU, MaxRSS: x.MaxRSS,
	}, nil
}

// probePrefix begins the names of directories in which the machine is tried
// out. They are no IDs. A server that is killed meanwhile leaves one.
const probePrefix = "~probe."

// Sweep removes what is kept of every attempt that keep does not want; those
// that still run are killed. It is meant for the start of a server, when no
// other method is called.
func (d *Driver) Sweep(keep func(id string) bool) error {
	ids, err := d.known() // and the machine has been tried out, if it had to be
	if err != nil {
		return fmt.Errorf("sweep attempts: %w", err)
	}
	entries, err := os.ReadDir(d.opts.Root)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep attempts: %w", err)
	}
	var errs []error
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), probePrefix):
			errs = append(errs, os.RemoveAll(filepath.Join(d.opts.Root, e.Name())))
		case e.IsDir():
			ids = append(ids, e.Name())
		}
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if checkID(id) != nil || keep(id) {
			continue
		}
		if err := d.end(id); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, d.Forget(id))
	}
	return errors.Join(errs...)
}

// sortMounts orders mounts so that one inside another comes after it.
func sortMounts(list []exec.Mount) []cage.Mount {
	out := make([]cage.Mount, len(list))
	for i, m := range list {
		out[i] = cage.Mount{Source: filepath.Clean(m.Source), Target: filepath.Clean(m.Target), Writable: m.Writable}
	}
	slices.SortStableFunc(out, func(a, b cage.Mount) int {
		return strings.Count(a.Target, "/") - strings.Count(b.Target, "/")
	})
	return out
}

// lend gives a command GPUs: their device files, where it does not see those of
// the machine, and what says which are its own.
func lend(c *cage.Config, gpus []exec.GPU) {
	if !c.Plain {
		for _, node := range exec.GPUNodes(gpus) {
			c.Mounts = append(c.Mounts, cage.Mount{Source: node, Target: "/dev/" + filepath.Base(node), Writable: true})
		}
	}
	c.Env = append(slices.Clone(c.Env), exec.GPUEnv(gpus, !c.Plain)...)
}

// flatten prepares a command for a machine without namespaces: it sees the
// machine's own files, so words that begin with the target of a mount are
// made to name its source.
func flatten(c *cage.Config) error {
	for _, mt := range c.Mounts {
		if _, err := os.Stat(mt.Source); err != nil {
			return fmt.Errorf("mount %s at %s: %w", mt.Source, mt.Target, err)
		}
	}
	move := func(s string) string {
		for _, mt := range c.Mounts {
			if within(s, mt.Target) {
				return mt.Source + strings.TrimPrefix(s, mt.Target)
			}
		}
		return s
	}
	argv := make([]string, len(c.Argv))
	for i, a := range c.Argv {
		argv[i] = move(a)
	}
	env := make([]string, len(c.Env))
	for i, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		parts := strings.Split(value, ":")
		for j, p := range parts {
			parts[j] = move(p)
		}
		env[i] = name + "=" + strings.Join(parts, ":")
	}
	c.Argv, c.Env, c.Chdir = argv, env, move(c.Chdir)
	if within(c.Chdir, cage.Home) {
		c.Chdir = filepath.Join(c.Dir, cage.WorkDir) + strings.TrimPrefix(c.Chdir, cage.Home)
	}
	c.Mounts = nil
	return nil
}

// Package sandbox runs commands in cages made of this machine's kernel:
// namespaces, control groups and resource limits, without any other program.
// Each attempt has a supervisor, package cage, that outlives the server. All
// that is known of an attempt is in a directory of its own, so that a server
// finds it again by its ID alone.
package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
}

// A Handle of this driver says nothing that the ID does not say.
const handlePrefix = "sandbox:"

// WorkDir returns where this machine keeps the working directory of an
// attempt. It is there until the attempt is forgotten.
func (d *Driver) WorkDir(id string) string { return filepath.Join(d.dir(id), cage.WorkDir) }

func (d *Driver) dir(id string) string { return filepath.Join(d.opts.Root, id) }

// checkID refuses an id that is not one.
func checkID(id string) error {
	ok := id != "" && len(id) <= 200 && id != "." && id != ".."
	for _, c := range []byte(id) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-", c) >= 0)
	}
	if !ok {
		return flow.Errorf(flow.Invalid, "attempt id %.210q must be 1 to 200 of A-Z a-z 0-9 . _ -, and not . or ..", id)
	}
	return nil
}

// maxArgs bounds the bytes of arguments and environment together. The kernel
// has a bound of its own, and a worse message.
const maxArgs = 4 << 20

// check refuses a spec that cannot be run as it is written.
func check(s exec.Spec) error {
	if err := checkID(s.ID); err != nil {
		return err
	}
	bad := func(format string, args ...any) error {
		return flow.Errorf(flow.Invalid, "attempt %s: %s", s.ID, fmt.Sprintf(format, args...))
	}
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return bad("the command is empty")
	}
	size := 0
	for _, list := range [][]string{s.Argv, s.Env} {
		for _, a := range list {
			size += len(a) + 1
			if strings.IndexByte(a, 0) >= 0 {
				return bad("%.80q has a NUL byte, which no argument or variable can hold", a)
			}
		}
	}
	if size > maxArgs {
		return bad("arguments and environment have %d bytes; at most %d are possible", size, maxArgs)
	}
	for _, e := range s.Env {
		if i := strings.IndexByte(e, '='); i <= 0 {
			return bad("environment entry %.80q is not KEY=value", e)
		}
	}
	if !filepath.IsAbs(s.Log) {
		return bad("the log %q is not an absolute path", s.Log)
	}
	if s.Dir != "" && !filepath.IsAbs(s.Dir) {
		return bad("the directory %q is not an absolute path", s.Dir)
	}
	for _, m := range s.Mounts {
		if !filepath.IsAbs(m.Source) || !filepath.IsAbs(m.Target) {
			return bad("mount %q at %q: both must be absolute paths", m.Source, m.Target)
		}
		t := filepath.Clean(m.Target)
		if t == "/" || within(t, "/proc") || within(t, "/dev") {
			return bad("mount at %q: /, /proc and /dev cannot be replaced", m.Target)
		}
	}
	switch s.Network {
	case "", "host", "none":
	default:
		return bad("network %q is neither \"host\" nor \"none\"", s.Network)
	}
	l := s.Limits
	if l.Memory < 0 || l.CPUs < 0 || l.PIDs < 0 || l.Files < 0 || l.Disk < 0 || l.Output < 0 || l.Wall < 0 || s.Grace < 0 {
		return bad("a limit is negative: %+v, grace %s", l, s.Grace)
	}
	return nil
}

// within reports whether path is dir or below it. Both are clean.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// exitOf turns a supervisor's report into the driver's answer.
func exitOf(id string, x cage.Exit) (exec.Exit, error) {
	if x.Failure != "" {
		return exec.Exit{}, fmt.Errorf("attempt %s: %s", id, x.Failure)
	}
	return exec.Exit{
		Code: x.Code, Signal: x.Signal, Why: exec.Why(x.Why), Started: x.Started, Ended: x.Ended,
		LastLine: x.LastLine, Result: x.Result, ResultCut: x.ResultCut, CPU: x.CPU, MaxRSS: x.MaxRSS,
	}, nil
}

// readJSON reads a file of an attempt's directory; ok is false if it is not
// there.
func readJSON(dir, name string, into any) (ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return false, fmt.Errorf("read %s of attempt %s: %w", name, filepath.Base(dir), err)
	}
	return true, nil
}

// Sweep removes what is kept of every attempt that keep does not want; those
// that still run are killed. It is meant for the start of a server.
func (d *Driver) Sweep(keep func(id string) bool) error {
	entries, err := os.ReadDir(d.opts.Root)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep attempts: %w", err)
	}
	var errs []error
	for _, e := range entries {
		id := e.Name()
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

// makeDirs makes the directories of an attempt; they may be there.
func makeDirs(dir string) error {
	for _, sub := range []string{"", cage.WorkDir, cage.TempDir} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return os.Chmod(filepath.Join(dir, cage.TempDir), 0o777|os.ModeSticky)
}

// bury ends an attempt that has not begun, so that it never will. If it has
// begun after all, nothing is done.
func bury(dir string) error {
	if err := makeDirs(dir); err != nil {
		return err
	}
	now := time.Now()
	end, err := json.Marshal(cage.Exit{Why: string(exec.Stopped), Code: -1, Started: now, Ended: now})
	if err != nil {
		return err
	}
	// The report lies ready under another name, and becomes valid with the
	// claim: a crash between the two leaves an attempt that is lost.
	grave, err := os.CreateTemp(dir, "grave.")
	if err != nil {
		return err
	}
	defer os.Remove(grave.Name())
	if _, err := grave.Write(end); err != nil {
		grave.Close()
		return err
	}
	if err := errors.Join(grave.Sync(), grave.Close()); err != nil {
		return err
	}
	claim, err := os.CreateTemp(dir, cage.ClaimFile+".")
	if err != nil {
		return err
	}
	defer os.Remove(claim.Name())
	if err := errors.Join(json.NewEncoder(claim).Encode(cage.Claim{}), claim.Sync(), claim.Close()); err != nil {
		return err
	}
	err = os.Link(claim.Name(), filepath.Join(dir, cage.ClaimFile))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Rename(grave.Name(), filepath.Join(dir, cage.ExitFile))
}

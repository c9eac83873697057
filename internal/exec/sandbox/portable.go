//go:build !linux || portable

package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
	"fairlead/internal/flow"
)

// Driver is an [exec.Driver] for machines other than Linux: a command is a
// process of the server's user in a process group of its own, without a cage.
// A command whose server dies is lost. The build tag portable chooses it on
// Linux, for tests.
type Driver struct {
	opts Options

	mu      sync.Mutex
	running map[string]chan struct{} // closed when the attempt has ended
}

// New returns a driver.
func New(opts Options) (*Driver, error) {
	if err := os.MkdirAll(opts.Root, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of attempts: %w", err)
	}
	return &Driver{opts: opts, running: map[string]chan struct{}{}}, nil
}

// Run implements [exec.Driver].
func (d *Driver) Run(ctx context.Context, spec exec.Spec, handle string, started func(string) error) (exec.Exit, error) {
	if err := check(spec); err != nil {
		return exec.Exit{}, err
	}
	if spec.Network == "none" {
		return exec.Exit{}, flow.Errorf(flow.Invalid, "attempt %s: a command without network needs Linux", spec.ID)
	}
	if context.Cause(ctx) == exec.ErrDetach {
		return exec.Exit{}, exec.ErrDetach
	}
	dir := d.dir(spec.ID)
	if ctx.Err() != nil && handle == "" {
		if err := errors.Join(makeDirs(dir), cage.Bury(dir)); err != nil {
			return exec.Exit{}, fmt.Errorf("stop attempt %s before it starts: %w", spec.ID, err)
		}
	}
	stop := make(chan struct{})
	done, err := d.start(dir, spec, handle, stop)
	if err != nil {
		return exec.Exit{}, fmt.Errorf("start attempt %s: %w", spec.ID, err)
	}
	if handle == "" && started != nil {
		if err := started(handlePrefix + spec.ID); err != nil {
			return exec.Exit{}, err
		}
	}
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			if context.Cause(ctx) == exec.ErrDetach {
				return exec.Exit{}, exec.ErrDetach
			}
			close(stop)
			<-done
		}
	}
	x, ok, err := cage.ReadExit(dir)
	if err != nil {
		return exec.Exit{}, err
	}
	if !ok {
		return exec.Exit{Why: exec.Lost, Code: -1, Ended: time.Now()}, nil
	}
	return exitOf(spec.ID, x)
}

// start starts the command unless it was started before. done is nil when
// nothing of it runs in this process.
func (d *Driver) start(dir string, spec exec.Spec, handle string, stop <-chan struct{}) (done chan struct{}, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if done := d.running[spec.ID]; done != nil || handle != "" {
		return done, nil
	}
	if err := makeDirs(dir); err != nil {
		return nil, err
	}
	claim, err := os.OpenFile(filepath.Join(dir, cage.ClaimFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(json.NewEncoder(claim).Encode(cage.Claim{PID: os.Getpid()}), claim.Sync(), claim.Close()); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(spec.Log), 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(spec.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	c := &cage.Config{
		Dir: dir, Argv: spec.Argv, Env: spec.Env, Chdir: spec.Dir, Mounts: sortMounts(spec.Mounts),
		Level: spec.Level, Logger: spec.Logger, Output: spec.Limits.Output, Mask: spec.Mask,
	}
	if err := flatten(c); err != nil {
		log.Close()
		return nil, err
	}
	c.Plain = true
	lend(c, spec.GPUs)
	done = make(chan struct{})
	d.running[spec.ID] = done
	go func() {
		defer func() {
			d.mu.Lock()
			delete(d.running, spec.ID)
			d.mu.Unlock()
			close(done)
		}()
		defer log.Close()
		x := see(c, spec, log, stop)
		b, err := json.Marshal(x)
		if err == nil {
			// Without it the attempt counts as lost, which is true.
			_ = os.WriteFile(filepath.Join(dir, cage.ExitFile), b, 0o600)
		}
	}()
	return done, nil
}

// see runs the command to its end.
func see(c *cage.Config, spec exec.Spec, log *os.File, stop <-chan struct{}) cage.Exit {
	home := filepath.Join(c.Dir, cage.WorkDir)
	cmd := osexec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Dir = c.Chdir
	if cmd.Dir == "" {
		cmd.Dir = home
	}
	cmd.Env = append([]string{"HOME=" + home, "TMPDIR=" + filepath.Join(c.Dir, cage.TempDir)}, c.Env...)
	cmd.Env = append(cmd.Env, cage.LogVar+"=3", cage.ResultVar+"=4")
	cmd.Stdin = bytes.NewReader(spec.Stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	x := cage.Exit{Started: time.Now()}
	out := cage.NewLog(log, c)
	closeOnExec()
	var files, ends [3]*os.File
	var readers sync.WaitGroup
	for i, take := range []func(*os.File){
		func(f *os.File) { x.LastLine = out.Text(f) },
		func(f *os.File) { out.Records(f) },
		func(f *os.File) { x.Result, x.ResultCut = cage.ReadResult(f) },
	} {
		r, w, err := os.Pipe()
		if err != nil {
			for _, f := range files[:i] {
				f.Close()
			}
			readers.Wait()
			x.Failure = err.Error()
			return x
		}
		files[i], ends[i] = w, r
		readers.Go(func() {
			defer r.Close()
			take(r)
		})
	}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = files[0], files[0], files[1:]
	err := cmd.Start()
	for _, f := range files {
		f.Close()
	}
	if err != nil {
		readers.Wait()
		x.Code, x.LastLine, x.Ended = 126, err.Error(), time.Now()
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, osexec.ErrNotFound) {
			x.Code = 127
		}
		return x
	}
	group := -cmd.Process.Pid
	ended := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		var late <-chan time.Time
		if spec.Limits.Wall > 0 {
			late = time.After(spec.Limits.Wall)
		}
		select {
		case <-ended:
			return
		case <-stop:
			x.Why = string(exec.Stopped)
		case <-late:
			x.Why = string(exec.OutOfTime)
		}
		_ = syscall.Kill(group, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(spec.Grace):
			_ = syscall.Kill(group, syscall.SIGKILL)
		}
	})
	_ = cmd.Wait() // the state says all
	_ = syscall.Kill(group, syscall.SIGKILL)
	close(ended)
	killer.Wait()
	// What left the group may hold the pipes; it is not waited for.
	for _, f := range ends {
		defer time.AfterFunc(time.Second, func() { f.Close() }).Stop()
	}
	readers.Wait()
	x.Code, x.Ended = cmd.ProcessState.ExitCode(), time.Now()
	x.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if st, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && st.Signaled() {
		x.Code, x.Signal = 128+int(st.Signal()), st.Signal().String()
	}
	return x
}

// closeOnExec keeps descriptors that this process inherited from commands.
func closeOnExec() {
	list, _ := os.ReadDir("/dev/fd")
	for _, e := range list {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// end waits for nothing: what runs belongs to a Run of this process.
func (d *Driver) end(string) error { return nil }

// known has nothing to add to the directories of attempts.
func (d *Driver) known() ([]string, error) { return nil, nil }

// Probe implements [exec.Driver].
func (d *Driver) Probe(context.Context) (exec.Report, error) {
	r := exec.Report{Driver: "process"}
	for _, name := range []string{
		"pid namespace", "mount namespace", "read-only system", "ipc namespace", "uts namespace", "network namespace", "forwards",
		"user namespace", "no new privileges", "memory limit", "cpu limit", "pids limit", "open files limit", "file size limit",
		"orphans are ended", "outlives the server",
	} {
		r.Measures = append(r.Measures, exec.Measure{Name: name, How: "only Linux has it: commands run as plain processes with the server's rights"})
	}
	r.Measures = append(r.Measures, exec.Measure{Name: "process group", InUse: true, How: "what a command starts is ended with it, unless it leaves the group"})
	return r, nil
}

// Forget implements [exec.Driver]. An attempt that runs is not forgotten.
func (d *Driver) Forget(id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running[id] != nil {
		return flow.Errorf(flow.Conflict, "attempt %s is still running", id)
	}
	if err := os.RemoveAll(d.dir(id)); err != nil {
		return fmt.Errorf("forget attempt %s: %w", id, err)
	}
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

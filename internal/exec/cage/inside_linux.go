package cage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"fairlead/internal/mask"
)

// liveInside is the life of process 1 of a container.
func liveInside() int {
	shield()
	if err := see(); err != nil {
		_ = os.WriteFile(path.Join(InsideDir, FailureFile), []byte(err.Error()), 0o644) // else the exit status has to do
		return 1
	}
	return 0
}

// shield keeps process 1 from what the command may try: signals from inside
// reach the first process of a namespace only where it handles them, which the
// Go runtime does, and nobody may look into its memory and descriptors.
func shield() {
	var byDefault [4]uint64 // a struct sigaction of the kernel
	for sig := uintptr(1); sig <= 64; sig++ {
		switch syscall.Signal(sig) {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGURG: // the last one is the runtime's own, and harmless
			continue
		}
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	}
	_ = prctl(prSetDumpable, 0)
}

// see sees the attempt through. An error means that nothing was begun.
func see() error {
	var o Order
	b, err := os.ReadFile(path.Join(InsideDir, OrderFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return fmt.Errorf("read %s: %w", OrderFile, err)
	}
	stdin, err := openStdin()
	if err != nil {
		return err
	}
	a := newAttempt(nil, "", &o.Config)
	a.grace = o.Grace
	if a.file, err = os.OpenFile(InsideLog, os.O_WRONLY|os.O_APPEND, 0); err != nil {
		return err
	}
	a.log = &logFile{w: a.file, level: o.Level, logger: o.Logger, limit: o.Output, texts: o.Mask, mask: mask.New(o.Mask)}
	a.output, a.records = stream{log: a.log}, stream{log: a.log, structured: true}
	a.kin = kin{uid: o.UID, gid: o.GID}
	a.groups = groupsInside()
	// Of the texts, becomeInside knows the numbers.
	a.script = &script{names: []string{o.Argv[0], "change to " + workDirInside(o)}}
	control, err := os.OpenFile(path.Join(InsideDir, ControlFile), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	p := &first{a: a, order: o, stdin: stdin}
	if err := p.pipes(); err != nil {
		return err
	}
	if err := a.forwardInside(); err != nil {
		return err
	}
	taken, err := claimInside()
	if err != nil || taken {
		return err
	}
	for _, name := range []string{OrderFile, StdinFile} {
		_ = os.Remove(path.Join(InsideDir, name)) // secrets need not lie about; the attempt's directory goes in the end
	}
	a.exit.Started = time.Now()
	// Where nothing ran it may be tried again.
	unclaim := func(err error) error { return errors.Join(err, os.Remove(path.Join(InsideDir, ClaimFile))) }
	if err := p.fork(); err != nil {
		return unclaim(fmt.Errorf("start the command: %w", err))
	}
	go p.reap()
	go heed(control, a)
	if err := a.watch(); err != nil {
		return err
	}
	if a.exit.Failure != "" {
		return unclaim(errors.New(a.exit.Failure))
	}
	a.report()
	return writeExit(InsideDir, a.exit)
}

// openStdin opens what the command shall read.
func openStdin() (*os.File, error) {
	f, err := os.Open(path.Join(InsideDir, StdinFile))
	if errors.Is(err, os.ErrNotExist) {
		return os.Open(os.DevNull)
	}
	return f, err
}

// groupsInside are the control groups of the container as it sees them, in
// which the engine has set the limits.
func groupsInside() *groups {
	g := &groups{}
	for _, s := range []struct {
		dir   string
		group Group
	}{
		{"/sys/fs/cgroup/memory", Group{Events: "memory.oom_control", Peak: "memory.max_usage_in_bytes"}},
		{"/sys/fs/cgroup", Group{V2: true, Events: "memory.events", Peak: "memory.peak"}},
	} {
		fd, err := syscall.Open(s.dir, oPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		if err == nil && readAt(fd, s.group.Events) != "" {
			g.specs, g.dirs = []Group{s.group}, []int{fd}
			break
		}
	}
	return g
}

// claimInside makes sure that the command is begun at most once, however often
// somebody starts the container.
func claimInside() (taken bool, err error) {
	f, err := os.OpenFile(path.Join(InsideDir, ClaimFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, errors.Join(f.Sync(), f.Close(), syncDir(InsideDir))
}

// writeExit writes down how an attempt ended, whole or not at all.
func writeExit(dir string, x Exit) error {
	b, err := json.Marshal(x)
	if err != nil {
		return err
	}
	name := path.Join(dir, ExitFile)
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	return errors.Join(f.Sync(), f.Close(), os.Rename(name+".new", name), syncDir(dir))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// heed hands on what the server says.
func heed(control io.Reader, a *attempt) {
	for {
		var line [64]byte
		n, err := control.Read(line[:])
		if err != nil {
			return
		}
		var grace int64
		if _, err := fmt.Sscanf(string(line[:n]), StopLine, &grace); err == nil && grace >= 0 {
			a.stop(time.Duration(grace))
		}
	}
}

// first is what process 1 of a container does with its child.
type first struct {
	a     *attempt
	order Order
	stdin *os.File
	// given are the child's descriptors, from 0; the one of instructions, the
	// last one, is filled by fork.
	given  []*os.File
	pass   *os.File // the other end of instructions
	status *os.File // takes notes
	child  int
}

// Descriptors of the child before it is the command: 5 is statusFD.
const instructionsFD = 6

// pipes makes the descriptors of the child.
func (p *first) pipes() error {
	a := p.a
	given, err := a.pipes()
	if err != nil {
		return err
	}
	var ends [4]*os.File
	for i, fd := range given {
		ends[i] = os.NewFile(uintptr(fd), "pipe")
	}
	var control [2]int
	if err := syscall.Pipe2(control[:], syscall.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	a.control = control[1]
	go obey(os.NewFile(uintptr(control[0]), "orders"))
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	p.given = []*os.File{p.stdin, ends[0], ends[0], ends[1], ends[2], ends[3], r}
	p.pass, p.status = w, ends[3]
	return nil
}

// obey sends signals to all but process 1, as the attempt asks.
func obey(orders io.Reader) {
	var order [1]byte
	for {
		if n, err := orders.Read(order[:]); n != 1 || err != nil {
			return
		}
		if order[0] != sayEnd {
			_ = syscall.Kill(-1, syscall.Signal(order[0]))
		}
	}
}

// becomeName is argv[0] of the child before it is the command.
const becomeName = "fairlead-become"

// fork starts the child and tells it what to become.
func (p *first) fork() error {
	fds := make([]uintptr, len(p.given))
	for i, f := range p.given {
		fds[i] = f.Fd()
	}
	pid, err := syscall.ForkExec(InsideName, []string{becomeName}, &syscall.ProcAttr{
		Env: []string{"GOMAXPROCS=1"}, Files: fds, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	for _, f := range p.given {
		if f != p.status {
			f.Close()
		}
	}
	if err != nil {
		return err
	}
	p.child = pid
	o := p.order
	o.Chdir = workDirInside(o)
	if !has(o.Env, "HOME") {
		o.Env = append(o.Env, "HOME="+Home)
	}
	o.Env = append(o.Env, LogVar+"=3", ResultVar+"=4")
	err = json.NewEncoder(p.pass).Encode(o)
	p.pass.Close()
	_ = err // a child that has ended says itself how
	return nil
}

func workDirInside(o Order) string {
	if o.Chdir == "" {
		return Home
	}
	return o.Chdir
}

// reap collects what ends in the container. When the command has, all the rest
// is killed.
func (p *first) reap() {
	var n note
	over := false
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil: // nobody is left
			var usage syscall.Rusage
			_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage)
			n.kind, n.cpu, n.rss = noteEnd, microseconds(&usage.Utime)+microseconds(&usage.Stime), usage.Maxrss
			p.tell(n)
			p.status.Close()
			return
		case pid == p.child:
			n.status, over = uint32(status), true
		}
		if over {
			_ = syscall.Kill(-1, syscall.SIGKILL)
		}
	}
}

func (p *first) tell(n note) {
	_, _ = p.status.Write((*[unsafe.Sizeof(n)]byte)(unsafe.Pointer(&n))[:])
}

// becomeInside makes this process, the child of process 1 of a container, the
// command. It does not return.
func becomeInside() {
	runtime.LockOSThread() // rights are those of a thread
	for _, fd := range []int{statusFD, instructionsFD} {
		syscall.CloseOnExec(fd)
	}
	var o Order
	in := os.NewFile(instructionsFD, "instructions")
	err := json.NewDecoder(in).Decode(&o)
	in.Close()
	if err == nil {
		err = renounce(o)
	}
	if err != nil {
		fail(noteUnfork, 0, err)
	}
	if err := syscall.Chdir(o.Chdir); err != nil {
		fail(noteNoExec, 1, err)
	}
	err = syscall.ENOENT
	for _, program := range candidates(o.Argv[0], o.Env) {
		e := syscall.Exec(program, o.Argv, o.Env)
		// A program that is there and cannot be executed tells more.
		if err == syscall.ENOENT || err == syscall.ENOTDIR {
			err = e
		}
	}
	fail(noteNoExec, 0, err)
}

// renounce gives up all rights that the command shall not have.
func renounce(o Order) error {
	// The command shall be killed for want of memory before process 1 is.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0)
	for _, l := range o.Rlimits {
		limit := syscall.Rlimit{Cur: l.Max, Max: l.Max}
		var old syscall.Rlimit
		if err := syscall.Getrlimit(l.Resource, &old); err == nil && old.Max < l.Max {
			limit.Cur, limit.Max = old.Max, old.Max
		}
		if err := syscall.Setrlimit(l.Resource, &limit); err != nil {
			return fmt.Errorf("set resource limit %s: %w", strconv.Itoa(l.Resource), err)
		}
	}
	const noNewPrivileges = 38
	if err := prctl(noNewPrivileges, 1); err != nil {
		return fmt.Errorf("renounce new privileges: %w", err)
	}
	header, none := capHeader{version: 0x20080522}, [2]capSet{}
	defer runtime.KeepAlive(&none)
	defer runtime.KeepAlive(&header)
	for _, c := range []struct {
		what   string
		number uintptr
		args   [3]uintptr
	}{
		{"leave all groups", syscall.SYS_SETGROUPS, [3]uintptr{}},
		{"change the group", syscall.SYS_SETRESGID, [3]uintptr{uintptr(o.GID), uintptr(o.GID), uintptr(o.GID)}},
		{"change the user", syscall.SYS_SETRESUID, [3]uintptr{uintptr(o.UID), uintptr(o.UID), uintptr(o.UID)}},
		{"drop capabilities", syscall.SYS_CAPSET, [3]uintptr{
			uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)),
		}},
	} {
		if _, _, e := syscall.RawSyscall(c.number, c.args[0], c.args[1], c.args[2]); e != 0 {
			return fmt.Errorf("%s: %w", c.what, e)
		}
	}
	return nil
}

// fail tells process 1 why there is no command, and ends.
func fail(kind, call uint32, err error) {
	var e syscall.Errno
	if !errors.As(err, &e) {
		e = syscall.EINVAL
	}
	n := note{kind: kind, call: call, errno: uint32(e)}
	_, _ = syscall.Write(statusFD, (*[unsafe.Sizeof(n)]byte)(unsafe.Pointer(&n))[:])
	os.Exit(127)
}

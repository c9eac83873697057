package cage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// supervisor sees one attempt through. The goroutine that runs supervise owns
// it; reap and start hand over their findings by channel or pipe.
type supervisor struct {
	c       *Config
	dir     int // the attempt's directory
	control int // its named pipe
	groups  *groups
	log     *logFile

	out, logs, result int // read ends of the command's pipes
	output, records   stream
	ended             int // read end of a pipe that closes when all has ended

	pid   int
	exit  Exit
	asked time.Time // when the command was told to end; zero: never
	grace time.Duration
	shot  bool // the grace is over and everything was killed
}

// supervise is the life of a supervisor. It returns its exit status.
func supervise() int {
	config, err := readConfig()
	if err != nil {
		return answer(Status{Failure: err.Error()})
	}
	s := &supervisor{c: config, grace: config.Grace}
	claim, err := s.prepare()
	if err != nil {
		return answer(Status{Failure: err.Error()})
	}
	if config.Probe {
		return answer(Status{Ready: true})
	}
	taken, err := s.claim(claim)
	switch {
	case err != nil:
		return answer(Status{Failure: err.Error()})
	case taken:
		return answer(Status{Taken: true})
	}
	// From here on the attempt is ours and must end with a report.
	if err := s.begin(); err != nil {
		s.exit.Failure = err.Error()
	} else {
		answer(Status{Running: true})
		s.watch()
	}
	if err := s.report(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if s.exit.Failure != "" {
		answer(Status{Running: true})
	}
	return 0
}

func readConfig() (*Config, error) {
	// Whatever else the server had inherited without close-on-exec is none
	// of ours.
	_, _, _ = syscall.Syscall(sysCloseRange, StatusFD+1, 1<<31-1, 0)
	for fd := 0; fd <= StatusFD; fd++ {
		syscall.CloseOnExec(fd)
	}
	f := os.NewFile(ConfigFD, "config")
	defer f.Close()
	var c Config
	if err := json.NewDecoder(f).Decode(&c); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return &c, nil
}

// answer tells the server how the start went; the server may be gone.
func answer(st Status) int {
	b, err := json.Marshal(st)
	if err != nil {
		panic(err) // a struct of strings and booleans
	}
	_, _ = syscall.Write(StatusFD, append(b, '\n'))
	_ = syscall.Close(StatusFD)
	if st.Failure != "" {
		return 1
	}
	return 0
}

// prepare does all that can be done, and fail, before the attempt is claimed.
func (s *supervisor) prepare() (claim []byte, err error) {
	shieldSelf()
	syscall.Umask(0o022)
	if err := prctl(prSetChildSubreaper, 1); err != nil {
		return nil, fmt.Errorf("become the reaper of orphans: %w", err)
	}
	if claim, err = identity(s.c.Groups); err != nil {
		return nil, err
	}
	if s.dir, err = syscall.Open(s.c.Dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0); err != nil {
		return nil, &os.PathError{Op: "open", Path: s.c.Dir, Err: err}
	}
	if !s.c.Probe {
		control := path.Join(s.c.Dir, ControlFile)
		if err := syscall.Mkfifo(control, 0o600); err != nil && err != syscall.EEXIST {
			return nil, &os.PathError{Op: "make pipe", Path: control, Err: err}
		}
		// Open for writing, too, so that it never reads as closed.
		if s.control, err = syscall.Open(control, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0); err != nil {
			return nil, &os.PathError{Op: "open", Path: control, Err: err}
		}
		f, err := os.OpenFile(s.c.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		s.log = &logFile{w: f, level: s.c.Level, logger: s.c.Logger, limit: s.c.Output}
		s.output = stream{log: s.log}
		s.records = stream{log: s.log, structured: true}
	}
	if s.groups, err = openGroups(s.c.Groups); err != nil {
		return nil, err
	}
	if s.c.Network {
		if err := loopback(); err != nil {
			return nil, fmt.Errorf("bring up the loopback device: %w", err)
		}
	}
	if !s.c.Plain {
		// Every hosts file knows this name; a made-up one costs some programs
		// a look-up that times out.
		if err := syscall.Sethostname([]byte("localhost")); err != nil {
			return nil, fmt.Errorf("set the host name: %w", err)
		}
		if err := buildView(s.c); err != nil {
			return nil, err
		}
	}
	// Nobody in the cage may look into the supervisor.
	if err := prctl(prSetDumpable, 0); err != nil {
		return nil, fmt.Errorf("hide the supervisor's memory: %w", err)
	}
	return claim, nil
}

// shieldSelf makes signals that a command sends to its supervisor harmless.
func shieldSelf() {
	if os.Getpid() != 1 {
		return // nothing keeps SIGKILL away
	}
	// The kernel drops what is sent to process 1 of a namespace from inside,
	// unless there is a handler; the Go runtime has put in many, of which
	// this process needs only that for preemption. Taking the signals with
	// package signal would be 65 hand-shakes between threads, 3 ms in all.
	for sig := syscall.Signal(1); sig < 65; sig++ {
		if sig != syscall.SIGURG && sig != syscall.SIGKILL && sig != syscall.SIGSTOP {
			resetSignal(sig)
		}
	}
}

// identity returns the claim of this process, as the machine outside sees
// it: /proc is still the machine's.
func identity(groups []Group) ([]byte, error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return nil, err
	}
	var c Claim
	if c.PID, c.Start, err = ParseStat(stat); err != nil {
		return nil, err
	}
	if c.Boot, err = BootID(); err != nil {
		return nil, err
	}
	for _, g := range groups {
		c.Groups = append(c.Groups, path.Join(g.Parent, g.Name))
	}
	return json.Marshal(c)
}

// BootID returns what tells this boot of the kernel from all others.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// ParseStat takes the number and the start time of a process from its
// /proc/*/stat.
func ParseStat(stat []byte) (pid int, start uint64, err error) {
	// The second field, the name, may hold spaces and parentheses.
	head, _, ok := bytes.Cut(stat, []byte(" ("))
	end := bytes.LastIndexByte(stat, ')')
	if !ok || end < 0 {
		return 0, 0, fmt.Errorf("process status %.40q has no name", stat)
	}
	rest := bytes.Fields(stat[end+1:])
	if len(rest) < 20 {
		return 0, 0, fmt.Errorf("process status has %d fields after the name; expected 20 or more", len(rest))
	}
	if pid, err = strconv.Atoi(string(head)); err != nil {
		return 0, 0, fmt.Errorf("process status: %w", err)
	}
	if start, err = strconv.ParseUint(string(rest[19]), 10, 64); err != nil {
		return 0, 0, fmt.Errorf("process status: %w", err)
	}
	return pid, start, nil
}

// claim makes the attempt ours, unless it is another's. The claim is on disk
// when it returns: not even a power cut leads to a second start.
func (s *supervisor) claim(claim []byte) (taken bool, err error) {
	temp := fmt.Sprintf("%s.%d", ClaimFile, os.Getpid())
	if os.Getpid() == 1 {
		// Two supervisors may both be process 1, each of its namespace.
		temp = fmt.Sprintf("%s.%x", ClaimFile, time.Now().UnixNano())
	}
	fd, err := syscall.Openat(s.dir, temp, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return false, fmt.Errorf("claim the attempt: %w", err)
	}
	defer syscall.Close(fd)
	defer func() { _ = syscall.Unlinkat(s.dir, temp) }()
	if _, err := syscall.Write(fd, claim); err != nil {
		return false, fmt.Errorf("claim the attempt: %w", err)
	}
	// A link appears with its whole content, and only once.
	if err := linkat(s.dir, temp, ClaimFile); err != nil {
		if errors.Is(err, os.ErrExist) {
			return true, nil
		}
		return false, fmt.Errorf("claim the attempt: %w", err)
	}
	if err := errors.Join(syscall.Fsync(fd), syscall.Fsync(s.dir)); err != nil {
		return false, fmt.Errorf("claim the attempt: %w", err)
	}
	return false, nil
}

// begin starts the command, and reap.
func (s *supervisor) begin() error {
	s.exit.Started = time.Now()
	if err := s.groups.make(); err != nil {
		return err
	}
	var ends [3]int
	for i, end := range []*int{&s.out, &s.logs, &s.result} {
		var p [2]int
		if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
			return fmt.Errorf("make a pipe: %w", err)
		}
		if err := syscall.SetNonblock(p[0], true); err != nil {
			return fmt.Errorf("make a pipe: %w", err)
		}
		*end, ends[i] = p[0], p[1]
	}
	var done [2]int
	if err := syscall.Pipe2(done[:], syscall.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	s.ended = done[0]

	pid, err := s.start([]uintptr{0, uintptr(ends[0]), uintptr(ends[0]), uintptr(ends[1]), uintptr(ends[2])})
	for _, fd := range ends {
		syscall.Close(fd)
	}
	syscall.Close(0)
	if e, ok := errors.AsType[*execError](err); ok {
		// The user's mistake, and reported like a shell does.
		s.exit.Code = 126
		if e.err == syscall.ENOENT {
			s.exit.Code = 127
		}
		s.output.write(time.Now(), fmt.Appendf(nil, "%s: %v\n", e.what, e.err))
		syscall.Close(done[1])
		return nil
	}
	if err != nil {
		return err
	}
	s.pid = pid
	go s.reap(done[1])
	return nil
}

// An execError says that the command could not be executed as it was given.
type execError struct {
	what string
	err  error
}

func (e *execError) Error() string { return e.what + ": " + e.err.Error() }

// start forks the command off a thread that has entered the command's
// control groups and given up its privileges.
func (s *supervisor) start(files []uintptr) (pid int, err error) {
	dir := s.c.Chdir
	env := s.c.Env
	home := Home
	if s.c.Plain {
		home = path.Join(s.c.Dir, WorkDir)
	}
	if dir == "" {
		dir = home
	}
	if !has(env, "HOME") {
		env = append(env, "HOME="+home)
	}
	if s.c.Plain && !has(env, "TMPDIR") {
		env = append(env, "TMPDIR="+path.Join(s.c.Dir, TempDir))
	}
	env = append(env, LogVar+"=3", ResultVar+"=4")
	if err := syscall.Access(dir, 1); err != nil {
		return 0, &execError{"change to " + dir, err}
	}
	program, err := lookPath(s.c.Argv[0], dir, env)
	if err != nil {
		return 0, &execError{s.c.Argv[0], err}
	}
	type forked struct {
		pid int
		err error
	}
	restore, err := narrow(s.c.Rlimits)
	if err != nil {
		return 0, err
	}
	answers := make(chan forked)
	go func() {
		// The thread ends with this goroutine, since nothing unlocks it.
		runtime.LockOSThread()
		pid, err := func() (int, error) {
			group, err := s.groups.enter()
			if err != nil {
				return 0, err
			}
			if err := dropPrivileges(); err != nil {
				return 0, fmt.Errorf("drop privileges: %w", err)
			}
			attr := &syscall.ProcAttr{Dir: dir, Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true}}
			if group >= 0 {
				attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, group
			}
			pid, err := syscall.ForkExec(program, s.c.Argv, attr)
			if err != nil {
				return 0, &execError{s.c.Argv[0], err}
			}
			for _, l := range s.c.Rlimits {
				// The soft limit was inherited; this makes it stay.
				_ = prlimit(pid, l.Resource, &syscall.Rlimit{Cur: l.Max, Max: l.Max})
			}
			return pid, nil
		}()
		answers <- forked{pid, err}
	}()
	f := <-answers
	restore()
	if f.err != nil {
		return 0, f.err
	}
	s.groups.settle()
	return f.pid, nil
}

// narrow lowers this process's soft limits for its next child to inherit, and
// returns what puts them back. Limits that cannot hurt the supervisor itself
// are lowered for good, the hard limit included; the others get their hard
// limit when the child exists.
func narrow(limits []Rlimit) (restore func(), err error) {
	old := make([]syscall.Rlimit, len(limits))
	for i := range limits {
		l := &limits[i]
		if err := syscall.Getrlimit(l.Resource, &old[i]); err != nil {
			return nil, fmt.Errorf("read resource limit %d: %w", l.Resource, err)
		}
		l.Max = min(l.Max, old[i].Max)
		narrow := syscall.Rlimit{Cur: l.Max, Max: old[i].Max}
		if l.Resource == syscall.RLIMIT_CORE || l.Resource == syscall.RLIMIT_NOFILE && l.Max >= ownFiles {
			narrow.Max = l.Max
			old[i] = narrow
		}
		if err := syscall.Setrlimit(l.Resource, &narrow); err != nil {
			return nil, fmt.Errorf("set resource limit %d: %w", l.Resource, err)
		}
	}
	return func() {
		for i, l := range limits {
			_ = syscall.Setrlimit(l.Resource, &old[i])
		}
	}, nil
}

// ownFiles is more than the supervisor ever has open.
const ownFiles = 48

func has(env []string, name string) bool {
	for _, e := range env {
		if strings.HasPrefix(e, name+"=") {
			return true
		}
	}
	return false
}

// lookPath finds a program as execvp does, in the command's own environment.
func lookPath(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	list := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			list = v
		}
	}
	for _, d := range strings.Split(list, ":") {
		file := path.Join(d, name)
		if !path.IsAbs(file) {
			file = path.Join(dir, file)
		}
		if fi, err := os.Stat(file); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", syscall.ENOENT
}

// reap collects every process that ends in the cage. When the command ends
// the others are killed; when none is left, done closes.
func (s *supervisor) reap(done int) {
	over := false
	for {
		var st syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &st, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil { // ECHILD: nobody is left
			break
		}
		if pid == s.pid {
			over = true
			s.exit.Code = st.ExitStatus()
			if st.Signaled() {
				s.exit.Code = 128 + int(st.Signal())
				s.exit.Signal = st.Signal().String()
			}
		}
		if over {
			s.kill(syscall.SIGKILL)
		}
	}
	syscall.Close(done)
}

// kill signals everything in the cage but the supervisor.
func (s *supervisor) kill(sig syscall.Signal) {
	if self := os.Getpid(); self != 1 {
		killTree(self, sig)
		return
	}
	// To process 1 of a namespace, -1 is the namespace without itself.
	_ = syscall.Kill(-1, sig)
}

// killTree signals all descendants of a process, in places where there is no
// namespace to do it at once.
func killTree(pid int, sig syscall.Signal) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return
	}
	for _, t := range tasks {
		list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(list)) {
			if child, err := strconv.Atoi(f); err == nil {
				killTree(child, sig)
				_ = syscall.Kill(child, sig)
			}
		}
	}
}

// watch moves output, and ends the command when it must end, until nothing is
// left in the cage.
func (s *supervisor) watch() {
	buf := make([]byte, 64<<10)
	fds := []pollFD{
		{fd: int32(s.out), events: pollIn},
		{fd: int32(s.logs), events: pollIn},
		{fd: int32(s.result), events: pollIn},
		{fd: int32(s.control), events: pollIn},
		{fd: int32(s.ended), events: pollIn},
	}
	for over := false; !over; {
		if err := poll(fds, s.pause()); err != nil {
			panic(err) // our own descriptors
		}
		over = fds[4].revents != 0
		// When all processes are gone, what they wrote is in the pipes.
		for i, read := range []func([]byte){s.readOutput, s.readRecords, s.readResult} {
			if fds[i].fd < 0 || fds[i].revents == 0 && !over {
				continue
			}
			if s.drain(int(fds[i].fd), buf, over, read) {
				fds[i].fd = -1
			}
		}
		if fds[3].revents != 0 {
			s.obey(buf)
		}
		s.mind()
	}
	now := time.Now()
	s.output.close(now)
	s.records.close(now)
	s.log.flush()
}

// drain hands what can be read to take: one helping, or all of it. It
// reports whether the descriptor is at its end.
func (s *supervisor) drain(fd int, buf []byte, all bool, take func([]byte)) (end bool) {
	for {
		n, err := syscall.Read(fd, buf)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != nil || n <= 0:
			return true
		}
		take(buf[:n])
		s.log.flush()
		if !all {
			return false
		}
	}
}

func (s *supervisor) readOutput(p []byte)  { s.output.write(time.Now(), p) }
func (s *supervisor) readRecords(p []byte) { s.records.write(time.Now(), p) }

func (s *supervisor) readResult(p []byte) {
	if n := maxResult - len(s.exit.Result); len(p) > n {
		p = p[:n]
		s.exit.ResultCut = true
	}
	s.exit.Result = append(s.exit.Result, p...)
}

// obey reads the control pipe: a line "stop <milliseconds>".
func (s *supervisor) obey(buf []byte) {
	n, err := syscall.Read(s.control, buf)
	if err != nil || n <= 0 {
		return
	}
	for line := range strings.Lines(string(buf[:n])) {
		ms, ok := strings.CutPrefix(strings.TrimSpace(line), "stop ")
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(ms, 10, 64); err == nil && n >= 0 {
			s.grace = time.Duration(n) * time.Millisecond
		}
		s.end(stopped)
	}
}

// pause returns how many milliseconds watch may sleep; -1 is for ever.
func (s *supervisor) pause() int {
	var due time.Time
	sooner := func(t time.Time) {
		if due.IsZero() || t.Before(due) {
			due = t
		}
	}
	if len(s.output.part) > 0 {
		sooner(s.output.since.Add(showAfter))
	}
	switch {
	case s.shot:
	case !s.asked.IsZero():
		sooner(s.asked.Add(s.grace))
	case s.c.Wall > 0:
		sooner(s.exit.Started.Add(s.c.Wall))
	}
	if due.IsZero() {
		return -1
	}
	// Rounded up: waking early would be for nothing.
	return max(0, int((time.Until(due)+time.Millisecond-1)/time.Millisecond))
}

// mind does what has come due.
func (s *supervisor) mind() {
	now := time.Now()
	if len(s.output.part) > 0 && now.Sub(s.output.since) >= showAfter {
		s.output.show(now)
		s.log.flush()
	}
	if s.asked.IsZero() && s.c.Wall > 0 && now.Sub(s.exit.Started) >= s.c.Wall {
		s.end(outOfTime)
	}
	if !s.asked.IsZero() && !s.shot && now.Sub(s.asked) >= s.grace {
		s.shot = true
		s.kill(syscall.SIGKILL)
	}
}

// end asks the command to end. The first reason stays.
func (s *supervisor) end(why string) {
	if !s.asked.IsZero() {
		return
	}
	s.asked = time.Now()
	s.exit.Why = why
	s.kill(syscall.SIGTERM)
}

// report writes the exit file.
func (s *supervisor) report() error {
	s.exit.Ended = time.Now()
	s.exit.LastLine = string(s.output.last)
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &ru); err == nil {
		s.exit.CPU = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
		s.exit.MaxRSS = ru.Maxrss << 10
	}
	kills, peak := s.groups.use()
	if peak > 0 {
		s.exit.MaxRSS = peak
	}
	if kills > 0 && s.exit.Why == "" && s.exit.Code != 0 {
		s.exit.Why = outOfMemory
	}
	s.groups.remove()
	b, err := json.Marshal(s.exit)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	temp := ExitFile + ".new"
	fd, err := syscall.Openat(s.dir, temp, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	f := os.NewFile(uintptr(fd), temp)
	_, werr := f.Write(b)
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := syscall.Renameat(s.dir, temp, s.dir, ExitFile); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// loopback brings up the one device of a new network namespace.
func loopback() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP}
	copy(request.name[:], "lo")
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	if e != 0 {
		return e
	}
	return nil
}

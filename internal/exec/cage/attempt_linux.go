package cage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"fairlead/internal/killpoint"
	"fairlead/internal/mask"
)

// attempt sees one attempt through. The goroutine of run owns it; others use the
// channels, and exit, failed and taken once the channel is closed that says
// so.
type attempt struct {
	k  *keeper
	id string
	c  *Config

	begun  chan struct{} // the command exists, or never will
	done   chan struct{} // exit is written down
	failed string
	taken  bool // another keeper has it
	exit   Exit

	stops chan time.Duration

	template *template
	script   *script
	groups   *groups
	log      *logFile
	file     *os.File // of log
	nest     int      // of process 1, or -1
	pid      int      // of process 1
	kin      kin

	poll            poller     // of what the cage says; it has the descriptors
	server          *client    // whose goroutine sees the attempt through, or nil
	forwards        []*os.File // listeners inside
	control         int
	mapFile         uintptr // in process 1, the other end of mapped
	mapped          int     // write end: the command's user namespace has its user
	output, records stream
	buf             []byte // for what is read

	given  []int // what process 1 gets, to be closed once it has it
	births chan *child
	child  *child // the command, if it is not process 1 that forks it
	last   note   // how it ended
	order  order

	asked time.Time // when the command was told to end; zero: never
	grace time.Duration
	shot  bool // the grace is over and everything was killed
	once  sync.Once
}

func newAttempt(k *keeper, id string, c *Config) *attempt {
	a := &attempt{
		k: k, id: id, c: c, begun: make(chan struct{}), done: make(chan struct{}),
		stops: make(chan time.Duration, 16), grace: c.Grace, control: -1, mapped: -1, nest: -1,
	}
	a.poll.init()
	return a
}

// stop asks for the end of an attempt.
func (a *attempt) stop(grace time.Duration) {
	select {
	case a.stops <- grace:
		a.poll.wake()
	case <-a.done:
	}
}

// maxBarren is how often an attempt turns to another zygote.
const maxBarren = 3

// fullGrace is the most that a command gets to end that uses too much disk.
const fullGrace = time.Second

// run is the life of an attempt.
func (a *attempt) run() {
	claimed, err := a.start()
	for i := 0; i < maxBarren && errors.Is(err, errBarren); i++ {
		a.k.abandon(a.template)
		a.close()
		a.once, a.control, a.mapped, a.template = sync.Once{}, -1, -1, nil
		claimed, err = a.start()
	}
	a.c.Stdin = nil
	if err == nil && !a.taken {
		close(a.begun)
		if a.server != nil {
			a.server.tell(Answer{Running: true})
		}
		err = a.watch()
		if err != nil {
			// Its descriptors close before the kernel has killed the others.
			a.collect()
			// Unless memory was short: until the command executes, process 1
			// shares it, and goes with it.
			a.exit.Code, a.exit.Signal = 137, "killed"
		}
		a.report()
		if err != nil && a.exit.Why != outOfMemory {
			a.exit = Exit{Why: lost, Code: -1, Started: a.exit.Started, Ended: time.Now()}
		}
		a.close()
		killpoint.At("exit unwritten")
		err = a.k.journal.end(a.id, a.exit)
		killpoint.At("exit written")
		claimed = false
	}
	if err != nil {
		a.failed = err.Error()
	}
	a.close()
	if claimed && !a.taken {
		// Nothing ran. If this cannot be written the attempt counts as lost.
		_ = a.k.journal.drop(a.id)
	}
	a.k.mu.Lock()
	delete(a.k.live, a.id)
	a.k.idle = time.Now()
	a.k.mu.Unlock()
	select {
	case <-a.begun:
	default:
		close(a.begun)
	}
	close(a.done)
}

// start builds the cage, claims the attempt and lets the command run.
func (a *attempt) start() (claimed bool, err error) {
	if err := a.build(); err != nil {
		return false, err
	}
	// While process 1 completes its view.
	claim := Claim{Keeper: &a.k.self, Boot: a.k.self.Boot, PID: a.pid}
	stat := readAt(atFDCWD, path.Join("/proc", strconv.Itoa(a.pid), "stat"))
	if _, claim.Start, err = ParseStat([]byte(stat)); err != nil {
		return false, err
	}
	for _, g := range a.c.Groups {
		claim.Groups = append(claim.Groups, path.Join(g.Parent, g.Name))
	}
	killpoint.At("claim")
	if a.taken, err = a.k.journal.claim(a.id, claim); err != nil || a.taken {
		return false, err
	}
	err = a.await()
	if err == nil {
		err = a.forward()
	}
	if err != nil {
		return true, err
	}
	a.kin = kin{first: a.pid}
	killpoint.At("claimed")
	a.exit.Started = time.Now()
	a.begin()
	killpoint.At("running")
	return true, nil
}

// await returns when process 1 is ready, and the child of a warm process, if
// there is one that will do.
func (a *attempt) await() error {
	a.give()
	var late time.Time // for the child; it may have been killed
	for ready := false; !ready || a.child != nil && !a.child.ready; {
		if ready && late.IsZero() {
			late = time.Now().Add(warmFork)
		}
		a.poll.wait(a.k.moment(), late)
		if !a.poll.ready(endStatus) {
			if ready && !time.Now().Before(late) {
				a.drop()
			}
			continue
		}
		n, err := a.note()
		switch {
		case err != nil:
			return err
		case n.kind == noteCold:
			a.drop()
		case n.kind == noteWarm:
			if a.child != nil {
				a.child.ready = true
			}
		default:
			err, ready = a.failure(n), true
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin has the command run.
func (a *attempt) begin() {
	if a.child != nil {
		killpoint.Other("child ready", a.child.pid)
		if a.child.obey(a.order) == nil {
			killpoint.Other("child ordered", a.child.pid)
			killpoint.At("ordered")
			a.kin.forked = a.child.pid
			a.say(sayWatch)
			return
		}
		a.drop() // it has not read all, so it begins nothing
	}
	a.say(sayGo)
}

// drop goes on without the child.
func (a *attempt) drop() {
	if a.child != nil {
		a.child.drop()
		a.child = nil
	}
}

// give closes what process 1, and the child, have been given.
func (a *attempt) give() {
	if a.births != nil {
		a.child = <-a.births
		a.births = nil
	}
	for _, fd := range a.given {
		syscall.Close(fd)
	}
	a.given = nil
}

// build does all that comes before the claim, and makes process 1.
func (a *attempt) build() (err error) {
	c := a.c
	if err := a.k.makeDirs(c.Dir); err != nil {
		return err
	}
	if a.groups, err = openGroups(c.Groups); err != nil {
		return err
	}
	if err := a.groups.make(); err != nil {
		return err
	}
	if c.Log != "" {
		if a.file, err = os.OpenFile(c.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644); err != nil {
			return err
		}
		a.log = &logFile{w: a.file, level: c.Level, logger: c.Logger, limit: c.Output, texts: c.Mask, mask: mask.New(c.Mask)}
		a.output, a.records = stream{log: a.log}, stream{log: a.log, structured: true}
	}
	var trees []tree
	if a.template, err = a.k.template(c); err != nil {
		return err
	}
	if !c.Plain && !a.template.full {
		for _, m := range append(c.own(), c.Mounts...) {
			t, err := openTree(m)
			if err != nil {
				return fmt.Errorf("mount %s at %s: %w", m.Source, m.Target, err)
			}
			a.given = append(a.given, t.fd)
			trees = append(trees, t)
		}
	}

	in := int(a.k.null.Fd())
	if len(c.Stdin) > 0 {
		if in, err = memFile(c.Stdin); err != nil {
			return err
		}
		a.given = append(a.given, in)
	}
	ends, err := a.pipes()
	if err != nil {
		return err
	}
	a.given = append(a.given, ends[:]...)
	var control [2]int
	if err := syscall.Pipe2(control[:], syscall.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	a.given = append(a.given, control[0])
	a.control = control[1]

	if a.shares() {
		a.nest = a.template.zygote.nest()
	}
	s := newScript(a.k.arena, a.nest, a.k.key, !c.Plain)
	a.script = s
	for _, fd := range []int{ends[0], ends[0], ends[1], ends[2], ends[3], control[0]} {
		s.file(fd) // in the order of their numbers
	}
	s.add("be ended with the keeper", syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL))
	flags := uintptr(0)
	groupFDs, err := a.groups.enter(s)
	if err != nil {
		return err
	}
	a.given = append(a.given, groupFDs...)
	if a.ownUser() {
		var p [2]int
		if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
			return fmt.Errorf("make a pipe: %w", err)
		}
		a.given = append(a.given, p[0])
		a.mapped = p[1]
		a.mapFile = s.file(p[0])
	}
	if c.Plain {
		s.add("become the reaper of orphans", syscall.SYS_PRCTL, prSetChildSubreaper, 1)
	} else {
		flags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC
		if c.Network {
			flags |= syscall.CLONE_NEWNET
		}
		a.template.complete(s, trees, c.Network)
	}
	s.add("arrange descriptors", syscall.SYS_DUP3, s.file(in), 0, 0)
	for fd := uintptr(1); fd < statusFD; fd++ { // the others close with execve
		s.add("arrange descriptors", syscall.SYS_FCNTL, fd, syscall.F_SETFD, 0)
	}
	a.prepareCommand(s)
	if a.pid, err = a.template.zygote.bear(s, flags, a.k.moment()); err == nil {
		a.warm(append([]int{in}, ends[:]...), groupFDs)
	}
	return err
}

// pipes makes those from which the attempt reads, and returns their other ends:
// standard output, log lines, result and notes.
func (a *attempt) pipes() (given [4]int, err error) {
	for i, end := range [...]int{endOut, endLogs, endResult, endStatus} {
		var p [2]int
		if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
			for _, fd := range given[:i] {
				syscall.Close(fd)
			}
			return given, fmt.Errorf("make a pipe: %w", err)
		}
		a.poll.add(end, p[0])
		given[i] = p[1]
	}
	return given, nil
}

// warm asks for a child of a warm process, in the groups that are given. The
// answer is awaited while the claim is written.
func (a *attempt) warm(fds, tasks []int) {
	w := a.k.warm(a.c)
	if w == nil || a.ownUser() {
		return
	}
	a.births = make(chan *child, 1)
	flags := byte(0)
	if a.c.Network {
		flags |= warmNetwork
	}
	if i := slices.IndexFunc(a.c.Groups, func(g Group) bool { return g.V2 }); i >= 0 {
		flags |= warmGroup
		fds = append(fds, a.groups.dirs[i])
	}
	go func() { // give awaits it
		a.births <- a.k.bear(w, a.pid, flags, append(fds, tasks...), a.poll.wake)
	}()
}

// prepareCommand says what the child of process 1 does to become the command.
func (a *attempt) prepareCommand(s *script) {
	c := a.c
	dir, env, home := c.Chdir, c.Env, Home
	if c.Plain {
		home = path.Join(c.Dir, WorkDir)
	}
	if dir == "" {
		dir = home
	}
	if !has(env, "HOME") {
		env = append(env, "HOME="+home)
	}
	if c.Plain && !has(env, "TMPDIR") {
		env = append(env, "TMPDIR="+path.Join(c.Dir, TempDir))
	}
	env = append(env, LogVar+"=3", ResultVar+"=4")
	add := func(what string, number uintptr, args ...uintptr) *call {
		return s.addTo(&s.command, what, number, args...)
	}
	add("start a session", syscall.SYS_SETSID)
	if c.Plain {
		// Nothing else would end it if the keeper, and process 1 with it, were
		// killed. A death before the call sends no signal, but shows in who the
		// parent is.
		add("be ended with process 1", syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL))
		add("find process 1", syscall.SYS_GETPPID).parental = true
	}
	// The groups of version 1 have been put in front by groups.enter.
	if a.ownUser() {
		add("make a user namespace", syscall.SYS_UNSHARE, syscall.CLONE_NEWUSER)
		// Only its owner may write what the keeper writes; nothing runs here yet
		// that could look.
		add("show itself to the keeper", syscall.SYS_PRCTL, prSetDumpable, 1)
		add("ask for a user", syscall.SYS_WRITE, statusFD, put(s, note{kind: noteMap}), unsafe.Sizeof(note{}))
		add("wait for a user", syscall.SYS_READ, a.mapFile, put(s, byte(0)), 1)
		add("hide its memory", syscall.SYS_PRCTL, prSetDumpable, 0)
		for c := uintptr(0); c < 64; c++ {
			add("drop capability "+strconv.Itoa(int(c)), syscall.SYS_PRCTL, prCapbsetDrop, c).optional = true
		}
	}
	var limits []Rlimit
	for _, l := range c.Rlimits {
		limit := syscall.Rlimit{Cur: l.Max, Max: l.Max}
		var old syscall.Rlimit
		if err := syscall.Getrlimit(l.Resource, &old); err == nil && old.Max < l.Max {
			limit.Cur, limit.Max = old.Max, old.Max
		}
		add("set resource limit "+strconv.Itoa(l.Resource), syscall.SYS_PRLIMIT64, 0, uintptr(l.Resource), put(s, limit))
		limits = append(limits, Rlimit{l.Resource, limit.Max})
	}
	if len(c.Argv) == 0 {
		return // a probe
	}
	a.order = order{dir: dir, change: uint32(len(s.names)), limits: limits, argv: c.Argv, env: env}
	add("change to "+dir, syscall.SYS_CHDIR, s.text(dir))
	const ambientClearAll = 4
	add("drop ambient capabilities", syscall.SYS_PRCTL, prCapAmbient, ambientClearAll).optional = true
	add("drop capabilities", syscall.SYS_CAPSET, put(s, capHeader{version: 0x20080522}), put(s, [2]capSet{}))
	add("unblock signals", syscall.SYS_RT_SIGPROCMASK, sigSetMask, put(s, uint64(0)), 0, 8)
	argv, envp := s.list(c.Argv), s.list(env)
	for _, program := range candidates(c.Argv[0], env) {
		add(c.Argv[0], syscall.SYS_EXECVE, s.text(program), argv, envp).attempted = true
	}
}

// ownUser reports whether the command gets a user namespace of its own, where
// the kernel counts its processes apart from those of other attempts.
func (a *attempt) ownUser() bool {
	if !a.k.setup.User || a.c.Plain {
		return false
	}
	for _, l := range a.c.Rlimits {
		if l.Resource == rlimitProcesses {
			return true
		}
	}
	return false
}

// shares reports whether process 1 may share the memory of its zygote, and so
// that of the other attempts' processes 1. None does whose command shows its
// memory to the keeper before it executes, or whose plan may be large. Where a
// process is killed for want of memory the kernel kills all that share it; one that
// has called vfork it passes over until it has executed, and has memory of its own.
func (a *attempt) shares() bool {
	if a.c.Plain || a.ownUser() || len(a.c.Mounts) > 64 {
		return false
	}
	size := 0
	for _, list := range [][]string{a.c.Argv, a.c.Env} {
		for _, text := range list {
			size += len(text) + 16
		}
	}
	for _, m := range a.c.Mounts {
		size += len(m.Target) + 256
	}
	return 4*size < nestPlan // of which calls take a part, and the paths of a program
}

// mapUser gives the command, in a new user namespace, the user that it has
// outside.
func (a *attempt) mapUser() error {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", a.pid, a.pid))
	if err != nil {
		return err
	}
	dir := path.Join("/proc", strings.TrimSpace(string(children)))
	for _, f := range []struct{ name, text string }{
		{"setgroups", "deny"},
		{"uid_map", fmt.Sprintf("%d %d 1", os.Geteuid(), os.Geteuid())},
		{"gid_map", fmt.Sprintf("%d %d 1", os.Getegid(), os.Getegid())},
	} {
		if err := os.WriteFile(path.Join(dir, f.name), []byte(f.text), 0); err != nil {
			return err
		}
	}
	_, err = syscall.Write(a.mapped, []byte{sayGo})
	return err
}

// candidates are the paths that execvp would try, in the command's own
// environment.
func candidates(name string, env []string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	list := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			list = v
		}
	}
	var paths []string
	for _, d := range strings.Split(list, ":") {
		if p := path.Join(d, name); strings.Contains(p, "/") {
			paths = append(paths, p)
		} else {
			paths = append(paths, "./"+p)
		}
	}
	return paths
}

func has(env []string, name string) bool {
	for _, e := range env {
		if strings.HasPrefix(e, name+"=") {
			return true
		}
	}
	return false
}

// say gives an order to process 1, which may be gone.
func (a *attempt) say(order byte) { _, _ = syscall.Write(a.control, []byte{order}) }

// note reads what process 1 says next.
func (a *attempt) note() (n note, err error) {
	raw := (*[unsafe.Sizeof(n)]byte)(unsafe.Pointer(&n))
	for at := 0; at < len(raw); {
		got, err := syscall.Read(int(a.poll.fds[endStatus].fd), raw[at:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == nil && got == 0:
			err = io.EOF
		}
		if err != nil {
			return n, fmt.Errorf("process 1 of the attempt is gone: %w", err)
		}
		at += got
	}
	return n, nil
}

// failure returns what went wrong before the command ran.
func (a *attempt) failure(n note) error {
	if n.kind == noteReady {
		return nil
	}
	if n.kind == noteUnfork {
		return fmt.Errorf("fork the command: %w", syscall.Errno(n.errno))
	}
	return fmt.Errorf("%s: %w", a.script.names[n.call], syscall.Errno(n.errno))
}

// watch moves output, and ends the command when it must end, until nothing is
// left in the cage. An error means that process 1 is gone without a word.
func (a *attempt) watch() error {
	full, unwatch := watchDisk(a.c.Dir, a.c.Disk, a.kin, a.poll.wake)
	defer unwatch()
	if a.server != nil {
		a.poll.add(endServer, int(a.server.fd))
		a.hear(false)
	}
	var ended <-chan note
	if a.child != nil {
		ended = a.child.ended
	}
	var gone error
	var drained time.Time // when those that could still write have been killed
	over := false         // the command has ended, and others may be there
	for told := false; !told; {
		select {
		case a.last = <-ended:
			ended = nil
			a.say(sayOver)
		case grace := <-a.stops:
			a.halt(grace)
			continue // there may be another
		case <-full:
			full = nil
			a.grace = min(a.grace, fullGrace)
			a.end(outOfDisk)
		default:
		}
		if over {
			killTree(a.pid, syscall.SIGKILL)
		}
		a.mind()
		until := a.due()
		if over { // those that fork while they are killed
			until = time.Now().Add(time.Millisecond)
		}
		if gone != nil {
			until = drained
			told = !time.Now().Before(until) || !a.open()
		}
		if told {
			break
		}
		a.poll.wait(a.k.moment(), until)
		a.move()
		if a.poll.ready(endServer) {
			a.hear(true)
		}
		if !a.poll.ready(endStatus) {
			continue
		}
		n, err := a.note()
		switch {
		case err != nil:
			// All that could write is being killed.
			gone, drained, over = errors.New("process 1 of the attempt was killed"), time.Now().Add(drainTime), false
			a.shut(endStatus)
		case n.kind == noteMap:
			if err := a.mapUser(); err != nil {
				a.exit.Failure = fmt.Sprintf("give the command its user: %v", err)
				a.kill(syscall.SIGKILL)
			}
		case n.kind == noteNoExec, n.kind == noteAstray:
			a.noExec(n)
		case n.kind == noteUnfork:
			a.exit.Failure = fmt.Sprintf("fork the command: %v", syscall.Errno(n.errno))
			a.exit.Ended = time.Now()
			a.say(sayEnd)
			told = true
		case n.kind == noteOver:
			over = true
		case n.kind == noteEnd:
			a.ended(n)
			told = true
		}
	}
	// All that could write is dead, and what it has written is there.
	for gone == nil && poll(a.poll.fds[endOut:endServer], 0) > 0 {
		a.move()
	}
	now := time.Now()
	a.output.close(now)
	a.records.close(now)
	a.log.flush()
	return gone
}

// drainTime is how long output is awaited from a cage whose process 1 was
// killed, while the kernel kills the others.
const drainTime = 5 * time.Second

// move takes what the command has written.
func (a *attempt) move() {
	for end, take := range [...]func([]byte){endOut: a.readOutput, endLogs: a.readRecords, endResult: a.readResult} {
		if take == nil || !a.poll.ready(end) {
			continue
		}
		if a.buf == nil {
			a.buf = make([]byte, 4<<10)
		}
		n, err := syscall.Read(int(a.poll.fds[end].fd), a.buf)
		switch {
		case err == syscall.EINTR:
		case n <= 0:
			a.shut(end)
		default:
			take(a.buf[:n])
			a.log.flush()
			if n == len(a.buf) && n < 64<<10 {
				a.buf = make([]byte, 64<<10)
			}
		}
	}
}

// open reports whether the command may still write.
func (a *attempt) open() bool {
	for _, p := range a.poll.fds[endOut:endServer] {
		if p.fd >= 0 {
			return true
		}
	}
	return false
}

// shut closes a pipe.
func (a *attempt) shut(end int) {
	if fd := int(a.poll.fds[end].fd); fd >= 0 {
		a.poll.remove(end)
		syscall.Close(fd)
	}
}

// hear takes what the server says; ready tells that there is something that has
// not been read. When the server goes away the attempt goes on.
func (a *attempt) hear(ready bool) {
	for ; ready || a.server.in.Buffered() > 0; ready = false {
		r, err := a.server.hear()
		if err != nil {
			a.poll.remove(endServer)
			return
		}
		if r.Op == OpStop && r.ID == a.id {
			a.halt(r.Grace)
		}
	}
}

// halt ends the command because somebody asked.
func (a *attempt) halt(grace time.Duration) {
	if !a.asked.IsZero() {
		grace = min(a.grace, grace)
	}
	a.grace = grace
	a.end(stopped)
}

// ended takes down how the command ended.
func (a *attempt) ended(n note) {
	a.exit.Ended = time.Now()
	if a.child != nil {
		n.status = a.last.status
		n.cpu += a.last.cpu
		n.rss = max(n.rss, a.last.rss)
	}
	st := syscall.WaitStatus(n.status)
	if a.exit.Code == 0 { // else the command could not be executed
		a.exit.Code = st.ExitStatus()
		if st.Signaled() {
			a.exit.Code = 128 + int(st.Signal())
			a.exit.Signal = st.Signal().String()
		}
	}
	a.exit.CPU = time.Duration(n.cpu) * time.Microsecond
	a.exit.MaxRSS = n.rss << 10
	if a.c.Plain { // else process 1 has ended
		a.say(sayEnd)
	}
}

// noExec reports, as a shell does, a command that cannot be executed as it was
// given: the user's mistake.
func (a *attempt) noExec(n note) {
	a.exit.Code = 126
	if syscall.Errno(n.errno) == syscall.ENOENT {
		a.exit.Code = 127
	}
	a.output.write(time.Now(), fmt.Appendf(nil, "%s: %v\n", a.script.names[n.call], syscall.Errno(n.errno)))
}

func (a *attempt) readOutput(p []byte)  { a.output.write(time.Now(), p) }
func (a *attempt) readRecords(p []byte) { a.records.write(time.Now(), p) }

func (a *attempt) readResult(p []byte) {
	if n := maxResult - len(a.exit.Result); len(p) > n {
		p = p[:n]
		a.exit.ResultCut = true
	}
	a.exit.Result = append(a.exit.Result, p...)
}

// due returns when there is something to mind, or zero.
func (a *attempt) due() (at time.Time) {
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if len(a.output.part) > 0 {
		sooner(a.output.since.Add(showAfter))
	}
	switch {
	case a.shot:
	case !a.asked.IsZero():
		sooner(a.asked.Add(a.grace))
	case a.c.Wall > 0:
		sooner(a.exit.Started.Add(a.c.Wall))
	}
	return at
}

// mind does what has come due.
func (a *attempt) mind() {
	now := time.Now()
	if len(a.output.part) > 0 && now.Sub(a.output.since) >= showAfter {
		a.output.show(now)
		a.log.flush()
	}
	if a.asked.IsZero() && a.c.Wall > 0 && now.Sub(a.exit.Started) >= a.c.Wall {
		a.end(outOfTime)
	}
	if !a.asked.IsZero() && !a.shot && now.Sub(a.asked) >= a.grace {
		a.shot = true
		a.kill(syscall.SIGKILL)
	}
}

// end asks the command to end. The first reason stays.
func (a *attempt) end(why string) {
	if !a.asked.IsZero() || !a.exit.Ended.IsZero() {
		return
	}
	a.asked = time.Now()
	a.exit.Why = why
	a.kill(syscall.SIGTERM)
}

// kill signals everything in the cage but process 1.
func (a *attempt) kill(sig syscall.Signal) {
	if a.c.Plain {
		killTree(a.pid, sig)
		return
	}
	a.say(byte(sig))
}

// report completes the exit.
func (a *attempt) report() {
	if a.exit.Ended.IsZero() {
		a.exit.Ended = time.Now()
	}
	a.exit.LastLine = string(a.output.last)
	kills, peak := a.groups.use()
	if peak > 0 {
		a.exit.MaxRSS = peak
	}
	if kills > 0 && a.exit.Why == "" && a.exit.Code != 0 {
		a.exit.Why = outOfMemory
	}
}

// collect waits for the end of process 1, and with it of all in its namespace.
func (a *attempt) collect() {
	if a.c.Plain {
		killTree(a.pid, syscall.SIGKILL)
	}
	_ = syscall.Kill(a.pid, syscall.SIGKILL)
	wait(a.pid)
	a.pid = 0
}

// close lets go of everything. Process 1, if it is there, ends.
func (a *attempt) close() {
	a.once.Do(func() {
		a.give()
		if a.exit.Started.IsZero() {
			a.drop()
		}
		for _, fd := range []int{a.control, a.mapped} {
			if fd >= 0 {
				syscall.Close(fd)
			}
		}
		a.poll.remove(endServer)
		for end := range a.poll.fds {
			a.shut(end)
		}
		a.poll.close()
		for _, f := range append([]*os.File{a.file}, a.forwards...) {
			if f != nil {
				f.Close()
			}
		}
		if a.groups != nil {
			a.groups.remove()
		}
		switch {
		case a.pid > 0:
			a.k.dead <- corpse{a.pid, a.nest, a.template.zygote}
		case a.nest >= 0:
			a.template.zygote.vacate(a.nest)
		}
		a.nest = -1
		if a.template != nil {
			a.k.leave(a.template)
		}
	})
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

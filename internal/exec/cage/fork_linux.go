package cage

import (
	"fmt"
	"syscall"
	"unsafe"
)

// A call is one system call of a forked child, prepared by its parent: the
// child has the parent's memory but none of its threads, so it must neither
// allocate, nor lock, nor grow its stack.
type call struct {
	number uintptr
	args   [6]uintptr
	// optional says that a failure does not matter.
	optional bool
	// chained says that the first argument is what the call before returned.
	chained bool
	// attempted marks one of several execve: only if all fail is it told.
	attempted bool
	// parental says that the call returns the parent, which must be process 1.
	parental bool
	what     uint32 // index into script.names, for messages
}

// A script is all that process 1 of an attempt does, and what it has its
// child, the command, do. Neither executes anything of ours.
type script struct {
	setup   []call // of process 1, before it says that it is ready
	command []call // of the command; the last are execve
	names   []string
	nest    int // where process 1 will be, or -1
	group   int // descriptor of a control group of version 2, or -1
	// alone says that process 1 is that of a namespace and may kill all
	// others at once.
	alone bool
	files []int   // to be 0, 1, 2, ... in process 1; the first is none
	base  uintptr // where data will be
	key   uint64  // of the filter
	data  []byte  // a plan, and what args point to
}

// newScript returns an empty script for a process 1 in a nest, if that is not
// negative.
func newScript(a *arena, nest int, key uint64, alone bool) *script {
	s := &script{key: key, alone: alone, nest: nest, group: -1, files: []int{-1}}
	s.base = uintptr(unsafe.Pointer(&a.plan))
	if nest >= 0 {
		s.base += nestAt(nest)
	}
	s.data = make([]byte, unsafe.Sizeof(plan{}), 8<<10)
	return s
}

// finish returns the script as a zygote takes it.
func (s *script) finish(flags uintptr) ([]byte, error) {
	p := plan{flags: uint64(flags), key: s.key, mask: 1 << (syscall.SIGCHLD - 1), setups: uint32(len(s.setup)), commands: uint32(len(s.command))}
	p.setup = uint32(putAll(s, s.setup) - s.base)
	p.command = uint32(putAll(s, s.command) - s.base)
	p.size = uint32(len(s.data))
	most := arenaSize/2 - int(unsafe.Sizeof(arena{}))
	if s.nest >= 0 {
		f := live
		p.nest, p.entry = nestAt(s.nest), **(**uintptr)(unsafe.Pointer(&f))
		most = nestPlan
	}
	if len(s.data) > most {
		return nil, fmt.Errorf("arguments and environment take %d bytes; at most %d are possible", len(s.data), most)
	}
	if s.alone {
		p.alone = 1
	}
	if s.group >= 0 {
		p.intoGroup = 1
		p.spawn[0], p.spawn[4], p.spawn[10] = cloneIntoCgroup|shareMemory, uint64(syscall.SIGCHLD), uint64(s.group)
	}
	copy(s.data, unsafe.Slice((*byte)(unsafe.Pointer(&p)), unsafe.Sizeof(p)))
	return s.data, nil
}

// Descriptors of process 1, and of the command up to stageFD.
const (
	statusFD  = 5 // takes notes
	controlFD = 6 // commands from the keeper; its end is the end
	groupFD   = 7 // the first of the control groups
)

// The kinds of notes that process 1 and the command write to statusFD.
const (
	noteReady  = 1 + iota // the view is built
	noteBroken            // a call of setup failed: call, errno
	noteUnfork            // the command could not be forked: errno
	noteNoExec            // a call of the command failed: call, errno
	noteMap               // the command has a user namespace without a user
	noteOver              // the command ended: status; others may be left
	noteEnd               // nothing is left: status, times, memory
)

// A note is one message of process 1, or of the command before it is the
// command. It is smaller than what a pipe takes whole.
type note struct {
	kind, call uint32
	errno      uint32
	status     uint32 // as wait4 gives it
	cpu        int64  // microseconds
	rss        int64  // KiB
}

// Commands to process 1, one byte each; others are signals for all but it.
const (
	sayGo    = 'g' // run the command
	sayWatch = 'w' // the command is no child, and there
	sayOver  = 'o' // it was, and has ended
	sayEnd   = 'x' // end
)

//go:linkname runtimeBeforeFork syscall.runtime_BeforeFork
func runtimeBeforeFork()

//go:linkname runtimeAfterFork syscall.runtime_AfterFork
func runtimeAfterFork()

//go:linkname runtimeAfterForkInChild syscall.runtime_AfterForkInChild
func runtimeAfterForkInChild()

// live is the life of process 1. It does not return.
//
//go:norace
//go:nocheckptr
//go:nosplit
func live(a *arena) {
	var n note
	p := &a.plan
	// All signals are blocked until the command is about to be: what a
	// command sends to its process 1 has no effect.
	alone := p.alone != 0
	at, errno := play(p, p.setup, p.setups)
	if errno != 0 {
		n.kind, n.call, n.errno = noteBroken, at, uint32(errno)
		tell(&n)
		quit()
	}
	n.kind = noteReady
	tell(&n)
	var order [1]byte
	said := hear(&order)
	if said != sayGo && said != sayWatch {
		quit()
	}
	foreign := said == sayWatch
	nested := p.nest != 0

	p.first, _, _ = syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
	var child, e uintptr
	switch {
	case foreign:
	case p.intoGroup != 0:
		child, e = vfork(sysClone3, uintptr(unsafe.Pointer(&p.spawn)), unsafe.Sizeof(p.spawn), uintptr(p.key))
	default:
		child, e = vfork(syscall.SYS_CLONE, shareMemory|uintptr(syscall.SIGCHLD), 0, 0)
	}
	if e != 0 {
		n.kind, n.errno = noteUnfork, uint32(e)
		tell(&n)
		hear(&order)
		quit()
	}
	if child == 0 && !foreign {
		become(p)
	}
	if nested {
		p.clear(uintptr(p.size)) // there may be secrets
	}
	// Its input may be large. The other ends stay open: so the keeper is not told
	// that the command has closed them, before it is told that nothing is left.
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, 0, 0, 0)
	// A descriptor that can be read when a child has ended.
	signals, _, _ := syscall.RawSyscall6(syscall.SYS_SIGNALFD4, ^uintptr(0), uintptr(unsafe.Pointer(&p.mask)), 8, 0, 0, 0)
	over, killed := false, false
	for {
		a.wait[0].fd, a.wait[0].events = controlFD, pollIn
		a.wait[1].fd, a.wait[1].events = int32(signals), pollIn
		_, _, _ = syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&a.wait)), 2, 0, 0, 0, 0)
		if a.wait[1].revents != 0 {
			_, _, _ = syscall.RawSyscall(syscall.SYS_READ, signals, uintptr(unsafe.Pointer(&a.info)), unsafe.Sizeof(a.info))
		}
		if a.wait[0].revents != 0 {
			sig := hear(&order)
			switch {
			case foreign && sig == sayOver:
				foreign, over = false, true
			case alone:
				_, _, _ = syscall.RawSyscall(syscall.SYS_KILL, ^uintptr(0), uintptr(sig), 0)
			}
		}
		for {
			var status uint32
			options := uintptr(syscall.WNOHANG | syscall.WALL)
			if killed {
				options = syscall.WALL // they all end
			}
			pid, _, e := syscall.RawSyscall6(syscall.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&status)), options, 0, 0, 0)
			if e == syscall.ECHILD && foreign {
				break
			}
			if e == syscall.ECHILD {
				children := syscall.RUSAGE_CHILDREN
				_, _, _ = syscall.RawSyscall(syscall.SYS_GETRUSAGE, uintptr(children), uintptr(unsafe.Pointer(&a.usage)), 0)
				n.kind = noteEnd
				n.cpu = microseconds(&a.usage.Utime) + microseconds(&a.usage.Stime)
				n.rss = a.usage.Maxrss
				tell(&n)
				for !alone && hear(&order) != sayEnd {
				}
				quit()
			}
			if pid == 0 && over && alone {
				// All that is left descends from this process. The kernel looks at
				// each process of the machine, so it is asked only if need be.
				_, _, _ = syscall.RawSyscall(syscall.SYS_KILL, ^uintptr(0), uintptr(syscall.SIGKILL), 0)
				killed = true
				continue
			}
			if e != 0 || pid == 0 {
				break
			}
			if pid == child {
				over = true
				n.kind, n.status = noteOver, status
				if !alone {
					tell(&n) // the keeper kills the others
				}
			}
		}
	}
}

// become makes the child of process 1 the command. It has the memory of
// process 1, which waits, and must leave it alone.
//
//go:norace
//go:nocheckptr
//go:nosplit
//go:noinline
func become(p *plan) {
	var n note
	at, errno := play(p, p.command, p.commands)
	n.kind, n.call, n.errno = noteNoExec, at, uint32(errno)
	tell(&n)
	quit()
}

//go:norace
//go:nosplit
func microseconds(t *syscall.Timeval) (n int64) {
	n += 1e6 * int64(t.Sec) //nolint:unconvert // other machines have 32 bits
	n += int64(t.Usec)      //nolint:unconvert
	return n
}

// play makes the n calls that begin at an offset, until one fails that must not, and returns what was to be
// done.
//
//go:norace
//go:nocheckptr
//go:nosplit
func play(p *plan, at, n uint32) (what uint32, errno syscall.Errno) {
	var last uintptr
	for ; n > 0; n-- {
		c := (*call)(unsafe.Add(unsafe.Pointer(p), at))
		at += uint32(unsafe.Sizeof(*c))
		first := c.args[0]
		if c.chained {
			first = last
		}
		r, _, e := syscall.RawSyscall6(c.number, first, c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		last = r
		switch {
		case c.parental && r != p.first:
			return c.what, syscall.ESRCH
		case e == 0:
		case c.attempted:
			// A program that is there and cannot be executed tells more.
			if errno == 0 || errno == syscall.ENOENT || errno == syscall.ENOTDIR {
				what, errno = c.what, e
			}
		case !c.optional:
			return c.what, e
		}
		if c.chained && e != 0 {
			last = first
		}
	}
	return what, errno
}

//go:norace
//go:nocheckptr
//go:nosplit
func tell(n *note) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, statusFD, uintptr(unsafe.Pointer(n)), unsafe.Sizeof(*n))
}

// hear waits for an order. When the keeper is gone, so is process 1, and with
// it the attempt.
//
//go:norace
//go:nocheckptr
//go:nosplit
func hear(order *[1]byte) byte {
	for {
		n, _, e := syscall.RawSyscall(syscall.SYS_READ, controlFD, uintptr(unsafe.Pointer(order)), 1)
		if n == 1 && e == 0 {
			return order[0]
		}
		if e != syscall.EINTR {
			quit()
		}
	}
}

//go:norace
//go:nosplit
func quit() {
	for {
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

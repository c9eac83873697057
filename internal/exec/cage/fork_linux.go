package cage

import (
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
	what      uint32 // index into script.names, for messages
}

// A script is all that process 1 of an attempt does, and what it has its
// child, the command, do. Neither executes anything of ours.
type script struct {
	setup   []call // of process 1, before it says that it is ready
	command []call // of the command; the last are execve
	names   []string
	group   int // descriptor of a control group of version 2, or -1
	// alone says that process 1 is that of a namespace and may kill all
	// others at once.
	alone bool
	mask  uint64 // of SIGCHLD
	keep  []any  // what args points to
	files []int  // to be 0, 1, 2, ... in process 1
	spawn [11]uint64
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
	sayGo  = 'g' // run the command
	sayEnd = 'x' // end
)

//go:linkname runtimeBeforeFork syscall.runtime_BeforeFork
func runtimeBeforeFork()

//go:linkname runtimeAfterFork syscall.runtime_AfterFork
func runtimeAfterFork()

//go:linkname runtimeAfterForkInChild syscall.runtime_AfterForkInChild
func runtimeAfterForkInChild()

// fork makes process 1 of an attempt, in new namespaces as flags says. It
// must run on a thread that lives as long as the attempt may.
//
//go:norace
//go:nocheckptr
func fork(s *script, flags uintptr) (pid int, err syscall.Errno) {
	runtimeBeforeFork()
	r, _, e := syscall.RawSyscall6(syscall.SYS_CLONE, flags|uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 || r != 0 {
		runtimeAfterFork()
		return int(r), e
	}
	runtimeAfterForkInChild()
	live(s)
	return 0, 0
}

// live is the life of process 1. It does not return.
//
//go:norace
//go:nocheckptr
//go:nosplit
func live(s *script) {
	var n note
	// All signals are blocked until the command is about to be: what a
	// command sends to its process 1 has no effect.
	mask := ^uint64(0)
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetMask, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
	at, errno := play(s.setup)
	if errno != 0 {
		n.kind, n.call, n.errno = noteBroken, s.setup[at].what, uint32(errno)
		// The descriptors may not be in their places yet.
		_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(s.files[statusFD]), uintptr(unsafe.Pointer(&n)), unsafe.Sizeof(n))
		quit()
	}
	n.kind = noteReady
	tell(&n)
	var order [1]byte
	if hear(&order) != sayGo {
		quit()
	}

	var child uintptr
	var e syscall.Errno
	if s.group >= 0 {
		child, _, e = syscall.RawSyscall6(sysClone3, uintptr(unsafe.Pointer(&s.spawn)), unsafe.Sizeof(s.spawn), 0, 0, 0, 0)
	} else {
		child, _, e = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	}
	if e != 0 {
		n.kind, n.errno = noteUnfork, uint32(e)
		tell(&n)
		hear(&order)
		quit()
	}
	if child == 0 {
		at, errno := play(s.command)
		n.kind, n.call, n.errno = noteNoExec, s.command[at].what, uint32(errno)
		tell(&n)
		quit()
	}
	// What is left of the command's own ends would keep them from closing.
	for fd := uintptr(0); fd < statusFD; fd++ {
		_, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
	}
	// A descriptor that can be read when a child has ended.
	signals, _, _ := syscall.RawSyscall6(syscall.SYS_SIGNALFD4, ^uintptr(0), uintptr(unsafe.Pointer(&s.mask)), 8, 0, 0, 0)
	over := false
	for {
		wait := [2]pollFD{{fd: controlFD, events: pollIn}, {fd: int32(signals), events: pollIn}}
		_, _, _ = syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&wait)), 2, 0, 0, 0, 0)
		if wait[1].revents != 0 {
			var info [128]byte
			_, _, _ = syscall.RawSyscall(syscall.SYS_READ, signals, uintptr(unsafe.Pointer(&info)), 128)
		}
		for {
			var status uint32
			options := uintptr(syscall.WNOHANG)
			if over && s.alone {
				options = 0 // they are all killed
			}
			pid, _, e := syscall.RawSyscall6(syscall.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&status)), options, 0, 0, 0)
			if e == syscall.ECHILD {
				var ru syscall.Rusage
				children := syscall.RUSAGE_CHILDREN
				_, _, _ = syscall.RawSyscall(syscall.SYS_GETRUSAGE, uintptr(children), uintptr(unsafe.Pointer(&ru)), 0)
				n.kind = noteEnd
				n.cpu = (ru.Utime.Nano() + ru.Stime.Nano()) / 1000
				n.rss = ru.Maxrss
				tell(&n)
				for hear(&order) != sayEnd {
				}
				quit()
			}
			if e != 0 || pid == 0 {
				break
			}
			if pid == child {
				over = true
				n.kind, n.status = noteOver, status
				if !s.alone {
					tell(&n) // the keeper kills the others
				}
			}
			if over && s.alone {
				_, _, _ = syscall.RawSyscall(syscall.SYS_KILL, ^uintptr(0), uintptr(syscall.SIGKILL), 0)
			}
		}
		if wait[0].revents != 0 {
			if sig := hear(&order); s.alone {
				_, _, _ = syscall.RawSyscall(syscall.SYS_KILL, ^uintptr(0), uintptr(sig), 0)
			}
		}
	}
}

// play makes calls until one fails that must not.
//
//go:norace
//go:nocheckptr
//go:nosplit
func play(calls []call) (at int, errno syscall.Errno) {
	var last uintptr
	worst := 0
	for i := range calls {
		c := &calls[i]
		first := c.args[0]
		if c.chained {
			first = last
		}
		r, _, e := syscall.RawSyscall6(c.number, first, c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		last = r
		switch {
		case e == 0:
		case c.attempted:
			// A program that is there and cannot be executed tells more.
			if errno == 0 || errno == syscall.ENOENT || errno == syscall.ENOTDIR {
				worst, errno = i, e
			}
		case !c.optional:
			return i, e
		}
		if c.chained && e != 0 {
			last = first
		}
	}
	return worst, errno
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

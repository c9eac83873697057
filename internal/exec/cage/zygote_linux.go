package cage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// A zygote is a process that forks the processes 1 of attempts. It is forked
// from the keeper and gives back all memory but the few pages that it needs:
// what makes a fork expensive is memory, to be copied, and to be written to
// afterwards. It executes nothing, has one thread, and makes system calls only.
type zygote struct {
	pid int

	mu   sync.Mutex // guards what follows
	conn *os.File
	fd   int // of conn

	nests sync.Mutex // guards what follows
	free  []int      // nests that were used
	next  int        // the first that was not
}

// arenaSize bounds what an attempt's process 1 is told: arguments and
// environment with the pointers to them. Only what is used takes memory.
const arenaSize = 64 << 20

// maxPassed is how many descriptors the kernel passes in one message.
const maxPassed = 253

// An arena is the memory in which a zygote, and then process 1, has its plan.
// It is at the same place in the keeper, which never touches it.
//
// What a zygote and process 1 work with lies here and not on their stack, which
// cannot grow. There are no pointers in it: Go would want to know of those.
type arena struct {
	image   image
	vector  [2]uintptr
	message struct {
		name                 uintptr
		nameSize             uint32
		vector, vectors      uintptr
		control, controlSize uintptr
		flags                uintptr
	}
	answer  birth
	control [maxPassed*4 + 64]byte

	wait  [2]pollFD
	info  [128]byte
	usage syscall.Rusage
	plan  plan
	// Behind it lies what the plan refers to.
}

// A plan is the message by which a keeper asks a zygote for a process 1: a
// script, laid out for the place at which it will be.
type plan struct {
	size              uint32 // of the message
	setup, setups     uint32 // where, from the plan on, and how many
	command, commands uint32
	alone             uint32 // as in script
	intoGroup         uint32 // call clone3 with spawn
	_                 uint32
	flags             uint64 // for process 1
	mask              uint64 // of SIGCHLD
	key               uint64 // of the filter
	spawn             [11]uint64
	first             uintptr // pid of process 1
	entry             uintptr // the code of live
	nest              uintptr // where from the arena on there is one of its own, or zero
}

// A process 1 that shares the memory of its zygote has a nest there: an arena
// with the stack at its end. To copy the memory for each, and to let go of the
// copy, costs as much as namespaces do. Nests lie in the second half of the zygote's arena.
const (
	nestSize = 256 << 10
	maxNests = arenaSize / 2 / nestSize
	// nestPlan is the most that the plan in a nest may take.
	nestPlan = nestSize - 32<<10
)

// nest returns a place for a process 1, until vacate is called, or -1.
func (z *zygote) nest() int {
	if !nests {
		return -1
	}
	z.nests.Lock()
	defer z.nests.Unlock()
	if n := len(z.free) - 1; n >= 0 {
		nest := z.free[n]
		z.free = z.free[:n]
		return nest
	}
	if z.next == maxNests {
		return -1
	}
	z.next++
	return z.next - 1
}

// vacate says that the process in a nest, if there was one, is gone.
func (z *zygote) vacate(nest int) {
	if nest < 0 {
		return
	}
	z.nests.Lock()
	defer z.nests.Unlock()
	z.free = append(z.free, nest)
}

// nestAt returns where from the arena on a nest is.
func nestAt(nest int) uintptr { return uintptr(arenaSize/2 + nest*nestSize) }

// A birth is a zygote's answer.
type birth struct{ pid, errno int32 }

// A span is a piece of memory.
type span struct{ from, to uintptr }

// image is the memory that process 1 needs of the keeper's.
type image struct {
	keep [12]span
	end  uintptr // of all memory; zero to keep everything
}

// newImage finds out what to keep: the program itself and the arena.
func newImage() (a *arena, m image, err error) {
	b, err := syscall.Mmap(-1, 0, arenaSize, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, m, fmt.Errorf("reserve memory: %w", err)
	}
	a = (*arena)(unsafe.Pointer(&b[0]))
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, m, err
	}
	if shareMemory == 0 {
		return a, m, nil // a processor of which we do not know where threads keep things
	}
	m.keep[0] = span{uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(a)) + arenaSize}
	f := keep
	spans, end := imageSpans(string(maps), **(**uintptr)(unsafe.Pointer(&f)))
	if len(spans) == 0 || len(spans) > len(m.keep)-3 {
		return a, m, nil // stranger than we know; slower, and it works
	}
	copy(m.keep[1:], spans)
	m.end = end
	return a, m, nil
}

// imageSpans takes from /proc/self/maps where the program lies that has the
// code at pc, and the end of all memory.
func imageSpans(maps string, pc uintptr) (spans []span, end uintptr) {
	type mapping struct {
		span
		writable bool
		file     string // device and inode; that of no file begins with 00:00
	}
	var all []mapping
	program := ""
	for line := range strings.Lines(maps) {
		f := strings.Fields(line)
		if len(f) < 5 || strings.HasSuffix(line, "[vsyscall]\n") {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		lo, err1 := strconv.ParseUint(from, 16, 64)
		hi, err2 := strconv.ParseUint(to, 16, 64)
		if err1 != nil || err2 != nil || lo >= hi {
			return nil, 0
		}
		m := mapping{span{uintptr(lo), uintptr(hi)}, strings.Contains(f[1], "w"), f[3] + " " + f[4]}
		if m.from <= pc && pc < m.to {
			program = m.file
		}
		if len(f) > 5 && f[5] == "[heap]" {
			m.file = f[5]
		}
		all = append(all, m)
		end = max(end, m.to)
	}
	for i, m := range all {
		mine := m.file == program
		// Variables that begin as zero lie behind those that do not.
		if i > 0 && m.file == "00:00 0" && m.writable {
			b := all[i-1]
			mine = b.file == program && b.writable && b.to == m.from
		}
		if !mine || program == "" {
			continue
		}
		if n := len(spans); n > 0 && spans[n-1].to == m.from {
			spans[n-1].to = m.to
			continue
		}
		spans = append(spans, m.span)
	}
	return spans, end
}

// hatch makes a zygote, as a child of the calling thread and in its
// namespaces. It ends with that thread, and when its connection closes.
//
//go:norace
//go:nocheckptr
func hatch(a *arena, m *image, f *filter) (*zygote, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	defer syscall.Close(pair[1])
	image := *m
	tp := threadPointer()
	// With a C library the kernel writes there, too: restartable sequences.
	image.keep[len(image.keep)-2] = span{tp&^0xfff - 0x2000, tp&^0xfff + 0x3000}
	runtimeBeforeFork()
	// Nobody is told of its end, or of that of its siblings to be: to handle a
	// signal for each attempt costs, and they are waited for anyway.
	r, _, e := syscall.RawSyscall6(syscall.SYS_CLONE, 0, 0, 0, 0, 0, 0)
	if e == 0 && r == 0 {
		runtimeAfterForkInChild()
		incubate(a, &image, f, uintptr(pair[1]))
	}
	runtimeAfterFork()
	if e != 0 {
		syscall.Close(pair[0])
		return nil, fmt.Errorf("fork: %w", e)
	}
	if err := syscall.SetNonblock(pair[0], true); err != nil {
		return nil, err
	}
	return &zygote{pid: int(r), conn: os.NewFile(uintptr(pair[0]), "zygote"), fd: pair[0]}, nil
}

// incubate is the life of a zygote. It does not return.
//
//go:norace
//go:nocheckptr
//go:nosplit
func incubate(a *arena, m *image, f *filter, conn uintptr) {
	a.image = *m // which lies in memory that is given back
	a.plan.mask = ^uint64(0)
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetMask, uintptr(unsafe.Pointer(&a.plan.mask)), 0, 8, 0, 0)
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
	_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0)
	if f.size > 0 {
		const filterMode, noMitigation = 1, 4
		_, _, _ = syscall.RawSyscall(sysSeccomp, filterMode, noMitigation, uintptr(unsafe.Pointer(f)))
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_DUP3, conn, 0, 0)
	_, _, _ = syscall.RawSyscall(sysCloseRange, 1, 1<<31-1, 0)
	a.image.trim(uintptr(unsafe.Pointer(&conn)))
	for {
		a.vector[0], a.vector[1] = uintptr(unsafe.Pointer(&a.plan)), 1<<16
		a.message.vector, a.message.vectors = uintptr(unsafe.Pointer(&a.vector)), 1
		a.message.control, a.message.controlSize = uintptr(unsafe.Pointer(&a.control)), unsafe.Sizeof(a.control)
		n, _, e := syscall.RawSyscall(syscall.SYS_RECVMSG, 0, uintptr(unsafe.Pointer(&a.message)), msgCloexec)
		if e != 0 || n < unsafe.Sizeof(a.plan) {
			quit() // the keeper, or the template, is gone
		}
		size := uintptr(a.plan.size)
		for n < size {
			r, _, e := syscall.RawSyscall(syscall.SYS_READ, 0, uintptr(unsafe.Pointer(&a.plan))+n, size-n)
			if e != 0 || r == 0 {
				quit()
			}
			n += r
		}
		// A sibling, so that the keeper collects it, and the kernel ends it with
		// the keeper's thread.
		var pid, e1 uintptr
		if a.plan.nest != 0 {
			pid, e1 = nestle(a, size)
		} else {
			pid, _, e = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(a.plan.flags)|cloneParent, 0, 0, 0, 0, uintptr(a.plan.key))
			if e == 0 && pid == 0 {
				live(a)
			}
			e1 = uintptr(e)
		}
		a.answer.pid, a.answer.errno = int32(pid), int32(e1)
		_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, 0, uintptr(unsafe.Pointer(&a.answer)), unsafe.Sizeof(a.answer))
		_, _, _ = syscall.RawSyscall(sysCloseRange, 1, 1<<31-1, 0)
		// Nothing of it is for the next one, and what is not there need not be
		// copied.
		if a.plan.nest != 0 {
			a.plan.clear(size)
			continue
		}
		_, _, _ = syscall.RawSyscall(syscall.SYS_MADVISE, uintptr(unsafe.Pointer(a)), size+unsafe.Sizeof(*a), madvDontNeed)
	}
}

// nestle forks a process 1 that shares this memory, into its nest.
//
//go:norace
//go:nocheckptr
//go:nosplit
func nestle(a *arena, size uintptr) (pid, errno uintptr) {
	b := (*arena)(unsafe.Add(unsafe.Pointer(a), a.plan.nest))
	from, to := unsafe.Pointer(&a.plan), unsafe.Pointer(&b.plan)
	for at := uintptr(0); at < size; at += 8 { // both are longer than that
		*(*uint64)(unsafe.Add(to, at)) = *(*uint64)(unsafe.Add(from, at))
	}
	const room = 64 // of the stack, which grows down, for the first call
	return share(uintptr(a.plan.flags)|cloneParent|syscall.CLONE_VM, uintptr(unsafe.Pointer(b))+nestSize-room, uintptr(a.plan.key), b, a.plan.entry)
}

// clear forgets all but the head of a plan that takes size bytes.
//
//go:norace
//go:nocheckptr
//go:nosplit
func (p *plan) clear(size uintptr) {
	for at := unsafe.Sizeof(*p); at < size; at += 8 {
		*(*uint64)(unsafe.Add(unsafe.Pointer(p), at)) = 0
	}
}

// trim gives back all memory that is not to be kept, but for the stack, which
// is here.
//
//go:norace
//go:nocheckptr
//go:nosplit
func (m *image) trim(here uintptr) {
	if m.end == 0 {
		return
	}
	const page = 0xffff // the largest that there are
	m.keep[len(m.keep)-1] = span{(here - 0x1000) &^ page, (here+0x1000)&^page + page + 1}
	for at := uintptr(0); at < m.end; {
		next := span{m.end, m.end}
		for i := range m.keep {
			if k := &m.keep[i]; k.to > at && k.from < next.from {
				next.from, next.to = k.from, k.to
			}
		}
		if next.from > at {
			_, _, _ = syscall.RawSyscall(syscall.SYS_MUNMAP, at, next.from-at, 0)
		}
		at = next.to
	}
}

// bearTimeout is how long a zygote may take for a fork.
const bearTimeout = 30 * time.Second

// errBarren says that a zygote is gone.
var errBarren = errors.New("the process that forks attempts is gone")

// bear has the zygote fork a process 1. For the first moment it may hold a
// thread.
func (z *zygote) bear(s *script, flags uintptr, moment time.Duration) (pid int, err error) {
	if len(s.files)-1 > maxPassed {
		return 0, fmt.Errorf("an attempt with %d mounts and control groups; at most %d are possible", len(s.files)-8, maxPassed-7)
	}
	text, err := s.finish(flags)
	if err != nil {
		return 0, err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if err := z.ask(text, syscall.UnixRights(s.files[1:]...)); err != nil {
		return 0, errors.Join(errBarren, err)
	}
	ready := [1]pollFD{{fd: int32(z.fd), events: pollIn}}
	if moment == 0 || poll(ready[:], moment) == 0 {
		err = z.conn.SetReadDeadline(time.Now().Add(bearTimeout))
	}
	var answer birth
	if err == nil {
		_, err = io.ReadFull(z.conn, (*[unsafe.Sizeof(answer)]byte)(unsafe.Pointer(&answer))[:])
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = syscall.Kill(z.pid, syscall.SIGKILL) // somebody has stopped it
	}
	if err != nil {
		return 0, errors.Join(errBarren, err)
	}
	if answer.errno != 0 {
		return 0, fmt.Errorf("make the namespaces of an attempt: %w", syscall.Errno(answer.errno))
	}
	return int(answer.pid), nil
}

// ask sends a plan, with descriptors.
func (z *zygote) ask(text, rights []byte) error {
	n, err := syscall.SendmsgN(z.fd, text, rights, nil, syscall.MSG_NOSIGNAL)
	if err == nil && n == len(text) {
		return nil
	}
	// It is large, or the zygote is busy.
	if err := z.conn.SetWriteDeadline(time.Now().Add(bearTimeout)); err != nil {
		return err
	}
	if err != nil {
		conn, err := z.conn.SyscallConn()
		if err != nil {
			return err
		}
		var problem error
		err = conn.Write(func(fd uintptr) bool {
			n, problem = syscall.SendmsgN(int(fd), text, rights, nil, syscall.MSG_NOSIGNAL)
			return problem != syscall.EAGAIN
		})
		if err := errors.Join(err, problem); err != nil {
			return err
		}
	}
	_, err = z.conn.Write(text[n:])
	return err
}

// end has the zygote end. It may be called more than once.
func (z *zygote) end() { z.conn.Close() }

package cage

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// A poller waits until one of a few descriptors can be read. One goroutine
// owns it; others may call wake.
type poller struct {
	fds  [ends]pollFD // negative: none
	born time.Time

	// What follows is there once something took long. The runtime waits for a
	// set of descriptors as for one, with no thread.
	set   int
	file  atomic.Pointer[os.File] // of set
	woken atomic.Bool
}

// The descriptors of an attempt.
const (
	endStatus = iota // notes of process 1
	endOut           // standard output and error
	endLogs
	endResult
	endServer // the server that asked for it
	ends
)

// init makes a poller that waits for nothing yet.
func (p *poller) init() {
	p.born, p.set = time.Now(), -1
	for end := range p.fds {
		p.remove(end)
	}
}

// add waits for fd, too.
func (p *poller) add(end, fd int) {
	p.fds[end].fd = int32(fd)
	if p.set >= 0 {
		p.register(end)
	}
}

// remove does not wait for a descriptor any more, nor does it close it.
func (p *poller) remove(end int) {
	if p.set >= 0 && p.fds[end].fd >= 0 {
		_ = syscall.EpollCtl(p.set, syscall.EPOLL_CTL_DEL, int(p.fds[end].fd), nil)
	}
	p.fds[end] = pollFD{fd: -1, events: pollIn}
}

func (p *poller) register(end int) {
	e := syscall.EpollEvent{Events: syscall.EPOLLIN}
	_ = syscall.EpollCtl(p.set, syscall.EPOLL_CTL_ADD, int(p.fds[end].fd), &e) // else it is seen with the next that can be read
}

// ready reports whether wait found that a descriptor can be read, or is at its
// end.
func (p *poller) ready(end int) bool { return p.fds[end].revents != 0 }

// young is how long a poller may hold threads.
const young = 10 * time.Millisecond

// wait returns when a descriptor can be read, or until has come, or somebody
// calls wake. For the first moment it may hold a thread. A zero until is never.
func (p *poller) wait(moment time.Duration, until time.Time) {
	switch {
	case p.file.Load() != nil, time.Since(p.born) > young:
		moment = 0
	case !until.IsZero():
		moment = max(0, min(moment, time.Until(until)))
	}
	if poll(p.fds[:], moment) > 0 {
		return
	}
	f := p.open()
	if f == nil { // out of descriptors
		poll(p.fds[:], shortly)
		return
	}
	_ = f.SetReadDeadline(until)
	if p.woken.Swap(false) {
		return
	}
	conn, err := f.SyscallConn()
	if err != nil {
		panic(err) // an open file
	}
	_ = conn.Read(func(uintptr) bool { return poll(p.fds[:], 0) > 0 }) // else until has come
}

// wake has wait return, the present or the next one.
func (p *poller) wake() {
	p.woken.Store(true)
	if f := p.file.Load(); f != nil {
		_ = f.SetReadDeadline(time.Unix(1, 0)) // it may be closed
	}
}

// open makes the set.
func (p *poller) open() *os.File {
	if f := p.file.Load(); f != nil {
		return f
	}
	set, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	if syscall.SetNonblock(set, true) != nil {
		syscall.Close(set)
		return nil
	}
	p.set = set
	for i := range p.fds {
		if p.fds[i].fd >= 0 {
			p.register(i)
		}
	}
	f := os.NewFile(uintptr(set), "descriptors of an attempt")
	p.file.Store(f)
	return f
}

// close lets go of the set.
func (p *poller) close() {
	if f := p.file.Swap(nil); f != nil {
		f.Close()
	}
	p.set = -1
}

// poll returns how many descriptors can be read after at most so long.
func poll(fds []pollFD, wait time.Duration) int {
	ts := syscall.NsecToTimespec(int64(wait))
	n, _, e := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if e != 0 { // a signal, after which the runtime goes on
		for i := range fds {
			fds[i].revents = 0
		}
		return 0
	}
	return int(n)
}

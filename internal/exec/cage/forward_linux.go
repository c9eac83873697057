package cage

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// maxForwarded bounds the connections that one attempt has outside at once.
const maxForwarded = 256

// forward opens the listeners that the attempt shall find in its network, and
// takes what connects to them outside. The network is there once process 1 is
// ready. The goroutines end when the attempt is closed, and with the processes
// whose connections they have.
func (a *attempt) forward() error {
	room := make(chan struct{}, maxForwarded)
	for _, f := range a.c.Forwards {
		to, err := netip.ParseAddrPort(f.To)
		if err != nil {
			return err
		}
		l, err := listenIn(a.pid, f.Listen)
		if err != nil {
			return fmt.Errorf("listen at %s for the command: %w", f.Listen, err)
		}
		a.forwards = append(a.forwards, l)
		go accept(l, func() (*os.File, error) { return dial(sockaddr(to)) }, room)
	}
	return nil
}

// maxForwardedInside is that bound in a container, whose memory process 1 shares
// with the command.
const maxForwardedInside = 64

// forwardInside opens the listeners that the command of a container shall find,
// and takes what connects to them to the sockets at which the server listens.
func (a *attempt) forwardInside() error {
	room := make(chan struct{}, maxForwardedInside)
	for i, f := range a.c.Forwards {
		at, err := netip.ParseAddrPort(f.Listen)
		if err != nil {
			return err
		}
		fd, err := listen(at)
		if err != nil {
			return fmt.Errorf("listen at %s for the command: %w", f.Listen, err)
		}
		l := os.NewFile(uintptr(fd), "listener")
		a.forwards = append(a.forwards, l)
		server := &syscall.SockaddrUnix{Name: path.Join(InsideDir, ForwardFile+strconv.Itoa(i))}
		// Where no server listens the command sees a connection that ends.
		go accept(l, func() (*os.File, error) { return dial(syscall.AF_UNIX, server) }, room)
	}
	return nil
}

// listenIn returns a listener in the network namespace of a process.
func listenIn(pid int, address string) (*os.File, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	type result struct {
		fd  int
		err error
	}
	done := make(chan result)
	go func() {
		// This thread is never unlocked, so it ends with the goroutine, and
		// nobody else finds itself in another network.
		runtime.LockOSThread()
		ns, err := os.Open(path.Join("/proc", strconv.Itoa(pid), "ns", "net"))
		if err != nil {
			done <- result{-1, err}
			return
		}
		defer ns.Close()
		if _, _, errno := syscall.RawSyscall(setns(), ns.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
			done <- result{-1, os.NewSyscallError("setns", errno)}
			return
		}
		fd, err := listen(at)
		done <- result{fd, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, r.err
	}
	return os.NewFile(uintptr(r.fd), "listener"), nil
}

// setns is the number of a system call that package syscall lacks.
func setns() uintptr {
	switch runtime.GOARCH {
	case "amd64":
		return 308
	case "386":
		return 346
	case "arm":
		return 375
	case "ppc64", "ppc64le":
		return 350
	case "s390x":
		return 339
	}
	return 268 // of all newer ones
}

func listen(at netip.AddrPort) (int, error) {
	family, address := sockaddr(at)
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err = syscall.Bind(fd, address); err == nil {
		err = syscall.Listen(fd, 128)
	}
	if err != nil {
		syscall.Close(fd)
		return -1, os.NewSyscallError("listen", err)
	}
	return fd, nil
}

func sockaddr(at netip.AddrPort) (int, syscall.Sockaddr) {
	if at.Addr().Is4() {
		return syscall.AF_INET, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	return syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
}

// acceptPause is how long a connection waits when there is no room to take it.
const acceptPause = 100 * time.Millisecond

// accept joins connections with what dial makes until the listener closes.
func accept(l *os.File, dial func() (*os.File, error), room chan struct{}) {
	raw, err := l.SyscallConn()
	if err != nil {
		return
	}
	for {
		var fd int
		var problem error
		err := raw.Read(func(listener uintptr) bool {
			fd, _, problem = syscall.Accept4(int(listener), syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
			return problem != syscall.EAGAIN
		})
		if err != nil {
			return
		}
		switch problem {
		case nil:
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
			time.Sleep(acceptPause) // it stays in the queue, and would be refused again at once
			continue
		default:
			continue // it went away before it was taken
		}
		inside := os.NewFile(uintptr(fd), "connection")
		room <- struct{}{}
		go func() {
			defer func() { <-room }()
			defer inside.Close()
			outside, err := dial()
			if err != nil {
				return // the command sees a connection that ends
			}
			defer outside.Close()
			join(inside, outside)
		}()
	}
}

// dial connects to an address of this machine.
func dial(family int, address syscall.Sockaddr) (*os.File, error) {
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	// On one machine this does not wait.
	if err = syscall.Connect(fd, address); err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "connection"), nil
}

// join moves bytes both ways until both are at their end.
func join(a, b *os.File) {
	var both sync.WaitGroup
	move := func(to, from *os.File) {
		_, err := io.Copy(to, from)
		if err != nil {
			// One side is gone: the other must not wait for it.
			a.Close()
			b.Close()
			return
		}
		if raw, err := to.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_WR) })
		}
	}
	both.Go(func() { move(a, b) })
	both.Go(func() { move(b, a) })
	both.Wait()
}

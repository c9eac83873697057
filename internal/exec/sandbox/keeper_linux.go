//go:build !portable

package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fairlead/internal/exec/cage"
	"fairlead/internal/killpoint"
)

// errGone says that a keeper went away before it answered.
var errGone = errors.New("the keeper of attempts is gone")

const (
	// startTimeout bounds the start of a keeper.
	startTimeout = time.Minute
	// retryAfter is how long to wait for a keeper that another server starts,
	// or that is just ending.
	retryAfter = 5 * time.Millisecond
)

// socket is where a keeper of this version listens that works by these means.
func (m *means) socket() string {
	return cage.SocketFile + "." + strconv.Itoa(cage.Protocol) + "." + [...]string{"plain", "user", "root"}[m.kind]
}

// ask sends a request to a keeper and returns its first answer, and the
// connection for more.
func (d *Driver) ask(m *means, socket string, r cage.Request, a *cage.Answer) (net.Conn, error) {
	if conn := d.takeIdle(socket); conn != nil {
		if err := exchange(conn, r, a); err == nil {
			return conn, nil
		}
		conn.Close() // its keeper has ended since; another may ask it anything again
	}
	conn, err := d.connect(m, socket)
	if err != nil {
		return nil, err
	}
	if err := exchange(conn, r, a); err != nil {
		conn.Close()
		return nil, errors.Join(errGone, err)
	}
	return conn, nil
}

func exchange(conn net.Conn, r cage.Request, a *cage.Answer) error {
	*a = cage.Answer{}
	if err := cage.WriteMessage(conn, r); err != nil {
		return err
	}
	return cage.ReadMessage(conn, a)
}

// maxIdle bounds the connections that wait for another request.
const maxIdle = 4

// takeIdle returns a connection to the keeper at a socket that nobody uses, or
// nil.
func (d *Driver) takeIdle(socket string) net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	if socket != d.idleAt || len(d.idle) == 0 {
		return nil
	}
	last := len(d.idle) - 1
	conn := d.idle[last]
	d.idle = d.idle[:last]
	return conn
}

// putIdle keeps a connection whose last request is answered.
func (d *Driver) putIdle(socket string, conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if socket != d.idleAt {
		d.closeIdle()
		d.idleAt = socket
	}
	if len(d.idle) == maxIdle {
		conn.Close()
		return
	}
	d.idle = append(d.idle, conn)
}

// closeIdle closes the connections that nobody uses. The caller holds mu.
func (d *Driver) closeIdle() {
	for _, conn := range d.idle {
		conn.Close()
	}
	d.idle = nil
}

// connect connects to the keeper at a socket, and starts one if none is there.
func (d *Driver) connect(m *means, socket string) (net.Conn, error) {
	late := time.Now().Add(startTimeout)
	for {
		conn, err := d.dial(socket)
		if err == nil {
			return conn, nil
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ECONNREFUSED) {
			return nil, fmt.Errorf("connect to the keeper of attempts: %w", err)
		}
		if socket != m.socket() {
			return nil, errors.Join(errGone, err)
		}
		taken, err := d.startKeeper(m, socket)
		if err != nil {
			return nil, err
		}
		if time.Now().After(late) {
			return nil, fmt.Errorf("another process holds %s.lock and does not answer", filepath.Join(d.opts.Root, socket))
		}
		if taken {
			time.Sleep(retryAfter)
		}
	}
}

// dial connects by a short name for a directory that may have a long one: the
// address of a socket has 108 bytes.
func (d *Driver) dial(socket string) (net.Conn, error) {
	root, err := os.Open(d.opts.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return net.Dial("unix", fmt.Sprintf("/proc/self/fd/%d/%s", root.Fd(), socket))
}

// startKeeper starts a keeper; taken says that there is one.
func (d *Driver) startKeeper(m *means, socket string) (taken bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if conn, err := d.dial(socket); err == nil { // one caller was faster
		conn.Close()
		return false, nil
	}
	status, p, err := m.spawn(cage.Setup{Root: d.opts.Root, Socket: socket, Plain: m.plain(), User: m.kind == userMode, Fleeting: d.opts.Fleeting})
	if err != nil {
		return false, err
	}
	d.closeIdle() // they are to one that has ended
	if d.keeper != nil {
		d.keeper.reap()
		d.keeper.close()
	}
	d.keeper = p
	return status.Taken, nil
}

// spawn starts a keeper and returns when it listens, or has ended as asked.
// It is a child of this process but not tied to its life.
func (m *means) spawn(setup cage.Setup) (cage.Status, *process, error) {
	var status cage.Status
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || slack <= 0 {
		slack = 50_000 // the kernel's own
	}
	setup.Slack = uintptr(slack)
	b, err := json.Marshal(setup)
	if err != nil {
		return status, nil, err
	}
	config, err := memFile("setup", b)
	if err != nil {
		return status, nil, err
	}
	defer config.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return status, nil, err
	}
	defer null.Close()
	stderr, err := memFile("stderr", nil)
	if err != nil {
		return status, nil, err
	}
	defer stderr.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return status, nil, err
	}
	defer r.Close()

	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir: "/",
		// The runtime would read control groups to size itself. Its processors are more
		// than keep busy, as those in a system call are not taken away at once; see
		// cage.TimerSlack.
		Env:   append(killpoint.Env(), "GOMAXPROCS=4", "GODEBUG=containermaxprocs=0,updatemaxprocs=0"),
		Files: []uintptr{null.Fd(), stderr.Fd(), stderr.Fd(), config.Fd(), w.Fd()},
		Sys:   m.attr(),
	}
	attr.Sys.PidFD = &pidfd
	// A child has the slack of the thread that forks it.
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, cage.TimerSlack, 0, 0, 0) // else the keeper costs more
	pid, err := syscall.ForkExec("/proc/self/exe", []string{cage.Name}, attr)
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, setup.Slack, 0, 0, 0)
	runtime.UnlockOSThread()
	w.Close()
	if err != nil {
		return status, nil, fmt.Errorf("start the keeper of attempts: %w", err)
	}
	p := &process{pid: pid, fd: pidfd}
	_ = r.SetReadDeadline(time.Now().Add(startTimeout))
	line, err := bufio.NewReader(r).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &status)
	}
	if err != nil {
		p.kill()
		p.finish()
		said := make([]byte, 2000)
		n, _ := stderr.ReadAt(said, 0)
		if errors.Is(err, io.EOF) {
			err = errors.New("it ended without an answer")
		}
		return status, nil, fmt.Errorf("start the keeper of attempts: %w: %s", err, said[:n])
	}
	if status.Failure != "" || status.Taken || setup.Probe != nil {
		p.finish()
		p = nil
	}
	if status.Failure != "" {
		return status, nil, errors.New(status.Failure)
	}
	return status, p, nil
}

// memFile returns an unnamed file in memory with the given content, to be
// read from its start.
func memFile(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(content); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// A process is a keeper, held by a descriptor that means no other even after it
// has ended and its number is used again.
type process struct {
	pid int
	fd  int
}

// finish waits for the end of the process.
func (p *process) finish() {
	for unix.Waitid(unix.P_PIDFD, p.fd, nil, unix.WEXITED, nil) == unix.EINTR {
	}
	p.close()
}

// reap removes what the kernel keeps of the process if it has ended.
func (p *process) reap() {
	_ = unix.Waitid(unix.P_PIDFD, p.fd, nil, unix.WEXITED|unix.WNOHANG, nil)
}

func (p *process) kill() { _ = unix.PidfdSendSignal(p.fd, unix.SIGKILL, nil, 0) }

func (p *process) close() { unix.Close(p.fd) }

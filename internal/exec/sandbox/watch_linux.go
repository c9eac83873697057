//go:build !portable

package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"fairlead/internal/exec/cage"
)

// A watcher asks a keeper now and then whether it answers, as long as anybody
// waits for it. One that does not, because it was stopped or hangs, is
// killed: then those who wait hear of its end, and the next keeper says what
// became of their attempts.
type watcher struct {
	users int         // guarded by Driver.mu
	timer *time.Timer // of the next question; most attempts end before the first
}

// watch has the keeper at a socket watched until the caller calls the function
// that it returns, once.
func (d *Driver) watch(socket string) (leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.watchers[socket]
	if w == nil {
		w = &watcher{}
		d.watchers[socket] = w
		w.timer = time.AfterFunc(d.pulse, func() { d.ping(socket, w) })
	}
	w.users++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if w.users--; w.users == 0 {
			w.timer.Stop()
			delete(d.watchers, socket)
		}
	}
}

// ping asks the keeper at a socket whether it answers, and has it asked again
// unless the last user of w has left.
func (d *Driver) ping(socket string, w *watcher) {
	if conn, err := d.dial(socket); err == nil { // else it is gone, which those who wait have heard
		var a cage.Answer
		err = conn.SetDeadline(time.Now().Add(d.patience))
		if err == nil {
			err = cage.WriteMessage(conn, cage.Request{Op: cage.OpPing})
		}
		if err == nil {
			err = cage.ReadMessage(conn, &a)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			_ = killPeer(conn) // it is asked again, and there may be another
		}
		conn.Close()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if w.users > 0 {
		w.timer.Reset(d.pulse)
	}
}

// killPeer kills the keeper at the other end of a connection.
func killPeer(conn net.Conn) error {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return errors.New("not a connection to a keeper")
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var problem error
	err = raw.Control(func(fd uintptr) { peer, problem = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, problem); err != nil {
		return err
	}
	fd, err := unix.PidfdOpen(int(peer.Pid), 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// The number might be another's by now; the descriptor means what it meant
	// when this was read.
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", peer.Pid))
	if err != nil || !bytes.Equal(name, append([]byte(cage.Name), 0)) {
		return fmt.Errorf("process %d is not a keeper", peer.Pid)
	}
	return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
}

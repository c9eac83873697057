package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

const (
	// maxRelayed bounds the connections of one attempt to one forward. Process 1
	// makes fewer.
	maxRelayed = 256
	// reachTime bounds how long a connection takes to be made.
	reachTime = 10 * time.Second
)

// relay listens where process 1 of a container connects for its command, and takes
// each connection on to where its forward leads, until end is called. A server
// that takes up an attempt listens anew in place of the one before.
func relay(report string, forwards []exec.Forward) (end func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	end = func() {
		cancel()
		all.Wait()
	}
	for i, f := range forwards {
		l, err := listen(report, cage.ForwardFile+strconv.Itoa(i))
		if err != nil {
			end()
			return nil, fmt.Errorf("listen for what goes to %s: %w", f.To, err)
		}
		all.Go(func() {
			defer context.AfterFunc(ctx, func() { l.Close() })()
			accept(ctx, l, f.To)
		})
	}
	return end, nil
}

// listen makes a socket in a directory whose path may be longer than the address
// of a socket can be. One that is there already is replaced.
func listen(dir, name string) (*net.UnixListener, error) {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	at := filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())), name)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // the descriptor's number may be another's by then
	return l, nil
}

// accept takes connections until ctx is done, and waits for them.
func accept(ctx context.Context, l *net.UnixListener, to string) {
	var all sync.WaitGroup
	defer all.Wait()
	room := make(chan struct{}, maxRelayed)
	for {
		in, err := l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				in.Close()
			}
			return
		case err != nil: // this process may have no more descriptors just now
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			carry(ctx, in, to)
		})
	}
}

// carry takes a connection to an address until both sides are done.
func carry(ctx context.Context, in *net.UnixConn, to string) {
	defer in.Close()
	dialer := net.Dialer{Timeout: reachTime}
	c, err := dialer.DialContext(ctx, "tcp", to)
	if err != nil {
		return // the command sees a connection that ends
	}
	out := c.(*net.TCPConn)
	defer out.Close()
	shut := func() {
		in.Close()
		out.Close()
	}
	defer context.AfterFunc(ctx, shut)()
	var both sync.WaitGroup
	move := func(to, from interface {
		io.ReadWriter
		CloseWrite() error
	}) {
		if _, err := io.Copy(to, from); err != nil {
			shut() // one side is gone: the other must not wait for it
			return
		}
		_ = to.CloseWrite()
	}
	both.Go(func() { move(out, in) })
	both.Go(func() { move(in, out) })
	both.Wait()
}

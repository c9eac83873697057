//go:build !portable

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"fairlead/internal/exec/cage"
)

// A process is a supervisor, held by a descriptor that means no other even
// after it has ended and its number is used again.
type process struct {
	pid int
	fd  int
}

// find returns the process that made the claim, or nil if it is gone.
func find(c cage.Claim) (*process, error) {
	boot, err := cage.BootID()
	if err != nil {
		return nil, err
	}
	if c.PID <= 0 || c.Boot != boot {
		return nil, nil
	}
	fd, err := unix.PidfdOpen(c.PID, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", c.PID, err)
	}
	p := &process{pid: c.PID, fd: fd}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID))
	if err == nil {
		var start uint64
		if _, start, err = cage.ParseStat(stat); err == nil && start == c.Start {
			return p, nil
		}
	}
	p.close()
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
		return nil, err
	}
	return nil, nil
}

// wait returns nil when the process has ended, or the context's error. It
// holds no thread meanwhile.
func (p *process) wait(ctx context.Context) error {
	fd, err := unix.FcntlInt(uintptr(p.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("wait for process %d: %w", p.pid, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return fmt.Errorf("wait for process %d: %w", p.pid, err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("wait for process %d: %w", p.pid, err)
	}
	defer context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })()
	err = conn.Read(func(fd uintptr) bool { return ended(int(fd)) })
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (p *process) ended() bool { return ended(p.fd) }

func ended(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// reap removes what the kernel keeps of the process if it has ended and was
// our child.
func (p *process) reap() {
	// Whether it was ours is for the kernel to know.
	_ = unix.Waitid(unix.P_PIDFD, p.fd, nil, unix.WEXITED|unix.WNOHANG, nil)
}

func (p *process) kill() { _ = unix.PidfdSendSignal(p.fd, unix.SIGKILL, nil, 0) }

func (p *process) close() { unix.Close(p.fd) }

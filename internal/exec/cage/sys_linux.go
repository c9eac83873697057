package cage

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// golang.org/x/sys/unix has all of this, but importing it would put this
// package behind most others in the order of initialisation; see init.

const (
	sysCloseRange   = 436
	sysMountSetattr = 442

	prSetDumpable       = 4
	prCapbsetDrop       = 24
	prSetChildSubreaper = 36
	prSetNoNewPrivs     = 38
	prCapAmbient        = 47

	attrReadOnly = 0x1
	atRecursive  = 0x8000
	oPath        = 0x200000
	pollIn       = 0x1
)

func prctl(op, arg uintptr) error {
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, op, arg, 0, 0, 0, 0); e != 0 {
		return e
	}
	return nil
}

// mountAttr is the kernel's struct mount_attr.
type mountAttr struct{ set, clear, propagation, userns uint64 }

// setReadOnly makes the mount at path, and with recursive those below it,
// read-only.
func setReadOnly(path string, recursive bool) error {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	attr := mountAttr{set: attrReadOnly}
	var flags uintptr
	if recursive {
		flags = atRecursive
	}
	dir := atFDCWD
	_, _, e := syscall.Syscall6(sysMountSetattr, uintptr(dir), uintptr(unsafe.Pointer(p)), flags,
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if e == 0 {
		return nil
	}
	if e != syscall.ENOSYS {
		return &os.PathError{Op: "make read-only", Path: path, Err: e}
	}
	return remountReadOnly(path, recursive) // Linux before 5.12
}

// atFDCWD is a variable's worth of AT_FDCWD: the conversion of a negative
// constant to uintptr would not compile.
const atFDCWD = -100

func linkat(dir int, from, to string) error {
	f, err := syscall.BytePtrFromString(from)
	if err != nil {
		return err
	}
	t, err := syscall.BytePtrFromString(to)
	if err != nil {
		return err
	}
	_, _, e := syscall.Syscall6(syscall.SYS_LINKAT, uintptr(dir), uintptr(unsafe.Pointer(f)),
		uintptr(dir), uintptr(unsafe.Pointer(t)), 0, 0)
	if e != 0 {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: e}
	}
	return nil
}

func rmdirat(dir int, name string) error {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	const removeDir = 0x200
	if _, _, e := syscall.Syscall(syscall.SYS_UNLINKAT, uintptr(dir), uintptr(unsafe.Pointer(p)), removeDir); e != 0 {
		return e
	}
	return nil
}

type pollFD struct {
	fd      int32
	events  int16
	revents int16
}

// poll waits until one of fds is ready or ms milliseconds have passed; a
// negative ms waits for ever. Entries with a negative fd are passed over.
func poll(fds []pollFD, ms int) error {
	var ts *syscall.Timespec
	if ms >= 0 {
		t := syscall.NsecToTimespec(int64(ms) * 1e6)
		ts = &t
	}
	_, _, e := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)),
		uintptr(unsafe.Pointer(ts)), 0, 0, 0)
	runtime.KeepAlive(ts)
	if e != 0 && e != syscall.EINTR {
		return e
	}
	return nil
}

func prlimit(pid, resource int, limit *syscall.Rlimit) error {
	_, _, e := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), uintptr(resource),
		uintptr(unsafe.Pointer(limit)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// resetSignal gives a signal its default action, whatever the Go runtime
// wants.
func resetSignal(sig syscall.Signal) {
	var action [4]uint64 // struct sigaction of the kernel: SIG_DFL, no flags, empty mask
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}

// dropPrivileges takes every capability from the calling thread and from
// what it forks, for good. Threads that exist already keep theirs.
func dropPrivileges() error {
	if err := prctl(prSetNoNewPrivs, 1); err != nil {
		return err
	}
	const ambientClearAll = 4
	_ = prctl(prCapAmbient, ambientClearAll)
	for c := uintptr(0); c < 64; c++ {
		err := prctl(prCapbsetDrop, c)
		if err == syscall.EINVAL { // beyond the last capability
			break
		}
		if err == syscall.EPERM { // we have none to drop
			break
		}
	}
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	var none [2]struct{ effective, permitted, inheritable uint32 }
	if _, _, e := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0); e != 0 {
		return e
	}
	return nil
}

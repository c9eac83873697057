package cage

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// golang.org/x/sys/unix has all of this, but importing it would put this
// package behind most others in the order of initialisation; see init.

const (
	sysOpenTree     = 428
	sysMoveMount    = 429
	sysPidfdOpen    = 434
	sysClone3       = 435
	sysCloseRange   = 436
	sysMountSetattr = 442

	prSetDumpable       = 4
	prCapbsetDrop       = 24
	prSetTimerSlack     = 29
	prSetChildSubreaper = 36
	prSetNoNewPrivs     = 38
	prCapAmbient        = 47

	attrReadOnly = 0x1
	atRecursive  = 0x8000
	oPath        = 0x200000
	pollIn       = 0x1
	sigSetMask   = 2

	rlimitProcesses = 6

	openTreeClone   = 0x1
	cloneIntoCgroup = 0x200000000
	cloneParent     = 0x8000
	madvDontNeed    = 4
	msgCloexec      = 0x40000000 // MSG_CMSG_CLOEXEC
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

// memFile returns an unnamed file in memory, to be read from its start: it is
// not on disk, since input may be a secret.
func memFile(content []byte) (fd int, err error) {
	var create uintptr
	switch runtime.GOARCH {
	case "amd64":
		create = 319
	case "386":
		create = 356
	case "arm":
		create = 385
	default: // the table that all later architectures share
		create = 279
	}
	name, err := syscall.BytePtrFromString("stdin")
	if err != nil {
		return -1, err
	}
	const closeOnExec = 1
	r, _, e := syscall.Syscall(create, uintptr(unsafe.Pointer(name)), closeOnExec, 0)
	if e != 0 {
		return -1, fmt.Errorf("make a file in memory: %w", e)
	}
	fd = int(r)
	for at := 0; at < len(content); {
		n, err := syscall.Pwrite(fd, content[at:], int64(at))
		if err != nil && err != syscall.EINTR {
			syscall.Close(fd)
			return -1, fmt.Errorf("write a file in memory: %w", err)
		}
		at += max(n, 0)
	}
	return fd, nil
}

// cloneTree copies the mount at a path, and with recursive those below it.
func cloneTree(path string, recursive bool) (fd int, err error) {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return -1, err
	}
	flags := uintptr(openTreeClone | syscall.O_CLOEXEC)
	if recursive {
		flags |= atRecursive
	}
	dir := atFDCWD
	r, _, e := syscall.Syscall(sysOpenTree, uintptr(dir), uintptr(unsafe.Pointer(p)), flags)
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// setTree changes the flags of a tree that is mounted nowhere.
func setTree(fd int, attr *mountAttr) error {
	const emptyPath = 0x1000
	var none byte
	_, _, e := syscall.Syscall6(sysMountSetattr, uintptr(fd), uintptr(unsafe.Pointer(&none)), emptyPath|atRecursive,
		uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr), 0)
	if e != 0 {
		return e
	}
	return nil
}

type capHeader struct {
	version uint32
	_       int32 // the process: itself
}

// capSet holds no capability: effective, permitted and inheritable ones.
type capSet [3]uint32

// dropBounds takes every capability from what the calling thread forks and
// executes, for good. What it has itself it keeps.
func dropBounds() error {
	for c := uintptr(0); c < 64; c++ {
		err := prctl(prCapbsetDrop, c)
		if err == syscall.EINVAL { // beyond the last capability
			break
		}
		if err == syscall.EPERM { // we have none to drop
			break
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return nil
}

// put adds a value to what process 1 has in memory and returns where it will
// be.
func put[T any](s *script, v T) uintptr {
	for len(s.data)%8 != 0 {
		s.data = append(s.data, 0)
	}
	at := s.base + uintptr(len(s.data))
	s.data = append(s.data, unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v))...)
	return at
}

// text is put for a string as the kernel wants it.
func (s *script) text(t string) uintptr {
	at := s.base + uintptr(len(s.data))
	s.data = append(append(s.data, t...), 0)
	return at
}

// list is put for a list of strings.
func (s *script) list(texts []string) uintptr {
	l := make([]uintptr, 0, len(texts)+1)
	for _, t := range texts {
		l = append(l, s.text(t))
	}
	return putAll(s, append(l, 0))
}

// putAll is put for a list.
func putAll[T any](s *script, list []T) (at uintptr) {
	for i, v := range list {
		if a := put(s, v); i == 0 {
			at = a
		}
	}
	return at
}

// loopback brings up the one device of a new network namespace.
func (s *script) loopback() {
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP}
	copy(request.name[:], "lo")
	s.add("bring up the loopback device", syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	up := s.add("bring up the loopback device", syscall.SYS_IOCTL, 0, syscall.SIOCSIFFLAGS, put(s, request))
	up.chained = true // the descriptor is closed with all others
}

//go:build !amd64 && !arm64

package cage

import "syscall"

// shareMemory is for processors on which vfork is known.
const shareMemory = 0

// vfork makes a call of clone or clone3.
//
//go:norace
//go:nosplit
func vfork(number, a1, a2, a6 uintptr) (r1, errno uintptr) {
	r, _, e := syscall.RawSyscall6(number, a1, a2, 0, 0, 0, a6)
	return r, uintptr(e)
}

// nests is for processors on which share is known.
const nests = false

func share(uintptr, uintptr, uintptr, *arena, uintptr) (pid, errno uintptr) {
	return 0, uintptr(syscall.ENOSYS)
}

// threadPointer is for processors on which memory is trimmed.
func threadPointer() uintptr { return 0 }

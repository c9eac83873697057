//go:build amd64 || arm64

package cage

import "syscall"

// shareMemory has the command begin in the memory of process 1, which waits
// until it executes, instead of in a copy.
const shareMemory = syscall.CLONE_VM | syscall.CLONE_VFORK

// vfork makes a call of clone or clone3 with shareMemory. It returns twice, and
// the child first, on the same stack: the caller must then leave alone
// what the parent needs.
//
//go:noescape
func vfork(number, a1, a2, a6 uintptr) (r1, errno uintptr)

// threadPointer returns where the memory begins that the calling thread has for
// itself.
func threadPointer() uintptr

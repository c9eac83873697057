package cage

// nests says that processes 1 may share the memory of their zygote.
const nests = true

// share makes a process in the memory of the caller, with a stack of its own,
// that goes on with a at entry, which takes one pointer. To the caller it returns once.
//
//go:noescape
func share(flags, stack, key uintptr, a *arena, entry uintptr) (pid, errno uintptr)

//go:build linux && faketime

// Command guest lives simulated worlds; package sim builds it, with a runtime
// of its own, runs it and says which worlds. Each is lived by a copy of the
// process as it was before the first, so what a seed means does not depend on
// what was lived before it.
package main

import (
	"bytes"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"syscall"
	"time"
	"unsafe"

	"fairlead/internal/sim/world"
)

// begin begins time and the runtime's random numbers. The patched runtime has
// it, and jump, which sets the wall clock.
//
//go:linkname begin
func begin(seed uint64, lead int64)

//go:linkname jump
func jump(by int64)

// order says what worlds to live.
var order struct {
	seed, count uint64
	whole       bool
	broken      [47]byte
}

// status is how the process ended that lived in a world.
var status int32

// main reads orders, and writes for each world its transcript, a zero byte
// and the status. It calls the kernel and nothing of the runtime, so that it
// stays as it is: what it has changed the next world would see.
func main() {
	zero := []byte{0}
	const size = unsafe.Sizeof(order)
	for {
		for n := uintptr(0); n < size; {
			m := raw(syscall.SYS_READ, 0, uintptr(unsafe.Pointer(&order))+n, size-n)
			if m == 0 {
				os.Exit(0)
			}
			n += m
		}
		for ; order.count > 0; order.count, order.seed = order.count-1, order.seed+1 {
			pid := raw(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0)
			if pid == 0 {
				done := make(chan bool)
				go live(done)
				<-done
				os.Exit(0)
			}
			raw(syscall.SYS_WAIT4, pid, uintptr(unsafe.Pointer(&status)), 0)
			raw(syscall.SYS_WRITE, 1, uintptr(unsafe.Pointer(&zero[0])), 1)
			raw(syscall.SYS_WRITE, 1, uintptr(unsafe.Pointer(&status)), 4)
		}
	}
}

func raw(call, a, b, c uintptr) uintptr {
	for {
		n, _, errno := syscall.RawSyscall6(call, a, b, c, 0, 0, 0)
		switch errno {
		case 0:
			return n
		case syscall.EINTR:
		default:
			os.Exit(3)
		}
	}
}

func live(done chan bool) {
	// A world that never ends, or eats all memory, is a failure like others.
	_ = syscall.Setrlimit(syscall.RLIMIT_CPU, &syscall.Rlimit{Cur: 60, Max: 60})
	_ = syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: 4 << 30, Max: 4 << 30})
	seed := order.seed
	random := rand.New(rand.NewPCG(seed, 0xc10c))
	wall := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(random.IntN(700*24*3600)) * time.Second)
	begin(random.Uint64(), wall.UnixNano())
	out := &transcript{hash: fnv.New64a(), whole: order.whole}
	world.Run(world.Config{
		Seed: seed, Broken: string(bytes.TrimRight(order.broken[:], "\x00")), Out: out,
		Jump: func(by time.Duration) { jump(int64(by)) },
		Fail: func(string) { out.end(); os.Exit(1) },
	})
	out.end()
	close(done)
}

// A transcript hashes what is written, and shows the last of it, or all. Each
// write is a line.
type transcript struct {
	hash  hash.Hash64
	n     int
	whole bool
	last  []byte
}

func (t *transcript) Write(line []byte) (int, error) {
	_, _ = t.hash.Write(line)
	t.n += len(line)
	if t.whole {
		return os.Stdout.Write(line)
	}
	t.last = append(t.last[:0], line...)
	return len(line), nil
}

func (t *transcript) end() {
	fmt.Printf("%stranscript %x %d\n", t.last, t.hash.Sum64(), t.n)
}

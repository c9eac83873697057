//go:build wasip1

// Command guest lives simulated worlds, one after another; package sim runs
// it and says which.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"fairlead/internal/sim/world"
)

// next returns when a world is to be lived, with how long the arguments are
// that it wrote to the buffer at args: the seed, and perhaps the way in which
// the world is to be broken. All other memory is then as it was when next was
// called for the first time, which is why it must be called from a stack that
// is always at the same place.
//
//go:wasmimport sim next
func next(args unsafe.Pointer, size uint32, stack unsafe.Pointer) uint32

// jump sets the wall clock of the machine; sleep and time go by it.
//
//go:wasmimport sim jump
func jump(ns int64)

// reseed begins the random numbers of the runtime anew. The machine adds it.
//
//go:linkname reseed
func reseed()

var args [64]byte

func main() {
	var here byte
	for {
		n := next(unsafe.Pointer(&args), uint32(len(args)), unsafe.Pointer(&here))
		done := make(chan struct{})
		go live(string(args[:n]), done) // on a stack that can grow
		<-done
	}
}

func live(args string, done chan struct{}) {
	reseed()
	text, broken, _ := strings.Cut(args, " ")
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	world.Run(world.Config{
		Seed: seed, Broken: broken, Out: os.Stdout,
		Jump: func(by time.Duration) { jump(int64(by)) },
		Fail: func(string) { os.Exit(1) },
	})
	close(done)
}

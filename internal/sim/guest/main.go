//go:build wasip1

// Command guest lives one simulated world; package sim runs it. Its argument
// is the seed, and perhaps the way in which the world is to be broken.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"fairlead/internal/sim/world"
)

// jump sets the wall clock of the machine; sleep and time go by it.
//
//go:wasmimport sim jump
func jump(ns int64)

func main() {
	seed, err := strconv.ParseUint(os.Args[1], 10, 64)
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	broken := ""
	if len(os.Args) > 2 {
		broken = os.Args[2]
	}
	world.Run(world.Config{
		Seed: seed, Broken: broken, Out: os.Stdout,
		Jump: func(by time.Duration) { jump(int64(by)) },
		Fail: func(string) { os.Exit(1) },
	})
}

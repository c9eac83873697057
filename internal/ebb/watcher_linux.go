package ebb

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// Watcher lets the kernel end the naps of the runtime's watcher as late as
// slack after they are over, so that it can have them end with others. The watcher is a thread
// that takes processors from goroutines which keep them in a system call, or for long.
// Whenever one begins to work after all have slept it naps for 20 µs at a time, for a
// millisecond, and to a process that mostly waits this is a good part of all that it
// does. A goroutine may now have to wait for as much longer until it gets such a
// processor. It takes the right to change how other processes are scheduled, CAP_SYS_NICE.
func Watcher(slack time.Duration) error {
	tid, err := watcher()
	if err != nil {
		return err
	}
	// A thread has such a directory by its own number, though none is listed.
	return os.WriteFile(fmt.Sprintf("/proc/%d/timerslack_ns", tid), strconv.AppendInt(nil, slack.Nanoseconds(), 10), 0)
}

// watcher returns the thread that the runtime has made first: before it
// initialises packages, it starts its watcher.
func watcher() (tid int, err error) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0, err
	}
	for _, t := range threads { // by name
		n, err := strconv.Atoi(t.Name())
		if err == nil && n > os.Getpid() && (tid == 0 || n < tid) {
			tid = n
		}
	}
	if tid == 0 { // the numbers began anew
		return 0, fmt.Errorf("which of %d threads looks after the others cannot be told", len(threads))
	}
	return tid, nil
}

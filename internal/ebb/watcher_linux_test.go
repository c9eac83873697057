package ebb

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWatcher finds the one thread that naps, and sets how long it may.
func TestWatcher(t *testing.T) {
	tid, err := watcher()
	if err != nil {
		t.Skip(err)
	}
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrPermission) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	// While this goroutine works, all others wait for something else.
	nap := fmt.Sprint(syscall.SYS_NANOSLEEP, " ")
	for late := time.Now().Add(10 * time.Second); !strings.HasPrefix(read(fmt.Sprintf("/proc/self/task/%d/syscall", tid)), nap); {
		if time.Now().After(late) {
			t.Fatalf("thread %d never naps, so it is not the runtime's watcher", tid)
		}
	}
	err = Watcher(7 * time.Millisecond)
	if errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, want := read(fmt.Sprintf("/proc/%d/timerslack_ns", tid)), "7000000"; got != want {
		t.Errorf("the watcher may sleep %s ns longer, want %s", got, want)
	}
}

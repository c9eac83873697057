package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a pseudo-terminal.
func openTerminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { user.Close() })
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	if program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	if err := unix.IoctlSetWinsize(int(user.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return user, program
}

// TestTopOnATerminal runs the real program on a terminal, types, and waits for
// what it shows.
func TestTopOnATerminal(t *testing.T) {
	c := serve(t, nil)
	arn := c.workflow("watched", "watched: {tasks: {alpha: {operator: airflow.operators.bash.BashOperator, bash_command: 'sleep 60'}}}")
	id := c.start(arn, nil)
	user, program := openTerminal(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "top", "--data", c.data)
	cmd.Env = append(os.Environ(), "FAIRLEAD_TEST_COMMAND=1", "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	var mu sync.Mutex
	var screen []byte
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := user.Read(b)
			mu.Lock()
			screen = append(screen, b[:n]...)
			mu.Unlock()
			if err != nil {
				return // the program has ended
			}
		}
	}()
	await := func(text string) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) { // another process writes
			mu.Lock()
			seen := unpaint(string(screen))
			mu.Unlock()
			if strings.Contains(seen, text) {
				return
			}
			if time.Now().After(deadline) {
				_ = cmd.Process.Kill()
				t.Fatalf("the terminal does not show %q:\n%s", text, seen)
			}
		}
	}
	key := func(s string) {
		t.Helper()
		if _, err := user.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	await(id)
	key("\r")
	await("alpha")
	key("q")
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("top ended with %v", err)
		}
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Error("q does not end it")
	}
}

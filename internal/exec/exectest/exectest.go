// Package exectest is the suite that every driver of package exec must pass.
// It runs real commands and looks at what they can and cannot do; what a
// driver says it does not enforce on this machine is skipped, loudly.
package exectest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fairlead/internal/exec"
)

// Run checks the driver that newDriver makes. Drivers made with the same root
// stand for one server after another: what one has started the next must find.
func Run(t *testing.T, newDriver func(t *testing.T, root string) exec.Driver) {
	s := &suite{newDriver: newDriver}
	s.probe(t)
	for _, tt := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"exit codes and signals", exits},
		{"a command that does not exist", missing},
		{"bad specs are refused", refused},
		{"the environment is exact", environment},
		{"much of everything", large},
		{"no descriptor is inherited", descriptors},
		{"standard input", stdin},
		{"the work directory is private", workDir},
		{"/tmp is private", tmp},
		{"the system is read-only", readOnly},
		{"the driver's directory is hidden", hidden},
		{"mounts", mounts},
		{"no network", noNetwork},
		{"forwards", forwards},
		{"masked texts", masked},
		{"the log keeps order and repairs text", logLines},
		{"a line without end is seen early", progress},
		{"much output", muchOutput},
		{"output limit", outputLimit},
		{"log lines of the command's own", records},
		{"result", result},
		{"grandchildren are gone", grandchildren},
		{"the supervisor cannot be killed from inside", assault},
		{"stop, polite", stopPolite},
		{"stop, stubborn", stopStubborn},
		{"wall limit", wall},
		{"memory limit", memory},
		{"pids limit", pids},
		{"files limit", files},
		{"disk limit", diskLimit},
		{"one ID runs once", once},
		{"detach and attach again", attach},
		{"started that fails lets the command go on", startedFails},
		{"stopped before it starts", stoppedBefore},
		{"an attempt that is gone is lost", lost},
		{"forget", forget},
		{"nothing is left behind", leftovers},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, s) })
	}
}

type suite struct {
	newDriver func(*testing.T, string) exec.Driver
	report    exec.Report
}

func (s *suite) probe(t *testing.T) {
	d := s.newDriver(t, t.TempDir())
	r, err := d.Probe(t.Context())
	if err != nil {
		t.Fatalf("Probe: %v", err)
	}
	if r.Driver == "" || len(r.Measures) == 0 {
		t.Errorf("Probe = %+v, want a name and measures", r)
	}
	for _, m := range r.Measures {
		if m.How == "" {
			t.Errorf("measure %q does not say how", m.Name)
		}
		t.Logf("%-22s %-5t %s", m.Name, m.InUse, m.How)
	}
	s.report = r
}

// has reports whether the driver enforces a measure.
func (s *suite) has(name string) bool { return s.report.Has(name) }

// needs skips a test when the driver does not enforce a measure.
func (s *suite) needs(t *testing.T, name string) {
	t.Helper()
	if s.has(name) {
		return
	}
	t.Skipf("NOT ENFORCED by %s on this machine: %s", s.report.Driver, name)
}

// A bench is a driver with one attempt's surroundings.
type bench struct {
	*suite
	t      *testing.T
	root   string
	driver exec.Driver
	log    string
	shared string // a directory that attempts see as $SHARED
}

func (s *suite) bench(t *testing.T) *bench {
	root := t.TempDir()
	shared := t.TempDir()
	return &bench{s, t, root, s.newDriver(t, root), filepath.Join(t.TempDir(), "log"), shared}
}

// patience is how long something is waited for that must come: long, since how
// fast a machine is decides no test.
const patience = 5 * time.Minute

// sh is a spec for a shell script.
func (b *bench) sh(id, script string) exec.Spec {
	return exec.Spec{
		ID: id, Argv: []string{"/bin/sh", "-c", script}, Log: b.log, Level: "info", Logger: "task.stdout",
		Env:    []string{"PATH=/usr/bin:/bin", "SHARED=/shared", "NAP=" + nap()},
		Mounts: []exec.Mount{{Source: b.shared, Target: "/shared", Writable: true}},
		Grace:  5 * time.Second,
	}
}

// run runs a spec to its end.
func (b *bench) run(spec exec.Spec) exec.Exit {
	b.t.Helper()
	x, err := b.driver.Run(b.t.Context(), spec, "", func(string) error { return nil })
	if err != nil {
		b.t.Fatalf("Run(%q): %v", spec.Argv, err)
	}
	return x
}

// running is a Run under way.
type running struct {
	cancel context.CancelCauseFunc
	handle chan string
	done   chan struct{}
	exit   exec.Exit
	err    error
}

func (b *bench) start(d exec.Driver, spec exec.Spec, handle string) *running {
	ctx, cancel := context.WithCancelCause(context.Background())
	r := &running{cancel: cancel, handle: make(chan string, 1), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.exit, r.err = d.Run(ctx, spec, handle, func(h string) error {
			r.handle <- h
			return nil
		})
	}()
	b.t.Cleanup(func() {
		cancel(errors.New("the test is over"))
		<-r.done
	})
	return r
}

func (r *running) wait(t *testing.T) exec.Exit {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		t.Fatal("Run does not return")
	}
	if r.err != nil {
		t.Fatalf("Run: %v", r.err)
	}
	return r.exit
}

// fifo makes a named pipe in the shared directory, by which a command says
// that it has come to a point, or waits for us.
func (b *bench) fifo(name string) string {
	path := filepath.Join(b.shared, name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// hear waits for a line in a named pipe.
func (b *bench) hear(path string) string {
	b.t.Helper()
	// Open for writing, too, so that opening does not block; a deadline
	// keeps a broken driver from holding up the suite.
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	if err := f.SetReadDeadline(time.Now().Add(patience)); err != nil {
		b.t.Fatal(err)
	}
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		b.t.Fatalf("the command did not come to %s: %v; log:\n%s", filepath.Base(path), err, b.rawLog())
	}
	return strings.TrimSpace(line)
}

func (b *bench) rawLog() string {
	p, _ := os.ReadFile(b.log)
	return string(p)
}

type line struct {
	Timestamp time.Time `json:"timestamp"`
	Level     string    `json:"level"`
	Event     string    `json:"event"`
	Logger    string    `json:"logger"`
}

// lines reads the log; every line must be an object.
func (b *bench) lines() []line {
	b.t.Helper()
	var list []line
	for raw := range strings.Lines(b.rawLog()) {
		var l line
		if err := json.Unmarshal([]byte(raw), &l); err != nil {
			b.t.Fatalf("log line %q: %v", raw, err)
		}
		list = append(list, l)
	}
	return list
}

func (b *bench) events() []string {
	b.t.Helper()
	var list []string
	for _, l := range b.lines() {
		list = append(list, l.Event)
	}
	return list
}

// eventually waits for something that happens outside of this process and
// cannot be waited for otherwise.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: not so after %s", what, patience)
		}
	}
}

// nap begins a time to sleep, $NAP in scripts, by which this process knows its own
// commands from those of others that test here.
func nap() string { return "98765" + strconv.Itoa(os.Getpid()) }

// gone checks that no process is there that sleeps for nap() and so much: at once
// where the kernel ends what is in a namespace, else in a moment.
func (b *bench) gone(more string) {
	b.t.Helper()
	left := func() []string { return processes(nap() + more) }
	if b.has("pid namespace") {
		if still := left(); len(still) > 0 {
			b.t.Errorf("still there: %q", still)
		}
		return
	}
	eventually(b.t, "the command's processes are gone", func() bool { return len(left()) == 0 })
}

// processes returns the command lines on this machine that contain a word.
func processes(word string) []string {
	var found []string
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range list {
		b, _ := os.ReadFile(path)
		if text := string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})); strings.Contains(text, word) {
			found = append(found, path+" "+text)
		}
	}
	return found
}

func exits(t *testing.T, s *suite) {
	b := s.bench(t)
	for i, tt := range []struct {
		script string
		code   int
		signal string
		last   string
	}{
		{"true", 0, "", ""},
		{"echo one; echo two", 0, "", "two"},
		{"printf 'one\\ntwo\\r\\n'", 0, "", "two"},
		{"printf 'one\\ntwo'", 0, "", "two"},
		{"echo one; echo", 0, "", ""},
		{"echo out; echo err >&2; exit 3", 3, "", "err"},
		{"exit 255", 255, "", ""},
		{"kill -KILL $$", 137, "killed", ""},
		{"kill -TERM $$", 143, "terminated", ""},
	} {
		before := time.Now()
		x := b.run(b.sh(fmt.Sprint("a", i), tt.script))
		if x.Code != tt.code || x.Signal != tt.signal || x.LastLine != tt.last || x.Why != exec.ByItself {
			t.Errorf("%s: got code %d, signal %q, last line %q, why %q; want %d, %q, %q, by itself",
				tt.script, x.Code, x.Signal, x.LastLine, x.Why, tt.code, tt.signal, tt.last)
		}
		if x.Started.Before(before.Add(-time.Second)) || x.Ended.Before(x.Started) || x.Ended.After(time.Now().Add(time.Second)) {
			t.Errorf("%s: started %v, ended %v; want both after %v", tt.script, x.Started, x.Ended, before)
		}
	}
}

func missing(t *testing.T, s *suite) {
	b := s.bench(t)
	for i, tt := range []struct {
		argv []string
		dir  string
		code int
	}{
		{[]string{"no-such-program"}, "", 127},
		{[]string{"/no/such/program"}, "", 127},
		{[]string{"/etc/passwd"}, "", 126},
		{[]string{"/bin/true"}, "/no/such/directory", 127},
	} {
		spec := b.sh(fmt.Sprint("a", i), "")
		spec.Argv, spec.Dir = tt.argv, tt.dir
		if x := b.run(spec); x.Code != tt.code || x.LastLine == "" {
			t.Errorf("%q in %q: got code %d, last line %q; want %d and a reason", tt.argv, tt.dir, x.Code, x.LastLine, tt.code)
		}
	}
}

func refused(t *testing.T, s *suite) {
	b := s.bench(t)
	for name, change := range map[string]func(*exec.Spec){
		"no id":           func(s *exec.Spec) { s.ID = "" },
		"id ..":           func(s *exec.Spec) { s.ID = ".." },
		"id with slash":   func(s *exec.Spec) { s.ID = "a/b" },
		"long id":         func(s *exec.Spec) { s.ID = strings.Repeat("a", 201) },
		"no command":      func(s *exec.Spec) { s.Argv = nil },
		"NUL in argument": func(s *exec.Spec) { s.Argv = append(s.Argv, "a\x00b") },
		"bad variable":    func(s *exec.Spec) { s.Env = []string{"NOVALUE"} },
		"relative log":    func(s *exec.Spec) { s.Log = "log" },
		"mount at /proc":  func(s *exec.Spec) { s.Mounts = []exec.Mount{{Source: "/etc", Target: "/proc"}} },
		"no such mount":   func(s *exec.Spec) { s.Mounts = []exec.Mount{{Source: "/no/such", Target: "/x"}} },
		"bad network":     func(s *exec.Spec) { s.Network = "some" },
		"forward on host": func(s *exec.Spec) { s.Forwards = []exec.Forward{{Listen: "127.0.0.1:1", To: "127.0.0.1:1"}} },
		"forward to name": func(s *exec.Spec) {
			s.Network, s.Forwards = "none", []exec.Forward{{Listen: "127.0.0.1:1", To: "localhost:1"}}
		},
		"empty mask":     func(s *exec.Spec) { s.Mask = []string{""} },
		"negative limit": func(s *exec.Spec) { s.Limits.Memory = -1 },
	} {
		spec := b.sh("a", "echo ran > $SHARED/ran")
		change(&spec)
		x, err := b.driver.Run(t.Context(), spec, "", func(string) error { return nil })
		if err == nil {
			t.Errorf("%s: Run = %+v, want an error", name, x)
		}
	}
	if _, err := os.Stat(filepath.Join(b.shared, "ran")); err == nil {
		t.Error("a refused command ran")
	}
}

func environment(t *testing.T, s *suite) {
	b := s.bench(t)
	t.Setenv("FAIRLEAD_TEST_SECRET", "the server's own")
	spec := b.sh("a", "")
	spec.Argv = []string{"/usr/bin/env"}
	spec.Mounts = nil
	spec.Env = []string{"A=1", "B=two words", "C=ü\"\\", "EMPTY=", "HOME=/somewhere"}
	b.run(spec)
	got := b.events()
	got = slices.DeleteFunc(got, func(e string) bool {
		return strings.HasPrefix(e, "FAIRLEAD_LOG_FD=") || strings.HasPrefix(e, "FAIRLEAD_RESULT_FD=") || strings.HasPrefix(e, "TMPDIR=")
	})
	if !slices.Equal(got, spec.Env) {
		t.Errorf("env %q: got %q", spec.Env, got)
	}
}

func large(t *testing.T, s *suite) {
	b := s.bench(t)
	spec := b.sh("a", `echo ${#V0} ${#V9} $# ${#1}; ls -d /m/* 2> /dev/null | wc -l`)
	value := strings.Repeat("x", 100_000)
	for i := range 10 {
		spec.Env = append(spec.Env, fmt.Sprintf("V%d=%s", i, value))
	}
	spec.Argv = append(spec.Argv, "sh", value)
	for i := range 100 {
		spec.Argv = append(spec.Argv, "more")
		spec.Mounts = append(spec.Mounts, exec.Mount{Source: b.shared, Target: fmt.Sprint("/m/", i)})
	}
	want := []string{"100000 100000 101 100000", "100"}
	if !s.has("mount namespace") {
		want[1] = "0"
	}
	if x := b.run(spec); x.Code != 0 || !slices.Equal(b.events(), want) {
		t.Errorf("1 MB of environment and 100 mounts: got %+v, %.200q; want %q", x, b.events(), want)
	}
}

func descriptors(t *testing.T, s *suite) {
	b := s.bench(t)
	// One that a parent process might have left open to us.
	f, err := os.Open("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	leak, err := syscall.Dup(int(f.Fd())) // without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leak)
	spec := b.sh("a", `for f in /dev/fd/*; do readlink $f; done | grep -c passwd`)
	if x := b.run(spec); x.LastLine != "0" {
		t.Errorf("the command sees %s descriptors of the server", x.LastLine)
	}
	if x := b.run(b.sh("b", `ls /dev/fd | tr '\n' ' '`)); x.LastLine != "0 1 2 3 4 5 " && !strings.HasPrefix(x.LastLine, "0 1 2 3 4 ") {
		t.Errorf("descriptors: got %q, want 0 to 4 and that of ls", x.LastLine)
	}
}

func stdin(t *testing.T, s *suite) {
	b := s.bench(t)
	spec := b.sh("a", "wc -c")
	spec.Stdin = bytes.Repeat([]byte("0123456789"), 300_000)
	if x := b.run(spec); strings.TrimSpace(x.LastLine) != "3000000" {
		t.Errorf("wc of 3000000 bytes: got %q", x.LastLine)
	}
	if x := b.run(b.sh("b", "wc -c")); strings.TrimSpace(x.LastLine) != "0" {
		t.Errorf("wc of no input: got %q, want 0", x.LastLine)
	}
}

func workDir(t *testing.T, s *suite) {
	b := s.bench(t)
	script := `ls -A | wc -l; echo x > file && test "$(pwd)" = "$HOME" && echo home`
	for _, id := range []string{"a", "b"} {
		before := len(b.lines())
		b.run(b.sh(id, script))
		got := b.events()[before:]
		if len(got) != 2 || strings.TrimSpace(got[0]) != "0" || got[1] != "home" {
			t.Errorf("attempt %s, %s: got %q, want 0 and home", id, script, got)
		}
	}
}

func tmp(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "mount namespace")
	if x := b.run(b.sh("a", "touch /tmp/fairlead-exectest /var/tmp/b /dev/shm/c && ls -A /tmp | wc -l")); strings.TrimSpace(x.LastLine) != "2" {
		t.Errorf("files in /tmp: got %q, want 2", x.LastLine)
	}
	if x := b.run(b.sh("b", "ls -A /tmp /dev/shm")); strings.Contains(b.rawLog(), "fairlead-exectest\"") {
		t.Errorf("a second attempt sees the first one's /tmp: %+v", x)
	}
	if _, err := os.Stat("/tmp/fairlead-exectest"); err == nil {
		t.Error("the machine's /tmp was written to")
	}
}

func readOnly(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "read-only system")
	for i, script := range []string{
		"touch /usr/fairlead-x", "touch /etc/fairlead-x", "touch /fairlead-x", "mkdir /home/x", "touch /dev/x", "rm /bin/true",
		"echo 1 > /proc/sys/vm/drop_caches", "echo x > /proc/sys/kernel/core_pattern", "echo h > /proc/sysrq-trigger",
		"cat /etc/shadow | grep -q .", "mount -t tmpfs x /usr", "mknod $HOME/x b 1 1", "chroot / true", "cat /dev/mem",
		"ls /root/.bashrc", "umount /etc/shadow", "mount -o remount,rw /usr",
	} {
		if x := b.run(b.sh(fmt.Sprint("a", i), script)); x.Code == 0 {
			t.Errorf("%s: succeeded", script)
		}
	}
}

func hidden(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "mount namespace")
	if x := b.run(b.sh("a", "ls "+b.root)); x.Code == 0 {
		t.Errorf("the driver's directory %s can be listed", b.root)
	}
	if x := b.run(b.sh("b", "ls /proc/1/root/ /proc/1/cwd/ || cat /proc/1/environ || readlink /proc/1/fd/*")); x.Code == 0 {
		t.Errorf("the supervisor can be looked into: %s", b.rawLog())
	}
}

func mounts(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "mount namespace")
	dir := t.TempDir()
	for name, text := range map[string]string{"code.py": "print(1)\n", "single": "one file"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, outer := t.TempDir(), t.TempDir()
	for _, name := range []string{"1", "2"} {
		if err := os.MkdirAll(filepath.Join(outer, "calls", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	spec := b.sh("a", `
		cat dags/code.py /usr/local/airflow/dags/code.py /etc/fairlead/single /tmp/in/code.py $HOME/in/code.py
		touch dags/x || echo read-only
		echo result > /out/deep/file
		echo more >> /out/deep/single || echo read-only
		ls /usr/local/bin > /dev/null && ls -d /usr/local/share /usr/bin /etc/passwd
		touch /usr/local/x || echo read-only
		echo mine > /run-of/calls/1/file; cat /run-of/calls/1/file; touch /run-of/calls/2/x || echo read-only`)
	spec.Dir = "/usr/local/airflow"
	spec.Mounts = []exec.Mount{
		{Source: filepath.Join(dir, "single"), Target: "/out/deep/single"}, // inside the next
		{Source: out, Target: "/out/deep", Writable: true},
		{Source: dir, Target: "/usr/local/airflow/dags"},
		{Source: filepath.Join(dir, "single"), Target: "/etc/fairlead/single"},
		{Source: dir, Target: "/tmp/in"},
		{Source: dir, Target: "/home/task/in"},
		{Source: outer, Target: "/run-of"},
		{Source: filepath.Join(outer, "calls/1"), Target: "/run-of/calls/1", Writable: true},
	}
	x := b.run(spec)
	var got []string
	for _, e := range b.events() {
		if !strings.Contains(e, "ead-only file system") {
			got = append(got, e)
		}
	}
	want := []string{
		"print(1)", "print(1)", "one fileprint(1)", "print(1)", "read-only", "read-only",
		"/etc/passwd", "/usr/bin", "/usr/local/share", "read-only", "mine", "read-only",
	}
	if !slices.Equal(got, want) {
		t.Errorf("mounts: code %d, got %q, want %q", x.Code, got, want)
	}
	if text, _ := os.ReadFile(filepath.Join(out, "file")); string(text) != "result\n" {
		t.Errorf("the writable mount holds %q, want result", text)
	}
	if _, err := os.Stat("/usr/local/airflow"); err == nil {
		t.Error("the machine's /usr/local was written to")
	}
}

func noNetwork(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "network namespace")
	spec := b.sh("a", "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '")
	spec.Network = "none"
	b.run(spec)
	if got := b.events(); !slices.Equal(got, []string{"lo"}) {
		t.Errorf("devices without network: got %q, want lo", got)
	}
}

// forwards has a command reach one address of this machine and no other.
func forwards(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "forwards")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				text, _ := io.ReadAll(c) // to the end that the command sends
				_, _ = c.Write(bytes.ToUpper(text))
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	spec := b.sh("a", "")
	spec.Argv = []string{"python3", "-c", `
import socket, sys
port = int(sys.argv[1])
def ask(port, text):
    with socket.create_connection(("127.0.0.1", port), 5) as c:
        c.sendall(text)
        c.shutdown(socket.SHUT_WR)
        got = b""
        while part := c.recv(65536):
            got += part
        return got
print(ask(4242, b"hello").decode())
big = b"x" * 3000000
print(ask(4242, big) == big.upper())
for what in (("127.0.0.1", port), ("127.0.0.1", 4243), ("192.0.2.1", 80)):
    try:
        socket.create_connection(what, 5)
        print("reached", what)
    except OSError as e:
        print("refused")
`, port}
	spec.Network, spec.Forwards = "none", []exec.Forward{{Listen: "127.0.0.1:4242", To: l.Addr().String()}}
	b.run(spec)
	if got, want := b.events(), []string{"HELLO", "True", "refused", "refused", "refused"}; !slices.Equal(got, want) {
		t.Errorf("a command with one forward: got %q, want %q", got, want)
	}
}

// masked has a command print a text that must not be in the log.
func masked(t *testing.T, s *suite) {
	b := s.bench(t)
	spec := b.sh("a", `printf 'it is hun'; sleep 1.5; printf 'ter2, all\n'; echo '{"event": "hunter2"}' >&$FAIRLEAD_LOG_FD; echo hunter2`)
	spec.Mask = []string{"hunter2"}
	x := b.run(spec)
	text := b.rawLog()
	if strings.Contains(text, "hun") || strings.Contains(text, "ter2") || strings.Count(text, "***") != 3 {
		t.Errorf("the log has a text that is to be masked, or not three masks:\n%s", text)
	}
	if x.LastLine != "hunter2" {
		t.Errorf("the last line is %q, want it as it was", x.LastLine)
	}
}

func logLines(t *testing.T, s *suite) {
	b := s.bench(t)
	long := strings.Repeat("é", 300<<10)
	spec := b.sh("a", `for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; done; printf 'a\tb"c\\\033[0m\n\377x\n'; cat; printf end`)
	spec.Stdin = []byte(long + "\n")
	spec.Level, spec.Logger = "warning", "some.logger"
	x := b.run(spec)
	var got []string
	pieces := ""
	for _, l := range b.lines() {
		if l.Level != "warning" || l.Logger != "some.logger" || time.Since(l.Timestamp).Abs() > time.Minute {
			t.Errorf("log line %.200v: want level warning, logger some.logger and the present time", l)
		}
		if strings.HasPrefix(l.Event, "é") {
			if len(l.Event) > 256<<10 {
				t.Errorf("a line of the log has %d bytes", len(l.Event))
			}
			pieces += l.Event
			continue
		}
		got = append(got, l.Event)
	}
	want := []string{
		"out1", "err1", "out2", "err2", "out3", "err3", "out4", "err4", "out5", "err5",
		"a\tb\"c\\\x1b[0m", "\ufffdx", "end",
	}
	if !slices.Equal(got, want) {
		t.Errorf("log: got %q, want %q", got, want)
	}
	if pieces != long {
		t.Errorf("a line of %d bytes came as %d bytes", len(long), len(pieces))
	}
	if x.LastLine != "end" {
		t.Errorf("last line: got %.100q, want end", x.LastLine)
	}
}

func progress(t *testing.T, s *suite) {
	b := s.bench(t)
	gate := b.fifo("gate")
	r := b.start(b.driver, b.sh("a", `printf 'half'; cat $SHARED/gate; echo ' done'`), "")
	eventually(t, "half a line in the log", func() bool { return slices.Contains(b.events(), "half") })
	if err := os.WriteFile(gate, nil, 0); err != nil {
		t.Fatal(err)
	}
	x := r.wait(t)
	if got := b.events(); !slices.Equal(got, []string{"half", " done"}) || x.LastLine != "half done" {
		t.Errorf("got %q and last line %q, want half, done and the whole", got, x.LastLine)
	}
}

func muchOutput(t *testing.T, s *suite) {
	b := s.bench(t)
	start := time.Now()
	x := b.run(b.sh("a", `yes 'a line of text that is forty bytes long.' | head -n 500000`))
	took := time.Since(start)
	events := b.events()
	if len(events) != 500000 || x.Code != 0 {
		t.Errorf("500000 lines of 42 bytes: %d arrived, code %d", len(events), x.Code)
	}
	t.Logf("21 MB of output in %v", took)
}

func outputLimit(t *testing.T, s *suite) {
	b := s.bench(t)
	spec := b.sh("a", `yes | head -n 100000; echo last`)
	spec.Limits.Output = 100_000
	x := b.run(spec)
	lines := b.lines()
	if n := len(b.rawLog()); n > 101_000 || x.LastLine != "last" || x.Code != 0 {
		t.Errorf("log limit 100000: %d bytes, last line %q, code %d; want about the limit, last, 0", n, x.LastLine, x.Code)
	}
	if l := lines[len(lines)-1]; l.Level != "warning" || !strings.Contains(l.Event, "dropped") {
		t.Errorf("the log ends with %+v, want a warning that output is dropped", l)
	}
}

func records(t *testing.T, s *suite) {
	b := s.bench(t)
	x := b.run(b.sh("a", `echo '{"event":"mine","n":[1, 2]}' >&$FAIRLEAD_LOG_FD; echo 'not json' >&$FAIRLEAD_LOG_FD; echo '{"two":' >&$FAIRLEAD_LOG_FD; echo '[1]' >&$FAIRLEAD_LOG_FD`))
	log := strings.Split(strings.TrimSpace(b.rawLog()), "\n")
	if len(log) != 4 || log[0] != `{"event":"mine","n":[1, 2]}` || x.LastLine != "" {
		t.Errorf("log: got %q and last line %q, want four lines, the first as written, and none", log, x.LastLine)
	}
	if got := b.events(); !slices.Equal(got, []string{"mine", "not json", `{"two":`, "[1]"}) {
		t.Errorf("events: got %q", got)
	}
}

func result(t *testing.T, s *suite) {
	b := s.bench(t)
	x := b.run(b.sh("a", `printf '{"a":1}' >&$FAIRLEAD_RESULT_FD; echo printed`))
	if string(x.Result) != `{"a":1}` || x.ResultCut || x.LastLine != "printed" {
		t.Errorf("result: got %q, cut %t, last line %q", x.Result, x.ResultCut, x.LastLine)
	}
	x = b.run(b.sh("b", `head -c 2000000 /dev/zero >&$FAIRLEAD_RESULT_FD`))
	if len(x.Result) != 1<<20 || !x.ResultCut || x.Code != 0 {
		t.Errorf("result of 2000000 bytes: got %d bytes, cut %t, code %d; want 1 MiB, cut, 0", len(x.Result), x.ResultCut, x.Code)
	}
	x = b.run(b.sh("c", `head -c 1048576 /dev/zero >&$FAIRLEAD_RESULT_FD`))
	if len(x.Result) != 1<<20 || x.ResultCut {
		t.Errorf("result of 1 MiB: got %d bytes, cut %t", len(x.Result), x.ResultCut)
	}
}

func grandchildren(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "orphans are ended")
	x := b.run(b.sh("a", `
		(trap '' TERM HUP; sleep $NAP.101 & sleep $NAP.102) &
		setsid sleep $NAP.103 > /dev/null 2>&1 &
		sh -c 'setsid sh -c "sleep $NAP.104 & sleep $NAP.105" &'
		exit 4`))
	if x.Code != 4 || x.Why != exec.ByItself {
		t.Errorf("got %+v, want code 4", x)
	}
	b.gone(".10")
}

func assault(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "pid namespace")
	x := b.run(b.sh("a", `for s in HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STOP TSTP TTIN TTOU PROF SYS; do kill -$s 1; done; echo alive; exit 7`))
	if x.Code != 7 || x.LastLine != "alive" || x.Why != exec.ByItself {
		t.Errorf("after signals to process 1: got %+v, want code 7 by itself", x)
	}
}

func stopPolite(t *testing.T, s *suite) {
	b := s.bench(t)
	ready := b.fifo("ready")
	r := b.start(b.driver, b.sh("a", `trap 'echo bye; exit 9' TERM; sleep $NAP.2 & echo > $SHARED/ready; wait`), "")
	b.hear(ready)
	r.cancel(errors.New("a person stopped it"))
	x := r.wait(t)
	// Had it been killed after its grace, it would have another code.
	if x.Why != exec.Stopped || x.Code != 9 || x.LastLine != "bye" {
		t.Errorf("stopped: got %+v, want code 9, last line bye, why stopped", x)
	}
	b.gone(".2")
}

func stopStubborn(t *testing.T, s *suite) {
	b := s.bench(t)
	ready := b.fifo("ready")
	spec := b.sh("a", `trap '' TERM; echo > $SHARED/ready; exec sleep $NAP.3`)
	spec.Grace = 300 * time.Millisecond
	r := b.start(b.driver, spec, "")
	b.hear(ready)
	start := time.Now()
	r.cancel(errors.New("a person stopped it"))
	x := r.wait(t)
	if x.Why != exec.Stopped || x.Code != 137 || x.Signal != "killed" {
		t.Errorf("stopped: got %+v, want 137, killed, why stopped", x)
	}
	if took := time.Since(start); took < spec.Grace {
		t.Errorf("killed after %v, want the grace of %v", took, spec.Grace)
	}
	b.gone(".3")
}

func wall(t *testing.T, s *suite) {
	b := s.bench(t)
	spec := b.sh("a", "while :; do :; done")
	spec.Limits.Wall = time.Second
	spec.Limits.CPUs = 0.2
	x := b.run(spec)
	if x.Why != exec.OutOfTime || x.Code != 143 {
		t.Errorf("got %+v, want 143, why out of time", x)
	}
	took := x.Ended.Sub(x.Started)
	if took < spec.Limits.Wall {
		t.Errorf("ended after %v, want %v", took, spec.Limits.Wall)
	}
	if !s.has("cpu limit") {
		t.Log("NOT ENFORCED: cpu limit")
		return
	}
	// As much again as it may have, since the limit is on periods; without one
	// it has less where others want the processor, but never nothing.
	if most := 2*took/5 + 200*time.Millisecond; x.CPU <= 0 || x.CPU > most {
		t.Errorf("used %v of processor time in %v at 0.2 CPUs, want at most %v", x.CPU, took, most)
	}
}

func memory(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "memory limit")
	spec := b.sh("a", "head -c 300000000 /dev/zero | tail -c 300000000 | wc -c; exit 1")
	spec.Limits.Memory = 64 << 20
	if x := b.run(spec); x.Why != exec.OutOfMemory {
		t.Errorf("300 MB with a limit of 64 MiB: got %+v, log %s", x, b.rawLog())
	}
	spec = b.sh("b", "head -c 300000000 /dev/zero | tail -c 300000000 | wc -c")
	spec.Limits.Memory = 1 << 30
	if x := b.run(spec); x.Why != exec.ByItself || x.LastLine != "300000000" || x.MaxRSS < 200<<20 {
		t.Errorf("300 MB with a limit of 1 GiB: got %+v", x)
	}
}

func pids(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "pids limit")
	spec := b.sh("a", "i=0; while [ $i -lt 40 ]; do sleep $NAP.4 & i=$((i+1)); done; echo all")
	spec.Limits.PIDs = 20
	if x := b.run(spec); x.LastLine == "all" || x.Code == 0 {
		t.Errorf("40 processes with a limit of 20: got %+v", x)
	}
	spec = b.sh("b", "i=0; while [ $i -lt 10 ]; do sleep $NAP.4 & i=$((i+1)); done; echo all")
	spec.Limits.PIDs = 20
	if x := b.run(spec); x.LastLine != "all" {
		t.Errorf("10 processes with a limit of 20: got %+v, log %s", x, b.rawLog())
	}
	b.gone(".4")
}

func files(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "open files limit")
	spec := b.sh("a", "ulimit -n; ulimit -Hn; ulimit -c; ulimit -f")
	spec.Limits.Files, spec.Limits.Disk = 123, 1<<20
	b.run(spec)
	if got := b.events(); !slices.Equal(got, []string{"123", "123", "0", "2048"}) {
		t.Errorf("limits: got %q, want 123 123 0 2048", got)
	}
}

func diskLimit(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "disk limit")
	fill := `i=0; while [ $i -lt %d ]; do head -c 1000000 /dev/zero > $TMP$i; i=$((i+1)); done; `
	hold := `hold() { exec 3> $1; rm $1; head -c 5000000 /dev/zero >&3; echo held; sleep $2; }; `
	for i, tt := range []struct {
		script string
		why    exec.Why
	}{
		{"TMP=$HOME/a; " + fmt.Sprintf(fill, 12) + "exec sleep $NAP.8", exec.OutOfDisk},
		{"TMP=${TMPDIR:-/tmp}/a; " + fmt.Sprintf(fill, 12) + "exec sleep $NAP.8", exec.OutOfDisk},
		{"i=0; while [ $i -lt 300 ]; do mkdir d; cd d; i=$((i+1)); done; exec sleep $NAP.8", exec.OutOfDisk},
		{"TMP=$HOME/a; " + fmt.Sprintf(fill, 5) + "ln a1 b1; ln a1 b2; ln a1 b3; ln a1 b4; ln a1 b5; sleep 1.5", exec.ByItself},
		// Files without a name: of two processes, and of one that shares it.
		{hold + "hold $HOME/a $NAP.8 & hold ${TMPDIR:-/tmp}/a $NAP.8 & wait", exec.OutOfDisk},
		{hold + "(hold $HOME/a 2; sleep 1.5 & sleep 1.5) & wait", exec.ByItself},
	} {
		spec := b.sh(fmt.Sprint("a", i), tt.script)
		spec.Limits.Disk = 8_000_000
		if x := b.run(spec); x.Why != tt.why {
			t.Errorf("%s: got %+v, log %s; want why %q", tt.script, x, b.rawLog(), tt.why)
		}
	}
}

func once(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "outlives the server")
	gate := b.fifo("gate")
	spec := b.sh("a", "echo ran >> $SHARED/ran; cat $SHARED/gate; exit 5")
	var runs []*running
	for range 4 {
		d := s.newDriver(t, b.root)
		runs = append(runs, b.start(d, spec, ""), b.start(d, spec, ""))
	}
	for _, r := range runs {
		select {
		case <-r.handle: // the command exists
		case <-r.done:
			t.Fatalf("ended before the command began: %+v, %v", r.exit, r.err)
		}
	}
	if err := os.WriteFile(gate, nil, 0); err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		if x := r.wait(t); x.Code != 5 {
			t.Errorf("got %+v, want code 5", x)
		}
	}
	if x := b.run(spec); x.Code != 5 { // long ended
		t.Errorf("after the end: got %+v, want code 5", x)
	}
	if ran, _ := os.ReadFile(filepath.Join(b.shared, "ran")); string(ran) != "ran\n" {
		t.Errorf("eight starts at once: the command wrote %q, want one line", ran)
	}
}

func attach(t *testing.T, s *suite) {
	b := s.bench(t)
	s.needs(t, "outlives the server")
	ready, gate := b.fifo("ready"), b.fifo("gate")
	spec := b.sh("a", "echo one; echo > $SHARED/ready; cat $SHARED/gate; echo two; printf r >&$FAIRLEAD_RESULT_FD; exit 6")
	first := b.start(b.driver, spec, "")
	handle := <-first.handle
	b.hear(ready)
	first.cancel(exec.ErrDetach)
	<-first.done
	if !errors.Is(first.err, exec.ErrDetach) {
		t.Fatalf("detached: got %+v, %v; want ErrDetach", first.exit, first.err)
	}
	second := b.start(s.newDriver(t, b.root), spec, handle)
	if err := os.WriteFile(gate, nil, 0); err != nil {
		t.Fatal(err)
	}
	x := second.wait(t)
	if x.Code != 6 || x.LastLine != "two" || string(x.Result) != "r" || x.Why != exec.ByItself {
		t.Errorf("attached: got %+v, want code 6, last line two, result r", x)
	}
	if got := b.events(); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("log: got %q", got)
	}

	// Stopping works after attaching, too.
	spec = b.sh("b", "echo > $SHARED/ready; exec sleep $NAP.5")
	first = b.start(b.driver, spec, "")
	handle = <-first.handle
	b.hear(ready)
	first.cancel(exec.ErrDetach)
	<-first.done
	second = b.start(s.newDriver(t, b.root), spec, handle)
	second.cancel(errors.New("a person stopped it"))
	if x := second.wait(t); x.Why != exec.Stopped || x.Code != 143 {
		t.Errorf("attached and stopped: got %+v, want 143, why stopped", x)
	}
}

func startedFails(t *testing.T, s *suite) {
	b := s.bench(t)
	gate := b.fifo("gate")
	spec := b.sh("a", "cat $SHARED/gate; exit 8")
	full := errors.New("the store is full")
	if x, err := b.driver.Run(t.Context(), spec, "", func(string) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %+v, %v; want the error of started", x, err)
	}
	r := b.start(b.driver, spec, "")
	<-r.handle
	if err := os.WriteFile(gate, nil, 0); err != nil {
		t.Fatal(err)
	}
	if x := r.wait(t); x.Code != 8 {
		t.Errorf("got %+v, want code 8", x)
	}
}

func lost(t *testing.T, s *suite) {
	b := s.bench(t)
	spec := b.sh("a", "echo ran > $SHARED/ran")
	var handle string
	if _, err := b.driver.Run(t.Context(), spec, "", func(h string) error { handle = h; return nil }); err != nil {
		t.Fatal(err)
	}
	if handle == "" {
		t.Error("started was given no handle")
	}
	if err := b.driver.Forget("a"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.shared, "ran")); err != nil {
		t.Fatal(err)
	}
	x, err := b.driver.Run(t.Context(), spec, handle, func(string) error { return nil })
	if err != nil || x.Why != exec.Lost {
		t.Errorf("an attempt that was started and is gone: got %+v, %v; want lost", x, err)
	}
	if _, err := os.Stat(filepath.Join(b.shared, "ran")); err == nil {
		t.Error("it was started again")
	}
}

func stoppedBefore(t *testing.T, s *suite) {
	b := s.bench(t)
	spec := b.sh("a", "echo ran > $SHARED/ran")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(exec.ErrDetach)
	if x, err := b.driver.Run(ctx, spec, "", func(string) error { return nil }); !errors.Is(err, exec.ErrDetach) {
		t.Errorf("detached before: got %+v, %v; want ErrDetach", x, err)
	}
	ctx, cancel = context.WithCancelCause(context.Background())
	cancel(errors.New("a person stopped it"))
	if x, err := b.driver.Run(ctx, spec, "", func(string) error { return nil }); err != nil || x.Why != exec.Stopped {
		t.Errorf("stopped before: got %+v, %v; want why stopped", x, err)
	}
	if x := b.run(spec); x.Why != exec.Stopped {
		t.Errorf("later: got %+v, want why stopped", x)
	}
	if _, err := os.Stat(filepath.Join(b.shared, "ran")); err == nil {
		t.Error("a command ran that was stopped before it started")
	}
}

func forget(t *testing.T, s *suite) {
	b := s.bench(t)
	if err := b.driver.Forget("never-was"); err != nil {
		t.Errorf("Forget of nothing: %v", err)
	}
	if err := b.driver.Forget("../x"); err == nil {
		t.Error("Forget of ../x: want an error")
	}
	ready := b.fifo("ready")
	r := b.start(b.driver, b.sh("a", "echo > $SHARED/ready; exec sleep $NAP.6"), "")
	b.hear(ready)
	if err := b.driver.Forget("a"); err == nil {
		t.Error("Forget of a running attempt: want an error")
	}
	r.cancel(errors.New("enough"))
	r.wait(t)
	if err := b.driver.Forget("a"); err != nil {
		t.Errorf("Forget of an ended attempt: %v", err)
	}
}

func leftovers(t *testing.T, s *suite) {
	b := s.bench(t)
	b.run(b.sh("warm", "true"))
	if err := b.driver.Forget("warm"); err != nil {
		t.Fatal(err)
	}
	before := entries(t, b.root)
	fds := entries(t, "/dev/fd")
	const attempts, workers = 200, 8
	ids := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range ids {
				spec := b.sh(fmt.Sprint("attempt-", i), "sleep $NAP.7 & mkdir -p a/b /tmp/c; echo x > a/b/c; exit 1")
				spec.Log = fmt.Sprint(b.log, i)
				spec.Limits = exec.Limits{Memory: 100 << 20, PIDs: 20, CPUs: 1, Files: 100, Wall: time.Hour}
				x, err := b.driver.Run(t.Context(), spec, "", func(string) error { return nil })
				if err != nil || x.Code != 1 {
					t.Errorf("%s: got %+v, %v; want code 1", spec.ID, x, err)
				}
				if err := b.driver.Forget(spec.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range attempts {
		ids <- i
	}
	close(ids)
	wg.Wait()
	if after := entries(t, b.root); !slices.Equal(before, after) {
		t.Errorf("the driver's directory holds %q, before %q", after, before)
	}
	// A driver may keep a few connections.
	if after := entries(t, "/dev/fd"); len(after) > len(fds)+4 {
		t.Errorf("open descriptors: %q, before %q", after, fds)
	}
	b.gone(".7")
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

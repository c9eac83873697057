//go:build !portable

package sandbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
	"fairlead/internal/exec/exectest"
	"fairlead/internal/exec/sandbox"
)

// serverVar makes the test binary a server that runs one attempt: an order,
// as JSON.
const serverVar = "FAIRLEAD_TEST_SERVER"

type order struct {
	Root string
	Spec exec.Spec
	Hang bool // never return from started
}

func TestMain(m *testing.M) {
	if text := os.Getenv(serverVar); text != "" {
		serve(text)
	}
	exectest.TryEscapes()
	os.Exit(m.Run())
}

// serve runs an attempt and says on standard output when it has started and
// how it ended.
func serve(text string) {
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err != nil {
		panic(err)
	}
	d, err := sandbox.New(sandbox.Options{Root: o.Root})
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	x, err := d.Run(context.Background(), o.Spec, "", func(h string) error {
		fmt.Println("handle", h)
		if o.Hang {
			select {}
		}
		return nil
	})
	fmt.Println("exit", x.Code, err)
	os.Exit(0)
}

// server starts a process that runs the order.
func server(t *testing.T, o order) (cmd *osexec.Cmd, lines *bufio.Reader) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd = osexec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), serverVar+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines = bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil {
		t.Fatalf("server said %q, %v; want ready", line, err)
	}
	return cmd, lines
}

func shell(dir, id, script string) exec.Spec {
	return exec.Spec{
		ID: id, Argv: []string{"/bin/sh", "-c", script}, Log: filepath.Join(dir, "log"), Env: []string{"PATH=/usr/bin:/bin", "SHARED=/shared"},
		Mounts: []exec.Mount{{Source: dir, Target: "/shared", Writable: true}}, Grace: time.Second,
		Limits: exec.Limits{Memory: 100 << 20, PIDs: 50},
	}
}

// TestServerKilled kills a server before, or after, it could write down that
// its attempt has started; the next server must find the attempt either way.
func TestServerKilled(t *testing.T) {
	for _, recorded := range []bool{true, false} {
		t.Run(fmt.Sprintf("recorded=%t", recorded), func(t *testing.T) {
			root, dir := t.TempDir(), t.TempDir()
			gate := filepath.Join(dir, "gate")
			if err := syscall.Mkfifo(gate, 0o600); err != nil {
				t.Fatal(err)
			}
			spec := shell(dir, "attempt-1", "echo one; echo ran >> $SHARED/ran; cat $SHARED/gate; echo two; printf r >&$FAIRLEAD_RESULT_FD; exit 6")
			cmd, lines := server(t, order{Root: root, Spec: spec, Hang: !recorded})
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			handle := strings.TrimSpace(strings.TrimPrefix(line, "handle "))
			if !recorded {
				handle = ""
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // killed, as asked

			d := newDriver(t, root)
			running := make(chan struct{})
			go func() {
				// Opening waits for the command to read.
				if err := os.WriteFile(gate, nil, 0); err != nil {
					t.Error(err)
				}
				close(running)
			}()
			x, err := d.Run(t.Context(), spec, handle, func(string) error { return nil })
			<-running
			if err != nil || x.Code != 6 || x.LastLine != "two" || string(x.Result) != "r" || x.Why != exec.ByItself {
				t.Errorf("after the server's death: got %+v, %v; want code 6, two, r", x, err)
			}
			if ran, _ := os.ReadFile(filepath.Join(dir, "ran")); string(ran) != "ran\n" {
				t.Errorf("the command wrote %q, want one line", ran)
			}
		})
	}
}

// TestServerKilledAnytime kills servers at random moments of a start. However
// it goes, the attempt runs exactly once when it is then seen through.
func TestServerKilledAnytime(t *testing.T) {
	root := t.TempDir()
	for i := range 40 {
		dir := t.TempDir()
		spec := shell(dir, fmt.Sprint("attempt-", i), "echo ran >> $SHARED/ran; exit 3")
		cmd, lines := server(t, order{Root: root, Spec: spec})
		delay := time.Duration(rand.Int64N(int64(25 * time.Millisecond)))
		<-time.After(delay)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(lines)
		_ = cmd.Wait()
		x, err := newDriver(t, root).Run(t.Context(), spec, "", func(string) error { return nil })
		ran, _ := os.ReadFile(filepath.Join(dir, "ran"))
		if err != nil || x.Code != 3 || x.Why != exec.ByItself || string(ran) != "ran\n" {
			t.Errorf("server killed after %v (it said %q): got %+v, %v, command wrote %q; want code 3, one line", delay, said, x, err, ran)
		}
	}
}

// A record is a line of the journal.
type record struct {
	ID    string
	Claim *cage.Claim
}

// claimOf reads the claim of an attempt from the journal.
func claimOf(t *testing.T, root, id string) cage.Claim {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, cage.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var r record
		if err := json.Unmarshal([]byte(line[9:]), &r); err != nil {
			t.Fatal(err)
		}
		if r.ID == id && r.Claim != nil {
			return *r.Claim
		}
	}
	t.Fatalf("no claim of %s in %s", id, text)
	return cage.Claim{}
}

// TestProcessKilled kills process 1 of a cage, or the keeper: nothing of the
// attempt survives, it counts as lost, and the next attempt runs.
func TestProcessKilled(t *testing.T) {
	for _, what := range []string{"process 1", "the keeper"} {
		t.Run(what, func(t *testing.T) { testProcessKilled(t, what) })
	}
}

func testProcessKilled(t *testing.T, what string) {
	root, dir := t.TempDir(), t.TempDir()
	d := newDriver(t, root)
	needNamespaces(t, d)
	spec := shell(dir, "a", "sleep "+nap()+"1 & setsid sleep "+nap()+"2 & wait")
	type answer struct {
		x   exec.Exit
		err error
	}
	answers := make(chan answer, 1)
	started := make(chan struct{})
	go func() {
		x, err := d.Run(context.Background(), spec, "", func(string) error { close(started); return nil })
		answers <- answer{x, err}
	}()
	<-started
	claim := claimOf(t, root, "a")
	victim := claim.PID
	if what == "the keeper" {
		victim = claim.Keeper.PID
	}
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if a := <-answers; a.err != nil || a.x.Why != exec.Lost {
		t.Errorf("got %+v, %v; want lost", a.x, a.err)
	}
	if left := commands(nap()); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
	for _, g := range claim.Groups {
		if _, err := os.Stat(g); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("control group %s is still there", g)
		}
	}
	if x, err := d.Run(t.Context(), shell(dir, "b", "exit 3"), "", nil); err != nil || x.Code != 3 {
		t.Errorf("the next attempt: got %+v, %v; want code 3", x, err)
	}
}

// TestZygoteKilled kills the process that forks attempts: those that run go on,
// and the next one gets another.
func TestZygoteKilled(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	d := newDriver(t, root)
	gate := filepath.Join(dir, "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		started := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			x, err := d.Run(context.Background(), shell(dir, fmt.Sprint("a", i), "cat $SHARED/gate; exit 4"), "", func(string) error { close(started); return nil })
			if err != nil || x.Code != 4 {
				t.Errorf("the attempt that ran: got %+v, %v; want code 4", x, err)
			}
		}()
		<-started
		claim := claimOf(t, root, fmt.Sprint("a", i))
		killed := 0
		for _, pid := range children(t, claim.Keeper.PID) {
			if pid != claim.PID {
				killed++
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Error(err)
				}
			}
		}
		if killed == 0 {
			t.Error("the keeper has no child but process 1 of the attempt")
		}
		if x, err := d.Run(t.Context(), shell(dir, fmt.Sprint("b", i), "exit 3"), "", nil); err != nil || x.Code != 3 {
			t.Errorf("the next attempt: got %+v, %v; want code 3", x, err)
		}
		if err := os.WriteFile(gate, nil, 0); err != nil {
			t.Fatal(err)
		}
		<-done
	}
}

// TestTooLittleMemoryToBegin starts commands with less and less memory, down to
// what is too little to execute anything: none of them harms the attempt beside,
// with whose process 1 their own share memory.
func TestTooLittleMemoryToBegin(t *testing.T) {
	dir := t.TempDir()
	d := newDriver(t, t.TempDir())
	needNamespaces(t, d)
	gate := filepath.Join(dir, "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	started, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		x, err := d.Run(context.Background(), shell(dir, "beside", "cat /shared/gate; exit 4"), "", func(string) error { close(started); return nil })
		if err != nil || x.Code != 4 {
			t.Errorf("the attempt beside: got %+v, %v; want code 4", x, err)
		}
	}()
	<-started
	for _, env := range []int{10, 100_000} {
		for kib := int64(4); kib <= 2048; kib *= 2 {
			spec := shell(dir, fmt.Sprintf("a%d-%d", env, kib), "exit 3")
			spec.Env = append(spec.Env, "LONG="+strings.Repeat("x", env))
			spec.Limits.Memory = kib << 10
			x, err := d.Run(t.Context(), spec, "", nil)
			if err != nil || x.Code != 3 && x.Code != 126 && x.Why != exec.OutOfMemory {
				t.Errorf("with %d KiB, and %d bytes of environment: got %+v, %v; want it to end, or not to begin", kib, env, x, err)
			}
			select {
			case <-done:
				t.Fatalf("it ended when another had %d KiB", kib)
			default:
			}
		}
	}
	if err := os.WriteFile(gate, nil, 0); err != nil {
		t.Fatal(err)
	}
	<-done
}

// TestKeeperHangs stops a keeper. Nobody waits for it for ever: it is killed,
// its attempt is lost, and the next one runs.
func TestKeeperHangs(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	d, err := sandbox.New(sandbox.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	needNamespaces(t, d)
	d.HavePatience(20*time.Millisecond, 5*time.Second) // as long as a keeper that is well may take to answer
	started := make(chan struct{})
	type answer struct {
		x   exec.Exit
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		x, err := d.Run(context.Background(), shell(dir, "a", "exec sleep "+nap()+"3"), "", func(string) error { close(started); return nil })
		answers <- answer{x, err}
	}()
	<-started
	if err := syscall.Kill(claimOf(t, root, "a").Keeper.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := d.Forget("never-was"); err != nil { // by the next keeper
		t.Errorf("Forget: %v", err)
	}
	if a := <-answers; a.err != nil || a.x.Why != exec.Lost {
		t.Errorf("got %+v, %v; want lost", a.x, a.err)
	}
	if left := commands(nap() + "3"); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
	if x, err := d.Run(t.Context(), shell(dir, "b", "exit 3"), "", nil); err != nil || x.Code != 3 {
		t.Errorf("the next attempt: got %+v, %v; want code 3", x, err)
	}
}

// TestKeeperKilledPlain kills the keeper where there are no namespaces: its
// command ends, too.
func TestKeeperKilledPlain(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	d, err := sandbox.New(sandbox.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	d.ForcePlain()
	spec := shell(dir, "a", "exec sleep "+nap()+"4")
	spec.Mounts = nil
	x, err := d.Run(t.Context(), spec, "", func(string) error {
		return syscall.Kill(claimOf(t, root, "a").Keeper.PID, syscall.SIGKILL)
	})
	if err != nil || x.Why != exec.Lost {
		t.Errorf("got %+v, %v; want lost", x, err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 60_000 {
		if len(commands(nap()+"4")) == 0 {
			return
		}
		<-tick.C
	}
	t.Errorf("still there: %q", commands(nap()+"4"))
}

// TestElsewhere has an attempt with a keeper of another version: whoever wants
// it is sent there.
func TestElsewhere(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	boot, err := cage.BootID()
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	pid, start, err := cage.ParseStat(stat)
	if err != nil {
		t.Fatal(err)
	}
	const socket = cage.SocketFile + ".0.old"
	// This process is that keeper.
	keeper := cage.Keeper{PID: pid, Start: start, Boot: boot, Protocol: 0, Socket: socket}
	text, err := json.Marshal(record{ID: "a", Claim: &cage.Claim{PID: pid, Start: start, Boot: boot, Keeper: &keeper}})
	if err != nil {
		t.Fatal(err)
	}
	line := fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(text), text)
	if err := os.WriteFile(filepath.Join(root, cage.JournalFile), line, 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := os.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	l, err := net.Listen("unix", fmt.Sprintf("/proc/self/fd/%d/%s", here.Fd(), socket))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan string, 10)
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var r cage.Request
			if err := cage.ReadMessage(conn, &r); err != nil {
				t.Error(err)
			}
			asked <- r.Op + " " + r.ID
			switch r.Op {
			case cage.OpRun:
				_ = cage.WriteMessage(conn, cage.Answer{Running: true})
				if err := cage.ReadMessage(conn, &r); err == nil {
					asked <- r.Op + " " + r.ID
				}
				_ = cage.WriteMessage(conn, cage.Answer{Exit: &cage.Exit{Why: "stopped", Code: 143}})
			default:
				_ = cage.WriteMessage(conn, cage.Answer{})
			}
			conn.Close()
		}
	}()
	d, err := sandbox.New(sandbox.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	x, err := d.Run(ctx, shell(dir, "a", "exit 9"), "", func(string) error { cancel(errors.New("enough")); return nil })
	if err != nil || x.Why != exec.Stopped || x.Code != 143 {
		t.Errorf("got %+v, %v; want what the other keeper said: stopped, 143", x, err)
	}
	if err := d.Forget("a"); err == nil {
		t.Error("Forget of what runs elsewhere: want an error")
	}
	if err := d.Sweep(func(string) bool { return false }); err == nil {
		t.Error("Sweep: want an error, since the other keeper does not end it")
	}
	for _, want := range []string{"run a", "stop a", "kill a"} {
		if got := <-asked; got != want {
			t.Errorf("the other keeper was asked %q, want %q", got, want)
		}
	}
}

// children returns the children of a process.
func children(t *testing.T, pid int) (pids []int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, _ := os.ReadFile(f) // a thread may end
		for _, w := range strings.Fields(string(text)) {
			var n int
			if _, err := fmt.Sscan(w, &n); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, n)
		}
	}
	return pids
}

// TestMaxRSS checks that what is counted is the command's own, not what the
// process had before that became the command.
func TestMaxRSS(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	spec := shell(dir, "a", "")
	spec.Argv, spec.Limits = []string{"/bin/true"}, exec.Limits{}
	if x, err := newDriver(t, root).Run(t.Context(), spec, "", nil); err != nil || x.MaxRSS == 0 || x.MaxRSS > 4<<20 {
		t.Errorf("true: got %+v, %v; want at most 4 MiB", x, err)
	}
}

// TestReusedNumber checks that a claim whose number belongs to another
// process now is not taken for a running attempt.
func TestReusedNumber(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	boot, err := cage.BootID()
	if err != nil {
		t.Fatal(err)
	}
	for i, claim := range []cage.Claim{
		{PID: os.Getpid(), Start: 1, Boot: boot},
		{PID: os.Getpid(), Start: 1, Boot: "another boot"},
		{PID: 1 << 22, Start: 1, Boot: boot},
		{PID: 0},
		{PID: -1, Boot: boot},
		{PID: os.Getpid(), Start: 1, Boot: boot, Keeper: &cage.Keeper{}},
	} {
		spec := shell(dir, fmt.Sprint("a", i), "true")
		if claim.Keeper != nil {
			*claim.Keeper = cage.Keeper{PID: claim.PID, Start: claim.Start, Boot: claim.Boot}
		}
		text, err := json.Marshal(record{ID: spec.ID, Claim: &claim})
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(text), text)
		f, err := os.OpenFile(filepath.Join(root, cage.JournalFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(line); err != nil {
			t.Fatal(err)
		}
		f.Close()
		x, err := newDriver(t, root).Run(t.Context(), spec, "sandbox:"+spec.ID, nil)
		if err != nil || x.Why != exec.Lost {
			t.Errorf("claim %+v: got %+v, %v; want lost", claim, x, err)
		}
	}
}

// TestGroupsGone checks that control groups end with their attempt, not only
// when it is forgotten.
func TestGroupsGone(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	d := newDriver(t, root)
	for i := range 50 {
		spec := shell(dir, fmt.Sprint("a", i), "")
		spec.Argv = []string{"/bin/true"}
		if _, err := d.Run(t.Context(), spec, "", nil); err != nil {
			t.Fatal(err)
		}
		for _, g := range claimOf(t, root, spec.ID).Groups {
			if _, err := os.Stat(g); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("control group %s is still there", g)
			}
		}
	}
}

// TestSweep removes what nobody wants, running or not.
func TestSweep(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	d, err := sandbox.New(sandbox.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"keep", "drop"} {
		if _, err := d.Run(t.Context(), shell(dir, id, "true"), "", nil); err != nil {
			t.Fatal(err)
		}
	}
	detached := errors.New("the server ends")
	_, err = d.Run(t.Context(), shell(dir, "running", "exec sleep "+nap()+"5"), "", func(string) error { return detached })
	if err != detached {
		t.Fatal(err)
	}
	// A server was killed while it tried out the machine.
	if err := os.MkdirAll(filepath.Join(root, "~probe.1", "work"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Sweep(func(id string) bool { return id == "keep" }); err != nil {
		t.Error(err)
	}
	var left []string
	list, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		left = append(left, e.Name())
	}
	if got := strings.Join(left, " "); !strings.HasPrefix(got, "keep keeper.json ~hold ~journal ~keeper.") || strings.Contains(got, "~probe") {
		t.Errorf("after Sweep: %q, want keep and the keeper's own", got)
	}
	if left := commands(nap() + "5"); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
}

// TestPlain runs the suite as on a machine that permits nothing.
func TestPlain(t *testing.T) {
	exectest.Run(t, func(t *testing.T, root string) exec.Driver {
		d, err := sandbox.New(sandbox.Options{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		d.ForcePlain()
		return d
	})
}

// TestUnprivileged runs the suite as a user without rights.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("TestSandbox is this test already")
	}
	dir, err := os.MkdirTemp("", "fairlead-unprivileged-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	const nobody = 65534
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "sandbox.test")
	if err := errors.Join(os.WriteFile(binary, self, 0o755), os.Chmod(dir, 0o755), os.Chown(dir, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(warmModule)
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(dir, filepath.Base(warmModule))
	if err := os.WriteFile(module, text, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command(binary, "-test.run=^(TestSandbox|TestEscape|TestBombs|TestNothingIsLeft|TestWarm|TestWarmKilled|TestEscapeWarm)$", "-test.v")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, warmVar + "=" + module}
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as user %d: %v\n%s", nobody, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "exectest.go") || strings.Contains(line, "SKIP") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

func needNamespaces(t *testing.T, d exec.Driver) {
	t.Helper()
	r, err := d.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Measures {
		if m.Name == "pid namespace" && !m.InUse {
			t.Skipf("NOT ENFORCED: %s: %s", m.Name, m.How)
		}
	}
}

// nap begins a time to sleep by which this process knows its own commands from
// those of others that test here.
func nap() string { return "98766" + strconv.Itoa(os.Getpid()) + "." }

// commands returns the processes whose command line has the word.
func commands(word string) []string {
	var found []string
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range list {
		if b, _ := os.ReadFile(path); strings.Contains(string(b), word) {
			found = append(found, path)
		}
	}
	return found
}

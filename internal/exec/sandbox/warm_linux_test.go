//go:build !portable

package sandbox_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
	"fairlead/internal/exec/exectest"
)

// warmed is a driver whose commands are forked from a warm process, which then
// executes them: whatever a command finds, it finds as a task in Python does.
type warmed struct {
	exec.Driver
	warm *exec.Warm
}

// Run implements [exec.Driver].
func (d warmed) Run(ctx context.Context, s exec.Spec, handle string, started func(string) error) (exec.Exit, error) {
	if s.Warm == nil {
		s.Warm = d.warm
	}
	return d.Driver.Run(ctx, s, handle, started)
}

// executes is a program that waits, and whose children execute commands as execvp
// does.
const executes = `
import os, signal, sys
sys.path.insert(0, "/warm")
import fairlead_warm
def become(argv):
    os.environ.pop("LC_CTYPE", None)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvpe(argv[0], argv, dict(os.environb))
    except OSError as e:
        print(os.fsdecode(argv[0]) + ": " + e.strerror.lower(), file=sys.stderr, flush=True)
        os._exit(127 if e.errno == 2 else 126)
fairlead_warm.Template().serve(become)
`

const python = "/usr/bin/python3"

// warmModule is what waits in Python; warmVar says where it is instead.
const (
	warmModule = "../../operator/python/fairlead_warm.py"
	warmVar    = "FAIRLEAD_TEST_WARM"
)

// executor returns what waits for commands to execute.
func executor(t testing.TB) *exec.Warm {
	t.Helper()
	if out, err := osexec.Command(python, "-c", "import ctypes").CombinedOutput(); err != nil {
		t.Skipf("no warm processes here: %v: %s", err, out)
	}
	dir := t.TempDir()
	text, err := os.ReadFile(cmp.Or(os.Getenv(warmVar), warmModule))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"fairlead_warm.py": text, "executes.py": []byte(executes)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return &exec.Warm{
		Argv: []string{python, "-I", "-S", "-B", "/warm/executes.py"}, Mounts: []exec.Mount{{Source: dir, Target: "/warm"}},
	}
}

// warmDriver returns a driver that has a warm process already.
func warmDriver(t testing.TB, root string, w *exec.Warm) exec.Driver {
	t.Helper()
	d := warmed{newDriver(t, root), w}
	warmUp(t, d)
	return d
}

// warmUp runs attempts until one is forked from a warm process. Its parent
// is then outside, and has no number inside.
func warmUp(t testing.TB, d exec.Driver) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	latest := time.Now().Add(5 * time.Minute) // what did not come up is tried again after a minute
	for i := 0; time.Now().Before(latest); i++ {
		s := exec.Spec{ID: fmt.Sprint("warm-up-", i), Argv: []string{"/bin/sh", "-c", "exit $PPID"}, Log: log}
		x, err := d.Run(context.Background(), s, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Forget(s.ID); err != nil {
			t.Fatal(err)
		}
		if x.Code == 0 {
			return
		}
		<-tick.C
	}
	t.Fatal("no attempt was forked from a warm process")
}

// TestWarm runs the suite with commands that are forked from a warm process.
func TestWarm(t *testing.T) {
	needNamespaces(t, newDriver(t, t.TempDir()))
	w := executor(t)
	exectest.Run(t, func(t *testing.T, root string) exec.Driver { return warmDriver(t, root, w) })
}

// TestEscapeWarm makes the tries of TestEscape in a child of a warm process.
func TestEscapeWarm(t *testing.T) {
	needNamespaces(t, newDriver(t, t.TempDir()))
	w := executor(t)
	testEscape(t, func(t testing.TB, root string) exec.Driver { return warmDriver(t, root, w) })
}

// TestNothingIsLeftWarm counts what children of warm processes leave.
func TestNothingIsLeftWarm(t *testing.T) {
	needNamespaces(t, newDriver(t, t.TempDir()))
	w := executor(t)
	testNothingIsLeft(t, func(t testing.TB, root string) exec.Driver { return warmDriver(t, root, w) })
}

// TestWarmKilled kills a warm process, its child, process 1 of the attempt, or the
// keeper. Only who dies of it is lost, nothing is left, and the next attempt runs.
func TestWarmKilled(t *testing.T) {
	needNamespaces(t, newDriver(t, t.TempDir()))
	w := executor(t)
	word := nap() + "8"
	for _, tt := range []struct {
		what string
		want exec.Exit
	}{
		{"the warm process", exec.Exit{Code: 4}},
		{"its child", exec.Exit{Code: 137}},
		{"process 1", exec.Exit{Code: -1, Why: exec.Lost}},
		{"the keeper", exec.Exit{Code: -1, Why: exec.Lost}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			root, dir := t.TempDir(), t.TempDir()
			d := warmDriver(t, root, w)
			gate := filepath.Join(dir, "gate")
			if err := syscall.Mkfifo(gate, 0o600); err != nil {
				t.Fatal(err)
			}
			s := shell(dir, "", "sleep "+word+" & setsid sleep "+word+" & cat $SHARED/gate; exit $((4+$PPID))")
			s.Limits = exec.Limits{Wall: time.Hour} // a user of its own, for a limit of processes, has no warm process
			cold := errors.New("the attempt was not forked from a warm process")
			began := func(string) error {
				claim := claimOf(t, root, s.ID)
				if warmChild(t, claim.Keeper.PID, true) == 0 {
					return cold
				}
				victim := 0
				switch tt.what {
				case "process 1":
					victim = claim.PID
				case "the keeper":
					victim = claim.Keeper.PID
				default:
					victim = warmChild(t, claim.Keeper.PID, tt.what == "its child")
				}
				if victim == 0 {
					return fmt.Errorf("the keeper has no child that is %s", tt.what)
				}
				if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
					t.Error(err)
				}
				if tt.what == "the warm process" {
					return os.WriteFile(gate, nil, 0)
				}
				return nil
			}
			var x exec.Exit
			err := cold
			for i := 0; errors.Is(err, cold); i++ { // a machine may be too slow for it to be forked in time
				if i > 0 {
					if err := os.WriteFile(gate, nil, 0); err != nil {
						t.Fatal(err)
					}
					warmUp(t, d)
				}
				s.ID = fmt.Sprint("a", i)
				x, err = d.Run(t.Context(), s, "", began)
			}
			if err != nil || x.Code != tt.want.Code || x.Why != tt.want.Why {
				t.Errorf("got %+v, %v; want code %d, why %q", x, err, tt.want.Code, tt.want.Why)
			}
			if left := commands(word); len(left) > 0 {
				t.Errorf("still there: %q", left)
			}
			if x, err := d.Run(t.Context(), shell(dir, "b", "exit 3"), "", nil); err != nil || x.Code != 3 {
				t.Errorf("the next attempt: got %+v, %v; want code 3", x, err)
			}
		})
	}
}

// TestWarmStopped stops a warm process, so that it answers nothing: the attempt is
// begun without it.
func TestWarmStopped(t *testing.T) {
	needNamespaces(t, newDriver(t, t.TempDir()))
	root, dir := t.TempDir(), t.TempDir()
	d := warmDriver(t, root, executor(t))
	text, err := os.ReadFile(filepath.Join(root, cage.KeeperFile))
	if err != nil {
		t.Fatal(err)
	}
	var k cage.Keeper
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	warm := warmChild(t, k.PID, false)
	if warm == 0 {
		t.Fatal("the keeper has no warm process")
	}
	if err := syscall.Kill(warm, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	x, err := d.Run(t.Context(), shell(dir, "a", "exit $((3+$PPID))"), "", nil)
	if err != nil || x.Code != 4 {
		t.Errorf("got %+v, %v; want code 4, of a child of process 1", x, err)
	}
}

// warmChild returns the warm process of a keeper, or the child of it in an
// attempt; the one has its number in one namespace, the other in two, and is
// the second of its own. Zero means that there is none.
func warmChild(t *testing.T, keeper int, inside bool) int {
	t.Helper()
	for _, pid := range children(t, keeper) {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, rest, _ := strings.Cut(string(status), "NSpid:")
		line, _, _ := strings.Cut(rest, "\n")
		name := strings.Fields(string(status))
		numbers := strings.Fields(line)
		switch {
		case inside && len(numbers) == 2 && numbers[1] != "1":
			return pid
		case !inside && len(numbers) == 1 && len(name) > 1 && strings.HasPrefix(name[1], "python"):
			return pid
		}
	}
	return 0
}

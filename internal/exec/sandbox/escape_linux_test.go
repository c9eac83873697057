//go:build !portable

package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
	"fairlead/internal/exec/exectest"
)

// TestEscape has a command try everything that it must not be able to do.
func TestEscape(t *testing.T) { testEscape(t, newDriver) }

// testEscape makes the tries with a driver.
func testEscape(t *testing.T, open func(testing.TB, string) exec.Driver) {
	root := t.TempDir()
	d := open(t, root)
	needNamespaces(t, d)
	to := exectest.Bait(t)
	to.Root, to.KeeperSocket = root, filepath.Join(root, cage.SocketFile+".1.root")

	// Another task, beside.
	victim := exec.Spec{
		ID: "victim", Argv: []string{"/bin/sh", "-c", "echo secret > file; exec sleep 98768"}, Log: filepath.Join(t.TempDir(), "log"),
		Env: []string{"SECRET=" + to.VictimSecret},
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	started, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		if x, err := d.Run(ctx, victim, "", func(string) error { close(started); return nil }); err != nil || x.Why != exec.Stopped {
			t.Errorf("the other task: got %+v, %v; want stopped", x, err)
		}
	}()
	<-started
	claim := claimOf(t, root, "victim")
	to.Keeper, to.Victim, to.VictimDir = claim.Keeper.PID, claim.PID, filepath.Join(root, "victim", cage.WorkDir)

	exectest.Escape(t, d, to)
	cancel(errors.New("enough"))
	<-done
}

// TestBombs checks that a command that takes all that it can harms itself
// alone: another runs beside it.
func TestBombs(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	d := newDriver(t, root)
	needNamespaces(t, d)
	has := func(name string) bool {
		r, err := d.Probe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Measures {
			if m.Name == name {
				return m.InUse
			}
		}
		return false
	}
	for i, tt := range []struct {
		name, needs, script string
		limits              exec.Limits
		why                 exec.Why
	}{
		{"forks", "pids limit", `f() { f & f & wait; }; f`, exec.Limits{PIDs: 30, Wall: 2 * time.Second}, exec.OutOfTime},
		{"memory", "memory limit", `head -c 1000000000 /dev/zero | tail -c 1000000000; exit 1`, exec.Limits{Memory: 32 << 20, Wall: time.Hour}, exec.OutOfMemory},
		{"what goes on", "pid namespace", `(trap '' HUP TERM; setsid setsid sleep $NAP < /dev/null > /dev/null 2>&1 &); nohup sleep $NAP &`, exec.Limits{}, exec.ByItself},
		{"what cannot be stopped", "pid namespace", `trap '' TERM INT HUP; while :; do (trap '' TERM; sleep $NAP) & sleep $NAP; done`, exec.Limits{Wall: time.Second}, exec.OutOfTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !has(tt.needs) {
				t.Skipf("NOT ENFORCED: %s", tt.needs)
			}
			spec := shell(dir, fmt.Sprint("bomb", i), tt.script)
			spec.Env = append(spec.Env, "NAP="+nap()+"6")
			spec.Limits, spec.Grace = tt.limits, 200*time.Millisecond
			var x exec.Exit
			var err error
			done := make(chan struct{})
			go func() {
				defer close(done)
				x, err = d.Run(context.Background(), spec, "", nil)
			}()
			if x, err := d.Run(t.Context(), shell(dir, fmt.Sprint("beside", i), "exit 3"), "", nil); err != nil || x.Code != 3 {
				t.Errorf("beside it: got %+v, %v; want code 3", x, err)
			}
			<-done
			// A shell that cannot fork may end before its time.
			ended := tt.name == "forks" && err == nil
			if (err != nil || x.Why != tt.why) && !ended {
				t.Errorf("got %+v, %v; want why %q", x, err, tt.why)
			}
			if left := commands(nap() + "6"); len(left) > 0 {
				t.Errorf("still there: %q", left)
			}
		})
	}
}

// TestNothingIsLeft counts what there is of processes, mounts, control groups,
// directories and descriptors before and after many attempts;
// FAIRLEAD_ATTEMPTS says how many.
func TestNothingIsLeft(t *testing.T) { testNothingIsLeft(t, newDriver) }

func testNothingIsLeft(t *testing.T, open func(testing.TB, string) exec.Driver) {
	attempts := 100
	if n, err := strconv.Atoi(os.Getenv("FAIRLEAD_ATTEMPTS")); err == nil {
		attempts = n
	}
	root, dir := t.TempDir(), t.TempDir()
	d := open(t, root)
	needNamespaces(t, d)
	one := func(i int) {
		spec := shell(dir, fmt.Sprint("a", i), "sleep "+nap()+"7 & mkdir -p a/b /tmp/c; ln -s / l; echo x > a/b/c; exit 3")
		if i%3 == 0 {
			spec.Network = "none"
		}
		x, err := d.Run(context.Background(), spec, "", nil)
		if err != nil || x.Code != 3 {
			t.Errorf("%s: got %+v, %v; want code 3", spec.ID, x, err)
		}
		if err := d.Forget(spec.ID); err != nil {
			t.Error(err)
		}
	}
	one(0)
	before := count(t, root)
	jobs := make(chan int)
	done := make(chan struct{})
	for range 4 {
		go func() {
			for i := range jobs {
				one(i)
			}
			done <- struct{}{}
		}()
	}
	for i := range attempts {
		jobs <- i + 1
	}
	close(jobs)
	for range 4 {
		<-done
	}
	// What a killed process leaves to the kernel takes it a moment; the view
	// of the template may be replaced by another meanwhile.
	var after map[string]int
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 15_000 {
		after = count(t, root)
		more := false
		for what, n := range after {
			more = more || n > before[what]+slack[what]
		}
		if !more {
			t.Logf("after %d attempts: %v, before %v", attempts, after, before)
			return
		}
		<-tick.C
	}
	t.Errorf("after %d attempts: %v, before %v", attempts, after, before)
}

// slack is what may be more: idle threads of the keeper, a template, and
// directories that wait to be used again.
var slack = map[string]int{"keeper's descriptors": 4, "keeper's children": 1, "directories": 12}

func count(t *testing.T, root string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, cage.KeeperFile))
	if err != nil {
		t.Fatal(err)
	}
	var k cage.Keeper
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	n := map[string]int{"processes": len(commands(nap() + "7")), "keeper's children": len(children(t, k.PID))}
	for what, name := range map[string]string{"mounts": "/proc/self/mountinfo", "keeper's mounts": fmt.Sprintf("/proc/%d/mountinfo", k.PID)} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		n[what] = bytes.Count(b, []byte{'\n'})
	}
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", k.PID))
	n["keeper's descriptors"] = len(fds)
	for _, g := range claimedGroups(t, root) {
		list, _ := filepath.Glob(filepath.Join(filepath.Dir(g), filepath.Base(g[:strings.LastIndexByte(g, '-')])+"-*"))
		n["control groups"] += len(list)
	}
	err = filepath.WalkDir(root, func(_ string, e os.DirEntry, err error) error {
		if e != nil && e.IsDir() {
			n["directories"]++
		}
		return nil // it changes while we look
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// claimedGroups returns the control groups of the first attempt in the journal.
func claimedGroups(t *testing.T, root string) []string {
	t.Helper()
	return claimOf(t, root, "a0").Groups
}

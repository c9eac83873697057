package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"

	"fairlead/internal/exec/cage"
	"fairlead/internal/flow"
	"fairlead/internal/store"
)

const (
	frailTasks   = 7 // of frailDefinition
	frailRetries = 3
)

// frailDefinition is of tasks that may be killed themselves: each signs the
// ledger when it begins and when it ends.
func frailDefinition(l *ledger) string {
	var b strings.Builder
	fmt.Fprintf(&b, "frail:\n  default_args: {retries: %d, retry_delay: 0.1}\n  tasks:\n", frailRetries)
	task := func(id, nap, after string) {
		command := l.note(id) + "; sleep " + nap + "; " + l.sign("end-"+id) + "; echo done {{ ti.try_number }}"
		fmt.Fprintf(&b, "    %s:\n      operator: airflow.operators.bash.BashOperator\n      bash_command: %s\n      dependencies: [%s]\n",
			id, strconv.Quote(command), after)
	}
	task("first", "0.05", "")
	for i := range frailTasks - 2 {
		if (i == 1 || i == 3) && hasPython() {
			b.WriteString(l.python(fmt.Sprint("fan", i), fmt.Sprintf("0.%d", i), true, "first"))
			continue
		}
		task(fmt.Sprintf("fan%d", i), fmt.Sprintf("0.%d", i), "first")
	}
	task("join", "0", "fan0, fan1, fan2, fan3, fan4")
	return b.String()
}

// A proc is a process, which stays the same one only with its start time.
type proc struct {
	pid   int
	start uint64
}

func procOf(pid int) (proc, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return proc{}, false
	}
	_, start, err := cage.ParseStat(stat)
	return proc{pid, start}, err == nil
}

// parent is the process that made this one.
func (p proc) parent() (proc, bool) {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	_, after, _ := bytes.Cut(stat, []byte(") "))
	if f := bytes.Fields(after); len(f) > 1 {
		if pid, err := strconv.Atoi(string(f[1])); err == nil && pid > 1 && pid != os.Getpid() {
			return procOf(pid)
		}
	}
	return proc{}, false
}

// alive reports whether the process runs; one that only waits to be collected
// does not.
func (p proc) alive() bool {
	now, ok := procOf(p.pid)
	if !ok || now != p {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return false
	}
	_, after, _ := bytes.Cut(stat, []byte(") "))
	return len(after) > 0 && after[0] != 'Z' && after[0] != 'X'
}

// space is the namespace of numbers that a process is in.
func (p proc) space() string {
	name, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", p.pid)) // empty if it is gone
	return name
}

// first is process 1 of the attempt of a process, or what made it where attempts
// have no namespaces.
func (p proc) first() (proc, bool) {
	space := p.space()
	if space == (proc{pid: os.Getpid()}).space() {
		return p.parent()
	}
	all, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range all {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if space == "" || (proc{pid: pid}).space() != space {
			continue
		}
		status, _ := os.ReadFile(path)
		_, after, _ := strings.Cut(string(status), "\nNSpid:")
		line, _, _ := strings.Cut(after, "\n")
		if strings.HasSuffix(line, "\t1") {
			return procOf(pid)
		}
	}
	return proc{}, false
}

// processes are those whose command line has a text in it.
func processes(text string) []proc { return search("cmdline", text) }

// search looks for a text in a file of each process.
func search(file, text string) []proc {
	var found []proc
	all, _ := filepath.Glob("/proc/[0-9]*/" + file)
	for _, path := range all {
		line, _ := os.ReadFile(path)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if p, ok := procOf(pid); ok && pid != os.Getpid() && bytes.Contains(line, []byte(text)) && p.alive() {
			found = append(found, p)
		}
	}
	return found
}

// tasks are the processes of tasks that sign the ledger.
func (l *ledger) tasks() []proc {
	return append(processes(fmt.Sprintf("/dev/tcp/127.0.0.1/%d", l.port)), search("comm", fmt.Sprintf("ledger-%d\n", l.port))...)
}

// forked are the processes from which tasks in Python are forked, and their children. They
// have no file of the data directory open, but see our modules, which are there.
func (v *victim) forked() (list []proc) {
	parts := strings.Split(string(v.data), "/") // what the mount begins with is not shown
	mark := []byte(strings.Join(parts[max(0, len(parts)-3):], "/"))
	for _, p := range processes("/template.py") {
		mounts, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.pid))
		if bytes.Contains(mounts, mark) {
			list = append(list, p)
		}
	}
	return list
}

// waits reports whether a process that forked returned is the keeper's, and waits for tasks.
func (p proc) waits(keeper proc) bool {
	parent, ok := p.parent()
	return ok && parent == keeper && p.space() == keeper.space()
}

// template is the process from which the keeper has tasks in Python forked, if it has one.
func (v *victim) template() (proc, bool) {
	if keeper, ok := v.keeper(); ok {
		for _, p := range v.forked() {
			if p.waits(keeper) {
				return p, true
			}
		}
	}
	return proc{}, false
}

// keeper is the one that keeper.json names, if it is there.
func (v *victim) keeper() (proc, bool) {
	var k cage.Keeper
	text, err := os.ReadFile(v.data.path("attempts", cage.KeeperFile))
	if err != nil || json.Unmarshal(text, &k) != nil {
		return proc{}, false
	}
	p := proc{k.PID, k.Start}
	return p, p.alive()
}

// A toll is what kills have cost.
type toll struct {
	runs, failed   int // runs; those of them that failed
	attempts       int
	lost, shot     int // attempts whose keeper, or whose own process, was killed
	keepers, tasks int // processes that were killed
	templates      int // processes that tasks are forked from that were killed
	groups         int // control groups seen when keepers were killed
}

// settled checks what must be true of runs that were acknowledged, whatever
// was killed.
func (l *ledger) settled(t *testing.T, c *client, arn string, runs []string, cost *toll) {
	t.Helper()
	expected := map[string]bool{}
	for _, id := range runs {
		d := c.until(arn, id, over)
		cost.runs++
		want := types.WorkflowRunStatusSuccess
		latest, number := map[string]types.TaskInstanceStatus{}, map[string]int{}
		for _, ti := range c.instances(arn, id) {
			task, n := *ti.TaskId, int(*ti.AttemptNumber)
			name := fmt.Sprint(id, " ", task, " ", n)
			if expected[name] {
				t.Errorf("attempt %s is listed twice", name)
			}
			cost.attempts++
			expected[name], expected[fmt.Sprint(id, " end-", task, " ", n)] = true, true
			if n >= number[task] {
				number[task], latest[task] = n, ti.Status
			}
			begun, ended := l.count(id, task, n), l.count(id, "end-"+task, n)
			switch ti.Status {
			case types.TaskInstanceStatusSuccess:
				if begun != 1 || ended != 1 || ti.Xcom["return_value"] != fmt.Sprintf(`"done %d"`, n) {
					t.Errorf("attempt %s succeeded: it began %d times and ended %d times, XCom %v", name, begun, ended, ti.Xcom)
				}
			case types.TaskInstanceStatusFailed:
				why := aws.ToString(ti.ErrorMessage)
				switch {
				case strings.Contains(why, "The worker was lost"):
					cost.lost++
				case strings.Contains(why, "exit code -9"), strings.Contains(why, "signal: killed"):
					cost.shot++
				default:
					t.Errorf("attempt %s failed, and nobody did it harm: %q", name, why)
				}
			case types.TaskInstanceStatusUpstreamFailed:
				if begun != 0 {
					t.Errorf("attempt %s never was, and began", name)
				}
			default:
				t.Errorf("attempt %s of a run that is over is %s", name, ti.Status)
			}
		}
		if len(latest) != frailTasks {
			t.Errorf("run %s has %d tasks, want %d", id, len(latest), frailTasks)
		}
		for task, state := range latest {
			if state != types.TaskInstanceStatusSuccess {
				want = types.WorkflowRunStatusFailed
			}
			if state == types.TaskInstanceStatusFailed && number[task] != frailRetries+1 {
				t.Errorf("run %s: %s was given up after %d attempts, want %d", id, task, number[task], frailRetries+1)
			}
		}
		if want == types.WorkflowRunStatusFailed {
			cost.failed++
		}
		if d.RunState != want {
			t.Errorf("run %s ended %s, want %s: tasks %v", id, d.RunState, want, latest)
		}
	}
	// A server that is killed costs no attempt.
	if cost.lost > cost.keepers*killSlots+cost.tasks || cost.shot > cost.tasks {
		t.Errorf("%+v: more attempts than the kills explain", *cost)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for line, n := range l.lines {
		if n != 1 {
			t.Errorf("%q is in the ledger %d times", line, n)
		}
		if !expected[line] {
			t.Errorf("%q is in the ledger, and no attempt of that name is known", line)
		}
	}
}

// clean checks that nothing is left of attempts, once all runs are over.
func (v *victim) clean(l *ledger) {
	v.t.Helper()
	var left []string
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // other processes: there is nothing to wait on
		left = v.leftovers(l)
		if len(left) == 0 || time.Now().After(deadline) {
			break
		}
	}
	if len(left) > 0 {
		v.t.Errorf("left behind: %v", left)
	}
}

func (v *victim) leftovers(l *ledger) []string {
	left := leftBehind(string(v.data))
	for _, p := range l.tasks() {
		left = append(left, fmt.Sprintf("task's process %d", p.pid))
	}
	keeper, _ := v.keeper()
	for _, p := range v.forked() {
		if !p.waits(keeper) {
			left = append(left, fmt.Sprintf("process %d, forked or to be forked from", p.pid))
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, string(v.data)) {
			left = append(left, "mount "+line)
		}
	}
	entries, _ := os.ReadDir(v.data.path("attempts"))
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "~hold", name == cage.PoolDir, name == cage.JournalFile, name == cage.KeeperFile:
		case strings.HasPrefix(name, cage.SocketFile): // the keeper's, and its lock
		default:
			left = append(left, "attempts/"+name)
		}
	}
	return append(left, v.groups()...)
}

// groups are the control groups of attempts.
func (v *victim) groups() (found []string) {
	prefix := fmt.Sprintf("fairlead-%.4x-", sha256.Sum256([]byte(v.data.path("attempts"))))
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), prefix) {
			found = append(found, path)
		}
		return nil // groups of others come and go
	})
	return found
}

// TestKillEverything kills the server, the keeper of attempts, tasks'
// own processes and what those in Python are forked from at random moments. Every run that was acknowledged ends, no
// attempt begins twice, what is reported lost runs no longer, and nothing is
// left behind.
func TestKillEverything(t *testing.T) {
	t.Parallel()
	kills := newKills(t, 100, 12)
	rng := rand.New(rand.NewPCG(kills.seed, 1))
	led := newLedger(t)
	v, c := newVictim(t)
	arn := c.packaged("frail", frailDefinition(led), map[string]string{"ledger.py": ledgerModule})
	var runs, open []string
	var cost toll
	n := 0
	for kills.left(n) {
		for len(open) < 3 {
			id := c.start(arn, nil)
			runs, open = append(runs, id), append(open, id)
		}
		time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond) // the moment of the kill
		switch r := rng.IntN(11); {
		case r < 5:
			v.kill()
			c = v.begin()
			n++
		case r < 7:
			running := led.tasks()
			if !v.killKeeper(&cost) {
				break
			}
			n++
			for _, p := range running {
				if !p.goneWithin(patience) {
					t.Errorf("process %d of a task runs on after its keeper was killed", p.pid)
				}
			}
		case r == 10:
			p, ok := v.template()
			if !ok {
				break
			}
			_ = syscall.Kill(p.pid, syscall.SIGKILL) // costs no attempt
			cost.templates++
			n++
		default:
			running := led.tasks()
			if len(running) == 0 {
				break
			}
			p := running[rng.IntN(len(running))]
			if first, ok := p.first(); ok && r == 9 { // process 1 of the attempt
				p = first
			}
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
			cost.tasks++
			n++
		}
		var still []string
		for _, id := range open {
			if !over(c.run(arn, id)) {
				still = append(still, id)
			}
		}
		open = still
	}
	led.settled(t, c, arn, runs, &cost)
	v.clean(led)
	v.steady()
	t.Logf("%d kills: %+v", n, cost)
	if t.Failed() {
		t.Logf("the server's log:\n%s", v.tail())
	}
}

// TestKillPoints has the server, the keeper, a task in Python or what that is forked
// from die at each point that the code names, in a program that is built for it.
func TestKillPoints(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "fairlead")
	if out, err := exec.Command("go", "build", "-tags", "killpoints", "-o", program, ".").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: the program cannot be built here: %v\n%s", err, out)
	}
	led := newLedger(t)
	v := aVictim(t)
	v.program = program
	c := v.begin()
	c.bucket("workflows")
	arn := c.packaged("frail", frailDefinition(led), map[string]string{"ledger.py": ledgerModule})
	var runs []string
	var cost toll
	points := killPoints
	for range 4 { // the first tasks in Python are forked from nothing
		id := c.start(arn, nil)
		runs = append(runs, id)
		c.until(arn, id, over)
	}
	if _, warm := v.template(); !warm {
		t.Log("NOT TESTED: points of processes that are forked, since there are none here")
		points = slices.DeleteFunc(slices.Clone(points), func(at killPoint) bool { return at.warm })
	}
	kills := newKills(t, 40, len(points))
	plan := killPlan(points, kills.n, rand.New(rand.NewPCG(kills.seed, 2)))
	for i, at := range plan {
		if i >= len(points) && !kills.left(i) { // each point has its turn
			plan = plan[:i]
			break
		}
		again := 0
		if !v.dieAt(at, &cost, func(c *client) {
			if at.name == "resume" { // as soon as the next one comes up
				runs = append(runs, c.start(arn, nil))
				v.kill()
				return
			}
			runs = append(runs, v.surely(arn, fmt.Sprintf("run-%d-%d", i, again)))
			again++
		}) {
			t.Errorf("nobody died at %q, pass %d", at.name, at.passes)
		}
	}
	c = v.client()
	led.settled(t, c, arn, runs, &cost)
	more := v.dieWithSchedule() + v.dieInPurge(arn, runs)
	v.clean(led)
	v.steady()
	t.Logf("%d kills at points; with those that came before, %+v", len(plan)+more, cost)
	if t.Failed() {
		t.Logf("the server's log:\n%s", v.tail())
	}
}

// A killPoint is a moment that the code names.
type killPoint struct {
	name   string
	keeper bool // passed by the keeper, not by the server
	passes int
	warm   bool // passed with a task that is forked from a process that waits
	other  bool // who dies is not who passes
}

// killPoints are the points and how often a plan has them passed at most.
var killPoints = []killPoint{
	{name: "commit", passes: 40},
	{name: "committed", passes: 40},
	{name: "run inserted", passes: 2},
	{name: "perform", passes: 10},
	{name: "tell", passes: 10},
	{name: "ended unsaved", passes: 10},
	{name: "forget", passes: 10},
	{name: "resume", passes: 1},
	{name: "claim", keeper: true, passes: 10},
	{name: "claimed", keeper: true, passes: 10},
	{name: "running", keeper: true, passes: 10},
	{name: "exit unwritten", keeper: true, passes: 10},
	{name: "exit written", keeper: true, passes: 10},
	{name: "forgetting", keeper: true, passes: 10},
	{name: "ordered", keeper: true, passes: 3, warm: true},
	{name: "template asked", keeper: true, passes: 3, warm: true, other: true},
	{name: "template forked", keeper: true, passes: 3, warm: true, other: true},
	{name: "child born", keeper: true, passes: 3, warm: true, other: true},
	{name: "child ready", keeper: true, passes: 3, warm: true, other: true},
	{name: "child ordered", keeper: true, passes: 3, warm: true, other: true},
}

// killPlan has every point in turn, at the first pass and then at others.
func killPlan(points []killPoint, kills int, rng *rand.Rand) (plan []killPoint) {
	for i := range kills {
		at := points[i%len(points)]
		if i < len(points) {
			at.passes = 1
		} else {
			at.passes = 1 + rng.IntN(at.passes)
		}
		plan = append(plan, at)
	}
	return plan
}

// dieAt restarts the server such that it, or the keeper that it starts, dies
// at a passing of a point, and does something, again and again, until
// that has happened. It returns with a server that runs, and false if nobody
// died.
func (v *victim) dieAt(at killPoint, cost *toll, do func(*client)) bool {
	v.t.Helper()
	v.kill()
	if at.keeper {
		v.killKeeper(cost) // it was started without the order
		if at.other {
			cost.tasks++
		} else {
			cost.keepers++
		}
	}
	mark := filepath.Join(v.t.TempDir(), "died")
	v.env = []string{fmt.Sprintf("FAIRLEAD_KILL_AT=%s:%d:%s", at.name, at.passes, mark)}
	died := func() bool { _, err := os.Stat(mark); return err == nil }
	var latest time.Time
	for deadline := time.Now().Add(patience); !died() && time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if v.cmd == nil || v.gone() {
			if _, err := v.tryBegin(); err != nil {
				continue
			}
		}
		if time.Since(latest) > 700*time.Millisecond { // a run takes less
			latest = time.Now()
			do(v.client())
		}
	}
	v.kill()
	v.env = nil
	v.begin()
	return died()
}

// killKeeper kills the keeper of attempts, if there is one.
func (v *victim) killKeeper(cost *toll) bool {
	keeper, ok := v.keeper()
	if !ok {
		return false
	}
	cost.keepers++
	cost.groups += len(v.groups())
	_ = syscall.Kill(keeper.pid, syscall.SIGKILL)
	if !keeper.goneWithin(patience) {
		v.t.Errorf("the keeper, %d, does not die", keeper.pid)
	}
	return true
}

func (p proc) goneWithin(d time.Duration) bool {
	for deadline := time.Now().Add(d); p.alive(); time.Sleep(time.Millisecond) { // another process: there is nothing to wait on
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// surely starts a run with a token until it is acknowledged, whoever dies
// meanwhile.
func (v *victim) surely(arn, token string) string {
	v.t.Helper()
	token += "-0123456789abcdef0123456789" // as long as those of SDKs
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if v.gone() {
			if _, err := v.tryBegin(); err != nil {
				continue
			}
		}
		out, err := impatient(v.client()).api.StartWorkflowRun(v.t.Context(), &mwaaserverless.StartWorkflowRunInput{WorkflowArn: &arn, ClientToken: &token})
		if err == nil {
			return *out.RunId
		}
		time.Sleep(5 * time.Millisecond) // another process: there is nothing to wait on
	}
	v.t.Fatalf("no run is acknowledged; the server's log:\n%s", v.tail())
	return ""
}

// dieWithSchedule has the server die on both sides of a fire: the slot fires
// once.
func (v *victim) dieWithSchedule() (kills int) {
	t := v.t
	c := v.client()
	// A year has its minutes, so none comes by itself while the test runs.
	arn := c.workflow("timed", "timed:\n  schedule: \"0 0 1 1 *\"\n  tasks:\n    say: {operator: airflow.operators.empty.EmptyOperator}\n")
	id := arn[strings.LastIndexByte(arn, '/')+1:]
	want := 0
	for _, point := range []string{"fire", "fired"} {
		v.kill()
		db, err := store.Open(t.Context(), v.data.path("fairlead.db"))
		if err != nil {
			t.Fatal(err)
		}
		latest, err := db.Version(t.Context(), flow.WorkflowID(id), "")
		if err == nil {
			err = db.SetSchedule(t.Context(), latest.Workflow, latest.ID, time.Now().Add(-time.Duration(10-want)*time.Second))
		}
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
		want++
		if v.dieAt(killPoint{name: point, passes: 1}, nil, func(*client) {}) {
			kills++
		} else {
			t.Errorf("nobody died at %q", point)
		}
		c = v.client()
		var runs []types.WorkflowRunSummary
		for deadline := time.Now().Add(patience); len(runs) < want && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			out, err := c.api.ListWorkflowRuns(t.Context(), &mwaaserverless.ListWorkflowRunsInput{WorkflowArn: &arn})
			if err != nil {
				t.Fatal(err)
			}
			runs = out.WorkflowRuns
		}
		if len(runs) != want {
			t.Errorf("killed at %q: %d slots were due, %d runs are there", point, want, len(runs))
		}
		for _, r := range runs {
			c.until(arn, *r.RunId, over)
		}
	}
	return kills
}

// dieInPurge deletes the workflow with all its runs, and has the server die
// in the middle: the next one goes on, until nothing is left.
func (v *victim) dieInPurge(arn string, runs []string) (kills int) {
	t := v.t
	if v.dieAt(killPoint{name: "purge", passes: 1}, nil, func(c *client) {
		if _, err := impatient(c).api.DeleteWorkflow(t.Context(), &mwaaserverless.DeleteWorkflowInput{WorkflowArn: aws.String(arn)}); err != nil {
			t.Logf("DeleteWorkflow: %v", err) // it may have died before the answer, and is asked again
		}
	}) {
		kills++
	} else {
		t.Error("nobody died in the purge")
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		db, err := store.Open(t.Context(), v.data.path("fairlead.db"))
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, id := range runs {
			if _, err := db.RunByID(t.Context(), flow.RunID(id)); err == nil {
				left++
			}
		}
		db.Close()
		if left == 0 {
			return kills
		}
		if time.Now().After(deadline) {
			t.Errorf("%d of %d runs of a deleted workflow are left", left, len(runs))
			return kills
		}
	}
}

package main

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"fairlead/internal/flow"
	"fairlead/internal/web"
)

// A doorman lets tasks that ask by a word go on, but for those that are barred.
type doorman struct {
	port int

	mu     sync.Mutex
	barred map[string]bool
	asked  map[string]int
}

func newDoorman(t *testing.T, barred ...string) *doorman {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d := &doorman{port: l.Addr().(*net.TCPAddr).Port, barred: map[string]bool{}, asked: map[string]int{}}
	d.bar(barred...)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				word, _ := bufio.NewReader(c).ReadString('\n')
				fmt.Fprintln(c, d.answer(strings.TrimSpace(word)))
			}()
		}
	}()
	return d
}

func (d *doorman) answer(word string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked[word]++
	if d.barred[word] {
		return "no"
	}
	return "yes"
}

// bar says who is barred from now on.
func (d *doorman) bar(words ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.barred)
	for _, w := range words {
		d.barred[w] = true
	}
}

func (d *doorman) times(word string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[word]
}

// guarded are documents with a scatter, and in it a sub-workflow with a scatter
// of its own, whose tasks ask a doorman.
func guarded(d *doorman) map[string]string {
	return map[string]string{"ask.wdl": fmt.Sprintf(`version 1.1
task ask {
  input { String word  Array[File] after = [] }
  command <<<
    exec 9<>/dev/tcp/127.0.0.1/%d
    echo "~{word}" >&9; read -r answer <&9
    echo "~{word}" > said.txt
    test "$answer" = yes
  >>>
  output { File said = "said.txt" }
}`, d.port), "part.wdl": `version 1.1
import "ask.wdl" as tasks
workflow part {
  input { Int n  File after }
  scatter (k in range(n)) { call tasks.ask as leaf { input: word = "leaf ~{n} ~{k}", after = [after] } }
  output { Array[File] leaves = leaf.said }
}`, "main.wdl": `version 1.1
import "ask.wdl" as tasks
import "part.wdl" as sub
workflow main {
  call tasks.ask as first { input: word = "first" }
  scatter (i in range(3)) {
    call tasks.ask as inner { input: word = "inner ~{i}", after = [first.said] }
    call sub.part { input: n = i + 1, after = inner.said }
  }
  call tasks.ask as last { input: word = "last", after = flatten(part.leaves) }
  output { File first_said = first.said  Array[File] inner_said = inner.said  Array[Array[File]] leaves = part.leaves  File last_said = last.said }
}`}
}

const guardedCalls = 1 + 3 + 6 + 1

// attemptsOf lists the attempts of a run with a status by their names.
func (c omicsClient) attemptsOf(id, status string) []string {
	c.t.Helper()
	var names []string
	for _, item := range c.must(200, "GET", "/run/"+id+"/task?maxResults=100&status="+status, nil)["items"].([]any) {
		names = append(names, item.(object)["taskId"].(string)+" "+item.(object)["name"].(string))
	}
	return names
}

// complete checks that a run has ended well, and has done everything once.
func (c omicsClient) complete(id string, before []string) {
	c.t.Helper()
	r := c.ends(id)
	if r["status"] != "COMPLETED" || r["failureReason"] != nil || r["statusMessage"] != nil || r["stopTime"] == nil {
		c.t.Errorf("the run: %v", r)
	}
	after := c.attemptsOf(id, "COMPLETED")
	if len(after) != guardedCalls {
		c.t.Errorf("%d tasks were completed, want %d: %v", len(after), guardedCalls, after)
	}
	for _, task := range before {
		if !slices.Contains(after, task) {
			c.t.Errorf("%s had succeeded, and was done again: %v", task, after)
		}
	}
	base := "out/" + id + "/"
	for name, want := range map[string]string{
		"out/first_said": "first", "out/inner_said/2": "inner 2", "out/leaves/0/0": "leaf 1 0", "out/leaves/2/2": "leaf 3 2", "out/last_said": "last",
	} {
		if got := c.object(base + name + "/said.txt"); got != want+"\n" {
			c.t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	c.object(base + "logs/outputs.json")
	if !c.absent(base + "logs/partial_outputs.json") {
		c.t.Errorf("a run that is complete has partial_outputs.json")
	}
}

// TestOmicsRetryGoesOn goes on with a run of WDL that has failed twice, and one
// that was cancelled: what has succeeded and what has unfolded stays.
func TestOmicsRetryGoesOn(t *testing.T) {
	d := newDoorman(t, "leaf 3 1")
	l := newLab(t, nil)
	w := l.archive(guarded(d))
	id := l.begin(object{"workflowId": w})
	if r := l.ends(id); r["status"] != "FAILED" {
		t.Fatalf("run: %v", r)
	}
	if l.absent("out/" + id + "/logs/partial_outputs.json") {
		t.Errorf("a run that failed has no partial_outputs.json")
	}
	d.bar("last")
	before := l.attemptsOf(id, "COMPLETED")
	l.mustSay("is running", "retry", id)
	if r := l.ends(id); r["status"] != "FAILED" || !strings.Contains(fmt.Sprint(r["statusMessage"]), "task last") {
		t.Errorf("the run after a retry that fails elsewhere: %v", r)
	}
	if got := l.attemptsOf(id, "COMPLETED"); len(got) != guardedCalls-1 {
		t.Errorf("%d tasks were completed before the last: %v", len(got), got)
	}
	if n := d.times("first"); n != 1 {
		t.Errorf("the first task was done %d times", n)
	}
	d.bar()
	before = append(before, l.attemptsOf(id, "COMPLETED")...)
	l.mustSay("is running", "retry", id)
	l.complete(id, before)
	if n := d.times("last"); n != 2 {
		t.Errorf("the last task was done %d times, want 2", n)
	}
	if log := l.object("out/" + id + "/logs/engine.log"); strings.Count(log, "FAILED") < 2 || !strings.Contains(log, "COMPLETED") {
		t.Errorf("the log of the engine does not tell of all three ends:\n%s", log)
	} else {
		seen := map[string]bool{}
		for line := range strings.Lines(log) {
			_, said, _ := strings.Cut(line, " wdl.w:main ")
			if strings.HasPrefix(said, "task ") && (seen[said] || strings.Contains(said, "000) ")) {
				t.Errorf("the log of the engine says twice, or of what is no task: %s", said)
			}
			seen[said] = true
		}
	}

	d.bar("inner 1")
	other := l.begin(object{"workflowId": w})
	if r := l.ends(other); r["status"] != "FAILED" {
		t.Fatalf("run: %v", r)
	}
	d.bar()
	row, err := (&consoleActions{a: l.app}).Clear(t.Context(), flow.RunID(other), web.Clear{Failed: true, Downstream: true}, "somebody")
	if err != nil || row.State != flow.Running {
		t.Errorf("a retry in the console: %s, %v", row.State, err)
	}
	l.complete(other, nil)
}

// TestOmicsRetryOfTheCancelled goes on with runs that were cancelled before and
// after they began.
func TestOmicsRetryOfTheCancelled(t *testing.T) {
	d := newDoorman(t)
	l := newLab(t, nil)
	w := l.archive(guarded(d))
	group := l.must(201, "POST", "/runGroup", object{"maxRuns": 1, "requestId": "g"})["id"].(string)
	slow := l.wdl(`version 1.1
task nap { input { Int n } command <<< sleep ~{n} >>> output { Int out = n } }
workflow main { call nap { input: n = 600 } output { Int out = nap.out } }`)
	holds := l.begin(object{"workflowId": slow, "runGroupId": group})
	l.until(func() bool { return len(l.attemptsOf(holds, "RUNNING")) == 1 })
	id := l.begin(object{"workflowId": w, "runGroupId": group})
	l.must(202, "POST", "/run/"+id+"/cancel", nil)
	if r := l.ends(id); r["status"] != "CANCELLED" {
		t.Fatalf("run: %v", r)
	}
	l.mustSay("is running", "retry", id)
	l.complete(id, nil)

	l.mustSay("is running", "mark", holds, "nap", "failed") // its attempt is ended first
	if r := l.ends(holds); r["status"] != "FAILED" || !strings.Contains(fmt.Sprint(r["statusMessage"]), "marked failed by a person") {
		t.Errorf("a run of which a task was marked failed: %v", r)
	}
	l.mustSay("is running", "retry", holds)
	l.until(func() bool { return len(l.attemptsOf(holds, "RUNNING")) == 1 })
	l.must(202, "POST", "/run/"+holds+"/cancel", nil)
	l.ends(holds)
}

// TestOmicsRetryRefusals holds what is said where nothing can be done again.
func TestOmicsRetryRefusals(t *testing.T) {
	d := newDoorman(t, "last")
	l := newLab(t, nil)
	w := l.archive(guarded(d))
	id := l.begin(object{"workflowId": w})
	if r := l.ends(id); r["status"] != "FAILED" {
		t.Fatalf("run: %v", r)
	}
	for _, tt := range []struct{ want, args string }{
		{"has unfolded into 3 instances from what task \"first\" gave", "clear " + id + " first --downstream"},
		{"has unfolded into 3 instances, which stay", "clear " + id + " scatter.i.1 --downstream"},
		{"--downstream", "clear " + id + " last"},
		{"a mark gives nothing", "mark " + id + " last success"},
		{"a mark gives nothing", "mark " + id + " last skipped"},
		{"has unfolded into 3 instances from what it gave", "mark " + id + " first failed"},
	} {
		if out, err := l.say(strings.Fields(tt.args)...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("fairlead %s: %v %s; want an error with %q", tt.args, err, out, tt.want)
		}
	}
	d.bar()
	before := l.attemptsOf(id, "COMPLETED")
	l.mustSay("is running", "clear", id, "scatter.i.1/1/part/0/scatter.k.1/0/leaf", "--downstream")
	r := l.ends(id)
	if r["status"] != "COMPLETED" {
		t.Fatalf("run: %v", r)
	}
	if n := d.times("leaf 2 0"); n != 2 {
		t.Errorf("a task that was cleared was done %d times, want 2", n)
	}
	if n := len(l.attemptsOf(id, "COMPLETED")); n != len(before)+2 {
		t.Errorf("%d attempts have succeeded, want %d, one more of a leaf, and the last: %v", n, len(before)+2, l.attemptsOf(id, "COMPLETED"))
	}
	for _, args := range [][]string{{"retry", id}, {"clear", id, "last", "--downstream"}, {"mark", id, "last", "failed"}} {
		if out, err := l.say(args...); err == nil || !strings.Contains(err.Error(), "is COMPLETED, and its outputs are where") {
			t.Errorf("fairlead %s: %v %s, want to hear that it is complete", strings.Join(args, " "), err, out)
		}
	}
}

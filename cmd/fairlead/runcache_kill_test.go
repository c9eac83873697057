package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRunCacheKilled has the server die at each step by which entries come into
// a cache and outputs come from it. Whatever the step, the run ends as if
// nothing had happened, all entries that can be found are whole, and the next
// run finds all of them.
func TestRunCacheKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a program")
	}
	program := filepath.Join(t.TempDir(), "fairlead")
	if out, err := exec.Command("go", "build", "-tags", "killpoints", "-o", program, ".").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: the program cannot be built here: %v\n%s", err, out)
	}
	led := newLedger(t)
	v, plain := newVictim(t)
	v.kill()
	v.program = program
	c := omicsClient{plain}
	const (
		tasks = 1 + 4 + 1 + 1
		wants = `{"main.all":[[0,1],[10,11]],"main.maybe":[null,1]}`
	)
	for i, at := range []struct {
		name    string
		passes  int
		reading bool // outputs come from the cache
	}{
		{"cache files", 1, false},
		{"cache manifest", 2, false},
		{"cache pointer", 3, false},
		{"cache pointer", tasks - 1, false}, // the first call and one in the scatter are the same
		{"cache found", 1, true},
		{"cache found", 3, true},
		{"tell", 2, true},
		{"ended unsaved", 2, true},
		{"tell", 1, false}, // it is decided that the command runs
	} {
		c = omicsClient{v.begin()}
		c.bucket("data")
		w := c.archive(map[string]string{"main.wdl": cacheDocument(led, i)})
		cache := c.must(201, "POST", "/runCache", object{"cacheS3Location": "s3://data/cache", "cacheBehavior": "CACHE_ALWAYS", "requestId": fmt.Sprint("cache-", i)})["id"].(string)
		run := func() string { return c.begin(object{"workflowId": w, "cacheId": cache}) }
		if at.reading {
			c.ends(run())
		}
		v.kill()
		mark := filepath.Join(t.TempDir(), "died")
		v.env = []string{fmt.Sprintf("FAIRLEAD_KILL_AT=%s:%d:%s", at.name, at.passes, mark)}
		c = omicsClient{v.begin()}
		id := run()
		select {
		case <-v.ended:
		case <-time.After(30 * time.Second):
			t.Fatalf("nobody died at %q, pass %d", at.name, at.passes)
		}
		if _, err := os.Stat(mark); err != nil {
			t.Fatalf("%q: the server died of something else:\n%s", at.name, v.tail())
		}
		v.env = nil
		c = omicsClient{v.begin()}
		c.whole(at.name)
		if r := c.ends(id); r["status"] != "COMPLETED" {
			t.Errorf("%q: run %v", at.name, r)
		}
		next := run()
		if r := c.ends(next); r["status"] != "COMPLETED" {
			t.Errorf("%q: the next run: %v", at.name, r)
		}
		for _, run := range []string{id, next} {
			if got := strings.Join(strings.Fields(c.object("out/"+run+"/logs/outputs.json")), ""); got != wants {
				t.Errorf("%q: run %s: outputs %s", at.name, run, got)
			}
		}
		if got := strings.Count(c.cacheTasks(next), "COMPLETED true"); got != tasks {
			t.Errorf("%q: the next run has %d hits, want %d", at.name, got, tasks)
		}
		if got := strings.Count(c.cacheTasks(id), "COMPLETED true"); at.reading && got != tasks || !at.reading && got != 0 {
			t.Errorf("%q: the run has %d hits", at.name, got)
		}
		c.whole(at.name)
		v.kill()
		led.mu.Lock()
		for task, n := range led.lines {
			if n != 1 {
				t.Errorf("%q: task %s signed the ledger %d times", at.name, task, n)
			}
		}
		if len(led.lines) != (i+1)*tasks {
			t.Errorf("%q: %d tasks have run, want %d", at.name, len(led.lines), (i+1)*tasks)
		}
		led.mu.Unlock()
	}
	if t.Failed() {
		t.Logf("the server's log:\n%s", v.tail())
	}
}

// cacheDocument has tasks that sign the ledger when they begin, others in each
// round.
func cacheDocument(l *ledger, round int) string {
	return fmt.Sprintf(`version 1.1
task sign {
  input { Int n  Array[Int] after = []  Int round = %d }
  command <<< exec 9<>/dev/tcp/127.0.0.1/%d; echo "$AWS_WORKFLOW_TASK_ID" >&9; read -r _ <&9; echo ~{n} | tee out >>>
  output { Int out = read_int("out")  File made = "out" }
}
workflow main {
  call sign as first { input: n = 0 }
  scatter (i in range(2)) {
    scatter (j in range(2)) { call sign as inner { input: n = i * 10 + j + first.out } }
    if (i > 0) { call sign as some { input: n = i, after = inner.out } }
  }
  call sign as last { input: n = 7, after = flatten(inner.out) }
  output { Array[Array[Int]] all = inner.out  Array[Int?] maybe = some.out }
}`, round, l.port)
}

// whole checks that each key of the cache leads to all that its entry names.
func (c omicsClient) whole(what string) {
	c.t.Helper()
	have := map[string]bool{}
	for _, key := range c.keys("cache/") {
		have[key] = true
	}
	for key := range have {
		at, _, ok := strings.Cut(key, "/keys/")
		if !ok {
			continue
		}
		var p entryPoint
		var m entryText
		if err := json.Unmarshal([]byte(c.object(key)), &p); err != nil || !have[at+"/"+p.Entry+".json"] {
			c.t.Errorf("%q: %s leads to %s, which is not there: %v", what, key, p.Entry, err)
			continue
		}
		if err := json.Unmarshal([]byte(c.object(at+"/"+p.Entry+".json")), &m); err != nil {
			c.t.Errorf("%q: %s: %v", what, p.Entry, err)
		}
		for _, f := range m.Files {
			if !have[at+"/"+p.Entry+"/"+f.Name] {
				c.t.Errorf("%q: %s has no %s", what, p.Entry, f.Name)
			}
		}
	}
}

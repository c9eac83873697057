package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"
)

// define makes a workflow of a document as clients do, and returns its id.
func (c omicsClient) define(text string) string {
	c.t.Helper()
	return c.archive(map[string]string{"main.wdl": text})
}

// killDocument has a scatter in a scatter, one of a sub-workflow's, and a task
// that needs all; each attempt signs the ledger before it does anything.
func killDocument(l *ledger) string {
	return fmt.Sprintf(`version 1.1
task sign {
  input { Int n  Array[Int] after = [] }
  command <<< exec 9<>/dev/tcp/127.0.0.1/%d; echo "$AWS_WORKFLOW_TASK_ID" >&9; read -r _ <&9; sleep 0.1; echo ~{n} >>>
  output { Int out = read_int(stdout()) }
}
workflow main {
  call sign as first { input: n = 0 }
  scatter (i in range(3)) {
    scatter (j in range(3)) { call sign as inner { input: n = i * 10 + j + first.out } }
    if (i > 0) { call sign as some { input: n = i, after = inner.out } }
  }
  call sign as last { input: n = 7, after = flatten(inner.out) }
  output { Array[Array[Int]] all = inner.out  Array[Int?] maybe = some.out }
}`, l.port)
}

// TestOmicsKillAnywhere kills the server again and again while runs with nested
// scatters are under way. Every run must end as if nothing had happened, and no
// task may begin twice.
func TestOmicsKillAnywhere(t *testing.T) {
	t.Parallel()
	kills := killCount(30, 6)
	seed := killSeed()
	t.Logf("%d kills with FAIRLEAD_SEED=%d", kills, seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	led := newLedger(t)
	v, plain := newVictim(t)
	c := omicsClient{plain}
	c.bucket("data")
	w := c.define(killDocument(led))
	ended := func(id string) bool {
		switch c.must(200, "GET", "/run/"+id, nil)["status"] {
		case "COMPLETED", "FAILED", "CANCELLED":
			return true
		}
		return false
	}
	var runs, open []string
	for range kills {
		for len(open) < 2 {
			id := c.begin(object{"workflowId": w})
			runs, open = append(runs, id), append(open, id)
		}
		time.Sleep(time.Duration(rng.IntN(900)) * time.Millisecond) // the moment of the kill
		if rng.IntN(3) == 0 {                                       // a server that is asked to end must not fail a run, either
			_ = v.cmd.Process.Signal(syscall.SIGTERM)
			<-v.ended
		} else {
			v.kill()
		}
		c = omicsClient{v.begin()}
		var still []string
		for _, id := range open {
			if !ended(id) {
				still = append(still, id)
			}
		}
		open = still
	}
	const tasks = 1 + 9 + 2 + 1
	for _, id := range runs {
		if r := c.ends(id); r["status"] != "COMPLETED" {
			t.Errorf("run %s: %v", id, r)
		}
		if got := strings.Join(strings.Fields(c.object("out/"+id+"/logs/outputs.json")), ""); got != `{"main.all":[[0,1,2],[10,11,12],[20,21,22]],"main.maybe":[null,1,2]}` {
			t.Errorf("run %s: outputs %s", id, got)
		}
		items := c.must(200, "GET", "/run/"+id+"/task", nil)["items"].([]any)
		if len(items) != tasks {
			t.Errorf("run %s has %d attempts, want %d: a kill cost one", id, len(items), tasks)
		}
		led.mu.Lock()
		for _, item := range items {
			if n := led.lines[item.(object)["taskId"].(string)]; n != 1 {
				t.Errorf("run %s: task %v signed the ledger %d times", id, item, n)
			}
		}
		led.mu.Unlock()
	}
	if want := len(runs) * tasks; len(led.lines) != want {
		t.Errorf("the ledger has %d attempts, want %d", len(led.lines), want)
	}
	t.Logf("%d runs", len(runs))
	if t.Failed() {
		t.Logf("the server's log:\n%s", v.tail())
	}
}

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killTasks is how many tasks a run of killDocuments has, killOutputs what comes of it.
const (
	killTasks   = 1 + 4 + 4 + 1 + 1 + 1
	killOutputs = `{"main.all":[[0,1],[10,11]],"main.leaves":[[[],[100]],[[100],[200,201]]],"main.more":[[null,null],[null,2]],"main.maybe":[null,1]}`
)

// killDocuments have a scatter in a scatter, and in that a sub-workflow with a
// scatter and a conditional of its own, and a task that needs all. Each attempt
// signs the ledger when it begins and when it ends.
func killDocuments(l *ledger) map[string]string {
	return map[string]string{"sign.wdl": fmt.Sprintf(`version 1.1
task sign {
  input { Int n  Array[Int] after = [] }
  command <<<
    exec 9<>/dev/tcp/127.0.0.1/%d
    echo "$AWS_WORKFLOW_TASK_ID" >&9; read -r _ <&9
    sleep 0.1
    echo "end-$AWS_WORKFLOW_TASK_ID" >&9; read -r _ <&9
    echo ~{n}
  >>>
  output { Int out = read_int(stdout()) }
  runtime { preemptible: 50 }
}`, l.port), "part.wdl": `version 1.1
import "sign.wdl" as tasks
workflow part {
  input { Int n }
  scatter (k in range(n)) { call tasks.sign as leaf { input: n = n * 100 + k } }
  if (n > 1) { call tasks.sign as extra { input: n = n, after = leaf.out } }
  output { Array[Int] leaves = leaf.out  Int? more = extra.out }
}`, "main.wdl": `version 1.1
import "sign.wdl" as tasks
import "part.wdl" as sub
workflow main {
  call tasks.sign as first { input: n = 0 }
  scatter (i in range(2)) {
    scatter (j in range(2)) {
      call tasks.sign as inner { input: n = i * 10 + j + first.out }
      call sub.part { input: n = i + j + first.out }
    }
    if (i > 0) { call tasks.sign as some { input: n = i, after = inner.out } }
  }
  call tasks.sign as last { input: n = 7, after = flatten(flatten(part.leaves)) }
  output {
    Array[Array[Int]] all = inner.out
    Array[Array[Array[Int]]] leaves = part.leaves
    Array[Array[Int?]] more = part.more
    Array[Int?] maybe = some.out
  }
}`}
}

// An omicsSiege is runs of killDocuments on a server that is killed.
type omicsSiege struct {
	omicsClient
	v          *victim
	led        *ledger
	kills      *kills
	rng        *rand.Rand
	workflow   string
	runs, open []string
	cost       toll
}

func newOmicsSiege(t *testing.T, kills *kills) *omicsSiege {
	s := &omicsSiege{led: newLedger(t), kills: kills, rng: rand.New(rand.NewPCG(kills.seed, 1))}
	var plain *client
	s.v, plain = newVictim(t)
	s.omicsClient = omicsClient{plain}
	s.bucket("data")
	s.workflow = s.archive(killDocuments(s.led))
	return s
}

// moment has two runs under way, and returns at some moment of theirs.
func (s *omicsSiege) moment() {
	s.open = slices.DeleteFunc(s.open, func(id string) bool {
		switch s.must(200, "GET", "/run/"+id, nil)["status"] {
		case "COMPLETED", "FAILED", "CANCELLED":
			return true
		}
		return false
	})
	for len(s.open) < 2 {
		id := s.begin(object{"workflowId": s.workflow})
		s.runs, s.open = append(s.runs, id), append(s.open, id)
	}
	time.Sleep(time.Duration(s.rng.IntN(900)) * time.Millisecond) // the moment of the kill
}

// killServer kills the server, or asks it to end, which must not fail a run
// either, and begins the next one.
func (s *omicsSiege) killServer() {
	if s.rng.IntN(3) == 0 {
		_ = s.v.cmd.Process.Signal(syscall.SIGTERM)
		<-s.v.ended
	} else {
		s.v.kill()
	}
	s.omicsClient = omicsClient{s.v.begin()}
}

// commands are the processes of tasks.
func (s *omicsSiege) commands() []proc { return processes(s.v.data.path("runs") + "/") }

// settled checks that all runs end as if nothing had happened: each attempt has
// begun once and ended once, except for those that are reported as lost, which
// have begun at most once.
func (s *omicsSiege) settled() {
	t := s.t
	t.Helper()
	expected := map[string]bool{}
	for _, id := range s.runs {
		s.cost.runs++
		if r := s.ends(id); r["status"] != "COMPLETED" {
			t.Errorf("run %s: %v", id, r)
			continue
		}
		if got := strings.Join(strings.Fields(s.object("out/"+id+"/logs/outputs.json")), ""); got != killOutputs {
			t.Errorf("run %s: outputs %s, want %s", id, got, killOutputs)
		}
		done := 0
		for _, item := range s.attempts(id) {
			task := item["taskId"].(string)
			s.cost.attempts++
			s.led.mu.Lock()
			begun, ended := s.led.lines[task], s.led.lines["end-"+task]
			s.led.mu.Unlock()
			expected[task], expected["end-"+task] = true, true
			switch item["status"] {
			case "COMPLETED":
				done++
				if begun != 1 || ended != 1 {
					t.Errorf("run %s: task %s, %v, has begun %d times and ended %d times", id, task, item["name"], begun, ended)
				}
			case "CANCELLED": // with its run, which was retried
				if begun > 1 || ended > 1 {
					t.Errorf("run %s: a task that was cancelled has begun %d times and ended %d times: %v", id, begun, ended, item)
				}
				// It may not have come so far.
				if begun == 0 {
					delete(expected, task)
				}
				if ended == 0 {
					delete(expected, "end-"+task)
				}
			default:
				why := s.must(200, "GET", "/run/"+id+"/task/"+task, nil)
				if begun > 1 || ended > 1 || !strings.Contains(fmt.Sprint(why["statusMessage"]), "the worker was lost") {
					t.Errorf("run %s: an attempt that has begun %d times and ended %d times: %v", id, begun, ended, why)
				}
				s.cost.lost++
			}
		}
		if done != killTasks {
			t.Errorf("run %s: %d tasks were completed, want %d", id, done, killTasks)
		}
	}
	// A server that is killed costs no attempt.
	if s.cost.lost > s.cost.keepers*killSlots+s.cost.tasks {
		t.Errorf("%+v: more attempts were lost than the kills explain", s.cost)
	}
	s.led.mu.Lock()
	defer s.led.mu.Unlock()
	for line, n := range s.led.lines {
		if n != 1 || !expected[line] {
			t.Errorf("%q is in the ledger %d times, and its attempt is known: %t", line, n, expected[line])
		}
	}
}

// attempts are those of a run's tasks.
func (s *omicsSiege) attempts(id string) (list []object) {
	for query := "?maxResults=100"; query != ""; {
		page := s.must(200, "GET", "/run/"+id+"/task"+query, nil)
		for _, item := range page["items"].([]any) {
			list = append(list, item.(object))
		}
		query = ""
		if next, ok := page["nextToken"].(string); ok && next != "" {
			query = "?maxResults=100&startingToken=" + next
		}
	}
	return list
}

// clean checks that nothing is left of attempts but the directories of their
// runs, and nothing of those when the runs are deleted, though the server is killed meanwhile.
func (s *omicsSiege) clean() {
	t := s.t
	t.Helper()
	s.v.clean(s.led)
	if left := s.commands(); len(left) > 0 {
		t.Errorf("tasks' processes are left: %v", left)
	}
	for i, id := range s.runs {
		s.must(202, "DELETE", "/run/"+id, nil)
		if i == len(s.runs)/2 {
			s.v.kill()
			s.omicsClient = omicsClient{s.v.begin()}
		}
	}
	left, err := os.ReadDir(s.v.data.path("runs"))
	for deadline := time.Now().Add(patience); err == nil && len(left) > 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) { // another process's work
		left, err = os.ReadDir(s.v.data.path("runs"))
	}
	if err != nil || len(left) > 0 {
		t.Errorf("directories of deleted runs are left: %v, %v", left, err)
	}
	s.v.steady()
	t.Logf("%+v", s.cost)
	if t.Failed() {
		t.Logf("the server's log:\n%s", s.v.tail())
	}
}

// TestOmicsKillAnywhere kills the server again and again while runs of WDL are
// under way. Every run must end as if nothing had happened: no kill costs an
// attempt.
func TestOmicsKillAnywhere(t *testing.T) {
	t.Parallel()
	s := newOmicsSiege(t, newKills(t, 40, 6))
	for n := 0; s.kills.left(n); n++ {
		s.moment()
		s.killServer()
	}
	s.settled()
	if s.cost.lost > 0 {
		t.Errorf("%d attempts were lost to the death of a server", s.cost.lost)
	}
	s.clean()
}

// TestOmicsKillEverything kills the server, the keeper of attempts and process
// 1 of attempts while runs of WDL are under way. No attempt begins twice, and
// what a kill has cost is reported as lost and tried again.
func TestOmicsKillEverything(t *testing.T) {
	t.Parallel()
	s := newOmicsSiege(t, newKills(t, 20, 4))
	for n := 0; s.kills.left(n); {
		s.moment()
		running := s.commands()
		switch s.rng.IntN(5) {
		case 0, 1:
			s.killServer()
		case 2, 3:
			if !s.v.killKeeper(&s.cost) {
				continue
			}
			for _, p := range running {
				if !p.goneWithin(patience) {
					t.Errorf("process %d of a task runs on after its keeper was killed", p.pid)
				}
			}
		default:
			for range 200 { // a task is to be met while it runs
				if running = s.commands(); len(running) > 0 {
					break
				}
				time.Sleep(5 * time.Millisecond) // another process's work
			}
			if len(running) == 0 {
				continue
			}
			first, ok := running[s.rng.IntN(len(running))].first()
			if !ok {
				continue
			}
			_ = syscall.Kill(first.pid, syscall.SIGKILL)
			s.cost.tasks++
		}
		n++
	}
	s.settled()
	s.clean()
}

// TestOmicsRetryAcrossKills cancels runs of WDL, retries them, and kills the
// server about when it is asked to and while they go on. Each must end with all
// of its outputs; nothing that had succeeded is done again, and no attempt begins
// twice.
func TestOmicsRetryAcrossKills(t *testing.T) {
	t.Parallel()
	s := newOmicsSiege(t, newKills(t, 24, 4))
	retried := 0
	s.data = string(s.v.data)
	nap := func(most int) { time.Sleep(time.Duration(s.rng.IntN(most)) * time.Millisecond) } // the moment of what comes next
	for n := 0; s.kills.left(n); n += 2 {
		id := s.begin(object{"workflowId": s.workflow})
		s.runs = append(s.runs, id)
		nap(700)
		s.ask("POST", "/run/"+id+"/cancel", object{}) // unless it has ended
		if s.ends(id)["status"] == "CANCELLED" {
			retried++
			before := s.attemptsOf(id, "COMPLETED")
			c, done := s.omicsClient, make(chan struct{})
			go func() {
				defer close(done)
				_, _ = c.say("retry", id) // whatever comes of it
			}()
			nap(30)
			s.v.kill()
			<-done
			s.omicsClient = omicsClient{s.v.begin()}
			s.data = string(s.v.data)
			s.until(func() bool {
				if s.must(200, "GET", "/run/"+id, nil)["status"] != "CANCELLED" {
					return true
				}
				_, err := s.say("retry", id)
				if err != nil && strings.Contains(err.Error(), "no task that failed") {
					t.Errorf("run %s was cancelled, and all of its tasks have succeeded", id)
				}
				return err == nil
			})
			nap(500)
			s.killServer()
			s.data = string(s.v.data)
			s.ends(id)
			after := s.attemptsOf(id, "COMPLETED")
			for _, task := range before {
				if !slices.Contains(after, task) {
					t.Errorf("run %s: %s had succeeded, and is not completed any more: %v", id, task, after)
				}
			}
			if !s.absent("out/" + id + "/logs/partial_outputs.json") {
				t.Errorf("run %s has partial outputs at its end", id)
			}
		}
	}
	t.Logf("%d of %d runs were cancelled and retried", retried, len(s.runs))
	s.settled()
	s.clean()
}

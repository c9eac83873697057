package main

import (
	"strings"
	"testing"

	"fairlead/internal/flow"
)

// becomes waits until a run has a status.
func (c omicsClient) becomes(id, want string) {
	c.t.Helper()
	c.until(func() bool { return c.must(200, "GET", "/run/"+id, nil)["status"] == want })
}

// tasks returns the statuses of a run's tasks, in their order.
func (c omicsClient) tasks(id string) string {
	c.t.Helper()
	var out []string
	for _, item := range c.must(200, "GET", "/run/"+id+"/task", nil)["items"].([]any) {
		out = append(out, item.(object)["status"].(string))
	}
	return strings.Join(out, " ")
}

// TestOmicsWaitingTasks holds that a task for which there is no room is PENDING
// and says what it waits for, and that new limits of its group let it go on.
func TestOmicsWaitingTasks(t *testing.T) {
	l := newLab(t, nil)
	w := l.wdl(`version 1.0
task wait { command { sleep 60 } }
workflow main { scatter (i in [0, 1, 2]) { call wait } }`)
	group := l.must(201, "POST", "/runGroup", object{"maxCpus": 1, "requestId": "g"})["id"].(string)
	id := l.begin(object{"workflowId": w, "runGroupId": group})
	l.until(func() bool {
		got := l.tasks(id)
		return strings.Count(got, "PENDING") == 2 && strings.Count(got, "RUNNING") == 1
	})
	const room = "waits for 1 processor and 1 GiB of memory in its run group, with 0 of 1 processors free"
	waiting := l.must(200, "GET", "/run/"+id+"/task?status=PENDING", nil)["items"].([]any)
	if len(waiting) != 2 {
		t.Fatalf("tasks that are PENDING: %v, want 2", waiting)
	}
	task := l.must(200, "GET", "/run/"+id+"/task/"+waiting[0].(object)["taskId"].(string), nil)
	if task["status"] != "PENDING" || !strings.HasPrefix(task["statusMessage"].(string), room) || task["cpus"] != 1.0 {
		t.Errorf("the task that waits: %v", task)
	}
	_, waits, _, err := opsConductor{l.app}.Waits(t.Context(), flow.RunID(id), 10)
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, w := range waits {
		if w.Wait.Gate != flow.GateDriver {
			continue
		}
		held++
		one, ok, err := opsConductor{l.app}.Why(t.Context(), flow.RunID(id), w.Task)
		if !strings.HasPrefix(w.Wait.Text, room) || one.Text != w.Wait.Text || !ok || err != nil {
			t.Errorf("task %s says that it %q and %q, %v, %v; want %q", w.Task, w.Wait.Text, one.Text, ok, err, room)
		}
	}
	if held != 2 {
		t.Errorf("%d tasks say that they wait for room, want 2: %+v", held, waits)
	}
	l.must(202, "POST", "/runGroup/"+group, object{"maxCpus": 2})
	l.until(func() bool { return strings.Count(l.tasks(id), "RUNNING") == 2 })
	if got := strings.Count(l.tasks(id), "PENDING"); got != 1 {
		t.Errorf("with two processors %d tasks wait, want 1: %s", got, l.tasks(id))
	}
	l.must(202, "POST", "/run/"+id+"/cancel", nil)
	l.becomes(id, "CANCELLED")
	if got := l.tasks(id); got != "CANCELLED CANCELLED CANCELLED" {
		t.Errorf("tasks of the cancelled run: %s", got)
	}
}

// TestOmicsWaitingRuns holds that a run which is not let in is PENDING, by its
// group and by the server, and that a new limit of the group lets it in.
func TestOmicsWaitingRuns(t *testing.T) {
	l := newLab(t, func(o *options) { o.running = 2 })
	w := l.wdl(sleeper)
	group := l.must(201, "POST", "/runGroup", object{"maxRuns": 1, "requestId": "g"})["id"].(string)
	var ids []string
	for range 3 {
		ids = append(ids, l.begin(object{"workflowId": w, "runGroupId": group}))
	}
	l.becomes(ids[0], "RUNNING")
	status := func(id string) any { return l.must(200, "GET", "/run/"+id, nil)["status"] }
	if a, b := status(ids[1]), status(ids[2]); a != "PENDING" || b != "PENDING" {
		t.Errorf("runs that their group holds are %v and %v, want PENDING", a, b)
	}
	if got, want := l.must(200, "GET", "/run/"+ids[1], nil)["statusMessage"], "1 run of run group "+group+" is under way ("+ids[0]+"), as many as may be (maxRuns)"; got != want {
		t.Errorf("the run that its group holds says %q, want %q", got, want)
	}
	l.must(202, "POST", "/runGroup/"+group, object{"maxRuns": 5})
	l.becomes(ids[1], "RUNNING")
	if got := status(ids[2]); got != "PENDING" {
		t.Errorf("the run that the server holds is %v, want PENDING", got)
	}
	for _, id := range ids {
		l.must(202, "POST", "/run/"+id+"/cancel", nil)
	}
	for _, id := range ids {
		l.becomes(id, "CANCELLED")
	}
}

// TestOmicsTimeOut holds that a run which takes too long fails with the code for
// that, and its tasks are ended.
func TestOmicsTimeOut(t *testing.T) {
	l := newLab(t, func(o *options) { o.limits["run-seconds"] = 1 })
	id := l.begin(object{"workflowId": l.wdl(sleeper)})
	r := l.ends(id)
	if r["status"] != "FAILED" || r["failureReason"] != "RUN_TIMED_OUT" || !strings.Contains(r["statusMessage"].(string), "longer than 1s") {
		t.Errorf("run: %v", r)
	}
	if got := l.tasks(id); got != "CANCELLED" {
		t.Errorf("its task is %s, want CANCELLED", got)
	}
	if got := l.must(200, "GET", "/run?status=FAILED", nil)["items"].([]any); len(got) != 1 {
		t.Errorf("runs that are FAILED: %v, want this one", got)
	}
}

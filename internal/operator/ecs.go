package operator

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ecsCode returns the code of the ECS operators' steps.
func ecsCode(name string) code {
	switch name {
	case "ecs.verify":
		return ecsVerify
	case "ecs.retry":
		return ecsRetry
	}
	return nil
}

// ecsRetry runs the task of the call before again while there is no room for
// it, as quota_retry says, and returns the last reply.
func ecsRetry(ctx context.Context, j *job) (any, error) {
	reply, _ := j.mem.Vars["RunTask"].(map[string]any)
	call := &j.spec.Do[j.mem.At-1]
	in, err := j.input(call.Input, call.Spread)
	if err != nil {
		return nil, err
	}
	given, _ := j.json("quota_retry").(map[string]any)
	limits := map[string]float64{"multiplier": 1, "min": 1, "max": 1, "stop_after_delay": 10}
	for name, v := range given {
		if _, ok := limits[name]; !ok {
			continue // as the provider does
		}
		n, err := strconv.ParseFloat(pythonText(v), 64)
		if err != nil || !(n >= 0 && n < 1e9) {
			return nil, Errorf("EcsRunTaskOperator: quota_retry: %s must be a number of seconds, not %s", name, clip(pythonRepr(v), 80))
		}
		limits[name] = n
	}
	waited := 0.0
	for try := 1; lacksRoom(reply) && waited < limits["stop_after_delay"]; try++ {
		pause := max(limits["min"], min(limits["multiplier"]*math.Pow(2, float64(try-1)), limits["max"]), 0.1)
		j.say("warning", "there is no room for the task (%s): trying again in %g s", clip(pythonText(reply["failures"]), 500), pause)
		if err := j.sleep(ctx, time.Duration(pause*float64(time.Second))); err != nil {
			return nil, err
		}
		waited += pause
		// With the token of the call before, the service might answer the same.
		in["clientToken"] = token(j.task.RunID, j.task.TaskID, fmt.Sprint(j.task.Try), "again", fmt.Sprint(try))
		if reply, err = j.call(ctx, "ecs:RunTask", in); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

// lacksRoom reports whether a task was not run for want of memory or
// processors.
func lacksRoom(reply map[string]any) bool {
	failures, _ := reply["failures"].([]any)
	return slices.ContainsFunc(failures, func(f any) bool {
		m, _ := f.(map[string]any)
		reason := pythonText(m["reason"])
		return strings.Contains(reason, "RESOURCE:MEMORY") || strings.Contains(reason, "RESOURCE:CPU")
	})
}

// ecsVerify looks how the containers of the task ended.
func ecsVerify(ctx context.Context, j *job) (any, error) {
	arn, _ := j.lookup("arn")
	cluster, _ := j.lookup("cluster")
	reply, err := j.call(ctx, "ecs:DescribeTasks", map[string]any{"cluster": cluster, "tasks": []any{arn}})
	if err != nil {
		return nil, err
	}
	if truthy(reply["failures"]) {
		return nil, Errorf("%s", pythonText(reply["failures"]))
	}
	tasks, _ := reply["tasks"].([]any)
	for _, t := range tasks {
		if err := ecsTaskEnd(t, j.json("skip_on_exit_code")); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// ecsTaskEnd is the error that a stopped task stands for; skip is the exit code
// that is no failure, or a list of such.
func ecsTaskEnd(t, skip any) error {
	task, _ := t.(map[string]any)
	reason := pythonText(task["stoppedReason"])
	if task["stopCode"] == "TaskFailedToStart" {
		return Errorf("The task failed to start due to: %s", reason)
	}
	if regexp.MustCompile(`^Host EC2 \(instance .+?\) (stopped|terminated)\.`).MatchString(reason) {
		return Errorf("The task was stopped because the host instance terminated: %s", reason)
	}
	containers, _ := task["containers"].([]any)
	for _, c := range containers {
		container, _ := c.(map[string]any)
		code, known := container["exitCode"]
		if !known {
			code = int64(1)
		}
		switch status := container["lastStatus"]; {
		case status == "STOPPED" && truthy(code):
			e := Errorf("This task is not in success state - container %s ended with exit code %s: %s",
				pythonText(container["name"]), pythonText(code), clip(pythonRepr(task), 2000))
			codes, ok := skip.([]any)
			if !ok {
				codes = []any{skip}
			}
			e.Skip = slices.ContainsFunc(codes, func(c any) bool { return c != nil && equal(c, code) })
			return e
		case status == "PENDING":
			return Errorf("This task is still pending %s", clip(pythonRepr(task), 2000))
		case strings.Contains(strings.ToLower(pythonText(container["reason"])), "error"):
			return Errorf("This containers encounter an error during launching: %s", pythonText(container["reason"]))
		}
	}
	return nil
}

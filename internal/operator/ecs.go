package operator

import (
	"context"
	"regexp"
	"strings"
)

// ecsCode returns the code of the ECS operators' steps.
func ecsCode(name string) code {
	if name == "ecs.verify" {
		return ecsVerify
	}
	return nil
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
		if err := ecsTaskEnd(t); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// ecsTaskEnd is the error that a stopped task stands for.
func ecsTaskEnd(t any) error {
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
			return Errorf("This task is not in success state - container %s ended with exit code %s: %s",
				pythonText(container["name"]), pythonText(code), clip(pythonRepr(task), 2000))
		case status == "PENDING":
			return Errorf("This task is still pending %s", clip(pythonRepr(task), 2000))
		case strings.Contains(strings.ToLower(pythonText(container["reason"])), "error"):
			return Errorf("This containers encounter an error during launching: %s", pythonText(container["reason"]))
		}
	}
	return nil
}

package operator

import (
	"context"
	"fmt"
	"slices"
)

// ec2Code returns the code of the EC2 operators' steps.
func ec2Code(name string) code {
	if name == "ec2.running" {
		return ec2Running
	}
	return nil
}

// ec2Running looks whether the instance $id runs, and keeps as $unready what
// stands against it, so that the instances can be terminated in the end. Once
// one of them has not come up the others are not looked at.
func ec2Running(ctx context.Context, j *job) (any, error) {
	over := map[string]any{"over": true}
	id, _ := j.lookup("id")
	unready, _ := j.lookup("unready")
	if of, _ := j.lookup("unready_id"); truthy(unready) && of != id {
		return over, nil
	}
	reply, err := j.callNow(ctx, "ec2:DescribeInstances", map[string]any{"InstanceIds": []any{id}})
	if err != nil && !matches([]Fault{{Code: "InvalidInstanceID.NotFound"}}, err) {
		return nil, err
	}
	found, err := dig(reply, ".Reservations[].Instances[].State.Name")
	if err != nil {
		return nil, err
	}
	states, _ := found.([]any)
	if len(states) > 0 && !slices.ContainsFunc(states, func(s any) bool { return s != "running" }) {
		j.keep("unready", nil)
		return over, nil
	}
	j.keep("unready", fmt.Sprintf("the instance %s is %s", pythonText(id), pythonText(found)))
	j.keep("unready_id", id)
	final := slices.ContainsFunc(states, func(s any) bool { return s == "shutting-down" || s == "terminated" || s == "stopping" })
	return map[string]any{"over": final}, nil
}

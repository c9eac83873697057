package operator

import (
	"context"
	"errors"
	"maps"

	"github.com/aws/smithy-go"
)

// eksCode returns the code of the EKS operators' steps.
func eksCode(name string) code {
	switch name {
	case "eks.tags":
		return eksTags
	case "eks.cluster":
		return eksState("eks:DescribeCluster", "cluster", map[string]string{"name": "cluster_name"})
	case "eks.nodegroup":
		return eksState("eks:DescribeNodegroup", "nodegroup", map[string]string{"clusterName": "cluster_name", "nodegroupName": "nodegroup_name"})
	case "eks.profile":
		return eksState("eks:DescribeFargateProfile", "fargateProfile", map[string]string{"clusterName": "cluster_name", "fargateProfileName": "fargate_profile_name"})
	case "eks.unprofile":
		return eksUnprofile
	case "eks.pod":
		return eksPod
	case "eks.podLook":
		return eksPodLook
	case "eks.podEnd":
		return eksPodEnd
	case "eks.podDelete":
		return eksPodDelete
	}
	return nil
}

// eksTags returns the tags of a node group, which say whose it is.
func eksTags(_ context.Context, j *job) (any, error) {
	kwargs, _ := j.json("create_nodegroup_kwargs").(map[string]any)
	given, _ := kwargs["tags"].(map[string]any)
	tags := map[string]any{"kubernetes.io/cluster/" + j.text("cluster_name"): "owned"}
	maps.Copy(tags, given)
	return tags, j.err
}

// eksState returns code that asks for the status of a thing. One that is not
// there is NONEXISTENT.
func eksState(call, thing string, input map[string]string) code {
	return func(ctx context.Context, j *job) (any, error) {
		in := map[string]any{}
		for member, arg := range input {
			in[member] = j.needed(arg)
		}
		if j.err != nil {
			return nil, j.err
		}
		reply, err := j.callNow(ctx, call, in)
		if ae, ok := errors.AsType[smithy.APIError](err); ok && ae.ErrorCode() == "ResourceNotFoundException" {
			return map[string]any{"state": "NONEXISTENT"}, nil
		}
		found, _ := reply[thing].(map[string]any)
		return map[string]any{"state": found["status"]}, err
	}
}

// eksUnprofile looks at a Fargate profile, and deletes it unless that is under
// way. EKS deletes one profile of a cluster at a time, so that the next has to
// wait. It looks first, so that a server that takes over deletes nothing twice.
func eksUnprofile(ctx context.Context, j *job) (any, error) {
	profile, _ := j.lookup("profile")
	in := map[string]any{"clusterName": j.text("cluster_name"), "fargateProfileName": profile}
	reply, err := j.callNow(ctx, "eks:DescribeFargateProfile", in)
	if ae, ok := errors.AsType[smithy.APIError](err); ok && ae.ErrorCode() == "ResourceNotFoundException" {
		return map[string]any{"state": "NONEXISTENT"}, nil
	}
	if err != nil {
		return nil, err
	}
	found, _ := reply["fargateProfile"].(map[string]any)
	state := found["status"]
	if state != "DELETING" && state != "DELETE_FAILED" {
		if _, err := j.call(ctx, "eks:DeleteFargateProfile", in); err != nil {
			return nil, err
		}
		state = "DELETING"
	}
	return map[string]any{"state": state}, nil
}

package operator

import (
	"context"
	"math"
	"strings"
)

// notebookPolls returns how many looks fit into the time that a notebook may
// run, 12 hours unless timeout_configuration says otherwise.
func notebookPolls(_ context.Context, j *job) (any, error) {
	every, minutes := j.number("waiter_delay"), 720.0
	if v, _ := dig(j.json("timeout_configuration"), ".runTimeoutInMinutes"); v != nil {
		n, err := apply1("$int", v)
		if err != nil {
			return nil, err
		}
		minutes = float64(n.(int64))
	}
	switch {
	case j.err != nil:
		return nil, j.err
	case every <= 0:
		return nil, Errorf("waiter_delay must be a positive integer")
	}
	return int64(max(1, math.Ceil(minutes*60/every))), nil
}

// notebookOutputs reads what the notebook run $id has left for later tasks,
// and publishes it. That it cannot be read is no failure.
func notebookOutputs(ctx context.Context, j *job) (any, error) {
	outputs, err := j.notebookOutputs(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		j.say("warning", "the outputs of the notebook are not read: %v", callError(err))
	}
	named := map[string]any{}
	for k, v := range outputs {
		named["NOTEBOOK_OUTPUT."+k] = v
		j.outputs["NOTEBOOK_OUTPUT."+k] = encode(v)
	}
	return named, nil
}

func (j *job) notebookOutputs(ctx context.Context) (map[string]any, error) {
	bucket, prefix, err := j.projectPath(ctx)
	if err != nil {
		return nil, err
	}
	id, _ := j.lookup("id")
	key := strings.TrimPrefix(prefix+"/.sys/notebooks/"+j.text("notebook_identifier")+"/runs/"+pythonText(id)+"/notebook_outputs.json", "/")
	reply, err := j.callNow(ctx, "s3:GetObject", map[string]any{"Bucket": bucket, "Key": key})
	if err != nil {
		if matches([]Fault{{Code: "NoSuchKey"}}, err) || statusOf(err) == 404 {
			return nil, nil // it has left nothing
		}
		return nil, err
	}
	v, err := parseJSON(pythonText(reply["Body"]))
	if err != nil {
		return nil, err
	}
	outputs, ok := v.(map[string]any)
	if !ok {
		return nil, Errorf("s3://%s/%s is no JSON object", bucket, key)
	}
	return outputs, nil
}

// projectPath returns where the project keeps its files: a resource of the
// environment with its tools.
func (j *job) projectPath(ctx context.Context) (bucket, prefix string, err error) {
	domain, project := j.text("domain_identifier"), j.text("owning_project_identifier")
	for _, blueprint := range []string{"Tooling", "ToolingLite"} {
		reply, err := j.callNow(ctx, "datazone:ListEnvironmentBlueprints", map[string]any{"domainIdentifier": domain, "managed": true, "name": blueprint})
		if err != nil {
			return "", "", err
		}
		kind, _ := dig(reply, ".items[0].id")
		if kind == nil {
			return "", "", Errorf("the domain %s has no environment blueprint %s", domain, blueprint)
		}
		reply, err = j.callNow(ctx, "datazone:ListEnvironments", map[string]any{
			"domainIdentifier": domain, "projectIdentifier": project, "environmentBlueprintIdentifier": kind,
		})
		if err != nil {
			return "", "", err
		}
		id, _ := dig(reply, ".items[0].id")
		if id == nil {
			continue
		}
		reply, err = j.callNow(ctx, "datazone:GetEnvironment", map[string]any{"domainIdentifier": domain, "identifier": id})
		if err != nil {
			return "", "", err
		}
		for _, r := range listOf(reply["provisionedResources"]) {
			resource, _ := r.(map[string]any)
			if resource["name"] != "s3BucketPath" {
				continue
			}
			bucket, prefix, ok := parseS3URL(pythonText(resource["value"]))
			if !ok || bucket == "" {
				break
			}
			return bucket, strings.Trim(prefix, "/"), nil
		}
		return "", "", Errorf("the environment %s has no resource s3BucketPath that names a bucket", pythonText(id))
	}
	return "", "", Errorf("the project %s has no environment with tools", project)
}

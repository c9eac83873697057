package operator

import (
	"cmp"
	"context"
	"math"
	"regexp"
	"strconv"
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

// projectPath returns where the project keeps its files.
func (j *job) projectPath(ctx context.Context) (bucket, prefix string, err error) {
	env, err := j.tooling(ctx, j.text("domain_identifier"), j.text("owning_project_identifier"))
	if err != nil {
		return "", "", err
	}
	bucket, prefix, ok := parseS3URL(provisioned(env, "s3BucketPath"))
	if !ok || bucket == "" {
		return "", "", Errorf("the environment %s has no resource s3BucketPath that names a bucket", pythonText(env["id"]))
	}
	return bucket, strings.Trim(prefix, "/"), nil
}

// tooling describes the environment of a project that has its tools.
func (j *job) tooling(ctx context.Context, domain, project string) (map[string]any, error) {
	for _, blueprint := range []string{"Tooling", "ToolingLite"} {
		reply, err := j.callNow(ctx, "datazone:ListEnvironmentBlueprints", map[string]any{"domainIdentifier": domain, "managed": true, "name": blueprint})
		if err != nil {
			return nil, err
		}
		kind, _ := dig(reply, ".items[0].id")
		if kind == nil {
			return nil, Errorf("the domain %s has no environment blueprint %s", domain, blueprint)
		}
		reply, err = j.callNow(ctx, "datazone:ListEnvironments", map[string]any{
			"domainIdentifier": domain, "projectIdentifier": project, "environmentBlueprintIdentifier": kind,
		})
		if err != nil {
			return nil, err
		}
		if id, _ := dig(reply, ".items[0].id"); id != nil {
			return j.callNow(ctx, "datazone:GetEnvironment", map[string]any{"domainIdentifier": domain, "identifier": id})
		}
	}
	return nil, Errorf("the project %s has no environment with tools", project)
}

// provisioned returns the value of a resource of an environment, or nothing.
func provisioned(env map[string]any, name string) string {
	for _, r := range listOf(env["provisionedResources"]) {
		if resource, _ := r.(map[string]any); resource["name"] == name {
			return pythonText(resource["value"])
		}
	}
	return ""
}

// studioName is what a notebook's run may be called, which is what its task
// is called.
var studioName = regexp.MustCompile(`^[a-zA-Z0-9][-a-zA-Z0-9]{0,25}$`)

// studioNotebook returns the request for the training job as which SageMaker
// Unified Studio runs a notebook of a project.
func studioNotebook(ctx context.Context, j *job) (any, error) {
	input, _ := j.json("input_config").(map[string]any)
	path, _ := input["input_path"].(string)
	name := strings.ReplaceAll(j.task.TaskID, "_", "-")
	vars := environment()
	domain, project := cmp.Or(j.text("domain_id"), vars["DataZoneDomainId"]), cmp.Or(j.text("project_id"), vars["DataZoneProjectId"])
	switch {
	case j.err != nil:
		return nil, j.err
	case path == "":
		return nil, Errorf("input_path is a required field in the input_config")
	case !studioName.MatchString(name):
		return nil, Errorf("the task's id, as %s, names the run, and does not match %s", name, studioName)
	case domain == "" || project == "":
		return nil, Errorf("a domain and a project are needed: domain_id and project_id, or DataZoneDomainId and DataZoneProjectId in the workflow's Environment")
	}
	env, err := j.tooling(ctx, domain, project)
	if err != nil {
		return nil, err
	}
	role, root := provisioned(env, "userRoleArn"), provisioned(env, "s3BucketPath")
	if role == "" || root == "" {
		return nil, Errorf("the environment %s has no resources userRoleArn and s3BucketPath", pythonText(env["id"]))
	}
	compute, err := j.studioCompute(ctx, pythonText(env["awsAccountRegion"]))
	if err != nil {
		return nil, err
	}
	files := studioFilesOf(strings.TrimRight(root, "/"), path, provisioned(env, "gitConnectionArn")+provisioned(env, "codeRepositoryName") != "")
	region := cmp.Or(j.text("domain_region"), vars["DataZoneDomainRegion"], j.cfg.Region())
	tags := []any{
		map[string]any{"Key": "sagemaker-notebook-execution", "Value": "TRUE"},
		map[string]any{"Key": "sagemaker-notebook-name", "Value": files.notebook},
	}
	more, err := apply1("$tags", j.json("tags"))
	if err != nil {
		return nil, err
	}
	output := map[string]any{"S3OutputPath": files.output}
	resources := map[string]any{"InstanceCount": int64(1), "InstanceType": compute.instance, "VolumeSizeInGB": compute.volume}
	if key := provisioned(env, "kmsKeyArn"); key != "" {
		output["KmsKeyId"], resources["VolumeKmsKeyId"] = key, key
	}
	most, _ := dig(j.json("termination_condition"), ".max_runtime_in_seconds")
	if most == nil {
		most = int64(86400)
	}
	params := input["input_params"]
	if !truthy(params) {
		params = map[string]any{}
	}
	request := map[string]any{
		"TrainingJobName": name + "-" + token(j.task.RunID, j.task.TaskID, strconv.Itoa(j.task.Try)),
		"RoleArn":         role,
		"AlgorithmSpecification": map[string]any{
			"TrainingImage": compute.image, "TrainingInputMode": "File", "EnableSageMakerMetricsTimeSeries": false,
			"ContainerEntrypoint": []any{"amazon_sagemaker_scheduler"},
			"MetricDefinitions": []any{
				map[string]any{"Name": "cells:complete", "Regex": `.*Executing:.*?\|.*?\|\s+(\d+)\/\d+\s+\[`},
				map[string]any{"Name": "cells:total", "Regex": `.*Executing:.*?\|.*?\|\s+\d+\/(\d+)\s+\[`},
			},
		},
		"OutputDataConfig": output, "ResourceConfig": resources,
		"InputDataConfig": []any{map[string]any{
			"ChannelName": "sagemaker_workflows", "ContentType": "text/csv", "CompressionType": "None",
			"DataSource": map[string]any{"S3DataSource": map[string]any{
				"S3DataType": "S3Prefix", "S3Uri": files.input, "S3DataDistributionType": "FullyReplicated",
			}},
		}},
		"HyperParameters": params, "StoppingCondition": map[string]any{"MaxRuntimeInSeconds": most},
		"EnableManagedSpotTraining": false, "EnableNetworkIsolation": false, "EnableInterContainerTrafficEncryption": true,
		"RetryStrategy": map[string]any{"MaximumRetryAttempts": int64(1)},
		"Tags":          append(tags, listOf(more)...),
		"Environment": map[string]any{
			"SM_EFS_MOUNT_GID": "100", "SM_EFS_MOUNT_PATH": "/home/sagemaker-user", "SM_EFS_MOUNT_UID": "1000",
			"SM_ENV_NAME": "sagemaker-workflows-default-env", "SM_EXECUTION_INPUT_PATH": "/opt/ml/input/data/sagemaker_workflows",
			"SM_EXECUTION_SYSTEM_PATH": "/opt/ml/input/data/sagemaker_workflows_system", "SM_INPUT_NOTEBOOK_NAME": files.notebook,
			"SM_JOB_DEF_VERSION": "1.0", "SM_KERNEL_NAME": "python3", "SM_OUTPUT_NOTEBOOK_NAME": files.result, "SM_SKIP_EFS_SIMULATION": "true",
			"DataZoneDomainId": domain, "DataZoneProjectId": project, "DataZoneDomainRegion": region,
			"DataZoneEndpoint": cmp.Or(vars["DataZoneEndpoint"], "https://datazone."+region+".api.aws"), "ProjectS3Path": root,
			"InputNotebookPath": "/home/sagemaker-user/" + strings.TrimLeft(path, "/"), "SM_OUTPUT_FORMATS": j.studioFormats(),
			"SM_INIT_SCRIPT": "../../../../../etc/sagemaker-ui/workflows/sm_init_script.sh",
		},
	}
	if group, subnets := provisioned(env, "securityGroup"), provisioned(env, "privateSubnets"); group != "" && subnets != "" {
		ids := []any{}
		for id := range strings.SplitSeq(subnets, ",") {
			ids = append(ids, id)
		}
		request["VpcConfig"] = map[string]any{"SecurityGroupIds": []any{group}, "Subnets": ids}
	}
	return request, nil
}

// studioFormats lists the forms of the output beside the notebook's own.
func (j *job) studioFormats() string {
	formats, _ := dig(j.json("output_config"), ".output_formats")
	var more []string
	for _, f := range listOf(formats) {
		if s := strings.ToLower(pythonText(f)); s != "notebook" {
			more = append(more, s)
		}
	}
	return strings.Join(more, ",")
}

// studioFiles are the places of a notebook's run below a project's path.
type studioFiles struct {
	input, notebook string // the notebook, relative to input
	output, result  string
}

// studioFilesOf finds them: projects with a repository keep files elsewhere
// than those without.
func studioFilesOf(root, path string, git bool) studioFiles {
	var f studioFiles
	path = strings.TrimPrefix(path, "/")
	if git {
		f.notebook, f.input = strings.TrimPrefix(path, "src/"), root+"/workflows/project-files"
	} else {
		f.notebook, f.input = strings.TrimPrefix(path, "shared/"), root
		if base, ok := strings.CutSuffix(root, "/dev"); ok {
			f.input = base + "/shared"
		}
	}
	dir, name := "", f.notebook
	if i := strings.LastIndexByte(f.notebook, '/'); i >= 0 {
		dir, name = "/"+f.notebook[:i], f.notebook[i+1:]
	}
	f.output, f.result = root+"/workflows/output"+dir, "_"+name
	return f
}

// studioCompute is what a notebook runs on.
type studioCompute struct {
	instance, image string
	volume          any
}

// studioCompute finds an instance type that is to be had, and the image for
// it.
func (j *job) studioCompute(ctx context.Context, region string) (studioCompute, error) {
	given, _ := j.json("compute").(map[string]any)
	types := []string{"ml.m6i.xlarge", "ml.m5.xlarge"}
	if len(given) > 0 {
		types = []string{pythonText(given["instance_type"])}
	}
	c := studioCompute{volume: given["volume_size_in_gb"]}
	if c.volume == nil {
		c.volume = int64(30)
	}
	variant := "cpu"
	for _, t := range types {
		reply, err := j.callNow(ctx, "ec2:DescribeInstanceTypes", map[string]any{"InstanceTypes": []any{strings.TrimPrefix(t, "ml.")}})
		if err != nil && !matches([]Fault{{Code: "*"}}, err) {
			return c, err
		}
		if found, _ := dig(reply, ".InstanceTypes[0]"); found != nil {
			c.instance = t
			if gpus, _ := dig(found, ".GpuInfo.Gpus"); truthy(gpus) {
				variant = "gpu"
			}
			break
		}
	}
	if c.instance == "" {
		return c, Errorf("the instance type %s is not to be had in this region", strings.Join(types, " or "))
	}
	image, _ := given["image_details"].(map[string]any)
	name, version := "sagemaker-distribution-prod", "latest"
	if v := image["image_name"]; v != nil {
		name = pythonText(v)
	}
	if v := image["image_version"]; v != nil {
		version = pythonText(v)
	}
	switch {
	case image["ecr_uri"] != nil:
		c.image = pythonText(image["ecr_uri"])
		return c, nil
	case name != "sagemaker-distribution-prod":
		n, err := apply1("$int", version)
		if err != nil {
			return c, err
		}
		reply, err := j.callNow(ctx, "sagemaker:DescribeImageVersion", map[string]any{"ImageName": name, "Version": n})
		c.image = pythonText(reply["BaseImage"])
		return c, err
	case !studioVersion.MatchString(version):
		return c, Errorf("Invalid image version: %s", version)
	}
	reply, err := j.callNow(ctx, "ssm:GetParameter", map[string]any{"Name": "/aws/service/sagemaker-distribution/ecr-account-id"})
	if err != nil {
		return c, err
	}
	account, _ := dig(reply, ".Parameter.Value")
	c.image = pythonText(account) + ".dkr.ecr." + region + ".amazonaws.com/" + name + ":" + version + "-" + variant
	return c, nil
}

// studioVersion matches the versions of the image that can run notebooks:
// those from 2.6 on, whole or in part.
var studioVersion = regexp.MustCompile(`^(latest|2|2\.([6-9]|[1-9][0-9]+)(\.[0-9]+)*|3(\.[0-9]+)*)$`)

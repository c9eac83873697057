package operator

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sagemakerCode returns the code of the SageMaker operators' steps.
func sagemakerCode(name string) code {
	switch name {
	case "sagemaker.prepare":
		return sagemakerPrepare
	case "sagemaker.inputs":
		return sagemakerInputs
	case "sagemaker.polls":
		return sagemakerPolls
	case "sagemaker.pipeline":
		return sagemakerPipeline
	case "sagemaker.register":
		return sagemakerRegister
	case "sagemaker.training":
		return sagemakerTraining
	case "sagemaker.sense":
		return sagemakerSense
	case "sagemaker.outputfiles":
		return sagemakerOutputFiles
	case "sagemaker.notebook":
		return studioNotebook
	case "sagemaker.notebookpolls":
		return notebookPolls
	case "sagemaker.notebookoutputs":
		return notebookOutputs
	}
	return nil
}

// A smShape says what of a config is made ready before it is sent: numbers
// that templates have made text, and a role that may be a name.
type smShape struct {
	ints [][]string
	role []string
}

func smShapeOf(class string, config map[string]any) smShape {
	switch class {
	case "SageMakerProcessingOperator":
		return smShape{[][]string{
			{"ProcessingResources", "ClusterConfig", "InstanceCount"}, {"ProcessingResources", "ClusterConfig", "VolumeSizeInGB"},
			{"StoppingCondition", "MaxRuntimeInSeconds"},
		}, []string{"RoleArn"}}
	case "SageMakerTrainingOperator":
		return smShape{[][]string{
			{"ResourceConfig", "InstanceCount"}, {"ResourceConfig", "VolumeSizeInGB"}, {"StoppingCondition", "MaxRuntimeInSeconds"},
		}, []string{"RoleArn"}}
	case "SageMakerTransformOperator":
		ints := [][]string{{"TransformResources", "InstanceCount"}, {"MaxConcurrentTransforms"}, {"MaxPayloadInMB"}}
		if config["Transform"] != nil {
			for i := range ints {
				ints[i] = append([]string{"Transform"}, ints[i]...)
			}
		}
		return smShape{ints, []string{"Model", "ExecutionRoleArn"}}
	case "SageMakerTuningOperator":
		return smShape{[][]string{
			{"HyperParameterTuningJobConfig", "ResourceLimits", "MaxNumberOfTrainingJobs"},
			{"HyperParameterTuningJobConfig", "ResourceLimits", "MaxParallelTrainingJobs"},
			{"TrainingJobDefinition", "ResourceConfig", "InstanceCount"}, {"TrainingJobDefinition", "ResourceConfig", "VolumeSizeInGB"},
			{"TrainingJobDefinition", "StoppingCondition", "MaxRuntimeInSeconds"},
		}, []string{"TrainingJobDefinition", "RoleArn"}}
	case "SageMakerModelOperator":
		return smShape{role: []string{"ExecutionRoleArn"}}
	case "SageMakerEndpointConfigOperator":
		return smShape{ints: [][]string{{"ProductionVariants", "InitialInstanceCount"}}}
	case "SageMakerEndpointOperator":
		return smShape{[][]string{{"EndpointConfig", "ProductionVariants", "InitialInstanceCount"}}, []string{"Model", "ExecutionRoleArn"}}
	}
	return smShape{}
}

// sagemakerPrepare returns the config as it is to be sent, after the
// operations on S3 that it asks for, under names that are free.
func sagemakerPrepare(ctx context.Context, j *job) (any, error) {
	config, ok := j.json("config").(map[string]any)
	if !ok {
		return nil, Errorf("%s: the argument config must be a mapping", j.spec.Class)
	}
	if err := j.smS3(ctx, config["S3Operations"]); err != nil {
		return nil, err
	}
	delete(config, "S3Operations")
	shape := smShapeOf(j.spec.Class, config)
	for _, path := range shape.ints {
		if err := toInts(config, path); err != nil {
			return nil, err
		}
	}
	if err := j.smRole(ctx, config, shape.role); err != nil {
		return nil, err
	}
	return config, j.smNames(ctx, config)
}

// toInts turns the values at a path, in each element of a list, to integers.
func toInts(v any, path []string) error {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := toInts(e, path); err != nil {
				return err
			}
		}
	case map[string]any:
		e, ok := v[path[0]]
		switch {
		case !ok:
		case len(path) > 1:
			return toInts(e, path[1:])
		default:
			n, err := apply1("$int", e)
			if err != nil {
				return err
			}
			v[path[0]] = n
		}
	}
	return nil
}

// smRole replaces the name of a role with its ARN.
func (j *job) smRole(ctx context.Context, config map[string]any, path []string) error {
	for ; len(path) > 1; path = path[1:] {
		config, _ = config[path[0]].(map[string]any)
	}
	if len(path) == 0 {
		return nil
	}
	name, ok := config[path[0]].(string)
	if !ok || strings.Contains(name, "/") {
		return nil
	}
	reply, err := j.call(ctx, "iam:GetRole", map[string]any{"RoleName": name})
	if err != nil {
		return err
	}
	config[path[0]], err = dig(reply, ".Role.Arn")
	return err
}

// smNames gives a job, and a model beside it, names that are free, where the
// operator is to look for that.
func (j *job) smNames(ctx context.Context, config map[string]any) error {
	switch j.spec.Class {
	case "SageMakerProcessingOperator":
		return j.smName(ctx, "sagemaker:DescribeProcessingJob", config, "ProcessingJobName", "job", "action_if_job_exists")
	case "SageMakerTrainingOperator":
		if !j.flag("check_if_job_exists") {
			return nil
		}
		return j.smName(ctx, "sagemaker:DescribeTrainingJob", config, "TrainingJobName", "job", "action_if_job_exists")
	case "SageMakerTransformOperator":
		transform, ok := config["Transform"].(map[string]any)
		switch {
		case !ok && config["Model"] != nil:
			return Errorf("%s: the config has a Model and no Transform", j.spec.Class)
		case !ok:
			transform = config
		}
		if j.flag("check_if_job_exists") {
			if err := j.smName(ctx, "sagemaker:DescribeTransformJob", transform, "TransformJobName", "job", "action_if_job_exists"); err != nil {
				return err
			}
		}
		model, ok := config["Model"].(map[string]any)
		if !ok || !j.flag("check_if_model_exists") {
			return nil
		}
		if err := j.smName(ctx, "sagemaker:DescribeModel", model, "ModelName", "model", "action_if_model_exists"); err != nil {
			return err
		}
		if transform["ModelName"] != nil {
			transform["ModelName"] = model["ModelName"]
		}
	}
	return nil
}

// maxJobName bounds names of jobs and models.
const maxJobName = 63

// smName appends the time to a name that is taken, or fails if the argument
// action says so. A ValidationException means that nothing has the name.
func (j *job) smName(ctx context.Context, describe string, config map[string]any, member, kind, action string) error {
	proposed, ok := config[member].(string)
	if !ok {
		return Errorf("%s: the config has no %s", j.spec.Class, member)
	}
	for {
		_, err := j.call(ctx, describe, map[string]any{member: config[member]})
		switch {
		case matches([]Fault{{Code: "ValidationException"}}, err):
			return nil
		case err != nil:
			return err
		case j.text(action) == "fail":
			return Errorf("A SageMaker %s with name %s already exists.", kind, config[member])
		case ctx.Err() != nil:
			return ctx.Err()
		}
		at := strconv.FormatInt(time.Now().Unix(), 10)
		config[member] = proposed[:min(len(proposed), maxJobName-len(at)-1)] + "-" + at
		j.say("info", "the name is taken; the %s is called %s instead", kind, config[member])
	}
}

// maxUpload bounds what is uploaded to S3 before a job, in bytes.
const maxUpload = 256 << 20

// smS3 makes the buckets and uploads the files that a config asks for.
func (j *job) smS3(ctx context.Context, operations any) error {
	buckets, _ := dig(operations, ".S3CreateBucket[].Bucket")
	for _, b := range listOf(buckets) {
		in := map[string]any{"Bucket": b}
		if j.cfg.Region() != "us-east-1" {
			in["CreateBucketConfiguration"] = map[string]any{"LocationConstraint": j.cfg.Region()}
		}
		if _, err := j.call(ctx, "s3:CreateBucket", in); err != nil {
			return err
		}
	}
	uploads, _ := dig(operations, ".S3Upload[]")
	for _, u := range listOf(uploads) {
		op, _ := u.(map[string]any)
		path, _ := op["Path"].(string)
		body, err := readUpload(path, truthy(op["Tar"]))
		if err != nil {
			return err
		}
		if !truthy(op["Tar"]) {
			// A file, unlike an archive, does not replace what is there.
			_, err := j.callNow(ctx, "s3:HeadObject", map[string]any{"Bucket": op["Bucket"], "Key": op["Key"]})
			if err == nil {
				return Errorf("The key %s already exists.", pythonText(op["Key"]))
			}
			if statusOf(err) != 404 {
				return err
			}
		}
		if _, err := j.call(ctx, "s3:PutObject", map[string]any{"Bucket": op["Bucket"], "Key": op["Key"], "Body": body}); err != nil {
			return err
		}
	}
	return nil
}

func listOf(v any) []any {
	l, _ := v.([]any)
	return l
}

// readUpload returns a file, or a compressed archive of a file or of what a
// directory holds.
func readUpload(path string, archive bool) (string, error) {
	text, err := func() (string, error) {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return "", err
		case archive:
			return archived(path, info.IsDir())
		case info.Size() > maxUpload:
			return "", fmt.Errorf("%s has more than %d bytes", path, maxUpload)
		}
		b, err := os.ReadFile(path)
		return string(b), err
	}()
	if err != nil {
		return "", Errorf("upload to S3 as the config says: %v", err)
	}
	return text, nil
}

func archived(path string, dir bool) (string, error) {
	base := path
	if !dir {
		base = filepath.Dir(path)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	size := int64(0)
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(base, p)
		if err = cmp.Or(err, relErr); err != nil || name == "." {
			return err
		}
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		if size += info.Size(); size > maxUpload {
			return fmt.Errorf("the files have more than %d bytes together", maxUpload)
		}
		h, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		h.Name = name
		if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyN(w, f, info.Size())
		return err
	})
	err = cmp.Or(err, w.Close(), z.Close())
	return b.String(), err
}

// sagemakerInputs fails unless the data that a job reads is in S3.
func sagemakerInputs(ctx context.Context, j *job) (any, error) {
	config, _ := j.lookup("config")
	path := ".InputDataConfig[].DataSource.S3DataSource.S3Uri"
	switch j.spec.Class {
	case "SageMakerTuningOperator":
		path = ".TrainingJobDefinition" + path
	case "SageMakerTransformOperator":
		config, _ = j.lookup("transform")
		path = ".TransformInput.DataSource.S3DataSource.S3Uri"
	}
	found, err := dig(config, path)
	if err != nil {
		return nil, err
	}
	if uri, ok := found.(string); ok {
		found = []any{uri}
	}
	for _, uri := range listOf(found) {
		if err := j.smInput(ctx, pythonText(uri)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// smInput fails unless there is an object, or a prefix, at the URI.
func (j *job) smInput(ctx context.Context, uri string) error {
	bucket, key, ok := parseS3URL(uri)
	if !ok {
		return Errorf("Please provide a bucket name using a valid format of the form: s3://bucket_name/key, not %s", clip(uri, 200))
	}
	switch _, err := j.callNow(ctx, "s3:HeadBucket", map[string]any{"Bucket": bucket}); {
	case ctx.Err() != nil:
		return ctx.Err()
	case statusOf(err) == 403 || statusOf(err) == 404:
		return Errorf("The input S3 Bucket %s does not exist or may not be read", bucket)
	case err != nil:
		return err
	case key == "":
		return nil
	}
	_, err := j.callNow(ctx, "s3:HeadObject", map[string]any{"Bucket": bucket, "Key": key})
	if err == nil || statusOf(err) != 404 {
		return err
	}
	prefix := strings.TrimSuffix(key, "/") + "/"
	// As the provider does: the level above is what precedes the last word.
	above := strings.TrimRightFunc(strings.TrimSuffix(prefix, "/"), func(r rune) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r > 127
	})
	in := map[string]any{"Bucket": bucket, "Prefix": above, "Delimiter": "/"}
	for range maxPages {
		reply, err := j.callNow(ctx, "s3:ListObjectsV2", in)
		if err != nil {
			return err
		}
		prefixes, _ := dig(reply, ".CommonPrefixes[].Prefix")
		if slices.ContainsFunc(listOf(prefixes), func(p any) bool { return p == prefix }) {
			return nil
		}
		if !truthy(reply["NextContinuationToken"]) {
			break
		}
		in["ContinuationToken"] = reply["NextContinuationToken"]
	}
	return Errorf("The input S3 Key or Prefix %s does not exist in the Bucket %s", uri, bucket)
}

// sagemakerPolls returns how many looks fit into the time that a job may
// take, None if it may take any.
func sagemakerPolls(_ context.Context, j *job) (any, error) {
	every, most := j.number("check_interval"), j.number("max_ingestion_time")
	if n := j.number("waiter_max_attempts"); n > 0 {
		most = n * every
	}
	if j.err != nil || every <= 0 || most <= 0 {
		return nil, j.err
	}
	return int64(min(most/every, 1<<40)) + 1, nil
}

// sagemakerPipeline describes the execution $arn of a pipeline, and tells the
// log of its steps if it is to.
func sagemakerPipeline(ctx context.Context, j *job) (any, error) {
	arn, _ := j.lookup("arn")
	in := map[string]any{"PipelineExecutionArn": arn}
	if j.flag("verbose") {
		reply, err := j.callNow(ctx, "sagemaker:ListPipelineExecutionSteps", in)
		if err != nil {
			return nil, err
		}
		count, running := map[string]int{}, []string{}
		for _, s := range listOf(reply["PipelineExecutionSteps"]) {
			step, _ := s.(map[string]any)
			status := pythonText(step["StepStatus"])
			if count[status]++; status == "Executing" {
				running = append(running, pythonText(step["StepName"]))
			}
		}
		var counts []string
		for _, status := range slices.Sorted(maps.Keys(count)) {
			counts = append(counts, fmt.Sprintf("%s %d", status, count[status]))
		}
		j.say("info", "state of the pipeline steps: %s; in progress: %s", strings.Join(counts, ", "), clip(strings.Join(running, ", "), 1000))
	}
	return j.callNow(ctx, "sagemaker:DescribePipelineExecution", in)
}

// sagemakerRegister registers a version of a model in a group, which is made
// if it is not there, and removed again if that was in vain.
func sagemakerRegister(ctx context.Context, j *job) (any, error) {
	group := map[string]any{"ModelPackageGroupName": j.json("package_group_name")}
	// The provider describes the group with the text for the package.
	_, err := j.call(ctx, "sagemaker:CreateModelPackageGroup", map[string]any{
		"ModelPackageGroupName": group["ModelPackageGroupName"], "ModelPackageGroupDescription": j.json("package_desc"),
	})
	made := err == nil
	if !made && !matches([]Fault{{Code: "ValidationException", Says: "Model Package Group already exists"}}, err) {
		return nil, err
	}
	in := map[string]any{
		"InferenceSpecification": map[string]any{
			"Containers":            []any{map[string]any{"Image": j.json("image_uri"), "ModelDataUrl": j.json("model_url")}},
			"SupportedContentTypes": []any{"text/csv"}, "SupportedResponseMIMETypes": []any{"text/csv"},
		},
		"ModelPackageGroupName": group["ModelPackageGroupName"], "ModelPackageDescription": j.json("package_desc"),
		"ModelApprovalStatus": j.json("model_approval"),
	}
	if err := j.lay(in, "extras"); err != nil {
		return nil, err
	}
	reply, err := j.call(ctx, "sagemaker:CreateModelPackage", in)
	if err == nil {
		return reply, nil
	}
	if made && matches([]Fault{{Code: "*"}}, err) {
		if _, err := j.call(ctx, "sagemaker:DeleteModelPackageGroup", group); err != nil {
			return nil, err
		}
	}
	return nil, err
}

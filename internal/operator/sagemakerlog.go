package operator

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// smTrainingGroup is where SageMaker keeps the logs of training jobs.
const smTrainingGroup = "/aws/sagemaker/TrainingJobs"

// sagemakerTraining looks at the training job $job, whose first description
// is $begun: it tells the log what the job has written since, and, each 30
// seconds at most as the provider does, describes the job. When the job has
// ended it waits for one more look, for what was written last; the
// description is then Drained.
func sagemakerTraining(ctx context.Context, j *job) (any, error) {
	last, _ := j.lookup("described")
	if last == nil {
		last, _ = j.lookup("begun")
	}
	before, _ := last.(map[string]any)
	if before == nil {
		before = map[string]any{}
	}
	if j.mem.Polls == 0 {
		j.smTransitions(before, nil)
	}
	if err := j.smLog(ctx, before); err != nil {
		return nil, err
	}
	now := maps.Clone(before)
	every := j.number("check_interval")
	looks := float64(j.mem.Polls)
	switch {
	case !smGoesOn(before) || !j.flag("wait_for_completion"):
		now["Drained"] = true
	case every >= 30 || int((looks+1)*every/30) > int(looks*every/30):
		job, _ := j.lookup("job")
		reply, err := j.callNow(ctx, "sagemaker:DescribeTrainingJob", map[string]any{"TrainingJobName": job})
		if err != nil {
			return nil, err
		}
		j.smTransitions(reply, before)
		now = reply
		j.keep("described", maps.Clone(reply))
	}
	if now["FailureReason"] == nil {
		now["FailureReason"] = "(No reason provided)"
	}
	if now["Drained"] == true && j.flag("wait_for_completion") {
		j.smBillable(now)
	}
	return now, nil
}

// sagemakerSense describes the training job of a sensor, and tells the log
// what it wrote once it has ended, if it is to: between two looks a sensor
// does not know how far it has read.
func sagemakerSense(ctx context.Context, j *job) (any, error) {
	reply, err := j.callNow(ctx, "sagemaker:DescribeTrainingJob", map[string]any{"TrainingJobName": j.json("job_name")})
	if err != nil || smGoesOn(reply) || !j.flag("print_log") {
		return reply, err
	}
	j.smBillable(reply)
	return reply, j.smLog(ctx, reply)
}

func smGoesOn(description map[string]any) bool {
	return slices.Contains([]any{"InProgress", "Stopping"}, description["TrainingJobStatus"])
}

// smTransitions tells the log of what a job has come to since it was
// described before.
func (j *job) smTransitions(now, before map[string]any) {
	news := listOf(now["SecondaryStatusTransitions"])
	for _, t := range news[min(len(news), len(listOf(before["SecondaryStatusTransitions"]))):] {
		status, _ := dig(t, ".Status")
		message, _ := dig(t, ".StatusMessage")
		j.say("info", "%s - %s", pythonText(status), pythonText(message))
	}
}

// smBillable tells the log how long instances were in use.
func (j *job) smBillable(description map[string]any) {
	begin, errBegin := time.Parse(time.RFC3339Nano, pythonText(description["TrainingStartTime"]))
	end, errEnd := time.Parse(time.RFC3339Nano, pythonText(description["TrainingEndTime"]))
	if errBegin == nil && errEnd == nil {
		j.say("info", "Billable seconds: %d", int(end.Sub(begin).Seconds()*float64(smInstances(description)))+1)
	}
}

// smInstances returns how many instances a training job has, at least 1.
func smInstances(description map[string]any) int {
	n, _ := dig(description, ".ResourceConfig.InstanceCount")
	count, _ := strconv.Atoi(pythonText(n))
	return max(1, count)
}

// maxStreams bounds the log streams that are followed; maxLogPages the pages
// that are read of one in a look.
const (
	maxStreams  = 50
	maxLogPages = 100
)

// smLog tells the log what a training job's instances have written since the
// last time, in the order of time. $streams keeps how far each was read.
func (j *job) smLog(ctx context.Context, description map[string]any) error {
	v, _ := j.lookup("streams")
	streams, _ := v.(map[string]any)
	streams = maps.Clone(streams)
	if streams == nil {
		streams = map[string]any{}
	}
	if count := min(smInstances(description), maxStreams); len(streams) < count {
		reply, err := j.callNow(ctx, "logs:DescribeLogStreams", map[string]any{
			"logGroupName": smTrainingGroup, "logStreamNamePrefix": pythonText(description["TrainingJobName"]) + "/",
			"orderBy": "LogStreamName", "limit": int64(count),
		})
		// There is no group before the first job of an account has written.
		if err != nil && !matches([]Fault{{Code: "ResourceNotFoundException"}}, err) {
			return err
		}
		names, _ := dig(reply, ".logStreams[].logStreamName")
		for _, name := range listOf(names) {
			if s := pythonText(name); streams[s] == nil {
				streams[s] = ""
			}
		}
	}
	var events []any
	for _, name := range slices.Sorted(maps.Keys(streams)) {
		for range maxLogPages {
			in := map[string]any{"logGroupName": smTrainingGroup, "logStreamName": name, "startFromHead": true}
			if streams[name] != "" {
				in["nextToken"] = streams[name]
			}
			reply, err := j.callNow(ctx, "logs:GetLogEvents", in)
			if err != nil {
				return err
			}
			page := listOf(reply["events"])
			events = append(events, page...)
			same := reply["nextForwardToken"] == nil || reply["nextForwardToken"] == streams[name]
			if reply["nextForwardToken"] != nil {
				streams[name] = reply["nextForwardToken"]
			}
			if same || len(page) == 0 {
				break
			}
		}
	}
	slices.SortStableFunc(events, func(a, b any) int { return cmp.Compare(timestamp(a), timestamp(b)) })
	for _, e := range events {
		message, _ := dig(e, ".message")
		j.say("info", "%s", strings.TrimRight(pythonText(message), "\n"))
	}
	j.keep("streams", streams)
	return nil
}

// timestamp is when a log event was written.
func timestamp(event any) int64 {
	v, _ := dig(event, ".timestamp")
	n, _ := json.Number(pythonText(v)).Int64()
	return n
}

// sagemakerOutputFiles reads the JSON files that a processing job has left in
// S3 and that the operator is to publish. What cannot be read stands as an
// _error.
func sagemakerOutputFiles(ctx context.Context, j *job) (any, error) {
	config, _ := j.lookup("config")
	outputs, _ := dig(config, ".ProcessingOutputConfig.Outputs")
	files := map[string]any{}
	for _, f := range listOf(j.json("output_files_to_xcom")) {
		file, _ := f.(map[string]any)
		result, output, name := file["result_name"], file["output_name"], file["file_name"]
		if result == nil || output == nil || name == nil {
			return nil, Errorf("each entry of output_files_to_xcom needs result_name, output_name and file_name")
		}
		i := slices.IndexFunc(listOf(outputs), func(o any) bool {
			n, _ := dig(o, ".OutputName")
			return equal(n, output)
		})
		if i < 0 {
			j.say("warning", "output_files_to_xcom %s: the job has no output %s", pythonText(result), pythonText(output))
			continue
		}
		uri, _ := dig(listOf(outputs)[i], ".S3Output.S3Uri")
		full := strings.TrimRight(pythonText(uri), "/") + "/" + pythonText(name)
		files[pythonText(result)] = j.smFile(ctx, full)
	}
	if len(files) == 0 || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return files, nil
}

// smFile reads one JSON file, or says why not.
func (j *job) smFile(ctx context.Context, uri string) any {
	bucket, key, _ := parseS3URL(uri)
	reply, err := j.callNow(ctx, "s3:GetObject", map[string]any{"Bucket": bucket, "Key": key})
	switch {
	case matches([]Fault{{Code: "NoSuchKey"}}, err):
		return map[string]any{"_error": "File not found: " + uri}
	case err != nil:
		j.say("error", "read %s: %v", uri, callError(err))
		return map[string]any{"_error": "Failed to read from " + uri}
	}
	v, err := parseJSON(pythonText(reply["Body"]))
	if err != nil {
		return map[string]any{"_error": "Invalid JSON at " + uri}
	}
	return v
}

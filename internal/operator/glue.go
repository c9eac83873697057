package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
)

// glueCode returns the code of the Glue operators' steps.
func glueCode(name string) code {
	switch name {
	case "glue.job":
		return glueJob
	case "glue.crawler":
		return glueCrawler
	case "glue.rulesets":
		return glueRulesets
	case "glue.partition":
		return gluePartition
	case "glue.rest":
		return func(context.Context, *job) (any, error) { return nil, nil }
	}
	return nil
}

// glueJob makes the job ready to run: its script, a definition of its own, and
// the arguments of the run. If the task is to go on with the run of an attempt
// before, the result has its id.
func glueJob(ctx context.Context, j *job) (any, error) {
	kwargs, _ := j.json("create_job_kwargs").(map[string]any)
	if err := glueCapacity(j, kwargs); err != nil {
		return nil, err
	}
	script, err := glueScript(ctx, j)
	if err != nil {
		return nil, err
	}
	given, _ := j.json("script_args").(map[string]any)
	args := maps.Clone(given)
	if args == nil {
		args = map[string]any{}
	}
	if j.flag("resume_glue_job_on_retry") {
		const mark = "--airflow_task_uuid"
		if _, ok := args[mark]; !ok {
			args[mark] = fmt.Sprintf("%s:%s:%s:-1", j.task.DagID, j.task.TaskID, j.task.RunID)
		}
		if run := glueRunWith(ctx, j, mark, pythonText(args[mark])); run != "" {
			return map[string]any{"run": run, "args": args}, nil
		}
	}
	if err := glueDefine(ctx, j, script, kwargs); err != nil {
		return nil, err
	}
	return map[string]any{"args": args}, nil
}

// glueCapacity refuses arguments that exclude each other.
func glueCapacity(j *job, kwargs map[string]any) error {
	_, kind := kwargs["WorkerType"]
	_, number := kwargs["NumberOfWorkers"]
	switch {
	case j.flag("iam_role_arn") && j.flag("iam_role_name"):
		return Errorf("Cannot set iam_role_arn and iam_role_name simultaneously")
	case kind && number && j.has("num_of_dpus"):
		return Errorf("Cannot specify num_of_dpus with custom WorkerType")
	case !kind && number:
		return Errorf("Need to specify custom WorkerType when specifying NumberOfWorkers")
	case kind && !number:
		return Errorf("Need to specify NumberOfWorkers when specifying custom WorkerType")
	}
	return nil
}

// maxScript bounds a script that is uploaded, in bytes.
const maxScript = 64 << 20

// glueScript returns where the script is, once it is in S3.
func glueScript(ctx context.Context, j *job) (any, error) {
	file := j.text("script_location")
	if j.err != nil || file == "" || strings.HasPrefix(file, "s3://") {
		if !j.has("script_location") {
			return nil, j.err
		}
		return file, j.err
	}
	bucket := j.text("s3_bucket")
	if bucket == "" {
		return nil, Errorf("%s: the script %s is to be uploaded, but s3_bucket has no value", j.spec.Class, clip(file, 200))
	}
	text, err := readFile(file, maxScript)
	if err != nil {
		return nil, Errorf("%s: read the script: %v", j.spec.Class, err)
	}
	key := "artifacts/glue-scripts/" + path.Base(file)
	if !j.flag("replace_script_file") {
		_, err := j.call(ctx, "s3:HeadObject", map[string]any{"Bucket": bucket, "Key": key})
		ae, refused := errors.AsType[smithy.APIError](err)
		switch {
		case err == nil:
			return nil, Errorf("The key %s already exists.", key)
		case !refused || ae.ErrorCode() != "NotFound" && ae.ErrorCode() != "404":
			return nil, err
		}
	}
	_, err = j.call(ctx, "s3:PutObject", map[string]any{"Bucket": bucket, "Key": key, "Body": text})
	return "s3://" + bucket + "/" + key, err
}

// readFile reads a file of at most limit bytes.
func readFile(name string, limit int64) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return string(text), err
}

// glueRunWith returns the run under way that has the argument, or nothing. It
// is a help: if it cannot look, a run is started.
func glueRunWith(ctx context.Context, j *job, arg, value string) string {
	in := map[string]any{"JobName": j.text("job_name"), "MaxResults": 50}
	for range maxPages {
		reply, err := j.call(ctx, "glue:GetJobRuns", in)
		if err != nil {
			j.say("warning", "the run of an earlier attempt cannot be looked for: %v", callError(err))
			return ""
		}
		runs, _ := reply["JobRuns"].([]any)
		for _, r := range runs {
			run, _ := r.(map[string]any)
			args, _ := run["Arguments"].(map[string]any)
			if args[arg] != value || !truthy(run["Id"]) || !truthy(run["JobRunState"]) {
				continue
			}
			j.say("info", "the run %s of an earlier attempt is %s", pythonText(run["Id"]), pythonText(run["JobRunState"]))
			if run["JobRunState"] == "RUNNING" || run["JobRunState"] == "STARTING" {
				return pythonText(run["Id"])
			}
			return ""
		}
		if in["NextToken"] = reply["NextToken"]; !truthy(in["NextToken"]) {
			return ""
		}
	}
	return ""
}

// glueDefine makes the job unless it is there, and if the task says so changes
// what differs.
func glueDefine(ctx context.Context, j *job, script any, kwargs map[string]any) error {
	name, update := j.text("job_name"), j.flag("update_config")
	var config map[string]any
	var err error
	if update {
		if config, err = glueConfig(ctx, j, script, kwargs); err != nil {
			return err
		}
	}
	reply, there, err := glueGet(ctx, j, "glue:GetJob", map[string]any{"JobName": name})
	switch {
	case err != nil:
		return err
	case there && update:
		current, _ := reply["Job"].(map[string]any)
		delete(config, "Name")
		if tags, ok := config["Tags"]; ok {
			delete(config, "Tags")
			wanted, _ := tags.(map[string]any)
			if err := glueTags(ctx, j, "job/"+name, wanted, true); err != nil {
				return err
			}
		}
		if glueDiffers(config, current) {
			j.say("info", "the job %s is changed", name)
			_, err = j.call(ctx, "glue:UpdateJob", map[string]any{"JobName": name, "JobUpdate": config})
		}
		return err
	case there:
		return nil
	case config == nil:
		if config, err = glueConfig(ctx, j, script, kwargs); err != nil {
			return err
		}
	}
	j.say("info", "the job %s is made", name)
	_, err = j.call(ctx, "glue:CreateJob", config)
	return err
}

// glueConfig puts a job's definition together.
func glueConfig(ctx context.Context, j *job, script any, kwargs map[string]any) (map[string]any, error) {
	role := j.text("iam_role_arn")
	if role == "" {
		reply, err := j.call(ctx, "iam:GetRole", map[string]any{"RoleName": j.json("iam_role_name")})
		if err != nil {
			return nil, err
		}
		found, _ := reply["Role"].(map[string]any)
		role = pythonText(found["Arn"])
	}
	runs := any(1)
	if j.flag("concurrent_run_limit") {
		runs = j.json("concurrent_run_limit")
	}
	command := map[string]any{"Name": "glueetl"}
	if script != nil {
		command["ScriptLocation"] = script
	}
	name := j.text("job_name")
	config := map[string]any{
		"Name": name, "Description": j.json("job_desc"), "Role": role, "ExecutionProperty": map[string]any{"MaxConcurrentRuns": runs},
		"Command": command, "MaxRetries": j.json("retry_limit"),
	}
	maps.Copy(config, kwargs)
	if _, workers := kwargs["WorkerType"]; !workers {
		config["MaxCapacity"] = any(10)
		if j.has("num_of_dpus") {
			config["MaxCapacity"] = j.json("num_of_dpus")
		}
	}
	if j.has("s3_bucket") {
		config["LogUri"] = "s3://" + j.text("s3_bucket") + "/logs/glue-logs/" + name
	}
	return config, j.err
}

// glueGet asks for something, and reports whether it is there.
func glueGet(ctx context.Context, j *job, call string, in map[string]any) (map[string]any, bool, error) {
	reply, err := j.call(ctx, call, in)
	if ae, ok := errors.AsType[smithy.APIError](err); ok && ae.ErrorCode() == "EntityNotFoundException" {
		return nil, false, nil
	}
	return reply, err == nil, err
}

// glueDiffers reports whether anything that is wanted is otherwise now.
func glueDiffers(wanted, current map[string]any) bool {
	for k, v := range wanted {
		if now, ok := current[k]; !ok && v != nil || !equal(now, v) {
			return true
		}
	}
	return false
}

// glueTags brings the tags of a job or crawler in line with those wanted. add
// says whether a tag that is not there is made, which the provider forgets for
// crawlers.
func glueTags(ctx context.Context, j *job, resource string, wanted map[string]any, add bool) error {
	who, err := j.call(ctx, "sts:GetCallerIdentity", map[string]any{})
	if err != nil {
		return err
	}
	partition := "aws"
	if parts := strings.Split(pythonText(who["Arn"]), ":"); len(parts) > 1 {
		partition = parts[1]
	}
	arn := fmt.Sprintf("arn:%s:glue:%s:%s:%s", partition, j.cfg.Region(), pythonText(who["Account"]), resource)
	reply, err := j.call(ctx, "glue:GetTags", map[string]any{"ResourceArn": arn})
	if err != nil {
		return err
	}
	have, _ := reply["Tags"].(map[string]any)
	set, drop := map[string]any{}, []any{}
	for k, v := range wanted {
		if old, there := have[k]; (there || add) && !equal(old, v) {
			set[k] = v
		}
	}
	for _, k := range slices.Sorted(maps.Keys(have)) {
		if _, ok := wanted[k]; !ok {
			drop = append(drop, k)
		}
	}
	if len(set) > 0 {
		if _, err := j.call(ctx, "glue:TagResource", map[string]any{"ResourceArn": arn, "TagsToAdd": set}); err != nil {
			return err
		}
	}
	if len(drop) > 0 {
		_, err = j.call(ctx, "glue:UntagResource", map[string]any{"ResourceArn": arn, "TagsToRemove": drop})
	}
	return err
}

// glueCrawler makes the crawler, or changes what differs.
func glueCrawler(ctx context.Context, j *job) (any, error) {
	given, _ := j.json("config").(map[string]any)
	name, _ := given["Name"].(string)
	if name == "" {
		return nil, Errorf("%s: config must be a mapping with the crawler's Name", j.spec.Class)
	}
	config := maps.Clone(given)
	reply, there, err := glueGet(ctx, j, "glue:GetCrawler", map[string]any{"Name": name})
	if err != nil {
		return nil, err
	}
	if !there {
		_, err := j.call(ctx, "glue:CreateCrawler", config)
		return nil, err
	}
	err = glueUpdateCrawler(ctx, j, name, config, reply)
	if ae, ok := errors.AsType[smithy.APIError](err); ok && ae.ErrorCode() == "CrawlerRunningException" && !j.flag("fail_on_already_running") {
		j.say("warning", "the crawler %s is running, and is not changed", name)
		return nil, nil
	}
	return nil, err
}

func glueUpdateCrawler(ctx context.Context, j *job, name string, config, reply map[string]any) error {
	if tags, ok := config["Tags"]; ok {
		delete(config, "Tags")
		wanted, _ := tags.(map[string]any)
		if err := glueTags(ctx, j, "crawler/"+name, wanted, false); err != nil {
			return err
		}
	}
	current, _ := reply["Crawler"].(map[string]any)
	if !glueDiffers(config, current) {
		return nil
	}
	j.say("info", "the crawler %s is changed", name)
	_, err := j.call(ctx, "glue:UpdateCrawler", config)
	return err
}

// glueRulesets looks whether all rule sets are there.
func glueRulesets(ctx context.Context, j *job) (any, error) {
	names, _ := j.texts("rule_set_names")
	if j.err != nil {
		return nil, j.err
	}
	var missing []any
	for _, name := range names {
		_, there, err := glueGet(ctx, j, "glue:GetDataQualityRuleset", map[string]any{"Name": name})
		if err != nil {
			return nil, err
		}
		if !there {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, Errorf("Following RulesetNames are not found %s", pythonRepr(missing))
	}
	return nil, nil
}

// gluePartition looks for one partition. A page may be empty without being
// the last.
func gluePartition(ctx context.Context, j *job) (any, error) {
	database, table := j.text("database_name"), j.text("table_name")
	if before, after, qualified := strings.Cut(table, "."); qualified {
		if database, table = before, after; strings.Contains(table, ".") {
			return nil, Errorf("%s: the argument table_name must be TABLE or DATABASE.TABLE, not %s", j.spec.Class, clip(j.text("table_name"), 80))
		}
	}
	in := map[string]any{"DatabaseName": database, "TableName": table, "Expression": j.text("expression")}
	if j.err != nil {
		return nil, j.err
	}
	for range maxPages {
		reply, err := j.callNow(ctx, "glue:GetPartitions", in)
		if err != nil {
			return nil, err
		}
		if truthy(reply["Partitions"]) {
			return map[string]any{"found": true}, nil
		}
		if in["NextToken"] = reply["NextToken"]; !truthy(in["NextToken"]) {
			break
		}
	}
	return map[string]any{"found": false}, nil
}

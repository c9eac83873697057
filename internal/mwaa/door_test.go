package mwaa

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/document"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
	"github.com/google/go-cmp/cmp"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// TestSDK walks a workflow from its creation to its end with the real
// client, which checks signatures, members and types on the way.
func TestSDK(t *testing.T) {
	w := newWorld(t, nil)
	ctx, c := t.Context(), w.client
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	location := &types.DefinitionS3Location{Bucket: aws.String("defs"), ObjectKey: aws.String("etl.yaml")}
	w.objects["defs/etl.yaml"] = "extract load @daily ?verify"
	made, err := c.CreateWorkflow(ctx, &mwaaserverless.CreateWorkflowInput{
		Name: aws.String("etl"), DefinitionS3Location: location, RoleArn: aws.String(roleArn), Description: aws.String("né"),
		Tags: map[string]string{"a": "1"},
	})
	must(err)
	arn := *made.WorkflowArn
	if !strings.HasPrefix(arn, "arn:aws:airflow-serverless:us-east-1:111122223333:workflow/etl-") || made.WorkflowStatus != "READY" ||
		!*made.IsLatestVersion || len(*made.WorkflowVersion) != 32 || !slices.Equal(made.Warnings, []string{"ignored attributes: verify"}) ||
		time.Since(*made.CreatedAt) > time.Minute {
		t.Errorf("CreateWorkflow: got %+v", made)
	}
	if !w.groups["/aws/mwaa-serverless/"+id(arn)+"/"] || len(w.changed) != 1 {
		t.Errorf("log groups %v, changed %v, want one each", w.groups, w.changed)
	}

	w.objects["defs/etl.yaml"] = "extract load"
	updated, err := c.UpdateWorkflow(ctx, &mwaaserverless.UpdateWorkflowInput{WorkflowArn: &arn, DefinitionS3Location: location, RoleArn: aws.String(roleArn)})
	must(err)
	got, err := c.GetWorkflow(ctx, &mwaaserverless.GetWorkflowInput{WorkflowArn: &arn})
	must(err)
	if *got.WorkflowDefinition != "extract load" || *got.Description != "né" || *got.WorkflowVersion != *updated.WorkflowVersion ||
		got.ScheduleConfiguration != nil || *got.TriggerMode != "scheduled" || got.EngineVersion != 1 || !got.ModifiedAt.After(*got.CreatedAt) {
		t.Errorf("GetWorkflow: got %+v", got)
	}
	got, err = c.GetWorkflow(ctx, &mwaaserverless.GetWorkflowInput{WorkflowArn: &arn, WorkflowVersion: made.WorkflowVersion})
	must(err)
	if *got.WorkflowDefinition != "extract load @daily ?verify" || *got.ScheduleConfiguration.CronExpression != "@daily" {
		t.Errorf("GetWorkflow of version 1: got %+v", got)
	}
	versions, err := c.ListWorkflowVersions(ctx, &mwaaserverless.ListWorkflowVersionsInput{WorkflowArn: &arn})
	must(err)
	if n := len(versions.WorkflowVersions); n != 2 || !*versions.WorkflowVersions[0].IsLatestVersion || *versions.WorkflowVersions[1].IsLatestVersion {
		t.Errorf("ListWorkflowVersions: got %+v", versions.WorkflowVersions)
	}

	started, err := c.StartWorkflowRun(ctx, &mwaaserverless.StartWorkflowRunInput{
		WorkflowArn: &arn, OverrideParameters: map[string]document.Interface{"n": document.NewLazyDocument(5)},
	})
	must(err)
	if started.Status != "STARTING" || started.StartedAt == nil || len(*started.RunId) != 15 {
		t.Errorf("StartWorkflowRun: got %+v", started)
	}
	run := flow.RunID(*started.RunId)
	begun := time.Now()
	w.step(run, func(s *engine.Step) {
		s.Run.State, s.Run.Started = flow.Running, begun
		s.Tasks = []flow.Task{{ID: "extract", Kind: "BashOperator", State: flow.Succeeded, Attempt: 2, Started: begun.Add(time.Minute), Ended: begun.Add(99 * time.Second)}}
		s.Past = []flow.Attempt{{Task: "extract", N: 1, State: flow.Failed, Reason: "boom", Started: begun, Ended: begun.Add(time.Second)}}
		s.Outputs = []flow.Output{{Task: "extract", Attempt: 2, Key: "return_value", Value: []byte(`{"rows": 5}`)}, {Task: "extract", Attempt: 2, Key: "s", Value: []byte(`"text"`)}}
	})
	r, err := c.GetWorkflowRun(ctx, &mwaaserverless.GetWorkflowRunInput{WorkflowArn: &arn, RunId: started.RunId})
	must(err)
	var n int
	must(r.OverrideParameters["n"].UnmarshalSmithyDocument(&n))
	if d := r.RunDetail; d.RunState != "RUNNING" || len(d.TaskInstances) != 2 || d.CompletedOn != nil || d.Duration != nil || r.RunType != "ON_DEMAND" || n != 5 {
		t.Errorf("GetWorkflowRun: got %+v, %+v", r, r.RunDetail)
	}

	tasks, err := c.ListTaskInstances(ctx, &mwaaserverless.ListTaskInstancesInput{WorkflowArn: &arn, RunId: started.RunId})
	must(err)
	var lines []string
	for _, ti := range tasks.TaskInstances {
		one, err := c.GetTaskInstance(ctx, &mwaaserverless.GetTaskInstanceInput{WorkflowArn: &arn, RunId: started.RunId, TaskInstanceId: ti.TaskInstanceId})
		must(err)
		stream := aws.ToString(one.LogStream)
		stream = strings.NewReplacer(id(arn), "W", string(run), "R").Replace(stream)
		lines = append(lines, fmt.Sprintf("%s %s#%d %s %s %d %q %v %s", ti.Status, *one.TaskId, *one.AttemptNumber, one.Status, *one.OperatorName,
			aws.ToInt32(one.DurationInSeconds), aws.ToString(one.ErrorMessage), one.Xcom, stream))
	}
	want := []string{
		`FAILED extract#1 FAILED BashOperator 1 "boom" map[] workflow_id=W/run_id=R/task_id=extract/attempt=1.log`,
		`SUCCESS extract#2 SUCCESS BashOperator 39 "" map[return_value:{"rows": 5} s:"text"] workflow_id=W/run_id=R/task_id=extract/attempt=2.log`,
		`NONE load#0 NONE BashOperator 0 "" map[] `,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("task instances (-want +got)\n%s", diff)
	}
	// The first id of a task goes on to name it as it is.
	first := strings.TrimSuffix(*tasks.TaskInstances[0].TaskInstanceId, "1") + "0"
	one, err := c.GetTaskInstance(ctx, &mwaaserverless.GetTaskInstanceInput{WorkflowArn: &arn, RunId: started.RunId, TaskInstanceId: &first})
	must(err)
	if *one.TaskInstanceId != first || one.Status != "SUCCESS" || *one.AttemptNumber != 2 {
		t.Errorf("GetTaskInstance %s: got %+v", first, one)
	}

	stopped, err := c.StopWorkflowRun(ctx, &mwaaserverless.StopWorkflowRunInput{WorkflowArn: &arn, RunId: started.RunId})
	must(err)
	if stopped.Status != "STOPPING" {
		t.Errorf("StopWorkflowRun: got %+v", stopped)
	}
	_, err = c.StopWorkflowRun(ctx, &mwaaserverless.StopWorkflowRunInput{WorkflowArn: &arn, RunId: started.RunId})
	must(err)
	w.step(run, func(s *engine.Step) { s.Run.State, s.Run.Ended = flow.Canceled, begun.Add(90*time.Second) })
	_, err = c.StopWorkflowRun(ctx, &mwaaserverless.StopWorkflowRunInput{WorkflowArn: &arn, RunId: started.RunId})
	if bad, ok := errors.AsType[*types.ValidationException](err); !ok || !strings.Contains(bad.ErrorMessage(), "already finished with status STOPPED") || bad.Reason != "fieldValidationFailed" || len(bad.FieldList) != 1 {
		t.Errorf("StopWorkflowRun of an ended run: got %v, want a ValidationException", err)
	}
	runs, err := c.ListWorkflowRuns(ctx, &mwaaserverless.ListWorkflowRunsInput{WorkflowArn: &arn})
	must(err)
	if s := runs.WorkflowRuns[0].RunDetailSummary; len(runs.WorkflowRuns) != 1 || s.Status != "STOPPED" || s.CreatedOn == nil || s.StartedAt == nil || s.EndedAt == nil {
		t.Errorf("ListWorkflowRuns: got %+v", runs.WorkflowRuns)
	}

	_, err = c.TagResource(ctx, &mwaaserverless.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"b": "2", "a": "3"}})
	must(err)
	_, err = c.UntagResource(ctx, &mwaaserverless.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a", "none"}})
	must(err)
	tags, err := c.ListTagsForResource(ctx, &mwaaserverless.ListTagsForResourceInput{ResourceArn: &arn})
	must(err)
	if diff := cmp.Diff(map[string]string{"b": "2"}, tags.Tags); diff != "" {
		t.Errorf("tags (-want +got)\n%s", diff)
	}

	_, err = c.DeleteWorkflow(ctx, &mwaaserverless.DeleteWorkflowInput{WorkflowArn: &arn})
	must(err)
	got, err = c.GetWorkflow(ctx, &mwaaserverless.GetWorkflowInput{WorkflowArn: &arn})
	must(err)
	if got.WorkflowStatus != "DELETING" {
		t.Errorf("a workflow being deleted is %s, want DELETING", got.WorkflowStatus)
	}
	for done := false; !done; {
		done, err = w.db.PurgeWorkflow(ctx, flow.WorkflowID(id(arn)), 100)
		must(err)
	}
	_, err = c.GetWorkflow(ctx, &mwaaserverless.GetWorkflowInput{WorkflowArn: &arn})
	if gone, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok || *gone.ResourceId != arn || *gone.ResourceType != "Workflow" {
		t.Errorf("GetWorkflow of one that is gone: got %v, want a ResourceNotFoundException", err)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Limits.Workflows, c.Limits.Versions, c.Limits.RunsPerWorkflow, c.Limits.Tags = 3, 2, 1, 2
	})
	arn := w.create("taken", "a", map[string]any{"ClientToken": "t", "Tags": map[string]any{"k": "v"}})
	off := w.create("off", "a @daily", map[string]any{"TriggerMode": "Disabled"})
	full := w.create("full", "a", nil)
	w.try("UpdateWorkflow", map[string]any{"WorkflowArn": full, "RoleArn": roleArn, "DefinitionS3Location": at3("full")})
	w.try("StartWorkflowRun", map[string]any{"WorkflowArn": full, "ClientToken": "r"})
	w.objects["defs/bad"] = "a !one !two ?three"
	w.objects["defs/big"] = strings.Repeat("a ", 30<<10)
	other := strings.Replace(arn, region, "eu-west-1", 1)

	create := func(more ...any) map[string]any {
		in := map[string]any{"Name": "new", "RoleArn": roleArn, "DefinitionS3Location": at3("taken")}
		for i := 0; i < len(more); i += 2 {
			in[more[i].(string)] = more[i+1]
		}
		return in
	}
	for _, tt := range []struct {
		name, op string
		in       map[string]any
		want     string
	}{
		{"name taken", "CreateWorkflow", create("Name", "taken"), "ConflictException: a workflow named"},
		{"token with another request", "CreateWorkflow", create("ClientToken", "t"), "ConflictException: "},
		{"too many", "CreateWorkflow", create(), "ServiceQuotaExceededException: "},
		{"no object", "CreateWorkflow", create("DefinitionS3Location", at3("none")), "ValidationException: DefinitionS3Location: s3://defs/none: the bucket has no such object"},
		{"too big", "CreateWorkflow", create("DefinitionS3Location", at3("big")), "ValidationException: DefinitionS3Location: s3://defs/big: the object has 61440 bytes"},
		{"no code", "CreateWorkflow", create("Code", map[string]any{"S3Location": map[string]any{"Bucket": "defs", "ObjectKey": "none"}}), "ValidationException: Code.S3Location: s3://defs/none"},
		{"faults", "CreateWorkflow", create("DefinitionS3Location", at3("bad")), "ValidationException: Workflow validation failed: public one\npublic two"},
		{"mode", "CreateWorkflow", create("TriggerMode", "sometimes"), "ValidationException: TriggerMode must be one of scheduled, manual_only, disabled, got \"sometimes\""},
		{"alias", "CreateWorkflow", create("EncryptionConfiguration", map[string]any{"Type": "CUSTOMER_MANAGED_KEY", "KmsKeyId": "alias/x"}), "ValidationException: EncryptionConfiguration.KmsKeyId must be the id"},
		{"one subnet", "CreateWorkflow", create("NetworkConfiguration", map[string]any{"SubnetIds": []string{"subnet-1"}}), "ValidationException: NetworkConfiguration.SubnetIds must have 2 to 16"},
		{"reserved", "CreateWorkflow", create("Environment", map[string]any{"Variables": map[string]any{"AWS_REGION": "x", "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARG__A": "", "A": ""}}), "ValidationException: Environment.Variables.AWS_REGION is reserved"},
		{"log group", "CreateWorkflow", create("LoggingConfiguration", map[string]any{"LogGroupName": "a b"}), "ValidationException: LoggingConfiguration.LogGroupName must"},
		{"too many versions", "UpdateWorkflow", map[string]any{"WorkflowArn": full, "RoleArn": roleArn, "DefinitionS3Location": at3("full")}, "ServiceQuotaExceededException: "},
		{"unknown workflow first", "UpdateWorkflow", map[string]any{"WorkflowArn": other, "RoleArn": roleArn, "DefinitionS3Location": at3("none")}, "ResourceNotFoundException: workflow " + other},
		{"elsewhere", "GetWorkflow", map[string]any{"WorkflowArn": other}, "ResourceNotFoundException: workflow " + other + " does not exist"},
		{"bare name", "GetWorkflow", map[string]any{"WorkflowArn": "taken"}, "ValidationException: 1 member is not valid: WorkflowArn must be the ARN"},
		{"no such version", "GetWorkflow", map[string]any{"WorkflowArn": arn, "WorkflowVersion": strings.Repeat("0", 32)}, "ResourceNotFoundException: workflow " + arn + " has no version"},
		{"disabled", "StartWorkflowRun", map[string]any{"WorkflowArn": off}, "ConflictException: workflow " + off + " is disabled"},
		{"no version to start", "StartWorkflowRun", map[string]any{"WorkflowArn": arn, "WorkflowVersion": "x"}, "ResourceNotFoundException: workflow " + arn + " has no version \"x\""},
		{"too many runs", "StartWorkflowRun", map[string]any{"WorkflowArn": full}, "ServiceQuotaExceededException: "},
		{"run token with another request", "StartWorkflowRun", map[string]any{"WorkflowArn": arn, "ClientToken": "r"}, "ConflictException: "},
		{"no run", "GetWorkflowRun", map[string]any{"WorkflowArn": arn, "RunId": "x"}, "ResourceNotFoundException: workflow " + arn + " has no run x"},
		{"no run to stop", "StopWorkflowRun", map[string]any{"WorkflowArn": arn, "RunId": "x"}, "ResourceNotFoundException: "},
		{"list of unknown", "ListWorkflowRuns", map[string]any{"WorkflowArn": other}, "ResourceNotFoundException: "},
		{"token before workflow", "ListWorkflowRuns", map[string]any{"WorkflowArn": other, "NextToken": "123"}, "ValidationException: NextToken is not"},
		{"tags", "TagResource", map[string]any{"ResourceArn": arn, "Tags": map[string]any{"a": "", "b": ""}}, "ValidationException: workflow " + arn + " would have 3 tags"},
		{"reserved tag", "TagResource", map[string]any{"ResourceArn": arn, "Tags": map[string]any{"AWS:a": ""}}, "ValidationException: Tags must not"},
		{"only version", "DeleteWorkflow", map[string]any{"WorkflowArn": arn, "WorkflowVersion": version(w, arn)}, "ConflictException: "},
	} {
		if got := w.try(tt.op, tt.in); !strings.HasPrefix(got, tt.want) {
			in, _ := json.Marshal(tt.in)
			t.Errorf("%s: %s %s\ngot  %s\nwant %s", tt.name, tt.op, in, got, tt.want)
		}
	}

	// The fields of a refused definition say where.
	_, out := w.post("CreateWorkflow", `{"Name":"new","RoleArn":"`+roleArn+`","DefinitionS3Location":{"Bucket":"defs","ObjectKey":"bad"}}`)
	want := []any{
		map[string]any{"Name": "etl.one", "Message": "1:2: error: etl.one: our one (mend it)"},
		map[string]any{"Name": "etl.two", "Message": "1:3: error: etl.two: our two (mend it)"},
	}
	if diff := cmp.Diff(want, out["FieldList"]); diff != "" {
		t.Errorf("FieldList of a refused definition (-want +got)\n%s", diff)
	}
}

// version returns the latest version of a workflow.
func version(w *world, arn string) string {
	_, out := w.post("GetWorkflow", `{"WorkflowArn":"`+arn+`"}`)
	return fmt.Sprint(out["WorkflowVersion"])
}

func TestSentAgain(t *testing.T) {
	w := newWorld(t, nil)
	in := map[string]any{"Name": "etl", "RoleArn": roleArn, "DefinitionS3Location": at3("etl.yaml"), "ClientToken": "c"}
	first := w.try("CreateWorkflow", in, "WorkflowArn", "WorkflowVersion", "CreatedAt", "RevisionId")
	if again := w.try("CreateWorkflow", in, "WorkflowArn", "WorkflowVersion", "CreatedAt", "RevisionId"); again != first || !strings.HasPrefix(first, "ok") {
		t.Errorf("CreateWorkflow again: got %s\nwant %s", again, first)
	}
	arn := w.create("other", "a", nil)
	start := map[string]any{"WorkflowArn": arn, "ClientToken": "c", "OverrideParameters": map[string]any{"b": 1, "a": 2}}
	first = w.try("StartWorkflowRun", start, "RunId", "Status", "StartedAt")
	if again := w.try("StartWorkflowRun", start, "RunId", "Status", "StartedAt"); again != first || !strings.HasPrefix(first, "ok") {
		t.Errorf("StartWorkflowRun again: got %s\nwant %s", again, first)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.RunsPerWorkflow, c.Limits.PageSize = 0, 2 })
	var arns []string
	for i := range 5 {
		arns = append(arns, w.create(fmt.Sprint("w", i), "a b c d e", nil))
	}
	arn := arns[0]
	for range 4 {
		w.try("UpdateWorkflow", map[string]any{"WorkflowArn": arn, "RoleArn": roleArn, "DefinitionS3Location": at3("w0")})
		w.try("StartWorkflowRun", map[string]any{"WorkflowArn": arn})
	}
	_, out := w.post("StartWorkflowRun", `{"WorkflowArn":"`+arn+`"}`)
	run := fmt.Sprint(out["RunId"])
	for _, tt := range []struct {
		op, list, item string
		in             map[string]any
		newest         string
	}{
		{"ListWorkflows", "Workflows", "WorkflowArn", map[string]any{}, arns[4]},
		{"ListWorkflowVersions", "WorkflowVersions", "WorkflowVersion", map[string]any{"WorkflowArn": arn}, version(w, arn)},
		{"ListWorkflowRuns", "WorkflowRuns", "RunId", map[string]any{"WorkflowArn": arn}, run},
		{"ListTaskInstances", "TaskInstances", "TaskId", map[string]any{"WorkflowArn": arn, "RunId": run}, "a"},
	} {
		var seen []string
		var sizes []int
		in := map[string]any{}
		for k, v := range tt.in {
			in[k] = v
		}
		for {
			body, _ := json.Marshal(in)
			_, out := w.post(tt.op, string(body))
			items, ok := out[tt.list].([]any)
			if !ok {
				t.Fatalf("%s %s: %v", tt.op, body, out)
			}
			sizes = append(sizes, len(items))
			for _, item := range items {
				seen = append(seen, fmt.Sprint(item.(map[string]any)[tt.item]))
			}
			token, more := out["NextToken"]
			if !more {
				break
			}
			if in["NextToken"] = token; len(sizes) == 1 && tt.op != "ListWorkflows" {
				moved := map[string]any{"NextToken": token, "RunId": "x", "WorkflowArn": arns[1]}
				if got := w.try(tt.op, moved); !strings.HasPrefix(got, "ValidationException: NextToken") {
					t.Errorf("%s with the token of another list: got %s", tt.op, got)
				}
			}
		}
		unique := slices.Compact(slices.Sorted(slices.Values(seen)))
		if !slices.Equal(sizes, []int{2, 2, 1}) || len(unique) != 5 || seen[0] != tt.newest {
			t.Errorf("%s: pages of %v, items %v; want 2, 2, 1 with %s first", tt.op, sizes, seen, tt.newest)
		}
	}
	if got := w.try("ListWorkflowRuns", map[string]any{"WorkflowArn": arns[1]}, "WorkflowRuns"); got != "ok WorkflowRuns=[]" {
		t.Errorf("runs of a workflow that never ran: got %s", got)
	}
}

// TestUpdateKeeps: what an update does not mention stays as it was.
func TestUpdateKeeps(t *testing.T) {
	w := newWorld(t, nil)
	w.objects["defs/code.zip"] = "zip"
	more := map[string]any{
		"Description": "d", "TriggerMode": "MANUAL_ONLY", "LoggingConfiguration": map[string]any{"LogGroupName": "g"},
		"Code":                 map[string]any{"S3Location": map[string]any{"Bucket": "defs", "ObjectKey": "code.zip"}},
		"NetworkConfiguration": map[string]any{"SubnetIds": []string{"subnet-1", "subnet-2"}},
		"Environment":          map[string]any{"Variables": map[string]any{"A": "b"}},
	}
	arn := w.create("etl", "a @daily", more)
	members := []string{"Description", "TriggerMode", "LoggingConfiguration", "Code", "NetworkConfiguration", "Environment", "EncryptionConfiguration", "CodeSnapshottedAt", "ScheduleConfiguration", "RoleArn"}
	first := w.try("GetWorkflow", map[string]any{"WorkflowArn": arn}, members...)
	delete(w.objects, "defs/code.zip")
	update := map[string]any{"WorkflowArn": arn, "RoleArn": roleArn, "DefinitionS3Location": at3("etl")}
	if got := w.try("UpdateWorkflow", update); got != "ok" {
		t.Fatal(got)
	}
	if got := w.try("GetWorkflow", map[string]any{"WorkflowArn": arn}, members...); got != first {
		t.Errorf("after an update that says nothing new\ngot  %s\nwant %s", got, first)
	}
	v, err := w.db.Version(t.Context(), flow.WorkflowID(id(arn)), "")
	if err != nil || v.Schedule != nil || v.Code != "copy of defs/code.zip" {
		t.Errorf("latest version: got %+v, %v, want no schedule and the code of the first", v, err)
	}
	rt, err := RuntimeOf(v)
	want := Runtime{
		RoleArn: roleArn, LogGroup: "g", Environment: map[string]string{"A": "b"}, Description: "d", TriggerMode: "MANUAL_ONLY",
		Bucket: "defs", Key: "etl", Code: "s3://defs/code.zip",
	}
	if diff := cmp.Diff(want, rt); diff != "" || err != nil {
		t.Errorf("RuntimeOf: %v (-want +got)\n%s", err, diff)
	}
	update["TriggerMode"], update["Environment"] = "scheduled", map[string]any{}
	w.try("UpdateWorkflow", update)
	v, _ = w.db.Version(t.Context(), flow.WorkflowID(id(arn)), "")
	if v.Schedule == nil || v.Schedule.Expr != "@daily" {
		t.Errorf("a version in scheduled mode has schedule %v, want @daily", v.Schedule)
	}
}

func TestDeleteVersion(t *testing.T) {
	w := newWorld(t, nil)
	arn := w.create("etl", "a @daily", nil)
	first := version(w, arn)
	w.try("UpdateWorkflow", map[string]any{"WorkflowArn": arn, "RoleArn": roleArn, "DefinitionS3Location": at3("etl")})
	second := version(w, arn)
	if got := w.try("DeleteWorkflow", map[string]any{"WorkflowArn": arn, "WorkflowVersion": second}, "WorkflowVersion"); got != `ok WorkflowVersion="`+second+`"` {
		t.Error(got)
	}
	if got := version(w, arn); got != first || len(w.changed) != 3 {
		t.Errorf("latest is %s after %d changes, want %s after 3", got, len(w.changed), first)
	}
}

func TestLenient(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Lenient = true })
	arn := w.create("etl", "a", nil)
	if got, want := w.try("GetWorkflow", map[string]any{"WorkflowArn": "etl"}, "WorkflowArn"), `ok WorkflowArn="`+arn+`"`; got != want {
		t.Errorf("by name: got %s, want %s", got, want)
	}
	if got := w.try("StartWorkflowRun", map[string]any{"WorkflowArn": "nobody"}); got != "ResourceNotFoundException: workflow nobody does not exist" {
		t.Errorf("by a name that nothing has: got %s", got)
	}
	if got := w.try("TagResource", map[string]any{"ResourceArn": "a/b", "Tags": map[string]any{}}); !strings.HasPrefix(got, "ValidationException") {
		t.Errorf("by what is no name: got %s", got)
	}
}

// TestLongTaskID: a task whose id does not fit into an instance's id is
// found by its short form.
func TestLongTaskID(t *testing.T) {
	w := newWorld(t, nil)
	long := strings.Repeat("x", 250)
	arn := w.create("etl", "a "+long, nil)
	_, out := w.post("StartWorkflowRun", `{"WorkflowArn":"`+arn+`"}`)
	_, list := w.post("ListTaskInstances", fmt.Sprintf(`{"WorkflowArn":%q,"RunId":%q}`, arn, out["RunId"]))
	instance := list["TaskInstances"].([]any)[1].(map[string]any)["TaskInstanceId"]
	in := map[string]any{"WorkflowArn": arn, "RunId": out["RunId"], "TaskInstanceId": instance}
	if got, want := w.try("GetTaskInstance", in, "TaskId"), `ok TaskId="`+long+`"`; got != want {
		t.Errorf("task instance %s: got %s, want %s", instance, got, want)
	}
	in["TaskInstanceId"] = strings.Replace(instance.(string), "sha256-", "sha256-0", 1)
	if got := w.try("GetTaskInstance", in); !strings.HasPrefix(got, "ResourceNotFoundException") {
		t.Errorf("task instance %s: got %s", in["TaskInstanceId"], got)
	}
}

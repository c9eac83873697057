package mwaa

import (
	"encoding/json"

	"fairlead/internal/aws/arn"
	"fairlead/internal/aws/awsjson"
)

// shapes is the table of constrained shapes of the service's model, version
// 2024-07-26, that requests use. lenient lets a bare name stand for a
// workflow's ARN.
func shapes(lenient bool) map[string]awsjson.Shape {
	const (
		id    = `[a-zA-Z0-9]+[a-zA-Z0-9\.\-_]*`
		named = "letters, digits, dots, dashes and underscores, beginning with a letter or digit"
	)
	workflow, hint := arn.WorkflowPattern, "the ARN of a workflow, which ends in its name, a dash and ten letters or digits"
	if lenient {
		workflow, hint = workflow+"|"+id, hint+", or its name"
	}
	return map[string]awsjson.Shape{
		"NameString":             {Bounds: "1..255", Pattern: id, Hint: named},
		"IdString":               {Bounds: "1..255", Pattern: id, Hint: named},
		"IdempotencyTokenString": {Bounds: "1..128", Pattern: `[\x21-\x7E]+`, Hint: "printable ASCII without spaces"},
		"DescriptionString":      {Bounds: "1..1024", Pattern: `.+`, Hint: "text on one line"},
		"GenericString":          {Bounds: "1..255", Pattern: `.*`, Hint: "text on one line"},
		"VersionId":              {Bounds: "1..2048", Pattern: `.+`, Hint: "text on one line"},
		"WorkflowVersion":        {Bounds: "32..32", Pattern: `[a-z0-9]{32}`, Hint: "lower-case letters and digits"},
		"WorkflowArn":            {Bounds: "1..2048", Pattern: workflow, Hint: hint},
		"TaggableResourceArn":    {Bounds: "1..1011", Pattern: workflow, Hint: hint},
		"RoleARN":                {Bounds: "1..2048", Pattern: arn.RolePattern, Hint: "the ARN of an IAM role"},
		"SecurityGroupString":    {Bounds: "1..255", Pattern: `sg-[a-z0-9]*`},
		"SubnetString":           {Bounds: "1..255", Pattern: `subnet-[a-z0-9]*`},

		"S3LocationBucketString":    {Bounds: "3..63"},
		"S3LocationObjectKeyString": {Bounds: "1..1024"},
		"S3LocationVersionIdString": {Bounds: "1..1024"},

		"TagKey":           {Bounds: "1..128", Pattern: `.*`, Hint: "text on one line"},
		"TagValue":         {Bounds: "0..256", Pattern: `.*`, Hint: "text on one line"},
		"Tags":             {Bounds: "0..50", Key: "TagKey", Member: "TagValue"},
		"TagKeys":          {Bounds: "1..50", Member: "TagKey"},
		"SecurityGroupIds": {Member: "SecurityGroupString"},
		"SubnetIds":        {Member: "SubnetString"},
		"ObjectMap":        {Sensitive: true},
		"Code":             {Union: true},
		"EncryptionType":   {Enum: []string{"AWS_MANAGED_KEY", "CUSTOMER_MANAGED_KEY"}},

		// One shape for each list in the model, all alike.
		"ListTaskInstancesRequestMaxResultsInteger":    {Bounds: "1..100"},
		"ListWorkflowRunsRequestMaxResultsInteger":     {Bounds: "1..100"},
		"ListWorkflowVersionsRequestMaxResultsInteger": {Bounds: "1..100"},
		"ListWorkflowsRequestMaxResultsInteger":        {Bounds: "1..100"},

		// Without constraints of their own.
		"String": {}, "EngineVersion": {}, "DefinitionS3Location": {}, "S3Location": {}, "EncryptionConfiguration": {},
		"LoggingConfiguration": {}, "NetworkConfiguration": {}, "Environment": {},

		// The environment is in AWS's newest documentation, not yet in the
		// model that we have.
		"EnvironmentVariables": {Bounds: "0..50", Key: "EnvironmentName", Member: "EnvironmentValue", Sensitive: true},
		"EnvironmentName":      {Bounds: "1..128", Pattern: `[a-zA-Z][a-zA-Z0-9_]*`, Hint: "letters, digits and underscores, beginning with a letter"},
		"EnvironmentValue":     {Bounds: "0..255", Sensitive: true},
	}
}

type createWorkflowRequest struct {
	Name                    string                   `json:"Name,omitzero" aws:"NameString,required"`
	ClientToken             string                   `json:"ClientToken,omitzero" aws:"IdempotencyTokenString"`
	DefinitionS3Location    *definitionS3Location    `json:"DefinitionS3Location,omitzero" aws:"DefinitionS3Location,required"`
	Code                    *code                    `json:"Code,omitzero" aws:"Code"`
	RoleArn                 string                   `json:"RoleArn,omitzero" aws:"RoleARN,required"`
	Description             string                   `json:"Description,omitzero" aws:"DescriptionString"`
	EncryptionConfiguration *encryptionConfiguration `json:"EncryptionConfiguration,omitzero" aws:"EncryptionConfiguration"`
	LoggingConfiguration    *loggingConfiguration    `json:"LoggingConfiguration,omitzero" aws:"LoggingConfiguration"`
	EngineVersion           *int32                   `json:"EngineVersion,omitzero" aws:"EngineVersion"`
	NetworkConfiguration    *networkConfiguration    `json:"NetworkConfiguration,omitzero" aws:"NetworkConfiguration"`
	Tags                    map[string]string        `json:"Tags,omitzero" aws:"Tags"`
	TriggerMode             string                   `json:"TriggerMode,omitzero" aws:"GenericString"`
	Environment             *environment             `json:"Environment,omitzero" aws:"Environment"`
}

type createWorkflowResponse struct {
	WorkflowArn     string       `json:"WorkflowArn" aws:"WorkflowArn,required"`
	CreatedAt       awsjson.Time `json:"CreatedAt,omitzero" aws:"TimestampValue"`
	RevisionId      string       `json:"RevisionId,omitzero" aws:"String"`
	WorkflowStatus  string       `json:"WorkflowStatus,omitzero" aws:"WorkflowStatus"`
	WorkflowVersion string       `json:"WorkflowVersion,omitzero" aws:"WorkflowVersion"`
	IsLatestVersion *bool        `json:"IsLatestVersion,omitzero" aws:"IsLatestVersion"`
	Warnings        []string     `json:"Warnings,omitzero" aws:"WarningMessages"`
}

type updateWorkflowRequest struct {
	WorkflowArn          string                `json:"WorkflowArn,omitzero" aws:"WorkflowArn,required"`
	DefinitionS3Location *definitionS3Location `json:"DefinitionS3Location,omitzero" aws:"DefinitionS3Location,required"`
	Code                 *code                 `json:"Code,omitzero" aws:"Code"`
	RoleArn              string                `json:"RoleArn,omitzero" aws:"RoleARN,required"`
	Description          string                `json:"Description,omitzero" aws:"DescriptionString"`
	LoggingConfiguration *loggingConfiguration `json:"LoggingConfiguration,omitzero" aws:"LoggingConfiguration"`
	EngineVersion        *int32                `json:"EngineVersion,omitzero" aws:"EngineVersion"`
	NetworkConfiguration *networkConfiguration `json:"NetworkConfiguration,omitzero" aws:"NetworkConfiguration"`
	TriggerMode          string                `json:"TriggerMode,omitzero" aws:"GenericString"`
	Environment          *environment          `json:"Environment,omitzero" aws:"Environment"`
}

type updateWorkflowResponse struct {
	WorkflowArn     string       `json:"WorkflowArn" aws:"WorkflowArn,required"`
	ModifiedAt      awsjson.Time `json:"ModifiedAt,omitzero" aws:"TimestampValue"`
	WorkflowVersion string       `json:"WorkflowVersion,omitzero" aws:"WorkflowVersion"`
	Warnings        []string     `json:"Warnings,omitzero" aws:"WarningMessages"`
}

type deleteWorkflowRequest struct {
	WorkflowArn     string `json:"WorkflowArn,omitzero" aws:"WorkflowArn,required"`
	WorkflowVersion string `json:"WorkflowVersion,omitzero" aws:"WorkflowVersion"`
}

type deleteWorkflowResponse struct {
	WorkflowArn     string `json:"WorkflowArn" aws:"WorkflowArn,required"`
	WorkflowVersion string `json:"WorkflowVersion,omitzero" aws:"WorkflowVersion"`
}

type getWorkflowRequest struct {
	WorkflowArn     string `json:"WorkflowArn,omitzero" aws:"WorkflowArn,required"`
	WorkflowVersion string `json:"WorkflowVersion,omitzero" aws:"WorkflowVersion"`
}

type getWorkflowResponse struct {
	WorkflowArn             string                   `json:"WorkflowArn" aws:"WorkflowArn,required"`
	WorkflowVersion         string                   `json:"WorkflowVersion,omitzero" aws:"WorkflowVersion"`
	Name                    string                   `json:"Name,omitzero" aws:"NameString"`
	Description             string                   `json:"Description,omitzero" aws:"DescriptionString"`
	CreatedAt               awsjson.Time             `json:"CreatedAt,omitzero" aws:"TimestampValue"`
	ModifiedAt              awsjson.Time             `json:"ModifiedAt,omitzero" aws:"TimestampValue"`
	EncryptionConfiguration *encryptionConfiguration `json:"EncryptionConfiguration,omitzero" aws:"EncryptionConfiguration"`
	LoggingConfiguration    *loggingConfiguration    `json:"LoggingConfiguration,omitzero" aws:"LoggingConfiguration"`
	EngineVersion           *int32                   `json:"EngineVersion,omitzero" aws:"EngineVersion"`
	WorkflowStatus          string                   `json:"WorkflowStatus,omitzero" aws:"WorkflowStatus"`
	DefinitionS3Location    *definitionS3Location    `json:"DefinitionS3Location,omitzero" aws:"DefinitionS3Location"`
	Code                    *code                    `json:"Code,omitzero" aws:"Code"`
	CodeSnapshottedAt       awsjson.Time             `json:"CodeSnapshottedAt,omitzero" aws:"TimestampValue"`
	ScheduleConfiguration   *scheduleConfiguration   `json:"ScheduleConfiguration,omitzero" aws:"ScheduleConfiguration"`
	RoleArn                 string                   `json:"RoleArn,omitzero" aws:"RoleARN"`
	NetworkConfiguration    *networkConfiguration    `json:"NetworkConfiguration,omitzero" aws:"NetworkConfiguration"`
	TriggerMode             string                   `json:"TriggerMode,omitzero" aws:"GenericString"`
	// WorkflowDefinition is the whole text, however long: the service does
	// not keep to the model here.
	WorkflowDefinition string       `json:"WorkflowDefinition,omitzero" aws:"GenericString"`
	Environment        *environment `json:"Environment,omitzero" aws:"Environment"`
}

type listWorkflowsRequest struct {
	MaxResults int32  `json:"MaxResults,omitzero" aws:"ListWorkflowsRequestMaxResultsInteger"`
	NextToken  string `json:"NextToken,omitzero" aws:"String"`
}

type listWorkflowsResponse struct {
	Workflows []workflowSummary `json:"Workflows" aws:"WorkflowSummaries,required"`
	NextToken string            `json:"NextToken,omitzero" aws:"String"`
}

type workflowSummary struct {
	WorkflowArn     string       `json:"WorkflowArn" aws:"WorkflowArn,required"`
	WorkflowVersion string       `json:"WorkflowVersion,omitzero" aws:"WorkflowVersion"`
	Name            string       `json:"Name,omitzero" aws:"NameString"`
	Description     string       `json:"Description,omitzero" aws:"DescriptionString"`
	CreatedAt       awsjson.Time `json:"CreatedAt,omitzero" aws:"TimestampValue"`
	ModifiedAt      awsjson.Time `json:"ModifiedAt,omitzero" aws:"TimestampValue"`
	WorkflowStatus  string       `json:"WorkflowStatus,omitzero" aws:"WorkflowStatus"`
	TriggerMode     string       `json:"TriggerMode,omitzero" aws:"GenericString"`
}

type listWorkflowVersionsRequest struct {
	MaxResults  int32  `json:"MaxResults,omitzero" aws:"ListWorkflowVersionsRequestMaxResultsInteger"`
	NextToken   string `json:"NextToken,omitzero" aws:"String"`
	WorkflowArn string `json:"WorkflowArn,omitzero" aws:"WorkflowArn,required"`
}

type listWorkflowVersionsResponse struct {
	WorkflowVersions []workflowVersionSummary `json:"WorkflowVersions" aws:"WorkflowVersionSummaries"`
	NextToken        string                   `json:"NextToken,omitzero" aws:"String"`
}

type workflowVersionSummary struct {
	WorkflowVersion       string                 `json:"WorkflowVersion" aws:"WorkflowVersion,required"`
	WorkflowArn           string                 `json:"WorkflowArn" aws:"WorkflowArn,required"`
	IsLatestVersion       bool                   `json:"IsLatestVersion" aws:"IsLatestVersion"`
	CreatedAt             awsjson.Time           `json:"CreatedAt,omitzero" aws:"TimestampValue"`
	ModifiedAt            awsjson.Time           `json:"ModifiedAt,omitzero" aws:"TimestampValue"`
	DefinitionS3Location  *definitionS3Location  `json:"DefinitionS3Location,omitzero" aws:"DefinitionS3Location"`
	ScheduleConfiguration *scheduleConfiguration `json:"ScheduleConfiguration,omitzero" aws:"ScheduleConfiguration"`
	TriggerMode           string                 `json:"TriggerMode,omitzero" aws:"GenericString"`
}

type startWorkflowRunRequest struct {
	WorkflowArn        string                     `json:"WorkflowArn,omitzero" aws:"WorkflowArn,required"`
	ClientToken        string                     `json:"ClientToken,omitzero" aws:"IdempotencyTokenString"`
	OverrideParameters map[string]json.RawMessage `json:"OverrideParameters,omitzero" aws:"ObjectMap"`
	WorkflowVersion    string                     `json:"WorkflowVersion,omitzero" aws:"VersionId"`
}

type startWorkflowRunResponse struct {
	RunId     string       `json:"RunId,omitzero" aws:"IdString"`
	Status    string       `json:"Status,omitzero" aws:"WorkflowRunStatus"`
	StartedAt awsjson.Time `json:"StartedAt,omitzero" aws:"TimestampValue"`
}

type stopWorkflowRunRequest struct {
	WorkflowArn string `json:"WorkflowArn,omitzero" aws:"WorkflowArn,required"`
	RunId       string `json:"RunId,omitzero" aws:"IdString,required"`
}

type stopWorkflowRunResponse struct {
	WorkflowArn     string `json:"WorkflowArn,omitzero" aws:"WorkflowArn"`
	WorkflowVersion string `json:"WorkflowVersion,omitzero" aws:"VersionId"`
	RunId           string `json:"RunId,omitzero" aws:"IdString"`
	Status          string `json:"Status,omitzero" aws:"WorkflowRunStatus"`
}

type getWorkflowRunRequest struct {
	WorkflowArn string `json:"WorkflowArn,omitzero" aws:"WorkflowArn,required"`
	RunId       string `json:"RunId,omitzero" aws:"IdString,required"`
}

type getWorkflowRunResponse struct {
	WorkflowArn        string             `json:"WorkflowArn,omitzero" aws:"WorkflowArn"`
	WorkflowVersion    string             `json:"WorkflowVersion,omitzero" aws:"VersionId"`
	RunId              string             `json:"RunId,omitzero" aws:"IdString"`
	RunType            string             `json:"RunType,omitzero" aws:"RunType"`
	OverrideParameters json.RawMessage    `json:"OverrideParameters,omitzero" aws:"ObjectMap"`
	RunDetail          *workflowRunDetail `json:"RunDetail,omitzero" aws:"WorkflowRunDetail"`
}

type workflowRunDetail struct {
	WorkflowArn     string       `json:"WorkflowArn,omitzero" aws:"WorkflowArn"`
	WorkflowVersion string       `json:"WorkflowVersion,omitzero" aws:"VersionId"`
	RunId           string       `json:"RunId,omitzero" aws:"IdString"`
	RunType         string       `json:"RunType,omitzero" aws:"RunType"`
	StartedOn       awsjson.Time `json:"StartedOn,omitzero" aws:"TimestampValue"`
	CreatedAt       awsjson.Time `json:"CreatedAt,omitzero" aws:"TimestampValue"`
	CompletedOn     awsjson.Time `json:"CompletedOn,omitzero" aws:"TimestampValue"`
	ModifiedAt      awsjson.Time `json:"ModifiedAt,omitzero" aws:"TimestampValue"`
	Duration        *int64       `json:"Duration,omitzero" aws:"Integer"`
	ErrorMessage    string       `json:"ErrorMessage,omitzero" aws:"GenericString"`
	TaskInstances   []string     `json:"TaskInstances" aws:"TaskInstanceIds"`
	RunState        string       `json:"RunState,omitzero" aws:"WorkflowRunStatus"`

	FairleadWaiting *waiting `json:"FairleadWaiting,omitzero"`
}

// waiting is our addition to the API: what an unfinished run or task waits
// for.
type waiting struct {
	Gate   string       `json:"Gate,omitzero"`
	Reason string       `json:"Reason"`
	Until  awsjson.Time `json:"Until,omitzero"`
	On     []string     `json:"On,omitzero"`
	More   int          `json:"More,omitzero"` // beside those of On
}

type listWorkflowRunsRequest struct {
	MaxResults      int32  `json:"MaxResults,omitzero" aws:"ListWorkflowRunsRequestMaxResultsInteger"`
	NextToken       string `json:"NextToken,omitzero" aws:"String"`
	WorkflowArn     string `json:"WorkflowArn,omitzero" aws:"WorkflowArn,required"`
	WorkflowVersion string `json:"WorkflowVersion,omitzero" aws:"VersionId"`
}

type listWorkflowRunsResponse struct {
	WorkflowRuns []workflowRunSummary `json:"WorkflowRuns" aws:"WorkflowRunSummaries"`
	NextToken    string               `json:"NextToken,omitzero" aws:"String"`
}

type workflowRunSummary struct {
	RunId            string            `json:"RunId,omitzero" aws:"IdString"`
	WorkflowArn      string            `json:"WorkflowArn,omitzero" aws:"WorkflowArn"`
	WorkflowVersion  string            `json:"WorkflowVersion,omitzero" aws:"VersionId"`
	RunType          string            `json:"RunType,omitzero" aws:"RunType"`
	RunDetailSummary *runDetailSummary `json:"RunDetailSummary,omitzero" aws:"RunDetailSummary"`
}

type runDetailSummary struct {
	Status    string       `json:"Status,omitzero" aws:"WorkflowRunStatus"`
	CreatedOn awsjson.Time `json:"CreatedOn,omitzero" aws:"TimestampValue"`
	StartedAt awsjson.Time `json:"StartedAt,omitzero" aws:"TimestampValue"`
	EndedAt   awsjson.Time `json:"EndedAt,omitzero" aws:"TimestampValue"`
}

type listTaskInstancesRequest struct {
	WorkflowArn string `json:"WorkflowArn,omitzero" aws:"WorkflowArn,required"`
	RunId       string `json:"RunId,omitzero" aws:"IdString,required"`
	MaxResults  int32  `json:"MaxResults,omitzero" aws:"ListTaskInstancesRequestMaxResultsInteger"`
	NextToken   string `json:"NextToken,omitzero" aws:"String"`
}

type listTaskInstancesResponse struct {
	TaskInstances []taskInstanceSummary `json:"TaskInstances" aws:"TaskInstanceSummaries"`
	NextToken     string                `json:"NextToken,omitzero" aws:"String"`
}

// A taskInstanceSummary has four members more than the model's, which spare
// callers a request for every task.
type taskInstanceSummary struct {
	WorkflowArn       string       `json:"WorkflowArn,omitzero" aws:"WorkflowArn"`
	WorkflowVersion   string       `json:"WorkflowVersion,omitzero" aws:"VersionId"`
	RunId             string       `json:"RunId,omitzero" aws:"IdString"`
	TaskInstanceId    string       `json:"TaskInstanceId,omitzero" aws:"IdString"`
	Status            string       `json:"Status,omitzero" aws:"TaskInstanceStatus"`
	DurationInSeconds *int64       `json:"DurationInSeconds,omitzero" aws:"Integer"`
	OperatorName      string       `json:"OperatorName,omitzero" aws:"GenericString"`
	TaskId            string       `json:"TaskId,omitzero" aws:"IdString"`
	AttemptNumber     int          `json:"AttemptNumber" aws:"Integer"`
	StartedAt         awsjson.Time `json:"StartedAt,omitzero" aws:"TimestampValue"`
	EndedAt           awsjson.Time `json:"EndedAt,omitzero" aws:"TimestampValue"`
}

type getTaskInstanceRequest struct {
	WorkflowArn    string `json:"WorkflowArn,omitzero" aws:"WorkflowArn,required"`
	TaskInstanceId string `json:"TaskInstanceId,omitzero" aws:"IdString,required"`
	RunId          string `json:"RunId,omitzero" aws:"IdString,required"`
}

type getTaskInstanceResponse struct {
	WorkflowArn       string            `json:"WorkflowArn" aws:"WorkflowArn,required"`
	RunId             string            `json:"RunId" aws:"IdString,required"`
	TaskInstanceId    string            `json:"TaskInstanceId" aws:"IdString,required"`
	WorkflowVersion   string            `json:"WorkflowVersion,omitzero" aws:"VersionId"`
	Status            string            `json:"Status,omitzero" aws:"TaskInstanceStatus"`
	DurationInSeconds *int64            `json:"DurationInSeconds,omitzero" aws:"Integer"`
	OperatorName      string            `json:"OperatorName,omitzero" aws:"GenericString"`
	ModifiedAt        awsjson.Time      `json:"ModifiedAt,omitzero" aws:"TimestampValue"`
	EndedAt           awsjson.Time      `json:"EndedAt,omitzero" aws:"TimestampValue"`
	StartedAt         awsjson.Time      `json:"StartedAt,omitzero" aws:"TimestampValue"`
	AttemptNumber     int               `json:"AttemptNumber" aws:"Integer"`
	ErrorMessage      string            `json:"ErrorMessage,omitzero" aws:"GenericString"`
	TaskId            string            `json:"TaskId,omitzero" aws:"IdString"`
	LogStream         string            `json:"LogStream,omitzero" aws:"IdString"`
	Xcom              map[string]string `json:"Xcom,omitzero" aws:"GenericMap"`

	FairleadWaiting *waiting `json:"FairleadWaiting,omitzero"`
}

type tagResourceRequest struct {
	ResourceArn string            `json:"ResourceArn,omitzero" aws:"TaggableResourceArn,required"`
	Tags        map[string]string `json:"Tags,omitzero" aws:"Tags,required"`
}

type tagResourceResponse struct{}

type untagResourceRequest struct {
	ResourceArn string   `json:"ResourceArn,omitzero" aws:"TaggableResourceArn,required"`
	TagKeys     []string `json:"TagKeys,omitzero" aws:"TagKeys,required"`
}

type untagResourceResponse struct{}

type listTagsForResourceRequest struct {
	ResourceArn string `json:"ResourceArn,omitzero" aws:"TaggableResourceArn,required"`
}

type listTagsForResourceResponse struct {
	Tags map[string]string `json:"Tags" aws:"Tags"`
}

type definitionS3Location struct {
	Bucket    string `json:"Bucket" aws:"String,required"`
	ObjectKey string `json:"ObjectKey" aws:"String,required"`
	VersionId string `json:"VersionId,omitzero" aws:"String"`
}

type code struct {
	S3Location *s3Location `json:"S3Location,omitzero" aws:"S3Location"`
}

type s3Location struct {
	Bucket    string `json:"Bucket" aws:"S3LocationBucketString,required"`
	ObjectKey string `json:"ObjectKey" aws:"S3LocationObjectKeyString,required"`
	VersionId string `json:"VersionId,omitzero" aws:"S3LocationVersionIdString"`
}

type encryptionConfiguration struct {
	Type     string `json:"Type" aws:"EncryptionType,required"`
	KmsKeyId string `json:"KmsKeyId,omitzero" aws:"String"`
}

type loggingConfiguration struct {
	LogGroupName string `json:"LogGroupName" aws:"String,required"`
}

type networkConfiguration struct {
	SecurityGroupIds []string `json:"SecurityGroupIds,omitzero" aws:"SecurityGroupIds"`
	SubnetIds        []string `json:"SubnetIds,omitzero" aws:"SubnetIds"`
}

type scheduleConfiguration struct {
	CronExpression string `json:"CronExpression,omitzero" aws:"String"`
}

type environment struct {
	Variables map[string]string `json:"Variables,omitzero" aws:"EnvironmentVariables"`
}

package omics

import (
	"encoding/json"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/aws/restjson"
)

// shapes is the table of constrained shapes of the service's model, version
// 2022-11-28, that requests use.
func shapes() map[string]awsjson.Shape {
	const (
		text   = `[\p{L}||\p{M}||\p{Z}||\p{S}||\p{N}||\p{P}]+`
		onLine = "text without control characters"
	)
	return map[string]awsjson.Shape{
		"WorkflowId":                            {Bounds: "1..18", Pattern: `[0-9]+`, Hint: "a decimal number"},
		"WorkflowType":                          {Bounds: "1..64", Enum: []string{"PRIVATE", "READY2RUN"}},
		"RunId":                                 {Bounds: "1..18", Pattern: `[0-9]+`, Hint: "a decimal number"},
		"RunRoleArn":                            {Bounds: "1..128", Pattern: `arn:.+`},
		"RunName":                               {Bounds: "1..128", Pattern: text, Hint: onLine},
		"NumericIdInArn":                        {Bounds: "1..18", Pattern: `[0-9]+`, Hint: "a decimal number"},
		"CacheBehavior":                         {Bounds: "1..64", Enum: []string{"CACHE_ON_FAILURE", "CACHE_ALWAYS"}},
		"RunGroupId":                            {Bounds: "1..18", Pattern: `[0-9]+`, Hint: "a decimal number"},
		"StartRunRequestPriorityInteger":        {Bounds: "0..100000"},
		"StartRunRequestStorageCapacityInteger": {Bounds: "0..100000"},
		"RunOutputUri":                          {Bounds: "1..750", Pattern: text, Hint: onLine},
		"RunLogLevel":                           {Bounds: "1..64", Enum: []string{"OFF", "FATAL", "ERROR", "ALL"}},
		"TagMap":                                {Key: "TagKey", Member: "TagValue"},
		"TagKey":                                {Bounds: "1..128"},
		"TagValue":                              {Bounds: "0..256"},
		"RunRequestId":                          {Bounds: "1..128", Pattern: text, Hint: onLine},
		"RunRetentionMode":                      {Bounds: "1..64", Enum: []string{"RETAIN", "REMOVE"}},
		"StorageType":                           {Bounds: "1..64", Enum: []string{"STATIC", "DYNAMIC"}},
		"WorkflowOwnerId":                       {Pattern: `[0-9]{12}`},
		"WorkflowVersionName":                   {Bounds: "1..64", Pattern: `[A-Za-z0-9][A-Za-z0-9\-\._]*`},
		"NetworkingMode":                        {Enum: []string{"RESTRICTED", "VPC"}},
		"ScratchStorageMode":                    {Bounds: "1..64", Enum: []string{"LOCAL", "SHARED"}},
		"ConfigurationName":                     {Bounds: "1..128", Pattern: `[A-Za-z0-9][A-Za-z0-9\-\._]*`},
		"RunStatus":                             {Bounds: "1..64", Enum: []string{"PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED", "DELETED", "CANCELLED", "FAILED"}},
		"RunExportList":                         {Bounds: "0..32", Member: "RunExport"},
		"RunExport":                             {Bounds: "1..64", Enum: []string{"DEFINITION"}},
		"BatchId":                               {Bounds: "1..18", Pattern: `[0-9]+`, Hint: "a decimal number"},
		"WorkflowDefinition":                    {Bounds: "1..256", Pattern: text, Hint: onLine},
		"Accelerators":                          {Bounds: "1..64", Enum: []string{"GPU"}},
		"SecurityGroupId":                       {Bounds: "4..128", Pattern: `sg-[0-9a-f]+`},
		"SubnetId":                              {Bounds: "8..128", Pattern: `subnet-[0-9a-f]+`},
		"RunListToken":                          {Bounds: "1..128", Pattern: text, Hint: onLine},
		"ListRunsRequestMaxResultsInteger":      {Bounds: "1..100"},
		"WorkflowName":                          {Bounds: "1..128", Pattern: text, Hint: onLine},
		"TaskStatus":                            {Bounds: "1..64", Enum: []string{"PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED", "CANCELLED", "FAILED"}},
		"TaskListToken":                         {Bounds: "1..128", Pattern: text, Hint: onLine},
		"ListRunTasksRequestMaxResultsInteger":  {Bounds: "1..100"},
		"TaskId":                                {Bounds: "1..18", Pattern: `[0-9]+`, Hint: "a decimal number"},
		"S3UriForBucketOrObject":                {Pattern: `s3://([a-z0-9][a-z0-9-.]{1,61}[a-z0-9])(/(.*))?|file:///.*`},
		"Uri":                                   {Bounds: "1..750", Pattern: text, Hint: onLine},
		"WorkflowDescription":                   {Bounds: "1..256", Pattern: text, Hint: onLine},
		"WorkflowEngine":                        {Bounds: "1..64", Enum: []string{"WDL", "NEXTFLOW", "CWL", "WDL_LENIENT"}},
		"WorkflowMain":                          {Bounds: "1..128", Pattern: text, Hint: onLine},
		"WorkflowParameterTemplate":             {Bounds: "1..2000", Key: "WorkflowParameterName", Member: "WorkflowParameter"},
		"WorkflowParameterName":                 {Bounds: "1..128", Pattern: text, Hint: onLine},
		"WorkflowParameterDescription":          {Bounds: "0..256", Pattern: `|` + text, Hint: onLine},
		"CreateWorkflowRequestStorageCapacityInteger":        {Bounds: "0..100000"},
		"WorkflowRequestId":                                  {Bounds: "1..128", Pattern: text, Hint: onLine},
		"RegistryMappingsList":                               {Member: "RegistryMapping"},
		"EcrRepositoryPrefix":                                {Bounds: "1..256", Pattern: text, Hint: onLine},
		"UpstreamRepositoryPrefix":                           {Bounds: "2..30", Pattern: text, Hint: onLine},
		"AwsAccountId":                                       {Bounds: "12..12", Pattern: `[0-9]+`},
		"ImageMappingsList":                                  {Member: "ImageMapping"},
		"ParameterTemplatePath":                              {Bounds: "1..128", Pattern: text, Hint: onLine},
		"ReadmePath":                                         {Bounds: "1..128", Pattern: text, Hint: onLine},
		"ConnectionArn":                                      {Bounds: "1..256", Pattern: `arn:aws(-[\w]+)*:.+:.+:[0-9]{12}:.+`},
		"FullRepositoryId":                                   {Pattern: `.+/.+`},
		"SourceReferenceType":                                {Enum: []string{"BRANCH", "TAG", "COMMIT"}},
		"ExcludeFilePatternList":                             {Bounds: "1..50", Member: "String"},
		"WorkflowBucketOwnerId":                              {Pattern: `[0-9]{12}`},
		"S3UriForObject":                                     {Pattern: `s3://([a-z0-9][a-z0-9-.]{1,61}[a-z0-9])/((.+))`},
		"WorkflowExportList":                                 {Bounds: "0..32", Member: "WorkflowExport"},
		"WorkflowExport":                                     {Bounds: "1..64", Enum: []string{"DEFINITION", "README"}},
		"WorkflowListToken":                                  {Bounds: "1..128", Pattern: text, Hint: onLine},
		"ListWorkflowsRequestMaxResultsInteger":              {Bounds: "1..100"},
		"UpdateWorkflowRequestStorageCapacityInteger":        {Bounds: "0..100000"},
		"WorkflowVersionDescription":                         {Bounds: "1..256", Pattern: text, Hint: onLine},
		"CreateWorkflowVersionRequestStorageCapacityInteger": {Bounds: "0..100000"},
		"WorkflowVersionListToken":                           {Bounds: "1..256", Pattern: text, Hint: onLine},
		"ListWorkflowVersionsRequestMaxResultsInteger":       {Bounds: "1..100"},
		"UpdateWorkflowVersionRequestStorageCapacityInteger": {Bounds: "0..100000"},
		"RunGroupName":                                       {Bounds: "1..128", Pattern: text, Hint: onLine},
		"CreateRunGroupRequestMaxCpusInteger":                {Bounds: "1..100000"},
		"CreateRunGroupRequestMaxRunsInteger":                {Bounds: "1..100000"},
		"CreateRunGroupRequestMaxDurationInteger":            {Bounds: "1..100000"},
		"RunGroupRequestId":                                  {Bounds: "1..128", Pattern: text, Hint: onLine},
		"CreateRunGroupRequestMaxGpusInteger":                {Bounds: "1..100000"},
		"RunGroupListToken":                                  {Bounds: "1..128", Pattern: text, Hint: onLine},
		"ListRunGroupsRequestMaxResultsInteger":              {Bounds: "1..100"},
		"UpdateRunGroupRequestMaxCpusInteger":                {Bounds: "1..100000"},
		"UpdateRunGroupRequestMaxRunsInteger":                {Bounds: "1..100000"},
		"UpdateRunGroupRequestMaxDurationInteger":            {Bounds: "1..100000"},
		"UpdateRunGroupRequestMaxGpusInteger":                {Bounds: "1..100000"},
		"UserCustomDescription":                              {Bounds: "1..256", Pattern: text, Hint: onLine},
		"UserCustomName":                                     {Bounds: "1..128", Pattern: text, Hint: onLine},
		"RunCacheRequestId":                                  {Bounds: "1..128", Pattern: text, Hint: onLine},
		"RunCacheId":                                         {Bounds: "1..18", Pattern: `[0-9]+`, Hint: "a decimal number"},
		"ListRunCachesRequestMaxResultsInteger":              {Bounds: "1..100"},
		"ListToken":                                          {Bounds: "1..128", Pattern: text, Hint: onLine},
		"BatchName":                                          {Bounds: "1..64", Pattern: text, Hint: onLine},
		"BatchRequestId":                                     {Bounds: "1..128", Pattern: text, Hint: onLine},
		"DefaultRunSettingPriorityInteger":                   {Bounds: "0..100000"},
		"DefaultRunSettingStorageCapacityInteger":            {Bounds: "0..100000"},
		"BatchRunSettings":                                   {Union: true},
		"InlineSettings":                                     {Bounds: "1..100", Member: "InlineSetting"},
		"RunSettingId":                                       {Bounds: "1..128", Pattern: text, Hint: onLine},
		"InlineSettingPriorityInteger":                       {Bounds: "0..100000"},
		"S3UriSettings":                                      {Bounds: "1..750", Pattern: text, Hint: onLine},
		"BatchStatus":                                        {Bounds: "1..64", Enum: []string{"CREATING", "PENDING", "SUBMITTING", "INPROGRESS", "STOPPING", "CANCELLED", "FAILED", "PROCESSED", "RUNS_DELETING", "RUNS_DELETED"}},
		"ListBatchRequestMaxItemsInteger":                    {Bounds: "1..100"},
		"ListRunsInBatchRequestMaxItemsInteger":              {Bounds: "1..100"},
		"SubmissionStatus":                                   {Bounds: "1..64", Enum: []string{"SUCCESS", "FAILED", "CANCEL_SUCCESS", "CANCEL_FAILED", "DELETE_SUCCESS", "DELETE_FAILED"}},
		"ConfigurationDescription":                           {Bounds: "1..256", Pattern: text, Hint: onLine},
		"VpcConfigSecurityGroupIdsList":                      {Bounds: "0..5", Member: "SecurityGroupId"},
		"VpcConfigSubnetIdsList":                             {Bounds: "0..16", Member: "SubnetId"},
		"ConfigurationRequestId":                             {Bounds: "1..128", Pattern: text, Hint: onLine},
		"ListConfigurationsRequestMaxResultsInteger":         {Bounds: "1..10"},
		"ConfigurationListToken":                             {Bounds: "1..128", Pattern: text, Hint: onLine},
		"TagArn":                                             {Bounds: "1..150", Pattern: `arn:.+`},
		"TagResourceRequestTagsMap":                          {Bounds: "0..50", Key: "TagKey", Member: "TagValue"},
		"TagKeyList":                                         {Bounds: "0..50", Member: "TagKey"},

		// Without constraints of their own.
		"StartRunRequest": {}, "RunParameters": {}, "EngineSettings": {}, "String": {}, "GetRunRequest": {},
		"ListRunsRequest": {}, "CancelRunRequest": {}, "DeleteRunRequest": {}, "ListRunTasksRequest": {}, "Boolean": {},
		"GetRunTaskRequest": {}, "CreateWorkflowRequest": {}, "Blob": {}, "WorkflowParameter": {}, "ContainerRegistryMap": {},
		"RegistryMapping": {}, "ImageMapping": {}, "ReadmeMarkdown": {}, "DefinitionRepository": {}, "SourceReference": {},
		"SourceReferenceValue": {}, "GetWorkflowRequest": {}, "ListWorkflowsRequest": {}, "UpdateWorkflowRequest": {}, "DeleteWorkflowRequest": {},
		"CreateWorkflowVersionRequest": {}, "GetWorkflowVersionRequest": {}, "ListWorkflowVersionsRequest": {}, "UpdateWorkflowVersionRequest": {}, "DeleteWorkflowVersionRequest": {},
		"CreateRunGroupRequest": {}, "GetRunGroupRequest": {}, "ListRunGroupsRequest": {}, "UpdateRunGroupRequest": {}, "DeleteRunGroupRequest": {},
		"CreateRunCacheRequest": {}, "GetRunCacheRequest": {}, "ListRunCachesRequest": {}, "UpdateRunCacheRequest": {}, "DeleteRunCacheRequest": {},
		"StartRunBatchRequest": {}, "DefaultRunSetting": {}, "InlineSetting": {}, "GetBatchRequest": {}, "ListBatchRequest": {},
		"ListRunsInBatchRequest": {}, "CancelRunBatchRequest": {}, "DeleteRunBatchRequest": {}, "DeleteBatchRequest": {}, "CreateConfigurationRequest": {},
		"RunConfigurations": {}, "VpcConfig": {}, "GetConfigurationRequest": {}, "ListConfigurationsRequest": {}, "DeleteConfigurationRequest": {},
		"TagResourceRequest": {}, "UntagResourceRequest": {}, "ListTagsForResourceRequest": {},
	}
}

type startRunRequest struct {
	WorkflowID          string            `json:"workflowId,omitzero" aws:"WorkflowId"`
	WorkflowType        string            `json:"workflowType,omitzero" aws:"WorkflowType"`
	RunID               string            `json:"runId,omitzero" aws:"RunId"`
	RoleARN             string            `json:"roleArn,omitzero" aws:"RunRoleArn,required"`
	Name                string            `json:"name,omitzero" aws:"RunName"`
	CacheID             string            `json:"cacheId,omitzero" aws:"NumericIdInArn"`
	CacheBehavior       string            `json:"cacheBehavior,omitzero" aws:"CacheBehavior"`
	RunGroupID          string            `json:"runGroupId,omitzero" aws:"RunGroupId"`
	Priority            *int              `json:"priority,omitzero" aws:"StartRunRequestPriorityInteger"`
	Parameters          json.RawMessage   `json:"parameters,omitzero" aws:"RunParameters"`
	StorageCapacity     *int              `json:"storageCapacity,omitzero" aws:"StartRunRequestStorageCapacityInteger"`
	OutputURI           string            `json:"outputUri,omitzero" aws:"RunOutputUri,required"`
	LogLevel            string            `json:"logLevel,omitzero" aws:"RunLogLevel"`
	Tags                map[string]string `json:"tags,omitzero" aws:"TagMap"`
	RequestID           string            `json:"requestId,omitzero" aws:"RunRequestId,required"`
	RetentionMode       string            `json:"retentionMode,omitzero" aws:"RunRetentionMode"`
	StorageType         string            `json:"storageType,omitzero" aws:"StorageType"`
	WorkflowOwnerID     string            `json:"workflowOwnerId,omitzero" aws:"WorkflowOwnerId"`
	WorkflowVersionName string            `json:"workflowVersionName,omitzero" aws:"WorkflowVersionName"`
	NetworkingMode      string            `json:"networkingMode,omitzero" aws:"NetworkingMode"`
	ScratchStorageMode  string            `json:"scratchStorageMode,omitzero" aws:"ScratchStorageMode"`
	ConfigurationName   string            `json:"configurationName,omitzero" aws:"ConfigurationName"`
	EngineSettings      json.RawMessage   `json:"engineSettings,omitzero" aws:"EngineSettings"`
}

type startRunResponse struct {
	ARN            string                `json:"arn,omitzero" aws:"RunArn"`
	ID             string                `json:"id,omitzero" aws:"RunId"`
	Status         string                `json:"status,omitzero" aws:"RunStatus"`
	Tags           map[string]string     `json:"tags,omitzero" aws:"TagMap"`
	UUID           string                `json:"uuid,omitzero" aws:"RunUuid"`
	RunOutputURI   string                `json:"runOutputUri,omitzero" aws:"RunOutputUri"`
	Configuration  *configurationDetails `json:"configuration,omitzero" aws:"ConfigurationDetails"`
	NetworkingMode string                `json:"networkingMode,omitzero" aws:"String"`
}

type configurationDetails struct {
	Name string `json:"name,omitzero" aws:"ConfigurationName"`
	ARN  string `json:"arn,omitzero" aws:"ConfigurationArn"`
	UUID string `json:"uuid,omitzero" aws:"ConfigurationUuid"`
}

type getRunRequest struct {
	ID     string   `json:"id,omitzero" aws:"RunId,required" in:"path"`
	Export []string `json:"export,omitzero" aws:"RunExportList" in:"query"`
}

type getRunResponse struct {
	ARN                 string                `json:"arn,omitzero" aws:"RunArn"`
	ID                  string                `json:"id,omitzero" aws:"RunId"`
	CacheID             string                `json:"cacheId,omitzero" aws:"NumericIdInArn"`
	CacheBehavior       string                `json:"cacheBehavior,omitzero" aws:"CacheBehavior"`
	EngineVersion       string                `json:"engineVersion,omitzero" aws:"EngineVersion"`
	Status              string                `json:"status,omitzero" aws:"RunStatus"`
	WorkflowID          string                `json:"workflowId,omitzero" aws:"WorkflowId"`
	WorkflowType        string                `json:"workflowType,omitzero" aws:"WorkflowType"`
	RunID               string                `json:"runId,omitzero" aws:"RunId"`
	RoleARN             string                `json:"roleArn,omitzero" aws:"RunRoleArn"`
	Name                string                `json:"name,omitzero" aws:"RunName"`
	RunGroupID          string                `json:"runGroupId,omitzero" aws:"RunGroupId"`
	BatchID             string                `json:"batchId,omitzero" aws:"BatchId"`
	Priority            *int                  `json:"priority,omitzero" aws:"GetRunResponsePriorityInteger"`
	Definition          string                `json:"definition,omitzero" aws:"WorkflowDefinition"`
	Digest              string                `json:"digest,omitzero" aws:"WorkflowDigest"`
	Parameters          json.RawMessage       `json:"parameters,omitzero" aws:"RunParameters"`
	StorageCapacity     *int                  `json:"storageCapacity,omitzero" aws:"GetRunResponseStorageCapacityInteger"`
	OutputURI           string                `json:"outputUri,omitzero" aws:"RunOutputUri"`
	LogLevel            string                `json:"logLevel,omitzero" aws:"RunLogLevel"`
	ResourceDigests     map[string]string     `json:"resourceDigests,omitzero" aws:"RunResourceDigests"`
	StartedBy           string                `json:"startedBy,omitzero" aws:"RunStartedBy"`
	CreationTime        restjson.Time         `json:"creationTime,omitzero" aws:"RunTimestamp"`
	StartTime           restjson.Time         `json:"startTime,omitzero" aws:"RunTimestamp"`
	StopTime            restjson.Time         `json:"stopTime,omitzero" aws:"RunTimestamp"`
	StatusMessage       string                `json:"statusMessage,omitzero" aws:"RunStatusMessage"`
	Tags                map[string]string     `json:"tags,omitzero" aws:"TagMap"`
	Accelerators        string                `json:"accelerators,omitzero" aws:"Accelerators"`
	RetentionMode       string                `json:"retentionMode,omitzero" aws:"RunRetentionMode"`
	FailureReason       string                `json:"failureReason,omitzero" aws:"RunFailureReason"`
	LogLocation         *runLogLocation       `json:"logLocation,omitzero" aws:"RunLogLocation"`
	UUID                string                `json:"uuid,omitzero" aws:"RunUuid"`
	RunOutputURI        string                `json:"runOutputUri,omitzero" aws:"RunOutputUri"`
	StorageType         string                `json:"storageType,omitzero" aws:"StorageType"`
	WorkflowOwnerID     string                `json:"workflowOwnerId,omitzero" aws:"WorkflowOwnerId"`
	WorkflowVersionName string                `json:"workflowVersionName,omitzero" aws:"WorkflowVersionName"`
	WorkflowUUID        string                `json:"workflowUuid,omitzero" aws:"WorkflowUuid"`
	NetworkingMode      string                `json:"networkingMode,omitzero" aws:"NetworkingMode"`
	ScratchStorageMode  string                `json:"scratchStorageMode,omitzero" aws:"ScratchStorageMode"`
	Configuration       *configurationDetails `json:"configuration,omitzero" aws:"ConfigurationDetails"`
	VPCConfig           *vpcConfigResponse    `json:"vpcConfig,omitzero" aws:"VpcConfigResponse"`
	EngineSettings      json.RawMessage       `json:"engineSettings,omitzero" aws:"EngineSettings"`
}

type runLogLocation struct {
	EngineLogStream string `json:"engineLogStream,omitzero" aws:"EngineLogStream"`
	RunLogStream    string `json:"runLogStream,omitzero" aws:"RunLogStream"`
}

type vpcConfigResponse struct {
	SecurityGroupIDs []string `json:"securityGroupIds,omitzero" aws:"SecurityGroupIds"`
	SubnetIDs        []string `json:"subnetIds,omitzero" aws:"SubnetIds"`
	VPCID            string   `json:"vpcId,omitzero" aws:"VpcId"`
}

type listRunsRequest struct {
	Name          string `json:"name,omitzero" aws:"RunName" in:"query"`
	RunGroupID    string `json:"runGroupId,omitzero" aws:"RunGroupId" in:"query"`
	BatchID       string `json:"batchId,omitzero" aws:"BatchId" in:"query"`
	StartingToken string `json:"startingToken,omitzero" aws:"RunListToken" in:"query"`
	MaxResults    *int   `json:"maxResults,omitzero" aws:"ListRunsRequestMaxResultsInteger" in:"query"`
	Status        string `json:"status,omitzero" aws:"RunStatus" in:"query"`
}

type listRunsResponse struct {
	Items     []runListItem `json:"items,omitzero" aws:"RunList"`
	NextToken string        `json:"nextToken,omitzero" aws:"RunListToken"`
}

type runListItem struct {
	ARN                 string        `json:"arn,omitzero" aws:"RunArn"`
	ID                  string        `json:"id,omitzero" aws:"RunId"`
	Status              string        `json:"status,omitzero" aws:"RunStatus"`
	WorkflowID          string        `json:"workflowId,omitzero" aws:"WorkflowId"`
	BatchID             string        `json:"batchId,omitzero" aws:"BatchId"`
	Name                string        `json:"name,omitzero" aws:"RunName"`
	Priority            *int          `json:"priority,omitzero" aws:"RunListItemPriorityInteger"`
	StorageCapacity     *int          `json:"storageCapacity,omitzero" aws:"RunListItemStorageCapacityInteger"`
	CreationTime        restjson.Time `json:"creationTime,omitzero" aws:"RunTimestamp"`
	StartTime           restjson.Time `json:"startTime,omitzero" aws:"RunTimestamp"`
	StopTime            restjson.Time `json:"stopTime,omitzero" aws:"RunTimestamp"`
	StorageType         string        `json:"storageType,omitzero" aws:"StorageType"`
	WorkflowVersionName string        `json:"workflowVersionName,omitzero" aws:"WorkflowVersionName"`
	WorkflowName        string        `json:"workflowName,omitzero" aws:"WorkflowName"`
}

type cancelRunRequest struct {
	ID string `json:"id,omitzero" aws:"RunId,required" in:"path"`
}

type deleteRunRequest struct {
	ID string `json:"id,omitzero" aws:"RunId,required" in:"path"`
}

type listRunTasksRequest struct {
	ID            string `json:"id,omitzero" aws:"RunId,required" in:"path"`
	Status        string `json:"status,omitzero" aws:"TaskStatus" in:"query"`
	StartingToken string `json:"startingToken,omitzero" aws:"TaskListToken" in:"query"`
	MaxResults    *int   `json:"maxResults,omitzero" aws:"ListRunTasksRequestMaxResultsInteger" in:"query"`
}

type listRunTasksResponse struct {
	Items     []taskListItem `json:"items,omitzero" aws:"TaskList"`
	NextToken string         `json:"nextToken,omitzero" aws:"TaskListToken"`
}

type taskListItem struct {
	TaskID       string        `json:"taskId,omitzero" aws:"TaskId"`
	Status       string        `json:"status,omitzero" aws:"TaskStatus"`
	Name         string        `json:"name,omitzero" aws:"TaskName"`
	CPUs         *int          `json:"cpus,omitzero" aws:"TaskListItemCpusInteger"`
	CacheHit     *bool         `json:"cacheHit,omitzero" aws:"Boolean"`
	CacheS3URI   string        `json:"cacheS3Uri,omitzero" aws:"S3UriForBucketOrObject"`
	Memory       *int          `json:"memory,omitzero" aws:"TaskListItemMemoryInteger"`
	CreationTime restjson.Time `json:"creationTime,omitzero" aws:"TaskTimestamp"`
	StartTime    restjson.Time `json:"startTime,omitzero" aws:"TaskTimestamp"`
	StopTime     restjson.Time `json:"stopTime,omitzero" aws:"TaskTimestamp"`
	GPUs         *int          `json:"gpus,omitzero" aws:"TaskListItemGpusInteger"`
	InstanceType string        `json:"instanceType,omitzero" aws:"TaskInstanceType"`
	UUID         string        `json:"uuid,omitzero" aws:"TaskUuid"`
}

type getRunTaskRequest struct {
	ID     string `json:"id,omitzero" aws:"RunId,required" in:"path"`
	TaskID string `json:"taskId,omitzero" aws:"TaskId,required" in:"path"`
}

type getRunTaskResponse struct {
	TaskID        string        `json:"taskId,omitzero" aws:"TaskId"`
	Status        string        `json:"status,omitzero" aws:"TaskStatus"`
	Name          string        `json:"name,omitzero" aws:"TaskName"`
	CPUs          *int          `json:"cpus,omitzero" aws:"GetRunTaskResponseCpusInteger"`
	CacheHit      *bool         `json:"cacheHit,omitzero" aws:"Boolean"`
	CacheS3URI    string        `json:"cacheS3Uri,omitzero" aws:"S3UriForBucketOrObject"`
	Memory        *int          `json:"memory,omitzero" aws:"GetRunTaskResponseMemoryInteger"`
	CreationTime  restjson.Time `json:"creationTime,omitzero" aws:"TaskTimestamp"`
	StartTime     restjson.Time `json:"startTime,omitzero" aws:"TaskTimestamp"`
	StopTime      restjson.Time `json:"stopTime,omitzero" aws:"TaskTimestamp"`
	StatusMessage string        `json:"statusMessage,omitzero" aws:"TaskStatusMessage"`
	LogStream     string        `json:"logStream,omitzero" aws:"TaskLogStream"`
	GPUs          *int          `json:"gpus,omitzero" aws:"GetRunTaskResponseGpusInteger"`
	InstanceType  string        `json:"instanceType,omitzero" aws:"TaskInstanceType"`
	FailureReason string        `json:"failureReason,omitzero" aws:"TaskFailureReason"`
	ImageDetails  *imageDetails `json:"imageDetails,omitzero" aws:"ImageDetails"`
	UUID          string        `json:"uuid,omitzero" aws:"TaskUuid"`
}

type imageDetails struct {
	Image       string `json:"image,omitzero" aws:"Uri"`
	ImageDigest string `json:"imageDigest,omitzero" aws:"TaskImageDigest"`
	SourceImage string `json:"sourceImage,omitzero" aws:"Uri"`
}

type createWorkflowRequest struct {
	Name                    string                       `json:"name,omitzero" aws:"WorkflowName"`
	Description             string                       `json:"description,omitzero" aws:"WorkflowDescription"`
	Engine                  string                       `json:"engine,omitzero" aws:"WorkflowEngine"`
	DefinitionZip           []byte                       `json:"definitionZip,omitzero" aws:"Blob"`
	DefinitionURI           string                       `json:"definitionUri,omitzero" aws:"WorkflowDefinition"`
	Main                    string                       `json:"main,omitzero" aws:"WorkflowMain"`
	ParameterTemplate       map[string]workflowParameter `json:"parameterTemplate,omitzero" aws:"WorkflowParameterTemplate"`
	StorageCapacity         *int                         `json:"storageCapacity,omitzero" aws:"CreateWorkflowRequestStorageCapacityInteger"`
	Tags                    map[string]string            `json:"tags,omitzero" aws:"TagMap"`
	RequestID               string                       `json:"requestId,omitzero" aws:"WorkflowRequestId,required"`
	Accelerators            string                       `json:"accelerators,omitzero" aws:"Accelerators"`
	StorageType             string                       `json:"storageType,omitzero" aws:"StorageType"`
	ContainerRegistryMap    *containerRegistryMap        `json:"containerRegistryMap,omitzero" aws:"ContainerRegistryMap"`
	ContainerRegistryMapURI string                       `json:"containerRegistryMapUri,omitzero" aws:"Uri"`
	ReadmeMarkdown          string                       `json:"readmeMarkdown,omitzero" aws:"ReadmeMarkdown"`
	ParameterTemplatePath   string                       `json:"parameterTemplatePath,omitzero" aws:"ParameterTemplatePath"`
	ReadmePath              string                       `json:"readmePath,omitzero" aws:"ReadmePath"`
	DefinitionRepository    *definitionRepository        `json:"definitionRepository,omitzero" aws:"DefinitionRepository"`
	WorkflowBucketOwnerID   string                       `json:"workflowBucketOwnerId,omitzero" aws:"WorkflowBucketOwnerId"`
	ReadmeURI               string                       `json:"readmeUri,omitzero" aws:"S3UriForObject"`
}

type workflowParameter struct {
	Description string `json:"description,omitzero" aws:"WorkflowParameterDescription"`
	Optional    *bool  `json:"optional,omitzero" aws:"Boolean"`
}

type containerRegistryMap struct {
	RegistryMappings []registryMapping `json:"registryMappings,omitzero" aws:"RegistryMappingsList"`
	ImageMappings    []imageMapping    `json:"imageMappings,omitzero" aws:"ImageMappingsList"`
}

type registryMapping struct {
	UpstreamRegistryURL      string `json:"upstreamRegistryUrl,omitzero" aws:"Uri"`
	EcrRepositoryPrefix      string `json:"ecrRepositoryPrefix,omitzero" aws:"EcrRepositoryPrefix"`
	UpstreamRepositoryPrefix string `json:"upstreamRepositoryPrefix,omitzero" aws:"UpstreamRepositoryPrefix"`
	EcrAccountID             string `json:"ecrAccountId,omitzero" aws:"AwsAccountId"`
}

type imageMapping struct {
	SourceImage      string `json:"sourceImage,omitzero" aws:"Uri"`
	DestinationImage string `json:"destinationImage,omitzero" aws:"Uri"`
}

type definitionRepository struct {
	ConnectionARN       string           `json:"connectionArn,omitzero" aws:"ConnectionArn,required"`
	FullRepositoryID    string           `json:"fullRepositoryId,omitzero" aws:"FullRepositoryId,required"`
	SourceReference     *sourceReference `json:"sourceReference,omitzero" aws:"SourceReference"`
	ExcludeFilePatterns []string         `json:"excludeFilePatterns,omitzero" aws:"ExcludeFilePatternList"`
}

type sourceReference struct {
	Type  string `json:"type,omitzero" aws:"SourceReferenceType,required"`
	Value string `json:"value,omitzero" aws:"SourceReferenceValue,required"`
}

type createWorkflowResponse struct {
	ARN    string            `json:"arn,omitzero" aws:"WorkflowArn"`
	ID     string            `json:"id,omitzero" aws:"WorkflowId"`
	Status string            `json:"status,omitzero" aws:"WorkflowStatus"`
	Tags   map[string]string `json:"tags,omitzero" aws:"TagMap"`
	UUID   string            `json:"uuid,omitzero" aws:"WorkflowUuid"`
}

type getWorkflowRequest struct {
	ID              string   `json:"id,omitzero" aws:"WorkflowId,required" in:"path"`
	Type            string   `json:"type,omitzero" aws:"WorkflowType" in:"query"`
	Export          []string `json:"export,omitzero" aws:"WorkflowExportList" in:"query"`
	WorkflowOwnerID string   `json:"workflowOwnerId,omitzero" aws:"WorkflowOwnerId" in:"query"`
}

type getWorkflowResponse struct {
	ARN                         string                                  `json:"arn,omitzero" aws:"WorkflowArn"`
	ID                          string                                  `json:"id,omitzero" aws:"WorkflowId"`
	Status                      string                                  `json:"status,omitzero" aws:"WorkflowStatus"`
	Type                        string                                  `json:"type,omitzero" aws:"WorkflowType"`
	Name                        string                                  `json:"name,omitzero" aws:"WorkflowName"`
	Description                 string                                  `json:"description,omitzero" aws:"WorkflowDescription"`
	Engine                      string                                  `json:"engine,omitzero" aws:"WorkflowEngine"`
	Definition                  string                                  `json:"definition,omitzero" aws:"WorkflowDefinition"`
	Main                        string                                  `json:"main,omitzero" aws:"WorkflowMain"`
	Digest                      string                                  `json:"digest,omitzero" aws:"WorkflowDigest"`
	ParameterTemplate           map[string]workflowParameter            `json:"parameterTemplate,omitzero" aws:"WorkflowParameterTemplate"`
	StorageCapacity             *int                                    `json:"storageCapacity,omitzero" aws:"GetWorkflowResponseStorageCapacityInteger"`
	CreationTime                restjson.Time                           `json:"creationTime,omitzero" aws:"WorkflowTimestamp"`
	StatusMessage               string                                  `json:"statusMessage,omitzero" aws:"WorkflowStatusMessage"`
	Tags                        map[string]string                       `json:"tags,omitzero" aws:"TagMap"`
	Metadata                    map[string]string                       `json:"metadata,omitzero" aws:"WorkflowMetadata"`
	Accelerators                string                                  `json:"accelerators,omitzero" aws:"Accelerators"`
	StorageType                 string                                  `json:"storageType,omitzero" aws:"StorageType"`
	UUID                        string                                  `json:"uuid,omitzero" aws:"WorkflowUuid"`
	ContainerRegistryMap        *containerRegistryMap                   `json:"containerRegistryMap,omitzero" aws:"ContainerRegistryMap"`
	Readme                      string                                  `json:"readme,omitzero" aws:"ReadmeS3PresignedUrl"`
	DefinitionRepositoryDetails *definitionRepositoryDetails            `json:"definitionRepositoryDetails,omitzero" aws:"DefinitionRepositoryDetails"`
	ReadmePath                  string                                  `json:"readmePath,omitzero" aws:"ReadmePath"`
	Profiles                    []string                                `json:"profiles,omitzero" aws:"WorkflowProfileList"`
	ProfileParameterTemplates   map[string]map[string]workflowParameter `json:"profileParameterTemplates,omitzero" aws:"WorkflowProfileParameterTemplates"`
}

type definitionRepositoryDetails struct {
	ConnectionARN    string           `json:"connectionArn,omitzero" aws:"ConnectionArn"`
	FullRepositoryID string           `json:"fullRepositoryId,omitzero" aws:"FullRepositoryId"`
	SourceReference  *sourceReference `json:"sourceReference,omitzero" aws:"SourceReference"`
	ProviderType     string           `json:"providerType,omitzero" aws:"String"`
	ProviderEndpoint string           `json:"providerEndpoint,omitzero" aws:"String"`
}

type listWorkflowsRequest struct {
	Type          string `json:"type,omitzero" aws:"WorkflowType" in:"query"`
	Name          string `json:"name,omitzero" aws:"WorkflowName" in:"query"`
	StartingToken string `json:"startingToken,omitzero" aws:"WorkflowListToken" in:"query"`
	MaxResults    *int   `json:"maxResults,omitzero" aws:"ListWorkflowsRequestMaxResultsInteger" in:"query"`
}

type listWorkflowsResponse struct {
	Items     []workflowListItem `json:"items,omitzero" aws:"WorkflowList"`
	NextToken string             `json:"nextToken,omitzero" aws:"WorkflowListToken"`
}

type workflowListItem struct {
	ARN          string            `json:"arn,omitzero" aws:"WorkflowArn"`
	ID           string            `json:"id,omitzero" aws:"WorkflowId"`
	Name         string            `json:"name,omitzero" aws:"WorkflowName"`
	Status       string            `json:"status,omitzero" aws:"WorkflowStatus"`
	Type         string            `json:"type,omitzero" aws:"WorkflowType"`
	Digest       string            `json:"digest,omitzero" aws:"WorkflowDigest"`
	CreationTime restjson.Time     `json:"creationTime,omitzero" aws:"WorkflowTimestamp"`
	Metadata     map[string]string `json:"metadata,omitzero" aws:"WorkflowMetadata"`
}

type updateWorkflowRequest struct {
	ID              string  `json:"id,omitzero" aws:"WorkflowId,required" in:"path"`
	Name            *string `json:"name,omitzero" aws:"WorkflowName"`
	Description     *string `json:"description,omitzero" aws:"WorkflowDescription"`
	StorageType     *string `json:"storageType,omitzero" aws:"StorageType"`
	StorageCapacity *int    `json:"storageCapacity,omitzero" aws:"UpdateWorkflowRequestStorageCapacityInteger"`
	ReadmeMarkdown  *string `json:"readmeMarkdown,omitzero" aws:"ReadmeMarkdown"`
}

type deleteWorkflowRequest struct {
	ID string `json:"id,omitzero" aws:"WorkflowId,required" in:"path"`
}

type createWorkflowVersionRequest struct {
	WorkflowID              string                       `json:"workflowId,omitzero" aws:"WorkflowId,required" in:"path"`
	VersionName             string                       `json:"versionName,omitzero" aws:"WorkflowVersionName,required"`
	DefinitionZip           []byte                       `json:"definitionZip,omitzero" aws:"Blob"`
	DefinitionURI           string                       `json:"definitionUri,omitzero" aws:"WorkflowDefinition"`
	Accelerators            string                       `json:"accelerators,omitzero" aws:"Accelerators"`
	Description             string                       `json:"description,omitzero" aws:"WorkflowVersionDescription"`
	Engine                  string                       `json:"engine,omitzero" aws:"WorkflowEngine"`
	Main                    string                       `json:"main,omitzero" aws:"WorkflowMain"`
	ParameterTemplate       map[string]workflowParameter `json:"parameterTemplate,omitzero" aws:"WorkflowParameterTemplate"`
	RequestID               string                       `json:"requestId,omitzero" aws:"WorkflowRequestId,required"`
	StorageType             string                       `json:"storageType,omitzero" aws:"StorageType"`
	StorageCapacity         *int                         `json:"storageCapacity,omitzero" aws:"CreateWorkflowVersionRequestStorageCapacityInteger"`
	Tags                    map[string]string            `json:"tags,omitzero" aws:"TagMap"`
	WorkflowBucketOwnerID   string                       `json:"workflowBucketOwnerId,omitzero" aws:"WorkflowBucketOwnerId"`
	ContainerRegistryMap    *containerRegistryMap        `json:"containerRegistryMap,omitzero" aws:"ContainerRegistryMap"`
	ContainerRegistryMapURI string                       `json:"containerRegistryMapUri,omitzero" aws:"Uri"`
	ReadmeMarkdown          string                       `json:"readmeMarkdown,omitzero" aws:"ReadmeMarkdown"`
	ParameterTemplatePath   string                       `json:"parameterTemplatePath,omitzero" aws:"ParameterTemplatePath"`
	ReadmePath              string                       `json:"readmePath,omitzero" aws:"ReadmePath"`
	DefinitionRepository    *definitionRepository        `json:"definitionRepository,omitzero" aws:"DefinitionRepository"`
	ReadmeURI               string                       `json:"readmeUri,omitzero" aws:"S3UriForObject"`
}

type createWorkflowVersionResponse struct {
	ARN         string            `json:"arn,omitzero" aws:"WorkflowVersionArn"`
	WorkflowID  string            `json:"workflowId,omitzero" aws:"WorkflowId"`
	VersionName string            `json:"versionName,omitzero" aws:"WorkflowVersionName"`
	Status      string            `json:"status,omitzero" aws:"WorkflowStatus"`
	Tags        map[string]string `json:"tags,omitzero" aws:"TagMap"`
	UUID        string            `json:"uuid,omitzero" aws:"WorkflowUuid"`
}

type getWorkflowVersionRequest struct {
	WorkflowID      string   `json:"workflowId,omitzero" aws:"WorkflowId,required" in:"path"`
	VersionName     string   `json:"versionName,omitzero" aws:"WorkflowVersionName,required" in:"path"`
	Type            string   `json:"type,omitzero" aws:"WorkflowType" in:"query"`
	Export          []string `json:"export,omitzero" aws:"WorkflowExportList" in:"query"`
	WorkflowOwnerID string   `json:"workflowOwnerId,omitzero" aws:"WorkflowOwnerId" in:"query"`
}

type getWorkflowVersionResponse struct {
	ARN                         string                                  `json:"arn,omitzero" aws:"WorkflowVersionArn"`
	WorkflowID                  string                                  `json:"workflowId,omitzero" aws:"WorkflowId"`
	VersionName                 string                                  `json:"versionName,omitzero" aws:"WorkflowVersionName"`
	Accelerators                string                                  `json:"accelerators,omitzero" aws:"Accelerators"`
	CreationTime                restjson.Time                           `json:"creationTime,omitzero" aws:"WorkflowTimestamp"`
	Description                 string                                  `json:"description,omitzero" aws:"WorkflowVersionDescription"`
	Definition                  string                                  `json:"definition,omitzero" aws:"WorkflowDefinition"`
	Digest                      string                                  `json:"digest,omitzero" aws:"WorkflowDigest"`
	Engine                      string                                  `json:"engine,omitzero" aws:"WorkflowEngine"`
	Main                        string                                  `json:"main,omitzero" aws:"WorkflowMain"`
	Metadata                    map[string]string                       `json:"metadata,omitzero" aws:"WorkflowMetadata"`
	ParameterTemplate           map[string]workflowParameter            `json:"parameterTemplate,omitzero" aws:"WorkflowParameterTemplate"`
	Status                      string                                  `json:"status,omitzero" aws:"WorkflowStatus"`
	StatusMessage               string                                  `json:"statusMessage,omitzero" aws:"WorkflowStatusMessage"`
	StorageType                 string                                  `json:"storageType,omitzero" aws:"StorageType"`
	StorageCapacity             *int                                    `json:"storageCapacity,omitzero" aws:"GetWorkflowVersionResponseStorageCapacityInteger"`
	Type                        string                                  `json:"type,omitzero" aws:"WorkflowType"`
	Tags                        map[string]string                       `json:"tags,omitzero" aws:"TagMap"`
	UUID                        string                                  `json:"uuid,omitzero" aws:"WorkflowUuid"`
	WorkflowBucketOwnerID       string                                  `json:"workflowBucketOwnerId,omitzero" aws:"WorkflowBucketOwnerId"`
	ContainerRegistryMap        *containerRegistryMap                   `json:"containerRegistryMap,omitzero" aws:"ContainerRegistryMap"`
	Readme                      string                                  `json:"readme,omitzero" aws:"ReadmeS3PresignedUrl"`
	DefinitionRepositoryDetails *definitionRepositoryDetails            `json:"definitionRepositoryDetails,omitzero" aws:"DefinitionRepositoryDetails"`
	ReadmePath                  string                                  `json:"readmePath,omitzero" aws:"ReadmePath"`
	Profiles                    []string                                `json:"profiles,omitzero" aws:"WorkflowProfileList"`
	ProfileParameterTemplates   map[string]map[string]workflowParameter `json:"profileParameterTemplates,omitzero" aws:"WorkflowProfileParameterTemplates"`
}

type listWorkflowVersionsRequest struct {
	WorkflowID      string `json:"workflowId,omitzero" aws:"WorkflowId,required" in:"path"`
	Type            string `json:"type,omitzero" aws:"WorkflowType" in:"query"`
	WorkflowOwnerID string `json:"workflowOwnerId,omitzero" aws:"WorkflowOwnerId" in:"query"`
	StartingToken   string `json:"startingToken,omitzero" aws:"WorkflowVersionListToken" in:"query"`
	MaxResults      *int   `json:"maxResults,omitzero" aws:"ListWorkflowVersionsRequestMaxResultsInteger" in:"query"`
}

type listWorkflowVersionsResponse struct {
	Items     []workflowVersionListItem `json:"items,omitzero" aws:"WorkflowVersionList"`
	NextToken string                    `json:"nextToken,omitzero" aws:"WorkflowVersionListToken"`
}

type workflowVersionListItem struct {
	ARN          string            `json:"arn,omitzero" aws:"WorkflowVersionArn"`
	WorkflowID   string            `json:"workflowId,omitzero" aws:"WorkflowId"`
	VersionName  string            `json:"versionName,omitzero" aws:"WorkflowVersionName"`
	Description  string            `json:"description,omitzero" aws:"WorkflowVersionDescription"`
	Status       string            `json:"status,omitzero" aws:"WorkflowStatus"`
	Type         string            `json:"type,omitzero" aws:"WorkflowType"`
	Digest       string            `json:"digest,omitzero" aws:"WorkflowDigest"`
	CreationTime restjson.Time     `json:"creationTime,omitzero" aws:"WorkflowTimestamp"`
	Metadata     map[string]string `json:"metadata,omitzero" aws:"WorkflowMetadata"`
}

type updateWorkflowVersionRequest struct {
	WorkflowID      string  `json:"workflowId,omitzero" aws:"WorkflowId,required" in:"path"`
	VersionName     string  `json:"versionName,omitzero" aws:"WorkflowVersionName,required" in:"path"`
	Description     *string `json:"description,omitzero" aws:"WorkflowVersionDescription"`
	StorageType     *string `json:"storageType,omitzero" aws:"StorageType"`
	StorageCapacity *int    `json:"storageCapacity,omitzero" aws:"UpdateWorkflowVersionRequestStorageCapacityInteger"`
	ReadmeMarkdown  *string `json:"readmeMarkdown,omitzero" aws:"ReadmeMarkdown"`
}

type deleteWorkflowVersionRequest struct {
	WorkflowID  string `json:"workflowId,omitzero" aws:"WorkflowId,required" in:"path"`
	VersionName string `json:"versionName,omitzero" aws:"WorkflowVersionName,required" in:"path"`
}

type createRunGroupRequest struct {
	Name        string            `json:"name,omitzero" aws:"RunGroupName"`
	MaxCPUs     *int              `json:"maxCpus,omitzero" aws:"CreateRunGroupRequestMaxCpusInteger"`
	MaxRuns     *int              `json:"maxRuns,omitzero" aws:"CreateRunGroupRequestMaxRunsInteger"`
	MaxDuration *int              `json:"maxDuration,omitzero" aws:"CreateRunGroupRequestMaxDurationInteger"`
	Tags        map[string]string `json:"tags,omitzero" aws:"TagMap"`
	RequestID   string            `json:"requestId,omitzero" aws:"RunGroupRequestId,required"`
	MaxGPUs     *int              `json:"maxGpus,omitzero" aws:"CreateRunGroupRequestMaxGpusInteger"`
}

type createRunGroupResponse struct {
	ARN  string            `json:"arn,omitzero" aws:"RunGroupArn"`
	ID   string            `json:"id,omitzero" aws:"RunGroupId"`
	Tags map[string]string `json:"tags,omitzero" aws:"TagMap"`
}

type getRunGroupRequest struct {
	ID string `json:"id,omitzero" aws:"RunGroupId,required" in:"path"`
}

type getRunGroupResponse struct {
	ARN          string            `json:"arn,omitzero" aws:"RunGroupArn"`
	ID           string            `json:"id,omitzero" aws:"RunGroupId"`
	Name         string            `json:"name,omitzero" aws:"RunGroupName"`
	MaxCPUs      *int              `json:"maxCpus,omitzero" aws:"GetRunGroupResponseMaxCpusInteger"`
	MaxRuns      *int              `json:"maxRuns,omitzero" aws:"GetRunGroupResponseMaxRunsInteger"`
	MaxDuration  *int              `json:"maxDuration,omitzero" aws:"GetRunGroupResponseMaxDurationInteger"`
	CreationTime restjson.Time     `json:"creationTime,omitzero" aws:"RunGroupTimestamp"`
	Tags         map[string]string `json:"tags,omitzero" aws:"TagMap"`
	MaxGPUs      *int              `json:"maxGpus,omitzero" aws:"GetRunGroupResponseMaxGpusInteger"`
}

type listRunGroupsRequest struct {
	Name          string `json:"name,omitzero" aws:"RunGroupName" in:"query"`
	StartingToken string `json:"startingToken,omitzero" aws:"RunGroupListToken" in:"query"`
	MaxResults    *int   `json:"maxResults,omitzero" aws:"ListRunGroupsRequestMaxResultsInteger" in:"query"`
}

type listRunGroupsResponse struct {
	Items     []runGroupListItem `json:"items,omitzero" aws:"RunGroupList"`
	NextToken string             `json:"nextToken,omitzero" aws:"RunGroupListToken"`
}

type runGroupListItem struct {
	ARN          string        `json:"arn,omitzero" aws:"RunGroupArn"`
	ID           string        `json:"id,omitzero" aws:"RunGroupId"`
	Name         string        `json:"name,omitzero" aws:"RunGroupName"`
	MaxCPUs      *int          `json:"maxCpus,omitzero" aws:"RunGroupListItemMaxCpusInteger"`
	MaxRuns      *int          `json:"maxRuns,omitzero" aws:"RunGroupListItemMaxRunsInteger"`
	MaxDuration  *int          `json:"maxDuration,omitzero" aws:"RunGroupListItemMaxDurationInteger"`
	CreationTime restjson.Time `json:"creationTime,omitzero" aws:"RunGroupTimestamp"`
	MaxGPUs      *int          `json:"maxGpus,omitzero" aws:"RunGroupListItemMaxGpusInteger"`
}

type updateRunGroupRequest struct {
	ID          string  `json:"id,omitzero" aws:"RunGroupId,required" in:"path"`
	Name        *string `json:"name,omitzero" aws:"RunGroupName"`
	MaxCPUs     *int    `json:"maxCpus,omitzero" aws:"UpdateRunGroupRequestMaxCpusInteger"`
	MaxRuns     *int    `json:"maxRuns,omitzero" aws:"UpdateRunGroupRequestMaxRunsInteger"`
	MaxDuration *int    `json:"maxDuration,omitzero" aws:"UpdateRunGroupRequestMaxDurationInteger"`
	MaxGPUs     *int    `json:"maxGpus,omitzero" aws:"UpdateRunGroupRequestMaxGpusInteger"`
}

type deleteRunGroupRequest struct {
	ID string `json:"id,omitzero" aws:"RunGroupId,required" in:"path"`
}

type createRunCacheRequest struct {
	CacheBehavior      string            `json:"cacheBehavior,omitzero" aws:"CacheBehavior"`
	CacheS3Location    string            `json:"cacheS3Location,omitzero" aws:"S3UriForBucketOrObject,required"`
	Description        string            `json:"description,omitzero" aws:"UserCustomDescription"`
	Name               string            `json:"name,omitzero" aws:"UserCustomName"`
	RequestID          string            `json:"requestId,omitzero" aws:"RunCacheRequestId,required"`
	Tags               map[string]string `json:"tags,omitzero" aws:"TagMap"`
	CacheBucketOwnerID string            `json:"cacheBucketOwnerId,omitzero" aws:"AwsAccountId"`
}

type createRunCacheResponse struct {
	ARN    string            `json:"arn,omitzero" aws:"RunCacheArn"`
	ID     string            `json:"id,omitzero" aws:"RunCacheId"`
	Status string            `json:"status,omitzero" aws:"RunCacheStatus"`
	Tags   map[string]string `json:"tags,omitzero" aws:"TagMap"`
}

type getRunCacheRequest struct {
	ID string `json:"id,omitzero" aws:"RunCacheId,required" in:"path"`
}

type getRunCacheResponse struct {
	ARN                string            `json:"arn,omitzero" aws:"RunCacheArn"`
	CacheBehavior      string            `json:"cacheBehavior,omitzero" aws:"CacheBehavior"`
	CacheBucketOwnerID string            `json:"cacheBucketOwnerId,omitzero" aws:"AwsAccountId"`
	CacheS3URI         string            `json:"cacheS3Uri,omitzero" aws:"S3UriForBucketOrObject"`
	CreationTime       restjson.Time     `json:"creationTime,omitzero" aws:"RunCacheTimestamp"`
	Description        string            `json:"description,omitzero" aws:"UserCustomDescription"`
	ID                 string            `json:"id,omitzero" aws:"RunCacheId"`
	Name               string            `json:"name,omitzero" aws:"UserCustomName"`
	Status             string            `json:"status,omitzero" aws:"RunCacheStatus"`
	Tags               map[string]string `json:"tags,omitzero" aws:"TagMap"`
}

type listRunCachesRequest struct {
	MaxResults    *int   `json:"maxResults,omitzero" aws:"ListRunCachesRequestMaxResultsInteger" in:"query"`
	StartingToken string `json:"startingToken,omitzero" aws:"ListToken" in:"query"`
}

type listRunCachesResponse struct {
	Items     []runCacheListItem `json:"items,omitzero" aws:"RunCacheList"`
	NextToken string             `json:"nextToken,omitzero" aws:"ListToken"`
}

type runCacheListItem struct {
	ARN           string        `json:"arn,omitzero" aws:"RunCacheArn"`
	CacheBehavior string        `json:"cacheBehavior,omitzero" aws:"CacheBehavior"`
	CacheS3URI    string        `json:"cacheS3Uri,omitzero" aws:"S3UriForBucketOrObject"`
	CreationTime  restjson.Time `json:"creationTime,omitzero" aws:"RunCacheTimestamp"`
	ID            string        `json:"id,omitzero" aws:"RunCacheId"`
	Name          string        `json:"name,omitzero" aws:"UserCustomName"`
	Status        string        `json:"status,omitzero" aws:"RunCacheStatus"`
}

type updateRunCacheRequest struct {
	CacheBehavior *string `json:"cacheBehavior,omitzero" aws:"CacheBehavior"`
	Description   *string `json:"description,omitzero" aws:"UserCustomDescription"`
	ID            string  `json:"id,omitzero" aws:"RunCacheId,required" in:"path"`
	Name          *string `json:"name,omitzero" aws:"UserCustomName"`
}

type deleteRunCacheRequest struct {
	ID string `json:"id,omitzero" aws:"RunCacheId,required" in:"path"`
}

type startRunBatchRequest struct {
	BatchName         string             `json:"batchName,omitzero" aws:"BatchName"`
	RequestID         string             `json:"requestId,omitzero" aws:"BatchRequestId,required"`
	Tags              map[string]string  `json:"tags,omitzero" aws:"TagMap"`
	DefaultRunSetting *defaultRunSetting `json:"defaultRunSetting,omitzero" aws:"DefaultRunSetting,required"`
	BatchRunSettings  *batchRunSettings  `json:"batchRunSettings,omitzero" aws:"BatchRunSettings,required"`
}

type defaultRunSetting struct {
	WorkflowID          string            `json:"workflowId,omitzero" aws:"WorkflowId,required"`
	WorkflowType        string            `json:"workflowType,omitzero" aws:"WorkflowType"`
	RoleARN             string            `json:"roleArn,omitzero" aws:"RunRoleArn,required"`
	Name                string            `json:"name,omitzero" aws:"RunName"`
	CacheID             string            `json:"cacheId,omitzero" aws:"NumericIdInArn"`
	CacheBehavior       string            `json:"cacheBehavior,omitzero" aws:"CacheBehavior"`
	RunGroupID          string            `json:"runGroupId,omitzero" aws:"RunGroupId"`
	Priority            *int              `json:"priority,omitzero" aws:"DefaultRunSettingPriorityInteger"`
	Parameters          json.RawMessage   `json:"parameters,omitzero" aws:"RunParameters"`
	StorageCapacity     *int              `json:"storageCapacity,omitzero" aws:"DefaultRunSettingStorageCapacityInteger"`
	OutputURI           string            `json:"outputUri,omitzero" aws:"RunOutputUri"`
	LogLevel            string            `json:"logLevel,omitzero" aws:"RunLogLevel"`
	RunTags             map[string]string `json:"runTags,omitzero" aws:"TagMap"`
	RetentionMode       string            `json:"retentionMode,omitzero" aws:"RunRetentionMode"`
	StorageType         string            `json:"storageType,omitzero" aws:"StorageType"`
	WorkflowOwnerID     string            `json:"workflowOwnerId,omitzero" aws:"WorkflowOwnerId"`
	OutputBucketOwnerID string            `json:"outputBucketOwnerId,omitzero" aws:"AwsAccountId"`
	WorkflowVersionName string            `json:"workflowVersionName,omitzero" aws:"WorkflowVersionName"`
	NetworkingMode      string            `json:"networkingMode,omitzero" aws:"NetworkingMode"`
	ConfigurationName   string            `json:"configurationName,omitzero" aws:"ConfigurationName"`
	EngineSettings      json.RawMessage   `json:"engineSettings,omitzero" aws:"EngineSettings"`
	ScratchStorageMode  string            `json:"scratchStorageMode,omitzero" aws:"ScratchStorageMode"`
}

type batchRunSettings struct {
	InlineSettings []inlineSetting `json:"inlineSettings,omitzero" aws:"InlineSettings"`
	S3URISettings  string          `json:"s3UriSettings,omitzero" aws:"S3UriSettings"`
}

type inlineSetting struct {
	RunSettingID        string            `json:"runSettingId,omitzero" aws:"RunSettingId,required"`
	Name                string            `json:"name,omitzero" aws:"RunName"`
	OutputURI           string            `json:"outputUri,omitzero" aws:"RunOutputUri"`
	Priority            *int              `json:"priority,omitzero" aws:"InlineSettingPriorityInteger"`
	Parameters          json.RawMessage   `json:"parameters,omitzero" aws:"RunParameters"`
	OutputBucketOwnerID string            `json:"outputBucketOwnerId,omitzero" aws:"AwsAccountId"`
	RunTags             map[string]string `json:"runTags,omitzero" aws:"TagMap"`
	EngineSettings      json.RawMessage   `json:"engineSettings,omitzero" aws:"EngineSettings"`
}

type startRunBatchResponse struct {
	ID     string            `json:"id,omitzero" aws:"BatchId"`
	ARN    string            `json:"arn,omitzero" aws:"BatchArn"`
	Status string            `json:"status,omitzero" aws:"BatchStatus"`
	UUID   string            `json:"uuid,omitzero" aws:"BatchUuid"`
	Tags   map[string]string `json:"tags,omitzero" aws:"TagMap"`
}

type getBatchRequest struct {
	BatchID string `json:"batchId,omitzero" aws:"BatchId,required" in:"path"`
}

type getBatchResponse struct {
	ID                string             `json:"id,omitzero" aws:"BatchId"`
	ARN               string             `json:"arn,omitzero" aws:"BatchArn"`
	UUID              string             `json:"uuid,omitzero" aws:"BatchUuid"`
	Name              string             `json:"name,omitzero" aws:"BatchName"`
	Status            string             `json:"status,omitzero" aws:"BatchStatus"`
	Tags              map[string]string  `json:"tags,omitzero" aws:"TagMap"`
	TotalRuns         *int               `json:"totalRuns,omitzero" aws:"Integer"`
	DefaultRunSetting *defaultRunSetting `json:"defaultRunSetting,omitzero" aws:"DefaultRunSetting"`
	SubmissionSummary *submissionSummary `json:"submissionSummary,omitzero" aws:"SubmissionSummary"`
	RunSummary        *runSummary        `json:"runSummary,omitzero" aws:"RunSummary"`
	CreationTime      restjson.Time      `json:"creationTime,omitzero" aws:"BatchTimestamp"`
	SubmittedTime     restjson.Time      `json:"submittedTime,omitzero" aws:"BatchTimestamp"`
	ProcessedTime     restjson.Time      `json:"processedTime,omitzero" aws:"BatchTimestamp"`
	FailedTime        restjson.Time      `json:"failedTime,omitzero" aws:"BatchTimestamp"`
	FailureReason     string             `json:"failureReason,omitzero" aws:"String"`
}

type submissionSummary struct {
	SuccessfulStartSubmissionCount  *int `json:"successfulStartSubmissionCount,omitzero" aws:"Integer"`
	FailedStartSubmissionCount      *int `json:"failedStartSubmissionCount,omitzero" aws:"Integer"`
	PendingStartSubmissionCount     *int `json:"pendingStartSubmissionCount,omitzero" aws:"Integer"`
	SuccessfulCancelSubmissionCount *int `json:"successfulCancelSubmissionCount,omitzero" aws:"Integer"`
	FailedCancelSubmissionCount     *int `json:"failedCancelSubmissionCount,omitzero" aws:"Integer"`
	SuccessfulDeleteSubmissionCount *int `json:"successfulDeleteSubmissionCount,omitzero" aws:"Integer"`
	FailedDeleteSubmissionCount     *int `json:"failedDeleteSubmissionCount,omitzero" aws:"Integer"`
}

type runSummary struct {
	PendingRunCount   *int `json:"pendingRunCount,omitzero" aws:"Integer"`
	StartingRunCount  *int `json:"startingRunCount,omitzero" aws:"Integer"`
	RunningRunCount   *int `json:"runningRunCount,omitzero" aws:"Integer"`
	StoppingRunCount  *int `json:"stoppingRunCount,omitzero" aws:"Integer"`
	CompletedRunCount *int `json:"completedRunCount,omitzero" aws:"Integer"`
	DeletedRunCount   *int `json:"deletedRunCount,omitzero" aws:"Integer"`
	FailedRunCount    *int `json:"failedRunCount,omitzero" aws:"Integer"`
	CancelledRunCount *int `json:"cancelledRunCount,omitzero" aws:"Integer"`
}

type listBatchRequest struct {
	MaxItems      *int   `json:"maxItems,omitzero" aws:"ListBatchRequestMaxItemsInteger" in:"query"`
	StartingToken string `json:"startingToken,omitzero" aws:"ListToken" in:"query"`
	Status        string `json:"status,omitzero" aws:"BatchStatus" in:"query"`
	Name          string `json:"name,omitzero" aws:"BatchName" in:"query"`
	RunGroupID    string `json:"runGroupId,omitzero" aws:"RunGroupId" in:"query"`
}

type listBatchResponse struct {
	Items     []batchListItem `json:"items,omitzero" aws:"BatchList"`
	NextToken string          `json:"nextToken,omitzero" aws:"ListToken"`
}

type batchListItem struct {
	ID         string        `json:"id,omitzero" aws:"BatchId"`
	Name       string        `json:"name,omitzero" aws:"BatchName"`
	Status     string        `json:"status,omitzero" aws:"BatchStatus"`
	CreatedAt  restjson.Time `json:"createdAt,omitzero" aws:"BatchTimestamp"`
	TotalRuns  *int          `json:"totalRuns,omitzero" aws:"Integer"`
	WorkflowID string        `json:"workflowId,omitzero" aws:"WorkflowId"`
}

type listRunsInBatchRequest struct {
	BatchID          string `json:"batchId,omitzero" aws:"BatchId,required" in:"path"`
	MaxItems         *int   `json:"maxItems,omitzero" aws:"ListRunsInBatchRequestMaxItemsInteger" in:"query"`
	StartingToken    string `json:"startingToken,omitzero" aws:"ListToken" in:"query"`
	SubmissionStatus string `json:"submissionStatus,omitzero" aws:"SubmissionStatus" in:"query"`
	RunSettingID     string `json:"runSettingId,omitzero" aws:"String" in:"query"`
	RunID            string `json:"runId,omitzero" aws:"String" in:"query"`
}

type listRunsInBatchResponse struct {
	Runs      []runBatchListItem `json:"runs,omitzero" aws:"RunBatchList"`
	NextToken string             `json:"nextToken,omitzero" aws:"ListToken"`
}

type runBatchListItem struct {
	RunSettingID             string `json:"runSettingId,omitzero" aws:"RunSettingId"`
	RunID                    string `json:"runId,omitzero" aws:"RunId"`
	RunInternalUUID          string `json:"runInternalUuid,omitzero" aws:"RunUuid"`
	RunARN                   string `json:"runArn,omitzero" aws:"RunArn"`
	SubmissionStatus         string `json:"submissionStatus,omitzero" aws:"SubmissionStatus"`
	SubmissionFailureReason  string `json:"submissionFailureReason,omitzero" aws:"SubmissionFailureReason"`
	SubmissionFailureMessage string `json:"submissionFailureMessage,omitzero" aws:"SubmissionFailureMessage"`
}

type cancelRunBatchRequest struct {
	BatchID string `json:"batchId,omitzero" aws:"BatchId,required"`
}

type cancelRunBatchResponse struct {
}

type deleteRunBatchRequest struct {
	BatchID string `json:"batchId,omitzero" aws:"BatchId,required"`
}

type deleteRunBatchResponse struct {
}

type deleteBatchRequest struct {
	BatchID string `json:"batchId,omitzero" aws:"BatchId,required" in:"path"`
}

type createConfigurationRequest struct {
	Name              string             `json:"name,omitzero" aws:"ConfigurationName,required"`
	Description       string             `json:"description,omitzero" aws:"ConfigurationDescription"`
	RunConfigurations *runConfigurations `json:"runConfigurations,omitzero" aws:"RunConfigurations,required"`
	Tags              map[string]string  `json:"tags,omitzero" aws:"TagMap"`
	RequestID         string             `json:"requestId,omitzero" aws:"ConfigurationRequestId,required"`
}

type runConfigurations struct {
	VPCConfig *vpcConfig `json:"vpcConfig,omitzero" aws:"VpcConfig"`
}

type vpcConfig struct {
	SecurityGroupIDs []string `json:"securityGroupIds,omitzero" aws:"VpcConfigSecurityGroupIdsList"`
	SubnetIDs        []string `json:"subnetIds,omitzero" aws:"VpcConfigSubnetIdsList"`
}

type createConfigurationResponse struct {
	ARN               string                     `json:"arn,omitzero" aws:"ConfigurationArn"`
	UUID              string                     `json:"uuid,omitzero" aws:"ConfigurationUuid"`
	Name              string                     `json:"name,omitzero" aws:"ConfigurationName"`
	Description       string                     `json:"description,omitzero" aws:"ConfigurationDescription"`
	RunConfigurations *runConfigurationsResponse `json:"runConfigurations,omitzero" aws:"RunConfigurationsResponse"`
	Status            string                     `json:"status,omitzero" aws:"ConfigurationStatus"`
	CreationTime      restjson.Time              `json:"creationTime,omitzero" aws:"ConfigurationTimestamp"`
	Tags              map[string]string          `json:"tags,omitzero" aws:"TagMap"`
}

type runConfigurationsResponse struct {
	VPCConfig *vpcConfigResponse `json:"vpcConfig,omitzero" aws:"VpcConfigResponse"`
}

type getConfigurationRequest struct {
	Name string `json:"name,omitzero" aws:"ConfigurationName,required" in:"path"`
}

type getConfigurationResponse struct {
	ARN               string                     `json:"arn,omitzero" aws:"ConfigurationArn"`
	UUID              string                     `json:"uuid,omitzero" aws:"ConfigurationUuid"`
	Name              string                     `json:"name,omitzero" aws:"ConfigurationName"`
	Description       string                     `json:"description,omitzero" aws:"ConfigurationDescription"`
	RunConfigurations *runConfigurationsResponse `json:"runConfigurations,omitzero" aws:"RunConfigurationsResponse"`
	Status            string                     `json:"status,omitzero" aws:"ConfigurationStatus"`
	CreationTime      restjson.Time              `json:"creationTime,omitzero" aws:"ConfigurationTimestamp"`
	Tags              map[string]string          `json:"tags,omitzero" aws:"TagMap"`
}

type listConfigurationsRequest struct {
	MaxResults    *int   `json:"maxResults,omitzero" aws:"ListConfigurationsRequestMaxResultsInteger" in:"query"`
	StartingToken string `json:"startingToken,omitzero" aws:"ConfigurationListToken" in:"query"`
}

type listConfigurationsResponse struct {
	Items     []configurationListItem `json:"items,omitzero" aws:"ConfigurationList"`
	NextToken string                  `json:"nextToken,omitzero" aws:"ConfigurationListToken"`
}

type configurationListItem struct {
	ARN          string        `json:"arn,omitzero" aws:"ConfigurationArn"`
	Name         string        `json:"name,omitzero" aws:"ConfigurationName"`
	Description  string        `json:"description,omitzero" aws:"ConfigurationDescription"`
	Status       string        `json:"status,omitzero" aws:"ConfigurationStatus"`
	CreationTime restjson.Time `json:"creationTime,omitzero" aws:"ConfigurationTimestamp"`
}

type deleteConfigurationRequest struct {
	Name string `json:"name,omitzero" aws:"ConfigurationName,required" in:"path"`
}

type tagResourceRequest struct {
	ResourceARN string            `json:"resourceArn,omitzero" aws:"TagArn,required" in:"path"`
	Tags        map[string]string `json:"tags,omitzero" aws:"TagResourceRequestTagsMap,required"`
}

type tagResourceResponse struct {
}

type untagResourceRequest struct {
	ResourceARN string   `json:"resourceArn,omitzero" aws:"TagArn,required" in:"path"`
	TagKeys     []string `json:"tagKeys,omitzero" aws:"TagKeyList,required" in:"query"`
}

type untagResourceResponse struct {
}

type listTagsForResourceRequest struct {
	ResourceARN string `json:"resourceArn,omitzero" aws:"TagArn,required" in:"path"`
}

type listTagsForResourceResponse struct {
	Tags map[string]string `json:"tags,omitzero" aws:"TagMap,required"`
}

package operator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// bedrockCode returns the code of the Bedrock operators' steps.
func bedrockCode(name string) code {
	switch name {
	case "bedrock.customize":
		return bedrockCustomize
	case "bedrock.ingest":
		return bedrockIngest
	case "bedrock.knowledgeBase":
		return bedrockKnowledgeBase
	}
	return nil
}

// bedrockCustomize starts a customization job. While the name is in use it
// gets the time appended, which $job keeps; a name that has become too long
// the service refuses.
func bedrockCustomize(ctx context.Context, j *job) (any, error) {
	in := map[string]any{
		"jobName": j.json("job_name"), "customModelName": j.json("custom_model_name"), "roleArn": j.json("role_arn"),
		"baseModelIdentifier": j.json("base_model_id"), "hyperParameters": j.json("hyperparameters"),
		"trainingDataConfig": map[string]any{"s3Uri": j.json("training_data_uri")},
		"outputDataConfig":   map[string]any{"s3Uri": j.json("output_data_uri")},
	}
	if err := j.lay(in, "customization_job_kwargs"); err != nil {
		return nil, err
	}
	for {
		reply, err := j.call(ctx, "bedrock:CreateModelCustomizationJob", in)
		taken := matches([]Fault{{Code: "*", Says: "The provided job name is currently in use."}}, err)
		if !taken || !j.flag("ensure_unique_job_name") || ctx.Err() != nil {
			return reply, err
		}
		in["jobName"] = fmt.Sprintf("%s-%d", pythonText(in["jobName"]), time.Now().Unix())
		j.keep("job", in["jobName"])
		j.say("info", "the name is in use; the job is called %s instead", in["jobName"])
	}
}

// bedrockKnowledgeBase creates a knowledge base, again while its vector index
// is not to be seen yet.
func bedrockKnowledgeBase(ctx context.Context, j *job) (any, error) {
	in := map[string]any{
		"name": j.json("name"), "roleArn": j.json("role_arn"), "storageConfiguration": j.json("storage_config"),
		"knowledgeBaseConfiguration": map[string]any{
			"type":                             "VECTOR",
			"vectorKnowledgeBaseConfiguration": map[string]any{"embeddingModelArn": j.json("embedding_model_arn")},
		},
	}
	if err := j.lay(in, "create_knowledge_base_kwargs"); err != nil {
		return nil, err
	}
	again, delay := 0, j.number("indexing_error_retry_delay")
	if j.flag("wait_for_indexing") {
		again = int(min(j.number("indexing_error_max_attempts"), 1000))
	}
	if j.err != nil {
		return nil, j.err
	}
	return j.callIndexed(ctx, "bedrock-agent:CreateKnowledgeBase", in, again, delay, "no such index", "server returned 401",
		"user does not have permissions", "status code: 403", "bad authorization")
}

// bedrockIngest starts an ingestion job, again while the index is not ready.
func bedrockIngest(ctx context.Context, j *job) (any, error) {
	in := map[string]any{"knowledgeBaseId": j.json("knowledge_base_id"), "dataSourceId": j.json("data_source_id")}
	return j.callIndexed(ctx, "bedrock-agent:StartIngestionJob", in, 5, 5, "dependency error document status code: 404",
		"request failed: [http_exception] server returned 401")
}

// lay lays a mapping of further members over a request.
func (j *job) lay(in map[string]any, argument string) error {
	m, ok := j.json(argument).(map[string]any)
	if !ok && j.has(argument) {
		return Errorf("%s: the argument %s must be a mapping", j.spec.Class, argument)
	}
	maps.Copy(in, m)
	return nil
}

// callIndexed makes a call, up to again times more while the service finds
// fault with the request in one of some words, whatever their case.
func (j *job) callIndexed(ctx context.Context, name string, in map[string]any, again int, delay float64, words ...string) (any, error) {
	for ; ; again-- {
		reply, err := j.call(ctx, name, in)
		ae, ok := errors.AsType[smithy.APIError](err)
		if !ok || ae.ErrorCode() != "ValidationException" || again <= 0 ||
			!slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(ae.ErrorMessage()), w) }) {
			return reply, err
		}
		j.say("warning", "the vector index is not ready: trying again in %g s, at most %d times more", delay, again)
		if err := j.sleep(ctx, time.Duration(delay*float64(time.Second))); err != nil {
			return nil, err
		}
	}
}

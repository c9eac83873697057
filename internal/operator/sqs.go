package operator

import (
	"context"
	"slices"
)

// sqsCode returns the code of the SQS sensor's look.
func sqsCode(name string) code {
	if name == "sqs.receive" {
		return sqsReceive
	}
	return nil
}

// maxBatches bounds how often one look asks for messages.
const maxBatches = 1000

// sqsReceive asks for messages, num_batches times, and deletes those that
// pass the filter if it is to.
func sqsReceive(ctx context.Context, j *job) (any, error) {
	queue, most, wait := j.json("sqs_queue"), j.number("max_messages"), j.number("wait_time_seconds")
	batches, remove := int(min(max(j.number("num_batches"), 0), maxBatches)), j.flag("delete_message_on_reception")
	passes, err := sqsFilter(j)
	if err != nil {
		return nil, err
	}
	in := map[string]any{"QueueUrl": queue, "MaxNumberOfMessages": int64(most), "WaitTimeSeconds": int64(wait)}
	if j.has("visibility_timeout") {
		in["VisibilityTimeout"] = int64(j.number("visibility_timeout"))
	}
	if j.err != nil {
		return nil, j.err
	}
	kept := []any{}
	for range batches {
		reply, err := j.callNow(ctx, "sqs:ReceiveMessage", in)
		if err != nil {
			return nil, err
		}
		messages, _ := reply["Messages"].([]any)
		var entries []any
		for _, m := range messages {
			message, _ := m.(map[string]any)
			ok, err := passes(message)
			if err != nil {
				return nil, err
			}
			if ok {
				kept = append(kept, m)
				entries = append(entries, map[string]any{"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"]})
			}
		}
		if len(entries) == 0 || !remove {
			continue
		}
		reply, err = j.call(ctx, "sqs:DeleteMessageBatch", map[string]any{"QueueUrl": queue, "Entries": entries})
		if err != nil {
			return nil, err
		}
		if !truthy(reply["Successful"]) {
			return nil, Errorf("Delete SQS Messages failed %s", clip(pythonRepr(reply["Failed"]), 2000))
		}
	}
	return map[string]any{"messages": kept}, nil
}

// sqsFilter returns which messages the sensor is after.
func sqsFilter(j *job) (func(message map[string]any) (bool, error), error) {
	values, open := j.json("message_filtering_match_values"), !j.has("message_filtering_match_values")
	wanted, isList := values.([]any)
	if !isList {
		wanted = []any{values}
	}
	among := func(v any) bool { return slices.ContainsFunc(wanted, func(w any) bool { return equal(v, w) }) }
	switch how := j.text("message_filtering"); {
	case how == "":
		return func(map[string]any) (bool, error) { return true, nil }, nil
	case how == "literal" && open:
		return nil, &Error{Message: "message_filtering_match_values must be specified for literal matching", Fatal: true}
	case how == "literal":
		return func(m map[string]any) (bool, error) { return among(m["Body"]), nil }, nil
	case how != "jsonpath" && how != "jsonpath-ext":
		return nil, &Error{Message: "message_filtering must be literal, jsonpath or jsonpath-ext, not " + clip(how, 80), Fatal: true}
	}
	path, err := parseJSONPath(j.text("message_filtering_config"))
	if err != nil {
		return nil, err
	}
	return func(m map[string]any) (bool, error) {
		body, err := parseJSON(text(m, "Body"))
		if err != nil {
			return false, Errorf("the body of the message %s is not JSON: %v", text(m, "MessageId"), err)
		}
		found := path.find(body)
		return len(found) > 0 && (open || slices.ContainsFunc(found, among)), nil
	}, nil
}

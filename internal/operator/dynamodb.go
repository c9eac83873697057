package operator

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/aws/smithy-go"
)

// dynamodbCode returns the code of the DynamoDB operators' steps.
func dynamodbCode(name string) code {
	switch name {
	case "dynamodb.value":
		return dynamodbValue
	case "dynamodb.export":
		return dynamodbExport
	case "dynamodb.copy":
		return dynamodbCopy
	case "dynamodb.importEnd":
		return importEnd
	}
	return nil
}

// dynamodbValue looks whether an item's attribute has the value wanted. Errors
// of the service, and what is missing, count as not yet.
func dynamodbValue(ctx context.Context, j *job) (any, error) {
	key := map[string]any{j.needed("partition_key_name"): typedAttribute(j.json("partition_key_value"))}
	if j.has("sort_key_name") && j.has("sort_key_value") {
		key[j.text("sort_key_name")] = typedAttribute(j.json("sort_key_value"))
	}
	table, attribute := j.needed("table_name"), j.needed("attribute_name")
	if j.err != nil {
		return nil, j.err
	}
	reply, err := j.callNow(ctx, "dynamodb:GetItem", map[string]any{"TableName": table, "Key": key})
	if ae, ok := errors.AsType[smithy.APIError](err); ok {
		j.say("info", "%s: %s", ae.ErrorCode(), ae.ErrorMessage())
		return map[string]any{"found": false}, nil
	}
	if err != nil {
		return nil, err
	}
	item, _ := reply["Item"].(map[string]any)
	have, there := item[attribute]
	got := plainAttribute(have)
	want, _ := j.json("attribute_value").([]any)
	if want == nil {
		want = []any{j.json("attribute_value")}
	}
	found := there && slices.ContainsFunc(want, func(w any) bool { return equal(got, w) })
	return map[string]any{"found": found}, nil
}

// typedAttribute is a plain value as DynamoDB takes it.
func typedAttribute(v any) any {
	switch v := v.(type) {
	case string:
		return map[string]any{"S": v}
	case bool:
		return map[string]any{"BOOL": v}
	case nil:
		return map[string]any{"NULL": true}
	}
	return map[string]any{"N": pythonText(v)}
}

// plainAttribute is a DynamoDB value as the high-level client shows it.
func plainAttribute(v any) any {
	m, _ := v.(map[string]any)
	for kind, x := range m {
		switch l, _ := x.([]any); kind {
		case "N":
			return json.Number(pythonText(x))
		case "NULL":
			return nil
		case "L":
			out := make([]any, len(l))
			for i := range l {
				out[i] = plainAttribute(l[i])
			}
			return out
		case "NS":
			out := make([]any, len(l))
			for i := range l {
				out[i] = json.Number(pythonText(l[i]))
			}
			return out
		case "M":
			in, _ := x.(map[string]any)
			out := map[string]any{}
			for k, e := range in {
				out[k] = plainAttribute(e)
			}
			return out
		default:
			return x
		}
	}
	return nil
}

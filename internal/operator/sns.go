package operator

import (
	"context"
	"strings"
)

// snsCode returns the code of the SNS operators' steps.
func snsCode(name string) code {
	if name == "sns.attributes" {
		return snsAttributes
	}
	return nil
}

// snsAttributes types the message attributes by their values: texts, numbers,
// and lists of texts.
func snsAttributes(_ context.Context, j *job) (any, error) {
	v, _ := j.lookup("message_attributes")
	given, ok := v.(map[string]any)
	if !ok {
		return nil, Errorf("%s: the argument message_attributes must be a mapping, not %s", j.spec.Class, clip(pythonRepr(v), 80))
	}
	typed := map[string]any{}
	for name, v := range given {
		switch x := v.(type) {
		case string:
			typed[name] = map[string]any{"DataType": "String", "StringValue": x}
		case bool:
			typed[name] = map[string]any{"DataType": "Number", "StringValue": pythonText(v)} // a bool is an int to Python
		case []any:
			var parts []string
			for _, e := range x {
				parts = append(parts, pythonJSON(e))
			}
			typed[name] = map[string]any{"DataType": "String.Array", "StringValue": "[" + strings.Join(parts, ", ") + "]"}
		default:
			if !isNumber(v) {
				return nil, Errorf("Values in MessageAttributes must be one of bytes, str, int, float, or iterable; got %s", clip(pythonRepr(v), 80))
			}
			typed[name] = map[string]any{"DataType": "Number", "StringValue": pythonText(v)}
		}
	}
	return typed, nil
}

package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"fairlead/internal/exec"
)

// maxExport bounds one file of an export in bytes; it is held in memory.
const maxExport = 256 << 20

// dynamodbExport scans a table and writes its items to objects as lines of
// JSON, a new object whenever one has reached file_size. The last one may be
// empty.
func dynamodbExport(ctx context.Context, j *job) (any, error) {
	table, bucket, prefix, size := j.needed("dynamodb_table_name"), j.needed("s3_bucket_name"), j.text("s3_key_prefix"), j.number("file_size")
	if j.err != nil {
		return nil, j.err
	}
	if j.has("process_func") {
		return nil, &Error{Message: "DynamoDBToS3Operator: process_func is a Python function, which cannot be called here", Fatal: true}
	}
	in := map[string]any{"TableName": table}
	if err := j.lay(in, "dynamodb_scan_kwargs"); err != nil {
		return nil, err
	}
	for _, name := range []string{"ExpressionAttributeValues", "ExclusiveStartKey"} {
		if values, ok := in[name].(map[string]any); ok {
			in[name] = typedMembers(values)
		}
	}
	var file bytes.Buffer
	for n := 1; ; n++ {
		reply, err := j.call(ctx, "dynamodb:Scan", in)
		if err != nil {
			return nil, err
		}
		items, _ := reply["Items"].([]any)
		for _, item := range items {
			if err := writeItem(&file, map[string]any{"M": item}); err != nil {
				return nil, err
			}
			file.WriteByte('\n')
		}
		next := reply["LastEvaluatedKey"]
		if file.Len() > maxExport {
			return nil, Errorf("DynamoDBToS3Operator: a file is to have over %d bytes; file_size must be smaller", maxExport)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !truthy(next) || float64(file.Len()) >= size {
			key := prefix + token(j.task.DagID, j.task.RunID, j.task.TaskID, fmt.Sprint(j.task.Try), fmt.Sprint(n))
			if _, err := j.call(ctx, "s3:PutObject", map[string]any{"Bucket": bucket, "Key": key, "Body": file.String()}); err != nil {
				return nil, err
			}
			j.say("info", "wrote %d bytes to s3://%s/%s", file.Len(), bucket, key)
			file.Reset()
		}
		if !truthy(next) {
			return nil, nil
		}
		in["ExclusiveStartKey"] = next
	}
}

// typedMembers is a mapping of plain values as DynamoDB takes them.
func typedMembers(values map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range values {
		out[k] = typedValue(v)
	}
	return out
}

// typedValue is typedAttribute for values that may be nested.
func typedValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return map[string]any{"M": typedMembers(v)}
	case []any:
		l := []any{}
		for _, e := range v {
			l = append(l, typedValue(e))
		}
		return map[string]any{"L": l}
	}
	return typedAttribute(v)
}

// writeItem writes a DynamoDB value as Python's json.dumps writes what the
// high-level client makes of it: numbers are floats, and sets and binary
// values have no JSON.
func writeItem(b *bytes.Buffer, v any) error {
	m, _ := v.(map[string]any)
	for kind, x := range m {
		switch kind {
		case "S":
			b.WriteString(pythonASCII(pythonText(x)))
		case "N":
			n, err := strconv.ParseFloat(pythonText(x), 64)
			if err != nil && !errors.Is(err, strconv.ErrRange) {
				return Errorf("the number %s of an item: %v", clip(pythonText(x), 80), err)
			}
			b.WriteString(pythonFloat(n))
		case "BOOL":
			fmt.Fprint(b, truthy(x))
		case "NULL":
			b.WriteString("null")
		case "L":
			l, _ := x.([]any)
			b.WriteByte('[')
			for i, e := range l {
				if i > 0 {
					b.WriteString(", ")
				}
				if err := writeItem(b, e); err != nil {
					return err
				}
			}
			b.WriteByte(']')
		case "M":
			members, _ := x.(map[string]any)
			b.WriteByte('{')
			for i, k := range slices.Sorted(maps.Keys(members)) {
				if i > 0 {
					b.WriteString(", ")
				}
				b.WriteString(pythonASCII(k) + ": ")
				if err := writeItem(b, members[k]); err != nil {
					return err
				}
			}
			b.WriteByte('}')
		default:
			return Errorf("Object of type %s is not JSON serializable", map[bool]string{true: "Binary", false: "set"}[kind == "B"])
		}
	}
	return nil
}

// pythonASCII is Python's JSON text of a string, which is ASCII alone.
func pythonASCII(s string) string {
	var b strings.Builder
	for _, r := range string(encode(s)) {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}

// pythonFloat is Python's repr() of a float.
func pythonFloat(n float64) string {
	switch a := math.Abs(n); {
	case math.IsInf(n, 1):
		return "Infinity"
	case math.IsInf(n, -1):
		return "-Infinity"
	case a != 0 && (a < 1e-4 || a >= 1e16):
		return strconv.FormatFloat(n, 'e', -1, 64)
	}
	s := strconv.FormatFloat(n, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// writeSize is how many items DynamoDB takes at once, and maxUnwritten how
// often it may leave all of them undone.
const (
	writeSize    = 25
	maxUnwritten = 20
)

// dynamodbCopy copies the items of the temporary table $table to the one that
// is wanted, and deletes the temporary one whatever comes of it, unless
// another server is to take this up.
func dynamodbCopy(ctx context.Context, j *job) (_ any, err error) {
	from, _ := j.lookup("table")
	to := j.needed("dynamodb_table_name")
	if j.err != nil {
		return nil, j.err
	}
	defer func() {
		if errors.Is(context.Cause(ctx), exec.ErrDetach) {
			return
		}
		if _, failed := j.call(ctx, "dynamodb:DeleteTable", map[string]any{"TableName": from}); err == nil {
			err = failed
		}
	}()
	in := map[string]any{"TableName": from, "Select": "ALL_ATTRIBUTES", "ReturnConsumedCapacity": "NONE", "ConsistentRead": true}
	total := 0
	for {
		reply, err := j.call(ctx, "dynamodb:Scan", in)
		if err != nil {
			return nil, err
		}
		items, _ := reply["Items"].([]any)
		for chunk := range slices.Chunk(items, writeSize) {
			if err := j.putItems(ctx, to, chunk); err != nil {
				return nil, err
			}
		}
		if total += len(items); !truthy(reply["LastEvaluatedKey"]) {
			j.say("info", "Number of items loaded: %d", total)
			return nil, nil
		}
		in["ExclusiveStartKey"] = reply["LastEvaluatedKey"]
	}
}

// putItems writes items, again while the service leaves some of them undone.
func (j *job) putItems(ctx context.Context, table string, items []any) error {
	requests := []any{}
	for _, item := range items {
		requests = append(requests, map[string]any{"PutRequest": map[string]any{"Item": item}})
	}
	todo := map[string]any{table: requests}
	for tries := 0; len(todo) > 0; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		reply, err := j.call(ctx, "dynamodb:BatchWriteItem", map[string]any{"RequestItems": todo})
		if err != nil {
			return err
		}
		before := len(encode(todo))
		if todo, _ = reply["UnprocessedItems"].(map[string]any); len(encode(todo)) >= before {
			if tries++; tries >= maxUnwritten {
				return Errorf("DynamoDB has not written any of %d items to %s", len(items), table)
			}
		}
	}
	return nil
}

// importEnd is what an import that did not complete came to.
func importEnd(ctx context.Context, j *job) (any, error) {
	arn, _ := j.lookup("import")
	reply, err := j.call(ctx, "dynamodb:DescribeImport", map[string]any{"ImportArn": arn})
	if err != nil {
		return nil, err
	}
	if table, _ := j.lookup("table"); j.flag("delete_on_error") {
		if _, err := j.call(ctx, "dynamodb:DeleteTable", map[string]any{"TableName": table}); err != nil {
			return nil, err
		}
	}
	of := func(name string) string {
		v, _ := dig(reply, ".ImportTableDescription."+name)
		return pythonText(v)
	}
	return nil, Errorf("S3 import into Dynamodb job failed: Status: %s. Error: %s. Error message: %s", of("ImportStatus"), of("FailureCode"), of("FailureMessage"))
}

package airflow

import (
	"encoding/json"
	"fmt"

	"fairlead/internal/flow"
)

// A Value is one value of a text that is no definition but stands beside
// one, read by the same rules.
type Value struct {
	Kind Kind
	// Line and Column say where it stands, counted from 1.
	Line, Column int
	// Text is a string's content, the ISO form of a date or time, and the
	// JSON of any other scalar.
	Text  string
	Items []*Value // of a list
	Pairs []Pair   // of a mapping, in its order, with distinct keys
	v     *value
}

// A Pair is one entry of a mapping.
type Pair struct{ Key, Value *Value }

// Kind is what a [Value] is.
type Kind string

// The kinds of value. Each is worded for a message.
const (
	NullValue Kind = "nothing"
	BoolValue Kind = "a boolean"
	Number    Kind = "a number"
	Text      Kind = "a text"
	Date      Kind = "a date"
	Moment    Kind = "a time"
	List      Kind = "a list"
	Mapping   Kind = "a mapping"
)

// ReadDocument reads a text of at most limit bytes. What is wrong with it is
// said in the diagnostics; with a fault among them the value is nil.
func ReadDocument(src []byte, limit int) (*Value, []flow.Diagnostic) {
	if len(src) > limit {
		return nil, []flow.Diagnostic{{Message: fmt.Sprintf("the text has %d bytes; at most %d are allowed", len(src), limit)}}
	}
	if d, ok := checkText(src, limit); !ok {
		return nil, []flow.Diagnostic{d}
	}
	root, diags := read(src)
	for _, d := range diags {
		if d.Severity == flow.Fault {
			return nil, diags
		}
	}
	if root == nil {
		root = &value{line: 1, column: 1}
	}
	return export(root), diags
}

// JSON returns the value as JSON, as an argument of an operator has it.
func (v *Value) JSON() json.RawMessage { return v.v.json(nil) }

// Find returns the value under a key, or nil.
func (v *Value) Find(key string) *Value {
	for _, p := range v.Pairs {
		if p.Key.Text == key {
			return p.Value
		}
	}
	return nil
}

func export(v *value) *Value {
	out := &Value{Line: v.line, Column: v.column, Text: v.name(), v: v}
	switch v.kind {
	case null:
		out.Kind = NullValue
	case boolean:
		out.Kind = BoolValue
	case integer, float:
		out.Kind = Number
	case date:
		out.Kind = Date
	case datetime:
		out.Kind = Moment
	case list:
		out.Kind, out.Text = List, ""
		for _, it := range v.items {
			out.Items = append(out.Items, export(it))
		}
	case mapping:
		out.Kind, out.Text = Mapping, ""
		for _, p := range v.pairs {
			out.Pairs = append(out.Pairs, Pair{export(p.key), export(p.value)})
		}
	default:
		out.Kind = Text
	}
	return out
}

// Nearest returns the name among candidates that word was probably meant to
// be, or "" when none is close.
func Nearest(word string, candidates []string) string { return nearest(word, candidates) }

package operator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An Expr is a JSON value of the data in which texts that begin with a dollar
// sign, and objects whose one member does, stand for something else; the
// package's documentation has the list. The zero Expr is None.
type Expr struct{ value any }

// UnmarshalJSON keeps numbers as they are written.
func (e *Expr) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(&e.value)
}

// MarshalJSON returns the expression as it stands in the data.
func (e Expr) MarshalJSON() ([]byte, error) { return encode(e.value), nil }

// IsZero reports whether the expression is None.
func (e Expr) IsZero() bool { return e.value == nil }

// A scope gives names their values. nil is None; false is an unknown name.
type scope func(name string) (any, bool)

// eval returns the value of an expression. None is dropped from objects and
// lists, as the provider does before it calls AWS.
func (e Expr) eval(in scope) (any, error) { return eval(e.value, in) }

func eval(v any, in scope) (any, error) {
	switch v := v.(type) {
	case string:
		return evalText(v, in)
	case []any:
		l := []any{}
		for _, m := range v {
			x, err := eval(m, in)
			if err != nil {
				return nil, err
			}
			if x != nil {
				l = append(l, x)
			}
		}
		return l, nil
	case map[string]any:
		if len(v) == 1 {
			for k, arg := range v {
				if strings.HasPrefix(k, "$") {
					return apply(k, arg, in)
				}
			}
		}
		m := map[string]any{}
		for k, e := range v {
			x, err := eval(e, in)
			if err != nil {
				return nil, err
			}
			if x != nil {
				m[k] = x
			}
		}
		return m, nil
	}
	return v, nil
}

// evalText reads "$name.path", "text with ${name.path}", and "$$" for a
// dollar sign at the beginning.
func evalText(s string, in scope) (any, error) {
	switch {
	case strings.HasPrefix(s, "$$"):
		return s[1:], nil
	case strings.HasPrefix(s, "$") && !strings.HasPrefix(s, "${"):
		return refer(s[1:], in)
	case !strings.Contains(s, "${"):
		return s, nil
	}
	var b strings.Builder
	for s != "" {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("%q has no closing brace", rest)
		}
		v, err := refer(name, in)
		if err != nil {
			return nil, err
		}
		b.WriteString(pythonText(v))
		s = after
	}
	return b.String(), nil
}

// refer looks up a name, and a path below it.
func refer(ref string, in scope) (any, error) {
	end := strings.IndexAny(ref, ".[")
	if end < 0 {
		end = len(ref)
	}
	v, ok := in(ref[:end])
	if !ok {
		return nil, fmt.Errorf("nothing is called $%s", ref[:end])
	}
	return dig(v, ref[end:])
}

// dig follows a path such as ".a.b[0]", "[-1].c" or ".a[].b", whose [] takes
// b of each of a's elements. What is not there is None.
func dig(v any, path string) (any, error) {
	for path != "" {
		if path[0] == '[' {
			inner, rest, ok := strings.Cut(path[1:], "]")
			l, isList := v.([]any)
			switch {
			case !ok:
				return nil, fmt.Errorf("the path %q has no closing bracket", path)
			case inner == "":
				return project(l, rest)
			}
			i, err := strconv.Atoi(inner)
			if err != nil {
				return nil, fmt.Errorf("the path %q has no number in brackets", path)
			}
			if i < 0 {
				i += len(l)
			}
			v, path = nil, rest
			if isList && i >= 0 && i < len(l) {
				v = l[i]
			}
			continue
		}
		name := strings.TrimPrefix(path, ".")
		end := strings.IndexAny(name, ".[")
		if end < 0 {
			end = len(name)
		}
		m, _ := v.(map[string]any)
		v, path = m[name[:end]], name[end:]
	}
	return v, nil
}

// project takes a path in each element, leaves out None and flattens lists.
func project(l []any, path string) (any, error) {
	out := []any{}
	for _, e := range l {
		x, err := dig(e, path)
		if err != nil {
			return nil, err
		}
		if inner, ok := x.([]any); ok {
			out = append(out, inner...)
		} else if x != nil {
			out = append(out, x)
		}
	}
	return out, nil
}

// functions lists what an object may be the call of, with the number of
// arguments in a list, or 0 for a single one.
func functions() map[string]int {
	return map[string]int{
		"$or": -1, "$and": -1, "$not": 0, "$has": 0, "$eq": 2, "$in": 2, "$if": 3, "$match": 2,
		"$json": 0, "$parse": 0, "$literal": 0, "$text": 0, "$int": 0, "$lower": 0, "$truthy": 0, "$len": 0,
		"$list": 0, "$pairs": 3, "$tags": 0, "$merge": -1, "$concat": -1, "$each": 2, "$quote": 0,
		"$replace": 3, "$astext": 0, "$jitter": 2, "$grow": 0, "$decode64": 0, "$find": 2, "$join": 2,
	}
}

// apply calls a function. $or, $and and $if look at no more than they need.
func apply(name string, arg any, in scope) (any, error) {
	n, known := functions()[name]
	list, isList := arg.([]any)
	if !known || n != 0 && !isList || n > 0 && len(list) != n {
		return nil, fmt.Errorf("%s is no function, or has the wrong number of arguments", name)
	}
	switch name {
	case "$or", "$and":
		var v any
		for _, a := range list {
			var err error
			if v, err = eval(a, in); err != nil {
				return nil, err
			}
			if truthy(v) == (name == "$or") {
				break
			}
		}
		return v, nil
	case "$if":
		c, err := eval(list[0], in)
		if err != nil {
			return nil, err
		}
		if truthy(c) {
			return eval(list[1], in)
		}
		return eval(list[2], in)
	case "$each":
		over, err := eval(list[0], in)
		if err != nil {
			return nil, err
		}
		items, _ := over.([]any)
		out := []any{}
		for _, it := range items {
			v, err := eval(list[1], func(name string) (any, bool) {
				if name == "it" {
					return it, true
				}
				return in(name)
			})
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case "$quote":
		return arg, nil
	}
	if n == 0 {
		v, err := eval(arg, in)
		if err != nil {
			return nil, err
		}
		return apply1(name, v)
	}
	vs := make([]any, len(list))
	for i, a := range list {
		var err error
		if vs[i], err = eval(a, in); err != nil {
			return nil, err
		}
	}
	return applyMany(name, vs)
}

// apply1 calls a function of one value.
func apply1(name string, v any) (any, error) {
	switch name {
	case "$not":
		return !truthy(v), nil
	case "$has":
		return v != nil, nil
	}
	if v == nil {
		return nil, nil
	}
	switch name {
	case "$json":
		return pythonJSON(v), nil
	case "$parse":
		x, err := parseJSON(pythonText(v))
		if err != nil {
			return nil, Errorf("expected JSON: %v", err)
		}
		return x, nil
	case "$literal":
		if s, ok := v.(string); ok {
			return parseLiteral(s)
		}
		return v, nil
	case "$decode64":
		b, err := base64.StdEncoding.DecodeString(pythonText(v))
		if err != nil {
			return pythonText(v), nil // shown as it came
		}
		return strings.ToValidUTF8(string(b), "\ufffd"), nil
	case "$astext":
		if s, ok := v.(string); ok {
			return s, nil
		}
		return pythonJSON(v), nil
	case "$grow":
		// The provider's pauses for AWS Batch, which spread many tasks.
		n, _ := strconv.ParseFloat(pythonText(v), 64)
		d := min(600, 1+0.36*n*n)
		return math.Round((d/3+rand.Float64()*d*2/3)*1000) / 1000, nil
	case "$text":
		return pythonText(v), nil
	case "$int":
		n, err := strconv.ParseFloat(strings.TrimSpace(pythonText(v)), 64)
		if err != nil || math.Abs(n) > 1<<53 {
			return nil, Errorf("invalid literal for int() with base 10: '%s'", clip(pythonText(v), 80))
		}
		return int64(n), nil
	case "$lower":
		return strings.ToLower(pythonText(v)), nil
	case "$truthy":
		if truthy(v) {
			return v, nil
		}
		return nil, nil
	case "$len":
		switch v := v.(type) {
		case []any:
			return int64(len(v)), nil
		case map[string]any:
			return int64(len(v)), nil
		}
		return int64(len(pythonText(v))), nil
	case "$list":
		if _, ok := v.([]any); ok {
			return v, nil
		}
		return []any{v}, nil
	case "$tags":
		return applyMany("$pairs", []any{v, "Key", "Value"})
	}
	return nil, fmt.Errorf("no function %s", name)
}

// applyMany calls a function of a list of values.
func applyMany(name string, vs []any) (any, error) {
	switch name {
	case "$eq":
		return equal(vs[0], vs[1]), nil
	case "$in":
		switch l := vs[1].(type) {
		case []any:
			return slices.ContainsFunc(l, func(e any) bool { return equal(vs[0], e) }), nil
		case string:
			s, ok := vs[0].(string)
			return ok && strings.Contains(l, s), nil
		}
		return false, nil
	case "$find":
		pattern, _ := vs[1].(string)
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		if m := re.FindStringSubmatch(pythonText(vs[0])); m != nil && vs[0] != nil {
			return m[len(m)-1], nil
		}
		return nil, nil
	case "$join":
		l, _ := vs[1].([]any)
		var parts []string
		for _, v := range l {
			parts = append(parts, pythonText(v))
		}
		return strings.Join(parts, pythonText(vs[0])), nil
	case "$replace":
		return strings.ReplaceAll(pythonText(vs[0]), pythonText(vs[1]), pythonText(vs[2])), nil
	case "$jitter":
		low, _ := strconv.ParseFloat(pythonText(vs[0]), 64)
		high, _ := strconv.ParseFloat(pythonText(vs[1]), 64)
		return math.Round((low+rand.Float64()*(high-low))*1000) / 1000, nil
	case "$match":
		pattern, _ := vs[1].(string)
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		return vs[0] != nil && re.MatchString(pythonText(vs[0])), nil
	case "$pairs":
		m, ok := vs[0].(map[string]any)
		if !ok {
			return vs[0], nil // a list already
		}
		k, _ := vs[1].(string)
		v, _ := vs[2].(string)
		l := []any{}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			l = append(l, map[string]any{k: name, v: m[name]})
		}
		return l, nil
	case "$merge":
		out := map[string]any{}
		for _, v := range vs {
			m, ok := v.(map[string]any)
			if !ok && v != nil {
				return nil, Errorf("expected a mapping, not %s", clip(string(encode(v)), 80))
			}
			maps.Copy(out, m)
		}
		return out, nil
	case "$concat":
		out := []any{}
		for _, v := range vs {
			switch v := v.(type) {
			case nil:
			case []any:
				out = append(out, v...)
			default:
				out = append(out, v)
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("no function %s", name)
}

// truthy is Python's rule of truth.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	n, err := strconv.ParseFloat(pythonText(v), 64)
	return err != nil || n != 0
}

// equal compares two values as Python's == does, numbers by what they are.
func equal(a, b any) bool {
	if isNumber(a) && isNumber(b) {
		x, errX := strconv.ParseFloat(pythonText(a), 64)
		y, errY := strconv.ParseFloat(pythonText(b), 64)
		return errX == nil && errY == nil && x == y
	}
	return bytes.Equal(encode(a), encode(b))
}

func isNumber(v any) bool {
	switch v.(type) {
	case json.Number, int, int64, float64:
		return true
	}
	return false
}

// pythonText is Python's str().
func pythonText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return pythonRepr(v)
}

// pythonRepr is Python's repr(), near enough for messages.
func pythonRepr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		if strings.Contains(v, "'") && !strings.Contains(v, `"`) {
			return `"` + v + `"`
		}
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(v) + "'"
	case []any:
		var l []string
		for _, e := range v {
			l = append(l, pythonRepr(e))
		}
		return "[" + strings.Join(l, ", ") + "]"
	case map[string]any:
		var l []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			l = append(l, pythonRepr(k)+": "+pythonRepr(v[k]))
		}
		return "{" + strings.Join(l, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// pythonJSON is Python's json.dumps(), with the keys sorted.
func pythonJSON(v any) string {
	switch v := v.(type) {
	case []any:
		var l []string
		for _, e := range v {
			l = append(l, pythonJSON(e))
		}
		return "[" + strings.Join(l, ", ") + "]"
	case map[string]any:
		var l []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			l = append(l, string(encode(k))+": "+pythonJSON(v[k]))
		}
		return "{" + strings.Join(l, ", ") + "}"
	}
	return string(encode(v))
}

// parseJSON reads one JSON value, numbers as they are written.
func parseJSON(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("there is more than one value")
	}
	return v, nil
}

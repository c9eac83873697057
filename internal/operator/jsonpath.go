package operator

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A jsonPath finds values in JSON: names, indexes, wildcards and descendants,
// as the Python library that Airflow uses does. It is made by parseJSONPath.
type jsonPath []pathStep

// A pathStep goes from one value to those below it.
type pathStep struct {
	deep  bool   // from all values below, too
	name  string // a member; "*" is all of them
	index int
	kind  byte // m for a member, i for an index, a for all elements
}

// maxJSONPath bounds a path in bytes, and maxFound what it may find.
const (
	maxJSONPath = 1000
	maxFound    = 10000
)

// parseJSONPath reads a path such as "$.a.b", "a[0]", "$..name", "x[*].y" or
// "['a b'].*".
func parseJSONPath(s string) (jsonPath, error) {
	wrong := func(rest string) error {
		return &Error{Message: "the JSON path " + strconv.Quote(clip(s, 200)) + " has something at " + strconv.Quote(clip(rest, 80)) +
			" that is not supported here: it may have names, indexes, [*], .* and ..", Fatal: true}
	}
	if len(s) > maxJSONPath {
		return nil, wrong(s)
	}
	rest := strings.TrimPrefix(strings.TrimSpace(s), "$")
	if rest != "" && !strings.HasPrefix(rest, ".") && !strings.HasPrefix(rest, "[") {
		rest = "." + rest
	}
	path := jsonPath{}
	for rest != "" {
		step := pathStep{kind: 'm'}
		at := rest
		switch {
		case strings.HasPrefix(rest, ".."):
			step.deep, rest = true, rest[2:]
		case rest[0] == '.':
			rest = rest[1:]
		}
		if strings.HasPrefix(rest, "[") {
			inner, after, ok := strings.Cut(rest[1:], "]")
			if n := len(inner); ok && n >= 2 && (inner[0] == '\'' || inner[0] == '"') && inner[n-1] == inner[0] {
				step.name = inner[1 : n-1]
			} else if n, err := strconv.Atoi(inner); ok && err == nil {
				step.kind, step.index = 'i', n
			} else if ok && inner == "*" {
				step.kind = 'a'
			} else {
				return nil, wrong(at)
			}
			rest = after
		} else {
			end := strings.IndexFunc(rest, func(r rune) bool { return strings.ContainsRune(".[ ()?@=<>!|&,`$'\"]", r) })
			if end < 0 {
				end = len(rest)
			}
			step.name, rest = rest[:end], rest[end:]
			if step.name == "" || rest != "" && rest[0] != '.' && rest[0] != '[' {
				return nil, wrong(at)
			}
		}
		path = append(path, step)
	}
	return path, nil
}

// find returns what the path leads to, at most maxFound values.
func (p jsonPath) find(v any) []any {
	at := []any{v}
	for _, s := range p {
		var next []any
		for _, v := range at {
			next = s.from(v, next)
		}
		at = next
	}
	return at
}

// from adds what the step leads to from v.
func (s pathStep) from(v any, found []any) []any {
	if len(found) >= maxFound {
		return found
	}
	m, _ := v.(map[string]any)
	l, isList := v.([]any)
	switch {
	case s.kind == 'i':
		i := s.index
		if i < 0 {
			i += len(l)
		}
		if i >= 0 && i < len(l) {
			found = append(found, l[i])
		}
	case s.kind == 'a' && isList:
		found = append(found, l...)
	case s.kind == 'a':
		found = append(found, v) // the library takes one thing for a list of one
	case s.name == "*":
		for _, k := range slices.Sorted(maps.Keys(m)) {
			found = append(found, m[k])
		}
	default:
		if e, ok := m[s.name]; ok {
			found = append(found, e)
		}
	}
	if s.deep {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if below(m[k]) {
				found = s.from(m[k], found)
			}
		}
		for _, e := range l {
			if below(e) {
				found = s.from(e, found)
			}
		}
	}
	return found[:min(len(found), maxFound)]
}

// below reports whether there can be something below a value.
func below(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

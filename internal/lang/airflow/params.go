package airflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"fairlead/internal/flow"
)

// params reads the params of a DAG or task: plain values, or specs with a
// default and a JSON Schema.
func (c *compiler) params(v *value, path string) []Param {
	if v == nil || v.kind == null {
		return nil
	}
	if v.kind != mapping {
		c.fault(v, path, say{message: fmt.Sprintf("params must be a mapping from name to value, not %s", v.what())})
		return nil
	}
	out := make([]Param, 0, len(v.pairs))
	for _, kv := range v.pairs {
		at := join(path, kv.key.name())
		if kv.key.kind != text {
			c.fault(kv.key, at, say{message: fmt.Sprintf("the name of a param is text, not %s", kv.key.what()), fix: "quote it"})
			continue
		}
		if o := opaqueIn(kv.value); o != nil {
			c.fault(o, at, say{message: fmt.Sprintf("objects of %s cannot be constructed here", Clip(o.text, 100))})
			continue
		}
		p := Param{Name: kv.key.text}
		if kv.value.kind == param || isSpec(kv.value) {
			c.spec(&p, kv.value, at)
		} else {
			p.Default = kv.value.json(nil)
		}
		out = append(out, p)
	}
	return out
}

// isSpec tells a param's spec from a plain mapping: it has a default or a
// type of JSON Schema, and no key that means nothing there.
func isSpec(v *value) bool {
	if v.kind != mapping {
		return false
	}
	typed := v.find("default") != nil
	if t := v.find("type"); t != nil {
		types := []*value{t}
		if t.kind == list {
			types = t.items
		}
		for _, t := range types {
			if !slices.Contains([]string{"string", "integer", "number", "boolean", "array", "object", "null"}, t.text) && t.kind != null {
				return false
			}
		}
		typed = true
	}
	for _, p := range v.pairs {
		if p.key.kind != text || !schemaWord(p.key.text) {
			return false
		}
	}
	return typed
}

// schemaWord reports whether key has a meaning in a param's spec: the words of
// JSON Schema, and those by which Airflow's pages are drawn.
func schemaWord(key string) bool {
	switch key {
	case "default", "type", "title", "description", "enum", "const", "examples", "format", "pattern", "minimum", "maximum",
		"exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "items", "prefixItems", "contains",
		"minItems", "maxItems", "uniqueItems", "properties", "patternProperties", "propertyNames", "additionalProperties",
		"required", "minProperties", "maxProperties", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "$schema", "$comment",
		"description_md", "values_display", "section", "source", "custom_html_form":
		return true
	}
	return false
}

// spec reads a param with a schema and checks what can be checked now.
func (c *compiler) spec(p *Param, v *value, path string) {
	schema := value{kind: mapping}
	for _, kv := range v.pairs {
		if kv.key.is("default") {
			p.Default = kv.value.json(nil)
			continue
		}
		schema.pairs = append(schema.pairs, kv)
	}
	if len(schema.pairs) > 0 {
		p.Schema = schema.json(nil)
	}
	if p.Schema == nil || p.Default == nil {
		if _, _, err := compileSchema(p.Schema); err != nil {
			c.fault(v, path, say{message: "not a JSON Schema: " + Clip(err.Error(), 300)})
		}
		return
	}
	sch, odd, err := compileSchema(p.Schema)
	switch {
	case err != nil:
		c.fault(v, path, say{message: "not a JSON Schema: " + Clip(err.Error(), 300)})
		p.Schema = nil
	case odd != "":
		c.caution(v, path, say{message: fmt.Sprintf("the pattern %s uses what only Python's expressions have; it is not checked", pyQuote(Clip(odd, 100)))})
	default:
		if problem := satisfies(sch, p.Default); problem != "" {
			c.caution(v, path, say{message: "the default does not satisfy the schema: " + problem, fix: "change the default; otherwise each run must give a value"})
		}
	}
}

// needless returns the name of a param that a scheduled run would lack.
func needless(params []Param) string {
	for _, p := range params {
		if p.Default == nil || p.check(p.Default) != "" {
			return p.Name
		}
	}
	return ""
}

// maxOverrides bounds what a run may be started with, in bytes.
const maxOverrides = 1 << 20

// MergeParams gives the params that a task sees: the workflow's, over them
// the task's, over them what the run was started with, a JSON object or
// nothing. A value that its schema does not allow, and a param without any
// value, is an error of kind [flow.Invalid] in Airflow's words. Params keep
// the order in which they were first named.
func MergeParams(meta Meta, action Action, overrides json.RawMessage) (json.RawMessage, error) {
	var all []Param
	at := map[string]int{}
	put := func(p Param, plain bool) {
		i, ok := at[p.Name]
		switch {
		case !ok:
			at[p.Name] = len(all)
			all = append(all, p)
		case plain:
			// A plain value replaces the value and leaves the schema.
			all[i].Default = p.Default
		default:
			all[i] = p
		}
	}
	for _, p := range meta.Params {
		put(p, false)
	}
	for _, p := range action.Params {
		put(p, p.Schema == nil && p.Default != nil)
	}
	given, err := members(overrides)
	if err != nil {
		return nil, err
	}
	for _, p := range given {
		put(p, true)
	}
	var faults []string
	b := []byte{'{'}
	for i, p := range all {
		problem := "No value passed and Param has no default value"
		if p.Default != nil {
			problem = p.check(p.Default)
		}
		if problem != "" {
			faults = append(faults, fmt.Sprintf("Invalid input for param %s: %s", p.Name, problem))
			continue
		}
		if i > 0 && len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(quote(b, p.Name), ':'), p.Default...)
	}
	if len(faults) > 0 {
		return nil, flow.Errorf(flow.Invalid, "%s", Clip(strings.Join(faults, "\n"), 4000))
	}
	return append(b, '}'), nil
}

// members splits a JSON object into its members, in order.
func members(raw json.RawMessage) ([]Param, error) {
	if len(bytes.TrimSpace(raw)) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if len(raw) > maxOverrides {
		return nil, flow.Errorf(flow.Invalid, "the run's params have %d bytes; at most %d are allowed", len(raw), maxOverrides)
	}
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	bad := func(err error) error {
		return flow.Errorf(flow.Invalid, "the run's params are no JSON object: %w", err)
	}
	if d.PeekKind() != '{' {
		return nil, bad(fmt.Errorf("they begin with %q", Clip(string(raw), 20)))
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, bad(err)
	}
	var out []Param
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, bad(err)
		}
		p := Param{Name: name.String()}
		val, err := d.ReadValue()
		if err != nil {
			return nil, bad(err)
		}
		val = val.Clone()
		if err := val.Compact(); err != nil {
			return nil, bad(err)
		}
		if err := checkNumbers(val); err != nil {
			return nil, flow.Errorf(flow.Invalid, "Invalid input for param %s: %w", Clip(p.Name, 100), err)
		}
		p.Default = json.RawMessage(val)
		out = append(out, p)
	}
	return out, nil
}

// checkNumbers refuses numbers that are far longer written out than in
// exponent form: a schema is checked with exact fractions.
func checkNumbers(raw jsontext.Value) error {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		t, err := d.ReadToken()
		if err != nil {
			return nil // the end: the value is known to be valid
		}
		if t.Kind() != '0' {
			continue
		}
		s := t.String()
		if f, err := strconv.ParseFloat(s, 64); err != nil && len(s) < 310 || len(s) > maxDigits || f == 0 && strings.ContainsAny(s, "eE") && strings.Trim(s, "0.eE+-") != "" && len(s) > 6 {
			return fmt.Errorf("the number %s is out of range", Clip(s, 40))
		}
	}
}

// check returns what is wrong with a value for the param, or "".
func (p Param) check(raw json.RawMessage) string {
	if p.Schema == nil {
		return ""
	}
	sch, _, err := compileSchema(p.Schema)
	if err != nil {
		return "the schema is not valid: " + Clip(err.Error(), 300)
	}
	return satisfies(sch, raw)
}

// noLoader refuses to fetch what a schema refers to.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s, and only references within the schema are followed", Clip(url, 100))
}

// A pattern is a regular expression of a schema.
type pattern struct {
	jsonschema.Regexp
	text string
}

func (p pattern) String() string { return p.text }

func (p pattern) MatchString(s string) bool { return p.Regexp == nil || p.Regexp.MatchString(s) }

// compileSchema compiles a param's schema. odd is a pattern that only
// Python's regular expressions know, which then matches everything.
func compileSchema(raw json.RawMessage) (sch *jsonschema.Schema, odd string, err error) {
	if raw == nil {
		return nil, "", nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, "", err
	}
	if m, ok := doc.(map[string]any); ok {
		// Drawing hints and notes, which must not be taken for a dialect.
		delete(m, "$schema")
		delete(m, "examples")
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(func(s string) (jsonschema.Regexp, error) {
		re, err := compileRegexp(s)
		if err != nil {
			odd = s
			return pattern{nil, s}, nil
		}
		return pattern{re, s}, nil
	})
	const name = "fairlead:param"
	if err := c.AddResource(name, doc); err != nil {
		return nil, "", err
	}
	sch, err = c.Compile(name)
	if err != nil {
		var bad *jsonschema.SchemaValidationError
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return nil, "", errors.New(lastLine(err.Error()))
	}
	return sch, odd, nil
}

// satisfies returns what sch has against raw, or "", in the words of Python's
// jsonschema where they are known.
func satisfies(sch *jsonschema.Schema, raw json.RawMessage) string {
	if sch == nil {
		return ""
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err.Error()
	}
	err = sch.Validate(doc)
	if err == nil {
		return ""
	}
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		return Clip(lastLine(err.Error()), 300)
	}
	for len(ve.Causes) == 1 || ve.SchemaURL != "" && len(ve.Causes) > 0 && isWrapper(ve) {
		ve = ve.Causes[0]
	}
	return Clip(inPython(ve, at(fromJSON(raw), ve.InstanceLocation)), 600)
}

// at follows a location into a value.
func at(v *value, location []string) *value {
	for _, step := range location {
		switch v.kind {
		case list:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v.items) {
				return v
			}
			v = v.items[i]
		case mapping:
			next := v.find(step)
			if next == nil {
				return v
			}
			v = next
		}
	}
	return v
}

// fromJSON reads valid JSON, for printing it as Python would.
func fromJSON(raw []byte) *value {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	return readJSON(d)
}

func readJSON(d *jsontext.Decoder) *value {
	t, err := d.ReadToken()
	if err != nil {
		return &value{kind: null}
	}
	switch t.Kind() {
	case 't', 'f':
		return &value{kind: boolean, bool: t.Bool()}
	case '"':
		return &value{kind: text, text: t.String()}
	case '0':
		s := t.String()
		if strings.ContainsAny(s, ".eE") {
			f, _ := strconv.ParseFloat(s, 64)
			return &value{kind: float, num: f}
		}
		return &value{kind: integer, text: s}
	case '[':
		v := &value{kind: list}
		for k := d.PeekKind(); k != ']' && k != 0; k = d.PeekKind() {
			v.items = append(v.items, readJSON(d))
		}
		_, _ = d.ReadToken()
		return v
	case '{':
		v := &value{kind: mapping}
		for k := d.PeekKind(); k != '}' && k != 0; k = d.PeekKind() {
			key := readJSON(d)
			v.pairs = append(v.pairs, pair{key, readJSON(d)})
		}
		_, _ = d.ReadToken()
		return v
	}
	return &value{kind: null}
}

func lastLine(s string) string {
	s = strings.TrimRight(s, "\n")
	return strings.TrimLeft(s[strings.LastIndexByte(s, '\n')+1:], " -")
}

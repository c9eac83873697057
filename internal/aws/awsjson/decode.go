package awsjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"fairlead/internal/flow"
)

const (
	maxDepth  = 100 // of nested objects and lists in a body
	maxFaults = 100 // listed in one ValidationException
)

// A plan says how a Go type is read.
type plan struct {
	typ    reflect.Type
	rule   *rule // never nil
	elem   *plan // of a pointer, list or map
	key    *rule
	fields []field
	byName map[string]int
}

type field struct {
	name     string
	index    int
	required bool
	placed   bool // in the path or the query
	plan     *plan
}

var (
	rawType  = reflect.TypeFor[json.RawMessage]()
	blobType = reflect.TypeFor[[]byte]()
)

// newPlan reads the tags of typ. It panics on what no request can hold:
// types are written into the program.
func newPlan(rules map[string]*rule, typ reflect.Type, shape string) *plan {
	p := &plan{typ: typ, rule: rules[shape]}
	if p.rule == nil {
		if shape != "" {
			panic("awsjson: no shape " + shape)
		}
		p.rule = &rule{}
	}
	if typ == rawType || typ == blobType {
		return p
	}
	switch typ.Kind() {
	case reflect.Pointer:
		p.elem = newPlan(rules, typ.Elem(), shape)
	case reflect.Slice:
		p.elem = newPlan(rules, typ.Elem(), p.rule.Member)
	case reflect.Map:
		p.elem = newPlan(rules, typ.Elem(), p.rule.Member)
		p.key = &rule{}
		if p.rule.Key != "" {
			p.key = rules[p.rule.Key]
		}
		if p.key == nil {
			panic("awsjson: no shape " + p.rule.Key)
		}
	case reflect.Struct:
		p.byName = map[string]int{}
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				name = f.Name
			}
			of, option, _ := strings.Cut(f.Tag.Get("aws"), ",")
			if option != "" && option != "required" {
				panic(fmt.Sprintf("awsjson: %s.%s: option %q", typ, f.Name, option))
			}
			p.byName[name] = len(p.fields)
			p.fields = append(p.fields, field{name, i, option == "required", f.Tag.Get("in") != "", newPlan(rules, f.Type, of)})
		}
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Float64:
	default:
		panic(fmt.Sprintf("awsjson: type %s", typ))
	}
	return p
}

// decode reads a body, and texts from the path and the query, into v, which
// has the plan's type. Its error is a SerializationException where they cannot
// be read as that type, and otherwise a [flow.Error] that names every broken
// constraint.
func (p *plan) decode(body []byte, texts map[string][]string, v reflect.Value) error {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	if depth(body) > maxDepth {
		return serialization("the body nests more than %d levels", maxDepth)
	}
	d := &decoder{Decoder: jsontext.NewDecoder(bytes.NewBuffer(body)), texts: texts}
	if d.PeekKind() == 'n' {
		return serialization("the body must be a JSON object, got null")
	}
	if err := d.value(p, v, ""); err != nil {
		return d.explain(err)
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return serialization("the body goes on after its JSON object")
	}
	if len(d.faults) == 0 {
		return nil
	}
	return invalid(d.faults)
}

// depth returns how deep body nests, counting brackets outside of strings.
func depth(body []byte) int {
	deepest, at, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			at++
			deepest = max(deepest, at)
		case c == '}' || c == ']':
			at--
		}
	}
	return deepest
}

func invalid(faults []flow.Field) error {
	var b strings.Builder
	if len(faults) == 1 {
		b.WriteString("1 member is not valid: ")
	} else {
		fmt.Fprintf(&b, "%d members are not valid: ", len(faults))
	}
	for i, f := range faults {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Name + " " + f.Message)
	}
	err := flow.Errorf(flow.Invalid, "%s", b.String())
	err.Reason = "fieldValidationFailed"
	err.Fields = faults
	return err
}

// A decoder reads one body.
type decoder struct {
	*jsontext.Decoder
	texts  map[string][]string
	faults []flow.Field
}

func (d *decoder) fault(path, text string) {
	if text != "" && len(d.faults) < maxFaults {
		d.faults = append(d.faults, flow.Field{Name: path, Message: text})
	}
}

// errType is a value of the wrong type.
type errType struct{ path, want, got string }

func (e errType) Error() string {
	if e.path == "" {
		return fmt.Sprintf("the body must be %s, got %s", e.want, e.got)
	}
	return fmt.Sprintf("%s must be %s, got %s", e.path, e.want, e.got)
}

// explain turns what the tokenizer says into an error for the caller.
func (d *decoder) explain(err error) error {
	if t, ok := errors.AsType[errType](err); ok {
		return serialization("%s", t.Error())
	}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return serialization("the body is not valid JSON at byte %d: %v", s.ByteOffset, s.Err)
	}
	return serialization("the body is not valid JSON: it ends early")
}

// value reads the next value, which is not null.
func (d *decoder) value(p *plan, v reflect.Value, path string) error {
	if p.typ == rawType {
		raw, err := d.ReadValue()
		v.SetBytes(bytes.Clone(raw))
		return err
	}
	if p.typ == blobType {
		return d.blob(v, path)
	}
	switch p.typ.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(p.typ.Elem()))
		return d.value(p.elem, v.Elem(), path)
	case reflect.Struct:
		return d.object(p, v, path)
	case reflect.Map:
		return d.mapping(p, v, path)
	case reflect.Slice:
		return d.list(p, v, path)
	}
	return d.scalar(p, v, path)
}

func (d *decoder) object(p *plan, v reflect.Value, path string) error {
	if err := d.open('{', path, "an object"); err != nil {
		return err
	}
	seen := make([]bool, len(p.fields))
	if path == "" {
		if err := d.placed(p, v, seen); err != nil {
			return err
		}
	}
	for d.PeekKind() != '}' {
		tok, err := d.ReadToken()
		if err != nil {
			return err
		}
		i, known := p.byName[tok.String()]
		if !known || p.fields[i].placed {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		f := &p.fields[i]
		// Null is absence, except where null is itself the value.
		if d.PeekKind() == 'n' && f.plan.typ != rawType {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		seen[i] = true
		if err := d.value(f.plan, v.Field(f.index), join(path, f.name)); err != nil {
			return err
		}
	}
	set := 0
	for i := range p.fields {
		if seen[i] {
			set++
		} else if p.fields[i].required {
			d.fault(join(path, p.fields[i].name), "is required")
		}
	}
	if p.rule.Union && set != 1 {
		d.fault(path, fmt.Sprintf("must have exactly one member, has %d", set))
	}
	_, err := d.ReadToken()
	return err
}

// placed reads the members that are in the path or the query, and notes in
// seen those that are there.
func (d *decoder) placed(p *plan, v reflect.Value, seen []bool) error {
	for i := range p.fields {
		f := &p.fields[i]
		if !f.placed {
			continue
		}
		values := d.texts[f.name]
		if seen[i] = len(values) > 0; !seen[i] {
			continue
		}
		if err := d.text(f.plan, v.Field(f.index), f.name, values); err != nil {
			return err
		}
	}
	return nil
}

// text reads a member of the path or the query.
func (d *decoder) text(p *plan, v reflect.Value, name string, values []string) error {
	switch p.typ.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(p.typ.Elem()))
		return d.text(p.elem, v.Elem(), name, values)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(p.typ, len(values), len(values)))
		for i := range values {
			if err := d.text(p.elem, v.Index(i), fmt.Sprintf("%s[%d]", name, i), values[i:i+1]); err != nil {
				return err
			}
		}
		d.fault(name, p.rule.checkCount(len(values)))
	case reflect.String:
		v.SetString(values[0])
		d.fault(name, p.rule.checkString(values[0]))
	case reflect.Bool:
		b, err := strconv.ParseBool(values[0])
		if err != nil {
			return errType{name, "true or false", clip(strconv.Quote(values[0]))}
		}
		v.SetBool(b)
	default:
		n, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil || v.OverflowInt(n) {
			return errType{name, fmt.Sprintf("an integer of %d bits", p.typ.Bits()), clip(strconv.Quote(values[0]))}
		}
		v.SetInt(n)
		d.fault(name, p.rule.checkNumber(n))
	}
	return nil
}

// blob reads bytes, which are base64 on the wire.
func (d *decoder) blob(v reflect.Value, path string) error {
	if d.PeekKind() != '"' {
		return d.mismatch(path, "a string of base64")
	}
	tok, err := d.ReadToken()
	if err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(tok.String())
	if err != nil {
		return errType{path, "base64", "something else"}
	}
	v.SetBytes(data)
	return nil
}

func (d *decoder) mapping(p *plan, v reflect.Value, path string) error {
	if err := d.open('{', path, "an object"); err != nil {
		return err
	}
	v.Set(reflect.MakeMap(p.typ))
	for d.PeekKind() != '}' {
		tok, err := d.ReadToken()
		if err != nil {
			return err
		}
		key := tok.String()
		at := join(path, clip(key))
		if bad := p.key.checkString(key); bad != "" {
			d.fault(at, "key "+bad)
		}
		elem := reflect.New(p.elem.typ).Elem()
		if err := d.member(p.elem, elem, at); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(key).Convert(p.typ.Key()), elem)
	}
	d.fault(path, p.rule.checkCount(v.Len()))
	_, err := d.ReadToken()
	return err
}

func (d *decoder) list(p *plan, v reflect.Value, path string) error {
	if err := d.open('[', path, "a list"); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(p.typ, 0, 0))
	for d.PeekKind() != ']' {
		elem := reflect.New(p.elem.typ).Elem()
		if err := d.member(p.elem, elem, fmt.Sprintf("%s[%d]", path, v.Len())); err != nil {
			return err
		}
		v.Set(reflect.Append(v, elem))
	}
	d.fault(path, p.rule.checkCount(v.Len()))
	_, err := d.ReadToken()
	return err
}

// member reads an entry of a list or map, where Smithy has no null.
func (d *decoder) member(p *plan, v reflect.Value, path string) error {
	if d.PeekKind() == 'n' && p.typ != rawType {
		return errType{path, wants(p.typ), "null"}
	}
	return d.value(p, v, path)
}

// open reads the bracket of an object or list.
func (d *decoder) open(kind jsontext.Kind, path, want string) error {
	if k := d.PeekKind(); k != kind {
		return d.mismatch(path, want)
	}
	_, err := d.ReadToken()
	return err
}

// mismatch is the error for a next value that is not what we want; a syntax
// error goes first.
func (d *decoder) mismatch(path, want string) error {
	kind := d.PeekKind()
	if err := d.SkipValue(); err != nil {
		return err
	}
	return errType{path, want, name(kind)}
}

func (d *decoder) scalar(p *plan, v reflect.Value, path string) error {
	kind := d.PeekKind()
	switch p.typ.Kind() {
	case reflect.String:
		if kind != '"' {
			return d.mismatch(path, "a string")
		}
		tok, err := d.ReadToken()
		if err != nil {
			return err
		}
		s := tok.String()
		v.SetString(s)
		d.fault(path, p.rule.checkString(s))
	case reflect.Bool:
		if kind != 't' && kind != 'f' {
			return d.mismatch(path, "a boolean")
		}
		tok, err := d.ReadToken()
		if err != nil {
			return err
		}
		v.SetBool(tok.Bool())
	case reflect.Float64:
		if kind != '0' {
			return d.mismatch(path, "a number")
		}
		raw, err := d.ReadValue()
		if err != nil {
			return err
		}
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return errType{path, "a number", "one that is too large"}
		}
		v.SetFloat(f)
	default:
		if kind != '0' {
			return d.mismatch(path, "an integer")
		}
		raw, err := d.ReadValue()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil || v.OverflowInt(n) {
			return errType{path, fmt.Sprintf("an integer of %d bits", p.typ.Bits()), clip(string(raw))}
		}
		v.SetInt(n)
		d.fault(path, p.rule.checkNumber(n))
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// clip bounds a name that came from outside.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func wants(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "an object"
	case reflect.Bool:
		return "a boolean"
	}
	return "a number"
}

func name(k jsontext.Kind) string {
	switch k {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "null"
}

package jinja

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// FromJSON turns JSON into the value that Python's json.loads gives:
// objects keep their order, a number with a point or exponent is a float,
// any other an int of any size. The result is fresh: the caller may change
// it.
func FromJSON(raw json.RawMessage) (v Value, err error) {
	defer rescue(&err)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err = decode(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, Errorf("ValueError", "more than one JSON value")
	}
	return v, nil
}

// maxJSONDepth bounds how deep JSON may nest.
const maxJSONDepth = 1000

func decode(d *json.Decoder, depth int) (Value, error) {
	if depth > maxJSONDepth {
		return nil, Errorf("RecursionError", "JSON nested deeper than %d", maxJSONDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, Errorf("ValueError", "JSON: %s", err)
	}
	switch t := t.(type) {
	case nil:
		return None, nil
	case bool:
		return Bool(t), nil
	case string:
		return Str(t), nil
	case json.Number:
		return number(string(t))
	case json.Delim:
		if t == '[' {
			l := NewList()
			for d.More() {
				v, err := decode(d, depth+1)
				if err != nil {
					return nil, err
				}
				l.Items = append(l.Items, v)
			}
			_, err := d.Token()
			return l, err
		}
		o := NewDict()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, Errorf("ValueError", "JSON: %s", err)
			}
			v, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			o.Set(k.(string), v)
		}
		_, err := d.Token()
		return o, err
	}
	return nil, Errorf("ValueError", "JSON: unexpected %v", t)
}

func number(s string) (Value, error) {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(f, 0) {
			return nil, Errorf("ValueError", "JSON: bad number %s", s)
		}
		return Float(f), nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return Int(n), nil
	}
	if len(s) > maxIntDigits {
		return nil, Errorf("ValueError", "JSON: number of %d digits", len(s))
	}
	b, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, Errorf("ValueError", "JSON: bad number %s", s)
	}
	return NewInt(b), nil
}

// ToJSON writes a value as JSON, objects in their order. It fails for what
// JSON cannot say, NaN and infinity included.
func ToJSON(v Value) (raw json.RawMessage, err error) {
	defer rescue(&err)
	m := &machine{lim: Limits{}.withDefaults()}
	e := &encoder{m: m, plain: true}
	e.value(v, 0)
	return json.RawMessage(e.b.String()), nil
}

// filterToJSON is json.dumps with sorted keys, and made safe for HTML.
func filterToJSON(c *Call) Value {
	e := &encoder{m: c.m, sort: true}
	if indent := c.Or(1, None); indent != None {
		e.pretty = true
		if s, ok := asStr(indent); ok {
			e.indent = s
		} else {
			n, ok := asInt(indent)
			if !ok {
				panic(typeError("can't multiply sequence by non-int of type '%s'", indent.Type().Name))
			}
			e.indent = c.m.repeatText(" ", max(n, 0))
		}
	}
	e.value(c.Args[0], 0)
	return Markup(strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`).Replace(e.b.String()))
}

type encoder struct {
	m      *machine
	b      strings.Builder
	sort   bool
	plain  bool // for other programs: UTF-8, and no NaN
	pretty bool
	indent string
	within []Value
}

func (e *encoder) value(v Value, depth int) {
	e.m.step(1)
	e.m.alloc(8)
	switch v := v.(type) {
	case noneType:
		e.b.WriteString("null")
	case Bool:
		e.b.WriteString(strconv.FormatBool(bool(v)))
	case Int, bigInt:
		e.b.WriteString(intText(v))
	case Float:
		e.b.WriteString(e.float(float64(v)))
	case Str, Markup:
		s, _ := asStr(v)
		e.text(s)
	case *List:
		e.items(v, v.Items, depth)
	case *Tuple:
		e.items(v, v.Items, depth)
	case *Dict:
		e.dict(v, depth)
	default:
		panic(typeError("Object of type %s is not JSON serializable", v.Type().Name))
	}
}

func (e *encoder) float(f float64) string {
	switch {
	case e.plain && (math.IsNaN(f) || math.IsInf(f, 0)):
		panic(valueError("Out of range float values are not JSON compliant"))
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatRepr(f)
}

func (e *encoder) text(s string) {
	e.m.alloc(len(s))
	e.b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			e.b.WriteByte('\\')
			e.b.WriteRune(r)
		case r == '\n':
			e.b.WriteString(`\n`)
		case r == '\r':
			e.b.WriteString(`\r`)
		case r == '\t':
			e.b.WriteString(`\t`)
		case r == '\f':
			e.b.WriteString(`\f`)
		case r == '\b':
			e.b.WriteString(`\b`)
		case r >= ' ' && r < 0x7f || e.plain && r >= 0x7f:
			e.b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			e.unit(0xd800 + r>>10)
			e.unit(0xdc00 + r&0x3ff)
		default:
			e.unit(r)
		}
	}
	e.b.WriteByte('"')
}

func (e *encoder) unit(r rune) {
	const hex = "0123456789abcdef"
	e.b.WriteString(`\u`)
	for shift := 12; shift >= 0; shift -= 4 {
		e.b.WriteByte(hex[r>>shift&15])
	}
}

func (e *encoder) enter(v Value) {
	for _, w := range e.within {
		if w == v {
			panic(valueError("Circular reference detected"))
		}
	}
	e.within = append(e.within, v)
	if len(e.within) > maxJSONDepth {
		panic(Errorf("RecursionError", "maximum recursion depth exceeded while encoding a JSON object"))
	}
}

func (e *encoder) leave() { e.within = e.within[:len(e.within)-1] }

func (e *encoder) line(depth int) {
	if e.pretty {
		e.m.allocMany(int64(len(e.indent)), int64(depth))
		e.b.WriteByte('\n')
		e.b.WriteString(strings.Repeat(e.indent, depth))
	}
}

func (e *encoder) comma() {
	if e.pretty {
		e.b.WriteString(",")
	} else {
		e.b.WriteString(", ")
	}
}

func (e *encoder) items(v Value, items []Value, depth int) {
	if len(items) == 0 {
		e.b.WriteString("[]")
		return
	}
	e.enter(v)
	defer e.leave()
	e.b.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			e.comma()
		}
		e.line(depth + 1)
		e.value(item, depth+1)
	}
	e.line(depth)
	e.b.WriteByte(']')
}

func (e *encoder) dict(d *Dict, depth int) {
	if d.live == 0 {
		e.b.WriteString("{}")
		return
	}
	e.enter(d)
	defer e.leave()
	items := d.items()
	if e.sort {
		items = e.m.sorted(items, func(v Value) Value { return v.(*Tuple).Items[0] }, false)
	}
	e.b.WriteByte('{')
	for i, item := range items {
		if i > 0 {
			e.comma()
		}
		e.line(depth + 1)
		e.text(e.key(item.(*Tuple).Items[0]))
		e.b.WriteString(": ")
		e.value(item.(*Tuple).Items[1], depth+1)
	}
	e.line(depth)
	e.b.WriteByte('}')
}

func (e *encoder) key(k Value) string {
	switch k := k.(type) {
	case Str, Markup:
		s, _ := asStr(k)
		return s
	case noneType:
		return "null"
	case Bool:
		return strconv.FormatBool(bool(k))
	case Int, bigInt:
		return intText(k)
	case Float:
		return e.float(float64(k))
	}
	panic(typeError("keys must be str, int, float, bool or None, not %s", k.Type().Name))
}

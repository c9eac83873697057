package airflow

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// A kind is what Python would hold after loading the text.
type kind int

const (
	null kind = iota
	boolean
	integer
	float
	text
	date     // datetime.date
	datetime // datetime.datetime
	delta    // datetime.timedelta
	list
	mapping
	param  // airflow's Param: its pairs are the schema and the default
	opaque // an object of a class that only Python has; text is the class
)

// A value is one value of the document, with the place where it was written.
// It is not shared: an alias gets a copy of what its anchor holds.
type value struct {
	kind         kind
	line, column int
	// text is a string's content, an integer's decimal digits, the ISO form
	// of a date or datetime, or an opaque object's class.
	text  string
	bool  bool      // a boolean's value; on an opaque value: its fault is already reported
	num   float64   // a float's value, or a delta's seconds
	time  time.Time // a date's or datetime's moment, as if UTC when naive
	naive bool      // the datetime names no offset
	items []*value
	pairs []pair
}

// A pair is one entry of a mapping. Keys are distinct and in the order Python
// would keep.
type pair struct {
	key, value *value
}

// find returns the value under a string key, or nil.
func (v *value) find(key string) *value {
	for _, p := range v.pairs {
		if p.key.kind == text && p.key.text == key {
			return p.value
		}
	}
	return nil
}

// reported reports whether v stands for something that a fault has been
// reported of.
func (v *value) reported() bool { return v.kind == opaque && v.bool }

// is reports whether v is the string s.
func (v *value) is(s string) bool { return v.kind == text && v.text == s }

// number returns a number's value. Like Python, it counts booleans as
// numbers.
func (v *value) number() (n float64, ok bool) {
	switch v.kind {
	case boolean:
		if v.bool {
			return 1, true
		}
		return 0, true
	case integer:
		n, err := strconv.ParseFloat(v.text, 64)
		return n, err == nil
	case float:
		return v.num, true
	}
	return 0, false
}

// int returns an integer that fits.
func (v *value) int() (n int, ok bool) {
	if v.kind != integer {
		return 0, false
	}
	n, err := strconv.Atoi(v.text)
	return n, err == nil
}

// truthy is Python's bool(v).
func (v *value) truthy() bool {
	switch v.kind {
	case null:
		return false
	case boolean:
		return v.bool
	case integer:
		return v.text != "0"
	case float, delta:
		return v.num != 0
	case text:
		return v.text != ""
	case list:
		return len(v.items) > 0
	case mapping:
		return len(v.pairs) > 0
	}
	return true
}

// python names v's type as Python's type(v).__name__ does.
func (v *value) python() string {
	switch v.kind {
	case null:
		return "NoneType"
	case boolean:
		return "bool"
	case integer:
		return "int"
	case float:
		return "float"
	case text:
		return "str"
	case date:
		return "date"
	case datetime:
		return "datetime"
	case delta:
		return "timedelta"
	case list:
		return "list"
	case mapping:
		return "dict"
	case param:
		return "Param"
	}
	return v.text[strings.LastIndexByte(v.text, '.')+1:]
}

// what names v's type in our messages.
func (v *value) what() string {
	switch v.kind {
	case null:
		return "null"
	case boolean:
		return "a boolean"
	case integer:
		return "an integer"
	case float:
		return "a number"
	case text:
		return "a string"
	case date:
		return "a date"
	case datetime:
		return "a timestamp"
	case delta:
		return "a timedelta"
	case list:
		return "a list"
	case mapping:
		return "a mapping"
	case param:
		return "a Param"
	}
	return "an object of " + v.text
}

// json appends v as JSON. Integers stay integers, floats keep a point or an
// exponent, dates become ISO text, deltas seconds, objects keep their order.
func (v *value) json(b []byte) []byte { return v.write(b, false) }

// typed is json, but keeps what JSON has no word for: a timedelta, date or
// datetime is an object whose __type__ names it. It is for constructors that
// only Python knows.
func (v *value) typed(b []byte) []byte { return v.write(b, true) }

func (v *value) write(b []byte, typed bool) []byte {
	if typed {
		switch v.kind {
		case delta:
			return append(append(append(b, `{"__type__":"datetime.timedelta","seconds":`...), floatText(v.num)...), '}')
		case date, datetime:
			b = append(append(append(b, `{"__type__":"`...), v.class()...), `","iso":`...)
			return append(quote(b, v.text), '}')
		}
	}
	switch v.kind {
	case boolean:
		return strconv.AppendBool(b, v.bool)
	case integer:
		return append(b, v.text...)
	case float, delta:
		return append(b, floatText(v.num)...)
	case text, date, datetime, opaque:
		return quote(b, v.text)
	case list:
		b = append(b, '[')
		for i, it := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = it.write(b, typed)
		}
		return append(b, ']')
	case mapping, param:
		b = append(b, '{')
		for i, p := range v.pairs {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(quote(b, p.key.name()), ':')
			b = p.value.write(b, typed)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// name is the text of a scalar used as an object's key, as Python's json
// writes it.
func (v *value) name() string {
	switch v.kind {
	case text, date, datetime:
		return v.text
	}
	return string(v.json(nil))
}

// quote appends s as a JSON string. Everything that YAML lets through is
// valid UTF-8, so that there is no error to report.
func quote(b []byte, s string) []byte {
	q, err := jsontext.AppendQuote(b, s)
	if err != nil {
		q, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(s, "\uFFFD"))
	}
	return q
}

// floatText is Python's repr of a finite float, which is valid JSON.
func floatText(f float64) string {
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		return s
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.ContainsRune(s, '.') {
		s += ".0"
	}
	return s
}

// maxRepr bounds what a message quotes of a value.
const maxRepr = 1200

// repr is Python's repr of v, cut where it is longer than a message allows.
func (v *value) repr() string {
	var b strings.Builder
	v.writeRepr(&b)
	return Clip(b.String(), maxRepr)
}

func (v *value) writeRepr(b *strings.Builder) {
	if b.Len() > maxRepr {
		return
	}
	switch v.kind {
	case null:
		b.WriteString("None")
	case boolean:
		if v.bool {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case integer:
		b.WriteString(v.text)
	case float:
		b.WriteString(floatText(v.num))
	case text:
		b.WriteString(pyQuote(v.text))
	case date:
		fmt.Fprintf(b, "datetime.date(%d, %d, %d)", v.time.Year(), v.time.Month(), v.time.Day())
	case datetime:
		fmt.Fprintf(b, "datetime.datetime(%d, %d, %d, %d, %d", v.time.Year(), v.time.Month(), v.time.Day(), v.time.Hour(), v.time.Minute())
		if us := v.time.Nanosecond() / 1000; us != 0 {
			fmt.Fprintf(b, ", %d, %d", v.time.Second(), us)
		} else if v.time.Second() != 0 {
			fmt.Fprintf(b, ", %d", v.time.Second())
		}
		if !v.naive {
			b.WriteString(", tzinfo=datetime.timezone.utc")
		}
		b.WriteByte(')')
	case delta:
		fmt.Fprintf(b, "datetime.timedelta(seconds=%s)", strings.TrimSuffix(floatText(v.num), ".0"))
	case list:
		b.WriteByte('[')
		for i, it := range v.items {
			if i > 0 {
				b.WriteString(", ")
			}
			it.writeRepr(b)
		}
		b.WriteByte(']')
	case mapping, param:
		if v.kind == param {
			b.WriteString("Param(")
		}
		b.WriteByte('{')
		for i, p := range v.pairs {
			if i > 0 {
				b.WriteString(", ")
			}
			p.key.writeRepr(b)
			b.WriteString(": ")
			p.value.writeRepr(b)
		}
		b.WriteByte('}')
		if v.kind == param {
			b.WriteByte(')')
		}
	case opaque:
		fmt.Fprintf(b, "<%s>", v.text)
	}
}

// pyQuote is Python's repr of a string.
func pyQuote(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b := []byte{q}
	for _, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case unicode.IsPrint(r):
			b = append(b, string(r)...)
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return string(append(b, q))
}

// Clip cuts s to n bytes, at a character, and shows that it did.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

// isoDate and isoTime are what Python's isoformat prints.
func isoDate(t time.Time) string { return t.Format("2006-01-02") }

func isoTime(t time.Time, naive bool) string {
	form := "2006-01-02T15:04:05"
	if t.Nanosecond() != 0 {
		form += ".000000"
	}
	if !naive {
		form += "-07:00"
	}
	return t.Format(form)
}

// decimal turns digits of another base into decimal ones.
func decimal(digits string, base int, negative bool) (string, bool) {
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return "", false
	}
	if negative {
		n.Neg(n)
	}
	return n.String(), true
}

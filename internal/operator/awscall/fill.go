package awscall

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fill puts the call's input into an input struct of the SDK.
func (c *call) fill(in any) error {
	f := filler{names: c.names}
	f.structure(reflect.ValueOf(in).Elem(), c.input, "")
	if len(f.faults) > 0 {
		return &ParamError{f.faults}
	}
	return nil
}

// A filler puts JSON-like values into structs and gathers what does not fit.
type filler struct {
	names  *names
	faults []string
}

func (f *filler) fault(format string, args ...any) {
	f.faults = append(f.faults, fmt.Sprintf(format, args...))
}

// mistyped words a value of the wrong type.
func (f *filler) mistyped(path string, v any, want ...string) {
	for i, w := range want {
		if !strings.Contains(w, " ") && !strings.HasPrefix(w, "file") && !strings.HasPrefix(w, "timestamp") {
			want[i] = "<class '" + w + "'>"
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Append(nil, v)
	}
	f.fault("Invalid type for parameter %s, value: %s, type: <class '%s'>, valid types: %s",
		strings.TrimPrefix(path, "."), shorten(strings.Trim(string(text), `"`)), pythonType(v), strings.Join(want, ", "))
}

func shorten(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

func pythonType(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case string:
		return "str"
	case map[string]any:
		return "dict"
	case []any:
		return "list"
	case float64:
		return "float"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "float"
		}
	}
	return "int"
}

func (f *filler) structure(dst reflect.Value, v any, path string) {
	m, ok := v.(map[string]any)
	if !ok {
		f.mistyped(path, v, "dict")
		return
	}
	t := dst.Type()
	fields := map[string]int{}
	var known []string
	for i := range t.NumField() {
		if field := t.Field(i); !hidden(field) {
			name := f.names.api(t.Name(), field.Name)
			fields[name] = i
			known = append(known, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		i, ok := fields[name]
		if !ok {
			where := strings.TrimPrefix(path, ".")
			if where == "" {
				where = "input"
			}
			f.fault("Unknown parameter in %s: %q, must be one of: %s", where, name, strings.Join(known, ", "))
			continue
		}
		f.value(dst.Field(i), m[name], path+"."+name)
	}
}

// value puts v into dst, whatever its type.
func (f *filler) value(dst reflect.Value, v any, path string) {
	switch t := dst.Type(); {
	case t == reflect.TypeFor[*time.Time]():
		at, ok := moment(v)
		if !ok {
			f.mistyped(path, v, "datetime.datetime", "timestamp-string")
			return
		}
		dst.Set(reflect.ValueOf(&at))
	case t == reflect.TypeFor[time.Time]():
		at, ok := moment(v)
		if !ok {
			f.mistyped(path, v, "datetime.datetime", "timestamp-string")
			return
		}
		dst.Set(reflect.ValueOf(at))
	case t == reflect.TypeFor[[]byte]():
		if s, ok := v.(string); ok {
			dst.SetBytes([]byte(s))
			return
		}
		f.mistyped(path, v, "bytes", "bytearray", "file-like object")
	case t == reflect.TypeFor[io.Reader]():
		if s, ok := v.(string); ok {
			dst.Set(reflect.ValueOf(strings.NewReader(s)))
			return
		}
		f.mistyped(path, v, "bytes", "bytearray", "file-like object")
	case t.Kind() == reflect.Pointer:
		p := reflect.New(t.Elem())
		f.value(p.Elem(), v, path)
		dst.Set(p)
	case t.Kind() == reflect.Interface:
		f.open(dst, v, path)
	case t.Kind() == reflect.Struct:
		f.structure(dst, v, path)
	case t.Kind() == reflect.Slice:
		l, ok := v.([]any)
		if !ok {
			f.mistyped(path, v, "list", "tuple")
			return
		}
		s := reflect.MakeSlice(t, len(l), len(l))
		for i, e := range l {
			f.value(s.Index(i), e, fmt.Sprintf("%s[%d]", path, i))
		}
		dst.Set(s)
	case t.Kind() == reflect.Map:
		m, ok := v.(map[string]any)
		if !ok {
			f.mistyped(path, v, "dict")
			return
		}
		d := reflect.MakeMapWithSize(t, len(m))
		for k, e := range m {
			ev := reflect.New(t.Elem()).Elem()
			f.value(ev, e, path+"."+k)
			d.SetMapIndex(reflect.ValueOf(k).Convert(t.Key()), ev)
		}
		dst.Set(d)
	default:
		f.scalar(dst, v, path)
	}
}

// open fills a union, of which one variant must be given, or a document.
func (f *filler) open(dst reflect.Value, v any, path string) {
	variants := f.names.variants(dst.Type())
	if variants == nil {
		if f.names.document == nil {
			f.fault("Parameter %s cannot be given here", strings.TrimPrefix(path, "."))
			return
		}
		dst.Set(reflect.ValueOf(f.names.document(plain(v))))
		return
	}
	m, ok := v.(map[string]any)
	if !ok {
		f.mistyped(path, v, "dict")
		return
	}
	known := strings.Join(slices.Sorted(maps.Keys(variants)), ", ")
	if len(m) != 1 {
		f.fault("Invalid number of parameters set for tagged union structure %s. Can only set one of the following keys: %s.", strings.TrimPrefix(path, "."), known)
		return
	}
	for name, e := range m {
		t, ok := variants[name]
		if !ok {
			f.fault("Unknown parameter in %s: %q, must be one of: %s", strings.TrimPrefix(path, "."), name, known)
			return
		}
		p := reflect.New(t)
		f.value(p.Elem().FieldByName("Value"), e, path+"."+name)
		dst.Set(p)
	}
}

// plain turns numbers into those that a document takes.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		n, _ := v.Float64() // a number by its syntax
		return n
	case map[string]any:
		m := map[string]any{}
		for k, e := range v {
			m[k] = plain(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = plain(e)
		}
		return l
	}
	return v
}

func (f *filler) scalar(dst reflect.Value, v any, path string) {
	switch dst.Kind() {
	case reflect.String:
		if s, ok := v.(string); ok {
			dst.SetString(s)
			return
		}
		f.mistyped(path, v, "str")
	case reflect.Bool:
		if b, ok := v.(bool); ok {
			dst.SetBool(b)
			return
		}
		f.mistyped(path, v, "bool")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(numeral(v), 10, 64)
		if err != nil {
			f.mistyped(path, v, "int")
			return
		}
		if dst.OverflowInt(n) {
			f.fault("Invalid range for parameter %s, value: %d", strings.TrimPrefix(path, "."), n)
			return
		}
		dst.SetInt(n)
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(numeral(v), 64)
		if err != nil {
			f.mistyped(path, v, "float", "decimal.Decimal", "int")
			return
		}
		dst.SetFloat(n)
	default:
		f.fault("Parameter %s cannot be given here", strings.TrimPrefix(path, "."))
	}
}

// numeral returns the digits of a number, or nothing for what is none.
func numeral(v any) string {
	switch v := v.(type) {
	case json.Number:
		return v.String()
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// moment reads a time: ISO text, or seconds since the epoch.
func moment(v any) (time.Time, bool) {
	if s, ok := v.(string); ok {
		for _, form := range []string{
			time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
			"2006-01-02 15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02", time.RFC1123,
		} {
			if t, err := time.Parse(form, s); err == nil {
				return t.UTC(), true
			}
		}
		v = json.Number(s)
	}
	n, err := strconv.ParseFloat(numeral(v), 64)
	if err != nil || math.Abs(n) > 1e11 {
		return time.Time{}, false
	}
	whole, part := math.Modf(n)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), true
}

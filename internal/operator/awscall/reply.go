package awscall

import (
	"encoding/base64"
	"fmt"
	"io"
	"reflect"
	"time"
	"unicode/utf8"
)

// maxBody bounds what is read of a streamed reply.
const maxBody = 8 << 20

// members returns a reply's struct as a map. What is absent, and a text that
// is empty where the SDK cannot tell, is left out.
func (n *names) members(v reflect.Value) (map[string]any, error) {
	t := v.Type()
	m := map[string]any{}
	for i := range t.NumField() {
		f := t.Field(i)
		if hidden(f) {
			continue
		}
		e, ok, err := n.value(v.Field(i))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if ok {
			m[n.api(t.Name(), f.Name)] = e
		}
	}
	return m, nil
}

// value returns a member of a reply, and false if it is absent.
func (n *names) value(v reflect.Value) (any, bool, error) {
	switch x := v.Interface().(type) {
	case time.Time:
		return isotime(x), true, nil
	case []byte:
		if x == nil {
			return nil, false, nil
		}
		return bytesText(x), true, nil
	case io.ReadCloser:
		if x == nil {
			return nil, false, nil
		}
		defer x.Close()
		text, err := io.ReadAll(io.LimitReader(x, maxBody+1))
		if err == nil && len(text) > maxBody {
			err = fmt.Errorf("it is larger than %d bytes", maxBody)
		}
		return bytesText(text), true, err
	case interface{ UnmarshalSmithyDocument(any) error }:
		var d any
		err := x.UnmarshalSmithyDocument(&d)
		return d, true, err
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, false, nil
		}
		return n.value(v.Elem())
	case reflect.Interface:
		if v.IsNil() {
			return nil, false, nil
		}
		return n.variant(v)
	case reflect.Struct:
		m, err := n.members(v)
		return m, true, err
	case reflect.Slice:
		if v.IsNil() {
			return nil, false, nil
		}
		l := make([]any, 0, v.Len())
		for i := range v.Len() {
			e, ok, err := n.value(v.Index(i))
			if err != nil {
				return nil, false, err
			}
			if ok || v.Index(i).Kind() == reflect.String {
				l = append(l, e)
			}
		}
		return l, true, nil
	case reflect.Map:
		if v.IsNil() {
			return nil, false, nil
		}
		m := map[string]any{}
		for k, e := range v.Seq2() {
			x, _, err := n.value(e)
			if err != nil {
				return nil, false, err
			}
			m[k.String()] = x
		}
		return m, true, nil
	case reflect.String:
		// Enumerations are not pointers: an empty one is an absent one.
		return v.String(), v.Len() > 0 || v.Type() == reflect.TypeFor[string](), nil
	case reflect.Bool:
		return v.Bool(), true, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), true, nil
	case reflect.Float32, reflect.Float64:
		return v.Float(), true, nil
	}
	return nil, false, nil
}

// variant returns a union as an object with one member.
func (n *names) variant(v reflect.Value) (any, bool, error) {
	for name, t := range n.variants(v.Type()) {
		if v.Elem().Type() != reflect.PointerTo(t) {
			continue
		}
		e, ok, err := n.value(v.Elem().Elem().FieldByName("Value"))
		if err != nil || !ok {
			return nil, false, err
		}
		return map[string]any{name: e}, true, nil
	}
	return nil, false, nil // a variant newer than the SDK
}

// bytesText shows a blob: as text if it is, else in base64.
func bytesText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// isotime renders a time as Python's datetime.isoformat does.
func isotime(t time.Time) string {
	t = t.UTC()
	if t.Nanosecond()/1000 != 0 {
		return t.Format("2006-01-02T15:04:05.000000-07:00")
	}
	return t.Format("2006-01-02T15:04:05-07:00")
}

package wdl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// maxNesting bounds how deep JSON is nested.
const maxNesting = 200

// ParseJSON reads a value that is written as JSON. Objects are *[Record]s;
// numbers without point and exponent are Ints, which must fit 64 bits.
func ParseJSON(data []byte) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := parseJSON(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("after the JSON value, at byte %d: expected nothing more", d.InputOffset())
	}
	return v, nil
}

func parseJSON(d *json.Decoder, depth int) (Value, error) {
	tok, err := d.Token()
	if err == io.EOF {
		return nil, fmt.Errorf("at byte %d: expected a JSON value, found the end", d.InputOffset())
	}
	if err != nil {
		return nil, fmt.Errorf("at byte %d: %w", d.InputOffset(), err)
	}
	switch tok := tok.(type) {
	case json.Delim:
		if depth == maxNesting {
			return nil, fmt.Errorf("at byte %d: nested more than %d deep", d.InputOffset(), maxNesting)
		}
		if tok == '[' {
			list := &List{}
			for d.More() {
				v, err := parseJSON(d, depth+1)
				if err != nil {
					return nil, err
				}
				list.Items = append(list.Items, v)
			}
			_, err := d.Token()
			return list, err
		}
		rec := &Record{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, fmt.Errorf("at byte %d: %w", d.InputOffset(), err)
			}
			v, err := parseJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			rec.Names, rec.Values = append(rec.Names, name.(string)), append(rec.Values, v)
		}
		_, err := d.Token()
		return rec, err
	case json.Number:
		if !strings.ContainsAny(string(tok), ".eE") {
			n, err := strconv.ParseInt(string(tok), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("at byte %d: %s does not fit 64 bits", d.InputOffset(), tok)
			}
			return n, nil
		}
		f, err := strconv.ParseFloat(string(tok), 64)
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %s is no number that a Float holds", d.InputOffset(), tok)
		}
		return f, nil
	case string:
		return tok, nil
	case bool:
		return tok, nil
	}
	return nil, nil
}

// AppendJSON appends a value as JSON: files and directories by their names,
// pairs as objects with left and right, maps as objects by the texts of their
// keys. Floats always have a point or an exponent, so that they stay Floats.
func AppendJSON(b []byte, v Value) ([]byte, error) { return jsonStyle{",", ":"}.append(b, v) }

// A jsonStyle says what separates the parts of JSON. What documents make has
// spaces, as the engine has it that HealthOmics behaves like.
type jsonStyle struct{ comma, colon string }

func (s jsonStyle) append(b []byte, v Value) ([]byte, error) {
	var err error
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("JSON has no number %v", v)
		}
		from := len(b)
		b = strconv.AppendFloat(b, v, 'g', -1, 64)
		if !bytes.ContainsAny(b[from:], ".e") {
			b = append(b, ".0"...)
		}
		return b, nil
	case string:
		return appendString(b, v), nil
	case Path:
		return appendString(b, v.Name), nil
	case *List:
		b = append(b, '[')
		for i, x := range v.Items {
			if i > 0 {
				b = append(b, s.comma...)
			}
			if b, err = s.append(b, x); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case *Couple:
		return s.append(b, &Record{[]string{"left", "right"}, []Value{v.Left, v.Right}})
	case *Dict:
		rec := &Record{Values: v.Values}
		for _, k := range v.Keys {
			name, ok := text(k)
			if !ok {
				return nil, fmt.Errorf("the keys of a JSON object are texts; found %s", kindOf(k))
			}
			rec.Names = append(rec.Names, name)
		}
		return s.append(b, rec)
	case *Record:
		b = append(b, '{')
		for i, name := range v.Names {
			if i > 0 {
				b = append(b, s.comma...)
			}
			b = append(appendString(b, name), s.colon...)
			if b, err = s.append(b, v.Values[i]); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	return nil, fmt.Errorf("no value of the language: %T", v)
}

func appendString(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // of a string does not fail
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

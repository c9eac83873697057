package operator

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseLiteral reads the text of a Python literal, as the provider does with
// ast.literal_eval: texts, numbers, True, False, None, lists, tuples and
// dicts. JSON's true, false and null are let through.
func parseLiteral(s string) (any, error) {
	p := &literal{rest: strings.TrimSpace(s)}
	v, ok := p.value(0)
	if p.space(); !ok || p.rest != "" {
		return nil, Errorf("malformed node or string: expected a Python literal, not %q", clip(s, 200))
	}
	return v, nil
}

// A literal is the rest of a text that is being read.
type literal struct{ rest string }

// maxNesting bounds how deep a literal may be.
const maxNesting = 100

func (p *literal) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *literal) take(s string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *literal) value(depth int) (any, bool) {
	if depth > maxNesting {
		return nil, false
	}
	switch {
	case p.take("["):
		return p.list("]", depth)
	case p.take("("):
		return p.list(")", depth)
	case p.take("{"):
		return p.dict(depth)
	}
	if p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"') {
		return p.text()
	}
	end := strings.IndexAny(p.rest, " \t\r\n,]}):")
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	switch word {
	case "None", "null":
		return nil, true
	case "True", "true":
		return true, true
	case "False", "false":
		return false, true
	}
	word = strings.ReplaceAll(word, "_", "")
	if n, err := strconv.ParseInt(word, 0, 64); err == nil {
		return n, true
	}
	n, err := strconv.ParseFloat(word, 64)
	return n, err == nil && json.Valid(encodeFloat(n))
}

// encodeFloat returns a number's JSON text, which NaN and infinities lack.
func encodeFloat(n float64) []byte { return strconv.AppendFloat(nil, n, 'g', -1, 64) }

func (p *literal) list(end string, depth int) (any, bool) {
	l := []any{}
	for !p.take(end) {
		v, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		l = append(l, v)
		if !p.take(",") {
			if p.take(end) {
				break
			}
			return nil, false
		}
	}
	return l, true
}

func (p *literal) dict(depth int) (any, bool) {
	m := map[string]any{}
	for !p.take("}") {
		k, ok := p.value(depth + 1)
		if !ok || !p.take(":") {
			return nil, false
		}
		v, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		m[pythonText(k)] = v
		if !p.take(",") {
			if p.take("}") {
				break
			}
			return nil, false
		}
	}
	return m, true
}

// text reads a quoted text, and those that follow at once as Python joins them.
func (p *literal) text() (any, bool) {
	var b strings.Builder
	for p.space(); p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"'); p.space() {
		quote := p.rest[0]
		s := p.rest[1:]
		for {
			if s == "" {
				return nil, false
			}
			if s[0] == quote {
				p.rest = s[1:]
				break
			}
			if s[0] == '\\' && len(s) > 1 && strings.IndexByte("\n", s[1]) >= 0 {
				s = s[2:]
				continue
			}
			r, _, tail, err := strconv.UnquoteChar(s, quote)
			if err != nil {
				if s[0] != '\\' { // a bare newline, which only triple quotes take
					return nil, false
				}
				_, n := utf8.DecodeRuneInString(s[1:])
				b.WriteString(s[:1+n]) // Python keeps escapes that it does not know
				s = s[1+n:]
				continue
			}
			b.WriteRune(r)
			s = tail
		}
	}
	return b.String(), true
}

package cwlogs

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parsePattern reads a filter pattern and returns what tells a message that
// matches. It knows terms, quoted or not, with ? for any and - for none of
// them; %regular expressions%; and conditions on JSON in braces.
func parsePattern(s string) (func(message string) bool, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return func(string) bool { return true }, nil
	case strings.HasPrefix(s, "{"):
		return parseJSONPattern(s)
	case strings.HasPrefix(s, "["):
		return nil, invalid("Invalid filter pattern: patterns of columns in square brackets are not served here")
	}
	return parseTerms(s)
}

type test func(message string) bool

func parseTerms(s string) (func(string) bool, error) {
	var all, anyOf, none []test
	for s != "" {
		into := &all
		switch s[0] {
		case '?':
			into, s = &anyOf, s[1:]
		case '-':
			into, s = &none, s[1:]
		}
		var t test
		switch {
		case strings.HasPrefix(s, `"`):
			text, rest, err := quoted(s)
			if err != nil {
				return nil, err
			}
			t, s = func(m string) bool { return strings.Contains(m, text) }, rest
		case strings.HasPrefix(s, "%"):
			text, rest, ok := strings.Cut(s[1:], "%")
			re, err := regexp.Compile(text)
			if !ok || err != nil {
				return nil, invalid("Invalid filter pattern: a regular expression stands between two %% and is well formed")
			}
			t, s = re.MatchString, rest
		default:
			text := s
			if i := strings.IndexAny(s, " \t\n"); i >= 0 {
				text = s[:i]
			}
			if text == "" {
				return nil, invalid("Invalid filter pattern: a term is missing after ? or -")
			}
			t, s = func(m string) bool { return strings.Contains(m, text) }, s[len(text):]
		}
		*into = append(*into, t)
		s = strings.TrimLeft(s, " \t\n")
	}
	return func(m string) bool {
		for _, t := range none {
			if t(m) {
				return false
			}
		}
		for _, t := range all {
			if !t(m) {
				return false
			}
		}
		// The service heeds ? only where nothing else is asked.
		if len(all)+len(none) > 0 || len(anyOf) == 0 {
			return true
		}
		for _, t := range anyOf {
			if t(m) {
				return true
			}
		}
		return false
	}, nil
}

// quoted reads a text in double quotes, in which a backslash stands before a
// quote or backslash.
func quoted(s string) (text, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '"':
			return b.String(), s[i+1:], nil
		default:
			b.WriteByte(c)
		}
	}
	return "", "", invalid("Invalid filter pattern: a quotation mark is not closed")
}

// A check tells whether a JSON value meets a condition.
type check func(v any) bool

// maxDepth bounds the brackets of a pattern.
const maxDepth = 20

func parseJSONPattern(s string) (func(string) bool, error) {
	if !strings.HasSuffix(s, "}") {
		return nil, invalid("Invalid filter pattern: a brace is not closed")
	}
	p := &parser{s: s[1 : len(s)-1]}
	c, err := p.either(0)
	if err != nil {
		return nil, err
	}
	if p.peek() != 0 {
		return nil, p.fault("end of the pattern")
	}
	return func(m string) bool {
		if !strings.HasPrefix(strings.TrimLeft(m, " \t"), "{") {
			return false
		}
		var v any
		return json.Unmarshal([]byte(m), &v) == nil && c(v)
	}, nil
}

// A parser reads the inside of a JSON pattern:
//
//	either    = both { "||" both }
//	both      = condition { "&&" condition }
//	condition = "(" either ")" | selector relation
type parser struct{ s string }

// peek returns the next byte that is no space, or 0 at the end.
func (p *parser) peek() byte {
	p.s = strings.TrimLeft(p.s, " \t\r\n")
	if p.s == "" {
		return 0
	}
	return p.s[0]
}

func (p *parser) take(token string) bool {
	p.peek()
	rest, ok := strings.CutPrefix(p.s, token)
	if ok {
		p.s = rest
	}
	return ok
}

func (p *parser) fault(wanted string) error {
	rest := p.s
	for len(rest) > 40 || !utf8.ValidString(rest) {
		if rest = rest[:len(rest)-1]; rest == "" {
			break
		}
	}
	return invalid("Invalid filter pattern: expected %s at %q", wanted, rest)
}

func (p *parser) either(depth int) (check, error) {
	c, err := p.both(depth)
	for err == nil && p.take("||") {
		a := c
		var b check
		b, err = p.both(depth)
		c = func(v any) bool { return a(v) || b(v) }
	}
	return c, err
}

func (p *parser) both(depth int) (check, error) {
	c, err := p.condition(depth)
	for err == nil && p.take("&&") {
		a := c
		var b check
		b, err = p.condition(depth)
		c = func(v any) bool { return a(v) && b(v) }
	}
	return c, err
}

func (p *parser) condition(depth int) (check, error) {
	if depth > maxDepth {
		return nil, invalid("Invalid filter pattern: too many brackets")
	}
	if p.take("(") {
		c, err := p.either(depth + 1)
		if err == nil && !p.take(")") {
			err = p.fault("a closing bracket")
		}
		return c, err
	}
	path, err := p.selector()
	if err != nil {
		return nil, err
	}
	test, err := p.relation()
	if err != nil {
		return nil, err
	}
	return func(v any) bool {
		found, ok := lookup(v, path)
		return test(found, ok)
	}, nil
}

// A step is a member's name or an index.
type step struct {
	name  string
	index int // when name is empty
}

func (p *parser) selector() (path []step, err error) {
	if !p.take("$") {
		return nil, p.fault("a selector such as $.level")
	}
	for p.s != "" {
		switch {
		case strings.HasPrefix(p.s, `["`):
			text, rest, err := quoted(p.s[1:])
			if err != nil {
				return nil, err
			}
			if !strings.HasPrefix(rest, "]") {
				return nil, p.fault("a closing square bracket")
			}
			path, p.s = append(path, step{name: text}), rest[1:]
		case p.s[0] == '[':
			number, rest, ok := strings.Cut(p.s[1:], "]")
			n, err := strconv.ParseUint(number, 10, 31)
			if !ok || err != nil {
				return nil, p.fault("an index")
			}
			path, p.s = append(path, step{index: int(n)}), rest
		case p.s[0] == '.':
			end := strings.IndexAny(p.s[1:], " \t\r\n.[]=!<>()&|{}\"$") + 1
			if end == 0 {
				end = len(p.s)
			}
			if end == 1 {
				return nil, p.fault("a member's name")
			}
			path, p.s = append(path, step{name: p.s[1:end]}), p.s[end:]
		default:
			return path, nil
		}
	}
	return path, nil
}

func lookup(v any, path []step) (any, bool) {
	for _, s := range path {
		switch x := v.(type) {
		case map[string]any:
			found, ok := x[s.name]
			if !ok || s.name == "" {
				return nil, false
			}
			v = found
		case []any:
			if s.name != "" || s.index >= len(x) {
				return nil, false
			}
			v = x[s.index]
		default:
			return nil, false
		}
	}
	return v, true
}

func (p *parser) relation() (func(v any, ok bool) bool, error) {
	switch {
	case p.take("IS NULL"):
		return func(v any, ok bool) bool { return ok && v == nil }, nil
	case p.take("IS TRUE"):
		return func(v any, _ bool) bool { return v == true }, nil
	case p.take("IS FALSE"):
		return func(v any, _ bool) bool { return v == false }, nil
	case p.take("NOT EXISTS"):
		return func(_ any, ok bool) bool { return !ok }, nil
	case p.take("EXISTS"):
		return func(_ any, ok bool) bool { return ok }, nil
	}
	for _, op := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if p.take(op) {
			return p.comparison(op)
		}
	}
	return nil, p.fault("a comparison")
}

func (p *parser) comparison(op string) (func(v any, ok bool) bool, error) {
	text := ""
	switch p.peek() {
	case 0:
		return nil, p.fault("a value")
	case '"':
		var err error
		if text, p.s, err = quoted(p.s); err != nil {
			return nil, err
		}
	default:
		end := strings.IndexAny(p.s, " \t\r\n()&|")
		if end < 0 {
			end = len(p.s)
		}
		if text, p.s = p.s[:end], p.s[end:]; text == "" {
			return nil, p.fault("a value")
		}
	}
	number, err := strconv.ParseFloat(text, 64)
	isNumber := err == nil
	if op != "=" && op != "!=" {
		if !isNumber {
			return nil, p.fault("a number, since only numbers are compared with " + op + ",")
		}
		return func(v any, _ bool) bool {
			n, ok := v.(float64)
			return ok && (op == "<" && n < number || op == ">" && n > number || op == "<=" && n <= number || op == ">=" && n >= number)
		}, nil
	}
	equal := func(v any) bool {
		switch v := v.(type) {
		case string:
			return wildcard(text, v)
		case float64:
			return isNumber && v == number
		}
		return false
	}
	if op == "!=" {
		return func(v any, ok bool) bool { return ok && !equal(v) }, nil
	}
	return func(v any, _ bool) bool { return equal(v) }, nil
}

// wildcard reports whether s matches a pattern in which * stands for any
// text.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return s == pattern
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[last])
}

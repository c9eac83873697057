package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token's kind is the name that Jinja gives it; kinds of operators are the
// operators themselves.
type token struct {
	kind string
	text string
	val  Value // of "integer" and "float"
	line int
}

const (
	kData     = "data"
	kVarBegin = "variable_begin"
	kVarEnd   = "variable_end"
	kBlkBegin = "block_begin"
	kBlkEnd   = "block_end"
	kName     = "name"
	kString   = "string"
	kInteger  = "integer"
	kFloat    = "float"
	kEOF      = "eof"
)

func describeKind(kind string) string {
	switch kind {
	case kVarBegin:
		return "begin of print statement"
	case kVarEnd:
		return "end of print statement"
	case kBlkBegin:
		return "begin of statement block"
	case kBlkEnd:
		return "end of statement block"
	case kData:
		return "template data / text"
	case kEOF:
		return "end of template"
	}
	return kind
}

func (t token) describe() string {
	if t.kind == kName {
		return t.text
	}
	return describeKind(t.kind)
}

func (t token) is(name string) bool { return t.kind == kName && t.text == name }

// A lexer reads tokens when the parser asks for them, so that the first
// error of a template is the one reported, whoever finds it.
type lexer struct {
	src   string
	pos   int
	line  int
	state string // "", kVarBegin or kBlkBegin
	open  []byte // closing brackets that are due
	queue []token
	last  int // line of the last token given out
}

// cleanSource makes every line end "\n" and drops the last one.
func cleanSource(src string) string {
	if strings.Contains(src, "\r") {
		src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	}
	if !utf8.ValidString(src) {
		src = strings.ToValidUTF8(src, "\uFFFD")
	}
	return strings.TrimSuffix(src, "\n")
}

func (l *lexer) fail(format string, args ...any) {
	e := Errorf("TemplateSyntaxError", format, args...)
	e.Line = l.line
	panic(e)
}

func (l *lexer) next() token {
	for len(l.queue) == 0 {
		if l.pos >= len(l.src) {
			return token{kind: kEOF, line: max(l.last, 1)}
		}
		if l.state == "" {
			l.root()
		} else {
			l.tag()
		}
	}
	t := l.queue[0]
	l.queue = l.queue[1:]
	l.last = t.line
	return t
}

func (l *lexer) emit(t token) { l.queue = append(l.queue, t) }

// data emits text that stands outside of tags, cut at its end if the tag
// that follows says so.
func (l *lexer) data(text string, strip bool) {
	kept := text
	if strip {
		kept = strings.TrimRightFunc(text, isSpace)
	}
	if kept != "" {
		l.emit(token{kind: kData, text: kept, line: l.line})
	}
	l.line += strings.Count(text, "\n")
}

// root reads up to the next tag and what opens it.
func (l *lexer) root() {
	rest := l.src[l.pos:]
	at := 0
	for {
		i := strings.IndexByte(rest[at:], '{')
		if i < 0 || at+i+1 >= len(rest) {
			l.data(rest, false)
			l.pos = len(l.src)
			return
		}
		at += i
		if c := rest[at+1]; c == '{' || c == '%' || c == '#' {
			break
		}
		at++
	}
	sign := byte(0)
	if at+2 < len(rest) && (rest[at+2] == '-' || rest[at+2] == '+') {
		sign = rest[at+2]
	}
	l.data(rest[:at], sign == '-')
	body := at + 2
	if sign != 0 {
		body++
	}
	switch rest[at+1] {
	case '{':
		l.emit(token{kind: kVarBegin, line: l.line})
		l.state = kVarBegin
	case '#':
		l.pos += body
		l.comment()
		return
	case '%':
		if n := rawTag(rest[body:], "raw"); n > 0 {
			l.line += strings.Count(rest[body:body+n], "\n")
			l.pos += body + n
			l.raw()
			return
		}
		l.emit(token{kind: kBlkBegin, line: l.line})
		l.state = kBlkBegin
	}
	l.pos += body
}

// rawTag measures "raw %}" or "endraw %}" at the start of s, after the sign.
func rawTag(s, word string) int {
	t := strings.TrimLeftFunc(s, isSpace)
	t, ok := strings.CutPrefix(t, word)
	if !ok {
		return 0
	}
	t = strings.TrimLeftFunc(t, isSpace)
	if u, ok := strings.CutPrefix(t, "-%}"); ok {
		return len(s) - len(strings.TrimLeftFunc(u, isSpace))
	}
	if word == "endraw" {
		t = strings.TrimPrefix(t, "+")
	}
	if u, ok := strings.CutPrefix(t, "%}"); ok {
		return len(s) - len(u)
	}
	return 0
}

func (l *lexer) raw() {
	rest := l.src[l.pos:]
	for at := 0; ; at++ {
		i := strings.Index(rest[at:], "{%")
		if i < 0 {
			if rest == "" {
				return
			}
			l.fail("Missing end of raw directive")
		}
		at += i
		body, strip := at+2, false
		if body < len(rest) && (rest[body] == '-' || rest[body] == '+') {
			strip = rest[body] == '-'
			body++
		}
		n := rawTag(rest[body:], "endraw")
		if n == 0 && body > at+2 {
			continue
		}
		if n > 0 {
			l.data(rest[:at], strip)
			l.line += strings.Count(rest[at:body+n], "\n")
			l.pos += body + n
			return
		}
	}
}

func (l *lexer) comment() {
	rest := l.src[l.pos:]
	i := strings.Index(rest, "#}")
	if i < 0 {
		if rest == "" {
			return
		}
		l.fail("Missing end of comment tag")
	}
	end := i + 2
	if i > 0 && rest[i-1] == '-' {
		end = len(rest) - len(strings.TrimLeftFunc(rest[end:], isSpace))
	}
	l.line += strings.Count(rest[:end], "\n")
	l.pos += end
}

// tag reads one token within {{ }} or {% %}.
func (l *lexer) tag() {
	rest := l.src[l.pos:]
	if len(l.open) == 0 {
		if n := l.tagEnd(rest); n > 0 {
			kind := kVarEnd
			if l.state == kBlkBegin {
				kind = kBlkEnd
			}
			l.emit(token{kind: kind, line: l.line})
			l.line += strings.Count(rest[:n], "\n")
			l.pos += n
			l.state = ""
			return
		}
	}
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case isSpace(r):
		n := len(rest) - len(strings.TrimLeftFunc(rest, isSpace))
		l.line += strings.Count(rest[:n], "\n")
		l.pos += n
	case r >= '0' && r <= '9':
		l.number(rest)
	case isWord(r):
		n := strings.IndexFunc(rest, func(r rune) bool { return !isWord(r) })
		if n < 0 {
			n = len(rest)
		}
		if !isIdentifier(rest[:n]) {
			l.fail("Invalid character in identifier")
		}
		l.emit(token{kind: kName, text: rest[:n], line: l.line})
		l.pos += n
	case r == '\'' || r == '"':
		l.text(rest, byte(r))
	default:
		l.operator(rest, size)
	}
}

func (l *lexer) tagEnd(rest string) int {
	if l.state == kVarBegin {
		if strings.HasPrefix(rest, "}}") {
			return 2
		}
		if strings.HasPrefix(rest, "-}}") {
			return len(rest) - len(strings.TrimLeftFunc(rest[3:], isSpace))
		}
		return 0
	}
	switch {
	case strings.HasPrefix(rest, "%}"):
		return 2
	case strings.HasPrefix(rest, "+%}"):
		return 3
	case strings.HasPrefix(rest, "-%}"):
		return len(rest) - len(strings.TrimLeftFunc(rest[3:], isSpace))
	}
	return 0
}

func (l *lexer) operator(rest string, size int) {
	n := 0
	if len(rest) > 1 {
		switch rest[:2] {
		case "//", "**", "==", "!=", ">=", "<=":
			n = 2
		}
	}
	if n == 0 && strings.IndexByte("+-/*%~[](){}><=.:|,;", rest[0]) >= 0 {
		n = 1
	}
	if n == 0 {
		l.unexpected(rest[:size])
	}
	op := rest[:n]
	switch op {
	case "{":
		l.open = append(l.open, '}')
	case "(":
		l.open = append(l.open, ')')
	case "[":
		l.open = append(l.open, ']')
	case "}", ")", "]":
		if len(l.open) == 0 {
			l.fail("unexpected '%s'", op)
		}
		want := l.open[len(l.open)-1]
		l.open = l.open[:len(l.open)-1]
		if want != op[0] {
			l.fail("unexpected '%s', expected '%c'", op, want)
		}
	}
	l.emit(token{kind: op, text: op, line: l.line})
	l.pos += n
}

func (l *lexer) unexpected(char string) {
	l.fail("unexpected char %s at %d", quote(char), utf8.RuneCountInString(l.src[:l.pos]))
}

// digits measures digits with single underscores between them. Beyond the
// first it takes those that ok allows.
func digits(s string, ok func(byte) bool) int {
	n := 0
	for n < len(s) {
		switch {
		case ok(s[n]):
			n++
		case s[n] == '_' && n > 0 && n+1 < len(s) && ok(s[n+1]):
			n += 2
		default:
			return n
		}
	}
	return n
}

func (l *lexer) number(rest string) {
	whole := floatDigits(rest)
	if n := l.floatLen(rest, whole); n > 0 {
		f, _ := strconv.ParseFloat(strings.ReplaceAll(rest[:n], "_", ""), 64)
		l.emit(token{kind: kFloat, text: rest[:n], val: Float(f), line: l.line})
		l.pos += n
		return
	}
	n, base := 0, 10
	if rest[0] == '0' {
		n = digits(rest, func(c byte) bool { return c == '0' })
		if len(rest) > 2 {
			switch rest[1] | 0x20 {
			case 'x':
				base = 16
			case 'o':
				base = 8
			case 'b':
				base = 2
			}
		}
		if base != 10 {
			ok := func(c byte) bool { return digitOf(c) < base }
			body := rest[2:]
			skip := 0
			if body[0] == '_' {
				skip = 1
			}
			if k := digits(body[skip:], ok); k > 0 {
				n = 2 + skip + k
			} else {
				base = 10
			}
		}
	} else {
		n = digits(rest, isDigit)
	}
	text := rest[:n]
	clean := strings.ReplaceAll(text, "_", "")
	if base != 10 {
		clean = clean[2:]
	}
	if base == 10 && len(clean) > maxIntDigits || len(clean) > maxBits/4 {
		panic(valueError("Exceeds the limit (%d digits) for integer string conversion: value has %d digits; use sys.set_int_max_str_digits() to increase the limit", maxIntDigits, len(clean)))
	}
	b, _ := new(big.Int).SetString(clean, base)
	l.emit(token{kind: kInteger, text: text, val: NewInt(b), line: l.line})
	l.pos += n
}

func digitOf(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'z':
		return int(c|0x20-'a') + 10
	}
	return 99
}

func floatDigits(s string) int { return digits(s, isDigit) }

// floatLen measures a float at the start of rest, or returns 0. A number
// right after a dot is an integer, so that a.0.1 is two subscripts.
func (l *lexer) floatLen(rest string, whole int) int {
	if l.pos > 0 && l.src[l.pos-1] == '.' {
		return 0
	}
	n, isFloat := whole, false
	if n+1 < len(rest) && rest[n] == '.' {
		if k := floatDigits(rest[n+1:]); k > 0 {
			n, isFloat = n+1+k, true
		}
	}
	if n < len(rest) && rest[n]|0x20 == 'e' {
		e := n + 1
		if e < len(rest) && (rest[e] == '+' || rest[e] == '-') {
			e++
		}
		if k := floatDigits(rest[e:]); k > 0 {
			n, isFloat = e+k, true
		}
	}
	if !isFloat {
		return 0
	}
	return n
}

func (l *lexer) text(rest string, q byte) {
	end := 1
	for end < len(rest) && rest[end] != q {
		if rest[end] == '\\' {
			end++
			if end >= len(rest) {
				break
			}
			_, size := utf8.DecodeRuneInString(rest[end:])
			end += size
			continue
		}
		end++
	}
	if end >= len(rest) {
		l.unexpected(rest[:1])
	}
	body := rest[1:end]
	s, problem := unescape(body)
	if problem != "" {
		l.fail("%s", problem)
	}
	l.emit(token{kind: kString, text: s, line: l.line})
	l.line += strings.Count(body, "\n")
	l.pos += end + 1
}

// unescape reads the escapes of a Python string. The problem is worded as
// Jinja words it.
func unescape(s string) (text, problem string) {
	if !strings.Contains(s, `\`) {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		i++
		c := s[i]
		i++
		switch c {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'a':
			b.WriteByte('\a')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'v':
			b.WriteByte('\v')
		case 'x', 'u', 'U':
			width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			n := 0
			for n < width && i+n < len(s) && digitOf(s[i+n]) < 16 {
				n++
			}
			if n < width {
				return "", "truncated \\" + string(c) + strings.Repeat("X", width) + " escape"
			}
			v, _ := strconv.ParseUint(s[i:i+width], 16, 32)
			if v > unicode.MaxRune {
				return "", "illegal Unicode character"
			}
			b.WriteRune(rune(v))
			i += width
		case 'N':
			if i < len(s) && s[i] == '{' && strings.Contains(s[i:], "}") {
				return "", "unknown Unicode character name"
			}
			return "", "malformed \\N character escape"
		case '0', '1', '2', '3', '4', '5', '6', '7':
			v := int(c - '0')
			for n := 1; n < 3 && i < len(s) && s[i] >= '0' && s[i] <= '7'; n++ {
				v = v*8 + int(s[i]-'0')
				i++
			}
			b.WriteRune(rune(v))
		default:
			b.WriteByte('\\')
			i-- // the character itself follows, however many bytes it has
		}
	}
	return b.String(), ""
}

func isWord(r rune) bool {
	return r == '_' || unicode.In(r, unicode.L, unicode.N, unicode.Mn, unicode.Mc, unicode.Pc)
}

// isIdentifier is str.isidentifier.
func isIdentifier(s string) bool {
	for i, r := range s {
		if r == '_' || unicode.In(r, unicode.L, unicode.Nl) {
			continue
		}
		if i == 0 || !unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc) {
			return false
		}
	}
	return s != ""
}

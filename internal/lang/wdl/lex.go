package wdl

import (
	"strings"
	"unicode/utf8"
)

// A tokenKind is what a token is.
type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokIdent
	tokInt
	tokFloat
	tokPunct
	tokBad  // a character that begins nothing
	tokFail // what a parser sees from a syntax error on, until it recovers
)

// A token is the smallest piece of a document outside of texts.
type token struct {
	kind tokenKind
	text string
	Span
	first bool // nothing but space is before it on its line
}

// is says that the token is the punctuation or the word.
func (t token) is(text string) bool {
	return (t.kind == tokPunct || t.kind == tokIdent) && t.text == text
}

// A lexer cuts a text into tokens. It goes forward only: what is within
// quotes, and the commands, its parser reads from it as they are.
type lexer struct {
	src  *Source
	text string
	off  int
	line int32
	col  int32
	// newline says that nothing but space came since the line began.
	newline bool
}

func newLexer(src *Source) *lexer {
	return &lexer{src: src, text: src.Text, line: 1, col: 1, newline: true}
}

// here is the empty span at the lexer's place.
func (l *lexer) here() Span { return Span{l.src, l.line, l.col, l.line, l.col} }

// from is the span from a place up to the lexer's.
func (l *lexer) from(start Span) Span {
	start.EndLine, start.EndCol = l.line, l.col
	return start
}

// advance moves n bytes on.
func (l *lexer) advance(n int) {
	for _, r := range l.text[l.off : l.off+n] {
		if r == '\n' {
			l.line, l.col, l.newline = l.line+1, 1, true
			continue
		}
		l.col++
		if r != ' ' && r != '\t' {
			l.newline = false
		}
	}
	l.off += n
}

// skip moves over space and comments.
func (l *lexer) skip() {
	for l.off < len(l.text) {
		switch l.text[l.off] {
		case ' ', '\t', '\n', '\r':
			l.advance(1)
		case '#':
			n := strings.IndexByte(l.text[l.off:], '\n')
			if n < 0 {
				n = len(l.text) - l.off
			}
			l.advance(n)
		default:
			return
		}
	}
}

// peek returns the first byte after space and comments, and 0 at the end.
func (l *lexer) peek() byte {
	for i := l.off; i < len(l.text); i++ {
		switch l.text[i] {
		case ' ', '\t', '\n', '\r':
		case '#':
			n := strings.IndexByte(l.text[i:], '\n')
			if n < 0 {
				return 0
			}
			i += n
		default:
			return l.text[i]
		}
	}
	return 0
}

// next returns the next token.
func (l *lexer) next() token {
	l.skip()
	t := token{Span: l.here(), first: l.newline}
	rest := l.text[l.off:]
	n := 0
	switch {
	case rest == "":
		return t
	case isLetter(rest[0]):
		for n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n])) {
			n++
		}
		t.kind = tokIdent
	case isDigit(rest[0]), rest[0] == '.' && len(rest) > 1 && isDigit(rest[1]):
		n, t.kind = number(rest)
	default:
		if n = punctuation(rest); n > 0 {
			t.kind = tokPunct
			break
		}
		t.kind = tokBad
		_, n = utf8.DecodeRuneInString(rest)
	}
	t.text = rest[:n]
	l.advance(n)
	t.Span = l.from(t.Span)
	return t
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// number returns how long the number at the beginning of a text is.
func number(s string) (int, tokenKind) {
	digits := func(i int) int {
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		return i
	}
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		n := 2
		for n < len(s) && (isDigit(s[n]) || 'a' <= s[n]|0x20 && s[n]|0x20 <= 'f') {
			n++
		}
		return n, tokInt
	}
	n, kind := digits(0), tokInt
	if n < len(s) && s[n] == '.' {
		n, kind = digits(n+1), tokFloat
	}
	if n < len(s) && s[n]|0x20 == 'e' {
		exp := n + 1
		if exp < len(s) && (s[exp] == '+' || s[exp] == '-') {
			exp++
		}
		if end := digits(exp); end > exp {
			n, kind = end, tokFloat
		}
	}
	return n, kind
}

// punctuation returns how long the punctuation at the beginning of a text is,
// and 0 if it is none.
func punctuation(s string) int {
	for _, p := range [...]string{"<<<", "||", "&&", "==", "!=", "<=", ">=", "**"} {
		if strings.HasPrefix(s, p) {
			return len(p)
		}
	}
	if strings.IndexByte(`{}[]()<>+-*/%!=,:.?"'`, s[0]) >= 0 {
		return 1
	}
	return 0
}

// maxNumberText bounds the digits of a number that are looked at.
const maxNumberText = 400

package wdl

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// command reads a command in either of its forms.
func (p *parser) command() *Command {
	start := p.tok.Span
	p.next()
	c := &Command{}
	p.braces = p.at("{")
	c.Braces = p.braces
	switch {
	case p.at("<<<"):
		c.Parts = p.parts(textForm{close: ">>>", dollar: p.version == Draft2, tilde: p.version > Draft2, lines: true}, start)
	case p.at("{"):
		c.Parts = p.parts(textForm{close: "}", dollar: true, tilde: p.version > Draft2, lines: true}, start)
	default:
		p.fail("write command <<< … >>>", "expected \"<<<\" or \"{\" after command, found %s", p.found())
		return c
	}
	c.Mixed = mixed(c.Parts)
	c.Parts = dedented(trimmed(c.Parts, ""))
	c.Span = p.since(start)
	return c
}

// plainText reads a text in quotes without placeholders.
func (p *parser) plainText(what string) string {
	if !p.at(`"`) && !p.at("'") {
		p.fail("put it in quotes", "expected %s in quotes, found %s", what, p.found())
		return ""
	}
	start := p.tok.Span
	parts := p.parts(textForm{close: p.tok.text, escapes: true}, start)
	if len(parts) == 0 {
		return ""
	}
	return unescaped(parts[0].Text)
}

// A textForm says what a text looks like.
type textForm struct {
	close         string
	dollar, tilde bool // ${ and ~{ open placeholders
	escapes       bool // a backslash takes the next character with it
	lines         bool // the text may have several
}

// parts reads a text, whose opening is the next token, up to its closing.
// Escapes are left in it.
func (p *parser) parts(form textForm, start Span) []Part {
	if p.tok.kind == tokFail || !p.enter() {
		return nil
	}
	defer p.leave()
	l, open := p.lex, p.open
	var out []Part
	from := l.off
	flush := func() {
		if l.off > from {
			out = append(out, Part{Text: l.text[from:l.off]})
		}
	}
	stops := form.close[:1] + "~$\n\\"
	for {
		n := strings.IndexAny(l.text[l.off:], stops)
		if n < 0 {
			p.unclosed(form, start)
			return out
		}
		l.advance(n)
		rest := l.text[l.off:]
		switch {
		case strings.HasPrefix(rest, form.close):
			flush()
			l.advance(len(form.close))
			// The closing takes the place of the opening as the token that
			// was last: braces of commands are not counted.
			p.last = l.from(start)
			p.tok = token{Span: p.last}
			p.tok = l.next()
			return out
		case rest[0] == '\n' && !form.lines:
			p.unclosed(form, start)
			return out
		case rest[0] == '\\' && strings.HasPrefix(rest[1:], form.close) && !form.escapes: // it does not close
			out = append(out, Part{Text: l.text[from:l.off] + form.close})
			l.advance(1 + len(form.close))
			from = l.off
		case rest[0] == '\\' && len(rest) > 1 && form.escapes:
			_, size := utf8.DecodeRuneInString(rest[1:])
			if rest[1] == '\n' && !form.lines {
				size = 0
			}
			l.advance(1 + size)
		case form.tilde && strings.HasPrefix(rest, "~{"), form.dollar && strings.HasPrefix(rest, "${"):
			flush()
			before := *l
			hole := p.placeholder()
			if p.tok.kind == tokFail {
				if form.lines { // its end may be behind us
					*l = before
				}
				p.skipText(form, open)
				return out
			}
			out = append(out, Part{Hole: hole})
			from = l.off
		default:
			l.advance(1)
		}
	}
}

// skipText moves to the end of a text in which a placeholder went wrong, and
// has what follows read from there on.
func (p *parser) skipText(form textForm, open int) {
	if form.lines {
		p.skipTo(form.close)
	} else {
		p.skipQuoted(form.close[0])
	}
	p.open = open
	p.failed = token{kind: tokBad, Span: p.lex.here()}
}

// unclosed says that a text does not end.
func (p *parser) unclosed(form textForm, start Span) {
	p.tok = token{kind: tokPunct, text: form.close, Span: start}
	if form.close == "}" {
		p.fail("use <<< … >>>, or close it by }", "the command does not end")
	} else if form.lines {
		p.fail("write "+form.close+" on a line of its own where it ends", "the text that begins here does not end: %s is missing", form.close)
	} else {
		p.fail(fmt.Sprintf("write %s at its end, and \\n for a line end", form.close), "the text that begins here does not end on its line")
	}
	// What follows is read from here on, beginning with the rest of the line.
	p.failed = token{kind: tokBad, Span: start}
	if form.lines {
		p.lex.advance(len(p.lex.text) - p.lex.off)
	}
}

// placeholder reads from ~{ to the closing brace, after which the lexer stands.
func (p *parser) placeholder() *Placeholder {
	h := &Placeholder{}
	start := p.lex.here()
	p.lex.advance(2)
	p.tok = p.lex.next()
	for p.tok.kind == tokIdent && p.lex.peek() == '=' && !p.lex.equals() {
		option, at := p.tok.text, p.tok.Span
		p.next()
		p.next()
		value := p.optionValue()
		switch option {
		case "sep":
			h.Sep = &value
		case "true":
			h.True = &value
		case "false":
			h.False = &value
		case "default":
			h.Default = &value
		default:
			p.fault(at, p.meant(option, []string{"sep", "true", "false", "default"}), "a placeholder has no option %q; there are sep, true, false and default", option)
		}
	}
	h.Expr = p.expr()
	h.Span = p.lex.from(start)
	if !p.at("}") {
		p.fail(p.slip("}"), "expected \"}\" to end the placeholder that begins on line %d, column %d, found %s", start.Line, start.Col, p.found())
	}
	return h
}

// equals says that what comes is ==, after space and comments.
func (l *lexer) equals() bool {
	i := strings.IndexByte(l.text[l.off:], '=')
	return strings.HasPrefix(l.text[l.off+i:], "==")
}

// optionValue reads a text or a number.
func (p *parser) optionValue() string {
	if p.tok.kind == tokInt || p.tok.kind == tokFloat {
		text := p.tok.text
		p.next()
		return text
	}
	return p.plainText("the value of the option")
}

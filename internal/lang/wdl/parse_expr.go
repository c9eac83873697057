package wdl

import (
	"math"
	"strconv"
	"strings"
)

// nothing stands for an expression that went wrong.
func (p *parser) nothing(at Span) Expr { return &NoneLit{node{Span: at}} }

// precedence ranks the operators; those that bind tighter are higher.
func precedence(op token) int {
	if op.kind != tokPunct {
		return 0
	}
	switch op.text {
	case "||":
		return 1
	case "&&":
		return 2
	case "==", "!=":
		return 3
	case "<", "<=", ">", ">=":
		return 4
	case "+", "-":
		return 5
	case "*", "/", "%":
		return 6
	case "**":
		return 7
	}
	return 0
}

// expr reads an expression.
func (p *parser) expr() Expr {
	if !p.enter() {
		return p.nothing(p.tok.Span)
	}
	defer p.leave()
	return p.binary(1)
}

// binary reads operators that bind at least as tight as some.
func (p *parser) binary(least int) Expr {
	start := p.tok.Span
	x := p.unary()
	for n := 0; ; n++ {
		op := p.tok
		rank := precedence(op)
		if rank < least || !p.chain(n) {
			return x
		}
		if op.text == "**" && p.version < Development {
			p.fault(op.Span, "", "** came after version %s", p.version)
		}
		p.next()
		y := p.binary(rank + 1)
		x = &Binary{node{Span: p.since(start)}, op.text, x, y}
	}
}

// chain fails if too many operators come in a row.
func (p *parser) chain(n int) bool {
	if n > maxChain {
		p.fail("use declarations for parts of it, or sep()", "more than %d operators in a row", maxChain)
		p.stopped = true
		return false
	}
	return p.tok.kind != tokFail
}

func (p *parser) unary() Expr {
	start := p.tok.Span
	if !p.at("!") && !p.at("-") && !p.at("+") {
		return p.suffixed()
	}
	op := p.tok.text
	p.next()
	if op != "!" && (p.tok.kind == tokInt || p.tok.kind == tokFloat) {
		sign := ""
		if op == "-" {
			sign = "-"
		}
		return p.suffixes(start, p.numberLit(start, sign))
	}
	if !p.enter() {
		return p.nothing(start)
	}
	defer p.leave()
	x := p.unary()
	return &Unary{node{Span: p.since(start)}, op, x}
}

// suffixed reads an operand with its members and indexes.
func (p *parser) suffixed() Expr {
	start := p.tok.Span
	return p.suffixes(start, p.operand())
}

func (p *parser) suffixes(start Span, x Expr) Expr {
	for n := 0; p.chain(n); n++ {
		switch {
		case p.take("."):
			name := p.word("the name of a member")
			x = &Member{node{Span: p.since(start)}, x, name}
		case p.take("["):
			i := p.expr()
			p.expect("]", "after the index")
			x = &Index{node{Span: p.since(start)}, x, i}
		default:
			return x
		}
	}
	return x
}

func (p *parser) operand() Expr {
	start := p.tok.Span
	switch {
	case p.tok.kind == tokInt, p.tok.kind == tokFloat:
		return p.numberLit(start, "")
	case p.at(`"`), p.at("'"):
		s := &StringLit{Parts: p.parts(textForm{close: p.tok.text, dollar: true, tilde: p.version > Draft2, escapes: true}, start)}
		s.Span = p.since(start)
		return s.resolve()
	case p.at("<<<"):
		return p.multiline(start)
	case p.at("("):
		return p.parenthesis(start)
	case p.at("["):
		p.next()
		a := &ArrayLit{}
		a.Items = p.list("]", "an item of the array")
		a.Span = p.since(start)
		return a
	case p.at("{"):
		return p.mapLit(start)
	case p.tok.kind == tokIdent:
		return p.wordExpr(start)
	case p.at("}"), p.tok.kind == tokEOF:
		p.fail("", "expected an expression, found %s", p.found())
	default:
		p.fail(p.slip(""), "%s does not begin an expression", p.found())
	}
	return p.nothing(start)
}

// resolve takes the escapes out of a text.
func (s *StringLit) resolve() *StringLit {
	for i := range s.Parts {
		s.Parts[i].Text = unescaped(s.Parts[i].Text)
	}
	return s
}

func (p *parser) multiline(start Span) Expr {
	if p.version < Development {
		p.fault(start, "use a text in quotes, with \\n for line ends", "<<< >>> outside of commands came after version %s", p.version)
	}
	s := &StringLit{Parts: p.parts(textForm{close: ">>>", tilde: true, escapes: true, lines: true}, start)}
	for i := range s.Parts {
		s.Parts[i].Text = joined(s.Parts[i].Text)
	}
	s.Parts = dedented(trimmed(s.Parts, "\n"))
	s.Span = p.since(start)
	return s.resolve()
}

// parenthesis reads (x) or (x, y).
func (p *parser) parenthesis(start Span) Expr {
	p.next()
	x := p.expr()
	if p.take(",") {
		y := p.expr()
		p.expect(")", "to end the pair")
		return &PairLit{node{Span: p.since(start)}, x, y}
	}
	p.expect(")", "to end the parenthesis")
	return x
}

// list reads expressions up to the closing, which may follow a comma.
func (p *parser) list(end, what string) []Expr {
	var out []Expr
	for !p.at(end) && !p.over() {
		out = append(out, p.expr())
		if !p.take(",") {
			break
		}
	}
	if !p.take(end) {
		p.fail("", "expected \",\" or %q after %s, found %s", end, what, p.found())
	}
	return out
}

func (p *parser) mapLit(start Span) Expr {
	p.next()
	m := &MapLit{}
	for !p.at("}") && !p.over() {
		k := p.expr()
		p.expect(":", "after the key")
		m.Entries = append(m.Entries, Entry{k, p.expr()})
		if !p.take(",") {
			break
		}
	}
	p.expect("}", "to end the map")
	m.Span = p.since(start)
	return m
}

// wordExpr reads an expression that begins with a word.
func (p *parser) wordExpr(start Span) Expr {
	word := p.tok.text
	switch word {
	case "true", "false":
		p.next()
		return &BoolLit{node{Span: start}, word == "true"}
	case "None":
		p.next()
		return &NoneLit{node{Span: start}}
	case "null":
		if p.lex.peek() != '(' && p.lex.peek() != '.' {
			p.fault(start, "write None", "null is for meta sections alone")
			p.next()
			return p.nothing(start)
		}
	case "if":
		return p.ifExpr(start)
	case "object":
		if p.lex.peek() == '{' {
			p.next()
			return p.objectLit(start, Ident{start, word})
		}
	}
	if task := word == "task" && p.version >= Development && p.lex.peek() == '.'; reserved(word, p.version) && !task {
		p.fail("", "expected an expression, found the keyword %q", word)
	}
	id := p.word("an expression")
	switch {
	case p.at("("):
		p.next()
		a := &Apply{Name: id}
		a.Args = p.list(")", "an argument of "+id.Text)
		a.Span = p.since(start)
		return a
	case p.at("{"):
		return p.objectLit(start, id)
	}
	return &Ref{node: node{Span: id.Span}, Name: id.Text}
}

func (p *parser) ifExpr(start Span) Expr {
	p.next()
	x := &If{Cond: p.expr()}
	p.expect("then", "after the condition")
	x.Then = p.expr()
	p.expect("else", "after the value for true")
	x.Else = p.expr()
	x.Span = p.since(start)
	return x
}

func (p *parser) objectLit(start Span, name Ident) Expr {
	p.next()
	o := &ObjectLit{Name: name}
	seen := map[string]bool{}
	for !p.at("}") && !p.over() {
		var key Ident
		if p.at(`"`) || p.at("'") {
			key.Text = p.plainText("")
			key.Span = p.last
		} else {
			key = p.word("the name of a member")
		}
		if seen[key.Text] {
			p.fault(key.Span, "", "member %q is there twice", key.Text)
		}
		seen[key.Text] = true
		p.expect(":", "after the name of a member")
		o.Members = append(o.Members, Attr{key, p.expr()})
		if !p.take(",") {
			break
		}
	}
	p.expect("}", "to end the "+name.Text)
	o.Span = p.since(start)
	return o
}

// numberLit reads a number, with the sign that came before it.
func (p *parser) numberLit(start Span, sign string) Expr {
	text := p.tok.text
	kind := p.tok.kind
	if len(text) > maxNumberText {
		p.fail("", "a number of %d digits", len(text))
		return p.nothing(start)
	}
	p.next()
	at := p.since(start)
	if kind == tokFloat {
		v, err := strconv.ParseFloat(sign+text, 64)
		if err != nil || math.IsInf(v, 0) {
			p.fault(at, "", "%s is beyond what a Float holds", text)
		}
		return &FloatLit{node{Span: at}, v}
	}
	v, err := strconv.ParseInt(sign+text, 0, 64)
	if err != nil && strings.Trim(text, "0123456789") == "" && text[0] == '0' && strings.ContainsAny(text, "89") {
		v, err = strconv.ParseInt(sign+text, 10, 64) // no octal number after all
	}
	if err != nil {
		p.fault(at, "write it as a Float, with a point", "%s%s is beyond what an Int holds, which is 64 bits", sign, text)
	}
	return &IntLit{node{Span: at}, v}
}

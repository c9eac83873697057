package wdl

import (
	"fmt"
	"slices"
	"strings"
)

// decls reads a section of declarations.
func (p *parser) decls(what string, words ...string) []*Decl {
	start := p.tok.Span
	p.next()
	level := p.begin("after " + what)
	var out []*Decl
	for !p.at("}") && !p.over() {
		if what == "output" {
			out = append(out, p.bound(what))
		} else {
			out = append(out, p.decl())
		}
		if !p.recover(level, words...) {
			return out
		}
	}
	p.end(level, what+" section", start)
	return out
}

// bound reads a declaration that needs an expression.
func (p *parser) bound(what string) *Decl {
	d := p.decl()
	if d.Expr == nil && p.tok.kind != tokFail {
		p.fault(d.Name.Span, fmt.Sprintf("write %s %s = …", d.Type, d.Name.Text), "%s %q has no value", what, d.Name.Text)
	}
	return d
}

func (p *parser) decl() *Decl {
	d := &Decl{}
	start := p.tok.Span
	if p.at("env") && p.version >= Development && isLetter(p.lex.peek()) {
		p.next()
		d.Env = true
	}
	d.TypeAt = p.tok.Span
	if p.tok.kind != tokIdent || reserved(p.tok.text, p.version) && !startsType(p.tok.text) {
		fix := p.slip("")
		switch {
		case fix != "":
		case p.braces:
			fix = "the command above, in { }, ended at the first }: write it in <<< >>>"
		case p.tok.first && slices.Contains([]string{"call", "scatter", "if", "task", "workflow", "command"}, p.tok.text):
			fix = "close the section above by }"
		}
		p.fail(fix, "expected a declaration, such as \"String name\", or a section; found %s", p.found())
		return d
	}
	d.Type = p.typ()
	d.TypeAt = p.since(d.TypeAt)
	d.Name = p.name("a name after the type " + d.Type.String())
	if p.take("=") {
		d.Expr = p.expr()
	}
	d.Span = p.since(start)
	return d
}

func (p *parser) typ() Type {
	var t Type
	word := p.tok
	if word.kind != tokIdent {
		fix := ""
		if p.at("]") {
			fix = "write the type of what is in it in the brackets, such as Array[File]"
		}
		p.fail(fix, "expected a type, found %s", p.found())
		return t
	}
	p.next()
	kind, ok := kindNamed(word.text)
	if !ok || kind == Directory && p.version < Development {
		kind, t.Struct = Struct, &StructType{Name: word.text}
	}
	t.Kind = kind
	params := 0
	if p.at("[") {
		if !p.enter() {
			return t
		}
		p.next()
		t.of = &[2]Type{}
		for {
			item := p.typ()
			if params < 2 {
				t.of[params] = item
			}
			params++
			if !p.take(",") {
				break
			}
		}
		p.expect("]", "after the type in brackets")
		p.leave()
	}
	want := map[Kind]int{Array: 1, Map: 2, Pair: 2}[kind]
	if params != want && p.tok.kind != tokFail {
		p.fault(p.since(word.Span), fmt.Sprintf("write %s", map[Kind]string{
			Array: "Array[String]", Map: "Map[String, Int]", Pair: "Pair[Int, String]",
		}[kind]), "%s takes %s, found %d", word.text, counted(want, "type in brackets"), params)
		t = Type{}
	}
	if p.at("+") && kind == Array {
		p.next()
		t.Nonempty = true
	}
	if p.take("?") {
		t.Optional = true
	}
	return t
}

// counted is a number of things in words.
func counted(n int, what string) string {
	if n == 0 {
		return "no " + what
	}
	if n == 1 {
		return "one " + what
	}
	if strings.HasSuffix(what, " in brackets") {
		return fmt.Sprintf("%d %ss in brackets", n, strings.TrimSuffix(what, " in brackets"))
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// name reads a name that the document gives or uses.
func (p *parser) name(what string) Ident {
	if p.tok.kind == tokIdent && reserved(p.tok.text, p.version) {
		p.fail("choose another name", "expected %s, found the keyword %q", what, p.tok.text)
	}
	return p.word(what)
}

// word reads a name that may be a keyword.
func (p *parser) word(what string) Ident {
	if p.tok.kind != tokIdent {
		p.fail("", "expected %s, found %s", what, p.found())
		return Ident{Span: p.tok.Span}
	}
	if p.tok.text[0] == '_' {
		p.fault(p.tok.Span, "begin it with a letter", "a name begins with a letter; found %q", p.tok.text)
	}
	id := Ident{p.tok.Span, p.tok.text}
	p.next()
	return id
}

// reserved says that a word has a meaning of its own.
func reserved(word string, v Version) bool {
	switch word {
	case "Array", "File", "Float", "Int", "Map", "None", "Pair", "String", "Boolean",
		"as", "call", "command", "else", "false", "if", "import", "input", "left", "meta", "object", "output",
		"parameter_meta", "right", "runtime", "scatter", "task", "then", "true", "workflow":
		return word != "Boolean" || v >= V10
	case "alias", "struct":
		return v >= V10
	case "Directory", "env", "hints", "requirements":
		return v >= Development
	}
	return false
}

// meta reads a section of literals.
func (p *parser) meta() []Attr {
	what := p.tok.text
	p.next()
	p.expect("{", "after "+what)
	out := p.metaMembers()
	p.expect("}", "to end the "+what+" section")
	return out
}

func (p *parser) metaMembers() []Attr {
	var out []Attr
	for !p.at("}") && !p.over() {
		a := Attr{Key: p.word("a key")}
		if a.Key.Text != "" && slices.ContainsFunc(out, func(o Attr) bool { return o.Key.Text == a.Key.Text }) && len(out) < 200 {
			p.fault(a.Key.Span, "", "key %q is there twice", a.Key.Text)
		}
		p.expect(":", "after the key")
		a.Value = p.metaValue()
		out = append(out, a)
		p.take(",")
	}
	return out
}

func (p *parser) metaValue() Expr {
	start := p.tok.Span
	if !p.enter() {
		return p.nothing(start)
	}
	defer p.leave()
	switch {
	case p.at("{"):
		p.next()
		o := &ObjectLit{Name: Ident{start, "object"}, Members: p.metaMembers()}
		p.expect("}", "to end the object")
		o.Span = p.since(start)
		return o
	case p.at("["):
		p.next()
		a := &ArrayLit{}
		for !p.at("]") && !p.over() {
			a.Items = append(a.Items, p.metaValue())
			if !p.take(",") {
				break
			}
		}
		p.expect("]", "to end the array")
		a.Span = p.since(start)
		return a
	case p.at("null"):
		p.next()
		return &NoneLit{node{Span: start}}
	case p.at(`"`) || p.at("'"):
		text := p.plainText("")
		return &StringLit{node{Span: p.since(start)}, []Part{{Text: text}}}
	case p.at("-"), p.at("+"), p.tok.kind == tokInt, p.tok.kind == tokFloat, p.at("true"), p.at("false"), p.at("None"):
		return p.unary()
	}
	p.fail("put it in quotes", "a value in meta is a literal; found %s", p.found())
	return p.nothing(start)
}

// attrs reads a section of keys and expressions. In hints a value may be a
// section of its own.
func (p *parser) attrs(nested bool) []Attr {
	what := p.tok.text
	start := p.tok.Span
	p.next()
	level := p.begin("after " + what)
	var out []Attr
	for !p.at("}") && !p.over() {
		a := Attr{Key: p.word("a key")}
		for nested && p.take(".") {
			sub := p.word("a member")
			a.Key.Text += "." + sub.Text
			a.Key.Span = p.since(a.Key.Span)
		}
		p.expect(":", "after the key")
		if nested && (p.at("hints") || p.at("input") || p.at("output")) && p.lex.peek() == '{' {
			o := &ObjectLit{Name: Ident{p.tok.Span, p.tok.text}}
			from := p.tok.Span
			if p.enter() {
				o.Members = p.attrs(true)
				p.leave()
			}
			o.Span = p.since(from)
			a.Value = o
		} else {
			a.Value = p.expr()
		}
		if p.tok.kind != tokFail {
			out = append(out, a)
		}
		if p.at(":") || !p.tok.first && p.tok.kind == tokIdent && strings.IndexByte(":.=", p.lex.peek()) < 0 {
			p.fail("put the value in quotes", "expected the next key after the value of %s, found %s", a.Key.Text, p.found())
		}
		p.take(",")
		if !p.recover(level) {
			return out
		}
	}
	p.end(level, what+" section", start)
	return out
}

package wdl

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The bounds of a document.
const (
	maxText  = 4 << 20 // bytes
	maxDepth = 100     // sections, brackets and texts within one another
	maxChain = 500     // operators, members and indexes in a row
)

// A parser reads one document. After a fault it goes on with the next
// element, so that all faults of a document are found at once.
type parser struct {
	*findings
	lex     *lexer
	tok     token // the next one
	last    Span  // of the one before it
	failed  token // where the present element went wrong; tok is tokFail then
	open    int   // braces that are open
	depth   int
	braces  bool // the last command was in braces
	stopped bool // too deep or too wrong to go on
	version Version
}

// Parse reads one document. It always returns one: of what is wrong the
// findings say where and what was expected.
func Parse(file, text string) (*Document, []Finding) {
	var f findings
	doc := parse(&f, file, text)
	return doc, f.sorted()
}

func parse(f *findings, file, text string) *Document {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	src := &Source{Path: file, Text: text}
	doc := &Document{Span: Span{Source: src, Line: 1, Col: 1, EndLine: 1, EndCol: 1}}
	if len(text) > maxText {
		f.fault(doc.Span, "put tasks into documents of their own, and import those", "the document has %d bytes; at most %d are read", len(text), maxText)
		return doc
	}
	p := &parser{findings: f, lex: newLexer(src)}
	if !utf8.ValidString(text) {
		n := 0
		for n < len(text) {
			r, size := utf8.DecodeRuneInString(text[n:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			n += size
		}
		p.lex.advance(n)
		f.fault(p.lex.here(), "save the document as UTF-8", "byte 0x%02x is not UTF-8", text[n])
		return doc
	}
	p.next()
	p.document(doc)
	doc.Span = p.lex.from(doc.Span)
	return doc
}

// next moves on to the next token.
func (p *parser) next() {
	if p.tok.kind == tokFail {
		return
	}
	p.last = p.tok.Span
	switch {
	case p.tok.is("{"):
		p.open++
	case p.tok.is("}"):
		p.open--
	}
	p.tok = p.lex.next()
}

// at says that the next token is the punctuation or word.
func (p *parser) at(text string) bool { return p.tok.is(text) }

// take moves over the punctuation or word if it is next.
func (p *parser) take(text string) bool {
	if !p.at(text) {
		return false
	}
	p.next()
	return true
}

// over says that nothing more comes: the document has ended or the element
// went wrong.
func (p *parser) over() bool { return p.tok.kind == tokEOF || p.tok.kind == tokFail }

// fail says that the element is wrong at the next token. The first failure of
// an element counts.
func (p *parser) fail(fix, format string, args ...any) {
	if p.tok.kind == tokFail {
		return
	}
	p.fault(p.tok.Span, fix, format, args...)
	p.failed = p.tok
	p.tok = token{kind: tokFail, Span: p.tok.Span}
}

// expect moves over the punctuation or word, or fails.
func (p *parser) expect(text, where string) {
	if !p.take(text) {
		p.fail("", "expected %q %s, found %s", text, where, p.found())
	}
}

// found describes the next token.
func (p *parser) found() string { return describe(p.tok) }

func describe(t token) string {
	switch {
	case t.kind == tokEOF:
		return "the end of the document"
	case len(t.text) > 40:
		return strconv.Quote(t.text[:40]) + "…"
	}
	return strconv.Quote(t.text)
}

// enter counts a level of nesting, and fails if there are too many.
func (p *parser) enter() bool {
	p.depth++
	if p.depth > maxDepth {
		p.fail("", "nested deeper than %d levels", maxDepth)
		p.stopped = true
		return false
	}
	return true
}

func (p *parser) leave() { p.depth-- }

// recover goes on after a failure in an element of a list that begins at a
// level of braces: at the next of the words that begin an element and its
// line, or at the brace that ends the list. It returns false if the list is
// over.
func (p *parser) recover(level int, words ...string) bool {
	if p.tok.kind != tokFail {
		return true
	}
	if p.stopped || p.full() {
		p.stopped = true
		return false
	}
	p.tok = p.failed
	for moved := false; ; moved = true {
		switch {
		case p.tok.kind == tokEOF:
			return true
		case p.tok.kind == tokIdent && p.tok.Col == 1 && slices.Contains(topWords, p.tok.text) && (moved || level == 0):
			if level == 0 {
				p.open = 0
				return true
			}
			p.failed, p.tok = p.tok, token{kind: tokFail} // the lists above go on here
			return false
		case p.open == level && p.at("}"):
			return true
		case p.open == level && moved && p.tok.kind == tokIdent && p.tok.first && (slices.Contains(words, p.tok.text) || startsType(p.tok.text)):
			return true
		case p.at(`"`) || p.at("'"):
			p.skipQuoted(p.tok.text[0])
		case p.at("<<<"):
			p.skipTo(">>>")
		}
		p.next()
	}
}

// skipQuoted moves the lexer over a text in quotes, or to the end of the line.
func (p *parser) skipQuoted(quote byte) {
	l := p.lex
	for l.off < len(l.text) && l.text[l.off] != '\n' {
		c := l.text[l.off]
		if c == '\\' && l.off+1 < len(l.text) && l.text[l.off+1] < utf8.RuneSelf {
			l.advance(2)
			continue
		}
		_, n := utf8.DecodeRuneInString(l.text[l.off:])
		l.advance(n)
		if c == quote {
			return
		}
	}
}

// skipTo moves the lexer behind a text, if it comes.
func (p *parser) skipTo(end string) {
	if n := strings.Index(p.lex.text[p.lex.off:], end); n >= 0 {
		p.lex.advance(n + len(end))
	}
}

// startsType says that a word can begin a declaration on a line of its own.
func startsType(word string) bool {
	_, ok := kindNamed(word)
	return ok
}

// topWords begin the elements of a document.
var topWords = []string{"import", "struct", "task", "workflow"}

func (p *parser) document(doc *Document) {
	if p.at("version") {
		p.versionLine(doc)
	} else {
		doc.Version = Draft2
	}
	for p.tok.kind != tokEOF && !p.stopped {
		start := p.tok.Span
		switch {
		case p.take("import"):
			p.importLine(doc, start)
		case p.take("struct"):
			p.structDef(doc, start)
		case p.take("task"):
			p.task(doc, start)
		case p.take("workflow"):
			w := p.workflow(start)
			if doc.Workflow != nil && w.Name.Text != "" {
				p.fault(w.Name.Span, "put it into a document of its own and import that",
					"a document has one workflow; %q is a second one, after %q", w.Name.Text, doc.Workflow.Name.Text)
			} else if doc.Workflow == nil {
				doc.Workflow = w
			}
		case p.at("version"):
			p.fail("move it to the first line", "the version comes first in a document, once")
		default:
			fix := p.meant(p.tok.text, topWords)
			if fix == "" && p.braces {
				fix = "the command above, in { }, ended at the first }: write it in <<< >>>"
			}
			p.fail(fix, "expected import, struct, task or workflow, found %s", p.found())
		}
		if !p.recover(0) {
			return
		}
		if p.at("}") { // one too many, of which the fault has told
			p.open = 0
			p.next()
			p.open = 0
		}
	}
}

// versionLine reads the version, which ends with its line.
func (p *parser) versionLine(doc *Document) {
	l := p.lex
	for l.off < len(l.text) && (l.text[l.off] == ' ' || l.text[l.off] == '\t') {
		l.advance(1)
	}
	at := l.here()
	n := strings.IndexAny(l.text[l.off:], " \t\n#")
	if n < 0 {
		n = len(l.text) - l.off
	}
	name := l.text[l.off : l.off+n]
	l.advance(n)
	at = l.from(at)
	const known = "write version 1.0, 1.1 or development"
	switch name {
	case "1.0":
		doc.Version = V10
	case "1.1":
		doc.Version = V11
	case "development":
		doc.Version = Development
	case "1.2":
		doc.Version = Development
		p.caution(at, "write version development", "HealthOmics takes 1.0, 1.1 and development; 1.2 is read as development")
	case "draft-2":
		p.caution(at, "leave the version line out", "a document of draft-2 has no version line")
	case "draft-3":
		doc.Version = V10
		p.caution(at, "write version 1.0", "draft-3 became version 1.0, which it is read as")
	case "":
		doc.Version = V11
		p.fault(at, known, "the version is missing")
	default:
		doc.Version = V11
		p.fault(at, known, "version %q is unknown", name)
	}
	p.version = doc.Version
	p.next()
}

func (p *parser) importLine(doc *Document, start Span) {
	im := &Import{}
	im.URIAt = p.tok.Span
	im.URI = p.plainText("the document to import")
	im.URIAt = p.last
	if p.take("as") {
		im.As = p.name("a name for the import")
	} else {
		base := path.Base(im.URI)
		im.As = Ident{im.URIAt, strings.TrimSuffix(base, path.Ext(base))}
	}
	for p.take("alias") {
		from := p.name("a struct of the import")
		p.expect("as", "after the struct's name")
		im.Aliases = append(im.Aliases, Alias{from, p.name("the struct's name here")})
	}
	im.Span = start
	im.EndLine, im.EndCol = p.last.EndLine, p.last.EndCol
	if p.tok.kind != tokFail {
		doc.Imports = append(doc.Imports, im)
	}
}

func (p *parser) structDef(doc *Document, start Span) {
	if p.version == Draft2 {
		p.fault(start, "write version 1.0 in the first line", "struct came with version 1.0")
	}
	s := &StructDef{Name: p.name("a name for the struct")}
	level := p.begin("after the struct's name")
	for !p.at("}") && !p.over() {
		switch {
		case p.at("meta") && p.lex.peek() == '{':
			s.Meta = append(s.Meta, p.meta()...)
		case p.at("parameter_meta") && p.lex.peek() == '{':
			s.ParameterMeta = append(s.ParameterMeta, p.meta()...)
		default:
			d := p.decl()
			if d.Expr != nil {
				p.fault(d.Expr.At(), "write the type and the name alone", "a member of a struct has no default")
			}
			s.Members = append(s.Members, d)
		}
		if !p.recover(level) {
			return
		}
	}
	p.end(level, "struct", start)
	s.Span = p.since(start)
	doc.Structs = append(doc.Structs, s)
}

// begin moves over the brace that opens a list and returns its level.
func (p *parser) begin(where string) int {
	p.expect("{", where)
	return p.open
}

// end moves over the brace that closes a list.
func (p *parser) end(level int, what string, start Span) {
	if p.tok.kind == tokEOF && p.open >= level {
		p.tok.Span = p.last
		p.fail("", "expected \"}\" to end the %s that begins on line %d, found the end of the document", what, start.Line)
		return
	}
	p.expect("}", "to end the "+what)
}

// since is the span from a place to the end of the last token.
func (p *parser) since(start Span) Span {
	start.EndLine, start.EndCol = p.last.EndLine, p.last.EndCol
	return start
}

// taskWords and workflowWords begin the elements of tasks and workflows.
var (
	taskWords     = []string{"input", "command", "output", "runtime", "requirements", "hints", "meta", "parameter_meta", "env"}
	workflowWords = []string{"input", "output", "call", "scatter", "if", "meta", "parameter_meta", "hints"}
)

func (p *parser) task(doc *Document, start Span) {
	t := &Task{Name: p.name("a name for the task")}
	level := p.begin("after the task's name")
	seen := map[string]Span{}
	for !p.at("}") && !p.over() {
		word := p.tok
		if word.kind == tokIdent && slices.Contains(taskWords[:8], word.text) && (p.lex.peek() == '{' || word.text == "command") {
			p.once(seen, word, "task")
		}
		switch brace := p.lex.peek() == '{'; {
		case p.at("input") && brace:
			t.HasInputs = true
			t.Inputs = append(t.Inputs, p.decls("input", "env")...)
		case p.at("output") && brace:
			t.Outputs = append(t.Outputs, p.decls("output")...)
		case p.at("command"):
			t.Command = p.command()
		case p.at("runtime") && brace:
			t.Runtime = append(t.Runtime, p.attrs(false)...)
		case p.at("requirements") && brace:
			t.Requirements = append(t.Requirements, p.attrs(false)...)
		case p.at("hints") && brace:
			t.Hints = append(t.Hints, p.attrs(true)...)
		case p.at("meta") && brace:
			t.Meta = append(t.Meta, p.meta()...)
		case p.at("parameter_meta") && brace:
			t.ParameterMeta = append(t.ParameterMeta, p.meta()...)
		case p.at("call") || p.at("scatter"):
			p.fail("move it to the workflow", "a task has no %s", p.tok.text)
		default:
			t.Decls = append(t.Decls, p.decl())
		}
		if !p.recover(level, taskWords...) {
			return
		}
	}
	p.end(level, "task", start)
	t.Span = p.since(start)
	if t.Command == nil && p.tok.kind != tokFail {
		p.fault(t.Name.Span, "add command <<< … >>>", "task %q has no command", t.Name.Text)
	}
	doc.Tasks = append(doc.Tasks, t)
}

// once complains of the second section of a kind.
func (p *parser) once(seen map[string]Span, word token, in string) {
	if first, ok := seen[word.text]; ok {
		p.fault(word.Span, "put all of it into one section", "a %s has one %s section; the first is on line %d", in, word.text, first.Line)
		return
	}
	seen[word.text] = word.Span
}

func (p *parser) workflow(start Span) *Workflow {
	w := &Workflow{Name: p.name("a name for the workflow")}
	level := p.begin("after the workflow's name")
	seen := map[string]Span{}
	for !p.at("}") && !p.over() {
		word := p.tok
		brace := p.lex.peek() == '{'
		if brace && word.kind == tokIdent && slices.Contains([]string{"input", "output", "meta", "parameter_meta", "hints"}, word.text) {
			p.once(seen, word, "workflow")
		}
		switch {
		case p.at("input") && brace:
			w.HasInputs = true
			w.Inputs = append(w.Inputs, p.decls("input")...)
		case p.at("output") && brace:
			w.HasOutputs = true
			p.workflowOutputs(w)
		case p.at("meta") && brace:
			w.Meta = append(w.Meta, p.meta()...)
		case p.at("parameter_meta") && brace:
			w.ParameterMeta = append(w.ParameterMeta, p.meta()...)
		case p.at("hints") && brace:
			w.Hints = append(w.Hints, p.attrs(true)...)
		case p.at("command") || (p.at("runtime") || p.at("requirements")) && brace:
			p.fail("move it to a task", "a workflow has no %s section", p.tok.text)
		default:
			w.Body = append(w.Body, p.element())
		}
		if !p.recover(level, workflowWords...) {
			break
		}
	}
	p.end(level, "workflow", start)
	w.Span = p.since(start)
	return w
}

// workflowOutputs reads declarations and, in draft-2, names of calls' outputs.
func (p *parser) workflowOutputs(w *Workflow) {
	start := p.tok.Span
	p.next()
	level := p.begin("after output")
	for !p.at("}") && !p.over() {
		if p.version == Draft2 && p.tok.kind == tokIdent && !startsType(p.tok.text) {
			e := &Exposed{}
			from := p.tok.Span
			e.Name = append(e.Name, p.name("a declaration, or the name of a call"))
			for p.take(".") {
				if p.at("*") {
					e.Name = append(e.Name, Ident{p.tok.Span, "*"})
					p.next()
					break
				}
				e.Name = append(e.Name, p.word("the name of an output"))
			}
			e.Span = p.since(from)
			w.Exposed = append(w.Exposed, e)
			p.take(",")
		} else {
			w.Outputs = append(w.Outputs, p.bound("output"))
		}
		if !p.recover(level) {
			return
		}
	}
	p.end(level, "output section", start)
}

// element reads a part of a workflow's body.
func (p *parser) element() Element {
	start := p.tok.Span
	switch {
	case p.take("call"):
		return p.call(start)
	case p.take("scatter"):
		s := &Scatter{}
		p.expect("(", "after scatter")
		s.Var = p.name("a name for the item")
		p.expect("in", "after the item's name")
		s.Items = p.expr()
		p.expect(")", "after the items")
		s.Body = p.body("scatter", start)
		s.Span = p.since(start)
		return s
	case p.take("if"):
		c := &Conditional{}
		p.expect("(", "after if")
		c.Cond = p.expr()
		p.expect(")", "after the condition")
		c.Body = p.body("conditional", start)
		c.Span = p.since(start)
		if p.at("else") {
			p.fail("write if (!condition) { … }", "a conditional has no else in version %s", p.version)
		}
		return c
	}
	return p.decl()
}

// body reads the elements of a scatter or conditional.
func (p *parser) body(what string, start Span) []Element {
	level := p.begin("to begin the body of the " + what)
	var out []Element
	if !p.enter() {
		return nil
	}
	defer p.leave()
	for !p.at("}") && !p.over() {
		out = append(out, p.element())
		if !p.recover(level, workflowWords...) {
			return out
		}
	}
	p.end(level, what, start)
	return out
}

func (p *parser) call(start Span) *Call {
	c := &Call{}
	c.Callee = append(c.Callee, p.name("the task or workflow to call"))
	for p.take(".") {
		c.Callee = append(c.Callee, p.name("the task or workflow to call"))
	}
	if p.take("as") {
		c.Alias = p.name("a name for the call")
	}
	for p.at("after") {
		if p.version < V11 {
			p.fault(p.tok.Span, "use one of the call's outputs, or write version 1.1", "after came with version 1.1")
		}
		p.next()
		c.After = append(c.After, p.name("the call to come after"))
	}
	if p.at("{") {
		p.callBody(c, start)
	}
	c.Span = p.since(start)
	return c
}

func (p *parser) callBody(c *Call, start Span) {
	level := p.begin("")
	if p.at("input") && p.lex.peek() == ':' {
		p.next()
		p.next()
	} else if !p.at("}") && p.version < Development {
		p.fail("write input: before the first of them", "expected \"input:\" in the body of a call, found %s", p.found())
	}
	for !p.at("}") && !p.over() {
		in := &CallInput{Name: p.word("the name of an input")}
		if p.take("=") {
			in.Expr = p.expr()
		} else {
			if p.at(":") {
				p.fail("write =", "expected \"=\" after the name of an input, found \":\"")
			}
			if p.version < V11 {
				p.fault(in.Name.Span, fmt.Sprintf("write %s = %[1]s", in.Name.Text), "a name alone, for an input of the same name, came with version 1.1")
			}
			in.Short = true
			in.Expr = &Ref{node: node{Span: in.Name.Span}, Name: in.Name.Text}
		}
		if p.tok.kind != tokFail {
			c.Inputs = append(c.Inputs, in)
		}
		if !p.take(",") && !p.at("}") {
			p.fail("separate inputs by commas", "expected \",\" or \"}\" after an input of a call, found %s", p.found())
		}
	}
	p.end(level, "call", start)
}

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
		p.fail("", "expected a declaration, such as \"String name\", or a section; found %s", p.found())
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
		p.fail("", "expected a type, found %s", p.found())
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
		p.take(",")
		if !p.recover(level) {
			return out
		}
	}
	p.end(level, what+" section", start)
	return out
}

// command reads a command in either of its forms.
func (p *parser) command() *Command {
	start := p.tok.Span
	p.next()
	c := &Command{}
	p.braces = p.at("{")
	switch {
	case p.at("<<<"):
		c.Parts = p.parts(textForm{close: ">>>", dollar: p.version == Draft2, tilde: p.version > Draft2, lines: true}, start)
	case p.at("{"):
		c.Parts = p.parts(textForm{close: "}", dollar: true, tilde: p.version > Draft2, lines: true}, start)
	default:
		p.fail("write command <<< … >>>", "expected \"<<<\" or \"{\" after command, found %s", p.found())
		return c
	}
	c.Parts = dedented(trimmed(c.Parts, ""))
	c.Span = p.since(start)
	return c
}

// plainText reads a text in quotes without placeholders.
func (p *parser) plainText(what string) string {
	if !p.at(`"`) && !p.at("'") {
		p.fail("", "expected %s in quotes, found %s", what, p.found())
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
			hole := p.placeholder()
			if p.tok.kind == tokFail {
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
		p.fail("", "the text that begins here does not end: %s is missing", form.close)
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
		p.fail("", "expected \"}\" to end the placeholder, found %s", p.found())
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
		p.fail("", "%s does not begin an expression", p.found())
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

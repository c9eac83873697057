package wdl

import (
	"cmp"
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
		p.fail(p.slip(text), "expected %q %s, found %s", text, where, p.found())
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
			fix := cmp.Or(p.meant(p.tok.text, topWords), p.slip(""))
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
		fix := known
		if bare := strings.Trim(name, `"'`); bare != name {
			fix = "write version " + bare + ", without quotes"
		}
		p.fault(at, fix, "version %q is unknown", name)
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
		if im.URI != "" && (!isName(im.As.Text) || reserved(im.As.Text, p.version)) {
			p.fault(im.URIAt, "append: as "+asName(im.As.Text), "the import has no name: that of the file, %q, is none", im.As.Text)
		}
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

// isName says that a text may be a name.
func isName(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) && (i == 0 || !isDigit(s[i])) {
			return false
		}
	}
	return s != "" && s[0] != '_'
}

// asName makes a name of a text that is none.
func asName(s string) string {
	s = strings.Trim(strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (isLetter(byte(r)) || isDigit(byte(r))) {
			return r
		}
		return '_'
	}, s), "_")
	if !isName(s) {
		return "imported"
	}
	return s
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
	p.braces = false
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
			p.later(word, "write runtime, or version development")
			t.Requirements = append(t.Requirements, p.attrs(false)...)
		case p.at("hints") && brace:
			p.later(word, "put them into runtime, or write version development")
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

// later complains of a section that a later version has brought.
func (p *parser) later(word token, fix string) {
	if p.version < Development {
		p.fault(word.Span, fix, "the section %s came after version %s", word.text, p.version)
	}
}

// once complains of the second section of a kind.
func (p *parser) once(seen map[string]Span, word token, in string) {
	if first, ok := seen[word.text]; ok {
		p.fault(word.Span, "put all of it into one section", "a %s has one %s section; the first is on line %d", in, word.text, first.Line)
		return
	}
	seen[word.text] = word.Span
}

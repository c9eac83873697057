package jinja

import (
	"slices"
	"strings"
)

const (
	// maxNesting bounds how deep brackets and blocks may stand in another.
	maxNesting = 200
	// maxChain bounds operators, subscripts and filters in a row.
	maxChain = 1000
)

// A parser turns tokens into nodes. It follows Jinja's own, method by
// method, so that the first complaint about a template is the same.
type parser struct {
	lex     lexer
	cur     token
	ahead   []token
	tags    []string   // blocks that are open
	ends    [][]string // what each of them waits for
	nesting int
}

func parse(src string) []stmt {
	p := &parser{lex: lexer{src: src, line: 1}}
	p.next()
	return p.subparse(nil)
}

// next moves on and returns the token it leaves.
func (p *parser) next() token {
	t := p.cur
	if len(p.ahead) > 0 {
		p.cur = p.ahead[0]
		p.ahead = p.ahead[1:]
	} else {
		p.cur = p.lex.next()
	}
	return t
}

// look returns the token after the current one.
func (p *parser) look() token {
	if len(p.ahead) == 0 {
		p.ahead = append(p.ahead, p.lex.next())
	}
	return p.ahead[0]
}

func (p *parser) skip(n int) {
	for range n {
		p.next()
	}
}

func (p *parser) fail(line int, format string, args ...any) {
	if line == 0 {
		line = p.cur.line
	}
	e := Errorf("TemplateSyntaxError", format, args...)
	e.Line = line
	panic(e)
}

func (p *parser) skipIf(kind string) bool {
	if p.cur.kind == kind && kind != kName {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipName(name string) bool {
	if p.cur.is(name) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(kind string) token {
	if p.cur.kind != kind {
		p.expected(describeKind(kind))
	}
	return p.next()
}

func (p *parser) expectName(name string) token {
	if !p.cur.is(name) {
		p.expected(name)
	}
	return p.next()
}

func (p *parser) expected(what string) {
	if p.cur.kind == kEOF {
		p.fail(0, "unexpected end of template, expected %s.", quote(what))
	}
	p.fail(0, "expected token %s, got %s", quote(what), quote(p.cur.describe()))
}

func (p *parser) enter() {
	if p.nesting++; p.nesting > maxNesting {
		p.fail(0, "template exceeded %d levels of nesting", maxNesting)
	}
}

func (p *parser) leave() { p.nesting-- }

func (p *parser) link(n *int) {
	if *n++; *n > maxChain {
		p.fail(0, "template exceeded %d operators in a row", maxChain)
	}
}

// subparse reads text and statements up to one of the tags in ends, which it
// leaves as the current token, or to the end of the template.
func (p *parser) subparse(ends []string) []stmt {
	var body []stmt
	var parts []outPart
	flush := func() {
		if len(parts) > 0 {
			body = append(body, &output{parts: parts})
			parts = nil
		}
	}
	if ends != nil {
		p.ends = append(p.ends, ends)
		defer func() { p.ends = p.ends[:len(p.ends)-1] }()
	}
	for {
		switch p.cur.kind {
		case kEOF:
			flush()
			return body
		case kData:
			parts = append(parts, outPart{text: p.cur.text, line: p.cur.line})
			p.next()
		case kVarBegin:
			p.next()
			line := p.cur.line
			parts = append(parts, outPart{x: p.tuple(tupleMode{cond: true}), line: line})
			p.expect(kVarEnd)
		case kBlkBegin:
			flush()
			p.next()
			if p.cur.kind == kName && slices.Contains(ends, p.cur.text) {
				return body
			}
			if s := p.statement(); s != nil {
				body = append(body, s)
			}
			p.expect(kBlkEnd)
		default:
			p.fail(0, "unexpected %s", quote(p.cur.describe()))
		}
	}
}

func (p *parser) statement() stmt {
	if p.cur.kind != kName {
		p.fail(0, "tag name expected")
	}
	p.enter()
	defer p.leave()
	tag := p.cur.text
	p.tags = append(p.tags, tag)
	var s stmt
	switch tag {
	case "for":
		s = p.forLoop()
	case "if":
		s = p.ifElse()
	case "set":
		s = p.set()
	case "with":
		s = p.with()
	case "do":
		line := p.next().line
		s = &doStmt{x: p.tuple(tupleMode{cond: true}), line: line}
	case "print":
		s = p.print()
	case "macro":
		line := p.next().line
		def := &macroDef{name: p.target(targetMode{nameOnly: true}).(nameExpr).name, line: line}
		p.signature(def)
		def.body = p.statements("endmacro")
		s = &macroStmt{name: def.name, def: def}
	case "call":
		s = p.callBlock()
	case "filter":
		line := p.next().line
		f := p.filter(nil, true).(*filterExpr)
		s = &filterBlock{filter: f, body: p.statements("endfilter"), line: line}
	case "block":
		s = p.block()
	case "autoescape":
		p.next()
		on := p.expression(true)
		s = &autoescape{on: on, body: p.statements("endautoescape")}
	case "extends":
		line := p.next().line
		s = &loadStmt{x: p.expression(true), line: line}
	case "include":
		s = p.include()
	case "import":
		line := p.next().line
		x := p.expression(true)
		p.expectName("as")
		p.target(targetMode{nameOnly: true})
		p.importContext()
		s = &loadStmt{x: x, line: line}
	case "from":
		s = p.from()
	default:
		line := p.cur.line
		p.tags = p.tags[:len(p.tags)-1]
		p.failUnknown(tag, line)
	}
	p.tags = p.tags[:len(p.tags)-1]
	return s
}

// statements reads the end of a tag, then the body of the block up to one of
// the tags in ends, and passes over that tag's name.
func (p *parser) statements(ends ...string) []stmt {
	body := p.statementsTo(ends...)
	p.next()
	return body
}

func (p *parser) statementsTo(ends ...string) []stmt {
	p.skipIf(":") // for those who write Python
	p.expect(kBlkEnd)
	body := p.subparse(ends)
	if p.cur.kind == kEOF {
		p.ends = append(p.ends, ends)
		p.failUnknown("", 0)
	}
	return body
}

// failUnknown complains about a tag that has no place here, or, with an empty
// name, about the end of the template.
func (p *parser) failUnknown(name string, line int) {
	message := "Unexpected end of template."
	if name != "" {
		message = "Encountered unknown tag " + quote(name) + "."
	}
	if len(p.ends) > 0 {
		var looking []string
		for _, e := range p.ends[len(p.ends)-1] {
			looking = append(looking, quote(e))
		}
		known := slices.ContainsFunc(p.ends, func(e []string) bool { return slices.Contains(e, name) })
		if name != "" && known {
			message += " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for " + strings.Join(looking, " or ") + "."
		} else {
			message += " Jinja was looking for the following tags: " + strings.Join(looking, " or ") + "."
		}
	}
	if len(p.tags) > 0 {
		message += " The innermost block that needs to be closed is " + quote(p.tags[len(p.tags)-1]) + "."
	}
	p.fail(line, "%s", message)
}

func (p *parser) set() stmt {
	line := p.next().line
	target := p.target(targetMode{namespace: true})
	if p.skipIf("=") {
		return &setStmt{target: target, x: p.tuple(tupleMode{cond: true}), line: line}
	}
	s := &setBlock{target: target, line: line}
	if f := p.filter(nil, false); f != nil {
		s.filter = f.(*filterExpr)
	}
	s.body = p.statements("endset")
	return s
}

func (p *parser) forLoop() stmt {
	s := &forStmt{line: p.expectName("for").line}
	s.target = p.target(targetMode{})
	p.expectName("in")
	s.iter = p.tuple(tupleMode{})
	if p.skipName("if") {
		s.test = p.expression(true)
	}
	s.recursive = p.skipName("recursive")
	s.body = p.statementsTo("endfor", "else")
	if p.next().text != "endfor" {
		s.alt = p.statements("endfor")
	}
	return s
}

func (p *parser) ifElse() stmt {
	s := &ifStmt{}
	line := p.expectName("if").line
	for {
		s.lines = append(s.lines, line)
		s.tests = append(s.tests, p.tuple(tupleMode{}))
		s.bodies = append(s.bodies, p.statementsTo("elif", "else", "endif"))
		t := p.next()
		if t.is("elif") {
			line = p.cur.line
			continue
		}
		if t.is("else") {
			s.bodies = append(s.bodies, p.statements("endif"))
		}
		return s
	}
}

func (p *parser) with() stmt {
	s := &withStmt{}
	p.next()
	for p.cur.kind != kBlkEnd {
		if len(s.targets) > 0 {
			p.expect(",")
		}
		s.targets = append(s.targets, p.target(targetMode{}))
		p.expect("=")
		s.values = append(s.values, p.expression(true))
	}
	s.body = p.statements("endwith")
	return s
}

func (p *parser) print() stmt {
	line := p.next().line
	s := &output{}
	for p.cur.kind != kBlkEnd {
		if len(s.parts) > 0 {
			p.expect(",")
		}
		s.parts = append(s.parts, outPart{x: p.expression(true), line: line})
	}
	return s
}

func (p *parser) signature(def *macroDef) {
	p.expect("(")
	for p.cur.kind != ")" {
		if len(def.params) > 0 {
			p.expect(",")
		}
		arg := p.target(targetMode{nameOnly: true}).(nameExpr)
		if p.skipIf("=") {
			def.defaults = append(def.defaults, p.expression(true))
		} else if len(def.defaults) > 0 {
			p.fail(0, "non-default argument follows default argument")
		}
		def.params = append(def.params, arg.name)
	}
	p.expect(")")
}

func (p *parser) callBlock() stmt {
	line := p.next().line
	def := &macroDef{line: line}
	if p.cur.kind == "(" {
		p.signature(def)
	}
	call, ok := p.expression(true).(*callExpr)
	if !ok {
		p.fail(line, "expected call")
	}
	def.body = p.statements("endcall")
	return &callBlock{call: call, def: def, line: line}
}

func (p *parser) block() stmt {
	s := &blockStmt{line: p.next().line}
	s.name = p.expect(kName).text
	s.scoped = p.skipName("scoped")
	s.required = p.skipName("required")
	if p.cur.kind == "-" {
		p.fail(0, "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.")
	}
	s.body = p.statements("endblock")
	if s.required {
		for _, b := range s.body {
			o, ok := b.(*output)
			if !ok || slices.ContainsFunc(o.parts, func(t outPart) bool { return t.x != nil || strings.TrimFunc(t.text, isSpace) != "" }) {
				p.fail(0, "Required blocks can only contain comments or whitespace")
			}
		}
	}
	p.skipName(s.name)
	return s
}

func (p *parser) include() stmt {
	line := p.next().line
	x := p.expression(true)
	if p.cur.is("ignore") && p.look().is("missing") {
		p.skip(2)
	}
	p.importContext()
	return &loadStmt{x: x, line: line}
}

func (p *parser) importContext() bool {
	if (p.cur.is("with") || p.cur.is("without")) && p.look().is("context") {
		p.skip(2)
		return true
	}
	return false
}

func (p *parser) from() stmt {
	s := &loadStmt{line: p.next().line}
	s.x = p.expression(true)
	p.expectName("import")
	for n := 0; ; n++ {
		if n > 0 {
			p.expect(",")
		}
		if p.cur.kind != kName {
			p.expect(kName)
		}
		if p.importContext() {
			return s
		}
		t := p.target(targetMode{nameOnly: true}).(nameExpr)
		if strings.HasPrefix(t.name, "_") {
			e := Errorf("TemplateAssertionError", "names starting with an underline can not be imported")
			e.Line = t.line
			panic(e)
		}
		if p.skipName("as") {
			p.target(targetMode{nameOnly: true})
		}
		if p.importContext() || p.cur.kind != "," {
			return s
		}
	}
}

// targetMode says what may be assigned to.
type targetMode struct {
	nameOnly  bool
	namespace bool // ns.attr too
}

func (p *parser) target(mode targetMode) expr {
	if mode.nameOnly {
		t := p.expect(kName)
		x := nameExpr{name: t.text, line: t.line}
		switch t.text {
		case "true", "false", "none", "True", "False", "None":
			p.fail(t.line, "can't assign to 'name'")
		}
		return x
	}
	line := p.cur.line
	x := p.tuple(tupleMode{simple: true, namespace: mode.namespace})
	if !assignable(x) {
		p.fail(line, "can't assign to '%s'", x.class())
	}
	return x
}

func assignable(x expr) bool {
	switch x := x.(type) {
	case nameExpr, nsRef:
		return true
	case *tupleExpr:
		return !slices.ContainsFunc(x.items, func(x expr) bool { return !assignable(x) })
	}
	return false
}

func (p *parser) expression(cond bool) expr {
	p.enter()
	defer p.leave()
	if cond {
		return p.condexpr()
	}
	return p.or()
}

func (p *parser) condexpr() expr {
	line := p.cur.line
	x := p.or()
	n := 0
	for p.skipName("if") {
		p.link(&n)
		c := &condExpr{test: p.or(), yes: x, line: line}
		if p.skipName("else") {
			p.enter()
			c.no = p.condexpr()
			p.leave()
		}
		x = c
		line = p.cur.line
	}
	return x
}

func (p *parser) or() expr {
	x, n := p.and(), 0
	for p.skipName("or") {
		p.link(&n)
		x = &orExpr{x, p.and()}
	}
	return x
}

func (p *parser) and() expr {
	x, n := p.not(), 0
	for p.skipName("and") {
		p.link(&n)
		x = &andExpr{x, p.not()}
	}
	return x
}

func (p *parser) not() expr {
	if p.skipName("not") {
		p.enter()
		defer p.leave()
		return &notExpr{p.not()}
	}
	return p.compare()
}

func (p *parser) compare() expr {
	x := p.math1()
	var ops []operand
	n := 0
	for {
		p.link(&n)
		switch {
		case p.cur.kind == "==" || p.cur.kind == "!=" || p.cur.kind == "<" || p.cur.kind == "<=" || p.cur.kind == ">" || p.cur.kind == ">=":
			op := p.next().kind
			ops = append(ops, operand{op, p.math1()})
		case p.skipName("in"):
			ops = append(ops, operand{"in", p.math1()})
		case p.cur.is("not") && p.look().is("in"):
			p.skip(2)
			ops = append(ops, operand{"notin", p.math1()})
		case len(ops) == 0:
			return x
		default:
			return &compareExpr{first: x, ops: ops}
		}
	}
}

func (p *parser) math1() expr {
	x, n := p.concat(), 0
	for p.cur.kind == "+" || p.cur.kind == "-" {
		p.link(&n)
		op := p.next().kind
		x = &binaryExpr{op, x, p.concat()}
	}
	return x
}

func (p *parser) concat() expr {
	items := []expr{p.math2()}
	for p.skipIf("~") {
		items = append(items, p.math2())
	}
	if len(items) == 1 {
		return items[0]
	}
	return &concatExpr{items}
}

func (p *parser) math2() expr {
	x, n := p.pow(), 0
	for p.cur.kind == "*" || p.cur.kind == "/" || p.cur.kind == "//" || p.cur.kind == "%" {
		p.link(&n)
		op := p.next().kind
		x = &binaryExpr{op, x, p.pow()}
	}
	return x
}

// pow reads powers from the left: Jinja's grammar makes 2**3**2 into (2**3)**2,
// but the Python it is compiled to puts parentheses there, so that stands.
func (p *parser) pow() expr {
	x, n := p.unary(true), 0
	for p.skipIf("**") {
		p.link(&n)
		x = &binaryExpr{"**", x, p.unary(true)}
	}
	return x
}

func (p *parser) unary(filters bool) expr {
	var x expr
	if p.cur.kind == "-" || p.cur.kind == "+" {
		p.enter()
		op := p.next().kind
		x = &unaryExpr{op, p.unary(false)}
		p.leave()
	} else {
		x = p.primary(false)
	}
	x = p.postfix(x)
	if filters {
		x = p.filtered(x)
	}
	return x
}

func (p *parser) primary(namespace bool) expr {
	t := p.cur
	switch t.kind {
	case kName:
		p.next()
		switch t.text {
		case "true", "True":
			return constExpr{Bool(true)}
		case "false", "False":
			return constExpr{Bool(false)}
		case "none", "None":
			return constExpr{None}
		}
		if namespace && p.cur.kind == "." {
			p.next()
			return nsRef{t.text, p.expect(kName).text}
		}
		return nameExpr{t.text, t.line}
	case kString:
		p.next()
		text := t.text
		for p.cur.kind == kString {
			text += p.next().text
		}
		return constExpr{Str(text)}
	case kInteger, kFloat:
		p.next()
		return constExpr{t.val}
	case "(":
		p.next()
		p.enter()
		x := p.tuple(tupleMode{cond: true, parens: true})
		p.leave()
		p.expect(")")
		return x
	case "[":
		return p.list()
	case "{":
		return p.dict()
	}
	p.fail(t.line, "unexpected %s", quote(t.describe()))
	return nil
}

// tupleMode says how far an expression with commas reaches.
type tupleMode struct {
	simple    bool // names and literals only
	cond      bool // inline if allowed
	parens    bool // the empty tuple allowed
	namespace bool
}

func (p *parser) tuple(mode tupleMode) expr {
	var items []expr
	isTuple := false
	for {
		if len(items) > 0 {
			p.expect(",")
		}
		if k := p.cur.kind; k == kVarEnd || k == kBlkEnd || k == ")" {
			break
		}
		if mode.simple {
			items = append(items, p.primary(mode.namespace))
		} else {
			items = append(items, p.expression(mode.cond))
		}
		if p.cur.kind != "," {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) > 0 {
			return items[0]
		}
		if !mode.parens {
			p.fail(0, "Expected an expression, got %s", quote(p.cur.describe()))
		}
	}
	return &tupleExpr{items}
}

func (p *parser) list() expr {
	p.expect("[")
	x := &listExpr{}
	for p.cur.kind != "]" {
		if len(x.items) > 0 {
			p.expect(",")
		}
		if p.cur.kind == "]" {
			break
		}
		x.items = append(x.items, p.expression(true))
	}
	p.expect("]")
	return x
}

func (p *parser) dict() expr {
	p.expect("{")
	x := &dictExpr{}
	for p.cur.kind != "}" {
		if len(x.keys) > 0 {
			p.expect(",")
		}
		if p.cur.kind == "}" {
			break
		}
		x.keys = append(x.keys, p.expression(true))
		p.expect(":")
		x.values = append(x.values, p.expression(true))
	}
	p.expect("}")
	return x
}

func (p *parser) postfix(x expr) expr {
	n := 0
	for {
		p.link(&n)
		switch p.cur.kind {
		case ".", "[":
			x = p.subscript(x)
		case "(":
			x = p.call(x)
		default:
			return x
		}
	}
}

func (p *parser) filtered(x expr) expr {
	n := 0
	for {
		p.link(&n)
		switch {
		case p.cur.kind == "|":
			x = p.filter(x, false)
		case p.cur.is("is"):
			x = p.test(x)
		case p.cur.kind == "(":
			x = p.call(x)
		default:
			return x
		}
	}
}

func (p *parser) subscript(x expr) expr {
	if p.next().kind == "." {
		t := p.next()
		switch t.kind {
		case kName:
			return &attrExpr{x, t.text}
		case kInteger:
			return &itemExpr{x, constExpr{t.val}}
		}
		p.fail(t.line, "expected name or number")
	}
	var keys []expr
	for p.cur.kind != "]" {
		if len(keys) > 0 {
			p.expect(",")
		}
		keys = append(keys, p.subscribed())
	}
	p.expect("]")
	if len(keys) == 1 {
		return &itemExpr{x, keys[0]}
	}
	return &itemExpr{x, &tupleExpr{keys}}
}

func (p *parser) subscribed() expr {
	s := &sliceExpr{}
	if p.cur.kind != ":" {
		x := p.expression(true)
		if p.cur.kind != ":" {
			return x
		}
		s.start = x
	}
	p.next()
	if k := p.cur.kind; k != ":" && k != "]" && k != "," {
		s.stop = p.expression(true)
	}
	if p.skipIf(":") {
		if k := p.cur.kind; k != "]" && k != "," {
			s.step = p.expression(true)
		}
	}
	return s
}

func (p *parser) call(fn expr) expr {
	line := p.cur.line
	return &callExpr{fn: fn, args: p.callArgs(), line: line}
}

func (p *parser) callArgs() (a args) {
	line := p.expect("(").line
	ensure := func(ok bool) {
		if !ok {
			p.fail(line, "invalid syntax for function call expression")
		}
	}
	for first := true; p.cur.kind != ")"; first = false {
		if !first {
			p.expect(",")
			if p.cur.kind == ")" {
				break
			}
		}
		switch {
		case p.cur.kind == "*":
			ensure(a.star == nil && a.dict == nil)
			p.next()
			a.star = p.expression(true)
		case p.cur.kind == "**":
			ensure(a.dict == nil)
			p.next()
			a.dict = p.expression(true)
		case p.cur.kind == kName && p.look().kind == "=":
			ensure(a.dict == nil)
			name := p.cur.text
			p.skip(2)
			a.kw = append(a.kw, kwarg{name, p.expression(true)})
		default:
			ensure(a.star == nil && a.dict == nil && len(a.kw) == 0)
			a.pos = append(a.pos, p.expression(true))
		}
	}
	p.expect(")")
	return a
}

// filter reads a chain of filters; inline says that the first has no bar. It
// returns x if there is none.
func (p *parser) filter(x expr, inline bool) expr {
	n := 0
	for p.cur.kind == "|" || inline {
		p.link(&n)
		if !inline {
			p.next()
		}
		inline = false
		t := p.expect(kName)
		f := &filterExpr{x: x, name: p.dotted(t.text), line: t.line}
		if p.cur.kind == "(" {
			f.args = p.callArgs()
		}
		x = f
	}
	return x
}

func (p *parser) dotted(name string) string {
	for p.skipIf(".") {
		name += "." + p.expect(kName).text
	}
	return name
}

func (p *parser) test(x expr) expr {
	line := p.next().line
	negated := p.skipName("not")
	t := &testExpr{x: x, line: line}
	t.name = p.dotted(p.expect(kName).text)
	switch p.cur.kind {
	case "(":
		t.args = p.callArgs()
	case kName, kString, kInteger, kFloat, "[", "{":
		if p.cur.is("else") || p.cur.is("or") || p.cur.is("and") {
			break
		}
		if p.cur.is("is") {
			p.fail(0, "You cannot chain multiple tests with is")
		}
		t.args.pos = []expr{p.postfix(p.primary(false))}
	}
	if negated {
		return &notExpr{t}
	}
	return t
}

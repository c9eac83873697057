package wdl

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// maxStruct bounds the members of a struct with all that is nested in it, and
// by that the work of comparing structs.
const maxStruct = 10_000

// maxMembers bounds the members of a struct itself, and maxStructs the structs
// that a document has, with those that it imports.
const (
	maxMembers = 1000
	maxStructs = 10_000
)

// check resolves the names and types of a document and of all that it imports.
func check(f *findings, main *Document, o Options) {
	for _, doc := range main.All() {
		c := &checker{findings: f, doc: doc, main: doc == main, rules: Rules{doc.Version, o.Lenient, map[structPair]Fit{}}, called: map[any][]Field{}, inputs: map[any]map[string]*Decl{}, whole: map[*Document]bool{}}
		c.document()
	}
}

// A checker checks one document, whose imports are checked.
type checker struct {
	*findings
	rules Rules
	doc   *Document
	main  bool
	// outputs says that the functions for outputs of tasks may be used, and
	// hole that an expression is within a placeholder.
	outputs, hole bool
	// shell says that an expression is in a command in { }, where the shell's
	// variables look like placeholders.
	shell bool
	// Of what is called: its outputs, its inputs, and whether its own calls
	// lack nothing.
	called map[any][]Field
	inputs map[any]map[string]*Decl
	whole  map[*Document]bool
}

func (c *checker) document() {
	c.imports()
	c.structs()
	names := map[string]Span{}
	for _, t := range c.doc.Tasks {
		c.declare(names, t.Name, "task")
		c.task(t)
	}
	if w := c.doc.Workflow; w != nil {
		c.declare(names, w.Name, "workflow")
		c.workflow(w)
	}
}

// declare complains if a name is taken.
func (c *checker) declare(names map[string]Span, name Ident, what string) {
	if first, ok := names[name.Text]; ok {
		c.fault(name.Span, "choose another name", "%s %q: the name is taken on line %d", what, name.Text, first.Line)
		return
	}
	names[name.Text] = name.Span
}

// imports brings in the structs of imported documents.
func (c *checker) imports() {
	c.doc.Types = map[string]*StructType{}
	names := map[string]Span{}
	for _, im := range c.doc.Imports {
		c.declare(names, im.As, "import")
		if im.Doc == nil {
			continue
		}
		alias := map[string]Ident{}
		for _, a := range im.Aliases {
			if im.Doc.Types[a.From.Text] == nil {
				c.fault(a.From.Span, c.meant(a.From.Text, keys(im.Doc.Types)), "document %q has no struct %q", im.URI, a.From.Text)
			}
			alias[a.From.Text] = a.To
		}
		for _, name := range keys(im.Doc.Types) {
			s, here, at := im.Doc.Types[name], name, im.URIAt
			if a, ok := alias[name]; ok {
				here, at = a.Text, a.Span
			}
			if known := c.doc.Types[here]; known != nil && !StructOf(known).Equal(StructOf(s)) {
				c.fault(at, fmt.Sprintf("append: alias %s as %s_%s", name, im.As.Text, name), "struct %q comes from two imports, with different members", here)
				continue
			}
			if c.doc.Types[here] = s; len(c.doc.Types) > maxStructs {
				c.fault(im.URIAt, "", "the document has more than %d structs, with those that it imports", maxStructs)
				return
			}
		}
	}
}

// keys returns the keys of a map, sorted.
func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// structs resolves the structs of the document.
func (c *checker) structs() {
	if n := maxStructs - len(c.doc.Types); len(c.doc.Structs) > max(n, 0) {
		c.fault(c.doc.Structs[max(n, 0)].Name.Span, "", "the document has more than %d structs, with those that it imports", maxStructs)
		c.doc.Structs = nil
	}
	defs := map[string]*StructDef{}
	for _, s := range c.doc.Structs {
		if first := defs[s.Name.Text]; first != nil {
			c.fault(s.Name.Span, "choose another name", "struct %q is defined twice; first on line %d", s.Name.Text, first.Name.Line)
			continue
		}
		s.Type = &StructType{Name: s.Name.Text}
		defs[s.Name.Text] = s
	}
	size := map[*StructDef]int{} // -1 while its members are looked at
	var visit func(s *StructDef) int
	var within func(t Type, at Span) int
	within = func(t Type, at Span) int {
		if t.of != nil {
			return within(t.of[0], at) + within(t.of[1], at)
		}
		if t.Kind == Struct && defs[t.Struct.Name] != nil {
			if n := size[defs[t.Struct.Name]]; n < 0 {
				c.fault(at, "", "struct %q holds itself", t.Struct.Name)
				return 0
			}
			return visit(defs[t.Struct.Name])
		}
		if t.Kind == Struct && c.doc.Types[t.Struct.Name] != nil {
			return c.doc.Types[t.Struct.Name].size
		}
		return 1
	}
	visit = func(s *StructDef) int {
		if n := size[s]; n != 0 {
			return n
		}
		size[s] = -1
		n := 1
		for _, m := range s.Members {
			n = min(n+within(m.Type, m.TypeAt), maxStruct+1)
		}
		if len(s.Members) > maxMembers {
			c.fault(s.Name.Span, "", "struct %q has %d members; at most %d may be", s.Name.Text, len(s.Members), maxMembers)
			n = maxStruct + 1
		} else if n > maxStruct {
			c.fault(s.Name.Span, "", "struct %q holds more than %d members with all that is nested in it", s.Name.Text, maxStruct)
		}
		if n > maxStruct {
			s.Members, n = nil, 1
		}
		size[s] = n
		return n
	}
	for _, s := range c.doc.Structs {
		if s.Type == nil {
			continue
		}
		s.Type.size = visit(s)
		if known := c.doc.Types[s.Name.Text]; known != nil {
			defer func() {
				if !StructOf(known).Equal(StructOf(s.Type)) {
					c.fault(s.Name.Span, "choose another name, or import with alias", "struct %q is imported too, with other members", s.Name.Text)
				}
			}()
		}
	}
	for name, s := range defs {
		c.doc.Types[name] = s.Type
	}
	if c.full() {
		return
	}
	for _, s := range c.doc.Structs {
		if s.Type == nil {
			continue
		}
		names := map[string]Span{}
		for _, m := range s.Members {
			c.declare(names, m.Name, "member")
			m.Type = c.resolve(m.Type, m.TypeAt)
			s.Type.Members = append(s.Type.Members, Field{m.Name.Text, m.Type})
		}
	}
}

// resolve replaces the names of structs in a type.
func (c *checker) resolve(t Type, at Span) Type {
	switch {
	case t.of != nil:
		of := [2]Type{c.resolve(t.of[0], at), c.resolve(t.of[1], at)}
		if t.Kind == Map && !of[0].Primitive() && of[0].Kind != Any {
			c.fault(at, "use a type such as String or Int", "the keys of a map have no parts; found %s", of[0])
		}
		t.of = &of
	case t.Kind == Struct:
		s := c.doc.Types[t.Struct.Name]
		if s == nil {
			name := t.Struct.Name
			if name == "Directory" {
				c.fault(at, "write version development", "Directory came after version %s", c.rules.Version)
				return Type{Kind: Directory, Optional: t.Optional}
			}
			known := append(keys(c.doc.Types), "Boolean", "Int", "Float", "String", "File", "Array", "Map", "Pair", "Object")
			c.fault(at, c.meant(name, known), "type %q is unknown", name)
			return Type{Optional: t.Optional}
		}
		t.Struct = s
	}
	return t
}

// A symbol is what a name means.
type symbol struct {
	typ Type
	to  any // a *Decl, *Call or *Scatter
	at  Span
}

// A scope knows the names of a place, and those around it.
type scope struct {
	names map[string]symbol
	outer *scope
}

func (s *scope) find(name string) (symbol, bool) {
	for ; s != nil; s = s.outer {
		if sym, ok := s.names[name]; ok {
			return sym, true
		}
	}
	return symbol{}, false
}

// known lists the names of a scope, for [findings.meant].
func (c *checker) known(s *scope) []string {
	if c.full() {
		return nil
	}
	var out []string
	for ; s != nil && len(out) <= maxCandidates; s = s.outer {
		for name := range s.names {
			if out = append(out, name); len(out) > maxCandidates {
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// add adds a name, unless it is taken.
func (c *checker) add(s *scope, name string, sym symbol) {
	if known, ok := s.find(name); ok {
		c.fault(sym.at, "choose another name", "%q is declared twice; the other is on line %d", name, known.at.Line)
		return
	}
	s.names[name] = sym
}

// outside is a scope without names.
func outside(outer *scope) *scope { return &scope{map[string]symbol{}, outer} }

func (c *checker) task(t *Task) {
	s := outside(nil)
	for _, d := range slices.Concat(t.Inputs, t.Decls) {
		c.declared(s, d)
	}
	if t.HasInputs {
		c.stray(t.Decls, "task")
	}
	for _, d := range slices.Concat(t.Inputs, t.Decls) {
		c.bound(s, d)
	}
	for _, a := range slices.Concat(t.Runtime, t.Requirements) {
		c.expr(s, a.Value)
	}
	for _, a := range t.Hints {
		c.hint(s, a.Value)
	}
	c.runtime(t)
	c.fallback(slices.Concat(t.Runtime, t.Requirements))
	inner := s
	if c.rules.Version >= Development {
		inner = outside(s)
		inner.names["task"] = symbol{typ: infoType}
	}
	if t.Command != nil {
		c.shell = t.Command.Braces
		c.parts(inner, t.Command.Parts)
		c.shell = false
		c.shellNames(t, s)
		c.indentation(t)
	}
	out := outside(inner)
	for _, d := range t.Outputs {
		c.declared(out, d)
	}
	c.outputs = true
	for _, d := range t.Outputs {
		c.bound(out, d)
	}
	c.outputs = false
	c.cycles(declNodes(slices.Concat(t.Inputs, t.Decls, t.Outputs)))
	c.described(t.ParameterMeta, slices.Concat(t.Inputs, t.Decls, t.Outputs))
}

// stray complains of declarations outside of the input section that have no
// value.
func (c *checker) stray(decls []*Decl, what string) {
	for _, d := range decls {
		if d.Expr == nil && !d.Type.Optional {
			c.fault(d.Name.Span, "move it to the input section, or give it a value", "%q has no value and is not an input of the %s", d.Name.Text, what)
		}
	}
}

// described remarks on what parameter_meta describes and does not exist.
func (c *checker) described(meta []Attr, decls []*Decl) {
	names := make([]string, len(decls))
	for i, d := range decls {
		names[i] = d.Name.Text
	}
	for _, a := range meta {
		if !slices.Contains(names, a.Key.Text) && !c.full() {
			c.remark(a.Key.Span, c.meant(a.Key.Text, names), "parameter_meta describes %q, which is neither input nor output", a.Key.Text)
		}
	}
}

// declared resolves the type of a declaration and adds its name.
func (c *checker) declared(s *scope, d *Decl) {
	d.Type = c.resolve(d.Type, d.TypeAt)
	c.add(s, d.Name.Text, symbol{d.Type, d, d.Name.Span})
}

// bound checks the value of a declaration.
func (c *checker) bound(s *scope, d *Decl) {
	if d.Expr != nil {
		c.assign(s, d.Expr, d.Type, fmt.Sprintf("%s %s", d.Type, d.Name.Text))
	}
}

// assign checks that an expression goes where a type is expected.
func (c *checker) assign(s *scope, e Expr, want Type, what string) {
	c.expr(s, e)
	c.fits(e, want, what)
}

// fits checks that an expression, whose type is known, goes where a type is
// expected.
func (c *checker) fits(e Expr, want Type, what string) {
	have := e.Type()
	if lit, ok := e.(*ArrayLit); ok && len(lit.Items) == 0 && want.Nonempty {
		c.fault(e.At(), "", "%s: an empty array, where %s has items", what, want)
		return
	}
	switch c.rules.Fit(have, want) {
	case Misfit:
		c.fault(e.At(), c.cure(have, want), "%s: expected %s, found %s", what, want, have)
	case Loose:
		switch plain := have.Plain(); {
		case c.rules.Lenient:
		case plain.Kind == String && want.Number():
			c.caution(e.At(), fmt.Sprintf("give %s", article(want.Plain())),
				"%s: a String goes for %s if it is the text of one, and HealthOmics promises that for WDL_LENIENT alone", what, article(want.Plain()))
		}
	}
}

// article is a type with its article.
func article(t Type) string {
	s := t.String()
	if strings.ContainsRune("AEIO", rune(s[0])) {
		return "an " + s
	}
	return "a " + s
}

// cure says what helps where one type was found and another expected.
func (c *checker) cure(have, want Type) string {
	switch {
	case have.Kind == Any && have.Optional:
		return fmt.Sprintf("declare it as %s", want.Opt())
	case have.Optional && c.rules.Fit(have.Plain(), want) != Misfit:
		return fmt.Sprintf("use select_first([…, default]), or declare it as %s", want.Opt())
	case have.Kind == Float && want.Kind == Int:
		return "use floor(), ceil() or round()"
	case have.Kind == Array && want.Kind == String && !have.Optional:
		return `use sep(" ", …)`
	case have.Kind == Array && want.Kind != Array && c.rules.Fit(have.Item(), want) != Misfit:
		return fmt.Sprintf("take one item, or declare it as %s", ArrayOf(want))
	case have.Kind == Map && want.Kind == Array && c.rules.Version >= V11:
		return "use as_pairs()"
	case have.Kind == Outputs && have.Struct != nil && len(have.Struct.Members) > 0:
		return fmt.Sprintf("name one of its outputs, such as %s.%s", strings.TrimPrefix(have.Struct.Name, "call "), have.Struct.Members[0].Name)
	case want.Kind == Array && have.Kind != Array && c.rules.Fit(have, want.Item()) != Misfit:
		return "write it in brackets: […]"
	case have.Kind == Array && want.Kind == Array && have.Item().Optional && c.rules.Fit(have.Item().Plain(), want.Item()) != Misfit:
		return "use select_all()"
	case have.Kind == Array && want.Kind == Map && c.rules.Version >= V11:
		return "use as_map()"
	case want.Kind == Boolean && have.Number():
		return "compare it with a number"
	case (have.Kind == Struct || have.Kind == Object || have.Kind == Map) && want.Kind == Struct && have.Struct != nil:
		return c.difference(have.Struct, want.Struct)
	}
	return ""
}

// difference says why the members of one struct do not go for another's.
func (c *checker) difference(have, want *StructType) string {
	for _, f := range want.Members {
		t, ok := have.Field(f.Name)
		switch {
		case !ok && !f.Type.Optional:
			return fmt.Sprintf("member %s %s is missing", f.Type, f.Name)
		case ok && !c.rules.Assignable(t, f.Type):
			return fmt.Sprintf("member %s: expected %s, found %s", f.Name, f.Type, t)
		}
	}
	for _, f := range have.Members {
		if _, ok := want.Field(f.Name); !ok {
			return fmt.Sprintf("%s has no member %s", want.Name, f.Name)
		}
	}
	return ""
}

// runtimeKeys are the keys that HealthOmics reads, and those of the
// specification that it has no use for but that are no mistake, with the types
// that their values have.
const runtimeKeys = `
docker String Array[String]
container String Array[String]
cpu Int Float String
memory Int Float String
gpu Boolean
fpga Boolean
gpuType String
acceleratorType String
gpuCount Int
acceleratorCount Int
disk Int Float String Array[String]
disks Int Float String Array[String]
maxRetries Int String
max_retries Int String
preemptible Int String Boolean
returnCodes Int String Array[Int]
return_codes Int String Array[Int]
continueOnReturnCode Int String Boolean Array[Int]
omicsTimeout Int String
omicsResourceFallbackOrder Array[Map[String,String]]
omicsResourceWaitTimeoutInMin Int String
`

// runtimeTypes returns [runtimeKeys] by key. It must not be changed.
var runtimeTypes = sync.OnceValue(func() map[string][]Type {
	out := map[string][]Type{}
	for line := range strings.Lines(strings.TrimSpace(runtimeKeys)) {
		words := strings.Fields(line)
		for _, word := range words[1:] {
			t, _ := readType(strings.ReplaceAll(word, ",", ", "))
			out[words[0]] = append(out[words[0]], t)
		}
	}
	return out
})

// runtimeValue warns of a value that the key has no use for.
func (c *checker) runtimeValue(task *Task, a Attr) {
	have := a.Value.Type().Plain()
	var names []string
	for _, want := range runtimeTypes()[a.Key.Text] {
		if c.rules.Fit(have, want) == Good || have.Kind == Array && have.Kind == want.Kind && c.rules.Assignable(have, want) {
			return
		}
		names = append(names, want.String())
	}
	c.caution(a.Value.At(), "", "task %s: %s: expected %s, found %s", task.Name.Text, a.Key.Text, strings.Join(names, " or "), have)
}

// runtime names the keys that nobody heeds.
func (c *checker) runtime(t *Task) {
	var unknown []string
	var at Span
	for _, a := range slices.Concat(t.Runtime, t.Requirements) {
		if runtimeTypes()[a.Key.Text] != nil {
			c.runtimeValue(t, a)
			continue
		}
		if at.Source == nil {
			at = a.Key.Span
		}
		if len(unknown) < 50 {
			unknown = append(unknown, a.Key.Text)
		}
	}
	if len(unknown) == 0 {
		return
	}
	fix := ""
	if len(unknown) == 1 {
		fix = c.meant(unknown[0], keys(runtimeTypes()))
	}
	c.caution(at, fix, "task %s: nothing heeds the runtime keys: %s", t.Name.Text, strings.Join(unknown, ", "))
}

// hint checks the expressions of hints, which may be in sections of their own.
func (c *checker) hint(s *scope, e Expr) {
	if o, ok := e.(*ObjectLit); ok && slices.Contains([]string{"hints", "input", "output"}, o.Name.Text) {
		for _, m := range o.Members {
			c.hint(s, m.Value)
		}
		return
	}
	c.expr(s, e)
}

package wdl

import (
	"fmt"
	"regexp"
	"strings"
)

// expr finds the type of an expression and resolves its names. Of what is
// wrong it says so once; its type is Any then.
func (c *checker) expr(s *scope, e Expr) Type {
	t := c.infer(s, e)
	e.setType(t)
	return t
}

func (c *checker) infer(s *scope, e Expr) Type {
	switch e := e.(type) {
	case *NoneLit:
		if c.rules.Version < V11 {
			c.fault(e.At(), "leave the value out, or write version 1.1", "None came with version 1.1")
		}
		return None()
	case *BoolLit:
		return Of(Boolean)
	case *IntLit:
		return Of(Int)
	case *FloatLit:
		return Of(Float)
	case *StringLit:
		c.parts(s, e.Parts)
		return Of(String)
	case *ArrayLit:
		return c.array(s, e)
	case *PairLit:
		return PairOf(c.expr(s, e.Left), c.expr(s, e.Right))
	case *MapLit:
		return c.mapLit(s, e)
	case *ObjectLit:
		return c.object(s, e)
	case *Ref:
		return c.ref(s, e)
	case *Member:
		return c.member(s, e)
	case *Index:
		return c.index(s, e)
	case *Apply:
		return c.apply(s, e)
	case *Unary:
		return c.unary(s, e)
	case *Binary:
		return c.binary(s, e)
	case *If:
		c.assign(s, e.Cond, Of(Boolean), "condition")
		then, other := c.expr(s, e.Then), c.expr(s, e.Else)
		t, ok := c.rules.Unify(then, other)
		if !ok {
			c.fault(e.At(), "", "then gives %s and else %s: expected one type", article(then), article(other))
		}
		return t
	}
	return Type{}
}

// parts checks the placeholders of a text.
func (c *checker) parts(s *scope, parts []Part) {
	for _, p := range parts {
		if p.Hole != nil {
			c.placeholder(s, p.Hole)
		}
	}
}

func (c *checker) placeholder(s *scope, h *Placeholder) {
	before := c.hole
	c.hole = true
	t := c.expr(s, h.Expr)
	c.hole = before
	switch {
	case h.Sep != nil && t.Kind != Array && t.Kind != Any:
		c.fault(h.Expr.At(), "leave sep out", "sep joins an array; found %s", article(t))
	case h.Sep == nil && t.Kind == Array:
		inner := "…"
		if r, ok := h.Expr.(*Ref); ok {
			inner = r.Name
		}
		c.fault(h.Expr.At(), `write ~{sep=" " `+inner+`}`, "an array in a text needs sep")
	case t.Kind == Array && !c.rules.Assignable(t.Item().Plain(), Of(String)):
		c.fault(h.Expr.At(), "", "sep joins what has a text; found %s", article(t))
	case t.Kind == Outputs:
		c.fault(h.Expr.At(), "write ~{call.output}", "%s is a call: name one of its outputs", strings.TrimPrefix(t.Struct.Name, "call "))
	case t.Kind == Map || t.Kind == Pair || t.Kind == Struct || t.Kind == Object:
		c.caution(h.Expr.At(), "use write_json(), or its members", "%s in a text is its JSON", article(t))
	}
	switch {
	case h.True == nil && h.False == nil:
	case h.True == nil || h.False == nil:
		c.fault(h.Span, `write true="…" false="…"`, "the options true and false come together")
	case t.Kind != Boolean && t.Kind != Any:
		c.fault(h.Expr.At(), "", "the options true and false are for a Boolean; found %s", article(t))
	}
}

func (c *checker) array(s *scope, e *ArrayLit) Type {
	types := make([]Type, len(e.Items))
	for i, item := range e.Items {
		types[i] = c.expr(s, item)
	}
	item, ok := c.unify(types)
	if !ok {
		c.fault(e.At(), "", "the items of an array have one type; found %s", list(types))
	}
	t := ArrayOf(item)
	t.Nonempty = len(types) > 0
	return t
}

// unify is [Rules.Unify] for the parts of an array or map: what has a text
// goes together as texts.
func (c *checker) unify(types []Type) (Type, bool) {
	types = distinct(types)
	t, ok := c.rules.Unify(types...)
	if ok {
		return t, true
	}
	optional := false
	for _, t := range types {
		if !t.Primitive() && t.Kind != Any {
			return Type{}, false
		}
		optional = optional || t.Optional
	}
	return Type{Kind: String, Optional: optional}, true
}

// distinct returns types without those that are like one of a few before, so
// that long arrays of one type are quick.
func distinct(types []Type) []Type {
	var out []Type
	const few = 4
next:
	for _, t := range types {
		for _, known := range out[max(0, len(out)-few):] {
			if identical(known, t) {
				continue next
			}
		}
		out = append(out, t)
	}
	return out
}

// identical says that two types are the same, of the same structs.
func identical(t, u Type) bool {
	if t.Kind != u.Kind || t.Optional != u.Optional || t.Nonempty != u.Nonempty || t.Struct != u.Struct {
		return false
	}
	if t.of == nil || u.of == nil {
		return t.of == u.of
	}
	return identical(t.of[0], u.of[0]) && identical(t.of[1], u.of[1])
}

// list names the types that are there, each once.
func list(types []Type) string {
	var out []string
	seen := map[string]bool{}
	for _, t := range types {
		if s := t.String(); !seen[s] {
			seen[s] = true
			if out = append(out, s); len(out) == 5 {
				break
			}
		}
	}
	return strings.Join(out, ", ")
}

func (c *checker) mapLit(s *scope, e *MapLit) Type {
	var ks, vs []Type
	literal := &StructType{Name: "map"}
	for _, entry := range e.Entries {
		k, v := c.expr(s, entry.Key), c.expr(s, entry.Value)
		ks, vs = append(ks, k), append(vs, v)
		text, ok := entry.Key.(*StringLit)
		if !ok || len(text.Parts) != 1 || text.Parts[0].Hole != nil {
			literal = nil
		}
		if literal != nil {
			literal.Members = append(literal.Members, Field{text.Parts[0].Text, v})
		}
	}
	k, ok := c.unify(ks)
	if !ok || k.of != nil || k.Kind == Struct || k.Kind == Object {
		c.fault(e.At(), "", "the keys of a map have one type without parts; found %s", list(ks))
		k = Type{}
	}
	v, ok := c.unify(vs)
	if !ok && literal == nil {
		c.fault(e.At(), "write a struct or an object, whose members differ", "the values of a map have one type; found %s", list(vs))
	}
	t := MapOf(k, v)
	if len(e.Entries) > 0 {
		t.Struct = literal
	}
	return t
}

func (c *checker) object(s *scope, e *ObjectLit) Type {
	lit := &StructType{Name: "object"}
	for _, m := range e.Members {
		lit.Members = append(lit.Members, Field{m.Key.Text, c.expr(s, m.Value)})
	}
	if e.Name.Text == "object" {
		return Type{Kind: Object, Struct: lit}
	}
	def := c.doc.Types[e.Name.Text]
	if def == nil {
		c.fault(e.Name.Span, c.meant(e.Name.Text, keys(c.doc.Types)), "there is no struct %q", e.Name.Text)
		return Type{}
	}
	if c.rules.Version < V11 {
		c.fault(e.Name.Span, "write object { … }, or version 1.1", "the literal of a struct, %s { … }, came with version 1.1", e.Name.Text)
	}
	for _, m := range e.Members {
		want, ok := def.Field(m.Key.Text)
		if !ok {
			c.fault(m.Key.Span, c.meant(m.Key.Text, fieldNames(def)), "struct %s has no member %q", def.Name, m.Key.Text)
			continue
		}
		c.fits(m.Value, want, fmt.Sprintf("member %s of %s", m.Key.Text, def.Name))
	}
	for _, f := range def.Members {
		if c.full() {
			break
		}
		if _, ok := lit.Field(f.Name); !ok && !f.Type.Optional {
			c.fault(e.At(), fmt.Sprintf("add %s: …", f.Name), "struct %s: member %s %s is missing", def.Name, f.Type, f.Name)
		}
	}
	return StructOf(def)
}

func (c *checker) ref(s *scope, e *Ref) Type {
	sym, ok := s.find(e.Name)
	if !ok {
		fix := c.meant(e.Name, c.known(s))
		if len(c.rules.Signatures(e.Name)) > 0 {
			fix = fmt.Sprintf("%s is a function: write %[1]s(…)", e.Name)
		}
		if fix == "" && c.shell {
			fix = fmt.Sprintf("if it is the shell's, write $%s, or the command in <<< >>>", e.Name)
		}
		c.fault(e.At(), fix, "there is no %q here", e.Name)
		return Type{}
	}
	e.To = sym.to
	return sym.typ
}

// value finds the type of an expression that must be a value, which the name
// of a call is not.
func (c *checker) value(s *scope, e Expr) Type {
	t := c.expr(s, e)
	if t.Kind == Outputs {
		c.fault(e.At(), "name one of its outputs", "%s is a call", strings.TrimPrefix(t.Struct.Name, "call "))
		return Type{}
	}
	return t
}

func (c *checker) member(s *scope, e *Member) Type {
	t := c.expr(s, e.X)
	name := e.Name.Text
	if t.Optional {
		c.fault(e.X.At(), "use select_first()", "member %s of %s, which may be None", name, article(t))
		return Type{}
	}
	switch t.Kind {
	case Any:
		return Type{}
	case Outputs:
		if f, ok := t.Struct.Field(name); ok {
			return f
		}
		fix := c.meant(name, fieldNames(t.Struct))
		if fix == "" && len(t.Struct.Members) <= 20 {
			fix = "its outputs are " + strings.Join(fieldNames(t.Struct), ", ")
			if len(t.Struct.Members) == 0 {
				fix = "what it calls has no outputs"
			}
		}
		c.fault(e.Name.Span, fix, "%s has no output %q", t.Struct.Name, name)
		return Type{}
	case Pair:
		if name == "left" {
			return t.Left()
		} else if name == "right" {
			return t.Right()
		}
		c.fault(e.Name.Span, "write left or right", "a pair has no member %q", name)
		return Type{}
	case Struct, Object:
		if t.Struct == nil {
			return Type{} // known when it is there
		}
		if f, ok := t.Struct.Field(name); ok {
			return f
		}
		c.fault(e.Name.Span, c.meant(name, fieldNames(t.Struct)), "%s has no member %q", t, name)
		return Type{}
	case Map:
		c.fault(e.Name.Span, fmt.Sprintf("write […[%q]]", name), "a map has no members; found %q", name)
		return Type{}
	}
	fix := ""
	if t.Kind == Array {
		fix = "take one item, as in array[0]." + name + ", or scatter over it"
	}
	c.fault(e.Name.Span, fix, "%s has no members; found %q", article(t), name)
	return Type{}
}

func (c *checker) index(s *scope, e *Index) Type {
	t := c.value(s, e.X)
	c.expr(s, e.I)
	if t.Optional {
		c.fault(e.X.At(), "use select_first()", "an item of %s, which may be None", article(t))
		return Type{}
	}
	switch t.Kind {
	case Any:
		return Type{}
	case Array:
		c.fits(e.I, Of(Int), "index")
		return t.Item()
	case Map:
		c.fits(e.I, t.Key(), "key")
		return t.Value()
	}
	c.fault(e.X.At(), "", "%s has no items", article(t))
	return Type{}
}

func (c *checker) apply(s *scope, e *Apply) Type {
	args := make([]Type, len(e.Args))
	for i, a := range e.Args {
		args[i] = c.value(s, a)
	}
	name := e.Name.Text
	all := c.rules.Signatures(name)
	if len(all) == 0 {
		if since, ok := Since(name); ok {
			c.fault(e.Name.Span, fmt.Sprintf("write version %s", since), "%s() came after version %s", name, c.rules.Version)
		} else {
			fix := c.meant(name, c.rules.Functions())
			if other := otherNames[strings.ToLower(name)]; other != "" {
				fix = "write " + other
			}
			c.fault(e.Name.Span, fix, "there is no function %q", name)
		}
		return Type{}
	}
	use, ok := c.rules.Choose(name, args)
	if !ok {
		c.fault(e.At(), ways(all), "%s() with %s", name, counted(len(args), "argument"))
		return Type{}
	}
	e.Use = use
	c.pattern(e)
	if use.Sig.Outputs && !c.outputs {
		c.fault(e.Name.Span, "", "%s() is for the outputs of a task alone", name)
	}
	if use.Fit == Misfit {
		want := use.Sig.Params[use.Wrong]
		fix := c.cure(args[use.Wrong], want)
		if fix == "" {
			fix = ways(all)
		}
		c.fault(e.Args[use.Wrong].At(), fix, "argument %d of %s(): expected %s, found %s", use.Wrong+1, name, want, args[use.Wrong])
		return Type{}
	}
	if lit, ok := last(e.Args).(*BoolLit); ok && name == "read_tsv" && len(args) == 2 && !lit.Value {
		e.Use.Result = ArrayOf(ArrayOf(Of(String))) // a table without names
		return e.Use.Result
	}
	if use.Fit == Loose {
		for i, a := range e.Args {
			c.fits(a, use.Params[i], fmt.Sprintf("argument %d of %s()", i+1, name))
		}
	}
	return use.Result
}

// pattern warns of a regular expression that is written out and is none here.
func (c *checker) pattern(e *Apply) {
	if name := e.Name.Text; name != "sub" && name != "find" && name != "matches" || len(e.Args) < 2 || c.full() {
		return
	}
	text := literalText(e.Args[1])
	if len(text) > maxPattern {
		return
	}
	if _, err := regexp.Compile(text); err != nil {
		c.caution(e.Args[1].At(), "patterns are POSIX extended regular expressions, without looking ahead or behind", "%s() fails here: the pattern %s: %s",
			e.Name.Text, quote(text), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
}

// maxPattern bounds a pattern that is looked at before it is used.
const maxPattern = 1000

// last returns the last of some expressions, and nil of none.
func last(list []Expr) Expr {
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// ways says how a function is called.
func ways(all []*Signature) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = s.String()
	}
	return "write " + strings.Join(out, " or ")
}

func (c *checker) unary(s *scope, e *Unary) Type {
	t := c.value(s, e.X)
	if e.Op == "!" {
		c.fits(e.X, Of(Boolean), "!")
		return Of(Boolean)
	}
	if !t.Any() && (!t.Number() || t.Optional) {
		c.fault(e.X.At(), c.cure(t, Of(Float)), "%s: expected a number, found %s", e.Op, t)
		return Type{}
	}
	return t
}

func (c *checker) binary(s *scope, e *Binary) Type {
	x, y := c.value(s, e.X), c.value(s, e.Y)
	switch e.Op {
	case "&&", "||":
		c.fits(e.X, Of(Boolean), e.Op)
		c.fits(e.Y, Of(Boolean), e.Op)
		return Of(Boolean)
	case "==", "!=":
		if !c.rules.Equatable(x, y) {
			c.fault(e.At(), "", "%s compares values of one type; found %s and %s", e.Op, x, y)
		}
		return Of(Boolean)
	case "<", "<=", ">", ">=":
		if !c.rules.Comparable(x, y) {
			fix := ""
			if x.Optional || y.Optional {
				fix = "use select_first()"
			}
			c.fault(e.At(), fix, "%s compares two numbers, or two texts; found %s and %s", e.Op, x, y)
		}
		return Of(Boolean)
	case "+":
		if t, ok := c.concat(e, x, y); ok {
			return t
		}
	}
	return c.arithmetic(e, x, y)
}

// concat finds the type of a sum of which one side is a text.
func (c *checker) concat(e *Binary, x, y Type) (Type, bool) {
	if x.Kind != String && y.Kind != String {
		return Type{}, false
	}
	for _, t := range [...]Type{x, y} {
		if !t.Primitive() && t.Kind != Any {
			fix := ""
			if t.Kind == Array {
				fix = `use sep(" ", …)`
			}
			c.fault(e.At(), fix, "+ joins texts and numbers; found %s and %s", x, y)
			return Of(String), true
		}
	}
	if !x.Optional && !y.Optional {
		return Of(String), true
	}
	if !c.hole {
		side := e.X
		if y.Optional {
			side = e.Y
		}
		c.fault(side.At(), "use select_first([…, \"\"]), or put the sum into a placeholder, where None makes it empty",
			"+ with %s, which may be None", article(side.Type()))
		return Of(String), true
	}
	return Of(String).Opt(), true
}

// arithmetic finds the type of an operation on numbers.
func (c *checker) arithmetic(e *Binary, x, y Type) Type {
	for i, t := range [...]Type{x, y} {
		if t.Any() || t.Number() && !t.Optional {
			continue
		}
		side := e.X
		if i == 1 {
			side = e.Y
		}
		fix := c.cure(t, Of(Float))
		if e.Op == "+" && fix == "" && t.Path() {
			fix = `write "~{…}~{…}" to join texts`
		}
		c.fault(side.At(), fix, "%s: expected a number, found %s", e.Op, t)
		return Type{}
	}
	switch {
	case x.Kind == Float || y.Kind == Float:
		return Of(Float)
	case x.Kind == Int && y.Kind == Int:
		return Of(Int)
	}
	return Type{}
}

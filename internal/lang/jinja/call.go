package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// A Func is a function that templates can call.
type Func struct {
	sig  signature
	kind *Type
	fn   func(c *Call) Value
	bare bool // bound to an object it is still a plain function
}

// Type returns the class function, or that of functions written in C.
func (f *Func) Type() *Type { return f.kind }

// NewFunc returns a function as if written in Python. Its signature reads
// "name(a, b?, *rest, c?, **rest)", where ? marks an optional parameter. A
// leading "!" or "^" makes it one of those written in C that know no
// keywords, "~" one of those that do: their complaints read differently.
func NewFunc(signature string, fn func(c *Call) (Value, error)) *Func {
	return builtin(signature, func(c *Call) Value {
		v, err := fn(c)
		raise(err)
		return v
	})
}

// builtin is NewFunc for this package's own functions, which raise.
func builtin(signature string, fn func(c *Call) Value) *Func {
	f := &Func{sig: parseSignature(signature), kind: typeBuiltin, fn: fn}
	if f.sig.style == stylePython {
		f.kind = typeFunction
	}
	return f
}

// A Call is one call of a function.
type Call struct {
	Self Value   // of a method
	Args []Value // one for each parameter; nil where not given
	Rest []Value // *rest
	Kw   *Dict   // **rest; never nil if the signature has it
	m    *machine
}

// Has reports whether parameter i was given.
func (c *Call) Has(i int) bool { return c.Args[i] != nil }

// Or returns parameter i, or v if it was not given.
func (c *Call) Or(i int, v Value) Value {
	if c.Args[i] != nil {
		return c.Args[i]
	}
	return v
}

// Str is Python's str(v). Like the other methods of a call it may end the
// render with v's own error.
func (c *Call) Str(v Value) string { return c.m.str(v) }

// Repr is Python's repr(v).
func (c *Call) Repr(v Value) string { return c.m.repr(v) }

// Truth is Python's bool(v).
func (c *Call) Truth(v Value) bool { return c.m.truth(v) }

// List is Python's list(v).
func (c *Call) List(v Value) []Value { return c.m.list(v) }

// Invoke calls another function.
func (c *Call) Invoke(fn Value, args ...Value) Value { return c.m.call(fn, args, nil) }

// Add is Python's a + b.
func (c *Call) Add(a, b Value) Value { return c.m.binary("+", a, b) }

// Sub is Python's a - b.
func (c *Call) Sub(a, b Value) Value { return c.m.binary("-", a, b) }

// Less is Python's a < b.
func (c *Call) Less(a, b Value) bool { return c.m.compare("<", a, b) }

// Fail returns the error that the use of v ends in if v is undefined.
func Fail(v Value) error {
	if u, ok := v.(*Undefined); ok {
		return u.err()
	}
	return nil
}

// A Caller is an object that can be called. The arguments are in Rest and
// Kw of the call.
type Caller interface {
	Value
	Call(c *Call) (Value, error)
}

// Text returns the text of a str, and false for anything else.
func Text(v Value) (string, bool) { return asStr(v) }

// Integer returns the value of an int or bool that fits 64 bits.
func Integer(v Value) (int64, bool) { return asInt(v) }

// Number returns an int, bool or float as a float.
func Number(v Value) (float64, bool) {
	if f, ok := v.(Float); ok {
		return float64(f), true
	}
	if b, ok := asBig(v); ok {
		f, _ := b.Float64()
		return f, true
	}
	return 0, false
}

type style int

const (
	stylePython  style = iota
	styleC             // positional only
	styleOldC          // positional only, worded as before Argument Clinic
	styleKeyword       // written in C, with keywords
)

type param struct {
	name     string
	optional bool
}

type signature struct {
	name   string
	style  style
	hidden int // parameters that Jinja fills in, such as the environment
	params []param
	places int // how many of params may be given by position
	rest   bool
	kw     bool
}

func parseSignature(s string) signature {
	sig := signature{}
	switch s[0] {
	case '!':
		sig.style, s = styleC, s[1:]
	case '^':
		sig.style, s = styleOldC, s[1:]
	case '~':
		sig.style, s = styleKeyword, s[1:]
	}
	name, list, ok := strings.Cut(strings.TrimSuffix(s, ")"), "(")
	if !ok {
		panic("jinja: malformed signature " + s)
	}
	sig.name = name
	byName := false
	for p := range strings.SplitSeq(list, ",") {
		p = strings.TrimSpace(p)
		switch {
		case p == "":
		case p == "@":
			sig.hidden++
		case strings.HasPrefix(p, "**"):
			sig.kw = true
		case p == "*":
			byName = true
		case strings.HasPrefix(p, "*"):
			sig.rest, byName = true, true
		default:
			n, optional := strings.CutSuffix(p, "?")
			sig.params = append(sig.params, param{n, optional})
			if !byName {
				sig.places++
			}
		}
	}
	return sig
}

// bound is a method with its object.
type bound struct {
	fn   *Func
	self Value
}

func (b *bound) Type() *Type {
	if b.fn.bare {
		return typeFunction
	}
	if b.fn.kind == typeFunction {
		return typeMethod
	}
	return typeBuiltin
}

// unbound is a method reached through its class: the object comes first.
type unbound struct {
	fn    *Func
	class *Type
}

func (u *unbound) Type() *Type { return &Type{Name: "method_descriptor", dunders: dBuiltin} }

// call is Python's fn(*pos, **kw).
func (m *machine) call(fn Value, pos []Value, kw *Dict) Value {
	m.step(1)
	switch f := fn.(type) {
	case *Func:
		return m.invoke(f, nil, pos, kw)
	case *bound:
		return m.invoke(f.fn, f.self, pos, kw)
	case *unbound:
		if len(pos) == 0 {
			panic(typeError("unbound method %s() needs an argument", f.fn.sig.name))
		}
		if !pos[0].Type().Is(f.class) {
			panic(typeError("descriptor '%s' for '%s' objects doesn't apply to a '%s' object", f.fn.sig.short(), f.class.shown(), pos[0].Type().shown()))
		}
		return m.invoke(f.fn, pos[0], pos[1:], kw)
	case *Type:
		for t := f; t != nil; t = t.Base {
			if c := m.env.classes[t]; c != nil && c.New != nil {
				return m.invoke(c.New, f, pos, kw)
			}
		}
		panic(typeError("cannot create '%s' instances", f.qualified()))
	case *macro:
		return f.call(m, pos, kw)
	case *loop:
		return f.call(m, pos, kw)
	case *joiner:
		return f.call()
	case *blockRef:
		text := m.capture(func() { m.runBlock(f.block, m.root) })
		return m.text(text)
	case *Undefined:
		panic(f.err())
	case Caller:
		if kw == nil {
			kw = NewDict()
		}
		v, err := f.Call(&Call{Self: f, Rest: pos, Kw: kw, m: m})
		raise(err)
		return v
	}
	panic(typeError("'%s' object is not callable", fn.Type().shown()))
}

func callable(v Value) bool {
	switch v.(type) {
	case *Func, *bound, *unbound, *Type, *macro, *loop, *joiner, *blockRef, *Undefined, Caller:
		return true
	}
	return false
}

// invoke binds the arguments and runs f.
func (m *machine) invoke(f *Func, self Value, pos []Value, kw *Dict) Value {
	m.enter()
	defer m.leave()
	c := &Call{Self: self, m: m}
	f.sig.bind(c, pos, kw, self != nil && f.kind == typeFunction)
	v := f.fn(c)
	if v == nil {
		return None
	}
	return v
}

func (s *signature) short() string { return s.name[strings.LastIndexByte(s.name, '.')+1:] }

// bind puts the arguments in their places. method says that Python counts
// self among them.
func (s *signature) bind(c *Call, pos []Value, kw *Dict, method bool) {
	if s.style == styleC || s.style == styleOldC {
		s.bindC(c, pos, kw)
		return
	}
	c.Args = make([]Value, len(s.params))
	n := copy(c.Args[:s.places], pos)
	if s.rest {
		c.Rest = pos[n:]
	}
	if s.kw {
		c.Kw = NewDict()
	}
	if s.style == styleKeyword && !s.rest && len(pos) > s.places {
		s.tooManyC(len(pos))
	}
	if kw != nil {
		for k, v := range kw.All {
			s.keyword(c, string(k.(Str)), v, n)
		}
	}
	hidden := s.hidden
	if method {
		hidden++
	}
	if !s.rest && len(pos) > s.places {
		s.tooMany(len(pos)+hidden, hidden)
	}
	s.missing(c)
}

func (s *signature) keyword(c *Call, name string, v Value, n int) {
	i := slices.IndexFunc(s.params, func(p param) bool { return p.name == name })
	switch {
	case i < 0 && s.kw:
		c.Kw.Set(name, v)
	case i < 0 && s.style == styleKeyword && s.name == "function":
		panic(typeError("'%s' is an invalid keyword argument for this function", name))
	case i < 0 && s.style == styleKeyword:
		panic(typeError("'%s' is an invalid keyword argument for %s()", name, s.short()))
	case i < 0:
		panic(typeError("%s() got an unexpected keyword argument '%s'", s.name, name))
	case c.Args[i] != nil && s.style == styleKeyword:
		fn := s.short() + "()"
		if s.name == "function" {
			fn = "function"
		}
		panic(typeError("argument for %s given by name ('%s') and position (%d)", fn, name, i+1))
	case c.Args[i] != nil:
		panic(typeError("%s() got multiple values for argument '%s'", s.name, name))
	default:
		c.Args[i] = v
	}
}

func (s *signature) tooMany(given, hidden int) {
	least, most := hidden, len(s.params)+hidden
	for _, p := range s.params {
		if !p.optional {
			least++
		}
	}
	takes, plural := fmt.Sprint(most), most != 1
	if least < most {
		takes, plural = fmt.Sprintf("from %d to %d", least, most), true
	}
	noun, were := "argument", "were"
	if plural {
		noun = "arguments"
	}
	if given == 1 {
		were = "was"
	}
	panic(typeError("%s() takes %s positional %s but %d %s given", s.name, takes, noun, given, were))
}

func (s *signature) tooManyC(given int) {
	fn := s.short() + "()"
	if s.name == "function" {
		fn = "function"
	}
	if s.places == 0 {
		panic(typeError("%s takes no positional arguments", fn))
	}
	noun, most := "arguments", "at most"
	if len(s.params) == 1 {
		noun = "argument"
	}
	if !slices.ContainsFunc(s.params, func(p param) bool { return p.optional }) {
		most = "exactly"
	}
	if s.places < len(s.params) {
		noun = "positional " + noun
	}
	panic(typeError("%s takes %s %d %s (%d given)", fn, most, s.places, noun, given))
}

func (s *signature) missing(c *Call) {
	var names []string
	for i, p := range s.params {
		if c.Args[i] == nil && !p.optional {
			if s.style == styleKeyword {
				fn := s.short() + "()"
				if s.name == "function" {
					fn = "function"
				}
				panic(typeError("%s missing required argument '%s' (pos %d)", fn, p.name, i+1))
			}
			names = append(names, "'"+p.name+"'")
		}
	}
	if names == nil {
		return
	}
	noun, list := "arguments", ""
	switch n := len(names); n {
	case 1:
		noun, list = "argument", names[0]
	case 2:
		list = names[0] + " and " + names[1]
	default:
		list = strings.Join(names[:n-1], ", ") + ", and " + names[n-1]
	}
	panic(typeError("%s() missing %d required positional %s: %s", s.name, len(names), noun, list))
}

func (s *signature) bindC(c *Call, pos []Value, kw *Dict) {
	if kw != nil && kw.live > 0 {
		panic(typeError("%s() takes no keyword arguments", s.name))
	}
	least, most := 0, len(s.params)
	for _, p := range s.params {
		if !p.optional {
			least++
		}
	}
	n := len(pos)
	bad := n < least || n > most && !s.rest
	switch {
	case !bad:
	case s.style == styleOldC && least == most:
		panic(typeError("%s() takes exactly %d argument%s (%d given)", s.short(), most, plural(most), n))
	case s.style == styleOldC && n < least:
		panic(typeError("%s() takes at least %d argument%s (%d given)", s.short(), least, plural(least), n))
	case s.style == styleOldC:
		panic(typeError("%s() takes at most %d argument%s (%d given)", s.short(), most, plural(most), n))
	case most == 0 && !s.rest:
		panic(typeError("%s() takes no arguments (%d given)", s.name, n))
	case least == 1 && most == 1 && !s.rest:
		panic(typeError("%s() takes exactly one argument (%d given)", s.name, n))
	case least == most && !s.rest:
		panic(typeError("%s expected %d argument%s, got %d", s.short(), most, plural(most), n))
	case n < least:
		panic(typeError("%s expected at least %d argument%s, got %d", s.short(), least, plural(least), n))
	default:
		panic(typeError("%s expected at most %d argument%s, got %d", s.short(), most, plural(most), n))
	}
	c.Args = make([]Value, most)
	k := copy(c.Args, pos)
	if s.rest {
		c.Rest = pos[k:]
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// Package jinja renders Jinja 3.1 templates as Python does: same values, same
// text, same errors. It knows Jinja's language and the part of Python that
// templates reach, dates included; it does not know workflows, and reaches
// nothing outside of what it is given.
//
// A template comes from a user and may be hostile: every render is bounded in
// steps, memory, output and depth, and what Jinja's sandbox hides is hidden.
package jinja

import (
	"strings"
	"time"
)

// Limits bound one render. A zero member means the default.
type Limits struct {
	Steps  int64 // operations; default 5,000,000
	Memory int64 // bytes of values made, freed or not; default 64 MiB
	Output int64 // bytes of text; default 16 MiB
	Depth  int   // macros, loops and values within another; default 400
}

func (l Limits) withDefaults() Limits {
	set := func(p *int64, v int64) {
		if *p <= 0 {
			*p = v
		}
	}
	set(&l.Steps, 5_000_000)
	set(&l.Memory, 64<<20)
	set(&l.Output, 16<<20)
	if l.Depth <= 0 {
		l.Depth = 400
	}
	return l
}

// maxSource bounds the text of a template, in bytes.
const maxSource = 1 << 20

// An Env is what templates share: filters, tests, global names, and the
// methods of Python's classes. It is made once, may be extended with its Add
// methods before its first use, and after that serves any number of
// goroutines.
type Env struct {
	filters map[string]*Func
	tests   map[string]*Func
	globals map[string]Value
	classes map[*Type]*Class
}

// A Class says what the instances of a [Type] can do.
type Class struct {
	New     *Func // nil: cannot be called
	Methods map[string]*Func
	// Props are computed attributes.
	Props map[string]func(self Value) Value
	// Static are attributes of the class itself, and so of its instances.
	Static map[string]Value
}

// NewEnv returns an environment with all that Jinja has built in.
func NewEnv() *Env {
	e := &Env{
		filters: builtinFilters(),
		tests:   builtinTests(),
		globals: builtinGlobals(),
		classes: builtinClasses(),
	}
	return e
}

// AddFilter adds a filter, whose first argument is the value filtered.
func (e *Env) AddFilter(name string, f *Func) { e.filters[name] = f }

// AddGlobal makes a name known to every template.
func (e *Env) AddGlobal(name string, v Value) { e.globals[name] = v }

// AddClass says what instances of t can do. Attributes of t.Base are found
// too.
func (e *Env) AddClass(t *Type, c *Class) { e.classes[t] = c }

// A Template is a parsed template. It is never changed, and any number of
// goroutines may render it.
type Template struct {
	env    *Env
	text   string // the result, if body is nil
	body   []stmt
	blocks map[string]*blockStmt
}

// Parse reads a template. The error is an [*Error] with the line at fault.
func (e *Env) Parse(src string) (t *Template, err error) {
	defer rescue(&err)
	if len(src) > maxSource {
		return nil, Errorf("TemplateSyntaxError", "template exceeded %d bytes of source", maxSource)
	}
	src = cleanSource(src)
	if !strings.Contains(src, "{{") && !strings.Contains(src, "{%") && !strings.Contains(src, "{#") {
		return &Template{env: e, text: src}, nil
	}
	body := parse(src)
	c := &checker{env: e}
	c.template(body)
	if body == nil {
		body = []stmt{}
	}
	return &Template{env: e, body: body, blocks: c.blocks}, nil
}

// Vars are the names that a template may use. Lookup is called when a name is
// first needed; it must be safe to call again.
type Vars interface {
	Lookup(name string) (Value, bool)
}

// VarMap is a plain map of names.
type VarMap map[string]Value

// Lookup returns the value of that name.
func (v VarMap) Lookup(name string) (Value, bool) {
	x, ok := v[name]
	return x, ok
}

// Render returns the template's text. The error is an [*Error]. Values that
// vars hands out may be changed by the template, as in Python.
func (t *Template) Render(vars Vars, limits Limits) (text string, err error) {
	if t.body == nil {
		return t.text, nil
	}
	defer rescue(&err)
	m := &machine{env: t.env, tmpl: t, vars: vars, lim: limits.withDefaults(), out: &strings.Builder{}}
	m.root = &scope{}
	defer m.locate()
	m.run(t.body, m.root)
	return m.out.String(), nil
}

// locate adds the line to what was raised.
func (m *machine) locate() {
	switch r := recover().(type) {
	case nil:
	case *Error:
		e := *r
		e.Line = m.line
		panic(&e)
	default:
		panic(r)
	}
}

// A machine is the state of one render.
type machine struct {
	env     *Env
	tmpl    *Template
	vars    Vars
	lim     Limits
	root    *scope
	out     *strings.Builder
	written int64
	steps   int64
	memory  int64
	depth   int
	evals   int          // nodes of expressions being computed
	line    int          // of the statement being run
	escapes bool         // autoescape is on
	printed map[any]bool // containers whose repr is under way
}

func exceeded(format string, args ...any) *Error {
	return Errorf("TemplateRuntimeError", "template exceeded "+format, args...)
}

func (m *machine) step(n int) {
	if m.steps += int64(n); m.steps > m.lim.Steps {
		panic(exceeded("%d steps", m.lim.Steps))
	}
}

// alloc accounts for n bytes that are about to be made.
func (m *machine) alloc(n int) {
	m.steps += int64(n) / 64
	if m.memory += int64(n); m.memory > m.lim.Memory {
		panic(exceeded("%d bytes of memory", m.lim.Memory))
	}
	m.step(1)
}

func (m *machine) allocMany(size, n int64) {
	if size > 0 && n > m.lim.Memory/size {
		panic(exceeded("%d bytes of memory", m.lim.Memory))
	}
	m.alloc(int(size * n))
}

func (m *machine) enter() { m.enterFor("") }

func (m *machine) enterComparison() { m.enterFor(" in comparison") }

func (m *machine) enterFor(what string) {
	if m.depth++; m.depth > m.lim.Depth {
		panic(Errorf("RecursionError", "maximum recursion depth exceeded%s", what))
	}
}

func (m *machine) leave() { m.depth-- }

// write adds text to the output or to the buffer in its place.
func (m *machine) write(s string) {
	if m.written += int64(len(s)); m.written > m.lim.Output {
		panic(exceeded("%d bytes of output", m.lim.Output))
	}
	m.step(1)
	m.out.WriteString(s)
}

// capture returns what f writes.
func (m *machine) capture(f func()) string {
	outer := m.out
	m.out = &strings.Builder{}
	// No defer: what panics here ends the render, or is caught by an
	// expression that writes nothing.
	f()
	s := m.out.String()
	m.out = outer
	return s
}

// now is where the interpreter reads the clock.
func now() time.Time { return time.Now() }

// A scope holds the names that a block has bound.
type scope struct {
	vars   map[string]Value
	parent *scope
}

func (s *scope) set(name string, v Value) {
	if s.vars == nil {
		s.vars = map[string]Value{}
	}
	s.vars[name] = v
}

func (s *scope) child() *scope { return &scope{parent: s} }

// lookup finds a name in the scopes, the variables and the globals.
func (m *machine) lookup(sc *scope, name string) (Value, bool) {
	for ; sc != nil; sc = sc.parent {
		if v, ok := sc.vars[name]; ok {
			return v, true
		}
	}
	if m.vars != nil {
		if v, ok := m.vars.Lookup(name); ok {
			return v, true
		}
	}
	v, ok := m.env.globals[name]
	if !ok && name == "self" {
		return &selfRef{m}, true
	}
	return v, ok
}

package jinja

import (
	"strings"
)

func (x constExpr) eval(m *machine, sc *scope) Value { return x.v }

func (x nameExpr) eval(m *machine, sc *scope) Value {
	m.step(1)
	if v, ok := m.lookup(sc, x.name); ok {
		return v
	}
	return undefinedName(x.name)
}

func (x nsRef) eval(m *machine, sc *scope) Value {
	return nameExpr{name: x.name}.eval(m, sc)
}

// maxEval bounds how deep the nodes of expressions stand in another while
// they are computed, over all macros and loops under way: a Go stack that
// overflows cannot be caught.
const maxEval = 10000

// eval computes x. All nodes compute their parts through it.
func (m *machine) eval(x expr, sc *scope) Value {
	if m.evals++; m.evals > maxEval {
		panic(Errorf("RecursionError", "maximum recursion depth exceeded"))
	}
	v := x.eval(m, sc)
	m.evals--
	return v
}

func evalAll(m *machine, sc *scope, xs []expr) []Value {
	m.alloc(16 * len(xs))
	out := make([]Value, len(xs))
	for i, x := range xs {
		out[i] = m.eval(x, sc)
	}
	return out
}

func (x *tupleExpr) eval(m *machine, sc *scope) Value { return NewTuple(evalAll(m, sc, x.items)...) }

func (x *listExpr) eval(m *machine, sc *scope) Value { return NewList(evalAll(m, sc, x.items)...) }

func (x *dictExpr) eval(m *machine, sc *scope) Value {
	m.alloc(64 * len(x.keys))
	d := NewDict()
	for i := range x.keys {
		k := m.eval(x.keys[i], sc)
		v := m.eval(x.values[i], sc)
		d.set(m.hash(k), k, v)
	}
	return d
}

func (x *attrExpr) eval(m *machine, sc *scope) Value {
	return m.getattr(m.eval(x.x, sc), x.name)
}

func (x *itemExpr) eval(m *machine, sc *scope) Value {
	v := m.eval(x.x, sc)
	key := m.eval(x.key, sc)
	if _, ok := x.key.(*sliceExpr); ok {
		// Jinja leaves slices to Python, whose errors these then are.
		r, err := m.subscript(v, key)
		if err != nil {
			panic(err)
		}
		return r
	}
	return m.getitem(v, key)
}

func (x *sliceExpr) eval(m *machine, sc *scope) Value {
	part := func(x expr) Value {
		if x == nil {
			return None
		}
		return m.eval(x, sc)
	}
	return &sliceValue{part(x.start), part(x.stop), part(x.step)}
}

func (x *callExpr) eval(m *machine, sc *scope) Value {
	fn := m.eval(x.fn, sc)
	c := m.arguments(sc, &x.args)
	return m.call(fn, c.pos, c.kw)
}

type arguments struct {
	pos []Value
	kw  *Dict
}

// arguments evaluates the arguments of a call in Python's order.
func (m *machine) arguments(sc *scope, a *args) (out arguments) {
	for _, x := range a.pos {
		out.pos = append(out.pos, m.eval(x, sc))
	}
	if len(a.kw) > 0 || a.dict != nil {
		out.kw = NewDict()
	}
	if a.star != nil {
		v := m.eval(a.star, sc)
		next, ok := m.iterate(v)
		if !ok {
			panic(typeError("Value after * must be an iterable, not %s", v.Type().Name))
		}
		for x, ok := next(); ok; x, ok = next() {
			m.alloc(16)
			out.pos = append(out.pos, x)
		}
	}
	for _, k := range a.kw {
		out.kw.Set(k.name, m.eval(k.x, sc))
	}
	if a.dict != nil {
		v := m.eval(a.dict, sc)
		d, ok := v.(*Dict)
		if !ok {
			panic(typeError("jinja2.sandbox.SandboxedEnvironment.call() argument after ** must be a mapping, not %s", v.Type().Name))
		}
		for k, v := range d.All {
			name, ok := k.(Str)
			if !ok {
				panic(typeError("keywords must be strings"))
			}
			if _, twice := out.kw.Get(string(name)); twice {
				panic(typeError("got multiple values for keyword argument '%s'", name))
			}
			m.alloc(64)
			out.kw.Set(string(name), v)
		}
	}
	return out
}

func (x *filterExpr) eval(m *machine, sc *scope) Value {
	f, ok := m.env.filters[x.name]
	if !ok {
		panic(Errorf("TemplateRuntimeError", "No filter named %s found.", quote(x.name)))
	}
	v := m.eval(x.x, sc)
	c := m.arguments(sc, &x.args)
	return m.invoke(f, nil, append([]Value{v}, c.pos...), c.kw)
}

func (x *testExpr) eval(m *machine, sc *scope) Value {
	f, ok := m.env.tests[x.name]
	if !ok {
		panic(Errorf("TemplateRuntimeError", "No test named %s found.", quote(x.name)))
	}
	v := m.eval(x.x, sc)
	c := m.arguments(sc, &x.args)
	return m.invoke(f, nil, append([]Value{v}, c.pos...), c.kw)
}

func (x *notExpr) eval(m *machine, sc *scope) Value { return Bool(!m.truth(m.eval(x.x, sc))) }

func (x *andExpr) eval(m *machine, sc *scope) Value {
	if v := m.eval(x.l, sc); !m.truth(v) {
		return v
	}
	return m.eval(x.r, sc)
}

func (x *orExpr) eval(m *machine, sc *scope) Value {
	if v := m.eval(x.l, sc); m.truth(v) {
		return v
	}
	return m.eval(x.r, sc)
}

func (x *binaryExpr) eval(m *machine, sc *scope) Value {
	l := m.eval(x.l, sc)
	return m.binary(x.op, l, m.eval(x.r, sc))
}

func (x *unaryExpr) eval(m *machine, sc *scope) Value { return m.unary(x.op, m.eval(x.x, sc)) }

func (x *concatExpr) eval(m *machine, sc *scope) Value {
	values := evalAll(m, sc, x.items)
	var b strings.Builder
	safe := false
	if m.escapes {
		for _, v := range values {
			if _, ok := v.(Markup); ok {
				safe = true
			}
		}
	}
	for _, v := range values {
		s := m.str(v)
		if safe {
			s = m.escape(v, s)
		}
		m.alloc(len(s))
		b.WriteString(s)
	}
	if safe {
		return Markup(b.String())
	}
	return Str(b.String())
}

func (x *condExpr) eval(m *machine, sc *scope) Value {
	if m.truth(m.eval(x.test, sc)) {
		return m.eval(x.yes, sc)
	}
	if x.no != nil {
		return m.eval(x.no, sc)
	}
	return &Undefined{hint: "the inline if-expression on line " + intText(Int(x.line)) + " evaluated to false and no else section was defined.", lenient: true}
}

func (x *compareExpr) eval(m *machine, sc *scope) Value {
	l := m.eval(x.first, sc)
	var result Value
	for i, o := range x.ops {
		r := m.eval(o.x, sc)
		result = Bool(m.relation(o.op, l, r))
		if i < len(x.ops)-1 && !m.truth(result) {
			return result
		}
		l = r
	}
	return result
}

func (m *machine) relation(op string, l, r Value) bool {
	switch op {
	case "==":
		return m.equal(l, r)
	case "!=":
		return !m.equal(l, r)
	case "in":
		return m.contains(r, l)
	case "notin":
		return !m.contains(r, l)
	}
	return m.compare(op, l, r)
}

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

func evalAll(m *machine, sc *scope, xs []expr) []Value {
	m.alloc(16 * len(xs))
	out := make([]Value, len(xs))
	for i, x := range xs {
		out[i] = x.eval(m, sc)
	}
	return out
}

func (x *tupleExpr) eval(m *machine, sc *scope) Value { return NewTuple(evalAll(m, sc, x.items)...) }

func (x *listExpr) eval(m *machine, sc *scope) Value { return NewList(evalAll(m, sc, x.items)...) }

func (x *dictExpr) eval(m *machine, sc *scope) Value {
	m.alloc(64 * len(x.keys))
	d := NewDict()
	for i := range x.keys {
		k := x.keys[i].eval(m, sc)
		v := x.values[i].eval(m, sc)
		d.set(m.hash(k), k, v)
	}
	return d
}

func (x *attrExpr) eval(m *machine, sc *scope) Value {
	return m.getattr(x.x.eval(m, sc), x.name)
}

func (x *itemExpr) eval(m *machine, sc *scope) Value {
	v := x.x.eval(m, sc)
	key := x.key.eval(m, sc)
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
		return x.eval(m, sc)
	}
	return &sliceValue{part(x.start), part(x.stop), part(x.step)}
}

func (x *callExpr) eval(m *machine, sc *scope) Value {
	fn := x.fn.eval(m, sc)
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
		out.pos = append(out.pos, x.eval(m, sc))
	}
	if len(a.kw) > 0 || a.dict != nil {
		out.kw = NewDict()
	}
	if a.star != nil {
		v := a.star.eval(m, sc)
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
		out.kw.Set(k.name, k.x.eval(m, sc))
	}
	if a.dict != nil {
		v := a.dict.eval(m, sc)
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
	v := x.x.eval(m, sc)
	c := m.arguments(sc, &x.args)
	return m.invoke(f, nil, append([]Value{v}, c.pos...), c.kw)
}

func (x *testExpr) eval(m *machine, sc *scope) Value {
	f, ok := m.env.tests[x.name]
	if !ok {
		panic(Errorf("TemplateRuntimeError", "No test named %s found.", quote(x.name)))
	}
	v := x.x.eval(m, sc)
	c := m.arguments(sc, &x.args)
	return m.invoke(f, nil, append([]Value{v}, c.pos...), c.kw)
}

func (x *notExpr) eval(m *machine, sc *scope) Value { return Bool(!m.truth(x.x.eval(m, sc))) }

func (x *andExpr) eval(m *machine, sc *scope) Value {
	if v := x.l.eval(m, sc); !m.truth(v) {
		return v
	}
	return x.r.eval(m, sc)
}

func (x *orExpr) eval(m *machine, sc *scope) Value {
	if v := x.l.eval(m, sc); m.truth(v) {
		return v
	}
	return x.r.eval(m, sc)
}

func (x *binaryExpr) eval(m *machine, sc *scope) Value {
	l := x.l.eval(m, sc)
	return m.binary(x.op, l, x.r.eval(m, sc))
}

func (x *unaryExpr) eval(m *machine, sc *scope) Value { return m.unary(x.op, x.x.eval(m, sc)) }

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
	if m.truth(x.test.eval(m, sc)) {
		return x.yes.eval(m, sc)
	}
	if x.no != nil {
		return x.no.eval(m, sc)
	}
	return &Undefined{hint: "the inline if-expression on line " + intText(Int(x.line)) + " evaluated to false and no else section was defined.", lenient: true}
}

func (x *compareExpr) eval(m *machine, sc *scope) Value {
	l := x.first.eval(m, sc)
	var result Value
	for i, o := range x.ops {
		r := o.x.eval(m, sc)
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

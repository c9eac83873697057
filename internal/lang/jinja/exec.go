package jinja

func (m *machine) run(body []stmt, sc *scope) {
	for _, s := range body {
		s.exec(m, sc)
	}
}

// at notes the line of what is run next, for errors.
func (m *machine) at(line int) {
	m.step(1)
	m.line = line
}

func (s *output) exec(m *machine, sc *scope) {
	for _, p := range s.parts {
		if p.x == nil {
			m.write(p.text)
			continue
		}
		m.at(p.line)
		v := m.eval(p.x, sc)
		text := m.str(v)
		if m.escapes {
			text = m.escape(v, text)
		}
		m.write(text)
	}
}

func (s *ifStmt) exec(m *machine, sc *scope) {
	for i, t := range s.tests {
		m.at(s.lines[i])
		if m.truth(m.eval(t, sc)) {
			m.run(s.bodies[i], sc)
			return
		}
	}
	if len(s.bodies) > len(s.tests) {
		m.run(s.bodies[len(s.tests)], sc)
	}
}

func (s *forStmt) exec(m *machine, sc *scope) {
	m.at(s.line)
	items := m.eval(s.iter, sc)
	if s.recursive {
		text := s.again(m, sc, items, 0)
		m.write(text)
		return
	}
	s.loop(m, sc, items, 0)
}

// again runs a recursive loop once more and returns what it writes.
func (s *forStmt) again(m *machine, sc *scope, items Value, depth int) string {
	m.enter()
	defer m.leave()
	return m.capture(func() { s.loop(m, sc, items, depth) })
}

func (s *forStmt) loop(m *machine, sc *scope, items Value, depth int) {
	next := m.mustIterate(items)
	if s.test != nil {
		source := next
		next = func() (Value, bool) {
			for {
				v, ok := source()
				if !ok {
					return nil, false
				}
				inner := sc.child()
				m.assign(inner, s.target, v)
				if m.truth(m.eval(s.test, inner)) {
					return v, true
				}
			}
		}
		items = nil // its length is not that of the loop
	}
	l := &loop{items: items, next: next, index0: -1, depth0: depth}
	if s.recursive {
		l.again = func(items Value) Value {
			text := s.again(m, sc, items, depth+1)
			if m.escapes {
				return Markup(text)
			}
			return Str(text)
		}
	}
	empty := true
	for {
		v, ok := l.advance()
		if !ok {
			break
		}
		empty = false
		m.step(1)
		inner := sc.child()
		inner.set("loop", l)
		m.assign(inner, s.target, v)
		m.run(s.body, inner)
	}
	if empty {
		m.run(s.alt, sc.child())
	}
}

// assign binds the names of target to v.
func (m *machine) assign(sc *scope, target expr, v Value) {
	switch t := target.(type) {
	case nameExpr:
		sc.set(t.name, v)
	case nsRef:
		ns, ok := m.namespace(sc, t.name)
		if !ok {
			panic(Errorf("TemplateRuntimeError", "cannot assign attribute on non-namespace object"))
		}
		m.alloc(64)
		ns.attrs.Set(t.attr, v)
	case *tupleExpr:
		for i, item := range m.unpack(v, len(t.items)) {
			m.assign(sc, t.items[i], item)
		}
	}
}

func (m *machine) namespace(sc *scope, name string) (*namespace, bool) {
	v, _ := m.lookup(sc, name)
	ns, ok := v.(*namespace)
	return ns, ok
}

func (m *machine) unpack(v Value, n int) []Value {
	next, ok := m.iterate(v)
	if !ok {
		panic(typeError("cannot unpack non-iterable %s object", v.Type().shown()))
	}
	var out []Value
	for x, ok := next(); ok; x, ok = next() {
		if len(out) == n {
			panic(valueError("too many values to unpack (expected %d)", n))
		}
		out = append(out, x)
	}
	if len(out) < n {
		panic(valueError("not enough values to unpack (expected %d, got %d)", n, len(out)))
	}
	return out
}

func (s *setStmt) exec(m *machine, sc *scope) {
	m.at(s.line)
	walk(s.target, func(n any) bool {
		// Before anything is assigned or computed, as in Jinja.
		if ref, ok := n.(nsRef); ok {
			if _, ok := m.namespace(sc, ref.name); !ok {
				panic(Errorf("TemplateRuntimeError", "cannot assign attribute on non-namespace object"))
			}
		}
		return true
	})
	m.assign(sc, s.target, m.eval(s.x, sc))
}

func (s *setBlock) exec(m *machine, sc *scope) {
	m.at(s.line)
	inner := sc.child()
	text := m.capture(func() { m.run(s.body, inner) })
	v := m.text(text)
	if s.filter != nil {
		v = m.filterText(s.filter, inner, v)
		if m.escapes {
			v = m.markup(v)
		}
	}
	m.assign(sc, s.target, v)
}

// text is the value of captured output.
func (m *machine) text(s string) Value {
	if m.escapes {
		return Markup(s)
	}
	return Str(s)
}

// filterText applies a chain of filters whose innermost input is v.
func (m *machine) filterText(f *filterExpr, sc *scope, v Value) Value {
	if inner, ok := f.x.(*filterExpr); ok {
		v = m.filterText(inner, sc, v)
	}
	g := *f
	g.x = constExpr{v}
	return m.eval(&g, sc)
}

func (s *withStmt) exec(m *machine, sc *scope) {
	inner := sc.child()
	for i, t := range s.targets {
		m.assign(inner, t, m.eval(s.values[i], sc))
	}
	m.run(s.body, inner)
}

func (s *filterBlock) exec(m *machine, sc *scope) {
	m.at(s.line)
	inner := sc.child()
	text := m.capture(func() { m.run(s.body, inner) })
	v := m.filterText(s.filter, inner, m.text(text))
	out := m.str(v)
	if m.escapes {
		out = m.escape(v, out)
	}
	m.write(out)
}

func (s *macroStmt) exec(m *machine, sc *scope) {
	sc.set(s.name, &macro{def: s.def, scope: sc})
}

func (s *callBlock) exec(m *machine, sc *scope) {
	m.at(s.line)
	fn := m.eval(s.call.fn, sc)
	c := m.arguments(sc, &s.call.args)
	if c.kw == nil {
		c.kw = NewDict()
	}
	c.kw.Set("caller", &macro{def: s.def, scope: sc})
	v := m.call(fn, c.pos, c.kw)
	out := m.str(v)
	if m.escapes {
		out = m.escape(v, out)
	}
	m.write(out)
}

func (s *blockStmt) exec(m *machine, sc *scope) {
	if s.required {
		panic(Errorf("TemplateRuntimeError", "Required block %s not found", quote(s.name)))
	}
	outer := m.root
	if s.scoped {
		outer = sc
	}
	m.runBlock(s, outer)
}

func (m *machine) runBlock(b *blockStmt, outer *scope) {
	m.enter()
	defer m.leave()
	sc := outer.child()
	sc.set("super", &Undefined{hint: "there is no parent block called " + quote(b.name) + ".", name: Str("super")})
	m.run(b.body, sc)
}

func (s *autoescape) exec(m *machine, sc *scope) {
	inner := sc.child()
	was := m.escapes
	m.escapes = m.truth(m.eval(s.on, inner))
	m.run(s.body, inner)
	m.escapes = was
}

func (s *doStmt) exec(m *machine, sc *scope) {
	m.at(s.line)
	m.eval(s.x, sc)
}

func (s *loadStmt) exec(m *machine, sc *scope) {
	m.at(s.line)
	m.eval(s.x, sc)
	// There is nothing to load from; Jinja says so in these words.
	panic(typeError("no loader for this environment specified"))
}

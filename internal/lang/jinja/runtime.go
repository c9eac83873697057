package jinja

// loop is the variable of that name within a for.
type loop struct {
	items  Value // what is looped over; nil if filtered
	next   func() (Value, bool)
	index0 int
	depth0 int
	again  func(items Value) Value // nil unless recursive

	current, before Value
	peeked          Value // the item after the current, once looked at
	ended           bool  // looked, and there is none
	rest            []Value
	total           int // 0: not known yet
	changed         *Tuple
}

func (l *loop) Type() *Type { return typeLoop }

func (l *loop) pull() (Value, bool) {
	if len(l.rest) > 0 {
		v := l.rest[0]
		l.rest = l.rest[1:]
		return v, true
	}
	return l.next()
}

func (l *loop) advance() (Value, bool) {
	var v Value
	switch {
	case l.peeked != nil:
		v, l.peeked = l.peeked, nil
	case l.ended:
		return nil, false
	default:
		var ok bool
		if v, ok = l.pull(); !ok {
			return nil, false
		}
	}
	l.index0++
	l.before = l.current
	l.current = v
	return v, true
}

func (l *loop) peek() (Value, bool) {
	if l.peeked == nil && !l.ended {
		v, ok := l.pull()
		l.peeked, l.ended = v, !ok
	}
	return l.peeked, !l.ended
}

// length counts the items, reading ahead where they cannot tell.
func (l *loop) length(m *machine) int {
	if l.total > 0 {
		return l.total
	}
	switch l.items.(type) {
	case nil, *iterator, *loop:
		for {
			v, ok := l.next()
			if !ok {
				break
			}
			m.alloc(16)
			l.rest = append(l.rest, v)
		}
		l.total = len(l.rest) + l.index0 + 1
		if l.peeked != nil {
			l.total++
		}
	default:
		l.total = m.length(l.items)
	}
	return l.total
}

func (l *loop) attr(m *machine, name string) Value {
	switch name {
	case "index":
		return Int(l.index0 + 1)
	case "index0":
		return Int(l.index0)
	case "revindex":
		return Int(l.length(m) - l.index0)
	case "revindex0":
		return Int(l.length(m) - l.index0 - 1)
	case "first":
		return Bool(l.index0 == 0)
	case "last":
		_, more := l.peek()
		return Bool(!more)
	case "length":
		return Int(l.length(m))
	case "depth":
		return Int(l.depth0 + 1)
	case "depth0":
		return Int(l.depth0)
	case "previtem":
		if l.index0 == 0 {
			return &Undefined{hint: "there is no previous item"}
		}
		return l.before
	case "nextitem":
		v, more := l.peek()
		if !more {
			return &Undefined{hint: "there is no next item"}
		}
		return v
	case "cycle":
		return &bound{self: l, fn: builtin("LoopContext.cycle(*args)", func(c *Call) Value {
			if len(c.Rest) == 0 {
				panic(typeError("no items for cycling given"))
			}
			n := len(c.Rest)
			return c.Rest[((l.index0%n)+n)%n]
		})}
	case "changed":
		return &bound{self: l, fn: builtin("LoopContext.changed(*value)", func(c *Call) Value {
			if l.changed != nil && m.equalItems(l.changed.Items, c.Rest) {
				return Bool(false)
			}
			l.changed = NewTuple(c.Rest...)
			return Bool(true)
		})}
	}
	return nil
}

func (l *loop) call(m *machine, pos []Value, kw *Dict) Value {
	sig := parseSignature("LoopContext.__call__(iterable)")
	c := &Call{m: m}
	sig.bind(c, pos, kw, true)
	if l.again == nil {
		panic(typeError("The loop must have the 'recursive' marker to be called recursively."))
	}
	return l.again(c.Args[0])
}

// macro is a macro, or the caller of a call block, with the scope around it.
type macro struct {
	def   *macroDef
	scope *scope
}

func (*macro) Type() *Type { return typeMacro }

// Attr returns what a template may ask of a macro.
func (f *macro) Attr(name string) (Value, bool) {
	switch name {
	case "name":
		if f.def.name == "" {
			return None, true
		}
		return Str(f.def.name), true
	case "arguments":
		var names []Value
		for _, p := range f.def.params {
			names = append(names, Str(p))
		}
		return NewTuple(names...), true
	case "catch_kwargs":
		return Bool(f.def.kwargs), true
	case "catch_varargs":
		return Bool(f.def.varargs), true
	case "caller":
		return Bool(f.def.caller), true
	}
	return nil, false
}

func (f *macro) call(m *machine, pos []Value, kw *Dict) Value {
	m.enter()
	defer m.leave()
	d := f.def
	sc := f.scope.child()
	given := min(len(pos), len(d.params))
	if kw == nil {
		kw = NewDict()
	} else {
		kw = kw.copy()
	}
	foundCaller := false
	args := make([]Value, len(d.params))
	copy(args, pos)
	for i := given; i < len(d.params); i++ {
		if v, ok := kw.remove(d.params[i]); ok {
			args[i] = v
		}
		foundCaller = foundCaller || d.params[i] == "caller"
	}
	if given == len(d.params) {
		for _, p := range d.params {
			foundCaller = foundCaller || p == "caller"
		}
	}
	if d.caller && !foundCaller {
		v, ok := kw.remove("caller")
		if !ok || v == None {
			v = &Undefined{hint: "No caller defined", name: Str("caller")}
		}
		sc.set("caller", v)
	}
	if d.kwargs {
		sc.set("kwargs", kw)
	} else if kw.live > 0 {
		if _, ok := kw.Get("caller"); ok {
			panic(typeError("macro %s was invoked with two values for the special caller argument. This is most likely a bug.", f.reprName()))
		}
		panic(typeError("macro %s takes no keyword argument %s", f.reprName(), m.repr(kw.keys()[0])))
	}
	if d.varargs {
		sc.set("varargs", NewTuple(pos[given:]...))
	} else if len(pos) > len(d.params) {
		panic(typeError("macro %s takes not more than %d argument(s)", f.reprName(), len(d.params)))
	}
	for i, p := range d.params {
		if args[i] != nil {
			sc.set(p, args[i])
		}
	}
	for i, p := range d.params {
		if args[i] != nil {
			continue
		}
		if k := i - (len(d.params) - len(d.defaults)); k >= 0 {
			sc.set(p, m.eval(d.defaults[k], sc))
		} else {
			sc.set(p, &Undefined{hint: "parameter " + quote(p) + " was not provided", name: Str(p)})
		}
	}
	line := m.line
	text := m.capture(func() { m.run(d.body, sc) })
	m.line = line
	return m.text(text)
}

func (f *macro) reprName() string {
	if f.def.name == "" {
		return "None"
	}
	return quote(f.def.name)
}

// selfRef is the variable self: the template's blocks.
type selfRef struct{ m *machine }

func (*selfRef) Type() *Type { return typeSelf }

// Attr returns the block of that name.
func (s *selfRef) Attr(name string) (Value, bool) {
	if b := s.m.tmpl.blocks[name]; b != nil {
		return &blockRef{b}, true
	}
	return nil, false
}

type blockRef struct{ block *blockStmt }

func (*blockRef) Type() *Type { return typeBlockRef }

// namespace is what namespace() makes: names that inner scopes can set.
type namespace struct{ attrs *Dict }

func (*namespace) Type() *Type { return typeNamespace }

// Attr returns the value of that name.
func (n *namespace) Attr(name string) (Value, bool) { return n.attrs.Get(name) }

type cycler struct {
	items []Value
	pos   int
}

func (*cycler) Type() *Type { return typeCycler }

// Attr returns items, pos and current.
func (c *cycler) Attr(name string) (Value, bool) {
	switch name {
	case "items":
		return NewTuple(c.items...), true
	case "pos":
		return Int(c.pos), true
	case "current":
		return c.items[c.pos], true
	}
	return nil, false
}

type joiner struct {
	sep  Value
	used bool
}

func (*joiner) Type() *Type { return typeJoiner }

// Attr returns sep and used.
func (j *joiner) Attr(name string) (Value, bool) {
	switch name {
	case "sep":
		return j.sep, true
	case "used":
		return Bool(j.used), true
	}
	return nil, false
}

func (j *joiner) call() Value {
	if !j.used {
		j.used = true
		return Str("")
	}
	return j.sep
}

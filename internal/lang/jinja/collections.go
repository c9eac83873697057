package jinja

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

func floatClass() *Class {
	return &Class{
		Methods: map[string]*Func{
			"is_integer": builtin("!float.is_integer()", func(c *Call) Value {
				f := float64(c.Self.(Float))
				return Bool(f == math.Trunc(f) && !math.IsInf(f, 0))
			}),
			"conjugate": builtin("!float.conjugate()", func(c *Call) Value { return c.Self }),
			"hex":       builtin("!float.hex()", func(c *Call) Value { return Str(floatHex(float64(c.Self.(Float)))) }),
			"as_integer_ratio": builtin("!float.as_integer_ratio()", func(c *Call) Value {
				f := float64(c.Self.(Float))
				if math.IsNaN(f) {
					panic(valueError("cannot convert NaN to integer ratio"))
				}
				if math.IsInf(f, 0) {
					panic(Errorf("OverflowError", "cannot convert Infinity to integer ratio"))
				}
				r := new(big.Rat).SetFloat64(f)
				return NewTuple(NewInt(r.Num()), NewInt(r.Denom()))
			}),
		},
		Props: map[string]func(Value) Value{
			"real": func(v Value) Value { return v },
			"imag": func(Value) Value { return Float(0) },
		},
	}
}

func floatHex(f float64) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return floatRepr(f)
	}
	if f == 0 {
		if math.Signbit(f) {
			return "-0x0.0p+0"
		}
		return "0x0.0p+0"
	}
	s := strconv.FormatFloat(f, 'x', 13, 64)
	mant, exp, _ := strings.Cut(s, "p")
	n, _ := strconv.Atoi(exp)
	sign := "+"
	if n < 0 {
		sign = ""
	}
	return mant + "p" + sign + strconv.Itoa(n)
}

func listClass() *Class {
	return &Class{
		New: builtin("!list(iterable?)", func(c *Call) Value {
			if !c.Has(0) {
				return NewList()
			}
			return NewList(c.m.list(c.Args[0])...)
		}),
		Methods: map[string]*Func{
			"append": builtin("!list.append(object)", func(c *Call) Value {
				l := c.Self.(*List)
				c.m.alloc(16)
				l.Items = append(l.Items, c.Args[0])
				return nil
			}),
			"extend": builtin("!list.extend(iterable)", func(c *Call) Value {
				l := c.Self.(*List)
				l.Items = append(l.Items, c.m.list(c.Args[0])...)
				return nil
			}),
			"insert": builtin("!list.insert(index, object)", func(c *Call) Value {
				l := c.Self.(*List)
				i := c.intArg(0, 0)
				if i < 0 {
					i = max(0, i+len(l.Items))
				}
				c.m.alloc(16)
				c.m.step(len(l.Items) / 64)
				l.Items = slices.Insert(l.Items, min(i, len(l.Items)), c.Args[1])
				return nil
			}),
			"pop": builtin("!list.pop(index?)", func(c *Call) Value {
				l := c.Self.(*List)
				if len(l.Items) == 0 {
					panic(Errorf("IndexError", "pop from empty list"))
				}
				i := c.intArg(0, -1)
				if i < 0 {
					i += len(l.Items)
				}
				if i < 0 || i >= len(l.Items) {
					panic(Errorf("IndexError", "pop index out of range"))
				}
				v := l.Items[i]
				c.m.step(len(l.Items) / 64)
				l.Items = slices.Delete(l.Items, i, i+1)
				return v
			}),
			"remove": builtin("!list.remove(value)", func(c *Call) Value {
				l := c.Self.(*List)
				i := c.find(l.Items, c.Args[0], 0, len(l.Items))
				if i < 0 {
					panic(valueError("list.remove(x): x not in list"))
				}
				l.Items = slices.Delete(l.Items, i, i+1)
				return nil
			}),
			"clear":   builtin("!list.clear()", func(c *Call) Value { c.Self.(*List).Items = nil; return nil }),
			"copy":    builtin("!list.copy()", func(c *Call) Value { return NewList(c.m.list(c.Self)...) }),
			"reverse": builtin("!list.reverse()", func(c *Call) Value { slices.Reverse(c.Self.(*List).Items); return nil }),
			"count":   builtin("!list.count(value)", func(c *Call) Value { return c.count(c.Self.(*List).Items) }),
			"index": builtin("!list.index(value, start?, stop?)", func(c *Call) Value {
				return c.indexOf(c.Self.(*List).Items, c.m.repr(c.Args[0])+" is not in list")
			}),
			"sort": builtin("~list.sort(*, key?, reverse?)", func(c *Call) Value {
				if c.Has(0) && c.Args[0] != None && !callable(c.Args[0]) {
					panic(typeError("'%s' object is not callable", c.Args[0].Type().shown()))
				}
				l := c.Self.(*List)
				var key func(Value) Value
				if c.Has(0) && c.Args[0] != None {
					key = func(v Value) Value { return c.m.call(c.Args[0], []Value{v}, nil) }
				}
				l.Items = c.m.sorted(l.Items, key, c.intArg(1, 0) != 0)
				return nil
			}),
		},
	}
}

func (c *Call) find(items []Value, v Value, from, to int) int {
	for i := from; i < min(to, len(items)); i++ {
		if c.m.same(items[i], v) || c.m.equal(items[i], v) {
			return i
		}
	}
	return -1
}

func (c *Call) count(items []Value) Value {
	n := 0
	for _, item := range items {
		if c.m.same(item, c.Args[0]) || c.m.equal(item, c.Args[0]) {
			n++
		}
	}
	return Int(n)
}

func (c *Call) indexOf(items []Value, missing string) Value {
	fit := func(k, otherwise int) int {
		if v := c.Args[k]; v != nil {
			if _, ok := asBig(v); !ok {
				panic(typeError("slice indices must be integers or have an __index__ method"))
			}
		}
		i := c.intArg(k, otherwise)
		if i < 0 {
			i = max(0, i+len(items))
		}
		return i
	}
	i := c.find(items, c.Args[0], fit(1, 0), fit(2, len(items)))
	if i < 0 {
		panic(valueError("%s", missing))
	}
	return Int(i)
}

// sorted is Python's sorted: stable, with the keys computed once. Python
// compares each item with those before it, so the later one comes first in
// an error.
func (m *machine) sorted(items []Value, key func(Value) Value, reverse bool) []Value {
	type pair struct{ key, v Value }
	m.alloc(32 * len(items))
	pairs := make([]pair, len(items))
	for i, v := range items {
		pairs[i] = pair{v, v}
		if key != nil {
			pairs[i].key = key(v)
		}
	}
	if reverse {
		slices.Reverse(pairs)
	}
	// Go's sort may compare in another order than Python's. What cannot be
	// compared at all usually shows in neighbors, which Python looks at first.
	for i := 1; i < len(pairs); i++ {
		m.compare("<", pairs[i].key, pairs[i-1].key)
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if m.compare("<", a.key, b.key) {
			return -1
		}
		if m.compare("<", b.key, a.key) {
			return 1
		}
		return 0
	})
	if reverse {
		slices.Reverse(pairs)
	}
	out := make([]Value, len(items))
	for i, p := range pairs {
		out[i] = p.v
	}
	return out
}

func tupleClass() *Class {
	return &Class{
		New: builtin("!tuple(iterable?)", func(c *Call) Value {
			if !c.Has(0) {
				return NewTuple()
			}
			return NewTuple(c.m.list(c.Args[0])...)
		}),
		Methods: map[string]*Func{
			"count": builtin("!tuple.count(value)", func(c *Call) Value { return c.count(c.Self.(*Tuple).Items) }),
			"index": builtin("!tuple.index(value, start?, stop?)", func(c *Call) Value {
				return c.indexOf(c.Self.(*Tuple).Items, "tuple.index(x): x not in tuple")
			}),
		},
	}
}

func groupClass() *Class {
	return &Class{Props: map[string]func(Value) Value{
		"grouper": func(v Value) Value { return v.(*Tuple).Items[0] },
		"list":    func(v Value) Value { return v.(*Tuple).Items[1] },
	}}
}

func dictClass() *Class {
	c := &Class{
		New: builtin("dict(*args, **kwargs)", func(c *Call) Value {
			if len(c.Rest) > 1 {
				panic(typeError("dict expected at most 1 argument, got %d", len(c.Rest)))
			}
			d := NewDict()
			if len(c.Rest) == 1 {
				c.m.update(d, c.Rest[0])
			}
			c.m.update(d, c.Kw)
			return d
		}),
		Static: map[string]Value{
			"fromkeys": builtin("!dict.fromkeys(iterable, value?)", func(c *Call) Value {
				d := NewDict()
				for _, k := range c.m.list(c.Args[0]) {
					c.m.alloc(64)
					d.set(c.m.hash(k), k, c.Or(1, None))
				}
				return d
			}),
		},
	}
	view := func(t *Type) *Func {
		return builtin("!dict."+strings.TrimPrefix(t.Name, "dict_")+"()", func(c *Call) Value {
			return &view{class: t, dict: c.Self.(*Dict)}
		})
	}
	c.Methods = map[string]*Func{
		"keys":   view(typeKeys),
		"values": view(typeValues),
		"items":  view(typeItems),
		"get": builtin("!dict.get(key, default?)", func(c *Call) Value {
			if v, ok := c.Self.(*Dict).get(c.m.hash(c.Args[0])); ok {
				return v
			}
			return c.Args[1]
		}),
		"pop": builtin("!dict.pop(key, default?)", func(c *Call) Value {
			if v, ok := c.Self.(*Dict).remove(c.m.hash(c.Args[0])); ok {
				return v
			}
			if c.Has(1) {
				return c.Args[1]
			}
			panic(keyError(c.m, c.Args[0]))
		}),
		"popitem": builtin("!dict.popitem()", func(c *Call) Value {
			d := c.Self.(*Dict)
			for i := len(d.entries) - 1; i >= 0; i-- {
				if e := d.entries[i]; e.key != nil {
					d.remove(c.m.hash(e.key))
					return NewTuple(e.key, e.value)
				}
			}
			panic(Errorf("KeyError", "'popitem(): dictionary is empty'"))
		}),
		"setdefault": builtin("!dict.setdefault(key, default?)", func(c *Call) Value {
			d, h := c.Self.(*Dict), c.m.hash(c.Args[0])
			if v, ok := d.get(h); ok {
				return v
			}
			c.m.alloc(64)
			v := c.Or(1, None)
			d.set(h, c.Args[0], v)
			return v
		}),
		"update": builtin("dict.update(*args, **kwargs)", func(c *Call) Value {
			if len(c.Rest) > 1 {
				panic(typeError("update expected at most 1 argument, got %d", len(c.Rest)))
			}
			d := c.Self.(*Dict)
			if len(c.Rest) == 1 {
				c.m.update(d, c.Rest[0])
			}
			c.m.update(d, c.Kw)
			return nil
		}),
		"copy":  builtin("!dict.copy()", func(c *Call) Value { c.m.alloc(64 * c.Self.(*Dict).live); return c.Self.(*Dict).copy() }),
		"clear": builtin("!dict.clear()", func(c *Call) Value { c.Self.(*Dict).clear(); return nil }),
	}
	c.Methods["update"].kind = typeBuiltin
	return c
}

// update is dict.update(v): v is a mapping or an iterable of pairs.
func (m *machine) update(d *Dict, v Value) {
	if o, ok := v.(*Dict); ok {
		m.alloc(64 * o.live)
		for k, v := range o.All {
			d.set(m.hash(k), k, v)
		}
		return
	}
	next := m.mustIterate(v)
	i := 0
	for item, ok := next(); ok; item, ok = next() {
		sub, ok := m.iterate(item)
		if !ok {
			panic(typeError("cannot convert dictionary update sequence element #%d to a sequence", i))
		}
		var pair []Value
		for x, ok := sub(); ok && len(pair) < 1<<16; x, ok = sub() {
			pair = append(pair, x)
		}
		if len(pair) != 2 {
			panic(valueError("dictionary update sequence element #%d has length %d; 2 is required", i, len(pair)))
		}
		m.alloc(64)
		d.set(m.hash(pair[0]), pair[0], pair[1])
		i++
	}
}

func setClass() *Class {
	others := func(c *Call) []*setValue {
		var out []*setValue
		for _, v := range c.Rest {
			out = append(out, c.m.newSet(c.m.list(v)))
		}
		return out
	}
	self := func(c *Call) *setValue { return c.Self.(*setValue) }
	methods := map[string]*Func{
		"copy": builtin("!set.copy()", func(c *Call) Value { return &setValue{dict: *self(c).dict.copy(), frozen: self(c).frozen} }),
		"union": builtin("!set.union(*others)", func(c *Call) Value {
			out := &setValue{dict: *self(c).dict.copy(), frozen: self(c).frozen}
			for _, o := range others(c) {
				for k := range o.dict.All {
					out.dict.set(c.m.hash(k), k, None)
				}
			}
			return out
		}),
		"intersection": builtin("!set.intersection(*others)", func(c *Call) Value {
			out := &setValue{dict: *self(c).dict.copy(), frozen: self(c).frozen}
			for _, o := range others(c) {
				drop := c.m.difference(&out.dict, &o.dict)
				out = c.m.difference(&out.dict, &drop.dict)
			}
			return out
		}),
		"difference": builtin("!set.difference(*others)", func(c *Call) Value {
			out := &setValue{dict: *self(c).dict.copy(), frozen: self(c).frozen}
			for _, o := range others(c) {
				out = c.m.difference(&out.dict, &o.dict)
			}
			return out
		}),
		"symmetric_difference": builtin("!set.symmetric_difference(other)", func(c *Call) Value {
			o := c.m.newSet(c.m.list(c.Args[0]))
			out := c.m.difference(&self(c).dict, &o.dict)
			for k := range c.m.difference(&o.dict, &self(c).dict).dict.All {
				out.dict.set(c.m.hash(k), k, None)
			}
			return out
		}),
		"issubset": builtin("!set.issubset(other)", func(c *Call) Value {
			return Bool(c.m.subset(&self(c).dict, &c.m.newSet(c.m.list(c.Args[0])).dict))
		}),
		"issuperset": builtin("!set.issuperset(other)", func(c *Call) Value {
			return Bool(c.m.subset(&c.m.newSet(c.m.list(c.Args[0])).dict, &self(c).dict))
		}),
		"isdisjoint": builtin("!set.isdisjoint(other)", func(c *Call) Value {
			for _, v := range c.m.list(c.Args[0]) {
				if _, ok := self(c).dict.get(c.m.hash(v)); ok {
					return Bool(false)
				}
			}
			return Bool(true)
		}),
		"add":     builtin("!set.add(elem)", func(c *Call) Value { c.m.alloc(64); self(c).dict.set(c.m.hash(c.Args[0]), c.Args[0], None); return nil }),
		"discard": builtin("!set.discard(elem)", func(c *Call) Value { self(c).dict.remove(c.m.hash(c.Args[0])); return nil }),
		"remove": builtin("!set.remove(elem)", func(c *Call) Value {
			if _, ok := self(c).dict.remove(c.m.hash(c.Args[0])); !ok {
				panic(keyError(c.m, c.Args[0]))
			}
			return nil
		}),
		"clear": builtin("!set.clear()", func(c *Call) Value { self(c).dict.clear(); return nil }),
		"update": builtin("!set.update(*others)", func(c *Call) Value {
			for _, o := range others(c) {
				for k := range o.dict.All {
					c.m.alloc(64)
					self(c).dict.set(c.m.hash(k), k, None)
				}
			}
			return nil
		}),
		"pop": builtin("!set.pop()", func(c *Call) Value {
			for k := range self(c).dict.All {
				self(c).dict.remove(c.m.hash(k))
				return k
			}
			panic(Errorf("KeyError", "'pop from an empty set'"))
		}),
	}
	return &Class{Methods: methods}
}

func rangeClass() *Class {
	return &Class{
		Props: map[string]func(Value) Value{
			"start": func(v Value) Value { return Int(v.(*rangeValue).start) },
			"stop":  func(v Value) Value { return Int(v.(*rangeValue).stop) },
			"step":  func(v Value) Value { return Int(v.(*rangeValue).step) },
		},
		Methods: map[string]*Func{
			"count": builtin("!range.count(value)", func(c *Call) Value {
				if c.m.contains(c.Self, c.Args[0]) {
					return Int(1)
				}
				return Int(0)
			}),
			"index": builtin("!range.index(value)", func(c *Call) Value {
				g := c.Self.(*rangeValue)
				if !c.m.contains(g, c.Args[0]) {
					panic(valueError("%s is not in range", c.m.repr(c.Args[0])))
				}
				n, _ := asInt(c.Args[0])
				return Int((n - g.start) / g.step)
			}),
		},
	}
}

func bytesClass() *Class {
	return &Class{Methods: map[string]*Func{
		"decode": builtin("~bytes.decode(encoding?, errors?)", func(c *Call) Value {
			return Str(strings.ToValidUTF8(string(c.Self.(Bytes)), "\uFFFD"))
		}),
		"hex": builtin("!bytes.hex()", func(c *Call) Value {
			const digits = "0123456789abcdef"
			b := c.Self.(Bytes)
			c.m.alloc(2 * len(b))
			out := make([]byte, 0, 2*len(b))
			for i := range len(b) {
				out = append(out, digits[b[i]>>4], digits[b[i]&15])
			}
			return Str(out)
		}),
	}}
}

func markupClass() *Class {
	return &Class{
		Methods: map[string]*Func{
			"unescape":  builtin("Markup.unescape()", func(c *Call) Value { return Str(unescapeHTML(string(c.Self.(Markup)))) }),
			"striptags": builtin("Markup.striptags()", func(c *Call) Value { return Str(stripTags(string(c.Self.(Markup)))) }),
		},
		Static: map[string]Value{
			"escape": builtin("Markup.escape(s)", func(c *Call) Value { return Markup(c.m.escape(c.Args[0], c.m.str(c.Args[0]))) }),
		},
		New: builtin("Markup.__new__(object?)", func(c *Call) Value { return c.m.markup(c.Or(0, Str(""))) }),
	}
}

func cyclerClass() *Class {
	return &Class{
		New: builtin("Cycler.__init__(*items)", func(c *Call) Value {
			if len(c.Rest) == 0 {
				panic(Errorf("RuntimeError", "at least one item has to be provided"))
			}
			return &cycler{items: c.Rest}
		}),
		Methods: map[string]*Func{
			"next": builtin("Cycler.next()", func(c *Call) Value {
				y := c.Self.(*cycler)
				v := y.items[y.pos]
				y.pos = (y.pos + 1) % len(y.items)
				return v
			}),
			"reset": builtin("Cycler.reset()", func(c *Call) Value { c.Self.(*cycler).pos = 0; return nil }),
		},
	}
}

func joinerClass() *Class {
	return &Class{New: builtin("Joiner.__init__(sep?)", func(c *Call) Value {
		return &joiner{sep: c.Or(0, Str(", "))}
	})}
}

func namespaceClass(dict *Func) *Class {
	return &Class{New: builtin("Namespace.__init__(*args, **kwargs)", func(c *Call) Value {
		if len(c.Rest) > 1 {
			panic(typeError("dict expected at most 1 argument, got %d", len(c.Rest)))
		}
		return &namespace{attrs: dict.fn(c).(*Dict)}
	})}
}

func builtinClasses() map[*Type]*Class {
	dict := dictClass()
	out := map[*Type]*Class{
		typeStr: strClass(), typeInt: intClass(), typeFloat: floatClass(), typeList: listClass(),
		typeTuple: tupleClass(), typeDict: dict, typeSet: setClass(), typeFrozenSet: setClass(),
		typeRange: rangeClass(), typeBytes: bytesClass(), typeMarkup: markupClass(),
		typeCycler: cyclerClass(), typeJoiner: joinerClass(), typeNamespace: namespaceClass(dict.New),
		typeGroup: groupClass(),
	}
	timeClasses(out)
	return out
}

func builtinGlobals() map[string]Value {
	return map[string]Value{
		"range":     rangeFunc(),
		"dict":      typeDict,
		"lipsum":    lipsumFunc(),
		"cycler":    typeCycler,
		"joiner":    typeJoiner,
		"namespace": typeNamespace,
	}
}

const maxRange = 100000

func rangeFunc() *Func {
	return builtin("safe_range(*args)", func(c *Call) Value {
		switch n := len(c.Rest); {
		case n == 0:
			panic(typeError("range expected at least 1 argument, got 0"))
		case n > 3:
			panic(typeError("range expected at most 3 arguments, got %d", n))
		}
		var n [3]int64
		for i, v := range c.Rest {
			k, ok := asInt(v)
			if _, big := v.(bigInt); big {
				panic(Errorf("OverflowError", "Python int too large to convert to C ssize_t"))
			}
			if !ok {
				panic(typeError("'%s' object cannot be interpreted as an integer", v.Type().shown()))
			}
			n[i] = k
		}
		g := &rangeValue{start: n[0], stop: n[1], step: n[2]}
		switch len(c.Rest) {
		case 1:
			g = &rangeValue{stop: n[0], step: 1}
		case 2:
			g.step = 1
		}
		if g.step == 0 {
			panic(valueError("range() arg 3 must not be zero"))
		}
		lo, hi, step := big.NewInt(g.start), big.NewInt(g.stop), big.NewInt(g.step)
		d := new(big.Int).Sub(hi, lo)
		if g.step < 0 {
			d.Neg(d)
			step.Neg(step)
		}
		if d.Sign() > 0 {
			d.Add(d, step).Sub(d, big.NewInt(1)).Quo(d, step)
			if !d.IsInt64() || d.Int64() > maxRange {
				panic(Errorf("OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange))
			}
			g.n = d.Int64()
		}
		return g
	})
}

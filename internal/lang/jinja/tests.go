package jinja

// builtinTests is Jinja's table of tests.
func builtinTests() map[string]*Func {
	is := func(name string, f func(m *machine, v Value) bool) *Func {
		return builtin("test_"+name+"(value)", func(c *Call) Value { return Bool(f(c.m, c.Args[0])) })
	}
	operator := func(name, op string) *Func {
		return builtin("!"+name+"(a, b)", func(c *Call) Value {
			return Bool(c.m.relation(op, c.Args[0], c.Args[1]))
		})
	}
	remainder := func(m *machine, v, n Value) Value { return m.binary("%", v, n) }
	eq, ne := operator("eq", "=="), operator("ne", "!=")
	gt, ge := operator("gt", ">"), operator("ge", ">=")
	lt, le := operator("lt", "<"), operator("le", "<=")
	class := func(v Value, t *Type) bool { return v.Type().Is(t) }
	return map[string]*Func{
		"odd":  is("odd", func(m *machine, v Value) bool { return m.equal(remainder(m, v, Int(2)), Int(1)) }),
		"even": is("even", func(m *machine, v Value) bool { return m.equal(remainder(m, v, Int(2)), Int(0)) }),
		"divisibleby": builtin("test_divisibleby(value, num)", func(c *Call) Value {
			return Bool(c.m.equal(remainder(c.m, c.Args[0], c.Args[1]), Int(0)))
		}),
		"defined":   is("defined", func(m *machine, v Value) bool { return !isUndefined(v) }),
		"undefined": is("undefined", func(m *machine, v Value) bool { return isUndefined(v) }),
		"filter": builtin("test_filter(@, value)", func(c *Call) Value {
			s, _ := asStr(c.Args[0])
			c.m.hash(c.Args[0])
			_, ok := c.m.env.filters[s]
			return Bool(ok)
		}),
		"test": builtin("test_test(@, value)", func(c *Call) Value {
			s, _ := asStr(c.Args[0])
			c.m.hash(c.Args[0])
			_, ok := c.m.env.tests[s]
			return Bool(ok)
		}),
		"none":    is("none", func(m *machine, v Value) bool { return v == None }),
		"boolean": is("boolean", func(m *machine, v Value) bool { return class(v, typeBool) }),
		"false":   is("false", func(m *machine, v Value) bool { return v == Bool(false) }),
		"true":    is("true", func(m *machine, v Value) bool { return v == Bool(true) }),
		"integer": is("integer", func(m *machine, v Value) bool { return v.Type() == typeInt }),
		"float":   is("float", func(m *machine, v Value) bool { return class(v, typeFloat) }),
		"lower":   is("lower", func(m *machine, v Value) bool { return m.says(v, "islower") }),
		"upper":   is("upper", func(m *machine, v Value) bool { return m.says(v, "isupper") }),
		"string":  is("string", func(m *machine, v Value) bool { return class(v, typeStr) }),
		"mapping": is("mapping", func(m *machine, v Value) bool { return class(v, typeDict) }),
		"number":  is("number", func(m *machine, v Value) bool { return isNumber(v) }),
		"sequence": is("sequence", func(m *machine, v Value) bool {
			switch v.(type) {
			case Str, Markup, Bytes, *List, *Tuple, *Dict, *rangeValue:
				return true
			}
			return false
		}),
		"iterable": is("iterable", func(m *machine, v Value) bool { _, ok := m.iterate(v); return ok }),
		"callable": builtin("!callable(obj)", func(c *Call) Value { return Bool(callable(c.Args[0])) }),
		"sameas":   builtin("test_sameas(value, other)", func(c *Call) Value { return Bool(c.m.same(c.Args[0], c.Args[1])) }),
		"escaped":  is("escaped", func(m *machine, v Value) bool { return class(v, typeMarkup) }),
		"in":       builtin("test_in(value, seq)", func(c *Call) Value { return Bool(c.m.contains(c.Args[1], c.Args[0])) }),
		"==":       eq, "eq": eq, "equalto": eq,
		"!=": ne, "ne": ne,
		">": gt, "gt": gt, "greaterthan": gt,
		">=": ge, "ge": ge,
		"<": lt, "lt": lt, "lessthan": lt,
		"<=": le, "le": le,
	}
}

// says asks a method of str(v).
func (m *machine) says(v Value, method string) bool {
	f := m.env.classes[typeStr].Methods[method]
	return m.truth(m.invoke(f, Str(m.str(v)), nil, nil))
}

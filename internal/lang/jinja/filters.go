package jinja

import (
	"math"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// builtinFilters is Jinja's table of filters. Signatures carry the names
// that Python's errors print; "@" stands for the environment or context that
// Jinja passes.
func builtinFilters() map[string]*Func {
	length := builtin("!len(obj)", func(c *Call) Value { return Int(c.m.length(c.Args[0])) })
	escape := builtin("escape(s)", func(c *Call) Value { return Markup(c.m.escape(c.Args[0], c.m.str(c.Args[0]))) })
	orElse := builtin("do_default(value, default_value?, boolean?)", func(c *Call) Value {
		v := c.Args[0]
		if isUndefined(v) || c.flag(2, false) && !c.m.truth(v) {
			return c.Or(1, Str(""))
		}
		return v
	})
	return map[string]*Func{
		"abs":            builtin("!abs(x)", filterAbs),
		"attr":           builtin("do_attr(@, obj, name)", filterAttr),
		"batch":          builtin("do_batch(value, linecount, fill_with?)", filterBatch),
		"capitalize":     builtin("do_capitalize(s)", onText(capitalize)),
		"center":         builtin("do_center(value, width?)", filterCenter),
		"count":          length,
		"d":              orElse,
		"default":        orElse,
		"dictsort":       builtin("do_dictsort(value, case_sensitive?, by?, reverse?)", filterDictSort),
		"e":              escape,
		"escape":         escape,
		"filesizeformat": builtin("do_filesizeformat(value, binary?)", filterFileSize),
		"first":          builtin("sync_do_first(@, seq)", filterFirst),
		"float":          builtin("do_float(value, default?)", filterFloat),
		"forceescape":    builtin("do_forceescape(value)", func(c *Call) Value { return Markup(escapeHTML(c.m.str(c.Args[0]))) }),
		"format":         builtin("do_format(value, *args, **kwargs)", filterFormat),
		"groupby":        builtin("sync_do_groupby(@, value, attribute, default?, case_sensitive?)", filterGroupBy),
		"indent":         builtin("do_indent(s, width?, first?, blank?)", filterIndent),
		"int":            builtin("do_int(value, default?, base?)", filterInt),
		"items":          builtin("do_items(value)", filterItems),
		"join":           builtin("sync_do_join(@, value, d?, attribute?)", filterJoin),
		"last":           builtin("do_last(@, seq)", filterLast),
		"length":         length,
		"list":           builtin("sync_do_list(value)", func(c *Call) Value { return NewList(c.m.list(c.Args[0])...) }),
		"lower":          builtin("do_lower(s)", onText(lower)),
		"map":            builtin("sync_do_map(@, value, *args, **kwargs)", filterMap),
		"max":            builtin("do_max(@, value, case_sensitive?, attribute?)", extreme(">")),
		"min":            builtin("do_min(@, value, case_sensitive?, attribute?)", extreme("<")),
		"pprint":         builtin("do_pprint(value)", func(c *Call) Value { return Str(c.m.pformat(c.Args[0])) }),
		"random":         builtin("do_random(@, seq)", filterRandom),
		"reject":         builtin("sync_do_reject(@, value, *args, **kwargs)", selecting("reject", false, false)),
		"rejectattr":     builtin("sync_do_rejectattr(@, value, *args, **kwargs)", selecting("rejectattr", false, true)),
		"replace":        builtin("do_replace(@, s, old, new, count?)", filterReplace),
		"reverse":        builtin("do_reverse(value)", filterReverse),
		"round":          builtin("do_round(value, precision?, method?)", filterRound),
		"safe":           builtin("do_mark_safe(value)", func(c *Call) Value { return c.m.markup(c.Args[0]) }),
		"select":         builtin("sync_do_select(@, value, *args, **kwargs)", selecting("select", true, false)),
		"selectattr":     builtin("sync_do_selectattr(@, value, *args, **kwargs)", selecting("selectattr", true, true)),
		"slice":          builtin("sync_do_slice(value, slices, fill_with?)", filterSlice),
		"sort":           builtin("do_sort(@, value, reverse?, case_sensitive?, attribute?)", filterSort),
		"string":         builtin("soft_str(s)", func(c *Call) Value { return c.soft(c.Args[0]) }),
		"striptags":      builtin("do_striptags(value)", func(c *Call) Value { return Str(stripTags(c.m.str(c.Args[0]))) }),
		"sum":            builtin("sync_do_sum(@, iterable, attribute?, start?)", filterSum),
		"title":          builtin("do_title(s)", filterTitle),
		"tojson":         builtin("do_tojson(@, value, indent?)", filterToJSON),
		"trim":           builtin("do_trim(value, chars?)", filterTrim),
		"truncate":       builtin("do_truncate(@, s, length?, killwords?, end?, leeway?)", filterTruncate),
		"unique":         builtin("sync_do_unique(@, value, case_sensitive?, attribute?)", filterUnique),
		"upper":          builtin("do_upper(s)", onText(upper)),
		"urlencode":      builtin("do_urlencode(value)", filterURLEncode),
		"urlize":         builtin("do_urlize(@, value, trim_url_limit?, nofollow?, target?, rel?, extra_schemes?)", filterURLize),
		"wordcount":      builtin("do_wordcount(s)", filterWordCount),
		"wordwrap":       builtin("do_wordwrap(@, s, width?, break_long_words?, wrapstring?, break_on_hyphens?)", filterWordWrap),
		"xmlattr":        builtin("do_xmlattr(@, d, autospace?)", filterXMLAttr),
	}
}

// soft is markupsafe.soft_str: text stays what it is.
func (c *Call) soft(v Value) Value {
	if _, ok := asStr(v); ok {
		return v
	}
	return Str(c.m.str(v))
}

// like returns s as the kind of text that v is.
func like(v Value, s string) Value {
	if _, ok := v.(Markup); ok {
		return Markup(s)
	}
	return Str(s)
}

func onText(f func(string) string) func(c *Call) Value {
	return func(c *Call) Value {
		v := c.soft(c.Args[0])
		s, _ := asStr(v)
		c.m.alloc(2 * len(s))
		return like(v, f(s))
	}
}

func (c *Call) flag(i int, otherwise bool) bool {
	if c.Args[i] == nil {
		return otherwise
	}
	return c.m.truth(c.Args[i])
}

// Method calls v.name(args), for functions that are thin covers of a method
// and so fail like it.
func (c *Call) Method(v Value, name string, args ...Value) Value {
	fn, ok := c.m.attribute(v, name)
	if !ok {
		if u, ok := v.(*Undefined); ok {
			panic(u.err())
		}
		if t, ok := v.(*Type); ok {
			panic(Errorf("AttributeError", "type object '%s' has no attribute '%s'", t.shown(), name))
		}
		panic(Errorf("AttributeError", "'%s' object has no attribute '%s'", v.Type().shown(), name))
	}
	return c.m.call(fn, args, nil)
}

// MethodWith calls v.name(**kw).
func (c *Call) MethodWith(v Value, name string, kw *Dict) Value {
	fn, _ := c.m.attribute(v, name)
	return c.m.call(fn, nil, kw)
}

func filterAbs(c *Call) Value {
	switch v := c.Args[0].(type) {
	case Int, Bool, bigInt, Float:
		if f, ok := v.(Float); ok {
			return Float(math.Abs(float64(f)))
		}
		if c.m.compare("<", v, Int(0)) {
			return c.m.unary("-", v)
		}
		return c.m.unary("+", v)
	case *Delta:
		if v.days < 0 {
			return v.neg()
		}
		return v
	}
	panic(typeError("bad operand type for abs(): '%s'", c.Args[0].Type().shown()))
}

func filterAttr(c *Call) Value {
	v := c.Args[0]
	name, ok := asStr(c.Args[1])
	if !ok {
		c.m.hash(c.Args[1]) // Jinja looks into a table of names first
		panic(typeError("attribute name must be string, not '%s'", c.Args[1].Type().shown()))
	}
	if u, ok := v.(*Undefined); ok && !c.m.hidden(v, name) {
		panic(u.err())
	}
	if _, ok := c.m.attribute(v, name); !ok && !c.m.hidden(v, name) {
		return &Undefined{obj: v, name: Str(name)}
	}
	return c.m.getattr(v, name)
}

func filterBatch(c *Call) Value {
	m := c.m
	next := m.lazily(c.Args[0])
	fill := c.Or(2, None)
	done := false
	var pending []Value
	var count Value = c.Args[1]
	return generator("do_batch", func() (Value, bool) {
		if done {
			return nil, false
		}
		tmp := pending
		pending = nil
		for {
			v, ok := next()
			if !ok {
				break
			}
			m.alloc(16)
			if m.equal(Int(len(tmp)), count) {
				pending = []Value{v}
				return NewList(tmp...), true
			}
			tmp = append(tmp, v)
		}
		done = true
		if len(tmp) == 0 {
			return nil, false
		}
		if fill != None && m.compare("<", Int(len(tmp)), count) {
			n := c.intArg(1, 0) - len(tmp)
			m.allocMany(16, int64(n))
			for range n {
				tmp = append(tmp, fill)
			}
		}
		return NewList(tmp...), true
	})
}

// lazily iterates v when first asked: what fails does so where the result
// is read, as in a Python generator.
func (m *machine) lazily(v Value) func() (Value, bool) {
	var next func() (Value, bool)
	return func() (Value, bool) {
		if next == nil {
			next = m.mustIterate(v)
		}
		return next()
	}
}

func filterCenter(c *Call) Value {
	return c.Method(c.soft(c.Args[0]), "center", c.Or(1, Int(80)))
}

// foldCase is the key under which text is compared without case.
func foldCase(v Value) Value {
	if s, ok := asStr(v); ok {
		return Str(lower(s))
	}
	return v
}

func filterDictSort(c *Call) Value {
	pos := 0
	switch by, _ := asStr(c.Or(2, Str("key"))); by {
	case "key":
	case "value":
		pos = 1
	default:
		panic(Errorf("FilterArgumentError", `You can only sort by either "key" or "value"`))
	}
	items := c.m.list(c.Method(c.Args[0], "items"))
	sensitive := c.flag(1, false)
	return NewList(c.m.sorted(items, func(v Value) Value {
		k := v.(*Tuple).Items[pos]
		if sensitive {
			return k
		}
		return foldCase(k)
	}, c.intArg(3, 0) != 0)...)
}

func filterFileSize(c *Call) Value {
	n := c.m.toFloat(c.Args[0])
	base, prefixes := 1000.0, "kB MB GB TB PB EB ZB YB"
	if c.flag(1, false) {
		base, prefixes = 1024, "KiB MiB GiB TiB PiB EiB ZiB YiB"
	}
	if n == 1 {
		return Str("1 Byte")
	}
	if n < base {
		return Str(intText(c.m.toInt(Float(n), 10, false)) + " Bytes")
	}
	unit := base
	var last string
	for _, prefix := range strings.Fields(prefixes) {
		unit *= base
		last = c.m.formatFloat(base*n/unit, spec{fill: " ", verb: 'f', prec: 1}) + " " + prefix
		if n < unit {
			break
		}
	}
	return Str(last)
}

func filterFirst(c *Call) Value {
	v, ok := c.m.mustIterate(c.Args[0])()
	if !ok {
		return &Undefined{hint: "No first item, sequence was empty."}
	}
	return v
}

func filterLast(c *Call) Value {
	it, ok := c.m.reversed(c.Args[0])
	if !ok {
		panic(typeError("'%s' object is not reversible", c.Args[0].Type().shown()))
	}
	v, ok := it.next()
	if !ok {
		return &Undefined{hint: "No last item, sequence was empty."}
	}
	return v
}

func filterRandom(c *Call) Value {
	n := c.m.length(c.Args[0])
	if n == 0 {
		return &Undefined{hint: "No random item, sequence was empty."}
	}
	v, err := c.m.subscript(c.Args[0], Int(rand.IntN(n)))
	if err != nil {
		panic(err)
	}
	return v
}

func filterFloat(c *Call) (v Value) {
	if catch(func() { v = Float(c.m.toFloat(c.Args[0])) }, "TypeError", "ValueError") != nil {
		return c.Or(1, Float(0))
	}
	return v
}

func filterInt(c *Call) (v Value) {
	err := catch(func() {
		base := c.Or(2, Int(10))
		n, ok := asInt(base)
		if _, isText := asStr(c.Args[0]); isText {
			if !ok {
				panic(typeError("'%s' object cannot be interpreted as an integer", base.Type().shown()))
			}
			if n == 0 {
				v = c.m.parseInt(c.m.str(c.Args[0]), 0)
				return
			}
			v = c.m.toInt(c.Args[0], int(max(min(n, 99), -1)), true)
			return
		}
		v = c.m.toInt(c.Args[0], 10, false)
	}, "TypeError", "ValueError")
	if err == nil {
		return v
	}
	err = catch(func() { v = c.m.toInt(Float(c.m.toFloat(c.Args[0])), 10, false) }, "TypeError", "ValueError", "OverflowError")
	if err != nil {
		return c.Or(1, Int(0))
	}
	return v
}

func filterFormat(c *Call) Value {
	if len(c.Rest) > 0 && c.Kw.live > 0 {
		panic(Errorf("FilterArgumentError", "can't handle positional and keyword arguments at the same time"))
	}
	var arg Value = c.Kw
	if c.Kw.live == 0 {
		arg = NewTuple(c.Rest...)
	}
	return c.m.binary("%", c.soft(c.Args[0]), arg)
}

// attrGetter follows an attribute path such as "a.0.b".
func (m *machine) attrGetter(attr Value, post func(Value) Value, otherwise Value) func(Value) Value {
	parts := attrParts(attr)
	return func(v Value) Value {
		for _, p := range parts {
			v = m.getitem(v, p)
			if otherwise != nil && otherwise != None && isUndefined(v) {
				v = otherwise
			}
		}
		if post != nil {
			v = post(v)
		}
		return v
	}
}

func attrParts(attr Value) []Value {
	s, ok := asStr(attr)
	switch {
	case attr == None:
		return nil
	case !ok:
		return []Value{attr}
	}
	var parts []Value
	for p := range strings.SplitSeq(s, ".") {
		if p != "" && strings.Trim(p, "0123456789") == "" && len(p) < 19 {
			n := int64(0)
			for _, c := range p {
				n = n*10 + int64(c-'0')
			}
			parts = append(parts, Int(n))
		} else {
			parts = append(parts, Str(p))
		}
	}
	return parts
}

func postprocess(sensitive bool) func(Value) Value {
	if sensitive {
		return nil
	}
	return foldCase
}

func filterGroupBy(c *Call) Value {
	m := c.m
	sensitive := c.flag(3, false)
	otherwise := c.Or(2, None)
	key := m.attrGetter(c.Args[1], postprocess(sensitive), otherwise)
	shown := m.attrGetter(c.Args[1], nil, otherwise)
	items := m.sorted(m.list(c.Args[0]), key, false)
	out := NewList()
	var last Value
	for _, item := range items {
		k := key(item)
		if last != nil && (m.same(last, k) || m.equal(last, k)) {
			group := out.Items[len(out.Items)-1].(*Tuple).Items[1].(*List)
			group.Items = append(group.Items, item)
			continue
		}
		last = k
		if !sensitive {
			k = shown(item)
		}
		m.alloc(64)
		out.Items = append(out.Items, &Tuple{Class: typeGroup, Names: []string{"grouper", "list"}, Items: []Value{k, NewList(item)}})
	}
	return out
}

func filterIndent(c *Call) Value {
	m := c.m
	v := c.Args[0]
	pad := ""
	if s, ok := asStr(c.Or(1, Int(4))); ok {
		pad = s
	} else {
		p, _ := asStr(m.binary("*", Str(" "), c.Or(1, Int(4))))
		pad = p
	}
	s, ok := asStr(v)
	if !ok {
		if err := Fail(v); err != nil {
			raise(err)
		}
		switch v.(type) {
		case *List: // takes the line end's characters, then fails here
			panic(Errorf("AttributeError", "'list' object has no attribute 'splitlines'"))
		case *Tuple, Bytes:
			m.binary("+", v, Str("\n"))
		}
		panic(typeError("unsupported operand type(s) for +=: '%s' and 'str'", v.Type().shown()))
	}
	m.alloc(len(s))
	s += "\n"
	lines := splitLines(s, false)
	var b strings.Builder
	first, blank := c.flag(2, false), c.flag(3, false)
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 && first || i > 0 && (blank || line != "") {
			m.alloc(len(pad))
			b.WriteString(pad)
		}
		b.WriteString(line)
	}
	m.alloc(b.Len())
	return like(v, b.String())
}

func filterItems(c *Call) Value {
	if isUndefined(c.Args[0]) {
		return generator("do_items", func() (Value, bool) { return nil, false })
	}
	d, ok := c.Args[0].(*Dict)
	if !ok {
		err := typeError("Can only get item pairs from a mapping.")
		return generator("do_items", func() (Value, bool) { panic(err) })
	}
	return generator("do_items", c.m.iterateDict(d, typeItems))
}

func filterJoin(c *Call) Value {
	m := c.m
	next := m.mustIterate(c.Args[0])
	if attr := c.Or(2, None); attr != None {
		get := m.attrGetter(attr, nil, nil)
		source := next
		next = func() (Value, bool) {
			v, ok := source()
			if !ok {
				return nil, false
			}
			return get(v), true
		}
	}
	sep := c.Or(1, Str(""))
	var parts []Value
	safe := false
	_, sepSafe := sep.(Markup)
	for v, ok := next(); ok; v, ok = next() {
		if _, ok := v.(Markup); ok {
			safe = true
		} else {
			v = Str(m.str(v))
		}
		m.alloc(16)
		parts = append(parts, v)
	}
	markup := m.escapes && (safe || sepSafe)
	d := m.str(sep)
	if markup {
		d = m.escape(sep, d)
	}
	var b strings.Builder
	for i, v := range parts {
		if i > 0 {
			b.WriteString(d)
		}
		s, _ := asStr(v)
		if markup {
			s = m.escape(v, s)
		}
		m.alloc(len(s) + len(d))
		b.WriteString(s)
	}
	if markup {
		return Markup(b.String())
	}
	return Str(b.String())
}

func filterMap(c *Call) Value {
	m := c.m
	args, kw := c.Rest, c.Kw
	var fn func(Value) Value
	prepare := func() {
		attr, has := kw.Get("attribute")
		if len(args) == 0 && has {
			otherwise, _ := kw.Get("default")
			for k := range kw.All {
				if name := k.(Str); name != "attribute" && name != "default" {
					panic(Errorf("FilterArgumentError", "Unexpected keyword argument %s", m.repr(k)))
				}
			}
			fn = m.attrGetter(attr, nil, otherwise)
			return
		}
		if len(args) == 0 {
			panic(Errorf("FilterArgumentError", "map requires a filter argument"))
		}
		f := m.named("filter", m.env.filters, args[0])
		fn = func(v Value) Value {
			return m.invoke(f(), nil, append([]Value{v}, args[1:]...), kw)
		}
	}
	return m.each("sync_do_map", c.Args[0], prepare, func(v Value) (Value, bool) { return fn(v), true })
}

// named looks up a filter or test when it is first called.
func (m *machine) named(kind string, table map[string]*Func, name Value) func() *Func {
	return func() *Func {
		m.hash(name)
		s, _ := asStr(name)
		f, ok := table[s]
		if !ok {
			panic(Errorf("TemplateRuntimeError", "No %s named %s.", kind, m.repr(name)))
		}
		return f
	}
}

// each is a generator over v that does nothing at all if v is false.
func (m *machine) each(name string, v Value, prepare func(), fn func(Value) (Value, bool)) Value {
	var next func() (Value, bool)
	return generator(name, func() (Value, bool) {
		if next == nil {
			if !m.truth(v) {
				next = func() (Value, bool) { return nil, false }
			} else {
				prepare()
				next = m.mustIterate(v)
			}
		}
		for {
			x, ok := next()
			if !ok {
				return nil, false
			}
			if y, keep := fn(x); keep {
				return y, true
			}
		}
	})
}

func selecting(name string, want, byAttr bool) func(c *Call) Value {
	return func(c *Call) Value {
		m := c.m
		args, kw := c.Rest, c.Kw
		get := func(v Value) Value { return v }
		test := m.truth
		prepare := func() {
			if byAttr {
				if len(args) == 0 {
					panic(Errorf("FilterArgumentError", "Missing parameter for attribute name"))
				}
				get = m.attrGetter(args[0], nil, nil)
				args = args[1:]
			}
			if len(args) > 0 {
				f := m.named("test", m.env.tests, args[0])
				rest := args[1:]
				test = func(v Value) bool {
					return m.truth(m.invoke(f(), nil, append([]Value{v}, rest...), kw))
				}
			}
		}
		return m.each("select_or_reject", c.Args[0], prepare, func(v Value) (Value, bool) {
			return v, test(get(v)) == want
		})
	}
}

func extreme(op string) func(c *Call) Value {
	return func(c *Call) Value {
		m := c.m
		next := m.mustIterate(c.Args[0])
		best, ok := next()
		if !ok {
			return &Undefined{hint: "No aggregated item, sequence was empty."}
		}
		key := m.attrGetter(c.Or(2, None), postprocess(c.flag(1, false)), nil)
		bestKey := key(best)
		for v, ok := next(); ok; v, ok = next() {
			if k := key(v); m.compare(op, k, bestKey) {
				best, bestKey = v, k
			}
		}
		return best
	}
}

func filterReplace(c *Call) Value {
	m := c.m
	v, old, repl := c.Args[0], c.Args[1], c.Args[2]
	n := c.Or(3, None)
	count := -1
	if n != None {
		count = c.intArg(3, -1)
	}
	if !m.escapes {
		return Str(m.replace(m.str(v), m.str(old), m.str(repl), count))
	}
	_, sSafe := v.(Markup)
	_, oldSafe := old.(Markup)
	_, newSafe := repl.(Markup)
	if oldSafe || newSafe && !sSafe {
		v = Markup(m.escape(v, m.str(v)))
		sSafe = true
	}
	t := m.str(repl)
	if sSafe {
		t = m.escape(repl, t)
	}
	return like(v, m.replace(m.str(v), m.str(old), t, count))
}

func filterReverse(c *Call) Value {
	v := c.Args[0]
	if s, ok := asStr(v); ok {
		c.m.alloc(4 * len(s))
		r := []rune(s)
		slices.Reverse(r)
		return like(v, string(r))
	}
	if it, ok := c.m.reversed(v); ok {
		return it
	}
	if _, ok := c.m.iterate(v); !ok {
		panic(Errorf("FilterArgumentError", "argument must be iterable"))
	}
	items := c.m.list(v)
	slices.Reverse(items)
	return NewList(items...)
}

func filterRound(c *Call) Value {
	m := c.m
	method, _ := asStr(c.Or(2, Str("common")))
	if method != "common" && method != "ceil" && method != "floor" {
		panic(Errorf("FilterArgumentError", "method must be common, ceil or floor"))
	}
	v := c.Args[0]
	if method == "common" {
		if !isNumber(v) {
			return m.round(v, 0) // which complains
		}
		return m.round(v, c.intArg(1, 0))
	}
	p := m.binary("**", Int(10), c.Or(1, Int(0)))
	scaled := m.binary("*", v, p)
	switch x := scaled.(type) {
	case Int, bigInt, Bool:
	case Float:
		f := math.Ceil(float64(x))
		if method == "floor" {
			f = math.Floor(float64(x))
		}
		scaled = m.toInt(Float(f), 10, false)
	default:
		panic(typeError("must be real number, not %s", v.Type().shown()))
	}
	return m.binary("/", scaled, p)
}

// round is Python's round(v, digits) with digits given.
func (m *machine) round(v Value, digits int) Value {
	switch x := v.(type) {
	case Float:
		return Float(roundFloat(float64(x), digits))
	case Int, bigInt, Bool:
		if digits >= 0 {
			return m.unary("+", v)
		}
		if digits < -maxIntDigits {
			return Int(0)
		}
		// Half to even, in whole numbers.
		p := m.binary("**", Int(10), Int(-digits))
		q := m.binary("//", v, p)
		r := m.binary("*", m.binary("%", v, p), Int(2))
		if c, _ := compareNumbers(r, p); c > 0 || c == 0 && m.truth(m.binary("%", q, Int(2))) {
			q = m.binary("+", q, Int(1))
		}
		return m.binary("*", q, p)
	case *Undefined:
		panic(typeError("type %s doesn't define __round__ method", x.Type().shown()))
	}
	panic(typeError("type %s doesn't define __round__ method", v.Type().shown()))
}

func filterSlice(c *Call) Value {
	m := c.m
	var items []Value
	slices, i, offset := 0, -1, 0
	fill := c.Or(2, None)
	return generator("sync_do_slice", func() (Value, bool) {
		if i < 0 {
			items = m.list(c.Args[0])
			m.binary("//", Int(len(items)), c.Args[1])
			slices = c.intArg(1, 0)
			i = 0
		}
		if i >= slices {
			return nil, false
		}
		per, extra := len(items)/slices, len(items)%slices
		start := offset + i*per
		if i < extra {
			offset++
		}
		end := offset + (i+1)*per
		m.alloc(16 * (end - start))
		tmp := append([]Value(nil), items[start:end]...)
		if fill != None && i >= extra {
			tmp = append(tmp, fill)
		}
		i++
		return NewList(tmp...), true
	})
}

func filterSort(c *Call) Value {
	m := c.m
	attr := c.Or(3, None)
	post := postprocess(c.flag(2, false))
	attrs := []Value{attr}
	if s, ok := asStr(attr); ok {
		attrs = nil
		for p := range strings.SplitSeq(s, ",") {
			attrs = append(attrs, Str(p))
		}
	}
	var gets []func(Value) Value
	for _, a := range attrs {
		gets = append(gets, m.attrGetter(a, post, nil))
	}
	// The key is a list even of one: lists compare what is equal without
	// asking for its order, which dicts, for one, do not have.
	key := func(v Value) Value {
		m.alloc(16)
		out := make([]Value, len(gets))
		for i, g := range gets {
			out[i] = g(v)
		}
		return NewList(out...)
	}
	return NewList(m.sorted(m.list(c.Args[0]), key, c.intArg(1, 0) != 0)...)
}

func filterSum(c *Call) Value {
	m := c.m
	next := m.mustIterate(c.Args[0])
	get := m.attrGetter(c.Or(1, None), nil, nil)
	total := c.Or(2, Int(0))
	if _, ok := asStr(total); ok {
		panic(typeError("sum() can't sum strings [use ''.join(seq) instead]"))
	}
	// From Python 3.12 on, floats are added with the lost digits carried.
	lost, floats := 0.0, false
	for v, ok := next(); ok; v, ok = next() {
		v = get(v)
		x, xf := total.(Float)
		if xf && isNumber(v) {
			y := m.float(v)
			s := float64(x) + y
			if math.Abs(float64(x)) >= math.Abs(y) {
				lost += (float64(x) - s) + y
			} else {
				lost += (y - s) + float64(x)
			}
			total, floats = Float(s), true
			continue
		}
		total = m.binary("+", total, v)
	}
	if x, ok := total.(Float); ok && floats && lost != 0 && !math.IsInf(lost, 0) && !math.IsNaN(lost) {
		return x + Float(lost)
	}
	return total
}

func filterTitle(c *Call) Value {
	s := c.m.str(c.Args[0])
	c.m.alloc(2 * len(s))
	var b strings.Builder
	word := ""
	flush := func() {
		if word != "" {
			r := []rune(word)
			b.WriteString(upper(string(r[0])))
			b.WriteString(lower(string(r[1:])))
			word = ""
		}
	}
	for _, r := range s {
		if isSpace(r) || strings.ContainsRune("-({[<", r) {
			flush()
			b.WriteRune(r)
			continue
		}
		word += string(r)
		c.m.step(1)
	}
	flush()
	return Str(b.String())
}

func filterTrim(c *Call) Value {
	v := c.soft(c.Args[0])
	return c.Method(v, "strip", c.Or(1, None))
}

func filterTruncate(c *Call) Value {
	m := c.m
	leeway := 5
	end := m.length(c.Or(3, Str("...")))
	if c.Or(4, None) != None {
		leeway = c.intArg(4, 5)
	}
	if !m.compare(">=", c.Or(1, Int(255)), Int(end)) {
		panic(Errorf("AssertionError", "expected length >= %d, got %s", end, m.str(c.Args[1])))
	}
	length := c.intArg(1, 255)
	if leeway < 0 {
		panic(Errorf("AssertionError", "expected leeway >= 0, got %d", leeway))
	}
	v := c.Args[0]
	if m.length(v) <= length+leeway {
		return v
	}
	cut, err := m.subscript(v, &sliceValue{None, Int(length - end), None})
	if err != nil {
		panic(err)
	}
	if !c.flag(2, false) {
		parts := c.Method(cut, "rsplit", Str(" "), Int(1)).(*List)
		cut = parts.Items[0]
	}
	return m.binary("+", cut, c.Or(3, Str("...")))
}

func filterUnique(c *Call) Value {
	m := c.m
	next := m.lazily(c.Args[0])
	get := m.attrGetter(c.Or(2, None), postprocess(c.flag(1, false)), nil)
	seen := map[any]bool{}
	return generator("sync_do_unique", func() (Value, bool) {
		for {
			v, ok := next()
			if !ok {
				return nil, false
			}
			h := m.hash(get(v))
			if !seen[h] {
				m.alloc(64)
				seen[h] = true
				return v, true
			}
		}
	})
}

func (m *machine) urlQuote(v Value, query bool) string {
	s, ok := asStr(v)
	if b, isBytes := v.(Bytes); isBytes {
		s, ok = string(b), true
	}
	if !ok {
		s = m.str(v)
	}
	m.alloc(3 * len(s))
	// PathEscape leaves alone some that Python quotes.
	q := strings.NewReplacer("+", "%20").Replace(url.QueryEscape(s))
	if query {
		return strings.ReplaceAll(q, "%20", "+")
	}
	return strings.ReplaceAll(q, "%2F", "/")
}

func filterURLEncode(c *Call) Value {
	m := c.m
	v := c.Args[0]
	if _, ok := asStr(v); ok {
		return Str(m.urlQuote(v, false))
	}
	if u, ok := v.(*Undefined); ok {
		panic(u.err())
	}
	if d, ok := v.(*Dict); ok {
		v = &view{class: typeItems, dict: d}
	}
	next, ok := m.iterate(v)
	if !ok {
		return Str(m.urlQuote(v, false))
	}
	var parts []string
	for item, ok := next(); ok; item, ok = next() {
		kv := m.unpack(item, 2)
		parts = append(parts, m.urlQuote(kv[0], true)+"="+m.urlQuote(kv[1], true))
	}
	return Str(strings.Join(parts, "&"))
}

func filterWordCount(c *Call) Value {
	n, in := 0, false
	s := c.m.str(c.Args[0])
	c.m.step(len(s) / 16)
	for _, r := range s {
		w := r == '_' || isNumeric(r) || isLetter(r)
		if w && !in {
			n++
		}
		in = w
	}
	return Int(n)
}

func filterWordWrap(c *Call) Value {
	m := c.m
	sep := "\n"
	if w := c.Or(3, None); w != None {
		t, ok := asStr(w)
		if !ok {
			panic(Errorf("AttributeError", "'%s' object has no attribute 'join'", w.Type().shown()))
		}
		sep = t
	}
	lines := m.list(c.Method(c.Args[0], "splitlines"))
	m.compare("<=", c.Or(1, Int(79)), Int(0))
	width := c.intArg(1, 79)
	var out []string
	for _, l := range lines {
		s, _ := asStr(l)
		out = append(out, strings.Join(m.wrap(s, width, c.flag(2, true), c.flag(4, true)), sep))
	}
	s := strings.Join(out, sep)
	m.alloc(len(s))
	return Str(s)
}

// attrKeyEnd is what cannot stand in the name of an XML attribute.
var attrKeyEnd = regexp.MustCompile(`[\t\n\v\f\r />=]`)

func filterXMLAttr(c *Call) Value {
	m := c.m
	var parts []string
	items := m.list(c.Method(c.Args[0], "items"))
	for _, item := range items {
		k, v := item.(*Tuple).Items[0], item.(*Tuple).Items[1]
		if v == None || isUndefined(v) {
			continue
		}
		key, ok := asStr(k)
		if !ok {
			panic(typeError("expected string or bytes-like object, got '%s'", k.Type().shown()))
		}
		if attrKeyEnd.MatchString(key) {
			panic(valueError("Invalid character in attribute name: %s", m.repr(k)))
		}
		parts = append(parts, m.escape(k, key)+`="`+m.escape(v, m.str(v))+`"`)
	}
	s := strings.Join(parts, " ")
	if s != "" && c.flag(1, true) {
		s = " " + s
	}
	return m.text(s)
}

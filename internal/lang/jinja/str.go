package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// strClass holds the methods of str, and of Markup, whose methods return
// Markup and escape what they are given.
func strClass() *Class {
	methods := map[string]*Func{}
	def := func(signature string, fn func(c *Call, s string) Value) {
		f := builtin(signature[:1]+"str."+signature[1:], func(c *Call) Value {
			s, _ := asStr(c.Self)
			c.m.step(len(s) / 32)
			v := fn(c, s)
			if _, safe := c.Self.(Markup); safe {
				v = markupResult(v)
			}
			return v
		})
		methods[f.sig.short()] = f
	}
	text := func(signature string, fn func(s string) string) {
		def(signature, func(c *Call, s string) Value {
			c.m.alloc(2 * len(s))
			return Str(fn(s))
		})
	}
	text("!upper()", upper)
	text("!lower()", lower)
	text("!title()", titleCase)
	text("!capitalize()", capitalize)
	text("!swapcase()", swapCase)
	text("!casefold()", caseFold)

	is := func(name string, all func(s string) bool) {
		def("!"+name+"()", func(c *Call, s string) Value { return Bool(all(s)) })
	}
	each := func(ok func(r rune) bool) func(s string) bool {
		return func(s string) bool {
			return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !ok(r) })
		}
	}
	is("isdigit", each(isDigitChar))
	is("isdecimal", each(func(r rune) bool { return unicode.Is(unicode.Nd, r) }))
	is("isnumeric", each(isNumeric))
	is("isalpha", each(unicode.IsLetter))
	is("isalnum", each(func(r rune) bool { return unicode.IsLetter(r) || isNumeric(r) }))
	is("isspace", each(isSpace))
	is("isidentifier", isIdentifier)
	is("isprintable", func(s string) bool { return s == "" || each(isPrintable)(s) })
	is("isascii", isASCII)
	is("isupper", func(s string) bool {
		return strings.ContainsFunc(s, isUpperChar) && !strings.ContainsFunc(s, func(r rune) bool { return isLowerChar(r) || unicode.IsTitle(r) })
	})
	is("islower", func(s string) bool {
		return strings.ContainsFunc(s, isLowerChar) && !strings.ContainsFunc(s, func(r rune) bool { return isUpperChar(r) || unicode.IsTitle(r) })
	})
	is("istitle", isTitleCased)

	strip := func(name string, left, right bool) {
		def("!"+name+"(chars?)", func(c *Call, s string) Value {
			cut := isSpace
			if c.Has(0) && c.Args[0] != None {
				chars, ok := asStr(c.Args[0])
				if !ok {
					panic(typeError("%s arg must be None or str", name))
				}
				cut = func(r rune) bool { return strings.ContainsRune(chars, r) }
			}
			if left {
				s = strings.TrimLeftFunc(s, cut)
			}
			if right {
				s = strings.TrimRightFunc(s, cut)
			}
			return Str(s)
		})
	}
	strip("strip", true, true)
	strip("lstrip", true, false)
	strip("rstrip", false, true)

	split := func(name string, fn func(m *machine, s, sep string, n int) []string, words func(s string, n int) []string) {
		f := builtin("~str."+name+"(sep?, maxsplit?)", func(c *Call) Value {
			s, _ := asStr(c.Self)
			n := c.intArg(1, -1)
			c.m.step(len(s) / 16)
			var parts []string
			if sep := c.Or(0, None); sep == None {
				parts = words(s, n)
			} else {
				t, ok := asStr(sep)
				if !ok {
					panic(typeError("must be str or None, not %s", sep.Type().shown()))
				}
				if t == "" {
					panic(valueError("empty separator"))
				}
				parts = fn(c.m, s, t, n)
			}
			c.m.alloc(32 * len(parts))
			v := texts(parts)
			if _, safe := c.Self.(Markup); safe {
				return markupResult(v)
			}
			return v
		})
		methods[name] = f
	}
	split("split", func(m *machine, s, sep string, n int) []string {
		if n < 0 {
			return strings.Split(s, sep)
		}
		return strings.SplitN(s, sep, min(n, len(s))+1)
	}, splitWords)
	split("rsplit", func(m *machine, s, sep string, n int) []string { return splitRight(s, sep, n) }, splitWordsRight)

	methods["splitlines"] = builtin("~str.splitlines(keepends?)", func(c *Call) Value {
		s, _ := asStr(c.Self)
		lines := splitLines(s, c.intArg(0, 0) != 0)
		c.m.alloc(32 * len(lines))
		v := texts(lines)
		if _, safe := c.Self.(Markup); safe {
			return markupResult(v)
		}
		return v
	})
	def("!partition(sep)", func(c *Call, s string) Value {
		sep := c.separator(0)
		before, after, ok := strings.Cut(s, sep)
		if !ok {
			return NewTuple(Str(s), Str(""), Str(""))
		}
		return NewTuple(Str(before), Str(sep), Str(after))
	})
	def("!rpartition(sep)", func(c *Call, s string) Value {
		sep := c.separator(0)
		i := strings.LastIndex(s, sep)
		if i < 0 {
			return NewTuple(Str(""), Str(""), Str(s))
		}
		return NewTuple(Str(s[:i]), Str(sep), Str(s[i+len(sep):]))
	})
	def("!join(iterable)", joinStrings)
	def("!replace(old, new, count?)", func(c *Call, s string) Value {
		old := c.strArg(0, "replace() argument 1")
		repl := c.strArg(1, "replace() argument 2")
		if _, safe := c.Self.(Markup); safe {
			repl = c.m.escape(c.Args[1], repl)
		}
		return Str(c.m.replace(s, old, repl, c.intArg(2, -1)))
	})
	def("!removeprefix(prefix)", func(c *Call, s string) Value {
		return Str(strings.TrimPrefix(s, c.strArg(0, "removeprefix() argument")))
	})
	def("!removesuffix(suffix)", func(c *Call, s string) Value {
		return Str(strings.TrimSuffix(s, c.strArg(0, "removesuffix() argument")))
	})

	affix := func(name string, has func(s, t string) bool) {
		def("^"+name+"(affix, start?, end?)", func(c *Call, s string) Value {
			part, ok := c.within(s, 1)
			switch t := c.Args[0].(type) {
			case Str, Markup:
				x, _ := asStr(t)
				return Bool(ok && has(part, x))
			case *Tuple:
				for _, item := range t.Items {
					x, isStr := asStr(item)
					if !isStr {
						panic(typeError("tuple for %s must only contain str, not %s", name, item.Type().shown()))
					}
					if ok && has(part, x) {
						return Bool(true)
					}
				}
				return Bool(false)
			}
			panic(typeError("%s first arg must be str or a tuple of str, not %s", name, c.Args[0].Type().shown()))
		})
	}
	affix("startswith", strings.HasPrefix)
	affix("endswith", strings.HasSuffix)

	find := func(name string, index func(s, t string) int, must bool) {
		def("^"+name+"(sub, start?, end?)", func(c *Call, s string) Value {
			sub, ok := asStr(c.Args[0])
			if !ok {
				panic(typeError("must be str, not %s", c.Args[0].Type().shown()))
			}
			part, ok := c.within(s, 1)
			i := -1
			if ok {
				i = index(part, sub)
			}
			if i < 0 {
				if must {
					panic(valueError("substring not found"))
				}
				return Int(-1)
			}
			start, _ := c.span(s, 1)
			return Int(start + runeLen(part[:i]))
		})
	}
	find("find", strings.Index, false)
	find("rfind", strings.LastIndex, false)
	find("index", strings.Index, true)
	find("rindex", strings.LastIndex, true)
	def("^count(sub, start?, end?)", func(c *Call, s string) Value {
		sub, isStr := asStr(c.Args[0])
		if !isStr {
			panic(typeError("must be str, not %s", c.Args[0].Type().shown()))
		}
		part, ok := c.within(s, 1)
		if !ok {
			return Int(0)
		}
		return Int(strings.Count(part, sub))
	})

	pad := func(name string, side int) {
		def("!"+name+"(width, fillchar?)", func(c *Call, s string) Value {
			fill := " "
			width := int64(c.intArg(0, 0))
			if c.Has(1) {
				f, ok := asStr(c.Args[1])
				if !ok {
					panic(typeError("The fill character must be a unicode character, not %s", c.Args[1].Type().shown()))
				}
				if _, safe := c.Self.(Markup); safe {
					f = c.m.escape(c.Args[1], f)
				}
				if runeLen(f) != 1 {
					panic(typeError("The fill character must be exactly one character long"))
				}
				fill = f
			}
			return Str(c.m.pad(s, width, fill, side))
		})
	}
	pad("center", 0)
	pad("ljust", 1)
	pad("rjust", -1)
	def("!zfill(width)", func(c *Call, s string) Value {
		sign := ""
		width := int64(c.intArg(0, 0))
		if s != "" && (s[0] == '+' || s[0] == '-') {
			sign, s = s[:1], s[1:]
			width--
		}
		return Str(sign + c.m.pad(s, width, "0", -1))
	})
	methods["expandtabs"] = builtin("~str.expandtabs(tabsize?)", func(c *Call) Value {
		s, _ := asStr(c.Self)
		v := Value(Str(c.m.expandTabs(s, c.intArg(0, 8))))
		if _, safe := c.Self.(Markup); safe {
			v = markupResult(v)
		}
		return v
	})
	methods["encode"] = builtin("~str.encode(encoding?, errors?)", func(c *Call) Value {
		s, _ := asStr(c.Self)
		enc := "utf-8"
		if c.Has(0) {
			enc = c.strArg(0, "encode() argument 'encoding'")
		}
		return encode(s, enc)
	})
	def("!translate(table)", func(c *Call, s string) Value {
		var b strings.Builder
		for _, r := range s {
			v, err := c.m.subscript(c.Args[0], Int(r))
			switch {
			case err != nil && err.Type != "KeyError" && err.Type != "IndexError":
				panic(err)
			case err != nil:
				b.WriteRune(r)
			case v == None:
			default:
				if t, ok := asStr(v); ok {
					b.WriteString(t)
				} else if n, ok := asInt(v); ok && n >= 0 && n <= unicode.MaxRune {
					b.WriteRune(rune(n))
				} else {
					panic(typeError("character mapping must return integer, None or str"))
				}
			}
			c.m.alloc(1)
		}
		return Str(b.String())
	})
	methods["format"] = builtin("str.format(*args, **kwargs)", func(c *Call) Value {
		s, _ := asStr(c.Self)
		out := c.m.format(s, c.Rest, c.Kw, c.Self)
		if _, safe := c.Self.(Markup); safe {
			return Markup(out)
		}
		return Str(out)
	})
	methods["format_map"] = builtin("str.format_map(*args, **kwargs)", func(c *Call) Value {
		s, _ := asStr(c.Self)
		if c.Kw.live > 0 {
			panic(typeError("format_map() takes no keyword arguments"))
		}
		if len(c.Rest) != 1 {
			panic(typeError("format_map() takes exactly one argument (%d given)", len(c.Rest)))
		}
		out := c.m.format(s, nil, c.Rest[0], c.Self)
		if _, safe := c.Self.(Markup); safe {
			return Markup(out)
		}
		return Str(out)
	})
	// The sandbox puts functions of its own in the place of these two.
	methods["format"].bare, methods["format_map"].bare = true, true

	return &Class{
		Methods: methods,
		New: builtin("~str(object?, encoding?, errors?)", func(c *Call) Value {
			return Str(c.m.str(c.Or(0, Str(""))))
		}),
	}
}

func markupResult(v Value) Value {
	switch v := v.(type) {
	case Str:
		return Markup(v)
	case *List:
		for i, item := range v.Items {
			v.Items[i] = markupResult(item)
		}
	case *Tuple:
		for i, item := range v.Items {
			v.Items[i] = markupResult(item)
		}
	}
	return v
}

func texts(parts []string) *List {
	out := make([]Value, len(parts))
	for i, p := range parts {
		out[i] = Str(p)
	}
	return &List{Items: out}
}

// intArg returns an integer argument, clipped to what a length can be.
func (c *Call) intArg(i, otherwise int) int {
	v := c.Args[i]
	if v == nil {
		return otherwise
	}
	if _, ok := v.(bigInt); ok {
		panic(Errorf("OverflowError", "Python int too large to convert to C ssize_t"))
	}
	n, ok := asInt(v)
	if !ok {
		panic(typeError("'%s' object cannot be interpreted as an integer", v.Type().shown()))
	}
	return int(max(min(n, 1<<62), -1<<62))
}

func (c *Call) strArg(i int, what string) string {
	s, ok := asStr(c.Args[i])
	if !ok {
		panic(typeError("%s must be str, not %s", what, c.Args[i].Type().shown()))
	}
	return s
}

func (c *Call) separator(i int) string {
	s, ok := asStr(c.Args[i])
	if !ok {
		panic(typeError("must be str, not %s", c.Args[i].Type().shown()))
	}
	if s == "" {
		panic(valueError("empty separator"))
	}
	return s
}

// span resolves the optional arguments start and end, the first of which is
// argument i, against s.
func (c *Call) span(s string, i int) (start, end int) {
	n := runeLen(s)
	end = n
	fit := func(v Value, p *int) {
		if v == nil || v == None {
			return
		}
		k, ok := asInt(v)
		if !ok {
			panic(typeError("slice indices must be integers or None or have an __index__ method"))
		}
		if k < 0 {
			k = max(0, k+int64(n))
		}
		*p = int(k)
	}
	fit(c.Args[i], &start)
	fit(c.Args[i+1], &end)
	return start, min(end, n)
}

// within returns the part of s that start and end select; false where there
// is none, in which not even the empty string can be found.
func (c *Call) within(s string, i int) (string, bool) {
	start, end := c.span(s, i)
	if start > end {
		return "", false
	}
	if start == 0 && end == runeLen(s) {
		return s, true
	}
	r := []rune(s)
	return string(r[start:end]), true
}

func (m *machine) replace(s, old, repl string, n int) string {
	count := strings.Count(s, old)
	if n >= 0 {
		count = min(count, n)
	}
	if len(repl) > len(old) {
		m.allocMany(int64(len(repl)-len(old)), int64(count))
	}
	m.alloc(len(s))
	return strings.Replace(s, old, repl, n)
}

func joinStrings(c *Call, s string) Value {
	_, safe := c.Self.(Markup)
	next, ok := c.m.iterate(c.Args[0])
	if !ok {
		panic(typeError("can only join an iterable"))
	}
	var b strings.Builder
	i := 0
	for v, ok := next(); ok; v, ok = next() {
		var t string
		if safe {
			t = c.m.escape(v, c.m.str(v))
		} else if t, ok = asStr(v); !ok {
			panic(typeError("sequence item %d: expected str instance, %s found", i, v.Type().shown()))
		}
		if i > 0 {
			b.WriteString(s)
		}
		c.m.alloc(len(s) + len(t))
		b.WriteString(t)
		i++
	}
	return Str(b.String())
}

// splitWords splits on runs of white space, at most n times.
func splitWords(s string, n int) []string {
	var out []string
	s = strings.TrimLeftFunc(s, isSpace)
	for s != "" {
		if n == 0 {
			return append(out, s)
		}
		n--
		i := strings.IndexFunc(s, isSpace)
		if i < 0 {
			return append(out, s)
		}
		out = append(out, s[:i])
		s = strings.TrimLeftFunc(s[i:], isSpace)
	}
	return out
}

func splitWordsRight(s string, n int) []string {
	var out []string
	s = strings.TrimRightFunc(s, isSpace)
	for s != "" {
		if n == 0 {
			out = append(out, s)
			break
		}
		n--
		i := strings.LastIndexFunc(s, isSpace)
		if i < 0 {
			out = append(out, s)
			break
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		out = append(out, s[i+size:])
		s = strings.TrimRightFunc(s[:i], isSpace)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func splitRight(s, sep string, n int) []string {
	var out []string
	for n != 0 {
		i := strings.LastIndex(s, sep)
		if i < 0 {
			break
		}
		out = append(out, s[i+len(sep):])
		s = s[:i]
		n--
	}
	out = append(out, s)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func isTitleCased(s string) bool {
	cased, inWord := false, false
	for _, r := range s {
		switch {
		case isUpperChar(r) || unicode.IsTitle(r):
			if inWord {
				return false
			}
			inWord, cased = true, true
		case isLowerChar(r):
			if !inWord {
				return false
			}
			cased = true
		default:
			inWord = false
		}
	}
	return cased
}

func isDigitChar(r rune) bool {
	// Nd, and those of No that stand for a digit: superscripts, subscripts,
	// circled and parenthesized digits.
	return unicode.Is(unicode.Nd, r) || strings.ContainsRune("²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", r) ||
		r >= 0x2460 && r <= 0x2468 || r >= 0x2474 && r <= 0x247c || r >= 0x2488 && r <= 0x2490
}

func isNumeric(r rune) bool {
	return unicode.In(r, unicode.N) || strings.ContainsRune("〇一二三四五六七八九十百千万億兆零", r)
}

func (m *machine) expandTabs(s string, size int) string {
	var b strings.Builder
	col := 0
	for _, r := range s {
		switch {
		case r == '\t':
			if size > 0 {
				n := size - col%size
				m.allocMany(1, int64(n))
				b.WriteString(strings.Repeat(" ", n))
				col += n
			}
			continue
		case r == '\n' || r == '\r':
			col = -1
		}
		col++
		b.WriteRune(r)
	}
	return b.String()
}

func encode(s, encoding string) Value {
	name := strings.ReplaceAll(strings.ToLower(encoding), "_", "-")
	limit := rune(-1)
	switch name {
	case "utf-8", "utf8", "u8":
		return Bytes(s)
	case "ascii", "us-ascii", "646":
		limit = 0x7f
		name = "ascii"
	case "latin-1", "latin1", "iso-8859-1", "iso8859-1", "l1":
		limit = 0xff
		name = "latin-1"
	default:
		panic(Errorf("LookupError", "unknown encoding: %s", encoding))
	}
	var out []byte
	i := 0
	for _, r := range s {
		if r > limit {
			esc := quote(string(r))
			if isPrintable(r) {
				esc = "'" + asciiEscape(r) + "'"
			}
			panic(Errorf("UnicodeEncodeError", "'%s' codec can't encode character %s in position %d: ordinal not in range(%d)", name, esc, i, limit+1))
		}
		out = append(out, byte(r))
		i++
	}
	return Bytes(out)
}

// intMethods and floatMethods complete the numbers.
func intClass() *Class {
	return &Class{
		Methods: map[string]*Func{
			"bit_length": builtin("!int.bit_length()", func(c *Call) Value {
				b, _ := asBig(c.Self)
				return Int(b.BitLen())
			}),
			"bit_count": builtin("!int.bit_count()", func(c *Call) Value {
				b, _ := asBig(c.Self)
				n := 0
				for _, w := range b.Bits() {
					for ; w != 0; w &= w - 1 {
						n++
					}
				}
				return Int(n)
			}),
			"conjugate":        builtin("!int.conjugate()", func(c *Call) Value { return c.m.unary("+", c.Self) }),
			"is_integer":       builtin("!int.is_integer()", func(c *Call) Value { return Bool(true) }),
			"as_integer_ratio": builtin("!int.as_integer_ratio()", func(c *Call) Value { return NewTuple(c.m.unary("+", c.Self), Int(1)) }),
		},
		Props: map[string]func(Value) Value{
			"real":        plainInt,
			"numerator":   plainInt,
			"imag":        func(Value) Value { return Int(0) },
			"denominator": func(Value) Value { return Int(1) },
		},
	}
}

func plainInt(v Value) Value {
	if n, ok := asInt(v); ok {
		return Int(n)
	}
	return v
}

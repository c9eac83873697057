package jinja

import (
	"fmt"
	"strings"
	"unicode"
)

// str is Python's str(v).
func (m *machine) str(v Value) string {
	switch v := v.(type) {
	case Str:
		return string(v)
	case Markup:
		return string(v)
	case *DateTime:
		return v.String()
	case *Delta:
		return v.String()
	case *Undefined:
		if !v.lenient {
			panic(v.err())
		}
		return ""
	case Texter:
		return v.Str()
	case *TZ:
		if s, ok := v.str(); ok {
			return s
		}
	}
	return m.repr(v)
}

// repr is Python's repr(v).
func (m *machine) repr(v Value) string {
	var b strings.Builder
	m.writeRepr(&b, v)
	m.alloc(b.Len())
	return b.String()
}

// plainRepr is repr for messages made outside of a render.
func plainRepr(v Value) string {
	m := &machine{lim: Limits{Steps: 100_000, Memory: 1 << 20}.withDefaults()}
	var s string
	if catch(func() { s = m.repr(v) }, "TemplateRuntimeError", "RecursionError", "ValueError") != nil {
		return "..."
	}
	return s
}

func (m *machine) writeRepr(b *strings.Builder, v Value) {
	m.step(1)
	if int64(b.Len()) > m.lim.Memory {
		panic(exceeded("%d bytes of memory", m.lim.Memory))
	}
	switch v := v.(type) {
	case noneType:
		b.WriteString("None")
	case Bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case Int, bigInt:
		b.WriteString(intText(v))
	case Float:
		b.WriteString(floatRepr(float64(v)))
	case Str:
		m.step(len(v) / 16)
		writeQuoted(b, string(v))
	case Markup:
		b.WriteString("Markup(")
		writeQuoted(b, string(v))
		b.WriteByte(')')
	case Bytes:
		b.WriteString(bytesRepr(string(v)))
	case *List:
		m.writeItems(b, v, "[", v.Items, "]")
	case *Tuple:
		end := ")"
		if len(v.Items) == 1 {
			end = ",)"
		}
		if v.Names != nil && v.Class != typeGroup {
			m.writeNamed(b, v)
			return
		}
		m.writeItems(b, v, "(", v.Items, end)
	case *Dict:
		m.writeDict(b, v)
	case *setValue:
		switch {
		case v.dict.live == 0 && v.frozen:
			b.WriteString("frozenset()")
		case v.dict.live == 0:
			b.WriteString("set()")
		case v.frozen:
			m.writeItems(b, v, "frozenset({", v.dict.keys(), "})")
		default:
			m.writeItems(b, v, "{", v.dict.keys(), "}")
		}
	case *view:
		items := map[*Type]func() []Value{typeKeys: v.dict.keys, typeValues: v.dict.values, typeItems: v.dict.items}[v.class]()
		m.writeItems(b, v, v.class.Name+"([", items, "])")
	case *rangeValue:
		fmt.Fprintf(b, "range(%d, %d", v.start, v.stop)
		if v.step != 1 {
			fmt.Fprintf(b, ", %d", v.step)
		}
		b.WriteByte(')')
	case *sliceValue:
		fmt.Fprintf(b, "slice(%s, %s, %s)", m.repr(v.start), m.repr(v.stop), m.repr(v.step))
	case *Type:
		fmt.Fprintf(b, "<class '%s'>", v.qualified())
	case *DateTime:
		b.WriteString(v.repr())
	case *Delta:
		b.WriteString(v.repr())
	case *TZ:
		b.WriteString(v.repr())
	case *Undefined:
		b.WriteString("Undefined")
	case *macro:
		if v.def.name == "" {
			b.WriteString("<Macro anonymous>")
		} else {
			b.WriteString("<Macro " + quote(v.def.name) + ">")
		}
	case *loop:
		fmt.Fprintf(b, "<LoopContext %d/%d>", v.index0+1, v.length(m))
	case *namespace:
		b.WriteString("<Namespace ")
		m.writeDict(b, v.attrs)
		b.WriteByte('>')
	case *selfRef:
		b.WriteString("<TemplateReference None>")
	case Texter:
		b.WriteString(v.Repr())
	case *Module:
		switch {
		case v.Text != "":
			b.WriteString(v.Text)
		case v.Class == nil:
			fmt.Fprintf(b, "<module '%s'>", v.Name)
		default:
			fmt.Fprintf(b, "<%s object at 0x7f0000000000>", v.Class.qualified())
		}
	case *Func:
		if v.kind == typeFunction {
			fmt.Fprintf(b, "<function %s at 0x7f0000000000>", v.sig.name)
		} else {
			fmt.Fprintf(b, "<built-in function %s>", v.sig.short())
		}
	case *bound:
		if v.fn.kind == typeFunction {
			fmt.Fprintf(b, "<bound method %s of %s>", v.fn.sig.name, m.repr(v.self))
		} else {
			fmt.Fprintf(b, "<built-in method %s of %s object at 0x7f0000000000>", v.fn.sig.short(), v.self.Type().shown())
		}
	case *unbound:
		fmt.Fprintf(b, "<method '%s' of '%s' objects>", v.fn.sig.short(), v.class.shown())
	case *iterator:
		if v.name != "" {
			fmt.Fprintf(b, "<generator object %s at 0x7f0000000000>", v.name)
		} else {
			fmt.Fprintf(b, "<%s object at 0x7f0000000000>", v.class.qualified())
		}
	default:
		fmt.Fprintf(b, "<%s object at 0x7f0000000000>", v.Type().qualified())
	}
}

// container notes that the repr of v is under way. It returns false where it
// already was: v contains itself.
func (m *machine) container(v Value) bool {
	if m.printed[v] {
		return false
	}
	if m.printed == nil {
		m.printed = map[any]bool{}
	}
	m.printed[v] = true
	m.enterFor(" while getting the repr of an object")
	return true
}

func (m *machine) leaveContainer(v Value) {
	delete(m.printed, v)
	m.leave()
}

func (m *machine) writeItems(b *strings.Builder, v Value, open string, items []Value, end string) {
	if !m.container(v) {
		// What is within stands for the dots: "[...]", "(...)".
		b.WriteString(open + "..." + strings.TrimPrefix(end, ","))
		return
	}
	defer m.leaveContainer(v)
	b.WriteString(open)
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		m.writeRepr(b, item)
	}
	b.WriteString(end)
}

func (m *machine) writeDict(b *strings.Builder, d *Dict) {
	if !m.container(d) {
		b.WriteString("{...}")
		return
	}
	defer m.leaveContainer(d)
	b.WriteByte('{')
	first := true
	for k, v := range d.All {
		if !first {
			b.WriteString(", ")
		}
		first = false
		m.writeRepr(b, k)
		b.WriteString(": ")
		m.writeRepr(b, v)
	}
	b.WriteByte('}')
}

func (m *machine) writeNamed(b *strings.Builder, t *Tuple) {
	if !m.container(t) {
		b.WriteString("(...)")
		return
	}
	defer m.leaveContainer(t)
	b.WriteString(t.Type().qualified() + "(")
	for i, item := range t.Items {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t.Names[i] + "=")
		m.writeRepr(b, item)
	}
	b.WriteByte(')')
}

// quote is repr of a str.
func quote(s string) string {
	var b strings.Builder
	writeQuoted(&b, s)
	return b.String()
}

func writeQuoted(b *strings.Builder, s string) {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b.WriteByte(q)
	for _, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(b, `\x%02x`, r)
		case r < 0x7f || isPrintable(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			fmt.Fprintf(b, `\U%08x`, r)
		}
	}
	b.WriteByte(q)
}

// isPrintable is str.isprintable for one character.
func isPrintable(r rune) bool {
	return r == ' ' || unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S)
}

func bytesRepr(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	var b strings.Builder
	b.WriteByte('b')
	b.WriteByte(q)
	for i := range len(s) {
		switch c := s[i]; {
		case c == q || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(q)
	return b.String()
}

// identity is the address of an object.
func (m *machine) identity(v any) string { return fmt.Sprintf("%p", v) }

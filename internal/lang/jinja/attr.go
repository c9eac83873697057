package jinja

import (
	"strings"
)

// getattr is v.name in a template: the attribute, else the item of that
// name, else undefined.
func (m *machine) getattr(v Value, name string) Value {
	if u, ok := v.(*Undefined); ok {
		if m.hidden(v, name) {
			return m.unsafe(v, name)
		}
		panic(u.err())
	}
	if x, ok := m.attribute(v, name); ok {
		if strings.HasPrefix(name, "__") {
			return m.unsafe(v, name)
		}
		return x
	}
	if m.hidden(v, name) {
		return m.unsafe(v, name)
	}
	if x, err := m.subscript(v, Str(name)); err == nil {
		return x
	}
	return &Undefined{obj: v, name: Str(name)}
}

// getitem is v[key] in a template: the item, else the attribute of that
// name, else undefined.
func (m *machine) getitem(v, key Value) Value {
	m.step(1)
	if u, ok := v.(*Undefined); ok {
		panic(u.err())
	}
	x, err := m.subscript(v, key)
	if err == nil {
		return x
	}
	switch err.Type {
	case "TypeError", "KeyError", "IndexError":
	default:
		panic(err)
	}
	if name, ok := asStr(key); ok {
		if x, ok := m.attribute(v, name); ok {
			if strings.HasPrefix(name, "__") {
				return m.unsafe(v, name)
			}
			return x
		}
		if m.hidden(v, name) {
			return m.unsafe(v, name)
		}
	}
	return &Undefined{obj: v, name: key}
}

func (m *machine) unsafe(v Value, name string) Value {
	return &Undefined{
		hint: "access to attribute " + quote(name) + " of " + quote(v.Type().Name) + " object is unsafe.",
		obj:  v, name: Str(name), exc: "SecurityError",
	}
}

// hidden reports whether Python knows an attribute that the sandbox keeps
// from templates. One that Python does not know either is plainly undefined.
func (m *machine) hidden(v Value, name string) bool {
	t := v.Type()
	if t == typeType && name == "mro" {
		return true
	}
	if t == typeGenerator && (name == "gi_frame" || name == "gi_code") {
		return true
	}
	if !strings.HasPrefix(name, "__") || strings.ContainsAny(name, " \x00") {
		return false
	}
	if t == typeNamespace {
		return name == "__class__" // it looks up all else among its own names
	}
	if strings.Contains(dCommon, " "+name+" ") {
		return true
	}
	if t.Module != "" && strings.Contains(dObject, " "+name+" ") && t.dunders == "" {
		return true
	}
	for ; t != nil; t = t.Base {
		if strings.Contains(t.dunders, " "+name+" ") {
			return true
		}
	}
	if c, ok := v.(*Type); ok {
		for ; c != nil; c = c.Base {
			if strings.Contains(c.dunders, " "+name+" ") {
				return true
			}
		}
	}
	return false
}

// attribute is Python's getattr, without the names that start with two
// underscores.
func (m *machine) attribute(v Value, name string) (Value, bool) {
	if a, ok := v.(Attrer); ok {
		if x, ok := a.Attr(name); ok {
			return x, true
		}
	}
	switch o := v.(type) {
	case *loop:
		if x := o.attr(m, name); x != nil {
			return x, true
		}
	case *Tuple:
		for i, n := range o.Names {
			if n == name && i < len(o.Items) {
				return o.Items[i], true
			}
		}
	case *Type:
		for t := o; t != nil; t = t.Base {
			if c := m.env.classes[t]; c != nil {
				if x, ok := c.Static[name]; ok {
					return x, true
				}
				if f, ok := c.Methods[name]; ok {
					return &unbound{f, t}, true
				}
			}
		}
		return nil, false
	}
	for t := v.Type(); t != nil; t = t.Base {
		c := m.env.classes[t]
		if c == nil {
			continue
		}
		if f, ok := c.Methods[name]; ok {
			return &bound{f, v}, true
		}
		if p, ok := c.Props[name]; ok {
			return p(v), true
		}
		if x, ok := c.Static[name]; ok {
			return x, true
		}
	}
	return nil, false
}

// subscript is Python's v[key].
func (m *machine) subscript(v, key Value) (Value, *Error) {
	switch o := v.(type) {
	case *Dict:
		if s, ok := key.(Str); ok {
			if x, ok := o.get(string(s)); ok {
				return x, nil
			}
			return nil, keyError(m, key)
		}
		var x Value
		var ok bool
		if err := catch(func() { x, ok = o.get(m.hash(key)) }, "TypeError"); err != nil {
			return nil, err
		}
		if !ok {
			return nil, keyError(m, key)
		}
		return x, nil
	case Str, Markup:
		s, _ := asStr(v)
		r, err := m.subscriptText(s, key)
		if err != nil {
			return nil, err
		}
		if _, ok := v.(Markup); ok {
			return Markup(r), nil
		}
		return Str(r), nil
	case Bytes:
		items := make([]Value, len(o))
		for i := range o {
			items[i] = Int(o[i])
		}
		x, err := m.subscriptItems("byte", items, key)
		if l, ok := x.(*List); ok {
			b := make([]byte, len(l.Items))
			for i, n := range l.Items {
				b[i] = byte(n.(Int))
			}
			return Bytes(b), err
		}
		return x, err
	case *List:
		return m.subscriptItems("list", o.Items, key)
	case *Tuple:
		x, err := m.subscriptItems("tuple", o.Items, key)
		if l, ok := x.(*List); ok && err == nil {
			if _, sliced := key.(*sliceValue); sliced {
				return NewTuple(l.Items...), nil
			}
		}
		return x, err
	case *rangeValue:
		if s, ok := key.(*sliceValue); ok {
			start, _, step, n, err := s.bounds(int(o.n))
			if err != nil {
				return nil, err
			}
			g := &rangeValue{start: o.start + int64(start)*o.step, step: o.step * int64(step), n: int64(n)}
			g.stop = g.start + g.step*g.n
			return g, nil
		}
		i, err := m.index("range object", key, int(o.n))
		if err != nil {
			return nil, err
		}
		return o.at(int64(i)), nil
	case *cycler, *joiner, *Module, noneType:
	case *Undefined:
		return nil, o.err()
	case *selfRef:
		if name, ok := asStr(key); ok {
			if x, ok := o.Attr(name); ok {
				return x, nil
			}
		}
		return nil, keyError(m, key)
	case Indexer:
		x, ok := o.Item(key)
		if ok {
			return x, nil
		}
		return nil, keyError(m, key)
	case *Type:
		return nil, typeError("type '%s' is not subscriptable", o.Name)
	}
	return nil, typeError("'%s' object is not subscriptable", v.Type().shown())
}

// An Indexer has items.
type Indexer interface {
	Item(key Value) (Value, bool)
}

func keyError(m *machine, key Value) *Error {
	return Errorf("KeyError", "%s", m.repr(key))
}

// index resolves a subscript to a place within n items.
func (m *machine) index(what string, key Value, n int) (int, *Error) {
	i, ok := asInt(key)
	if !ok {
		if _, big := key.(bigInt); big {
			return 0, Errorf("IndexError", "cannot fit 'int' into an index-sized integer")
		}
		if what == "string" {
			return 0, typeError("string indices must be integers, not '%s'", key.Type().shown())
		}
		return 0, typeError("%s indices must be integers or slices, not %s", strings.TrimSuffix(what, " object"), key.Type().shown())
	}
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		return 0, Errorf("IndexError", "%s index out of range", what)
	}
	return int(i), nil
}

func (m *machine) subscriptItems(what string, items []Value, key Value) (Value, *Error) {
	if s, ok := key.(*sliceValue); ok {
		start, _, step, n, err := s.bounds(len(items))
		if err != nil {
			return nil, err
		}
		m.alloc(16 * n)
		out := make([]Value, n)
		for i := range out {
			out[i] = items[start+i*step]
		}
		return &List{Items: out}, nil
	}
	i, err := m.index(what, key, len(items))
	if err != nil {
		return nil, err
	}
	return items[i], nil
}

func (m *machine) subscriptText(s string, key Value) (string, *Error) {
	if isASCII(s) {
		return m.subscriptASCII(s, key)
	}
	m.alloc(4 * len(s))
	r := []rune(s)
	if k, ok := key.(*sliceValue); ok {
		start, _, step, n, err := k.bounds(len(r))
		if err != nil {
			return "", err
		}
		out := make([]rune, n)
		for i := range out {
			out[i] = r[start+i*step]
		}
		return string(out), nil
	}
	i, err := m.index("string", key, len(r))
	if err != nil {
		return "", err
	}
	return string(r[i]), nil
}

func (m *machine) subscriptASCII(s string, key Value) (string, *Error) {
	if k, ok := key.(*sliceValue); ok {
		start, _, step, n, err := k.bounds(len(s))
		if err != nil {
			return "", err
		}
		if step == 1 {
			return s[start : start+n], nil
		}
		m.alloc(n)
		out := make([]byte, n)
		for i := range out {
			out[i] = s[start+i*step]
		}
		return string(out), nil
	}
	i, err := m.index("string", key, len(s))
	if err != nil {
		return "", err
	}
	return s[i : i+1], nil
}

// bounds fits the slice to n items, by Python's rules, and counts what it
// takes.
func (s *sliceValue) bounds(n int) (start, stop, step, count int, err *Error) {
	part := func(v Value) (i int, given bool) {
		switch v := v.(type) {
		case noneType:
			return 0, false
		case Int, Bool:
			i, _ := asInt(v)
			return int(i), true
		case bigInt:
			if v.Sign() < 0 {
				return -1 << 62, true
			}
			return 1<<62 - 1, true
		}
		err = typeError("slice indices must be integers or None or have an __index__ method")
		return 0, false
	}
	step = 1
	if v, ok := part(s.step); ok {
		step = v
	}
	start, haveStart := part(s.start)
	stop, haveStop := part(s.stop)
	if err != nil {
		return
	}
	if step == 0 {
		err = valueError("slice step cannot be zero")
		return
	}
	step = max(min(step, 1<<40), -1<<40)
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	fit := func(i int) int {
		if i < 0 {
			i += n
		}
		return max(low, min(i, high))
	}
	switch {
	case haveStart:
		start = fit(start)
	case step < 0:
		start = high
	default:
		start = low
	}
	switch {
	case haveStop:
		stop = fit(stop)
	case step < 0:
		stop = low
	default:
		stop = high
	}
	if step > 0 && start < stop {
		count = (stop-start-1)/step + 1
	}
	if step < 0 && start > stop {
		count = (start-stop-1)/-step + 1
	}
	return
}

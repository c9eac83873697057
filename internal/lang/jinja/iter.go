package jinja

import "unicode/utf8"

// iterate returns a function that yields the items of v, or false if v is
// not iterable. Lists are read as they are at each step, as in Python.
func (m *machine) iterate(v Value) (next func() (Value, bool), ok bool) {
	switch o := v.(type) {
	case Str, Markup:
		s, _ := asStr(v)
		return func() (Value, bool) {
			if s == "" {
				return nil, false
			}
			m.step(1)
			_, n := utf8.DecodeRuneInString(s)
			c := s[:n]
			s = s[n:]
			return Str(c), true // plain even of Markup, as in Python
		}, true
	case Bytes:
		i := 0
		return func() (Value, bool) {
			if i >= len(o) {
				return nil, false
			}
			i++
			return Int(o[i-1]), true
		}, true
	case *List:
		i := 0
		return func() (Value, bool) {
			if i >= len(o.Items) {
				return nil, false
			}
			m.step(1)
			i++
			return o.Items[i-1], true
		}, true
	case *Tuple:
		i := 0
		return func() (Value, bool) {
			if i >= len(o.Items) {
				return nil, false
			}
			m.step(1)
			i++
			return o.Items[i-1], true
		}, true
	case *Dict:
		return m.iterateDict(o, typeKeys), true
	case *view:
		return m.iterateDict(o.dict, o.class), true
	case *setValue:
		return m.iterateDict(&o.dict, typeKeys), true
	case *rangeValue:
		i := int64(0)
		return func() (Value, bool) {
			if i >= o.n {
				return nil, false
			}
			m.step(1)
			i++
			return o.at(i - 1), true
		}, true
	case *iterator:
		return func() (Value, bool) {
			m.step(1)
			return o.next()
		}, true
	case *loop:
		return func() (Value, bool) {
			v, ok := o.advance()
			if !ok {
				return nil, false
			}
			return NewTuple(v, o), true
		}, true
	case *Undefined:
		if !o.lenient {
			panic(o.err())
		}
		return func() (Value, bool) { return nil, false }, true
	}
	return nil, false
}

func (m *machine) iterateDict(d *Dict, class *Type) func() (Value, bool) {
	i, size := 0, d.live
	return func() (Value, bool) {
		m.step(1)
		if d.live != size {
			size = d.live
			panic(Errorf("RuntimeError", "dictionary changed size during iteration"))
		}
		for i < len(d.entries) {
			e := d.entries[i]
			i++
			if e.key == nil {
				continue
			}
			switch class {
			case typeKeys:
				return e.key, true
			case typeValues:
				return e.value, true
			}
			return NewTuple(e.key, e.value), true
		}
		return nil, false
	}
}

func (m *machine) mustIterate(v Value) func() (Value, bool) {
	next, ok := m.iterate(v)
	if !ok {
		panic(typeError("'%s' object is not iterable", v.Type().shown()))
	}
	return next
}

// list is Python's list(v), as a slice that the caller may keep.
func (m *machine) list(v Value) []Value {
	switch o := v.(type) {
	case *List:
		return m.joinItems(o.Items, nil)
	case *Tuple:
		return m.joinItems(o.Items, nil)
	}
	next := m.mustIterate(v)
	var out []Value
	for x, ok := next(); ok; x, ok = next() {
		m.alloc(16)
		out = append(out, x)
	}
	return out
}

func generator(name string, next func() (Value, bool)) *iterator {
	return &iterator{class: typeGenerator, name: name, next: next}
}

// reversed is Python's reversed(v); false if v has no order to reverse.
func (m *machine) reversed(v Value) (*iterator, bool) {
	var items []Value
	class := typeReversed
	switch o := v.(type) {
	case *List:
		// Read backwards from the present end.
		i := len(o.Items)
		return &iterator{class: class, next: func() (Value, bool) {
			if i = min(i, len(o.Items)); i == 0 {
				return nil, false
			}
			i--
			return o.Items[i], true
		}}, true
	case *Tuple:
		items, class = o.Items, &Type{Name: "reversed"}
	case Str, Markup, Bytes:
		items, class = m.list(v), &Type{Name: "reversed"}
	case *rangeValue:
		items, class = m.list(v), &Type{Name: "range_iterator"}
	case *Dict:
		items, class = o.keys(), &Type{Name: "dict_reversekeyiterator"}
	case *view:
		items, class = m.list(v), &Type{Name: "dict_reverse" + map[*Type]string{typeKeys: "key", typeValues: "value", typeItems: "item"}[o.class] + "iterator"}
	case *Undefined:
		panic(o.err())
	default:
		return nil, false
	}
	i := len(items)
	return &iterator{class: class, next: func() (Value, bool) {
		if i == 0 {
			return nil, false
		}
		i--
		return items[i], true
	}}, true
}

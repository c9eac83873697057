package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// A Dict is Python's dict: it keeps the order in which keys came.
type Dict struct {
	entries []entry
	index   map[any]int
	live    int
}

type entry struct {
	key, value Value // key is nil in a deleted entry
}

// NewDict returns an empty dict.
func NewDict() *Dict { return &Dict{} }

// Type returns the class dict.
func (*Dict) Type() *Type { return typeDict }

// Len is the number of keys.
func (d *Dict) Len() int { return d.live }

// Set puts value under the text key.
func (d *Dict) Set(key string, value Value) { d.set(key, Str(key), value) }

// Get returns the value under the text key.
func (d *Dict) Get(key string) (Value, bool) { return d.get(key) }

func (d *Dict) get(hash any) (Value, bool) {
	if i, ok := d.index[hash]; ok {
		return d.entries[i].value, true
	}
	return nil, false
}

// set keeps the key that came first, as Python does: {1: 'a', True: 'b'} is
// {1: 'b'}.
func (d *Dict) set(hash any, key, value Value) {
	if i, ok := d.index[hash]; ok {
		d.entries[i].value = value
		return
	}
	if d.index == nil {
		d.index = map[any]int{}
	}
	d.index[hash] = len(d.entries)
	d.entries = append(d.entries, entry{key, value})
	d.live++
}

func (d *Dict) remove(hash any) (Value, bool) {
	i, ok := d.index[hash]
	if !ok {
		return nil, false
	}
	v := d.entries[i].value
	delete(d.index, hash)
	d.entries[i] = entry{}
	d.live--
	if i == len(d.entries)-1 {
		d.entries = d.entries[:i]
	} else if len(d.entries) > 32 && d.live < len(d.entries)/2 {
		d.compact()
	}
	return v, true
}

func (d *Dict) compact() {
	old := d.entries
	where := make(map[int]int, d.live)
	d.entries = make([]entry, 0, d.live)
	for i, e := range old {
		if e.key != nil {
			where[i] = len(d.entries)
			d.entries = append(d.entries, e)
		}
	}
	for h, i := range d.index {
		d.index[h] = where[i]
	}
}

func (d *Dict) clear() { d.entries, d.index, d.live = nil, nil, 0 }

// All yields the keys and values in order.
func (d *Dict) All(yield func(key, value Value) bool) {
	for _, e := range d.entries {
		if e.key != nil && !yield(e.key, e.value) {
			return
		}
	}
}

func (d *Dict) keys() []Value {
	out := make([]Value, 0, d.live)
	for k := range d.All {
		out = append(out, k)
	}
	return out
}

func (d *Dict) values() []Value {
	out := make([]Value, 0, d.live)
	for _, v := range d.All {
		out = append(out, v)
	}
	return out
}

func (d *Dict) items() []Value {
	out := make([]Value, 0, d.live)
	for k, v := range d.All {
		out = append(out, NewTuple(k, v))
	}
	return out
}

func (d *Dict) copy() *Dict {
	c := NewDict()
	for h, i := range d.index {
		if c.index == nil {
			c.index = make(map[any]int, len(d.index))
		}
		c.index[h] = i
	}
	c.entries = append([]entry(nil), d.entries...)
	c.live = d.live
	return c
}

// setValue is Python's set or frozenset. Its order is that of insertion;
// Python's own is by hash and not to be relied on.
type setValue struct {
	dict   Dict
	frozen bool
}

func (s *setValue) Type() *Type {
	if s.frozen {
		return typeFrozenSet
	}
	return typeSet
}

// compositeKey keeps the hash of a tuple apart from any text.
type compositeKey string

type noneKey struct{}

// hash returns a Go value that is equal for two Python objects exactly if
// these are equal as keys. It raises TypeError for what cannot be a key.
func (m *machine) hash(v Value) any {
	switch v := v.(type) {
	case Str:
		return string(v)
	case Markup:
		return string(v)
	case Bool:
		n, _ := asInt(v)
		return n
	case Int:
		return int64(v)
	case bigInt:
		return compositeKey("i" + v.Text(62))
	case Float:
		f := float64(v)
		if f == math.Trunc(f) && !math.IsInf(f, 0) {
			if math.Abs(f) < 1<<62 {
				return int64(f)
			}
			b, _ := big.NewFloat(f).Int(nil)
			return m.hash(NewInt(b))
		}
		if f != f {
			return new(float64) // NaN equals nothing, not even itself
		}
		return f
	case noneType:
		return noneKey{}
	case Bytes:
		return compositeKey("b" + string(v))
	case *Tuple:
		m.enter()
		defer m.leave()
		var b strings.Builder
		b.WriteByte('(')
		for _, item := range v.Items {
			b.WriteString(m.hashText(item))
			b.WriteByte(',')
		}
		return compositeKey(b.String())
	case *setValue:
		if v.frozen {
			// Order must not matter; frozen sets as keys are rare enough to
			// compare by size and text.
			return compositeKey("s" + m.repr(v))
		}
	case *Undefined:
		if !v.lenient {
			panic(v.err())
		}
		return compositeKey("undefined")
	case *rangeValue:
		return compositeKey("r" + m.repr(v))
	case *DateTime:
		return compositeKey("d" + v.hashText())
	case Keyer:
		return compositeKey("k" + v.Type().qualified() + "\x00" + v.Key())
	case *List, *Dict, *view, *sliceValue:
	default:
		return v // objects without a notion of equality are themselves
	}
	panic(typeError("unhashable type: '%s'", v.Type().Name))
}

func (m *machine) hashText(v Value) string {
	m.step(1)
	switch h := m.hash(v).(type) {
	case string:
		return "'" + strconv.Itoa(len(h)) + ":" + h
	case int64:
		return "i" + strconv.FormatInt(h, 10)
	case float64:
		return "f" + strconv.FormatFloat(h, 'b', -1, 64)
	case noneKey:
		return "n"
	case compositeKey:
		return "c" + strconv.Itoa(len(h)) + ":" + string(h)
	default:
		m.alloc(16)
		return "p" + m.identity(h)
	}
}

package jinja

import (
	"math"
	"math/big"
	"strings"
)

// truth is Python's bool(v).
func (m *machine) truth(v Value) bool {
	switch v := v.(type) {
	case Bool:
		return bool(v)
	case noneType:
		return false
	case Int:
		return v != 0
	case Float:
		return v != 0
	case Str:
		return v != ""
	case Markup:
		return v != ""
	case Bytes:
		return v != ""
	case *List:
		return len(v.Items) > 0
	case *Tuple:
		return len(v.Items) > 0
	case *Dict:
		return v.live > 0
	case *view:
		return v.dict.live > 0
	case *setValue:
		return v.dict.live > 0
	case *rangeValue:
		return v.n > 0
	case *Delta:
		return !v.isZero()
	case *loop:
		return v.length(m) > 0
	case *Undefined:
		if !v.lenient {
			panic(v.err())
		}
		return false
	}
	return true
}

// length is Python's len(v).
func (m *machine) length(v Value) int {
	switch v := v.(type) {
	case Str:
		return runeLen(string(v))
	case Markup:
		return runeLen(string(v))
	case Bytes:
		return len(v)
	case *List:
		return len(v.Items)
	case *Tuple:
		return len(v.Items)
	case *Dict:
		return v.live
	case *view:
		return v.dict.live
	case *setValue:
		return v.dict.live
	case *rangeValue:
		return int(v.n)
	case *loop:
		return v.length(m)
	case *Undefined:
		if !v.lenient {
			panic(v.err())
		}
		return 0
	}
	panic(typeError("object of type '%s' has no len()", v.Type().shown()))
}

// equal is Python's a == b.
func (m *machine) equal(a, b Value) bool {
	m.step(1)
	if u, ok := a.(*Undefined); ok {
		if !u.lenient {
			panic(u.err())
		}
		v, ok := b.(*Undefined)
		return ok && v.lenient
	}
	if u, ok := b.(*Undefined); ok {
		if !u.lenient {
			panic(u.err())
		}
		return false
	}
	if x, ok := asStr(a); ok {
		y, ok := asStr(b)
		return ok && x == y
	}
	if isNumber(a) {
		if isNumber(b) {
			c, ok := compareNumbers(a, b)
			return ok && c == 0
		}
		return m.operandEqual(b, a)
	}
	switch x := a.(type) {
	case noneType:
		return b == None
	case Bytes:
		y, ok := b.(Bytes)
		return ok && x == y
	case *List:
		y, ok := b.(*List)
		return ok && m.equalItems(x.Items, y.Items)
	case *Tuple:
		y, ok := b.(*Tuple)
		return ok && m.equalItems(x.Items, y.Items)
	case *Dict:
		y, ok := b.(*Dict)
		return ok && m.equalDicts(x, y)
	case *setValue:
		if keys, ok := m.setLike(b); ok {
			return m.subset(&x.dict, keys) && x.dict.live == keys.live
		}
		return false
	case *view:
		if x.class == typeValues {
			return a == b
		}
		if y, ok := b.(*view); ok && x.class == typeItems && y.class == typeItems {
			return m.equalDicts(x.dict, y.dict) // whose values may not hash
		}
		if !isSetLike(b) {
			return false
		}
		mine, _ := m.setLike(a)
		keys, _ := m.setLike(b)
		return m.subset(mine, keys) && mine.live == keys.live
	case *rangeValue:
		y, ok := b.(*rangeValue)
		return ok && x.n == y.n && (x.n == 0 || x.start == y.start && (x.n == 1 || x.step == y.step))
	case *DateTime, *Delta:
		c, ok := m.compareTimes(a, b, true)
		return ok && c == 0
	case Operand:
		return m.operandEqual(x, b)
	case Keyer:
		y, ok := b.(Keyer)
		return ok && a.Type() == b.Type() && x.Key() == y.Key()
	}
	return a == b
}

func (m *machine) operandEqual(a, b Value) bool {
	if x, ok := a.(Operand); ok {
		v, err := x.Binary("==", b, false)
		raise(err)
		return v != nil && m.truth(v)
	}
	return false
}

func (m *machine) equalItems(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	m.enterComparison()
	defer m.leave()
	for i := range a {
		if !m.same(a[i], b[i]) && !m.equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (m *machine) equalDicts(a, b *Dict) bool {
	if a.live != b.live {
		return false
	}
	m.enterComparison()
	defer m.leave()
	for h, i := range a.index {
		v, ok := b.get(h)
		if !ok || !m.same(a.entries[i].value, v) && !m.equal(a.entries[i].value, v) {
			return false
		}
	}
	return true
}

// same is Python's a is b, with constants of equal value taken as one.
func (m *machine) same(a, b Value) bool {
	if a.Type() != b.Type() {
		return false
	}
	switch x := a.(type) {
	case Int, Bool, noneType, Str:
		return a == b
	case Float:
		return x == b.(Float)
	case bigInt:
		return x.Int == b.(bigInt).Int
	case *Tuple:
		return a == b || len(x.Items) == 0 && len(b.(*Tuple).Items) == 0
	}
	return a == b
}

func isNumber(v Value) bool {
	switch v.(type) {
	case Int, Bool, Float, bigInt:
		return true
	}
	return false
}

// compareNumbers orders two numbers exactly; false where one is NaN.
func compareNumbers(a, b Value) (int, bool) {
	if x, ok := asInt(a); ok {
		if y, ok := asInt(b); ok {
			switch {
			case x < y:
				return -1, true
			case x > y:
				return 1, true
			}
			return 0, true
		}
	}
	x, xok := a.(Float)
	y, yok := b.(Float)
	if xok && yok {
		switch {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		case x == y:
			return 0, true
		}
		return 0, false
	}
	if xok || yok {
		if xok && math.IsNaN(float64(x)) || yok && math.IsNaN(float64(y)) {
			return 0, false
		}
		return bigFloat(a).Cmp(bigFloat(b)), true
	}
	p, _ := asBig(a)
	q, _ := asBig(b)
	return p.Cmp(q), true
}

func bigFloat(v Value) *big.Float {
	if f, ok := v.(Float); ok {
		return new(big.Float).SetFloat64(float64(f))
	}
	b, _ := asBig(v)
	prec := uint(max(64, b.BitLen()))
	return new(big.Float).SetPrec(prec).SetInt(b)
}

// less is Python's a < b for any order operator; op names it in the error.
func (m *machine) compare(op string, a, b Value) bool {
	m.step(1)
	if u, ok := a.(*Undefined); ok {
		panic(u.err())
	}
	if u, ok := b.(*Undefined); ok {
		panic(u.err())
	}
	verdict := func(c int) bool {
		switch op {
		case "<":
			return c < 0
		case "<=":
			return c <= 0
		case ">":
			return c > 0
		}
		return c >= 0
	}
	if isNumber(a) && isNumber(b) {
		c, ok := compareNumbers(a, b)
		return ok && verdict(c)
	}
	if x, ok := asStr(a); ok {
		if y, ok := asStr(b); ok {
			return verdict(strings.Compare(x, y)) // UTF-8 keeps the order of code points
		}
	}
	switch x := a.(type) {
	case Bytes:
		if y, ok := b.(Bytes); ok {
			return verdict(strings.Compare(string(x), string(y)))
		}
	case *List:
		if y, ok := b.(*List); ok {
			return m.compareItems(op, x.Items, y.Items, verdict)
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return m.compareItems(op, x.Items, y.Items, verdict)
		}
	case *setValue, *view:
		if isSetLike(a) && isSetLike(b) {
			mine, _ := m.setLike(a)
			if keys, ok := m.setLike(b); ok {
				switch op {
				case "<":
					return mine.live < keys.live && m.subset(mine, keys)
				case "<=":
					return m.subset(mine, keys)
				case ">":
					return keys.live < mine.live && m.subset(keys, mine)
				}
				return m.subset(keys, mine)
			}
		}
	case *DateTime, *Delta:
		if c, ok := m.compareTimes(a, b, false); ok {
			return verdict(c)
		}
	case Operand:
		if b.Type().Is(a.Type()) {
			v, err := x.Binary("<", b, false)
			raise(err)
			if v != nil {
				switch {
				case m.truth(v):
					return verdict(-1)
				case m.equal(a, b):
					return verdict(0)
				}
				return verdict(1)
			}
		}
	}
	panic(typeError("'%s' not supported between instances of '%s' and '%s'", op, a.Type().shown(), b.Type().shown()))
}

// shown is the name that Python's own C code prints: with the module for
// classes written in C outside the built-in ones.
func (t *Type) shown() string {
	if t.Module == "datetime" {
		return t.qualified()
	}
	return t.Name
}

func (m *machine) compareItems(op string, a, b []Value, verdict func(int) bool) bool {
	m.enterComparison()
	defer m.leave()
	for i := range min(len(a), len(b)) {
		if !m.same(a[i], b[i]) && !m.equal(a[i], b[i]) {
			return m.compare(op, a[i], b[i])
		}
	}
	return verdict(len(a) - len(b))
}

// contains is Python's item in v.
func (m *machine) contains(v, item Value) bool {
	switch v := v.(type) {
	case Str, Markup:
		s, _ := asStr(v)
		sub, ok := asStr(item)
		if !ok {
			panic(typeError("'in <string>' requires string as left operand, not %s", item.Type().shown()))
		}
		m.step(len(s) / 64)
		return strings.Contains(s, sub)
	case *Dict:
		_, ok := v.get(m.hash(item))
		return ok
	case *setValue:
		_, ok := v.dict.get(m.hash(item))
		return ok
	case *view:
		switch v.class {
		case typeKeys:
			_, ok := v.dict.get(m.hash(item))
			return ok
		case typeItems:
			t, ok := item.(*Tuple)
			if !ok || len(t.Items) != 2 {
				return false
			}
			have, ok := v.dict.get(m.hash(t.Items[0]))
			return ok && m.equal(have, t.Items[1])
		}
	case *rangeValue:
		if n, ok := asInt(item); ok {
			if v.n == 0 || (n-v.start)%v.step != 0 {
				return false
			}
			i := (n - v.start) / v.step
			return i >= 0 && i < v.n
		}
	case *Undefined:
		if !v.lenient {
			panic(v.err())
		}
		return false
	}
	next, ok := m.iterate(v)
	if !ok {
		panic(typeError("argument of type '%s' is not iterable", v.Type().shown()))
	}
	for x, ok := next(); ok; x, ok = next() {
		if m.same(x, item) || m.equal(x, item) {
			return true
		}
	}
	return false
}

// binary is Python's a op b for the arithmetic operators.
func (m *machine) binary(op string, a, b Value) Value {
	m.step(1)
	if op == "%" {
		switch x := a.(type) {
		case Str:
			return Str(m.percent(string(x), b, nil))
		case Markup:
			return Markup(m.percent(string(x), b, func(s string) string { return escapeHTML(s) }))
		}
	}
	if u, ok := a.(*Undefined); ok {
		panic(u.err())
	}
	if u, ok := b.(*Undefined); ok {
		panic(u.err())
	}
	if isNumber(a) && isNumber(b) {
		return m.arithmetic(op, a, b)
	}
	if x, ok := a.(Operand); ok {
		v, err := x.Binary(op, b, false)
		raise(err)
		if v != nil {
			return v
		}
	}
	if x, ok := b.(Operand); ok {
		v, err := x.Binary(op, a, true)
		raise(err)
		if v != nil {
			return v
		}
	}
	if v := m.timeArithmetic(op, a, b); v != nil {
		return v
	}
	switch op {
	case "+":
		if v := m.concat(a, b); v != nil {
			return v
		}
	case "*":
		if v := m.repeat(a, b); v != nil {
			return v
		}
	case "-":
		if v := m.setDifference(a, b); v != nil {
			return v
		}
	}
	if op == "**" {
		op = "** or pow()"
	}
	panic(typeError("unsupported operand type(s) for %s: '%s' and '%s'", op, a.Type().shown(), b.Type().shown()))
}

func (m *machine) concat(a, b Value) Value {
	switch x := a.(type) {
	case Markup:
		if y, ok := asStr(b); ok {
			return Markup(m.join(string(x), m.escape(b, y)))
		}
	case Str:
		switch y := b.(type) {
		case Str:
			return Str(m.join(string(x), string(y)))
		case Markup:
			return Markup(m.join(escapeHTML(string(x)), string(y)))
		}
		panic(typeError(`can only concatenate str (not "%s") to str`, b.Type().shown()))
	case Bytes:
		if y, ok := b.(Bytes); ok {
			return x + y
		}
		panic(typeError("can't concat %s to bytes", b.Type().shown()))
	case *List:
		if y, ok := b.(*List); ok {
			return &List{Items: m.joinItems(x.Items, y.Items)}
		}
		panic(typeError(`can only concatenate list (not "%s") to list`, b.Type().shown()))
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return NewTuple(m.joinItems(x.Items, y.Items)...)
		}
		panic(typeError(`can only concatenate tuple (not "%s") to tuple`, b.Type().shown()))
	}
	return nil
}

func (m *machine) join(a, b string) string {
	m.alloc(len(a) + len(b))
	return a + b
}

func (m *machine) joinItems(a, b []Value) []Value {
	m.alloc(16 * (len(a) + len(b)))
	out := make([]Value, 0, len(a)+len(b))
	return append(append(out, a...), b...)
}

func (m *machine) repeat(a, b Value) Value {
	if !isSequence(a) {
		if !isSequence(b) {
			return nil
		}
		a, b = b, a
	}
	n, ok := asInt(b)
	if !ok {
		if _, big := b.(bigInt); big {
			panic(Errorf("OverflowError", "cannot fit 'int' into an index-sized integer"))
		}
		panic(typeError("can't multiply sequence by non-int of type '%s'", b.Type().shown()))
	}
	n = max(n, 0)
	switch x := a.(type) {
	case Str:
		return Str(m.repeatText(string(x), n))
	case Markup:
		return Markup(m.repeatText(string(x), n))
	case Bytes:
		return Bytes(m.repeatText(string(x), n))
	case *List:
		return &List{Items: m.repeatItems(x.Items, n)}
	case *Tuple:
		return NewTuple(m.repeatItems(x.Items, n)...)
	}
	return nil
}

func isSequence(v Value) bool {
	switch v.(type) {
	case Str, Markup, Bytes, *List, *Tuple:
		return true
	}
	return false
}

func (m *machine) repeatText(s string, n int64) string {
	if s == "" || n == 0 {
		return ""
	}
	m.allocMany(int64(len(s)), n)
	return strings.Repeat(s, int(n))
}

func (m *machine) repeatItems(items []Value, n int64) []Value {
	if len(items) == 0 || n == 0 {
		return nil
	}
	m.allocMany(int64(16*len(items)), n)
	out := make([]Value, 0, int64(len(items))*n)
	for range n {
		out = append(out, items...)
	}
	return out
}

func isSetLike(v Value) bool {
	switch v := v.(type) {
	case *setValue:
		return true
	case *view:
		return v.class != typeValues
	}
	return false
}

// setLike returns the keys of what takes part in the algebra of sets.
func (m *machine) setLike(v Value) (*Dict, bool) {
	switch v := v.(type) {
	case *setValue:
		return &v.dict, true
	case *view:
		switch v.class {
		case typeKeys:
			return v.dict, true
		case typeItems:
			return &m.newSet(v.dict.items()).dict, true
		}
	}
	return nil, false
}

// setDifference is a - b for sets; with a view of a dict the other may be
// anything that can be iterated.
func (m *machine) setDifference(a, b Value) Value {
	x, xok := m.setLike(a)
	y, yok := m.setLike(b)
	_, aView := a.(*view)
	_, bView := b.(*view)
	if xok && !yok && aView {
		y, yok = &m.newSet(m.list(b)).dict, true
	}
	if yok && !xok && bView {
		x, xok = &m.newSet(m.list(a)).dict, true
	}
	if !xok || !yok {
		return nil
	}
	return m.difference(x, y)
}

func (m *machine) newSet(items []Value) *setValue {
	s := &setValue{}
	m.alloc(32 * len(items))
	for _, item := range items {
		s.dict.set(m.hash(item), item, None)
	}
	return s
}

func (m *machine) subset(a, b *Dict) bool {
	m.step(a.live)
	for h := range a.index {
		if _, ok := b.index[h]; !ok {
			return false
		}
	}
	return true
}

func (m *machine) difference(a, b *Dict) *setValue {
	s := &setValue{}
	m.alloc(32 * a.live)
	for k := range a.All {
		h := m.hash(k)
		if _, ok := b.index[h]; !ok {
			s.dict.set(h, k, None)
		}
	}
	return s
}

// unary is Python's -v or +v.
func (m *machine) unary(op string, v Value) Value {
	switch x := v.(type) {
	case *Undefined:
		panic(x.err())
	case Bool:
		n, _ := asInt(x)
		v = Int(n)
	case *Delta:
		if op == "-" {
			return x.neg()
		}
		return x
	case Operand:
		if op == "-" {
			r, err := x.Binary("*", Int(-1), false)
			raise(err)
			if r != nil {
				return r
			}
		}
	}
	switch x := v.(type) {
	case Int:
		if op == "+" {
			return x
		}
		if x == math.MinInt64 {
			return NewInt(new(big.Int).Neg(big.NewInt(int64(x))))
		}
		return -x
	case bigInt:
		if op == "+" {
			return x
		}
		return NewInt(new(big.Int).Neg(x.Int))
	case Float:
		if op == "+" {
			return x
		}
		return -x
	}
	panic(typeError("bad operand type for unary %s: '%s'", op, v.Type().shown()))
}

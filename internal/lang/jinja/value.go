package jinja

import (
	"math/big"
)

// A Value is a Python object. The zero interface is not a value; None is
// [None].
type Value interface {
	// Type is the class of the object.
	Type() *Type
}

// A Type is a Python class.
type Type struct {
	Name string
	// Module is empty for Python's built-in classes.
	Module string
	// Base is the class that this one extends; nil means object.
	Base *Type
	// dunders lists the attributes with two underscores beyond object's own.
	dunders string
}

// Type returns the class of classes.
func (t *Type) Type() *Type { return typeType }

// Is reports whether t is base or extends it.
func (t *Type) Is(base *Type) bool {
	for ; t != nil; t = t.Base {
		if t == base {
			return true
		}
	}
	return false
}

func (t *Type) qualified() string {
	if t.Module == "" {
		return t.Name
	}
	return t.Module + "." + t.Name
}

const (
	dSeq     = " __add__ __contains__ __getitem__ __iter__ __len__ __mul__ __rmul__ "
	dMutable = dSeq + " __delitem__ __setitem__ __reversed__ __class_getitem__ "
	dNumber  = " __abs__ __add__ __bool__ __divmod__ __float__ __floor__ __ceil__ __floordiv__ __int__ __mod__ __mul__ __neg__ __pos__ __pow__ __radd__ __rdivmod__ __rfloordiv__ __rmod__ __rmul__ __round__ __rpow__ __rsub__ __rtruediv__ __sub__ __truediv__ __trunc__ __getnewargs__ "
	dInt     = dNumber + " __and__ __index__ __invert__ __lshift__ __or__ __rand__ __rlshift__ __ror__ __rrshift__ __rshift__ __rxor__ __xor__ "
	dBuiltin = " __call__ __module__ __name__ __qualname__ __self__ __text_signature__ "
	dFunc    = " __annotations__ __builtins__ __call__ __closure__ __code__ __defaults__ __dict__ __get__ __globals__ __kwdefaults__ __module__ __name__ __qualname__ __wrapped__ "
	dObject  = " __dict__ __module__ __weakref__ "
	dType    = " __subclasses__ __mro__ __bases__ __base__ __basicsize__ __name__ __qualname__ __module__ __dict__ __call__ __flags__ __instancecheck__ __subclasscheck__ __prepare__ __or__ __ror__ __dictoffset__ __itemsize__ __weakrefoffset__ __text_signature__ __abstractmethods__ __annotations__ "
	dView    = " __contains__ __iter__ __len__ __reversed__ __and__ __or__ __xor__ __sub__ __rand__ __ror__ __rxor__ __rsub__ "
)

// The classes of the values that this package makes.
var (
	typeType      = &Type{Name: "type", dunders: dType}
	typeNone      = &Type{Name: "NoneType", dunders: " __bool__ "}
	typeBool      = &Type{Name: "bool", Base: typeInt, dunders: dInt}
	typeInt       = &Type{Name: "int", dunders: dInt}
	typeFloat     = &Type{Name: "float", dunders: dNumber}
	typeStr       = &Type{Name: "str", dunders: dSeq + " __mod__ __rmod__ __getnewargs__ "}
	typeMarkup    = &Type{Name: "Markup", Module: "markupsafe", Base: typeStr, dunders: dSeq + " __mod__ __rmod__ __html__ __html_format__ __slots__ __module__ "}
	typeBytes     = &Type{Name: "bytes", dunders: dSeq + " __mod__ __rmod__ __getnewargs__ __bytes__ "}
	typeList      = &Type{Name: "list", dunders: dMutable + " __iadd__ __imul__ "}
	typeTuple     = &Type{Name: "tuple", dunders: dSeq + " __class_getitem__ __getnewargs__ "}
	typeDict      = &Type{Name: "dict", dunders: dMutable + " __ior__ __or__ __ror__ "}
	typeSet       = &Type{Name: "set", dunders: dView}
	typeFrozenSet = &Type{Name: "frozenset", dunders: dView}
	typeRange     = &Type{Name: "range", dunders: " __bool__ __contains__ __getitem__ __iter__ __len__ __reversed__ "}
	typeSlice     = &Type{Name: "slice"}
	typeGenerator = &Type{Name: "generator", dunders: " __del__ __iter__ __name__ __next__ __qualname__ "}
	typeReversed  = &Type{Name: "list_reverseiterator", dunders: " __iter__ __next__ __length_hint__ "}
	typeKeys      = &Type{Name: "dict_keys", dunders: dView}
	typeValues    = &Type{Name: "dict_values", dunders: " __iter__ __len__ __reversed__ "}
	typeItems     = &Type{Name: "dict_items", dunders: dView}
	typeFunction  = &Type{Name: "function", dunders: dFunc}
	typeBuiltin   = &Type{Name: "builtin_function_or_method", dunders: dBuiltin}
	typeMethod    = &Type{Name: "method", dunders: dFunc + " __self__ __func__ "}
	typeModule    = &Type{Name: "module", dunders: " __all__ __builtins__ __cached__ __dict__ __file__ __loader__ __name__ __package__ __path__ __spec__ "}

	typeUndefined = &Type{Name: "Undefined", Module: "jinja2.runtime", dunders: dUndefined}
	typeStrict    = &Type{Name: "StrictUndefined", Module: "jinja2.runtime", Base: typeUndefined, dunders: dUndefined}
	typeMacro     = &Type{Name: "Macro", Module: "jinja2.runtime", dunders: dObject + " __call__ "}
	typeLoop      = &Type{Name: "LoopContext", Module: "jinja2.runtime", dunders: dObject + " __call__ __iter__ __next__ __len__ "}
	typeBlockRef  = &Type{Name: "BlockReference", Module: "jinja2.runtime", dunders: dObject + " __call__ "}
	typeSelf      = &Type{Name: "TemplateReference", Module: "jinja2.runtime", dunders: dObject + " __getitem__ "}
	typeCycler    = &Type{Name: "Cycler", Module: "jinja2.utils", dunders: dObject + " __next__ "}
	typeJoiner    = &Type{Name: "Joiner", Module: "jinja2.utils", dunders: dObject + " __call__ "}
	typeNamespace = &Type{Name: "Namespace", Module: "jinja2.utils"}
	typeGroup     = &Type{Name: "_GroupTuple", Module: "jinja2.filters", Base: typeTuple, dunders: dSeq + dObject}
)

const dUndefined = dSeq + " __radd__ __sub__ __rsub__ __rmul__ __div__ __rdiv__ __truediv__ __rtruediv__ __floordiv__ __rfloordiv__ __mod__ __rmod__ __pos__ __neg__ __call__ __int__ __float__ __complex__ __pow__ __rpow__ __bool__ __aiter__ __getattr__ __slots__ __module__ "

const dCommon = " __class__ __delattr__ __dir__ __doc__ __eq__ __format__ __ge__ __getattribute__ __getstate__ __gt__ __hash__ __init__ __init_subclass__ __le__ __lt__ __ne__ __new__ __reduce__ __reduce_ex__ __repr__ __setattr__ __sizeof__ __str__ __subclasshook__ "

type noneType struct{}

// None is Python's None.
var None Value = noneType{}

func (noneType) Type() *Type { return typeNone }

// Bool is Python's bool.
type Bool bool

// Type returns the class bool.
func (Bool) Type() *Type { return typeBool }

// Int is a Python int that fits 64 bits; see [NewInt].
type Int int64

// Type returns the class int.
func (Int) Type() *Type { return typeInt }

// bigInt is a Python int that does not fit 64 bits. It is never changed.
type bigInt struct{ *big.Int }

func (bigInt) Type() *Type { return typeInt }

// NewInt returns the Python int of the value of b.
func NewInt(b *big.Int) Value {
	if b.IsInt64() {
		return Int(b.Int64())
	}
	return bigInt{b}
}

// Float is Python's float.
type Float float64

// Type returns the class float.
func (Float) Type() *Type { return typeFloat }

// Str is Python's str, as UTF-8.
type Str string

// Type returns the class str.
func (Str) Type() *Type { return typeStr }

// Markup is text that is safe as HTML.
type Markup string

// Type returns the class Markup.
func (Markup) Type() *Type { return typeMarkup }

// Bytes is Python's bytes. Templates meet it only as the result of
// str.encode.
type Bytes string

// Type returns the class bytes.
func (Bytes) Type() *Type { return typeBytes }

// A List is Python's list.
type List struct{ Items []Value }

// Type returns the class list.
func (*List) Type() *Type { return typeList }

// NewList returns a list of the given items, which it then owns.
func NewList(items ...Value) *List { return &List{Items: items} }

// A Tuple is Python's tuple; with Names, a named one.
type Tuple struct {
	Items []Value
	Class *Type // nil means tuple
	Names []string
}

// Type returns the class tuple or the tuple's own.
func (t *Tuple) Type() *Type {
	if t.Class != nil {
		return t.Class
	}
	return typeTuple
}

// NewTuple returns a tuple of the given items, which it then owns.
func NewTuple(items ...Value) *Tuple { return &Tuple{Items: items} }

// rangeValue is Python's range.
type rangeValue struct{ start, stop, step, n int64 }

func (*rangeValue) Type() *Type { return typeRange }

func (g *rangeValue) at(i int64) Value { return Int(g.start + i*g.step) }

// sliceValue is the argument of a subscript such as a[1:2].
type sliceValue struct{ start, stop, step Value }

func (*sliceValue) Type() *Type { return typeSlice }

// iterator is a Python iterator or generator: it can be read once.
type iterator struct {
	class *Type
	next  func() (Value, bool)
	name  string
}

func (it *iterator) Type() *Type { return it.class }

// view is what dict.keys, values and items return.
type view struct {
	class *Type
	dict  *Dict
}

func (v *view) Type() *Type { return v.class }

// A Module is a Python module or another bag of names.
type Module struct {
	Name  string
	Class *Type // nil means module
	Attrs map[string]Value
	// Text is what str and repr give; empty means Python's text for a module.
	Text string
}

// Type returns the class module or the object's own.
func (o *Module) Type() *Type {
	if o.Class != nil {
		return o.Class
	}
	return typeModule
}

// Attr returns the attribute of that name.
func (o *Module) Attr(name string) (Value, bool) {
	v, ok := o.Attrs[name]
	return v, ok
}

// An Attrer finds its own attributes, before those of its class.
type Attrer interface {
	Attr(name string) (Value, bool)
}

// A Texter says what str and repr give for it.
type Texter interface {
	Str() string
	Repr() string
}

// A Keyer is equal to, and hashes as, any object of its class with the same
// key.
type Keyer interface {
	Value
	Key() string
}

// An Operand takes part in arithmetic and order. Binary returns nil where
// the operator is not known for these operands; swapped says that the
// operand stands on the right. op is "+", "-", "*", "/", "//", "%", "**",
// or "<" and "==".
type Operand interface {
	Value
	Binary(op string, other Value, swapped bool) (Value, error)
}

// Undefined stands for a value that is not there. What uses it fails with
// its message.
type Undefined struct {
	hint    string
	obj     Value // nil: a name
	name    Value
	exc     string // empty: UndefinedError
	lenient bool   // of an inline if without else: prints as nothing
}

// Type returns the class StrictUndefined, or Undefined for that of an
// inline if.
func (u *Undefined) Type() *Type {
	if u.lenient {
		return typeUndefined
	}
	return typeStrict
}

func (u *Undefined) err() *Error {
	exc := u.exc
	if exc == "" {
		exc = "UndefinedError"
	}
	return Errorf(exc, "%s", u.message())
}

func (u *Undefined) message() string {
	if u.hint != "" {
		return u.hint
	}
	if u.obj == nil {
		return quote(string(u.name.(Str))) + " is undefined"
	}
	owner := "None"
	if u.obj != None {
		owner = u.obj.Type().qualified() + " object"
	}
	if s, ok := asStr(u.name); ok {
		return quote(owner) + " has no attribute " + quote(s)
	}
	return owner + " has no element " + plainRepr(u.name)
}

// undefinedName is a name that no scope knows.
func undefinedName(name string) *Undefined { return &Undefined{name: Str(name)} }

// asStr returns the text of a str, Markup included.
func asStr(v Value) (string, bool) {
	switch v := v.(type) {
	case Str:
		return string(v), true
	case Markup:
		return string(v), true
	}
	return "", false
}

// asInt returns the value of a small int or bool.
func asInt(v Value) (int64, bool) {
	switch v := v.(type) {
	case Int:
		return int64(v), true
	case Bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// asBig returns the value of any int or bool.
func asBig(v Value) (*big.Int, bool) {
	if b, ok := v.(bigInt); ok {
		return b.Int, true
	}
	if n, ok := asInt(v); ok {
		return big.NewInt(n), true
	}
	return nil, false
}

func isUndefined(v Value) bool {
	_, ok := v.(*Undefined)
	return ok
}

package wdl

import (
	"slices"
	"strings"
)

// A Kind is what a [Type] is apart from its parameters.
type Kind uint8

// The kinds. The zero Kind is Any.
const (
	// Any is what is known only when it is there, such as what read_json
	// returns and the items of an empty array. An optional Any is None.
	Any Kind = iota
	Boolean
	Int
	Float
	String
	File
	Directory
	Array
	Map
	Pair
	Object
	// Struct is an instance of a [StructType].
	Struct
	// Outputs is what a call's name stands for.
	Outputs
	// Var stands for a type in a [Signature].
	Var
)

// A Type is a type of the language. It is immutable; the zero Type is Any.
type Type struct {
	Kind     Kind
	Optional bool // T?
	Nonempty bool // Array[T]+
	name     byte // of a Var
	// Of are the parameters: the item of an array, key and value of a map, left
	// and right of a pair.
	of *[2]Type
	// Struct describes a Struct, the members of Outputs, and, where they are
	// known because it is written out, those of an Object or a Map.
	Struct *StructType
}

// A StructType is the members of a struct. [Load] refuses structs that hold
// themselves, and those that hold too many members with all that is nested.
type StructType struct {
	Name    string
	Members []Field
	size    int // members with all that is nested in them
	// wraps says what is around the type of each member: 'A' an array, 'O' an
	// optional, the outermost first. So the outputs of a task that is called
	// often are listed once.
	wraps string
}

// A Field is a member of a struct.
type Field struct {
	Name string
	Type Type
}

// Field returns the type of a member.
func (s *StructType) Field(name string) (Type, bool) {
	for _, f := range s.Members {
		if f.Name == name {
			return wrapped(f.Type, s.wraps), true
		}
	}
	return Type{}, false
}

// wrapped returns a type with arrays and optionals around it.
func wrapped(t Type, wraps string) Type {
	for i := len(wraps) - 1; i >= 0; i-- {
		if wraps[i] == 'A' {
			t = ArrayOf(t)
			continue
		}
		t = t.Opt()
	}
	return t
}

// Of returns the type of a kind that has no parameters.
func Of(k Kind) Type { return Type{Kind: k} }

// ArrayOf returns Array[item].
func ArrayOf(item Type) Type { return Type{Kind: Array, of: &[2]Type{item}} }

// MapOf returns Map[key, value].
func MapOf(key, value Type) Type { return Type{Kind: Map, of: &[2]Type{key, value}} }

// PairOf returns Pair[left, right].
func PairOf(left, right Type) Type { return Type{Kind: Pair, of: &[2]Type{left, right}} }

// StructOf returns the type of instances of s.
func StructOf(s *StructType) Type { return Type{Kind: Struct, Struct: s} }

// None returns the type of None.
func None() Type { return Type{Kind: Any, Optional: true} }

// Item returns the item of an array, and Any of what is no array.
func (t Type) Item() Type { return t.param(Array, 0) }

// Key returns the key of a map, and Any of what is no map.
func (t Type) Key() Type { return t.param(Map, 0) }

// Value returns the value of a map, and Any of what is no map.
func (t Type) Value() Type { return t.param(Map, 1) }

// Left returns the left of a pair, and Any of what is no pair.
func (t Type) Left() Type { return t.param(Pair, 0) }

// Right returns the right of a pair, and Any of what is no pair.
func (t Type) Right() Type { return t.param(Pair, 1) }

func (t Type) param(k Kind, i int) Type {
	if t.Kind != k || t.of == nil {
		return Type{}
	}
	return t.of[i]
}

// Opt returns t?.
func (t Type) Opt() Type {
	t.Optional = true
	return t
}

// Plain returns t without its question mark.
func (t Type) Plain() Type {
	t.Optional = false
	return t
}

// Plus returns t+.
func (t Type) Plus() Type {
	t.Nonempty = true
	return t
}

// Primitive says that values of the type have no parts.
func (t Type) Primitive() bool { return t.Kind >= Boolean && t.Kind <= Directory }

// Path says that values of the type are files or directories.
func (t Type) Path() bool { return t.Kind == File || t.Kind == Directory }

// Number says that the type is Int or Float.
func (t Type) Number() bool { return t.Kind == Int || t.Kind == Float }

// Any says that nothing is known of the type, not even that it is None.
func (t Type) Any() bool { return t.Kind == Any && !t.Optional }

// HasPaths says that a value of the type may contain files or directories.
func (t Type) HasPaths() bool {
	switch t.Kind {
	case File, Directory:
		return true
	case Array, Map, Pair:
		return t.of[0].HasPaths() || t.of[1].Kind != Any && t.of[1].HasPaths()
	case Struct, Object, Outputs:
		if t.Struct == nil {
			return false
		}
		return slices.ContainsFunc(t.Struct.Members, func(f Field) bool { return f.Type.HasPaths() })
	}
	return false
}

// String returns the type as it is written.
func (t Type) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t Type) write(b *strings.Builder) {
	switch t.Kind {
	case Any:
		if t.Optional {
			b.WriteString("None")
			return
		}
		b.WriteString("Any")
	case Array:
		b.WriteString("Array[")
		t.Item().write(b)
		b.WriteByte(']')
	case Map, Pair:
		b.WriteString([...]string{Map: "Map[", Pair: "Pair["}[t.Kind])
		t.of[0].write(b)
		b.WriteString(", ")
		t.of[1].write(b)
		b.WriteByte(']')
	case Struct:
		b.WriteString(t.Struct.Name)
	case Outputs:
		b.WriteString("outputs of " + t.Struct.Name)
	case Var:
		b.WriteByte(t.name)
	default:
		b.WriteString([...]string{
			Boolean: "Boolean", Int: "Int", Float: "Float", String: "String", File: "File", Directory: "Directory", Object: "Object",
		}[t.Kind])
	}
	if t.Nonempty {
		b.WriteByte('+')
	}
	if t.Optional {
		b.WriteByte('?')
	}
}

// Equal says that two types are the same. Structs are the same if their
// members are, whatever their names.
func (t Type) Equal(u Type) bool {
	return t.Optional == u.Optional && t.Nonempty == u.Nonempty && t.name == u.name && t.same(u, Type.Equal)
}

// same says that two types have the same kind, and parameters that are equal
// by eq.
func (t Type) same(u Type, eq func(Type, Type) bool) bool {
	if t.Kind != u.Kind {
		return false
	}
	if t.of != nil && u.of != nil {
		return eq(t.of[0], u.of[0]) && (t.Kind == Array || eq(t.of[1], u.of[1]))
	}
	if t.Struct == u.Struct {
		return true
	}
	if t.Struct == nil || u.Struct == nil || len(t.Struct.Members) != len(u.Struct.Members) {
		return false
	}
	for _, f := range t.Struct.Members {
		g, ok := u.Struct.Field(f.Name)
		if !ok || !eq(f.Type, g) {
			return false
		}
	}
	return true
}

// Rules say which types go where: the rules of a version, or the lenient
// ones.
type Rules struct {
	Version Version
	// Lenient turns a Float that is whole into an Int, and a Map into an
	// Array of Pairs and back, as HealthOmics does for WDL_LENIENT.
	Lenient bool

	// fits remembers how the members of structs go for those of others; nil
	// remembers nothing.
	fits map[structPair]Fit
}

type structPair struct {
	from, to *StructType
	all      bool
}

// A Fit says how a value of one type goes where another is expected.
type Fit int

// The fits.
const (
	Misfit Fit = iota
	// Loose: some values of the type do, which shows when they are there. A
	// String goes for an Int if it is the text of one.
	Loose
	// Good: every value does.
	Good
)

// Assignable says that a value of one type may be given where another is
// expected. Whether it is a fit for each value is known when it is there: see
// [Rules.Fit].
func (r Rules) Assignable(from, to Type) bool { return r.Fit(from, to) != Misfit }

// Fit says how values of one type go where another is expected:
//
//   - everything goes where it is expected itself, or as an optional; what is
//     optional goes to optionals alone;
//   - Int to Float; Boolean, Int, Float, File, Directory to String; String to
//     File and Directory, and loosely to Int and Float;
//   - Array, Map and Pair if their parameters do; whether an array has items is
//     known when it is there;
//   - structs with the same members to each other, objects to structs and to
//     maps, maps with String keys loosely to structs and objects, structs to
//     maps and objects;
//   - Any to everything;
//   - lenient: Float loosely to Int, Map to Array[Pair] and back, and
//     Boolean to and from String.
func (r Rules) Fit(from, to Type) Fit {
	if from.Kind == Any {
		if from.Optional && !to.Optional && to.Kind != Any {
			return Misfit
		}
		return Good
	}
	if to.Kind == Any {
		return Good
	}
	if from.Optional && !to.Optional {
		return Misfit
	}
	switch {
	case from.Kind == to.Kind:
		switch from.Kind {
		case Array:
			return r.Fit(from.Item(), to.Item())
		case Map, Pair:
			if from.Struct != nil { // a map that is written out
				return r.entries(from, to)
			}
			return min(r.Fit(from.of[0], to.of[0]), r.Fit(from.of[1], to.of[1]))
		case Struct:
			if from.Struct == to.Struct {
				return Good
			}
			if len(from.Struct.Members) != len(to.Struct.Members) {
				return Misfit
			}
			return r.members(from.Struct, to.Struct, true)
		}
		return Good
	case to.Kind == String:
		switch from.Kind {
		case Boolean, Int, Float, File, Directory:
			return Good
		}
	case from.Kind == String:
		switch to.Kind {
		case File, Directory:
			return Good
		case Int, Float:
			return Loose
		case Boolean:
			return r.lenient()
		}
	case from.Kind == Int && to.Kind == Float:
		return Good
	case from.Kind == Float && to.Kind == Int:
		return r.lenient()
	case from.Kind == Map && to.Kind == Array && to.Item().Kind == Pair:
		pair := to.Item()
		return min(r.lenient(), r.Fit(from.Key(), pair.Left()), r.Fit(from.Value(), pair.Right()))
	case from.Kind == Array && from.Item().Kind == Pair && to.Kind == Map:
		pair := from.Item()
		return min(r.lenient(), r.Fit(pair.Left(), to.Key()), r.Fit(pair.Right(), to.Value()))
	case from.Kind == Object && to.Kind == Struct:
		if from.Struct == nil {
			return Loose // as read from a file
		}
		return r.members(from.Struct, to.Struct, false)
	case from.Kind == Struct && to.Kind == Object:
		return Good
	case (from.Kind == Object || from.Kind == Struct) && to.Kind == Map:
		if r.Fit(Of(String), to.Key()) == Misfit {
			return Misfit
		}
		if from.Struct == nil {
			return Loose
		}
		worst := Good
		for _, f := range from.Struct.Members {
			worst = min(worst, r.Fit(f.Type, to.Value()))
		}
		return worst
	case from.Kind == Map && (to.Kind == Struct || to.Kind == Object):
		if r.Fit(from.Key(), Of(String)) == Misfit {
			return Misfit
		}
		if from.Struct != nil && to.Kind == Struct { // the keys are written out
			return r.members(from.Struct, to.Struct, false)
		}
		return Loose
	}
	return Misfit
}

// entries says how a map that is written out goes for another map.
func (r Rules) entries(from, to Type) Fit {
	worst := r.Fit(from.Key(), to.Key())
	for _, f := range from.Struct.Members {
		worst = min(worst, r.Fit(f.Type, to.Value()))
	}
	return worst
}

func (r Rules) lenient() Fit {
	if r.Lenient {
		return Loose
	}
	return Misfit
}

// members says how the members of from go for those of to. Optional ones may
// be missing unless all must be there; others that to does not have are left
// out.
func (r Rules) members(from, to *StructType, all bool) Fit {
	if known, ok := r.fits[structPair{from, to, all}]; ok {
		return known
	}
	fit := r.eachMember(from, to, all)
	if r.fits != nil {
		r.fits[structPair{from, to, all}] = fit
	}
	return fit
}

func (r Rules) eachMember(from, to *StructType, all bool) Fit {
	worst := Good
	for _, want := range to.Members {
		have, ok := from.Field(want.Name)
		switch {
		case ok:
			worst = min(worst, r.Fit(have, want.Type))
		case all || !want.Type.Optional:
			return Misfit
		}
	}
	return worst
}

// Unify returns the narrowest type that all of the types go to: Float for Int
// and Float, String for String and what has a text. It returns false if there
// is none, and Any for no types.
func (r Rules) Unify(types ...Type) (Type, bool) {
	if len(types) == 0 {
		return Type{}, true
	}
	t := types[0]
	for _, u := range types[1:] {
		var ok bool
		if t, ok = r.join(t, u); !ok {
			return Type{}, false
		}
	}
	return t, true
}

// join is [Rules.Unify] of two.
func (r Rules) join(t, u Type) (Type, bool) {
	optional := t.Optional || u.Optional
	switch {
	case t.Kind == Any:
		t = u
	case u.Kind == Any:
	case t.Kind == u.Kind && t.of != nil && u.of != nil:
		joined := [2]Type{}
		for i := range joined {
			var ok bool
			if joined[i], ok = r.join(t.of[i], u.of[i]); !ok {
				return Type{}, false
			}
		}
		t = Type{Kind: t.Kind, Nonempty: t.Nonempty && u.Nonempty, of: &joined}
	case t.Kind == Object && u.Kind == Object:
		t = r.joinObjects(t, u)
	case t.Kind == u.Kind && t.Kind != Struct:
	case (t.Kind == Map || t.Kind == Object) && u.Kind == Struct && r.Assignable(t.Plain(), u.Plain()):
		t = u
	case u.Kind == String && t.Primitive(), t.Kind == Int && u.Kind == Float:
		t = u
	case t.Kind == String && u.Primitive(), t.Kind == Float && u.Kind == Int:
	case r.Fit(u.Plain(), t.Plain()) == Good:
	case r.Fit(t.Plain(), u.Plain()) == Good:
		t = u
	default:
		return Type{}, false
	}
	t.Optional = optional
	return t, true
}

// joinObjects returns an object that has the members of both; those that one
// alone has are optional.
func (r Rules) joinObjects(t, u Type) Type {
	if t.Struct == nil || u.Struct == nil {
		return Of(Object)
	}
	out := &StructType{Name: "object"}
	for _, f := range t.Struct.Members {
		g, ok := u.Struct.Field(f.Name)
		if !ok {
			f.Type = f.Type.Opt()
		} else if joined, ok := r.join(f.Type, g); ok {
			f.Type = joined
		} else {
			f.Type = Type{}
		}
		out.Members = append(out.Members, f)
	}
	for _, g := range u.Struct.Members {
		if _, ok := t.Struct.Field(g.Name); !ok {
			out.Members = append(out.Members, Field{g.Name, g.Type.Opt()})
		}
	}
	return Type{Kind: Object, Struct: out}
}

// Equatable says that == may compare values of the two types: those of one
// kind, whatever is optional; Int with Float; String with File and Directory.
// Within arrays, maps, pairs and structs the kinds must be the same.
func (r Rules) Equatable(t, u Type) bool {
	if t.Kind == Any || u.Kind == Any {
		return true
	}
	if t.Number() && u.Number() || t.Kind == String && u.Path() || t.Path() && u.Kind == String {
		return true
	}
	return t.same(u, equalWithin)
}

func equalWithin(t, u Type) bool {
	return t.Kind == Any || u.Kind == Any || t.same(u, equalWithin)
}

// Comparable says that < may compare values of the two types: numbers, and
// two of String, Boolean, File or Directory. What is optional is not compared.
func (r Rules) Comparable(t, u Type) bool {
	if t.Optional || u.Optional {
		return false
	}
	return t.Any() || u.Any() || t.Number() && u.Number() || t.Kind == u.Kind && t.Primitive()
}

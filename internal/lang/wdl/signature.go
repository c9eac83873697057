package wdl

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Signature is one way to call a function of the standard library. Several
// may have one name.
type Signature struct {
	Name   string
	Params []Type // may have variables, see [Var]
	Result Type   // has variables of Params alone
	// Outputs says that the function is for the outputs of tasks alone.
	Outputs bool
	since   Version
}

// String returns the signature as a manual writes it.
func (s *Signature) String() string {
	params := make([]string, len(s.Params))
	for i, p := range s.Params {
		params[i] = p.String()
	}
	return fmt.Sprintf("%s(%s)", s.Name, strings.Join(params, ", "))
}

// library is the standard library: the version that a function came with,
// the function, and its result. X, Y and Z stand for any type, P and Q for
// those without parts, and S for structs and objects. Of several signatures
// that a call fits, the first is meant.
//
// Functions that a later version brought and that mean the same before are
// accepted in earlier ones too where the engine of HealthOmics takes them.
const library = `
draft-2 floor(Float) Int
draft-2 ceil(Float) Int
draft-2 round(Float) Int
1.1 min(Int, Int) Int
1.1 min(Float, Float) Float
1.1 max(Int, Int) Int
1.1 max(Float, Float) Float

draft-2 sub(String, String, String) String
development find(String, String) String?
development matches(String, String) Boolean
draft-2 basename(String) String
draft-2 basename(String, String) String
draft-2 sep(String, Array[String]) String
draft-2 prefix(String, Array[String]) Array[String]
draft-2 suffix(String, Array[String]) Array[String]
1.1 quote(Array[String]) Array[String]
1.1 squote(Array[String]) Array[String]

development join_paths(String, String) String
development join_paths(String, Array[String]) String
development join_paths(Array[String]) String
draft-2 glob(String) Array[File] outputs
draft-2 stdout() File outputs
draft-2 stderr() File outputs
draft-2 size(File?) Float
draft-2 size(File?, String) Float
draft-2 size(Array[File?]) Float
draft-2 size(Array[File?], String) Float
development size(Directory?) Float
development size(Directory?, String) Float
development size(X?) Float
development size(X?, String) Float

draft-2 read_string(File) String
draft-2 read_int(File) Int
draft-2 read_float(File) Float
draft-2 read_boolean(File) Boolean
draft-2 read_lines(File) Array[String]
draft-2 read_tsv(File) Array[Array[String]]
development read_tsv(File, Boolean) Array[Object]
development read_tsv(File, Boolean, Array[String]) Array[Object]
draft-2 read_map(File) Map[String, String]
draft-2 read_object(File) Object
draft-2 read_objects(File) Array[Object]
draft-2 read_json(File) Any
draft-2 write_lines(Array[String]) File
draft-2 write_tsv(Array[Array[String]]) File
development write_tsv(Array[Array[String]], Boolean, Array[String]) File
development write_tsv(Array[S]) File
development write_tsv(Array[S], Boolean) File
development write_tsv(Array[S], Boolean, Array[String]) File
draft-2 write_map(Map[String, String]) File
draft-2 write_object(Object) File
draft-2 write_objects(Array[Object]) File
draft-2 write_json(X) File

draft-2 defined(X) Boolean
draft-2 select_first(Array[X?]) X
development select_first(Array[X?], X) X
draft-2 select_all(Array[X?]) Array[X]
draft-2 length(Array[X]) Int
development length(Map[X, Y]) Int
development length(S) Int
development length(String) Int
draft-2 range(Int) Array[Int]
draft-2 transpose(Array[Array[X]]) Array[Array[X]]
draft-2 zip(Array[X], Array[Y]) Array[Pair[X, Y]]
draft-2 unzip(Array[Pair[X, Y]]) Pair[Array[X], Array[Y]]
draft-2 cross(Array[X], Array[Y]) Array[Pair[X, Y]]
draft-2 flatten(Array[Array[X]]) Array[X]
development chunk(Array[X], Int) Array[Array[X]]
development contains(Array[X], X) Boolean
1.1 keys(Map[P, Y]) Array[P]
development keys(S) Array[String]
development values(Map[P, Y]) Array[Y]
development contains_key(Map[P, Y], P) Boolean
development contains_key(S, String) Boolean
development contains_key(Map[String, Y], Array[String]) Boolean
development contains_key(S, Array[String]) Boolean
1.1 as_pairs(Map[P, Y]) Array[Pair[P, Y]]
1.1 as_map(Array[Pair[P, Y]]) Map[P, Y]
1.1 collect_by_key(Array[Pair[P, Y]]) Map[P, Array[Y]]
`

// signatures returns the library by name. It must not be changed.
var signatures = sync.OnceValue(func() map[string][]*Signature {
	out := map[string][]*Signature{}
	for line := range strings.Lines(library) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		s := &Signature{}
		version, rest, _ := strings.Cut(line, " ")
		for s.since.String() != version {
			s.since++
		}
		s.Name, rest, _ = strings.Cut(rest, "(")
		for rest[0] != ')' {
			var t Type
			t, rest = readType(strings.TrimLeft(rest, ", "))
			s.Params = append(s.Params, t)
		}
		s.Result, rest = readType(rest[2:])
		s.Outputs = rest != ""
		out[s.Name] = append(out[s.Name], s)
	}
	return out
})

// readType reads a type of the table at the beginning of a text.
func readType(s string) (Type, string) {
	n := strings.IndexFunc(s, func(r rune) bool { return strings.ContainsRune("[]?+,() ", r) })
	if n < 0 {
		n = len(s)
	}
	name, s := s[:n], s[n:]
	t := Type{Kind: Var}
	if k, ok := kindNamed(name); ok {
		t.Kind = k
	} else if name != "Any" {
		t.name = name[0]
	} else {
		t.Kind = Any
	}
	if strings.HasPrefix(s, "[") {
		t.of = &[2]Type{}
		t.of[0], s = readType(s[1:])
		if strings.HasPrefix(s, ",") {
			t.of[1], s = readType(s[2:])
		}
		s = s[1:]
	}
	if strings.HasPrefix(s, "?") {
		t.Optional, s = true, s[1:]
	}
	return t, s
}

// kindNamed returns the kind that a document calls by a name.
func kindNamed(name string) (Kind, bool) {
	switch name {
	case "Boolean":
		return Boolean, true
	case "Int":
		return Int, true
	case "Float":
		return Float, true
	case "String":
		return String, true
	case "File":
		return File, true
	case "Directory":
		return Directory, true
	case "Array":
		return Array, true
	case "Map":
		return Map, true
	case "Pair":
		return Pair, true
	case "Object":
		return Object, true
	}
	return Any, false
}

// Functions returns the names of the functions of the version, sorted.
func (r Rules) Functions() []string {
	var out []string
	for name := range signatures() {
		if len(r.Signatures(name)) > 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Signatures returns the ways to call a function in the version, none if it
// does not have it.
func (r Rules) Signatures(name string) []*Signature {
	all := signatures()[name]
	if !slices.ContainsFunc(all, func(s *Signature) bool { return s.since > r.Version }) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(s *Signature) bool { return s.since > r.Version })
}

// Since returns the version that brought a function.
func Since(name string) (Version, bool) {
	all := signatures()[name]
	if len(all) == 0 {
		return 0, false
	}
	return all[0].since, true
}

// A Use is how a call uses a function.
type Use struct {
	Sig *Signature
	// Params are the types that the arguments are turned into, and Result that
	// of the value, without variables.
	Params []Type
	Result Type
	Fit    Fit
	// Wrong is the first argument that does not fit, where Fit is Misfit.
	Wrong int
}

// Use returns how arguments of some types use a signature. It must take that
// many.
func (r Rules) Use(s *Signature, args []Type) Use {
	u := Use{Sig: s, Fit: Good, Params: s.Params, Result: s.Result}
	var vars bindings
	for i, arg := range args {
		if !r.bind(&vars, s.Params[i], arg) {
			u.Fit, u.Wrong = Misfit, i
			return u
		}
	}
	u.Params = make([]Type, len(args))
	for i, arg := range args {
		u.Params[i] = vars.fill(s.Params[i])
		fit := r.Fit(arg, u.Params[i])
		if fit == Misfit {
			u.Fit, u.Wrong = Misfit, i
			return u
		}
		u.Fit = min(u.Fit, fit)
	}
	u.Result = vars.fill(s.Result)
	return u
}

// Choose returns how arguments of some types use a function: by the signature
// that they fit best. It returns false if the version has no function of the
// name that takes so many.
func (r Rules) Choose(name string, args []Type) (Use, bool) {
	var best Use
	for _, s := range r.Signatures(name) {
		if len(s.Params) != len(args) {
			continue
		}
		u := r.Use(s, args)
		if best.Sig == nil || u.Fit > best.Fit || u.Fit == Misfit && best.Fit == Misfit && u.Wrong > best.Wrong {
			best = u
		}
	}
	return best, best.Sig != nil
}

// bindings say what the variables of a signature stand for.
type bindings map[byte]Type

// bind finds what the variables of a parameter must stand for to take an
// argument.
func (r Rules) bind(vars *bindings, param, arg Type) bool {
	switch param.Kind {
	case Var:
		if param.Optional {
			arg = arg.Plain()
		}
		if !admits(param.name, arg) {
			return false
		}
		if *vars == nil {
			*vars = bindings{}
		}
		if known, ok := (*vars)[param.name]; ok {
			if arg, ok = r.join(known, arg); !ok {
				return false
			}
		}
		(*vars)[param.name] = arg
	case Array:
		if item := param.Item(); arg.Kind == Map && item.Kind == Pair && r.Lenient {
			return r.bind(vars, item.Left(), arg.Key()) && r.bind(vars, item.Right(), arg.Value())
		}
		return r.bind(vars, param.Item(), arg.Item())
	case Map, Pair:
		if item := arg.Item(); param.Kind == Map && item.Kind == Pair && r.Lenient {
			return r.bind(vars, param.Key(), item.Left()) && r.bind(vars, param.Value(), item.Right())
		}
		return r.bind(vars, param.of[0], arg.param(param.Kind, 0)) && r.bind(vars, param.of[1], arg.param(param.Kind, 1))
	}
	return true
}

// admits says that a variable may stand for a type.
func admits(name byte, t Type) bool {
	switch name {
	case 'P', 'Q':
		return t.Primitive() || t.Kind == Any
	case 'S':
		return (t.Kind == Struct || t.Kind == Object || t.Kind == Any) && !t.Optional
	}
	return true
}

// fill returns a type with its variables replaced.
func (b bindings) fill(t Type) Type {
	switch {
	case t.Kind == Var:
		v := b[t.name]
		v.Optional = v.Optional || t.Optional
		return v
	case t.of != nil:
		of := [2]Type{b.fill(t.of[0]), b.fill(t.of[1])}
		t.of = &of
	}
	return t
}

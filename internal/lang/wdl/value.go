package wdl

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
)

// A Value is a value of the language, which nothing changes: nil is None, and
// the others are bool, int64, float64, string, [Path], *[List], *[Dict],
// *[Couple] and *[Record].
type Value any

// A Path is a file or a directory, by a name that the [Files] at hand know.
type Path struct {
	Name string
	Dir  bool
}

// A List is an array.
type List struct {
	Items []Value
	// item is the type that all items are known to have; nil: none is known.
	item *Type
}

// NewList returns an array.
func NewList(items ...Value) *List { return &List{Items: items} }

// A Dict is a map, whose entries have an order.
type Dict struct {
	Keys, Values []Value
	index        map[Value]int
}

// NewDict returns a map; of keys that come twice the last one's value counts.
func NewDict(keys, values []Value) *Dict {
	d := &Dict{index: make(map[Value]int, len(keys))}
	for i, k := range keys {
		if at, ok := d.index[k]; ok {
			d.Values[at] = values[i]
			continue
		}
		d.index[k] = len(d.Keys)
		d.Keys, d.Values = append(d.Keys, k), append(d.Values, values[i])
	}
	return d
}

// Find returns the value of a key.
func (d *Dict) Find(key Value) (Value, bool) {
	i, ok := d.index[key]
	if !ok {
		return nil, false
	}
	return d.Values[i], true
}

// A Couple is a pair.
type Couple struct{ Left, Right Value }

// A Record is an instance of a struct, an object, or the outputs of a call.
type Record struct {
	Names  []string
	Values []Value
}

// Find returns the value of a member.
func (r *Record) Find(name string) (Value, bool) {
	for i, n := range r.Names {
		if n == name {
			return r.Values[i], true
		}
	}
	return nil, false
}

// kindOf names what a value is, for messages.
func kindOf(v Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a Boolean"
	case int64:
		return "an Int"
	case float64:
		return "a Float"
	case string:
		return "a String"
	case Path:
		if v.Dir {
			return "a Directory"
		}
		return "a File"
	case *List:
		return "an Array"
	case *Dict:
		return "a Map"
	case *Couple:
		return "a Pair"
	case *Record:
		return "an Object"
	}
	return fmt.Sprintf("%T", v)
}

// text returns what a value without parts is in a text. A Float has six
// decimals, as the specification of 1.1 and later ones write them.
func text(v Value) (string, bool) {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', 6, 64), true
	case string:
		return v, true
	case Path:
		if v.Dir && !strings.HasSuffix(v.Name, "/") {
			return v.Name + "/", true // as engines write it
		}
		return v.Name, true
	}
	return "", false
}

// Text returns a value as a text shows it: None as nothing, and what has parts
// as JSON.
func Text(v Value) (string, error) {
	if s, ok := text(v); ok || v == nil {
		return s, nil
	}
	b, err := jsonStyle{", ", ": "}.append(nil, v)
	return string(b), err
}

// equal says that two values are the same. An Int is the same as a Float of
// its size, a String as a File of its name.
func equal(a, b Value) bool {
	switch a := a.(type) {
	case *List:
		b, ok := b.(*List)
		if !ok || len(a.Items) != len(b.Items) {
			return false
		}
		for i := range a.Items {
			if !equal(a.Items[i], b.Items[i]) {
				return false
			}
		}
		return true
	case *Dict: // the order counts
		b, ok := b.(*Dict)
		if !ok || len(a.Keys) != len(b.Keys) {
			return false
		}
		for i := range a.Keys {
			if !equal(a.Keys[i], b.Keys[i]) || !equal(a.Values[i], b.Values[i]) {
				return false
			}
		}
		return true
	case *Couple:
		b, ok := b.(*Couple)
		return ok && equal(a.Left, b.Left) && equal(a.Right, b.Right)
	case *Record:
		b, ok := b.(*Record)
		if !ok || len(a.Names) != len(b.Names) {
			return false
		}
		for i, name := range a.Names {
			if v, ok := b.Find(name); !ok || !equal(a.Values[i], v) {
				return false
			}
		}
		return true
	case int64:
		if b, ok := b.(float64); ok {
			return float64(a) == b
		}
	case float64:
		if b, ok := b.(int64); ok {
			return a == float64(b)
		}
	case Path:
		if b, ok := b.(string); ok {
			return a.Name == b
		}
	case string:
		if b, ok := b.(Path); ok {
			return a == b.Name
		}
	}
	switch b.(type) {
	case *List, *Dict, *Couple, *Record:
		return false
	}
	return a == b
}

// A Mismatch says that a value does not go where a type is expected.
type Mismatch struct {
	Where string // within the value, such as "[3].left"; empty: the value itself
	Want  Type
	Found string
}

// foundNone is what a [Mismatch] says of None.
const foundNone = "None"

func (m *Mismatch) Error() string {
	s := fmt.Sprintf("expected %s, found %s", m.Want, m.Found)
	if m.Where != "" {
		s = "at " + m.Where + ": " + s
	}
	return s
}

// Convert returns a value as one of a type: by the rules of [Rules.Fit], and
// those that hold when the value is there. The error is a *[Mismatch].
func (r Rules) Convert(v Value, to Type) (Value, error) {
	out, m := r.convert(v, to)
	if m != nil {
		return nil, m
	}
	return out, nil
}

// within says where in a value something does not fit.
func (m *Mismatch) within(where string) *Mismatch {
	m.Where = where + m.Where
	return m
}

func (r Rules) convert(v Value, to Type) (Value, *Mismatch) {
	if to.Kind == Any && !to.Optional {
		return v, nil
	}
	if v == nil {
		if to.Optional {
			return nil, nil
		}
		return nil, &Mismatch{Want: to, Found: foundNone}
	}
	wrong := func() (Value, *Mismatch) {
		found := kindOf(v)
		if s, ok := text(v); ok && len(s) <= 80 {
			found += " " + strconv.Quote(s)
			if _, is := v.(string); !is {
				found = kindOf(v) + " " + s
			}
		}
		return nil, &Mismatch{Want: to, Found: found}
	}
	switch to.Kind {
	case Boolean:
		switch v := v.(type) {
		case bool:
			return v, nil
		case string:
			if b := strings.EqualFold(v, "true"); r.Lenient && (b || strings.EqualFold(v, "false")) {
				return b, nil
			}
		}
	case Int:
		return r.toInt(v, wrong)
	case Float:
		switch v := v.(type) {
		case float64:
			return v, nil
		case int64:
			return float64(v), nil
		case string:
			if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
				return f, nil
			}
		}
	case String:
		if s, ok := text(v); ok {
			return s, nil
		}
	case File, Directory:
		switch v := v.(type) {
		case Path:
			if v.Dir == (to.Kind == Directory) {
				return v, nil
			}
		case string:
			return Path{v, to.Kind == Directory}, nil
		case *Record:
			return located(v, to, wrong)
		}
	case Array:
		return r.toList(v, to, wrong)
	case Map:
		return r.toDict(v, to, wrong)
	case Pair:
		return r.toCouple(v, to, wrong)
	case Struct, Outputs:
		return r.toStruct(v, to, wrong)
	case Object:
		switch v := v.(type) {
		case *Record:
			return v, nil
		case *Dict:
			return record(v, wrong)
		}
	case Any: // None alone
		return v, nil
	}
	return wrong()
}

type wrong = func() (Value, *Mismatch)

// located reads the extended form of a file or directory among JSON: an object
// with its location.
func located(r *Record, to Type, no wrong) (Value, *Mismatch) {
	at, _ := r.Find("location")
	name, ok := at.(string)
	if !ok || name == "" {
		return no()
	}
	for i, member := range r.Names {
		switch {
		case member == "location":
		case (member == "type" || member == "class") && r.Values[i] == to.Plain().String():
		case member == "basename" && r.Values[i] == path.Base(name):
		default:
			return nil, &Mismatch{Where: "." + member, Want: to, Found: "what an object with a location has no use for here"}
		}
	}
	return Path{name, to.Kind == Directory}, nil
}

func (r Rules) toInt(v Value, no wrong) (Value, *Mismatch) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case float64:
		if r.Lenient && v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return int64(v), nil
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return n, nil
		}
	}
	return no()
}

func (r Rules) toList(v Value, to Type, no wrong) (Value, *Mismatch) {
	var items []Value
	switch v := v.(type) {
	case *List:
		if to.Nonempty && len(v.Items) == 0 {
			return nil, &Mismatch{Want: to, Found: "an empty Array"}
		}
		if v.item != nil && v.item.Equal(to.Item()) {
			return v, nil
		}
		items = v.Items
	case *Dict:
		if !r.Lenient {
			return no()
		}
		for i, k := range v.Keys {
			items = append(items, &Couple{k, v.Values[i]})
		}
	default:
		return no()
	}
	item := to.Item()
	out := &List{Items: make([]Value, len(items)), item: &item}
	for i, x := range items {
		y, m := r.convert(x, item)
		if m != nil {
			return nil, m.within("[" + strconv.Itoa(i) + "]")
		}
		out.Items[i] = y
	}
	return out, nil
}

func (r Rules) toDict(v Value, to Type, no wrong) (Value, *Mismatch) {
	var keys, values []Value
	switch v := v.(type) {
	case *Dict:
		keys, values = v.Keys, v.Values
	case *Record:
		for i, name := range v.Names {
			keys, values = append(keys, name), append(values, v.Values[i])
		}
	case *List:
		if !r.Lenient {
			return no()
		}
		for _, x := range v.Items {
			pair, ok := x.(*Couple)
			if !ok {
				return no()
			}
			keys, values = append(keys, pair.Left), append(values, pair.Right)
		}
	default:
		return no()
	}
	ks, vs := make([]Value, len(keys)), make([]Value, len(keys))
	for i := range keys {
		var m *Mismatch
		where, _ := text(keys[i])
		if ks[i], m = r.convert(keys[i], to.Key()); m != nil {
			return nil, m.within("[" + strconv.Quote(where) + "]")
		}
		if vs[i], m = r.convert(values[i], to.Value()); m != nil {
			return nil, m.within("[" + strconv.Quote(where) + "]")
		}
	}
	return NewDict(ks, vs), nil
}

// toCouple also takes what JSON has instead of a pair: an object with left and
// right, or an array of two.
func (r Rules) toCouple(v Value, to Type, no wrong) (Value, *Mismatch) {
	var left, right Value
	switch v := v.(type) {
	case *Couple:
		left, right = v.Left, v.Right
	case *Record:
		l, ok := find(v, "left")
		g, also := find(v, "right")
		if !ok || !also || len(v.Names) != 2 {
			return no()
		}
		left, right = l, g
	case *List:
		if len(v.Items) != 2 {
			return no()
		}
		left, right = v.Items[0], v.Items[1]
	default:
		return no()
	}
	l, m := r.convert(left, to.Left())
	if m != nil {
		return nil, m.within(".left")
	}
	g, m := r.convert(right, to.Right())
	if m != nil {
		return nil, m.within(".right")
	}
	return &Couple{l, g}, nil
}

// find looks a member up whatever the case of its first letter: tools write
// Left and Right, too.
func find(r *Record, name string) (Value, bool) {
	if v, ok := r.Find(name); ok {
		return v, true
	}
	return r.Find(strings.ToUpper(name[:1]) + name[1:])
}

func (r Rules) toStruct(v Value, to Type, no wrong) (Value, *Mismatch) {
	if d, ok := v.(*Dict); ok {
		x, m := record(d, no)
		if m != nil {
			return nil, m
		}
		v = x
	}
	rec, ok := v.(*Record)
	if !ok || to.Struct == nil {
		return no()
	}
	out := &Record{Names: make([]string, len(to.Struct.Members)), Values: make([]Value, len(to.Struct.Members))}
	for i, f := range to.Struct.Members {
		want, _ := to.Struct.Field(f.Name)
		x, ok := rec.Find(f.Name)
		if !ok && !want.Optional {
			return nil, &Mismatch{Where: "." + f.Name, Want: want, Found: "nothing"}
		}
		y, m := r.convert(x, want)
		if m != nil {
			return nil, m.within("." + f.Name)
		}
		out.Names[i], out.Values[i] = f.Name, y
	}
	return out, nil
}

// record turns a map with keys that are texts into an object.
func record(d *Dict, no wrong) (Value, *Mismatch) {
	out := &Record{Values: d.Values}
	for _, k := range d.Keys {
		name, ok := text(k)
		if !ok {
			return no()
		}
		out.Names = append(out.Names, name)
	}
	return out, nil
}

// typedPaths is [Paths] of a value of a type, in which None takes the place of
// what is optional and gives an error that lacks is true of.
func typedPaths(v Value, t Type, f func(Path) (Value, error), lacks func(error) bool) (out Value, err error) {
	if !t.HasPaths() && t.Kind != Object && t.Kind != Any {
		return v, nil
	}
	defer func() {
		if err != nil && t.Optional && lacks(err) {
			out, err = nil, nil
		}
	}()
	all := func(in []Value, of func(int) Type) ([]Value, error) {
		out := make([]Value, len(in))
		for i, x := range in {
			var err error
			if out[i], err = typedPaths(x, of(i), f, lacks); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	switch v := v.(type) {
	case *List:
		items, err := all(v.Items, func(int) Type { return t.Item() })
		return &List{Items: items, item: v.item}, err
	case *Dict:
		keys, err := all(v.Keys, func(int) Type { return t.Key() })
		if err != nil {
			return nil, err
		}
		values, err := all(v.Values, func(int) Type { return t.Value() })
		if err != nil {
			return nil, err
		}
		return NewDict(keys, values), nil
	case *Couple:
		two, err := all([]Value{v.Left, v.Right}, func(i int) Type { return t.param(Pair, i) })
		if err != nil {
			return nil, err
		}
		return &Couple{two[0], two[1]}, nil
	case *Record:
		values, err := all(v.Values, func(i int) Type {
			if t.Kind != Struct {
				return Type{}
			}
			m, _ := t.Struct.Field(v.Names[i])
			return m
		})
		return &Record{Names: v.Names, Values: values}, err
	}
	return Paths(v, f)
}

// Paths returns a value with each file and directory in it replaced by what f
// returns for it.
func Paths(v Value, f func(Path) (Value, error)) (Value, error) {
	all := func(in []Value) ([]Value, error) {
		out := make([]Value, len(in))
		for i, x := range in {
			var err error
			if out[i], err = Paths(x, f); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	switch v := v.(type) {
	case Path:
		return f(v)
	case *List:
		if v.item != nil && !v.item.HasPaths() && v.item.Kind != Any && v.item.Kind != Object {
			return v, nil
		}
		items, err := all(v.Items)
		return &List{Items: items, item: v.item}, err
	case *Dict:
		keys, err := all(v.Keys)
		if err != nil {
			return nil, err
		}
		values, err := all(v.Values)
		if err != nil {
			return nil, err
		}
		return NewDict(keys, values), nil
	case *Couple:
		two, err := all([]Value{v.Left, v.Right})
		if err != nil {
			return nil, err
		}
		return &Couple{two[0], two[1]}, nil
	case *Record:
		values, err := all(v.Values)
		return &Record{Names: v.Names, Values: values}, err
	}
	return v, nil
}

package awscall

import (
	"reflect"
	"strings"
)

// names says how the Go SDK's names of one service stand for the API's.
type names struct {
	lower bool // the API's names begin with a small letter
	// odd gives the API's names, by type and field, that the rule gets wrong.
	odd    map[string]string
	unions []union
	// document makes a value of any form; nil for a service without.
	document func(any) any
}

// A union is an interface of the Go SDK, and the type of each variant by its
// API name.
type union struct {
	of       reflect.Type
	variants map[string]reflect.Type
}

// api returns the API's name of a field.
func (n *names) api(typ, field string) string {
	if odd, ok := n.odd[typ+"."+field]; ok {
		return odd
	}
	if n.lower {
		return strings.ToLower(field[:1]) + field[1:]
	}
	return field
}

// variants returns the variants of a union type.
func (n *names) variants(t reflect.Type) map[string]reflect.Type {
	for _, u := range n.unions {
		if u.of == t {
			return u.variants
		}
	}
	return nil
}

// hidden reports whether a field is not a member of the API's shape.
func hidden(f reflect.StructField) bool { return !f.IsExported() || f.Name == "ResultMetadata" }

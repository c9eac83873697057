package airflow

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	is "github.com/santhosh-tekuri/jsonschema/v6/kind"
)

func compileRegexp(s string) (*regexp.Regexp, error) {
	// Python's end of text.
	return regexp.Compile(strings.ReplaceAll(s, `\Z`, `\z`))
}

// isWrapper reports whether an error only says that those below it exist.
func isWrapper(e *jsonschema.ValidationError) bool {
	switch e.ErrorKind.(type) {
	case *is.Schema, *is.Group, *is.Reference, *is.AllOf:
		return true
	}
	return false
}

// inPython words an error as Python's jsonschema does; v is the part of the
// value that it is about.
func inPython(e *jsonschema.ValidationError, v *value) string {
	got := v.repr()
	switch k := e.ErrorKind.(type) {
	case *is.Type:
		want := make([]string, len(k.Want))
		for i, w := range k.Want {
			want[i] = pyQuote(w)
		}
		return fmt.Sprintf("%s is not of type %s", got, strings.Join(want, ", "))
	case *is.Enum:
		return fmt.Sprintf("%s is not one of %s", got, anyValue(k.Want).repr())
	case *is.Const:
		return fmt.Sprintf("%s was expected", anyValue(k.Want).repr())
	case *is.Format:
		return fmt.Sprintf("%s is not a %s", got, pyQuote(k.Want))
	case *is.Pattern:
		return fmt.Sprintf("%s does not match %s", got, pyQuote(k.Want))
	case *is.MinLength:
		if k.Want == 1 {
			return got + " should be non-empty"
		}
		return got + " is too short"
	case *is.MaxLength:
		return got + " is too long"
	case *is.MinItems:
		if k.Want == 1 {
			return got + " should be non-empty"
		}
		return got + " is too short"
	case *is.MaxItems:
		return got + " is too long"
	case *is.UniqueItems:
		return got + " has non-unique elements"
	case *is.Minimum:
		return fmt.Sprintf("%s is less than the minimum of %s", got, ratio(k.Want))
	case *is.Maximum:
		return fmt.Sprintf("%s is greater than the maximum of %s", got, ratio(k.Want))
	case *is.ExclusiveMinimum:
		return fmt.Sprintf("%s is less than or equal to the minimum of %s", got, ratio(k.Want))
	case *is.ExclusiveMaximum:
		return fmt.Sprintf("%s is greater than or equal to the maximum of %s", got, ratio(k.Want))
	case *is.MultipleOf:
		return fmt.Sprintf("%s is not a multiple of %s", got, ratio(k.Want))
	case *is.Required:
		return fmt.Sprintf("%s is a required property", pyQuote(k.Missing[0]))
	case *is.AdditionalProperties:
		return fmt.Sprintf("Additional properties are not allowed (%s unexpected)", pyQuote(k.Properties[0]))
	case *is.AnyOf, *is.OneOf:
		return got + " is not valid under any of the given schemas"
	}
	return lastLine(e.Error())
}

// anyValue turns what the library unmarshalled back into a value.
func anyValue(x any) *value {
	raw, err := json.Marshal(x)
	if err != nil {
		return &value{kind: null}
	}
	return fromJSON(raw)
}

// ratio prints a schema's number as it was written, or nearly.
func ratio(r *big.Rat) string {
	if r.IsInt() {
		return Clip(r.Num().String(), 40)
	}
	f, _ := r.Float64()
	return floatText(f)
}

package airflow

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// cast replaces, throughout v, the mappings that stand for typed values and
// the joined strings. A class that only Python has becomes an opaque value:
// it does no harm under a key that is ignored, and is refused where it would
// be used.
func (c *compiler) cast(v *value, path string) {
	for i, it := range v.items {
		c.cast(it, fmt.Sprintf("%s[%d]", path, i))
	}
	for _, p := range v.pairs {
		c.cast(p.value, join(path, p.key.name()))
	}
	if v.kind != mapping {
		return
	}
	switch {
	case v.find("__type__") != nil:
		c.construct(v, path)
	case v.find("__join__") != nil:
		c.combine(v, path, v.find("__join__"), "")
	case v.find("__and__") != nil:
		c.combine(v, path, v.find("__and__"), " & ")
	case v.find("__or__") != nil:
		c.combine(v, path, v.find("__or__"), " | ")
	}
}

// combine makes v the string that its parts make together.
func (c *compiler) combine(v *value, path string, parts *value, glue string) {
	if parts.kind != list {
		c.fault(parts, path, say{message: fmt.Sprintf("expected a list of strings to combine, not %s", parts.what())})
		*v = value{kind: null, line: v.line, column: v.column}
		return
	}
	var texts []string
	for i, p := range parts.items {
		if p.kind != text {
			c.fault(p, fmt.Sprintf("%s[%d]", path, i), say{message: fmt.Sprintf("expected a string, not %s", p.what()), fix: "quote it"})
			continue
		}
		texts = append(texts, p.text)
	}
	s := strings.Join(texts, glue)
	if glue != "" {
		s = "(" + s + ")"
	}
	*v = value{kind: text, text: s, line: v.line, column: v.column}
}

// construct makes v what its __type__ says, called with __args__ and the
// remaining keys.
func (c *compiler) construct(v *value, path string) {
	class := v.find("__type__")
	call := call{at: v}
	out := value{line: v.line, column: v.column}
	for _, p := range v.pairs {
		switch {
		case p.key.is("__type__"):
		case p.key.is("__args__"):
			if p.value.kind != list {
				c.fault(p.value, join(path, "__args__"), say{public: fmt.Sprintf("'args' must resolve to a list, got <class '%s'>", p.value.python()),
					message: fmt.Sprintf("__args__ must be a list, not %s", p.value.what())})
				continue
			}
			call.args = p.value.items
		default:
			call.keys = append(call.keys, p)
		}
	}
	if class.kind != text || class.text == "" {
		c.fault(class, join(path, "__type__"), say{message: fmt.Sprintf("__type__ must name a class, such as datetime.timedelta, not %s", class.what())})
		*v = out
		return
	}
	if err := out.build(class.text, call); err != nil {
		c.fault(v, path, say{message: fmt.Sprintf("%s: %s", Clip(class.text, 100), err)})
		out = value{line: v.line, column: v.column, kind: opaque, text: class.text, bool: true}
	}
	*v = out
}

// A call is what a class is called with.
type call struct {
	at   *value
	args []*value
	keys []pair
}

// build makes v the object that class returns for the call.
func (v *value) build(class string, call call) error {
	switch class {
	case "datetime.timedelta":
		return v.buildDelta(call)
	case "datetime.date":
		n, err := call.ints("year", "month", "day")
		if err != nil {
			return err
		}
		return v.setDate(n[0], n[1], n[2])
	case "datetime.datetime", "pendulum.datetime":
		return v.buildTime(class, call)
	case "builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset":
		return v.buildList(class, call)
	case "builtins.dict":
		if len(call.args) > 0 {
			return errors.New("give the entries as keys")
		}
		v.kind, v.pairs = mapping, call.keys
		return nil
	case "airflow.models.param.Param", "airflow.models.Param", "airflow.sdk.definitions.param.Param", "airflow.sdk.Param":
		v.kind, v.pairs = param, call.keys
		names := []string{"default", "description"}
		if len(call.args) > len(names) {
			return errors.New("takes at most default and description by position")
		}
		for i, a := range call.args {
			v.pairs = append(v.pairs, pair{&value{kind: text, text: names[i], line: a.line, column: a.column}, a})
		}
		return nil
	}
	// The converter writes every enum of Airflow this way; the value is all
	// that matters here.
	if strings.HasPrefix(class, "airflow.") && len(call.args) == 1 && len(call.keys) == 0 && call.args[0].kind == text {
		v.kind, v.text = text, call.args[0].text
		return nil
	}
	v.kind, v.text = opaque, class
	return nil
}

var deltaUnits = [...]struct {
	name    string
	seconds float64
}{
	// The order is that of timedelta's positional arguments.
	{"days", 86400}, {"seconds", 1}, {"microseconds", 1e-6}, {"milliseconds", 1e-3}, {"minutes", 60}, {"hours", 3600}, {"weeks", 7 * 86400},
}

func (v *value) buildDelta(call call) error {
	sum := 0.0
	add := func(i int, x *value) error {
		n, ok := x.number()
		if !ok {
			return fmt.Errorf("unsupported type for timedelta %s component: %s", deltaUnits[i].name, x.python())
		}
		sum += n * deltaUnits[i].seconds
		return nil
	}
	if len(call.args) > len(deltaUnits) {
		return fmt.Errorf("takes at most %d arguments", len(deltaUnits))
	}
	for i, a := range call.args {
		if err := add(i, a); err != nil {
			return err
		}
	}
	for _, p := range call.keys {
		i := slices.IndexFunc(deltaUnits[:], func(u struct {
			name    string
			seconds float64
		}) bool {
			return u.name == p.key.text
		})
		if i < 0 || p.key.kind != text {
			return fmt.Errorf("has no %s; it takes weeks, days, hours, minutes, seconds, milliseconds and microseconds", Clip(p.key.name(), 60))
		}
		if err := add(i, p.value); err != nil {
			return err
		}
	}
	if math.Abs(sum) > 999999999*86400 {
		return errors.New("is out of range")
	}
	v.kind, v.num = delta, sum
	return nil
}

func (v *value) buildTime(class string, call call) error {
	zone, naive := time.UTC, class == "datetime.datetime"
	keys := call.keys[:0:0]
	for _, p := range call.keys {
		if p.key.is("tz") && class == "pendulum.datetime" || p.key.is("tzinfo") {
			naive = false
			if p.value.kind != text {
				// datetime.timezone.utc and its like are the only ones that
				// can be written.
				continue
			}
			l, err := zoneNamed(p.value.text)
			if err != nil {
				return err
			}
			zone = l
			continue
		}
		keys = append(keys, p)
	}
	call.keys = keys
	n, err := call.ints("year", "month", "day", "hour?", "minute?", "second?", "microsecond?")
	if err != nil {
		return err
	}
	return v.setTime(n[0], n[1], n[2], n[3], n[4], n[5], n[6], zone, naive)
}

func (v *value) buildList(class string, call call) error {
	items := call.args
	for _, p := range call.keys {
		if !p.key.is("items") || p.value.kind != list {
			return fmt.Errorf("takes items, a list, not %s", Clip(p.key.name(), 60))
		}
		items = p.value.items
	}
	// list([1, 2]) and set([1, 2]) take one iterable.
	if len(call.keys) == 0 && len(call.args) == 1 && call.args[0].kind == list {
		items = call.args[0].items
	}
	v.kind = list
	seen := map[string]bool{}
	for _, it := range items {
		if strings.HasSuffix(class, "set") {
			name := string(it.json(nil))
			if seen[name] {
				continue
			}
			seen[name] = true
		}
		v.items = append(v.items, it)
	}
	return nil
}

// ints reads integer arguments given by position or name; a name that ends
// in ? may be left out.
func (c call) ints(names ...string) ([]int, error) {
	out := make([]int, len(names))
	given := make([]bool, len(names))
	set := func(i int, x *value) error {
		n, ok := x.int()
		if !ok {
			return fmt.Errorf("%s must be an integer, not %s", strings.TrimSuffix(names[i], "?"), x.what())
		}
		out[i], given[i] = n, true
		return nil
	}
	if len(c.args) > len(names) {
		return nil, fmt.Errorf("takes at most %d arguments", len(names))
	}
	for i, a := range c.args {
		if err := set(i, a); err != nil {
			return nil, err
		}
	}
	for _, p := range c.keys {
		i := slices.IndexFunc(names, func(n string) bool { return strings.TrimSuffix(n, "?") == p.key.text })
		if i < 0 || p.key.kind != text {
			return nil, fmt.Errorf("has no %s", Clip(p.key.name(), 60))
		}
		if err := set(i, p.value); err != nil {
			return nil, err
		}
	}
	for i, n := range names {
		if !given[i] && !strings.HasSuffix(n, "?") {
			return nil, fmt.Errorf("needs %s", n)
		}
	}
	return out, nil
}

// zoneNamed finds an IANA time zone. The names that Go adds are not zones.
func zoneNamed(name string) (*time.Location, error) {
	if name == "" || name == "Local" || len(name) > 64 {
		return nil, fmt.Errorf("%s is not a time zone", pyQuote(Clip(name, 64)))
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%s is not a time zone", pyQuote(Clip(name, 64)))
	}
	return l, nil
}

// join extends a path by a key.
func join(path, key string) string {
	key = Clip(key, 100)
	if path == "" {
		return key
	}
	return path + "." + key
}

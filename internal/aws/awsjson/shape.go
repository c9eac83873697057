package awsjson

import (
	"fmt"
	"hash/maphash"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// A Shape is what a service's model says of the values of one named shape
// beyond their type. Members of request structs name theirs in an aws tag.
type Shape struct {
	// Bounds is "min..max", either side may be empty: of the characters of a
	// string, the value of a number, the entries of a list or map.
	Bounds string
	// Pattern must match the whole of a string.
	Pattern string
	// Enum lists the values that a string may have.
	Enum []string
	// Key and Member name the shapes of a map's keys, and of a list's
	// members or a map's values.
	Key, Member string
	// Union marks a struct of which exactly one member is set.
	Union bool
	// Sensitive keeps values out of error messages.
	Sensitive bool
	// Hint replaces the pattern in error messages: a phrase that goes on from
	// "must be", such as "a workflow ARN".
	Hint string
}

// A rule is a Shape made ready.
type rule struct {
	Shape
	min, max       int
	hasMin, hasMax bool
	// pattern is compiled when the first value comes: what a service's model
	// has of them would take megabytes, and most are never asked.
	pattern func() *regexp.Regexp
	passed  *passed
}

// passed remembers some values that a pattern has let through: a poll sends
// the same ones again and again, and the pattern of an ARN costs more than
// all the rest of reading a request.
type passed struct {
	seed  maphash.Seed
	slots [64]atomic.Pointer[string]
}

// longest bounds a value that is remembered.
const longest = 300

func (p *passed) slot(s string) *atomic.Pointer[string] {
	return &p.slots[maphash.String(p.seed, s)%uint64(len(p.slots))]
}

// matches reports whether the rule's pattern matches s.
func (r *rule) matches(s string) bool {
	if len(s) > longest {
		return r.pattern().MatchString(s)
	}
	slot := r.passed.slot(s)
	if seen := slot.Load(); seen != nil && *seen == s {
		return true
	}
	if !r.pattern().MatchString(s) {
		return false
	}
	if !r.Sensitive {
		slot.Store(&s)
	}
	return true
}

// newRule panics if the shape is not well formed, and the rule if its pattern
// is not: shapes are written into the program.
func newRule(name string, s Shape) *rule {
	r := &rule{Shape: s}
	if s.Bounds != "" {
		lo, hi, ok := strings.Cut(s.Bounds, "..")
		if !ok {
			panic(fmt.Sprintf("awsjson: shape %s: bounds %q", name, s.Bounds))
		}
		r.min, r.hasMin = bound(name, lo)
		r.max, r.hasMax = bound(name, hi)
	}
	if s.Pattern != "" {
		r.pattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A(?:` + s.Pattern + `)\z`) })
		r.passed = &passed{seed: maphash.MakeSeed()}
	}
	return r
}

func bound(name, s string) (int, bool) {
	if s == "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(fmt.Sprintf("awsjson: shape %s: bound %q", name, s))
	}
	return n, true
}

// checkString returns what is wrong with s, or "".
func (r *rule) checkString(s string) string {
	if n := utf8.RuneCountInString(s); r.outside(n) {
		if n == 0 {
			return "must not be empty"
		}
		return fmt.Sprintf("must have %s, has %d", r.span("character"), n)
	}
	if len(r.Enum) > 0 && !slices.Contains(r.Enum, s) {
		return "must be one of " + strings.Join(r.Enum, ", ") + r.got(s)
	}
	if r.pattern != nil && !r.matches(s) {
		if r.Hint != "" {
			return "must be " + r.Hint + r.got(s)
		}
		return "must match " + r.Pattern + r.got(s)
	}
	return ""
}

// checkNumber returns what is wrong with n, or "".
func (r *rule) checkNumber(n int64) string {
	if r.hasMin && n < int64(r.min) || r.hasMax && n > int64(r.max) {
		return fmt.Sprintf("must be %s, is %d", r.span(""), n)
	}
	return ""
}

// checkCount returns what is wrong with n entries, or "".
func (r *rule) checkCount(n int) string {
	if r.outside(n) {
		return fmt.Sprintf("must have %s, has %d", r.span("entry"), n)
	}
	return ""
}

func (r *rule) outside(n int) bool { return r.hasMin && n < r.min || r.hasMax && n > r.max }

// span prints the bounds, followed by unit.
func (r *rule) span(unit string) string {
	var s string
	last := r.max
	switch {
	case r.hasMin && r.hasMax && r.min == r.max:
		s = strconv.Itoa(r.min)
	case r.hasMin && r.hasMax:
		s = fmt.Sprintf("%d to %d", r.min, r.max)
	case r.hasMin:
		s, last = fmt.Sprintf("at least %d", r.min), r.min
	default:
		s = fmt.Sprintf("at most %d", r.max)
	}
	switch {
	case unit == "":
		return s
	case last == 1:
		return s + " " + unit
	case unit == "entry":
		return s + " entries"
	}
	return s + " " + unit + "s"
}

// got quotes the value at fault, unless it is nobody's business.
func (r *rule) got(s string) string {
	if r.Sensitive {
		return ""
	}
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return fmt.Sprintf(", got %q", s)
}

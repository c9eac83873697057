package cron

import (
	"strconv"
	"strings"
)

// A field is one of the parts of an expression.
type field struct {
	name     string
	min, max int
	names    []string // of the values from first on; nil without
	first    int
}

func months() field {
	return field{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}, 1}
}

func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// value reads a number or a name; ok is false for anything else. A number
// may be out of the field's range.
func (f field) value(text string) (n int, ok bool) {
	for i, name := range f.names {
		if text == name {
			return f.first + i, true
		}
	}
	return digits(text)
}

// digits reads an unsigned decimal number. Huge ones are cut to 1<<30, which
// is out of every range.
func digits(text string) (int, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n > 1<<30 {
		n = 1 << 30
	}
	return n, true
}

// expected says what the field may hold.
func (f field) expected() string {
	s := "expected " + strconv.Itoa(f.min) + " to " + strconv.Itoa(f.max)
	if f.names != nil {
		s += ", " + strings.ToUpper(f.names[0]) + " to " + strings.ToUpper(f.names[len(f.names)-1])
	}
	return s + ", *, or ranges, steps and lists of these"
}

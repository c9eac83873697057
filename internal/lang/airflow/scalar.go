package airflow

import (
	"errors"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The forms that PyYAML 6 gives a meaning in a plain scalar, which are those
// of YAML 1.1. They never change after the program has started.
var (
	boolForm  = regexp.MustCompile(`^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)
	floatForm = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|` +
		`[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	intForm  = regexp.MustCompile(`^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	dateForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	timeForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?$`)
	timePart = regexp.MustCompile(`^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?(?:[ \t]*(?:(Z)|([-+])([0-9]{1,2})(?::([0-9]{2}))?))?)?$`)
)

// maxDigits is Python's own bound on the digits of an integer.
const maxDigits = 4300

// scalarTag returns the tag that a plain scalar gets by its form.
func scalarTag(s string) string {
	if s == "" {
		return "!!null"
	}
	switch c := s[0]; {
	case c == '~' && s == "~":
		return "!!null"
	case c == '<' && s == "<<":
		return "!!merge"
	case c == '=' && s == "=":
		return "!!value"
	case c >= '0' && c <= '9', c == '-', c == '+', c == '.':
		switch {
		case intForm.MatchString(s):
			return "!!int"
		case floatForm.MatchString(s):
			return "!!float"
		case dateForm.MatchString(s), timeForm.MatchString(s):
			return "!!timestamp"
		}
	case strings.IndexByte("nNyYtTfFoO", c) >= 0:
		switch {
		case s == "null", s == "Null", s == "NULL":
			return "!!null"
		case boolForm.MatchString(s):
			return "!!bool"
		}
	}
	return "!!str"
}

// scalar gives v the value that PyYAML constructs from s under a tag.
func (v *value) scalar(tag, s string) error {
	switch tag {
	case "!!str":
		v.kind, v.text = text, s
	case "!!null":
		v.kind = null
	case "!!bool":
		if !boolForm.MatchString(s) {
			return errors.New("not a boolean: " + pyQuote(Clip(s, 40)))
		}
		switch strings.ToLower(s) {
		case "yes", "true", "on":
			v.bool = true
		}
		v.kind = boolean
	case "!!int":
		return v.integer(s)
	case "!!float":
		return v.float(s)
	case "!!timestamp":
		return v.timestamp(s)
	}
	return nil
}

func (v *value) integer(s string) error {
	bad := errors.New("not an integer: " + pyQuote(Clip(s, 40)))
	d := strings.ReplaceAll(s, "_", "")
	negative := strings.HasPrefix(d, "-")
	d = strings.TrimPrefix(strings.TrimPrefix(d, "-"), "+")
	if len(d) > maxDigits {
		return errors.New("an integer of more than 4300 digits")
	}
	ok := d != "" && d[0] != '-' && d[0] != '+'
	var n string
	switch {
	case !ok:
	case d == "0":
		n = "0"
	case strings.HasPrefix(d, "0b"):
		n, ok = decimal(d[2:], 2, negative)
	case strings.HasPrefix(d, "0x"):
		n, ok = decimal(d[2:], 16, negative)
	case d[0] == '0':
		n, ok = decimal(d, 8, negative)
	case strings.Contains(d, ":"):
		sum, sixty := new(big.Int), big.NewInt(60)
		for part := range strings.SplitSeq(d, ":") {
			p, fine := new(big.Int).SetString(part, 10)
			if !fine {
				return bad
			}
			sum.Add(sum.Mul(sum, sixty), p)
		}
		if negative {
			sum.Neg(sum)
		}
		n = sum.String()
	default:
		n, ok = decimal(d, 10, negative)
	}
	if !ok {
		return bad
	}
	v.kind, v.text = integer, n
	return nil
}

func (v *value) float(s string) error {
	d := strings.ToLower(strings.ReplaceAll(s, "_", ""))
	sign := 1.0
	if strings.HasPrefix(d, "-") {
		sign = -1
	}
	d = strings.TrimPrefix(strings.TrimPrefix(d, "-"), "+")
	var f float64
	switch {
	case d == ".inf":
		f = math.Inf(1)
	case d == ".nan":
		f = math.NaN()
	default:
		for part := range strings.SplitSeq(d, ":") {
			p, err := strconv.ParseFloat(part, 64)
			if err != nil && !errors.Is(err, strconv.ErrRange) || strings.ContainsAny(part, "xXpPn") {
				return errors.New("not a number: " + pyQuote(Clip(s, 40)))
			}
			f = f*60 + p
		}
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return errors.New(pyQuote(Clip(s, 40)) + " is not a finite number, and JSON has no other")
	}
	v.kind, v.num = float, sign*f
	return nil
}

func (v *value) timestamp(s string) error {
	m := timePart.FindStringSubmatch(s)
	if m == nil {
		return errors.New("not a date: " + pyQuote(Clip(s, 40)))
	}
	n := func(i int) int { x, _ := strconv.Atoi(m[i]); return x }
	if m[4] == "" {
		return v.setDate(n(1), n(2), n(3))
	}
	fraction := (m[7] + "000000")[:6]
	us, _ := strconv.Atoi(fraction)
	zone, naive := time.UTC, m[8] == "" && m[9] == ""
	if m[9] != "" {
		if n(10) > 23 || n(11) > 59 {
			return errors.New("offset out of range: " + pyQuote(s))
		}
		off := n(10)*3600 + n(11)*60
		if m[9] == "-" {
			off = -off
		}
		if off != 0 {
			zone = time.FixedZone("", off)
		}
	}
	return v.setTime(n(1), n(2), n(3), n(4), n(5), n(6), us, zone, naive)
}

// setDate makes v a date; it refuses days that no calendar has.
func (v *value) setDate(year, month, day int) error {
	if err := checkDate(year, month, day); err != nil {
		return err
	}
	v.kind, v.time, v.naive = date, time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC), true
	v.text = isoDate(v.time)
	return nil
}

// setTime makes v a datetime.
func (v *value) setTime(year, month, day, hour, minute, second, us int, zone *time.Location, naive bool) error {
	if err := checkDate(year, month, day); err != nil {
		return err
	}
	switch {
	case hour < 0 || hour > 23:
		return errors.New("hour must be in 0..23")
	case minute < 0 || minute > 59:
		return errors.New("minute must be in 0..59")
	case second < 0 || second > 59:
		return errors.New("second must be in 0..59")
	case us < 0 || us > 999999:
		return errors.New("microsecond must be in 0..999999")
	}
	v.kind, v.time, v.naive = datetime, time.Date(year, time.Month(month), day, hour, minute, second, us*1000, zone), naive
	v.text = isoTime(v.time, naive)
	return nil
}

func checkDate(year, month, day int) error {
	switch {
	case year < 1 || year > 9999:
		return errors.New("year " + strconv.Itoa(year) + " is out of range")
	case month < 1 || month > 12:
		return errors.New("month must be in 1..12")
	case day < 1 || time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() != day:
		return errors.New("day is out of range for month")
	}
	return nil
}

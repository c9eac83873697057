package cron

import (
	"math/bits"
	"strings"
)

// The fields of cron.
const (
	minute = iota
	hour
	dayOfMonth
	month
	dayOfWeek
)

func unixFields() [5]field {
	return [5]field{
		{name: "minute", min: 0, max: 59},
		{name: "hour", min: 0, max: 23},
		{name: "day of month", min: 1, max: 31},
		months(),
		{name: "day of week", min: 0, max: 6, names: weekdays()},
	}
}

// A set is what croniter makes of a field.
type set struct {
	bits uint64
	star bool
	last bool // L, of a day of the month
	// nth holds for each weekday the bits 1 to 5 of the weeks it is wanted
	// in, and bit 0 for the last one.
	nth [7]uint8
}

// size counts as croniter does: a star is a value like another.
func (s set) size() int {
	return bits.OnesCount64(s.bits) + int(flag(s.star)) + int(flag(s.last))
}

func (s set) hasNth() bool { return s.nth != [7]uint8{} }

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// unix builds the schedule of five fields in lower case. Its oddities are
// croniter's: a range of one value is the whole field, which makes 59/5 the
// same as */5, a field that lists all its values becomes * only sometimes,
// and an nth weekday beside a day of the month makes that count for nothing.
func unix(expr string, f []string) (Schedule, error) {
	var sets [5]set
	for i, def := range unixFields() {
		p := unixParser{expr: expr, index: i, field: def}
		if err := p.parse(f[i]); err != nil {
			return Schedule{}, err
		}
		s := p.set
		if s.size() == def.max-def.min+1 && !(i == dayOfMonth && !strings.Contains(f[dayOfWeek], "*")) &&
			!(i == dayOfWeek && !strings.Contains(f[dayOfMonth], "*")) {
			s = set{star: true, nth: s.nth}
		}
		sets[i] = s
	}
	dom, dow := sets[dayOfMonth], sets[dayOfWeek]
	if dow.hasNth() && dow.size() != 7 {
		for d, weeks := range dow.nth {
			if weeks == 0 && dow.bits>>d&1 != 0 {
				return Schedule{}, refuse(expr, "day of week %q: days with # or L and days without cannot be mixed", f[dayOfWeek])
			}
		}
	}
	s := Schedule{
		expr:    expr,
		minutes: sets[minute].mask(60),
		hours:   uint32(sets[hour].mask(24)),
		months:  uint16(sets[month].mask(13)),
		hourly:  sets[hour].star && sets[hour].size() == 1,
	}
	byMonth := days{any: dom.star, dom: uint32(dom.bits), last: dom.last, anyDow: true, nth: dow.nth, hasNth: dow.hasNth()}
	byWeek := days{any: true, anyDow: dow.star, dow: uint8(dow.bits), nth: dow.nth, hasNth: dow.hasNth()}
	if !dom.star && !dow.star {
		s.days = []days{byMonth, byWeek}
	} else {
		byMonth.anyDow, byMonth.dow = dow.star, uint8(dow.bits)
		s.days = []days{byMonth}
	}
	for _, d := range s.days {
		if !d.occurs(s.months) {
			return Schedule{}, refuse(expr, "day of month %q never comes in month %q", f[dayOfMonth], f[month])
		}
	}
	return s, nil
}

// mask is the set as bits below n.
func (s set) mask(n int) uint64 {
	if s.star {
		return 1<<n - 1
	}
	return s.bits
}

// A unixParser gathers the set of one field.
type unixParser struct {
	expr  string
	index int
	field field
	set   set
}

func (p *unixParser) refuse(value, expected string) error {
	return refuse(p.expr, "%s %q: %s", p.field.name, value, expected)
}

func (p *unixParser) parse(text string) error {
	if strings.Contains(text, "?") {
		if p.index != dayOfMonth && p.index != dayOfWeek {
			return p.refuse(text, "? can stand for a day of month or day of week only; write *")
		}
		if text != "?" {
			return p.refuse(text, "? stands alone")
		}
		text = "*"
	}
	for part := range strings.SplitSeq(text, ",") {
		if err := p.part(part); err != nil {
			return err
		}
	}
	return nil
}

// part reads one element of a list.
func (p *unixParser) part(text string) error {
	weeks := uint8(0) // as in set.nth
	span := text
	if p.index == dayOfWeek {
		if name, nth, ok := strings.Cut(text, "#"); ok {
			n, isNumber := digits(nth)
			if !isNumber || n < 1 || n > 5 {
				return p.refuse(text, "the number after # says which such day of the month: expected 1 to 5")
			}
			if strings.Contains(name, "-") && strings.ContainsAny(name, "0123456789") || strings.Contains(name, "/") {
				return p.refuse(text, "before # stands one day, or a range of names such as MON-FRI")
			}
			span, weeks = name, 1<<n
		} else if day, ok := strings.CutPrefix(text, "l"); ok && day != "" {
			if _, isNumber := digits(day); !isNumber {
				return p.refuse(text, "after L stands the number of a day: L5 is the last Friday of the month")
			}
			span, weeks = day, 1
		}
	}
	low, high, step, isRange, err := p.bounds(text, span)
	if err != nil {
		return err
	}
	if !isRange {
		return p.single(text, span, weeks)
	}
	for _, v := range walk(low, high, step, p.field.min, p.field.max) {
		if v < p.field.min {
			return p.refuse(text, p.field.expected())
		}
		p.add(v, weeks)
	}
	return nil
}

// bounds reads a range or a step: a-b, a-b/n, */n and a/n, where the last
// goes to the end of the field.
func (p *unixParser) bounds(text, span string) (low, high, step int, isRange bool, err error) {
	body, by, hasStep := strings.Cut(span, "/")
	from, to, hasTo := strings.Cut(body, "-")
	if !hasStep && !hasTo {
		return 0, 0, 0, false, nil
	}
	step = 1
	if hasStep {
		var ok bool
		if step, ok = digits(by); !ok || step == 0 {
			return 0, 0, 0, false, p.refuse(text, "after / stands the step: expected a number from 1")
		}
	}
	if hasStep && body == "*" {
		return p.field.min, p.field.max, step, true, nil
	}
	low, ok := p.bound(from)
	high = p.field.max
	if ok && hasTo {
		if p.index == dayOfMonth && to == "l" {
			to = "31"
		}
		high, ok = p.bound(to)
	}
	if !ok || low > p.field.max || high > p.field.max {
		return 0, 0, 0, false, p.refuse(text, p.field.expected())
	}
	return low, high, step, true, nil
}

// bound reads a number or name, where 7 is Sunday.
func (p *unixParser) bound(text string) (int, bool) {
	n, ok := p.field.value(text)
	if p.index == dayOfWeek && n == 7 {
		n = 0
	}
	return n, ok
}

// single reads an element that is neither range nor step.
func (p *unixParser) single(text, span string, weeks uint8) error {
	switch {
	case span == "*" && weeks == 0:
		p.set.star = true
		return nil
	case span == "l" && p.index == dayOfMonth:
		p.set.last = true
		return nil
	case p.index == dayOfMonth && strings.HasSuffix(span, "w"):
		return p.refuse(text, "W is EventBridge's; write six fields with a ?, such as 0 9 15W * ? *")
	case p.index == dayOfWeek && len(span) > 1 && strings.HasSuffix(span, "l"):
		return p.refuse(text, "the last Friday of the month is L5 in five fields, 6L in EventBridge's six")
	case p.index == dayOfWeek && span == "l":
		return p.refuse(text, "after L stands the number of a day: L5 is the last Friday of the month")
	case strings.HasPrefix(span, "r") && (span == "r" || span[1] == '('), strings.HasPrefix(span, "h") && (span == "h" || span[1] == '('):
		return p.refuse(text, "H and R (hashed and random values) are not supported; write the value")
	}
	n, ok := p.bound(span)
	if !ok || n < p.field.min || n > p.field.max {
		return p.refuse(text, p.field.expected())
	}
	p.add(n, weeks)
	return nil
}

func (p *unixParser) add(v int, weeks uint8) {
	p.set.bits |= 1 << v
	if p.index == dayOfWeek {
		p.set.nth[v] |= weeks
	}
}

// walk lists low to high by step within a field from lo to hi. Bounds that
// are equal mean the whole field, and a range may wrap around its end.
func walk(low, high, step, lo, hi int) []int {
	var all []int
	upTo := func(from, to int) {
		for v := from; v <= to; v += step {
			all = append(all, v)
		}
	}
	switch {
	case low < high:
		upTo(low, high)
	case low == high:
		upTo(lo, hi)
	default:
		upTo(low, hi)
		// The step goes on behind the end, in croniter's way of counting.
		skip, left, place := 0, hi-all[len(all)-1], all[len(all)-1]-lo
		if place+step > hi-lo+1 && left < step {
			skip = step - left
		}
		upTo(lo+skip, high)
	}
	return all
}

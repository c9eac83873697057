package cron

import (
	"strings"
)

// The fields of EventBridge are those of cron and a year.
func bridgeFields() [6]field {
	return [6]field{
		{name: "minute", min: 0, max: 59},
		{name: "hour", min: 0, max: 23},
		{name: "day of month", min: 1, max: 31},
		months(),
		{name: "day of week", min: 1, max: 7, names: weekdays(), first: 1},
		{name: "year", min: firstYear, max: lastYear},
	}
}

// ParseEventBridge reads the six fields minutes, hours, day of month, month,
// day of week (1 is Sunday) and year as EventBridge does, with or without
// cron(…) around them.
func ParseEventBridge(expr string) (Schedule, error) {
	if len(expr) > maxLen {
		return Schedule{}, refuse(expr[:40]+"…", "the expression is longer than %d bytes", maxLen)
	}
	text := strings.ToLower(strings.TrimSpace(expr))
	if inner, ok := strings.CutPrefix(text, "cron("); ok {
		if text, ok = strings.CutSuffix(inner, ")"); !ok {
			return Schedule{}, refuse(expr, "the closing parenthesis of cron(…) is missing")
		}
	}
	f := strings.Fields(text)
	if len(f) != 6 {
		return Schedule{}, refuse(expr, "it has %d fields; expected six (minute hour day-of-month month day-of-week year)", len(f))
	}
	if (f[dayOfMonth] == "?") == (f[dayOfWeek] == "?") {
		return Schedule{}, refuse(expr, "exactly one of day of month (%q) and day of week (%q) must be ?", f[dayOfMonth], f[dayOfWeek])
	}
	var parts [6]*bridgeParser
	for i, def := range bridgeFields() {
		parts[i] = &bridgeParser{expr: expr, index: i, field: def}
		if err := parts[i].parse(f[i]); err != nil {
			return Schedule{}, err
		}
	}
	s := Schedule{
		expr:    expr,
		minutes: parts[minute].bits[0],
		hours:   uint32(parts[hour].bits[0]),
		months:  uint16(parts[month].bits[0] << 1),
		once:    true,
	}
	if years := parts[5]; !years.star {
		s.years = &years.bits
	}
	dom, dow := parts[dayOfMonth], parts[dayOfWeek]
	d := dom.days
	d.any, d.dom = dom.star, uint32(dom.bits[0]<<1)
	d.anyDow, d.dow, d.nth, d.hasNth = dow.star, uint8(dow.bits[0]), dow.days.nth, dow.days.hasNth
	if !d.occurs(s.months) {
		return Schedule{}, refuse(expr, "day of month %q never comes in month %q", f[dayOfMonth], f[month])
	}
	s.days = []days{d}
	return s, nil
}

// A bridgeParser gathers what one field says.
type bridgeParser struct {
	expr  string
	index int
	field field
	star  bool      // any value
	bits  [4]uint64 // the values, less the least one of the field
	days  days      // what only a field for days can say
}

func (p *bridgeParser) refuse(value, expected string) error {
	return refuse(p.expr, "%s %q: %s", p.field.name, value, expected)
}

func (p *bridgeParser) parse(text string) error {
	forDays := p.index == dayOfMonth || p.index == dayOfWeek
	if text == "?" && forDays || text == "*" {
		p.star = true
		for v := p.field.min; v <= p.field.max; v++ {
			p.add(v)
		}
		return nil
	}
	if forDays {
		if special, err := p.special(text); special || err != nil {
			return err
		}
	}
	for part := range strings.SplitSeq(text, ",") {
		if err := p.part(part); err != nil {
			return err
		}
	}
	return nil
}

// special reads what stands alone in a field for days: L, 15W, 6L, 6#3.
func (p *bridgeParser) special(text string) (bool, error) {
	if p.index == dayOfMonth {
		switch {
		case text == "l":
			p.days.last = true
		case strings.HasSuffix(text, "w"):
			n, ok := digits(strings.TrimSuffix(text, "w"))
			if !ok || n < 1 || n > 31 {
				return false, p.refuse(text, "before W stands a day of the month: expected 1 to 31, and nothing else in the field")
			}
			p.days.nearest = n
		default:
			return false, nil
		}
		return true, nil
	}
	weeks := uint8(1) // the last one
	name, nth, hash := strings.Cut(text, "#")
	switch {
	case text == "l": // the last day of the week
		p.add(p.field.max)
		return true, nil
	case hash:
		n, ok := digits(nth)
		if !ok || n < 1 || n > 5 {
			return false, p.refuse(text, "the number after # says which such day of the month: expected 1 to 5, and nothing else in the field")
		}
		weeks = 1 << n
	case strings.HasSuffix(text, "l"):
		name = strings.TrimSuffix(text, "l")
	default:
		return false, nil
	}
	day, ok := p.field.value(name)
	if !ok || day < 1 || day > 7 {
		return false, p.refuse(text, "before # or L stands one day: expected 1 to 7 or SUN to SAT")
	}
	p.days.hasNth, p.days.nth[day-1] = true, weeks
	return true, nil
}

// part reads one element of a list: v, a-b, and either or * with a step.
func (p *bridgeParser) part(text string) error {
	body, by, hasStep := strings.Cut(text, "/")
	from, to, hasTo := strings.Cut(body, "-")
	step := 1
	if hasStep {
		var ok bool
		if step, ok = digits(by); !ok || step == 0 {
			return p.refuse(text, "after / stands the step: expected a number from 1")
		}
	}
	low, high := p.field.min, p.field.max
	if body != "*" {
		var ok bool
		if low, ok = p.bound(from); !ok {
			return p.refuse(text, p.field.expected())
		}
		switch {
		case hasTo:
			if high, ok = p.bound(to); !ok {
				return p.refuse(text, p.field.expected())
			}
		case !hasStep:
			high = low
		}
	} else if !hasStep {
		return p.refuse(text, "* stands alone or before a step")
	}
	if low > high {
		if p.index == 5 {
			return p.refuse(text, "the range ends before it begins")
		}
		// Around the end of the field, as in FRI-MON or 22-2.
		high += p.field.max - p.field.min + 1
	}
	for v := low; v <= high; v += step {
		p.add(p.field.min + (v-p.field.min)%(p.field.max-p.field.min+1))
	}
	return nil
}

func (p *bridgeParser) bound(text string) (int, bool) {
	n, ok := p.field.value(text)
	return n, ok && n >= p.field.min && n <= p.field.max
}

func (p *bridgeParser) add(v int) {
	i := v - p.field.min
	p.bits[i/64] |= 1 << (i % 64)
}

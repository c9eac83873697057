package airflow

import (
	"fmt"
	"math"
	"strings"
	"time"

	"fairlead/internal/lang/jinja"
)

// The tzinfo classes of dateutil, and its relativedelta.
var (
	typeTZUTC    = &jinja.Type{Name: "tzutc", Module: "dateutil.tz.tz"}
	typeTZFile   = &jinja.Type{Name: "tzfile", Module: "dateutil.tz.tz"}
	typeTZOffset = &jinja.Type{Name: "tzoffset", Module: "dateutil.tz.tz"}
	typeTZLocal  = &jinja.Type{Name: "tzlocal", Module: "dateutil.tz.tz"}

	typeRelative = &jinja.Type{Name: "relativedelta", Module: "dateutil.relativedelta"}
	typeWeekday  = &jinja.Type{Name: "weekday", Module: "dateutil.relativedelta"}
)

var (
	tzUTC   = jinja.FixedZone(0, "UTC", "tzutc()", typeTZUTC)
	tzLocal = jinja.FixedZone(0, "UTC", "tzlocal()", typeTZLocal)
)

// zoneMethods are the methods of a tzinfo.
func zoneMethods() map[string]*jinja.Func {
	ask := func(name string) *jinja.Func {
		return jinja.NewFunc(name+"(dt)", func(c *jinja.Call) (jinja.Value, error) {
			zone := c.Self.(*jinja.TZ)
			wall := time.Unix(0, 0)
			if d, ok := c.Args[0].(*jinja.DateTime); ok {
				wall = d.Wall()
			} else if zone.Location() != nil {
				return jinja.None, nil // it depends on the date
			}
			return c.Method(jinja.NewDateTime(wall, zone, jinja.TypeDateTime), name), nil
		})
	}
	return map[string]*jinja.Func{"utcoffset": ask("utcoffset"), "tzname": ask("tzname"), "dst": ask("dst")}
}

func dateutilModule() *jinja.Module {
	relative := map[string]jinja.Value{"relativedelta": typeRelative}
	for i, name := range weekdayNames {
		relative[name] = weekdayValue{day: i}
	}
	return &jinja.Module{Name: "dateutil", Attrs: map[string]jinja.Value{
		"parser": &jinja.Module{Name: "dateutil.parser", Attrs: map[string]jinja.Value{
			"parse":    jinja.NewFunc("parse(timestr, parserinfo?, **kwargs)", parseDate),
			"isoparse": jinja.NewFunc("isoparser.isoparse(dt_str)", isoParse),
		}},
		"relativedelta": &jinja.Module{Name: "dateutil.relativedelta", Attrs: relative},
		"tz":            tzModule(),
		"utils": &jinja.Module{Name: "dateutil.utils", Attrs: map[string]jinja.Value{
			"today": jinja.NewFunc("today(tzinfo?)", func(c *jinja.Call) (jinja.Value, error) {
				var zone *jinja.TZ
				if z, ok := c.Or(0, jinja.None).(*jinja.TZ); ok {
					zone = z
				}
				return jinja.NewDateTime(time.Now().UTC().Truncate(24*time.Hour), zone, jinja.TypeDateTime), nil
			}),
		}},
		"easter": &jinja.Module{Name: "dateutil.easter", Attrs: map[string]jinja.Value{
			"easter": jinja.NewFunc("easter(year, method?)", func(c *jinja.Call) (jinja.Value, error) {
				y, ok := jinja.Integer(c.Args[0])
				if !ok || y < 1583 || y > 9999 || c.Has(1) {
					return nil, jinja.Errorf("ValueError", "easter: expected a year from 1583 to 9999 and no method")
				}
				return jinja.NewDateTime(easter(int(y)), nil, jinja.TypeDate), nil
			}),
		}},
	}}
}

// easter is the Gregorian rule, in the form of Meeus.
func easter(y int) time.Time {
	a, b, c := y%19, y/100, y%100
	h := (19*a + b - b/4 - (b-(b+8)/25+1)/3 + 15) % 30
	l := (32 + 2*(b%4) + 2*(c/4) - h - c%4) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Date(y, time.Month(n/31), n%31+1, 0, 0, 0, 0, time.UTC)
}

func tzModule() *jinja.Module {
	fixed := func(z *jinja.TZ, name string) *jinja.Func {
		return jinja.NewFunc(name+"()", func(c *jinja.Call) (jinja.Value, error) { return z, nil })
	}
	return &jinja.Module{Name: "dateutil.tz", Attrs: map[string]jinja.Value{
		"UTC":     tzUTC,
		"tzutc":   fixed(tzUTC, "tzutc"),
		"tzlocal": fixed(tzLocal, "tzlocal"),
		"gettz": jinja.NewFunc("nocache(name?)", func(c *jinja.Call) (jinja.Value, error) {
			name := c.Or(0, jinja.None)
			if !c.Truth(name) {
				return tzLocal, nil
			}
			s, ok := jinja.Text(name)
			if !ok {
				return nil, jinja.Errorf("TypeError", "expected str, not %s", name.Type().Name)
			}
			return getTZ(s), nil
		}),
		"tzoffset": jinja.NewFunc("tzoffset.__init__(name, offset)", func(c *jinja.Call) (jinja.Value, error) {
			return tzOffset(c)
		}),
	}}
}

func getTZ(name string) jinja.Value {
	if name == "UTC" || name == "GMT" {
		return tzUTC
	}
	loc, err := zoneByName(name)
	if err != nil {
		return jinja.None
	}
	return jinja.RuleZone(loc, "tzfile('/usr/share/zoneinfo/"+name+"')", typeTZFile, true)
}

// zoneByName refuses what Go reads in its own way: the empty name and Local.
func zoneByName(name string) (*time.Location, error) {
	if name == "" || name == "Local" || strings.HasPrefix(name, "/") || strings.Contains(name, "..") || len(name) > 64 {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	return time.LoadLocation(name)
}

func tzOffset(c *jinja.Call) (jinja.Value, error) {
	var seconds float64
	switch v := c.Args[1].(type) {
	case *jinja.Delta:
		seconds = float64(v.Days())*86400 + float64(v.Micros())/1e6
	default:
		f, ok := jinja.Number(v)
		if !ok {
			return nil, jinja.Errorf("TypeError", "unsupported type for timedelta seconds component: %s", v.Type().Name)
		}
		seconds = f
	}
	if math.Abs(seconds) >= 86400 || math.IsNaN(seconds) {
		return nil, jinja.Errorf("ValueError", "offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24)")
	}
	name, _ := jinja.Text(c.Args[0])
	shown := c.Repr(c.Args[0])
	return namedOffset(name, shown, int(seconds)), nil
}

func namedOffset(name, shown string, seconds int) *jinja.TZ {
	return jinja.FixedZone(time.Duration(seconds)*time.Second, name, fmt.Sprintf("tzoffset(%s, %d)", shown, seconds), typeTZOffset)
}

var weekdayNames = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

// weekdayValue is MO to SU, or MO(n): the n-th one from the date.
type weekdayValue struct{ day, n int }

func (weekdayValue) Type() *jinja.Type { return typeWeekday }

// Str is Repr.
func (w weekdayValue) Str() string { return w.Repr() }

// Repr prints n with its sign.
func (w weekdayValue) Repr() string {
	if w.n == 0 {
		return weekdayNames[w.day]
	}
	return fmt.Sprintf("%s(%+d)", weekdayNames[w.day], w.n)
}

// Key makes equal weekdays equal.
func (w weekdayValue) Key() string { return w.Repr() }

// Attr returns weekday and n.
func (w weekdayValue) Attr(name string) (jinja.Value, bool) {
	switch name {
	case "weekday":
		return jinja.Int(w.day), true
	case "n":
		if w.n == 0 {
			return jinja.None, true
		}
		return jinja.Int(w.n), true
	}
	return nil, false
}

// Call is MO(n).
func (w weekdayValue) Call(c *jinja.Call) (jinja.Value, error) {
	if len(c.Rest) != 1 {
		return nil, jinja.Errorf("TypeError", "weekday.__call__() missing 1 required positional argument: 'n'")
	}
	n, ok := jinja.Integer(c.Rest[0])
	if !ok {
		return nil, jinja.Errorf("TypeError", "'%s' object cannot be interpreted as an integer", c.Rest[0].Type().Name)
	}
	return weekdayValue{w.day, int(max(min(n, 1<<20), -1<<20))}, nil
}

// The relative parts of a relativedelta, in the order in which they print,
// and the absolute ones.
var (
	relativeParts = []string{"years", "months", "days", "leapdays", "hours", "minutes", "seconds", "microseconds"}
	absoluteParts = []string{"year", "month", "day", "hour", "minute", "second", "microsecond"}
)

// relativeDelta is dateutil's relativedelta. Its maps are never changed once
// it is made.
type relativeDelta struct {
	rel     map[string]float64
	abs     map[string]int
	weekday *weekdayValue
}

func (*relativeDelta) Type() *jinja.Type { return typeRelative }

// Str is Repr.
func (r *relativeDelta) Str() string { return r.Repr() }

// Repr prints the parts that are set.
func (r *relativeDelta) Repr() string {
	var parts []string
	for _, p := range relativeParts {
		if v := r.rel[p]; v != 0 {
			parts = append(parts, p+"="+signed(v))
		}
	}
	for _, p := range absoluteParts {
		if p == "hour" && r.weekday != nil {
			parts = append(parts, "weekday="+r.weekday.Repr())
		}
		if v, ok := r.abs[p]; ok {
			parts = append(parts, fmt.Sprintf("%s=%d", p, v))
		}
	}
	return "relativedelta(" + strings.Join(parts, ", ") + ")"
}

// signed is Python's format {:+g}.
func signed(v float64) string {
	return fmt.Sprintf("%+.6g", v)
}

// Key makes equal deltas equal.
func (r *relativeDelta) Key() string { return r.Repr() }

// Attr returns the parts.
func (r *relativeDelta) Attr(name string) (jinja.Value, bool) {
	if name == "weeks" {
		return jinja.Int(int(r.rel["days"] / 7)), true
	}
	for _, p := range relativeParts {
		if p == name {
			return numberOf(r.rel[p]), true
		}
	}
	for _, p := range absoluteParts {
		if p == name {
			if v, ok := r.abs[p]; ok {
				return jinja.Int(v), true
			}
			return jinja.None, true
		}
	}
	if name == "weekday" {
		if r.weekday == nil {
			return jinja.None, true
		}
		return *r.weekday, true
	}
	return nil, false
}

func numberOf(f float64) jinja.Value {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return jinja.Int(int64(f))
	}
	return jinja.Float(f)
}

func addRelativeDelta(e *jinja.Env) {
	e.AddClass(typeRelative, &jinja.Class{
		New: jinja.NewFunc("relativedelta.__init__(dt1?, dt2?, years?, months?, days?, leapdays?, weeks?, hours?, minutes?, seconds?, microseconds?, year?, month?, day?, weekday?, yearday?, nlyearday?, hour?, minute?, second?, microsecond?)", newRelativeDelta),
		Methods: map[string]*jinja.Func{
			"normalized": jinja.NewFunc("relativedelta.normalized()", func(c *jinja.Call) (jinja.Value, error) { return c.Self, nil }),
		},
	})
}

func newRelativeDelta(c *jinja.Call) (jinja.Value, error) {
	names := []string{"dt1", "dt2", "years", "months", "days", "leapdays", "weeks", "hours", "minutes", "seconds", "microseconds",
		"year", "month", "day", "weekday", "yearday", "nlyearday", "hour", "minute", "second", "microsecond"}
	if a, ok := c.Or(0, jinja.None).(*jinja.DateTime); ok {
		if b, ok := c.Or(1, jinja.None).(*jinja.DateTime); ok {
			return relativeBetween(c, a, b)
		}
	}
	r := &relativeDelta{rel: map[string]float64{}, abs: map[string]int{}}
	weeks, yearday := 0.0, 0
	for i, name := range names[2:] {
		v := c.Or(i+2, jinja.None)
		if v == jinja.None {
			continue
		}
		if w, ok := v.(weekdayValue); ok && name == "weekday" {
			r.weekday = &w
			continue
		}
		f, ok := jinja.Number(v)
		if _, text := jinja.Text(v); text && name == "days" {
			return nil, jinja.Errorf("TypeError", `can only concatenate str (not "int") to str`)
		}
		if !ok {
			return nil, jinja.Errorf("TypeError", "unsupported operand type(s) for +: '%s' and 'int'", v.Type().Name)
		}
		if math.IsNaN(f) || math.Abs(f) > 1e15 {
			return nil, jinja.Errorf("OverflowError", "date value out of range")
		}
		switch name {
		case "weeks":
			weeks = f
		case "weekday":
			if f < -7 || f > 6 {
				return nil, jinja.Errorf("IndexError", "tuple index out of range")
			}
			r.weekday = &weekdayValue{day: (int(f) + 7) % 7}
		case "yearday", "nlyearday":
			yearday = int(f)
			if name == "yearday" && f > 59 {
				r.rel["leapdays"] = -1
			}
		case "years", "months":
			if f != math.Trunc(f) {
				return nil, jinja.Errorf("ValueError", "Non-integer years and months are ambiguous and not currently supported.")
			}
			r.rel[name] = f
		case "days", "leapdays", "hours", "minutes", "seconds", "microseconds":
			r.rel[name] = f
		default:
			r.abs[name] = int(f)
		}
	}
	r.rel["days"] += weeks * 7
	if yearday != 0 {
		ends := []int{31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 366}
		start := 0
		for i, end := range ends {
			if yearday <= end {
				r.abs["month"], r.abs["day"] = i+1, yearday-start
				break
			}
			start = end
		}
		if yearday > 366 {
			return nil, jinja.Errorf("ValueError", "invalid year day (%d)", yearday)
		}
	}
	return r.fixed(), nil
}

// fixed carries what is too much for a unit over to the next, keeping signs.
func (r *relativeDelta) fixed() *relativeDelta {
	carry := func(from, to string, size float64) {
		if v := r.rel[from]; math.Abs(v) > size-1 {
			q := math.Trunc(v / size)
			r.rel[from] = v - q*size
			r.rel[to] += q
		}
	}
	carry("microseconds", "seconds", 1_000_000)
	carry("seconds", "minutes", 60)
	carry("minutes", "hours", 60)
	carry("hours", "days", 24)
	carry("months", "years", 12)
	return r
}

func relativeBetween(c *jinja.Call, a, b *jinja.DateTime) (jinja.Value, error) {
	class := jinja.TypeDateTime
	a2, b2 := jinja.NewDateTime(a.Wall(), a.Zone(), class), jinja.NewDateTime(b.Wall(), b.Zone(), class)
	wa, wb := a2.Wall(), b2.Wall()
	months := (wa.Year()-wb.Year())*12 + int(wa.Month()) - int(wb.Month())
	set := func() *relativeDelta {
		return (&relativeDelta{rel: map[string]float64{"months": float64(months)}}).fixed()
	}
	r := set()
	moved, err := r.moves(b2)
	if err != nil {
		return nil, err
	}
	earlier := c.Less(a2, b2)
	step := -1
	if earlier {
		step = 1
	}
	for range 2 * 12 * 10000 {
		past := c.Less(a2, moved)
		if earlier {
			past = c.Less(moved, a2)
		}
		if !past {
			break
		}
		months += step
		r = set()
		if moved, err = r.moves(b2); err != nil {
			return nil, err
		}
	}
	d := c.Sub(a2, moved).(*jinja.Delta)
	r.rel["seconds"] = float64(d.Micros()/1_000_000 + d.Days()*86400)
	r.rel["microseconds"] = float64(d.Micros() % 1_000_000)
	return r.fixed(), nil
}

// hasTime reports whether the delta makes a datetime of a date.
func (r *relativeDelta) hasTime() bool {
	for _, p := range []string{"hours", "minutes", "seconds", "microseconds"} {
		if r.rel[p] != 0 {
			return true
		}
	}
	for _, p := range absoluteParts[3:] {
		if _, ok := r.abs[p]; ok {
			return true
		}
	}
	return false
}

// moves adds the delta to a date or datetime.
func (r *relativeDelta) moves(d *jinja.DateTime) (*jinja.DateTime, error) {
	class := d.Type()
	if !d.IsDateTime() && r.hasTime() {
		class = jinja.TypeDateTime
	}
	w := d.Wall()
	part := func(name string, otherwise int) int {
		if v, ok := r.abs[name]; ok {
			return v
		}
		return otherwise
	}
	year, month := part("year", w.Year()), part("month", int(w.Month()))
	if year == 0 {
		year = w.Year()
	}
	year += int(r.rel["years"])
	if m := int(r.rel["months"]); m != 0 {
		month += m
		if month > 12 {
			year, month = year+1, month-12
		} else if month < 1 {
			year, month = year-1, month+12
		}
	}
	if month < 1 || month > 12 {
		return nil, jinja.Errorf("IllegalMonthError", "bad month number %d; must be 1-12", month)
	}
	if year < 1 || year > 9999 {
		return nil, jinja.Errorf("ValueError", "year %d is out of range", year)
	}
	day := min(time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day(), max(part("day", w.Day()), 1))
	clock := [4]int{part("hour", w.Hour()), part("minute", w.Minute()), part("second", w.Second()), part("microsecond", w.Nanosecond()/1000)}
	for i, name := range []string{"hour must be in 0..23", "minute must be in 0..59", "second must be in 0..59", "microsecond must be in 0..999999"} {
		if clock[i] < 0 || clock[i] >= [...]int{24, 60, 60, 1_000_000}[i] {
			return nil, jinja.Errorf("ValueError", "%s", name)
		}
	}
	t := time.Date(year, time.Month(month), day, clock[0], clock[1], clock[2], clock[3]*1000, time.UTC)
	days := r.rel["days"]
	if r.rel["leapdays"] != 0 && month > 2 && isLeap(year) {
		days += r.rel["leapdays"]
	}
	whole := math.Trunc(days)
	us := (days-whole)*86400e6 + r.rel["hours"]*3600e6 + r.rel["minutes"]*60e6 + r.rel["seconds"]*1e6 + r.rel["microseconds"]
	if math.Abs(whole) > 4e6 || math.Abs(us) > 1e17 {
		return nil, jinja.Errorf("OverflowError", "date value out of range")
	}
	t = t.AddDate(0, 0, int(whole)).Add(time.Duration(math.RoundToEven(us)) * time.Microsecond)
	if wd := r.weekday; wd != nil {
		n := wd.n
		if n == 0 {
			n = 1
		}
		today := (int(t.Weekday()) + 6) % 7
		jump := (max(n, -n) - 1) * 7
		if n > 0 {
			jump += (7 - today + wd.day) % 7
		} else {
			jump += (today - wd.day + 7) % 7
			jump = -jump
		}
		t = t.AddDate(0, 0, jump)
	}
	if y := t.Year(); y < 1 || y > 9999 {
		return nil, jinja.Errorf("OverflowError", "date value out of range")
	}
	return jinja.NewDateTime(t, d.Zone(), class), nil
}

func isLeap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func (r *relativeDelta) scaled(f float64) *relativeDelta {
	out := &relativeDelta{rel: map[string]float64{}, abs: r.abs, weekday: r.weekday}
	for k, v := range r.rel {
		out.rel[k] = math.Trunc(v * f)
	}
	out.rel["leapdays"] = r.rel["leapdays"]
	return out.fixed()
}

// Binary is arithmetic with dates, numbers and other deltas.
func (r *relativeDelta) Binary(op string, other jinja.Value, swapped bool) (jinja.Value, error) {
	switch o := other.(type) {
	case *jinja.DateTime:
		if !o.Type().Is(jinja.TypeDate) {
			return nil, nil
		}
		switch {
		case op == "+":
			return valueOr(r.moves(o))
		case op == "-" && swapped:
			return valueOr(r.scaled(-1).moves(o))
		}
	case *relativeDelta:
		switch op {
		case "+":
			return r.plus(o, 1), nil
		case "-":
			return r.plus(o, -1), nil
		case "==":
			return jinja.Bool(r.Repr() == o.Repr()), nil
		}
	case *jinja.Delta:
		if op == "+" {
			return r.plus(&relativeDelta{rel: map[string]float64{
				"days": float64(o.Days()), "seconds": float64(o.Micros() / 1_000_000), "microseconds": float64(o.Micros() % 1_000_000),
			}}, 1), nil
		}
	default:
		f, ok := jinja.Number(other)
		if !ok {
			return nil, nil
		}
		switch {
		case op == "*":
			return r.scaled(f), nil
		case op == "/" && !swapped:
			if f == 0 {
				return nil, jinja.Errorf("ZeroDivisionError", "float division by zero")
			}
			return r.scaled(1 / f), nil
		}
	}
	return nil, nil
}

func valueOr(d *jinja.DateTime, err error) (jinja.Value, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (r *relativeDelta) plus(o *relativeDelta, sign float64) *relativeDelta {
	out := &relativeDelta{rel: map[string]float64{}, abs: map[string]int{}, weekday: r.weekday}
	for _, p := range relativeParts {
		out.rel[p] = r.rel[p] + sign*o.rel[p]
	}
	first, second := r.abs, o.abs // the second wins
	if sign < 0 {
		first, second = o.abs, r.abs
	} else if o.weekday != nil {
		out.weekday = o.weekday
	}
	for k, v := range first {
		out.abs[k] = v
	}
	for k, v := range second {
		out.abs[k] = v
	}
	return out.fixed()
}

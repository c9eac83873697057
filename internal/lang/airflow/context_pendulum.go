package airflow

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"fairlead/internal/lang/jinja"
)

// Airflow's dates are pendulum's: a datetime with more methods. The service
// documents none of them, so they are here only for logical_date, which is
// an extra.
var (
	typePendulum     = &jinja.Type{Name: "DateTime", Module: "pendulum.datetime", Base: jinja.TypeDateTime}
	typePendulumZone = &jinja.Type{Name: "Timezone", Module: "pendulum.tz.timezone"}
	typeInterval     = &jinja.Type{Name: "Interval", Module: "pendulum.interval"}

	pendulumUTC = jinja.FixedZone(0, "UTC", "Timezone('UTC')", typePendulumZone)
)

// asPendulum is pendulum.instance: a naive datetime is taken as UTC.
func asPendulum(d *jinja.DateTime) *jinja.DateTime {
	zone := d.Zone()
	if zone == nil {
		zone = pendulumUTC
	}
	return jinja.NewDateTime(d.Wall(), zone, typePendulum)
}

// pendulumZone reads a time zone's name, or takes a tzinfo as it is.
func pendulumZone(v jinja.Value) (*jinja.TZ, error) {
	switch z := v.(type) {
	case *jinja.TZ:
		return z, nil
	case jinja.Int, jinja.Float:
		f, _ := jinja.Number(z)
		if math.Abs(f) < 24 { // hours, else seconds
			f *= 3600
		}
		off := time.Duration(f) * time.Second
		return jinja.FixedZone(off, "", "FixedTimezone("+fmt.Sprint(int(f))+")", typePendulumZone), nil
	}
	name, ok := jinja.Text(v)
	if !ok {
		return nil, jinja.Errorf("TypeError", "'%s' object cannot be interpreted as an integer", v.Type().Name)
	}
	if strings.EqualFold(name, "utc") || name == "local" {
		return pendulumUTC, nil
	}
	loc, err := zoneByName(name)
	if err != nil {
		return nil, jinja.Errorf("InvalidTimezone", "%s", name)
	}
	return jinja.RuleZone(loc, "Timezone('"+name+"')", typePendulumZone, false), nil
}

func zoneName(z *jinja.TZ) string {
	if z == nil {
		return ""
	}
	if loc := z.Location(); loc != nil {
		return loc.String()
	}
	if z == pendulumUTC {
		return "UTC"
	}
	return ""
}

// weekdayOf is 0 for Monday.
func weekdayOf(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }

func addPendulum(e *jinja.Env) {
	wall := func(v jinja.Value) time.Time { return v.(*jinja.DateTime).Wall() }
	prop := func(f func(t time.Time) int) func(jinja.Value) jinja.Value {
		return func(v jinja.Value) jinja.Value { return jinja.Int(f(wall(v))) }
	}
	zone := func(v jinja.Value) jinja.Value {
		if z := v.(*jinja.DateTime).Zone(); z != nil {
			return z
		}
		return jinja.None
	}
	offset := func(v jinja.Value) time.Duration {
		d := v.(*jinja.DateTime)
		return d.Wall().Sub(d.UTC())
	}
	methods := map[string]*jinja.Func{}
	def := func(signature string, f func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error)) {
		name, _, _ := strings.Cut(signature, "(")
		methods[name] = jinja.NewFunc("DateTime."+signature, func(c *jinja.Call) (jinja.Value, error) {
			return f(c, c.Self.(*jinja.DateTime))
		})
	}
	text := func(name, layout string) {
		def(name+"()", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
			return jinja.Str(pendulumFormat(c, d, layout)), nil
		})
	}
	const units = "(years?, months?, weeks?, days?, hours?, minutes?, seconds?, microseconds?)"
	def("add"+units, func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) { return pendulumAdd(c, d, 1) })
	def("subtract"+units, func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) { return pendulumAdd(c, d, -1) })
	def("format(fmt, locale?)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		layout, ok := jinja.Text(c.Args[0])
		if !ok {
			return nil, jinja.Errorf("TypeError", "expected string or bytes-like object, got '%s'", c.Args[0].Type().Name)
		}
		return jinja.Str(pendulumFormat(c, d, layout)), nil
	})
	text("to_date_string", "YYYY-MM-DD")
	text("to_time_string", "HH:mm:ss")
	text("to_datetime_string", "YYYY-MM-DD HH:mm:ss")
	text("to_day_datetime_string", "ddd, MMM D, YYYY h:mm A")
	text("to_formatted_date_string", "MMM DD, YYYY")
	text("to_atom_string", "YYYY-MM-DDTHH:mm:ssZ")
	text("to_w3c_string", "YYYY-MM-DDTHH:mm:ssZ")
	text("to_cookie_string", "dddd, DD-MMM-YYYY HH:mm:ss zz")
	for _, name := range []string{"to_rfc822_string", "to_rfc1036_string"} {
		text(name, "ddd, DD MMM YY HH:mm:ss ZZ")
	}
	for _, name := range []string{"to_rfc1123_string", "to_rfc2822_string", "to_rss_string"} {
		text(name, "ddd, DD MMM YYYY HH:mm:ss ZZ")
	}
	text("to_rfc850_string", "dddd, DD-MMM-YY HH:mm:ss zz")
	def("to_rfc3339_string()", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		return c.Method(d, "isoformat"), nil
	})
	def("to_iso8601_string()", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		s := c.Str(c.Method(d, "isoformat"))
		if zoneName(d.Zone()) == "UTC" {
			s = strings.Replace(s, "+00:00", "Z", 1)
		}
		return jinja.Str(s), nil
	})
	for _, name := range []string{"in_timezone", "in_tz"} {
		def(name+"(tz)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
			z, err := pendulumZone(c.Args[0])
			if err != nil {
				return nil, err
			}
			return jinja.Instant(d.UTC(), z, typePendulum), nil
		})
	}
	def("astimezone(tz?)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		z, err := pendulumZone(c.Or(0, pendulumUTC))
		if err != nil {
			return nil, err
		}
		return jinja.Instant(d.UTC(), z, typePendulum), nil
	})
	def("start_of(unit)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) { return bound(c, d, "start_of") })
	def("end_of(unit)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) { return bound(c, d, "end_of") })
	def("set(year?, month?, day?, hour?, minute?, second?, microsecond?, tz?)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		args := jinja.NewDict()
		for i, name := range []string{"year", "month", "day", "hour", "minute", "second", "microsecond"} {
			if v := c.Or(i, jinja.None); v != jinja.None {
				args.Set(name, v)
			}
		}
		if v := c.Or(7, jinja.None); v != jinja.None {
			z, err := pendulumZone(v)
			if err != nil {
				return nil, err
			}
			args.Set("tzinfo", z)
		}
		return c.MethodWith(d, "replace", args), nil
	})
	def("on(year, month, day)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		return c.Method(d, "replace", c.Args...), nil
	})
	def("at(hour, minute?, second?, microsecond?)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		args := jinja.NewDict()
		for i, name := range []string{"hour", "minute", "second", "microsecond"} {
			args.Set(name, c.Or(i, jinja.Int(0)))
		}
		return c.MethodWith(d, "replace", args), nil
	})
	def("naive()", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		return jinja.NewDateTime(d.Wall(), nil, typePendulum), nil
	})
	def("next(day_of_week?, keep_time?)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) { return weekdayFrom(c, d, 1) })
	def("previous(day_of_week?, keep_time?)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) { return weekdayFrom(c, d, -1) })
	def("first_of(unit, day_of_week?)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) { return edgeOf(c, d, 1) })
	def("last_of(unit, day_of_week?)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) { return edgeOf(c, d, -1) })
	def("diff(dt?, abs?)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		other, err := otherDate(c.Or(0, jinja.None), d)
		if err != nil {
			return nil, err
		}
		return newInterval(d, other, !c.Has(1) || c.Truth(c.Args[1])), nil
	})
	def("diff_for_humans(other?, absolute?, locale?)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		return diffForHumans(d, c.Or(0, jinja.None), c.Has(1) && c.Truth(c.Args[1]))
	})
	flag := func(name string, f func(d *jinja.DateTime) bool) {
		def(name+"()", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) { return jinja.Bool(f(d)), nil })
	}
	flag("is_leap_year", func(d *jinja.DateTime) bool { return isLeap(d.Wall().Year()) })
	flag("is_utc", func(d *jinja.DateTime) bool { return offset(d) == 0 })
	flag("is_local", func(d *jinja.DateTime) bool { return offset(d) == 0 })
	flag("is_past", func(d *jinja.DateTime) bool { return d.UTC().Before(time.Now()) })
	flag("is_future", func(d *jinja.DateTime) bool { return d.UTC().After(time.Now()) })
	flag("is_dst", func(d *jinja.DateTime) bool {
		z := d.Zone()
		return z != nil && z.Location() != nil && d.UTC().In(z.Location()).IsDST()
	})
	def("is_same_day(dt)", func(c *jinja.Call, d *jinja.DateTime) (jinja.Value, error) {
		o, err := otherDate(c.Args[0], d)
		if err != nil {
			return nil, err
		}
		return jinja.Bool(o.Wall().Format(time.DateOnly) == d.Wall().Format(time.DateOnly)), nil
	})
	e.AddClass(typePendulum, &jinja.Class{
		Methods: methods,
		Props: map[string]func(jinja.Value) jinja.Value{
			"day_of_week":   prop(weekdayOf),
			"day_of_year":   prop(func(t time.Time) int { return t.YearDay() }),
			"week_of_year":  prop(func(t time.Time) int { _, w := t.ISOWeek(); return w }),
			"week_of_month": prop(weekOfMonth),
			"days_in_month": prop(func(t time.Time) int {
				return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
			}),
			"quarter":       prop(func(t time.Time) int { return (int(t.Month()) + 2) / 3 }),
			"int_timestamp": func(v jinja.Value) jinja.Value { return jinja.Int(v.(*jinja.DateTime).UTC().Unix()) },
			"float_timestamp": func(v jinja.Value) jinja.Value {
				t := v.(*jinja.DateTime).UTC()
				return jinja.Float(float64(t.Unix()) + float64(t.Nanosecond()/1000)/1e6)
			},
			"offset":       func(v jinja.Value) jinja.Value { return jinja.Int(offset(v) / time.Second) },
			"offset_hours": func(v jinja.Value) jinja.Value { return jinja.Float(offset(v).Hours()) },
			"timezone":     zone,
			"tz":           zone,
			"timezone_name": func(v jinja.Value) jinja.Value {
				if name := zoneName(v.(*jinja.DateTime).Zone()); name != "" {
					return jinja.Str(name)
				}
				return jinja.None
			},
		},
	})
}

func weekOfMonth(t time.Time) int {
	first := t.AddDate(0, 0, 1-t.Day())
	return (t.Day()+weekdayOf(first)-1)/7 + 1
}

func otherDate(v jinja.Value, d *jinja.DateTime) (*jinja.DateTime, error) {
	if v == jinja.None {
		zone := d.Zone()
		if zone == nil {
			zone = pendulumUTC
		}
		return jinja.Instant(time.Now(), zone, typePendulum), nil
	}
	o, ok := v.(*jinja.DateTime)
	if !ok || !o.IsDateTime() {
		if err := jinja.Fail(v); err != nil {
			return nil, err
		}
		return nil, jinja.Errorf("AttributeError", "'%s' object has no attribute 'tzinfo'", v.Type().Name)
	}
	if (o.Zone() == nil) != (d.Zone() == nil) {
		return nil, jinja.Errorf("TypeError", "can't compare offset-naive and offset-aware datetimes")
	}
	return o, nil
}

func pendulumAdd(c *jinja.Call, d *jinja.DateTime, sign float64) (jinja.Value, error) {
	var n [8]float64
	variable := false
	for i := range n {
		v := c.Or(i, jinja.Int(0))
		f, ok := jinja.Number(v)
		if !ok {
			return nil, jinja.Errorf("TypeError", "unsupported operand type(s) for +: 'int' and '%s'", v.Type().Name)
		}
		if math.Abs(f) > 1e12 {
			return nil, jinja.Errorf("OverflowError", "date value out of range")
		}
		n[i] = sign * f
		variable = variable || i < 4 && f != 0
	}
	r := (&relativeDelta{rel: map[string]float64{
		"years": n[0], "months": n[1], "days": 7*n[2] + n[3], "hours": n[4], "minutes": n[5], "seconds": n[6], "microseconds": n[7],
	}}).fixed()
	zone := d.Zone()
	if variable || zone == nil {
		t, err := r.moves(jinja.NewDateTime(d.Wall(), nil, jinja.TypeDateTime))
		if err != nil {
			return nil, err
		}
		return normalized(t.Wall(), zone), nil
	}
	t, err := r.moves(jinja.NewDateTime(d.UTC(), nil, jinja.TypeDateTime))
	if err != nil {
		return nil, err
	}
	return jinja.Instant(t.Wall(), zone, typePendulum), nil
}

// normalized reads a clock in a zone; a reading that is skipped moves on by
// the gap.
func normalized(wall time.Time, zone *jinja.TZ) *jinja.DateTime {
	d := jinja.NewDateTime(wall, zone, typePendulum)
	if zone == nil || zone.Location() == nil {
		return d
	}
	return jinja.Instant(d.UTC(), zone, typePendulum)
}

// bound is start_of and end_of.
func bound(c *jinja.Call, d *jinja.DateTime, method string) (jinja.Value, error) {
	unit := c.Str(c.Args[0])
	w := d.Wall()
	y, mo, day := w.Date()
	date := func(y int, mo time.Month, d int) time.Time { return time.Date(y, mo, d, 0, 0, 0, 0, time.UTC) }
	var start, next time.Time
	switch unit {
	case "second":
		start = w.Truncate(time.Second)
		next = start.Add(time.Second)
	case "minute":
		start = w.Truncate(time.Minute)
		next = start.Add(time.Minute)
	case "hour":
		start = w.Truncate(time.Hour)
		next = start.Add(time.Hour)
	case "day":
		start, next = date(y, mo, day), date(y, mo, day+1)
	case "week":
		start = date(y, mo, day-weekdayOf(w))
		next = start.AddDate(0, 0, 7)
	case "month":
		start, next = date(y, mo, 1), date(y, mo+1, 1)
	case "year":
		start, next = date(y, 1, 1), date(y+1, 1, 1)
	case "decade":
		y -= y % 10
		start, next = date(y, 1, 1), date(y+10, 1, 1)
	case "century":
		y = y - 1 - (y-1)%100 + 1
		start, next = date(y, 1, 1), date(y+100, 1, 1)
	default:
		return nil, jinja.Errorf("ValueError", `Invalid unit "%s" for %s()`, unit, method)
	}
	if method == "end_of" {
		start = next.Add(-time.Microsecond)
	}
	return normalized(start, d.Zone()), nil
}

// weekdayFrom is next and previous.
func weekdayFrom(c *jinja.Call, d *jinja.DateTime, step int) (jinja.Value, error) {
	w := d.Wall()
	want := int64(weekdayOf(w))
	if v := c.Or(0, jinja.None); v != jinja.None {
		n, ok := jinja.Integer(v)
		if !ok || n < 0 || n > 6 {
			return nil, jinja.Errorf("ValueError", "Invalid day of week")
		}
		want = n
	}
	if !(c.Has(1) && c.Truth(c.Args[1])) {
		w = w.Truncate(24 * time.Hour)
	}
	for w = w.AddDate(0, 0, step); int64(weekdayOf(w)) != want; {
		w = w.AddDate(0, 0, step)
	}
	return normalized(w, d.Zone()), nil
}

// edgeOf is first_of and last_of.
func edgeOf(c *jinja.Call, d *jinja.DateTime, step int) (jinja.Value, error) {
	w := d.Wall()
	from, to := w.Month(), w.Month()
	switch unit := c.Str(c.Args[0]); unit {
	case "month":
	case "quarter":
		from = (w.Month()-1)/3*3 + 1
		to = from + 2
	case "year":
		from, to = 1, 12
	default:
		return nil, jinja.Errorf("ValueError", `Invalid unit "%s" for first_of()`, unit)
	}
	t := time.Date(w.Year(), from, 1, 0, 0, 0, 0, time.UTC)
	if step < 0 {
		t = time.Date(w.Year(), to+1, 0, 0, 0, 0, 0, time.UTC)
	}
	if v := c.Or(1, jinja.None); v != jinja.None {
		n, ok := jinja.Integer(v)
		if !ok || n < 0 || n > 6 {
			return nil, jinja.Errorf("ValueError", "Invalid day of week")
		}
		for int64(weekdayOf(t)) != n {
			t = t.AddDate(0, 0, step)
		}
	}
	return normalized(t, d.Zone()), nil
}

var pendulumTokens = regexp.MustCompile(`\[([^\[]*?)\]|\\(.)|(Mo|MM?M?M?|Do|DDDo|DD?D?D?|ddd?d?|do?|eo?|E{1,4}|w[o|w]?|W[o|W]?|Qo?|YYYY|YY|Y|gg(?:ggg?)?|GG(?:GGG?)?|a|A|hh?|HH?|kk?|mm?|ss?|S{1,9}|x|X|zz?|ZZ?|LTS|LT|LL?L?L?)`)

// pendulumFormat is DateTime.format in English.
func pendulumFormat(c *jinja.Call, d *jinja.DateTime, layout string) string {
	var b strings.Builder
	at := 0
	for _, m := range pendulumTokens.FindAllStringSubmatchIndex(layout, -1) {
		b.WriteString(layout[at:m[0]])
		at = m[1]
		switch {
		case m[2] >= 0:
			b.WriteString(layout[m[2]:m[3]])
		case m[4] >= 0:
			b.WriteString(layout[m[4]:m[5]])
		default:
			b.WriteString(pendulumToken(c, d, layout[m[6]:m[7]]))
		}
	}
	b.WriteString(layout[at:])
	return b.String()
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n) + suffix
}

func pendulumToken(c *jinja.Call, d *jinja.DateTime, token string) string {
	w := d.Wall()
	us := w.Nanosecond() / 1000
	hour12 := (w.Hour()+11)%12 + 1
	_, week := w.ISOWeek()
	two := func(n int) string { return fmt.Sprintf("%02d", n) }
	switch token {
	case "LTS":
		return pendulumFormat(c, d, "h:mm:ss A")
	case "LT":
		return pendulumFormat(c, d, "h:mm A")
	case "L":
		return pendulumFormat(c, d, "MM/DD/YYYY")
	case "LL":
		return pendulumFormat(c, d, "MMMM D, YYYY")
	case "LLL":
		return pendulumFormat(c, d, "MMMM D, YYYY h:mm A")
	case "LLLL":
		return pendulumFormat(c, d, "dddd, MMMM D, YYYY h:mm A")
	case "YYYY", "Y":
		return fmt.Sprint(w.Year())
	case "YY":
		s := fmt.Sprint(w.Year())
		return s[min(2, len(s)):]
	case "Q":
		return fmt.Sprint((int(w.Month()) + 2) / 3)
	case "Qo":
		return ordinal((int(w.Month()) + 2) / 3)
	case "MMMM":
		return w.Format("January")
	case "MMM":
		return w.Format("Jan")
	case "MM":
		return two(int(w.Month()))
	case "M":
		return fmt.Sprint(int(w.Month()))
	case "Mo":
		return ordinal(int(w.Month()))
	case "DDDD":
		return fmt.Sprintf("%03d", w.YearDay())
	case "DDD":
		return fmt.Sprint(w.YearDay())
	case "DDDo":
		return ordinal(w.YearDay())
	case "DD":
		return two(w.Day())
	case "D":
		return fmt.Sprint(w.Day())
	case "Do":
		return ordinal(w.Day())
	case "dddd":
		return w.Format("Monday")
	case "ddd":
		return w.Format("Mon")
	case "dd":
		return w.Format("Monday")[:2]
	case "d":
		return fmt.Sprint((weekdayOf(w) + 1) % 7)
	case "do":
		return ordinal((weekdayOf(w) + 1) % 7)
	case "E":
		return fmt.Sprint(weekdayOf(w) + 1)
	case "e":
		return fmt.Sprint((weekdayOf(w) + 1) % 7)
	case "eo":
		return ordinal((weekdayOf(w)+1)%7 + 1)
	case "wo":
		return ordinal(week)
	case "HH":
		return two(w.Hour())
	case "H":
		return fmt.Sprint(w.Hour())
	case "hh":
		return two(hour12)
	case "h":
		return fmt.Sprint(hour12)
	case "mm":
		return two(w.Minute())
	case "m":
		return fmt.Sprint(w.Minute())
	case "ss":
		return two(w.Second())
	case "s":
		return fmt.Sprint(w.Second())
	case "S", "SS", "SSS", "SSSS", "SSSSS", "SSSSSS":
		return fmt.Sprintf("%06d", us)[:len(token)]
	case "X":
		return fmt.Sprint(d.UTC().Unix())
	case "x":
		return fmt.Sprint(d.UTC().Unix()*1000 + int64(us/1000))
	case "A":
		return w.Format("PM")
	case "z":
		return zoneName(d.Zone())
	case "zz":
		return c.Strftime(d, "%Z")
	case "Z", "ZZ":
		off := d.Wall().Sub(d.UTC())
		sign := "+"
		if off < 0 {
			sign, off = "-", -off
		}
		sep := ":"
		if token == "ZZ" {
			sep = ""
		}
		return fmt.Sprintf("%s%02d%s%02d", sign, off/time.Hour, sep, off/time.Minute%60)
	}
	return token
}

// interval is the difference of two dates in calendar units.
type interval struct {
	years, months, days, hours, minutes, seconds, micros int
	totalDays                                            int
	total                                                time.Duration
	future                                               bool // the first is later
	invert                                               bool
}

func newInterval(a, b *jinja.DateTime, absolute bool) *interval {
	iv := &interval{total: b.UTC().Sub(a.UTC())}
	iv.future = iv.total < 0
	wa, wb := a.Wall(), b.Wall()
	sameZone := zoneName(a.Zone()) == zoneName(b.Zone()) && zoneName(a.Zone()) != ""
	if !sameZone || wa.Truncate(24*time.Hour).Equal(wb.Truncate(24*time.Hour)) {
		wa, wb = a.UTC(), b.UTC()
	}
	if iv.future {
		wa, wb = wb, wa
	}
	iv.between(wa, wb)
	if iv.future && !absolute {
		iv.invert = true
	} else if iv.future {
		iv.total = -iv.total
	}
	return iv
}

// between counts as pendulum does: full years, months and days, then the
// rest, from the earlier to the later.
func (iv *interval) between(a, b time.Time) {
	iv.totalDays = int(b.Truncate(24*time.Hour).Sub(a.Truncate(24*time.Hour)).Hours() / 24)
	h, mi, s := b.Hour()-a.Hour(), b.Minute()-a.Minute(), b.Second()-a.Second()
	us := (b.Nanosecond() - a.Nanosecond()) / 1000
	d := 0
	borrow := func(low *int, size int, high *int) {
		if *low < 0 {
			*low += size
			*high--
		}
	}
	borrow(&us, 1_000_000, &s)
	borrow(&s, 60, &mi)
	borrow(&mi, 60, &h)
	borrow(&h, 24, &d)
	y, mo := b.Year()-a.Year(), int(b.Month())-int(a.Month())
	d += b.Day() - a.Day()
	if d < 0 {
		last := time.Date(b.Year(), b.Month(), 0, 0, 0, 0, 0, time.UTC).Day()
		this := time.Date(b.Year(), b.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
		switch {
		case d < this-last:
			d += max(last, a.Day())
		case d == this-last:
			d = 0
			mo++
		default:
			d += last
		}
		mo--
	}
	borrow(&mo, 12, &y)
	iv.years, iv.months, iv.days, iv.hours, iv.minutes, iv.seconds, iv.micros = y, mo, d, h, mi, s, us
}

func (*interval) Type() *jinja.Type { return typeInterval }

// Str is the difference in words.
func (iv *interval) Str() string { return iv.words() }

// Repr is Str between brackets.
func (iv *interval) Repr() string { return "<Interval [" + iv.words() + "]>" }

func (iv *interval) sign() int {
	if iv.invert {
		return -1
	}
	return 1
}

func (iv *interval) words() string {
	var parts []string
	for _, p := range []struct {
		n    int
		unit string
	}{{iv.years, "year"}, {iv.months, "month"}, {iv.days / 7, "week"}, {iv.days % 7, "day"}, {iv.hours, "hour"}, {iv.minutes, "minute"}, {iv.seconds, "second"}} {
		if p.n != 0 {
			parts = append(parts, count(iv.sign()*p.n, p.unit))
		}
	}
	if parts == nil {
		if iv.micros != 0 {
			return fmt.Sprintf("%.2f second", float64(iv.micros)/1e6)
		}
		return "0 microseconds"
	}
	return strings.Join(parts, " ")
}

func count(n int, unit string) string {
	if n == 1 || n == -1 {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// Attr returns what a template may ask of a difference.
func (iv *interval) Attr(name string) (jinja.Value, bool) {
	n := func(v int) (jinja.Value, bool) { return jinja.Int(iv.sign() * v), true }
	whole := func(d time.Duration) jinja.Value { return jinja.Int(iv.total / d) }
	method := func(v jinja.Value) (jinja.Value, bool) {
		return jinja.NewFunc("Interval."+name+"()", func(*jinja.Call) (jinja.Value, error) { return v, nil }), true
	}
	switch name {
	case "years":
		return n(iv.years)
	case "months":
		return n(iv.months)
	case "weeks":
		return n(iv.days / 7)
	case "days":
		return n(iv.totalDays)
	case "remaining_days":
		return n(iv.days % 7)
	case "hours":
		return n(iv.hours)
	case "minutes":
		return n(iv.minutes)
	case "remaining_seconds":
		return n(iv.seconds)
	case "microseconds":
		return n(iv.micros)
	case "invert":
		return jinja.Bool(iv.invert), true
	case "in_years":
		v, _ := n(iv.years)
		return method(v)
	case "in_months":
		v, _ := n(iv.years*12 + iv.months)
		return method(v)
	case "in_weeks":
		return method(whole(7 * 24 * time.Hour))
	case "in_days":
		return method(whole(24 * time.Hour))
	case "in_hours":
		return method(whole(time.Hour))
	case "in_minutes":
		return method(whole(time.Minute))
	case "in_seconds":
		return method(whole(time.Second))
	case "total_seconds":
		return method(jinja.Float(iv.total.Seconds()))
	case "total_minutes":
		return method(jinja.Float(iv.total.Minutes()))
	case "total_hours":
		return method(jinja.Float(iv.total.Hours()))
	case "total_days":
		return method(jinja.Float(iv.total.Hours() / 24))
	case "in_words":
		return method(jinja.Str(iv.words()))
	}
	return nil, false
}

// diffForHumans words the difference as pendulum does in English.
func diffForHumans(d *jinja.DateTime, since jinja.Value, absolute bool) (jinja.Value, error) {
	isNow := since == jinja.None
	other, err := otherDate(since, d)
	if err != nil {
		return nil, err
	}
	iv := newInterval(d, other, true)
	unit, n := "second", 0
	switch weeks, rest := iv.days/7, iv.days%7; {
	case iv.years > 0:
		unit, n = "year", iv.years
		if iv.months > 6 {
			n++
		}
	case iv.months == 11 && iv.days > 15:
		unit, n = "year", 1
	case iv.months > 0:
		unit, n = "month", iv.months
		if iv.days >= 27 {
			n++
		}
	case weeks > 0:
		unit, n = "week", weeks
		if rest > 3 {
			n++
		}
	case rest > 0:
		unit, n = "day", rest
		if iv.hours >= 22 {
			n++
		}
	case iv.hours > 0:
		unit, n = "hour", iv.hours
	case iv.minutes > 0:
		unit, n = "minute", iv.minutes
	case iv.seconds > 10:
		n = iv.seconds
	}
	text := "a few seconds"
	if n > 0 {
		text = count(n, unit)
	}
	switch {
	case absolute:
	case isNow && iv.future:
		text = "in " + text
	case isNow:
		text += " ago"
	case iv.future:
		text += " after"
	default:
		text += " before"
	}
	return jinja.Str(text), nil
}

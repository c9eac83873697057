package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// The classes of Python's module datetime.
var (
	TypeDate     = &Type{Name: "date", Module: "datetime", dunders: " __add__ __radd__ __rsub__ __sub__ "}
	TypeDateTime = &Type{Name: "datetime", Module: "datetime", Base: TypeDate}
	TypeTime     = &Type{Name: "time", Module: "datetime", dunders: " __bool__ "}
	TypeDelta    = &Type{Name: "timedelta", Module: "datetime", dunders: " __abs__ __add__ __bool__ __divmod__ __floordiv__ __mod__ __mul__ __neg__ __pos__ __radd__ __rdivmod__ __rfloordiv__ __rmod__ __rmul__ __rsub__ __rtruediv__ __sub__ __truediv__ "}
	TypeTimezone = &Type{Name: "timezone", Module: "datetime"}

	typeIsoDate = &Type{Name: "IsoCalendarDate", Module: "datetime", Base: typeTuple, dunders: dSeq}
	typeStruct  = &Type{Name: "struct_time", Module: "time", Base: typeTuple, dunders: dSeq}
)

// A DateTime is a Python datetime, date or time; its class says which. It is
// never changed.
type DateTime struct {
	wall  time.Time // what the clock shows, as if in UTC
	tz    *TZ       // nil: naive
	fold  int       // 1: the second of two equal readings
	class *Type
}

// NewDateTime returns what a clock in tz reads; wall's own location is not
// looked at. The class is [TypeDateTime] or extends it.
func NewDateTime(wall time.Time, tz *TZ, class *Type) *DateTime {
	w := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond()/1000*1000, time.UTC)
	return &DateTime{wall: w, tz: tz, class: class}
}

// Instant returns the moment t as a clock in tz reads it.
func Instant(t time.Time, tz *TZ, class *Type) *DateTime { return fromInstant(t, tz, class) }

func fromInstant(t time.Time, tz *TZ, class *Type) *DateTime {
	t = t.UTC().Truncate(time.Microsecond)
	off := tz.at(t)
	d := &DateTime{wall: t.Add(off), tz: tz, class: class}
	if tz.loc != nil {
		if first, _, _ := tz.offset(d.wall, 0); first != off {
			d.fold = 1
		}
	}
	return d
}

// Type returns datetime, date, time or a class that extends one.
func (d *DateTime) Type() *Type { return d.class }

// Wall is what the clock shows, in UTC whatever the zone.
func (d *DateTime) Wall() time.Time { return d.wall }

// Zone is nil in a naive datetime.
func (d *DateTime) Zone() *TZ { return d.tz }

// UTC is the moment that d stands for; a naive one is taken as UTC.
func (d *DateTime) UTC() time.Time {
	if d.tz == nil {
		return d.wall
	}
	off, _, _ := d.tz.offset(d.wall, d.fold)
	return d.wall.Add(-off)
}

// IsDateTime reports whether d has a date and a time.
func (d *DateTime) IsDateTime() bool { return d.class.Is(TypeDateTime) }

func (d *DateTime) isTime() bool { return d.class.Is(TypeTime) }

// with returns d with another reading.
func (d *DateTime) with(wall time.Time) *DateTime {
	if y := wall.Year(); y < 1 || y > 9999 {
		panic(Errorf("OverflowError", "date value out of range"))
	}
	return &DateTime{wall: wall, tz: d.tz, class: d.class}
}

func (d *DateTime) micro() int { return d.wall.Nanosecond() / 1000 }

func (d *DateTime) hashText() string {
	if d.tz != nil {
		return "u" + d.UTC().String()
	}
	return d.class.Name + d.wall.String()
}

// String is str(d).
func (d *DateTime) String() string {
	return d.isoformat(" ", "auto")
}

func (d *DateTime) isoformat(sep, spec string) string {
	var b strings.Builder
	w := d.wall
	if !d.isTime() {
		fmt.Fprintf(&b, "%04d-%02d-%02d", w.Year(), w.Month(), w.Day())
		if !d.IsDateTime() {
			return b.String()
		}
		b.WriteString(sep)
	}
	if spec == "auto" {
		spec = "seconds"
		if d.micro() != 0 {
			spec = "microseconds"
		}
	}
	switch spec {
	case "hours":
		fmt.Fprintf(&b, "%02d", w.Hour())
	case "minutes":
		fmt.Fprintf(&b, "%02d:%02d", w.Hour(), w.Minute())
	case "seconds":
		fmt.Fprintf(&b, "%02d:%02d:%02d", w.Hour(), w.Minute(), w.Second())
	case "milliseconds":
		fmt.Fprintf(&b, "%02d:%02d:%02d.%03d", w.Hour(), w.Minute(), w.Second(), d.micro()/1000)
	case "microseconds":
		fmt.Fprintf(&b, "%02d:%02d:%02d.%06d", w.Hour(), w.Minute(), w.Second(), d.micro())
	default:
		panic(valueError("Unknown timespec value"))
	}
	if off, ok := d.utcoffset(); ok {
		b.WriteString(offsetText(off, ":"))
	}
	return b.String()
}

// offsetText writes an offset with seconds only where there are some.
func offsetText(off time.Duration, sep string) string {
	sign := "+"
	if off < 0 {
		sign, off = "-", -off
	}
	s := fmt.Sprintf("%s%02d%s%02d", sign, off/time.Hour, sep, off/time.Minute%60)
	if r := off % time.Minute; r != 0 {
		s += fmt.Sprintf("%s%02d", sep, r/time.Second)
		if us := r % time.Second / time.Microsecond; us != 0 {
			s += fmt.Sprintf(".%06d", us)
		}
	}
	return s
}

// utcoffset is false for what is naive, and for a time in a zone whose
// offset depends on the date.
func (d *DateTime) utcoffset() (time.Duration, bool) {
	if d.tz == nil || d.isTime() && d.tz.loc != nil {
		return 0, false
	}
	off, _, _ := d.tz.offset(d.wall, d.fold)
	return off, true
}

func (d *DateTime) tzname() string {
	if d.tz == nil || d.isTime() && d.tz.loc != nil {
		return ""
	}
	_, name, _ := d.tz.offset(d.wall, d.fold)
	return name
}

func (d *DateTime) repr() string {
	w := d.wall
	if d.class.Is(TypeDate) && !d.IsDateTime() {
		return fmt.Sprintf("%s(%d, %d, %d)", d.class.qualified(), w.Year(), w.Month(), w.Day())
	}
	s := d.class.qualified() + "("
	if !d.isTime() {
		s += fmt.Sprintf("%d, %d, %d, ", w.Year(), w.Month(), w.Day())
	}
	s += fmt.Sprintf("%d, %d", w.Hour(), w.Minute())
	if w.Second() != 0 || d.micro() != 0 {
		s += fmt.Sprintf(", %d", w.Second())
	}
	if d.micro() != 0 {
		s += fmt.Sprintf(", %d", d.micro())
	}
	if d.fold != 0 {
		s += ", fold=1"
	}
	if d.tz != nil {
		s += ", tzinfo=" + d.tz.repr()
	}
	return s + ")"
}

// A TZ is a Python tzinfo: a fixed offset or a zone with rules.
type TZ struct {
	class *Type
	loc   *time.Location // nil: fixed
	fixed time.Duration
	name  string // of a fixed one; empty means UTC+hh:mm
	text  string // repr; empty means that of datetime.timezone
	// jump says that a reading that is skipped has the offset from after the
	// change, as in dateutil, and not from before it.
	jump bool
}

// UTCZone is datetime.timezone.utc.
var UTCZone = &TZ{class: TypeTimezone, name: "UTC", text: "datetime.timezone.utc"}

// FixedZone returns a tzinfo of a fixed offset. An empty class means
// datetime.timezone.
func FixedZone(offset time.Duration, name, text string, class *Type) *TZ {
	if class == nil {
		class = TypeTimezone
	}
	return &TZ{class: class, fixed: offset, name: name, text: text}
}

// RuleZone returns a tzinfo with the rules of loc. jump says that a reading
// that is skipped has the offset from after the change, as dateutil has it,
// and not from before it.
func RuleZone(loc *time.Location, text string, class *Type, jump bool) *TZ {
	return &TZ{class: class, loc: loc, text: text, jump: jump}
}

// Type returns the class of the tzinfo.
func (z *TZ) Type() *Type { return z.class }

// Location is nil for a fixed offset.
func (z *TZ) Location() *time.Location { return z.loc }

func (z *TZ) repr() string {
	if z.text != "" {
		return z.text
	}
	s := "datetime.timezone(" + deltaOf(z.fixed).repr()
	if z.name != "" {
		s += ", " + quote(z.name)
	}
	return s + ")"
}

func (z *TZ) str() (string, bool) {
	if z.class == TypeTimezone {
		_, name, _ := z.offset(time.Time{}, 0)
		return name, true
	}
	if z.class.Base == nil && z.class.Module == "pendulum.tz.timezone" && z.loc != nil {
		return z.loc.String(), true
	}
	return "", false
}

// at is the offset at a moment.
func (z *TZ) at(t time.Time) time.Duration {
	if z.loc == nil {
		return z.fixed
	}
	_, off := t.In(z.loc).Zone()
	return time.Duration(off) * time.Second
}

// offset is what tz says of a clock's reading: its offset, name and whether
// summer time is in force. Of a reading that occurs twice fold chooses; one
// that is skipped has the offset from before the change.
func (z *TZ) offset(wall time.Time, fold int) (off time.Duration, name string, dst bool) {
	if z.loc == nil {
		if z.name == "" && z.class == TypeTimezone {
			if z.fixed == 0 {
				return 0, "UTC", false
			}
			return z.fixed, "UTC" + offsetText(z.fixed, ":"), false
		}
		return z.fixed, z.name, false
	}
	before, after := z.at(wall.Add(-24*time.Hour)), z.at(wall.Add(24*time.Hour))
	off = before
	if before != after {
		first := z.at(wall.Add(-before)) == before
		second := z.at(wall.Add(-after)) == after
		switch {
		case first && second && fold == 1, !first && second, !first && !second && (fold == 1 || z.jump):
			off = after
		}
	} else if z.at(wall.Add(-before)) != before {
		off = z.at(wall.Add(-before)) // two changes within two days
	}
	t := wall.Add(-off).In(z.loc)
	name, _ = t.Zone()
	return off, name, t.IsDST()
}

// A Delta is a Python timedelta.
type Delta struct {
	days int64
	us   int64 // of the day
}

const dayMicros = 24 * 3600 * 1_000_000

const maxDays = 999_999_999

// NewDelta returns the timedelta of that many days and microseconds.
func NewDelta(days, micros int64) *Delta {
	days += micros / dayMicros
	if micros %= dayMicros; micros < 0 {
		micros += dayMicros
		days--
	}
	if days > maxDays || days < -maxDays {
		panic(Errorf("OverflowError", "days=%d; must have magnitude <= 999999999", days))
	}
	return &Delta{days, micros}
}

func deltaOf(d time.Duration) *Delta { return NewDelta(0, int64(d/time.Microsecond)) }

// Days is the whole days, rounded down.
func (d *Delta) Days() int64 { return d.days }

// Micros is what is left of the last day, in microseconds.
func (d *Delta) Micros() int64 { return d.us }

// Type returns the class timedelta.
func (*Delta) Type() *Type { return TypeDelta }

func (d *Delta) isZero() bool { return d.days == 0 && d.us == 0 }

func (d *Delta) neg() *Delta { return NewDelta(-d.days, -d.us) }

func (d *Delta) total() *big.Int {
	t := new(big.Int).Mul(big.NewInt(d.days), big.NewInt(dayMicros))
	return t.Add(t, big.NewInt(d.us))
}

func deltaFrom(us *big.Int) *Delta {
	q, r := floorDiv(us, big.NewInt(dayMicros))
	if !q.IsInt64() || q.Int64() > maxDays || q.Int64() < -maxDays {
		if q.IsInt64() && q.Int64() < 1<<31 && q.Int64() >= -1<<31 {
			panic(Errorf("OverflowError", "days=%d; must have magnitude <= 999999999", q))
		}
		panic(Errorf("OverflowError", "Python int too large to convert to C int"))
	}
	return &Delta{q.Int64(), r.Int64()}
}

func (d *Delta) seconds() float64 {
	f, _ := new(big.Rat).SetFrac(d.total(), big.NewInt(1_000_000)).Float64()
	return f
}

// String is str(d).
func (d *Delta) String() string {
	s := ""
	if d.days != 0 {
		s = fmt.Sprintf("%d day", d.days)
		if d.days != 1 && d.days != -1 {
			s += "s"
		}
		s += ", "
	}
	sec := d.us / 1_000_000
	s += fmt.Sprintf("%d:%02d:%02d", sec/3600, sec/60%60, sec%60)
	if us := d.us % 1_000_000; us != 0 {
		s += fmt.Sprintf(".%06d", us)
	}
	return s
}

func (d *Delta) repr() string {
	var parts []string
	if d.days != 0 {
		parts = append(parts, fmt.Sprintf("days=%d", d.days))
	}
	if s := d.us / 1_000_000; s != 0 {
		parts = append(parts, fmt.Sprintf("seconds=%d", s))
	}
	if us := d.us % 1_000_000; us != 0 {
		parts = append(parts, fmt.Sprintf("microseconds=%d", us))
	}
	if parts == nil {
		parts = []string{"0"}
	}
	return "datetime.timedelta(" + strings.Join(parts, ", ") + ")"
}

// addTo returns t moved by d.
func (d *Delta) addTo(t time.Time) time.Time {
	if d.days > 4_000_000 || d.days < -4_000_000 {
		panic(Errorf("OverflowError", "date value out of range"))
	}
	return t.AddDate(0, 0, int(d.days)).Add(time.Duration(d.us) * time.Microsecond)
}

// between is a - b for two readings of one clock.
func between(a, b time.Time) *Delta {
	sec := a.Unix() - b.Unix()
	us := int64(a.Nanosecond()-b.Nanosecond()) / 1000
	return NewDelta(sec/86400, sec%86400*1_000_000+us)
}

// compareTimes orders two values of the module datetime; false where they do
// not compare. With equality naive and aware are merely unequal.
func (m *machine) compareTimes(a, b Value, equality bool) (int, bool) {
	if x, ok := a.(*Delta); ok {
		y, ok := b.(*Delta)
		if !ok {
			return 0, false
		}
		return x.total().Cmp(y.total()), true
	}
	x, xok := a.(*DateTime)
	y, yok := b.(*DateTime)
	if !xok || !yok || x.isTime() != y.isTime() {
		return 0, false
	}
	if !x.isTime() && x.IsDateTime() != y.IsDateTime() {
		if equality {
			return 0, false
		}
		panic(typeError("can't compare datetime.datetime to datetime.date"))
	}
	if x.tz == y.tz {
		return x.wall.Compare(y.wall), true
	}
	_, xa := x.utcoffset()
	_, ya := y.utcoffset()
	if xa != ya {
		if equality {
			return 0, false
		}
		kind := "datetimes"
		if x.isTime() {
			kind = "times"
		}
		panic(typeError("can't compare offset-naive and offset-aware %s", kind))
	}
	return x.UTC().Compare(y.UTC()), true
}

// timeArithmetic is a op b where one of them is a date or timedelta; nil
// where the operator is not known.
func (m *machine) timeArithmetic(op string, a, b Value) Value {
	switch x := a.(type) {
	case *DateTime:
		if x.isTime() {
			return nil
		}
		switch y := b.(type) {
		case *Delta:
			if op == "-" {
				y = y.neg()
			} else if op != "+" {
				return nil
			}
			return x.shift(y)
		case *DateTime:
			if op == "-" && !y.isTime() {
				return x.minus(y)
			}
		}
	case *Delta:
		if y, ok := b.(*DateTime); ok && op == "+" && !y.isTime() {
			return y.shift(x)
		}
		return m.deltaArithmetic(op, x, b)
	}
	if y, ok := b.(*Delta); ok && op == "*" && isNumber(a) {
		return m.deltaArithmetic(op, y, a)
	}
	return nil
}

func (d *DateTime) shift(by *Delta) Value {
	if !d.IsDateTime() {
		by = &Delta{days: by.days} // a date knows no hours
	}
	return d.with(by.addTo(d.wall))
}

func (d *DateTime) minus(e *DateTime) Value {
	if d.IsDateTime() != e.IsDateTime() {
		return nil
	}
	if d.tz == e.tz {
		return between(d.wall, e.wall)
	}
	_, da := d.utcoffset()
	_, ea := e.utcoffset()
	if da != ea {
		panic(typeError("can't subtract offset-naive and offset-aware datetimes"))
	}
	return between(d.UTC(), e.UTC())
}

func (m *machine) deltaArithmetic(op string, d *Delta, v Value) Value {
	zero := func() *Error { return Errorf("ZeroDivisionError", "integer division or modulo by zero") }
	if e, ok := v.(*Delta); ok {
		x, y := d.total(), e.total()
		switch op {
		case "+":
			return deltaFrom(x.Add(x, y))
		case "-":
			return deltaFrom(x.Sub(x, y))
		case "/":
			if y.Sign() == 0 {
				panic(Errorf("ZeroDivisionError", "division by zero"))
			}
			f, _ := new(big.Rat).SetFrac(x, y).Float64()
			return Float(f)
		case "//", "%":
			if y.Sign() == 0 {
				panic(zero())
			}
			q, r := floorDiv(x, y)
			if op == "%" {
				return deltaFrom(r)
			}
			return NewInt(q)
		}
		return nil
	}
	if f, ok := v.(Float); ok {
		if op != "*" && op != "/" {
			return nil
		}
		if math.IsNaN(float64(f)) {
			panic(valueError("cannot convert NaN to integer ratio"))
		}
		if math.IsInf(float64(f), 0) {
			panic(Errorf("OverflowError", "cannot convert Infinity to integer ratio"))
		}
		r := new(big.Rat).SetFloat64(float64(f))
		if op == "/" {
			if r.Sign() == 0 {
				panic(zero())
			}
			r.Inv(r)
		}
		r.Mul(r, new(big.Rat).SetInt(d.total()))
		return deltaFrom(roundRat(r))
	}
	n, ok := asBig(v)
	if !ok {
		return nil
	}
	switch op {
	case "*":
		return deltaFrom(new(big.Int).Mul(d.total(), n))
	case "/":
		if n.Sign() == 0 {
			panic(zero())
		}
		return deltaFrom(roundRat(new(big.Rat).SetFrac(d.total(), n)))
	case "//":
		if n.Sign() == 0 {
			panic(zero())
		}
		q, _ := floorDiv(d.total(), n)
		return deltaFrom(q)
	}
	return nil
}

// roundRat rounds half to even.
func roundRat(r *big.Rat) *big.Int {
	q, rem := floorDiv(r.Num(), r.Denom())
	if c := rem.Lsh(rem, 1).Cmp(r.Denom()); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// newDelta is the constructor of timedelta.
func newDelta(c *Call) Value {
	// The order in which Python adds the parts up, and so rounds them.
	parts := []struct {
		arg, name string
		unit      int64
		i         int
	}{
		{"microseconds", "microseconds", 1, 2},
		{"milliseconds", "milliseconds", 1000, 3},
		{"seconds", "seconds", 1_000_000, 1},
		{"minutes", "minutes", 60_000_000, 4},
		{"hours", "hours", 3_600_000_000, 5},
		{"days", "days", dayMicros, 0},
		{"weeks", "weeks", 7 * dayMicros, 6},
	}
	total, rest := new(big.Int), 0.0
	for _, p := range parts {
		v := c.Args[p.i]
		if v == nil {
			continue
		}
		if f, ok := v.(Float); ok {
			whole, frac := math.Modf(float64(f))
			if math.IsNaN(whole) {
				panic(valueError("cannot convert float NaN to integer"))
			}
			if math.IsInf(whole, 0) {
				panic(Errorf("OverflowError", "cannot convert float infinity to integer"))
			}
			b, _ := big.NewFloat(whole).Int(nil)
			total.Add(total, b.Mul(b, big.NewInt(p.unit)))
			w, r := math.Modf(frac * float64(p.unit))
			total.Add(total, big.NewInt(int64(w)))
			rest += r
			continue
		}
		b, ok := asBig(v)
		if !ok {
			panic(typeError("unsupported type for timedelta %s component: %s", p.name, v.Type().shown()))
		}
		total.Add(total, new(big.Int).Mul(b, big.NewInt(p.unit)))
	}
	if rest != 0 {
		whole := math.RoundToEven(rest)
		if math.Abs(rest-math.Trunc(rest)) == 0.5 {
			// A tie goes to the even total, not the even rest.
			low := math.Floor(rest)
			if whole = low; new(big.Int).Add(total, big.NewInt(int64(low))).Bit(0) == 1 {
				whole = low + 1
			}
		}
		total.Add(total, big.NewInt(int64(whole)))
	}
	return deltaFrom(total)
}

// timeFields checks hour, minute, second and microsecond.
func timeFields(h, mi, s, us int64) {
	switch {
	case h < 0 || h > 23:
		panic(valueError("hour must be in 0..23"))
	case mi < 0 || mi > 59:
		panic(valueError("minute must be in 0..59"))
	case s < 0 || s > 59:
		panic(valueError("second must be in 0..59"))
	case us < 0 || us > 999999:
		panic(valueError("microsecond must be in 0..999999"))
	}
}

func dateFields(y, mo, d int64) {
	switch {
	case y < 1 || y > 9999:
		panic(valueError("year %d is out of range", y))
	case mo < 1 || mo > 12:
		panic(valueError("month must be in 1..12"))
	case d < 1 || d > int64(daysIn(int(y), time.Month(mo))):
		panic(valueError("day is out of range for month"))
	}
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func makeTime(y, mo, d, h, mi, s, us int64) time.Time {
	return time.Date(int(y), time.Month(mo), int(d), int(h), int(mi), int(s), int(us)*1000, time.UTC)
}

// fields reads the integer arguments from parameter i on; absent ones take
// the defaults.
func (c *Call) fields(i int, defaults ...int64) []int64 {
	out := make([]int64, len(defaults))
	for k, v := range defaults {
		if _, ok := c.Args[i+k].(bigInt); ok {
			panic(Errorf("OverflowError", "Python int too large to convert to C long"))
		}
		out[k] = int64(c.intArg(i+k, int(v)))
		if out[k] > math.MaxInt32 || out[k] < math.MinInt32 {
			panic(Errorf("OverflowError", "signed integer is greater than maximum"))
		}
	}
	return out
}

func (c *Call) zone(i int) *TZ {
	v := c.Or(i, None)
	if v == None {
		return nil
	}
	z, ok := v.(*TZ)
	if !ok {
		panic(typeError("tzinfo argument must be None or of a tzinfo subclass, not type '%s'", v.Type().shown()))
	}
	return z
}

func newDateTime(c *Call) Value {
	f := c.fields(0, 0, 0, 0, 0, 0, 0, 0)
	dateFields(f[0], f[1], f[2])
	timeFields(f[3], f[4], f[5], f[6])
	d := &DateTime{wall: makeTime(f[0], f[1], f[2], f[3], f[4], f[5], f[6]), tz: c.zone(7), class: c.class(TypeDateTime)}
	d.fold = c.foldArg(8)
	return d
}

func (c *Call) foldArg(i int) int {
	n := c.intArg(i, 0)
	if n != 0 && n != 1 {
		panic(valueError("fold must be either 0 or 1"))
	}
	return n
}

// class is the class that is being made, when called through one.
func (c *Call) class(otherwise *Type) *Type {
	if t, ok := c.Self.(*Type); ok {
		return t
	}
	return otherwise
}

func (d *DateTime) replace(c *Call) Value {
	w := d.wall
	out := *d
	f := c.fields(0, int64(w.Year()), int64(w.Month()), int64(w.Day()), int64(w.Hour()), int64(w.Minute()), int64(w.Second()), int64(d.micro()))
	dateFields(f[0], f[1], f[2])
	timeFields(f[3], f[4], f[5], f[6])
	out.wall = makeTime(f[0], f[1], f[2], f[3], f[4], f[5], f[6])
	if c.Has(7) {
		out.tz = c.zone(7)
	}
	if c.Has(8) {
		out.fold = c.foldArg(8)
	}
	return &out
}

// dateOf drops the time.
func (d *DateTime) dateOf() *DateTime {
	return &DateTime{wall: d.wall.Truncate(24 * time.Hour), class: TypeDate}
}

func (d *DateTime) timeOf(tz *TZ) *DateTime {
	w := d.wall
	return &DateTime{wall: makeTime(1900, 1, 1, int64(w.Hour()), int64(w.Minute()), int64(w.Second()), int64(d.micro())), tz: tz, fold: d.fold, class: TypeTime}
}

func ordinal(t time.Time) int64 {
	return t.Truncate(24*time.Hour).Unix()/86400 + 719163
}

func fromOrdinal(n int64) time.Time {
	if n < 1 {
		panic(valueError("ordinal must be >= 1"))
	}
	if n > 3652059 {
		panic(valueError("year is out of range"))
	}
	return time.Unix((n-719163)*86400, 0).UTC()
}

func isoWeekday(t time.Time) int {
	if t.Weekday() == 0 {
		return 7
	}
	return int(t.Weekday())
}

// fromISOWeek is the date of a day in an ISO week.
func fromISOWeek(year, week, day int64) time.Time {
	if year < 1 || year > 9999 {
		panic(valueError("Year is out of range: %d", year))
	}
	jan4 := time.Date(int(year), 1, 4, 0, 0, 0, 0, time.UTC)
	monday := jan4.AddDate(0, 0, 1-isoWeekday(jan4))
	if y, _ := monday.AddDate(0, 0, int(week-1)*7+3).ISOWeek(); week < 1 || week > 53 || int64(y) != year {
		panic(valueError("Invalid week: %d", week))
	}
	if day < 1 || day > 7 {
		panic(valueError("Invalid day: %d (range is [1, 7])", day))
	}
	return monday.AddDate(0, 0, int(week-1)*7+int(day-1))
}

func (d *DateTime) timetuple(isDST int) Value { return StructTime(d.wall, isDST) }

// StructTime is the time.struct_time of a clock's reading.
func StructTime(w time.Time, isDST int) Value {
	vals := []int{w.Year(), int(w.Month()), w.Day(), w.Hour(), w.Minute(), w.Second(), isoWeekday(w) - 1, w.YearDay(), isDST}
	t := &Tuple{Class: typeStruct, Names: []string{"tm_year", "tm_mon", "tm_mday", "tm_hour", "tm_min", "tm_sec", "tm_wday", "tm_yday", "tm_isdst"}}
	for _, v := range vals {
		t.Items = append(t.Items, Int(v))
	}
	return t
}

// timestamp is POSIX time; a naive datetime is taken as UTC, the zone that
// tasks run in.
func (d *DateTime) timestamp() float64 {
	if d.tz == nil {
		return float64(d.wall.Unix()) + float64(d.micro())/1e6
	}
	return between(d.UTC(), time.Unix(0, 0).UTC()).seconds()
}

// fromTimestamp rounds half to even, as Python does.
func (m *machine) fromTimestamp(v Value) time.Time {
	var sec, us int64
	switch x := v.(type) {
	case Float:
		f := float64(x)
		if math.IsNaN(f) {
			panic(valueError("Invalid value NaN (not a number)"))
		}
		if math.Abs(f) > 1e15 {
			panic(Errorf("OverflowError", "timestamp out of range for platform time_t"))
		}
		whole, frac := math.Modf(f)
		us = int64(math.RoundToEven(frac * 1e6))
		sec = int64(whole)
	default:
		n, ok := asInt(v)
		if !ok {
			panic(typeError("'%s' object cannot be interpreted as an integer", v.Type().shown()))
		}
		sec = n
	}
	if sec < -62135596800 || sec > 253402300799 {
		year := int64(1970 + float64(sec)/31556952)
		panic(valueError("year %d is out of range", year))
	}
	return time.Unix(sec, us*1000).UTC()
}

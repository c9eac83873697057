package jinja

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Strftime is Python's strftime, for functions that templates call.
func (c *Call) Strftime(d *DateTime, format string) string { return d.strftime(c.m, format) }

// Strptime is Python's strptime. The zone is nil unless the format reads one.
func (c *Call) Strptime(text, format string) (time.Time, *TZ) { return c.m.strptime(text, format) }

// strftime is Python's over glibc in the C locale. What it does not know it
// copies.
func (d *DateTime) strftime(m *machine, format string) string {
	if strings.ContainsRune(format, 0) {
		panic(valueError("embedded null character"))
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		start := i
		i++
		flag, caps, width := byte(0), byte(0), 0
		for i < len(format) && strings.IndexByte("-_0^#", format[i]) >= 0 {
			if format[i] == '^' || format[i] == '#' {
				caps = format[i]
			} else {
				flag = format[i]
			}
			i++
		}
		for i < len(format) && isDigit(format[i]) {
			if width = width*10 + int(format[i]-'0'); width > 1000 {
				panic(exceeded("a width of 1000 in a date format"))
			}
			i++
		}
		for i < len(format) && (format[i] == 'E' || format[i] == 'O') {
			i++
		}
		if i >= len(format) {
			b.WriteString(format[start:])
			break
		}
		s, ok := d.directive(format[i], flag, width, m)
		if !ok {
			_, n := utf8.DecodeRuneInString(format[i:])
			b.WriteString(format[start : i+n])
			i += n - 1
			continue
		}
		switch {
		case caps == '^', caps == '#' && strings.IndexByte("aAbBh", format[i]) >= 0:
			s = strings.ToUpper(s)
		case caps == '#' && (format[i] == 'p' || format[i] == 'Z'):
			s = strings.ToLower(s)
		}
		m.alloc(len(s))
		b.WriteString(s)
	}
	m.alloc(b.Len())
	return b.String()
}

func (d *DateTime) directive(c, flag byte, width int, m *machine) (string, bool) {
	w := d.wall
	num := func(n, size int, pad byte) (string, bool) {
		switch flag {
		case '-':
			return strconv.Itoa(n), true
		case '_':
			pad = ' '
		case '0':
			pad = '0'
		}
		s := strconv.Itoa(n)
		size = max(size, width)
		if k := size - len(s); k > 0 {
			s = strings.Repeat(string(pad), k) + s
		}
		return s, true
	}
	text := func(s string) (string, bool) {
		if k := width - len(s); k > 0 {
			pad := " "
			if flag == '0' {
				pad = "0"
			}
			s = strings.Repeat(pad, k) + s
		}
		return s, true
	}
	all := func(f string) (string, bool) { return text(d.strftime(m, f)) }
	hour12 := (w.Hour()+11)%12 + 1
	isoYear, isoWeek := w.ISOWeek()
	switch c {
	case 'a':
		return text(w.Format("Mon"))
	case 'A':
		return text(w.Format("Monday"))
	case 'b', 'h':
		return text(w.Format("Jan"))
	case 'B':
		return text(w.Format("January"))
	case 'c':
		return all("%a %b %e %H:%M:%S %Y")
	case 'C':
		return num(w.Year()/100, 1, '0')
	case 'd':
		return num(w.Day(), 2, '0')
	case 'D', 'x':
		return all("%m/%d/%y")
	case 'e':
		return num(w.Day(), 2, ' ')
	case 'f':
		// Python's own, and only without flag or width.
		return fmt.Sprintf("%06d", d.micro()), flag == 0 && width == 0
	case 'F':
		return all("%Y-%m-%d")
	case 'g':
		return num(isoYear%100, 2, '0')
	case 'G':
		return num(isoYear, 1, '0')
	case 'H':
		return num(w.Hour(), 2, '0')
	case 'I':
		return num(hour12, 2, '0')
	case 'j':
		return num(w.YearDay(), 3, '0')
	case 'k':
		return num(w.Hour(), 2, ' ')
	case 'l':
		return num(hour12, 2, ' ')
	case 'm':
		return num(int(w.Month()), 2, '0')
	case 'M':
		return num(w.Minute(), 2, '0')
	case 'n':
		return text("\n")
	case 'p':
		return text(w.Format("PM"))
	case 'P':
		return text(w.Format("pm"))
	case 'r':
		return all("%I:%M:%S %p")
	case 'R':
		return all("%H:%M")
	case 's':
		return num(int(w.Unix()), 1, '0')
	case 'S':
		return num(w.Second(), 2, '0')
	case 't':
		return text("\t")
	case 'T', 'X':
		return all("%H:%M:%S")
	case 'u':
		return num(isoWeekday(w), 1, '0')
	case 'U':
		return num((w.YearDay()+6-int(w.Weekday()))/7, 2, '0')
	case 'V':
		return num(isoWeek, 2, '0')
	case 'w':
		return num(int(w.Weekday()), 1, '0')
	case 'W':
		return num((w.YearDay()+6-(isoWeekday(w)-1))/7, 2, '0')
	case 'y':
		return num(w.Year()%100, 2, '0')
	case 'Y':
		return num(w.Year(), 1, '0')
	case 'z':
		if off, ok := d.utcoffset(); ok {
			return offsetText(off, ""), true
		}
		return "", true
	case 'Z':
		return d.tzname(), true
	case '%':
		return "%", true
	}
	return "", false
}

var (
	dayNames   = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	monthNames = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}
)

func abbreviated(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n[:3]
	}
	return out
}

// strptimePatterns are the regular expressions of Python's _strptime.
func strptimePattern(c byte) string {
	choice := func(name string, names []string) string {
		return "(?P<" + name + ">" + strings.Join(names, "|") + ")"
	}
	switch c {
	case 'd':
		return `(?P<d>3[0-1]|[1-2]\d|0[1-9]|[1-9]| [1-9])`
	case 'f':
		return `(?P<f>[0-9]{1,6})`
	case 'H':
		return `(?P<H>2[0-3]|[0-1]\d|\d)`
	case 'I':
		return `(?P<I>1[0-2]|0[1-9]|[1-9])`
	case 'G':
		return `(?P<G>\d\d\d\d)`
	case 'j':
		return `(?P<j>36[0-6]|3[0-5]\d|[1-2]\d\d|0[1-9]\d|00[1-9]|[1-9]\d|0[1-9]|[1-9])`
	case 'm':
		return `(?P<m>1[0-2]|0[1-9]|[1-9])`
	case 'M':
		return `(?P<M>[0-5]\d|\d)`
	case 'S':
		return `(?P<S>6[0-1]|[0-5]\d|\d)`
	case 'U':
		return `(?P<U>5[0-3]|[0-4]\d|\d)`
	case 'W':
		return `(?P<W>5[0-3]|[0-4]\d|\d)`
	case 'w':
		return `(?P<w>[0-6])`
	case 'u':
		return `(?P<u>[1-7])`
	case 'V':
		return `(?P<V>5[0-3]|0[1-9]|[1-4]\d|\d)`
	case 'y':
		return `(?P<y>\d\d)`
	case 'Y':
		return `(?P<Y>\d\d\d\d)`
	case 'z':
		return `(?P<z>[+-]\d\d:?[0-5]\d(?::?[0-5]\d(?:\.\d{1,6})?)?|(?-i:Z))`
	case 'A':
		return choice("A", dayNames)
	case 'a':
		return choice("a", abbreviated(dayNames))
	case 'B':
		return choice("B", monthNames)
	case 'b':
		return choice("b", abbreviated(monthNames))
	case 'p':
		return `(?P<p>am|pm)`
	case 'Z':
		return `(?P<Z>utc|gmt)`
	case '%':
		return "%"
	case 'c':
		return strptimeExpand("%a %b %d %H:%M:%S %Y")
	case 'x':
		return strptimeExpand("%m/%d/%y")
	case 'X':
		return strptimeExpand("%H:%M:%S")
	}
	return ""
}

func strptimeExpand(format string) string {
	p, _ := strptimeRegexp(format)
	return p
}

// strptimeRegexp turns a format into a regular expression; problem says what
// is wrong with it.
func strptimeRegexp(format string) (pattern, problem string) {
	var b strings.Builder
	inSpace := false
	for i := 0; i < len(format); {
		r, n := utf8.DecodeRuneInString(format[i:])
		if isSpace(r) {
			if !inSpace {
				b.WriteString(`[\s\x1c-\x1f\x85\p{Z}]+`)
			}
			inSpace = true
			i += n
			continue
		}
		inSpace = false
		if r != '%' {
			b.WriteString(regexp.QuoteMeta(format[i : i+n]))
			i += n
			continue
		}
		i++
		if i >= len(format) {
			return "", "stray % in format '" + format + "'"
		}
		p := strptimePattern(format[i])
		if p == "" {
			_, n := utf8.DecodeRuneInString(format[i:])
			bad := format[i : i+n]
			if bad == `\` {
				bad = `\\`
			}
			return "", "'" + bad + "' is a bad directive in format '" + format + "'"
		}
		b.WriteString(p)
		i++
	}
	return b.String(), ""
}

// strptime reads a date by a format, as datetime.strptime does.
func (m *machine) strptime(s, format string) (time.Time, *TZ) {
	if len(format) > 1000 {
		panic(exceeded("1000 bytes in a date format"))
	}
	m.step(200 + 20*len(format)) // compiling the expression takes time
	pattern, problem := strptimeRegexp(format)
	if problem != "" {
		panic(valueError("%s", problem))
	}
	re, err := regexp.Compile(`\A(?is:` + pattern + `)`)
	if err != nil {
		panic(Errorf("error", "redefinition of group name in date format %s", quote(format)))
	}
	found := re.FindStringSubmatch(s)
	if found == nil {
		panic(valueError("time data %s does not match format %s", quote(s), quote(format)))
	}
	if len(found[0]) != len(s) {
		panic(valueError("unconverted data remains: %s", s[len(found[0]):]))
	}
	g := map[string]string{}
	seen := map[string]bool{}
	for i, name := range re.SubexpNames() {
		if name == "" {
			continue
		}
		if seen[name] {
			panic(Errorf("error", "redefinition of group name '%s'", name))
		}
		seen[name] = true
		g[name] = strings.ToLower(found[i])
	}
	return timeFromParts(g)
}

func timeFromParts(g map[string]string) (time.Time, *TZ) {
	num := func(name string) int64 {
		n, _ := strconv.ParseInt(strings.TrimSpace(asciiDigits(g[name])), 10, 64)
		return n
	}
	has := func(name string) bool { _, ok := g[name]; return ok }
	index := func(names []string, s string) int64 {
		for i, n := range names {
			if n == s || n[:3] == s {
				return int64(i)
			}
		}
		return 0
	}
	year, haveYear := int64(1900), false
	month, day := int64(1), int64(1)
	if has("y") {
		if year = num("y"); year <= 68 {
			year += 2000
		} else {
			year += 1900
		}
		haveYear = true
	}
	if has("Y") {
		year, haveYear = num("Y"), true
	}
	switch {
	case has("m"):
		month = num("m")
	case has("B"):
		month = index(monthNames, g["B"]) + 1
	case has("b"):
		month = index(monthNames, g["b"]) + 1
	}
	if has("d") {
		day = num("d")
	}
	hour := num("H")
	if has("I") {
		hour = num("I")
		if g["p"] == "pm" {
			if hour != 12 {
				hour += 12
			}
		} else if hour == 12 {
			hour = 0
		}
	}
	us := int64(0)
	if f := g["f"]; f != "" {
		us, _ = strconv.ParseInt((asciiDigits(f) + "000000")[:6], 10, 64)
	}
	weekday := int64(-1)
	switch {
	case has("A"):
		weekday = index(dayNames, g["A"])
	case has("a"):
		weekday = index(dayNames, g["a"])
	case has("w"):
		weekday = (num("w") + 6) % 7
	case has("u"):
		weekday = num("u") - 1
	}
	switch {
	case has("G") && has("j"):
		panic(valueError("Day of the year directive '%%j' is not compatible with ISO year directive '%%G'. Use '%%Y' instead."))
	case has("G") && (!has("V") || weekday < 0):
		panic(valueError("ISO year directive '%%G' must be used with the ISO week directive '%%V' and a weekday directive ('%%A', '%%a', '%%w', or '%%u')."))
	case has("V") && !has("G") && (!haveYear || weekday < 0):
		panic(valueError("ISO week directive '%%V' must be used with the ISO year directive '%%G' and a weekday directive ('%%A', '%%a', '%%w', or '%%u')."))
	case has("V") && !has("G"):
		panic(valueError("ISO week directive '%%V' is incompatible with the year directive '%%Y'. Use the ISO year '%%G' instead."))
	}
	leapDefault := !haveYear && month == 2 && day == 29
	if leapDefault {
		year = 1904
	}
	switch {
	case has("j"):
		t := time.Date(int(year), 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(num("j"))-1)
		year, month, day = int64(t.Year()), int64(t.Month()), int64(t.Day())
	case (has("U") || has("W")) && weekday >= 0 && haveYear:
		monday, week := has("W"), num("W")
		if has("U") {
			monday, week = false, num("U")
		}
		t := dateOfWeek(year, week, weekday, monday)
		year, month, day = int64(t.Year()), int64(t.Month()), int64(t.Day())
	case has("G") && has("V"):
		t := fromISOWeek(num("G"), num("V"), weekday+1)
		year, month, day = int64(t.Year()), int64(t.Month()), int64(t.Day())
	}
	if leapDefault {
		year = 1900
	}
	dateFields(year, month, day)
	sec := num("S")
	timeFields(hour, num("M"), min(sec, 61), us)
	var tz *TZ
	switch z := g["z"]; {
	case z == "z":
		tz = UTCZone
	case z != "":
		off := parseOffset(z)
		tz = zoneOf(off, "")
	}
	return makeTime(year, month, day, hour, num("M"), sec, us), tz
}

// dateOfWeek is the date of a weekday (0 is Monday) in a week of the year as
// %U and %W count them.
func dateOfWeek(year, week, weekday int64, monday bool) time.Time {
	jan1 := time.Date(int(year), 1, 1, 0, 0, 0, 0, time.UTC)
	first := int64(isoWeekday(jan1) - 1)
	if !monday {
		first = (first + 1) % 7
		weekday = (weekday + 1) % 7
	}
	skip := (7 - first) % 7
	n := weekday - first
	if week > 0 {
		n = skip + 7*(week-1) + weekday
	}
	return jan1.AddDate(0, 0, int(n))
}

// parseOffset reads +hh:mm[:ss[.ffffff]] with or without colons.
func parseOffset(z string) time.Duration {
	sign := time.Duration(1)
	if z[0] == '-' {
		sign = -1
	}
	digits, frac, _ := strings.Cut(strings.ReplaceAll(z[1:], ":", ""), ".")
	digits = (digits + "0000")[:max(6, len(digits))]
	h, _ := strconv.Atoi(digits[:2])
	mi, _ := strconv.Atoi(digits[2:4])
	s, _ := strconv.Atoi(digits[4:6])
	us, _ := strconv.Atoi((frac + "000000")[:6])
	return sign * (time.Duration(h)*time.Hour + time.Duration(mi)*time.Minute + time.Duration(s)*time.Second + time.Duration(us)*time.Microsecond)
}

// zoneOf is datetime.timezone(offset).
func zoneOf(off time.Duration, name string) *TZ {
	if off <= -24*time.Hour || off >= 24*time.Hour {
		panic(valueError("offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24), not %s.", deltaOf(off).repr()))
	}
	if off == 0 && name == "" {
		return UTCZone
	}
	return FixedZone(off, name, "", nil)
}

var (
	isoDate = regexp.MustCompile(`^(\d{4})-(\d\d)-(\d\d)|^(\d{4})(\d\d)(\d\d)|^(\d{4})-?W(\d\d)(?:-?(\d))?`)
	isoTime = regexp.MustCompile(`^(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?$`)
	isoZone = regexp.MustCompile(`^[+-](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?$`)
)

// fromISO reads a date and time as datetime.fromisoformat does since Python
// 3.11.
func fromISO(s string, class *Type) *DateTime {
	bad := valueError("Invalid isoformat string: %s", quote(s))
	d := &DateTime{class: class}
	rest := s
	year, month, day := int64(1900), int64(1), int64(1)
	if class != TypeTime {
		f := isoDate.FindStringSubmatch(s)
		if f == nil {
			panic(bad)
		}
		num := func(i int) int64 { n, _ := strconv.ParseInt(f[i], 10, 64); return n }
		switch {
		case f[1] != "":
			year, month, day = num(1), num(2), num(3)
		case f[4] != "":
			year, month, day = num(4), num(5), num(6)
		default:
			wd := int64(1)
			if f[9] != "" {
				wd = num(9)
			}
			if strings.Contains(f[0], "-W") != (len(f[0]) > 5 && f[9] == "" && strings.Contains(f[0], "-W") || strings.Count(f[0], "-") == 2) {
				panic(bad)
			}
			var t time.Time
			if catch(func() { t = fromISOWeek(num(7), num(8), wd) }, "ValueError") != nil {
				panic(bad)
			}
			year, month, day = int64(t.Year()), int64(t.Month()), int64(t.Day())
		}
		rest = s[len(f[0]):]
		if class == TypeDate && rest != "" {
			panic(bad)
		}
	}
	var clock [4]int64
	if rest != "" {
		if class != TypeTime {
			_, n := utf8.DecodeRuneInString(rest)
			rest = rest[n:]
		} else {
			rest = strings.TrimPrefix(rest, "T")
		}
		if rest == "" {
			panic(bad)
		}
		zone := ""
		if i := strings.IndexAny(rest, "+-Z"); i >= 0 {
			rest, zone = rest[:i], rest[i:]
		}
		f := isoTime.FindStringSubmatch(rest)
		if f == nil || strings.Count(f[0], ":") == 1 && f[3] != "" {
			panic(bad)
		}
		for i := range 3 {
			clock[i], _ = strconv.ParseInt("0"+f[i+1], 10, 64)
		}
		if f[4] != "" {
			clock[3], _ = strconv.ParseInt((f[4] + "000000")[:6], 10, 64)
		}
		switch {
		case zone == "Z":
			d.tz = UTCZone
		case zone != "":
			if !isoZone.MatchString(zone) {
				panic(bad)
			}
			d.tz = zoneOf(parseOffset(strings.ReplaceAll(zone, ",", ".")), "")
		}
	}
	dateFields(year, month, day)
	timeFields(clock[0], clock[1], clock[2], clock[3])
	d.wall = makeTime(year, month, day, clock[0], clock[1], clock[2], clock[3])
	return d
}

package airflow

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"fairlead/internal/lang/jinja"
)

// parseDate is dateutil.parser.parse.
func parseDate(c *jinja.Call) (jinja.Value, error) {
	text, ok := jinja.Text(c.Args[0])
	if !ok {
		if err := jinja.Fail(c.Args[0]); err != nil {
			return nil, err
		}
		return nil, jinja.Errorf("TypeError", "Parser must be a string or character stream, not %s", c.Args[0].Type().Name)
	}
	r := &dateReader{tokens: dateTokens(text)}
	base := time.Now().UTC().Truncate(24 * time.Hour)
	var baseZone *jinja.TZ
	ignoreZone := false
	for k, v := range c.Kw.All {
		switch name, _ := jinja.Text(k); name {
		case "dayfirst":
			r.dayFirst = c.Truth(v)
		case "yearfirst":
			r.yearFirst = c.Truth(v)
		case "fuzzy":
			r.fuzzy = c.Truth(v)
		case "ignoretz":
			ignoreZone = c.Truth(v)
		case "default":
			if d, ok := v.(*jinja.DateTime); ok {
				base, baseZone = d.Wall(), d.Zone()
			}
		case "tzinfos", "fuzzy_with_tokens":
			if c.Truth(v) {
				return nil, jinja.Errorf("NotImplementedError", "parse() does not support %s here", name)
			}
		default:
			return nil, jinja.Errorf("TypeError", "parser._parse() got an unexpected keyword argument '%s'", name)
		}
	}
	if len(text) > 1000 || !r.read() {
		return nil, jinja.Errorf("ParserError", "Unknown string format: %s", text)
	}
	if !r.any() {
		return nil, jinja.Errorf("ParserError", "String does not contain a date: %s", text)
	}
	t, problem := r.moment(base)
	if problem != "" {
		return nil, jinja.Errorf("ParserError", "%s: %s", problem, text)
	}
	zone := baseZone
	switch {
	case ignoreZone:
	case r.zoneName == "UTC":
		// The zone of the machine that tasks run on has this name.
		zone = tzLocal
	case r.hasOffset && r.offset == 0:
		zone = tzUTC
	case r.hasOffset:
		shown := "None"
		if r.zoneName != "" {
			shown = "'" + r.zoneName + "'"
		}
		zone = namedOffset(r.zoneName, shown, r.offset)
	}
	return jinja.NewDateTime(t, zone, jinja.TypeDateTime), nil
}

// isoParse is dateutil.parser.isoparse.
func isoParse(c *jinja.Call) (jinja.Value, error) {
	text, ok := jinja.Text(c.Args[0])
	if !ok {
		return nil, jinja.Errorf("TypeError", "Parser must be a string or character stream, not %s", c.Args[0].Type().Name)
	}
	full := text
	switch {
	case len(text) == 4:
		full += "-01-01"
	case len(text) == 7 && text[4] == '-':
		full += "-01"
	case len(text) > 10 && text[4] == '-' && text[10] != 'T':
		return nil, jinja.Errorf("ValueError", "String contains unknown ISO components: '%s'", text)
	}
	d := c.Method(jinja.TypeDateTime, "fromisoformat", jinja.Str(full)).(*jinja.DateTime)
	zone := d.Zone()
	if off, ok := c.Method(d, "utcoffset").(*jinja.Delta); ok {
		if zone = tzUTC; off.Days() != 0 || off.Micros() != 0 {
			zone = namedOffset("", "None", int(off.Days()*86400+off.Micros()/1_000_000))
		}
	}
	return jinja.NewDateTime(d.Wall(), zone, jinja.TypeDateTime), nil
}

// dateTokens cuts a date into words, numbers and single marks. A dot may
// join or part; which of them shows only from what follows.
func dateTokens(s string) []string {
	s = strings.ReplaceAll(s, "\x00", "")
	var out []string
	letter := unicode.IsLetter
	digit := func(r rune) bool { return unicode.IsDigit(r) }
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if !letter(r) && !digit(r) {
			if unicode.IsSpace(r) {
				out = append(out, " ")
			} else {
				out = append(out, s[:n])
			}
			s = s[n:]
			continue
		}
		state, letters := "0", false
		if letter(r) {
			state = "a"
		}
		end := n
	scan:
		for end < len(s) {
			r, n := utf8.DecodeRuneInString(s[end:])
			last := s[end-1]
			switch state {
			case "a":
				letters = true
				switch {
				case letter(r):
				case r == '.':
					state = "a."
				default:
					break scan
				}
			case "0":
				switch {
				case digit(r):
				case r == '.', r == ',' && end >= 2:
					state = "0."
				default:
					break scan
				}
			case "a.":
				letters = true
				switch {
				case r == '.' || letter(r):
				case digit(r) && last == '.':
					state = "0."
				default:
					break scan
				}
			case "0.":
				switch {
				case r == '.' || digit(r):
				case letter(r) && last == '.':
					state = "a."
				default:
					break scan
				}
			}
			end += n
		}
		t := s[:end]
		s = s[end:]
		if len(state) == 2 && (letters || strings.Count(t, ".") > 1 || t[len(t)-1] == '.' || t[len(t)-1] == ',') {
			for t != "" {
				i := strings.IndexAny(t, ".,")
				if i < 0 {
					out = append(out, t)
					break
				}
				if i > 0 {
					out = append(out, t[:i])
				}
				out = append(out, t[i:i+1])
				t = t[i+1:]
			}
			continue
		}
		if state == "0." && !strings.Contains(t, ".") {
			t = strings.ReplaceAll(t, ",", ".")
		}
		out = append(out, t)
	}
	return out
}

// A dateReader finds the parts of a date among tokens, by dateutil's rules.
type dateReader struct {
	tokens                     []string
	dayFirst, yearFirst, fuzzy bool

	ymd                          []int
	yearAt, monthAt              int // places in ymd, from 1; 0: not known
	century                      bool
	year, month, day             int // -1: not given
	weekday                      int
	hour, minute, second, micros int
	ampm                         int
	zoneName                     string
	offset                       int
	hasOffset                    bool
}

// errDate ends the reading of what is not a date.
type errDate struct{}

func (r *dateReader) fail() { panic(errDate{}) }

func (r *dateReader) at(i int) string {
	if i < 0 || i >= len(r.tokens) {
		r.fail()
	}
	return r.tokens[i]
}

func (r *dateReader) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		r.fail()
	}
	return n
}

// read fills in the parts; false if the text is not a date.
func (r *dateReader) read() (ok bool) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case errDate:
			ok = false
		default:
			panic(e)
		}
	}()
	r.year, r.month, r.day, r.weekday = -1, -1, -1, -1
	r.hour, r.minute, r.second, r.micros, r.ampm = -1, -1, -1, -1, -1
	for i := 0; i < len(r.tokens); i++ {
		t := r.tokens[i]
		switch {
		case isNumberToken(t):
			i = r.numeric(i)
		case weekdayIndex(t) >= 0:
			r.weekday = weekdayIndex(t)
		case monthIndex(t) > 0:
			i = r.monthName(i)
		case ampmIndex(t) >= 0:
			if r.hour < 0 || r.hour > 12 || r.fuzzy && r.ampm >= 0 {
				if r.fuzzy {
					break
				}
				r.fail()
			}
			r.hour = adjustHour(r.hour, ampmIndex(t))
			r.ampm = ampmIndex(t)
		case r.couldBeZone(t):
			r.zoneName = t
			if isUTCName(t) {
				r.offset, r.hasOffset = 0, true
			}
			if i+1 < len(r.tokens) && (r.tokens[i+1] == "+" || r.tokens[i+1] == "-") {
				// GMT+3 means that GMT is three hours later.
				r.tokens[i+1] = map[string]string{"+": "-", "-": "+"}[r.tokens[i+1]]
				r.hasOffset = false
				if isUTCName(t) {
					r.zoneName = ""
				}
			}
		case r.hour >= 0 && (t == "+" || t == "-"):
			i = r.numericZone(i)
		case !isJump(t) && !r.fuzzy:
			r.fail()
		}
	}
	r.resolve()
	if r.year >= 0 && r.year < 100 && !r.century {
		now := time.Now().UTC().Year()
		r.year += now / 100 * 100
		if r.year >= now+50 {
			r.year -= 100
		} else if r.year < now-50 {
			r.year += 100
		}
	}
	switch {
	case r.hasOffset && r.offset == 0 && r.zoneName == "", r.zoneName == "Z", r.zoneName == "z":
		r.zoneName, r.offset, r.hasOffset = "UTC", 0, true
	case r.hasOffset && r.offset != 0 && isUTCName(r.zoneName):
		r.offset = 0
	}
	return true
}

func (r *dateReader) any() bool {
	return r.year >= 0 || r.month >= 0 || r.day >= 0 || r.weekday >= 0 || r.hour >= 0 || r.minute >= 0 || r.second >= 0 || r.micros >= 0 || r.hasOffset || r.zoneName != "" || r.ampm >= 0
}

// moment puts the parts over those of base.
func (r *dateReader) moment(base time.Time) (t time.Time, problem string) {
	pick := func(v, otherwise int) int {
		if v >= 0 {
			return v
		}
		return otherwise
	}
	y, mo := pick(r.year, base.Year()), pick(r.month, int(base.Month()))
	d := pick(r.day, base.Day())
	if y < 1 || y > 9999 {
		return t, "year " + strconv.Itoa(y) + " is out of range"
	}
	if mo < 1 || mo > 12 {
		return t, "month must be in 1..12"
	}
	last := time.Date(y, time.Month(mo)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if r.day < 0 {
		d = min(d, last)
	}
	if d < 1 || d > last {
		return t, "day is out of range for month"
	}
	h, mi, s := pick(r.hour, base.Hour()), pick(r.minute, base.Minute()), pick(r.second, base.Second())
	us := pick(r.micros, base.Nanosecond()/1000)
	switch {
	case h > 23:
		return t, "hour must be in 0..23"
	case mi > 59:
		return t, "minute must be in 0..59"
	case s > 59:
		return t, "second must be in 0..59"
	}
	t = time.Date(y, time.Month(mo), d, h, mi, s, us*1000, time.UTC)
	if r.weekday >= 0 && r.day <= 0 {
		t = t.AddDate(0, 0, (7-(int(t.Weekday())+6)%7+r.weekday)%7)
	}
	return t, ""
}

func isNumberToken(s string) bool {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func allDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// numeric reads the number at i, and what belongs to it, and returns the
// place of the last token used.
func (r *dateReader) numeric(i int) int {
	t := r.tokens[i]
	n := len(t)
	value, err := strconv.ParseFloat(t, 64)
	if err != nil || math.IsInf(value, 0) {
		r.fail()
	}
	more := func(k int) bool { return i+k < len(r.tokens) }
	next := func(k int) string { return r.tokens[i+k] }
	hms := r.hmsAt(i)
	switch {
	case len(r.ymd) == 3 && (n == 2 || n == 4) && r.hour < 0 && (!more(1) || next(1) == " " || ampmIndex(next(1)) >= 0):
		r.hour = r.number(t[:2])
		if n == 4 {
			r.minute = r.number(t[2:])
		}
	case n == 6 || n > 6 && strings.Index(t, ".") == 6:
		if len(r.ymd) == 0 && !strings.Contains(t, ".") {
			r.add(t[:2], 0)
			r.add(t[2:4], 0)
			r.add(t[4:], 0)
		} else {
			r.hour, r.minute = r.number(t[:2]), r.number(t[2:4])
			r.seconds(t[4:])
		}
	case n == 8 || n == 12 || n == 14:
		r.add(t[:4], 'Y')
		r.add(t[4:6], 0)
		r.add(t[6:8], 0)
		if n > 8 {
			r.hour, r.minute = r.number(t[8:10]), r.number(t[10:12])
			if n > 12 {
				r.second = r.number(t[12:])
			}
		}
	case hms >= 0:
		unit := hmsIndex(r.tokens[hms])
		if hms < i {
			unit++
		} else {
			i = hms
		}
		r.setHMS(t, value, unit)
	case more(2) && next(1) == ":":
		r.hour = int(value)
		if !isNumberToken(next(2)) {
			r.fail()
		}
		v, _ := strconv.ParseFloat(next(2), 64)
		r.minuteSecond(v)
		if more(4) && next(3) == ":" {
			r.seconds(next(4))
			i += 2
		}
		i += 2
	case more(1) && (next(1) == "-" || next(1) == "/" || next(1) == "."):
		sep := next(1)
		r.add(t, 0)
		if more(2) && !isJump(next(2)) {
			if allDigits(next(2)) {
				r.add(next(2), 0)
			} else if m := monthIndex(next(2)); m > 0 {
				r.add(strconv.Itoa(m), 'M')
			} else {
				r.fail()
			}
			if more(3) && next(3) == sep {
				if m := monthIndex(r.at(i + 4)); m > 0 {
					r.add(strconv.Itoa(m), 'M')
				} else {
					r.add(r.at(i+4), 0)
				}
				i += 2
			}
			i++
		}
		i++
	case !more(1) || isJump(next(1)):
		if more(2) && ampmIndex(next(2)) >= 0 {
			r.hour = adjustHour(int(value), ampmIndex(next(2)))
			i++
		} else {
			r.addNumber(value)
		}
		i++
	case ampmIndex(next(1)) >= 0 && value >= 0 && value < 24:
		r.hour = adjustHour(int(value), ampmIndex(next(1)))
		i++
	case r.couldBeDay(value):
		r.addNumber(value)
	case !r.fuzzy:
		r.fail()
	}
	return i
}

// hmsAt finds the "h", "min" or "s" that belongs to the number at i.
func (r *dateReader) hmsAt(i int) int {
	is := func(k int) bool { return k >= 0 && k < len(r.tokens) && hmsIndex(r.tokens[k]) >= 0 }
	n := len(r.tokens)
	switch {
	case is(i + 1):
		return i + 1
	case i+2 < n && r.tokens[i+1] == " " && is(i+2):
		return i + 2
	case i > 0 && is(i-1):
		return i - 1
	case i > 1 && i == n-1 && r.tokens[i-1] == " " && is(i-2):
		return i - 2
	}
	return -1
}

func (r *dateReader) setHMS(t string, value float64, unit int) {
	switch unit {
	case 0:
		r.hour = int(value)
		if f := value - math.Trunc(value); f != 0 {
			r.minute = int(60 * f)
		}
	case 1:
		r.minuteSecond(value)
	case 2:
		r.seconds(t)
	}
}

func (r *dateReader) minuteSecond(v float64) {
	r.minute = int(v)
	if f := v - math.Trunc(v); f != 0 {
		r.second = int(60 * f)
	}
}

func (r *dateReader) seconds(t string) {
	whole, frac, _ := strings.Cut(t, ".")
	r.second, r.micros = r.number(whole), 0
	if frac != "" {
		r.micros = r.number((frac + "000000")[:6])
	}
}

func (r *dateReader) addNumber(v float64) {
	if v > 100 {
		r.century = true
		r.mark(len(r.ymd)+1, 'Y')
	}
	r.ymd = append(r.ymd, int(v))
}

func (r *dateReader) add(s string, label byte) {
	if allDigits(s) && len(s) > 2 {
		r.century = true
		if label != 0 && label != 'Y' {
			r.fail()
		}
		label = 'Y'
	}
	n := r.number(s)
	r.ymd = append(r.ymd, n)
	r.mark(len(r.ymd), label)
}

func (r *dateReader) mark(at int, label byte) {
	switch label {
	case 'Y':
		if r.yearAt > 0 {
			r.fail()
		}
		r.yearAt = at
	case 'M':
		if r.monthAt > 0 {
			r.fail()
		}
		r.monthAt = at
	}
}

func (r *dateReader) couldBeDay(v float64) bool {
	last := 31
	if r.monthAt > 0 {
		year := 2000
		if r.yearAt > 0 {
			year = r.ymd[r.yearAt-1]
		}
		last = time.Date(year, time.Month(r.ymd[r.monthAt-1])+1, 0, 0, 0, 0, 0, time.UTC).Day()
	}
	return v >= 1 && v <= float64(last)
}

func (r *dateReader) monthName(i int) int {
	r.add(strconv.Itoa(monthIndex(r.tokens[i])), 'M')
	if i+1 >= len(r.tokens) {
		return i
	}
	switch sep := r.tokens[i+1]; {
	case sep == "-" || sep == "/":
		r.add(r.at(i+2), 0)
		if i+3 < len(r.tokens) && r.tokens[i+3] == sep {
			r.add(r.at(i+4), 0)
			i += 2
		}
		i += 2
	case i+4 < len(r.tokens) && sep == " " && r.tokens[i+3] == " " && strings.EqualFold(r.tokens[i+2], "of"):
		if allDigits(r.tokens[i+4]) {
			y := r.number(r.tokens[i+4])
			if y < 100 {
				y += time.Now().UTC().Year() / 100 * 100
			}
			r.add(strconv.Itoa(y), 'Y')
		}
		i += 4
	}
	return i
}

func (r *dateReader) couldBeZone(t string) bool {
	if r.hour < 0 || r.zoneName != "" || r.hasOffset || len(t) > 5 {
		return false
	}
	return isUTCName(t) || !strings.ContainsFunc(t, func(c rune) bool { return c < 'A' || c > 'Z' })
}

func (r *dateReader) numericZone(i int) int {
	sign := 1
	if r.tokens[i] == "-" {
		sign = -1
	}
	t := r.at(i + 1)
	var h, m int
	switch {
	case len(t) == 4:
		h, m = r.number(t[:2]), r.number(t[2:])
	case i+2 < len(r.tokens) && r.tokens[i+2] == ":":
		h, m = r.number(t), r.number(r.at(i+3))
		i += 2
	case len(t) <= 2:
		h = r.number(t)
	default:
		r.fail()
	}
	r.offset, r.hasOffset = sign*(h*3600+m*60), true
	if r.offset <= -86400 || r.offset >= 86400 {
		r.fail()
	}
	if i+5 < len(r.tokens) && isJump(r.tokens[i+2]) && r.tokens[i+3] == "(" && r.tokens[i+5] == ")" && len(r.tokens[i+4]) >= 3 {
		saved := r.hasOffset
		r.hasOffset = false
		if r.couldBeZone(r.tokens[i+4]) {
			r.zoneName = r.tokens[i+4]
			i += 4
		}
		r.hasOffset = saved
	}
	return i + 1
}

// resolve decides which of the up to three numbers is what.
func (r *dateReader) resolve() {
	v := r.ymd
	known := 0
	for _, at := range []int{r.yearAt, r.monthAt} {
		if at > 0 {
			known++
		}
	}
	set := func(y, m, d int) { r.year, r.month, r.day = y, m, d }
	switch {
	case len(v) == 0:
		return
	case len(v) == known || len(v) == 3 && known == 2:
		places := []int{r.yearAt - 1, r.monthAt - 1}
		for i := range v {
			if !slices.Contains(places, i) {
				r.day = v[i]
			}
		}
		if r.yearAt > 0 {
			r.year = v[r.yearAt-1]
		}
		if r.monthAt > 0 {
			r.month = v[r.monthAt-1]
		}
	case len(v) > 3:
		r.fail()
	case len(v) == 1 || r.monthAt > 0 && len(v) == 2:
		other := v[0]
		if r.monthAt > 0 {
			r.month = v[r.monthAt-1]
			other = v[len(v)-r.monthAt]
			if len(v) == 1 {
				return
			}
		}
		if other > 31 {
			r.year = other
		} else {
			r.day = other
		}
	case len(v) == 2:
		switch {
		case v[0] > 31:
			r.year, r.month = v[0], v[1]
		case v[1] > 31:
			r.month, r.year = v[0], v[1]
		case r.dayFirst && v[1] <= 12:
			r.day, r.month = v[0], v[1]
		default:
			r.month, r.day = v[0], v[1]
		}
	case r.monthAt == 1:
		if v[1] > 31 {
			set(v[1], v[0], v[2])
		} else {
			set(v[2], v[0], v[1])
		}
	case r.monthAt == 2:
		if v[0] > 31 || r.yearFirst && v[2] <= 31 {
			set(v[0], v[1], v[2])
		} else {
			set(v[2], v[1], v[0])
		}
	case r.monthAt == 3:
		if v[1] > 31 {
			set(v[1], v[2], v[0])
		} else {
			set(v[0], v[2], v[1])
		}
	case v[0] > 31 || r.yearAt == 1 || r.yearFirst && v[1] <= 12 && v[2] <= 31:
		if r.dayFirst && v[2] <= 12 {
			set(v[0], v[2], v[1])
		} else {
			set(v[0], v[1], v[2])
		}
	case v[0] > 12 || r.dayFirst && v[1] <= 12:
		set(v[2], v[1], v[0])
	default:
		set(v[2], v[0], v[1])
	}
}

func adjustHour(h, ampm int) int {
	switch {
	case h < 12 && ampm == 1:
		return h + 12
	case h == 12 && ampm == 0:
		return 0
	}
	return h
}

func isUTCName(s string) bool { return s == "UTC" || s == "GMT" || s == "Z" || s == "z" }

func isJump(s string) bool {
	return slices.Contains([]string{" ", ".", ",", ";", "-", "/", "'", "at", "on", "and", "ad", "m", "t", "of", "st", "nd", "rd", "th"}, strings.ToLower(s))
}

func ampmIndex(s string) int {
	switch strings.ToLower(s) {
	case "am", "a":
		return 0
	case "pm", "p":
		return 1
	}
	return -1
}

func hmsIndex(s string) int {
	switch strings.ToLower(s) {
	case "h", "hour", "hours":
		return 0
	case "m", "minute", "minutes":
		return 1
	case "s", "second", "seconds":
		return 2
	}
	return -1
}

func weekdayIndex(s string) int {
	s = strings.ToLower(s)
	for i := range 7 {
		name := strings.ToLower(time.Weekday((i + 1) % 7).String())
		if s == name || s == name[:3] {
			return i
		}
	}
	return -1
}

func monthIndex(s string) int {
	s = strings.ToLower(s)
	for m := time.January; m <= time.December; m++ {
		name := strings.ToLower(m.String())
		if s == name || s == name[:3] || s == "sept" && m == time.September {
			return int(m)
		}
	}
	return 0
}

package rehearsal

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
)

// A place is where something stands in a file of tests.
type place struct {
	Line, Column int
	Path         string
}

// at is the place of v, below a key path.
func at(v *airflow.Value, path string) place { return place{v.Line, v.Column, path} }

// A reader collects what is wrong with a file.
type reader struct{ diags []flow.Diagnostic }

// maxFaults bounds how much is said about one file.
const maxFaults = 100

func (r *reader) fault(p place, fix, format string, args ...any) {
	if len(r.diags) < maxFaults {
		r.diags = append(r.diags, flow.Diagnostic{
			Line: p.Line, Column: p.Column, Path: p.Path, Message: airflow.Clip(fmt.Sprintf(format, args...), 500), Fix: fix,
		})
	}
}

// keys reports whether v is a mapping, and each of its keys that is none of
// known.
func (r *reader) keys(v *airflow.Value, path string, known ...string) bool {
	if v.Kind != airflow.Mapping {
		r.fault(at(v, path), "", "expected a mapping with keys among %s, not %s", strings.Join(known, ", "), v.Kind)
		return false
	}
	for _, p := range v.Pairs {
		if !slices.Contains(known, p.Key.Text) {
			r.fault(at(p.Key, join(path, p.Key.Text)), meant(p.Key.Text, known), "there is no key %s here", quoted(p.Key.Text))
		}
	}
	return true
}

// meant words a fix for a name that is none of known.
func meant(name string, known []string) string {
	if near := airflow.Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) > 20 {
		known = append(known[:20:20], "…")
	}
	return "known are " + strings.Join(known, ", ")
}

func join(path, key string) string {
	if key = airflow.Clip(key, 80); path != "" {
		return path + "." + key
	}
	return key
}

func quoted(s string) string { return strconv.Quote(airflow.Clip(s, 80)) }

// text reads a text that is not empty.
func (r *reader) text(v *airflow.Value, path string) string {
	if v.Kind != airflow.Text || v.Text == "" {
		r.fault(at(v, path), "", "expected a text, not %s", v.Kind)
		return ""
	}
	return v.Text
}

// word reads one of a few words.
func (r *reader) word(v *airflow.Value, path string, known []string) string {
	if v.Kind != airflow.Text || !slices.Contains(known, v.Text) {
		r.fault(at(v, path), meant(strings.ToUpper(v.Text), known), "expected one of %s, not %s", strings.Join(known, ", "), shown(v))
		return ""
	}
	return v.Text
}

// shown quotes a scalar and names the kind of anything else.
func shown(v *airflow.Value) string {
	if v.Text != "" && v.Kind != airflow.NullValue {
		return quoted(v.Text)
	}
	return string(v.Kind)
}

// count reads an integer from least on.
func (r *reader) count(v *airflow.Value, path string, least, most int) int {
	n, err := strconv.Atoi(v.Text)
	if v.Kind != airflow.Number || err != nil || n < least || n > most {
		r.fault(at(v, path), "", "expected a whole number from %d to %d, not %s", least, most, shown(v))
		return least
	}
	return n
}

// maxSpan bounds every duration that a file may name.
const maxSpan = 3660 * 24 * time.Hour

// span reads a duration: 90 (seconds), 5m, 1h30m, 2d.
func (r *reader) span(v *airflow.Value, path string) time.Duration {
	d, ok := parseSpan(v.Text)
	if v.Kind != airflow.Number && v.Kind != airflow.Text || !ok {
		r.fault(at(v, path), "write a number of seconds, or units of d, h, m, s and ms, such as 90, 5m or 1h30m", "expected a duration, not %s", shown(v))
	}
	return d
}

// parseSpan reads a duration of at most maxSpan.
func parseSpan(s string) (time.Duration, bool) {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		if !(n >= 0 && n <= maxSpan.Seconds()) {
			return 0, false
		}
		return time.Duration(n * float64(time.Second)).Round(time.Microsecond), true
	}
	var days time.Duration
	if before, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil || n > 3660 {
			return 0, false
		}
		days, s = time.Duration(n)*24*time.Hour, after
		if s == "" {
			return days, true
		}
	}
	if strings.ContainsAny(s, "+-") || strings.Contains(s, "n") {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	if err != nil || d > maxSpan-days {
		return 0, false
	}
	return days + d, true
}

// spanText prints a duration as a file would have it.
func spanText(d time.Duration) string {
	var b strings.Builder
	if days := d / (24 * time.Hour); days > 0 {
		fmt.Fprintf(&b, "%dd", days)
		d -= days * 24 * time.Hour
	}
	if d == 0 && b.Len() > 0 {
		return b.String()
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return b.String() + s
}

// A moment is a time as written. One without an offset is a reading of the
// clock in the zone of the workflow's schedule.
type moment struct {
	t     time.Time // in UTC if naive
	naive bool
	day   bool // a date alone
}

// in returns the instant, where loc is the zone of the schedule.
func (m moment) in(loc *time.Location) time.Time {
	if !m.naive {
		return m.t.In(loc)
	}
	t := m.t
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc)
}

// before reports whether a range that begins at from and ends at m is certain
// to be the wrong way round. Where one has an offset and the other has not,
// only the schedule can tell.
func (m moment) before(from moment) bool {
	end := m.t
	if m.day {
		end = end.AddDate(0, 0, 1).Add(-time.Nanosecond)
	}
	return m.naive == from.naive && end.Before(from.t)
}

// moment reads a time in ISO form.
func (r *reader) moment(v *airflow.Value, path string) moment {
	var m moment
	var err error
	s := strings.Replace(v.Text, " ", "T", 1)
	switch v.Kind {
	case airflow.Date, airflow.Moment, airflow.Text:
		for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
			if m.t, err = time.Parse(form, s); err == nil {
				return r.calendar(m, v, path)
			}
		}
		m.naive = true
		for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
			if m.t, err = time.Parse(form, s); err == nil {
				return r.calendar(m, v, path)
			}
		}
		if m.t, err = time.Parse("2006-01-02", s); err == nil {
			m.day = true
			return r.calendar(m, v, path)
		}
	}
	r.fault(at(v, path), "write it as 2026-03-01, 2026-03-01T06:00 or 2026-03-01T06:00+01:00", "expected a time, not %s", shown(v))
	return moment{t: defaultStart()}
}

// calendar refuses years that calendars and JSON do not agree on.
func (r *reader) calendar(m moment, v *airflow.Value, path string) moment {
	if y := m.t.Year(); y < 1900 || y > 2200 {
		r.fault(at(v, path), "", "the year %d is not within 1900 to 2200", y)
	}
	return m
}

// defaultStart is when a run begins for which the file does not say it.
func defaultStart() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// pattern reads a regular expression.
func (r *reader) pattern(v *airflow.Value, path, text string) *regexp.Regexp {
	if len(text) > 1000 {
		r.fault(at(v, path), "", "a regular expression of more than 1000 bytes")
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		r.fault(at(v, path), "", "not a regular expression: %v", err)
		return nil
	}
	return re
}

// Package cron says when a schedule fires. It reads two dialects: five-field
// cron and its presets as Airflow reads them (which is croniter 6.0.0 with
// Airflow's rules for daylight saving), and the six fields of EventBridge. It
// knows no clock: the time to start from and the zone are passed in.
package cron

import (
	"strings"
	"time"
	"unicode"

	"fairlead/internal/flow"
)

// A Schedule is a parsed expression. The zero Schedule never fires.
type Schedule struct {
	expr    string
	minutes uint64
	hours   uint32
	months  uint16
	// days holds one rule, or the two of which either may match: a day of the
	// month and a day of the week that are both given.
	days []days
	// years is nil when every year will do; otherwise one bit for each from
	// firstYear on.
	years *[4]uint64
	// hourly marks an expression whose hour is any: it fires through both
	// halves of an hour that the clock repeats.
	hourly bool
	// once marks the rules of EventBridge at a change of clocks.
	once bool
}

// String returns the expression as it was written.
func (s Schedule) String() string { return s.expr }

// maxLen bounds an expression. The longest sensible one lists every minute.
const maxLen = 1000

// Parse reads an expression in the dialect that it is written in: five fields
// or a preset such as @daily are cron; six fields with a ?, or cron(…) around
// them, are EventBridge. An error is [flow.Invalid] and says which field and
// value are at fault and what was expected.
func Parse(expr string) (Schedule, error) {
	text := strings.TrimSpace(expr)
	lower := strings.ToLower(text)
	if len(text) > maxLen {
		return Schedule{}, refuse(text[:40]+"…", "the expression is longer than %d bytes", maxLen)
	}
	for _, word := range []string{"rate(", "at("} {
		if strings.HasPrefix(lower, word) {
			return Schedule{}, refuse(text, "%s…) is not supported; write the times as cron fields, such as 0 * * * * for every hour", word)
		}
	}
	if strings.HasPrefix(lower, "cron(") {
		return ParseEventBridge(text)
	}
	if len(strings.Fields(text)) == 6 {
		if strings.Contains(text, "?") {
			return ParseEventBridge(text)
		}
		return Schedule{}, refuse(text, "six fields without a ? could begin or end with seconds, or be EventBridge's; "+
			"write five fields (minute hour day-of-month month day-of-week), or put ? for the day of month or of week and a year at the end")
	}
	return ParseCron(text)
}

// Next returns the first fire strictly after the given time, in loc, and
// whether there is one. It takes at most a fraction of a millisecond.
func (s Schedule) Next(after time.Time, loc *time.Location) (time.Time, bool) {
	if y := after.Year(); y < 1 || y > 9900 || len(s.days) == 0 {
		return time.Time{}, false // outside what the calendars agree on
	}
	local := wall(after, loc)
	if s.once {
		return s.nextOnce(after, local, loc)
	}
	next, ok := s.search(local, local.Add(time.Minute).Year()+50)
	if !ok {
		return time.Time{}, false
	}
	if s.hourly {
		// Airflow adds the distance between two readings of the wall clock to
		// the instant, so that no hour is left out or run over.
		return after.Add(next.Sub(local)).In(loc), true
	}
	return settle(next, loc), true
}

// nextOnce goes by EventBridge's rules: a time that the clock skips does not
// fire, and one that it repeats fires the first time.
func (s Schedule) nextOnce(after, local time.Time, loc *time.Location) (time.Time, bool) {
	for {
		next, ok := s.search(local, lastYear)
		if !ok {
			return time.Time{}, false
		}
		if t, ok := first(next, loc); ok && t.After(after) {
			return t, true
		}
		local = next
	}
}

// ParseCron reads five fields or a preset as Airflow does.
func ParseCron(expr string) (Schedule, error) {
	text, err := expand(expr)
	if err != nil {
		return Schedule{}, err
	}
	f := strings.Fields(text)
	if len(f) != 5 {
		return Schedule{}, refuse(expr, "it has %d fields; expected five (minute hour day-of-month month day-of-week) "+
			"or a preset such as @daily", len(f))
	}
	return unix(expr, f)
}

// expand replaces a preset by its fields.
func expand(expr string) (string, error) {
	if len(expr) > maxLen {
		return "", refuse(expr[:40]+"…", "the expression is longer than %d bytes", maxLen)
	}
	for _, r := range expr {
		if r > unicode.MaxASCII {
			return "", refuse(expr, "%q is not a character of cron expressions", r)
		}
	}
	text := strings.ToLower(strings.TrimSpace(expr))
	switch text {
	case "@once", "@continuous":
		return "", refuse(expr, "%s is not a time of the calendar; leave the schedule out and start runs on demand, or write cron fields", text)
	case "@hourly":
		return "0 * * * *", nil
	case "@daily", "@midnight":
		return "0 0 * * *", nil
	case "@weekly":
		return "0 0 * * 0", nil
	case "@monthly":
		return "0 0 1 * *", nil
	case "@quarterly":
		return "0 0 1 */3 *", nil
	case "@yearly", "@annually":
		return "0 0 1 1 *", nil
	}
	if strings.HasPrefix(text, "@") {
		return "", refuse(expr, "there is no such preset; expected @hourly, @daily, @weekly, @monthly, @quarterly or @yearly")
	}
	return text, nil
}

func refuse(expr, format string, args ...any) error {
	return flow.Errorf(flow.Invalid, "schedule %q: "+format, append([]any{expr}, args...)...)
}

package cron

import (
	"math/bits"
	"time"
)

// days says which days of a month match: all of its conditions.
type days struct {
	any  bool   // any day of the month; otherwise
	dom  uint32 // bits 1 to 31,
	last bool   // or the last day,
	// or the weekday nearest to this day, in its month; 0: none.
	nearest int

	hasNth bool     // nth decides about the weekday;
	nth    [7]uint8 // see set.nth
	anyDow bool     // otherwise any will do,
	dow    uint8    // or those of bits 0 to 6
}

// in returns the days of a month that match, as bits 1 to 31.
func (d days) in(year int, month time.Month) uint32 {
	n := length(year, month)
	all := uint32(1)<<(n+1) - 2
	match := all
	first := int(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday())
	if !d.any {
		match = d.dom
		if d.last {
			match |= 1 << n
		}
		if d.nearest > 0 && d.nearest <= n {
			match |= 1 << workday(d.nearest, n, (first+d.nearest-1)%7)
		}
	}
	if d.anyDow && !d.hasNth {
		return match & all
	}
	var week uint32
	for day := 1; day <= n; day++ {
		w := (first + day - 1) % 7
		wanted := d.dow>>w&1 != 0
		if d.hasNth {
			wanted = d.nth[w]>>((day+6)/7)&1 != 0 || d.nth[w]&1 != 0 && day+7 > n
		}
		if wanted {
			week |= 1 << day
		}
	}
	return match & week
}

// workday returns the day from Monday to Friday nearest to a day that falls on
// the given weekday, without leaving its month of n days.
func workday(day, n, weekday int) int {
	switch {
	case weekday == 6 && day == 1:
		return 3
	case weekday == 6:
		return day - 1
	case weekday == 0 && day == n:
		return day - 2
	case weekday == 0:
		return day + 1
	}
	return day
}

// occurs reports whether a day of the month that d asks for exists in one of
// the months.
func (d days) occurs(months uint16) bool {
	if d.any || d.last {
		return months != 0
	}
	for m := time.January; m <= time.December; m++ {
		n := length(2024, m) // a leap year
		if months>>m&1 != 0 && (d.dom&(1<<(n+1)-2) != 0 || d.nearest > 0 && d.nearest <= n) {
			return true
		}
	}
	return false
}

func length(year int, month time.Month) int {
	switch month {
	case time.April, time.June, time.September, time.November:
		return 30
	case time.February:
		if year%4 == 0 && year%100 != 0 || year%400 == 0 {
			return 29
		}
		return 28
	}
	return 31
}

// The years that EventBridge knows.
const (
	firstYear = 1970
	lastYear  = 2199
)

// search returns the first match after a reading of the wall clock, not
// beyond the year until. If the schedule has two rules for the day, it takes
// the earlier match, and as in croniter neither may be without one.
func (s Schedule) search(after time.Time, until int) (time.Time, bool) {
	var best time.Time
	for i, d := range s.days {
		t, ok := s.searchDays(d, after, until)
		if !ok {
			return time.Time{}, false
		}
		if i == 0 || t.Before(best) {
			best = t
		}
	}
	return best, true
}

func (s Schedule) searchDays(d days, after time.Time, until int) (time.Time, bool) {
	from := after.Truncate(time.Minute).Add(time.Minute)
	year, month, day := from.Date()
	// At most 12 steps a year: no expression takes long.
	for ; year <= until; year, month, day = year+int(month)/12, month%12+1, 1 {
		if s.months>>month&1 == 0 || !s.inYear(year) {
			continue
		}
		for left := d.in(year, month) >> day << day; left != 0; left &= left - 1 {
			match := bits.TrailingZeros32(left)
			midnight := time.Date(year, month, match, 0, 0, 0, 0, time.UTC)
			if t, ok := s.timeOfDay(midnight, from); ok {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

func (s Schedule) inYear(year int) bool {
	if s.years == nil {
		return true
	}
	i := year - firstYear
	return i >= 0 && i < 256 && s.years[i/64]>>(i%64)&1 != 0
}

// timeOfDay returns the first match of the day that is not before from.
func (s Schedule) timeOfDay(midnight, from time.Time) (time.Time, bool) {
	h, m := 0, 0
	if from.After(midnight) {
		h, m = from.Hour(), from.Minute()
	}
	hours, minutes := s.hours>>h<<h, s.minutes
	if s.hours>>h&1 != 0 {
		if now := s.minutes >> m << m; now != 0 {
			minutes = now
		} else {
			hours = s.hours >> (h + 1) << (h + 1)
		}
	}
	if hours == 0 || minutes == 0 {
		return time.Time{}, false
	}
	at := time.Duration(bits.TrailingZeros32(hours))*time.Hour + time.Duration(bits.TrailingZeros64(minutes))*time.Minute
	return midnight.Add(at), true
}

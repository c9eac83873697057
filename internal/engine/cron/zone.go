package cron

import "time"

// wall returns what the clock on the wall shows at t in loc, as a time of UTC.
func wall(t time.Time, loc *time.Location) time.Time {
	_, offset := t.In(loc).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// A span is a stretch of time during which a zone keeps one offset from UTC.
type span struct {
	start, end time.Time // end zero: for ever
	offset     time.Duration
}

// spans lists those of loc that could hold the reading of the wall clock.
func spans(reading time.Time, loc *time.Location) []span {
	const reach = 26 * time.Hour // farther than any zone is from UTC, and any jump
	var all []span
	for t := reading.Add(-reach); ; {
		in := t.In(loc)
		start, end := in.ZoneBounds()
		_, offset := in.Zone()
		if !end.IsZero() && !end.After(t) {
			// On the last day of a leap year in the far future, Go's bounds end
			// before the time that they are to hold (seen in Go 1.26). No zone
			// changes its clock on that day.
			end = time.Time{}
		}
		all = append(all, span{start, end, time.Duration(offset) * time.Second})
		if end.IsZero() || end.After(reading.Add(reach)) {
			return all
		}
		t = end
	}
}

// at returns the instant of the reading by the offset of the span, and whether
// that lies in the span.
func (s span) at(reading time.Time) (time.Time, bool) {
	t := reading.Add(-s.offset)
	return t, !t.Before(s.start) && (s.end.IsZero() || t.Before(s.end))
}

// first returns the first instant at which the clock in loc shows the
// reading, and whether it ever does.
func first(reading time.Time, loc *time.Location) (time.Time, bool) {
	for _, s := range spans(reading, loc) {
		if t, ok := s.at(reading); ok {
			return t.In(loc), true
		}
	}
	return time.Time{}, false
}

// settle returns the instant of the reading as Airflow does: of two the
// second, and one that the clock skips is moved forward by the gap.
func settle(reading time.Time, loc *time.Location) time.Time {
	all := spans(reading, loc)
	for i := len(all) - 1; i >= 0; i-- {
		if t, ok := all[i].at(reading); ok {
			return t.In(loc)
		}
	}
	// In a gap: by the offset before it, which is that of the last span that
	// ends before the reading would come.
	for i := len(all) - 1; i > 0; i-- {
		if t, _ := all[i].at(reading); t.Before(all[i].start) {
			if t, _ := all[i-1].at(reading); !t.Before(all[i].start) {
				return t.In(loc)
			}
		}
	}
	return reading.Add(-all[0].offset).In(loc) // no zone gets here
}

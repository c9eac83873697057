package web

import (
	"time"

	"fairlead/internal/flow"
)

// Bounds of a calendar.
const (
	maxDays  = 400
	maxSlots = 10_000 // that are counted
	dayTimes = 5      // that are shown of one day
)

// A DayCount is how many runs in a state were created on a day.
type DayCount struct {
	Day   int // since 1970, in the zone that was asked for
	State flow.State
	Runs  int
}

type dayView struct {
	Day   string         `json:"day"`
	Runs  map[string]int `json:"runs"`
	Slots int            `json:"slots"`
	At    []int64        `json:"at"`
}

type calendarView struct {
	Days    []dayView `json:"days"`
	Counted int64     `json:"counted"`
}

const dateForm = "2006-01-02"

// getCalendar shows which runs there were on which day, and the slots to come.
func (s *Console) getCalendar(c *call) (any, error) {
	offset, err := c.number("offset", 0, -15*60, 15*60)
	if err != nil {
		return nil, err
	}
	zone := time.FixedZone("", int(offset)*60)
	day := func(name string) (time.Time, error) {
		t, err := time.ParseInLocation(dateForm, c.query.Get(name), zone)
		if err != nil || t.Year() < 1970 || t.Year() > 9000 {
			return t, fault(name, "%q is no day: expected one such as 2026-11-21", clip(c.query.Get(name), 50))
		}
		return t, nil
	}
	from, err := day("from")
	if err != nil {
		return nil, err
	}
	last, err := day("to")
	if err != nil {
		return nil, err
	}
	to := last.AddDate(0, 0, 1)
	if last.Before(from) || to.Sub(from) > maxDays*24*time.Hour {
		return nil, fault("to", "expected a day that is not before from, and at most %d days after it", maxDays-1)
	}
	ctx := c.Context()
	row, err := s.row(ctx, workflowOf(c))
	if err != nil {
		return nil, err
	}
	counts, err := s.c.Runs.Days(ctx, row.Workflow.ID, from, to, time.Duration(offset)*time.Minute)
	if err != nil {
		return nil, err
	}
	all := map[int]*dayView{}
	at := func(n int) *dayView {
		if all[n] == nil {
			all[n] = &dayView{Day: time.Unix(int64(n)*86400, 0).UTC().Format(dateForm), Runs: map[string]int{}, At: []int64{}}
		}
		return all[n]
	}
	for _, d := range counts {
		at(d.Day).Runs[string(letter(d.State))] += d.Runs
	}
	out := calendarView{Days: []dayView{}}
	if sch := row.Latest.Schedule; sch != nil && !row.Workflow.Deleting {
		now := s.c.Now()
		if now.Before(from) {
			now = from.Add(-time.Nanosecond)
		}
		for n := 0; ; n++ {
			next, ok := s.c.Next(*sch, now)
			if !ok || !next.Before(to) {
				break
			}
			if n == maxSlots {
				out.Counted = millis(now)
				break
			}
			d := at(int((next.Unix() + offset*60) / 86400))
			if d.Slots++; len(d.At) < dayTimes {
				d.At = append(d.At, millis(next))
			}
			now = next
		}
	}
	for n := int((from.Unix() + offset*60) / 86400); n <= int((last.Unix()+offset*60)/86400); n++ {
		if all[n] != nil {
			out.Days = append(out.Days, *all[n])
		}
	}
	return out, nil
}

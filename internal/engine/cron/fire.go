package cron

import (
	"fmt"
	"time"

	"fairlead/internal/flow"
)

// NextFire returns the first fire of s after t, within its bounds; zero if
// there is none. loc is the zone that s names.
func NextFire(s *flow.Schedule, loc *time.Location, t time.Time) (time.Time, error) {
	sched, err := Parse(s.Expr)
	if err != nil {
		return time.Time{}, fmt.Errorf("schedule %q: %w", s.Expr, err)
	}
	if t.Before(s.Start) {
		t = s.Start.Add(-time.Nanosecond) // a fire at the very start counts
	}
	next, ok := sched.Next(t, loc)
	if !ok || !s.End.IsZero() && next.After(s.End) {
		return time.Time{}, nil
	}
	return next, nil
}

package operator

import "testing"

// TestISODates checks the dates that filters of AppFlow may name.
func TestISODates(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int64 // milliseconds; 0 is refused
	}{
		{"2026-11-21", 1795219200000},
		{"20261121", 1795219200000},
		{"2026-11-21T08:00", 1795248000000},
		{"2026-11-21 08:00:00", 1795248000000},
		{"2026-11-21T08:00:00.123456", 1795248000123},
		{"2026-11-21T08:00:00+02:00", 1795240800000},
		{"2026-11-21T08:00:00Z", 1795248000000},
		{"2026-11-21Z", 0},
		{"2026-11", 0},
		{"tomorrow", 0},
		{"", 0},
	} {
		got, err := isoDate(tt.in)
		if (err != nil) != (tt.want == 0) || err == nil && got.UnixMilli() != tt.want {
			t.Errorf("isoDate(%q) = %d, %v, want %d", tt.in, got.UnixMilli(), err, tt.want)
		}
	}
}

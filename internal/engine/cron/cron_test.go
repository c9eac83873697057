package cron

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairlead/internal/flow"
)

// TestCases reads expressions with the fire times that croniter in Airflow's
// manner, or EventBridge's published rules, give.
func TestCases(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "..", "..", "..", "shared", "cases", "cron.jsonl"))
	if err != nil {
		t.Skip("the shared cases are not beside the repository: ", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c struct {
			Name, Dialect, Expr, Timezone, After string
			Next                                 []string
			Error                                bool
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Name, func(t *testing.T) {
			parse := ParseCron
			if c.Dialect == "eventbridge" {
				parse = ParseEventBridge
			}
			s, err := parse(c.Expr)
			if err != nil {
				if !c.Error {
					t.Errorf("parse(%q) = %v, want no error", c.Expr, err)
				}
				return
			}
			loc := zone(t, c.Timezone)
			after := instant(t, c.After)
			var got []time.Time
			for range 5 {
				next, ok := s.Next(after, loc)
				if !ok {
					break
				}
				got = append(got, next)
				after = next
			}
			if c.Error && len(got) > 0 {
				t.Errorf("%q fires at %v, want it refused or silent", c.Expr, got)
			}
			same := len(got) == len(c.Next)
			for i := 0; same && i < len(got); i++ {
				same = got[i].Equal(instant(t, c.Next[i]))
			}
			if !same && !c.Error {
				t.Errorf("%q after %s in %s\n got %v\nwant %v", c.Expr, c.After, c.Timezone, got, c.Next)
			}
		})
	}
}

func zone(t *testing.T, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func instant(t *testing.T, text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestNext(t *testing.T) {
	for _, tt := range []struct {
		expr, zone, after string
		want              string // fires joined by a space; as many as there are
	}{
		// The dialect is told by the number of fields and the ?.
		{"0 9 ? * 2 *", "UTC", "2026-11-21T00:00:00Z", "2026-11-23T09:00:00Z"},
		{"cron(0 9 ? * 2 *)", "UTC", "2026-11-21T00:00:00Z", "2026-11-23T09:00:00Z"},
		{"0 9 ? * 2", "UTC", "2026-11-21T00:00:00Z", "2026-11-24T09:00:00Z"},
		{"@quarterly", "UTC", "2026-11-21T00:00:00Z", "2027-01-01T00:00:00Z 2027-04-01T00:00:00Z"},
		// Seconds of the start are cut.
		{"* * * * *", "UTC", "2026-11-21T00:00:30.5Z", "2026-11-21T00:01:00Z 2026-11-21T00:02:00Z"},
		{"* * * * ? *", "UTC", "2026-11-21T00:00:30.5Z", "2026-11-21T00:01:00Z 2026-11-21T00:02:00Z"},
		// croniter 6.0.0 leaps from February over the first of March; we do not.
		{"0 0 1,30 * *", "UTC", "2026-02-10T00:00:00Z", "2026-03-01T00:00:00Z 2026-03-30T00:00:00Z"},
		// A range of one value is the whole field.
		{"59/30 0 * * *", "UTC", "2026-11-21T00:00:00Z", "2026-11-21T00:30:00Z 2026-11-22T00:00:00Z"},
		// A skipped time moves on by the gap; a repeated one is the second.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z 2026-03-30T00:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T01:30:00Z 2026-10-26T01:30:00Z"},
		// Any hour: both times.
		{"30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z"},
		// EventBridge: not at all; once, the first time.
		{"30 2 * * ? *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"},
		{"30 2 * * ? *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
		{"30 * * * ? *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"},
		// Samoa had no 30 December 2011.
		{"0 12 30 12 ? *", "Pacific/Apia", "2011-12-01T00:00:00Z", "2012-12-29T22:00:00Z"},
		{"0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", "2011-12-30T22:00:00Z 2012-12-29T22:00:00Z"},
		{"0 9 ? * FRIL 2026", "UTC", "2026-11-21T00:00:00Z", "2026-11-27T09:00:00Z 2026-12-25T09:00:00Z"},
		{"0 9 ? * FRI-MON *", "UTC", "2026-11-17T00:00:00Z", "2026-11-20T09:00:00Z 2026-11-21T09:00:00Z 2026-11-22T09:00:00Z 2026-11-23T09:00:00Z 2026-11-27T09:00:00Z"},
		{"0 9 31W * ? *", "UTC", "2026-05-01T00:00:00Z", "2026-05-29T09:00:00Z 2026-07-31T09:00:00Z"},
		{"0 0 29 2 ? 2027", "UTC", "2026-05-01T00:00:00Z", ""},
		{"0 0 1 1 ? 2199", "UTC", "2026-05-01T00:00:00Z", "2199-01-01T00:00:00Z"},
	} {
		s, err := Parse(tt.expr)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.expr, err)
			continue
		}
		var got []string
		after, loc := instant(t, tt.after), zone(t, tt.zone)
		for range max(1, len(strings.Fields(tt.want))) {
			next, ok := s.Next(after, loc)
			if !ok {
				break
			}
			got = append(got, next.UTC().Format(time.RFC3339))
			after = next
		}
		if g := strings.Join(got, " "); g != tt.want {
			t.Errorf("%q after %s in %s\n got %s\nwant %s", tt.expr, tt.after, tt.zone, g, tt.want)
		}
	}
}

func TestRefusalsSayWhere(t *testing.T) {
	for _, tt := range []struct{ expr, want string }{
		{"", "0 fields"},
		{"* * * *", "4 fields"},
		{"0 25 * * *", `hour "25": expected 0 to 23`},
		{"61 * * * *", `minute "61"`},
		{"*/0 * * * *", `minute "*/0"`},
		{"0 0 0 * *", `day of month "0": expected 1 to 31`},
		{"0 0 * foo *", `month "foo": expected 1 to 12, JAN to DEC`},
		{"0 0 * * L", "L5 is the last Friday"},
		{"0 0 * * 5L", "L5"},
		{"0 0 15W * *", "EventBridge"},
		{"R * * * *", "random"},
		{"0 0 * * 1#6", "expected 1 to 5"},
		{"0 0 * * mon-5#1", "MON-FRI"},
		{"0 0 * * 1,2#2", "cannot be mixed"},
		{"0 0 30 2 *", `day of month "30" never comes in month "2"`},
		{"0 0 30 2 1", "never comes"},
		{"0 0 * * * *", "six fields without a ?"},
		{"0 0 ? * ? *", "exactly one"},
		{"cron(0 0 1 * 2 *)", "exactly one"},
		{"0 0 1 1 ? 2030-2020", "ends before"},
		{"0 0 LW * ? *", "expected 1 to 31"},
		{"0 0 ? * 3#1,6#3 *", "nothing else"},
		{"0 0 1 1 ? 1969", `year "1969"`},
		{"0 0 30 2 ? *", "never comes"},
		{"cron(0 0 1 1 ? *", "parenthesis"},
		{"@once", "on demand"},
		{"@continuous", "on demand"},
		{"@reboot", "no such preset"},
		{"rate(5 minutes)", "cron fields"},
		{"0 0 ١ * *", "not a character"},
		{strings.Repeat("1,", 600) + "1 * * * *", "longer"},
	} {
		_, err := Parse(tt.expr)
		if err == nil || !strings.Contains(err.Error(), tt.want) || flow.KindOf(err) != flow.Invalid {
			t.Errorf("Parse(%q) = %v, want an Invalid with %q", tt.expr, err, tt.want)
		}
	}
}

// TestFarFuture checks times beyond the tables of zones, where the rule for
// the future applies: among them the last day of a leap year.
func TestFarFuture(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Skip(err)
		}
		for _, year := range []int{2040, 2060, 2061, 2100, 2199} {
			for _, day := range []string{"1 1", "31 12", "28 2"} {
				d, m, _ := strings.Cut(day, " ")
				expr := "0 1 " + d + " " + m + " ? " + strconv.Itoa(year)
				s, err := Parse(expr)
				if err != nil {
					t.Fatal(err)
				}
				month, _ := strconv.Atoi(m)
				dom, _ := strconv.Atoi(d)
				want := time.Date(year, time.Month(month), dom, 1, 0, 0, 0, loc)
				got, ok := s.Next(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), loc)
				if !ok || !got.Equal(want) {
					t.Errorf("%q in %s: got %s, %v, want %s", expr, zone, got, ok, want)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"0 0 * * *", "*/15 22-2 28-2 NOV-FEB FRI-MON", "0 0 L * L5", "0 0 * * mon-fri#2", "5-5 59/5 1,L 0-0 7",
		"0 9 15W * ? *", "0 9 ? * 6#3 2026/2", "cron(0/5 * L 1-12/3 ? 2000-2199)", "@daily", "0 0 29 2 1#5",
	} {
		f.Add(expr, int64(1795219200), uint8(0))
	}
	zones := []*time.Location{time.UTC}
	for _, name := range []string{"Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/New_York"} {
		if loc, err := time.LoadLocation(name); err == nil {
			zones = append(zones, loc)
		}
	}
	f.Fuzz(func(t *testing.T, expr string, unix int64, where uint8) {
		s, err := Parse(expr)
		if err != nil {
			if flow.KindOf(err) != flow.Invalid {
				t.Errorf("Parse(%q) = %v, which is not Invalid", expr, err)
			}
			return
		}
		after, loc := time.Unix(unix, 0), zones[int(where)%len(zones)]
		next, ok := s.Next(after, loc)
		if ok && !next.After(after) {
			t.Errorf("%q: Next(%s) = %s, which is not after it", expr, after.In(loc), next)
		}
		if ok && next.Second() != 0 && after.Year() > 1950 {
			t.Errorf("%q: Next(%s) = %s, want a whole minute", expr, after.In(loc), next)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	loc, err := time.LoadLocation("America/New_York")
	if err != nil {
		b.Skip(err)
	}
	for _, expr := range []string{"*/5 * * * *", "0 3 * * 1-5", "0 0 29 2 *", "0 0 8 * 1#1", "0 0 29 2 ? 2199", "0 0 8 1-12 1#1"} {
		s, err := Parse(expr)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(strings.ReplaceAll(expr, " ", "_"), func(b *testing.B) {
			after := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
			for b.Loop() {
				s.Next(after, loc)
			}
		})
	}
}

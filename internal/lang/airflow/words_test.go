package airflow

import (
	"strings"
	"testing"
)

func TestScheduleWords(t *testing.T) {
	for _, tt := range []struct{ expr, want string }{
		{"17 3 * * *", "at 03:17 every day"},
		{"0 6 * * MON-FRI", "at 06:00 on Monday through Friday"},
		{"@daily", "at 00:00 every day"},
		{"@hourly", "every hour"},
		{"@Weekly", "at 00:00 on Sunday"},
		{"@quarterly", "at 00:00 on day 1 of the month in every 3rd month"},
		{"@yearly", "at 00:00 on day 1 of the month in January"},
		{"* * * * *", "every minute"},
		{"*/15 * * * *", "every 15 minutes"},
		{"*/7 * * * *", "every 7th minute"},
		{"*/15 8-18 * * 1-5", "every 15 minutes of hours 8 through 18 on Monday through Friday"},
		{"5,35 * * * *", "at minutes 5 and 35 of every hour"},
		{"0 0,12 1 */2 *", "at 00:00 and 12:00 on day 1 of the month in every 2nd month"},
		{"30 4 1,15 * 5", "at 04:30 on days 1 and 15 of the month, or on Friday"},
		{"0 9 L * *", "at 09:00 on the last day of the month"},
		{"0 9 * * L5", "at 09:00 on the last Friday of the month"},
		{"0 9 * * mon#2", "at 09:00 on the second Monday of the month"},
		{"0 9 ? * 2 *", "at 09:00 on Monday"},
		{"cron(0 9 ? * 6L 2027)", "at 09:00 on the last Friday of the month in 2027"},
		{"0 9 15W * ? *", "at 09:00 on the weekday nearest to day 15 of the month"},
		{"0 9 ? * 3#1 2027-2029", "at 09:00 on the first Tuesday of the month in 2027 through 2029"},
		{"0 12 ? * L *", "at 12:00 on Saturday"},
		{"10-20/5 * * * *", "every 5th minute from 10 through 20"},
		// croniter's oddities are quoted, not guessed.
		{"59/5 * * * *", `at minutes "59/5" of every hour`},
		{"0 0 5-5 * *", `at 00:00 on days "5-5" of the month`},
		{"0 0 * * 1,L5", `at 00:00 on days "1,l5"`},
	} {
		if got := ScheduleWords(tt.expr); got != tt.want {
			t.Errorf("ScheduleWords(%q)\ngot  %s\nwant %s", tt.expr, got, tt.want)
		}
	}
}

func FuzzScheduleWords(f *testing.F) {
	f.Add("17 3 * * *")
	f.Add("cron(0/5 9-17 ? JAN-DEC/2 MON#2,6L 2027)")
	f.Add("@weekly")
	f.Fuzz(func(t *testing.T, expr string) {
		if got := ScheduleWords(expr); got == "" || strings.ContainsAny(got, "\n\x1b") {
			t.Errorf("ScheduleWords(%q) = %q", expr, got)
		}
	})
}

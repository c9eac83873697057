package airflow

import (
	"fmt"
	"strconv"
	"strings"
)

// ScheduleWords says in English when a valid cron expression or preset fires,
// such as "at 03:17 on Monday through Friday". What it has no words for it
// quotes, so that it never says what is not so.
func ScheduleWords(expr string) string {
	text := strings.ToLower(strings.TrimSpace(expr))
	if inner, ok := strings.CutPrefix(text, "cron("); ok {
		text = strings.TrimSuffix(inner, ")")
	}
	switch text {
	case "@hourly":
		text = "0 * * * *"
	case "@daily", "@midnight":
		text = "0 0 * * *"
	case "@weekly":
		text = "0 0 * * 0"
	case "@monthly":
		text = "0 0 1 * *"
	case "@quarterly":
		text = "0 0 1 */3 *"
	case "@yearly", "@annually":
		text = "0 0 1 1 *"
	}
	f := strings.Fields(text)
	if len(f) != 5 && len(f) != 6 {
		return strconv.Quote(expr)
	}
	words := timeWords(f[0], f[1])
	if days := dayWords(f[2], f[4], len(f) == 6); days != "" {
		words += " on " + days
	} else if !strings.Contains(words, "every") {
		words += " every day"
	}
	if f[3] != "*" {
		words += " in " + listWords(f[3], unit{one: "month", many: "months", min: 1, max: 12, name: monthName})
	}
	if len(f) == 6 && f[5] != "*" {
		words += " in " + listWords(f[5], unit{one: "year", many: "years", min: 1970, max: 2199, name: number})
	}
	return words
}

// A unit is how a field of an expression is spoken of.
type unit struct {
	one, many string
	min, max  int
	name      func(s string) (string, bool) // of one value; false when it has none
	numbered  bool                          // "minute 5", not "January"
}

func timeWords(minute, hour string) string {
	m, mok := number(minute)
	h, hok := number(hour)
	minutes := unit{one: "minute", many: "minutes", min: 0, max: 59, name: number, numbered: true}
	hours := unit{one: "hour", many: "hours", min: 0, max: 23, name: number, numbered: true}
	switch {
	case mok && hok:
		return fmt.Sprintf("at %02s:%02s", h, m)
	case mok && hour == "*":
		if m == "0" {
			return "every hour"
		}
		return "every hour at minute " + m
	case mok && numbers(hour):
		var at []string
		for h := range strings.SplitSeq(hour, ",") {
			h, _ := number(h)
			at = append(at, fmt.Sprintf("%02s:%02s", h, m))
		}
		return "at " + enumerate(at)
	case minute == "*" && hour == "*":
		return "every minute"
	case hour == "*":
		words := atEvery(minute, minutes)
		if !strings.HasPrefix(words, "every") {
			words += " of every hour"
		}
		return words
	case minute == "*":
		return "every minute of " + listWords(hour, hours)
	}
	return atEvery(minute, minutes) + " of " + listWords(hour, hours)
}

// atEvery puts "at" where a list is not "every n minutes".
func atEvery(field string, u unit) string {
	words := listWords(field, u)
	if strings.HasPrefix(words, "every") {
		return words
	}
	return "at " + words
}

// numbers reports whether a field is a list of numbers.
func numbers(field string) bool {
	for part := range strings.SplitSeq(field, ",") {
		if _, ok := number(part); !ok {
			return false
		}
	}
	return true
}

// dayWords says on which days, or nothing for all; bridge is EventBridge's counting, where 1 is
// Sunday. Five fields that both restrict the day fire when either does.
func dayWords(dom, dow string, bridge bool) string {
	anyDom, anyDow := dom == "*" || dom == "?", dow == "*" || dow == "?"
	days := unit{one: "day", many: "days", min: 1, max: 31, name: dayOfMonthName, numbered: true}
	week := unit{one: "day", many: "days", min: 0, max: 6, name: weekdayName}
	if bridge {
		week.name = bridgeDayName
	}
	switch {
	case anyDom && anyDow:
		return ""
	case anyDow:
		return monthDays(dom, days)
	case anyDom:
		return weekDays(dow, week)
	}
	return monthDays(dom, days) + ", or on " + weekDays(dow, week)
}

func monthDays(field string, u unit) string {
	if words, ok := u.name(field); ok && !strings.Contains("0123456789", field[:1]) {
		return words // the last day
	}
	if day, ok := strings.CutSuffix(field, "w"); ok {
		if n, ok := number(day); ok {
			return "the weekday nearest to day " + n + " of the month"
		}
		return strconv.Quote(field)
	}
	return listWords(field, u) + " of the month"
}

func weekDays(field string, u unit) string {
	ordinals := []string{"first", "second", "third", "fourth", "fifth"}
	if day, week, ok := strings.Cut(field, "#"); ok && !strings.Contains(field, ",") {
		name, known := u.name(day)
		if n, err := strconv.Atoi(week); known && err == nil && n >= 1 && n <= 5 {
			return "the " + ordinals[n-1] + " " + name + " of the month"
		}
		return strconv.Quote(field)
	}
	for _, day := range []string{strings.TrimPrefix(field, "l"), strings.TrimSuffix(field, "l")} {
		if name, known := u.name(day); known && day != field {
			return "the last " + name + " of the month"
		}
	}
	return listWords(field, u)
}

// listWords speaks of a field that is a list of values, ranges and steps.
func listWords(field string, u unit) string {
	var parts []string
	single := 0
	for part := range strings.SplitSeq(field, ",") {
		words, one := partWords(part, u)
		if words == "" {
			return u.many + " " + strconv.Quote(field)
		}
		if one {
			single++
		}
		parts = append(parts, words)
	}
	joined := enumerate(parts)
	if !u.numbered || strings.HasPrefix(joined, "every") {
		return joined
	}
	if len(parts) == 1 && single == 1 {
		return u.one + " " + joined
	}
	return u.many + " " + joined
}

// partWords speaks of one element, or returns "" when it has no words for
// it. single says that it is one value.
func partWords(part string, u unit) (words string, single bool) {
	body, step, stepped := strings.Cut(part, "/")
	if stepped {
		n, err := strconv.Atoi(step)
		if err != nil || n < 1 {
			return "", false
		}
		every := fmt.Sprintf("every %d %s", n, u.many)
		if n == 1 {
			every = "every " + u.one
		}
		from, to, ranged := strings.Cut(body, "-")
		switch {
		case body == "*" && u.min == 0 && (u.max+1)%n == 0:
			return every, false
		case body == "*":
			// It begins anew with the hour, the month and so on.
			return "every " + ordinal(n) + " " + u.one, false
		case ranged:
			a, ok := u.name(from)
			b, ok2 := u.name(to)
			if !ok || !ok2 || a == b {
				return "", false
			}
			return fmt.Sprintf("every %s %s from %s through %s", ordinal(n), u.one, a, b), false
		}
		return "", false
	}
	if from, to, ok := strings.Cut(body, "-"); ok {
		a, ok := u.name(from)
		b, ok2 := u.name(to)
		if !ok || !ok2 || a == b {
			return "", false // a range of one value is the whole field to croniter
		}
		return a + " through " + b, false
	}
	name, ok := u.name(body)
	if !ok {
		return "", false
	}
	return name, true
}

func enumerate(parts []string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// number reads a plain number and drops leading zeros.
func number(s string) (string, bool) {
	if s == "" || len(s) > 4 || strings.Trim(s, "0123456789") != "" {
		return "", false
	}
	s = strings.TrimLeft(s, "0")
	if s == "" {
		s = "0"
	}
	return s, true
}

func dayOfMonthName(s string) (string, bool) {
	if s == "l" {
		return "the last day of the month", true
	}
	return number(s)
}

func monthName(s string) (string, bool) {
	return named(s, 1, "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
}

func weekdayName(s string) (string, bool) {
	return named(s, 0, "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
}

func bridgeDayName(s string) (string, bool) {
	if s == "l" {
		return "Saturday", true
	}
	return named(s, 1, "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
}

// named finds the value of a number that counts from first, or of a name's
// first three letters.
func named(s string, first int, names ...string) (string, bool) {
	for i, n := range names {
		if s == strings.ToLower(n[:3]) {
			return names[i], true
		}
	}
	n, ok := number(s)
	if !ok {
		return "", false
	}
	i, _ := strconv.Atoi(n)
	if i < first || i-first >= len(names) {
		return "", false
	}
	return names[i-first], true
}

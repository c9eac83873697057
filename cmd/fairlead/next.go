package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/engine/cron"
)

// maxFires bounds how many fire times one may ask for.
const maxFires = 10_000

func nextCommand() *cobra.Command {
	var zone, after, dialect string
	var n int
	var lines bool
	cmd := &cobra.Command{
		Use:   "next [EXPR]",
		Short: "Print when a schedule fires next",
		Long: `Prints the next fire times of a schedule, one a line:

  fairlead next '17 3 * * *' --tz Europe/Berlin
  fairlead next '0 9 ? * MON-FRI *' --after 2026-12-24

With --jsonl it reads JSON lines {"name": …, "dialect": …, "expr": …,
"timezone": …, "after": …} and answers each with a line: name and the next
five times, or name, error (true) and message.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lines {
				if len(args) > 0 {
					return usagef("with --jsonl, expressions stand in the lines")
				}
				return answerLines(cmd.InOrStdin(), cmd.OutOrStdout(), nextLine)
			}
			if len(args) == 0 {
				return usagef("next needs an expression, such as '17 3 * * *'")
			}
			if n < 1 || n > maxFires {
				return usagef("-n %d: expected 1 to %d", n, maxFires)
			}
			q := nextQuery{Expr: args[0], Zone: zone, After: after, Dialect: dialect}
			fires, err := q.fires(n, time.Now())
			if err != nil {
				return err
			}
			for _, f := range fires {
				fmt.Fprintln(cmd.OutOrStdout(), isoTime(f))
			}
			if len(fires) < n {
				fmt.Fprintln(cmd.ErrOrStderr(), "it never fires again")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&zone, "tz", "UTC", "time zone in which the expression is read")
	cmd.Flags().StringVar(&after, "after", "", "fires are later than this time, such as 2026-11-21T09:00:00+01:00 (default now)")
	cmd.Flags().IntVarP(&n, "count", "n", 5, "how many")
	cmd.Flags().StringVar(&dialect, "dialect", "auto", "cron, eventbridge or auto: six fields with a ? are EventBridge's")
	cmd.Flags().BoolVar(&lines, "jsonl", false, "read JSON lines from standard input")
	return cmd
}

// A nextQuery asks when an expression fires. The empty zone is UTC, the
// empty dialect is told from the expression, and an empty After is now.
type nextQuery struct {
	Name, Dialect, Expr, After string
	Zone                       string `json:"timezone"`
}

// fires returns the first n fire times, fewer when there are no more.
func (q nextQuery) fires(n int, now time.Time) ([]time.Time, error) {
	parse, ok := map[string]func(string) (cron.Schedule, error){
		"": cron.Parse, "auto": cron.Parse, "cron": cron.ParseCron, "eventbridge": cron.ParseEventBridge,
	}[q.Dialect]
	if !ok {
		return nil, usagef("dialect %q: expected cron, eventbridge or auto", q.Dialect)
	}
	loc, err := zoneOf(q.Zone)
	if err != nil {
		return nil, err
	}
	if q.After != "" {
		if now, err = momentOf(q.After, loc); err != nil {
			return nil, err
		}
	}
	s, err := parse(q.Expr)
	if err != nil {
		return nil, err
	}
	fires := []time.Time{}
	for range n {
		if now, ok = s.Next(now, loc); !ok {
			break
		}
		fires = append(fires, now)
	}
	return fires, nil
}

// zoneOf finds an IANA time zone; the empty name is UTC.
func zoneOf(name string) (*time.Location, error) {
	// Go takes Local for a zone, which is another one on each machine.
	if len(name) <= 64 && name != "Local" {
		if loc, err := time.LoadLocation(name); err == nil {
			return loc, nil
		}
	}
	return nil, usagef("%q is not a time zone: expected an IANA name, such as UTC or Europe/Berlin", clipText(name, 64))
}

// momentOf reads a time in ISO form; one without an offset is in loc.
func momentOf(text string, loc *time.Location) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(form, strings.Replace(text, " ", "T", 1)); err == nil {
			return t, nil
		}
	}
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(form, strings.Replace(text, " ", "T", 1), loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%q is not a time: expected ISO form, such as 2026-11-21T09:00:00+01:00 or 2026-11-21", clipText(text, 64))
}

// isoTime prints t with its zone's offset, as Python does.
func isoTime(t time.Time) string {
	form := "2006-01-02T15:04:05-07:00"
	if t.Nanosecond() != 0 {
		form = "2006-01-02T15:04:05.999999-07:00"
	}
	if _, offset := t.Zone(); offset%60 != 0 {
		form += ":00" // before zones were set to whole minutes
	}
	return t.Format(form)
}

func nextLine(line []byte, bad error) any {
	type answer struct {
		Name    string    `json:"name,omitempty"`
		Next    *[]string `json:"next,omitempty"`
		Error   bool      `json:"error,omitempty"`
		Message string    `json:"message,omitempty"`
	}
	if bad != nil {
		return answer{Error: true, Message: bad.Error()}
	}
	var q nextQuery
	err := json.Unmarshal(line, &q)
	if err == nil && q.Expr == "" {
		err = errors.New("the line has no expr")
	}
	var fires []time.Time
	if err == nil {
		fires, err = q.fires(5, time.Now())
	}
	if err != nil {
		return answer{Name: q.Name, Error: true, Message: err.Error()}
	}
	next := make([]string, len(fires))
	for i, f := range fires {
		next[i] = isoTime(f)
	}
	return answer{Name: q.Name, Next: &next}
}

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestNextSharedCases puts all shared expressions through the command.
func TestNextSharedCases(t *testing.T) {
	cases := sharedFile(t, "cases/cron.jsonl")
	out, _, err := try(cases, "next", "--jsonl")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	want := strings.Split(strings.TrimSuffix(cases, "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("got %d answers for %d lines", len(got), len(want))
	}
	for i := range want {
		var c, a struct {
			Name    string
			Next    []time.Time
			Error   bool
			Message string
		}
		for _, x := range []struct {
			line string
			into any
		}{{want[i], &c}, {got[i], &a}} {
			if err := json.Unmarshal([]byte(x.line), x.into); err != nil {
				t.Fatalf("%s: %v", x.line, err)
			}
		}
		same := a.Name == c.Name && a.Error == c.Error && len(a.Next) == len(c.Next) && c.Error == (a.Message != "")
		for j := 0; same && j < len(c.Next); j++ {
			same = a.Next[j].Equal(c.Next[j])
		}
		if !same {
			t.Errorf("case %s\ngot  %s", want[i], got[i])
		}
	}
}

func TestNextOnCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args string // separated by |
		want string // the lines, or the end of the error
	}{
		{"17 3 * * *|--after|2026-11-21T00:00:00Z|-n|2", "2026-11-21T03:17:00+00:00\n2026-11-22T03:17:00+00:00\n"},
		{"17 3 * * *|--after|2026-11-21|--tz|Europe/Berlin|-n|1", "2026-11-21T03:17:00+01:00\n"},
		{"@daily|--after|2026-03-28 12:00|--tz|Europe/Berlin|-n|2", "2026-03-29T00:00:00+01:00\n2026-03-30T00:00:00+02:00\n"},
		{"0 9 ? * 2 *|--after|2026-11-21|-n|1", "2026-11-23T09:00:00+00:00\n"},
		{"0 9 ? * 2|--after|2026-11-21|-n|1|--dialect|cron", "2026-11-24T09:00:00+00:00\n"},
		{"0 0 1 1 ? 2028|--after|2026-11-21", "2028-01-01T00:00:00+00:00\n"},
		{"0 0 * * *|--tz|Mars/Base", `"Mars/Base" is not a time zone: expected an IANA name, such as UTC or Europe/Berlin`},
		{"0 0 * * *|--tz|Local", `"Local" is not a time zone: expected an IANA name, such as UTC or Europe/Berlin`},
		{"0 0 * * *|--after|noon", `"noon" is not a time: expected ISO form, such as 2026-11-21T09:00:00+01:00 or 2026-11-21`},
		{"0 0 * * *|--dialect|quartz", `dialect "quartz": expected cron, eventbridge or auto`},
		{"0 0 * * *|-n|0", `-n 0: expected 1 to 10000`},
		{"0 25 * * *", `hour "25": expected 0 to 23, *, or ranges, steps and lists of these`},
		{"--jsonl|0 0 * * *", `with --jsonl, expressions stand in the lines`},
	} {
		out, _, err := try("", append([]string{"next"}, strings.Split(tt.args, "|")...)...)
		if err == nil && out != tt.want || err != nil && !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("next %q\ngot  %q, %v\nwant %q", tt.args, out, err, tt.want)
		}
	}
	out, _, err := try("", "next", "* * * * *")
	if n := strings.Count(out, "\n"); err != nil || n != 5 {
		t.Errorf("next '* * * * *': got %d lines, %v, want 5", n, err)
	}
	if first, _, _ := strings.Cut(out, "\n"); first != "" {
		at, err := time.Parse(time.RFC3339, first)
		if d := time.Until(at); err != nil || d > time.Minute || d < -time.Minute {
			t.Errorf("next '* * * * *': the first fire is %s, want one within a minute", first)
		}
	}
}

func TestNextLines(t *testing.T) {
	in := `{"name": "a", "expr": "0 0 1 1 ? 2020", "after": "2026-11-21T00:00:00+00:00"}
{"name": "b", "expr": "0 0 * * *", "timezone": "Nowhere"}
{"name": "c"}
{"name": 5, "expr": "0 0 * * *"}
{
`
	want := `{"name":"a","next":[]}
{"name":"b","error":true,"message":"\"Nowhere\" is not a time zone: expected an IANA name, such as UTC or Europe/Berlin"}
{"name":"c","error":true,"message":"the line has no expr"}
{"error":true,"message":"json: cannot unmarshal number into Go struct field nextQuery.Name of type string"}
{"error":true,"message":"line 5 is not JSON: unexpected end of JSON input"}
`
	if out, _, err := try(in, "next", "--jsonl"); err != nil || out != want {
		t.Errorf("next --jsonl of\n%s\ngot  %s, %v\nwant %s", in, out, err, want)
	}
}

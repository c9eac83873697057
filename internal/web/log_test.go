package web

import (
	"strings"
	"testing"

	"fairlead/internal/flow"
)

func TestFinder(t *testing.T) {
	const line = `{"timestamp":"2026-11-21T09:28:00.345678Z","level":"warning","event":"Straße to C:\\temp \"quoted\" \u00e9t\u00e9 <b>","logger":"task","more":"Kelvin"}`
	for _, tt := range []struct {
		q, level, line string
		want           bool
	}{
		{"straße TO", "", line, true},
		{`c:\temp`, "", line, true},
		{`"QUOTED"`, "", line, true},
		{"ÉTÉ", "", line, true},
		{"<B>", "", line, true},
		{"kelvin", "", line, true},
		{"timestamp", "", line, false}, // no part of what is shown
		{"timestamp", "", `{"timestamp":"2026-11-21T09:28:00Z","level":"info","event":"plain"}`, false},
		{"", "w", line, true},
		{"", "e", line, false},
		{"straße", "e", line, false},
		{"", "e", `{"level":"CRITICAL","event":"x"}`, true},
		{"", "i", `{"level":"debug","event":"info about an error"}`, false},
		{"PLAIN", "", "plain text\r", true},
		{"text\r", "", "plain text\r", false},
		{"kelvin", "", "\u212aelvin", true},
		{"apart", "", "ap\x1b[31mart", true},
	} {
		level := 0
		for i, l := range levels {
			if l == tt.level {
				level = i
			}
		}
		if got := newFinder(tt.q, level).matches([]byte(tt.line + "\n")); got != tt.want {
			t.Errorf("%q at level %q in %s: %v, want %v", tt.q, tt.level, tt.line, got, tt.want)
		}
	}
}

// FuzzFinder holds the quick look at a line against taking it apart.
func FuzzFinder(f *testing.F) {
	f.Add("b", `{"event":"aBc","level":"info"}`)
	f.Add("k", "\u212a")
	f.Add("ab", "a\x1b[1mb")
	f.Fuzz(func(t *testing.T, q, line string) {
		if q == "" || strings.ContainsAny(line, "\n") {
			return
		}
		l := readLine(flow.LogEvent{Text: strings.TrimRight(line, "\r\n")})
		low := strings.ToLower(q)
		want := strings.Contains(strings.ToLower(l.Text), low) || strings.Contains(strings.ToLower(l.More), low)
		if got := newFinder(q, 0).matches([]byte(line + "\n")); got != want {
			t.Errorf("%q in %q: %v, want %v", q, line, got, want)
		}
	})
}

func TestHostileLines(t *testing.T) {
	for _, tt := range []struct{ line, level, text string }{
		{"\x1b]0;title\x07\x1b[31mred\x1b[0m", "", "red"},
		{`{"event":"a\u001b[2Jb","level":"<b>"}`, "", "ab"},
		{strings.Repeat("x", 20_000), "", strings.Repeat("x", maxLineText) + "…"},
		{`{"event":"e","level":"Error"}`, "e", "e"},
		{`{"event":5,"level":"error"}`, "", `{"event":5,"level":"error"}`},
		{"a\rb\xff", "", "a\nb\uFFFD"},
	} {
		got := viewLine(flow.LogEvent{Text: tt.line})
		if got.Text != tt.text || got.Level != tt.level {
			t.Errorf("%.100q is shown as %q, %.100q; want %q, %.100q", tt.line, got.Level, got.Text, tt.level, tt.text)
		}
	}
}

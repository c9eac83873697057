package cwlogs

import "testing"

func TestPatterns(t *testing.T) {
	const line = `{"level":"error","event":"Task failed: no such file","n":5,"ok":true,"none":null,"list":[{"a":1}],"a b":"c"}`
	for _, tt := range []struct {
		pattern, message string
		want             bool
	}{
		{``, line, true},
		{`failed`, line, true},
		{`Failed`, line, false},
		{`Task failed`, line, true},
		{`failed Task`, line, true},
		{`"Task failed"`, line, true},
		{`"failed Task"`, line, false},
		{`"say \"x\""`, `say "x"`, true},
		{`failed -file`, line, false},
		{`failed -dir`, line, true},
		{`?nix ?file`, line, true},
		{`?nix ?nax`, line, false},
		{`%fail(ed|ure)%`, line, true},
		{`%^x%`, line, false},
		{`{ $.level = "error" }`, line, true},
		{`{ $.level = error }`, line, true},
		{`{$.level="err*"}`, line, true},
		{`{ $.level != "error" }`, line, false},
		{`{ $.nix != "error" }`, line, false},
		{`{ $.level = "info" || $.n > 4 }`, line, true},
		{`{ $.level = "info" && $.n > 4 }`, line, false},
		{`{ ($.level = "info" || $.n >= 5) && $.event = "*file" }`, line, true},
		{`{ $.n = 5 }`, line, true},
		{`{ $.n < 5 }`, line, false},
		{`{ $.ok IS TRUE }`, line, true},
		{`{ $.none IS NULL }`, line, true},
		{`{ $.nix IS NULL }`, line, false},
		{`{ $.nix NOT EXISTS }`, line, true},
		{`{ $.list[0].a = 1 }`, line, true},
		{`{ $.list[1].a = 1 }`, line, false},
		{`{ $["a b"] = "c" }`, line, true},
		{`{ $.level = "error" }`, `level error`, false},
	} {
		match, err := parsePattern(tt.pattern)
		if err != nil {
			t.Errorf("pattern %s: %v", tt.pattern, err)
			continue
		}
		if got := match(tt.message); got != tt.want {
			t.Errorf("pattern %s on %s: got %v, want %v", tt.pattern, tt.message, got, tt.want)
		}
	}
	for _, bad := range []string{
		`"open`, `%open`, `%(%`, `[a, b]`, `{ $.a }`, `{ a = 1 }`, `{ $.a = }`, `{ $.a < x }`, `{ ($.a = 1 }`, `{ $.a = 1 && }`, `{ $.a = 1 ) }`, `{`, `- x`, `?`,
	} {
		if _, err := parsePattern(bad); err == nil {
			t.Errorf("pattern %s is taken; want an error", bad)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{ ($.level = "in*o" || $.list[0].n >= 5) && $["a"] IS NULL }`, `{"level":"info"}`)
	f.Add(`?a "b c" -d %e+%`, `a b c`)
	f.Fuzz(func(t *testing.T, pattern, message string) {
		if len(pattern) > 1024 {
			return // refused before it is parsed
		}
		if match, err := parsePattern(pattern); err == nil {
			match(message)
		}
	})
}

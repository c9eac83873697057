package page

import (
	"strings"
	"testing"

	"fairlead/internal/flow"
)

func TestRoundTrip(t *testing.T) {
	p := New([]byte("key"))
	for _, after := range []string{"1", "2026-11-21T08:00:00|é\x00", strings.Repeat("x", 2000)} {
		token := p.Seal(after, "ListRuns", "wf", "")
		if got, err := p.Open(token, "ListRuns", "wf", ""); got != after || err != nil {
			t.Errorf("Open(%q) = %q, %v, want %q", token, got, err, after)
		}
	}
	if got := p.Seal("", "ListRuns"); got != "" {
		t.Errorf("Seal of no key = %q, want none", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	p := New([]byte("key"))
	token := p.Seal("after", "ListRuns", "ab", "c")
	for _, tt := range []struct {
		name string
		open func() (string, error)
	}{
		{"made up", func() (string, error) { return p.Open("123", "ListRuns", "ab", "c") }},
		{"other operation", func() (string, error) { return p.Open(token, "ListTasks", "ab", "c") }},
		{"other argument", func() (string, error) { return p.Open(token, "ListRuns", "a", "bc") }},
		{"other key", func() (string, error) { return New([]byte("other")).Open(token, "ListRuns", "ab", "c") }},
		{"altered", func() (string, error) { return p.Open("B"+token[1:], "ListRuns", "ab", "c") }},
		{"cut", func() (string, error) { return p.Open(token[:len(token)-2], "ListRuns", "ab", "c") }},
		{"huge", func() (string, error) { return p.Open(strings.Repeat("A", 1<<20), "ListRuns") }},
	} {
		got, err := tt.open()
		if flow.KindOf(err) != flow.Invalid || got != "" {
			t.Errorf("%s: got %q, %v, want an Invalid", tt.name, got, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	p := New([]byte("key"))
	f.Add("123")
	f.Add(p.Seal("after", "op"))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, token string) {
		if after, err := p.Open(token, "op"); err == nil && p.Seal(after, "op") != token {
			t.Errorf("Open(%q) = %q, which seals to %q", token, after, p.Seal(after, "op"))
		}
	})
}

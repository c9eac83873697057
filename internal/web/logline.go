package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"fairlead/internal/flow"
)

// maxLineText bounds what a page shows of one line.
const maxLineText = 8 << 10

// A logLine is a line of a log as a page shows it.
type logLine struct {
	Level string
	Text  string
	// More are the members of the line beyond the usual ones, one a line.
	More string
	Cut  int // bytes that are not shown
	rank int // of the level
}

// readLine reads a line in the service's form, a JSON object with timestamp,
// level, event and logger; any other line is text.
func readLine(e flow.LogEvent) logLine {
	l := logLine{Text: e.Text}
	var m map[string]json.RawMessage
	if strings.HasPrefix(e.Text, "{") && json.Unmarshal([]byte(e.Text), &m) == nil && isText(m["event"]) {
		l.Text = text(m["event"])
		l.Level = clip(plain(strings.ToLower(text(m["level"]))), 20)
		l.More = more(m)
	}
	l.rank = rankOf(l.Level)
	l.Text, l.More = plain(l.Text), plain(l.More)
	l.Cut = max(0, len(l.Text)-maxLineText) + max(0, len(l.More)-maxLineText)
	l.Text, l.More = clip(l.Text, maxLineText), clip(l.More, maxLineText)
	return l
}

// more shows what an event carries beside its text: errors with where they
// came from, the rest as name=value.
func more(m map[string]json.RawMessage) string {
	var b strings.Builder
	var rest []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		switch k {
		case "timestamp", "level", "event", "logger":
			continue
		case "error_detail":
			if trace(&b, m[k]) {
				continue
			}
		}
		rest = append(rest, k+"="+text(m[k]))
	}
	b.WriteString(strings.Join(rest, "  "))
	return strings.TrimSuffix(b.String(), "\n")
}

// trace writes a list of exceptions and reports whether it was one.
func trace(b *strings.Builder, raw json.RawMessage) bool {
	var errs []struct {
		Type   string `json:"exc_type"`
		Value  string `json:"exc_value"`
		Frames []struct {
			File string `json:"filename"`
			Line int    `json:"lineno"`
			Name string `json:"name"`
		} `json:"frames"`
	}
	if json.Unmarshal(raw, &errs) != nil || len(errs) == 0 {
		return false
	}
	for _, e := range errs {
		for _, f := range e.Frames {
			fmt.Fprintf(b, "  %s:%d in %s\n", f.File, f.Line, f.Name)
		}
		fmt.Fprintf(b, "%s: %s\n", e.Type, e.Value)
	}
	return true
}

func isText(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '"' }

// text is a JSON string without its quotes, or other JSON as written.
func text(raw json.RawMessage) string {
	var s string
	if isText(raw) && json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(bytes.TrimSpace(raw))
}

// plain takes away what would steer a terminal: escape sequences, and
// control characters but tab and newline. What a program wrote over with
// carriage returns is shown on lines of its own.
func plain(s string) string {
	clean := func(r rune) bool { return r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) || r == '\t' || r == '\n' }
	if !strings.ContainsFunc(s, func(r rune) bool { return !clean(r) }) {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var b strings.Builder
	for i := 0; i < len(s); {
		if n := escape(s[i:]); n > 0 {
			i += n
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case clean(r):
			b.WriteString(s[i : i+size])
		case r == '\r':
			b.WriteByte('\n')
		}
		i += size
	}
	return b.String()
}

// escape returns the length of the escape sequence that s begins with, by
// ECMA-48; 0 if there is none. One that is cut off ends with s.
func escape(s string) int {
	if s == "" || s[0] != 0x1b {
		return 0
	}
	if len(s) == 1 {
		return 1
	}
	switch s[1] {
	case '[': // control sequence: parameters, then a letter
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
			if s[i] < 0x20 || s[i] > 0x7e {
				return i // not a sequence after all; what follows is text
			}
		}
		return len(s)
	case ']', 'P', 'X', '^', '_': // a string, up to BEL or ESC \
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b {
				if i+1 < len(s) && s[i+1] == '\\' {
					return i + 2
				}
				return i
			}
			if s[i] == '\n' {
				return i // nobody ended it: do not swallow the rest
			}
		}
		return len(s)
	}
	for i := 1; i < len(s); i++ { // intermediates, then a final
		if s[i] < 0x20 || s[i] > 0x7e {
			return i
		}
		if s[i] >= 0x30 {
			return i + 1
		}
	}
	return len(s)
}

package cage

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzStream feeds bytes in pieces of any size. The log must consist of whole
// JSON objects that together hold the text, and nothing may depend on where
// the pieces end.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "one\ntwo", "a\r\nb\r\n", "\xff\xfe\n", "é\n\xc3", "\x00\x1b[0m\"\\\n", "{\"a\":1}\n[1]\n{\n", strings.Repeat("x", 70000) + "\nlast",
		strings.Repeat("é", maxEvent) + "\n", "{\"a\":1}\r\n",
	} {
		f.Add([]byte(seed), 3, false)
		f.Add([]byte(seed), 65536, true)
	}
	at := time.Date(2026, 11, 21, 8, 1, 2, 345678912, time.UTC)
	run := func(text []byte, size int, structured bool) (log, last string) {
		var out bytes.Buffer
		l := &logFile{w: &out, level: "info", logger: "task.stdout"}
		s := &stream{log: l, structured: structured}
		for p := text; len(p) > 0; {
			n := min(size, len(p))
			s.write(at, p[:n])
			p = p[n:]
		}
		s.close(at)
		l.flush()
		return out.String(), string(s.last)
	}
	f.Fuzz(func(t *testing.T, text []byte, size int, structured bool) {
		if size < 1 || size > 1<<20 || len(text) > 1<<20 {
			return
		}
		log, last := run(text, size, structured)
		var events strings.Builder
		for line := range strings.Lines(log) {
			if !strings.HasSuffix(line, "\n") || !json.Valid([]byte(line)) || !utf8.ValidString(line) {
				t.Fatalf("%q: log line %q is not an object, or not UTF-8", text, line)
			}
			if structured {
				continue
			}
			var e map[string]any
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%q: log line %q: %v", text, line, err)
			}
			if e["timestamp"] != "2026-11-21T08:01:02.345678Z" || e["level"] != "info" || e["logger"] != "task.stdout" {
				t.Fatalf("%q: log line %q", text, line)
			}
			event := e["event"].(string)
			if !utf8.ValidString(event) || len(event) > 3*maxEvent {
				t.Fatalf("%q: event of %d bytes, valid %t", text, len(event), utf8.ValidString(event))
			}
			events.WriteString(event)
		}
		if !structured {
			want := ""
			for _, line := range strings.Split(string(text), "\n") {
				want += repair(strings.TrimSuffix(line, "\r"))
			}
			if got := events.String(); got != want && len(text) < maxEvent {
				t.Errorf("%q: the log holds %q, want %q", text, got, want)
			}
		}
		if again, lastAgain := run(text, len(text)+1, structured); again != log || lastAgain != last {
			t.Errorf("%q in pieces of %d: log %q, last %q; at once: %q, %q", text, size, log, last, again, lastAgain)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		want := lines[len(lines)-1]
		want = strings.TrimSuffix(want[:min(len(want), maxLast)], "\r")
		if last != want {
			t.Errorf("%q: last line %q, want %q", text, last, want)
		}
	})
}

// repair replaces each byte that is not UTF-8 by U+FFFD.
func repair(s string) string { return string([]rune(s)) }

func TestLogLimit(t *testing.T) {
	var out bytes.Buffer
	l := &logFile{w: &out, level: "info", limit: 200}
	s := &stream{log: l}
	at := time.Unix(0, 0)
	s.write(at, []byte(strings.Repeat("line\n", 100)))
	l.flush()
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(got) != 3 || !strings.Contains(got[2], "dropped") || string(s.last) != "line" {
		t.Errorf("100 lines with a limit of 200 bytes: got %q and last line %q; want two lines, a warning, and line", got, s.last)
	}
}

func TestRuneEnd(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int
	}{
		{"", 0}, {"a", 1}, {"aé", 3}, {"a\xc3", 1}, {"a\xe2\x82", 1}, {"a\xf0\x9f\x98", 1}, {"a\x80\x80\x80\x80", 5}, {"\xff", 1},
	} {
		if got := runeEnd([]byte(tt.in)); got != tt.want {
			t.Errorf("runeEnd(%q) = %d, want %d", tt.in, got, tt.want)
		}
	}
}

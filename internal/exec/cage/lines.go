package cage

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"fairlead/internal/mask"
)

const (
	// maxEvent bounds one line of the log; longer ones are split.
	maxEvent = 256 << 10
	// maxLast bounds Exit.LastLine.
	maxLast = 64 << 10
	// maxResult bounds Exit.Result.
	maxResult = 1 << 20
	// MaxMask bounds a text that is to be masked: the pieces of a line that are
	// written apart are longer.
	MaxMask = 64 << 10
	// maxTold and maxToldSize bound how often, and of how many bytes, a command may
	// tell that they are to be masked.
	maxTold     = 200
	maxToldSize = 256 << 10
	// showAfter is how long the beginning of a line waits for its end before
	// it goes to the log.
	showAfter = time.Second
)

// A logFile turns what a command prints into lines of its log: JSON objects,
// each written whole. Its zero limit is no limit.
type logFile struct {
	w             io.Writer
	level, logger string
	limit         int64
	wrote         int64
	full          bool // the limit is reached and the log says so
	err           error
	texts         []string // that mask hides
	mask          *mask.Masker
	told          int    // by the command, of texts to hide
	toldSize      int    // how many bytes they have
	deaf          bool   // it has told too much, and the log says so
	buf           []byte // whole lines not yet written
}

// event adds a line with the given text.
func (l *logFile) event(at time.Time, level, logger string, text []byte) {
	if l.full {
		return
	}
	text = l.mask.Apply(text)
	start := len(l.buf)
	l.buf = AppendLine(l.buf, at, level, logger, text)
	l.account(at, start)
}

// AppendLine appends a line of a log.
func AppendLine(b []byte, at time.Time, level, logger string, text []byte) []byte {
	b = append(b, `{"timestamp":"`...)
	b = at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	b = append(b, `","level":`...)
	b = appendQuoted(b, []byte(level))
	b = append(b, `,"event":`...)
	b = appendQuoted(b, text)
	b = append(b, `,"logger":`...)
	b = appendQuoted(b, []byte(logger))
	return append(b, "}\n"...)
}

// raw adds a line that is a JSON object already.
func (l *logFile) raw(at time.Time, line []byte) {
	if l.full {
		return
	}
	if clean := l.mask.Apply(line); len(clean) != len(line) || &clean[0] != &line[0] {
		if line = clean; !isObject(line) { // a number, or a name, was one
			l.event(at, l.level, l.logger, line)
			return
		}
	}
	start := len(l.buf)
	l.buf = append(append(l.buf, line...), '\n')
	l.account(at, start)
}

// heed reports whether a log line is no line of the log but tells of texts that are
// to be masked from now on, as [MaskKey] says, and masks them.
func (l *logFile) heed(at time.Time, line []byte) bool {
	if !bytes.HasPrefix(line, []byte(`{"`+MaskKey+`"`)) {
		return false
	}
	var told map[string][]string
	if json.Unmarshal(line, &told) != nil || len(told) != 1 {
		return false
	}
	fresh := slices.DeleteFunc(told[MaskKey], func(t string) bool {
		return t == "" || len(t) > MaxMask || slices.Contains(l.texts, t)
	})
	size := 0
	for _, t := range fresh {
		size += len(t)
	}
	switch {
	case len(fresh) == 0:
		return true
	case l.told == maxTold || l.toldSize+size > maxToldSize:
		if !l.deaf {
			l.event(at, "warning", "fairlead", []byte("The task has too many secrets: what its child processes print of the newest is not masked."))
		}
		l.deaf = true
		return true
	}
	l.told++
	l.toldSize += size
	l.texts = append(slices.Clip(l.texts), fresh...)
	l.mask = mask.New(l.texts)
	return true
}

// account takes back the line that begins at start if it is one too many.
func (l *logFile) account(at time.Time, start int) {
	l.wrote += int64(len(l.buf) - start)
	if l.limit == 0 || l.wrote <= l.limit {
		return
	}
	l.buf = l.buf[:start]
	l.limit = 0
	l.event(at, "warning", "fairlead", []byte("The log is longer than its limit; the rest of the output is dropped."))
	l.full = true
}

// flush writes the gathered lines. A log that cannot be written must not stop
// the command: the first error is kept and the lines are dropped.
func (l *logFile) flush() {
	if len(l.buf) == 0 {
		return
	}
	if _, err := l.w.Write(l.buf); err != nil && l.err == nil {
		l.err = err
	}
	l.buf = l.buf[:0]
}

// A stream cuts one descriptor's bytes into lines.
type stream struct {
	log *logFile
	// structured marks the descriptor of log lines: those that are JSON
	// objects pass as they are.
	structured bool
	part       []byte    // of a line whose end has not come
	since      time.Time // when part became non-empty
	split      bool      // an earlier piece of this line is in the log
	// line is the beginning of the present line, last that of the one before.
	line, last []byte
}

// write takes more bytes.
func (s *stream) write(at time.Time, p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			s.add(at, p)
			return
		}
		s.add(at, p[:end])
		s.endLine(at)
		p = p[end+1:]
	}
}

// add appends to the present line, and puts pieces of it in the log when it
// gets too long.
func (s *stream) add(at time.Time, p []byte) {
	if room := maxLast - len(s.line); room > 0 {
		s.line = append(s.line, p[:min(room, len(p))]...)
	}
	for len(p) > 0 {
		if len(s.part) == 0 {
			s.since = at
		}
		n := min(len(p), maxEvent-len(s.part))
		s.part = append(s.part, p[:n]...)
		p = p[n:]
		if len(s.part) == maxEvent {
			cut, hidden := s.log.mask.Cut(s.part, runeEnd(s.part), true)
			text := s.part[:cut]
			if hidden {
				text = []byte(mask.Stars)
			}
			s.log.event(at, s.log.level, s.log.logger, text)
			s.part = append(s.part[:0], s.part[cut:]...)
			s.split = true
		}
	}
}

func (s *stream) endLine(at time.Time) {
	s.line, s.last = s.last[:0], trimCR(s.line)
	part := trimCR(s.part)
	switch {
	case s.structured && !s.split && isObject(part):
		if !s.log.heed(at, part) {
			s.log.raw(at, part)
		}
	case s.split && len(part) == 0: // all of it is in the log
	case s.structured && len(part) == 0:
	default:
		s.log.event(at, s.log.level, s.log.logger, part)
	}
	s.part = s.part[:0]
	s.split = false
}

// show puts the present part of a line in the log, so that progress is seen.
// Lines that may turn out to be objects wait.
func (s *stream) show(at time.Time) {
	if len(s.part) == 0 || s.structured {
		return
	}
	cut, _ := s.log.mask.Cut(s.part, runeEnd(s.part), false)
	if cut == 0 {
		s.since = at
		return
	}
	s.log.event(at, s.log.level, s.log.logger, s.part[:cut])
	s.part = append(s.part[:0], s.part[cut:]...)
	s.since = at
	s.split = true
}

// close ends the stream; a last line without an end counts as one.
func (s *stream) close(at time.Time) {
	if len(s.part) > 0 || len(s.line) > 0 {
		s.endLine(at)
	}
}

func trimCR(p []byte) []byte { return bytes.TrimSuffix(p, []byte{'\r'}) }

// isObject reports whether p is one JSON object in UTF-8.
func isObject(p []byte) bool {
	return len(p) > 1 && p[0] == '{' && json.Valid(p) && utf8.Valid(p)
}

// runeEnd returns the length of p without the incomplete character at its
// end, if there is one.
func runeEnd(p []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if c := p[len(p)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(p[len(p)-i:]) {
				return len(p) - i
			}
			break
		}
	}
	return len(p)
}

// appendQuoted appends p as a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
func appendQuoted(b, p []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(p); {
		c := p[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, p[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, p[start:i]...)
			b = append(b, "\ufffd"...)
			start = i + 1
		}
		i += n
	}
	b = append(b, p[start:]...)
	return append(b, '"')
}

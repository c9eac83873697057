package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"fairlead/internal/flow"
)

// Logs is where the logs of attempts are read. One that does not exist is a
// flow.NotFound, or empty.
type Logs interface {
	Log(ctx context.Context, r flow.Run, task flow.TaskID, attempt int, want flow.LogRange) (flow.LogPage, error)
	// Size returns how many bytes there are; -1 if there is no log.
	Size(ctx context.Context, r flow.Run, task flow.TaskID, attempt int) (int64, error)
	// Begin returns where the line begins that a position is in; the last one
	// beyond the end.
	Begin(ctx context.Context, r flow.Run, task flow.TaskID, attempt int, at int64) (int64, error)
	// Scan looks at lines from one on, or with back at those before it, for at
	// most about patience, and returns where those begin that keep wants, at
	// most limit and in the order of the log; next is where to go on, and over
	// that there is nothing more.
	Scan(ctx context.Context, r flow.Run, task flow.TaskID, attempt int, s Scan) (at []int64, next int64, over bool, err error)
}

// A Scan says what to look for in a log.
type Scan struct {
	From     int64 // negative: the end
	Back     bool
	Limit    int
	Patience time.Duration
	Keep     func(line []byte) bool
}

type lineView struct {
	At    int64  `json:"at"`
	Next  int64  `json:"next"`
	T     int64  `json:"t"`
	Level string `json:"level"`
	Text  string `json:"text"`
	More  string `json:"more,omitempty"`
	Cut   int    `json:"cut,omitempty"`
}

func viewLine(e flow.LogEvent) lineView {
	l := readLine(e)
	return lineView{e.Pos, e.Next, millis(e.At), levels[l.rank], l.Text, l.More, l.Cut}
}

// levels are the letters of levels, the worse the higher.
var levels = [...]string{"", "d", "i", "w", "e"}

// levelWords are what levels are called, by how bad they are.
func levelWords() [][]string {
	return [][]string{
		1: {"debug", "trace", "notset"},
		2: {"info", "notice"},
		3: {"warning", "warn"},
		4: {"error", "critical", "fatal", "exception"},
	}
}

// rankOf returns how bad a level is; 0 where none is said.
func rankOf(level string) int {
	for rank, words := range levelWords() {
		if slices.Contains(words, level) {
			return rank
		}
	}
	return 0
}

type logView struct {
	Lines []lineView `json:"lines"`
	Head  int64      `json:"head"`
	Tail  int64      `json:"tail"`
	Size  int64      `json:"size"`
	Ended bool       `json:"ended"`
}

// A logCall is a call about the log of an attempt.
type logCall struct {
	*call
	run   flow.Run
	task  flow.Task
	level int
}

func (s *Console) logCall(c *call) (logCall, error) {
	l := logCall{call: c}
	n, err := attemptOf(c)
	if err != nil {
		return l, err
	}
	if text := c.query.Get("level"); text != "" {
		if l.level = slices.Index(levels[:], text); l.level < 1 {
			return l, fault("level", "%q: expected d, i, w or e", clip(text, 50))
		}
	}
	if l.run, err = s.c.Runs.RunByID(c.Context(), runOf(c)); err != nil {
		return l, err
	}
	l.task, err = s.c.Tasks.Instance(c.Context(), l.run.ID, flow.TaskID(c.PathValue("task")), n)
	return l, err
}

// isOver reports whether nothing will be added to the log of an attempt.
func isOver(t flow.Task) bool { return t.State.Final() || t.State == flow.Retrying }

// Bounds of reading logs.
const (
	maxLogLines = 2000
	logPatience = 150 * time.Millisecond
)

func (s *Console) getLog(c *call) (any, error) {
	l, err := s.logCall(c)
	if err != nil {
		return nil, err
	}
	limit, err := c.limit(500, maxLogLines)
	if err != nil {
		return nil, err
	}
	want := flow.LogRange{From: -1, Back: true, Limit: limit}
	ctx, r, id, n := c.Context(), l.run, l.task.ID, l.task.Attempt
	if c.query.Has("from") {
		at, err := c.number("from", 0, 0, 1<<62)
		if err != nil {
			return nil, err
		}
		if want.From, err = s.c.Logs.Begin(ctx, r, id, n, at); err != nil {
			return nil, err
		}
		want.Back = c.flag("back")
	}
	out := logView{Lines: []lineView{}}
	// Whether it is over is known before the reading: nothing comes after it.
	out.Ended = isOver(l.task)
	size, err := s.c.Logs.Size(ctx, r, id, n)
	if err != nil {
		return nil, err
	}
	if out.Size = max(0, size); size < 0 || n == 0 {
		return out, nil
	}
	page, lines, err := s.readLog(ctx, l, want)
	if err != nil {
		return nil, err
	}
	out.Lines, out.Head, out.Tail = lines, page.Head, page.Tail
	out.Size = max(out.Size, out.Tail)
	return out, nil
}

// readLog reads lines of a level, and of worse ones.
func (s *Console) readLog(ctx context.Context, l logCall, want flow.LogRange) (flow.LogPage, []lineView, error) {
	until := time.Now().Add(logPatience)
	var all flow.LogPage
	lines := []lineView{}
	for first := true; ; first = false {
		page, err := s.c.Logs.Log(ctx, l.run, l.task.ID, l.task.Attempt, want)
		if err != nil {
			return all, nil, err
		}
		var more []lineView
		for _, e := range page.Events {
			if v := viewLine(e); l.level == 0 || slices.Index(levels[:], v.Level) >= l.level {
				more = append(more, v)
			}
		}
		if first {
			all = page
		}
		moved := page.Tail != page.Head
		if want.Back {
			lines, all.Head, want.From = append(more, lines...), page.Head, page.Head
			moved = moved && page.Head > 0
		} else {
			lines, all.Tail, want.From = append(lines, more...), page.Tail, page.Tail
		}
		want.Limit -= len(more)
		if l.level == 0 || want.Limit <= 0 || !moved || time.Now().After(until) {
			return all, lines, nil
		}
	}
}

type matchesView struct {
	At   []int64 `json:"at"`
	Next int64   `json:"next"`
	Size int64   `json:"size"`
}

func (s *Console) searchLog(c *call) (any, error) {
	l, err := s.logCall(c)
	if err != nil {
		return nil, err
	}
	q, err := c.text("q", 200)
	if err != nil {
		return nil, err
	}
	if q == "" && l.level == 0 {
		return nil, fault("q", "expected a text to search for, or a level")
	}
	limit, err := c.limit(500, 5000)
	if err != nil {
		return nil, err
	}
	want := Scan{Back: c.flag("back"), Limit: limit, Patience: logPatience, Keep: newFinder(q, l.level).matches}
	ctx, r, id, n := c.Context(), l.run, l.task.ID, l.task.Attempt
	size, err := s.c.Logs.Size(ctx, r, id, n)
	if err != nil {
		return nil, err
	}
	out := matchesView{At: []int64{}, Next: -1, Size: max(0, size)}
	if size <= 0 || n == 0 {
		return out, nil
	}
	if want.Back {
		want.From = -1
	}
	if c.query.Has("from") {
		at, err := c.number("from", 0, 0, 1<<62)
		if err != nil {
			return nil, err
		}
		if want.From, err = s.c.Logs.Begin(ctx, r, id, n, at); err != nil {
			return nil, err
		}
	}
	at, next, over, err := s.c.Logs.Scan(ctx, r, id, n, want)
	if err != nil {
		return nil, err
	}
	out.At = list(at)
	if !over {
		out.Next = next
	}
	return out, nil
}

// A finder looks for a text in lines of logs, as they are shown. It is for one
// search: it reuses its memory.
type finder struct {
	text  string // in lower case
	raw   []byte // what a line has that matches and escapes nothing; nil: perhaps anything
	level int
	low   []byte
}

func newFinder(q string, level int) *finder {
	f := &finder{text: strings.ToLower(q), level: level}
	if strings.IndexFunc(q, func(r rune) bool { return r < ' ' || r >= utf8.RuneSelf || strings.ContainsRune(`"\/<>&`, r) }) < 0 {
		f.raw = []byte(f.text)
	}
	return f
}

// matches reports whether a line has the text, and the level. Most lines are
// seen not to without being taken apart.
func (f *finder) matches(line []byte) bool {
	if bytes.IndexByte(line, '\\') < 0 && !f.mayMatch(line) {
		return false
	}
	l := readLine(flow.LogEvent{Text: string(bytes.TrimRight(line, "\r\n"))})
	if l.rank < f.level {
		return false
	}
	return f.text == "" || strings.Contains(strings.ToLower(l.Text), f.text) || strings.Contains(strings.ToLower(l.More), f.text)
}

// mayMatch looks at a line as it was written.
func (f *finder) mayMatch(line []byte) bool {
	f.low = append(f.low[:0], bytes.TrimRight(line, "\r\n")...)
	for i, b := range f.low {
		switch {
		case b >= 'A' && b <= 'Z':
			f.low[i] = b + 'a' - 'A'
		case b < ' ' || b == 0x7f:
			return true // what steers a terminal is not shown, and may part a word
		}
	}
	// Two letters beyond ASCII are ASCII in lower case.
	if f.raw != nil && !bytes.Contains(f.low, f.raw) && !bytes.Contains(line, []byte("\u0130")) && !bytes.Contains(line, []byte("\u212a")) {
		return false
	}
	if f.level == 0 {
		return true
	}
	for _, words := range levelWords()[f.level:] {
		for _, w := range words {
			if bytes.Contains(f.low, []byte(w)) {
				return true
			}
		}
	}
	return false
}

// downloadLog answers with the whole log of an attempt.
func (s *Console) downloadLog(c *call) (any, error) {
	l, err := s.logCall(c)
	if err != nil {
		return nil, err
	}
	form := c.query.Get("form")
	name := fmt.Sprintf("%s-%s-%d", l.run.ID, fileName(string(l.task.ID)), l.task.Attempt)
	kind := "text/plain; charset=utf-8"
	switch form {
	case "", "text":
		name += ".log"
	case "json":
		name, kind = name+".jsonl", "application/x-ndjson"
	default:
		return nil, fault("form", "%q: expected text or json", clip(form, 50))
	}
	begun := false
	for from := int64(0); ; {
		page, err := s.c.Logs.Log(c.Context(), l.run, l.task.ID, l.task.Attempt, flow.LogRange{From: from, Limit: 5000})
		if err != nil && !begun {
			return nil, err
		}
		if err != nil {
			// Too late for another answer: end this one so that it is not
			// taken for the whole log.
			s.c.Log.ErrorContext(c.Context(), "read log", "path", c.URL.Path, "err", err)
			panic(http.ErrAbortHandler)
		}
		if !begun {
			h := c.w.Header()
			// The text is a program's: whatever a browser makes of it, it stays shut.
			h.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
			h.Set("Content-Type", kind)
			h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
			c.unhurried()
			begun = true
		}
		var b bytes.Buffer
		for _, e := range page.Events {
			if form == "json" {
				b.WriteString(e.Text)
			} else {
				writeLine(&b, e)
			}
			b.WriteByte('\n')
		}
		if _, err := c.w.Write(b.Bytes()); err != nil || page.Tail <= from {
			return nil, nil
		}
		from = page.Tail
	}
}

func writeLine(b *bytes.Buffer, e flow.LogEvent) {
	l := readLine(e)
	if !e.At.IsZero() {
		b.WriteString(e.At.UTC().Format("2006-01-02T15:04:05.000Z "))
	}
	if l.Level != "" {
		b.WriteString(strings.ToUpper(l.Level) + " ")
	}
	b.WriteString(l.Text)
	if l.More != "" {
		b.WriteString("\n" + l.More)
	}
}

// fileName keeps what is harmless in the name of a file.
func fileName(s string) string {
	return clip(strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, s), 100)
}

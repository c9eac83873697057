package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"fairlead/internal/flow"
)

// The bounds of one page. CloudWatch Logs has the first three.
const (
	maxEvents = 10000
	maxBytes  = 1 << 20
	perEvent  = 26        // what an event costs beside its text
	maxLine   = 256 << 10 // of a text; what is beyond is cut
	maxScan   = 64 << 20  // bytes of the file that one call looks at
)

// Read returns events of a stream. A page may be empty although there are
// events further on, when none was found in the stretch that one call looks
// at: the end is reached when the page's Tail (with Back, Head) is where the
// reading began. A position that no event begins at is a flow.Invalid error.
func (d *Dir) Read(ctx context.Context, group, stream string, r flow.LogRange) (flow.LogPage, error) {
	path, err := d.find(group, stream)
	if err != nil {
		return flow.LogPage{}, err
	}
	f, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return flow.LogPage{}, noStream(stream)
	}
	if err != nil {
		return flow.LogPage{}, err
	}
	defer f.Close()
	r.Limit = min(r.Limit, maxEvents)
	if r.From > f.size {
		return flow.LogPage{}, flow.Errorf(flow.Invalid, "the log stream ends before position %d", r.From)
	}
	if r.From > 0 {
		var before [1]byte
		if _, err := f.ReadAt(before[:], r.From-1); err != nil {
			return flow.LogPage{}, err
		}
		if before[0] != '\n' {
			return flow.LogPage{}, flow.Errorf(flow.Invalid, "no log event begins at position %d", r.From)
		}
	}
	if r.Back {
		return f.back(ctx, r)
	}
	if r.From < 0 {
		if r.From, err = f.end(); err != nil {
			return flow.LogPage{}, err
		}
	}
	return f.forward(ctx, r)
}

// A file is a stream as it was when it was opened.
type file struct {
	*os.File
	size     int64
	modified time.Time
}

func open(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &file{f, info.Size(), info.ModTime()}, nil
}

// A page that fills up.
type page struct {
	flow.LogPage
	r    flow.LogRange
	cost int
}

// add takes an event unless its time is outside, and reports whether the page
// has room for it.
func (p *page) add(e flow.LogEvent) bool {
	if !p.r.Since.IsZero() && e.At.Before(p.r.Since) || !p.r.Until.IsZero() && !e.At.Before(p.r.Until) {
		return true
	}
	cost := len(e.Text) + perEvent
	if len(p.Events) >= p.r.Limit || len(p.Events) > 0 && p.cost+cost > maxBytes {
		return false
	}
	p.cost += cost
	p.Events = append(p.Events, e)
	return true
}

func (f *file) forward(ctx context.Context, r flow.LogRange) (flow.LogPage, error) {
	p := page{r: r}
	p.Head, p.Tail = r.From, r.From
	in := bufio.NewReaderSize(io.NewSectionReader(f, r.From, f.size-r.From), 64<<10)
	for n := 0; p.Tail-p.Head < maxScan; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return flow.LogPage{}, ctx.Err()
		}
		line, size, err := readLine(in)
		if err == io.EOF {
			break // what is left lacks its end
		}
		if err != nil {
			return flow.LogPage{}, err
		}
		if !p.add(f.event(line, p.Tail, p.Tail+size)) {
			break
		}
		p.Tail += size
	}
	return p.LogPage, nil
}

// readLine returns the next line, cut at maxLine, and its size in the file.
// A line without end is io.EOF.
func readLine(in *bufio.Reader) (line []byte, size int64, err error) {
	for {
		part, err := in.ReadSlice('\n')
		size += int64(len(part))
		line = append(line, part[:min(len(part), maxLine+1-len(line))]...)
		if err == bufio.ErrBufferFull {
			continue
		}
		return line, size, err
	}
}

func (f *file) back(ctx context.Context, r flow.LogRange) (flow.LogPage, error) {
	p := page{r: r}
	end := r.From
	b := backward{f: f}
	if end < 0 {
		var err error
		if end, err = f.end(); err != nil {
			return flow.LogPage{}, err
		}
	}
	p.Head, p.Tail = end, end
	for n := 0; p.Head > 0 && p.Tail-p.Head < maxScan; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return flow.LogPage{}, ctx.Err()
		}
		start, err := b.lineStart(p.Head)
		if err != nil {
			return flow.LogPage{}, err
		}
		line := make([]byte, min(p.Head-start, maxLine+1))
		if _, err := f.ReadAt(line, start); err != nil {
			return flow.LogPage{}, err
		}
		if !p.add(f.event(line, start, p.Head)) {
			break
		}
		p.Head = start
	}
	slices.Reverse(p.Events)
	return p.LogPage, nil
}

// end returns where the last whole line ends.
func (f *file) end() (int64, error) {
	b := backward{f: f}
	// One byte more than there is, since lineStart takes the byte before its
	// argument for a line end.
	return b.lineStart(f.size + 1)
}

// backward finds the beginnings of lines, from the end of a file.
type backward struct {
	f   *file
	buf []byte
	at  int64 // where buf begins in the file
}

// lineStart returns where the line begins whose end is the byte before end.
func (b *backward) lineStart(end int64) (int64, error) {
	for pos := end - 1; pos > 0; {
		if b.buf == nil || pos <= b.at || pos > b.at+int64(len(b.buf)) {
			from := max(0, pos-64<<10)
			b.buf, b.at = make([]byte, pos-from), from
			if _, err := b.f.ReadAt(b.buf, from); err != nil {
				return 0, err
			}
		}
		if i := bytes.LastIndexByte(b.buf[:pos-b.at], '\n'); i >= 0 {
			return b.at + int64(i) + 1, nil
		}
		pos = b.at
	}
	return 0, nil
}

// event makes an event of a line with its line end.
func (f *file) event(line []byte, pos, next int64) flow.LogEvent {
	e := flow.LogEvent{Pos: pos, Next: next}
	if len(line) > maxLine {
		line = line[:maxLine]
		for i := 0; i < utf8.UTFMax && len(line) > 0 && !utf8.Valid(line[max(0, len(line)-utf8.UTFMax):]); i++ {
			line = line[:len(line)-1]
		}
	} else {
		line = bytes.TrimRight(line, "\r\n")
	}
	e.At, e.Text = parse(line)
	if e.At.IsZero() {
		e.At = f.modified.UTC()
	}
	return e
}

// parse returns the time and the text of a line. The time is zero if the line
// does not say.
func parse(line []byte) (time.Time, string) {
	text := string(line)
	if !bytes.HasPrefix(line, []byte("{")) {
		return time.Time{}, text
	}
	var o struct {
		Timestamp json.RawMessage `json:"timestamp"`
		At        *int64          `json:"@t"`
		Text      *string         `json:"@m"`
	}
	if json.Unmarshal(line, &o) != nil {
		return time.Time{}, text
	}
	if o.At != nil && o.Text != nil {
		return time.UnixMilli(*o.At).UTC(), *o.Text
	}
	return parseTime(o.Timestamp), text
}

// parseTime reads the forms that loggers write: ISO 8601 with or without a
// zone (then UTC), and numbers of seconds or milliseconds.
func parseTime(raw json.RawMessage) time.Time {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"} {
			if t, err := time.Parse(layout, strings.Replace(s, ",", ".", 1)); err == nil {
				return t.UTC()
			}
		}
		return time.Time{}
	}
	var n float64
	if json.Unmarshal(raw, &n) != nil || n <= 0 || n > 1e14 {
		return time.Time{}
	}
	if n < 1e11 {
		n *= 1000
	}
	return time.UnixMilli(int64(n)).UTC()
}

// pollEvery is how often Follow looks.
const pollEvery = 200 * time.Millisecond

// Follow calls each with every event of the stream from a position on, old
// and new, until ctx is done, whose error it returns, or each returns an
// error. A stream that does not exist yet is waited for; one that is removed
// is a flow.NotFound error.
func (d *Dir) Follow(ctx context.Context, group, stream string, from int64, each func(flow.LogEvent) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	seen := false
	for {
		p, err := d.Read(ctx, group, stream, flow.LogRange{From: from, Limit: 1000})
		switch {
		case flow.KindOf(err) == flow.NotFound && !seen:
			p.Tail = from
		case err != nil:
			return fmt.Errorf("follow log stream %s: %w", stream, err)
		default:
			seen = true
		}
		for _, e := range p.Events {
			if err := each(e); err != nil {
				return err
			}
		}
		if p.Tail != from {
			from = p.Tail
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

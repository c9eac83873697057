//go:build !linux || portable

package cage

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"fairlead/internal/mask"
)

// A Log is the log of a command without a supervisor.
type Log struct {
	mu  sync.Mutex // guards log
	log logFile
}

// NewLog returns a log for the command of c that writes to w.
func NewLog(w io.Writer, c *Config) *Log {
	return &Log{log: logFile{w: w, level: c.Level, logger: c.Logger, limit: c.Output, texts: c.Mask, mask: mask.New(c.Mask)}}
}

// Text copies text to the log until its end, and returns its last line.
func (l *Log) Text(r *os.File) string { return l.copy(r, false) }

// Records copies log lines to the log until their end.
func (l *Log) Records(r *os.File) { l.copy(r, true) }

func (l *Log) copy(r *os.File, structured bool) (last string) {
	s := stream{log: &l.log, structured: structured}
	buf := make([]byte, 64<<10)
	for {
		var due time.Time // never
		if len(s.part) > 0 {
			due = s.since.Add(showAfter)
		}
		_ = r.SetReadDeadline(due)
		n, err := r.Read(buf)
		now := time.Now()
		l.mu.Lock()
		s.write(now, buf[:n])
		late := errors.Is(err, os.ErrDeadlineExceeded)
		switch {
		case late:
			s.show(now)
			s.since = now
		case err != nil:
			s.close(now)
		}
		l.log.flush()
		l.mu.Unlock()
		if err != nil && !late {
			return string(s.last)
		}
	}
}

// ReadResult reads a result to its end and returns as much as is kept.
func ReadResult(r io.Reader) (result []byte, cut bool) {
	result, _ = io.ReadAll(io.LimitReader(r, maxResult+1))
	_, _ = io.Copy(io.Discard, r)
	return result[:min(len(result), maxResult)], len(result) > maxResult
}

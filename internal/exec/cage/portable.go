//go:build !linux || portable

package cage

import (
	"io"
	"sync"
	"time"
)

// A Log is the log of a command without a supervisor.
type Log struct {
	mu  sync.Mutex // guards log
	log logFile
}

// NewLog returns a log that writes to w. A limit of zero is none.
func NewLog(w io.Writer, level, logger string, limit int64) *Log {
	return &Log{log: logFile{w: w, level: level, logger: logger, limit: limit}}
}

// Text copies text to the log until its end, and returns its last line.
func (l *Log) Text(r io.Reader) string { return l.copy(r, false) }

// Records copies log lines to the log until their end.
func (l *Log) Records(r io.Reader) { l.copy(r, true) }

func (l *Log) copy(r io.Reader, structured bool) (last string) {
	s := stream{log: &l.log, structured: structured}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		l.mu.Lock()
		s.write(time.Now(), buf[:n])
		if err != nil {
			s.close(time.Now())
		}
		l.log.flush()
		l.mu.Unlock()
		if err != nil {
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

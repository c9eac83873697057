package flow

import (
	"fmt"
	"time"
)

// A LogGroup is a named set of log streams.
type LogGroup struct {
	Name    string
	Created time.Time
	Bytes   int64 // what its streams hold; -1 when it was not counted
	Days    int   // how long streams are kept after they were last written; 0: for ever
}

// A LogStream is one sequence of log events, such as the output of one
// attempt.
type LogStream struct {
	Name    string
	Created time.Time
	// First and Last are the times of the first and last events; zero while
	// the stream is empty.
	First, Last time.Time
	// Written is when an event last arrived.
	Written time.Time
	Bytes   int64
}

// A LogEvent is one line of a stream.
type LogEvent struct {
	At   time.Time
	Text string // the line without its end, or the message that was put
	// Pos is where the event begins in its stream and Next where the one
	// after it does. They order a stream and mean nothing else.
	Pos, Next int64
	// Stream is set when events of several streams are read together.
	Stream string
}

// A LogRange selects events of one stream.
type LogRange struct {
	// From is a position at which an event begins or the stream ends.
	// Reading goes forward from it, or with Back, toward the head. Negative
	// means the end of the stream.
	From int64
	Back bool
	// Since and Until bound the times of events: Since <= At < Until. Zero
	// is no bound.
	Since, Until time.Time
	Limit        int
}

// A LogPage is what a reading found, oldest first.
type LogPage struct {
	Events []LogEvent
	// Head and Tail bound the stretch that was looked at: reading back from
	// Head and forward from Tail goes on where this page ends.
	Head, Tail int64
}

// A LogList selects streams of a group.
type LogList struct {
	Prefix string
	// ByTime orders by when the stream was last written instead of by name.
	ByTime     bool
	Descending bool
	Page
}

// Key is what comes into Page.After to go on after s.
func (l LogList) Key(s LogStream) string {
	if l.ByTime {
		return fmt.Sprintf("%020d %s", s.Written.UnixNano(), s.Name)
	}
	return s.Name
}

package web

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// mostEnded bounds how many sessions are remembered to be over. One more ends
// all that there are: people sign in again.
const mostEnded = 1000

// An ended knows which sessions somebody has signed out of.
type ended struct {
	keep func(ctx context.Context, text []byte) error // nil: until the server ends

	saving sync.Mutex // held while one more is kept

	mu sync.Mutex // guards what follows
	// before says that all sessions are over that began earlier, and ids which
	// others are, until when they would have been good.
	before time.Time
	ids    map[[16]byte]time.Time
}

// endedText is what is kept, with times in milliseconds.
type endedText struct {
	Before int64            `json:"before,omitempty"`
	IDs    map[string]int64 `json:"ids,omitempty"`
}

// newEnded takes up what was kept. What cannot be read ends all sessions, since
// one of them may be over.
func newEnded(kept []byte, keep func(context.Context, []byte) error, now time.Time) *ended {
	e := &ended{keep: keep, ids: map[[16]byte]time.Time{}}
	if len(kept) == 0 {
		return e
	}
	var text endedText
	err := json.Unmarshal(kept, &text)
	for name, until := range text.IDs {
		var id [16]byte
		if n, bad := hex.Decode(id[:], []byte(name[:min(len(name), 32)])); bad != nil || n != len(id) || len(name) != 32 {
			err = fmt.Errorf("%q is no session", name)
			break
		}
		e.ids[id] = time.UnixMilli(until)
	}
	if err != nil || len(text.IDs) > mostEnded {
		e.before = now
	} else if text.Before != 0 {
		e.before = time.UnixMilli(text.Before)
	}
	return e
}

// has reports whether somebody has signed out of a session.
func (e *ended) has(t ticket) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, over := e.ids[t.id]
	return over || t.first.Before(e.before)
}

// end ends a session, for good once it returns nil.
func (e *ended) end(ctx context.Context, t ticket, now time.Time) error {
	e.saving.Lock()
	defer e.saving.Unlock()
	before, ids := e.before, map[[16]byte]time.Time{t.id: t.first.Add(sessionMost)} // only here is either written to
	for id, until := range e.ids {
		if until.After(now) {
			ids[id] = until
		}
	}
	if len(ids) > mostEnded {
		// Whole milliseconds are kept; a session of this one is over too.
		before, ids = now.Truncate(time.Millisecond).Add(time.Millisecond), map[[16]byte]time.Time{}
	}
	if e.keep != nil {
		text := endedText{IDs: map[string]int64{}}
		if !before.IsZero() {
			text.Before = before.UnixMilli()
		}
		for id, until := range ids {
			text.IDs[hex.EncodeToString(id[:])] = until.UnixMilli()
		}
		kept, err := json.Marshal(text)
		if err == nil {
			err = e.keep(ctx, kept)
		}
		if err != nil {
			return fmt.Errorf("remember that a session has ended: %w", err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.before, e.ids = before, ids
	return nil
}

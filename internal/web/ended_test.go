package web

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestSignOutsAreKept(t *testing.T) {
	var kept []byte
	keep := func(_ context.Context, text []byte) error { kept = text; return nil }
	ada, bob := newTicket("session", epoch), newTicket("session", epoch)
	e := newEnded(nil, keep, epoch)
	if err := e.end(t.Context(), ada, epoch.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]*ended{"the same server": e, "the next": newEnded(kept, keep, epoch.Add(2*time.Hour))} {
		if !e.has(ada) || e.has(bob) {
			t.Errorf("%s: the session that was ended is over: %v, another: %v, want true and false (kept: %s)", name, e.has(ada), e.has(bob), kept)
		}
	}
	// Who would be over by now is forgotten.
	if err := e.end(t.Context(), bob, epoch.Add(sessionMost+time.Hour)); err != nil || len(e.ids) != 1 {
		t.Errorf("after %s %d sessions are remembered, %v, want 1", sessionMost, len(e.ids), err)
	}
}

func TestASignOutThatIsNotKeptIsNone(t *testing.T) {
	full := errors.New("disk full")
	e := newEnded(nil, func(context.Context, []byte) error { return full }, epoch)
	tk := newTicket("session", epoch)
	if err := e.end(t.Context(), tk, epoch); !errors.Is(err, full) || e.has(tk) {
		t.Errorf("the end of a session that cannot be kept = %v, over: %v, want %v and false", err, e.has(tk), full)
	}
}

func TestTooManySignOutsEndAll(t *testing.T) {
	var kept []byte
	e := newEnded(nil, func(_ context.Context, text []byte) error { kept = text; return nil }, epoch)
	other := newTicket("session", epoch.Add(time.Hour))
	for range mostEnded + 1 {
		if e.has(other) {
			t.Fatal("a session is over before there are too many")
		}
		if err := e.end(t.Context(), newTicket("session", epoch), epoch.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	later := newTicket("session", epoch.Add(time.Hour+time.Second))
	for name, e := range map[string]*ended{"the same server": e, "the next": newEnded(kept, nil, epoch)} {
		if !e.has(other) || e.has(later) {
			t.Errorf("%s: an old session is over: %v, a later one: %v, want true and false", name, e.has(other), e.has(later))
		}
	}
}

func TestKeptSignOutsThatCannotBeReadEndAll(t *testing.T) {
	old, young := newTicket("session", epoch), newTicket("session", epoch.Add(time.Second))
	for _, text := range []string{"{", `{"ids":{"00":1}}`, `{"ids":{"zz000000000000000000000000000000":1}}`, `{"ids":{"0000000000000000000000000000000000":1}}`, `[]`} {
		e := newEnded([]byte(text), nil, epoch.Add(time.Millisecond))
		if !e.has(old) || e.has(young) {
			t.Errorf("after %q was kept an old session is over: %v, a new one: %v, want true and false", text, e.has(old), e.has(young))
		}
	}
}

package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairlead/internal/flow"
)

func TestGuessesAreBounded(t *testing.T) {
	th := newThrottle()
	ada, bob := guesser("192.0.2.1:4000"), guesser("192.0.2.2:4000")
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	for i := range triesOfOne {
		if wait, _ := th.take(ada, epoch); wait != 0 {
			t.Fatalf("try %d of an address has to wait %s, want none", i+1, wait)
		}
	}
	if wait, all := th.take(ada, epoch); wait != paceOfOne || all {
		t.Errorf("one more has to wait %s, for all: %v, want %s and false", wait, all, paceOfOne)
	}
	if wait, _ := th.take(ada, at(paceOfOne-time.Millisecond)); wait != time.Millisecond {
		t.Errorf("just before that it has to wait %s, want 1ms", wait)
	}
	if wait, _ := th.take(bob, epoch); wait != 0 {
		t.Errorf("another address has to wait %s, want none", wait)
	}
	if wait, _ := th.take(ada, at(paceOfOne)); wait != 0 {
		t.Errorf("after that it has to wait %s, want none", wait)
	}
	if wait, _ := th.take(ada, at(0)); wait <= 0 {
		t.Error("a clock that is set back gives a try")
	}

	th = newThrottle()
	for range 3 * triesOfOne { // those that are good use up nothing
		if wait, _ := th.take(ada, epoch); wait != 0 {
			t.Fatalf("who has the key has to wait %s", wait)
		}
		th.giveBack(ada)
	}

	th = newThrottle()
	for i := range triesOfAll {
		if wait, _ := th.take(guesser(fmt.Sprintf("10.0.0.%d:1", i)), epoch); wait != 0 {
			t.Fatalf("try %d in all has to wait %s, want none", i+1, wait)
		}
	}
	if wait, all := th.take(ada, epoch); wait != paceOfAll || !all {
		t.Errorf("one more in all has to wait %s, for all: %v, want %s and true", wait, all, paceOfAll)
	}
}

func TestGuessersAreBounded(t *testing.T) {
	th := newThrottle()
	for i := range 3 * mostGuessers {
		th.take(guesser(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)), epoch.Add(time.Duration(i)*paceOfAll/2))
		if len(th.of) > mostGuessers {
			t.Fatalf("%d addresses are kept, want at most %d", len(th.of), mostGuessers)
		}
	}
}

func TestGuesser(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1/32", "[::ffff:192.0.2.1]:80": "192.0.2.1/32", "[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80": "fe80::/64", "@": "invalid Prefix", "": "invalid Prefix",
	} {
		if got := guesser(remote).String(); got != want {
			t.Errorf("guesser(%q) = %s, want %s", remote, got, want)
		}
	}
}

// calm is where nothing is paused.
type calm struct{ Steering }

func (calm) Pauses(context.Context) ([]flow.Pause, error) { return nil, nil }

// TestSignInIsThrottled asks as a browser does.
func TestSignInIsThrottled(t *testing.T) {
	now := epoch
	s := New(Config{Auth: &key, Steering: calm{}, Now: func() time.Time { return now }})
	ask := func(from, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/console/api/login", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	const wrong, right = `{"accessKey":"AKIAEXAMPLE","secretKey":"guess"}`, `{"accessKey":"AKIAEXAMPLE","secretKey":"secret"}`
	for range triesOfOne {
		if w := ask("192.0.2.1:1", wrong); w.Code != http.StatusUnauthorized {
			t.Fatalf("a wrong key is answered %d %s, want 401", w.Code, w.Body)
		}
	}
	for what, body := range map[string]string{"wrong": wrong, "right": right} {
		w := ask("192.0.2.1:2", body)
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "6" || !strings.Contains(w.Body.String(), "fairlead console") {
			t.Errorf("a %s key after %d wrong ones is answered %d, Retry-After %q, %s, want 429, 6 and what to do", what, triesOfOne, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
	if w := ask("192.0.2.2:1", right); w.Code != http.StatusOK {
		t.Errorf("the key from another address is answered %d %s, want 200", w.Code, w.Body)
	}
	if w := ask("192.0.2.1:1", `{"token":"`+NewLink(key, now)+`"}`); w.Code != http.StatusOK {
		t.Errorf("a link from the address is answered %d %s, want 200", w.Code, w.Body)
	}
	now = now.Add(paceOfOne)
	if w := ask("192.0.2.1:1", right); w.Code != http.StatusOK {
		t.Errorf("the key from the address, later, is answered %d %s, want 200", w.Code, w.Body)
	}
}

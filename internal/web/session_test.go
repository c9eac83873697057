package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var epoch = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

var key = Auth{AccessKey: "AKIAEXAMPLE", SecretKey: "secret", Seal: []byte("seal")}

func TestLinkServesOnce(t *testing.T) {
	started := epoch
	good := NewLink(key, epoch.Add(time.Minute))
	for _, tt := range []struct {
		name, token string
		auth        Auth
		at          time.Duration
		want        bool
	}{
		{"good", good, key, 2 * time.Minute, true},
		{"late", good, key, 12 * time.Minute, false},
		{"of another key", good, Auth{AccessKey: "AKIAEXAMPLE", SecretKey: "other"}, 2 * time.Minute, false},
		{"older than the server", NewLink(key, epoch.Add(-time.Second)), key, time.Minute, false},
		{"of the future", NewLink(key, epoch.Add(time.Hour)), key, time.Minute, false},
		{"changed", "A" + good[1:], key, 2 * time.Minute, good[0] == 'A'},
		{"cut", good[:len(good)-2], key, 2 * time.Minute, false},
		{"a session", newTicket("session", epoch).seal(linkKey(key)), key, time.Minute, false},
		{"nothing", "", key, time.Minute, false},
		{"huge", strings.Repeat("A", 1<<20), key, time.Minute, false},
	} {
		d := newDoorkeeper(tt.auth, started)
		if got := d.byLink(tt.token, epoch.Add(tt.at)); got != tt.want {
			t.Errorf("%s: a link is taken: %v, want %v", tt.name, got, tt.want)
		}
		if d.byLink(tt.token, epoch.Add(tt.at)) {
			t.Errorf("%s: it is taken twice", tt.name)
		}
	}
}

func TestSessionEnds(t *testing.T) {
	d := newDoorkeeper(key, epoch)
	asks := func(d *doorkeeper, tk ticket, after time.Duration) bool {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: d.cookie, Value: tk.seal(newDoorkeeper(key, epoch).key)})
		_, ok := d.session(r, epoch.Add(after))
		return ok
	}
	tk := newTicket("session", epoch)
	renewed := tk
	renewed.issued = epoch.Add(13 * 24 * time.Hour)
	for _, tt := range []struct {
		name  string
		d     *doorkeeper
		t     ticket
		after time.Duration
		want  bool
	}{
		{"fresh", d, tk, time.Minute, true},
		{"almost over", d, tk, sessionLife - time.Second, true},
		{"over", d, tk, sessionLife + time.Second, false},
		{"renewed", d, renewed, 13*24*time.Hour + time.Hour, true},
		{"renewed for ever", d, renewed, sessionMost + time.Second, false},
		{"after a restart", newDoorkeeper(key, epoch.Add(time.Hour)), tk, 2 * time.Hour, true},
		{"after the key changed", newDoorkeeper(Auth{AccessKey: "AKIAEXAMPLE", SecretKey: "new", Seal: key.Seal}, epoch), tk, time.Minute, false},
	} {
		if got := asks(tt.d, tt.t, tt.after); got != tt.want {
			t.Errorf("%s: the session is good: %v, want %v", tt.name, got, tt.want)
		}
	}
	if err := d.ended.end(t.Context(), tk, epoch); err != nil || asks(d, tk, time.Minute) {
		t.Error("the session is good after the end that somebody put to it")
	}
}

func TestCookieIsShut(t *testing.T) {
	d := newDoorkeeper(key, epoch)
	for origin, secure := range map[string]bool{"http://127.0.0.1:8400": false, "https://fairlead.example": true} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Origin", origin)
		d.give(&call{Request: r, w: w}, newTicket("session", epoch), epoch)
		c := w.Result().Cookies()[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure != secure || c.MaxAge != int(sessionLife.Seconds()) || c.Path != "/" {
			t.Errorf("from %s: the cookie is %v, want it HttpOnly, strict, and secure: %v", origin, c, secure)
		}
	}
}

func FuzzTicket(f *testing.F) {
	f.Add(newTicket("session", epoch).seal([]byte("key")))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if tk, ok := openTicket(text, "session", []byte("another key")); ok {
			t.Errorf("%q opens as %v", text, tk)
		}
	})
}

func TestOnlyKnownHosts(t *testing.T) {
	s := &Console{c: Config{Hosts: []string{"Fairlead.Example.com"}}}
	for host, want := range map[string]bool{
		"127.0.0.1:8400": true, "127.8.9.10": true, "localhost": true, "LOCALHOST:8400": true, "localhost.:80": true, "app.localhost:1": true,
		"[::1]:8400": true, "[::1]": true, "[::ffff:127.0.0.1]:80": true, "fairlead.example.com:443": true,
		"evil.example.com": false, "evil.example.com:8400": false, "127.0.0.1.evil.com": false, "localhost.evil.com": false, "192.168.1.7:8400": false,
		"0.0.0.0:8400": false, "": false, "notlocalhost": false, "fairlead.example.com.evil.com": false,
	} {
		if got := s.knownHost(host); got != want {
			t.Errorf("Host %q is known: %v, want %v", host, got, want)
		}
	}
}

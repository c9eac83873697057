package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How long a session and a link are good for.
const (
	sessionLife = 12 * time.Hour      // since it was last renewed
	sessionMost = 14 * 24 * time.Hour // however often it was
	renewAfter  = 10 * time.Minute
	linkLife    = 10 * time.Minute
)

// Auth is the key that one signs in with. Seal is a secret of this console:
// sessions are good for as long as it and the key are the same.
//
// Ended is what Keep was last given, by this server or one before it; without
// Keep who signs out may be in again after a restart.
type Auth struct {
	AccessKey, SecretKey string
	Seal                 []byte
	Ended                []byte
	Keep                 func(ctx context.Context, ended []byte) error
}

// NewLink returns the token of a link that signs in whoever opens it: good
// once, for ten minutes, at a console that was started before. It can be made
// by whoever has the key.
func NewLink(a Auth, now time.Time) string {
	return newTicket("link", now).seal(linkKey(a))
}

// LinkPath is where a link with a token leads.
func LinkPath(token string) string { return "/#login=" + token }

func linkKey(a Auth) []byte { return derive([]byte(a.SecretKey), "console link", a.AccessKey) }

// A ticket is what a cookie or a link holds.
type ticket struct {
	purpose string
	id      [16]byte
	first   time.Time // when it was made
	issued  time.Time // when it was last renewed
}

const (
	ticketHead = 16 + 8 + 8
	ticketSize = ticketHead + sha256.Size
)

func newTicket(purpose string, now time.Time) ticket {
	t := ticket{purpose: purpose, first: now, issued: now}
	_, _ = rand.Read(t.id[:]) // never fails
	return t
}

func (t ticket) seal(key []byte) string {
	b := append([]byte{}, t.id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.first.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.issued.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, derive(key, t.purpose, string(b))...))
}

// openTicket reads a ticket; false if it was not sealed with the key.
func openTicket(text, purpose string, key []byte) (ticket, bool) {
	if len(text) > 2*ticketSize {
		return ticket{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != ticketSize || !hmac.Equal(b[ticketHead:], derive(key, purpose, string(b[:ticketHead]))) {
		return ticket{}, false
	}
	t := ticket{purpose: purpose}
	copy(t.id[:], b)
	t.first = time.UnixMicro(int64(binary.BigEndian.Uint64(b[16:])))
	t.issued = time.UnixMicro(int64(binary.BigEndian.Uint64(b[24:])))
	return t, true
}

// derive is a keyed hash of texts, none of which can run into the next.
func derive(key []byte, texts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, s := range texts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	return h.Sum(nil)
}

// A doorkeeper knows who has signed in.
type doorkeeper struct {
	auth    Auth
	key     []byte // of sessions
	cookie  string
	started time.Time // links that are older may have been used before
	ended   *ended
	guesses *throttle

	mu sync.Mutex // guards what follows
	// spent are the links that are not good any more, until when they would
	// have been.
	spent map[[16]byte]time.Time
}

func newDoorkeeper(a Auth, now time.Time) *doorkeeper {
	key := derive(a.Seal, "console session", a.AccessKey, a.SecretKey)
	return &doorkeeper{
		auth: a, key: key, started: now, ended: newEnded(a.Ended, a.Keep, now), guesses: newThrottle(), spent: map[[16]byte]time.Time{},
		// Cookies do not heed ports: each server has a name of its own.
		cookie: "fairlead-" + hex.EncodeToString(derive(key, "cookie")[:4]),
	}
}

// maxSpent bounds what is remembered of links that are over.
const maxSpent = 100_000

// spend ends a link; false if it was over already.
func (d *doorkeeper) spend(t ticket, until, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, over := d.spent[t.id]; over {
		return false
	}
	if len(d.spent) >= maxSpent {
		maps.DeleteFunc(d.spent, func(_ [16]byte, until time.Time) bool { return until.Before(now) })
	}
	if len(d.spent) >= maxSpent {
		return false // rather nobody signs in than one twice
	}
	d.spent[t.id] = until
	return true
}

// session returns the session of a request.
func (d *doorkeeper) session(r *http.Request, now time.Time) (ticket, bool) {
	for _, c := range r.CookiesNamed(d.cookie) {
		t, ok := openTicket(c.Value, "session", d.key)
		if !ok || now.After(expiry(t)) || t.issued.After(now.Add(time.Hour)) {
			continue
		}
		if !d.ended.has(t) {
			return t, true
		}
	}
	return ticket{}, false
}

// expiry is when a session ends unless it is renewed.
func expiry(t ticket) time.Time {
	end, last := t.issued.Add(sessionLife), t.first.Add(sessionMost)
	if last.Before(end) {
		return last
	}
	return end
}

// give puts a session into an answer.
func (d *doorkeeper) give(c *call, t ticket, now time.Time) {
	cookie := &http.Cookie{
		Name: d.cookie, Value: t.seal(d.key), Path: "/", MaxAge: int(expiry(t).Sub(now).Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// Behind whoever ends TLS, only the browser knows that there is some.
		Secure: c.TLS != nil || strings.HasPrefix(c.Header.Get("Origin"), "https://"),
	}
	http.SetCookie(c.w, cookie)
}

func (d *doorkeeper) take(c *call) {
	http.SetCookie(c.w, &http.Cookie{Name: d.cookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// byKey reports whether a key is the one. It takes as long for a wrong one as
// for the right one.
func (d *doorkeeper) byKey(accessKey, secretKey string) bool {
	return same(accessKey, d.auth.AccessKey)&same(secretKey, d.auth.SecretKey) == 1
}

// byLink reports whether a link's token is good, which it then is no more.
func (d *doorkeeper) byLink(token string, now time.Time) bool {
	t, ok := openTicket(token, "link", linkKey(d.auth))
	end := t.first.Add(linkLife)
	return ok && !t.first.Before(d.started) && !now.After(end) && t.first.Before(now.Add(time.Minute)) && d.spend(t, end, now)
}

// userOf returns who makes a call, and renews the session; empty if nobody is
// signed in.
func (s *Console) userOf(c *call) string {
	if s.keeper == nil {
		return anonymous
	}
	now := s.c.Now()
	t, ok := s.keeper.session(c.Request, now)
	if !ok {
		return ""
	}
	if now.Sub(t.issued) > renewAfter {
		t.issued = now
		s.keeper.give(c, t, now)
	}
	return s.keeper.auth.AccessKey
}

// anonymous is who asks a console that asks nobody to sign in.
const anonymous = "anonymous"

type sessionView struct {
	User          string                          `json:"user"`
	Login         bool                            `json:"login"`
	ReadOnly      bool                            `json:"readOnly"`
	Expires       int64                           `json:"expires"`
	Version       string                          `json:"version"`
	Account       string                          `json:"account"`
	Region        string                          `json:"region"`
	Setup         string                          `json:"setup"`
	Role          string                          `json:"role"`
	MaxDefinition int                             `json:"maxDefinition"`
	Words         map[service]map[string]wordList `json:"words"`
	PausedAll     *pauseView                      `json:"pausedAll"`
	Now           int64                           `json:"now"`
}

func (s *Console) getSession(c *call) (any, error) { return s.viewSession(c) }

func (s *Console) viewSession(c *call) (sessionView, error) {
	now := s.c.Now()
	v := sessionView{User: c.user, Login: s.keeper != nil, ReadOnly: s.c.ReadOnly, Now: millis(now), Words: map[service]map[string]wordList{}}
	if c.user == "" {
		return v, nil
	}
	if s.keeper != nil {
		if t, ok := s.keeper.session(c.Request, now); ok {
			v.Expires = millis(expiry(t))
		} else {
			v.Expires = millis(now.Add(sessionLife)) // it has just begun
		}
	}
	v.Version, v.Account, v.Region, v.Setup, v.Role, v.MaxDefinition = s.c.Version, s.c.Account, s.c.Region, s.c.Setup, s.c.Role, s.c.MaxDefinition
	v.Words = words(s.c.ShowSkipped)
	all, _, err := s.pauses(c.Context())
	v.PausedAll = all
	return v, err
}

func (s *Console) login(c *call) (any, error) {
	var in struct {
		AccessKey string `json:"accessKey"`
		SecretKey string `json:"secretKey"`
		Token     string `json:"token"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if s.keeper == nil {
		return s.viewSession(c)
	}
	now := s.c.Now()
	if in.Token == "" {
		if err := s.tryKey(c, in.AccessKey, in.SecretKey, now); err != nil {
			return nil, err
		}
	} else if !s.keeper.byLink(in.Token, now) {
		return nil, &refusal{http.StatusUnauthorized, "signedOut",
			"this link was used before, or is older than ten minutes: `fairlead console` prints a new one"}
	}
	s.keeper.give(c, newTicket("session", now), now)
	c.user = s.keeper.auth.AccessKey
	s.c.Log.InfoContext(c.Context(), "console: signed in", "by", c.user, "from", c.RemoteAddr, "link", in.Token != "")
	return s.viewSession(c)
}

// tryKey refuses a key that is not the one, and any key of those who have tried
// too many.
func (s *Console) tryKey(c *call, accessKey, secretKey string, now time.Time) error {
	from := guesser(c.RemoteAddr)
	if wait, all := s.keeper.guesses.take(from, now); wait > 0 {
		seconds := int64((wait + time.Second - 1) / time.Second)
		c.w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
		where := "from this address"
		if all {
			where = "from everywhere"
		}
		return &refusal{http.StatusTooManyRequests, "throttled", fmt.Sprintf(
			"too many wrong keys were tried %s: wait %d s, or open the link that `fairlead console` prints", where, seconds)}
	}
	if !s.keeper.byKey(accessKey, secretKey) {
		s.c.Log.WarnContext(c.Context(), "console: a wrong key was tried", "from", c.RemoteAddr)
		return &refusal{http.StatusUnauthorized, "signedOut", "this is not the key of the server; `fairlead env` prints it"}
	}
	s.keeper.guesses.giveBack(from)
	return nil
}

func (s *Console) logout(c *call) (any, error) {
	if s.keeper != nil {
		now := s.c.Now()
		if t, ok := s.keeper.session(c.Request, now); ok {
			if err := s.keeper.ended.end(c.Context(), t, now); err != nil {
				return nil, err
			}
		}
		s.keeper.take(c)
	}
	return struct{}{}, nil
}

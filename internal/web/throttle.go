package web

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// How often one may try keys that turn out to be wrong: so many at once, and
// then one in so long. Links are not counted: nobody guesses a signature, and
// whoever is at the server signs in by one whatever others do.
const (
	triesOfOne = 10
	paceOfOne  = 6 * time.Second
	triesOfAll = 100
	paceOfAll  = 600 * time.Millisecond
	// mostGuessers bounds the addresses that are told from each other.
	mostGuessers = 10_000
)

// A throttle bounds how many wrong keys are tried, from one address and in all.
type throttle struct {
	mu  sync.Mutex // guards what follows
	all tries
	of  map[netip.Prefix]tries
}

func newThrottle() *throttle { return &throttle{of: map[netip.Prefix]tries{}} }

// Tries are those that are used up: so many at a moment, fewer later.
type tries struct {
	used float64
	at   time.Time
}

// left returns tries as they are at a moment.
func (t tries) left(now time.Time, pace time.Duration) tries {
	if since := now.Sub(t.at); since > 0 {
		t.used = max(0, t.used-float64(since)/float64(pace))
	}
	t.at = now
	return t
}

// wait is how long until there is one more try of so many.
func (t tries) wait(most int, pace time.Duration) time.Duration {
	return time.Duration(max(0, t.used+1-float64(most)) * float64(pace))
}

// take uses up one try of an address, or returns how long there is none, and
// whether that is for all addresses. A try that was good is given back.
func (t *throttle) take(from netip.Prefix, now time.Time) (wait time.Duration, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, every := t.of[from].left(now, paceOfOne), t.all.left(now, paceOfAll)
	if wait := one.wait(triesOfOne, paceOfOne); wait > 0 {
		return wait, false
	}
	if wait := every.wait(triesOfAll, paceOfAll); wait > 0 {
		return wait, true
	}
	one.used++
	every.used++
	if _, known := t.of[from]; !known && len(t.of) >= mostGuessers {
		maps.DeleteFunc(t.of, func(_ netip.Prefix, o tries) bool { return o.left(now, paceOfOne).used == 0 })
	}
	if _, known := t.of[from]; known || len(t.of) < mostGuessers {
		t.of[from] = one // else the bound of all holds it
	}
	t.all = every
	return 0, false
}

func (t *throttle) giveBack(from netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all.used = max(0, t.all.used-1)
	if one, known := t.of[from]; known {
		one.used = max(0, one.used-1)
		t.of[from] = one
	}
}

// guesser is whom tries from a remote address count for: of IPv6, the network
// that one household or host gets.
func guesser(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{} // those count together
	}
	bits := 32
	if a = a.Unmap().WithZone(""); a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // it is one of the lengths that there are
	return p
}

package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// setHeaders puts on an answer what keeps its content where it belongs:
// nothing from elsewhere runs in a page, no page is framed, kept or named to
// others.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// A refusal is a request that is turned away before it is looked at.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

// guard turns away what does not come from a person at a browser who may
// read: other hosts' names, which a page elsewhere could have pointed at
// this machine; other methods; and those without the key.
func (s *Console) guard(w http.ResponseWriter, r *http.Request) error {
	if !s.knownHost(r.Host) {
		return &refusal{http.StatusMisdirectedRequest, fmt.Sprintf(
			"this server does not answer to the name %q; ask it as localhost or 127.0.0.1, or name the host among the server's public hosts", clip(r.Host, 200))}
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return &refusal{http.StatusMethodNotAllowed, fmt.Sprintf("the console only reads; it does not take %s", clip(r.Method, 20))}
	}
	if !s.c.Auth.admits(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="Fairlead", charset="UTF-8"`)
		return &refusal{http.StatusUnauthorized, "sign in with the access key as user name and the secret key as password; fairlead env prints both"}
	}
	return nil
}

// knownHost reports whether host, which may carry a port, means this machine
// or is one of the configured names.
func (s *Console) knownHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err == nil && a.Unmap().IsLoopback() {
		return true
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	for _, h := range s.c.Hosts {
		if host == strings.ToLower(h) {
			return true
		}
	}
	return false
}

// admits reports whether r shows the key. It takes as long for a wrong one
// as for the right one.
func (a *Auth) admits(r *http.Request) bool {
	if a == nil {
		return true
	}
	user, password, _ := r.BasicAuth()
	return same(user, a.AccessKey)&same(password, a.SecretKey) == 1
}

// same compares digests, so that the time does not tell lengths either.
func same(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

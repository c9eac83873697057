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

// policy is what a page may do: show and run what comes from here, and nothing
// else. Nothing written into a page runs.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// setHeaders puts on an answer what keeps its content where it belongs:
// nothing from elsewhere runs in a page, no page is framed, kept or named to
// others.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// checkHost turns away requests under other hosts' names, which a page
// elsewhere could have pointed at this machine.
func (s *Console) checkHost(r *http.Request) error {
	if s.knownHost(r.Host) {
		return nil
	}
	return &refusal{http.StatusMisdirectedRequest, "denied", fmt.Sprintf(
		"this server does not answer to the name %q; ask it as localhost or 127.0.0.1, or start it with --console-host", clip(r.Host, 200))}
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

// same compares digests, so that the time does not tell lengths either.
func same(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

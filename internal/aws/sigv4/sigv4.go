// Package sigv4 checks AWS Signature Version 4: in a header or in a query,
// over whole bodies or chunk by chunk. It knows keys only by an interface,
// and nothing of what their owners may do.
package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeFormat = "20060102T150405Z"
	// longestLife bounds a presigned request, as AWS does.
	longestLife = 7 * 24 * time.Hour
	maxSigned   = 100 // headers in one signature
)

// Keys finds the secret behind an access key.
type Keys interface {
	// Key returns the key, and false if there is none of that name. token is
	// the session token that came along: it may say which key it is, and is
	// compared with that of the key by the caller.
	Key(ctx context.Context, accessKey, token string) (Key, bool, error)
}

// A Key is one credential.
type Key struct {
	Secret string
	// Token is the session token that must come with a temporary credential;
	// empty for a long-term one, which must come without.
	Token string
	// Expires is when a temporary credential ends; zero is never.
	Expires time.Time
	// Account and ARN say whose key it is.
	Account, ARN string
	// Role is the ARN of the role that a temporary credential acts in; empty
	// for others.
	Role string
}

// An Identity is who signed a request.
type Identity struct {
	AccessKey, Account, ARN string
	// Region and Service are those of the signature's scope.
	Region, Service string
	// Role is that of the key.
	Role string
}

type identityKey struct{}

// WithIdentity returns a context that knows who is calling.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// IdentityOf returns who is calling, and false if nobody signed.
func IdentityOf(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// A Verifier checks requests to one service.
type Verifier struct {
	Keys Keys
	// Service is the name that scopes must have, such as "s3".
	Service string
	// Region is the region that scopes must have; empty allows any.
	Region string
	Flavor Flavor
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	last atomic.Pointer[derived]
}

// A derived key is good for a day in one scope, and takes four times the work
// of the signature itself.
type derived struct {
	secret, day, region, service string
	key                          []byte
}

// Verify checks a request whose whole body has been read, and returns who
// signed it. The body is hashed here, whatever the client says of it. Its
// error is an [*Error], or that of Keys.
func (v *Verifier) Verify(r *http.Request, body []byte) (Identity, error) {
	sig, err := v.parse(r)
	if err != nil {
		return Identity{}, err
	}
	id, _, err := v.check(r, sig, sha(body))
	return id, err
}

// Scope returns the region and service that a request claims to be signed
// for, without checking anything, so that a router can tell services apart.
// It returns false for a request that is not signed or not well formed.
func Scope(r *http.Request) (region, service string, ok bool) {
	if isOldQuery(r) {
		return "", "s3", true
	}
	sig, err := (&Verifier{}).parse(r)
	if err != nil {
		return "", "", false
	}
	return sig.region, sig.service, true
}

// A signature is what a request says of how it was signed.
type signature struct {
	accessKey, day, region, service string
	headers                         []string // lower case, as listed
	sum                             string
	token                           string
	at                              time.Time
	life                            time.Duration // of a presigned request
	presigned                       bool
}

func (s *signature) scope() string {
	return s.day + "/" + s.region + "/" + s.service + "/" + terminator
}

// parse reads the signature without judging it.
func (v *Verifier) parse(r *http.Request) (*signature, error) {
	if auth := r.Header.Get("Authorization"); auth != "" {
		return v.parseHeader(r, auth)
	}
	// Only a query with the letters of a signature is worth taking apart.
	if strings.Contains(r.URL.RawQuery, "X-Amz-") {
		if q := r.URL.Query(); q.Has("X-Amz-Algorithm") || q.Has("X-Amz-Signature") || q.Has("X-Amz-Credential") {
			return v.parseQuery(q)
		}
	}
	return nil, v.fault(Missing, "the request is not signed: it has no Authorization header")
}

func (v *Verifier) parseHeader(r *http.Request, auth string) (*signature, error) {
	scheme, rest, _ := strings.Cut(auth, " ")
	if scheme != algorithm {
		return nil, v.fault(Malformed, "the Authorization header must begin with %s", algorithm)
	}
	sig := &signature{token: r.Header.Get("X-Amz-Security-Token")}
	var credential, headers string
	for part := range strings.SplitSeq(rest, ",") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
		case "Credential":
			credential = value
		case "SignedHeaders":
			headers = value
		case "Signature":
			sig.sum = value
		}
	}
	for _, part := range []struct{ name, value string }{{"Credential", credential}, {"SignedHeaders", headers}, {"Signature", sig.sum}} {
		if part.value == "" {
			return nil, v.fault(Malformed, "the Authorization header lacks %s", part.name)
		}
	}
	if !sig.credential(credential) {
		return nil, v.fault(Malformed, "the credential must have the form key/date/region/service/%s", terminator)
	}
	if !sig.signed(headers) {
		return nil, v.fault(Malformed, "more than %d signed headers", maxSigned)
	}
	var ok bool
	if stamp := r.Header.Get("X-Amz-Date"); stamp != "" {
		sig.at, ok = parseTime(stamp)
	} else if stamp = r.Header.Get("Date"); stamp != "" {
		sig.at, ok = parseDate(stamp)
	}
	if !ok {
		return nil, v.fault(Malformed, "the request needs an X-Amz-Date header of the form 20261121T080000Z")
	}
	return sig, nil
}

func (v *Verifier) parseQuery(q url.Values) (*signature, error) {
	for _, name := range []string{"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"} {
		if values := q["X-Amz-"+name]; len(values) != 1 || values[0] == "" {
			return nil, v.fault(MalformedQ, "the query must have X-Amz-%s once", name)
		}
	}
	if q.Get("X-Amz-Algorithm") != algorithm {
		return nil, v.fault(MalformedQ, "X-Amz-Algorithm must be %s", algorithm)
	}
	sig := &signature{presigned: true, sum: q.Get("X-Amz-Signature"), token: q.Get("X-Amz-Security-Token")}
	if !sig.credential(q.Get("X-Amz-Credential")) {
		return nil, v.fault(MalformedQ, "X-Amz-Credential must have the form key/date/region/service/%s", terminator)
	}
	if !sig.signed(q.Get("X-Amz-SignedHeaders")) {
		return nil, v.fault(MalformedQ, "more than %d signed headers", maxSigned)
	}
	var ok bool
	if sig.at, ok = parseTime(q.Get("X-Amz-Date")); !ok {
		return nil, v.fault(MalformedQ, "X-Amz-Date must have the form 20261121T080000Z")
	}
	seconds, err := strconv.ParseInt(q.Get("X-Amz-Expires"), 10, 32)
	sig.life = time.Duration(seconds) * time.Second
	if err != nil || sig.life < 0 || sig.life > longestLife {
		return nil, v.fault(MalformedQ, "X-Amz-Expires must be 0 to %d seconds", int(longestLife.Seconds()))
	}
	return sig, nil
}

func (s *signature) credential(c string) bool {
	// Access keys of other systems may contain slashes; the scope may not.
	parts := strings.Split(c, "/")
	n := len(parts) - 4
	if n < 1 || len(c) > 512 || parts[n+3] != terminator {
		return false
	}
	s.accessKey = strings.Join(parts[:n], "/")
	s.day, s.region, s.service = parts[n], parts[n+1], parts[n+2]
	return s.accessKey != ""
}

func (s *signature) signed(list string) bool {
	if strings.Count(list, ";") >= maxSigned {
		return false
	}
	s.headers = strings.Split(list, ";")
	return true
}

func parseTime(s string) (time.Time, bool) {
	t, err := time.Parse(timeFormat, s)
	return t, err == nil
}

// parseDate reads a Date header, which clients write in more ways than one.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{timeFormat, time.RFC1123, time.RFC1123Z} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// skew is how much clocks may differ.
func (v *Verifier) skew() time.Duration {
	if v.Flavor == S3 {
		return 15 * time.Minute
	}
	return 5 * time.Minute
}

// check verifies sig against the request with the given payload hash, and
// returns the key for chunk signatures too.
func (v *Verifier) check(r *http.Request, sig *signature, payload string) (Identity, []byte, error) {
	if err := v.checkTime(sig); err != nil {
		return Identity{}, nil, err
	}
	if sig.day != sig.at.Format("20060102") {
		return Identity{}, nil, v.fault(v.scopeFault(), "the credential's date %q is not that of the request, %s", sig.day, sig.at.Format("20060102"))
	}
	if sig.service != v.Service || v.Region != "" && sig.region != v.Region {
		return Identity{}, nil, v.fault(BadScope, "the credential is for %.50q in %.50q, not for %q in %q", sig.service, sig.region, v.Service, v.Region)
	}
	if err := v.checkHeaders(r, sig); err != nil {
		return Identity{}, nil, err
	}
	key, known, err := v.Keys.Key(r.Context(), sig.accessKey, sig.token)
	if err != nil {
		return Identity{}, nil, err
	}
	if !known {
		return Identity{}, nil, v.fault(UnknownKey, "the access key %.50q is not known here", sig.accessKey)
	}
	if subtle.ConstantTimeCompare([]byte(key.Token), []byte(sig.token)) != 1 {
		return Identity{}, nil, v.fault(BadToken, "the session token is missing, or is not that of the access key")
	}
	if !key.Expires.IsZero() && !v.now().Before(key.Expires) {
		return Identity{}, nil, v.fault(Expired, "the session ended at %s", key.Expires.UTC().Format(time.RFC3339))
	}
	signing := v.signingKey(key.Secret, sig)
	var room [1 << 10]byte // as much as most requests need
	want := sum(signing, stringToSign(algorithm, sig, sha(canonical(room[:0], r, sig, v.Flavor == S3, payload))))
	if subtle.ConstantTimeCompare([]byte(want), []byte(sig.sum)) != 1 {
		return Identity{}, nil, v.fault(Mismatch, "the signature is not that of this request under the secret of access key %.50q", sig.accessKey)
	}
	return Identity{sig.accessKey, key.Account, key.ARN, sig.region, sig.service, key.Role}, signing, nil
}

func (v *Verifier) scopeFault() Fault {
	if v.Flavor == S3 {
		return BadScope
	}
	return Mismatch
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

func (v *Verifier) checkTime(sig *signature) error {
	age := v.now().Sub(sig.at)
	if age < -v.skew() || !sig.presigned && age > v.skew() {
		return v.fault(Skewed, "the request was signed at %s, the time here is %s", sig.at.Format(timeFormat), v.now().UTC().Format(timeFormat))
	}
	if sig.presigned && age > sig.life {
		return v.fault(PastDue, "the request has expired: it was good until %s", sig.at.Add(sig.life).Format(timeFormat))
	}
	return nil
}

// checkHeaders requires the headers that steer a request to be signed, so
// that nobody can add one on the way.
func (v *Verifier) checkHeaders(r *http.Request, sig *signature) error {
	if !slices.Contains(sig.headers, "host") {
		return v.fault(Mismatch, "the host header must be signed")
	}
	const ours = "x-amz-"
	for name := range r.Header {
		if len(name) < len(ours) || !strings.EqualFold(name[:len(ours)], ours) {
			continue
		}
		switch name = strings.ToLower(name); {
		case slices.Contains(sig.headers, name):
		case name == "x-amz-user-agent":
		case name == "x-amz-content-sha256" && (sig.presigned || v.Flavor != S3):
			// The body is hashed, or its hash is in the query.
		default:
			return v.fault(Unsigned, "the header %.50s must be signed", name)
		}
	}
	return nil
}

// signingKey derives the key for sig's scope, unless it is the one that was
// derived last.
func (v *Verifier) signingKey(secret string, sig *signature) []byte {
	if d := v.last.Load(); d != nil && d.secret == secret && d.day == sig.day && d.region == sig.region && d.service == sig.service {
		return d.key
	}
	key := signingKey(secret, sig)
	v.last.Store(&derived{secret, sig.day, sig.region, sig.service, key})
	return key
}

func signingKey(secret string, sig *signature) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{sig.day, sig.region, sig.service, terminator} {
		key = mac(key, part)
	}
	return key
}

func stringToSign(algorithm string, sig *signature, lines ...string) string {
	return strings.Join(append([]string{algorithm, sig.at.Format(timeFormat), sig.scope()}, lines...), "\n")
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

func sum(key []byte, s string) string { return hex.EncodeToString(mac(key, s)) }

func sha(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

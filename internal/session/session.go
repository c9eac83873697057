// Package session gives each attempt of a task the temporary credentials of
// its workflow's role, through the protocol by which containers get theirs on
// AWS and which every AWS SDK speaks. Nothing is kept: tokens and keys follow
// from one secret, so that they outlive a restart of the server.
package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"fairlead/internal/aws/arn"
	"fairlead/internal/aws/sigv4"
	"fairlead/internal/flow"
	"fairlead/internal/role"
)

// An Attempt names one attempt of a task.
type Attempt struct {
	Run  flow.RunID  `json:"r"`
	Task flow.TaskID `json:"t"`
	N    int         `json:"n"`
}

// Attempts knows which attempts are under way.
type Attempts interface {
	// Role returns the ARN of the role of an attempt's workflow. An attempt
	// that is over, or never was, is a flow.Denied error.
	Role(ctx context.Context, a Attempt) (string, error)
}

// Credentials are what a task signs with for a while.
type Credentials struct {
	AccessKey, SecretKey, Token string
	Expires                     time.Time
	// Role is the ARN of the role whose credentials they are.
	Role string
}

// Config is what an issuer works with. Secret, Life, Roles and Attempts must
// be set.
type Config struct {
	// Secret is what all tokens and keys follow from.
	Secret []byte
	// Life is how long credentials are good for.
	Life     time.Duration
	Roles    *role.Book
	Attempts Attempts
	// Strict refuses roles without an entry in Roles.
	Strict bool
	// Assume returns the credentials of the real role behind r, or of this
	// machine where r says so; nil refuses such roles.
	Assume func(ctx context.Context, r role.Role, session string) (Credentials, error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// An Issuer issues credentials, and knows those that it has issued.
type Issuer struct {
	Config

	mu      sync.Mutex // guards what follows
	assumed map[string]Credentials
}

// New returns an issuer.
func New(c Config) *Issuer {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Issuer{Config: c, assumed: map[string]Credentials{}}
}

// maxToken bounds a token in bytes: the names in it have bounds of their own.
const maxToken = 8 << 10

// Token returns the secret by which an attempt asks for its credentials. It
// is always the same for the same attempt.
func (i *Issuer) Token(a Attempt) string { return i.seal("attempt", a) }

// Attempt returns the attempt of a token, and false for a token that is none.
func (i *Issuer) Attempt(token string) (a Attempt, ok bool) {
	return a, i.unseal("attempt", token, &a)
}

// Credentials returns the credentials of the attempt that token belongs to.
// Those of an attempt that is over, and of a role that there is none of, are
// flow.Denied.
func (i *Issuer) Credentials(ctx context.Context, token string) (Credentials, error) {
	a, ok := i.Attempt(token)
	if !ok {
		return Credentials{}, flow.Errorf(flow.Denied, "the authorization token is not that of a task of this server")
	}
	roleArn, err := i.Attempts.Role(ctx, a)
	if err != nil {
		return Credentials{}, err
	}
	r, known := i.Roles.Find(roleArn)
	if !known && i.Strict {
		return Credentials{}, flow.Errorf(flow.Denied, "the role %s has no entry in the file of roles, and the server demands one", roleArn)
	}
	if r.Assume != "" {
		return i.assume(ctx, roleArn, r, sessionName(a))
	}
	return i.issue(roleArn, a), nil
}

// A pass is what the session token of credentials says. Its owner may read
// it, and cannot change it.
type pass struct {
	Role    string `json:"r"`
	Session string `json:"s"`
	Expires int64  `json:"e"` // seconds since 1970
	Nonce   string `json:"n"`
	// Attempt is whose it is, and with whose end it ends.
	Attempt Attempt `json:"a"`
}

func (i *Issuer) issue(roleArn string, a Attempt) Credentials {
	expires := i.Now().Add(i.Life).Truncate(time.Second)
	token := i.seal("session", pass{roleArn, sessionName(a), expires.Unix(), rand.Text(), a})
	c := i.keyOf(token)
	c.Expires, c.Role = expires, roleArn
	return c
}

// keyOf derives the key that goes with a session token.
func (i *Issuer) keyOf(token string) Credentials {
	return Credentials{
		AccessKey: "ASIA" + base32.StdEncoding.EncodeToString(i.mac("access key", token))[:16],
		SecretKey: base64.StdEncoding.EncodeToString(i.mac("secret key", token))[:40],
		Token:     token,
	}
}

// Key returns the key that was issued with a session token, and false if none
// was. That of an attempt that is over has expired.
func (i *Issuer) Key(ctx context.Context, accessKey, token string) (sigv4.Key, bool, error) {
	var p pass
	if !strings.HasPrefix(accessKey, "ASIA") || !i.unseal("session", token, &p) {
		return sigv4.Key{}, false, nil
	}
	c := i.keyOf(token)
	role, err := arn.Parse(p.Role)
	if c.AccessKey != accessKey || err != nil {
		return sigv4.Key{}, false, nil
	}
	expires := time.Unix(p.Expires, 0)
	_, err = i.Attempts.Role(ctx, p.Attempt)
	switch {
	case flow.KindOf(err) == flow.Denied && err != nil:
		if now := i.Now().Truncate(time.Second); now.Before(expires) {
			expires = now
		}
	case err != nil:
		return sigv4.Key{}, false, fmt.Errorf("look whose key %s is: %w", accessKey, err)
	}
	return sigv4.Key{
		Secret: c.SecretKey, Token: token, Expires: expires, Account: role.Account,
		ARN: Caller(p.Role, p.Session), Role: p.Role,
	}, true, nil
}

// Caller returns the ARN by which AWS names who acts in a role.
func Caller(roleArn, session string) string {
	a, err := arn.Parse(roleArn)
	if err != nil {
		return roleArn
	}
	return fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", a.Partition, a.Account, role.Name(roleArn), session)
}

// assume returns the credentials of a real role, which are asked for again
// when little of their time is left.
func (i *Issuer) assume(ctx context.Context, roleArn string, r role.Role, session string) (Credentials, error) {
	if i.Assume == nil {
		return Credentials{}, flow.Errorf(flow.Denied, "the role %s is to be assumed at AWS, which this server is not set up for", roleArn)
	}
	key := fmt.Sprintf("%s\x00%+v\x00%s", roleArn, r, session)
	now := i.Now()
	i.mu.Lock()
	defer i.mu.Unlock() // one at a time: who comes next finds what this one got
	if c, ok := i.assumed[key]; ok && (c.Expires.IsZero() || now.Before(c.Expires.Add(-i.Life/4))) {
		return c, nil
	}
	c, err := i.Assume(ctx, r, session)
	if err != nil {
		return Credentials{}, flow.Errorf(flow.Denied, "assume the role %s for %s: %w", r.Assume, roleArn, err)
	}
	for k, old := range i.assumed {
		if !old.Expires.IsZero() && !now.Before(old.Expires) || len(i.assumed) >= maxAssumed {
			delete(i.assumed, k)
		}
	}
	if !c.Expires.IsZero() { // those without an end may change at any time
		i.assumed[key] = c
	}
	if c.Role == "" {
		c.Role = roleArn
	}
	return c, nil
}

// maxAssumed bounds the credentials that are kept for another question.
const maxAssumed = 1000

// notInSession are the characters that AWS refuses in the name of a session.
var notInSession = regexp.MustCompile(`[^\w+=,.@-]+`)

// sessionName names the session of an attempt, in at most 64 characters.
func sessionName(a Attempt) string {
	end := fmt.Sprintf(".%d", a.N)
	name := notInSession.ReplaceAllString(string(a.Run)+"."+string(a.Task), "-")
	return name[:min(len(name), 64-len(end))] + end
}

// seal returns a text that says v and that only this server can make.
func (i *Issuer) seal(what string, v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("session: encode a token: %v", err)) // they are plain structs
	}
	body := base64.RawURLEncoding.EncodeToString(data)
	return body + "." + base64.RawURLEncoding.EncodeToString(i.mac(what, body))
}

func (i *Issuer) unseal(what, token string, into any) bool {
	body, sum, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxToken {
		return false
	}
	got, err := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || !hmac.Equal(got, i.mac(what, body)) {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(body)
	return err == nil && json.Unmarshal(data, into) == nil
}

func (i *Issuer) mac(what, text string) []byte {
	h := hmac.New(sha256.New, i.Secret)
	h.Write([]byte(what + "\x00" + text))
	return h.Sum(nil)
}

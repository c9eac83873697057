package session

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"

	"log/slog"

	"fairlead/internal/flow"
	"fairlead/internal/role"
)

const roleArn = "arn:aws:iam::111122223333:role/path/etl"

// world is one attempt that may be over.
type world struct{ over bool }

func (w *world) Role(_ context.Context, a Attempt) (string, error) {
	if w.over || a.N != 2 {
		return "", flow.Errorf(flow.Denied, "over")
	}
	return roleArn, nil
}

func newIssuer(t *testing.T, roles string, change func(*Config)) (*Issuer, *world) {
	t.Helper()
	book, err := role.Open(filepath.Join(t.TempDir(), "roles.json"), nil)
	if roles != "" {
		book, err = role.Open(roles, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &world{}
	c := Config{Secret: []byte("secret"), Life: time.Hour, Roles: book, Attempts: w}
	if change != nil {
		change(&c)
	}
	return New(c), w
}

var attempt = Attempt{Run: "run", Task: "töst.a", N: 2}

func TestCredentialsAreRefreshed(t *testing.T) {
	// The SDK's clock is the real one: what is issued an hour ago has ended.
	past := true
	i, w := newIssuer(t, "", func(c *Config) {
		c.Now = func() time.Time {
			if past {
				return time.Now().Add(-time.Hour)
			}
			return time.Now()
		}
	})
	server := httptest.NewServer(i.Handler(slog.Default()))
	defer server.Close()
	env := i.Environment(server.URL, attempt)
	sdk := aws.NewCredentialsCache(endpointcreds.New(env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], func(o *endpointcreds.Options) {
		o.AuthorizationToken = env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
	}))
	first, err := sdk.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	past = false
	second, err := sdk.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	third, err := sdk.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.AccessKeyID == second.AccessKeyID || second.AccessKeyID != third.AccessKeyID {
		t.Errorf("keys of three questions: %s, %s, %s; want the first renewed and the second kept", first.AccessKeyID, second.AccessKeyID, third.AccessKeyID)
	}
	for _, c := range []aws.Credentials{first, second} {
		k, ok, err := i.Key(t.Context(), c.AccessKeyID, c.SessionToken)
		if err != nil || !ok || k.Secret != c.SecretAccessKey || !k.Expires.Equal(c.Expires) || k.Role != roleArn {
			t.Errorf("Key(%s) = %+v, %t; want the key of %+v", c.AccessKeyID, k, ok, c)
		}
		const caller = "arn:aws:sts::111122223333:assumed-role/etl/run.t-st.a.2"
		if k.ARN != caller || k.Account != "111122223333" {
			t.Errorf("the key's caller is %s of %s, want %s", k.ARN, k.Account, caller)
		}
	}
	w.over = true
	if k, ok, err := i.Key(t.Context(), second.AccessKeyID, second.SessionToken); err != nil || !ok || k.Expires.After(time.Now()) {
		t.Errorf("the key of an attempt that is over is %+v, %t, %v; want one that has expired", k, ok, err)
	}
	sdk.Invalidate()
	if c, err := sdk.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "over") {
		t.Errorf("after the end of the attempt: %+v, %v; want an error", c, err)
	}
}

func TestKeysOutliveTheIssuer(t *testing.T) {
	i, _ := newIssuer(t, "", nil)
	c, err := i.Credentials(t.Context(), i.Token(attempt))
	if err != nil {
		t.Fatal(err)
	}
	next, _ := newIssuer(t, "", nil)
	if k, ok, _ := next.Key(t.Context(), c.AccessKey, c.Token); !ok || k.Secret != c.SecretKey {
		t.Errorf("another issuer of the same secret: %+v, %t; want the key", k, ok)
	}
	if a, ok := next.Attempt(i.Token(attempt)); !ok || a != attempt {
		t.Errorf("another issuer reads the token as %+v, %t; want %+v", a, ok, attempt)
	}
	other, _ := newIssuer(t, "", func(c *Config) { c.Secret = []byte("another") })
	if _, ok, _ := other.Key(t.Context(), c.AccessKey, c.Token); ok {
		t.Error("an issuer with another secret knows the key")
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	i, _ := newIssuer(t, "", nil)
	c, err := i.Credentials(t.Context(), i.Token(attempt))
	if err != nil {
		t.Fatal(err)
	}
	token := i.Token(attempt)
	for _, bad := range []string{"", ".", "x", token[1:], token + "A", strings.Replace(token, ".", "..", 1), c.Token, strings.Repeat("x", 100<<10)} {
		if got, err := i.Credentials(t.Context(), bad); flow.KindOf(err) != flow.Denied || err == nil {
			t.Errorf("Credentials(%.40q) = %+v, %v; want them denied", bad, got, err)
		}
	}
	if _, ok, _ := i.Key(t.Context(), c.AccessKey, token); ok {
		t.Error("the token of an attempt passes for a session's")
	}
	if _, ok, _ := i.Key(t.Context(), "ASIAAAAAAAAAAAAAAAAA", c.Token); ok {
		t.Error("a session token passes with another access key")
	}
}

func TestAssumedRolesAreKept(t *testing.T) {
	calls := 0
	life := time.Now().Add(time.Hour)
	path := filepath.Join("testdata", "assume.json")
	i, _ := newIssuer(t, path, func(c *Config) {
		c.Assume = func(_ context.Context, r role.Role, session string) (Credentials, error) {
			calls++
			if r.Assume != "arn:aws:iam::444455556666:role/real" || session != "run.t-st.a.2" {
				t.Errorf("assume %+v as %s", r, session)
			}
			return Credentials{AccessKey: "ASIAREAL", Expires: life}, nil
		}
	})
	for range 2 {
		if c, err := i.Credentials(t.Context(), i.Token(attempt)); err != nil || c.AccessKey != "ASIAREAL" {
			t.Fatalf("Credentials = %+v, %v; want those of the real role", c, err)
		}
	}
	life = time.Now().Add(10 * time.Minute)
	i.Now = func() time.Time { return time.Now().Add(50 * time.Minute) }
	if _, err := i.Credentials(t.Context(), i.Token(attempt)); err != nil {
		t.Fatal(err)
	}
	if calls != 2 {
		t.Errorf("the role was assumed %d times; want once, and once more near its end", calls)
	}
}

func TestStrictRolesNeedAnEntry(t *testing.T) {
	i, _ := newIssuer(t, "", func(c *Config) { c.Strict = true })
	r := httptest.NewRequest(http.MethodGet, Path, nil)
	r.Header.Set("Authorization", i.Token(attempt))
	w := httptest.NewRecorder()
	i.Handler(slog.Default()).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), roleArn+" has no entry") {
		t.Errorf("the answer is %d %s, want 403 that names the role", w.Code, w.Body)
	}
}

package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

func TestProxy(t *testing.T) {
	say := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host, r.Header.Get("Proxy-Authorization"))
	})
	plain, safe := httptest.NewServer(say), httptest.NewTLSServer(say)
	defer plain.Close()
	defer safe.Close()
	roots := x509.NewCertPool()
	roots.AddCert(safe.Certificate())

	p := httptest.NewServer(New(func(_ context.Context, token, address string) error {
		if token == "tok.en" && (strings.HasSuffix(plain.URL, address) || strings.HasSuffix(safe.URL, address)) {
			return nil
		}
		return flow.Errorf(flow.Denied, "not there")
	}, slog.Default()))
	defer p.Close()

	for _, tt := range []struct{ name, user, url, want string }{
		{"plain", "task:tok.en", plain.URL + "/x", strings.TrimPrefix(plain.URL, "http://")},
		{"tunnel", "task:tok.en", safe.URL + "/x", strings.TrimPrefix(safe.URL, "https://")},
		{"another token", "task:other", plain.URL, "403 not there"},
		{"another token, tunnel", "task:other", safe.URL, "Forbidden"},
		{"elsewhere", "task:tok.en", "http://192.0.2.1/", "403 not there"},
		{"no token", "", plain.URL, "407 the token of a task is missing"},
	} {
		proxy, err := url.Parse(p.URL)
		if err != nil {
			t.Fatal(err)
		}
		if name, password, ok := strings.Cut(tt.user, ":"); ok {
			proxy.User = url.UserPassword(name, password)
		}
		transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
		resp, err := (&http.Client{Transport: transport}).Get(tt.url)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			got = strings.TrimSpace(string(body))
			if resp.StatusCode != http.StatusOK {
				got = fmt.Sprint(resp.StatusCode, " ", got)
			}
		}
		transport.CloseIdleConnections()
		if !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: GET %s through the proxy = %q, want %q", tt.name, tt.url, got, tt.want)
		}
	}
}

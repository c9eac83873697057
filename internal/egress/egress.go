// Package egress is the way out for tasks that may reach the endpoints of AWS
// and nothing else: an HTTP proxy that asks of each connection who wants it
// and where to. It knows neither tasks nor endpoints.
package egress

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// A Proxy takes connections where they may go.
type Proxy struct {
	allow func(ctx context.Context, token, address string) error
	log   *slog.Logger
	plain *httputil.ReverseProxy
}

// New returns a proxy. allow says whether who has the token may connect to an
// address, a host with its port: an error of kind flow.Denied if not.
func New(allow func(ctx context.Context, token, address string) error, log *slog.Logger) *Proxy {
	p := &Proxy{allow: allow, log: log}
	p.plain = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Header.Del("Proxy-Authorization")
			r.Out.Host = r.In.Host // it may be signed
		},
		Transport: &http.Transport{Proxy: nil, DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, MaxIdleConns: 32, IdleConnTimeout: time.Minute},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "the endpoint cannot be reached: "+err.Error(), http.StatusBadGateway)
		},
	}
	return p
}

// dialTime bounds how long a connection takes to be made.
const dialTime = 10 * time.Second

// Wants reports whether a request is meant for a proxy.
func Wants(r *http.Request) bool { return r.Method == http.MethodConnect || r.URL.IsAbs() }

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address := r.Host
	if r.Method != http.MethodConnect {
		if address = r.URL.Host; r.URL.Scheme != "http" {
			http.Error(w, "only http is taken without CONNECT", http.StatusBadRequest)
			return
		}
		if r.URL.Port() == "" {
			address = net.JoinHostPort(r.URL.Hostname(), "80")
		}
	}
	token, ok := basic(r.Header.Get("Proxy-Authorization"))
	if !ok {
		w.Header().Set("Proxy-Authenticate", `Basic realm="fairlead"`)
		http.Error(w, "the token of a task is missing", http.StatusProxyAuthRequired)
		return
	}
	if err := p.allow(r.Context(), token, address); err != nil {
		if e, ok := errors.AsType[*flow.Error](err); ok && e.Kind == flow.Denied {
			http.Error(w, e.Message, http.StatusForbidden)
			return
		}
		p.log.ErrorContext(r.Context(), "internal error", "door", "egress", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	if r.Method == http.MethodConnect {
		p.connect(w, r, address)
		return
	}
	p.plain.ServeHTTP(w, r)
}

// basic returns the password of an authorization with Basic.
func basic(header string) (string, bool) {
	text, ok := strings.CutPrefix(header, "Basic ")
	if !ok {
		return "", false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	_, password, ok := strings.Cut(string(raw), ":")
	return password, ok && err == nil
}

// connect joins the client with an address until both are done.
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request, address string) {
	out, err := (&net.Dialer{Timeout: dialTime}).DialContext(r.Context(), "tcp", address)
	if err != nil {
		http.Error(w, "the endpoint cannot be reached: "+err.Error(), http.StatusBadGateway)
		return
	}
	defer out.Close()
	control := http.NewResponseController(w)
	in, buffered, err := control.Hijack()
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	defer in.Close()
	_ = in.SetDeadline(time.Time{}) // errors show at the first write
	if _, err := io.WriteString(in, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, buffered)
		_ = out.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(in, out)
	in.Close()
	<-done
}

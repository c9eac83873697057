package main

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fairlead/internal/aws/sigv4"
	"fairlead/internal/egress"
	"fairlead/internal/omics"
	"fairlead/internal/ops"
	"fairlead/internal/session"
)

// Doors are what listens behind the one port.
type doors struct {
	mwaa, omics, logs, s3, sts, task, secrets, ops, console, egress http.Handler
	metrics, ready                                                  http.Handler
	// open says that signatures are not checked: then only requests that can't
	// come from a web page elsewhere are let in.
	open bool
}

// ServeHTTP finds the door that a request is for: by the operation it names,
// else by the service that its signature is for, else by what sent it. Host
// prefixes that some clients put before the address are ignored.
func (d doors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if egress.Wants(r) {
		d.egress.ServeHTTP(w, r)
		return
	}
	if d.open && !fromHere(r) {
		http.Error(w, "this server checks no signatures, so it answers only under a name of this machine, and no other site's pages", http.StatusForbidden)
		return
	}
	door, limit := d.door(r)
	// Not every writer can; then the server's own limits are all there is.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit))
	door.ServeHTTP(w, r)
}

// How long a client may take to send its request.
const (
	bodyTime    = time.Minute
	archiveTime = 10 * time.Minute // of a workflow, within the request
	objectTime  = 6 * time.Hour
)

// fromHere reports whether a request names this machine as its host, and was
// not made by a page of another origin: a browser may be made to send
// anything to an address of this machine.
func fromHere(r *http.Request) bool {
	if !isLocal(r.Host) {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && isLocal(u.Host)
}

func isLocal(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

// door returns who answers a request, and how long the client may take to
// send it.
func (d doors) door(r *http.Request) (http.Handler, time.Duration) {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		if strings.HasPrefix(target, "Logs_") {
			return d.logs, bodyTime
		}
		return d.mwaa, bodyTime
	}
	if _, service, ok := sigv4.Scope(r); ok {
		switch service {
		case "s3":
			return d.s3, objectTime
		case "logs":
			return d.logs, bodyTime
		case "sts":
			return d.sts, bodyTime
		case "airflow-serverless":
			return d.mwaa, bodyTime
		case omics.Service:
			return d.omics, archiveTime
		case ops.Service:
			return d.ops, bodyTime
		}
		return unserved(service), bodyTime
	}
	switch {
	case r.URL.Path == session.Path:
		return d.task, bodyTime
	case strings.HasPrefix(r.URL.Path, secretsPath+"/"):
		return d.secrets, bodyTime
	case strings.HasPrefix(r.URL.Path, ops.Prefix):
		return d.ops, bodyTime
	case strings.HasPrefix(r.URL.Path, "/console/"): // a bucket of that name answers to signed requests alone
		return d.console, bodyTime
	case r.URL.Path == "/healthz":
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }), bodyTime
	case r.URL.Path == "/readyz":
		return d.ready, bodyTime
	case r.URL.Path == "/metrics" && r.Method == http.MethodGet:
		return d.metrics, bodyTime
	case r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json"):
		return d.mwaa, bodyTime
	case r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		return d.sts, bodyTime
	case strings.Contains(r.Header.Get("Accept"), "text/html"), r.Header.Get("Sec-Fetch-Site") != "", r.URL.Path == "/" && r.Method != http.MethodPost:
		return d.console, bodyTime
	}
	return d.s3, objectTime
}

// unserved answers a client of a service that nobody here speaks.
func unserved(service string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-ErrorType", "UnknownOperationException")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"__type":"UnknownOperationException","message":"fairlead serves airflow-serverless, omics, s3, logs and sts; the request is for ` +
			strings.Map(plain, service) + `. Set AWS_ENDPOINT_URL_<SERVICE> to send it elsewhere."}` + "\n"))
	})
}

// plain keeps the characters that need no escape in JSON.
func plain(c rune) rune {
	if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
		return c
	}
	return -1
}

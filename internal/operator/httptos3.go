package operator

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// maxAnswer bounds the answer of a request in bytes; it is held in memory.
const maxAnswer = 256 << 20

// uploadAnswer writes the body of an HTTP answer to an object.
func uploadAnswer(ctx context.Context, a *action, c *s3.Client) error {
	bucket, key := a.object("s3_bucket", "s3_key")
	acl := a.text("acl_policy")
	if a.err == nil && a.has("auth_type") {
		a.err = &Error{Fatal: true, Message: "HttpToS3Operator: auth_type is a Python class, which cannot be used here; a login of the connection is sent as basic authentication"}
	}
	if a.err != nil {
		return a.err
	}
	conn, err := a.connect(ctx, "http_conn_id")
	if err != nil {
		return err
	}
	body, err := a.ask(ctx, &conn)
	if err != nil {
		return err
	}
	if a.flag("log_response") {
		a.log("info", "%s", clip(string(body), 1<<20))
	}
	in := &s3.PutObjectInput{Bucket: &bucket, Key: &key, ACL: types.ObjectCannedACL(acl)}
	if a.flag("encrypt") {
		in.ServerSideEncryption = types.ServerSideEncryptionAes256
	}
	return putObject(ctx, a, c, in, body, a.flag("replace"))
}

// ask makes the request of the arguments, and returns the body of its answer.
func (a *action) ask(ctx context.Context, c *connection) ([]byte, error) {
	options, headers, err := a.httpOptions(c)
	if err != nil {
		return nil, err
	}
	req, err := a.request(ctx, c)
	if err != nil {
		return nil, err
	}
	given, err := a.mapping("headers")
	if err != nil {
		return nil, err
	}
	maps.Copy(headers, given)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if v := headers[name]; v != nil {
			req.Header.Set(name, pythonText(v))
		}
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	client, err := options.client()
	if err != nil {
		return nil, err
	}
	a.log("info", "Calling HTTP method %s %s", req.Method, req.URL.Redacted())
	resp, err := client.Do(req)
	if err != nil {
		return nil, said(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, said(fmt.Errorf("read the answer: %w", err))
	case len(body) > maxAnswer:
		return nil, Errorf("the answer has more than %d bytes", maxAnswer)
	case options.check && resp.StatusCode >= 400:
		reason := strings.TrimSpace(strings.TrimPrefix(resp.Status, fmt.Sprint(resp.StatusCode)))
		a.log("error", "HTTP error: %s", reason)
		a.log("error", "%s", clip(string(body), 64<<10))
		return nil, Errorf("%d:%s", resp.StatusCode, reason)
	}
	return body, nil
}

// request puts the request together, without its headers.
func (a *action) request(ctx context.Context, c *connection) (*http.Request, error) {
	base := c.host
	if !strings.Contains(base, "://") {
		scheme := c.schema
		if scheme == "" {
			scheme = "http"
		}
		base = scheme + "://" + base
	}
	if c.port != 0 {
		base += fmt.Sprintf(":%d", c.port)
	}
	endpoint := a.text("endpoint")
	if endpoint != "" && !strings.HasSuffix(base, "/") && !strings.HasPrefix(endpoint, "/") {
		base += "/"
	}
	method := strings.ToUpper(a.needed("method"))
	if a.err != nil {
		return nil, a.err
	}
	var data any
	if raw := a.raw("data"); raw != nil {
		var err error
		if data, err = parseJSON(string(raw)); err != nil {
			return nil, Errorf("HttpToS3Operator: data: %v", err)
		}
	}
	text, kind, err := formOf(data)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(base + endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &Error{Fatal: true, Message: fmt.Sprintf("the connection %s and the endpoint %s make no URL of HTTP", c.id, clip(endpoint, 200))}
	}
	var body io.Reader = http.NoBody
	switch {
	case text == "" || method == http.MethodHead:
	case method == http.MethodGet:
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += strings.ReplaceAll(text, " ", "%20")
	default:
		body = bytes.NewReader([]byte(text))
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, &Error{Fatal: true, Message: "HttpToS3Operator: " + err.Error()}
	}
	req.Header.Set("Accept", "*/*")
	if body != http.NoBody && kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.login != "" {
		req.SetBasicAuth(c.login, c.password)
	}
	return req, nil
}

// formOf is data as the requests library sends it: a text as it is, a mapping
// or a list of pairs as a form.
func formOf(data any) (text, kind string, err error) {
	if s, ok := data.(string); ok {
		return s, "", nil
	}
	if !truthy(data) {
		return "", "", nil
	}
	var pairs []string
	add := func(name string, v any) {
		values, ok := v.([]any)
		if !ok {
			values = []any{v}
		}
		for _, v := range values {
			if v != nil {
				pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(pythonText(v)))
			}
		}
	}
	switch data := data.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(data)) {
			add(name, data[name])
		}
	case []any:
		for _, e := range data {
			pair, ok := e.([]any)
			if !ok || len(pair) != 2 {
				return "", "", Errorf("HttpToS3Operator: data must be a text, a mapping or a list of pairs")
			}
			add(pythonText(pair[0]), pair[1])
		}
	default:
		return "", "", Errorf("HttpToS3Operator: data must be a text, a mapping or a list of pairs, not %s", clip(pythonRepr(data), 80))
	}
	return strings.Join(pairs, "&"), "application/x-www-form-urlencoded", nil
}

// httpOptions are how a request is made.
type httpOptions struct {
	check, verify, follow, environment bool
	authorities                        string // a file
	timeout                            time.Duration
	redirects                          int
	proxies                            map[string]any
}

// httpOptions takes extras of the connection and extra_options apart; the
// latter go first, and extras that are no options are headers.
func (a *action) httpOptions(c *connection) (httpOptions, map[string]any, error) {
	o := httpOptions{check: true, verify: true, follow: true, environment: true, redirects: 30}
	given, err := a.mapping("extra_options")
	if err != nil {
		return o, nil, err
	}
	known := []string{"check_response", "verify", "timeout", "allow_redirects", "max_redirects", "trust_env", "proxies", "stream"}
	all, headers := map[string]any{}, map[string]any{}
	for name, v := range c.extra {
		switch renamed := map[string]string{"verify_ssl": "verify", "proxy": "proxies"}[name]; {
		case renamed != "":
			all[renamed] = v
		case slices.Contains(known, name):
			all[name] = v
		case name == "cert" || name == "srv_lookup":
			if truthy(v) {
				return o, nil, a.unknown("the connection's extras", name, known...)
			}
		default:
			headers[name] = v
		}
	}
	maps.Copy(all, given)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		v := all[name]
		// Extras of a URI are texts.
		yes := truthy(v) && !slices.Contains([]string{"false", "0", "no"}, strings.ToLower(pythonText(v)))
		switch name {
		case "check_response":
			o.check = yes
		case "verify":
			o.verify = yes
			if s, ok := v.(string); ok && strings.Contains(s, "/") {
				o.authorities = s
			}
		case "allow_redirects":
			o.follow = yes
		case "trust_env":
			o.environment = yes
		case "max_redirects", "timeout":
			var n float64
			if v != nil && json.Unmarshal([]byte(pythonText(v)), &n) != nil || n < 0 || n > 1e6 {
				return o, nil, Errorf("HttpToS3Operator: %s must be a number, not %s", name, clip(pythonRepr(v), 80))
			}
			if name == "timeout" {
				o.timeout = time.Duration(n * float64(time.Second))
			} else {
				o.redirects = int(n)
			}
		case "proxies":
			m, ok := v.(map[string]any)
			if !ok && truthy(v) {
				return o, nil, Errorf("HttpToS3Operator: proxies must be a mapping of schemes to URLs")
			}
			o.proxies = m
		case "stream": // the answer is read whole either way
		default:
			return o, nil, a.unknown("extra_options", name, known...)
		}
	}
	return o, headers, nil
}

// client returns what makes requests so.
func (o *httpOptions) client() (*http.Client, error) {
	t := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: !o.verify}} //nolint:gosec // as the user asks
	if o.environment {
		t.Proxy = http.ProxyFromEnvironment
	}
	if len(o.proxies) > 0 {
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			s, ok := o.proxies[r.URL.Scheme].(string)
			if !ok || s == "" {
				return nil, nil
			}
			return url.Parse(s)
		}
	}
	if o.authorities != "" {
		text, err := os.ReadFile(o.authorities)
		if err != nil {
			return nil, Errorf("verify: %v", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, Errorf("verify: %s has no certificate in it", o.authorities)
		}
	}
	return &http.Client{Transport: t, Timeout: o.timeout, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		switch {
		case !o.follow:
			return http.ErrUseLastResponse
		case len(via) > o.redirects:
			return errors.New("too many redirects")
		}
		return nil
	}}, nil
}

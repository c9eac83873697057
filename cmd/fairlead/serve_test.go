package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestSettingsThatCannotWork checks that a setting under which nothing could
// run is refused at the start, by name.
func TestSettingsThatCannotWork(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*options)
		want   string
	}{
		{"no slots", func(o *options) { o.tasks = 0 }, "--tasks 0"},
		{"network", func(o *options) { o.network = "bridge" }, "--network"},
		{"memory", func(o *options) { o.memory = 100 }, "--task-memory"},
		{"disk", func(o *options) { o.disk = 100 }, "--task-disk"},
		{"cpus", func(o *options) { o.cpus = -1 }, "--task-cpus"},
		{"account", func(o *options) { o.account = "12" }, "--account"},
		{"region", func(o *options) { o.region = "us_east" }, "--region"},
		{"s3", func(o *options) { o.s3 = "foo" }, "--s3-endpoint"},
		{"address", func(o *options) { o.listen = "foo" }, "--listen"},
		{"python", func(o *options) { o.python = "nosuchpy" }, "--python"},
		{"anonymous for all", func(o *options) { o.anonymous, o.listen = true, "0.0.0.0:0" }, "--anonymous"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := defaultOptions()
			opt.data, opt.listen = dataDir(t.TempDir()), "127.0.0.1:0"
			tt.change(&opt)
			a, err := start(opt)
			if err == nil {
				a.close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("start: got %v, want an error that names %s", err, tt.want)
			}
		})
	}
}

// TestSecondServer checks that a directory or a database has one server.
func TestSecondServer(t *testing.T) {
	first := defaultOptions()
	first.data, first.listen = dataDir(t.TempDir()), "127.0.0.1:0"
	a, err := start(first)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if b, err := start(first); err == nil || !strings.Contains(err.Error(), "another fairlead server uses") {
		if err == nil {
			b.close()
		}
		t.Errorf("a second server on the same directory: got %v", err)
	}
	second := first
	second.data, second.database = dataDir(t.TempDir()), first.data.path("fairlead.db")
	if b, err := start(second); err == nil || !strings.Contains(err.Error(), "another fairlead server uses this database") {
		if err == nil {
			b.close()
		}
		t.Errorf("a second server on the same database: got %v", err)
	}
	// Nor may a directory be used with another database than its own.
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	swapped := first
	swapped.database = t.TempDir() + "/other.db"
	if b, err := start(swapped); err == nil || !strings.Contains(err.Error(), "another database") {
		if err == nil {
			b.close()
		}
		t.Errorf("a directory with another database: got %v", err)
	}
}

func TestDoors(t *testing.T) {
	name := func(s string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) })
	}
	d := doors{mwaa: name("mwaa"), logs: name("logs"), s3: name("s3"), sts: name("sts"), console: name("console")}
	signed := func(service string) string {
		return "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64)
	}
	for _, tt := range []struct {
		name, method, target string
		header               map[string]string
		open                 bool
		want                 string
	}{
		{"target", "POST", "/", map[string]string{"X-Amz-Target": "AmazonMWAAServerless.ListWorkflows"}, false, "mwaa"},
		{"old target", "POST", "/", map[string]string{"X-Amz-Target": "com.amazonaws.mwaaserverless.AmazonMWAAServerless.ListWorkflows"}, false, "mwaa"},
		{"logs", "POST", "/", map[string]string{"X-Amz-Target": "Logs_20140328.GetLogEvents"}, false, "logs"},
		{"s3 by signature", "GET", "/bucket/key", map[string]string{"Authorization": signed("s3"), "Accept": "text/html"}, false, "s3"},
		{"s3 presigned, in a browser", "GET", "/b/k?AWSAccessKeyId=a&Signature=b&Expires=1", map[string]string{"Accept": "text/html"}, false, "s3"},
		{"sts", "POST", "/", map[string]string{"Authorization": signed("sts")}, false, "sts"},
		{"a service of nobody", "POST", "/", map[string]string{"Authorization": signed("sqs")}, false, "UnknownOperationException"},
		{"browser", "GET", "/workflows/x", map[string]string{"Accept": "text/html"}, false, "console"},
		{"style sheet off loopback", "GET", "/console/assets/a.css", map[string]string{"Accept": "text/css"}, false, "console"},
		{"unsigned object", "GET", "/bucket/key", nil, false, "s3"},
		{"health", "GET", "/healthz", nil, false, "ok"},
		{"open, from here", "GET", "/bucket/key", map[string]string{"Host": "bucket.localhost:8400"}, true, "s3"},
		{"open, another name", "GET", "/bucket/key", map[string]string{"Host": "attacker.example"}, true, "no signatures"},
		{"open, another site's page", "POST", "/", map[string]string{"Host": "127.0.0.1:8400", "Origin": "http://attacker.example"}, true, "no signatures"},
		{"open, own page", "POST", "/", map[string]string{"Host": "[::1]:8400", "Origin": "http://localhost:8400", "X-Amz-Target": "AmazonMWAAServerless.ListWorkflows"}, true, "mwaa"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d.open = tt.open
			r := httptest.NewRequest(tt.method, tt.target, nil)
			r.Header.Set("X-Amz-Date", "20261121T080000Z")
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			if host := tt.header["Host"]; host != "" {
				r.Host = host
			}
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			if !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("%s %s %v: answered by %q, want %q", tt.method, tt.target, tt.header, w.Body, tt.want)
			}
		})
	}
}

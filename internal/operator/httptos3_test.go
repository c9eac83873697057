package operator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

func TestHttpToS3(t *testing.T) {
	w := newWorld(t)
	w.bucket("bkt", "there")
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/missing":
			http.Error(rw, "not here", http.StatusNotFound)
			return
		case r.URL.Path == "/moved":
			http.Redirect(rw, r, "/end", http.StatusFound)
			return
		}
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(rw, "%s %s %s %q %s:%s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body, user, password, r.Header.Get("X-Key"))
	}))
	defer site.Close()
	get := func(args ...any) ran {
		c := call("airflow.providers.amazon.aws.transfers.http_to_s3.HttpToS3Operator", append([]any{"s3_bucket", "bkt", "replace", true, "s3_key", "a"}, args...)...)
		c.Env = map[string]string{
			"AWS_ACCESS_KEY_ID": someKeys.AccessKeyID, "AWS_SECRET_ACCESS_KEY": someKeys.SecretAccessKey,
			"AIRFLOW_CONN_HTTP_DEFAULT": strings.Replace(site.URL, "http://", "http://me:hidden-word@", 1) + "/?X-Key=from-extra",
			"AIRFLOW_CONN_PLAIN":        string(encode(map[string]any{"conn_type": "http", "host": site.URL, "extra": map[string]any{"allow_redirects": false}})),
			"AIRFLOW_CONN_NOWHERE":      "http://127.0.0.1:1/",
		}
		return run(t, w.o, c)
	}
	for _, tt := range []struct {
		args []any
		want string
	}{
		{[]any{}, `GET /  "" me:hidden-word from-extra`},
		{[]any{"endpoint", "x/y?z=1", "data", map[string]any{"b": []any{1, "c d"}, "a": true}}, `GET /x/y?z=1&a=True&b=1&b=c+d  "" me:hidden-word from-extra`},
		{[]any{"endpoint", "/x", "method", "post", "data", map[string]any{"a": 1}, "headers", map[string]any{"X-Key": "own"}}, `POST /x application/x-www-form-urlencoded "a=1" me:hidden-word own`},
		{[]any{"method", "PUT", "data", `{"a": 1}`, "headers", map[string]any{"Content-Type": "application/json"}}, `PUT / application/json "{\"a\": 1}" me:hidden-word from-extra`},
		{[]any{"endpoint", "moved", "http_conn_id", "http_default"}, `GET /end  "" me:hidden-word from-extra`},
		{[]any{"endpoint", "moved", "http_conn_id", "plain", "extra_options", map[string]any{"allow_redirects": true, "timeout": 20}}, `GET /end  "" : `},
		{[]any{"endpoint", "missing", "extra_options", map[string]any{"check_response": false}}, "not here\n"},
		{[]any{"method", "HEAD"}, ""},
	} {
		expect(t, tt.args, get(tt.args...), flow.Success, "", "")
		if got := w.text("bkt", "a"); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", encode(tt.args), got, tt.want)
		}
	}
	got := get("endpoint", "x", "log_response", true)
	expect(t, "logged", got, flow.Success, "", "")
	if !strings.Contains(got.log, "GET /x") || strings.Contains(got.log, "hidden-word") || !strings.Contains(got.log, "me:***") {
		t.Errorf("the log should have the answer, and no password:\n%s", got.log)
	}
	for _, tt := range []struct {
		args    []any
		verdict flow.Verdict
		want    string
	}{
		{[]any{"endpoint", "missing"}, flow.Failure, "404:Not Found"},
		{[]any{"s3_key", "there", "replace", false}, flow.Failure, "The key there already exists."},
		{[]any{"auth_type", "x.Y"}, flow.Fatal, "auth_type is a Python class"},
		{[]any{"extra_options", map[string]any{"cert": "a.pem"}}, flow.Fatal, "cert of extra_options is not supported here"},
		{[]any{"extra_options", map[string]any{"timeout": "soon"}}, flow.Failure, "timeout must be a number, not 'soon'"},
		{[]any{"data", 5}, flow.Failure, "data must be a text, a mapping or a list of pairs, not 5"},
		{[]any{"http_conn_id", "nowhere"}, flow.Failure, "connection refused"},
		{[]any{"http_conn_id", "other"}, flow.Failure, "The conn_id `other` isn't defined"},
	} {
		expect(t, tt.args, get(tt.args...), tt.verdict, tt.want, "")
	}
	if text, err := json.Marshal(get("http_conn_id", "plain", "endpoint", "moved").Outcome.Verdict); err != nil || string(text) != `"success"` {
		t.Errorf("a redirect that is not followed is no failure: %s, %v", text, err)
	}
}

package sigv4

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

type oneKey Key

func (k oneKey) Key(_ context.Context, name, _ string) (Key, bool, error) {
	return Key(k), name == "AKIAIOSFODNN7EXAMPLE", nil
}

// TestOldQuery checks URLs that botocore 1.44.5 presigned by default.
func TestOldQuery(t *testing.T) {
	const key = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&"
	const due = 1795260204
	for _, tt := range []struct {
		name, method, uri, contentType string
		at                             int64
		want                           Fault // -1: good
	}{
		{"get", "GET", "/bkt/a%20b/%C3%A9.txt?" + key + "Signature=zRU9eI1doOAet8u5Jcx5wcneFPc%3D&Expires=1795260204", "", due - 60, -1},
		{"put", "PUT", "/bkt/k?" + key + "Signature=IlTo4XLb3Avgi0Wtkq8AsEup7bc%3D&content-type=text%2Fplain&Expires=1795260204", "text/plain", due - 60, -1},
		{"version", "GET", "/bkt/k?versionId=v1&response-content-type=a%2Fb&" + key + "Signature=1HSFpuuIHO9fo8kkbpkEDoiCjsM%3D&Expires=1795260204", "", due - 60, -1},
		{"another method", "PUT", "/bkt/a%20b/%C3%A9.txt?" + key + "Signature=zRU9eI1doOAet8u5Jcx5wcneFPc%3D&Expires=1795260204", "", due - 60, Mismatch},
		{"another key", "GET", "/bkt/other?" + key + "Signature=zRU9eI1doOAet8u5Jcx5wcneFPc%3D&Expires=1795260204", "", due - 60, Mismatch},
		{"another type", "PUT", "/bkt/k?" + key + "Signature=IlTo4XLb3Avgi0Wtkq8AsEup7bc%3D&content-type=text%2Fplain&Expires=1795260204", "text/html", due - 60, Mismatch},
		{"too late", "GET", "/bkt/a%20b/%C3%A9.txt?" + key + "Signature=zRU9eI1doOAet8u5Jcx5wcneFPc%3D&Expires=1795260204", "", due, PastDue},
		{"for ever", "GET", "/bkt/k?" + key + "Signature=x&Expires=9999999999", "", due, MalformedQ},
		{"no time", "GET", "/bkt/k?" + key + "Signature=x&Expires=soon", "", due, MalformedQ},
		{"unknown key", "GET", "/bkt/k?AWSAccessKeyId=AKIAOTHER&Signature=x&Expires=1795260204", "", due - 60, UnknownKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := &Verifier{
				Keys: oneKey{Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Account: "1", ARN: "a"}, Service: "s3", Flavor: S3,
				Now: func() time.Time { return time.Unix(tt.at, 0) },
			}
			r := httptest.NewRequest(tt.method, tt.uri, strings.NewReader(""))
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			_, _, err := v.VerifyStream(r)
			got := Fault(-1)
			if e, ok := errors.AsType[*Error](err); ok {
				got = e.Fault
			}
			if got != tt.want {
				t.Errorf("%s %s: got fault %d (%v), want %d", tt.method, tt.uri, got, err, tt.want)
			}
			if _, service, ok := Scope(r); !ok || service != "s3" {
				t.Errorf("Scope: got %q, %v, want s3", service, ok)
			}
		})
	}
	// Only S3 takes it.
	v := &Verifier{Keys: oneKey{}, Service: "logs", Flavor: JSON}
	if _, err := v.Verify(httptest.NewRequest(http.MethodGet, "/?"+key+"Signature=x&Expires=1795260204", nil), nil); err == nil {
		t.Error("another service took the old signature")
	}
}

package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// ring is a set of keys.
type ring map[string]Key

func (k ring) Key(_ context.Context, id, _ string) (Key, bool, error) {
	key, ok := k[id]
	return key, ok, nil
}

type signCase struct {
	Name, Method, URI       string
	Headers                 map[string]string
	Body                    []byte `json:"body_base64"`
	AccessKey               string `json:"access_key"`
	SecretKey               string `json:"secret_key"`
	SessionToken            string `json:"session_token"`
	Region, Service, Expect string
	Now                     time.Time
	Accept                  []string
}

func (c *signCase) request(t *testing.T) *http.Request {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", c.Method, c.URI)
	for name, value := range c.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	b.WriteString("\r\n")
	b.Write(c.Body)
	r, err := http.ReadRequest(bufio.NewReader(&b))
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(c.Body))
	return r
}

func (c *signCase) verifier() *Verifier {
	v := &Verifier{
		Keys:    ring{c.AccessKey: {Secret: c.SecretKey, Token: c.SessionToken}},
		Service: c.Service, Region: c.Region,
		Now: func() time.Time { return c.Now },
	}
	switch c.Service {
	case "s3":
		v.Flavor = S3
	case "omics":
		v.Flavor = REST
	}
	return v
}

// verdict returns "ok" or the class of the refusal.
func (c *signCase) verdict(t *testing.T, v *Verifier) string {
	r := c.request(t)
	var err error
	if c.Service != "s3" {
		_, err = v.Verify(r, c.Body)
	} else {
		var body *Body
		if _, body, err = v.VerifyStream(r); err == nil {
			_, err = io.Copy(io.Discard, body)
		}
	}
	if err == nil {
		return "ok"
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err.Error()
	}
	if s := e.HTTPStatus(); s < 400 || s > 499 || e.Text == "" {
		t.Errorf("%s: status %d, text %q", c.Name, s, e.Text)
	}
	return e.ErrorCode()
}

func loadCases(t testing.TB) []signCase {
	file := filepath.Join("..", "..", "..", "..", "shared", "cases", "sigv4.jsonl")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("the shared cases are not here: %v", err)
	}
	var cases []signCase
	for line := range bytes.Lines(data) {
		var c signCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

func TestCases(t *testing.T) {
	for _, c := range loadCases(t) {
		if got := c.verdict(t, c.verifier()); got != c.Expect && !slices.Contains(c.Accept, got) {
			t.Errorf("%s: %s %s: got %s, want %s %v", c.Name, c.Method, c.URI, got, c.Expect, c.Accept)
		}
	}
}

func TestAnyRegion(t *testing.T) {
	for _, c := range loadCases(t) {
		v := c.verifier()
		v.Region = ""
		want := c.Expect
		if strings.HasSuffix(c.Name, "/region_wrong") {
			want = "ok"
		}
		if got := c.verdict(t, v); got != want && !slices.Contains(c.Accept, got) {
			t.Errorf("%s: got %s, want %s", c.Name, got, want)
		}
	}
}

func TestScope(t *testing.T) {
	for _, c := range loadCases(t) {
		if c.Expect != "ok" {
			continue
		}
		if region, service, ok := Scope(c.request(t)); region != c.Region || service != c.Service || !ok {
			t.Errorf("%s: Scope = %q, %q, %v, want %q, %q", c.Name, region, service, ok, c.Region, c.Service)
		}
	}
}

// docVerifier knows the key and the day of the examples in Amazon S3's
// documentation of chunked uploads.
func docVerifier() *Verifier {
	return &Verifier{
		Keys: ring{testKey: {Secret: testSecret}}, Service: "s3", Region: "us-east-1", Flavor: S3,
		Now: func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) },
	}
}

// docUpload is the first of them: 66560 times "a" in two chunks.
func docUpload(spoil func(*http.Request, *string)) *http.Request {
	chunk := func(n int, sum string) string {
		return fmt.Sprintf("%x;chunk-signature=%s\r\n%s\r\n", n, sum, strings.Repeat("a", n))
	}
	body := chunk(65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648") +
		chunk(1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497") +
		chunk(0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")
	r := httptest.NewRequest("PUT", "/examplebucket/chunkObject.txt", nil)
	r.Host = "s3.amazonaws.com"
	for name, value := range map[string]string{
		"X-Amz-Date":                   "20130524T000000Z",
		"X-Amz-Storage-Class":          "REDUCED_REDUNDANCY",
		"X-Amz-Content-Sha256":         signedChunks,
		"X-Amz-Decoded-Content-Length": "66560",
		"Content-Encoding":             "aws-chunked",
		"Content-Length":               "66824",
		"Authorization": "AWS4-HMAC-SHA256 Credential=" + testKey + "/20130524/us-east-1/s3/aws4_request," +
			"SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class," +
			"Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
	} {
		r.Header.Set(name, value)
	}
	if spoil != nil {
		spoil(r, &body)
	}
	r.Body = io.NopCloser(iotest.OneByteReader(strings.NewReader(body)))
	return r
}

func TestSignedChunks(t *testing.T) {
	_, body, err := docVerifier().VerifyStream(docUpload(nil))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(body); err != nil || string(data) != strings.Repeat("a", 66560) {
		t.Errorf("got %d bytes, %v, want 66560 bytes", len(data), err)
	}
}

func TestSpoiledChunks(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		spoil      func(*http.Request, *string)
	}{
		{"content", "SignatureDoesNotMatch", func(_ *http.Request, b *string) { *b = strings.Replace(*b, "aaa", "aba", 1) }},
		{"signature", "SignatureDoesNotMatch", func(_ *http.Request, b *string) { *b = strings.Replace(*b, "=ad80", "=ad81", 1) }},
		{"no signature", "SignatureDoesNotMatch", func(_ *http.Request, b *string) { *b = strings.Replace(*b, ";chunk-signature=", ";x=", 1) }},
		{"cut", "IncompleteBody", func(_ *http.Request, b *string) { *b = (*b)[:500] }},
		{"last chunk dropped", "IncompleteBody", func(_ *http.Request, b *string) { *b = (*b)[:strings.LastIndex(*b, "0;")] }},
		{"second chunk dropped", "SignatureDoesNotMatch", func(_ *http.Request, b *string) {
			*b = (*b)[:strings.Index(*b, "400;")] + (*b)[strings.LastIndex(*b, "0;"):]
		}},
		{"size", "IncompleteBody", func(_ *http.Request, b *string) { *b = "x" + *b }},
		{"negative size", "IncompleteBody", func(_ *http.Request, b *string) { *b = "-1;\r\n\r\n" }},
		{"more than said", "IncompleteBody", func(_ *http.Request, b *string) { *b = "fffffff;\r\n" }},
		{"endless line", "EntityTooLarge", func(_ *http.Request, b *string) { *b = strings.Repeat("0", 1<<20) }},
		{"trailer", "IncompleteBody", func(_ *http.Request, b *string) { *b = strings.TrimSuffix(*b, "\r\n") + "x-amz-meta-a:b\r\n\r\n" }},
		{"other form", "SignatureDoesNotMatch", func(r *http.Request, _ *string) { r.Header.Set("X-Amz-Content-Sha256", unsignedTrailer) }},
		{"header added", "AccessDenied", func(r *http.Request, _ *string) { r.Header.Set("X-Amz-Acl", "public-read") }},
	} {
		_, body, err := docVerifier().VerifyStream(docUpload(tt.spoil))
		if err == nil {
			_, err = io.ReadAll(body)
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.ErrorCode() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// TestTrailers checks the signed form with trailing headers; its signatures
// are made here, by the documented rule.
func TestTrailers(t *testing.T) {
	v := docVerifier()
	build := func(trailer, signature string) *http.Request {
		r := docUpload(func(r *http.Request, _ *string) {
			r.Header.Set("X-Amz-Content-Sha256", signedTrailer)
			r.Header.Set("X-Amz-Decoded-Content-Length", "5")
		})
		sig, err := v.parse(r)
		if err != nil {
			t.Fatal(err)
		}
		key := signingKey(testSecret, sig)
		sig.sum = sum(key, stringToSign(algorithm, sig, sha(canonical(nil, r, sig, true, signedTrailer))))
		auth := r.Header.Get("Authorization")
		r.Header.Set("Authorization", auth[:strings.LastIndex(auth, "=")+1]+sig.sum)
		c := &chain{sig: sig, key: key, last: sig.sum}
		link := func(data string) string {
			c.next("AWS4-HMAC-SHA256-PAYLOAD", "", emptyHash, sha([]byte(data)))
			return c.last
		}
		body := "5;chunk-signature=" + link("hello") + "\r\nhello\r\n0;chunk-signature=" + link("") + "\r\n" + trailer + "\r\n"
		if signature == "" {
			c.next("AWS4-HMAC-SHA256-TRAILER", "", sha([]byte("x-amz-checksum-crc32c:mnG7TA==\n")))
			signature = c.last
		}
		body += "x-amz-trailer-signature:" + signature + "\r\n\r\n"
		r.Body = io.NopCloser(strings.NewReader(body))
		return r
	}
	_, body, err := v.VerifyStream(build("x-amz-checksum-crc32c:mnG7TA==", ""))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(body)
	if string(data) != "hello" || err != nil || body.Trailers()["x-amz-checksum-crc32c"] != "mnG7TA==" {
		t.Errorf("got %q, %v, trailers %v, want hello and its checksum", data, err, body.Trailers())
	}
	for _, r := range []*http.Request{build("x-amz-checksum-crc32c:AAAAAA==", ""), build("x-amz-checksum-crc32c:mnG7TA==", "0000")} {
		if _, body, err = v.VerifyStream(r); err == nil {
			_, err = io.ReadAll(body)
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.Fault != Mismatch {
			t.Errorf("altered trailer: got %v, want a mismatch", err)
		}
	}
}

// TestSDK has the real client sign: whole bodies over HTTP, unsigned chunks
// with a trailing checksum over HTTPS.
func TestSDK(t *testing.T) {
	var got string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &Verifier{Keys: ring{testKey: {Secret: testSecret, Token: "tok", Account: "111122223333"}}, Service: "s3", Flavor: S3}
		id, body, err := v.VerifyStream(r)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
			w.WriteHeader(403)
			return
		}
		data, err := io.ReadAll(body)
		got = fmt.Sprintf("%s %s %s %v %s %d", r.Header.Get("X-Amz-Content-Sha256"), id.Account, data, err, id.Region, len(body.Trailers()))
	})
	for _, tt := range []struct {
		server *httptest.Server
		want   string
	}{
		{httptest.NewServer(h), sha([]byte("hello")) + " 111122223333 hello <nil> eu-west-1 0"},
		{httptest.NewTLSServer(h), unsignedTrailer + " 111122223333 hello <nil> eu-west-1 1"},
	} {
		client := s3.New(s3.Options{
			Region: "eu-west-1", BaseEndpoint: aws.String(tt.server.URL), UsePathStyle: true, HTTPClient: tt.server.Client(),
			Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, "tok"), RetryMaxAttempts: 1,
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		})
		got = ""
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("a/../b é+%/~x"), Body: strings.NewReader("hello")})
		if err != nil || got != tt.want {
			t.Errorf("PutObject over %s: got %q, %v, want %q", tt.server.URL, got, err, tt.want)
		}
		url, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("a b")})
		if err != nil {
			t.Fatal(err)
		}
		got = ""
		res, err := tt.server.Client().Get(url.URL)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if want := " 111122223333  <nil> eu-west-1 0"; got != want {
			t.Errorf("presigned GET %s: got %q, want %q", url.URL, got, want)
		}
		tt.server.Close()
	}
}

// FuzzVerify: nothing but what was signed passes, and nothing panics.
func FuzzVerify(f *testing.F) {
	auth := "AWS4-HMAC-SHA256 Credential=" + testKey + "/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-date,Signature=00"
	f.Add("/b/k?x=%zz&y", auth, "20130524T000000Z", []byte("x"))
	f.Add("/b?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=5&X-Amz-SignedHeaders=host&X-Amz-Signature=0", "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, uri, auth, date string, body []byte) {
		u, err := http.NewRequest("GET", "http://h"+uri, bytes.NewReader(body))
		if err != nil || !strings.HasPrefix(uri, "/") {
			return
		}
		u.RequestURI = uri
		u.Header.Set("Authorization", auth)
		u.Header.Set("X-Amz-Date", date)
		u.Header.Set("X-Amz-Content-Sha256", signedChunks)
		for _, flavor := range []Flavor{JSON, S3} {
			v := docVerifier()
			v.Flavor = flavor
			if _, err := v.Verify(u, body); err == nil {
				t.Errorf("%s %q %q passes", uri, auth, date)
			}
			if _, _, err := v.VerifyStream(u); err == nil {
				t.Errorf("%s %q %q passes as a stream", uri, auth, date)
			}
		}
	})
}

// FuzzBody: any framing is decoded or refused, and never gives more than was
// announced.
func FuzzBody(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"), "5")
	f.Add([]byte("5;chunk-signature=00\r\nhello\r\n0\r\n\r\n"), "")
	f.Add([]byte("fffffffffffffff\r\n"), "1")
	f.Fuzz(func(t *testing.T, data []byte, length string) {
		r := httptest.NewRequest("PUT", "/b/k", bytes.NewReader(data))
		r.Header.Set("X-Amz-Content-Sha256", unsignedTrailer)
		if length != "" {
			r.Header.Set("X-Amz-Decoded-Content-Length", length)
		}
		body, err := docVerifier().OpenBody(r)
		if err != nil {
			return
		}
		got, err := io.ReadAll(body)
		if len(got) > len(data) || err == nil && length != "" && fmt.Sprint(len(got)) != strings.TrimLeft(strings.TrimLeft(length, "+"), "0") && len(got) != 0 {
			t.Errorf("%q of %s: got %q, %v", data, length, got, err)
		}
	})
}

// TestHeaderValue has spaces of a header's value folded, however many and of
// whatever kind they are.
func TestHeaderValue(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""}, {" ", ""}, {"a", "a"}, {"a b  c", "a b c"}, {" a", "a"}, {"a ", "a"}, {"a b", "a b"},
		{"a\tb", "a b"}, {"a\u00a0b", "a b"}, {"a \u0085 b", "a b"}, {"\u00e9 ~", "\u00e9 ~"},
	} {
		r := &http.Request{Header: http.Header{"X-Amz-Meta-Note": {tt.in}}}
		if got := headerValue(r, "x-amz-meta-note"); got != tt.want {
			t.Errorf("value %q is signed as %q, want %q", tt.in, got, tt.want)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	c := loadCases(b)[0]
	var t testing.T
	r, v := c.request(&t), c.verifier()
	for b.Loop() {
		if _, err := v.Verify(r, c.Body); err != nil {
			b.Fatal(err)
		}
	}
}

func TestExpiredSession(t *testing.T) {
	c := loadCases(t)[0]
	v := c.verifier()
	v.Keys = ring{c.AccessKey: {Secret: c.SecretKey, Expires: c.Now}}
	if got := c.verdict(t, v); got != "ExpiredTokenException" {
		t.Errorf("session that ended: got %s, want ExpiredTokenException", got)
	}
}

package transport_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead/internal/aws/transport"
)

// closing is a body as the SDK's is once it is closed: it has an end for
// Read, and io.EOF as an error for WriteTo.
type closing struct{ io.Reader }

func (closing) Close() error                     { return nil }
func (closing) WriteTo(io.Writer) (int64, error) { return 0, io.EOF }

// TestPlainBody has the client read an answer that goes on until all of the
// request is sent and its connection has had time to be closed: without
// PlainBody no amount of answer is enough.
func TestPlainBody(t *testing.T) {
	const enough, most = 1 << 20, 1 << 30
	long := strings.Repeat("x", 1<<15)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil || string(sent) != "question" {
			t.Errorf("the server reads %q, %v", sent, err)
		}
		for err == nil {
			_, err = io.WriteString(w, long)
		}
	}))
	defer server.Close()
	ask := func(c interface {
		Do(*http.Request) (*http.Response, error)
	}, bytes int64) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, closing{strings.NewReader("question")})
		if err != nil {
			return err
		}
		r.ContentLength = int64(len("question"))
		resp, err := c.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.CopyN(io.Discard, resp.Body, bytes)
		return err
	}
	for range 20 {
		if err := ask(transport.PlainBody(server.Client()), enough); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(server.Client(), most); err == nil {
		t.Error("net/http bears such a body by itself now: this package is not needed")
	}
}

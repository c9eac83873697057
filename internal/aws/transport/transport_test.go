package transport_test

import (
	"context"
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

func TestPlainBody(t *testing.T) {
	answer := strings.Repeat("x", 1<<20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil || string(sent) != "question" {
			t.Errorf("the server reads %q, %v", sent, err)
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	ask := func(c interface {
		Do(*http.Request) (*http.Response, error)
	}) error {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL, closing{strings.NewReader("question")})
		if err != nil {
			return err
		}
		r.ContentLength = int64(len("question"))
		resp, err := c.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err == nil && string(got) != answer {
			t.Errorf("%d bytes of %d arrive", len(got), len(answer))
		}
		return err
	}
	for range 20 {
		if err := ask(transport.PlainBody(server.Client())); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(server.Client()); err == nil {
		t.Error("net/http bears such a body by itself now: this package is not needed")
	}
}

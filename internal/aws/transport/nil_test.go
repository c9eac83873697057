package transport

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestNoClientIsTheSDKs sends a request as a configuration without a client
// does.
func TestNoClientIsTheSDKs(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := PlainBody(nil).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("GET = %s, want 404", resp.Status)
	}
}

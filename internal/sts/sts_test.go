package sts

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead/internal/aws/sigv4"
)

func TestGetCallerIdentity(t *testing.T) {
	known := func(r *http.Request, _ []byte) (context.Context, error) {
		if r.Header.Get("Authorization") == "" {
			return nil, &sigv4.Error{Fault: sigv4.Missing, Flavor: sigv4.REST, Text: "unsigned"}
		}
		return sigv4.WithIdentity(r.Context(), sigv4.Identity{AccessKey: "AKIA1", Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/<admin>"}), nil
	}
	for _, tt := range []struct {
		name, method, target, body, auth string
		check                            func(*http.Request, []byte) (context.Context, error)
		status                           int
		want                             string
	}{
		{"form", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", "x", known, 200, "<Arn>arn:aws:iam::111122223333:user/&lt;admin&gt;</Arn>"},
		{"query", "GET", "/?Action=GetCallerIdentity", "", "x", known, 200, "<Account>111122223333</Account>"},
		{"other action", "POST", "/", "Action=AssumeRole", "x", known, 400, "<Code>InvalidAction</Code>"},
		{"unsigned", "POST", "/", "Action=GetCallerIdentity", "", known, 403, "MissingAuthenticationToken"},
		{"too long", "POST", "/", strings.Repeat("a", maxBody+1), "x", known, 400, "more than"},
		{"our fault", "POST", "/", "Action=GetCallerIdentity", "x",
			func(*http.Request, []byte) (context.Context, error) { return nil, errors.New("secret detail") }, 500, "<Message>internal error</Message>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
			if tt.auth != "" {
				r.Header.Set("Authorization", tt.auth)
			}
			w := httptest.NewRecorder()
			(&Door{Check: tt.check}).ServeHTTP(w, r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %s, want %d with %s", w.Code, w.Body, tt.status, tt.want)
			}
		})
	}
}

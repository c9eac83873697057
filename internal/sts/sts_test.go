package sts

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead/internal/aws/sigv4"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/sts"
)

type oneKey struct{}

func (oneKey) Key(_ context.Context, id, _ string) (sigv4.Key, bool, error) {
	return sigv4.Key{Secret: "secret", Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/dev"}, id == "AKIDEXAMPLE", nil
}

func TestClientLearnsWhoItIs(t *testing.T) {
	server := httptest.NewServer(New(Config{Verifier: &sigv4.Verifier{Keys: oneKey{}, Service: "sts", Flavor: sigv4.REST}}))
	defer server.Close()
	for _, tt := range []struct{ key, want string }{
		{"AKIDEXAMPLE", "111122223333 arn:aws:iam::111122223333:user/dev AKIDEXAMPLE"},
		{"AKIDOTHER", "UnrecognizedClientException"},
	} {
		c := client.New(client.Options{BaseEndpoint: &server.URL, Region: "us-east-1", RetryMaxAttempts: 1,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: tt.key, SecretAccessKey: "secret"}, nil
			})})
		out, err := c.GetCallerIdentity(t.Context(), &client.GetCallerIdentityInput{})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = *out.Account + " " + *out.Arn + " " + *out.UserId
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("GetCallerIdentity as %s: got %q, want %q", tt.key, got, tt.want)
		}
	}
}

func TestForms(t *testing.T) {
	door := New(Config{Default: sigv4.Identity{Account: "000000000000"}})
	for _, tt := range []struct{ method, query, body, want string }{
		{"GET", "?Action=GetCallerIdentity&Version=2011-06-15", "", "<Account>000000000000</Account>"},
		{"POST", "", "Action=GetCallerIdentity", "<Account>000000000000</Account>"},
		{"POST", "", "Action=AssumeRole&Version=2011-06-15", "<Code>InvalidAction</Code>"},
		{"POST", "", "", "<Code>MissingAction</Code>"},
		{"POST", "", "Action=GetCallerIdentity&Version=1", "<Code>InvalidAction</Code>"},
		{"POST", "", "%zz", "<Code>MalformedQueryString</Code>"},
		{"POST", "", strings.Repeat("x", maxBody+1), "<Code>RequestEntityTooLarge</Code>"},
		{"PUT", "", "", "<Code>InvalidHttpRequest</Code>"},
	} {
		w := httptest.NewRecorder()
		door.ServeHTTP(w, httptest.NewRequest(tt.method, "/"+tt.query, strings.NewReader(tt.body)))
		if got := w.Body.String(); !strings.Contains(got, tt.want) {
			t.Errorf("%s %s with %.50q: got %s, want %s", tt.method, tt.query, tt.body, got, tt.want)
		}
	}
}

package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"

	"fairlead/internal/aws/sigv4"
	"fairlead/internal/session"
)

// keys are the credentials that the server knows: the admin's, which is
// kept, and those that tasks were issued.
type keys struct {
	admin    credential
	account  string
	sessions *session.Issuer
}

// Key implements [sigv4.Keys].
func (k keys) Key(ctx context.Context, accessKey, token string) (sigv4.Key, bool, error) {
	if accessKey == k.admin.AccessKey {
		return sigv4.Key{Secret: k.admin.SecretKey, Account: k.account, ARN: "arn:aws:iam::" + k.account + ":user/admin"}, true, nil
	}
	return k.sessions.Key(ctx, accessKey, token)
}

// secret is what the tokens of tasks follow from. A new key of the admin's
// ends them all.
func (c credential) secret() []byte {
	h := hmac.New(sha256.New, []byte(c.SecretKey))
	h.Write([]byte("tasks"))
	return h.Sum(nil)
}

package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"fairlead/internal/aws/sigv4"
)

// keys are the credentials that the server knows: the admin's, which is
// kept, and those of tasks, which are derived. A task's key needs no row: its
// expiry is in its name, and its secret and token follow from the name and
// the admin's secret, so that it outlives a restart of the server.
type keys struct {
	admin   credential
	account string
}

// Key implements [sigv4.Keys].
func (k keys) Key(_ context.Context, accessKey string) (sigv4.Key, bool, error) {
	if accessKey == k.admin.AccessKey {
		return sigv4.Key{Secret: k.admin.SecretKey, Account: k.account, ARN: "arn:aws:iam::" + k.account + ":user/admin"}, true, nil
	}
	expires, ok := taskKeyExpiry(accessKey)
	if !ok {
		return sigv4.Key{}, false, nil
	}
	return sigv4.Key{
		Secret: k.derive("secret", accessKey)[:40], Token: k.derive("token", accessKey), Expires: expires,
		Account: k.account, ARN: "arn:aws:sts::" + k.account + ":assumed-role/task/" + accessKey,
	}, true, nil
}

// taskKeyLife is longer than any attempt may take, with room for a retry of
// the client's.
const taskKeyLife = 2 * time.Hour

// task returns what a task signs with, as the environment of its processes.
func (k keys) task(now time.Time) map[string]string {
	var name [10]byte
	_, _ = rand.Read(name[4:]) // never fails
	binary.BigEndian.PutUint32(name[:4], uint32(now.Add(taskKeyLife).Unix()/60))
	accessKey := "ASIA" + base32.StdEncoding.EncodeToString(name[:])
	return map[string]string{
		"AWS_ACCESS_KEY_ID":     accessKey,
		"AWS_SECRET_ACCESS_KEY": k.derive("secret", accessKey)[:40],
		"AWS_SESSION_TOKEN":     k.derive("token", accessKey),
	}
}

func taskKeyExpiry(accessKey string) (time.Time, bool) {
	name, ok := strings.CutPrefix(accessKey, "ASIA")
	if !ok || len(name) != 16 {
		return time.Time{}, false
	}
	raw, err := base32.StdEncoding.DecodeString(name)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(int64(binary.BigEndian.Uint32(raw[:4]))*60, 0), true
}

func (k keys) derive(what, accessKey string) string {
	h := hmac.New(sha256.New, []byte(k.admin.SecretKey))
	h.Write([]byte(what + "\x00" + accessKey))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"fairlead/internal/flow"
	"fairlead/internal/role"
	"fairlead/internal/secret"
	"fairlead/internal/session"
)

// secretsPath is where the Python stand-in asks for what a secrets backend
// has: followed by a kind and a key.
const secretsPath = "/fairlead/task/secrets"

// secretsDoor answers tasks that ask for a connection or variable of the
// secrets backend that their workflow names.
func (a *app) secretsDoor() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		out := map[string]string{}
		value, found, err := a.lookSecret(r)
		if e, ok := errors.AsType[*flow.Error](err); ok && e.Kind == flow.Denied {
			status, out["message"] = http.StatusForbidden, e.Message
		} else if ok && e.Kind != flow.Internal {
			status, out["message"] = http.StatusBadRequest, e.Message
		} else if err != nil {
			a.opt.log.WarnContext(r.Context(), "ask a secrets backend", "err", err)
			status, out["message"] = http.StatusBadGateway, err.Error()
		} else if !found {
			status, out["message"] = http.StatusNotFound, "there is none"
		} else {
			out["value"] = value
		}
		data, err := json.Marshal(out)
		if err != nil {
			status = http.StatusInternalServerError
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(data) // a task that has gone is not our concern
	})
}

func (a *app) lookSecret(r *http.Request) (string, bool, error) {
	kind, escaped, ok := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), secretsPath+"/"), "/")
	key, err := url.PathUnescape(escaped)
	if !ok || err != nil || key == "" || r.Method != http.MethodGet || kind != secret.Variables && kind != secret.Connections {
		return "", false, flow.Errorf(flow.Invalid, "expected GET %s/variables/KEY or %s/connections/ID", secretsPath, secretsPath)
	}
	token := r.Header.Get("Authorization")
	creds, err := a.sessions.Credentials(r.Context(), token) // which judges the token
	if err != nil {
		return "", false, err
	}
	at, _ := a.sessions.Attempt(token)
	run, err := a.db.RunByID(r.Context(), at.Run)
	if err != nil {
		return "", false, err
	}
	around, err := a.place.of(r.Context(), run)
	if err != nil {
		return "", false, err
	}
	entry, _ := a.roles.Find(around.role)
	if !hasBackend(around.env, entry) {
		return "", false, nil // our own keys mean nothing there
	}
	b, err := secret.NewBackend(around.env)
	if b == nil || err != nil {
		return "", false, err
	}
	return b.Look(r.Context(), a.caller(entry, creds), kind, key)
}

// hasBackend reports whether the server asks a secrets backend for tasks: one
// of AWS, for a role that acts there.
func hasBackend(env map[string]string, r role.Role) bool {
	if r.Assume == "" {
		return false
	}
	b, err := secret.NewBackend(env)
	return b != nil || err != nil // the task is told of the error when it asks
}

const (
	backendTime = 30 * time.Second
	maxReply    = 1 << 20
)

// caller returns what makes calls as a role, where its calls go.
func (a *app) caller(r role.Role, c session.Credentials) secret.Call {
	return func(ctx context.Context, service, region, target string, in any) (json.RawMessage, error) {
		ctx, cancel := context.WithTimeout(ctx, backendTime)
		defer cancel()
		region = cmp.Or(region, a.opt.region)
		domain := ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			domain += ".cn"
		}
		body, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, cmp.Or(r.Endpoint, "https://"+service+"."+region+domain), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", target)
		sum := sha256.Sum256(body)
		keys := aws.Credentials{AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey, SessionToken: c.Token}
		if err := v4.NewSigner().SignHTTP(ctx, keys, req, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
		if err != nil {
			return nil, err
		}
		if resp.StatusCode == http.StatusOK {
			return data, nil
		}
		var e struct {
			Type    string `json:"__type"`
			Message string
		}
		_ = json.Unmarshal(data, &e) // else the status says all
		return nil, &secret.ServiceError{Code: cmp.Or(e.Type[strings.LastIndexByte(e.Type, '#')+1:], resp.Status), Message: e.Message}
	}
}

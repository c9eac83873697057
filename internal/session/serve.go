package session

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"fairlead/internal/flow"
)

// Path is where tasks ask for their credentials.
const Path = "/fairlead/task/credentials"

// Environment returns what tells the SDKs in a task of attempt a where its
// credentials are, on the server at endpoint. SDKs refuse to ask over plain
// HTTP anywhere but on loopback addresses.
func (i *Issuer) Environment(endpoint string, a Attempt) map[string]string {
	return map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint + Path,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN":  i.Token(a),
	}
}

// Handler answers tasks that ask for credentials. log is told of internal
// errors.
func (i *Issuer) Handler(log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "the method must be GET")
			return
		}
		c, err := i.Credentials(r.Context(), r.Header.Get("Authorization"))
		if e, ok := errors.AsType[*flow.Error](err); ok && e.Kind == flow.Denied {
			refuse(w, http.StatusForbidden, "AccessDenied", e.Message)
			return
		}
		if err != nil {
			if r.Context().Err() == nil {
				log.ErrorContext(r.Context(), "internal error", "door", "credentials", "err", err)
			}
			refuse(w, http.StatusInternalServerError, "InternalServerError", "internal error")
			return
		}
		out := map[string]string{
			"AccessKeyId": c.AccessKey, "SecretAccessKey": c.SecretKey, "Token": c.Token, "RoleArn": c.Role,
		}
		expires := c.Expires
		if expires.IsZero() {
			expires = i.Now().Add(i.Life) // ask again then
		}
		out["Expiration"] = expires.UTC().Format(time.RFC3339)
		write(w, http.StatusOK, out)
	})
}

// refuse answers with an error in the form that SDKs show.
func refuse(w http.ResponseWriter, status int, code, message string) {
	write(w, status, map[string]string{"code": code, "message": message})
}

func write(w http.ResponseWriter, status int, v map[string]string) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts alone
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that has gone is not our concern
}

// Package sts serves the one operation of AWS STS that clients call to learn
// who they are, GetCallerIdentity. It issues no credentials.
package sts

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"fairlead/internal/aws/sigv4"
)

// Config says what a Door works with.
type Config struct {
	// Verifier checks signatures; nil admits every request as Default.
	Verifier *sigv4.Verifier
	// Default is the caller where nobody checks.
	Default sigv4.Identity
	// Log is told of internal errors; nil means slog.Default.
	Log *slog.Logger
}

// A Door answers requests to STS.
type Door struct{ Config }

// New returns a door.
func New(c Config) *Door {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Door{c}
}

// maxBody is how many bytes a request may have.
const maxBody = 64 << 10

const namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

type identityResponse struct {
	XMLName   xml.Name `xml:"GetCallerIdentityResponse"`
	Namespace string   `xml:"xmlns,attr"`
	ARN       string   `xml:"GetCallerIdentityResult>Arn"`
	UserID    string   `xml:"GetCallerIdentityResult>UserId"`
	Account   string   `xml:"GetCallerIdentityResult>Account"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

type errorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// A fault is an error as it goes over the wire.
type fault struct {
	status  int
	code    string
	message string
}

func (f *fault) Error() string { return f.code + ": " + f.message }

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := rand.Text()
	w.Header().Set("x-amzn-RequestId", request)
	id, err := d.answer(r)
	if err == nil {
		d.write(w, http.StatusOK, identityResponse{Namespace: namespace, ARN: id.ARN, UserID: userID(id), Account: id.Account, RequestID: request})
		return
	}
	out := errorResponse{Namespace: namespace, Type: "Sender", RequestID: request}
	status := http.StatusInternalServerError
	if f, ok := errors.AsType[*fault](err); ok {
		status, out.Code, out.Message = f.status, f.code, f.message
	} else if e, ok := errors.AsType[*sigv4.Error](err); ok {
		status, out.Code, out.Message = e.HTTPStatus(), e.ErrorCode(), e.Text
	} else {
		d.Log.ErrorContext(r.Context(), "internal error", "door", "sts", "request", request, "err", err)
		out.Type, out.Code, out.Message = "Receiver", "InternalFailure", "internal error"
	}
	d.write(w, status, out)
}

// userID returns the unique id of who is calling: of a role in a session, the
// role's and the name of the session.
func userID(id sigv4.Identity) string {
	if id.Role == "" {
		return id.AccessKey
	}
	sum := sha256.Sum256([]byte(id.Role))
	return "AROA" + base32.StdEncoding.EncodeToString(sum[:])[:17] + ":" + id.ARN[strings.LastIndexByte(id.ARN, '/')+1:]
}

// answer returns who is calling.
func (d *Door) answer(r *http.Request) (sigv4.Identity, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return sigv4.Identity{}, &fault{http.StatusMethodNotAllowed, "InvalidHttpRequest", "the method must be POST or GET"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return sigv4.Identity{}, &fault{http.StatusBadRequest, "RequestAborted", "the request body ended early"}
	}
	if len(body) > maxBody {
		return sigv4.Identity{}, &fault{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("the request body is larger than %d bytes", maxBody)}
	}
	id := d.Default
	if d.Verifier != nil {
		if id, err = d.Verifier.Verify(r, body); err != nil {
			return id, err
		}
	}
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		text = string(body)
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		return id, &fault{http.StatusBadRequest, "MalformedQueryString", "the parameters are not URL-encoded: " + err.Error()}
	}
	switch action := form.Get("Action"); {
	case action == "":
		return id, &fault{http.StatusBadRequest, "MissingAction", "the parameter Action is missing"}
	case action != "GetCallerIdentity":
		return id, &fault{http.StatusBadRequest, "InvalidAction", fmt.Sprintf("no operation %.100q here: only GetCallerIdentity is served", action)}
	}
	if v := form.Get("Version"); v != "" && v != "2011-06-15" {
		return id, &fault{http.StatusBadRequest, "InvalidAction", fmt.Sprintf("no version %.100q here: expected 2011-06-15", v)}
	}
	return id, nil
}

func (d *Door) write(w http.ResponseWriter, status int, v any) {
	data, err := xml.Marshal(v)
	if err != nil {
		d.Log.Error("an answer could not be encoded", "door", "sts", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	// A client that has gone is not our concern.
	_, _ = w.Write(data)
}

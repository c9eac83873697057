// Package sts answers the one call of AWS STS that clients make to learn who
// they are, GetCallerIdentity. It knows the Query protocol and nothing of
// roles.
package sts

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"fairlead/internal/aws/sigv4"
	"fairlead/internal/flow"
)

// Service is the name under which requests are signed.
const Service = "sts"

// maxBody bounds a request; a form with one action is far smaller.
const maxBody = 64 << 10

// A Door answers requests.
type Door struct {
	// Check admits a request and returns a context that knows who is calling.
	Check func(r *http.Request, body []byte) (context.Context, error)
	// Log is told of internal errors; nil means slog.Default.
	Log *slog.Logger
}

type identityResponse struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
	ARN     string   `xml:"GetCallerIdentityResult>Arn"`
	UserID  string   `xml:"GetCallerIdentityResult>UserId"`
	Account string   `xml:"GetCallerIdentityResult>Account"`
	Request string   `xml:"ResponseMetadata>RequestId"`
}

type errorResponse struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
	Type    string   `xml:"Error>Type"`
	Code    string   `xml:"Error>Code"`
	Message string   `xml:"Error>Message"`
	Request string   `xml:"RequestId"`
}

// A refusal is an error with the code and status that a client sees.
type refusal interface {
	error
	ErrorCode() string
	HTTPStatus() int
}

func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("X-Amzn-Requestid", id)
	caller, err := d.caller(r)
	if err != nil {
		d.fail(w, r, id, err)
		return
	}
	write(w, http.StatusOK, identityResponse{ARN: caller.ARN, UserID: caller.AccessKey, Account: caller.Account, Request: id})
}

// caller reads and checks the request, and returns who sent it.
func (d *Door) caller(r *http.Request) (sigv4.Identity, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return sigv4.Identity{}, flow.Errorf(flow.Invalid, "read request: %w", err)
	}
	if len(body) > maxBody {
		return sigv4.Identity{}, flow.Errorf(flow.Invalid, "the request has more than %d bytes", maxBody)
	}
	ctx, err := d.Check(r, body)
	if err != nil {
		return sigv4.Identity{}, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return sigv4.Identity{}, flow.Errorf(flow.Invalid, "the body is not a form: %w", err)
	}
	action := form.Get("Action")
	if action == "" {
		action = r.URL.Query().Get("Action")
	}
	if action != "GetCallerIdentity" {
		return sigv4.Identity{}, flow.Errorf(flow.NotFound, "no action %.64q here: only GetCallerIdentity is served", action)
	}
	caller, _ := sigv4.IdentityOf(ctx)
	return caller, nil
}

func (d *Door) fail(w http.ResponseWriter, r *http.Request, id string, err error) {
	e := errorResponse{Type: "Sender", Message: err.Error(), Request: id}
	status := http.StatusBadRequest
	if said, ok := err.(refusal); ok {
		e.Code, status = said.ErrorCode(), said.HTTPStatus()
	} else {
		switch flow.KindOf(err) {
		case flow.Invalid:
			e.Code = "ValidationError"
		case flow.NotFound:
			e.Code = "InvalidAction"
		default:
			log := d.Log
			if log == nil {
				log = slog.Default()
			}
			log.ErrorContext(r.Context(), "internal error", "service", Service, "request", id, "err", err)
			e.Type, e.Code, e.Message, status = "Receiver", "InternalFailure", "internal error", http.StatusInternalServerError
		}
	}
	write(w, status, e)
}

func write(w http.ResponseWriter, status int, v any) {
	data, err := xml.Marshal(v)
	if err != nil { // only strings: they always encode
		status, data = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(append([]byte(xml.Header), data...))
}

func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

package sigv4

import (
	"fmt"
	"net/http"
)

// A Flavor is the set of names and statuses that a kind of service answers a
// refused signature with.
type Flavor int

// The flavors.
const (
	JSON Flavor = iota // awsJson services
	REST               // restJson and query services
	S3
)

// A Fault is what is wrong with a request's signature.
type Fault int

// The faults.
const (
	Missing    Fault = iota // no signature at all
	Malformed               // a header that cannot be read
	MalformedQ              // a query that cannot be read
	UnknownKey              // no such access key
	BadToken                // the session token is missing or not the key's
	Expired                 // the session has ended
	Skewed                  // the clocks differ too much
	PastDue                 // a presigned request used too late
	BadScope                // signed for another region or service
	Mismatch                // the signature is not that of this request
	Unsigned                // a header that must be signed is not
	NoHash                  // S3 without x-amz-content-sha256
	BadHash                 // the body is not the one that was hashed
	BadChunk                // the body is not well-formed aws-chunked
	TooLarge                // the body, or a part of its framing
)

// An Error is a refused signature.
type Error struct {
	Fault  Fault
	Flavor Flavor
	Text   string
}

func (e *Error) Error() string { return e.Text }

// ErrorCode returns the error's class as AWS names it.
func (e *Error) ErrorCode() string { class, _ := e.class(); return class }

// HTTPStatus returns the status that goes with the class.
func (e *Error) HTTPStatus() int { _, status := e.class(); return status }

// class is the table of names. The published documents give most of them;
// that real services choose them in just these cases is custom.
func (e *Error) class() (string, int) {
	const bad, no = http.StatusBadRequest, http.StatusForbidden
	if e.Flavor == S3 {
		switch e.Fault {
		case Missing, PastDue, Unsigned:
			return "AccessDenied", no
		case Malformed, BadScope:
			return "AuthorizationHeaderMalformed", bad
		case MalformedQ:
			return "AuthorizationQueryParametersError", bad
		case UnknownKey:
			return "InvalidAccessKeyId", no
		case BadToken:
			return "InvalidToken", bad
		case Expired:
			return "ExpiredToken", bad
		case Skewed:
			return "RequestTimeTooSkewed", no
		case NoHash:
			return "InvalidRequest", bad
		case BadHash:
			return "XAmzContentSHA256Mismatch", bad
		case BadChunk:
			return "IncompleteBody", bad
		case TooLarge:
			return "EntityTooLarge", bad
		}
		return "SignatureDoesNotMatch", no
	}
	// REST services drop the suffix of two classes.
	suffix := "Exception"
	if e.Flavor == REST {
		suffix = ""
	}
	switch e.Fault {
	case Missing:
		return "MissingAuthenticationToken" + suffix, no
	case Malformed, MalformedQ:
		return "IncompleteSignature" + suffix, no
	case UnknownKey, BadToken:
		return "UnrecognizedClientException", no
	case Expired:
		return "ExpiredTokenException", no
	case TooLarge:
		return "RequestEntityTooLargeException", http.StatusRequestEntityTooLarge
	}
	return "InvalidSignatureException", no
}

func (v *Verifier) fault(f Fault, format string, args ...any) *Error {
	return &Error{f, v.Flavor, fmt.Sprintf(format, args...)}
}

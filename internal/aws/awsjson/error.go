package awsjson

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"fairlead/internal/flow"
)

// maxMessage bounds an error's text, in characters, as the models do.
const maxMessage = 2048

// An Error is an error as it goes over the wire.
type Error struct {
	Class   string
	Status  int
	Message string
	// Members are the modelled members beside the message.
	Members map[string]any
	// RetryAfter, if not zero, is sent as a header in whole seconds.
	RetryAfter time.Duration
	// Cause is the error behind an internal one; it is logged, not sent.
	Cause error
}

func (e *Error) Error() string { return e.Class + ": " + e.Message }

func (e *Error) Unwrap() error { return e.Cause }

// coded is an error of another package that knows its class and status, such
// as those of a signature check.
type coded interface {
	error
	ErrorCode() string
	HTTPStatus() int
}

func serialization(format string, args ...any) *Error {
	return &Error{Class: "SerializationException", Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// Standard is the table from kinds of errors to the classes that most
// services share. A service with other classes or members gives its own Fail
// and may begin with this one.
func Standard(err error) *Error {
	e, ok := errors.AsType[*flow.Error](err)
	if !ok {
		e = &flow.Error{}
	}
	to := &Error{Status: http.StatusBadRequest, Message: e.Message}
	switch e.Kind {
	case flow.Invalid:
		to.Class = "ValidationException"
	case flow.NotFound:
		to.Class = "ResourceNotFoundException"
	case flow.Conflict:
		to.Class = "ConflictException"
	case flow.Quota:
		to.Class = "ServiceQuotaExceededException"
	case flow.Throttled:
		to.Class = "ThrottlingException"
	case flow.Denied:
		to.Class = "AccessDeniedException"
	case flow.Busy:
		to.Class, to.Status, to.RetryAfter = "InternalServerException", http.StatusInternalServerError, time.Second
	default:
		to.Class, to.Status = "InternalServerException", http.StatusInternalServerError
		to.Message, to.Cause = "internal error", err
	}
	return to
}

// fail writes err, and logs it if it is our fault.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		if c, known := errors.AsType[coded](err); known {
			e = &Error{Class: c.ErrorCode(), Status: c.HTTPStatus(), Message: c.Error()}
		} else {
			e = s.Fail(err)
		}
	}
	// A client that hung up has cancelled our work; that is no fault of ours.
	if e.Cause != nil && r.Context().Err() == nil {
		s.Log.ErrorContext(r.Context(), "internal error", "operation", Operation(r.Context()), "request", RequestID(r.Context()), "err", e.Cause)
	}
	h := w.Header()
	h.Set("X-Amzn-Errortype", e.Class)
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	s.write(w, e.Status, s.body(e))
}

func (s *Service) body(e *Error) []byte {
	typ := e.Class
	if s.Namespace != "" {
		typ = s.Namespace + "#" + e.Class
	}
	text := "Message"
	if s.LowerMessage {
		text = "message"
	}
	body := map[string]any{text: Bound(e.Message)}
	if !s.HeaderClass {
		body["__type"] = typ
	}
	for name, value := range e.Members {
		body[name] = value
	}
	data, err := json.Marshal(body, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(fmt.Sprintf("awsjson: members of %s: %v", e.Class, err))
	}
	return data
}

// Bound cuts a text to what the models allow of an error's message.
func Bound(s string) string {
	if utf8.RuneCountInString(s) <= maxMessage {
		return s
	}
	return string([]rune(s)[:maxMessage-1]) + "…"
}

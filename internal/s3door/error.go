package s3door

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"

	"fairlead/internal/aws/sigv4"
	"fairlead/internal/flow"
)

// An Error is an error as S3 sends it.
type Error struct {
	Code    string
	Message string
	Status  int // zero: the usual one of the code
	// Details are further elements of the answer, name and text in turn.
	Details []string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func newError(code, message string) *Error { return &Error{Code: code, Message: message} }

// invalid is the error for a bad parameter or header.
func invalid(name, value, why string) *Error {
	if len(value) > 256 {
		value = value[:256]
	}
	return newError("InvalidArgument", why).about("ArgumentName", name).about("ArgumentValue", value)
}

// about adds an element to the answer and returns e.
func (e *Error) about(name, text string) *Error {
	e.Details = append(e.Details, name, text)
	return e
}

// statuses are those of the codes other than 400.
var statuses = map[string]int{
	"AccessDenied":            http.StatusForbidden,
	"BucketAlreadyOwnedByYou": http.StatusConflict,
	"BucketNotEmpty":          http.StatusConflict,
	"InternalError":           http.StatusInternalServerError,
	"InvalidRange":            http.StatusRequestedRangeNotSatisfiable,
	"InvalidPartNumber":       http.StatusRequestedRangeNotSatisfiable,
	"MethodNotAllowed":        http.StatusMethodNotAllowed,
	"MissingContentLength":    http.StatusLengthRequired,
	"NoSuchBucket":            http.StatusNotFound,
	"NoSuchKey":               http.StatusNotFound,
	"NoSuchTagSet":            http.StatusNotFound,
	"NoSuchUpload":            http.StatusNotFound,
	"NoSuchVersion":           http.StatusNotFound,
	"NotImplemented":          http.StatusNotImplemented,
	"NotModified":             http.StatusNotModified,
	"OperationAborted":        http.StatusConflict,
	"PreconditionFailed":      http.StatusPreconditionFailed,
	"ServiceUnavailable":      http.StatusServiceUnavailable,
	"SlowDown":                http.StatusServiceUnavailable,

	"NoSuchBucketPolicy":                             http.StatusNotFound,
	"NoSuchCORSConfiguration":                        http.StatusNotFound,
	"NoSuchLifecycleConfiguration":                   http.StatusNotFound,
	"NoSuchObjectLockConfiguration":                  http.StatusNotFound,
	"NoSuchPublicAccessBlockConfiguration":           http.StatusNotFound,
	"NoSuchWebsiteConfiguration":                     http.StatusNotFound,
	"ObjectLockConfigurationNotFoundError":           http.StatusNotFound,
	"OwnershipControlsNotFoundError":                 http.StatusNotFound,
	"ReplicationConfigurationNotFoundError":          http.StatusNotFound,
	"ServerSideEncryptionConfigurationNotFoundError": http.StatusNotFound,
}

// Standard turns any error into what S3 would send.
func Standard(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		return &Error{Code: e.ErrorCode(), Message: e.Text, Status: e.HTTPStatus()}
	}
	e, ok := errors.AsType[*flow.Error](err)
	if !ok {
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return newError("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			return newError("RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period.")
		}
		return newError("InternalError", "We encountered an internal error. Please try again.")
	}
	switch e.Kind {
	case flow.NotFound:
		switch e.Type {
		case "bucket":
			return newError("NoSuchBucket", "The specified bucket does not exist").about("BucketName", e.ID)
		case "version":
			return newError("NoSuchVersion", "The specified version does not exist.").about("VersionId", e.ID)
		case "upload":
			return newError("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").about("UploadId", e.ID)
		}
		return newError("NoSuchKey", "The specified key does not exist.").about("Key", e.ID)
	case flow.Conflict:
		switch e.Type {
		case "precondition":
			return newError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
		case "part":
			return newError("InvalidPart", "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		}
		return newError("OperationAborted", e.Message)
	case flow.Quota:
		return newError("TooManyBuckets", "You have attempted to create more buckets than allowed")
	case flow.Denied:
		return newError("AccessDenied", e.Message)
	case flow.Busy: // such as a full disk, which whoever runs the server should know
		return newError("ServiceUnavailable", e.Message)
	case flow.Throttled:
		return newError("SlowDown", "Please reduce your request rate.")
	case flow.Invalid:
		return newError("InvalidRequest", e.Message)
	}
	return newError("InternalError", "We encountered an internal error. Please try again.")
}

// fail answers with err.
func (d *Door) fail(r *request, err error) {
	e := Standard(err)
	if e.Code == "InternalError" {
		d.Log.ErrorContext(r.Context(), "internal error", "door", "s3", "method", r.Method, "bucket", r.bucket, "key", r.key, "request", r.id, "err", err)
	}
	if r.answered {
		// The status has gone out: only cutting the connection tells the
		// client that the content is not whole.
		panic(http.ErrAbortHandler)
	}
	status := e.Status
	if status == 0 {
		status = statuses[e.Code]
	}
	if status == 0 {
		status = http.StatusBadRequest
	}
	h := r.w.Header()
	for _, name := range []string{"Content-Length", "Content-Range", "Content-Encoding", "Content-Disposition", "Cache-Control", "Expires"} {
		if status != http.StatusNotModified || name == "Content-Length" {
			h.Del(name)
		}
	}
	if status == http.StatusNotModified || r.Method == http.MethodHead {
		h.Del("Content-Type")
		r.status(status)
		return
	}
	doc := errorDoc{Code: e.Code, Message: e.Message, RequestID: r.id, HostID: r.id, Resource: r.URL.Path}
	for i := 0; i+1 < len(e.Details); i += 2 {
		doc.Details = append(doc.Details, detail{XMLName: xml.Name{Local: e.Details[i]}, Text: e.Details[i+1]})
	}
	if err := r.xml(status, doc); err != nil {
		d.Log.ErrorContext(r.Context(), "an error could not be sent", "request", r.id, "err", err)
	}
}

type errorDoc struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Details   []detail
	Resource  string
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
}

type detail struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

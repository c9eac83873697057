package mwaa

import (
	"context"
	"errors"
	"net/http"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/flow"
)

// maxFields bounds the list of fields in one error.
const maxFields = 100

// A validationExceptionField says what is wrong with one member.
type validationExceptionField struct {
	Name    string `json:"Name" aws:"String,required"`
	Message string `json:"Message" aws:"ErrorMessage,required"`
}

// fail turns an error into one of the service's classes with the members
// that its model requires. Statuses are those of the API reference, which
// clients of the real service see; the Smithy model has others.
func fail(err error) *awsjson.Error {
	to := awsjson.Standard(err)
	e, ok := errors.AsType[*flow.Error](err)
	if !ok {
		if errors.Is(err, context.DeadlineExceeded) {
			return &awsjson.Error{Class: "OperationTimeoutException", Status: http.StatusInternalServerError,
				Message: "the operation took too long", Cause: err}
		}
		return to
	}
	switch e.Kind {
	case flow.Invalid:
		to.Members = map[string]any{"Reason": reason(e)}
		if len(e.Fields) > 0 {
			to.Members["FieldList"] = fields(e.Fields)
		}
	case flow.NotFound, flow.Conflict:
		to.Members = map[string]any{"ResourceId": e.ID, "ResourceType": e.Type}
	case flow.Quota:
		to.Members = map[string]any{"ResourceId": e.ID, "ResourceType": e.Type, "ServiceCode": Service, "QuotaCode": quota(e)}
	case flow.Throttled:
		to.Members = map[string]any{"ServiceCode": Service, "QuotaCode": quota(e)}
	case flow.Busy:
		to.Members = map[string]any{"RetryAfterSeconds": int(to.RetryAfter.Seconds())}
	}
	if to.Message == "" { // required, and at least one character
		to.Message = to.Class
	}
	return to
}

func reason(e *flow.Error) string {
	switch e.Reason {
	case "unknownOperation", "cannotParse", "other":
		return e.Reason
	}
	return "fieldValidationFailed"
}

// quota returns the code of the limit. The service's own codes are not
// published; ours are words.
func quota(e *flow.Error) string {
	if e.Code == "" {
		return "unknown"
	}
	return e.Code
}

func fields(in []flow.Field) []validationExceptionField {
	out := make([]validationExceptionField, 0, min(len(in), maxFields))
	for _, f := range in[:min(len(in), maxFields)] {
		out = append(out, validationExceptionField{f.Name, awsjson.Bound(f.Message)})
	}
	return out
}

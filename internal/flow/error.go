package flow

import (
	"errors"
	"fmt"
)

// Kind says what sort of error a caller is looking at, so that a door can
// pick its name and status. The zero Kind is Internal.
type Kind int

// The kinds of error.
const (
	Internal  Kind = iota // our fault; the text is not for the caller
	Invalid               // the request is wrong; the text says how
	NotFound              // what the request names does not exist
	Conflict              // what the request names is in the wrong state, or taken
	Quota                 // a limit on how many may exist is reached
	Throttled             // too many requests at once
	Denied                // the caller may not do this
	Busy                  // not now; the same request may work later
)

// Error is an error that a caller should read.
type Error struct {
	Kind    Kind
	Message string
	// Type and ID name the resource a NotFound, Conflict or Quota is about.
	Type, ID string
	// Code names the limit that a Quota or Throttled is about.
	Code string
	// Reason refines Invalid: "cannotParse", "fieldValidationFailed",
	// "unknownOperation" or "other". Empty means fieldValidationFailed.
	Reason string
	// Fields name what is wrong with which part of an Invalid request.
	Fields []Field
	err    error
}

// A Field says what is wrong with one member of a request or definition.
type Field struct {
	Name    string // path such as "Code.S3Location.Bucket" or "etl.tasks.load.retries"
	Message string
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.err }

// Errorf returns an [Error] of the given kind. As with fmt.Errorf, %w wraps.
func Errorf(k Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Message: err.Error(), err: errors.Unwrap(err)}
}

// About names the resource that the error is about and returns e.
func (e *Error) About(typ, id string) *Error {
	e.Type, e.ID = typ, id
	return e
}

// At adds a field to the error and returns e.
func (e *Error) At(name, message string) *Error {
	e.Fields = append(e.Fields, Field{name, message})
	return e
}

// KindOf returns the kind of the first [Error] in err's chain, or Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

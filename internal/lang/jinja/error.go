package jinja

import "fmt"

// An Error is what stopped a template: an exception of Jinja or Python, or
// one of our bounds.
type Error struct {
	// Type is the name of the exception's class, such as "UndefinedError",
	// "TemplateSyntaxError" or "TypeError".
	Type string
	// Message is the exception's text, as Jinja or Python words it.
	Message string
	// Line is the line of the template, from 1; 0 where none is known.
	Line int
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s: %s (line %d)", e.Type, e.Message, e.Line)
	}
	return e.Type + ": " + e.Message
}

// Errorf returns an [Error] of the given class. Functions that a template
// calls use it to raise.
func Errorf(typ, format string, args ...any) *Error {
	return &Error{Type: typ, Message: fmt.Sprintf(format, args...)}
}

// The interpreter raises by panicking with an *Error, since a Python
// exception may start in any operation, down to a comparison within a sort;
// returning it through each of them would hide the rules in plumbing. Parse,
// Render and the other exported entry points turn it into an error.

func typeError(format string, args ...any) *Error  { return Errorf("TypeError", format, args...) }
func valueError(format string, args ...any) *Error { return Errorf("ValueError", format, args...) }

func raise(err error) {
	if err == nil {
		return
	}
	if e, ok := err.(*Error); ok {
		panic(e)
	}
	panic(Errorf("RuntimeError", "%s", err.Error()))
}

// catch runs f and returns what it raised, if that is of one of the given
// classes; anything else goes on.
func catch(f func(), classes ...string) (caught *Error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			for _, c := range classes {
				if c == r.Type {
					caught = r
					return
				}
			}
			panic(r)
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// rescue turns a raised error into a returned one. Anything else that
// panicked is a fault of this package; a template must not bring the server
// down, so it becomes an error as well.
func rescue(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = r
	default:
		*err = Errorf("RuntimeError", "the template interpreter failed: %v", r)
	}
}

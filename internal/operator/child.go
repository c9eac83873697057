package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/operator/awscall"
)

// maxCall bounds the request that a child reads.
const maxCall = 16 << 20

// child runs an AWS operator in a process of this program.
type child struct {
	o    *Operators
	spec *Spec
}

// Command hands the call to "fairlead operator".
func (r child) Command(c Call) (exec.Spec, error) {
	self, mounts, err := r.o.self()
	if err != nil {
		return exec.Spec{}, err
	}
	e := r.o.environ(c)
	e.airflowContext(c.Task)
	env, err := e.list()
	if err != nil {
		return exec.Spec{}, err
	}
	c.Args = r.spec.pulled(c)
	c.Env, c.XComs = nil, nil // the process has the first, and no use for the rest of the second
	in, err := json.Marshal(c)
	if err != nil {
		return exec.Spec{}, Errorf("the arguments of the task are not JSON: %v", err)
	}
	dir := ""
	switch r.spec.Class {
	case "LocalFilesystemToS3Operator", "SqlToS3Operator", "SQLTableCheckOperator":
		// Their files, such as a database of SQLite, are those of the code
		// package.
		var code []exec.Mount
		dir, code = r.o.codeDir(c)
		mounts = append(mounts, code...)
	}
	return exec.Spec{
		Argv: []string{self, "operator"}, Env: env, Stdin: in, Dir: dir, Mounts: mounts,
		Logger: "task.stdout", Level: "info",
	}, nil
}

// pulled returns the call's arguments and the XComs that the operator pulls.
func (s *Spec) pulled(c Call) map[string]json.RawMessage {
	if len(s.Pulls) == 0 {
		return c.Args
	}
	given := maps.Clone(c.Args)
	a := c.args(s)
	for key, from := range s.Pulls {
		delete(given, key)
		if v, ok := c.XComs[a.text(from)][key]; ok {
			given[key] = v
		}
	}
	return given
}

// self returns where a process of a task finds this program, and the mount
// that puts it there.
func (o *Operators) self() (string, []exec.Mount, error) {
	switch {
	case o.set.Self == "":
		return "", nil, errors.New("operator settings lack the file of this program")
	case o.set.Unmounted:
		return o.set.Self, nil, nil
	}
	return selfFile, []exec.Mount{{Source: o.set.Self, Target: selfFile}}, nil
}

// Finish reads what Perform reported.
func (r child) Finish(_ Call, x exec.Exit) flow.Outcome { return r.o.finish(r.spec.Class, x) }

// An act is what one operator does in the child.
type act func(ctx context.Context, a *action) error

// An action is one call under way in the child.
type action struct {
	*args
	aws     clients
	env     map[string]string // the process's
	log     func(level, format string, values ...any)
	outputs map[string]json.RawMessage
	masks   []string // what does not get into the log, the longest first
}

// publish gives the operator's result.
func (a *action) publish(v any) { a.outputs[ReturnValue] = encode(v) }

// actOf returns what the class does, or nil if it is not to be had here.
func actOf(class string) act {
	switch class {
	case "SQLTableCheckOperator":
		return tableCheck
	}
	return s3Act(class)
}

// Perform carries out the call that stdin holds as JSON and writes a report to
// result and lines to log. It is what "fairlead operator" does; endpoint,
// region and credentials come from the environment. It returns an error only
// if it could not report.
func Perform(ctx context.Context, stdin io.Reader, result, log io.Writer) error {
	return perform(ctx, stdin, result, log, rest)
}

// perform is Perform with pauses of one's own.
func perform(ctx context.Context, stdin io.Reader, result, log io.Writer, sleep func(context.Context, time.Duration) error) error {
	c, err := decodeCall(stdin)
	if err != nil {
		return fmt.Errorf("read the call: %w", err)
	}
	w := lineWriter{log}
	s, ok := Default().Lookup(c.Path)
	if !ok || s.Sensor || len(s.Do) == 0 && actOf(s.Class) == nil {
		return fmt.Errorf("operator %q is not carried out by a child process", c.Path)
	}
	var r report
	if len(s.Do) > 0 {
		r, err = actOut(ctx, c, s, sleep, func(level, logger, event string) { w.line(level, logger, event, nil) })
	} else {
		logger := "airflow.task.operators." + s.Paths[0]
		a := &action{args: c.args(s), env: environment(), outputs: map[string]json.RawMessage{}}
		a.log = func(level, format string, values ...any) {
			w.line(level, logger, a.masked(fmt.Sprintf(format, values...)), nil)
		}
		if err = actOf(s.Class)(ctx, a); err != nil && len(a.masks) > 0 {
			err = a.maskedError(err)
		}
		r.Outputs = a.outputs
	}
	if err != nil {
		r.Error = err.Error()
		if e, ok := errors.AsType[*Error](err); ok {
			r.Fatal, r.Skip = e.Fatal, e.Skip
		}
		w.line("error", "task", "Task failed with exception", errorDetail(err))
	}
	if _, err := result.Write(encode(r)); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// decodeCall reads one call of bounded size.
func decodeCall(r io.Reader) (Call, error) {
	var c Call
	text, err := io.ReadAll(io.LimitReader(r, maxCall+1))
	if err != nil {
		return c, err
	}
	if len(text) > maxCall {
		return c, fmt.Errorf("it is larger than %d bytes", maxCall)
	}
	err = json.Unmarshal(text, &c)
	return c, err
}

// A lineWriter writes log lines in the form of the service.
type lineWriter struct{ io.Writer }

// line writes one line. A log that cannot be written must not fail a task.
func (w lineWriter) line(level, logger, event string, detail []map[string]any) {
	text := encode(struct {
		Timestamp string           `json:"timestamp"`
		Level     string           `json:"level"`
		Event     string           `json:"event"`
		Logger    string           `json:"logger"`
		Detail    []map[string]any `json:"error_detail,omitempty"`
	}{time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), level, event, logger, detail})
	_, _ = w.Write(append(text, '\n'))
}

// errorDetail describes an error as Airflow describes an exception.
func errorDetail(err error) []map[string]any {
	typ := "AirflowException"
	if _, ok := errors.AsType[smithy.APIError](err); ok {
		typ = "ClientError"
	}
	return []map[string]any{{"exc_type": typ, "exc_value": err.Error(), "frames": []any{}}}
}

// callError words the failure of an AWS operation as botocore does, so that
// what users know how to read and search for stays the same.
func callError(err error) error {
	if err == nil {
		return nil
	}
	if pe, ok := errors.AsType[*awscall.ParamError](err); ok {
		return Errorf("%s", pe.Error())
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	operation := "AWS"
	if oe, ok := errors.AsType[*smithy.OperationError](err); ok {
		operation = oe.Operation()
	}
	ae, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		cause := rootCause(err).Error()
		if _, detail, found := strings.Cut(cause, "get credentials: "); found {
			cause = "Unable to locate credentials (" + detail + ")"
		}
		return Errorf("calling the %s operation: %s", operation, cause)
	}
	code, message := ae.ErrorCode(), ae.ErrorMessage()
	// A reply to HEAD has no body, so botocore knows the status only.
	if n := statusOf(err); strings.HasPrefix(operation, "Head") && n != 0 {
		code = fmt.Sprint(n)
		if message == "" {
			message = map[int]string{400: "Bad Request", 403: "Forbidden", 404: "Not Found"}[n]
		}
	}
	text := fmt.Sprintf("An error occurred (%s) when calling the %s operation: %s", code, operation, message)
	if re, ok := errors.AsType[*awshttp.ResponseError](err); ok && re.RequestID != "" {
		text += " (request id " + re.RequestID + ")"
	}
	return &apiError{Errorf("%s", text), ae}
}

// apiError is an [Error] that still knows the service's own.
type apiError struct {
	told *Error
	api  smithy.APIError
}

func (e *apiError) Error() string { return e.told.Message }

func (e *apiError) Unwrap() []error { return []error{e.told, e.api} }

// statusOf returns the HTTP status of a failed operation, or 0.
func statusOf(err error) int {
	if re, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return re.HTTPStatusCode()
	}
	return 0
}

// rootCause drops the SDK's wrapping, which repeats itself.
func rootCause(err error) error {
	if oe, ok := errors.AsType[*smithy.OperationError](err); ok {
		return oe.Unwrap()
	}
	return err
}

package operator

import (
	"encoding/json"
	"fmt"
)

// A Step is one thing that an operator does. Exactly one of Call, Look, Wait,
// Fail, Push, Set, Log, Code and End says what. The package's documentation
// has the form.
type Step struct {
	// If leaves the step out unless it is true; absent is true.
	If *Expr `json:"if,omitempty"`
	// Each carries the step out for each element of a list, which is $Item
	// meanwhile.
	Each *Expr  `json:"each,omitempty"`
	Item string `json:"item,omitempty"`

	Call   string          `json:"call,omitempty"` // "service:Operation"
	Input  map[string]Expr `json:"input,omitempty"`
	Spread []Expr          `json:"spread,omitempty"` // mappings laid over Input
	As     string          `json:"as,omitempty"`     // what keeps the result; the operation's name if absent
	Ignore []Fault         `json:"ignore,omitempty"` // errors that leave the result None
	Retry  *Retry          `json:"retry,omitempty"`
	Pages  *Pages          `json:"pages,omitempty"`

	Look *Look `json:"look,omitempty"` // a sensor's
	Wait *Look `json:"wait,omitempty"` // an operator's

	Fail  string          `json:"fail,omitempty"` // ends the attempt with this message
	Fatal bool            `json:"fatal,omitempty"`
	Skip  bool            `json:"skip,omitempty"`
	Push  map[string]Expr `json:"push,omitempty"` // XCom, now
	Set   map[string]Expr `json:"set,omitempty"`
	Log   string          `json:"log,omitempty"`
	Code  string          `json:"code,omitempty"` // the name of a Go function
	End   bool            `json:"end,omitempty"`  // ends the attempt with success
}

// A Fault is an error of the service: its code, or "*" for any, and
// optionally a part of its message. A text stands for a code.
type Fault struct {
	Code string `json:"code"`
	Says string `json:"says,omitempty"`
}

// UnmarshalJSON reads a fault.
func (f *Fault) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &f.Code) == nil {
		return nil
	}
	type plain Fault
	return json.Unmarshal(text, (*plain)(f))
}

// A Retry says which errors are tried again.
type Retry struct {
	Errors   []Fault `json:"errors"`
	Attempts Expr    `json:"attempts"` // calls in all
	Delay    Expr    `json:"delay"`    // seconds
}

// Pages follows a reply that comes in pages: Next is the reply's member with
// the token that Send takes, and the lists of Items are joined.
type Pages struct {
	Next  string `json:"next"`
	Send  string `json:"send"`
	Items string `json:"items"`
}

// A Look is a call, made again and again, and what its replies mean. A wait
// pauses Delay seconds between two looks and gives up after Attempts.
type Look struct {
	Call   string          `json:"call,omitempty"`
	Input  map[string]Expr `json:"input,omitempty"`
	Code   string          `json:"code,omitempty"`
	As     string          `json:"as,omitempty"`
	First  *Expr           `json:"first,omitempty"` // seconds before the first look
	Delay  *Expr           `json:"delay,omitempty"`
	Tries  *Expr           `json:"attempts,omitempty"`
	Accept []Accept        `json:"accept"`
	// Show is the state for the log, as a reference; the first path of Accept
	// if absent.
	Show string `json:"show,omitempty"`
	Late string `json:"late,omitempty"` // the message when Attempts are used up
	// Logs are log streams of CloudWatch that are copied meanwhile.
	Logs []Tail `json:"logs,omitempty"`
	// Pass ends the wait as if it had succeeded when Attempts are used up.
	Pass bool `json:"pass,omitempty"`
}

// A Tail is a log stream whose events are copied into the task's log after
// each look, as far as there are new ones. Its expressions may use $reply.
// The last line is kept under As.
type Tail struct {
	If     *Expr  `json:"if,omitempty"`
	Group  Expr   `json:"group"`
	Stream Expr   `json:"stream"`
	Region *Expr  `json:"region,omitempty"`
	As     string `json:"as"`
}

// An Accept says what one reply means. The first that matches decides; when
// none does, the wait goes on.
type Accept struct {
	Path  string  `json:"path,omitempty"` // into the reply; a list with [] is compared by Any or All
	All   bool    `json:"all,omitempty"`  // every element, of at least one; otherwise any of a list with []
	Is    *Expr   `json:"is,omitempty"`   // a value, or a list of values
	Error []Fault `json:"error,omitempty"`
	If    *Expr   `json:"if,omitempty"` // with $reply
	Then  string  `json:"then"`         // success, failure, fatal, skip or retry
	Says  string  `json:"message,omitempty"`
}

// name is what the step's result is kept under.
func (s *Step) name() string { return resultName(s.As, s.Call, s.Code) }

func (l *Look) name() string { return resultName(l.As, l.Call, l.Code) }

func resultName(as, call, code string) string {
	for _, s := range []string{as, afterColon(call), code} {
		if s != "" {
			return s
		}
	}
	return ""
}

func afterColon(call string) string {
	for i := range call {
		if call[i] == ':' {
			return call[i+1:]
		}
	}
	return ""
}

// kind says what the step does, and fails unless it is one thing.
func (s *Step) kind() (string, error) {
	var kinds []string
	for kind, is := range map[string]bool{
		"call": s.Call != "", "look": s.Look != nil, "wait": s.Wait != nil, "fail": s.Fail != "", "push": s.Push != nil,
		"set": s.Set != nil, "log": s.Log != "", "code": s.Code != "", "end": s.End,
	} {
		if is {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) != 1 {
		return "", fmt.Errorf("a step does one thing, not %q", kinds)
	}
	return kinds[0], nil
}

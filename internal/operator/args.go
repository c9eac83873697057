package operator

import (
	"bytes"
	"encoding/json"
	"strings"
)

// args reads the arguments of one call. Absent arguments have their default.
// The first fault sticks in err and later reads return zero values, so that
// an operator reads all it needs and looks at err once.
type args struct {
	spec  *Spec
	given map[string]json.RawMessage
	err   error
}

// raw returns the JSON text of an argument, or nil for None.
func (a *args) raw(name string) json.RawMessage {
	v, ok := a.given[name]
	if !ok {
		arg, _ := a.spec.Arg(name)
		v = arg.Default
	}
	v = bytes.TrimSpace(v)
	if len(v) == 0 || string(v) == "null" {
		return nil
	}
	return v
}

// has reports whether the argument has a value other than None.
func (a *args) has(name string) bool { return a.raw(name) != nil }

// text returns a text argument, or nothing for None.
func (a *args) text(name string) string {
	v := a.raw(name)
	if v == nil {
		return ""
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		a.wrong(name, "text", v)
	}
	return s
}

// needed returns a text argument that may not be None, and only for Bash, to
// which it is a command that does nothing, be empty.
func (a *args) needed(name string) string {
	s := a.text(name)
	if s == "" && a.err == nil && (name != "bash_command" || string(a.raw(name)) != `""`) {
		a.err = Errorf("%s: the argument %s has no value", a.spec.Class, name)
	}
	return s
}

// flag returns a boolean argument by Python's rule of truth: a text such as
// "false" is true, since it is not empty.
func (a *args) flag(name string) bool {
	switch v := a.raw(name); string(v) {
	case "", "false", `""`, "0", "0.0", "-0", "[]", "{}":
		return false
	default:
		return true
	}
}

// number returns a numeric argument; a text that holds a number counts.
func (a *args) number(name string) float64 {
	v := a.raw(name)
	if v == nil {
		return 0
	}
	if s := ""; json.Unmarshal(v, &s) == nil {
		v = json.RawMessage(strings.TrimSpace(s))
	}
	var n float64
	if json.Unmarshal(v, &n) != nil {
		a.wrong(name, "a number", v)
	}
	return n
}

// texts returns an argument that is one text or a list of texts. The second
// result tells an empty list from None.
func (a *args) texts(name string) ([]string, bool) {
	v := a.raw(name)
	if v == nil {
		return nil, false
	}
	var one string
	if json.Unmarshal(v, &one) == nil {
		return []string{one}, true
	}
	var many []string
	if json.Unmarshal(v, &many) != nil {
		a.wrong(name, "a text or a list of texts", v)
		return nil, false
	}
	return many, true
}

func (a *args) wrong(name, want string, v json.RawMessage) {
	if a.err == nil {
		a.err = Errorf("%s: the argument %s must be %s, not %s", a.spec.Class, name, want, clip(string(v), 80))
	}
}

// clip shortens s to about n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// encode returns v as JSON, leaving <, > and & as they are.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // only values of our own making come here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

package flow

import (
	"fmt"
	"strings"
)

// A Diagnostic is one finding about a source text.
type Diagnostic struct {
	Severity Severity
	// Line and Column say where, counted from 1; 0 means the whole text.
	// Columns count characters.
	Line, Column int
	// Path is the key at fault, such as "etl.tasks.load.retries".
	Path string
	// Public is what the real service says of this fault, word for word,
	// without its prefix. Empty where no text is known.
	Public string
	// Message says what is wrong and what was expected.
	Message string
	// Fix says what to write instead; may be empty.
	Fix string
}

// Severity ranks diagnostics.
type Severity int

// The severities.
const (
	Fault   Severity = iota // the definition is refused
	Caution                 // accepted, but something in it has no effect
	Remark                  // accepted and heeded; worth knowing
)

func (s Severity) String() string { return [...]string{"error", "warning", "note"}[s] }

// Text returns what the service would say if it says anything known, and
// our own message otherwise.
func (d Diagnostic) Text() string {
	if d.Public != "" {
		return d.Public
	}
	return d.Message
}

// String renders the finding on one line, without a file name.
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", d.Line, d.Column)
	}
	fmt.Fprintf(&b, "%s: ", d.Severity)
	if d.Path != "" {
		fmt.Fprintf(&b, "%s: ", d.Path)
	}
	b.WriteString(d.Message)
	if d.Fix != "" {
		fmt.Fprintf(&b, " (%s)", d.Fix)
	}
	return b.String()
}

// Package airflow is the language of Airflow-style YAML workflows, in the
// dialect that MWAA Serverless accepts: one DAG in dag-factory's form, read
// with the rules of YAML 1.1, checked against the operators' own arguments.
//
// [Compile] turns a text into a [flow.Definition] or into everything that is
// wrong with it. It knows the dialect and the operators' tables; it does not
// know services, storage, drivers or the clock.
package airflow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/operator"
)

// Options say what a text is compiled against. The zero value checks the
// dialect alone: it knows no operator.
type Options struct {
	// Level is the set of rules to read by; empty means MWAA.
	Level     Level
	Operators Operators
	// HasCode says that a code package comes with the definition, so that
	// PythonOperator and classes of the package's own may be named.
	HasCode bool
	// MaxBytes bounds the text; zero means 50 KB, the service's quota.
	MaxBytes int
	// Now is the moment that relative dates such as "2 days" count from. With
	// the zero Now they bound nothing.
	Now time.Time
	// CheckSchedule reports what is wrong with a cron expression or preset.
	// Without it every expression of five or six fields passes.
	CheckSchedule func(expr string) error
}

// A Level is a set of rules that definitions are read by. What the levels
// beyond AWS's will take is known already, and refused by name.
type Level string

// MWAA is what MWAA Serverless accepts, and nothing more.
const MWAA Level = "mwaa"

// Operators is the table of known operators. *operator.Table is one.
type Operators interface {
	Lookup(path string) (*operator.Spec, bool)
	// Nearest returns the path that was probably meant, or "".
	Nearest(path string) string
}

const (
	defaultBytes = 50 << 10
	// maxFindings bounds how many diagnostics of one severity are kept.
	maxFindings = 500
)

// Compile checks src and builds its graph: nodes in topological order, the
// file's own order where that is one. It is pure. With a diagnostic of
// severity [flow.Fault] the definition holds at most its name; otherwise the
// diagnostics are remarks about a definition that may be run. They come in
// the order of the text.
func Compile(src []byte, opts Options) (flow.Definition, []flow.Diagnostic) {
	if opts.MaxBytes == 0 {
		opts.MaxBytes = defaultBytes
	}
	if opts.Level != "" && opts.Level != MWAA {
		return flow.Definition{}, []flow.Diagnostic{{Message: fmt.Sprintf("there is no dialect level %q; the one there is, is %q", opts.Level, MWAA)}}
	}
	if d, ok := checkText(src, opts.MaxBytes); !ok {
		return flow.Definition{}, []flow.Diagnostic{d}
	}
	root, diags := read(src)
	c := compiler{opts: opts, near: map[string]string{}}
	for _, d := range diags {
		c.add(d)
	}
	if root == nil && c.count[flow.Fault] > 0 {
		return flow.Definition{}, c.diags
	}
	if root != nil {
		c.cast(root, "")
	}
	def := c.document(root)
	slices.SortStableFunc(c.diags, func(a, b flow.Diagnostic) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if hidden := max(c.count[flow.Fault], c.count[flow.Caution], c.count[flow.Remark]) - maxFindings; hidden > 0 {
		c.diags = append(c.diags, flow.Diagnostic{Severity: flow.Remark, Message: fmt.Sprintf("only the first %d findings of a kind are shown", maxFindings)})
	}
	if c.count[flow.Fault] > 0 {
		return flow.Definition{Name: def.Name}, c.diags
	}
	def.Warnings = c.warnings()
	return def, c.diags
}

// warnings are what a caller of the API sees: the service's own line, and one
// for each thing that is not heeded, with its path.
func (c *compiler) warnings() []string {
	var w []string
	if len(c.ignored) > 0 {
		w = []string{"ignored attributes: " + strings.Join(c.ignored, ", ")}
	}
	for _, d := range c.diags {
		if d.Severity == flow.Caution && len(w) < maxFindings {
			w = append(w, fmt.Sprintf("%s: %s (line %d)", d.Path, d.Message, d.Line))
		}
	}
	return w
}

// A compiler collects what one compilation finds.
type compiler struct {
	opts    Options
	diags   []flow.Diagnostic
	count   [3]int   // findings by severity
	ignored []string // attributes that nobody heeds, each once
	near    map[string]string
}

// A say is what a diagnostic says, apart from where.
type say struct{ public, message, fix string }

// fault, caution and remark report a finding about the value at. What was
// reported already is not reported again.
func (c *compiler) fault(at *value, path string, s say)   { c.report(flow.Fault, at, path, s) }
func (c *compiler) caution(at *value, path string, s say) { c.report(flow.Caution, at, path, s) }
func (c *compiler) remark(at *value, path string, s say)  { c.report(flow.Remark, at, path, s) }

func (c *compiler) report(sev flow.Severity, at *value, path string, s say) {
	d := flow.Diagnostic{Severity: sev, Path: path, Public: s.public, Message: s.message, Fix: s.fix}
	if at != nil {
		if at.reported() {
			return
		}
		d.Line, d.Column = at.line, at.column
	}
	c.add(d)
}

func (c *compiler) add(d flow.Diagnostic) {
	c.count[d.Severity]++
	if c.count[d.Severity] <= maxFindings {
		c.diags = append(c.diags, d)
	}
}

// ignore reports a key that is accepted and has no effect.
func (c *compiler) ignore(key *value, path, why string) {
	if !slices.Contains(c.ignored, key.text) {
		c.ignored = append(c.ignored, key.text)
	}
	c.caution(key, path, say{message: fmt.Sprintf("%s is accepted and has no effect%s", key.text, why)})
}

// document checks the outermost mapping: exactly one DAG.
func (c *compiler) document(root *value) flow.Definition {
	const public = "DAG definition should contain a single DAG"
	if root == nil || root.kind == null {
		c.fault(root, "", say{public: public, message: "the definition is empty", fix: "write one top-level key, the DAG's id, and its DAG below it"})
		return flow.Definition{}
	}
	if root.kind != mapping {
		c.fault(root, "", say{public: public, message: fmt.Sprintf("expected one top-level key, the DAG's id, not %s", root.what())})
		return flow.Definition{}
	}
	if len(root.pairs) != 1 {
		c.fault(secondKey(root), "", singleDAG(root, public))
	}
	if len(root.pairs) == 1 {
		return c.dag(root.pairs[0])
	}
	// What looks like a DAG is checked all the same, so that all faults show
	// at once.
	for _, p := range root.pairs {
		if p.value.kind == mapping && p.value.find("tasks") != nil {
			c.dag(p)
		}
	}
	return flow.Definition{}
}

// secondKey returns the key that is one too many.
func secondKey(root *value) *value {
	if len(root.pairs) > 1 {
		return root.pairs[1].key
	}
	return root
}

// singleDAG words the fault of a text with no or several top-level keys.
func singleDAG(root *value, public string) say {
	s := say{public: public, message: "the definition has no DAG", fix: "write one top-level key, the DAG's id, and its DAG below it"}
	if len(root.pairs) == 0 {
		return s
	}
	var names []string
	for _, p := range root.pairs {
		names = append(names, Clip(p.key.name(), 60))
	}
	s.message = fmt.Sprintf("expected one top-level key, the DAG's id, but found %d: %s", len(names), Clip(strings.Join(names, ", "), 300))
	switch {
	case root.find("tasks") != nil:
		s.fix = "put everything below one more key, the DAG's id"
	case root.find("default") != nil:
		s.fix = "move what is below default into the DAG: its default_args, and the rest as keys of the DAG"
	default:
		s.fix = "make each DAG a definition of its own"
	}
	return s
}

// encode marshals one of our own structs, which cannot fail, leaving <, > and
// & in texts as they are.
func encode(v any) json.RawMessage {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("airflow: encode: " + err.Error()) // a broken invariant: every part is valid JSON
	}
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n"))
}

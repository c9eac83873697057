package airflow

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"fairlead/internal/flow"
)

// Bounds on what a text may unfold to. Aliases are copied, so a few lines
// could otherwise stand for gigabytes. A text without aliases has no more
// values than bytes, so one that may be long may also hold that much.
const (
	maxDepth = 64
	maxNodes = 100_000
	maxText  = 2 << 20
)

// read loads src as PyYAML's FullLoader does: the scalar forms of YAML 1.1,
// merge keys, the last of two equal keys wins. Unlike dag-factory it does not
// replace $NAME by environment variables, and it constructs no Python
// objects. It returns nil when the text cannot be read or holds nothing.
func read(src []byte) (*value, []flow.Diagnostic) {
	var doc yaml.Node
	err := yaml.Load(src, &doc, yaml.WithUniqueKeys(false))
	if err != nil && blank(src) {
		return nil, nil
	}
	if err != nil {
		return nil, []flow.Diagnostic{syntaxFault(src, err)}
	}
	if doc.Kind == 0 || doc.Kind == yaml.DocumentNode && len(doc.Content) == 0 {
		return nil, nil
	}
	r := reader{
		maxNodes: max(maxNodes, len(src)), maxText: max(maxText, len(src)),
		open: map[*yaml.Node]bool{}, anchors: map[string]*yaml.Node{},
	}
	n := &doc
	if n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	v := r.value(n, 0)
	if r.full {
		return nil, r.diags
	}
	return v, r.diags
}

// blank reports whether src has nothing but comments.
func blank(src []byte) bool {
	for line := range bytes.Lines(src) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// syntaxFault says where the text stops being YAML.
func syntaxFault(src []byte, err error) flow.Diagnostic {
	d := flow.Diagnostic{Severity: flow.Fault}
	var le *yaml.LoadError
	if errors.As(err, &le) {
		d.Line, d.Column = le.Mark.Line, le.Mark.Column
		d.Message = "not YAML: " + le.Message
		if le.ContextMsg != "" {
			d.Message += " (" + le.ContextMsg
			if le.ContextMark.Line > 0 {
				d.Message += fmt.Sprintf(" that begins on line %d", le.ContextMark.Line)
			}
			d.Message += ")"
		}
	} else {
		d.Message = "not YAML: " + err.Error()
	}
	switch m := d.Message; {
	case strings.Contains(m, "cannot start any token"):
		d.Fix = "indent with spaces, and quote a value that begins with a special character, such as '{{ ds }}' or '@daily'"
	case strings.Contains(m, "multiple"):
		if d.Line == 0 {
			d.Line, d.Column = secondDocument(src), 1
		}
		d.Fix = "keep one document and no second ---"
	case strings.Contains(m, "mapping values are not allowed"):
		d.Fix = "quote a value that contains a colon and a space, and check the indentation"
	case strings.Contains(m, "did not find expected"):
		d.Fix = "check the indentation, and the quotes and brackets before this place"
	}
	d.Message = Clip(d.Message, 500)
	return d
}

// secondDocument returns the line on which a second document begins, or 0.
func secondDocument(src []byte) int {
	n, begun := 0, false
	for line := range bytes.Lines(src) {
		n++
		if begun && bytes.HasPrefix(line, []byte("---")) {
			return n
		}
		begun = begun || !blank(line)
	}
	return 0
}

// A reader turns nodes into values.
type reader struct {
	diags             []flow.Diagnostic
	nodes             int
	text              int
	full              bool // a bound was passed; nothing more is read
	maxNodes, maxText int
	open              map[*yaml.Node]bool // collections that we are inside of
	// anchors are the first nodes of each name: PyYAML refuses a second one.
	anchors map[string]*yaml.Node
}

// fault reports what is wrong with n. The value in its place becomes one that
// nothing more is said about.
func (r *reader) fault(n *yaml.Node, format string, args ...any) {
	r.diags = append(r.diags, flow.Diagnostic{Severity: flow.Fault, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) stop(n *yaml.Node, format string, args ...any) {
	if !r.full {
		r.full = true
		r.fault(n, format, args...)
	}
}

// value converts n. After a fault it returns a value that counts as reported,
// so that the rest of the text is still checked.
func (r *reader) value(n *yaml.Node, depth int) *value {
	v := &value{kind: opaque, bool: true, line: n.Line, column: n.Column}
	if r.full {
		return v
	}
	if depth > maxDepth {
		r.stop(n, "nested more than %d deep", maxDepth)
		return v
	}
	if n.Kind == yaml.AliasNode {
		if n.Alias == nil {
			r.fault(n, "unknown alias %s", n.Value)
			return v
		}
		if r.open[n.Alias] {
			r.fault(n, "the anchor %s contains itself", n.Value)
			return v
		}
		// Where the alias stands is what a person must look at.
		v := r.value(n.Alias, depth+1)
		v.line, v.column = n.Line, n.Column
		return v
	}
	if n.Anchor != "" {
		if first := r.anchors[n.Anchor]; first == nil {
			r.anchors[n.Anchor] = n
		} else if first != n {
			r.fault(n, "the anchor %s is already on line %d", n.Anchor, first.Line)
			return v
		}
	}
	r.nodes++
	r.text += len(n.Value)
	if r.nodes > r.maxNodes || r.text > r.maxText {
		r.stop(n, "the aliases of this text unfold to more than %d values or %d bytes", r.maxNodes, r.maxText)
		return v
	}
	bad := len(r.diags)
	switch n.Kind {
	case yaml.ScalarNode:
		v.kind, v.bool = null, false
		r.scalar(n, v)
		if len(r.diags) > bad {
			v.kind, v.bool = opaque, true
		}
	case yaml.SequenceNode:
		r.open[n] = true
		r.sequence(n, v, depth)
		delete(r.open, n)
	case yaml.MappingNode:
		r.open[n] = true
		r.mapping(n, v, depth)
		delete(r.open, n)
	}
	return v
}

// tag returns the tag written before n, in short form, or "".
func tag(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle == 0 {
		return ""
	}
	return n.ShortTag()
}

func plain(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

func (r *reader) scalar(n *yaml.Node, v *value) {
	t := tag(n)
	switch t {
	case "":
		t = "!!str"
		if plain(n) {
			t = scalarTag(n.Value)
		}
	case "!", "!!str":
		t = "!!str"
	case "!!null", "!!bool", "!!int", "!!float", "!!timestamp":
	default:
		r.badTag(n, t)
		return
	}
	switch t {
	case "!!merge":
		r.fault(n, "<< stands only as a key, before the mappings to merge; quote it to mean the text")
		return
	case "!!value":
		r.fault(n, "YAML 1.1 gives a bare = a meaning that Airflow's reader refuses; quote it to mean the text")
		return
	}
	if err := v.scalar(t, n.Value); err != nil {
		r.fault(n, "%s; quote it if text is meant", err)
	}
}

func (r *reader) badTag(n *yaml.Node, t string) {
	d := flow.Diagnostic{Severity: flow.Fault, Line: n.Line, Column: n.Column, Message: "the tag " + Clip(t, 80) + " is not supported here"}
	if strings.HasPrefix(t, "!!python/") {
		d.Message = "the tag " + Clip(t, 80) + " constructs a Python object, which is refused"
		d.Fix = "name the function as text, module.function, and ship the module in the code package"
	}
	r.diags = append(r.diags, d)
}

func (r *reader) sequence(n *yaml.Node, v *value, depth int) {
	switch t := tag(n); t {
	case "", "!", "!!seq", "!!python/tuple", "!!python/list":
	default:
		r.badTag(n, t)
		return
	}
	v.kind, v.bool = list, false
	v.items = make([]*value, 0, len(n.Content))
	for _, c := range n.Content {
		v.items = append(v.items, r.value(c, depth+1))
	}
}

func (r *reader) mapping(n *yaml.Node, v *value, depth int) {
	set := false
	switch t := tag(n); t {
	case "", "!", "!!map", "!!python/dict":
	case "!!set":
		set = true
	default:
		r.badTag(n, t)
		return
	}
	m := builder{at: map[string]int{}}
	// As PyYAML does, take what is merged first, so that the mapping's own
	// keys override it.
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; isMerge(k) {
			r.merge(n.Content[i+1], &m, depth)
		}
	}
	m.own = map[string]*value{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if isMerge(k) {
			continue
		}
		key := r.key(k, depth)
		val := r.value(n.Content[i+1], depth+1)
		if key == nil || r.full {
			continue
		}
		if first := m.own[key.name()]; first != nil {
			r.diags = append(r.diags, flow.Diagnostic{
				Severity: flow.Caution, Line: first.line, Column: first.column,
				Message: fmt.Sprintf("the key %s is written again on line %d, which wins", Clip(key.name(), 80), key.line),
			})
		}
		m.own[key.name()] = key
		m.put(key, val)
	}
	v.kind, v.bool, v.pairs = mapping, false, m.pairs
	if set {
		v.kind, v.pairs = list, nil
		for _, p := range m.pairs {
			v.items = append(v.items, p.key)
		}
	}
}

// A builder collects a mapping's pairs: a key keeps its first place and takes
// its last value.
type builder struct {
	pairs []pair
	at    map[string]int
	own   map[string]*value // the keys written in the mapping itself
}

func (m *builder) put(key, val *value) {
	name := key.name()
	if i, ok := m.at[name]; ok {
		m.pairs[i] = pair{key, val}
		return
	}
	m.at[name] = len(m.pairs)
	m.pairs = append(m.pairs, pair{key, val})
}

// key converts a mapping's key, or returns nil after a fault.
func (r *reader) key(k *yaml.Node, depth int) *value {
	if plain(k) && tag(k) == "" && k.Value == "=" {
		return &value{kind: text, text: "=", line: k.Line, column: k.Column}
	}
	key := r.value(k, depth+1)
	switch key.kind {
	case opaque: // reported
		return nil
	case list, mapping:
		r.fault(k, "a key must be a scalar, not %s; quote a value that begins with { or [, such as '{{ ds }}'", key.what())
		return nil
	}
	return key
}

func isMerge(k *yaml.Node) bool {
	return plain(k) && k.Value == "<<" && (tag(k) == "" || tag(k) == "!!merge")
}

// merge puts what n names into m. In a list of mappings the earlier ones win.
func (r *reader) merge(n *yaml.Node, m *builder, depth int) {
	src := r.value(n, depth+1)
	switch src.kind {
	case mapping:
		for _, p := range src.pairs {
			m.put(p.key, p.value)
		}
	case list:
		for i := len(src.items) - 1; i >= 0; i-- {
			it := src.items[i]
			if it.kind != mapping {
				r.fault(n, "expected a mapping for merging, but found %s", it.what())
				continue
			}
			for _, p := range it.pairs {
				m.put(p.key, p.value)
			}
		}
	default:
		r.fault(n, "expected a mapping or list of mappings for merging, but found %s", src.what())
	}
}

// checkText refuses what no YAML reader should be given.
func checkText(src []byte, limit int) (flow.Diagnostic, bool) {
	if len(src) > limit {
		return flow.Diagnostic{
			Severity: flow.Fault,
			Message:  fmt.Sprintf("the definition has %d bytes; at most %d are allowed", len(src), limit),
			Fix:      "move long texts such as SQL or templates out of the definition, to S3 or into the code package",
		}, false
	}
	line, column := 1, 1
	for i := 0; i < len(src); {
		c, size := utf8.DecodeRune(src[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			return flow.Diagnostic{Severity: flow.Fault, Line: line, Column: column, Message: "the definition is not UTF-8"}, false
		case c == '\n':
			line, column = line+1, 0
		case c < ' ' && c != '\t' && c != '\r', c == 0x7F, c >= 0x80 && c < 0xA0 && c != 0x85, c == 0xFFFE, c == 0xFFFF:
			return flow.Diagnostic{Severity: flow.Fault, Line: line, Column: column, Message: fmt.Sprintf("the control character %U is not allowed", c),
				Fix: `remove it, or write it as an escape in double quotes, such as "\x1b"`}, false
		}
		i, column = i+size, column+1
	}
	return flow.Diagnostic{}, true
}

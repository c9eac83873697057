package wdl

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Parameter is an input of a workflow as a parameter template has it.
type Parameter struct {
	Name        string
	Description string // from parameter_meta; at most 256 characters
	Optional    bool   // of an optional type, or with a default
	Type        Type
}

// Template returns the inputs of a document's own workflow in the order in
// which they are declared; none if it has no workflow.
func Template(doc *Document) []Parameter {
	w := doc.Workflow
	if w == nil {
		return nil
	}
	var out []Parameter
	for _, d := range w.inputs(doc.Version) {
		out = append(out, Parameter{
			Name: d.Name.Text, Description: description(w.ParameterMeta, d.Name.Text),
			Optional: d.Type.Optional || d.Expr != nil, Type: d.Type,
		})
	}
	return out
}

// description returns what a parameter_meta section says of a name: a text,
// or the member of an object that has one.
func description(meta []Attr, name string) string {
	for _, a := range meta {
		if a.Key.Text != name {
			continue
		}
		if o, ok := a.Value.(*ObjectLit); ok {
			for _, key := range [...]string{"description", "help", "label"} {
				for _, m := range o.Members {
					if text := literalText(m.Value); m.Key.Text == key && text != "" {
						return short(text)
					}
				}
			}
		}
		return short(literalText(a.Value))
	}
	return ""
}

// literalText returns a text without placeholders, and nothing of what is
// none.
func literalText(e Expr) string {
	if s, ok := e.(*StringLit); ok && len(s.Parts) == 1 && s.Parts[0].Hole == nil {
		return s.Parts[0].Text
	}
	return ""
}

// short cuts a description to what a template holds, on one line.
func short(s string) string {
	const most = 256
	runes := []rune(strings.Join(strings.Fields(s), " "))
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	return string(runes)
}

// maxInputs bounds the inputs that are listed of calls within calls.
const maxInputs = 10_000

// An Input is what a run may be given a value for.
type Input struct {
	// Name is that of the input or, if it is one that a call does not give,
	// the call's name, a dot, and the input's.
	Name     string
	Decl     *Decl
	Required bool
}

// Inputs returns everything that a run of a document's workflow may be given:
// its inputs, and then those of its calls that they are not given, in the
// order of the document. Names do not begin with the workflow's.
func Inputs(doc *Document) []Input {
	if doc.Workflow == nil {
		return nil
	}
	return workflowInputs(doc, map[*Document][]Input{})
}

// workflowInputs is [Inputs] of a document that has a workflow; known has
// those of documents that were met before.
func workflowInputs(doc *Document, known map[*Document][]Input) []Input {
	if out, ok := known[doc]; ok {
		return out
	}
	var out []Input
	add := func(in Input) {
		if len(out) < maxInputs {
			out = append(out, in)
		}
	}
	for _, d := range doc.Workflow.inputs(doc.Version) {
		add(Input{d.Name.Text, d, d.Expr == nil && !d.Type.Optional})
	}
	for _, c := range calls(doc.Workflow.Body) {
		if len(out) == maxInputs {
			break
		}
		var inner []Input
		if c.Workflow != nil {
			inner = workflowInputs(c.Workflow, known)
		} else {
			for _, d := range c.Takes() {
				inner = append(inner, Input{d.Name.Text, d, d.Expr == nil && !d.Type.Optional})
			}
		}
		given := map[string]bool{}
		for _, in := range c.Inputs {
			given[in.Name.Text] = true
		}
		for _, in := range inner {
			if len(out) == maxInputs {
				break
			}
			if !given[in.Name] {
				add(Input{c.Name().Text + "." + in.Name, in.Decl, in.Required})
			}
		}
	}
	known[doc] = out
	return out
}

// Digest returns the SHA-256 of a document and all that it imports, as
// "sha256:" and 64 hexadecimal digits. It depends on their texts and on how
// they lie to one another, not on where they are.
func Digest(doc *Document) string {
	h := sha256.New()
	number := map[*Document]int{}
	for i, d := range doc.All() {
		number[d] = i
		fmt.Fprintf(h, "%d\n%s\n", len(d.Source.Text), d.Source.Text)
		for _, im := range d.Imports {
			fmt.Fprintf(h, "%s %d\n", im.URI, number[im.Doc])
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

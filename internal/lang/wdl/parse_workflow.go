package wdl

import (
	"fmt"
	"slices"
)

func (p *parser) workflow(start Span) *Workflow {
	w := &Workflow{Name: p.name("a name for the workflow")}
	level := p.begin("after the workflow's name")
	seen := map[string]Span{}
	for !p.at("}") && !p.over() {
		word := p.tok
		brace := p.lex.peek() == '{'
		if brace && word.kind == tokIdent && slices.Contains([]string{"input", "output", "meta", "parameter_meta", "hints"}, word.text) {
			p.once(seen, word, "workflow")
		}
		switch {
		case p.at("input") && brace:
			w.HasInputs = true
			w.Inputs = append(w.Inputs, p.decls("input")...)
		case p.at("output") && brace:
			w.HasOutputs = true
			p.workflowOutputs(w)
		case p.at("meta") && brace:
			w.Meta = append(w.Meta, p.meta()...)
		case p.at("parameter_meta") && brace:
			w.ParameterMeta = append(w.ParameterMeta, p.meta()...)
		case p.at("hints") && brace:
			p.later(word, "leave them out, or write version development")
			w.Hints = append(w.Hints, p.attrs(true)...)
		case p.at("command") || (p.at("runtime") || p.at("requirements")) && brace:
			p.fail("move it to a task", "a workflow has no %s section", p.tok.text)
		default:
			w.Body = append(w.Body, p.element())
		}
		if !p.recover(level, workflowWords...) {
			break
		}
	}
	p.end(level, "workflow", start)
	w.Span = p.since(start)
	return w
}

// workflowOutputs reads declarations and, in draft-2, names of calls' outputs.
func (p *parser) workflowOutputs(w *Workflow) {
	start := p.tok.Span
	p.next()
	level := p.begin("after output")
	for !p.at("}") && !p.over() {
		if p.version == Draft2 && p.tok.kind == tokIdent && !startsType(p.tok.text) {
			e := &Exposed{}
			from := p.tok.Span
			e.Name = append(e.Name, p.name("a declaration, or the name of a call"))
			for p.take(".") {
				if p.at("*") {
					e.Name = append(e.Name, Ident{p.tok.Span, "*"})
					p.next()
					break
				}
				e.Name = append(e.Name, p.word("the name of an output"))
			}
			e.Span = p.since(from)
			w.Exposed = append(w.Exposed, e)
			p.take(",")
		} else {
			w.Outputs = append(w.Outputs, p.bound("output"))
		}
		if !p.recover(level) {
			return
		}
	}
	p.end(level, "output section", start)
}

// element reads a part of a workflow's body.
func (p *parser) element() Element {
	start := p.tok.Span
	switch {
	case p.take("call"):
		return p.call(start)
	case p.take("scatter"):
		s := &Scatter{}
		p.expect("(", "after scatter")
		s.Var = p.name("a name for the item")
		p.expect("in", "after the item's name")
		s.Items = p.expr()
		p.expect(")", "after the items")
		s.Body = p.body("scatter", start)
		s.Span = p.since(start)
		return s
	case p.take("if"):
		c := &Conditional{}
		p.expect("(", "after if")
		c.Cond = p.expr()
		p.expect(")", "after the condition")
		c.Body = p.body("conditional", start)
		c.Span = p.since(start)
		if p.at("else") {
			p.fail("write if (!condition) { … }", "a conditional has no else in version %s", p.version)
		}
		return c
	}
	return p.decl()
}

// body reads the elements of a scatter or conditional.
func (p *parser) body(what string, start Span) []Element {
	level := p.begin("to begin the body of the " + what)
	var out []Element
	if !p.enter() {
		return nil
	}
	defer p.leave()
	for !p.at("}") && !p.over() {
		out = append(out, p.element())
		if !p.recover(level, workflowWords...) {
			return out
		}
	}
	p.end(level, what, start)
	return out
}

func (p *parser) call(start Span) *Call {
	c := &Call{}
	c.Callee = append(c.Callee, p.name("the task or workflow to call"))
	for p.take(".") {
		c.Callee = append(c.Callee, p.name("the task or workflow to call"))
	}
	if p.take("as") {
		c.Alias = p.name("a name for the call")
	}
	for p.at("after") {
		if p.version < V11 {
			p.fault(p.tok.Span, "use one of the call's outputs, or write version 1.1", "after came with version 1.1")
		}
		p.next()
		c.After = append(c.After, p.name("the call to come after"))
	}
	if p.at("{") {
		p.callBody(c, start)
	}
	c.Span = p.since(start)
	return c
}

func (p *parser) callBody(c *Call, start Span) {
	level := p.begin("")
	if p.at("input") && p.lex.peek() == ':' {
		p.next()
		p.next()
	} else if !p.at("}") && p.version < Development {
		p.fail("write input: before the first of them", "expected \"input:\" in the body of a call, found %s", p.found())
	}
	for !p.at("}") && !p.over() {
		in := &CallInput{Name: p.word("the name of an input")}
		if p.take("=") {
			in.Expr = p.expr()
		} else {
			if p.at(":") {
				p.fail("write =", "expected \"=\" after the name of an input, found \":\"")
			}
			if p.version < V11 {
				p.fault(in.Name.Span, fmt.Sprintf("write %s = %[1]s", in.Name.Text), "a name alone, for an input of the same name, came with version 1.1")
			}
			in.Short = true
			in.Expr = &Ref{node: node{Span: in.Name.Span}, Name: in.Name.Text}
		}
		if p.tok.kind != tokFail {
			c.Inputs = append(c.Inputs, in)
		}
		if !p.take(",") && !p.at("}") {
			p.fail("separate inputs by commas", "expected \",\" or \"}\" after an input of a call, found %s", p.found())
		}
	}
	p.end(level, "call", start)
}

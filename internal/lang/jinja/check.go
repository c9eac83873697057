package jinja

import "slices"

// walk calls visit for a node and, where that returns true, for the nodes
// below it, in the order in which Jinja compiles them.
func walk(n any, visit func(n any) bool) {
	if n == nil || !visit(n) {
		return
	}
	below := func(xs ...expr) {
		for _, x := range xs {
			if x != nil {
				walk(x, visit)
			}
		}
	}
	bodies := func(bs ...[]stmt) {
		for _, b := range bs {
			for _, s := range b {
				walk(s, visit)
			}
		}
	}
	arguments := func(a args) {
		below(a.pos...)
		for _, k := range a.kw {
			below(k.x)
		}
		below(a.star, a.dict)
	}
	switch n := n.(type) {
	case *tupleExpr:
		below(n.items...)
	case *listExpr:
		below(n.items...)
	case *dictExpr:
		for i := range n.keys {
			below(n.keys[i], n.values[i])
		}
	case *attrExpr:
		below(n.x)
	case *itemExpr:
		below(n.x, n.key)
	case *sliceExpr:
		below(n.start, n.stop, n.step)
	case *callExpr:
		below(n.fn)
		arguments(n.args)
	case *filterExpr:
		below(n.x)
		arguments(n.args)
	case *testExpr:
		below(n.x)
		arguments(n.args)
	case *notExpr:
		below(n.x)
	case *andExpr:
		below(n.l, n.r)
	case *orExpr:
		below(n.l, n.r)
	case *binaryExpr:
		below(n.l, n.r)
	case *unaryExpr:
		below(n.x)
	case *concatExpr:
		below(n.items...)
	case *condExpr:
		below(n.test, n.yes, n.no)
	case *compareExpr:
		below(n.first)
		for _, o := range n.ops {
			below(o.x)
		}
	case *output:
		for _, p := range n.parts {
			below(p.x)
		}
	case *forStmt:
		below(n.test, n.target, n.iter)
		bodies(n.body, n.alt)
	case *ifStmt:
		for i, b := range n.bodies {
			if i < len(n.tests) {
				below(n.tests[i])
			}
			bodies(b)
		}
	case *setStmt:
		below(n.target, n.x)
	case *setBlock:
		bodies(n.body)
		below(n.target)
		if n.filter != nil {
			below(n.filter)
		}
	case *withStmt:
		for i := range n.targets {
			below(n.targets[i], n.values[i])
		}
		bodies(n.body)
	case *filterBlock:
		bodies(n.body)
		below(n.filter)
	case *macroStmt:
		below(n.def.defaults...)
		bodies(n.def.body)
	case *callBlock:
		below(n.def.defaults...)
		bodies(n.def.body)
		below(n.call)
	case *blockStmt:
		bodies(n.body)
	case *autoescape:
		below(n.on)
		bodies(n.body)
	case *doStmt:
		below(n.x)
	case *loadStmt:
		below(n.x)
	}
}

// checker finds what Jinja refuses when it compiles a template that parsed.
type checker struct {
	env    *Env
	blocks map[string]*blockStmt
	order  []*blockStmt
}

func (c *checker) fail(line int, format string, args ...any) {
	e := Errorf("TemplateAssertionError", format, args...)
	e.Line = line
	panic(e)
}

func (c *checker) template(body []stmt) {
	c.blocks = map[string]*blockStmt{}
	for _, s := range body {
		walk(s, func(n any) bool {
			if b, ok := n.(*blockStmt); ok {
				if c.blocks[b.name] != nil {
					c.fail(b.line, "block %s defined twice", quote(b.name))
				}
				c.blocks[b.name] = b
				c.order = append(c.order, b)
			}
			return true
		})
	}
	c.body(body, false)
	for _, b := range c.order {
		c.body(b.body, false)
	}
}

// body checks statements. Within an if or an inline if (soft), a filter that
// does not exist is an error only when it is reached, so that a template can
// ask first whether it exists.
func (c *checker) body(body []stmt, soft bool) {
	for _, s := range body {
		c.node(s, soft)
	}
}

func (c *checker) node(n any, soft bool) {
	walk(n, func(n any) bool {
		switch n := n.(type) {
		case *filterExpr:
			if _, ok := c.env.filters[n.name]; !ok && !soft {
				c.fail(n.line, "No filter named %s.", quote(n.name))
			}
		case *testExpr:
			if _, ok := c.env.tests[n.name]; !ok && !soft {
				c.fail(n.line, "No test named %s.", quote(n.name))
			}
		case *condExpr:
			if !soft {
				c.node(n, true)
				return false
			}
		case *ifStmt:
			if !soft {
				c.node(n, true)
				return false
			}
		case *forStmt:
			c.loop(n)
			if soft {
				inner := *n
				inner.iter = nil
				c.node(n.iter, true)
				c.node(&inner, false)
				return false
			}
		case *macroStmt:
			c.macro(n.def)
			return c.hard(n, soft)
		case *callBlock:
			c.macro(n.def)
			if soft {
				c.body(n.def.body, false)
				c.node(n.call, true)
				return false
			}
		case *withStmt, *filterBlock, *setBlock, *autoescape:
			return c.hard(n, soft)
		case *blockStmt:
			return false // compiled on its own
		}
		return true
	})
}

// hard checks n as outside of any if, and returns whether the caller still
// has to look into it.
func (c *checker) hard(n any, soft bool) bool {
	if soft {
		c.node(n, false)
	}
	return !soft
}

func (c *checker) loop(f *forStmt) {
	check := func(target expr) {
		walk(target, func(n any) bool {
			if name, ok := n.(nameExpr); ok && name.name == "loop" {
				c.fail(name.line, "Can't assign to special loop variable in for-loop target")
			}
			return true
		})
	}
	check(f.target)
	walk(f, func(n any) bool {
		switch n := n.(type) {
		case *setStmt:
			check(n.target)
		case *setBlock:
			check(n.target)
		case *forStmt:
			check(n.target)
		case *withStmt:
			// With's targets are parameters, not stores.
		}
		return true
	})
}

// macro notes which of the names that Jinja supplies the body reads.
func (c *checker) macro(d *macroDef) {
	for i, p := range d.params {
		if slices.Contains(d.params[:i], p) {
			e := Errorf("SyntaxError", "duplicate argument '%s' in function definition", p)
			e.Line = d.line
			panic(e)
		}
	}
	reads := map[string]bool{}
	stored := map[string]bool{}
	bind := func(target expr) {
		walk(target, func(n any) bool {
			if name, ok := n.(nameExpr); ok {
				stored[name.name] = true
			}
			return true
		})
	}
	for _, s := range d.body {
		walk(s, func(n any) bool {
			switch n := n.(type) {
			case nameExpr:
				if !stored[n.name] {
					reads[n.name] = true
				}
			case *blockStmt:
				return false
			case *setStmt:
				walk(n.x, func(n any) bool {
					if name, ok := n.(nameExpr); ok && !stored[name.name] {
						reads[name.name] = true
					}
					return true
				})
				bind(n.target)
				return false
			case *forStmt:
				bind(n.target)
			case *setBlock:
				bind(n.target)
			case *macroStmt:
				for _, p := range n.def.params {
					stored[p] = true
				}
			}
			return true
		})
	}
	has := func(name string) bool { return slices.Contains(d.params, name) }
	d.caller = reads["caller"]
	d.kwargs = reads["kwargs"] && !has("kwargs")
	d.varargs = reads["varargs"] && !has("varargs")
	if d.caller {
		for i, p := range d.params {
			if p == "caller" && i < len(d.params)-len(d.defaults) {
				c.fail(d.line, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
			}
		}
	}
}

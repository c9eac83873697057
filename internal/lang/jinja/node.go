package jinja

// An expr is a node that has a value. Its class is the name that Jinja
// gives the node, in lower case, as its errors print it.
type expr interface {
	eval(m *machine, sc *scope) Value
	class() string
}

// A stmt is a node that acts: it writes or binds names.
type stmt interface {
	exec(m *machine, sc *scope)
}

type (
	constExpr struct{ v Value }
	nameExpr  struct {
		name string
		line int
	}
	nsRef     struct{ name, attr string } // ns.attr as the target of set
	tupleExpr struct{ items []expr }
	listExpr  struct{ items []expr }
	dictExpr  struct{ keys, values []expr }
	attrExpr  struct {
		x    expr
		name string
	}
	itemExpr  struct{ x, key expr }
	sliceExpr struct{ start, stop, step expr } // each may be nil
	callExpr  struct {
		fn   expr
		args args
		line int
	}
	filterExpr struct {
		x    expr // nil: the text of the block around it
		name string
		args args
		line int
	}
	testExpr struct {
		x    expr
		name string
		args args
		line int
	}
	notExpr    struct{ x expr }
	andExpr    struct{ l, r expr }
	orExpr     struct{ l, r expr }
	binaryExpr struct {
		op   string
		l, r expr
	}
	unaryExpr struct {
		op string
		x  expr
	}
	concatExpr struct{ items []expr }
	condExpr   struct {
		test, yes, no expr // no may be nil
		line          int
	}
	compareExpr struct {
		first expr
		ops   []operand
	}
)

type operand struct {
	op string // also "in" and "notin"
	x  expr
}

// args are the arguments of a call, filter or test.
type args struct {
	pos        []expr
	kw         []kwarg
	star, dict expr // *star, **dict; may be nil
}

type kwarg struct {
	name string
	x    expr
}

func (constExpr) class() string    { return "const" }
func (nameExpr) class() string     { return "name" }
func (nsRef) class() string        { return "nsref" }
func (*tupleExpr) class() string   { return "tuple" }
func (*listExpr) class() string    { return "list" }
func (*dictExpr) class() string    { return "dict" }
func (*attrExpr) class() string    { return "getattr" }
func (*itemExpr) class() string    { return "getitem" }
func (*sliceExpr) class() string   { return "slice" }
func (*callExpr) class() string    { return "call" }
func (*filterExpr) class() string  { return "filter" }
func (*testExpr) class() string    { return "test" }
func (*notExpr) class() string     { return "not" }
func (*andExpr) class() string     { return "and" }
func (*orExpr) class() string      { return "or" }
func (*concatExpr) class() string  { return "concat" }
func (*condExpr) class() string    { return "condexpr" }
func (*compareExpr) class() string { return "compare" }
func (u *unaryExpr) class() string {
	if u.op == "-" {
		return "neg"
	}
	return "pos"
}
func (b *binaryExpr) class() string {
	switch b.op {
	case "+":
		return "add"
	case "-":
		return "sub"
	case "*":
		return "mul"
	case "/":
		return "div"
	case "//":
		return "floordiv"
	case "%":
		return "mod"
	}
	return "pow"
}

type (
	// output is a run of text and print statements.
	output struct {
		parts []outPart
	}
	outPart struct {
		text string
		x    expr // nil: text
		line int
	}
	forStmt struct {
		target    expr
		iter      expr
		test      expr // may be nil
		body, alt []stmt
		recursive bool
		line      int
	}
	ifStmt struct {
		tests  []expr
		bodies [][]stmt // one more than tests if there is an else
		lines  []int
	}
	setStmt struct {
		target, x expr
		line      int
	}
	setBlock struct {
		target expr
		filter *filterExpr // may be nil
		body   []stmt
		line   int
	}
	withStmt struct {
		targets, values []expr
		body            []stmt
	}
	filterBlock struct {
		filter *filterExpr
		body   []stmt
		line   int
	}
	macroStmt struct {
		name string
		def  *macroDef
	}
	callBlock struct {
		call *callExpr
		def  *macroDef
		line int
	}
	blockStmt struct {
		name             string
		scoped, required bool
		body             []stmt
		line             int
	}
	autoescape struct {
		on   expr
		body []stmt
	}
	doStmt struct {
		x    expr
		line int
	}
	// loadStmt is include, import, from or extends: what would need another
	// template.
	loadStmt struct {
		x    expr
		line int
	}
)

// A macroDef is the head and body of a macro or call block.
type macroDef struct {
	name     string // empty: a call block
	params   []string
	defaults []expr // of the last params
	body     []stmt
	// Which of the names that Jinja supplies the body reads.
	caller, kwargs, varargs bool
	line                    int
}

package wdl

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parsed parses a text that has no faults.
func parsed(t testing.TB, text string) *Document {
	t.Helper()
	doc, found := Parse("main.wdl", text)
	for _, f := range found {
		t.Errorf("%s\n%s", f.Diagnostic, text)
	}
	return doc
}

// shape writes an expression with all its parentheses.
func shape(e Expr) string {
	list := func(es []Expr) string {
		out := make([]string, len(es))
		for i, e := range es {
			out[i] = shape(e)
		}
		return strings.Join(out, ", ")
	}
	switch e := e.(type) {
	case *NoneLit:
		return "None"
	case *BoolLit:
		return fmt.Sprint(e.Value)
	case *IntLit:
		return fmt.Sprint(e.Value)
	case *FloatLit:
		return fmt.Sprintf("%gf", e.Value)
	case *StringLit:
		return shapeParts(e.Parts)
	case *ArrayLit:
		return "[" + list(e.Items) + "]"
	case *PairLit:
		return "(" + shape(e.Left) + ", " + shape(e.Right) + ")"
	case *MapLit:
		out := ""
		for _, x := range e.Entries {
			out += shape(x.Key) + ": " + shape(x.Value) + "; "
		}
		return "{" + out + "}"
	case *ObjectLit:
		out := ""
		for _, m := range e.Members {
			out += m.Key.Text + ": " + shape(m.Value) + "; "
		}
		return e.Name.Text + "{" + out + "}"
	case *Ref:
		return e.Name
	case *Member:
		return shape(e.X) + "." + e.Name.Text
	case *Index:
		return shape(e.X) + "[" + shape(e.I) + "]"
	case *Apply:
		return e.Name.Text + "(" + list(e.Args) + ")"
	case *Unary:
		return "(" + e.Op + shape(e.X) + ")"
	case *Binary:
		return "(" + shape(e.X) + " " + e.Op + " " + shape(e.Y) + ")"
	case *If:
		return "(if " + shape(e.Cond) + " then " + shape(e.Then) + " else " + shape(e.Else) + ")"
	}
	return "?"
}

func shapeParts(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Hole == nil {
			fmt.Fprintf(&b, "%q", p.Text)
			continue
		}
		b.WriteString("~{")
		for _, o := range []struct {
			name  string
			value *string
		}{{"sep", p.Hole.Sep}, {"true", p.Hole.True}, {"false", p.Hole.False}, {"default", p.Hole.Default}} {
			if o.value != nil {
				fmt.Fprintf(&b, "%s=%q ", o.name, *o.value)
			}
		}
		b.WriteString(shape(p.Hole.Expr) + "}")
	}
	return b.String()
}

func TestExpressions(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`1 + 2 * 3 - 4`, `((1 + (2 * 3)) - 4)`},
		{`a || b && c == d`, `(a || (b && (c == d)))`},
		{`!a && -b < c`, `((!a) && ((-b) < c))`},
		{`-9223372036854775808`, `-9223372036854775808`},
		{`0x1F + 010 + 09`, `((31 + 8) + 9)`},
		{`1.5e3 - .5 - 1.`, `((1500f - 0.5f) - 1f)`},
		{`a - 1`, `(a - 1)`},
		{`a -1`, `(a - 1)`},
		{`x.y[1].left`, `x.y[1].left`},
		{`f(g(), [1, 2,], {"a": 1,})`, `f(g(), [1, 2], {"a": 1; })`},
		{`(1, "b")`, `(1, "b")`},
		{`((1))`, `1`},
		{`if a then b else if c then d else e + 1`, `(if a then b else (if c then d else (e + 1)))`},
		{`object { a: 1, "b": None }`, `object{a: 1; b: None; }`},
		{`Person { name: "x" }`, `Person{name: "x"; }`},
		{`"a~{b}c${d}"`, `"a"~{b}"c"~{d}`},
		{`'it"s'`, `"it\"s"`},
		{`"~{sep=', ' xs} ~{true="y" false="n" b} ~{default=3 z}"`, `~{sep=", " xs}" "~{true="y" false="n" b}" "~{default="3" z}`},
		{`"~{a == b}~{"~{c}"}"`, `~{(a == b)}~{~{c}}`},
		{`"\t\"\\\x41\u00e9\101\.bam$ \~{x} \$"`, `"\t\"\\AéA\\.bam$ ~{x} $"`},
		{`"~ $ ~x $y"`, `"~ $ ~x $y"`},
		{`""`, ``},
	} {
		doc := parsed(t, "version 1.1\nworkflow w { Int x = "+tt.in+"\n}")
		if len(doc.Workflow.Body) != 1 {
			t.Errorf("%s: %d elements", tt.in, len(doc.Workflow.Body))
			continue
		}
		if got := shape(doc.Workflow.Body[0].(*Decl).Expr); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestCommands(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"shared indentation goes", "<<<\n    a\n      b\n\n    c\n  >>>", `"a\n  b\n\nc\n"`},
		{"a placeholder is no space", "<<<\n    ~{x}\n      b\n>>>", `~{x}"\n  b\n"`},
		{"text before a placeholder", "<<<\n    a ~{x} b\n   c\n>>>", `" a "~{x}" b\nc\n"`},
		{"braces", "{\n  echo ${x} ~{y}\n}", `"echo "~{x}" "~{y}"\n"`},
		{"shell variables", "<<<\n  echo ${x} $(y) ~ \\~\n>>>", `"echo ${x} $(y) ~ \\~\n"`},
		{"one line", "<<< echo >>>", `"echo"`},
		{"escaped closing", "<<<\n  a \\>>> b \\\n  c\n>>>", `"a >>>"" b \\\nc\n"`},
		{"escaped brace", "{ awk '{ print \\}' }", `"awk '{ print }""'"`},
		{"empty", "<<<>>>", ``},
		{"quotes in placeholders", "<<<~{\"}\" + '>>>'}>>>", `~{("}" + ">>>")}`},
		{"angle brackets", "<<<\ncat <<EOF >> x\n>>>", `"cat <<EOF >> x\n"`},
		{"line ends of Windows", "<<<\r\n  a\r\n  b\r\n>>>", `"a\nb\n"`},
	} {
		doc := parsed(t, "version 1.0\ntask t { command "+tt.in+" }")
		if got := shapeParts(doc.Tasks[0].Command.Parts); got != tt.want {
			t.Errorf("%s: %q\n got %s\nwant %s", tt.name, tt.in, got, tt.want)
		}
	}
	doc := parsed(t, "task t { command <<< ${x} ~{y} >>> }")
	if got, want := shapeParts(doc.Tasks[0].Command.Parts), `~{x}" ~{y}"`; got != want {
		t.Errorf("draft-2: got %s, want %s", got, want)
	}
}

func TestMultilineTexts(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"<<<\n    one \\\n    two\n      ~{x}\\t>\n    >>>", `"one two\n  "~{x}"\t>"`},
		{"<<<  a  b  >>>", `"a  b"`},
		{"<<<  \n   ~{x}${y}\n\n  >>>", `~{x}"${y}\n"`},
		{"<<<\n  a \\\\\n    b\n>>>", `"a \\\n  b"`},
		{"<<<\n\n  a\n\n>>>", `"\na\n"`},
		{"<<<a \\>>> b>>>", `"a >>> b"`},
	} {
		doc := parsed(t, "version development\nworkflow w { String s = "+tt.in+"\n}")
		if got := shapeParts(doc.Workflow.Body[0].(*Decl).Expr.(*StringLit).Parts); got != tt.want {
			t.Errorf("%q\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestPositions(t *testing.T) {
	doc := parsed(t, "version 1.1\nworkflow w {\n  String s = \"é~{ab + 1}\"\n  call x.t as u { input:\n    n = [1,\n 2]\n  }\n}\n")
	at := func(s Span) string { return fmt.Sprintf("%d:%d-%d:%d", s.Line, s.Col, s.EndLine, s.EndCol) }
	d := doc.Workflow.Body[0].(*Decl)
	call := doc.Workflow.Body[1].(*Call)
	hole := d.Expr.(*StringLit).Parts[1].Hole
	got := []string{
		at(d.Span), at(d.TypeAt), at(d.Name.Span), at(d.Expr.At()), at(hole.Span), at(hole.Expr.At()),
		at(call.Span), at(call.Inputs[0].Name.Span), at(call.Inputs[0].Expr.At()), at(doc.Workflow.Span),
	}
	want := []string{
		"3:3-3:26", "3:3-3:9", "3:10-3:11", "3:14-3:26", "3:16-3:25", "3:18-3:24",
		"4:3-7:4", "5:5-5:6", "5:9-6:4", "2:1-8:2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
}

// TestFaults checks documents of testdata/faults: what is said of each is in
// comments that begin with "#!", in the order of the places.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.wdl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "#! "); ok {
				want = append(want, strings.TrimSuffix(rest, "\n"))
			}
		}
		name := path.Base(file)
		_, found := Load(os.DirFS("testdata/faults"), name, Options{})
		var got []string
		for _, f := range found {
			got = append(got, f.Diagnostic.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
			if os.Getenv("WDL_UPDATE") != "" {
				update(t, file, string(text), got)
			}
		}
	}
}

// update rewrites what a document says of itself, for a human to review.
func update(t *testing.T, file, text string, got []string) {
	i := strings.Index(text, "#! ")
	if i < 0 {
		i = len(text)
	}
	text = text[:i]
	for _, line := range got {
		text += "#! " + line + "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// spent returns the processor time that f takes, in which no other process has a part.
func spent(t *testing.T, f func()) time.Duration {
	t.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	f()
	return used() - before
}

// bearable is what a document may take at most: some times as long as a plain
// one of a mebibyte takes on this machine.
func bearable(t *testing.T) time.Duration {
	t.Helper()
	plain := "version 1.1\nworkflow w { " + many(60_000, func(i int) string { return fmt.Sprintf("Int v%d = 1\n", i) }) + "}"
	took := spent(t, func() {
		if _, found := Load(fstest.MapFS{"main.wdl": {Data: []byte(plain)}}, "main.wdl", Options{}); Refused(found) {
			t.Fatalf("a plain document: %v", found[0])
		}
	})
	t.Logf("a plain document of %d bytes: %s", len(plain), took)
	return time.Second + 50*took
}

// TestHostileDocuments checks that large and deep documents are refused or
// read soon.
func TestHostileDocuments(t *testing.T) {
	most := bearable(t)
	const n = 1 << 20
	head := "version 1.1\nworkflow w { Int x = "
	for _, tt := range []struct{ name, text string }{
		{"parentheses", head + strings.Repeat("(", n)},
		{"brackets", head + strings.Repeat("[", n)},
		{"minus", head + strings.Repeat("- ", n/2)},
		{"sum", head + strings.Repeat("1+", n/2) + "1 }"},
		{"members", head + "a" + strings.Repeat(".a", n/2) + "}"},
		{"placeholders", head + strings.Repeat(`"~{`, n/3)},
		{"open text", head + strings.Repeat(`" `, n/2)},
		{"open command", "version 1.0\ntask t { command <<<" + strings.Repeat("~ $ > ", n/6)},
		{"braces", "version 1.0\n" + strings.Repeat("task t { ", n/9)},
		{"faults", "version 1.0\nworkflow w {\n" + strings.Repeat("Int = 1\n", n/8) + "}"},
		{"types", "version 1.0\nworkflow w { " + strings.Repeat("Array[", n/6)},
		{"sections", "version 1.0\nworkflow w { " + strings.Repeat("if (true) {", n/11)},
		{"declarations", "version 1.0\nworkflow w { " + many(40_000, func(i int) string { return fmt.Sprintf("Int v%d = 1\n", i) }) + "}"},
		{"chain", "version 1.0\nworkflow w { Int v0 = 1\n" + many(30_000, func(i int) string { return fmt.Sprintf("Int v%d = v%d\n", i+1, i) }) + "}"},
		{"unknown names", "version 1.0\nworkflow w { " + many(30_000, func(i int) string { return fmt.Sprintf("Int v%d = w%d\n", i, i) }) + "}"},
		{"struct that doubles", "version 1.0\n" + many(100, func(i int) string { return fmt.Sprintf("struct S%d { S%d a S%d b }\n", i+1, i, i) }) + "struct S0 { Int x }"},
		{"one line", head + `"` + strings.Repeat("~{1}", n/4) + `" }`},
		{"comments", "version 1.0\n" + strings.Repeat("# \n", n/3)},
		{"items", head + "[" + strings.Repeat("1,", n/2) + "] }"},
		{"structs", "version 1.0\n" + many(50_000, func(i int) string { return fmt.Sprintf("struct S%d { Int x }\n", i) })},
		{"structs that are compared", "version 1.1\nstruct A { " + many(999, func(i int) string { return fmt.Sprintf("Int m%d\n", i) }) + "}\nstruct B { " +
			many(999, func(i int) string { return fmt.Sprintf("Float m%d\n", i) }) + "}\nworkflow w { input { A a B b } Array[B] xs = [" + strings.Repeat("a,b,", 50_000) +
			"] }\ntask t { input { B b } command {} }"},
		{"structs without members", "version 1.1\nstruct A { " + many(999, func(i int) string { return fmt.Sprintf("Int m%d\n", i) }) + "}\nworkflow w { Array[A] xs = [" + strings.Repeat("A{},", 50_000) + "] }"},
		{"calls of a task with many outputs", "version 1.0\ntask t { command {} output { " + many(20_000, func(i int) string { return fmt.Sprintf("Int o%d = 1\n", i) }) +
			"} }\nworkflow w { " + many(20_000, func(i int) string { return fmt.Sprintf("call t as c%d\n", i) }) + "}"},
		{"calls of a task with many inputs", "version 1.0\ntask t { input { " + many(20_000, func(i int) string { return fmt.Sprintf("Int o%d\n", i) }) +
			"} command {} }\nworkflow w { " + many(20_000, func(i int) string { return fmt.Sprintf("call t as c%d { input: o1 = 1, p = 2 }\n", i) }) + "}"},
		{"calls", "version 1.0\ntask t { input { Int a } command {} }\nworkflow w { " + many(20_000, func(i int) string { return fmt.Sprintf("call t as c%d { input: b = 1 }\n", i) }) + "}"},
	} {
		took := spent(t, func() { Load(fstest.MapFS{"main.wdl": {Data: []byte(tt.text)}}, "main.wdl", Options{}) })
		if took > most {
			t.Errorf("%s: %d bytes took %s, want at most %s", tt.name, len(tt.text), took, most)
		} else {
			t.Logf("%s: %s", tt.name, took.Round(time.Millisecond))
		}
	}
}

// TestHostileImports checks that documents which import one another in every
// way are read soon.
func TestHostileImports(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range 40 {
		text := "version 1.0\n"
		if i < 39 {
			text += fmt.Sprintf("import \"d%d.wdl\" as a\nimport \"d%[1]d.wdl\" as b\n", i+1)
		}
		text += many(200, func(j int) string { return fmt.Sprintf("struct S%d_%d { Int x }\n", i, j) })
		text += fmt.Sprintf("workflow w%d { output { Int o = 1 }\n", i)
		if i < 39 {
			text += fmt.Sprintf("call a.w%d as x\ncall b.w%[1]d as y\n", i+1)
		}
		fsys[fmt.Sprintf("d%d.wdl", i)] = &fstest.MapFile{Data: []byte(text + "}\n")}
	}
	most := bearable(t)
	took := spent(t, func() {
		doc, found := Load(fsys, "d0.wdl", Options{})
		for _, f := range found {
			t.Errorf("%s:%s", f.File, f.Diagnostic)
		}
		def, _ := Compile(doc, Options{})
		if _, err := Open(&def.Graph); err != nil {
			t.Error(err)
		}
		if n := len(Outline(doc)) + len(Inputs(doc)) + len(Digest(doc)); n > maxOutline+100 {
			t.Errorf("outline, inputs and digest are %d long", n)
		}
	})
	if took > most {
		t.Errorf("took %s, want at most %s", took, most)
	}
}

func many(n int, f func(int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(f(i))
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.wdl")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, found := Load(fstest.MapFS{"main.wdl": {Data: []byte(text)}}, "main.wdl", Options{})
		if doc == nil {
			t.Fatal("no document")
		}
		if !Refused(found) && doc.Workflow != nil {
			def, more := Compile(doc, Options{})
			if !Refused(more) {
				inOrder(t, def.Graph)
				if _, err := Open(&def.Graph); err != nil {
					t.Error(err)
				}
			}
		}
		for _, d := range found {
			if d.Message == "" || d.Line < 0 || d.Line > 1+strings.Count(text, "\n") {
				t.Errorf("%+v", d)
			}
		}
	})
}

// TestGoodDocuments checks that nothing is said of documents without fault.
func TestGoodDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.wdl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		_, found := Load(os.DirFS("testdata/good"), path.Base(file), Options{})
		for _, f := range found {
			t.Errorf("%s:%s", file, f.Diagnostic)
		}
	}
}

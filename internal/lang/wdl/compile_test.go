package wdl

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairlead/internal/flow"
)

// nodeLines writes the nodes of a graph, one a line.
func nodeLines(g flow.Graph) []string {
	var out []string
	list := func(prefix string, nodes []flow.Node) {
		for _, n := range nodes {
			line := prefix + string(n.ID) + " " + n.Kind
			if len(n.After) > 0 {
				ups := make([]string, len(n.After))
				for i, up := range n.After {
					ups[i] = string(up)
				}
				line += " after " + strings.Join(ups, ",")
			}
			if n.Unfolds != "" {
				line += " unfolds " + n.Unfolds
			}
			if n.Retries != defaultRetries && n.Kind == "t" {
				line += fmt.Sprintf(" retries %d", n.Retries)
			}
			out = append(out, line)
		}
	}
	list("", g.Nodes)
	var names []string
	for name := range g.Bodies {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list(name+"/", g.Bodies[name])
	}
	return out
}

// inOrder checks that each node comes after those that it needs, and that
// what unfolds has a body.
func inOrder(t testing.TB, g flow.Graph) {
	t.Helper()
	check := func(where string, nodes []flow.Node) {
		seen := map[flow.TaskID]bool{}
		for _, n := range nodes {
			for _, up := range n.After {
				if !seen[up] {
					t.Errorf("%s: %s is after %s, which comes later or not at all", where, n.ID, up)
				}
			}
			if seen[n.ID] || n.ID == "" || strings.Contains(string(n.ID), "/") {
				t.Errorf("%s: node id %q is there twice or none", where, n.ID)
			}
			seen[n.ID] = true
			if _, ok := g.Bodies[n.Unfolds]; n.Unfolds != "" && !ok {
				t.Errorf("%s: %s unfolds into %q, which is no body", where, n.ID, n.Unfolds)
			}
		}
	}
	check("graph", g.Nodes)
	for name, body := range g.Bodies {
		check(name, body)
	}
}

const nested = `version 1.1
import "sub.wdl" as sub
workflow w {
  input { Array[Int] xs  Boolean go = true }
  call t as last after first { input: x = total[0] }
  call t as first { input: x = length(xs) }
  Int base = first.y
  Array[Int] total = doubled
  scatter (x in xs) {
    Int doubled = one.y * 2
    call t as one { input: x = x + base }
    if (go && one.y > 1) {
      call sub.s as again { input: p = doubled }
      Int inner = again.q
    }
  }
  scatter (x in xs) { Int plain = x + base }
  if (go) { scatter (p in plain) { call t as two { input: x = p } } }
  call sub.pure_s as nothing
  output { Array[Int?] r = inner  Int b = base  Array[Int]? c = two.y }
}
task t {
  input { Int x }
  command {}
  output { Int y = x }
}
`

var nestedTexts = map[string]string{
	"main.wdl": strings.Replace(strings.Replace(nested, "call sub.pure_s as nothing", "call pure.pure as nothing", 1), "as sub\n", "as sub\nimport \"pure.wdl\"\n", 1),
	"sub.wdl": `version 1.0
import "main_tasks.wdl" as m
workflow s { input { Int p } call m.t { input: x = p } output { Int q = t.y } }
`,
	"main_tasks.wdl": `version 1.0
task t { input { Int x Int n = 1 } command {} output { Int y = x } runtime { maxRetries: 3 preemptible: n } }
`,
	"pure.wdl": "version 1.0\nworkflow pure { Int a = 1 output { Int b = a } }\n",
}

func TestCompile(t *testing.T) {
	def, found := Compile(loaded(t, nestedTexts), Options{})
	if len(found) > 0 {
		t.Fatalf("%+v", found)
	}
	inOrder(t, def.Graph)
	want := []string{
		"first t",
		"scatter.x.1 scatter after first unfolds main.wdl:4",
		"last t after scatter.x.1,first",
		"if.1 if after first unfolds main.wdl:6",
		"nothing pure",
		"outputs. outputs after scatter.x.1,first,if.1,last,nothing",
		"main.wdl:4/one t",
		"main.wdl:4/if.1 if after one unfolds main.wdl:4.2",
		"main.wdl:4.2/again s unfolds sub.wdl",
		"main.wdl:6/scatter.p.1 scatter unfolds main.wdl:6.0",
		"main.wdl:6.0/two t",
		"sub.wdl/t t retries 13",
	}
	if diff := cmp.Diff(want, nodeLines(def.Graph)); diff != "" {
		t.Errorf("graph (-want +got):\n%s", diff)
	}
	if def.Graph.Language != "wdl" || !def.Graph.FailFast || def.Name != "w" {
		t.Errorf("language %q, fail fast %t, name %q", def.Graph.Language, def.Graph.FailFast, def.Name)
	}
}

// TestPlaces checks that what a graph's nodes are about is found again from
// the graph alone.
func TestPlaces(t *testing.T) {
	def, _ := Compile(loaded(t, nestedTexts), Options{})
	p, err := Open(&def.Graph)
	if err != nil {
		t.Fatal(err)
	}
	names := func(used []Used) string {
		var out []string
		for _, u := range used {
			out = append(out, u.Name)
		}
		return strings.Join(out, ",")
	}
	var got []string
	look := func(nodes []flow.Node) {
		for _, n := range nodes {
			at, err := p.Place(&n)
			if err != nil {
				t.Error(err)
				continue
			}
			got = append(got, fmt.Sprintf("%s: %s in %s, %d deep, in %q out %q", n.ID, at.Do, at.Doc.Source.Path, len(at.Sections), names(at.In), names(at.Out)))
		}
	}
	look(def.Graph.Nodes)
	for _, body := range []string{"main.wdl:4", "main.wdl:4.2", "main.wdl:6", "main.wdl:6.0", "sub.wdl"} {
		look(def.Graph.Bodies[body])
	}
	want := []string{
		`first: call in main.wdl, 0 deep, in "" out ""`,
		`scatter.x.1: scatter in main.wdl, 0 deep, in "base,go" out "doubled,inner"`,
		`last: call in main.wdl, 0 deep, in "" out ""`,
		`if.1: if in main.wdl, 0 deep, in "plain" out "two"`,
		`nothing: workflow in main.wdl, 0 deep, in "" out ""`,
		`outputs.: outputs in main.wdl, 0 deep, in "" out ""`,
		`one: call in main.wdl, 1 deep, in "" out ""`,
		`if.1: if in main.wdl, 1 deep, in "doubled" out "inner"`,
		`again: workflow in main.wdl, 2 deep, in "" out ""`,
		`scatter.p.1: scatter in main.wdl, 1 deep, in "" out "two"`,
		`two: call in main.wdl, 2 deep, in "" out ""`,
		`t: call in sub.wdl, 0 deep, in "" out ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if _, err := p.Place(&flow.Node{ID: "x", Action: []byte(`{"Doc":"main.wdl","At":[99]}`)}); err == nil {
		t.Error("a place that is not there: no error")
	}
}

func TestWhatHasNoGraph(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no workflow", "version 1.0\ntask t { command {} }", "the document has no workflow"},
		{"sections that wait for each other", `version 1.0
workflow w {
  scatter (x in [1]) {
    call t as a { input: x = x }
    call t as b { input: x = c.y }
  }
  call t as c { input: x = a.y[0] }
}
task t { input { Int x } command {} output { Int y = x } }
`, "call c and scatter x wait for each other"},
		{"too many", "version 1.0\nworkflow w {\n" + many(maxNodes+1, func(i int) string { return fmt.Sprintf("call t as c%d\n", i) }) + "}\ntask t { command {} }",
			"the workflow has more than 20000 calls and sections, or 1000000 dependencies"},
	} {
		_, found := Compile(loaded(t, map[string]string{"main.wdl": tt.text}), Options{})
		if len(found) != 1 || found[0].Message != tt.want {
			t.Errorf("%s: got %+v, want %q", tt.name, found, tt.want)
		}
	}
}

package wdl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTemplate(t *testing.T) {
	doc := loaded(t, map[string]string{"main.wdl": "version 1.1\nworkflow w {\n  input { String name  Int? n  File ref = \"r\"  Array[String]+ xs }\n  parameter_meta {\n    name: \"the sample's\\n name\"\n    n: { help: \"how many\", x: 1 }\n    xs: [\"no\", \"text\"]\n    ref: \"" + strings.Repeat("é", 300) + "\"\n  }\n  String other = \"x\"\n}\n"})
	var got []string
	for _, p := range Template(doc) {
		if len(p.Description) > 100 {
			p.Description = fmt.Sprint(len([]rune(p.Description)), " characters")
		}
		got = append(got, fmt.Sprintf("%s %s %t %q", p.Type, p.Name, p.Optional, p.Description))
	}
	want := []string{
		`String name false "the sample's name"`, `Int? n true "how many"`, `File ref true "256 characters"`, `Array[String]+ xs false ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("template (-want +got):\n%s", diff)
	}
}

func TestInputs(t *testing.T) {
	doc := loaded(t, map[string]string{
		"main.wdl": `version 1.0
import "sub.wdl"
workflow w {
  input { Int a }
  call t { input: x = a }
  if (a > 1) { call t as u }
  call sub.s { input: p = 1 }
}
task t { input { Int x  String? y } command {} }
`,
		"sub.wdl": `version 1.0
workflow s { input { Int p  Int q = 2 } call v { input: x = 1 } output { Int z = 1 } }
task v { input { Int x  String y = "a" } command {} }
`,
	})
	var got []string
	for _, in := range Inputs(doc) {
		got = append(got, fmt.Sprintf("%s %t", in.Name, in.Required))
	}
	want := []string{"a true", "t.y false", "u.x true", "u.y false", "s.q false", "s.v.y false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
}

func TestInputsOfDraft2(t *testing.T) {
	doc := loaded(t, map[string]string{"main.wdl": `workflow w {
  Int a
  Int b = a + 1
  call t { input: x = b }
  Int c = t.y
  output { t.*  Int d = c }
}
task t { Int x  Int z = x  command { echo ${z} } output { Int y = 1 } }
`})
	var got []string
	for _, in := range Inputs(doc) {
		got = append(got, in.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "t.z"}, got); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	got = nil
	for _, d := range doc.Workflow.Outputs {
		got = append(got, d.Type.String()+" "+d.Name.Text)
	}
	if diff := cmp.Diff([]string{"Int d", "Int t.y"}, got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestDigest(t *testing.T) {
	texts := map[string]string{
		"main.wdl": "version 1.0\nimport \"a.wdl\"\nworkflow w {}\n",
		"a.wdl":    "version 1.0\ntask t { command {} }\n",
	}
	first := Digest(loaded(t, texts))
	if len(first) != len("sha256:")+64 || first != Digest(loaded(t, texts)) {
		t.Errorf("digest %q is not the same each time", first)
	}
	texts["a.wdl"] += "\n"
	if first == Digest(loaded(t, texts)) {
		t.Error("the digest does not depend on an import")
	}
}

package operator

import "testing"

func TestJSONPath(t *testing.T) {
	const doc = `{"a": {"b": [1, {"c": "x"}, 3]}, "c": "y", "d e": null, "l": [{"c": 1}, {"c": 2}]}`
	v, err := parseJSON(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{"$", "[" + doc + "]"},
		{"$.a.b[0]", "[1]"},
		{"a.b[-1]", "[3]"},
		{"$.a.b[5]", "null"},
		{"$['d e']", "[null]"},
		{`a["b"][1].c`, `["x"]`},
		{"$.l[*].c", "[1,2]"},
		{"$..c", `["y","x",1,2]`},
		{"$.c[*]", `["y"]`},
		{"$.a.*", `[[1,{"c":"x"},3]]`},
		{"$.x.y", "null"},
	} {
		p, err := parseJSONPath(tt.path)
		if err != nil {
			t.Errorf("parseJSONPath(%q): %v", tt.path, err)
			continue
		}
		want, err := parseJSON(tt.want)
		if err != nil {
			t.Fatal(err)
		}
		found := p.find(v)
		if l, _ := want.([]any); len(found) != len(l) || len(l) > 0 && !equal(found, want) {
			t.Errorf("%q found %s, want %s", tt.path, encode(found), tt.want)
		}
	}
	for _, path := range []string{"$[?(@.a == 1)]", "$.a.", "$.a[", "$.a[1:2]", "a b", "$.a `len`"} {
		if p, err := parseJSONPath(path); err == nil {
			t.Errorf("parseJSONPath(%q) = %v, want an error", path, p)
		}
	}
}

func FuzzJSONPath(f *testing.F) {
	f.Add("$..a[*].b", `{"a": [{"b": 1}]}`)
	f.Add("['x y'].*", `{"x y": {"z": []}}`)
	f.Fuzz(func(t *testing.T, path, doc string) {
		p, err := parseJSONPath(path)
		if err != nil {
			return
		}
		if v, err := parseJSON(doc); err == nil {
			if n := len(p.find(v)); n > maxFound {
				t.Errorf("%q found %d values", path, n)
			}
		}
	})
}

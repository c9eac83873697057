package operator

import (
	"encoding/json"
	"testing"
)

// FuzzLiteral reads texts as Python literals; what is read has JSON, and is
// the same when it is read once more.
func FuzzLiteral(f *testing.F) {
	for _, s := range []string{`{'a': [1, 2.5, None], "b": (True, 'x\'y')}`, "[[]]", "-1e3", "'\\u00e9\\n'", "{1: 2}", "(((", "0x10", "u'x'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseLiteral(text)
		if err != nil {
			return
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("parseLiteral(%q) has no JSON: %v", text, err)
		}
		again, err := parseLiteral(text)
		if err != nil || !equal(v, again) {
			t.Errorf("parseLiteral(%q) = %s, and then %v, %v", text, out, again, err)
		}
	})
}

// FuzzExpr evaluates expressions over some values. None of them may panic, and
// what comes of them has JSON.
func FuzzExpr(f *testing.F) {
	seen := map[string]bool{}
	add := func(e any) {
		text := string(encode(e))
		if len(text) < 400 && !seen[text] {
			seen[text] = true
			f.Add(text)
		}
	}
	for _, s := range Default().Specs() {
		for _, step := range append(s.Do, s.Cancel...) {
			for _, e := range step.Input {
				add(e)
			}
			for _, l := range []*Look{step.Look, step.Wait} {
				if l != nil {
					for _, a := range l.Accept {
						add(a.Says)
					}
				}
			}
		}
	}
	for _, s := range []string{`"$a[-1].b"`, `{"$find": ["$a", "("]}`, `{"$each": ["$l", "$it.x"]}`, `"${l[].x} ${"`, `{"$grow": 900}`, `{"$jitter": [9, 1]}`, `{"$pairs": ["$m", "k", "v"]}`} {
		f.Add(s)
	}
	values := map[string]any{
		"a": "text", "l": []any{map[string]any{"x": json.Number("1")}, nil}, "m": map[string]any{"k": []any{true}}, "n": json.Number("-2.5"), "none": nil,
		"reply": map[string]any{"tasks": []any{map[string]any{"status": "DONE"}}},
	}
	f.Fuzz(func(t *testing.T, text string) {
		var e Expr
		if json.Unmarshal([]byte(text), &e) != nil {
			return
		}
		v, err := e.eval(func(name string) (any, bool) { v, ok := values[name]; return v, ok })
		if err != nil {
			return
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%s is %v, which has no JSON: %v", text, v, err)
		}
	})
}

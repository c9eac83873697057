package operator

import (
	"encoding/json"
	"os"
	"testing"
)

// TestFramesAreThoseOfPandas writes frames and compares the texts with those
// that pandas wrote, which testdata/pandas/make.py has noted.
func TestFramesAreThoseOfPandas(t *testing.T) {
	text, err := os.ReadFile("testdata/pandas/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var noted struct {
		Frames map[string][][3]json.RawMessage
		Cases  []struct {
			Frame, Format, Want string
			Kwargs              json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &noted); err != nil {
		t.Fatal(err)
	}
	spec := specNamed("SqlToS3Operator")
	for _, c := range noted.Cases {
		f := &filler{}
		for i, col := range noted.Frames[c.Frame] {
			var name string
			var oid uint32
			var texts []*string
			for j, v := range []any{&name, &oid, &texts} {
				if err := json.Unmarshal(col[j], v); err != nil {
					t.Fatal(err)
				}
			}
			f.columns = append(f.columns, column{name: name, kind: postgresKind(oid)})
			f.rows = len(texts)
			for _, s := range texts {
				var v any
				if s != nil {
					if v, err = postgresCell(oid, *s); err != nil {
						t.Fatalf("%s of type %d: %v", *s, oid, err)
					}
				}
				if err := f.add(i, v, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		a := &action{args: &args{spec: spec, given: map[string]json.RawMessage{"file_format": encode(c.Format), "df_kwargs": c.Kwargs}}}
		write, _, err := frameWriter(a)
		if err != nil {
			t.Errorf("%s of %s with %s: %v", c.Format, c.Frame, c.Kwargs, err)
			continue
		}
		done, err := f.done()
		if err != nil {
			t.Fatal(err)
		}
		got, err := write(done)
		if err != nil || string(got) != c.Want {
			t.Errorf("%s of %s with %s\n got %q, %v\nwant %q", c.Format, c.Frame, c.Kwargs, got, err, c.Want)
		}
	}
}

package wdl

import "testing"

// typ reads a type as the table of the library writes it.
func typ(s string) Type {
	if s == "None" {
		return None()
	}
	t, _ := readType(s)
	return t
}

func TestFit(t *testing.T) {
	strict, lenient := Rules{Version: V11}, Rules{Version: V11, Lenient: true}
	for _, tt := range []struct {
		from, to        string
		strict, lenient Fit
	}{
		{"Int", "Int", Good, Good},
		{"Int", "Int?", Good, Good},
		{"Int?", "Int", Misfit, Misfit},
		{"None", "Int?", Good, Good},
		{"None", "Int", Misfit, Misfit},
		{"Any", "Int", Good, Good},
		{"Int", "Float", Good, Good},
		{"Float", "Int", Misfit, Loose},
		{"String", "Int", Loose, Loose},
		{"String", "Boolean", Misfit, Loose},
		{"String", "File", Good, Good},
		{"File", "String", Good, Good},
		{"File", "Directory", Misfit, Misfit},
		{"Array[Int]", "Array[Float]", Good, Good},
		{"Array[Int]", "Array[Float?]", Good, Good},
		{"Array[Int?]", "Array[Int]", Misfit, Misfit},
		{"Array[Any]", "Array[Int]", Good, Good},
		{"Array[String]", "String", Misfit, Misfit},
		{"Int", "Array[Int]", Misfit, Misfit},
		{"Map[String, Int]", "Array[Pair[String, Int]]", Misfit, Loose},
		{"Array[Pair[String, Int]]", "Map[String, Float]", Misfit, Loose},
		{"Pair[Int, File]", "Pair[Float, String]", Good, Good},
		{"Object", "Map[String, String]", Loose, Loose},
	} {
		for _, r := range []Rules{strict, lenient} {
			want := tt.strict
			if r.Lenient {
				want = tt.lenient
			}
			if got := r.Fit(typ(tt.from), typ(tt.to)); got != want {
				t.Errorf("%+v: Fit(%s, %s) = %v, want %v", r, tt.from, tt.to, got, want)
			}
		}
	}
}

func TestFitOfStructs(t *testing.T) {
	r := Rules{Version: V11}
	person := StructOf(&StructType{Name: "Person", Members: []Field{{"name", Of(String)}, {"age", Of(Int).Opt()}}})
	twin := StructOf(&StructType{Name: "Twin", Members: []Field{{"age", Of(Int).Opt()}, {"name", Of(String)}}})
	other := StructOf(&StructType{Name: "Other", Members: []Field{{"name", Of(String)}}})
	object := func(members ...Field) Type {
		return Type{Kind: Object, Struct: &StructType{Name: "object", Members: members}}
	}
	for _, tt := range []struct {
		from, to Type
		want     Fit
	}{
		{person, twin, Good},
		{person, other, Misfit},
		{object(Field{"name", Of(String)}), person, Good},
		{object(Field{"age", Of(Int)}), person, Misfit},
		{object(Field{"name", Of(String)}, Field{"age", Of(Boolean)}), person, Misfit},
		{person, typ("Map[String, String?]"), Good},
		{typ("Map[String, String]"), person, Loose},
		{typ("Map[Pair[Int, Int], String]"), person, Misfit},
	} {
		if got := r.Fit(tt.from, tt.to); got != tt.want {
			t.Errorf("Fit(%s, %s) = %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
	if !person.Equal(twin) || person.Equal(other) {
		t.Error("structs are equal if their members are, and only then")
	}
}

func TestUnify(t *testing.T) {
	r := Rules{Version: V11}
	for _, tt := range []struct {
		types []string
		want  string // empty: none
	}{
		{nil, "Any"},
		{[]string{"Int", "Float"}, "Float"},
		{[]string{"Float", "Int"}, "Float"},
		{[]string{"Int", "None"}, "Int?"},
		{[]string{"None", "Int"}, "Int?"},
		{[]string{"Int", "String"}, "String"},
		{[]string{"String", "File"}, "String"},
		{[]string{"Boolean", "Int"}, ""},
		{[]string{"Array[Any]", "Array[Int]"}, "Array[Int]"},
		{[]string{"Array[Int]", "Array[Float?]"}, "Array[Float?]"},
		{[]string{"Array[Int]", "Int"}, ""},
		{[]string{"Pair[Int, String]", "Pair[Float, File]"}, "Pair[Float, String]"},
	} {
		var types []Type
		for _, s := range tt.types {
			types = append(types, typ(s))
		}
		got, ok := r.Unify(types...)
		if s := got.String(); ok != (tt.want != "") || ok && s != tt.want {
			t.Errorf("Unify(%q) = %s, %t, want %q", tt.types, s, ok, tt.want)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		version Version
		name    string
		args    []string
		want    string // result, or empty if the arguments do not fit
	}{
		{V11, "min", []string{"Int", "Int"}, "Int"},
		{V11, "min", []string{"Int", "Float"}, "Float"},
		{V11, "floor", []string{"Int"}, "Int"},
		{V10, "select_first", []string{"Array[Int?]"}, "Int"},
		{V10, "select_first", []string{"Array[Int]"}, "Int"},
		{V10, "select_all", []string{"Array[File?]"}, "Array[File]"},
		{V10, "zip", []string{"Array[Int]", "Array[File?]"}, "Array[Pair[Int, File?]]"},
		{V10, "zip", []string{"Array[Int]", "Int"}, ""},
		{V10, "flatten", []string{"Array[Array[Int]]"}, "Array[Int]"},
		{V10, "flatten", []string{"Array[Int]"}, ""},
		{V10, "size", []string{"Array[File]", "String"}, "Float"},
		{V10, "size", []string{"File?"}, "Float"},
		{V10, "size", []string{"Map[String, File]"}, ""},
		{Development, "size", []string{"Map[String, File]"}, "Float"},
		{V11, "as_map", []string{"Array[Pair[String, Int]]"}, "Map[String, Int]"},
		{V11, "collect_by_key", []string{"Array[Pair[Int, Array[Int]]]"}, "Map[Int, Array[Array[Int]]]"},
		{V11, "as_map", []string{"Array[Pair[Array[Int], Int]]"}, ""},
		{V10, "read_json", []string{"String"}, "Any"},
		{V10, "length", []string{"String"}, ""},
		{Development, "length", []string{"String"}, "Int"},
		{Development, "contains", []string{"Array[Int]", "Int"}, "Boolean"},
		{Development, "join_paths", []string{"String", "Array[String]"}, "String"},
		{V10, "defined", []string{"Int?"}, "Boolean"},
	} {
		var args []Type
		for _, s := range tt.args {
			args = append(args, typ(s))
		}
		u, ok := Rules{Version: tt.version}.Choose(tt.name, args)
		if !ok {
			t.Errorf("%s: Choose(%s, %q) found nothing", tt.version, tt.name, tt.args)
			continue
		}
		got := u.Result.String()
		if u.Fit == Misfit {
			got = ""
		}
		if got != tt.want {
			t.Errorf("%s: Choose(%s, %q) = %q by %s, want %q", tt.version, tt.name, tt.args, got, u.Sig, tt.want)
		}
	}
	if got := (Rules{Version: V10}).Signatures("keys"); len(got) != 0 {
		t.Errorf("Signatures(keys) in 1.0 = %v, want none", got)
	}
}

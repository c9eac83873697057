package operator

import (
	"strings"
	"testing"
)

func TestFnmatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, yes, no string // words
	}{
		{"*", "a a/b .", ""},
		{"a*c", "ac abc a/b/c", "ab xac acx"},
		{"a?c", "abc a/c", "ac abbc"},
		{"[abc]", "a b c", "d ab"},
		{"[!abc]", "d !", "a"},
		{"[a-c]x", "ax bx", "dx -x"},
		{"[-a]", "- a", "b"},
		{"[a-]", "- a", "b"},
		{"[]a]", "] a", "b []a]"},
		{"[!]a]", "b", "] a"},
		{"[c-a]", "", "a b c"},
		{"[!c-a]", "a b", ""},
		{"[a^]", "^ a", "b"},
		{`[\]`, `\`, "a"},
		{"[abc", "[abc", "a"},
		{"[", "[", ""},
		{"a.b+c", "a.b+c", "axb+c a.bbc"},
		{"é?", "éü", "é"},
	} {
		match, err := fnmatch(tt.pattern)
		if err != nil {
			t.Errorf("fnmatch(%q): %v", tt.pattern, err)
			continue
		}
		for _, w := range strings.Fields(tt.yes) {
			if !match(w) {
				t.Errorf("fnmatch(%q)(%q) = false, want true", tt.pattern, w)
			}
		}
		for _, w := range strings.Fields(tt.no) {
			if match(w) {
				t.Errorf("fnmatch(%q)(%q) = true, want false", tt.pattern, w)
			}
		}
	}
}

func TestParseS3URL(t *testing.T) {
	for _, tt := range []struct{ in, bucket, key string }{
		{"s3://b/k/l", "b", "k/l"},
		{"S3A://b/k?x#y", "b", "k?x#y"},
		{"s3://b", "b", ""},
		{"s3://b//k", "b", "k"},
		{"https://b.s3.eu-west-1.amazonaws.com/k%20l", "b", "k l"},
		{"https://s3.eu-west-1.amazonaws.com/b/k/l", "b", "k/l"},
		{"http://127.0.0.1:9000/b/k", "b", "k"},
		{"k", "", ""},
		{"ftp://b/k", "", ""},
		{"s3:///k", "", ""},
	} {
		bucket, key, ok := parseS3URL(tt.in)
		if ok != (tt.bucket != "") || ok && (bucket != tt.bucket || key != tt.key) {
			t.Errorf("parseS3URL(%q) = %q, %q, %v; want %q, %q", tt.in, bucket, key, ok, tt.bucket, tt.key)
		}
	}
}

func FuzzFnmatch(f *testing.F) {
	f.Add("a*[!b-d]?", "abcde")
	f.Add("[]-a]", "]")
	f.Add("[a-\\]^]", "^")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		match, err := fnmatch(pattern)
		if err != nil {
			return
		}
		match(text)
	})
}

func FuzzCall(f *testing.F) {
	f.Add(string(encode(call(s3Path("S3ListOperator"), "bucket", "b", "prefix", "a*"))))
	f.Add(`{"Path":"x","Args":{"bucket":null},"Task":{"Logical":"2026-11-21T08:00:00Z"}}`)
	f.Add(`{"Args":{"keys":["a",1],"replace":"false","inactivity_period":"1e3"}}`)
	f.Add(`{"Args":{"tag_set":[{"Key":"k"}],"from_datetime":"2026-11-21"}}`)
	f.Fuzz(func(t *testing.T, in string) {
		c, err := decodeCall(strings.NewReader(in))
		if err != nil {
			return
		}
		// Every kind of reading must bear every value.
		for _, s := range Default().Specs() {
			if actOf(s.Class) == nil && pokerOf(s) == nil {
				continue
			}
			for _, arg := range s.Args {
				a := c.args(s)
				a.text(arg.Name)
				a.needed(arg.Name)
				a.flag(arg.Name)
				a.number(arg.Name)
				a.texts(arg.Name)
				a.moment(arg.Name)
				a.object("bucket_name", arg.Name)
				tagPairs(a.raw(arg.Name))
			}
		}
		bash{spec: Default().byPath[bashPath]}.skips(c.args(Default().byPath[bashPath]))
	})
}

package mask

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// plainly is what Apply does, byte by byte.
func plainly(texts []string, p string) string {
	hide := make([]bool, len(p))
	glued := make([]bool, len(p)) // with the byte before
	for _, t := range texts {
		for i := 0; t != "" && i+len(t) <= len(p); i++ {
			if p[i:i+len(t)] == t {
				for j := range len(t) {
					hide[i+j] = true
					glued[i+j] = glued[i+j] || j > 0
				}
			}
		}
	}
	var b strings.Builder
	for i := range len(p) {
		switch {
		case !hide[i]:
			b.WriteByte(p[i])
		case !glued[i]:
			b.WriteString(Stars)
		}
	}
	return b.String()
}

func TestApply(t *testing.T) {
	for _, tt := range []struct {
		texts    []string
		in, want string
	}{
		{nil, "abc", "abc"},
		{[]string{""}, "abc", "abc"},
		{[]string{"secret"}, "my secret is secretsecret", "my *** is ******"},
		{[]string{"abcde", "cdefg"}, "xabcdefgx", "x***x"},
		{[]string{"abcdefgh", "cde"}, "abcdefgx", "ab***fgx"},
		{[]string{"abcdefgh", "cde"}, "abcdefgh", "***"},
		{[]string{"aaaaa"}, "aaaaaaaaaaab", "***b"},
		{[]string{"pässwörd"}, "das pässwörd!", "das ***!"},
	} {
		if got := New(tt.texts).Text(tt.in); got != tt.want {
			t.Errorf("Text(%q) without %q = %q, want %q", tt.in, tt.texts, got, tt.want)
		}
	}
}

// TestAsPlainly compares with the plain way, for texts of which many overlap and
// some are longer than the automaton knows.
func TestAsPlainly(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("ab"[rng.IntN(2)])
		}
		return b.String()
	}
	for round := range 3000 {
		var texts []string
		for range 1 + rng.IntN(5) {
			texts = append(texts, word(1+rng.IntN(6)))
		}
		if round%3 == 0 {
			long := strings.Repeat(word(1+rng.IntN(3)), 100)
			texts = append(texts, long, long+"a", long[1:])
		}
		in := word(rng.IntN(20))
		if round%3 == 0 {
			in += texts[len(texts)-1-rng.IntN(3)] + word(rng.IntN(10))
		}
		m := New(texts)
		want := plainly(texts, in)
		if got := m.Text(in); got != want {
			t.Fatalf("Text(%q) without %q = %q, want %q", in, texts, got, want)
		}
		// In pieces it is the same.
		got, held := "", ""
		for rest := in; rest != ""; {
			n := 1 + rng.IntN(len(rest))
			held, rest = held+rest[:n], rest[n:]
			cut, hidden := m.Cut([]byte(held), len(held), false)
			if hidden {
				t.Fatalf("Cut(%q) without %q hides all, and need not", held, texts)
			}
			got, held = got+m.Text(held[:cut]), held[cut:]
		}
		if got += m.Text(held); got != want {
			t.Fatalf("in pieces %q without %q = %q, want %q", in, texts, got, want)
		}
	}
}

// TestCutMust has a line without a good place to cut.
func TestCutMust(t *testing.T) {
	m := New([]string{"aaaaa", strings.Repeat("ab", 100)})
	for _, in := range []string{strings.Repeat("a", 1000), strings.Repeat("ab", 1000), strings.Repeat("ab", 1000) + "a"} {
		shown, held := "", []byte(in)
		for len(held) > 300 {
			n, hidden := m.Cut(held, len(held), true)
			if n == 0 {
				t.Fatalf("nothing of %d bytes can be written", len(held))
			}
			if hidden {
				shown += Stars
			} else {
				shown += m.Text(string(held[:n]))
			}
			held = held[n:]
		}
		shown += m.Text(string(held))
		if got, want := strings.Trim(shown, "*"), strings.Trim(m.Text(in), "*"); got != want {
			t.Errorf("%.10q... is shown as %q, want %q within stars", in, shown, want)
		}
	}
}

// BenchmarkApply reads a line of 256 KB.
func BenchmarkApply(b *testing.B) {
	nested := func(n int) (texts []string) {
		for i := range n {
			texts = append(texts, strings.Repeat("a", 5+i))
		}
		return texts
	}
	some := func(n int) (texts []string) {
		rng := rand.New(rand.NewPCG(1, 2))
		for range n {
			texts = append(texts, fmt.Sprintf("%x%x", rng.Uint64(), rng.Uint64()))
		}
		return texts
	}
	text := strings.Repeat("2026-11-21 a line of a log, as a task prints it, with some numbers 0x1f3c\n", 3600)
	for _, bb := range []struct {
		name  string
		texts []string
		in    string
	}{
		{"20 texts", some(20), text},
		{"1000 texts", some(1000), text},
		{"1000 nested", nested(1000), strings.Repeat("a", 256<<10)},
	} {
		m := New(bb.texts)
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.in)))
			for b.Loop() {
				m.Text(bb.in)
			}
		})
	}
}

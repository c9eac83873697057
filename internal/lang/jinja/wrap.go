package jinja

import (
	"html"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

func isLetter(r rune) bool { return unicode.IsLetter(r) }

// wrap is Python's textwrap.wrap as the filter wordwrap calls it: tabs and
// other white space stay as they are.
func (m *machine) wrap(s string, width int, breakLong, onHyphens bool) []string {
	if width <= 0 {
		panic(valueError("invalid width %d (must be > 0)", width))
	}
	m.alloc(8 * len(s))
	chunks := chunksOf([]rune(s), onHyphens)
	slices.Reverse(chunks)
	blank := func(r []rune) bool { return strings.TrimFunc(string(r), isSpace) == "" }
	var lines []string
	for len(chunks) > 0 {
		m.step(1)
		var cur [][]rune
		n := 0
		top := func() []rune { return chunks[len(chunks)-1] }
		pop := func() { chunks = chunks[:len(chunks)-1] }
		if len(lines) > 0 && blank(top()) {
			pop()
		}
		for len(chunks) > 0 && n+len(top()) <= width {
			n += len(top())
			cur = append(cur, top())
			pop()
		}
		if len(chunks) > 0 && len(top()) > width {
			switch left := width - n; {
			case breakLong:
				end := min(left, len(top()))
				if onHyphens {
					end = hyphenBefore(top(), end)
				}
				cur = append(cur, top()[:end])
				chunks[len(chunks)-1] = top()[end:]
			case len(cur) == 0:
				cur = append(cur, top())
				pop()
			}
		}
		if len(cur) > 0 && blank(cur[len(cur)-1]) {
			cur = cur[:len(cur)-1]
		}
		if len(cur) > 0 {
			lines = append(lines, string(slices.Concat(cur...)))
		}
	}
	return lines
}

// hyphenBefore moves end back behind the last hyphen, if a word stands
// before that.
func hyphenBefore(chunk []rune, end int) int {
	for i := end - 1; i > 0; i-- {
		if chunk[i] == '-' {
			if slices.ContainsFunc(chunk[:i], func(r rune) bool { return r != '-' }) {
				return i + 1
			}
			return end
		}
	}
	return end
}

// chunksOf cuts text where a line may be broken.
func chunksOf(s []rune, onHyphens bool) (chunks [][]rune) {
	space := func(i int) bool { return strings.ContainsRune("\t\n\v\f\r ", s[i]) }
	word := func(i int) bool { return i >= 0 && i < len(s) && isWord(s[i]) }
	letter := func(i int) bool { return word(i) && !unicode.Is(unicode.Nd, s[i]) }
	punct := func(i int) bool { return i >= 0 && (word(i) || strings.ContainsRune(`!"'&.,?`, s[i])) }
	// dashes measures two or more hyphens with a word after them.
	dashes := func(i int) int {
		j := i
		for j < len(s) && s[j] == '-' {
			j++
		}
		if j-i >= 2 && word(j) {
			return j - i
		}
		return 0
	}
	for i := 0; i < len(s); {
		j := i + 1
		switch {
		case space(i):
			for j < len(s) && space(j) {
				j++
			}
		case !onHyphens:
			for j < len(s) && !space(j) {
				j++
			}
		case punct(i-1) && dashes(i) > 0:
			j = i + dashes(i)
		default:
			for ; j < len(s) && !space(j); j++ {
				if s[j] == '-' && (letter(j-1) && letter(j-2) || letter(j-1) && j >= 3 && s[j-2] == '-' && letter(j-3)) &&
					letter(j+1) && (letter(j+2) || j+2 < len(s) && s[j+2] == '-' && letter(j+3)) {
					j++
					break
				}
				if punct(j-1) && dashes(j) > 0 {
					break
				}
			}
		}
		chunks = append(chunks, s[i:j])
		i = j
	}
	return chunks
}

// stripTags is Markup.striptags: comments and tags go, white space runs
// become one space, entities are resolved.
func stripTags(s string) string {
	cut := func(s, open, end string) string {
		var b strings.Builder
		for {
			i := strings.Index(s, open)
			if i < 0 {
				break
			}
			j := strings.Index(s[i:], end)
			if j < 0 {
				break
			}
			b.WriteString(s[:i])
			s = s[i+j+len(end):]
		}
		b.WriteString(s)
		return b.String()
	}
	s = cut(cut(s, "<!--", "-->"), "<", ">")
	return unescapeHTML(strings.Join(strings.FieldsFunc(s, isSpace), " "))
}

func unescapeHTML(s string) string { return html.UnescapeString(s) }

var (
	urlWords  = regexp.MustCompile(`\s+`)
	urlHead   = regexp.MustCompile(`^([(<]|&lt;)+`)
	urlTail   = regexp.MustCompile(`([)>.,\n]|&gt;)+$`)
	urlEmail  = regexp.MustCompile(`^\S+@[\pL\pN_][\pL\pN_.\-]*\.[\pL\pN_]+$`)
	urlScheme = regexp.MustCompile(`^([\pL\pN_.+\-]{2,}:(/){0,2})$`)
	urlHTTP   = regexp.MustCompile(`(?i)^((https?://|www\.)(([\pL\pN_%\-]+\.)+)?([a-z]{2,63}|xn--[\pL\pN_%]{2,59})|` +
		`([\pL\pN_%\-]{2,63}\.)+(com|net|int|edu|gov|org|info|mil)|` +
		`(https?://)((([\d]{1,3})(\.[\d]{1,3}){3})|(\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}\])))` +
		`(?::[\d]{1,5})?(?:[/?#]\S*)?$`)
)

func filterURLize(c *Call) Value {
	m := c.m
	rels := map[string]bool{"noopener": true}
	if r := c.Or(4, None); r != None {
		for _, part := range strings.FieldsFunc(m.str(r), isSpace) {
			rels[part] = true
		}
	}
	if c.flag(2, false) {
		rels["nofollow"] = true
	}
	var rel []string
	for r := range rels {
		rel = append(rel, r)
	}
	slices.Sort(rel)
	attrs := ` rel="` + escapeHTML(strings.Join(rel, " ")) + `"`
	if t := c.Or(3, None); m.truth(t) {
		attrs += ` target="` + m.escape(t, m.str(t)) + `"`
	}
	var schemes []string
	if s := c.Or(5, None); s != None {
		for _, v := range m.list(s) {
			scheme := m.str(v)
			if !urlScheme.MatchString(scheme) {
				panic(Errorf("FilterArgumentError", "%s is not a valid URI scheme prefix.", m.repr(v)))
			}
			schemes = append(schemes, scheme)
		}
	}
	limit := -1
	if c.Or(1, None) != None {
		limit = c.intArg(1, 0)
	}
	trim := func(s string) string {
		if limit >= 0 && runeLen(s) > limit {
			return string([]rune(s)[:limit]) + "..."
		}
		return s
	}
	text := m.escape(c.Args[0], m.str(c.Args[0]))
	m.alloc(8 * len(text))
	var b strings.Builder
	at := 0
	for _, gap := range urlWords.FindAllStringIndex(text, -1) {
		b.WriteString(urlizeWord(text[at:gap[0]], attrs, schemes, trim))
		b.WriteString(text[gap[0]:gap[1]])
		at = gap[1]
	}
	b.WriteString(urlizeWord(text[at:], attrs, schemes, trim))
	m.alloc(b.Len())
	return m.text(b.String())
}

func urlizeWord(word, attrs string, schemes []string, trim func(string) string) string {
	head := urlHead.FindString(word)
	middle := word[len(head):]
	tail := urlTail.FindString(middle)
	middle = middle[:len(middle)-len(tail)]
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		open := strings.Count(middle, pair[0])
		if open <= strings.Count(middle, pair[1]) {
			continue
		}
		for range min(open, strings.Count(tail, pair[1])) {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			middle += tail[:end]
			tail = tail[end:]
		}
	}
	link := func(href, shown string) string { return `<a href="` + href + `"` + attrs + `>` + shown + `</a>` }
	switch {
	case urlHTTP.MatchString(middle):
		href := middle
		if !strings.HasPrefix(middle, "https://") && !strings.HasPrefix(middle, "http://") {
			href = "https://" + middle
		}
		middle = link(href, trim(middle))
	case strings.HasPrefix(middle, "mailto:") && urlEmail.MatchString(middle[7:]):
		middle = `<a href="` + middle + `">` + middle[7:] + `</a>`
	case strings.Contains(middle, "@") && !strings.HasPrefix(middle, "www.") && !strings.HasPrefix(middle, "@") &&
		!strings.Contains(middle, ":") && urlEmail.MatchString(middle):
		middle = `<a href="mailto:` + middle + `">` + middle + `</a>`
	default:
		for _, s := range schemes {
			if middle != s && strings.HasPrefix(middle, s) {
				middle = link(middle, middle)
			}
		}
	}
	return head + middle + tail
}

const lorem = "ac ad amet ante arcu at augue commodo congue cras cum cursus dapibus diam dictum dolor dui eget elit enim erat eros est et " +
	"facilisi fames felis fermentum fringilla fusce gravida hac iaculis id imperdiet in inceptos integer interdum ipsum justo lacinia lacus " +
	"laoreet lectus leo libero ligula lorem luctus magna massa mattis mauris metus mi mollis morbi nam nec neque nibh nisl non nulla nunc odio " +
	"orci ornare pede penatibus per pharetra porta praesent pretium primis proin pulvinar purus quam quis risus rutrum sagittis sapien sed sem " +
	"semper sit sociis sodales suscipit tellus tempor tempus tincidunt tortor turpis ultrices urna ut varius vehicula vel velit vestibulum vitae volutpat"

// lipsumFunc makes the global lipsum: paragraphs of random words.
func lipsumFunc() *Func {
	words := strings.Fields(lorem)
	return builtin("generate_lorem_ipsum(n?, html?, min?, max?)", func(c *Call) Value {
		n, low, high := c.intArg(0, 5), c.intArg(2, 20), c.intArg(3, 100)
		if low >= high {
			panic(valueError("empty range for randrange() (%d, %d, %d)", low, high, high-low))
		}
		var paragraphs []string
		for range n {
			var p []string
			capital := true
			for i := range low + rand.IntN(high-low) {
				c.m.alloc(16)
				w := words[rand.IntN(len(words))]
				if capital {
					w = capitalize(w)
				}
				if capital = i%12 == 11; capital {
					w += "."
				} else if i%6 == 5 {
					w += ","
				}
				p = append(p, w)
			}
			paragraphs = append(paragraphs, strings.TrimRight(strings.Join(p, " "), ".,")+".")
		}
		if !c.flag(1, true) {
			return Str(strings.Join(paragraphs, "\n\n"))
		}
		for i, p := range paragraphs {
			paragraphs[i] = "<p>" + p + "</p>"
		}
		return Markup(strings.Join(paragraphs, "\n"))
	})
}

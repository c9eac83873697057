package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// runeLen is the number of code points, which is what Python counts.
func runeLen(s string) int { return utf8.RuneCountInString(s) }

// isSpace is str.isspace for one character.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// isLineEnd reports whether str.splitlines splits here.
func isLineEnd(r rune) bool {
	switch r {
	case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

// fullUpper holds the characters that become several in upper case.
var fullUpper = map[rune]string{
	'ß': "SS", 'ŉ': "ʼN", 'ǰ': "J̌", 'ΐ': "Ϊ́", 'ΰ': "Ϋ́", 'և': "ԵՒ",
	'ẖ': "H̱", 'ẗ': "T̈", 'ẘ': "W̊", 'ẙ': "Y̊", 'ẚ': "Aʾ",
	'ﬀ': "FF", 'ﬁ': "FI", 'ﬂ': "FL", 'ﬃ': "FFI", 'ﬄ': "FFL", 'ﬅ': "ST", 'ﬆ': "ST",
	'ﬓ': "ՄՆ", 'ﬔ': "ՄԵ", 'ﬕ': "ՄԻ", 'ﬖ': "ՎՆ", 'ﬗ': "ՄԽ",
}

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	var b strings.Builder
	for _, r := range s {
		if u, ok := fullUpper[r]; ok {
			b.WriteString(u)
		} else {
			b.WriteRune(unicode.ToUpper(r))
		}
	}
	return b.String()
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	r := []rune(s)
	var b strings.Builder
	for i, c := range r {
		b.WriteString(lowerAt(r, i, c))
	}
	return b.String()
}

// lowerAt knows the two characters whose lower case is not one to one: the
// dotted capital I, and the sigma, which differs at the end of a word.
func lowerAt(r []rune, i int, c rune) string {
	switch c {
	case 'İ':
		return "i̇"
	case 'Σ':
		before, after := false, false
		for j := i - 1; j >= 0; j-- {
			if !caseIgnorable(r[j]) {
				before = isCased(r[j])
				break
			}
		}
		for j := i + 1; j < len(r); j++ {
			if !caseIgnorable(r[j]) {
				after = isCased(r[j])
				break
			}
		}
		if before && !after {
			return "ς"
		}
		return "σ"
	}
	return string(unicode.ToLower(c))
}

func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·’", r)
}

func isCased(r rune) bool {
	return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) || unicode.Is(unicode.Other_Lowercase, r) || unicode.Is(unicode.Other_Uppercase, r)
}

func isUpperChar(r rune) bool { return unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r) }
func isLowerChar(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }

func titleChar(r rune) string {
	if u, ok := fullUpper[r]; ok {
		head := []rune(u)
		return string(head[0]) + lower(string(head[1:]))
	}
	return string(unicode.ToTitle(r))
}

func capitalize(s string) string {
	r := []rune(s)
	if len(r) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(titleChar(r[0]))
	for i, c := range r[1:] {
		b.WriteString(lowerAt(r, i+1, c))
	}
	return b.String()
}

func titleCase(s string) string {
	r := []rune(s)
	var b strings.Builder
	inWord := false
	for i, c := range r {
		if inWord {
			b.WriteString(lowerAt(r, i, c))
		} else {
			b.WriteString(titleChar(c))
		}
		inWord = isCased(c)
	}
	return b.String()
}

func swapCase(s string) string {
	r := []rune(s)
	var b strings.Builder
	for i, c := range r {
		switch {
		case isUpperChar(c):
			b.WriteString(lowerAt(r, i, c))
		case isLowerChar(c):
			b.WriteString(upper(string(c)))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func caseFold(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch u, ok := fullUpper[r]; {
		case ok:
			b.WriteString(strings.ToLower(u))
		case r == 'ẞ':
			b.WriteString("ss")
		case r == 'ς':
			b.WriteRune('σ')
		case r == 'İ':
			b.WriteString("i̇")
		case r == 'ſ':
			b.WriteRune('s')
		case r == 'µ':
			b.WriteRune('μ')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

func splitLines(s string, keep bool) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !isLineEnd(r) {
			i += n
			continue
		}
		end := i
		i += n
		if r == '\r' && i < len(s) && s[i] == '\n' {
			i++
		}
		if keep {
			end = i
		}
		out = append(out, s[start:end])
		start = i
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

// escapeHTML is markupsafe.escape on text.
func escapeHTML(s string) string {
	if !strings.ContainsAny(s, `&<>'"`) {
		return s
	}
	return strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;").Replace(s)
}

// escape makes s, the text of v, safe as HTML unless v already is.
func (m *machine) escape(v Value, s string) string {
	if _, ok := v.(Markup); ok {
		return s
	}
	m.alloc(len(s))
	return escapeHTML(s)
}

// markup is markupsafe.Markup(v).
func (m *machine) markup(v Value) Markup { return Markup(m.str(v)) }

// pad fills s to width characters; side is -1 to add on the left, 1 on the
// right, 0 on both.
func (m *machine) pad(s string, width int64, fill string, side int) string {
	n := width - int64(runeLen(s))
	if n <= 0 {
		return s
	}
	m.allocMany(int64(len(fill)), n)
	left := int64(0)
	switch side {
	case -1:
		left = n
	case 0:
		left = n/2 + n&width&1
	}
	return strings.Repeat(fill, int(left)) + s + strings.Repeat(fill, int(n-left))
}

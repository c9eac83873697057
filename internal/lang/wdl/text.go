package wdl

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// dedented returns parts without the indentation that lines share.
// Placeholders are no space.
func dedented(parts []Part) []Part {
	least := -1
	lines(parts, func(indent int) {
		if least < 0 || indent < least {
			least = indent
		}
	})
	start := true // of a line
	for i := range parts {
		if parts[i].Hole != nil {
			start = false
			continue
		}
		var b strings.Builder
		for line := range strings.Lines(parts[i].Text) {
			if start && least > 0 {
				line = line[min(least, len(line)-len(strings.TrimLeft(line, " \t"))):]
			}
			b.WriteString(line)
			start = strings.HasSuffix(line, "\n")
		}
		parts[i].Text = b.String()
	}
	return slices.DeleteFunc(parts, func(p Part) bool { return p.Hole == nil && p.Text == "" })
}

// mixed says that some lines begin with a tab and others with a space, and that
// they have space in common which is taken from all.
func mixed(parts []Part) bool {
	least, tabs, spaces, start := -1, false, false, false
	lines(parts, func(indent int) {
		if least < 0 || indent < least {
			least = indent
		}
	})
	for _, p := range parts {
		for line := range strings.Lines(p.Text) {
			if start && strings.TrimSpace(line) != "" {
				tabs, spaces = tabs || line[0] == '\t', spaces || line[0] == ' '
			}
			start = strings.HasSuffix(line, "\n")
		}
		start = start && p.Hole == nil
	}
	return least > 0 && tabs && spaces
}

// trimmed returns parts without the space after the opening, up to and with
// the first line end, and without the space before the closing and what else
// is named before that.
func trimmed(parts []Part, last string) []Part {
	if len(parts) == 0 {
		return parts
	}
	if first := &parts[0]; first.Hole == nil {
		first.Text = strings.TrimPrefix(strings.TrimLeft(first.Text, " \t"), "\n")
	}
	if end := &parts[len(parts)-1]; end.Hole == nil {
		end.Text = strings.TrimSuffix(strings.TrimRight(end.Text, " \t"), last)
	}
	return parts
}

// lines calls f with the indentation of each line that is not blank.
func lines(parts []Part, f func(indent int)) {
	indent, counted := 0, false
	for _, p := range parts {
		if p.Hole != nil {
			if !counted {
				f(indent)
			}
			counted = true
			continue
		}
		for _, c := range []byte(p.Text) {
			switch {
			case c == '\n':
				indent, counted = 0, false
			case counted:
			case c == ' ' || c == '\t':
				indent++
			default:
				f(indent)
				counted = true
			}
		}
	}
}

// joined takes line ends that a backslash precedes, and the space after them,
// out of a text of several lines.
func joined(s string) string {
	if !strings.Contains(s, "\\\n") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case s[i+1] == '\n':
			i++
			for i+1 < len(s) && (s[i+1] == ' ' || s[i+1] == '\t') {
				i++
			}
		default: // an escape: its second half escapes nothing
			b.WriteString(s[i : i+2])
			i++
		}
	}
	return b.String()
}

// unescaped resolves the escapes of a text. What is no escape, as in the
// regular expression "\.bam$", stays as it is.
func unescaped(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '\\', '\'', '"', '~', '$', '>':
			b.WriteByte(c)
		case 'x', 'u', 'U':
			digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			r, ok := codePoint(s[i+1:], digits, 16)
			if !ok {
				b.WriteString(s[i-1 : i+1])
				continue
			}
			b.WriteRune(r)
			i += digits
		default:
			if r, ok := codePoint(s[i:], 3, 8); ok {
				b.WriteRune(r)
				i += 2
				continue
			}
			b.WriteString(s[i-1 : i+1])
		}
	}
	return b.String()
}

// codePoint reads a character as that many digits.
func codePoint(s string, digits, base int) (rune, bool) {
	if len(s) < digits {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:digits], base, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, false
	}
	return rune(n), true
}

package secret

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
)

// leastMasked is the length under which a text is not masked, as in Airflow:
// it would be found everywhere.
const leastMasked = 5

// Short reports whether a value is too short to be masked.
func Short(value string) bool { return len(value) < leastMasked }

// sensitive are the parts of names whose values Airflow hides.
var sensitive = [...]string{
	"access_token", "api_key", "apikey", "authorization", "passphrase", "passwd", "password", "private_key", "secret", "token", "keyfile_dict", "service_account",
}

// Sensitive reports whether a name is one of those whose values are hidden.
func Sensitive(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return slices.ContainsFunc(sensitive[:], func(s string) bool { return strings.Contains(name, s) })
}

// Hidden returns what is to be hidden of an environment variable that a
// workflow sets: the password and the sensitive extras of a connection, and
// the value of a variable with a sensitive name.
func Hidden(name, value string) []string {
	if strings.HasPrefix(name, "AIRFLOW_CONN_") {
		return ofConnection(value)
	}
	if Sensitive(name) && !strings.HasPrefix(name, BackendVar) {
		return []string{value}
	}
	return nil
}

// ofConnection returns the parts of a connection that are to be hidden. One
// that cannot be read is hidden whole.
func ofConnection(text string) []string {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var c map[string]any
		if json.Unmarshal([]byte(text), &c) != nil {
			return []string{text}
		}
		return ofObject(c)
	}
	u, err := url.Parse(text)
	if err != nil {
		return []string{text}
	}
	var found []string
	if p, ok := u.User.Password(); ok {
		found = append(found, p)
	}
	for name, values := range u.Query() {
		for _, v := range values {
			var c map[string]any
			switch {
			case name == "__extra__" && json.Unmarshal([]byte(v), &c) == nil:
				found = append(found, ofObject(c)...)
			case Sensitive(name):
				found = append(found, v)
			}
		}
	}
	return found
}

// ofObject returns the texts in an object, however deep, that have a sensitive
// name above them.
func ofObject(c map[string]any) []string {
	var found []string
	var walk func(v any, hide bool)
	walk = func(v any, hide bool) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				var nested map[string]any
				if text, ok := inner.(string); ok && name == "extra" && json.Unmarshal([]byte(text), &nested) == nil {
					inner = nested // extras are often JSON in JSON
				}
				walk(inner, hide || Sensitive(name))
			}
		case []any:
			for _, inner := range v {
				walk(inner, hide)
			}
		case string:
			if hide {
				found = append(found, v)
			}
		}
	}
	walk(c, false)
	return found
}

// Forms returns the texts by which values may be found in a log: as they are,
// and as JSON, Python and URLs write them; each line by itself. The longest
// come first.
func Forms(values []string) []string {
	var forms []string
	for _, v := range values {
		for line := range strings.Lines(v) {
			line = strings.TrimRight(line, "\r\n")
			if Short(strings.TrimSpace(line)) || len(line) > MaxValue {
				continue
			}
			html, err := json.Marshal(line) // a text always encodes
			if err != nil {
				continue
			}
			// A log record is JSON, and what is logged may be, too.
			for _, text := range []string{line, inner(html), plainJSON(line), asciiJSON(line), repr(line)} {
				forms = append(forms, text, plainJSON(text), asciiJSON(text))
			}
			forms = append(forms, url.QueryEscape(line), url.PathEscape(line))
		}
	}
	forms = slices.DeleteFunc(forms, func(f string) bool { return len(f) > maxForm })
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(forms)
}

// maxForm is more than any value has in a form that is no escape of escapes.
const maxForm = 64 << 10

func inner(quoted []byte) string { return string(quoted[1 : len(quoted)-1]) }

// plainJSON writes what must be escaped, and nothing else.
func plainJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		escape(&b, r)
	}
	return b.String()
}

// asciiJSON writes a text as Python's json does unless told otherwise.
func asciiJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x7f:
			escape(&b, r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func escape(b *strings.Builder, r rune) {
	switch {
	case r == '"' || r == '\\':
		b.WriteByte('\\')
		b.WriteRune(r)
	case r == '\t':
		b.WriteString(`\t`)
	case r == '\b':
		b.WriteString(`\b`)
	case r == '\f':
		b.WriteString(`\f`)
	case r < ' ':
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		b.WriteRune(r)
	}
}

// repr writes a text as Python shows it within single quotes.
func repr(s string) string {
	quote := strings.Contains(s, "'") && strings.Contains(s, `"`)
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\' || r == '\'' && quote:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ':
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

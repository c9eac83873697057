package sigv4

import (
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// canonical appends to b the canonical request: the text that both sides hash.
func canonical(b []byte, r *http.Request, sig *signature, s3 bool, payload string) []byte {
	rawPath, rawQuery := split(r)
	b = append(append(b, r.Method...), '\n')
	b = append(append(b, canonicalPath(rawPath, s3)...), '\n')
	b = append(append(b, canonicalQuery(rawQuery, sig.presigned)...), '\n')
	for _, name := range sig.headers {
		b = append(append(b, name...), ':')
		b = append(append(b, headerValue(r, name)...), '\n')
	}
	b = append(b, '\n')
	for i, name := range sig.headers {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(b, '\n')
	return append(b, payload...)
}

// split returns path and query as they came over the wire.
func split(r *http.Request) (path, query string) {
	uri := r.RequestURI
	if uri == "" { // a request that was not received, in a test
		uri = r.URL.EscapedPath() + "?" + r.URL.RawQuery
	}
	path, query, _ = strings.Cut(uri, "?")
	if i := strings.Index(path, "://"); i > 0 && path[0] != '/' { // through a proxy
		_, path, _ = strings.Cut(path[i+3:], "/")
		path = "/" + path
	}
	if path == "" {
		path = "/"
	}
	return path, query
}

// canonicalPath keeps the path of S3 as it was sent, where "a/../b" is a key
// like any other. Other services clean the path and escape it once more.
func canonicalPath(p string, s3 bool) string {
	if s3 {
		return p
	}
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return escape(clean, "/")
}

// canonicalQuery unescapes and escapes names and values, so that it does not
// matter how the client wrote them, and sorts. A plus is a plus.
func canonicalQuery(query string, presigned bool) string {
	var pairs []string
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		name = escape(unescape(name), "")
		if part == "" || presigned && name == "X-Amz-Signature" {
			continue
		}
		// "=" sorts behind "-" and digits, which may stand in names; a NUL
		// in its place makes names compare before values.
		pairs = append(pairs, name+"\x00"+escape(unescape(value), ""))
	}
	slices.Sort(pairs)
	return strings.ReplaceAll(strings.Join(pairs, "&"), "\x00", "=")
}

func headerValue(r *http.Request, name string) string {
	values := r.Header.Values(name)
	switch name {
	case "host":
		values = []string{r.Host}
	case "content-length":
		if len(values) == 0 {
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		}
	}
	if len(values) == 1 && tidy(values[0]) {
		return values[0]
	}
	clean := make([]string, len(values))
	for i, v := range values {
		clean[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(clean, ",")
}

// tidy reports whether a value has no space at its ends and nothing but single
// ones within.
func tidy(v string) bool {
	last := byte(' ')
	for i := range len(v) {
		c := v[i]
		if c == ' ' && last == ' ' || c != ' ' && (c < ' ' || c > '~') {
			return false // other spaces are for strings.Fields to tell
		}
		last = c
	}
	return last != ' ' || v == ""
}

const hexDigits = "0123456789ABCDEF"

// escape percent-encodes every byte but the unreserved ones of RFC 3986 and
// those in keep.
func escape(s, keep string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~", c) >= 0, strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// unescape undoes percent-encoding; what is not well formed stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

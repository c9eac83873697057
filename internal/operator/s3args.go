package operator

import (
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// object returns the bucket and key that two arguments name: a bucket and a
// relative key, or no bucket and a whole URL as the key.
func (a *args) object(bucketArg, keyArg string) (bucket, key string) {
	bucket, key = a.text(bucketArg), a.needed(keyArg)
	if a.err != nil {
		return "", ""
	}
	bucket, key, err := resolve(bucket, key, bucketArg, keyArg)
	if err != nil {
		a.err = err
	}
	return bucket, key
}

var hasScheme = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//`)

// resolve implements object for values at hand.
func resolve(bucket, key, bucketArg, keyArg string) (string, string, error) {
	if bucket != "" {
		if hasScheme.MatchString(key) {
			return "", "", Errorf("If `%s` is provided, %s should be a relative path from root level, rather than a full s3:// url", bucketArg, keyArg)
		}
		return bucket, key, nil
	}
	b, k, ok := parseS3URL(key)
	if !ok {
		return "", "", Errorf(`Please provide a bucket name using a valid format of the form: s3://bucket_name/key or https://bucket_name.s3.region.amazonaws.com/key, but provided: "%s"`, clip(key, 200))
	}
	return b, k, nil
}

// parseS3URL takes a URL of an object apart: s3://bucket/key with its
// variants s3a and s3n, or the https forms with the bucket in the host or in
// the path. In the first form the key may contain ? and #.
func parseS3URL(s string) (bucket, key string, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return "", "", false
	}
	switch strings.ToLower(scheme) {
	case "s3", "s3a", "s3n":
		bucket, key, _ = strings.Cut(rest, "/")
	case "http", "https":
		u, err := url.Parse(s)
		if err != nil {
			return "", "", false
		}
		path := strings.TrimPrefix(u.Path, "/")
		host := u.Hostname()
		if before, _, found := strings.Cut(host, ".s3."); found {
			bucket, key = before, path
		} else if before, _, found := strings.Cut(host, ".s3-"); found {
			bucket, key = before, path
		} else {
			bucket, key, _ = strings.Cut(path, "/")
		}
	}
	key = strings.TrimLeft(key, "/")
	return bucket, key, bucket != ""
}

// moment returns a date-and-time argument; without a zone it is UTC.
func (a *args) moment(name string) time.Time {
	s := strings.TrimSpace(a.text(name))
	if s == "" {
		return time.Time{}
	}
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
		"2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
		"20060102T150405", "20060102",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	a.wrong(name, "a date and time such as 2026-11-21T08:00:00+00:00", a.raw(name))
	return time.Time{}
}

// tagPairs reads tags given as a mapping or as a list of {Key, Value}.
func tagPairs(v json.RawMessage) ([][2]string, error) {
	var byKey map[string]string
	if json.Unmarshal(v, &byKey) == nil {
		var pairs [][2]string
		for _, k := range slices.Sorted(maps.Keys(byKey)) {
			pairs = append(pairs, [2]string{k, byKey[k]})
		}
		return pairs, nil
	}
	var list []struct{ Key, Value string }
	if err := json.Unmarshal(v, &list); err != nil {
		return nil, err
	}
	var pairs [][2]string
	for _, t := range list {
		pairs = append(pairs, [2]string{t.Key, t.Value})
	}
	return pairs, nil
}

// fnmatch returns a matcher of a whole text for a pattern of Python's
// fnmatch: * is any text, slashes too; ? one character; [seq] and [!seq] a
// character in or not in a set.
func fnmatch(pattern string) (func(string) bool, error) {
	if len(pattern) > 4096 {
		return nil, Errorf("the pattern %s has more than 4096 bytes", clip(pattern, 80))
	}
	var b strings.Builder
	b.WriteString(`\A(?s:`)
	for rest := []rune(pattern); len(rest) > 0; {
		r := rest[0]
		rest = rest[1:]
		switch r {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			set, after := bracket(rest)
			b.WriteString(set)
			rest = after
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteString(`)\z`)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, Errorf("the pattern %q cannot be used: %v", clip(pattern, 200), err)
	}
	return re.MatchString, nil
}

// bracket reads a set after its opening bracket and returns it as a regular
// expression with what follows. A bracket that is never closed stands for
// itself.
func bracket(rest []rune) (string, []rune) {
	start := 0
	if len(rest) > 0 && rest[0] == '!' {
		start = 1
	}
	// A closing bracket in the first place is a member of the set.
	end := slices.Index(rest[min(start+1, len(rest)):], ']')
	if end < 0 {
		return `\[`, rest
	}
	end += start + 1
	members, after := rest[start:end], rest[end+1:]
	var b strings.Builder
	any := false
	for i := 0; i < len(members); i++ {
		lo, hi := members[i], members[i]
		if i+2 < len(members) && members[i+1] == '-' {
			hi = members[i+2]
			i += 2
		}
		if lo > hi {
			continue // an empty range has no members
		}
		any = true
		b.WriteString(inSet(lo))
		if lo != hi {
			b.WriteString("-" + inSet(hi))
		}
	}
	switch {
	case any && start == 1:
		return "[^" + b.String() + "]", after
	case any:
		return "[" + b.String() + "]", after
	case start == 1:
		return ".", after // not in the empty set: anything
	default:
		return `[^\x{0}-\x{10FFFF}]`, after // in the empty set: nothing
	}
}

// inSet quotes a character for use in a set of a regular expression.
func inSet(r rune) string {
	if r == '-' {
		return `\-`
	}
	return regexp.QuoteMeta(string(r))
}

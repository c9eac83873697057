package cage

import (
	"slices"
	"strings"
)

// MaxMask bounds a text that is to be masked: pieces of a line that are
// written apart must be longer.
const MaxMask = 64 << 10

// masked stands in for a text that must not be seen.
const masked = "***"

// A masker takes texts out of what is written. The nil masker takes out
// nothing.
type masker struct {
	first [256][]string // the texts by their first byte, the longest first
	r     *strings.Replacer
}

func newMasker(texts []string) *masker {
	if len(texts) == 0 {
		return nil
	}
	// Of two that begin at one place the longer one is masked.
	m := &masker{}
	texts = slices.Clone(texts)
	slices.SortStableFunc(texts, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(texts))
	for _, t := range texts {
		m.first[t[0]] = append(m.first[t[0]], t)
		pairs = append(pairs, t, masked)
	}
	m.r = strings.NewReplacer(pairs...)
	return m
}

// apply returns p without the texts: p itself if none is in it.
func (m *masker) apply(p []byte) []byte {
	if m == nil || len(p) == 0 {
		return p
	}
	s := string(p)
	if t := m.r.Replace(s); t != s {
		return []byte(t)
	}
	return p
}

// cut returns how much of p can be written, about end, before the rest of
// the line is known: up to what may go on as a text, and through what is one.
func (m *masker) cut(p []byte, end int) int {
	if m == nil {
		return end
	}
	for i := 0; i < end; {
		whole := 0
		for _, t := range m.first[p[i]] {
			if len(t) > len(p)-i {
				if string(p[i:]) == t[:len(p)-i] {
					return i
				}
			} else if whole == 0 && string(p[i:i+len(t)]) == t {
				whole = len(t)
			}
		}
		i += max(whole, 1)
		if i >= end {
			return i
		}
	}
	return end
}

// Package mask takes texts out of others: three asterisks stand in for them. It
// reads what it is given once, however many texts there are and however they
// overlap. It does not know what they mean.
package mask

import (
	"bytes"
	"slices"
)

// Stars stand in for a text that must not be seen.
const Stars = "***"

// prefix bounds how much of a text the automaton knows. The rest of a longer one
// is compared where its beginning is found.
const prefix = 128

// A Masker takes texts out of what is written. The nil Masker takes out nothing.
// It may be used by many goroutines.
type Masker struct {
	// An automaton of Aho and Corasick. Node 0 is the root.
	nodes []node
	root  [256]int32
	long  map[int32][]string // by the node of their prefix: the longer texts
}

// A node stands for the beginning of a text.
type node struct {
	child, sibling int32
	fail           int32 // the node of its longest proper end that is a beginning
	depth          int32
	match          int32 // the length of the longest whole text that it ends with
	by             byte
}

// New returns a masker of texts, of which empty ones do not count; nil if there
// are none.
func New(texts []string) *Masker {
	m := &Masker{nodes: make([]node, 1), long: map[int32][]string{}}
	for _, t := range texts {
		if t != "" {
			m.add(t)
		}
	}
	if len(m.nodes) == 1 {
		return nil
	}
	for at, list := range m.long {
		// The longest that fits hides the others.
		slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
		m.long[at] = slices.Compact(list)
	}
	m.link()
	return m
}

func (m *Masker) add(text string) {
	var at int32
	for i := range min(len(text), prefix) {
		next := m.child(at, text[i])
		if next == 0 {
			next = int32(len(m.nodes))
			m.nodes = append(m.nodes, node{by: text[i], depth: int32(i + 1), sibling: m.nodes[at].child})
			m.nodes[at].child = next
			if at == 0 {
				m.root[text[i]] = next
			}
		}
		at = next
	}
	if len(text) > prefix {
		m.long[at] = append(m.long[at], text)
		return
	}
	m.nodes[at].match = int32(len(text))
}

// child returns the node that a byte leads to; 0 if there is none.
func (m *Masker) child(at int32, b byte) int32 {
	if at == 0 {
		return m.root[b]
	}
	c := m.nodes[at].child
	for c != 0 && m.nodes[c].by != b {
		c = m.nodes[c].sibling
	}
	return c
}

// link fills in where the search goes on after a byte that fits nowhere.
func (m *Masker) link() {
	queue := make([]int32, 0, len(m.nodes))
	for c := m.nodes[0].child; c != 0; c = m.nodes[c].sibling {
		queue = append(queue, c)
	}
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		if m.nodes[at].match == 0 {
			m.nodes[at].match = m.nodes[m.nodes[at].fail].match
		}
		for c := m.nodes[at].child; c != 0; c = m.nodes[c].sibling {
			m.nodes[c].fail = m.step(m.nodes[at].fail, m.nodes[c].by)
			queue = append(queue, c)
		}
	}
}

// step returns the node of the longest beginning after one more byte.
func (m *Masker) step(at int32, b byte) int32 {
	for {
		if next := m.child(at, b); next != 0 || at == 0 {
			return next
		}
		at = m.nodes[at].fail
	}
}

// A span is a part of what is read, from a byte to before another.
type span struct{ from, to int }

// find calls hit for each place where a text is, of those that end at one byte the
// longest. What may go on as a text begins at open, or later.
func (m *Masker) find(p []byte, hit func(span)) (open int) {
	var at int32
	open = len(p)
	for i, b := range p {
		at = m.step(at, b)
		if n := int(m.nodes[at].match); n > 0 {
			hit(span{i + 1 - n, i + 1})
		}
		if m.nodes[at].depth < prefix || len(m.long) == 0 {
			continue
		}
		from := i + 1 - prefix
		rest := p[from:]
		for _, t := range m.long[at] {
			if len(rest) >= len(t) && string(rest[:len(t)]) == t {
				hit(span{from, from + len(t)})
				break
			}
			if open > from && len(rest) < len(t) && t[:len(rest)] == string(rest) {
				open = from
			}
		}
	}
	for at != 0 && m.nodes[at].child == 0 {
		at = m.nodes[at].fail
	}
	return min(open, len(p)-int(m.nodes[at].depth))
}

// spans returns what is to be hidden, in order; what overlaps is one.
func (m *Masker) spans(p []byte) (list []span, open int) {
	open = m.find(p, func(s span) {
		for len(list) > 0 && list[len(list)-1].to > s.from {
			last := list[len(list)-1]
			s = span{min(s.from, last.from), max(s.to, last.to)}
			list = list[:len(list)-1]
		}
		list = append(list, s)
	})
	return list, open
}

// Apply returns p without the texts: p itself if none is in it.
func (m *Masker) Apply(p []byte) []byte {
	if m == nil {
		return p
	}
	list, _ := m.spans(p)
	if len(list) == 0 {
		return p
	}
	var out bytes.Buffer
	from := 0
	for _, s := range list {
		out.Write(p[from:s.from])
		out.WriteString(Stars)
		from = s.to
	}
	out.Write(p[from:])
	return out.Bytes()
}

// Text is Apply for a string.
func (m *Masker) Text(s string) string {
	if m == nil {
		return s
	}
	p := []byte(s)
	if out := m.Apply(p); len(out) != len(p) || !bytes.Equal(out, p) {
		return string(out)
	}
	return s
}

// Cut returns how much of p can be written before what follows is known, end at
// the most but for a text that goes on there: up to what may become a text, and
// through what is one. Nothing may be. If must is set, some of p has to go: where
// no place is good, hidden says that all of what goes is to be hidden.
func (m *Masker) Cut(p []byte, end int, must bool) (n int, hidden bool) {
	if m == nil {
		return end, false
	}
	list, open := m.spans(p)
	n = min(end, open)
	i, _ := slices.BinarySearchFunc(list, n, func(s span, n int) int {
		if s.to <= n {
			return -1
		}
		return 1
	})
	if i == len(list) || list[i].from >= n {
		return n, false
	}
	if open >= list[i].to {
		return list[i].to, false
	}
	if n = list[i].from; n > 0 || !must {
		return n, false
	}
	// One span reaches over open. Of the texts that make it up, that which reaches
	// furthest over open begins what stays.
	furthest := span{0, 0}
	m.find(p, func(s span) {
		if s.from < open && s.to > open && s.to > furthest.to {
			furthest = s
		}
	})
	return furthest.from, furthest.from > 0
}

package wdl

import (
	"fmt"
	"slices"
	"strings"

	"fairlead/internal/flow"
	"fairlead/internal/near"
)

// A Finding is something to say of a document: a diagnostic, and the path of
// the document that it is about.
type Finding struct {
	File string
	flow.Diagnostic
}

// maxFindings bounds how many findings of one severity are listed; the rest
// is counted.
const maxFindings = 50

// maxCandidates bounds the names that are compared with one that is unknown.
const maxCandidates = 5000

// findings collects what is to be said of documents.
type findings struct {
	list  []Finding
	count [3]int // by severity
	seen  map[string]bool
}

// fault says that a document is refused for what is at a place.
func (f *findings) fault(at Span, fix, format string, args ...any) {
	f.add(flow.Fault, at, fix, format, args...)
}

// caution says that something is accepted and may not do what its author means.
func (f *findings) caution(at Span, fix, format string, args ...any) {
	f.add(flow.Caution, at, fix, format, args...)
}

// remark says something that is worth knowing.
func (f *findings) remark(at Span, fix, format string, args ...any) {
	f.add(flow.Remark, at, fix, format, args...)
}

func (f *findings) add(sev flow.Severity, at Span, fix, format string, args ...any) {
	if f.count[sev]++; f.count[sev] > maxFindings {
		return
	}
	d := Finding{Diagnostic: flow.Diagnostic{
		Severity: sev, Line: int(at.Line), Column: int(at.Col), Message: fmt.Sprintf(format, args...), Fix: fix,
	}}
	if at.Source != nil {
		d.File = at.Source.Path
	}
	key := fmt.Sprint(d.File, ":", d.Line, ":", d.Column, ":", d.Message)
	if f.seen[key] { // by another way to the same place
		f.count[sev]--
		return
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[key] = true
	f.list = append(f.list, d)
}

// full says that further faults are only counted, so that nothing costly
// should be done to describe them.
func (f *findings) full() bool { return f.count[flow.Fault] >= maxFindings }

// sorted returns the findings in the order of files and places. Those that
// are about a whole file come last.
func (f *findings) sorted() []Finding {
	out := slices.Clone(f.list)
	slices.SortStableFunc(out, func(a, b Finding) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	for sev, n := range f.count {
		if n > maxFindings {
			out = append(out, Finding{Diagnostic: flow.Diagnostic{
				Severity: flow.Severity(sev), Message: fmt.Sprintf("there are %d more like these", n-maxFindings),
			}})
		}
	}
	return out
}

// Refused says that there is a fault among the findings.
func Refused(found []Finding) bool {
	return slices.ContainsFunc(found, func(f Finding) bool { return f.Severity == flow.Fault })
}

// meant returns the candidate that a word was probably meant to be, as a
// sentence to append to a fix; empty if none is near.
func (f *findings) meant(word string, candidates []string) string {
	if f.full() || len(candidates) > maxCandidates {
		return ""
	}
	if name := nearest(word, candidates); name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return ""
}

// nearest returns the candidate that differs least from a word, or "" when
// none is close.
func nearest(word string, candidates []string) string {
	if len(word) > 100 {
		return ""
	}
	best, least := "", 1+len(word)/3
	for _, c := range candidates {
		if strings.EqualFold(word, c) {
			return c
		}
		if len(c) > 100 || len(c)-len(word) >= least || len(word)-len(c) >= least {
			continue
		}
		if d := near.Edits(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

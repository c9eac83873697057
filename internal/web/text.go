package web

import (
	"unicode/utf8"

	"fairlead/internal/flow"
)

// clip cuts s to at most n bytes, between characters, and shows that it did.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// failed reports whether a task in state st counts against its run.
func failed(st flow.State) bool {
	return st == flow.Failed || st == flow.TimedOut || st == flow.Blocked
}

// charWidth is about what a letter of a drawing takes. It errs upward: the
// font is the reader's.
const charWidth = 7.6

// boxWidth is how wide the box of a task is drawn.
func boxWidth(name string) int {
	return min(max(int(breadth(name)*charWidth)+46, minBox), maxBox)
}

// breadth is how many letters wide a text is; most letters of East Asia take
// two.
func breadth(s string) float64 {
	n := 0.0
	for _, r := range s {
		n++
		if r >= 0x1100 {
			n++
		}
	}
	return n
}

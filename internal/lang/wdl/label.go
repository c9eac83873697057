package wdl

import (
	"strings"

	"fairlead/internal/flow"
)

// Label returns what a person calls the instance of a call: its name, with the
// element of each scatter that it is in, as in align[3], below those of the
// workflows that call it, as in qc[0].count[2].
func Label(id flow.TaskID) string {
	words := strings.Split(string(id), "/")
	var b, elements strings.Builder
	for i, word := range words {
		section, _, inner := strings.Cut(word, ".")
		switch {
		case i%2 == 1: // which instance of the section before
		case !inner: // a call
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(word)
			b.WriteString(elements.String())
			elements.Reset()
		case section == "scatter" && i+1 < len(words):
			elements.WriteString("[" + words[i+1] + "]")
		}
	}
	return b.String()
}

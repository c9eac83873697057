// Package near tells how far apart words are, for messages that say what was
// probably meant.
package near

// longest is the length in bytes above which words count as far apart: what is
// compared comes from outside.
const longest = 256

// Edits counts the insertions, deletions, replacements and swaps of neighbours,
// in bytes, that turn a into b. Of words that are too long it returns a number
// that no difference between others has.
func Edits(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return 2*longest + 1
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			replace := 1
			if a[i] == b[j] {
				replace = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+replace)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

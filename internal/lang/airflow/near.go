package airflow

import (
	"fairlead/internal/flow"
	"fairlead/internal/near"
)

// nearest returns the name among candidates that word was probably meant to
// be, or "" when none is close.
func nearest(word string, candidates []string) string {
	if len(word) > 100 {
		return ""
	}
	best, least := "", 1+max(1, len(word)/3)
	for _, c := range candidates {
		if len(c) > 100 || len(c)-len(word) >= least || len(word)-len(c) >= least {
			continue
		}
		if d := near.Edits(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// nearest is [nearest] while its answer will still be shown: comparing every
// word of a text with every other must not be a way to keep us busy.
func (c *compiler) nearest(word string, candidates []string) string {
	if c.count[flow.Fault] >= maxFindings {
		return ""
	}
	return nearest(word, candidates)
}

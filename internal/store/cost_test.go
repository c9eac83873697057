package store

import (
	"strings"
	"testing"
)

// TestManyParametersHaveNoNames keeps SQLite from looking for a name among a
// thousand, a thousand times.
func TestManyParametersHaveNoNames(t *testing.T) {
	const n = 64
	if q := upsertTasks(n, true); strings.Contains(q, "$") || strings.Count(q, "?") != n*taskParams {
		t.Errorf("upsertTasks(%d) for SQLite has %d nameless parameters and %d others, want %d and none",
			n, strings.Count(q, "?"), strings.Count(q, "$"), n*taskParams)
	}
	if q := upsertTasks(n, false); strings.Contains(q, "?") || strings.Count(q, "$") != n*taskParams {
		t.Errorf("upsertTasks(%d) for PostgreSQL has %d numbered parameters, want %d", n, strings.Count(q, "$"), n*taskParams)
	}
}

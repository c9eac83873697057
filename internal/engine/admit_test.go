package engine

import (
	"fmt"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

// TestGate plays transcripts: "+a1" asks for run 1 of workflow a (limit 2),
// "-a1" leaves; after > stand the runs let in by that move.
func TestGate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit int
		moves string
	}{
		{"a workflow at its limit queues", 0, "+a1>a1 +a2>a2 +a3> -a1>a3"},
		{"another workflow passes it", 0, "+a1>a1 +a2>a2 +a3> +b1>b1"},
		{"the limit of all", 2, "+a1>a1 +b1>b1 +c1> +c2> -a1>c1 -b1>c2"},
		{"first in first out, passing over the full", 3, "+a1>a1 +a2>a2 +a3> +b1>b1 +b2> -b1>b2 -a2>a3"},
		{"one that gives up waiting", 1, "+a1>a1 +b1> +c1> -b1> -a1>c1"},
		{"leaving twice", 1, "+a1>a1 +b1> -a1>b1 -a1> -b1>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := Gate{Limit: tt.limit}
			for _, move := range strings.Fields(tt.moves) {
				ask, want, _ := strings.Cut(move, ">")
				id := flow.RunID(ask[1:])
				var got string
				if ask[0] == '+' {
					if g.Ask(Candidate{Run: id, Workflow: flow.WorkflowID(ask[1:2]), Limit: 2}) {
						got = string(id)
					}
				} else {
					got = strings.Trim(fmt.Sprint(g.Leave(id)), "[]")
				}
				if got != want {
					t.Fatalf("%s of %q let in %q, want %q", ask, tt.moves, got, want)
				}
			}
		})
	}
}

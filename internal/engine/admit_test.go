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

// TestGateGroups plays transcripts of runs of one group, or of none: "+g1/5"
// asks for run 1 of group g (limit 1) with priority 5.
func TestGateGroups(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit int
		moves string
	}{
		{"a group at its limit queues", 0, "+g1/0>g1 +g2/0> +h1/0>h1 -g1>g2 -g2>"},
		{"the greater priority first, then who came first", 0, "+g1/0>g1 +g2/1> +g3/5> +g4/5> -g1>g3 -g3>g4 -g4>g2"},
		{"runs of no group among themselves", 1, "+-1/0>-1 +-2/1> +-3/5> --1>-3 --3>-2"},
		{"one that waits and leaves", 0, "+g1/0>g1 +g2/9> +g3/1> -g2> -g1>g3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := Gate{Limit: tt.limit}
			for _, move := range strings.Fields(tt.moves) {
				ask, want, _ := strings.Cut(move, ">")
				name, priority, _ := strings.Cut(ask[1:], "/")
				c := Candidate{Run: flow.RunID(name), Workflow: flow.WorkflowID(name), Group: strings.Trim(name[:1], "-"), GroupLimit: 1}
				var got string
				if ask[0] == '+' {
					_, _ = fmt.Sscan(priority, &c.Priority)
					if g.Ask(c) {
						got = name
					}
				} else {
					got = strings.Trim(fmt.Sprint(g.Leave(c.Run)), "[]")
				}
				if got != want {
					t.Fatalf("%s of %q let in %q, want %q", ask, tt.moves, got, want)
				}
			}
		})
	}
}

package web

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"

	"fairlead/internal/flow"
)

func arranged(t *testing.T, text string) layout {
	t.Helper()
	g := graph(text)
	l, ok := arrange(&g, func(int) int { return 100 })
	if !ok {
		t.Fatalf("arrange(%q) finds it too large", text)
	}
	return l
}

func TestChainIsLevel(t *testing.T) {
	l := arranged(t, "a b:a c:b d:c")
	for i, b := range l.Boxes {
		if b.Y != l.Boxes[0].Y || b.X != margin+i*(100+gapX) {
			t.Errorf("box %d of a chain is at %d, %d; want %d, %d", i, b.X, b.Y, margin+i*(100+gapX), l.Boxes[0].Y)
		}
	}
}

func TestForkIsCentered(t *testing.T) {
	l := arranged(t, "a b:a c:a d:a e:b,c,d")
	for _, i := range []int{2, 4} {
		if l.Boxes[i].Y != l.Boxes[0].Y {
			t.Errorf("box %d is at height %d, want that of the fork, %d", i, l.Boxes[i].Y, l.Boxes[0].Y)
		}
	}
}

func TestCrossingsAreUntangled(t *testing.T) {
	g := graph("a b c d:c e:b f:a")
	l, _ := arrange(&g, func(int) int { return 100 })
	for up, down := range map[int]int{0: 5, 1: 4, 2: 3} {
		if l.Boxes[up].Y != l.Boxes[down].Y {
			t.Errorf("%s at height %d leads to %s at %d; want one height", g.Nodes[up].ID, l.Boxes[up].Y, g.Nodes[down].ID, l.Boxes[down].Y)
		}
	}
}

// random returns a graph of n nodes in which each has a few upstreams.
func random(r *rand.Rand, n int) flow.Graph {
	var g flow.Graph
	for i := range n {
		node := flow.Node{ID: flow.TaskID(strconv.Itoa(i))}
		seen := map[int]bool{}
		for range r.IntN(3) {
			if i > 0 {
				seen[max(0, i-1-r.IntN(min(i, 25)))] = true
			}
		}
		for up := range n {
			if seen[up] {
				node.After = append(node.After, flow.TaskID(strconv.Itoa(up)))
			}
		}
		g.Nodes = append(g.Nodes, node)
	}
	return g
}

func TestBoxesKeepApartAndEdgesPointRight(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		g := random(r, 1+r.IntN(120))
		width := func(i int) int { return boxWidth(fmt.Sprint("task_", i*i*i)) }
		l, ok := arrange(&g, width)
		if !ok {
			continue
		}
		for i, a := range l.Boxes {
			if a.X < 0 || a.Y < 0 || a.X+a.Width > l.Width || a.Y+a.Height > l.Height {
				t.Errorf("seed %d: box %d %+v is outside of %d × %d", seed, i, a, l.Width, l.Height)
			}
			for j, b := range l.Boxes[:i] {
				if a.X < b.X+b.Width && b.X < a.X+a.Width && a.Y < b.Y+b.Height && b.Y < a.Y+a.Height {
					t.Errorf("seed %d: boxes %d %+v and %d %+v overlap", seed, i, a, j, b)
				}
			}
		}
		edges := 0
		for _, n := range g.Nodes {
			edges += len(n.After)
		}
		if len(l.Edges) != edges {
			t.Errorf("seed %d: %d edges are drawn, want %d", seed, len(l.Edges), edges)
		}
		for _, e := range l.Edges {
			if a, b := l.Boxes[e.From], l.Boxes[e.To]; a.X+a.Width >= b.X {
				t.Errorf("seed %d: the edge from %d %+v to %d %+v does not point right", seed, e.From, a, e.To, b)
			}
		}
		if again, _ := arrange(&g, width); !reflect.DeepEqual(l, again) {
			t.Errorf("seed %d: the same graph is laid out in two ways", seed)
		}
	}
}

func TestLargeGraphsAreNotDrawn(t *testing.T) {
	g := random(rand.New(rand.NewPCG(1, 1)), maxNodes+1)
	if _, ok := arrange(&g, func(int) int { return 1 }); ok {
		t.Errorf("a graph of %d nodes is drawn", maxNodes+1)
	}
	var dense flow.Graph // each node after all others
	for i := range 200 {
		n := flow.Node{ID: flow.TaskID(strconv.Itoa(i))}
		for _, up := range dense.Nodes {
			n.After = append(n.After, up.ID)
		}
		dense.Nodes = append(dense.Nodes, n)
	}
	if _, ok := arrange(&dense, func(int) int { return 1 }); ok {
		t.Errorf("a graph of %d nodes and %d edges is drawn", len(dense.Nodes), 200*199/2)
	}
}

func BenchmarkArrange(b *testing.B) {
	g := random(rand.New(rand.NewPCG(4, 2)), maxNodes)
	for b.Loop() {
		if _, ok := arrange(&g, func(int) int { return 160 }); !ok {
			b.Fatal("too large")
		}
	}
}

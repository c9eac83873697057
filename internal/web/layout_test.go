package web

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

// graph reads "a b:a c:a,b" as a graph: the upstreams of each node.
func graph(text string) [][]int {
	at := map[string]int{}
	var ups [][]int
	for f := range strings.FieldsSeq(text) {
		id, after, _ := strings.Cut(f, ":")
		at[id] = len(ups)
		var all []int
		if after != "" {
			for up := range strings.SplitSeq(after, ",") {
				all = append(all, at[up])
			}
		}
		ups = append(ups, all)
	}
	return ups
}

func arranged(t *testing.T, text string) layout {
	t.Helper()
	l, ok := arrange(graph(text), func(int) int { return 100 })
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
	l := arranged(t, "a b c d:c e:b f:a")
	for up, down := range map[int]int{0: 5, 1: 4, 2: 3} {
		if l.Boxes[up].Y != l.Boxes[down].Y {
			t.Errorf("node %d at height %d leads to %d at %d; want one height", up, l.Boxes[up].Y, down, l.Boxes[down].Y)
		}
	}
}

// random returns a graph of n nodes in which each has a few upstreams, at
// most far before it.
func random(r *rand.Rand, n, far int) [][]int {
	ups := make([][]int, n)
	for i := range ups {
		seen := map[int]bool{}
		for range r.IntN(3) {
			if i > 0 {
				seen[max(0, i-1-r.IntN(min(i, far)))] = true
			}
		}
		ups[i] = slices.Sorted(maps.Keys(seen))
	}
	return ups
}

func TestBoxesKeepApartAndEdgesPointRight(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		g := random(r, 1+r.IntN(120), 25)
		width := func(i int) int { return boxWidth(fmt.Sprint("task_", i*i*i)) }
		l, ok := arrange(g, width)
		if !ok {
			t.Fatalf("seed %d: too large", seed)
		}
		for i, a := range l.Boxes {
			if a.X < 0 || a.Y < 0 || a.X+a.Width > l.Width || a.Y+boxHeight > l.Height {
				t.Errorf("seed %d: box %d %+v is outside of %d × %d", seed, i, a, l.Width, l.Height)
			}
			for j, b := range l.Boxes[:i] {
				if a.X < b.X+b.Width && b.X < a.X+a.Width && a.Y < b.Y+boxHeight && b.Y < a.Y+boxHeight {
					t.Errorf("seed %d: boxes %d %+v and %d %+v overlap", seed, i, a, j, b)
				}
			}
		}
		edges := 0
		for _, ups := range g {
			edges += len(ups)
		}
		if len(l.Edges) != edges {
			t.Errorf("seed %d: %d edges are drawn, want %d", seed, len(l.Edges), edges)
		}
		for _, e := range l.Edges {
			if a, b := l.Boxes[e.From], l.Boxes[e.To]; a.X+a.Width >= b.X {
				t.Errorf("seed %d: the edge from %d %+v to %d %+v does not point right", seed, e.From, a, e.To, b)
			}
			if want := 4 * (l.Ranks[e.To] - l.Ranks[e.From] - 1); len(e.Via) != want {
				t.Errorf("seed %d: the edge from %d to %d goes by %d numbers, want %d", seed, e.From, e.To, len(e.Via), want)
			}
		}
		if again, _ := arrange(g, width); !reflect.DeepEqual(l, again) {
			t.Errorf("seed %d: the same graph is laid out in two ways", seed)
		}
	}
}

func TestLargeGraphsAreNotDrawn(t *testing.T) {
	if _, ok := arrange(make([][]int, maxNodes+1), func(int) int { return 1 }); ok {
		t.Errorf("a graph of %d nodes is drawn", maxNodes+1)
	}
	dense := make([][]int, 460) // each node after all others
	for i := range dense {
		for up := range i {
			dense[i] = append(dense[i], up)
		}
	}
	if _, ok := arrange(dense, func(int) int { return 1 }); ok {
		t.Errorf("a graph of %d nodes and %d edges is drawn", len(dense), 460*459/2)
	}
}

// TestLongEdgesGoStraight has a graph whose edges would pass far more ranks
// than can be ordered.
func TestLongEdgesGoStraight(t *testing.T) {
	const n = 5000
	chain := make([][]int, n)
	for i := 1; i < n; i++ {
		chain[i] = []int{i - 1}
		if i%2 == 0 {
			chain[i] = append(chain[i], i/2)
		}
	}
	l, ok := arrange(chain, func(int) int { return 100 })
	straight := 0
	for _, e := range l.Edges {
		if e.To-e.From > 1 && len(e.Via) == 0 {
			straight++
		}
	}
	if !ok || straight == 0 || len(l.Boxes) != n {
		t.Errorf("ok %v, %d boxes, %d long edges go straight; want some", ok, len(l.Boxes), straight)
	}
}

func TestGroups(t *testing.T) {
	ids := []flow.TaskID{"load.a", "load.b", "load.sub.x", "load.sub.y", "alone.z", "plain"}
	var kind, rank []int
	for range ids {
		kind, rank = append(kind, 0), append(rank, 0)
	}
	for i := range 6 {
		ids, kind, rank = append(ids, flow.TaskID(fmt.Sprintf("load.part_%d", i))), append(kind, 1), append(rank, 1)
	}
	var got []string
	for _, g := range groupsOf(ids, kind, rank) {
		got = append(got, fmt.Sprintf("%s in %q %s %v", g.Label, g.Parent, g.How, g.Members))
	}
	want := []string{
		`load in "" prefix [0 1 2 3 6 7 8 9 10 11]`, `load.sub in "load" prefix [2 3]`, `load.part_* in "load" series [6 7 8 9 10 11]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("groups of %v:\n got %q\nwant %q", ids, got, want)
	}
}

func BenchmarkArrange(b *testing.B) {
	for _, n := range []int{1000, 5000, maxNodes} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := random(rand.New(rand.NewPCG(4, 2)), n, 25)
			for b.Loop() {
				if _, ok := arrange(g, func(int) int { return 160 }); !ok {
					b.Fatal("too large")
				}
			}
		})
	}
}

package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fairlead/internal/flow"
)

// What is still drawn; larger graphs are shown as a table only.
const (
	maxNodes  = 300
	maxPoints = 3000 // nodes, and crossings of edges with ranks
)

// Sizes of the drawing, in pixels.
const (
	boxHeight = 44
	minBox    = 168
	maxBox    = 248
	gapX      = 40
	gapY      = 14
	laneY     = 10 // room for an edge that passes between boxes
	margin    = 8
)

// A layout says where the boxes of a graph's nodes are and how the edges
// run. Boxes are in the order of the graph.
type layout struct {
	Width, Height int
	Boxes         []box
	Edges         []edge
}

type box struct{ X, Y, Width, Height int }

// An edge runs from a node to a later one along an SVG path.
type edge struct {
	From, To int
	Path     string
}

// A point is a node, or the place where an edge passes a rank between its
// ends.
type point struct {
	node  int // -1: an edge passes
	rank  int
	order int // place within the rank
	y     float64
	ups   []int
	downs []int
}

func (p *point) height() float64 {
	if p.node < 0 {
		return laneY
	}
	return boxHeight
}

// arrange lays a graph out in ranks from left to right, so that every edge
// points right, few cross, and most are level. width gives the width of a
// node's box. It returns false if the graph is too large to be looked at.
// The same graph always gives the same layout.
func arrange(g *flow.Graph, width func(i int) int) (layout, bool) {
	n := len(g.Nodes)
	if n == 0 || n > maxNodes {
		return layout{}, false
	}
	ups := make([][]int, n)
	index := make(map[flow.TaskID]int, n)
	for i, node := range g.Nodes {
		index[node.ID] = i
		for _, id := range node.After {
			if up, ok := index[id]; ok && up != i {
				ups[i] = append(ups[i], up)
			}
		}
	}
	points, chains, ok := pointsOf(ups, ranksOf(ups))
	if !ok {
		return layout{}, false
	}
	ranks := sortRanks(points)
	placeRanks(points, ranks)
	return draw(points, ranks, chains, n, width), true
}

// ranksOf puts every node right of its upstreams, and a node without any
// next to the first that needs it.
func ranksOf(ups [][]int) []int {
	rank := make([]int, len(ups))
	nearest := make([]int, len(ups)) // lowest rank of a downstream
	for i, all := range ups {
		for _, up := range all {
			rank[i] = max(rank[i], rank[up]+1)
		}
	}
	for i := len(ups) - 1; i >= 0; i-- {
		if len(ups[i]) == 0 && nearest[i] > 0 {
			rank[i] = nearest[i] - 1
		}
		for _, up := range ups[i] {
			if nearest[up] == 0 || rank[i] < nearest[up] {
				nearest[up] = rank[i]
			}
		}
	}
	return rank
}

// A chain is an edge with the points along it, both ends included.
type chain []int

// pointsOf makes points of the nodes, the first len(ups), and of the ranks
// that edges pass. It returns false if there are too many.
func pointsOf(ups [][]int, rank []int) ([]point, []chain, bool) {
	points := make([]point, len(ups))
	for i := range points {
		points[i] = point{node: i, rank: rank[i]}
	}
	join := func(a, b int) {
		points[a].downs = append(points[a].downs, b)
		points[b].ups = append(points[b].ups, a)
	}
	var chains []chain
	for i, all := range ups {
		for _, up := range all {
			c := chain{up}
			for r := rank[up] + 1; r < rank[i]; r++ {
				points = append(points, point{node: -1, rank: r})
				join(c[len(c)-1], len(points)-1)
				c = append(c, len(points)-1)
			}
			join(c[len(c)-1], i)
			chains = append(chains, append(c, i))
			if len(points)+len(chains) > maxPoints {
				return nil, nil, false
			}
		}
	}
	return points, chains, true
}

// sortRanks orders the points within each rank: sweeps to and fro put each
// next to the middle of its neighbours, and the order with the fewest
// crossings stays.
func sortRanks(points []point) [][]int {
	var ranks [][]int
	for i := range points {
		for len(ranks) <= points[i].rank {
			ranks = append(ranks, nil)
		}
		ranks[points[i].rank] = append(ranks[points[i].rank], i)
	}
	number := func() {
		for _, r := range ranks {
			for k, i := range r {
				points[i].order = k
			}
		}
	}
	number()
	best, fewest := clone(ranks), crossings(points, ranks)
	for sweep := 0; sweep < 12 && fewest > 0; sweep++ {
		for k := range ranks {
			r, near := ranks[k], func(p *point) []int { return p.ups }
			if sweep%2 == 1 {
				r, near = ranks[len(ranks)-1-k], func(p *point) []int { return p.downs }
			}
			want := make(map[int]float64, len(r))
			for _, i := range r {
				want[i] = middle(points, near(&points[i]), float64(points[i].order))
			}
			slices.SortStableFunc(r, func(a, b int) int { return cmp.Compare(want[a], want[b]) })
			for k, i := range r {
				points[i].order = k
			}
		}
		if n := crossings(points, ranks); n < fewest {
			best, fewest = clone(ranks), n
		}
	}
	ranks = best
	number()
	return ranks
}

func clone(ranks [][]int) [][]int {
	out := make([][]int, len(ranks))
	for i, r := range ranks {
		out[i] = slices.Clone(r)
	}
	return out
}

// middle is the mean place of the neighbours, or own without any.
func middle(points []point, near []int, own float64) float64 {
	if len(near) == 0 {
		return own
	}
	sum := 0.0
	for _, i := range near {
		sum += float64(points[i].order)
	}
	return sum / float64(len(near))
}

// crossings counts the pairs of edges that cross between neighbouring ranks.
func crossings(points []point, ranks [][]int) int {
	total := 0
	for k := 1; k < len(ranks); k++ {
		// Edges in the order of their left ends; each crosses those before
		// it whose right end is lower down. A Fenwick tree counts them.
		tree := make([]int, len(ranks[k])+1)
		seen := 0
		for _, left := range ranks[k-1] {
			downs := points[left].downs
			for _, d := range downs {
				total += seen
				for j := points[d].order + 1; j > 0; j -= j & -j {
					total -= tree[j]
				}
			}
			for _, d := range downs {
				for j := points[d].order + 1; j < len(tree); j += j & -j {
					tree[j]++
				}
			}
			seen += len(downs)
		}
	}
	return total
}

// placeRanks gives each point its height: as close to the middle of its
// neighbours as the others in its rank allow.
func placeRanks(points []point, ranks [][]int) {
	for _, r := range ranks {
		y := 0.0
		for _, i := range r {
			points[i].y = y + points[i].height()/2
			y += points[i].height() + gapY
		}
		for _, i := range r { // around a common axis
			points[i].y -= y / 2
		}
	}
	for sweep := range 16 {
		for k := range ranks {
			r := ranks[k]
			if sweep%2 == 1 {
				r = ranks[len(ranks)-1-k]
			}
			settle(points, r)
		}
	}
}

// settle moves the points of a rank to where they want to be, as far as
// order and distance allow, with the least sum of squared displacements:
// points that would overlap form a block that moves as one.
func settle(points []point, rank []int) {
	type block struct {
		sum, weight float64 // of where its points want the block's origin
		from        int     // its first point
	}
	var blocks []block
	offset := make([]float64, len(rank)) // of a point, with all packed
	for k, i := range rank {
		if k > 0 {
			above := points[rank[k-1]]
			offset[k] = offset[k-1] + above.height()/2 + gapY + points[i].height()/2
		}
		want, weight := wish(points, i)
		blocks = append(blocks, block{(want - offset[k]) * weight, weight, k})
		for len(blocks) > 1 {
			a, b := blocks[len(blocks)-2], blocks[len(blocks)-1]
			if a.sum/a.weight <= b.sum/b.weight {
				break
			}
			blocks = append(blocks[:len(blocks)-2], block{a.sum + b.sum, a.weight + b.weight, a.from})
		}
	}
	for j, b := range blocks {
		end := len(rank)
		if j+1 < len(blocks) {
			end = blocks[j+1].from
		}
		for k := b.from; k < end; k++ {
			points[rank[k]].y = b.sum/b.weight + offset[k]
		}
	}
}

// wish is where a point would like to be, and how much. Passing edges insist
// on being straight.
func wish(points []point, i int) (y, weight float64) {
	p := &points[i]
	n := float64(len(p.ups) + len(p.downs))
	if n == 0 {
		return p.y, 1
	}
	for _, near := range [][]int{p.ups, p.downs} {
		for _, j := range near {
			y += points[j].y
		}
	}
	if p.node < 0 {
		return y / n, 4
	}
	return y / n, 1 + n/4
}

// draw turns places into pixels.
func draw(points []point, ranks [][]int, chains []chain, nodes int, width func(int) int) layout {
	top, bottom := points[0].y, points[0].y
	for i := range points {
		half := points[i].height() / 2
		top, bottom = min(top, points[i].y-half), max(bottom, points[i].y+half)
	}
	left := make([]int, len(ranks)) // of each rank
	wide := make([]int, len(ranks))
	x := margin
	for k, r := range ranks {
		left[k] = x
		for _, i := range r {
			if points[i].node >= 0 {
				wide[k] = max(wide[k], width(points[i].node))
			}
		}
		x += wide[k] + gapX
	}
	center := func(i int) int { return int(points[i].y-top+0.5) + margin }
	l := layout{Width: x - gapX + margin, Height: int(bottom-top+0.5) + 2*margin, Boxes: make([]box, nodes)}
	for i := range nodes {
		k := points[i].rank
		l.Boxes[i] = box{left[k], center(i) - boxHeight/2, wide[k], boxHeight}
	}
	for _, c := range chains {
		var b strings.Builder
		fmt.Fprintf(&b, "M%d %d", left[points[c[0]].rank]+wide[points[c[0]].rank], center(c[0]))
		for k := 1; k < len(c); k++ {
			a, z := c[k-1], c[k]
			x1, x2 := left[points[a].rank]+wide[points[a].rank], left[points[z].rank]
			if k == len(c)-1 {
				x2 -= 4 // the arrow's point ends at the box
			}
			mid := (x1 + x2) / 2
			fmt.Fprintf(&b, "C%d %d %d %d %d %d", mid, center(a), mid, center(z), x2, center(z))
			if points[z].node < 0 {
				fmt.Fprintf(&b, "H%d", left[points[z].rank]+wide[points[z].rank])
			}
		}
		l.Edges = append(l.Edges, edge{c[0], c[len(c)-1], b.String()})
	}
	return l
}

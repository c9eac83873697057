package web

import (
	"cmp"
	"slices"
)

// What is laid out at most.
const (
	maxNodes = 20_000
	maxEdges = 100_000
	// maxLanes bounds the places where edges pass ranks. The longest edges
	// beyond it go straight, whatever is in their way.
	maxLanes = 30_000
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
// run. Boxes, and the ranks that they are in, are in the order of the graph.
type layout struct {
	Width, Height int
	Boxes         []box
	Ranks         []int
	Edges         []edge
}

type box struct{ X, Y, Width int }

// An edge runs from a node to a later one, by way of points x, y, x, y, ...
// where it passes ranks.
type edge struct {
	From, To int
	Via      []int
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
// points right, few cross, and most are level. ups are the upstreams of each
// node, all of which come before it; width gives the width of a node's box.
// It returns false if the graph is too large. The same graph always gives the
// same layout.
func arrange(ups [][]int, width func(i int) int) (layout, bool) {
	edges := 0
	for _, all := range ups {
		edges += len(all)
	}
	if len(ups) > maxNodes || edges > maxEdges {
		return layout{}, false
	}
	if len(ups) == 0 {
		return layout{Width: 2 * margin, Height: 2 * margin}, true
	}
	points, chains := pointsOf(ups, ranksOf(ups))
	ranks := sortRanks(points)
	placeRanks(points, ranks)
	return draw(points, ranks, chains, len(ups), width), true
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
// that edges pass.
func pointsOf(ups [][]int, rank []int) ([]point, []chain) {
	points := make([]point, len(ups))
	for i := range points {
		points[i] = point{node: i, rank: rank[i]}
	}
	join := func(a, b int) {
		points[a].downs = append(points[a].downs, b)
		points[b].ups = append(points[b].ups, a)
	}
	longest := longestChain(ups, rank)
	var chains []chain
	for i, all := range ups {
		for _, up := range all {
			if rank[i]-rank[up] > longest {
				chains = append(chains, chain{up, i})
				continue
			}
			c := chain{up}
			for r := rank[up] + 1; r < rank[i]; r++ {
				points = append(points, point{node: -1, rank: r})
				join(c[len(c)-1], len(points)-1)
				c = append(c, len(points)-1)
			}
			join(c[len(c)-1], i)
			chains = append(chains, append(c, i))
		}
	}
	return points, chains
}

// longestChain is how many ranks an edge may pass before it goes straight.
func longestChain(ups [][]int, rank []int) int {
	var lanes []int // by the length of edges
	for i, all := range ups {
		for _, up := range all {
			n := rank[i] - rank[up]
			for len(lanes) <= n {
				lanes = append(lanes, 0)
			}
			lanes[n] += n - 1
		}
	}
	total := 0
	for n, more := range lanes {
		if total += more; total > maxLanes {
			return max(n-1, 1)
		}
	}
	return len(lanes)
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
	want := make([]float64, len(points))
	best, fewest := clone(ranks), crossings(points, ranks)
	for sweep := 0; sweep < 12 && fewest > 0; sweep++ {
		for k := range ranks {
			r, near := ranks[k], func(p *point) []int { return p.ups }
			if sweep%2 == 1 {
				r, near = ranks[len(ranks)-1-k], func(p *point) []int { return p.downs }
			}
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
	l := layout{
		Width: x - gapX + margin, Height: int(bottom-top+0.5) + 2*margin,
		Boxes: make([]box, nodes), Ranks: make([]int, nodes), Edges: make([]edge, len(chains)),
	}
	for i := range nodes {
		k := points[i].rank
		l.Boxes[i], l.Ranks[i] = box{left[k], center(i) - boxHeight/2, wide[k]}, k
	}
	for i, c := range chains {
		e := edge{From: c[0], To: c[len(c)-1]}
		for _, p := range c[1 : len(c)-1] {
			k := points[p].rank
			e.Via = append(e.Via, left[k], center(p), left[k]+wide[k], center(p))
		}
		l.Edges[i] = e
	}
	return l
}

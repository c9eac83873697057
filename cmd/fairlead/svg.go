package main

import (
	"bufio"
	"errors"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
)

// Sizes of a drawing, in pixels.
const (
	svgBoxHeight = 46
	svgGapX      = 60
	svgGapY      = 18
	svgLane      = 10 // room for an edge that passes between boxes
	svgMargin    = 16
	svgChar      = 7.3 // width of a character of the labels
	svgMostChars = 40
)

// What is still drawn. Edges that pass more ranks than svgMostLanes in all
// are drawn straight through them.
const (
	svgMostEdges = 20_000
	svgMostLanes = 5_000
)

// A drawing is a graph in ranks from left to right: each box right of its
// upstreams, few crossings, most edges level.
type drawing struct {
	tasks  []airflow.ExplainedTask
	ups    [][]int
	spots  []spot  // of the tasks, then the lanes of edges
	ranks  [][]int // spots from top to bottom
	chains [][]int // per edge, the spots that it goes through
	width  []float64
}

// A spot is a task's box, or where an edge passes a rank.
type spot struct {
	rank      int
	y, height float64 // y is the middle
	near      [2][]int
	left      float64
	width     float64
}

// writeSVG draws the graph. It reads well on light and on dark ground.
func writeSVG(w io.Writer, x airflow.Explanation) error {
	if len(x.Edges) > svgMostEdges {
		return errors.New("the graph has too many edges to be looked at; try --format mermaid or json")
	}
	d := newDrawing(x)
	d.order()
	d.place()
	return d.write(w, x.DagID)
}

func newDrawing(x airflow.Explanation) *drawing {
	d := &drawing{tasks: x.Tasks, ups: make([][]int, len(x.Tasks)), spots: make([]spot, len(x.Tasks))}
	at := map[flow.TaskID]int{}
	for i, t := range x.Tasks {
		at[t.ID] = i
		rank := 0
		for _, up := range t.Upstream {
			j := at[up]
			d.ups[i] = append(d.ups[i], j)
			rank = max(rank, d.spots[j].rank+1)
		}
		d.spots[i] = spot{rank: rank, height: svgBoxHeight}
		for len(d.ranks) <= rank {
			d.ranks, d.width = append(d.ranks, nil), append(d.width, 0)
		}
		d.ranks[rank] = append(d.ranks[rank], i)
		name := max(len([]rune(clipText(string(t.ID), svgMostChars))), len([]rune(svgNote(t))))
		d.spots[i].width = float64(name)*svgChar + 24
		d.width[rank] = max(d.width[rank], d.spots[i].width)
	}
	lanes := 0
	for i, ups := range d.ups {
		for _, j := range ups {
			lanes += d.spots[i].rank - d.spots[j].rank - 1
		}
	}
	for i, ups := range d.ups {
		for _, j := range ups {
			chain := []int{j}
			for r := d.spots[j].rank + 1; r < d.spots[i].rank && lanes <= svgMostLanes; r++ {
				chain = append(chain, len(d.spots))
				d.ranks[r] = append(d.ranks[r], len(d.spots))
				d.spots = append(d.spots, spot{rank: r, height: svgLane})
			}
			d.chains = append(d.chains, append(chain, i))
		}
	}
	for _, c := range d.chains {
		for k := 1; k < len(c); k++ {
			a, b := c[k-1], c[k]
			d.spots[a].near[1] = append(d.spots[a].near[1], b)
			d.spots[b].near[0] = append(d.spots[b].near[0], a)
		}
	}
	return d
}

// order sorts each rank by where its neighbors are, back and forth, and keeps
// the order with the fewest crossings that it comes by.
func (d *drawing) order() {
	const sweeps = 8
	pos := make([]float64, len(d.spots))
	for _, rank := range d.ranks {
		for k, s := range rank {
			pos[s] = float64(k)
		}
	}
	best, least := cloneRanks(d.ranks), -1
	for i := range sweeps {
		for k := range d.ranks {
			r, side := k, 0
			if i%2 == 1 {
				r, side = len(d.ranks)-1-k, 1
			}
			mean := map[int]float64{}
			for _, s := range d.ranks[r] {
				mean[s] = pos[s]
				if near := d.spots[s].near[side]; len(near) > 0 {
					sum := 0.0
					for _, n := range near {
						sum += pos[n]
					}
					mean[s] = sum / float64(len(near))
				}
			}
			slices.SortStableFunc(d.ranks[r], func(a, b int) int {
				switch {
				case mean[a] < mean[b]:
					return -1
				case mean[a] > mean[b]:
					return 1
				}
				return 0
			})
			for k, s := range d.ranks[r] {
				pos[s] = float64(k)
			}
		}
		if n := d.crossings(pos); least < 0 || n < least {
			best, least = cloneRanks(d.ranks), n
		}
	}
	d.ranks = best
}

func cloneRanks(ranks [][]int) [][]int {
	out := make([][]int, len(ranks))
	for i, r := range ranks {
		out[i] = slices.Clone(r)
	}
	return out
}

// crossings counts edges between neighboring ranks that cross, as inversions
// of a sequence.
func (d *drawing) crossings(pos []float64) int {
	n := 0
	for _, rank := range d.ranks {
		byPos := slices.Clone(rank)
		slices.SortFunc(byPos, func(a, b int) int { return int(pos[a] - pos[b]) })
		var ends []int
		for _, s := range byPos {
			own := []int{}
			for _, to := range d.spots[s].near[1] {
				own = append(own, int(pos[to]))
			}
			slices.Sort(own)
			ends = append(ends, own...)
		}
		n += inversions(ends)
	}
	return n
}

// inversions counts the pairs that stand in the wrong order, and sorts all.
func inversions(all []int) int {
	if len(all) < 2 {
		return 0
	}
	mid := len(all) / 2
	left, right := slices.Clone(all[:mid]), slices.Clone(all[mid:])
	n := inversions(left) + inversions(right)
	for i := range all {
		if len(right) == 0 || len(left) > 0 && left[0] <= right[0] {
			all[i], left = left[0], left[1:]
		} else {
			n += len(left)
			all[i], right = right[0], right[1:]
		}
	}
	return n
}

// place gives every spot its coordinates: stacked at first, then drawn toward
// its neighbors as far as the spots beside it let it.
func (d *drawing) place() {
	for _, rank := range d.ranks {
		total := 0.0
		for _, s := range rank {
			total += d.spots[s].height + svgGapY
		}
		y := -total / 2
		for _, s := range rank {
			h := d.spots[s].height + svgGapY
			d.spots[s].y = y + h/2
			y += h
		}
	}
	for i := range 12 {
		for k := range d.ranks {
			r := k
			if i%2 == 1 {
				r = len(d.ranks) - 1 - k
			}
			d.relax(d.ranks[r])
		}
	}
	top := 0.0
	for _, s := range d.spots {
		top = min(top, s.y-s.height/2)
	}
	x := float64(svgMargin)
	for r, rank := range d.ranks {
		for _, i := range rank {
			s := &d.spots[i]
			s.y -= top - svgMargin
			s.left = x
			if i >= len(d.tasks) {
				s.width = d.width[r]
			}
		}
		x += d.width[r] + svgGapX
	}
}

// relax moves the spots of a rank to the middle of their neighbors, and
// resolves what overlaps: half by pushing down, half by pushing up.
func (d *drawing) relax(rank []int) {
	want := make([]float64, len(rank))
	for k, s := range rank {
		sum, n := 0.0, 0
		for _, near := range d.spots[s].near {
			for _, o := range near {
				sum, n = sum+d.spots[o].y, n+1
			}
		}
		want[k] = d.spots[s].y
		if n > 0 {
			want[k] = sum / float64(n)
		}
	}
	down, up := slices.Clone(want), slices.Clone(want)
	apart := func(k int) float64 { return (d.spots[rank[k-1]].height+d.spots[rank[k]].height)/2 + svgGapY }
	for k := 1; k < len(rank); k++ {
		down[k] = max(down[k], down[k-1]+apart(k))
	}
	for k := len(rank) - 1; k > 0; k-- {
		up[k-1] = min(up[k-1], up[k]-apart(k))
	}
	for k, s := range rank {
		// The mean of two orders that keep their distance keeps it too.
		d.spots[s].y = (down[k] + up[k]) / 2
	}
}

const svgStyle = `
 :root { color-scheme: light dark }
 .ground { fill: #ffffff } .box { fill: #f4f6f9; stroke: #8a94a6 } .sensor { stroke-dasharray: 5 3 }
 .name { fill: #16202e; font-weight: 600 } .note { fill: #55607a } .edge { fill: none; stroke: #8a94a6; stroke-width: 1.4 } .tip { fill: #8a94a6 }
 text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 12px }
 .note { font-size: 11px }
 @media (prefers-color-scheme: dark) {
  .ground { fill: #12161d } .box { fill: #1d242f; stroke: #66728a } .name { fill: #e8edf5 } .note { fill: #9fabc0 }
  .edge { stroke: #66728a } .tip { fill: #66728a }
 }
`

// write prints the drawing. All text of the definition is escaped.
func (d *drawing) write(w io.Writer, title string) error {
	b := bufio.NewWriter(w)
	width, height := 2.0*svgMargin, 2.0*svgMargin
	for _, s := range d.spots {
		width, height = max(width, s.left+s.width+svgMargin), max(height, s.y+s.height/2+svgMargin)
	}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(b, "<title>%s</title>\n<style>%s</style>\n", svgText(title), svgStyle)
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>` + "\n")
	b.WriteString(`<rect class="ground" width="100%" height="100%"/>` + "\n")
	for _, c := range d.chains {
		fmt.Fprintf(b, `<path class="edge" marker-end="url(#tip)" d="%s"/>`+"\n", d.path(c))
	}
	for i, t := range d.tasks {
		s := d.spots[i]
		class := "box"
		if t.Sensor != nil {
			class += " sensor"
		}
		fmt.Fprintf(b, `<g><title>%s: %s</title><rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="8"/>`,
			svgText(string(t.ID)), svgText(t.Operator), class, s.left, s.y-s.height/2, s.width, s.height)
		fmt.Fprintf(b, `<text class="name" x="%.1f" y="%.1f">%s</text><text class="note" x="%.1f" y="%.1f">%s</text></g>`+"\n",
			s.left+12, s.y-4, svgText(clipText(string(t.ID), svgMostChars)), s.left+12, s.y+13, svgText(svgNote(t)))
	}
	b.WriteString("</svg>\n")
	return b.Flush()
}

// path is a curve through the spots of an edge, level where it meets one.
func (d *drawing) path(chain []int) string {
	var b strings.Builder
	from := d.spots[chain[0]]
	x, y := from.left+from.width, from.y
	fmt.Fprintf(&b, "M%.1f %.1f", x, y)
	for _, i := range chain[1:] {
		s := d.spots[i]
		bend := (s.left - x) / 2
		fmt.Fprintf(&b, "C%.1f %.1f %.1f %.1f %.1f %.1f", x+bend, y, s.left-bend, s.y, s.left, s.y)
		x, y = s.left, s.y
		if i >= len(d.tasks) {
			x += s.width
			fmt.Fprintf(&b, "H%.1f", x)
		}
	}
	return b.String()
}

// svgNote is the second line of a box.
func svgNote(t airflow.ExplainedTask) string {
	note := t.Class
	if t.Rule != flow.AllSuccess {
		note += ", " + string(t.Rule)
	}
	return clipText(note, svgMostChars+10)
}

// svgText escapes what means something in XML, and replaces what must not
// occur in it.
func svgText(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, s))
}

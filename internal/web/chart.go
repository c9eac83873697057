package web

import (
	"fmt"
	"strings"

	"fairlead/internal/flow"
)

// A chart is the drawing of a run's graph.
type chart struct {
	Width, Height int
	Shrinks       bool // to the width of the page: it stays legible
	Title         string
	Boxes         []chartBox
	Edges         []chartEdge
}

type chartBox struct {
	box
	URL    string
	Name   string // cut to the box
	Title  string // whole, with state and reason
	State  badge
	Under  string // the line below the name
	IconX  int
	IconY  int
	TextX  int
	NameY  int
	UnderY int
}

type chartEdge struct {
	Path string
	Tone string // "done" when the upstream is final
}

// chart draws the graph of a run; nil if it is too large.
func (s *Console) chart(run flow.Run, g *flow.Graph, w world) *chart {
	l, ok := arrange(g, func(i int) int { return boxWidth(string(g.Nodes[i].ID)) })
	if !ok {
		return nil
	}
	c := &chart{Width: l.Width, Height: l.Height, Shrinks: l.Width <= 1500, Title: "Graph of " + count(len(g.Nodes), "task", "tasks")}
	for i, n := range g.Nodes {
		t, is := w.tasks[n.ID]
		if !is {
			t = flow.Task{ID: n.ID, State: flow.Waiting}
		}
		b := l.Boxes[i]
		state := s.taskBadge(t.State)
		under := state.Fine
		if under == "" {
			under = strings.ReplaceAll(strings.ToLower(state.Word), "_", " ")
		}
		title := fmt.Sprintf("%s: %s", n.ID, under)
		if why := w.why(t); why != "" {
			title += " – " + clip(why, 300)
		}
		if d := took(t.Started, t.Ended, w.now); d != "" && (t.State.Final() || t.State == flow.Running) {
			under += " · " + d
		}
		c.Boxes = append(c.Boxes, chartBox{
			box: b, URL: taskURL(run, n.ID, t.Attempt), Name: fit(string(n.ID), b.Width), Title: title, State: state, Under: under,
			IconX: b.X + 10, IconY: b.Y + 14, TextX: b.X + 34, NameY: b.Y + 19, UnderY: b.Y + 35,
		})
	}
	for _, e := range l.Edges {
		tone := ""
		if w.tasks[g.Nodes[e.From].ID].State.Final() {
			tone = "done"
		}
		c.Edges = append(c.Edges, chartEdge{e.Path, tone})
	}
	return c
}

// charWidth is about what a letter of the drawing takes. It errs upward: the
// font is the reader's.
const charWidth = 7.6

func boxWidth(name string) int {
	return min(max(int(breadth(name)*charWidth)+46, minBox), maxBox)
}

// fit cuts a name to a box.
func fit(name string, width int) string {
	room := float64(width-46) / charWidth
	if breadth(name) <= room+0.5 {
		return name
	}
	var b strings.Builder
	for _, r := range name {
		if room -= breadth(string(r)); room < 1 {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "…"
}

// breadth is how many letters wide a text is; most letters of East Asia take
// two.
func breadth(s string) float64 {
	n := 0.0
	for _, r := range s {
		n++
		if r >= 0x1100 {
			n++
		}
	}
	return n
}

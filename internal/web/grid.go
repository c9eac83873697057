package web

import (
	"bytes"
	"context"

	"fairlead/internal/flow"
)

type gridView struct {
	Tasks  []flow.TaskID `json:"tasks"`
	Kinds  []string      `json:"kinds"`
	Kind   []int         `json:"kind"`
	Graphs [][]int       `json:"graphs"` // nil: task j is in row j
	Runs   []gridRun     `json:"runs"`
	Next   string        `json:"next"`
}

type gridRun struct {
	runView
	Graph  int    `json:"graph"`
	States string `json:"states"`
}

// getGrid shows runs beside each other, and the states of their tasks below.
func (s *Console) getGrid(c *call) (any, error) {
	wf := workflowOf(c)
	page, err := s.page(c, 50, 100, "console grid", string(wf))
	if err != nil {
		return nil, err
	}
	ctx := c.Context()
	row, err := s.row(ctx, wf)
	if err != nil {
		return nil, err
	}
	runs, next, err := s.c.Runs.Runs(ctx, wf, "", page)
	if err != nil {
		return nil, err
	}
	rows := gridRows{at: map[flow.TaskID]int{}, graphs: map[string]int{}}
	if err := rows.add(ctx, s, row.Latest.Graph); err != nil {
		return nil, err
	}
	for _, r := range runs {
		if err := rows.add(ctx, s, r.Graph); err != nil {
			return nil, err
		}
	}
	out := gridView{
		Tasks: list(rows.tasks), Kind: list(rows.kind), Graphs: rows.maps, Runs: make([]gridRun, len(runs)),
		Next: s.c.Tokens.Seal(next, "console grid", string(wf)),
	}
	out.Kinds = list(rows.kinds.texts)
	for i, r := range runs {
		g := &out.Runs[i]
		if g.runView, err = s.viewRun(ctx, r); err != nil {
			return nil, err
		}
		g.Graph = rows.graphs[r.Graph]
		states, err := s.statesOf(ctx, r)
		if err != nil {
			return nil, err
		}
		g.States = rows.spread(g.Graph, states)
	}
	return out, nil
}

// gridRows are the tasks of several graphs, each once.
type gridRows struct {
	tasks  []flow.TaskID
	kind   []int
	kinds  dictionary
	at     map[flow.TaskID]int
	graphs map[string]int // by key
	maps   [][]int        // by graph: rows of its tasks; nil: as they come
}

func (g *gridRows) add(ctx context.Context, s *Console, key string) error {
	if _, known := g.graphs[key]; known {
		return nil
	}
	sk, err := s.skeleton(ctx, key)
	if err != nil {
		return err
	}
	rows, straight := make([]int, len(sk.ids)), true
	for i, id := range sk.ids {
		row, known := g.at[id]
		if !known {
			row = len(g.tasks)
			g.at[id], g.tasks, g.kind = row, append(g.tasks, id), append(g.kind, g.kinds.number(sk.kinds[sk.kind[i]]))
		}
		rows[i], straight = row, straight && row == i
	}
	if straight {
		rows = nil
	}
	g.graphs[key], g.maps = len(g.maps), append(g.maps, rows)
	return nil
}

// spread puts the states of a graph's tasks into the rows of the grid.
func (g *gridRows) spread(graph int, states string) string {
	out := bytes.Repeat([]byte{none}, len(g.tasks))
	for i := range states {
		row := i
		if m := g.maps[graph]; m != nil {
			row = m[i]
		}
		out[row] = states[i]
	}
	return string(out)
}

// A known is what is remembered of a run's tasks: true of one revision.
type known struct {
	rev    int64
	states string
}

// statesOf returns the states of a run's tasks in the order of its graph. Of a
// run that has not begun, all wait. What tasks have unfolded into is left out.
func (s *Console) statesOf(ctx context.Context, r flow.Run) (string, error) {
	if k, ok := s.states.find(r.ID); ok && k.rev == r.Rev {
		return k.states, nil
	}
	sk, err := s.skeleton(ctx, r.Graph)
	if err != nil {
		return "", err
	}
	all, err := s.c.Tasks.States(ctx, r.ID)
	if err != nil {
		return "", err
	}
	b := bytes.Repeat([]byte{letter(flow.Waiting)}, len(sk.ids))
	for i, st := range all[:min(len(all), len(b))] {
		b[i] = letter(st)
	}
	if len(all) > 0 {
		// The states are at least as new as the revision: a run that goes on
		// has another by the next look.
		s.states.put(r.ID, known{r.Rev, string(b)})
	}
	return string(b), nil
}

package web

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"fairlead/internal/flow"
)

// A skeleton is what the pages need of a graph, which never changes.
type skeleton struct {
	ids       []flow.TaskID
	kinds     []string
	kind      []int
	rules     map[int]flow.Rule // where it is not all_success
	ups       [][]int
	downs     [][]int
	index     map[flow.TaskID]int
	params    []Param
	lines     map[flow.TaskID]int
	maxActive int
}

// skeleton returns that of a graph.
func (s *Console) skeleton(ctx context.Context, key string) (*skeleton, error) {
	if sk, ok := s.skeletons.find(key); ok {
		return sk, nil
	}
	g, err := s.c.Workflows.Graph(ctx, key)
	if err != nil {
		return nil, err
	}
	sk, err := s.newSkeleton(&g)
	if err == nil {
		s.skeletons.put(key, sk)
	}
	return sk, err
}

// whole returns a graph with what its tasks do. Nobody may change it.
func (s *Console) whole(ctx context.Context, key string) (*flow.Graph, error) {
	if g, ok := s.wholes.find(key); ok {
		return g, nil
	}
	g, err := s.c.Workflows.Graph(ctx, key)
	if err == nil {
		s.wholes.put(key, &g)
	}
	return &g, err
}

func (s *Console) newSkeleton(g *flow.Graph) (*skeleton, error) {
	n := len(g.Nodes)
	sk := &skeleton{
		ids: make([]flow.TaskID, n), kind: make([]int, n), rules: map[int]flow.Rule{}, ups: make([][]int, n), downs: make([][]int, n),
		index: make(map[flow.TaskID]int, n), maxActive: g.MaxActive,
	}
	var kinds dictionary
	for i, node := range g.Nodes {
		sk.ids[i], sk.kind[i] = node.ID, kinds.number(node.Kind)
		sk.index[node.ID] = i
		if node.When != "" && node.When != flow.AllSuccess {
			sk.rules[i] = node.When
		}
		for _, id := range node.After {
			if up, ok := sk.index[id]; ok && up != i {
				sk.ups[i], sk.downs[up] = append(sk.ups[i], up), append(sk.downs[up], i)
			}
		}
	}
	sk.kinds = list(kinds.texts)
	params, err := s.c.Language.Params(g)
	if err != nil {
		return nil, err
	}
	sk.params = list(params)
	sk.lines, err = s.c.Language.Lines(g)
	return sk, err
}

type graphView struct {
	Width     int               `json:"width"`
	Depth     int               `json:"depth"`
	Height    int               `json:"height"`
	IDs       []flow.TaskID     `json:"ids"`
	Kinds     []string          `json:"kinds"`
	Kind      []int             `json:"kind"`
	X         []int             `json:"x"`
	Y         []int             `json:"y"`
	W         []int             `json:"w"`
	Rank      []int             `json:"rank"`
	Rules     map[int]flow.Rule `json:"rules"`
	From      []int             `json:"from"`
	To        []int             `json:"to"`
	Via       map[int][]int     `json:"via"`
	Groups    []group           `json:"groups"`
	MaxActive int               `json:"maxActive"`
}

// view lays the graph out.
func (sk *skeleton) view() (*graphView, error) {
	l, ok := arrange(sk.ups, func(i int) int { return boxWidth(string(sk.ids[i])) })
	if !ok {
		return nil, flow.Errorf(flow.Invalid, "the graph is too large to be drawn: at most %d tasks and %d edges are", maxNodes, maxEdges)
	}
	n := len(sk.ids)
	v := &graphView{
		Width: l.Width, Depth: l.Height, Height: boxHeight, IDs: list(sk.ids), Kinds: sk.kinds, Kind: list(sk.kind),
		X: make([]int, n), Y: make([]int, n), W: make([]int, n), Rank: list(l.Ranks), Rules: sk.rules,
		From: make([]int, len(l.Edges)), To: make([]int, len(l.Edges)), Via: map[int][]int{},
		Groups: list(groupsOf(sk.ids, sk.kind, l.Ranks)), MaxActive: sk.maxActive,
	}
	for i, b := range l.Boxes {
		v.X[i], v.Y[i], v.W[i] = b.X, b.Y, b.Width
	}
	for k, e := range l.Edges {
		v.From[k], v.To[k] = e.From, e.To
		if len(e.Via) > 0 {
			v.Via[k] = e.Via
		}
	}
	return v, nil
}

// A group is nodes that may be shown as one.
type group struct {
	ID      string `json:"id"`
	Label   string `json:"label"`
	Parent  string `json:"parent"`
	How     string `json:"how"`
	Members []int  `json:"members"`
}

// leastSeries is how many alike tasks make a group.
const leastSeries = 5

// groupsOf finds groups in the names of tasks: those that begin alike up to a
// dot, as Airflow's task groups do, and in each those of one rank and operator
// that are alike but for a number.
func groupsOf(ids []flow.TaskID, kind, rank []int) []group {
	members := map[string][]int{}
	for i, id := range ids {
		for at, r := range string(id) {
			if r == '.' && at > 0 {
				members[string(id[:at])] = append(members[string(id[:at])], i)
			}
		}
	}
	var groups []group
	parent := func(name string) string {
		for at := strings.LastIndexByte(name, '.'); at > 0; at = strings.LastIndexByte(name[:at], '.') {
			if len(members[name[:at]]) > 1 {
				return name[:at]
			}
		}
		return ""
	}
	for _, name := range sortedKeys(members) { // an outer one is before its inner ones
		if all := members[name]; len(all) > 1 {
			groups = append(groups, group{ID: name, Label: name, Parent: parent(name), How: "prefix", Members: all})
		}
	}
	return append(groups, seriesOf(ids, kind, rank, parent)...)
}

func seriesOf(ids []flow.TaskID, kind, rank []int, parent func(string) string) []group {
	type likeness struct {
		pattern    string
		rank, kind int
	}
	alike := map[likeness][]int{}
	for i, id := range ids {
		if p, ok := numberless(string(id)); ok {
			l := likeness{p, rank[i], kind[i]}
			alike[l] = append(alike[l], i)
		}
	}
	var groups []group
	for l, all := range alike {
		if len(all) >= leastSeries {
			groups = append(groups, group{ID: l.pattern + "@" + itoa(all[0]), Label: l.pattern, Parent: parent(string(ids[all[0]])), How: "series", Members: all})
		}
	}
	slices.SortFunc(groups, func(a, b group) int { return cmp.Compare(a.Members[0], b.Members[0]) })
	return groups
}

// numberless replaces the last number in a name by an asterisk.
func numberless(name string) (string, bool) {
	end := strings.LastIndexAny(name, "0123456789")
	if end < 0 {
		return "", false
	}
	begin := end
	for begin > 0 && name[begin-1] >= '0' && name[begin-1] <= '9' {
		begin--
	}
	return name[:begin] + "*" + name[end+1:], true
}

// graph returns the drawing of a graph, which is made once.
func (s *Console) graph(ctx context.Context, key string) (*kept, error) {
	if k, ok := s.graphs.find(key); ok {
		return k, nil
	}
	sk, err := s.skeleton(ctx, key)
	if err != nil {
		return nil, err
	}
	v, err := sk.view()
	if err != nil {
		return nil, err
	}
	k, err := s.keep(key[:min(len(key), 16)]+"-"+drawn, v)
	if err == nil {
		s.graphs.put(key, k)
	}
	return k, err
}

// drawn names the way in which graphs are laid out: another way, another name.
const drawn = "1"

func (s *Console) getGraph(c *call) (any, error) {
	_, v, err := s.versionOf(c)
	if err != nil {
		return nil, err
	}
	return s.graph(c.Context(), v.Graph)
}

func (s *Console) getRunGraph(c *call) (any, error) {
	r, err := s.c.Runs.RunByID(c.Context(), runOf(c))
	if err != nil {
		return nil, err
	}
	return s.graph(c.Context(), r.Graph)
}

package web

import (
	"slices"
	"testing"

	"fairlead/internal/flow"
)

// nested is a graph of a scatter of which each instance has another.
func nested() *flow.Graph {
	return &flow.Graph{
		Nodes: []flow.Node{{ID: "a.b"}, {ID: "outer", Unfolds: "o"}},
		Bodies: map[string][]flow.Node{
			"o": {{ID: "before"}, {ID: "inner", Unfolds: "i", After: []flow.TaskID{"before"}}},
			"i": {{ID: "call"}},
		},
	}
}

func TestSprouts(t *testing.T) {
	// The second inner one unfolds first; what has not changed has no row.
	all, more := sprouts(nested(), []flow.Task{
		{ID: "a.b", Index: 0}, {ID: "outer", Index: 1, Instances: 2, First: 2},
		{ID: "outer/0/inner", Index: 3, Instances: 1, First: 9}, {ID: "outer/1/inner", Index: 5, Instances: 3, First: 6},
	})
	want := []flow.TaskID{
		"outer/0/before", "outer/0/inner", "outer/1/before", "outer/1/inner",
		"outer/1/inner/0/call", "outer/1/inner/1/call", "outer/1/inner/2/call", "outer/0/inner/0/call",
	}
	if len(all) != len(want) || more != 0 {
		t.Fatalf("%d sprouts and %d more, want %d: %v", len(all), more, len(want), all)
	}
	for i, s := range all {
		if s.id != want[i] || s.node == nil {
			t.Errorf("sprout %d is %q of %v, want %q", i, s.id, s.node, want[i])
		}
	}

	all, more = sprouts(nested(), []flow.Task{{ID: "outer", Index: 1, Instances: maxUnfolded, First: 2}})
	if len(all) != maxUnfolded || more != maxUnfolded {
		t.Errorf("of too many: %d and %d more, want %d and as many more", len(all), more, maxUnfolded)
	}
}

func TestNodeOf(t *testing.T) {
	for id, want := range map[flow.TaskID]flow.TaskID{
		"a.b": "a.b", "outer": "outer", "outer/7/before": "before", "outer/0/inner/12/call": "call",
		"": "", "outer/": "", "outer/0": "", "outer/0/": "", "outer/x/before": "", "outer/-1/before": "", "outer/0/call": "",
		"a.b/0/call": "", "outer/0/before/0/call": "", "outer/0/inner/0/call/0": "", "/0/before": "",
	} {
		node, inside := nodeOf(nested(), id)
		var got flow.TaskID
		if node != nil {
			got = node.ID
		}
		if got != want || node != nil && inside != (id != want) {
			t.Errorf("node of %q: %q, inside %v, want %q", id, got, inside, want)
		}
	}
}

func TestInnerIDs(t *testing.T) {
	for _, tt := range []struct {
		id         flow.TaskID
		ups, downs []flow.TaskID
	}{
		{"outer/7/before", []flow.TaskID{"outer"}, []flow.TaskID{"outer/7/inner"}},
		{"outer/7/inner", []flow.TaskID{"outer/7/before"}, []flow.TaskID{"outer"}},
		{"outer/7/inner/2/call", []flow.TaskID{"outer/7/inner"}, []flow.TaskID{"outer/7/inner"}},
		{"outer", nil, nil},
		{"nothing/1/call", nil, nil},
		{"/", nil, nil},
		{"", nil, nil},
	} {
		ups, downs := innerIDs(nested(), tt.id)
		if !slices.Equal(ups, tt.ups) || !slices.Equal(downs, tt.downs) {
			t.Errorf("around %q: %q and %q, want %q and %q", tt.id, ups, downs, tt.ups, tt.downs)
		}
	}
}

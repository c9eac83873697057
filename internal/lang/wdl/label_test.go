package wdl_test

import (
	"testing"

	"fairlead/internal/flow"
	"fairlead/internal/lang/wdl"
)

func TestLabel(t *testing.T) {
	for _, tt := range []struct {
		id   flow.TaskID
		want string
	}{
		{"merge", "merge"},
		{"if.1/0/merge", "merge"},
		{"scatter.s.1/7/align", "align[7]"},
		{"scatter.s.1/7/if.1/0/scatter.t.1/2/align", "align[7][2]"},
		{"scatter.s.1/0/if.1/0/check/0/scatter.i.1/1/line", "check[0].line[1]"},
		{"check/0/line", "check.line"},
		{"scatter.s.1", ""}, // the section itself
		{"scatter.s.1/3/if.1", ""},
		{"outputs.", ""},
	} {
		if got := wdl.Label(tt.id); got != tt.want {
			t.Errorf("Label(%q) = %q, want %q", tt.id, got, tt.want)
		}
	}
}

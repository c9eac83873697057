package operator

import "testing"

// TestRDSRepliesAsPythonText checks how replies become the text that
// json.dumps with default=str makes of them.
func TestRDSRepliesAsPythonText(t *testing.T) {
	for _, tt := range []struct {
		reply any
		want  string
	}{
		{map[string]any{"A": "2026-11-21T08:00:00+00:00", "B": []any{int64(1), true}}, `{"A": "2026-11-21 08:00:00+00:00", "B": [1, true]}`},
		{map[string]any{"A": []any{map[string]any{"T": "2026-11-21T08:00:00.120000+00:00"}}}, `{"A": [{"T": "2026-11-21 08:00:00.120000+00:00"}]}`},
		{map[string]any{"A": "on 2026-11-21T08:00:00+00:00", "B": "2026-11-21T08:00:00Z"}, `{"A": "on 2026-11-21T08:00:00+00:00", "B": "2026-11-21T08:00:00Z"}`},
	} {
		j := &job{mem: memory{Vars: map[string]any{"answer": tt.reply}}}
		if got, err := rdsText(t.Context(), j); err != nil || got != tt.want {
			t.Errorf("rdsText(%v) = %v, %v, want %s", tt.reply, got, err, tt.want)
		}
	}
}

package ops

import "fairlead/internal/flow"

// top answers with what a live picture shows: the latest runs and, if one is
// named, its tasks and the end of a log.
func (d *Door) top(r *request) (any, error) {
	q := r.URL.Query()
	return d.Top(r.Context(), flow.RunID(q.Get("run")), flow.TaskID(q.Get("task")))
}

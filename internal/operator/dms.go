package operator

import "context"

// dmsCode returns the code of the DMS operators' steps.
func dmsCode(name string) code {
	if name == "dms.tasks" {
		return dmsTasks
	}
	return nil
}

// dmsTasks is the pair of the marker, which is None on the last page, and the
// tasks.
func dmsTasks(_ context.Context, j *job) (any, error) {
	v, _ := j.lookup("DescribeReplicationTasks")
	reply, _ := v.(map[string]any)
	tasks, ok := reply["ReplicationTasks"].([]any)
	if !ok {
		tasks = []any{}
	}
	return []any{reply["Marker"], tasks}, nil
}

package omics

import "context"

func (d *Door) listRunTasks(context.Context, *listRunTasksRequest) (*listRunTasksResponse, error) {
	return nil, unsupported("ListRunTasks is not served here yet")
}

func (d *Door) getRunTask(context.Context, *getRunTaskRequest) (*getRunTaskResponse, error) {
	return nil, unsupported("GetRunTask is not served here yet")
}

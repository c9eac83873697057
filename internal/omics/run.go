package omics

import "context"

func (d *Door) startRun(context.Context, *startRunRequest) (*startRunResponse, error) {
	return nil, unsupported("StartRun is not served here yet")
}

func (d *Door) getRun(context.Context, *getRunRequest) (*getRunResponse, error) {
	return nil, unsupported("GetRun is not served here yet")
}

func (d *Door) listRuns(context.Context, *listRunsRequest) (*listRunsResponse, error) {
	return nil, unsupported("ListRuns is not served here yet")
}

func (d *Door) cancelRun(context.Context, *cancelRunRequest) (*none, error) {
	return nil, unsupported("CancelRun is not served here yet")
}

func (d *Door) deleteRun(context.Context, *deleteRunRequest) (*none, error) {
	return nil, unsupported("DeleteRun is not served here yet")
}

// RunConfig is what a door needs to run workflows.
type RunConfig struct{}

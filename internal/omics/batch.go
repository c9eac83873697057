package omics

import "context"

func (d *Door) startRunBatch(context.Context, *startRunBatchRequest) (*startRunBatchResponse, error) {
	return nil, unsupported("StartRunBatch is not served here yet")
}

func (d *Door) getBatch(context.Context, *getBatchRequest) (*getBatchResponse, error) {
	return nil, unsupported("GetBatch is not served here yet")
}

func (d *Door) listBatch(context.Context, *listBatchRequest) (*listBatchResponse, error) {
	return nil, unsupported("ListBatch is not served here yet")
}

func (d *Door) listRunsInBatch(context.Context, *listRunsInBatchRequest) (*listRunsInBatchResponse, error) {
	return nil, unsupported("ListRunsInBatch is not served here yet")
}

func (d *Door) cancelRunBatch(context.Context, *cancelRunBatchRequest) (*cancelRunBatchResponse, error) {
	return nil, unsupported("CancelRunBatch is not served here yet")
}

func (d *Door) deleteRunBatch(context.Context, *deleteRunBatchRequest) (*deleteRunBatchResponse, error) {
	return nil, unsupported("DeleteRunBatch is not served here yet")
}

func (d *Door) deleteBatch(context.Context, *deleteBatchRequest) (*none, error) {
	return nil, unsupported("DeleteBatch is not served here yet")
}

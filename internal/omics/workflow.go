package omics

import "context"

// A Compiler checks definitions.
type Compiler interface{}

func (d *Door) createWorkflow(context.Context, *createWorkflowRequest) (*createWorkflowResponse, error) {
	return nil, unsupported("CreateWorkflow is not served here yet")
}

func (d *Door) getWorkflow(context.Context, *getWorkflowRequest) (*getWorkflowResponse, error) {
	return nil, unsupported("GetWorkflow is not served here yet")
}

func (d *Door) listWorkflows(context.Context, *listWorkflowsRequest) (*listWorkflowsResponse, error) {
	return nil, unsupported("ListWorkflows is not served here yet")
}

func (d *Door) updateWorkflow(context.Context, *updateWorkflowRequest) (*none, error) {
	return nil, unsupported("UpdateWorkflow is not served here yet")
}

func (d *Door) deleteWorkflow(context.Context, *deleteWorkflowRequest) (*none, error) {
	return nil, unsupported("DeleteWorkflow is not served here yet")
}

func (d *Door) createWorkflowVersion(context.Context, *createWorkflowVersionRequest) (*createWorkflowVersionResponse, error) {
	return nil, unsupported("CreateWorkflowVersion is not served here yet")
}

func (d *Door) getWorkflowVersion(context.Context, *getWorkflowVersionRequest) (*getWorkflowVersionResponse, error) {
	return nil, unsupported("GetWorkflowVersion is not served here yet")
}

func (d *Door) listWorkflowVersions(context.Context, *listWorkflowVersionsRequest) (*listWorkflowVersionsResponse, error) {
	return nil, unsupported("ListWorkflowVersions is not served here yet")
}

func (d *Door) updateWorkflowVersion(context.Context, *updateWorkflowVersionRequest) (*none, error) {
	return nil, unsupported("UpdateWorkflowVersion is not served here yet")
}

func (d *Door) deleteWorkflowVersion(context.Context, *deleteWorkflowVersionRequest) (*none, error) {
	return nil, unsupported("DeleteWorkflowVersion is not served here yet")
}

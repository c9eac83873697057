package omics

import (
	"context"
	"net/http"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/aws/restjson"
)

// Bounds of requests' bodies.
const (
	// maxDefinitionBody lets a zip of 100 MB through as base64, with the rest.
	maxDefinitionBody = 136 << 20
	maxBatchBody      = 32 << 20
	maxBody           = 4 << 20
)

// none is the output of an operation that has none.
type none struct{}

// An operation is how requests name one, and what carries it out.
type operation struct {
	restjson.Operation
	do  any // the method, for tests
	add func(*restjson.Service)
}

func on[In, Out any](op restjson.Operation, do func(context.Context, *In) (*Out, error)) operation {
	return operation{op, do, func(s *restjson.Service) { restjson.Handle(s, op, do) }}
}

// operations lists all operations. Those of shares are here because workflows
// can be shared elsewhere.
func (d *Door) operations() []operation {
	return []operation{
		on(restjson.Operation{Name: "StartRun", Method: http.MethodPost, Path: "/run", Status: http.StatusCreated}, d.startRun),
		on(restjson.Operation{Name: "GetRun", Method: http.MethodGet, Path: "/run/{id}", Status: http.StatusOK}, d.getRun),
		on(restjson.Operation{Name: "ListRuns", Method: http.MethodGet, Path: "/run", Status: http.StatusOK}, d.listRuns),
		on(restjson.Operation{Name: "CancelRun", Method: http.MethodPost, Path: "/run/{id}/cancel", Status: http.StatusAccepted}, d.cancelRun),
		on(restjson.Operation{Name: "DeleteRun", Method: http.MethodDelete, Path: "/run/{id}", Status: http.StatusAccepted}, d.deleteRun),
		on(restjson.Operation{Name: "ListRunTasks", Method: http.MethodGet, Path: "/run/{id}/task", Status: http.StatusOK}, d.listRunTasks),
		on(restjson.Operation{Name: "GetRunTask", Method: http.MethodGet, Path: "/run/{id}/task/{taskId}", Status: http.StatusOK}, d.getRunTask),
		on(restjson.Operation{Name: "CreateWorkflow", Method: http.MethodPost, Path: "/workflow", Status: http.StatusCreated, Body: maxDefinitionBody}, d.createWorkflow),
		on(restjson.Operation{Name: "GetWorkflow", Method: http.MethodGet, Path: "/workflow/{id}", Status: http.StatusOK}, d.getWorkflow),
		on(restjson.Operation{Name: "ListWorkflows", Method: http.MethodGet, Path: "/workflow", Status: http.StatusOK}, d.listWorkflows),
		on(restjson.Operation{Name: "UpdateWorkflow", Method: http.MethodPost, Path: "/workflow/{id}", Status: http.StatusAccepted}, d.updateWorkflow),
		on(restjson.Operation{Name: "DeleteWorkflow", Method: http.MethodDelete, Path: "/workflow/{id}", Status: http.StatusAccepted}, d.deleteWorkflow),
		on(restjson.Operation{Name: "CreateWorkflowVersion", Method: http.MethodPost, Path: "/workflow/{workflowId}/version", Status: http.StatusCreated, Body: maxDefinitionBody}, d.createWorkflowVersion),
		on(restjson.Operation{Name: "GetWorkflowVersion", Method: http.MethodGet, Path: "/workflow/{workflowId}/version/{versionName}", Status: http.StatusOK}, d.getWorkflowVersion),
		on(restjson.Operation{Name: "ListWorkflowVersions", Method: http.MethodGet, Path: "/workflow/{workflowId}/version", Status: http.StatusOK}, d.listWorkflowVersions),
		on(restjson.Operation{Name: "UpdateWorkflowVersion", Method: http.MethodPost, Path: "/workflow/{workflowId}/version/{versionName}", Status: http.StatusAccepted}, d.updateWorkflowVersion),
		on(restjson.Operation{Name: "DeleteWorkflowVersion", Method: http.MethodDelete, Path: "/workflow/{workflowId}/version/{versionName}", Status: http.StatusAccepted}, d.deleteWorkflowVersion),
		on(restjson.Operation{Name: "CreateRunGroup", Method: http.MethodPost, Path: "/runGroup", Status: http.StatusCreated}, d.createRunGroup),
		on(restjson.Operation{Name: "GetRunGroup", Method: http.MethodGet, Path: "/runGroup/{id}", Status: http.StatusOK}, d.getRunGroup),
		on(restjson.Operation{Name: "ListRunGroups", Method: http.MethodGet, Path: "/runGroup", Status: http.StatusOK}, d.listRunGroups),
		on(restjson.Operation{Name: "UpdateRunGroup", Method: http.MethodPost, Path: "/runGroup/{id}", Status: http.StatusAccepted}, d.updateRunGroup),
		on(restjson.Operation{Name: "DeleteRunGroup", Method: http.MethodDelete, Path: "/runGroup/{id}", Status: http.StatusAccepted}, d.deleteRunGroup),
		on(restjson.Operation{Name: "CreateRunCache", Method: http.MethodPost, Path: "/runCache", Status: http.StatusCreated}, d.createRunCache),
		on(restjson.Operation{Name: "GetRunCache", Method: http.MethodGet, Path: "/runCache/{id}", Status: http.StatusOK}, d.getRunCache),
		on(restjson.Operation{Name: "ListRunCaches", Method: http.MethodGet, Path: "/runCache", Status: http.StatusOK}, d.listRunCaches),
		on(restjson.Operation{Name: "UpdateRunCache", Method: http.MethodPost, Path: "/runCache/{id}", Status: http.StatusAccepted}, d.updateRunCache),
		on(restjson.Operation{Name: "DeleteRunCache", Method: http.MethodDelete, Path: "/runCache/{id}", Status: http.StatusAccepted}, d.deleteRunCache),
		on(restjson.Operation{Name: "StartRunBatch", Method: http.MethodPost, Path: "/runBatch", Status: http.StatusCreated, Body: maxBatchBody}, d.startRunBatch),
		on(restjson.Operation{Name: "GetBatch", Method: http.MethodGet, Path: "/runBatch/{batchId}", Status: http.StatusOK}, d.getBatch),
		on(restjson.Operation{Name: "ListBatch", Method: http.MethodGet, Path: "/runBatch", Status: http.StatusOK}, d.listBatch),
		on(restjson.Operation{Name: "ListRunsInBatch", Method: http.MethodGet, Path: "/runBatch/{batchId}/run", Status: http.StatusOK}, d.listRunsInBatch),
		on(restjson.Operation{Name: "CancelRunBatch", Method: http.MethodPost, Path: "/runBatch/cancel", Status: http.StatusAccepted}, d.cancelRunBatch),
		on(restjson.Operation{Name: "DeleteRunBatch", Method: http.MethodPost, Path: "/runBatch/delete", Status: http.StatusAccepted}, d.deleteRunBatch),
		on(restjson.Operation{Name: "DeleteBatch", Method: http.MethodDelete, Path: "/runBatch/{batchId}", Status: http.StatusAccepted}, d.deleteBatch),
		on(restjson.Operation{Name: "CreateConfiguration", Method: http.MethodPost, Path: "/configuration", Status: http.StatusCreated}, d.createConfiguration),
		on(restjson.Operation{Name: "GetConfiguration", Method: http.MethodGet, Path: "/configuration/{name}", Status: http.StatusOK}, d.getConfiguration),
		on(restjson.Operation{Name: "ListConfigurations", Method: http.MethodGet, Path: "/configuration", Status: http.StatusOK}, d.listConfigurations),
		on(restjson.Operation{Name: "DeleteConfiguration", Method: http.MethodDelete, Path: "/configuration/{name}", Status: http.StatusAccepted}, d.deleteConfiguration),
		on(restjson.Operation{Name: "TagResource", Method: http.MethodPost, Path: "/tags/{resourceArn}", Status: http.StatusNoContent}, d.tagResource),
		on(restjson.Operation{Name: "UntagResource", Method: http.MethodDelete, Path: "/tags/{resourceArn}", Status: http.StatusNoContent}, d.untagResource),
		on(restjson.Operation{Name: "ListTagsForResource", Method: http.MethodGet, Path: "/tags/{resourceArn}", Status: http.StatusOK}, d.listTagsForResource),
		on(restjson.Operation{Name: "CreateShare", Method: http.MethodPost, Path: "/share", Status: http.StatusOK}, notShared),
		on(restjson.Operation{Name: "AcceptShare", Method: http.MethodPost, Path: "/share/{shareId}", Status: http.StatusOK}, notShared),
		on(restjson.Operation{Name: "GetShare", Method: http.MethodGet, Path: "/share/{shareId}", Status: http.StatusOK}, notShared),
		on(restjson.Operation{Name: "DeleteShare", Method: http.MethodDelete, Path: "/share/{shareId}", Status: http.StatusOK}, notShared),
		on(restjson.Operation{Name: "ListShares", Method: http.MethodPost, Path: "/shares", Status: http.StatusOK}, notShared),
	}
}

// notShared answers what is about shares: there is nobody to share with.
func notShared(context.Context, *none) (*none, error) {
	return nil, unsupported("workflows are not shared here: there is one account")
}

// unsupported is the error of what this server does not do.
func unsupported(text string) error {
	return &awsjson.Error{Class: "NotSupportedOperationException", Status: http.StatusMethodNotAllowed, Message: text}
}

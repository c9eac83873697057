package omics

import (
	"context"

	"fairlead/internal/flow"
)

// The types of workflows. Those that are ready to run are AWS's own.
const (
	private   = "PRIVATE"
	readyMade = "READY2RUN"
)

func (d *Door) createWorkflow(ctx context.Context, in *createWorkflowRequest) (*createWorkflowResponse, error) {
	r, b, err := d.define(ctx, flow.Resource{Kind: flow.OmicsWorkflow, Name: in.Name, Tags: in.Tags}, in, "CreateWorkflow", d.Limits.Workflows)
	if err != nil {
		return nil, err
	}
	return &createWorkflowResponse{ARN: d.arnOf(r), ID: r.ID, Status: r.Status, Tags: orEmpty(r.Tags), UUID: b.UUID}, nil
}

// ours finds a workflow or version of this account that is not AWS's own.
func (d *Door) ours(ctx context.Context, kind flow.ResourceKind, id, typ, owner string) (flow.Resource, definition, error) {
	if typ == readyMade || owner != "" && owner != d.Account {
		return flow.Resource{}, definition{}, flow.Errorf(flow.NotFound, "%s %s does not exist: this server has those of its own account alone", names(kind), id)
	}
	r, err := d.find(ctx, kind, id)
	if err != nil {
		return r, definition{}, err
	}
	b, err := body[definition](id, r.Body)
	return r, b, err
}

func (d *Door) getWorkflow(ctx context.Context, in *getWorkflowRequest) (*getWorkflowResponse, error) {
	r, b, err := d.ours(ctx, flow.OmicsWorkflow, in.ID, in.Type, in.WorkflowOwnerID)
	if err != nil {
		return nil, err
	}
	archive, readme, err := d.exported(ctx, b, in.Export)
	return &getWorkflowResponse{
		ARN: d.arnOf(r), ID: r.ID, Status: r.Status, Type: private, Name: r.Name, Description: b.Description, Engine: b.Engine,
		Definition: archive, Main: b.Main, Digest: b.Digest, ParameterTemplate: b.Template, StorageCapacity: b.StorageCapacity,
		CreationTime: at(r.Created), StatusMessage: b.Message, Tags: orEmpty(r.Tags), Accelerators: b.Accelerators, StorageType: b.StorageType,
		UUID: b.UUID, ContainerRegistryMap: b.Registries, Readme: readme,
	}, err
}

func (d *Door) listWorkflows(ctx context.Context, in *listWorkflowsRequest) (*listWorkflowsResponse, error) {
	out := &listWorkflowsResponse{Items: []workflowListItem{}}
	if in.Type == readyMade {
		return out, nil
	}
	all, next, err := d.list(ctx, flow.OmicsWorkflow, flow.ResourceFilter{Name: in.Name}, in.MaxResults, in.StartingToken, "ListWorkflows")
	if err != nil {
		return nil, err
	}
	out.NextToken = next
	for _, r := range all {
		b, err := body[definition](r.ID, r.Body)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, workflowListItem{
			ARN: d.arnOf(r), ID: r.ID, Name: r.Name, Status: r.Status, Type: private, Digest: b.Digest, CreationTime: at(r.Created),
		})
	}
	return out, nil
}

func (d *Door) updateWorkflow(ctx context.Context, in *updateWorkflowRequest) (*none, error) {
	return d.revise(ctx, flow.OmicsWorkflow, in.ID, revision{in.Name, in.Description, in.StorageType, in.StorageCapacity, in.ReadmeMarkdown})
}

func (d *Door) deleteWorkflow(ctx context.Context, in *deleteWorkflowRequest) (*none, error) {
	return d.drop(ctx, flow.OmicsWorkflow, in.ID)
}

package omics

import (
	"context"

	"fairlead/internal/flow"
)

// versionID is the id of a version: names are unique within a workflow.
func versionID(workflow, name string) string { return workflow + "/" + name }

func (d *Door) createWorkflowVersion(ctx context.Context, in *createWorkflowVersionRequest) (*createWorkflowVersionResponse, error) {
	if _, err := d.find(ctx, flow.OmicsWorkflow, in.WorkflowID); err != nil {
		return nil, err
	}
	// A version is defined as a workflow is, and takes nothing over from its own.
	same := &createWorkflowRequest{
		Name: in.VersionName, Description: in.Description, Engine: in.Engine, DefinitionZip: in.DefinitionZip, DefinitionURI: in.DefinitionURI,
		Main: in.Main, ParameterTemplate: in.ParameterTemplate, StorageCapacity: in.StorageCapacity, Tags: in.Tags, RequestID: in.RequestID,
		Accelerators: in.Accelerators, StorageType: in.StorageType, ContainerRegistryMap: in.ContainerRegistryMap,
		ContainerRegistryMapURI: in.ContainerRegistryMapURI, ReadmeMarkdown: in.ReadmeMarkdown, ParameterTemplatePath: in.ParameterTemplatePath,
		ReadmePath: in.ReadmePath, DefinitionRepository: in.DefinitionRepository, WorkflowBucketOwnerID: in.WorkflowBucketOwnerID, ReadmeURI: in.ReadmeURI,
	}
	r, b, err := d.define(ctx, flow.Resource{
		Kind: flow.OmicsVersion, ID: versionID(in.WorkflowID, in.VersionName), Parent: in.WorkflowID, Name: in.VersionName, Tags: in.Tags,
	}, same, "CreateWorkflowVersion/"+in.WorkflowID, d.Limits.Versions)
	if err != nil {
		return nil, err
	}
	return &createWorkflowVersionResponse{
		ARN: d.arnOf(r), WorkflowID: r.Parent, VersionName: r.Name, Status: r.Status, Tags: orEmpty(r.Tags), UUID: b.UUID,
	}, nil
}

func (d *Door) getWorkflowVersion(ctx context.Context, in *getWorkflowVersionRequest) (*getWorkflowVersionResponse, error) {
	r, b, err := d.ours(ctx, flow.OmicsVersion, versionID(in.WorkflowID, in.VersionName), in.Type, in.WorkflowOwnerID)
	if err != nil {
		return nil, err
	}
	archive, readme, err := d.exported(ctx, b, in.Export)
	return &getWorkflowVersionResponse{
		ARN: d.arnOf(r), WorkflowID: r.Parent, VersionName: r.Name, Accelerators: b.Accelerators, CreationTime: at(r.Created),
		Description: b.Description, Definition: archive, Digest: b.Digest, Engine: b.Engine, Main: b.Main, ParameterTemplate: b.Template,
		Status: r.Status, StatusMessage: b.Message, StorageType: b.StorageType, StorageCapacity: b.StorageCapacity, Type: private,
		Tags: orEmpty(r.Tags), UUID: b.UUID, WorkflowBucketOwnerID: b.BucketOwner, ContainerRegistryMap: b.Registries, Readme: readme,
	}, err
}

func (d *Door) listWorkflowVersions(ctx context.Context, in *listWorkflowVersionsRequest) (*listWorkflowVersionsResponse, error) {
	if _, _, err := d.ours(ctx, flow.OmicsWorkflow, in.WorkflowID, in.Type, in.WorkflowOwnerID); err != nil {
		return nil, err
	}
	all, next, err := d.list(ctx, flow.OmicsVersion, flow.ResourceFilter{Parent: in.WorkflowID}, in.MaxResults, in.StartingToken, "ListWorkflowVersions")
	if err != nil {
		return nil, err
	}
	out := &listWorkflowVersionsResponse{Items: []workflowVersionListItem{}, NextToken: next}
	for _, r := range all {
		b, err := body[definition](r.ID, r.Body)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, workflowVersionListItem{
			ARN: d.arnOf(r), WorkflowID: r.Parent, VersionName: r.Name, Description: b.Description, Status: r.Status, Type: private,
			Digest: b.Digest, CreationTime: at(r.Created),
		})
	}
	return out, nil
}

func (d *Door) updateWorkflowVersion(ctx context.Context, in *updateWorkflowVersionRequest) (*none, error) {
	return d.revise(ctx, flow.OmicsVersion, versionID(in.WorkflowID, in.VersionName),
		revision{nil, in.Description, in.StorageType, in.StorageCapacity, in.ReadmeMarkdown})
}

func (d *Door) deleteWorkflowVersion(ctx context.Context, in *deleteWorkflowVersionRequest) (*none, error) {
	return d.drop(ctx, flow.OmicsVersion, versionID(in.WorkflowID, in.VersionName))
}

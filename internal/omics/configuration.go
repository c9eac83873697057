package omics

import (
	"context"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/flow"
)

// configurationBody is what the door keeps of a configuration. Runs heed none
// of it: they have the network of this machine.
type configurationBody struct {
	Description string             `json:"description,omitzero"`
	Settings    *runConfigurations `json:"settings"`
	UUID        string             `json:"uuid"`
}

// settings are those of a configuration as answers have them.
func (b configurationBody) settings() *runConfigurationsResponse {
	out := &runConfigurationsResponse{}
	if b.Settings != nil && b.Settings.VPCConfig != nil {
		v := b.Settings.VPCConfig
		out.VPCConfig = &vpcConfigResponse{SecurityGroupIDs: v.SecurityGroupIDs, SubnetIDs: v.SubnetIDs}
	}
	return out
}

func (d *Door) createConfiguration(ctx context.Context, in *createConfigurationRequest) (*createConfigurationResponse, error) {
	r, err := d.add(ctx, flow.Resource{Kind: flow.OmicsConfiguration, ID: in.Name, Name: in.Name, Tags: in.Tags, Status: "ACTIVE"},
		configurationBody{in.Description, in.RunConfigurations, awsjson.NewUUID()}, "CreateConfiguration", &in.RequestID, in, d.Limits.Configurations)
	if err != nil {
		return nil, err
	}
	b, err := body[configurationBody](r.ID, r.Body)
	return &createConfigurationResponse{
		ARN: d.arnOf(r), UUID: b.UUID, Name: r.Name, Description: b.Description, RunConfigurations: b.settings(), Status: r.Status,
		CreationTime: at(r.Created), Tags: orEmpty(r.Tags),
	}, err
}

func (d *Door) getConfiguration(ctx context.Context, in *getConfigurationRequest) (*getConfigurationResponse, error) {
	r, err := d.find(ctx, flow.OmicsConfiguration, in.Name)
	if err != nil {
		return nil, err
	}
	b, err := body[configurationBody](r.ID, r.Body)
	return &getConfigurationResponse{
		ARN: d.arnOf(r), UUID: b.UUID, Name: r.Name, Description: b.Description, RunConfigurations: b.settings(), Status: r.Status,
		CreationTime: at(r.Created), Tags: orEmpty(r.Tags),
	}, err
}

func (d *Door) listConfigurations(ctx context.Context, in *listConfigurationsRequest) (*listConfigurationsResponse, error) {
	size := 10
	set(&size, in.MaxResults)
	all, next, err := d.list(ctx, flow.OmicsConfiguration, flow.ResourceFilter{}, &size, in.StartingToken, "ListConfigurations")
	if err != nil {
		return nil, err
	}
	out := &listConfigurationsResponse{Items: []configurationListItem{}, NextToken: next}
	for _, r := range all {
		b, err := body[configurationBody](r.ID, r.Body)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, configurationListItem{ARN: d.arnOf(r), Name: r.Name, Description: b.Description, Status: r.Status, CreationTime: at(r.Created)})
	}
	return out, nil
}

func (d *Door) deleteConfiguration(ctx context.Context, in *deleteConfigurationRequest) (*none, error) {
	return d.remove(ctx, flow.OmicsConfiguration, in.Name, nil)
}

package omics

import (
	"context"
	"encoding/json"
	"time"

	"fairlead/internal/flow"
)

// groupBody is what the door keeps of a run group.
type groupBody struct {
	MaxCPUs     *int `json:"maxCpus,omitzero"`
	MaxRuns     *int `json:"maxRuns,omitzero"`
	MaxDuration *int `json:"maxDuration,omitzero"` // minutes
	MaxGPUs     *int `json:"maxGpus,omitzero"`
}

func (d *Door) createRunGroup(ctx context.Context, in *createRunGroupRequest) (*createRunGroupResponse, error) {
	r, err := d.add(ctx, flow.Resource{Kind: flow.OmicsGroup, Name: in.Name, Tags: in.Tags, Status: "ACTIVE"},
		groupBody{in.MaxCPUs, in.MaxRuns, in.MaxDuration, in.MaxGPUs}, "CreateRunGroup", &in.RequestID, in, d.Limits.Groups)
	if err != nil {
		return nil, err
	}
	return &createRunGroupResponse{ARN: d.arnOf(r), ID: r.ID, Tags: orEmpty(r.Tags)}, nil
}

// add keeps a new resource. in is the request, whose id is taken out of it.
func (d *Door) add(ctx context.Context, r flow.Resource, body any, op string, requestID *string, in any, max int) (flow.Resource, error) {
	if err := d.checkTags(r.Tags); err != nil {
		return r, err
	}
	id := *requestID
	*requestID = ""
	tok, err := d.token(op, id, in)
	if err != nil {
		return r, err
	}
	if r.Body, err = json.Marshal(body); err != nil {
		return r, err
	}
	r.Created = time.Now().UTC()
	r, _, err = d.Resources.AddResource(ctx, r, tok, max)
	return r, err
}

func (d *Door) getRunGroup(ctx context.Context, in *getRunGroupRequest) (*getRunGroupResponse, error) {
	r, err := d.find(ctx, flow.OmicsGroup, in.ID)
	if err != nil {
		return nil, err
	}
	b, err := body[groupBody](r.ID, r.Body)
	return &getRunGroupResponse{
		ARN: d.arnOf(r), ID: r.ID, Name: r.Name, MaxCPUs: b.MaxCPUs, MaxRuns: b.MaxRuns, MaxDuration: b.MaxDuration, MaxGPUs: b.MaxGPUs,
		CreationTime: at(r.Created), Tags: orEmpty(r.Tags),
	}, err
}

// names are what errors call the kinds of resources.
func names(kind flow.ResourceKind) string {
	switch kind {
	case flow.OmicsGroup:
		return "run group"
	case flow.OmicsCache:
		return "run cache"
	case flow.OmicsBatch:
		return "run batch"
	}
	return string(kind)
}

// find returns a resource; its error says what does not exist.
func (d *Door) find(ctx context.Context, kind flow.ResourceKind, id string) (flow.Resource, error) {
	r, err := d.Resources.Resource(ctx, kind, id)
	return r, missing(err, kind, id)
}

// missing words a NotFound for the caller.
func missing(err error, kind flow.ResourceKind, id string) error {
	if flow.KindOf(err) == flow.NotFound {
		return flow.Errorf(flow.NotFound, "%s %s does not exist", names(kind), id)
	}
	return err
}

func (d *Door) listRunGroups(ctx context.Context, in *listRunGroupsRequest) (*listRunGroupsResponse, error) {
	all, next, err := d.list(ctx, flow.OmicsGroup, flow.ResourceFilter{Name: in.Name}, in.MaxResults, in.StartingToken, "ListRunGroups")
	if err != nil {
		return nil, err
	}
	out := &listRunGroupsResponse{Items: []runGroupListItem{}, NextToken: next}
	for _, r := range all {
		b, err := body[groupBody](r.ID, r.Body)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, runGroupListItem{
			ARN: d.arnOf(r), ID: r.ID, Name: r.Name, MaxCPUs: b.MaxCPUs, MaxRuns: b.MaxRuns, MaxDuration: b.MaxDuration, MaxGPUs: b.MaxGPUs, CreationTime: at(r.Created),
		})
	}
	return out, nil
}

// list returns a page of resources, and the token of the next one.
func (d *Door) list(ctx context.Context, kind flow.ResourceKind, f flow.ResourceFilter, size *int, token, op string) ([]flow.Resource, string, error) {
	p, err := d.page(size, token, op, f.Parent, f.Name, f.Status)
	if err != nil {
		return nil, "", err
	}
	all, last, err := d.Resources.Resources(ctx, kind, f, p)
	return all, d.Tokens.Seal(last, op, f.Parent, f.Name, f.Status), err
}

func (d *Door) updateRunGroup(ctx context.Context, in *updateRunGroupRequest) (*none, error) {
	out, err := change(ctx, d, flow.OmicsGroup, in.ID, func(r *flow.Resource, b *groupBody) error {
		set(&r.Name, in.Name)
		for _, m := range []struct{ to, from **int }{{&b.MaxCPUs, &in.MaxCPUs}, {&b.MaxRuns, &in.MaxRuns}, {&b.MaxDuration, &in.MaxDuration}, {&b.MaxGPUs, &in.MaxGPUs}} {
			if *m.from != nil {
				*m.to = *m.from
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, d.Engine.Regroup(ctx, in.ID)
}

// change changes a resource and what the door keeps with it.
func change[T any](ctx context.Context, d *Door, kind flow.ResourceKind, id string, f func(*flow.Resource, *T) error) (*none, error) {
	_, err := d.Resources.ChangeResource(ctx, kind, id, func(r *flow.Resource) error {
		b, err := body[T](id, r.Body)
		if err != nil {
			return err
		}
		if err := f(r, &b); err != nil {
			return err
		}
		r.Body, err = json.Marshal(b)
		return err
	})
	return &none{}, missing(err, kind, id)
}

func (d *Door) deleteRunGroup(ctx context.Context, in *deleteRunGroupRequest) (*none, error) {
	return d.remove(ctx, flow.OmicsGroup, in.ID, nil)
}

func (d *Door) remove(ctx context.Context, kind flow.ResourceKind, id string, check func(flow.Resource) error) (*none, error) {
	return &none{}, missing(d.Resources.DeleteResource(ctx, kind, id, check), kind, id)
}

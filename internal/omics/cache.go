package omics

import (
	"context"

	"fairlead/internal/flow"
)

// cacheBody is what the door keeps of a run cache.
type cacheBody struct {
	Behavior    string `json:"behavior"`
	Location    string `json:"location"`
	Description string `json:"description,omitzero"`
	Owner       string `json:"owner"`
}

func (d *Door) createRunCache(ctx context.Context, in *createRunCacheRequest) (*createRunCacheResponse, error) {
	b := cacheBody{in.CacheBehavior, in.CacheS3Location, in.Description, in.CacheBucketOwnerID}
	if b.Behavior == "" {
		b.Behavior = "CACHE_ON_FAILURE"
	}
	if b.Owner == "" {
		b.Owner = d.Account
	}
	r, err := d.add(ctx, flow.Resource{Kind: flow.OmicsCache, Name: in.Name, Tags: in.Tags, Status: "ACTIVE"}, b, "CreateRunCache", &in.RequestID, in, d.Limits.Caches)
	if err != nil {
		return nil, err
	}
	return &createRunCacheResponse{ARN: d.arnOf(r), ID: r.ID, Status: r.Status, Tags: orEmpty(r.Tags)}, nil
}

func (d *Door) getRunCache(ctx context.Context, in *getRunCacheRequest) (*getRunCacheResponse, error) {
	r, err := d.find(ctx, flow.OmicsCache, in.ID)
	if err != nil {
		return nil, err
	}
	b, err := body[cacheBody](r.ID, r.Body)
	return &getRunCacheResponse{
		ARN: d.arnOf(r), CacheBehavior: b.Behavior, CacheBucketOwnerID: b.Owner, CacheS3URI: b.Location, CreationTime: at(r.Created),
		Description: b.Description, ID: r.ID, Name: r.Name, Status: r.Status, Tags: orEmpty(r.Tags),
	}, err
}

func (d *Door) listRunCaches(ctx context.Context, in *listRunCachesRequest) (*listRunCachesResponse, error) {
	all, next, err := d.list(ctx, flow.OmicsCache, flow.ResourceFilter{}, in.MaxResults, in.StartingToken, "ListRunCaches")
	if err != nil {
		return nil, err
	}
	out := &listRunCachesResponse{Items: []runCacheListItem{}, NextToken: next}
	for _, r := range all {
		b, err := body[cacheBody](r.ID, r.Body)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, runCacheListItem{
			ARN: d.arnOf(r), CacheBehavior: b.Behavior, CacheS3URI: b.Location, CreationTime: at(r.Created), ID: r.ID, Name: r.Name, Status: r.Status,
		})
	}
	return out, nil
}

func (d *Door) updateRunCache(ctx context.Context, in *updateRunCacheRequest) (*none, error) {
	return change(ctx, d, flow.OmicsCache, in.ID, func(r *flow.Resource, b *cacheBody) error {
		set(&r.Name, in.Name)
		set(&b.Behavior, in.CacheBehavior)
		set(&b.Description, in.Description)
		return nil
	})
}

func (d *Door) deleteRunCache(ctx context.Context, in *deleteRunCacheRequest) (*none, error) {
	return d.remove(ctx, flow.OmicsCache, in.ID, nil)
}

package mwaa

import (
	"context"
	"maps"

	"fairlead/internal/flow"
)

func (d *Door) tagResource(ctx context.Context, in *tagResourceRequest) (*tagResourceResponse, error) {
	var bad faults
	bad.checkTags(in.Tags)
	if err := bad.err(); err != nil {
		return nil, err
	}
	if d.CheckTags != nil {
		if err := d.CheckTags(in.Tags); err != nil {
			return nil, err
		}
	}
	w, err := d.find(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	err = d.Workflows.UpdateTags(ctx, w.ID, func(tags map[string]string) (map[string]string, error) {
		merged := map[string]string{}
		maps.Copy(merged, tags)
		maps.Copy(merged, in.Tags)
		if d.Limits.Tags > 0 && len(merged) > d.Limits.Tags {
			const text = "would have %d tags, and may have %d"
			return nil, flow.Errorf(flow.Invalid, "workflow %s "+text, in.ResourceArn, len(merged), d.Limits.Tags).
				At("Tags", "too many together with those that are there")
		}
		return merged, nil
	})
	return &tagResourceResponse{}, err
}

func (d *Door) untagResource(ctx context.Context, in *untagResourceRequest) (*untagResourceResponse, error) {
	w, err := d.find(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	err = d.Workflows.UpdateTags(ctx, w.ID, func(tags map[string]string) (map[string]string, error) {
		left := map[string]string{}
		maps.Copy(left, tags)
		for _, key := range in.TagKeys {
			delete(left, key)
		}
		return left, nil
	})
	return &untagResourceResponse{}, err
}

func (d *Door) listTagsForResource(ctx context.Context, in *listTagsForResourceRequest) (*listTagsForResourceResponse, error) {
	w, err := d.find(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &listTagsForResourceResponse{Tags: w.Tags}, nil
}

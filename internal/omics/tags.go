package omics

import (
	"context"
	"maps"
	"strings"

	"fairlead/internal/flow"
)

// A tagged is a resource or a run by its ARN.
type tagged struct {
	kind flow.ResourceKind // empty: a run
	id   string
}

// named returns what an ARN of this door names; false for any other text.
func (d *Door) named(arn string) (tagged, bool) {
	rest, ok := strings.CutPrefix(arn, d.arn(""))
	if !ok {
		return tagged{}, false
	}
	typ, id, _ := strings.Cut(rest, "/")
	for _, kind := range []flow.ResourceKind{flow.OmicsWorkflow, flow.OmicsGroup, flow.OmicsCache, flow.OmicsBatch, flow.OmicsConfiguration} {
		if typ+"/" != paths(kind) {
			continue
		}
		if wf, version, ok := strings.Cut(id, "/version/"); ok && kind == flow.OmicsWorkflow {
			return tagged{flow.OmicsVersion, wf + "/" + version}, true
		}
		return tagged{kind, id}, true
	}
	return tagged{"", id}, typ == "run"
}

// retag replaces the tags of what an ARN names by what change makes of them.
func (d *Door) retag(ctx context.Context, arn string, change func(map[string]string) (map[string]string, error)) error {
	t, ok := d.named(arn)
	if !ok {
		return noARN(arn)
	}
	var err error
	if t.kind == "" {
		err = d.Resources.ChangeRecord(ctx, flow.RunID(t.id), func(c *flow.Record) (err error) {
			c.Tags, err = change(c.Tags)
			return err
		})
	} else {
		_, err = d.Resources.ChangeResource(ctx, t.kind, t.id, func(r *flow.Resource) (err error) {
			r.Tags, err = change(r.Tags)
			return err
		})
	}
	if flow.KindOf(err) == flow.NotFound {
		return noARN(arn)
	}
	return err
}

func noARN(arn string) error { return flow.Errorf(flow.NotFound, "resource %s does not exist", arn) }

func (d *Door) tagResource(ctx context.Context, in *tagResourceRequest) (*tagResourceResponse, error) {
	return &tagResourceResponse{}, d.retag(ctx, in.ResourceARN, func(tags map[string]string) (map[string]string, error) {
		merged := orEmpty(tags)
		maps.Copy(merged, in.Tags)
		return merged, d.checkTags(merged)
	})
}

func (d *Door) untagResource(ctx context.Context, in *untagResourceRequest) (*untagResourceResponse, error) {
	return &untagResourceResponse{}, d.retag(ctx, in.ResourceARN, func(tags map[string]string) (map[string]string, error) {
		left := orEmpty(tags)
		for _, key := range in.TagKeys {
			delete(left, key)
		}
		return left, nil
	})
}

func (d *Door) listTagsForResource(ctx context.Context, in *listTagsForResourceRequest) (*listTagsForResourceResponse, error) {
	t, ok := d.named(in.ResourceARN)
	if !ok {
		return nil, noARN(in.ResourceARN)
	}
	var tags map[string]string
	var err error
	if t.kind == "" {
		var c flow.Recorded
		c, err = d.Resources.Recorded(ctx, flow.RunID(t.id))
		tags = c.Record.Tags
	} else {
		var r flow.Resource
		r, err = d.Resources.Resource(ctx, t.kind, t.id)
		tags = r.Tags
	}
	if flow.KindOf(err) == flow.NotFound {
		return nil, noARN(in.ResourceARN)
	}
	return &listTagsForResourceResponse{Tags: orEmpty(tags)}, err
}

package omics

import (
	"context"
	"encoding/json"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/flow"
)

// cacheBody is what the door keeps of a run cache.
type cacheBody struct {
	Behavior    string `json:"behavior"`
	Location    string `json:"location"`
	Description string `json:"description,omitzero"`
	Owner       string `json:"owner"`
	UUID        string `json:"uuid,omitzero"` // caches of earlier versions have none
}

// A Cache is a run cache, as whoever fills it sees it.
type Cache struct {
	ID       string
	UUID     string // never that of another one, deleted ones included
	Location string // a URL
}

// CacheOf returns what a resource says of a run cache.
func CacheOf(r flow.Resource) (Cache, error) {
	b, err := body[cacheBody](r.ID, r.Body)
	if b.UUID == "" {
		b.UUID = derived("cache/" + r.ID) // ids are never given again
	}
	return Cache{r.ID, b.UUID, b.Location}, err
}

// The behaviors of caches.
const (
	CacheAlways    = "CACHE_ALWAYS"
	CacheOnFailure = "CACHE_ON_FAILURE"
)

// CacheEntryUUID returns the UUID of what a cache has of a task's current
// attempt, which follows from that of its run.
func CacheEntryUUID(key string, t flow.Task) string { return derived("entry/" + TaskUUID(key, t)) }

// CacheStream names the log of what becomes of entries of a cache, in all runs.
func CacheStream(c Cache) string { return "runCache/" + c.ID + "/" + c.UUID }

// The events of caches, as their logs name them.
const (
	CacheEntryCreated = "CACHE_ENTRY_CREATED"
	CacheHit          = "CACHE_HIT"
	CacheMiss         = "CACHE_MISS"
)

// DescribeCache says for the log of a run's engine, and as JSON for those of
// the run and its cache, what has become of an entry for a task. about is its
// URI or, of a miss, the reason.
func (d *Door) DescribeCache(r flow.Run, t flow.Task, event, about string) (line, record string) {
	run, task := d.arn("run/"+string(r.ID)), d.arn("task/"+TaskID(r.ID, t))
	raw, err := json.Marshal(struct {
		LogMessage string `json:"logMessage"`
		Run        string `json:"runArn"`
		Task       string `json:"taskArn"`
		Name       string `json:"taskName"`
	}{event + ": run " + run + " task " + task + ": " + about, run, task, TaskName(t)})
	if err != nil {
		panic(err) // texts always have a form
	}
	words := map[string]string{CacheEntryCreated: "cached", CacheHit: "cache hit", CacheMiss: "cache miss"}
	return "task " + TaskName(t) + " (" + TaskID(r.ID, t) + ") " + words[event] + ": " + oneLine(about), string(raw)
}

// CacheEntryARN returns the ARN of an entry.
func (d *Door) CacheEntryARN(c Cache, uuid string) string {
	return d.arn(paths(flow.OmicsCache) + c.ID + "/cacheEntry/" + uuid)
}

// TaskARN returns the ARN of a task's current attempt.
func (d *Door) TaskARN(r flow.Run, t flow.Task) string { return d.arn("task/" + TaskID(r.ID, t)) }

func (d *Door) createRunCache(ctx context.Context, in *createRunCacheRequest) (*createRunCacheResponse, error) {
	if err := d.Engine.CheckOutput(in.CacheS3Location); err != nil {
		return nil, flow.Errorf(flow.Invalid, "cacheS3Location: %w", err)
	}
	b := cacheBody{in.CacheBehavior, in.CacheS3Location, in.Description, in.CacheBucketOwnerID, awsjson.NewUUID()}
	if b.Behavior == "" {
		b.Behavior = CacheOnFailure
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

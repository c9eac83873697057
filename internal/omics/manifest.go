package omics

import (
	"context"
	"encoding/json"
	"time"

	"fairlead/internal/flow"
)

// Manifest gives each the records of what an ended run and its tasks have
// used, the run's first: JSON of one line each.
func (d *Door) Manifest(ctx context.Context, run flow.RunID, each func(record []byte) error) error {
	row, err := d.recorded(ctx, string(run))
	if err != nil {
		return err
	}
	r := row.Run
	s, err := SettingsOf(row.Record)
	if err != nil {
		return err
	}
	put := func(record any) error {
		line, err := json.Marshal(record)
		if err != nil {
			return err
		}
		return each(line)
	}
	if err := put(d.runRecord(row, s)); err != nil {
		return err
	}
	_, err = d.eachTask(ctx, r, "", func(t flow.Task) (bool, error) {
		record, err := d.taskRecord(ctx, r, t)
		if err != nil {
			return false, err
		}
		return true, put(record)
	})
	return err
}

type runRecord struct {
	Arn              string            `json:"arn"`
	UUID             string            `json:"uuid"`
	Name             string            `json:"name,omitempty"`
	Workflow         string            `json:"workflow"`
	Run              string            `json:"run,omitempty"`
	RoleArn          string            `json:"roleArn"`
	RunGroup         string            `json:"runGroup,omitempty"`
	Priority         *int              `json:"priority,omitempty"`
	Parameters       json.RawMessage   `json:"parameters,omitempty"`
	StorageCapacity  *int              `json:"storageCapacity,omitempty"`
	StorageType      string            `json:"storageType,omitempty"`
	OutputURI        string            `json:"outputUri"`
	LogLevel         string            `json:"logLevel,omitempty"`
	RetentionMode    string            `json:"retentionMode,omitempty"`
	StartedBy        string            `json:"startedBy,omitempty"`
	Digest           string            `json:"digest,omitempty"`
	ResourceDigests  map[string]string `json:"resourceDigests,omitempty"`
	RunCache         string            `json:"runCache,omitempty"`
	RunCacheBehavior string            `json:"runCacheBehavior,omitempty"`
	WorkflowOwnerID  string            `json:"workflowOwnerId,omitempty"`
	Accelerators     string            `json:"accelerators,omitempty"`
	CreationTime     string            `json:"creationTime"`
	StartTime        string            `json:"startTime,omitempty"`
	StopTime         string            `json:"stopTime,omitempty"`
	Status           string            `json:"status"`
	FailReason       string            `json:"failReason,omitempty"`
	Metrics          runMetrics        `json:"metrics"`
}

type runMetrics struct {
	RunningSeconds     float64 `json:"runningSeconds"`
	StorageReservedGiB int     `json:"storageReservedGiB,omitempty"`
}

func (d *Door) runRecord(row flow.Recorded, s Settings) runRecord {
	r := row.Run
	out := runRecord{
		Arn: d.arn("run/" + string(r.ID)), UUID: r.Key, Name: s.Name, Workflow: d.arn("workflow/" + s.WorkflowID), RoleArn: s.RoleARN, Priority: s.Priority,
		Parameters: s.Parameters, StorageCapacity: s.StorageCapacity, StorageType: s.StorageType, OutputURI: s.OutputURI, LogLevel: s.LogLevel,
		RetentionMode: s.RetentionMode, StartedBy: s.StartedBy, Digest: s.Digest, ResourceDigests: d.Engine.Digests(r.ID), RunCacheBehavior: s.CacheBehavior,
		WorkflowOwnerID: s.WorkflowOwnerID, Accelerators: s.Accelerators, CreationTime: stamp(r.Created), StartTime: stamp(r.Started), StopTime: stamp(r.Ended),
		Status: runStatuses[r.State], Metrics: runMetrics{RunningSeconds: lasted(r.Started, r.Ended)},
	}
	if s.RunID != "" {
		out.Run = d.arn("run/" + s.RunID)
	}
	if s.RunGroupID != "" {
		out.RunGroup = d.arn("runGroup/" + s.RunGroupID)
	}
	if s.CacheID != "" {
		out.RunCache = d.arn("runCache/" + s.CacheID)
	}
	if s.StorageCapacity != nil {
		out.Metrics.StorageReservedGiB = *s.StorageCapacity
	}
	if out.Status == "FAILED" {
		out.FailReason, _ = runFailure(r)
	}
	return out
}

type taskRecord struct {
	Arn          string `json:"arn"`
	UUID         string `json:"uuid"`
	Name         string `json:"name"`
	Run          string `json:"run"`
	CPUs         int    `json:"cpus"`
	Memory       int    `json:"memory"`
	GPUs         int    `json:"gpus"`
	InstanceType string `json:"instanceType,omitempty"`
	Image        string `json:"image,omitempty"`
	CacheHit     bool   `json:"cacheHit,omitempty"`
	CacheS3URI   string `json:"cacheS3Uri,omitempty"`
	CacheMiss    string `json:"cacheMiss,omitempty"` // why it was none; ours
	Status       string `json:"status"`
	FailReason   string `json:"failReason,omitempty"`
	// What was taken from a cache was not created, and used nothing.
	CreationTime string       `json:"creationTime,omitempty"`
	StartTime    string       `json:"startTime,omitempty"`
	StopTime     string       `json:"stopTime,omitempty"`
	Metrics      *taskMetrics `json:"metrics,omitempty"`
}

type taskMetrics struct {
	CPUsReserved      int      `json:"cpusReserved"`
	CPUsAverage       *float64 `json:"cpusAverage,omitempty"`
	GPUsReserved      int      `json:"gpusReserved"`
	MemoryReservedGiB int      `json:"memoryReservedGiB"`
	MemoryMaximumGiB  *float64 `json:"memoryMaximumGiB,omitempty"`
	RunningSeconds    float64  `json:"runningSeconds"`
}

func (d *Door) taskRecord(ctx context.Context, r flow.Run, t flow.Task) (taskRecord, error) {
	u, err := d.usageOf(ctx, r, t)
	if err != nil {
		return taskRecord{}, err
	}
	item, err := d.describe(ctx, r, t)
	if err != nil {
		return taskRecord{}, err
	}
	out := taskRecord{
		Arn: d.arn("task/" + item.TaskID), UUID: item.UUID, Name: item.Name, Run: d.arn("run/" + string(r.ID)), CPUs: u.CPUs, Memory: u.gib(),
		GPUs: u.GPUs, InstanceType: item.InstanceType, Image: u.Image, CacheHit: u.CacheHit, CacheS3URI: u.CacheURI, CacheMiss: u.CacheMiss, Status: item.Status,
		CreationTime: stamp(created(t)), StartTime: stamp(t.Started), StopTime: stamp(t.Ended),
		Metrics: &taskMetrics{CPUsReserved: u.CPUs, GPUsReserved: u.GPUs, MemoryReservedGiB: u.gib(), RunningSeconds: lasted(t.Started, t.Ended)},
	}
	if out.Status == "FAILED" {
		out.FailReason, _ = failure(t.Reason)
	}
	if u.CacheHit {
		out.CreationTime, out.Metrics = "", nil
		return out, nil
	}
	if u.CPUTime > 0 && out.Metrics.RunningSeconds > 0 {
		out.Metrics.CPUsAverage = new(u.CPUTime.Seconds() / out.Metrics.RunningSeconds)
	}
	if u.MaxMemory > 0 {
		out.Metrics.MemoryMaximumGiB = new(float64(u.MaxMemory) / gib)
	}
	return out, nil
}

// lasted returns the seconds between two times; 0 if one is not known.
func lasted(from, to time.Time) float64 {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return to.Sub(from).Seconds()
}

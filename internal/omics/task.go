package omics

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// A usage is what an attempt asks for and has used, as the language keeps it
// with the attempt.
type usage struct {
	Name      string
	CPUs      int
	Memory    int64
	GPUs      int
	Instance  string
	Image     string
	Digest    string
	Source    string
	CPUTime   time.Duration
	MaxMemory int64
	CacheHit  bool
	CacheURI  string
	CacheMiss string // why there was none, of a run with a cache
}

const (
	gib = 1 << 30
	// keyUsage is the key under which an attempt that has ended has published
	// its usage. Until then it is the attempt's mark.
	keyUsage = "usage"
)

// usageOf returns what is known of an attempt's usage: nothing before its
// inputs were there.
func (d *Door) usageOf(ctx context.Context, r flow.Run, t flow.Task) (usage, error) {
	var u usage
	raw := t.Mark
	if raw == nil && !t.Ended.IsZero() {
		values, err := d.Runs.Outputs(ctx, r.ID, t.ID, t.Attempt)
		if err != nil {
			return u, err
		}
		raw = values[keyUsage]
	}
	if raw == nil {
		return usage{Name: t.Kind}, nil
	}
	err := json.Unmarshal(raw, &u)
	return u, err
}

// describe returns what is listed of an attempt.
func (d *Door) describe(ctx context.Context, r flow.Run, t flow.Task) (taskListItem, error) {
	u, err := d.usageOf(ctx, r, t)
	if err != nil {
		return taskListItem{}, fmt.Errorf("usage of task %s of run %s: %w", t.ID, r.ID, err)
	}
	item := taskListItem{
		TaskID: TaskID(r.ID, t), Status: d.taskStatus(r, t), Name: TaskName(t),
		InstanceType: u.Instance, CacheHit: &u.CacheHit, CacheS3URI: u.CacheURI, UUID: TaskUUID(r.Key, t), CreationTime: at(created(t)),
		StartTime: at(t.Started), StopTime: at(t.Ended),
	}
	if u.CPUs > 0 { // else its inputs are not there yet
		item.CPUs, item.Memory, item.GPUs = &u.CPUs, new(u.gib()), &u.GPUs
	}
	return item, nil
}

// taskStatus returns the status of an attempt. One that was handed over and
// waits for what others use is not starting yet.
func (d *Door) taskStatus(r flow.Run, t flow.Task) string {
	if t.State == flow.Starting && d.Engine.Waits(r.ID, t) != "" {
		return "PENDING"
	}
	return taskStatuses[t.State]
}

// gib returns the memory that was asked for, rounded up.
func (u usage) gib() int { return int((u.Memory + gib - 1) / gib) }

// created returns when an attempt came to be. When it became ready is not
// kept: it was not after it began.
func created(t flow.Task) time.Time {
	if t.Started.IsZero() {
		return t.Modified
	}
	return t.Started
}

// TaskName returns the name of a task: that of its call and, of one in
// scatters, for each of them which it is in its workflow and which element,
// both from 0.
func TaskName(t flow.Task) string {
	words := strings.Split(string(t.ID), "/")
	name := words[len(words)-1]
	for i := 0; i+2 < len(words); i += 2 {
		if !strings.HasPrefix(words[i], "scatter.") {
			continue
		}
		n, err := strconv.Atoi(words[i][strings.LastIndex(words[i], ".")+1:])
		if err != nil {
			n = 1
		}
		name += fmt.Sprintf("-%d-%s", n-1, words[i+1])
	}
	return name[:min(len(name), 128)]
}

func (d *Door) listRunTasks(ctx context.Context, in *listRunTasksRequest) (*listRunTasksResponse, error) {
	const op = "ListRunTasks"
	p, err := d.page(in.MaxResults, in.StartingToken, op, in.ID, in.Status)
	if err != nil {
		return nil, err
	}
	row, err := d.recorded(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &listRunTasksResponse{Items: []taskListItem{}}
	last, err := d.eachTask(ctx, row.Run, p.After, func(t flow.Task) (bool, error) {
		if in.Status != "" && d.taskStatus(row.Run, t) != in.Status {
			return true, nil
		}
		item, err := d.describe(ctx, row.Run, t)
		out.Items = append(out.Items, item)
		return len(out.Items) < p.Limit, err
	})
	if err != nil {
		return nil, err
	}
	out.NextToken = d.Tokens.Seal(last, op, in.ID, in.Status)
	return out, nil
}

// eachTask calls f with each attempt of a task with a command, in their order,
// until it returns false. last is the sort key of that attempt; empty when
// none follows.
func (d *Door) eachTask(ctx context.Context, r flow.Run, after string, f func(flow.Task) (bool, error)) (last string, err error) {
	command, err := d.Engine.Commands(ctx, r)
	if err != nil {
		return "", err
	}
	full := ""
	for p := (flow.Page{Limit: 1000, After: after}); ; {
		tasks, next, err := d.Runs.Instances(ctx, r.ID, p)
		if err != nil {
			return "", err
		}
		for _, t := range tasks {
			// What was never ready is none of the service's tasks yet.
			if t.Attempt == 0 || t.Attempt >= pow10(attemptDigits) || !command(t.ID) {
				continue
			}
			if full != "" {
				return full, nil // there is more
			}
			more, err := f(t)
			if err != nil {
				return "", err
			}
			if !more {
				full = place(t.Index, t.Attempt)
			}
		}
		if p.After = next; next == "" {
			return "", nil
		}
	}
}

// place is the sort key of an attempt.
func place(index, attempt int) string { return strconv.Itoa(index) + "." + strconv.Itoa(attempt) }

func pow10(n int) int {
	out := 1
	for range n {
		out *= 10
	}
	return out
}

func (d *Door) getRunTask(ctx context.Context, in *getRunTaskRequest) (*getRunTaskResponse, error) {
	row, err := d.recorded(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	r := row.Run
	t, err := d.task(ctx, r, in.TaskID)
	if err != nil {
		return nil, err
	}
	item, err := d.describe(ctx, r, t)
	if err != nil {
		return nil, err
	}
	out := &getRunTaskResponse{
		TaskID: item.TaskID, Status: item.Status, Name: item.Name, CPUs: item.CPUs, CacheHit: item.CacheHit, CacheS3URI: item.CacheS3URI, Memory: item.Memory, GPUs: item.GPUs,
		CreationTime: item.CreationTime, StartTime: item.StartTime, StopTime: item.StopTime, InstanceType: item.InstanceType, UUID: item.UUID,
	}
	s, err := SettingsOf(row.Record)
	if err != nil {
		return nil, err
	}
	if s.LogLevel != "OFF" {
		out.LogStream = d.stream(TaskStream(r.ID, t))
	}
	switch {
	case item.Status == "FAILED":
		out.FailureReason, out.StatusMessage = failure(t.Reason)
	case item.Status == "CANCELLED":
		out.StatusMessage = cancelReason(t.Reason)
	case item.Status == "PENDING":
		if what := d.Engine.Waits(r.ID, t); what != "" {
			out.StatusMessage = what
		}
	}
	u, err := d.usageOf(ctx, r, t)
	if u.Image != "" {
		out.ImageDetails = &imageDetails{Image: u.Image, ImageDigest: u.Digest, SourceImage: u.Source}
	}
	return out, err
}

// task returns the attempt that an id means.
func (d *Door) task(ctx context.Context, r flow.Run, id string) (flow.Task, error) {
	none := flow.Errorf(flow.NotFound, "run %s has no task %s", r.ID, id)
	index, attempt, ok := parseTaskID(r.ID, id)
	if !ok {
		return flow.Task{}, none
	}
	tasks, _, err := d.Runs.Instances(ctx, r.ID, flow.Page{Limit: 1, After: place(index, attempt-1)})
	if err != nil {
		return flow.Task{}, err
	}
	command, err := d.Engine.Commands(ctx, r)
	if err != nil {
		return flow.Task{}, err
	}
	if len(tasks) != 1 || tasks[0].Index != index || tasks[0].Attempt != attempt || !command(tasks[0].ID) {
		return flow.Task{}, none
	}
	return tasks[0], nil
}

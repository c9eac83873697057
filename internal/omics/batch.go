package omics

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/aws/sigv4"
	"fairlead/internal/flow"
)

// The statuses of a batch. What is to be done for one of them is done by
// [Door.Work], also after a restart.
const (
	batchPending    = "PENDING"
	batchSubmitting = "SUBMITTING"
	batchRunning    = "INPROGRESS"
	batchStopping   = "STOPPING"
	batchCancelled  = "CANCELLED"
	batchProcessed  = "PROCESSED"
	batchDeleting   = "RUNS_DELETING"
	batchDeleted    = "RUNS_DELETED"
)

// The bounds of a batch.
const (
	maxBatchRuns = 100_000
	maxBatchFile = 64 << 20
)

// Batches is where batches and their entries are kept.
type Batches interface {
	AddBatch(ctx context.Context, r flow.Resource, entries []flow.BatchEntry, tok flow.Token) (_ flow.Resource, created bool, err error)
	// BatchEntries returns a page in the order of the batch.
	BatchEntries(ctx context.Context, batch string, f flow.BatchFilter, p flow.Page) (_ []flow.BatchEntry, last string, err error)
	SaveBatchEntry(ctx context.Context, e flow.BatchEntry) error
	CountBatch(ctx context.Context, batch string) (flow.BatchCounts, error)
	// BatchOpen says whether a run of the batch has not ended.
	BatchOpen(ctx context.Context, batch string) (bool, error)
}

// batchBody is what the door keeps of a batch.
type batchBody struct {
	UUID      string             `json:"uuid"`
	Defaults  *defaultRunSetting `json:"defaults"`
	StartedBy string             `json:"startedBy,omitzero"`
	Total     int                `json:"total"`
	Submitted time.Time          `json:"submitted,omitzero"`
	Processed time.Time          `json:"processed,omitzero"`
}

func (d *Door) startRunBatch(ctx context.Context, in *startRunBatchRequest) (*startRunBatchResponse, error) {
	if err := d.checkTags(in.Tags); err != nil {
		return nil, err
	}
	if in.DefaultRunSetting.WorkflowType == readyMade {
		return nil, flow.Errorf(flow.Invalid, "defaultRunSetting.workflowType: there are no READY2RUN workflows here, only PRIVATE ones")
	}
	settings, err := d.batchSettings(ctx, in.BatchRunSettings)
	if err != nil {
		return nil, err
	}
	if err := d.checkDefaults(ctx, in.DefaultRunSetting); err != nil {
		return nil, err
	}
	entries := make([]flow.BatchEntry, len(settings))
	for i, s := range settings {
		entries[i] = flow.BatchEntry{N: i, Setting: s.RunSettingID}
		if entries[i].Body, err = json.Marshal(s); err != nil {
			return nil, err
		}
	}
	b := batchBody{UUID: awsjson.NewUUID(), Defaults: in.DefaultRunSetting, Total: len(entries)}
	if id, ok := sigv4.IdentityOf(ctx); ok {
		b.StartedBy = id.ARN
	}
	id := in.RequestID
	in.RequestID = ""
	tok, err := d.token("StartRunBatch", id, in)
	if err != nil {
		return nil, err
	}
	r := flow.Resource{Kind: flow.OmicsBatch, Name: in.BatchName, Status: batchPending, Tags: in.Tags, Created: time.Now().UTC()}
	if r.Body, err = json.Marshal(b); err != nil {
		return nil, err
	}
	if r, _, err = d.Batches.AddBatch(ctx, r, entries, tok); err != nil {
		return nil, err
	}
	d.poke()
	if b, err = body[batchBody](r.ID, r.Body); err != nil {
		return nil, err
	}
	return &startRunBatchResponse{ID: r.ID, ARN: d.arnOf(r), Status: r.Status, UUID: b.UUID, Tags: orEmpty(r.Tags)}, nil
}

// checkDefaults refuses what all runs of a batch have in common, and what is
// therefore wrong for all.
func (d *Door) checkDefaults(ctx context.Context, def *defaultRunSetting) error {
	if d.CheckRole != nil {
		if err := d.CheckRole(def.RoleARN); err != nil {
			return err
		}
	}
	if err := d.checkTags(def.RunTags); err != nil {
		return err
	}
	if def.OutputURI != "" {
		if err := d.Engine.CheckOutput(def.OutputURI); err != nil {
			return flow.Errorf(flow.Invalid, "defaultRunSetting.outputUri: %w", err)
		}
	}
	common := merge(def, inlineSetting{}).settings()
	if _, err := d.runnable(ctx, &common); err != nil {
		return err
	}
	if def.RunGroupID == "" {
		return nil
	}
	_, err := d.find(ctx, flow.OmicsGroup, def.RunGroupID)
	return err
}

// batchSettings returns the settings of a batch's runs, each with a name of
// its own.
func (d *Door) batchSettings(ctx context.Context, in *batchRunSettings) ([]inlineSetting, error) {
	all := in.InlineSettings
	if in.S3URISettings != "" {
		data, err := d.fetch(ctx, "s3UriSettings", in.S3URISettings, maxBatchFile)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, flow.Errorf(flow.Invalid, "Invalid JSON format in run configurations: %v", err)
		}
	}
	if len(all) == 0 {
		return nil, flow.Errorf(flow.Invalid, "batchRunSettings: a batch needs a run")
	}
	if len(all) > maxBatchRuns {
		return nil, flow.Errorf(flow.Invalid, "Batch has %d runs but %d runs is the max.", len(all), maxBatchRuns)
	}
	known := map[string]bool{}
	for i, s := range all {
		if n := len(s.RunSettingID); n == 0 || n > 128 {
			return nil, flow.Errorf(flow.Invalid, "batchRunSettings[%d].runSettingId must have 1 to 128 characters, has %d", i, n)
		}
		known[s.RunSettingID] = true
	}
	if len(known) != len(all) {
		return nil, flow.Errorf(flow.Invalid, "Expected %d unique runSettingIds but there were %d", len(all), len(known))
	}
	return all, nil
}

// merge returns the request for one run of a batch: parameters and tags are
// put together, of anything else the run's own counts.
func merge(def *defaultRunSetting, own inlineSetting) *startRunRequest {
	in := &startRunRequest{
		WorkflowID: def.WorkflowID, WorkflowType: def.WorkflowType, RoleARN: def.RoleARN, Name: cmp.Or(own.Name, def.Name), CacheID: def.CacheID,
		CacheBehavior: def.CacheBehavior, RunGroupID: def.RunGroupID, Priority: cmp.Or(own.Priority, def.Priority),
		Parameters: joined(def.Parameters, own.Parameters), StorageCapacity: def.StorageCapacity, OutputURI: cmp.Or(own.OutputURI, def.OutputURI),
		LogLevel: def.LogLevel, RetentionMode: def.RetentionMode, StorageType: def.StorageType, WorkflowOwnerID: def.WorkflowOwnerID,
		WorkflowVersionName: def.WorkflowVersionName, NetworkingMode: def.NetworkingMode, ScratchStorageMode: def.ScratchStorageMode,
		ConfigurationName: def.ConfigurationName, EngineSettings: def.EngineSettings, Tags: orEmpty(def.RunTags),
	}
	for key, value := range own.RunTags {
		in.Tags[key] = value
	}
	if own.EngineSettings != nil {
		in.EngineSettings = own.EngineSettings
	}
	return in
}

// joined returns the members of two JSON objects, those of own first. What is
// no object is left for StartRun to refuse.
func joined(def, own json.RawMessage) json.RawMessage {
	var a, b map[string]json.RawMessage
	if len(def) == 0 || len(own) != 0 && json.Unmarshal(own, &b) != nil {
		return own
	}
	if len(own) == 0 || json.Unmarshal(def, &a) != nil {
		return def
	}
	for key, value := range a {
		if _, ok := b[key]; !ok {
			b[key] = value
		}
	}
	both, err := json.Marshal(b)
	if err != nil {
		return own
	}
	return both
}

// poke tells Work that there is something to do.
func (d *Door) poke() {
	select {
	case d.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// RunEnded takes notice that a run has ended: it may have been the last of a
// batch. It never blocks.
func (d *Door) RunEnded() {
	select {
	case d.ended <- struct{}{}:
	default: // it will look anyway
	}
}

const (
	// again is how long Work rests when something could not be done.
	again = 2 * time.Second
	// settleEvery is how often Work looks at batches whose runs end: that takes
	// time that grows with their runs.
	settleEvery = time.Second
)

// Work submits, cancels and deletes the runs of batches, and notes when all of
// them have ended, until ctx is done. It takes up what another process has left;
// no run is submitted twice.
func (d *Door) Work(ctx context.Context) {
	var retry, settle <-chan time.Time
	for ctx.Err() == nil {
		retry = nil
		if err := d.workAll(ctx); err != nil && ctx.Err() == nil {
			if d.Log != nil {
				d.Log.WarnContext(ctx, "work on batches", "err", err)
			}
			retry = time.After(again)
		}
		for idle := true; idle; {
			select {
			case <-d.ended:
				settle = cmp.Or(settle, time.After(settleEvery))
				continue
			case <-settle:
				settle = nil
			case <-ctx.Done():
			case <-d.wake:
			case <-retry:
			}
			idle = false
		}
	}
}

func (d *Door) workAll(ctx context.Context) error {
	for status, work := range map[string]func(context.Context, flow.Resource) error{
		batchPending: d.submit, batchSubmitting: d.submit, batchStopping: d.cancel, batchDeleting: d.clear,
		batchRunning: d.settle,
	} {
		page := flow.Page{Limit: 100}
		for {
			all, last, err := d.Resources.Resources(ctx, flow.OmicsBatch, flow.ResourceFilter{Status: status}, page)
			if err != nil {
				return err
			}
			for _, r := range all {
				if err := work(ctx, r); err != nil && flow.KindOf(err) != flow.NotFound {
					return fmt.Errorf("batch %s: %w", r.ID, err)
				}
			}
			if last == "" {
				break
			}
			page.After = last
		}
	}
	return nil
}

// moved moves a batch from one of some statuses to another, and returns false
// if it has none of them any more.
func (d *Door) moved(ctx context.Context, id, to string, from ...string) (bool, error) {
	ok := false
	_, err := change(ctx, d, flow.OmicsBatch, id, func(r *flow.Resource, b *batchBody) error {
		if ok = slices.Contains(from, r.Status); !ok {
			return nil
		}
		r.Status = to
		switch to {
		case batchRunning:
			b.Submitted = time.Now().UTC()
		case batchProcessed:
			b.Processed = time.Now().UTC()
		}
		return nil
	})
	return ok && err == nil, err
}

// submit starts the runs of a batch that are not started.
func (d *Door) submit(ctx context.Context, r flow.Resource) error {
	if ok, err := d.moved(ctx, r.ID, batchSubmitting, batchPending, batchSubmitting); !ok {
		return err
	}
	b, err := body[batchBody](r.ID, r.Body)
	if err != nil {
		return err
	}
	if b.StartedBy != "" {
		ctx = sigv4.WithIdentity(ctx, sigv4.Identity{ARN: b.StartedBy, Account: d.Account})
	}
	for {
		// It may be cancelled meanwhile.
		if now, err := d.Resources.Resource(ctx, flow.OmicsBatch, r.ID); err != nil || now.Status != batchSubmitting {
			return err
		}
		open, _, err := d.Batches.BatchEntries(ctx, r.ID, flow.BatchFilter{Open: true}, flow.Page{Limit: 50})
		if err != nil {
			return err
		}
		if len(open) == 0 {
			if ok, err := d.moved(ctx, r.ID, batchRunning, batchSubmitting); !ok {
				return err
			}
			return d.settle(ctx, r) // none of them may have been started
		}
		for _, e := range open {
			if err := d.submitOne(ctx, b, e); err != nil {
				return err
			}
		}
	}
}

func (d *Door) submitOne(ctx context.Context, b batchBody, e flow.BatchEntry) error {
	own, err := body[inlineSetting](e.Batch+"/"+e.Setting, e.Body)
	if err != nil {
		return err
	}
	in := merge(b.Defaults, own)
	// The same run, however often it is submitted.
	in.RequestID = fmt.Sprintf("batch/%s/%d", e.Batch, e.N)
	run, err := d.start(ctx, in, e.Batch)
	switch {
	case err == nil:
		e.Run, e.Status = flow.RunID(run.ID), "SUCCESS"
	case ctx.Err() != nil, flow.KindOf(err) == flow.Busy, flow.KindOf(err) == flow.Throttled:
		return err
	default:
		to := fail(err)
		e.Status, e.Reason, e.Message = "FAILED", to.Class, to.Message
		if to.Cause != nil && d.Log != nil {
			d.Log.ErrorContext(ctx, "start a run of a batch", "batch", e.Batch, "entry", e.N, "err", to.Cause)
		}
	}
	return d.Batches.SaveBatchEntry(ctx, e)
}

// each calls f with the entries of a batch, page by page.
func (d *Door) each(ctx context.Context, batch string, f func(flow.BatchEntry) error) error {
	page := flow.Page{Limit: 500}
	for {
		all, last, err := d.Batches.BatchEntries(ctx, batch, flow.BatchFilter{}, page)
		if err != nil {
			return err
		}
		for _, e := range all {
			if err := f(e); err != nil {
				return err
			}
		}
		if last == "" {
			return nil
		}
		page.After = last
	}
}

// cancel drops what is not submitted, and cancels what is.
func (d *Door) cancel(ctx context.Context, r flow.Resource) error {
	if err := d.each(ctx, r.ID, func(e flow.BatchEntry) error {
		if e.Status != "" && e.Status != "SUCCESS" {
			return nil
		}
		e.Status = "CANCEL_SUCCESS"
		if e.Run != "" {
			_, err := d.cancelRun(ctx, &cancelRunRequest{ID: string(e.Run)})
			if k := flow.KindOf(err); k == flow.Conflict || k == flow.NotFound {
				e.Status = "CANCEL_FAILED"
			} else if err != nil {
				return err
			}
		}
		return d.Batches.SaveBatchEntry(ctx, e)
	}); err != nil {
		return err
	}
	if err := d.strays(ctx, r.ID, func(run flow.Run) error {
		if run.State.Final() || run.State == flow.Stopping {
			return nil
		}
		return d.Engine.Stop(ctx, run.ID)
	}); err != nil {
		return err
	}
	_, err := d.moved(ctx, r.ID, batchCancelled, batchStopping)
	return err
}

// strays calls f with the runs of a batch, also those that no entry knows
// because the server died between their start and the note of it. That one has
// ended, or is gone, is no fault.
func (d *Door) strays(ctx context.Context, batch string, f func(flow.Run) error) error {
	for p := (flow.Page{Limit: 500}); ; {
		all, last, err := d.Runs.RecordedRuns(ctx, flow.RecordFilter{Batch: batch}, p)
		if err != nil {
			return err
		}
		for _, r := range all {
			if err := f(r.Run); err != nil && flow.KindOf(err) != flow.Conflict && flow.KindOf(err) != flow.NotFound {
				return err
			}
		}
		if p.After = last; last == "" {
			return nil
		}
	}
}

// clear deletes the runs of a batch.
func (d *Door) clear(ctx context.Context, r flow.Resource) error {
	if err := d.each(ctx, r.ID, func(e flow.BatchEntry) error {
		if e.Run == "" || e.Status == "DELETE_SUCCESS" {
			return nil
		}
		e.Status = "DELETE_SUCCESS"
		_, err := d.deleteRun(ctx, &deleteRunRequest{ID: string(e.Run)})
		switch flow.KindOf(err) {
		case flow.NotFound:
		case flow.Conflict:
			e.Status = "DELETE_FAILED"
		default:
			if err != nil {
				return err
			}
		}
		return d.Batches.SaveBatchEntry(ctx, e)
	}); err != nil {
		return err
	}
	if err := d.strays(ctx, r.ID, func(run flow.Run) error {
		if !run.State.Final() {
			return nil
		}
		return d.Engine.Delete(ctx, run.ID)
	}); err != nil {
		return err
	}
	_, err := d.moved(ctx, r.ID, batchDeleted, batchDeleting)
	return err
}

// settle notes it when the last run of a batch has ended.
func (d *Door) settle(ctx context.Context, r flow.Resource) error {
	if open, err := d.Batches.BatchOpen(ctx, r.ID); err != nil || open {
		return err
	}
	_, err := d.moved(ctx, r.ID, batchProcessed, batchRunning)
	return err
}

// settled returns a batch as it is now: Work may not have come to it yet.
func (d *Door) settled(ctx context.Context, r flow.Resource) (flow.Resource, flow.BatchCounts, error) {
	c, err := d.Batches.CountBatch(ctx, r.ID)
	if err != nil || r.Status != batchRunning {
		return r, c, err
	}
	for state, n := range c.States {
		if n > 0 && !state.Final() {
			return r, c, nil
		}
	}
	if _, err := d.moved(ctx, r.ID, batchProcessed, batchRunning); err != nil {
		return r, c, err
	}
	r, err = d.find(ctx, flow.OmicsBatch, r.ID)
	return r, c, err
}

func (d *Door) getBatch(ctx context.Context, in *getBatchRequest) (*getBatchResponse, error) {
	r, err := d.find(ctx, flow.OmicsBatch, in.BatchID)
	if err != nil {
		return nil, err
	}
	r, c, err := d.settled(ctx, r)
	if err != nil {
		return nil, err
	}
	b, err := body[batchBody](r.ID, r.Body)
	if err != nil {
		return nil, err
	}
	count := func(n int) *int { return &n }
	runs := map[string]int{}
	for state, n := range c.States {
		runs[runStatuses[state]] += n
	}
	return &getBatchResponse{
		ID: r.ID, ARN: d.arnOf(r), UUID: b.UUID, Name: r.Name, Status: r.Status, Tags: orEmpty(r.Tags), TotalRuns: &b.Total, DefaultRunSetting: b.Defaults,
		SubmissionSummary: &submissionSummary{
			SuccessfulStartSubmissionCount: count(c.Started), FailedStartSubmissionCount: count(c.Statuses["FAILED"]), PendingStartSubmissionCount: count(c.Statuses[""]),
			SuccessfulCancelSubmissionCount: count(c.Statuses["CANCEL_SUCCESS"]), FailedCancelSubmissionCount: count(c.Statuses["CANCEL_FAILED"]),
			SuccessfulDeleteSubmissionCount: count(c.Statuses["DELETE_SUCCESS"]), FailedDeleteSubmissionCount: count(c.Statuses["DELETE_FAILED"]),
		},
		RunSummary: &runSummary{
			PendingRunCount: count(runs["PENDING"]), StartingRunCount: count(runs["STARTING"]), RunningRunCount: count(runs["RUNNING"]),
			StoppingRunCount: count(runs["STOPPING"]), CompletedRunCount: count(runs["COMPLETED"]), DeletedRunCount: count(c.Statuses["DELETE_SUCCESS"]),
			FailedRunCount: count(runs["FAILED"]), CancelledRunCount: count(runs["CANCELLED"]),
		},
		CreationTime: at(r.Created), SubmittedTime: at(b.Submitted), ProcessedTime: at(b.Processed),
	}, nil
}

// oneFilter refuses a list with more than one of its filters.
func oneFilter(filters ...string) error {
	n := 0
	for _, f := range filters {
		if f != "" {
			n++
		}
	}
	if n > 1 {
		return flow.Errorf(flow.Invalid, "this list takes one filter at a time, got %d", n)
	}
	return nil
}

func (d *Door) listBatch(ctx context.Context, in *listBatchRequest) (*listBatchResponse, error) {
	if err := oneFilter(in.Status, in.Name, in.RunGroupID); err != nil {
		return nil, err
	}
	// A batch whose runs have ended is to be found as such.
	for page := (flow.Page{Limit: 100}); ; {
		all, last, err := d.Resources.Resources(ctx, flow.OmicsBatch, flow.ResourceFilter{Status: batchRunning}, page)
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			if _, _, err := d.settled(ctx, r); err != nil && flow.KindOf(err) != flow.NotFound {
				return nil, err
			}
		}
		if page.After = last; last == "" {
			break
		}
	}
	all, next, err := d.list(ctx, flow.OmicsBatch, flow.ResourceFilter{Name: in.Name, Status: in.Status}, in.MaxItems, in.StartingToken, "ListBatch")
	if err != nil {
		return nil, err
	}
	out := &listBatchResponse{Items: []batchListItem{}, NextToken: next}
	for _, r := range all {
		b, err := body[batchBody](r.ID, r.Body)
		if err != nil {
			return nil, err
		}
		if in.RunGroupID != "" && b.Defaults.RunGroupID != in.RunGroupID {
			continue
		}
		out.Items = append(out.Items, batchListItem{
			ID: r.ID, Name: r.Name, Status: r.Status, CreatedAt: at(r.Created), TotalRuns: &b.Total, WorkflowID: b.Defaults.WorkflowID,
		})
	}
	return out, nil
}

func (d *Door) listRunsInBatch(ctx context.Context, in *listRunsInBatchRequest) (*listRunsInBatchResponse, error) {
	if err := oneFilter(in.SubmissionStatus, in.RunSettingID, in.RunID); err != nil {
		return nil, err
	}
	if _, err := d.find(ctx, flow.OmicsBatch, in.BatchID); err != nil {
		return nil, err
	}
	list := []string{in.BatchID, in.SubmissionStatus, in.RunSettingID, in.RunID}
	p, err := d.page(in.MaxItems, in.StartingToken, "ListRunsInBatch", list...)
	if err != nil {
		return nil, err
	}
	all, last, err := d.Batches.BatchEntries(ctx, in.BatchID, flow.BatchFilter{Status: in.SubmissionStatus, Setting: in.RunSettingID, Run: flow.RunID(in.RunID)}, p)
	if err != nil {
		return nil, err
	}
	out := &listRunsInBatchResponse{Runs: []runBatchListItem{}, NextToken: d.Tokens.Seal(last, "ListRunsInBatch", list...)}
	for _, e := range all {
		item := runBatchListItem{RunSettingID: e.Setting, SubmissionStatus: e.Status, SubmissionFailureReason: e.Reason, SubmissionFailureMessage: e.Message}
		if e.Run != "" {
			item.RunID, item.RunARN = string(e.Run), d.arn("run/"+string(e.Run))
			switch row, err := d.recorded(ctx, item.RunID); {
			case err == nil:
				item.RunInternalUUID = row.Run.Key
			case flow.KindOf(err) != flow.NotFound: // it may be deleted
				return nil, err
			}
		}
		out.Runs = append(out.Runs, item)
	}
	return out, nil
}

// ask moves a batch to a status that Work sees to, from one of some.
func (d *Door) ask(ctx context.Context, id, to string, from ...string) error {
	r, err := d.find(ctx, flow.OmicsBatch, id)
	if err != nil {
		return err
	}
	if r, _, err = d.settled(ctx, r); err != nil {
		return err
	}
	ok, err := d.moved(ctx, id, to, from...)
	if err != nil {
		return err
	}
	if !ok {
		return flow.Errorf(flow.Conflict, "batch %s is %s: this is for one that is %v", id, r.Status, from)
	}
	d.poke()
	return nil
}

func (d *Door) cancelRunBatch(ctx context.Context, in *cancelRunBatchRequest) (*cancelRunBatchResponse, error) {
	return &cancelRunBatchResponse{}, d.ask(ctx, in.BatchID, batchStopping, batchPending, batchSubmitting, batchRunning)
}

func (d *Door) deleteRunBatch(ctx context.Context, in *deleteRunBatchRequest) (*deleteRunBatchResponse, error) {
	return &deleteRunBatchResponse{}, d.ask(ctx, in.BatchID, batchDeleting, batchProcessed, batchCancelled)
}

func (d *Door) deleteBatch(ctx context.Context, in *deleteBatchRequest) (*none, error) {
	if r, err := d.find(ctx, flow.OmicsBatch, in.BatchID); err != nil {
		return nil, err
	} else if _, _, err := d.settled(ctx, r); err != nil {
		return nil, err
	}
	done := []string{batchProcessed, "FAILED", batchCancelled, batchDeleted}
	return d.remove(ctx, flow.OmicsBatch, in.BatchID, func(r flow.Resource) error {
		if !slices.Contains(done, r.Status) {
			return flow.Errorf(flow.Conflict, "batch %s is %s: one can be deleted that is %v", r.ID, r.Status, done)
		}
		return nil
	})
}

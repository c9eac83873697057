package omics

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/aws/sigv4"
	"fairlead/internal/flow"
)

func (d *Door) startRun(ctx context.Context, in *startRunRequest) (*startRunResponse, error) {
	return d.start(ctx, in, "")
}

// start starts a run, of a batch or of none.
func (d *Door) start(ctx context.Context, in *startRunRequest, batch string) (*startRunResponse, error) {
	if in.RunID == "" && in.WorkflowID == "" {
		return nil, flow.Errorf(flow.Invalid, "workflowId: a run needs the workflow to run, or runId, the run to repeat")
	}
	if in.WorkflowType == "READY2RUN" {
		return nil, flow.Errorf(flow.Invalid, "workflowType: there are no READY2RUN workflows here, only PRIVATE ones")
	}
	if err := d.checkTags(in.Tags); err != nil {
		return nil, err
	}
	if d.CheckRole != nil {
		if err := d.CheckRole(in.RoleARN); err != nil {
			return nil, err
		}
	}
	s, tags := in.settings(), in.Tags
	s.BatchID = batch
	if in.RunID != "" {
		old, err := d.recorded(ctx, in.RunID)
		if err != nil {
			return nil, err
		}
		before, err := SettingsOf(old.Record)
		if err != nil {
			return nil, err
		}
		s.repeat(before)
		if tags == nil {
			tags = old.Record.Tags
		}
	}
	if s.OutputURI == "" {
		return nil, flow.Errorf(flow.Invalid, "outputUri: say where the run's outputs go, as s3://BUCKET/PREFIX")
	}
	if err := d.Engine.CheckOutput(s.OutputURI); err != nil {
		return nil, flow.Errorf(flow.Invalid, "outputUri: %w", err)
	}
	graph, err := d.runnable(ctx, &s)
	if err != nil {
		return nil, err
	}
	var configuration *configurationDetails
	if s.ConfigurationName != "" {
		if configuration, err = d.configurationDetails(ctx, s.ConfigurationName); err != nil {
			return nil, err
		}
	}
	if s.NetworkingMode == "VPC" && s.ConfigurationName == "" {
		return nil, flow.Errorf(flow.Invalid, "configurationName: networkingMode VPC needs a configuration")
	}
	if len(s.Parameters) > maxParameters {
		return nil, flow.Errorf(flow.Invalid, "parameters: %d bytes exceed the limit of %d", len(s.Parameters), maxParameters)
	}
	if err := d.Engine.Bind(ctx, graph, s.Parameters); err != nil {
		if flow.KindOf(err) != flow.Invalid {
			return nil, err
		}
		return nil, flow.Errorf(flow.Invalid, "parameters: %w", err)
	}
	if id, ok := sigv4.IdentityOf(ctx); ok {
		s.StartedBy = id.ARN
	}
	return d.begin(ctx, in, s, graph, tags, configuration)
}

// Repeat starts a run as another was started, with params as its parameters. A
// token that is not empty makes it one run, however often it is asked for.
func (d *Door) Repeat(ctx context.Context, run flow.RunID, params json.RawMessage, token string) (flow.RunID, error) {
	old, err := d.recorded(ctx, string(run))
	if err != nil {
		return "", err
	}
	s, err := SettingsOf(old.Record)
	if err != nil {
		return "", err
	}
	in := &startRunRequest{RunID: string(run), RoleARN: s.RoleARN, Parameters: params, RequestID: awsjson.NewUUID()}
	if token != "" {
		in.RequestID = "repeat/" + string(run) + "/" + token
	}
	out, err := d.start(ctx, in, "")
	if err != nil {
		return "", err
	}
	return flow.RunID(out.ID), nil
}

// maxParameters bounds the parameters of a run, in bytes of JSON.
const maxParameters = 256 << 10

// begin saves a run that may start, and starts it.
func (d *Door) begin(ctx context.Context, in *startRunRequest, s Settings, graph string, tags map[string]string, configuration *configurationDetails) (*startRunResponse, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	unnamed := *in
	unnamed.RequestID = ""
	token, err := d.token("StartRun", in.RequestID, &unnamed)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	c := flow.Record{
		Workflow: flow.WorkflowID(s.WorkflowID), Group: s.RunGroupID, Cache: s.CacheID, Batch: s.BatchID, Name: s.Name,
		Created: now, Tags: tags, Body: raw,
	}
	if s.Priority != nil {
		c.Priority = *s.Priority
	}
	c.Removable = s.RetentionMode == "REMOVE"
	kept, err := d.Runs.AddRecord(ctx, c, token, d.Limits.Runs)
	for flow.KindOf(err) == flow.Quota {
		if made, rerr := d.makeRoom(ctx); rerr != nil || !made {
			return nil, cmp.Or(rerr, err)
		}
		kept, err = d.Runs.AddRecord(ctx, c, token, d.Limits.Runs)
	}
	if err != nil {
		return nil, err
	}
	// The record of a request that is sent again is that of the first, and so
	// is the run, unless the first got no further.
	if s, err = SettingsOf(kept); err != nil {
		return nil, err
	}
	r, err := d.Engine.Start(ctx, flow.Run{
		ID: kept.Run, Key: awsjson.NewUUID(), Workflow: kept.Workflow, Graph: graph, Kind: flow.OnDemand, State: flow.Starting,
		Params: s.Parameters, Logical: kept.Created, Created: kept.Created, Modified: kept.Created,
	})
	if err != nil {
		return nil, err
	}
	return &startRunResponse{
		ARN: d.arn("run/" + string(r.ID)), ID: string(r.ID), Status: d.runStatus(r), Tags: orEmpty(kept.Tags), UUID: r.Key,
		RunOutputURI: RunOutputURI(s.OutputURI, r.ID), Configuration: configuration, NetworkingMode: s.NetworkingMode,
	}, nil
}

// makeRoom drops the oldest run that has ended and was started to be dropped
// then; false if there is none.
func (d *Door) makeRoom(ctx context.Context) (bool, error) {
	const few = 100 // some of them may still be closed, or told of
	runs, err := d.Runs.Removable(ctx, few)
	if err != nil {
		return false, err
	}
	for _, run := range runs {
		row, err := d.recorded(ctx, string(run))
		if flow.KindOf(err) == flow.NotFound && err != nil { // another request has dropped it
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if !d.Engine.Closed(row.Run) {
			continue
		}
		switch err := d.Engine.Delete(ctx, run); flow.KindOf(err) {
		case flow.NotFound: // another request has done it
			return true, nil
		case flow.Conflict, flow.Busy:
		default:
			return err == nil, err
		}
	}
	return false, nil
}

// settings are those that a request names, with the defaults of the service.
func (in *startRunRequest) settings() Settings {
	return Settings{
		WorkflowID: in.WorkflowID, WorkflowType: in.WorkflowType, WorkflowOwnerID: in.WorkflowOwnerID, WorkflowVersionName: in.WorkflowVersionName,
		RunID: in.RunID, RoleARN: in.RoleARN, Name: in.Name, CacheID: in.CacheID, CacheBehavior: in.CacheBehavior, RunGroupID: in.RunGroupID,
		Priority: in.Priority, Parameters: in.Parameters, StorageCapacity: in.StorageCapacity, OutputURI: in.OutputURI, LogLevel: in.LogLevel,
		RetentionMode: in.RetentionMode, StorageType: in.StorageType, NetworkingMode: in.NetworkingMode, ScratchStorageMode: in.ScratchStorageMode,
		ConfigurationName: in.ConfigurationName,
	}
}

// repeat fills in what a request has left out from the run that it repeats.
func (s *Settings) repeat(old Settings) {
	if s.WorkflowID == "" || s.WorkflowID == old.WorkflowID {
		text(&s.WorkflowVersionName, old.WorkflowVersionName)
	}
	if s.CacheID == "" || s.CacheID == old.CacheID {
		text(&s.CacheBehavior, old.CacheBehavior)
	}
	for _, m := range []struct {
		to   *string
		from string
	}{
		{&s.WorkflowID, old.WorkflowID}, {&s.WorkflowType, old.WorkflowType}, {&s.WorkflowOwnerID, old.WorkflowOwnerID}, {&s.Name, old.Name},
		{&s.CacheID, old.CacheID}, {&s.RunGroupID, old.RunGroupID}, {&s.OutputURI, old.OutputURI},
		{&s.LogLevel, old.LogLevel}, {&s.RetentionMode, old.RetentionMode}, {&s.StorageType, old.StorageType}, {&s.NetworkingMode, old.NetworkingMode},
		{&s.ScratchStorageMode, old.ScratchStorageMode}, {&s.ConfigurationName, old.ConfigurationName},
	} {
		text(m.to, m.from)
	}
	if s.Priority == nil {
		s.Priority = old.Priority
	}
	if s.StorageCapacity == nil {
		s.StorageCapacity = old.StorageCapacity
	}
	if s.Parameters == nil {
		s.Parameters = old.Parameters
	}
}

// text sets what is empty.
func text(to *string, from string) {
	if *to == "" {
		*to = from
	}
}

// runnable returns the graph that a run of a workflow carries out, and fills in
// what its settings have from the workflow or by default.
func (d *Door) runnable(ctx context.Context, s *Settings) (graph string, err error) {
	w, err := d.find(ctx, flow.OmicsWorkflow, s.WorkflowID)
	if err != nil {
		return "", err
	}
	s.WorkflowName = w.Name
	what, r := "workflow "+s.WorkflowID, w
	if s.WorkflowVersionName != "" {
		what = "version " + s.WorkflowVersionName + " of " + what
		if r, err = d.find(ctx, flow.OmicsVersion, versionID(s.WorkflowID, s.WorkflowVersionName)); err != nil {
			return "", err
		}
	}
	if r.Status != "ACTIVE" || r.Graph == "" {
		return "", flow.Errorf(flow.Conflict, "%s is %s: only an ACTIVE one can be run; GetWorkflow says in statusMessage what is wrong with it", what, r.Status)
	}
	b, err := body[definition](r.ID, r.Body)
	if err != nil {
		return "", err
	}
	if err := b.checkNames(s.Parameters); err != nil {
		return "", err
	}
	s.Digest, s.WorkflowUUID, s.Accelerators, s.Registries = b.Digest, b.UUID, b.Accelerators, b.Registries
	text(&s.StorageType, b.StorageType)
	text(&s.StorageType, "DYNAMIC")
	if s.StorageCapacity == nil {
		s.StorageCapacity = b.StorageCapacity
	}
	if s.StorageType == "DYNAMIC" {
		s.StorageCapacity = nil
	} else if s.StorageCapacity == nil {
		s.StorageCapacity = new(1200)
	}
	text(&s.WorkflowType, "PRIVATE")
	text(&s.RetentionMode, "RETAIN")
	text(&s.LogLevel, "ALL")
	text(&s.NetworkingMode, "RESTRICTED")
	if s.CacheID == "" {
		s.CacheBehavior = ""
		return r.Graph, nil
	}
	cache, err := d.find(ctx, flow.OmicsCache, s.CacheID)
	if err != nil {
		return "", err
	}
	if cache.Status != "ACTIVE" {
		return "", flow.Errorf(flow.Conflict, "cache %s is %s: only an ACTIVE one can be used", s.CacheID, cache.Status)
	}
	kept, err := body[cacheBody](cache.ID, cache.Body)
	text(&s.CacheBehavior, kept.Behavior)
	return r.Graph, err
}

// checkNames refuses parameters that the template does not name. They may have
// the name of the document's workflow and a dot before them.
func (b definition) checkNames(params json.RawMessage) error {
	var given map[string]json.RawMessage
	if len(params) > 0 && json.Unmarshal(params, &given) != nil {
		return flow.Errorf(flow.Invalid, "parameters: expected an object")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		_, bare, _ := strings.Cut(name, ".")
		_, known := b.Template[name]
		if _, short := b.Template[bare]; len(b.Template) > 0 && !known && !short {
			return flow.Errorf(flow.Invalid, "parameters: the workflow's parameter template has no %q; it has %s", name,
				strings.Join(slices.Sorted(maps.Keys(b.Template)), ", "))
		}
	}
	return nil
}

// definitionURL returns where the archive of what a run runs can be fetched for
// a while; empty if it is deleted.
func (d *Door) definitionURL(ctx context.Context, s Settings, export []string) (string, error) {
	kind, id := flow.OmicsWorkflow, s.WorkflowID
	if s.WorkflowVersionName != "" {
		kind, id = flow.OmicsVersion, versionID(s.WorkflowID, s.WorkflowVersionName)
	}
	r, err := d.Resources.Resource(ctx, kind, id)
	if err != nil {
		if flow.KindOf(err) == flow.NotFound {
			return "", nil
		}
		return "", err
	}
	b, err := body[definition](r.ID, r.Body)
	if err != nil {
		return "", err
	}
	url, _, err := d.exported(ctx, b, export)
	return url, err
}

// configurationDetails are what is said of the configuration of a run.
func (d *Door) configurationDetails(ctx context.Context, name string) (*configurationDetails, error) {
	r, err := d.find(ctx, flow.OmicsConfiguration, name)
	if err != nil {
		return nil, err
	}
	b, err := body[configurationBody](r.ID, r.Body)
	return &configurationDetails{Name: r.Name, ARN: d.arnOf(r), UUID: b.UUID}, err
}

// recorded returns a run that a request names.
func (d *Door) recorded(ctx context.Context, id string) (flow.Recorded, error) {
	r, err := d.Runs.Recorded(ctx, flow.RunID(id))
	if flow.KindOf(err) == flow.NotFound {
		return r, flow.Errorf(flow.NotFound, "run %s does not exist", id)
	}
	return r, err
}

// StatusOf returns the status of a run in a state. The door calls a run that
// has ended STOPPING until its logs are where it asked, which the state does
// not tell.
func StatusOf(s flow.State) string { return runStatuses[s] }

// StatesOf returns the states of runs that may have a status.
func StatesOf(status string) []flow.State { return statesOf(status) }

// runStatus returns the status of a run. One that has ended is being stopped
// until its manifest and logs are where clients look for them.
func (d *Door) runStatus(r flow.Run) string {
	if r.State.Final() && !d.Engine.Closed(r) {
		return "STOPPING"
	}
	return runStatuses[r.State]
}

func (d *Door) getRun(ctx context.Context, in *getRunRequest) (*getRunResponse, error) {
	row, err := d.recorded(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	r := row.Run
	s, err := SettingsOf(row.Record)
	if err != nil {
		return nil, err
	}
	status := d.runStatus(r)
	out := &getRunResponse{
		ARN: d.arn("run/" + in.ID), ID: in.ID, CacheID: s.CacheID, CacheBehavior: s.CacheBehavior, Status: status, WorkflowID: s.WorkflowID,
		WorkflowType: s.WorkflowType, RunID: s.RunID, RoleARN: s.RoleARN, Name: row.Record.Name, RunGroupID: s.RunGroupID, BatchID: s.BatchID, Priority: s.Priority,
		Digest: s.Digest, Parameters: s.Parameters, StorageCapacity: s.StorageCapacity, OutputURI: s.OutputURI, LogLevel: s.LogLevel,
		ResourceDigests: d.Engine.Digests(r.ID), StartedBy: s.StartedBy, CreationTime: at(r.Created), StartTime: at(r.Started),
		Tags: orEmpty(row.Record.Tags), Accelerators: s.Accelerators, RetentionMode: s.RetentionMode, UUID: r.Key,
		RunOutputURI: RunOutputURI(s.OutputURI, r.ID), StorageType: s.StorageType, WorkflowOwnerID: s.WorkflowOwnerID,
		WorkflowVersionName: s.WorkflowVersionName, WorkflowUUID: s.WorkflowUUID, NetworkingMode: s.NetworkingMode, ScratchStorageMode: s.ScratchStorageMode,
	}
	if s.LogLevel != "OFF" && !r.Started.IsZero() {
		out.LogLocation = &runLogLocation{EngineLogStream: d.stream(EngineStream(r.ID)), RunLogStream: d.stream(RunStream(r.ID))}
	}
	if status != "STOPPING" {
		out.StopTime = at(r.Ended)
	}
	switch status {
	case "FAILED":
		out.FailureReason, out.StatusMessage = runFailure(r)
	case "PENDING":
		out.StatusMessage = d.Engine.Queued(ctx, r.ID)
	}
	if out.Definition, err = d.definitionURL(ctx, s, in.Export); err != nil {
		return nil, err
	}
	if s.ConfigurationName != "" {
		out.Configuration, err = d.configurationDetails(ctx, s.ConfigurationName)
		if flow.KindOf(err) == flow.NotFound && err != nil { // it may be deleted when nobody runs with it any more
			out.Configuration, err = &configurationDetails{Name: s.ConfigurationName}, nil
		}
	}
	return out, err
}

// stream returns the ARN of a log stream.
func (d *Door) stream(name string) string {
	return fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s:log-stream:%s", d.Region, d.Account, LogGroup, name)
}

func (d *Door) listRuns(ctx context.Context, in *listRunsRequest) (*listRunsResponse, error) {
	const op = "ListRuns"
	about := []string{in.Name, in.RunGroupID, in.BatchID, in.Status}
	p, err := d.page(in.MaxResults, in.StartingToken, op, about...)
	if err != nil {
		return nil, err
	}
	f := flow.RecordFilter{Name: in.Name, Group: in.RunGroupID, Batch: in.BatchID}
	out := &listRunsResponse{Items: []runListItem{}}
	if in.Status != "" {
		if f.States = statesOf(in.Status); len(f.States) == 0 {
			return out, nil
		}
	}
	rows, last, err := d.Runs.RecordedRuns(ctx, f, p)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		r := row.Run
		s, err := SettingsOf(row.Record)
		if err != nil {
			return nil, err
		}
		status := d.runStatus(r)
		if in.Status != "" && status != in.Status {
			continue // it has ended just now
		}
		out.Items = append(out.Items, runListItem{
			ARN: d.arn("run/" + string(r.ID)), ID: string(r.ID), Status: status, WorkflowID: s.WorkflowID, BatchID: s.BatchID, Name: row.Record.Name,
			Priority: s.Priority, StorageCapacity: s.StorageCapacity, CreationTime: at(r.Created), StartTime: at(r.Started), StopTime: at(r.Ended),
			StorageType: s.StorageType, WorkflowVersionName: s.WorkflowVersionName, WorkflowName: s.WorkflowName,
		})
	}
	out.NextToken = d.Tokens.Seal(last, op, about...)
	return out, nil
}

func (d *Door) cancelRun(ctx context.Context, in *cancelRunRequest) (*none, error) {
	row, err := d.recorded(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if row.Run.State.Final() {
		return nil, flow.Errorf(flow.Conflict, "run %s is %s: only a run that has not ended can be cancelled", in.ID, d.runStatus(row.Run))
	}
	if row.Run.State == flow.Stopping {
		return &none{}, nil
	}
	return &none{}, d.Engine.Stop(ctx, row.Run.ID)
}

func (d *Door) deleteRun(ctx context.Context, in *deleteRunRequest) (*none, error) {
	row, err := d.recorded(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if status := d.runStatus(row.Run); !row.Run.State.Final() || status == "STOPPING" {
		return nil, flow.Errorf(flow.Conflict, "run %s is %s: only a run that is COMPLETED, FAILED or CANCELLED can be deleted", in.ID, status)
	}
	return &none{}, d.Engine.Delete(ctx, row.Run.ID)
}

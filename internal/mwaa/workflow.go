package mwaa

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"fairlead/internal/flow"
)

func (d *Door) createWorkflow(ctx context.Context, in *createWorkflowRequest) (*createWorkflowResponse, error) {
	var bad faults
	bad.checkTriggerMode(in.TriggerMode)
	bad.checkEngineVersion(in.EngineVersion)
	bad.checkEncryption(in.EncryptionConfiguration)
	bad.checkTags(in.Tags)
	bad.checkLogging(in.LoggingConfiguration)
	bad.checkEnvironment(in.Environment)
	bad.checkNetwork(in.NetworkConfiguration, d.Limits)
	bad.checkDefinition(in.DefinitionS3Location)
	if err := bad.err(); err != nil {
		return nil, err
	}
	if d.CheckTags != nil {
		if err := d.CheckTags(in.Tags); err != nil {
			return nil, err
		}
	}
	now := time.Now().UTC()
	w := flow.Workflow{ID: newWorkflowID(in.Name), Name: in.Name, Tags: in.Tags, Created: now, Modified: now}
	var err error
	if w.Settings, err = json.Marshal(workflowSettings{in.EncryptionConfiguration}); err != nil {
		return nil, err
	}
	unnamed := *in
	unnamed.ClientToken = ""
	token, err := d.token("CreateWorkflow", in.ClientToken, &unnamed)
	if err != nil {
		return nil, err
	}
	v, warnings, err := d.makeVersion(ctx, w.ID, now, flow.Version{}, versionSettings{
		Definition: in.DefinitionS3Location, Code: in.Code, RoleArn: in.RoleArn, Description: in.Description,
		Logging: in.LoggingConfiguration, Network: in.NetworkConfiguration, TriggerMode: in.TriggerMode,
		EngineVersion: in.EngineVersion, Environment: in.Environment,
	}, in.Code)
	if err != nil {
		return nil, err
	}
	w.Latest = v.ID
	w, v, _, err = d.Workflows.CreateWorkflow(ctx, w, v, token, d.Limits.Workflows)
	if err != nil {
		return nil, err
	}
	// Also for a request that was sent again: the first may have got no
	// further than to the store.
	if err := d.published(ctx, v); err != nil {
		return nil, err
	}
	latest := w.Latest == v.ID
	return &createWorkflowResponse{
		WorkflowArn: d.ARN(w.ID), CreatedAt: at(w.Created), RevisionId: revision(v), WorkflowStatus: workflowStatus(w),
		WorkflowVersion: string(v.ID), IsLatestVersion: &latest, Warnings: warnings,
	}, nil
}

// token makes a token from a client's, which may be absent. in is the
// request without it.
func (d *Door) token(op, key string, in any) (flow.Token, error) {
	if key == "" {
		return flow.Token{}, nil
	}
	data, err := json.Marshal(in)
	if err != nil {
		return flow.Token{}, err
	}
	h := sha256.Sum256(data)
	return flow.Token{Key: op + "/" + key, Fingerprint: hex.EncodeToString(h[:]), Expires: time.Now().Add(d.Limits.TokenLife).UTC()}, nil
}

// revision returns the UUID that names a version as a revision. The service
// takes it nowhere, so it need not be kept.
func revision(v flow.Version) string {
	h := sha256.Sum256([]byte(v.ID))
	h[6] = h[6]&0x0f | 0x80
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// makeVersion reads and compiles the definition that s names, copies the
// code if there is any, and returns the version to keep. Without a new code
// package that of old stays.
func (d *Door) makeVersion(ctx context.Context, w flow.WorkflowID, now time.Time, old flow.Version, s versionSettings, fresh *code) (flow.Version, []string, error) {
	v := flow.Version{ID: newVersionID(), Workflow: w, Code: old.Code, CodeAt: old.CodeAt, Created: now}
	if d.CheckRole != nil {
		if err := d.CheckRole(s.RoleArn); err != nil {
			return v, nil, err
		}
	}
	def, err := d.compile(ctx, &v, s)
	if err != nil {
		return v, nil, err
	}
	if fresh != nil {
		l := fresh.S3Location
		v.Code, err = d.Code.Snapshot(ctx, l.Bucket, l.ObjectKey, l.VersionId, d.Limits.Code)
		if err != nil {
			return v, nil, objectError(err, "Code.S3Location", l.Bucket, l.ObjectKey)
		}
		v.CodeAt = now
	}
	if v.Graph, err = d.Workflows.PutGraph(ctx, def.Graph); err != nil {
		return v, nil, err
	}
	v.MaxRuns = def.MaxRuns
	if def.Schedule != nil {
		s.Schedule = def.Schedule.Expr
		if mode, _ := triggerMode(s.TriggerMode); mode == modeScheduled {
			v.Schedule = def.Schedule
		}
	}
	v.Settings, err = json.Marshal(s)
	return v, def.Warnings, err
}

// compile sets the source of v and returns what it compiles to.
func (d *Door) compile(ctx context.Context, v *flow.Version, s versionSettings) (flow.Definition, error) {
	l := s.Definition
	src, _, err := d.Objects.Fetch(ctx, l.Bucket, l.ObjectKey, l.VersionId, d.Limits.Definition)
	if err != nil {
		return flow.Definition{}, objectError(err, "DefinitionS3Location", l.Bucket, l.ObjectKey)
	}
	v.Source = string(src)
	def, found := d.Compiler.Compile(src, s.Code != nil)
	return def, definitionError(found)
}

// objectError makes what the caller can mend in S3 a fault of the member
// that names the object.
func objectError(err error, member, bucket, key string) error {
	switch flow.KindOf(err) {
	case flow.NotFound, flow.Invalid, flow.Denied, flow.Quota:
		return flow.Errorf(flow.Invalid, "%s: s3://%s/%s: %v", member, bucket, key, err).At(member, err.Error())
	}
	return fmt.Errorf("read s3://%s/%s: %w", bucket, key, err)
}

// definitionError returns nil if nothing that was found is a fault. The
// message has the service's words, the fields have ours, with places.
func definitionError(found []flow.Diagnostic) error {
	var texts []string
	var fields []flow.Field
	for _, f := range found {
		if f.Severity != flow.Fault {
			continue
		}
		texts = append(texts, f.Text())
		name := f.Path
		if name == "" {
			name = "DefinitionS3Location"
		}
		fields = append(fields, flow.Field{Name: name, Message: f.String()})
	}
	if len(texts) == 0 {
		return nil
	}
	err := flow.Errorf(flow.Invalid, "Workflow validation failed: %s", strings.Join(texts, "\n"))
	err.Fields = fields
	return err
}

// published does what follows a new latest version. It is safe to do again.
func (d *Door) published(ctx context.Context, v flow.Version) error {
	s, err := readSettings(v)
	if err != nil {
		return err
	}
	if err := d.Logs.CreateGroup(ctx, s.group(v.Workflow)); err != nil {
		return fmt.Errorf("create log group of %s: %w", v.Workflow, err)
	}
	return d.Conductor.WorkflowChanged(ctx, v.Workflow)
}

func (d *Door) updateWorkflow(ctx context.Context, in *updateWorkflowRequest) (*updateWorkflowResponse, error) {
	var bad faults
	bad.checkTriggerMode(in.TriggerMode)
	bad.checkEngineVersion(in.EngineVersion)
	bad.checkLogging(in.LoggingConfiguration)
	bad.checkEnvironment(in.Environment)
	if err := bad.err(); err != nil {
		return nil, err
	}
	w, err := d.find(ctx, in.WorkflowArn)
	if err != nil {
		return nil, err
	}
	if w.Deleting {
		return nil, beingDeleted(in.WorkflowArn)
	}
	bad.checkNetwork(in.NetworkConfiguration, d.Limits)
	bad.checkDefinition(in.DefinitionS3Location)
	if err := bad.err(); err != nil {
		return nil, err
	}
	old, s, err := d.version(ctx, w, "")
	if err != nil {
		return nil, err
	}
	v, warnings, err := d.makeVersion(ctx, w.ID, time.Now().UTC(), old, s.changed(in), in.Code)
	if err != nil {
		return nil, err
	}
	if v, err = d.Workflows.AddVersion(ctx, v, d.Limits.Versions); err != nil {
		return nil, err
	}
	if err := d.published(ctx, v); err != nil {
		return nil, err
	}
	return &updateWorkflowResponse{
		WorkflowArn: d.ARN(w.ID), ModifiedAt: at(v.Created), WorkflowVersion: string(v.ID), Warnings: warnings,
	}, nil
}

// changed returns s with what a request says. What it does not mention stays
// as it was; the service's own rule is not known.
func (s versionSettings) changed(in *updateWorkflowRequest) versionSettings {
	s.Definition, s.RoleArn, s.Schedule = in.DefinitionS3Location, in.RoleArn, ""
	if in.Code != nil {
		s.Code = in.Code
	}
	if in.Description != "" {
		s.Description = in.Description
	}
	if in.LoggingConfiguration != nil {
		s.Logging = in.LoggingConfiguration
	}
	if in.NetworkConfiguration != nil {
		s.Network = in.NetworkConfiguration
	}
	if in.TriggerMode != "" {
		s.TriggerMode = in.TriggerMode
	}
	if in.EngineVersion != nil {
		s.EngineVersion = in.EngineVersion
	}
	if in.Environment != nil {
		s.Environment = in.Environment
	}
	return s
}

func (d *Door) deleteWorkflow(ctx context.Context, in *deleteWorkflowRequest) (*deleteWorkflowResponse, error) {
	w, err := d.find(ctx, in.WorkflowArn)
	if err != nil {
		return nil, err
	}
	out := &deleteWorkflowResponse{WorkflowArn: d.ARN(w.ID), WorkflowVersion: in.WorkflowVersion}
	if in.WorkflowVersion == "" {
		if _, err = d.Workflows.MarkDeleting(ctx, w.ID); err != nil {
			return nil, err
		}
		return out, d.Conductor.DeleteWorkflow(ctx, w.ID)
	}
	if w.Deleting {
		return nil, beingDeleted(in.WorkflowArn)
	}
	v, _, err := d.version(ctx, w, in.WorkflowVersion)
	if err != nil {
		return nil, err
	}
	if err := d.Workflows.DeleteVersion(ctx, w.ID, v.ID); err != nil {
		return nil, err
	}
	// The version before it may be the latest now, with a schedule.
	return out, d.Conductor.WorkflowChanged(ctx, w.ID)
}

func (d *Door) getWorkflow(ctx context.Context, in *getWorkflowRequest) (*getWorkflowResponse, error) {
	w, err := d.find(ctx, in.WorkflowArn)
	if err != nil {
		return nil, err
	}
	v, s, err := d.version(ctx, w, in.WorkflowVersion)
	if err != nil {
		return nil, err
	}
	var ws workflowSettings
	if err := json.Unmarshal(w.Settings, &ws); err != nil {
		return nil, fmt.Errorf("settings of workflow %s: %w", w.ID, err)
	}
	if ws.Encryption == nil {
		ws.Encryption = &encryptionConfiguration{Type: "AWS_MANAGED_KEY"}
	}
	if s.EngineVersion == nil {
		s.EngineVersion = new(int32(1))
	}
	out := &getWorkflowResponse{
		WorkflowArn: d.ARN(w.ID), WorkflowVersion: string(v.ID), Name: w.Name, Description: s.Description,
		CreatedAt: at(w.Created), ModifiedAt: at(w.Modified), EncryptionConfiguration: ws.Encryption,
		LoggingConfiguration: &loggingConfiguration{s.group(w.ID)}, EngineVersion: s.EngineVersion,
		WorkflowStatus: workflowStatus(w), DefinitionS3Location: s.Definition, Code: s.Code,
		ScheduleConfiguration: s.schedule(), RoleArn: s.RoleArn, NetworkConfiguration: s.Network,
		TriggerMode: s.triggerMode(), WorkflowDefinition: v.Source, Environment: s.Environment,
	}
	if s.Code != nil {
		out.CodeSnapshottedAt = at(v.CodeAt)
	}
	return out, nil
}

func (d *Door) listWorkflows(ctx context.Context, in *listWorkflowsRequest) (*listWorkflowsResponse, error) {
	const op = "ListWorkflows"
	p, err := d.list(in.MaxResults, in.NextToken, op)
	if err != nil {
		return nil, err
	}
	found, last, err := d.Workflows.Workflows(ctx, p)
	if err != nil {
		return nil, err
	}
	out := &listWorkflowsResponse{NextToken: d.Tokens.Seal(last, op)}
	for _, w := range found {
		s, err := readSettings(w.Version)
		if err != nil {
			return nil, err
		}
		out.Workflows = append(out.Workflows, workflowSummary{
			WorkflowArn: d.ARN(w.ID), WorkflowVersion: string(w.Version.ID), Name: w.Name, Description: s.Description,
			CreatedAt: at(w.Created), ModifiedAt: at(w.Modified), WorkflowStatus: workflowStatus(w.Workflow), TriggerMode: s.triggerMode(),
		})
	}
	return out, nil
}

func (d *Door) listWorkflowVersions(ctx context.Context, in *listWorkflowVersionsRequest) (*listWorkflowVersionsResponse, error) {
	const op = "ListWorkflowVersions"
	p, err := d.list(in.MaxResults, in.NextToken, op, in.WorkflowArn)
	if err != nil {
		return nil, err
	}
	w, err := d.find(ctx, in.WorkflowArn)
	if err != nil {
		return nil, err
	}
	found, last, err := d.Workflows.Versions(ctx, w.ID, p)
	if err != nil {
		return nil, err
	}
	out := &listWorkflowVersionsResponse{NextToken: d.Tokens.Seal(last, op, in.WorkflowArn)}
	for _, v := range found {
		s, err := readSettings(v)
		if err != nil {
			return nil, err
		}
		out.WorkflowVersions = append(out.WorkflowVersions, workflowVersionSummary{
			WorkflowVersion: string(v.ID), WorkflowArn: d.ARN(w.ID), IsLatestVersion: v.ID == w.Latest,
			CreatedAt: at(v.Created), ModifiedAt: at(v.Created), DefinitionS3Location: s.Definition,
			ScheduleConfiguration: s.schedule(), TriggerMode: s.triggerMode(),
		})
	}
	return out, nil
}

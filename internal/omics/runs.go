package omics

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// RunConfig is what a door needs to run workflows.
type RunConfig struct {
	Runs   Runs
	Engine Engine
}

// Runs is where runs, what the door keeps of them, and their tasks are. A
// missing one is a flow.NotFound.
type Runs interface {
	// AddRecord keeps what is known of a run that is about to start, and gives
	// it its id. A token that was used before with the same fingerprint gives
	// what it made then. Where there are max records (0: any number), that is a
	// flow.Quota.
	AddRecord(ctx context.Context, c flow.Record, tok flow.Token, max int) (flow.Record, error)
	// Removable lists runs that have ended and may be dropped to make room, the
	// oldest first.
	Removable(ctx context.Context, limit int) ([]flow.RunID, error)
	Recorded(ctx context.Context, run flow.RunID) (flow.Recorded, error)
	// RecordedRuns returns a page, the newest first, and the sort key of its
	// last item; empty when nothing follows.
	RecordedRuns(ctx context.Context, f flow.RecordFilter, p flow.Page) (_ []flow.Recorded, last string, err error)
	// Instances returns the tasks as they are and as they were in each past
	// attempt, in the order of the graph and then of attempts.
	Instances(ctx context.Context, run flow.RunID, p flow.Page) (_ []flow.Task, last string, err error)
	// Instance returns a task as it is, with attempt 0.
	Instance(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (flow.Task, error)
	Outputs(ctx context.Context, run flow.RunID, task flow.TaskID, attempt int) (map[string]json.RawMessage, error)
}

// Engine is what carries out runs.
type Engine interface {
	// Start sets a run going that has a record, once however often it is asked.
	Start(ctx context.Context, r flow.Run) (flow.Run, error)
	// Stop brings a run to its end; a final one is a flow.Conflict.
	Stop(ctx context.Context, run flow.RunID) error
	// Delete removes a run that has ended, and its files. Logs stay.
	Delete(ctx context.Context, run flow.RunID) error
	// Regroup has the limits of a run group, which have changed, heeded by its
	// runs that have not ended.
	Regroup(ctx context.Context, group string) error
	// Bind refuses, as flow.Invalid, parameters that the workflow of a graph
	// cannot take.
	Bind(ctx context.Context, graph string, params json.RawMessage) error
	// CheckOutput refuses, as flow.Invalid, a URL to which nothing can be
	// written.
	CheckOutput(url string) error
	// Closed says that all which follows the end of a run, as its row has it, is
	// done: its manifest is written, its logs are where it asked.
	Closed(r flow.Run) bool
	// Commands returns what says which tasks of a run have commands. Others are
	// scatters and the like, which the service has no tasks for.
	Commands(ctx context.Context, r flow.Run) (func(flow.TaskID) bool, error)
	// Waits says what an attempt that is about to start waits for to be free;
	// empty if it does not wait.
	Waits(run flow.RunID, t flow.Task) string
	// Queued says what keeps a run from beginning; empty if nothing does.
	Queued(ctx context.Context, run flow.RunID) string
	// Digests returns what was read of a run's inputs, by their URLs.
	Digests(run flow.RunID) map[string]string
}

// Settings are what a run was asked to do, as its record keeps them. The names
// are those of the API.
type Settings struct {
	WorkflowID          string          `json:"workflowId,omitempty"`
	WorkflowUUID        string          `json:"workflowUuid,omitempty"`
	WorkflowName        string          `json:"workflowName,omitempty"`
	WorkflowType        string          `json:"workflowType,omitempty"`
	WorkflowOwnerID     string          `json:"workflowOwnerId,omitempty"`
	WorkflowVersionName string          `json:"workflowVersionName,omitempty"`
	Digest              string          `json:"digest,omitempty"`
	Accelerators        string          `json:"accelerators,omitempty"`
	RunID               string          `json:"runId,omitempty"` // the run that this one repeats
	RoleARN             string          `json:"roleArn,omitempty"`
	Name                string          `json:"name,omitempty"`
	CacheID             string          `json:"cacheId,omitempty"`
	CacheBehavior       string          `json:"cacheBehavior,omitempty"`
	RunGroupID          string          `json:"runGroupId,omitempty"`
	BatchID             string          `json:"batchId,omitempty"`
	Priority            *int            `json:"priority,omitempty"`
	Parameters          json.RawMessage `json:"parameters,omitempty"`
	StorageCapacity     *int            `json:"storageCapacity,omitempty"`
	OutputURI           string          `json:"outputUri,omitempty"`
	LogLevel            string          `json:"logLevel,omitempty"`
	RetentionMode       string          `json:"retentionMode,omitempty"`
	StorageType         string          `json:"storageType,omitempty"`
	NetworkingMode      string          `json:"networkingMode,omitempty"`
	ScratchStorageMode  string          `json:"scratchStorageMode,omitempty"`
	ConfigurationName   string          `json:"configurationName,omitempty"`
	StartedBy           string          `json:"startedBy,omitempty"`
	Registries          *RegistryMap    `json:"registries,omitempty"`
}

// SettingsOf reads what a record keeps.
func SettingsOf(c flow.Record) (Settings, error) {
	var s Settings
	err := json.Unmarshal(c.Body, &s)
	return s, err
}

// RunOutputURI returns where a run puts what outlives it, given where it was
// asked to.
func RunOutputURI(outputURI string, run flow.RunID) string {
	return strings.TrimRight(outputURI, "/") + "/" + string(run)
}

// S3URI is where s3://BUCKET/KEY is; Key may be empty.
type S3URI struct{ Bucket, Key string }

var s3URI = regexp.MustCompile(`^s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?$`)

// maxKey bounds keys of S3, in bytes.
const maxKey = 1024

// ParseS3 reads the URL of an object or, when it ends in a slash or has no
// key, of all below it.
func ParseS3(url string) (S3URI, error) {
	m := s3URI.FindStringSubmatch(url)
	switch {
	case m == nil:
		return S3URI{}, flow.Errorf(flow.Invalid, "%q is no URL of S3: expected s3://BUCKET/KEY", url)
	case len(m[2]) > maxKey:
		return S3URI{}, flow.Errorf(flow.Invalid, "%.60q…: a key has %d bytes at most", url, maxKey)
	case strings.Contains(m[2], "//") || strings.HasPrefix(m[2], "/"):
		return S3URI{}, flow.Errorf(flow.Invalid, "%q has an empty part: leave one slash out", url)
	}
	return S3URI{m[1], m[2]}, nil
}

// stamp gives a time the form of answers, for manifests; empty if it is not known.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// GroupLimits are those of a run group; zero is none. MaxDuration is in
// minutes, of one run; the others are of all runs together.
type GroupLimits struct{ MaxRuns, MaxCPUs, MaxGPUs, MaxDuration int }

// LimitsOf returns the limits of a run group.
func LimitsOf(r flow.Resource) (GroupLimits, error) {
	b, err := body[groupBody](r.ID, r.Body)
	var l GroupLimits
	set(&l.MaxRuns, b.MaxRuns)
	set(&l.MaxCPUs, b.MaxCPUs)
	set(&l.MaxGPUs, b.MaxGPUs)
	set(&l.MaxDuration, b.MaxDuration)
	return l, err
}

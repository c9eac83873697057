// Package omics is the door that speaks the workflow side of the API of AWS
// HealthOmics. It knows that API's names, bounds and states, and turns each
// request into a few calls on the interfaces that it declares. It does not
// know how workflows are stored, checked or run.
package omics

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"fairlead/internal/aws/arn"
	"fairlead/internal/aws/awsjson"
	"fairlead/internal/aws/page"
	"fairlead/internal/aws/restjson"
	"fairlead/internal/flow"
)

// Service is the name under which requests are signed, and that of the
// service in ARNs.
const Service = "omics"

// Config is what a door is made of. All but Check, CheckRole and Log must be
// set.
type Config struct {
	// Account and Region stand in every ARN that the door gives out, and a
	// request for an ARN with others finds nothing.
	Account, Region string
	Limits          Limits

	Resources   Resources
	Batches     Batches
	Compiler    Compiler
	Objects     Objects
	Definitions Definitions
	Tokens      *page.Tokens

	// CheckRole refuses roles that tasks could not act in; nil refuses none.
	CheckRole func(roleArn string) error
	// Check admits a request; see [awsjson.Config].
	Check func(r *http.Request, body []byte) (context.Context, error)
	Log   *slog.Logger

	RunConfig
}

// Limits are the quotas of an account. Counts of zero are no limit.
type Limits struct {
	Workflows, Versions, Groups, Caches, Configurations int
	// Runs are those that are stored, active or not. At the limit the oldest
	// that has ended and may be removed goes.
	Runs       int
	Definition int64 // bytes of the zip
	Readme     int64 // bytes
	Tags       int
	// PageSize is the length of a page when the caller names none.
	PageSize int
	// TokenLife is how long a request's id is remembered.
	TokenLife time.Duration
}

// DefaultLimits returns the quotas that AWS publishes; the length of a page
// and the life of a token are our choice, and so is it that any number of runs
// is stored: a batch alone may have more than the service's 5,000.
func DefaultLimits() Limits {
	return Limits{
		Workflows: 1000, Versions: 1000, Groups: 1000, Caches: 1000, Configurations: 10,
		Definition: 100 << 20, Readme: 500 << 10, Tags: 50, PageSize: 100, TokenLife: 24 * time.Hour,
	}
}

// Resources is where everything but runs is kept. What is missing is a
// flow.NotFound.
type Resources interface {
	// AddResource keeps a new one, at most max of its kind and parent. A token
	// that was used before with the same fingerprint gives what it made then,
	// and created is false.
	AddResource(ctx context.Context, r flow.Resource, tok flow.Token, max int) (_ flow.Resource, created bool, err error)
	Resource(ctx context.Context, kind flow.ResourceKind, id string) (flow.Resource, error)
	// Resources returns a page, newest first, and the sort key of its last
	// item; empty when nothing follows.
	Resources(ctx context.Context, kind flow.ResourceKind, f flow.ResourceFilter, p flow.Page) (_ []flow.Resource, last string, err error)
	ChangeResource(ctx context.Context, kind flow.ResourceKind, id string, change func(*flow.Resource) error) (flow.Resource, error)
	// DeleteResource is a flow.Conflict where something else needs it.
	DeleteResource(ctx context.Context, kind flow.ResourceKind, id string, check func(flow.Resource) error) error

	PutGraph(ctx context.Context, g flow.Graph) (key string, err error)
	// Recorded returns a run with its record.
	Recorded(ctx context.Context, run flow.RunID) (flow.Recorded, error)
	ChangeRecord(ctx context.Context, run flow.RunID, change func(*flow.Record) error) error
}

// Objects reads what requests refer to in S3.
type Objects interface {
	Fetch(ctx context.Context, bucket, key, version string, max int64) (data []byte, read string, err error)
}

// Definitions keeps the archives and READMEs of workflows where clients can
// fetch them.
type Definitions interface {
	Put(ctx context.Context, key string, data []byte) error
	Delete(ctx context.Context, key string) error
	// Each calls f with the keys of what was put before a time.
	Each(ctx context.Context, before time.Time, f func(key string) error) error
	// URL returns one at which anybody can fetch it for a while.
	URL(ctx context.Context, key string) (string, error)
}

// A Door answers requests, and [Door.Work] does what they leave to be done.
type Door struct {
	Config
	service *restjson.Service
	wake    chan struct{} // of Work
	ended   chan struct{}
}

// New returns a door with all operations.
func New(c Config) *Door {
	s := restjson.New(restjson.Config{Shapes: shapes(), Check: c.Check, Fail: fail, MaxBody: maxBody, Log: c.Log})
	d := &Door{Config: c, service: s, wake: make(chan struct{}, 1), ended: make(chan struct{}, 1)}
	for _, op := range d.operations() {
		op.add(s)
	}
	return d
}

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.service.ServeHTTP(w, r) }

// Operations returns the names of the operations, sorted.
func (d *Door) Operations() []string { return d.service.Operations() }

// fail turns an error into one of the service's classes. A quota has the
// service's own status.
func fail(err error) *awsjson.Error {
	to := awsjson.Standard(err)
	switch to.Class {
	case "ServiceQuotaExceededException":
		to.Status = http.StatusPaymentRequired
	case "AccessDeniedException":
		to.Status = http.StatusForbidden
	case "ResourceNotFoundException":
		to.Status = http.StatusNotFound
	case "ConflictException":
		to.Status = http.StatusConflict
	case "ThrottlingException":
		to.Status = http.StatusTooManyRequests
	}
	return to
}

// arn returns the ARN of a resource of this door: "run/1234567".
func (d *Door) arn(resource string) string {
	return arn.ARN{Partition: arn.Partition(d.Region), Service: Service, Region: d.Region, Account: d.Account, Resource: resource}.String()
}

// paths are the resource part of ARNs, before the id.
func paths(kind flow.ResourceKind) string {
	switch kind {
	case flow.OmicsGroup:
		return "runGroup/"
	case flow.OmicsCache:
		return "runCache/"
	case flow.OmicsBatch:
		return "runBatch/"
	case flow.OmicsConfiguration:
		return "configuration/"
	}
	return "workflow/" // and versions, whose id has their workflow's before it
}

func (d *Door) arnOf(r flow.Resource) string {
	if r.Kind == flow.OmicsVersion {
		return d.arn(paths(r.Kind) + r.Parent + "/version/" + r.Name)
	}
	return d.arn(paths(r.Kind) + r.ID)
}

// token makes a token from a request's id. in is the request without it.
func (d *Door) token(op, id string, in any) (flow.Token, error) {
	data, err := json.Marshal(in)
	if err != nil {
		return flow.Token{}, err
	}
	h := sha256.Sum256(data)
	return flow.Token{Key: op + "/" + id, Fingerprint: hex.EncodeToString(h[:]), Expires: time.Now().Add(d.Limits.TokenLife).UTC()}, nil
}

// page returns the page that a request asks for; op and args name the list.
func (d *Door) page(size *int, token, op string, args ...string) (flow.Page, error) {
	after, err := d.Tokens.Open(token, op, args...)
	if err != nil {
		return flow.Page{}, flow.Errorf(flow.Invalid, "startingToken is not a token that this list has returned; begin again without one")
	}
	n := d.Limits.PageSize
	if size != nil {
		n = *size
	}
	return flow.Page{Limit: n, After: after}, nil
}

// checkTags refuses tags that a resource cannot have.
func (d *Door) checkTags(tags map[string]string) error {
	for key := range tags {
		if len(key) >= 4 && (key[:4] == "aws:" || key[:4] == "AWS:") {
			return flow.Errorf(flow.Invalid, "tags: keys that begin with aws: are reserved, got %q", key)
		}
	}
	if d.Limits.Tags > 0 && len(tags) > d.Limits.Tags {
		return flow.Errorf(flow.Invalid, "tags: a resource may have %d tags, would have %d", d.Limits.Tags, len(tags))
	}
	return nil
}

// orEmpty is what an answer says of tags: also that there are none.
func orEmpty(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return maps.Clone(tags)
}

// body reads what the door keeps with a resource or a run.
func body[T any](of string, raw json.RawMessage) (T, error) {
	var v T
	if len(raw) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("what is kept of %s: %w", of, err)
	}
	return v, nil
}

func at(t time.Time) restjson.Time { return restjson.Time{Time: t} }

// set replaces *to unless the request does not say by what.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

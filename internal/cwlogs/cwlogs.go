// Package cwlogs serves the part of Amazon CloudWatch Logs that clients of
// the workflow service use: listing groups and streams, reading and
// filtering events, and the few writes that tasks make. It knows the wire,
// and asks [Logs] for what is in a log.
package cwlogs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/flow"
)

// Logs are the groups and streams behind the door. What does not exist is a
// flow.NotFound error, what exists already a flow.Conflict, with the Type
// "log group" or "log stream".
type Logs interface {
	Group(group string) (flow.LogGroup, error)
	Groups(ctx context.Context, prefix string, p flow.Page) ([]flow.LogGroup, error)
	Streams(ctx context.Context, group string, l flow.LogList) ([]flow.LogStream, error)
	Read(ctx context.Context, group, stream string, r flow.LogRange) (flow.LogPage, error)
	Writer
}

// A Writer makes groups and streams and puts events into them.
type Writer interface {
	CreateGroup(group string) error
	CreateStream(group, stream string) error
	Put(group, stream string, events []flow.LogEvent) error
	DeleteGroup(group string) error
	DeleteStream(group, stream string) error
	// SetRetention says how many days streams of a group are kept after they
	// were last written; 0 is for ever.
	SetRetention(group string, days int) error
}

// Config says what a Door works with.
type Config struct {
	Logs Logs
	// Partition, Region and Account are those in ARNs; an empty Partition is
	// "aws".
	Partition, Region, Account string
	// Check admits a request; see [awsjson.Config].
	Check func(r *http.Request, body []byte) (context.Context, error)
	// Log is told of internal errors; nil means slog.Default.
	Log *slog.Logger
}

// A Door answers requests to CloudWatch Logs.
type Door struct {
	Config
	*awsjson.Service
	tails chan struct{} // those under way
}

// New returns a door.
func New(c Config) *Door {
	if c.Partition == "" {
		c.Partition = "aws"
	}
	s := awsjson.New(awsjson.Config{
		Version: "1.1",
		Shapes: map[string]awsjson.Shape{
			"Group":       {Bounds: "1..512", Pattern: `[\.\-_/#A-Za-z0-9]+`, Hint: "letters, digits and . - _ / #"},
			"GroupID":     {Bounds: "1..2048", Pattern: `[\w#+=/:,.@\-\*]*`},
			"Stream":      {Bounds: "1..512", Pattern: `[^:*]*`, Hint: "text without : and *"},
			"TailGroups":  {Bounds: "1..10", Member: "GroupID"},
			"TailStreams": {Bounds: "1..100", Member: "Stream"},
			"Streams":     {Bounds: "1..100", Member: "Stream"},
			"Time":        {Bounds: "0.."},
			"Days":        {Bounds: "1.."},
			"Events":      {Bounds: "1..10000"},
			"Descriptive": {Bounds: "1..50"},
			"Pattern":     {Bounds: "0..1024"},
			"Token":       {Bounds: "1..65536"},
			"Message":     {Bounds: "1.."},
			"Order":       {Enum: []string{"LogStreamName", "LastEventTime"}},
		},
		Check: c.Check, Fail: fail, LowerMessage: true, MaxBody: 4 << 20, Log: c.Log,
	})
	d := &Door{c, s, make(chan struct{}, maxTails)}
	awsjson.Handle(s, "DescribeLogGroups", d.describeLogGroups)
	awsjson.Handle(s, "DescribeLogStreams", d.describeLogStreams)
	awsjson.Handle(s, "GetLogEvents", d.getLogEvents)
	awsjson.Handle(s, "FilterLogEvents", d.filterLogEvents)
	awsjson.Handle(s, "StartLiveTail", d.startLiveTail)
	awsjson.Handle(s, "PutRetentionPolicy", d.putRetentionPolicy)
	awsjson.Handle(s, "DeleteRetentionPolicy", d.deleteRetentionPolicy)
	awsjson.Handle(s, "CreateLogGroup", d.createLogGroup)
	awsjson.Handle(s, "CreateLogStream", d.createLogStream)
	awsjson.Handle(s, "PutLogEvents", d.putLogEvents)
	awsjson.Handle(s, "DeleteLogGroup", d.deleteLogGroup)
	awsjson.Handle(s, "DeleteLogStream", d.deleteLogStream)
	return d
}

// fail gives errors the names that this service has for them.
func fail(err error) *awsjson.Error {
	e := awsjson.Standard(err)
	switch e.Class {
	case "ValidationException":
		e.Class = "InvalidParameterException"
	case "ConflictException":
		e.Class = "ResourceAlreadyExistsException"
	case "ServiceQuotaExceededException":
		e.Class = "LimitExceededException"
	case "InternalServerException":
		e.Class, e.Status = "ServiceUnavailableException", http.StatusServiceUnavailable
	}
	return e
}

func invalid(format string, args ...any) error { return flow.Errorf(flow.Invalid, format, args...) }

// GroupName returns the group that a request names, by its name or by an
// identifier, which may be an ARN.
func GroupName(name, id string) (string, error) {
	switch {
	case name != "" && id != "":
		return "", invalid("give logGroupName or logGroupIdentifier, not both")
	case name == "" && id == "":
		return "", invalid("logGroupName or logGroupIdentifier is required")
	case name != "":
		return name, nil
	}
	if _, rest, ok := strings.Cut(id, ":log-group:"); ok && strings.HasPrefix(id, "arn:") {
		id = strings.TrimSuffix(rest, ":*")
	}
	return id, nil
}

// StreamName returns the stream that a client means. The workflow service
// joins group and stream into one value, which many pass on as it is.
func StreamName(s string) string {
	if i := strings.Index(s, "workflow_id="); i > 0 && s[0] == '/' {
		return s[i:]
	}
	return s
}

func (d *Door) arn(rest string) string {
	return fmt.Sprintf("arn:%s:logs:%s:%s:log-group:%s", d.Partition, d.Region, d.Account, rest)
}

// seal and open are the tokens of lists: the place to go on from. There is
// nothing in them that a client may not know or change.
func seal(after string) string { return base64.RawURLEncoding.EncodeToString([]byte(after)) }

func open(token string) (string, error) {
	after, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", invalid("The specified nextToken is invalid.")
	}
	return string(after), nil
}

type describeLogGroupsRequest struct {
	Prefix  string `json:"logGroupNamePrefix" aws:"Group"`
	Pattern string `json:"logGroupNamePattern" aws:"GroupID"`
	Limit   int    `json:"limit" aws:"Descriptive"`
	Token   string `json:"nextToken" aws:"Token"`
}

type describeLogGroupsResponse struct {
	Groups []logGroup `json:"logGroups"`
	Token  string     `json:"nextToken,omitzero"`
}

type logGroup struct {
	Name              string `json:"logGroupName"`
	Created           int64  `json:"creationTime"`
	MetricFilterCount int    `json:"metricFilterCount"`
	ARN               string `json:"arn"`
	GroupARN          string `json:"logGroupArn"`
	StoredBytes       int64  `json:"storedBytes"`
	Retention         int    `json:"retentionInDays,omitzero"`
	Class             string `json:"logGroupClass"`
}

func (d *Door) describeLogGroups(ctx context.Context, in *describeLogGroupsRequest) (*describeLogGroupsResponse, error) {
	if in.Prefix != "" && in.Pattern != "" {
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	after, err := open(in.Token)
	if err != nil {
		return nil, err
	}
	limit := orUsual(in.Limit, 50)
	out := &describeLogGroupsResponse{}
	for {
		groups, err := d.Logs.Groups(ctx, in.Prefix, flow.Page{Limit: limit + 1, After: after})
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			if !strings.Contains(g.Name, in.Pattern) {
				after = g.Name
				continue
			}
			if len(out.Groups) == limit {
				out.Token = seal(after)
				return out, nil
			}
			after = g.Name
			out.Groups = append(out.Groups, logGroup{
				Name: g.Name, Created: g.Created.UnixMilli(), ARN: d.arn(g.Name + ":*"), GroupARN: d.arn(g.Name),
				StoredBytes: max(g.Bytes, 0), Retention: g.Days, Class: "STANDARD",
			})
		}
		if len(groups) <= limit {
			return out, nil
		}
	}
}

func orUsual(n, usual int) int {
	if n == 0 {
		return usual
	}
	return n
}

type describeLogStreamsRequest struct {
	Group      string `json:"logGroupName" aws:"Group"`
	GroupID    string `json:"logGroupIdentifier" aws:"GroupID"`
	Prefix     string `json:"logStreamNamePrefix" aws:"Stream"`
	OrderBy    string `json:"orderBy" aws:"Order"`
	Descending bool   `json:"descending"`
	Limit      int    `json:"limit" aws:"Descriptive"`
	Token      string `json:"nextToken" aws:"Token"`
}

type describeLogStreamsResponse struct {
	Streams []logStream `json:"logStreams"`
	Token   string      `json:"nextToken,omitzero"`
}

type logStream struct {
	Name        string `json:"logStreamName"`
	Created     int64  `json:"creationTime"`
	First       int64  `json:"firstEventTimestamp,omitzero"`
	Last        int64  `json:"lastEventTimestamp,omitzero"`
	Ingested    int64  `json:"lastIngestionTime,omitzero"`
	Sequence    string `json:"uploadSequenceToken"`
	ARN         string `json:"arn"`
	StoredBytes int64  `json:"storedBytes"`
}

// sequenceToken is what old clients hand from one PutLogEvents to the next;
// nothing depends on it.
const sequenceToken = "49500000000000000000000000000000000000000000000000000000"

func (d *Door) describeLogStreams(ctx context.Context, in *describeLogStreamsRequest) (*describeLogStreamsResponse, error) {
	group, err := GroupName(in.Group, in.GroupID)
	if err != nil {
		return nil, err
	}
	l := flow.LogList{Prefix: StreamName(in.Prefix), ByTime: in.OrderBy == "LastEventTime", Descending: in.Descending}
	if l.ByTime && in.Prefix != "" {
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	if l.After, err = open(in.Token); err != nil {
		return nil, err
	}
	limit := orUsual(in.Limit, 50)
	l.Limit = limit + 1
	streams, err := d.Logs.Streams(ctx, group, l)
	if err != nil {
		return nil, missing(err)
	}
	out := &describeLogStreamsResponse{}
	if len(streams) > limit {
		streams = streams[:limit]
		out.Token = seal(l.Key(streams[limit-1]))
	}
	for _, s := range streams {
		out.Streams = append(out.Streams, logStream{
			Name: s.Name, Created: millis(s.Created), First: millis(s.First), Last: millis(s.Last), Ingested: millis(s.Written),
			Sequence: sequenceToken, ARN: d.arn(group + ":log-stream:" + s.Name), StoredBytes: s.Bytes,
		})
	}
	return out, nil
}

// missing gives an error about a group or stream the words of the service,
// which some clients look for.
func missing(err error) error {
	e, ok := errors.AsType[*flow.Error](err)
	switch {
	case ok && e.Kind == flow.NotFound && e.Type != "":
		return flow.Errorf(flow.NotFound, "The specified %s does not exist.", e.Type)
	case ok && e.Kind == flow.Conflict && e.Type != "":
		return flow.Errorf(flow.Conflict, "The specified %s already exists", e.Type)
	}
	return err
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms)
}

type getLogEventsRequest struct {
	Group     string `json:"logGroupName" aws:"Group"`
	GroupID   string `json:"logGroupIdentifier" aws:"GroupID"`
	Stream    string `json:"logStreamName" aws:"Stream,required"`
	StartTime *int64 `json:"startTime" aws:"Time"`
	EndTime   *int64 `json:"endTime" aws:"Time"`
	FromHead  bool   `json:"startFromHead"`
	Limit     int    `json:"limit" aws:"Events"`
	Token     string `json:"nextToken" aws:"Token"`
	Unmask    bool   `json:"unmask"`
}

type getLogEventsResponse struct {
	Events   []event `json:"events"`
	Forward  string  `json:"nextForwardToken"`
	Backward string  `json:"nextBackwardToken"`
}

type event struct {
	At       int64  `json:"timestamp"`
	Message  string `json:"message"`
	Ingested int64  `json:"ingestionTime"`
}

func (d *Door) getLogEvents(ctx context.Context, in *getLogEventsRequest) (*getLogEventsResponse, error) {
	group, err := GroupName(in.Group, in.GroupID)
	if err != nil {
		return nil, err
	}
	if in.StartTime != nil && in.EndTime != nil && *in.StartTime > *in.EndTime {
		return nil, invalid("startTime must not be later than endTime")
	}
	r := flow.LogRange{Since: instant(in.StartTime), Until: instant(in.EndTime), Limit: orUsual(in.Limit, 10000)}
	switch {
	case in.Token != "":
		if r.From, r.Back, err = parsePosition(in.Token); err != nil {
			return nil, err
		}
	case !in.FromHead:
		r.From, r.Back = -1, true
	}
	p, err := d.Logs.Read(ctx, group, StreamName(in.Stream), r)
	if in.Token != "" && flow.KindOf(err) == flow.Invalid {
		return nil, invalid("The specified nextToken is invalid.")
	}
	if err != nil {
		return nil, missing(err)
	}
	// A reading that found nothing more has the same token again: that is how
	// clients see the end.
	out := &getLogEventsResponse{Forward: position("f", p.Tail), Backward: position("b", p.Head)}
	for _, e := range p.Events {
		out.Events = append(out.Events, event{e.At.UnixMilli(), e.Text, e.At.UnixMilli()})
	}
	return out, nil
}

// position and parsePosition are the tokens of GetLogEvents, which have the
// form that the service's have.
func position(direction string, at int64) string {
	return fmt.Sprintf("%s/%056d/s", direction, at)
}

func parsePosition(token string) (at int64, back bool, err error) {
	parts := strings.Split(token, "/")
	if len(parts) == 3 && (parts[0] == "f" || parts[0] == "b") && parts[2] == "s" {
		if at, err := strconv.ParseUint(parts[1], 10, 63); err == nil {
			return int64(at), parts[0] == "b", nil
		}
	}
	return 0, false, invalid("The specified nextToken is invalid.")
}

type groupRequest struct {
	Group string `json:"logGroupName" aws:"Group,required"`
}

type streamRequest struct {
	Group  string `json:"logGroupName" aws:"Group,required"`
	Stream string `json:"logStreamName" aws:"Stream,required"`
}

type nothing struct{}

func (d *Door) createLogGroup(_ context.Context, in *groupRequest) (*nothing, error) {
	return answer(d.Logs.CreateGroup(in.Group))
}

func (d *Door) createLogStream(_ context.Context, in *streamRequest) (*nothing, error) {
	return answer(d.Logs.CreateStream(in.Group, in.Stream))
}

func (d *Door) deleteLogGroup(_ context.Context, in *groupRequest) (*nothing, error) {
	return answer(d.Logs.DeleteGroup(in.Group))
}

func (d *Door) deleteLogStream(_ context.Context, in *streamRequest) (*nothing, error) {
	return answer(d.Logs.DeleteStream(in.Group, in.Stream))
}

func answer(err error) (*nothing, error) {
	if err != nil {
		return nil, missing(err)
	}
	return &nothing{}, nil
}

type retentionRequest struct {
	Group string `json:"logGroupName" aws:"Group,required"`
	Days  int    `json:"retentionInDays" aws:"Days,required"`
}

// days are those that the service allows.
var days = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func (d *Door) putRetentionPolicy(_ context.Context, in *retentionRequest) (*nothing, error) {
	if !slices.Contains(days, in.Days) {
		return nil, invalid("retentionInDays %d: expected one of %v", in.Days, days)
	}
	return answer(d.Logs.SetRetention(in.Group, in.Days))
}

func (d *Door) deleteRetentionPolicy(_ context.Context, in *groupRequest) (*nothing, error) {
	return answer(d.Logs.SetRetention(in.Group, 0))
}

type putLogEventsRequest struct {
	Group    string       `json:"logGroupName" aws:"Group,required"`
	Stream   string       `json:"logStreamName" aws:"Stream,required"`
	Events   []inputEvent `json:"logEvents" aws:"Events,required"`
	Sequence string       `json:"sequenceToken"`
}

type inputEvent struct {
	At      int64  `json:"timestamp" aws:"Time,required"`
	Message string `json:"message" aws:"Message,required"`
}

type putLogEventsResponse struct {
	Sequence string `json:"nextSequenceToken"`
}

// maxBatch is how many bytes one call may put, counting 26 for each event.
const maxBatch = 1 << 20

func (d *Door) putLogEvents(_ context.Context, in *putLogEventsRequest) (*putLogEventsResponse, error) {
	size := 0
	events := make([]flow.LogEvent, len(in.Events))
	for i, e := range in.Events {
		if i > 0 && e.At < in.Events[i-1].At {
			return nil, invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
		if size += len(e.Message) + 26; size > maxBatch {
			return nil, invalid("Upload too large: %d bytes exceeds limit of %d", size, maxBatch)
		}
		events[i] = flow.LogEvent{At: time.UnixMilli(e.At).UTC(), Text: e.Message}
	}
	if err := d.Logs.Put(in.Group, in.Stream, events); err != nil {
		return nil, missing(err)
	}
	return &putLogEventsResponse{Sequence: sequenceToken}, nil
}

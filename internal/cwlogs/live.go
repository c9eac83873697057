package cwlogs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/flow"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

type startLiveTailRequest struct {
	Groups   []string `json:"logGroupIdentifiers" aws:"TailGroups,required"`
	Streams  []string `json:"logStreamNames" aws:"TailStreams"`
	Prefixes []string `json:"logStreamNamePrefixes" aws:"TailStreams"`
	Pattern  string   `json:"logEventFilterPattern" aws:"Pattern"`
}

// The bounds of a live tail: as long as the service lets one go on, and how
// many there are at once.
const (
	tailTime  = 3 * time.Hour
	tailEvery = 500 * time.Millisecond
	maxTails  = 64
	// maxTailed bounds how many streams one look reads: those that were
	// written last.
	maxTailed = 100
	// maxUpdate bounds the events of one message.
	maxUpdate = 500
	// fileLag is how far the times of files may be behind the clock: those of
	// most are the system's last tick, of some whole seconds. What is read in
	// vain is left out by the times of events.
	fileLag = 2 * time.Second
)

// A liveTail sends new events of groups as they come.
type liveTail struct {
	d      *Door
	in     *startLiveTailRequest
	groups []string
	match  func(string) bool
	since  time.Time
	places map[[2]string]int64 // group and stream → where reading goes on
}

func (d *Door) startLiveTail(_ context.Context, in *startLiveTailRequest) (*liveTail, error) {
	if len(in.Streams) > 0 && len(in.Prefixes) > 0 {
		return nil, invalid("give logStreamNames or logStreamNamePrefixes, not both")
	}
	if len(in.Streams)+len(in.Prefixes) > 0 && len(in.Groups) > 1 {
		return nil, invalid("logStreamNames and logStreamNamePrefixes need a single log group")
	}
	match, err := parsePattern(in.Pattern)
	if err != nil {
		return nil, err
	}
	t := &liveTail{d: d, in: in, match: match, since: time.Now(), places: map[[2]string]int64{}}
	for _, id := range in.Groups {
		group, err := GroupName("", id)
		if err != nil {
			return nil, err
		}
		if _, err := d.Logs.Group(group); err != nil {
			return nil, missing(err)
		}
		t.groups = append(t.groups, group)
	}
	return t, nil
}

// Stream implements [awsjson.Stream]: a session in the encoding of event
// streams, until the client goes or its time is over.
func (t *liveTail) Stream(ctx context.Context, w http.ResponseWriter) error {
	select {
	case t.d.tails <- struct{}{}:
		defer func() { <-t.d.tails }()
	default:
		return flow.Errorf(flow.Quota, "%d live tails are under way, as many as may be", maxTails)
	}
	ctx, cancel := context.WithTimeout(ctx, tailTime)
	defer cancel()
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // not every writer can; the request has been read
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	enc := eventstream.NewEncoder()
	send := func(kind, name string, payload any) error {
		data, err := json.Marshal(payload)
		if err != nil {
			return err
		}
		m := eventstream.Message{Payload: data}
		m.Headers.Set(":message-type", eventstream.StringValue(kind))
		m.Headers.Set(":"+kind+"-type", eventstream.StringValue(name))
		m.Headers.Set(":content-type", eventstream.StringValue("application/json"))
		var b bytes.Buffer // Encode writes in pieces
		if err := enc.Encode(&b, m); err != nil {
			return err
		}
		if _, err := w.Write(b.Bytes()); err != nil {
			return err
		}
		return control.Flush()
	}
	err := send("event", "initial-response", struct{}{})
	if err == nil {
		err = send("event", "sessionStart", map[string]any{
			"requestId": awsjson.RequestID(ctx), "sessionId": awsjson.RequestID(ctx), "logGroupIdentifiers": t.arns(),
			"logStreamNames": list(t.in.Streams), "logStreamNamePrefixes": list(t.in.Prefixes), "logEventFilterPattern": t.in.Pattern,
		})
	}
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for err == nil {
		var found []tailed
		if found, err = t.look(ctx); err != nil {
			break
		}
		for first := true; err == nil && (first || len(found) > 0); first = false {
			n := min(len(found), maxUpdate)
			err = send("event", "sessionUpdate", map[string]any{"sessionMetadata": map[string]bool{"sampled": false}, "sessionResults": found[:n]})
			found = found[n:]
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-tick.C:
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		_ = send("exception", "SessionTimeoutException", map[string]string{"message": "The session has been open for " + tailTime.String()})
	case ctx.Err() == nil:
		t.d.Log.WarnContext(ctx, "live tail", "err", err)
		_ = send("exception", "SessionStreamingException", map[string]string{"message": "internal error"}) // if anybody is there
	}
	return nil
}

// list is a list that is not null.
func list(s []string) []string { return append([]string{}, s...) }

func (t *liveTail) arns() []string {
	var arns []string
	for _, g := range t.groups {
		arns = append(arns, t.d.arn(g))
	}
	return arns
}

type tailed struct {
	Stream   string `json:"logStreamName"`
	Group    string `json:"logGroupIdentifier"`
	Message  string `json:"message"`
	At       int64  `json:"timestamp"`
	Ingested int64  `json:"ingestionTime"`
}

// look returns what has come since the last look. Where a stream is met for
// the first time, the times of its events say what is new.
func (t *liveTail) look(ctx context.Context) ([]tailed, error) {
	found := []tailed{} // never null
	for _, group := range t.groups {
		streams, err := t.d.Logs.Streams(ctx, group, flow.LogList{ByTime: true, Descending: true, Page: flow.Page{Limit: maxTailed}})
		if flow.KindOf(err) == flow.NotFound && err != nil {
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		for _, s := range streams {
			if s.Written.Before(t.since.Add(-fileLag)) {
				break
			}
			if !t.wants(s.Name) {
				continue
			}
			if found, err = t.read(ctx, group, s.Name, found); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(found, func(a, b tailed) int { return int(a.At - b.At) })
	return found, nil
}

func (t *liveTail) wants(stream string) bool {
	if len(t.in.Streams) > 0 {
		return slices.ContainsFunc(t.in.Streams, func(s string) bool { return StreamName(s) == stream })
	}
	return len(t.in.Prefixes) == 0 || slices.ContainsFunc(t.in.Prefixes, func(p string) bool { return strings.HasPrefix(stream, StreamName(p)) })
}

func (t *liveTail) read(ctx context.Context, group, stream string, found []tailed) ([]tailed, error) {
	at := [2]string{group, stream}
	pos, known := t.places[at]
	for {
		r := flow.LogRange{From: pos, Limit: maxUpdate}
		if !known {
			r.Since = t.since
		}
		p, err := t.d.Logs.Read(ctx, group, stream, r)
		if kind := flow.KindOf(err); err != nil && (kind == flow.NotFound || kind == flow.Invalid) {
			delete(t.places, at) // it was removed, and is perhaps a new one
			return found, nil
		}
		if err != nil {
			return found, err
		}
		for _, e := range p.Events {
			if t.match(e.Text) {
				found = append(found, tailed{stream, t.d.arn(group), e.Text, e.At.UnixMilli(), e.At.UnixMilli()})
			}
		}
		if p.Tail == pos {
			t.places[at] = pos
			return found, nil
		}
		pos = p.Tail
	}
}

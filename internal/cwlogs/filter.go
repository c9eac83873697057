package cwlogs

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"time"

	"fairlead/internal/flow"
)

type filterLogEventsRequest struct {
	Group       string   `json:"logGroupName" aws:"Group"`
	GroupID     string   `json:"logGroupIdentifier" aws:"GroupID"`
	Streams     []string `json:"logStreamNames" aws:"Streams"`
	Prefix      string   `json:"logStreamNamePrefix" aws:"Stream"`
	StartTime   *int64   `json:"startTime" aws:"Time"`
	EndTime     *int64   `json:"endTime" aws:"Time"`
	Pattern     string   `json:"filterPattern" aws:"Pattern"`
	Token       string   `json:"nextToken" aws:"Token"`
	Limit       int      `json:"limit" aws:"Events"`
	Interleaved bool     `json:"interleaved"`
	Unmask      bool     `json:"unmask"`
}

type filterLogEventsResponse struct {
	Events   []filteredEvent `json:"events"`
	Searched []nothing       `json:"searchedLogStreams"` // the service leaves it empty too
	Token    string          `json:"nextToken,omitzero"`
}

type filteredEvent struct {
	Stream   string `json:"logStreamName"`
	At       int64  `json:"timestamp"`
	Message  string `json:"message"`
	Ingested int64  `json:"ingestionTime"`
	ID       string `json:"eventId"`
}

// The bounds of one call.
const (
	maxPage = 1 << 20  // bytes of messages
	maxLook = 64 << 20 // bytes looked at
)

func (d *Door) filterLogEvents(ctx context.Context, in *filterLogEventsRequest) (*filterLogEventsResponse, error) {
	group, err := GroupName(in.Group, in.GroupID)
	if err != nil {
		return nil, err
	}
	if in.Streams != nil && in.Prefix != "" {
		return nil, invalid("give logStreamNames or logStreamNamePrefix, not both")
	}
	if in.StartTime != nil && in.EndTime != nil && *in.StartTime > *in.EndTime {
		return nil, invalid("startTime must not be later than endTime")
	}
	match, err := parsePattern(in.Pattern)
	if err != nil {
		return nil, err
	}
	m := &merge{ctx: ctx, logs: d.Logs, group: group, since: instant(in.StartTime)}
	if in.EndTime != nil && *in.EndTime < math.MaxInt64 {
		m.until = time.UnixMilli(*in.EndTime + 1) // here the end belongs to the range
	}
	if m.streams, err = d.candidates(ctx, group, in, m.since); err != nil {
		return nil, missing(err)
	}
	if err := m.resume(in.Token); err != nil {
		return nil, err
	}
	out := &filterLogEventsResponse{}
	limit, size := orUsual(in.Limit, 10000), 0
	for passed := 0; ; passed++ {
		e, ok, err := m.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return out, nil
		}
		full := len(out.Events) == limit || size > 0 && size+len(e.Text) > maxPage
		if full || passed > 0 && m.looked > maxLook {
			out.Token = m.token()
			return out, nil
		}
		if match(e.Text) {
			size += len(e.Text) + 26
			at := e.At.UnixMilli()
			out.Events = append(out.Events, filteredEvent{e.Stream, at, e.Text, at, fmt.Sprintf("%036d%020d", hashOf(e.Stream), e.Pos)})
		}
		m.drop()
	}
}

// candidates returns the streams to search, by the time of their first event.
func (d *Door) candidates(ctx context.Context, group string, in *filterLogEventsRequest, since time.Time) ([]flow.LogStream, error) {
	all, err := d.Logs.Streams(ctx, group, flow.LogList{Prefix: StreamName(in.Prefix), Page: flow.Page{Limit: math.MaxInt}})
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, s := range in.Streams {
		wanted[StreamName(s)] = true
	}
	found := 0
	all = slices.DeleteFunc(all, func(s flow.LogStream) bool {
		if in.Streams != nil {
			if !wanted[s.Name] {
				return true
			}
			found++
		}
		return s.First.IsZero() || s.Written.Before(since) && s.Last.Before(since)
	})
	if found < len(wanted) {
		return nil, flow.Errorf(flow.NotFound, "a log stream of logStreamNames does not exist")
	}
	slices.SortFunc(all, func(a, b flow.LogStream) int { return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Name, b.Name)) })
	return all, nil
}

// A merge reads many streams as one, by time. Streams are opened when their
// first event is due, and forgotten at their end, so that only those that
// overlap are held, in memory and in the token.
type merge struct {
	ctx          context.Context
	logs         Logs
	group        string
	since, until time.Time
	streams      []flow.LogStream // by the time of their first events
	opened       int              // how many of streams were opened
	open         cursors
	looked       int64
	err          error // what stopped the reading
}

// A cursor is a place in an open stream, before an event.
type cursor struct {
	stream string
	events []flow.LogEvent // read and not yet returned
	pos    int64           // where reading goes on after events
}

// cursors is a heap: the one with the earliest event is first.
type cursors []*cursor

func (c cursors) Len() int { return len(c) }
func (c cursors) Less(i, j int) bool {
	a, b := c[i].events[0], c[j].events[0]
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(c[i].stream, c[j].stream)) < 0
}
func (c cursors) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *cursors) Push(x any)   { *c = append(*c, x.(*cursor)) }
func (c *cursors) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// next returns the earliest event that was not dropped.
func (m *merge) next() (flow.LogEvent, bool, error) {
	if m.err != nil {
		return flow.LogEvent{}, false, m.err
	}
	for m.opened < len(m.streams) && (len(m.open) == 0 || !m.streams[m.opened].First.After(m.open[0].events[0].At)) {
		if !m.until.IsZero() && !m.streams[m.opened].First.Before(m.until) && len(m.open) == 0 {
			// Its lines need not be in order, but one that begins after the
			// range is taken to lie after it.
			m.opened = len(m.streams)
			break
		}
		c := &cursor{stream: m.streams[m.opened].Name}
		m.opened++
		if err := m.enter(c); err != nil {
			return flow.LogEvent{}, false, err
		}
	}
	if len(m.open) == 0 {
		return flow.LogEvent{}, false, nil
	}
	e := m.open[0].events[0]
	e.Stream = m.open[0].stream
	return e, true, nil
}

// drop goes past the event that next returned.
func (m *merge) drop() {
	c := m.open[0]
	c.events = c.events[1:]
	if len(c.events) > 0 {
		heap.Fix(&m.open, 0)
		return
	}
	heap.Pop(&m.open)
	m.err = m.enter(c)
}

// enter reads on in a stream and holds it if there is another event.
func (m *merge) enter(c *cursor) error {
	for {
		p, err := m.logs.Read(m.ctx, m.group, c.stream, flow.LogRange{From: c.pos, Since: m.since, Until: m.until, Limit: 200})
		if flow.KindOf(err) == flow.NotFound {
			return nil // it was removed meanwhile
		}
		if err != nil {
			return err
		}
		m.looked += p.Tail - p.Head
		end := p.Tail == c.pos
		c.events, c.pos = p.Events, p.Tail
		if len(c.events) > 0 {
			heap.Push(&m.open, c)
			return nil
		}
		if end {
			return nil
		}
	}
}

// A place is what a token holds: the last stream opened, and where each open
// one is.
type place struct {
	First int64            `json:"f"`
	Name  string           `json:"n"`
	Open  map[string]int64 `json:"o,omitempty"` // by the hash of the name
}

func (m *merge) token() string {
	last := m.streams[m.opened-1]
	p := place{First: last.First.UnixNano(), Name: last.Name, Open: map[string]int64{}}
	for _, c := range m.open {
		p.Open[key(c.stream)] = c.events[0].Pos
	}
	data, _ := json.Marshal(p) // strings and numbers
	return seal(string(data))
}

func (m *merge) resume(token string) error {
	if token == "" {
		return nil
	}
	text, err := open(token)
	if err != nil {
		return err
	}
	var p place
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return invalid("The specified nextToken is invalid.")
	}
	for _, s := range m.streams {
		if cmp.Or(cmp.Compare(s.First.UnixNano(), p.First), cmp.Compare(s.Name, p.Name)) > 0 {
			break
		}
		m.opened++
		if pos, ok := p.Open[key(s.Name)]; ok {
			if pos < 0 {
				return invalid("The specified nextToken is invalid.")
			}
			if err := m.enter(&cursor{stream: s.Name, pos: pos}); err != nil {
				return invalid("The specified nextToken is invalid.")
			}
		}
	}
	return nil
}

func hashOf(stream string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(stream))
	return h.Sum64()
}

func key(stream string) string { return strconv.FormatUint(hashOf(stream), 36) }

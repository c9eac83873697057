package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"fairlead/internal/flow"
)

// How the hub goes about it.
const (
	beat    = 200 * time.Millisecond // between two events of a topic
	linger  = 30 * time.Second       // that a topic is kept up for those who come back
	logStep = 500                    // lines that one event of a log has

	maxKept     = 1024 // events for those who come back
	maxKeptSize = 4 << 20
	maxQueue    = 64   // events that a watcher may be behind
	maxWatchers = 2000 // at once
	maxTopics   = 8    // of one watcher
	maxRows     = 40   // of workflows that one event has
)

// A Change is what a step has changed of a run: the run's row as it is then,
// and the tasks that are not as they were.
type Change struct {
	Run   flow.Run
	Tasks []flow.Task
}

// A hub tells watchers what changes. What happens is only noted when it
// happens, and only where somebody watches; at each beat every topic that has
// news makes one event of them, which is encoded once for all its watchers.
type hub struct {
	s     *Console
	epoch string // that events are numbered in

	mu       sync.Mutex
	topics   map[string]*topic
	watchers int
	seq      int64
	kept     []event // the latest, in order
	size     int     // bytes in kept
	closed   bool
	wake     chan struct{} // has room for one
}

// An event is one that was sent.
type event struct {
	seq   int64
	topic string
	frame []byte
}

// A topic is what somebody watches.
type topic struct {
	name     string
	kind, id string
	watchers map[*watcher]bool
	left     time.Time // when the last watcher went
	born     int64     // events after this one were kept
	news     news
	tail     *logTail // of a log
}

// News is what has happened and not been told. Its maps are nil until
// something has.
type news struct {
	any       bool
	gone      bool // the run, or one of the list's, was deleted
	workflows map[flow.WorkflowID]bool
	runs      map[flow.RunID]*runNews
}

type runNews struct {
	run   flow.Run
	tasks map[int]flow.Task
}

// A watcher is a stream of events to one page.
type watcher struct {
	topics []*topic
	queue  chan []byte
	// lost is closed when the stream cannot go on: the page is to come back.
	lost chan struct{}
	gone bool
}

func newHub(s *Console) *hub {
	return &hub{s: s, epoch: fmt.Sprintf("%x", s.c.Now().UnixMicro()), topics: map[string]*topic{}, wake: make(chan struct{}, 1)}
}

// Stepped notes what a step has changed. It does not block.
func (s *Console) Stepped(c Change) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.topics) == 0 {
		return
	}
	if t := h.topics["workflows"]; t != nil && serviceOf(c.Run) == mwaa {
		t.news.workflow(c.Run.Workflow)
		h.stir()
	}
	if t := h.topics["omics"]; t != nil && serviceOf(c.Run) == omics {
		t.news.step(Change{Run: c.Run})
		h.stir()
	}
	for _, name := range [...]string{"workflow:" + string(c.Run.Workflow), "run:" + string(c.Run.ID)} {
		if t := h.topics[name]; t != nil {
			t.news.step(c)
			h.stir()
		}
	}
	for _, t := range h.topics {
		if t.tail != nil && t.tail.run == c.Run.ID {
			t.tail.look = true
		}
	}
}

// Changed notes that a workflow is not as it was: its versions, or whether it
// is paused. The empty one stands for everything.
func (s *Console) Changed(id flow.WorkflowID) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.topics {
		if t.kind == "workflows" || t.kind == "workflow" && (id == "" || t.id == string(id)) {
			t.news.workflow(id)
			h.stir()
		}
	}
}

// Removed notes that a run of HealthOmics was deleted.
func (s *Console) Removed(run flow.RunID) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range [...]string{"omics", "run:" + string(run)} {
		if t := h.topics[name]; t != nil {
			t.news.any, t.news.gone = true, true
			h.stir()
		}
	}
}

func (n *news) workflow(id flow.WorkflowID) {
	n.any = true
	if n.workflows == nil {
		n.workflows = map[flow.WorkflowID]bool{}
	}
	n.workflows[id] = true
}

func (n *news) step(c Change) {
	n.any = true
	if n.runs == nil {
		n.runs = map[flow.RunID]*runNews{}
	}
	r := n.runs[c.Run.ID]
	if r == nil {
		r = &runNews{tasks: map[int]flow.Task{}}
		n.runs[c.Run.ID] = r
	}
	if c.Run.Rev >= r.run.Rev {
		r.run = c.Run
	}
	for _, t := range c.Tasks {
		r.tasks[t.Index] = t
	}
}

// stir has the loop look; h.mu is held.
func (h *hub) stir() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Live tells watchers what changes until ctx is done, and then ends their
// streams.
func (s *Console) Live(ctx context.Context) {
	h := s.hub
	defer h.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		}
		began := time.Now()
		h.tell(ctx)
		select { // nothing more before the next beat; telling is to be a tenth of all time at most
		case <-ctx.Done():
			return
		case <-time.After(max(beat, 9*time.Since(began))):
		}
		h.mu.Lock()
		if h.busy() {
			h.stir()
		}
		h.mu.Unlock()
	}
}

// busy reports whether the loop must look again without being told; h.mu is
// held.
func (h *hub) busy() bool {
	for name, t := range h.topics {
		switch {
		case len(t.watchers) == 0 && h.s.c.Now().Sub(t.left) > linger:
			delete(h.topics, name)
		case t.tail != nil && !t.tail.over || len(t.watchers) == 0:
			return true
		}
	}
	return false
}

// close ends all streams; no others begin.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, t := range h.topics {
		for w := range t.watchers {
			w.drop()
		}
	}
}

// drop ends a stream; h.mu is held.
func (w *watcher) drop() {
	if !w.gone {
		w.gone = true
		close(w.lost)
	}
}

// tell makes an event of each topic's news.
func (h *hub) tell(ctx context.Context) {
	type due struct {
		t    *topic
		news news
	}
	var all []due
	h.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(h.topics)) {
		t := h.topics[name]
		if t.news.any || t.tail != nil && !t.tail.over {
			all = append(all, due{t, t.news})
			t.news = news{}
		}
	}
	h.mu.Unlock()
	for _, d := range all {
		if ctx.Err() != nil {
			return
		}
		v, err := h.s.eventOf(ctx, d.t, d.news)
		if err != nil {
			h.s.c.Log.ErrorContext(ctx, "console: tell what changed", "topic", d.t.name, "err", err)
			h.send(d.t, "reset", map[string]string{"topic": d.t.name})
			continue
		}
		if v != nil {
			h.send(d.t, d.t.kind, v)
		}
	}
}

// send gives an event to the watchers of a topic.
func (h *hub) send(t *topic, name string, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		h.s.c.Log.Error("console: encode an event", "topic", t.name, "err", err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	frame := fmt.Appendf(nil, "id: %s-%d\nevent: %s\ndata: %s\n", h.epoch, h.seq, name, b.Bytes())
	h.kept, h.size = append(h.kept, event{h.seq, t.name, frame}), h.size+len(frame)
	for len(h.kept) > maxKept || h.size > maxKeptSize {
		h.size -= len(h.kept[0].frame)
		h.kept = slices.Delete(h.kept, 0, 1)
	}
	for w := range t.watchers {
		select {
		case w.queue <- frame:
		default:
			w.drop() // it cannot keep up: let it begin anew
		}
	}
}

// watch begins a stream of topics. last is the id of the last event that the
// page has seen; what it missed since is in the queue already, and fresh says
// that it must read everything again since that is not known any more.
func (h *hub) watch(names []string, last string) (w *watcher, at string, fresh bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, "", false, flow.Errorf(flow.Busy, "the server is stopping")
	case h.watchers >= maxWatchers:
		return nil, "", false, flow.Errorf(flow.Busy, "%d pages are being told of changes; no more can be", maxWatchers)
	}
	seen, known := h.seen(last)
	w = &watcher{queue: make(chan []byte, maxQueue+maxKept), lost: make(chan struct{})}
	for _, name := range names {
		t := h.topics[name]
		if t == nil {
			kind, id, _ := strings.Cut(name, ":")
			t = &topic{name: name, kind: kind, id: id, watchers: map[*watcher]bool{}, born: h.seq}
			if kind == "log" {
				t.tail = newLogTail(id)
				h.stir()
			}
			h.topics[name] = t
		}
		known = known && t.born <= seen
		t.watchers[w] = true
		w.topics = append(w.topics, t)
	}
	h.watchers++
	if known {
		for _, e := range h.kept {
			if e.seq > seen && slices.Contains(names, e.topic) {
				w.queue <- e.frame
			}
		}
	}
	return w, fmt.Sprintf("%s-%d", h.epoch, h.seq), last != "" && !known, nil
}

// seen reads the id of an event; false if those that followed are not all
// kept. h.mu is held.
func (h *hub) seen(id string) (int64, bool) {
	epoch, number, _ := strings.Cut(id, "-")
	var n int64
	if _, err := fmt.Sscan(number, &n); err != nil || epoch != h.epoch || n > h.seq {
		return 0, false
	}
	return n, n == h.seq || len(h.kept) > 0 && h.kept[0].seq <= n+1
}

// leave ends a stream.
func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers--
	for _, t := range w.topics {
		delete(t.watchers, w)
		if len(t.watchers) == 0 {
			t.left = h.s.c.Now()
			h.stir() // to be removed in time
		}
	}
}

package events

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"fairlead/internal/flow"

	cryptorand "crypto/rand"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Store is where runs and their journals are, and how far sinks got.
type Store interface {
	RunByID(ctx context.Context, id flow.RunID) (flow.Run, error)
	Journal(ctx context.Context, run flow.RunID, p flow.Page) (_ []flow.Entry, next string, err error)
	// KeepSinks makes the sinks those of names; gone are the others that were,
	// with how many runs they were not told all of.
	KeepSinks(ctx context.Context, names []string) (gone map[string]int64, err error)
	// Notices returns what is to be told on a topic after a number.
	Notices(ctx context.Context, topic flow.RunID, after int64, limit int) ([]flow.Notice, error)
	Undelivered(ctx context.Context, sink string, after flow.RunID, limit int) ([]flow.RunID, error)
	// Cursor returns the revision up to which a sink has been told of a run;
	// false if it is not to be told anything.
	Cursor(ctx context.Context, sink string, run flow.RunID) (seq int64, ok bool, err error)
	Delivered(ctx context.Context, sink string, upTo map[flow.RunID]int64) error
	Backlog(ctx context.Context) (map[string]int64, error)
}

// Config is what an Office works with.
type Config struct {
	Store Store
	Sinks []Sink // which Check has seen
	Words Words
	// Others makes the events of runs without a version; nil: they have none.
	Others Others
	// Dir keeps dead letters, and keys that were made for webhooks.
	Dir string
	// AWS configures the calls of AWS; it is asked only if a sink needs it.
	AWS func(ctx context.Context) (aws.Config, error)
	Log *slog.Logger
}

// An Office delivers events.
type Office struct {
	Config
	boxes []*box
}

// Open readies the sinks. Nothing is sent before [Office.Run].
func Open(ctx context.Context, c Config) (*Office, error) {
	o := &Office{Config: c}
	names := make([]string, len(c.Sinks))
	for i, s := range c.Sinks {
		names[i] = s.Name
	}
	gone, err := c.Store.KeepSinks(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("keep the names of sinks: %w", err)
	}
	for name, n := range gone {
		c.Log.WarnContext(ctx, "a sink of events is not there any more, and is forgotten", "sink", name, "undelivered runs", n)
	}
	if len(c.Sinks) == 0 {
		return o, nil
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	for _, s := range c.Sinks {
		b := &box{
			o: o, sink: s, jobs: map[flow.RunID]*job{}, told: map[flow.RunID]int64{}, more: true,
			wake: make(chan struct{}, 1), slots: make(chan struct{}, atOnce),
		}
		if b.send, err = o.sender(ctx, s); err != nil {
			return nil, fmt.Errorf("the sink %s: %w", s.Name, err)
		}
		if b.graves, err = openGraves(filepath.Join(c.Dir, s.Name+".dead.jsonl")); err != nil {
			return nil, fmt.Errorf("the sink %s: %w", s.Name, err)
		}
		o.boxes = append(o.boxes, b)
	}
	return o, nil
}

func (o *Office) sender(ctx context.Context, s Sink) (sender, error) {
	kind, to := s.kind()
	switch kind {
	case "file":
		return file(to), nil
	case "webhook":
		key, err := o.key(s)
		if err != nil {
			return nil, err
		}
		token := ""
		if s.TokenFile != "" {
			text, err := os.ReadFile(s.TokenFile)
			if err != nil {
				return nil, err
			}
			token = strings.TrimSpace(string(text))
		}
		return webhook(to, key, token), nil
	}
	conf, err := o.AWS(ctx)
	if err != nil {
		return nil, err
	}
	conf.Retryer = func() aws.Retryer { return aws.NopRetryer{} } // that is done here
	switch kind {
	case "sqs":
		return queue(conf, to), nil
	case "sns":
		return topic(conf, to), nil
	}
	return bus(conf, to), nil
}

// key returns the key that signs for a webhook. Without one in its settings
// there is one beside the dead letters, made the first time.
func (o *Office) key(s Sink) ([]byte, error) {
	path := s.KeyFile
	if path == "" {
		path = filepath.Join(o.Dir, s.Name+".key")
	}
	text, err := os.ReadFile(path)
	if s.KeyFile == "" && errors.Is(err, fs.ErrNotExist) {
		fresh := make([]byte, 32)
		_, _ = cryptorand.Read(fresh) // never fails
		text = []byte(keyPrefix + base64.StdEncoding.EncodeToString(fresh) + "\n")
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return nil, err
	}
	key, err := parseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// Told takes notice that a run has news. It never blocks.
func (o *Office) Told(run flow.RunID) {
	for _, b := range o.boxes {
		b.news(run)
	}
}

// Run delivers until ctx is done.
func (o *Office) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, b := range o.boxes {
		wg.Go(func() { b.loop(ctx) })
		wg.Go(func() { b.save(ctx) })
	}
	wg.Wait()
}

// A Status is how a sink stands.
type Status struct {
	Sink    string `json:"sink"`
	To      string `json:"to"`
	Format  string `json:"format"`
	Pending int64  `json:"pending"` // steps of runs that it has not been told of
	Dead    int    `json:"dead"`
	// Failing counts the runs whose next event was not taken, Error says why
	// at the last time, which was At.
	Failing int       `json:"failing"`
	Error   string    `json:"error,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// Statuses says how each sink stands.
func (o *Office) Statuses(ctx context.Context) ([]Status, error) {
	pending, err := o.Store.Backlog(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Status, len(o.boxes))
	for i, b := range o.boxes {
		all[i] = b.status()
		all[i].Pending = pending[b.sink.Name]
	}
	return all, nil
}

// Dead lists the first dead letters of a sink.
func (o *Office) Dead(name string, limit int) ([]DeadLetter, error) {
	b, err := o.box(name)
	if err != nil {
		return nil, err
	}
	return b.graves.list(limit)
}

// DeadCounts says how many dead letters each sink has.
func (o *Office) DeadCounts() map[string]int {
	all := make(map[string]int, len(o.boxes))
	for _, b := range o.boxes {
		all[b.sink.Name] = b.graves.count()
	}
	return all
}

// Redrive sends the dead letters of a sink again until one is not taken, and
// returns how many were. A flow.Conflict says why not all of them.
func (o *Office) Redrive(ctx context.Context, name string) (int, error) {
	b, err := o.box(name)
	if err != nil {
		return 0, err
	}
	n, err := b.graves.redrive(ctx, func(ctx context.Context, d DeadLetter) error {
		e := Event{ID: d.ID, DetailType: d.Kind, Topic: flow.RunID(d.Run)}
		if b.sink.Format == Bridge {
			e.Detail = new(json.RawMessage) // as it was sent
			if err := json.Unmarshal(d.Body, &e); err != nil {
				return err
			}
		}
		_, err := b.send(ctx, []letter{{&e, d.Body}})
		return err
	})
	if err != nil {
		return n, flow.Errorf(flow.Conflict, "%d were taken, then: %w", n, err)
	}
	return n, nil
}

func (o *Office) box(name string) (*box, error) {
	for _, b := range o.boxes {
		if b.sink.Name == name {
			return b, nil
		}
	}
	return nil, flow.Errorf(flow.NotFound, "there is no sink %q", name).About("sink", name)
}

const (
	// atOnce is how many runs a sink is told of at once.
	atOnce = 8
	// maxJobs bounds how many runs are known in memory to have news for a
	// sink. The others are in the store.
	maxJobs = 10_000
	// fewEntries is how many entries are read, and sent, at once.
	fewEntries = 100
	// saveEvery is how often it is kept how far a sink got. What was sent since
	// is sent again after a crash.
	saveEvery = 250 * time.Millisecond

	firstPause, longestPause = time.Second, 5 * time.Minute
)

// A box delivers to one sink.
type box struct {
	o      *Office
	sink   Sink
	send   sender
	graves *graves
	wake   chan struct{}
	slots  chan struct{}

	mu   sync.Mutex
	jobs map[flow.RunID]*job
	fifo []flow.RunID // those that may be worked at now
	// more says that the store may know of runs beside those in jobs.
	more   bool
	looked time.Time // when the store was asked last
	// told is how far the sink got with runs, where that is not kept yet.
	told  map[flow.RunID]int64
	fault error
	at    time.Time
}

// A job is a run that has news for a sink.
type job struct {
	busy, again bool
	tries       int       // of its next event
	since       time.Time // of the first
	due         time.Time // zero: at once
	skip        int       // events of the next entry that are delivered
}

func (b *box) news(run flow.RunID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.enter(run)
	b.stir()
}

// enter makes a job of a run, unless it is one that will be worked at
// anyway; b.mu is held.
func (b *box) enter(run flow.RunID) {
	switch j := b.jobs[run]; {
	case j != nil:
		j.again = true
	case len(b.jobs) >= maxJobs:
		b.more = true
	default:
		b.jobs[run] = &job{}
		b.fifo = append(b.fifo, run)
	}
}

func (b *box) stir() {
	select {
	case b.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// loop hands jobs to goroutines, and waits for those at the end.
func (b *box) loop(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		b.fill(ctx)
		run, j, wait := b.next()
		if j == nil {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
			case <-b.wake:
			case <-timer.C:
			}
			continue
		}
		select {
		case <-ctx.Done():
		case b.slots <- struct{}{}:
			wg.Go(func() {
				defer func() { <-b.slots }()
				b.work(ctx, run, j)
			})
		}
	}
}

// lookAgain is how often a sink with nothing to do looks for what it may have
// missed.
const lookAgain = 30 * time.Second

// next returns a job to work at, or how long there is none.
func (b *box) next() (flow.RunID, *job, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.fifo) > 0 {
		run := b.fifo[0]
		b.fifo = b.fifo[1:]
		j := b.jobs[run]
		j.busy, j.again = true, false
		return run, j, 0
	}
	wait := lookAgain
	for run, j := range b.jobs {
		if j.busy || j.due.IsZero() {
			continue
		}
		left := time.Until(j.due)
		if left <= 0 {
			j.busy, j.again = true, false
			return run, j, 0
		}
		wait = min(wait, left)
	}
	return "", nil, wait
}

// fill takes in jobs from the store, once few are left in memory.
func (b *box) fill(ctx context.Context) {
	b.mu.Lock()
	// A step may have been saved without an answer, so that nobody told of it.
	wanted := (b.more || time.Since(b.looked) >= lookAgain) && len(b.jobs) <= maxJobs/2
	if wanted {
		b.more, b.looked = false, time.Now()
	}
	b.mu.Unlock()
	for after := flow.RunID(""); wanted; {
		const page = 1000
		runs, err := b.o.Store.Undelivered(ctx, b.sink.Name, after, page)
		b.mu.Lock()
		if err != nil {
			b.more = true
		}
		for _, run := range runs {
			b.enter(run)
		}
		wanted = len(runs) == page && !b.more
		b.mu.Unlock()
		if err != nil {
			if ctx.Err() == nil {
				b.o.Log.ErrorContext(ctx, "look for events to deliver", "sink", b.sink.Name, "err", err)
				sleep(ctx, time.Second)
			}
			return
		}
		if len(runs) > 0 {
			after = runs[len(runs)-1]
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// work tells the sink all there is of a run, and decides when to go on where
// that fails.
func (b *box) work(ctx context.Context, run flow.RunID, j *job) {
	err := b.tell(ctx, run, j)
	b.mu.Lock()
	defer b.mu.Unlock()
	j.busy = false
	switch {
	case ctx.Err() != nil:
	case err != nil:
		b.fault, b.at = err, time.Now()
		j.due = b.at.Add(pause(j.tries))
	case j.again:
		j.due = time.Time{}
		b.fifo = append(b.fifo, run)
	default:
		delete(b.jobs, run)
	}
	b.stir()
}

// pause is how long to wait after so many tries: twice as long each time, and
// not all at once.
func pause(tries int) time.Duration {
	d := longestPause
	if tries < 10 {
		d = min(d, firstPause<<max(tries-1, 0))
	}
	return d/2 + rand.N(d/2)
}

// tell sends the sink all that there is of a run. An error means that the
// next event was not taken, or could not be read.
func (b *box) tell(ctx context.Context, run flow.RunID, j *job) error {
	seq, ok, err := b.cursor(ctx, run)
	if err != nil || !ok {
		return b.unread(ctx, run, j, err)
	}
	if strings.Contains(string(run), "/") {
		return b.notices(ctx, run, seq, j)
	}
	r, err := b.o.Store.RunByID(ctx, run)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		b.keep(run, seq)
		return nil
	}
	if err != nil {
		return b.unread(ctx, run, j, err)
	}
	if seq < 0 {
		if ok, err := b.entryOf(ctx, j, r, creation(r)); err != nil || !ok {
			return err
		}
		seq = 0
		b.keep(run, seq)
	}
	for {
		entries, _, err := b.o.Store.Journal(ctx, run, flow.Page{After: fmt.Sprint(seq), Limit: fewEntries})
		if err != nil {
			return b.unread(ctx, run, j, err)
		}
		if len(entries) == 0 {
			if r.State.Final() {
				b.keep(run, seq) // to the end
			}
			return nil
		}
		for _, e := range entries {
			if ok, err := b.entryOf(ctx, j, r, e); err != nil || !ok {
				return err
			}
			seq = e.Seq
			b.keep(run, seq)
		}
	}
}

// notices sends the sink all that there is on a topic.
func (b *box) notices(ctx context.Context, topic flow.RunID, seq int64, j *job) error {
	for {
		all, err := b.o.Store.Notices(ctx, topic, seq, fewEntries)
		if err != nil {
			return b.unread(ctx, topic, j, err)
		}
		if len(all) == 0 {
			b.keep(topic, seq) // to the end
			return nil
		}
		for _, n := range all {
			if b.o.Others != nil {
				t, err := b.o.Others.TellNotice(n)
				if err != nil {
					return b.unread(ctx, topic, j, err)
				}
				events := b.o.Words.told(flow.Run{ID: topic}, flow.Entry{Seq: n.Seq, At: n.At}, []Told{t})
				if err := b.entry(ctx, j, events); err != nil {
					return err
				}
			}
			seq = n.Seq
			b.keep(topic, seq)
		}
	}
}

func (b *box) unread(ctx context.Context, run flow.RunID, j *job, err error) error {
	if err != nil && ctx.Err() == nil {
		j.tries++
		b.o.Log.ErrorContext(ctx, "read the events of a run", "sink", b.sink.Name, "run", run, "err", err)
	}
	return err
}

// entryOf sends what an entry of a run's journal means; false if that is not
// known yet.
func (b *box) entryOf(ctx context.Context, j *job, r flow.Run, e flow.Entry) (bool, error) {
	if r.Version != "" {
		return true, b.entry(ctx, j, b.o.Words.of(r, e))
	}
	if b.o.Others == nil {
		return true, nil
	}
	all, known, err := b.o.Others.Tell(ctx, r, e)
	if err != nil || !known {
		return false, b.unread(ctx, r.ID, j, err)
	}
	return true, b.entry(ctx, j, b.o.Words.told(r, e, all))
}

// entry sends the events of one entry, but for those that have been. One that
// has been tried for too long, or is refused, is a dead letter.
func (b *box) entry(ctx context.Context, j *job, events []Event) error {
	var letters []letter
	for _, e := range events {
		if !b.sink.wants(&e) {
			continue
		}
		l, ok, err := b.sink.letter(e, b.o.Words.Account+"/"+b.o.Words.Region)
		if err != nil {
			return fmt.Errorf("write event %s: %w", e.ID, err)
		}
		if ok {
			letters = append(letters, l)
		}
	}
	for j.skip < len(letters) {
		n, err := b.send(ctx, letters[j.skip:])
		if n > 0 {
			j.skip += n
			j.tries, j.since = 0, time.Time{}
		}
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if j.since.IsZero() {
			j.since = time.Now()
		}
		j.tries++
		if !errors.Is(err, errRefused) && time.Since(j.since) < time.Duration(b.sink.GiveUp) {
			b.o.Log.DebugContext(ctx, "an event was not taken", "sink", b.sink.Name, "event", letters[j.skip].event.ID, "tries", j.tries, "err", err)
			return err
		}
		l := letters[j.skip]
		if err := b.graves.bury(DeadLetter{
			At: time.Now().UTC(), Tries: j.tries, Error: err.Error(), ID: l.event.ID, Kind: l.event.DetailType, Run: string(l.event.Topic), Body: l.body,
		}); err != nil {
			return fmt.Errorf("keep a dead letter: %w", err)
		}
		b.o.Log.WarnContext(ctx, "an event is given up", "sink", b.sink.Name, "event", l.event.ID, "type", l.event.DetailType, "tries", j.tries, "err", err)
		j.skip, j.tries, j.since = j.skip+1, 0, time.Time{}
	}
	j.skip = 0
	return nil
}

// cursor returns how far the sink got with a run.
func (b *box) cursor(ctx context.Context, run flow.RunID) (int64, bool, error) {
	b.mu.Lock()
	seq, ok := b.told[run]
	b.mu.Unlock()
	if ok {
		return seq, true, nil
	}
	return b.o.Store.Cursor(ctx, b.sink.Name, run)
}

// keep notes how far the sink got with a run.
func (b *box) keep(run flow.RunID, seq int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told[run] = seq
}

// save keeps in the store, now and then, how far the sink got.
func (b *box) save(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case <-ctx.Done():
			over = true
		case <-tick.C:
		}
		b.mu.Lock()
		upTo := make(map[flow.RunID]int64, len(b.told))
		for run, seq := range b.told {
			upTo[run] = seq
		}
		b.mu.Unlock()
		if len(upTo) == 0 {
			continue
		}
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		err := b.o.Store.Delivered(limit, b.sink.Name, upTo)
		cancel()
		if err != nil {
			b.o.Log.ErrorContext(ctx, "keep how far a sink got", "sink", b.sink.Name, "err", err)
			continue
		}
		b.mu.Lock()
		for run, seq := range upTo {
			if b.told[run] == seq {
				delete(b.told, run)
			}
		}
		b.mu.Unlock()
	}
}

func (b *box) status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Status{Sink: b.sink.Name, To: b.sink.To, Format: b.sink.Format, Dead: b.graves.count()}
	for _, j := range b.jobs {
		if j.tries > 0 && !j.due.IsZero() {
			s.Failing++
		}
	}
	if s.Failing > 0 && b.fault != nil {
		s.Error, s.At = b.fault.Error(), b.at
	}
	return s
}

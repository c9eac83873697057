package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// console measures what the console's pages wait for, and what watching costs
// the server.
func (b *bench) console() error {
	s := &server{binary: b.binary, data: filepath.Join(b.dir, "console")}
	if _, err := s.start(); err != nil {
		return err
	}
	defer s.stop()
	p, err := newPages(s)
	if err != nil {
		return err
	}
	for _, measure := range []func(*server, *pages) error{b.showGrid, b.showLarge, b.showLog, b.watched} {
		if err := measure(s, p); err != nil {
			return err
		}
	}
	return nil
}

// Pages asks a console as a browser does.
type pages struct {
	at   string
	http *http.Client
}

func newPages(s *server) (*pages, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	p := &pages{s.endpoint + "/console/api/", &http.Client{Jar: jar, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4}}}
	body, err := json.Marshal(map[string]string{"accessKey": s.key, "secretKey": s.secret})
	if err != nil {
		return nil, err
	}
	resp, err := p.http.Post(p.at+"login", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("sign in to the console: %s", resp.Status)
	}
	return p, nil
}

// get returns what a path answers as it travels, compressed, and how long
// that took.
func (p *pages) get(path string) ([]byte, time.Duration, error) {
	req, err := http.NewRequest(http.MethodGet, p.at+path, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	began := time.Now()
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	took := time.Since(began)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s %s", path, resp.Status, data)
	}
	return data, took, err
}

// show measures a path, the first time and then again; the control is the
// least that the console answers.
func (b *bench) show(p *pages, what, path string, aim time.Duration) error {
	data, first, err := p.get(path)
	if err != nil {
		return err
	}
	again, err := rounds(b.rounds, func() (float64, error) { _, took, err := p.get(path); return ms(took), err })
	if err != nil {
		return err
	}
	least, err := rounds(b.rounds, func() (float64, error) { _, took, err := p.get("session"); return ms(took), err })
	if err != nil {
		return err
	}
	b.table.add(row{part: "console", what: what, value: fmt.Sprintf("%.1f ms, then %.1f ms; %.0f KB", ms(first), again, float64(len(data))/1000),
		control: fmt.Sprintf("%.2f ms for the session alone", least), aim: fmt.Sprintf("< %.0f ms", ms(aim)), met: first < aim})
	return nil
}

func idIn(arn string) string {
	_, id, _ := strings.Cut(arn, ":workflow/")
	return id
}

func (b *bench) showGrid(s *server, p *pages) error {
	const tasks, runs = 1000, 50
	arn, err := s.workflow("grid", mixOf(tasks))
	if err != nil {
		return err
	}
	for range runs {
		if _, _, err := s.runListed(arn, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return b.show(p, fmt.Sprintf("grid of %d runs of %s tasks", runs, thousands(tasks)), "workflows/"+idIn(arn)+"/grid", 200*time.Millisecond)
}

func (b *bench) showLarge(s *server, p *pages) error {
	const tasks = 5000
	arn, err := s.workflow("large", mixOf(tasks))
	if err != nil {
		return err
	}
	id, _, err := s.runListed(arn, 20*time.Millisecond)
	if err != nil {
		return err
	}
	for _, one := range []struct {
		what, path string
		aim        time.Duration
	}{
		{"graph", "graph", time.Second}, {"tasks", "tasks", 200 * time.Millisecond}, {"timeline", "timeline", 500 * time.Millisecond},
	} {
		if err := b.show(p, fmt.Sprintf("%s of a run of %s tasks", one.what, thousands(tasks)), "runs/"+id+"/"+one.path, one.aim); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) showLog(s *server, p *pages) error {
	const lines = 1_000_000
	arn, err := s.workflow("log", fmt.Sprintf("log:\n  tasks:\n    talk:\n      operator: %s\n      bash_command: seq -f 'line %%.0f of a log that goes on' %d\n", bash, lines))
	if err != nil {
		return err
	}
	id, _, err := s.runListed(arn, 50*time.Millisecond)
	if err != nil {
		return err
	}
	path := "runs/" + id + "/tasks/talk/1/log"
	data, _, err := p.get("runs/" + id + "/tasks/talk/1/log/search?level=e")
	if err != nil {
		return err
	}
	var size struct{ Size int64 }
	if err := json.Unmarshal(data, &size); err != nil {
		return err
	}
	about := fmt.Sprintf("log of %d MB", size.Size/1_000_000)
	if err := b.show(p, about+", last 500 lines", path, 200*time.Millisecond); err != nil {
		return err
	}
	if err := b.show(p, about+", 500 lines from the middle", fmt.Sprintf("%s?from=%d", path, size.Size/2+7), 200*time.Millisecond); err != nil {
		return err
	}
	began, asked := time.Now(), 0
	for from := int64(0); from >= 0; asked++ {
		data, _, err := p.get(fmt.Sprintf("%s/search?q=999999&from=%d", path, from))
		if err != nil {
			return err
		}
		var found struct{ Next int64 }
		if err := json.Unmarshal(data, &found); err != nil {
			return err
		}
		from = found.Next
	}
	b.table.add(row{part: "console", what: about + ", search to its end (once)", value: fmt.Sprintf("%.0f ms", ms(time.Since(began))), control: fmt.Sprintf("%d requests", asked)})
	return nil
}

const bash = "airflow.providers.standard.operators.bash.BashOperator"

// lanes writes a definition of chains of short sleeps beside each other.
func lanes(n, length int) string {
	var d strings.Builder
	fmt.Fprintf(&d, "busy:\n  max_active_tasks: %d\n  default_args: {retries: 0}\n  tasks:\n", n)
	for i := range n {
		for k := range length {
			fmt.Fprintf(&d, "    t%d_%d:\n      operator: %s\n      bash_command: sleep 0.2\n", i, k, bash)
			if k > 0 {
				fmt.Fprintf(&d, "      dependencies: [t%d_%d]\n", i, k-1)
			}
		}
	}
	return d.String()
}

// watched compares what a busy run costs the server with and without pages
// that watch it.
func (b *bench) watched(s *server, p *pages) error {
	const watchers, width, length = 100, 20, 40
	arn, err := s.workflow("busy", lanes(width, length))
	if err != nil {
		return err
	}
	share := func(watch int) (float64, float64, error) {
		var events, size atomic.Int64
		done := func() {}
		before := s.cpu()
		began := time.Now()
		id, err := s.begin(arn)
		if err == nil && watch > 0 {
			done, err = p.watch(watch, "topic="+url.QueryEscape("run:"+id)+"&topic="+url.QueryEscape("workflow:"+idIn(arn)), &events, &size)
		}
		if err != nil {
			return 0, 0, err
		}
		err = s.await(arn, id)
		wall := time.Since(began)
		used := s.cpu() - before
		done()
		if err == nil && watch > 0 && events.Load() < int64(watch) {
			err = errors.New("the watchers were told of nothing")
		}
		return 100 * used.Seconds() / wall.Seconds(), float64(events.Load()) / wall.Seconds() / float64(max(watch, 1)), err
	}
	var with, without, rate []float64
	for range max(3, b.rounds/2) {
		alone, _, err := share(0)
		if err != nil {
			return err
		}
		seen, perSecond, err := share(watchers)
		if err != nil {
			return err
		}
		with, without, rate = append(with, seen), append(without, alone), append(rate, perSecond)
	}
	more := median(with) - median(without)
	b.table.add(row{part: "console", what: fmt.Sprintf("%d pages that watch a run of %s tasks, %d at a time: processor time of the server", watchers, thousands(width*length), width),
		value: fmt.Sprintf("%.1f%% of a core more", more), control: fmt.Sprintf("%.1f%% unwatched; %.1f events a second to each", median(without), median(rate)),
		aim: "< 10%", met: more < 10})
	return nil
}

// await polls a run, of which it lists no tasks, to its end.
func (s *server) await(arn, id string) error {
	p, err := newPages(s)
	if err != nil {
		return err
	}
	for {
		data, _, err := p.get("workflows/" + idIn(arn) + "/runs?limit=1")
		if err != nil {
			return err
		}
		var list struct{ Rows []struct{ ID, State string } }
		if err := json.Unmarshal(data, &list); err != nil {
			return err
		}
		if len(list.Rows) == 1 && list.Rows[0].ID == id && strings.Contains("sfobkcg", list.Rows[0].State) {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// watch opens streams of events and counts what they bring until it is done.
func (p *pages) watch(n int, topics string, events, size *atomic.Int64) (done func(), err error) {
	var all sync.WaitGroup
	var streams []io.Closer
	done = func() {
		for _, s := range streams {
			_ = s.Close()
		}
		all.Wait()
	}
	for range n {
		resp, err := p.http.Get(p.at + "events?" + topics)
		if err != nil {
			done()
			return nil, err
		}
		streams = append(streams, resp.Body)
		if resp.StatusCode != http.StatusOK {
			done()
			return nil, fmt.Errorf("watch %s: %s", topics, resp.Status)
		}
		all.Go(func() {
			in := bufio.NewReaderSize(resp.Body, 64<<10)
			for {
				line, err := in.ReadSlice('\n')
				size.Add(int64(len(line)))
				if bytes.HasPrefix(line, []byte("data: ")) {
					events.Add(1)
				}
				if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
					return
				}
			}
		})
	}
	return done, nil
}

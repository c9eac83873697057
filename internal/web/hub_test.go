package web

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/internal/flow"
)

// live is a console that does nothing but tell of changes.
func live(t *testing.T) *Console {
	s := &Console{
		c:       Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)},
		numbers: newCache[flow.VersionID, int](10), skeletons: newCache[string, *skeleton](10),
	}
	s.numbers.put("v", 1)
	s.skeletons.put("g", &skeleton{ids: []flow.TaskID{"a", "b", "c"}})
	s.hub = newHub(s)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.Live(ctx)
	}()
	t.Cleanup(func() { cancel(); <-over })
	return s
}

func step(rev int64, st flow.State) Change {
	return Change{
		Run:   flow.Run{ID: "r", Workflow: "w", Version: "v", Graph: "g", State: flow.Running, Rev: rev},
		Tasks: []flow.Task{{ID: "a", Index: int(rev) % 3, State: st, Attempt: 1}},
	}
}

func watchRun(t *testing.T, s *Console, last string) (*watcher, string, bool) {
	t.Helper()
	w, at, fresh, err := s.hub.watch([]string{"run:r"}, last)
	if err != nil {
		t.Fatal(err)
	}
	return w, at, fresh
}

// take returns what is in a watcher's queue.
func take(w *watcher) []string {
	var all []string
	for len(w.queue) > 0 {
		all = append(all, string(<-w.queue))
	}
	return all
}

func TestEventsAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := live(t)
		s.Stepped(step(1, flow.Ready)) // nobody watches
		one, _, _ := watchRun(t, s, "")
		two, _, _ := watchRun(t, s, "")
		for rev := int64(2); rev <= 1001; rev++ {
			s.Stepped(step(rev, flow.Running))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		a, b := take(one), take(two)
		if len(a) < 4 || len(a) > 7 {
			t.Errorf("1,000 steps in a second make %d events, want about 5", len(a))
		}
		if strings.Join(a, "") != strings.Join(b, "") {
			t.Errorf("two watchers are told\n%s\nand\n%s", a, b)
		}
		if last := a[len(a)-1]; !strings.Contains(last, `"rev":1001`) || !strings.Contains(last, `"states":"rrr"`) {
			t.Errorf("the last event is %s, want the last step", last)
		}
		s.hub.leave(one)
		s.hub.leave(two)
	})
}

func TestWhoComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := live(t)
		w, at, fresh := watchRun(t, s, "")
		if fresh {
			t.Error("who comes for the first time is told to read again")
		}
		s.hub.leave(w)
		s.Stepped(step(7, flow.Failed))
		time.Sleep(time.Second)

		w, _, fresh = watchRun(t, s, at)
		if missed := take(w); fresh || len(missed) != 1 || !strings.Contains(missed[0], `"rev":7`) {
			t.Errorf("who comes back soon is told %q (to read again: %v), want what was missed", missed, fresh)
		}
		s.hub.leave(w)
		time.Sleep(linger + 2*time.Second)
		s.hub.mu.Lock()
		left := len(s.hub.topics)
		s.hub.mu.Unlock()
		if left != 0 {
			t.Errorf("%d topics are left that nobody watches", left)
		}
		s.Stepped(step(8, flow.Failed))
		for _, last := range []string{at, "other-1", "-", s.hub.epoch + "-999"} {
			w, _, fresh = watchRun(t, s, last)
			if missed := take(w); !fresh || len(missed) != 0 {
				t.Errorf("who comes back with %q is told %q (to read again: %v), want to read again", last, missed, fresh)
			}
			s.hub.leave(w)
		}
	})
}

func TestSlowWatcherIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := live(t)
		slow, _, _ := watchRun(t, s, "")
		quick, _, _ := watchRun(t, s, "")
		seen := 0
		for rev := int64(1); rev <= int64(cap(slow.queue)+10); rev++ {
			s.Stepped(step(rev, flow.Running))
			time.Sleep(beat)
			seen += len(take(quick))
		}
		time.Sleep(time.Second)
		seen += len(take(quick))
		select {
		case <-slow.lost:
		default:
			t.Error("a watcher that reads nothing is kept")
		}
		select {
		case <-quick.lost:
			t.Error("a watcher that reads is dropped with it")
		default:
		}
		if seen <= cap(slow.queue) {
			t.Errorf("the other is told %d events", seen)
		}
		s.hub.leave(slow)
		s.hub.leave(quick)
	})
}

func TestStreamsEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Console{c: Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)}, numbers: newCache[flow.VersionID, int](10)}
		s.hub = newHub(s)
		ctx, cancel := context.WithCancel(t.Context())
		go s.Live(ctx)
		w, _, _ := watchRun(t, s, "")
		cancel()
		<-w.lost
		if _, _, _, err := s.hub.watch([]string{"run:r"}, ""); flow.KindOf(err) != flow.Busy {
			t.Errorf("a stream of a server that stops: %v, want busy", err)
		}
	})
}

func TestCacheForgetsTheOldest(t *testing.T) {
	c := newCache[int, string](3)
	for i := range 5 {
		c.put(i, fmt.Sprint(i))
		c.put(i, fmt.Sprint(i))
	}
	for i := range 5 {
		if v, ok := c.find(i); ok != (i >= 2) || ok && v != fmt.Sprint(i) {
			t.Errorf("cache of 3 after 5: %d is %q, %v", i, v, ok)
		}
	}
}

func TestWatchersHearThatARunWasDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := live(t)
		w, _, _ := watchRun(t, s, "")
		s.Stepped(step(2, flow.Running))
		s.Removed("other")
		s.Removed("r")
		time.Sleep(time.Second)
		all := take(w)
		if len(all) == 0 || !strings.Contains(all[len(all)-1], `"gone":true`) {
			t.Errorf("after the run was deleted its watchers heard\n%q, want at last that it is gone", all)
		}
	})
}

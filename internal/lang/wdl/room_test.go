package wdl

import (
	"context"
	"testing"
	"testing/synctest"

	"fairlead/internal/flow"
	"fairlead/internal/lang"
)

// TestRoom lets tasks in as there is room for them, in the order in which they
// ask.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRoom(4, 8*gib, 0)
		in := make(chan string, 10)
		releases := map[string]func(){}
		ask := func(ctx context.Context, name string, cpus int, memory int64, runs bool) {
			go func() {
				release, _ := r.take(ctx, &guest{asks: Resources{CPUs: cpus, Memory: memory}}, runs)
				releases[name] = release
				in <- name
			}()
			synctest.Wait()
		}
		entered := func(want ...string) {
			t.Helper()
			synctest.Wait()
			for _, name := range want {
				if len(in) == 0 {
					t.Fatalf("%s does not get in", name)
				}
				if got := <-in; got != name {
					t.Fatalf("%s got in, want %s", got, name)
				}
			}
			if len(in) > 0 {
				t.Fatalf("%s got in, too", <-in)
			}
		}
		ask(t.Context(), "a", 3, gib, false)
		entered("a")
		ask(t.Context(), "large", 100, 100*gib, false) // all that there is
		gone, leave := context.WithCancel(t.Context())
		ask(gone, "gone", 1, gib, false)
		ask(t.Context(), "small", 1, gib, false) // behind the large one
		entered()
		ask(t.Context(), "running", 4, gib, true) // nobody asks what runs already
		entered("running")
		leave()
		entered("gone") // without room
		releases["gone"]()
		releases["a"]()
		entered()
		releases["running"]()
		entered("large")
		releases["large"]()
		entered("small")
		releases["small"]()

		// A room that changes lets in who fits now, and takes no more than there is.
		ask(t.Context(), "first", 3, gib, false)
		entered("first")
		ask(t.Context(), "second", 3, gib, false)
		entered()
		r.Resize(6, 8*gib, 0)
		entered("second")
		r.Resize(2, 8*gib, 0) // both are still in
		ask(t.Context(), "third", 3, gib, false)
		releases["first"]()
		entered()
		releases["second"]()
		entered("third")
		releases["third"]()
		r.Resize(4, 8*gib, 0)
		if r.cpus != 4 || r.memory != 8*gib || len(r.queue) != 0 {
			t.Errorf("in the end there are %d processors and %d bytes, want 4 and %d", r.cpus, r.memory, int64(8*gib))
		}
	})
}

// What waits for room says for what, how much there is, and that it is not the
// first: a small task does not pass a large one for which there is no room.
func TestRoomSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRoom(4, 8*gib, 0)
		leave, _ := r.take(t.Context(), &guest{asks: Resources{CPUs: 3, Memory: gib}}, false)
		large, small := &guest{asks: Resources{CPUs: 64, Memory: 2 * gib}}, &guest{asks: Resources{CPUs: 1, Memory: gib}}
		for _, g := range []*guest{large, small} {
			go r.take(t.Context(), g, false)
			synctest.Wait()
		}
		for _, tt := range []struct {
			g    *guest
			want string
		}{
			{large, "waits for 4 processors and 2 GiB of memory here, with 1 of 4 processors, 7 of 8 GiB of memory free"}, // all that there is
			{small, "waits for 1 processor and 1 GiB of memory here, with 1 of 4 processors, 7 of 8 GiB of memory free; 1 task waits before it"},
		} {
			if got := r.says(tt.g, "here"); got != tt.want {
				t.Errorf("%+v says %q, want %q", tt.g.asks, got, tt.want)
			}
		}
		leave()
		if got := r.says(large, "here"); got != "" {
			t.Errorf("what is in says %q", got)
		}
	})
}

// What an earlier server has begun keeps its room until it is performed again,
// whoever else is performed first.
func TestReserveKeepsRoom(t *testing.T) {
	group := NewRoom(2, 64*gib, 0)
	p := &Performer{Room: NewRoom(8, 64*gib, 0), Share: func(flow.Run) *Room { return group }}
	run := flow.Run{ID: "r"}
	mark := Usage{CPUs: 2, Memory: gib}.mark()
	under := flow.Task{ID: "under", Index: 1, Attempt: 1, State: flow.Running, Handle: "h", Mark: mark}
	p.Reserve(run, under)
	p.Reserve(run, flow.Task{ID: "next", Index: 2, Attempt: 1, State: flow.Starting, Mark: mark}) // has not begun
	for _, r := range []*Room{group, p.Room} {
		if free := r.whole.CPUs - r.cpus; free != 2 {
			t.Errorf("%d processors are kept of %d, want 2", free, r.whole.CPUs)
		}
	}
	w := &work{Performer: p, Attempt: lang.Attempt{Run: run, Task: under}}
	leave, err := w.enter(t.Context(), &call{want: Resources{CPUs: 2, Memory: gib}}, nil)
	if err != nil || group.cpus != 0 || p.Room.cpus != 6 {
		t.Errorf("while it is performed %d and %d processors are left, %v; want 0 and 6", group.cpus, p.Room.cpus, err)
	}
	leave()
	if group.cpus != 2 || p.Room.cpus != 8 {
		t.Errorf("after it %d and %d processors are left, want 2 and 8", group.cpus, p.Room.cpus)
	}
	p.Reserve(run, under)
	p.giveBack(AttemptID(run.ID, under)) // it was found to have ended
	if group.cpus != 2 || p.Room.cpus != 8 {
		t.Errorf("of one that has ended %d and %d processors are left, want 2 and 8", group.cpus, p.Room.cpus)
	}
}

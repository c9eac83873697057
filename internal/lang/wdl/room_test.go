package wdl

import (
	"context"
	"testing"
	"testing/synctest"
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
				release, _ := r.take(ctx, Resources{CPUs: cpus, Memory: memory}, runs)
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

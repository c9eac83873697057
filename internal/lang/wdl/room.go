package wdl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Room is what tasks may use of a machine together. Who asks first is
// served first, so that a large task is not passed by for ever.
type Room struct {
	mu     sync.Mutex
	cpus   int
	memory int64
	gpus   int
	whole  Resources
	queue  []*guest
}

// A guest waits for room. Its maker says what it asks for.
type guest struct {
	asks Resources
	has  Resources // of the room, once it is in
	in   chan struct{}
}

// NewRoom returns a room of some processors, bytes of memory, and
// accelerators.
func NewRoom(cpus int, memory int64, gpus int) *Room {
	return &Room{cpus: cpus, memory: memory, gpus: gpus, whole: Resources{CPUs: cpus, Memory: memory, GPUs: gpus}}
}

// Resize makes the room as large as a new one of so much. Who is in stays, and
// who waits is let in if there is room now.
func (r *Room) Resize(cpus int, memory int64, gpus int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cpus, r.memory, r.gpus = r.cpus+cpus-r.whole.CPUs, r.memory+memory-r.whole.Memory, r.gpus+gpus-r.whole.GPUs
	r.whole = Resources{CPUs: cpus, Memory: memory, GPUs: gpus}
	r.admit()
}

// take waits until there is room, or the context ends, and returns what gives
// it back, and whether there was any. What runs already does not wait. A task
// that wants more than there is gets all of it.
func (r *Room) take(ctx context.Context, g *guest, runs bool) (release func(), in bool) {
	if r == nil {
		return func() {}, true
	}
	g.in = make(chan struct{})
	r.mu.Lock()
	if runs {
		r.enter(g)
	} else {
		r.queue = append(r.queue, g)
		r.admit()
	}
	r.mu.Unlock()
	release = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.cpus, r.memory, r.gpus = r.cpus+g.has.CPUs, r.memory+g.has.Memory, r.gpus+g.has.GPUs
		r.admit()
	}
	if runs {
		return release, true
	}
	select {
	case <-g.in:
		return release, true
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.queue, g); i >= 0 {
		r.queue = slices.Delete(r.queue, i, i+1)
		r.admit()
		return func() {}, false
	}
	return release, true // it was let in at the same moment
}

// share returns what a guest gets of what it asks for: no more than there is.
func (r *Room) share(g *guest) Resources {
	return Resources{CPUs: min(g.asks.CPUs, r.whole.CPUs), Memory: min(g.asks.Memory, r.whole.Memory), GPUs: min(g.asks.GPUs, r.whole.GPUs)}
}

// admit lets in those in front for whom there is room.
func (r *Room) admit() {
	for len(r.queue) > 0 {
		g := r.queue[0]
		if want := r.share(g); want.CPUs > r.cpus || want.Memory > r.memory || want.GPUs > r.gpus {
			return
		}
		r.queue = r.queue[1:]
		r.enter(g)
	}
}

// enter lets a guest in.
func (r *Room) enter(g *guest) {
	g.has = r.share(g)
	r.cpus, r.memory, r.gpus = r.cpus-g.has.CPUs, r.memory-g.has.Memory, r.gpus-g.has.GPUs
	close(g.in)
}

// endless is more than any machine has of anything, in the room of a group that
// does not bound it.
const endless = 1 << 30

// says returns what a guest waits for in a room of some name; empty if it does
// not wait.
func (r *Room) says(g *guest, name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := slices.Index(r.queue, g)
	if before < 0 {
		return ""
	}
	want := r.share(g)
	var free []string
	have := func(left, whole int64, what string) {
		if whole < endless {
			free = append(free, fmt.Sprintf("%d of %d %s", max(left, 0), whole, what))
		}
	}
	have(int64(r.cpus), int64(r.whole.CPUs), "processors")
	have(r.memory/gib, r.whole.Memory/gib, "GiB of memory")
	if want.GPUs > 0 {
		have(int64(r.gpus), int64(r.whole.GPUs), "GPUs")
	}
	text := fmt.Sprintf("waits for %s %s", want, name)
	if len(free) > 0 {
		text += ", with " + strings.Join(free, ", ") + " free"
	}
	switch before {
	case 0:
		return text
	case 1:
		return text + "; 1 task waits before it"
	}
	return text + fmt.Sprintf("; %d tasks wait before it", before)
}

// has reports whether who came now would be let in at once.
func (r *Room) has(want Resources) bool {
	if r == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	want = r.share(&guest{asks: want})
	return len(r.queue) == 0 && want.CPUs <= r.cpus && want.Memory <= r.memory && want.GPUs <= r.gpus
}

package wdl

import (
	"context"
	"slices"
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

// A guest waits for room.
type guest struct {
	want Resources
	in   chan struct{}
}

// NewRoom returns a room of some processors, bytes of memory, and
// accelerators.
func NewRoom(cpus int, memory int64, gpus int) *Room {
	return &Room{cpus: cpus, memory: memory, gpus: gpus, whole: Resources{CPUs: cpus, Memory: memory, GPUs: gpus}}
}

// take waits until there is room, or the context ends, and returns what gives
// it back. What runs already does not wait. A task that wants more than there
// is gets all of it.
func (r *Room) take(ctx context.Context, want Resources, runs bool) (release func()) {
	if r == nil {
		return func() {}
	}
	want.CPUs, want.Memory, want.GPUs = min(want.CPUs, r.whole.CPUs), min(want.Memory, r.whole.Memory), min(want.GPUs, r.whole.GPUs)
	g := &guest{want, make(chan struct{})}
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
		r.cpus, r.memory, r.gpus = r.cpus+want.CPUs, r.memory+want.Memory, r.gpus+want.GPUs
		r.admit()
	}
	select {
	case <-g.in:
		return release
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.queue, g); i >= 0 {
		r.queue = slices.Delete(r.queue, i, i+1)
		r.admit()
		return func() {}
	}
	return release // it was let in at the same moment
}

// admit lets in those in front for whom there is room.
func (r *Room) admit() {
	for len(r.queue) > 0 {
		g := r.queue[0]
		if g.want.CPUs > r.cpus || g.want.Memory > r.memory || g.want.GPUs > r.gpus {
			return
		}
		r.queue = r.queue[1:]
		r.enter(g)
	}
}

// enter lets a guest in.
func (r *Room) enter(g *guest) {
	r.cpus, r.memory, r.gpus = r.cpus-g.want.CPUs, r.memory-g.want.Memory, r.gpus-g.want.GPUs
	close(g.in)
}

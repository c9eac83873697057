package ebb

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// between is how far apart collections of the heap are to be. One takes
	// the time that it takes to walk through what lives, however much garbage
	// it finds, and delays whatever wants an answer meanwhile.
	between = time.Second / 2
	// garbage bounds what may lie about for that, in bytes.
	garbage = 32 << 20
	// calm is how long after the last collection no more garbage is expected.
	calm = 10 * time.Second
)

// Tide lets the heap of this process grow further between two collections
// while so much is allocated that they would follow each other closely, and
// gives the memory back when that is over. It returns when ctx is done, and at
// once if the environment says by GOGC how far the heap is to grow. A limit by
// GOMEMLIMIT is kept to.
func Tide(ctx context.Context) {
	if os.Getenv("GOGC") == "" {
		tide(ctx, calm)
	}
}

// usual is by how many percent of what lives Go lets the heap grow.
const usual = 100

func tide(ctx context.Context, calm time.Duration) {
	defer debug.SetGCPercent(usual)
	collected := make(chan struct{}, 1)
	quiet := time.NewTimer(calm)
	defer quiet.Stop()
	percent, made, began := usual, allocated(), time.Now()
	for watch(collected); ; {
		select {
		case <-ctx.Done():
			return
		case <-quiet.C:
			if percent != usual {
				debug.FreeOSMemory() // a collection, before which little was allocated
			}
			continue
		case <-collected:
		}
		watch(collected)
		now, all := time.Now(), allocated()
		if p := max(usual, growth(live(), all-made, now.Sub(began))); p != percent {
			percent = p
			debug.SetGCPercent(percent)
		}
		made, began = all, now
		quiet.Reset(calm)
	}
}

// growth returns by how many percent of what lives the heap should grow before
// the next collection, when so much was allocated in the time since the last.
func growth(live, made uint64, over time.Duration) int {
	rate := float64(made) / max(over, time.Millisecond).Seconds()
	room := min(rate*between.Seconds(), garbage)
	return int(100 * room / float64(max(live, 1<<20)))
}

// A mark is garbage as soon as it is made. It has a pointer, so that it is an
// object by itself.
type mark struct{ _ *mark }

// watch sends to c after the next collection, unless c is full.
func watch(c chan<- struct{}) {
	runtime.AddCleanup(&mark{}, func(c chan<- struct{}) {
		select {
		case c <- struct{}{}:
		default:
		}
	}, c)
}

// allocated is how many bytes the process has allocated since it began.
func allocated() uint64 { return sample("/gc/heap/allocs:bytes") }

// live is how many bytes the last collection found in use.
func live() uint64 { return sample("/gc/heap/live:bytes") }

func sample(name string) uint64 {
	s := []metrics.Sample{{Name: name}}
	if metrics.Read(s); s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}

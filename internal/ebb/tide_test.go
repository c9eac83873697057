package ebb

import (
	"context"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestGrowth(t *testing.T) {
	for _, tt := range []struct {
		name       string
		live, made uint64
		over       time.Duration
		want       int
	}{
		{"a busy server has two collections a second", 8 << 20, 8 << 20, 250 * time.Millisecond, 200},
		{"and one that is busier still keeps to the bound", 8 << 20, 8 << 20, 50 * time.Millisecond, 400},
		{"an idle one needs none", 8 << 20, 8 << 20, time.Minute, 0},
		{"what lives may be more than the bound", 256 << 20, 256 << 20, time.Second, 12},
		{"nothing lives, nothing is made, in no time", 0, 0, 0, 0},
		{"nothing lives", 0, 1 << 20, 0, 3200},
	} {
		if got := growth(tt.live, tt.made, tt.over); got != tt.want {
			t.Errorf("%s: growth(%d, %d, %s) = %d %%, want %d", tt.name, tt.live, tt.made, tt.over, got, tt.want)
		}
	}
}

// TestTide allocates until the heap may grow further than usual, ends, and sees
// that it may not for long.
func TestTide(t *testing.T) {
	gogc := []metrics.Sample{{Name: "/gc/gogc:percent"}} // one, for who waits must not allocate
	percent := func() uint64 { metrics.Read(gogc); return gogc[0].Value.Uint64() }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tide(ctx, 10*time.Millisecond)
	}()
	var keep []byte
	rise := func() {
		for percent() <= usual {
			keep = make([]byte, 1<<20)
		}
	}
	rise()
	for percent() > usual { // nobody allocates now
		runtime.Gosched()
	}
	rise()
	cancel()
	<-ended
	if got := percent(); got != usual {
		t.Errorf("the heap grows by %d %% after the end, want %d as before", got, usual)
	}
	runtime.KeepAlive(keep)
}

func TestTideLeavesGOGCAlone(t *testing.T) {
	t.Setenv("GOGC", "50")
	Tide(t.Context()) // returns at once
}

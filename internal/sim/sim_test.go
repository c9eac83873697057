package sim

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairlead/internal/sim/world"
)

// machine builds the world once for all tests.
var machine = sync.OnceValues(func() (*Machine, error) {
	dir, err := os.MkdirTemp("", "fairlead-sim-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return Build(context.Background(), dir)
})

// TestSameSeedSameTranscript lives some worlds twice, once with all of the
// transcript kept and beside others.
func TestSameSeedSameTranscript(t *testing.T) {
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			first, err := m.Run(t.Context(), seed, "", false)
			if err != nil {
				t.Fatal(err)
			}
			again, err := m.Run(t.Context(), seed, "", true)
			if err != nil {
				t.Fatal(err)
			}
			if first.Hash != again.Hash || first.Bytes != again.Bytes || again.Bytes < 500 {
				t.Errorf("seed %d: transcripts of %d bytes with hash %x, then of %d with %x", seed, first.Bytes, first.Hash, again.Bytes, again.Hash)
			}
		})
	}
}

// TestBrokenWorldsAreNoticed breaks the contract of the store or the driver
// in each way that the world knows: among a few hundred seeds, one must fail.
func TestBrokenWorldsAreNoticed(t *testing.T) {
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range world.Broken() {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(500) {
				res, err := m.Run(t.Context(), seed, broken, false)
				if err != nil {
					t.Fatal(err)
				}
				if !res.OK {
					_, what, _ := strings.Cut(res.Tail, "VIOLATION: ")
					t.Logf("after %d seeds: %.200s", seed+1, what)
					return
				}
			}
			t.Errorf("a world that is broken in the way %q is not noticed", broken)
		})
	}
}

// maxFailures is how many seeds may fail before the rest is left.
const maxFailures = 5

func TestSeeds(t *testing.T) {
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	if text := os.Getenv("FAIRLEAD_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("FAIRLEAD_SEED=%s: %v", text, err)
		}
		res, err := m.Run(t.Context(), seed, "", true)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Print(res.Tail)
		if !res.OK {
			t.Errorf("seed %d fails", seed)
		}
		return
	}
	n := uint64(2_000)
	if testing.Short() {
		n = 200
	}
	if text := os.Getenv("FAIRLEAD_SEEDS"); text != "" {
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("FAIRLEAD_SEEDS=%s: %v", text, err)
		}
	}
	begin := time.Now()
	var next, failed atomic.Uint64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1); seed <= n && failed.Load() < maxFailures; seed = next.Add(1) {
				res, err := m.Run(t.Context(), seed, "", false)
				if err != nil {
					t.Error(err)
					return
				}
				if !res.OK {
					failed.Add(1)
					t.Errorf("seed %d fails; FAIRLEAD_SEED=%d go test -run TestSeeds ./internal/sim shows all of it. Its end:\n%s", seed, seed, res.Tail)
				}
				if seed%50_000 == 0 {
					fmt.Printf("%d seeds, %.0f a second\n", seed, float64(seed)/time.Since(begin).Seconds())
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds in %s", min(next.Load()-1, n), time.Since(begin))
}

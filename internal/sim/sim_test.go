package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairlead/internal/sim/world"
)

var (
	shared     sync.Once
	machine    *Machine
	machineErr error
	machineDir string
)

// theMachine builds the world once for all tests.
func theMachine(t *testing.T) *Machine {
	t.Helper()
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	shared.Do(func() {
		if machineDir, machineErr = os.MkdirTemp("", "fairlead-sim-"); machineErr == nil {
			machine, machineErr = Build(context.Background(), machineDir, nil)
		}
	})
	if machineErr != nil {
		t.Fatal(machineErr)
	}
	return machine
}

func TestMain(m *testing.M) {
	code := m.Run()
	if machine != nil {
		if err := machine.Close(); err != nil {
			fmt.Println(err)
			code = max(code, 1)
		}
	}
	_ = os.RemoveAll(machineDir)
	os.Exit(code)
}

// one lives one world.
func one(t *testing.T, m *Machine, o Order) (res Result) {
	t.Helper()
	o.Count = 1
	if err := m.Run(t.Context(), o, func(r Result) bool { res = r; return true }); err != nil {
		t.Fatal(err)
	}
	return res
}

// TestSameSeedSameTranscript lives some worlds twice: after others, and alone
// with all of the transcript kept.
func TestSameSeedSameTranscript(t *testing.T) {
	m := theMachine(t)
	err := m.Run(t.Context(), Order{From: 0, Count: 30}, func(first Result) bool {
		again := one(t, m, Order{From: first.Seed, Whole: true})
		if first.Hash != again.Hash || first.Bytes != again.Bytes || len(again.Text) != again.Bytes || again.Bytes < 500 {
			t.Errorf("seed %d: transcripts of %d bytes with hash %x, then of %d (%d are there) with %x", first.Seed, first.Bytes, first.Hash, again.Bytes, len(again.Text), again.Hash)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBrokenWorldsAreNoticed breaks the contract of the store or the driver
// in each way that the world knows: among a few hundred seeds, one must fail.
func TestBrokenWorldsAreNoticed(t *testing.T) {
	m := theMachine(t)
	for _, broken := range world.Broken() {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			noticed(t, m, Order{Count: 500, Broken: broken})
		})
	}
}

// noticed checks that one of some worlds fails.
func noticed(t *testing.T, m *Machine, o Order) {
	t.Helper()
	var bad *Result
	err := m.Run(t.Context(), o, func(r Result) bool {
		if !r.OK {
			bad = &r
		}
		return r.OK
	})
	if err != nil {
		t.Fatal(err)
	}
	if bad == nil {
		t.Fatalf("none of %d worlds notices", o.Count)
	}
	_, what, _ := strings.Cut(bad.Text, "VIOLATION: ")
	if what == "" {
		what = bad.Text
	}
	t.Logf("after %d seeds: %.200s", bad.Seed-o.From+1, what)
}

const (
	// maxFailures is how many seeds may fail before the rest is left.
	maxFailures = 5
	// portion is how many seeds are lived in one go.
	portion = 50
	// enough is how long that goes on where nobody has said how many: on a slow
	// machine fewer worlds are lived.
	enough = 2 * time.Minute
)

// TestSeeds lives worlds. FAIRLEAD_SEED alone says which one, and shows it;
// with FAIRLEAD_SEEDS, which says how many, it is the first of them.
func TestSeeds(t *testing.T) {
	m := theMachine(t)
	first, one1 := number(t, "FAIRLEAD_SEED", 1)
	n, many := number(t, "FAIRLEAD_SEEDS", 10_000)
	if one1 && !many {
		res := one(t, m, Order{From: first, Whole: true})
		fmt.Print(res.Text)
		if !res.OK {
			t.Errorf("seed %d fails", first)
		}
		return
	}
	if testing.Short() && !many {
		n = 500
	}
	begin := time.Now()
	var taken, failed atomic.Uint64
	var sum totals
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for failed.Load() < maxFailures && (many || time.Since(begin) < enough) {
				from := taken.Add(portion) - portion
				if from >= n {
					return
				}
				err := m.Run(t.Context(), Order{From: first + from, Count: min(portion, n-from)}, func(r Result) bool {
					sum.add(r)
					if r.OK {
						return true
					}
					t.Errorf("seed %d fails; FAIRLEAD_SEED=%d go test -run TestSeeds ./internal/sim shows all of it. Its end:\n%s", r.Seed, r.Seed, ending(t, m, r.Seed))
					return failed.Add(1) < maxFailures
				})
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
					return
				}
				if lived := from + portion; lived%20_000 == 0 {
					fmt.Printf("%s: about %d seeds are done, up to seed %d; %s\n", time.Now().UTC().Format(time.TimeOnly), lived, first+lived-1, sum.text(time.Since(begin)))
				}
			}
		})
	}
	wg.Wait()
	t.Log(sum.text(time.Since(begin)))
	t.Log(sum.kindsText())
	for _, what := range trouble {
		if sum.worlds >= 2000 && sum.kinds[what] == 0 {
			t.Errorf("in %d worlds there was no %q", sum.worlds, what)
		}
	}
}

// trouble is what some world of a few hundred must have seen.
var trouble = []string{
	"write-fails", "answer-lost", "answer-late", "slow-write", "store-breaks", "read-fails", "terms-unread",
	"killed", "dies-before-write", "dies-after-write", "shut-down", "machine-down", "keeper-killed", "clock-set",
	"driver-fails", "driver-panics", "loses-sight", "loses-sight-ending", "hangs", "ends-slowly", "taken-up-again", "worker-lost",
	"lies-about-when", "lies-about-end", "tells-another-end", "no-room", "pauses", "quarrel", "regrouped",
}

// ending lives a world that failed once more, for the end of its transcript.
func ending(t *testing.T, m *Machine, seed uint64) string {
	text := one(t, m, Order{From: seed, Whole: true}).Text
	return text[max(0, len(text)-8_000):]
}

// number reads a variable of the environment.
func number(t *testing.T, name string, otherwise uint64) (n uint64, set bool) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, text, err)
	}
	return n, true
}

// totals are the sums of what the worlds report.
type totals struct {
	mu     sync.Mutex
	worlds int
	bytes  int
	counts [6]int
	kinds  map[string]int // what happened how often
	seen   map[string]int // in how many worlds
	mixed  int            // sum over the worlds of how many kinds there were
}

func (s *totals) add(r Result) {
	var at int64
	var c [6]int
	_, err := fmt.Sscanf(r.Text, "%d end: {Servers:%d Processes:%d Saves:%d Runs:%d Fires:%d Faults:%d", &at, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worlds++
	s.bytes += r.Bytes
	if err != nil {
		return
	}
	for i := range c {
		s.counts[i] += c[i]
	}
	if s.kinds == nil {
		s.kinds, s.seen = map[string]int{}, map[string]int{}
	}
	_, kinds, _ := strings.Cut(r.Text, " saw ")
	for _, kind := range strings.Fields(kinds) {
		what, text, _ := strings.Cut(kind, ":")
		n, _ := strconv.Atoi(text)
		s.kinds[what] += n
		s.seen[what]++
		s.mixed++
	}
}

// kindsText says of each kind of trouble how often there was such, and in how
// many worlds.
func (s *totals) kindsText() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf("in a world there are %.1f kinds of:", float64(s.mixed)/float64(max(s.worlds, 1)))
	for _, what := range slices.Sorted(maps.Keys(s.kinds)) {
		text += fmt.Sprintf(" %s %d times in %d worlds;", what, s.kinds[what], s.seen[what])
	}
	return text
}

func (s *totals) text(took time.Duration) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := float64(max(s.worlds, 1))
	per := func(i int) float64 { return float64(s.counts[i]) / n }
	return fmt.Sprintf("%d worlds in %s, %.0f a second; in each %.1f saves, %.1f faults, %.1f runs, %.1f processes, %.1f servers, %.2f fires, %.0f bytes of transcript",
		s.worlds, took.Round(time.Millisecond), n/took.Seconds(), per(2), per(5), per(3), per(1), per(0), per(4), float64(s.bytes)/n)
}

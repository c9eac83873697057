package conductor

import (
	"sync"
	"testing"
)

// TestCrewMayGrowWhileAwaited has goroutines join a crew that others wait
// for, as requests do that come while the server ends.
func TestCrewMayGrowWhileAwaited(t *testing.T) {
	var c crew
	var ran sync.WaitGroup
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() {
			for range 2000 {
				ran.Add(1)
				c.Go(ran.Done)
				c.Wait()
			}
		})
	}
	waiting.Wait()
	ran.Wait()
	if c.n != 0 {
		t.Errorf("%d goroutines are left", c.n)
	}
}

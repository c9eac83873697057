package conductor

import "sync"

// A crew counts goroutines. Whoever asks for a run while the last goroutine
// ends and the server waits for that may still start one, which a
// sync.WaitGroup answers with a panic.
type crew struct {
	mu   sync.Mutex
	n    int
	none *sync.Cond // made by the first Wait
}

// Go runs fn in a goroutine of the crew.
func (c *crew) Go(fn func()) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	go func() {
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.n--; c.n == 0 && c.none != nil {
				c.none.Broadcast()
			}
		}()
		fn()
	}()
}

// Wait returns when there is no goroutine.
func (c *crew) Wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.none == nil {
		c.none = sync.NewCond(&c.mu)
	}
	for c.n > 0 {
		c.none.Wait()
	}
}

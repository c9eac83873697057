package web

import "sync"

// A cache keeps the values that were made last. It may be used by many at
// once.
type cache[K comparable, V any] struct {
	most int

	mu    sync.Mutex
	all   map[K]V
	order []K // the oldest first
}

func newCache[K comparable, V any](most int) *cache[K, V] {
	return &cache[K, V]{most: most, all: map[K]V{}}
}

func (c *cache[K, V]) find(k K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.all[k]
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.all[k]; !known {
		if len(c.order) == c.most {
			delete(c.all, c.order[0])
			c.order = c.order[1:]
		}
		c.order = append(c.order, k)
	}
	c.all[k] = v
}

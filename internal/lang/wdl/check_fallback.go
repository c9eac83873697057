package wdl

import "slices"

// The names that a map of omicsResourceFallbackOrder may have.
var fallbackKeys = []string{"acceleratorType", "acceleratorCount", "cpu", "memory", "omicsResourceWaitTimeoutInMin"}

// maxFallbacks bounds the maps of omicsResourceFallbackOrder.
const maxFallbacks = 10

// fallback checks omicsResourceFallbackOrder as HealthOmics does when a
// workflow is made: as far as it is written out.
func (c *checker) fallback(runtime []Attr) {
	i := slices.IndexFunc(runtime, func(a Attr) bool { return a.Key.Text == "omicsResourceFallbackOrder" })
	if i < 0 {
		return
	}
	order, ok := runtime[i].Value.(*ArrayLit)
	if !ok {
		return
	}
	const what = "omicsResourceFallbackOrder"
	for _, a := range runtime {
		if slices.Contains(fallbackKeys, a.Key.Text) {
			c.fault(a.Key.Span, "move it into the maps", "%s stands beside %s", a.Key.Text, what)
		}
	}
	if n := len(order.Items); n == 0 || n > maxFallbacks {
		c.fault(order.Span, "", "%s: expected 1 to %d maps, found %d", what, maxFallbacks, n)
	}
	for i, item := range order.Items {
		m, ok := item.(*MapLit)
		if !ok {
			c.fault(item.At(), `write {"cpu": 2, "memory": "4 GiB"}`, "%s: expected a map, found %s", what, article(item.Type()))
			continue
		}
		has := map[string]bool{}
		for _, e := range m.Entries {
			key := literalText(e.Key)
			if !slices.Contains(fallbackKeys, key) {
				c.fault(e.Key.At(), c.meant(key, fallbackKeys), "%s: there is no key %q", what, key)
			}
			has[key] = true
		}
		if has["acceleratorType"] != has["acceleratorCount"] {
			c.fault(m.Span, "", "%s: acceleratorType and acceleratorCount come together", what)
		}
		if !has["acceleratorType"] && i < len(order.Items)-1 {
			c.fault(m.Span, "move it to the end", "%s: a map without an accelerator is the last", what)
		}
	}
}

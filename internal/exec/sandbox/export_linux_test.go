//go:build !portable

package sandbox

// ForcePlain makes d work as on a machine that permits neither namespaces nor
// control groups.
func (d *Driver) ForcePlain() {
	m := &means{kind: plain, why: "the test wants it so", groups: controllers{why: "the test wants it so"}}
	d.look = func() (*means, error) { return m, nil }
}

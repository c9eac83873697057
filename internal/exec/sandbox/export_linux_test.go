//go:build !portable

package sandbox

import "time"

// ForcePlain makes d work as on a machine that permits neither namespaces nor
// control groups.
func (d *Driver) ForcePlain() {
	m := &means{kind: plain, why: "the test wants it so", groups: controllers{why: "the test wants it so"}}
	d.look = func() (*means, error) { return m, nil }
}

// HavePatience sets how soon d gives up on a keeper.
func (d *Driver) HavePatience(pulse, patience time.Duration) { d.pulse, d.patience = pulse, patience }

// Package disktest is a disk that breaks: a virtual disk under the real
// SQLite, which remembers what was synced and what was not, cuts the power,
// fills up, and fails by chance. It knows files and bytes, and nothing of
// what is kept in them.
//
// The disk promises what SQLite asks of one: a write changes no byte outside
// of its range, whatever happens (SQLITE_IOCAP_POWERSAFE_OVERWRITE, which is
// SQLite's default), and what was synced without an error stays. It promises
// no order among writes that were not synced, and no write is whole.
package disktest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// sector is what the disk writes at once, unless the write is torn.
const sector = 512

// A Disk holds files under any names. All its methods may be called at once
// from many goroutines, but only one caller at a time makes it repeat itself
// from its seed.
type Disk struct {
	mu     sync.Mutex
	rng    *rand.Rand
	files  map[string]*file
	faults Faults
	dark   bool // the power is off
	boot   int  // counts the times the power came on; files opened before are dead
	ops    int
	trace  uint64 // digest of all operations
	seen   Seen
}

// Faults say how a disk misbehaves. The zero value is a good disk.
type Faults struct {
	// Write, Sync and Read are how likely each such call fails, 0 to 1. A write
	// that fails may have been carried out in part. After a sync that fails
	// each sector is on disk or is not, and no later sync makes up for it.
	Write, Sync, Read float64
	// Room is how many bytes all files may have together; 0 is no bound.
	Room int64
	// Cut is after how many more writes, syncs, truncations and removals the
	// power goes; 0 is never.
	Cut int
	// Slow is the longest that a sync takes.
	Slow time.Duration
}

// Seen counts what happened on a disk.
type Seen struct {
	Writes, Syncs, WriteErrors, SyncErrors, ReadErrors, Full, Cuts, Torn, Lost, Kept int
}

// A file is one file, as programs see it and as it would be after a cut.
type file struct {
	now   []byte   // as programs see it
	safe  []byte   // on the platter
	dirty []change // what came since
	born  bool     // its name is on the platter
	gone  bool     // removed, but that is not on the platter
	old   *file    // what had the name before, and was removed like that

	shared, reserved, pending, exclusive lockers
	shm                                  *memory
}

// A change is a write or, if data is nil, a truncation.
type change struct {
	at   int64
	data []byte
}

// New returns an empty disk, whose misbehaviour follows from seed.
func New(seed uint64) *Disk {
	return &Disk{rng: rand.New(rand.NewPCG(seed, 0xd15c)), files: map[string]*file{}, trace: 14695981039346656037}
}

// Misbehave replaces what the disk does wrong from now on.
func (d *Disk) Misbehave(f Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = f
	d.ops = 0
}

// Dark reports whether the power is off.
func (d *Disk) Dark() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dark
}

// Seen returns what has happened so far.
func (d *Disk) Seen() Seen {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen
}

// Trace returns a digest of all operations so far: two disks of one seed that
// are used in the same way have the same.
func (d *Disk) Trace() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trace
}

// PowerOff cuts the power, unless it is off already. Every call fails until
// [Disk.PowerOn].
func (d *Disk) PowerOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut()
}

func (d *Disk) cut() {
	if !d.dark {
		d.dark = true
		d.seen.Cuts++
	}
}

// PowerOn cuts the power if it is on, and brings it back: each file is what
// the platter has of it. Files that are open stay dead.
func (d *Disk) PowerOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut()
	for _, name := range d.names() {
		f := d.files[name]
		if !f.born && f.old != nil && d.rng.IntN(3) == 0 {
			f = f.old // neither its removal nor the new one has arrived
		} else if (f.gone || !f.born) && d.rng.IntN(2) == 0 {
			delete(d.files, name)
			continue
		}
		f.settle(d)
		d.files[name] = &file{now: slices.Clone(f.safe), safe: f.safe, born: true}
	}
	d.dark, d.ops = false, 0
	d.boot++
}

// Kill ends the process that uses the disk: files that are open are dead, and
// what they had written stays to be read, synced or not.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, f := range d.files {
		d.files[name] = &file{now: f.now, safe: f.safe, dirty: f.dirty, born: f.born, gone: f.gone, old: f.old}
	}
	d.boot++
}

// names are those of all files, sorted, so that chance falls on them in the
// same order each time.
func (d *Disk) names() []string {
	names := make([]string, 0, len(d.files))
	for name := range d.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// settle decides which of the changes that were not synced are on the
// platter. Each sector is as it was after some number of its changes, or,
// torn, of two such states one up to some byte and the other after it. The
// length is that after some number of changes.
func (f *file) settle(d *Disk) {
	if len(f.dirty) == 0 {
		return
	}
	// Sectors are decided in order of their place.
	touched := map[int64]bool{}
	for _, c := range f.dirty {
		for s := c.at / sector; c.data != nil && s*sector < c.at+int64(len(c.data)); s++ {
			touched[s] = true
		}
	}
	sectors := make([]int64, 0, len(touched))
	for s := range touched {
		sectors = append(sectors, s)
	}
	slices.Sort(sectors)
	lengths := []int64{int64(len(f.safe))}
	for _, c := range f.dirty {
		n := lengths[len(lengths)-1]
		if c.data == nil {
			n = c.at
		} else {
			n = max(n, c.at+int64(len(c.data)))
		}
		lengths = append(lengths, n)
	}
	// A file system that loses all, or nothing, is as likely as one that picks.
	mood := d.rng.IntN(4)
	pick := func() int {
		switch mood {
		case 0:
			return 0
		case 1:
			return len(f.dirty)
		}
		return d.rng.IntN(len(f.dirty) + 1)
	}
	length := lengths[pick()]
	image := make([]byte, max(int64(len(f.safe)), slices.Max(lengths)))
	copy(image, f.safe)
	for _, s := range sectors {
		k := pick()
		state := f.sectorAfter(s, k)
		if k == len(f.dirty) {
			d.seen.Kept++
		} else {
			d.seen.Lost++
		}
		if mood > 1 && d.rng.IntN(4) == 0 {
			other := f.sectorAfter(s, pick())
			at := d.rng.IntN(sector)
			copy(state[at:], other[at:])
			d.seen.Torn++
		}
		copy(image[min(s*sector, int64(len(image))):], state)
	}
	f.safe = image[:length]
	f.dirty = nil
}

// sectorAfter is what a sector holds after the first k changes.
func (f *file) sectorAfter(s int64, k int) []byte {
	state := make([]byte, sector)
	from := s * sector
	if from < int64(len(f.safe)) {
		copy(state, f.safe[from:])
	}
	for _, c := range f.dirty[:k] {
		if c.data == nil {
			if cut := c.at - from; cut < sector {
				clear(state[max(cut, 0):])
			}
			continue
		}
		if end := c.at + int64(len(c.data)); c.at < from+sector && end > from {
			lo, hi := max(c.at, from), min(end, from+sector)
			copy(state[lo-from:hi-from], c.data[lo-c.at:hi-c.at])
		}
	}
	return state
}

// Bytes returns the content of a file as programs see it; nil if there is
// none.
func (d *Disk) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.files[name]; f != nil && !f.gone {
		return slices.Clone(f.now)
	}
	return nil
}

// Rewrite writes what a file holds once more and syncs it; nothing if there
// is no such file.
func (d *Disk) Rewrite(name string) error {
	d.mu.Lock()
	f := d.files[name]
	if f == nil || f.gone {
		d.mu.Unlock()
		return nil
	}
	h := &handle{disk: d, boot: d.boot, name: name, file: f}
	whole := slices.Clone(f.now)
	d.mu.Unlock()
	if rc := h.write(whole, 0); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("write %s: SQLite's code %d", name, rc)
	}
	if rc := h.sync(); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("sync %s: SQLite's code %d", name, rc)
	}
	return nil
}

// A handle is an open file.
type handle struct {
	disk *Disk
	boot int
	name string
	file *file
	temp bool // removed when it is closed
	dir  bool // its first sync is one of the directory, too
	lock int32
}

// op notes an operation that changes the disk; false if the power is off, or
// goes now. The caller holds the disk's mutex.
func (h *handle) op(kind byte, at int64, n int) bool {
	d := h.disk
	if d.dark || h.boot != d.boot {
		return false
	}
	for _, v := range []uint64{uint64(kind), uint64(at), uint64(n)} {
		d.trace = (d.trace ^ v) * 1099511628211
	}
	d.ops++
	if d.faults.Cut > 0 && d.ops >= d.faults.Cut {
		d.cut()
		// It goes in the middle of the operation: a write may have begun.
		return kind == 'w'
	}
	return true
}

// chance is true with the likelihood p.
func (d *Disk) chance(p float64) bool { return p > 0 && d.rng.Float64() < p }

func (h *handle) write(p []byte, at int64) int32 {
	d := h.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if !h.op('w', at, len(p)) {
		return sqlite3.SQLITE_IOERR_WRITE
	}
	d.seen.Writes++
	rc := int32(sqlite3.SQLITE_OK)
	switch f := h.file; {
	case d.dark:
		rc = sqlite3.SQLITE_IOERR_WRITE
	case d.chance(d.faults.Write):
		rc = sqlite3.SQLITE_IOERR_WRITE
		d.seen.WriteErrors++
		p = p[:d.rng.IntN(len(p)+1)]
	case d.faults.Room > 0:
		if grow := at + int64(len(p)) - int64(len(f.now)); grow > 0 {
			if left := max(d.faults.Room-d.used(), 0); grow > left {
				rc = sqlite3.SQLITE_FULL
				d.seen.Full++
				p = p[:max(int64(len(p))-(grow-left), 0)]
			}
		}
	}
	if len(p) > 0 {
		h.file.put(p, at)
	}
	return rc
}

func (f *file) put(p []byte, at int64) {
	if end := at + int64(len(p)); end > int64(len(f.now)) {
		f.now = append(f.now, make([]byte, end-int64(len(f.now)))...)
	}
	copy(f.now[at:], p)
	f.dirty = append(f.dirty, change{at, slices.Clone(p)})
}

func (d *Disk) used() int64 {
	var n int64
	for _, f := range d.files {
		if !f.gone {
			n += int64(len(f.now))
		}
	}
	return n
}

func (h *handle) read(p []byte, at int64) int32 {
	d := h.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dark || h.boot != d.boot {
		return sqlite3.SQLITE_IOERR_READ
	}
	if d.chance(d.faults.Read) {
		d.seen.ReadErrors++
		return sqlite3.SQLITE_IOERR_READ
	}
	n := 0
	if at < int64(len(h.file.now)) {
		n = copy(p, h.file.now[at:])
	}
	if n < len(p) {
		clear(p[n:])
		return sqlite3.SQLITE_IOERR_SHORT_READ
	}
	return sqlite3.SQLITE_OK
}

func (h *handle) truncate(size int64) int32 {
	d := h.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if !h.op('t', size, 0) || d.dark {
		return sqlite3.SQLITE_IOERR_TRUNCATE
	}
	if f := h.file; size < int64(len(f.now)) {
		f.now = f.now[:size]
		f.dirty = append(f.dirty, change{at: size})
	}
	return sqlite3.SQLITE_OK
}

func (h *handle) sync() int32 {
	d := h.disk
	d.mu.Lock()
	slow := time.Duration(0)
	if d.faults.Slow > 0 {
		slow = time.Duration(d.rng.Int64N(int64(d.faults.Slow)))
	}
	d.mu.Unlock()
	time.Sleep(slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !h.op('s', 0, 0) || d.dark {
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	d.seen.Syncs++
	if d.chance(d.faults.Sync) {
		d.seen.SyncErrors++
		h.file.settle(d)
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	h.file.safe, h.file.dirty = slices.Clone(h.file.now), nil
	if h.dir {
		h.dir = false
		d.syncNames()
	}
	return sqlite3.SQLITE_OK
}

// syncNames puts on the platter which files there are.
func (d *Disk) syncNames() {
	for name, f := range d.files {
		if f.gone {
			delete(d.files, name)
		}
		f.born, f.old = true, nil
	}
}

func (d *Disk) open(name string, create, temp bool) (*handle, int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dark {
		return nil, sqlite3.SQLITE_CANTOPEN
	}
	f := d.files[name]
	if name == "" {
		f, temp = &file{}, true // a nameless one, of this handle alone
	} else if f == nil || f.gone {
		if !create {
			return nil, sqlite3.SQLITE_CANTOPEN
		}
		f = &file{old: f}
		d.files[name] = f
	}
	return &handle{disk: d, boot: d.boot, name: name, file: f, temp: temp}, sqlite3.SQLITE_OK
}

func (d *Disk) remove(name string, durable bool) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[name]
	if d.dark {
		return sqlite3.SQLITE_IOERR_DELETE
	}
	if f == nil || f.gone {
		return sqlite3.SQLITE_IOERR_DELETE_NOENT
	}
	h := handle{disk: d, boot: d.boot}
	if !h.op('d', 0, len(name)) || d.dark {
		return sqlite3.SQLITE_IOERR_DELETE
	}
	if f.gone = true; durable {
		d.syncNames()
	}
	return sqlite3.SQLITE_OK
}

func (d *Disk) exists(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[name]
	return f != nil && !f.gone
}

package disktest

import (
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Lockers are the handles that have a lock.
type lockers map[*handle]bool

// others reports whether any handle but h has the lock.
func (l lockers) others(h *handle) bool { return len(l) > 1 || len(l) == 1 && !l[h] }

func (l *lockers) add(h *handle) {
	if *l == nil {
		*l = lockers{}
	}
	(*l)[h] = true
}

// xLock follows SQLite's protocol: many share; one of them reserves; when it
// is to be alone it waits, pending, until the others have gone.
func xLock(_ *libc.TLS, file uintptr, want int32) int32 {
	h := fileAt(file)
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	f := h.file
	for h.lock < want {
		switch {
		case h.lock == sqlite3.SQLITE_LOCK_NONE:
			if f.pending.others(h) || f.exclusive.others(h) {
				return sqlite3.SQLITE_BUSY
			}
			f.shared.add(h)
			h.lock = sqlite3.SQLITE_LOCK_SHARED
		case want == sqlite3.SQLITE_LOCK_RESERVED:
			if f.reserved.others(h) || f.pending.others(h) || f.exclusive.others(h) {
				return sqlite3.SQLITE_BUSY
			}
			f.reserved.add(h)
			h.lock = sqlite3.SQLITE_LOCK_RESERVED
		default:
			if f.reserved.others(h) || f.pending.others(h) || f.exclusive.others(h) {
				return sqlite3.SQLITE_BUSY
			}
			f.pending.add(h)
			h.lock = max(h.lock, sqlite3.SQLITE_LOCK_PENDING)
			if f.shared.others(h) {
				return sqlite3.SQLITE_BUSY
			}
			f.exclusive.add(h)
			h.lock = sqlite3.SQLITE_LOCK_EXCLUSIVE
		}
	}
	return sqlite3.SQLITE_OK
}

func xUnlock(_ *libc.TLS, file uintptr, want int32) int32 {
	h := fileAt(file)
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	f := h.file
	delete(f.reserved, h)
	delete(f.pending, h)
	delete(f.exclusive, h)
	if want == sqlite3.SQLITE_LOCK_NONE {
		delete(f.shared, h)
	}
	h.lock = min(h.lock, want)
	return sqlite3.SQLITE_OK
}

func xCheckReservedLock(_ *libc.TLS, file, out uintptr) int32 {
	h := fileAt(file)
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	*at[int32](out) = 0
	if f := h.file; len(f.reserved)+len(f.pending)+len(f.exclusive) > 0 {
		*at[int32](out) = 1
	}
	return sqlite3.SQLITE_OK
}

// Memory is what the connections to one database share beside its file: the
// index of the write-ahead log. It does not survive a cut.
type memory struct {
	regions []uintptr
	users   lockers
	locks   [sqlite3.SQLITE_SHM_NLOCK]struct{ shared, exclusive lockers }
}

func xShmMap(tls *libc.TLS, file uintptr, region, size, extend int32, out uintptr) int32 {
	h := fileAt(file)
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	*at[uintptr](out) = 0
	if h.disk.dark || h.boot != h.disk.boot {
		return sqlite3.SQLITE_IOERR_SHMMAP
	}
	if h.file.shm == nil {
		h.file.shm = &memory{}
	}
	m := h.file.shm
	m.users.add(h)
	for int(region) >= len(m.regions) {
		if extend == 0 {
			return sqlite3.SQLITE_OK
		}
		p := libc.Xcalloc(tls, 1, libc.Tsize_t(size))
		if p == 0 {
			return sqlite3.SQLITE_NOMEM
		}
		m.regions = append(m.regions, p)
	}
	*at[uintptr](out) = m.regions[region]
	return sqlite3.SQLITE_OK
}

func xShmLock(_ *libc.TLS, file uintptr, from, n, flags int32) int32 {
	h := fileAt(file)
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	m := h.file.shm
	if m == nil {
		return sqlite3.SQLITE_IOERR_SHMLOCK
	}
	slots := m.locks[from : from+n]
	if flags&sqlite3.SQLITE_SHM_UNLOCK != 0 {
		for i := range slots {
			delete(slots[i].shared, h)
			delete(slots[i].exclusive, h)
		}
		return sqlite3.SQLITE_OK
	}
	alone := flags&sqlite3.SQLITE_SHM_EXCLUSIVE != 0
	for i := range slots {
		if slots[i].exclusive.others(h) || alone && slots[i].shared.others(h) {
			return sqlite3.SQLITE_BUSY
		}
	}
	for i := range slots {
		if alone {
			slots[i].exclusive.add(h)
		} else {
			slots[i].shared.add(h)
		}
	}
	return sqlite3.SQLITE_OK
}

// xShmBarrier orders what threads see of the memory; a mutex does.
func xShmBarrier(_ *libc.TLS, file uintptr) {
	h := fileAt(file)
	h.disk.mu.Lock()
	h.disk.mu.Unlock() //nolint:staticcheck // to be locked and unlocked is all that it is for
}

func xShmUnmap(tls *libc.TLS, file uintptr, _ int32) int32 {
	h := fileAt(file)
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	m := h.file.shm
	if m == nil {
		return sqlite3.SQLITE_OK
	}
	delete(m.users, h)
	for i := range m.locks {
		delete(m.locks[i].shared, h)
		delete(m.locks[i].exclusive, h)
	}
	if len(m.users) == 0 {
		for _, p := range m.regions {
			libc.Xfree(tls, p)
		}
		h.file.shm = nil
	}
	return sqlite3.SQLITE_OK
}

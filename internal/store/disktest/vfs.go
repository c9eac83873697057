package disktest

import (
	"fmt"
	"sync"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite calls back with numbers alone, so what they stand for is kept here:
// disks and open files by number. It is the one variable of this package.
var table struct {
	mu   sync.Mutex
	last uintptr
	of   map[uintptr]any
}

func keep(v any) uintptr {
	table.mu.Lock()
	defer table.mu.Unlock()
	if table.of == nil {
		table.of = map[uintptr]any{}
	}
	table.last++
	table.of[table.last] = v
	return table.last
}

func kept[T any](n uintptr) T {
	table.mu.Lock()
	defer table.mu.Unlock()
	return table.of[n].(T)
}

func forget(n uintptr) {
	table.mu.Lock()
	defer table.mu.Unlock()
	delete(table.of, n)
}

// at is the memory of SQLite at an address, which is not Go's.
func at[T any](p uintptr) *T { return (*T)(*(*unsafe.Pointer)(unsafe.Pointer(&p))) }

func bytesAt(p uintptr, n int32) []byte { return unsafe.Slice(at[byte](p), n) }

// fn is how SQLite holds a function.
func fn[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// An openFile is what SQLite keeps of an open file.
type openFile struct {
	methods uintptr
	handle  uintptr
}

func fileAt(p uintptr) *handle { return kept[*handle](at[openFile](p).handle) }

// Register makes SQLite know the disk and returns the name of its VFS. It is
// taken back by release, when all that was opened is closed.
func (d *Disk) Register() (vfs string, release func(), err error) {
	tls := libc.NewTLS()
	number := keep(d)
	vfs = fmt.Sprintf("disktest%d", number)
	name, err := libc.CString(vfs)
	if err != nil {
		return "", nil, err
	}
	methods := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{})))
	entry := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	*at[sqlite3.Tsqlite3_io_methods](methods) = sqlite3.Tsqlite3_io_methods{
		FiVersion: 2, FxClose: fn(xClose), FxRead: fn(xRead), FxWrite: fn(xWrite), FxTruncate: fn(xTruncate), FxSync: fn(xSync),
		FxFileSize: fn(xFileSize), FxLock: fn(xLock), FxUnlock: fn(xUnlock), FxCheckReservedLock: fn(xCheckReservedLock),
		FxFileControl: fn(xFileControl), FxSectorSize: fn(xSectorSize), FxDeviceCharacteristics: fn(xDeviceCharacteristics),
		FxShmMap: fn(xShmMap), FxShmLock: fn(xShmLock), FxShmBarrier: fn(xShmBarrier), FxShmUnmap: fn(xShmUnmap),
	}
	data := libc.Xcalloc(tls, 2, libc.Tsize_t(unsafe.Sizeof(uintptr(0))))
	*at[[2]uintptr](data) = [2]uintptr{number, methods}
	*at[sqlite3.Tsqlite3_vfs](entry) = sqlite3.Tsqlite3_vfs{
		FiVersion: 1, FszOsFile: int32(unsafe.Sizeof(openFile{})), FmxPathname: 512, FzName: name, FpAppData: data,
		FxOpen: fn(xOpen), FxDelete: fn(xDelete), FxAccess: fn(xAccess), FxFullPathname: fn(xFullPathname),
		FxRandomness: fn(xRandomness), FxSleep: fn(xSleep), FxCurrentTime: fn(xCurrentTime), FxGetLastError: fn(xGetLastError),
	}
	if rc := sqlite3.Xsqlite3_vfs_register(tls, entry, 0); rc != sqlite3.SQLITE_OK {
		return "", nil, fmt.Errorf("register VFS %s: SQLite's code %d", vfs, rc)
	}
	return vfs, func() {
		sqlite3.Xsqlite3_vfs_unregister(tls, entry)
		for _, p := range []uintptr{name, methods, entry, data} {
			libc.Xfree(tls, p)
		}
		forget(number)
		tls.Close()
	}, nil
}

func diskOf(vfs uintptr) (d *Disk, methods uintptr) {
	data := *at[[2]uintptr](at[sqlite3.Tsqlite3_vfs](vfs).FpAppData)
	return kept[*Disk](data[0]), data[1]
}

func xOpen(_ *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	d, methods := diskOf(vfs)
	path := ""
	if name != 0 {
		path = libc.GoString(name)
	}
	*at[openFile](file) = openFile{} // no methods: SQLite does not close what was not opened
	h, rc := d.open(path, flags&sqlite3.SQLITE_OPEN_CREATE != 0, flags&sqlite3.SQLITE_OPEN_DELETEONCLOSE != 0)
	if rc != sqlite3.SQLITE_OK {
		return rc
	}
	// As SQLite does on Unix.
	const journals = sqlite3.SQLITE_OPEN_WAL | sqlite3.SQLITE_OPEN_MAIN_JOURNAL | sqlite3.SQLITE_OPEN_SUPER_JOURNAL
	h.dir = flags&sqlite3.SQLITE_OPEN_CREATE != 0 && flags&journals != 0
	*at[openFile](file) = openFile{methods, keep(h)}
	if outFlags != 0 {
		*at[int32](outFlags) = flags
	}
	return sqlite3.SQLITE_OK
}

func xDelete(_ *libc.TLS, vfs, name uintptr, dirSync int32) int32 {
	d, _ := diskOf(vfs)
	return d.remove(libc.GoString(name), dirSync != 0)
}

func xAccess(_ *libc.TLS, vfs, name uintptr, _ int32, result uintptr) int32 {
	d, _ := diskOf(vfs)
	*at[int32](result) = 0
	if d.exists(libc.GoString(name)) {
		*at[int32](result) = 1
	}
	return sqlite3.SQLITE_OK
}

func xFullPathname(_ *libc.TLS, _, name uintptr, size int32, out uintptr) int32 {
	path := libc.GoString(name)
	if len(path) >= int(size) {
		return sqlite3.SQLITE_CANTOPEN
	}
	copy(bytesAt(out, size), path+"\x00")
	return sqlite3.SQLITE_OK
}

func xRandomness(_ *libc.TLS, vfs uintptr, n int32, out uintptr) int32 {
	d, _ := diskOf(vfs)
	d.mu.Lock()
	defer d.mu.Unlock()
	p := bytesAt(out, n)
	for i := range p {
		p[i] = byte(d.rng.Uint32())
	}
	return n
}

func xSleep(_ *libc.TLS, _ uintptr, micros int32) int32 {
	time.Sleep(time.Duration(micros) * time.Microsecond)
	return micros
}

// xCurrentTime always tells the same Julian day.
func xCurrentTime(_ *libc.TLS, _, out uintptr) int32 {
	*at[float64](out) = 2461365.5
	return sqlite3.SQLITE_OK
}

func xGetLastError(*libc.TLS, uintptr, int32, uintptr) int32 { return 0 }

func xClose(tls *libc.TLS, file uintptr) int32 {
	h := fileAt(file)
	xUnlock(tls, file, sqlite3.SQLITE_LOCK_NONE)
	if h.temp && h.name != "" {
		h.disk.remove(h.name, false)
	}
	forget(at[openFile](file).handle)
	return sqlite3.SQLITE_OK
}

func xRead(_ *libc.TLS, file, p uintptr, n int32, at int64) int32 {
	return fileAt(file).read(bytesAt(p, n), at)
}

func xWrite(_ *libc.TLS, file, p uintptr, n int32, at int64) int32 {
	return fileAt(file).write(bytesAt(p, n), at)
}

func xTruncate(_ *libc.TLS, file uintptr, size int64) int32 { return fileAt(file).truncate(size) }

func xSync(_ *libc.TLS, file uintptr, _ int32) int32 { return fileAt(file).sync() }

func xFileSize(_ *libc.TLS, file, out uintptr) int32 {
	h := fileAt(file)
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	*at[int64](out) = int64(len(h.file.now))
	return sqlite3.SQLITE_OK
}

func xFileControl(*libc.TLS, uintptr, int32, uintptr) int32 { return sqlite3.SQLITE_NOTFOUND }

func xSectorSize(*libc.TLS, uintptr) int32 { return 4096 }

func xDeviceCharacteristics(*libc.TLS, uintptr) int32 {
	return sqlite3.SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

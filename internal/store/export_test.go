package store

import (
	"context"

	"fairlead/internal/store/disktest"
)

// HoldKey is the advisory lock that stands for the database.
const HoldKey = int64(holdKey)

// OpenLogged opens a store whose log of writes may have so many bytes.
func OpenLogged(ctx context.Context, path string, log int64) (*DB, error) {
	on := fileSystem
	on.log = log
	return openSQLite(ctx, path, on)
}

// OpenOn opens a store on a disk that SQLite calls vfs.
func OpenOn(ctx context.Context, path string, disk *disktest.Disk, vfs string) (*DB, error) {
	return openSQLite(ctx, path, medium{vfs: vfs, create: func(string) error { return nil }, rewrite: disk.Rewrite})
}

// Integrity returns what SQLite says of the whole database.
func (db *DB) Integrity(ctx context.Context) (string, error) {
	return one(db.read(ctx), value[string], `PRAGMA integrity_check(5)`)
}

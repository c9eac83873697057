package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairlead/internal/flow"
	"fairlead/internal/store"
)

// many is a store whose file has some thousand pages, with the values of its
// settings.
func many(t *testing.T) (db *store.DB, path string, values map[string][]byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "store.db")
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	values = map[string][]byte{}
	for i := range 2000 {
		key := fmt.Sprintf("key-%d", i)
		values[key] = bytes.Repeat([]byte(key+" "), 50) // fits into a page with others
		if _, err := db.PutSetting(t.Context(), key, values[key], false); err != nil {
			t.Fatal(err)
		}
	}
	return db, path, values
}

// TestDamageIsRefused checks that a store that is no good is not opened, and
// that the error names the file and what to do.
func TestDamageIsRefused(t *testing.T) {
	db, path, _ := many(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	other, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(`CREATE TABLE song (name TEXT)`); err != nil {
		t.Fatal(err)
	}
	other.Close()
	theirs, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 8192)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	patched := func(at int, p []byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], p)
		return b
	}
	for _, tt := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"header of noise", patched(0, noise[:100]), "not a database"},
		{"header of zeros", patched(0, make([]byte, 100)), "not a database"},
		{"page in the middle of zeros", patched(len(good)*3/4/4096*4096, make([]byte, 4096)), "damaged"},
		{"page in the middle of noise", patched(len(good)*3/4/4096*4096, noise[:4096]), "damaged"},
		{"truncated", good[:len(good)/2], "damaged"},
		{"truncated within its first page", good[:1000], "damaged"},
		{"a text", []byte(strings.Repeat("Dear diary,\n", 1000)), "not a database"},
		{"another program's", theirs, "another program"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(t.Context(), path)
			if err == nil {
				db.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open = %v, want an error that names %s and says %q", err, path, tt.want)
			}
			now, rerr := os.ReadFile(path)
			if rerr != nil || !bytes.Equal(now, tt.content) {
				t.Errorf("Open changed the file: %v", rerr)
			}
		})
	}
}

// TestDamageWhileOpen overwrites pages under an open store: it says so, no
// longer writes, and tells nothing that is not so.
func TestDamageWhileOpen(t *testing.T) {
	db, path, values := many(t)
	db.Close() // writes all of it to the file
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(100 * 4096); at < info.Size(); at += 7 * 4096 {
		if _, err := f.WriteAt(make([]byte, 4096), at); err != nil {
			t.Fatal(err)
		}
	}
	said := 0
	for key, want := range values {
		got, found, err := db.Setting(t.Context(), key)
		switch {
		case err != nil:
			said++
			if !errors.Is(err, store.ErrDamaged) || flow.KindOf(err) != flow.Busy || !strings.Contains(err.Error(), path) {
				t.Fatalf("Setting(%s) = %v (kind %d), want a Busy error about damage that names %s", key, err, flow.KindOf(err), path)
			}
		case !found || !bytes.Equal(got, want):
			t.Errorf("Setting(%s) = %d bytes, %v, without an error; want %d bytes", key, len(got), found, len(want))
		}
	}
	if said == 0 || said == len(values) {
		t.Errorf("%d of %d reads met the damage; want some", said, len(values))
	}
	if _, err := db.PutSetting(t.Context(), "new", []byte("v"), false); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("write after damage was met = %v, want %v", err, store.ErrDamaged)
	}
	select {
	case <-db.Broken():
	default:
		t.Error("the store is not broken")
	}
}

// TestLogOfNoise checks that a log of writes that is no log does not keep a
// store from being opened: it is what a power cut may leave of one whose
// first write was never acknowledged.
func TestLogOfNoise(t *testing.T) {
	db, path, values := many(t)
	db.Close()
	if err := os.WriteFile(path+"-wal", bytes.Repeat([]byte("noise"), 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for key, want := range values {
		if got, _, err := db.Setting(t.Context(), key); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("Setting(%s) = %d bytes, %v; want %d bytes", key, len(got), err, len(want))
		}
	}
}

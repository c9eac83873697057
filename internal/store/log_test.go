package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"fairlead/internal/flow"
	"fairlead/internal/store"
)

// TestTheLogOfWritesIsBoundedWhileOthersRead keeps reading, so that SQLite
// never finds a moment at which to begin its log anew.
func TestTheLogOfWritesIsBoundedWhileOthersRead(t *testing.T) {
	const bound, written = 512 << 10, 12 << 20
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := store.OpenLogged(t.Context(), path, bound)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	runs := newRuns(t, db, 1)
	for range 20 {
		if err := db.Save(t.Context(), nextStep(&runs[0])); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	defer readers.Wait()
	defer stop()
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := db.Journal(ctx, runs[0].ID, flow.Page{Limit: 1000}); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	most := int64(0)
	for i := range written / (64 << 10) {
		if _, err := db.PutSetting(t.Context(), fmt.Sprint(i), bytes.Repeat([]byte{byte(i)}, 64<<10), false); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path + "-wal"); err == nil {
			most = max(most, info.Size())
		}
	}
	if most > written/2 {
		t.Errorf("after %d bytes were written the log of writes had %d at its largest, want about %d", written, most, bound)
	}
}

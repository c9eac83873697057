package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"testing"

	"fairlead/internal/store"
	"fairlead/internal/store/pgtest"
	"fairlead/internal/store/storetest"
)

// TestPostgres runs on the server that FAIRLEAD_TEST_POSTGRES names (a
// postgres:// URL of a database in which it makes and drops schemas), or on
// one that it starts for itself.
func TestPostgres(t *testing.T) {
	base := pgtest.URL(t)
	admin, err := sql.Open("pgx", base)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	n := 0
	open := func(t *testing.T) *store.DB {
		n++
		schema := fmt.Sprintf("fairlead_test_%d_%d", os.Getpid(), n)
		if _, err := admin.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := admin.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
				t.Errorf("drop schema: %v", err)
			}
		})
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("search_path", schema)
		u.RawQuery = q.Encode()
		db, err := store.Open(t.Context(), u.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	storetest.Run(t, open)
}

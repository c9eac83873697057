package store_test

import (
	"path/filepath"
	"testing"

	"fairlead/internal/store"
)

func open(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

func TestSettings(t *testing.T) {
	db, ctx := open(t), t.Context()
	if _, ok, err := db.Setting(ctx, "k"); ok || err != nil {
		t.Errorf("Setting(k) of an empty store = %v, %v; want none", ok, err)
	}
	for _, tt := range []struct {
		value    string
		ifAbsent bool
		want     string
	}{
		{"a", true, "a"},
		{"b", true, "a"},
		{"c", false, "c"},
	} {
		got, err := db.PutSetting(ctx, "k", []byte(tt.value), tt.ifAbsent)
		if err != nil || string(got) != tt.want {
			t.Errorf("PutSetting(%q, ifAbsent %v) = %q, %v; want %q", tt.value, tt.ifAbsent, got, err, tt.want)
		}
		kept, ok, err := db.Setting(ctx, "k")
		if err != nil || !ok || string(kept) != tt.want {
			t.Errorf("Setting(k) = %q, %v, %v; want %q", kept, ok, err, tt.want)
		}
	}
}

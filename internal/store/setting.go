package store

import (
	"context"
	"database/sql"
	"errors"
)

// Setting returns the value that was put under key, and whether there is one.
func (db *DB) Setting(ctx context.Context, key string) ([]byte, bool, error) {
	return setting(db.read(ctx), key)
}

func setting(q querier, key string) ([]byte, bool, error) {
	v, err := one(q, value[[]byte],
		`SELECT value FROM setting WHERE key = $1`, key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return v, err == nil, err
}

// PutSetting keeps value under key and returns what is kept there now: value,
// or, when onlyIfAbsent, what was there before.
func (db *DB) PutSetting(ctx context.Context, key string, value []byte, onlyIfAbsent bool) ([]byte, error) {
	if value == nil {
		value = []byte{}
	}
	var now []byte
	err := db.write(ctx, func(t *tx) error {
		if onlyIfAbsent {
			old, ok, err := setting(t, key)
			if ok || err != nil {
				now = old
				return err
			}
		}
		now = value
		_, err := t.exec(`
			INSERT INTO setting (key, value) VALUES ($1, $2)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
		return err
	})
	return now, err
}

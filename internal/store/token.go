package store

import (
	"database/sql"
	"errors"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// The scopes of tokens: what they make.
const (
	newWorkflow = "workflow"
	newRun      = "run"
)

// made returns the id of what an earlier request with the token made, or ""
// if there was none. The same key with another fingerprint is a Conflict.
func made(t *tx, scope string, k flow.Token, now time.Time) (string, error) {
	if k.Key == "" {
		return "", nil
	}
	var fingerprint, id string
	_, err := one(t, func(s scanner) (struct{}, error) { return struct{}{}, s.Scan(&fingerprint, &id) },
		`SELECT fingerprint, made FROM token WHERE scope = $1 AND key = $2 AND expires > $3`, scope, k.Key, micros(now))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", err
	case fingerprint != k.Fingerprint:
		return "", flow.Errorf(flow.Conflict, "client token %q was used for a request with other parameters", k.Key[strings.LastIndexByte(k.Key, '/')+1:]).
			About("ClientToken", k.Key[strings.LastIndexByte(k.Key, '/')+1:])
	}
	return id, nil
}

// keepToken remembers that the request made id, and forgets some of the
// tokens whose time is over.
func keepToken(t *tx, scope string, k flow.Token, id string, now time.Time) error {
	if k.Key == "" {
		return nil
	}
	if _, err := t.exec(`
		DELETE FROM token WHERE (scope, key) IN
			(SELECT scope, key FROM token WHERE expires <= $1 ORDER BY expires LIMIT 8)`, micros(now)); err != nil {
		return err
	}
	_, err := t.exec(`
		INSERT INTO token (scope, key, fingerprint, made, expires) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (scope, key) DO UPDATE SET
			fingerprint = excluded.fingerprint, made = excluded.made, expires = excluded.expires`,
		scope, k.Key, k.Fingerprint, id, micros(k.Expires))
	return err
}

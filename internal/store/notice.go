package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// notify notes for all sinks that a resource has the status that it has now.
// Only what runs, or is run, is told of.
func notify(t *tx, r flow.Resource) error {
	n := flow.Notice{At: time.Now().UTC(), Resource: r}
	switch r.Kind {
	case flow.OmicsWorkflow, flow.OmicsVersion:
	case flow.OmicsBatch:
		c, err := countBatch(t, r.ID)
		if err != nil {
			return err
		}
		n.Counts = &c
	default:
		return nil
	}
	if sinks, err := number(t, `SELECT count(*) FROM sink`); err != nil || sinks == 0 {
		return err
	}
	if _, err := t.exec(`UPDATE sequence SET last = last + 1 WHERE name = 'notice'`); err != nil {
		return err
	}
	seq, err := number(t, `SELECT last FROM sequence WHERE name = 'notice'`)
	if err != nil {
		return err
	}
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	topic := flow.Topic(r.Kind, r.ID)
	if _, err := t.exec(`INSERT INTO notice (topic, seq, body) VALUES ($1, $2, $3)`, string(topic), seq, text(string(body))); err != nil {
		return err
	}
	return owe(t, topic, seq-1)
}

// Notices returns what there is to be told on a topic after a number, in its
// order.
func (db *DB) Notices(ctx context.Context, topic flow.RunID, after int64, limit int) ([]flow.Notice, error) {
	return list(db.read(ctx), func(s scanner) (flow.Notice, error) {
		var n flow.Notice
		var seq int64
		var body string
		if err := s.Scan(&seq, &body); err != nil {
			return n, err
		}
		if err := json.Unmarshal([]byte(body), &n); err != nil {
			return n, fmt.Errorf("notice %d on %s: %w", seq, topic, err)
		}
		n.Seq = seq
		return n, nil
	}, `SELECT seq, body FROM notice WHERE topic = $1 AND seq > $2 ORDER BY seq LIMIT $3`, string(topic), after, limit)
}

// dropNotices forgets what was to be told on a topic, if all sinks know it.
func dropNotices(t *tx, topic flow.RunID) error {
	if !strings.Contains(string(topic), "/") {
		return nil // a run has a journal
	}
	_, err := t.exec(`DELETE FROM notice WHERE topic = $1 AND NOT EXISTS (SELECT 1 FROM delivery WHERE run = $1)`, string(topic))
	return err
}

package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"fairlead/internal/flow"
)

// PutGraph keeps a graph and returns its key, which depends on its content
// alone: the same graph is kept once. It stays until the last workflow that
// has a version or run with it is purged; one that no version names yet can
// go at the purge of another workflow with the same graph, which
// [DB.CreateWorkflow], [DB.AddVersion] and [DB.InsertRun] report as Busy.
func (db *DB) PutGraph(ctx context.Context, g flow.Graph) (string, error) {
	body, err := json.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("put graph: %w", err)
	}
	sum := sha256.Sum256(body)
	key := hex.EncodeToString(sum[:])
	err = db.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO graph (key, body) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`, key, string(body))
		return err
	})
	return key, err
}

// Graph returns the graph that was kept under key.
func (db *DB) Graph(ctx context.Context, key string) (flow.Graph, error) {
	var g flow.Graph
	body, err := one(db.read(ctx), value[string], `SELECT body FROM graph WHERE key = $1`, key)
	if errors.Is(err, sql.ErrNoRows) {
		return g, flow.Errorf(flow.NotFound, "graph %q does not exist", key)
	}
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal([]byte(body), &g); err != nil {
		return g, fmt.Errorf("graph %s: %w", key, err)
	}
	return g, nil
}

// useGraph notes that a workflow needs a graph.
func useGraph(t *tx, key string, wf flow.WorkflowID) error {
	n, err := number(t, `SELECT count(*) FROM graph_use WHERE graph = $1 AND workflow = $2`, key, string(wf))
	if n > 0 || err != nil {
		return err
	}
	n, err = number(t, `SELECT count(*) FROM graph WHERE key = $1`, key)
	if err != nil {
		return err
	}
	if n == 0 {
		return flow.Errorf(flow.Busy, "graph %q is not there; put it again", key)
	}
	_, err = t.exec(`INSERT INTO graph_use (graph, workflow) VALUES ($1, $2)`, key, string(wf))
	return err
}

// dropGraphs forgets what a workflow needed, and the graphs that no other
// needs.
func dropGraphs(t *tx, wf flow.WorkflowID) error {
	keys, err := list(t, value[string], `SELECT graph FROM graph_use WHERE workflow = $1`, string(wf))
	if err != nil {
		return err
	}
	for _, key := range keys {
		if _, err := t.exec(`DELETE FROM graph_use WHERE graph = $1 AND workflow = $2`, key, string(wf)); err != nil {
			return err
		}
		if _, err := t.exec(`
			DELETE FROM graph WHERE key = $1
			AND NOT EXISTS (SELECT 1 FROM graph_use u WHERE u.graph = graph.key)`, key); err != nil {
			return err
		}
	}
	return nil
}

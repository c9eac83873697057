package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"fairlead/internal/flow"
)

// The codes of the limits that a Quota error is about.
const (
	LimitWorkflows   = "workflows"
	LimitVersions    = "versions-per-workflow"
	LimitRuns        = "concurrent-runs"
	LimitRunsPerFlow = "concurrent-runs-per-workflow"
)

const workflowColumns = `w.id, w.name, w.latest, w.deleting, w.created, w.modified, w.tags, w.settings`

func scanWorkflow(s scanner) (flow.Workflow, error) {
	var w flow.Workflow
	err := scanWorkflowAnd(s, &w)
	return w, err
}

// scanWorkflowAnd scans the columns of a workflow and more behind them.
func scanWorkflowAnd(s scanner, w *flow.Workflow, more ...any) error {
	var tags string
	into := append([]any{&w.ID, &w.Name, &w.Latest, &w.Deleting, at{&w.Created}, at{&w.Modified}, &tags, raw{&w.Settings}}, more...)
	if err := s.Scan(into...); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(tags), &w.Tags); err != nil {
		return fmt.Errorf("tags of workflow %s: %w", w.ID, err)
	}
	return nil
}

// CreateWorkflow keeps a workflow with its first version, which becomes its
// latest and number 1. At most max workflows may exist (0: any number), or a
// Quota error comes back; a name that is taken is a Conflict. If the token was
// used for the same request before, what that made is returned, created is
// false, and nothing changes.
func (db *DB) CreateWorkflow(ctx context.Context, w flow.Workflow, v flow.Version, tok flow.Token, max int) (
	wf flow.Workflow, first flow.Version, created bool, err error,
) {
	err = db.write(ctx, func(t *tx) error {
		wf, first, created, err = createWorkflow(t, w, v, tok, max)
		return err
	})
	return wf, first, created && err == nil, err
}

func createWorkflow(t *tx, w flow.Workflow, v flow.Version, tok flow.Token, max int) (flow.Workflow, flow.Version, bool, error) {
	fail := func(err error) (flow.Workflow, flow.Version, bool, error) {
		return flow.Workflow{}, flow.Version{}, false, err
	}
	id, err := made(t, newWorkflow, tok, w.Created)
	if err != nil {
		return fail(err)
	}
	if id != "" {
		old, err := workflowIn(t, flow.WorkflowID(id))
		if err == nil && !old.Deleting {
			first, err := firstVersion(t, old.ID)
			return old, first, false, err
		}
		if err != nil && flow.KindOf(err) != flow.NotFound {
			return fail(err)
		}
	}
	other, err := one(t, value[string], `SELECT id FROM workflow WHERE name = $1 AND deleting = 0`, w.Name)
	if err == nil {
		return fail(flow.Errorf(flow.Conflict, "a workflow named %q exists", w.Name).About("Workflow", other))
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return fail(err)
	}
	if max > 0 {
		n, err := number(t, `SELECT count(*) FROM workflow WHERE deleting = 0`)
		if err != nil {
			return fail(err)
		}
		if n >= int64(max) {
			err := flow.Errorf(flow.Quota, "there are %d workflows; at most %d may exist", n, max).About("Workflow", w.Name)
			err.Code = LimitWorkflows
			return fail(err)
		}
	}
	v.Workflow, v.N = w.ID, 1
	w.Latest, w.Deleting = v.ID, false
	if err := insertVersion(t, v); err != nil {
		return fail(err)
	}
	tags, err := tagText(w.Tags)
	if err != nil {
		return fail(err)
	}
	if _, err := t.exec(`
		INSERT INTO workflow (id, name, latest, last_n, deleting, created, modified, tags, settings)
		VALUES ($1, $2, $3, 1, 0, $4, $5, $6, $7)`,
		string(w.ID), w.Name, string(w.Latest), micros(w.Created), micros(w.Modified), tags, jsonText(w.Settings)); err != nil {
		return fail(err)
	}
	return w, v, true, keepToken(t, newWorkflow, tok, string(w.ID), w.Created)
}

func tagText(tags map[string]string) (string, error) {
	if tags == nil {
		return "{}", nil
	}
	b, err := json.Marshal(tags)
	return string(b), err
}

// Workflow returns a workflow, also one that is being deleted.
func (db *DB) Workflow(ctx context.Context, id flow.WorkflowID) (flow.Workflow, error) {
	return workflowIn(db.read(ctx), id)
}

func workflowIn(q querier, id flow.WorkflowID) (flow.Workflow, error) {
	w, err := one(q, scanWorkflow, `SELECT `+workflowColumns+` FROM workflow w WHERE w.id = $1`, string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return w, noWorkflow(string(id))
	}
	return w, err
}

func noWorkflow(id string) error {
	return flow.Errorf(flow.NotFound, "workflow %q does not exist", id).About("Workflow", id)
}

// WorkflowByName returns the workflow of that name that is not being deleted.
func (db *DB) WorkflowByName(ctx context.Context, name string) (flow.Workflow, error) {
	w, err := one(db.read(ctx), scanWorkflow,
		`SELECT `+workflowColumns+` FROM workflow w WHERE w.name = $1 AND w.deleting = 0`, name)
	if errors.Is(err, sql.ErrNoRows) {
		return w, noWorkflow(name)
	}
	return w, err
}

// A WorkflowRow is a line of the list of workflows. Latest has no Source:
// [DB.Version] returns it whole.
type WorkflowRow struct {
	Workflow flow.Workflow
	Latest   flow.Version
}

// Workflows lists the workflows, those being deleted too, the newest first.
// next is the After of the page that follows; empty on the last.
func (db *DB) Workflows(ctx context.Context, page flow.Page) (rows []WorkflowRow, next string, err error) {
	created, id, err := older(page)
	if err != nil {
		return nil, "", err
	}
	rows, err = list(db.read(ctx), scanWorkflowRow, `
		SELECT `+workflowColumns+`, `+versionColumns+`
		FROM workflow w JOIN version v ON v.workflow = w.id AND v.id = w.latest
		WHERE (w.created, w.id) < ($1, $2)
		ORDER BY w.created DESC, w.id DESC LIMIT $3`, created, id, limit(page)+1)
	if err != nil {
		return nil, "", err
	}
	rows, next = cut(rows, page, func(r WorkflowRow) string { return byAge(r.Workflow.Created, r.Workflow.ID) })
	return rows, next, nil
}

func scanWorkflowRow(s scanner) (WorkflowRow, error) {
	var r WorkflowRow
	into, done := versionFields(&r.Latest)
	if err := scanWorkflowAnd(s, &r.Workflow, into...); err != nil {
		return r, err
	}
	return r, done()
}

// UpdateTags replaces the tags of a workflow by what change makes of them.
// change may be called more than once; its error comes back as it is. Both
// maps may be nil.
func (db *DB) UpdateTags(ctx context.Context, id flow.WorkflowID, change func(map[string]string) (map[string]string, error)) error {
	return db.write(ctx, func(t *tx) error {
		w, err := workflowIn(t, id)
		if err != nil {
			return err
		}
		tags, err := change(w.Tags)
		if err != nil {
			return err
		}
		text, err := tagText(tags)
		if err != nil {
			return err
		}
		_, err = t.exec(`UPDATE workflow SET tags = $1 WHERE id = $2`, text, string(id))
		return err
	})
}

// MarkDeleting marks a workflow as being deleted and returns it: its name is
// free, its schedule is off, and it takes no versions and runs any more. It
// may be marked again.
func (db *DB) MarkDeleting(ctx context.Context, id flow.WorkflowID) (flow.Workflow, error) {
	var w flow.Workflow
	err := db.write(ctx, func(t *tx) (err error) {
		if w, err = workflowIn(t, id); err != nil {
			return err
		}
		w.Deleting = true
		if _, err := t.exec(`UPDATE workflow SET deleting = 1 WHERE id = $1`, string(id)); err != nil {
			return err
		}
		return unschedule(t, id)
	})
	return w, err
}

// Deleting lists the workflows that are being deleted.
func (db *DB) Deleting(ctx context.Context) ([]flow.WorkflowID, error) {
	return list(db.read(ctx), value[flow.WorkflowID], `SELECT id FROM workflow WHERE deleting = 1 ORDER BY id`)
}

// standing returns a workflow that is not being deleted; one that is, is a
// Conflict.
func standing(t *tx, id flow.WorkflowID) (flow.Workflow, error) {
	w, err := workflowIn(t, id)
	if err == nil && w.Deleting {
		return w, flow.Errorf(flow.Conflict, "workflow %q is being deleted", id).About("Workflow", string(id))
	}
	return w, err
}

package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// The files of migrations are applied once each, in the order of their
// numbers: NNNN_name.sql. A file that was in a release is never changed. They
// are written for both databases with the types TEXT and BIGINT, and these
// words where the two differ:
//
//	{blob}     the type of a column of bytes
//	{rowless}  after the closing parenthesis of a table whose primary key is
//	           to be its only tree
//
//go:embed migrations/*.sql
var migrations embed.FS

// A dialect is what SQLite and PostgreSQL do not share.
type dialect struct {
	words *strings.Replacer
	// begin starts the transaction of the migrations, alone.
	begin string
}

var (
	sqlite = dialect{
		words: strings.NewReplacer("{blob}", "BLOB", "{rowless}", "WITHOUT ROWID"),
		begin: "BEGIN IMMEDIATE",
	}
	postgres = dialect{
		words: strings.NewReplacer("{blob}", "BYTEA", "{rowless}", ""),
		// The number is any that other programs will not take.
		begin: "BEGIN; SELECT pg_advisory_xact_lock(4685746171)",
	}
)

// migrate brings the tables that conn sees up to date, in one transaction.
func migrate(ctx context.Context, conn *sql.Conn, d dialect) error {
	if _, err := conn.ExecContext(ctx, d.begin); err != nil {
		return err
	}
	err := applyMissing(ctx, conn, d)
	if err != nil {
		// The reason for the failure matters more than that of the rollback.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return err
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

func applyMissing(ctx context.Context, conn *sql.Conn, d dialect) error {
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS migration (
			n       BIGINT PRIMARY KEY,
			name    TEXT NOT NULL,
			applied BIGINT NOT NULL
		)`); err != nil {
		return err
	}
	var have int
	if err := conn.QueryRowContext(ctx, `SELECT coalesce(max(n), 0) FROM migration`).Scan(&have); err != nil {
		return err
	}
	last := 0
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql")
		number, _, _ := strings.Cut(name, "_")
		n, err := strconv.Atoi(number)
		if err != nil || n <= last {
			return fmt.Errorf("migration %s: its number is no number or is taken", name)
		}
		last = n
		if n <= have {
			continue
		}
		text, err := migrations.ReadFile(file)
		if err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, d.words.Replace(string(text))); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
		if _, err := conn.ExecContext(ctx, `INSERT INTO migration (n, name, applied) VALUES ($1, $2, $3)`,
			n, name, micros(time.Now())); err != nil {
			return err
		}
	}
	if have > last {
		return fmt.Errorf("the database is at migration %d, this program knows %d: use the newer release that wrote it", have, last)
	}
	return nil
}

package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// history compares a server whose store is full of ended runs with one whose
// store is empty, in turns.
func (b *bench) history() error {
	var servers [2]*server
	var arns [2]string
	for i, name := range []string{"none", "full"} {
		s := &server{binary: b.binary, data: filepath.Join(b.dir, name)}
		defer s.stop()
		if _, err := s.start(); err != nil {
			return err
		}
		arn, err := s.workflow("history", chainOf(2, "operator: "+empty))
		if err != nil {
			return err
		}
		if _, err := s.run(arn, time.Millisecond); err != nil {
			return err
		}
		servers[i], arns[i] = s, arn
	}
	servers[1].stop()
	began := time.Now()
	if err := seed(servers[1].data, b.runs, time.Hour); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "  (%s runs written in %s)\n", thousands(b.runs), time.Since(began).Round(time.Second))
	took, err := servers[1].start()
	if err != nil {
		return err
	}
	many := thousands(b.runs) + " ended runs"
	b.table.add(row{part: "history", what: "spawn to first accepted call with " + many + ", once", value: fmt.Sprintf("%.1f ms", ms(took)), aim: "≤ 100 ms", met: ms(took) <= 100})
	if err := b.starts(servers, arns, many); err != nil {
		return err
	}
	return b.pages("history", "ListWorkflowRuns of "+thousands(b.runs), b.runs, func(token *string) (int, *string, error) {
		out, err := servers[1].api.ListWorkflowRuns(context.Background(), &mwaaserverless.ListWorkflowRunsInput{
			WorkflowArn: &arns[1], MaxResults: aws.Int32(pageSize), NextToken: token,
		})
		if err != nil {
			return 0, nil, err
		}
		return len(out.WorkflowRuns), out.NextToken, nil
	})
}

// starts compares how long a start takes to be answered, and how long until
// the run has ended, whose tasks have nothing to do.
func (b *bench) starts(servers [2]*server, arns [2]string, many string) error {
	const each = 200
	var answers, ends [2][]float64
	for round := range b.rounds + 1 {
		for i, s := range servers {
			var answer, end []time.Duration
			for range each {
				began := time.Now()
				id, err := s.begin(arns[i])
				if err != nil {
					return err
				}
				answer = append(answer, time.Since(began))
				for over := false; !over; {
					got, err := s.api.GetWorkflowRun(context.Background(), &mwaaserverless.GetWorkflowRunInput{WorkflowArn: &arns[i], RunId: &id})
					if err != nil {
						return err
					}
					if over, err = ended(got.RunDetail.RunState, aws.ToString(got.RunDetail.ErrorMessage)); err != nil {
						return err
					}
				}
				end = append(end, time.Since(began))
			}
			if round > 0 { // the first is to warm up
				answers[i], ends[i] = append(answers[i], ms(median(answer))), append(ends[i], ms(median(end)))
			}
		}
	}
	for _, k := range []struct {
		what string
		of   [2][]float64
	}{{"StartWorkflowRun answered", answers}, {"start until the tasks have run", ends}} {
		none, full := median(k.of[0]), median(k.of[1])
		b.table.add(row{part: "history", what: fmt.Sprintf("%s, %s (p50)", k.what, many), value: fmt.Sprintf("%.3f ms", full),
			control: fmt.Sprintf("%.2f × that of an empty store (%.3f ms)", full/none, none), aim: "≤ 1.2 ×", met: full <= 1.2*none})
	}
	return nil
}

// seed fills the database of a server that is not running with n copies of
// the runs that it has, each a second older than the one before, the
// youngest by age, under other ids.
func seed(data string, n int, age time.Duration) error {
	db, err := sql.Open("sqlite", filepath.Join(data, "fairlead.db")+"?_pragma=synchronous(0)&_pragma=cache_size(-1000000)&_pragma=temp_store(2)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	type copied struct{ table, id, order string }
	script := []string{
		"BEGIN",
		`CREATE TEMP TABLE made (i INTEGER PRIMARY KEY, id TEXT, was TEXT)`,
		fmt.Sprintf(`INSERT INTO made WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			SELECT i, substr(hex(randomblob(8)), 1, 15), (SELECT id FROM run LIMIT 1) FROM n`, n),
	}
	for _, c := range []copied{
		{"run", "id", "m.i DESC"}, {"task", "run", "m.id"}, {"attempt", "run", "m.id"}, {"output", "run", "m.id"}, {"entry", "run", "m.id"},
	} {
		columns, err := columnsOf(db, c.table)
		if err != nil {
			return err
		}
		var values []string
		for _, name := range columns {
			switch name {
			case c.id:
				name = "m.id"
			case "created", "started", "ended", "modified", "logical", "since", "at":
				name = fmt.Sprintf("CASE t.%[1]s WHEN 0 THEN 0 ELSE t.%[1]s - %[2]d - m.i * 1000000 END", name, age.Microseconds())
			default:
				name = "t." + name
			}
			values = append(values, name)
		}
		script = append(script, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM made m JOIN %s t ON t.%s = m.was ORDER BY %s",
			c.table, strings.Join(columns, ", "), strings.Join(values, ", "), c.table, c.id, c.order))
	}
	for _, q := range append(script, "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)") {
		if _, err := db.Exec(q); err != nil {
			return fmt.Errorf("seed: %w in %s", err, q)
		}
	}
	return nil
}

func columnsOf(db *sql.DB, table string) ([]string, error) {
	rows, err := db.Query(`SELECT name FROM pragma_table_info(?)`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// count returns how many rows a table of a server has that is older than an
// hour, for the table of runs.
func count(data, table string) (int, error) {
	db, err := sql.Open("sqlite", filepath.Join(data, "fairlead.db")+"?mode=ro")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var n int
	err = db.QueryRow(`SELECT count(*) FROM `+table+` WHERE created < ?`, time.Now().Add(-time.Hour).UnixMicro()).Scan(&n)
	return n, err
}

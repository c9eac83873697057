package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A check is one of SQLTableCheckOperator's.
type check struct {
	name   string
	given  map[string]any
	result any
	passed bool
}

// tableCheck asks a table whether statements hold for all of it.
func tableCheck(ctx context.Context, a *action) error {
	table, clause := a.needed("table"), a.text("partition_clause")
	checks, err := readChecks(a.raw("checks"))
	if a.err == nil {
		a.err = err
	}
	if a.err == nil && strings.Contains(clause, ";") {
		a.err = Errorf("Invalid partition_clause: semicolons (;) not allowed.")
	}
	if a.err != nil {
		return a.err
	}
	text := checkSQL(table, clause, checks)
	conn, err := a.connect(ctx, "conn_id")
	if err != nil {
		return err
	}
	a.log("info", "Running statement: %s", text)
	f, err := conn.query(ctx, text, nil)
	if err != nil {
		return err
	}
	var records []string
	for r := range f.rows {
		name, result := f.columns[0].cells[r], f.columns[1].cells[r]
		records = append(records, "("+pythonRepr(name)+", "+pythonRepr(result)+")")
		i := slices.IndexFunc(checks, func(c check) bool { return c.name == pythonText(name) })
		if i < 0 {
			return Errorf("the database answered for a check %s that was not asked for", clip(pythonRepr(name), 80))
		}
		checks[i].result = pythonText(result)
		if checks[i].passed, err = parseBoolean(pythonText(result)); err != nil {
			return err
		}
	}
	shown := "[" + strings.Join(records, ", ") + "]"
	a.log("info", "Record:\n%s", shown)
	var failed []string
	for _, c := range checks {
		if !c.passed {
			failed = append(failed, "\tCheck: "+c.name+",\n\tCheck Values: "+c.repr()+"\n")
		}
	}
	if len(failed) > 0 {
		return &Error{Fatal: !a.flag("retry_on_failure"), Message: "Test failed.\nQuery:\n" + text + "\nResults:\n" + shown +
			"\nThe following tests have failed:\n" + strings.Join(failed, ", ")}
	}
	a.log("info", "All tests have passed")
	return nil
}

// readChecks reads a mapping of names to check_statement and partition_clause,
// in its order.
func readChecks(text json.RawMessage) ([]check, error) {
	wrong := &Error{Fatal: true, Message: "SQLTableCheckOperator: checks must be a mapping of names to {check_statement, partition_clause}"}
	d := json.NewDecoder(strings.NewReader(string(text)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, wrong
	}
	var checks []check
	for d.More() {
		name, err := d.Token()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, wrong
		}
		c := check{name: fmt.Sprint(name)}
		if err := d.Decode(&c.given); err != nil {
			return nil, wrong
		}
		if s, ok := c.given["check_statement"].(string); !ok || s == "" {
			return nil, &Error{Fatal: true, Message: "SQLTableCheckOperator: the check " + clip(c.name, 80) + " has no check_statement"}
		}
		checks = append(checks, c)
	}
	if len(checks) == 0 {
		return nil, wrong
	}
	return checks, nil
}

// checkSQL puts one statement together that answers all checks.
func checkSQL(table, clause string, checks []check) string {
	var parts []string
	for _, c := range checks {
		where := clause
		if own, _ := c.given["partition_clause"].(string); own != "" && where != "" {
			where += " AND " + own
		} else if own != "" {
			where = own
		}
		if where != "" {
			where = "WHERE " + where
		}
		parts = append(parts, fmt.Sprintf("\n    SELECT '%[1]s' AS check_name, MIN(%[1]s) AS check_result\n"+
			"    FROM (SELECT CASE WHEN %[2]s THEN 1 ELSE 0 END AS %[1]s\n          FROM %[3]s %[4]s) AS sq\n    ", c.name, c.given["check_statement"], table, where))
	}
	return "SELECT check_name, check_result FROM (" + strings.Join(parts, "UNION ALL") + ") AS check_table"
}

// repr shows a check as Python shows its mapping.
func (c *check) repr() string {
	var parts []string
	for _, name := range []string{"check_statement", "partition_clause"} {
		if v, ok := c.given[name]; ok {
			parts = append(parts, pythonRepr(name)+": "+pythonRepr(v))
		}
	}
	return "{" + strings.Join(append(parts, "'result': "+pythonRepr(c.result), "'success': "+pythonRepr(c.passed)), ", ") + "}"
}

// parseBoolean reads the result of a check.
func parseBoolean(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "y", "yes", "t", "true", "on", "1":
		return true, nil
	case "n", "no", "f", "false", "off", "0":
		return false, nil
	}
	return false, Errorf("%s is not a boolean-like string value", pythonRepr(strings.ToLower(s)))
}

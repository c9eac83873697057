package operator

import (
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"fairlead/internal/flow"
	"fairlead/internal/store/pgtest"
)

// someSQLite makes a database and returns the URI of a connection to it.
func someSQLite(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "some.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE t (n INTEGER, x REAL, s TEXT, ok BOOLEAN, at TIMESTAMP, day DATE);
		INSERT INTO t VALUES (1, 0.5, 'a', 1, '2026-01-02 03:04:05', 20260102), (2, NULL, 'b,c', 0, NULL, NULL), (3, 2.0, NULL, NULL, NULL, NULL)`); err != nil {
		t.Fatal(err)
	}
	return "sqlite://" + file
}

func TestSqlToS3(t *testing.T) {
	w := newWorld(t)
	w.bucket("bkt", "there.csv")
	uri := someSQLite(t)
	upload := func(args ...any) ran {
		c := call("airflow.providers.amazon.aws.transfers.sql_to_s3.SqlToS3Operator", append([]any{"s3_bucket", "bkt", "sql_conn_id", "base"}, args...)...)
		c.Env = map[string]string{"AWS_ACCESS_KEY_ID": someKeys.AccessKeyID, "AWS_SECRET_ACCESS_KEY": someKeys.SecretAccessKey, "AIRFLOW_CONN_BASE": uri}
		return run(t, w.o, c)
	}
	for _, tt := range []struct {
		what string
		args []any
		key  string
		want string
	}{
		{"csv", []any{"query", "SELECT * FROM t ORDER BY n -- by number", "s3_key", "a.csv"}, "a.csv",
			",n,x,s,ok,at,day\n0,1,0.5,a,1,2026-01-02 03:04:05,20260102\n1,2,,\"b,c\",0,,\n2,3,2.0,,,,\n"},
		{"json", []any{"query", "SELECT n, s FROM t", "s3_key", "b", "file_format", "json", "df_kwargs", map[string]any{"orient": "records", "lines": true}}, "b.json",
			"{\"n\":1,\"s\":\"a\"}\n{\"n\":2,\"s\":\"b,c\"}\n{\"n\":3,\"s\":null}\n"},
		{"parameters by place", []any{"query", "SELECT n FROM t WHERE n > ? AND s = ?", "parameters", []any{1, "b,c"}, "s3_key", "c", "pd_kwargs", map[string]any{"index": false}}, "c.csv", "n\n2\n"},
		{"parameters by name", []any{"query", "SELECT n FROM t WHERE n = :n", "parameters", map[string]any{"n": 3}, "s3_key", "d", "df_kwargs", map[string]any{"index": false}}, "d.csv", "n\n3\n"},
		{"the second chunk", []any{"query", "SELECT n FROM t", "s3_key", "e.csv", "max_rows_per_file", 2}, "e_1.csv", ",n\n0,3\n"},
		{"a group", []any{"query", "SELECT n, s FROM t", "s3_key", "f.csv", "groupby_kwargs", map[string]any{"by": "s"}}, "f_b,c.csv", ",n,s\n0,2,\"b,c\"\n"},
		{"the last first", []any{"query", "WITH u AS (SELECT * FROM t) SELECT ok AS \"is \"\"ok\"\"\" FROM u ORDER BY n DESC;", "s3_key", "o", "df_kwargs", map[string]any{"index": false, "header": false}}, "o.csv", "\"\"\n0\n1\n"},
		{"no rows", []any{"query", "SELECT n FROM t WHERE n > 9", "s3_key", "g.csv"}, "g.csv", ",n\n"},
		{"replaced", []any{"query", "SELECT 1 AS x", "s3_key", "there.csv", "replace", true}, "there.csv", ",x\n0,1\n"},
	} {
		expect(t, tt.what, upload(tt.args...), flow.Success, "", "")
		if got := w.text("bkt", tt.key); got != tt.want {
			t.Errorf("%s: the object %s\n got %q\nwant %q", tt.what, tt.key, got, tt.want)
		}
	}
	if got, want := w.text("bkt", "e.csv"), ",n\n0,1\n1,2\n"; got != want {
		t.Errorf("the first chunk is %q, want %q", got, want)
	}
	expect(t, "gzip", upload("query", "SELECT 1 AS x", "s3_key", "z.csv", "df_kwargs", map[string]any{"compression": "gzip"}), flow.Success, "", "")
	r, err := gzip.NewReader(strings.NewReader(w.text("bkt", "z.csv.gz")))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != ",x\n0,1\n" || err != nil {
		t.Errorf("the compressed object has %q, %v", got, err)
	}

	for _, tt := range []struct {
		args    []any
		verdict flow.Verdict
		want    string
	}{
		{[]any{"query", "SELECT 1 AS x", "s3_key", "there.csv"}, flow.Failure, "The key there.csv already exists."},
		{[]any{"query", "SELECT nosuch", "s3_key", "x"}, flow.Failure, "no such column: nosuch"},
		{[]any{"query", "SELECT x'00' AS b", "s3_key", "x"}, flow.Failure, "column b: bytes have no form in a file"},
		{[]any{"query", "SELECT 1", "s3_key", "x", "file_format", "parquet"}, flow.Fatal, "file_format parquet is not supported here; csv and json are"},
		{[]any{"query", "SELECT 1", "s3_key", "x", "df_type", "polars"}, flow.Fatal, "df_type must be pandas"},
		{[]any{"query", "SELECT 1", "s3_key", "x", "df_kwargs", map[string]any{"storage_options": 1}}, flow.Fatal, "storage_options of df_kwargs is not supported here; these are: sep, "},
		{[]any{"query", "SELECT 1", "s3_key", "x", "df_kwargs", map[string]any{"sep": "||"}}, flow.Fatal, "df_kwargs: sep cannot be '||'"},
		{[]any{"query", "SELECT 1", "s3_key", "x", "read_kwargs", map[string]any{"chunksize": 1}}, flow.Fatal, "chunksize of read_kwargs is not supported here"},
		{[]any{"query", "SELECT 1", "s3_key", "x", "max_rows_per_file", 1, "groupby_kwargs", map[string]any{"by": "x"}}, flow.Fatal, "can not be both specified"},
		{[]any{"query", "SELECT 1", "s3_key", "x", "sql_hook_params", map[string]any{"iam": true}}, flow.Fatal, "iam of sql_hook_params is not supported here"},
		{[]any{"query", "SELECT 1", "s3_key", "x", "sql_conn_id", "none"}, flow.Failure, "The conn_id `none` isn't defined"},
	} {
		expect(t, tt.args, upload(tt.args...), tt.verdict, tt.want, "")
	}
}

func TestSQLTableCheck(t *testing.T) {
	o, uri := testOperators(t, nil), someSQLite(t)
	check := func(args ...any) ran {
		c := call("airflow.providers.common.sql.operators.sql.SQLTableCheckOperator", append([]any{"conn_id", "base", "table", "t"}, args...)...)
		c.Env = map[string]string{"AIRFLOW_CONN_BASE": uri}
		return run(t, o, c)
	}
	rows := json.RawMessage(`{"rows": {"check_statement": "COUNT(*) = 3"}, "above": {"check_statement": "n > 0", "partition_clause": "s IS NOT NULL"}}`)
	wrong := json.RawMessage(`{"z": {"check_statement": "n < 3"}, "a": {"check_statement": "n > 0"}}`)
	expect(t, "all hold", check("checks", rows), flow.Success, "", "")
	expect(t, "one does not", check("checks", wrong), flow.Failure,
		"Results:\n[('z', 0), ('a', 1)]\nThe following tests have failed:\n\tCheck: z,\n\tCheck Values: {'check_statement': 'n < 3', 'result': '0', 'success': False}\n", "")
	expect(t, "no retry", check("checks", wrong, "retry_on_failure", false), flow.Fatal, "Test failed.", "")
	expect(t, "within a part", check("checks", wrong, "partition_clause", "n < 3"), flow.Success, "", "")
	expect(t, "no rows", check("checks", wrong, "partition_clause", "n > 9"), flow.Failure, "'none' is not a boolean-like string value", "")
	expect(t, "two statements", check("checks", wrong, "partition_clause", "1; DROP TABLE t"), flow.Failure, "semicolons (;) not allowed", "")
	expect(t, "no statement", check("checks", json.RawMessage(`{"a": {}}`)), flow.Fatal, "the check a has no check_statement", "")
	expect(t, "a list", check("checks", []int{1}), flow.Fatal, "checks must be a mapping", "")
	expect(t, "no table", check("checks", rows, "table", "u"), flow.Failure, "no such table: u", "")
}

// TestSQLOfPostgres has a real server answer.
func TestSQLOfPostgres(t *testing.T) {
	base := pgtest.URL(t)
	w := newWorld(t)
	w.bucket("bkt")
	n := 0
	query := func(sql string, args ...any) (string, ran) {
		n++
		c := call("airflow.providers.amazon.aws.transfers.sql_to_s3.SqlToS3Operator", append([]any{"query", sql, "s3_bucket", "bkt", "s3_key", fmt.Sprint(n), "sql_conn_id", "pg",
			"df_kwargs", map[string]any{"index": false, "sep": "|"}}, args...)...)
		c.Env = map[string]string{"AWS_ACCESS_KEY_ID": someKeys.AccessKeyID, "AWS_SECRET_ACCESS_KEY": someKeys.SecretAccessKey, "AIRFLOW_CONN_PG": base}
		got := run(t, w.o, c)
		if got.Verdict != flow.Success {
			return got.Reason, got
		}
		return w.text("bkt", fmt.Sprint(n)+".csv"), got
	}
	for _, tt := range []struct {
		sql  string
		args []any
		want string
	}{
		{"SELECT 1::int2 AS a, 2.50 AS b, 'x''y' AS c, true AS d, NULL AS e, 1.0::float4 AS f", nil, "a|b|c|d|e|f\n1|2.5|x'y|True||1.0\n"},
		{"SELECT timestamp '2026-01-02 03:04:05' AS a, timestamptz '2026-01-02 03:04:05+05:30' AS b, date '2026-01-02' AS c, time '01:02' AS d", nil,
			"a|b|c|d\n2026-01-02 03:04:05|2026-01-01 21:34:05+00:00|2026-01-02|01:02:00\n"},
		{`SELECT '{"b": 1, "a": "x"}'::json AS a, '{1,2}'::int[] AS b, 'a1b2c3d4-0000-0000-0000-000000000000'::uuid AS c`, nil,
			"a|b|c\n{'b': 1, 'a': 'x'}|{1,2}|a1b2c3d4-0000-0000-0000-000000000000\n"},
		{"CREATE TEMP TABLE z AS SELECT 7 AS n; SELECT n FROM z", nil, "n\n7\n"},
		{"SELECT %s AS a, %s AS b, %s AS c, 5 %% 3 AS d, 1-%s AS e, %s AS f", []any{"parameters", []any{1, `it's \ "x"`, nil, -2, []any{1, 2}}}, "a|b|c|d|e|f\n1|\"it's \\ \"\"x\"\"\"||2|3|{1,2}\n"},
		{"SELECT %(a)s || %(a)s AS x WHERE %(b)s", []any{"parameters", map[string]any{"a": "y", "b": true}}, "x\nyy\n"},
		{"SELECT '%s'", nil, "?column?\n%s\n"},
		{"SELECT %s", []any{"parameters", []any{1, 2}}, "not all arguments converted during string formatting"},
		{"SELECT 1/0", nil, "ERROR: division by zero (SQLSTATE 22012)"},
		{"BEGIN", nil, "the query has no result"},
		{"SELECT 'x'::bytea AS b", nil, "column b: bytes have no form in a file; encode them in the query"},
	} {
		if got, _ := query(tt.sql, tt.args...); got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.sql, got, tt.want)
		}
	}

	// Nothing that a query does is kept.
	if got, out := query("CREATE TABLE fairlead_kept (n int); SELECT 1"); out.Verdict != flow.Success {
		t.Errorf("create a table: %s", got)
	}
	if got, _ := query("SELECT to_regclass('fairlead_kept') IS NULL AS gone"); got != "gone\nTrue\n" {
		t.Errorf("is the table gone? %q", got)
	}
	base = strings.Replace(base, "/postgres?", "/absent?", 1)
	if got, _ := query("SELECT 1"); !strings.Contains(got, `database "absent" does not exist`) {
		t.Errorf("a database that is not there: %s", got)
	}
}

// TestSQLOfMySQL has the server answer that FAIRLEAD_TEST_MYSQL names, as a
// connection is named.
func TestSQLOfMySQL(t *testing.T) {
	uri := os.Getenv("FAIRLEAD_TEST_MYSQL")
	if uri == "" {
		t.Skip("NOT TESTED ON MYSQL: FAIRLEAD_TEST_MYSQL is not set")
	}
	for _, tt := range []struct {
		sql    string
		params any
		want   string
	}{
		{"SELECT 1 AS a, 2.50 AS b, 'x''y' AS c, TRUE AS d, NULL AS e, 1e0 AS f", nil, ",a,b,c,d,e,f\n0,1,2.5,x'y,1,,1.0\n"},
		{"SELECT TIMESTAMP '2026-01-02 03:04:05' AS a, DATE '2026-01-02' AS b, TIMESTAMP '2026-01-02 03:04:05.5' AS c", nil,
			",a,b,c\n0,2026-01-02 03:04:05,2026-01-02,2026-01-02 03:04:05.500\n"},
		{"SELECT %s AS a, %s AS b, 5 %% 3 AS c", []any{json.Number("7"), `it's \`}, ",a,b,c\n0,7,it's \\,2\n"},
		{"SELECT %(x)s AS a", map[string]any{"x": "é"}, ",a\n0,é\n"},
		{"SELECT x'00' AS b", nil, "column b: bytes have no form in a file; encode them in the query"},
		{"SELECT nosuch", nil, "Error 1054 (42S22): Unknown column 'nosuch'"},
	} {
		c, err := parseConnection(uri)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if f, err := c.query(t.Context(), tt.sql, tt.params); err != nil {
			got = err.Error()
		} else {
			form := newCSVForm()
			text, err := f.csv(&form)
			if got = string(text); err != nil {
				t.Fatal(err)
			}
		}
		if got != tt.want && (tt.want[0] == ',' || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s\n got %q\nwant %q", tt.sql, got, tt.want)
		}
	}
}

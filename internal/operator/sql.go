package operator

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// query returns the result of the last statement of a text, with parameters as
// the connection's driver for Python takes them. As in Airflow nothing is
// committed.
func (c *connection) query(ctx context.Context, text string, params any) (*frame, error) {
	switch c.kind {
	case "postgres", "redshift":
		return c.queryPostgres(ctx, text, params)
	case "mysql":
		return c.queryMySQL(ctx, text, params)
	case "sqlite":
		return c.querySQLite(ctx, text, params)
	}
	return nil, &Error{Fatal: true, Message: fmt.Sprintf(
		"the connection %s is of the type %q, which cannot be queried here; postgres, redshift, mysql and sqlite can", c.id, clip(c.kind, 80))}
}

// maxResult bounds the result of a query in bytes; it is held in memory.
const maxResult = 256 << 20

// A filler puts a frame together, row by row, within a bound.
type filler struct {
	frame
	size int
}

// add appends a cell that took n bytes on the wire.
func (f *filler) add(col int, v any, n int) error {
	if f.size += n + 16; f.size > maxResult {
		return Errorf("the result of the query has more than %d bytes; ask for less at once", maxResult)
	}
	f.columns[col].cells = append(f.columns[col].cells, v)
	return nil
}

// said is an error of a database, for whoever wrote the query.
func said(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return Errorf("%v", err)
}

// postgresExtras are the parameters of libpq that are passed on.
var postgresExtras = [...]string{"sslmode", "sslcert", "sslkey", "sslrootcert", "sslpassword", "application_name", "options", "connect_timeout", "target_session_attrs"}

func (c *connection) queryPostgres(ctx context.Context, text string, params any) (*frame, error) {
	if params != nil {
		var err error
		if text, _, err = c.fill(text, params, postgresLiteral); err != nil {
			return nil, err
		}
	}
	// Whether a connection is kept alive is no matter for one query.
	known := append(postgresExtras[:], "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "sqlalchemy_scheme")
	if err := c.refuseExtras(known...); err != nil {
		return nil, err
	}
	port := c.port
	if port == 0 && c.kind == "redshift" {
		port = 5439
	}
	var b strings.Builder
	set := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s='%s' ", name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
		}
	}
	set("host", c.host)
	set("user", c.login)
	set("password", c.password)
	set("dbname", c.schema)
	if port != 0 {
		set("port", strconv.Itoa(port))
	}
	for _, name := range postgresExtras {
		set(name, c.setting(name))
	}
	conn, err := pgconn.Connect(ctx, b.String())
	if err != nil {
		return nil, said(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	begin := "BEGIN"
	if !strings.HasPrefix(conn.ParameterStatus("DateStyle"), "ISO") {
		begin = "SET datestyle TO ISO; BEGIN"
	}
	if err := conn.Exec(ctx, begin).Close(); err != nil {
		return nil, said(err)
	}
	f := &filler{}
	results := conn.Exec(ctx, text)
	for results.NextResult() {
		rows := results.ResultReader()
		*f = filler{}
		var types []uint32
		for _, d := range rows.FieldDescriptions() {
			f.columns = append(f.columns, column{name: d.Name, kind: postgresKind(d.DataTypeOID)})
			types = append(types, d.DataTypeOID)
		}
		for rows.NextRow() {
			f.rows++
			for i, raw := range rows.Values() {
				var v any
				if raw != nil {
					if v, err = postgresCell(types[i], string(raw)); err != nil {
						return nil, Errorf("column %s: %v", f.columns[i].name, err)
					}
				}
				if err := f.add(i, v, len(raw)); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := results.Close(); err != nil {
		return nil, said(err)
	}
	return f.done()
}

// done returns the frame of a query that had a result.
func (f *filler) done() (*frame, error) {
	if len(f.columns) == 0 {
		return nil, Errorf("the query has no result")
	}
	f.settle()
	return &f.frame, nil
}

// The numbers of PostgreSQL's types, from its catalog.
const (
	oidBool, oidBytes, oidInt8, oidInt2, oidInt4, oidOID        = 16, 17, 20, 21, 23, 26
	oidJSON, oidFloat4, oidFloat8, oidDate, oidMoment, oidZoned = 114, 700, 701, 1082, 1114, 1184
	oidNumeric, oidJSONB                                        = 1700, 3802
)

func postgresKind(oid uint32) columnKind {
	switch oid {
	case oidFloat4, oidFloat8, oidNumeric:
		return floats
	case oidMoment:
		return moments
	case oidZoned:
		return zoned
	}
	return objects
}

// postgresCell reads a value as PostgreSQL writes it; what it does not know is
// text, as in psycopg2.
func postgresCell(oid uint32, s string) (any, error) {
	switch oid {
	case oidBool:
		return s == "t", nil
	case oidInt2, oidInt4, oidInt8, oidOID:
		return strconv.ParseInt(s, 10, 64)
	case oidFloat4, oidFloat8, oidNumeric:
		return strconv.ParseFloat(s, 64)
	case oidDate:
		t, err := time.Parse("2006-01-02", s)
		return date{t}, err
	case oidMoment:
		return momentOf(s, "2006-01-02 15:04:05.999999")
	case oidZoned:
		return momentOf(s, "2006-01-02 15:04:05.999999Z07", "2006-01-02 15:04:05.999999Z07:00", "2006-01-02 15:04:05.999999Z07:00:00")
	case oidJSON, oidJSONB:
		return jsonCell(s), nil
	case oidBytes:
		return nil, errors.New("bytes have no form in a file; encode them in the query")
	}
	return s, nil
}

// momentOf reads a point of time in one of the forms. One without a zone is in
// a zone without a name, so that it is told from UTC.
func momentOf(s string, layouts ...string) (any, error) {
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s, nowhere()); err == nil {
			if strings.Contains(layout, "Z07") {
				t = t.UTC()
			}
			return t, nil
		}
	}
	return nil, fmt.Errorf("%s is not a point of time that can be kept", clip(s, 40))
}

// nowhere is the zone of what has none.
func nowhere() *time.Location { return time.FixedZone("", 0) }

// postgresLiteral writes a parameter into a statement. Statements are read
// with standard strings, where only the quote is special.
func postgresLiteral(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "NULL", nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		if strings.HasPrefix(v.String(), "-") {
			return " " + v.String(), nil // or it might make a comment of what is before it
		}
		return v.String(), nil
	case string:
		if strings.Contains(v, "\x00") {
			return "", Errorf("A string literal cannot contain NUL (0x00) characters.")
		}
		text := strings.ReplaceAll(v, "'", "''")
		if strings.Contains(text, `\`) {
			return " E'" + strings.ReplaceAll(text, `\`, `\\`) + "'", nil
		}
		return "'" + text + "'", nil
	case []any:
		var l []string
		for _, e := range v {
			s, err := postgresLiteral(e)
			if err != nil {
				return "", err
			}
			l = append(l, s)
		}
		if len(l) == 0 {
			return "'{}'", nil
		}
		return "ARRAY[" + strings.Join(l, ",") + "]", nil
	}
	return "", Errorf("can't adapt type 'dict'")
}

var placeholder = regexp.MustCompile(`%(?:%|s|\(([^)]*)\)s|.?)`)

// fill replaces the marks of a statement, %s or %(name)s, by what write makes
// of the parameters, and returns the values in the order of the marks.
func (c *connection) fill(text string, params any, write func(any) (string, error)) (string, []any, error) {
	list, byPlace := params.([]any)
	named, byName := params.(map[string]any)
	if !byPlace && !byName {
		return "", nil, Errorf("parameters must be a list or a mapping, not %s", clip(pythonRepr(params), 80))
	}
	var fault error
	var used []any
	filled := placeholder.ReplaceAllStringFunc(text, func(mark string) string {
		var v any
		switch {
		case mark == "%%":
			return "%"
		case mark == "%s" && byPlace && len(used) < len(list):
			v = list[len(used)]
		case mark == "%s" && byPlace:
			fault = errors.Join(fault, errors.New("not enough arguments for format string"))
			return mark
		case strings.HasSuffix(mark, ")s") && byName:
			var ok bool
			if v, ok = named[mark[2:len(mark)-2]]; !ok {
				fault = errors.Join(fault, fmt.Errorf("there is no parameter %s", clip(mark[2:len(mark)-2], 80)))
			}
		default:
			fault = errors.Join(fault, fmt.Errorf("the mark %s does not fit the parameters; a percent sign by itself is %%%%", mark))
			return mark
		}
		used = append(used, v)
		s, err := write(v)
		fault = errors.Join(fault, err)
		return s
	})
	if fault == nil && byPlace && len(used) < len(list) {
		fault = errors.New("not all arguments converted during string formatting")
	}
	return filled, used, said(fault)
}

func (c *connection) queryMySQL(ctx context.Context, text string, params any) (*frame, error) {
	if err := c.refuseExtras("charset"); err != nil {
		return nil, err
	}
	var args []any
	if params != nil {
		var err error
		if text, args, err = c.fill(text, params, func(any) (string, error) { return "?", nil }); err != nil {
			return nil, err
		}
	}
	config := mysql.NewConfig()
	host, port := c.host, c.port
	if host == "" {
		host = "localhost"
	}
	if port == 0 {
		port = 3306
	}
	config.User, config.Passwd, config.DBName = c.login, c.password, c.schema
	config.Net, config.Addr, config.TLSConfig = "tcp", net.JoinHostPort(host, strconv.Itoa(port)), "preferred"
	config.Logger = &mysql.NopLogger{}
	if charset := c.setting("charset"); charset != "" {
		if err := config.Apply(mysql.Charset(charset, "")); err != nil {
			return nil, said(err)
		}
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, said(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	return queryRows(ctx, db, text, args, mysqlKind, mysqlCell)
}

func mysqlKind(kind string) columnKind {
	switch strings.TrimPrefix(kind, "UNSIGNED ") {
	case "FLOAT", "DOUBLE", "DECIMAL":
		return floats
	case "DATETIME", "TIMESTAMP":
		return moments
	}
	return objects
}

func mysqlCell(kind string, v any) (any, error) {
	raw, ok := v.([]byte)
	if !ok {
		return v, nil
	}
	s := string(raw)
	switch strings.TrimPrefix(kind, "UNSIGNED ") {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "YEAR":
		return strconv.ParseInt(s, 10, 64)
	case "FLOAT", "DOUBLE", "DECIMAL":
		return strconv.ParseFloat(s, 64)
	case "DATE":
		t, err := time.Parse("2006-01-02", s)
		return date{t}, err
	case "DATETIME", "TIMESTAMP":
		return momentOf(s, "2006-01-02 15:04:05.999999")
	case "BINARY", "VARBINARY", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BIT", "GEOMETRY":
		return nil, errors.New("bytes have no form in a file; encode them in the query")
	}
	return s, nil
}

func (c *connection) querySQLite(ctx context.Context, text string, params any) (*frame, error) {
	if err := c.refuseExtras("mode", "cache", "immutable"); err != nil {
		return nil, err
	}
	file := c.host
	if c.schema != "" {
		file += "/" + c.schema
	}
	if file == "" {
		file = ":memory:"
	}
	options := url.Values{"mode": {"rw"}} // a file that is not there is a slip in its name, not a new one
	if file == ":memory:" {
		options = url.Values{}
	}
	for _, name := range []string{"mode", "cache", "immutable"} {
		if v := c.setting(name); v != "" {
			options.Set(name, v)
		}
	}
	var args []any
	switch v := params.(type) {
	case nil:
	case []any:
		for _, e := range v {
			args = append(args, plain(e))
		}
	case map[string]any:
		for name, e := range v {
			if regexp.MustCompile(`[:@$]` + regexp.QuoteMeta(name) + `\b`).MatchString(text) {
				args = append(args, sql.Named(name, plain(e)))
			}
		}
	default:
		return nil, Errorf("parameters must be a list or a mapping, not %s", clip(pythonRepr(params), 80))
	}
	if file != ":memory:" {
		file = (&url.URL{Path: path.Clean(file)}).EscapedPath()
	}
	db, err := sql.Open("sqlite", "file:"+file+"?"+options.Encode())
	if err != nil {
		return nil, said(err)
	}
	defer db.Close()
	if text, err = undeclared(ctx, db, text, args); err != nil {
		return nil, said(err)
	}
	return queryRows(ctx, db, text, args, func(string) columnKind { return objects }, sqliteCell)
}

// undeclared returns a query with the same result whose columns have no
// declared types, where they would have such that the driver converts values
// by; Python's does not. What is no SELECT stays as it is.
func undeclared(ctx context.Context, db *sql.DB, text string, args []any) (string, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer tx.Rollback() //nolint:errcheck // nothing is kept either way
	rows, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return "", err
	}
	var names, values []string
	converted := false
	for i, t := range types {
		name := fmt.Sprintf("c%d", i)
		names = append(names, name)
		values = append(values, fmt.Sprintf(`+%s AS "%s"`, name, strings.ReplaceAll(t.Name(), `"`, `""`)))
		switch t.DatabaseTypeName() {
		case "BOOLEAN", "DATE", "DATETIME", "TIME", "TIMESTAMP":
			converted = true
		}
	}
	wrapped := fmt.Sprintf("WITH result(%s) AS (\n%s\n) SELECT %s FROM result", strings.Join(names, ", "), strings.TrimRight(text, "; \t\r\n"), strings.Join(values, ", "))
	first := strings.ToUpper(strings.TrimSpace(text))
	if !converted || !strings.HasPrefix(first, "SELECT") && !strings.HasPrefix(first, "WITH") {
		return text, nil
	}
	if err := orFirst(rows.Err(), rows.Close()); err != nil {
		return "", err
	}
	if stmt, err := tx.PrepareContext(ctx, wrapped); err == nil {
		return wrapped, stmt.Close()
	}
	return text, nil
}

// plain is a parameter as drivers take it.
func plain(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if i, err := n.Int64(); err == nil {
		return i
	}
	x, _ := n.Float64() // what it cannot hold is infinite
	return x
}

// sqliteCell undoes what the driver makes of declared types, which Python's
// driver does not heed.
func sqliteCell(_ string, v any) (any, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case time.Time:
		return v.Unix(), nil
	case []byte:
		return nil, errors.New("bytes have no form in a file; encode them in the query")
	}
	return v, nil
}

// queryRows reads a result through database/sql, in a transaction that comes
// to nothing.
func queryRows(ctx context.Context, db *sql.DB, text string, args []any, kind func(string) columnKind, cell func(string, any) (any, error)) (*frame, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, said(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing is kept either way
	rows, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, said(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, said(err)
	}
	f := &filler{}
	values, targets := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		f.columns = append(f.columns, column{name: t.Name(), kind: kind(t.DatabaseTypeName())})
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, said(err)
		}
		f.rows++
		for i, v := range values {
			size := 8
			switch v := v.(type) {
			case []byte:
				size = len(v)
			case string:
				size = len(v)
			}
			if v, err = cell(types[i].DatabaseTypeName(), v); err != nil {
				return nil, Errorf("column %s: %v", types[i].Name(), err)
			}
			if err := f.add(i, v, size); err != nil {
				return nil, err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, said(err)
	}
	return f.done()
}

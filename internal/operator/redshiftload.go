package operator

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// redshiftCopy begins to load a table from S3.
func redshiftCopy(ctx context.Context, j *job) (any, error) {
	table, schema, method := j.needed("table"), j.text("schema"), j.text("method")
	columns, _ := j.texts("column_list")
	options, _ := j.texts("copy_options")
	keys, _ := j.texts("upsert_keys")
	from := "s3://" + j.needed("s3_bucket") + "/" + j.needed("s3_key")
	if j.err != nil {
		return nil, j.err
	}
	whole := table
	if schema != "" {
		whole = schema + "." + table
	}
	to := whole
	if method == "UPSERT" {
		to = "#" + table
	}
	names := ""
	if len(columns) > 0 {
		names = " (" + strings.Join(columns, ", ") + ")"
	}
	keyring, err := j.keyring(ctx)
	if err != nil {
		return nil, err
	}
	load := fmt.Sprintf("COPY %s%s\nFROM '%s'\ncredentials\n'%s'\n%s;", to, names, from, keyring, strings.Join(options, "\n"))
	switch method {
	case "APPEND":
		return j.statement(ctx, load)
	case "REPLACE":
		return j.statement(ctx, "BEGIN;", "DELETE FROM "+whole+";", load, "COMMIT")
	case "UPSERT":
	default:
		return nil, Errorf("Method not found! Available methods: ['APPEND', 'REPLACE', 'UPSERT']")
	}
	if len(keys) == 0 {
		return nil, &Error{Message: "S3ToRedshiftOperator: the method UPSERT needs upsert_keys here; the primary key is not looked up", Fatal: true}
	}
	var same []string
	for _, k := range keys {
		same = append(same, table+"."+k+" = "+to+"."+k)
	}
	return j.statement(ctx,
		"CREATE TABLE "+to+" (LIKE "+whole+" INCLUDING DEFAULTS);", load, "BEGIN;",
		"DELETE FROM "+whole+" USING "+to+" WHERE "+strings.Join(same, " AND ")+";",
		"INSERT INTO "+whole+" SELECT * FROM "+to+";", "COMMIT")
}

// redshiftUnload begins to write the result of a query to S3.
func redshiftUnload(ctx context.Context, j *job) (any, error) {
	table, schema, query := j.text("table"), j.text("schema"), j.text("select_query")
	options, _ := j.texts("unload_options")
	to := "s3://" + j.needed("s3_bucket") + "/" + j.needed("s3_key")
	if j.err != nil {
		return nil, j.err
	}
	if table != "" && j.flag("table_as_file_name") {
		to += "/" + table + "_"
	}
	switch {
	case query == "" && table == "":
		return nil, Errorf("Please specify either a table or `select_query` to fetch the data.")
	case query == "" && schema != "":
		query = "SELECT * FROM " + schema + "." + table
	case query == "":
		query = "SELECT * FROM " + table
	}
	if j.flag("include_header") {
		header := false
		for _, o := range options {
			header = header || strings.EqualFold(strings.TrimSpace(o), "HEADER")
		}
		if !header {
			options = append(options, "HEADER")
		}
	}
	keyring, err := j.keyring(ctx)
	if err != nil {
		return nil, err
	}
	// Quotes that were doubled for a quoted query are single between dollars.
	query = regexp.MustCompile(`''(.+?)''`).ReplaceAllString(query, "'$1'")
	return j.statement(ctx, fmt.Sprintf("UNLOAD ($$%s$$)\nTO '%s'\ncredentials\n'%s'\n%s;", query, to, keyring, strings.Join(options, "\n")))
}

// keyring is the task's credentials as COPY and UNLOAD take them.
func (j *job) keyring(ctx context.Context) (string, error) {
	provider := j.cfg.AWS("S3").Credentials
	if provider == nil {
		return "", Errorf("Unable to locate credentials")
	}
	c, err := provider.Retrieve(ctx)
	if err != nil {
		return "", Errorf("Unable to locate credentials (%v)", err)
	}
	text := "aws_access_key_id=" + c.AccessKeyID + ";aws_secret_access_key=" + c.SecretAccessKey
	if c.SessionToken != "" {
		text += ";token=" + c.SessionToken
	}
	return text, nil
}

// statement sends one statement or several through the Data API, and returns
// what is needed to wait for it. The text, which has credentials in it, is not
// kept.
func (j *job) statement(ctx context.Context, sql ...string) (any, error) {
	given, ok := j.json("redshift_data_api_kwargs").(map[string]any)
	if !ok {
		return nil, Errorf("%s: redshift_data_api_kwargs must be a mapping", j.spec.Class)
	}
	names := map[string]string{
		"database": "Database", "cluster_identifier": "ClusterIdentifier", "db_user": "DbUser", "secret_arn": "SecretArn",
		"statement_name": "StatementName", "with_event": "WithEvent", "workgroup_name": "WorkgroupName", "session_id": "SessionId",
		"session_keep_alive_seconds": "SessionKeepAliveSeconds",
	}
	in := map[string]any{"WithEvent": false, "ClientToken": token(j.task.RunID, j.task.TaskID, fmt.Sprint(j.task.Try))}
	wait, interval, hosts := any(true), any(int64(10)), 0
	for name, v := range given {
		switch member := names[name]; {
		case name == "wait_for_completion":
			wait = v
		case name == "poll_interval":
			interval = v
		case name == "sql" || name == "parameters":
			return nil, &Error{Message: "Cannot include param '" + name + "' in Redshift Data API kwargs", Fatal: true}
		case member == "":
			return nil, &Error{Message: "redshift_data_api_kwargs has an unexpected member " + clip(name, 80), Fatal: true}
		case v != nil:
			in[member] = v
			if name == "cluster_identifier" || name == "workgroup_name" || name == "session_id" {
				hosts++
			}
		}
	}
	if hosts != 1 {
		return nil, Errorf("Exactly one of cluster_identifier, workgroup_name, or session_id must be provided")
	}
	if _, ok := j.spec.Arg("parameters"); ok && j.has("parameters") {
		in["Parameters"] = j.json("parameters")
	}
	call := "redshift-data:ExecuteStatement"
	if len(sql) > 1 {
		call = "redshift-data:BatchExecuteStatement"
		l := []any{}
		for _, s := range sql {
			l = append(l, s)
		}
		in["Sqls"] = l
	} else {
		in["Sql"] = sql[0]
	}
	reply, err := j.call(ctx, call, in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": reply["Id"], "wait": truthy(wait), "interval": interval}, nil
}

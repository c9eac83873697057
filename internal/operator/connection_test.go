package operator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

func TestParseConnection(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"postgresql://u:p%40ss@db.example:5433/base?sslmode=require", `postgres u p@ss db.example 5433 base {"sslmode":"require"}`},
		{"my-kind://host", `my_kind   host 0  {}`},
		{"http://https%3A%2F%2Fexample.com%2Fapi/", `http   https://example.com/api 0  {}`},
		{"http://https://u:p@example.com:8443", `http u p https://example.com 8443  {}`},
		{"sqlite:///data/x.db", `sqlite    0 data/x.db {}`},
		{"sqlite://%2Fdata%2Fx.db", `sqlite   /data/x.db 0  {}`},
		{"mysql://[::1]:3307/a?__extra__=%7B%22charset%22%3A+%22utf8mb4%22%7D", `mysql   ::1 3307 a {"charset":"utf8mb4"}`},
		{"postgres://u:a@b:c@h/", `postgres u a@b:c h 0  {}`},
		{`{"conn_type": "Postgres", "host": "h", "login": "u", "password": "p", "schema": "s", "port": "5", "extra": "{\"a\": 1}"}`, `postgres u p h 5 s {"a":1}`},
		{`{"conn_type": "http", "host": "h", "port": 80, "extra": {"X-Key": "v"}}`, `http   h 80  {"X-Key":"v"}`},
		{`{"uri": "mysql://h"}`, `mysql   h 0  {}`},
		{"no connection", "it is neither JSON nor a URI such as postgres://login:password@host:5432/database"},
		{"postgres://h:x/", "its port is x, not a number from 1 to 65535"},
		{`{"conn_type": "x"`, "it is not JSON"},
		{`{"host": 5}`, `its member "host" is number, not string`},
		{`{"extra": "[]"}`, "its extra is not a JSON object"},
	} {
		c, err := parseConnection(tt.text)
		got := fmt.Sprintf("%s %s %s %s %d %s %s", c.kind, c.login, c.password, c.host, c.port, c.schema, encode(c.extra))
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("parseConnection(%s)\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func FuzzConnection(f *testing.F) {
	for _, s := range []string{"postgres://u:p@h:1/s?a=b", `{"conn_type":"x","extra":"{}"}`, "http://https://[::1]:1/#", "a://b://c@d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := parseConnection(text); err == nil && (c.extra == nil || c.port < 0 || c.port > 65535) {
			t.Errorf("parseConnection(%q) = %+v", text, c)
		}
	})
}

// TestConnectionOfTheBackend asks a server for a connection as a task does,
// whose password must not be seen.
func TestConnectionOfTheBackend(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "the token":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/secrets/connections/hidden":
			w.Write(encode(map[string]string{"value": "teradata://u:backendsecret@h/"}))
		case r.URL.Path == "/secrets/connections/refused":
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`{"message": "AccessDenied: no"}`))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	o := testOperators(t, nil)
	check := func(id string) ran {
		c := call("airflow.providers.common.sql.operators.sql.SQLTableCheckOperator",
			"table", "t", "conn_id", id, "checks", json.RawMessage(`{"a": {"check_statement": "'backendsecret' = x"}}`))
		c.Env = map[string]string{"FAIRLEAD_SECRETS_URI": s.URL + "/secrets", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "the token", "AIRFLOW_CONN_OTHER": "oracle://h/"}
		return run(t, o, c)
	}
	got := check("hidden")
	expect(t, "the backend's", got, flow.Fatal, `the connection hidden is of the type "teradata", which cannot be queried here`, "")
	if !strings.Contains(got.log, "'***' = x") || strings.Contains(got.log, "backendsecret") {
		t.Errorf("the log shows the password:\n%s", got.log)
	}
	expect(t, "refused", check("refused"), flow.Failure, "The secrets backend cannot give connections/refused: AccessDenied: no", "")
	expect(t, "the environment's", check("other"), flow.Fatal, `the connection other is of the type "oracle"`, "")
	expect(t, "none", check("nowhere"), flow.Failure, "The conn_id `nowhere` isn't defined", "")
}

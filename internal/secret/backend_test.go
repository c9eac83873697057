package secret

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const (
	manager = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
	store   = "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend"
)

func TestBackend(t *testing.T) {
	// The service has one secret, at data/db, and tells what it is asked.
	asked := ""
	call := func(_ context.Context, service, region, target string, in any) (json.RawMessage, error) {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		asked = strings.TrimSpace(fmt.Sprint(service, " ", region, " ", target, string(text)))
		switch {
		case strings.Contains(asked, "none"):
			return nil, &ServiceError{Code: "ResourceNotFoundException"}
		case strings.Contains(asked, "absent"):
			return nil, &ServiceError{Code: "ParameterNotFound"}
		case strings.Contains(asked, "denied"):
			return nil, &ServiceError{Code: "AccessDeniedException", Message: "no"}
		case service == "ssm":
			return json.RawMessage(`{"Parameter":{"Value":"v"}}`), nil
		case strings.Contains(asked, "bytes"):
			return json.RawMessage(`{"SecretBinary":"dg=="}`), nil
		}
		return json.RawMessage(`{"SecretString":"v"}`), nil
	}
	for _, tt := range []struct{ class, kwargs, kind, key, asks, want string }{
		{manager, "", Variables, "k", `secretsmanager  secretsmanager.GetSecretValue{"SecretId":"airflow/variables/k"}`, "v"},
		{manager, "", Connections, "bytes", `secretsmanager  secretsmanager.GetSecretValue{"SecretId":"airflow/connections/bytes"}`, "v"},
		{manager, `{"connections_prefix":"a/b/","sep":"-","region_name":"eu-west-1"}`, Connections, "k", `secretsmanager eu-west-1 secretsmanager.GetSecretValue{"SecretId":"a/b/-k"}`, "v"},
		{manager, `{"variables_prefix":""}`, Variables, "k", `secretsmanager  secretsmanager.GetSecretValue{"SecretId":"k"}`, "v"},
		{manager, `{"variables_prefix":null}`, Variables, "k", "", "none"},
		{manager, `{"variables_lookup_pattern":"^M_"}`, Variables, "k", "", "none"},
		{manager, `{"variables_lookup_pattern":"^M_"}`, Variables, "m_k", `secretsmanager  secretsmanager.GetSecretValue{"SecretId":"airflow/variables/m_k"}`, "v"},
		{manager, "", Variables, "none", `secretsmanager  secretsmanager.GetSecretValue{"SecretId":"airflow/variables/none"}`, "none"},
		{manager, "", Variables, "denied", `secretsmanager  secretsmanager.GetSecretValue{"SecretId":"airflow/variables/denied"}`, "get the secret airflow/variables/denied: AccessDeniedException: no"},
		{store, "", Variables, "k", `ssm  AmazonSSM.GetParameter{"Name":"/airflow/variables/k","WithDecryption":true}`, "v"},
		{store, `{"connections_prefix":"mine"}`, Connections, "absent", `ssm  AmazonSSM.GetParameter{"Name":"/mine/absent","WithDecryption":true}`, "none"},
	} {
		b, err := NewBackend(map[string]string{BackendVar: tt.class, kwargsVar: tt.kwargs})
		if err != nil || b == nil {
			t.Fatalf("NewBackend(%s, %s) = %v, %v", tt.class, tt.kwargs, b, err)
		}
		asked = ""
		got, ok, err := b.Look(t.Context(), call, tt.kind, tt.key)
		if err != nil {
			got = err.Error()
		} else if !ok {
			got = "none"
		}
		if asked != tt.asks || got != tt.want {
			t.Errorf("%s: Look(%s, %s) asks %s and gives %s, want %s and %s", tt.kwargs, tt.kind, tt.key, asked, got, tt.asks, tt.want)
		}
	}
}

func TestBackendArguments(t *testing.T) {
	b, err := NewBackend(map[string]string{BackendVar: manager, kwargsVar: `{"variables_prefix":"a"}`, kwargVar + "VARIABLES_PREFIX": "b"})
	if err != nil || *b.prefix[Variables] != "b" {
		t.Errorf("an argument of its own: %v, %v; want that it goes before the JSON", b, err)
	}
	if b, err := NewBackend(map[string]string{BackendVar: "my.Backend"}); b != nil || err != nil {
		t.Errorf("a class of the package: %v, %v; want none", b, err)
	}
	for _, bad := range []string{"{", "[]", `{"sep":1}`, `{"region_name":"x@127.0.0.1:8443/"}`, `{"region_name":"evil.example/"}`, `{"variables_lookup_pattern":"("}`} {
		if _, err := NewBackend(map[string]string{BackendVar: store, kwargsVar: bad}); err == nil {
			t.Errorf("the arguments %s are accepted", bad)
		}
	}
}

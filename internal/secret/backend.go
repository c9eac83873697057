package secret

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"fairlead/internal/flow"
)

// The variables by which a workflow names its secrets backend.
const (
	BackendVar = "AIRFLOW__WORKERS__SECRETS_BACKEND"
	kwargsVar  = BackendVar + "_KWARGS"
	kwargVar   = BackendVar + "_KWARG__"
)

// regionPattern is what the names of regions look like.
var regionPattern = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,20})+-[0-9]{1,2}$`)

// A Backend is where Airflow's Amazon provider looks for connections and
// variables.
type Backend struct {
	parameters bool // SSM Parameter Store, else Secrets Manager
	prefix     map[string]*string
	pattern    map[string]*regexp.Regexp
	sep        string
	region     string
}

// A Call makes one call of an AWS service that speaks awsJson 1.1. A refusal
// of the service is a [*ServiceError].
type Call func(ctx context.Context, service, region, target string, in any) (json.RawMessage, error)

// A ServiceError is what a service answers in place of a reply.
type ServiceError struct{ Code, Message string }

func (e *ServiceError) Error() string { return e.Code + ": " + e.Message }

// NewBackend reads the backend from the environment of a workflow's tasks. It
// is nil where none is named, or one that only Python code can be.
func NewBackend(env map[string]string) (*Backend, error) {
	class := env[BackendVar]
	b := &Backend{sep: "/", prefix: map[string]*string{}, pattern: map[string]*regexp.Regexp{}}
	root := ""
	switch class {
	case "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend":
	case "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend":
		b.parameters, root = true, "/"
	default:
		return nil, nil
	}
	kwargs := map[string]any{}
	if text := env[kwargsVar]; text != "" {
		if err := json.Unmarshal([]byte(text), &kwargs); err != nil {
			return nil, flow.Errorf(flow.Invalid, "%s is not a JSON object: %w", kwargsVar, err)
		}
	}
	for name, value := range env {
		if key, ok := strings.CutPrefix(name, kwargVar); ok {
			kwargs[strings.ToLower(key)] = value
		}
	}
	for _, kind := range []string{Connections, Variables} {
		usual := root + "airflow/" + kind
		b.prefix[kind] = &usual
	}
	for _, name := range slices.Sorted(maps.Keys(kwargs)) {
		value, isText := kwargs[name].(string)
		isNull := kwargs[name] == nil
		var err error
		kind, what, _ := strings.Cut(name, "_")
		switch {
		case !isText && !isNull && (what == "prefix" || what == "lookup_pattern" || name == "sep" || name == "region_name"):
			err = fmt.Errorf("expected a text, got %v", kwargs[name])
		case name == "sep":
			b.sep = value
		case name == "region_name":
			// It becomes a part of the host that the server calls.
			if b.region = value; value != "" && !regionPattern.MatchString(value) {
				err = fmt.Errorf("%.50q is not the name of a region, such as us-east-1", value)
			}
		case kind != Connections && kind != Variables: // of other things, and of how the SDK works
		case what == "prefix" && isNull:
			b.prefix[kind] = nil
		case what == "prefix":
			b.prefix[kind] = &value
		case what == "lookup_pattern" && !isNull:
			b.pattern[kind], err = regexp.Compile("^(?i:" + value + ")")
		}
		if err != nil {
			return nil, flow.Errorf(flow.Invalid, "argument %s of the secrets backend: %w", name, err)
		}
	}
	return b, nil
}

// Look asks for a variable or connection; false means that there is none.
func (b *Backend) Look(ctx context.Context, call Call, kind, key string) (string, bool, error) {
	prefix := b.prefix[kind]
	if prefix == nil || b.pattern[kind] != nil && !b.pattern[kind].MatchString(key) {
		return "", false, nil
	}
	name := key
	if p := strings.TrimRight(*prefix, b.sep); p != "" {
		name = p + b.sep + key
	}
	if b.parameters {
		if p := strings.TrimRight(*prefix, "/"); p != "" {
			name = p + "/" + key
		}
		if !strings.HasPrefix(name, "/") {
			name = "/" + name
		}
		return b.parameter(ctx, call, name)
	}
	raw, err := call(ctx, "secretsmanager", b.region, "secretsmanager.GetSecretValue", map[string]any{"SecretId": name})
	if missing(err, "ResourceNotFoundException") {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("get the secret %s: %w", name, err)
	}
	var out struct{ SecretString, SecretBinary *string }
	if err := json.Unmarshal(raw, &out); err != nil {
		return "", false, fmt.Errorf("get the secret %s: the answer is not JSON", name) // which an error might show
	}
	switch {
	case out.SecretString != nil:
		return *out.SecretString, true, nil
	case out.SecretBinary != nil:
		data, err := base64.StdEncoding.DecodeString(*out.SecretBinary)
		if err != nil {
			return "", false, fmt.Errorf("get the secret %s: its bytes are not base64", name)
		}
		return string(data), true, nil
	}
	return "", false, fmt.Errorf("get the secret %s: the answer has no value", name)
}

func (b *Backend) parameter(ctx context.Context, call Call, name string) (string, bool, error) {
	raw, err := call(ctx, "ssm", b.region, "AmazonSSM.GetParameter", map[string]any{"Name": name, "WithDecryption": true})
	if missing(err, "ParameterNotFound") {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("get the parameter %s: %w", name, err)
	}
	var out struct{ Parameter struct{ Value *string } }
	if err := json.Unmarshal(raw, &out); err != nil || out.Parameter.Value == nil {
		return "", false, fmt.Errorf("get the parameter %s: the answer has no value", name)
	}
	return *out.Parameter.Value, true, nil
}

func missing(err error, code string) bool {
	e, ok := err.(*ServiceError) //nolint:errorlint // it is that of call itself
	return ok && e.Code == code
}

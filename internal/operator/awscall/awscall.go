// Package awscall calls operations of AWS by name, with requests and replies
// as JSON-like values under the API's own names, as the Python SDK takes and
// gives them. Behind each name is a small generated function that calls the
// Go SDK, so that only operations that something names become part of the
// program: looking methods up at run time would link every operation of every
// service.
//
// It does not know operators, workflows or what a reply means.
package awscall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"fairlead/internal/aws/transport"
)

//go:generate make -C ../../.. calls

// A service is one service as generated.
type service struct {
	id        string // such as "EMR Serverless"
	operation func(name string) operation
	names     func() names
}

// An operation calls one operation of a service.
type operation func(ctx context.Context, cfg aws.Config, c *call) (any, middleware.Metadata, error)

// A call is one request on its way.
type call struct {
	input map[string]any
	names *names
}

// Config says where calls go and who makes them. Make one with [Load] and
// [Config.For].
type Config struct {
	base aws.Config
	env  map[string]string
}

// Load returns what all calls of a process have in common: its HTTP client
// and, for calls that are given no credentials, the SDK's chain.
func Load(ctx context.Context) (Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryer(func() aws.Retryer { return retry.NewStandard() }))
	if err != nil {
		return Config{}, fmt.Errorf("configure the AWS SDK: %w", err)
	}
	// The sources name the endpoints of this process, which need not be the
	// task's.
	cfg.ConfigSources, cfg.BaseEndpoint = nil, nil
	cfg.HTTPClient = transport.PlainBody(cfg.HTTPClient)
	cfg.Logger = logging.Nop{} // what it warns of is not for whoever runs the server
	return Config{base: cfg}, nil
}

// For returns the configuration for the environment of a task, whose AWS
// variables say where calls go. credentials nil leaves them to the chain.
func (c Config) For(env map[string]string, credentials aws.CredentialsProvider) Config {
	cfg := c.base.Copy()
	cfg.Region = cmp.Or(env["AWS_REGION"], env["AWS_DEFAULT_REGION"], cfg.Region)
	if credentials != nil {
		cfg.Credentials = aws.NewCredentialsCache(credentials)
	}
	return Config{cfg, env}
}

// Region returns the region of calls.
func (c Config) Region() string { return c.base.Region }

// In returns the configuration for another region.
func (c Config) In(region string) Config {
	c.base = c.base.Copy()
	c.base.Region = region
	return c
}

// AWS returns the configuration for a service, by its id in the SDK.
func (c Config) AWS(id string) aws.Config {
	cfg := c.base.Copy()
	name := "AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(id, " ", "_"))
	if url := cmp.Or(c.env[name], c.env["AWS_ENDPOINT_URL"]); url != "" && c.env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] != "true" {
		cfg.BaseEndpoint = &url
		cfg.APIOptions = append(slices.Clone(cfg.APIOptions), plainHost)
	}
	return cfg
}

// plainHost keeps an operation from putting a prefix such as "env." before the
// host of an endpoint of one's own, which may be an address.
func plainHost(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("PlainHost",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(smithyhttp.DisableEndpointHostPrefix(ctx, true), in)
		}), middleware.Before)
}

// pathStyle addresses buckets in the path: an endpoint of one's own has no
// host name for each.
func pathStyle(o *s3.Options) {
	o.UsePathStyle = true
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
}

// Known reports whether the operation can be called; name is
// "service:Operation" with the Python SDK's name of the service.
func Known(name string) bool {
	_, _, err := find(name)
	return err == nil
}

func find(name string) (service, operation, error) {
	client, op, _ := strings.Cut(name, ":")
	s, ok := serviceOf(client)
	if ok {
		if o := s.operation(op); o != nil {
			return s, o, nil
		}
	}
	return service{}, nil, fmt.Errorf("no function calls the AWS operation %q: generate package awscall anew", name)
}

// A Reply is what an operation answered.
type Reply struct {
	// Members has the reply's members without those that are absent: objects
	// are map[string]any, lists []any, numbers int64 or float64, times and
	// blobs text.
	Members map[string]any
	// RequestID and Status are those of the HTTP reply.
	RequestID string
	Status    int
	// Metadata is what the Python SDK shows as ResponseMetadata.
	Metadata map[string]any
}

// Do calls the operation "service:Operation". A request that does not fit the
// operation is a [ParamError]; the SDK's errors come back as they are.
func Do(ctx context.Context, cfg Config, name string, input map[string]any) (Reply, error) {
	s, op, err := find(name)
	if err != nil {
		return Reply{}, err
	}
	n := s.names()
	conf := cfg.AWS(s.id)
	if conf.BaseEndpoint != nil {
		// An endpoint of one's own has no names below it.
		ctx = smithyhttp.DisableEndpointHostPrefix(ctx, true)
	}
	if z := zerosOf(input); len(z) > 0 {
		conf.APIOptions = append(slices.Clone(conf.APIOptions), z.option)
	}
	out, meta, err := op(ctx, conf, &call{input: input, names: &n})
	if err != nil {
		return Reply{}, n.required(err)
	}
	r := Reply{Metadata: map[string]any{"RetryAttempts": int64(0)}}
	r.RequestID, _ = awsmiddleware.GetRequestIDMetadata(meta)
	r.Metadata["RequestId"] = r.RequestID
	if raw, ok := awsmiddleware.GetRawResponse(meta).(*smithyhttp.Response); ok && raw != nil {
		r.Status = raw.StatusCode
		r.Metadata["HTTPStatusCode"], r.Metadata["HTTPHeaders"] = int64(raw.StatusCode), headers(raw.Header)
	}
	if attempts, ok := retry.GetAttemptResults(meta); ok {
		r.Metadata["RetryAttempts"] = int64(max(0, len(attempts.Results)-1))
	}
	r.Members, err = n.members(reflect.ValueOf(out).Elem())
	if err != nil {
		return Reply{}, fmt.Errorf("read the reply of %s: %w", name, err)
	}
	return r, nil
}

func headers(h http.Header) map[string]any {
	m := map[string]any{}
	for k := range maps.Keys(h) {
		m[strings.ToLower(k)] = h.Get(k)
	}
	return m
}

// A ParamError is a request that does not fit the operation, worded as the
// Python SDK does.
type ParamError struct{ Faults []string }

func (e *ParamError) Error() string {
	return "Parameter validation failed:\n" + strings.Join(e.Faults, "\n")
}

// required words what the SDK says of absent members; it leaves other errors
// as they are.
func (n *names) required(err error) error {
	type param interface{ Field() string }
	many, ok := errors.AsType[interface {
		error
		Errs() []error
	}](err)
	if !ok {
		return err
	}
	pe := &ParamError{}
	for _, e := range many.Errs() {
		p, ok := e.(param)
		if !ok {
			return err
		}
		path := strings.Split(p.Field(), ".")[1:]
		for i := range path {
			path[i] = n.api("", path[i])
		}
		last := len(path) - 1
		if last < 0 {
			return err
		}
		pe.Faults = append(pe.Faults, fmt.Sprintf("Missing required parameter in %s: %q", cmp.Or(strings.Join(path[:last], "."), "input"), path[last]))
	}
	return pe
}

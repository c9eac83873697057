package awscall

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// zeros are the members of a request that are 0 or false, as JSON.
type zeros map[string]json.RawMessage

// zerosOf returns those of a request.
func zerosOf(input map[string]any) zeros {
	z := zeros{}
	for name, v := range input {
		switch v {
		case false:
			z[name] = json.RawMessage("false")
		case int64(0), 0, 0.0, json.Number("0"):
			z[name] = json.RawMessage("0")
		}
	}
	return z
}

// option has the zeros be sent to services that speak awsJson. Where the Go
// SDK's member has no pointer it takes them for absent, and the service puts
// its own default in their place: a queue's delay for one of 0 seconds.
func (z zeros) option(stack *middleware.Stack) error {
	return stack.Build.Add(middleware.BuildMiddlewareFunc("Zeros",
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
			if req, ok := in.Request.(*smithyhttp.Request); ok && strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-amz-json") {
				with, err := z.into(req)
				if err != nil {
					return middleware.BuildOutput{}, middleware.Metadata{}, err
				}
				in.Request = with
			}
			return next.HandleBuild(ctx, in)
		}), middleware.Before)
}

// into returns the request with the zeros that its body lacks.
func (z zeros) into(req *smithyhttp.Request) (*smithyhttp.Request, error) {
	body, err := io.ReadAll(req.GetStream())
	if err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	all := maps.Clone(map[string]json.RawMessage(z))
	maps.Copy(all, members)
	if len(all) > len(members) {
		if body, err = json.Marshal(all); err != nil {
			return nil, fmt.Errorf("write the request's body: %w", err)
		}
	}
	return req.SetStream(bytes.NewReader(body))
}

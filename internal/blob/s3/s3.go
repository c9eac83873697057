// Package s3 reads objects from an S3 outside: Amazon's, or any store that
// speaks its wire.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"fairlead/internal/flow"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// A Source is an S3 outside. It is a blob.Source.
type Source struct{ client *s3.Client }

// New returns a source at endpoint, which when empty is Amazon's for the
// region. An empty region is that of the environment or profile, and
// us-east-1 where they name none. Credentials come from the SDK's usual
// chain.
func New(ctx context.Context, endpoint, region string) (*Source, error) {
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient()), // AWS_CA_BUNDLE works with this one alone
	}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("configure the client of S3: %w", err)
	}
	return &Source{s3.NewFromConfig(c, func(o *s3.Options) {
		if o.Region == "" {
			o.Region = "us-east-1"
		}
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
			o.UsePathStyle = true // few stores answer to bucket names in hosts
		}
	})}, nil
}

// Open does what blob.Source asks.
func (s *Source) Open(ctx context.Context, bucket, key, version string) (io.ReadCloser, int64, string, error) {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	out, err := s.client.GetObject(ctx, in)
	if err != nil {
		return nil, 0, "", explain(err, bucket, key, version)
	}
	read := aws.ToString(out.VersionId)
	if read == flow.NullVersion {
		read = ""
	}
	return out.Body, aws.ToInt64(out.ContentLength), read, nil
}

// Fetch does what blob.Source asks.
func (s *Source) Fetch(ctx context.Context, bucket, key, version string, max int64) ([]byte, string, error) {
	body, size, read, err := s.Open(ctx, bucket, key, version)
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	if size > max {
		return nil, "", flow.Errorf(flow.Invalid, "object %q of bucket %q has %d bytes; at most %d are allowed", key, bucket, size, max)
	}
	data, err := io.ReadAll(io.LimitReader(body, max+1))
	if err != nil {
		return nil, "", fmt.Errorf("read s3://%s/%s: %w", bucket, key, err)
	}
	if int64(len(data)) > max {
		return nil, "", flow.Errorf(flow.Invalid, "object %q of bucket %q has more than %d bytes", key, bucket, max)
	}
	return data, read, nil
}

// explain gives an answer of the store its kind.
func explain(err error, bucket, key, version string) error {
	status := 0
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		status = r.HTTPStatusCode()
	}
	code := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	switch {
	case code == "NoSuchBucket":
		return flow.Errorf(flow.NotFound, "bucket %q does not exist", bucket).About("bucket", bucket)
	case version != "" && (code == "NoSuchVersion" || code == "NoSuchKey" || code == "InvalidArgument" || status == http.StatusMethodNotAllowed):
		return flow.Errorf(flow.NotFound, "object %q of bucket %q has no version %q", key, bucket, version).About("version", version)
	case code == "NoSuchKey", status == http.StatusNotFound:
		return flow.Errorf(flow.NotFound, "object %q does not exist in bucket %q", key, bucket).About("object", key)
	case status == http.StatusForbidden:
		return flow.Errorf(flow.Denied, "access to object %q of bucket %q is denied (%s)", key, bucket, code)
	}
	return fmt.Errorf("get s3://%s/%s: %w", bucket, key, err)
}

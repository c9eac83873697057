// Package s3 reads objects of an outside S3, such as AWS's.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"fairlead/internal/flow"
)

// Config says which S3 to read, and as whom.
type Config struct {
	// Endpoint is the URL of an S3; empty means AWS's.
	Endpoint string
	Region   string
	// Credentials sign requests; nil means the SDK's usual chain.
	Credentials aws.CredentialsProvider
}

// A Source is a [blob.Source] of an outside S3.
type Source struct{ client *awss3.Client }

// New returns a source. It does not try to connect.
func New(ctx context.Context, c Config) (*Source, error) {
	load := []func(*config.LoadOptions) error{
		config.WithRegion(c.Region),
		// With another kind of client AWS_CA_BUNDLE is an error.
		config.WithHTTPClient(awshttp.NewBuildableClient()),
	}
	if c.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(c.Credentials))
	}
	conf, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("configure S3: %w", err)
	}
	return &Source{awss3.NewFromConfig(conf, func(o *awss3.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = &c.Endpoint
			o.UsePathStyle = true // the host of an emulator rarely has one name for each bucket
		}
	})}, nil
}

// Fetch implements [blob.Source].
func (s *Source) Fetch(ctx context.Context, bucket, key, version string, max int64) ([]byte, string, error) {
	body, size, read, err := s.Open(ctx, bucket, key, version)
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	tooLarge := flow.Errorf(flow.Invalid, "s3://%s/%s has more than %d bytes", bucket, key, max)
	if size > max {
		return nil, "", tooLarge
	}
	data, err := io.ReadAll(io.LimitReader(body, max+1))
	if err != nil {
		return nil, "", fmt.Errorf("read s3://%s/%s: %w", bucket, key, err)
	}
	if int64(len(data)) > max {
		return nil, "", tooLarge
	}
	return data, read, nil
}

// Open implements [blob.Source].
func (s *Source) Open(ctx context.Context, bucket, key, version string) (io.ReadCloser, int64, string, error) {
	in := &awss3.GetObjectInput{Bucket: &bucket, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	out, err := s.client.GetObject(ctx, in)
	if err != nil {
		return nil, 0, "", refused(err, bucket, key, version)
	}
	read := aws.ToString(out.VersionId)
	if read == flow.NullVersion {
		read = ""
	}
	return out.Body, aws.ToInt64(out.ContentLength), read, nil
}

// refused turns what S3 answers into an error that the caller of ours can
// act on.
func refused(err error, bucket, key, version string) error {
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return flow.Errorf(flow.Busy, "S3 cannot be reached for s3://%s/%s: %w", bucket, key, err)
	}
	switch e.ErrorCode() {
	case "NoSuchBucket":
		return flow.Errorf(flow.NotFound, "bucket %s does not exist", bucket).About("bucket", bucket)
	case "NoSuchKey", "NotFound":
		return flow.Errorf(flow.NotFound, "object s3://%s/%s does not exist", bucket, key).About("object", key)
	case "NoSuchVersion":
		return flow.Errorf(flow.NotFound, "object s3://%s/%s has no version %s", bucket, key, version).About("version", version)
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken":
		return flow.Errorf(flow.Denied, "S3 refuses to read s3://%s/%s: %s", bucket, key, e.ErrorMessage())
	case "MethodNotAllowed": // the version is a deletion
		return flow.Errorf(flow.NotFound, "version %s of s3://%s/%s is a delete marker", version, bucket, key).About("version", version)
	}
	if e.ErrorFault() == smithy.FaultClient {
		return flow.Errorf(flow.Invalid, "S3 refuses to read s3://%s/%s: %s: %s", bucket, key, e.ErrorCode(), e.ErrorMessage())
	}
	return flow.Errorf(flow.Busy, "S3 fails to read s3://%s/%s: %w", bucket, key, err)
}

package operator

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithymiddleware "github.com/aws/smithy-go/middleware"

	"fairlead/internal/aws/transport"
)

// clients makes AWS clients and keeps them. The zero value is ready for use.
type clients struct {
	mu sync.Mutex
	s3 map[place]*s3.Client
}

// A place is where calls go. An empty member leaves it to the SDK.
type place struct{ endpoint, region string }

// forS3 returns the client for a place. Those who call it pass credentials
// with each call if the SDK's own chain is not to be used.
func (c *clients) forS3(ctx context.Context, p place) (*s3.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client := c.s3[p]; client != nil {
		return client, nil
	}
	var opts []func(*config.LoadOptions) error
	if p.region != "" {
		opts = append(opts, config.WithRegion(p.region))
	}
	if p.endpoint != "" {
		opts = append(opts, config.WithBaseEndpoint(p.endpoint))
	}
	// A server of ours that is being restarted refuses connections for a
	// moment; no task should fail for that.
	opts = append(opts, config.WithRetryer(func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = 10, 5*time.Second
		})
	}))
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("configure the AWS SDK: %w", err)
	}
	cfg.HTTPClient = transport.PlainBody(cfg.HTTPClient)
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = true // an endpoint of one's own has no name for each bucket
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	if c.s3 == nil {
		c.s3 = map[place]*s3.Client{}
	}
	c.s3[p] = client
	return client, nil
}

// signer returns what signs the calls of a sensor, or nil for the SDK's
// chain.
func (o *Operators) signer(c Call) aws.CredentialsProvider {
	if o.set.Credentials != nil {
		if p := o.set.Credentials(c); p != nil {
			return p
		}
	}
	if c.Env["AWS_ACCESS_KEY_ID"] == "" {
		return nil
	}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID: c.Env["AWS_ACCESS_KEY_ID"], SecretAccessKey: c.Env["AWS_SECRET_ACCESS_KEY"],
			SessionToken: c.Env["AWS_SESSION_TOKEN"], Source: "the task's environment",
		}, nil
	})
}

// place returns where the calls of a sensor go.
func (o *Operators) place(c Call) place {
	usual, said := c.Env["AWS_ENDPOINT_URL"]
	if !said { // an empty one is AWS itself
		usual = o.set.Endpoint
	}
	return place{
		endpoint: cmp.Or(c.Env["AWS_ENDPOINT_URL_S3"], usual),
		region:   cmp.Or(c.Env["AWS_REGION"], c.Env["AWS_DEFAULT_REGION"], o.set.Region),
	}
}

// requestID returns the id that the service gave a call, for the log.
func requestID(m smithymiddleware.Metadata) string {
	id, _ := middleware.GetRequestIDMetadata(m)
	return cmp.Or(id, "none")
}
